#include "learning/base/number_text.hpp"

#include <cmath>
#include <cstddef>

namespace dybw {

std::string fixed_text(double x, int decimals) {
  return std::isfinite(x) ? number_text(x, std::chars_format::fixed, decimals) : "-";
}

std::string short_text(double x, int digits) {
  return std::isfinite(x) ? number_text(x, std::chars_format::general, digits) : "-";
}

std::string seconds_text(double s) {
  const auto decimals = [](double x) { return x < 9.995 ? 2 : x < 99.95 ? 1 : 0; };
  if (!std::isfinite(s))
    return "-";
  if (s > 0 && s < 0.9995)
    return fixed_text(s * 1e3, decimals(s * 1e3)) + " ms";
  return fixed_text(s, decimals(s)) + " s";
}

std::string percent_text(double share) {
  return std::isfinite(share) ? fixed_text(share * 100, 1) + " %" : "-";
}

std::string count_text(unsigned long long count) {
  auto text = std::to_string(count);
  for (auto place = static_cast<std::ptrdiff_t>(text.size()) - 3; place > 0; place -= 3)
    text.insert(static_cast<std::size_t>(place), 1, ',');
  return text;
}

std::string counted(std::uint64_t count, const std::string& what) {
  return count_text(count) + " " + what + (count == 1 ? "" : "s");
}

std::string megabytes_text(std::uint64_t bytes, int decimals) {
  return fixed_text(static_cast<double>(bytes) / 1e6, decimals) + " MB";
}

std::string or_dash(const std::optional<double>& x, std::string (*text)(double)) {
  return x ? text(*x) : "-";
}

} // namespace dybw
