#pragma once

#include "actors/transport/tls_context.hpp"

#include <caf/io/doorman.hpp>
#include <caf/io/network/acceptor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace dybw {

/// Accepts connections where the process may have no more descriptors: CAF's own would be told of the waiting
/// one again and again. One descriptor is kept aside, by which it is taken and closed. All in the
/// multiplexer's thread.
class sparing_tcp {
public:
  /// `starved` is called when a connection waits that can be neither taken nor closed: others were quicker
  /// to take the spare descriptor, or the system has no memory.
  explicit sparing_tcp(std::function<void()> starved);
  ~sparing_tcp();
  sparing_tcp(const sparing_tcp&) = delete;
  sparing_tcp& operator=(const sparing_tcp&) = delete;

  bool try_accept(int& accepted, int listener);

private:
  std::function<void()> starved_;
  int spare_; ///< -1: lost, to be taken again
};

/// A node's port. What is accepted becomes one of our `connection`s of the broker.
class gateway_doorman final : public caf::io::doorman {
public:
  /// Takes the listening socket over. `tls`: null for none.
  gateway_doorman(caf::io::network::default_multiplexer& backend, int socket,
                  std::shared_ptr<tls_context> tls);

  bool new_connection() override;
  void graceful_shutdown() override;
  void launch() override;
  std::string addr() const override;
  std::uint16_t port() const override;
  void add_to_loop() override;
  void remove_from_loop() override;

  /// Listens again a while after it could not take what was waiting. To be called every now and then.
  void go_on_listening(std::chrono::steady_clock::time_point now);

private:
  void stop_listening();

  caf::io::network::acceptor_impl<sparing_tcp> acceptor_;
  std::shared_ptr<tls_context> tls_;
  std::optional<std::chrono::steady_clock::time_point> deaf_until_;
};

} // namespace dybw
