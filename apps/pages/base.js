// What the report page and the dashboard share: numbers in words, elements, tooltips, and where a graph's workers are drawn.
// Data reaches a page as text only, never as markup.
"use strict";

const base = (() => {

const by_id = id => document.getElementById(id);
const svg_namespace = by_id("svg-origin").namespaceURI;
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// --- Numbers in words -----------------------------------------------------------------------------------------------

const is_number = x => typeof x === "number" && Number.isFinite(x);
const none = "–";
const or_none = f => x => is_number(x) ? f(x) : none;
const superscript = n => String(n).replace(/[-0-9]/g, c => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]);

const figures = or_none(x => {
  const size = Math.abs(x);
  if (size === 0)
    return "0";
  if (size >= 1000)
    return Math.round(x).toLocaleString("en-GB");
  if (size < 1e-3) {
    const exponent = Math.floor(Math.log10(size));
    return `${Number((x / 10 ** exponent).toPrecision(2))}×10${superscript(exponent)}`;
  }
  return Number.isInteger(x) ? String(x) : x.toPrecision(3);
});
const count = or_none(x => Math.round(x).toLocaleString("en-GB"));
const percent = or_none(x => `${(100 * x).toFixed(x > 0 && x < 0.0495 || x > 0.99 && x < 1 ? 1 : 0).replace(/\.0$/, "")} %`);
const accuracy_text = or_none(x => `${(100 * x).toFixed(1)} %`);
const times = or_none(x => `${x.toFixed(x < 9.95 ? 2 : 1)} ×`);
const bytes = or_none(x => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; x >= 1000 && unit < units.length - 1; ++unit)
    x /= 1000;
  return `${Number(x.toPrecision(3))} ${units[unit]}`;
});

/// [number, unit]
function duration_parts(s) {
  if (s > 0 && s < 1e-3)
    return [String(Number((1e6 * s).toPrecision(3))), "µs"];
  if (s > 0 && s < 1)
    return [(1e3 * s).toPrecision(3), "ms"];
  if (s < 600)
    return [Number.isInteger(s) ? String(s) : s < 99.95 ? s.toPrecision(3) : s.toFixed(0), "s"];
  if (s < 36000)
    return [(s / 60).toFixed(1), "min"];
  return [(s / 3600).toFixed(1), "h"];
}
const seconds = or_none(x => duration_parts(x).join(" "));

const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

function median(values) {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// --- Building elements ----------------------------------------------------------------------------------------------

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false)
      node.setAttribute(name, value);
  node.append(...children.filter(child => child !== undefined && child !== null));
  return node;
}
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(svg_namespace, tag), attributes, children);

// --- Charts and graphs --------------------------------------------------------------------------------------------------

/// Of every visible line the point nearest in time to the pointer; lines have points at different times.
Chart.Interaction.modes.each_line = (chart, event) => {
  const at = chart.scales.x.getValueForPixel(event.x);
  return chart.getSortedVisibleDatasetMetas().filter(meta => meta.data.length).map(meta => {
    const points = chart.data.datasets[meta.index].data;
    let index = 0;
    points.forEach((point, i) => {
      if (!Number.isNaN(point.y) && Math.abs(point.x - at) < Math.abs(points[index].x - at)) // NaN: a gap
        index = i;
    });
    return {element: meta.data[index], datasetIndex: meta.index, index};
  });
};

/// The text at a tick of the value axis; on a logarithmic one only whole powers of ten have any.
function tick_text(curve, value) {
  if (!curve.log)
    return curve.share ? `${Number((100 * value).toPrecision(3))} %` : String(Number(value.toPrecision(3)));
  const exponent = Math.log10(value);
  return Math.abs(exponent - Math.round(exponent)) < 1e-9 ? `10${superscript(Math.round(exponent))}` : "";
}
/// .. which therefore spans whole decades, so that at least two ticks carry a number.
function span_decades(scale) {
  scale.min = 10 ** Math.floor(Math.log10(scale.min) + 1e-9);
  scale.max = 10 ** Math.ceil(Math.log10(scale.max) - 1e-9);
}

