#include "actors/gateway/gateway_doorman.hpp"

#include "actors/transport/channel.hpp"
#include "actors/transport/connection.hpp"
#include "actors/transport/tls_channel.hpp"

#include <caf/io/network/native_socket.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dybw {

namespace {

namespace net = caf::io::network;

/// How long nothing is listened to that cannot be taken.
constexpr auto deaf_for = std::chrono::milliseconds{100};

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int accept_one(int listener) {
  return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); // before a handshake begins
}

} // namespace

sparing_tcp::sparing_tcp(std::function<void()> starved)
    : starved_(std::move(starved)), spare_(open_spare()) {}

sparing_tcp::~sparing_tcp() {
  if (spare_ >= 0)
    ::close(spare_);
}

bool sparing_tcp::try_accept(int& accepted, int listener) {
  if (spare_ < 0)
    spare_ = open_spare(); // another thread was faster the last time
  accepted = accept_one(listener);
  if (accepted >= 0)
    return true;
  const auto no_descriptor = errno == EMFILE || errno == ENFILE;
  if (!no_descriptor && errno != ENOMEM && errno != ENOBUFS)
    return false;
  auto refused = -1;
  if (no_descriptor && spare_ >= 0) {
    ::close(std::exchange(spare_, -1));
    refused = accept_one(listener);
    if (refused >= 0)
      ::close(refused);
    spare_ = open_spare();
  }
  if (refused < 0)
    starved_(); // it is still there, and the loop would tell of it without end
  return false;
}

gateway_doorman::gateway_doorman(net::default_multiplexer& backend, int socket,
                                 std::shared_ptr<tls_context> tls)
    : doorman(net::accept_hdl_from_socket(socket)), acceptor_(backend, socket, [this] { stop_listening(); }),
      tls_(std::move(tls)) {}

bool gateway_doorman::new_connection() {
  const auto socket = acceptor_.accepted_socket();
  if (detached()) {
    ::close(socket);
    return false;
  }
  auto& backend = acceptor_.backend();
  auto channel = tls_ ? make_tls_channel(tls_, true) : make_plain_channel();
  auto accepted = caf::make_counted<connection>(backend, socket, std::move(channel));
  const auto handle = accepted->hdl();
  parent()->add_scribe(std::move(accepted));
  return doorman::new_connection(&backend, handle);
}

void gateway_doorman::graceful_shutdown() {
  const auto in_loop = acceptor_.eventbf() != 0;
  acceptor_.graceful_shutdown();
  detach(&acceptor_.backend(), false);
  if (!in_loop) // opened in this very turn: the loop never heard of it, and will not tell it to let go of
                // itself
    acceptor_.removed_from_loop(net::operation::read);
}

void gateway_doorman::launch() {
  acceptor_.start(this);
}

std::string gateway_doorman::addr() const {
  const auto address = net::local_addr_of_fd(acceptor_.fd());
  return address ? *address : "";
}

std::uint16_t gateway_doorman::port() const {
  const auto number = net::local_port_of_fd(acceptor_.fd());
  return number ? *number : std::uint16_t{0};
}

void gateway_doorman::add_to_loop() {
  acceptor_.activate(this);
}

void gateway_doorman::remove_from_loop() {
  acceptor_.passivate();
}

void gateway_doorman::stop_listening() {
  deaf_until_ = std::chrono::steady_clock::now() + deaf_for;
  acceptor_.passivate();
}

void gateway_doorman::go_on_listening(std::chrono::steady_clock::time_point now) {
  if (!deaf_until_ || now < *deaf_until_)
    return;
  deaf_until_.reset();
  if (!detached())
    acceptor_.activate(this);
}

} // namespace dybw
