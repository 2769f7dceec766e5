#include "bench/support.hpp"
#include "tests/support/loopback.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <signal.h>
#include <unistd.h>

// What a monitor costs the run that it watches: eight workers learn MNIST on a node, a monitor is attached
// and its /metrics scraped once per second in every other slice of the same run, and stopped (SIGSTOP) in
// between.

namespace dybw::bench {

namespace {

using steady = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::size_t workers = 8;
/// For what was asked or said before a slice to have its effect.
constexpr auto settle_time = std::chrono::milliseconds{300};

/// A process that says where it listens. It is ended by its own process id.
class program {
public:
  explicit program(const std::string& arguments)
      : output_(popen(("echo $$; exec " DYBW_PROGRAM " " + arguments).c_str(), "r")) {
    if (output_ == nullptr)
      throw std::runtime_error{"cannot start " DYBW_PROGRAM};
    id_ = static_cast<pid_t>(std::stol(line()));
  }
  ~program() {
    kill(id_, SIGCONT);
    kill(id_, SIGKILL);
    pclose(output_);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;

  std::string line() {
    std::string text;
    for (int c = 0; (c = std::fgetc(output_)) != EOF && c != '\n';)
      text += static_cast<char>(c);
    return text;
  }
  void send(int signal) const { kill(id_, signal); }
  /// Processor time so far.
  double cpu_s() const {
    std::ifstream in("/proc/" + std::to_string(id_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i)
      fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

private:
  FILE* output_;
  pid_t id_ = -1;
};

json status_of(const std::string& node) {
  program status{"status " + node + " --format json"};
  std::string text;
  for (auto line = status.line(); !line.empty(); line = status.line())
    text += line;
  return json::parse(text);
}

void scrape(std::uint16_t port) {
  const auto socket = test::connect_to_loopback(port);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  test::send_all(socket, std::vector<char>(request.begin(), request.end()));
  const auto heard = test::listen_to(socket, std::chrono::seconds{2});
  const std::string text(heard.bytes.begin(), heard.bytes.end());
  if (text.find("dybw_worker_rounds_total") == std::string::npos)
    throw std::runtime_error{"/metrics says nothing of the workers"};
}

struct slice {
  double steps_per_s = 0;
  double cpu_per_s = 0; ///< of node and monitor together
};

slice measure(const std::string& node, const program& host, const program& monitor, nanoseconds time,
              const std::function<void()>& each_second) {
  std::this_thread::sleep_for(settle_time);
  const auto steps = [&] { return status_of(node)["local_steps"].get<double>(); };
  const auto steps_before = steps();
  const auto cpu_before_s = host.cpu_s() + monitor.cpu_s();
  const auto since = steady::now();
  for (auto next = since; next < since + time; next += std::chrono::seconds{1}) {
    std::this_thread::sleep_until(next);
    each_second();
  }
  std::this_thread::sleep_until(since + time);
  const auto done = steps() - steps_before;
  const std::chrono::duration<double> passed = steady::now() - since;
  return {done / passed.count(), (host.cpu_s() + monitor.cpu_s() - cpu_before_s) / passed.count()};
}

/// Mean with its 95 % interval.
void print_cost(const std::string& name, const std::vector<double>& shares) {
  const auto n = static_cast<double>(shares.size());
  double sum = 0;
  double squares = 0;
  for (auto x : shares) {
    sum += x;
    squares += x * x;
  }
  const auto mean = sum / n;
  const auto deviation = std::sqrt(std::max(squares / n - mean * mean, 0.0) * n / (n - 1));
  judge(name, 100 * mean, "%", bound::at_most, 1);
  print(name + "_95_interval", 100 * 1.96 * deviation / std::sqrt(n), "%");
}

/// A node with a run of eight workers, and a monitor that is attached to it.
class watched_run {
public:
  watched_run(const std::string& data, const std::string& options)
      : host_("node --listen 127.0.0.1:0 --log-level error --data " + data), node_(address_in(host_.line())),
        launch_("run --nodes " + node_ + " --workers " + std::to_string(workers) + " --detach --quiet " +
                options) {
    while (!launch_.line().empty()) {
    }
    monitor_.emplace("monitor " + node_ + " --plain --http 127.0.0.1:0 2>&1");
    const auto page = monitor_->line();
    port_ = static_cast<std::uint16_t>(std::stoi(page.substr(page.rfind(':') + 1)));
    std::this_thread::sleep_for(std::chrono::seconds{3}); // to warm up
  }

  slice with_monitor(nanoseconds length) {
    monitor_->send(SIGCONT);
    return measure(node_, host_, *monitor_, length, [this] { scrape(port_); });
  }
  slice without(nanoseconds length) {
    monitor_->send(SIGSTOP);
    return measure(node_, host_, *monitor_, length, [] {});
  }
  /// Neighbouring slices, with and without, in changing order so that a drift does not favour either.
  std::pair<slice, slice> pair(std::size_t number, nanoseconds length) {
    if (number % 2 == 0) {
      const auto on = with_monitor(length);
      return {on, without(length)};
    }
    const auto off = without(length);
    return {with_monitor(length), off};
  }

private:
  static std::string address_in(const std::string& ready) {
    const std::string before = "ready at ";
    const auto at = ready.find(before) + before.size();
    return ready.substr(at, ready.find(';') - at);
  }

  program host_;
  std::string node_;
  program launch_;
  std::optional<program> monitor_;
  std::uint16_t port_ = 0;
};

/// The same in a run that hardly computes, where little is seen exactly: as a share of what one that uses
/// all processors takes.
void own_cost(const std::string& data, double busy_cpu_per_s) {
  constexpr std::size_t pairs = 6;
  constexpr auto length = std::chrono::seconds{10};
  watched_run run{data, "--model none --step-time const:0.05 --policy dtur --time-limit 180"};
  std::vector<double> shares;
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto [on, off] = run.pair(i, length);
    shares.push_back((on.cpu_per_s - off.cpu_per_s) / busy_cpu_per_s);
  }
  print_cost("monitor_own_processor_time", shares);
}

} // namespace

void monitor_cost(std::span<const std::string> arguments) {
  if (!has_mnist(arguments))
    return;
  const auto pairs = static_cast<std::size_t>(number_at(arguments, 1, 30));
  const auto seconds = number_at(arguments, 2, 3);
  if (pairs < 2)
    throw std::runtime_error{"at least two pairs of slices are needed for an interval"};
  const auto limit = std::to_string(static_cast<int>(2.5 * static_cast<double>(pairs) * (seconds + 1) + 30));
  std::vector<double> time;
  std::vector<double> processor;
  double busy_cpu_per_s = 0;
  {
    watched_run run{arguments[0], "--dataset mnist --batch 256 --policy full --time-limit " + limit};
    for (std::size_t i = 0; i < pairs; ++i) {
      const auto [on, off] = run.pair(i, from_seconds(seconds));
      time.push_back(1 - on.steps_per_s / off.steps_per_s);
      processor.push_back(on.cpu_per_s / on.steps_per_s / (off.cpu_per_s / off.steps_per_s) - 1);
      busy_cpu_per_s += off.cpu_per_s / static_cast<double>(pairs);
    }
  }
  print("monitor_slices", 2 * static_cast<double>(pairs), "");
  print_cost("monitor_processor_cost", processor);
  print_cost("monitor_time_cost", time);
  own_cost(arguments[0], busy_cpu_per_s);
}

} // namespace dybw::bench
