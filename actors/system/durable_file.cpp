#include "actors/system/durable_file.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view unfinished = ".part";

[[noreturn]] void fail(const fs::path& file) {
  const auto error = errno != 0 ? errno : EIO;
  throw std::system_error{error, std::generic_category(), "cannot write " + file.string()};
}

/// A file or directory, closed when it goes out of scope. What fails is said of `path`.
class descriptor {
public:
  descriptor(const fs::path& path, const fs::path& opened, int flags)
      : path_(path), number_(open(opened.c_str(), flags | O_CLOEXEC, 0666)) {
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
  /// It ends at `at`, and what is written next stands there.
  void cut(std::uint64_t at) {
    const auto end = static_cast<off_t>(at);
    if (ftruncate(number_, end) != 0 || lseek(number_, end, SEEK_SET) < 0)
      fail(path_);
  }
  /// Whether it is ours now.
  bool lock() const { return flock(number_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }
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

void directory_to_disk(fs::path directory) {
  if (directory.empty())
    directory = ".";
  descriptor{directory, directory, O_RDONLY | O_DIRECTORY}.to_disk();
}

enum class safe_from { the_end_of_the_process, a_power_cut };

void write_beside(const fs::path& file, safe_from what, const std::function<void(const byte_sink&)>& write) {
  const auto part = fs::path{file}.concat(unfinished);
  unlink(part.c_str()); // of a killed process, or planted there: nothing that exists is opened
  descriptor out{file, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW};
  try {
    write([&](std::span<const std::byte> piece) { out.write(piece); });
    if (what == safe_from::a_power_cut)
      out.to_disk(); // before the rename, or there may be a whole name and half a file
    out.finish();
    if (std::rename(part.c_str(), file.c_str()) != 0)
      fail(file);
  } catch (...) {
    unlink(part.c_str());
    throw;
  }
  if (what == safe_from::a_power_cut)
    directory_to_disk(file.parent_path());
}

} // namespace

std::string finished_name(std::string name) {
  if (name.ends_with(unfinished))
    name.resize(name.size() - unfinished.size());
  return name;
}

void write_durably(const fs::path& file, const std::function<void(const byte_sink&)>& write) {
  write_beside(file, safe_from::a_power_cut, write);
}

void write_whole(const fs::path& file, const std::function<void(const byte_sink&)>& write) {
  write_beside(file, safe_from::the_end_of_the_process, write);
}

void write_durably(const fs::path& file, std::string_view content) {
  write_durably(file, [&](const byte_sink& write) { write(std::as_bytes(std::span{content})); });
}

void append_durably(const fs::path& file, std::uint64_t at, std::span<const std::byte> bytes) {
  descriptor out{file, file, O_WRONLY | O_CREAT | O_NOFOLLOW};
  out.cut(at);
  out.write(bytes);
  out.to_disk();
  out.finish();
}

path_claim::path_claim(const fs::path& path) {
  const auto opened = std::make_shared<const descriptor>(path, path, O_RDONLY);
  if (opened->lock())
    held_ = opened;
}

void create_directories_durably(const fs::path& directory) {
  std::vector<fs::path> grown; // innermost first
  for (auto path = fs::absolute(directory).lexically_normal(); !fs::exists(path); path = path.parent_path())
    grown.push_back(path.parent_path());
  fs::create_directories(directory);
  for (const auto& parent : grown)
    try {
      directory_to_disk(parent);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::permission_denied) // who may not list it leaves that to the system
        throw;
    }
}

} // namespace dybw
