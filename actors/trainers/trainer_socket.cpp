#include "actors/trainers/trainer_socket.hpp"

#include "messages/trainer_protocol.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace dybw {

namespace {

constexpr std::size_t head_bytes = DYBW_HEAD_SIZE;

std::array<char, head_bytes> head_of(std::uint16_t type, std::size_t body_bytes) {
  std::vector<char> head;
  wire_writer{head}(static_cast<std::uint32_t>(body_bytes), type, std::uint16_t{0});
  std::array<char, head_bytes> bytes{};
  std::ranges::copy(head, bytes.begin());
  return bytes;
}

} // namespace

trainer_socket::~trainer_socket() {
  close(descriptor_);
}

void trainer_socket::shut_down() noexcept {
  shutdown(descriptor_, SHUT_RDWR);
}

bool trainer_socket::has_room_within(nanoseconds patience) const {
  pollfd wanted{descriptor_, POLLOUT, 0};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  return poll(&wanted, 1, static_cast<int>(wait)) > 0;
}

void trainer_socket::send(std::uint16_t type, std::span<const char> body, int passed_on,
                          const std::function<bool()>& gives_up) {
  constexpr nanoseconds look_every = std::chrono::milliseconds{200};
  auto head = head_of(type, body.size());
  std::array<iovec, 2> pieces{{{head.data(), head.size()}, {const_cast<char*>(body.data()), body.size()}}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
  if (passed_on >= 0) {
    message.msg_control = rights.data();
    message.msg_controllen = rights.size();
    auto* control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(control), &passed_on, sizeof passed_on);
  }
  for (std::size_t first = 0; first < pieces.size();) {
    message.msg_iov = &pieces[first];
    message.msg_iovlen = pieces.size() - first;
    const auto sent = sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) &&
        (has_room_within(look_every) || !gives_up || !gives_up()))
      continue;
    if (sent < 0)
      throw trainer_gone{};
    message.msg_control = nullptr;
    message.msg_controllen = 0;
    for (auto left = static_cast<std::size_t>(sent); first < pieces.size();) {
      auto& p = pieces[first];
      const auto taken = std::min(left, p.iov_len);
      p.iov_base = static_cast<char*>(p.iov_base) + taken;
      p.iov_len -= taken;
      left -= taken;
      if (p.iov_len > 0)
        break;
      ++first;
    }
  }
}

/// What a dead process's children still hold open must not keep us waiting.
bool trainer_socket::says_something_within(nanoseconds patience, int process) {
  const auto for_ever = patience == nanoseconds::max();
  const auto until = std::chrono::steady_clock::now() + (for_ever ? nanoseconds{0} : patience);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const auto wait =
        for_ever ? -1 : static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
    std::array<pollfd, 2> wanted{{{descriptor_, POLLIN, 0}, {process, POLLIN, 0}}};
    const auto ready = poll(wanted.data(), process >= 0 ? 2 : 1, wait);
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready < 0)
      throw trainer_gone{};
    if (ready == 0)
      return false;
    if (wanted[0].revents != 0)
      return true;
    throw trainer_gone{};
  }
}

bool trainer_socket::read_exactly(char* to, std::size_t bytes) {
  while (bytes > 0) {
    const auto got = recv(descriptor_, to, bytes, MSG_WAITALL);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

const trainer_message& trainer_socket::receive(int process) {
  says_something_within(nanoseconds::max(), process);
  std::array<char, head_bytes> head{};
  if (!read_exactly(head.data(), head.size()))
    throw trainer_gone{};
  std::uint32_t bytes = 0;
  std::uint16_t zero = 0;
  read_trainer_body(head, bytes, message_.type, zero);
  if (zero != 0)
    throw std::runtime_error("the trainer says what cannot be read; use the same version of both sides");
  if (bytes > dybw_body_max(message_.type))
    throw std::runtime_error("the trainer says " + std::to_string(bytes) + " bytes in a message of type " +
                             std::to_string(message_.type) + ", more than that may have");
  message_.body.resize(bytes);
  if (!read_exactly(message_.body.data(), bytes))
    throw trainer_gone{};
  return message_;
}

} // namespace dybw
