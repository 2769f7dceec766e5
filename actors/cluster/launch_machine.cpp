#include "actors/cluster/launch_machine.hpp"

#include "learning/base/error.hpp"
#include "messages/limits.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <optional>

namespace dybw {

namespace {

constexpr int exit_interrupted = 130;
constexpr auto exit_configuration = static_cast<int>(input_fault::configuration);
constexpr auto exit_network = static_cast<int>(input_fault::network);

/// How two nodes differ that are to do the same run.
std::optional<std::string> compare(const std::string& first, const prepare_run_reply& a,
                                   const std::string& second, const prepare_run_reply& b) {
  if (a.config_hash != b.config_hash)
    return fmt::format("nodes {} and {} understood the run differently (configuration hashes {:016x} and "
                       "{:016x}); run the same version of dybw on both",
                       first, second, a.config_hash, b.config_hash);
  if (const auto different = first_difference(a.arrays, b.arrays); !different.empty())
    return fmt::format(
        "the trainers do not fit each other, those of node {} here and those of node {} there: "
        "{}; give all the same model",
        first, second, different);
  if (a.data_hash != b.data_hash || a.training_samples != b.training_samples)
    return fmt::format(
        "nodes {} and {} have different data or step times ({} training samples, hash {:016x}, and {}, "
        "hash {:016x}); give both the same files with --data and --step-time trace:FILE",
        first, second, a.training_samples, a.data_hash, b.training_samples, b.data_hash);
  if (a.parameters != b.parameters)
    return fmt::format("nodes {} and {} build different models ({} and {} parameters); run the same version "
                       "of dybw on both",
                       first, second, a.parameters, b.parameters);
  return std::nullopt;
}

} // namespace

launch_machine::launch_machine(run_spec spec) : spec_(std::move(spec)) {
  for (auto& line : lines_to(spec_.nodes))
    nodes_.emplace_back(std::move(line));
}

std::vector<launch_effect> launch_machine::open(nanoseconds now) {
  now_ = ticked_ = stage_began_ = now;
  for (auto& n : nodes_)
    effects_.emplace_back(n.call(now_));
  return std::exchange(effects_, {});
}

std::vector<launch_effect> launch_machine::step(nanoseconds now, const launch_event& what) {
  now_ = now;
  std::visit([this](const auto& e) { on(e); }, what);
  return std::exchange(effects_, {});
}

void launch_machine::on(const node_reached& e) {
  auto& n = at(e.node);
  if (!n.reached(now_))
    return;
  n.answered = true;
  advance();
}

void launch_machine::on(const node_not_reached& e) {
  if (at(e.node).lost(now_))
    fail(exit_network, e.reason);
}

void launch_machine::on(const node_hung_up& e) {
  auto& n = at(e.node);
  if (!n.lost(now_))
    return;
  if (stage_ < stage::beginning) {
    fail(exit_network,
         fmt::format("node {} went away before the run began ({}); see its log", n.name(), e.reason));
    return;
  }
  n.answered = true; // the run begins without this node
  advance();
}

void launch_machine::on(const node_said& e) {
  auto& n = at(e.node);
  if (!n.is_open())
    return;
  n.heard = now_;
  std::visit([&](const auto& x) { hear(n, x); }, *e.message);
}

void launch_machine::hear(member& n, const prepare_run_reply& x) {
  if (stage_ == stage::preparing)
    n.ready = x;
  note_answer(n, stage::preparing, x.refusal, x.exit_code);
}

void launch_machine::note_answer(member& n, stage asked_in, const std::string& refusal, int exit_code) {
  if (stage_ != asked_in)
    return;
  if (!refusal.empty()) {
    fail(exit_code != 0 ? exit_code : exit_network, fmt::format("node {}: {}", n.name(), refusal));
    return;
  }
  n.answered = true;
  advance();
}

/// Goes on to the next stage once every node has answered in this one.
void launch_machine::advance() {
  if (is_over() || !std::ranges::all_of(nodes_, &member::answered))
    return;
  if (stage_ == stage::preparing)
    for (const auto& n : nodes_)
      if (const auto found = compare(nodes_[0].name(), nodes_[0].ready, n.name(), n.ready)) {
        fail(exit_configuration, *found);
        return;
      }
  enter(static_cast<stage>(static_cast<int>(stage_) + 1));
}

void launch_machine::enter(stage next) {
  stage_ = next;
  stage_began_ = now_;
  if (next == stage::beginning)
    effects_.emplace_back(run_begins{});
  for (auto& n : nodes_) {
    n.answered = false;
    if (next == stage::preparing) {
      auto spec = spec_;
      spec.self = n.node;
      tell(n, prepare_run_request{std::move(spec)});
    } else if (next == stage::linking) {
      tell(n, connect_request{spec_.run});
    } else if (next == stage::beginning) {
      tell(n, begin_request{spec_.run});
    }
  }
}

/// Every node lets go of the run, also those that have begun already.
void launch_machine::fail(int exit_code, const std::string& why) {
  for (auto& n : nodes_) {
    if (stage_ == stage::beginning)
      tell(n, stop_request{spec_.run});
    if (stage_ > stage::calling)
      tell(n, abandon_request{spec_.run});
    if (!n.is_closed())
      effects_.emplace_back(n.close(now_));
  }
  stage_ = stage::failed;
  failure_ = why;
  exit_code_ = exit_code;
}

nanoseconds launch_machine::stage_patience() const {
  const auto own = spec_.config.has_own_model();
  switch (stage_) {
  case stage::calling:
    return node_line::call_patience + link_patience / 4;
  case stage::preparing:
    return own ? nanoseconds::max() : load_patience; // trainers start as long as they like
  default:
    // Every node waits for them, and those that have them for the others.
    return link_patience + (own ? 2 * values_time(status().parameters, nodes_.size()) : nanoseconds{0});
  }
}

/// Gives up when a stage takes too long, or a node that loads its data, or waits for its links, does not even
/// answer.
void launch_machine::on(const time_passed&) {
  forgive_silence(nodes_, ticked_, now_, silence_max(spec_.config));
  if (is_over())
    return;
  const auto patience = stage_patience();
  if (now_ - stage_began_ > patience) {
    fail(exit_network,
         fmt::format("waited {:.0f} s for {}; see its log", to_seconds(patience), unanswered().front()));
    return;
  }
  if (stage_ != stage::preparing && stage_ != stage::linking)
    return;
  for (const auto& n : nodes_)
    if (now_ - n.heard > silence_while_loading) {
      fail(exit_network, fmt::format("node {} gave no sign of life for {:.0f} s; see its log", n.name(),
                                     to_seconds(silence_while_loading)));
      return;
    }
  if (now_ - asked_how_it_stands_ >= ask_every) {
    asked_how_it_stands_ = now_;
    for (const auto& n : nodes_)
      tell(n, node_status_request{});
  }
}

void launch_machine::on(const stop_work&) {
  if (stage_ < stage::beginning) // from then on the nodes are told by who follows the run
    fail(exit_interrupted, "interrupted before the run began");
}

void launch_machine::on(const release_run&) {
  if (!is_over())
    fail(exit_interrupted, "interrupted before the run began");
}

std::vector<std::string> launch_machine::unanswered() const {
  const std::array what{"to answer",
                        spec_.config.has_own_model() ? "to start its trainers" : "to load its data",
                        "to connect to the nodes of its neighbours", "to begin"};
  std::vector<std::string> all;
  if (!is_over())
    for (const auto& n : nodes_)
      if (!n.answered)
        all.push_back(fmt::format("node {} {}", n.name(), what[static_cast<std::size_t>(stage_)]));
  return all;
}

cluster_status launch_machine::status() const {
  static constexpr std::array phases{cluster_phase::connecting, cluster_phase::preparing,
                                     cluster_phase::linking,    cluster_phase::linking,
                                     cluster_phase::running,    cluster_phase::failed};
  cluster_status x;
  x.phase = phases[static_cast<std::size_t>(stage_)];
  x.failure = failure_;
  x.exit_code = exit_code_;
  x.waiting_for = unanswered();
  for (const auto& n : nodes_) {
    x.reachable.push_back(n.is_open());
    x.parameters = std::max(x.parameters, n.ready.parameters);
    x.training_samples = std::max(x.training_samples, n.ready.training_samples);
  }
  return x;
}

} // namespace dybw
