// SPDX-License-Identifier: Apache-2.0
//
// Redrives from several threads among publishers and receivers: each message arrives once.
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kMessages = 300;
#else
constexpr int kMessages = 1'000;
#endif

TEST(RedriveThreadsTest, NothingIsLostOrDoubledAmongPublishersAndReceivers) {
  const std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Topic topic = broker.CreateTopic("t").value();
  const Queue dead = broker.CreateQueue("dead").value();
  const Queue queue = broker.CreateQueue("q", {.messages_max = 5}).value();
  std::atomic<int> calls = 0;
  const Function function = broker
                                .CreateFunction("f", {.concurrency = 2},
                                                [&calls](const FunctionEvent&) -> absl::Status {
                                                  if (calls++ % 3 != 0)
                                                    return absl::InternalError("two of three fail");
                                                  return absl::OkStatus();
                                                })
                                .value();
  const Queue function_dead = broker.CreateQueue("function-dead").value();
  const Subscription to_queue =
      topic.Subscribe(Target(queue).Retry({.retries_max = 0}).DeadLetter(dead), {.raw = true})
          .value();
  const Subscription to_function =
      topic.Subscribe(Target(function).Retry({.retries_max = 0}).DeadLetter(function_dead)).value();

  std::set<std::string> got;
  int doubled = 0;
  const auto receive = [&] {
    const std::vector<Received> batch = queue.Receive({.max_messages = 10}).value();
    for (const Received& one : batch) {
      doubled += !got.emplace(one.body()).second;
      EXPECT_THAT(one.Delete(), testing::IsOk());
    }
  };
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!done) {
        EXPECT_THAT(dead.Redrive(50), testing::IsOk());
        EXPECT_THAT(function_dead.Redrive(), testing::IsOk());
        std::this_thread::yield();
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kMessages; ++i) {
      EXPECT_THAT(topic.Publish({.body = std::to_string(i)}), testing::IsOk());
    }
  });
  while (static_cast<int>(got.size()) < kMessages ||
         to_function.Stats().delivery.delivered < kMessages) {
    receive();
    std::this_thread::yield();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  receive();
  EXPECT_EQ(doubled, 0);
  for (const Subscription& subscription : {to_queue, to_function}) {
    const SubscriptionStats stats = subscription.Stats();
    EXPECT_EQ(stats.delivery.delivered, kMessages);
    EXPECT_EQ(stats.delivery.dead_lettered, stats.delivery.redelivered);
    EXPECT_EQ(stats.delivery.pending + stats.delivery.dropped, 0);
    EXPECT_EQ(stats.filtered, 0);
  }
  EXPECT_EQ(dead.Depth().total() + function_dead.Depth().total() + queue.Depth().total(), 0);
  ASSERT_THAT(broker.DeleteFunction("f"), testing::IsOk());
}

}  // namespace
}  // namespace banyan
