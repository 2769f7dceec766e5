#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>

namespace dybw {

/// Takes the next piece of a file.
using byte_sink = std::function<void(std::span<const std::byte>)>;

/// Writes the file whole or not at all, whatever ends the process or the machine: beside its place (`.part`),
/// to the disk, then there. On failure what was there stays, and `std::system_error` is thrown.
void write_durably(const std::filesystem::path& file, const std::function<void(const byte_sink&)>& write);

/// Makes what is missing of the path, and has each directory that got a new entry written to the disk: a file
/// is no safer than the names that lead to it. Throws `std::system_error`.
void create_directories_durably(const std::filesystem::path& directory);

} // namespace dybw
