#pragma once

#include "tests/learning/consensus/fuzz/schedule.hpp"

#include "learning/consensus/reports/round_report.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace dybw::test {

/// Who watches a run from elsewhere, as a launcher does: hears each worker's reports in order but late, and
/// late by another time than the others'; of a process that dies sometimes not the last ones; of a new
/// process nothing until it has been called, which takes a while, sometimes longer than that lives. It knows
/// of an end in good order by the worker's last word, and that a process is gone only by its line. What it
/// knows must do to audit the run: `Audit` is that of rounds or of exchanges.
template <class Audit>
class onlooker {
public:
  onlooker(const std::shared_ptr<const topology>& graph, nanoseconds lag_max, std::uint64_t seed)
      : audit_(graph), lines_(graph->workers()), lag_max_(lag_max), dice_(split_mix(seed)) {}

  void exchanged(const exchange_half& half) { of(half.worker).next.halves.push_back(half); }
  void edge_lost(worker_id id, worker_id neighbour) { of(id).next.given_up.push_back(neighbour); }
  void reported(nanoseconds now, const mix_report& report) {
    auto& l = of(report.worker);
    letter x{{}, news::report, report, std::exchange(l.next, {})};
    if (now >= l.open_from)
      send(now, l, std::move(x));
  }
  void finished(nanoseconds now, worker_id id, round_number completed) {
    auto& l = of(id);
    l.has_finished = true;
    letter x{{}, news::last_word, {}, std::exchange(l.next, {})};
    x.report.worker = id;
    x.report.round = completed;
    if (now >= l.open_from)
      send(now, l, std::move(x));
  }
  void process_ended(nanoseconds now, worker_id id) {
    auto& l = of(id);
    l.next = {};
    if (!l.has_finished && dice_.chance(0.5))
      std::erase_if(l.under_way, [](const letter& x) { return x.what == news::report; }); // it was killed
    if (!std::exchange(l.call_at, std::nullopt)) // else it was never called
      send(now, l, {{}, news::gone, {}, {}});
  }
  void process_began(nanoseconds now, worker_id id) {
    auto& l = of(id);
    l.has_finished = false;
    l.open_from = now + dice_.duration(nanoseconds{0}, (dice_.chance(0.3) ? 60 : 3) * lag_max_);
    l.call_at = l.open_from;
  }
  void look(nanoseconds now) {
    now_ = now;
    if (now < next_look_)
      return;
    next_look_ = now + lag_max_ / 8;
    for (std::size_t i = 0; i < lines_.size(); ++i)
      read(worker_at(i), now);
  }
  /// Everything that is under way arrives.
  const Audit& conclude() {
    for (std::size_t i = 0; i < lines_.size(); ++i)
      read(worker_at(i), nanoseconds::max());
    return audit_;
  }

private:
  enum class news { report, last_word, gone, back };
  struct letter {
    nanoseconds at{0}; ///< when it arrives
    news what = news::report;
    mix_report report{};
    exchange_news exchanges{};
  };
  struct line {
    exchange_news next; ///< goes with the next report
    std::deque<letter> under_way;
    nanoseconds newest_at{0};
    nanoseconds open_from{0};
    std::optional<nanoseconds> call_at; ///< a new process
    bool has_finished = false;
  };

  line& of(worker_id id) { return lines_[index_of(id)]; }
  void send(nanoseconds now, line& l, letter x) {
    call(l, now);
    x.at = l.newest_at = std::max(l.newest_at, now + dice_.duration(nanoseconds{0}, lag_max_));
    l.under_way.push_back(std::move(x));
  }
  /// The first answer tells that the worker is there, and whether it has ended already.
  void call(line& l, nanoseconds now) {
    if (!l.call_at || *l.call_at > now)
      return;
    l.newest_at = std::max(l.newest_at, *std::exchange(l.call_at, std::nullopt));
    l.under_way.push_back({l.newest_at, news::back, {}, {}});
    if (l.has_finished)
      l.under_way.push_back({l.newest_at, news::last_word, {}, {}});
  }
  void read(worker_id id, nanoseconds now) {
    auto& l = of(id);
    call(l, std::min(now, now_));
    for (; !l.under_way.empty() && l.under_way.front().at <= now; l.under_way.pop_front())
      hear(id, l.under_way.front());
  }
  void hear(worker_id id, const letter& x) {
    if constexpr (!std::is_same_v<Audit, mixing_audit>) {
      for (auto neighbour : x.exchanges.given_up)
        audit_.edge_lost(id, neighbour, x.report.round);
      for (const auto& half : x.exchanges.halves)
        audit_.add(half);
    } else if (x.what == news::report) {
      audit_.add(x.report);
    }
    if (x.what == news::last_word)
      audit_.left(id);
    else if (x.what == news::gone)
      audit_.lost(id);
    else if (x.what == news::back)
      audit_.back(id);
  }

  Audit audit_;
  std::vector<line> lines_;
  nanoseconds lag_max_;
  nanoseconds next_look_{0};
  nanoseconds now_{0};
  dice dice_;
};

} // namespace dybw::test
