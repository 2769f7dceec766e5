#pragma once

#include "learning/random.hpp"
#include "learning/types.hpp"

#include <memory>
#include <string>

namespace dybw {

/// A distribution of durations: `const:T`, `exp:MEAN`, `shifted-exp:BASE,MEAN`, `uniform:A,B`,
/// `pareto:SCALE,SHAPE`, `lognormal:MU,SIGMA`, `trace:FILE` (one duration per line, used in turn and over
/// again). Seconds.
class duration_distribution {
public:
  virtual ~duration_distribution() = default;
  /// One draw in seconds, >= 0. Stateful only for `trace`; not thread-safe.
  virtual double draw(random_generator& generator) = 0;
  /// In seconds; infinite for a Pareto of shape <= 1.
  virtual double mean() const = 0;
};

/// Throws `input_error` (configuration fault; data fault for a trace file). `option` names the option in the
/// message.
std::unique_ptr<duration_distribution> parse_distribution(const std::string& text, const std::string& option);

/// What slows a worker: a factor >= 1 on its step time. `none`, `slow:COUNT:FACTOR` (the first COUNT of a
/// seeded permutation of the workers), `random:PROBABILITY:FACTOR` (each step afresh), `bursts:ON,OFF:FACTOR`
/// (an on/off process with exponential times of these means in seconds; slow while on).
class straggler_model {
public:
  virtual ~straggler_model() = default;
  /// The factor of a step that starts at `now` (since the run's start). Calls come with non-decreasing `now`.
  virtual double factor(nanoseconds now) = 0;
};

/// The model of one worker out of N; deterministic in (text, workers, id, seed). Throws `input_error`.
std::unique_ptr<straggler_model> make_straggler(const std::string& text, std::size_t workers, worker_id id,
                                                std::uint64_t seed);

/// A worker's step times: base distribution, straggler model and its random streams in one. Not thread-safe.
class step_clock {
public:
  /// `base` is the value of --step-time, empty for none; `straggler` that of --straggler. Throws
  /// `input_error`.
  step_clock(const std::string& base, const std::string& straggler, std::size_t workers, worker_id id,
             std::uint64_t seed);

  bool has_base() const noexcept { return base_ != nullptr; }

  /// Virtual time: how long a step that starts at `now` takes, base * factor. REQUIRES: has_base().
  nanoseconds step(nanoseconds now);

  /// Real time: how long to wait after a computation that started at `now` and took `measured`: base * factor
  /// with a base, measured * (factor - 1) without.
  nanoseconds delay_after(nanoseconds now, nanoseconds measured);

private:
  std::unique_ptr<duration_distribution> base_;
  std::unique_ptr<straggler_model> straggler_;
  random_generator generator_;
};

} // namespace dybw
