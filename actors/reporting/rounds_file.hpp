#pragma once

#include "actors/system/line_file.hpp"
#include "learning/consensus/reports/round_report.hpp"

#include <optional>

namespace dybw {

/// rounds.jsonl: one line per worker and round that it joined. Beyond `bytes_max` (0: no limit) every second
/// round goes, and of those to come as well; again whenever that size is reached: then every fourth is left,
/// and so on, of the whole run. Not thread-safe.
class rounds_file {
public:
  /// Begins the file, or goes on with it.
  rounds_file(const std::filesystem::path& file, bool append, std::uint64_t bytes_max = 0);

  void add(const round_report& r);
  /// Writes out what is buffered. False if the file cannot be written.
  bool flush() { return failure_.empty() && file_->flush(); }
  /// "cannot write FILE: WHY"; empty if it can.
  std::string failure() const { return failure_.empty() ? file_->failure() : failure_; }

private:
  void thin();

  std::filesystem::path place_;
  std::uint64_t bytes_max_;
  round_number every_ = 1; ///< rounds whose number it divides are kept
  std::optional<line_file> file_;
  std::string failure_;
  std::string line_;
};

} // namespace dybw
