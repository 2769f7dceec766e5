#pragma once

#include <cstddef>
#include <string_view>

namespace dybw {

/// The name of `x`, one of an enumeration that counts from 0 to `Last`; "?" for what is none of it.
template <auto Last, std::size_t N>
constexpr std::string_view enum_text(decltype(Last) x, const std::string_view (&names)[N]) {
  static_assert(N == static_cast<std::size_t>(Last) + 1, "a name for each, in their order");
  const auto index = static_cast<std::size_t>(x);
  return index < N ? names[index] : "?";
}

} // namespace dybw
