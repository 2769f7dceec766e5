#pragma once

#include "actors/actors.hpp"
#include "actors/reporting/trace_file.hpp"
#include "learning/checkpoint/virtual_checkpoint.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>

namespace dybw {

/// What the caller of a run may do while it lasts.
struct run_controls {
  std::filesystem::path rounds_file; ///< empty for none; appended to if the run resumes
  /// Called about ten times a second from the calling thread; returning true stops the run.
  std::function<bool(const run_progress&)> watch;
  std::shared_ptr<trace_file> trace{};       ///< null for none
  std::filesystem::path events_file{};       ///< likewise: every event of every worker, to be replayed
  std::filesystem::path evals_file{};        ///< evals.jsonl, likewise; appended to if the run resumes
  local_monitor_actor monitor{};             ///< told of the run; null for none
  std::filesystem::path checkpoints{};       ///< directory for those of `--checkpoint-every`; empty for none
  std::map<worker_id, checkpoint> resumed{}; ///< of every worker, if the run goes on
  std::shared_ptr<const virtual_checkpoint> resumed_virtually{}; ///< likewise, in virtual time
  /// In virtual time: told of every evaluation, of which the result of a long run has some only; returning
  /// true ends the run as a target does.
  std::function<bool(const evaluation&)> on_evaluation{};
  /// In virtual time: whether evaluations score single workers beside the average, if there is time for it.
  bool scores_workers = true;
};

} // namespace dybw
