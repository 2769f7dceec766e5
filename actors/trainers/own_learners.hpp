#pragma once

#include "learning/api/learner.hpp"
#include "learning/data/partition.hpp"
#include "learning/model/learner_group.hpp"

#include <semaphore>
#include <string>
#include <vector>

namespace dybw {

struct own_learner_options {
  std::uint32_t workers = 0;
  std::uint64_t seed = 1;
  std::string data; ///< path that learners are told; empty: none
  partition_spec partition;
};

/// Learners of the user's program (<dybw/learner.hpp>), in this process.
class own_learners final : public learner_group {
public:
  /// Makes the one that scores, and asks it for the layout and the start. Throws `input_error` (configuration
  /// fault) for a layout that cannot be, and `learner_failed` for what it throws.
  own_learners(learner_maker make, own_learner_options options);
  ~own_learners() override;

  const std::shared_ptr<const given_model>& model() const noexcept override { return model_; }
  bool waits() const noexcept override { return false; }
  std::unique_ptr<local_learner> learner_of(worker_id id) override;
  std::vector<named_score> scores_of(std::span<const float> parameters,
                                     std::optional<std::size_t> worker) override;
  bool is_occupied() const noexcept override { return false; }
  /// Nothing: its threads have it.
  std::vector<char> save(worker_id) override { return {}; }
  void load(worker_id id, std::span<const char> saved) override;
  bool begin_run() override;
  void end() override { learners_.clear(); }

private:
  friend class own_learner;

  /// Part of the parameters that the user sees, and where it lies among the averaged ones.
  struct piece {
    state_class kept = state_class::average;
    std::size_t first = 0; ///< of all arrays
    std::size_t count = 0;
    std::size_t averaged = 0; ///< of the averaged arrays, if it is one
  };

  /// What all learners have in common.
  struct common {
    std::uint64_t seed = 1;
    dybw::layout arrays;
    std::vector<piece> pieces; ///< of the arrays
    bool all_averaged = true;
    parameter_layout averaged;
    std::vector<float> start; ///< [all arrays], of worker 0

    void gather(std::span<const float> from, std::span<float> all) const;
    void scatter(std::span<const float> all, std::span<float> to) const;
  };

  std::unique_ptr<learner> make_one(std::uint32_t worker) const;
  void read_layout(common& of) const;
  void read_start(common& of);

  learner_maker make_;
  own_learner_options options_;
  std::unique_ptr<learner> scorer_;
  std::binary_semaphore free_{1}; ///< to use the scorer
  bool scores_ = true;            ///< it has not failed
  std::shared_ptr<const common> common_;
  std::vector<float> shown_; ///< [all arrays], to the scorer; empty where all are averaged
  std::shared_ptr<const given_model> model_;
  std::vector<std::unique_ptr<local_learner>> learners_; ///< [workers], of the run that begins
  std::vector<std::vector<char>> saved_;                 ///< [workers], where they go on; empty: nowhere
};

} // namespace dybw
