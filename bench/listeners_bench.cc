// SPDX-License-Identifier: Apache-2.0
//
// What does it cost that somebody listens?
//
// Three questions, each with its floor in the same run:
//   1  A function that is called within Publish, with books, filters and retries: at most 5 times a
//      vector of std::function called in a loop under a shared lock, which is what signals do.
//   2  10,000 subscriptions with attribute policies of which ten match: at most 2 us more than the
//      same ten alone.
//   3  PutEvents against 1,000 rules of mixed kinds: at most 2 times the matcher alone (RuleSet, the
//      text parsed once) and the deliveries (sends into a queue). What PutEvents does beside, it
//      makes the event's envelope, is in the figure.
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/rule_set.h"
#include "banyan/runtime.h"
#include "benchmark/benchmark.h"
#include "laps.h"

namespace banyan {
namespace {

constexpr int64_t kCalls = 256;  // in one lap

class House {
 public:
  House() : runtime(NewThreadedRuntime({.threads = 0})), broker(MakeBroker(*runtime)) {}

  static Broker MakeBroker(Runtime& runtime) {
    return Broker::Create(runtime, {.limits = Limits::Relaxed()}).value();
  }
  static void Drain(const Queue& queue) {
    if (!queue.Purge().ok()) WrongAnswer("a queue was not purged");
  }

  const std::unique_ptr<ThreadedRuntime> runtime;
  Broker broker;
};

// --- 1

class Signal {
 public:
  using Slot = std::function<void(std::string_view)>;

  void Connect(Slot slot) {
    const std::unique_lock lock(mu_);
    slots_.push_back(std::move(slot));
  }
  void Emit(std::string_view body) {
    const std::shared_lock lock(mu_);
    for (const Slot& slot : slots_) slot(body);
  }

 private:
  std::shared_mutex mu_;
  std::vector<Slot> slots_;
};

void BM_CallFunctionsWithinPublish(benchmark::State& state) {
  const int64_t listeners = state.range(0);
  House house;
  const Topic topic = house.broker.CreateTopic("t").value();
  Signal signal;
  int64_t banyan_bytes = 0, signal_bytes = 0;
  for (int64_t i = 0; i < listeners; ++i) {
    const Function function = house.broker
                                  .CreateFunction("f" + std::to_string(i), {},
                                                  [&banyan_bytes](const FunctionEvent& event) {
                                                    banyan_bytes +=
                                                        static_cast<int64_t>(event.body.size());
                                                    return absl::OkStatus();
                                                  })
                                  .value();
    topic.Subscribe(function, {.call_inline = true}).value();
    signal.Connect([&signal_bytes](std::string_view body) {
      signal_bytes += static_cast<int64_t>(body.size());
    });
  }
  const Payload body(std::string(64, 'x'));
  Laps ours, theirs;
  for (auto _ : state) {
    theirs.Time(static_cast<size_t>(kCalls), [&] {
      for (int64_t i = 0; i < kCalls; ++i) signal.Emit(body.view());
    });
    state.SetIterationTime(ours.Time(static_cast<size_t>(kCalls), [&] {
      for (int64_t i = 0; i < kCalls; ++i) benchmark::DoNotOptimize(topic.Publish({.body = body}));
    }));
  }
  if (banyan_bytes != signal_bytes) WrongAnswer("not every listener heard every message");
  state.counters["publish_ns"] = ours.Median();
  state.counters["signal_ns"] = theirs.Median();
  ReportAtMost(state, "to_signal", ours.Median() / theirs.Median(), 5);
}
BENCHMARK(BM_CallFunctionsWithinPublish)
    ->ArgName("listeners")
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->UseManualTime();

// --- 2

void BM_PublishPastManyFilters(benchmark::State& state) {
  const int64_t subscriptions = Size(state, state.range(0));
  constexpr int64_t kMatching = 10;
  House house;
  const Topic many = house.broker.CreateTopic("many").value();
  const Topic few = house.broker.CreateTopic("few").value();
  std::vector<Queue> queues;
  for (int64_t i = 0; i < subscriptions; ++i) {
    const Queue queue = house.broker.CreateQueue("q" + std::to_string(i)).value();
    const bool matches = i % (subscriptions / kMatching) == 0;
    const std::string policy =
        R"({"tenant":[")" + (matches ? std::string("acme") : "t" + std::to_string(i)) + "\"]}";
    many.Subscribe(queue, {.filter_policy = policy, .raw = true}).value();
    if (!matches) continue;
    few.Subscribe(queue, {.raw = true}).value();
    queues.push_back(queue);
  }
  const Payload body(std::string(64, 'x'));
  const auto time = [&](const Topic& topic, Laps& laps) {
    const double seconds = laps.Time(static_cast<size_t>(kCalls), [&] {
      for (int64_t i = 0; i < kCalls; ++i) {
        benchmark::DoNotOptimize(topic.Publish({.body = body, .attributes = {{"tenant", "acme"}}}));
      }
    });
    for (const Queue& queue : queues) {
      if (queue.Depth().total() != kCalls) WrongAnswer("other than the ten had it");
      House::Drain(queue);
    }
    return seconds;
  };
  Laps many_laps, few_laps;
  for (auto _ : state) {
    time(few, few_laps);
    state.SetIterationTime(time(many, many_laps));
  }
  state.counters["publish_ns"] = many_laps.Median();
  state.counters["ten_alone_ns"] = few_laps.Median();
  ReportAtMost(state, "beyond_ns", many_laps.Median() - few_laps.Median(), 2'000);
}
BENCHMARK(BM_PublishPastManyFilters)->ArgName("subscriptions")->Arg(10'000)->UseManualTime();

// --- 3

// A rule of one of eight kinds; rule `i` matches no event of ours but the first of its kind.
std::string MixedPattern(int64_t i) {
  const std::string n = std::to_string(i);
  switch (i % 8) {
    case 0:
      return R"({"source":["shop.orders"],"detail":{"id":["o-)" + n + "\"]}}";
    case 1:
      return R"({"detail":{"id":[{"prefix":"p)" + n + "\"}]}}";
    case 2:
      return R"({"detail":{"id":[{"suffix":")" + n + "z\"}]}}";
    case 3:
      return R"({"detail":{"total":[{"numeric":[">",)" + std::to_string(1'000'000 + i) + "]}]}}";
    case 4:
      return R"({"detail":{"id":[{"wildcard":"*w)" + n + "*\"}]}}";
    case 5:
      return R"({"detail":{"id":[{"equals-ignore-case":"I)" + n + "\"}]}}";
    case 6:
      return R"({"source":["shop.other"],"detail":{"items":{"sku":["s)" + n + "\"]}}}";
    default:
      return R"({"source":["shop.other"],"detail":{"id":[{"anything-but":["x)" + n + "\"]}]}}";
  }
}

