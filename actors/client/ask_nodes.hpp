#pragma once

#include "actors/actors.hpp"
#include "learning/base/error.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// What a node answered to a question, or why there is no answer: one line that names it.
struct node_answer {
  std::shared_ptr<const control_message> message; ///< null: see `failure`
  std::string failure;
};

/// Asks each node the same question on a connection of its own, all at once, and waits for the answers, at
/// most for `patience` (plus connecting, which may take as long again). `interrupted`, if given, is asked ten
/// times a second; true ends the waiting. Never throws for what happens on the way: see `node_answer`.
std::vector<node_answer> ask_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                   std::span<const endpoint> nodes, const control_message& question,
                                   nanoseconds patience, const std::function<bool()>& interrupted = {});

/// The answer as the type that it has to be. Throws `input_error` (network fault) if there is none, or a node
/// answered something else.
template <class Message>
const Message& expect_answer(const node_answer& answer, const endpoint& node) {
  if (answer.message)
    if (const auto* x = std::get_if<Message>(answer.message.get()))
      return *x;
  throw input_error{input_fault::network,
                    answer.failure.empty() ? "node " + to_string(node) + " answers something else"
                                           : answer.failure,
                    "", answer.failure.empty() ? "run the same version of dybw everywhere" : ""};
}

} // namespace dybw
