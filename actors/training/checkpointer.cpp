#include "actors/training/checkpointer.hpp"

#include "actors/system/durable_file.hpp"

#include <spdlog/spdlog.h>

#include <system_error>

namespace dybw {

std::filesystem::path checkpoint_file(const std::filesystem::path& directory, worker_id id) {
  return directory / ("worker-" + to_string(id) + ".ckpt");
}

void write_checkpoint(const std::filesystem::path& file, const checkpoint& x) {
  write_durably(file, [&](const byte_sink& write) { encode(x, write); });
}

void checkpointer_state::save(const save_checkpoint& x) {
  const auto file = checkpoint_file(directory_, x.state->worker);
  try {
    create_directories_durably(directory_);
    write_checkpoint(file, *x.state);
    ++status_.written;
    status_.failure.clear();
  } catch (const std::system_error& error) {
    if (status_.failure.empty()) // once, until one succeeds
      spdlog::error("no checkpoint of worker {}: {}; the last one stays", to_string(x.state->worker),
                    error.what());
    status_.failure = error.what();
  }
  if (x.client)
    self_->send(x.client, checkpoint_handled{});
}

checkpointer_actor::behavior_type checkpointer(checkpointer_actor::stateful_pointer<checkpointer_state> self,
                                               const std::filesystem::path& directory) {
  self->state.start(directory);
  return {
      [self](const save_checkpoint& x) { self->state.save(x); },
      [self](const end_of_checkpoints&) { self->quit(); },
      [self](const checkpoints_wanted&) { return self->state.status(); },
  };
}

} // namespace dybw
