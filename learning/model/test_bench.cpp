#include "learning/model/test_bench.hpp"

#include "learning/base/random.hpp"
#include "learning/model/vector_ops.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>

namespace dybw {

namespace {

constexpr std::size_t batch_max = 256;
/// Multiplications between two looks at whether to stop: some tens of milliseconds.
constexpr std::size_t work_at_once = std::size_t{1} << 28U;
/// Of an average, for one lane. A multiple of the blocks in which vectors are added up.
constexpr std::size_t parameters_at_once = std::size_t{1} << 16U;
/// Are scored on the same samples, gathered once for them; so many are lost if it is told to stop.
constexpr std::size_t models_at_once = 8;

lone_crew nobody_else;

/// The crew of a bench that was given none; it has no state.
work_crew* or_alone(work_crew* crew) {
  return crew != nullptr ? crew : &nobody_else;
}

} // namespace

std::optional<double> score_named(std::span<const named_score> scores, std::string_view name) noexcept {
  const auto found = std::ranges::find(scores, name, &named_score::name);
  return found != scores.end() ? std::optional{found->value} : std::nullopt;
}

/// What one lane of the crew works with.
struct test_bench::lane {
  lane() = default; ///< for averages
  lane(const classifier& scored, std::size_t samples, std::size_t feature_count)
      : workspace(scored.make_workspace(samples)), features(samples * feature_count), labels(samples) {}

