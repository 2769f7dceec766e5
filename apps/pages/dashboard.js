// The dashboard of a live run. Reads views from /api/events (their form: page_json in apps/web/view_json.hpp) and draws each once.
// Everything that is drawn is made once and then updated; data reaches the page as text only, never as markup.
"use strict";

(() => {

const {by_id, css, is_number, none, or_none, superscript, figures, count, percent, accuracy_text, bytes, seconds, el, svg, layout_of, edge_path, tip_for} = base;

const rows_step = 50;      // of the table of workers
const bars_max = 40;       // workers that get a bar and a number each; more become cells
const graph_svg_max = 150; // workers drawn as elements; more are painted
const silent_s_max = 4;    // without a word from the server
const wait_s_min = 0.25;   // shorter waits are not drawn into the graph: they would only flicker
const root = document.documentElement;

addEventListener("error", event => {
  by_id("failure").textContent = `This page does not work as it should: ${event.message}`;
  by_id("failure").hidden = false;
});

// --- Small tools ----------------------------------------------------------------------------------------------------

function say(node, text) {
  if (node.textContent !== text)
    node.textContent = text;
}
function classes(node, text) {
  if (node.getAttribute("class") !== text)
    node.setAttribute("class", text);
}
/// As many children as there are items: made by `make`, brought up to date by `update(child, item, index)`.
function sync(parent, items, make, update) {
  while (parent.children.length > items.length)
    parent.lastElementChild.remove();
  while (parent.children.length < items.length)
    parent.append(make());
  items.forEach((item, i) => update(parent.children[i], item, i));
}
const width_of = (node, share) => node.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const decimals = n => or_none(x => x.toFixed(n));
const clock_text = or_none(s => s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")} min`);
const join_and = words => words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

let view;
const workers = () => view.workers;
const phase_of = i => view.phases[workers().phase[i]];
const standing_of = i => view.standings[workers().standing[i]];
const node_of = i => view.nodes[workers().node[i]]?.address ?? "";
const is_straggler = i => workers().straggler[i] === 1;
const is_waiting = i => standing_of(i) === "working" && (phase_of(i) === "gathering" || phase_of(i) === "settling");
const stragglers = () => Array.from(workers().straggler.keys()).filter(is_straggler);
const doing = i => standing_of(i) === "working" ? phase_of(i) : standing_of(i);

function worker_tip(i) {
  const w = workers();
  return [`worker ${i}${is_straggler(i) ? " (straggler)" : ""}`, `${doing(i)} for ${seconds(w.in_phase_s[i])}, round ${count(w.round[i])}`,
    `step ${seconds(w.step_s[i])}, round ${seconds(w.round_s[i])}`, `waiting ${percent(w.wait_share[i])}`,
    `backup workers ${decimals(2)(w.backup_workers[i])} of ${count(w.neighbours[i])}`, ...(is_number(w.loss[i]) ? [`loss ${figures(w.loss[i])}`] : []), node_of(i)];
}

// --- Header ---------------------------------------------------------------------------------------------------------

const states = {attaching: "attaching", idle: "no run", running: "running", over: "over", lost: "out of reach"};

function headline(run) {
  switch (run.state) {
  case "attaching": return "Attaching to the run";
  case "idle": return "No run is going on here";
  default: return `${run.policy} on ${run.topology}, ${plural(workers().count, "worker")}`;
  }
}

const facts = [
  ["Dataset", run => run.dataset],
  ["Model", run => run.model, run => run.parameters > 0 ? `${count(run.parameters)} parameters` : ""],
  ["Edges", () => view.edges.count > 0 ? count(view.edges.count) : ""],
  ["Straggler", () => stragglers().length ? stragglers().slice(0, 4).map(i => `worker ${i}`).join(", ") : "none", () => stragglers().length > 4 ? `and ${stragglers().length - 4} more` : ""],
  ["Seed", run => String(run.seed)],
  ["Run", run => run.name],
];

function draw_header(run) {
  const bad = run.state === "lost" || run.failure !== "" || run.parts > 1;
  say(by_id("state"), states[run.state] ?? run.state);
  classes(by_id("state"), `state ${run.state}${bad ? " bad" : ""}`);
  say(by_id("headline"), headline(run));
  const trouble = [run.failure, run.trouble].filter(Boolean).join(" ");
  say(by_id("trouble"), trouble);
  classes(by_id("trouble"), "lead trouble");
  by_id("trouble").hidden = trouble === "";
  by_id("progress").hidden = run.state === "idle" || run.state === "attaching";
  const done = run.state === "over" ? 1 : run.fraction;
  width_of(by_id("progress-bar"), done ?? 0);
  if (is_number(done))
    by_id("progress-track").setAttribute("aria-valuenow", String(Math.round(100 * done)));
  else
    by_id("progress-track").removeAttribute("aria-valuenow");
  say(by_id("progress-done"), `${clock_text(run.elapsed_s)} run${is_number(done) ? `, ${percent(done)} done` : ""}`);
  say(by_id("progress-left"), run.state === "over" ? "" : is_number(run.remaining_s) ? `about ${clock_text(run.remaining_s)} left` : "until the target is reached");
  const shown = facts.map(([name, value, more]) => [name, value(run), more?.(run) ?? ""]).filter(fact => fact[1]);
  sync(by_id("facts"), shown, () => el("div", {}, el("dt"), el("dd", {}, el("span"), el("small"))), (node, [name, value, more]) => {
    say(node.firstChild, name);
    say(node.lastChild.firstChild, value);
    say(node.lastChild.lastChild, more ? ` ${more}` : "");
  });
  const accuracy = run.newest_evaluation?.test_accuracy;
  document.title = [is_number(accuracy) ? accuracy_text(accuracy) : "", `${states[run.state] ?? run.state}: dybw`].filter(Boolean).join(" · ");
}

// --- Tiles ----------------------------------------------------------------------------------------------------------

/// title, big(run), unit(run), and if there is something to measure by: meter(run) in [0,1], hue, bad(run)
const tiles = [
  {title: "Test accuracy", big: run => accuracy_text(run.newest_evaluation?.test_accuracy), hue: 0, meter: run => run.newest_evaluation?.test_accuracy,
    unit: run => [is_number(run.target_accuracy) ? `target ${Number((100 * run.target_accuracy).toFixed(2))} %` : "", run.newest_evaluation ? `worst worker ${accuracy_text(run.newest_evaluation.worst_worker_accuracy)}` : "not measured yet"]},
  {title: "Useful gradients", big: run => figures(run.steps_per_s), small: "per s", hue: 2, meter: run => run.steps_per_s / run.no_wait_per_s,
    unit: run => [run.no_wait_per_s > 0 ? `${percent(run.steps_per_s / run.no_wait_per_s)} of the no-wait bound, ${figures(run.no_wait_per_s)}` : ""]},
  {title: "Waiting", big: run => percent(run.wait_share), hue: 1, meter: run => run.wait_share, unit: () => ["of the time in rounds"]},
  {title: "Backup workers", big: run => decimals(2)(run.backup_workers), unit: () => ["per worker and round"]},
  {title: "Training loss", big: run => figures(run.loss), unit: run => [run.newest_evaluation ? `test loss ${figures(run.newest_evaluation.test_loss)}` : ""]},
  {title: "Consensus distance", big: run => figures(run.consensus_distance), unit: () => ["mean squared, from sketches"]},
  {title: "Newest round", big: run => count(run.newest_round), unit: run => [plural(run.local_steps, "step"), run.timeouts > 0 ? plural(run.timeouts, "timeout") : "no timeouts"]},
  {title: "Network", big: run => run.parts > 1 ? plural(run.parts, "part") : "whole", bad: run => run.parts > 1 || absent() > 0 || view.nodes.some(n => !n.reachable),
    unit: () => [absent() > 0 ? `${plural(absent(), "worker")} lost or silent` : `${plural(workers().count, "worker")}`, `${count(view.nodes.filter(n => n.reachable).length)} of ${plural(view.nodes.length, "node")} in touch`]},
];
const absent = () => workers().standing.filter(s => view.standings[s] === "lost" || view.standings[s] === "silent").length;

function make_tiles() {
  for (const tile of tiles) {
    tile.number = el("span");
    tile.words = el("div", {class: "unit"});
    tile.node = el("article", {class: "tile"}, el("h3", {}, tile.title), el("div", {class: "big"}, tile.number, tile.small ? el("small", {}, tile.small) : undefined), tile.words);
    if (tile.meter) {
      tile.bar = el("i");
      tile.node.append(el("div", {class: "meter", "aria-hidden": "true"}, tile.bar));
      tile.bar.parentNode.style.setProperty("--hue", `var(--policy-${tile.hue})`);
    }
    by_id("tiles").append(tile.node);
  }
}

function draw_tiles(run) {
  for (const tile of tiles) {
    say(tile.number, tile.big(run));
    say(tile.words, tile.unit(run).filter(Boolean).join(" · "));
    classes(tile.node, tile.bad?.(run) ? "tile bad" : "tile");
    if (tile.bar)
      width_of(tile.bar, tile.meter(run) || 0);
  }
}

// --- Charts over time -----------------------------------------------------------------------------------------------

/// A second line, dashed, is a constant to compare with.
const curves = [
  {title: "Training loss", field: "loss", hue: 0, text: figures, now: run => run.loss},
  {title: "Test accuracy", field: "accuracy", hue: 0, text: accuracy_text, share: true, now: run => run.newest_evaluation?.test_accuracy, line: run => run.target_accuracy, line_name: "target"},
  {title: "Consensus distance", field: "consensus_distance", hue: 3, text: figures, log: true, now: run => run.consensus_distance},
  {title: "Useful gradients", field: "steps_per_s", hue: 2, text: or_none(x => `${figures(x)} / s`), zero: true, now: run => run.steps_per_s, line: run => run.no_wait_per_s, line_name: "no-wait bound"},
  {title: "Backup workers", field: "backup_workers", hue: 4, text: decimals(2), zero: true, now: run => run.backup_workers},
  {title: "Waiting, share of time", field: "wait_share", hue: 1, text: percent, share: true, zero: true, now: run => run.wait_share},
];

function tick_text(curve, value) {
  if (!curve.log)
    return curve.share ? `${Number((100 * value).toPrecision(3))} %` : String(Number(value.toPrecision(3)));
  const exponent = Math.log10(value);
  return Math.abs(exponent - Math.round(exponent)) < 1e-9 ? `10${superscript(Math.round(exponent))}` : "";
}

function scales_of(curve) {
  const ink = css("--ink-soft"), grid = css("--line-soft");
  return {
    x: {type: "linear", grid: {display: false, borderColor: css("--line")}, ticks: {color: ink, maxTicksLimit: 6, maxRotation: 0, includeBounds: false, callback: s => `${s} s`}},
    y: {type: curve.log ? "logarithmic" : "linear", beginAtZero: curve.zero, grid: {color: grid, borderColor: "transparent", drawTicks: false},
      ticks: {color: ink, padding: 6, maxTicksLimit: curve.log ? undefined : 5, callback: value => tick_text(curve, value)},
      afterDataLimits: scale => {
        if (curve.log) { // whole decades, so that at least two ticks carry a number
          scale.min = 10 ** Math.floor(Math.log10(scale.min) + 1e-9);
          scale.max = 10 ** Math.ceil(Math.log10(scale.max) - 1e-9);
        } else if (curve.share) {
          scale.max = Math.min(1, scale.max + 0.05 * (scale.max - scale.min));
        }
      }},
  };
}

function make_chart(curve) {
  const hue = css(`--policy-${curve.hue}`);
  const line = {pointRadius: 0, pointHitRadius: 0, pointHoverRadius: 4, borderWidth: 2, borderColor: hue, tension: 0, spanGaps: true};
  return new Chart(curve.canvas, {
    type: "line",
    data: {datasets: [{...line, label: curve.title, backgroundColor: `${hue}1f`, fill: !curve.log, data: []},
      {...line, label: curve.line_name, borderColor: css("--ink"), borderWidth: 1.4, borderDash: [5, 4], pointHoverRadius: 0, fill: false, data: []}]},
    options: {
      animation: false, parsing: false, normalized: true, maintainAspectRatio: false, events: ["mousemove", "mouseout", "touchstart", "touchmove"],
      interaction: {mode: "each_line", intersect: false},
      layout: {padding: {right: 8, top: 4}},
      scales: scales_of(curve),
      plugins: {
        legend: {display: false},
        tooltip: {backgroundColor: css("--ink"), titleColor: css("--ground"), bodyColor: css("--ground"), displayColors: false, padding: 8, filter: item => item.datasetIndex === 0,
          callbacks: {title: items => items.length ? `after ${seconds(items[0].parsed.x)}` : "", label: item => `${curve.title.toLowerCase()} ${curve.text(item.parsed.y)}`}},
      },
    },
  });
}

function make_charts() {
  Chart.defaults.font.family = css("--sans");
  Chart.defaults.font.size = 11.5;
  for (const curve of curves) {
    curve.canvas = el("canvas", {role: "img"});
    curve.number = el("span", {class: "now"});
    const legend = curve.line ? el("span", {class: "legend what"}, el("i"), curve.line_name) : undefined;
    curve.figure = el("figure", {class: "card"}, el("div", {class: "title"}, el("h3", {}, curve.title), legend, curve.number), el("div", {class: "plot"}, curve.canvas));
    by_id("charts").append(curve.figure);
    curve.chart = make_chart(curve);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const curve of curves) {
      curve.chart.destroy();
      curve.chart = make_chart(curve);
    }
    if (view)
      draw();
  });
}

function draw_charts(run) {
  const at = view.history.time_s;
  for (const curve of curves) {
    const values = view.history[curve.field];
    const points = [];
    for (let i = 0; i < at.length; ++i)
      if (is_number(values[i]) && (!curve.log || values[i] > 0))
        points.push({x: at[i], y: values[i]});
    curve.figure.hidden = points.length === 0;
    curve.canvas.dataset.points = String(points.length);
    if (points.length === 0)
      continue;
    const level = curve.line?.(run);
    const [data, line] = curve.chart.data.datasets;
    data.data = points;
    line.data = is_number(level) ? [{x: at[0], y: level}, {x: at.at(-1), y: level}] : [];
    const x = curve.chart.options.scales.x;
    x.min = at[0];
    x.max = Math.max(at.at(-1), at[0] + 1);
    curve.chart.update("none");
    const now = curve.now(run);
    say(curve.number, curve.text(now));
    curve.canvas.setAttribute("aria-label", `Line chart of ${curve.title.toLowerCase()} against time, from ${curve.text(points[0].y)} to ${curve.text(points.at(-1).y)}.`);
  }
}

// --- Worker by worker: bars, or cells for many ----------------------------------------------------------------------

const strips = [
  {title: "Backup workers", what: "neighbours not waited for, per round", field: "backup_workers", hue: 4, text: decimals(2), most: () => 1},
  {title: "Waiting", what: "share of the time in rounds", field: "wait_share", hue: 1, text: percent, most: () => 0.25},
  {title: "Step time", what: "computing, mean per step", field: "step_s", hue: 0, text: seconds, most: () => 0},
];

/// A canvas with as many pixels as the screen shows of it; null while it has no size.
function painted(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  if (width < 1)
    return null;
  canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, width, height);
  return paint;
}

