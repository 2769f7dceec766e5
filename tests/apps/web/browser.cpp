#include "tests/apps/web/browser.hpp"

#include <openssl/evp.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace dybw::test {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using clock = std::chrono::steady_clock;

constexpr auto answer_within = 60s;
constexpr int pipe_in = 3; ///< where Chromium reads commands
constexpr int pipe_out = 4;

/// A pipe whose ends are not in the way of 3 and 4.
std::array<int, 2> make_pipe() {
  std::array<int, 2> low{};
  if (pipe2(low.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  std::array<int, 2> high{};
  for (std::size_t i = 0; i < 2; ++i) {
    high[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 10);
    ::close(low[i]);
  }
  return high;
}

pid_t start(const std::string& program, const std::string& folder, int in, int out) {
  std::vector<std::string> words = {program,
                                    "--headless",
                                    "--no-sandbox",
                                    "--disable-gpu",
                                    "--disable-quic",
                                    "--no-first-run",
                                    "--disable-background-networking",
                                    "--disable-component-update",
                                    "--disable-sync",
                                    "--disable-dev-shm-usage",
                                    "--hide-scrollbars",
                                    "--user-data-dir=" + folder,
                                    "--remote-debugging-pipe",
                                    "about:blank"};
  std::vector<char*> arguments;
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, pipe_in);
  posix_spawn_file_actions_adddup2(&actions, out, pipe_out);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, (folder + "/log").c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t process = -1;
  const auto error = posix_spawn(&process, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::runtime_error{"cannot start " + program};
  return process;
}

} // namespace

browser::browser(const std::string& program) {
  const auto in = make_pipe(), out = make_pipe();
  process_ = start(program, profile_.path().string(), in[0], out[1]);
  ::close(in[0]);
  ::close(out[1]);
  to_ = in[1];
  from_ = out[0];
  const auto target = command("Target.createTarget", {{"url", "about:blank"}})["targetId"];
  session_ = command("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"];
  for (const auto* domain : {"Page", "Runtime", "Log", "Network"})
    command(std::string{domain} + ".enable", json::object());
}

browser::~browser() {
  ::close(to_); // it ends when nobody is there to tell it what to do
  ::close(from_);
  for (int i = 0; i < 50; ++i) {
    if (::waitpid(process_, nullptr, WNOHANG) == process_)
      return;
    std::this_thread::sleep_for(100ms);
  }
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void browser::show(int width, int height, bool dark) {
  command("Emulation.setDeviceMetricsOverride",
          {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", width < 600}});
  command("Emulation.setEmulatedMedia",
          {{"features", {{{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}}}}});
}

void browser::open(const std::string& url) {
  loaded_ = false;
  const auto result = command("Page.navigate", {{"url", url}});
  if (result.contains("errorText"))
    throw std::runtime_error{url + ": " + result["errorText"].dump()};
  const auto end = clock::now() + answer_within;
  while (!loaded_)
    if (next(end).is_null())
      throw std::runtime_error{url + " does not load"};
}

json browser::evaluate(const std::string& expression) {
  const auto result = command("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}});
  if (result.contains("exceptionDetails"))
    throw std::runtime_error{expression + ": " + result["exceptionDetails"].dump()};
  return result["result"].value("value", json{});
}

bool browser::becomes_true(const std::string& expression, std::chrono::milliseconds at_most) {
  const auto end = clock::now() + at_most;
  while (evaluate(expression) != true) {
    if (clock::now() > end)
      return false;
    next(clock::now() + 50ms);
  }
  return true;
}

void browser::photograph(const std::filesystem::path& file, int height_max) {
  const auto size = command("Page.getLayoutMetrics", json::object())["cssContentSize"];
  const json clip = {{"x", 0},
                     {"y", 0},
                     {"width", size["width"]},
                     {"height", std::min(size["height"].get<double>(), static_cast<double>(height_max))},
                     {"scale", 1}};
  const std::string text = command(
      "Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", true}, {"clip", clip}})["data"];
  std::vector<unsigned char> bytes(text.size());
  auto n = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                           static_cast<int>(text.size()));
  if (n <= 0)
    throw std::runtime_error{"no picture"};
  n -= text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), n);
}

std::vector<std::string> browser::complaints() {
  evaluate("0"); // what was said before has come when this is answered
  return std::exchange(complaints_, {});
}

json browser::command(const std::string& method, json parameters) {
  const auto id = ++last_id_;
  json message = {{"id", id}, {"method", method}, {"params", std::move(parameters)}};
  if (!session_.empty())
    message["sessionId"] = session_;
  const auto text = message.dump() + '\0';
  if (::write(to_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error{"the browser is gone"};
  const auto end = clock::now() + answer_within;
  while (true) {
    const auto answer = next(end);
    if (answer.is_null())
      throw std::runtime_error{"the browser does not answer to " + method};
    if (answer.value("id", 0) != id)
      continue;
    if (answer.contains("error"))
      throw std::runtime_error{method + ": " + answer["error"].dump()};
    return answer["result"];
  }
}

json browser::next(clock::time_point until) {
  while (true) {
    if (const auto end = read_.find('\0'); end != std::string::npos) {
      const auto message = json::parse(read_.substr(0, end));
      read_.erase(0, end + 1);
      note(message);
      return message;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
    pollfd one{from_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&one, 1, static_cast<int>(left.count())) <= 0)
      return nullptr;
    std::array<char, 65536> block{};
    const auto n = ::read(from_, block.data(), block.size());
    if (n <= 0)
      throw std::runtime_error{"the browser is gone"};
    read_.append(block.data(), static_cast<std::size_t>(n));
  }
}

void browser::note(const json& message) {
  const auto method = message.value("method", "");
  loaded_ = loaded_ || method == "Page.loadEventFired";
  if (method == "Runtime.exceptionThrown")
    complaints_.push_back(message["params"]["exceptionDetails"].dump());
  if (method == "Runtime.consoleAPICalled")
    if (const auto type = message["params"]["type"]; type == "error" || type == "warning" || type == "assert")
      complaints_.push_back(message["params"]["args"].dump());
  if (method == "Log.entryAdded")
    if (const auto level = message["params"]["entry"]["level"]; level == "error" || level == "warning")
      complaints_.push_back(message["params"]["entry"].dump());
}

} // namespace dybw::test
