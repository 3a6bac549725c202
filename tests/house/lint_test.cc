// SPDX-License-Identifier: Apache-2.0
//
// What may not be written, and where. Each rule is a row: words that give an offence away, the
// files it holds for, the files that are the one place for it, and the reason to print.
//
// Words are looked for in code only, outside comments and strings, and as whole identifiers:
// "thread" does not find "thread_annotations".

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "house/source_tree.h"

namespace banyan::house {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

struct Rule {
  std::string_view reason;
  std::vector<std::string_view> words;
  std::vector<std::string_view> holds_in;    // path prefixes
  std::vector<std::string_view> allowed_in;  // path prefixes
};

// A call that must be found as the member of an object, too, starts with its dot: ".wait_for(" is
// looked for as such, and "->wait_for(" with it.
const std::vector<Rule>& Rules() {
  static const std::vector<Rule>& rules = *new std::vector<Rule>{
      {"reads a clock: ask the Runtime",
       {"steady_clock", "system_clock", "high_resolution_clock", "file_clock", "utc_clock",
        "absl::Now", "GetCurrentTimeNanos", "clock_gettime", "gettimeofday", "std::time",
        "time(nullptr)", "time(NULL)", "time(0)", "std::clock", "clock()", "ftime(", "timespec_get",
        "__rdtsc", "<chrono>"},
       {"include/", "lib/", "examples/", "bench/", "tests/"},
       {"lib/base/threaded_runtime.",
        // It is about the real clock, and compares the runtime's answers with it.
        "tests/base/threaded_runtime_test.cc",
        // Asks what a thread has used of the processor, which is not the time.
        "bench/laps.h"}},
      {"sleeps or waits by itself: ask the Runtime",
       {"sleep_for",
        "sleep_until",
        "SleepFor",
        "sleep(",
        "usleep(",
        "nanosleep(",
        "wait_for",
        "wait_until",
        ".wait_for(",
        ".wait_until(",
        ".try_acquire_for(",
        ".wait(",
        "pause()",
        "poll(",
        "select(",
        "epoll_wait",
        "futex",
        "condition_variable",
        "condition_variable_any",
        "<semaphore>",
        "<latch>",
        "<barrier>",
        "<future>"},
       {"include/", "lib/"},
       {"lib/base/threaded_runtime."}},
      {"starts a thread: ask the Runtime",
       {"std::thread", "std::jthread", "std::async", "boost::thread", "pthread_create",
        "thrd_create", "<thread>", "fork(", "clone(", "timer_create("},
       {"include/", "lib/"},
       {"lib/base/threaded_runtime.",
        // Its user asks for one thread, which waits for sockets: no Runtime has any.
        "lib/http/curl_transport.cc"}},
      {"draws a random number: ask the Runtime",
       {"rand(",          "srand(",
        "rand_r(",        "random(",
        "drand48(",       "random_device",
        "random_shuffle", "mt19937",
        "mt19937_64",     "default_random_engine",
        "minstd_rand",    "minstd_rand0",
        "ranlux24",       "ranlux48",
        "ranlux24_base",  "ranlux48_base",
        "knuth_b",        "absl::BitGen",
        "InsecureBitGen", "getrandom(",
        "getentropy(",    "arc4random",
        "RAND_bytes",     "<random>"},
       {"include/", "lib/"},
       {"lib/base/threaded_runtime."}},
      // Tests may wait for each other's threads, with latches and the like, but not for time.
      {"sleeps, or gives up by the clock: move time with the Runtime",
       {"sleep_for", "sleep_until", "SleepFor", "sleep(", "usleep(", "nanosleep(", "pause()",
        "wait_for", "wait_until", ".wait_for(", ".wait_until(", ".try_acquire_for("},
       {"examples/", "bench/", "tests/"},
       {}},
      // Tests may draw from a generator whose seed they print, std::mt19937_64; see SeededRandom().
      {"draws a random number that no seed gives again",
       {"rand(", "srand(", "drand48(", "random_device", "random_shuffle", "absl::BitGen",
        "InsecureBitGen", "getrandom(", "getentropy(", "arc4random", "RAND_bytes"},
       {"examples/", "bench/", "tests/"},
       {// Chooses the seed, and prints it.
        "tests/pattern/pattern_testing.h"}},
      {"uses exceptions: the library builds without them, base/exceptions.h calls handlers",
       {"try", "catch", "throw"},
       {"include/", "lib/"},
       {"lib/base/exceptions.h"}},
      {"takes a lock that is not banyan::Mutex",
       {"absl::Mutex", "absl::MutexLock", "absl::CondVar", "std::lock_guard", "std::unique_lock",
        "std::scoped_lock", "std::recursive_mutex", "std::shared_mutex", "pthread_mutex_t"},
       {"include/", "lib/"},
       {"include/banyan/mutex.h", "lib/base/threaded_runtime."}},
      {"prints: the library speaks through the user's LogSink only",
       {"cout", "cerr", "clog", "printf(", "fprintf", "vprintf(", "vfprintf", "puts(", "fputs",
        "putchar(", "perror(", "<iostream>", "syslog("},
       {"include/", "lib/"},
       // A broken invariant has nobody left to report to; the tool is a program, not the library;
       // and a test whose seed, or whose broker that cannot be made, must be told has a reader.
       {"lib/base/check.cc", "lib/tool/", "lib/testing/simulated_runtime.cc",
        "lib/testing/test_broker.cc"}},
      {"changes the process it lives in",
       {"setenv(", "putenv(", "unsetenv(", "setlocale(", "umask(", "signal(", "sigaction(",
        "atexit(", "exit(", "quick_exit(", "chdir("},
       {"include/", "lib/"},
       {"lib/tool/"}},
  };
  return rules;
}

bool StartsWithAny(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [path](std::string_view prefix) { return path.starts_with(prefix); });
}

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Whether `line` has `word` standing by itself: no identifier goes on before or after it, and it is
// not the member of an object (`.sleep`, `->signal`).
bool HasWord(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool starts =
        at == 0 || !IsWordChar(word.front()) ||
        (!IsWordChar(line[at - 1]) && line[at - 1] != '.' && !line.substr(0, at).ends_with("->"));
    const bool ends = end == line.size() || !IsWordChar(word.back()) || !IsWordChar(line[end]);
    if (starts && ends) return true;
  }
  return false;
}

