#pragma once

#include "messages/codec.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

namespace dybw {

/// The trainer is not there any more.
class trainer_gone : public std::runtime_error {
public:
  trainer_gone() : std::runtime_error("the trainer is gone") {}
};

/// A message of the trainers' protocol (docs/trainer-protocol.md).
struct trainer_message {
  std::uint16_t type = 0;
  std::vector<char> body;
};

/// The connection to one trainer. Messages are read by one thread at a time; any may say something.
class trainer_socket {
public:
  /// Takes the descriptor over.
  explicit trainer_socket(int descriptor) : descriptor_(descriptor) {}
  ~trainer_socket();
  trainer_socket(const trainer_socket&) = delete;
  trainer_socket& operator=(const trainer_socket&) = delete;

  /// With a descriptor that is passed on, unless it is -1. `gives_up` is asked while the other side does not
  /// read; empty: it may take as long as it likes. Throws `trainer_gone`, also if it gave up.
  void send(std::uint16_t type, std::span<const char> body, int passed_on = -1,
            const std::function<bool()>& gives_up = {});
  /// Waits for the next message; `process` is a pidfd, at whose end nothing more will come, or -1. Throws
  /// `trainer_gone`, and `std::runtime_error` for what is longer than its type may be.
  const trainer_message& receive(int process);
  /// Whether it says something, or ends, within this time. Throws `trainer_gone`.
  bool says_something_within(nanoseconds patience, int process);
  /// Ends the connection; who waits for a message is told. From any thread.
  void shut_down() noexcept;

private:
  bool has_room_within(nanoseconds patience) const;
  bool read_exactly(char* to, std::size_t bytes);

  int descriptor_;
  trainer_message message_; ///< memory that is kept
};

/// A body, from its fields in their order.
template <class... Fields>
std::vector<char> trainer_body(const Fields&... fields) {
  std::vector<char> body;
  wire_writer{body}(fields...);
  return body;
}

/// Reads the fields of a body. Throws `std::runtime_error` for one that has others.
template <class... Fields>
void read_trainer_body(std::span<const char> body, Fields&... fields) {
  wire_reader in{body};
  in(fields...);
  if (in.finish() != ec::none)
    throw std::runtime_error("the trainer says what cannot be read; use the same version of both sides");
}

} // namespace dybw
