#pragma once

#include "actors/system/line_file.hpp"
#include "learning/consensus/reports/round_report.hpp"

namespace dybw {

/// rounds.jsonl: one line per worker and round that it joined. Not thread-safe.
class rounds_file {
public:
  /// Begins the file, or goes on with it.
  rounds_file(const std::filesystem::path& file, bool append) : file_(file, append) {}

  void add(const round_report& r);
  /// Writes out what is buffered. False if the file cannot be written.
  bool flush() { return file_.flush(); }
  const std::string& name() const noexcept { return file_.name(); }

private:
  line_file file_;
  std::string line_;
};

} // namespace dybw
