// Machines in a simulated network, without a model: what a message costs by the number of neighbours, a round
// by how many workers finish at the same moment, a fact about who is up, and the start. Processor time of one
// thread. Every value is a line `NAME VALUE UNIT`; where something is expected, the next line says what and
// whether it is so.

#include "learning/simulation/network_simulation.hpp"
#include "learning/simulation/virtual_network.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

namespace {

using namespace dybw;
using namespace std::chrono_literals;

double cpu_s() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void print(const std::string& name, double value, const char* unit) {
  std::printf("%s %.4g %s\n", name.c_str(), value, unit);
  std::fflush(stdout);
}

void judge(const std::string& name, double value, const char* unit, double at_most) {
  print(name, value, unit);
  std::printf("  expected at most %g: %s\n", at_most, value <= at_most ? "pass" : "falls short");
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A simulated network with step times and what it takes from them.
class network {
public:
  network(const std::string& graph, std::size_t workers, const std::string& policy, round_number rounds,
          const std::string& step_time) {
    auto g = std::make_shared<const topology>(make_topology(graph, workers, 1));
    const auto begun = cpu_s();
    times_.step_time = step_time;
    steps_.emplace(times_, g, 1);
    simulation_options o;
    o.machine.policy = parse_policy(policy, g->smallest_degree(), worker_id{});
    o.machine.graph = std::move(g);
    o.machine.last_round = rounds;
    steps_->connect(o);
    simulation_.emplace(std::move(o), nullptr, nullptr);
    start_s_ = cpu_s() - begun;
  }

  network_simulation& simulation() { return *simulation_; }
  double start_s() const { return start_s_; }

  /// Processor time until all are done, or the moment has come.
  double run(nanoseconds until = 24h * 365) {
    const auto begun = cpu_s();
    simulation_->run(until);
    return cpu_s() - begun;
  }

private:
  virtual_times times_;
  std::optional<virtual_network> steps_;
  std::optional<network_simulation> simulation_;
  double start_s_ = 0;
};

/// A complete graph: as many messages on every link, whatever the degree.
void degrees() {
  for (const std::string policy : {"full", "static:1", "hop:1:3", "dtur", "barrier", "adpsgd", "adaptive"}) {
    double least = 0;
    for (const std::size_t workers : {50, 100, 200, 400}) {
      const auto rounds = policy == "adpsgd" ? 2000 : 20;
      std::vector<double> us;
      for (auto i = 0; i < (workers <= 100 ? 5 : workers == 200 ? 3 : 1); ++i) {
        network net{"complete", workers, policy, static_cast<round_number>(rounds), "exp:1"};
        const auto s = net.run();
        us.push_back(s / static_cast<double>(net.simulation().events_handled()) * 1e6);
      }
      const auto name = policy + "_complete_" + std::to_string(workers) + "_time_per_event";
      print(name, median(us), "us");
      if (workers == 50)
        least = median(us);
      else if (workers == 400)
        judge(policy + "_complete_400_to_50", median(us) / least, "", 1.5);
    }
  }
}

/// Steps that all take the same time end at the same moment.
void ties() {
  for (const std::size_t workers : {500, 2000, 8000}) {
    const auto rounds = workers == 500 ? 100 : 10;
    const auto us = [&](const std::string& step_time) {
      network net{"random:6", workers, "dtur", static_cast<round_number>(rounds), step_time};
      return net.run() / static_cast<double>(workers) / rounds * 1e6;
    };
    const auto name = "dtur_" + std::to_string(workers) + "_workers_time_per_worker_and_round";
    print(name + "_exp", us("exp:0.1"), "us");
    print(name + "_const", us("const:0.1"), "us");
  }
  judge("peak_memory_with_8000_workers", peak_mib(), "MiB", 1024);
}

/// One worker's crash, told by one neighbour: what it takes more than a run without.
void facts() {
  for (const std::string policy : {"dtur", "full", "adaptive"})
    for (const std::size_t workers : {512, 10'000}) {
      std::vector<double> ms;
      for (auto i = 0; i < (workers == 512 ? 5 : 1); ++i) {
        network net{"random:6", workers, policy, 1000, "const:1"};
        auto& sim = net.simulation();
        const auto graph = make_topology("random:6", workers, 1);
        const auto usual = net.run(2500ms) / 2; // the first rounds
        sim.schedule(2500ms, crash_fault{worker_id{0}, true});
        sim.schedule(2500ms, suspicion_fault{graph.neighbours(worker_id{0})[0], worker_id{0},
                                             neighbour_lost::cause::crashed});
        const auto flood = net.run(2999ms); // while everybody computes
        const auto round = net.run(3500ms); // and the first round that knows it
        ms.push_back((flood + std::max(0.0, round - usual)) * 1e3);
      }
      const auto name = policy + "_" + std::to_string(workers) + "_workers_one_fact";
      if (workers == 512)
        judge(name, median(ms), "ms", 50);
      else
        print(name, median(ms), "ms");
    }
}

void starts() {
  double least = 0;
  for (const std::size_t workers : {2'500, 10'000, 40'000}) {
    const auto g = std::make_shared<const topology>(make_topology("ring", workers, 1));
    const auto begun = cpu_s();
    const virtual_network steps{{"exp:1", "slow:10:3", "", {}, 0}, g, 1};
    const auto us = (cpu_s() - begun) / static_cast<double>(workers) * 1e6;
    print("start_" + std::to_string(workers) + "_workers_time_per_worker", us, "us");
    if (workers == 2'500)
      least = us;
    else if (workers == 40'000)
      judge("start_40000_to_2500", us / least, "", 2);
  }
}

} // namespace

int main(int count, char** words) {
  const std::string only = count > 1 ? words[1] : "";
  if (only.empty() || only == "degrees")
    degrees();
  if (only.empty() || only == "facts")
    facts();
  if (only.empty() || only == "starts")
    starts();
  if (only.empty() || only == "ties")
    ties();
}
