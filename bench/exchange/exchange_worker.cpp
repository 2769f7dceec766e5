// One worker in a process of its own: the child of bench_exchange.

#include "bench/exchange/exchange.hpp"
#include "bench/exchange/peer_process.hpp"
#include "bench/exchange/thread_times.hpp"

#include "actors/gateway/gateway.hpp"
#include "actors/training/shard.hpp"
#include "actors/training/trainer.hpp"
#include "actors/training/worker.hpp"
#include "actors/transport/system_config.hpp"
#include "actors/transport/tls_context.hpp"
#include "learning/base/random.hpp"

#include <caf/io/middleman.hpp>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace dybw::bench {

namespace {

using std::chrono::steady_clock;

/// So long for ports to open, links to come up; rounds have the parent's patience.
constexpr auto patience = std::chrono::seconds{20};

/// A vector to be averaged; a step size of 0 computes no gradient.
class bare_vector final : public classifier {
public:
  explicit bare_vector(std::size_t parameters) : parameters_(parameters) {}
  std::string name() const override { return "vector"; }
  std::size_t parameter_count() const noexcept override { return parameters_; }
  void initialise(std::uint64_t, std::span<float>) const override {}
  std::unique_ptr<model_workspace> make_workspace(std::size_t) const override {
    return std::make_unique<model_workspace>();
  }
  double loss_and_gradient(std::span<const float>, const batch_view&, std::span<float>,
                           model_workspace&) const override {
    throw std::logic_error("no gradient is asked for");
  }
  batch_score score(std::span<const float>, const batch_view&, model_workspace&) const override { return {}; }

private:
  std::size_t parameters_;
};

std::shared_ptr<const training_setup> make_setup(std::size_t parameters) {
  auto data = std::make_shared<dataset>();
  data->features = 1;
  data->classes = 1;
  data->values = std::vector<float>(1);
  data->labels.resize(1);
  sgd_options still;
  still.step_size = 0;
  return std::make_shared<const training_setup>(
      training_setup{std::make_shared<bare_vector>(parameters), std::move(data),
                     std::make_shared<const sign_projection>(1, parameters), still, 1});
}

parameter_block starting_point(std::size_t worker, std::size_t parameters) {
  auto buffer = std::make_shared<float_buffer>(parameters);
  const auto values = buffer->values();
  for (std::size_t i = 0; i < parameters; ++i)
    values[i] = starting_value(worker, i);
  return parameter_block{std::move(buffer)};
}

/// What one worker left.
struct worker_record {
  std::vector<round_report> rounds;
  parameter_block final_estimate;
};

/// What the workers of this process left: filled by the recorder, read by `main` once `done` is set.
struct recording {
  std::map<worker_id, worker_record> workers;
  std::size_t working = 0;
  thread_times at_warm; ///< after the warm-up
  thread_times at_end;
  std::promise<void> done;
};

/// Stands in for the reporter: writes everything down, on a thread of its own as that does.
reporter_actor::behavior_type recorder(reporter_actor::pointer, std::shared_ptr<recording> to,
                                       exchange_case what) {
  name_this_thread("recorder");
  for (auto& [id, record] : to->workers)
    record.rounds.reserve(what.warm_up + what.rounds);
  return {
      [](const watch_workers&) {},
      [to, what](const round_report& x) {
        to->workers.at(x.mixed.worker).rounds.push_back(x);
        if (x.mixed.round == what.warm_up)
          to->at_warm = read_thread_times();
        if (x.mixed.round == what.warm_up + what.rounds)
          to->at_end = read_thread_times();
      },
      [](const recorded_events&) {},
      [](const worker_failed&) {},
      [to](const worker_finished& x) {
        to->workers.at(x.totals.worker).final_estimate = x.parameters;
        if (--to->working == 0)
          to->done.set_value();
      },
      [](const evaluation&) {},
      [](const workers_gone&) {},
      [](const part_changed&) {},
      [](const pass_on_due&) {},
      [](const workers_back&) {},
      [](const flush_due&) {},
      [](const progress_wanted&) { return run_progress{}; },
      [](const outcome_wanted&) { return run_outcome_ptr{}; },
      [](const metrics_wanted&) { return std::make_shared<const process_metrics>(); },
  };
}

control_client_actor::behavior_type nobody_calls(control_client_actor::pointer) {
  return {[](const control_opened&) {}, [](const control_failed&) {}, [](const control_received&) {},
          [](const control_closed&) {}};
}

/// Links to come up; tells why if they do not.
struct links_up {
  std::size_t missing = 0;
  std::string reason = "no neighbour has answered yet";
  std::promise<void> all;
  std::mutex guard;
};

link_listener_actor::behavior_type link_listener(link_listener_actor::pointer, std::shared_ptr<links_up> to) {
  return {[to](const link_changed& x) {
    const std::lock_guard lock{to->guard};
    if (!x.up) {
      to->reason = x.reason;
      return;
    }
    if (to->missing > 0 && --to->missing == 0)
      to->all.set_value();
  }};
}

/// Everything of one process, in the order in which a node puts it together.
class exchange_process {
public:
  explicit exchange_process(const nlohmann::json& task)
      : self_(task.at("process").get<std::size_t>()), what_{task.at("topology"),  task.at("workers"),
                                                            task.at("processes"), task.at("parameters"),
                                                            task.at("rounds"),    task.at("warm_up"),
                                                            task.at("send")},
        graph_(std::make_shared<const topology>(make_topology(what_.topology, what_.workers, 1))),
        setup_(make_setup(what_.parameters)), system_(settings_) {
    gateway_options options;
    options.listen = endpoint{"127.0.0.1", 0};
    if (task.contains("certificate"))
      options.tls = std::make_shared<tls_context>(tls_files{task.at("certificate").get<std::string>(),
                                                            task.at("key").get<std::string>(),
                                                            task.at("authority").get<std::string>()});
    options.acceptor = keep(system_.spawn(nobody_calls));
    system_.middleman().backend().post([] { name_this_thread("network"); });
    auto opened = open_gateway(system_, options);
    gateway_ = keep(opened.handle);
    port_ = opened.advertised.port;
    spawn_workers();
  }
  ~exchange_process() {
    caf::scoped_actor self{system_};
    for (const auto& a : actors_)
      self->send_exit(a, caf::exit_reason::user_shutdown);
  }
  exchange_process(const exchange_process&) = delete;
  exchange_process& operator=(const exchange_process&) = delete;

