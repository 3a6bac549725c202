// SPDX-License-Identifier: Apache-2.0
//
// Poison and where it goes: section 5 of the sheet, with the timing as decided for Banyan (a
// message moves at the instant it would become visible again).
#include <string>

#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeadLetterTest : public QueueTest {
 protected:
  // Receives `body` out of the source until it has had its attempts, and lets the last one end.
  void Exhaust(int attempts = 1) {
    for (int i = 0; i < attempts; ++i) {
      ReceiveOne(source_);
      runtime_.Advance(absl::Seconds(30));
    }
  }

  QueueOptions WithRedrive(int64_t max_receive_count) {
    return {.redrive = RedrivePolicy{dead_.arn(), max_receive_count}};
  }

  Queue dead_ = broker_.Make("dead", {.retention = absl::Hours(14 * 24)});
  Queue source_ = broker_.Make("source", WithRedrive(1));
};

TEST_F(DeadLetterTest, MovesAtTheInstantItWouldBeVisibleAgainWithoutAnyReceive) {
  Send(source_, "poison");
  ReceiveOne(source_);
  runtime_.Advance(absl::Seconds(30) - absl::Nanoseconds(1));
  EXPECT_EQ(dead_.Depth(), QueueDepth{});
  runtime_.Advance(absl::Nanoseconds(1));
  // Looked at from below, so that it is the timer's doing and not that of this look.
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(source_.Depth(), QueueDepth{});
  EXPECT_EQ(source_.Stats().moved_out, 1);
  EXPECT_EQ(dead_.Stats().moved_in, 1);
}

TEST_F(DeadLetterTest, MaxReceiveCountIsTheNumberOfDeliveries) {
  ASSERT_TRUE(source_.SetOptions(WithRedrive(3)).ok());
  Send(source_, "poison");
  Exhaust(2);
  EXPECT_EQ(source_.Depth(), (QueueDepth{.visible = 1}));
  Exhaust(1);
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
}

// Marked in the sheet: the count spans queues; the move itself is no delivery.
TEST_F(DeadLetterTest, CountGoesOnAndTheMoveIsNoDelivery) {
  Send(source_, "poison");
  Exhaust();
  EXPECT_EQ(dead_.Peek(1)->at(0).receive_count(), 1);
  EXPECT_EQ(ReceiveOne(dead_).receive_count(), 2);
}

TEST_F(DeadLetterTest, IdBodyAttributesAndStampsAreKept) {
  const absl::Time sent = runtime_.Now();
  const Id id =
      source_.Send({.body = "poison", .attributes = {{"k", "v"}}, .trace_header = "Root=1-a-b"})
          ->message_id;
  const Received first = ReceiveOne(source_);
  EXPECT_EQ(first.dead_letter_source(), std::nullopt);
  const absl::Time received = runtime_.Now();
  runtime_.Advance(absl::Seconds(30));
  const Received dead = ReceiveOne(dead_);
  EXPECT_EQ(dead.id(), id);
  EXPECT_EQ(dead.event_id(), first.event_id());
  EXPECT_EQ(dead.attributes(), (Attributes{{"k", "v"}}));
  EXPECT_EQ(dead.trace_header(), "Root=1-a-b");
  EXPECT_EQ(dead.sent_time(), sent);
  EXPECT_EQ(dead.first_receive_time(), received);
  EXPECT_EQ(dead.dead_letter_source(), source_.arn().ToString());
  EXPECT_TRUE(dead.payload().SharesBlockWith(first.payload())) << "the body did not move";
}