function make_strips() {
  for (const strip of strips) {
    strip.canvas = el("canvas", {role: "img"});
    strip.number = el("span");
    by_id("strips").append(el("div", {class: "card"}, el("div", {class: "title"}, el("h3", {}, strip.title), el("span", {class: "now"}, el("small", {}, "mean "), strip.number)),
      el("p", {class: "what"}, strip.what), strip.canvas));
    const at = event => {
      const box = strip.canvas.getBoundingClientRect();
      return strip.index_at?.(event.clientX - box.left, event.clientY - box.top);
    };
    let pointed;
    strip.canvas.addEventListener("pointermove", event => pointed = at(event));
    strip.canvas.addEventListener("pointerdown", event => pointed = at(event));
    tip_for(strip.canvas, () => view && pointed >= 0 && pointed < workers().count ? worker_tip(pointed) : [strip.title]);
  }
}

function paint_bars(strip, values, most) {
  const n = values.length, width = strip.canvas.clientWidth, height = 128, foot = 18, head = 14;
  const paint = painted(strip.canvas, width, height);
  if (!paint)
    return;
  const cell = width / n, gap = Math.min(6, 0.22 * cell), tall = height - foot - head;
  strip.index_at = x => Math.floor(x / cell);
  paint.font = `11px ${css("--sans")}`;
  paint.strokeStyle = css("--line-soft");
  for (const level of [0, 0.5, 1]) {
    const y = Math.round(head + tall * (1 - level)) + 0.5;
    paint.beginPath();
    paint.moveTo(0, y);
    paint.lineTo(width, y);
    paint.stroke();
  }
  const hue = css(`--policy-${strip.hue}`), ink = css("--ink"), soft = css("--ink-soft");
  const every = Math.ceil(18 / cell);
  paint.textAlign = "center";
  for (let i = 0; i < n; ++i) {
    const share = is_number(values[i]) ? Math.min(1, values[i] / most) : 0;
    paint.fillStyle = is_straggler(i) ? ink : hue;
    const tall_i = Math.max(1.5, share * tall);
    paint.beginPath();
    paint.roundRect(i * cell + gap, head + tall - tall_i, cell - 2 * gap, tall_i, [Math.min(3, cell / 4), Math.min(3, cell / 4), 0, 0]);
    paint.fill();
    paint.fillStyle = is_straggler(i) ? ink : soft;
    if (i % every === 0 || is_straggler(i))
      paint.fillText(String(i), (i + 0.5) * cell, height - 4);
  }
  paint.textAlign = "left";
  paint.fillStyle = soft;
  paint.fillText(strip.text(most), 0, head - 4);
}

