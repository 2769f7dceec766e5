#include "actors/gateway/control_table.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

using std::chrono::seconds;

bool control_table::has_room() const {
  const auto accepted = std::ranges::count_if(controls_, [](const auto& x) { return x.second.accepted; });
  return static_cast<std::size_t>(accepted) < controls_max;
}

connection_id control_table::add(std::int64_t handle, bool accepted, moment now) {
  const auto id = connection_id{++last_id_};
  auto& x = controls_[id];
  x.handle = handle;
  x.accepted = accepted;
  x.progress = now;
  return id;
}

const control_table::control* control_table::find(connection_id id) const {
  const auto found = controls_.find(id);
  return found == controls_.end() ? nullptr : &found->second;
}

bool control_table::charge(connection_id id, const flow& f) {
  auto& x = controls_.at(id);
  if (!x.accepted)
    return true;
  const auto bytes = f.read - std::exchange(x.charged, f.read);
  x.requests_left -= 1 + static_cast<std::int64_t>(bytes / request_unit_bytes);
  bytes_left_ -= static_cast<std::int64_t>(bytes);
  x.paused = x.paused || x.requests_left < 0 || bytes_left_ < 0 || f.waiting > control_backlog_max;
  return !x.paused;
}

std::vector<connection_id> control_table::hold(connection_id id, std::uint64_t bytes, moment now) {
  auto& x = controls_.at(id);
  if (!x.accepted)
    return {};
  if (x.held == 0)
    x.began = now;
  x.held = bytes;
  std::uint64_t all = 0;
  for (const auto& [other, its] : controls_)
    all += its.held;
  std::vector<connection_id> to_go;
  while (all > request_memory_max) {
    const auto longest = std::ranges::min_element(controls_, {}, [](const auto& entry) {
      return entry.second.held > 0 ? entry.second.began : moment::max();
    });
    all -= std::exchange(longest->second.held, 0);
    to_go.push_back(longest->first);
  }
  return to_go;
}

control_table::findings control_table::look_at_all(moment now,
                                                   const std::function<flow(const control&)>& flow_of) {
  const auto passed = now - std::exchange(looked_, now);
  const auto was_stopped = passed > seconds{1};
  const auto counted = std::min<nanoseconds>(passed, seconds{10});
  const auto more = std::max<std::int64_t>(1, counted * requests_per_s / seconds{1});
  bytes_left_ = std::min(bytes_left_ + counted * request_bytes_per_s / seconds{1}, request_bytes_at_once);
  findings result;
  for (auto& [id, x] : controls_) {
    const auto f = flow_of(x);
    x.requests_left = std::min(x.requests_left + more, requests_at_once);
    const auto has_blocks = f.waiting > f.waiting_frames;
    if (std::exchange(x.written, f.written) != f.written || was_stopped || !has_blocks)
      x.progress = now;
    if (now - x.progress > progress_within) {
      result.stuck.push_back(id);
    } else if (x.paused && x.requests_left >= 0 && bytes_left_ >= 0 && f.waiting <= control_backlog_max) {
      x.paused = false;
      result.resumed.push_back(id);
    }
  }
  return result;
}

} // namespace dybw
