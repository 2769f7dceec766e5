#pragma once

#include "actors/node/node_options.hpp"

#include <atomic>

namespace dybw {

/// A run to be prepared on this node: data, starting points, directories.
struct preparation {
  run_spec spec;
  run_start how = run_start::afresh;
  std::filesystem::path data;  ///< --data of this node
  std::size_t threads = 0;     ///< --threads of this node, 0: the run's
  std::uint64_t data_hash = 0; ///< what the data must have; 0: anything
};

/// A run that is over, to be measured by the node that leads.
struct measurement {
  run_spec spec;
  std::shared_ptr<const run_inputs> inputs;
  std::vector<worker_actor> here; ///< [workers], null for those of other nodes
  run_client_actor client;        ///< reaches the others
  reporter_actor reports;
  run_result known;   ///< interrupted, failed; nodes and what the run cost
  bool hurry = false; ///< the node is to end: no time for the whole test set
};

/// What on a node takes long or blocks: loads, writes, measures. One at a time. Knows nothing of the state of
/// the node; tells it what came of each.
class run_loader_state {
public:
  static inline const char* name = "run_loader";
  static constexpr nanoseconds local_patience{std::chrono::seconds{10}};
  static constexpr nanoseconds remote_patience{std::chrono::seconds{65}};

  explicit run_loader_state(run_loader_actor::stateful_pointer<run_loader_state> self) : self_(self) {}

  void start(const run_loader_client_actor& node, node_writer files);
  void prepare(const preparation& x);
  void measure(const std::shared_ptr<const measurement>& x);

private:
  /// The estimates of one measurement, as they come.
  struct collection;
  void collect(const std::shared_ptr<collection>& c);
  void finish(collection& c);

  run_loader_actor::stateful_pointer<run_loader_state> self_;
  run_loader_client_actor node_;
  node_writer files_;
};

/// Spawn with `caf::detached`.
run_loader_actor::behavior_type run_loader(run_loader_actor::stateful_pointer<run_loader_state> self,
                                           const run_loader_client_actor& node, const node_writer& files);

} // namespace dybw
