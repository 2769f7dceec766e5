#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace dybw {

/// Takes the next piece of a file.
using byte_sink = std::function<void(std::span<const std::byte>)>;

/// Writes the file whole or not at all, whatever ends the process or the machine: beside its place as
/// FILE.part, to the disk, then there. Follows no link. On failure, `write`'s included, what was there stays;
/// failures of its own are `std::system_error`. Not for two writers of one file at a time.
void write_durably(const std::filesystem::path& file, const std::function<void(const byte_sink&)>& write);
void write_durably(const std::filesystem::path& file, std::string_view content);
/// The same, but that the disk is not waited for, which may take longer than others wait for a sign of life:
/// the process may end at any moment, the machine should not.
void write_whole(const std::filesystem::path& file, const std::function<void(const byte_sink&)>& write);

/// Writes `bytes` at position `at` of the file, which becomes its end, and has them on the disk: what stood
/// there of a write that failed or was cut short is gone, what stood before stays. Makes the file if it is
/// missing; follows no link. Throws `std::system_error`; then nothing before `at` has changed.
void append_durably(const std::filesystem::path& file, std::uint64_t at, std::span<const std::byte> bytes);

/// The name that an unfinished file of `write_durably` was to get; any other name as it is.
std::string finished_name(std::string name);

/// Nobody else who asks has the directory or file while this lives, or any copy of it; whatever ends the
/// process gives it back. Takes no file beside: it is the path itself that is locked. Where the file system
/// has no locks, it is free.
class path_claim {
public:
  path_claim() = default;
  /// Not claimed if another process, or another claim of this one, has it. Throws `std::system_error` if it
  /// cannot be opened.
  explicit path_claim(const std::filesystem::path& path);

  explicit operator bool() const noexcept { return held_ != nullptr; }

private:
  std::shared_ptr<const void> held_;
};

/// Makes what is missing of the path, and has each directory that got a new entry written to the disk: a file
/// is no safer than the names that lead to it. Throws `std::system_error`.
void create_directories_durably(const std::filesystem::path& directory);

} // namespace dybw