function paint_cells(strip, values, most) {
  const n = values.length, width = strip.canvas.clientWidth;
  const size = Math.max(3, Math.min(16, Math.sqrt(width * 150 / n)));
  const columns = Math.max(1, Math.floor(width / size)), rows = Math.ceil(n / columns);
  const paint = painted(strip.canvas, width, Math.ceil(rows * size) + 2);
  if (!paint)
    return;
  strip.index_at = (x, y) => x < columns * size ? Math.floor(y / size) * columns + Math.floor(x / size) : -1;
  const inset = size > 7 ? 1 : 0.4;
  const hue = css(`--policy-${strip.hue}`);
  paint.fillStyle = hue;
  for (let i = 0; i < n; ++i) {
    paint.globalAlpha = 0.08 + 0.92 * (is_number(values[i]) ? Math.min(1, values[i] / most) : 0);
    paint.fillRect(i % columns * size, Math.floor(i / columns) * size, size - inset, size - inset);
  }
  paint.globalAlpha = 1;
  paint.strokeStyle = css("--ink");
  paint.lineWidth = 2;
  for (const i of stragglers())
    paint.strokeRect(i % columns * size, Math.floor(i / columns) * size, size - inset, size - inset);
}

function draw_strips() {
  const n = workers().count;
  const slow = stragglers();
  const names = slow.length > 6 ? ` Stragglers: ${slow.length}.` : slow.length ? ` Straggler${slow.length > 1 ? "s" : ""}: ${join_and(slow.map(String))}.` : "";
  say(by_id("workers-what"), n <= bars_max ? `Over the last few seconds.${names}` : `One cell per worker, by number from the top left, over the last few seconds; stronger is more, stragglers are framed.${names}`);
  for (const strip of strips) {
    const values = workers()[strip.field];
    let most = strip.most(), sum = 0, known = 0;
    for (const value of values)
      if (is_number(value)) {
        most = Math.max(most, value);
        sum += value;
        ++known;
      }
    say(strip.number, known ? strip.text(sum / known) : none);
    (n <= bars_max ? paint_bars : paint_cells)(strip, values, most || 1);
    strip.canvas.dataset.workers = String(n);
    strip.canvas.setAttribute("aria-label", `${strip.title} of ${plural(n, "worker")}, at most ${strip.text(most)}. The table of workers has the numbers.`);
  }
}

