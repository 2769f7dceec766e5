#pragma once

#include "learning/data/dataset.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace dybw {

/// Loads a table of numbers, one sample per row, in UTF-8. What is not said is recognised, and what is
/// doubtful refused; `reading` of the result says how the file was taken.
///
/// Cells stand apart by commas, semicolons or tabs, in quotes or not (RFC 4180, see `csv_records`). A first
/// line that names the columns is told from one that is a sample. Rows have a cell for each name; blank lines
/// may follow the last.
///
/// **Label.** `label` names its column, or else is its number from 1. If empty: the only column with a name
/// such as label, class or target; else the last one, unless the first could be it as well or the last has
/// numbers that are no classes. Labels are whole numbers or words and become classes from 0 (see
/// `class_labels`).
///
/// **Features.** All other columns, finite numbers with a decimal point; without an index: a first column
/// without a name, one named id or index that has another value in each row, one that counts the rows.
///
/// The share `test_share` of the rows (rounded, at least one, not all), drawn by `seed`, is held out for
/// testing. Each feature is scaled linearly so that its training values span [0,1]; test values beyond are
/// clamped, and a feature that is constant in training becomes 0.
///
/// Throws `input_error`: data fault, naming file, line and column, for anything else than the above, fewer
/// than two rows or a single label; configuration fault for a share outside (0,1) and a label's column that
/// is not there.
data_split load_csv(const std::filesystem::path& file, double test_share, std::uint64_t seed,
                    const std::string& label = {});

} // namespace dybw
