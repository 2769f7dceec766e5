#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace dybw::test {

/// What a program left behind.
struct process_end {
  bool killed = false; ///< by us, since it did not end in time
  int signal = 0;      ///< that ended it; 0 if it ended by itself
  int code = -1;       ///< its exit code; -1 if a signal ended it
  std::string out;
  std::string err;
  std::chrono::duration<double> took{0}; ///< from the last `send`, or the start

  /// As a shell would report it.
  int shell_code() const { return signal != 0 ? 128 + signal : code; }
};

/// One run of a program, its output collected. Ends with its owner at the latest: it is killed by its own
/// process id.
class child_process {
public:
  /// Throws std::system_error. An empty `directory` means the present one.
  explicit child_process(const std::vector<std::string>& command,
                         const std::filesystem::path& directory = {});
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  /// Collects output for so long, or until the program ends. Returns whether it still runs.
  bool go_on(std::chrono::milliseconds time);
  /// Collects output until one of its two streams holds `text`. Returns whether it came before the program
  /// ended or the time was over.
  bool go_on_until(const std::string& text, std::chrono::milliseconds time);

  void send(int signal);
  pid_t id() const noexcept { return process_; }                  ///< -1 once it was waited for
  const std::string& errors() const noexcept { return end_.err; } ///< collected so far
  const std::string& output() const noexcept { return end_.out; } ///< the same

  /// Waits for the end; kills the program if it takes longer.
  process_end wait(std::chrono::milliseconds patience = std::chrono::seconds{60});

private:
  using clock = std::chrono::steady_clock;
  /// Reads what has come until `deadline` or, with a text, until a stream holds it.
  void collect(clock::time_point deadline, const std::string& text);
  bool has_said(const std::string& text) const;
  bool read_one(int& descriptor, std::string& to);

  pid_t process_ = -1;
  int out_ = -1;
  int err_ = -1;
  clock::time_point since_;
  process_end end_;
};

/// Runs the program `dybw` to its end.
process_end dybw(const std::vector<std::string>& arguments, const std::filesystem::path& directory = {});
std::vector<std::string> dybw_command(const std::vector<std::string>& arguments);

} // namespace dybw::test
