// The report page. These files become one script, in the order of CMakeLists.txt; what one declares at its top level, those after it
// use. This one reads the JSON in #report-data (its form: apps/pages/report_page.hpp). Data reaches the page as text only, never as
// markup.
"use strict";

const {by_id, is_number, none, or_none, figures, count, percent, accuracy_text, times, bytes, duration_parts, seconds, capital, median,
  el, svg, css, tick_text, span_decades, number_in, edge_path, tip_for} = base;

addEventListener("error", event => {
  by_id("failure").textContent = `This page could not be drawn completely: ${event.message}`;
  by_id("failure").hidden = false;
});

const data = JSON.parse(document.getElementById("report-data").textContent);
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
const shape_of = run => shapes[(run.hue + run.variant) % shapes.length];
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const dash_of = run => dashes[run.variant % dashes.length];
const swatch = run => hued(svg("svg", {class: "swatch", viewBox: "0 0 16 16", "aria-hidden": "true"},
  svg("path", {d: shape_of(run)[1], fill: "currentColor"})), run);
/// The policy, and below it what tells it from others of the same policy.
const name_of = run => {
  const more = run.label.startsWith(`${run.policy} (`) ? run.label.slice(run.policy.length + 2, -1) : "";
  return el("span", {class: "name"}, more ? run.policy : run.label, more ? el("small", {class: "more"}, more) : undefined);
};

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
const both_clocks = virtual_clock && runs.some(run => run.clock && run.clock !== "virtual");
const time_name = both_clocks ? "time, virtual or real" : virtual_clock ? "virtual time" : "time";

/// A policy has one colour on every page and in every figure (policy_hue in apps/comparison); what else differs shows in shape and dash.
function choose_hues() {
  const known = {dtur: 0, full: 1, static: 2, adpsgd: 3, hop: 4, adaptive: 5, barrier: 6};
  const hues = 7;
  const variants = new Map();
  for (const run of runs) {
    const kind = run.policy.split(":")[0];
    run.hue = known[kind] ?? [...new TextEncoder().encode(kind)].reduce((sum, c) => sum + c, 0) % hues;
    run.variant ??= variants.get(kind) ?? 0;
    variants.set(kind, run.variant + 1);
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
  const exceeds = (x, most) => x === null || x > most; // null: not finite
  if (m.one_sided_edges > 0)
    faults.push(`${count(m.one_sided_edges)} one-sided ${m.one_sided_edges === 1 ? "average" : "averages"}`);
  if (exceeds(m.max_row_error, 1e-9))
    faults.push("weights of a worker that do not sum to 1");
  if (exceeds(m.max_column_error, 1e-9))
    faults.push("averaging moved the mean");
  if (exceeds(m.max_projection_error, 5e-7))
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
  run.label ??= twins ? `${run.policy} (${twins + 1})` : run.policy;
  run.seeds ??= is_number(run.seed) ? [run.seed] : [];
  run.bound_share ??= run.no_wait_rate > 0 ? run.useful_gradient_rate / run.no_wait_rate : undefined;
  run.waited = w => w.wait_s / Math.max(w.compute_s + w.wait_s, 1e-12);
  choose_stragglers(run);
  run.audit = audit_of(run);
});
choose_hues();
/// The run of the policy full in the same setting: the baseline. A comparison of many runs says which one that is.
const full_of = run => document_.differing ? runs[run.full] : runs.find(other => other.policy === "full");
const full = runs.length && runs.every(run => full_of(run) === full_of(runs[0])) ? full_of(runs[0]) : undefined;
/// Of several seeds: the geometric mean over runs of the same seed.
const speed_up = run => {
  const first = full_of(run);
  if (document_.differing)
    return run.speed_up?.mean;
  return first && is_number(first.time_to_target_s) && is_number(run.time_to_target_s) && run.time_to_target_s > 0 ? first.time_to_target_s / run.time_to_target_s : undefined;
};
/// Where full did not get there in its time, the speed-up is larger than this.
const speed_up_above = run => {
  const first = full_of(run);
  return first && first !== run && run.seeds.length < 2 && !is_number(first.time_to_target_s) && is_number(first.duration_s) && run.time_to_target_s > 0 ? first.duration_s / run.time_to_target_s : undefined;
};
const speed_up_text = run => {
  if (run === full_of(run))
    return "1 ×";
  if (!is_number(speed_up(run)))
    return is_number(speed_up_above(run)) ? `> ${times(speed_up_above(run))}` : none;
  const {bound, low, high, count: pairs, of} = run.speed_up ?? {};
  return `${bound ? `${bound} ` : ""}${times(speed_up(run))}${pairs > 1 ? ` (${low.toFixed(2)} to ${high.toFixed(2)})` : ""}${pairs < of ? ` (${pairs} of ${of})` : ""}`;
};
/// What may be less than is shown does not win.
const is_earned = run => run === full_of(run) || !["<", "~"].includes(run.speed_up?.bound);
/// With every seed.
const has_reached = run => is_number(run.time_to_target_s) && !(run.counts?.time_to_target_s < run.seeds.length);
const time_text = (x, run) => `${run && is_number(run.time_to_target_s) && !has_reached(run) ? "> " : ""}${seconds(x)}`;
const bounds_note = runs.some(run => is_number(run.time_to_target_s) && !has_reached(run))
  ? "(n of m): n of m runs reached the target. The time of the others is more, and so is the mean (>); a speed-up is less (<) if they are the policy’s own, more (>) if they are those of full, unknown (~) if both." : "";
const several_seeds = runs.some(run => run.seeds.length > 1);
/// "± half of the 95 % interval", and of how many runs if not of all.
const spread_text = (run, field, text) => {
  const half = run.half_widths?.[field], of = run.counts?.[field];
  return `${half > 0 ? ` ± ${text(half)}` : ""}${of < run.seeds.length ? ` (${of} of ${run.seeds.length})` : ""}`;
};
/// What belongs to single workers is that of the first seed.
const of_seed = run => run.seeds.length > 1 ? `seed ${run.seeds[0]}` : undefined;
const longest_s = Math.max(0, ...runs.map(run => Math.max(run.duration_s ?? 0, run.evaluations.at(-1)?.time_s ?? 0)));
/// Of many workers only some are scored.
const worst_text = (x, run) => accuracy_text(x) + (run?.scored_workers > 0 && run.scored_workers + (run.workers_lost?.length ?? 0) < run.workers ? ` of ${count(run.scored_workers)}` : "");
const with_accuracy = runs.some(run => is_number(run.test_accuracy));
