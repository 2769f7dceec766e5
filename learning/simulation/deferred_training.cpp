#include "learning/simulation/deferred_training.hpp"

#include "learning/consensus/disagreement.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

/// What an estimate's handle points to.
struct deferred_training::cell {
  parameter_block block; ///< none until it is computed
  std::size_t level = 0; ///< while it is not: of the task that does
};

struct deferred_training::task {
  enum class kind { step, mix, without_step, step_onto, absorb, code };
  kind what = kind::step;
  worker_id worker{};
  std::vector<std::uint32_t> rows; ///< step: of its mini-batches ..
  std::vector<std::size_t> ends;   ///< .. and where each ends
  round_number completed = 0;      ///< step: rounds before it
  /// mix: neighbours' w~ with their weights; without_step: now, before, after; step_onto: began, at, onto;
  /// absorb: own, theirs, mine; code: w~, base
  std::vector<std::pair<std::shared_ptr<const cell>, double>> inputs;
  std::vector<std::shared_ptr<const cell>> own; ///< mix, of coded estimates: w~_j as each of these has it
  std::vector<bool> corrects;                   ///< mix, of inputs, if any does; absorb: not empty if it does
  std::uint64_t generation = 0;                 ///< mix, step_onto, absorb
  double factor = 0;                            ///< without_step: share; step_onto: scale; absorb: weight
  std::shared_ptr<cell> result;
  std::shared_ptr<outcome> told;
  std::shared_ptr<share> added;
  std::size_t level = 0; ///< a task may run when all of lower levels are done
};

struct deferred_training::learner {
  learner(const std::shared_ptr<const training_setup>& setup, std::optional<mini_batch_sampler> s,
          const parameter_block& w, worker_id id, block_format send)
      : sampler(std::move(s)), local(setup, w, {}, id), first(std::make_shared<cell>(cell{w, 0})),
        mover(setup->model->parameter_count(), setup->projection, setup->correction) {
    if (send != block_format::float32)
      coder.emplace(send, setup->model->parameter_count());
  }

  std::optional<mini_batch_sampler> sampler; ///< none: it has its own data
  local_training local;
  std::optional<block_coder> coder;  ///< if estimates travel coded
  std::shared_ptr<const cell> first; ///< w_j(0)
  // Of pairwise averaging:
  estimate_mover mover;
  disagreement apart;
  std::array<double, training_memory::strides_lag> apart_after{}; ///< step s: [s % strides_lag]
  std::uint64_t onto_noted = 0;                                   ///< steps ..
  std::uint64_t onto_done = 0;                                    ///< .. and how many of them are computed
  // Of all:
  std::shared_ptr<outcome> newest;
  std::shared_ptr<share> newest_share;
  std::size_t level = 0; ///< of its last pending task
  // Of the step that began last:
  round_number completed = 0; ///< before it
  std::uint32_t gradients = 1;
};

deferred_training::deferred_training(std::shared_ptr<const training_setup> setup,
                                     const std::vector<std::vector<std::uint32_t>>& rows, std::uint64_t seed,
                                     std::vector<parameter_block> initial, work_crew& crew, block_format send)
    : setup_(std::move(setup)), crew_(crew), mix_inputs_(crew.lanes()), batches_(crew.lanes()) {
  assert(!setup_->data || rows.size() == initial.size());
  learners_.reserve(initial.size());
  for (std::size_t i = 0; i < initial.size(); ++i) {
    std::optional<mini_batch_sampler> sampler;
    if (setup_->data)
      sampler.emplace(rows[i], setup_->batch, make_generator(seed, random_stream::mini_batches, i),
                      setup_->mirrors);
    learners_.emplace_back(setup_, std::move(sampler), initial[i], worker_at(i), send);
  }
  for (std::size_t i = 0; i < crew.lanes(); ++i)
    workspaces_.emplace_back(*setup_);
}

deferred_training::~deferred_training() = default;

void deferred_training::step_begins(worker_id id, round_number completed, std::uint32_t gradients) {
  auto& l = learners_[index_of(id)];
  l.completed = completed;
  l.gradients = gradients;
}

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

