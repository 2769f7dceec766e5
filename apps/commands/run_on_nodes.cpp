#include "apps/commands/run_on_nodes.hpp"

#include "actors/client/ask_nodes.hpp"
#include "actors/cluster/cluster_run.hpp"
#include "actors/monitor/monitor.hpp"
#include "apps/commands/commands.hpp"
#include "apps/commands/run_output.hpp"
#include "apps/options/node_options.hpp"
#include "apps/program/interrupts.hpp"
#include "apps/program/network.hpp"
#include "apps/program/version.hpp"
#include "apps/results/run_json.hpp"
#include "apps/text/json_text.hpp"
#include "apps/text/node_text.hpp"
#include "apps/web/live_page.hpp"
#include "learning/base/error.hpp"

#include <spdlog/spdlog.h>

#include <iostream>
#include <sstream>

namespace dybw {

namespace {

constexpr nanoseconds ask_patience{std::chrono::seconds{4}};

int say(const std::string& failure, int exit_code) {
  std::cerr << "dybw: error: " << failure << std::endl;
  return exit_code;
}

void print_begun(const run_options& options, const cluster_plan& plan) {
  const auto name = name_of_run(plan, 0);
  const auto first = to_string(plan.nodes.front()) + tls_words(options.nodes->tls);
  if (options.output.format == output_format::json) {
    auto nodes = nlohmann::ordered_json::array();
    for (const auto& node : plan.nodes)
      nodes.push_back(to_string(node));
    const nlohmann::ordered_json begun{
        {"dybw", version()}, {"config", config_to_json(options.config)}, {"run", name}, {"nodes", nodes}};
    std::cout << json_text(begun, 2) << std::endl;
    return;
  }
  std::cout << "run " << name << " has begun on " << plan.nodes.size()
            << (plan.nodes.size() == 1 ? " node" : " nodes") << "\nfollow it:  dybw status " << first
            << "\nend it:     dybw stop " << first << "\nresults:    in " << name
            << " below --out of the nodes" << std::endl;
}

} // namespace

std::vector<std::string> options_on_nodes(const nodes_options& nodes, const std::string& run) {
  network net{nodes.tls};
  for (const auto& node : nodes.nodes) {
    const auto answers = ask_nodes(net.system(), net.gateway(), std::span{&node, 1},
                                   saved_options_request{run}, ask_patience, interrupt_guard::interrupted);
    if (const auto options = expect_answer<saved_options_reply>(answers.front(), node);
        options.refusal.empty())
      return options.options;
  }
  return {};
}

int run_on_nodes(const run_options& options) {
  network net{options.nodes->tls};
  const auto name = date_text() + '-' + std::to_string(options.config.seed);
  auto plan = plan_on_nodes(net.system(), net.gateway(), options.config, options.nodes->nodes, name,
                            interrupt_guard::interrupted, tls_words(options.nodes->tls));
  if (!plan)
    return interrupt_guard::exit_code;
  plan->resume = options.resume.value_or("");
  for (std::istringstream lines{options.nodes->saved}; !lines.eof();)
    if (std::string line; std::getline(lines, line))
      plan->options.push_back(line);
  if (!options.config.data.path.empty())
    spdlog::warn("--data={} is not used: nodes read data from their own --data",
                 options.config.data.path.string());
  run_output output{options};
  if (!options.output.quiet)
    std::cerr << placement_text(plan->nodes, plan->placement) << std::flush;
  std::optional<live_page> page;
  if (options.http) {
    auto http = *options.http;
    http.certificates = net.certificates();
    page.emplace(net.system(),
                 net.system().spawn(monitor, monitor_options{net.gateway(), plan->nodes.front()}), http);
    output.tell_page(page->url());
  }
  try {
    for (std::size_t i = 0; i < plan->inputs.policies.size() && !interrupt_guard::interrupted(); ++i) {
      const auto& policy = plan->inputs.policies[i].text;
      cluster_controls controls;
      controls.rounds_file = output.rounds_file(policy);
      controls.evals_file = output.evals_file(policy);
      controls.watch = output.watch(policy);
      controls.trace = output.trace(policy);
      controls.detach = options.nodes->detach;
      const auto end = run_policy_on_nodes(net.system(), net.gateway(), *plan, i, controls);
      output.clear();
      if (end.began && controls.detach) {
        print_begun(options, *plan);
        return 0;
      }
      if (end.began)
        output.add(end.run);
      else
        output.discard();
      if (end.run.result.failed) {
        if (!output.empty())
          output.print();
        if (!output.failure().empty())
          say(output.failure(), exit_failed);
        return say(end.run.result.failure, end.exit_code);
      }
    }
  } catch (...) { // as on one host
    output.abandon();
    throw;
  }
  if (!output.empty())
    output.print();
  if (!output.failure().empty())
    return say(output.failure(), exit_failed);
  return interrupt_guard::interrupted() ? interrupt_guard::exit_code : 0;
}

} // namespace dybw
