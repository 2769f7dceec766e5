#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace dybw {

/// One self-contained HTML page that compares the runs (policies) of one invocation. It opens offline,
/// fetches nothing, and needs a browser with JavaScript.
///
/// `data` is `{"document": DOCUMENT, "series": [SERIES, ..]}`; times in seconds, shares and accuracies in
/// [0,1]:
///
///     DOCUMENT = {"dybw": VERSION, "config": {NAME: VALUE, ..}, "runs": [RUN, ..]}      what `run.json`
///     holds RUN      = the fields of `run.json` (docs: "What a run writes"), and
///                "per_worker":  [{"worker", "rounds", "local_steps", "compute_s", "wait_s", "mean_step_s",
///                                 "mean_backup_workers", "test_accuracy"}, ..]
///                "per_edge":    [{"edge": [a, b], "active_share"}, ..]                  every edge of the
///                graph "evaluations": [{"time_s", "local_steps", "test_accuracy", "test_loss",
///                                 "worst_worker_accuracy", "consensus_distance"}, ..]   ascending in time
///     SERIES   = {"policy", "time_s": [..], "workers": [{"worker", "backup_workers": [..], "wait_share":
///     [..],
///                                                        "round_s": [..]}, ..]}
///
/// A comparison of runs from several directories (apps/comparison) also has, in DOCUMENT, "differing": names
/// of the options in which its RUNs differ beside the policy; and in RUN
///
///     "label": what it is called, "variant": number of its line's form, "full": number of the RUN that is
///     its baseline, if there is one, "speed_up": {"mean", "low", "high", "count", "of", "bound"} over that
///     one (see `interval` in apps/comparison), "seeds": [..]
///
/// Where a RUN stands for several seeds its numbers are means, with "half_widths" {FIELD: half of the 95 %
/// interval} and "counts" {FIELD: of how many runs}, and its evaluations have "half_widths", too; what
/// belongs to single workers and edges, and its SERIES, are those of the first seed.
///
/// SERIES number i belongs to RUN number i. Its `time_s` holds the middles of the time bins, and each list of
/// a worker holds one mean per bin, null where the worker closed no round in the bin; about 100 bins are
/// plenty. Names in `config` are those of the options, with '-' or '_'; the page uses `dataset`, `partition`,
/// `model`, `workers`, `topology`, `straggler`, `step-time`, `seed` and `target-accuracy`, and lists all
/// others.
///
/// Whatever is null or missing is left out: charts without data are not drawn, a target that was not reached
/// is said in words. The speed-up is taken over the run with the policy `full`, if there is one. A policy has
/// one colour on all pages.
///
/// Strings may hold anything; bytes that are not UTF-8 become U+FFFD. Series are rounded to five significant
/// digits, the document is not. Thread-safe.
std::string render_report(const nlohmann::json& data);

} // namespace dybw