// --- Graph ----------------------------------------------------------------------------------------------------------

const graph = {key: "", node: undefined};

function make_graph() {
  const e = view.edges;
  const known = [...Array(workers().count).keys()];
  graph.layout = layout_of(view.run.topology, known, e.low ? e.low.map((low, i) => [low, e.high[i]]) : []);
  const {width, height} = graph.layout, pad = 10;
  const key = el("p", {class: "key"}, el("span", {}, el("i", {class: "bar-line"}), "averages often"), el("span", {}, el("i", {class: "dot waiting"}), "waits"),
    el("span", {}, el("i", {class: "dot straggler"}), "straggler"));
  if (known.length <= graph_svg_max)
    key.append(el("span", {}, el("i", {class: "arrow"}), `waits for, over ${seconds(wait_s_min)}`));
  if (known.length > graph_svg_max) {
    graph.canvas = el("canvas", {role: "img"});
    graph.drawn = graph.canvas;
    let pointed;
    graph.canvas.addEventListener("pointermove", event => pointed = nearest_worker(event));
    tip_for(graph.canvas, () => is_number(pointed) && pointed < workers().count ? worker_tip(pointed) : ["the graph"]);
  } else {
    graph.canvas = undefined;
    graph.edges = (e.low ?? []).map((low, i) => {
      const d = edge_path(graph.layout, low, e.high[i]);
      const hit = svg("path", {class: "hit", d, "stroke-width": 10}), line = svg("path", {class: "edge", d});
      tip_for(hit, () => [`edge ${low} – ${e.high[i]}`, view.edges.up?.[i] ? `${figures(view.edges.recent_per_s[i])} averages per second` : "down"]);
      return {line, group: svg("g", {}, hit, line)};
    });
    graph.nodes = known.map(i => {
      const {x, y} = graph.layout.place.get(i);
      const circle = svg("circle", {cx: x.toFixed(1), cy: y.toFixed(1), r: graph.layout.radius});
      const label = graph.layout.radius >= 6.5 ? svg("text", {x: x.toFixed(1), y: (y + 0.5).toFixed(1)}, String(i)) : undefined;
      if (label)
        label.style.fontSize = `${Math.max(8.5, Math.min(13, 0.95 * graph.layout.radius))}px`;
      const node = svg("g", {class: "node"}, circle, label);
      tip_for(node, () => worker_tip(i));
      return node;
    });
    graph.waits = svg("g");
    graph.drawn = svg("svg", {viewBox: `${-pad} ${-pad} ${width + 2 * pad} ${height + 2 * pad}`, role: "img"},
      svg("defs", {}, svg("marker", {id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 4.2, markerHeight: 4.2, orient: "auto-start-reverse"}, svg("path", {class: "head", d: "M0 0.500L8 4L0 7.500z"}))),
      svg("g", {}, ...graph.edges.map(edge => edge.group)), graph.waits, svg("g", {}, ...graph.nodes));
  }
  by_id("graph").replaceChildren(graph.drawn, ...(e.low ? [] : [el("p", {class: "what"}, `${count(e.count)} edges are too many to draw.`)]), key);
}

