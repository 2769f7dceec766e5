// The report itself: title, tiles, comparison and footer; draws everything.
"use strict";

// --- Title and facts ------------------------------------------------------------------------------------------------

function lead_text(all) {
  const seeds = [...new Set(runs.flatMap(run => run.seeds))];
  const over = several_seeds ? ` Means over ${seeds.length} seeds, with 95 % intervals.` : "";
  const missing = several_seeds && runs.some(run => new Set(run.seeds).size < seeds.length) ? " Not every one has them all." : "";
  if (runs.length < 2)
    return `One policy: ${all}.${over}`;
  const differing = document_.differing ?? [];
  const names = all.length > 200 ? `${runs.length} kinds of runs` : document_.differing?.length ? all : `Policies ${all}`;
  const same = differing.length ? `not the same in ${differing.join(", ")}` : "same data, same graph";
  return `${names}: ${same}${several_seeds || seeds.length < 2 ? several_seeds ? "." : ", same seed." : `, but of the seeds ${seeds.join(", ")}.`}${over}${missing}`;
}

function headline() {
  const reached = runs.filter(has_reached).sort((x, y) => x.time_to_target_s - y.time_to_target_s);
  const failed = runs.filter(run => run.failed);
  if (!runs.length)
    return ["No run in this report", ""];
  const all = runs.map(run => run.label).join(", ");
  const lead = lead_text(all);
  const end = failed.length ? ` ${failed.map(run => run.label).join(", ")} did not end as asked.` : "";
  if (target !== undefined && reached.length) {
    const best = reached[0];
    const start = `${best.label} reached ${target_text} test accuracy in ${seconds(best.time_to_target_s)}`;
    if (!full || runs.length === 1 || both_clocks)
      return [start, lead + end];
    if (best === full)
      return [`${start}; no other policy was faster`, lead + end];
    if (!has_reached(full))
      return [`${start}; full did not reach it in ${seconds(full.duration_s)}${is_number(full.time_to_target_s) ? " with every seed" : ""}`, lead + end];
    const factor = speed_up(best);
    if (!is_number(factor))
      return [start, lead + end];
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
    fact("Clock", both_clocks ? "virtual, real" : virtual_clock ? "virtual" : undefined),
    fact(String(setting("seed") ?? "").includes(",") ? "Seeds" : "Seed", setting("seed")),
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
  let big, unit, bar, field, words = false;
  if (target !== undefined && with_accuracy) {
    if (is_number(run.time_to_target_s) && !has_reached(run)) {
      big = [`${run.counts.time_to_target_s} of ${run.seeds.length} runs`, ""];
      words = true;
      unit = `reached ${target_text} test accuracy`;
    } else if (is_number(run.time_to_target_s)) {
      big = duration_parts(run.time_to_target_s);
      field = ["time_to_target_s", seconds];
      unit = `to ${target_text} test accuracy`;
      bar = run.time_to_target_s;
    } else {
      big = ["Not reached", ""];
      words = true;
      unit = `${target_text} test accuracy, in ${seconds(run.duration_s)}`;
    }
    if (full_of(run))
      item("Speed-up over full", run === full_of(run) ? "baseline" : speed_up_text(run));
  } else if (with_accuracy) {
    big = is_number(run.test_accuracy) ? [(100 * run.test_accuracy).toFixed(1), "%"] : [none, ""];
    unit = `test accuracy after ${seconds(run.duration_s)}`;
    field = ["test_accuracy", accuracy_text];
    bar = run.duration_s;
  } else {
    big = is_number(run.compute_share) ? percent(run.compute_share).split(" ") : [none, ""];
    unit = "of the time computing";
    field = ["compute_share", percent];
    bar = run.compute_share * longest_s;
  }
  if (is_number(run.test_accuracy) && !(target === undefined))
    item("Test accuracy", accuracy_text(run.test_accuracy) + spread_text(run, "test_accuracy", accuracy_text));
  if (with_accuracy)
    item("Time computing", percent(run.compute_share) + spread_text(run, "compute_share", percent));
  item("Backup workers", or_none(x => x.toFixed(2))(run.mean_backup_workers) + spread_text(run, "mean_backup_workers", x => x.toFixed(2)));
  if (!with_accuracy || target === undefined)
    item("Mean round", seconds(run.mean_round_s));
  if (with_accuracy && target === undefined)
    item("Worst worker’s accuracy", worst_text(run.worst_worker_accuracy, run));
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
    el("div", {class: "unit"}, [field ? spread_text(run, ...field).trim() : "", run.seeds.length > 1 ? `${unit}, ${run.seeds.length} runs` : unit].filter(Boolean).join(" ")), meter, el("dl", {}, ...items),
    el("p", {class: `audit ${run.audit.kind}`}, el("b", {}, mark + run.audit.verdict), `: ${run.audit.detail}.`),
    ...trouble.map(text => el("p", {class: "trouble"}, text))), run);
}

