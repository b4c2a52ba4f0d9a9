// Line plots in SVG: axes with units, error bars, marks, and the values under the pointer.
// chart: {x: {label, range, tell}, y: {label, range, log, ticks}, curves: [{name, x, y, errors,
// style, colour, dots}], levels, stages, marks, height, pick}

const EDGE = { left: 56, right: 12, top: 10, bottom: 40 };

function plot(place, chart) {
  const legend = element("div", { class: "legend" });
  for (const curve of chart.curves.length > 1 ? chart.curves : []) {
    const line = element("i", { class: curve.style === "dashed" ? "dashed" : "" });
    line.style.borderTopColor = `var(${curve.colour})`;
    legend.append(element("span", {}, line, curve.name));
  }
  const svg = svgElement("svg", { role: "img", "aria-label": chart.about });
  const tip = element("div", { class: "tip", hidden: true });
  place.replaceChildren(...(chart.title ? [element("h3", {}, chart.title)] : []), legend, svg, tip);
  onResize(place, (width) => drawChart(svg, chart, width));
  svg.addEventListener("pointermove", (event) => hover(event, svg, tip, chart));
  svg.addEventListener("pointerleave", () => { tip.hidden = true; svg.querySelector(".hover")?.remove(); });
  if (chart.pick) svg.addEventListener("click", (event) => chart.pick(nearest(event, svg, chart)));
  return { redraw: () => drawChart(svg, chart, place.clientWidth) };
}

function scales(chart, width) {
  const height = chart.height || 260;
  const [x0, x1] = chart.x.range, log = chart.y.log;
  const [y0, y1] = chart.y.range.map((v) => (log ? Math.log10(v) : v));
  const across = width - EDGE.left - EDGE.right, along = height - EDGE.top - EDGE.bottom;
  return {
    width, height,
    x: (v) => EDGE.left + ((v - x0) / (x1 - x0)) * across,
    y: (v) => EDGE.top + (1 - ((log ? Math.log10(v) : v) - y0) / (y1 - y0)) * along,
    back: (px) => x0 + ((px - EDGE.left) / across) * (x1 - x0),
  };
}

function drawChart(svg, chart, width) {
  const at = (chart.at = scales(chart, width));
  svg.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`);
  svg.setAttribute("height", at.height);
  svg.replaceChildren();
  drawAxes(svg, chart, at);
  for (const stage of chart.stages || []) drawStage(svg, stage, at);
  for (const level of chart.levels || []) drawLevel(svg, level, at);
  for (const curve of chart.curves) (curve.bars ? drawBars : drawCurve)(svg, curve, at, chart);
  for (const mark of chart.marks || []) drawMark(svg, mark, at);
  for (const mark of chart.marks || []) nameMark(svg, mark, at);
}

function drawAxes(svg, chart, at) {
  const bottom = at.height - EDGE.bottom, right = at.width - EDGE.right;
  const xs = chart.x.ticks || ticks(...chart.x.range, at.width < 340 ? 4 : 7);
  const ys = chart.y.log ? logTicks(...chart.y.range) : ticks(...chart.y.range, chart.height < 200 ? 4 : 5);
  for (const v of ys) {
    svg.append(svgElement("line", { x1: EDGE.left, x2: right, y1: at.y(v), y2: at.y(v), stroke: "var(--grid)" }));
    const text = chart.y.log ? logLabel(v) : told(v);
    svg.append(svgElement("text", { x: EDGE.left - 7, y: at.y(v) + 4, "text-anchor": "end" }, text));
  }
  for (const v of xs) {
    svg.append(svgElement("line", { x1: at.x(v), x2: at.x(v), y1: bottom, y2: bottom + 4, stroke: "var(--soft)" }));
    svg.append(svgElement("text", { x: at.x(v), y: bottom + 17, "text-anchor": "middle" }, (chart.x.tick || told)(v)));
  }
  svg.append(svgElement("line", { x1: EDGE.left, x2: right, y1: bottom, y2: bottom, stroke: "var(--soft)" }));
  svg.append(svgElement("text", { class: "name", x: (EDGE.left + right) / 2, y: at.height - 5, "text-anchor": "middle" }, chart.x.label));
  const middle = (EDGE.top + bottom) / 2;
  svg.append(svgElement("text", { class: "name", x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})` }, chart.y.label));
}

