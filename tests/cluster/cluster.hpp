#pragma once

#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dybw::test {

/// The host names of a cluster's nodes and how to start a process there; loopback unless told otherwise.
struct cluster_place {
  std::string host = "127.0.0.1";
  std::vector<std::string> prefix; ///< before the program's own command, for example `ip netns exec NAME`
};

/// Processes `dybw node` on one machine, each with its own port and output directory below a temporary one.
/// All end with their owner.
class cluster {
public:
  /// Starts the nodes and waits until each answers. `more` goes to every node's command.
  explicit cluster(std::size_t nodes, std::vector<std::string> more = {},
                   std::vector<cluster_place> places = {});

  std::size_t size() const noexcept { return nodes_.size(); }
  const std::string& address(std::size_t node) const { return addresses_[node]; }
  std::string list() const; ///< for --nodes
  std::filesystem::path out(std::size_t node) const;
  const std::filesystem::path& directory() const { return place_.path(); }
  child_process& node(std::size_t i) { return *nodes_[i]; }

  /// kill -9 and wait until it is gone.
  void kill(std::size_t node);
  /// SIGTERM, and waits until it has ended in good order. Returns its exit code.
  int leave(std::size_t node);
  /// A new process on the same address.
  void start(std::size_t node, const std::vector<std::string>& more = {});

  /// `dybw run --nodes ..` from the first node's place.
  std::unique_ptr<child_process> launch(std::vector<std::string> arguments) const;

  /// What `dybw status --format json` says, asked until it answers; null if it does not for half a minute.
  nlohmann::json status(std::size_t node);
  /// Asks a node again and again until its answer satisfies `condition`; collects output meanwhile. If none
  /// does in time, says what the last answer was.
  bool wait_until(std::size_t node, const std::function<bool(const nlohmann::json&)>& condition,
                  std::chrono::seconds how_long = std::chrono::seconds{30});
  /// Lets all processes run on, their output collected.
  void go_on(std::chrono::milliseconds time);

  /// All rounds that a node wrote, in the order written; across its runs.
  std::vector<nlohmann::json> rounds(std::size_t node) const;
  /// The newest run.json below a node's output directory; null if there is none.
  nlohmann::json result(std::size_t node) const;

  /// Why no node may be left running when a test ends: asked of every node, answered in one text.
  std::string errors() const;

private:
  nlohmann::json ask(std::size_t node) const; ///< null if it does not answer
  std::vector<std::string> command(std::size_t node, const std::vector<std::string>& arguments) const;

  temporary_directory place_;
  std::vector<cluster_place> places_;
  std::vector<std::string> more_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<child_process>> nodes_;
};

/// A port that nobody listens on now.
std::uint16_t free_port();

/// Peak resident memory of a process in bytes; 0 if it is gone.
std::uint64_t peak_memory(pid_t process);

/// Reads a file of JSON lines; an unfinished last line is left out. Throws if any other is not JSON.
std::vector<nlohmann::json> read_lines(const std::filesystem::path& file);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_slow_build = true; ///< sanitizers make everything many times slower
#else
constexpr bool is_slow_build = false;
#endif

/// For the end of runs, on busy machines.
constexpr std::chrono::seconds patience{is_slow_build ? 180 : 60};

/// Options of a run that a test ends when it has seen what it waits for, however slow the machine is.
inline const std::vector<std::string> until_told{"--time-limit", "280"};
/// For runs in which something must happen that nobody tells to end: the machine may be slow.
inline const std::vector<std::string> some_seconds{"--time-limit", is_slow_build ? "15" : "5"};
/// Ctrl-C, and waits for the launcher's end: code 130 if the run ended in good order.
process_end tell_to_end(child_process& launcher);

/// What `status` says, as `cluster::status` returns it.
bool is_idle(const nlohmann::json& status);
/// Some rounds are over.
bool is_running(const nlohmann::json& status);

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> operator+(std::vector<std::string> x, const std::vector<std::string>& y);

} // namespace dybw::test
