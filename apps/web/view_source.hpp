#pragma once

#include "learning/monitoring/run_view.hpp"

#include <functional>
#include <memory>

namespace dybw {

/// The newest view of a live run, never null. May be called from any thread and takes milliseconds.
using view_source = std::function<std::shared_ptr<const run_view>()>;

} // namespace dybw
