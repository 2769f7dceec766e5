#include "actors/cluster/cluster_run.hpp"

#include "actors/ask.hpp"
#include "actors/client/ask_nodes.hpp"
#include "actors/cluster/placement.hpp"
#include "actors/cluster/run_client.hpp"
#include "actors/reporting/reporter.hpp"
#include "actors/run/run_end.hpp"
#include "actors/system/spare_threads.hpp"
#include "learning/base/error.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <system_error>

namespace dybw {

namespace {

constexpr auto poll_every = std::chrono::milliseconds{100};
constexpr auto stall_after = std::chrono::seconds{2};
constexpr nanoseconds ask_patience{std::chrono::seconds{4}};
/// How long the nodes may take to let go of the run before.
constexpr auto idle_patience = std::chrono::seconds{10};
/// How long the nodes may take to end a run that they were told to stop.
constexpr auto stop_patience = std::chrono::seconds{10};
/// How long the leading node may take to collect the estimates and to measure the end.
constexpr auto result_patience = std::chrono::seconds{120};
constexpr auto result_patience_interrupted = std::chrono::seconds{10};
/// Nodes report ten times a second.
constexpr auto next_report = std::chrono::milliseconds{250};
constexpr auto ask_result_every = std::chrono::milliseconds{200};

using result_ptr = std::shared_ptr<const result_reply>;

run_id random_run_id() {
  std::random_device source;
  std::uniform_int_distribution<run_id> any{1};
  return any(source);
}

/// A node that listens on every address cannot know by which one it is reached; who called it does.
endpoint reachable_address(const endpoint& called, const endpoint& advertised) {
  const auto everywhere = advertised.host.empty() || advertised.host == "0.0.0.0" ||
                          advertised.host == "::" || advertised.port == 0;
  return everywhere ? called : advertised;
}

void refuse_doubles(std::span<const endpoint> called, const std::vector<endpoint>& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (nodes[i] == nodes[j])
        throw input_error{input_fault::configuration,
                          "nodes " + to_string(called[j]) + " and " + to_string(called[i]) + " are the same",
                          "at " + to_string(nodes[i]), "name each node once"};
}

/// The nodes' status once all of them are free; nothing if interrupted.
std::optional<std::vector<node_status>>
wait_until_idle(caf::actor_system& system, const gateway_actor& gateway, std::span<const endpoint> nodes,
                const std::function<bool()>& interrupted, const std::string& tls_words) {
  caf::scoped_actor self{system};
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    const auto answers = ask_nodes(system, gateway, nodes, node_status_request{}, ask_patience, interrupted);
    if (interrupted && interrupted())
      return std::nullopt;
    std::vector<node_status> all;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      all.push_back(expect_answer<node_status>(answers[i], nodes[i]));
    const auto busy = std::find_if(all.begin(), all.end(), [](const auto& x) { return x.state != "idle"; });
    if (busy == all.end())
      return all;
    if (busy->state != "finishing" || std::chrono::steady_clock::now() - begin > idle_patience) {
      const auto where = to_string(nodes[static_cast<std::size_t>(busy - all.begin())]);
      if (busy->state == "joining")
        throw input_error{input_fault::network, "node " + where + " is joining another run", "",
                          "wait for its end, or name other nodes"};
      throw input_error{input_fault::network, "node " + where + " is busy with run " + busy->run_name,
                        busy->state, "wait for its end, or end it with: dybw stop " + where + tls_words};
    }
    self->receive(caf::after(poll_every) >> [] {});
  }
}

run_spec spec_of(const cluster_plan& plan, std::size_t policy) {
  const auto& graph = *plan.inputs.graph;
  run_spec spec;
  spec.run = random_run_id();
  spec.config = plan.inputs.config;
  spec.config.policies = {plan.inputs.policies[policy].text};
  spec.edges.assign(graph.edges().begin(), graph.edges().end());
  if (plan.inputs.policies[policy].closes_by_threshold() && plan.inputs.connecting)
    spec.connecting = *plan.inputs.connecting;
  spec.nodes = plan.nodes;
  spec.placement = plan.placement;
  spec.resume = plan.resume;
  spec.options = plan.options;
  spec.name = name_of_run(plan, policy);
  return spec;
}

/// The fields that are known without a node.
void describe(run_result& result, const cluster_plan& plan, std::size_t policy) {
  const auto& config = plan.inputs.config;
  result.policy = plan.inputs.policies[policy].text;
  result.workers = config.workers;
  result.edges = plan.inputs.graph->edges().size();
  result.topology = plan.inputs.graph->name();
  result.dataset = config.model == "none" ? "none" : config.data.name;
  result.partition = config.partition_text;
  result.model = config.model;
  result.trainer = config.trainer;
  result.seed = config.seed;
  for (const auto& node : plan.nodes)
    result.nodes.push_back({to_string(node), {}, false});
  for (std::size_t w = 0; w < plan.placement.size(); ++w)
    result.nodes[index_of(plan.placement[w])].workers.push_back(static_cast<std::uint32_t>(w));
}

/// The actors of one launched run, and what is known of it.
class launched_run {
public:
  launched_run(caf::actor_system& system, const gateway_actor& gateway, const cluster_plan& plan,
               std::size_t policy, const cluster_controls& controls)
      : self_(system), plan_(plan), policy_(policy), controls_(controls) {
    auto graph = plan.inputs.graph;
    if (!plan.inputs.config.exchange)
      graph = std::make_shared<const topology>(graph->workers(), std::vector<edge>{}, graph->name());
    reporter_options reports{std::move(graph), controls.rounds_file};
    reports.trace = controls.trace;
    reports.evals_file = controls.evals_file;
    reports.log_bytes_max = plan.inputs.config.log_bytes_max;
    reports.in_pairs = plan.inputs.policies[policy].averages_in_pairs();
    reports_ = system.spawn<caf::detached>(reporter, std::move(reports));
    client_ = system.spawn(run_client,
                           run_client_options{gateway, reports_, spec_of(plan, policy), true, std::nullopt});
    describe(end_.run.result, plan, policy);
  }
  ~launched_run() {
    for (const auto& a : {caf::actor_cast<caf::actor>(client_), caf::actor_cast<caf::actor>(reports_)}) {
      self_->send_exit(a, caf::exit_reason::user_shutdown);
      self_->wait_for(a);
    }
  }
  launched_run(const launched_run&) = delete;
  launched_run& operator=(const launched_run&) = delete;

