// What the report tells of each worker: its rounds, its time, and whom it averaged with.
"use strict";

const workers_drawn_max = 48;

// --- Worker by worker -----------------------------------------------------------------------------------------------

const measures = {
  backup_workers: {title: "Backup workers", what: "Neighbours not waited for", text: or_none(x => x.toFixed(2)), mean: w => w.mean_backup_workers, whole: true},
  wait_share: {title: "Waiting share", what: "Share of each round spent waiting", text: percent, mean: (w, run) => run.waited(w), top: 1},
  round_s: {title: "Round length", what: "Time from one round to the next", text: seconds, mean: (w, run) => w.rounds > 0 ? run.duration_s / w.rounds : undefined},
};

const values_of = (run, field) => (run.series?.workers ?? []).flatMap(w => w[field] ?? []).filter(is_number);

/// The same upper end for all workers and policies, so that every box can be compared with every other.
function top_of(field) {
  const measure = measures[field];
  if (measure.top)
    return measure.top;
  const all = runs.flatMap(run => values_of(run, field)).sort((x, y) => x - y);
  const most = all.length ? all.at(-1) : 0;
  if (measure.whole)
    return Math.max(1, Math.ceil(most - 1e-9));
  // One long round must not flatten all others: what is above is cut off at the box's edge.
  const usual = all.length ? all[Math.floor(0.99 * (all.length - 1))] : 0;
  return Math.max(1e-9, Math.min(most, 1.25 * usual));
}

