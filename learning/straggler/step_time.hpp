#pragma once

#include "learning/straggler/distribution.hpp"
#include "learning/straggler/straggler.hpp"

namespace dybw {

/// How many gradient steps a worker makes between two exchanges. Together they are one step of the protocol:
/// a stride.
struct stride_rule {
  /// Most gradient steps of a stride that has a time.
  static constexpr std::uint32_t gradients_max = 100'000;

  std::uint32_t gradients = 1; ///< H >= 1, where there is no time
  nanoseconds time{0};         ///< > 0: as many as begin before it is over, so the slower make fewer

  bool has_time() const noexcept { return time > nanoseconds{0}; }
  /// Whether a stride of so many gradient steps, which took so long, is over.
  bool ends(std::uint32_t made, nanoseconds took) const noexcept {
    return has_time() ? took >= time || made >= gradients_max : made >= gradients;
  }
  /// For who must know before how many they will be: `usual` is what one lately took, 0 if that is not known.
  std::uint32_t planned(nanoseconds usual) const noexcept;
};

/// The gradient steps that a worker made, or is to make, as one step of the protocol.
struct stride {
  stride(nanoseconds time, std::uint32_t steps = 1) : takes(time), gradients(steps) {}
  nanoseconds takes;
  std::uint32_t gradients;
};

/// A worker's step times: base distribution, straggler model and its random streams in one. Deterministic in
/// the constructor's arguments. Not thread-safe.
class step_clock {
public:
  /// `base` is the value of --step-time, empty for none; `straggler` that of --straggler. Throws
  /// `input_error`. For the clocks of many workers: `step_clocks`.
  step_clock(const std::string& base, const std::string& straggler, std::size_t workers, worker_id id,
             std::uint64_t seed, const stride_rule& rule = {});

  bool has_base() const noexcept { return base_ != nullptr; }

  /// How long a gradient step that starts at `now` takes, base * factor. REQUIRES: has_base().
  nanoseconds step(nanoseconds now);
  /// Virtual time: the stride that starts at `now`, one such step after the other. REQUIRES: has_base().
  stride next_stride(nanoseconds now);

  const stride_rule& rule() const noexcept { return rule_; }

  /// Real time: how long to wait after so many gradient steps that started at `now` and took `measured`
  /// together: for each base * factor with a base, measured * (factor - 1) without, nothing if stragglers
  /// compute instead.
  nanoseconds delay_after(nanoseconds now, nanoseconds measured, std::uint32_t gradients = 1);

  /// Whether stragglers compute instead of waiting.
  bool computes() const noexcept { return computes_; }
  /// Real time: how many gradients a stride of `gradients` computes that starts at `now`, a part of one for a
  /// fraction: the sum of their factors if stragglers compute instead of waiting, otherwise just those.
  /// `each`: what one takes that is not slow.
  double computed(nanoseconds now, std::uint32_t gradients = 1, nanoseconds each = nanoseconds{0});

  /// Gradient steps per second in the long run, if each began when the one before ended; 0 if they take for
  /// ever on average, infinite if they take no time. REQUIRES: has_base().
  double mean_rate() const;

  /// How many times have been drawn.
  std::uint64_t drawn() const noexcept { return drawn_; }
  /// As if `count` times had been drawn: to go on from a checkpoint. A straggler that is slow for stretches
  /// of time is wherever its next moment finds it.
  void skip(std::uint64_t count);

private:
  friend class step_clocks;
  step_clock(std::unique_ptr<duration_distribution> base, std::unique_ptr<straggler_model> straggler,
             random_generator generator, bool computes, const stride_rule& rule);
  double factor(nanoseconds now);

  std::unique_ptr<duration_distribution> base_;
  std::unique_ptr<straggler_model> straggler_;
  random_generator generator_;
  bool computes_;
  stride_rule rule_;
  std::uint64_t drawn_ = 0;
  nanoseconds latest_{0}; ///< moment of a factor
};

/// Makes the clocks of a run's workers; the options are read once. Thread-safe.
class step_clocks {
public:
  /// As for `step_clock`.
  step_clocks(const std::string& base, const std::string& straggler, std::size_t workers, std::uint64_t seed,
              const stride_rule& rule = {});

  step_clock make(worker_id id) const;

private:
  distribution_maker base_; ///< null: none
  straggler_maker straggler_;
  bool computes_;
  stride_rule rule_;
  std::uint64_t seed_;
};

/// Throws `input_error` if no `step_clock` can be made of these options; to be called once before a run
/// starts.
void check_step_options(const std::string& base, const std::string& straggler, std::size_t workers);

} // namespace dybw
