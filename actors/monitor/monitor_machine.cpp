#include "actors/monitor/monitor_machine.hpp"

namespace dybw {

monitor_machine::monitor_machine(const endpoint& first) {
  add_member(first);
}

std::vector<monitor_effect> monitor_machine::open(nanoseconds now) {
  now_ = now;
  call(members_.front());
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
  if (!m.reached(now_))
    return;
  m.asked.reset();
  m.idle = false;
  ever_reached_ = true;
  ask(m);
}

void monitor_machine::on(const node_said& e) {
  auto& m = members_[index_of(e.node)];
  if (m.is_open())
    std::visit([&](const auto& x) { hear(m, x); }, *e.message);
}

void monitor_machine::lose(member& m, const std::string& reason) {
  m.lost(now_);
  m.asked.reset();
  m.why_not = reason;
  if (watch_ && m.place)
    watch_->unreachable(*m.place, now_, reason);
  note_end();
}

void monitor_machine::drop(member& m) {
  if (!m.is_closed())
    effects_.emplace_back(m.close(now_));
  m.asked.reset();
}

// --- Questions ---

template <class Question>
void monitor_machine::ask(member& m, Question question) {
  m.asked = now_;
  m.next_question = now_ + (closely_ ? ask_every : ask_seldom_every);
  effects_.emplace_back(m.tell(std::move(question)));
}

/// The next one of a member that owes no answer.
void monitor_machine::ask(member& m) {
  const auto knows_place = watch_ && m.place && !watch_->is_over();
  if (!knows_place || now_ >= next_describe_) {
    ask(m, describe_request{});
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
  ask(m, metrics_request{sketch});
}

void monitor_machine::on(const time_passed&) {
  for (auto& m : members_) {
    if (m.may_be_called_again(now_) && (m.place || m.node == node_index{})) {
      call(m);
    } else if (m.is_open() && m.asked) {
      if (now_ - *m.asked > answer_patience) {
        drop(m);
        lose(m, "it does not answer");
      }
    } else if (m.is_open() && now_ >= m.next_question) {
      ask(m);
    }
  }
  if (watch_)
    watch_->tick(now_);
}

// --- Answers ---

void monitor_machine::hear(member& m, const describe_reply& x) {
  m.asked.reset();
  m.idle = !x.found || (watch_ && x.spec.run != run_);
  const auto valid = x.found && x.spec.run != 0 && !x.spec.config.policies.empty() && !x.spec.nodes.empty() &&
                     index_of(x.spec.self) < x.spec.nodes.size();
  if (!valid) {
    note_end();
    return;
  }
  if (x.spec.run != run_) {
    if (may_change_run(m))
      begin(m, x);
    else
      note_end();
    return;
  }
  follow_moves(x.spec);
  m.next_question = std::min(m.next_question, now_ + ask_every);
}

void monitor_machine::hear(member& m, const metrics_reply& x) {
  m.asked.reset();
  m.idle = x.run != run_;
  if (x.run == run_ && watch_ && m.place)
    watch_->take(*m.place, now_, x.metrics);
  note_end();
  if (x.run != 0 && x.run != run_ && may_change_run(m))
    ask(m, describe_request{}); // it has gone on to another run
}

bool monitor_machine::may_change_run(const member& m) const {
  return m.node == node_index{} || !watch_ || (watch_->is_over() && !members_.front().is_open());
}

/// A run is to be watched that was not known yet.
void monitor_machine::begin(member& first, const describe_reply& x) {
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
  first.place = index_of(spec.self); // whatever name it was called by
  run_ = spec.run;
  watch_.emplace(std::move(plan));
  next_describe_ = now_ + describe_again_every;
  for (std::size_t n = 0; n < spec.nodes.size(); ++n) {
    if (n == index_of(spec.self))
      continue;
    auto& known = member_at(spec.nodes[n]);
    known.place = n;
    if (known.is_closed())
      call(known);
  }
  for (auto& m : members_) {
    if (!m.place && m.node != node_index{})
      drop(m);
    else if (m.is_open() && !m.asked)
      ask(m);
  }
}

/// A node that was started again may listen elsewhere.
void monitor_machine::follow_moves(const run_spec& spec) {
  for (auto& m : members_) {
    if (!m.place || *m.place >= spec.nodes.size() || m.is_open() || m.address == spec.nodes[*m.place])
      continue;
    drop(m);
    m.address = spec.nodes[*m.place];
    watch_->moved(*m.place, m.name());
    call(m);
  }
}

/// The run is over when no node that answers serves it any more.
void monitor_machine::note_end() {
  if (!watch_ || watch_->is_over())
    return;
  auto idle = false;
  for (const auto& m : members_)
    if (m.place && m.is_open()) {
      if (!m.idle)
        return;
      idle = true;
    }
  if (idle)
    watch_->over(now_);
}

monitor_machine::member& monitor_machine::add_member(const endpoint& address) {
  auto& m = members_.emplace_back();
  m.node = node_at(members_.size() - 1);
  m.address = address;
  return m;
}

monitor_machine::member& monitor_machine::member_at(const endpoint& address) {
  const auto found =
      std::ranges::find_if(members_, [&](const member& m) { return m.address == address && !m.place; });
  return found != members_.end() ? *found : add_member(address);
}

run_view monitor_machine::view(nanoseconds now) const {
  if (watch_)
    return watch_->view(now);
  run_view v;
  const auto& first = members_.front();
  if (first.is_open() && first.idle) {
    v.now = run_view::state::idle;
    v.trouble = "no run is going on at " + first.name();
  } else if (!first.is_open()) {
    v.now = ever_reached_ ? run_view::state::lost : run_view::state::attaching;
    v.trouble = first.why_not;
  }
  return v; // else attaching: it has not said yet what it does
}

} // namespace dybw
