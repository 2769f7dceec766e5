#pragma once

#include "tests/learning/consensus/transcript.hpp"

#include "learning/consensus/make_machine.hpp"
#include "learning/graph/topology.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dybw::test {

using namespace std::chrono_literals;

inline std::shared_ptr<const topology> make_graph(std::size_t workers,
                                                  const std::vector<std::pair<int, int>>& ends) {
  std::vector<edge> edges;
  for (auto [a, b] : ends)
    edges.push_back(
        make_edge(worker_at(static_cast<std::size_t>(a)), worker_at(static_cast<std::size_t>(b))));
  return std::make_shared<const topology>(workers, std::move(edges), "test");
}

inline std::shared_ptr<const topology> pair() {
  return make_graph(2, {{0, 1}});
}
inline std::shared_ptr<const topology> path_of_three() {
  return make_graph(3, {{0, 1}, {1, 2}});
}
inline std::shared_ptr<const topology> triangle() {
  return make_graph(3, {{0, 1}, {0, 2}, {1, 2}});
}

/// One machine alone: tell it things, read what it does as one line of text.
class worker_probe {
public:
  worker_probe(
      std::shared_ptr<const topology> graph, int self, const std::string& policy,
      const std::function<void(machine_options&)>& tweak = [](machine_options&) {})
      : machine_(make_machine(options(std::move(graph), self, policy, tweak))) {}

  std::string tell(const event& e) {
    std::string text;
    for (const auto& x : effects_of(e))
      text += (text.empty() ? "" : ", ") + to_text(x);
    return text;
  }

  /// The same, with the effects as they are; valid until the next event.
  const std::vector<effect>& effects_of(const event& e) {
    const auto& effects = machine_->step(now_, e);
    for (const auto& x : effects) {
      if (const auto* c = std::get_if<compute>(&x))
        ticket_ = c->ticket;
      else if (const auto* t = std::get_if<arm_timer>(&x))
        timer_ = t->at;
      else if (const auto* d = std::get_if<round_done>(&x))
        record_ = *d->record;
    }
    return effects;
  }

  std::string hear(int from, protocol_message m) {
    return tell(message_received{worker_at(static_cast<std::size_t>(from)), std::move(m)});
  }

  std::string hear_facts(int from, std::vector<fact> facts) {
    return hear(from, membership_news{std::make_shared<const std::vector<fact>>(std::move(facts))});
  }

  /// Starts, or ends the step under way after `t`.
  std::string begin() { return tell(start{}); }
  std::string finish_step(nanoseconds t = 100ms) {
    now_ += t;
    return tell(step_done{ticket_});
  }

  void wait(nanoseconds t) { now_ += t; }
  nanoseconds now() const { return now_; }
  nanoseconds timer() const { return *timer_; }
  const round_record& record() const { return record_; }
  const worker_machine& machine() const { return *machine_; }
  std::uint64_t ticket() const { return ticket_; }

private:
  static machine_options options(std::shared_ptr<const topology> graph, int self, const std::string& policy,
                                 const std::function<void(machine_options&)>& tweak) {
    machine_options o;
    o.self = worker_at(static_cast<std::size_t>(self));
    o.policy = parse_policy(policy, graph->smallest_degree(), worker_id{});
    o.graph = std::move(graph);
    tweak(o);
    return o;
  }

  std::unique_ptr<worker_machine> machine_;
  nanoseconds now_{0};
  std::uint64_t ticket_ = 0;
  std::optional<nanoseconds> timer_;
  round_record record_;
};

inline fact link_fact(int a, int b, std::uint64_t version, bool up) {
  return fact{worker_at(static_cast<std::size_t>(a)), worker_at(static_cast<std::size_t>(b)), version, up};
}
inline fact worker_fact(int a, std::uint64_t version, bool up) {
  return link_fact(a, a, version, up);
}
inline edge edge_of(int a, int b) {
  return make_edge(worker_at(static_cast<std::size_t>(a)), worker_at(static_cast<std::size_t>(b)));
}
inline neighbour_lost lost(int id, neighbour_lost::cause why = neighbour_lost::cause::silent) {
  return {worker_at(static_cast<std::size_t>(id)), why};
}
inline neighbour_heard heard(int id) {
  return {worker_at(static_cast<std::size_t>(id))};
}

inline auto with_weights(weight_rule rule) {
  return [rule](machine_options& o) { o.weights = rule; };
}

inline auto with_last_round(round_number k) {
  return [k](machine_options& o) { o.last_round = k; };
}

/// A pair's round `k` from computing to computing.
inline void complete_round(worker_probe& w, round_number k, nanoseconds step = 100ms) {
  w.finish_step(step);
  w.hear(1, estimate{k});
  w.hear(1, accept{k});
  w.hear(1, closed{k, 1});
}

} // namespace dybw::test
