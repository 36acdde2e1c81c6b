// What the page shows, and its controls: mouse, finger, keyboard.
// ---- what is shown -----------------------------------------------------------------------------------------------

let panels = [];
const chosen = (list, id) => list.find((entry) => entry.id === id);
const isDone = () => run.methods.length > 0 && state.survey <= chosen(run.methods, state.method).done;

async function collect() {
  const { quantity: q, method: m, survey: k } = state, about = chosen(run.quantities, q), scales = run.scales[q];
  const names = [`${q}/truth/${k}`, `${q}/${m}/${k}/mean`, `${q}/${m}/${k}/deviation`, `${q}/${m}/${k}/members`,
                 `${q}/${m}/${k}/forecast`, `probability/${m}/${k}`];
  const [truth, mean, deviation, members, forecast, probability] = await Promise.all(names.map(block));
  const value = { scale: scales.value, map: "value", unit: about.unit, digits: about.digits,
                  absent: isDone() ? "not known" : "not computed yet" };
  const t = member(truth, 0), average = member(mean, 0), data = {};
  for (const [name, limit] of Object.entries(run.sections)) Object.assign(data, await section(name, limit));
  return {
    ...data,
    probability: { ...value, values: member(probability, 0), scale: [0, 1], map: "probability", unit: "", digits: 2,
                   outlined: run.outlines[`${m}/${k}`], truth: run.outlines[`truth/${k}`] },
    truth: { ...value, values: t },
    mean: { ...value, values: average },
    forecast: { ...value, values: member(forecast, 0) },
    member: { ...value, values: member(members, state.member), beyond: scales.beyond },
    deviation: { ...value, values: member(deviation, 0), scale: scales.deviation, map: "deviation" },
    error: { ...value, values: difference(average, t), scale: scales.error, map: "difference" },
  };
}

async function section(name, limit) {
  const { method: m, survey: k } = state, place_ = `data/${name}`;
  const names = [`${place_}/observed/${k}`, `${place_}/${m}/${k}/mean`, `${place_}/${m}/${k}/members`];
  const [observed, predicted, members] = await Promise.all(names.map(block));
  const y = member(observed, 0), h = member(predicted, 0);
  const amplitude = { scale: [-limit, limit], map: "difference", unit: "", digits: 2,
                      beyond: [true, true], absent: run.methods.length && y ? "this method uses no data" : "no data yet" };
  return {
    [`${name}/observed`]: { ...amplitude, values: y, absent: "no data yet" },
    [`${name}/predicted`]: { ...amplitude, values: h },
    [`${name}/residual`]: { ...amplitude, values: difference(y, h) },
    [`${name}/member`]: { ...amplitude, values: member(members, Math.floor(state.member / run.memberStep)) },
  };
}

function title(canvas) { return canvas.closest("figure").querySelector(".name").textContent; }

function description(panel) {
  const day = run.days[state.survey - 1], head = `${title(panel.canvas)}, survey ${state.survey}, day ${day}`;
  if (!panel.values) return `${head}: ${panel.absent}`;
  let best = 0;
  for (let i = 1; i < panel.values.length; i++) if (Math.abs(panel.values[i]) > Math.abs(panel.values[best])) best = i;
  const nz = run.grid.shape[1], [x, z] = place([Math.floor(best / nz), best % nz]);
  return `${head}. Largest value ${spelled(panel.values[best], panel.digits)} ${panel.unit}at x ${x.toFixed(0)} m, ` +
         `depth ${z.toFixed(0)} m. Arrow keys move the cross.`;
}

function readout() {
  const place_ = byId("readout");
  if (!state.cell) { place_.textContent = run.hint; return; }
  const [x, z] = place(state.cell), index = state.cell[0] * run.grid.shape[1] + state.cell[1];
  const parts = panels.filter((p) => p.values && p.canvas.closest("#plume")).map((p) =>
    `${title(p.canvas).toLowerCase()} ${spelled(p.values[index], p.digits)}${p.unit ? ` ${p.unit}` : ""}`);
  place_.textContent = `x ${x.toFixed(0)} m, depth ${z.toFixed(0)} m: ${parts.join(", ")}`;
}

// The misfit of every datum of the method and survey that are shown, marked where it is too large.
function misfits() {
  for (const place_ of document.querySelectorAll("[data-misfit]")) {
    const value = ((run.misfits[state.method] || {})[state.survey] || {})[place_.dataset.misfit];
    const large = value !== undefined && !(value !== null && value <= run.largestMisfit);
    place_.classList.toggle("alarm", large);
    place_.textContent = value === undefined ? "" : `${large ? "▲ " : ""}misfit ${value === null ? "no number" : spelled(value, 2)}`;
  }
}

