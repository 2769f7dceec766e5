#include "actors/transport/dialler.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dybw {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto slice = std::chrono::milliseconds{100};

/// How long there is still to wait, and whether anybody still wants to know.
class patience {
public:
  explicit patience(const dial_request& request)
      : end_(clock::now() + request.patience), wanted_(request.wanted) {}

  /// An equal part of what is left.
  patience share(std::ptrdiff_t parts) const {
    auto x = *this;
    x.end_ = clock::now() + (end_ - clock::now()) / parts;
    return x;
  }

  bool over() const { return clock::now() >= end_ || wanted_.expired(); }
  std::chrono::milliseconds next_slice() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - clock::now());
    return std::clamp<std::chrono::milliseconds>(left, std::chrono::milliseconds{1}, slice);
  }

private:
  clock::time_point end_;
  std::weak_ptr<const void> wanted_;
};

using addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

addrinfo tcp_hints(int flags) {
  auto hints = addrinfo{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  return hints;
}

/// A name that is being looked up. That blocks, for as long as the resolver likes, so it has a thread of its
/// own, which nobody waits for.
struct lookup {
  explicit lookup(const endpoint& to)
      : host(to.host), port(std::to_string(to.port)), done(::eventfd(0, EFD_CLOEXEC)) {}
  ~lookup() {
    if (found != nullptr)
      ::freeaddrinfo(found);
    if (done >= 0)
      ::close(done);
  }
  lookup(const lookup&) = delete;
  lookup& operator=(const lookup&) = delete;

  std::string host;
  std::string port;
  int done; ///< readable when `error` and `found` are there
  int error = 0;
  addrinfo* found = nullptr;
};

void find_addresses(const std::shared_ptr<lookup>& x) {
  const auto hints = tcp_hints(AI_ADDRCONFIG);
  x->error = ::getaddrinfo(x->host.c_str(), x->port.c_str(), &hints, &x->found);
  ::eventfd_write(x->done, 1);
}

/// Whether it was done in time.
bool finish(const lookup& x, const patience& time) {
  while (!time.over()) {
    pollfd waiting{x.done, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(time.next_slice().count())) > 0)
      return true;
  }
  return false;
}

struct looked_up {
  addresses found{nullptr, &::freeaddrinfo};
  std::string reason;
};

looked_up look_up(const endpoint& to, const patience& time) {
  looked_up result;
  const auto numeric = tcp_hints(AI_NUMERICHOST | AI_NUMERICSERV);
  addrinfo* first = nullptr;
  if (::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &numeric, &first) == 0) {
    result.found.reset(first);
    return result;
  }
  const auto x = std::make_shared<lookup>(to);
  std::thread{find_addresses, x}.detach();
  if (!finish(*x, time))
    result.reason =
        "the name server did not answer in time, for " + to.host + "; give an address instead of a name";
  else if (x->error != 0)
    result.reason = "there is no host " + to.host + ", " + to_string(to) + "; check the name";
  else
    result.found.reset(std::exchange(x->found, nullptr));
  return result;
}

/// An error number, or 0: connected.
int finish_connecting(int socket, const patience& time) {
  while (!time.over()) {
    pollfd waiting{socket, POLLOUT, 0};
    const auto ready = ::poll(&waiting, 1, static_cast<int>(time.next_slice().count()));
    if (ready < 0 && errno != EINTR)
      return errno;
    if (ready <= 0)
      continue;
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }
  return ETIMEDOUT;
}

/// Dialling a free port of this machine can end at the very socket that dials.
bool reached_itself(int socket) {
  sockaddr_storage own{};
  sockaddr_storage other{};
  socklen_t own_size = sizeof(own);
  socklen_t other_size = sizeof(other);
  return ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
         ::getpeername(socket, reinterpret_cast<sockaddr*>(&other), &other_size) == 0 &&
         own_size == other_size && std::memcmp(&own, &other, own_size) == 0;
}

int connect_to(const addrinfo& address, const patience& time, std::shared_ptr<dialled_socket>& out) {
  const auto socket =
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (socket < 0)
    return errno;
  auto owned = std::make_shared<dialled_socket>(socket);
  if (::connect(socket, address.ai_addr, address.ai_addrlen) != 0) {
    const auto error = errno == EINPROGRESS ? finish_connecting(socket, time) : errno;
    if (error != 0)
      return error;
  }
  if (reached_itself(socket))
    return ECONNREFUSED;
  out = std::move(owned);
  return 0;
}

std::string explain(int error, const dial_request& request) {
  const auto where = to_string(request.to);
  if (error == ECONNREFUSED)
    return "nothing listens, at " + where + "; check the port, or start dybw node --listen " + where +
           " there";
  if (error == ETIMEDOUT)
    return "no answer within " + std::to_string(std::lround(to_seconds(request.patience))) + " s, from " +
           where + "; check the address, the machine and its firewall";
  return "cannot connect (" + std::generic_category().message(error) + "), to " + where +
         "; check the address and the network";
}

dialled dial_all(const dial_request& request) {
  const patience time{request};
  dialled result{request.attempt, nullptr, {}};
  const auto [found, reason] = look_up(request.to, time);
  result.reason = reason;
  std::ptrdiff_t left = 0;
  for (const auto* address = found.get(); address != nullptr; address = address->ai_next)
    ++left;
  int worst = 0;
  for (const auto* address = found.get(); address != nullptr; address = address->ai_next, --left) {
    const auto error = connect_to(*address, time.share(left), result.socket);
    if (error == 0)
      return result;
    if (worst == 0 ||
        error == ECONNREFUSED) // of several addresses (IPv6, IPv4) the one that answers says most
      worst = error;
  }
  if (worst != 0)
    result.reason = explain(worst, request);
  return result;
}

} // namespace

dialled_socket::~dialled_socket() {
  if (socket_ >= 0)
    ::close(socket_);
}

void dial(caf::blocking_actor* self, const dial_request& request) {
  self->send(request.answer_to, dial_all(request));
}

} // namespace dybw
