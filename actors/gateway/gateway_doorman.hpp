#pragma once

#include "actors/transport/tls_context.hpp"

#include <caf/io/doorman.hpp>
#include <caf/io/network/acceptor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <memory>

namespace dybw {

/// Accepts connections where the process may have no more descriptors: CAF's own would be told of the waiting
/// one again and again. One descriptor is kept aside, by which it is taken and closed; only while
/// others are quicker to take that one, too, the loop is told again. All in the multiplexer's thread.
class sparing_tcp {
public:
  sparing_tcp();
  ~sparing_tcp();
  sparing_tcp(const sparing_tcp&) = delete;
  sparing_tcp& operator=(const sparing_tcp&) = delete;

  bool try_accept(int& accepted, int listener);

private:
  int spare_;
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

private:
  caf::io::network::acceptor_impl<sparing_tcp> acceptor_;
  std::shared_ptr<tls_context> tls_;
};

} // namespace dybw
