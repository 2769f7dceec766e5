#pragma once

#include "learning/monitoring/run_view.hpp"

#include <prometheus/metric_family.h>

#include <vector>

namespace dybw {

/// A view as Prometheus metrics: `dybw_...`, base units, help texts; absent figures have no series. Workers
/// are told apart by the label `worker`, nodes by `node` (their address), edges by `edge` ("3-4"). The number
/// of series is bounded: of a larger run the workers and edges beyond the first have none of their own and
/// are counted in `dybw_workers_without_series` and `dybw_edges_without_series`.
std::vector<prometheus::MetricFamily> view_metrics(const run_view& view);

inline constexpr std::size_t metrics_workers_max = 1000;
inline constexpr std::size_t metrics_edges_max = 2000;

} // namespace dybw
