#include "actors/training/checkpointer.hpp"

#include "actors/run/checkpoints.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"
#include "tests/support/full_disk.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;

checkpoint state_after(round_number round) {
  auto buffer = std::make_shared<float_buffer>(1000);
  std::ranges::fill(buffer->values(), static_cast<float>(round));
  checkpoint x;
  x.run_hash = 5;
  x.worker = worker_at(3);
  x.workers = 8;
  x.round = round;
  x.parameters = parameter_block{std::move(buffer)};
  return x;
}

checkpoint read(const fs::path& file) {
  return read_checkpoint(file, {5, worker_at(3), 8, 1000, false});
}

/// Tries, and says why it did not work.
std::string failure_of(const fs::path& file, const checkpoint& x) {
  try {
    write_checkpoint(file, x);
  } catch (const std::system_error& error) {
    return error.what();
  }
  return {};
}

} // namespace

TEST_CASE("write_checkpoint: what an interrupted write left behind is in nobody's way") {
  const temporary_directory place;
  const auto file = place.path() / "worker-3.ckpt";
  write_checkpoint(file, state_after(1));
  std::ofstream(file.string() + ".part") << "half of a checkpoint";
  CHECK(read(file).round == 1);
  write_checkpoint(file, state_after(2));
  CHECK(read(file).round == 2);
  CHECK(std::distance(fs::directory_iterator{place.path()}, {}) == 1);
}

TEST_CASE("write_checkpoint: a write that fails costs neither the last good one nor disk space") {
  const temporary_directory place;
  const auto file = place.path() / "worker-3.ckpt";
  write_checkpoint(file, state_after(1));
  for (const rlim_t bytes : {0, 2000}) { // at once, and in the middle of the values
    std::string failure;
    {
      const full_disk disk{bytes};
      failure = failure_of(file, state_after(2));
    }
    CHECK(failure.find(file.string()) != std::string::npos);
    CHECK(read(file).round == 1);
    CHECK(std::distance(fs::directory_iterator{place.path()}, {}) == 1);
  }
}

TEST_CASE("checkpointer: goes on after a failure, and tells of it until one succeeds") {
  const temporary_directory place;
  test_system actors;
  const auto directory = place.path() / "run" / "checkpoints";
  auto handle = actors.spawn(checkpointer, directory);
  const auto save = [&](round_number round) {
    actors.tell(handle, save_checkpoint{std::make_shared<const checkpoint>(state_after(round)), {}});
    return actors.ask<checkpoints_status>(handle, checkpoints_wanted{});
  };
  CHECK(save(1).written == 1);
  {
    const full_disk disk{2000};
    const auto status = save(2);
    CHECK(status.written == 1);
    CHECK_FALSE(status.failure.empty());
  }
  CHECK(read(checkpoint_file(directory, worker_at(3))).round == 1);
  const auto status = save(3);
  CHECK(status.written == 2);
  CHECK(status.failure.empty());
  CHECK(read(checkpoint_file(directory, worker_at(3))).round == 3);
}

} // namespace dybw::test
