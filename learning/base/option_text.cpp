#include "learning/base/option_text.hpp"

#include <fstream>

namespace dybw {

namespace {

std::string why_unreadable(const std::filesystem::path& path) {
  std::error_code fault;
  const auto status = std::filesystem::status(path, fault);
  if (status.type() == std::filesystem::file_type::not_found)
    return "there is no such file";
  if (std::filesystem::is_directory(status))
    return "it is a directory";
  return fault ? fault.message() : "it may not be read";
}

} // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (auto end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

named_form split_form(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos)
    return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

std::string excerpt(std::string_view word) {
  constexpr std::size_t length_max = 40;
  if (word.size() > length_max)
    return '"' + std::string{word.substr(0, length_max)} + "...\"";
  return '"' + std::string{word} + '"';
}

std::string shell_word(std::string_view word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos)
    return std::string{word};
  std::string quoted = "'";
  for (const auto c : word)
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

void option_text::refuse(const std::string& constraint, const std::string& found, const std::string& mend,
                         input_fault fault) const {
  throw input_error{fault, option + '=' + value + " must " + constraint, found, mend};
}

std::vector<text_line> read_lines(const std::filesystem::path& path, const std::string& kind) {
  std::ifstream file{path};
  std::vector<text_line> lines;
  std::string line;
  std::size_t number = 0;
  while (std::getline(file, line)) {
    ++number;
    const auto whole = number == 1 ? without_byte_order_mark(line) : std::string_view{line};
    const auto text = trimmed(whole.substr(0, whole.find('#')));
    if (!text.empty())
      lines.push_back({number, std::string{text}});
  }
  if (!file.eof()) // not opened, or broken off
    throw input_error{input_fault::data, "cannot read the " + kind + ' ' + excerpt(path.string()),
                      why_unreadable(path), "name a text file that can be read"};
  return lines;
}

} // namespace dybw
