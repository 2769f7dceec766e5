#include "learning/data/libsvm.hpp"

#include "learning/base/error.hpp"
#include "learning/base/file_signature.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/option_text.hpp"
#include "learning/data/class_labels.hpp"
#include "learning/data/table.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t index_max = 100'000'000;

/// The rows of all files, one after the other.
struct sparse_rows {
  std::vector<std::size_t> first = {0}; ///< [rows + 1], where each row's values begin
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  std::uint32_t least = std::numeric_limits<std::uint32_t>::max(); ///< of the indices
  std::uint32_t largest = 0;

  std::size_t rows() const noexcept { return first.size() - 1; }
};

/// One file's lines.
class libsvm_reader {
public:
  libsvm_reader(const fs::path& file, sparse_rows& rows, class_labels& labels)
      : file_(file), rows_(rows), labels_(labels) {}

  void read() {
    std::error_code fault;
    if (fs::is_directory(file_, fault))
      refuse_file("a directory instead of a file", "give --data a LIBSVM file");
    refuse_foreign(file_, "LIBSVM file");
    errno = 0;
    std::ifstream in{file_, std::ios::binary};
    if (!in)
      refuse_file(std::string{"the file cannot be opened: "} + std::strerror(errno),
                  "give --data a LIBSVM file");
    for (std::string text; std::getline(in, text);) {
      ++line_;
      auto line = std::string_view{text};
      if (line_ == 1 && line.starts_with("\xEF\xBB\xBF"))
        line.remove_prefix(3);
      read_line(line.substr(0, line.find('#')));
    }
    if (in.bad())
      refuse_file("the file cannot be read", "check the disk");
  }

private:
  [[noreturn]] void refuse_file(const std::string& what, const std::string& mend) const {
    throw input_error{input_fault::data, what, file_.string(), mend};
  }

  [[noreturn]] void refuse(const std::string& what, const std::string& mend) const {
    throw input_error{input_fault::data, what, cell_place(file_, line_, 0), mend};
  }

  /// The next word of the line, which loses it; empty at its end.
  static std::string_view take_word(std::string_view& line) {
    constexpr std::string_view blank = " \t\r\v\f";
    line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
    const auto word = line.substr(0, line.find_first_of(blank));
    line.remove_prefix(word.size());
    return word;
  }

  void read_line(std::string_view line) {
    const auto label = take_word(line);
    if (label.empty())
      return; // blank, or a comment only
    if (label.find(',') != std::string_view::npos)
      refuse("several labels or values, " + shown_cell(label),
             "each sample has one label; a table with commas is read with --dataset csv");
    if (label.find(':') != std::string_view::npos)
      refuse("no label ahead of " + shown_cell(label), "each line begins with its label");
    labels_.add(label, line_, 0);
    if (rows_.rows() == std::numeric_limits<std::uint32_t>::max())
      refuse("more than 4,294,967,295 rows", "split the file");
    auto last = std::int64_t{-1};
    for (auto word = take_word(line); !word.empty(); word = take_word(line))
      last = read_value(word, last);
    rows_.first.push_back(rows_.values.size());
  }

  std::uint32_t read_value(std::string_view word, std::int64_t last) {
    const auto colon = word.find(':');
    if (word.starts_with("qid:"))
      refuse("a query, " + shown_cell(word), "rankings cannot be trained on");
    const auto index = parse_number<std::uint32_t>(word.substr(0, colon));
    if (colon == std::string_view::npos || !index)
      refuse(shown_cell(word) + " is not INDEX:VALUE", "write for example 1 3:0.5 7:1");
    if (*index > index_max)
      refuse("the index " + std::to_string(*index) + " is above " + count_text(index_max),
             "number the features from 1");
    if (*index <= last)
      refuse("the index " + std::to_string(*index) + " behind " + std::to_string(last),
             "indices ascend within a line");
    const auto value = parse_feature(word.substr(colon + 1), file_, line_, 0);
    rows_.indices.push_back(*index);
    rows_.values.push_back(static_cast<float>(value));
    if (!std::isfinite(rows_.values.back()))
      refuse(shown_cell(word) + " does not fit float32", "scale the feature");
    rows_.least = std::min(rows_.least, *index);
    rows_.largest = std::max(rows_.largest, *index);
    return *index;
  }

