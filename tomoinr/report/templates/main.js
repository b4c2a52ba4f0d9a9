// Everything is put in its place; what a result lacks says so where it would be.

const THEMES = { auto: ["◐ auto", "as the system has it"], light: ["☀ light", "light"], dark: ["☾ dark", "dark"] };

function themes() {
  const button = byId("theme"), names = Object.keys(THEMES);
  let chosen = 0;
  button.addEventListener("click", () => {
    chosen = (chosen + 1) % names.length;
    const name = names[chosen];
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = THEMES[name][0];
    button.setAttribute("aria-label", `Colour scheme: ${THEMES[name][1]}`);
  });
}

// Channel after channel, each of so many bytes.
function parts(bytes, count) {
  const size = bytes.length / count;
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

async function volumes(content) {
  const { volume, spectrum, unit } = content, count = volume.channels.length;
  const voxels = await Promise.all(volume.methods.map(async (m) => parts(await unpack(m.blob), count)));
  const cuts = await Promise.all(Object.entries(volume.cuts).map(async ([plane, cut]) => [plane, parts(await unpack(cut.blob), count)]));
  window.report.slices = new Slices(volume, voxels, Object.fromEntries(cuts), unit);
  const powers = await Promise.all(spectrum.methods.map(async (m) => parts(await unpack(m.blob), count)));
  drawSpectra(spectrum, powers, volume.channels);
}

async function images(content) {
  if (!content.tilts) {
    byId("tilts-controls").hidden = true;
    byId("tilts-lead").hidden = true;
    return message(byId("tilt-images").parentElement.querySelector("#chi2-plot"), "No images: the tilt series could not be read, so there is nothing to compare with.");
  }
  const names = ["measured", "predicted", "residual"];
  const found = await Promise.all(names.map(unpack));
  const bytes = Object.fromEntries(names.map((name, i) => [name, found[i]]));
  window.report.tilts = new Tilts(content.tilts, bytes, content.volume.channels);
}

async function begin() {
  themes();
  const content = JSON.parse(byId("content").textContent);
  window.report = { content };
  drawFsc(content.fsc, content.unit);
  drawCourse(content.course);
  drawPoses(content.poses);
  if (typeof DecompressionStream === "undefined") {
    return message(byId("planes"), "This browser is too old to unpack the pictures: it needs DecompressionStream (2023 or newer).");
  }
  await volumes(content);
  await images(content);
  document.documentElement.dataset.ready = "yes";
}

// On paper everything is open.
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
begin();
