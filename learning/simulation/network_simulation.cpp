#include "learning/simulation/network_simulation.hpp"

#include "learning/consensus/make_machine.hpp"
#include "learning/consensus/reports/round_report.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

bool network_simulation::envelope::carries_parameters() const {
  const auto* message = std::get_if<protocol_message>(&content);
  if (message == nullptr)
    return false;
  if (const auto* x = std::get_if<estimate>(message))
    return x->has_parameters;
  if (const auto* x = std::get_if<answer>(message))
    return x->taken;
  return std::holds_alternative<offer>(*message);
}

/// One direction of an edge: the sender's flow control, what is under way and the receiver's slots.
struct network_simulation::link {
  worker_id from{};
  worker_id to{};
  std::size_t reverse = 0; ///< index of the other direction
  std::size_t to_slot = 0; ///< the sender's place among the receiver's neighbours
  flow_window window;
  estimate_slots<estimate_handle> slots;
  // pairwise averaging:
  estimate_handle offered;  ///< what the sender told in its newest offer
  estimate_handle answered; ///< .. and in its newest answer
  estimate_handle came;     ///< the newest that arrived in an offer or answer
  std::deque<envelope> under_way;
  std::size_t messages_under_way = 0; ///< of the protocol
  std::size_t blocks_under_way = 0;   ///< .. that carry parameters
  nanoseconds last_arrival{0};
  std::uint32_t connection = 0; ///< deliveries of an earlier connection are void
  std::optional<cut_fault::kind> cut;
  std::size_t held = 0; ///< messages that came due while the link held them back
};

struct network_simulation::occurrence {
  enum class kind : std::uint8_t {
    start,
    delivery,
    step,
    timer,
    pulse,
    wake,
    strike,
    noticed,
    stop,
    rebirth
  };
  kind what = kind::start;
  std::uint32_t worker = 0;
  std::uint32_t era =
      0; ///< delivery: the connection; otherwise the worker's incarnation. Older ones are void
  std::size_t index = 0;    ///< delivery: link; strike: fault; noticed: neighbour's slot
  std::uint64_t number = 0; ///< step: ticket; timer: which; noticed: cause
};

/// A crashed worker's next life.
struct network_simulation::rebirth {
  std::vector<fact> facts;
  round_number completed = 0;
  estimate_handle estimate;
};

struct network_simulation::shell {
  shell(machine_options options, std::size_t neighbours, nanoseconds suspect_after)
      : id(options.self), machine(make_machine(std::move(options))), detector(neighbours, suspect_after),
        degree(neighbours) {}

  worker_id id;
  std::uint32_t incarnation = 0;
  std::unique_ptr<worker_machine> machine;
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
  estimate_handle from;    ///< pairwise averaging: where the step under way began
  estimate_handle stepped; ///< w~_j
  estimate_witness before;
  estimate_witness after;
  std::unique_ptr<rebirth> next_life;
  nanoseconds step_began{0};
  shell_counters counters;
};

network_simulation::network_simulation(simulation_options options, simulated_model* model,
                                       simulation_observer* observer)
    : options_(std::move(options)), model_(model), observer_(observer) {
  assert(options_.machine.graph && options_.step_time && options_.latency);
  in_pairs_ = options_.machine.policy.averages_in_pairs();
  const auto& graph = *options_.machine.graph;
  auto& shared = options_.machine;
  if (shared.policy.closes_by_threshold() && !shared.planned_connecting)
    shared.planned_connecting = std::make_shared<const std::vector<edge>>(
        connecting_edges(graph, shared.connect, worker_id{}, [](edge) { return true; }));
  shells_.reserve(graph.workers());
  links_.resize(2 * graph.edges().size());
  std::size_t next_link = 0;
  for (std::size_t i = 0; i < graph.workers(); ++i) {
    const auto id = worker_at(i);
    auto machine = shared;
    machine.self = id;
    auto& s = shells_.emplace_back(std::move(machine), graph.degree(id), suspect_after());
    s.first_link = next_link;
    for (auto to : graph.neighbours(id)) {
      links_[next_link].from = id;
      links_[next_link].to = to;
      ++next_link;
    }
    if (model_ != nullptr)
      s.current = model_->start(id);
    begin(s);
  }
  for (auto& l : links_) {
    l.reverse = link_between(l.to, l.from);
    l.to_slot = l.reverse - at(l.to).first_link;
  }
  unfinished_ = shells_.size();
}

