# What programs with a learner of their own link: all folders in one library, with the headers that say how
# (learning/api). A project finds it by find_package(dybw), installed or in the build folder:
#
#   find_package(dybw REQUIRED)
#   target_link_libraries(my_program PRIVATE dybw::dybw)

get_property(dybw_folders GLOBAL PROPERTY dybw_folders)
list(APPEND dybw_folders dybw_assets)
list(TRANSFORM dybw_folders REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE dybw_objects)
add_library(dybw_library STATIC ${dybw_objects})
set_target_properties(dybw_library PROPERTIES OUTPUT_NAME dybw EXPORT_NAME dybw LINKER_LANGUAGE CXX)
target_compile_features(dybw_library PUBLIC cxx_std_20)
target_link_libraries(dybw_library PUBLIC
  CAF::io CAF::core spdlog::spdlog Boost::program_options OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB PrometheusCpp::core
  Threads::Threads ${CURSES_LIBRARIES})
# Whoever links a library with sanitizers needs them, too.
if(DYBW_SANITIZE)
  target_link_options(dybw_library INTERFACE "$<BUILD_INTERFACE:-fsanitize=${DYBW_SANITIZE}>")
endif()

# In the build folder the headers lie as they will when they are installed.
set(dybw_public_headers learner.hpp)
foreach(header IN LISTS dybw_public_headers)
  configure_file("${PROJECT_SOURCE_DIR}/learning/api/${header}" "${PROJECT_BINARY_DIR}/include/dybw/${header}" COPYONLY)
  install(FILES "learning/api/${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/dybw")
endforeach()
target_include_directories(dybw_library INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")

include(CMakePackageConfigHelpers)
set(dybw_package "${CMAKE_INSTALL_LIBDIR}/cmake/dybw")
set(dybw_modules cmake/FindCAF.cmake cmake/FindPrometheusCpp.cmake)
configure_file(cmake/dybwConfig.cmake.in "${PROJECT_BINARY_DIR}/dybwConfig.cmake" @ONLY)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/dybwConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
foreach(module IN LISTS dybw_modules)
  get_filename_component(name "${module}" NAME)
  configure_file("${module}" "${PROJECT_BINARY_DIR}/${name}" COPYONLY)
endforeach()
install(TARGETS dybw_library EXPORT dybw)
install(EXPORT dybw NAMESPACE dybw:: FILE dybwTargets.cmake DESTINATION "${dybw_package}")
install(FILES "${PROJECT_BINARY_DIR}/dybwConfig.cmake" "${PROJECT_BINARY_DIR}/dybwConfigVersion.cmake" ${dybw_modules}
        DESTINATION "${dybw_package}")
export(EXPORT dybw NAMESPACE dybw:: FILE "${PROJECT_BINARY_DIR}/dybwTargets.cmake")
