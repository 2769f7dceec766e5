#include "actors/cluster/follow_machine.hpp"

#include "learning/base/error.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <tuple>

namespace dybw {

namespace {

constexpr int exit_interrupted = 130;
constexpr int exit_run_failed = 1;
constexpr auto exit_configuration = static_cast<int>(input_fault::configuration);
constexpr auto exit_network = static_cast<int>(input_fault::network);

/// Redials give up earlier: after an outage a fresh attempt gets through sooner than an old one.
constexpr nanoseconds redial_patience{std::chrono::seconds{2}};
constexpr nanoseconds ask_every{std::chrono::seconds{1}};

struct difference {
  int exit_code = 0;
  std::string line;
};

/// How two nodes differ that are to do the same run.
std::optional<difference> compare(const std::string& first, const prepare_run_reply& a,
                                  const std::string& second, const prepare_run_reply& b) {
  if (a.config_hash != b.config_hash)
    return difference{exit_configuration,
                      fmt::format("nodes {} and {} understood the run differently (configuration hashes "
                                  "{:016x} and {:016x}); run the same version of dybw on both",
                                  first, second, a.config_hash, b.config_hash)};
  if (a.data_hash != b.data_hash || a.training_samples != b.training_samples)
    return difference{
        exit_configuration,
        fmt::format("nodes {} and {} have different data ({} training samples, hash {:016x}, and {}, "
                    "hash {:016x}); give both the same files with --data",
                    first, second, a.training_samples, a.data_hash, b.training_samples, b.data_hash)};
  if (a.parameters != b.parameters)
    return difference{
        exit_configuration,
        fmt::format("nodes {} and {} build different models ({} and {} parameters); run the same "
                    "version of dybw on both",
                    first, second, a.parameters, b.parameters)};
  return std::nullopt;
}

/// The audit looks at the edges.
bool is_sound(const exchange_news& x, worker_id of) {
  return std::all_of(x.halves.begin(), x.halves.end(),
                     [of](const exchange_half& half) { return half.worker == of; });
}

/// Whether the report can be added up: nothing in it points beyond the run.
bool is_sound(const round_report& x, std::size_t workers) {
  const auto known = [&](worker_id id) { return index_of(id) < workers; };
  return x.mixed.committed.size() <= x.degree &&
         std::all_of(x.mixed.committed.begin(), x.mixed.committed.end(),
                     [&](const mix_term& t) { return known(t.neighbour); }) &&
         std::all_of(x.mixed.departed.begin(), x.mixed.departed.end(), known) &&
         is_sound(x.exchanges, x.mixed.worker);
}

} // namespace

follow_machine::follow_machine(follow_machine_options options)
    : options_(std::move(options)),
      silence_max_(std::max(from_seconds(options_.spec.config.suspect_after_s), silence_min)),
      stage_(options_.launches ? stage::calling : stage::following), nodes_(options_.spec.nodes.size()),
      workers_(options_.spec.placement.size()) {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    nodes_[i].address = options_.spec.nodes[i];
  for (std::size_t w = 0; w < workers_.size(); ++w)
    nodes_[index_of(options_.spec.placement[w])].workers.push_back(worker_at(w));
}

std::vector<follow_effect> follow_machine::open(nanoseconds now) {
  now_ = ticked_ = stage_began_ = now;
  effects_.clear();
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (!is_here(i))
      call(i);
  return std::move(effects_);
}

std::vector<follow_effect> follow_machine::step(nanoseconds now, const follow_event& what) {
  now_ = now;
  effects_.clear();
  std::visit([this](const auto& e) { on(e); }, what);
  return std::move(effects_);
}

// --- Connections ---

void follow_machine::on(const node_reached& e) {
  const auto i = index_of(e.node);
  auto& n = nodes_[i];
  if (n.line != line::calling)
    return;
  n.line = line::open;
  n.changed = n.heard = now_;
  n.answered = true;
  if (stage_ == stage::calling)
    advance_launch();
  else
    follow(e.node);
}

void follow_machine::on(const node_not_reached& e) {
  const auto i = index_of(e.node);
  auto& n = nodes_[i];
  if (n.line != line::calling)
    return;
  n.line = line::closed;
  n.changed = now_;
  if (launching())
    fail(exit_network, e.reason);
  else
    lose(i, e.reason);
}

void follow_machine::on(const node_hung_up& e) {
  const auto i = index_of(e.node);
  auto& n = nodes_[i];
  if (n.line != line::open)
    return;
  n.line = line::closed;
  n.changed = now_;
  if (stage_ < stage::beginning) {
    fail(exit_network,
         fmt::format("node {} went away before the run began ({}); see its log", name_of(i), e.reason));
    return;
  }
  lose(i, e.reason);
  n.answered = true; // if the run is just beginning: it does so without this node
  advance_launch();
}

void follow_machine::on(const node_moved& e) {
  if (e.run == options_.spec.run && index_of(e.node) < nodes_.size())
    nodes_[index_of(e.node)].address = e.advertised;
}

void follow_machine::on(const node_said& e) {
  auto& n = nodes_[index_of(e.node)];
  if (n.line != line::open || stage_ == stage::failed)
    return;
  if (launching())
    n.heard = now_;
  std::visit([&](const auto& x) { hear(e.node, x); }, *e.message);
}

void follow_machine::call(std::size_t i) {
  auto& n = nodes_[i];
  n.line = line::calling;
  n.changed = now_;
  effects_.emplace_back(call_node{node_at(i), n.address, launching() ? call_patience : redial_patience});
}

template <class Message>
void follow_machine::tell(std::size_t i, Message message) {
  if (nodes_[i].line == line::open)
    effects_.emplace_back(tell_node{node_at(i), std::make_shared<const control_message>(std::move(message))});
}

// --- Launching ---

void follow_machine::enter(stage next) {
  stage_ = next;
  stage_began_ = now_;
  const auto run = options_.spec.run;
  for (auto& n : nodes_)
    n.answered = false;
  if (next == stage::beginning) {
    effects_.emplace_back(run_begins{});
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      tell(i, subscribe_request{run});
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (next == stage::preparing) {
      auto spec = options_.spec;
      spec.self = node_at(i);
      tell(i, prepare_run_request{std::move(spec)});
    } else if (next == stage::linking) {
      tell(i, connect_request{run});
    } else if (next == stage::beginning) {
      tell(i, begin_request{run});
    } else if (next == stage::following) {
      nodes_[i].heard = now_;
    }
  }
}

/// Goes on to the next stage once every node has answered in this one.
void follow_machine::advance_launch() {
  if (!launching() || !std::all_of(nodes_.begin(), nodes_.end(), [](const member& n) { return n.answered; }))
    return;
  if (stage_ == stage::preparing)
    for (std::size_t i = 1; i < nodes_.size(); ++i)
      if (const auto found = compare(name_of(0), nodes_[0].ready, name_of(i), nodes_[i].ready)) {
        fail(found->exit_code, found->line);
        return;
      }
  enter(static_cast<stage>(static_cast<int>(stage_) + 1));
}

void follow_machine::hear(node_index id, const prepare_run_reply& x) {
  if (stage_ != stage::preparing)
    return;
  auto& n = nodes_[index_of(id)];
  if (!x.refusal.empty()) {
    fail(x.exit_code != 0 ? x.exit_code : exit_network,
         fmt::format("node {}: {}", name_of(index_of(id)), x.refusal));
    return;
  }
  n.ready = x;
  n.answered = true;
  advance_launch();
}

void follow_machine::hear(node_index id, const connect_reply& x) {
  if (stage_ != stage::linking)
    return;
  if (!x.refusal.empty()) {
    fail(exit_network, fmt::format("node {}: {}", name_of(index_of(id)), x.refusal));
    return;
  }
  nodes_[index_of(id)].answered = true;
  advance_launch();
}

void follow_machine::hear(node_index id, const begin_reply& x) {
  if (stage_ != stage::beginning)
    return;
  if (!x.refusal.empty()) {
    fail(exit_network, fmt::format("node {}: {}", name_of(index_of(id)), x.refusal));
    return;
  }
  nodes_[index_of(id)].answered = true;
  advance_launch();
}

/// Every node lets go of the run, also those that have begun already.
void follow_machine::fail(int exit_code, const std::string& why) {
  const auto run = options_.spec.run;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (stage_ == stage::beginning)
      tell(i, stop_request{run});
    if (stage_ > stage::calling)
      tell(i, abandon_request{run});
    if (nodes_[i].line != line::closed)
      effects_.emplace_back(hang_up{node_at(i)});
    nodes_[i].line = line::closed;
  }
  stage_ = stage::failed;
  failure_ = why;
  exit_code_ = exit_code;
}

