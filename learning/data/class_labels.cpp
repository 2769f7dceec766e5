#include "learning/data/class_labels.hpp"

#include "learning/base/error.hpp"
#include "learning/base/number_text.hpp"
#include "learning/data/table.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace dybw {

namespace {

constexpr std::size_t shown_classes = 8;

/// "labels -1 and 1", "labels 1 to 26", "labels a, b, c" behind each other.
std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), shown_classes); ++i)
    list += (i > 0 ? ", " : "") + names[i].substr(0, 40);
  return names.size() > shown_classes ? list + ", .." : list;
}

std::string whole_text(double x) {
  return number_text(static_cast<long long>(x));
}

std::string mapped(const std::string& labels, std::size_t count) {
  return "labels " + labels + " are classes 0 to " + std::to_string(count - 1);
}

} // namespace

void class_labels::refuse(const origin& at, const std::string& what, const std::string& mend) const {
  throw input_error{input_fault::data, what, cell_place(*file_, at.line, at.column), mend};
}

void class_labels::add(std::string_view label, std::size_t line, std::size_t column) {
  key_ = label;
  auto found = index_.find(key_);
  if (found == index_.end()) {
    if (is_missing(label))
      refuse({key_, line, column}, "the label " + shown_cell(label) + " is missing",
             "fill the gap or leave the row out");
    if (texts_.size() == classes_max)
      refuse({key_, line, column}, "more than 65,536 different labels",
             "labels are classes; name their column with --label NAME or NUMBER");
    found = index_.emplace(key_, static_cast<std::int32_t>(texts_.size())).first;
    texts_.push_back({key_, line, column});
  }
  rows_.push_back(found->second);
}

class_labels::classes class_labels::resolve() const {
  std::map<double, std::int32_t> numbers;
  std::map<std::string, std::int32_t> words;
  const origin* a_number = nullptr;
  const origin* a_word = nullptr;
  for (const auto& each : texts_) {
    if (const auto number = parse_cell(each.text)) {
      if (*number != std::floor(*number) || std::abs(*number) > 1e15)
        refuse(each, "the label " + shown_cell(each.text) + " is not a whole number",
               "labels are classes: whole numbers or words; name their column with --label NAME or NUMBER");
      numbers.emplace(*number, 0);
      a_number = a_number == nullptr ? &each : a_number;
    } else {
      words.emplace(each.text, 0);
      a_word = a_word == nullptr ? &each : a_word;
    }
  }
  if (a_number != nullptr && a_word != nullptr)
    refuse(*a_word,
           "the label " + shown_cell(a_word->text) + " is a word, " + shown_cell(a_number->text) +
               " on line " + std::to_string(a_number->line) + " a number",
           "write all labels as numbers or all as words");
  classes found;
  found.words = a_word != nullptr;
  found.count = numbers.size() + words.size();
  std::vector<std::string> names;
  std::int32_t next = 0;
  for (auto& [number, label] : numbers) {
    label = next++;
    names.push_back(whole_text(number));
  }
  for (auto& [word, label] : words) {
    label = next++;
    names.push_back(word);
  }
  if (found.count == 1)
    throw input_error{input_fault::data, "all rows have the label " + names.front(), file_->string(),
                      "there must be two classes at least; --label NAME or NUMBER chooses their column"};
  const auto count = static_cast<double>(found.count);
  const auto runs_on =
      !found.words && !names.empty() && numbers.rbegin()->first - numbers.begin()->first == count - 1;
  if (found.words || !runs_on)
    found.mapping = mapped(list_of(names), found.count);
  else if (numbers.begin()->first != 0)
    found.mapping = mapped(names.front() + " to " + names.back(), found.count);
  std::vector<std::int32_t> class_of;
  for (const auto& each : texts_)
    class_of.push_back(found.words ? words.at(each.text) : numbers.at(*parse_cell(each.text)));
  for (const auto row : rows_)
    found.rows.push_back(class_of[static_cast<std::size_t>(row)]);
  return found;
}

} // namespace dybw