const strength_of = (i, most) => Math.min(1, (view.edges.recent_per_s[i] ?? 0) / most);

function node_class(i) {
  const standing = standing_of(i);
  return `node${is_straggler(i) ? " straggler" : ""}${standing !== "working" ? ` ${standing}` : is_waiting(i) ? " waiting" : ""}`;
}

function draw_waits_in_graph() {
  const pairs = view.waits.shown.filter(w => w.whom !== null && w.waited_s >= wait_s_min).slice(0, 40);
  sync(graph.waits, pairs, () => svg("path", {class: "wait", "marker-end": "url(#head)"}), (line, w) => {
    const p = graph.layout.place.get(w.who), q = graph.layout.place.get(w.whom);
    if (!p || !q)
      return line.setAttribute("d", "");
    const length = Math.hypot(q.x - p.x, q.y - p.y) || 1, r = graph.layout.radius + 4;
    const at = (from, to, by) => `${(from.x + (to.x - from.x) * by / length).toFixed(1)} ${(from.y + (to.y - from.y) * by / length).toFixed(1)}`;
    line.setAttribute("d", `M${at(p, q, r)}L${at(q, p, r + 2)}`);
  });
}

function draw_graph() {
  const e = view.edges, n = workers().count;
  const key = `${view.run.topology} ${n} ${e.count} ${e.low?.[0]} ${e.high?.[0]} ${e.low?.at(-1)} ${e.high?.at(-1)}`;
  if (key !== graph.key) {
    graph.key = key;
    make_graph();
  }
  let most = 1e-9;
  for (const rate of e.recent_per_s ?? [])
    most = Math.max(most, rate ?? 0);
  const down = e.up ? e.up.filter(up => !up).length : 0;
  graph.drawn.setAttribute("aria-label", `Graph of ${plural(n, "worker")} and ${plural(e.count, "edge")}, ${down} down, ${plural(stragglers().length, "straggler")}.`);
  graph.drawn.dataset.edges = String(e.low?.length ?? 0);
  if (graph.canvas)
    return paint_graph(most);
  const thickest = Math.max(2, Math.min(8, 250 / Math.max(1, e.count), 0.5 * graph.layout.radius));
  graph.edges.forEach(({line}, i) => {
    const strength = strength_of(i, most);
    classes(line, !e.up[i] ? "edge down" : strength > 0 ? "edge" : "edge never");
    line.setAttribute("stroke-width", (0.8 + (thickest - 0.8) * strength).toFixed(2));
    line.setAttribute("opacity", e.up[i] ? (0.22 + 0.78 * strength).toFixed(2) : "0.8");
  });
  graph.nodes.forEach((node, i) => classes(node, node_class(i)));
  draw_waits_in_graph();
}

