#pragma once

#include "actors/node/node_options.hpp"

#include <atomic>
#include <map>

namespace dybw {

/// A run to be prepared on this node: data, starting points, directories.
struct preparation {
  run_spec spec;
  run_start how = run_start::afresh;
  std::filesystem::path data;                  ///< --data of this node
  std::size_t threads = 0;                     ///< --threads of this node, 0: the run's
  std::map<std::string, std::string> trainers; ///< --trainer of this node
  std::uint64_t data_hash = 0;                 ///< what the data must have; 0: anything
  /// Becomes true when nobody waits for it any more.
  std::shared_ptr<const std::atomic<bool>> unwanted = std::make_shared<const std::atomic<bool>>(false);
};

struct run_loader_state {
  static inline const char* name = "run_loader";
};

/// Loads what runs need, their trainers among it, one at a time, and ends those: that takes long, and blocks.
/// Knows nothing of the state of the node; tells it what came of each. Uses `open` and `discard` of `files`.
/// Spawn with `caf::detached`.
run_loader_actor::behavior_type run_loader(run_loader_actor::stateful_pointer<run_loader_state> self,
                                           const run_loader_client_actor& node, const node_writer& files);

} // namespace dybw