network_simulation::~network_simulation() = default;

void network_simulation::begin(shell& s) {
  s.detector.begin(now());
  push(now(), s, {occurrence::kind::start});
  if (!options_.suspect_after)
    return;
  const auto workers = options_.machine.graph->workers();
  const auto every = s.detector.heartbeat_every(); // spread out, as real processes' are
  const auto first =
      every * static_cast<std::int64_t>(index_of(s.id) + 1) / static_cast<std::int64_t>(workers);
  push(now() + first, s, {occurrence::kind::pulse});
}

/// For the worker's present incarnation.
void network_simulation::push(nanoseconds at, const shell& s, occurrence o) {
  o.worker = static_cast<std::uint32_t>(s.id);
  o.era = s.incarnation;
  queue_.push(at, o);
}

nanoseconds network_simulation::suspect_after() const {
  return options_.suspect_after.value_or(std::chrono::hours{1});
}

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

const worker_machine& network_simulation::machine(worker_id id) const {
  return *shells_[index_of(id)].machine;
}

bool network_simulation::crashed(worker_id id) const {
  return !shells_[index_of(id)].alive;
}

const shell_counters& network_simulation::counters(worker_id id) const {
  return shells_[index_of(id)].counters;
}

const estimate_handle& network_simulation::estimate_of(worker_id id) const {
  return shells_[index_of(id)].current;
}

void network_simulation::schedule(nanoseconds at, const fault& f) {
  queue_.push(at, {occurrence::kind::strike, 0, 0, faults_.size()});
  faults_.push_back(f);
}

bool network_simulation::run(nanoseconds limit, std::uint64_t events_max) {
  for (; unfinished_ > 0 && events_max > 0 && has_event_until(limit); --events_max) {
    ++events_handled_;
    handle(queue_.pop());
  }
  return unfinished_ == 0;
}

bool network_simulation::has_event_until(nanoseconds limit) const {
  return !queue_.empty() && queue_.next_at() <= limit;
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
    if (o.era != l.connection)
      return;
    if (l.cut) {
      ++l.held;
      return;
    }
  }
  auto& s = shells_[o.worker];
  if (o.what != occurrence::kind::delivery && o.era != s.incarnation)
    return;
  if (o.what == occurrence::kind::rebirth)
    return be_born(s);
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
    if (o.era == links_[o.index].connection) // the connection may have broken while it waited
      deliver(s, o.index);
    return;
  case occurrence::kind::step:
    if (o.number != s.ticket)
      return;
    if (now() < s.step_due) // stood still during a hang
      return push(s.step_due, s, o);
    s.ticket = 0;
    if (model_ != nullptr && !in_pairs_)
      s.stepped = model_->step(s.id, s.current);
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
  case occurrence::kind::rebirth:
    break;
  }
  assert(false);
}

// --- Shells.

void network_simulation::apply(shell& s, const event& e) {
  const auto& effects = s.machine->step(now(), e);
  if (observer_ != nullptr)
    observer_->stepped(now(), s.id, e, effects);
  for (const auto& x : effects)
    std::visit([&](const auto& y) { perform(s, y); }, x);
}