/// A new task of the worker, to be done after its own earlier ones and after what makes the inputs.
deferred_training::task& deferred_training::add(worker_id id,
                                                std::initializer_list<const estimate_handle*> inputs) {
  auto& l = learners_[index_of(id)];
  for (const auto* x : inputs)
    l.level = std::max(l.level, level_of(*x));
  ++l.level;
  levels_ = std::max(levels_, l.level);
  auto& t = tasks_.emplace_back();
  t.worker = id;
  t.level = l.level;
  t.result = std::make_shared<cell>();
  t.result->level = l.level;
  if (keeps_track_)
    note_made(t.result);
  return t;
}

void deferred_training::note_made(const std::shared_ptr<cell>& c) {
  cells_.emplace_back(cells_made_++, c);
  if (cells_.size() < cells_max_)
    return;
  std::erase_if(cells_, [](const auto& x) { return x.second.expired(); });
  cells_max_ = std::max(cells_max_, 2 * cells_.size());
}

std::vector<std::pair<std::uint64_t, std::shared_ptr<deferred_training::cell>>>
deferred_training::held_cells() {
  std::vector<std::pair<std::uint64_t, std::shared_ptr<cell>>> held;
  for (const auto& [number, c] : cells_)
    if (auto holder = c.lock())
      held.emplace_back(number, std::move(holder));
  return held;
}

training_memory deferred_training::remember() {
  assert(keeps_track_ && tasks_.empty());
  training_memory x;
  x.estimates_made = cells_made_;
  x.learners.resize(learners_.size());
  crew_.run(learners_.size(), [&](std::size_t i, std::size_t) { // trainers take their time
    x.learners[i].state = learners_[i].local.state();
  });
  for (std::size_t i = 0; i < learners_.size(); ++i) {
    auto& l = learners_[i];
    auto& y = x.learners[i];
    if (l.onto_noted > 0 || l.newest_share) { // in pairs
      y.state.correction = l.mover.correction().value();
      y.state.correction_generation = l.mover.correction().generation();
    }
    y.agreement = l.mover.remembered().agreement.value();
    y.step_length = l.mover.remembered().step_length;
    y.apart = l.apart.value();
    y.apart_after = l.apart_after;
    if (l.newest) {
      y.loss = l.newest->loss;
      y.samples = l.newest->samples;
      y.projection_before = l.newest->before.projection;
      y.norm_before = l.newest->before.norm;
      y.projection_after = l.newest->after.projection;
      y.correction = l.newest->correction;
    }
  }
  for (const auto& [number, c] : held_cells())
    x.estimates.push_back({number, c->block});
  return x;
}

void deferred_training::recall() {
  recalls_ = keeps_track_ = true;
}

bool deferred_training::resume(const training_memory& x) {
  assert(recalls_);
  forget_tasks();
  const auto held = held_cells();
  if (x.estimates_made != cells_made_ || x.learners.size() != learners_.size() ||
      x.estimates.size() != held.size())
    return false;
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (x.estimates[i].number != held[i].first)
      return false;
    held[i].second->block = x.estimates[i].block;
    held[i].second->level = 0;
  }
  for (std::size_t i = 0; i < learners_.size(); ++i) {
    auto& l = learners_[i];
    const auto& y = x.learners[i];
    l.local.restore(y.state);
    if (l.onto_noted > 0 || l.newest_share)
      l.mover.correction().restore(y.state.correction, y.state.correction_generation);
    l.mover.restore({step_agreement{y.agreement}, l.onto_noted, y.step_length});
    l.apart = disagreement{y.apart};
    l.apart_after = y.apart_after;
    l.onto_done = l.onto_noted;
    if (l.newest) {
      l.newest->loss = y.loss;
      l.newest->samples = y.samples;
      l.newest->before = {y.projection_before, y.norm_before};
      l.newest->after = {y.projection_after, 0};
      l.newest->correction = y.correction;
    }
  }
  recalls_ = false;
  return true;
}

