#pragma once

#include "tests/learning/consensus/fuzz/schedule.hpp"

#include "learning/simulation/simulated_model.hpp"

#include <cmath>
#include <memory>

namespace dybw::test {

/// The workers' estimates: one number each, really mixed.
class scalar_model final : public simulated_model {
public:
  explicit scalar_model(std::uint64_t seed) : dice_(seed) {}

  estimate_handle start(worker_id) override { return moved(0); }
  estimate_handle step(worker_id, const estimate_handle& estimate) override { return moved(value(estimate)); }
  estimate_handle mix(worker_id, const estimate_handle& own,
                      std::span<const weighted_estimate> neighbours) override {
    auto result = value(own);
    for (const auto& n : neighbours)
      result += n.weight * (value(n.estimate) - value(own));
    return std::make_shared<const double>(result);
  }
  estimate_handle step_onto(worker_id, const estimate_handle&, const estimate_handle& onto, double) override {
    return moved(value(onto));
  }
  estimate_handle absorb(worker_id, const estimate_handle& own, const estimate_handle& theirs,
                         const estimate_handle& mine, double weight) override {
    return std::make_shared<const double>(value(own) + weight * (value(theirs) - value(mine)));
  }
  estimate_witness look(const estimate_handle& estimate) override {
    return {value(estimate), std::abs(value(estimate))};
  }

  /// The start values and all steps: what the sum of the estimates must be if no mixing ever moved it.
  double sum_put_in() const { return put_in_; }
  static double value(const estimate_handle& estimate) { return *static_cast<const double*>(estimate.get()); }

private:
  estimate_handle moved(double x) {
    const auto by = dice_.uniform(-1, 1);
    put_in_ += by;
    return std::make_shared<const double>(x + by);
  }
  dice dice_;
  double put_in_ = 0;
};

} // namespace dybw::test
