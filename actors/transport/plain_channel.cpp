#include "actors/transport/channel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>

namespace dybw {

namespace {

constexpr std::size_t pieces_max = 16;

template <class Byte>
std::pair<std::array<iovec, pieces_max>, std::size_t> as_iovecs(std::span<const std::span<Byte>> pieces) {
  std::array<iovec, pieces_max> vectors{};
  const auto count = std::min(pieces.size(), pieces_max);
  for (std::size_t i = 0; i < count; ++i) {
    vectors[i].iov_base = const_cast<char*>(pieces[i].data());
    vectors[i].iov_len = pieces[i].size();
  }
  return {vectors, count};
}

bool only_later(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

class plain_channel final : public channel {
public:
  outcome read(int socket, std::span<const std::span<char>> places) override {
    auto [vectors, count] = as_iovecs(places);
    const auto bytes = ::readv(socket, vectors.data(), static_cast<int>(count));
    if (bytes > 0) {
      std::size_t room = 0;
      for (const auto& place : places)
        room += place.size();
      return {static_cast<std::size_t>(bytes), false, static_cast<std::size_t>(bytes) < room};
    }
    if (bytes == 0)
      return fail("the other side closed the connection");
    return only_later(errno) ? outcome{0, false, true} : failed(errno);
  }

  outcome write(int socket, std::span<const std::span<const char>> pieces) override {
    auto [vectors, count] = as_iovecs(pieces);
    auto message = msghdr{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const auto bytes = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (bytes >= 0)
      return {static_cast<std::size_t>(bytes), false, false};
    return only_later(errno) ? outcome{} : failed(errno);
  }

  bool has_pending() const override { return false; }
  bool must_read_first() const override { return false; }

private:
  outcome failed(int error) {
    if (error == EPIPE || error == ECONNRESET)
      return fail("the other side closed the connection");
    return fail("the connection broke: " + std::generic_category().message(error));
  }
};

} // namespace

std::unique_ptr<channel> make_plain_channel() {
  return std::make_unique<plain_channel>();
}

} // namespace dybw
