#pragma once

#include "apps/options/http_options.hpp"
#include "apps/options/node_options.hpp"
#include "apps/program/logging.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace dybw {

/// The options of `dybw node`, checked.
struct node_command_options {
  endpoint listen;
  std::optional<endpoint> advertise;
  std::optional<endpoint> join;
  bool join_state = false;
  bool rejoin = false;        ///< `out` is given, and holds the run if there is one
  std::filesystem::path data; ///< empty: only data that is built in
  std::optional<std::filesystem::path> out;
  std::size_t keep = 0; ///< runs below `out`; 0: all
  std::uint32_t slots = 0;
  std::size_t threads = 0;                     ///< 0: as many as the run asks for
  std::map<std::string, std::string> trainers; ///< commands that runs may have started, by their names
  std::optional<tls_files> tls;
  std::optional<http_options> http; ///< where the web page is served; unset: nowhere
  log_level level = log_level::info;
  bool quiet = false;
};

/// Reads the options of `dybw node`. Throws `input_error` for whatever is wrong: among others an address that
/// is not loopback without TLS, unless `--insecure` is given.
node_command_options read_node_options(std::span<const std::string> arguments);

/// All of them, for the help.
boost::program_options::options_description node_option_list();

} // namespace dybw
