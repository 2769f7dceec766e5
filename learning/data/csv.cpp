#include "learning/data/csv.hpp"

#include "learning/base/error.hpp"
#include "learning/base/file_signature.hpp"
#include "learning/base/option_text.hpp"
#include "learning/data/class_labels.hpp"
#include "learning/data/csv_layout.hpp"
#include "learning/data/csv_records.hpp"
#include "learning/data/table.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t head_bytes = 4U << 20U; // a few rows of the widest tables
constexpr std::size_t doubt_rows_min = 20;    // of fewer rows nothing can be told about their labels

/// The cells of a file as they stand in it.
struct table {
  csv_layout layout;
  std::vector<std::size_t> columns; ///< of the features, from 0
  std::vector<double> values;       ///< [rows][features]
  class_labels labels;
};

class csv_reader {
public:
  csv_reader(const fs::path& file, const std::string& label)
      : file_(file), table_{{}, {}, {}, class_labels{file}} {
    open();
    head_.resize(head_bytes);
    in_.read(head_.data(), static_cast<std::streamsize>(head_.size()));
    head_.resize(static_cast<std::size_t>(in_.gcount()));
    auto text = std::string_view{head_};
    if (const auto foreign = recognise_foreign(text))
      refuse("not CSV but " + foreign->what, foreign->mend);
    text = without_byte_order_mark(text);
    if (text.empty())
      refuse("the file is empty", "the first line names the columns or is a sample");
    table_.layout = find_csv_layout(text, !in_.eof(), label, file_);
    text_ = text;
  }

  table read() {
    const auto& layout = table_.layout;
    for (std::size_t i = 0; i < layout.names.size(); ++i)
      if (i != layout.label && i != layout.index)
        table_.columns.push_back(i);
    if (table_.columns.empty())
      refuse("no column but the label", "there must be a feature at least");
    csv_records records{text_, &in_, layout.separator, file_};
    for (std::size_t i = 0; i < layout.skipped_lines + (layout.header ? 1 : 0); ++i)
      records.next();
    std::size_t blank_line = 0;
    while (records.next()) {
      const auto& cells = records.cells();
      if (std::all_of(cells.begin(), cells.end(), [](auto cell) { return cell.empty(); })) {
        blank_line = blank_line == 0 ? records.line() : blank_line;
        continue;
      }
      if (blank_line != 0)
        refuse_line("a blank line", blank_line, "only the last row may be followed by blank lines");
      read_row(cells, records.line());
    }
    if (in_.bad())
      refuse("the file cannot be read", "check the disk");
    if (table_.labels.rows() < 2)
      refuse("fewer than two rows", "training and testing need one each");
    return std::move(table_);
  }

private:
  [[noreturn]] void refuse(const std::string& what, const std::string& mend) const {
    throw input_error{input_fault::data, what, file_.string(), mend};
  }

  [[noreturn]] void refuse_line(const std::string& what, std::size_t line, const std::string& mend) const {
    throw input_error{input_fault::data, what, cell_place(file_, line, 0), mend};
  }

  void open() {
    std::error_code fault;
    if (fs::is_directory(file_, fault))
      refuse("a directory instead of a file", "give --data a CSV file");
    errno = 0;
    in_.open(file_, std::ios::binary);
    if (!in_)
      refuse(std::string{"the file cannot be opened: "} + std::strerror(errno), "give --data a CSV file");
  }

  void read_row(const std::vector<std::string_view>& cells, std::size_t line) {
    const auto& layout = table_.layout;
    const auto wanted = layout.names.size() + (layout.empty_last ? 1 : 0);
    if (cells.size() != wanted)
      refuse_line(std::to_string(cells.size()) + (cells.size() == 1 ? " cell" : " cells") + " instead of " +
                      std::to_string(wanted),
                  line, "each row needs as many cells as the first line");
    if (layout.empty_last && !cells.back().empty())
      refuse_line("a cell behind the last column", line, "leave it out or name its column");
    for (const auto column : table_.columns)
      table_.values.push_back(parse_feature(cells[column], file_, line, column + 1));
    table_.labels.add(cells[layout.label], line, layout.label + 1);
    if (table_.labels.rows() > std::numeric_limits<std::uint32_t>::max())
      refuse("more than 4,294,967,295 rows", "split the file");
  }

  const fs::path& file_;
  std::ifstream in_;
  std::string head_;
  std::string_view text_; // `head_` without a byte order mark
  table table_;
};

std::vector<double> column_of(const table& all, std::size_t feature) {
  std::vector<double> column;
  for (std::size_t i = feature; i < all.values.size(); i += all.columns.size())
    column.push_back(all.values[i]);
  return column;
}

bool counts_rows(const std::vector<double>& column) {
  for (std::size_t i = 1; i < column.size(); ++i)
    if (column[i] != column[i - 1] + 1)
      return false;
  return column.front() == 0 || column.front() == 1;
}

bool all_differ(std::vector<double> column) {
  std::sort(column.begin(), column.end());
  return std::adjacent_find(column.begin(), column.end()) == column.end();
}

