// SPDX-License-Identifier: Apache-2.0
//
// The life of a message in a standard queue: sections 1, 3 and 8 of the sheet.
#include <optional>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReceiveTest : public QueueTest {
 protected:
  Queue queue_ = broker_.Make("jobs");
};

TEST_F(ReceiveTest, EmptyQueueAnswersAnEmptyVector) { EXPECT_THAT(ReceiveAll(queue_), IsEmpty()); }

TEST_F(ReceiveTest, HidesWhatItGivesUntilTheTimeoutEnds) {
  Send(queue_, "m");
  ReceiveOne(queue_);
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 1}));
  runtime_.Advance(absl::Seconds(30) - absl::Nanoseconds(1));
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty());
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(ReceiveOne(queue_).receive_count(), 2);
}

TEST_F(ReceiveTest, GivesOneUnlessAskedForMore) {
  for (int i = 0; i < 12; ++i) Send(queue_, std::to_string(i));
  EXPECT_EQ(Receive(queue_).size(), 1u);
  EXPECT_EQ(Receive(queue_, {.max_messages = 10}).size(), 10u);
  EXPECT_EQ(Receive(queue_, {.max_messages = 10}).size(), 1u);
}

TEST_F(ReceiveTest, CountsReceivesAndKeepsTheFirstReceiveTime) {
  const absl::Time sent = runtime_.Now();
  Send(queue_, "m");
  runtime_.Advance(absl::Seconds(5));
  const absl::Time first = runtime_.Now();
  EXPECT_EQ(ReceiveOne(queue_).first_receive_time(), first);
  runtime_.Advance(absl::Seconds(30));
  const Received again = ReceiveOne(queue_);
  EXPECT_EQ(again.receive_count(), 2);
  EXPECT_EQ(again.first_receive_time(), first);
  EXPECT_EQ(again.sent_time(), sent);
}

TEST_F(ReceiveTest, EachDeliveryHasItsOwnReceiptHandle) {
  std::set<std::string> handles;
  for (int i = 0; i < 20; ++i) Send(queue_, "m");
  for (int round = 0; round < 3; ++round) {
    for (int batch = 0; batch < 2; ++batch) {
      for (const Received& one : ReceiveAll(queue_)) handles.insert(one.receipt_handle());
    }
    runtime_.Advance(absl::Seconds(30));
  }
  EXPECT_EQ(handles.size(), 60u);
}

TEST_F(ReceiveTest, VisibilityOfTheRequestOverridesTheQueuesForThisReceiveOnly) {
  Send(queue_, "m");
  Receive(queue_, {.visibility_timeout = absl::Seconds(5)});
  runtime_.Advance(absl::Seconds(5));
  ReceiveOne(queue_);
  runtime_.Advance(absl::Seconds(5));
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty()) << "the queue's 30 seconds again";
}

TEST_F(ReceiveTest, ZeroVisibilityGivesTheMessageAndLeavesItVisible) {
  Send(queue_, "m");
  Send(queue_, "n");
  const std::vector<Received> got =
      Receive(queue_, {.max_messages = 10, .visibility_timeout = absl::ZeroDuration()});
  EXPECT_THAT(Bodies(got), ElementsAre("m", "n")) << "each once";
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 2}));
  EXPECT_EQ(ReceiveAll(queue_)[0].receive_count(), 2);
}

