#pragma once

#include "learning/model/local_training.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace dybw {

/// Scratch memory that workers borrow for jobs which cost less than the trip to a trainer. Any thread may
/// borrow, and nobody waits: who finds none takes the job to a trainer.
class spare_workspaces {
  struct place {
    std::atomic<bool> taken = false;
    std::unique_ptr<training_workspace> workspace; ///< for whoever took the place
  };
  struct giving_back {
    void operator()(place* x) const noexcept { x->taken.store(false, std::memory_order_release); }
  };

public:
  /// `count`: how many can be on loan at once. Each is made when it is borrowed first.
  spare_workspaces(std::shared_ptr<const training_setup> setup, std::size_t count)
      : setup_(std::move(setup)), places_(count) {}

  /// A workspace that goes back when this ends. It must not outlive where it comes from.
  class loan {
  public:
    explicit operator bool() const noexcept { return place_ != nullptr; }
    training_workspace& operator*() const noexcept { return *place_->workspace; }

  private:
    friend class spare_workspaces;
    explicit loan(place* x) : place_(x) {}
    std::unique_ptr<place, giving_back> place_;
  };

  /// Empty if all are on loan. Throws `std::bad_alloc`.
  loan borrow();

private:
  std::shared_ptr<const training_setup> setup_;
  std::vector<place> places_;
};

} // namespace dybw