std::vector<std::string> follow_machine::unanswered() const {
  const auto what = [this]() -> std::string {
    switch (stage_) {
    case stage::calling:
      return "to answer";
    case stage::preparing:
      return "to load its data";
    case stage::linking:
      return "to connect to the nodes of its neighbours";
    default:
      return "to begin";
    }
  };
  std::vector<std::string> lines;
  if (launching())
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (!nodes_[i].answered)
        lines.push_back(fmt::format("node {} {}", name_of(i), what()));
  return lines;
}

// --- Following ---

void follow_machine::follow(node_index id) {
  auto& n = nodes_[index_of(id)];
  n.dropped_before += std::exchange(n.dropped, 0);
  tell(index_of(id), subscribe_request{options_.spec.run});
  if (stopping_)
    tell(index_of(id), stop_request{options_.spec.run});
}

void follow_machine::hear(node_index id, const report_batch& x) {
  if (x.run != options_.spec.run || stage_ < stage::beginning)
    return;
  auto& n = nodes_[index_of(id)];
  n.heard = now_;
  regain(index_of(id));
  n.newest = report_batch{};
  n.newest.elapsed_s = x.elapsed_s;
  n.newest.component = x.component;
  n.newest.lead = x.lead;
  n.newest.link_bytes_sent = x.link_bytes_sent;
  n.newest.eval_bytes_sent = x.eval_bytes_sent;
  n.newest.cpu_s = x.cpu_s;
  n.has_reported = true;
  if (!x.failure.empty() && failure_.empty()) {
    failure_ = fmt::format("node {}: {}", name_of(index_of(id)), x.failure);
    exit_code_ = exit_run_failed;
  }
  pass_on(id, x);
}

