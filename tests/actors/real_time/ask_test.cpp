#include "actors/ask.hpp"

#include "actors/actors.hpp"
#include "tests/actors/support/network.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

namespace {

using echo_actor = caf::typed_actor<caf::replies_to<progress_wanted>::with<run_progress>>;

/// With an argument: CAF 0.17.6 binds a reference to nothing where there is none.
echo_actor::behavior_type echo(round_number newest) {
  return {[newest](const progress_wanted&) {
    run_progress x;
    x.newest_round = newest;
    return x;
  }};
}

} // namespace

TEST_CASE("ask_and_wait: who asked often waits no longer afterwards than it wants to") {
  process here;
  const auto whom = here.system().spawn(echo, round_number{1});
  caf::scoped_actor self{here.system()};
  const auto patience = std::chrono::milliseconds{300};
  for (int i = 0; i < 60; ++i) { // for as long as the patience lasts, and longer
    CHECK(ask_and_wait<run_progress>(
        self, whom, patience, [](const caf::error&) {}, progress_wanted{}));
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  const auto begin = std::chrono::steady_clock::now();
  self->receive(caf::after(std::chrono::milliseconds{50}) >> [] {});
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds{150});
}

TEST_CASE("ask_and_wait: without an answer there is an error, after the patience or at once") {
  process here;
  caf::scoped_actor self{here.system()};
  const auto whom = here.system().spawn(echo, round_number{1});
  caf::anon_send_exit(whom, caf::exit_reason::kill);
  self->wait_for(whom);
  caf::error error;
  const auto answer = ask_and_wait<run_progress>(
      self, whom, std::chrono::seconds{30}, [&](const caf::error& e) { error = e; }, progress_wanted{});
  CHECK_FALSE(answer);
  CHECK(error == caf::sec::request_receiver_down);
}

} // namespace dybw::test
