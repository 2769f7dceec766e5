#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

/// Numbers as text, each format once.
namespace dybw {

/// The shortest text that reads back as the same number, or what `format` (of `std::to_chars`) asks for.
template <class Number, class... Format>
std::string number_text(Number x, Format... format) {
  std::array<char, 512> text; // the largest double has 309 digits before its point
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), x, format...).ptr};
}

// --- For people: "-" for what is not finite ---

/// With `decimals` digits behind the point, at most 100.
std::string fixed_text(double x, int decimals);
/// With so many significant digits, at most 100: "0.012", "3.1e-07".
std::string short_text(double x, int digits = 2);
/// "82.3 ms", "14.2 s", "1234 s": three digits or so in the unit that fits.
std::string seconds_text(double s);
/// 0.912 as "91.2 %".
std::string percent_text(double share);
/// "7,850".
std::string count_text(unsigned long long count);
/// "1 worker", "7,850 workers".
std::string counted(std::uint64_t count, const std::string& what);
/// "12.3 MB".
std::string megabytes_text(std::uint64_t bytes, int decimals = 1);
/// "-" for none.
std::string or_dash(const std::optional<double>& x, std::string (*text)(double));

} // namespace dybw
