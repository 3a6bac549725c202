// SPDX-License-Identifier: Apache-2.0
//
// What benchmarks share: a stopwatch that compares several ways to do one thing within one run, and
// the size of a smoke run.
//
// A ratio of two times is only worth something if both were taken under the same weather. So each
// benchmark here times its floor and the engine in turn, round by round, and reports medians. They
// are of the thread's own processor time: on a machine that builds something else meanwhile, a lap
// by the clock on the wall says more about that than about either.
//
//   Laps floor, ours;
//   for (auto _ : state) {
//     floor.Time(events, [&] { ... });
//     state.SetIterationTime(ours.Time(events, [&] { ... }));
//   }
//   ReportAtMost(state, "ratio", ours.Median() / floor.Median(), 1.5);
#ifndef BANYAN_BENCH_LAPS_H_
#define BANYAN_BENCH_LAPS_H_

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/rule_set.h"
#include "banyan/runtime.h"
#include "base/check.h"
#include "benchmark/benchmark.h"

namespace banyan {

// Nanoseconds of a clock that never goes back.
inline int64_t WallNs() {
  static Runtime& runtime = *NewThreadedRuntime({.threads = 0}).release();
  return runtime.Read().uptime_ns;
}

// Nanoseconds that this thread has had a processor. No Runtime tells that: it is not the time.
inline int64_t ProcessorNs() {
  timespec used = {};
  BANYAN_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0, "a thread may ask what it used");
  return int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

// How long one of the ways takes, one entry a round. By the wall only where waiting would be a
// fault.
class Laps {
 public:
  using ReadNs = int64_t (*)();
  explicit Laps(ReadNs read = ProcessorNs) : read_(read) {}

  // Runs `pass`, which does `units` things, and answers its seconds.
  template <typename Pass>
  double Time(size_t units, Pass&& pass) {
    const int64_t began = read_();
    pass();
    const auto ns = static_cast<double>(read_() - began);
    ns_per_unit_.push_back(ns / static_cast<double>(units));
    return ns / 1e9;
  }

  double Median() const {
    BANYAN_CHECK(!ns_per_unit_.empty(), "something was timed");
    std::vector<double> sorted = ns_per_unit_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }

 private:
  ReadNs read_;
  std::vector<double> ns_per_unit_;
};

// A figure and what it may be at most: "ratio" 1.31, "ratio_max" 1.5.
inline void ReportAtMost(benchmark::State& state, const std::string& name, double value,
                         double most) {
  state.counters[name] = value;
  state.counters[name + "_max"] = most;
}

// The smoke run among the tests only asks whether the benchmarks still work: there, nothing is
// larger than a thousand. BANYAN_BENCH_QUICK is set by bench/CMakeLists.txt.
inline bool Quick() { return std::getenv("BANYAN_BENCH_QUICK") != nullptr; }

inline int64_t Size(benchmark::State& state, int64_t wanted) {
  constexpr int64_t kQuickMost = 1'000;
  if (!Quick() || wanted <= kQuickMost) return wanted;
  state.SetLabel("quick: " + std::to_string(kQuickMost) + " instead of " + std::to_string(wanted));
  return kQuickMost;
}

// A figure for wrong answers is worse than none.
[[noreturn]] inline void WrongAnswer(const std::string& what) {
  std::fprintf(stderr, "wrong answer: %s\n", what.c_str());
  std::abort();
}

inline void PutRule(RuleSet& rules, std::string_view id, std::string_view pattern) {
  const absl::Status put = rules.Put(id, pattern);
  if (!put.ok()) WrongAnswer(std::string(pattern) + ": " + std::string(put.message()));
}

inline CheckedEvent Checked(std::string_view json) {
  absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(json);
  if (!event.ok()) WrongAnswer("an event is refused: " + std::string(event.status().message()));
  return *std::move(event);
}

}  // namespace banyan

#endif  // BANYAN_BENCH_LAPS_H_
