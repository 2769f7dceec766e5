# Finds cpp-httplib as Debian ships it: a header and a compiled library, without CMake files.
#
#   find_package(Httplib 0.11.4 REQUIRED)
#
# defines Httplib::httplib, Httplib_VERSION.

find_path(HTTPLIB_INCLUDE_DIR NAMES httplib.h)
find_library(HTTPLIB_LIBRARY NAMES cpp-httplib)
mark_as_advanced(HTTPLIB_INCLUDE_DIR HTTPLIB_LIBRARY)

if(HTTPLIB_INCLUDE_DIR)
  file(STRINGS "${HTTPLIB_INCLUDE_DIR}/httplib.h" httplib_version_line REGEX "#define CPPHTTPLIB_VERSION " LIMIT_COUNT 1)
  string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" Httplib_VERSION "${httplib_version_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Httplib REQUIRED_VARS HTTPLIB_LIBRARY HTTPLIB_INCLUDE_DIR VERSION_VAR Httplib_VERSION
  REASON_FAILURE_MESSAGE "install Debian's package libcpp-httplib-dev")

if(Httplib_FOUND AND NOT TARGET Httplib::httplib)
  find_package(OpenSSL REQUIRED)
  find_package(Threads REQUIRED)
  add_library(Httplib::httplib UNKNOWN IMPORTED)
  # The classes of the header differ with what the library was built with; these are the package's settings.
  set_target_properties(Httplib::httplib PROPERTIES
    IMPORTED_LOCATION "${HTTPLIB_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${HTTPLIB_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "CPPHTTPLIB_OPENSSL_SUPPORT;CPPHTTPLIB_ZLIB_SUPPORT;CPPHTTPLIB_BROTLI_SUPPORT"
    INTERFACE_LINK_LIBRARIES "OpenSSL::SSL;OpenSSL::Crypto;Threads::Threads")
endif()
