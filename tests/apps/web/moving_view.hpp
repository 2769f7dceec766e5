#pragma once

#include "tests/apps/web/sample_view.hpp"

#include <algorithm>

namespace dybw {

/// The sample run `t` seconds on: rounds advance, loss falls, waits come and go.
inline run_view moving_view(double t, std::size_t workers = 8) {
  auto v = sample_view(workers);
  const auto wave = [t](double period, double shift) { return std::sin(6.2832 * (t + shift) / period); };
  v.elapsed_s = 42 + t;
  v.fraction = std::min(1.0, 0.7 + t / 600);
  v.remaining_s = std::max(0.0, 18 - t / 2);
  v.newest_round += static_cast<round_number>(25 * t);
  v.local_steps += static_cast<std::uint64_t>(210 * t);
  v.loss = 0.4 + 0.1 * std::exp(-t / 20) + 0.01 * wave(3, 0);
  v.steps_per_s = 210 + 12 * wave(7, 1);
  for (std::size_t i = 0; i < v.workers.size(); ++i) {
    auto& w = v.workers[i];
    const auto shift = 0.7 * static_cast<double>(i);
    const auto beside_straggler = i == 2 || i == 4;
    w.round += static_cast<round_number>(25 * t);
    w.rounds += static_cast<std::uint64_t>(25 * t);
    w.backup_workers = (beside_straggler ? 0.95 : 0.35) + 0.05 * wave(5, shift);
    w.wait_share = w.straggler ? 0.02 : 0.15 + 0.06 * wave(6, shift);
    w.loss = 0.4 + 0.05 * wave(9, 3 * shift);
    w.recent_round_s.clear();
    for (std::size_t k = 0; k < run_view::samples_max; ++k)
      w.recent_round_s.push_back(static_cast<float>(
          w.round_s * (1 + 0.25 * wave(4, shift + 0.37 * static_cast<double>(k * k % 17)))));
  }
  for (std::size_t i = 0; i < v.edges.size(); ++i) {
    auto& e = v.edges[i];
    const auto slow = v.workers[static_cast<std::size_t>(e.link.a)].straggler ||
                      v.workers[static_cast<std::size_t>(e.link.b)].straggler;
    e.recent_per_s = (slow ? 4 : 19) + (slow ? 1 : 4) * wave(4, static_cast<double>(i));
  }
  v.waits.front().waited_s = 0.4 + std::fmod(t, 2);
  v.waits.front().timeout_in_s = 9.6 - std::fmod(t, 2);
  for (auto& p : v.history) {
    p.backup_workers = 0.7 - 0.4 * std::exp(-p.time_s / 6) + 0.04 * std::sin(1.3 * p.time_s);
    p.wait_share = 0.17 + 0.2 * std::exp(-p.time_s / 8) + 0.015 * std::sin(0.9 * p.time_s);
    p.steps_per_s =
        208 - 60 * std::exp(-p.time_s / 5) + 5 * std::sin(2.1 * p.time_s) + 4 * std::sin(0.7 * p.time_s);
    p.loss = *p.loss + 0.02 * std::sin(3 * p.time_s);
  }
  for (int k = 1; k <= static_cast<int>(2 * t) && v.history.size() < run_view::history_max; ++k) {
    auto p = v.history.back();
    p.time_s += 0.5;
    p.loss = *p.loss * 0.999 + 0.004 * std::sin(k);
    p.steps_per_s = 208 + 5 * std::sin(1.05 * k) + 4 * std::sin(0.35 * k);
    p.backup_workers = 0.7 + 0.04 * std::sin(0.65 * k);
    p.wait_share = 0.17 + 0.015 * std::sin(0.45 * k);
    v.history.push_back(p);
  }
  return v;
}

} // namespace dybw
