"use strict";
// Bytes that travel as letters, and small helpers.

async function unpack(id) {
  const letters = atob(document.getElementById(id).textContent.trim());
  const zipped = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function svgElement(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// A number as people write it: three figures, no needless zeros, a true minus sign.
function told(value, figures = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) text = value.toExponential(figures - 1);
  else text = String(Number(value.toPrecision(figures)));
  return text.replace(/^-/, "−").replace("e-", "e−").replace("e+", "e");
}

const degrees = (value) => `${told(value, 4)}°`;

function message(place, text) {
  place.replaceChildren(element("p", { class: "message" }, text));
}
