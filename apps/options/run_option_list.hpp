#pragma once

#include <boost/program_options/options_description.hpp>

namespace dybw {

/// Every option of `dybw run` in groups, with help and defaults.
boost::program_options::options_description run_option_list();

} // namespace dybw
