// SPDX-License-Identifier: Apache-2.0
//
// Consumers of FIFO queues, and batches that fill, on real threads. The history of handler calls is
// recorded and checked: what is said of it holds in every interleaving. Nothing sleeps.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "base/mix.h"
#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;

#if defined(BANYAN_SANITIZER)
constexpr int kPerGroup = 60;
#else
constexpr int kPerGroup = 400;
#endif
constexpr int kGroups = 12;

// What handlers did, by group.
class History {
 public:
  History(Runtime& runtime, int64_t expected) : runtime_(runtime), expected_(expected) {}

  void Begin(const std::string& group) {
    MutexLock lock(&mu_);
    if (++groups_[group].running > 1) ++overlaps_;
  }
  void End(const std::string& group, const std::vector<std::string>& successes) {
    MutexLock lock(&mu_);
    Group& its = groups_[group];
    --its.running;
    its.successes.insert(its.successes.end(), successes.begin(), successes.end());
    count_ += static_cast<int64_t>(successes.size());
    if (count_ >= expected_) waiters_.WakeAll();
  }
  void AwaitAll() {
    MutexLock lock(&mu_);
    const auto all = [this] {
      mu_.AssertHeld();
      return count_ >= expected_;
    };
    runtime_.Await(mu_, waiters_, all, absl::InfiniteDuration());
  }

  void CheckOrder() {
    MutexLock lock(&mu_);
    EXPECT_EQ(overlaps_, 0) << "two handlers of one group at once";
    EXPECT_EQ(groups_.size(), static_cast<size_t>(kGroups));
    for (const auto& [group, its] : groups_) {
      std::vector<std::string> sent;
      for (int i = 0; i < kPerGroup; ++i) sent.push_back(group + "-" + std::to_string(i));
      EXPECT_EQ(its.successes, sent) << "group " << group;
    }
  }

 private:
  struct Group {
    int running = 0;
    std::vector<std::string> successes;
  };

  Runtime& runtime_;
  const int64_t expected_;
  Mutex mu_;
  WaitList waiters_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Group> groups_ ABSL_GUARDED_BY(mu_);
  int64_t count_ ABSL_GUARDED_BY(mu_) = 0;
  int overlaps_ ABSL_GUARDED_BY(mu_) = 0;
};

class FifoThreads : public ::testing::Test {
 protected:
  // Two threads, each with half of the groups, in turns.
  void SendAll() {
    std::vector<std::thread> senders;
    for (int half = 0; half < 2; ++half) {
      senders.emplace_back([this, half] {
        for (int i = 0; i < kPerGroup; ++i) {
          for (int g = half; g < kGroups; g += 2) {
            const std::string group = "g" + std::to_string(g);
            const std::string body = group + "-" + std::to_string(i);
            EXPECT_THAT(
                ledger_.Send(
                    {.body = body, .message_group_id = group, .message_deduplication_id = body}),
                IsOk());
          }
        }
      });
    }
    for (std::thread& sender : senders) sender.join();
  }

  // One attempt of six fails, always the same ones.
  static bool Fails(const Received& entry) {
    uint64_t mixed = static_cast<uint64_t>(entry.receive_count());
    for (const char c : entry.body()) mixed = internal::Mix64(mixed + static_cast<uint8_t>(c));
    return mixed % 6 == 0;
  }

  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 4});
  Broker broker_ = Broker::Create(*runtime_, {}).value();
  Queue ledger_ =
      broker_.CreateQueue("ledger.fifo", {.visibility_timeout = absl::Hours(1), .fifo = true})
          .value();
  History history_{*runtime_, kGroups* kPerGroup};
  const Retry at_once_ = {.first = absl::ZeroDuration(), .max = absl::ZeroDuration()};
};

TEST_F(FifoThreads, EachGroupIsHandledInOrderOneAtATimeThoughHandlersFail) {
  Consumer consumer =
      Consumer::Start(ledger_, {.batch_size = 10, .concurrency = 8, .retry = at_once_},
                      [&](const Received& entry) -> absl::Status {
                        const std::string group(entry.message_group_id());
                        history_.Begin(group);
                        const bool fails = Fails(entry);
                        std::vector<std::string> successes;
                        if (!fails) successes.emplace_back(entry.body());
                        history_.End(group, successes);
                        return fails ? absl::UnavailableError("no") : absl::OkStatus();
                      })
          .value();
  SendAll();
  history_.AwaitAll();
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  history_.CheckOrder();
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
  EXPECT_EQ(consumer.Stats().handled, kGroups * kPerGroup);
  EXPECT_GT(consumer.Stats().failed, 0);
  EXPECT_EQ(consumer.Stats().overran, 0);
}