std::vector<std::string> Offences(const std::vector<SourceFile>& files,
                                  const std::vector<Rule>& rules) {
  std::vector<std::string> offences;
  for (const SourceFile& file : files) {
    const std::string code = CodeOnly(file.text);
    for (const Rule& rule : rules) {
      if (!StartsWithAny(file.path, rule.holds_in) || StartsWithAny(file.path, rule.allowed_in)) {
        continue;
      }
      int number = 0;
      for (std::string_view line : Lines(code)) {
        ++number;
        for (std::string_view word : rule.words) {
          const bool is_call_of_member = word.front() == '.';
          if (!HasWord(line, word) &&
              !(is_call_of_member && HasWord(line, "->" + std::string(word.substr(1))))) {
            continue;
          }
          offences.push_back(file.path + ":" + std::to_string(number) + ": " + std::string(word) +
                             " " + std::string(rule.reason));
        }
      }
    }
  }
  return offences;
}

// A public header includes the standard library, the few Abseil headers that are its vocabulary,
// and other public headers; those of banyan::testing GoogleTest as well. Nothing else may reach a
// user's compiler.
bool MayStandInAPublicHeader(std::string_view path, std::string_view include) {
  if (include.front() == '<') {
    return std::all_of(include.begin() + 1, include.end() - 1,
                       [](char c) { return IsWordChar(c) || c == '.'; }) &&
           !include.ends_with(".h>");
  }
  const bool testing = path.starts_with("include/banyan/testing/");
  if (testing && (include == "\"gtest/gtest.h\"" || include == "\"gmock/gmock.h\"")) return true;
  return include.starts_with("\"banyan/") || include.starts_with("\"absl/base/") ||
         include.starts_with("\"absl/functional/") || include.starts_with("\"absl/status/") ||
         include.starts_with("\"absl/time/") || include.starts_with("\"absl/types/span.h\"");
}

