#pragma once

#include "tests/learning/consensus/fuzz/schedule.hpp"

#include "learning/graph/worker_sets.hpp"
#include "learning/simulation/network_simulation.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

namespace dybw::test {

/// Whether those who have not crashed are joined by edges of the graph.
inline bool live_graph_is_connected(const network_simulation& sim, const topology& graph) {
  worker_sets joined{sim.workers()};
  std::size_t parts = 0;
  for (std::size_t i = 0; i < sim.workers(); ++i)
    parts += sim.crashed(worker_at(i)) ? 0u : 1u;
  for (auto e : graph.edges())
    if (!sim.crashed(e.a) && !sim.crashed(e.b) && joined.join(e))
      --parts;
  return parts <= 1;
}

/// Of who is up.
inline bool all_know_the_same(const network_simulation& sim) {
  auto generation = std::optional<std::uint64_t>{};
  for (std::size_t i = 0; i < sim.workers(); ++i) {
    if (sim.crashed(worker_at(i)))
      continue;
    const auto own = sim.machine(worker_at(i)).facts().generation();
    if (generation && *generation != own)
      return false;
    generation = own;
  }
  return true;
}

/// The workers' estimates: one number each, really mixed, half of the time with an outer step (`outer_step`),
/// and half of the time with a correction (`correction`).
class scalar_model final : public simulated_model {
public:
  scalar_model(std::uint64_t seed, std::size_t workers, bool corrects)
      : dice_(seed), from_(workers), momentum_(workers), corrections_(workers) {
    auto d = dice{split_mix(seed + 2)};
    if (d.chance(0.5)) {
      keep_ = d.chance(0.2) ? 0 : d.uniform(0, 0.9);
      step_ = d.uniform(0.3, 1.2);
    }
    if (corrects)
      rate_ = d.uniform(0.01, 0.1);
  }

  estimate_handle start(worker_id id) override {
    from_[index_of(id)] = draw();
    put_in_ += from_[index_of(id)];
    return made(from_[index_of(id)]);
  }
  estimate_handle step(worker_id id, const estimate_handle& estimate) override {
    from_[index_of(id)] = value(estimate);
    return made(value(estimate) + gradient(draw() + corrections_[index_of(id)].value));
  }
  estimate_handle mix(worker_id id, const estimate_handle& own, std::span<const weighted_estimate> neighbours,
                      std::uint64_t generation) override {
    auto bar = value(own);
    enter(id, generation);
    for (const auto& n : neighbours) {
      const auto by = n.weight * (value(n.estimate) - value(n.own ? n.own : own));
      bar += by;
      corrections_[index_of(id)].value += n.corrects ? rate_ * by : 0;
    }
    const auto phi = from_[index_of(id)];
    return std::make_shared<const number>(number{phi + outer_move(id, bar - phi), bar});
  }
  estimate_handle without_step(worker_id, const estimate_handle& now, const estimate_handle& before,
                               const estimate_handle& after, double share) override {
    if (!(share > 0 && share < 1)) // not a number is neither
      FAIL_CHECK("a step without " << share << " of the one before");
    return made(value(now) + share * (value(before) - value(after)));
  }
  estimate_handle step_onto(worker_id id, const step_start&, const estimate_handle& onto,
                            const take_step& e) override {
    enter(id, e.generation);
    const auto c = corrections_[index_of(id)].value; // past the outer step
    put_in_ += c;
    return made(value(onto) + outer_move(id, gradient(draw())) + c);
  }
  estimate_handle absorb(worker_id id, const estimate_handle& own, const estimate_handle& theirs,
                         const estimate_handle& mine, const exchange_half& half) override {
    const auto by = half.weight * (value(theirs) - value(mine));
    enter(id, half.generation);
    corrections_[index_of(id)].value += half.corrects ? rate_ * by : 0;
    return made(value(own) + by);
  }
  estimate_witness look_at_correction(worker_id id) override {
    const auto c = corrections_[index_of(id)].value;
    return {c, std::abs(c)};
  }
  /// Rounded so coarsely that it cannot be taken for the estimate.
  estimate_handle as_sent(worker_id, const estimate_handle& estimate, const estimate_handle& base) override {
    const auto from = base ? value(base) : 0.0;
    return made(from + std::round((value(estimate) - from) * 4) / 4);
  }
  /// Of a mix it sees the result before the outer step.
  estimate_witness look(const estimate_handle& estimate) override {
    const auto seen = static_cast<const number*>(estimate.get())->mixed;
    return {seen, std::abs(seen)};
  }

  static double value(const estimate_handle& estimate) {
    return static_cast<const number*>(estimate.get())->value;
  }
  /// How far averaging has moved the workers' sum, of their sizes, which it must not: with late answers, much
  /// momentum and a correction these may grow without end. With w and m of an outer step it is
  /// that of z = w + E B / (1 - B) m that is moved by steps alone: z' = z + E / (1 - B) (bar - phi), whoever
  /// takes part in a round and who does not.
  double sum_moved(const network_simulation& sim) const {
    double sum = 0;
    double sizes = 1;
    for (std::size_t i = 0; i < sim.workers(); ++i) {
      const auto z = value(sim.estimate_of(worker_at(i))) + step_ * keep_ / (1 - keep_) * momentum_[i];
      sum += z;
      sizes += std::abs(z);
    }
    return (sum - put_in_) / sizes;
  }

  /// How far the corrections do not add up to nothing, of their sizes, in the generation in which all live
  /// workers are; 0 if they are in several. A worker that has not averaged in it has none.
  double corrections_left(const network_simulation& sim) const {
    if (!all_know_the_same(sim))
      return 0;
    double sum = 0;
    double sizes = 1;
    for (std::size_t i = 0; i < sim.workers(); ++i)
      if (const auto id = worker_at(i);
          !sim.crashed(id) && corrections_[i].generation == sim.machine(id).facts().generation()) {
        sum += corrections_[i].value;
        sizes += std::abs(corrections_[i].value);
      }
    return std::abs(sum) / sizes;
  }
  /// A new process has none.
  void forget_correction(worker_id id) { corrections_[index_of(id)] = {}; }

private:
  struct number {
    double value = 0;
    double mixed = 0;
  };
  static estimate_handle made(double x) { return std::make_shared<const number>(number{x, x}); }

  struct generation_number {
    double value = 0;
    std::uint64_t generation = 0;
  };
  void enter(worker_id id, std::uint64_t generation) {
    auto& c = corrections_[index_of(id)];
    if (c.generation != generation)
      c = {0, generation};
  }
  /// A step, and where it leads to in the end.
  double gradient(double by) {
    put_in_ += step_ / (1 - keep_) * by;
    return by;
  }

  double draw() { return dice_.uniform(-1, 1); }
  double outer_move(worker_id id, double way) {
    auto& m = momentum_[index_of(id)];
    m = keep_ * m + way;
    return step_ * m;
  }

  dice dice_;
  double keep_ = 0;
  double step_ = 1;
  double rate_ = 0;
  std::vector<double> from_;                   ///< [workers]: where its newest step began
  std::vector<double> momentum_;               ///< [workers]
  std::vector<generation_number> corrections_; ///< [workers]
  double put_in_ = 0;
};

} // namespace dybw::test