function graph_scale() {
  const size = graph.canvas.clientWidth;
  return {size, scale: (size - 24) / Math.max(graph.layout.width, graph.layout.height)};
}

function nearest_worker(event) {
  const box = graph.canvas.getBoundingClientRect(), {scale} = graph_scale();
  const x = (event.clientX - box.left - 12) / scale, y = (event.clientY - box.top - 12) / scale;
  let best, least = 400;
  for (const [i, p] of graph.layout.place) {
    const far = (p.x - x) ** 2 + (p.y - y) ** 2;
    if (far < least) {
      least = far;
      best = i;
    }
  }
  return best;
}

/// Strongest last, in a few passes of one path each: thousands of lines in a few milliseconds.
function paint_graph(most) {
  const {size, scale} = graph_scale(), e = view.edges;
  const paint = painted(graph.canvas, size, size);
  if (!paint)
    return;
  const place = i => {
    const p = graph.layout.place.get(i);
    return [12 + scale * p.x, 12 + scale * p.y];
  };
  const levels = 6, bins = Array.from({length: levels + 1}, () => []);
  for (let i = 0; i < (e.low?.length ?? 0); ++i)
    bins[e.up[i] ? 1 + Math.min(levels - 1, Math.floor(levels * strength_of(i, most))) : 0].push(i);
  bins.forEach((bin, level) => {
    paint.strokeStyle = level === 0 ? css("--bad") : css("--policy-0");
    paint.globalAlpha = level === 0 ? 0.8 : 0.12 + 0.6 * level / levels;
    paint.lineWidth = 0.5 + 1.4 * level / levels;
    paint.beginPath();
    for (const i of bin) {
      paint.moveTo(...place(e.low[i]));
      paint.lineTo(...place(e.high[i]));
    }
    paint.stroke();
  });
  paint.globalAlpha = 1;
  const colours = {working: css("--ink-soft"), waiting: css("--policy-1"), gone: css("--bad"), straggler: css("--ink")};
  const radius = Math.max(0.8, Math.min(5, 0.8 * graph.layout.radius * scale, 450 * scale / workers().count));
  paint.font = `600 12px ${css("--sans")}`;
  paint.textAlign = "center";
  for (let i = 0; i < workers().count; ++i) {
    const standing = standing_of(i), [x, y] = place(i), slow = is_straggler(i);
    paint.fillStyle = standing === "lost" || standing === "silent" ? colours.gone : slow ? colours.straggler : is_waiting(i) ? colours.waiting : colours.working;
    paint.beginPath();
    paint.arc(x, y, slow ? Math.max(5, 2 * radius) : radius, 0, 2 * Math.PI);
    paint.fill();
    if (slow) // its number on the inner side
      paint.fillText(String(i), x + 18 * Math.sign(size / 2 - x) * Math.abs(1 - 2 * x / size), y + 4 + 18 * Math.sign(size / 2 - y) * Math.abs(1 - 2 * y / size));
  }
}

// --- Waits and events -----------------------------------------------------------------------------------------------

const awaited = {estimate: "estimate", "accept or closed": "answer", closed: "closing", threshold: "threshold"};
const badge = (text, straggler) => el("span", {class: straggler ? "worker straggler" : "worker"}, el("b", {}, text));

