# Builds examples/learner as a user would, against the build folder of this project, and trains with it:
#   cmake -D source=DIR -D build=DIR -D dybw=DIR -D compiler=FILE -D type=NAME -D generator=NAME -P own_learner.cmake
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV} ended with ${code}:\n${out}\n${err}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${build}") # of an earlier run, maybe with another generator
run("${CMAKE_COMMAND}" -G "${generator}" -S "${source}" -B "${build}" -D "CMAKE_PREFIX_PATH=${dybw}" -D "CMAKE_CXX_COMPILER=${compiler}"
    -D "CMAKE_BUILD_TYPE=${type}" -D "CMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")
run("${CMAKE_COMMAND}" --build "${build}")
set(options --workers 4 --data "${source}/houses.csv" --seed 3 --format json --quiet)

# The same in virtual time, twice.
foreach(clock IN ITEMS "" "--clock;virtual;--step-time;exp:1")
  run("${build}/ridge" ${options} --policy dtur --rounds 300 ${clock})
  string(JSON rmse GET "${out}" runs 0 scores rmse)
  string(JSON clean GET "${out}" runs 0 mixing one_sided_edges)
  if(rmse GREATER 0.2 OR NOT clean EQUAL 0)
    message(FATAL_ERROR "the average model's rmse is ${rmse}, one-sided edges ${clean}")
  endif()
endforeach()
string(JSON once GET "${out}" runs 0 test_loss)
run("${build}/ridge" ${options} --policy dtur --rounds 300 --clock virtual --step-time exp:1)
string(JSON again GET "${out}" runs 0 test_loss)
if(NOT once STREQUAL again)
  message(FATAL_ERROR "virtual time gave a loss of ${once}, then ${again}")
endif()

# A run that goes on, and one that ends by a score.
run("${build}/ridge" ${options} --policy full --rounds 50 --checkpoint-every 0.1 --out "${build}/out")
run("${build}/ridge" --resume "${build}/out" --rounds 120 --quiet)
run("${build}/ridge" ${options} --policy full --time-limit 30 --target rmse=0.2)
string(JSON reached GET "${out}" runs 0 time_to_target_s)
if(reached STREQUAL "")
  message(FATAL_ERROR "the target was not reached")
endif()

execute_process(COMMAND "${build}/ridge" --model softmax RESULT_VARIABLE code ERROR_VARIABLE err)
if(NOT code EQUAL 2 OR NOT err MATCHES "--model=softmax is the learner's affair")
  message(FATAL_ERROR "an option of built-in models: ${code}, ${err}")
endif()
execute_process(COMMAND "${build}/ridge" --data nowhere.csv RESULT_VARIABLE code ERROR_VARIABLE err)
if(NOT code EQUAL 1 OR NOT err MATCHES "the learner of worker 0: cannot read")
  message(FATAL_ERROR "a learner that cannot be made: ${code}, ${err}")
endif()
