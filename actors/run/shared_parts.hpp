#pragma once

#include "learning/consensus/network_parts.hpp"

#include <atomic>
#include <memory>

namespace dybw {

/// What the facts make of the network, for all workers of a process: on whichever thread the first of them
/// asks, it is worked out there, and the others find it done. They take turns; whoever comes meanwhile would
/// have to work out the same. Thread-safe.
class shared_parts final : public network_parts {
public:
  explicit shared_parts(std::unique_ptr<network_parts> parts) : parts_(std::move(parts)) {}

  network_part part_of(worker_id id, const membership& facts) override {
    const turn mine{taken_};
    return parts_->part_of(id, facts);
  }
  coverage_sweep::edge_set connecting(worker_id id, const membership& facts) override {
    const turn mine{taken_};
    return parts_->connecting(id, facts);
  }

private:
  class turn {
  public:
    explicit turn(std::atomic_flag& taken) : taken_(taken) {
      while (taken_.test_and_set(std::memory_order_acquire))
        taken_.wait(true, std::memory_order_relaxed);
    }
    ~turn() {
      taken_.clear(std::memory_order_release);
      taken_.notify_one();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

  private:
    std::atomic_flag& taken_;
  };

  std::unique_ptr<network_parts> parts_;
  std::atomic_flag taken_;
};

} // namespace dybw
