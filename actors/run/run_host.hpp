#pragma once

#include "actors/actors.hpp"
#include "actors/reporting/reporter.hpp"
#include "actors/run/run_inputs.hpp"
#include "actors/training/worker.hpp"
#include "learning/straggler/step_time.hpp"

#include <caf/actor_system.hpp>

#include <map>
#include <optional>

namespace dybw {

/// Where a worker goes on that does not start afresh.
struct worker_start {
  round_number completed = 0;
  std::vector<fact> facts;
  parameter_block parameters;        ///< none without a model
  worker_id learner_of{};            ///< of a joiner: whose these are
  std::optional<checkpoint> resumed; ///< set: this holds, not the above
};

/// Where workers go on that resume.
std::map<worker_id, worker_start> starts_from(std::map<worker_id, checkpoint> checkpoints);

struct run_host_options {
  std::size_t policy = 0;                     ///< index into the inputs' policies
  std::vector<worker_id> here;                ///< the workers of this process, ascending
  reporter_options reports;                   ///< its graph is filled in
  std::optional<nanoseconds> time_limit;      ///< as of `begin`; unset: none
  std::map<worker_id, worker_start> starts{}; ///< of those `here` that do not start afresh
  std::filesystem::path checkpoints{};        ///< directory to write them to, if the run has any; empty: none
};

/// The actors of one run in this process: its workers with their shards, the trainers, the reporter. They end
/// with it. Not thread-safe.
class run_host {
public:
  /// Spawns everything; nothing begins yet. REQUIRES: the inputs are loaded for the workers `here`.
  run_host(caf::actor_system& system, const run_inputs& inputs, run_host_options options);
  ~run_host() { take_down(); }
  run_host(const run_host&) = delete;
  run_host& operator=(const run_host&) = delete;

  /// Introduces the workers to each other, those of other processes by `links` (null on one host). Before any
  /// worker anywhere begins.
  void meet(const link_actor& links);
  void begin(run_origin origin);
  /// Rounds in progress end, then every worker leaves.
  void stop();
  /// Ends every actor; a second time does nothing.
  void take_down();

  /// As the workers see it: without edges if the exchange is off.
  const std::shared_ptr<const topology>& graph() const noexcept { return graph_; }
  const std::vector<worker_id>& here() const noexcept { return here_; }
  const std::vector<worker_actor>& workers() const noexcept {
    return workers_;
  } ///< [workers], null elsewhere
  const reporter_actor& reports() const noexcept { return reports_; }
  /// Steps are the work of processes that may hang.
  bool waits_for_processes() const noexcept { return waits_for_processes_; }
  const trainer_pool_actor& trainers() const noexcept { return trainers_; }        ///< null without a model
  const checkpointer_actor& checkpoints() const noexcept { return checkpointer_; } ///< null: there are none
  run_origin origin() const noexcept { return origin_; }
  /// Everybody that `take_down` ends.
  const std::vector<caf::actor>& actors() const noexcept { return actors_; }
  /// Ends this one with the others.
  template <class Handle>
  Handle adopt(Handle handle) {
    actors_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

private:
  run_host() = default;
  worker_options options_of(worker_id id, const run_inputs& inputs, const run_host_options& options) const;

  std::shared_ptr<const topology> graph_;
  std::shared_ptr<network_parts> parts_; ///< of the graph as the workers see it; they share it
  std::optional<step_clocks> clocks_;
  std::shared_ptr<const training_setup> setup_; ///< null without a model
  std::vector<worker_id> here_;
  bool waits_for_processes_ = false;
  trainer_pool_actor trainers_;
  std::shared_ptr<spare_workspaces> workspaces_;
  checkpointer_actor checkpointer_;
  std::uint64_t run_hash_ = 0; ///< for checkpoints
  reporter_actor reports_;
  std::vector<worker_actor> workers_;
  std::vector<caf::actor> actors_;
  run_origin origin_;
};

} // namespace dybw
