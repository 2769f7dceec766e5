#include "learning/consensus/reports/run_statistics.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace dybw {

namespace {

/// A worker's round: computing from `start_s` for `compute_s`, then waiting for `wait_s`; degree 3, one
/// committed.
round_report report_of(std::size_t worker, round_number round, double start_s, double compute_s,
                       double wait_s, std::size_t committed = 1) {
  round_report r;
  r.mixed.worker = worker_at(worker);
  r.mixed.round = round;
  for (std::size_t i = 0; i < committed; ++i)
    r.mixed.committed.push_back({worker_at(worker + 1 + i), 0.25});
  r.started = from_seconds(start_s);
  r.joined = from_seconds(start_s + compute_s);
  r.compute = from_seconds(compute_s);
  r.done = from_seconds(start_s + compute_s + wait_s);
  r.degree = 3;
  r.samples = 10;
  r.loss = 2;
  return r;
}

run_result filled(const run_statistics& statistics, double duration_s) {
  run_result result;
  statistics.fill(result, from_seconds(duration_s));
  return result;
}

/// What a worker's bins add up to.
round_sums total(const worker_series& bins) {
  round_sums sum;
  for (const auto& bin : bins)
    sum.merge(bin);
  return sum;
}

} // namespace

TEST_CASE("round_report: backup workers are the planned neighbours that were not mixed with") {
  CHECK(report_of(0, 1, 0, 1, 1, 1).backup_workers() == 2);
  CHECK(report_of(0, 1, 0, 1, 1, 3).backup_workers() == 0);
}

TEST_CASE("run_statistics: gradient steps are counted each where a round is made of several") {
  run_statistics statistics{2};
  for (round_number k = 1; k <= 3; ++k) {
    auto r = report_of(0, k, 10.0 * static_cast<double>(k), 8, 1);
    r.gradients = 4;
    statistics.add(r);
  }
  statistics.add(report_of(1, 1, 0, 5, 1));
  const auto result = filled(statistics, 40);
  CHECK(result.rounds == 3);
  CHECK(result.local_steps == 13);
  CHECK(result.per_worker[0].rounds == 3);
  CHECK(result.per_worker[0].local_steps == 12);
  CHECK(result.per_worker[0].mean_step_s == doctest::Approx(2));
  CHECK(result.per_worker[1].mean_step_s == doctest::Approx(5));
  CHECK(result.no_wait_rate == doctest::Approx(0.7));
  CHECK(result.useful_gradient_rate == doctest::Approx(13.0 / 40));
}

TEST_CASE("run_statistics: a run without a round has zeros, not divisions by zero") {
  for (const auto duration_s : {0.0, 2.0}) {
    const auto result = filled(run_statistics{2}, duration_s);
    CHECK(result.rounds == 0);
    CHECK(result.local_steps == 0);
    CHECK(result.mean_round_s == 0);
    CHECK(result.useful_gradient_rate == 0);
    CHECK(result.no_wait_rate == 0);
    CHECK(result.compute_share == 0);
    CHECK(result.mean_backup_workers == 0);
    REQUIRE(result.per_worker.size() == 2);
    CHECK(result.per_worker[1].id == worker_at(1));
    CHECK(result.per_worker[1].mean_step_s == 0);
  }
}

TEST_CASE("run_statistics: rates, shares and means follow from the reports") {
  run_statistics statistics{2};
  statistics.add(report_of(0, 1, 0, 0.25, 0.75));
  statistics.add(report_of(0, 2, 1, 0.25, 0.75, 3));
  statistics.add(report_of(1, 1, 0, 1.0, 0.0));
  const auto result = filled(statistics, 2);
  CHECK(result.rounds == 2);
  CHECK(result.local_steps == 3);
  CHECK(result.samples == 30);
  CHECK(result.duration_s == 2);
  CHECK(result.mean_round_s == 1);
  CHECK(result.useful_gradient_rate == doctest::Approx(1.5));
  CHECK(result.no_wait_rate == doctest::Approx(1 / 0.25 + 1 / 1.0));
  CHECK(result.compute_share == doctest::Approx((0.5 + 1.0) / (2 * 2)));
  CHECK(result.mean_backup_workers == doctest::Approx((2 + 0 + 2) / 3.0));
  CHECK(result.per_worker[0].rounds == 2);
  CHECK(result.per_worker[0].local_steps == 2);
  CHECK(result.per_worker[0].compute_s == doctest::Approx(0.5));
  CHECK(result.per_worker[0].wait_s == doctest::Approx(1.5));
  CHECK(result.per_worker[0].mean_step_s == doctest::Approx(0.25));
  CHECK(result.per_worker[0].mean_backup_workers == doctest::Approx(1));
  CHECK(result.per_worker[1].mean_step_s == doctest::Approx(1));
}

TEST_CASE("run_statistics: the workers' totals add up, and a round that was sat out counts as completed") {
  run_statistics statistics{2};
  statistics.add(report_of(0, 4, 0, 1, 0));
  worker_totals totals;
  totals.worker = worker_at(0);
  totals.completed = 9;
  totals.estimates_sent = 1;
  totals.estimates_late = 2;
  totals.timeouts = 3;
  totals.steps_discarded = 4;
  totals.bytes_sent = 5;
  statistics.add(totals);
  totals.worker = worker_at(1);
  totals.completed = 8;
  statistics.add(totals);
  const auto result = filled(statistics, 1);
  CHECK(result.rounds == 9);
  CHECK(result.estimates_sent == 2);
  CHECK(result.estimates_late == 4);
  CHECK(result.timeouts == 6);
  CHECK(result.steps_discarded == 8);
  CHECK(result.bytes_sent == 10);
}

