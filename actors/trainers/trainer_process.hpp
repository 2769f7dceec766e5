#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>

namespace dybw {

/// A process that this one started, with all that it starts: a process group of its own, so that what ends
/// `dybw` from a terminal does not end it. Thread-safe where nothing else is said.
class trainer_process {
public:
  /// Has a shell run `command`, with these variables set, its standard output and error in `out` and `err`,
  /// which begin anew or with `append` go on. Throws `std::system_error`.
  trainer_process(const std::string& command, const std::map<std::string, std::string>& variables,
                  std::filesystem::path out, std::filesystem::path err, bool append = false);
  ~trainer_process();
  trainer_process(const trainer_process&) = delete;
  trainer_process& operator=(const trainer_process&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// A pidfd, readable once it has ended; -1 where the system has none.
  int handle() const noexcept { return handle_; }
  /// Whether it has ended.
  bool ended() const { return look().has_value(); }
  /// Waits for its end, no longer than this. Whether it has ended.
  bool ends_within(std::chrono::milliseconds patience) const;
  /// "ended with code 1: ValueError: .." : how it ended, and the last line of its standard error. Waits for
  /// its end up to a second.
  std::string how_it_ended() const;
  /// Asks it and its children to end.
  void terminate() noexcept;
  /// Ends it and its children. How it had ended stays known. One thread's at a time.
  void kill_all() noexcept;

private:
  struct end {
    bool by_signal = false;
    int code = 0; ///< of the signal, or of the exit
  };
  std::optional<end> look() const;

  pid_t pid_ = -1;
  int handle_ = -1;
  std::filesystem::path err_;
  end end_; ///< once `reaped_`
  std::atomic<bool> reaped_{false};
};

} // namespace dybw