void network_simulation::deliver(shell& s, std::size_t link_index) {
  auto& l = links_[link_index];
  const auto e = take(l);
  if (std::holds_alternative<connection_broken>(e.content))
    return give_up(s, l.to_slot, neighbour_lost::cause::silent);
  if (s.detector.heard(l.to_slot, now()))
    apply(s, neighbour_heard{l.from});
  if (const auto* ack = std::get_if<received>(&e.content)) {
    links_[l.reverse].window.received(ack->round);
  } else if (const auto* message = std::get_if<protocol_message>(&e.content)) {
    if (const auto* x = std::get_if<estimate>(message); x != nullptr && x->has_parameters) {
      l.slots.offer(x->round, e.block);
      post(l.reverse, {received{x->round}, {}});
    }
    if (std::holds_alternative<offer>(*message) || std::holds_alternative<answer>(*message))
      l.came = e.block;
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
  push(now() + s.detector.heartbeat_every(), s, {occurrence::kind::pulse});
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
  out.window.reset();
  s.detector.give_up(slot);
  apply(s, neighbour_lost{out.to, why});
}

void network_simulation::note_gone(shell& s) {
  if (!s.finished)
    --unfinished_;
}

// --- Effects.

/// The parameters that the message takes along, if any.
estimate_handle network_simulation::load(shell& s, std::size_t link_index, protocol_message& message) {
  auto& l = links_[link_index];
  if (auto* x = std::get_if<estimate>(&message)) {
    ++s.counters.estimates_sent;
    x->has_parameters = x->has_parameters && l.window.try_send(x->round);
    if (!x->has_parameters)
      return {};
    ++s.counters.blocks_sent;
    return s.stepped;
  }
  const auto* reply = std::get_if<answer>(&message);
  const auto is_offer = std::holds_alternative<offer>(message);
  if (!is_offer && (reply == nullptr || !reply->taken))
    return {};
  ++s.counters.estimates_sent;
  ++s.counters.blocks_sent;
  (is_offer ? l.offered : l.answered) = s.current;
  return s.current;
}

void network_simulation::perform(shell& s, const send& e) {
  const auto index = link_between(s.id, e.to);
  auto content = e.message;
  auto block = load(s, index, content);
  post(index, {std::move(content), std::move(block)});
}

void network_simulation::perform(shell& s, const use_estimate& e) {
  links_[links_[link_between(s.id, e.from)].reverse].slots.use(e.round);
}

void network_simulation::perform(shell& s, const compute& e) {
  s.ticket = e.ticket;
  s.step_began = now();
  s.from = in_pairs_ ? s.current : estimate_handle{};
  s.step_due = now() + options_.step_time(s.id, now());
  push(s.step_due, s, {.what = occurrence::kind::step, .number = e.ticket});
}

void network_simulation::perform(shell& s, const drop_step& e) {
  if (s.ticket != e.ticket)
    return;
  s.ticket = 0;
  s.counters.dropped += now() - s.step_began;
}

void network_simulation::perform(shell& s, const mix& e) {
  mix_inputs_.clear();
  for (const auto& t : e.terms) {
    const auto& in = links_[links_[link_between(s.id, t.neighbour)].reverse];
    mix_inputs_.push_back({in.slots.used(e.round), t.weight});
  }
  if (model_ != nullptr) {
    s.before = model_->look(s.stepped);
    s.current = model_->mix(s.id, s.stepped, mix_inputs_);
    s.after = model_->look(s.current);
  }
  for (std::size_t i = 0; i < s.degree; ++i)
    links_[links_[s.first_link + i].reverse].slots.release(e.round);
}

void network_simulation::perform(shell& s, const take_step& e) {
  if (model_ != nullptr)
    s.current = model_->step_onto(s.id, s.from, s.current, e.scale);
  s.from = {};
}

void network_simulation::perform(shell& s, const absorb& e) {
  const auto& out = links_[link_between(s.id, e.half.neighbour)];
  auto half = e.half;
  if (model_ != nullptr) {
    const auto before = model_->look(s.current);
    s.current = model_->absorb(s.id, s.current, links_[out.reverse].came,
                               e.own_offer ? out.offered : out.answered, half.weight);
    half.projection = model_->look(s.current).projection - before.projection;
    half.size = before.norm;
  }
  if (observer_ != nullptr)
    observer_->exchanged(now(), half);
}

void network_simulation::perform(shell& s, const dybw::edge_lost& e) {
  if (observer_ != nullptr)
    observer_->edge_lost(now(), s.id, e.neighbour);
}

void network_simulation::perform(shell& s, const arm_timer& e) {
  push(std::max(e.at, now()), s, {.what = occurrence::kind::timer, .number = ++s.timer});
}

void network_simulation::perform(shell& s, const round_done& e) {
  if (observer_ == nullptr)
    return;
  auto mixed = make_mix_report(s.id, *e.record);
  mixed.projection_before = s.before.projection;
  mixed.projection_after = s.after.projection;
  mixed.norm_before = s.before.norm;
  observer_->round_done(now(), *e.record, mixed);
}

void network_simulation::perform(shell& s, const dybw::membership_changed& e) {
  peaks_.facts = std::max(peaks_.facts, s.machine->facts().facts().size());
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
              {occurrence::kind::delivery, static_cast<std::uint32_t>(l.to), l.connection, link_index});
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
  if (s.next_life) { // before it has begun
    s.next_life.reset();
    --unfinished_;
  }
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
  push(s.frozen_until, s, {occurrence::kind::wake});
}

