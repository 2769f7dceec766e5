#pragma once

#include <cstddef>
#include <filesystem>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// Takes separated values apart as RFC 4180 has them, one record after the other: cells in quotes may hold
/// separators, line ends and doubled quotes. Beyond the RFC any separator, line ends LF, CRLF and CR, blanks
/// round cells, and records of different lengths. No escapes with backslashes.
///
/// Our own, since neither the standard library nor Boost has one, and Debian's libcsv is C with callbacks per
/// cell that can neither name a line nor try separators on a piece of text.
class csv_records {
public:
  /// Reads `head`, then what `rest` still holds if there is one; both must outlive this. `file` is named in
  /// errors.
  csv_records(std::string_view head, std::istream* rest, char separator, const std::filesystem::path& file)
      : chunk_(head), rest_(rest), separator_(separator), file_(&file) {}

  /// The next record; false at the end. Throws `input_error` (data fault) for a quote that is never closed,
  /// text behind a closing quote, zero bytes, and a record of more than 64 MiB.
  bool next();

  /// Of the record that was read: its cells without quotes and blanks round them, until the next one. An
  /// empty line is a single empty cell.
  const std::vector<std::string_view>& cells() const noexcept { return cells_; }
  /// The line on which it begins, from 1.
  std::size_t line() const noexcept { return begin_; }

private:
  static constexpr int end_of_file = -1;

  int peek();
  void skip() noexcept { ++at_; }
  bool refill();
  void skip_blanks();
  void read_plain();
  void read_quoted();
  int end_cell();
  bool is_blank(int c) const noexcept { return c == ' ' || (c == '\t' && separator_ != '\t'); }
  void append(const char* from, std::size_t count);
  [[noreturn]] void refuse(std::size_t line, const std::string& what, const std::string& mend) const;

  std::string_view chunk_;
  std::size_t at_ = 0;
  std::istream* rest_;
  std::string buffer_;
  char separator_;
  const std::filesystem::path* file_;
  std::string text_;              // of all cells
  std::vector<std::size_t> ends_; // of the cells in `text_`
  std::vector<std::string_view> cells_;
  std::size_t line_ = 1;
  std::size_t begin_ = 1;
};

} // namespace dybw
