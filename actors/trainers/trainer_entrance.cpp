#include "actors/trainers/trainer_entrance.hpp"

#include "learning/base/error.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dybw {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error{errno, std::generic_category(), what};
}

int listen_at(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto text = path.string();
  if (text.size() >= sizeof address.sun_path)
    throw input_error{input_fault::configuration, "a socket's name is too long: " + text, "",
                      "give a shorter one, or set TMPDIR to a directory of a shorter name"};
  std::ranges::copy(text, std::begin(address.sun_path));
  const auto listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0)
    fail("no socket for trainers");
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, SOMAXCONN) != 0) {
    const auto why = errno;
    close(listener);
    throw input_error{input_fault::configuration,
                      "trainers cannot come to " + text + ": " + std::strerror(why), "",
                      "give a name that nothing has yet, in a directory that is yours"};
  }
  return listener;
}

/// Who comes can be let in later.
bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool is_ours(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

} // namespace

private_directory::private_directory() {
  const auto* given = std::getenv("TMPDIR");
  auto name = (std::filesystem::path{given != nullptr ? given : "/tmp"} / "dybw-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    fail("cannot make " + name);
  path_ = name;
}

private_directory::~private_directory() {
  std::error_code left_behind;
  std::filesystem::remove_all(path_, left_behind);
}

trainer_entrance::trainer_entrance(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(listen_at(path_)) {}

trainer_entrance::~trainer_entrance() {
  close(descriptor_);
  std::error_code gone_already;
  std::filesystem::remove(path_, gone_already);
}

int trainer_entrance::accepted(std::chrono::milliseconds patience) {
  const auto wait = static_cast<int>(patience.count());
  pollfd wanted{descriptor_, POLLIN, 0};
  if (poll(&wanted, 1, wait) <= 0)
    return -1;
  const auto connection = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0 && is_shortage(errno)) {
    const auto why = errno;
    if (!std::exchange(is_short_, true))
      spdlog::warn("a trainer cannot be let in: {}; it waits; raise the limit of open files (ulimit -n)",
                   std::strerror(why));
    poll(&wanted, 0, wait); // who waits at the door would end a look at it at once
    return -1;
  }
  if (connection < 0)
    return -1;
  is_short_ = false;
  if (is_ours(connection))
    return connection;
  close(connection);
  return -1;
}

void trainer_entrance::set_patience(int connection, std::chrono::seconds patience) {
  const timeval time{patience.count(), 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

} // namespace dybw
