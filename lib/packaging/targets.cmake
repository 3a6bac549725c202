# The five kinds of program and library in this tree, one function each, so that a room's
# CMakeLists.txt is only a list of names.

# Options every target of ours is compiled with, and nobody else's.
function(banyan_compile_options target)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 $<$<BOOL:${BANYAN_WERROR}>:/WX>)
  else()
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wshadow -Wconversion
      $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wthread-safety>
      # g++ 12 sees an overlap in "literal" + std::string where there is none (GCC bug 105651).
      $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
      $<$<BOOL:${BANYAN_WERROR}>:-Werror>)
  endif()
  if(BANYAN_SANITIZE)
    target_compile_definitions(${target} PRIVATE BANYAN_SANITIZER=1)
    target_compile_options(${target} PRIVATE
      -fsanitize=${BANYAN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${BANYAN_SANITIZE})
  endif()
  if(BANYAN_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# Compiles the files of a room of `target` in one go, by tens; to be called when all are listed.
function(banyan_compile_rooms_as_a_whole target)
  if(NOT BANYAN_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # g++ takes what a file of the group keeps to itself for something that a header shows.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    get_filename_component(source ${source} ABSOLUTE)
    get_filename_component(room ${source} DIRECTORY)
    get_filename_component(room ${room} NAME)
    if(NOT DEFINED count_${room})
      set(count_${room} 0)
    endif()
    math(EXPR ten "${count_${room}} / 10")
    math(EXPR count_${room} "${count_${room}} + 1")
    set_source_files_properties(${source} TARGET_DIRECTORY ${target}
                                PROPERTIES UNITY_GROUP ${room}_${ten})
  endforeach()
endfunction()

# A test file with an operator new of its own, to count allocations, is compiled apart. Inlining some
# of it, g++ takes its malloc and free for a pair that does not fit.
function(banyan_brings_its_own_new source)
  set_source_files_properties(${source} PROPERTIES
    SKIP_UNITY_BUILD_INCLUSION ON COMPILE_OPTIONS -Wno-mismatched-new-delete)
endfunction()

# banyan_test(queue_test core_test.cc ...): one test binary, named as said, for one room. Tests see
# lib/ as well as include/.
function(banyan_test name)
  add_executable(${name} ${ARGN})
  banyan_compile_options(${name})
  target_include_directories(${name} PRIVATE ${banyan_SOURCE_DIR}/lib)
  target_link_libraries(${name} PRIVATE banyan_private banyan::testing GTest::gmock_main)
  target_compile_definitions(${name} PRIVATE BANYAN_SOURCE_DIR="${banyan_SOURCE_DIR}")
  # Most of the time goes into compiling the tests. They are not what is examined: the library is, and
  # it keeps its optimization.
  if(BANYAN_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  elseif(NOT MSVC)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  banyan_compile_rooms_as_a_whole(${name})
  # Found when ctest runs, not when building: the sanitizer builds are slow enough. Parameters go by
  # their number: some print as bytes that change from run to run.
  gtest_discover_tests(${name} TEST_PREFIX ${name}/ NO_PRETTY_VALUES DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 300)
endfunction()

# banyan_benchmark(queue_bench queue_bench.cc): one benchmark program, and a tiny run of it as a test
# with the label "bench", so that it cannot rot.
function(banyan_benchmark name)
  add_executable(${name} ${ARGN})
  banyan_compile_options(${name})
  target_include_directories(${name} PRIVATE ${banyan_SOURCE_DIR}/lib)
  target_link_libraries(${name} PRIVATE banyan_private benchmark::benchmark_main)
  add_test(NAME bench/${name} COMMAND ${name} --benchmark_min_time=0.01)
  set_tests_properties(bench/${name} PROPERTIES LABELS bench TIMEOUT 300)
endfunction()

# banyan_fuzz_target(pattern pattern_fuzz.cc): a program with LLVMFuzzerTestOneInput. With BANYAN_FUZZ
# it is a libFuzzer; without, a program that replays files. Both replay corpus/pattern as a test with
# the label "fuzz".
function(banyan_fuzz_target name source)
  set(target fuzz_${name})
  add_executable(${target} ${source})
  banyan_compile_options(${target})
  target_include_directories(${target} PRIVATE ${banyan_SOURCE_DIR}/lib)
  target_link_libraries(${target} PRIVATE banyan_private banyan::testing)
  if(BANYAN_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set(only_replay -runs=0)
  else()
    target_sources(${target} PRIVATE ${banyan_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    set(only_replay "")
  endif()
  add_test(NAME fuzz/${name} COMMAND ${target} ${only_replay} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 300)
  add_dependencies(fuzz_targets ${target})
endfunction()

# banyan_example(shop shop.cc ...): a program as a user would write it; it sees include/ only. Part of
# the target `examples`, and found in <build>/examples/.
function(banyan_example name)
  add_executable(${name} ${ARGN})
  banyan_compile_options(${name})
  target_link_libraries(${name} PRIVATE banyan::banyan)
  add_dependencies(examples ${name})
endfunction()