std::vector<std::string> ForeignIncludes(const std::vector<SourceFile>& files) {
  std::vector<std::string> foreign;
  for (const SourceFile& file : files) {
    if (!file.path.starts_with("include/")) continue;
    int number = 0;
    for (std::string_view line : Lines(file.text)) {
      ++number;
      const size_t hash = line.find_first_not_of(' ');
      if (hash == std::string_view::npos || line[hash] != '#') continue;
      if (line.find("include", hash) == std::string_view::npos) continue;
      const size_t open = line.find_first_of("<\"", hash);
      const size_t close = line.find_first_of(">\"", open + 1);
      if (open == std::string_view::npos || close == std::string_view::npos) continue;
      const std::string_view include = line.substr(open, close - open + 1);
      if (MayStandInAPublicHeader(file.path, include)) continue;
      foreign.push_back(file.path + ":" + std::to_string(number) + ": " + std::string(include));
    }
  }
  return foreign;
}

// BANYAN_QUEUE_H_ for include/banyan/queue.h, BANYAN_LIB_QUEUE_CORE_H_ for lib/queue/core.h.
std::string GuardFor(std::string_view path) {
  if (path.starts_with("include/")) path.remove_prefix(std::string_view("include/").size());
  std::string guard = path.starts_with("banyan/") ? "" : "BANYAN_";
  for (char c : path) {
    guard += IsWordChar(c) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : '_';
  }
  return guard + "_";
}

std::vector<std::string> FormFaults(const std::vector<SourceFile>& files) {
  std::vector<std::string> faults;
  for (const SourceFile& file : files) {
    if (!file.text.starts_with("// SPDX-License-Identifier: Apache-2.0\n")) {
      faults.push_back(file.path + ": does not start with the licence line");
    }
    if (!file.path.ends_with(".h")) continue;
    const std::string guard = GuardFor(file.path);
    if (file.text.find("#ifndef " + guard + "\n#define " + guard + "\n") == std::string::npos) {
      faults.push_back(file.path + ": has no include guard " + guard);
    }
  }
  return faults;
}

std::vector<SourceFile> Everything() {
  return ReadSources({"include", "lib", "tests", "bench", "examples"});
}

TEST(Lint, NothingForbiddenIsWritten) {
  const std::vector<SourceFile> files = Everything();
  ASSERT_GT(files.size(), 50u) << "an empty look finds nothing wrong";
  EXPECT_THAT(Offences(files, Rules()), IsEmpty());
}

TEST(Lint, PublicHeadersIncludeNothingForeign) {
  EXPECT_THAT(ForeignIncludes(ReadSources({"include"})), IsEmpty());
}

TEST(Lint, EveryFileHasItsLicenceLineAndEveryHeaderItsGuard) {
  EXPECT_THAT(FormFaults(Everything()), IsEmpty());
}

// The checkers themselves must be able to fail.

TEST(LintChecker, FindsAnOffenceOfEveryRuleAndNamesTheLine) {
  for (const Rule& rule : Rules()) {
    for (std::string_view word : rule.words) {
      const std::string path = std::string(rule.holds_in.back()) + "bad.cc";
      const std::string code =
          "int a;\n  x" + std::string(word.front() == '.' ? "" : "; ") + std::string(word) + ";\n";
      EXPECT_THAT(Offences({{path, code}}, {rule}), ElementsAre(HasSubstr("bad.cc:2: ")))
          << "the word was: " << word;
    }
  }
}

TEST(LintChecker, LetsTheOnePlacePass) {
  const std::string code = "auto now = std::chrono::steady_clock::now();\n";
  EXPECT_THAT(Offences({{"lib/base/threaded_runtime.cc", code}}, Rules()), IsEmpty());
  EXPECT_THAT(Offences({{"lib/queue/core.cc", code}}, Rules()), SizeIs(1));
}

TEST(LintChecker, ReadsCodeAndNotCommentsOrStrings) {
  EXPECT_THAT(Offences({{"lib/a.cc",
                         "// throw this away\n/* try\n catch */\n"
                         "const char* a = \"throw \\\" catch\";\n"
                         "const char* b = R\"(try \" throw)\"; int n = 1'000;\n"}},
                       Rules()),
              IsEmpty());
  // Code that follows a literal is read again.
  EXPECT_THAT(Offences({{"lib/a.cc", "f(\"x\", 'y', 1'000, R\"z(a)z\"); throw 1;\n"}}, Rules()),
              SizeIs(1));
}

