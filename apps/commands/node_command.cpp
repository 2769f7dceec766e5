#include "apps/commands/node_command.hpp"

#include "actors/monitor/monitor.hpp"
#include "actors/transport/address.hpp"
#include "apps/commands/commands.hpp"
#include "apps/options/node_options.hpp"
#include "apps/program/interrupts.hpp"
#include "apps/program/version.hpp"
#include "apps/results/node_writer.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/web/live_page.hpp"

#include <boost/program_options/value_semantic.hpp>
#include <spdlog/spdlog.h>

#include <iostream>
#include <sstream>
#include <sys/resource.h>
#include <utility>

namespace po = boost::program_options;

namespace dybw {

namespace {

constexpr unsigned columns_max = 100;
constexpr unsigned description_columns_min = 64;
constexpr std::uint64_t slots_max = 100'000;
constexpr std::uint64_t threads_max = 4096;
constexpr auto poll_every = std::chrono::milliseconds{50};
/// How long a run in progress may take to end when the node is to end.
constexpr auto leave_patience = std::chrono::seconds{20};

po::options_description node_option_list() {
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  po::options_description node{"Node", columns_max, description_columns_min};
  node.add_options()("listen", text("HOST:PORT"),
                     "where launchers and other nodes connect; anything but loopback needs TLS")(
      "advertise", text("HOST:PORT"), "the address by which others reach it, if that is another")(
      "data", text("PATH"), "directory of the mnist or cifar10 files, or the csv file, on this machine")(
      "out", text("DIR"),
      "write results, models and checkpoints there, a directory per run; default: nowhere")(
      "slots", text("N")->default_value("0"), "most workers that it takes; 0: no limit")(
      "threads", text("T")->default_value("0"),
      "threads that compute gradients; 0: as the run says, or one per processor")(
      "join", text("HOST:PORT"), "take a free place in the run of this node, after a crash for example")(
      "insecure", po::bool_switch(), "listen on any address without TLS: whoever reaches it can use it");
  po::options_description output{"Output", columns_max, description_columns_min};
  output.add_options()("log-level", text("LEVEL")->default_value("info"),
                       "debug, info, warn, error or off; goes to standard error")(
      "quiet", po::bool_switch(), "print nothing but warnings and errors")("help", po::bool_switch(),
                                                                           "show this page");
  po::options_description all{columns_max, description_columns_min};
  all.add(node).add(tls_option_group()).add(http_option_group()).add(output);
  return all;
}

bool is_everywhere(const std::string& host) {
  return host == "0.0.0.0" || host == "::";
}

std::optional<endpoint> read_endpoint(const option_values& given, const std::string& name) {
  if (!given.given(name))
    return std::nullopt;
  return given.reading(name, [&] { return parse_endpoint(given.text(name)); });
}

void check_exposure(const option_values& given, const node_command_options& options) {
  if (options.tls && given.flag("insecure"))
    throw input_error{input_fault::configuration, "--insecure contradicts --tls-cert", "",
                      "leave one of them out"};
  if (!options.tls && !given.flag("insecure") && !is_loopback(options.listen.host))
    given.refuse(
        "listen", "is open to other machines without TLS",
        "give --tls-cert, --tls-key and --tls-ca (scripts/make-certs makes them), or --insecure in a "
        "network that you trust");
  if (options.join && !options.advertise && is_everywhere(options.listen.host))
    given.refuse("join", "needs an address by which the others reach this node",
                 "give --advertise HOST:PORT");
}

std::optional<std::filesystem::path> read_path(const option_values& given, const std::string& name) {
  if (!given.given(name))
    return std::nullopt;
  if (given.text(name).empty())
    given.refuse(name, "is empty", "give a path");
  return given.text(name);
}

/// What lies on this machine is checked before anybody relies on it.
void check_places(const node_command_options& options) {
  if (!options.data.empty() && !std::filesystem::exists(options.data))
    throw input_error{input_fault::data, "--data=" + options.data.string() + " is not there", "",
                      "give a directory or file of this machine"};
  if (options.out)
    run_directory::reopen(*options.out, {});
}

node_options to_node_options(const node_command_options& options) {
  node_options node;
  node.gateway.listen = options.listen;
  node.gateway.advertise = options.advertise;
  node.gateway.tls = options.tls.has_value();
  node.version = version();
  node.data = options.data;
  node.threads = options.threads;
  node.slots = options.slots;
  node.join = options.join;
  node.files = make_node_writer(options.out);
  return node;
}

/// By which this process reaches itself.
endpoint own_address(const node_command_options& options, const opened_node& node) {
  return {is_everywhere(options.listen.host) ? "127.0.0.1" : options.listen.host,
          options.advertise ? options.listen.port : node.advertised.port};
}

/// Until the node is told to end, or is of no use. Returns the exit code.
int serve(caf::actor_system& system, const node_actor& node) {
  caf::scoped_actor self{system};
  std::optional<std::chrono::steady_clock::time_point> leaving_since;
  for (;;) {
    std::optional<node_standing> standing;
    std::string failure;
    self->request(node, std::chrono::seconds{30}, node_standing_wanted{})
        .receive([&](node_standing& x) { standing = std::move(x); },
                 [&](const caf::error& e) { failure = caf::to_string(e); });
    if (!standing)
      throw std::runtime_error{"the node failed: " + failure};
    if (!standing->failure.empty()) {
      std::cerr << "dybw: error: " << standing->failure << std::endl;
      return standing->exit_code;
    }
    if (standing->state == "left")
      return 0;
    if (interrupt_guard::interrupted() && !leaving_since) {
      leaving_since = std::chrono::steady_clock::now();
      if (!standing->run_name.empty())
        spdlog::info("ending run {} and leaving", standing->run_name);
      self->send(node, stop_work{});
    }
    if (leaving_since && std::chrono::steady_clock::now() - *leaving_since > leave_patience) {
      spdlog::warn("run {} did not end in time", standing->run_name);
      return 0;
    }
    self->receive(caf::after(poll_every) >> [] {});
  }
}

} // namespace

node_command_options read_node_options(std::span<const std::string> arguments) {
  const auto known = node_option_list();
  option_values given{known, "dybw node"};
  given.add_arguments(arguments);
  node_command_options options;
  if (!given.given("listen"))
    throw input_error{input_fault::configuration, "--listen is not given", "",
                      "give an address, for example --listen 127.0.0.1:7400"};
  options.listen = *read_endpoint(given, "listen");
  options.advertise = read_endpoint(given, "advertise");
  options.join = read_endpoint(given, "join");
  options.tls = read_tls(given);
  options.http = read_http(given);
  check_exposure(given, options);
  options.data = read_path(given, "data").value_or(std::filesystem::path{});
  options.out = read_path(given, "out");
  options.slots = static_cast<std::uint32_t>(given.whole("slots", 0, slots_max));
  options.threads = given.whole("threads", 0, threads_max);
  options.level =
      static_cast<log_level>(given.choice("log-level", {"debug", "info", "warn", "error", "off"}));
  options.quiet = given.flag("quiet");
  if (options.quiet && !given.given("log-level"))
    options.level = log_level::warn;
  return options;
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 0;
  const auto before = std::exchange(limit.rlim_cur, limit.rlim_max);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

std::string node_help() {
  std::ostringstream help;
  help << "dybw node: offers this machine to runs that others launch, one after another, until it is "
          "ended.\n\n"
          "  dybw node --listen 127.0.0.1:7400                     to try it out on one machine\n"
          "  dybw node --listen 0.0.0.0:7400 --advertise a.example.org:7400 --data data/mnist --out runs \\\n"
          "            --tls-cert a.pem --tls-key a.key --tls-ca ca.pem\n\n"
          "Then, on any machine: dybw run --nodes a.example.org:7400,.. , dybw status or dybw stop.\n"
       << node_option_list();
  return help.str();
}

int node_command(std::span<const std::string> arguments) {
  const auto options = read_node_options(arguments);
  check_places(options);
  set_up_log(options.level, true);
  raise_descriptor_limit(); // a port that runs out of them is of no use to anybody
  const auto guard = interrupt_guard{};
  system_config config{options.tls};
  caf::actor_system system{config};
  const auto node = open_node(system, to_node_options(options));
  std::optional<live_page> page;
  if (options.http)
    page.emplace(system, system.spawn(monitor, monitor_options{node.gateway, own_address(options, node)}),
                 *options.http);
  if (!options.quiet) {
    const auto name = to_string(node.advertised);
    std::cout << "dybw node: ready at " << name << "; use it with: dybw run --nodes " << name << std::endl;
    if (page)
      std::cout << "dybw node: web page at " << page->url() << std::endl;
  }
  const auto code = serve(system, node.handle);
  page.reset();
  for (const auto& a : {caf::actor_cast<caf::actor>(node.handle), caf::actor_cast<caf::actor>(node.gateway)})
    caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  return code;
}

} // namespace dybw
