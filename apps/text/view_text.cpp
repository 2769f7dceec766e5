#include "apps/text/view_text.hpp"

#include "apps/text/score_text.hpp"
#include "apps/text/text_table.hpp"
#include "learning/base/number_text.hpp"

#include <algorithm>

namespace dybw {

namespace {

constexpr std::size_t workers_named_max = 8;

/// What is waited for, of whom and for which round.
std::string awaited_text(const wait_view& w) {
  const auto round = std::to_string(w.round);
  if (w.whom == w.who)
    return "a threshold for round " + round + " from any worker";
  const auto whom = "worker " + to_string(w.whom);
  switch (w.what) {
  case wait_cause::kind::estimate:
    return whom + "'s estimate of round " + round;
  case wait_cause::kind::answer:
    return whom + " to accept or close round " + round;
  case wait_cause::kind::closing:
    return whom + " to close round " + round;
  case wait_cause::kind::threshold:
    return whom + "'s threshold for round " + round;
  case wait_cause::kind::step:
    break; // not of another worker
  }
  return whom;
}

std::string workers_of_node(const run_view& v, std::size_t node) {
  std::string text;
  std::size_t named = 0;
  for (const auto& w : v.workers)
    if (w.node == node && ++named <= workers_named_max)
      text += (text.empty() ? "" : ", ") + to_string(w.id);
  if (named > workers_named_max)
    text += ", ..";
  return (named == 1 ? "worker " : "workers ") + text;
}

/// A line for each node that does not answer.
std::string silent_nodes(const run_view& v) {
  std::string text;
  for (std::size_t i = 0; i < v.nodes.size(); ++i) {
    const auto& n = v.nodes[i];
    const auto who = "node " + n.address + " (" + workers_of_node(v, i) + ")";
    if (!n.reachable)
      text += who + " cannot be reached\n";
    else if (n.silent_s > 0)
      text += who + " has not answered for " + fixed_text(n.silent_s, 1) + " s\n";
  }
  return text;
}

std::string what_then(const wait_view& w) {
  if (w.what == wait_cause::kind::step)
    return "rests meanwhile: nobody waits for it";
  if (w.timeout_in_s)
    return "goes on without in " + fixed_text(std::max(*w.timeout_in_s, 0.0), 1) + " s";
  return "ends with the answer or a departure";
}

} // namespace

std::string wait_text(const wait_view& w) {
  if (w.what == wait_cause::kind::step)
    return "worker " + to_string(w.who) + " rests: " + w.maker + " is silent for " +
           fixed_text(w.waited_s, 1) + " s in its step after round " + std::to_string(w.round);
  auto text = "worker " + to_string(w.who) + " waits for " + awaited_text(w) + ", " +
              fixed_text(w.waited_s, 1) + " s";
  if (w.timeout_in_s)
    return text + "; goes on without it in " + fixed_text(std::max(*w.timeout_in_s, 0.0), 1) + " s";
  return text + "; ends with the answer, or when it is declared down";
}

std::string plain_line(const run_view& v) {
  auto line = fixed_text(v.elapsed_s, 1) + " s  " + std::string{to_string(v.now)};
  if (v.workers.empty())
    return line + (v.trouble.empty() ? "" : ": " + v.trouble);
  if (v.fraction)
    line += "  " + fixed_text(*v.fraction * 100, 0) + " %";
  if (v.remaining_s && v.now == run_view::state::running)
    line += ", " + fixed_text(*v.remaining_s, 0) + " s left";
  line += "  round " + count_text(v.newest_round);
  if (v.loss)
    line += "  loss " + fixed_text(*v.loss, 3);
  if (v.newest_evaluation && v.newest_evaluation->test_accuracy)
    line += "  accuracy " + percent_text(*v.newest_evaluation->test_accuracy);
  if (v.newest_evaluation)
    if (const auto scores = score_text(v.newest_evaluation->scores); !scores.empty())
      line += "  " + scores;
  if (v.now != run_view::state::over)
    line += "  backup " + fixed_text(v.backup_workers, 2) + "  waiting " + fixed_text(v.wait_share * 100, 0) +
            " %  " + fixed_text(v.steps_per_s, 0) + " of " + fixed_text(v.no_wait_per_s, 0) + " grad./s";
  if (v.consensus_distance)
    line += "  distance " + short_text(*v.consensus_distance);
  const auto lost = std::count_if(v.workers.begin(), v.workers.end(), [](const worker_view& w) {
    return w.standing == worker_standing::lost || w.standing == worker_standing::silent;
  });
  if (lost > 0)
    line += "  " + std::to_string(lost) + (lost == 1 ? " worker" : " workers") + " lost or silent";
  if (v.parts > 1)
    line += "  " + std::to_string(v.parts) + " parts";
  return line;
}

std::string line_of(const event_view& e) {
  return fixed_text(e.time_s, 1) + " s  " + std::string{to_string(e.how)} + ": " + e.text;
}

std::string waiting_text(const run_view& v) {
  auto text = silent_nodes(v);
  if (v.waits.empty())
    return text + "nobody waits for anybody now\n";
  text_table table;
  table.add({"worker", "round", "phase", "waits for", "what", "for", "then"});
  for (const auto& w : v.waits)
    table.add({to_string(w.who), std::to_string(w.round), std::string{to_string(w.phase)},
               w.what == wait_cause::kind::step ? w.maker
               : w.whom == w.who                ? "any worker"
                                                : "worker " + to_string(w.whom),
               std::string{to_string(w.what)}, seconds_text(w.waited_s), what_then(w)});
  return text + table.text_left();
}

} // namespace dybw
