#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/value_semantic.hpp>

#include <string>
#include <vector>

/// The looks of options on the help page of every command.
namespace dybw {

boost::program_options::options_description option_group(const std::string& title = "");

/// The value of an option, shown as `name`; all but flags have one.
boost::program_options::typed_value<std::string>* text_value(const char* name);
boost::program_options::typed_value<std::string>* text_value(const char* name, const std::string& standard);
/// The values of an option that may be given several times.
boost::program_options::typed_value<std::vector<std::string>>* text_list(const char* name);

/// What `--help` prints.
std::string help_page(const std::string& opening, const boost::program_options::options_description& options);

} // namespace dybw
