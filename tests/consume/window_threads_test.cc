// SPDX-License-Identifier: Apache-2.0
//
// WindowAggregate on real threads, with a clock that the test moves: writers, a resharder, a function
// that fails at times, somebody who asks, and a stop in the middle of it. What is checked holds in
// every interleaving. Nothing sleeps.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/mutex.h"
#include "banyan/testing/matchers.h"
#include "banyan/window.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;

#if defined(BANYAN_SANITIZER)
constexpr int kPerWriter = 2'000;
#else
constexpr int kPerWriter = 20'000;
#endif
constexpr int kWriters = 3;
constexpr int kKeys = 16;

class WindowThreadsTest : public ::testing::Test {
 protected:
  static Limits ManyUpdates() {
    Limits limits;
    limits.stream.updates_per_day = 1'000'000;
    return limits;
  }

  void Write() {
    for (int i = 0; i < kPerWriter; ++i) {
      const std::string key = "key-" + std::to_string(i % kKeys);
      ASSERT_THAT(stream_.Put({.partition_key = key, .data = "1"}).status(), IsOk());
    }
  }

  const std::unique_ptr<ThreadedRuntime> runtime_ =
      NewThreadedRuntime({.threads = 3, .clock = {.scale = 0}});
  Broker broker_ = Broker::Create(*runtime_, {.limits = ManyUpdates()}).value();
  Stream stream_ = broker_.CreateStream("clicks", {.shards = 2}).value();
};

TEST_F(WindowThreadsTest, EveryRecordCountsOnceHoweverShardsChange) {
  Mutex mu;
  std::map<std::string, int64_t> counts;  // by key
  std::map<std::pair<std::string, int64_t>, int> on_time;
  int64_t calls = 0;
  std::atomic<int> running = 0;
  const WindowAggregate windows =
      WindowAggregate::Start(
          stream_,
          {.windows = Windows::Tumbling(absl::Seconds(1)),
           .value = [](const Record&) { return 1.0; },
           .lateness = absl::Minutes(1),
           .backoff = {.first = absl::Milliseconds(1), .max = absl::Milliseconds(1)}},
          [&](const WindowResult& result) -> absl::Status {
            EXPECT_EQ(++running, 1) << "one call at a time";
            MutexLock lock(&mu);
            --running;
            if (++calls % 5 == 0) return absl::InternalError("broken");
            counts[result.key] += result.count;
            EXPECT_EQ(result.values.sum(), static_cast<double>(result.count));
            ++on_time[{result.key, absl::ToUnixMillis(result.start)}];
            return absl::OkStatus();
          })
          .value();
  std::vector<std::thread> threads;
  std::atomic<int> writing = kWriters;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&] {
      Write();
      --writing;
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; writing > 0; ++i) {
      EXPECT_THAT(stream_.UpdateShardCount(i % 2 == 0 ? 4 : 2), IsOk());
      std::this_thread::yield();
      if (i > 400) break;
    }
  });
  while (writing > 0) {
    runtime_->AdvanceClock(absl::Milliseconds(20));
    const WindowStats stats = windows.Stats();
    EXPECT_EQ(stats.opened, stats.handed_over + stats.open + stats.waiting);
  }
  for (std::thread& thread : threads) thread.join();
  const int64_t all = int64_t{kWriters} * kPerWriter;
  for (WindowStats stats = windows.Stats();
       stats.records + stats.late < all || stats.open + stats.waiting > 0;
       stats = windows.Stats()) {
    runtime_->AdvanceClock(absl::Milliseconds(100));
    std::this_thread::yield();
  }
  const WindowStats stats = windows.Stats();
  MutexLock lock(&mu);
  int64_t counted = 0;
  for (const auto& [key, count] : counts) counted += count;
  // Late is only whom the machine kept from storing for a minute of this clock.
  EXPECT_EQ(counted + stats.late, all);
  EXPECT_EQ(stats.records + stats.late, all);
  EXPECT_EQ(counts.size(), static_cast<size_t>(kKeys));
  EXPECT_EQ(stats.closed_early, 0);
  for (const auto& [place, times] : on_time) EXPECT_EQ(times, 1);
}

TEST_F(WindowThreadsTest, MayBeStoppedAtAnyMoment) {
  for (int round = 0; round < 60; ++round) {
    std::atomic<bool> stopped = false;
    std::atomic<int> calls_after = 0;
    WindowAggregate windows =
        WindowAggregate::Start(stream_,
                               {.windows = Windows::Tumbling(absl::Milliseconds(10)),
                                .lateness = {},
                                .windows_max = 8},
                               [&](const WindowResult&) {
                                 if (stopped) ++calls_after;
                                 return absl::OkStatus();
                               })
            .value();
    std::thread writer([&] {
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string(i);
        ASSERT_THAT(stream_.Put({.partition_key = key, .data = "x"}).status(), IsOk());
      }
    });
    std::thread flusher([&] {
      for (int i = 0; i < 5; ++i) windows.Flush();
    });
    runtime_->AdvanceClock(absl::Milliseconds(round));
    EXPECT_THAT(windows.Stop(absl::InfiniteDuration()), IsOk());
    stopped = true;
    runtime_->AdvanceClock(absl::Milliseconds(20));
    writer.join();
    flusher.join();
    const WindowStats stats = windows.Stats();
    EXPECT_EQ(stats.opened, stats.handed_over + stats.open + stats.waiting);
    EXPECT_EQ(calls_after, 0);
  }
}

TEST_F(WindowThreadsTest, StopWaitsForTheFunctionForAsLongAsItMay) {
  std::atomic<bool> is_called = false;
  std::atomic<bool> may_end = false;
  WindowAggregate windows = WindowAggregate::Start(stream_, {}, [&](const WindowResult&) {
                              is_called = true;
                              while (!may_end) std::this_thread::yield();
                              return absl::OkStatus();
                            }).value();
  ASSERT_THAT(stream_.Put({.partition_key = "k", .data = "x"}).status(), IsOk());
  while (!is_called) {
    runtime_->AdvanceClock(absl::Seconds(1));
    std::this_thread::yield();
  }
  EXPECT_THAT(windows.Stop(absl::ZeroDuration()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  std::thread stopper([&] { EXPECT_THAT(windows.Stop(absl::InfiniteDuration()), IsOk()); });
  may_end = true;
  stopper.join();
  EXPECT_EQ(windows.Stats().handed_over, 1);  // its answer counts
}

TEST_F(WindowThreadsTest, TheBrokerMayStopWhileWindowsClose) {
  for (int round = 0; round < 30; ++round) {
    Broker broker = Broker::Create(*runtime_, {}).value();
    Stream stream = broker.CreateStream("clicks", {.shards = 2}).value();
    WindowAggregate windows =
        WindowAggregate::Start(stream, {.windows = Windows::Tumbling(absl::Milliseconds(10))},
                               [](const WindowResult&) { return absl::OkStatus(); })
            .value();
    std::thread writer([&] {
      for (int i = 0; i < 300; ++i) {
        const std::string key = std::to_string(i);
        if (!stream.Put({.partition_key = key, .data = "x"}).ok()) return;
      }
    });
    runtime_->AdvanceClock(absl::Seconds(2));
    broker.Stop(absl::Seconds(5));
    writer.join();
  }
}

}  // namespace
}  // namespace banyan
