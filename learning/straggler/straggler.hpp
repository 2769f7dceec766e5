#pragma once

#include "learning/base/types.hpp"
#include "learning/straggler/distribution.hpp"

#include <functional>
#include <memory>
#include <string>

namespace dybw {

/// What slows a worker: a factor >= 1 on its step time. `none`, `slow:COUNT:FACTOR` (the first COUNT of a
/// seeded permutation of the workers), `random:PROBABILITY:FACTOR` (each step afresh), `bursts:ON,OFF:FACTOR`
/// (an on/off process with exponential times of these means in seconds; slow while on). `computed:` before it
/// says how a worker is slow in real time: it computes its gradients that much oftener instead of waiting.
/// Not thread-safe.
class straggler_model {
public:
  virtual ~straggler_model() = default;
  /// The factor of a step that starts at `now` (since the run's start). Calls come with non-decreasing `now`.
  virtual double factor(nanoseconds now) = 0;
  /// The mean factor of a step, over many steps that follow each other without a pause and take `base` times
  /// their factors.
  virtual double mean_factor(const duration_distribution& base) const = 0;
};

/// Makes a worker's model. What all workers share, such as who is slow, is worked out once: making the models
/// of all N takes time and memory in proportion to N. Copies share it; thread-safe.
using straggler_maker = std::function<std::unique_ptr<straggler_model>(worker_id)>;

/// Throws `input_error` (configuration fault) like `check_straggler`.
straggler_maker make_stragglers(const std::string& text, std::size_t workers, std::uint64_t seed);

/// The model of one worker out of N; deterministic in (text, workers, id, seed). The bursts of a worker lie
/// at the same times however often they are asked for, so runs of several policies meet the same ones; only
/// after a pause of more than 1,000 mean on/off cycles without a call is the process started afresh. Throws
/// `input_error` (configuration fault) like `check_straggler`.
std::unique_ptr<straggler_model> make_straggler(const std::string& text, std::size_t workers, worker_id id,
                                                std::uint64_t seed);

/// Whether slow workers compute instead of waiting.
bool straggles_by_computing(const std::string& text);

/// Throws `input_error` (configuration fault) if `text`, the value of --straggler, does not fit N workers.
void check_straggler(const std::string& text, std::size_t workers);

} // namespace dybw
