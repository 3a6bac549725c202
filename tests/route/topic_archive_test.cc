// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 4, "Archive and replay": what a FIFO topic keeps comes again, in order, and a
// replay that has caught up passes on to what is published now without a gap and without a double.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/seed_reporter.h"
#include "banyan/testing/test_broker.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kDay = absl::Hours(24);

class TopicArchiveTest : public RouteTest {
 protected:
  Topic MakeArchived(absl::Duration retention = 7 * kDay, int64_t bytes_max = int64_t{1} << 30) {
    return house_.MakeTopic(
        "orders.fifo",
        {.fifo = true, .archive_retention = retention, .archive_bytes_max = bytes_max});
  }
  // Its body, in a group; the id never comes again.
  PublishResult Publish(const Topic& topic, const std::string& body, const std::string& group = "g",
                        Attributes attributes = {}) {
    return topic
        .Publish({.body = body,
                  .attributes = std::move(attributes),
                  .message_group_id = group,
                  .message_deduplication_id = "id" + std::to_string(++ids_)})
        .value();
  }
  ReplayPolicy FromTheBeginning() { return {.starting_point = absl::InfinitePast()}; }
  SubscriptionReplayStatus StatusOf(const Subscription& subscription) {
    return subscription.Replay().value().value().status;
  }

  int ids_ = 0;
};

TEST_F(TopicArchiveTest, WhoSubscribesLateHearsItAllInOrderAndThenWhatIsLive) {
  const Topic topic = MakeArchived();
  for (int i = 0; i < 250; ++i) Publish(topic, std::to_string(i), "g" + std::to_string(i % 3));
  const Queue queue = house_.MakeQueue("late");
  const Subscription late =
      topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  EXPECT_EQ(StatusOf(late), SubscriptionReplayStatus::kPending);
  Publish(topic, "250");  // behind all of them
  EXPECT_THAT(Drain(queue), IsEmpty());
  runtime_.RunUntilIdle();
  EXPECT_EQ(StatusOf(late), SubscriptionReplayStatus::kCompleted);
  Publish(topic, "251");
  std::vector<std::string> want;
  for (int i = 0; i <= 251; ++i) want.push_back(std::to_string(i));
  EXPECT_EQ(DrainBodies(queue), want);
  EXPECT_EQ(late.Replay().value()->replayed, 251);
}

TEST_F(TopicArchiveTest, AReplayedMessageKeepsItsIdsAndTimeAndSaysThatItIsOne) {
  const Topic topic = MakeArchived();
  const Queue live = house_.MakeQueue("live.fifo", {.fifo = true});
  topic.Subscribe(live).value();
  const PublishResult sent = Publish(topic, "m", "g", {{"colour", "red"}});
  const std::vector<Received> before = Drain(live);
  ASSERT_THAT(before, SizeIs(1));

  runtime_.Advance(absl::Hours(1));
  const Queue raw = house_.MakeQueue("raw.fifo", {.fifo = true});
  const Queue enveloped = house_.MakeQueue("enveloped.fifo", {.fifo = true});
  topic.Subscribe(raw, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  topic.Subscribe(enveloped, {.replay_policy = FromTheBeginning()}).value();
  runtime_.RunUntilIdle();

  const std::vector<Received> again = Drain(raw);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].body(), "m");
  ASSERT_NE(again[0].attributes().Find("Replayed"), nullptr);
  EXPECT_EQ(again[0].attributes().Find("Replayed")->value, "true");
  EXPECT_EQ(again[0].attributes().Find("colour")->value, "red");
  EXPECT_EQ(again[0].message_group_id(), "g");

  const std::vector<Received> wrapped = Drain(enveloped);
  ASSERT_THAT(wrapped, SizeIs(1));
  const std::string was(before[0].body());
  const std::string is(wrapped[0].body());
  // The same text but for the attribute.
  EXPECT_EQ(is.substr(0, is.find("\"MessageAttributes\"")),
            was.substr(0, was.find("\"MessageAttributes\"")));
  EXPECT_THAT(is, HasSubstr(sent.message_id.ToString()));
  EXPECT_THAT(is, HasSubstr("\"Replayed\" : {\"Type\":\"String\",\"Value\":\"true\"}"));
}