/// Where the workers of a graph are drawn: `place` maps their numbers to points of a width x height plane. `topology` is the
/// option's text, `workers` numbers, `edges` pairs of numbers.
function layout_of(topology, known, edges) {
  const ids = new Set(known);
  edges.forEach(([a, b]) => ids.add(a).add(b));
  const workers = [...ids].sort((x, y) => x - y);
  const n = workers.length;
  const place = new Map();
  const text = String(topology ?? "");
  const torus = /^torus:(\d+)x(\d+)/.exec(text);
  const radius = Math.max(3.5, Math.min(17, 470 / n));
  if (torus && Number(torus[1]) * Number(torus[2]) === n) {
    const rows = Number(torus[1]), columns = Number(torus[2]);
    const cell = Math.min(400 / columns, 110);
    const step_y = Math.min(cell, 440 / rows);
    workers.forEach((id, i) => place.set(id, {x: (i % columns + 0.5) * cell, y: (Math.floor(i / columns) + 0.5) * step_y, row: Math.floor(i / columns), column: i % columns}));
    return {place, width: cell * columns, height: step_y * rows, radius: Math.min(17, 0.26 * Math.min(cell, step_y)), cell, stub: 0.5 * Math.min(cell, step_y) + 6};
  }
  const degree = new Map();
  edges.forEach(edge => edge.forEach(id => degree.set(id, (degree.get(id) ?? 0) + 1)));
  const hub = text === "star" && n > 2 ? workers.reduce((x, y) => (degree.get(y) ?? 0) > (degree.get(x) ?? 0) ? y : x) : undefined;
  const around = workers.filter(id => id !== hub);
  const slots = around.length + (text === "path" ? 1 : 0); // a path leaves a gap where a ring would close
  const turn = text === "path" ? Math.PI / slots : 0;
  around.forEach((id, i) => {
    const angle = 2 * Math.PI * i / Math.max(1, slots) - Math.PI / 2 + turn;
    place.set(id, n === 1 ? {x: 200, y: 200} : {x: 200 + 165 * Math.cos(angle), y: 200 + 165 * Math.sin(angle), angle});
  });
  if (hub !== undefined)
    place.set(hub, {x: 200, y: 200});
  return {place, width: 400, height: 400, radius};
}

/// A worker's number where it is drawn, if there is room for one.
function number_in(layout, id) {
  if (layout.radius < 6.5)
    return undefined;
  const {x, y} = layout.place.get(id);
  const label = svg("text", {x: x.toFixed(1), y: (y + 0.5).toFixed(1)}, String(id));
  label.style.fontSize = `${Math.max(8.5, Math.min(13, 0.95 * layout.radius))}px`;
  return label;
}

function edge_path(layout, a, b) {
  const p = layout.place.get(a), q = layout.place.get(b);
  const f = x => x.toFixed(1);
  if (layout.cell !== undefined) { // edges around the torus leave the grid and return on the other side
    const x = layout.stub * Math.sign(p.column - q.column), y = layout.stub * Math.sign(p.row - q.row);
    if (Math.abs(p.column - q.column) > 1)
      return `M${f(p.x)} ${f(p.y)}h${f(x)}M${f(q.x)} ${f(q.y)}h${f(-x)}`;
    if (Math.abs(p.row - q.row) > 1)
      return `M${f(p.x)} ${f(p.y)}v${f(y)}M${f(q.x)} ${f(q.y)}v${f(-y)}`;
  }
  return `M${f(p.x)} ${f(p.y)}L${f(q.x)} ${f(q.y)}`;
}

// --- Tooltip --------------------------------------------------------------------------------------------------------

function tip_for(node, lines) {
  const tip = by_id("tip");
  const show = event => {
    tip.textContent = lines().join("\n");
    tip.hidden = false;
    const size = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - size.width - 8);
    const y = event.clientY + 16 + size.height > innerHeight ? event.clientY - size.height - 12 : event.clientY + 16;
    tip.style.transform = `translate(${Math.max(8, x)}px, ${Math.max(8, y)}px)`;
  };
  node.addEventListener("pointermove", show);
  node.addEventListener("pointerdown", show);
  node.addEventListener("pointerleave", () => tip.hidden = true);
}
addEventListener("scroll", () => by_id("tip").hidden = true, {passive: true});

return {by_id, css, is_number, none, or_none, figures, count, percent, accuracy_text, times, bytes, duration_parts, seconds, capital,
  median, el, svg, tick_text, span_decades, layout_of, number_in, edge_path, tip_for};

})();
