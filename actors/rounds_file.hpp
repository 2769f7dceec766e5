#pragma once

#include "learning/consensus/round_report.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace dybw {

/// rounds.jsonl: one line per worker and round that it joined. Not thread-safe.
class rounds_file {
public:
  /// Begins the file, or goes on with it.
  rounds_file(const std::filesystem::path& file, bool append);

  void add(const round_report& r);
  /// Writes out what is buffered. False if the file cannot be written.
  bool flush();
  const std::string& name() const noexcept { return name_; }

private:
  std::string name_;
  std::ofstream out_;
  std::string line_;
};

} // namespace dybw