void BM_PutEventAgainstMixedRules(benchmark::State& state) {
  const int64_t rules = state.range(0);
  House house;
  const EventBus bus = house.broker.CreateEventBus("b").value();
  const Queue ours = house.broker.CreateQueue("ours").value();
  const Queue theirs = house.broker.CreateQueue("theirs").value();
  RuleSet set(PatternLanguage::kEventBridge, Limits::Relaxed());
  for (int64_t i = 0; i < rules; ++i) {
    const std::string pattern = MixedPattern(i);
    PutRule(set, "r" + std::to_string(i), pattern);
    bus.PutRule("r" + std::to_string(i), {.pattern = pattern, .targets = {ours}}).value();
  }
  const EventEntry entry = {
      .source = "shop.orders",
      .detail_type = "OrderPlaced",
      .detail = R"({"id":"o-0","total":17,"items":[{"sku":"a","n":1},{"sku":"b","n":2}]})"};
  const std::string event =
      R"({"version":"0","id":"00000000-0000-4000-8000-000000000000","detail-type":"OrderPlaced",)"
      R"("source":"shop.orders","account":"000000000000","time":"2026-01-01T00:00:00Z",)"
      R"("region":"us-east-1","resources":[],"detail":)" +
      std::string(entry.detail) + "}";
  const Payload body(event);
  Laps put, floor;
  for (auto _ : state) {
    floor.Time(static_cast<size_t>(kCalls), [&] {
      for (int64_t i = 0; i < kCalls; ++i) {
        set.Match(event,
                  [&](std::string_view) { benchmark::DoNotOptimize(theirs.Send({.body = body})); });
      }
    });
    state.SetIterationTime(put.Time(static_cast<size_t>(kCalls), [&] {
      for (int64_t i = 0; i < kCalls; ++i) benchmark::DoNotOptimize(bus.Put(entry));
    }));
    if (ours.Depth() != theirs.Depth() || ours.Depth().total() != kCalls) {
      WrongAnswer("one rule matches each event");
    }
    House::Drain(ours);
    House::Drain(theirs);
  }
  state.counters["put_ns"] = put.Median();
  state.counters["match_and_send_ns"] = floor.Median();
  ReportAtMost(state, "to_floor", put.Median() / floor.Median(), 2);
}
BENCHMARK(BM_PutEventAgainstMixedRules)
    ->ArgName("rules")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000)
    ->UseManualTime();

}  // namespace
}  // namespace banyan
