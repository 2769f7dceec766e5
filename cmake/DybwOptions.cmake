# Options that every target of the project shares, on the interface target `dybw_options`.

set(dybw_arch_default "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(dybw_arch_default "x86-64-v3")
endif()
set(DYBW_ARCH "${dybw_arch_default}" CACHE STRING
    "Processor to build for (-march=); empty for the compiler's default. x86-64-v3 needs AVX2 and FMA")
set(DYBW_SANITIZE "" CACHE STRING "Sanitizers to build with, for example address,undefined")
option(DYBW_WERROR "Treat compiler warnings as errors" OFF)

add_library(dybw_options INTERFACE)
target_compile_features(dybw_options INTERFACE cxx_std_20)
target_compile_options(dybw_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
target_compile_definitions(dybw_options INTERFACE CAF_ENABLE_TYPE_ID_CHECKS "DYBW_ARCH=\"${DYBW_ARCH}\"")
# GCC 12 and 13 report nonsense for "x" + std::to_string(..) (GCC bug 105651).
target_compile_options(dybw_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(DYBW_WERROR)
  target_compile_options(dybw_options INTERFACE -Werror)
endif()
if(DYBW_ARCH)
  target_compile_options(dybw_options INTERFACE "-march=${DYBW_ARCH}")
endif()
if(DYBW_SANITIZE)
  target_compile_options(dybw_options INTERFACE "-fsanitize=${DYBW_SANITIZE}" -fno-omit-frame-pointer
                         -fno-sanitize-recover=all
                         # Instrumented code hides from GCC what is initialised, as its manual says, and how far arrays go.
                         "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-array-bounds;-Wno-stringop-overflow>")
  target_link_options(dybw_options INTERFACE "-fsanitize=${DYBW_SANITIZE}")
endif()
target_include_directories(dybw_options INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/generated")
