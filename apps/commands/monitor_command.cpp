#include "actors/monitor/monitor.hpp"
#include "apps/commands/commands.hpp"
#include "apps/options/http_options.hpp"
#include "apps/options/node_options.hpp"
#include "apps/options/option_group.hpp"
#include "apps/program/interrupts.hpp"
#include "apps/program/logging.hpp"
#include "apps/program/network.hpp"
#include "apps/terminal/screen.hpp"
#include "apps/terminal/terminal_kind.hpp"
#include "apps/text/json_text.hpp"
#include "apps/text/progress.hpp"
#include "apps/text/view_text.hpp"
#include "apps/web/http_server.hpp"
#include "apps/web/live_view.hpp"
#include "apps/web/view_json.hpp"

#include <caf/scoped_actor.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <utility>

#include <unistd.h>

namespace po = boost::program_options;

namespace dybw {

namespace {

constexpr auto poll_every = std::chrono::milliseconds{50};
/// Who refuses does so at once. What takes longer may be a busy machine's answer, which gets more time.
constexpr auto refusal_patience = std::chrono::seconds{3};
constexpr auto attach_patience = std::chrono::seconds{30};
/// For all nodes to have said how they stand.
constexpr auto whole_patience = std::chrono::milliseconds{1200};
/// A wait of so long stands below the line of every second.
constexpr double long_wait_s = 1;
constexpr std::size_t long_waits_max = 5;

struct monitor_command_options {
  endpoint node;
  bool plain = false;
  bool json = false;
  bool waiting = false;
  nanoseconds every{0};
  std::optional<http_options> http;
  std::optional<tls_files> tls;
};

po::options_description monitor_option_list() {
  auto own = option_group("Options");
  own.add_options()("plain", po::bool_switch(), "a line per second, as without a terminal")(
      "format", text_value("text|json", "text"), "json: an object per line")("interval", text_value("S", "1"),
                                                                             "seconds from line to line")(
      "config", text_value("FILE"),
      "read options from an INI file, one NAME = VALUE per line; the command line wins")(
      "waiting", po::bool_switch(), "who waits for whom, and why, now; then end")("help", po::bool_switch(),
                                                                                  "show this page");
  auto all = option_group();
  all.add(own).add(http_option_group()).add(tls_option_group());
  return all;
}

monitor_command_options read_options(std::span<const std::string> arguments) {
  const auto known = monitor_option_list();
  option_values given{known, "dybw monitor", 1};
  given.add_arguments(arguments);
  given.add_config_file();
  monitor_command_options options;
  options.node = read_node(given, "dybw monitor");
  options.json = given.choice("format", {"text", "json"}) == 1;
  options.plain = given.flag("plain") || !terminal_columns(STDOUT_FILENO) || isatty(STDIN_FILENO) == 0;
  options.waiting = given.flag("waiting");
  if (options.waiting && options.json)
    throw input_error{input_fault::configuration, "--waiting contradicts --format=json", "",
                      "leave one of them out: the JSON objects have \"waits\""};
  options.every = from_seconds(given.real(
      "interval", [](double x) { return x >= 0.1 && x <= 3600; }, "a number of seconds from 0.1 to 3600"));
  options.tls = read_tls(given);
  options.http = read_http(given);
  if (options.http && options.waiting)
    given.refuse("http", "contradicts --waiting, which ends at once", "leave one of them out");
  return options;
}

/// Time goes by here, and only here.
class pause {
public:
  explicit pause(caf::actor_system& system) : self_(system) {}
  /// Whether the whole time went by: false if the user wants an end.
  bool wait(nanoseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!interrupt_guard::interrupted() && std::chrono::steady_clock::now() < until)
      self_->receive(caf::after(poll_every) >> [] {});
    return !interrupt_guard::interrupted();
  }

private:
  caf::scoped_actor self_;
};

/// Waits until a run is seen. Throws `input_error` (network fault) if there is none, or no node.
run_view_ptr attach(live_view& view, pause& time, const monitor_command_options& options) {
  const auto& node = options.node;
  const auto since = std::chrono::steady_clock::now();
  for (auto told = false;;) {
    auto v = view.now();
    if (!v->workers.empty())
      return v;
    if (v->now == run_view::state::idle)
      throw input_error{input_fault::network, v->trouble, "",
                        "start one with: dybw run --nodes " + to_string(node) + tls_words(options.tls)};
    const auto failed = v->now != run_view::state::attaching || !v->trouble.empty();
    const auto waited = std::chrono::steady_clock::now() - since;
    if ((failed && waited < refusal_patience) || waited > attach_patience)
      throw input_error{input_fault::network,
                        v->trouble.empty() ? "node " + to_string(node) + " does not answer" : v->trouble, "",
                        ""};
    if (waited >= refusal_patience && !std::exchange(told, true))
      std::cerr << "node " << to_string(node) << " does not answer yet; waiting up to "
                << attach_patience.count() << " s" << std::endl;
    if (!time.wait(poll_every))
      return v;
  }
}

/// Until every node of the run has said how it stands, or is known not to.
run_view_ptr whole_view(live_view& view, pause& time) {
  const auto until = std::chrono::steady_clock::now() + whole_patience;
  const auto all_heard = [](const run_view& v) {
    return std::all_of(v.nodes.begin(), v.nodes.end(), [](const node_view& n) { return n.reachable; });
  };
  auto v = view.now();
  while (!all_heard(*v) && std::chrono::steady_clock::now() < until && time.wait(poll_every))
    v = view.now();
  if (all_heard(*v)) // one that has stopped since says nothing, which is seen after a while only
    time.wait(run_watch::silent_after + monitor_machine::ask_every);
  return view.now();
}

bool has_ended(const run_view& v) {
  return v.now == run_view::state::over || v.now == run_view::state::lost;
}

void print_text(const run_view& v, std::uint64_t& events_seen) {
  for (std::size_t i = 0; i < v.events.size(); ++i)
    if (v.events_before + i >= events_seen)
      std::cout << line_of(v.events[i]) << '\n';
  events_seen = v.events_before + v.events.size();
  std::cout << plain_line(v) << '\n';
  for (std::size_t i = 0; i < std::min(v.waits.size(), long_waits_max); ++i)
    if (v.waits[i].waited_s >= long_wait_s)
      std::cout << "  " << wait_text(v.waits[i]) << '\n';
  std::cout << std::flush;
}

/// A line per interval and what happened meanwhile, until the run ends.
int print_lines(live_view& view, pause& time, const monitor_command_options& options) {
  std::uint64_t events_seen = 0;
  for (;;) {
    const auto v = view.now();
    if (options.json)
      std::cout << json_text(to_json(*v)) << std::endl;
    else
      print_text(*v, events_seen);
    // With a web page it stays, for the next run.
    if ((has_ended(*v) && !options.http) || !std::cout)
      return v->now == run_view::state::lost ? input_error{input_fault::network, "", "", ""}.exit_code() : 0;
    if (!time.wait(options.every))
      return interrupt_guard::exit_code;
  }
}

} // namespace

