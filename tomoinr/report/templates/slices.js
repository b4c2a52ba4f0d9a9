// Orthogonal slices of one or two volumes on shared sliders and grey levels.

const AXES = ["y", "z", "x"];

class Slices {
  constructor(table, volumes, cuts, unit) {
    Object.assign(this, { table, volumes, cuts, unit, planes: [] });
    this.size = Object.fromEntries(AXES.map((axis, i) => [axis, table.shape[i]]));
    this.full = Object.fromEntries(AXES.map((axis, i) => [axis, table.full[i]]));
    this.at = Object.fromEntries(AXES.map((axis, i) => [axis, table.start[i]]));
    this.stride = { y: this.size.z * this.size.x, z: this.size.x, x: 1 };
    this.contrast = new Contrast(table, volumes, () => this.draw());
    for (const plane of table.planes) this.planes.push(this.plane(plane));
    byId("cross").addEventListener("change", () => this.draw());
    onResize(byId("planes"), () => this.draw());
  }

  plane(plane) {
    const { right, up, through } = plane;
    const views = element("div", { class: `views${this.volumes.length < 2 ? " single" : ""}` });
    const pictures = this.table.methods.map((method, number) => {
      const words = `${method.name}, slice ${right}–${up}: arrow keys move the cross, page up and page down the slice`;
      const note = element("span", {});
      const made = picture(this.size[right], this.size[up], words);
      made.view.tabIndex = 0;
      made.view.classList.add("pointing");
      made.view.dataset.plane = plane.name;
      made.view.dataset.method = method.name;
      this.listen(made, plane);
      views.append(element("figure", {}, made.view, element("figcaption", {}, element("b", {}, method.name), note)));
      return { ...made, number, note };
    });
    const slider = element("input", { type: "range", min: "0", max: String(this.size[through] - 1), value: String(this.at[through]), id: `slice-${through}` });
    const value = element("output", { for: slider.id });
    slider.addEventListener("input", () => { this.at[through] = Number(slider.value); this.draw(); });
    const label = element("label", { for: slider.id }, `slice along ${through}`, value);
    const box = element("div", { class: "plane" }, element("h3", {}, plane.title), views, element("div", { class: "slider" }, label, slider));
    byId("planes").append(box);
    return { ...plane, pictures, slider, value };
  }

