#include "tests/learning/consensus/transcript.hpp"

#include <cstdio>

namespace dybw::test {

namespace {

std::string number(std::uint64_t x) {
  return std::to_string(x);
}

std::string fact_text(const fact& f) {
  auto text = to_string(f.a);
  if (f.a != f.b)
    text.append("-").append(to_string(f.b)); // GCC 12 warns of "x" + a string, falsely
  return text.append(f.rests ? " rests v" : f.up ? " up v" : " down v").append(number(f.version));
}

std::string more_text(const threshold& m) {
  std::string text;
  if (m.more)
    for_each_edge(
        *m.more, [&](edge e) { text.append(" ").append(to_string(e.a)).append("-").append(to_string(e.b)); });
  return text;
}

struct message_text {
  std::string operator()(const estimate& m) const {
    return "estimate{" + number(m.round) + (m.has_parameters ? "}" : ", no parameters}");
  }
  std::string operator()(const accept& m) const { return "accept{" + number(m.round) + "}"; }
  std::string operator()(const closed& m) const {
    return "closed{" + number(m.round) + ", " + number(m.degree) + "}";
  }
  std::string operator()(const threshold& m) const {
    return "threshold{" + number(m.generation % 1000) + ", " + number(m.sweep) + ", " + number(m.round) +
           ", " +
           (m.covered ? to_string(m.covered->a) + "-" + to_string(m.covered->b) : std::string{"none"}) +
           more_text(m) + "}";
  }
  std::string operator()(const leaving&) const { return "leaving"; }
  std::string operator()(const membership_news& m) const {
    std::string text = "membership{";
    for (const auto& f : *m.facts)
      text += (text.back() == '{' ? "" : ", ") + fact_text(f);
    return text + "}";
  }
  std::string operator()(const offer& m) const {
    return "offer{" + number(m.round) + ", " + number(m.number) + "}";
  }
  std::string operator()(const answer& m) const {
    return "answer{" + number(m.number) + (m.taken ? "}" : ", not taken}");
  }
};

struct event_text {
  std::string operator()(const start&) const { return "start"; }
  std::string operator()(const step_done& e) const { return "step_done{" + number(e.ticket) + "}"; }
  std::string operator()(const message_received& e) const {
    return to_text(e.message) + " from " + to_string(e.from);
  }
  std::string operator()(const timer_expired&) const { return "timer_expired"; }
  std::string operator()(const neighbour_lost& e) const {
    return "neighbour_lost{" + to_string(e.id) +
           (e.why == neighbour_lost::cause::crashed ? ", crashed}" : ", silent}");
  }
  std::string operator()(const neighbour_heard& e) const {
    return "neighbour_heard{" + to_string(e.id) + "}";
  }
  std::string operator()(const paused&) const { return "paused"; }
  std::string operator()(const stop_requested&) const { return "stop_requested"; }
  std::string operator()(const step_stalled&) const { return "step_stalled"; }
  std::string operator()(const step_resumed&) const { return "step_resumed"; }
};

struct effect_text {
  std::string operator()(const send& e) const { return to_text(e.message) + " to " + to_string(e.to); }
  std::string operator()(const use_estimate& e) const {
    return "use{" + to_string(e.from) + ", " + number(e.round) + "}";
  }
  std::string operator()(const compute& e) const {
    char without[32] = "";
    if (e.unanswered > 0)
      std::snprintf(without, sizeof without, ", without %.2f", e.unanswered);
    return "compute{" + number(e.ticket) + without + "}";
  }
  std::string operator()(const drop_step& e) const { return "drop{" + number(e.ticket) + "}"; }
  std::string operator()(const mix& e) const {
    std::string text = "mix{" + number(e.round);
    for (const auto& t : e.terms) {
      char weight[32];
      std::snprintf(weight, sizeof weight, ":%.3f", t.weight);
      text.append(" ").append(to_string(t.neighbour)).append(weight);
    }
    return text + "}";
  }
  std::string operator()(const take_step& e) const {
    char scale[32];
    std::snprintf(scale, sizeof scale, " x %.2f", e.scale);
    return "step{" + number(e.round) + "}" + scale;
  }
  std::string operator()(const absorb& e) const {
    return std::string{"absorb{"} + (e.own_offer ? "own" : "theirs") + ", " + to_string(e.half.neighbour) +
           ", " + to_string(e.half.first) + "#" + number(e.half.number) + "}";
  }
  std::string operator()(const edge_lost& e) const { return "edge_lost{" + to_string(e.neighbour) + "}"; }
  std::string operator()(const arm_timer&) const { return "timer"; }
  std::string operator()(const round_done& e) const { return "done{" + number(e.record->round) + "}"; }
  std::string operator()(const membership_changed& e) const {
    return "changed{" + number(e.generation % 1000) + ", " + number(e.component) + "}";
  }
  std::string operator()(const finished& e) const { return "finished{" + number(e.completed) + "}"; }
};

} // namespace

std::string to_text(const protocol_message& m) {
  return std::visit(message_text{}, m);
}

std::string to_text(const event& e) {
  return std::visit(event_text{}, e);
}

std::string to_text(const effect& e) {
  return std::visit(effect_text{}, e);
}

std::string transcript_line(nanoseconds now, worker_id id, const event& e,
                            const std::vector<effect>& effects) {
  char moment[32];
  std::snprintf(moment, sizeof moment, "%12.6f s", to_seconds(now));
  auto text = std::string{moment} + "  worker " + to_string(id) + ": " + to_text(e);
  auto separator = " -> ";
  for (const auto& x : effects) {
    text += separator + to_text(x);
    separator = ", ";
  }
  return text;
}

std::string describe(worker_id id, const machine_status& status) {
  auto text = "worker " + to_string(id) + " " + std::string{to_string(status.phase)} + " round " +
              number(status.round) + " since " + std::to_string(to_seconds(status.since)) + " s";
  for (const auto& w : status.waiting_for)
    text += ", waits for " + std::string{to_string(w.what)} + " of " + to_string(w.neighbour);
  return text;
}

} // namespace dybw::test