std::string monitor_help() {
  return help_page(
      "dybw monitor HOST:PORT: attaches to a live run by any of its nodes, and shows what it does and "
      "why\n"
      "anybody waits. It may come and go as it likes; the run does not notice.\n\n",
      monitor_option_list());
}

int monitor_command(std::span<const std::string> arguments) {
  const auto options = read_options(arguments);
  set_up_log(log_level::warn);
  const auto guard = interrupt_guard{};
  network net{options.tls};
  live_view view{net.system(), net.system().spawn(monitor, monitor_options{net.gateway(), options.node})};
  pause time{net.system()};
  std::optional<http_server> page;
  if (options.http) {
    auto http = *options.http;
    http.certificates = net.certificates();
    page.emplace(http, view.source());
    std::cerr << "web page at http://" << to_string(page->address()) << '/' << std::endl;
  } else {
    attach(view, time, options);
  }
  if (interrupt_guard::interrupted())
    return interrupt_guard::exit_code;
  if (options.waiting) {
    std::cout << waiting_text(*whole_view(view, time)) << std::flush;
    return 0;
  }
  if (options.plain || options.json)
    return print_lines(view, time, options);
  if (!terminal_shows_pictures()) {
    const auto* kind = std::getenv("TERM");
    std::cerr << "the terminal (TERM=" << (kind != nullptr ? kind : "")
              << ") is of no kind that is known here, so a line per second; TERM=xterm-256color fits most"
              << std::endl;
    return print_lines(view, time, options);
  }
  spdlog::set_level(spdlog::level::off); // the picture is all there is on the terminal
  const auto last = show_on_terminal(view.source(), interrupt_guard::interrupted);
  std::cout << plain_line(*last) << std::endl;
  return 0;
}

} // namespace dybw