  std::uint16_t port() const { return port_; }

  void link_up(const std::vector<std::uint16_t>& ports) {
    auto up = std::make_shared<links_up>();
    up->missing = processes_next_to(*graph_, what_.processes, self_).size();
    auto all = up->all.get_future();
    join_run join;
    join.run = 1;
    join.self = node_at(self_);
    for (auto port : ports)
      join.nodes.push_back({"127.0.0.1", port});
    for (std::size_t i = 0; i < what_.workers; ++i)
      join.placement.push_back(node_at(process_of(i, what_.processes)));
    join.graph = graph_;
    join.parameters = what_.parameters;
    join.workers = workers_;
    join.send = format_of(what_);
    join.listener = keep(system_.spawn(link_listener, up));
    caf::anon_send(gateway_, std::move(join));
    if (all.wait_for(patience) != std::future_status::ready) {
      const std::lock_guard lock{up->guard};
      throw std::runtime_error("a link did not come up: " + up->reason);
    }
  }

  void run() {
    auto done = recording_->done.get_future();
    const auto origin = steady_clock::now();
    for (const auto& [id, record] : recording_->workers) {
      meet_neighbours meet{{}, origin, link_actor{gateway_}};
      for (auto neighbour : graph_->neighbours(id))
        meet.neighbours.push_back(workers_[index_of(neighbour)]);
      caf::anon_send(workers_[index_of(id)], std::move(meet));
    }
    for (const auto& [id, record] : recording_->workers)
      caf::anon_send(workers_[index_of(id)], begin_work{});
    done.wait(); // the parent ends this process when its patience is over
  }

