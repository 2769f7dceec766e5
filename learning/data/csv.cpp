#include "learning/data/csv.hpp"

#include "learning/base/error.hpp"
#include "learning/base/option_text.hpp"
#include "learning/base/random.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <string_view>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::int32_t label_max = 65'535;
constexpr std::size_t shown_max = 40; // characters of a wrong cell shown in a message

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const auto begin = text.find_first_not_of(blank);
  return begin == std::string_view::npos ? std::string_view{}
                                         : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

std::string shown(std::string_view cell) {
  std::string text{"'"};
  text += cell.substr(0, shown_max);
  text += cell.size() > shown_max ? "..'" : "'";
  return text;
}

/// Calls `use(cell, column)` for each cell, columns from 1, and returns their number.
template <class Use>
std::size_t for_each_cell(std::string_view line, Use use) {
  for (std::size_t column = 1;; ++column) {
    const auto comma = line.find(',');
    use(trim(line.substr(0, comma)), column);
    if (comma == std::string_view::npos)
      return column;
    line.remove_prefix(comma + 1);
  }
}

template <class T>
std::from_chars_result parse(std::string_view cell, T& value) {
  if (cell.size() > 1 && cell[0] == '+' && cell[1] != '-')
    cell.remove_prefix(1); // std::from_chars takes no plus sign
  auto result = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (result.ec == std::errc{} && result.ptr != cell.data() + cell.size())
    result.ec = std::errc::invalid_argument;
  return result;
}

/// The cells of a file as they stand in it.
struct table {
  std::size_t features = 0;
  std::vector<double> values; // [rows][features]
  std::vector<std::int32_t> labels;
};

class csv_reader {
public:
  explicit csv_reader(const fs::path& file) : file_(file) {}

  table read() {
    std::error_code fault;
    if (fs::is_directory(file_, fault))
      refuse("a directory instead of a file", "give --data a CSV file");
    errno = 0;
    std::ifstream in{file_, std::ios::binary};
    if (!in)
      refuse(std::string{"the file cannot be opened: "} + std::strerror(errno), "give --data a CSV file");
    std::string line;
    if (!std::getline(in, line))
      refuse("the file is empty", "the first line names the columns");
    read_header(line);
    std::size_t blank_line = 0;
    while (std::getline(in, line)) {
      ++line_;
      if (trim(line).empty()) {
        blank_line = blank_line == 0 ? line_ : blank_line;
        continue;
      }
      if (blank_line != 0) {
        line_ = blank_line;
        refuse_line("a blank line", "only the last row may be followed by blank lines");
      }
      read_row(line);
    }
    if (in.bad())
      refuse("the file cannot be read", "check the disk");
    if (table_.labels.size() < 2)
      refuse("fewer than two rows behind the header", "training and testing need one each");
    if (table_.labels.size() > std::numeric_limits<std::uint32_t>::max())
      refuse("more than 4,294,967,295 rows", "split the file");
    const auto [least, largest] = std::minmax_element(table_.labels.begin(), table_.labels.end());
    if (*least == *largest)
      refuse("all rows have the label " + std::to_string(*least), "there must be two classes at least");
    return std::move(table_);
  }

private:
  [[noreturn]] void refuse(const std::string& what, const std::string& mend) const {
    throw input_error{input_fault::data, what, file_.string(), mend};
  }

  [[noreturn]] void refuse_line(const std::string& what, const std::string& mend) const {
    throw input_error{input_fault::data, what, file_.string() + " line " + std::to_string(line_), mend};
  }

  [[noreturn]] void refuse_cell(const std::string& what, std::size_t column, const std::string& mend) const {
    throw input_error{input_fault::data, what,
                      file_.string() + " line " + std::to_string(line_) + " column " + std::to_string(column),
                      mend};
  }

  void read_header(std::string_view line) {
    line = without_byte_order_mark(line);
    bool all_numbers = true;
    columns_ = for_each_cell(line, [&](std::string_view cell, std::size_t) {
      double number = 0;
      all_numbers = all_numbers && parse(cell, number).ec == std::errc{};
    });
    if (trim(line).empty())
      refuse_line("a blank line instead of a header", "the first line names the columns");
    if (columns_ < 2)
      refuse_line("a single column", "the columns are features and, last, the label, separated by commas");
    if (all_numbers)
      refuse_line("numbers instead of a header", "add a first line that names the columns");
    table_.features = columns_ - 1;
  }

