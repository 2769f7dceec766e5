#include "actors/system/appended_file.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace dybw {

namespace {

/// Closes it, and says what failed.
class open_file {
public:
  explicit open_file(const std::filesystem::path& path)
      : path_(path), number_(open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666)) {
    check(number_ >= 0);
  }
  ~open_file() {
    if (number_ >= 0)
      close(number_);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;

  int number() const noexcept { return number_; }
  void check(bool done) const {
    if (!done)
      throw std::system_error{errno != 0 ? errno : EIO, std::generic_category(),
                              "cannot write " + path_.string()};
  }

private:
  const std::filesystem::path& path_;
  int number_;
};

} // namespace

void append_durably(const std::filesystem::path& file, std::uint64_t at, std::span<const std::byte> bytes) {
  errno = 0;
  const open_file out{file};
  out.check(ftruncate(out.number(), static_cast<off_t>(at)) == 0);
  auto position = static_cast<off_t>(at);
  while (!bytes.empty()) {
    errno = 0;
    const auto done = pwrite(out.number(), bytes.data(), bytes.size(), position);
    if (done < 0 && errno == EINTR)
      continue;
    out.check(done > 0);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    position += done;
  }
  out.check(fsync(out.number()) == 0);
}

} // namespace dybw