TEST_F(ReceiveTest, ArgumentsOutOfRangeAreRefusedInAwsWords) {
  const auto code = [this](ReceiveOptions options) {
    return AwsCode(queue_.Receive(std::move(options)).status());
  };
  EXPECT_EQ(code({.max_messages = 0}), "InvalidParameterValue");
  EXPECT_EQ(code({.max_messages = 11}), "InvalidParameterValue");
  EXPECT_EQ(code({.visibility_timeout = absl::Seconds(-1)}), "InvalidParameterValue");
  EXPECT_EQ(code({.visibility_timeout = absl::Seconds(43'201)}), "InvalidParameterValue");
  EXPECT_EQ(code({.wait = absl::Seconds(21)}), "InvalidParameterValue");
  EXPECT_EQ(queue_.Receive({.max_messages = 11}).status().message(),
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and "
            "10, if provided.");
  EXPECT_EQ(queue_.Receive({.wait = absl::Seconds(21)}).status().message(),
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if "
            "provided.");
}

// --- order ----------------------------------------------------------------------------------

TEST_F(ReceiveTest, MessagesThatComeBackAreOfferedBeforeThoseNeverOffered) {
  for (const char* body : {"1", "2", "3"}) Send(queue_, body);
  Receive(queue_, {.max_messages = 2});
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(Bodies(ReceiveAll(queue_)), ElementsAre("1", "2", "3"));
}

// Marked in the sheet: after three receives a message goes to the back, so poison starves nobody.
TEST_F(ReceiveTest, ThirdReceiveSendsAMessageToTheBack) {
  Send(queue_, "poison");
  Send(queue_, "good");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReceiveOne(queue_).body(), "poison");
    runtime_.Advance(absl::Seconds(30));
  }
  EXPECT_THAT(Bodies(ReceiveAll(queue_)), ElementsAre("good", "poison"));
}

// --- delay ----------------------------------------------------------------------------------

TEST_F(ReceiveTest, QueueDelayHidesAMessageAtFirst) {
  queue_ = broker_.Make("slow", {.delay = absl::Seconds(10)});
  Send(queue_, "m");
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.delayed = 1}));
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty());
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(ReceiveOne(queue_).body(), "m");
}

TEST_F(ReceiveTest, MessageDelayOverridesTheQueuesAlsoWithZero) {
  queue_ = broker_.Make("slow", {.delay = absl::Seconds(10)});
  ASSERT_TRUE(queue_.Send({.body = "now", .delay = absl::ZeroDuration()}).ok());
  ASSERT_TRUE(queue_.Send({.body = "soon", .delay = absl::Seconds(1)}).ok());
  EXPECT_THAT(Bodies(ReceiveAll(queue_)), ElementsAre("now"));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(Bodies(ReceiveAll(queue_)), ElementsAre("soon"));
}

TEST_F(ReceiveTest, ChangingTheQueueDelayDoesNotTouchMessagesAlreadySent) {
  queue_ = broker_.Make("slow", {.delay = absl::Seconds(10)});
  Send(queue_, "m");
  ASSERT_TRUE(queue_.SetOptions({.delay = absl::Minutes(10)}).ok());
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(ReceiveOne(queue_).body(), "m");
}

// --- receipt handles: the table of section 3, standard column -------------------------------

TEST_F(ReceiveTest, DeleteWithTheLatestHandleInTime) {
  Send(queue_, "m");
  EXPECT_TRUE(ReceiveOne(queue_).Delete().ok());
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(queue_.Stats().deleted, 1);
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
}

// Marked in the sheet.
TEST_F(ReceiveTest, DeleteWithTheLatestHandleAfterTheTimeoutStillDeletes) {
  Send(queue_, "m");
  const Received late = ReceiveOne(queue_);
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_TRUE(late.Delete().ok());
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
}

TEST_F(ReceiveTest, DeleteWithAnOlderHandleAnswersOkAndDeletesNothing) {
  Send(queue_, "m");
  const Received slow = ReceiveOne(queue_);
  runtime_.Advance(absl::Seconds(31));
  const Received quick = ReceiveOne(queue_);
  EXPECT_TRUE(slow.Delete().ok());
  EXPECT_TRUE(queue_.Delete(slow.receipt_handle()).ok());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 1}));
  EXPECT_EQ(queue_.Stats().stale_deletes, 2);
  EXPECT_TRUE(quick.Delete().ok());
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
}

