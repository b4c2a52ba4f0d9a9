// Power spectra across the tilt axis, with the directions that bound the missing wedge.

function drawSpectra(table, powers, channelNames) {
  const boxes = table.methods.map((method, number) => spectrumBox(table, method, powers[number]));
  byId("spectra").append(...boxes.map((box) => box.figure));
  if (channelNames.length > 1) {
    byId("channel").addEventListener("change", (event) => {
      if (event.target.value !== ALL) for (const box of boxes) box.draw(Number(event.target.value));
    });
  }
  for (const box of boxes) box.draw(0);
}

function spectrumBox(table, method, channels) {
  const [rows, columns] = table.shape;
  const made = picture(columns, rows, `Power spectrum of ${method.name} with the missing wedge`, 1);
  const axes = svgElement("svg", { class: "axes", "aria-hidden": "true" });
  const frame = element("div", { class: "frame" }, made.view, axes);
  const caption = element("figcaption", {}, element("b", {}, method.name), wedgeWords(table));
  onResize(frame, () => spectrumAxes(table, made, axes, frame));
  const draw = (channel) => paint(made, (row, column, data, at) => {
    const level = channels[channel][row * columns + column];
    data[at] = data[at + 1] = data[at + 2] = level;
  });
  return { figure: element("figure", {}, frame, caption), draw };
}

function wedgeWords(table) {
  if (!table.wedge) return "";
  const [first, last] = table.wedge.map((angle) => -angle);
  return `; tilts ${degrees(first)} to ${degrees(last)} (lines), black ${told(-table.range)} dB`;
}

function spectrumAxes(table, made, axes, frame) {
  const width = made.view.clientWidth, height = made.view.clientHeight;
  const x = (k) => ((k - table.kx[0]) / (table.kx[1] - table.kx[0])) * width;
  const y = (k) => (1 - (k - table.kz[0]) / (table.kz[1] - table.kz[0])) * height;
  made.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  made.overlay.replaceChildren();
  if (table.wedge) drawWedge(made.overlay, table.wedge, x, y);
  const left = made.view.offsetLeft;
  axes.setAttribute("viewBox", `0 0 ${frame.clientWidth} ${frame.clientHeight}`);
  axes.replaceChildren();
  for (const k of [-0.4, -0.2, 0, 0.2, 0.4]) {
    axes.append(svgElement("text", { x: left + x(k), y: height + 16, "text-anchor": "middle" }, told(k)));
    axes.append(svgElement("text", { x: left - 6, y: y(k) + 4, "text-anchor": "end" }, told(k)));
  }
  axes.append(svgElement("text", { x: left + width / 2, y: height + 33, "text-anchor": "middle" }, "kx, cycles per voxel shown"));
  axes.append(svgElement("text", { x: 12, y: height / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${height / 2})` }, "kz"));
}

// Angles from kx towards kz of the first and the last view, which hold what was measured.
function drawWedge(overlay, [first, last], x, y) {
  const far = 2, point = (angle, sign) => {
    const a = (angle * Math.PI) / 180;
    return `${x(sign * far * Math.cos(a)).toFixed(1)},${y(sign * far * Math.sin(a)).toFixed(1)}`;
  };
  const middle = `${x(0)},${y(0)}`;
  for (const sign of [1, -1]) {
    const points = `${middle} ${point(first, sign)} ${x(0)},${y(sign * far)} ${point(last, -sign)}`;
    overlay.append(svgElement("polygon", { points, class: "wedge", fill: "#ffb04a", "fill-opacity": 0.09 }));
  }
  for (const angle of [first, last]) {
    const [x1, y1] = point(angle, -1).split(","), [x2, y2] = point(angle, 1).split(",");
    overlay.append(svgElement("line", { x1, y1, x2, y2, stroke: "#ffb04a", "stroke-width": 1.5, "stroke-dasharray": "6 4", "data-angle": angle }));
  }
  overlay.append(svgElement("text", { x: x(0), y: y(0.42), "text-anchor": "middle" }, "missing wedge"));
}
