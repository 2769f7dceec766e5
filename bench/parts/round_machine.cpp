// Round machines alone: a network of them in lock step, steps and messages taking no time of their own, over
// one queue in memory. What is timed is the machines and the queue. One iteration is a whole run of
// `rounds_per_run` rounds.

#include "learning/consensus/round_machine.hpp"

#include <benchmark/benchmark.h>

#include <deque>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace {

constexpr dybw::round_number rounds_per_run = 1000;
constexpr std::size_t workers = 8;

class network {
public:
  network(std::shared_ptr<const dybw::topology> graph, const dybw::policy_spec& policy) {
    dybw::machine_options options;
    options.graph = std::move(graph);
    options.policy = policy;
    options.last_round = rounds_per_run;
    for (std::size_t i = 0; i < workers; ++i) {
      options.self = dybw::worker_at(i);
      machines_.emplace_back(options);
      queue_.push_back({options.self, dybw::start{}});
    }
  }

  void run() {
    while (!queue_.empty()) {
      const auto next = std::move(queue_.front());
      queue_.pop_front();
      now_ += dybw::nanoseconds{1};
      ++events_;
      at_ = next.to;
      for (const auto& effect : machines_[index_of(at_)].step(now_, next.what))
        std::visit([this](const auto& x) { perform(x); }, effect);
    }
  }

  std::uint64_t events() const { return events_; }
  std::uint64_t worker_rounds() const { return worker_rounds_; }
  bool all_left() const {
    for (const auto& m : machines_)
      if (!m.has_left())
        return false;
    return true;
  }

private:
  struct occurrence {
    dybw::worker_id to{};
    dybw::event what;
  };

  void perform(const dybw::send& x) { queue_.push_back({x.to, dybw::message_received{at_, x.message}}); }
  void perform(const dybw::compute& x) { queue_.push_back({at_, dybw::step_done{x.ticket}}); }
  void perform(const dybw::round_done&) { ++worker_rounds_; }
  template <class Effect>
  void perform(const Effect&) {} // there are no parameters, and nobody is ever late enough for a timer

  std::vector<dybw::round_machine> machines_;
  std::deque<occurrence> queue_;
  dybw::worker_id at_{};
  dybw::nanoseconds now_{0};
  std::uint64_t events_ = 0;
  std::uint64_t worker_rounds_ = 0;
};

void rounds(benchmark::State& state, const std::string& topology, const std::string& policy) {
  const auto graph = std::make_shared<const dybw::topology>(dybw::make_topology(topology, workers, 1));
  const auto spec = dybw::parse_policy(policy, graph->smallest_degree(), dybw::worker_id{0});
  std::uint64_t events = 0;
  std::uint64_t worker_rounds = 0;
  for (auto _ : state) {
    auto net = network{graph, spec};
    net.run();
    if (!net.all_left())
      throw std::logic_error("the machines stopped before the last round");
    events += net.events();
    worker_rounds += net.worker_rounds();
  }
  using benchmark::Counter;
  state.counters["events/s"] = Counter(static_cast<double>(events), Counter::kIsRate);
  state.counters["s/event"] = Counter(static_cast<double>(events), Counter::kIsRate | Counter::kInvert);
  state.counters["s/worker_round"] =
      Counter(static_cast<double>(worker_rounds), Counter::kIsRate | Counter::kInvert);
  state.counters["events/worker_round"] = static_cast<double>(events) / static_cast<double>(worker_rounds);
}

} // namespace

int main(int argc, char** argv) {
  for (const auto* topology : {"ring", "complete"})
    for (const auto* policy : {"full", "static:1", "dtur"})
      benchmark::RegisterBenchmark(("rounds/" + std::string{topology} + "/" + policy).c_str(),
                                   [=](benchmark::State& state) { rounds(state, topology, policy); })
          ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
