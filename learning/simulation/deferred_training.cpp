#include "learning/simulation/deferred_training.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

/// What an estimate's handle points to.
struct deferred_training::cell {
  parameter_block block; ///< none until it is computed
  std::size_t level = 0; ///< while it is not: of the task that does
};

struct deferred_training::task {
  enum class kind { step, mix };
  kind what = kind::step;
  worker_id worker{};
  std::vector<std::uint32_t> rows; ///< step: the mini-batch
  std::uint64_t epoch = 0;
  std::vector<std::pair<std::shared_ptr<const cell>, double>> inputs; ///< mix: neighbours' w~ and weights
  std::shared_ptr<cell> result;
  std::shared_ptr<outcome> told;
  std::size_t level = 0; ///< a task may run when all of lower levels are done
};

struct deferred_training::learner {
  learner(const std::shared_ptr<const training_setup>& setup, mini_batch_sampler s, const parameter_block& w)
      : sampler(std::move(s)), local(setup, w), first(std::make_shared<cell>(cell{w, 0})) {}

  mini_batch_sampler sampler;
  local_training local;
  std::shared_ptr<const cell> first; ///< w_j(0)
  std::shared_ptr<outcome> newest;
  std::size_t level = 0; ///< of its last pending task
};

deferred_training::deferred_training(std::shared_ptr<const training_setup> setup,
                                     const std::vector<std::vector<std::uint32_t>>& rows, std::uint64_t seed,
                                     std::vector<parameter_block> initial, work_crew& crew)
    : setup_(std::move(setup)), crew_(crew), mix_inputs_(crew.lanes()) {
  assert(rows.size() == initial.size());
  learners_.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    learners_.emplace_back(
        setup_,
        mini_batch_sampler{rows[i], setup_->batch, make_generator(seed, random_stream::mini_batches, i)},
        initial[i]);
  for (std::size_t i = 0; i < crew.lanes(); ++i)
    workspaces_.emplace_back(*setup_);
}

deferred_training::~deferred_training() = default;

estimate_handle deferred_training::start(worker_id id) {
  return learners_[index_of(id)].first;
}

const parameter_block& deferred_training::value(const estimate_handle& estimate) {
  const auto& block = static_cast<const cell*>(estimate.get())->block;
  assert(block);
  return block;
}

std::size_t deferred_training::level_of(const estimate_handle& estimate) const {
  const auto& x = *static_cast<const cell*>(estimate.get());
  return x.block ? 0 : x.level;
}

deferred_training::task& deferred_training::add(worker_id id, std::size_t level) {
  auto& t = tasks_.emplace_back();
  t.worker = id;
  t.level = level;
  t.result = std::make_shared<cell>();
  t.result->level = level;
  learners_[index_of(id)].level = level;
  levels_ = std::max(levels_, level);
  return t;
}

estimate_handle deferred_training::step(worker_id id, const estimate_handle& estimate) {
  auto& l = learners_[index_of(id)];
  auto& t = add(id, std::max(l.level, level_of(estimate)) + 1);
  const auto batch = l.sampler.next();
  t.rows.assign(batch.begin(), batch.end());
  t.epoch = l.sampler.epoch();
  l.newest = std::make_shared<outcome>();
  l.newest->samples = static_cast<std::uint32_t>(batch.size());
  t.told = l.newest;
  return t.result;
}

estimate_handle deferred_training::mix(worker_id id, const estimate_handle& own,
                                       std::span<const weighted_estimate> neighbours) {
  auto& l = learners_[index_of(id)];
  auto level = std::max(l.level, level_of(own));
  for (const auto& n : neighbours)
    level = std::max(level, level_of(n.estimate));
  auto& t = add(id, level + 1);
  t.what = task::kind::mix;
  for (const auto& n : neighbours)
    t.inputs.emplace_back(std::static_pointer_cast<const cell>(n.estimate), n.weight);
  t.told = l.newest;
  return t.result;
}

estimate_witness deferred_training::look(const estimate_handle&) {
  return {};
}

std::shared_ptr<const deferred_training::outcome> deferred_training::latest(worker_id id) const {
  return learners_[index_of(id)].newest;
}

std::size_t deferred_training::pending() const noexcept {
  return tasks_.size();
}

void deferred_training::compute() {
  for (auto& indices : tasks_by_level_)
    indices.clear();
  tasks_by_level_.resize(std::max(tasks_by_level_.size(), levels_ + 1));
  for (std::size_t i = 0; i < tasks_.size(); ++i)
    tasks_by_level_[tasks_[i].level].push_back(static_cast<std::uint32_t>(i));
  for (const auto& indices : tasks_by_level_)
    crew_.run(indices.size(), [&](std::size_t i, std::size_t lane) { carry_out(tasks_[indices[i]], lane); });
  tasks_.clear();
  levels_ = 0;
  for (auto& l : learners_)
    l.level = 0;
}

/// Of one worker at most one task is on a level, so its own state needs no lock; what others wrote is of
/// lower levels.
void deferred_training::carry_out(task& t, std::size_t lane) {
  auto& local = learners_[index_of(t.worker)].local;
  if (t.what == task::kind::step) {
    const auto done = local.step(t.rows, t.epoch, workspaces_[lane]);
    t.told->loss = done.loss;
    t.result->block = done.estimate;
    return;
  }
  auto& inputs = mix_inputs_[lane];
  inputs.clear();
  for (const auto& [estimate, weight] : t.inputs)
    inputs.push_back({estimate->block, weight});
  const auto done = local.mix(inputs, workspaces_[lane]);
  inputs.clear();
  t.told->before = {done.projection_before, done.norm_before};
  t.told->after = {done.projection_after, 0};
  t.result->block = done.mixed;
}

} // namespace dybw
