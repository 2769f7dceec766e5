#include "learning/data/csv_layout.hpp"

#include "learning/base/error.hpp"
#include "learning/base/option_text.hpp"
#include "learning/data/csv_records.hpp"
#include "learning/data/table.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace dybw {

namespace {

constexpr std::size_t sample_rows = 60; // enough to tell how a file is written
constexpr std::size_t names_shown = 10;

struct sample_row {
  std::size_t line;
  std::vector<std::string> cells;
};
using sample = std::vector<sample_row>;

bool is_blank(const std::vector<std::string>& cells) {
  return std::all_of(cells.begin(), cells.end(), [](const auto& cell) { return cell.empty(); });
}

/// The first rows, up to the first blank one; without one that may be cut off.
sample take_sample(std::string_view head, bool cut, char separator, const std::filesystem::path& file) {
  sample rows;
  csv_records records{head, nullptr, separator, file};
  try {
    while (rows.size() <= sample_rows && records.next()) {
      rows.push_back({records.line(), {records.cells().begin(), records.cells().end()}});
      if (is_blank(rows.back().cells)) {
        rows.pop_back();
        break;
      }
    }
  } catch (const input_error&) {
    return rows; // reading the whole file meets it again, if it is not for want of a separator
  }
  if (cut && rows.size() <= sample_rows && !rows.empty())
    rows.pop_back();
  return rows;
}

bool is_number(std::string_view cell) {
  return parse_cell(cell).has_value();
}

std::string lower_letters(std::string_view text) {
  std::string lower;
  for (const auto c : text)
    if (c != ' ' && c != '_' && c != '-' && c != '.')
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

class layout_finder {
public:
  layout_finder(std::string_view head, bool cut, const std::string& label, const std::filesystem::path& file)
      : head_(head), cut_(cut), wanted_(label), file_(file) {}

  csv_layout find() {
    find_separator();
    if (rows_.empty())
      refuse_first_line();
    find_ends();
    find_header();
    find_index();
    if (rows_.front().cells.size() < 2)
      refuse("a single column", rows_.front().line,
             "the columns are features and the label, separated by commas, semicolons or tabs");
    find_label();
    return std::move(layout_);
  }

private:
  [[noreturn]] void refuse(const std::string& what, std::size_t line, const std::string& mend) const {
    throw input_error{input_fault::data, what, cell_place(file_, line, 0), mend};
  }

  [[noreturn]] void refuse_first_line() const {
    csv_records{head_, nullptr, ',', file_}.next(); // says so if it is a quote that is never closed
    refuse("a blank line instead of a header", layout_.skipped_lines + 1,
           "the first line names the columns or is a sample");
  }

  std::size_t columns() const { return rows_.front().cells.size(); }

  /// How many cells behind the first row are numbers if cells are separated so; 0 if rows differ in length.
  static std::size_t score(const sample& rows) {
    if (rows.empty() || rows.back().cells.size() < 2)
      return 0;
    const auto first = rows.size() > 1 ? rows.begin() + 1 : rows.begin();
    std::size_t numbers = 1;
    for (auto row = first; row != rows.end(); ++row) {
      if (row->cells.size() != rows.back().cells.size())
        return 0;
      numbers += static_cast<std::size_t>(std::count_if(row->cells.begin(), row->cells.end(), is_number));
    }
    return numbers;
  }

  void find_separator() {
    constexpr std::string_view excel = "sep=";
    if (head_.starts_with(excel) && head_.size() > 5 && (head_[5] == '\r' || head_[5] == '\n')) {
      layout_.separator = head_[4];
      layout_.skipped_lines = 1;
      rows_ = take_sample(head_, cut_, layout_.separator, file_);
      if (!rows_.empty())
        rows_.erase(rows_.begin());
      return;
    }
    std::size_t best = 0;
    auto doubtful = '\0';
    for (const auto separator : {',', ';', '\t'}) {
      auto rows = take_sample(head_, cut_, separator, file_);
      const auto found = score(rows);
      if (found > best || rows_.empty()) {
        layout_.separator = separator;
        rows_ = std::move(rows);
        doubtful = '\0';
      } else if (found == best && found > 0) {
        doubtful = separator;
      }
      best = std::max(best, found);
    }
    if (doubtful != '\0')
      refuse("cells may be separated by " + name_of(layout_.separator) + " or by " + name_of(doubtful),
             rows_.front().line, "write decimals with a point and separate cells by commas");
    if (best == 0)
      choose_commonest();
  }

  /// Rows of different lengths: the separator that occurs, so that the row in which it fails is found.
  void choose_commonest() {
    const auto line = head_.substr(0, head_.find_first_of("\r\n"));
    for (const auto separator : {',', ';', '\t'})
      if (std::count(line.begin(), line.end(), separator) >
          std::count(line.begin(), line.end(), layout_.separator))
        layout_.separator = separator;
    rows_ = take_sample(head_, cut_, layout_.separator, file_);
    if (rows_.empty() || columns() > 1)
      return;
    const auto& only = rows_.front().cells.front();
    if (only.starts_with('@') || (rows_.size() > 1 && rows_[1].cells.front().starts_with('@')))
      refuse("this looks like an ARFF file", rows_.front().line,
             "leave out all up to @data and name the columns in a first line");
    if (only.find('|') != std::string::npos)
      refuse("cells separated by bars", rows_.front().line,
             "separate them by commas: tr '|' ',' < FILE > NEW");
    const auto first_blank = only.find(' ');
    if (only.find(':') != std::string::npos && first_blank != std::string::npos &&
        is_number(only.substr(0, first_blank)))
      refuse("this looks like a LIBSVM file", rows_.front().line, "read it with --dataset libsvm");
    if (first_blank != std::string::npos && is_number(only.substr(0, first_blank)))
      refuse("cells separated by blanks", rows_.front().line,
             "separate them by commas: tr -s ' ' ',' < FILE > NEW");
  }

  static std::string name_of(char separator) {
    return separator == ',' ? "commas" : separator == ';' ? "semicolons" : "tabs";
  }

  /// Separators at the ends of lines, and R's row names, for which the header has no cell.
  void find_ends() {
    if (rows_.size() < 2)
      return;
    const auto width = rows_[1].cells.size();
    const auto all = [&](auto holds) { return std::all_of(rows_.begin() + 1, rows_.end(), holds); };
    if (!all([&](const sample_row& row) { return row.cells.size() == width; }))
      return;
    auto& first = rows_.front().cells;
    const auto rows_end_empty = all([](const sample_row& row) { return row.cells.back().empty(); });
    if (first.size() == width + 1 && first.back().empty()) {
      layout_.short_rows = true;
      first.pop_back();
    } else if (first.size() + 1 == width && rows_end_empty) {
      layout_.empty_last = true;
      first.emplace_back();
    } else if (first.size() + 1 == width && std::none_of(first.begin(), first.end(), is_number)) {
      first.insert(first.begin(), std::string{});
      layout_.notes.emplace_back(
          "the rows have a cell more than the header: the first is taken for its name");
    } else if (first.size() == width && width > 2 && first.back().empty() && rows_end_empty) {
      layout_.empty_last = true;
    }
    if (!layout_.empty_last)
      return;
    for (auto& row : rows_)
      row.cells.pop_back();
  }

  /// Names that are numbers: 0, 1, 2, .. as pandas names columns, or years.
  bool numbers_run_on() const {
    std::optional<double> last;
    for (const auto& cell : rows_.front().cells) {
      const auto number = parse_cell(cell);
      if (number && last && *number != *last + 1)
        return false;
      last = number ? number : last;
    }
    return last.has_value();
  }

  [[noreturn]] void refuse_doubtful_header() const {
    refuse("the first line may name the columns or be a sample", rows_.front().line,
           "name the columns in a first line of words");
  }

  void find_header() {
    auto& first = rows_.front().cells;
    if (first.front().starts_with('#')) { // numpy.savetxt
      first.front().erase(0, 1);
      first.front().erase(0, first.front().find_first_not_of(' '));
    }
    const auto numbers = std::count_if(first.begin(), first.end(), is_number);
    layout_.header = numbers == 0 || has_words_above_numbers();
    if (layout_.header && numbers > 0 && !numbers_run_on())
      refuse_doubtful_header();
    if (static_cast<std::size_t>(numbers) == columns() && numbers_run_on() &&
        (first.front() == "0" || first.front() == "1")) {
      if (columns() < 4)
        refuse_doubtful_header();
      layout_.header = true;
      layout_.notes.emplace_back("the first line counts the columns and is taken for their names");
    }
    if (layout_.header)
      layout_.names = first;
    else
      layout_.names.assign(columns(), {});
  }

  bool has_words_above_numbers() const {
    const auto& first = rows_.front().cells;
    if (rows_.size() < 2)
      return false;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const auto below = [&](const sample_row& row) {
        return i < row.cells.size() && is_number(row.cells[i]);
      };
      if (!is_number(first[i]) && std::all_of(rows_.begin() + 1, rows_.end(), below) && !is_missing(first[i]))
        return true;
    }
    // An index has no name, and everything else may be named by numbers: ",0,1,2".
    return first.front().empty() && !rows_[1].cells.front().empty();
  }

  void find_index() {
    if (!layout_.header || columns() < 3)
      return;
    const auto name = lower_letters(layout_.names.front());
    if (!name.empty() && name != "unnamed:0")
      return;
    layout_.index = 0;
    layout_.notes.emplace_back("column 1 has no name and is left out as an index");
  }

  std::string list_of_names() const {
    std::string list;
    for (std::size_t i = 0; i < std::min(columns(), names_shown); ++i)
      list += (i > 0 ? ", " : "") + layout_.names[i].substr(0, 40);
    return columns() > names_shown ? list + ", .." : list;
  }

  void find_label() {
    if (!wanted_.empty())
      layout_.label = wanted_label();
    else if (const auto named = named_label())
      layout_.label = *named;
    else {
      layout_.label = columns() - 1;
      return;
    }
    layout_.label_is_sure = true;
    if (layout_.index == layout_.label) // the user knows better
      layout_.index.reset();
    if (wanted_.empty() && layout_.label + 1 != columns())
      layout_.notes.push_back("the label is " + column_text(layout_, layout_.label) + ", by its name");
  }

  std::size_t wanted_label() const {
    const auto& names = layout_.names;
    const auto count = std::count(names.begin(), names.end(), wanted_);
    if (layout_.header && count == 1)
      return static_cast<std::size_t>(std::find(names.begin(), names.end(), wanted_) - names.begin());
    const auto alike = columns_with({lower_letters(wanted_)});
    if (count == 0 && alike.size() == 1 && !lower_letters(wanted_).empty())
      return alike.front();
    if (const auto number = parse_number<std::size_t>(wanted_);
        number && count == 0 && *number >= 1 && *number <= columns())
      return *number - 1;
    throw input_error{input_fault::configuration,
                      "--label=" + wanted_ +
                          (count > 1 || alike.size() > 1 ? " names several columns" : " is no column"),
                      file_.string(),
                      (layout_.header ? "the names are " + list_of_names() + "; give one, or" : "give") +
                          " a number from 1 to " + std::to_string(columns())};
  }

  std::vector<std::size_t> columns_with(const std::vector<std::string>& names) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; layout_.header && i < columns(); ++i)
      if (std::find(names.begin(), names.end(), lower_letters(layout_.names[i])) != names.end())
        found.push_back(i);
    return found;
  }

  std::optional<std::size_t> named_label() const {
    for (const auto& names : {std::vector<std::string>{"label", "labels", "class", "classes", "target",
                                                       "targets", "classlabel", "targetlabel"},
                              std::vector<std::string>{"y", "outcome", "species", "category", "response"}}) {
      const auto found = columns_with(names);
      if (found.size() > 1)
        refuse("both " + column_text(layout_, found[0]) + " and " + column_text(layout_, found[1]) +
                   " may be the label",
               rows_.front().line, "choose with --label NAME or NUMBER");
      if (found.size() == 1 && is_coordinate(found.front()))
        refuse("'y' may be the label or a coordinate", rows_.front().line,
               "choose with --label NAME or NUMBER");
      if (found.size() == 1)
        return found.front();
    }
    return std::nullopt;
  }

  /// 'y' right behind 'x' and ahead of others.
  bool is_coordinate(std::size_t column) const {
    return column > 0 && column + 1 != columns() && lower_letters(layout_.names[column]) == "y" &&
           lower_letters(layout_.names[column - 1]) == "x";
  }

  std::string_view head_;
  bool cut_;
  const std::string& wanted_;
  const std::filesystem::path& file_;
  sample rows_;
  csv_layout layout_;
};

} // namespace

csv_layout find_csv_layout(std::string_view head, bool cut, const std::string& label,
                           const std::filesystem::path& file) {
  return layout_finder{head, cut, label, file}.find();
}

std::string column_text(const csv_layout& layout, std::size_t column) {
  auto text = "column " + std::to_string(column + 1) + " of " + std::to_string(layout.names.size());
  if (!layout.names[column].empty())
    text += ", " + shown_cell(layout.names[column]);
  return text;
}

} // namespace dybw
