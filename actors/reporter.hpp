#pragma once

#include "actors/actors.hpp"
#include "learning/consensus/mixing_audit.hpp"

#include <filesystem>
#include <fstream>

namespace dybw {

struct reporter_options {
  std::shared_ptr<const topology> graph; ///< the planned one
  std::filesystem::path rounds_file;     ///< rounds.jsonl; empty for none
};

/// Adds up, audits and writes what the workers of this process report. Its mailbox is bounded by the workers'
/// pace: one report per worker and round.
class reporter_state {
public:
  static inline const char* name = "reporter";

  explicit reporter_state(reporter_actor::stateful_pointer<reporter_state> self) : self_(self) {}

  void start(const reporter_options& options);
  void watch(const watch_workers& x);
  void add(const round_report& report);
  void add(const worker_finished& last_word);
  void add(const evaluation& e);
  void worker_down(const caf::down_msg& down);
  void flush();
  run_progress progress() const;
  run_outcome_ptr outcome();

private:
  void write(const round_report& report);
  void flush_file();
  void log_violations();
  void mark_done(std::size_t index);

  reporter_actor::stateful_pointer<reporter_state> self_;
  run_origin origin_;
  std::optional<mixing_audit> audit_;
  std::optional<run_statistics> statistics_;
  std::vector<caf::actor_addr> addresses_;
  std::vector<bool> done_flags_;
  std::size_t done_ = 0;
  std::vector<parameter_block> finals_;
  std::vector<evaluation> evaluations_;
  std::vector<std::uint32_t> lost_;
  duration_histogram threshold_delays_;
  nanoseconds end_{0}; ///< when the last worker was done
  std::optional<std::string> failure_;
  std::size_t violations_logged_ = 0;
  std::filesystem::path rounds_file_;
  std::ofstream rounds_;
  std::string line_;
};

/// Spawn with `caf::detached`: it writes files.
reporter_actor::behavior_type reporter(reporter_actor::stateful_pointer<reporter_state> self,
                                       const reporter_options& options);

} // namespace dybw
