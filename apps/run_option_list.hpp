#pragma once

#include <boost/program_options/options_description.hpp>

namespace dybw {

/// Every option of `dybw run` in groups, with help and defaults.
boost::program_options::options_description run_option_list();

/// Options that are understood only to say why they do not apply.
boost::program_options::options_description run_option_list_of_virtual_time();

} // namespace dybw