TEST_F(ReceiveTest, DeleteAfterAnExtensionDeletes) {
  Send(queue_, "m");
  const Received got = ReceiveOne(queue_);
  runtime_.Advance(absl::Seconds(29));
  ASSERT_TRUE(got.ChangeVisibility(absl::Minutes(5)).ok());
  runtime_.Advance(absl::Minutes(4));
  EXPECT_FALSE(got.Overrun());
  EXPECT_TRUE(got.Delete().ok());
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
}

TEST_F(ReceiveTest, DeleteOfADeletedMessageSucceedsAnyNumberOfTimes) {
  Send(queue_, "m");
  const Received got = ReceiveOne(queue_);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(got.Delete().ok());
  EXPECT_TRUE(queue_.Delete(got.receipt_handle()).ok());
  EXPECT_EQ(queue_.Stats().deleted, 1);
}

TEST_F(ReceiveTest, HandleOfADeletedMessageDoesNotReachTheNextOneInItsPlace) {
  Send(queue_, "first");
  const Received first = ReceiveOne(queue_);
  ASSERT_TRUE(first.Delete().ok());
  Send(queue_, "second");
  const Received second = ReceiveOne(queue_);
  EXPECT_TRUE(first.Delete().ok());
  EXPECT_FALSE(first.ChangeVisibility(absl::ZeroDuration()).ok());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 1}));
}

TEST_F(ReceiveTest, GarbageIsNotAReceiptHandle) {
  const absl::Status status = queue_.Delete("garbage");
  EXPECT_EQ(AwsCode(status), "ReceiptHandleIsInvalid");
  EXPECT_EQ(status.message(),
            "The input receipt handle \"garbage\" is not a valid receipt handle.");
  EXPECT_EQ(AwsCode(queue_.ChangeVisibility("garbage", absl::Seconds(1))),
            "ReceiptHandleIsInvalid");

  Send(queue_, "m");
  const std::string handle = ReceiveOne(queue_).receipt_handle();
  for (size_t i = 0; i < handle.size(); ++i) {
    std::string damaged = handle;
    damaged[i] = damaged[i] == '0' ? '1' : '0';
    EXPECT_EQ(AwsCode(queue_.Delete(damaged)), "ReceiptHandleIsInvalid") << damaged;
  }
  EXPECT_FALSE(queue_.Delete(handle.substr(1)).ok());
  EXPECT_FALSE(queue_.Delete("").ok());
  EXPECT_TRUE(queue_.Delete(handle).ok());
}

TEST_F(ReceiveTest, HandleOfAnotherQueueIsNotAReceiptHandleHere) {
  Queue other = broker_.Make("other");
  Send(other, "m");
  EXPECT_EQ(AwsCode(queue_.Delete(ReceiveOne(other).receipt_handle())), "ReceiptHandleIsInvalid");
}

// Marked in the sheet.
TEST_F(ReceiveTest, ChangeVisibilityAfterTheTimeoutHidesTheMessageAgain) {
  Send(queue_, "m");
  const Received late = ReceiveOne(queue_);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_TRUE(late.ChangeVisibility(absl::Seconds(10)).ok());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 1}));
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1}));
}

// Marked in the sheet.
TEST_F(ReceiveTest, ChangeVisibilityWithAnOlderHandleTakesEffect) {
  Send(queue_, "m");
  const Received older = ReceiveOne(queue_);
  runtime_.Advance(absl::Seconds(30));
  ReceiveOne(queue_);
  EXPECT_TRUE(older.ChangeVisibility(absl::ZeroDuration()).ok());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(ReceiveTest, ChangeVisibilityOfADeletedMessageIsRefused) {
  Send(queue_, "m");
  const Received got = ReceiveOne(queue_);
  ASSERT_TRUE(got.Delete().ok());
  const absl::Status status = got.ChangeVisibility(absl::Seconds(1));
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("Reason: Message does not exist or is not available for visibility timeout "
                        "change."));
}

