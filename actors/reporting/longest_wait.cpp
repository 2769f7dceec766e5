#include "actors/reporting/longest_wait.hpp"

#include <spdlog/fmt/fmt.h>

namespace dybw {

void longest_wait::add(const worker_status& status) {
  for (const auto& cause : status.machine.waiting_for) {
    const auto waited = status.now - cause.since;
    if (waited <= longest_)
      continue;
    longest_ = waited;
    if (cause.what == wait_cause::kind::step) {
      text_ = fmt::format("worker {} rests: {} is silent for {:.1f} s", to_string(status.worker),
                          status.maker, to_seconds(waited));
      continue;
    }
    const auto whom =
        cause.neighbour == status.worker ? std::string{"any worker"} : "worker " + to_string(cause.neighbour);
    text_ = fmt::format("worker {} waits for {}: {}, {:.1f} s", to_string(status.worker), whom,
                        to_string(cause.what), to_seconds(waited));
  }
}

} // namespace dybw
