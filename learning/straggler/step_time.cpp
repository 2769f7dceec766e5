#include "learning/straggler/step_time.hpp"

#include "learning/base/option_text.hpp"

#include <cassert>

namespace dybw {

namespace {

/// Whether slow workers compute instead of waiting.
bool computes(const std::string& base, const std::string& straggler) {
  const auto wanted = straggles_by_computing(straggler);
  if (wanted && !base.empty())
    option_text{"--straggler", straggler}.refuse("wait where --step-time says how long steps take",
                                                 "found computed:", "leave out one of the two");
  return wanted;
}

} // namespace

step_clock::step_clock(const std::string& base, const std::string& straggler, std::size_t workers,
                       worker_id id, std::uint64_t seed)
    : step_clock(step_clocks{base, straggler, workers, seed}.make(id)) {}

step_clock::step_clock(std::unique_ptr<duration_distribution> base,
                       std::unique_ptr<straggler_model> straggler, random_generator generator, bool computes)
    : base_(std::move(base)), straggler_(std::move(straggler)), generator_(generator), computes_(computes) {}

step_clocks::step_clocks(const std::string& base, const std::string& straggler, std::size_t workers,
                         std::uint64_t seed)
    : base_(base.empty() ? distribution_maker{} : read_distribution(base, "--step-time")),
      straggler_(make_stragglers(straggler, workers, seed)), computes_(computes(base, straggler)),
      seed_(seed) {}

step_clock step_clocks::make(worker_id id) const {
  return {base_ ? base_(index_of(id)) : nullptr, straggler_(id),
          make_generator(seed_, random_stream::step_time, index_of(id)), computes_};
}

nanoseconds step_clock::step(nanoseconds now) {
  assert(has_base());
  return from_seconds(base_->draw(generator_) * factor(now));
}

nanoseconds step_clock::delay_after(nanoseconds now, nanoseconds measured) {
  if (has_base())
    return step(now);
  if (computes_)
    return nanoseconds{0};
  return from_seconds(to_seconds(measured) * (factor(now) - 1));
}

double step_clock::mean_rate() const {
  assert(has_base());
  return 1 / (base_->mean() * straggler_->mean_factor(*base_));
}

void step_clock::skip(std::uint64_t count) {
  for (; count > 0; --count)
    if (has_base())
      step(nanoseconds{0});
    else
      factor(nanoseconds{0});
}

double step_clock::factor(nanoseconds now) {
  ++drawn_;
  return straggler_->factor(now);
}

void check_step_options(const std::string& base, const std::string& straggler, std::size_t workers) {
  if (!base.empty())
    parse_distribution(base, "--step-time");
  check_straggler(straggler, workers);
  computes(base, straggler);
}

} // namespace dybw
