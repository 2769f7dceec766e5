#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>

namespace dybw {

class learner; // learning/api/learner.hpp
struct place;
using learner_maker = std::function<std::unique_ptr<learner>(const place&)>;

/// The exit code when training, or writing its results, failed.
inline constexpr int exit_failed = 1;

/// `dybw run`: trains as the options say, prints and writes the results. Returns the exit code; throws
/// `input_error` for wrong input before anything starts. `arguments` are those behind "run". `own` makes the
/// learners of the user's program; null: this program has none.
int run_command(std::span<const std::string> arguments, const learner_maker& own = {});

/// `dybw node`: offers this machine to runs until it is ended by a signal.
int node_command(std::span<const std::string> arguments);
std::string node_help();

/// `dybw status HOST:PORT` and `dybw stop HOST:PORT`: talk to a node.
int status_command(std::span<const std::string> arguments);
int stop_command(std::span<const std::string> arguments);
std::string status_help();
std::string stop_help();

/// `dybw monitor HOST:PORT`: attaches to a live run and shows it.
int monitor_command(std::span<const std::string> arguments);
std::string monitor_help();

/// `dybw report DIR..`: compares what runs wrote.
int report_command(std::span<const std::string> arguments);
std::string report_help();

/// `dybw replay DIR`: plays a recorded run again and compares.
int replay_command(std::span<const std::string> arguments);
std::string replay_help();

/// A subcommand of the program.
struct command {
  std::string name;
  std::string summary;               ///< one line of `dybw --help`
  std::function<std::string()> help; ///< what `dybw NAME --help` prints
  std::function<int(std::span<const std::string> arguments)> run;
};

/// The program without its process: finds the subcommand in `arguments` (those behind "dybw"), runs it and
/// returns the exit code. Every exception ends here, as one line on `err`: `input_error` with its own code,
/// a `std::system_error` (a full disk) and anything unexpected with 1.
int dispatch(std::span<const std::string> arguments, std::span<const command> commands, std::ostream& out,
             std::ostream& err);

} // namespace dybw
