#include "apps/text/progress.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <string_view>

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

std::string target_hint::note(nanoseconds elapsed, std::optional<double> accuracy) {
  constexpr double rise = 0.001; // less is noise
  if (!target_ || !accuracy)
    return {};
  if (*accuracy > best_ + rise) {
    best_ = *accuracy;
    risen_at_ = elapsed;
  }
  if (elapsed - risen_at_ < patience)
    return {};
  const auto text = "accuracy " + percent_text(best_) + " has not risen for " +
                    seconds_text(to_seconds(elapsed - risen_at_)) +
                    ", and nothing but --target-accuracy=" + number_text(*target_) +
                    " ends this run; Ctrl-C ends it with its results, --time-limit or "
                    "--rounds would have";
  target_.reset();
  return text;
}

} // namespace dybw
