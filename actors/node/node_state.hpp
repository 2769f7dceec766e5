#pragma once

#include "actors/node/active_run.hpp"
#include "actors/node/node_options.hpp"
#include "actors/node/run_lead.hpp"
#include "actors/node/run_lifecycle.hpp"
#include "actors/node/run_loader.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <set>

namespace dybw {

/// The node actor's inside. What may be done when is decided by `run_lifecycle`, what follows for the run by
/// `active_run`; this carries it out. Three files: requests of clients (node_requests.cpp), the run
/// (node_run.cpp), joining a live run, and letting others join (node_join.cpp).
class node_state {
public:
  static inline const char* name = "node";

  explicit node_state(node_actor::stateful_pointer<node_state> self) : self_(self), lifecycle_(0) {}

  void start(node_options options);
  void open(const gateway_opened& x);
  void receive(const control_received& x);
  void closed(const control_closed& x);
  void link_changed(const dybw::link_changed& x);
  void leave();
  node_standing standing() const;

  void prepared(const run_prepared& x);
  void measured(const run_measured& x);
  void request_is_done(const node_request_done& x);
  void take(const local_reports_ptr& x);
  void take(const part_changed& x);
  void take(const evaluation& x);
  void target_is_reached();
  void helper_down(const caf::down_msg& down);
  void tick();
  void shut_down();

private:
  static constexpr auto exit_failed = 1;
  static constexpr auto exit_network = 4;
  using request_handler = std::function<void(const node_request_done&)>;

  // --- node_requests.cpp: what clients ask for ---
  void on(connection_id from, const prepare_run_request& x);
  void on(connection_id from, const connect_request& x);
  void on(connection_id from, const begin_request& x);
  void on(connection_id from, const abandon_request& x);
  void on(connection_id from, const stop_request& x);
  void on(connection_id from, const node_status_request& x);
  void on(connection_id from, const subscribe_request& x);
  void on(connection_id from, const snapshot_request& x);
  void on(connection_id from, const result_request& x);
  void on(connection_id from, const run_over& x);
  void on(connection_id from, const join_request& x);
  void on(connection_id from, const node_moved& x);
  void on(connection_id from, const welcome_request& x);
  void on(connection_id from, const learner_state_request& x);
  void on(connection_id from, const describe_request& x);
  void on(connection_id from, const metrics_request& x);
  void on(connection_id from, const saved_options_request& x);
  template <class Answer>
  void on(connection_id, const Answer&) {} // nobody asked for it

  void seek_starting_values();
  nanoseconds time_for_values() const;
  void connect(connection_id from);

  void turn_down(const std::string& why, int exit_code);
  void tell_loser(const endpoint& loser, const node_moved& news, nanoseconds since);
  void ask_who_has_our_place(const node_moved& news);
  void dismiss(const std::string& why);
  void reply(connection_id to, control_message message);
  void send_status(connection_id to, const std::string& waiting);
  void refuse_place(connection_id to, const std::string& why);
  bool may_have(node_index place, const endpoint& joiner) const;
  const endpoint* given_to(node_index place) const;
  void send_place(connection_id to, node_index place, const endpoint& joiner);

  // --- node_run.cpp: the run ---
  void spawn_host(std::map<worker_id, worker_start> starts, std::optional<connection_id> asked_by);
  /// Of what the system does not give to `spawn_host`.
  static std::string cannot_begin_text(const std::exception& e);
  void advance_linking();
  void begin_run(run_origin origin);
  void stop_run(bool pass_on);
  void pass_stop_on();
  std::set<node_index> neighbour_nodes() const;
  void pass_reports_on(const local_reports_ptr& x);
  void reporter_down(const std::string& why);
  void stand_in_for_reporter();
  void send_reports(const local_reports& x);
  void keep_lead();
  void start_lead();
  void begin_lead(run_origin origin);
  static std::string lead_refused_text(const std::exception& e);
  void cannot_lead(const std::string& why);
  void renew_standing();
  void measure(const cluster_status& x);
  void finish();
  void let_go();
  /// Ends the learners of a run and takes away what was made for it; null: none, nothing.
  void discard(std::shared_ptr<const run_place> place, const std::shared_ptr<const run_inputs>& inputs);
  void fail_run(const std::string& why);
  /// This node cannot go on with the run, the others can.
  void withdraw(const std::string& why);
  /// The node is to end, or has withdrawn: its workers end, those of others do not.
  bool leaves() const { return leaving_ || (run_ && run_->has_withdrawn()); }
  void hear_traffic(std::function<void()> then);
  expenses spent() const;
  nanoseconds now() const { return time_since(epoch_); }