void follow_machine::pass_on(node_index id, const report_batch& x) {
  auto& n = nodes_[index_of(id)];
  if (x.rounds_dropped > n.dropped) {
    // There are gaps in what these workers say: for the audit they were away.
    lose(index_of(id), fmt::format("{} of its reports did not get through", x.rounds_dropped - n.dropped));
    regain(index_of(id));
    n.dropped = x.rounds_dropped;
  }
  const auto is_theirs = [&](worker_id w) {
    return index_of(w) < workers_.size() && options_.spec.placement[index_of(w)] == id;
  };
  for (const auto& r : x.rounds) {
    if (!is_theirs(r.mixed.worker) || !is_sound(r, workers_.size()))
      continue;
    auto& w = workers_[index_of(r.mixed.worker)];
    if (r.mixed.round <= w.newest)
      continue;
    w.newest = r.mixed.round;
    effects_.emplace_back(run_news{r});
  }
  for (const auto& end : x.finished) {
    if (!is_theirs(end.totals.worker) || !is_sound(end.exchanges, end.totals.worker) ||
        std::exchange(workers_[index_of(end.totals.worker)].ended, true))
      continue;
    effects_.emplace_back(run_news{end});
  }
  workers_gone crashed{{}, fmt::format("it ended on node {}, see its log", name_of(index_of(id)))};
  for (auto w : x.lost)
    if (is_theirs(w) && !std::exchange(workers_[index_of(w)].ended, true))
      crashed.workers.push_back(w);
  if (!crashed.workers.empty())
    effects_.emplace_back(run_news{std::move(crashed)});
  const auto candidates = result_candidates();
  if (candidates.empty() || candidates.front() != id)
    return; // in a network that fell apart only one part is shown
  for (const auto& e : x.evaluations)
    if (e.time_s > newest_evaluation_s_) {
      newest_evaluation_s_ = e.time_s;
      effects_.emplace_back(run_news{e});
    }
}

