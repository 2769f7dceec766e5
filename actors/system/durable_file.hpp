#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
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

/// The name that an unfinished file of `write_durably` was to get; any other name as it is.
std::string finished_name(std::string name);

/// Makes what is missing of the path, and has each directory that got a new entry written to the disk: a file
/// is no safer than the names that lead to it. Throws `std::system_error`.
void create_directories_durably(const std::filesystem::path& directory);

} // namespace dybw
