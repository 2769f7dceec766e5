#pragma once

#include "learning/base/work_crew.hpp"
#include "learning/data/dataset.hpp"
#include "learning/model/evaluation.hpp"
#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace dybw {

struct test_score {
  double accuracy = 0; ///< share of the samples classified rightly
  double loss = 0;     ///< mean cross-entropy, nats
};

/// Asks a trainer how good parameters are: its worker's, or any for those of nobody. Empty: it does not say.
using estimate_scorer = std::function<std::vector<named_score>(std::span<const float> parameters,
                                                               std::optional<std::size_t> worker)>;

/// The score of that name, if there is one.
std::optional<double> score_named(std::span<const named_score> scores, std::string_view name) noexcept;

/// Measures estimates on a test set, whose samples it takes in an order drawn once by the run's seed. What it
/// finds does not depend on the crew. Its memory is allocated once. Not thread-safe. Or asks a trainer, which
/// has a test set of its own: then there are no samples here.
class test_bench {
public:
  /// Of more workers than these, so many are scored, drawn by the seed.
  static constexpr std::size_t scored_workers_max = 32;

  /// `crew`, if given, outlives this.
  test_bench(std::shared_ptr<const classifier> scored, std::shared_ptr<const dataset> test,
             std::uint64_t seed = 0, work_crew* crew = nullptr);
  test_bench(std::size_t parameter_count, estimate_scorer ask, std::uint64_t seed, work_crew* crew = nullptr);
  ~test_bench();
  test_bench(test_bench&&) noexcept;

  /// Whether a trainer is asked. If so, what says "samples" below is not to be called.
  bool asks() const noexcept { return bool{ask_}; }
  /// REQUIRES: asks().
  std::vector<named_score> ask(std::span<const float> parameters, std::optional<std::size_t> worker) const {
    return ask_(parameters, worker);
  }

  std::size_t samples() const noexcept { return rows_.size(); }
  /// On how many of them, the first ones, workers are compared with their average while a run lasts.
  std::size_t interim_samples(std::size_t workers) const noexcept;

  /// The numbers of the workers that are scored, ascending: those who are there ([workers], none for those
  /// missing) or, of more than `scored_workers_max`, those drawn.
  std::vector<std::size_t> scored_workers(std::span<const parameter_block> estimates) const;

  /// Sums over the first samples of the order.
  struct tally {
    std::uint64_t samples = 0; ///< that were scored
    std::uint64_t correct = 0;
    std::uint64_t correct_interim = 0; ///< .. of the first `interim` samples
    double loss_sum = 0;
    test_score mean() const noexcept;
  };
  struct task {
    std::span<const float> parameters; ///< [parameter_count]
    std::size_t samples = 0;           ///< the first so many; at most those there are
  };
  /// Asked now and then how much of the work is done, 0 to 1; true gives up.
  using observer = std::function<bool(double done)>;

  /// Scores every model of the list; [tasks]. If `stop` says so, the last of them have fewer samples than was
  /// asked. `interim`: see `tally`.
  std::vector<tally> score(std::span<const task> tasks, std::size_t interim, const observer& stop);

  /// Fills in the worst worker, from the average's accuracy in `e`: `tallies` are those of the average and of
  /// the workers scored, if any, on `interim` samples at least.
  static void compare(evaluation& e, std::span<const tally> tallies, std::size_t interim);

  /// One model on the first `samples`, at most all of them.
  test_score score(std::span<const float> parameters, std::size_t samples);

  /// The average of the estimates ([parameter_count] each, at least one) and their mean squared distance from
  /// it, the consensus distance. The average stays valid until the next call.
  struct average {
    std::span<const float> parameters;
    double consensus_distance = 0;
  };
  average average_of(std::span<const parameter_block> estimates);
  /// The newest average, for good.
  parameter_block take_average() noexcept { return parameter_block{std::exchange(average_, nullptr)}; }

  /// An interim evaluation of all that can be told from the estimates ([workers], none for those missing, at
  /// least one): the average on the whole test set; unless `scores` is false, the workers drawn on part of
  /// it. Times and steps are the caller's to fill in. None if `stop` said so.
  std::optional<evaluation> evaluate(std::span<const parameter_block> estimates, bool scores = true,
                                     const observer& stop = {});

private:
  struct lane;
  struct piece;
  void score(piece& p, std::span<const task> tasks, lane& with);

  std::shared_ptr<const classifier> classifier_;
  std::shared_ptr<const dataset> test_;
  estimate_scorer ask_;
  work_crew* crew_;
  std::uint64_t seed_;
  std::size_t piece_samples_ = 0;
  std::vector<std::uint32_t> rows_; ///< of the test set, as drawn
  std::vector<lane> lanes_;
  std::size_t parameters_;
  std::shared_ptr<float_buffer> average_; ///< null: none yet
};

} // namespace dybw