function spark(times_s, values, end_s, top, rules) {
  const height = 40;
  const x = t => (100 * t / end_s).toFixed(2);
  const y = v => (height - height * Math.min(1, v / top)).toFixed(2);
  const pieces = [];
  let piece;
  values.forEach((v, i) => {
    if (!is_number(v) || !is_number(times_s[i])) {
      piece = undefined;
      return;
    }
    if (!piece)
      pieces.push(piece = []);
    piece.push([x(times_s[i]), y(v)]);
  });
  const half_bin = times_s.length > 1 ? 50 * (times_s[1] - times_s[0]) / end_s : 1;
  const drawn = svg("svg", {viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none", "aria-hidden": "true"});
  for (const at of rules)
    drawn.append(svg("line", {class: "rule", x1: 0, x2: 100, y1: y(at), y2: y(at)}));
  for (const p of pieces) {
    if (p.length === 1) // a lone bin: as wide as the bin
      p.push([(Number(p[0][0]) + half_bin).toFixed(2), p[0][1]]);
    const line = p.map(point => point.join(" ")).join("L");
    drawn.append(svg("path", {class: "area", d: `M${line}L${p.at(-1)[0]} ${height}L${p[0][0]} ${height}Z`}), svg("path", {class: "trace", d: `M${line}`}));
  }
  const hair = svg("line", {class: "hair", x1: 0, x2: 0, y1: 0, y2: height});
  drawn.append(svg("line", {class: "floor", x1: 0, x2: 100, y1: height, y2: height}), hair);
  return [drawn, hair];
}

const worker_mark = (run, id, spell_out = true) => el("span", {class: run.stragglers.has(id) ? "worker straggler" : "worker"}, el("b", {}, String(id)),
  run.stragglers.has(id) ? el(spell_out ? "small" : "span", spell_out ? {} : {class: "hidden-text"}, ` ${run.straggler_word}`) : undefined);

function slowest_first(run, workers) {
  const step = new Map(run.per_worker.map(w => [w.worker, w.mean_step_s]));
  return [...workers].sort((x, y) => (step.get(y.worker) ?? 0) - (step.get(x.worker) ?? 0));
}

/// All workers, or the slowest ones where there are too many to draw.
function workers_drawn(run, workers) {
  return workers.length <= workers_drawn_max ? workers : slowest_first(run, workers).slice(0, workers_drawn_max);
}

function draw_workers() {
  const shown = runs.filter(run => run.series?.workers?.length && run.series.time_s?.length);
  if (!shown.length)
    return by_id("workers").remove();
  // At first the quickest policy that does not wait for everybody: the one worth looking into.
  const rank = r => [r === full_of(r) ? 1 : 0, r.time_to_target_s ?? Infinity, -(r.compute_share ?? 0)];
  let run = [...shown].sort((x, y) => rank(x).map((a, i) => a === rank(y)[i] ? 0 : a - rank(y)[i]).find(d => d !== 0) ?? 0)[0];
  let second = "wait_share";
  let cells = [];
  const time = by_id("workers-time");
  const buttons = new Map();

  const idle_text = () => {
    const all = run.series.workers.length;
    const marked = [...run.stragglers].sort((x, y) => x - y);
    const limited = all > workers_drawn_max ? `The ${workers_drawn_max} slowest of ${count(all)} workers. ` : "";
    const outlined = marked.length ? ` Outlined: the ${run.straggler_word}${run.straggler_word === "slowest" ? " worker" : marked.length > 1 ? "s" : ""}, ${marked.slice(0, 6).join(", ")}.` : "";
    time.textContent = `${of_seed(run) ? `The run of ${of_seed(run)}. ` : ""}${limited}Each box: one worker, 0 to ${seconds(end_of())}; the number is the mean.${outlined}`;
  };
  const end_of = () => Math.max(run.duration_s ?? 0, run.series.time_s.at(-1), 1e-12);

  const grid = field => {
    const measure = measures[field];
    const top = top_of(field);
    const rules = measure.whole ? (top <= 4 ? Array.from({length: top}, (_, i) => i + 1) : [top / 2, top]) : [top / 2, top];
    const list = el("div", {class: "cells", role: "list"});
    list.style.setProperty("--cell", run.series.workers.length > 16 ? "95px" : run.series.workers.length > 6 ? "112px" : "150px");
    const summary = new Map(run.per_worker.map(w => [w.worker, w]));
    for (const series of workers_drawn(run, run.series.workers)) {
      const values = series[field] ?? [];
      const known = values.filter(is_number);
      let mean = summary.has(series.worker) ? measure.mean(summary.get(series.worker), run) : undefined;
      if (!is_number(mean) && known.length)
        mean = known.reduce((x, y) => x + y, 0) / known.length;
      const [drawn, hair] = spark(run.series.time_s, values, end_of(), top, rules);
      const value = el("span", {}, measure.text(mean));
      list.append(el("div", {class: run.stragglers.has(series.worker) ? "cell straggler" : "cell", role: "listitem"},
        el("div", {class: "cell-head"}, worker_mark(run, series.worker, run.series.workers.length <= 6), value),
        el("div", {class: "spark"}, drawn)));
      cells.push({drawn, hair, value, values, resting: measure.text(mean), text: measure.text});
    }
    return list;
  };

  const card = (field, controls) => el("figure", {class: "card", role: "group", "aria-label": `${measures[field].title} over time for each worker, policy ${run.label}`},
    el("div", {class: "grid-head"}, el("h3", {}, measures[field].title), controls), el("p", {class: "what"}, `${measures[field].what}; each box from 0 to ${measures[field].whole ? top_of(field) : measures[field].text(top_of(field))}.`), grid(field));

  const draw = () => {
    cells = [];
    const choices = ["wait_share", "round_s"].filter(field => field === "wait_share" || shown.some(r => values_of(r, field).length));
    const controls = choices.length < 2 ? undefined : el("div", {class: "buttons measure", role: "group", "aria-label": "Measure shown"}, ...choices.map(field => {
      const button = el("button", {type: "button", "aria-pressed": String(field === second)}, measures[field].title);
      button.addEventListener("click", () => {
        second = field;
        draw();
        [...by_id("grids").querySelectorAll(".measure button")][choices.indexOf(field)].focus();
      });
      return button;
    }));
    hued(by_id("grids"), run).replaceChildren(card("backup_workers"), card(second, controls));
    for (const [other, button] of buttons)
      button.setAttribute("aria-pressed", String(other === run));
    idle_text();
  };

  // One time for all boxes: the pointer in any of them shows every worker's value at that moment.
  const point = event => {
    const box = event.target.closest?.(".spark");
    if (!box)
      return rest();
    const area = box.getBoundingClientRect();
    const at = end_of() * Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    let bin = 0;
    run.series.time_s.forEach((t, i) => {
      if (Math.abs(t - at) < Math.abs(run.series.time_s[bin] - at))
        bin = i;
    });
    const x = 100 * run.series.time_s[bin] / end_of();
    by_id("grids").classList.add("hovering");
    for (const cell of cells) {
      cell.hair.setAttribute("x1", x);
      cell.hair.setAttribute("x2", x);
      cell.value.textContent = cell.text(cell.values[bin]);
    }
    time.textContent = `Values around ${seconds(run.series.time_s[bin])}.`;
  };
  const rest = () => {
    if (!by_id("grids").classList.contains("hovering"))
      return;
    by_id("grids").classList.remove("hovering");
    for (const cell of cells)
      cell.value.textContent = cell.resting;
    idle_text();
  };
  by_id("grids").addEventListener("pointermove", point);
  by_id("grids").addEventListener("pointerdown", point);
  by_id("grids").addEventListener("pointerleave", rest);

  for (const other of shown) {
    const button = hued(el("button", {type: "button", "aria-pressed": "false"}, swatch(other), name_of(other)), other);
    button.addEventListener("click", () => {
      run = other;
      by_id("grids").classList.remove("hovering");
      draw();
    });
    buttons.set(other, button);
    by_id("workers-policy").append(button);
  }
  by_id("workers-policy").hidden = shown.length < 2;
  draw();
  return true;
}

// --- Time split -----------------------------------------------------------------------------------------------------

function numbers_table(summary, head, rows) {
  return el("details", {}, el("summary", {}, summary), el("div", {class: "scroll", tabindex: "0"}, el("table", {},
    el("thead", {}, el("tr", {}, ...head.map(text => el("th", {scope: "col"}, text)))),
    el("tbody", {}, ...rows.map(([first, ...others]) => el("tr", {}, el("th", {scope: "row"}, first), ...others.map(text => el("td", {}, text))))))));
}

/// Two panels a row for two or four policies, else three.
const set_panels = (node, shown) => node.style.setProperty("--panel", shown.length === 2 || shown.length === 4 ? "440px" : "310px");

function split_panel(run) {
  const rows = workers_drawn(run, run.per_worker);
  const list = el("ul", {class: rows.length > 12 ? "split dense" : "split"});
  for (const w of rows) {
    const whole = Math.max(run.duration_s ?? 0, w.compute_s + w.wait_s, 1e-12);
    const part = (name, value) => {
      const bar = el("span", {class: name});
      bar.style.width = `${100 * value / whole}%`;
      return bar;
    };
    const row = el("li", {}, worker_mark(run, w.worker, false),
      el("span", {class: "track", role: "img", "aria-label": `worker ${w.worker}: computing ${percent(w.compute_s / whole)}, waiting ${percent(w.wait_s / whole)}`},
        part("computing", w.compute_s), part("waiting", w.wait_s)),
      el("span", {class: "share", "aria-hidden": "true"}, `${(100 * w.compute_s / whole).toFixed(0)} %`));
    tip_for(row, () => [`worker ${w.worker}${run.stragglers.has(w.worker) ? ` (${run.straggler_word})` : ""}`,
      `computing ${seconds(w.compute_s)}, ${percent(w.compute_s / whole)}`, `waiting ${seconds(w.wait_s)}, ${percent(w.wait_s / whole)}`,
      `mean step ${seconds(w.mean_step_s)}`]);
    list.append(row);
  }
  const limited = run.per_worker.length > rows.length ? ` (the ${rows.length} slowest of ${count(run.per_worker.length)})` : "";
  const table = numbers_table("Numbers per worker",
    ["Worker", "Rounds", "Steps", "Mean step", "Computing", "Waiting", "Backup workers", ...(with_accuracy ? ["Test accuracy"] : [])],
    run.per_worker.map(w => [`${w.worker}${run.stragglers.has(w.worker) ? ` ${run.straggler_word}` : ""}`, count(w.rounds), count(w.local_steps), seconds(w.mean_step_s),
      seconds(w.compute_s), seconds(w.wait_s), or_none(x => x.toFixed(2))(w.mean_backup_workers), ...(with_accuracy ? [accuracy_text(w.test_accuracy)] : [])]));
  return hued(el("div", {class: "card"}, el("div", {class: "panel-head"}, swatch(run), el("h3", {}, name_of(run)),
    el("span", {class: "what"}, of_seed(run) ? `${of_seed(run)}${limited}` : `${percent(run.compute_share)} computing${limited}`)), list, table), run);
}

function draw_split() {
  const shown = runs.filter(run => run.per_worker.length);
  if (!shown.length)
    return by_id("split").remove();
  const key = (name, text) => el("span", {}, el("i", {class: name}), text);
  by_id("split-key").append("Each bar is one worker and the whole run. ", el("span", {class: "key"}, key("computing", "computing"), key("waiting", "waiting for neighbours"), key("idle", "neither")));
  set_panels(by_id("split-panels"), shown);
  by_id("split-panels").append(...shown.map(split_panel));
  return true;
}

// --- Graph ----------------------------------------------------------------------------------------------------------

const layout_of = run => base.layout_of(run.topology, run.per_worker.map(w => w.worker), run.per_edge.map(e => e.edge));

function graph_panel(run, most) {
  const layout = layout_of(run);
  const shares = run.per_edge.map(e => e.active_share).filter(is_number);
  const mean = shares.length ? shares.reduce((x, y) => x + y, 0) / shares.length : undefined;
  const thickest = Math.max(2, Math.min(8, 250 / run.per_edge.length, 0.5 * layout.radius));
  const edges = svg("g"), nodes = svg("g");
  // The most active last, on top.
  for (const {edge: [a, b], active_share: share} of [...run.per_edge].sort((x, y) => (x.active_share ?? 0) - (y.active_share ?? 0))) {
    const strength = is_number(share) ? Math.min(1, share / most) : 0;
    const d = edge_path(layout, a, b);
    const hit = svg("path", {class: "hit", d, "stroke-width": Math.max(10, thickest)});
    edges.append(svg("g", {}, hit, svg("path", {class: strength > 0 ? "edge" : "edge never", d, "stroke-width": (0.8 + (thickest - 0.8) * strength).toFixed(2),
      opacity: strength > 0 ? (0.22 + 0.78 * strength).toFixed(3) : 0.7})));
    tip_for(hit, () => [`edge ${a} – ${b}`, `active in ${is_number(share) ? percent(share) : "no known share"} of the rounds`]);
  }
  const summary = new Map(run.per_worker.map(w => [w.worker, w]));
  const lost = new Set(run.workers_lost ?? []);
  for (const [id, {x, y}] of layout.place) {
    const w = summary.get(id);
    const slow = run.stragglers.has(id);
    const node = svg("g", {class: `node${slow ? " straggler" : ""}${lost.has(id) ? " lost" : ""}`},
      svg("circle", {cx: x.toFixed(1), cy: y.toFixed(1), r: (slow ? 1.15 : 1) * layout.radius}), number_in(layout, id));
    tip_for(node, () => [`worker ${id}${slow ? ` (${run.straggler_word})` : ""}${lost.has(id) ? " (lost)" : ""}`, ...(w ? [`mean step ${seconds(w.mean_step_s)}`,
      `waiting ${percent(run.waited(w))}`, `backup workers ${or_none(v => v.toFixed(2))(w.mean_backup_workers)}`,
      ...(is_number(w.test_accuracy) ? [`test accuracy ${accuracy_text(w.test_accuracy)}`] : [])] : [])]);
    nodes.append(node);
  }
  const ranked = run.per_edge.filter(e => is_number(e.active_share)).sort((x, y) => x.active_share - y.active_share);
  const extremes = ranked.length ? ` Least active ${ranked[0].edge.join(" – ")} with ${percent(ranked[0].active_share)}, most active ${ranked.at(-1).edge.join(" – ")} with ${percent(ranked.at(-1).active_share)}.` : "";
  const pad = layout.cell === undefined ? 4 : 10;
  const drawn = svg("svg", {viewBox: `${-pad} ${-pad} ${layout.width + 2 * pad} ${layout.height + 2 * pad}`, role: "img",
    "aria-label": `Graph of ${layout.place.size} workers and ${run.per_edge.length} edges under ${run.label}.${extremes}`}, edges, nodes);
  const table = numbers_table("Numbers per edge", ["Edge", "Active"], run.per_edge.map(e => [e.edge.join(" – "), percent(e.active_share)]));
  return hued(el("div", {class: "card graph"}, el("div", {class: "panel-head"}, swatch(run), el("h3", {}, name_of(run)),
    el("span", {class: "what"}, mean === undefined ? "" : `${percent(mean)} active on average`)), drawn, table), run);
}

function draw_graph() {
  const shown = runs.filter(run => run.per_edge.length);
  if (!shown.length)
    return by_id("graph").remove();
  const most = Math.max(...shown.flatMap(run => run.per_edge.map(e => e.active_share ?? 0))) || 1;
  const ramp = svg("svg", {class: "ramp", viewBox: "0 0 110 14", "aria-hidden": "true"});
  for (let i = 0; i < 11; ++i)
    ramp.append(svg("line", {x1: 10 * i, x2: 10 * i + 10.2, y1: 7, y2: 7, stroke: "currentColor", "stroke-width": 0.8 + 6.4 * i / 10, opacity: 0.22 + 0.078 * i}));
  const word = shown.find(run => run.stragglers.size)?.straggler_word;
  const torus = shown.some(run => layout_of(run).cell !== undefined) ? " An edge that leaves the grid returns on the other side." : "";
  by_id("graph-key").append("Thickness of an edge: share of the rounds in which its ends averaged, 0 ", ramp, ` ${percent(most)}.${torus}`,
    word ? ` Filled: the ${word === "slowest" ? "slowest worker" : "straggler"}. Point at a worker or an edge for its numbers.` : " Point at a worker or an edge for its numbers.");
  set_panels(by_id("graph-panels"), shown);
  by_id("graph-panels").append(...shown.map(run => graph_panel(run, most)));
  return true;
}
