#include "apps/options/trainer_options.hpp"

#include "learning/base/option_text.hpp"
#include "messages/limits.hpp"

#include <algorithm>
#include <filesystem>

namespace dybw {

namespace {

constexpr std::uint64_t trainer_restarts_max = 1'000'000;

void read_processes(const option_values& given, run_config& config, bool on_nodes) {
  if (given.given("trainer") && given.given("attach"))
    given.refuse("attach", "contradicts --trainer", "give one of them");
  if (given.given("trainer")) {
    config.trainer = given.text("trainer");
    if (config.trainer.find_first_not_of(' ') == std::string::npos)
      given.refuse("trainer", "is empty", "give a command, for example \"python3 train.py\"");
    if (on_nodes && !is_trainer_name(config.trainer))
      given.refuse("trainer", "is no name, and nodes start what they offer only",
                   "give the NAME of a `dybw node --trainer NAME=COMMAND`");
    config.trainer_restarts =
        static_cast<std::uint32_t>(given.whole("trainer-restart", 0, trainer_restarts_max));
  } else {
    if (on_nodes)
      given.refuse("attach", "is for runs on one host", "give --trainer NAME, as the nodes offer it");
    if (given.text("attach").empty())
      given.refuse("attach", "is empty", "give the name of a socket that is not there yet");
    if (given.given("trainer-restart"))
      given.refuse("trainer-restart", "is for trainers that dybw starts", "leave it out with --attach");
    config.attach = std::filesystem::absolute(given.text("attach"));
  }
}

} // namespace

bool is_trainer_name(std::string_view name) noexcept {
  constexpr std::size_t length_max = 64;
  return !name.empty() && name.size() <= length_max && std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
  });
}

void read_own_model(const option_values& given, run_config& config) {
  const auto on_nodes = given.given("nodes") || given.given("nodes-file");
  if (!config.own_learner)
    read_processes(given, config, on_nodes);
  else if (on_nodes)
    given.refuse(given.given("nodes") ? "nodes" : "nodes-file", "does not go with a program's own learner",
                 "leave it out");
  const std::string whose = config.own_learner ? "learner" : "trainer";
  for (const auto* option : {"model", "dataset", "test-share", "label", "scaling", "augment", "batch",
                             "step-size", "step-decay", "momentum", "weight-decay", "start"})
    if (given.given(option))
      given.refuse(option, "is the " + whose + "'s affair" + (config.own_learner ? "" : " with --trainer"),
                   "leave it out, and say it in the " +
                       std::string{config.own_learner ? "program" : "script"});
  if (!config.own_learner && !on_nodes)
    given.whole("workers", 1, trainers_max);
  config.model = whose;
  config.data = {};
  config.data.seed = config.seed;
  if (given.given("data"))
    config.data.path = std::filesystem::absolute(given.text("data"));
  config.partition_text = given.text("partition");
  config.partition = given.reading("partition", [&] { return parse_partition(config.partition_text); });
}

score_target read_target(const option_values& given, const run_config& config) {
  if (!config.has_own_model())
    given.refuse("target", "is for the scores of trainers", "give --target-accuracy, or add --trainer");
  const auto& text = given.text("target");
  const auto equals = text.rfind('=');
  const auto value =
      equals == std::string::npos ? std::nullopt : parse_number<double>(text.substr(equals + 1));
  if (!value || equals == 0)
    given.refuse("target", "is no NAME=VALUE", "give one, for example perplexity=20");
  return {text.substr(0, equals), *value};
}

} // namespace dybw