TEST_F(DeadLetterTest, HandingBackTheLastAttemptMovesAtOnce) {
  Send(source_, "poison");
  ASSERT_TRUE(ReceiveOne(source_).ChangeVisibility(absl::ZeroDuration()).ok());
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(DeadLetterTest, ReceiveWithZeroVisibilityOnTheLastAttemptMovesAtOnce) {
  Send(source_, "poison");
  EXPECT_EQ(Receive(source_, {.visibility_timeout = absl::ZeroDuration()}).size(), 1u);
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(DeadLetterTest, SettledInTimeNeverMoves) {
  Send(source_, "good");
  ASSERT_TRUE(ReceiveOne(source_).Delete().ok());
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(dead_.Depth(), QueueDepth{});
}

// Marked in the sheet: one day used, four days of retention there, three left.
TEST_F(DeadLetterTest, RetentionCountsFromTheFirstEnqueue) {
  ASSERT_TRUE(dead_.SetOptions({.retention = absl::Hours(4 * 24)}).ok());
  Send(source_, "poison");
  runtime_.Advance(absl::Hours(24) - absl::Seconds(30));
  Exhaust();
  EXPECT_EQ(dead_.Depth().total(), 1);
  runtime_.Advance(absl::Hours(3 * 24) - absl::Nanoseconds(1));
  EXPECT_EQ(dead_.Depth().total(), 1);
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(dead_.Depth().total(), 0);
  EXPECT_EQ(dead_.Stats().expired, 1);
}

TEST_F(DeadLetterTest, LateDeleteWithTheLastHandleRemovesItFromTheDeadLetterQueue) {
  Send(source_, "slow success");
  const Received slow = ReceiveOne(source_);
  runtime_.Advance(absl::Minutes(1));
  ASSERT_EQ(dead_.Depth().total(), 1);
  EXPECT_TRUE(slow.Delete().ok());
  EXPECT_EQ(dead_.Depth().total(), 0);
  EXPECT_EQ(dead_.Stats().deleted, 1);
}

TEST_F(DeadLetterTest, LateDeleteDoesNothingOnceItWasReceivedThere) {
  Send(source_, "slow");
  const Received slow = ReceiveOne(source_);
  runtime_.Advance(absl::Minutes(1));
  ReceiveOne(dead_);
  EXPECT_TRUE(slow.Delete().ok());
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.in_flight = 1}));
}

TEST_F(DeadLetterTest, LateDeleteWithAnEarlierHandleDoesNothing) {
  ASSERT_TRUE(source_.SetOptions(WithRedrive(2)).ok());
  Send(source_, "slow");
  const Received first = ReceiveOne(source_);
  runtime_.Advance(absl::Seconds(30));
  Exhaust();
  ASSERT_EQ(dead_.Depth().total(), 1);
  EXPECT_TRUE(first.Delete().ok());
  EXPECT_EQ(dead_.Depth().total(), 1);
}

TEST_F(DeadLetterTest, ChangeVisibilityWithAHandleOfTheSourceIsRefusedAfterTheMove) {
  Send(source_, "slow");
  const Received slow = ReceiveOne(source_);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(AwsCode(slow.ChangeVisibility(absl::Seconds(1))), "InvalidParameterValue");
}

