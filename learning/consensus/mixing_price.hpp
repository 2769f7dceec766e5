#pragma once

#include "learning/base/types.hpp"

namespace dybw {

/// What averaging with one neighbour costs a worker, as a share of what a gradient step costs it, from what
/// both took lately. Take processor time for what the processor does: on a busy one the time on the clock
/// says how long others kept it. Not thread-safe.
class mixing_price {
public:
  /// A gradient step took so long.
  void stepped(nanoseconds took) {
    steps_.count();
    steps_.seconds += to_seconds(took);
  }
  /// The worker has averaged with a neighbour ..
  void averaged() { averages_.count(); }
  /// .. and this went into that, or into what comes of it.
  void spent(nanoseconds took) { averages_.seconds += to_seconds(took); }

  /// 0 before both have been seen, or where averaging costs nothing.
  double value() const {
    return steps_.seconds > 0 && averages_.times > 0
               ? averages_.seconds / averages_.times / (steps_.seconds / steps_.times)
               : 0;
  }

private:
  /// Forgets what is long ago.
  struct recent {
    static constexpr double keeps = 0.95; // of what is twenty times ago a third
    void count() {
      times = keeps * times + 1;
      seconds *= keeps;
    }
    double times = 0;
    double seconds = 0;
  };
  recent steps_;
  recent averages_;
};

} // namespace dybw