/// Whole numbers from 0 of which each stands for several rows.
bool may_be_label(const std::vector<double>& column) {
  constexpr std::size_t classes_likely = 1'000;
  std::set<double> different;
  for (const auto x : column) {
    if (x != std::floor(x) || x < -1)
      return false;
    different.insert(x);
    if (different.size() > classes_likely)
      return false;
  }
  return different.size() > 1 && different.size() <= column.size() / 2;
}

/// Which features (not columns) number the rows and say nothing of them.
std::vector<bool> find_indices(table& all) {
  std::vector<bool> left_out(all.columns.size());
  const auto rows = all.labels.rows();
  for (std::size_t i = 0; i < all.columns.size() && all.columns.size() > 1; ++i) {
    const auto column = all.columns[i];
    std::string name = all.layout.names[column];
    for (auto& c : name)
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::set<std::string> known = {"id",       "index",     "idx",    "rowid", "row_id",
                                         "rownames", "row.names", "rownum", "row",   "unnamed: 0.1"};
    const auto named = known.contains(name);
    const auto first_unnamed = column == 0 && name.empty() && rows >= doubt_rows_min;
    if (!named && !first_unnamed)
      continue;
    const auto values = column_of(all, i);
    if (!(named ? all_differ(values) : counts_rows(values)))
      continue;
    left_out[i] = true;
    all.layout.notes.push_back(column_text(all.layout, column) +
                               (named ? ", has another value in each row" : ", counts the rows") +
                               " and is left out as an index");
  }
  if (std::find(left_out.begin(), left_out.end(), false) == left_out.end())
    left_out.assign(left_out.size(), false); // better an index than nothing
  return left_out;
}

/// Refuses a label's column that nobody named and that may be another one.
void check_label(const table& all, const std::vector<bool>& left_out, const class_labels::classes& found,
                 bool chosen, const fs::path& file) {
  const auto rows = all.labels.rows();
  const auto refuse = [&](const std::string& what, const std::string& mend) {
    throw input_error{input_fault::data, what, file.string(), mend};
  };
  if (!chosen && rows >= doubt_rows_min && found.count > rows / 2)
    refuse(std::to_string(found.count) + " different labels in " + std::to_string(rows) + " rows, in " +
               column_text(all.layout, all.layout.label),
           "labels are classes, not values; choose their column with --label NAME or NUMBER");
  if (all.layout.label_is_sure || found.words || rows < doubt_rows_min)
    return;
  const auto first =
      static_cast<std::size_t>(std::find(left_out.begin(), left_out.end(), false) - left_out.begin());
  if (may_be_label(column_of(all, first)))
    refuse("both " + column_text(all.layout, all.columns[first]) + " and " +
               column_text(all.layout, all.layout.label) + " may be the label",
           "choose with --label " + std::to_string(all.columns[first] + 1) + " or --label " +
               std::to_string(all.layout.label + 1));
}

std::shared_ptr<const dataset> scaled_part(const table& all, const std::vector<std::size_t>& rows,
                                           const std::vector<std::size_t>& features,
                                           const std::vector<min_max>& scales,
                                           const class_labels::classes& labels) {
  auto data = std::make_shared<dataset>();
  data->features = features.size();
  data->classes = labels.count;
  std::vector<float> values;
  values.reserve(rows.size() * features.size());
  for (const auto row : rows) {
    for (std::size_t i = 0; i < features.size(); ++i)
      values.push_back(scales[i].scaled(all.values[row * all.columns.size() + features[i]]));
    data->labels.push_back(labels.rows[row]);
  }
  data->values = std::move(values);
  return data;
}

std::string format_text(const csv_layout& layout) {
  std::string text = "csv";
  if (layout.separator != ',')
    text += layout.separator == '\t' ? ", cells separated by tabs"
                                     : std::string{", cells separated by '"} + layout.separator + "'";
  return text + (layout.header ? "" : ", no header");
}

} // namespace

data_split load_csv(const fs::path& file, double test_share, std::uint64_t seed, const std::string& label) {
  auto all = csv_reader{file, label}.read();
  const auto left_out = find_indices(all);
  const auto labels = all.labels.resolve();
  check_label(all, left_out, labels, !label.empty(), file);
  std::vector<std::size_t> features;
  for (std::size_t i = 0; i < left_out.size(); ++i)
    if (!left_out[i])
      features.push_back(i);
  const auto rows = hold_out(labels.rows.size(), test_share, seed);
  std::vector<min_max> scales(features.size());
  for (const auto row : rows.train)
    for (std::size_t i = 0; i < features.size(); ++i)
      scales[i].widen(all.values[row * all.columns.size() + features[i]]);
  data_split split{"csv", scaled_part(all, rows.train, features, scales, labels),
                   scaled_part(all, rows.test, features, scales, labels)};
  split.reading = {format_text(all.layout), column_text(all.layout, all.layout.label),
                   "each feature scaled to [0,1] by its range in training", std::move(all.layout.notes)};
  if (!labels.mapping.empty())
    split.reading.notes.push_back(labels.mapping);
  return split;
}

} // namespace dybw
