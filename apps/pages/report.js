// The report page. Reads the JSON in #report-data (its form: apps/pages/report_page.hpp) and draws everything. Data reaches the
// page as text only, never as markup.
"use strict";

(() => {

const {by_id, is_number, none, or_none, superscript, figures, count, percent, accuracy_text, times, bytes, duration_parts, seconds, capital, median,
  el, svg, css, edge_path, tip_for} = base;

addEventListener("error", event => {
  by_id("failure").textContent = `This page could not be drawn completely: ${event.message}`;
  by_id("failure").hidden = false;
});

const data = JSON.parse(document.getElementById("report-data").textContent);
const workers_drawn_max = 48;
const straggler_factor = 1.25; // times the median step; below it the slowest worker is just the slowest

function hued(node, run) {
  node.style.setProperty("--hue", `var(--policy-${run.hue})`);
  return node;
}

const shapes = [ // the point styles of Chart.js, and the same as 16x16 paths
  ["circle", "M8 2a6 6 0 1 0 .01 0z"],
  ["rectRot", "M8 1l7 7-7 7-7-7z"],
  ["triangle", "M8 1.5l7 12.5H1z"],
  ["rect", "M2.5 2.5h11v11h-11z"],
  ["star", "M7 1h2v4.6l3.3-3.2 1.4 1.4L10.400 7H15v2h-4.6l3.3 3.300-1.400 1.400L9 10.400V15H7v-4.600l-3.300 3.300-1.400-1.400L5.600 9H1V7h4.600L2.300 3.800l1.400-1.400L7 5.600z"],
];
const shape_of = run => shapes[run.hue % shapes.length];
const swatch = run => hued(svg("svg", {class: "swatch", viewBox: "0 0 16 16", "aria-hidden": "true"},
  svg("path", {d: shape_of(run)[1], fill: "currentColor"})), run);
const name_of = run => el("span", {class: "name"}, run.label);

// --- The data -------------------------------------------------------------------------------------------------------

const document_ = data.document ?? {};
const runs = document_.runs ?? [];
const config = {};
for (const [name, value] of Object.entries(document_.config ?? {}))
  config[name.replaceAll("-", "_")] = value;
const setting = name => {
  const value = config[name] ?? runs[0]?.[name];
  return value === undefined || value === null || value === "" ? undefined : value;
};
const target_setting = setting("target_accuracy");
const target = target_setting !== undefined && Number(target_setting) > 0 ? Number(target_setting) : undefined;
const target_text = target === undefined ? "" : `${Number((100 * target).toFixed(3))} %`;
const virtual_clock = runs.some(run => run.clock === "virtual");
const time_name = virtual_clock ? "virtual time" : "time";

function choose_hues() {
  const preferred = {dtur: 0, full: 1, static: 2, adpsgd: 3, hop: 4, adaptive: 5};
  const taken = new Set();
  const hues = 7;
  for (const run of runs) {
    const wish = preferred[run.policy.split(":")[0]];
    if (wish !== undefined && !taken.has(wish))
      taken.add(run.hue = wish);
  }
  let next = 0;
  for (const run of runs) {
    if (run.hue !== undefined)
      continue;
    while (taken.size < hues && taken.has(next % hues))
      ++next;
    taken.add(run.hue = next++ % hues);
  }
}

function choose_stragglers(run) {
  const steps = run.per_worker.filter(w => is_number(w.mean_step_s) && w.mean_step_s > 0);
  run.stragglers = new Set();
  run.straggler_word = "straggler";
  if (steps.length < 2)
    return;
  const slowest = steps.reduce((x, y) => y.mean_step_s > x.mean_step_s ? y : x);
  const limit = straggler_factor * median(steps.map(w => w.mean_step_s));
  if (slowest.mean_step_s < limit)
    run.straggler_word = "slowest";
  run.stragglers.add(slowest.worker);
  // Others count only when they are of the slowest's kind, as with --straggler slow:2:5.
  for (const w of steps)
    if (w.mean_step_s >= limit && w.mean_step_s >= 0.75 * slowest.mean_step_s)
      run.stragglers.add(w.worker);
}

function audit_of(run) {
  const m = run.mixing ?? {};
  if (!(m.rounds_audited > 0))
    return {kind: "none", verdict: "Not audited", detail: "no round was complete enough to check"};
  const faults = [];
  if (m.one_sided_edges > 0)
    faults.push(`${count(m.one_sided_edges)} one-sided ${m.one_sided_edges === 1 ? "average" : "averages"}`);
  if (m.max_row_error > 1e-9)
    faults.push("weights of a worker that do not sum to 1");
  if (m.max_column_error > 1e-9)
    faults.push("averaging moved the mean");
  if (m.max_projection_error > 1e-5)
    faults.push("the estimates do not agree with the weights reported");
  if (faults.length)
    return {kind: "violated", verdict: "Audit violated", detail: `${faults.join("; ")}, in ${count(m.rounds_audited)} rounds checked`};
  const lost = m.edges_lost > 0 ? `; ${count(m.edges_lost)} lost to departures` : "";
  return {kind: "clean", verdict: "Audit clean", detail: `${count(m.rounds_audited)} rounds checked, no one-sided average${lost}`};
}

runs.forEach((run, i) => {
  run.policy = String(run.policy ?? `run ${i + 1}`);
  run.per_worker ??= [];
  run.per_edge ??= [];
  run.evaluations ??= [];
  run.series = (data.series ?? [])[i];
  const twins = runs.slice(0, i).filter(other => other.policy === run.policy).length;
  run.label = twins ? `${run.policy} (${twins + 1})` : run.policy;
  run.waited = w => w.wait_s / Math.max(w.compute_s + w.wait_s, 1e-12);
  choose_stragglers(run);
  run.audit = audit_of(run);
});
choose_hues();
const full = runs.find(run => run.policy === "full");
const speed_up = run => full && is_number(full.time_to_target_s) && is_number(run.time_to_target_s) && run.time_to_target_s > 0
  ? full.time_to_target_s / run.time_to_target_s : undefined;
/// Where full did not get there in its time, the speed-up is larger than this.
const speed_up_above = run => full && full !== run && !is_number(full.time_to_target_s) && is_number(full.duration_s) && run.time_to_target_s > 0
  ? full.duration_s / run.time_to_target_s : undefined;
const speed_up_text = run => run === full ? "1 ×" : is_number(speed_up(run)) ? times(speed_up(run)) : is_number(speed_up_above(run)) ? `> ${times(speed_up_above(run))}` : none;
const longest_s = Math.max(0, ...runs.map(run => Math.max(run.duration_s ?? 0, run.evaluations.at(-1)?.time_s ?? 0)));
const with_accuracy = runs.some(run => is_number(run.test_accuracy));

// --- Title and facts ------------------------------------------------------------------------------------------------

function headline() {
  const reached = runs.filter(run => is_number(run.time_to_target_s)).sort((x, y) => x.time_to_target_s - y.time_to_target_s);
  const failed = runs.filter(run => run.failed);
  if (!runs.length)
    return ["No run in this report", ""];
  const all = runs.map(run => run.label).join(", ");
  const lead = runs.length > 1 ? `Policies ${all}: same data, same graph, same seed.` : `One policy: ${all}.`;
  const end = failed.length ? ` ${failed.map(run => run.label).join(", ")} did not end as asked.` : "";
  if (target !== undefined && reached.length) {
    const best = reached[0];
    const start = `${best.label} reached ${target_text} test accuracy in ${seconds(best.time_to_target_s)}`;
    if (!full || runs.length === 1)
      return [start, lead + end];
    if (best === full)
      return [`${start}; no other policy was faster`, lead + end];
    if (!is_number(full.time_to_target_s))
      return [`${start}; full did not reach it in ${seconds(full.duration_s)}`, lead + end];
    const factor = speed_up(best);
    return [`${start}, ${factor < 1.05 ? "about as fast as full" : `${factor.toFixed(1)} times as fast as full`}`, lead + end];
  }
  const ranked = runs.filter(run => is_number(run.test_accuracy)).sort((x, y) => y.test_accuracy - x.test_accuracy);
  if (target !== undefined && ranked.length)
    return [`${runs.length > 1 ? "No policy" : capital(runs[0].label)} ${runs.length > 1 ? "reached" : "did not reach"} ${target_text} test accuracy`,
      `${ranked[0].label} came closest with ${accuracy_text(ranked[0].test_accuracy)}. ${lead}${end}`];
  if (ranked.length)
    return [`${ranked[0].label} ended at ${accuracy_text(ranked[0].test_accuracy)} test accuracy${runs.length > 1 ? ", the highest of " + runs.length : ""}`, lead + end];
  if (setting("model") !== "none")
    return [`${all}: nothing was evaluated`, lead + end];
  const busiest = runs.filter(run => is_number(run.compute_share)).sort((x, y) => y.compute_share - x.compute_share)[0];
  return [busiest && runs.length > 1 ? `Workers computed most of the time under ${busiest.label}: ${percent(busiest.compute_share)}` : `Consensus only: ${all}`,
    `No model was trained. ${lead}${end}`];
}

function draw_header() {
  const [title, lead] = headline();
  by_id("headline").textContent = title;
  by_id("lead").textContent = lead;
  document.title = `dybw: ${runs.map(run => run.label).join(", ")}`;
  const first = runs[0] ?? {};
  const fact = (name, value, more) => value === undefined || value === null || value === "" ? undefined
    : el("div", {}, el("dt", {}, name), el("dd", {}, String(value), more ? el("small", {}, ` ${more}`) : undefined));
  const straggler = setting("straggler");
  const straggling = runs.find(run => run.straggler_word === "straggler" && run.stragglers.size)?.stragglers;
  const facts = [
    fact("Dataset", setting("dataset"), setting("partition")),
    fact("Model", setting("model"), is_number(first.parameters) && first.parameters > 0 ? `${count(first.parameters)} parameters` : ""),
    fact("Workers", setting("workers")),
    fact("Topology", setting("topology"), is_number(first.edges) ? `${count(first.edges)} edges` : ""),
    fact("Straggler", straggler, straggling && straggler !== "none" && straggling.size <= 4 ? `worker ${[...straggling].join(", ")}` : ""),
    fact("Step time", setting("step_time")),
    fact("Clock", virtual_clock ? "virtual" : undefined),
    fact("Seed", setting("seed")),
  ];
  by_id("facts").append(...facts.filter(Boolean));
  const names = Object.entries(document_.config ?? {});
  if (!names.length)
    return by_id("settings").remove();
  const text = value => value === null ? none : typeof value === "object" ? JSON.stringify(value) : String(value);
  by_id("settings").append(el("div", {class: "scroll"}, el("table", {},
    el("tbody", {}, ...names.map(([name, value]) => el("tr", {}, el("th", {scope: "row"}, name), el("td", {class: "settings"}, text(value))))))));
}

// --- Tiles ----------------------------------------------------------------------------------------------------------

function tile(run) {
  const items = [];
  const item = (name, value) => items.push(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  let big, unit, bar, words = false;
  if (target !== undefined && with_accuracy) {
    if (is_number(run.time_to_target_s)) {
      big = duration_parts(run.time_to_target_s);
      unit = `to ${target_text} test accuracy`;
      bar = run.time_to_target_s;
    } else {
      big = ["Not reached", ""];
      words = true;
      unit = `${target_text} test accuracy, in ${seconds(run.duration_s)}`;
    }
    item("Speed-up over full", run === full ? "baseline" : full ? speed_up_text(run) : "full was not run");
  } else if (with_accuracy) {
    big = is_number(run.test_accuracy) ? [(100 * run.test_accuracy).toFixed(1), "%"] : [none, ""];
    unit = `test accuracy after ${seconds(run.duration_s)}`;
    bar = run.duration_s;
  } else {
    big = is_number(run.compute_share) ? percent(run.compute_share).split(" ") : [none, ""];
    unit = "of the time computing";
    bar = run.compute_share * longest_s;
  }
  if (is_number(run.test_accuracy) && !(target === undefined))
    item("Test accuracy", accuracy_text(run.test_accuracy));
  if (with_accuracy)
    item("Time computing", percent(run.compute_share));
  item("Backup workers", or_none(x => x.toFixed(2))(run.mean_backup_workers));
  if (!with_accuracy || target === undefined)
    item("Mean round", seconds(run.mean_round_s));
  if (with_accuracy && target === undefined)
    item("Worst worker’s accuracy", accuracy_text(run.worst_worker_accuracy));
  if (!with_accuracy) {
    item("Consensus distance", figures(run.consensus_distance));
    item("Rounds", count(run.rounds));
  }
  const meter = el("div", {class: "meter", "aria-hidden": "true"}, el("i", is_number(bar) ? {} : {class: "open"}));
  meter.firstChild.style.width = `${100 * Math.min(1, is_number(bar) ? bar / Math.max(longest_s, 1e-12) : 1)}%`;
  const trouble = [];
  if (run.failed)
    trouble.push(`The run failed${run.failure ? `: ${run.failure}` : ""}.`);
  if (run.interrupted)
    trouble.push("The run was interrupted.");
  if (run.workers_lost?.length)
    trouble.push(`Lost ${run.workers_lost.length === 1 ? "worker" : "workers"} ${run.workers_lost.join(", ")}.`);
  const mark = {clean: "✓ ", violated: "✗ ", none: ""}[run.audit.kind];
  return hued(el("article", {class: "tile"},
    el("h3", {}, swatch(run), name_of(run)),
    el("div", {class: words ? "big words" : "big"}, big[0], big[1] ? el("small", {}, big[1]) : undefined),
    el("div", {class: "unit"}, unit), meter, el("dl", {}, ...items),
    el("p", {class: `audit ${run.audit.kind}`}, el("b", {}, mark + run.audit.verdict), `: ${run.audit.detail}.`),
    ...trouble.map(text => el("p", {class: "trouble"}, text))), run);
}

// --- Comparison table -----------------------------------------------------------------------------------------------

function draw_comparison() {
  const mixing = name => run => run.mixing?.[name];
  const groups = [
    ["Outcome", [
      [target === undefined ? "" : `Time to ${target_text}`, run => run.time_to_target_s, seconds, "low", target !== undefined && with_accuracy ? "not reached" : undefined],
      ["Speed-up over full", run => speed_up(run) ?? speed_up_above(run), (x, run) => run ? speed_up_text(run) : times(x), "high"],
      ["Test accuracy", run => run.test_accuracy, accuracy_text, "high"],
      ["Test loss", run => run.test_loss, figures, "low"],
      ["Worst worker’s accuracy", run => run.worst_worker_accuracy, accuracy_text, "high"],
      ["Consensus distance", run => run.consensus_distance, figures],
    ]],
    ["Speed", [
      ["Duration", run => run.duration_s, seconds],
      ["Rounds", run => run.rounds, count],
      ["Mean round", run => run.mean_round_s, seconds],
      ["Gradient steps used", run => run.local_steps, count],
      ["Useful steps per second", run => run.useful_gradient_rate, figures, "high"],
      ["No-wait bound, steps per second", run => run.no_wait_rate, figures],
      ["Share of the bound reached", run => run.no_wait_rate > 0 ? run.useful_gradient_rate / run.no_wait_rate : undefined, percent, "high"],
    ]],
    ["Waiting", [
      ["Time computing", run => run.compute_share, percent, "high"],
      ["Backup workers, mean", run => run.mean_backup_workers, figures],
      ["Edges active per round", run => run.mean_active_share, percent],
      ["Timeouts", run => run.timeouts, count, "zero"],
      ["Steps discarded", run => run.steps_discarded, count],
    ]],
    ["Traffic and cost", [
      ["Estimates sent", run => run.estimates_sent, count],
      ["Estimates late", run => run.estimates_late, count],
      ["Parameters sent", run => run.bytes_sent, bytes],
      ["Processor time of this host", run => run.host_cpu_s, seconds],
      ["Peak memory of this host", run => run.peak_rss_bytes, bytes],
    ]],
    ["Audit", [
      ["Verdict", run => run.audit.kind, kind => ({clean: "clean", violated: "violated", none: "not audited"})[kind], "verdict"],
      ["Rounds audited", mixing("rounds_audited"), count],
      ["One-sided averages", mixing("one_sided_edges"), count, "zero"],
      ["Lost to departures", mixing("edges_lost"), count],
      ["Largest row error of P", mixing("max_row_error"), figures],
      ["Largest column error of P", mixing("max_column_error"), figures],
      ["Largest projection error", mixing("max_projection_error"), figures],
      ["Rounds until all were joined", mixing("connect_rounds_max"), count],
    ]],
  ];
  const bodies = [el("tbody"), el("tbody")];
  for (const [group, rows] of groups) {
    const body = bodies[group === "Outcome" || group === "Audit" ? 0 : 1];
    const drawn = rows.filter(([, value, , , missing]) => missing !== undefined || runs.some(run => value(run) !== undefined && value(run) !== null));
    if (!drawn.length)
      continue;
    body.append(el("tr", {class: "group"}, el("th", {scope: "colgroup", colspan: runs.length + 1}, group)));
    for (const [name, value, format, better, missing] of drawn) {
      const values = runs.map(value);
      const known = values.filter(is_number);
      const best = known.length < 2 && !missing || new Set(known.map(x => format(x))).size < 2 && known.length === values.length ? undefined
        : better === "low" ? Math.min(...known) : better === "high" ? Math.max(...known) : undefined;
      body.append(el("tr", {}, el("th", {scope: "row"}, name), ...values.map((x, i) => {
        const wrong = better === "zero" && x > 0 || better === "verdict" && x === "violated";
        const is_best = best !== undefined && is_number(x) && format(x) === format(best);
        return el("td", {class: wrong ? "wrong" : is_best ? "best" : undefined}, x === null || x === undefined ? missing ?? none : format(x, runs[i]),
          is_best ? el("span", {class: "hidden-text"}, " (best)") : undefined);
      })));
    }
  }
  const head = () => el("tr", {}, el("th", {scope: "col"}, el("span", {class: "hidden-text"}, "Measure")),
    ...runs.map(run => el("th", {scope: "col"}, el("span", {class: "head"}, swatch(run), name_of(run)))));
  by_id("comparison-tables").style.setProperty("--table", `${190 + 95 * runs.length}px`);
  by_id("comparison-title").textContent = runs.length > 1 ? "Side by side" : "In numbers";
  by_id("comparison-tables").append(...bodies.filter(body => body.children.length).map((body, i) => el("div", {class: "scroll", tabindex: "0", role: "region",
    "aria-label": i === 0 ? "Outcome and audit" : "Speed, waiting and cost"}, el("table", {}, el("thead", {}, head()), body))));
  by_id("comparison-what").textContent = runs.length > 1 ? "The best value of a row is set in bold where one direction is better." : "";
}

// --- Charts over time -----------------------------------------------------------------------------------------------

const curves = [
  {id: "accuracy", title: "Test accuracy", what: "Of the average model, on the whole test set.", field: "test_accuracy", text: accuracy_text, share: true, target: true,
    read: "Further left is better: compare where the lines cross the dashed target line, the ringed points, rather than where they end."},
  {id: "loss", title: "Test loss", what: "Of the average model, on the whole test set.", field: "test_loss", text: figures,
    read: "The faster fall wins; a line that rises again is overfitting or has too large a step size."},
  {id: "worst", title: "Worst worker’s test accuracy", what: "The lowest accuracy of any single worker’s own estimate.", field: "worst_worker_accuracy", text: accuracy_text, share: true, target: true,
    read: "It should follow the average model closely; a gap means that somebody, often the straggler, is left behind."},
  {id: "consensus", title: "Consensus distance", what: "Mean squared distance of estimates from their average (log).", field: "consensus_distance", text: figures, log: true,
    read: "It should stay bounded and fall in the end; steady growth means that the workers drift apart."},
];
const hidden = new Set();
let charts = [];

const target_line = {
  id: "target_line",
  beforeDatasetsDraw(chart, _, options) {
    if (!is_number(options.at))
      return;
    const {ctx, chartArea: area, scales: {y}} = chart;
    const at = y.getPixelForValue(options.at);
    if (at < area.top || at > area.bottom)
      return;
    ctx.save();
    ctx.strokeStyle = css("--ink");
    ctx.setLineDash([5, 4]);
    ctx.beginPath();
    ctx.moveTo(area.left, at);
    ctx.lineTo(area.right, at);
    ctx.stroke();
    ctx.restore();
  },
  afterDatasetsDraw(chart, _, options) {
    const {ctx, chartArea: area, scales: {x, y}} = chart;
    const active = chart.tooltip?.getActiveElements?.() ?? [];
    ctx.save();
    if (active.length && chart.tooltip.opacity > 0) {
      ctx.strokeStyle = css("--ink-soft");
      ctx.beginPath();
      ctx.moveTo(chart.tooltip.caretX, area.top);
      ctx.lineTo(chart.tooltip.caretX, area.bottom);
      ctx.stroke();
    }
    if (options.reached && is_number(options.at))
      for (const [i, run] of chart.data.datasets.map(d => d.run).entries()) {
        if (!is_number(run.time_to_target_s) || !chart.isDatasetVisible(i))
          continue;
        ctx.beginPath();
        ctx.arc(x.getPixelForValue(run.time_to_target_s), y.getPixelForValue(options.at), 6, 0, 2 * Math.PI);
        ctx.fillStyle = css("--surface");
        ctx.strokeStyle = css(`--policy-${run.hue}`);
        ctx.lineWidth = 3;
        ctx.fill();
        ctx.stroke();
      }
    const at = is_number(options.at) ? y.getPixelForValue(options.at) : -1;
    if (at >= area.top && at <= area.bottom) {
      const text = `target ${target_text}`;
      ctx.font = `600 11.5px ${Chart.defaults.font.family}`;
      ctx.textBaseline = "bottom";
      ctx.lineJoin = "round";
      ctx.lineWidth = 4;
      ctx.strokeStyle = css("--surface");
      ctx.strokeText(text, area.left + 6, at - 4);
      ctx.fillStyle = css("--ink");
      ctx.fillText(text, area.left + 6, at - 4);
    }
    ctx.restore();
  },
};

function line_of(run, curve) {
  const points = run.evaluations.filter(e => is_number(e.time_s) && is_number(e[curve.field]) && (!curve.log || e[curve.field] > 0))
    .map(e => ({x: e.time_s, y: e[curve.field]}));
  const hue = css(`--policy-${run.hue}`);
  const every = Math.max(1, Math.ceil(points.length / 8));
  const marked = context => context.dataIndex === points.length - 1 ||
    context.dataIndex < points.length - 1 - every / 2 && (context.dataIndex + run.hue * 2) % every === 0;
  return {run, label: run.label, data: points, hidden: hidden.has(run), borderColor: hue, backgroundColor: hue, borderWidth: 2.2, tension: 0,
    pointStyle: shape_of(run)[0], pointRadius: context => marked(context) ? 4 : 0, pointHoverRadius: 5, pointBorderColor: css("--surface"),
    pointBorderWidth: 1, pointHitRadius: 0, clip: 8};
}

function chart_of(canvas, curve) {
  const ink = css("--ink-soft"), grid = css("--line-soft");
  const title = text => ({display: true, text, color: ink, font: {size: 12}});
  const tick_text = value => {
    if (curve.log) {
      const exponent = Math.log10(value);
      return Math.abs(exponent - Math.round(exponent)) < 1e-9 ? `10${superscript(Math.round(exponent))}` : "";
    }
    return curve.share ? `${Number((100 * value).toPrecision(3))} %` : String(Number(value.toPrecision(3)));
  };
  return new Chart(canvas, {
    type: "line",
    data: {datasets: runs.map(run => line_of(run, curve))},
    plugins: [target_line],
    options: {
      animation: false, parsing: false, normalized: true, maintainAspectRatio: false,
      interaction: {mode: "each_line", intersect: false},
      layout: {padding: {right: 10, top: 4}},
      scales: {
        x: {type: "linear", min: 0, max: longest_s, title: title(`${time_name} (s)`), grid: {display: false, borderColor: css("--line")},
          ticks: {color: ink, maxTicksLimit: 9, maxRotation: 0, includeBounds: false}},
        y: {type: curve.log ? "logarithmic" : "linear", grid: {color: context => curve.log && !tick_text(context.tick.value) ? "transparent" : grid, borderColor: "transparent", drawTicks: false},
          afterDataLimits: scale => {
            if (curve.share && curve.target && is_number(target) && scale.max < target)
              scale.max = target;
            if (curve.share)
              scale.max = Math.min(1, scale.max + 0.03 * (scale.max - scale.min));
            if (curve.log) { // whole decades, so that at least two ticks carry a number
              scale.min = 10 ** Math.floor(Math.log10(scale.min) + 1e-9);
              scale.max = 10 ** Math.ceil(Math.log10(scale.max) - 1e-9);
            }
          },
          ticks: {color: ink, padding: 8, maxTicksLimit: curve.log ? undefined : 7, callback: tick_text}},
      },
      plugins: {
        legend: {display: false},
        target_line: {at: curve.target ? target : undefined, reached: curve.field === "test_accuracy"},
        tooltip: {backgroundColor: css("--ink"), titleColor: css("--ground"), bodyColor: css("--ground"), usePointStyle: true, boxPadding: 5, padding: 9,
          callbacks: {title: () => curve.title, labelColor: item => ({borderColor: "transparent", backgroundColor: item.dataset.borderColor}), label: item => ` ${item.dataset.label}: ${curve.text(item.parsed.y)} at ${seconds(item.parsed.x)}`}},
      },
    },
  });
}

function summary_of(curve) {
  const ends = runs.map(run => {
    const last = run.evaluations.findLast(e => is_number(e[curve.field]));
    return last && `${run.label} ends at ${curve.text(last[curve.field])} after ${seconds(last.time_s)}`;
  }).filter(Boolean);
  return `Line chart of ${curve.title.toLowerCase()} against ${time_name}. ${ends.join("; ")}.`;
}

function draw_curves() {
  const drawn = curves.filter(curve => runs.some(run => run.evaluations.some(e => is_number(e[curve.field]) && (!curve.log || e[curve.field] > 0))));
  if (!drawn.length)
    return by_id("curves").remove();
  Chart.defaults.font.family = css("--sans");
  Chart.defaults.font.size = 12;
  for (const curve of drawn) {
    curve.canvas = el("canvas", {role: "img", "aria-label": summary_of(curve)});
    by_id("charts").append(el("figure", {class: "card"}, el("h3", {}, curve.title), el("p", {class: "what"}, curve.what),
      el("div", {class: "plot"}, curve.canvas)));
  }
  const redraw = () => {
    charts.forEach(chart => chart.destroy());
    charts = drawn.map(curve => chart_of(curve.canvas, curve));
  };
  redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => charts.forEach(chart => chart.resize()));
  for (const run of runs) {
    const button = hued(el("button", {type: "button", "aria-pressed": "true", title: "Show or hide"}, swatch(run), name_of(run)), run);
    button.addEventListener("click", () => {
      const show = hidden.delete(run);
      if (!show)
        hidden.add(run);
      button.setAttribute("aria-pressed", String(show));
      for (const chart of charts) {
        chart.setDatasetVisibility(runs.indexOf(run), show);
        chart.update();
      }
    });
    by_id("curves-key").append(button);
  }
  by_id("curves-key").hidden = runs.length < 2;
  return drawn;
}

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
  const rank = r => [r === full ? 1 : 0, r.time_to_target_s ?? Infinity, -(r.compute_share ?? 0)];
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
    time.textContent = `${limited}Each box: one worker, 0 to ${seconds(end_of())}; the number is the mean.${outlined}`;
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
    el("span", {class: "what"}, `${percent(run.compute_share)} computing${limited}`)), list, table), run);
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
      svg("circle", {cx: x.toFixed(1), cy: y.toFixed(1), r: (slow ? 1.15 : 1) * layout.radius}));
    if (layout.radius >= 6.5) {
      const label = svg("text", {x: x.toFixed(1), y: (y + 0.5).toFixed(1)}, String(id));
      label.style.fontSize = `${Math.max(8.5, Math.min(13, 0.95 * layout.radius))}px`;
      node.append(label);
    }
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

