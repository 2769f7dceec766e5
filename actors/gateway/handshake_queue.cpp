#include "actors/gateway/handshake_queue.hpp"

#include "messages/limits.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace dybw {

namespace {

constexpr auto one_handshake = std::chrono::nanoseconds{std::chrono::seconds{1}} / handshakes_per_s;
constexpr auto burst = one_handshake * handshakes_at_once;
constexpr std::size_t sources_max = 1024;

/// Whoever has one address of IPv6 has the 2^64 beside it, too.
std::string source_of(const std::string& address) {
  in6_addr v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1)
    return address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
  } else {
    std::fill(std::begin(v6.s6_addr) + 8, std::end(v6.s6_addr), std::uint8_t{0});
    ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  }
  return text.data();
}

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
