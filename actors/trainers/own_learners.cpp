#include "actors/trainers/own_learners.hpp"

#include "actors/trainers/turn.hpp"
#include "learning/base/error.hpp"
#include "learning/model/finite_steps.hpp"
#include "messages/limits.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <new>
#include <set>

namespace dybw {

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw input_error{input_fault::configuration, "the learner's layout " + what, "", "mend layout()"};
}

/// What the user's code throws ends its worker.
template <class Call>
auto guarded(const char* name, Call call) {
  try {
    return call();
  } catch (const learner_failed&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw learner_failed{std::string{"its learner's "} + name + " has not enough memory"};
  } catch (const std::exception& e) {
    throw learner_failed{std::string{"its learner's "} + name + " threw: " + e.what()};
  } catch (...) {
    throw learner_failed{std::string{"its learner's "} + name + " threw what is no std::exception"};
  }
}

std::string difference(const layout& a, const layout& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (a[i].name != b[i].name || a[i].shape != b[i].shape || a[i].kept != b[i].kept)
      return "array " + std::to_string(i) + ", " + a[i].name;
  return a.size() == b.size() ? "" : "the number of arrays";
}

} // namespace

/// A worker's learner, whose own values of what is not averaged stand in between.
class own_learner final : public local_learner {
public:
  own_learner(std::shared_ptr<const own_learners::common> common, worker_id id, std::unique_ptr<learner> user)
      : common_(std::move(common)), id_(id), user_(std::move(user)) {
    own_.resize(common_->start.size());
    guarded("initialise", [&] { user_->initialise(common_->seed, own_); });
    for (std::size_t i = 0; i < common_->pieces.size(); ++i) {
      const auto& p = common_->pieces[i];
      const auto mine = std::span{own_}.subspan(p.first, p.count);
      if (p.kept == state_class::frozen && !std::ranges::equal(mine, part(common_->start, p)))
        throw input_error{input_fault::configuration,
                          "the frozen array " + common_->arrays[i].name + " begins otherwise in worker " +
                              to_string(id) + " than in worker 0",
                          "", "let initialise depend on the seed alone"};
    }
    if (common_->all_averaged)
      std::vector<float>{}.swap(own_);
    next_.resize(own_.size());
  }

  learner_output step(const learner_input& at, std::span<const float> w, std::span<float> next) override {
    const step_context where{at.completed};
    step_result done;
    if (common_->all_averaged) {
      done = guarded("step", [&] { return user_->step(where, w, next); });
    } else {
      common_->gather(w, own_);
      done = guarded("step", [&] { return user_->step(where, own_, next_); });
      common_->scatter(next_, next);
    }
    const auto odd = finite_.check(common_->averaged, w, next, done.loss);
    if (odd.empty()) {
      keep_local();
    } else if (finite_.is_hopeless()) {
      throw learner_failed{"its learner's steps were not finite " + std::to_string(finite_steps::odd_max) +
                           " times in a row, in " + odd};
    } else {
      spdlog::warn("worker {}: a step of its learner is not finite in {} and does not count", to_string(id_),
                   odd);
    }
    return {done.loss, done.samples};
  }

  bool is_opaque() const noexcept override { return true; }
  std::vector<char> save() override {
    std::vector<char> saved;
    writer out{saved};
    for (const auto& p : common_->pieces)
      if (p.kept == state_class::local)
        out.write(part(own_, p));
    guarded("save", [&] { user_->save(out); });
    return saved;
  }
  void load(std::span<const char> saved) {
    reader in{saved};
    guarded("load", [&] {
      for (const auto& p : common_->pieces)
        if (p.kept == state_class::local) {
          const auto values = in.read_values<float>();
          if (values.size() != p.count)
            throw std::runtime_error{"the checkpoint is of another layout"};
          std::ranges::copy(values, part(own_, p).begin());
        }
      user_->load(in);
    });
  }

private:
  static std::span<float> part(std::vector<float>& all, const own_learners::piece& p) {
    return std::span{all}.subspan(p.first, p.count);
  }
  static std::span<const float> part(const std::vector<float>& all, const own_learners::piece& p) {
    return std::span{all}.subspan(p.first, p.count);
  }

  void keep_local() {
    if (!next_.empty())
      for (const auto& p : common_->pieces)
        if (p.kept == state_class::local)
          std::ranges::copy(part(next_, p), part(own_, p).begin());
  }

  std::shared_ptr<const own_learners::common> common_;
  worker_id id_;
  std::unique_ptr<learner> user_;
  std::vector<float> own_;  ///< [all arrays]: its local and frozen values; empty where all are averaged
  std::vector<float> next_; ///< likewise, after its newest step
  finite_steps finite_;
};

own_learners::own_learners(learner_maker make, own_learner_options options)
    : make_(std::move(make)), options_(std::move(options)), saved_(options_.workers) {
  scorer_ = make_one(0);
  auto found = std::make_shared<common>();
  found->seed = options_.seed;
  read_layout(*found);
  read_start(*found);
  common_ = std::move(found);
}

own_learners::~own_learners() = default;

