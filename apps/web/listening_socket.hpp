#pragma once

#include "messages/endpoint.hpp"

namespace dybw {

/// A TCP socket that listens on one address; does not block, is closed at the end and not inherited by
/// children.
class listening_socket {
public:
  /// `only_loopback`: refuse an address that other machines can reach, whatever its name says. Throws
  /// `input_error`: configuration fault for a wrong address, network fault if the port is taken.
  listening_socket(const endpoint& address, bool only_loopback);
  ~listening_socket();
  listening_socket(const listening_socket&) = delete;
  listening_socket& operator=(const listening_socket&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  /// With the port that the system chose, if 0 was asked for.
  const endpoint& address() const noexcept { return address_; }

private:
  endpoint address_;
  int descriptor_ = -1;
};

} // namespace dybw
