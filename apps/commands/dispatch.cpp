#include "apps/commands/commands.hpp"

#include "apps/commands/version_text.hpp"
#include "apps/options/option_values.hpp"
#include "learning/base/error.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <ostream>
#include <system_error>

namespace dybw {

namespace {

bool asks_for_help(const std::string& word) {
  return word == "--help" || word == "-h";
}

std::string overview(std::span<const command> commands) {
  std::string text = "dybw: decentralised training with dynamic backup workers\n\n";
  std::size_t width = 0;
  for (const auto& each : commands)
    width = std::max(width, each.name.size());
  for (const auto& each : commands)
    text += "  dybw " + each.name + std::string(width - each.name.size() + 2, ' ') + each.summary + "\n";
  return text + "\n  dybw COMMAND --help  options of a command\n  dybw --version       versions of the "
                "program and its libraries\n";
}

const command& find_command(const std::string& name, std::span<const command> commands) {
  const auto found =
      std::find_if(commands.begin(), commands.end(), [&](const command& each) { return each.name == name; });
  if (found != commands.end())
    return *found;
  std::vector<std::string> names;
  for (const auto& each : commands)
    names.push_back(each.name);
  throw input_error{input_fault::configuration,
                    (name.starts_with('-') ? "unknown option " : "unknown command ") + name, "",
                    "give " + join_or(names) + ", see dybw --help"};
}

int run_found(std::span<const std::string> arguments, std::span<const command> commands, std::ostream& out) {
  if (arguments.empty())
    throw input_error{input_fault::configuration, "no command is given", "",
                      "try dybw run, or dybw --help for more"};
  const auto& first = arguments.front();
  if (asks_for_help(first)) {
    out << overview(commands);
    return 0;
  }
  if (first == "--version") {
    out << version_text();
    return 0;
  }
  const auto& chosen = find_command(first, commands);
  const auto rest = arguments.subspan(1);
  if (std::any_of(rest.begin(), rest.end(), asks_for_help)) {
    out << chosen.help();
    return 0;
  }
  return chosen.run(rest);
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

} // namespace

int dispatch(std::span<const std::string> arguments, std::span<const command> commands, std::ostream& out,
             std::ostream& err) {
  try {
    const auto code = run_found(arguments, commands, out);
    if (!out.flush())
      throw std::system_error{errno, std::generic_category(), "cannot write to standard output"};
    return code;
  } catch (const input_error& error) {
    err << "dybw: error: " << error.what() << std::endl;
    return error.exit_code();
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again)
      err << "dybw: error: the system gives no more threads; give fewer --threads or --workers, or raise its "
             "limits (ulimit -u, ulimit -v)"
          << std::endl;
    else
      err << "dybw: error: " << one_line(error.what()) << std::endl;
  } catch (const std::bad_alloc&) {
    err << "dybw: error: there is not enough memory; make the model, the data or --workers smaller, or let "
           "the process have more (ulimit -v)"
        << std::endl;
  } catch (const learner_failed& error) {
    err << "dybw: error: " << one_line(error.what()) << std::endl;
  } catch (const std::exception& error) {
    err << "dybw: error: internal: " << one_line(error.what()) << std::endl;
  } catch (...) {
    err << "dybw: error: internal: an exception of unknown type" << std::endl;
  }
  return exit_failed;
}

} // namespace dybw
