#include "actors/gateway/handshake_queue.hpp"

#include "actors/transport/address.hpp"
#include "messages/limits.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

namespace {

constexpr auto one_handshake = std::chrono::nanoseconds{std::chrono::seconds{1}} / handshakes_per_s;
constexpr auto burst = one_handshake * handshakes_at_once;
constexpr std::size_t sources_max = 1024;

} // namespace

void handshake_queue::add(std::int64_t handle, const std::string& address) {
  if (turns_.size() >= std::max(sources_max, 2 * waiting_.size()))
    forget_sources();
  auto source = source_of(address);
  turns_.try_emplace(source, turn_);
  waiting_.push_back({handle, std::move(source)});
}

/// But for those that wait.
void handshake_queue::forget_sources() {
  std::erase_if(turns_, [&](const auto& known) {
    return std::ranges::none_of(waiting_, [&](const waiting& x) { return x.source == known.first; });
  });
}

void handshake_queue::remove(std::int64_t handle) {
  std::erase_if(waiting_, [&](const waiting& x) { return x.handle == handle; });
}

std::vector<std::int64_t> handshake_queue::due(moment now) {
  allowance_ = asked_ ? std::min<std::chrono::nanoseconds>(burst, allowance_ + (now - asked_at_)) : burst;
  asked_ = true;
  asked_at_ = now;
  std::vector<std::int64_t> handles;
  for (; !waiting_.empty() && allowance_ >= one_handshake; allowance_ -= one_handshake) {
    const auto next =
        std::ranges::min_element(waiting_, {}, [&](const waiting& x) { return turns_.at(x.source); });
    turns_[next->source] = ++turn_;
    handles.push_back(next->handle);
    waiting_.erase(next);
  }
  return handles;
}

} // namespace dybw
