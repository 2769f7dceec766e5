#pragma once

#include "tests/support/temporary_directory.hpp"

#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace dybw::test {

/// A Chromium without a window and one page in it, told what to do by its DevTools protocol over a pipe.
/// Throws `std::runtime_error` when it does not do it.
class browser {
public:
  explicit browser(const std::string& program);
  ~browser();
  browser(const browser&) = delete;
  browser& operator=(const browser&) = delete;

  void show(int width, int height, bool dark);
  void open(const std::string& url); ///< returns when it has loaded
  /// The value of a JavaScript expression.
  nlohmann::json evaluate(const std::string& expression);
  /// Whether the expression becomes true in time.
  bool becomes_true(const std::string& expression, std::chrono::milliseconds at_most);
  /// The page as PNG, from its top, also what does not fit the screen.
  void photograph(const std::filesystem::path& file, int height_max);
  /// What console, scripts and loading have complained about since the last time.
  std::vector<std::string> complaints();

private:
  nlohmann::json command(const std::string& method, nlohmann::json parameters);
  /// The next message, or null when time is up.
  nlohmann::json next(std::chrono::steady_clock::time_point until);
  void note(const nlohmann::json& message);

  temporary_directory profile_;
  pid_t process_ = -1;
  int to_ = -1;
  int from_ = -1;
  int last_id_ = 0;
  bool loaded_ = false;
  std::string session_;
  std::string read_;
  std::vector<std::string> complaints_;
};

} // namespace dybw::test
