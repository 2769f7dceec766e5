#pragma once

#include <chrono>
#include <filesystem>

namespace dybw {

/// A directory for temporary files that only this user can enter; goes with all that is in it.
class private_directory {
public:
  /// Throws `std::system_error`.
  private_directory();
  ~private_directory();
  private_directory(const private_directory&) = delete;
  private_directory& operator=(const private_directory&) = delete;
  const std::filesystem::path& path() const noexcept { return path_; }

private:
  std::filesystem::path path_;
};

/// The socket that trainers come to, and its name.
class trainer_entrance {
public:
  /// Throws `input_error` (configuration fault) if there can be none of that name.
  explicit trainer_entrance(std::filesystem::path path);
  ~trainer_entrance();
  trainer_entrance(const trainer_entrance&) = delete;
  trainer_entrance& operator=(const trainer_entrance&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  /// A connection of a process of this user that has come within `patience`; -1: none, or there is no
  /// descriptor for it, which a warning tells, once for each such time.
  int accepted(std::chrono::milliseconds patience);
  /// How long its reads may take; 0: for ever.
  static void set_patience(int connection, std::chrono::seconds patience);

private:
  std::filesystem::path path_;
  int descriptor_;
  bool is_short_ = false; ///< of descriptors, or of memory for one
};

} // namespace dybw
