#include "actors/ask.hpp"
#include "actors/monitor/monitor.hpp"
#include "actors/node/node.hpp"
#include "actors/transport/address.hpp"
#include "actors/transport/system_config.hpp"
#include "apps/commands/commands.hpp"
#include "apps/options/node_command_options.hpp"
#include "apps/options/node_options.hpp"
#include "apps/options/option_group.hpp"
#include "apps/program/interrupts.hpp"
#include "apps/program/version.hpp"
#include "apps/results/node_writer.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/web/live_page.hpp"

#include <spdlog/spdlog.h>

#include <iostream>

namespace dybw {

namespace {

constexpr auto look_every = std::chrono::milliseconds{50};
/// How long a run in progress may take to end when the node is to end.
constexpr auto leave_patience = std::chrono::seconds{20};

/// The last checkpoints have so long. Then CAF waits for all threads, and one that is deep in the gradient of
/// a large model takes minutes.
constexpr auto threads_patience = std::chrono::seconds{2};

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
  if (options.tls)
    node.gateway.tls = std::make_shared<tls_context>(*options.tls);
  node.version = version();
  node.data = options.data;
  node.threads = options.threads;
  node.slots = options.slots;
  node.trainers = options.trainers;
  node.join = options.join;
  node.join_state = options.join_state;
  node.files = make_node_writer(options.out, options.keep);
  if (options.rejoin)
    node.rejoin = read_last_run(*options.out);
  return node;
}

/// By which this process reaches itself.
endpoint own_address(const node_command_options& options, const opened_node& node) {
  return {is_any_address(options.listen.host) ? "127.0.0.1" : options.listen.host,
          options.advertise ? options.listen.port : node.advertised.port};
}

/// The actors of a node end with it, however that comes: the system waits for them.
class serving_node {
public:
  serving_node(caf::actor_system& system, node_options options)
      : node_(open_node(system, std::move(options))) {}
  ~serving_node() {
    caf::anon_send_exit(node_.handle, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(node_.gateway, caf::exit_reason::user_shutdown);
  }
  serving_node(const serving_node&) = delete;
  serving_node& operator=(const serving_node&) = delete;

  const opened_node* operator->() const noexcept { return &node_; }
  const opened_node& operator*() const noexcept { return node_; }

private:
  opened_node node_;
};

/// Until the node is told to end, or is of no use. Returns the exit code.
int serve(caf::actor_system& system, const node_actor& node) {
  caf::scoped_actor self{system};
  std::optional<std::chrono::steady_clock::time_point> leaving_since;
  for (;;) {
    std::string failure;
    const auto standing = ask_and_wait<node_standing>(
        self, node, std::chrono::seconds{30}, [&](const caf::error& e) { failure = caf::to_string(e); },
        node_standing_wanted{});
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
      spdlog::warn("{} did not end in time",
                   standing->run_name.empty() ? "trainers" : "run " + standing->run_name);
      return 0;
    }
    self->receive(caf::after(look_every) >> [] {});
  }
}

} // namespace

std::string node_help() {
  return help_page(
      "dybw node: offers this machine to runs that others launch, one after another, until it is "
      "ended.\n\n"
      "  dybw node --listen 127.0.0.1:7400                     to try it out on one machine\n"
      "  dybw node --listen 0.0.0.0:7400 --advertise a.example.org:7400 --data data/mnist --out runs \\\n"
      "            --tls-cert a.pem --tls-key a.key --tls-ca ca.pem\n\n"
      "Then, on any machine: dybw run --nodes a.example.org:7400,.. , dybw status or dybw stop.\n",
      node_option_list());
}

int node_command(std::span<const std::string> arguments) {
  const auto options = read_node_options(arguments);
  check_places(options);
  set_up_log(options.level, true);
  const auto guard = interrupt_guard{};
  network_config config;
  caf::actor_system system{config};
  const auto at_node = to_node_options(options);
  const serving_node node{system, at_node};
  std::optional<live_page> page;
  if (options.http) {
    auto http = *options.http;
    http.certificates = ends_of(at_node.gateway.tls);
    page.emplace(system, system.spawn(monitor, monitor_options{node->gateway, own_address(options, *node)}),
                 http);
  }
  if (!options.quiet) {
    const auto name = to_string(node->advertised);
    std::cout << "dybw node: ready at " << name << "; use it with: dybw run --nodes " << name
              << tls_words(options.tls) << std::endl;
    if (page)
      std::cout << "dybw node: web page at " << page->url() << std::endl;
  }
  const auto exit_code = serve(system, node->handle);
  if (interrupt_guard::interrupted())
    end_within(threads_patience, exit_code); // all results are written
  return exit_code;
}

} // namespace dybw
