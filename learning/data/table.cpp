#include "learning/data/table.hpp"

#include "learning/base/error.hpp"
#include "learning/base/random.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace dybw {

namespace {

constexpr std::size_t shown_max = 40; // characters of a wrong cell shown in a message

bool is_decimal_comma(std::string_view cell) {
  const auto comma = cell.find(',');
  return comma != std::string_view::npos && comma == cell.rfind(',') &&
         cell.find_first_not_of("0123456789+-,") == std::string_view::npos;
}

} // namespace

std::optional<double> parse_cell(std::string_view cell) {
  if (cell.size() > 1 && cell[0] == '+' && cell[1] != '-')
    cell.remove_prefix(1); // std::from_chars takes no plus sign
  double value = 0;
  const auto* end = cell.data() + cell.size();
  const auto [rest, fault] = std::from_chars(cell.data(), end, value);
  if (fault != std::errc{} || rest != end)
    return std::nullopt;
  return value;
}

bool is_missing(std::string_view cell) {
  std::string lower{cell.substr(0, 8)};
  for (auto& c : lower)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::array words = {"", "na", "n/a", "nan", "null", "?", "#n/a"};
  return std::find(words.begin(), words.end(), lower) != words.end();
}

std::string shown_cell(std::string_view cell) {
  std::string text{"'"};
  text += cell.substr(0, shown_max);
  text += cell.size() > shown_max ? "..'" : "'";
  return text;
}

std::string cell_place(const std::filesystem::path& file, std::size_t line, std::size_t column) {
  return file.string() + " line " + std::to_string(line) +
         (column > 0 ? " column " + std::to_string(column) : "");
}

double parse_feature(std::string_view cell, const std::filesystem::path& file, std::size_t line,
                     std::size_t column) {
  double value = 0;
  const auto plus = cell.size() > 1 && cell[0] == '+' && cell[1] != '-';
  const auto* end = cell.data() + cell.size();
  const auto [rest, fault] = std::from_chars(cell.data() + (plus ? 1 : 0), end, value);
  if (fault == std::errc{} && rest == end && std::isfinite(value))
    return value;
  const auto refuse = [&](const std::string& what, const std::string& mend) {
    throw input_error{input_fault::data, what, cell_place(file, line, column), mend};
  };
  if (cell.empty())
    refuse("an empty cell", "fill the gap or leave the row out");
  if (rest == end)
    refuse(shown_cell(cell) + " is not a finite number that fits float64", "leave the row out");
  if (is_missing(cell))
    refuse(shown_cell(cell) + " stands for a missing value", "fill the gap or leave the row out");
  if (is_decimal_comma(cell))
    refuse(shown_cell(cell) + " is not a number", "write decimals with a point and thousands without commas");
  refuse(shown_cell(cell) + " is not a number",
         "features are plain numbers: write words as numbers or leave the column out; the label's column is "
         "chosen with --label");
  return value;
}

row_split hold_out(std::size_t rows, double share, std::uint64_t seed) {
  if (!(share > 0 && share < 1))
    throw input_error{input_fault::configuration, "the share of rows held out must lie between 0 and 1",
                      "--test-share", "for example --test-share 0.2"};
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto generator = make_generator(seed, random_stream::test_share);
  std::shuffle(order.begin(), order.end(), generator);
  const auto wanted = static_cast<std::size_t>(std::llround(share * static_cast<double>(rows)));
  const auto end_of_test =
      order.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(wanted, 1, rows - 1));
  row_split split{{end_of_test, order.end()}, {order.begin(), end_of_test}};
  std::sort(split.train.begin(), split.train.end()); // the file's order
  std::sort(split.test.begin(), split.test.end());
  return split;
}

void min_max::widen(double value) {
  low_ = std::min(low_, value);
  high_ = std::max(high_, value);
}

float min_max::scaled(double value) const {
  const auto span = high_ / 2 - low_ / 2; // halves, because the difference itself may overflow
  return span > 0 ? static_cast<float>(std::clamp((value / 2 - low_ / 2) / span, 0.0, 1.0)) : 0.0F;
}

} // namespace dybw
