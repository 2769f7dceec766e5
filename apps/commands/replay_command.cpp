#include "actors/run/run_inputs.hpp"
#include "apps/commands/commands.hpp"
#include "apps/options/option_group.hpp"
#include "apps/options/option_values.hpp"
#include "apps/options/run_options.hpp"
#include "apps/options/saved_options.hpp"
#include "apps/results/line_reader.hpp"
#include "apps/results/run_directory.hpp"
#include "learning/consensus/record/event_replay.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>
#include <stdexcept>
#include <utility>

namespace po = boost::program_options;

namespace dybw {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int exit_differs = 1;

/// With whom a worker averaged in a round, and how, by worker and round. Of rounds that a run did again,
/// after it went on from a checkpoint, the last time counts.
using averaged = std::vector<std::pair<std::uint32_t, double>>;
using rounds_told = std::map<std::pair<std::uint32_t, round_number>, averaged>;

po::options_description replay_option_list() {
  auto list = option_group("Options");
  list.add_options()("help", po::bool_switch(), "show this page");
  return list;
}

run_config recorded_config(const fs::path& directory) {
  const auto file = directory / saved_options_name;
  if (!fs::is_regular_file(file))
    throw input_error{input_fault::data,
                      directory.string() + " holds no recorded run: there is no " + file.string(), "",
                      "name the --out of a run with --record"};
  const std::vector<std::string> arguments{"--config", file.string(), "--out", directory.string()};
  return read_run_options(arguments, "").config;
}

/// rounds.jsonl.
rounds_told read_rounds(const fs::path& file) {
  rounds_told told;
  line_reader in{file};
  while (in.next()) {
    const auto line = json::parse(in.line(), nullptr, false);
    try {
      told[{line.at("worker").get<std::uint32_t>(), line.at("round").get<round_number>()}] =
          line.at("committed").get<averaged>();
    } catch (const json::exception&) {
      throw input_error{input_fault::data, in.place() + " is no round", "", "name a run that is whole"};
    }
  }
  return told;
}

averaged averaged_in(const round_record& record) {
  averaged x;
  for (const auto& t : record.committed)
    x.emplace_back(static_cast<std::uint32_t>(t.neighbour), t.weight);
  return x;
}

class replayed_policy {
public:
  replayed_policy(const run_directory& directory, const run_inputs& inputs, std::size_t policy)
      : name_(inputs.policies[policy].text), log_(directory.events_file(name_)),
        told_(read_rounds(directory.rounds_file(name_))), machines_(machine_options_for(inputs, policy)) {}

  /// Whether everything was the same; says so.
  bool go() {
    while (log_.next()) {
      const auto differs = take();
      if (differs)
        return say(*differs);
      if (!machines_.line().what)
        forget_rounds_of(machines_.line());
      if (machines_.ended() != nullptr)
        note(*machines_.ended());
    }
    if (!are_as_told())
      return false;
    std::cout << name_ << ": " << machines_.workers_seen() << " workers, " << machines_.events()
              << " events, " << rounds_ << " rounds: the same again\n";
    return true;
  }

private:
  std::optional<event_replay::difference> take() {
    try {
      return machines_.take(log_.line());
    } catch (const std::invalid_argument& e) {
      throw input_error{input_fault::data, log_.place() + " " + e.what(), "",
                        "name a run as dybw run --record wrote it"};
    }
  }

  bool say(const event_replay::difference& x) const {
    std::cout << name_ << ": worker " << to_string(x.worker) << " does otherwise, " << log_.place()
              << "\n  recorded: " << x.recorded << "\n  replayed: " << x.replayed << '\n';
    return false;
  }

  void note(const round_record& record) {
    ++rounds_;
    const auto worker = static_cast<std::uint32_t>(machines_.line().worker);
    replayed_[{worker, record.round}] = averaged_in(record);
  }

  /// A run that goes on from a checkpoint has no rounds after it in rounds.jsonl, either.
  void forget_rounds_of(const event_line& begun) {
    const auto worker = static_cast<std::uint32_t>(begun.worker);
    replayed_.erase(replayed_.upper_bound({worker, begun.completed}), replayed_.lower_bound({worker + 1, 0}));
  }

  bool are_as_told() const {
    for (const auto& [key, edges] : replayed_) {
      const auto found = told_.find(key);
      if (found == told_.end() || found->second == edges)
        continue; // the end of rounds.jsonl may be missing
      std::cout << name_ << ": worker " << key.first << " averages otherwise in round " << key.second
                << " than rounds.jsonl says\n";
      return false;
    }
    return true;
  }

  std::string name_;
  line_reader log_;
  rounds_told told_;
  rounds_told replayed_;
  event_replay machines_;
  std::size_t rounds_ = 0;
};

} // namespace

std::string replay_help() {
  return help_page(
      "dybw replay DIR: plays the run again that dybw run --record --out DIR wrote down: the same events "
      "at the same\nmoments, into new workers without data, which must do the same. Says where they do "
      "not, and ends with 1 then.\n\n",
      replay_option_list());
}

int replay_command(std::span<const std::string> arguments) {
  const auto known = replay_option_list();
  option_values given{known, "dybw replay", 1};
  given.add_arguments(arguments);
  if (given.words().empty())
    throw input_error{input_fault::configuration, "dybw replay names no run", "",
                      "give the directory of one: dybw replay DIR"};
  const fs::path place = given.words().front();
  const auto inputs = plan_run(recorded_config(place));
  const auto directory = run_directory::at(place);
  auto same = true;
  std::size_t recorded = 0;
  for (std::size_t i = 0; i < inputs.policies.size(); ++i) {
    if (!fs::is_regular_file(directory.events_file(inputs.policies[i].text)))
      continue; // the run ended before this policy's turn
    ++recorded;
    same = replayed_policy{directory, inputs, i}.go() && same;
  }
  if (recorded == 0)
    throw input_error{input_fault::data, place.string() + " holds no event log", "",
                      "name the --out of a run with --record"};
  return same ? 0 : exit_differs;
}

} // namespace dybw
