#pragma once

#include "apps/web/http_server.hpp"
#include "apps/web/live_view.hpp"

namespace dybw {

/// A monitor of this process and the web page that it fills. Both end with it.
class live_page {
public:
  /// Throws `input_error` as `http_server` does.
  live_page(caf::actor_system& system, monitor_actor monitor, const http_options& options)
      : view_(system, std::move(monitor)), server_(options, view_.source()) {}

  /// Where a browser finds the page.
  std::string url() const { return "http://" + to_string(server_.address()) + "/"; }

private:
  live_view view_;
  http_server server_;
};

} // namespace dybw
