#include "actors/client/ask_nodes.hpp"

#include "actors/client/node_request.hpp"

namespace dybw {

namespace {

constexpr auto poll_every = std::chrono::milliseconds{20};

} // namespace

std::vector<node_answer> ask_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                   std::span<const endpoint> nodes, const control_message& question,
                                   nanoseconds patience, const std::function<bool()>& interrupted) {
  caf::scoped_actor self{system};
  node_request_options options;
  options.gateway = gateway;
  options.messages = {std::make_shared<const control_message>(question)};
  options.patience = patience;
  options.client = caf::actor_cast<node_request_client_actor>(self.ptr());
  std::vector<node_request_actor> requests;
  for (const auto& node : nodes) {
    options.to = node;
    options.key = requests.size();
    requests.push_back(system.spawn(node_request, options));
  }
  std::vector<node_answer> answers(nodes.size());
  auto missing = nodes.size();
  std::string failure;
  const auto begin = std::chrono::steady_clock::now();
  while (missing > 0 && failure.empty()) {
    if (time_since(begin) > 3 * patience)
      failure = "the nodes were not called in time"; // the gateway has failed
    if (interrupted && interrupted())
      failure = "interrupted";
    self->receive(
        [&](const node_request_done& x) {
          --missing;
          answers[x.key] = {x.answers.empty() ? nullptr : x.answers.front(), x.failure};
        },
        caf::after(poll_every) >> [] {});
  }
  for (const auto& each : requests)
    self->send_exit(each, caf::exit_reason::user_shutdown);
  if (missing > 0)
    answers.assign(nodes.size(), node_answer{nullptr, failure});
  return answers;
}

} // namespace dybw