/// A node that was restarted may have another address; the others know it.
void follow_machine::hear(node_index id, const node_status& x) {
  if (x.run != options_.spec.run)
    return;
  nodes_[index_of(id)].waiting = x.waiting;
  if (x.nodes.size() != nodes_.size())
    return;
  for (auto& n : nodes_)
    if (n.gone)
      n.address = x.nodes[static_cast<std::size_t>(&n - nodes_.data())];
}

std::vector<worker_id> follow_machine::unfinished(std::size_t i) const {
  std::vector<worker_id> ids;
  for (auto w : nodes_[i].workers)
    if (!workers_[index_of(w)].ended)
      ids.push_back(w);
  return ids;
}

void follow_machine::lose(std::size_t i, const std::string& reason) {
  auto& n = nodes_[i];
  if (std::exchange(n.gone, true))
    return;
  n.gone_since = now_;
  n.waiting.clear();
  if (auto ids = unfinished(i); !ids.empty())
    effects_.emplace_back(
        run_news{workers_gone{std::move(ids), fmt::format("node {}: {}", name_of(i), reason)}});
}

void follow_machine::regain(std::size_t i) {
  if (!std::exchange(nodes_[i].gone, false))
    return;
  if (auto ids = unfinished(i); !ids.empty())
    effects_.emplace_back(run_news{workers_back{std::move(ids)}});
}

void follow_machine::on(const time_passed&) {
  const auto paused = now_ - ticked_ > silence_max_ / 2; // we were asleep, not they
  ticked_ = now_;
  if (paused)
    for (auto& n : nodes_)
      n.heard = now_;
  if (launching()) {
    watch_launch();
    return;
  }
  if (stage_ == stage::failed || released_)
    return;
  notice_silence();
  call_lost_nodes();
  ask_how_it_stands();
  notice_end();
}

/// Gives the launch up when a stage takes too long, or a node that loads its data does not even answer.
void follow_machine::watch_launch() {
  const auto patience = stage_ == stage::calling     ? call_patience + link_patience / 4
                        : stage_ == stage::preparing ? load_patience
                                                     : link_patience;
  if (now_ - stage_began_ > patience) {
    fail(exit_network,
         fmt::format("waited {:.0f} s for {}; see its log", to_seconds(patience), unanswered().front()));
    return;
  }
  if (stage_ != stage::preparing)
    return;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (now_ - nodes_[i].heard > silence_while_loading) {
      fail(exit_network, fmt::format("node {} gave no sign of life for {:.0f} s; see its log", name_of(i),
                                     to_seconds(silence_while_loading)));
      return;
    }
  if (now_ - asked_how_it_stands_ >= ask_every) {
    asked_how_it_stands_ = now_;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      tell(i, node_status_request{});
  }
}

void follow_machine::notice_silence() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& n = nodes_[i];
    if (n.line != line::open || now_ - n.heard <= silence_max_)
      continue;
    effects_.emplace_back(hang_up{node_at(i)});
    n.line = line::closed;
    n.changed = now_;
    lose(i, fmt::format("no sign of life for {:.1f} s", to_seconds(now_ - n.heard)));
  }
}

void follow_machine::call_lost_nodes() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].line == line::closed && !is_here(i) && now_ - nodes_[i].changed >= call_again_after)
      call(i);
}

/// For what people are shown, and for where restarted nodes are.
void follow_machine::ask_how_it_stands() {
  if (now_ - asked_how_it_stands_ < ask_every)
    return;
  asked_how_it_stands_ = now_;
  const auto anybody_gone = std::any_of(nodes_.begin(), nodes_.end(), [](const member& n) { return n.gone; });
  if (options_.launches || anybody_gone)
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (!nodes_[i].gone)
        tell(i, node_status_request{});
}

