// SPDX-License-Identifier: Apache-2.0
//
// Fair queues: section 6 of the sheet. Who is noisy, at the edges of both thresholds, and what
// that changes for whom. fair_queue_twin_test.cc has the random operations.
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// One of the two thresholds, with the documented numbers; the other is never reached.
constexpr Fairness kByInFlight{.processing_share = 1};
constexpr Fairness kByProcessing{.in_flight_share = 1};

class FairQueueTest : public QueueTest {
 protected:
  Queue Make(const Fairness& fairness, const std::string& name = "jobs") {
    return broker_.Make(name, {.visibility_timeout = absl::Hours(12), .fairness = fairness});
  }

  // An empty tenant: none.
  static void SendFor(const Queue& queue, const std::string& tenant, const std::string& body) {
    absl::StatusOr<SendResult> sent = queue.Send({.body = body, .message_group_id = tenant});
    ASSERT_TRUE(sent.ok()) << sent.status();
  }

  // Puts `count` messages of this tenant in flight. Nothing else is visible.
  static std::vector<Received> PutInFlight(const Queue& queue, const std::string& tenant,
                                           int count) {
    EXPECT_EQ(queue.Depth().visible, 0);
    for (int i = 0; i < count; ++i) SendFor(queue, tenant, "in flight");
    std::vector<Received> held;
    while (queue.Depth().visible > 0) {
      for (const Received& one : Receive(queue)) held.push_back(one);
    }
    EXPECT_EQ(static_cast<int>(held.size()), count);
    return held;
  }

  static void DeleteAll(const std::vector<Received>& received) {
    for (const Received& one : received) ASSERT_TRUE(one.Delete().ok());
  }

  static std::string Take(const Queue& queue) { return std::string(ReceiveOne(queue).body()); }

  // One message at a time, deleted at once, until none is visible.
  static std::vector<std::string> TakeAll(const Queue& queue) {
    std::vector<std::string> bodies;
    for (;;) {
      const std::vector<Received> got = Receive(queue);
      if (got.empty()) return bodies;
      bodies.emplace_back(got[0].body());
      EXPECT_TRUE(got[0].Delete().ok());
    }
  }

  // Consumers spend so much on one message of each of these tenants.
  void Spend(const Queue& queue, const std::vector<std::pair<std::string, absl::Duration>>& spent) {
    for (const auto& [tenant, time] : spent) SendFor(queue, tenant, tenant);
    std::multimap<absl::Duration, Received> ends;
    for (size_t i = 0; i < spent.size(); ++i) {
      const Received one = ReceiveOne(queue);
      for (const auto& [tenant, time] : spent) {
        if (tenant == one.body()) {
          ends.emplace(time, one);
          break;
        }
      }
    }
    const absl::Duration start = runtime_.Uptime();
    for (const auto& [time, one] : ends) {
      runtime_.Advance(start + time - runtime_.Uptime());
      ASSERT_TRUE(one.Delete().ok());
    }
  }

  // Whether a message of another tenant goes before an older one of this tenant.
  bool IsNoisy(const Queue& queue, const std::string& tenant) {
    SendFor(queue, tenant, "older");
    SendFor(queue, "somebody-quiet", "newer");
    const std::vector<std::string> order = TakeAll(queue);
    EXPECT_THAT(order, SizeIs(2));
    return order.front() == "newer";
  }
};

// --- the share of what is in flight ---------------------------------------------------------

TEST_F(FairQueueTest, ATenthOfAllInFlightIsQuietAndMoreIsNoisy) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "", 270);
  PutInFlight(queue, "n", 30);
  SendFor(queue, "n", "n1");
  SendFor(queue, "n", "n2");
  SendFor(queue, "q", "q1");
  EXPECT_EQ(Take(queue), "n1") << "30 of 300 are a tenth, not more";
  EXPECT_EQ(Take(queue), "q1") << "31 of 301 are more";
  EXPECT_EQ(Take(queue), "n2");
}

TEST_F(FairQueueTest, TwentyNineInFlightAreQuietAndThirtyAreNoisy) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "n", 29);
  SendFor(queue, "n", "n1");
  SendFor(queue, "n", "n2");
  SendFor(queue, "q", "q1");
  EXPECT_EQ(Take(queue), "n1") << "29, be they all there are";
  EXPECT_EQ(Take(queue), "q1") << "30";
  EXPECT_EQ(Take(queue), "n2");
}

