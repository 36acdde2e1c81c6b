"use strict";
// The viewer of a run's page: sections drawn on canvases from the arrays that the page carries. No library, no network.
(() => {
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

  // ---- drawing -----------------------------------------------------------------------------------------------------

  const maps = {};
  for (const [name, text] of Object.entries(run.maps)) maps[name] = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  function colours(values, low, high, map) {
    const [nx, nz] = run.grid.shape, image = new ImageData(nx, nz), table = maps[map];
    for (let x = 0; x < nx; x++) for (let z = 0; z < nz; z++) {
      const share = (values[x * nz + z] - low) / (high - low);
      const entry = 3 * Math.max(0, Math.min(255, Math.round(255 * share))), at = 4 * (z * nx + x);
      image.data[at] = table[entry]; image.data[at + 1] = table[entry + 1]; image.data[at + 2] = table[entry + 2];
      image.data[at + 3] = 255;
    }
    return image;
  }

  const MARGIN = { left: 58, right: 12, top: 6, bottom: 76 };

  function frame(canvas) {
    const [[left, right], [top, bottom]] = run.grid.extent;
    const [high, low] = state.whole ? [top, bottom] : run.window;
    const width = canvas.clientWidth, across = width - MARGIN.left - MARGIN.right;
    const down = Math.round(across * ((low - high) / (right - left)) * run.exaggeration);
    return { left, right, top: high, bottom: low, width, across, down, height: down + MARGIN.top + MARGIN.bottom,
             x: (metres) => MARGIN.left + (metres - left) / (right - left) * across,
             z: (metres) => MARGIN.top + (metres - high) / (low - high) * down };
  }

  function draw(panel) {
    const { canvas, values, scale, map, unit, beyond } = panel, at = frame(canvas);
    const ratio = window.devicePixelRatio || 1, pen = canvas.getContext("2d");
    canvas.style.height = `${at.height}px`;
    canvas.width = Math.round(at.width * ratio); canvas.height = Math.round(at.height * ratio);
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif"; pen.fillStyle = "#fff"; pen.fillRect(0, 0, at.width, at.height);
    const ink = "#3b4654";
    pen.save(); pen.beginPath(); pen.rect(MARGIN.left, MARGIN.top, at.across, at.down); pen.clip();
    if (values) {
      const picture = document.createElement("canvas");
      [picture.width, picture.height] = run.grid.shape;
      picture.getContext("2d").putImageData(colours(values, scale[0], scale[1], map), 0, 0);
      pen.imageSmoothingEnabled = false;
      const [[left, right], [top, bottom]] = run.grid.extent;
      pen.drawImage(picture, at.x(left), at.z(top), at.x(right) - at.x(left), at.z(bottom) - at.z(top));
      wells(pen, at);
      if (state.cell) cross(pen, at);
    } else {
      pen.fillStyle = "#eef1f5"; pen.fillRect(MARGIN.left, MARGIN.top, at.across, at.down);
      pen.fillStyle = ink; pen.textAlign = "center";
      pen.fillText(panel.absent, MARGIN.left + at.across / 2, MARGIN.top + at.down / 2);
    }
    pen.restore();
    pen.strokeStyle = "#9aa5b1"; pen.lineWidth = 1; pen.strokeRect(MARGIN.left, MARGIN.top, at.across, at.down);
    pen.fillStyle = ink; pen.textAlign = "center"; pen.textBaseline = "top";
    for (const tick of ticks(at.left, at.right, at.across < 330 ? 4 : 6)) {
      pen.fillRect(at.x(tick), MARGIN.top + at.down, 1, 4);
      pen.fillText(tickText(tick), at.x(tick), MARGIN.top + at.down + 6);
    }
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const tick of ticks(at.top, at.bottom, 4)) {
      pen.fillRect(MARGIN.left - 4, at.z(tick), 4, 1);
      pen.fillText(tickText(tick), MARGIN.left - 7, at.z(tick));
    }
    pen.textAlign = "center"; pen.textBaseline = "top";
    pen.fillText("x [m]", MARGIN.left + at.across / 2, MARGIN.top + at.down + 19);
    pen.save(); pen.translate(4, MARGIN.top + at.down / 2); pen.rotate(-Math.PI / 2); pen.fillText("depth [m]", 0, 0); pen.restore();
    bar(pen, at, scale, map, unit, beyond || [false, false]);
    canvas.setAttribute("aria-label", description(panel));
  }

  function wells(pen, at) {
    pen.strokeStyle = "rgba(20, 30, 40, 0.75)"; pen.lineWidth = 1; pen.setLineDash([4, 4]);
    for (const x of run.wells) { pen.beginPath(); pen.moveTo(at.x(x), 0); pen.lineTo(at.x(x), at.height); pen.stroke(); }
    const [x, top, bottom] = run.injector;
    for (const [style, width] of [["#fff", 5], ["#0b6e4f", 3]]) {
      pen.strokeStyle = style; pen.lineWidth = width; pen.setLineDash([]);
      pen.beginPath(); pen.moveTo(at.x(x), at.z(top)); pen.lineTo(at.x(x), at.z(bottom)); pen.stroke();
    }
  }

  function place(cell) {
    const [hx, hz] = run.grid.spacing, [[left], [top]] = run.grid.extent;
    return [left + (cell[0] + 0.5) * hx, top + (cell[1] + 0.5) * hz];
  }

  // The cell that is read: a box around it, and faint lines to the axes.
  function cross(pen, at) {
    const [x, z] = place(state.cell), [hx, hz] = run.grid.spacing;
    const box = [at.x(x - hx / 2), at.z(z - hz / 2), at.x(x + hx / 2), at.z(z + hz / 2)];
    pen.setLineDash([]); pen.strokeStyle = "rgba(17, 17, 17, 0.45)"; pen.lineWidth = 1;
    pen.beginPath();
    for (const [x1, z1, x2, z2] of [[at.x(x), MARGIN.top, at.x(x), box[1] - 3], [at.x(x), box[3] + 3, at.x(x), MARGIN.top + at.down],
                                    [MARGIN.left, at.z(z), box[0] - 3, at.z(z)], [box[2] + 3, at.z(z), MARGIN.left + at.across, at.z(z)]]) {
      pen.moveTo(x1, z1); pen.lineTo(x2, z2);
    }
    pen.stroke();
    for (const [style, grow] of [["#fff", 2], ["#111", 1]]) {
      pen.strokeStyle = style;
      pen.strokeRect(box[0] - grow, box[1] - grow, box[2] - box[0] + 2 * grow, box[3] - box[1] + 2 * grow);
    }
  }

  // The colour bar: below the section, as wide as it.
  function bar(pen, at, scale, map, unit, beyond) {
    const y = MARGIN.top + at.down + 42, table = maps[map];
    for (let i = 0; i < at.across; i++) {
      const entry = 3 * Math.round(255 * i / (at.across - 1));
      pen.fillStyle = `rgb(${table[entry]},${table[entry + 1]},${table[entry + 2]})`;
      pen.fillRect(MARGIN.left + i, y, 1.5, 9);
    }
    pen.strokeStyle = "#9aa5b1"; pen.lineWidth = 1; pen.strokeRect(MARGIN.left, y, at.across, 9);
    pen.fillStyle = "#3b4654"; pen.textBaseline = "top"; pen.textAlign = "center";
    for (const tick of ticks(scale[0], scale[1], 5)) {
      const x = MARGIN.left + (tick - scale[0]) / (scale[1] - scale[0]) * at.across;
      pen.fillRect(x, y + 9, 1, 3);
      pen.fillText(tickText(tick), x, y + 13);
    }
    pen.textAlign = "right"; pen.textBaseline = "middle"; pen.fillText(unit || "[–]", MARGIN.left - 7, y + 5);
    for (const [shown, side, direction] of [[beyond[0], MARGIN.left, -1], [beyond[1], MARGIN.left + at.across, 1]]) {
      if (!shown) continue;
      pen.beginPath(); pen.moveTo(side + direction, y); pen.lineTo(side + 8 * direction, y + 4.5);
      pen.lineTo(side + direction, y + 9); pen.fill();
    }
  }

  // ---- what is shown -----------------------------------------------------------------------------------------------

  let panels = [];
  const chosen = (list, id) => list.find((entry) => entry.id === id);
  const isDone = () => run.methods.length > 0 && state.survey <= chosen(run.methods, state.method).done;

  async function collect() {
    const { quantity: q, method: m, survey: k } = state, about = chosen(run.quantities, q), scales = run.scales[q];
    const names = [`${q}/truth/${k}`, `${q}/${m}/${k}/mean`, `${q}/${m}/${k}/deviation`, `${q}/${m}/${k}/members`,
                   `${q}/${m}/${k}/forecast`, `image/observed/${k}`, `image/${m}/${k}/mean`, `image/${m}/${k}/members`];
    const [truth, mean, deviation, members, forecast, observed, predicted, images] = await Promise.all(names.map(block));
    const value = { scale: scales.value, map: "value", unit: about.unit, digits: about.digits,
                    absent: isDone() ? "not known" : "not computed yet" };
    const t = member(truth, 0), average = member(mean, 0), y = member(observed, 0), h = member(predicted, 0);
    const amplitude = { scale: [-run.amplitude, run.amplitude], map: "difference", unit: "", digits: 2,
                        beyond: [true, true], absent: run.methods.length && y ? "this method uses no data" : "no data yet" };
    return {
      truth: { ...value, values: t },
      mean: { ...value, values: average },
      forecast: { ...value, values: member(forecast, 0) },
      member: { ...value, values: member(members, state.member), beyond: scales.beyond },
      deviation: { ...value, values: member(deviation, 0), scale: scales.deviation, map: "deviation" },
      error: { ...value, values: difference(average, t), scale: scales.error, map: "difference" },
      observed: { ...amplitude, values: y, absent: "no data yet" },
      predicted: { ...amplitude, values: h },
      residual: { ...amplitude, values: difference(y, h) },
      image: { ...amplitude, values: member(images, Math.floor(state.member / run.imageStep)) },
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
    document.body.dataset.drawn = String(turn);
  }

  // ---- well logs ---------------------------------------------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";
  function shape(parent, name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function logs() {
    for (const svg of document.querySelectorAll("svg[data-log]")) {
      svg.replaceChildren();
      const here = run.logs[state.survey], [kind, well] = svg.dataset.log.split("/");
      if (!here) { shape(svg, "text", { x: 130, y: 160, class: "tick middle" }, "no data yet"); continue; }
      const width = 260, height = 340, left = 54, right = 8, top = 8, bottom = 34, depths = run.depths;
      const observed = here.observed[kind][well];
      const bands = ["forecast", "posterior"].map((what) => [what, (here[state.method] || {})[what]]).filter(([, q]) => q);
      let low = Math.min(0, ...observed), high = Math.max(...observed);
      for (const [, q] of bands) { low = Math.min(low, ...q[kind][0][well]); high = Math.max(high, ...q[kind][2][well]); }
      high += 0.05 * (high - low) || 1;
      const x = (v) => left + (v - low) / (high - low) * (width - left - right);
      const [first, last] = state.whole ? [depths[0], depths[depths.length - 1]] : run.window;
      const z = (d) => top + (d - first) / (last - first) * (height - top - bottom);
      const inside = depths.map((d, i) => i).filter((i) => depths[i] >= first && depths[i] <= last);
      for (const d of ticks(first, last, 6)) {
        shape(svg, "line", { x1: left, x2: width - right, y1: z(d), y2: z(d), class: "grid" });
        shape(svg, "text", { x: left - 6, y: z(d) + 4, class: "tick end" }, tickText(d));
      }
      for (const v of ticks(low, high, 4)) shape(svg, "text", { x: x(v), y: height - 20, class: "tick middle" }, tickText(v));
      shape(svg, "text", { x: (left + width) / 2, y: height - 5, class: "tick middle" },
            kind === "saturation" ? "CO₂ saturation [–]" : "pressure change [bar]");
      for (const [what, q] of bands) {
        const edge = (level, back) => inside.map((i) => `${x(q[kind][level][well][i]).toFixed(1)},${z(depths[i]).toFixed(1)}`)
          [back ? "reverse" : "slice"]().join(" ");
        shape(svg, "polygon", { points: `${edge(0)} ${edge(2, true)}`, class: `band ${what}` });
        shape(svg, "polyline", { points: edge(1), class: `median ${what}` });
      }
      for (const i of inside)
        shape(svg, "circle", { cx: x(observed[i]).toFixed(1), cy: z(depths[i]).toFixed(1), r: 1.9, class: "datum" });
      shape(svg, "text", { x: 10, y: (top + height - bottom) / 2, class: "tick middle",
                           transform: `rotate(-90 10 ${(top + height - bottom) / 2})` }, "depth [m]");
    }
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
})();
