#pragma once

#include "learning/base/error.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace dybw::testing {

/// A text file that lives as long as the object, in the system's temporary directory.
class text_file {
public:
  explicit text_file(const std::string& content) {
    static std::atomic<int> count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("dybw-test-" + std::to_string(getpid()) + '-' + std::to_string(count++) + ".txt");
    std::ofstream{path_} << content;
  }
  ~text_file() { std::filesystem::remove(path_); }
  text_file(const text_file&) = delete;
  text_file& operator=(const text_file&) = delete;

  std::string path() const { return path_.string(); }

private:
  std::filesystem::path path_;
};

/// How an attempt ended: `2 MESSAGE` with the fault's exit code, or "accepted".
template <class Attempt>
std::string refusal(Attempt attempt) {
  try {
    attempt();
  } catch (const input_error& error) {
    return std::to_string(error.exit_code()) + ' ' + error.what();
  }
  return "accepted";
}

} // namespace dybw::testing