  // --- node_join.cpp: taking a place in a live run ---
  bool wants_states() const noexcept { return options_.join_state && states_; }
  void seek_place();
  void seek_earlier_run();
  void earlier_run_answered(const std::optional<endpoint>& found, bool all_answered);
  void take_place(const node_request_done& x);
  void seek_welcome();
  void join_run_now();
  void give_states(std::map<worker_id, worker_start> starts);
  void state_is_given(const std::string& failure);
  void enter_run(std::map<worker_id, worker_start> starts);
  void refuse_join(const std::string& why, int exit_code);

  void send_request(node_request_options options, request_handler handler);
  void prepare(const run_spec& spec, run_start how, std::uint64_t data_hash);
  void load(std::shared_ptr<const preparation> x);
  bool starts_trainers() const { return at_loader_ && at_loader_->spec.config.has_own_model(); }

  node_actor::stateful_pointer<node_state> self_;
  node_options options_;
  run_loader_actor loader_;
  run_measurer_actor measurer_;
  gateway_actor gateway_;
  endpoint advertised_;
  run_origin epoch_; ///< of `now`
  run_lifecycle lifecycle_;
  // The run, all null when idle; they go together.
  std::unique_ptr<active_run> run_;
  run_prepared prepared_;                       ///< what came of preparing it
  std::shared_ptr<std::atomic<bool>> unwanted_; ///< while it is prepared: that nobody waits for it any more
  learner_states_actor states_;                 ///< null: the learners are built in
  std::unique_ptr<run_host> host_;
  bool reporter_failed_ = false; ///< the host's
  std::unique_ptr<run_lead> lead_;
  std::optional<nanoseconds> renewed_at_; ///< when the standing of the run was last written
  traffic traffic_;                       ///< newest known
  std::uint64_t newest_key_ = 0;
  std::map<std::uint64_t, request_handler> requests_;
  bool leaving_ = false;
  std::size_t discards_ = 0;                     ///< under way
  std::shared_ptr<const preparation> at_loader_; ///< wanted or not
  std::shared_ptr<const preparation> waiting_;   ///< for that one, which nobody wants, to be taken away
  std::string failure_;
  int exit_code_ = 0;
  run_id last_run_ = 0;
  std::shared_ptr<const result_reply>
      last_result_; ///< of the run that was measured last, also for who asks late

  /// While trainers are given what neighbours' keep.
  struct giving_states {
    std::map<worker_id, worker_start> starts; ///< of the workers here
    std::size_t missing = 0;
  };
  /// While `--join` is on its way.
  struct joining {
    run_origin origin;
    std::size_t requests = 0; ///< under way
    std::vector<welcome_reply> welcomes;
    std::shared_ptr<giving_states> giving; ///< last of all, if wanted
  };
  std::optional<joining> joining_;
  /// While the nodes of an earlier run are asked (`--rejoin`), and when they are to be asked next.
  bool asks_earlier_ = false;
  nanoseconds ask_earlier_at_{0};
  struct given_place {
    endpoint joiner;
    nanoseconds since{0};
  };
  /// Places that were given to joiners lately.
  std::map<node_index, given_place> places_given_;
};

} // namespace dybw
