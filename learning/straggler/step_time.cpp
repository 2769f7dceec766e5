#include "learning/straggler/step_time.hpp"

#include <cassert>

namespace dybw {

step_clock::step_clock(const std::string& base, const std::string& straggler, std::size_t workers,
                       worker_id id, std::uint64_t seed)
    : base_(base.empty() ? nullptr : parse_distribution(base, "--step-time", index_of(id))),
      straggler_(make_straggler(straggler, workers, id, seed)),
      generator_(make_generator(seed, random_stream::step_time, index_of(id))) {}

nanoseconds step_clock::step(nanoseconds now) {
  assert(has_base());
  return from_seconds(base_->draw(generator_) * factor(now));
}

nanoseconds step_clock::delay_after(nanoseconds now, nanoseconds measured) {
  if (has_base())
    return step(now);
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
}

} // namespace dybw
