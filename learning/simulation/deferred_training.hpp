#pragma once

#include "learning/base/work_crew.hpp"
#include "learning/checkpoint/virtual_checkpoint.hpp"
#include "learning/coding/block_coder.hpp"
#include "learning/data/mini_batch.hpp"
#include "learning/model/estimate_mover.hpp"
#include "learning/model/local_training.hpp"
#include "learning/simulation/simulated_model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace dybw {

/// Real training for a simulated network. When anything happens in virtual time does not depend on what the
/// parameters are, but for `strides_apart`, so the simulation runs ahead: each step and mix is noted when it
/// happens and computed later, with others that do not depend on it, by as many threads as the crew has. What
/// comes out is the same bit for bit, whatever the crew and however often `compute` is called. Calls of one
/// thread at a time.
class deferred_training final : public simulated_model {
public:
  /// What a worker's newest step and mix came to; filled in by `compute`.
  struct outcome {
    double loss = 0; ///< of the step's mini-batches
    std::uint32_t samples = 0;
    estimate_witness before; ///< of w~_j
    estimate_witness after;  ///< of w_j
    vector_witness correction;
  };

  /// What was added in an exchange, for its witness.
  struct share {
    double projection = 0;
    double size = 0;
    vector_witness correction;
  };

  /// `rows` [workers] are the shards' training samples (none for learners that have their own), `initial`
  /// [workers] w_j(0). `crew` outlives this. `send`: see `as_sent`.
  deferred_training(std::shared_ptr<const training_setup> setup,
                    const std::vector<std::vector<std::uint32_t>>& rows, std::uint64_t seed,
                    std::vector<parameter_block> initial, work_crew& crew,
                    block_format send = block_format::float32);
  ~deferred_training() override;

  void step_begins(worker_id id, round_number completed, std::uint32_t gradients) override;
  estimate_handle start(worker_id id) override;
  estimate_handle step(worker_id id, const estimate_handle& estimate) override;
  estimate_handle mix(worker_id id, const estimate_handle& own, std::span<const weighted_estimate> neighbours,
                      std::uint64_t generation) override;
  estimate_handle as_sent(worker_id id, const estimate_handle& estimate,
                          const estimate_handle& base) override;
  estimate_handle without_step(worker_id id, const estimate_handle& now, const estimate_handle& before,
                               const estimate_handle& after, double share) override;
  estimate_handle step_onto(worker_id id, const step_start& from, const estimate_handle& onto,
                            const take_step& e) override;
  estimate_handle absorb(worker_id id, const estimate_handle& own, const estimate_handle& theirs,
                         const estimate_handle& mine, const exchange_half& half) override;
  /// Nothing: the witness is not known yet, see `outcome`.
  estimate_witness look(const estimate_handle&) override { return {}; }

  /// Of the worker's newest step, and of the mix that ends its round.
  std::shared_ptr<const outcome> latest(worker_id id) const;

  /// Of the worker's newest exchange.
  std::shared_ptr<const share> latest_share(worker_id id) const;

  /// How far apart this worker and its neighbours were some steps ago, see `training_memory::strides_lag` and
  /// `disagreement`. Computes what waits if that is not known yet. REQUIRES: does not recall.
  double strides_apart(worker_id id);

  /// Training samples in the mini-batches of all steps so far.
  std::uint64_t samples() const noexcept { return samples_; }

  /// How many gradient steps, mixes and exchanges wait to be computed.
  std::size_t pending() const noexcept;
  void compute();

  // For a run that stops and goes on later (learning/checkpoint/virtual_checkpoint.hpp):

  /// Keeps track of the estimates that somebody holds. REQUIRES: nothing has happened yet.
  void keep_track() { keeps_track_ = true; }
  /// What is there now. REQUIRES: keeps track; nothing is pending. Throws `learner_failed`.
  training_memory remember();
  /// From now on nothing is computed: what happens is known already, and `resume` will say what came of it.
  /// Keeps track. REQUIRES: nothing has happened yet.
  void recall();
  /// Goes on with what was there when just so much had happened. Whether it fits what has happened; if not,
  /// nothing more can be done with this.
  [[nodiscard]] bool resume(const training_memory& x);

  /// REQUIRES: nothing is pending.
  static const parameter_block& value(const estimate_handle& estimate);

private:
  struct cell;
  struct task;
  struct learner;

  std::size_t level_of(const estimate_handle& estimate) const;
  std::vector<std::pair<std::uint64_t, std::shared_ptr<cell>>> held_cells();
  void note_made(const std::shared_ptr<cell>& c);
  task& add(worker_id id, std::initializer_list<const estimate_handle*> inputs);
  void give_batches(task& t);
  row_batches batches_of(const task& t, std::size_t lane);
  void forget_tasks();
  static std::shared_ptr<const cell> to_cell(const estimate_handle& estimate);
  void carry_out(task& t, std::size_t lane);
  void mix(task& t, std::size_t lane);

  std::shared_ptr<const training_setup> setup_;
  work_crew& crew_;
  std::vector<learner> learners_; ///< [workers]
  std::vector<task> tasks_;       ///< in the order of virtual time
  std::size_t levels_ = 0;
  std::uint64_t samples_ = 0;
  std::size_t gradients_pending_ = 0;
  bool keeps_track_ = false;
  bool recalls_ = false;
  std::uint64_t cells_made_ = 0;
  std::vector<std::pair<std::uint64_t, std::weak_ptr<cell>>> cells_; ///< if it keeps track, by their numbers
  std::size_t cells_max_ = 1024;                                     ///< more are looked through
  std::vector<training_workspace> workspaces_;                       ///< [lanes]
  std::vector<std::vector<weighted_block>> mix_inputs_;              ///< [lanes]
  std::vector<std::vector<std::span<const std::uint32_t>>> batches_; ///< [lanes]: of a step
  std::vector<std::vector<std::uint32_t>> tasks_by_level_; ///< indices of tasks; memory that is kept
};

} // namespace dybw
