#pragma once

#include <cstdint>

namespace dybw {

/// FNV-1a of 64 bits (Fowler, Noll, Vo) over bytes, one after the other. Not for use against forgery.
class fnv1a {
public:
  constexpr void add(unsigned char byte) noexcept { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  constexpr std::uint64_t value() const noexcept { return value_; }

private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

} // namespace dybw