// --- Comparison table -----------------------------------------------------------------------------------------------

function draw_comparison() {
  const mixing = name => run => run.mixing?.[name];
  const groups = [
    ["Outcome", [
      [target === undefined ? "Time to target" : `Time to ${target_text}`, "time_to_target_s", time_text, "low", target !== undefined && with_accuracy ? "not reached" : undefined, has_reached],
      ["Speed-up over full", run => speed_up(run) ?? speed_up_above(run), (x, run) => run ? speed_up_text(run) : times(x), "high", undefined, is_earned],
      ["Test accuracy", "test_accuracy", accuracy_text, "high"],
      ["Test loss", "test_loss", figures, "low"],
      ["Worst worker’s accuracy", "worst_worker_accuracy", worst_text, "high"],
      ["Consensus distance", "consensus_distance", figures],
    ]],
    ["Speed", [
      ["Duration", "duration_s", seconds],
      ["Rounds", "rounds", count],
      ["Mean round", "mean_round_s", seconds],
      ["Gradient steps used", "local_steps", count],
      ["Useful steps per second", "useful_gradient_rate", figures, "high"],
      ["No-wait bound, steps per second", "no_wait_rate", figures],
      ["Share of the bound reached", "bound_share", percent, "high"],
    ]],
    ["Waiting", [
      ["Time computing", "compute_share", percent, "high"],
      ["Backup workers, mean", "mean_backup_workers", figures],
      ["Edges active per round", "mean_active_share", percent],
      ["Timeouts", "timeouts", count, "zero"],
      ["Steps discarded", "steps_discarded", count],
    ]],
    ["Traffic and cost", [
      ["Estimates sent", "estimates_sent", count],
      ["Estimates late", "estimates_late", count],
      ["Parameters sent", "bytes_sent", bytes],
      ["Processor time of this host", "host_cpu_s", seconds],
      ["Peak memory of this host", "peak_rss_bytes", bytes],
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
    const values_of_row = of => runs.map(typeof of === "string" ? run => run[of] : of);
    const drawn = rows.filter(([, of, , , missing]) => missing !== undefined || values_of_row(of).some(x => x !== undefined && x !== null));
    if (!drawn.length)
      continue;
    body.append(el("tr", {class: "group"}, el("th", {scope: "colgroup", colspan: runs.length + 1}, group)));
    for (const [name, of, format, better, missing, may_win = () => true] of drawn) {
      const values = values_of_row(of);
      const known = values.filter((x, i) => is_number(x) && may_win(runs[i]));
      const best = both_clocks || known.length < 2 && !missing || new Set(known.map(x => format(x))).size < 2 && known.length === values.length ? undefined
        : better === "low" ? Math.min(...known) : better === "high" ? Math.max(...known) : undefined;
      body.append(el("tr", {}, el("th", {scope: "row"}, name), ...values.map((x, i) => {
        const wrong = better === "zero" && x > 0 || better === "verdict" && x === "violated";
        const is_best = best !== undefined && is_number(x) && may_win(runs[i]) && format(x) === format(best);
        return el("td", {class: wrong ? "wrong" : is_best ? "best" : undefined}, x === null || x === undefined ? missing ?? none : format(x, runs[i]),
          typeof of === "string" && is_number(x) && spread_text(runs[i], of, format) ? el("small", {class: "spread"}, spread_text(runs[i], of, format)) : undefined,
          is_best ? el("span", {class: "hidden-text"}, " (best)") : undefined);
      })));
    }
  }
  const head = () => el("tr", {}, el("th", {scope: "col"}, el("span", {class: "hidden-text"}, "Measure")),
    ...runs.map(run => el("th", {scope: "col"}, el("span", {class: "head"}, swatch(run), name_of(run)))));
  by_id("comparison-tables").style.setProperty("--table", `${190 + (several_seeds ? 150 : 95) * runs.length}px`);
  by_id("comparison-title").textContent = runs.length > 1 ? "Side by side" : "In numbers";
  by_id("comparison-tables").append(...bodies.filter(body => body.children.length).map((body, i) => el("div", {class: "scroll", tabindex: "0", role: "region",
    "aria-label": i === 0 ? "Outcome and audit" : "Speed, waiting and cost"}, el("table", {}, el("thead", {}, head()), body))));
  by_id("comparison-what").textContent = [runs.length > 1 ? `The best value of a row is set in bold where one direction is better.${several_seeds ? " Means over the seeds, ± half of the 95 % interval; speed-ups are geometric means over runs of the same seed." : ""}` : "", bounds_note].filter(Boolean).join(" ");
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
