#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What readers of tables share.
namespace dybw {

// --- Cells ---

/// A number as text has it, finite or not, with a decimal point; nothing if it is none or does not fit
/// float64. Takes a plus sign.
std::optional<double> parse_cell(std::string_view cell);
/// Empty or one of NA, N/A, nan, null and ?, in any case.
bool is_missing(std::string_view cell);
/// `'cell'`, shortened, for a message.
std::string shown_cell(std::string_view cell);
/// "FILE line 3 column 2"; without the column if it is 0.
std::string cell_place(const std::filesystem::path& file, std::size_t line, std::size_t column);
/// The number in a cell of a feature; throws `input_error` (data fault) with its place and what may be wrong.
double parse_feature(std::string_view cell, const std::filesystem::path& file, std::size_t line,
                     std::size_t column);

// --- Training and testing ---

/// Row numbers in ascending order; both parts have one at least.
struct row_split {
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
};

/// Holds the share of the rows (rounded) that `seed` draws out for testing. REQUIRES: two rows at least.
/// Throws `input_error` (configuration fault) for a share outside (0,1).
row_split hold_out(std::size_t rows, double share, std::uint64_t seed);

/// Scales one feature to [0,1] by its span in training: values beyond are clamped, a constant becomes 0.
class min_max {
public:
  void widen(double value);
  float scaled(double value) const;

private:
  double low_ = std::numeric_limits<double>::max();
  double high_ = std::numeric_limits<double>::lowest();
};

} // namespace dybw
