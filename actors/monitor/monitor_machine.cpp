#include "actors/monitor/monitor_machine.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

monitor_machine::monitor_machine(endpoint first) {
  members_.emplace_back().address = std::move(first);
}

std::vector<monitor_effect> monitor_machine::open(nanoseconds now) {
  now_ = now;
  call(0);
  return std::exchange(effects_, {});
}

std::vector<monitor_effect> monitor_machine::step(nanoseconds now, const monitor_event& what) {
  now_ = now;
  std::visit([this](const auto& e) { on(e); }, what);
  return std::exchange(effects_, {});
}

// --- Connections ---

void monitor_machine::on(const node_reached& e) {
  auto& m = members_[index_of(e.node)];
  if (m.line != line::calling)
    return;
  m.line = line::open;
  m.changed = now_;
  m.asked.reset();
  m.idle = false;
  ever_reached_ = true;
  ask(index_of(e.node));
}

void monitor_machine::on(const node_not_reached& e) {
  lose(index_of(e.node), e.reason);
}

void monitor_machine::on(const node_hung_up& e) {
  lose(index_of(e.node), e.reason);
}

void monitor_machine::on(const node_said& e) {
  if (members_[index_of(e.node)].line != line::open)
    return;
  std::visit([&](const auto& m) { hear(index_of(e.node), m); }, *e.message);
}

void monitor_machine::call(std::size_t i) {
  auto& m = members_[i];
  m.line = line::calling;
  m.changed = now_;
  effects_.emplace_back(call_node{node_at(i), m.address, call_patience});
}

void monitor_machine::lose(std::size_t i, const std::string& reason) {
  auto& m = members_[i];
  m.line = line::closed;
  m.changed = now_;
  m.asked.reset();
  m.why_not = reason;
  if (watch_ && m.place)
    watch_->unreachable(*m.place, now_, reason);
  note_end();
}

void monitor_machine::drop_line(std::size_t i) {
  auto& m = members_[i];
  if (m.line != line::closed)
    effects_.emplace_back(hang_up{node_at(i)});
  m.line = line::closed;
  m.changed = now_;
  m.asked.reset();
}

// --- Questions ---

template <class Question>
void monitor_machine::ask(std::size_t i, Question question) {
  auto& m = members_[i];
  m.asked = now_;
  m.next_question = now_ + (closely_ ? ask_every : ask_seldom_every);
  effects_.emplace_back(tell_node{node_at(i), std::make_shared<const control_message>(std::move(question))});
}

/// The next one of a member that owes no answer.
void monitor_machine::ask(std::size_t i) {
  auto& m = members_[i];
  const auto knows_place = watch_ && m.place && !watch_->is_over();
  if (!knows_place || now_ >= next_describe_) {
    ask(i, describe_request{});
    if (knows_place)
      next_describe_ = now_ + describe_again_every;
    else
      m.next_question = now_ + describe_every;
    return;
  }
  const auto sketch = now_ >= m.next_sketch;
  if (sketch)
    m.next_sketch = now_ + sketch_every;
  watch_->asked(*m.place, now_);
  ask(i, metrics_request{sketch});
}

void monitor_machine::on(const time_passed&) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto& m = members_[i];
    if (m.line == line::closed) {
      if (now_ - m.changed >= call_again_after && (m.place || i == 0))
        call(i);
    } else if (m.line == line::open && m.asked) {
      if (now_ - *m.asked > answer_patience) {
        drop_line(i);
        lose(i, "it does not answer");
      }
    } else if (m.line == line::open && now_ >= m.next_question) {
      ask(i);
    }
  }
  if (watch_)
    watch_->tick(now_);
}

// --- Answers ---

