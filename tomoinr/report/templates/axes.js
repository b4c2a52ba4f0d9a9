// Axes: where ticks go, and a frame with a scale that redraws itself when its width changes.

function ticks(low, high, wanted = 5) {
  const raw = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.75) || raw;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) found.push(i * step);
  return found.map((value) => (Math.abs(value) < step * 1e-9 ? 0 : value));
}

function logTicks(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++) {
    const marks = Math.log10(high / low) < 2.2 ? [1, 2, 5] : [1];
    for (const m of marks) found.push(m * 10 ** p);
  }
  const inside = found.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  const every = Math.ceil(inside.length / 7);
  return inside.filter((_, i) => i % every === 0);
}

const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function logLabel(value) {
  const power = Math.round(Math.log10(value));
  if (Math.abs(power) < 3 || Math.abs(value / 10 ** power - 1) > 1e-6) return told(value, 2);
  return `10${power < 0 ? "⁻" : ""}${[...String(Math.abs(power))].map((d) => POWERS[d]).join("")}`;
}

function range(values, margin = 0.06) {
  const known = values.filter((v) => v !== null && Number.isFinite(v));
  let low = Math.min(...known), high = Math.max(...known);
  if (!known.length) [low, high] = [0, 1];
  const room = (high - low) * margin || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function onResize(place, draw) {
  let width = 0;
  const redraw = () => {
    const now = Math.round(place.clientWidth);
    if (now && now !== width) { width = now; draw(now); }
  };
  new ResizeObserver(redraw).observe(place);
  redraw();
}