void deferred_training::give_batches(task& t) {
  auto& l = learners_[index_of(t.worker)];
  t.completed = l.completed;
  l.newest = std::make_shared<outcome>();
  t.told = l.newest;
  gradients_pending_ += l.gradients - 1; // the task counts for the first
  if (!l.sampler) {                      // how many samples it takes will be known when it has taken them
    t.ends.resize(l.gradients);
    samples_ += l.gradients * setup_->batch;
    return;
  }
  for (std::uint32_t i = 0; i < l.gradients; ++i) {
    const auto batch = l.sampler->next();
    t.rows.insert(t.rows.end(), batch.begin(), batch.end());
    t.ends.push_back(t.rows.size());
  }
  l.newest->samples = static_cast<std::uint32_t>(t.rows.size());
  samples_ += t.rows.size();
}

row_batches deferred_training::batches_of(const task& t, std::size_t lane) {
  auto& batches = batches_[lane];
  batches.clear();
  std::size_t begin = 0;
  for (const auto end : t.ends) {
    batches.push_back(std::span{t.rows}.subspan(begin, end - begin));
    begin = end;
  }
  return batches;
}

estimate_handle deferred_training::step(worker_id id, const estimate_handle& estimate) {
  auto& t = add(id, {&estimate});
  give_batches(t);
  return t.result;
}

estimate_handle deferred_training::mix(worker_id id, const estimate_handle& own,
                                       std::span<const weighted_estimate> neighbours,
                                       std::uint64_t generation) {
  auto& l = learners_[index_of(id)];
  for (const auto& n : neighbours)
    l.level = std::max(l.level, level_of(n.estimate));
  auto& t = add(id, {&own});
  t.what = task::kind::mix;
  for (const auto& n : neighbours) {
    t.inputs.emplace_back(to_cell(n.estimate), n.weight);
    if (n.own) {
      t.own.resize(t.inputs.size());
      t.own.back() = to_cell(n.own);
    }
    if (n.corrects) {
      t.corrects.resize(t.inputs.size());
      t.corrects.back() = true;
    }
  }
  t.generation = generation;
  t.told = l.newest;
  return t.result;
}

estimate_handle deferred_training::without_step(worker_id id, const estimate_handle& now,
                                                const estimate_handle& before, const estimate_handle& after,
                                                double part) {
  auto& t = add(id, {&now, &before, &after});
  t.what = task::kind::without_step;
  t.inputs = {{to_cell(now), 0}, {to_cell(before), 0}, {to_cell(after), 0}};
  t.factor = part;
  return t.result;
}

estimate_handle deferred_training::step_onto(worker_id id, const step_start& from,
                                             const estimate_handle& onto, const take_step& e) {
  auto& t = add(id, {&from.began, &from.at, &onto});
  t.what = task::kind::step_onto;
  ++learners_[index_of(id)].onto_noted;
  t.inputs = {{to_cell(from.began), 0}, {to_cell(from.at), 0}, {to_cell(onto), 0}};
  t.factor = e.scale;
  t.generation = e.generation;
  give_batches(t);
  return t.result;
}

estimate_handle deferred_training::absorb(worker_id id, const estimate_handle& own,
                                          const estimate_handle& theirs, const estimate_handle& mine,
                                          const exchange_half& half) {
  auto& t = add(id, {&own, &theirs, &mine});
  t.what = task::kind::absorb;
  t.inputs = {{to_cell(own), 0}, {to_cell(theirs), 0}, {to_cell(mine), 0}};
  t.factor = half.weight;
  if (half.corrects)
    t.corrects = {true};
  t.generation = half.generation;
  t.added = learners_[index_of(id)].newest_share = std::make_shared<share>();
  return t.result;
}

estimate_handle deferred_training::as_sent(worker_id id, const estimate_handle& estimate,
                                           const estimate_handle& base) {
  auto& t = base ? add(id, {&estimate, &base}) : add(id, {&estimate});
  t.what = task::kind::code;
  t.inputs = {{to_cell(estimate), 0}};
  if (base)
    t.inputs.emplace_back(to_cell(base), 0);
  return t.result;
}

std::shared_ptr<const deferred_training::outcome> deferred_training::latest(worker_id id) const {
  return learners_[index_of(id)].newest;
}

double deferred_training::strides_apart(worker_id id) {
  constexpr auto lag = training_memory::strides_lag;
  const auto& l = learners_[index_of(id)];
  if (l.onto_noted < lag)
    return 0;
  if (l.onto_done + lag <= l.onto_noted)
    compute();
  return l.apart_after[(l.onto_noted - lag) % lag];
}

