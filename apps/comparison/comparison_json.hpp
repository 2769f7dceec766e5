#pragma once

#include "apps/comparison/comparison.hpp"

namespace dybw {

/// Every run with its directory and its ratio to the reference: what `dybw report --format json` prints.
nlohmann::json runs_to_json(const comparison& all);

/// Every group with the means of its figures: what `--group` makes of it.
///
///     {"dybw", "ratio_by", "groups": [{"policy", "label", "setting": {..}, "seeds": [..], "directories":
///     [..],
///       "figures": {FIELD: {"mean", "half_width", "count"}, ..}, "ratio_to_first": {"mean", "low", "high",
///       "count", "of", "bound"}, "clean"}, ..]}
///
/// "time_to_target_s" has "bound": ">" too, where some of the runs did not reach it: their time is more.
/// "of" and "bound" of a ratio: see `interval`; null for none.
nlohmann::json groups_to_json(const comparison& all);

/// Data of the report page (apps/pages/report_page.hpp), a RUN for each group. Reads the rounds of the first
/// run of each; throws `input_error` as `read_series` does.
nlohmann::json page_data(const comparison& all);

/// One EVALUATION of a group: means over its runs while all of them last, with "half_widths" of each figure,
/// and the last one, which is set apart. Of a single run those that it has.
nlohmann::json evaluations_of(const comparison& all, const run_group& g);

} // namespace dybw
