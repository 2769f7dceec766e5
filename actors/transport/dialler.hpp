#pragma once

#include "learning/base/types.hpp"
#include "messages/endpoint.hpp"

#include <caf/all.hpp>

#include <memory>
#include <string>
#include <utility>

namespace dybw {

/// A connected socket on its way from the dialler; closed if nobody takes it.
class dialled_socket {
public:
  explicit dialled_socket(int socket) noexcept : socket_(socket) {}
  ~dialled_socket();
  dialled_socket(const dialled_socket&) = delete;
  dialled_socket& operator=(const dialled_socket&) = delete;

  int get() const noexcept { return socket_; }
  int release() noexcept { return std::exchange(socket_, -1); }

private:
  int socket_;
};

/// What came of an attempt: a socket, or why not.
struct dialled {
  std::uint64_t attempt = 0;
  std::shared_ptr<dialled_socket> socket;
  std::string reason; ///< one line: what, where; how to mend it
};
using dialling_actor = caf::typed_actor<caf::reacts_to<dialled>>;

struct dial_request {
  std::uint64_t attempt = 0;
  endpoint to;
  nanoseconds patience{0};
  std::weak_ptr<const void> wanted; ///< until it expires, which is checked ten times a second
  dialling_actor answer_to;
};

/// Looks the host up and connects, trying all its addresses, on a thread of its own: looking up a name
/// blocks. Answers once, within the patience or soon after it is no longer wanted, and ends.
void dial(caf::blocking_actor* self, const dial_request& request);

} // namespace dybw

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::dialled)