void network_simulation::strike(const suspicion_fault& f) {
  const auto index = link_between(f.who, f.whom);
  handle({occurrence::kind::noticed, static_cast<std::uint32_t>(f.who), at(f.who).incarnation,
          index - at(f.who).first_link, static_cast<std::uint64_t>(f.why)});
}

void network_simulation::strike(const cut_fault& f) {
  const auto forth = link_between(f.link.a, f.link.b);
  for (auto i : {forth, links_[forth].reverse}) {
    if (!links_[i].cut)
      cut_off(links_[i], f.how);
  }
}

void network_simulation::cut_off(link& l, cut_fault::kind how) {
  l.cut = how;
  if (how == cut_fault::kind::loses)
    lose_under_way(l);
}

void network_simulation::strike(const mend_fault& f) {
  const auto forth = link_between(f.link.a, f.link.b);
  for (auto i : {forth, links_[forth].reverse}) {
    auto& l = links_[i];
    if (!l.cut)
      continue;
    const auto was = *std::exchange(l.cut, std::nullopt);
    if (was == cut_fault::kind::loses && !at(l.to).detector.is_lost(l.to_slot))
      post(i, {connection_broken{}, {}});
    for (; l.held > 0; --l.held)
      schedule_delivery(i);
  }
}

void network_simulation::strike(const restart_fault& f) {
  strike(crash_fault{f.worker, false});
  auto& s = at(f.worker);
  auto life = std::make_unique<rebirth>();
  for (auto id : f.asked) {
    auto& giver = at(id);
    const auto& way = links_[link_between(id, f.worker)];
    if (!giver.alive || now() < giver.frozen_until || way.cut)
      continue;
    give_up(giver, link_between(id, f.worker) - giver.first_link, neighbour_lost::cause::silent);
    const auto w = giver.machine->welcome_for(f.worker);
    if (!w)
      continue;
    life->facts.insert(life->facts.end(), w->facts.begin(), w->facts.end());
    if (!life->estimate || w->round > life->completed)
      life->estimate = giver.current;
    life->completed = std::max(life->completed, w->round);
  }
  for (std::size_t i = 0; i < s.degree; ++i) {
    auto& out = links_[s.first_link + i];
    cut_off(out, cut_fault::kind::loses);
    cut_off(links_[out.reverse], cut_fault::kind::loses);
  }
  ++s.incarnation;
  if (life->facts.empty())
    return;
  ++unfinished_;
  s.next_life = std::move(life);
  push(now() + f.begins_after, s, {occurrence::kind::rebirth});
}

/// The worker's new process begins.
void network_simulation::be_born(shell& s) {
  const auto life = std::move(s.next_life);
  if (!life)
    return;
  auto machine = options_.machine;
  machine.self = s.id;
  machine.completed = life->completed;
  machine.facts = life->facts;
  auto fresh = shell{std::move(machine), s.degree, suspect_after()};
  fresh.first_link = s.first_link;
  fresh.incarnation = s.incarnation;
  fresh.current = life->estimate;
  for (std::size_t i = 0; i < s.degree; ++i) {
    fresh.detector.give_up(i);
    links_[s.first_link + i].window.reset();
    links_[links_[s.first_link + i].reverse].slots = {};
  }
  s = std::move(fresh);
  if (observer_ != nullptr)
    observer_->restarted(now(), s.id, life->completed);
  begin(s);
}

void network_simulation::strike(const stop_fault& f) {
  handle({occurrence::kind::stop, static_cast<std::uint32_t>(f.worker), at(f.worker).incarnation});
}

} // namespace dybw
