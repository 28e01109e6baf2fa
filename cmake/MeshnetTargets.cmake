# SPDX-License-Identifier: MIT
# The few helpers every folder's CMakeLists.txt is written with.

# meshnet_warnings(target): the warnings all our code is clean under.
function(meshnet_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                         -Woverloaded-virtual -Wcast-qual -Wold-style-cast
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # g++ 12 sees overlaps in "a" + string (its bug 105329)
  if(MESHNET_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(MESHNET_SANITIZE)
    # -Wno-maybe-uninitialized: g++ 12 sees ghosts in instrumented code.
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                           -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(MESHNET_SANITIZE_THREAD)
    target_compile_options(${target} PRIVATE -fsanitize=thread -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=thread)
  endif()
  if(MESHNET_BUILD_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link,address,undefined
                           -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# meshnet_add_library(name SOURCES... [LINK libs...] [PRIVATE_LINK libs...]): target meshnet_<name>, alias meshnet::<name>.
function(meshnet_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(meshnet_${name} STATIC ${ARG_SOURCES})
  add_library(meshnet::${name} ALIAS meshnet_${name})
  target_include_directories(meshnet_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                             $<INSTALL_INTERFACE:include/meshnet>)
  target_link_libraries(meshnet_${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  meshnet_warnings(meshnet_${name})
endfunction()

# meshnet_test_headers(target): what tests include most is parsed once, and optimised only a little: tests are compiled
# more often than they run. Measured: 0.45 to 0.5 of the time.
function(meshnet_test_headers target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  # g++ 12 at -O1 sees overruns in the short strings of the standard library.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-stringop-overflow>)
  if(NOT TARGET meshnet_test_headers)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/test_headers.cpp CONTENT "int main() {}\n")
    # A program, as the tests are: its flags must be theirs.
    add_executable(meshnet_test_headers EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/test_headers.cpp)
    target_link_libraries(meshnet_test_headers PRIVATE GTest::gtest)
    target_compile_options(meshnet_test_headers PRIVATE $<$<CONFIG:Release>:-O1>)
    meshnet_warnings(meshnet_test_headers)
    target_precompile_headers(meshnet_test_headers PRIVATE
      <gtest/gtest.h> <algorithm> <array> <chrono> <cmath> <complex> <cstdint> <deque> <filesystem> <fstream> <functional>
      <map> <memory> <mutex> <numbers> <optional> <set> <span> <sstream> <string> <thread> <utility> <variant> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM meshnet_test_headers)
endfunction()

# meshnet_add_test(name SOURCES ... LINK ... [LABELS ...] [TIMEOUT s]): a GoogleTest program, one ctest entry.
function(meshnet_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  meshnet_test_headers(${name})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE MESHNET_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  meshnet_warnings(${name})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
  # What runs under sanitizers: no programs as a user starts them, nothing slow.
  if(NOT "programs" IN_LIST ARG_LABELS AND NOT "slow" IN_LIST ARG_LABELS)
    if(NOT TARGET sanitized_tests)
      add_custom_target(sanitized_tests)
    endif()
    add_dependencies(sanitized_tests ${name})
  endif()
endfunction()

# meshnet_add_fuzzer(name LINK ...): <name>.cpp as a libFuzzer program when MESHNET_BUILD_FUZZ is on (clang); else as a
# program `<name>_replay` that runs the files given to it, and ctest replays the committed corpus/<name>/ through it.
function(meshnet_add_fuzzer name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  if(MESHNET_BUILD_FUZZ)
    set(program ${name})
    add_executable(${program} ${name}.cpp)
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${program})
  else()
    set(program ${name}_replay)
    add_executable(${program} ${name}.cpp replay_main.cpp)
    add_test(NAME ${program} COMMAND ${program} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    set_tests_properties(${program} PROPERTIES LABELS fuzz TIMEOUT 300)
  endif()
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${program} PRIVATE ${ARG_LINK})
  meshnet_warnings(${program})
endfunction()