function drawCurve(svg, curve, at, chart) {
  const colour = `var(${curve.colour})`;
  let path = "", pen = "M";
  curve.x.forEach((x, i) => {
    const y = curve.y[i];
    if (y === null || !Number.isFinite(y) || (chart.y.log && y <= 0)) { pen = "M"; return; }
    path += `${pen}${at.x(x).toFixed(1)},${at.y(y).toFixed(1)}`;
    pen = "L";
    const error = curve.errors?.[i];
    if (error) drawError(svg, at.x(x), at.y(y - error), at.y(y + error), colour);
    if (curve.dots) svg.append(svgElement("circle", { cx: at.x(x), cy: at.y(y), r: 2.6, fill: colour }));
  });
  const dashes = curve.style === "dashed" ? "6 4" : "none";
  svg.append(svgElement("path", { d: path, fill: "none", stroke: colour, "stroke-width": curve.dots ? 1 : 2,
    "stroke-opacity": curve.dots ? 0.45 : 1, "stroke-dasharray": dashes, "stroke-linejoin": "round" }));
}

function drawError(svg, x, y1, y2, colour) {
  const d = `M${x},${y1}V${y2}M${x - 2.5},${y1}h5M${x - 2.5},${y2}h5`;
  svg.append(svgElement("path", { d, class: "error", stroke: colour, fill: "none", "stroke-width": 1.2 }));
}

function drawBars(svg, curve, at, chart) {
  const count = curve.x.length, span = at.x(curve.x[count - 1]) - at.x(curve.x[0]);
  const width = clamp((span / Math.max(1, count - 1)) * 0.7, 1.5, 22);
  const floor = at.height - EDGE.bottom;
  curve.x.forEach((x, i) => {
    const top = at.y(Math.min(curve.y[i] ?? 0, chart.y.range[1]));
    const chosen = i === chart.chosen;
    const bar = { x: at.x(x) - width / 2, y: top, width, height: Math.max(0, floor - top), class: chosen ? "chosen" : "",
      fill: chosen ? "var(--mark)" : `var(${curve.colour})`, "fill-opacity": chosen ? 1 : 0.65 };
    svg.append(svgElement("rect", bar));
  });
}

function drawLevel(svg, level, at) {
  svg.append(svgElement("line", { x1: EDGE.left, x2: at.width - EDGE.right, y1: at.y(level.y), y2: at.y(level.y),
    stroke: "var(--soft)", "stroke-dasharray": "2 3" }));
  svg.append(svgElement("text", { x: at.width - EDGE.right - 2, y: at.y(level.y) - 4, "text-anchor": "end" }, level.name));
}

function drawStage(svg, stage, at) {
  const x = at.x(stage.x);
  svg.append(svgElement("line", { x1: x, x2: x, y1: EDGE.top, y2: at.height - EDGE.bottom, stroke: "var(--line)" }));
}

function drawMark(svg, mark, at) {
  const x = at.x(mark.x);
  svg.append(svgElement("line", { x1: x, x2: x, y1: EDGE.top, y2: at.height - EDGE.bottom, stroke: "var(--mark)", "stroke-width": 1.5, "stroke-dasharray": "4 3" }));
  if (mark.y) svg.append(svgElement("circle", { cx: x, cy: at.y(mark.y), r: 4.5, fill: "none", stroke: "var(--mark)", "stroke-width": 2 }));
}

function nameMark(svg, mark, at) {
  const x = at.x(mark.x), end = x > at.width * 0.55;
  const label = { x: x + (end ? -6 : 6), y: EDGE.top + 12 + (mark.row || 0) * 15, "text-anchor": end ? "end" : "start", class: "name" };
  svg.append(svgElement("text", label, mark.name));
}

function nearestIn(xs, x) {
  let best = 0;
  xs.forEach((v, i) => { if (Math.abs(v - x) < Math.abs(xs[best] - x)) best = i; });
  return best;
}

function nearest(event, svg, chart) {
  const box = svg.getBoundingClientRect();
  return nearestIn(chart.curves[0].x, chart.at.back((event.clientX - box.left) * (chart.at.width / box.width)));
}

function hover(event, svg, tip, chart) {
  const i = nearest(event, svg, chart), x = chart.curves[0].x[i];
  const lines = [chart.x.tell(x, i)];
  for (const curve of chart.curves) {
    const j = nearestIn(curve.x, x), error = curve.errors?.[j];
    lines.push(`${curve.name}: ${told(curve.y[j])}${error ? ` ± ${told(error, 2)}` : ""}${chart.y.unit || ""}`);
  }
  tip.textContent = lines.join("\n");
  tip.hidden = false;
  svg.querySelector(".hover")?.remove();
  const px = chart.at.x(x), bottom = chart.at.height - EDGE.bottom;
  svg.append(svgElement("line", { class: "hover", x1: px, x2: px, y1: EDGE.top, y2: bottom, stroke: "var(--soft)", "stroke-opacity": 0.6 }));
  const left = px + 12 + tip.offsetWidth > chart.at.width ? px - 12 - tip.offsetWidth : px + 12;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${svg.getBoundingClientRect().top - svg.parentElement.getBoundingClientRect().top + 8}px`;
}
