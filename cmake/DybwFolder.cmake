# One folder of the house is one library, named after its path: actors/run is dybw::actors_run. It says here which
# other folders it may include; tests/purity/house_test.cpp holds its includes against that, and the linker does where
# a program is linked with no more than what it uses.
#
#   dybw_folder(SOURCES FILE.. USES FOLDER.. LIBRARIES TARGET.. PRIVATE_LIBRARIES TARGET..)
#
# Without SOURCES: headers only.
function(dybw_folder)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REPLACE "/" "_" name "${folder}")
  set(libraries dybw_options ${arg_LIBRARIES})
  foreach(used IN LISTS arg_USES)
    string(REPLACE "/" "_" used "${used}")
    list(APPEND libraries "dybw::${used}")
  endforeach()
  if(arg_SOURCES)
    add_library(dybw_${name} STATIC ${arg_SOURCES})
    target_link_libraries(dybw_${name} PUBLIC ${libraries} PRIVATE ${arg_PRIVATE_LIBRARIES})
  else()
    add_library(dybw_${name} INTERFACE)
    target_link_libraries(dybw_${name} INTERFACE ${libraries})
  endif()
  add_library(dybw::${name} ALIAS dybw_${name})
endfunction()