TEST_F(TopicArchiveTest, TenAttributesLeaveNoRoomForAnEleventh) {
  const Topic topic = MakeArchived();
  Attributes ten;
  for (int i = 0; i < 10; ++i) ten.Set("a" + std::to_string(i), "v");
  Publish(topic, "m", "g", ten);
  const Queue queue = house_.MakeQueue("q");
  topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  runtime_.RunUntilIdle();
  const std::vector<Received> got = Drain(queue);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].attributes().size(), 10u);
}

TEST_F(TopicArchiveTest, T14_WithAnEndNothingComesAfterItUntilThePolicyIsRemoved) {
  const Topic topic = MakeArchived();
  Publish(topic, "too early");
  runtime_.Advance(absl::Minutes(1));
  const absl::Time start = runtime_.Now();
  Publish(topic, "first");
  runtime_.Advance(absl::Minutes(1));
  const absl::Time end = runtime_.Now();
  Publish(topic, "at the end");
  runtime_.Advance(absl::Minutes(1));
  Publish(topic, "too late");

  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription =
      topic
          .Subscribe(queue,
                     {.raw = true,
                      .replay_policy = ReplayPolicy{.starting_point = start, .ending_point = end}})
          .value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(StatusOf(subscription), SubscriptionReplayStatus::kCompleted);
  Publish(topic, "while the policy stands");
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("first", "at the end"));

  ASSERT_TRUE(subscription.SetReplayPolicy(std::nullopt).ok());
  EXPECT_EQ(subscription.Replay().value(), std::nullopt);
  Publish(topic, "live");
  EXPECT_THAT(DrainBodies(queue), ElementsAre("live"));
}

TEST_F(TopicArchiveTest, AnEndInTheFutureLetsPassWhatIsPublishedBeforeIt) {
  const Topic topic = MakeArchived();
  Publish(topic, "old");
  const Queue queue = house_.MakeQueue("q");
  const absl::Time end = runtime_.Now() + absl::Minutes(10);
  const Subscription subscription =
      topic
          .Subscribe(queue, {.raw = true,
                             .replay_policy = ReplayPolicy{.starting_point = absl::InfinitePast(),
                                                           .ending_point = end}})
          .value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(StatusOf(subscription), SubscriptionReplayStatus::kInProgress);
  Publish(topic, "in time");
  runtime_.Advance(absl::Minutes(10) + absl::Nanoseconds(1));
  EXPECT_EQ(StatusOf(subscription), SubscriptionReplayStatus::kCompleted);
  Publish(topic, "too late");
  EXPECT_THAT(DrainBodies(queue), ElementsAre("old", "in time"));
}

TEST_F(TopicArchiveTest, TheFilterPolicyDecidesAboutReplayedMessagesToo) {
  const Topic topic = MakeArchived();
  Publish(topic, "red", "g", {{"colour", "red"}});
  Publish(topic, "blue", "g", {{"colour", "blue"}});
  Publish(topic, R"({"n":1})");
  const Queue by_attribute = house_.MakeQueue("by-attribute");
  const Queue by_body = house_.MakeQueue("by-body");
  topic
      .Subscribe(by_attribute, {.filter_policy = R"({"colour": ["red"]})",
                                .raw = true,
                                .replay_policy = FromTheBeginning()})
      .value();
  topic
      .Subscribe(by_body, {.filter_policy = R"({"n": [{"exists": true}]})",
                           .filter_policy_scope = FilterPolicyScope::kMessageBody,
                           .raw = true,
                           .replay_policy = FromTheBeginning()})
      .value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(by_attribute), ElementsAre("red"));
  EXPECT_THAT(DrainBodies(by_body), ElementsAre(R"({"n":1})"));
}

TEST_F(TopicArchiveTest, AnotherReplayTakesThePlaceOfOneThatRuns) {
  const Topic topic = MakeArchived();
  for (int i = 0; i < 300; ++i) Publish(topic, std::to_string(i));
  runtime_.Advance(absl::Minutes(1));
  const absl::Time later = runtime_.Now();
  Publish(topic, "300");
  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription =
      topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  ASSERT_TRUE(subscription.SetReplayPolicy(ReplayPolicy{.starting_point = later}).ok());
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("300"));
  // And a live subscription can begin one.
  ASSERT_TRUE(subscription.SetReplayPolicy(ReplayPolicy{.starting_point = later}).ok());
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("300"));
}

