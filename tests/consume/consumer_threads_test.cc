// SPDX-License-Identifier: Apache-2.0
//
// Consumers on real threads. What is checked holds in every interleaving; nothing sleeps.
#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;

#if defined(BANYAN_SANITIZER)
constexpr int kMessagesSent = 2'000;
#else
constexpr int kMessagesSent = 20'000;
#endif

// Lets one thread wait for another, through the runtime.
class Latch {
 public:
  explicit Latch(Runtime& runtime) : runtime_(runtime) {}
  void Open() {
    MutexLock lock(&mu_);
    open_ = true;
    waiters_.WakeAll();
  }
  void Wait() {
    MutexLock lock(&mu_);
    runtime_.Await(
        mu_, waiters_,
        [this] {
          mu_.AssertHeld();
          return open_;
        },
        absl::InfiniteDuration());
  }

 private:
  Runtime& runtime_;
  Mutex mu_;
  WaitList waiters_ ABSL_GUARDED_BY(mu_);
  bool open_ ABSL_GUARDED_BY(mu_) = false;
};

class ThreadsTest : public ::testing::Test {
 protected:
  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 4});
  Broker broker_ = Broker::Create(*runtime_, {}).value();
};

TEST_F(ThreadsTest, EveryMessageIsHandledOnceAndNeverMoreThanConcurrencyAtATime) {
  constexpr int kConcurrency = 3;
  Queue jobs = broker_.CreateQueue("jobs").value();
  Mutex mu;
  std::multiset<std::string> seen;
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  Latch all(*runtime_);
  Consumer consumer =
      Consumer::Start(jobs, {.batch_size = 10, .concurrency = kConcurrency},
                      [&](const Received& job) {
                        const int now = ++running;
                        int before = most.load();
                        while (now > before && !most.compare_exchange_weak(before, now)) {
                        }
                        {
                          MutexLock lock(&mu);
                          seen.emplace(job.body());
                          if (seen.size() == kMessagesSent) all.Open();
                        }
                        --running;
                        return absl::OkStatus();
                      })
          .value();
  std::vector<std::thread> senders;
  for (int t = 0; t < 2; ++t) {
    senders.emplace_back([&, t] {
      for (int i = t; i < kMessagesSent; i += 2) {
        ASSERT_THAT(jobs.Send({.body = std::to_string(i)}), IsOk());
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  all.Wait();
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_LE(most.load(), kConcurrency);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  EXPECT_EQ(consumer.Stats().handled, kMessagesSent);
}

TEST_F(ThreadsTest, StopWaitsForTheHandlerThatRuns) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  Latch begun(*runtime_);
  Latch go_on(*runtime_);
  std::atomic<bool> ended{false};
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        begun.Open();
                        go_on.Wait();
                        ended = true;
                        return absl::OkStatus();
                      }).value();
  ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  begun.Wait();
  EXPECT_THAT(consumer.Stop(absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_FALSE(ended);
  EXPECT_EQ(consumer.Stats().running, 1);
  go_on.Open();
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  EXPECT_TRUE(ended);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

TEST_F(ThreadsTest, TwoHandlersThatStopTheirConsumerDoNotWaitForEachOther) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  std::optional<Consumer> consumer;
  std::atomic<int> inside{0};
  Latch both(*runtime_);
  Latch assigned(*runtime_);
  std::atomic<int> stopped{0};
  consumer = Consumer::Start(jobs, {.concurrency = 2}, [&](const Received&) {
               assigned.Wait();
               if (++inside == 2) both.Open();
               both.Wait();
               if (consumer->Stop(absl::InfiniteDuration()).ok()) ++stopped;
               return absl::OkStatus();
             }).value();
  ASSERT_THAT(jobs.Send({.body = "a"}), IsOk());
  ASSERT_THAT(jobs.Send({.body = "b"}), IsOk());
  assigned.Open();
  both.Wait();
  EXPECT_THAT(consumer->Stop(absl::Minutes(1)), IsOk());
  EXPECT_EQ(stopped, 2) << "a Stop() from outside waits until both have ended";
}

TEST_F(ThreadsTest, PausingWhileMessagesPourInLosesNone) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  std::atomic<int> handled{0};
  Latch all(*runtime_);
  Consumer consumer =
      Consumer::Start(jobs, {.batch_size = 10, .concurrency = 4}, [&](const Received&) {
        if (++handled == kMessagesSent) all.Open();
        return absl::OkStatus();
      }).value();
  std::thread toggler([&] {
    for (int i = 0; i < 200; ++i) {
      consumer.Pause();
      consumer.Resume();
    }
  });
  for (int i = 0; i < kMessagesSent; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  toggler.join();
  all.Wait();
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  EXPECT_EQ(handled, kMessagesSent);
  EXPECT_EQ(jobs.Stats().deleted, kMessagesSent);
}

TEST_F(ThreadsTest, ConsumersComeAndGoWhileMessagesPourInAndNoneIsLost) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  std::atomic<int> handled{0};
  Latch all(*runtime_);
  const auto count = [&](const Received&) {
    if (++handled == kMessagesSent) all.Open();
    return absl::OkStatus();
  };
  Consumer steady = Consumer::Start(jobs, {}, count).value();
  std::thread changer([&] {
    for (int i = 0; i < 100; ++i) {
      Consumer brief = Consumer::Start(jobs, {.batch_size = 5, .concurrency = 2}, count).value();
    }
  });
  for (int i = 0; i < kMessagesSent; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  changer.join();
  all.Wait();
  EXPECT_THAT(steady.Stop(absl::Minutes(1)), IsOk());
  EXPECT_EQ(handled, kMessagesSent);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

// The host's own loop: no thread of the library at all.
TEST(PolledConsumerTest, RunsInTheHostsLoop) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue jobs = broker.CreateQueue("jobs").value();
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  EXPECT_EQ(calls, 0);
  while (calls == 0) runtime->Poll(absl::Seconds(1));
  EXPECT_THAT(consumer.Stop(absl::Seconds(1)), IsOk());
}

}  // namespace
}  // namespace banyan
