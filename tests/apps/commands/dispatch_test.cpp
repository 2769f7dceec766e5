#include "apps/commands/commands.hpp"
#include "apps/commands/version_text.hpp"
#include "apps/program/version.hpp"
#include "learning/base/error.hpp"

#include <doctest/doctest.h>

#include <new>
#include <sstream>
#include <system_error>
#include <vector>

namespace dybw {

namespace {

struct outcome {
  int code = 0;
  std::string out;
  std::string err;
};

/// Dispatches to a program whose only command is "run".
outcome dispatch_to(const std::function<int(std::span<const std::string>)>& run,
                    const std::vector<std::string>& arguments) {
  const std::vector<command> commands = {
      {"run", "trains", [] { return std::string{"help of run\n"}; }, run},
  };
  std::ostringstream out;
  std::ostringstream err;
  const auto code = dispatch(arguments, commands, out, err);
  return {code, out.str(), err.str()};
}

int fail_if_called(std::span<const std::string> /*arguments*/) {
  FAIL("the command was called");
  return 0;
}

} // namespace

TEST_CASE("dispatch: a command gets the arguments behind its name and its code is the program's") {
  std::vector<std::string> got;
  const auto run = [&](std::span<const std::string> arguments) {
    got.assign(arguments.begin(), arguments.end());
    return 130;
  };
  CHECK(dispatch_to(run, {"run", "--seed", "2"}).code == 130);
  CHECK(got == std::vector<std::string>{"--seed", "2"});
}

TEST_CASE("dispatch: help is shown wherever it is asked for, and nothing is run") {
  CHECK(dispatch_to(fail_if_called, {"--help"}).out.find("dybw run  trains") != std::string::npos);
  const auto help = dispatch_to(fail_if_called, {"run", "--workers", "0", "--help"});
  CHECK(help.code == 0);
  CHECK(help.out == "help of run\n");
}

TEST_CASE("dispatch: an unknown or missing command is wrong usage and lists what there is") {
  const auto unknown = dispatch_to(fail_if_called, {"monitor"});
  CHECK(unknown.code == 2);
  CHECK(unknown.err == "dybw: error: unknown command monitor; give run, see dybw --help\n");
  CHECK(dispatch_to(fail_if_called, {}).code == 2);
}

TEST_CASE("dispatch: every exception ends as one line and a code") {
  const auto throwing = [](const auto& exception) {
    return [exception](std::span<const std::string>) -> int { throw exception; };
  };
  const auto data = dispatch_to(throwing(input_error{input_fault::data, "bad", "here", "mend"}), {"run"});
  CHECK(data.code == 3);
  CHECK(data.err == "dybw: error: bad, here; mend\n");
  const auto disk = dispatch_to(
      throwing(std::system_error{ENOSPC, std::generic_category(), "cannot write run.json"}), {"run"});
  CHECK(disk.code == 1);
  CHECK(disk.err == "dybw: error: cannot write run.json: No space left on device\n");
  const auto threads = dispatch_to(throwing(std::system_error{EAGAIN, std::generic_category()}), {"run"});
  CHECK(threads.code == 1);
  CHECK(threads.err.find("no more threads") != std::string::npos);
  CHECK(threads.err.find("ulimit -u") != std::string::npos);
  const auto memory = dispatch_to(throwing(std::bad_alloc{}), {"run"});
  CHECK(memory.code == 1);
  CHECK(memory.err.starts_with("dybw: error: there is not enough memory; "));
  const auto other = dispatch_to(throwing(std::runtime_error{"two\nlines"}), {"run"});
  CHECK(other.code == 1);
  CHECK(other.err == "dybw: error: internal: two lines\n");
  CHECK(dispatch_to(throwing(42), {"run"}).code == 1);
}

TEST_CASE("dispatch: output that cannot be written is a failure") {
  const std::vector<command> commands = {
      {"run", "trains", [] { return std::string{}; }, [](std::span<const std::string>) { return 0; }},
  };
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  std::ostringstream err;
  CHECK(dispatch(std::vector<std::string>{"run"}, commands, out, err) == 1);
  CHECK(err.str().find("cannot write to standard output") != std::string::npos);
}

TEST_CASE("version: program and libraries are named with their numbers") {
  const auto text = version_text();
  CHECK(text.starts_with("dybw " + version()));
  for (const std::string library :
       {"\nCAF 0.17.", "\nEigen 3.", "\nBoost 1.", "\nspdlog ", "\nzlib ", "\nncurses ", "\nOpenSSL "})
    CHECK(text.find(library) != std::string::npos);
}

} // namespace dybw
