#pragma once

#include "learning/coding/block_coder.hpp"
#include "learning/graph/topology.hpp"
#include "messages/control.hpp"
#include "messages/wire.hpp"

#include <array>
#include <optional>
#include <span>
#include <variant>
#include <vector>

// clang-format off
/// The bytes between two gateways. Every frame begins with eight bytes: payload length (u32), kind (u8), three zeros.
/// Numbers are little-endian; see messages/codec.hpp for the rest.
///
///     hello      "dybw", protocol u32, byte-order mark (host order), version text, role u8, run u64,
///                from u32, to u32, incarnation u64                       first frame, both ways
///     refusal    one line of text, then the connection is closed         instead of a hello, or after it
///     control    index of the message u8, message                        control connections
///     peer       from u32, to u32, index u8, message                     links, all but blocks
///     estimate   from u32, to u32, round u64, base u64, generation u64, words of 32 bits in host order
///                                                    links; ahead of an offer or answer the round is a mere number
///     again      from u32, to u32, round u64: the block that `from` sent last      links
///     alive      nothing                                                 links
// clang-format on
namespace dybw {

constexpr std::uint32_t protocol_version = 9;
constexpr std::uint32_t byte_order_mark = 0x01020304;
constexpr std::size_t frame_head_bytes = 8;
/// Of an estimate with parameters: everything but the parameters.
constexpr std::size_t estimate_head_bytes = frame_head_bytes + 32;

enum class frame_kind : std::uint8_t { hello = 1, refusal, control, peer, estimate, again, alive };

/// What a connection is for.
enum class connection_role : std::uint8_t { control, link };

/// Who is there. With another protocol or byte order only `protocol`, `byte_order` and `version` mean
/// anything.
struct hello {
  std::uint32_t protocol = protocol_version;
  std::uint32_t byte_order = byte_order_mark;
  std::string version; ///< the program's
  connection_role role = connection_role::control;
  run_id run = 0; ///< links: of which run, from which node to which
  node_index from{};
  node_index to{};
  std::uint64_t incarnation = 0; ///< of the sender's gateway: drawn when it starts

  bool same_language() const noexcept {
    return protocol == protocol_version && byte_order == byte_order_mark;
  }
};

struct refusal {
  std::string reason;
};

using peer_body = std::variant<estimate_message, accept, closed, threshold_message, leaving, membership_news,
                               received, heartbeat, offer_message, answer_message>;

struct peer_message {
  worker_id from{};
  worker_id to{};
  peer_body body;
};

struct alive {};

using frame = std::variant<hello, refusal, std::shared_ptr<const control_message>, peer_message, alive>;

// --- Writing: each appends one frame (membership news: one or more) ---

void append_frame(std::vector<char>& out, const hello& x);
void append_frame(std::vector<char>& out, const refusal& x);
void append_frame(std::vector<char>& out, const control_message& x);
/// All of it but the parameters, if it has any: their bytes are the end of the frame, and the caller sends
/// them next.
parameter_block append_all_but_block(std::vector<char>& out, const control_message& x);
void append_frame(std::vector<char>& out, const alive& x);
/// A message without parameters: an `estimate_message` that has some needs the next two. Those of an offer or
/// answer are left out, and have to be sent before, by the next two.
void append_peer(std::vector<char>& out, worker_id from, worker_id to, const peer_body& body);
/// What precedes the bytes of the block, which the caller sends next; `base` as in `estimate_message`,
/// `generation` as in `estimate`.
void append_estimate_head(std::vector<char>& out, worker_id from, worker_id to, round_number round,
                          std::size_t words, round_number base = 0, std::uint64_t generation = 0);
/// The estimate whose block was the last one that `from` sent on this connection.
void append_again(std::vector<char>& out, worker_id from, worker_id to, round_number round);

// --- Reading ---

/// What may travel on one link.
struct link_rules {
  std::shared_ptr<const topology> graph;
  std::vector<node_index> placement; ///< [workers]
  node_index self{};
  node_index peer{};
  std::uint64_t parameters = 0; ///< of every block
  block_format send = block_format::float32;

  /// Of a block, as it travels.
  std::size_t words(bool is_change) const noexcept {
    return coded_words(send, static_cast<std::size_t>(parameters), is_change);
  }
  /// Whether `from` lives at the peer, `to` lives here, and they are neighbours.
  bool allow(worker_id from, worker_id to) const;
};

/// Bytes in, frames out, for one connection. Nothing is allocated for what was announced and has not arrived,
/// but for blocks of the size that the run has. After an error it is of no more use. Not thread-safe.
///
/// Blocks are put straight into buffers that are used again. `block_space` lets a reader put the bytes there
/// itself, without passing them through `parse`.
class frame_parser {
public:
  /// The hello is here: what follows is control messages of at most so many bytes, or the messages of a link.
  void expect_control(std::size_t bytes_max);
  void expect_link(std::shared_ptr<const link_rules> rules);

  /// Takes bytes from the front of `in` until one frame is complete (then `out` has it) or all are used.
  ec parse(std::span<const char>& in, std::optional<frame>& out);

  /// Where the next bytes belong while a block arrives; empty otherwise. Ask `parse` for the frame when it is
  /// full, with whatever came after it, or nothing.
  std::span<char> block_space();
  void block_arrived(std::size_t bytes) { filled_ += bytes; }

  /// Whether a frame has begun and is not complete.
  bool in_frame() const noexcept { return head_filled_ > 0; }
  /// Memory that the part of a frame takes that has come, blocks aside.
  std::size_t held_bytes() const noexcept { return payload_.empty() ? 0 : payload_.capacity(); }

private:
  enum class stage { greeting, control, link };
  struct sent_block {
    worker_id from{};
    round_number round = 0;
    round_number base = 0;
    std::uint64_t generation = 0;
    parameter_block block;
  };

  ec check_head();
  ec check_greeting_head() const;
  ec check_link_head() const;
  ec start_block();
  void finish_block(std::optional<frame>& out);
  ec take_payload(std::span<const char> payload, std::optional<frame>& out);
  ec take_peer(std::span<const char> payload, std::optional<frame>& out);
  ec take_again(std::span<const char> payload, std::optional<frame>& out);
  sent_block* last_of(worker_id from);
  void next_frame();

  stage stage_ = stage::greeting;
  std::size_t control_bytes_max_ = 0;
  std::shared_ptr<const link_rules> rules_;
  std::array<char, estimate_head_bytes> head_{}; ///< of the frame, or of the estimate
  std::size_t head_filled_ = 0;
  frame_kind kind_{};
  std::size_t payload_bytes_ = 0;
  std::vector<char> payload_; ///< what has come of a payload that came in pieces

  std::optional<buffer_pool> buffers_;
  std::shared_ptr<float_buffer> block_; ///< under way
  std::size_t filled_ = 0;              ///< bytes of it
  worker_id block_from_{};
  worker_id block_to_{};
  round_number block_round_ = 0;
  round_number block_base_ = 0;
  std::uint64_t block_generation_ = 0;
  std::vector<sent_block> last_blocks_; ///< the last of each worker of the other node
};

} // namespace dybw
