// The dashboard itself: its header and tiles, and the views that it reads from /api/events (their form: page_json in
// apps/web/view_json.hpp), each drawn once.
"use strict";

const silent_s_max = 4; // without a word from the server
const root = document.documentElement;

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

/// Of many workers only some are scored.
const worst_text = e => is_number(e.worst_worker_accuracy)
  ? `worst worker ${accuracy_text(e.worst_worker_accuracy)}${e.scored_workers < workers().count ? ` of ${count(e.scored_workers)} scored` : ""}` : "";

/// Those that are not accuracy and loss, which have tiles.
const scores_text = e => Object.entries(e?.scores ?? {}).filter(([name]) => name !== "accuracy" && name !== "loss").map(([name, value]) => `${name} ${figures(value)}`).join(", ");

/// title, big(run), unit(run), and if there is something to measure by: meter(run) in [0,1], hue, bad(run)
const tiles = [
  {title: "Test accuracy", big: run => accuracy_text(run.newest_evaluation?.test_accuracy), hue: 0, meter: run => run.newest_evaluation?.test_accuracy,
    unit: run => [is_number(run.target_accuracy) ? `target ${Number((100 * run.target_accuracy).toFixed(2))} %` : "", run.newest_evaluation ? worst_text(run.newest_evaluation) : "not measured yet", scores_text(run.newest_evaluation)]},
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
