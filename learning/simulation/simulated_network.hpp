#pragma once

#include "learning/coding/block_format.hpp"
#include "learning/coding/known_blocks.hpp"
#include "learning/consensus/estimate_slots.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/make_machine.hpp"
#include "learning/consensus/silence_detector.hpp"
#include "learning/simulation/event_queue.hpp"
#include "learning/simulation/simulated_link.hpp"
#include "learning/straggler/step_time.hpp"

#include <functional>
#include <stdexcept>
#include <string>

namespace dybw {

/// A message about to be sent over a link, for drawing how long it takes.
struct link_use {
  worker_id from{};
  worker_id to{};
  bool parameters = false; ///< carries a parameter block
  bool is_change = false;  ///< .. of which only the change since another one travels
};

/// A network of workers in virtual time. `machine` is what all workers share; `self` is filled in.
struct simulation_options {
  machine_options machine;
  /// Watch for silence and send signs of life. Unset: nobody is lost but by a `suspicion_fault`.
  std::optional<nanoseconds> suspect_after;
  /// How long a step takes that the worker starts now, and of how many gradient steps it is made.
  std::function<stride(worker_id, nanoseconds now)> step_time;
  /// What averaging with one neighbour's estimate takes: the step after it ends so much later.
  nanoseconds mix_time{0};
  /// Asked for `step_done::strides_apart` if mixing takes time and the policy weighs that; unset: not known.
  std::function<double(worker_id)> strides_apart;
  /// How parameter blocks travel.
  block_format send = block_format::float32;
  /// How long a message takes. Messages of one ordered pair of workers arrive in the order sent, so a quick
  /// one waits for a slow one before it.
  std::function<nanoseconds(const link_use&, nanoseconds now)> latency;
};

/// The largest sizes that were reached, over all workers and links.
struct simulation_peaks {
  std::size_t messages_under_way = 0; ///< of the protocol, on one link in one direction
  std::size_t blocks_under_way = 0;   ///< .. that carry parameters
  std::size_t facts = 0;              ///< known to one worker
  std::size_t bases_missing = 0;      ///< how often a change came to who did not have what it counts from
};

/// What a worker's shell did since it began.
struct shell_counters {
  std::uint64_t estimates_sent = 0;
  std::uint64_t blocks_sent = 0;  ///< of them with parameters
  std::uint64_t changes_sent = 0; ///< of these as a change since another one
  nanoseconds dropped{0};         ///< time that went into steps that were dropped
};

/// Something that is due at a moment of virtual time.
struct occurrence {
  enum class kind {
    start,
    delivery,
    step,
    timer,
    pulse,
    wake,
    strike,
    noticed,
    stop,
    rebirth,
    stalled,
    resumed
  };
  kind what = kind::start;
  std::uint32_t worker = 0;
  std::uint32_t era = 0;    ///< delivery: connection; otherwise worker's incarnation. Older ones are void
  std::size_t index = 0;    ///< delivery: link; strike: fault; noticed: neighbour's slot
  std::uint64_t number = 0; ///< step, stalled: ticket; timer: which; noticed: cause
};

/// A block that travels coded: what its receiver makes of it, and from what it needs for that.
struct coded_estimate {
  estimate_handle values;
  numbered_block<estimate_handle> base; ///< number 0: nothing
  round_number number = 0;
};

/// A crashed worker's next life.
struct rebirth {
  std::vector<fact> facts;
  round_number completed = 0;
  estimate_handle estimate;
};

/// A worker's process: its machine and what a real shell keeps for it.
struct simulated_shell {
  simulated_shell(machine_options options, std::size_t neighbours, nanoseconds suspect_after)
      : id(options.self), machine(make_machine(std::move(options))), degree(neighbours),
        detector(neighbours, suspect_after) {}

