#include "learning/simulation/network_simulation.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

bool network_simulation::envelope::carries_parameters() const {
  const auto* message = std::get_if<protocol_message>(&content);
  const auto* x = message != nullptr ? std::get_if<estimate>(message) : nullptr;
  return x != nullptr && x->has_parameters;
}

/// One direction of an edge: the sender's flow control, what is under way and the receiver's slots.
struct network_simulation::link {
  worker_id from{};
  worker_id to{};
  std::size_t reverse = 0; ///< index of the other direction
  std::size_t to_slot = 0; ///< the sender's place among the receiver's neighbours
  flow_window window;
  estimate_slots<estimate_handle> slots;
  std::deque<envelope> under_way;
  std::size_t messages_under_way = 0; ///< of the protocol
  std::size_t blocks_under_way = 0;   ///< .. that carry parameters
  nanoseconds last_arrival{0};
  std::uint32_t connection = 0; ///< deliveries of an earlier connection are void
  std::optional<cut_fault::kind> cut;
  bool cut_noticed = false; ///< by the receiver, of a cut that loses
  std::size_t held = 0;     ///< messages that came due while the link held them back
};

struct network_simulation::occurrence {
  enum class kind : std::uint8_t { start, delivery, step, timer, pulse, wake, strike, noticed, stop };
  kind what = kind::start;
  std::uint32_t worker = 0;
  std::uint32_t connection = 0; ///< delivery
  std::size_t index = 0;        ///< delivery: link; strike: fault; noticed: neighbour's slot
  std::uint64_t number = 0;     ///< step: ticket; timer: which; noticed: cause
};

struct network_simulation::shell {
  shell(worker_id who, machine_options options, std::size_t neighbours, nanoseconds suspect_after)
      : id(who), machine(std::move(options)), detector(neighbours, suspect_after), degree(neighbours) {}

  worker_id id;
  round_machine machine;
  silence_detector detector;
  std::size_t first_link = 0; ///< its outgoing links are first_link .. first_link + degree - 1
  std::size_t degree = 0;
  bool alive = true;
  bool finished = false;
  nanoseconds frozen_until{0};
  hang_fault::wake wake_order = hang_fault::wake::in_due_order;
  std::deque<occurrence> mail; ///< came while frozen
  std::uint64_t ticket = 0;    ///< of the step under way; 0: none
  nanoseconds step_due{0};
  std::uint64_t timer = 0;
  estimate_handle current; ///< w_j
  estimate_handle stepped; ///< w~_j
  estimate_witness before;
  estimate_witness after;
};

network_simulation::network_simulation(simulation_options options, simulated_model* model,
                                       simulation_observer* observer)
    : options_(std::move(options)), model_(model), observer_(observer) {
  assert(options_.machine.graph && options_.step_time && options_.latency);
  const auto& graph = *options_.machine.graph;
  auto& shared = options_.machine;
  if (shared.policy.closes_by_threshold() && !shared.planned_connecting)
    shared.planned_connecting = std::make_shared<const std::vector<edge>>(
        connecting_edges(graph, shared.connect, worker_id{}, [](edge) { return true; }));
  const auto suspect_after = options_.suspect_after.value_or(std::chrono::hours{1});
  shells_.reserve(graph.workers());
  links_.resize(2 * graph.edges().size());
  std::size_t next_link = 0;
  for (std::size_t i = 0; i < graph.workers(); ++i) {
    const auto id = worker_at(i);
    auto machine = shared;
    machine.self = id;
    auto& s = shells_.emplace_back(id, std::move(machine), graph.degree(id), suspect_after);
    s.first_link = next_link;
    for (auto to : graph.neighbours(id)) {
      links_[next_link].from = id;
      links_[next_link].to = to;
      ++next_link;
    }
    if (model_ != nullptr)
      s.current = model_->start(id);
    s.detector.begin(nanoseconds{0});
    queue_.push(nanoseconds{0}, {occurrence::kind::start, static_cast<std::uint32_t>(i), 0, 0, 0});
    if (options_.suspect_after) { // spread out, as real processes' are
      const auto every = s.detector.heartbeat_every();
      const auto first =
          every * static_cast<std::int64_t>(i + 1) / static_cast<std::int64_t>(graph.workers());
      queue_.push(first, {occurrence::kind::pulse, static_cast<std::uint32_t>(i), 0, 0, 0});
    }
  }
  for (auto& l : links_) {
    l.reverse = link_between(l.to, l.from);
    l.to_slot = l.reverse - at(l.to).first_link;
  }
  unfinished_ = shells_.size();
}

