#pragma once

#include "learning/straggler/distribution.hpp"
#include "learning/straggler/straggler.hpp"

namespace dybw {

/// A worker's step times: base distribution, straggler model and its random streams in one. Deterministic in
/// the constructor's arguments. Not thread-safe.
class step_clock {
public:
  /// `base` is the value of --step-time, empty for none; `straggler` that of --straggler. Throws
  /// `input_error`. For the clocks of many workers: `step_clocks`.
  step_clock(const std::string& base, const std::string& straggler, std::size_t workers, worker_id id,
             std::uint64_t seed);

  bool has_base() const noexcept { return base_ != nullptr; }

  /// Virtual time: how long a step that starts at `now` takes, base * factor. REQUIRES: has_base().
  nanoseconds step(nanoseconds now);

  /// Real time: how long to wait after a computation that started at `now` and took `measured`: base * factor
  /// with a base, measured * (factor - 1) without, nothing if stragglers compute instead.
  nanoseconds delay_after(nanoseconds now, nanoseconds measured);

  /// Whether stragglers compute instead of waiting.
  bool computes() const noexcept { return computes_; }
  /// Real time: how often a step that starts at `now` computes its gradient, a part of it for a fraction: its
  /// factor if stragglers compute instead of waiting, otherwise 1.
  double gradients(nanoseconds now) { return computes_ ? factor(now) : 1; }

  /// Steps per second in the long run, if each began when the one before ended; 0 if they take for ever on
  /// average, infinite if they take no time. REQUIRES: has_base().
  double mean_rate() const;

  /// How many times have been drawn.
  std::uint64_t drawn() const noexcept { return drawn_; }
  /// As if `count` times had been drawn: to go on from a checkpoint. A straggler that is slow for stretches
  /// of time is wherever its next moment finds it.
  void skip(std::uint64_t count);

private:
  friend class step_clocks;
  step_clock(std::unique_ptr<duration_distribution> base, std::unique_ptr<straggler_model> straggler,
             random_generator generator, bool computes);
  double factor(nanoseconds now);

  std::unique_ptr<duration_distribution> base_;
  std::unique_ptr<straggler_model> straggler_;
  random_generator generator_;
  bool computes_;
  std::uint64_t drawn_ = 0;
};

/// Makes the clocks of a run's workers; the options are read once. Thread-safe.
class step_clocks {
public:
  /// As for `step_clock`.
  step_clocks(const std::string& base, const std::string& straggler, std::size_t workers, std::uint64_t seed);

  step_clock make(worker_id id) const;

private:
  distribution_maker base_; ///< null: none
  straggler_maker straggler_;
  bool computes_;
  std::uint64_t seed_;
};

/// Throws `input_error` if no `step_clock` can be made of these options; to be called once before a run
/// starts.
void check_step_options(const std::string& base, const std::string& straggler, std::size_t workers);

} // namespace dybw