  std::unique_ptr<model_workspace> workspace;
  std::size_t first = 0; ///< of the order, and ..
  std::size_t count = 0; ///< .. so many are gathered
  float_buffer features{0};
  std::vector<std::int32_t> labels;
  std::vector<std::span<const float>> vectors;
};

/// Some of a task's samples, all of them before `interim` or none.
struct test_bench::piece {
  std::size_t task = 0;
  std::size_t first = 0;
  std::size_t count = 0;
  batch_score sum{};
};

test_bench::test_bench(std::shared_ptr<const classifier> scored, std::shared_ptr<const dataset> test,
                       std::uint64_t seed, work_crew* crew)
    : classifier_(std::move(scored)), test_(std::move(test)), crew_(or_alone(crew)), seed_(seed),
      rows_(test_->size()), parameters_(classifier_->parameter_count()) {
  // Large models: so few samples that a piece of work stays short.
  const auto per_sample = std::max<std::size_t>(classifier_->multiplications(), 1);
  piece_samples_ = std::clamp<std::size_t>(work_at_once / per_sample, 8, batch_max);
  std::iota(rows_.begin(), rows_.end(), std::uint32_t{0});
  auto generator = make_generator(seed_, random_stream::scoring);
  std::shuffle(rows_.begin(), rows_.end(), generator);
  for (std::size_t i = 0; i < crew_->lanes(); ++i)
    lanes_.emplace_back(*classifier_, piece_samples_, test_->features);
}

test_bench::test_bench(std::size_t parameter_count, estimate_scorer ask, std::uint64_t seed, work_crew* crew)
    : ask_(std::move(ask)), crew_(or_alone(crew)), seed_(seed), lanes_(crew_->lanes()),
      parameters_(parameter_count) {}

test_bench::~test_bench() = default;
test_bench::test_bench(test_bench&&) noexcept = default;

std::size_t test_bench::interim_samples(std::size_t workers) const noexcept {
  const auto scored = std::clamp<std::size_t>(workers, 1, scored_workers_max);
  return std::min(samples(), std::clamp<std::size_t>(samples() / scored, 500, 2000));
}

std::vector<std::size_t> test_bench::scored_workers(std::span<const parameter_block> estimates) const {
  std::vector<std::size_t> order(estimates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto generator = make_generator(seed_, random_stream::scoring, 1);
  std::shuffle(order.begin(), order.end(), generator);
  std::erase_if(order, [&](std::size_t i) { return !estimates[i]; });
  order.resize(std::min(order.size(), scored_workers_max));
  std::sort(order.begin(), order.end());
  return order;
}

test_score test_bench::tally::mean() const noexcept {
  const auto n = static_cast<double>(std::max<std::uint64_t>(samples, 1));
  return {static_cast<double>(correct) / n, loss_sum / n};
}

void test_bench::score(piece& p, std::span<const task> tasks, lane& with) {
  const auto features = with.features.values().first(p.count * test_->features);
  const auto labels = std::span{with.labels}.first(p.count);
  if (with.first != p.first || with.count != p.count)
    test_->gather(std::span{rows_}.subspan(p.first, p.count), features, labels);
  with.first = p.first;
  with.count = p.count;
  p.sum = classifier_->score(tasks[p.task].parameters, batch_view{features, labels}, *with.workspace);
}

std::vector<test_bench::tally> test_bench::score(std::span<const task> tasks, std::size_t interim,
                                                 const observer& stop) {
  std::vector<piece> pieces;
  std::size_t all = 0;
  for (std::size_t first = 0, last = 0; first < tasks.size(); first = last) {
    const auto wanted = tasks[first].samples;
    assert(wanted <= samples());
    while (last < tasks.size() && last - first < models_at_once && tasks[last].samples == wanted)
      ++last;
    all += (last - first) * wanted;
    for (std::size_t at = 0; at < wanted; at += pieces.back().count) {
      const auto end = at < interim ? std::min(interim, wanted) : wanted;
      for (auto t = first; t < last; ++t)
        pieces.push_back({t, at, std::min(piece_samples_, end - at)});
    }
  }
  const auto piece_work = piece_samples_ * std::max<std::size_t>(classifier_->multiplications(), 1);
  const auto at_once = crew_->lanes() * std::clamp<std::size_t>(work_at_once / piece_work / 4, 1, 64);
  std::vector<tally> tallies(tasks.size());
  std::size_t done = 0;
  for (std::size_t first = 0; first < pieces.size(); first += at_once) {
    const auto share = all > 0 ? static_cast<double>(done) / static_cast<double>(all) : 1;
    if (stop && first > 0 && stop(share))
      break;
    const auto now = std::span{pieces}.subspan(first, std::min(at_once, pieces.size() - first));
    crew_->run(now.size(), [&](std::size_t i, std::size_t at) { score(now[i], tasks, lanes_[at]); });
    for (const auto& p : now) { // in order, whoever did which
      auto& t = tallies[p.task];
      t.samples += p.count;
      t.correct += p.sum.correct;
      t.correct_interim += p.first < interim ? p.sum.correct : 0;
      t.loss_sum += p.sum.loss_sum;
      done += p.count;
    }
  }
  return tallies;
}

void test_bench::compare(evaluation& e, std::span<const tally> tallies, std::size_t interim) {
  e.scored_workers = static_cast<std::uint32_t>(tallies.size() - 1);
  if (e.scored_workers == 0)
    return;
  e.scored_samples = static_cast<std::uint32_t>(interim);
  const auto worst = std::min_element(tallies.begin() + 1, tallies.end(), [](const tally& x, const tally& y) {
    return x.correct_interim < y.correct_interim;
  });
  const auto behind =
      static_cast<double>(tallies.front().correct_interim) - static_cast<double>(worst->correct_interim);
  e.worst_worker_accuracy = std::clamp(*e.test_accuracy - behind / static_cast<double>(interim), 0.0, 1.0);
}

test_score test_bench::score(std::span<const float> parameters, std::size_t samples) {
  const std::array one{task{parameters, std::min(samples, this->samples())}};
  return score(one, 0, {}).front().mean();
}

test_bench::average test_bench::average_of(std::span<const parameter_block> estimates) {
  assert(!estimates.empty());
  const auto parts = (parameters_ + parameters_at_once - 1) / parameters_at_once;
  if (!average_)
    average_ = std::make_shared<float_buffer>(parameters_);
  const auto mean = average_->values();
  std::vector<double> distances(parts);
  crew_->run(parts, [&](std::size_t part, std::size_t at) {
    const auto first = part * parameters_at_once;
    const auto count = std::min(parameters_at_once, parameters_ - first);
    auto& vectors = lanes_[at].vectors;
    vectors.clear();
    for (const auto& e : estimates)
      vectors.push_back(e.values().subspan(first, count));
    distances[part] = average_and_consensus_distance(vectors, mean.subspan(first, count));
  });
  return {mean, std::accumulate(distances.begin(), distances.end(), 0.0)};
}

std::optional<evaluation> test_bench::evaluate(std::span<const parameter_block> estimates, bool scores,
                                               const observer& stop) {
  std::vector<parameter_block> present;
  std::copy_if(estimates.begin(), estimates.end(), std::back_inserter(present),
               [](const auto& x) { return bool{x}; });
  const auto mean = average_of(present);
  evaluation e;
  e.consensus_distance = mean.consensus_distance;
  if (asks()) {
    e.scores = ask(mean.parameters, std::nullopt);
    e.test_accuracy = score_named(e.scores, "accuracy");
    e.test_loss = score_named(e.scores, "loss");
    return e;
  }
  const auto interim = scores ? interim_samples(estimates.size()) : 0;
  std::vector<task> tasks{{mean.parameters, samples()}};
  if (scores)
    for (auto i : scored_workers(estimates))
      tasks.push_back({estimates[i].values(), interim});
  const auto tallies = score(tasks, interim, stop);
  if (tallies.back().samples < tasks.back().samples)
    return std::nullopt;
  e.test_accuracy = tallies.front().mean().accuracy;
  e.test_loss = tallies.front().mean().loss;
  compare(e, tallies, interim);
  return e;
}

} // namespace dybw
