#include "apps/options/node_command_options.hpp"

#include "actors/transport/address.hpp"
#include "apps/options/option_group.hpp"
#include "apps/options/trainer_options.hpp"

namespace po = boost::program_options;

namespace dybw {

namespace {

constexpr std::uint64_t slots_max = 100'000;
constexpr std::uint64_t keep_max = 1'000'000;

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
  if (options.join && !options.advertise && is_any_address(options.listen.host))
    given.refuse("join", "needs an address by which the others reach this node",
                 "give --advertise HOST:PORT");
}

/// Others look for the host by which they reach us in our certificate.
void check_host(const node_command_options& options) {
  if (!options.tls)
    return;
  auto host = options.advertise.value_or(options.listen).host;
  if (!options.advertise && is_any_address(host))
    host = own_name();
  if (const auto own = check_tls(*options.tls); !own->is_for(host))
    throw input_error{input_fault::configuration,
                      "the certificate of " + own->name + " is not for " + host +
                          ", by which others reach this node",
                      "--tls-cert=" + options.tls->certificate.string(),
                      "give --advertise a host that it names, or make one for this (scripts/make-certs)"};
}

void check_rejoin(const node_command_options& options) {
  if (!options.rejoin)
    return;
  if (options.join)
    throw input_error{input_fault::configuration, "--rejoin contradicts --join", "",
                      "leave one of them out: --join names the run itself"};
  if (!options.out)
    throw input_error{input_fault::configuration, "--rejoin needs to know which run this node was in", "",
                      "add --out DIR, the same each time"};
  if (options.listen.port == 0 && !options.advertise)
    throw input_error{input_fault::configuration, "--rejoin needs an address that stays the same", "",
                      "give a port to --listen, or --advertise HOST:PORT"};
}

std::optional<std::filesystem::path> read_path(const option_values& given, const std::string& name) {
  if (!given.given(name))
    return std::nullopt;
  if (given.text(name).empty())
    given.refuse(name, "is empty", "give a path");
  return given.text(name);
}

std::map<std::string, std::string> read_trainers(std::span<const std::string> texts) {
  std::map<std::string, std::string> trainers;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    const auto name = text.substr(0, equals);
    if (equals == std::string::npos || !is_trainer_name(name) ||
        text.find_first_not_of(' ', equals + 1) == std::string::npos)
      throw input_error{input_fault::configuration, "--trainer=" + text + " is no NAME=COMMAND", "",
                        "give one, for example --trainer resnet=\"python3 train.py\""};
    if (!trainers.emplace(name, text.substr(equals + 1)).second)
      throw input_error{input_fault::configuration, "--trainer names " + name + " twice", "",
                        "give each command a name of its own"};
  }
  return trainers;
}

} // namespace

po::options_description node_option_list() {
  auto node = option_group("Node");
  node.add_options()("listen", text_value("HOST:PORT"),
                     "where launchers and other nodes connect; anything but loopback needs TLS")(
      "advertise", text_value("HOST:PORT"), "the address by which others reach it, if that is another")(
      "data", text_value("PATH"),
      "directory of the mnist or cifar10 files, or the csv or libsvm file, on this machine")(
      "out", text_value("DIR"),
      "write results, models and checkpoints there, a directory per run; default: nowhere")(
      "keep", text_value("N", "0"),
      "most runs kept below --out: the oldest go when another begins; 0: all stay")(
      "slots", text_value("N", "0"), "most workers that it takes; 0: no limit")(
      "threads", text_value("T", "0"),
      "threads that compute gradients; 0: as the run says, or one per processor")(
      "trainer", text_list("NAME=COMMAND"),
      "what runs may start here, one process per worker, by its name alone: dybw run --nodes .. --trainer "
      "NAME; several may be given")("join", text_value("HOST:PORT"),
                                    "take a free place in the run of this node, after a crash for example")(
      "join-state", po::bool_switch(),
      "whenever this node joins: its trainers begin with what a neighbour's keep for themselves (optimiser, "
      "statistics); else afresh")(
      "rejoin", po::bool_switch(),
      "take the place again that this node had in the run that --out was last used for, if that goes on "
      "anywhere; else wait for runs")("insecure", po::bool_switch(),
                                      "listen on any address without TLS: whoever reaches it can use it");
  auto output = option_group("Output");
  output.add_options()("config", text_value("FILE"),
                       "read options from an INI file, one NAME = VALUE per line; the command line wins")(
      "log-level", text_value("LEVEL", "info"), "debug, info, warn, error or off; goes to standard error")(
      "quiet", po::bool_switch(), "print nothing but warnings and errors")("help", po::bool_switch(),
                                                                           "show this page");
  auto all = option_group();
  all.add(node).add(tls_option_group()).add(http_option_group()).add(output);
  return all;
}

node_command_options read_node_options(std::span<const std::string> arguments) {
  const auto known = node_option_list();
  option_values given{known, "dybw node"};
  given.add_arguments(arguments);
  given.add_config_file();
  node_command_options options;
  if (!given.given("listen"))
    throw input_error{input_fault::configuration, "--listen is not given", "",
                      "give an address, for example --listen 127.0.0.1:7400"};
  options.listen = *read_endpoint(given, "listen");
  options.advertise = read_endpoint(given, "advertise");
  options.join = read_endpoint(given, "join");
  options.rejoin = given.flag("rejoin");
  options.join_state = given.flag("join-state");
  options.tls = read_tls(given);
  check_role(options.tls, {peer_role::node}, "the role node");
  options.http = read_http(given);
  check_exposure(given, options);
  check_host(options);
  options.data = read_path(given, "data").value_or(std::filesystem::path{});
  options.out = read_path(given, "out");
  check_rejoin(options);
  if (options.join_state && !options.join && !options.rejoin)
    throw input_error{input_fault::configuration, "--join-state is for nodes that join", "",
                      "add --join HOST:PORT or --rejoin, or leave it out"};
  options.keep = given.whole("keep", 0, keep_max);
  if (options.keep > 0 && !options.out)
    given.refuse("keep", "is about the runs below --out", "add --out DIR or leave it out");
  options.slots = static_cast<std::uint32_t>(given.whole("slots", 0, slots_max));
  options.threads = given.whole("threads", 0, threads_max);
  options.trainers = given.reading("trainer", [&] { return read_trainers(given.texts("trainer")); });
  options.level =
      static_cast<log_level>(given.choice("log-level", {"debug", "info", "warn", "error", "off"}));
  options.quiet = given.flag("quiet");
  if (options.quiet && !given.given("log-level"))
    options.level = log_level::warn;
  return options;
}

} // namespace dybw
