#pragma once

#include <ios>
#include <string>
#include <utility>
#include <vector>

namespace dybw {

/// Rows of cells as aligned text: the first column to the left, the others to the right, two spaces between.
class text_table {
public:
  /// Rows may differ in length. A header is a row like any other.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// Each row a line, without spaces at its end.
  std::string text() const { return text(std::right); }
  /// The same with every column to the left.
  std::string text_left() const { return text(std::left); }

private:
  std::string text(std::ios_base& (*side)(std::ios_base&)) const;

  std::vector<std::vector<std::string>> rows_;
};

/// With `decimals` digits behind the point; "-" if not finite.
std::string fixed_text(double x, int decimals);
/// With two significant digits: "0.012", "3.1e-07"; "-" if not finite.
std::string short_text(double x);
/// "82.3 ms", "14.2 s", "1234 s": three digits or so in the unit that fits.
std::string seconds_text(double s);
/// 0.912 as "91.2 %".
std::string percent_text(double share);
/// "7,850".
std::string count_text(unsigned long long count);

} // namespace dybw
