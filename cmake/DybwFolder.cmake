# Small files spend more time on the standard library's headers than on their own lines: all that do not know CAF share
# one precompiled set, of learning/base and, for tests, of dybw_test_main; all that do share that of messages/.
set(dybw_std_headers
  <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <random> <set> <span> <string> <string_view>
  <variant> <vector>)

# One folder of the house is one library, named after its path: actors/run is dybw::actors_run. It says here which
# other folders it may include; tests/purity/house_test.cpp holds its includes against that, and the linker does where
# a program is linked with no more than what it uses.
#
#   dybw_folder([KNOWS_CAF] [APART] SOURCES FILE.. USES FOLDER.. LIBRARIES TARGET.. PRIVATE_LIBRARIES TARGET..
#               PRECOMPILED HEADER..)
#
# Without SOURCES: headers only. KNOWS_CAF: its files include CAF's headers. APART: they hold
# different things of one name, so that they are never compiled as one (CMAKE_UNITY_BUILD). PRECOMPILED: a set of its own.
function(dybw_folder)
  cmake_parse_arguments(arg "KNOWS_CAF;APART" "" "SOURCES;USES;LIBRARIES;PRIVATE_LIBRARIES;PRECOMPILED" ${ARGN})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REPLACE "/" "_" name "${folder}")
  set(libraries dybw_options ${arg_LIBRARIES})
  foreach(used IN LISTS arg_USES)
    string(REPLACE "/" "_" used "${used}")
    list(APPEND libraries "dybw::${used}")
  endforeach()
  if(arg_SOURCES)
    add_library(dybw_${name} STATIC ${arg_SOURCES})
    set_property(GLOBAL APPEND PROPERTY dybw_folders dybw_${name})
    target_link_libraries(dybw_${name} PUBLIC ${libraries} PRIVATE ${arg_PRIVATE_LIBRARIES})
    if(arg_APART)
      set_target_properties(dybw_${name} PROPERTIES UNITY_BUILD OFF)
    endif()
    # What passes messages on does no sums; under sanitizers half of its compile time went into optimising CAF's templates.
    if(DYBW_SANITIZE AND (arg_KNOWS_CAF OR name STREQUAL "messages"))
      target_compile_options(dybw_${name} PRIVATE -O0)
    endif()
    if(arg_PRECOMPILED)
      target_precompile_headers(dybw_${name} PRIVATE ${arg_PRECOMPILED})
    elseif(arg_KNOWS_CAF)
      target_precompile_headers(dybw_${name} REUSE_FROM dybw_messages)
    else()
      target_precompile_headers(dybw_${name} REUSE_FROM dybw_learning_base)
    endif()
  else()
    add_library(dybw_${name} INTERFACE)
    target_link_libraries(dybw_${name} INTERFACE ${libraries})
  endif()
  add_library(dybw::${name} ALIAS dybw_${name})
endfunction()