TEST_F(FairQueueTest, OthersInFlightMakeATenantQuiet) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "n", 40);
  EXPECT_TRUE(IsNoisy(queue, "n"));
  PutInFlight(queue, "", 359);
  EXPECT_TRUE(IsNoisy(queue, "n")) << "40 of 399";
  PutInFlight(queue, "", 1);
  EXPECT_FALSE(IsNoisy(queue, "n")) << "40 of 400";
}

TEST_F(FairQueueTest, SeveralTenantsMayBeNoisyAtOnce) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "a", 40);
  PutInFlight(queue, "b", 40);
  SendFor(queue, "a", "a");
  SendFor(queue, "b", "b");
  SendFor(queue, "c", "c");
  SendFor(queue, "", "none");
  EXPECT_THAT(TakeAll(queue), ElementsAre("c", "none", "a", "b"));
}

TEST_F(FairQueueTest, ATenantIsQuietAgainWhenItsMessagesAreSettled) {
  const Queue queue = Make(kByInFlight);
  const std::vector<Received> held = PutInFlight(queue, "n", 31);
  EXPECT_TRUE(IsNoisy(queue, "n"));
  ASSERT_TRUE(held[0].Delete().ok());
  EXPECT_TRUE(IsNoisy(queue, "n")) << "thirty still";
  ASSERT_TRUE(held[1].Delete().ok());
  EXPECT_FALSE(IsNoisy(queue, "n"));
}

TEST_F(FairQueueTest, ATenantIsQuietAgainWhenItsMessagesTimeOut) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "n", 35);
  runtime_.Advance(absl::Hours(12));
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 35}));
  SendFor(queue, "q", "q");
  EXPECT_EQ(Take(queue), "in flight") << "none is, so the older goes first";
}

// What was noisy and waited at the back goes to its old place once it is quiet.
TEST_F(FairQueueTest, WhoWaitedAsNoisyIsServedByAgeOnceQuiet) {
  const Queue queue = Make(kByInFlight);
  const std::vector<Received> held = PutInFlight(queue, "n", 30);
  SendFor(queue, "n", "n1");
  SendFor(queue, "q", "q1");
  SendFor(queue, "q", "q2");
  SendFor(queue, "n", "n2");
  EXPECT_EQ(Take(queue), "q1");
  DeleteAll(held);
  EXPECT_EQ(Take(queue), "n1");
  EXPECT_EQ(Take(queue), "q2");
  EXPECT_EQ(Take(queue), "n2");
}

// --- the share of consumers' time -----------------------------------------------------------

TEST_F(FairQueueTest, ATenthOfTheTimeIsQuietAndMoreIsNoisy) {
  for (const bool more : {false, true}) {
    const Queue queue = Make(kByProcessing);
    std::vector<std::pair<std::string, absl::Duration>> spent = {
        {"slow", absl::Seconds(60) + absl::Nanoseconds(more ? 1 : 0)}};
    for (int i = 0; i < 9; ++i) spent.emplace_back("t" + std::to_string(i), absl::Seconds(60));
    Spend(queue, spent);
    EXPECT_EQ(IsNoisy(queue, "slow"), more);
    EXPECT_EQ(queue.Depth(), QueueDepth{});
  }
}

TEST_F(FairQueueTest, TimeOfMessagesWithoutATenantCountsTowardsAll) {
  const Queue queue = Make(kByProcessing);
  Spend(queue, {{"slow", absl::Seconds(10)}});
  EXPECT_TRUE(IsNoisy(queue, "slow")) << "all of the time there was";
  for (int i = 0; i < 90; ++i) SendFor(queue, "", "m");
  std::vector<Received> held;
  while (queue.Depth().visible > 0) held.push_back(ReceiveOne(queue));
  runtime_.Advance(absl::Seconds(1));
  DeleteAll(held);
  EXPECT_FALSE(IsNoisy(queue, "slow")) << "10 s of 100 s";
}

