// One image at a time: measured, predicted, and what is left.

class Tilts {
  constructor(table, bytes, channels) {
    Object.assign(this, { table, bytes, channel: 0, at: 0 });
    const [count, rows, columns] = table.shape;
    this.frame = rows * columns;
    this.pictures = ["measured", "predicted", "residual"].map((name) => {
      const made = picture(columns, rows, `${name} image`);
      made.caption = element("figcaption", {});
      byId("tilt-images").append(element("figure", {}, made.view, made.caption));
      return { ...made, name };
    });
    const slider = byId("tilt");
    slider.max = count - 1;
    slider.addEventListener("input", () => this.choose(Number(slider.value)));
    if (channels.length > 1) {
      byId("channel").addEventListener("change", (e) => { if (e.target.value !== ALL) { this.channel = Number(e.target.value); this.chart(); this.draw(); } });
    }
    this.colours = diverging();
    this.at = table.angles.reduce((best, angle, i) => (Math.abs(angle) < Math.abs(table.angles[best]) ? i : best), 0);
    this.chart();
    this.choose(this.at);
  }

  choose(index) {
    this.at = index;
    byId("tilt").value = index;
    this.curve.chosen = index;
    this.plot.redraw();
    this.draw();
  }

  // χ² where it was judged, else what is left of each image.
  chart() {
    const { table } = this, judged = table.chi2 && (table.channel === null || this.channelName() === table.channel || table.left.length === 1);
    const values = judged ? table.chi2 : table.left[this.channel].map((v) => 100 * v);
    this.judged = judged;
    const high = Math.max(...numbers(values)) * 1.1 || 1;
    this.curve = {
      about: "How well each image is explained", height: 190, chosen: this.at, pick: (i) => this.choose(i),
      x: { label: "tilt angle, °", range: range(table.angles, 0.03), tell: (x, i) => `${degrees(x)}, image ${table.sections[i]}` },
      y: { label: judged ? "χ² per pixel" : "residual, %", range: [0, high] },
      curves: [{ name: judged ? "χ²" : "residual rms over image rms, %", x: table.angles, y: values, colour: "--ours", bars: true }],
    };
    this.plot = plot(byId("chi2-plot"), this.curve);
  }

  channelName() { return byId("channel").selectedOptions[0]?.textContent ?? this.table.channel; }

  draw() {
    const { table, channel } = this, start = (channel * table.shape[0] + this.at) * this.frame;
    const grey = greys(table.scales[channel], table.windows[channel], false);
    for (const made of this.pictures) {
      const bytes = this.bytes[made.name], { columns } = made, colours = this.colours;
      paint(made, (row, column, data, at) => {
        const byte = bytes[start + row * columns + column];
        for (let c = 0; c < 3; c++) data[at + c] = made.name === "residual" ? colours[3 * byte + c] : grey[byte];
      });
    }
    this.tell();
  }

  tell() {
    const { table, channel } = this, reach = told(table.reach[channel], 2);
    const [measured, predicted, residual] = this.pictures;
    const words = (made, more) => made.caption.replaceChildren(element("b", {}, made.name), more);
    words(measured, table.factor > 1 ? `, binned ${told(table.factor)}×` : "");
    words(predicted, ", same greys");
    words(residual, `, blue −${reach} to red +${reach}; rms ${told(100 * table.left[channel][this.at], 2)} % of the image's`);
    const chi2 = this.judged ? `, χ² ${told(table.chi2[this.at], 2)}` : "";
    const text = `${degrees(table.angles[this.at])}, image ${table.sections[this.at]}${chi2}`;
    byId("tilt-value").textContent = text;
    byId("tilt").setAttribute("aria-valuetext", text);
  }
}
