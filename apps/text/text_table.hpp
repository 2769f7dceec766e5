#pragma once

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
  std::string text() const { return text(false); }
  /// The same with every column to the left.
  std::string text_left() const { return text(true); }

private:
  std::string text(bool all_left) const;

  std::vector<std::vector<std::string>> rows_;
};

} // namespace dybw
