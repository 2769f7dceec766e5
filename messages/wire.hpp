#pragma once

#include "learning/consensus/messages.hpp"
#include "learning/model/parameter_block.hpp"

#include "messages/error.hpp"
#include "messages/limits.hpp"

#include <caf/all.hpp>

#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

/// What travels between actors: the wire types, every `inspect`, the one block of type IDs.
///
/// A message from a neighbour is `(worker_id sender, body)`; the bodies are those of the round machine
/// (learning/consensus/messages.hpp). Between nodes they travel in frames (messages/frame.hpp), written by
/// inspectors of our own (messages/codec.hpp); CAF's write numbers in network order. Parameter blocks travel
/// in the host's byte order, which nodes compare before they work together.
namespace dybw {

/// The parameters of an estimate, or none. Between nodes they are in the format of the run
/// (learning/coding/block_coder.hpp).
struct estimate_message {
  estimate body;
  parameter_block parameters; ///< [parameter_count], or coded; none if !body.has_parameters
  round_number base = 0;      ///< they are the change since the sender's block of this round; 0: whole
};

/// The number of a block, of which there is one on a link, and that of its base.
struct block_label {
  round_number number = 0; ///< 0: the block is not coded
  round_number base = 0;   ///< see `estimate_message`
};

/// An offer or answer with the sender's estimate, if it has one. Between nodes the block goes ahead, as an
/// estimate of its number in place of a round, and the message comes without.
struct offer_message {
  offer body;
  parameter_block parameters;
  block_label label{};
};
struct answer_message {
  answer body;
  parameter_block parameters;
  block_label label{};
};

/// A threshold with the moment its sender passed it on (since the run's start, the sender's clock), which
/// measures how long shells take to answer.
struct threshold_message {
  threshold body;
  nanoseconds passed_on{0};
};

/// From shell to shell: your block of this round, or number, is here (flow control), and I am alive.
struct received {
  round_number round = 0;
  bool kept = true; ///< changes may count from it; without, its own base was not here, and it is lost
};

/// From shell to shell: I am alive.
struct heartbeat {};

// --- inspect ---

/// Inspects a double by its bits: CAF's own packing never ends for infinities, and a peer may send one.
template <class Inspector, class Travel>
typename Inspector::result_type with_bits(Inspector&, double& x, Travel travel) {
  auto bits = std::bit_cast<std::uint64_t>(x);
  if constexpr (Inspector::writes_state) {
    auto error = travel(bits);
    x = std::bit_cast<double>(bits);
    return error;
  } else {
    return travel(bits);
  }
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, edge& x) {
  return f(caf::meta::type_name("edge"), x.a, x.b);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, estimate& x) {
  return f(caf::meta::type_name("estimate"), x.round, x.has_parameters, x.generation);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, accept& x) {
  return f(caf::meta::type_name("accept"), x.round);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, closed& x) {
  return f(caf::meta::type_name("closed"), x.round, x.degree);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, leaving&) {
  return f(caf::meta::type_name("leaving"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, fact& x) {
  return f(caf::meta::type_name("fact"), x.a, x.b, x.version, x.up, x.rests);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, received& x) {
  return f(caf::meta::type_name("received"), x.round, x.kept);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, heartbeat&) {
  return f(caf::meta::type_name("heartbeat"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, estimate_message& x) {
  return f(caf::meta::type_name("estimate_message"), x.body, x.base, x.parameters);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, block_label& x) {
  return f(caf::meta::type_name("block_label"), x.number, x.base);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, link_sessions& x) {
  return f(caf::meta::type_name("link_sessions"), x.own, x.seen);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, offer& x) {
  return with_bits(f, x.rate, [&](std::uint64_t& rate) {
    return f(caf::meta::type_name("offer"), x.round, x.number, rate, x.sessions, x.generation);
  });
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, answer& x) {
  return with_bits(f, x.rate, [&](std::uint64_t& rate) {
    return f(caf::meta::type_name("answer"), x.number, x.taken, rate, x.sessions, x.generation);
  });
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, offer_message& x) {
  return f(caf::meta::type_name("offer_message"), x.body, x.label, x.parameters);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, answer_message& x) {
  return f(caf::meta::type_name("answer_message"), x.body, x.label, x.parameters);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, threshold& x) {
  auto covers = x.covered.has_value();
  auto covered = x.covered.value_or(edge{});
  auto travel = [&] {
    return f(caf::meta::type_name("threshold"), x.generation, x.sweep, x.round, covers, covered);
  };
  if constexpr (Inspector::writes_state) {
    auto error = travel();
    x.covered = covers ? std::optional{covered} : std::nullopt;
    return error;
  } else {
    return travel();
  }
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, threshold_message& x) {
  return f(caf::meta::type_name("threshold_message"), x.body, x.passed_on);
}

/// A count, then all values in one piece. Loading checks the count against `parameters_max` and against the
/// bytes that are there before it allocates, and returns every error.
caf::error inspect(caf::serializer& sink, parameter_block& x);
caf::error inspect(caf::deserializer& source, parameter_block& x);
/// For printing: the length only.
std::string to_string(const parameter_block& x);

/// A count, then the facts; loading refuses a count beyond what the bytes can hold.
caf::error inspect(caf::serializer& sink, membership_news& x);
caf::error inspect(caf::deserializer& source, membership_news& x);
std::string to_string(const membership_news& x);

} // namespace dybw

CAF_BEGIN_TYPE_ID_BLOCK(dybw, caf::first_custom_type_id)
  CAF_ADD_TYPE_ID(dybw, (dybw::worker_id))
  CAF_ADD_TYPE_ID(dybw, (dybw::estimate_message))
  CAF_ADD_TYPE_ID(dybw, (dybw::accept))
  CAF_ADD_TYPE_ID(dybw, (dybw::closed))
  CAF_ADD_TYPE_ID(dybw, (dybw::threshold_message))
  CAF_ADD_TYPE_ID(dybw, (dybw::leaving))
  CAF_ADD_TYPE_ID(dybw, (dybw::membership_news))
  CAF_ADD_TYPE_ID(dybw, (dybw::received))
  CAF_ADD_TYPE_ID(dybw, (dybw::heartbeat))
  CAF_ADD_TYPE_ID(dybw, (dybw::offer_message))
  CAF_ADD_TYPE_ID(dybw, (dybw::answer_message))
CAF_END_TYPE_ID_BLOCK(dybw)