TEST_F(TopicArchiveTest, AReplayThatIsRemovedLeavesNothingOutThatWasPublishedSince) {
  const Topic topic = MakeArchived();
  for (int i = 0; i < 300; ++i) Publish(topic, "old");
  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription =
      topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  Publish(topic, "meanwhile");
  ASSERT_TRUE(subscription.SetReplayPolicy(std::nullopt).ok());
  EXPECT_EQ(subscription.Replay().value(), std::nullopt);
  Publish(topic, "behind it");
  runtime_.RunUntilIdle();
  Publish(topic, "live");
  EXPECT_THAT(DrainBodies(queue), ElementsAre("meanwhile", "behind it", "live"));
}

TEST_F(TopicArchiveTest, AReplayThatIsReplacedStillShowsWhatItOwed) {
  const Topic topic = MakeArchived();
  Publish(topic, "old");
  runtime_.Advance(absl::Minutes(1));
  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription =
      topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  Publish(topic, "owed");
  runtime_.Advance(absl::Nanoseconds(1));  // the replay has shown it all by now
  Publish(topic, "live");
  ASSERT_TRUE(subscription.SetReplayPolicy(FromTheBeginning()).ok());
  Publish(topic, "owed again");
  const absl::Time past = runtime_.Now() - absl::Minutes(10);
  ASSERT_TRUE(subscription
                  .SetReplayPolicy(
                      ReplayPolicy{.starting_point = past - absl::Minutes(1), .ending_point = past})
                  .ok());
  Publish(topic, "not wanted");
  ASSERT_TRUE(subscription.SetReplayPolicy(std::nullopt).ok());
  runtime_.RunUntilIdle();
  Publish(topic, "live again");
  const std::vector<std::string> got = DrainBodies(queue);
  EXPECT_EQ(std::count(got.begin(), got.end(), "owed again"), 1);
  EXPECT_EQ(got.back(), "live again");
  EXPECT_EQ(got.front(), "old");
}

// A replay that was removed owes what was published meanwhile, and its place until it has shown that.
TEST(TopicArchiveLimits, ReplaysAreBoundedAndARemovedOneLeavesItsPlaceInTheEnd) {
  testing::SimulatedRuntime runtime;
  Limits limits = Limits::Aws();
  limits.topic.replays_max = 1;
  TestHouse house(runtime, limits);
  const Topic topic = house.MakeTopic(
      "t.fifo", {.fifo = true, .content_based_deduplication = true, .archive_retention = kDay});
  topic.Publish({.body = "old", .message_group_id = "g"}).value();
  const Queue queue = house.MakeQueue("q");
  const ReplayPolicy all = {.starting_point = absl::InfinitePast()};
  const Subscription one = topic.Subscribe(queue, {.raw = true, .replay_policy = all}).value();
  const Subscription two = topic.Subscribe(house.MakeQueue("other")).value();
  topic.Publish({.body = "owed", .message_group_id = "g"}).value();
  ASSERT_TRUE(one.SetReplayPolicy(std::nullopt).ok());
  EXPECT_EQ(CodeOf(two.SetReplayPolicy(all)), "ReplayLimitExceeded");
  runtime.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("owed"));
  EXPECT_TRUE(two.SetReplayPolicy(all).ok());
  EXPECT_EQ(CodeOf(one.SetReplayPolicy(all)), "ReplayLimitExceeded");
}

TEST_F(TopicArchiveTest, WhereTheWallClockJumpsTheOrderStays) {
  const Topic topic = MakeArchived();
  Publish(topic, "a");
  runtime_.JumpWallClock(-absl::Hours(3));
  Publish(topic, "b");
  runtime_.JumpWallClock(absl::Hours(5));
  Publish(topic, "c");
  const Queue queue = house_.MakeQueue("q");
  topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("a", "b", "c"));
}

