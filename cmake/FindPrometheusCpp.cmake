# Finds the core of prometheus-cpp. The package's own CMake file also wants civetweb and curl, which only its HTTP server
# and its push client need.
#
#   find_package(PrometheusCpp REQUIRED)
#
# defines PrometheusCpp::core.

find_path(PROMETHEUS_CPP_INCLUDE_DIR NAMES prometheus/text_serializer.h)
find_library(PROMETHEUS_CPP_CORE_LIBRARY NAMES prometheus-cpp-core)
mark_as_advanced(PROMETHEUS_CPP_INCLUDE_DIR PROMETHEUS_CPP_CORE_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PrometheusCpp REQUIRED_VARS PROMETHEUS_CPP_CORE_LIBRARY PROMETHEUS_CPP_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install Debian's package prometheus-cpp-dev")

if(PrometheusCpp_FOUND AND NOT TARGET PrometheusCpp::core)
  find_package(Threads REQUIRED)
  add_library(PrometheusCpp::core UNKNOWN IMPORTED)
  set_target_properties(PrometheusCpp::core PROPERTIES
    IMPORTED_LOCATION "${PROMETHEUS_CPP_CORE_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROMETHEUS_CPP_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