TEST(LintChecker, ReadsWholeWordsAndNotMembers) {
  EXPECT_THAT(Offences({{"lib/a.cc",
                         "#include \"absl/base/thread_annotations.h\"\n"
                         "int operand, retry, snprintf; pool.signal(); on_exit(); x->sleep();\n"}},
                       Rules()),
              IsEmpty());
}

// As people write them.
TEST(LintChecker, FindsClocksSleepsThreadsAndDiceInRealLines) {
  for (const char* line : {
           "const auto seed = static_cast<unsigned>(time(nullptr));",
           "const clock_t start = clock();",
           "ftime(&now);",
           "poll(&fd, 1, 100);",
           "::select(0, nullptr, nullptr, nullptr, &tv);",
           "const int n = epoll_wait(fd, events, 16, -1);",
           "syscall(SYS_futex, &word, futex, 0);",
           "pause();",
           "clone(Run, stack, CLONE_VM, nullptr);",
           "boost::thread worker(Run);",
           "std::random_shuffle(v.begin(), v.end());",
           "std::ranlux48 dice(1);",
           "std::mt19937 dice(1);",
           "if (result.wait_for(timeout) == kReady) return;",
           "done->wait_until(deadline);",
           "std::condition_variable cv;",
           "flag.wait(false);",
           "flag_->wait(false);",
       }) {
    EXPECT_THAT(Offences({{"lib/a.cc", line}}, Rules()), Not(IsEmpty())) << line;
  }
  for (const char* line : {"sleep(1);", "cv.wait_for(lock, timeout);", "std::random_device seed;",
                           "const auto now = std::chrono::steady_clock::now();"}) {
    for (const char* path : {"tests/queue/a_test.cc", "examples/a.cc", "bench/a.cc"}) {
      EXPECT_THAT(Offences({{path, line}}, Rules()), Not(IsEmpty())) << path << ": " << line;
    }
  }
}

TEST(LintChecker, LetsTestsStartThreadsAndDrawFromASeed) {
  EXPECT_THAT(Offences({{"tests/queue/a_test.cc",
                         "std::thread t(Run); std::mt19937_64 dice(seed); latch.wait();\n"}},
                       Rules()),
              IsEmpty());
}

TEST(LintChecker, FindsForeignIncludes) {
  EXPECT_THAT(
      ForeignIncludes({{"include/banyan/queue.h",
                        "#include <vector>\n#include <boost/lockfree/queue.hpp>\n"
                        "#include \"rapidjson/reader.h\"\n#include \"banyan/arn.h\"\n"
                        "#include <mimalloc.h>\n#include \"gtest/gtest.h\"\n"
                        "#include \"absl/time/time.h\"\n"},
                       {"include/banyan/testing/matchers.h", "#include \"gmock/gmock.h\"\n"}}),
      ElementsAre("include/banyan/queue.h:2: <boost/lockfree/queue.hpp>",
                  "include/banyan/queue.h:3: \"rapidjson/reader.h\"",
                  "include/banyan/queue.h:5: <mimalloc.h>",
                  "include/banyan/queue.h:6: \"gtest/gtest.h\""));
}

TEST(LintChecker, FindsAMissingLicenceAndAWrongGuard) {
  EXPECT_THAT(FormFaults({{"lib/queue/core.h", "#ifndef CORE_H\n#define CORE_H\n#endif\n"}}),
              ElementsAre("lib/queue/core.h: does not start with the licence line",
                          "lib/queue/core.h: has no include guard BANYAN_LIB_QUEUE_CORE_H_"));
  EXPECT_THAT(FormFaults({{"include/banyan/queue.h",
                           "// SPDX-License-Identifier: Apache-2.0\n"
                           "#ifndef BANYAN_QUEUE_H_\n#define BANYAN_QUEUE_H_\n#endif\n"}}),
              IsEmpty());
}

}  // namespace
}  // namespace banyan::house
