#include "actors/checkpointer.hpp"

#include "actors/checkpoints.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& file) {
  const auto error = errno != 0 ? errno : EIO;
  throw std::system_error{error, std::generic_category(), "cannot write " + file.string()};
}

/// A file or directory, closed when it goes out of scope.
class descriptor {
public:
  descriptor(const fs::path& path, int flags)
      : path_(path), number_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (number_ < 0)
      fail(path_);
  }
  ~descriptor() {
    if (number_ >= 0)
      close(number_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      errno = 0;
      const auto done = ::write(number_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR)
        continue;
      if (done <= 0)
        fail(path_);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
  }
  void to_disk() {
    if (fsync(number_) != 0)
      fail(path_);
  }
  void finish() {
    if (close(std::exchange(number_, -1)) != 0)
      fail(path_);
  }

private:
  fs::path path_;
  int number_;
};

} // namespace

void write_checkpoint(const fs::path& file, const checkpoint& x) {
  const auto part = fs::path{file}.concat(".part");
  try {
    descriptor out{part, O_WRONLY | O_CREAT | O_TRUNC};
    encode(x, [&](std::span<const std::byte> piece) { out.write(piece); });
    out.to_disk(); // before the rename, or a power cut may leave a whole name and half a file
    out.finish();
    if (std::rename(part.c_str(), file.c_str()) != 0)
      fail(file);
  } catch (const std::system_error&) {
    std::error_code ignored; // the first failure is the one to report
    fs::remove(part, ignored);
    throw;
  }
  descriptor{file.parent_path(), O_RDONLY | O_DIRECTORY}.to_disk();
}

void checkpointer_state::save(const save_checkpoint& x) {
  const auto file = checkpoint_file(directory_, x.state->worker);
  try {
    fs::create_directories(directory_);
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
                                               const fs::path& directory) {
  self->state.start(directory);
  return {
      [self](const save_checkpoint& x) { self->state.save(x); },
      [self](const end_of_checkpoints&) { self->quit(); },
      [self](const checkpoints_wanted&) { return self->state.status(); },
  };
}

} // namespace dybw
