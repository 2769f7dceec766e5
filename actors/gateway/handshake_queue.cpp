#include "actors/gateway/handshake_queue.hpp"

#include "messages/limits.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

namespace {

constexpr auto one_handshake = std::chrono::nanoseconds{std::chrono::seconds{1}} / handshakes_per_s;
constexpr auto burst = one_handshake * handshakes_at_once;
constexpr std::size_t sources_max = 1024;

} // namespace

void handshake_queue::remove(std::int64_t handle) {
  std::erase_if(waiting_, [&](const waiting& x) { return x.handle == handle; });
}

std::vector<std::int64_t> handshake_queue::due(moment now) {
  allowance_ = asked_ ? std::min<std::chrono::nanoseconds>(burst, allowance_ + (now - asked_at_)) : burst;
  asked_ = true;
  asked_at_ = now;
  std::vector<std::int64_t> handles;
  for (; !waiting_.empty() && allowance_ >= one_handshake; allowance_ -= one_handshake) {
    if (turns_.size() >= sources_max)
      turns_.clear();
    const auto next =
        std::ranges::min_element(waiting_, {}, [&](const waiting& x) { return turns_[x.source]; });
    turns_[next->source] = ++turn_;
    handles.push_back(next->handle);
    waiting_.erase(next);
  }
  return handles;
}

} // namespace dybw