network_simulation::~network_simulation() = default;

network_simulation::shell& network_simulation::at(worker_id id) {
  return shells_[index_of(id)];
}

std::size_t network_simulation::link_between(worker_id from, worker_id to) const {
  const auto ids = options_.machine.graph->neighbours(from);
  const auto i = std::lower_bound(ids.begin(), ids.end(), to);
  assert(i != ids.end() && *i == to);
  return shells_[index_of(from)].first_link + static_cast<std::size_t>(i - ids.begin());
}

std::size_t network_simulation::workers() const noexcept {
  return shells_.size();
}

const round_machine& network_simulation::machine(worker_id id) const {
  return shells_[index_of(id)].machine;
}

bool network_simulation::crashed(worker_id id) const {
  return !shells_[index_of(id)].alive;
}

const estimate_handle& network_simulation::estimate_of(worker_id id) const {
  return shells_[index_of(id)].current;
}

void network_simulation::schedule(nanoseconds at, const fault& f) {
  queue_.push(at, {occurrence::kind::strike, 0, 0, faults_.size(), 0});
  faults_.push_back(f);
}

bool network_simulation::run(nanoseconds limit) {
  while (unfinished_ > 0 && !queue_.empty() && queue_.next_at() <= limit) {
    ++events_handled_;
    handle(queue_.pop());
  }
  return unfinished_ == 0;
}

void network_simulation::run_on(nanoseconds limit) {
  while (!queue_.empty() && queue_.next_at() <= limit) {
    ++events_handled_;
    handle(queue_.pop());
  }
}

void network_simulation::handle(const occurrence& o) {
  if (o.what == occurrence::kind::strike) {
    const auto f = faults_[o.index];
    std::visit([this](const auto& x) { strike(x); }, f);
    return;
  }
  if (o.what == occurrence::kind::delivery) {
    auto& l = links_[o.index];
    if (o.connection != l.connection)
      return;
    if (l.cut) {
      ++l.held;
      return;
    }
  }
  auto& s = shells_[o.worker];
  if (!s.alive) {
    if (o.what == occurrence::kind::delivery)
      take(links_[o.index]);
    return;
  }
  if (o.what == occurrence::kind::wake)
    wake(s);
  else if (now() < s.frozen_until)
    s.mail.push_back(o);
  else
    happen(s, o);
}

void network_simulation::happen(shell& s, const occurrence& o) {
  switch (o.what) {
  case occurrence::kind::start:
    return apply(s, start{});
  case occurrence::kind::delivery:
    if (o.connection == links_[o.index].connection) // the connection may have broken while it waited
      deliver(s, o.index);
    return;
  case occurrence::kind::step:
    if (o.number != s.ticket)
      return;
    if (now() < s.step_due) // stood still during a hang
      return queue_.push(s.step_due, o);
    s.ticket = 0;
    s.stepped = model_ != nullptr ? model_->step(s.id, s.current) : estimate_handle{};
    return apply(s, step_done{o.number});
  case occurrence::kind::timer:
    if (o.number == s.timer)
      apply(s, timer_expired{});
    return;
  case occurrence::kind::pulse:
    return pulse(s);
  case occurrence::kind::noticed:
    return give_up(s, o.index, static_cast<neighbour_lost::cause>(o.number));
  case occurrence::kind::stop:
    return apply(s, stop_requested{});
  case occurrence::kind::wake:
  case occurrence::kind::strike:
    break;
  }
  assert(false);
}

// --- Shells.

void network_simulation::apply(shell& s, const event& e) {
  const auto& effects = s.machine.step(now(), e);
  if (observer_ != nullptr)
    observer_->stepped(now(), s.id, e, effects);
  for (const auto& x : effects)
    std::visit([&](const auto& y) { perform(s, y); }, x);
}

void network_simulation::deliver(shell& s, std::size_t link_index) {
  auto& l = links_[link_index];
  const auto e = take(l);
  if (s.detector.heard(l.to_slot, now()))
    apply(s, neighbour_heard{l.from});
  if (const auto* ack = std::get_if<received>(&e.content)) {
    links_[l.reverse].window.received(ack->round);
  } else if (const auto* message = std::get_if<protocol_message>(&e.content)) {
    if (const auto* x = std::get_if<estimate>(message); x != nullptr && x->has_parameters) {
      l.slots.offer(x->round, e.block);
      post(l.reverse, {received{x->round}, {}});
    }
    apply(s, message_received{l.from, *message});
  }
}

