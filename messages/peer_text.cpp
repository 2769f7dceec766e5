#include "messages/peer_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dybw {

namespace {

struct symbol {
  std::uint32_t code = 0;
  std::size_t bytes = 0; ///< 0: what is there is no UTF-8
};

/// The first one of a text that is not empty.
symbol first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(text[i]); };
  const auto head = byte(0);
  if (head < 0x80)
    return {head, 1};
  const std::size_t bytes = head >= 0xf0 && head < 0xf5 ? 4 : head >= 0xe0 && head < 0xf0 ? 3 : 2;
  if (head < 0xc2 || head >= 0xf5 || text.size() < bytes)
    return {};
  auto code = head & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80)
      return {};
    code = code << 6U | (byte(i) & 0x3fU);
  }
  const auto least = bytes == 4 ? 0x10000U : bytes == 3 ? 0x800U : 0x80U;
  const auto surrogate = code >= 0xd800 && code < 0xe000;
  return code < least || code > 0x10ffff || surrogate ? symbol{} : symbol{code, bytes};
}

bool breaks_line(std::uint32_t code) {
  return (code >= '\t' && code <= '\r') || code == 0x85 || code == 0x2028 || code == 0x2029;
}

bool controls(std::uint32_t code) {
  const auto turns = code == 0x061c || code == 0x200e || code == 0x200f ||
                     (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return code < ' ' || (code >= 0x7f && code < 0xa0) || turns;
}

} // namespace

void clean_peer_text(std::string& text) {
  std::size_t to = 0;
  for (std::size_t from = 0; from < text.size();) {
    const auto [code, bytes] = first_of(std::string_view{text}.substr(from));
    if (bytes == 0) {
      text[to++] = '?';
      ++from;
    } else if (breaks_line(code) || controls(code)) {
      text[to++] = breaks_line(code) ? ' ' : '?';
      from += bytes;
    } else {
      for (std::size_t i = 0; i < bytes; ++i)
        text[to++] = text[from++];
    }
  }
  text.resize(to);
}

} // namespace dybw