TEST_F(ReceiveTest, ChangeVisibilityToZeroHandsTheMessageBackAtOnce) {
  Send(queue_, "m");
  EXPECT_TRUE(ReceiveOne(queue_).ChangeVisibility(absl::ZeroDuration()).ok());
  EXPECT_EQ(ReceiveOne(queue_).receive_count(), 2);
}

TEST_F(ReceiveTest, ChangedVisibilityDoesNotStick) {
  Send(queue_, "m");
  ASSERT_TRUE(ReceiveOne(queue_).ChangeVisibility(absl::Seconds(2)).ok());
  runtime_.Advance(absl::Seconds(2));
  ReceiveOne(queue_);
  runtime_.Advance(absl::Seconds(29));
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty());
}

TEST_F(ReceiveTest, ChangeVisibilityOutOfRangeIsRefused) {
  Send(queue_, "m");
  const Received got = ReceiveOne(queue_);
  EXPECT_EQ(AwsCode(got.ChangeVisibility(absl::Seconds(-1))), "InvalidParameterValue");
  EXPECT_EQ(AwsCode(got.ChangeVisibility(absl::Seconds(43'201))), "InvalidParameterValue");
  EXPECT_EQ(AwsCode(got.ChangeVisibility(absl::InfiniteDuration())), "InvalidParameterValue");
}

// Marked in the sheet: because some time has passed, exactly 43,200 seconds fail.
TEST_F(ReceiveTest, TwelveHoursCountFromTheReceive) {
  Send(queue_, "m");
  const Received got = ReceiveOne(queue_);
  runtime_.Advance(absl::Nanoseconds(1));
  const absl::Status status = got.ChangeVisibility(absl::Seconds(43'200));
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_EQ(status.message(),
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total "
            "VisibilityTimeout for the message is beyond the limit [43200 seconds]");
  EXPECT_TRUE(got.ChangeVisibility(absl::Seconds(43'199)).ok());

  runtime_.Advance(absl::Hours(6));
  EXPECT_FALSE(got.ChangeVisibility(absl::Hours(6)).ok());
  EXPECT_TRUE(got.ChangeVisibility(absl::Hours(5)).ok());
}

TEST_F(ReceiveTest, TwelveHoursBeginAnewWithEachReceive) {
  Send(queue_, "m");
  Receive(queue_, {.visibility_timeout = absl::Hours(11)});
  runtime_.Advance(absl::Hours(11));
  EXPECT_TRUE(ReceiveOne(queue_).ChangeVisibility(absl::Hours(11)).ok());
}

// Limits may be lifted; "for ever" then hides a message until its retention ends.
TEST_F(ReceiveTest, WithoutALimitAMessageMayBeHiddenForEver) {
  Limits limits = Limits::Aws();
  limits.queue.visibility_max = absl::InfiniteDuration();
  TestBroker broker(runtime_, limits);
  const Queue queue = broker.Make("patient");
  Send(queue, "m");
  const Received got = ReceiveOne(queue);
  runtime_.Advance(absl::Seconds(1));
  ASSERT_TRUE(got.ChangeVisibility(absl::InfiniteDuration()).ok());
  runtime_.Advance(absl::Hours(24));
  EXPECT_EQ(queue.Depth(), (QueueDepth{.in_flight = 1}));
  EXPECT_TRUE(got.Delete().ok());
  EXPECT_EQ(queue.Depth(), QueueDepth{});
}

TEST_F(ReceiveTest, OverrunTellsThatAnotherMayHaveTheMessage) {
  Send(queue_, "m");
  const Received got = ReceiveOne(queue_);
  EXPECT_FALSE(got.Overrun());
  runtime_.Advance(absl::Seconds(30));
  EXPECT_TRUE(got.Overrun());
  const Received again = ReceiveOne(queue_);
  EXPECT_TRUE(got.Overrun());
  EXPECT_FALSE(again.Overrun());
  ASSERT_TRUE(again.Delete().ok());
  runtime_.Advance(absl::Hours(1));
  EXPECT_FALSE(again.Overrun()) << "it was settled in time";
  EXPECT_TRUE(got.Overrun());
}

// --- in flight ------------------------------------------------------------------------------

TEST_F(ReceiveTest, ShortPollAtTheInFlightLimitIsOverLimit) {
  queue_ = broker_.Make("narrow", {.in_flight_max = 2});
  for (const char* body : {"1", "2", "3"}) Send(queue_, body);
  std::vector<Received> got = ReceiveAll(queue_);
  EXPECT_EQ(got.size(), 2u);
  const absl::Status status = queue_.Receive().status();
  EXPECT_EQ(AwsCode(status), "OverLimit");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(got[0].Delete().ok());
  EXPECT_EQ(ReceiveOne(queue_).body(), "3");
}

TEST_F(ReceiveTest, LongPollAtTheInFlightLimitIsEmptyWithoutError) {
  queue_ = broker_.Make("narrow", {.in_flight_max = 1});
  Send(queue_, "1");
  Send(queue_, "2");
  Receive(queue_, {.visibility_timeout = absl::Hours(1)});
  EXPECT_THAT(Receive(queue_, {.wait = absl::Seconds(20)}), IsEmpty());
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(20));
}

TEST_F(ReceiveTest, HidingAgainAtTheInFlightLimitIsOverLimit) {
  queue_ = broker_.Make("narrow", {.in_flight_max = 1});
  Send(queue_, "late");
  Send(queue_, "other");
  Received late;
  for (int i = 0; i < 3; ++i) {  // after the third attempt it rests behind the other
    late = ReceiveOne(queue_);
    ASSERT_EQ(late.body(), "late");
    runtime_.Advance(absl::Seconds(30));
  }
  const Received other = ReceiveOne(queue_);
  ASSERT_EQ(other.body(), "other");
  EXPECT_EQ(AwsCode(late.ChangeVisibility(absl::Seconds(5))), "OverLimit");
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1, .in_flight = 1}));
  ASSERT_TRUE(other.Delete().ok());
  EXPECT_TRUE(late.ChangeVisibility(absl::Seconds(5)).ok());
}

// --- retention ------------------------------------------------------------------------------

TEST_F(ReceiveTest, MessagesExpireInEveryState) {
  queue_ = broker_.Make("brief", {.retention = absl::Minutes(1)});
  ASSERT_TRUE(queue_.Send({.body = "delayed", .delay = absl::Minutes(10)}).ok());
  Send(queue_, "in flight");
  Receive(queue_, {.visibility_timeout = absl::Hours(1)});
  Send(queue_, "visible");
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1, .in_flight = 1, .delayed = 1}));
  runtime_.Advance(absl::Minutes(1) - absl::Nanoseconds(1));
  EXPECT_EQ(queue_.Depth().total(), 3);
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
  EXPECT_EQ(queue_.Stats().expired, 3);
  EXPECT_EQ(queue_.Stats().bytes, 0);
}

// Marked in the sheet.
TEST_F(ReceiveTest, DeleteOfAMessageThatExpiredInFlightSucceeds) {
  queue_ = broker_.Make("brief", {.retention = absl::Minutes(1)});
  Send(queue_, "m");
  const std::vector<Received> got = Receive(queue_, {.visibility_timeout = absl::Hours(1)});
  runtime_.Advance(absl::Minutes(1));
  EXPECT_TRUE(got[0].Delete().ok());
  EXPECT_EQ(queue_.Stats().deleted, 0);
  EXPECT_EQ(queue_.Stats().expired, 1);
}

TEST_F(ReceiveTest, ShorterRetentionEndsOldMessagesAtOnce) {
  Send(queue_, "old");
  runtime_.Advance(absl::Minutes(5));
  Send(queue_, "new");
  ASSERT_TRUE(queue_.SetOptions({.retention = absl::Minutes(5)}).ok());
  EXPECT_THAT(Bodies(ReceiveAll(queue_)), ElementsAre("new"));
}

TEST_F(ReceiveTest, JumpOfTheWallClockMovesNoDeadline) {
  queue_ = broker_.Make("brief", {.retention = absl::Minutes(1)});
  Send(queue_, "m");
  ReceiveOne(queue_);
  runtime_.JumpWallClock(absl::Hours(24 * 365));
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 1}));
  runtime_.JumpWallClock(-absl::Hours(2 * 24 * 365));
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(ReceiveOne(queue_).receive_count(), 2);
}

