// Level and window of every channel, one at a time, with a histogram.

const COLOURS = [["#ff4fd8", "#3fe07a"], ["#ff5050", "#3fe07a", "#5b8cff"],
  ["#ff5050", "#3fe07a", "#5b8cff", "#ffd23f", "#2fd8e8", "#ff4fd8"]];

function coloursFor(count) {
  const set = COLOURS.find((colours) => colours.length >= count) || COLOURS[2];
  return Array.from({ length: count }, (_, i) => set[i % set.length]);
}

const ALL = "all";

class Contrast {
  constructor(table, values, changed) {
    Object.assign(this, { table, values, changed, inverted: false, chosen: 0, adjusted: 0 });
    this.windows = table.windows.map((window) => [...window]);
    this.ranges = table.windows.map((_, c) => this.reach(c));
    this.colours = coloursFor(table.channels.length);
    this.visible = table.channels.map(() => true);
    this.channels();
    byId("level").addEventListener("input", () => this.moved());
    byId("window").addEventListener("input", () => this.moved());
    byId("invert").addEventListener("change", (e) => { this.inverted = e.target.checked; this.changed(); });
    byId("reset").addEventListener("click", () => this.reset());
    onResize(byId("histogram").parentElement, () => this.histogram());
    this.show();
  }

  // What the sliders span: all values of every method, and the window to begin with.
  reach(channel) {
    const ends = this.table.methods.map((method) => method.scales[channel]).concat([this.table.windows[channel]]);
    return [Math.min(...ends.map((e) => e[0])), Math.max(...ends.map((e) => e[1]))];
  }

  channels() {
    const names = this.table.channels, select = byId("channel");
    if (names.length < 2) return;
    names.forEach((name, i) => select.append(element("option", { value: String(i) }, name)));
    select.append(element("option", { value: ALL }, "all channels, in colour"));
    byId("channel-field").hidden = false;
    byId("contrast").classList.add("many");
    select.addEventListener("change", () => this.choose(select.value));
    const swatches = byId("swatches");
    names.forEach((name, i) => swatches.append(this.swatch(name, i)));
  }

  swatch(name, i) {
    const box = element("input", { type: "checkbox", checked: true, "aria-label": `show ${name}` });
    const colour = element("input", { type: "color", value: this.colours[i], "aria-label": `colour of ${name}` });
    const radio = element("input", { type: "radio", name: "adjusted", checked: i === 0, "aria-label": `level and window of ${name}` });
    box.addEventListener("change", () => { this.visible[i] = box.checked; this.changed(); });
    colour.addEventListener("input", () => { this.colours[i] = colour.value; this.changed(); });
    radio.addEventListener("change", () => { this.adjusted = i; this.show(); });
    return element("span", { class: "check" }, box, colour, name, element("label", { class: "check" }, radio, "adjust"));
  }

  choose(value) {
    this.chosen = value === ALL ? ALL : Number(value);
    if (this.chosen !== ALL) this.adjusted = this.chosen;
    byId("swatches").hidden = this.chosen !== ALL;
    this.show();
    this.changed();
  }

  reset() {
    this.windows = this.table.windows.map((window) => [...window]);
    this.inverted = byId("invert").checked = false;
    this.show();
    this.changed();
  }

  moved() {
    const [low, high] = this.ranges[this.adjusted], span = high - low;
    const middle = low + (byId("level").value / 1000) * span, width = (byId("window").value / 1000) * span;
    this.windows[this.adjusted] = [middle - width / 2, middle + width / 2];
    this.tell();
    this.changed();
  }

  show() {
    const [low, high] = this.ranges[this.adjusted], span = high - low || 1e-30;
    const [first, last] = this.windows[this.adjusted];
    byId("level").value = ((first + last) / 2 - low) / span * 1000;
    byId("window").value = (last - first) / span * 1000;
    this.tell();
  }

  tell() {
    const [first, last] = this.windows[this.adjusted];
    byId("level-value").textContent = told((first + last) / 2);
    byId("window-value").textContent = `${told(first)} … ${told(last)}`;
    this.histogram();
  }

  // Counts of ours on a logarithmic scale, and the window over them.
  histogram() {
    const svg = byId("histogram"), width = svg.parentElement.clientWidth || 300, height = 44, bins = 96;
    const [low, high] = this.ranges[this.adjusted], span = high - low || 1e-30;
    const [first, last] = this.table.methods[0].scales[this.adjusted];
    const counts = new Float64Array(bins);
    this.counted(this.adjusted).forEach((n, byte) => {
      const value = first + ((last - first) * byte) / 255;
      counts[clamp(Math.floor(((value - low) / span) * bins), 0, bins - 1)] += n;
    });
    const most = Math.log1p(Math.max(...counts));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    counts.forEach((n, i) => {
      const size = (Math.log1p(n) / most) * (height - 4);
      svg.append(svgElement("rect", { x: (i / bins) * width, y: height - size, width: width / bins - 0.5, height: size, fill: "var(--soft)", "fill-opacity": 0.55 }));
    });
    const [a, b] = this.windows[this.adjusted].map((v) => ((v - low) / span) * width);
    svg.append(svgElement("rect", { x: a, y: 0.5, width: Math.max(1, b - a), height: height - 1, fill: "var(--accent)", "fill-opacity": 0.14, stroke: "var(--accent)" }));
  }

  counted(channel) {
    this.cache ??= {};
    if (!this.cache[channel]) {
      const counts = new Float64Array(256);
      for (const byte of this.values[0][channel]) counts[byte] += 1;
      this.cache[channel] = counts;
    }
    return this.cache[channel];
  }
}