  const fs::path& file_;
  sparse_rows& rows_;
  class_labels& labels_;
  std::size_t line_ = 0;
};

/// Which values each feature has in training, zeros included.
std::vector<min_max> spans_of(const sparse_rows& all, const std::vector<std::size_t>& train,
                              std::size_t features, std::uint32_t base) {
  std::vector<min_max> spans(features);
  std::vector<std::size_t> given(features);
  for (const auto row : train)
    for (auto i = all.first[row]; i < all.first[row + 1]; ++i) {
      spans[all.indices[i] - base].widen(double{all.values[i]});
      ++given[all.indices[i] - base];
    }
  for (std::size_t i = 0; i < features; ++i)
    if (given[i] < train.size())
      spans[i].widen(0);
  return spans;
}

std::shared_ptr<const dataset> dense_part(const sparse_rows& all, const std::vector<std::size_t>& rows,
                                          const std::vector<min_max>& spans, std::uint32_t base,
                                          const class_labels::classes& labels) {
  auto data = std::make_shared<dataset>();
  data->features = spans.size();
  data->classes = labels.count;
  std::vector<float> nothing; // a sample without values
  for (const auto& span : spans)
    nothing.push_back(span.scaled(0));
  std::vector<float> values;
  values.reserve(rows.size() * spans.size());
  for (const auto row : rows) {
    const auto begin = values.size();
    values.insert(values.end(), nothing.begin(), nothing.end());
    for (auto i = all.first[row]; i < all.first[row + 1]; ++i) {
      const auto feature = all.indices[i] - base;
      values[begin + feature] = spans[feature].scaled(double{all.values[i]});
    }
    data->labels.push_back(labels.rows[row]);
  }
  data->values = std::move(values);
  return data;
}

void check_size(const sparse_rows& all, std::size_t features, std::uint64_t values_max,
                const fs::path& file) {
  if (all.values.empty())
    throw input_error{input_fault::data, "no sample has a value", file.string(),
                      "give a file with lines LABEL INDEX:VALUE .."};
  if (std::uint64_t{features} * all.rows() > values_max)
    throw input_error{input_fault::data,
                      count_text(all.rows()) + " samples of " + count_text(features) +
                          " features take more than " + count_text(values_max) +
                          " values in memory, where zeros count too",
                      file.string(), "take fewer samples, or a set with fewer features"};
}

} // namespace

data_split load_libsvm(const fs::path& file, double test_share, std::uint64_t seed,
                       std::uint64_t values_max) {
  sparse_rows all;
  class_labels labels{file};
  libsvm_reader{file, all, labels}.read();
  const auto first_rows = all.rows();
  const auto test_file = fs::path{file.string() + ".t"};
  std::error_code fault;
  const auto has_test = fs::exists(test_file, fault);
  if (first_rows < 1 || (!has_test && first_rows < 2))
    throw input_error{input_fault::data, "fewer than two samples", file.string(),
                      "training and testing need one each"};
  if (has_test)
    libsvm_reader{test_file, all, labels}.read();
  if (has_test && all.rows() == first_rows)
    throw input_error{input_fault::data, "no samples", test_file.string(),
                      "give it some, or another name if it is no test set"};
  const auto base = std::min(all.least, 1U);
  const auto features = std::size_t{all.largest} - base + 1;
  check_size(all, features, values_max, file);
  const auto classes = labels.resolve();
  row_split rows;
  if (has_test)
    for (std::size_t i = 0; i < all.rows(); ++i)
      (i < first_rows ? rows.train : rows.test).push_back(i);
  else
    rows = hold_out(first_rows, test_share, seed);
  const auto spans = spans_of(all, rows.train, features, base);
  data_split split{"libsvm", dense_part(all, rows.train, spans, base, classes),
                   dense_part(all, rows.test, spans, base, classes)};
  split.reading.format = "libsvm";
  split.reading.scaling = "each feature scaled to [0,1] by its range in training";
  if (has_test)
    split.reading.notes.push_back(test_file.string() + " is the test set");
  if (base == 0)
    split.reading.notes.emplace_back("features count from 0");
  if (!classes.mapping.empty())
    split.reading.notes.push_back(classes.mapping);
  return split;
}

} // namespace dybw
