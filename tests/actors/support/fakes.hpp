#pragma once

#include "actors/actors.hpp"

#include <deque>
#include <map>
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
  std::vector<offer_message> offers;
  std::vector<answer_message> answers;
  std::size_t stops = 0;
  std::size_t snapshots = 0;
  bool is_silent = false; ///< does not answer when asked for its estimate

  snapshot answer;
  worker_status status;
  std::size_t statuses = 0;

  void take(const estimate_message& m) { estimates.push_back(m); }
  void take(const accept& m) { accepts.push_back(m); }
  void take(const closed& m) { closings.push_back(m); }
  void take(const threshold_message& m) { thresholds.push_back(m); }
  void take(const leaving&) { ++leavings; }
  void take(const membership_news& m) { facts.insert(facts.end(), m.facts->begin(), m.facts->end()); }
  void take(const received& m) { receipts.push_back(m); }
  void take(const heartbeat&) { ++heartbeats; }
  void take(const offer_message& m) { offers.push_back(m); }
  void take(const answer_message& m) { answers.push_back(m); }
};
using letters_ptr = std::shared_ptr<letters>;

inline worker_actor::behavior_type fake_worker(worker_actor::pointer self, letters_ptr in) {
  return {
      [](const meet_neighbours&) {},
      [](const begin_work&) {},
      [in](worker_id, const estimate_message& m) { in->take(m); },
      [in](worker_id, const accept& m) { in->take(m); },
      [in](worker_id, const closed& m) { in->take(m); },
      [in](worker_id, const threshold_message& m) { in->take(m); },
      [in](worker_id, const leaving& m) { in->take(m); },
      [in](worker_id, const membership_news& m) { in->take(m); },
      [in](worker_id, const received& m) { in->take(m); },
      [in](worker_id, const heartbeat& m) { in->take(m); },
      [in](worker_id, const offer_message& m) { in->take(m); },
      [in](worker_id, const answer_message& m) { in->take(m); },
      [in](const peer_mail& mail) { for_each_message(mail, [&](worker_id, const auto& m) { in->take(m); }); },
      [](const link_broken&) {},
      [](const mini_batch&) {},
      [](const training_done&) {},
      [](const delay_over&) {},
      [](const gather_timeout_due&) {},
      [](const heartbeat_due&) {},
      [](const checkpoint_due&) {},
      [](const checkpoint_handled&) {},
      [in](const stop_work&) { ++in->stops; },
      [self, in](const snapshot_wanted&) {
        ++in->snapshots;
        auto promise = self->make_response_promise<snapshot>();
        if (!in->is_silent)
          promise.deliver(in->answer);
        return promise;
      },
      [in](const status_wanted&) {
        ++in->statuses;
        return in->status;
      },
      [](const welcome_wanted&) { return welcome_reply{}; },
  };
}

/// What was told to the links: who said it, and what for whom.
struct link_letters {
  std::map<worker_id, letters_ptr> inboxes; ///< by receiver
  std::vector<worker_id> senders;           ///< of every message
  std::size_t mails = 0;

  template <class Body>
  void take(worker_id from, worker_id to, const Body& body) {
    senders.push_back(from);
    inboxes.at(to)->take(body);
  }
};
using link_letters_ptr = std::shared_ptr<link_letters>;

inline link_actor::behavior_type fake_links(link_actor::pointer, link_letters_ptr in) {
  return {[in](const peer_mail& mail) {
    ++in->mails;
    for (const auto& m : mail.messages)
      std::visit([&](const auto& body) { in->take(m.from, m.to, body); }, m.body);
  }};
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
  std::string recorded;
  std::vector<worker_failed> failed;
  std::vector<worker_finished> last_words;
  std::vector<evaluation> evaluations;
  std::vector<workers_gone> losses;
  run_outcome_ptr outcome; ///< what it answers at the end
};
using reports_ptr = std::shared_ptr<reports>;

inline reporter_actor::behavior_type fake_reporter(reporter_actor::pointer, reports_ptr in) {
  return {
      [](const watch_workers&) {},
      [in](const round_report& x) { in->rounds.push_back(x); },
      [in](const recorded_events& x) { in->recorded += x.lines; },
      [in](const worker_failed& x) { in->failed.push_back(x); },
      [in](const worker_finished& x) { in->last_words.push_back(x); },
      [in](const evaluation& x) { in->evaluations.push_back(x); },
      [in](const workers_gone& x) { in->losses.push_back(x); },
      [](const workers_back&) {},
      [](const part_changed&) {},
      [](const flush_due&) {},
      [](const pass_on_due&) {},
      [](const progress_wanted&) { return run_progress{}; },
      [in](const outcome_wanted&) { return in->outcome; },
      [](const metrics_wanted&) { return std::make_shared<const process_metrics>(); },
  };
}

/// What a reporter passed on to its node.
struct passed_on {
  std::vector<local_reports_ptr> batches;
  std::vector<part_changed> parts;
};
using passed_on_ptr = std::shared_ptr<passed_on>;

inline report_sink_actor::behavior_type fake_sink(report_sink_actor::pointer, passed_on_ptr in) {
  return {
      [in](const local_reports_ptr& x) { in->batches.push_back(x); },
      [in](const part_changed& x) { in->parts.push_back(x); },
  };
}

} // namespace dybw::test
