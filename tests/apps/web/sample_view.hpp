#pragma once

#include "learning/monitoring/run_view.hpp"

#include <cmath>

namespace dybw {

/// A run of `workers` on a ring over two nodes, worker 3 a straggler that its neighbours wait for, and some
/// history.
inline run_view sample_view(std::size_t workers = 8) {
  run_view v;
  v.now = run_view::state::running;
  v.name = "20260131-142500-1";
  v.policy = "dtur";
  v.topology = "ring";
  v.dataset = "mnist (iid)";
  v.model = "softmax";
  v.parameters = 7850;
  v.seed = 1;
  v.elapsed_s = 42;
  v.fraction = 0.7;
  v.remaining_s = 18;
  v.newest_round = 1234;
  v.local_steps = 9000;
  v.timeouts = 1;
  v.loss = 0.41;
  v.steps_per_s = 210;
  v.no_wait_per_s = 260;
  v.backup_workers = 0.7;
  v.wait_share = 0.18;
  v.newest_evaluation = evaluation{41.5, 8900, 0.882, 0.44, 0.861, 0.0123, 0.02, 8, 500};
  v.target_accuracy = 0.9;
  v.consensus_distance = 0.0125;
  v.mean_norm = 3.2;
  for (std::uint32_t i = 0; i < 2; ++i) {
    node_view n;
    n.address = "127.0.0.1:740" + std::to_string(i);
    n.workers = static_cast<std::uint32_t>((workers + 1 - i) / 2);
    n.component = static_cast<std::uint32_t>(workers);
    n.cpu_s = 12.5 + i;
    n.peak_rss_bytes = 40'000'000;
    n.link_bytes_sent = 123'456'789;
    n.eval_bytes_sent = 1'000'000;
    n.connections_refused = i;
    n.leads = i == 0;
    v.nodes.push_back(n);
  }
  for (std::size_t i = 0; i < workers; ++i) {
    worker_view w;
    w.id = worker_at(i);
    w.node = static_cast<std::uint32_t>(i % 2);
    w.phase = i == 3 ? phase::computing : (i == 2 || i == 4) ? phase::gathering : phase::computing;
    w.in_phase_s = i == 3 ? 1.5 : 0.01;
    w.round = 1230 + i % 4;
    w.rounds = 1100 + i;
    w.local_steps = 1100 + i;
    w.timeouts = i == 2 ? 1 : 0;
    w.estimates_late = i;
    w.compute_s = 30;
    w.wait_s = 6;
    w.neighbours = 2;
    w.loss = 0.4 + 0.01 * static_cast<double>(i);
    w.backup_workers = i == 2 ? 1.0 : 0.5;
    w.wait_share = i == 3 ? 0.02 : 0.2;
    w.round_s = i == 3 ? 0.16 : 0.04;
    w.step_s = i == 3 ? 0.12 : 0.03;
    w.straggler = i == 3;
    for (std::size_t k = 0; k < run_view::samples_max; ++k)
      w.recent_round_s.push_back(
          static_cast<float>(w.round_s * (1 + 0.3 * std::sin(static_cast<double>(k + i)))));
    v.workers.push_back(w);
    const auto link = make_edge(worker_at(i), worker_at((i + 1) % workers));
    v.edges.push_back({link, 1000 - i, i == 3 ? 4.0 : 20.0, true});
  }
  v.waits = {
      {worker_at(2), worker_at(3), 1233, phase::gathering, wait_cause::kind::estimate, 1.2, 8.8},
      {worker_at(4), worker_at(3), 1233, phase::settling, wait_cause::kind::answer, 0.01, std::nullopt}};
  v.events = {{3.5, event_view::severity::info, "all 8 workers are in touch again"},
              {40.2, event_view::severity::warning, "worker 2 timed out in round 1200 waiting for worker 3"},
              {41.0, event_view::severity::error, "node 127.0.0.1:7401 does not answer"}};
  for (int k = 0; k < 84; ++k) {
    history_point p;
    p.time_s = 0.5 * k;
    p.loss = 2.3 * std::exp(-0.03 * k) + 0.4;
    p.accuracy = 0.9 - 0.8 * std::exp(-0.05 * k);
    p.consensus_distance = 0.1 / (1 + k);
    p.steps_per_s = 200 + k % 10;
    p.backup_workers = 0.5 + 0.1 * (k % 4);
    p.wait_share = 0.18;
    v.history.push_back(p);
  }
  return v;
}

} // namespace dybw
