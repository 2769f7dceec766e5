#pragma once

#include "apps/options/option_values.hpp"

#include <filesystem>
#include <string>

namespace dybw {

/// The content of `saved_options_name`: what was given, but for where and how to print; paths as seen from
/// anywhere.
std::string saved_options(const option_values& given);

/// Adds the options of the run in `directory` below those of the command line. Throws `input_error`
/// (configuration fault) if there is no such run, or if the command line contradicts it in more than limits,
/// the place of the data, threads and output.
void add_saved_options(option_values& given, const std::filesystem::path& directory);

/// The same with the lines of the file, which a node has; `place` says where in messages.
void add_saved_options(option_values& given, const std::vector<std::string>& lines, const std::string& place);

} // namespace dybw
