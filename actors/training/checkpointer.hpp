#pragma once

#include "actors/actors.hpp"

#include <filesystem>

namespace dybw {

/// worker-N.ckpt below the directory of a run's checkpoints.
std::filesystem::path checkpoint_file(const std::filesystem::path& directory, worker_id id);

/// Writes the file whole or not at all: beside its place, to the disk, then there. Throws
/// `std::system_error`.
void write_checkpoint(const std::filesystem::path& file, const checkpoint& x);

class checkpointer_state {
public:
  static inline const char* name = "checkpointer";

  explicit checkpointer_state(checkpointer_actor::stateful_pointer<checkpointer_state> self) : self_(self) {}

  void start(std::filesystem::path directory) { directory_ = std::move(directory); }
  void save(const save_checkpoint& x);
  const checkpoints_status& status() const noexcept { return status_; }

private:
  checkpointer_actor::stateful_pointer<checkpointer_state> self_;
  std::filesystem::path directory_;
  checkpoints_status status_;
};

/// Writes into `directory`, which it makes. What cannot be written is logged; the run goes on. Spawn with
/// `caf::detached`.
checkpointer_actor::behavior_type checkpointer(checkpointer_actor::stateful_pointer<checkpointer_state> self,
                                               const std::filesystem::path& directory);

} // namespace dybw
