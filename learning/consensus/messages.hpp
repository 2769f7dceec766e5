#pragma once

#include "learning/base/types.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

/// What the round machines of neighbouring workers say to each other (docs/protocol.md). Messages from one
/// worker to another arrive in the order sent; `threshold` and `membership` are flooded, each worker passing
/// each one on once.
namespace dybw {

/// I finished my step and I am in this round. The shell attaches the parameters. Without them (the link was
/// full, or the link has just come up) the estimate cannot be accepted, but still says where I am.
struct estimate {
  round_number round = 0;
  bool has_parameters = true;
  std::uint64_t generation = 0; ///< of the sender's membership facts; 0 without a correction
};

/// I received your estimate for the round while gathering: it counts on my side. Irrevocable.
struct accept {
  round_number round = 0;
};

/// I closed the round having accepted `degree` neighbours; whom I have not accepted by now I reject. With
/// degree 0 from who sat out: closes all rounds up to this one. In pairwise averaging: I have made my last
/// step; with the degree `asks`: have you? I gave you up for a while, and do not know any more.
struct closed {
  static constexpr std::uint32_t asks = 1;
  round_number round = 0;
  std::uint32_t degree = 0;
};

/// Some of the connecting edges.
struct covered_edges {
  std::shared_ptr<const std::vector<edge>> of; ///< ascending
  std::vector<std::uint64_t> bits;             ///< 64 places of `of` each, the lowest first
};

/// Calls `say` for each, ascending.
template <class Say>
void for_each_edge(const covered_edges& x, Say say) {
  for (std::size_t i = 0; i < x.of->size() && i / 64 < x.bits.size(); ++i)
    if ((x.bits[i / 64] >> (i % 64) & 1) != 0)
      say((*x.of)[i]);
}

/// DTUR only: `covered` is committed in this round, so the round closes for everybody and the edge is
/// covered. Without an edge (a gathering timeout, or a worker far behind catching up) it closes the round and
/// covers nothing. `more` edges were committed in the same round: they go together as long as they stay in a
/// process; between processes each is a threshold of its own.
struct threshold {
  std::uint64_t generation = 0; ///< of the sender's membership facts
  std::uint64_t sweep = 0;      ///< coverage sweep that the edge is covered in
  round_number round = 0;
  std::optional<edge> covered;
  std::shared_ptr<const covered_edges> more = nullptr;
};

/// I have done my last round: count me as past every round. No departure; I still pass floods on.
struct leaving {};

/// Whether a worker or a link is up. A default-constructed network has version 0 of every fact, all up.
struct fact {
  worker_id a{};
  worker_id b{}; ///< == a: the worker itself; otherwise the link a-b, a < b
  std::uint64_t version = 0;
  bool up = true;
  bool rests = false; ///< of a worker that is up: makes no steps for the time being; its own word
  friend bool operator==(const fact&, const fact&) = default;
};

/// Facts that are news to their sender or that it thinks the receiver lacks. Shared by all receivers.
struct membership_news {
  std::shared_ptr<const std::vector<fact>> facts;
};

/// What a neighbour gives a worker whose process was started again while the run goes on (a *joiner*); its
/// shell adds its parameters. Of several welcomes the facts may simply be appended; the latest round counts.
struct welcome {
  std::vector<fact> facts; ///< never empty
  round_number round = 0;  ///< to go on after
};

/// Pairwise averaging: how often the ends of a link have given each other up, as far as the sender knows.
/// What it sent before it knew is void: the other end has forgotten what it belongs to.
struct link_sessions {
  std::uint64_t own = 0;
  std::uint64_t seen = 0; ///< the receiver's
};

/// Pairwise averaging (docs/protocol.md, "Pairwise policies"): here is my estimate; let us average. At most
/// one is unanswered on a link in each direction.
struct offer {
  round_number round = 0;   ///< that the sender is in
  std::uint64_t number = 0; ///< ascending from one offer of a worker to a neighbour to the next
  double rate = 0; ///< what the sender thinks is the mean of all workers' step rates, 1/s; 0: nothing yet
  link_sessions sessions{};
  std::uint64_t generation = 0; ///< of the sender's membership facts; 0 without a correction
};

/// To an offer: I have averaged with it, this was my estimate before. Or I have not, as I have left or the
/// offer is void.
struct answer {
  std::uint64_t number = 0; ///< the offer's
  bool taken = true;        ///< without, no parameters come
  double rate = 0;          ///< as in `offer`
  link_sessions sessions{};
  std::uint64_t generation = 0; ///< as in `offer`
};

using protocol_message =
    std::variant<estimate, accept, closed, threshold, leaving, membership_news, offer, answer>;

} // namespace dybw
