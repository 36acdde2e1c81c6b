// Sections on canvases, and logs as SVG.
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
    if (panel.outlined) outlines(pen, at, panel);
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

// Outlines of the plume: thin, middle and thick for its probability, dashed for the truth.
function outlines(pen, at, panel) {
  const stroke = (lines, style, width, dash) => {
    pen.strokeStyle = style; pen.lineWidth = width; pen.setLineDash(dash); pen.lineJoin = "round";
    for (const line of lines) {
      pen.beginPath();
      for (let i = 0; i < line.length; i += 2) pen.lineTo(at.x(line[i]), at.z(line[i + 1]));
      pen.stroke();
    }
  };
  panel.outlined.lines.forEach((lines, i) => stroke(lines, "#fff", OUTLINES[i] + 1.5, []));
  panel.outlined.lines.forEach((lines, i) => stroke(lines, "#1b2430", OUTLINES[i], []));
  if (panel.truth) stroke(panel.truth, "#fff", 4, []), stroke(panel.truth, "#d1491b", 2.2, [7, 5]);
}
const OUTLINES = [1, 1.8, 3.2];

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

// ---- logs --------------------------------------------------------------------------------------------------------

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
    const here = run.logs[state.survey], { log: kind, column: well } = svg.dataset;
    if (!here) { shape(svg, "text", { x: 130, y: 160, class: "tick middle" }, "no data yet"); continue; }
    const width = 260, height = 340, left = 54, right = 8, top = 8, bottom = 34, depths = run.logFields[kind].depths;
    const observed = here.observed[kind][well];
    const bands = ["forecast", "posterior"].map((what) => [what, (here[state.method] || {})[what]]).filter(([, q]) => q && q[kind]);
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
          run.logFields[kind].title);
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