  cluster_end play() {
    if (!launch() || controls_.detach)
      return std::move(end_);
    follow();
    const auto measured = find_result();
    conclude(measured);
    if (measured) { // else whoever leads still measures, and needs the others for it
      self_->send(client_, release_run{});
      ask<cluster_status>(client_, cluster_status_wanted{}); // an exit would overtake it
    }
    return std::move(end_);
  }

private:
  run_result& result() { return end_.run.result; }

  template <class Answer, class Handle, class Question>
  std::optional<Answer> ask(const Handle& whom, Question question) {
    return ask_and_wait<Answer>(
        self_, whom, std::chrono::seconds{30},
        [&](const caf::error& e) { give_up(1, "the program failed: " + caf::to_string(e)); },
        std::move(question));
  }

  void give_up(int exit_code, const std::string& why) {
    if (!result().failed)
      end_.exit_code = exit_code;
    fail(result(), why);
  }

  void pause() {
    self_->receive(caf::after(poll_every) >> [] {});
  }

  /// Shows how it stands. Returns whether the user wants an end.
  bool shows_interrupt(const run_progress& now) {
    last_ = now;
    return controls_.watch && controls_.watch(now);
  }

  /// Until the run has begun. False if it will not; the reason is in the result.
  bool launch() {
    const auto since = std::chrono::steady_clock::now();
    for (;;) {
      const auto status = ask<cluster_status>(client_, cluster_status_wanted{});
      if (!status)
        return false;
      if (status->phase == cluster_phase::failed) {
        if (!result().interrupted)
          give_up(status->exit_code, status->failure);
        return false;
      }
      if (status->phase == cluster_phase::running || status->phase == cluster_phase::over)
        return end_.began = true;
      run_progress now;
      now.begun = false;
      now.elapsed = time_since(since);
      if (!status->waiting_for.empty())
        now.waiting = status->waiting_for.front();
      if (shows_interrupt(now) && !std::exchange(result().interrupted, true))
        self_->send(client_, stop_work{});
      pause();
    }
  }

  void stop() {
    if (stopping_since_)
      return;
    stopping_since_ = std::chrono::steady_clock::now();
    self_->send(client_, stop_work{});
  }