TEST_F(TopicArchiveTest, RetentionEndsWhatCanBeReplayed) {
  const Topic topic = MakeArchived(kDay);
  EXPECT_EQ(topic.BeginningArchiveTime().value(), std::nullopt);
  const absl::Time began = runtime_.Now();
  Publish(topic, "old");
  EXPECT_EQ(topic.BeginningArchiveTime().value(), began);
  runtime_.Advance(kDay - absl::Nanoseconds(1));
  const absl::Time second = runtime_.Now();
  Publish(topic, "new");
  EXPECT_EQ(topic.BeginningArchiveTime().value(), began);
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(topic.BeginningArchiveTime().value(), second);
  const Queue queue = house_.MakeQueue("q");
  topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("new"));
}

TEST_F(TopicArchiveTest, WhatHasToLeaveTheArchiveBeforeItsReplayIsGivenUpNotLost) {
  const Topic topic = MakeArchived(kDay, /*bytes_max=*/3);
  for (const char* body : {"a", "b", "c"}) Publish(topic, body);
  const Queue queue = house_.MakeQueue("q");
  const Queue dead = house_.MakeQueue("dead");
  const Subscription subscription =
      topic
          .Subscribe(Target(queue).DeadLetter(dead),
                     {.raw = true, .replay_policy = FromTheBeginning()})
          .value();
  Publish(topic, "d");  // "a" has to go
  Publish(topic, "too large for the archive");
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("b", "c", "d"));
  EXPECT_THAT(DrainBodies(dead), ElementsAre("a", "too large for the archive"));
  const DeliveryStats books = subscription.Stats().delivery;
  EXPECT_EQ(books.dead_lettered, 2);
  EXPECT_EQ(books.matched, books.delivered + books.dead_lettered + books.dropped + books.pending);
}

TEST_F(TopicArchiveTest, TurningTheArchiveOffFailsAReplayAndLosesNothingThatIsNew) {
  const Topic topic = MakeArchived();
  Publish(topic, "old");
  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription =
      topic.Subscribe(queue, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  Publish(topic, "meanwhile");
  TopicOptions options = topic.Options().value();
  options.archive_retention = absl::ZeroDuration();
  ASSERT_TRUE(topic.SetOptions(options).ok());
  EXPECT_EQ(StatusOf(subscription), SubscriptionReplayStatus::kFailed);
  Publish(topic, "live");
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("meanwhile", "live"));
  EXPECT_EQ(topic.BeginningArchiveTime().value(), std::nullopt);
}