std::unique_ptr<learner> own_learners::make_one(std::uint32_t worker) const {
  place at;
  at.worker = worker;
  at.workers = options_.workers;
  at.seed = options_.seed;
  at.data = options_.data;
  at.deal = [o = options_, worker](std::uint64_t samples, std::span<const std::int32_t> labels) {
    return deal_rows(samples, labels, o.workers, o.partition, o.seed, worker);
  };
  try {
    auto made = make_(at);
    if (!made)
      throw std::runtime_error{"none was made"};
    return made;
  } catch (const input_error&) {
    throw;
  } catch (const std::exception& e) {
    throw learner_failed{"the learner of worker " + std::to_string(worker) + ": " + e.what()};
  }
}

void own_learners::read_layout(common& of) const {
  of.arrays = guarded("layout", [&] { return scorer_->layout(); });
  std::set<std::string> names;
  std::size_t all = 0;
  std::size_t averaged = 0;
  for (const auto& a : of.arrays) {
    if (a.name.empty() || !names.insert(a.name).second)
      refuse("has two arrays named \"" + a.name + "\", or one without a name");
    const parameter_array x{a.name, {a.shape.begin(), a.shape.end()}, 0};
    if (std::ranges::count(a.shape, 0U) > 0 || !is_sound({x}, parameters_max))
      refuse("has the array \"" + a.name + "\", which is empty or too large, or no file can have its name");
    const auto size = static_cast<std::size_t>(x.size());
    of.pieces.push_back({a.kept, all, size, averaged});
    all += size;
    averaged += a.kept == state_class::average ? size : 0;
    of.all_averaged = of.all_averaged && a.kept == state_class::average;
  }
  if (averaged == 0)
    refuse("has no parameters to average");
  if (all > parameters_max)
    refuse("has more than " + std::to_string(parameters_max) + " values");
  of.start.resize(all);
}

void own_learners::read_start(common& of) {
  guarded("initialise", [&] { scorer_->initialise(of.seed, of.start); });
  if (!of.all_averaged)
    shown_ = of.start;
  std::size_t count = 0;
  for (std::size_t i = 0; i < of.pieces.size(); ++i)
    if (const auto& a = of.arrays[i]; of.pieces[i].kept == state_class::average) {
      of.averaged.push_back({a.name, {a.shape.begin(), a.shape.end()}, of.pieces[i].averaged});
      count += of.pieces[i].count;
    }
  const auto start = std::make_shared<float_buffer>(count);
  of.scatter(of.start, start->values());
  if (const auto odd = first_not_finite(start->values()); odd < count)
    throw learner_failed{"the learner's " + name_at(of.averaged, odd) +
                         " begins with a value that is not finite"};
  model_ = std::make_shared<given_model>("learner", of.averaged, parameter_block{start});
}

void own_learners::common::gather(std::span<const float> from, std::span<float> all) const {
  for (const auto& p : pieces)
    if (p.kept == state_class::average)
      std::ranges::copy(from.subspan(p.averaged, p.count), all.subspan(p.first).begin());
}

void own_learners::common::scatter(std::span<const float> all, std::span<float> to) const {
  for (const auto& p : pieces)
    if (p.kept == state_class::average)
      std::ranges::copy(all.subspan(p.first, p.count), to.subspan(p.averaged).begin());
}

bool own_learners::begin_run() {
  learners_.clear();
  for (std::uint32_t i = 0; i < options_.workers; ++i) {
    auto user = make_one(i);
    const auto other = difference(common_->arrays, guarded("layout", [&] { return user->layout(); }));
    if (!other.empty())
      throw input_error{input_fault::configuration,
                        "the learners do not fit each other: worker " + std::to_string(i) + " differs in " +
                            other,
                        "", "let layout depend on what is the same for all workers"};
    auto made = std::make_unique<own_learner>(common_, worker_at(i), std::move(user));
    if (!saved_[i].empty())
      made->load(std::exchange(saved_[i], {}));
    learners_.push_back(std::move(made));
  }
  return true;
}

std::unique_ptr<local_learner> own_learners::learner_of(worker_id id) {
  return std::move(learners_[index_of(id)]);
}

std::vector<named_score> own_learners::scores_of(std::span<const float> parameters,
                                                 std::optional<std::size_t> /*worker*/) {
  const turn mine{free_};
  if (!scores_)
    return {};
  std::vector<named_score> all;
  try {
    if (!common_->all_averaged)
      common_->gather(parameters, shown_);
    const auto shown = common_->all_averaged ? parameters : std::span<const float>{shown_};
    if (const auto found = guarded("evaluate", [&] { return scorer_->evaluate(shown); }))
      for (const auto& x : *found)
        all.push_back({x.name, x.value, x.when == better::smaller || x.name == "loss"});
  } catch (const learner_failed& e) {
    scores_ = false;
    spdlog::warn("{}; nothing is scored any more", e.what());
  }
  return all;
}

void own_learners::load(worker_id id, std::span<const char> saved) {
  saved_[index_of(id)].assign(saved.begin(), saved.end());
}

} // namespace dybw