function draw_waits() {
  const {count: all, shown} = view.waits;
  const by_whom = new Map();
  for (const w of shown)
    if (w.whom !== null)
      by_whom.set(w.whom, (by_whom.get(w.whom) ?? 0) + 1);
  const [worst, times_named] = [...by_whom].sort((x, y) => y[1] - x[1])[0] ?? [];
  say(by_id("waits-what"), all === 0 ? "Nobody waits for anybody at the moment."
    : `${plural(all, "wait")} now${times_named > 1 ? `; most for worker ${worst}, by ${times_named} neighbours` : ""}. Longest first:`);
  const longest = Math.max(1, ...shown.slice(0, 8).map(w => w.waited_s));
  sync(by_id("waits"), shown.slice(0, 8), () => el("li", {}, el("div", {class: "pair"}, badge(""), el("span", {}, "→"), badge(""), el("span"), el("span", {class: "time"})),
    el("div", {class: "meter", "aria-hidden": "true"}, el("i")), el("p", {class: "what"})), (item, w) => {
    const [pair, meter, after] = item.children;
    const [who, , whom, what, time] = pair.children;
    classes(who, is_straggler(w.who) ? "worker straggler" : "worker");
    say(who.firstChild, String(w.who));
    classes(whom, w.whom !== null && is_straggler(w.whom) ? "worker straggler" : "worker");
    say(whom.firstChild, w.whom === null ? "any" : String(w.whom));
    say(what, `${awaited[w.what] ?? w.what} of round ${count(w.round)}`);
    say(time, seconds(w.waited_s));
    width_of(meter.firstChild, w.waited_s / longest);
    say(after, is_number(w.timeout_in_s) ? `Goes on without it in ${Math.max(0, w.timeout_in_s).toFixed(1)} s.` : "Ends with the answer, or when it is declared down.");
  });
}

const marks = {info: "•", warning: "▲", error: "✕"};

function draw_events() {
  const shown = [...view.events.shown].reverse();
  sync(by_id("events"), shown, () => el("li", {}, el("span", {class: "mark", "aria-hidden": "true"}), el("span", {class: "time"}), el("span", {class: "text"}, el("span", {class: "hidden-text"}), el("span"))), (item, e) => {
    classes(item, e.how);
    say(item.children[0], marks[e.how] ?? "•");
    say(item.children[1], clock_text(e.time_s));
    say(item.children[2].firstChild, `${e.how}: `);
    say(item.children[2].lastChild, e.text);
  });
  const older = view.events.before;
  say(by_id("events-what"), older > 0 ? `${plural(older, "older event")} not shown.` : shown.length ? "" : "Nothing has happened since this page looks on.");
}

// --- Tables ---------------------------------------------------------------------------------------------------------

const standing_rank = i => 10 * workers().standing[i] + workers().phase[i];
/// name, text of worker i, what to sort by, further classes
const columns = [
  {name: "Worker", text: i => String(i), key: i => i, head: true},
  {name: "Phase", text: i => `${doing(i)}, ${seconds(workers().in_phase_s[i])}`, key: standing_rank, style: i => `left${standing_of(i) === "lost" || standing_of(i) === "silent" ? " bad" : is_waiting(i) ? " waiting" : ""}`},
  {name: "Round", text: i => count(workers().round[i]), key: i => workers().round[i]},
  {name: "Loss", text: i => figures(workers().loss[i]), key: i => workers().loss[i]},
  {name: "Backup", text: i => `${decimals(2)(workers().backup_workers[i])} of ${workers().neighbours[i]}`, key: i => workers().backup_workers[i]},
  {name: "Waiting", text: i => percent(workers().wait_share[i]), key: i => workers().wait_share[i]},
  {name: "Step", text: i => seconds(workers().step_s[i]), key: i => workers().step_s[i]},
  {name: "Round time", text: i => seconds(workers().round_s[i]), key: i => workers().round_s[i]},
  {name: "Recent", trend: true},
  {name: "Late", text: i => count(workers().estimates_late[i]), key: i => workers().estimates_late[i]},
  {name: "Timeouts", text: i => count(workers().timeouts[i]), key: i => workers().timeouts[i]},
  {name: "Node", text: node_of, key: i => workers().node[i], style: () => "left"},
];
const table = {sorted: 0, descending: false, rows: rows_step, body: undefined};

function make_table() {
  const heads = columns.map((column, c) => {
    if (!column.key)
      return el("th", {scope: "col"}, column.name);
    const button = el("button", {type: "button"}, column.name);
    button.addEventListener("click", () => {
      table.descending = table.sorted === c ? !table.descending : c !== 0;
      table.sorted = c;
      draw_table();
    });
    return el("th", {scope: "col", class: column.style ? "left" : undefined}, button);
  });
  table.heads = heads;
  table.body = el("tbody");
  by_id("table").append(el("thead", {}, el("tr", {}, ...heads)), table.body);
  by_id("filter").addEventListener("input", () => view && draw_table());
  by_id("more").addEventListener("click", () => {
    table.rows += rows_step;
    draw_table();
  });
}