TEST_F(FairQueueTest, TimeThatRanOutWasSpentToo) {
  const Queue queue = broker_.Make("jobs", {.fairness = kByProcessing});
  SendFor(queue, "slow", "s");
  ReceiveOne(queue);
  runtime_.Advance(absl::Seconds(30));
  SendFor(queue, "q", "q");
  EXPECT_EQ(Take(queue), "q") << "nobody else took any time";
  EXPECT_EQ(Take(queue), "s");
}

// It ended when the timeout did, not when somebody looked.
TEST_F(FairQueueTest, TimeThatRanOutIsCountedToTheEndOfTheTimeout) {
  const Queue queue = broker_.Make("jobs", {.fairness = kByProcessing});
  SendFor(queue, "slow", "s");
  Receive(queue, {.visibility_timeout = absl::Seconds(10)});
  runtime_.Advance(absl::Seconds(100));
  ASSERT_EQ(TakeAll(queue), std::vector<std::string>{"s"});
  SendFor(queue, "other", "o");
  const std::vector<Received> held = Receive(queue, {.visibility_timeout = absl::Minutes(2)});
  runtime_.Advance(absl::Seconds(95));
  DeleteAll(held);
  EXPECT_FALSE(IsNoisy(queue, "slow")) << "10 s of 105 s";
}

TEST_F(FairQueueTest, TimeCountsFromTheFirstTenantOn) {
  const Queue queue = Make(kByProcessing);
  SendFor(queue, "", "m");
  std::vector<Received> held = Receive(queue);
  runtime_.Advance(absl::Seconds(100));
  DeleteAll(held);
  Spend(queue, {{"slow", absl::Seconds(10)}});
  EXPECT_TRUE(IsNoisy(queue, "slow")) << "10 s of 10 s";

  SendFor(queue, "", "m");
  held = Receive(queue);
  runtime_.Advance(absl::Seconds(100));
  DeleteAll(held);
  EXPECT_FALSE(IsNoisy(queue, "slow")) << "10 s of 110 s";
}

TEST_F(FairQueueTest, TimeHandedBackWasSpentToo) {
  const Queue queue = Make(kByProcessing);
  SendFor(queue, "slow", "s");
  const Received held = ReceiveOne(queue);
  runtime_.Advance(absl::Seconds(5));
  ASSERT_TRUE(held.ChangeVisibility(absl::ZeroDuration()).ok());
  SendFor(queue, "q", "q");
  EXPECT_EQ(Take(queue), "q");
}

// AWS calls the numbers approximate: a part of the window may be early or late.
TEST_F(FairQueueTest, TheWindowSlides) {
  const Queue queue = Make(kByProcessing);
  Spend(queue, {{"slow", absl::Seconds(60)}});
  runtime_.Advance(absl::Minutes(4));
  EXPECT_TRUE(IsNoisy(queue, "slow"));
  runtime_.Advance(absl::Minutes(1));
  EXPECT_FALSE(IsNoisy(queue, "slow")) << "five minutes ago";
}

TEST_F(FairQueueTest, WhatSlidOutOfTheWindowCountsForNobody) {
  const Queue queue = Make(kByProcessing);
  // A hundred seconds of others long ago, and then one second of this tenant.
  Spend(queue, {{"others", absl::Seconds(100)}});
  Spend(queue, {{"slow", absl::Seconds(1)}});
  EXPECT_FALSE(IsNoisy(queue, "slow"));
  runtime_.Advance(absl::Minutes(6));
  Spend(queue, {{"slow", absl::Seconds(1)}});
  EXPECT_TRUE(IsNoisy(queue, "slow"));
}

// --- the options ----------------------------------------------------------------------------

TEST_F(FairQueueTest, ThresholdsAreOptionsAndChangeAtOnce) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "", 10);
  PutInFlight(queue, "n", 10);
  const auto set = [&](const Fairness& fairness) {
    QueueOptions options = *queue.Options();
    options.fairness = fairness;
    ASSERT_TRUE(queue.SetOptions(options).ok());
    EXPECT_EQ(queue.Options()->fairness, fairness);
  };
  EXPECT_FALSE(IsNoisy(queue, "n"));
  set({.in_flight_min = 10, .processing_share = 1});
  EXPECT_TRUE(IsNoisy(queue, "n"));
  set({.in_flight_min = 11, .processing_share = 1});
  EXPECT_FALSE(IsNoisy(queue, "n"));
  set({.in_flight_share = 0.5, .in_flight_min = 10, .processing_share = 1});
  EXPECT_FALSE(IsNoisy(queue, "n")) << "half of them, not more";
  set({.in_flight_share = 0.49, .in_flight_min = 10, .processing_share = 1});
  EXPECT_TRUE(IsNoisy(queue, "n"));
}