void network_simulation::pulse(shell& s) {
  for (std::size_t i = 0; i < s.degree; ++i)
    post(s.first_link + i, {sign_of_life{}, {}});
  const auto verdict = s.detector.check(now());
  if (verdict.paused)
    apply(s, paused{});
  for (auto slot : verdict.lost)
    give_up(s, slot, neighbour_lost::cause::silent);
  queue_.push(now() + s.detector.heartbeat_every(),
              {occurrence::kind::pulse, static_cast<std::uint32_t>(s.id), 0, 0, 0});
}

void network_simulation::wake(shell& s) {
  if (now() < s.frozen_until)
    return; // another hang began meanwhile
  auto mail = std::exchange(s.mail, {});
  const auto is_pulse = [](const occurrence& o) { return o.what == occurrence::kind::pulse; };
  if (s.wake_order == hang_fault::wake::check_first)
    std::stable_partition(mail.begin(), mail.end(), is_pulse);
  else if (s.wake_order == hang_fault::wake::check_last)
    std::stable_partition(mail.begin(), mail.end(), std::not_fn(is_pulse));
  for (const auto& o : mail)
    happen(s, o);
}

void network_simulation::give_up(shell& s, std::size_t slot, neighbour_lost::cause why) {
  auto& out = links_[s.first_link + slot];
  links_[out.reverse].cut_noticed = true;
  out.window.reset();
  s.detector.give_up(slot);
  apply(s, neighbour_lost{out.to, why});
}

void network_simulation::note_gone(shell& s) {
  if (!s.finished)
    --unfinished_;
}

// --- Effects.

void network_simulation::perform(shell& s, const send& e) {
  const auto index = link_between(s.id, e.to);
  auto content = e.message;
  auto block = estimate_handle{};
  if (auto* x = std::get_if<estimate>(&content); x != nullptr && x->has_parameters) {
    x->has_parameters = links_[index].window.try_send(x->round);
    if (x->has_parameters)
      block = s.stepped;
  }
  post(index, {std::move(content), std::move(block)});
}

void network_simulation::perform(shell& s, const use_estimate& e) {
  links_[links_[link_between(s.id, e.from)].reverse].slots.use(e.round);
}

void network_simulation::perform(shell& s, const compute& e) {
  s.ticket = e.ticket;
  s.step_due = now() + options_.step_time(s.id, now());
  queue_.push(s.step_due, {occurrence::kind::step, static_cast<std::uint32_t>(s.id), 0, 0, e.ticket});
}

void network_simulation::perform(shell& s, const drop_step& e) {
  if (s.ticket == e.ticket)
    s.ticket = 0;
}

void network_simulation::perform(shell& s, const mix& e) {
  mix_inputs_.clear();
  for (const auto& t : e.terms) {
    const auto& in = links_[links_[link_between(s.id, t.neighbour)].reverse];
    mix_inputs_.push_back({in.slots.used(e.round), t.weight});
  }
  if (model_ != nullptr) {
    s.before = model_->look(s.stepped);
    s.current = e.terms.empty() ? s.stepped : model_->mix(s.id, s.stepped, mix_inputs_);
    s.after = e.terms.empty() ? s.before : model_->look(s.current);
  }
  for (std::size_t i = 0; i < s.degree; ++i)
    links_[links_[s.first_link + i].reverse].slots.release(e.round);
}

void network_simulation::perform(shell& s, const arm_timer& e) {
  queue_.push(std::max(e.at, now()),
              {occurrence::kind::timer, static_cast<std::uint32_t>(s.id), 0, 0, ++s.timer});
}

void network_simulation::perform(shell& s, const round_done& e) {
  if (observer_ == nullptr)
    return;
  const auto& r = *e.record;
  observer_->round_done(now(), r,
                        mix_report{s.id, r.round, r.own_weight, r.committed, r.departed, s.before.projection,
                                   s.after.projection, s.before.norm});
}

void network_simulation::perform(shell& s, const dybw::membership_changed& e) {
  peaks_.facts = std::max(peaks_.facts, s.machine.facts().facts().size());
  if (observer_ != nullptr)
    observer_->membership_changed(now(), s.id, e);
}

void network_simulation::perform(shell& s, const dybw::finished& e) {
  note_gone(s);
  s.finished = true;
  if (observer_ != nullptr)
    observer_->finished(now(), s.id, e);
}

