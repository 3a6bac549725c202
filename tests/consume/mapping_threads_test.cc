// SPDX-License-Identifier: Apache-2.0
//
// Stream mappings on real threads: writers, resharding and failing handlers at once. What is checked
// holds in every interleaving. Nothing sleeps.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/mapping.h"
#include "banyan/mutex.h"
#include "banyan/testing/matchers.h"
#include "base/mix.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;

#if defined(BANYAN_SANITIZER)
constexpr int kPerKey = 60;
#else
constexpr int kPerKey = 400;
#endif
constexpr int kKeys = 24;

// What was handled, by key: numbers 0, 1, 2, ... as they were put.
class MappingHistory {
 public:
  explicit MappingHistory(Runtime& runtime) : runtime_(runtime) {}

  void Begin(const StreamBatch& batch) {
    MutexLock lock(&mu_);
    for (const Record& record : batch.records) ++keys_[std::string(record.partition_key())].running;
  }
  void End(const StreamBatch& batch, size_t done) {
    std::map<std::string, int> in_batch;
    MutexLock lock(&mu_);
    for (const Record& record : batch.records) ++in_batch[std::string(record.partition_key())];
    for (const auto& [key, count] : in_batch) {
      if ((keys_[key].running -= count) != 0) ++overlaps_;  // another call has records of this key
    }
    for (const Record& record : batch.records.subspan(0, done)) {
      Key& its = keys_[std::string(record.partition_key())];
      const int number = std::stoi(std::string(record.data()));
      if (number == its.next) {
        if (++its.next == kPerKey) ++complete_;
      } else {
        ++(number < its.next ? repeats_ : gaps_);
      }
    }
    if (complete_ == kKeys) waiters_.WakeAll();
  }
  void AwaitAll() {
    MutexLock lock(&mu_);
    const auto all = [this] {
      mu_.AssertHeld();
      return complete_ == kKeys;
    };
    runtime_.Await(mu_, waiters_, all, absl::InfiniteDuration());
  }
  int overlaps() {
    MutexLock lock(&mu_);
    return overlaps_;
  }
  int gaps() {
    MutexLock lock(&mu_);
    return gaps_;
  }
  int repeats() {
    MutexLock lock(&mu_);
    return repeats_;
  }

 private:
  struct Key {
    int running = 0;
    int next = 0;
  };
  Runtime& runtime_;
  Mutex mu_;
  WaitList waiters_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Key> keys_ ABSL_GUARDED_BY(mu_);
  int complete_ ABSL_GUARDED_BY(mu_) = 0;
  int overlaps_ ABSL_GUARDED_BY(mu_) = 0;
  int gaps_ ABSL_GUARDED_BY(mu_) = 0;
  int repeats_ ABSL_GUARDED_BY(mu_) = 0;
};

class MappingThreads : public ::testing::Test {
 protected:
  StreamMappingOptions OptionsWith(int64_t parallelization, int64_t batch_size) {
    return {.batch_size = batch_size,
            .parallelization_factor = parallelization,
            .backoff = {.first = absl::ZeroDuration(), .max = absl::ZeroDuration()}};
  }

  // Of eight attempts one fails, and one does half.
  StreamBatchHandler Handler() {
    return [this](const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
      history_.Begin(batch);
      const uint64_t dice = internal::Mix64(attempts_.fetch_add(1)) % 8;
      const size_t half = batch.records.size() / 2;
      history_.End(batch, dice == 0 ? 0 : dice == 1 ? half : batch.records.size());
      if (dice == 0) return absl::InternalError("broken");
      StreamBatchResult result;
      if (dice == 1) result.failures.push_back(batch.records[half].sequence());
      return result;
    };
  }

  // Two writers, each with half of the keys in turns, while `beside` runs again and again.
  void PutAll(const std::function<void(int)>& beside) {
    std::atomic<int> writing = 2;
    std::vector<std::thread> threads;
    for (int half = 0; half < 2; ++half) {
      threads.emplace_back([this, half, &writing] {
        for (int i = 0; i < kPerKey; ++i) {
          for (int key = half; key < kKeys; key += 2) {
            EXPECT_THAT(stream_.Put({.partition_key = "key-" + std::to_string(key),
                                     .data = std::to_string(i)}),
                        IsOk());
          }
        }
        --writing;
      });
    }
    for (int round = 0; writing > 0; ++round) beside(round);
    for (std::thread& thread : threads) thread.join();
  }

  // At most 40 times: shards cost memory.
  void Reshard(int round) {
    if (round % 50 != 0 || round > 2'000) return;
    const std::vector<ShardInfo> open =
        stream_.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
    if (open.size() < 4) {
      EXPECT_THAT(stream_.SplitShard(open.front().id), IsOk());
      return;
    }
    for (size_t i = 1; i < open.size(); ++i) {
      if (stream_.MergeShards(open[0].id, open[i].id).ok()) return;
    }
  }

  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 4});
  Broker broker_ = Broker::Create(*runtime_, {}).value();
  Stream stream_ = broker_.CreateStream("clicks", {.shards = 2}).value();
  MappingHistory history_{*runtime_};
  std::atomic<uint64_t> attempts_{0};
};

