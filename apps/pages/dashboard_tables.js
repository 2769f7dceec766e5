// The dashboard's lists: waits, events, workers and nodes.
"use strict";

const rows_step = 50; // of the table of workers

// --- Waits and events -----------------------------------------------------------------------------------------------

const awaited = {estimate: "estimate", "accept or closed": "answer", closed: "closing", threshold: "threshold"};
const badge = (text, straggler) => el("span", {class: straggler ? "worker straggler" : "worker"}, el("b", {}, text));

function draw_waits() {
  const {count: all, shown: longest_first} = view.waits;
  const shown = longest_first.filter(w => w.waited_s >= 0.1); // shorter ones come and go faster than anybody reads
  const by_whom = new Map();
  for (const w of shown)
    if (w.whom !== null)
      by_whom.set(w.whom, (by_whom.get(w.whom) ?? 0) + 1);
  const [worst, times_named] = [...by_whom].sort((x, y) => y[1] - x[1])[0] ?? [];
  say(by_id("waits-what"), all === 0 ? "Nobody waits for anybody at the moment."
    : `${plural(all, "wait")} now${times_named > 1 ? `; most for worker ${worst}, by ${times_named} neighbours` : ""}${shown.length ? ". Longest first:" : ", none of them for 0.1 s."}`);
  const longest = Math.max(1, ...shown.slice(0, 8).map(w => w.waited_s));
  sync(by_id("waits"), shown.slice(0, 8), () => el("li", {}, el("div", {class: "pair"}, badge(""), el("span", {}, "→"), badge(""), el("span"), el("span", {class: "time"})),
    el("div", {class: "meter", "aria-hidden": "true"}, el("i")), el("p", {class: "what"})), (item, w) => {
    const [pair, meter, after] = item.children;
    const [who, , whom, what, time] = pair.children;
    classes(who, is_straggler(w.who) ? "worker straggler" : "worker");
    say(who.firstChild, String(w.who));
    classes(whom, w.whom !== null && is_straggler(w.whom) ? "worker straggler" : "worker");
    const rests = w.what === "step";
    say(whom.firstChild, rests ? "rests" : w.whom === null ? "any" : String(w.whom));
    say(what, rests ? `${w.maker} is silent` : `${awaited[w.what] ?? w.what} of round ${count(w.round)}`);
    say(time, seconds(w.waited_s));
    width_of(meter.firstChild, w.waited_s / longest);
    say(after, rests ? "Nobody waits for it meanwhile." : is_number(w.timeout_in_s) ? `Goes on without it in ${Math.max(0, w.timeout_in_s).toFixed(1)} s.` : "Ends with the answer, or when it is declared down.");
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
