#pragma once

#include "actors/reporting/trace_file.hpp"
#include "actors/run/run_end.hpp"
#include "actors/run/run_inputs.hpp"
#include "actors/transport/tls_channel.hpp"
#include "learning/checkpoint/checkpoint.hpp"
#include "learning/checkpoint/virtual_checkpoint.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>

namespace dybw {

/// CAF's settings for this project: its message types, and the `sharing` scheduler, whose idle threads sleep
/// until there is work (the default one polls, which costs processor time and up to 10 ms per message).
class system_config : public caf::actor_system_config {
public:
  /// Without the network.
  system_config();
  /// With it, so that `open_gateway` works; through TLS if there are files (check them before, `check_tls`).
  explicit system_config(const std::optional<tls_files>& tls);
};

/// What the caller of a run may do while it lasts.
struct run_controls {
  std::filesystem::path rounds_file; ///< empty for none; appended to if the run resumes
  /// Called about ten times a second from the calling thread; returning true stops the run.
  std::function<bool(const run_progress&)> watch;
  std::shared_ptr<trace_file> trace{};       ///< null for none
  std::filesystem::path events_file{};       ///< likewise: every event of every worker, to be replayed
  local_monitor_actor monitor{};             ///< told of the run; null for none
  std::filesystem::path checkpoints{};       ///< directory for those of `--checkpoint-every`; empty for none
  std::map<worker_id, checkpoint> resumed{}; ///< of every worker, if the run goes on
  std::shared_ptr<const virtual_checkpoint> resumed_virtually{}; ///< likewise, in virtual time
};

/// Runs one policy with actors of `system` in real time and returns when it is over. Never throws for what
/// happens in the run: see `run_result::failed`.
finished_run run_policy(caf::actor_system& system, const run_inputs& inputs, std::size_t policy,
                        const run_controls& controls);

} // namespace dybw
