#pragma once

#include <caf/error.hpp>
#include <caf/make_message.hpp>

#include <cstdint>
#include <string>

namespace dybw {

/// What can be wrong with a message from outside. Expected in operation, so values and no exceptions.
enum class ec : std::uint8_t {
  none,      ///< no error
  oversized, ///< a count beyond any limit of ours
  truncated, ///< fewer bytes than a count announces
  trailing,  ///< more bytes than the message needs
  malformed, ///< a value that no sender of ours writes: an enumerator out of range, a flag that is not 0 or 1
  unknown_kind, ///< a frame or message of a kind that does not exist
  not_dybw,     ///< the other side does not speak our protocol at all
  speaks_tls,   ///< it speaks TLS, and we do not
  unexpected,   ///< a frame that has no place at this point of a connection
  wrong_size,   ///< parameters of another size than the run's
  stranger,     ///< between workers that are not neighbours across this link
  unknown_block ///< refers to a parameter block that was not sent
};

/// One sentence.
std::string to_string(ec code);

template <class... Ts>
caf::error make_error(ec code, Ts&&... context) {
  return caf::error{static_cast<std::uint8_t>(code), caf::atom("dybw"),
                    caf::make_message(std::forward<Ts>(context)...)};
}

} // namespace dybw