TEST_F(TopicArchiveTest, AReplayWaitsForASubscriptionThatDoesNotKeepUp) {
  const Topic topic = MakeArchived();
  for (int i = 0; i < 2'000; ++i) Publish(topic, std::to_string(i));
  const Queue small = house_.MakeQueue("small.fifo", {.fifo = true, .messages_max = 1});
  const Subscription subscription =
      topic.Subscribe(small, {.raw = true, .replay_policy = FromTheBeginning()}).value();
  runtime_.Advance(absl::Seconds(5));
  const int64_t pending = subscription.Stats().delivery.pending;
  EXPECT_GT(pending, 1'000);
  EXPECT_LT(pending, 1'300);
  std::vector<std::string> got;
  for (int rounds = 0; got.size() < 2'000 && rounds < 100'000; ++rounds) {
    for (std::string& body : DrainBodies(small)) got.push_back(std::move(body));
    runtime_.Advance(absl::Seconds(20));
  }
  ASSERT_THAT(got, SizeIs(2'000));
  for (int i = 0; i < 2'000; ++i) EXPECT_EQ(got[static_cast<size_t>(i)], std::to_string(i));
}

TEST_F(TopicArchiveTest, RefusesWhatMakesNoSense) {
  const Topic without = house_.MakeTopic("plain.fifo", {.fifo = true});
  const Queue queue = house_.MakeQueue("q");
  const absl::Status none =
      without.Subscribe(queue, {.replay_policy = FromTheBeginning()}).status();
  EXPECT_EQ(CodeOf(none), "InvalidParameter");
  EXPECT_THAT(TextOf(none), HasSubstr("ReplayPolicy: the topic has no ArchivePolicy"));
  EXPECT_THAT(without.ListSubscriptions().value(), IsEmpty());

  const Topic topic = MakeArchived();
  const Subscription subscription = topic.Subscribe(queue).value();
  const absl::Time now = runtime_.Now();
  EXPECT_THAT(TextOf(subscription.SetReplayPolicy(
                  ReplayPolicy{.starting_point = now + absl::Nanoseconds(1)})),
              HasSubstr("StartingPoint"));
  EXPECT_THAT(TextOf(subscription.SetReplayPolicy(
                  ReplayPolicy{.starting_point = now, .ending_point = now})),
              HasSubstr("EndingPoint"));
  EXPECT_EQ(subscription.Replay().value(), std::nullopt);

  // Asking again with the same policy is the same subscription, with another it is an error.
  ASSERT_TRUE(subscription.SetReplayPolicy(FromTheBeginning()).ok());
  EXPECT_EQ(topic.Subscribe(queue, {.replay_policy = FromTheBeginning()}).value().arn(),
            subscription.arn());
  EXPECT_FALSE(topic.Subscribe(queue, {.replay_policy = ReplayPolicy{.starting_point = now}}).ok());

  ASSERT_TRUE(subscription.Unsubscribe().ok());
  EXPECT_EQ(CodeOf(subscription.SetReplayPolicy(FromTheBeginning())), "NotFound");
  EXPECT_EQ(CodeOf(subscription.Replay().status()), "NotFound");
}

TEST_F(TopicArchiveTest, RetentionIsOneTo365WholeDaysAndForFifoTopics) {
  const auto refused = [](TopicOptions options) { return TextOf(ValidateTopicOptions(options)); };
  EXPECT_THAT(refused({.archive_retention = kDay}), HasSubstr("FIFO"));
  EXPECT_EQ(refused({.fifo = true, .archive_retention = kDay}), "");
  EXPECT_EQ(refused({.fifo = true, .archive_retention = 365 * kDay}), "");
  for (const absl::Duration bad : {366 * kDay, -kDay, absl::Hours(25), absl::InfiniteDuration()}) {
    EXPECT_THAT(refused({.fifo = true, .archive_retention = bad}), HasSubstr("1 to 365 days"))
        << bad;
  }
  EXPECT_THAT(refused({.fifo = true, .archive_retention = kDay, .archive_bytes_max = 0}),
              HasSubstr("archive_bytes_max"));
}

TEST_F(TopicArchiveTest, OptionsChangeButNotTheKindAndTheScopeNotBack) {
  const Topic topic = house_.MakeTopic("t.fifo", {.fifo = true});
  TopicOptions options = topic.Options().value();
  options.content_based_deduplication = true;
  options.fifo_throughput_scope = FifoThroughputScope::kMessageGroup;
  ASSERT_TRUE(topic.SetOptions(options).ok());
  EXPECT_TRUE(topic.Publish({.body = "m", .message_group_id = "g"}).ok());
  const PublishResult again = topic.Publish({.body = "m", .message_group_id = "g"}).value();
  const PublishResult other = topic.Publish({.body = "m", .message_group_id = "h"}).value();
  EXPECT_NE(again.message_id, other.message_id);  // the scope is the group now
  EXPECT_EQ(topic.Stats().duplicates, 1);

  TopicOptions back = options;
  back.fifo_throughput_scope = FifoThroughputScope::kTopic;
  EXPECT_THAT(TextOf(topic.SetOptions(back)), HasSubstr("FifoThroughputScope"));
  TopicOptions standard = options;
  standard.fifo = false;
  EXPECT_THAT(TextOf(topic.SetOptions(standard)), HasSubstr("Invalid parameter: AttributeName"));
  EXPECT_EQ(topic.Options().value(), options);
}

TEST_F(TopicArchiveTest, AHandlerOfTheLogMayBeginAReplayWithinAPublish) {
  // What a queue does when it takes a message may end in the user's log sink, within the line.
  class Meddler : public LogSink {
   public:
    void Write(const LogRecord&) override {
      if (std::exchange(done, true)) return;
      status = subscription.SetReplayPolicy(ReplayPolicy{.starting_point = absl::InfinitePast()});
    }
    Subscription subscription;
    absl::Status status = absl::UnknownError("never called");
    bool done = false;
  };
  const Topic topic = MakeArchived();
  Meddler meddler;
  house_.env->log = &meddler;
  const Queue queue = house_.MakeQueue("q");
  meddler.subscription = topic.Subscribe(queue, {.raw = true}).value();
  const Queue gone = house_.MakeQueue("gone");
  topic.Subscribe(gone).value();
  gone.core()->Close(CloseKind::kDeleted);
  Publish(topic, "m");  // the queue that is gone has it dropped, and logged
  EXPECT_TRUE(meddler.status.ok()) << meddler.status;
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("m", "m"));
  house_.env->log = &house_.log;
}

TEST_F(TopicArchiveTest, TheJournalHearsWhatIsKeptAndWhatLeaves) {
  class Book : public Journal {
   public:
    void Append(const ChangeRecord& record) override {
      if (record.resource.find(":sns:") != std::string_view::npos) {
        changes.push_back(record.change);
      }
    }
    std::vector<Change> changes;
  };
  Book book;
  house_.env->journal = &book;
  const Topic topic = MakeArchived(kDay, /*bytes_max=*/2);
  for (const char* body : {"a", "b", "c"}) Publish(topic, body);
  EXPECT_THAT(book.changes, ElementsAre(Change::kAccepted, Change::kAccepted, Change::kExpired,
                                        Change::kAccepted));
  house_.env->journal = nullptr;
}

// Publishes, replays that begin and end, and messages that leave, in any order: each subscription
// gets what its policies promise, once and in order. The twin is a list of all that was published.
TEST_F(TopicArchiveTest, RandomReplaysShowEveryMessageOnceAndInOrder) {
  for (uint64_t round = 1; round <= 20; ++round) {
    const testing::SeedReporter report(round);
    std::mt19937_64 random(round);
    const auto below = [&random](uint64_t n) { return random() % n; };
    const Topic topic = house_.MakeTopic("r" + std::to_string(round) + ".fifo",
                                         {.fifo = true, .archive_retention = kDay});
    const Queue queue = house_.MakeQueue("r" + std::to_string(round));
    const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
    std::vector<std::string> got;
    std::vector<std::string> want;
    int published = 0;
    for (int step = 0; step < 200; ++step) {
      switch (below(8)) {
        case 0: {
          // From the beginning: all of it again, and then what follows.
          runtime_.RunUntilIdle();
          for (std::string& body : DrainBodies(queue)) got.push_back(std::move(body));
          ASSERT_EQ(got, want);
          ASSERT_TRUE(subscription.SetReplayPolicy(FromTheBeginning()).ok());
          got.clear();
          want.clear();
          for (int i = 0; i < published; ++i) want.push_back(std::to_string(i));
          break;
        }
        case 1:
          runtime_.Advance(absl::Milliseconds(below(100)));
          break;
        case 2:
          for (std::string& body : DrainBodies(queue)) got.push_back(std::move(body));
          break;
        default:
          want.push_back(std::to_string(published));
          Publish(topic, std::to_string(published++), "g" + std::to_string(below(3)));
      }
    }
    runtime_.RunUntilIdle();
    for (std::string& body : DrainBodies(queue)) got.push_back(std::move(body));
    ASSERT_EQ(got, want);
  }
}

TEST(TopicArchiveBroker, ATopicWithAnArchiveIsNotDeleted) {
  testing::SimulatedRuntime runtime;
  testing::TestBroker test(runtime);
  Broker& broker = test.broker();
  const Topic topic =
      broker.CreateTopic("t.fifo", {.fifo = true, .archive_retention = kDay}).value();
  const absl::Status refused = broker.DeleteTopic("t.fifo");
  EXPECT_EQ(CodeOf(refused), "InvalidState");
  EXPECT_TRUE(broker.FindTopic("t.fifo").ok());
  // Left out is no difference; another retention is.
  EXPECT_TRUE(broker.CreateTopic("t.fifo", {.fifo = true}).ok());
  EXPECT_FALSE(broker.CreateTopic("t.fifo", {.fifo = true, .archive_retention = 2 * kDay}).ok());
  TopicOptions options = topic.Options().value();
  options.archive_retention = absl::ZeroDuration();
  ASSERT_TRUE(topic.SetOptions(options).ok());
  EXPECT_TRUE(broker.DeleteTopic("t.fifo").ok());
}

TEST(TopicArchiveThreads, PublishersAndReplaysAtOnceLoseNothingAndKeepOrder) {
#ifdef BANYAN_SANITIZER
  constexpr int kEach = 300;
#else
  constexpr int kEach = 3'000;
#endif
  constexpr int kPublishers = 3;
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Topic topic =
      broker.CreateTopic("t.fifo", {.fifo = true, .archive_retention = kDay}).value();
  const Queue queue = broker.CreateQueue("q", {.messages_max = 10'000'000}).value();
  Subscription subscription;
  std::vector<std::thread> publishers;
  for (int p = 0; p < kPublishers; ++p) {
    publishers.emplace_back([&topic, p] {
      for (int i = 0; i < kEach; ++i) {
        const std::string id = std::to_string(p) + "." + std::to_string(i);
        ASSERT_TRUE(topic
                        .Publish({.body = id,
                                  .message_group_id = std::to_string(p),
                                  .message_deduplication_id = id})
                        .ok());
      }
    });
  }
  // Subscribes in the middle of it.
  subscription =
      topic
          .Subscribe(queue, {.raw = true,
                             .replay_policy = ReplayPolicy{.starting_point = absl::InfinitePast()}})
          .value();
  for (std::thread& publisher : publishers) publisher.join();
  std::map<char, int> next;
  for (int got = 0; got < kPublishers * kEach;) {
    const std::vector<Received> batch =
        queue.Receive({.max_messages = 10, .wait = absl::Seconds(20)}).value();
    ASSERT_FALSE(batch.empty()) << got;
    for (const Received& received : batch) {
      const std::string body(received.body());
      ASSERT_EQ(body, std::string(1, body[0]) + "." + std::to_string(next[body[0]]++));
      ASSERT_TRUE(received.Delete().ok());
      ++got;
    }
  }
  EXPECT_THAT(queue.Receive({.max_messages = 10}).value(), IsEmpty());
}

thread_local int crossing_depth = 0;

// Publishes to the other of two topics when one drops a message, but not from within itself.
class Crossing : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    if (record.text.find("dropped") == std::string_view::npos || crossing_depth > 0) return;
    ++crossing_depth;
    const bool is_first = record.resource.find(":one.fifo") != std::string_view::npos;
    const std::string id = "x" + std::to_string(ids.fetch_add(1));
    (is_first ? two : one)
        .Publish({.body = id, .message_group_id = "g", .message_deduplication_id = id})
        .status()
        .IgnoreError();
    --crossing_depth;
  }
  Topic one, two;
  std::atomic<int> ids = 0;
};

// A log sink that publishes to the other topic, on two threads at once: neither waits for the other.
TEST(TopicArchiveThreads, TwoTopicsWhoseLogSinkPublishesToTheOtherDoNotHang) {
#ifdef BANYAN_SANITIZER
  constexpr int kEach = 200;
#else
  constexpr int kEach = 3'000;
#endif
  Crossing log;
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 1});
  Broker broker = Broker::Create(*runtime, {.log = &log}).value();
  log.one = broker.CreateTopic("one.fifo", {.fifo = true}).value();
  log.two = broker.CreateTopic("two.fifo", {.fifo = true}).value();
  const Queue heard = broker.CreateQueue("heard").value();
  for (const Topic& topic : {log.one, log.two}) {
    topic.Subscribe(broker.CreateQueue("gone").value()).value();
    topic.Subscribe(heard, {.raw = true}).value();
  }
  ASSERT_TRUE(broker.DeleteQueue("gone").ok());
  std::vector<std::thread> publishers;
  for (const Topic& topic : {log.one, log.two}) {
    publishers.emplace_back([topic] {
      for (int i = 0; i < kEach; ++i) {
        const std::string id = std::to_string(i);
        ASSERT_TRUE(
            topic.Publish({.body = id, .message_group_id = "g", .message_deduplication_id = id})
                .ok());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  // What the sinks left for the other thread has been served by it.
  EXPECT_EQ(heard.Depth().total(), 2 * kEach + log.ids.load());
}

}  // namespace
}  // namespace banyan::internal
