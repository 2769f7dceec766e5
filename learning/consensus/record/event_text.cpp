#include "learning/consensus/record/event_text.hpp"

#include "learning/base/number_text.hpp"
#include "learning/base/option_text.hpp"

namespace dybw {

namespace {

/// Words with blanks between them.
class writer {
public:
  explicit writer(std::string& out) : out_(out) {}

  template <class... Words>
  void say(const Words&... words) {
    auto first = true;
    (put(words, first), ...);
  }
  template <class... Words>
  void also(const Words&... words) {
    auto first = false;
    (put(words, first), ...);
  }
  /// Joined to the word before.
  template <class Word>
  void with(char separator, const Word& word) {
    out_ += separator;
    add(word);
  }

  void message(const protocol_message& m) {
    std::visit([this](const auto& x) { operator()(x); }, m);
  }

  void operator()(const estimate& m) {
    say("estimate", m.round);
    if (!m.has_parameters)
      also("bare");
    generation(m.generation);
  }
  void operator()(const accept& m) { say("accept", m.round); }
  void operator()(const closed& m) { say("closed", m.round, m.degree); }
  void operator()(const threshold& m) {
    say("threshold", m.generation, m.sweep, m.round);
    if (m.covered) {
      also(m.covered->a);
      with('-', m.covered->b);
    } else {
      also("none");
    }
    if (m.more)
      for_each_edge(*m.more, [this](edge e) {
        also(e.a);
        with('-', e.b);
      });
  }
  void operator()(const leaving&) { say("leaving"); }
  void operator()(const membership_news& m) {
    say("membership");
    for (const auto& f : *m.facts) {
      also(f.a);
      with('-', f.b);
      with(':', f.version);
      with(':', f.rests ? "rests" : f.up ? "up" : "down");
    }
  }
  void operator()(const offer& m) {
    say("offer", m.round, m.number, m.rate, m.sessions.own, m.sessions.seen);
    generation(m.generation);
  }
  void operator()(const answer& m) {
    say("answer", m.number, m.taken ? "taken" : "refused", m.rate, m.sessions.own, m.sessions.seen);
    generation(m.generation);
  }

  void operator()(const start&) { say("start"); }
  void operator()(const step_done& e) {
    say("step", e.ticket);
    if (e.mixing_price != 0 || e.strides_apart != 0 || e.gradients != 1)
      also(e.mixing_price, e.strides_apart);
    if (e.gradients != 1)
      also(e.gradients);
  }
  void operator()(const message_received& e) {
    say("from", e.from, "");
    message(e.message);
  }
  void operator()(const timer_expired&) { say("timer"); }
  void operator()(const neighbour_lost& e) {
    say("lost", e.id, e.why == neighbour_lost::cause::crashed ? "crashed" : "silent");
  }
  void operator()(const neighbour_heard& e) { say("heard", e.id); }
  void operator()(const paused&) { say("paused"); }
  void operator()(const step_stalled&) { say("stalled"); }
  void operator()(const step_resumed&) { say("resumed"); }
  void operator()(const stop_requested&) { say("stop"); }

  void operator()(const send& e) {
    say("send", e.to, "");
    message(e.message);
  }
  void operator()(const use_estimate& e) { say("use", e.from, e.round); }
  void operator()(const compute& e) {
    say("compute", e.ticket);
    if (e.unanswered > 0)
      also("without", e.unanswered);
  }
  void operator()(const drop_step& e) { say("drop", e.ticket); }
  void operator()(const mix& e) {
    say("mix", e.round);
    for (const auto& t : e.terms)
      term(t);
    generation(e.generation);
  }
  void operator()(const take_step& e) {
    say("take", e.round, e.scale);
    generation(e.generation);
  }
  void operator()(const absorb& e) {
    const auto& h = e.half;
    say("absorb", e.own_offer ? "own" : "theirs", h.neighbour, h.first, h.number, h.round, h.weight);
    if (h.corrects)
      also("corrects");
    generation(h.generation);
  }
  void operator()(const edge_lost& e) { say("edge-lost", e.neighbour); }
  void operator()(const arm_timer& e) { say("wake", e.at); }
  void operator()(const round_done& e) {
    const auto& r = *e.record;
    say("done", r.round, r.started, r.joined, r.closed, r.mixed, r.degree, r.accepted, r.own_weight);
    for (const auto& t : r.committed)
      term(t);
    if (r.timed_out)
      also("timeout");
    if (r.gradients != 1)
      also("gradients", r.gradients);
    for (const auto id : r.departed)
      also("departed", id);
    for (const auto id : r.returned)
      also("returned", id);
  }
  void operator()(const membership_changed& e) { say("part", e.generation, e.component, e.lowest); }
  void operator()(const finished& e) { say("left", e.completed); }

private:
  void term(const mix_term& t) {
    also(t.neighbour);
    with(':', t.weight);
    if (t.corrects)
      with(':', "corrects");
  }
  /// With a correction only.
  void generation(std::uint64_t x) {
    if (x != 0)
      also("of", x);
  }

