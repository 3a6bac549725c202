// SPDX-License-Identifier: Apache-2.0
//
// Ten subscribers, writers and a resharder on threads. Each subscriber is pushed every record once,
// and each key's in order, because it reads parents before children. No empty events come to the
// rescue, so a wake-up that is lost is a test that hangs.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream_consumer.h"
#include "fixture.h"
#include "gtest/gtest.h"
#include "key_order.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kRecordsPerWriter = 500;
#else
constexpr int kRecordsPerWriter = 10'000;
#endif
constexpr int kPushWriters = 3;
constexpr int kSubscribers = 10;
constexpr int64_t kPushShards = 2;

Limits NoEmptyEvents() {
  Limits limits = Limits::Relaxed();
  limits.stream.push_every = absl::InfiniteDuration();
  return limits;
}

// One consumer of all shards, which goes on to the children in its handlers.
class Subscriber {
 public:
  explicit Subscriber(StreamConsumer consumer) : consumer_(std::move(consumer)) {
    for (int64_t i = 0; i < kPushShards; ++i) Begin({i});
  }

  int64_t records() const { return records_; }

 private:
  void Begin(ShardId shard) {
    absl::StatusOr<ShardSubscription> push = consumer_.SubscribeToShard(
        shard, StartAt::TrimHorizon(), [this](const ShardEvent& event) { return Take(event); },
        [](const SubscriptionEnd& end) {
          EXPECT_EQ(end.reason, SubscriptionEnd::Reason::kShardEnded);
        });
    ASSERT_EQ(push.status(), absl::OkStatus());
    MutexLock lock(&mu_);
    pushes_.emplace(shard.index, *std::move(push));
  }

  absl::Status Take(const ShardEvent& event) {
    std::vector<ShardId> born;
    {
      MutexLock lock(&mu_);
      born = order_.Take(event.batch);
    }
    for (const ShardId shard : born) Begin(shard);
    records_ += static_cast<int64_t>(event.batch.size());
    return absl::OkStatus();
  }

  const StreamConsumer consumer_;
  std::atomic<int64_t> records_{0};
  Mutex mu_;
  KeyOrder order_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, ShardSubscription> pushes_ ABSL_GUARDED_BY(mu_);
};

TEST(PushStressTest, EachSubscriberGetsEverythingOnceAndInOrder) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 3});
  const auto env = std::make_shared<internal::Environment>(*runtime, NoEmptyEvents(), seed);
  const Stream stream(internal::StreamCore::Create(env, "stress", {.shards = kPushShards}));
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (int i = 0; i < kSubscribers; ++i) {
    subscribers.push_back(
        std::make_unique<Subscriber>(stream.RegisterConsumer("c" + std::to_string(i)).value()));
  }

  std::atomic<int> writing{kPushWriters};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kPushWriters; ++writer) {
    threads.emplace_back([&, writer] {
      WriteInKeyOrder(stream, seed, writer, kRecordsPerWriter);
      --writing;
    });
  }
  int64_t reshards = 0;
  threads.emplace_back([&] { reshards = ReshardWhile(writing, stream, seed); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& subscriber : subscribers) {
    while (subscriber->records() < kPushWriters * kRecordsPerWriter) std::this_thread::yield();
    EXPECT_EQ(subscriber->records(), kPushWriters * kRecordsPerWriter);
  }
  EXPECT_GT(reshards, 0);
  RecordProperty("reshards", static_cast<int>(reshards));
  subscribers.clear();
  stream.core()->CheckInvariants();
  stream.core()->Close(internal::CloseKind::kStopped);
}

// Cancelling waits for the call that runs, so what the handler refers to may go then.
TEST(PushStressTest, NoCallRunsWhenCancelReturns) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  const auto env = std::make_shared<internal::Environment>(*runtime, NoEmptyEvents(), 7);
  const Stream stream(internal::StreamCore::Create(env, "stress", {}));
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) {
      ASSERT_TRUE(stream.Put({.partition_key = "k", .data = "x"}).ok());
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < kRecordsPerWriter / 20; ++i) {
    auto inside = std::make_unique<std::atomic<int>>(0);
    std::atomic<bool> called{false};
    ShardSubscription push = consumer
                                 .SubscribeToShard(ShardId{0}, StartAt::Latest(),
                                                   [&](const ShardEvent&) {
                                                     EXPECT_EQ(++*inside, 1);
                                                     called = true;
                                                     std::this_thread::yield();
                                                     --*inside;
                                                     return absl::OkStatus();
                                                   })
                                 .value();
    while (!called) std::this_thread::yield();
    push.Cancel();
    EXPECT_EQ(*inside, 0);
    inside.reset();
  }
  done = true;
  writer.join();
  stream.core()->Close(internal::CloseKind::kStopped);
}

// Deregistering, taking over and deleting go on beside pushes.
TEST(PushStressTest, EndsOfAllKindsAtOnce) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  const auto env = std::make_shared<internal::Environment>(*runtime, NoEmptyEvents(), 7);
  for (int round = 0; round < 20; ++round) {
    const Stream stream(internal::StreamCore::Create(env, "stress", {}));
    std::atomic<int64_t> ends{0};
    std::atomic<int64_t> begun{0};
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      while (stream.Put({.partition_key = "k", .data = "x"}).ok()) std::this_thread::yield();
    });
    std::vector<std::vector<ShardSubscription>> pushes(2);
    for (size_t thread = 0; thread < pushes.size(); ++thread) {
      threads.emplace_back([&, thread] {
        while (stream.Describe().ok()) {
          absl::StatusOr<StreamConsumer> consumer = stream.RegisterConsumer("shared");
          if (!consumer.ok()) consumer = stream.FindConsumer("shared");
          if (!consumer.ok()) continue;
          absl::StatusOr<ShardSubscription> push = consumer->SubscribeToShard(
              ShardId{0}, StartAt::Latest(), [](const ShardEvent&) { return absl::OkStatus(); },
              [&](const SubscriptionEnd&) { ++ends; });
          if (push.ok()) {
            ++begun;
            pushes[thread].push_back(*std::move(push));
          }
          if (begun % 7 == 0) stream.DeregisterConsumer("shared").IgnoreError();
        }
      });
    }
    while (begun < 100) std::this_thread::yield();
    stream.core()->Close(internal::CloseKind::kDeleted);
    for (std::thread& thread : threads) thread.join();
    while (ends < begun) std::this_thread::yield();  // each is told, once
    for (const auto& mine : pushes) {
      for (const ShardSubscription& push : mine) EXPECT_TRUE(push.end().has_value());
    }
    EXPECT_EQ(ends, begun);
  }
}

}  // namespace
}  // namespace banyan::testing
