#pragma once

#include "learning/consensus/audit/mixing_audit.hpp"

namespace dybw {

/// What a worker averaged in pairs since its last report.
struct exchange_news {
  std::vector<exchange_half> halves;
  std::vector<worker_id> given_up; ///< neighbours with whom an exchange may stay one-sided
};

/// What a worker tells the reporter of its process about one round that it joined.
struct round_report {
  mix_report mixed;
  nanoseconds started{0};   ///< since the run's start, when the step began
  nanoseconds joined{0};    ///< when gathering began
  nanoseconds closed{0};    ///< when settling began
  nanoseconds done{0};      ///< when mixing could begin: done - joined is waiting time
  nanoseconds mix_began{0}; ///< on a trainer's thread; 0 without a model
  nanoseconds mix_ended{0};
  nanoseconds acknowledged{0}; ///< when the last neighbour had this round's estimate, as far as known by then
  std::uint32_t degree = 0;
  std::uint32_t accepted = 0;
  nanoseconds compute{
      0}; ///< of the step: gradient and injected delay; the rest of joined - started is queueing for a thread
  bool timed_out = false;
  std::uint32_t gradients = 1; ///< gradient steps that the step was made of
  double loss = 0;             ///< their mean
  std::uint32_t samples = 0;   ///< in all their mini-batches
  exchange_news exchanges;

  std::size_t backup_workers() const noexcept { return degree - mixed.committed.size(); }
};

/// The part of a worker's report that its machine knows; all of the time from the step's beginning to its end
/// counts as computing. `make_mix_report` is without the witness.
round_report make_report(const round_record& record, mix_report mixed);
mix_report make_mix_report(worker_id worker, const round_record& record);

/// A worker's totals, sent when it has done its last round.
struct worker_totals {
  worker_id worker{};
  round_number completed = 0;
  std::uint64_t estimates_sent = 0;
  std::uint64_t estimates_late = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t steps_used = 0; ///< gradient steps
  std::uint64_t steps_discarded = 0;
  nanoseconds discarded{0}; ///< time that went into discarded steps
  std::uint64_t sweeps_completed = 0;
  std::uint64_t bytes_sent = 0;
};

} // namespace dybw
