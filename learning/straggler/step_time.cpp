#include "learning/straggler/step_time.hpp"

#include "learning/base/option_text.hpp"

#include <algorithm>
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

std::uint32_t stride_rule::planned(nanoseconds usual) const noexcept {
  if (!has_time())
    return gradients;
  if (usual <= nanoseconds{0})
    return 1;
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>((time - nanoseconds{1}) / usual + 1, 1, gradients_max));
}

step_clock::step_clock(const std::string& base, const std::string& straggler, std::size_t workers,
                       worker_id id, std::uint64_t seed, const stride_rule& rule)
    : step_clock(step_clocks{base, straggler, workers, seed, rule}.make(id)) {}

step_clock::step_clock(std::unique_ptr<duration_distribution> base,
                       std::unique_ptr<straggler_model> straggler, random_generator generator, bool computes,
                       const stride_rule& rule)
    : base_(std::move(base)), straggler_(std::move(straggler)), generator_(generator), computes_(computes),
      rule_(rule) {}

step_clocks::step_clocks(const std::string& base, const std::string& straggler, std::size_t workers,
                         std::uint64_t seed, const stride_rule& rule)
    : base_(base.empty() ? distribution_maker{} : read_distribution(base, "--step-time")),
      straggler_(make_stragglers(straggler, workers, seed)), computes_(computes(base, straggler)),
      rule_(rule), seed_(seed) {}

step_clock step_clocks::make(worker_id id) const {
  return {base_ ? base_(index_of(id)) : nullptr, straggler_(id),
          make_generator(seed_, random_stream::step_time, index_of(id)), computes_, rule_};
}

nanoseconds step_clock::step(nanoseconds now) {
  assert(has_base());
  return from_seconds(base_->draw(generator_) * factor(now));
}

stride step_clock::next_stride(nanoseconds now) {
  stride made{nanoseconds{0}, 0};
  do {
    made.takes = saturated_sum(made.takes, step(saturated_sum(now, made.takes)));
    ++made.gradients;
  } while (!rule_.ends(made.gradients, made.takes));
  return made;
}

nanoseconds step_clock::delay_after(nanoseconds now, nanoseconds measured, std::uint32_t gradients) {
  if (computes_)
    return nanoseconds{0};
  nanoseconds delay{0};
  const auto each_s = to_seconds(measured) / gradients;
  for (std::uint32_t i = 0; i < gradients; ++i) {
    const auto at = saturated_sum(now, saturated_sum(delay, from_seconds(i * each_s)));
    delay = saturated_sum(delay, has_base() ? step(at) : from_seconds(each_s * (factor(at) - 1)));
  }
  return delay;
}

double step_clock::computed(nanoseconds now, std::uint32_t gradients, nanoseconds each) {
  if (!computes_)
    return gradients;
  double sum = 0;
  for (std::uint32_t i = 0; i < gradients; ++i)
    sum += factor(saturated_sum(now, from_seconds(to_seconds(each) * sum)));
  return sum;
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
  latest_ = std::max(latest_, now); // a stride that was dropped had got further
  return straggler_->factor(latest_);
}

void check_step_options(const std::string& base, const std::string& straggler, std::size_t workers) {
  if (!base.empty())
    parse_distribution(base, "--step-time");
  check_straggler(straggler, workers);
  computes(base, straggler);
}

} // namespace dybw