// --- looking and forgetting -----------------------------------------------------------------

TEST_F(ReceiveTest, PeekCountsNothingAndSettlesNothing) {
  for (const char* body : {"1", "2", "3"}) Send(queue_, body);
  ReceiveOne(queue_);
  absl::StatusOr<std::vector<Received>> seen = queue_.Peek(10);
  ASSERT_TRUE(seen.ok());
  EXPECT_THAT(Bodies(*seen), ElementsAre("2", "3"));
  EXPECT_EQ((*seen)[0].receive_count(), 0);
  EXPECT_EQ((*seen)[0].receipt_handle(), "");
  EXPECT_EQ(AwsCode((*seen)[0].Delete()), "ReceiptHandleIsInvalid");
  EXPECT_EQ(AwsCode((*seen)[0].ChangeVisibility(absl::Seconds(1))), "ReceiptHandleIsInvalid");
  EXPECT_FALSE((*seen)[0].Overrun());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 2, .in_flight = 1}));
  EXPECT_EQ(queue_.Peek(1)->size(), 1u);
  EXPECT_FALSE(queue_.Peek(0).ok());
  EXPECT_FALSE(queue_.Peek(10'001).ok());
}

TEST_F(ReceiveTest, PurgeForgetsMessagesInEveryState) {
  ASSERT_TRUE(queue_.Send({.body = "delayed", .delay = absl::Minutes(10)}).ok());
  Send(queue_, "in flight");
  const Received held = ReceiveOne(queue_);
  Send(queue_, "visible");
  ASSERT_TRUE(queue_.Purge().ok());
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
  EXPECT_EQ(queue_.Stats().purged, 3);
  EXPECT_TRUE(held.Delete().ok());
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty());
}

