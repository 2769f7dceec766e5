#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace dybw {

/// A text file that grows while a run lasts. Not thread-safe.
class line_file {
public:
  /// Begins the file, or goes on with it.
  line_file(const std::filesystem::path& file, bool append)
      : name_(file.string()), out_(file, std::ios::binary | (append ? std::ios::app : std::ios::trunc)) {}

  /// Whole lines.
  void add(std::string_view lines) { out_ << lines; }
  /// Writes out what is buffered. False if the file cannot be written.
  bool flush() {
    out_.flush();
    return static_cast<bool>(out_);
  }
  const std::string& name() const noexcept { return name_; }

private:
  std::string name_;
  std::ofstream out_;
};

} // namespace dybw
