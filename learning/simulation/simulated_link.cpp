#include "learning/simulation/simulated_link.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dybw {

bool envelope::carries_parameters() const {
  const auto* message = std::get_if<protocol_message>(&content);
  if (message == nullptr)
    return false;
  if (const auto* x = std::get_if<estimate>(message))
    return x->has_parameters;
  if (const auto* x = std::get_if<answer>(message))
    return x->taken;
  return std::holds_alternative<offer>(*message);
}

std::uint32_t envelope_pool::put(envelope e) {
  if (free_ == nowhere) {
    places_.push_back({std::move(e), nowhere});
    return static_cast<std::uint32_t>(places_.size() - 1);
  }
  const auto place = free_;
  auto& s = places_[place];
  free_ = s.next;
  s.content = std::move(e);
  s.next = nowhere;
  return place;
}

envelope envelope_pool::take(std::uint32_t place) {
  auto& s = places_[place];
  s.next = std::exchange(free_, place);
  return std::exchange(s.content, {});
}

bool simulated_link::post(envelope e) {
  if (cut_ == cut_fault::kind::loses)
    return false;
  messages_ += e.is_of_protocol() ? 1u : 0u;
  blocks_ += e.carries_parameters() ? 1u : 0u;
  const auto place = pool_->put(std::move(e));
  if (first_ == envelope_pool::nowhere)
    first_ = place;
  else
    pool_->set_next(last_, place);
  last_ = place;
  held_ += cut_ ? 1u : 0u;
  return !cut_;
}

nanoseconds simulated_link::arrival(nanoseconds now, nanoseconds takes) {
  return last_arrival_ = std::max(last_arrival_, now + takes);
}

bool simulated_link::brings(std::uint32_t connection) {
  if (connection != connection_)
    return false;
  held_ += cut_ ? 1u : 0u;
  return !cut_;
}

envelope simulated_link::take() {
  assert(first_ != envelope_pool::nowhere);
  const auto place = std::exchange(first_, pool_->next(first_));
  auto e = pool_->take(place);
  messages_ -= e.is_of_protocol() ? 1u : 0u;
  blocks_ -= e.carries_parameters() ? 1u : 0u;
  return e;
}

void simulated_link::lose_under_way() {
  while (first_ != envelope_pool::nowhere)
    take();
  held_ = 0;
  ++connection_;
}

void simulated_link::cut_off(cut_fault::kind how) {
  cut_ = how;
  if (how == cut_fault::kind::loses)
    lose_under_way();
}

std::size_t simulated_link::mend() {
  cut_.reset();
  return std::exchange(held_, 0U);
}

} // namespace dybw
