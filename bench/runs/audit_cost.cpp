#include "actors/reporting/rounds_file.hpp"
#include "bench/support.hpp"
#include "learning/base/random.hpp"
#include "learning/consensus/audit/run_audit.hpp"
#include "learning/consensus/reports/run_statistics.hpp"
#include "learning/graph/mixing.hpp"
#include "learning/monitoring/edge_commits.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

// What one report costs whoever audits, and the reporter as a whole, by the number of workers: `full`, six
// neighbours each, the workers of a round in any order.

namespace dybw::bench {

namespace {

constexpr std::size_t reports_timed = 400'000;

using network = std::shared_ptr<const topology>;

std::vector<round_report> round_of(const topology& graph) {
  std::vector<round_report> all(graph.workers());
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& mixed = all[i].mixed;
    mixed.worker = worker_at(i);
    for (auto n : graph.neighbours(mixed.worker)) {
      mixed.committed.push_back({n, metropolis_weight(graph.degree(mixed.worker), graph.degree(n))});
      mixed.own_weight -= mixed.committed.back().weight;
    }
    mixed.norm_before = 1;
    all[i].degree = all[i].accepted = static_cast<std::uint32_t>(mixed.committed.size());
  }
  return all;
}

/// Seconds per report: `take` gets every worker's of round after round.
template <class Take>
double time_per_report(const network& graph, Take take) {
  auto reports = round_of(*graph);
  auto generator = make_generator(1, random_stream::schedule, 0);
  double spent_s = 0;
  const auto rounds = std::max<round_number>(reports_timed / graph->workers(), 5);
  for (round_number k = 1; k <= rounds; ++k) {
    for (auto i = reports.size(); i > 1; --i)
      std::swap(reports[i - 1], reports[generator() % i]);
    for (auto& r : reports)
      r.mixed.round = k;
    auto told = reports;
    const auto begin = std::chrono::steady_clock::now();
    for (auto& r : told)
      take(r);
    spent_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  return spent_s / static_cast<double>(rounds * reports.size());
}

template <class Audit>
void expect_clean(const Audit& audit) {
  run_result result;
  audit.fill(result);
  if (!result.mixing.clean() || result.mixing.rounds_audited == 0)
    throw std::runtime_error("the audit is not clean");
}

double audit_alone(const network& graph) {
  run_audit audit{graph, false};
  const auto s = time_per_report(graph, [&](round_report& r) { audit.add(std::move(r.mixed)); });
  expect_clean(audit);
  return s;
}

/// An exchange with each neighbour takes the place of the mix.
double pair_audit_alone(const network& graph) {
  run_audit audit{graph, true};
  const auto s = time_per_report(graph, [&](round_report& r) {
    for (const auto& t : r.mixed.committed) {
      const auto first = std::min(r.mixed.worker, t.neighbour);
      audit.add(exchange_half{.worker = r.mixed.worker,
                              .neighbour = t.neighbour,
                              .first = first,
                              .number = r.mixed.round,
                              .round = r.mixed.round,
                              .weight = t.weight,
                              .size = 1});
    }
  });
  expect_clean(audit);
  return s;
}

double whole_reporter(const network& graph) {
  run_audit audit{graph, false};
  run_statistics statistics{graph->workers()};
  edge_commits commits{graph};
  rounds_file file{"/dev/null", false};
  const auto s = time_per_report(graph, [&](round_report& r) {
    statistics.add(r);
    commits.add(r.mixed);
    file.add(r);
    audit.add(std::move(r.mixed));
  });
  expect_clean(audit);
  return s;
}

} // namespace

void audit_cost(std::span<const std::string>) {
  const auto measure = [](const std::string& name, double (*seconds_of)(const network&)) {
    double of_a_thousand = 0;
    for (const std::size_t workers : {1'000, 10'000, 20'000}) {
      const auto graph = std::make_shared<const topology>(make_topology("random:6", workers, 1));
      const auto s = median({seconds_of(graph), seconds_of(graph), seconds_of(graph)});
      print(name + "_" + std::to_string(workers) + "_workers_per_report", s * 1e6, "us");
      if (workers == 1'000)
        of_a_thousand = s;
      else
        print(name + "_" + std::to_string(workers) + "_workers_to_1000", s / of_a_thousand, "");
      if (name == "audit" && workers == 10'000)
        judge(name + "_10000_workers", s * 1e6, "us", bound::at_most, 1.5);
    }
  };
  measure("audit", audit_alone);
  measure("pair_audit", pair_audit_alone);
  measure("reporter", whole_reporter);
}

} // namespace dybw::bench
