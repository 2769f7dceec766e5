#include "apps/web/view_json.hpp"

#include "apps/text/json_text.hpp"
#include "learning/base/number_text.hpp"
#include "learning/base/option_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <string_view>

namespace dybw {

namespace {

using json = nlohmann::ordered_json;

template <class T>
json or_null(const std::optional<T>& x) {
  return x ? json(*x) : json(nullptr);
}

std::uint32_t number_of(worker_id id) {
  return static_cast<std::uint32_t>(id);
}

/// The shortest decimal that is this float, so that 0.04f does not become 0.03999999910593033.
double tidy(float x) {
  return parse_number<double>(number_text(x)).value_or(x);
}

json evaluation_json(const std::optional<evaluation>& e) {
  if (!e)
    return nullptr;
  auto scores = json::object();
  for (const auto& s : e->scores)
    scores[s.name] = s.value;
  return {{"time_s", e->time_s},
          {"local_steps", e->local_steps},
          {"test_accuracy", or_null(e->test_accuracy)},
          {"test_loss", or_null(e->test_loss)},
          {"scores", std::move(scores)},
          {"worst_worker_accuracy", or_null(e->worst_worker_accuracy)},
          {"consensus_distance", e->consensus_distance},
          {"cpu_s", e->cpu_s},
          {"scored_workers", e->scored_workers},
          {"scored_samples", e->scored_samples}};
}

json run_json(const run_view& v) {
  return {{"state", to_string(v.now)},
          {"trouble", v.trouble},
          {"name", v.name},
          {"policy", v.policy},
          {"topology", v.topology},
          {"dataset", v.dataset},
          {"model", v.model},
          {"parameters", v.parameters},
          {"seed", v.seed},
          {"elapsed_s", v.elapsed_s},
          {"fraction", or_null(v.fraction)},
          {"remaining_s", or_null(v.remaining_s)},
          {"newest_round", v.newest_round},
          {"local_steps", v.local_steps},
          {"timeouts", v.timeouts},
          {"loss", or_null(v.loss)},
          {"steps_per_s", v.steps_per_s},
          {"no_wait_per_s", v.no_wait_per_s},
          {"backup_workers", v.backup_workers},
          {"wait_share", v.wait_share},
          {"newest_evaluation", evaluation_json(v.newest_evaluation)},
          {"target_accuracy", or_null(v.target_accuracy)},
          {"consensus_distance", or_null(v.consensus_distance)},
          {"mean_norm", or_null(v.mean_norm)},
          {"parts", v.parts},
          {"failure", v.failure}};
}

json node_json(const node_view& n) {
  return {{"address", n.address},
          {"reachable", n.reachable},
          {"silent_s", n.silent_s},
          {"workers", n.workers},
          {"component", n.component},
          {"cpu_s", n.cpu_s},
          {"peak_rss_bytes", n.peak_rss_bytes},
          {"link_bytes_sent", n.link_bytes_sent},
          {"eval_bytes_sent", n.eval_bytes_sent},
          {"connections_refused", n.connections_refused},
          {"leads", n.leads}};
}

json worker_json(const worker_view& w) {
  auto recent = json::array();
  for (const auto x : w.recent_round_s)
    recent.push_back(tidy(x));
  return {{"id", number_of(w.id)},
          {"node", w.node},
          {"standing", to_string(w.standing)},
          {"phase", to_string(w.phase)},
          {"maker", w.maker},
          {"in_phase_s", w.in_phase_s},
          {"round", w.round},
          {"rounds", w.rounds},
          {"local_steps", w.local_steps},
          {"timeouts", w.timeouts},
          {"estimates_late", w.estimates_late},
          {"compute_s", w.compute_s},
          {"wait_s", w.wait_s},
          {"neighbours", w.neighbours},
          {"loss", or_null(w.loss)},
          {"backup_workers", w.backup_workers},
          {"wait_share", w.wait_share},
          {"round_s", w.round_s},
          {"step_s", w.step_s},
          {"straggler", w.straggler},
          {"recent_round_s", std::move(recent)}};
}

/// `whom` is null where any worker would do.
json wait_json(const wait_view& w) {
  return {{"who", number_of(w.who)},
          {"whom", w.whom == w.who ? json(nullptr) : json(number_of(w.whom))},
          {"round", w.round},
          {"phase", to_string(w.phase)},
          {"what", to_string(w.what)},
          {"waited_s", w.waited_s},
          {"timeout_in_s", or_null(w.timeout_in_s)},
          {"maker", w.maker}};
}

json edges_json(const std::vector<edge_view>& edges) {
  json ends = json::array(), committed = json::array(), recent = json::array(), up = json::array();
  for (const auto& e : edges) {
    ends.push_back({number_of(e.link.a), number_of(e.link.b)});
    committed.push_back(e.committed);
    recent.push_back(e.recent_per_s);
    up.push_back(e.up);
  }
  return {{"link", std::move(ends)},
          {"committed", std::move(committed)},
          {"recent_per_s", std::move(recent)},
          {"up", std::move(up)}};
}

json history_json(const std::vector<history_point>& history) {
  json columns = {{"time_s", json::array()},      {"loss", json::array()},
                  {"accuracy", json::array()},    {"consensus_distance", json::array()},
                  {"steps_per_s", json::array()}, {"backup_workers", json::array()},
                  {"wait_share", json::array()}};
  for (const auto& p : history) {
    columns["time_s"].push_back(p.time_s);
    columns["loss"].push_back(or_null(p.loss));
    columns["accuracy"].push_back(or_null(p.accuracy));
    columns["consensus_distance"].push_back(or_null(p.consensus_distance));
    columns["steps_per_s"].push_back(p.steps_per_s);
    columns["backup_workers"].push_back(p.backup_workers);
    columns["wait_share"].push_back(p.wait_share);
  }
  return columns;
}

// --- For the page: text at once, without a tree of values ---

constexpr int digits = 4;
constexpr int time_digits = 7; ///< moments of a long run still differ by less than what one pixel shows

void put(std::string& out, double x, int precision = digits) {
  out += std::isfinite(x) ? number_text(x, std::chars_format::general, precision) : "null";
}

void put(std::string& out, std::unsigned_integral auto x) {
  out += number_text(x);
}

void put(std::string& out, const std::optional<double>& x) {
  put(out, x.value_or(std::numeric_limits<double>::quiet_NaN()));
}

void put(std::string& out, std::string_view text) {
  out += json_text(json(text));
}

/// `["a",1,..]` or any other list: `each(x)` appends one element.
template <class Range, class Each>
void put_list(std::string& out, const Range& range, Each each) {
  out += '[';
  auto first = true;
  for (const auto& x : range) {
    if (!first)
      out += ',';
    first = false;
    each(x);
  }
  out += ']';
}

/// Begins a member; the first of an object comes without a comma in front.
void name(std::string& out, std::string_view member) {
  if (!out.ends_with('{'))
    out += ',';
  out.append(1, '"').append(member).append("\":");
}

template <class Range, class Value>
void column(std::string& out, std::string_view member, const Range& range, Value value) {
  name(out, member);
  put_list(out, range, [&](const auto& x) { put(out, value(x)); });
}

void put_workers(std::string& out, const std::vector<worker_view>& workers) {
  const auto all = [&](std::string_view member, auto value) { column(out, member, workers, value); };
  out += '{';
  name(out, "count");
  put(out, std::uint64_t{workers.size()});
  all("node", [](const auto& w) { return w.node; });
  all("standing", [](const auto& w) { return static_cast<std::uint32_t>(w.standing); });
  all("phase", [](const auto& w) { return static_cast<std::uint32_t>(w.phase); });
  all("in_phase_s", [](const auto& w) { return w.in_phase_s; });
  all("round", [](const auto& w) { return w.round; });
  all("rounds", [](const auto& w) { return w.rounds; });
  all("timeouts", [](const auto& w) { return w.timeouts; });
  all("estimates_late", [](const auto& w) { return w.estimates_late; });
  all("neighbours", [](const auto& w) { return w.neighbours; });
  all("loss", [](const auto& w) { return w.loss; });
  all("backup_workers", [](const auto& w) { return w.backup_workers; });
  all("wait_share", [](const auto& w) { return w.wait_share; });
  all("round_s", [](const auto& w) { return w.round_s; });
  all("step_s", [](const auto& w) { return w.step_s; });
  all("straggler", [](const auto& w) { return std::uint32_t{w.straggler}; });
  if (workers.size() <= page_sparklines_max) {
    name(out, "recent_round_s");
    put_list(out, workers, [&](const worker_view& w) {
      put_list(out, w.recent_round_s, [&](float x) { put(out, static_cast<double>(x), 3); });
    });
  }
  out += '}';
}

void put_edges(std::string& out, const std::vector<edge_view>& edges) {
  out += '{';
  name(out, "count");
  put(out, std::uint64_t{edges.size()});
  if (edges.size() <= page_edges_max) {
    column(out, "low", edges, [](const edge_view& e) { return number_of(e.link.a); });
    column(out, "high", edges, [](const edge_view& e) { return number_of(e.link.b); });
    column(out, "recent_per_s", edges, [](const edge_view& e) { return e.recent_per_s; });
    column(out, "up", edges, [](const edge_view& e) { return std::uint32_t{e.up}; });
  }
  out += '}';
}

void put_waits(std::string& out, const std::vector<wait_view>& waits) {
  const std::span shown{waits.data(), std::min(waits.size(), page_waits_max)};
  out += "{\"count\":";
  put(out, std::uint64_t{waits.size()});
  name(out, "shown");
  put_list(out, shown, [&](const wait_view& w) { out += json_text(wait_json(w)); });
  out += '}';
}

void put_events(std::string& out, const run_view& v) {
  const auto shown = std::min(v.events.size(), page_events_max);
  out += "{\"before\":";
  put(out, std::uint64_t{v.events_before + v.events.size() - shown});
  name(out, "shown");
  put_list(out, std::span{v.events}.last(shown), [&](const event_view& e) {
    out += "{\"time_s\":";
    put(out, e.time_s, time_digits);
    name(out, "how");
    put(out, to_string(e.how));
    name(out, "text");
    put(out, e.text);
    out += '}';
  });
  out += '}';
}

void put_history(std::string& out, const std::vector<history_point>& history) {
  const auto all = [&](std::string_view member, auto value) { column(out, member, history, value); };
  out += '{';
  name(out, "time_s");
  put_list(out, history, [&](const history_point& p) { put(out, p.time_s, time_digits); });
  all("loss", [](const auto& p) { return p.loss; });
  all("accuracy", [](const auto& p) { return p.accuracy; });
  all("consensus_distance", [](const auto& p) { return p.consensus_distance; });
  all("steps_per_s", [](const auto& p) { return p.steps_per_s; });
  all("backup_workers", [](const auto& p) { return p.backup_workers; });
  all("wait_share", [](const auto& p) { return p.wait_share; });
  out += '}';
}

/// What the numbers in the columns `phase` and `standing` mean.
void put_names(std::string& out) {
  static constexpr std::array phases = {phase::idle, phase::computing, phase::gathering, phase::settling,
                                        phase::left};
  static constexpr std::array standings = {worker_standing::working, worker_standing::done,
                                           worker_standing::lost, worker_standing::silent};
  const auto text = [](auto x) { return to_string(x); };
  column(out, "phases", phases, text);
  column(out, "standings", standings, text);
}

} // namespace

nlohmann::ordered_json to_json(const run_view& view) {
  auto all = run_json(view);
  const auto list = [&](const char* member, const auto& range, auto one) {
    auto& elements = all[member] = json::array();
    for (const auto& x : range)
      elements.push_back(one(x));
  };
  list("nodes", view.nodes, node_json);
  list("workers", view.workers, worker_json);
  all["edges"] = edges_json(view.edges);
  list("waits", view.waits, wait_json);
  list("events", view.events, [](const event_view& e) {
    return json{{"time_s", e.time_s}, {"how", to_string(e.how)}, {"text", e.text}};
  });
  all["events_before"] = view.events_before;
  all["history"] = history_json(view.history);
  return all;
}

std::string page_json(const run_view& view) {
  std::string out = "{\"run\":";
  out += json_text(run_json(view));
  put_names(out);
  name(out, "nodes");
  put_list(out, view.nodes, [&](const node_view& n) { out += json_text(node_json(n)); });
  name(out, "workers");
  put_workers(out, view.workers);
  name(out, "edges");
  put_edges(out, view.edges);
  name(out, "waits");
  put_waits(out, view.waits);
  name(out, "events");
  put_events(out, view);
  name(out, "history");
  put_history(out, view.history);
  out += '}';
  return out;
}

} // namespace dybw
