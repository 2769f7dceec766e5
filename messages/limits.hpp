#pragma once

#include <cstddef>
#include <cstdint>

/// The bounds of all that crosses this process's border to other machines. (Those of the web page are its
/// own: apps/web.)
namespace dybw {

// --- What a message may hold. Checked before memory is taken; what is beyond ends the connection. ---

/// float32 of a parameter vector: one GiB.
constexpr std::uint64_t parameters_max = std::uint64_t{1} << 28;
/// Bytes of a text or path.
constexpr std::size_t text_bytes_max = 64 * 1024;
/// Bytes that the items of all lists in a message take in memory, by the bytes that came. Few may announce
/// large items (a text takes four and becomes 32), but no message of ours consists of them.
constexpr std::size_t items_bytes_max(std::size_t wire_bytes) noexcept {
  return 1024 * 1024 + 4 * wire_bytes;
}
/// Steps per second in an offer or answer; a guess may be beyond the rates that it is made of, but not so
/// far.
constexpr double rate_max = 1e12;

// --- How long a frame may be: bytes of its payload. ---

/// A hello or refusal.
constexpr std::size_t hello_bytes_max = 1024;
/// Of it, the program's version.
constexpr std::size_t version_bytes_max = 64;
/// A message on a link, but for blocks, which are of the run's size.
constexpr std::size_t peer_bytes_max = 1024 * 1024;
/// Facts that we write into one, of 17 bytes each; if there are more, into several.
constexpr std::size_t facts_max = 50'000;
static_assert(17 * facts_max < peer_bytes_max);
/// A control message from a node, which may bring parameters or results.
constexpr std::size_t control_bytes_max = parameters_max * sizeof(float) + 1024 * 1024;
/// A control message to a node: a request. The longest brings a graph of two million edges.
constexpr std::size_t request_bytes_max = 16 * 1024 * 1024;

// --- How much of one connection at once, so that none keeps the others waiting. ---

/// Bytes read, and bytes written, per event of a connection.
constexpr std::size_t event_bytes_max = 1024 * 1024;

} // namespace dybw