  nlohmann::json result() {
    std::vector<double> round_s;
    std::vector<double> mix_s;
    std::string complaints;
    double largest = 0;
    double sum = 0;
    for (const auto& [id, record] : recording_->workers) {
      complaints += complaint(id, record);
      for (std::size_t i = what_.warm_up; i < record.rounds.size(); ++i) {
        round_s.push_back(to_seconds(record.rounds[i].done - record.rounds[i - 1].done));
        mix_s.push_back(to_seconds(record.rounds[i].joined - record.rounds[i - 1].done));
      }
      largest = std::max(largest, max_error(id, record));
      for (auto x : record.final_estimate.values())
        sum += static_cast<double>(x);
    }
    const auto sent = ask_traffic();
    return {{"round_s", round_s},
            {"mix_s", mix_s},
            {"complaint", complaints},
            {"max_error", largest},
            {"sum", sum},
            {"bytes_sent", sent.link_bytes_sent},
            {"blocks_sent", sent.blocks_sent},
            {"threads", to_json(recording_->at_end - recording_->at_warm)}};
  }

private:
  template <class Handle>
  Handle keep(Handle handle) {
    actors_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  void spawn_workers() {
    workers_.resize(what_.workers);
    for (auto i = self_; i < what_.workers; i += what_.processes)
      recording_->workers[worker_at(i)];
    const auto here = recording_->workers.size();
    recording_->working = here;
    const auto threads = std::min<std::size_t>(here, std::max(1U, std::thread::hardware_concurrency()));
    const auto trainers = keep(system_.spawn(trainer_pool, setup_, threads, true));
    const auto workspaces = std::make_shared<spare_workspaces>(setup_, threads);
    const auto reports = keep(system_.spawn<caf::detached>(recorder, recording_, what_));
    for (const auto& [id, record] : recording_->workers) {
      auto options = options_of(id);
      options.trainers = trainers;
      options.workspaces = workspaces;
      options.reporter = reports;
      workers_[index_of(id)] = keep(system_.spawn(worker, std::move(options)));
    }
  }

  worker_options options_of(worker_id id) {
    worker_options options;
    options.machine.self = id;
    options.machine.graph = graph_;
    options.machine.policy = parse_policy("full", graph_->smallest_degree(), worker_id{0});
    options.machine.planned_connecting = std::make_shared<const std::vector<edge>>();
    options.machine.last_round = what_.warm_up + what_.rounds;
    options.machine.round_timeout = std::chrono::minutes{1};
    options.training = setup_;
    options.send = format_of(what_);
    options.initial = starting_point(index_of(id), what_.parameters);
    options.clock = std::make_shared<step_clock>("", "none", what_.workers, id, 1);
    options.shard = keep(system_.spawn(
        shard, mini_batch_sampler{{0}, 1, make_generator(1, random_stream::mini_batches, index_of(id))}));
    return options;
  }

  traffic ask_traffic() {
    traffic answer;
    caf::scoped_actor self{system_};
    self->request(gateway_, patience, traffic_wanted{})
        .receive([&](const traffic& x) { answer = x; },
                 [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
    return answer;
  }

  /// What was not as it should be in some round; empty if all was well.
  std::string complaint(worker_id id, const worker_record& record) const {
    const auto rounds = what_.warm_up + what_.rounds;
    const auto degree = graph_->degree(id);
    const auto who = "worker " + to_string(id);
    if (record.rounds.size() != rounds)
      return who + " did " + std::to_string(record.rounds.size()) + " rounds; ";
    for (const auto& x : record.rounds)
      if (x.mixed.committed.size() != degree)
        return who + " averaged with " + std::to_string(x.mixed.committed.size()) + " of " +
               std::to_string(degree) + " neighbours in round " + std::to_string(x.mixed.round) + "; ";
    return {};
  }

  /// Largest difference of any element from what it must be by the weights and all workers' starting points.
  double max_error(worker_id id, const worker_record& record) const {
    const auto shares = shares_after(*graph_, index_of(id), what_.warm_up + what_.rounds);
    const auto values = record.final_estimate.values();
    double largest = values.size() == what_.parameters ? 0 : INFINITY;
    for (std::size_t i = 0; i < values.size(); ++i) {
      double expected = 0;
      for (std::size_t j = 0; j < shares.size(); ++j)
        expected += shares[j] * static_cast<double>(starting_value(j, i));
      largest = std::max(largest, std::abs(expected - static_cast<double>(values[i])));
    }
    return largest;
  }

  std::size_t self_; ///< this process
  exchange_case what_;
  std::shared_ptr<const topology> graph_;
  std::shared_ptr<const training_setup> setup_;
  std::shared_ptr<recording> recording_ = std::make_shared<recording>();
  network_config settings_;
  caf::actor_system system_;
  std::vector<caf::actor> actors_;
  gateway_actor gateway_;
  std::vector<worker_actor> workers_; ///< [workers], null for those of other processes
  std::uint16_t port_ = 0;
};

} // namespace

std::size_t process_of(std::size_t worker, std::size_t processes) {
  return worker % processes;
}

std::set<std::size_t> processes_next_to(const topology& graph, std::size_t processes, std::size_t process) {
  std::set<std::size_t> found;
  for (const auto& e : graph.edges()) {
    const auto a = process_of(index_of(e.a), processes);
    const auto b = process_of(index_of(e.b), processes);
    if (a != b && (a == process || b == process))
      found.insert(a == process ? b : a);
  }
  return found;
}

float starting_value(std::size_t worker, std::size_t index) {
  const auto bits = split_mix((static_cast<std::uint64_t>(worker + 1) << 40U) + index) >> 40U;
  return 0.5F + static_cast<float>(bits) * 0x1p-24F;
}

std::vector<double> shares_after(const topology& graph, std::size_t worker, std::uint64_t rounds) {
  std::vector<double> shares(graph.workers());
  shares[worker] = 1;
  for (std::uint64_t k = 0; k < rounds; ++k) {
    auto next = shares;
    for (const auto& e : graph.edges()) {
      const auto flow = metropolis_weight(graph.degree(e.a), graph.degree(e.b)) *
                        (shares[index_of(e.b)] - shares[index_of(e.a)]);
      next[index_of(e.a)] += flow;
      next[index_of(e.b)] -= flow;
    }
    shares = std::move(next);
  }
  return shares;
}

double bytes_per_round(const topology& graph, std::size_t processes, std::size_t worker,
                       std::size_t parameters, block_format send) {
  const auto here = process_of(worker, processes);
  std::set<std::size_t> elsewhere;
  double neighbours = 0;
  for (auto n : graph.neighbours(worker_at(worker)))
    if (const auto there = process_of(index_of(n), processes); there != here) {
      elsewhere.insert(there);
      ++neighbours;
    }
  const auto block = 4 * static_cast<double>(coded_words(send, parameters, true)) + 16;
  return block * static_cast<double>(elsewhere.size()) + 104 * neighbours;
}

block_format format_of(const exchange_case& what) {
  const auto* const found = std::ranges::find(block_format_names, what.send);
  if (found == std::end(block_format_names))
    throw std::runtime_error("no format is called " + what.send);
  return static_cast<block_format>(found - std::begin(block_format_names));
}

void work_in_exchange() {
  try {
    exchange_process process{hear_parent()};
    tell_parent({{"port", process.port()}});
    process.link_up(hear_parent().at("ports"));
    tell_parent({{"linked", true}});
    hear_parent(); // begin
    process.run();
    tell_parent(process.result());
    hear_parent(); // all are done: nobody needs this end of the links any more
  } catch (const std::exception& e) {
    tell_parent({{"error", e.what()}});
    throw;
  }
}

} // namespace dybw::bench
