#include "apps/options/run_options.hpp"

#include "apps/options/demo_preset.hpp"
#include "apps/options/node_options.hpp"
#include "apps/options/option_group.hpp"
#include "apps/options/option_values.hpp"
#include "apps/options/run_option_list.hpp"
#include "apps/options/saved_options.hpp"
#include "apps/options/stride_options.hpp"
#include "apps/options/trainer_options.hpp"
#include "apps/results/run_directory.hpp"
#include "learning/base/option_text.hpp"
#include "learning/consensus/policies/make_policy.hpp"
#include "learning/graph/connecting_edges.hpp"
#include "learning/graph/topology.hpp"
#include "learning/model/make_model.hpp"
#include "learning/straggler/step_time.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <set>

namespace dybw {

namespace {

constexpr std::uint64_t workers_max = 100'000;
constexpr std::uint64_t batch_max = 1'000'000;
constexpr std::uint64_t whole_max = std::numeric_limits<std::int64_t>::max();
constexpr double default_time_limit_s = 30;
constexpr std::size_t seeds_max = 1000;

/// Options that leave the preset as it is: they do not change what the run shows.
constexpr std::array not_shaping = {"out",      "force",   "format", "log-level", "quiet",      "trace",
                                    "threads",  "seed",    "seeds",  "nodes",     "nodes-file", "detach",
                                    "tls-cert", "tls-key", "tls-ca", "tls-crl",   "record"};

bool names_nodes(const option_values& given) {
  return given.given("nodes") || given.given("nodes-file");
}

/// "1-5", "1,4,9" or both.
std::vector<std::uint64_t> read_seeds(const option_values& given) {
  if (!given.given("seeds"))
    return {};
  const auto refuse = [&](const std::string& what) {
    given.refuse("seeds", what, "give numbers or ranges, for example 1-5 or 1,4,9");
  };
  for (const auto* option : {"seed", "resume", "trace", "detach"})
    if (option == std::string_view{"detach"} ? given.flag(option) : given.given(option))
      given.refuse("seeds", std::string{"contradicts --"} + option, "leave one of them out");
  std::set<std::uint64_t> seen;
  std::vector<std::uint64_t> seeds;
  for (const auto word : split(given.text("seeds"), ',')) {
    const auto dash = word.find('-');
    const auto first = parse_number<std::uint64_t>(word.substr(0, dash));
    const auto last = dash == word.npos ? first : parse_number<std::uint64_t>(word.substr(dash + 1));
    if (!first || !last || *last > whole_max || *first > *last)
      refuse("holds no seed or range in \"" + std::string{word} + "\"");
    if (*last - *first >= seeds_max)
      refuse("holds more than " + std::to_string(seeds_max) + " seeds");
    for (auto seed = *first; seed <= *last; ++seed) {
      if (!seen.insert(seed).second)
        refuse("holds " + std::to_string(seed) + " twice");
      seeds.push_back(seed);
    }
  }
  if (seeds.size() > seeds_max)
    refuse("holds more than " + std::to_string(seeds_max) + " seeds");
  return seeds;
}

void read_data(const option_values& given, run_config& config) {
  for (const auto* option : {"trainer", "trainer-restart", "attach"})
    if (config.own_learner && given.given(option))
      given.refuse(option, "does not go with the program's own learner", "leave it out");
  if (config.own_learner || given.given("trainer") || given.given("attach"))
    return read_own_model(given, config);
  if (given.given("trainer-restart"))
    given.refuse("trainer-restart", "is for runs with --trainer", "leave it out");
  constexpr auto digits = 0U;
  constexpr auto csv = 3U;
  constexpr auto libsvm = 4U;
  const auto which = given.choice("dataset", {"digits", "mnist", "cifar10", "csv", "libsvm"});
  const auto is_table = which == csv || which == libsvm;
  config.data.name = given.text("dataset");
  if (which == digits && given.given("data"))
    given.refuse("data", "contradicts --dataset=digits, which is built in",
                 "leave it out or give --dataset mnist, cifar10, csv or libsvm");
  if (which != digits && !given.given("data") && !names_nodes(given))
    given.refuse("dataset", "needs files",
                 is_table ? "give the file with --data FILE" : "give their directory with --data DIR");
  if (given.given("data")) {
    if (given.text("data").empty())
      given.refuse("data", "is empty", "give a directory or file");
    config.data.path = given.text("data");
  }
  if (!is_table && given.given("test-share"))
    given.refuse("test-share", "applies to --dataset csv and libsvm only",
                 "leave it out: the others have a test set");
  if (which != csv && given.given("label"))
    given.refuse("label", "applies to --dataset csv only",
                 "leave it out: the others have their labels in one place");
  if (given.given("label")) {
    config.data.label = given.text("label");
    if (config.data.label.empty())
      given.refuse("label", "is empty", "give the name or number of a column");
  }
  config.data.test_share = given.real(
      "test-share", [](double x) { return x > 0 && x < 1; }, "a number above 0 and below 1");
  config.data.seed = config.seed;
  config.data.standardise = given.choice("scaling", {"unit", "standard"}) == 1;
  config.data.mirror = given.choice("augment", {"none", "mirror"}) == 1;
  if (config.data.mirror && is_table)
    given.refuse("augment", "applies to images only", "leave it out, or choose digits, mnist or cifar10");
  config.partition_text = given.text("partition");
  config.partition = given.reading("partition", [&] { return parse_partition(config.partition_text); });
}

topology read_graph(const option_values& given, run_config& config) {
  config.workers = given.whole("workers", 1, workers_max);
  config.topology = given.text("topology");
  auto graph =
      given.reading("topology", [&] { return make_topology(config.topology, config.workers, config.seed); });
  config.connect = given.text("connect");
  given.reading("connect", [&] { return parse_connect(config.connect, graph); });
  return graph;
}

worker_id worker_of_smallest_degree(const topology& graph) {
  std::size_t found = 0;
  while (graph.degree(worker_at(found)) > graph.smallest_degree())
    ++found;
  return worker_at(found);
}

/// Returns whether a policy among them closes rounds by threshold.
bool read_policies(const option_values& given, const topology& graph, run_config& config) {
  config.policies.clear();
  auto by_threshold = false;
  std::vector<policy_spec> specs;
  for (const auto word : split(given.text("policy"), ',')) {
    const std::string text{word};
    auto spec = given.reading("policy", [&] {
      return parse_policy(text, graph.smallest_degree(), worker_of_smallest_degree(graph));
    });
    if (spec.name == "static" && graph.smallest_degree() == 0)
      given.refuse("policy", "must leave a neighbour to wait for: worker 0 has none", "give full or dtur");
    const auto same = [&](const policy_spec& other) {
      return other.name == spec.name && other.parameters == spec.parameters;
    };
    if (std::any_of(specs.begin(), specs.end(), same))
      given.refuse("policy", "names " + text + " more than once", "give each policy once");
    by_threshold = by_threshold || spec.closes_by_threshold();
    specs.push_back(std::move(spec));
    config.policies.push_back(text);
  }
  return by_threshold;
}

void read_averaging(const option_values& given, bool by_threshold, run_config& config) {
  for (const auto* option : {"on-miss", "connect"})
    if (given.given(option) && !by_threshold)
      given.refuse(option, "applies to the policy dtur only",
                   "leave it out or add dtur to --policy=" + given.text("policy"));
  config.on_miss = given.choice("on-miss", {"carry", "discard"}) == 0 ? miss_rule::carry : miss_rule::discard;
  if (given.given("weights"))
    config.weights =
        given.choice("weights", {"active", "graph"}) == 0 ? weight_rule::active : weight_rule::graph;
  config.exchange = given.choice("exchange", {"on", "off"}) == 0;
}

void read_stopping(const option_values& given, run_config& config) {
  if (given.given("rounds"))
    config.rounds = given.whole("rounds", 1, whole_max);
  if (given.given("time-limit"))
    config.time_limit_s = given.real("time-limit", fits_duration, a_duration);
  if (given.given("target-accuracy"))
    config.target_accuracy = given.real(
        "target-accuracy", [](double x) { return x > 0 && x <= 1; }, "a number above 0, at most 1");
  if (config.target_accuracy && config.model == "none")
    given.refuse("target-accuracy", "contradicts --model=none, which learns nothing",
                 "give --rounds or --time-limit instead");
  if (given.given("target"))
    config.target = read_target(given, config);
  if (!config.rounds && !config.time_limit_s && !config.target_accuracy && !config.target)
    config.time_limit_s = default_time_limit_s;
}

void read_learning(const option_values& given, run_config& config) {
  if (config.has_own_model())
    return;
  config.model = given.text("model");
  given.reading("model", [&] { return check_model(config.model); });
  config.batch = given.whole("batch", 1, batch_max);
  const auto not_negative = [](double x) { return x >= 0; };
  config.sgd.step_size = given.real("step-size", not_negative, "a number from 0 on");
  config.sgd.step_decay = given.real(
      "step-decay", [](double x) { return x > 0 && x <= 1; }, "a number above 0, at most 1");
  config.sgd.momentum = given.real(
      "momentum", [](double x) { return x >= 0 && x < 1; }, "a number from 0 on, below 1");
  config.sgd.weight_decay = given.real("weight-decay", not_negative, "a number from 0 on");
  config.start = given.choice("start", {"same", "random"}) == 0 ? start_rule::same : start_rule::random;
  if (config.start == start_rule::random && config.model == "none")
    given.refuse("start", "contradicts --model=none, which has no parameters", "give --model softmax");
  if (config.start == start_rule::random && config.sgd.step_size != 0)
    given.refuse("start", "is for runs that only average", "add --step-size 0 or leave it out");
}

void read_times(const option_values& given, run_config& config) {
  if (given.choice("clock", {"real", "virtual"}) == 1)
    config.clock = clock_kind::virtual_;
  if (given.text("step-time") != "none")
    config.step_time = given.text("step-time");
  if (!config.step_time.empty())
    given.reading("step-time", [&] { return parse_distribution(config.step_time, "--step-time"); });
  config.straggler = given.text("straggler");
  given.reading("straggler", [&] { check_step_options(config.step_time, config.straggler, config.workers); });
  if (config.has_own_model() && straggles_by_computing(config.straggler))
    given.refuse("straggler", "cannot compute with a " + config.model, "leave out computed:");
  if (config.model == "none" && straggles_by_computing(config.straggler))
    given.refuse("straggler", "cannot compute with --model=none",
                 "leave out computed: or give --model softmax");
  if (given.text("round-timeout") != "auto")
    config.round_timeout_s = given.real("round-timeout", fits_duration, "auto or " + a_duration);
  config.suspect_after_s = given.real("suspect-after", fits_duration, a_duration);
}

/// The options of virtual time, and what it does not go with.
void read_virtual_time(const option_values& given, run_config& config) {
  const auto is_virtual = config.clock == clock_kind::virtual_;
  for (const auto* option : {"link-latency", "link-bandwidth", "mix-time"})
    if (!is_virtual && given.given(option))
      given.refuse(option, "applies to --clock virtual", "add it or leave this out");
  if (given.text("link-latency") != "none") {
    config.link_latency = given.text("link-latency");
    given.reading("link-latency", [&] { return parse_distribution(config.link_latency, "--link-latency"); });
  }
  if (given.text("link-bandwidth") != "none")
    config.link_bandwidth = given.real(
        "link-bandwidth", [](double x) { return x > 0; }, "none or a number of bytes per second above 0");
  config.mix_time_s = given.real(
      "mix-time", [](double x) { return x >= 0 && x <= 1e6; }, "a number of seconds from 0 to 1e+06");
  if (!is_virtual)
    return;
  if (config.step_time.empty())
    given.refuse("clock", "needs to know how long a step takes", "give --step-time, for example const:1");
  if (parse_distribution(config.step_time, "--step-time")->mean() < 1e-9)
    given.refuse("step-time", "lets no virtual time pass, so that a run would never end",
                 "give times above 0, for example const:1");
  if (!config.exchange)
    given.refuse("exchange", "is for measurements in real time", "leave it out");
  for (const auto* option : {"nodes", "nodes-file", "http", "suspect-after"})
    if (given.given(option))
      given.refuse(option, "is for runs in real time", "leave it or --clock virtual out");
}

/// What a run that can go on needs.
void read_checkpointing(const option_values& given, run_options& options) {
  auto& config = options.config;
  if (given.given("resume"))
    options.resume = given.text("resume");
  if (!given.given("checkpoint-every"))
    return;
  config.checkpoint_every_s = given.real("checkpoint-every", fits_duration, a_duration);
  if (config.model == "none")
    given.refuse("checkpoint-every", "contradicts --model=none, which has nothing to keep", "leave it out");
  if (config.policies.size() > 1)
    given.refuse("checkpoint-every",
                 "is for one run, not one for each of " + std::to_string(config.policies.size()) +
                     " policies",
                 "give one --policy");
  if (options.nodes) { // each keeps its workers' below its own --out
    options.nodes->saved = saved_options(given);
    return;
  }
  if (!options.output.directory)
    given.refuse("checkpoint-every", "needs a directory to write to", "add --out DIR");
  options.saved = saved_options(given);
}

/// What a run that can be replayed needs. One that was recorded is so when it goes on, too: rounds that are
/// done again would not be those of its event log.
void read_recording(const option_values& given, run_options& options) {
  const auto goes_on =
      options.resume && !options.nodes &&
      std::filesystem::exists(
          run_directory::at(*options.output.directory).events_file(options.config.policies.front()));
  if (!given.flag("record") && !goes_on)
    return;
  const auto refuse = [](const std::string& why, const std::string& mend) {
    throw input_error{input_fault::configuration, "--record " + why, "", mend};
  };
  if (options.nodes)
    refuse("is for runs on this host", "leave it or --nodes out");
  if (!options.config.exchange)
    refuse("contradicts --exchange=off, with which nothing happens between workers", "leave one of them out");
  if (!options.output.directory)
    refuse("needs a directory to write to", "add --out DIR");
  options.output.record = true;
  options.saved = saved_options(given);
}

/// Policies that average in pairs keep no checkpoints in real time.
void check_pairwise(const option_values& given, const run_config& config) {
  if (config.clock == clock_kind::virtual_)
    return;
  for (const auto& text : config.policies)
    for (const auto* option : {"checkpoint-every", "resume"})
      if (given.given(option) && parse_policy(text, 0, worker_id{}).averages_in_pairs())
        given.refuse(option, "does not go with --policy " + text, "choose full, static:B or dtur");
}

output_options read_output(const option_values& given, const run_config& config, const std::string& date) {
  output_options output;
  output.force = given.flag("force");
  output.quiet = given.flag("quiet");
  output.format = static_cast<output_format>(given.choice("format", {"text", "json"}));
  output.level = static_cast<log_level>(given.choice("log-level", {"debug", "info", "warn", "error", "off"}));
  if (given.given("trace")) {
    if (given.text("trace").empty())
      given.refuse("trace", "is empty", "give a file");
    output.trace = given.text("trace");
  }
  if (given.flag("detach")) {
    for (const auto* option : {"out", "trace", "http"})
      if (given.given(option))
        given.refuse(option, "contradicts --detach, with which nothing is collected here",
                     "leave it out: every node writes below its own --out");
    return output;
  }
  if (given.given("out")) {
    if (given.text("out").empty())
      given.refuse("out", "is empty", "give a directory");
    output.directory = given.text("out");
  } else if (given.given("resume") && !names_nodes(given)) {
    output.directory = given.text("resume");
  } else if (given.given("seeds") || (config.policies.size() > 1 && output.format == output_format::text)) {
    const auto seed = given.given("seeds") ? "seeds" : std::to_string(config.seed);
    output.directory = std::filesystem::path{"runs"} / (date + "-" + seed);
    output.directory_is_ours = true;
  }
  if (output.force && !given.given("out"))
    given.refuse("force", "overwrites what --out names", "add --out DIR or leave it out");
  return output;
}

std::optional<nodes_options> read_nodes(const option_values& given) {
  if (!names_nodes(given)) {
    for (const auto* option : {"tls-cert", "tls-key", "tls-ca", "tls-crl"})
      if (given.given(option))
        given.refuse(option, "is for runs on other machines", "add --nodes or leave it out");
    if (given.flag("detach"))
      throw input_error{input_fault::configuration, "--detach is for runs on other machines", "",
                        "add --nodes or leave it out"};
    return std::nullopt;
  }
  if (given.given("nodes") && given.given("nodes-file"))
    given.refuse("nodes-file", "contradicts --nodes", "give one of them");
  nodes_options options;
  options.nodes = given.given("nodes")
                      ? given.reading("nodes", [&] { return parse_nodes(given.text("nodes")); })
                      : read_nodes_file(given.text("nodes-file"));
  options.detach = given.flag("detach");
  options.tls = read_tls(given);
  check_role(options.tls, {peer_role::launcher}, "the role launcher");
  return options;
}

void check_detached(const std::optional<nodes_options>& nodes, const run_config& config) {
  if (nodes && nodes->detach && config.policies.size() > 1)
    throw input_error{input_fault::configuration,
                      "--detach leaves one run behind, not one for each of " +
                          std::to_string(config.policies.size()) + " policies",
                      "", "give one --policy, or stay until they are done"};
}

/// A run of an earlier version has none to tell: then all are to be given again.
void add_options_of_nodes(option_values& given, const ask_options& ask) {
  const auto& run = given.text("resume");
  if (const auto lines = ask(*read_nodes(given), run); !lines.empty())
    add_saved_options(given, lines, "the options of " + run + " on the nodes");
  else if (given.given("config"))
    given.add_file(given.text("config"));
}

bool is_shaped(const option_values& given, const boost::program_options::options_description& known) {
  return std::any_of(known.options().begin(), known.options().end(), [&](const auto& option) {
    const auto& name = option->long_name();
    return given.given(name) && std::find(not_shaping.begin(), not_shaping.end(), name) == not_shaping.end();
  });
}

/// `one`: of `--seeds` the one that is to be read; none for the first.
run_options read_options(std::span<const std::string> arguments, const std::string& date,
                         const std::optional<std::uint64_t>& one, const ask_options& ask, bool own_learner) {
  const auto known = run_option_list();
  option_values given{known, "dybw run"};
  given.add_arguments(arguments);
  run_options options;
  options.demo = !own_learner && !is_shaped(given, known);
  if (given.given("resume") && given.text("resume").empty())
    given.refuse("resume", "is empty", "name the run to go on with");
  if (given.given("resume") && !names_nodes(given))
    add_saved_options(given, given.text("resume"));
  else if (given.given("resume") && ask)
    add_options_of_nodes(given, ask);
  else if (given.given("config"))
    given.add_file(given.text("config"));
  else if (options.demo)
    given.add_text(demo_preset, "config/demo.ini");

  options.seeds = read_seeds(given);
  if (!options.seeds.empty())
    given.add_text("seed = " + std::to_string(one.value_or(options.seeds.front())) + "\n", "--seeds");

  auto& config = options.config;
  config.own_learner = own_learner;
  config.seed = given.whole("seed", 0, whole_max);
  config.threads = given.whole("threads", 0, threads_max);
  config.log_bytes_max = given.whole("log-max", 0, whole_max >> 20U) << 20U;
  config.eval_every_s = given.real("eval-every", fits_duration, a_duration);
  read_data(given, config);
  const auto graph = read_graph(given, config);
  read_averaging(given, read_policies(given, graph, config), config);
  read_learning(given, config);
  read_stopping(given, config);
  read_strides(given, config);
  read_times(given, config);
  read_virtual_time(given, config);
  check_pairwise(given, config);
  options.nodes = read_nodes(given);
  check_detached(options.nodes, config);
  options.http = read_http(given);
  options.output = read_output(given, config, date);
  read_checkpointing(given, options);
  read_recording(given, options);
  return options;
}

} // namespace

run_options read_run_options(std::span<const std::string> arguments, const std::string& date,
                             const ask_options& ask, bool own_learner) {
  return read_options(arguments, date, std::nullopt, ask, own_learner);
}

run_options read_seed_options(std::span<const std::string> arguments, std::uint64_t seed,
                              const std::filesystem::path& directory, bool own_learner) {
  auto options = read_options(arguments, "", seed, {}, own_learner);
  options.output.directory = seed_directory(directory, seed);
  options.output.directory_is_ours = false;
  options.output.is_part = true;
  return options;
}

std::string run_help() {
  return help_page(
      "dybw run: trains a model with many workers that exchange their estimates with neighbours only.\n\n"
      "  dybw run                                      a comparison of two policies, about 40 seconds\n"
      "  dybw run --policy full,static:1,dtur --straggler slow:2:5    several policies, side by side\n"
      "  dybw run --config config/mnist-mlp.ini --data data/mnist     options from a file\n"
      "  dybw run --clock virtual --step-time exp:1 --seeds 1-5       five seeds, with means and intervals\n"
      "  dybw run --resume DIR                         go on with a run of --checkpoint-every\n"
      "  dybw run --nodes a:7400,b:7400                on other machines that run dybw node\n\n"
      "Without any option that shapes the run it plays config/demo.ini. Times are in seconds.\n",
      run_option_list());
}

std::string date_text() {
  const auto now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local)};
}

} // namespace dybw
