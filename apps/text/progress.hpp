#pragma once

#include "learning/base/types.hpp"
#include "learning/model/evaluation.hpp"
#include "learning/run/run_config.hpp"

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

/// A target alone may never be reached. Says so once, when the accuracy or score that is aimed at has not got
/// better for a while, or is among no evaluation's, and nothing else will end the run.
class target_hint {
public:
  static constexpr nanoseconds patience{std::chrono::seconds{60}};

  target_hint() = default;
  explicit target_hint(const run_config& config);

  /// The hint when it is time for it, else empty. `elapsed`: of the run; accuracy and scores: of the newest
  /// evaluation.
  std::string note(nanoseconds elapsed, std::optional<double> accuracy,
                   std::span<const named_score> scores = {});

private:
  struct aim {
    std::string option; ///< with its value
    std::string name;   ///< of the score
    bool is_accuracy = false;
    std::optional<named_score> best{}; ///< none: was in no evaluation
  };
  /// Whether it is better than ever.
  static bool improve(aim& of, std::optional<double> accuracy, std::span<const named_score> scores);
  static std::string standstill(const aim& of);

  std::vector<aim> aims_; ///< either ends the run; empty: nothing to tell
  bool evaluated_ = false;
  nanoseconds better_at_{0}; ///< before the first evaluation: when that is due
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