  // What every message touches comes first.
  worker_id id;
  std::uint32_t incarnation = 0;
  std::unique_ptr<worker_machine> machine;
  std::size_t first_link = 0; ///< its outgoing links are first_link .. first_link + degree - 1
  std::size_t degree = 0;
  nanoseconds frozen_until{0};
  bool alive = true;
  bool finished = false;
  silence_detector detector;
  hang_fault::wake wake_order = hang_fault::wake::in_due_order;
  std::deque<occurrence> mail; ///< came while frozen
  std::uint64_t ticket = 0;    ///< of the step under way; 0: none
  nanoseconds step_due{0};
  nanoseconds stalled_until{0};    ///< no step ends before, nor does one begin ..
  nanoseconds stall_noticed_in{0}; ///< .. which the shell finds after so long a step
  std::uint64_t timer = 0;
  estimate_handle current; ///< w_j
  // Pairwise averaging:
  step_start from;             ///< of the step under way
  estimate_handle before_step; ///< w_j before and ..
  estimate_handle after_step;  ///< .. after the newest step was added, until the next begins
  estimate_handle stepped;     ///< w~_j
  estimate_witness before;
  estimate_witness after;
  estimate_witness correction;
  std::unique_ptr<rebirth> next_life;
  nanoseconds step_began{0};
  nanoseconds step_takes{0}; ///< .. without what was averaged before it
  std::uint32_t step_gradients = 1;
  nanoseconds mixing_owed{0}; ///< averaged since the last step began
  estimate_handle coded_of;   ///< what was coded last ..
  struct coded_block {
    estimate_handle base;
    estimate_handle to;
    round_number number = 0;
  };
  std::vector<coded_block> coded; ///< .. from which bases, and to what
  round_number coded_number = 0;  ///< of the newest of all, in pairs
  shell_counters counters;
};

/// Virtual time goes this far, some 285 years: later moments, and what machines add to them, do not fit into
/// `nanoseconds`.
constexpr nanoseconds last_moment = from_seconds(9e9);

/// Something would happen after `last_moment`; what() says what, and how to mend it.
class virtual_time_over : public std::runtime_error {
public:
  explicit virtual_time_over(const std::string& what_happens);
};

/// The workers' shells, the links between them and what is due when. Deterministic. Not thread-safe.
struct simulated_network {
  /// One direction of an edge: the sender's flow control, what is under way and the receiver's slots.
  struct alignas(64) link { // two of the processor's cache lines, not three
    explicit link(envelope_pool& pool) : way(pool) {}

    worker_id from{};
    worker_id to{};
    std::uint32_t reverse = 0; ///< index of the other direction
    std::uint32_t to_slot = 0; ///< the sender's place among the receiver's neighbours
    simulated_link way;
    flow_window window;
    estimate_slots<estimate_handle> slots;
  };
  /// What pairwise averaging keeps of one direction of an edge.
  struct alignas(64) told_estimates {
    estimate_handle offered;  ///< what the sender told in its newest offer
    estimate_handle answered; ///< .. and in its newest answer
    estimate_handle came;     ///< the newest that arrived in an offer or answer
  };

  explicit simulated_network(simulation_options o);
  simulated_network(const simulated_network&) = delete;
  simulated_network& operator=(const simulated_network&) = delete;

  nanoseconds now() const noexcept { return queue.now(); }
  simulated_shell make_shell(machine_options machine) const;
  simulated_shell& at(worker_id id) { return shells[index_of(id)]; }
  const simulated_shell& at(worker_id id) const { return shells[index_of(id)]; }
  bool codes_changes() const noexcept { return options.send == block_format::int8; }
  /// REQUIRES: an edge of the graph.
  std::size_t link_between(worker_id from, worker_id to) const;

  /// The shell starts, and watches for silence if that is asked for.
  void begin(simulated_shell& s);
  /// Whether a sign of life may mean anything to it.
  bool listens(const simulated_shell& s) const { return options.suspect_after || s.detector.any_lost(); }
  /// For the worker's present incarnation.
  void push(nanoseconds when, const simulated_shell& s, occurrence o);
  /// now() + takes. Throws `virtual_time_over`, which names what ends then.
  nanoseconds moment_after(nanoseconds takes, const char* what) const;
  void post(std::size_t link_index, envelope e);
  void schedule_delivery(std::size_t link_index);

  simulation_options options;
  std::vector<simulated_shell> shells;
  envelope_pool pool;                             ///< before the links, which refer to it
  std::vector<link> links;                        ///< [2*edges], by sender and ascending receiver
  std::vector<told_estimates> told;               ///< likewise; empty unless the policy averages in pairs
  std::vector<coded_link<estimate_handle>> codes; ///< likewise; empty unless blocks travel coded
  std::vector<coded_link<estimate_handle>*> coded_links; ///< of one worker; memory that is kept
  event_queue<occurrence> queue;
  std::size_t unfinished = 0;
  simulation_peaks peaks;
};

} // namespace dybw