// --- Footer ---------------------------------------------------------------------------------------------------------

function draw_footer(drawn) {
  const reading = [
    ["Tiles", with_accuracy && target !== undefined ? "Time to the target is the honest yardstick; the bar compares it with the longest run on the page." : "Compare the large numbers; the audit must be clean for any of them to count."],
    [by_id("comparison-title").textContent, "Look at the share of the no-wait bound: it says how much of what the machines could compute became used gradients."],
    ...(drawn.curves ?? []).map(curve => [curve.title, curve.read]),
    ...(drawn.workers ? [["Backup workers", "Neighbours of the straggler should hold backup workers while it is slow, and give them up when it recovers."],
      ["Waiting share", "A policy works when the boxes around the straggler are as low as those far from it; the straggler itself hardly ever waits."]] : []),
    ...(drawn.split ? [["Where the time went", "Hatched is time lost to waiting: with full every worker loses what the straggler takes, with backup workers it should be small everywhere."]] : []),
    ...(drawn.graph ? [["Who averaged with whom", "Edges at the straggler may be thin but never missing: a part of the graph that is cut off no longer learns from the rest."]] : []),
    ["Audit", "Every average must be mutual and keep the mean; a one-sided average biases the result towards fast workers’ data."],
  ];
  by_id("reading").append(...reading.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
  by_id("version").textContent = `dybw ${document_.dybw ?? ""}. Charts over time: Chart.js ${Chart.version}, MIT licence. This file is complete in itself and fetches nothing.`;
}

draw_header();
by_id("tiles").append(...runs.map(tile));
draw_comparison();
const drawn = {curves: draw_curves(), workers: draw_workers(), split: draw_split(), graph: draw_graph()};
draw_footer(drawn);
document.documentElement.dataset.state = "drawn";

})();
