// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 6: how SNS retries a queue, function or stream that has no RetryPolicy.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::SizeIs;

// A topic on a clock of its own, with a function that fails and notes when it was called.
class Failing {
 public:
  explicit Failing(uint64_t seed = 1, std::optional<RetryPolicy> retry = std::nullopt)
      : runtime_({.seed = seed}), house_(runtime_) {
    const Function function = house_.MakeFunction("f", [this](const FunctionEvent& event) {
      tries.push_back(runtime_.Uptime() - published_);
      EXPECT_EQ(event.attempt, static_cast<int64_t>(tries.size()));
      return absl::UnavailableError("down");
    });
    dead = house_.MakeQueue("dead");
    Target target = Target(function).DeadLetter(dead);
    if (retry.has_value()) target.Retry(*retry);
    const Topic topic = house_.MakeTopic("t");
    subscription = topic.Subscribe(target).value();
    runtime_.Advance(absl::Hours(1));
    published_ = runtime_.Uptime();
    topic.Publish({.body = "m"}).value();
  }
  void Advance(absl::Duration by) { runtime_.Advance(by); }

  std::vector<absl::Duration> tries;  // after the publish
  Queue dead;
  Subscription subscription;

 private:
  testing::SimulatedRuntime runtime_;
  TestHouse house_;
  absl::Duration published_;
};

// The waits before the tries, from the first retry on.
std::vector<absl::Duration> Waits(const std::vector<absl::Duration>& tries) {
  std::vector<absl::Duration> waits;
  for (size_t i = 1; i < tries.size(); ++i) waits.push_back(tries[i] - tries[i - 1]);
  return waits;
}

TEST(TopicRetryTest, TheFirstTriesComeAtTheTimesOfTheTable) {
  // What the bound of an exponential wait grows through, from 1 s to 20 s in ten retries: by steps
  // of which each is twice the one before it.
  constexpr double kStep = 19.0 / 511;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Failing failing(seed);
    failing.Advance(absl::Minutes(10));
    ASSERT_GE(failing.tries.size(), 20u);
    EXPECT_EQ(failing.tries[0], absl::ZeroDuration());
    const std::vector<absl::Duration> waits = Waits(failing.tries);
    const absl::Duration at_once = absl::ZeroDuration(), second = absl::Seconds(1);
    EXPECT_THAT(std::vector(waits.begin(), waits.begin() + 6),
                ElementsAre(at_once, at_once, at_once, second, second, second));
    for (int k = 1; k < 10; ++k) {
      EXPECT_GE(waits[static_cast<size_t>(5 + k)], second) << k;
      EXPECT_LE(waits[static_cast<size_t>(5 + k)],
                absl::Seconds(1 + kStep * ((1 << k) - 1)) + absl::Nanoseconds(1))
          << k;
    }
    EXPECT_THAT(std::vector(waits.begin() + 15, waits.begin() + 19), Each(absl::Seconds(20)));
  }
}

TEST(TopicRetryTest, TargetsThatFailTogetherAreNotTriedInStep) {
  Failing one(1), other(2);
  one.Advance(absl::Minutes(10));
  other.Advance(absl::Minutes(10));
  EXPECT_NE(one.tries[19], other.tries[19]);
}

