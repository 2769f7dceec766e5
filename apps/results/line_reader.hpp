#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

namespace dybw {

/// Reads a file line by line, in bounded memory. A last line without its end is left out: who wrote it was
/// interrupted. Throws `input_error` (data fault) for a line longer than `length_max`.
class line_reader {
public:
  static constexpr std::size_t length_max = std::size_t{1} << 24;

  explicit line_reader(const std::filesystem::path& file) : file_(file), in_(file, std::ios::binary) {}

  bool is_open() const { return in_.is_open(); }
  /// The next line, without its end; false if there is none. Valid until the next call.
  bool next();
  const std::string& line() const noexcept { return line_; }
  std::size_t number() const noexcept { return number_; } ///< of the line, from 1
  /// "line 12 of FILE"
  std::string place() const;

private:
  std::filesystem::path file_;
  std::ifstream in_;
  std::string line_;
  std::size_t number_ = 0;
};

} // namespace dybw
