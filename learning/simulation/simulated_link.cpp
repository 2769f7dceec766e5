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

bool simulated_link::post(envelope e) {
  if (cut_ == cut_fault::kind::loses)
    return false;
  messages_ += e.is_of_protocol() ? 1u : 0u;
  blocks_ += e.carries_parameters() ? 1u : 0u;
  under_way_.push_back(std::move(e));
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
  assert(first_ < under_way_.size());
  auto e = std::move(under_way_[first_++]);
  if (first_ == under_way_.size()) {
    under_way_.clear();
    first_ = 0;
  } else if (first_ >= 64 && 2 * first_ > under_way_.size()) {
    under_way_.erase(under_way_.begin(), under_way_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  messages_ -= e.is_of_protocol() ? 1u : 0u;
  blocks_ -= e.carries_parameters() ? 1u : 0u;
  return e;
}

void simulated_link::lose_under_way() {
  under_way_.clear();
  first_ = 0;
  messages_ = blocks_ = held_ = 0;
  ++connection_;
}

void simulated_link::cut_off(cut_fault::kind how) {
  cut_ = how;
  if (how == cut_fault::kind::loses)
    lose_under_way();
}

std::size_t simulated_link::mend() {
  cut_.reset();
  return std::exchange(held_, 0);
}

} // namespace dybw