TEST_F(FairQueueTest, ProcessingShareAndWindowAreOptions) {
  const Queue queue =
      Make({.in_flight_share = 1, .processing_share = 0.5, .window = absl::Seconds(10)});
  Spend(queue, {{"a", absl::Seconds(2)}, {"b", absl::Seconds(3)}});
  EXPECT_FALSE(IsNoisy(queue, "a")) << "40 %";
  EXPECT_TRUE(IsNoisy(queue, "b")) << "60 %";
  runtime_.Advance(absl::Seconds(11));
  EXPECT_FALSE(IsNoisy(queue, "b"));
}

// --- what it changes ------------------------------------------------------------------------

TEST_F(FairQueueTest, NoisyTenantsFlowWhereThereIsRoom) {
  const Queue queue = Make({});
  PutInFlight(queue, "n", 50);
  for (int i = 0; i < 10; ++i) SendFor(queue, "n", "n" + std::to_string(i));
  for (int i = 0; i < 3; ++i) SendFor(queue, "q" + std::to_string(i), "q" + std::to_string(i));
  EXPECT_THAT(Bodies(ReceiveAll(queue)),
              ElementsAre("q0", "q1", "q2", "n0", "n1", "n2", "n3", "n4", "n5", "n6"))
      << "one batch: quiet ones first, then as many noisy ones as fit";
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("n7", "n8", "n9")) << "no limit of rate";
}

TEST_F(FairQueueTest, MessagesWithoutAGroupAreEachTheirOwnTenant) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "", 500);
  SendFor(queue, "", "1");
  SendFor(queue, "q", "2");
  SendFor(queue, "", "3");
  EXPECT_THAT(TakeAll(queue), ElementsAre("1", "2", "3"));
}

TEST_F(FairQueueTest, ATenantIsNotExclusive) {
  const Queue queue = Make({});
  SendFor(queue, "t", "1");
  SendFor(queue, "t", "2");
  const Received first = ReceiveOne(queue);
  const Received second = ReceiveOne(queue);
  EXPECT_EQ(first.body(), "1");
  EXPECT_EQ(second.body(), "2");
  EXPECT_EQ(queue.Depth(), (QueueDepth{.in_flight = 2}));
}

TEST_F(FairQueueTest, TheOrderWithinATenantIsKept) {
  const Queue queue = Make({});
  for (int i = 0; i < 300; ++i) {
    SendFor(queue, i % 5 == 0 ? "few" : std::to_string(i % 3), std::to_string(i));
  }
  std::map<std::string, int> last;
  int taken = 0;
  for (;;) {
    const std::vector<Received> got = ReceiveAll(queue);
    if (got.empty()) break;
    for (const Received& one : got) {
      const int number = std::stoi(std::string(one.body()));
      int& before = last.try_emplace(std::string(one.message_group_id()), -1).first->second;
      ASSERT_LT(before, number);
      before = number;
      ++taken;
    }
  }
  EXPECT_EQ(taken, 300);
}

TEST_F(FairQueueTest, PeekShowsWhatCameFirst) {
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "n", 30);
  SendFor(queue, "n", "n1");
  SendFor(queue, "q", "q1");
  EXPECT_THAT(Bodies(queue.Peek(10).value()), ElementsAre("n1", "q1"));
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("q1", "n1"));
}

