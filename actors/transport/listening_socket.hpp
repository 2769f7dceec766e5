#pragma once

#include "messages/endpoint.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace dybw {

/// Why an address cannot be listened on; `what` is the reason in one clause.
struct listen_failure : std::runtime_error {
  explicit listen_failure(const std::string& why, int number = 0) : runtime_error(why), error(number) {}
  int error;            ///< errno, or 0: the name has no address, or none that may be listened on
  bool exposed = false; ///< all that it has can be reached by other machines
};

/// A TCP socket that listens; does not block, is closed at the end and not inherited by children.
class listening_socket {
public:
  /// On the first address of `where.host` that can be had. `only_loopback`: refuse addresses that other
  /// machines can reach, whatever their name says. Throws `listen_failure`.
  explicit listening_socket(const endpoint& where, bool only_loopback = false);
  listening_socket(listening_socket&& other) noexcept : descriptor_(other.release()) {}
  listening_socket& operator=(listening_socket&&) = delete;
  ~listening_socket();

  int descriptor() const noexcept { return descriptor_; }
  /// The caller closes it from now on.
  int release() noexcept { return std::exchange(descriptor_, -1); }
  /// The port that is listened on, chosen by the system if 0 was asked for.
  std::uint16_t port() const;

private:
  int descriptor_ = -1;
};

} // namespace dybw
