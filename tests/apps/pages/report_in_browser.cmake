# Draws the sample reports in a browser without a window; fails on a script error, an unfinished page or injected markup.
#   cmake -DWRITER=report_page_test -DBROWSER=chromium -DFOLDER=DIR -P report_in_browser.cmake
file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
set(ENV{DYBW_REPORT_SAMPLES} "${FOLDER}")
execute_process(COMMAND "${WRITER}" "--test-case=*samples are written*" RESULT_VARIABLE result OUTPUT_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the samples were not written: ${output}")
endif()
file(GLOB samples "${FOLDER}/*.html")
if(NOT samples)
  message(FATAL_ERROR "no sample in ${FOLDER}")
endif()
foreach(sample IN LISTS samples)
  get_filename_component(name "${sample}" NAME_WE)
  execute_process(
    COMMAND "${BROWSER}" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
            --disable-component-update --disable-sync "--user-data-dir=${FOLDER}/profile" --enable-logging=stderr --v=0
            --dump-dom "file://${sample}"
    RESULT_VARIABLE result OUTPUT_VARIABLE page ERROR_VARIABLE log TIMEOUT 60)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${name}: the browser ended with ${result}: ${log}")
  endif()
  if(log MATCHES "CONSOLE[^\n]*")
    message(FATAL_ERROR "${name}: ${CMAKE_MATCH_0}")
  endif()
  if(NOT page MATCHES "<html[^>]* data-state=\"drawn\"")
    message(FATAL_ERROR "${name}: the page was not drawn to its end")
  endif()
  if(page MATCHES "<title>owned" OR page MATCHES "<b>static")
    message(FATAL_ERROR "${name}: a string of the data became markup")
  endif()
endforeach()
file(REMOVE_RECURSE "${FOLDER}")
