#pragma once

#include "learning/monitoring/run_view.hpp"

#include <functional>
#include <memory>

namespace dybw {

using view_source = std::function<std::shared_ptr<const run_view>()>; // newest view, never null; any thread;
                                                                      // takes milliseconds

} // namespace dybw
