#pragma once

#include <chrono>
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
/// Facts that we write into one, of 18 bytes each; if there are more, into several.
constexpr std::size_t facts_max = 50'000;
static_assert(18 * facts_max < peer_bytes_max);
/// A control message from a node, which may bring parameters or results.
constexpr std::size_t control_bytes_max = parameters_max * sizeof(float) + 1024 * 1024;
/// A control message to a node: a request. The longest brings a graph of two million edges.
constexpr std::size_t request_bytes_max = 16 * 1024 * 1024;

/// Of which the state of a learner that a joiner is given may be.
constexpr std::size_t state_bytes_max = control_bytes_max - 1024 * 1024;

/// Trainers that a run may have started on one node.
constexpr std::size_t trainers_max = 256;

/// Memory of requests that have begun and are not yet whole, on all accepted control connections together.
/// Beyond it the connection closes that has been at its request for longest.
constexpr std::size_t request_memory_max = 64 * 1024 * 1024;

// --- How many connections there may be, and how long they may take. ---

/// Accepted connections before their hello or after their refusal; beyond it the oldest is closed.
constexpr std::size_t greetings_max = 256;
/// Accepted control connections that said hello; more are refused.
constexpr std::size_t controls_max = 256;
/// Earlier processes of a node that are remembered, so that they do not get its link back.
constexpr std::size_t retired_max = 64;
/// From an accepted connection to its hello.
constexpr auto hello_time = std::chrono::seconds{5};
/// How long a link waits for a run that is not joined yet.
constexpr auto park_time = std::chrono::seconds{2};
/// How long the other side may take to close a connection after our last word.
constexpr auto part_time = std::chrono::seconds{2};
/// From dialling a node to its hello, for a link. For a control connection whoever wants it says how long.
constexpr auto link_dial_time = std::chrono::seconds{5};
/// Beyond that; the dialler answers in time by itself, but for names that are slow to look up.
constexpr auto dial_slack = std::chrono::milliseconds{500};

/// How long the starting values of a run may take from one node to the others: a slow line brings a megabyte
/// per second.
constexpr std::chrono::nanoseconds values_time(std::uint64_t parameters, std::size_t nodes) noexcept {
  return std::chrono::seconds{5} + std::chrono::microseconds{sizeof(float)} * parameters * nodes;
}

// --- How fast a connection is read, and how much of one at once, so that none keeps the others waiting. ---

/// Requests of an accepted control connection that may come at once. A lead asks for the estimates of all
/// workers of a node at once; otherwise a few come per second.
constexpr std::int64_t requests_at_once = 4096;
/// And those that are read per second after that.
constexpr std::int64_t requests_per_s = 2000;
/// Bytes of a request that counts once; a longer one counts as several.
constexpr std::uint64_t request_unit_bytes = 4096;
/// Bytes of requests that may come at once, and per second after that, on all accepted control connections
/// together: they wait in one mailbox.
constexpr std::int64_t request_bytes_at_once = 64 * 1024 * 1024;
constexpr std::int64_t request_bytes_per_s = 32 * 1024 * 1024;
/// TLS handshakes of accepted connections that may begin at once, and per second after that. One takes the
/// multiplexer's thread a fraction of a millisecond.
constexpr int handshakes_at_once = 64;
constexpr int handshakes_per_s = 200;
/// Bytes read, and bytes written, per event of a connection.
constexpr std::size_t event_bytes_max = 1024 * 1024;
/// Bytes of what is no block that are read at once.
constexpr std::size_t read_chunk_bytes = 64 * 1024;
/// Messages of our own (of a worker: all that one event said) that are taken before what they said is written
/// and the sockets have their turn: a mailbox may be filled as fast as it is emptied.
constexpr std::size_t messages_per_turn = 32;

// --- How much may wait to be written. ---

/// Bytes on a control connection, parameters left aside: beyond it the connection is closed. With more
/// waiting, parameters included, no requests are read.
constexpr std::uint64_t control_backlog_max = 64 * 1024 * 1024;
/// Parameters are held, not copied; so they may wait there as long as something was written in this time.
constexpr auto progress_within = std::chrono::seconds{10};
/// On a link: blocks per pair of neighbours, and bytes beside. Beyond it the link is closed.
constexpr std::uint64_t link_blocks_max = 2;
constexpr std::uint64_t link_backlog_max = 1024 * 1024;

} // namespace dybw
