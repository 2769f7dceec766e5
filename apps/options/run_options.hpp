#pragma once

#include "actors/transport/tls_context.hpp"
#include "apps/options/http_options.hpp"
#include "apps/program/logging.hpp"
#include "learning/run/run_config.hpp"
#include "messages/endpoint.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dybw {

enum class output_format { text, json };

/// What a run prints and where it writes.
struct output_options {
  std::optional<std::filesystem::path> directory; ///< unset: no files
  bool directory_is_ours = false; ///< named by the program: another name does as well, should it be taken
  bool force = false;             ///< overwrite a directory that holds another run
  std::optional<std::filesystem::path> trace; ///< file for the workers' intervals; unset: none
  bool record = false; ///< write down every event of every worker; there is a directory
  output_format format = output_format::text;
  log_level level = log_level::warn;
  bool quiet = false;   ///< no progress
  bool is_part = false; ///< one of several runs that are shown together when all are done
};

/// Where the workers are to live if not here.
struct nodes_options {
  std::vector<endpoint> nodes;
  bool detach = false; ///< do not wait for the end
  std::optional<tls_files> tls;
  std::string saved; ///< as `run_options::saved`, for every node to keep; empty without checkpoints
};

/// The options of `dybw run`, checked as far as that goes without reading the data.
struct run_options {
  run_config config;
  output_options output;
  std::optional<nodes_options> nodes; ///< unset: on this host
  std::optional<http_options> http;   ///< where the web page is served; unset: nowhere
  /// The run to go on with: its directory, or with nodes its name below their --out.
  std::optional<std::string> resume;
  /// Content of `saved_options_name` for a run with checkpoints, or a recorded one, in `output.directory`;
  /// empty for others.
  std::string saved;
  /// Seeds of runs to be done one after the other, the first of which `config` has; empty for a single run.
  std::vector<std::uint64_t> seeds;
  /// No option shaped the run, so the preset config/demo.ini (built into the program) did.
  bool demo = false;
};

/// The lines of the options that a run of this name on these nodes was given; nothing if none of them has
/// any. Throws `input_error` (network fault).
using ask_options =
    std::function<std::vector<std::string>(const nodes_options& nodes, const std::string& run)>;

/// Reads the options of `dybw run`: `arguments` (without "dybw run"), under them the file of `--config`,
/// under it the defaults; the preset if nothing but `--out`, `--force`, `--format`, `--log-level`, `--quiet`,
/// `--threads`, `--seed`, `--seeds` and what names nodes is given. `date` (see `date_text`) goes into the
/// default of
/// `--out`. Of a run that goes on (`--resume`) the options that it had are under those of `arguments`. Reads
/// the files of topologies, connecting edges and traces, but no data. Throws `input_error` for whatever is
/// wrong (data fault for a malformed file).
/// If the run is one on nodes, `ask` gets its options from them. `own_learner`: the user's program has the
/// model.
run_options read_run_options(std::span<const std::string> arguments, const std::string& date,
                             const ask_options& ask = {}, bool own_learner = false);

/// The same for one seed of `--seeds`, which writes below `directory` (see `seed_directory`).
run_options read_seed_options(std::span<const std::string> arguments, std::uint64_t seed,
                              const std::filesystem::path& directory, bool own_learner = false);

/// What `dybw run --help` prints: grouped, with defaults, at most 100 columns.
std::string run_help();

/// Now, local time, as "20260131-142500".
std::string date_text();

} // namespace dybw