TEST_F(FairQueueTest, TenThousandTenantsGoBeforeANoisyOne) {
  constexpr int kTenants = 10'000;
  const Queue queue = Make(kByInFlight);
  PutInFlight(queue, "noisy", 100);
  for (int i = 0; i < 1'000; ++i) SendFor(queue, "noisy", "noisy");
  for (int i = 0; i < 2 * kTenants; ++i) {
    SendFor(queue, "t" + std::to_string(i % kTenants), std::to_string(i));
  }
  for (int i = 0; i < 2 * kTenants;) {
    const std::vector<Received> got = ReceiveAll(queue);
    ASSERT_THAT(got, SizeIs(10));
    for (const Received& one : got) ASSERT_EQ(one.body(), std::to_string(i++));
    ASSERT_TRUE(queue.DeleteBatch(got).ok());
  }
  EXPECT_EQ(TakeAll(queue).size(), 1'000u);
  queue.core()->CheckInvariants();
}

// --- dead letters ---------------------------------------------------------------------------

TEST_F(FairQueueTest, DeadLettersAndRedrivesKeepTheirTenant) {
  const Queue dead = Make(kByInFlight, "dead");
  const Queue source =
      broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), 1}, .fairness = kByInFlight});
  const auto fail_all = [&] {
    std::vector<Received> held;
    while (source.Depth().visible > 0) held.push_back(ReceiveOne(source));
    for (const Received& one : held) ASSERT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok());
  };
  for (int i = 0; i < 40; ++i) SendFor(source, "n", "n");
  fail_all();
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(ReceiveOne(dead).message_group_id(), "n");
  }
  SendFor(source, "n", "n41");
  fail_all();
  SendFor(source, "q", "q1");
  fail_all();
  EXPECT_THAT(
      Bodies(Receive(dead, {.max_messages = 10, .visibility_timeout = absl::ZeroDuration()})),
      ElementsAre("q1", "n41"))
      << "noisy here, too";
  ASSERT_EQ(*dead.Redrive(), 2);
  std::set<std::string> tenants;
  for (const Received& one : ReceiveAll(source)) tenants.emplace(one.message_group_id());
  EXPECT_THAT(tenants, ElementsAre("n", "q"));
  dead.core()->CheckInvariants();
  source.core()->CheckInvariants();
}

TEST_F(FairQueueTest, BooksAndInvariantsHoldOverPurgeAndExpiry) {
  const Queue queue = broker_.Make("jobs", {.retention = absl::Minutes(1)});
  for (int i = 0; i < 50; ++i) SendFor(queue, "t" + std::to_string(i % 3), "m");
  ReceiveAll(queue);
  ASSERT_TRUE(queue.Send({.body = "d", .delay = absl::Minutes(5), .message_group_id = "t1"}).ok());
  ASSERT_TRUE(queue.Purge().ok());
  queue.core()->CheckInvariants();
  for (int i = 0; i < 50; ++i) SendFor(queue, "t" + std::to_string(i % 3), "m");
  ReceiveAll(queue);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  queue.core()->CheckInvariants();
  EXPECT_EQ(queue.Stats().purged, 51);
  EXPECT_EQ(queue.Stats().expired, 50);
}

TEST(FairQueueThreadTest, ManyTenantsAndReceiversLoseNothing) {
#ifdef BANYAN_SANITIZER
  constexpr int kMessages = 2'000;
#else
  constexpr int kMessages = 20'000;
#endif
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 1, .seed = 1});
  TestBroker broker(*runtime);
  const Queue queue =
      broker.Make("jobs", {.visibility_timeout = absl::Hours(1), .fairness = {.in_flight_min = 2}});
  std::atomic<int> next{0};
  std::atomic<int> deleted{0};
  std::atomic<int> faults{0};
  std::vector<std::atomic<int>> seen(kMessages);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = next.fetch_add(1); i < kMessages; i = next.fetch_add(1)) {
        const std::string tenant = i % 4 == 0 ? "" : i % 2 == 0 ? "big" : std::to_string(i % 97);
        if (!queue.Send({.body = std::to_string(i), .message_group_id = tenant}).ok()) {
          faults.fetch_add(1);
        }
      }
    });
    threads.emplace_back([&] {
      while (deleted.load() < kMessages) {
        const auto batch = queue.Receive({.max_messages = 7, .wait = absl::Milliseconds(5)});
        if (!batch.ok()) return static_cast<void>(faults.fetch_add(1));
        for (const Received& one : *batch) {
          seen[static_cast<size_t>(std::stoi(std::string(one.body())))].fetch_add(1);
          if (!one.Delete().ok()) faults.fetch_add(1);
          deleted.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults.load(), 0);
  for (const std::atomic<int>& times : seen) ASSERT_EQ(times.load(), 1);
  queue.core()->CheckInvariants();
}

}  // namespace
}  // namespace banyan::internal
