#pragma once

#include "learning/base/random.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace dybw {

/// A distribution of durations in seconds (docs/topologies.md has the formulas): `const:T`, `exp:MEAN`,
/// `shifted-exp:BASE,MEAN` (mean BASE+MEAN), `uniform:A,B`, `pareto:SCALE,SHAPE`, `lognormal:MU,SIGMA`,
/// `trace:FILE` (one duration per line, used in turn and over again).
class duration_distribution {
public:
  virtual ~duration_distribution() = default;
  /// One draw in seconds, >= 0 and finite. Stateful only for `trace`; not thread-safe.
  virtual double draw(random_generator& generator) = 0;
  /// In seconds; infinite for a Pareto of shape <= 1.
  virtual double mean() const = 0;
  /// The mean of exp(-rate X) over the draws X, in (0,1]: the chance that an exponential time of this rate,
  /// in 1/s, outlasts one. To about 1e-3 for `pareto`.
  virtual double outlasted_by(double rate) const = 0;
};

/// Makes equal distributions; a trace's file is read once and its durations are shared. `first_line` says
/// which duration of a trace comes first, modulo their number: give it the worker's number, so that workers
/// with the same file differ. Thread-safe.
using distribution_maker = std::function<std::unique_ptr<duration_distribution>(std::size_t first_line)>;

/// Throws `input_error` (configuration fault; data fault for a trace file). `option` names the option in the
/// message, with its dashes.
distribution_maker read_distribution(const std::string& text, const std::string& option);

/// One of these.
std::unique_ptr<duration_distribution> parse_distribution(const std::string& text, const std::string& option,
                                                          std::size_t first_line = 0);

/// A check sum of the durations that `trace:FILE` names, by which a run finds that the file has changed or
/// differs from machine to machine; 0 for other distributions. Throws as above.
std::uint64_t trace_fingerprint(const std::string& text);

} // namespace dybw
