#pragma once

#include "actors/node/leadership.hpp"
#include "actors/node/node_options.hpp"
#include "actors/node/run_lead.hpp"
#include "actors/node/run_lifecycle.hpp"
#include "actors/node/run_loader.hpp"
#include "actors/node/run_measurer.hpp"
#include "actors/run/run_host.hpp"

#include <functional>
#include <map>
#include <set>

namespace dybw {

/// The node actor's inside. What may be done when is decided by `run_lifecycle`, who leads by `leadership`;
/// this carries it out. Three files: requests of clients (node_requests.cpp), the run (node_run.cpp), joining
/// a live run (node_join.cpp).
class node_state {
public:
  static inline const char* name = "node";

  /// How long the links to other nodes may take, before the launcher loses its patience.
  static constexpr nanoseconds link_patience{std::chrono::seconds{7}};
  /// Who subscribes so soon after the beginning gets what was reported until then.
  static constexpr nanoseconds first_rounds_time{std::chrono::seconds{2}};
  static constexpr std::size_t first_rounds_max = 20'000;
  /// For the leading node to reach the others before the run begins.
  static constexpr nanoseconds follow_patience{std::chrono::seconds{2}};
  /// How long the workers may take to end when they are told to: a gradient step, the last messages.
  static constexpr nanoseconds stop_patience{std::chrono::seconds{10}};
  static constexpr nanoseconds leave_patience{std::chrono::milliseconds{1500}};
  /// How long a node whose workers are done waits for somebody to ask it for something.
  static constexpr nanoseconds linger_time{std::chrono::seconds{15}};
  /// The same while somebody listens, but asks nothing.
  static constexpr nanoseconds linger_time_max{std::chrono::minutes{10}};
  /// A subscriber with more than this still to be sent to gets no more reports for now.
  static constexpr std::uint64_t subscriber_backlog_max = 8 * 1024 * 1024;

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
  using moment = std::chrono::steady_clock::time_point;
  using request_handler = std::function<void(const node_request_done&)>;

  struct subscriber {
    std::size_t ends_sent = 0; ///< of the run's
    std::size_t lost_sent = 0;
    bool failure_sent = false;
    std::size_t evaluations_sent = 0;
    std::uint64_t dropped_before = 0; ///< by the reporter, when the subscription began
    std::uint64_t dropped = 0;
    std::uint64_t backlog = 0;
    bool gets_first_rounds = false;
  };

  /// Everything about the run that this node serves. Goes with it.
  struct active_run {
    std::shared_ptr<const run_inputs> inputs;
    std::shared_ptr<const run_place> place;
    std::map<worker_id, checkpoint> resumed; ///< of the workers here, if the run goes on
    prepare_run_reply ready;
    run_start how = run_start::afresh;
    moment owner_heard; ///< before the beginning
    std::unique_ptr<run_host> host;
    std::unique_ptr<run_lead> lead;
    std::optional<leadership> part;
    std::size_t part_told = 0; ///< its size when it was last logged
    // linking
    std::optional<connection_id> asked_to_connect;
    std::map<node_index, std::string> links_missing; ///< and why
    bool others_reached = false;                     ///< by the lead
    moment linking_since;
    // running
    run_origin origin;
    double cpu_before_s = 0;
    traffic traffic_before;
    run_progress progress;
    std::vector<worker_end> ends;
    std::vector<worker_id> lost;
    std::vector<evaluation> evaluations;
    std::uint64_t rounds_dropped = 0;
    std::vector<round_report> first_rounds; ///< for subscribers that come just after the beginning
    std::uint64_t rounds_passed = 0;
    std::map<connection_id, subscriber> subscribers;
    std::string failure;
    bool interrupted = false; ///< told to stop by somebody
    std::optional<moment> stopping_since;
    // finishing
    moment finishing_since;
    moment asked_at;    ///< when somebody last asked for something of the run
    moment measured_at; ///< if the lead is done
    bool is_measured = false;
    bool over_elsewhere = false;
    bool measuring = false;
    std::shared_ptr<const result_reply> result;
  };

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
  void on(connection_id from, const describe_request& x);
  void on(connection_id from, const metrics_request& x);
  template <class Answer>
  void on(connection_id, const Answer&) {} // nobody asked for it

  void turn_down(const std::string& why, int exit_code);
  void watch_owner();
  void tell_loser(const endpoint& loser, const node_moved& news, moment since);
  void dismiss(const std::string& why);
  void reply(connection_id to, control_message message);
  void send(connection_id to, std::shared_ptr<const control_message> message);
  void send_status(connection_id to, const std::string& waiting);
  metrics_reply complete(const process_metrics& x) const;
  void welcome(connection_id to, worker_id joiner);
  void offer_place(connection_id to, const endpoint& joiner);
  bool is_given_to_another(node_index place, const endpoint& joiner) const;
  void send_place(connection_id to, node_index place, const endpoint& joiner);

  // --- node_run.cpp: the run ---
  void spawn_host(std::map<worker_id, worker_start> starts);
  void advance_linking();
  void refuse_links(const std::string& why);
  void begin_run(run_origin origin);
  void stop_run(bool pass_on);
  void pass_stop_on();
  void send_reports(const local_reports& x);
  report_batch batch_for(subscriber& s, const report_batch& common, const local_reports& x, bool full) const;
  bool is_owed(const subscriber& s) const;
  bool owes_ends() const;
  void watch_backlog(connection_id to);
  void keep_lead();
  void tell_part();
  void start_lead(bool late);
  void note_cluster(const cluster_status& x);
  void measure(const cluster_status& x);
  void finish();
  bool may_let_go() const;
  void let_go();
  void fail_run(const std::string& why);
  run_result known_result(const cluster_status& x) const;
  traffic traffic_in_run() const;
  nanoseconds elapsed() const { return time_since(run_->origin); }
  nanoseconds now() const { return time_since(epoch_); }

  // --- node_join.cpp: taking a place in a live run ---
  void seek_place();
  void take_place(const node_request_done& x);
  void seek_welcome();
  void take_welcome(const node_request_done& x);
  void join_run_now();
  void refuse_join(const std::string& why, int exit_code);

  void send_request(node_request_options options, request_handler handler);
  void prepare(const run_spec& spec, run_start how, std::uint64_t data_hash);

  node_actor::stateful_pointer<node_state> self_;
  node_options options_;
  run_loader_actor loader_;
  run_measurer_actor measurer_;
  gateway_actor gateway_;
  endpoint advertised_;
  moment epoch_;
  run_lifecycle lifecycle_;
  std::unique_ptr<active_run> run_; ///< null when idle
  traffic traffic_;                 ///< newest known
  std::uint64_t newest_key_ = 0;
  std::map<std::uint64_t, request_handler> requests_;
  bool leaving_ = false;
  std::string failure_;
  int exit_code_ = 0;
  run_id last_run_ = 0;
  std::shared_ptr<const result_reply> last_result_; ///< of the run before, for who asks late

  /// While `--join` is on its way.
  struct joining {
    double elapsed_s = 0;
    moment told_at; ///< when that was
    std::uint64_t data_hash = 0;
    std::size_t requests = 0; ///< under way
    std::vector<welcome_reply> welcomes;
  };
  std::optional<joining> joining_;
  struct given_place {
    endpoint joiner;
    moment since;
  };
  /// Places that were given to joiners lately.
  std::map<node_index, given_place> places_given_;
};

} // namespace dybw