TEST_F(DeadLetterTest, WithoutItsDeadLetterQueueAMessageStaysAndComesBack) {
  Send(source_, "poison");
  broker_.Delete(dead_);
  Exhaust();
  EXPECT_EQ(source_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(ReceiveOne(source_).receive_count(), 2);
  source_.core()->CheckInvariants();
}

TEST_F(DeadLetterTest, DeadLetterQueueMadeAgainByTheSameNameIsFound) {
  Send(source_, "poison");
  broker_.Delete(dead_);
  dead_ = broker_.Make("dead");
  Exhaust();
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(DeadLetterTest, FullDeadLetterQueueTakesMovedMessagesStill) {
  ASSERT_TRUE(dead_.SetOptions({.messages_max = 1}).ok());
  Send(dead_, "own");
  Send(source_, "poison");
  Exhaust();
  EXPECT_EQ(dead_.Depth().total(), 2);
}

TEST_F(DeadLetterTest, DeadLetterQueueOffersWhatItWasGivenBeforeItsOwnPolicyCounts) {
  Queue last = broker_.Make("last");
  ASSERT_TRUE(dead_.SetOptions({.redrive = RedrivePolicy{last.arn(), 1}}).ok());
  Send(source_, "poison");
  Exhaust();
  EXPECT_EQ(ReceiveOne(dead_).receive_count(), 2);
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(ReceiveOne(last).receive_count(), 3);
}

TEST_F(DeadLetterTest, PoliciesThatFormACycleMoveRoundWithoutEnd) {
  ASSERT_TRUE(dead_.SetOptions({.redrive = RedrivePolicy{source_.arn(), 1}}).ok());
  Send(source_, "poison");
  for (int round = 1; round <= 5; ++round) {
    EXPECT_EQ(ReceiveOne(source_).receive_count(), 2 * round - 1);
    runtime_.Advance(absl::Seconds(30));
    EXPECT_EQ(ReceiveOne(dead_).receive_count(), 2 * round);
    runtime_.Advance(absl::Seconds(30));
  }
  EXPECT_EQ(source_.Depth().total(), 1);
}

TEST_F(DeadLetterTest, PolicyNamesAnExistingOtherQueue) {
  const auto set = [this](const Arn& arn) {
    return source_.SetOptions({.redrive = RedrivePolicy{arn, 3}});
  };
  EXPECT_EQ(AwsCode(set(source_.arn())), "InvalidParameterValue");
  Arn unknown = dead_.arn();
  unknown.resource = "nobody";
  const absl::Status status = set(unknown);
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_THAT(std::string(status.message()), HasSubstr("Dead letter target does not exist."));
  EXPECT_EQ(source_.Options()->redrive, (RedrivePolicy{dead_.arn(), 1}));
}

TEST_F(DeadLetterTest, PolicySetLaterMovesVisibleMessagesThatHadTheirAttempts) {
  source_ = broker_.Make("plain");
  Send(source_, "poison");
  Send(source_, "untouched");
  Exhaust();
  ASSERT_TRUE(source_.SetOptions(WithRedrive(1)).ok());
  EXPECT_THAT(Bodies(ReceiveAll(source_)), ElementsAre("untouched"));
  EXPECT_THAT(Bodies(ReceiveAll(dead_)), ElementsAre("poison"));
}

TEST_F(DeadLetterTest, TakingThePolicyAwayEndsTheMoves) {
  Send(source_, "poison");
  ReceiveOne(source_);
  ASSERT_TRUE(source_.SetOptions({}).ok());
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(ReceiveOne(source_).receive_count(), 2);
  EXPECT_EQ(dead_.Depth().total(), 0);
}

TEST_F(DeadLetterTest, DeadLetterWakesALongPollThere) {
  Send(source_, "poison");
  ReceiveOne(source_);
  const std::vector<Received> got = Receive(dead_, {.wait = absl::Seconds(20)});
  EXPECT_THAT(got, IsEmpty()) << "30 seconds had not passed";
  EXPECT_EQ(Receive(dead_, {.wait = absl::Seconds(20)}).size(), 1u);
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(30));
}

// --- redrive --------------------------------------------------------------------------------

TEST_F(DeadLetterTest, RedriveSendsBackOldestFirstAsNewMessages) {
  const Id id = Send(source_, "1");
  runtime_.Advance(absl::Seconds(1));
  Send(source_, "2");
  ASSERT_EQ(ReceiveAll(source_).size(), 2u);
  runtime_.Advance(absl::Seconds(30));
  ASSERT_EQ(dead_.Depth().visible, 2);

  EXPECT_EQ(*dead_.Redrive(), 2);
  EXPECT_EQ(dead_.Depth(), QueueDepth{});
  EXPECT_EQ(dead_.Stats().moved_out, 2);
  const std::vector<Received> back = ReceiveAll(source_);
  EXPECT_THAT(Bodies(back), ElementsAre("1", "2"));
  EXPECT_EQ(back[0].receive_count(), 1);
  EXPECT_NE(back[0].id(), id);
  EXPECT_EQ(back[0].sent_time(), runtime_.Now());
  EXPECT_EQ(back[0].first_receive_time(), runtime_.Now());
  EXPECT_EQ(back[0].dead_letter_source(), std::nullopt);
}

TEST_F(DeadLetterTest, RedriveRestartsRetention) {
  Send(source_, "m");
  Exhaust();
  runtime_.Advance(absl::Hours(3 * 24));
  ASSERT_EQ(*dead_.Redrive(), 1);
  runtime_.Advance(absl::Hours(3 * 24));
  EXPECT_EQ(source_.Depth().total(), 1);
}

TEST_F(DeadLetterTest, RedriveSendsEachMessageToItsOwnSource) {
  Queue other = broker_.Make("other", WithRedrive(1));
  Send(source_, "s");
  Send(other, "o");
  Send(dead_, "own");
  ReceiveOne(source_);
  ReceiveOne(other);
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(*dead_.Redrive(), 2);
  EXPECT_THAT(Bodies(ReceiveAll(source_)), ElementsAre("s"));
  EXPECT_THAT(Bodies(ReceiveAll(other)), ElementsAre("o"));
  EXPECT_THAT(Bodies(ReceiveAll(dead_)), ElementsAre("own")) << "it came from nowhere else";
}

TEST_F(DeadLetterTest, RedriveTakesAsManyAsAskedAndOnlyVisibleOnes) {
  for (int i = 0; i < 5; ++i) Send(source_, std::to_string(i));
  ASSERT_EQ(ReceiveAll(source_).size(), 5u);
  runtime_.Advance(absl::Seconds(30));
  ReceiveOne(dead_);
  EXPECT_EQ(*dead_.Redrive(2), 2);
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 2, .in_flight = 1}));
  EXPECT_EQ(*dead_.Redrive(), 2);
  EXPECT_FALSE(dead_.Redrive(0).ok());
}

