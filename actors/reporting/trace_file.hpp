#pragma once

#include "learning/consensus/reports/round_report.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace dybw {

/// Writes what workers did when, in the Chrome trace format (an array of JSON objects), which Perfetto
/// and chrome://tracing read. After each `flush` the file is whole, also for strict readers. A run is a
/// "process", each worker two "threads": one for what it does itself (queue, compute, gather, settle, mix)
/// and one for its estimates on their way (send). Not thread-safe.
class trace_file {
public:
  /// Begins the file, or goes on with it for another run.
  /// `bytes_max`: with so much of this run it ends, which is logged; 0: no limit.
  trace_file(const std::filesystem::path& file, const std::string& run, std::size_t number,
             std::size_t workers, std::uint64_t bytes_max = 0);
  ~trace_file() { flush(); }
  trace_file(const trace_file&) = delete;
  trace_file& operator=(const trace_file&) = delete;

  void add(const round_report& r);
  /// Writes out what is buffered. False if the file cannot be written.
  bool flush();

private:
  void interval(const char* name, std::size_t thread, nanoseconds begin, nanoseconds end, round_number round);

  std::ofstream out_;
  bool is_file_; ///< no pipe: what was written can be written over
  std::size_t number_;
  std::string line_;
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_max_;
  bool is_full_ = false;
};

} // namespace dybw