  listen(target, plane) {
    const move = (event) => {
      const [column, row] = pointed(event, target);
      this.at[plane.right] = column;
      this.at[plane.up] = row;
      this.draw();
    };
    target.view.addEventListener("pointerdown", (event) => { if (event.button === 0) move(event); });
    target.view.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) move(event);
      else if (event.pointerType === "mouse") this.tell(plane, ...pointed(event, target));
    });
    target.view.addEventListener("pointerleave", () => this.tell());
    target.view.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [plane.right, -1], ArrowRight: [plane.right, 1], ArrowDown: [plane.up, -1],
        ArrowUp: [plane.up, 1], PageDown: [plane.through, -1], PageUp: [plane.through, 1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      this.at[step[0]] = clamp(this.at[step[0]] + step[1] * (event.shiftKey ? 5 : 1), 0, this.size[step[0]] - 1);
      this.draw();
    });
  }

  draw() {
    for (const plane of this.planes) {
      const i = this.at[plane.through];
      plane.slider.value = i;
      plane.value.textContent = this.place(plane.through);
      plane.slider.setAttribute("aria-valuetext", this.place(plane.through));
      for (const target of plane.pictures) this.drawOne(plane, target);
    }
    this.tell();
  }

  index(axis, i) {
    return Math.round(((i + 0.5) * this.full[axis]) / this.size[axis] - 0.5);
  }

  // Which slice of the file this is (from 0), and where it lies from the middle of the box.
  place(axis) {
    const i = this.at[axis], from = (i - (this.size[axis] - 1) / 2) * this.table.spacing;
    return `${this.index(axis, i)} of 0–${this.full[axis] - 1}${this.unit === "Å" ? `, ${told(from)} Å` : ""}`;
  }

  // Bytes of every channel, and where a row and a column of this slice lie in them.
  source(plane, target) {
    const cut = this.table.cuts[plane.name], start = this.table.start[AXES.indexOf(plane.through)];
    if (cut && target.number === 0 && this.at[plane.through] === start) {
      const [rows, columns] = cut.shape;
      return { channels: this.cuts[plane.name], base: 0, up: columns, right: 1, rows, columns, scales: cut.scales, whole: true };
    }
    const base = this.at[plane.through] * this.stride[plane.through];
    return { channels: this.volumes[target.number], base, up: this.stride[plane.up], right: this.stride[plane.right],
      rows: target.rows, columns: target.columns, scales: this.table.methods[target.number].scales, whole: false };
  }

  drawOne(plane, target) {
    const from = this.source(plane, target), { contrast } = this, c = contrast.chosen;
    resize(target, from.columns, from.rows);
    if (c === ALL) {
      paint(target, this.mixture(from));
    } else {
      const bytes = from.channels[c], grey = greys(from.scales[c], contrast.windows[c], contrast.inverted);
      paint(target, (row, column, data, at) => {
        data[at] = data[at + 1] = data[at + 2] = grey[bytes[from.base + row * from.up + column * from.right]];
      });
    }
    target.note.textContent = from.whole ? ", at full size" : "";
    this.marks(plane, target);
  }

  // Channels add up, each in its colour.
  mixture(from) {
    const { contrast } = this;
    const shown = from.channels.map((bytes, c) => ({ bytes, grey: greys(from.scales[c], contrast.windows[c], contrast.inverted), colour: rgb(contrast.colours[c]) }))
      .filter((_, c) => contrast.visible[c]);
    return (row, column, data, at) => {
      const place = from.base + row * from.up + column * from.right;
      let red = 0, green = 0, blue = 0;
      for (const { bytes, grey, colour } of shown) {
        const level = grey[bytes[place]] / 255;
        red += level * colour[0]; green += level * colour[1]; blue += level * colour[2];
      }
      data[at] = red; data[at + 1] = green; data[at + 2] = blue;
    };
  }

  marks(plane, target) {
    const width = target.view.clientWidth, height = target.view.clientHeight, overlay = target.overlay;
    if (!width) return;
    overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    overlay.replaceChildren();
    const perPixel = (this.table.spacing * this.size[plane.right]) / width;
    scaleBar(overlay, width, height, perPixel, this.unit);
    overlay.append(svgElement("text", { x: width - 8, y: height - 8, "text-anchor": "end" }, `${plane.right} →`));
    overlay.append(svgElement("text", { x: 8, y: 16 }, `↑ ${plane.up}`));
    if (!byId("cross").checked) return;
    const x = ((this.at[plane.right] + 0.5) / this.size[plane.right]) * width;
    const y = (1 - (this.at[plane.up] + 0.5) / this.size[plane.up]) * height;
    const line = { stroke: "#ffd54a", "stroke-opacity": 0.75, "stroke-width": 1 };
    overlay.append(svgElement("path", { d: `M${x},0V${y - 6}M${x},${y + 6}V${height}M0,${y}H${x - 6}M${x + 6},${y}H${width}`, ...line }));
  }

  tell(plane, column, row) {
    const at = { ...this.at };
    if (plane) [at[plane.right], at[plane.up]] = [column, row];
    const place = AXES.reduce((sum, axis) => sum + at[axis] * this.stride[axis], 0);
    const chosen = this.contrast.chosen === ALL ? this.table.channels.map((_, c) => c) : [this.contrast.chosen];
    const values = this.table.methods.map((method, number) => {
      const found = chosen.map((c) => {
        const [low, high] = method.scales[c];
        const value = told(low + ((high - low) * this.volumes[number][c][place]) / 255);
        return chosen.length > 1 ? `${this.table.channels[c]} ${value}` : value;
      });
      return `${method.name} ${found.join(", ")}`;
    });
    byId("readout").textContent = `${plane ? "pointer" : "cross"} at ${AXES.map((axis) => `${axis} ${this.index(axis, at[axis])}`).join(", ")}: ${values.join("  ·  ")}`;
  }
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
