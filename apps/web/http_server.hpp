#pragma once

#include "apps/web/http_address.hpp"
#include "apps/web/view_source.hpp"

#include <memory>

namespace dybw {

/// Serves the web page of a run and its metrics, on one thread of its own, until it is destroyed:
///
///     /             the page, and its assets under /assets/
///     /api/view     the newest view as JSON
///     /api/events   the same in the page's form as server-sent events, two a second, at most 8 readers
///     /metrics      for Prometheus
///     /healthz      "ok", without a token
///
/// Nothing else can be reached. Readers that are slow, silent or say nonsense cost a bounded number of
/// connections and bytes, and the oldest of them give way to new ones, so that a flood of connections neither
/// harms the process nor locks others out. Replies are buffered; no reader holds up another.
class http_server {
public:
  /// Throws `input_error`: configuration fault for an address that is not this machine's, or that turns out
  /// to be reachable from elsewhere and has no token; network fault if the port is taken.
  http_server(const http_options& options, view_source views);
  /// Closes all connections; takes milliseconds.
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// With the port that is listened on.
  endpoint address() const;

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace dybw
