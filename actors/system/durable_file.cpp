#include "actors/system/durable_file.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view unfinished = ".part";
constexpr std::size_t number_digits = 16; ///< between the name and `unfinished`

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

/// Who could guess it could put something else there.
fs::path unfinished_file(const fs::path& file) {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    fail(file);
  char digits[number_digits + 1];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, number);
  return fs::path{file}.concat(".").concat(digits).concat(unfinished);
}

void remove_leftovers(const fs::path& file) {
  const auto name = file.filename().string();
  std::error_code ignored; // who may not list the directory has to look after it himself
  const auto directory = file.has_parent_path() ? file.parent_path() : fs::path{"."};
  for (fs::directory_iterator entry{directory, ignored}, end; entry != end; entry.increment(ignored))
    if (const auto other = entry->path().filename().string(); other != name && finished_name(other) == name)
      unlink(entry->path().c_str());
}

} // namespace

std::string finished_name(std::string name) {
  if (!name.ends_with(unfinished))
    return name;
  name.resize(name.size() - unfinished.size());
  const auto dot = name.rfind('.');
  if (dot != std::string::npos && name.size() - dot == number_digits + 1 &&
      name.find_first_not_of("0123456789abcdef", dot + 1) == std::string::npos)
    name.resize(dot);
  return name;
}

void write_durably(const fs::path& file, const std::function<void(const byte_sink&)>& write) {
  remove_leftovers(file);
  const auto part = unfinished_file(file);
  descriptor out{file, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW};
  try {
    write([&](std::span<const std::byte> piece) { out.write(piece); });
    out.to_disk(); // before the rename, or a power cut may leave a whole name and half a file
    out.finish();
    if (std::rename(part.c_str(), file.c_str()) != 0)
      fail(file);
  } catch (...) {
    unlink(part.c_str());
    throw;
  }
  directory_to_disk(file.parent_path());
}

void write_durably(const fs::path& file, std::string_view content) {
  write_durably(file, [&](const byte_sink& write) { write(std::as_bytes(std::span{content})); });
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