TEST(TopicRetryTest, After100015RetriesIn23DaysTheDeadLetterQueueHasIt) {
  Failing failing;
  failing.Advance(absl::Hours(23 * 24));
  EXPECT_EQ(failing.subscription.Stats().delivery.pending, 1) << "over 23 days";
  failing.Advance(absl::Hours(24));
  EXPECT_EQ(failing.tries.size(), 100'016u) << "the first, and the table's total of retries";
  EXPECT_GT(failing.tries.back(), absl::Hours(23 * 24));
  EXPECT_LT(failing.tries.back(), absl::Hours(24 * 24));
  const DeliveryStats books = failing.subscription.Stats().delivery;
  EXPECT_EQ(books.dead_lettered, 1);
  EXPECT_EQ(books.retries, 100'015);
  EXPECT_EQ(books.failed_attempts, 100'016);
  EXPECT_EQ(books.pending, 0);
  EXPECT_EQ(failing.dead.Depth().visible, 1);
}

TEST(TopicRetryTest, ARetryPolicyTakesThePlaceOfThePhases) {
  const RetryPolicy policy = {
      .retries_max = 6, .backoff_first = absl::Seconds(8), .backoff_max = absl::Seconds(30)};
  absl::Duration least = absl::InfiniteDuration(), most;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Failing failing(seed, policy);
    failing.Advance(absl::Hours(1));
    const std::vector<absl::Duration> waits = Waits(failing.tries);
    ASSERT_THAT(waits, SizeIs(6));
    const int bounds[] = {8, 16, 30, 30, 30, 30};
    for (size_t i = 0; i < 6; ++i) EXPECT_LE(waits[i], absl::Seconds(bounds[i])) << i;
    EXPECT_EQ(failing.subscription.Stats().delivery.dead_lettered, 1);
    least = std::min(least, waits[0]);
    most = std::max(most, waits[0]);
  }
  EXPECT_LT(least, absl::Seconds(2)) << "full jitter: from zero on";
  EXPECT_GT(most, absl::Seconds(6));
}

using TopicRetryQueueTest = RouteTest;

// A full queue refuses for now, at most 20 s longer than it is full.
TEST_F(TopicRetryQueueTest, ABacklogArrivesOnceWhenTheQueueComesBack) {
  constexpr int kMessages = 500;
  const Queue queue = house_.MakeQueue("q", {.messages_max = 1'000});
  const Topic topic = house_.MakeTopic("t");
  const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
  const Queue other = house_.MakeQueue("other");
  topic.Subscribe(other, {.raw = true}).value();
  for (int i = 0; i < 1'000; ++i) queue.Send({.body = "in the way"}).value();
  for (int i = 0; i < kMessages; ++i) {
    topic.Publish({.body = Payload(std::to_string(i))}).value();
    runtime_.Advance(absl::Milliseconds(50));
  }
  EXPECT_EQ(other.Depth().visible, kMessages) << "waits for nobody";
  runtime_.Advance(absl::Minutes(5));
  DeliveryStats books = subscription.Stats().delivery;
  EXPECT_EQ(books.pending, kMessages);
  EXPECT_EQ(books.failed_attempts, books.retries + kMessages);
  const int64_t retries_before = books.retries;
  runtime_.Advance(absl::Seconds(40));
  EXPECT_EQ(subscription.Stats().delivery.retries, retries_before + 2 * kMessages)
      << "each every 20 s by now";

  EXPECT_THAT(DrainBodies(queue), SizeIs(1'000));
  runtime_.Advance(absl::Seconds(20));
  books = subscription.Stats().delivery;
  EXPECT_EQ(books.delivered, kMessages);
  EXPECT_EQ(books.pending, 0);
  std::vector<int> got;
  for (const std::string& body : DrainBodies(queue)) got.push_back(std::stoi(body));
  std::sort(got.begin(), got.end());
  std::vector<int> all(kMessages);
  for (int i = 0; i < kMessages; ++i) all[static_cast<size_t>(i)] = i;
  EXPECT_THAT(got, ElementsAreArray(all));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration()) << "nothing is tried any more";
}

TEST_F(TopicRetryQueueTest, AQueueThatIsDeletedMeanwhileGetsNoFurtherTry) {
  const Queue dead = house_.MakeQueue("dead");
  const Queue queue = house_.MakeQueue("q", {.messages_max = 1});
  const Topic topic = house_.MakeTopic("t");
  const Subscription subscription = topic.Subscribe(Target(queue).DeadLetter(dead)).value();
  queue.Send({.body = "in the way"}).value();
  topic.Publish({.body = "m"}).value();
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(subscription.Stats().delivery.pending, 1);
  queue.core()->Close(CloseKind::kDeleted);
  runtime_.Advance(absl::Seconds(20));
  EXPECT_EQ(subscription.Stats().delivery.dead_lettered, 1);
  EXPECT_EQ(dead.Depth().visible, 1);
}

// A group waits behind its first message through all phases, and is passed in order; what stands
// first is tried, and nothing else.
TEST_F(TopicRetryQueueTest, AFifoLineKeepsItsOrderThroughThePhases) {
  const Topic topic = house_.MakeTopic("t.fifo", {.fifo = true});
  const Queue queue = house_.MakeQueue("q.fifo", {.fifo = true, .messages_max = 2});
  const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
  constexpr int kMessages = 60;
  for (int i = 0; i < kMessages; ++i) {
    topic
        .Publish({.body = Payload(std::to_string(i)),
                  .message_group_id = std::string(1, static_cast<char>('a' + i % 3)),
                  .message_deduplication_id = std::to_string(i)})
        .value();
    if (i % 7 == 0) runtime_.Advance(absl::Milliseconds(700));
  }
  runtime_.Advance(absl::Minutes(10));
  EXPECT_LE(subscription.Stats().delivery.retries, 3 * (15 + 600 / 20)) << "heads of lines only";
  std::map<std::string, std::vector<int>> got;
  for (int round = 0; subscription.Stats().delivery.pending > 0; ++round) {
    ASSERT_LT(round, 1'000);
    for (const Received& one : Drain(queue)) {
      got[std::string(one.message_group_id())].push_back(std::stoi(std::string(one.body())));
    }
    runtime_.Advance(absl::Seconds(20));
  }
  for (const Received& one : Drain(queue)) {
    got[std::string(one.message_group_id())].push_back(std::stoi(std::string(one.body())));
  }
  ASSERT_THAT(got, SizeIs(3));
  for (const auto& [group, numbers] : got) {
    EXPECT_THAT(numbers, SizeIs(kMessages / 3)) << group;
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << group;
  }
  EXPECT_EQ(subscription.Stats().delivery.delivered, kMessages);
}

}  // namespace
}  // namespace banyan::internal
