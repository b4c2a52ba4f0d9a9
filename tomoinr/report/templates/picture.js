// Pictures: a canvas of bytes under an overlay with marks; the first row is at the bottom.

function picture(columns, rows, label, aspect = columns / rows) {
  const canvas = element("canvas", { width: columns, height: rows });
  const overlay = svgElement("svg", { class: "overlay", "aria-hidden": "true" });
  const view = element("div", { class: "view", role: "img", "aria-label": label }, canvas, overlay);
  view.style.aspectRatio = String(aspect);
  // Painted byte by byte, so it had better stay in the processor's own memory.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return { view, canvas, overlay, columns, rows, context: context };
}

// A canvas of another size, where it is not of this size already.
function resize(target, columns, rows) {
  if (target.canvas.width !== columns) target.canvas.width = columns;
  if (target.canvas.height !== rows) target.canvas.height = rows;
}

// colour(row, column, data, at) writes red, green and blue into data from `at` on.
function paint(target, colour) {
  const { width, height } = target.canvas;
  const image = target.context.createImageData(width, height);
  const data = image.data;
  for (let row = 0; row < height; row++) {
    let at = 4 * (height - 1 - row) * width;
    for (let column = 0; column < width; column++, at += 4) {
      colour(row, column, data, at);
      data[at + 3] = 255;
    }
  }
  target.context.putImageData(image, 0, 0);
}

// Grey levels 0 to 255 of every byte, given what byte 0 and byte 255 mean.
function greys([low, high], [first, last], inverted) {
  const table = new Uint8ClampedArray(256), span = last - first || 1e-30;
  for (let i = 0; i < 256; i++) {
    const part = (low + ((high - low) * i) / 255 - first) / span;
    table[i] = Math.round(255 * clamp(inverted ? 1 - part : part, 0, 1));
  }
  return table;
}

// Below zero blue, above zero red, nothing white.
function diverging() {
  const table = new Uint8ClampedArray(768);
  for (let i = 0; i < 256; i++) {
    const part = (i - 127.5) / 127.5, size = Math.abs(part);
    const ends = part < 0 ? [33, 80, 190] : [190, 30, 50];
    for (let c = 0; c < 3; c++) table[3 * i + c] = 250 + (ends[c] - 250) * size;
  }
  return table;
}

// Where a pointer is, as (column, row) counted from the lower left.
function pointed(event, target) {
  const box = target.view.getBoundingClientRect();
  const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
  const column = clamp(Math.floor(across * target.columns), 0, target.columns - 1);
  return [column, clamp(Math.floor((1 - down) * target.rows), 0, target.rows - 1)];
}

// A round length, at most a third of the width, as a bar with its name.
function scaleBar(overlay, width, height, perPixel, unit) {
  const most = perPixel * width * 0.33, power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((m) => m * power).find((v) => v <= most);
  const name = unit === "Å" && length >= 10 ? `${told(length / 10)} nm` : `${told(length)} ${unit}`;
  const size = length / perPixel;
  overlay.append(svgElement("rect", { x: 8, y: height - 12, width: size, height: 4, fill: "#fff", stroke: "#000", "stroke-width": 0.8 }));
  overlay.append(svgElement("text", { x: 8, y: height - 17 }, name));
}
