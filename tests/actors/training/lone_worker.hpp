#pragma once

#include "actors/training/shard.hpp"
#include "actors/training/worker.hpp"
#include "tests/actors/support/fakes.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/actors/support/test_system.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace dybw::test {

/// How one real worker among fakes is set up.
struct lone_options {
  std::string policy = "full";
  std::string topology = "path";
  std::size_t workers = 3;
  worker_id self{1};
  round_number last_round = 100;
  std::optional<nanoseconds> round_timeout = std::chrono::hours{1};
  std::string step_time = {};
  std::optional<nanoseconds> time_limit = {};
  bool training = true;
  std::vector<worker_id> elsewhere = {}; ///< neighbours in another process
  round_number completed = 0;
  std::vector<fact> facts = {};
  std::optional<checkpoint> resumed = {};
  bool checkpoints = false;
  std::shared_ptr<spare_workspaces> workspaces = {}; ///< null: the fake trainers get every job
};

using saved_states = std::shared_ptr<std::vector<checkpoint>>;

inline checkpointer_actor::behavior_type fake_checkpointer(checkpointer_actor::pointer, saved_states saved) {
  return {
      [saved](const save_checkpoint& x) { saved->push_back(*x.state); },
      [](const end_of_checkpoints&) {},
      [](const checkpoints_wanted&) { return checkpoints_status{}; },
  };
}

/// One real worker, all around it fake: neighbours, trainers and reporter.
class lone_worker {
public:
  explicit lone_worker(const lone_options& how = {})
      : graph(std::make_shared<const topology>(make_topology(how.topology, how.workers, 1))), self(how.self) {
    worker_options options;
    options.machine.self = self;
    options.machine.graph = graph;
    options.machine.policy = parse_policy(how.policy, graph->smallest_degree(), worker_id{0});
    options.machine.last_round = how.last_round;
    options.machine.round_timeout = how.round_timeout;
    options.machine.completed = how.completed;
    options.machine.facts = how.facts;
    if (how.training) {
      options.training = setup;
      options.initial = initial;
      options.trainers = actors.spawn(fake_trainer_pool, jobs);
      options.workspaces = how.workspaces;
      options.shard = actors.spawn(
          shard, mini_batch_sampler{rows_from(0, 40), 8, make_generator(1, random_stream::mini_batches, 0)});
    }
    options.clock = std::make_shared<step_clock>(how.step_time, "none", how.workers, self, 1);
    options.time_limit = how.time_limit;
    options.resumed = how.resumed;
    if (how.checkpoints) {
      options.checkpointer = actors.spawn(fake_checkpointer, saved);
      options.checkpoint_every = std::chrono::hours{1};
    }
    options.reporter = actors.spawn(fake_reporter, reported);
    handle = actors.spawn(worker, std::move(options));
    for (auto id : graph->neighbours(self)) {
      inboxes[id] = std::make_shared<letters>();
      if (std::ranges::count(how.elsewhere, id) > 0) {
        sent_away->inboxes[id] = inboxes[id];
        neighbours[id] = nullptr;
      } else {
        neighbours[id] = actors.spawn(fake_worker, inboxes[id]);
      }
    }
    if (!how.elsewhere.empty())
      links = actors.spawn(fake_links, sent_away);
  }

  void meet() {
    meet_neighbours m{{}, actors.now(), links};
    for (const auto& [id, neighbour] : neighbours)
      m.neighbours.push_back(neighbour);
    actors.tell(handle, std::move(m));
  }
  void begin() {
    meet();
    actors.tell(handle, begin_work{});
  }

  /// A message from a neighbour.
  template <class Body>
  void hear(worker_id from, Body body) {
    actors.tell(handle, from, std::move(body));
  }
  /// A neighbour's estimate of this round, all entries `value`.
  void hear_estimate(worker_id from, round_number round, float value = 0) {
    hear(from, estimate_message{{round, true}, filled_block(*setup->model, value)});
  }

  /// Does the job that the worker waits for, as a trainer would.
  void do_job() {
    REQUIRE(jobs->size() == 1);
    const auto job = jobs->front();
    jobs->pop_front();
    if (job->wants_mix) {
      job->mixed = job->local->mix(job->neighbours, workspace);
      job->neighbours.clear();
    }
    if (job->wants_step)
      job->stepped = job->local->step(job->rows, job->completed, workspace);
    const auto client = job->client;
    actors.tell(client, training_done{job});
  }

  letters& at(worker_id neighbour) { return *inboxes.at(neighbour); }
  worker_status status() { return actors.ask<worker_status>(handle, status_wanted{}); }
  welcome_reply welcome_for(worker_id joiner) {
    return actors.ask<welcome_reply>(handle, welcome_wanted{joiner});
  }
  snapshot estimate() { return actors.ask<snapshot>(handle, snapshot_wanted{}); }

  std::shared_ptr<const training_setup> setup = small_setup();
  training_workspace workspace{*setup};
  parameter_block initial = filled_block(*setup->model, 0.25F);
  held_jobs jobs = std::make_shared<std::deque<training_job_ptr>>();
  reports_ptr reported = std::make_shared<reports>();
  saved_states saved = std::make_shared<std::vector<checkpoint>>();
  std::shared_ptr<const topology> graph;
  worker_id self;
  std::map<worker_id, letters_ptr> inboxes;
  std::map<worker_id, worker_actor> neighbours; ///< null for those elsewhere
  link_letters_ptr sent_away = std::make_shared<link_letters>();
  link_actor links;
  worker_actor handle;
  test_system actors; // last: it ends the actors before what they write to goes
};

inline constexpr auto zero = worker_id{0};
inline constexpr auto two = worker_id{2};

} // namespace dybw::test
