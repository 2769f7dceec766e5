#pragma once

#include "learning/monitoring/process_metrics.hpp"
#include "learning/monitoring/run_view.hpp"
#include "learning/run/run_config.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// What is known of a run before anything is heard of it.
struct watch_plan {
  std::string name;
  std::string policy;
  std::string topology;
  std::string dataset;
  std::string model;
  std::uint64_t parameters = 0;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> rounds;
  std::optional<double> time_limit_s;
  std::optional<double> target_accuracy;
  bool has_model = true;
  std::vector<edge> edges;              ///< planned, ascending
  std::vector<std::string> nodes;       ///< their addresses
  std::vector<std::uint32_t> placement; ///< [workers], index in `nodes`
};

/// All of it but the nodes.
watch_plan plan_of(const run_config& config, const std::string& policy, std::span<const edge> edges,
                   std::uint64_t parameters);

/// How much of a run is done by what is to end it, [0,1]: the larger share of the rounds and of the time.
/// Nothing if neither is limited.
std::optional<double> done_share(std::optional<std::uint64_t> rounds, std::optional<double> time_limit_s,
                                 round_number newest, double elapsed_s);

/// Puts together what the processes of a run say, into the picture that is shown of it: rates from counters,
/// who is a straggler, what happened. `now` is the monitor's own clock and never goes back. Memory is bounded
/// by the number of workers and edges. Not thread-safe; deterministic.
class run_watch {
public:
  /// A node that does not answer a question for so long is silent.
  static constexpr nanoseconds silent_after{std::chrono::milliseconds{800}};
  /// A wait of so long is an event.
  static constexpr nanoseconds stall_after{std::chrono::seconds{2}};
  /// What "recent" means: older things count e times less for each of these.
  static constexpr double recent_s = 2;
  static constexpr double sample_every_s = 0.5;
  /// A fading sum below this holds nothing that would still count.
  static constexpr double faded = 1e-9;

  explicit run_watch(watch_plan plan);

  /// `at`: a node by its index in the plan.
  void asked(std::size_t at, nanoseconds now);
  void take(std::size_t at, nanoseconds now, const process_metrics& x);
  /// No connection to it, for a reason.
  void unreachable(std::size_t at, nanoseconds now, const std::string& reason);
  void moved(std::size_t at, const std::string& address);
  /// The nodes have let go of the run.
  void over(nanoseconds now);

  /// Notes what only time brings about. To be called a few times per second.
  void tick(nanoseconds now);
  run_view view(nanoseconds now) const;

  bool is_over() const noexcept { return over_; }

private:
  /// Sums that fade, so that ratios of them are means over the recent past.
  struct fading_sums {
    double elapsed_s = 0;
    double rounds = 0;
    double gradients = 0; ///< steps of the rounds
    double steps = 0;
    double backup_workers = 0;
    double loss = 0;
    double compute_s = 0;
    double wait_s = 0;
  };
  struct worker {
    worker_metrics newest;
    nanoseconds elapsed{0}; ///< of the run, at `newest`
    fading_sums recent;
    std::vector<float> round_s; ///< one per `sample_every_s`
    double sampled_at_s = 0;
    std::uint64_t sampled_rounds = 0;
    bool heard = false;
  };
  struct node {
    std::string address;
    bool reachable = true;
    std::string why_not;
    bool told_silent = false;
    std::optional<nanoseconds> asked; ///< a question that is not answered yet
    nanoseconds heard{0};
    process_metrics newest; ///< without workers and edges
    nanoseconds sketched{0};
    bool ever_heard = false;
  };
  struct edge_state {
    edge link;
    std::uint64_t committed = 0;
    double recent = 0;    ///< fading
    double elapsed_s = 0; ///< fading
    nanoseconds at{0};
  };

  void take(nanoseconds elapsed, const worker_metrics& x);
  void take(nanoseconds elapsed, const edge_metrics& x);
  void sample(worker& w);
  void note_standing(const worker_metrics& before, const worker_metrics& now);
  void note_timeouts(const std::vector<worker_id>& who);
  void note_stalls(const worker_metrics& x);
  void note_parts();
  void note_history(nanoseconds now);
  void say(event_view::severity how, std::string text);

  double elapsed_s(nanoseconds now) const;
  bool is_silent(const node& n, nanoseconds now) const;
  worker_standing standing_of(std::size_t worker, nanoseconds now) const;
  std::optional<std::uint32_t> parts(nanoseconds now) const;
  sketch_sums sketches() const;
  worker_view view_of_worker(std::size_t i, nanoseconds now) const;
  edge_view view_of_edge(const edge_state& e, const std::vector<worker_view>& workers) const;
  node_view view_of_node(std::size_t i, nanoseconds now) const;
  void add_waits(run_view& v, nanoseconds now) const;
  static double typical_step_s(const worker& w);
  void add_totals(run_view& v) const;

  watch_plan plan_;
  std::vector<node> nodes_;
  std::vector<worker> workers_;
  std::vector<edge_state> edges_;
  std::optional<evaluation> newest_evaluation_;
  std::string failure_;
  bool over_ = false;
  bool target_told_ = false;
  std::uint32_t parts_told_ = 1;
  nanoseconds now_{0};
  std::map<std::pair<worker_id, worker_id>, round_number> stalls_told_;
  std::vector<event_view> events_;
  std::uint64_t events_before_ = 0;
  std::vector<history_point> history_;
  double history_every_s_ = sample_every_s;
};

} // namespace dybw
