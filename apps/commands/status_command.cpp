#include "actors/client/ask_nodes.hpp"
#include "apps/commands/commands.hpp"
#include "apps/options/node_options.hpp"
#include "apps/options/option_group.hpp"
#include "apps/program/logging.hpp"
#include "apps/program/network.hpp"
#include "apps/text/json_text.hpp"
#include "apps/text/node_text.hpp"

#include <iostream>

namespace po = boost::program_options;

namespace dybw {

namespace {

po::options_description option_list(bool has_format) {
  auto own = option_group("Options");
  own.add_options()("timeout", text_value("S", "4"),
                    "longest wait for a connection, and then for the answer, in seconds")(
      "config", text_value("FILE"),
      "read options from an INI file, one NAME = VALUE per line; the command line wins");
  if (has_format)
    own.add_options()("format", text_value("text|json", "text"), "what to print");
  own.add_options()("help", po::bool_switch(), "show this page");
  auto all = option_group();
  all.add(own).add(tls_option_group());
  return all;
}

/// The answer of the node that the options name.
node_answer ask(const option_values& given, const endpoint& node, const control_message& question) {
  const auto patience = from_seconds(given.real(
      "timeout", [](double x) { return x > 0 && x <= 3600; }, "a number of seconds above 0, at most 3600"));
  set_up_log(log_level::warn); // not among what is asked for
  const auto tls = read_tls(given);
  if (std::holds_alternative<stop_request>(question))
    check_role(tls, {peer_role::launcher, peer_role::node}, "the role launcher");
  network net{tls};
  return ask_nodes(net.system(), net.gateway(), std::array{node}, question, patience).front();
}

std::string help_of(const std::string& opening, bool has_format) {
  return help_page(opening, option_list(has_format));
}

} // namespace

int status_command(std::span<const std::string> arguments) {
  const auto known = option_list(true);
  option_values given{known, "dybw status", 1};
  given.add_arguments(arguments);
  given.add_config_file();
  const auto as_json = given.choice("format", {"text", "json"}) == 1;
  const auto node = read_node(given, "dybw status");
  const auto answer = ask(given, node, node_status_request{});
  const auto& status = expect_answer<node_status>(answer, node);
  std::cout << (as_json ? json_text(to_json(status), 2) + "\n" : status_text(status));
  return 0;
}

std::string status_help() {
  return help_of("dybw status HOST:PORT: shows what a node is doing.\n\n", true);
}

int stop_command(std::span<const std::string> arguments) {
  const auto known = option_list(false);
  option_values given{known, "dybw stop", 1};
  given.add_arguments(arguments);
  given.add_config_file();
  const auto node = read_node(given, "dybw stop");
  const auto answer = ask(given, node, stop_request{});
  const auto& reply = expect_answer<stop_reply>(answer, node);
  if (!reply.refusal.empty())
    throw input_error{input_fault::network, reply.refusal, "", ""};
  std::cout << "the run on " << to_string(node) << " ends, on all its nodes; what was measured is written"
            << std::endl;
  return 0;
}

std::string stop_help() {
  return help_of(
      "dybw stop HOST:PORT: ends the run that a node serves, on all nodes. Rounds in progress are\n"
      "finished, results are written, and the nodes stay up for the next run.\n\n",
      false);
}

} // namespace dybw
