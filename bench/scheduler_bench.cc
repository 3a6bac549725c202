// SPDX-License-Identifier: Apache-2.0
//
// What does it cost a broker to have many schedules?
//
//   question                                                       target
//   a tick with one due of a million schedules                     at most 2x one due of a thousand
//   creating one, and deleting one, beside a million               none; a logarithm is expected
//
// Nothing here is helped by being simple: every tick's schedule was never touched since it was
// made, and its next firing is behind all others, so it goes through the whole heap. A tick is the
// timer's task, one firing, its delivery into a queue, and the timer's next setting; the receive
// that empties the queue again is not timed.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "banyan/broker.h"
#include "banyan/runtime.h"
#include "benchmark/benchmark.h"
#include "laps.h"

namespace banyan {
namespace {

constexpr int64_t kMillion = 1'000'000;
constexpr int64_t kThousand = 1'000;

// `count` schedules, one due each minute in turn, on a clock that stands still until a tick.
class House {
 public:
  explicit House(int64_t count) : count_(count) {
    for (int64_t i = 0; i < count; ++i) {
      // In no order of their times, as callers come.
      Create("s" + std::to_string(i), 1 + i * kStride % count);
    }
  }

  void Create(const std::string& name, int64_t minute) {
    const absl::StatusOr<Arn> made = broker_.CreateSchedule(
        name, {.schedule_expression = "rate(" + std::to_string(2 * count_) + " minutes)",
               .start_date = start_ + minute * absl::Minutes(1),
               .target = queue_,
               .input = "tick"});
    if (!made.ok()) WrongAnswer(std::string(made.status().message()));
  }

  void Delete(const std::string& name) {
    if (!broker_.DeleteSchedule(name).ok()) WrongAnswer("a schedule is gone");
  }

  void Tick() {
    runtime_->AdvanceClock(absl::Minutes(1));
    runtime_->Poll();
  }

  void Drain(int64_t expected) {
    int64_t arrived = 0;
    for (;;) {
      const std::vector<Received> batch = queue_.Receive({.max_messages = 10}).value();
      if (batch.empty()) break;
      arrived += static_cast<int64_t>(batch.size());
      for (const Received& one : batch) one.Delete().IgnoreError();
    }
    if (arrived != expected) WrongAnswer("not as many fired as were due");
  }

 private:
  static constexpr int64_t kStride = 611'953;  // a prime, so all minutes are met

  const int64_t count_;
  const std::unique_ptr<ThreadedRuntime> runtime_ =
      NewThreadedRuntime({.threads = 0, .clock = {.scale = 0}});
  Broker broker_ = Broker::Create(*runtime_, {.limits = WithRoom()}).value();
  const Queue queue_ = broker_.CreateQueue("q").value();
  const absl::Time start_ = runtime_->Now();

  static Limits WithRoom() {
    Limits limits;
    limits.broker.schedules_max = 2 * kMillion;
    return limits;
  }
};

void BM_Tick(benchmark::State& state) {
  const int64_t ticks = Quick() ? 10 : 200;
  House many(Size(state, kMillion));
  House few(kThousand);
  Laps of_many, of_few;
  for (auto _ : state) {
    of_few.Time(static_cast<size_t>(ticks), [&] {
      for (int64_t i = 0; i < ticks; ++i) few.Tick();
    });
    state.SetIterationTime(of_many.Time(static_cast<size_t>(ticks), [&] {
      for (int64_t i = 0; i < ticks; ++i) many.Tick();
    }));
    few.Drain(ticks);
    many.Drain(ticks);
  }
  state.counters["ns"] = of_many.Median();
  state.counters["ns_of_a_thousand"] = of_few.Median();
  ReportAtMost(state, "ratio", of_many.Median() / of_few.Median(), 2);
}
// 800 of the thousand's schedules ring at most, so that none rings twice.
BENCHMARK(BM_Tick)->Iterations(4)->UseManualTime()->Unit(benchmark::kMicrosecond);

void BM_CreateAndDelete(benchmark::State& state) {
  const int64_t count = Size(state, state.range(0));
  House house(count);
  int64_t i = 0;
  for (auto _ : state) {
    house.Create("another", 1 + ++i * 7'919 % count);
    house.Delete("another");
  }
}
BENCHMARK(BM_CreateAndDelete)->ArgName("schedules")->Arg(kThousand)->Arg(kMillion);

}  // namespace
}  // namespace banyan