// --- Links.

void network_simulation::post(std::size_t link_index, envelope e) {
  auto& l = links_[link_index];
  if (l.cut == cut_fault::kind::loses)
    return;
  l.messages_under_way += std::holds_alternative<protocol_message>(e.content) ? 1u : 0u;
  l.blocks_under_way += e.carries_parameters() ? 1u : 0u;
  l.under_way.push_back(std::move(e));
  peaks_.messages_under_way = std::max(peaks_.messages_under_way, l.messages_under_way);
  peaks_.blocks_under_way = std::max(peaks_.blocks_under_way, l.blocks_under_way);
  if (l.cut)
    ++l.held;
  else
    schedule_delivery(link_index);
}

void network_simulation::schedule_delivery(std::size_t link_index) {
  auto& l = links_[link_index];
  // Which of the messages under way a delivery brings is only decided when it happens: the first. So all that
  // matters here of the message is its size.
  const auto takes = options_.latency(link_use{l.from, l.to, l.under_way.back().carries_parameters()}, now());
  l.last_arrival = std::max(l.last_arrival, now() + takes);
  queue_.push(l.last_arrival,
              {occurrence::kind::delivery, static_cast<std::uint32_t>(l.to), l.connection, link_index, 0});
}

network_simulation::envelope network_simulation::take(link& l) {
  assert(!l.under_way.empty());
  auto e = std::move(l.under_way.front());
  l.under_way.pop_front();
  l.messages_under_way -= std::holds_alternative<protocol_message>(e.content) ? 1u : 0u;
  l.blocks_under_way -= e.carries_parameters() ? 1u : 0u;
  return e;
}

void network_simulation::lose_under_way(link& l) {
  l.under_way.clear();
  l.messages_under_way = 0;
  l.blocks_under_way = 0;
  l.held = 0;
  ++l.connection;
}

// --- Faults.

void network_simulation::strike(const crash_fault& f) {
  auto& s = at(f.worker);
  if (!s.alive)
    return;
  s.alive = false;
  s.mail.clear();
  note_gone(s);
  if (f.loses_sent)
    for (std::size_t i = 0; i < s.degree; ++i)
      lose_under_way(links_[s.first_link + i]);
  if (observer_ != nullptr)
    observer_->crashed(now(), f.worker);
}

void network_simulation::strike(const hang_fault& f) {
  auto& s = at(f.worker);
  if (!s.alive)
    return;
  const auto was = std::max(s.frozen_until, now());
  s.frozen_until = std::max(was, now() + f.length);
  s.wake_order = f.order;
  s.step_due += s.frozen_until - was;
  queue_.push(s.frozen_until, {occurrence::kind::wake, static_cast<std::uint32_t>(f.worker), 0, 0, 0});
}

void network_simulation::strike(const suspicion_fault& f) {
  const auto index = link_between(f.who, f.whom);
  handle({occurrence::kind::noticed, static_cast<std::uint32_t>(f.who), 0, index - at(f.who).first_link,
          static_cast<std::uint64_t>(f.why)});
}

void network_simulation::strike(const cut_fault& f) {
  const auto forth = link_between(f.link.a, f.link.b);
  for (auto i : {forth, links_[forth].reverse}) {
    auto& l = links_[i];
    if (l.cut)
      continue;
    l.cut = f.how;
    l.cut_noticed = false;
    if (f.how == cut_fault::kind::loses)
      lose_under_way(l);
  }
}

void network_simulation::strike(const mend_fault& f) {
  const auto forth = link_between(f.link.a, f.link.b);
  for (auto i : {forth, links_[forth].reverse}) {
    auto& l = links_[i];
    if (!l.cut)
      continue;
    if (l.cut == cut_fault::kind::loses && !l.cut_noticed) // a new connection tells that the old one is gone
      handle({occurrence::kind::noticed, static_cast<std::uint32_t>(l.to), 0, l.to_slot,
              static_cast<std::uint64_t>(neighbour_lost::cause::silent)});
  }
  for (auto i : {forth, links_[forth].reverse}) {
    auto& l = links_[i];
    l.cut.reset();
    for (; l.held > 0; --l.held)
      schedule_delivery(i);
  }
}

void network_simulation::strike(const stop_fault& f) {
  handle({occurrence::kind::stop, static_cast<std::uint32_t>(f.worker), 0, 0, 0});
}

} // namespace dybw