std::size_t deferred_training::pending() const noexcept {
  return tasks_.size() + gradients_pending_;
}

std::shared_ptr<const deferred_training::share> deferred_training::latest_share(worker_id id) const {
  return learners_[index_of(id)].newest_share;
}

std::shared_ptr<const deferred_training::cell> deferred_training::to_cell(const estimate_handle& estimate) {
  return std::static_pointer_cast<const cell>(estimate);
}

void deferred_training::compute() {
  if (recalls_)
    return forget_tasks();
  for (auto& indices : tasks_by_level_)
    indices.clear();
  tasks_by_level_.resize(std::max(tasks_by_level_.size(), levels_ + 1));
  for (std::size_t i = 0; i < tasks_.size(); ++i)
    tasks_by_level_[tasks_[i].level].push_back(static_cast<std::uint32_t>(i));
  for (const auto& indices : tasks_by_level_)
    crew_.run(indices.size(), [&](std::size_t i, std::size_t lane) {
      auto& t = tasks_[indices[i]];
      carry_out(t, lane);
      t.own.clear();
      t.inputs.clear(); // lets go of blocks that nobody needs any more: large models fill the memory
      t.result.reset();
    });
  forget_tasks();
}

void deferred_training::forget_tasks() {
  tasks_.clear();
  gradients_pending_ = 0;
  levels_ = 0;
  for (auto& l : learners_)
    l.level = 0;
}

/// Of one worker at most one task is on a level, so its own state needs no lock; what others wrote is of
/// lower levels.
void deferred_training::carry_out(task& t, std::size_t lane) {
  auto& l = learners_[index_of(t.worker)];
  const auto input = [&t](std::size_t i) -> const parameter_block& { return t.inputs[i].first->block; };
  switch (t.what) {
  case task::kind::step: {
    const auto done = l.local.step(batches_of(t, lane), t.completed, workspaces_[lane]);
    t.told->loss = done.loss;
    t.told->samples = static_cast<std::uint32_t>(done.samples);
    t.result->block = done.estimate;
    return;
  }
  case task::kind::mix:
    return mix(t, lane);
  case task::kind::without_step:
    t.result->block = l.mover.without_step(input(0), input(1), input(2), t.factor);
    return;
  case task::kind::step_onto: {
    const auto done = l.local.step_from(input(1), batches_of(t, lane), t.completed, workspaces_[lane]);
    t.told->loss = done.loss;
    t.told->samples = static_cast<std::uint32_t>(done.samples);
    l.mover.correction().enter(t.generation);
    t.result->block = l.mover.add_step(input(2), {input(0), input(1), done.estimate}, t.factor,
                                       step_share(*setup_, t.completed));
    l.apart_after[l.onto_done++ % l.apart_after.size()] = l.apart.value();
    return;
  }
  case task::kind::absorb: {
    l.mover.correction().enter(t.generation);
    const auto done = l.mover.absorb(input(0), input(1), input(2), t.factor, !t.corrects.empty());
    *t.added = {done.projection, done.size, done.correction};
    l.apart.observe(done.strides);
    t.result->block = done.estimate;
    return;
  }
  case task::kind::code:
    t.result->block = l.coder->encode(input(0), t.inputs.size() > 1 ? input(1) : parameter_block{}).values;
    return;
  }
}

void deferred_training::mix(task& t, std::size_t lane) {
  auto& inputs = mix_inputs_[lane];
  inputs.clear();
  for (const auto& [estimate, weight] : t.inputs)
    inputs.push_back({estimate->block, weight});
  for (std::size_t i = 0; i < t.own.size(); ++i)
    if (t.own[i])
      inputs[i].own = t.own[i]->block;
  for (std::size_t i = 0; i < t.corrects.size(); ++i)
    inputs[i].corrects = t.corrects[i];
  const auto done = learners_[index_of(t.worker)].local.mix(inputs, workspaces_[lane], t.generation);
  inputs.clear();
  t.told->before = {done.projection_before, done.norm_before};
  t.told->after = {done.projection_after, 0};
  t.told->correction = done.correction;
  t.result->block = done.mixed;
}

} // namespace dybw