  /// Until the run is over, or does not end although it was told to.
  void follow() {
    auto moved_at = std::chrono::steady_clock::now();
    std::uint64_t steps_seen = 0;
    for (;;) {
      const auto status = ask<cluster_status>(client_, cluster_status_wanted{});
      auto progress = ask<run_progress>(reports_, progress_wanted{});
      if (!status || !progress)
        return;
      tell_who_left(*status);
      if (status->phase == cluster_phase::over)
        return;
      if (std::exchange(steps_seen, progress->local_steps) != progress->local_steps)
        moved_at = std::chrono::steady_clock::now();
      else if (time_since(moved_at) > stall_after)
        progress->waiting = status->waiting;
      if (progress->failure || !status->failure.empty()) {
        give_up(1, progress->failure.value_or(status->failure));
        stop();
      }
      if (shows_interrupt(*progress) && !stopping_since_) {
        result().interrupted = true;
        stop();
      }
      if (stopping_since_ && std::chrono::steady_clock::now() - *stopping_since_ > stop_patience) {
        spdlog::warn("the nodes did not end the run in time");
        return;
      }
      pause();
    }
  }

  void tell_who_left(const cluster_status& status) {
    left_.resize(result().nodes.size());
    for (std::size_t i = 0; i < std::min(status.left.size(), left_.size()); ++i)
      if (const auto before = std::exchange(left_[i], status.left[i]); before.empty() && !left_[i].empty())
        spdlog::warn("node {} leaves the run: {}; the others go on", result().nodes[i].address, left_[i]);
  }

  /// Asks for the result without blocking; it comes as a message.
  void request_result() {
    // With arguments, not captures: CAF's functions for actors without arguments bind a null reference.
    const auto ask_for_result = [](caf::event_based_actor* messenger, const run_client_actor& whom,
                                   const caf::actor& asker) {
      messenger->request(whom, 2 * run_client_state::question_patience, result_wanted{})
          .then([=](const result_ptr& x) { messenger->send(asker, x); },
                [=](const caf::error&) { messenger->send(asker, result_ptr{}); });
    };
    self_->system().spawn(ask_for_result, client_, caf::actor_cast<caf::actor>(self_.ptr()));
  }

  /// The measured end from the leading node; null if nobody has it in time.
  result_ptr find_result() {
    if (!end_.began)
      return nullptr;
    const auto since = std::chrono::steady_clock::now();
    auto asked_at = since - ask_result_every;
    auto under_way = false;
    result_ptr found;
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      const auto patience =
          result().interrupted || stopping_since_ ? result_patience_interrupted : result_patience;
      if (now - since > patience || out_of_reach())
        return nullptr;
      if (!under_way && now - asked_at >= ask_result_every) {
        asked_at = now;
        under_way = true;
        request_result();
      }
      self_->receive(
          [&](const result_ptr& x) {
            under_way = false;
            if (x && x->ready)
              found = x;
          },
          caf::after(poll_every) >> [] {});
      if (found)
        return found;
      auto progress = last_;
      progress.elapsed += time_since(since);
      progress.waiting = "the leading node to measure the end";
      if (shows_interrupt(progress))
        result().interrupted = true;
    }
  }

  /// Nobody is left who could have the result.
  bool out_of_reach() {
    const auto status = ask<cluster_status>(client_, cluster_status_wanted{});
    return !status || status->deserted;
  }

  void conclude(const result_ptr& measured) {
    if (measured)
      self_->receive(caf::after(next_report) >> [] {}); // it says what the final collection took
    const auto status = ask<cluster_status>(client_, cluster_status_wanted{});
    const auto collected = ask<run_outcome_ptr>(reports_, outcome_wanted{});
    if (!status || !collected)
      return;
    const auto& outcome = **collected;
    auto& run = end_.run;
    const auto known = std::exchange(run.result, outcome.result);
    describe(result(), plan_, policy_);
    result().interrupted = known.interrupted;
    result().failed = known.failed;
    result().failure = known.failure;
    run.series = outcome.series;
    run.bin_width_s = outcome.bin_width_s;
    result().parameters = status->parameters;
    result().link_bytes_sent = status->link_bytes_sent;
    result().eval_bytes_sent = status->eval_bytes_sent;
    result().host_cpu_s = status->cpu_s;
    for (std::size_t i = 0; i < result().nodes.size(); ++i)
      result().nodes[i].lost = !status->reachable[i];
    tell_who_left(*status);
    for (std::size_t i = 0; i < result().nodes.size(); ++i)
      result().nodes[i].left = left_[i];
    if (const auto why = all_left_text(result().nodes); !why.empty())
      give_up(1, why);
    if (measured)
      adopt_measured(*measured);
    else if (!result().interrupted)
      give_up(4, status->failure.empty() ? "no node could measure the end of the run; see their logs"
                                         : status->failure);
    if (measured && !status->failure.empty())
      give_up(1, status->failure); // told with the end, which could not be measured
    const auto failed_before = result().failed;
    judge(result(), plan_.inputs.config, outcome);
    if (!failed_before && result().failed)
      end_.exit_code = result().workers_lost.size() == result().workers ? 4 : 1;
  }