function make_row() {
  return el("tr", {}, ...columns.map(column => column.head ? el("th", {scope: "row"}, badge("")) : column.trend
    ? el("td", {}, svg("svg", {viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true"}, svg("polyline"))) : el("td")));
}

/// From 0 to the worker's own longest round; how long that is stands beside it.
function trend_points(values) {
  const most = Math.max(1e-9, ...values);
  return values.map((value, k) => `${(100 * k / Math.max(1, values.length - 1)).toFixed(1)},${(19 - 18 * Math.min(1, value / most)).toFixed(1)}`).join(" ");
}

function rows_shown() {
  const words = by_id("filter").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  let rows = [...Array(workers().count).keys()];
  if (words.length)
    rows = rows.filter(i => words.every(word => /^\d+$/.test(word) ? String(i) === word : `${doing(i)} ${node_of(i)} ${is_straggler(i) ? "straggler" : ""}`.toLowerCase().includes(word)));
  const key = columns[table.sorted].key, sign = table.descending ? -1 : 1;
  const value = i => key(i) ?? -Infinity;
  return rows.sort((x, y) => sign * (value(x) - value(y)) || x - y);
}

function draw_table() {
  const rows = rows_shown(), shown = rows.slice(0, table.rows), recent = workers().recent_round_s;
  table.heads.forEach((head, c) => {
    if (c === table.sorted)
      head.setAttribute("aria-sort", table.descending ? "descending" : "ascending");
    else
      head.removeAttribute("aria-sort");
    if (columns[c].trend)
      head.hidden = !recent;
  });
  sync(table.body, shown, make_row, (row, i) => {
    classes(row, is_straggler(i) ? "straggler" : "");
    columns.forEach((column, c) => {
      const cell = row.children[c];
      if (column.trend) {
        cell.hidden = !recent;
        if (recent)
          cell.firstChild.firstChild.setAttribute("points", trend_points(recent[i]));
        return;
      }
      say(column.head ? cell.firstChild.firstChild : cell, column.text(i));
      if (column.style)
        classes(cell, column.style(i));
    });
  });
  const left = rows.length - shown.length;
  by_id("more").hidden = left === 0;
  say(by_id("more"), `Show ${Math.min(left, rows_step)} more of ${count(rows.length)}`);
  table.body.dataset.rows = String(shown.length);
}

const node_columns = [
  ["Node", n => `${n.address}${n.leads ? " (leads)" : ""}`],
  ["State", n => n.reachable ? "in touch" : `silent, ${seconds(n.silent_s)}`, n => n.reachable ? "left" : "left bad"],
  ["Workers", n => count(n.workers)],
  ["In its part", n => count(n.component)],
  ["Processor", n => seconds(n.cpu_s)],
  ["Peak memory", n => bytes(n.peak_rss_bytes)],
  ["Sent on links", n => bytes(n.link_bytes_sent)],
  ["Refused", n => count(n.connections_refused)],
];

function draw_nodes() {
  const node_table = by_id("nodes");
  if (!node_table.tBodies.length)
    node_table.append(el("thead", {}, el("tr", {}, ...node_columns.map(([name, , style]) => el("th", {scope: "col", class: style ? "left" : undefined}, name)))), el("tbody"));
  by_id("nodes-section").hidden = view.nodes.length === 0;
  sync(node_table.tBodies[0], view.nodes, () => el("tr", {}, ...node_columns.map((_, c) => c === 0 ? el("th", {scope: "row"}) : el("td"))), (row, n) => {
    node_columns.forEach(([, text, style], c) => {
      say(row.children[c], text(n));
      if (style)
        classes(row.children[c], style(n));
    });
  });
}

// --- Views come, and the connection goes ----------------------------------------------------------------------------

let drawn = 0, asked = false;

function draw() {
  const run = view.run;
  const begin = performance.now();
  draw_header(run);
  by_id("main").hidden = workers().count === 0;
  if (workers().count > 0) {
    draw_tiles(run);
    draw_charts(run);
    draw_strips();
    draw_graph();
    draw_waits();
    draw_table();
    draw_nodes();
    draw_events();
  }
  root.dataset.drawn = String(++drawn);
  root.dataset.drawMs = (performance.now() - begin).toFixed(1);
}

/// Once per frame at most, and not at all while nobody looks.
function ask_to_draw() {
  if (asked)
    return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}

const link = {source: undefined, last: performance.now(), tries: 0};

function show_connection(state, text) {
  root.dataset.state = state;
  say(by_id("connection"), text);
  by_id("connection").hidden = text === "";
}

function connect() {
  link.last = performance.now();
  link.source = new EventSource("/api/events");
  link.source.addEventListener("view", event => {
    link.last = performance.now();
    link.tries = 0;
    view = JSON.parse(event.data);
    show_connection("live", "");
    ask_to_draw();
  });
  link.source.addEventListener("error", lost);
}

function lost() {
  if (!link.source)
    return;
  link.source.close();
  link.source = undefined;
  const wait_s = Math.min(5, ++link.tries);
  show_connection("lost", "Connection lost; trying again …");
  setTimeout(connect, 1000 * wait_s);
  if (link.tries === 2) // not just a hiccup: is it up, and does it refuse?
    fetch("/api/events", {method: "HEAD"}).then(reply => {
      if (root.dataset.state !== "live" && reply.status === 401)
        show_connection("lost", "The server wants its token: open this page by the link with ?token= again.");
      else if (root.dataset.state !== "live" && reply.status === 503)
        show_connection("lost", "As many pages as can be served look on already; trying again …");
    }).catch(() => undefined); // still down, which is said already
}

setInterval(() => {
  if (link.source && performance.now() - link.last > 1000 * silent_s_max)
    lost();
}, 1000);
addEventListener("resize", () => view && ask_to_draw());

make_tiles();
make_charts();
make_strips();
make_table();
connect();

})();
