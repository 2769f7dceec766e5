#include "apps/text/progress.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <string_view>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace dybw {

std::string progress_line(const progress& now) {
  auto line = now.policy + "  " + fixed_text(now.elapsed_s, 1) + " s";
  if (!now.begun)
    return line + "  starting" + (now.waiting.empty() ? "" : "  waiting: " + now.waiting);
  if (now.measured)
    return line + "  measuring the end: " + fixed_text(std::clamp(*now.measured, 0.0, 1.0) * 100, 0) + " %";
  if (now.fraction)
    line += "  " + fixed_text(std::clamp(*now.fraction, 0.0, 1.0) * 100, 0) + " %";
  if (now.remaining_s)
    line += ", " + fixed_text(std::max(*now.remaining_s, 0.0), 0) + " s left";
  line += "  round " + std::to_string(now.round);
  if (now.loss)
    line += "  loss " + fixed_text(*now.loss, 3);
  if (now.accuracy)
    line += "  accuracy " + percent_text(*now.accuracy);
  if (!now.scores.empty())
    line += "  " + now.scores;
  if (now.backup_workers)
    line += "  backup " + fixed_text(*now.backup_workers, 2);
  line += "  " + fixed_text(now.gradients_per_s, 0) + " grad./s";
  if (!now.waiting.empty())
    line += "  waiting: " + now.waiting;
  return line;
}

progress_display::progress_display(std::ostream& out, std::optional<std::size_t> columns, double line_every_s)
    : out_(out), columns_(columns), line_every_s_(line_every_s) {}

void progress_display::show(const progress& now) {
  if (columns_) {
    // The last column stays free: some terminals wrap when it is filled.
    const auto width = *columns_ > 0 ? *columns_ - 1 : 0;
    out_ << '\r' << progress_line(now).substr(0, width) << "\x1b[K" << std::flush;
    shown_ = true;
    return;
  }
  if (now.policy != policy_ || now.begun != begun_) {
    policy_ = now.policy;
    begun_ = now.begun;
    next_line_s_ = line_every_s_;
    next_measured_ = 0;
  }
  if (now.measured && *now.measured >= next_measured_) {
    next_measured_ = *now.measured + 0.2;
    out_ << progress_line(now) << std::endl;
  }
  if (now.elapsed_s < next_line_s_)
    return;
  next_line_s_ = now.elapsed_s + line_every_s_;
  out_ << progress_line(now) << std::endl;
}

void progress_display::clear() {
  if (shown_)
    out_ << "\r\x1b[K" << std::flush;
  shown_ = false;
}

std::optional<std::size_t> terminal_columns(int descriptor) {
  const auto* kind = std::getenv("TERM");
  if (isatty(descriptor) == 0 || kind == nullptr || std::string_view{kind} == "dumb")
    return std::nullopt;
  constexpr std::size_t columns_usual = 80;
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return columns_usual;
  return size.ws_col;
}

target_hint::target_hint(const run_config& config) : better_at_(from_seconds(config.eval_every_s)) {
  if (config.rounds || config.time_limit_s)
    return;
  if (config.target_accuracy)
    aims_.push_back({"--target-accuracy=" + number_text(*config.target_accuracy), "accuracy", true});
  if (config.target)
    aims_.push_back(
        {"--target=" + config.target->name + '=' + number_text(config.target->value), config.target->name});
}

bool target_hint::improve(aim& of, std::optional<double> accuracy, std::span<const named_score> scores) {
  const named_score measured{of.name, accuracy.value_or(std::numeric_limits<double>::quiet_NaN())};
  const auto found = std::ranges::find(scores, of.name, &named_score::name);
  const auto* now = of.is_accuracy ? &measured : found != scores.end() ? &*found : nullptr;
  if (now == nullptr || !std::isfinite(now->value))
    return false;
  if (of.best) {
    const auto noise = of.is_accuracy ? 0.001 : 0.001 * std::abs(of.best->value);
    const auto gain = now->value - of.best->value;
    if ((now->smaller_is_better ? -gain : gain) <= noise)
      return false;
  }
  of.best = *now;
  return true;
}

std::string target_hint::standstill(const aim& of) {
  if (!of.best)
    return "no evaluation has had a score " + of.name;
  return of.name + ' ' + (of.is_accuracy ? percent_text(of.best->value) : short_text(of.best->value, 3)) +
         " has not " + (of.best->smaller_is_better ? "fallen" : "risen");
}

std::string target_hint::note(nanoseconds elapsed, std::optional<double> accuracy,
                              std::span<const named_score> scores) {
  if (aims_.empty())
    return {};
  auto better = false;
  if (accuracy || !scores.empty())
    better = !std::exchange(evaluated_, true);
  for (auto& each : aims_)
    better = improve(each, accuracy, scores) || better;
  if (better)
    better_at_ = elapsed;
  const auto still = elapsed - better_at_;
  if (still < patience)
    return {};
  std::string what;
  std::string options;
  for (const auto& each : aims_) {
    what += (what.empty() ? "" : " and ") + standstill(each);
    options += (options.empty() ? "" : " or ") + each.option;
  }
  aims_.clear();
  return what + " for " + seconds_text(to_seconds(still)) + ", and nothing but " + options +
         " ends this run; Ctrl-C ends it with its results, --time-limit or --rounds would have";
}

} // namespace dybw