TEST_F(MappingThreads, EachKeyIsHandledOnceAndInOrderThoughHandlersFailAndShardsChange) {
  StreamMapping mapping = StreamMapping::Start(stream_, OptionsWith(4, 16), Handler()).value();
  PutAll([this, &mapping](int round) {
    Reshard(round);
    mapping.Metrics();
    mapping.Checkpoint({0});
  });
  history_.AwaitAll();
  ASSERT_THAT(mapping.Stop(absl::InfiniteDuration()), IsOk());
  EXPECT_EQ(history_.overlaps(), 0);
  EXPECT_EQ(history_.gaps(), 0);
  EXPECT_EQ(history_.repeats(), 0);
  const MappingMetrics metrics = mapping.Metrics();
  EXPECT_EQ(metrics.handled, int64_t{kKeys} * kPerKey);
  EXPECT_EQ(metrics.polled_event_count, metrics.handled);
}

TEST_F(MappingThreads, DisabledEnabledAndUpdatedAllTheTimeItLosesNothingAndKeepsTheOrder) {
  StreamMapping mapping = StreamMapping::Start(stream_, OptionsWith(2, 8), Handler()).value();
  PutAll([this, &mapping](int round) {
    Reshard(round);
    if (round % 20 == 0) mapping.Disable();
    if (round % 20 == 10) mapping.Enable();
    if (round % 70 == 0) {
      EXPECT_THAT(mapping.Update(OptionsWith(1 + round % 3, 5)), IsOk());
    }
  });
  mapping.Enable();
  history_.AwaitAll();
  ASSERT_THAT(mapping.Stop(absl::InfiniteDuration()), IsOk());
  EXPECT_EQ(history_.overlaps(), 0);
  EXPECT_EQ(history_.gaps(), 0);  // repeats there may be
}

TEST_F(MappingThreads, StoppedOrDeletedInTheMiddleNobodyIsCalledAfterwards) {
  for (int round = 0; round < 30; ++round) {
    const std::string name = "stream-" + std::to_string(round);
    Stream stream = broker_.CreateStream(name, {.shards = 2}).value();
    std::atomic<bool> stopped{false};
    std::atomic<int> late{0};
    std::atomic<int> calls{0};
    StreamMapping mapping =
        StreamMapping::Start(stream, {.batch_size = 3, .parallelization_factor = 2},
                             [&](const StreamBatch&) {
                               if (stopped) ++late;
                               ++calls;
                               return absl::OkStatus();
                             })
            .value();
    std::thread writer([&stream] {
      for (int i = 0; i < 300; ++i) {
        stream.Put({.partition_key = std::to_string(i), .data = "x"}).IgnoreError();
      }
    });
    while (calls < 5) std::this_thread::yield();
    if (round % 2 == 0) {
      EXPECT_THAT(broker_.DeleteStream(name), IsOk());
    }
    EXPECT_THAT(mapping.Stop(absl::InfiniteDuration()), IsOk());
    stopped = true;
    writer.join();
    if (round % 3 == 0) mapping = StreamMapping();
    EXPECT_EQ(late, 0);
  }
}

TEST_F(MappingThreads, StopWaitsForHandlersThatRunUntilItsDeadline) {
  std::atomic<bool> begun{false};
  std::atomic<bool> may_end{false};
  std::atomic<int> calls{0};
  StreamMapping mapping = StreamMapping::Start(stream_, {.batch_size = 1}, [&](const StreamBatch&) {
                            ++calls;
                            begun = true;
                            while (!may_end) std::this_thread::yield();
                            return absl::OkStatus();
                          }).value();
  for (const char* data : {"a", "b"}) {
    ASSERT_THAT(stream_.Put({.partition_key = "k", .data = data}), IsOk());
  }
  while (!begun) std::this_thread::yield();
  EXPECT_THAT(mapping.Stop(absl::ZeroDuration()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(mapping.Metrics().running, 1);
  may_end = true;
  EXPECT_THAT(mapping.Stop(absl::InfiniteDuration()), IsOk());
  EXPECT_EQ(mapping.Metrics().handled, 1);  // its answer counted
  EXPECT_EQ(mapping.Metrics().in_hand, 0);
  EXPECT_EQ(calls, 1);
}

TEST_F(MappingThreads, ABrokerThatStopsWaitsForAHandlerAndTakesWhatItSends) {
  Queue out = broker_.CreateQueue("out").value();
  std::atomic<bool> begun{false};
  std::atomic<bool> may_end{false};
  StreamMapping mapping = StreamMapping::Start(stream_, {.batch_size = 1}, [&](const StreamBatch&) {
                            begun = true;
                            while (!may_end) std::this_thread::yield();
                            return out.Send({.body = "done"}).status();
                          }).value();
  ASSERT_THAT(stream_.Put({.partition_key = "k", .data = "a"}), IsOk());
  while (!begun) std::this_thread::yield();
  std::thread stopper([this] { broker_.Stop(absl::InfiniteDuration()); });
  while (out.Send({.body = "from outside"}).ok()) std::this_thread::yield();
  may_end = true;
  stopper.join();
  EXPECT_EQ(mapping.Metrics().handled, 1);
}

}  // namespace
}  // namespace banyan
