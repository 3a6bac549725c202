// SPDX-License-Identifier: Apache-2.0
//
// Stopping under load, on real threads: nothing is lost without being counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/testing/matchers.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;

#if defined(BANYAN_SANITIZER)
constexpr int kStopRounds = 5;
#else
constexpr int kStopRounds = 20;
#endif

TEST(StopThreadsTest, UnderLoadEveryAcceptedMessageIsHandledOrReportedAsResting) {
  for (int round = 0; round < kStopRounds; ++round) {
    std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 3});
    Broker broker = Broker::Create(*runtime, {}).value();
    Topic topic = broker.CreateTopic("t").value();
    Queue jobs = broker.CreateQueue("jobs").value();
    ASSERT_THAT(topic.Subscribe(jobs, {.raw = true}), IsOk());
    std::atomic<int64_t> handled{0};
    Consumer consumer =
        Consumer::Start(jobs, {.batch_size = 10, .concurrency = 3}, [&](const Received&) {
          ++handled;
          return absl::OkStatus();
        }).value();
    std::atomic<int64_t> accepted{0};
    std::vector<std::thread> publishers;
    for (int t = 0; t < 2; ++t) {
      publishers.emplace_back([&] {
        for (;;) {
          const absl::Status published = topic.Publish({.body = "x"}).status();
          if (!published.ok()) {
            EXPECT_THAT(published, StatusIs(absl::StatusCode::kUnavailable));
            return;
          }
          ++accepted;
        }
      });
    }
    while (handled < 100) std::this_thread::yield();
    const StopReport report = broker.Stop(absl::Minutes(1));
    for (std::thread& publisher : publishers) publisher.join();
    EXPECT_TRUE(report.drained());
    EXPECT_EQ(accepted, handled + report.messages_resting) << "round " << round;
    EXPECT_TRUE(consumer.Stop(absl::ZeroDuration()).ok());
    EXPECT_EQ(consumer.Stats().handled, handled);
  }
}

TEST(StopThreadsTest, AfterTheDestructorNoHandlerRunsAndTheRuntimeMayGo) {
  for (int round = 0; round < kStopRounds; ++round) {
    std::atomic<bool> gone{false};
    std::atomic<int> late{0};
    std::optional<Consumer> consumer;
    {
      std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 3});
      {
        Broker broker = Broker::Create(*runtime, {}).value();
        Queue jobs = broker.CreateQueue("jobs").value();
        consumer = Consumer::Start(jobs, {.batch_size = 4, .concurrency = 3}, [&](const Received&) {
                     if (gone) ++late;
                     return absl::OkStatus();
                   }).value();
        for (int i = 0; i < 50; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
      }
      gone = true;
    }
    EXPECT_EQ(late, 0);
    EXPECT_THAT(consumer->Stop(absl::Minutes(1)), IsOk());
  }
}

TEST(StopThreadsTest, TwoHandlersThatStopTheBrokerDoNotWaitForEachOther) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 3});
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue jobs = broker.CreateQueue("jobs").value();
  std::atomic<int> inside{0};
  std::atomic<int> reports{0};
  Consumer consumer = Consumer::Start(jobs, {.concurrency = 2}, [&](const Received&) {
                        ++inside;
                        while (inside < 2) {
                        }
                        const StopReport report = broker.Stop(absl::Hours(1));
                        if (report.calls_running == 2 && report.messages_resting == 2) ++reports;
                        return absl::OkStatus();
                      }).value();
  ASSERT_THAT(jobs.Send({.body = "a"}), IsOk());
  ASSERT_THAT(jobs.Send({.body = "b"}), IsOk());
  while (inside < 2) std::this_thread::yield();
  broker.Stop(absl::Hours(1));
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  EXPECT_EQ(reports, 2);
}

TEST(StopThreadsTest, AConsumerBeingStoppedDoesNotHoldUpItsHandlersStopOfTheBroker) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue jobs = broker.CreateQueue("jobs").value();
  std::atomic<bool> begun{false};
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> running{0};
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        begun = true;
                        while (!stopping) {
                        }
                        running = broker.Stop(absl::Hours(1)).calls_running;
                        return absl::OkStatus();
                      }).value();
  ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  while (!begun) std::this_thread::yield();
  stopping = true;
  EXPECT_THAT(consumer.Stop(absl::Hours(1)), IsOk());
  EXPECT_GE(running, 1) << "itself";
  EXPECT_LE(running, 2) << "and perhaps the consumer's Stop(), which waits for it";
}

TEST(StopThreadsTest, CreatingFindingAndDeletingFromManyThreads) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime();
  Broker broker = Broker::Create(*runtime, {.limits = Limits::Relaxed()}).value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string name = "q" + std::to_string((i * 7 + t) % 5);
        absl::StatusOr<Queue> queue = broker.CreateQueue(name);
        // Somebody may delete it between two steps of ours; nothing else may go wrong.
        if (queue.ok()) {
          const absl::Status sent = queue->Send({.body = "x"}).status();
          EXPECT_TRUE(sent.ok() || absl::IsNotFound(sent)) << sent;
        } else {
          EXPECT_TRUE(absl::IsNotFound(queue.status())) << queue.status();
        }
        if (i % 3 == 0) {
          const absl::Status deleted = broker.DeleteQueue(name);
          EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
        }
        EXPECT_LE(broker.ListQueues("q").size(), 5u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The host waits in DeleteFunction for the handler, the handler in Stop for the host's call:
// neither may count the other.
TEST(StopThreadsTest, DeleteFunctionAndAHandlerThatStopsDoNotWaitForEachOther) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 1});
  Broker broker = Broker::Create(*runtime, {}).value();
  std::atomic<bool> running{false};
  std::atomic<int64_t> still_running{0};
  Function f = broker
                   .CreateFunction("f", {},
                                   [&](const FunctionEvent&) {
                                     running = true;
                                     while (!broker.ListFunctions().empty()) {
                                       std::this_thread::yield();
                                     }
                                     still_running =
                                         broker.Stop(absl::InfiniteDuration()).calls_running;
                                     return absl::OkStatus();
                                   })
                   .value();
  Topic topic = broker.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(f), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  while (!running) std::this_thread::yield();
  EXPECT_THAT(broker.DeleteFunction("f"), IsOk());
  EXPECT_EQ(still_running, 1) << "DeleteFunction returned before the handler had ended";
}

// What a consumer says when its queue is deleted must not come after the broker is gone: the sink
// may be, too.
TEST(StopThreadsTest, NothingIsLoggedOnceTheBrokerIsGone) {
  class CountingSink final : public LogSink {
   public:
    void Write(const LogRecord&) override { EXPECT_FALSE(gone); }
    std::atomic<bool> gone{false};
  };
  for (int round = 0; round < 10 * kStopRounds; ++round) {
    std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
    CountingSink sink;
    std::optional<Broker> broker = Broker::Create(*runtime, {.log = &sink}).value();
    Queue jobs = broker->CreateQueue("jobs").value();
    Consumer consumer = Consumer::Start(jobs, {.batch_size = 10}, [](const Received&) {
                          return absl::OkStatus();
                        }).value();
    for (int i = 0; i < 10; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
    ASSERT_THAT(broker->DeleteQueue("jobs"), IsOk());
    broker.reset();
    sink.gone = true;
  }
}

}  // namespace
}  // namespace banyan
