#pragma once

#include "learning/data/dataset.hpp"

#include <cstdint>
#include <filesystem>

namespace dybw {

/// Loads a table: a header line, then one sample per line, cells separated by commas (no quoting). All
/// columns are finite numbers, written with a decimal point; the last is the label, a whole number 0 .. C-1,
/// where C is the largest label plus one (at most 65,536). Lines end with LF or CRLF; blank lines may follow
/// the last row.
///
/// The share `test_share` of the rows (rounded, at least one, not all), drawn by `seed`, is held out for
/// testing. Each feature is scaled linearly so that its training values span [0,1]; test values beyond are
/// clamped, and a feature that is constant in training becomes 0.
///
/// Throws `input_error`: data fault, naming file, line and column, for anything else than the above, fewer
/// than two rows or a single label; configuration fault for a share outside (0,1).
data_split load_csv(const std::filesystem::path& file, double test_share, std::uint64_t seed);

} // namespace dybw
