#include "apps/web/live_view.hpp"

#include <caf/scoped_actor.hpp>

namespace dybw {

namespace {

constexpr auto patience = std::chrono::seconds{1};
/// Asking more often would show nothing new.
constexpr auto new_after = std::chrono::milliseconds{100};

} // namespace

live_view::live_view(caf::actor_system& system, monitor_actor monitor)
    : system_(system), monitor_(std::move(monitor)), newest_(std::make_shared<const run_view>()) {}

live_view::~live_view() {
  caf::anon_send_exit(monitor_, caf::exit_reason::user_shutdown);
}

run_view_ptr live_view::now() {
  const auto lock = std::lock_guard{mutex_};
  const auto time = std::chrono::steady_clock::now();
  if (time - asked_ < new_after)
    return newest_;
  caf::scoped_actor self{system_};
  self->request(monitor_, patience, view_wanted{})
      .receive([&](const run_view_ptr& x) { newest_ = x; },
               [&](const caf::error& e) {
                 if (e == caf::sec::request_timeout)
                   return;
                 auto gone = std::make_shared<run_view>(*newest_);
                 gone->now = run_view::state::lost;
                 gone->trouble = "the monitor failed: " + caf::to_string(e);
                 newest_ = std::move(gone);
               });
  asked_ = std::chrono::steady_clock::now();
  return newest_;
}

} // namespace dybw
