// SPDX-License-Identifier: Apache-2.0
//
// What does it cost to keep ten million events so that a replay finds its minute?
//
//   question                                                    target
//   find the first event of a minute, and take it               at most twice the floor
//   read on from there, each event of a slice                   none: a copy of a reference, as floor
//   append an event in the order of time                        none: floor is a push_back
//   append events from any time of ten weeks                   none
//   beside the messages, bytes an event                         none: 32 in order
//   how many events a window has                                none: looks at sizes of chunks
//
// The floor is what needs no thought: one sorted vector of times and references, searched with
// std::lower_bound; it cannot take an event out of order, nor let one go in front.
//
// order 0: events come in the order of time. 1: each with some time of ten weeks.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/mix.h"
#include "benchmark/benchmark.h"
#include "laps.h"
#include "message/message.h"
#include "route/archive_store.h"

namespace banyan::internal {
namespace {

constexpr int64_t kTenMillion = 10'000'000;
constexpr int64_t kSpanSeconds = 70 * 86'400;
constexpr int64_t kLookUps = 100'000;

enum Order : int64_t { kInOrder, kShuffled };

struct Timed {
  int64_t time;
  MessageRef message;
};

// Ten million events of ten weeks: a hundred a minute.
int64_t TimeOf(Order order, int64_t i, int64_t count) {
  if (order == kInOrder) return i * kSpanSeconds / count;
  return static_cast<int64_t>(Mix64(static_cast<uint64_t>(i) * kMixStep) % kSpanSeconds);
}

// A minute that some event comes after.
int64_t MinuteOf(int64_t i) {
  constexpr uint64_t kMinutes = kSpanSeconds / 60 * 9 / 10;
  return static_cast<int64_t>(Mix64(~(static_cast<uint64_t>(i) * kMixStep)) % kMinutes) * 60;
}

// All events are one message: what is measured is the store.
MessageRef TheMessage() {
  static const MessageRef* const one = new MessageRef(MakeMessage({.body = "event"}));
  return *one;
}

// Made once for all that only look.
const ArchiveStore& Store(Order order, int64_t count) {
  struct Made {
    int64_t count = 0;
    std::unique_ptr<ArchiveStore> store;
  };
  static Made made[2];
  Made& wanted = made[order];
  if (wanted.count != count) {
    made[1 - order] = {};  // one at a time, for they are large
    wanted = {count, std::make_unique<ArchiveStore>()};
    for (int64_t i = 0; i < count; ++i) wanted.store->Add(TimeOf(order, i, count), TheMessage());
  }
  return *wanted.store;
}

const std::vector<Timed>& Floor(Order order, int64_t count) {
  static std::vector<Timed>* const floor = new std::vector<Timed>();
  static Order floor_order = kInOrder;
  if (static_cast<int64_t>(floor->size()) == count && floor_order == order) return *floor;
  floor_order = order;
  floor->clear();
  floor->reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) floor->push_back({TimeOf(order, i, count), TheMessage()});
  std::sort(floor->begin(), floor->end(),
            [](const Timed& a, const Timed& b) { return a.time < b.time; });
  return *floor;
}

std::vector<Timed>::const_iterator Find(const std::vector<Timed>& floor, int64_t time) {
  return std::lower_bound(floor.begin(), floor.end(), time,
                          [](const Timed& entry, int64_t t) { return entry.time < t; });
}

void BM_FindMinute(benchmark::State& state) {
  const auto order = static_cast<Order>(state.range(0));
  const int64_t count = Size(state, kTenMillion);
  const std::vector<Timed>& floor = Floor(order, count);
  const ArchiveStore& store = Store(order, count);
  Laps ours, floors;
  std::vector<ArchiveStore::Entry> found;
  std::vector<Timed> floor_found;
  for (auto _ : state) {
    floors.Time(kLookUps, [&] {
      for (int64_t i = 0; i < kLookUps; ++i) {
        floor_found.clear();
        floor_found.push_back(*Find(floor, MinuteOf(i)));
      }
    });
    state.SetIterationTime(ours.Time(kLookUps, [&] {
      for (int64_t i = 0; i < kLookUps; ++i) {
        found.clear();
        ArchiveStore::Position from = {MinuteOf(i), 0};
        store.Read(&from, {}, {.entries_max = 1}, &found);
      }
    }));
    if (found.size() != 1 || found[0].key.time != floor_found[0].time) {
      WrongAnswer("another event was found");
    }
  }
  state.SetItemsProcessed(state.iterations() * kLookUps);
  state.counters["ns"] = ours.Median();
  state.counters["floor_ns"] = floors.Median();
  ReportAtMost(state, "ratio", ours.Median() / floors.Median(), 2);
}
BENCHMARK(BM_FindMinute)
    ->ArgName("order")
    ->DenseRange(kInOrder, kShuffled)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// In slices of a hundred, as replays do.
void BM_ReadOn(benchmark::State& state) {
  const auto order = static_cast<Order>(state.range(0));
  const int64_t count = Size(state, kTenMillion);
  const auto read = static_cast<size_t>(std::min<int64_t>(count, 1'000'000));
  const std::vector<Timed>& floor = Floor(order, count);
  const ArchiveStore& store = Store(order, count);
  Laps ours, floors;
  for (auto _ : state) {
    std::vector<Timed> copies;
    floors.Time(read, [&] {
      for (size_t i = 0; i < read; ++i) {
        if (i % 100 == 0) copies.clear();
        copies.push_back(floor[i]);
      }
    });
    ArchiveStore::Position from;
    std::vector<ArchiveStore::Entry> slice;
    size_t seen = 0;
    state.SetIterationTime(ours.Time(read, [&] {
      while (seen < read) {
        slice.clear();
        store.Read(&from, {}, {}, &slice);
        seen += slice.size();
      }
    }));
  }
  state.counters["ns"] = ours.Median();
  state.counters["floor_ns"] = floors.Median();
}
BENCHMARK(BM_ReadOn)
    ->ArgName("order")
    ->DenseRange(kInOrder, kShuffled)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void BM_CountWindow(benchmark::State& state) {
  const int64_t count = Size(state, kTenMillion);
  const ArchiveStore& store = Store(kInOrder, count);
  int64_t sum = 0;
  for (auto _ : state) sum += store.CountBetween(kSpanSeconds / 10, kSpanSeconds);
  if (sum < state.iterations() * count / 2) WrongAnswer("events are missing");
}
BENCHMARK(BM_CountWindow)->Unit(benchmark::kMicrosecond);

void BM_Append(benchmark::State& state) {
  const auto order = static_cast<Order>(state.range(0));
  const int64_t count = Size(state, kTenMillion / 5);
  const auto units = static_cast<size_t>(count);
  Laps ours, floors;
  double own_bytes = 0;
  for (auto _ : state) {
    {
      std::vector<MessageRef> floor;
      floors.Time(units, [&] {
        for (int64_t i = 0; i < count; ++i) {
          benchmark::DoNotOptimize(TimeOf(order, i, count));
          floor.push_back(TheMessage());
        }
      });
    }
    ArchiveStore store;
    state.SetIterationTime(ours.Time(units, [&] {
      for (int64_t i = 0; i < count; ++i) store.Add(TimeOf(order, i, count), TheMessage());
    }));
    own_bytes = static_cast<double>(store.OwnBytes());
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.counters["ns"] = ours.Median();
  state.counters["floor_ns"] = floors.Median();
  state.counters["bytes_an_event"] = own_bytes / static_cast<double>(count);
}
BENCHMARK(BM_Append)
    ->ArgName("order")
    ->DenseRange(kInOrder, kShuffled)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// What a full archive does with each event: one comes, one goes.
void BM_AppendAndTakeOldest(benchmark::State& state) {
  const auto order = static_cast<Order>(state.range(0));
  const int64_t count = Size(state, kTenMillion / 10);
  ArchiveStore store;
  int64_t i = 0;
  for (; i < count; ++i) store.Add(TimeOf(order, i, count), TheMessage());
  for (auto _ : state) {
    store.Add(TimeOf(order, i, count), TheMessage());
    benchmark::DoNotOptimize(store.TakeOldest());
    ++i;
  }
  if (store.count() != count) WrongAnswer("one came, one went");
}
BENCHMARK(BM_AppendAndTakeOldest)->ArgName("order")->DenseRange(kInOrder, kShuffled);

}  // namespace
}  // namespace banyan::internal
