#include "apps/text/text_table.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace dybw {

namespace {

/// Characters of UTF-8.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

} // namespace

std::string text_table::text(std::ios_base& (*side)(std::ios_base&)) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::ostringstream line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line << (i == 0 ? "" : "  ") << (i == 0 ? std::left : side)
           << std::setw(static_cast<int>(widths[i] + row[i].size() - width_of(row[i]))) << row[i];
    auto trimmed = line.str();
    trimmed.erase(trimmed.find_last_not_of(' ') + 1);
    text += trimmed + '\n';
  }
  return text;
}

std::string fixed_text(double x, int decimals) {
  if (!std::isfinite(x))
    return "-";
  std::ostringstream out;
  out << std::fixed << std::setprecision(decimals) << x;
  return out.str();
}

std::string short_text(double x) {
  if (!std::isfinite(x))
    return "-";
  std::ostringstream out;
  out << std::setprecision(2) << x;
  return out.str();
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
    text.insert(static_cast<std::size_t>(place), ",");
  return text;
}

} // namespace dybw