TEST_F(DeadLetterTest, RedriveLeavesMessagesWhoseSourceIsGone) {
  Send(source_, "m");
  Exhaust();
  broker_.Delete(source_);
  EXPECT_EQ(*dead_.Redrive(), 0);
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(dead_.Stats().moved_out, 0);
}

// More of those that stay, of those that go and in one instant than a redrive moves in one step.
TEST_F(DeadLetterTest, RedriveInALoopGoesPastWhatStaysInOrder) {
  constexpr int kEach = 250;
  Queue gone = broker_.Make("gone", WithRedrive(1));
  for (int i = 0; i < kEach; ++i) Send(gone, "stays");
  for (int i = 0; i < kEach; ++i) Send(source_, std::to_string(i));
  for (int i = 0; i < kEach / 10; ++i) {
    ASSERT_EQ(ReceiveAll(gone).size(), 10u);
    ASSERT_EQ(ReceiveAll(source_).size(), 10u);
  }
  // Slots that are used again, so that a place in the arena is not an order.
  for (int i = 0; i < 10; ++i) Send(dead_, "own");
  for (const Received& own : ReceiveAll(dead_)) ASSERT_TRUE(own.Delete().ok());
  runtime_.Advance(absl::Seconds(30));
  ASSERT_EQ(dead_.Depth().visible, 2 * kEach);
  broker_.Delete(gone);

  for (int i = 0; i < 10; ++i) ASSERT_EQ(*dead_.Redrive(1), 1);
  ASSERT_EQ(*dead_.Redrive(kEach), kEach - 10);
  ASSERT_EQ(*dead_.Redrive(), 0);
  EXPECT_EQ(dead_.Depth().visible, kEach);
  dead_.core()->CheckInvariants();
  int next = 0;
  for (int i = 0; i < kEach / 10; ++i) {
    for (const Received& one : ReceiveAll(source_)) EXPECT_EQ(one.body(), std::to_string(next++));
  }
  EXPECT_EQ(next, kEach);
}

TEST_F(DeadLetterTest, ManyMessagesAreRedrivenInOrder) {
  constexpr int kMany = 1'000;
  for (int i = 0; i < kMany; ++i) {
    Send(source_, std::to_string(i));
    runtime_.Advance(absl::Milliseconds(1));
  }
  for (int i = 0; i < kMany / 10; ++i) ASSERT_EQ(ReceiveAll(source_).size(), 10u);
  runtime_.Advance(absl::Seconds(30));
  ASSERT_EQ(*dead_.Redrive(), kMany);
  int next = 0;
  for (int i = 0; i < kMany / 10; ++i) {
    for (const Received& one : ReceiveAll(source_)) EXPECT_EQ(one.body(), std::to_string(next++));
  }
  EXPECT_EQ(next, kMany);
}

TEST_F(DeadLetterTest, BooksOfBothQueuesBalance) {
  for (int i = 0; i < 4; ++i) Send(source_, std::to_string(i));
  ASSERT_EQ(ReceiveAll(source_).size(), 4u);
  runtime_.Advance(absl::Seconds(30));
  ASSERT_EQ(*dead_.Redrive(1), 1);
  ASSERT_TRUE(ReceiveOne(dead_).Delete().ok());
  const QueueStats s = source_.Stats();
  const QueueStats d = dead_.Stats();
  EXPECT_EQ(s.accepted, 4);
  EXPECT_EQ(s.moved_out, 4);
  EXPECT_EQ(s.moved_in, 1);
  EXPECT_EQ(s.depth.total(), 1);
  EXPECT_EQ(d.moved_in, 4);
  EXPECT_EQ(d.moved_out, 1);
  EXPECT_EQ(d.deleted, 1);
  EXPECT_EQ(d.depth.total(), 2);
}

}  // namespace
}  // namespace banyan::internal
