#pragma once

#include "actors/actors.hpp"

#include <deque>
#include <memory>
#include <vector>

/// Actors that stand in for those around the one under test: they write down what they are told.
namespace dybw::test {

/// What a fake neighbour was told, and what it answers when asked for its estimate.
struct letters {
  std::vector<estimate_message> estimates;
  std::vector<accept> accepts;
  std::vector<closed> closings;
  std::vector<threshold_message> thresholds;
  std::size_t leavings = 0;
  std::vector<fact> facts;
  std::vector<received> receipts;
  std::size_t heartbeats = 0;
  std::size_t stops = 0;
  std::size_t snapshots = 0;

  snapshot answer;
};
using letters_ptr = std::shared_ptr<letters>;

inline worker_actor::behavior_type fake_worker(worker_actor::pointer, letters_ptr in) {
  return {
      [](const meet_neighbours&) {},
      [](const begin_work&) {},
      [in](worker_id, const estimate_message& m) { in->estimates.push_back(m); },
      [in](worker_id, const accept& m) { in->accepts.push_back(m); },
      [in](worker_id, const closed& m) { in->closings.push_back(m); },
      [in](worker_id, const threshold_message& m) { in->thresholds.push_back(m); },
      [in](worker_id, const leaving&) { ++in->leavings; },
      [in](worker_id, const membership_news& m) {
        in->facts.insert(in->facts.end(), m.facts->begin(), m.facts->end());
      },
      [in](worker_id, const received& m) { in->receipts.push_back(m); },
      [in](worker_id, const heartbeat&) { ++in->heartbeats; },
      [](const mini_batch&) {},
      [](const training_done&) {},
      [](const delay_over&) {},
      [](const gather_timeout_due&) {},
      [](const heartbeat_due&) {},
      [in](const stop_work&) { ++in->stops; },
      [in](const snapshot_wanted&) {
        ++in->snapshots;
        return in->answer;
      },
      [](const status_wanted&) { return worker_status{}; },
  };
}

/// Keeps every job until the test does it.
using held_jobs = std::shared_ptr<std::deque<training_job_ptr>>;

inline trainer_pool_actor::behavior_type fake_trainer_pool(trainer_pool_actor::pointer, held_jobs jobs) {
  return {
      [jobs](const training_job_ptr& job) { jobs->push_back(job); },
      [](const trainer_idle&) {},
  };
}

struct reports {
  std::vector<round_report> rounds;
  std::vector<worker_finished> last_words;
  std::vector<evaluation> evaluations;
};
using reports_ptr = std::shared_ptr<reports>;

inline reporter_actor::behavior_type fake_reporter(reporter_actor::pointer, reports_ptr in) {
  return {
      [](const watch_workers&) {},
      [in](const round_report& x) { in->rounds.push_back(x); },
      [in](const worker_finished& x) { in->last_words.push_back(x); },
      [in](const evaluation& x) { in->evaluations.push_back(x); },
      [](const flush_due&) {},
      [](const progress_wanted&) { return run_progress{}; },
      [](const outcome_wanted&) { return run_outcome_ptr{}; },
  };
}

} // namespace dybw::test
