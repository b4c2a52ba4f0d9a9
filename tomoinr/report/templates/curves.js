// The curves: agreement of halves, course of the run, poses.

function drawFsc(table, unit) {
  const place = byId("fsc-plot");
  if (!table) return message(place, "Not judged: no halves were compared (--trust none, or too few tilts).");
  const length = (f) => `${told(f)} cycles/voxel, ${told(table.spacing / f)} ${unit}`;
  plot(place, {
    about: "Fourier shell correlation of two halves by spatial frequency",
    x: { label: "spatial frequency, cycles per voxel", range: [0, 0.5], tell: length },
    y: { label: "correlation", range: [Math.min(0, ...numbers(table.measured), ...numbers(table.wedge)), 1.02] },
    curves: [
      { name: "where tilts measured", x: table.frequency, y: table.measured, colour: "--ours" },
      { name: "in the missing wedge", x: table.frequency, y: table.wedge, colour: "--other", style: "dashed" },
    ],
    levels: [{ y: 0.143, name: "0.143" }, { y: 0.5, name: "0.5" }],
  });
  byId("fsc-note").textContent = `Mind: ${table.caveat}.`;
}

const numbers = (values) => values.filter((v) => v !== null && Number.isFinite(v));

function drawCourse(table) {
  const place = byId("course-plot");
  if (!table) return message(place, "No history: history.csv is missing or empty.");
  const curves = [{ name: "loss", x: table.step, y: table.loss, colour: "--ours" }];
  const judged = numbers(table.validation).length > 0;
  if (judged) curves.push({ name: "validation loss", ...known(table), colour: "--other", dots: true });
  const positive = curves.flatMap((c) => numbers(c.y)).filter((v) => v > 0);
  const log = positive.length === curves.flatMap((c) => numbers(c.y)).length;
  const ends = log ? [Math.min(...positive) / 1.25, robustHigh(positive) * 1.25] : range(curves.flatMap((c) => c.y));
  const last = table.stopped.step;
  const marks = [{ x: last, name: `stopped at step ${last}`, row: 0 }];
  if (table.best) marks.push({ x: table.best.step, y: table.best.validation, name: `best validation, step ${table.best.step}`, row: 1 });
  plot(place, {
    about: "Loss by step",
    x: { label: "step", range: [0, last * 1.02], tell: (step) => `step ${step}${stageAt(table, step)}` },
    y: { label: "loss", range: ends, log }, curves, marks,
    stages: table.stages.map((stage) => ({ x: stage.step, name: stage.name })),
  });
  const parts = [];
  if (judged) byId("course-lead").textContent = "The loss at every step, and the loss on data held back, which says when to stop.";
  else parts.push("No validation loss was recorded: the solver held nothing back to judge by.");
  if (table.stages.length) parts.push(`Stages: ${table.stages.map((s) => `${s.name} (from step ${s.step})`).join(", ")}.`);
  if (table.stages.length || !judged) parts.push("The loss may jump where a solver begins a new stage: other voxels, other weights.");
  byId("course-note").textContent = parts.join(" ");
}

// The first steps of a run may overshoot far: what they reach need not be seen whole.
function robustHigh(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(sorted[Math.floor(0.995 * (sorted.length - 1))], values[0]);
}

function known(table) {
  const kept = table.step.map((_, i) => i).filter((i) => table.validation[i] !== null);
  return { x: kept.map((i) => table.step[i]), y: kept.map((i) => table.validation[i]) };
}

function stageAt(table, step) {
  const past = table.stages.filter((stage) => stage.step <= step);
  return past.length ? `, ${past[past.length - 1].name}` : "";
}

const POSES = [
  ["dx", "shift along x", "px"], ["dy", "shift along y", "px"],
  ["rotation", "in-plane rotation", "°"], ["tilt", "tilt correction", "°"],
];

function drawPoses(table) {
  if (!table) {
    byId("poses-details").hidden = true;
    return message(byId("poses-plots"), "No poses: poses.json is missing.");
  }
  byId("poses-lead").textContent = poseWords(table);
  for (const [name, title, unit] of POSES) {
    const place = byId("poses-plots").appendChild(element("div", { class: "plot" }));
    const errors = table.errors[name];
    const reach = table[name].flatMap((v, i) => [v - (errors?.[i] || 0), v + (errors?.[i] || 0)]);
    const flat = Math.max(...table[name]) - Math.min(...table[name]) < 1e-6 && !errors;
    const middle = table[name][0];
    plot(place, {
      about: `${title} of every image by tilt angle`, title, height: 190,
      x: { label: "tilt angle, °", range: range(table.angle, 0.03), tell: (x, i) => `${degrees(x)}, image ${table.section[i]}` },
      y: { label: unit, range: flat ? [middle - 1, middle + 1] : range(reach), unit: unit === "°" ? unit : ` ${unit}` },
      curves: [{ name: title, x: table.angle, y: table[name], errors, colour: "--ours", dots: true }],
    });
  }
  byId("poses-table").append(poseRows(table));
}

function poseWords(table) {
  if (table.held) return "Poses were given and kept as they are; nothing was learned, so there are no error bars.";
  const words = "What was found for each image, against its recorded angle. ";
  if (!Object.keys(table.errors).length) return `${words}Error bars are missing: they need the images.`;
  const sizes = POSES.filter(([name]) => table.errors[name]).map(([name, title, unit]) => {
    const sorted = numbers(table.errors[name]).sort((a, b) => a - b);
    return `${title} ${told(sorted[sorted.length >> 1], 2)}${unit === "°" ? "" : " "}${unit}`;
  });
  return `${words}Error bars: one standard error from the image's own normal equations, the volume held, so lower bounds; usual size: ${sizes.join(", ")}. No bars: not learned.`;
}

function poseRows(table) {
  const heads = ["image", "angle, °", "dx, px", "±", "dy, px", "±", "rotation, °", "±", "tilt corr., °", "±"];
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = table.angle.map((angle, i) => {
    const cells = [String(table.section[i]), told(angle, 4)];
    for (const [name] of POSES) cells.push(told(table[name][i]), told(table.errors[name]?.[i], 2));
    return element("tr", {}, ...cells.map((text) => element("td", {}, text)));
  });
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}