  void adopt_measured(const result_reply& measured) {
    auto& r = result();
    const auto& x = measured.result;
    end_.run.average = measured.average;
    r.dataset = x.dataset;
    r.data = x.data;
    r.model = x.model;
    if (is_sound(x.model_layout, r.parameters))
      r.model_layout = x.model_layout;
    r.test_accuracy = x.test_accuracy;
    r.test_loss = x.test_loss;
    r.scores = x.scores;
    r.worst_worker_accuracy = x.worst_worker_accuracy;
    r.scored_workers = x.scored_workers;
    r.consensus_distance = x.consensus_distance;
    r.mixing.mean_drift = x.mixing.mean_drift;
    note_earlier(r, x.resumed);
    for (const auto& why : x.not_written)
      r.not_written.push_back("on the leading node: " + why);
    r.eval_cpu_s = x.eval_cpu_s;
    r.peak_rss_bytes = x.peak_rss_bytes;
    for (std::size_t i = 0; i < std::min(r.per_worker.size(), x.per_worker.size()); ++i) {
      r.per_worker[i].test_accuracy = x.per_worker[i].test_accuracy;
      r.per_worker[i].test_loss = x.per_worker[i].test_loss;
    }
    const auto known_until = r.evaluations.empty() ? -1 : r.evaluations.back().time_s;
    for (const auto& e : x.evaluations)
      if (e.time_s > known_until)
        r.evaluations.push_back(e);
  }

  caf::scoped_actor self_;
  const cluster_plan& plan_;
  std::size_t policy_;
  const cluster_controls& controls_;
  reporter_actor reports_;
  run_client_actor client_;
  cluster_end end_;
  std::vector<std::string> left_; ///< [nodes] see `run_node`
  run_progress last_;
  std::optional<std::chrono::steady_clock::time_point> stopping_since_;
};

} // namespace

std::optional<cluster_plan> plan_on_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                          const run_config& config, std::span<const endpoint> nodes,
                                          const std::string& name, const std::function<bool()>& interrupted,
                                          const std::string& tls_words) {
  cluster_plan plan;
  plan.tls_words = tls_words;
  plan.inputs = plan_run(config);
  plan.name = name;
  const auto all = wait_until_idle(system, gateway, nodes, interrupted, tls_words);
  if (!all)
    return std::nullopt;
  std::vector<std::uint32_t> slots;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    plan.nodes.push_back(reachable_address(nodes[i], (*all)[i].advertised));
    slots.push_back((*all)[i].slots);
  }
  refuse_doubles(nodes, plan.nodes);
  for (auto node : place_workers(config.workers, slots))
    plan.placement.push_back(node_at(node));
  return plan;
}

std::string name_of_run(const cluster_plan& plan, std::size_t policy) {
  if (plan.inputs.policies.size() == 1)
    return plan.name;
  auto text = plan.inputs.policies[policy].text;
  std::replace(text.begin(), text.end(), ':', '-');
  return plan.name + '-' + text;
}

cluster_end run_policy_on_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                const cluster_plan& plan, std::size_t policy,
                                const cluster_controls& controls) {
  const auto since = std::chrono::steady_clock::now();
  const auto interrupted = [&] {
    run_progress now;
    now.begun = false;
    now.elapsed = time_since(since);
    now.waiting = "the nodes to be free";
    return controls.watch && controls.watch(now);
  };
  cluster_end end;
  try {
    if (!wait_until_idle(system, gateway, plan.nodes, interrupted, plan.tls_words)) {
      describe(end.run.result, plan, policy);
      end.run.result.interrupted = true;
      return end;
    }
    require_threads(1); // for the reporter
  } catch (const input_error& error) {
    describe(end.run.result, plan, policy);
    fail(end.run.result, error.what());
    end.exit_code = error.exit_code();
    return end;
  } catch (const std::system_error& error) {
    describe(end.run.result, plan, policy);
    fail(end.run.result,
         fmt::format("this host cannot follow a run: {}; raise its limit of threads", error.what()));
    end.exit_code = 1;
    return end;
  }
  return launched_run{system, gateway, plan, policy, controls}.play();
}

} // namespace dybw