/// Over: every worker has said its last word, or its node is gone and nobody works any more.
void follow_machine::notice_end() {
  if (stage_ != stage::following)
    return;
  auto ended = std::size_t{0};
  auto lost_at = std::optional<nanoseconds>{};
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& n = nodes_[i];
    const auto done = n.workers.size() - unfinished(i).size();
    ended += done;
    if (is_here(i) || done == n.workers.size())
      continue;
    if (!n.gone)
      return;
    lost_at = std::max(lost_at.value_or(n.gone_since), n.gone_since);
  }
  if (lost_at && now_ - *lost_at < (ended > 0 ? straggler_patience : nobody_patience))
    return;
  stage_ = stage::over;
  if (ended == 0 && lost_at && !options_.here && failure_.empty()) {
    failure_ = fmt::format("no node of the run answers any more (waited {:.0f} s); what they measured is in "
                           "their --out directories",
                           to_seconds(now_ - *lost_at));
    exit_code_ = exit_network;
  }
}

void follow_machine::on(const stop_asked_for&) {
  if (stage_ < stage::beginning) {
    fail(exit_interrupted, "interrupted before the run began");
    return;
  }
  stopping_ = true;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    tell(i, stop_request{options_.spec.run});
}

void follow_machine::on(const release_asked_for&) {
  if (stage_ == stage::failed)
    return;
  if (launching()) {
    fail(exit_interrupted, "interrupted before the run began");
    return;
  }
  released_ = true;
  stage_ = stage::over;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (!is_measured_elsewhere(i))
      tell(i, run_over{options_.spec.run});
}

/// In a network that fell apart each part has a lead, which measures and lets go of its own part.
bool follow_machine::is_measured_elsewhere(std::size_t i) const {
  const auto candidates = result_candidates();
  const auto measured_by = options_.here        ? options_.here
                           : candidates.empty() ? std::nullopt
                                                : std::optional{candidates.front()};
  const auto lead = std::size_t{nodes_[i].newest.lead};
  if (!measured_by || !nodes_[i].has_reported || lead >= nodes_.size() || lead == index_of(*measured_by))
    return false;
  const auto& other = nodes_[lead];
  return other.line == line::open && !other.gone && other.has_reported && other.newest.lead == lead;
}

// --- Asking ---

std::string follow_machine::name_of(std::size_t i) const {
  return to_string(nodes_[i].address);
}

cluster_status follow_machine::status() const {
  cluster_status x;
  switch (stage_) {
  case stage::calling:
    x.phase = cluster_phase::connecting;
    break;
  case stage::preparing:
    x.phase = cluster_phase::preparing;
    break;
  case stage::linking:
  case stage::beginning:
    x.phase = cluster_phase::linking;
    break;
  case stage::following:
    x.phase = cluster_phase::running;
    break;
  case stage::over:
    x.phase = cluster_phase::over;
    break;
  case stage::failed:
    x.phase = cluster_phase::failed;
    break;
  }
  x.failure = failure_;
  x.exit_code = exit_code_;
  x.waiting_for = unanswered();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& n = nodes_[i];
    x.reachable.push_back(is_here(i) || (n.line == line::open && !n.gone));
    x.parameters = std::max(x.parameters, n.ready.parameters);
    x.training_samples = std::max(x.training_samples, n.ready.training_samples);
    x.rounds_dropped += n.dropped_before + n.dropped;
    x.link_bytes_sent += n.newest.link_bytes_sent;
    x.eval_bytes_sent += n.newest.eval_bytes_sent;
    x.cpu_s += n.newest.cpu_s;
    if (x.waiting.empty())
      x.waiting = n.waiting;
  }
  return x;
}

std::vector<node_index> follow_machine::result_candidates() const {
  struct candidate {
    std::size_t index;
    std::uint32_t led = 0; ///< the largest part that it is said to lead
  };
  std::vector<candidate> all;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].line == line::open && !nodes_[i].gone) {
      all.push_back({i});
      for (const auto& n : nodes_)
        if (n.has_reported && !n.gone && n.newest.lead == i)
          all.back().led = std::max(all.back().led, n.newest.component);
    }
  std::stable_sort(all.begin(), all.end(),
                   [](const candidate& a, const candidate& b) { return a.led > b.led; });
  std::vector<node_index> order;
  for (const auto& c : all)
    order.push_back(node_at(c.index));
  return order;
}

} // namespace dybw