TEST_CASE("run_statistics: waiting for a training thread is no computing, but part of the round") {
  run_statistics statistics{1};
  auto report = report_of(0, 1, 0, 0.02, 0.01);
  report.compute = from_seconds(0.005);
  statistics.add(report);
  const auto result = filled(statistics, 1);
  CHECK(result.per_worker[0].compute_s == doctest::Approx(0.005));
  CHECK(total(statistics.series()[0]).round_s == doctest::Approx(0.03));
}

TEST_CASE("run_statistics: the time of discarded steps makes the mean step longer") {
  run_statistics statistics{1};
  statistics.add(report_of(0, 1, 0, 0.5, 0));
  statistics.add(report_of(0, 2, 1, 0.5, 0));
  worker_totals totals;
  totals.worker = worker_at(0);
  totals.discarded = from_seconds(3);
  statistics.add(totals);
  const auto result = filled(statistics, 10);
  CHECK(result.per_worker[0].discarded_s == doctest::Approx(3));
  CHECK(result.per_worker[0].mean_step_s == doctest::Approx(2));
  CHECK(result.no_wait_rate == doctest::Approx(0.5));
  CHECK(result.compute_share == doctest::Approx(0.1)); // useful computing only
}

TEST_CASE("run_statistics: the coverage sweeps of a run are those of the worker that saw most") {
  run_statistics statistics{2};
  worker_totals totals;
  totals.worker = worker_at(0);
  totals.sweeps_completed = 4;
  statistics.add(totals);
  totals.worker = worker_at(1);
  totals.sweeps_completed = 3;
  statistics.add(totals);
  CHECK(filled(statistics, 1).coverage_sweeps == 4);
}

TEST_CASE("run_statistics: the progress figures start with the first report and then follow the newer ones") {
  run_statistics statistics{1};
  CHECK(statistics.local_steps() == 0);
  auto first = report_of(0, 1, 0, 1, 0);
  first.loss = 8;
  statistics.add(first);
  CHECK(statistics.recent_loss() == 8);
  CHECK(statistics.recent_backup_workers() == 2);
  for (round_number round = 2; round <= 60; ++round)
    statistics.add(report_of(0, round, static_cast<double>(round), 1, 0, 3));
  CHECK(statistics.recent_loss() == doctest::Approx(2).epsilon(0.01));
  CHECK(statistics.recent_backup_workers() == doctest::Approx(0).epsilon(0.01));
  CHECK(statistics.newest_round() == 60);
  CHECK(statistics.timeouts() == 0);
  auto late = report_of(0, 61, 61, 1, 0);
  late.timed_out = true;
  statistics.add(late);
  CHECK(statistics.timeouts() == 1);
}

TEST_CASE("run_statistics: the newest round is the largest, in whatever order reports come") {
  run_statistics statistics{2};
  statistics.add(report_of(0, 7, 0, 1, 0));
  statistics.add(report_of(1, 3, 0, 1, 0));
  CHECK(statistics.newest_round() == 7);
}

TEST_CASE("run_statistics: a value stands in the bin of the moment when its round was done") {
  run_statistics statistics{2};
  const auto width = statistics.bin_width_s();
  statistics.add(report_of(1, 1, 3 * width, width / 4, width / 4));
  CHECK(statistics.series()[0].empty());
  const auto& s = statistics.series()[1];
  REQUIRE(s.size() == 4);
  CHECK(s[3].rounds == 1);
  CHECK(s[3].round_s == doctest::Approx(width / 2));
  CHECK(s[3].wait_s == doctest::Approx(width / 4));
  CHECK(s[3].backup_workers == 2);
  CHECK(s[2].rounds == 0);
}

TEST_CASE("run_statistics: a long run widens its bins and loses nothing") {
  run_statistics statistics{1};
  const auto width = statistics.bin_width_s();
  constexpr int rounds = 5000;
  for (int i = 0; i < rounds; ++i)
    statistics.add(report_of(0, static_cast<round_number>(i) + 1, i, 0.25, 0.25));
  const auto& s = statistics.series()[0];
  CHECK(s.size() <= run_statistics::bins_max);
  CHECK(s.size() > run_statistics::bins_max / 2);
  CHECK(total(s).rounds == rounds);
  CHECK(total(s).backup_workers == 2 * rounds);
  CHECK(total(s).round_s == doctest::Approx(rounds * 0.5));
  CHECK(total(s).wait_s == doctest::Approx(rounds * 0.25));
  const auto doublings = std::log2(statistics.bin_width_s() / width);
  CHECK(doublings == doctest::Approx(std::round(doublings)));
  // After widening a bin still holds the rounds of its own stretch of time, here one per second.
  for (std::size_t i = 0; i + 1 < s.size(); ++i)
    CHECK(static_cast<double>(s[i].rounds) == doctest::Approx(statistics.bin_width_s()).epsilon(0.2));
}

TEST_CASE("run_statistics: one report far in the future does not ask for more than the bins there are") {
  run_statistics statistics{1};
  statistics.add(report_of(0, 1, 1e8, 1, 0));
  CHECK(statistics.series()[0].size() <= run_statistics::bins_max);
  CHECK(total(statistics.series()[0]).rounds == 1);
}

} // namespace dybw
