#pragma once

#include "actors/gateway/gateway.hpp"
#include "actors/transport/system_config.hpp"

#include <caf/all.hpp>
#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

/// Several "processes" in one: actor systems with their gateways, which talk over loopback in real time.
/// Whatever is waited for has a generous limit; nothing else depends on time.
namespace dybw::test {

constexpr auto long_enough = std::chrono::seconds{60};

/// Lines written by actors on any thread.
class notebook {
public:
  void write(std::string line) {
    {
      const std::lock_guard guard{mutex_};
      lines_.push_back(std::move(line));
    }
    changed_.notify_all();
  }
  std::vector<std::string> lines() const {
    const std::lock_guard guard{mutex_};
    return lines_;
  }
  void clear() {
    const std::lock_guard guard{mutex_};
    lines_.clear();
  }
  /// How many lines begin like this.
  std::size_t count(const std::string& beginning) const {
    const auto all = lines();
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const std::string& x) { return x.starts_with(beginning); }));
  }
  /// Waits until so many lines begin like this.
  bool wait_for(const std::string& beginning, std::size_t count = 1, nanoseconds within = long_enough) const {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(guard, within, [&] {
      return static_cast<std::size_t>(std::ranges::count_if(
                 lines_, [&](const std::string& x) { return x.starts_with(beginning); })) >= count;
    });
  }
  /// The first line that begins like this, waited for; empty if none came.
  std::string find(const std::string& beginning) const {
    if (!wait_for(beginning))
      return {};
    const auto all = lines();
    return *std::ranges::find_if(all, [&](const std::string& x) { return x.starts_with(beginning); });
  }

private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// Polls until it holds.
inline bool eventually(const std::function<bool()>& holds, nanoseconds within = long_enough) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return true;
}

inline std::string text_of(const parameter_block& x) {
  std::ostringstream out;
  for (std::size_t i = 0; i < std::min<std::size_t>(x.values().size(), 4); ++i)
    out << ' ' << x.values()[i];
  return out.str();
}

inline std::string text_of(const estimate_message& m) {
  auto text = "estimate " + std::to_string(m.body.round);
  if (!m.body.has_parameters)
    return text + " alone";
  const auto address = reinterpret_cast<std::uintptr_t>(m.parameters.values().data());
  return text + " at " + std::to_string(address) + ":" + text_of(m.parameters);
}
inline std::string text_of(const accept& m) {
  return "accept " + std::to_string(m.round);
}
inline std::string text_of(const closed& m) {
  return "closed " + std::to_string(m.round) + " " + std::to_string(m.degree);
}
inline std::string text_of(const threshold_message& m) {
  return "threshold " + std::to_string(m.body.round);
}
inline std::string text_of(const leaving&) {
  return "leaving";
}
inline std::string text_of(const membership_news& m) {
  return "news " + std::to_string(m.facts->size());
}
inline std::string text_of(const received& m) {
  return "received " + std::to_string(m.round);
}
inline std::string text_of(const heartbeat&) {
  return "heartbeat";
}
inline std::string text_of(const offer_message& m) {
  return "offer " + std::to_string(m.body.number);
}
inline std::string text_of(const answer_message& m) {
  return "answer " + std::to_string(m.body.number);
}

/// A worker that writes down what it is told: "FROM>SELF what".
inline worker_actor::behavior_type listening_worker(worker_actor::pointer, worker_id self, notebook* book) {
  const auto note = [=](worker_id from, const auto& body) {
    book->write(to_string(from) + ">" + to_string(self) + " " + text_of(body));
  };
  return {
      [](const meet_neighbours&) {},
      [](const begin_work&) {},
      [=](worker_id from, const estimate_message& m) { note(from, m); },
      [=](worker_id from, const accept& m) { note(from, m); },
      [=](worker_id from, const closed& m) { note(from, m); },
      [=](worker_id from, const threshold_message& m) { note(from, m); },
      [=](worker_id from, const leaving& m) { note(from, m); },
      [=](worker_id from, const membership_news& m) { note(from, m); },
      [=](worker_id from, const received& m) { note(from, m); },
      [=](worker_id from, const heartbeat& m) { note(from, m); },
      [=](worker_id from, const offer_message& m) { note(from, m); },
      [=](worker_id from, const answer_message& m) { note(from, m); },
      [=](const peer_mail& mail) { for_each_message(mail, note); },
      [=](const link_broken& x) { book->write(to_string(x.neighbour) + ">" + to_string(self) + " broken"); },
      [](const mini_batch&) {},
      [](const training_done&) {},
      [](const delay_over&) {},
      [](const gather_timeout_due&) {},
      [](const heartbeat_due&) {},
      [](const checkpoint_due&) {},
      [](const checkpoint_handled&) {},
      [](const stop_work&) {},
      [](const snapshot_wanted&) { return snapshot{}; },
      [](const welcome_wanted&) { return welcome_reply{}; },
      [](const status_wanted&) { return worker_status{}; },
  };
}

/// "up NODE" and "down NODE: why".
inline link_listener_actor::behavior_type link_notes(link_listener_actor::pointer, notebook* book) {
  return {[=](const link_changed& x) {
    book->write((x.up ? "up " : "down ") + std::to_string(index_of(x.node)) + (x.up ? "" : ": " + x.reason));
  }};
}