  void read_row(std::string_view line) {
    const auto cells = for_each_cell(line, [this](std::string_view cell, std::size_t column) {
      if (column < columns_)
        table_.values.push_back(feature(cell, column));
      else if (column == columns_)
        table_.labels.push_back(label(cell, column));
    });
    if (cells != columns_)
      refuse_line(std::to_string(cells) + (cells == 1 ? " cell" : " cells") + " instead of " +
                      std::to_string(columns_),
                  "each row needs as many cells as the header");
  }

  double feature(std::string_view cell, std::size_t column) const {
    double value = 0;
    const auto fault = parse(cell, value).ec;
    if (cell.empty())
      refuse_cell("an empty cell", column, "fill the gap or leave the row out");
    if (fault == std::errc::invalid_argument)
      refuse_cell(shown(cell) + " is not a number", column, "all cells behind the header are plain numbers");
    if (fault != std::errc{} || !std::isfinite(value))
      refuse_cell(shown(cell) + " is not a finite number that fits float64", column, "leave the row out");
    return value;
  }

  std::int32_t label(std::string_view cell, std::size_t column) const {
    std::int32_t value = 0;
    const auto fault = parse(cell, value).ec;
    if (fault == std::errc::invalid_argument)
      refuse_cell("the label " + shown(cell) + " is not a whole number", column,
                  "number the classes 0, 1, 2 and so on, in the last column");
    if (fault != std::errc{} || value < 0 || value > label_max)
      refuse_cell("the label " + shown(cell) + " is not within 0 to " + std::to_string(label_max), column,
                  "number the classes 0, 1, 2 and so on");
    return value;
  }

  const fs::path& file_;
  std::size_t line_ = 1;
  std::size_t columns_ = 0;
  table table_;
};

struct row_split {
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
};

row_split hold_out(std::size_t rows, double share, std::uint64_t seed) {
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

/// Scales one feature to [0,1] by its span in training.
class min_max {
public:
  void widen(double value) {
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }

  float scaled(double value) const {
    const auto span = high_ / 2 - low_ / 2; // halves, because the difference itself may overflow
    return span > 0 ? static_cast<float>(std::clamp((value / 2 - low_ / 2) / span, 0.0, 1.0)) : 0.0F;
  }

private:
  double low_ = std::numeric_limits<double>::max();
  double high_ = std::numeric_limits<double>::lowest();
};

std::shared_ptr<const dataset> scaled_part(const table& all, const std::vector<std::size_t>& rows,
                                           const std::vector<min_max>& scales, std::size_t classes) {
  auto data = std::make_shared<dataset>();
  data->features = all.features;
  data->classes = classes;
  std::vector<float> values;
  values.reserve(rows.size() * all.features);
  for (const auto row : rows) {
    for (std::size_t i = 0; i < all.features; ++i)
      values.push_back(scales[i].scaled(all.values[row * all.features + i]));
    data->labels.push_back(all.labels[row]);
  }
  data->values = std::move(values);
  return data;
}

} // namespace

data_split load_csv(const fs::path& file, double test_share, std::uint64_t seed) {
  if (!(test_share > 0 && test_share < 1))
    throw input_error{input_fault::configuration, "the share of rows held out must lie between 0 and 1",
                      "--test-share", "for example --test-share 0.2"};
  const auto all = csv_reader{file}.read();
  const auto rows = hold_out(all.labels.size(), test_share, seed);
  std::vector<min_max> scales(all.features);
  for (const auto row : rows.train)
    for (std::size_t i = 0; i < all.features; ++i)
      scales[i].widen(all.values[row * all.features + i]);
  const auto classes = static_cast<std::size_t>(*std::max_element(all.labels.begin(), all.labels.end())) + 1;
  return {"csv", scaled_part(all, rows.train, scales, classes), scaled_part(all, rows.test, scales, classes)};
}

} // namespace dybw