  template <class Word>
  void put(const Word& word, bool& first) {
    if (!first)
      out_ += ' ';
    first = false;
    add(word);
  }
  void add(std::string_view word) { out_ += word; }
  void add(worker_id id) { add(static_cast<std::uint64_t>(id)); }
  void add(nanoseconds t) { add(t.count()); }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void add(Number x) { out_ += number_text(x); }

  std::string& out_;
};

/// Takes words off the front of a line. Once one is missing or wrong, everything is.
class reader {
public:
  explicit reader(std::string_view text) : text_(text) {}

  std::string_view word() {
    if (text_.empty())
      ok_ = false;
    const auto end = std::min(text_.find(' '), text_.size());
    const auto found = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    return found;
  }

  template <class Number>
  Number as(std::string_view word) {
    const auto x = parse_number<Number>(word);
    ok_ = ok_ && x.has_value();
    return x.value_or(Number{});
  }
  template <class Number = std::uint64_t>
  Number number() {
    return as<Number>(word());
  }
  worker_id worker(std::string_view word) { return worker_id{as<std::uint32_t>(word)}; }
  worker_id worker() { return worker(word()); }
  nanoseconds moment() { return nanoseconds{number<std::int64_t>()}; }

  /// Whether it is the first of the two words that may stand here.
  bool either(std::string_view yes, std::string_view no) {
    const auto found = word();
    ok_ = ok_ && (found == yes || found == no);
    return found == yes;
  }

