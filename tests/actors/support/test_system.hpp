#pragma once

#include "actors/actors.hpp"
#include "actors/transport/system_config.hpp"

#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

namespace dybw::test {

/// An actor system whose actors run when the test says so, on the test's own thread; its clock, which is the
/// workers' too, stands until it is moved.
class test_system {
public:
  test_system() : system_(configured(config_)), scheduler_(dynamic_cast<coordinator&>(system_.scheduler())) {
    spdlog::set_level(spdlog::level::off);
  }
  ~test_system() {
    for (const auto& a : actors_)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    actors_.clear();
    scheduler_.run();
  }
  test_system(const test_system&) = delete;
  test_system& operator=(const test_system&) = delete;

  /// Keeps the actor alive until the end, and ends it then.
  template <class Function, class... Arguments>
  auto spawn(Function function, Arguments... arguments) {
    auto handle = system_.spawn(std::move(function), std::move(arguments)...);
    actors_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  template <class Handle, class... Content>
  void tell(const Handle& receiver, Content... content) {
    caf::anon_send(receiver, std::move(content)...);
    scheduler_.run();
  }

  /// Asks and returns the answer.
  template <class Answer, class Handle, class Question>
  Answer ask(const Handle& receiver, Question question) {
    caf::scoped_actor self{system_};
    auto request = self->request(receiver, caf::infinite, std::move(question));
    scheduler_.run();
    Answer answer{};
    request.receive([&](Answer& x) { answer = std::move(x); },
                    [&](const caf::error& e) { FAIL("no answer: ", caf::to_string(e)); });
    return answer;
  }

  template <class Handle>
  void kill(const Handle& actor, caf::exit_reason reason = caf::exit_reason::kill) {
    caf::anon_send_exit(actor, reason);
    scheduler_.run();
  }

  void run() { scheduler_.run(); }
  /// At most so many turns of actors.
  void run(std::size_t turns) { scheduler_.run(turns); }
  std::size_t actors_ready() const { return scheduler_.jobs.size(); }
  void run_one() { scheduler_.run_once(); }

  void advance(nanoseconds time) {
    scheduler_.advance_time(time);
    scheduler_.run();
  }
  bool has_timer() const { return scheduler_.has_pending_timeout(); }
  /// Moves the clock to the next timer or delayed message, and lets it have its effects.
  void advance_to_next() {
    scheduler_.trigger_timeout();
    scheduler_.run();
  }
  run_origin now() const { return scheduler_.clock().now(); }

  caf::actor_system& system() { return system_; }

private:
  using coordinator = caf::scheduler::test_coordinator;

  static caf::actor_system_config& configured(caf::actor_system_config& config) {
    config.set("scheduler.policy", caf::atom("testing"));
    return config;
  }

  system_config config_;
  caf::actor_system system_;
  coordinator& scheduler_;
  std::vector<caf::actor> actors_;
};

} // namespace dybw::test