TEST_F(FifoThreads, TwoConsumersWithPausesKeepTheOrderToo) {
  const auto handle = [&](const Received& entry) -> absl::Status {
    const std::string group(entry.message_group_id());
    history_.Begin(group);
    history_.End(group, {std::string(entry.body())});
    return absl::OkStatus();
  };
  const ConsumerOptions options = {.batch_size = 7, .concurrency = 4, .extend_visibility = true};
  Consumer first = Consumer::Start(ledger_, options, handle).value();
  Consumer second = Consumer::Start(ledger_, options, handle).value();
  std::thread toggler([&] {
    for (int i = 0; i < 50; ++i) {
      first.Pause();
      first.Resume();
      second.Pause();
      second.Resume();
    }
  });
  SendAll();
  toggler.join();
  history_.AwaitAll();
  EXPECT_THAT(first.Stop(absl::Minutes(1)), IsOk());
  EXPECT_THAT(second.Stop(absl::Minutes(1)), IsOk());
  history_.CheckOrder();
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

TEST_F(FifoThreads, BatchHandlersThatNameOneFailureEachKeepTheOrder) {
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 10, .concurrency = 8, .retry = at_once_},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             // Names the first that fails, and believes that all others were done.
                             BatchResult result;
                             std::map<std::string, std::vector<std::string>> successes;
                             std::set<std::string> cut;
                             for (const Received& entry : batch) {
                               const std::string group(entry.message_group_id());
                               if (successes.try_emplace(group).second) history_.Begin(group);
                               if (result.failures.empty() && Fails(entry)) {
                                 result.failures.push_back(entry.id());
                                 cut.insert(group);
                               }
                               // What comes behind it will be handled again: only then does it
                               // count.
                               if (!cut.contains(group))
                                 successes[group].emplace_back(entry.body());
                             }
                             for (const auto& [group, bodies] : successes)
                               history_.End(group, bodies);
                             return result;
                           })
          .value();
  SendAll();
  history_.AwaitAll();
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  history_.CheckOrder();
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

// Timeouts so short that messages are hidden anew all the time, windows, pauses: nothing is lost,
// and what is settled stays settled.
TEST_F(FifoThreads, BatchesThatFillWhileTheirMessagesAreHiddenAnewLoseNone) {
  constexpr int kMessages = kGroups * kPerGroup;
  Queue jobs = broker_.CreateQueue("jobs", {.visibility_timeout = absl::Milliseconds(20)}).value();
  Mutex mu;
  WaitList waiters;
  std::set<std::string> seen;
  Consumer consumer =
      Consumer::StartBatch(jobs,
                           {.batch_size = 64,
                            .batch_window = absl::Milliseconds(50),
                            .concurrency = 3,
                            .retry = at_once_,
                            .extend_visibility = true},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             BatchResult result;
                             MutexLock lock(&mu);
                             for (const Received& job : batch) {
                               if (job.receive_count() == 1 && Fails(job)) {
                                 result.failures.push_back(job.id());
                               } else {
                                 seen.emplace(job.body());
                               }
                             }
                             waiters.WakeAll();
                             return result;
                           })
          .value();
  std::thread toggler([&] {
    for (int i = 0; i < 50; ++i) {
      consumer.Pause();
      consumer.Resume();
    }
  });
  for (int i = 0; i < kMessages; ++i) EXPECT_THAT(jobs.Send({.body = std::to_string(i)}), IsOk());
  toggler.join();
  {
    MutexLock lock(&mu);
    runtime_->Await(
        mu, waiters, [&] { return seen.size() == kMessages; }, absl::InfiniteDuration());
  }
  EXPECT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
  const QueueStats stats = jobs.Stats();
  EXPECT_EQ(stats.accepted, stats.deleted + stats.depth.total());
}

}  // namespace
}  // namespace banyan
