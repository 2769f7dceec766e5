#pragma once

#include "learning/base/error.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace dybw {

/// The whole of `word` as a number. Nothing if a character is left over, the value does not fit or is not
/// finite.
template <class Number>
std::optional<Number> parse_number(std::string_view word) {
  Number value{};
  const auto* end = word.data() + word.size();
  const auto [rest, fault] = std::from_chars(word.data(), end, value);
  if (fault != std::errc{} || rest != end)
    return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(value))
      return std::nullopt;
  return value;
}

/// `text` without the blanks and line ends around it.
std::string_view trimmed(std::string_view text);

/// The parts of `text` between the separators, empty ones included: one more than there are separators.
std::vector<std::string_view> split(std::string_view text, char separator);

/// What stands before and behind the first colon; `parameters` is unset if there is none.
struct named_form {
  std::string_view name;
  std::optional<std::string_view> parameters;
};

/// Views into `text`, which must outlive the result.
named_form split_form(std::string_view text);

/// `text` without the byte order mark with which editors of Windows begin UTF-8 files.
std::string_view without_byte_order_mark(std::string_view text);

/// `"word"`, shortened, for a message.
std::string excerpt(std::string_view word);

/// `word` as a shell takes it for one: in quotes if it must be. For commands in messages.
std::string shell_word(std::string_view word);

/// An option and its value while it is parsed; it words the errors:
/// `OPTION=VALUE must CONSTRAINT, FOUND; MEND`.
struct option_text {
  std::string option; ///< with its dashes
  std::string value;

  [[noreturn]] void refuse(const std::string& constraint, const std::string& found, const std::string& mend,
                           input_fault fault = input_fault::configuration) const;

  /// `word` as a number from `min` to `max`, both allowed; `parameter` is its name in the option's form.
  template <class Number>
  Number number(std::string_view word, std::string_view parameter, Number min, Number max,
                const std::string& mend) const {
    const auto value_read = parse_number<Number>(word);
    if (!value_read || *value_read < min || *value_read > max) {
      std::ostringstream constraint;
      constraint << "have " << parameter << " from " << min << " to " << max;
      if (std::is_integral_v<Number>)
        constraint << ", a whole number";
      refuse(constraint.str(), "found " + excerpt(word), mend);
    }
    return *value_read;
  }
};

/// A line of a text file that holds more than blanks and comments.
struct text_line {
  std::size_t number = 0; ///< from 1
  std::string text;       ///< without `#` and what follows it, trimmed, not empty
};

/// Reads a text file, with or without a byte order mark. Throws `input_error` (data fault) if it cannot be
/// read; `kind` says what sort of file it should be.
std::vector<text_line> read_lines(const std::filesystem::path& path, const std::string& kind);

} // namespace dybw
