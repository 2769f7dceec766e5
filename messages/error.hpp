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
};

/// One sentence.
std::string to_string(ec code);

template <class... Ts>
caf::error make_error(ec code, Ts&&... context) {
  return caf::error{static_cast<std::uint8_t>(code), caf::atom("dybw"),
                    caf::make_message(std::forward<Ts>(context)...)};
}

} // namespace dybw