TEST_F(ReceiveTest, SecondPurgeWithinAMinuteIsRefused) {
  ASSERT_TRUE(queue_.Purge().ok());
  runtime_.Advance(absl::Seconds(59));
  const absl::Status status = queue_.Purge();
  EXPECT_EQ(AwsCode(status), "AWS.SimpleQueueService.PurgeQueueInProgress");
  EXPECT_EQ(status.message(), "Only one PurgeQueue operation on jobs is allowed every 60 seconds.");
  runtime_.Advance(absl::Seconds(1));
  EXPECT_TRUE(queue_.Purge().ok());
}

TEST_F(ReceiveTest, OptionsAreReadAndSetWhole) {
  const QueueOptions options{.visibility_timeout = absl::Seconds(5), .messages_max = 3};
  ASSERT_TRUE(queue_.SetOptions(options).ok());
  EXPECT_EQ(*queue_.Options(), options);
  EXPECT_EQ(AwsCode(queue_.SetOptions({.delay = absl::Hours(1)})), "InvalidAttributeValue");
  EXPECT_EQ(*queue_.Options(), options) << "a refused change changes nothing";
}

TEST_F(ReceiveTest, DefaultReceivedHoldsNothing) {
  const Received nothing;
  EXPECT_EQ(nothing.body(), "");
  EXPECT_TRUE(nothing.attributes().empty());
  EXPECT_TRUE(nothing.id().IsZero());
  EXPECT_EQ(nothing.receipt_handle(), "");
  EXPECT_EQ(nothing.dead_letter_source(), std::nullopt);
  EXPECT_EQ(AwsCode(nothing.Delete()), "ReceiptHandleIsInvalid");
  EXPECT_FALSE(nothing.Overrun());
}

}  // namespace
}  // namespace banyan::internal
