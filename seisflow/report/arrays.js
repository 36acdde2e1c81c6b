// Arrays and numbers of a run's page. The scripts of the page are joined into one function: no library, no network.
const run = JSON.parse(document.getElementById("run").textContent);
const byId = (id) => document.getElementById(id);
const state = { survey: run.start.survey, method: run.start.method, quantity: run.quantities[0].id, member: 0,
                whole: false, cell: null };
const cache = new Map();

// ---- arrays ------------------------------------------------------------------------------------------------------

// An array of the page by its name: {shape, values}, or null where the run does not have it.
function block(name) {
  if (!cache.has(name)) cache.set(name, decode(document.querySelector(`script[data-block="${name}"]`)));
  return cache.get(name);
}

async function decode(element) {
  if (!element) return null;
  const text = atob(element.textContent), packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const { bits, low, high, shape } = element.dataset;
  const levels = bits === "8" ? new Uint8Array(bytes) : new Uint16Array(bytes);
  const scale = (Number(high) - Number(low)) / (2 ** Number(bits) - 1);
  const values = Float32Array.from(levels, (q) => Number(low) + scale * q);
  return { shape: shape.split(",").map(Number), values };
}

// One member of an array (member, x, z); an array (x, z) as it is.
function member(array, index) {
  if (!array || array.shape.length === 2) return array && array.values;
  const size = array.shape[1] * array.shape[2];
  const i = Math.min(index, array.shape[0] - 1);
  return array.values.subarray(i * size, (i + 1) * size);
}

const difference = (a, b) => (a && b ? a.map((value, i) => value - b[i]) : null);

// ---- words and numbers -------------------------------------------------------------------------------------------

const minus = (text) => text.replace("-", "−");
const spelled = (value, digits) => minus(value.toFixed(digits));

function ticks(low, high, most) {
  let step = 10 ** Math.floor(Math.log10((high - low) / most));
  for (const factor of [2, 2.5, 2, 2, 2.5, 2]) { if ((high - low) / step <= most) break; step *= factor; }
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

const tickText = (value) => minus(String(Number(value.toPrecision(4))));
