#pragma once

#include "learning/base/types.hpp"
#include "learning/run/run_config.hpp"

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>

namespace dybw {

/// How a run stands, for people.
struct progress {
  std::string policy;
  bool begun = true; ///< otherwise only `elapsed_s`, since somebody waits, and `waiting` count
  double elapsed_s = 0;
  std::optional<double> fraction;    ///< of the limit that will end the run first, 0 to 1
  std::optional<double> remaining_s; ///< expected
  std::optional<double> measured;    ///< the run is over: share of its end that is measured, 0 to 1
  round_number round = 0;
  std::optional<double> loss; ///< training loss, smoothed by whoever measures it
  std::optional<double> accuracy;
  std::string scores;                   ///< others that the average model has: "rmse 0.132"
  std::optional<double> backup_workers; ///< mean over the workers
  double gradients_per_s = 0;
  std::string waiting; ///< "worker 3 for worker 4's estimate, 2.1 s"; empty unless it is long
};

/// One line without its end.
std::string progress_line(const progress& now);

/// A target alone may never be reached. Says so once, when the accuracy has not risen for a while and nothing
/// else will end the run.
class target_hint {
public:
  static constexpr nanoseconds patience{std::chrono::seconds{60}};

  target_hint() = default;
  explicit target_hint(const run_config& config)
      : target_(!config.rounds && !config.time_limit_s ? config.target_accuracy : std::nullopt) {}

  /// The hint when it is time for it, else empty. `elapsed`: of the run.
  std::string note(nanoseconds elapsed, std::optional<double> accuracy);

private:
  std::optional<double> target_;
  double best_ = 0;
  nanoseconds risen_at_{0};
};

/// Shows progress on a stream: on a terminal one line that is refreshed, else a line now and then.
class progress_display {
public:
  /// `columns`: width of the terminal, unset if `out` is none. `line_every_s`: how rarely a line is written
  /// then.
  progress_display(std::ostream& out, std::optional<std::size_t> columns, double line_every_s = 5);

  /// Reads no clock: `now.elapsed_s` says what time it is, `now.measured` how far the measuring of the end
  /// is. Another policy begins anew, and so does a run after the waiting before it.
  void show(const progress& now);
  /// Wipes a refreshed line, so that something else can be printed.
  void clear();

private:
  std::ostream& out_;
  std::optional<std::size_t> columns_;
  double line_every_s_;
  std::string policy_;
  bool begun_ = true;
  double next_line_s_ = 0;
  double next_measured_ = 0; ///< a line at every fifth of the measuring
  bool shown_ = false;
};

/// Width of the terminal behind the file descriptor; none if it is no terminal that can refresh a line.
std::optional<std::size_t> terminal_columns(int descriptor);

} // namespace dybw
