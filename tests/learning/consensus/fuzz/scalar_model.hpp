#pragma once

#include "tests/learning/consensus/fuzz/schedule.hpp"

#include "learning/simulation/network_simulation.hpp"

#include <cmath>
#include <memory>
#include <vector>

namespace dybw::test {

/// The workers' estimates: one number each, really mixed, half of the time with an outer step (`outer_step`).
class scalar_model final : public simulated_model {
public:
  scalar_model(std::uint64_t seed, std::size_t workers) : dice_(seed), from_(workers), momentum_(workers) {
    auto d = dice{split_mix(seed + 2)};
    if (d.chance(0.5)) {
      keep_ = d.chance(0.2) ? 0 : d.uniform(0, 0.9);
      step_ = d.uniform(0.3, 1.2);
    }
  }

  estimate_handle start(worker_id id) override {
    from_[index_of(id)] = draw();
    put_in_ += from_[index_of(id)];
    return made(from_[index_of(id)]);
  }
  estimate_handle step(worker_id id, const estimate_handle& estimate) override {
    from_[index_of(id)] = value(estimate);
    return made(value(estimate) + gradient());
  }
  estimate_handle mix(worker_id id, const estimate_handle& own,
                      std::span<const weighted_estimate> neighbours) override {
    auto bar = value(own);
    for (const auto& n : neighbours)
      bar += n.weight * (value(n.estimate) - value(n.own ? n.own : own));
    const auto phi = from_[index_of(id)];
    return std::make_shared<const number>(number{phi + outer_move(id, bar - phi), bar});
  }
  estimate_handle step_onto(worker_id id, const estimate_handle&, const estimate_handle& onto,
                            double) override {
    return made(value(onto) + outer_move(id, gradient()));
  }
  estimate_handle absorb(worker_id, const estimate_handle& own, const estimate_handle& theirs,
                         const estimate_handle& mine, double weight) override {
    return made(value(own) + weight * (value(theirs) - value(mine)));
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
  /// How far averaging has moved the workers' sum, which it must not. With w and m of an outer step it is
  /// that of z = w + E B / (1 - B) m that is moved by steps alone: z' = z + E / (1 - B) (bar - phi), whoever
  /// takes part in a round and who does not.
  double sum_moved(const network_simulation& sim) const {
    double sum = 0;
    for (std::size_t i = 0; i < sim.workers(); ++i)
      sum += value(sim.estimate_of(worker_at(i))) + step_ * keep_ / (1 - keep_) * momentum_[i];
    return sum - put_in_;
  }

private:
  struct number {
    double value = 0;
    double mixed = 0;
  };
  static estimate_handle made(double x) { return std::make_shared<const number>(number{x, x}); }

  double draw() { return dice_.uniform(-1, 1); }
  double gradient() {
    const auto by = draw();
    put_in_ += step_ / (1 - keep_) * by;
    return by;
  }
  double outer_move(worker_id id, double way) {
    auto& m = momentum_[index_of(id)];
    m = keep_ * m + way;
    return step_ * m;
  }

  dice dice_;
  double keep_ = 0;
  double step_ = 1;
  std::vector<double> from_;     ///< [workers]: where its newest step began
  std::vector<double> momentum_; ///< [workers]
  double put_in_ = 0;
};

} // namespace dybw::test