void monitor_machine::hear(std::size_t i, const describe_reply& x) {
  auto& m = members_[i];
  m.asked.reset();
  m.idle = !x.found;
  const auto valid = x.found && x.spec.run != 0 && !x.spec.config.policies.empty() && !x.spec.nodes.empty() &&
                     index_of(x.spec.self) < x.spec.nodes.size();
  if (!valid) {
    note_end();
    return;
  }
  if (x.spec.run != run_) {
    begin(i, x);
    return;
  }
  follow_moves(x.spec);
  m.next_question = std::min(m.next_question, now_ + ask_every);
}

void monitor_machine::hear(std::size_t i, const metrics_reply& x) {
  auto& m = members_[i];
  m.asked.reset();
  m.idle = x.run == 0;
  if (x.run == run_ && watch_ && m.place)
    watch_->take(*m.place, now_, x.metrics);
  else if (x.run != 0)
    ask(i, describe_request{}); // it has gone on to another run
  note_end();
}

/// A run is to be watched that was not known yet.
void monitor_machine::begin(std::size_t i, const describe_reply& x) {
  const auto& spec = x.spec;
  const auto fits = [&](node_index n) { return index_of(n) < spec.nodes.size(); };
  const auto edge_fits = [&](const edge& e) { return e.a < e.b && index_of(e.b) < spec.placement.size(); };
  if (!std::all_of(spec.placement.begin(), spec.placement.end(), fits) ||
      !std::all_of(spec.edges.begin(), spec.edges.end(), edge_fits))
    return; // another program's
  auto plan = plan_of(spec.config, spec.config.policies.front(), spec.edges, x.parameters);
  plan.name = spec.name;
  for (auto n : spec.placement)
    plan.placement.push_back(static_cast<std::uint32_t>(index_of(n)));
  for (const auto& address : spec.nodes)
    plan.nodes.push_back(to_string(address));
  for (auto& m : members_)
    m.place.reset();
  members_[i].place = index_of(spec.self); // whatever name it was called by
  run_ = spec.run;
  watch_.emplace(std::move(plan));
  next_describe_ = now_ + describe_again_every;
  for (std::size_t n = 0; n < spec.nodes.size(); ++n) {
    if (n == index_of(spec.self))
      continue;
    const auto known = member_at(spec.nodes[n]);
    members_[known].place = n;
    if (members_[known].line == line::closed)
      call(known);
  }
  for (std::size_t n = 0; n < members_.size(); ++n) {
    auto& m = members_[n];
    if (!m.place && n != 0)
      drop_line(n);
    else if (m.line == line::open && !m.asked)
      ask(n);
  }
}

/// A node that was started again may listen elsewhere.
void monitor_machine::follow_moves(const run_spec& spec) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto& m = members_[i];
    if (!m.place || *m.place >= spec.nodes.size() || m.line == line::open ||
        m.address == spec.nodes[*m.place])
      continue;
    drop_line(i);
    m.address = spec.nodes[*m.place];
    watch_->moved(*m.place, to_string(m.address));
    call(i);
  }
}

/// The run is over when no node that answers serves it any more.
void monitor_machine::note_end() {
  if (!watch_ || watch_->is_over())
    return;
  auto idle = false;
  for (const auto& m : members_)
    if (m.place && m.line == line::open) {
      if (!m.idle)
        return;
      idle = true;
    }
  if (idle)
    watch_->over(now_);
}

std::size_t monitor_machine::member_at(const endpoint& address) {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const member& m) { return m.address == address && !m.place; });
  if (found != members_.end())
    return static_cast<std::size_t>(found - members_.begin());
  members_.emplace_back().address = address;
  return members_.size() - 1;
}

run_view monitor_machine::view(nanoseconds now) const {
  if (watch_)
    return watch_->view(now);
  run_view v;
  const auto& first = members_.front();
  if (first.line == line::open && first.idle) {
    v.now = run_view::state::idle;
    v.trouble = "no run is going on at " + to_string(first.address);
  } else {
    v.now = ever_reached_ ? run_view::state::lost : run_view::state::attaching;
    v.trouble = first.why_not;
  }
  return v;
}

} // namespace dybw
