#pragma once

#include "actors/client/node_lines.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <utility>

namespace dybw::test {

constexpr run_id this_run = 42;

/// Three nodes with two workers each: 0 and 3 on node a, 1 and 4 on node b, 2 and 5 on node c.
inline run_spec three_nodes() {
  run_spec spec;
  spec.run = this_run;
  spec.nodes = {{"a", 7400}, {"b", 7401}, {"c", 7402}};
  for (std::size_t w = 0; w < 6; ++w)
    spec.placement.push_back(node_at(w % 3));
  return spec;
}

inline report_batch batch_of(std::vector<round_report> rounds, std::uint32_t component = 6,
                             std::uint32_t lead = 0) {
  report_batch batch;
  batch.run = this_run;
  batch.rounds = std::move(rounds);
  batch.component = component;
  batch.lead = lead;
  return batch;
}

/// Has a machine of three nodes meet its events, and keeps the effects of the last one.
template <class Machine, class Event, class Effect>
class machine_probe {
public:
  template <class... Arguments>
  explicit machine_probe(Arguments&&... arguments) : machine_(std::forward<Arguments>(arguments)...) {
    effects = machine_.open(now_);
  }

  void step(const Event& e) { effects = machine_.step(now_, e); }
  void say(std::size_t node, control_message message) {
    step(node_said{node_at(node), std::make_shared<const control_message>(std::move(message))});
  }
  template <class Message>
  void all_say(const Message& message) {
    for (std::size_t i = 0; i < 3; ++i)
      say(i, message);
  }
  void all_reached() {
    for (std::size_t i = 0; i < 3; ++i)
      step(node_reached{node_at(i)});
  }
  /// Time passes in small steps, and these nodes give signs of life; collects what came of it.
  void pass(nanoseconds time, const std::vector<std::size_t>& alive) {
    std::vector<Effect> all;
    const auto take = [&] { all.insert(all.end(), effects.begin(), effects.end()); };
    for (const auto until = now_ + time; now_ < until;) {
      now_ += std::chrono::milliseconds{100};
      for (auto i : alive) {
        say(i, batch_of({}));
        take();
      }
      step(time_passed{});
      take();
    }
    effects = std::move(all);
  }
  void leap(nanoseconds time) { now_ += time; }

  /// The effects of this kind, in order.
  template <class Kind>
  std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const auto& x : effects)
      if (const auto* y = std::get_if<Kind>(&x))
        found.push_back(*y);
    return found;
  }
  /// The nodes that were told this.
  template <class Message>
  std::vector<std::size_t> told() const {
    std::vector<std::size_t> nodes;
    for (const auto& x : all<tell_node>())
      if (std::holds_alternative<Message>(*x.message))
        nodes.push_back(index_of(x.node));
    return nodes;
  }
  cluster_phase phase() const { return machine_.status().phase; }
  cluster_status status() const { return machine_.status(); }
  Machine& machine() { return machine_; }

  std::vector<Effect> effects;

private:
  Machine machine_;
  nanoseconds now_{std::chrono::seconds{1}};
};

using nodes = std::vector<std::size_t>;
const nodes everybody{0, 1, 2};

inline bool mentions(const std::string& line, const std::string& part) {
  return line.find(part) != std::string::npos;
}

} // namespace dybw::test
