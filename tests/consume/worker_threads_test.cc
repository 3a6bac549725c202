// SPDX-License-Identifier: Apache-2.0
//
// Workers on real threads, over splits and merges, while others come and go. What is checked holds
// in every interleaving; nothing sleeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/mutex.h"
#include "banyan/testing/matchers.h"
#include "banyan/worker.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;

#if defined(BANYAN_SANITIZER)
constexpr int kRecords = 2'000;
#else
constexpr int kRecords = 20'000;
#endif
constexpr int kThreadKeys = 16;

// What all processors have seen of each key.
class Books {
 public:
  explicit Books(Runtime& runtime) : runtime_(runtime) {}

  void See(const SubRecord& record) {
    const int key = std::stoi(std::string(record.partition_key()));
    const int n = std::stoi(std::string(record.data()));
    MutexLock lock(&mu_);
    int& last = last_[key];
    if (n > last + 1) ++left_out_;
    if (n <= last) return;
    last = n;
    if (++distinct_ == kRecords) all_.WakeAll();
  }

  void AwaitAll() {
    MutexLock lock(&mu_);
    runtime_.Await(
        mu_, all_,
        [this] {
          mu_.AssertHeld();
          return distinct_ == kRecords;
        },
        absl::InfiniteDuration());
  }

  int left_out() {
    MutexLock lock(&mu_);
    return left_out_;
  }

 private:
  Runtime& runtime_;
  Mutex mu_;
  WaitList all_ ABSL_GUARDED_BY(mu_);
  std::map<int, int> last_ ABSL_GUARDED_BY(mu_);
  int distinct_ ABSL_GUARDED_BY(mu_) = 0;
  int left_out_ ABSL_GUARDED_BY(mu_) = 0;
};

class Noting : public RecordProcessor {
 public:
  explicit Noting(Books& books) : books_(books) {}
  absl::Status Process(absl::Span<const SubRecord> records, Checkpointer& checkpoint) override {
    for (const SubRecord& record : records) books_.See(record);
    const absl::Status done = checkpoint.Here();
    return done.code() == absl::StatusCode::kAborted ? absl::OkStatus() : done;
  }

 private:
  Books& books_;
};

TEST(WorkerThreads, NothingIsLeftOutWhileWorkersComeAndGoAndShardsSplitAndMerge) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 4});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Stream stream = broker.CreateStream("s", {.shards = 2}).value();
  Books books(*runtime);
  const auto start = [&] {
    return Worker::Start(stream,
                         {.application = "app",
                          .max_records = 50,
                          .failover_time = absl::Milliseconds(60),
                          .max_leases_to_steal_at_one_time = 2},
                         [&books](const ShardLease&) { return std::make_unique<Noting>(books); })
        .value();
  };
  Worker steady = start();

  std::atomic<bool> done{false};
  std::thread producer([&] {
    std::map<int, int> count;
    for (int i = 0; i < kRecords; ++i) {
      const int key = i % kThreadKeys;
      const absl::StatusOr<PutResult> put =
          stream.Put({.partition_key = std::to_string(key), .data = std::to_string(++count[key])});
      EXPECT_THAT(put, IsOk());
    }
  });
  std::thread resharder([&] {
    for (int i = 0; i < 30; ++i) {
      const std::vector<ShardInfo> open =
          stream.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
      if (open.size() < 5) {
        EXPECT_THAT(stream.SplitShard(open[static_cast<size_t>(i) % open.size()].id), IsOk());
      } else {
        EXPECT_THAT(stream.UpdateShardCount(3), ::testing::AnyOf(IsOk(), ::testing::_));
      }
    }
  });
  std::thread comings_and_goings([&] {
    for (int i = 0; !done; ++i) {
      Worker worker = start();
      std::this_thread::yield();
      if (i % 3 == 0) worker.Abandon();
      if (i % 3 == 1) worker.Stop(absl::Seconds(10)).IgnoreError();
    }
  });
  producer.join();
  resharder.join();
  done = true;
  comings_and_goings.join();
  books.AwaitAll();
  EXPECT_EQ(books.left_out(), 0);
  EXPECT_THAT(steady.Stop(absl::Seconds(30)), IsOk());
  EXPECT_TRUE(steady.Stats().shards.empty());
}

class BlockingProcessor : public RecordProcessor {
 public:
  struct State {
    std::atomic<bool> begun{false};
    std::atomic<bool> may_end{false};
    std::atomic<int> calls{0};
    std::atomic<int> stoppings{0};
  };
  explicit BlockingProcessor(State& state) : state_(state) {}

  absl::Status Process(absl::Span<const SubRecord>, Checkpointer& checkpoint) override {
    ++state_.calls;
    state_.begun = true;
    while (!state_.may_end) std::this_thread::yield();
    return checkpoint.Here();
  }
  void Stopping(Checkpointer&) override { ++state_.stoppings; }

 private:
  State& state_;
};

TEST(WorkerThreads, StopWaitsForTheCallThatRunsUntilItsDeadline) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Stream stream = broker.CreateStream("s").value();
  BlockingProcessor::State state;
  Worker worker =
      Worker::Start(stream, {.application = "app", .max_records = 1}, [&](const ShardLease&) {
        return std::make_unique<BlockingProcessor>(state);
      }).value();
  for (const char* data : {"a", "b"}) {
    ASSERT_THAT(stream.Put({.partition_key = "k", .data = data}), IsOk());
  }
  while (!state.begun) std::this_thread::yield();
  EXPECT_THAT(worker.Stop(absl::ZeroDuration()),
              testing::StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(worker.Stats().shards.size(), 1u);
  EXPECT_EQ(state.stoppings, 0);
  std::thread ender([&] { state.may_end = true; });
  EXPECT_THAT(worker.Stop(absl::InfiniteDuration()), IsOk());
  ender.join();
  EXPECT_EQ(state.calls, 1) << "no call begins after Stop()";
  EXPECT_EQ(state.stoppings, 1);
  EXPECT_TRUE(worker.Stats().shards.empty());
  EXPECT_EQ(worker.Stats().records, 1);
}

TEST(WorkerThreads, ThreadsThatStopOneWorkerAllReturn) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 4});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Stream stream = broker.CreateStream("s", {.shards = 8}).value();
  for (int round = 0; round < 20; ++round) {
    Books books(*runtime);
    Worker worker = Worker::Start(stream, {.application = "app"}, [&](const ShardLease&) {
                      return std::make_unique<Noting>(books);
                    }).value();
    for (int i = 0; i < 64; ++i) {
      ASSERT_THAT(stream.Put({.partition_key = std::to_string(i % kThreadKeys), .data = "1"}),
                  IsOk());
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] { EXPECT_THAT(worker.Stop(absl::Minutes(1)), IsOk()); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(worker.Stats().shards.empty());
  }
}

}  // namespace
}  // namespace banyan