let drawing = 0;
async function update() {
  const turn = ++drawing, found = await collect();
  if (turn !== drawing) return;
  panels = [...document.querySelectorAll("canvas[data-panel]")].map((canvas) => ({ canvas, ...found[canvas.dataset.panel] }));
  const number = run.members[state.member];
  for (const name of document.querySelectorAll(".member-number")) name.textContent = `${number + 1}`;
  byId("member").value = state.member;
  byId("member").setAttribute("aria-valuetext", `member ${number + 1}`);
  for (const input of document.querySelectorAll("#controls input[type=radio]")) {
    input.checked = String(state[input.name]) === input.value;
    if (input.name === "survey" && run.methods.length) input.disabled = Number(input.value) > chosen(run.methods, state.method).done;
  }
  panels.forEach(draw);
  readout();
  logs();
  const day = run.days[state.survey - 1], label = run.methods.length ? chosen(run.methods, state.method).label : "";
  for (const place_ of document.querySelectorAll(".now")) place_.textContent = `${label}, survey ${state.survey} (day ${day})`;
  const sentence = byId("outlines"), outlined = run.outlines[`${state.method}/${state.survey}`];
  if (sentence) sentence.textContent = outlined ? outlined.text : "";
  misfits();
  document.body.dataset.drawn = String(turn);
}

// ---- controls ----------------------------------------------------------------------------------------------------

const wrap = (value, n) => ((value % n) + n) % n;
function step(what, by) {
  if (what === "member") state.member = wrap(state.member + by, run.members.length);
  if (what === "survey") state.survey = wrap(state.survey - 1 + by, chosen(run.methods, state.method).done) + 1;
  if (what === "method" || what === "quantity") {
    const list = what === "method" ? run.methods : run.quantities;
    state[what] = list[wrap(list.findIndex((entry) => entry.id === state[what]) + by, list.length)].id;
  }
  if (!isDone()) state.survey = chosen(run.methods, state.method).done;
  return update();
}

let timer = null;
function play() {
  const button = byId("play");
  if (timer) { clearInterval(timer); timer = null; } else timer = setInterval(() => step("survey", 1), 900);
  button.setAttribute("aria-pressed", String(Boolean(timer)));
  button.textContent = timer ? "Stop" : "Play";
}

byId("controls").addEventListener("change", (event) => {
  const { name, value, id, checked } = event.target;
  if (name === "survey") state.survey = Number(value);
  if (name === "method" || name === "quantity") state[name] = value;
  if (id === "whole") state.whole = checked;
  if (run.methods.length && !isDone()) state.survey = chosen(run.methods, state.method).done;
  update();
});
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("member").addEventListener("input", (event) => { state.member = Number(event.target.value); update(); });
for (const button of document.querySelectorAll("button[data-step]"))
  button.addEventListener("click", () => step("member", Number(button.dataset.step)));
byId("play").addEventListener("click", play);

const KEYS = { n: ["survey", 1], p: ["survey", -1], j: ["member", 1], k: ["member", -1], m: ["method", 1], q: ["quantity", 1] };
for (const section of document.querySelectorAll(".viewer")) section.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !run.methods.length) return;
  if (KEYS[event.key]) { step(...KEYS[event.key]); event.preventDefault(); return; }
  if (event.target.tagName !== "CANVAS") return;
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === "Escape") state.cell = null;
  else if (move) {
    const middle = (run.window[0] + run.window[1]) / 2, [, hz] = run.grid.spacing;
    const [x, z] = state.cell || [run.grid.shape[0] >> 1, Math.floor((middle - run.grid.extent[1][0]) / hz)];
    state.cell = [wrap(x + move[0], run.grid.shape[0]), wrap(z + move[1], run.grid.shape[1])];
  } else return;
  event.preventDefault();
  panels.forEach(draw); readout();
});

for (const canvas of document.querySelectorAll("canvas[data-panel]")) {
  const point = (event) => {
    const box = canvas.getBoundingClientRect(), at = frame(canvas), [hx, hz] = run.grid.spacing, [[left], [top]] = run.grid.extent;
    const x = at.left + (event.clientX - box.left - MARGIN.left) / at.across * (at.right - at.left);
    const z = at.top + (event.clientY - box.top - MARGIN.top) / at.down * (at.bottom - at.top);
    const cell = [Math.floor((x - left) / hx), Math.floor((z - top) / hz)];
    const inside = z >= at.top && z < at.bottom && cell[0] >= 0 && cell[0] < run.grid.shape[0];
    state.cell = inside ? cell : null;
    panels.forEach(draw); readout();
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") { state.cell = null; panels.forEach(draw); readout(); } });
}

let width = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  panels.forEach(draw);
}).observe(document.body);
update();
