#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace dybw {

/// A text file that grows while a run lasts. Not thread-safe.
class line_file {
public:
  /// Begins the file, or goes on with it. `bytes_max`: with more it ends, which is logged; 0: no limit.
  line_file(const std::filesystem::path& file, bool append, std::uint64_t bytes_max = 0);

  /// Whole lines.
  void add(std::string_view lines);
  /// Writes out what is buffered. False if the file cannot be written.
  bool flush();
  /// "cannot write FILE: WHY"; empty if it can.
  std::string failure() const;
  const std::string& name() const noexcept { return name_; }
  std::uint64_t bytes() const noexcept { return bytes_; } ///< with what was there before

private:
  void check();

  std::string name_;
  std::ofstream out_;
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_max_;
  bool is_full_ = false;
  int error_ = 0; ///< the first
};

} // namespace dybw