  bool at_end() const { return text_.empty(); }
  bool ok() const { return ok_; }
  void refuse() { ok_ = false; }

private:
  std::string_view text_;
  bool ok_ = true;
};

fact read_fact(reader& in, std::string_view word) {
  const auto parts = split(word, ':');
  const auto ends = split(parts.front(), '-');
  const auto is = parts.back();
  if (parts.size() != 3 || ends.size() != 2 || (is != "up" && is != "down" && is != "rests")) {
    in.refuse();
    return {};
  }
  return {in.worker(ends[0]), in.worker(ends[1]), in.as<std::uint64_t>(parts[1]), is != "down",
          is == "rests"};
}

std::optional<edge> read_covered(reader& in, std::string_view word) {
  if (word == "none")
    return std::nullopt;
  const auto ends = split(word, '-');
  if (ends.size() != 2) {
    in.refuse();
    return std::nullopt;
  }
  return edge{in.worker(ends[0]), in.worker(ends[1])};
}

/// The edges up to the end of the line.
std::shared_ptr<const covered_edges> read_more(reader& in) {
  std::vector<edge> edges;
  while (!in.at_end())
    edges.push_back(read_covered(in, in.word()).value_or(edge{}));
  if (edges.empty())
    return nullptr;
  const auto words = (edges.size() + 63) / 64;
  return std::make_shared<const covered_edges>(
      covered_edges{std::make_shared<const std::vector<edge>>(std::move(edges)),
                    std::vector<std::uint64_t>(words, ~std::uint64_t{0})});
}

step_done read_step(reader& in) {
  auto e = step_done{in.number()};
  if (!in.at_end())
    e.mixing_price = in.number<double>();
  if (!in.at_end()) // older logs end here
    e.strides_apart = in.number<double>();
  if (!in.at_end())
    e.gradients = in.number<std::uint32_t>();
  return e;
}

std::uint64_t read_generation(reader& in) {
  return in.at_end() || !in.either("of", "of") ? 0 : in.number();
}

/// Braces call from left to right, in the order of the words.
protocol_message read_message(reader& in) {
  const auto kind = in.word();
  if (kind == "estimate") {
    auto m = estimate{in.number()};
    for (; !in.at_end();)
      if (in.either("of", "bare"))
        m.generation = in.number();
      else
        m.has_parameters = false;
    return m;
  }
  if (kind == "accept")
    return accept{in.number()};
  if (kind == "closed")
    return closed{in.number(), in.number<std::uint32_t>()};
  if (kind == "threshold") {
    auto m = threshold{in.number(), in.number(), in.number(), read_covered(in, in.word())};
    m.more = read_more(in);
    return m;
  }
  if (kind == "membership") {
    auto facts = std::make_shared<std::vector<fact>>();
    while (!in.at_end())
      facts->push_back(read_fact(in, in.word()));
    return membership_news{std::move(facts)};
  }
  if (kind == "offer")
    return offer{
        in.number(), in.number(), in.number<double>(), {in.number(), in.number()}, read_generation(in)};
  if (kind == "answer")
    return answer{in.number(),
                  in.either("taken", "refused"),
                  in.number<double>(),
                  {in.number(), in.number()},
                  read_generation(in)};
  if (kind != "leaving")
    in.refuse();
  return leaving{};
}

std::optional<event> read_event(reader& in, event_line& line) {
  const auto kind = in.word();
  if (kind == "new") {
    line.completed = in.number();
    if (!in.at_end())
      line.last_round = in.number();
    return std::nullopt;
  }
  if (kind == "start")
    return start{};
  if (kind == "step")
    return read_step(in);
  if (kind == "from")
    return message_received{in.worker(), read_message(in)};
  if (kind == "lost")
    return neighbour_lost{in.worker(), in.either("crashed", "silent") ? neighbour_lost::cause::crashed
                                                                      : neighbour_lost::cause::silent};
  if (kind == "heard")
    return neighbour_heard{in.worker()};
  if (kind == "paused")
    return paused{};
  if (kind == "stalled")
    return step_stalled{};
  if (kind == "resumed")
    return step_resumed{};
  if (kind == "stop")
    return stop_requested{};
  if (kind != "timer")
    in.refuse();
  return timer_expired{};
}

constexpr std::string_view before_effects = " | ";

void append(std::string& out, const std::vector<effect>& effects) {
  writer w{out};
  for (const auto& x : effects) {
    if (&x != effects.data())
      out += "; ";
    std::visit(w, x);
  }
}

} // namespace

std::string to_text(const std::vector<effect>& effects) {
  std::string text;
  append(text, effects);
  return text;
}

void append_new_worker(std::string& out, nanoseconds now, const machine_options& options) {
  writer w{out};
  w.say(now, options.self, "new", options.completed);
  if (options.last_round != machine_options{}.last_round)
    w.also(options.last_round);
  out += before_effects;
  out += '\n';
}

void append_event(std::string& out, nanoseconds now, worker_id id, const event& e,
                  const std::vector<effect>& effects) {
  writer w{out};
  w.say(now, id, "");
  std::visit(w, e);
  out += before_effects;
  append(out, effects);
  out += '\n';
}

std::optional<event_line> parse_event_line(std::string_view line) {
  const auto bar = line.find(before_effects);
  if (bar == std::string_view::npos)
    return std::nullopt;
  reader in{line.substr(0, bar)};
  event_line x;
  x.at = in.moment();
  x.worker = in.worker();
  x.what = read_event(in, x);
  x.effects_text = line.substr(bar + before_effects.size());
  if (!in.ok() || !in.at_end() || x.at < nanoseconds{0})
    return std::nullopt;
  return x;
}

} // namespace dybw