/// A client or acceptor that writes down "opened KEY", "failed KEY: why", "got INDEX", "closed: why" and
/// answers with what it is told to; a `stop_request` gets a `stop_reply` with the text "stopped".
inline control_client_actor::behavior_type
control_notes(control_client_actor::stateful_pointer<connection_id> self, notebook* book,
              gateway_actor* gateway) {
  return {
      [=](const control_opened& x) {
        self->state = x.connection;
        book->write("opened " + std::to_string(x.key) + " " +
                    std::to_string(static_cast<std::uint64_t>(x.connection)));
      },
      [=](const control_failed& x) { book->write("failed " + std::to_string(x.key) + ": " + x.reason); },
      [=](const control_received& x) {
        book->write("got " + std::to_string(x.message->index()) + " " +
                    std::to_string(static_cast<std::uint64_t>(x.connection)));
        if (const auto* reply = std::get_if<stop_reply>(&*x.message))
          book->write("text " + reply->refusal);
        if (const auto* reply = std::get_if<snapshot_reply>(&*x.message))
          book->write("snapshot " + std::to_string(reply->parameters.values().size()) + ":" +
                      text_of(reply->parameters));
        if (std::holds_alternative<stop_request>(*x.message))
          self->send(*gateway,
                     send_control{x.connection, std::make_shared<control_message>(stop_reply{"stopped"})});
      },
      [=](const control_closed& x) { book->write("closed: " + x.reason); },
  };
}

/// One process.
class process {
public:
  explicit process(gateway_options options = {}) : system_(config_), self_(system_) {
    spdlog::set_level(spdlog::level::off);
    listener_ = system_.spawn(link_notes, &links_);
    client_ = system_.spawn(control_notes, &client_notes_, &gateway_);
    acceptor_ = system_.spawn(control_notes, &acceptor_notes_, &gateway_);
    if (options.listen)
      options.acceptor = acceptor_;
    auto opened = open_gateway(system_, options);
    gateway_ = opened.handle;
    where_ = opened.advertised;
  }
  ~process() {
    if (gateway_)
      stop();
    for (const auto& w : workers_)
      self_->send_exit(w, caf::exit_reason::user_shutdown);
    self_->send_exit(listener_, caf::exit_reason::user_shutdown);
    self_->send_exit(client_, caf::exit_reason::user_shutdown);
    self_->send_exit(acceptor_, caf::exit_reason::user_shutdown);
  }

  /// Ends the gateway; the rest of the process stays.
  void stop() {
    self_->send_exit(gateway_, caf::exit_reason::user_shutdown);
    self_->wait_for(gateway_);
    gateway_ = nullptr;
  }

  void join(run_id run, std::size_t self, const std::vector<endpoint>& nodes,
            const std::vector<node_index>& placement, const std::shared_ptr<const topology>& graph,
            std::uint64_t parameters, nanoseconds suspect_after = std::chrono::seconds{3}) {
    join_run x;
    x.run = run;
    x.self = node_at(self);
    x.nodes = nodes;
    x.placement = placement;
    x.graph = graph;
    x.parameters = parameters;
    x.suspect_after = suspect_after;
    x.listener = listener_;
    x.workers.resize(placement.size());
    for (std::size_t i = 0; i < placement.size(); ++i)
      if (placement[i] == x.self)
        workers_.push_back(x.workers[i] = system_.spawn(listening_worker, worker_at(i), &notes_));
    tell(x);
  }

  template <class... Content>
  void tell(Content... content) {
    self_->send(gateway_, std::move(content)...);
  }
  template <class Body>
  void say(std::size_t from, std::size_t to, Body body) {
    tell(peer_mail{{peer_message{worker_at(from), worker_at(to), std::move(body)}}});
  }
  void open(std::uint64_t key, const endpoint& to, nanoseconds patience = long_enough) {
    tell(open_control{key, to, client_, patience});
  }
  template <class Message>
  void send(std::uint64_t id, Message message) {
    tell(send_control{connection_id{id}, std::make_shared<control_message>(std::move(message))});
  }

  template <class Answer, class Question>
  Answer ask(Question question) {
    Answer answer{};
    self_->request(gateway_, long_enough, std::move(question))
        .receive([&](Answer& x) { answer = std::move(x); },
                 [&](const caf::error& e) { FAIL("no answer: ", caf::to_string(e)); });
    return answer;
  }
  traffic counted() { return ask<traffic>(traffic_wanted{}); }

  const endpoint& where() const { return where_; }
  notebook& notes() { return notes_; }
  notebook& links() { return links_; }
  notebook& client_notes() { return client_notes_; }
  notebook& acceptor_notes() { return acceptor_notes_; }
  gateway_actor handle() { return gateway_; }
  control_client_actor client() { return client_; }
  caf::actor_system& system() { return system_; }
  const gateway_actor& gateway() const { return gateway_; }

private:
  notebook notes_;
  notebook links_;
  notebook client_notes_;
  notebook acceptor_notes_;
  network_config config_;
  caf::actor_system system_;
  caf::scoped_actor self_;
  gateway_actor gateway_;
  endpoint where_;
  link_listener_actor listener_;
  control_client_actor client_;
  control_client_actor acceptor_;
  std::vector<worker_actor> workers_;
};

inline gateway_options on_loopback() {
  gateway_options options;
  options.listen = endpoint{"127.0.0.1", 0};
  options.hello_within = long_enough;
  return options;
}

} // namespace dybw::test
