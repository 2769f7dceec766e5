#pragma once

#include "messages/endpoint.hpp"

#include <chrono>
#include <string>

namespace dybw::test {

/// A TCP connection on which one may say anything, or nothing. Throws `std::runtime_error` if it cannot
/// connect.
class raw_client {
public:
  /// `receive_buffer_bytes`: how little the kernel takes in advance; 0 for its own choice.
  explicit raw_client(const endpoint& to, int receive_buffer_bytes = 0);
  ~raw_client();
  raw_client(raw_client&& other) noexcept;
  raw_client& operator=(raw_client&&) = delete;
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  /// As much as is taken at once.
  void send(const std::string& text);
  /// What comes until `until` has come, the other end closes, or time is up.
  std::string receive(const std::string& until, std::chrono::milliseconds at_most);
  /// What comes until the other end closes.
  std::string receive_all(std::chrono::milliseconds at_most) { return receive("", at_most); }
  /// The other end has closed; waits for that.
  bool is_closed(std::chrono::milliseconds at_most);
  void end_of_requests(); ///< says nothing more, but listens

private:
  int descriptor_;
};

} // namespace dybw::test
