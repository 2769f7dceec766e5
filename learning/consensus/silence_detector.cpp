#include "learning/consensus/silence_detector.hpp"

#include <algorithm>

namespace dybw {

silence_detector::silence_detector(std::size_t neighbours, nanoseconds suspect_after)
    : suspect_after_(suspect_after), last_heard_(neighbours), lost_(neighbours) {}

void silence_detector::begin(nanoseconds now, nanoseconds asleep) {
  last_check_ = now;
  asleep_ = asleep;
  std::fill(last_heard_.begin(), last_heard_.end(), now);
}

bool silence_detector::heard(std::size_t neighbour, nanoseconds now) {
  last_heard_[neighbour] = now;
  const auto was_lost = static_cast<bool>(lost_[neighbour]);
  lost_[neighbour] = false;
  return was_lost;
}

silence_detector::verdict silence_detector::check(nanoseconds now, nanoseconds asleep) {
  verdict result;
  result.paused = now - last_check_ + (asleep - asleep_) > suspect_after_;
  last_check_ = now;
  asleep_ = asleep;
  if (result.paused) {
    std::fill(last_heard_.begin(), last_heard_.end(), now);
    return result;
  }
  for (std::size_t i = 0; i < last_heard_.size(); ++i)
    if (!lost_[i] && now - last_heard_[i] > suspect_after_) {
      give_up(i);
      result.lost.push_back(i);
    }
  return result;
}

} // namespace dybw
