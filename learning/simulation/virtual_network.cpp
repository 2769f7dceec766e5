#include "learning/simulation/virtual_network.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace dybw {

virtual_network::virtual_network(const virtual_times& times, std::shared_ptr<const topology> graph,
                                 std::uint64_t seed)
    : graph_(std::move(graph)), mix_(from_seconds(times.mix_s)), send_(times.send) {
  const auto workers = graph_->workers();
  clocks_.reserve(workers);
  const step_clocks clocks{times.step_time, times.straggler, workers, seed, times.strides};
  for (std::size_t i = 0; i < workers; ++i)
    clocks_.push_back(clocks.make(worker_at(i)));
  if (!times.link_latency.empty())
    latency_ = parse_distribution(times.link_latency, "--link-latency");
  if (times.bytes_per_s) {
    block_s_ = static_cast<double>(times.block_bytes) / *times.bytes_per_s;
    change_s_ = static_cast<double>(times.change_bytes) / *times.bytes_per_s;
  }
  if (!latency_ && block_s_ == 0)
    return;
  for (std::size_t i = 0; i < workers; ++i) {
    first_link_.push_back(links_.size());
    for (auto to : graph_->neighbours(worker_at(i)))
      links_.push_back({make_generator(seed, random_stream::link, i * workers + index_of(to)), {}});
  }
}

stride virtual_network::step(worker_id id, nanoseconds now) {
  return clocks_[index_of(id)].next_stride(now);
}

nanoseconds virtual_network::travel(const link_use& use, nanoseconds now) {
  if (links_.empty())
    return nanoseconds{0};
  const auto near = graph_->neighbours(use.from);
  const auto place = std::lower_bound(near.begin(), near.end(), use.to) - near.begin();
  auto& l = links_[first_link_[index_of(use.from)] + static_cast<std::size_t>(place)];
  auto leaves = now;
  if (use.parameters && block_s_ > 0) {
    l.free_at = saturated_sum(std::max(l.free_at, now), from_seconds(use.is_change ? change_s_ : block_s_));
    leaves = l.free_at;
  }
  const auto delay = latency_ ? from_seconds(latency_->draw(l.generator)) : nanoseconds{0};
  return saturated_sum(leaves - now, delay);
}

std::optional<double> virtual_network::no_wait_rate() const {
  double sum = 0;
  for (const auto& c : clocks_)
    sum += c.mean_rate();
  return sum > 0 && std::isfinite(sum) ? std::optional{sum} : std::nullopt;
}

void virtual_network::connect(simulation_options& options) {
  options.step_time = [this](worker_id id, nanoseconds now) { return step(id, now); };
  options.latency = [this](const link_use& use, nanoseconds now) { return travel(use, now); };
  options.mix_time = mix_;
  options.send = send_;
}

void check_link_latency(const std::string& text) {
  if (!text.empty())
    parse_distribution(text, "--link-latency");
}

} // namespace dybw
