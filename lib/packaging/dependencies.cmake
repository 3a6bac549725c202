# What Banyan is built from. A target that exists already is taken as it is, so that a project that
# brings its own Abseil or GoogleTest decides which one is used; otherwise the installed one is found.

if(NOT TARGET Threads::Threads)
  find_package(Threads REQUIRED)
endif()
if(NOT TARGET absl::status)
  find_package(absl CONFIG REQUIRED)
endif()
if(NOT TARGET Boost::headers)
  find_package(Boost 1.81 CONFIG REQUIRED)
endif()
if(NOT TARGET OpenSSL::Crypto)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
endif()

if(NOT TARGET simdjson::simdjson)
  find_package(simdjson CONFIG REQUIRED)
endif()

if((BANYAN_BUILD_TESTING OR BANYAN_BUILD_TESTS) AND NOT TARGET GTest::gmock)
  find_package(GTest CONFIG REQUIRED)
endif()
if(BANYAN_BUILD_BENCH AND NOT TARGET benchmark::benchmark)
  find_package(benchmark CONFIG REQUIRED)
endif()

# A database for an example and a test of the outbox. The library does not use it.
if((BANYAN_BUILD_TESTS OR BANYAN_BUILD_EXAMPLES) AND NOT TARGET SQLite::SQLite3)
  find_package(SQLite3 QUIET)
  if(NOT SQLite3_FOUND)
    message(STATUS "Banyan: no SQLite (Debian: libsqlite3-dev); its example and test are left out")
  endif()
endif()

# HTTP, for banyan::http alone.
if(BANYAN_BUILD_HTTP AND NOT TARGET CURL::libcurl)
  find_package(CURL 7.85 QUIET)
  if(NOT TARGET CURL::libcurl)
    message(STATUS "Banyan: no libcurl (Debian: libcurl4-openssl-dev); banyan::http is left out")
  endif()
endif()

include(${CMAKE_CURRENT_LIST_DIR}/mimalloc.cmake)
