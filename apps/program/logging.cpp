#include "apps/program/logging.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace dybw {

namespace {

spdlog::level::level_enum level_of(log_level level) {
  switch (level) {
  case log_level::debug:
    return spdlog::level::debug;
  case log_level::info:
    return spdlog::level::info;
  case log_level::warn:
    return spdlog::level::warn;
  case log_level::error:
    return spdlog::level::err;
  case log_level::off:
    return spdlog::level::off;
  }
  return spdlog::level::warn;
}

} // namespace

void set_up_log(log_level level, bool with_time) {
  auto logger = spdlog::get("dybw");
  if (!logger)
    logger = spdlog::stderr_color_mt("dybw");
  logger->set_pattern(with_time ? "%Y-%m-%d %H:%M:%S dybw: %l: %v" : "dybw: %l: %v");
  logger->set_level(level_of(level));
  spdlog::set_default_logger(logger);
}

} // namespace dybw
