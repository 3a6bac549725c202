// SPDX-License-Identifier: Apache-2.0
//
// Numbered rows of the queue sheet: attributes, the life of a message, receipt handles, tenants.
// Sections 2, 3, 6 and 8; the FIFO column of the receipt table is here, too.
#include <string>
#include <vector>

#include "rows_testing.h"

namespace banyan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr absl::Duration kPollEvery = absl::Nanoseconds(1);

TEST_F(QueueRows, Q6_AnEmptyPolicyTakesItAway) {
  const Queue dead = Make("dead");
  const Queue queue = Make("jobs");
  const std::string policy = R"({"Version":"2012-10-17","Statement":[]})";
  const std::string redrive =
      R"({"deadLetterTargetArn":")" + dead.arn().ToString() + R"(","maxReceiveCount":"1"})";
  EXPECT_THAT(AllAttributes(queue), Not(Contains(Key("Policy"))));
  EXPECT_THAT(AllAttributes(queue), Not(Contains(Key("RedrivePolicy"))));

  ASSERT_THAT(queue.SetAttributes({{"Policy", policy}, {"RedrivePolicy", redrive}}),
              testing::IsOk());
  EXPECT_THAT(AllAttributes(queue), Contains(Pair("Policy", policy)));
  EXPECT_THAT(AllAttributes(queue),
              Contains(Pair("RedrivePolicy", HasSubstr(dead.arn().ToString()))));
  EXPECT_EQ(queue.Options()->redrive, (RedrivePolicy{dead.arn(), 1}));

  ASSERT_THAT(queue.SetAttributes({{"Policy", ""}, {"RedrivePolicy", ""}}), testing::IsOk());
  EXPECT_THAT(AllAttributes(queue), Not(Contains(Key("Policy"))));
  EXPECT_THAT(AllAttributes(queue), Not(Contains(Key("RedrivePolicy"))));
  EXPECT_EQ(queue.Options()->redrive, std::nullopt);

  // Gone in effect, too.
  Send(queue, "poison");
  ReceiveOne(queue);
  Pass(absl::Seconds(30));
  EXPECT_EQ(dead.Depth(), QueueDepth{});
  EXPECT_EQ(ReceiveOne(queue).receive_count(), 2);
}

TEST_F(QueueRows, Q7_AChangedQueueDelayReachesBackInAFifoQueueOnly) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    for (const absl::Duration later : {absl::Seconds(60), absl::ZeroDuration()}) {
      SCOPED_TRACE(later);
      const std::string name = "delay-" + absl::FormatDuration(later);
      const Queue queue = fifo ? MakeFifo(name + ".fifo", {.delay = absl::Seconds(10)})
                               : Make(name, {.delay = absl::Seconds(10)});
      if (fifo) {
        SendTo(queue, "g", "waits");
      } else {
        Send(queue, "waits");
      }
      Pass(absl::Seconds(4));
      ASSERT_THAT(SetOption(queue, [later](QueueOptions& o) { o.delay = later; }), testing::IsOk());

      const absl::Duration visible_at = fifo ? later : absl::Seconds(10);  // after the send
      if (visible_at > absl::Seconds(4)) {
        Pass(visible_at - absl::Seconds(4) - kPollEvery);
        EXPECT_EQ(queue.Depth(), (QueueDepth{.delayed = 1}));
        EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
        Pass(kPollEvery);
      }
      EXPECT_THAT(ReceiveBodies(queue), ElementsAre("waits"));
    }
  }
}

TEST_F(QueueRows, Q8_RetentionEndsAMessageInFlightAndItsLateDeleteSucceeds) {
  for (const Queue& queue : {Make("jobs", {.retention = absl::Minutes(1)}),
                             MakeFifo("jobs.fifo", {.retention = absl::Minutes(1)})}) {
    SCOPED_TRACE(queue.name());
    Send(queue, {.body = "m", .message_group_id = "g"});
    Pass(absl::Seconds(20));
    const std::vector<Received> held = Receive(queue, {.visibility_timeout = absl::Hours(1)});
    ASSERT_THAT(held, SizeIs(1));
    Pass(absl::Seconds(40) - kPollEvery);
    EXPECT_EQ(queue.Depth(), (QueueDepth{.in_flight = 1}));
    Pass(kPollEvery);
    EXPECT_EQ(queue.Depth(), QueueDepth{});
    EXPECT_EQ(queue.Stats().expired, 1);
    EXPECT_THAT(held[0].Delete(), testing::IsOk());
    EXPECT_THAT(queue.Delete(held[0].receipt_handle()), testing::IsOk());
    EXPECT_EQ(queue.Stats().deleted, 0) << "there was nothing to delete";
    EXPECT_FALSE(held[0].ChangeVisibility(absl::Seconds(1)).ok());
  }
}

TEST_F(QueueRows, Q9_AfterThreeReceivesAMessageGoesToTheBack) {
  const Queue dead = Make("dead");
  for (const Queue& queue :
       {Make("plain"), Make("with-redrive", {.redrive = RedrivePolicy{dead.arn(), 10}})}) {
    SCOPED_TRACE(queue.name());
    Send(queue, "poison");
    for (int receives = 1; receives <= 3; ++receives) {
      EXPECT_EQ(ReceiveOne(queue).body(), "poison");
      if (receives == 3) {
        for (const char* body : {"1", "2", "3"}) Send(queue, body);
      }
      Pass(absl::Seconds(30));
    }
    EXPECT_THAT(ReceiveBodies(queue), ElementsAre("1", "2", "3", "poison"));
    Pass(absl::Seconds(30));
    EXPECT_EQ(ReceiveBodies(queue).back(), "poison") << "and the fourth";
  }
}

TEST_F(QueueRows, Q10_ALateDeleteWithTheLatestHandleStillDeletesInAStandardQueue) {
  const Queue queue = Make("jobs");
  Send(queue, "m");
  Received late = ReceiveOne(queue);
  Pass(absl::Minutes(5));
  ASSERT_EQ(queue.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_THAT(late.Delete(), testing::IsOk());
  EXPECT_EQ(queue.Depth(), QueueDepth{});

  Send(queue, "by its text");
  late = ReceiveOne(queue);
  Pass(absl::Minutes(5));
  EXPECT_THAT(queue.Delete(late.receipt_handle()), testing::IsOk());
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  EXPECT_EQ(queue.Stats().deleted, 2);

  // In a FIFO queue the handle has expired with the timeout.
  const Queue fifo = MakeFifo("jobs.fifo");
  SendTo(fifo, "g", "m");
  const Received expired = ReceiveOne(fifo);
  Pass(absl::Seconds(30));
  const absl::Status status = expired.Delete();
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_EQ(Text(status), "Value " + expired.receipt_handle() +
                              " for parameter ReceiptHandle is invalid. Reason: The receipt handle "
                              "has expired.");
  EXPECT_EQ(AwsCode(fifo.Delete(expired.receipt_handle())), "InvalidParameterValue");
  EXPECT_EQ(fifo.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(QueueRows, Q11_ALateChangeWithTheLatestHandleHidesTheMessageAgain) {
  const Queue queue = Make("jobs");
  Send(queue, "m");
  const Received late = ReceiveOne(queue);
  Pass(absl::Seconds(31));
  ASSERT_EQ(queue.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_THAT(late.ChangeVisibility(absl::Seconds(10)), testing::IsOk());
  EXPECT_EQ(queue.Depth(), (QueueDepth{.in_flight = 1}));
  EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
  Pass(absl::Seconds(10) - kPollEvery);
  EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
  Pass(kPollEvery);
  EXPECT_EQ(ReceiveOne(queue).receive_count(), 2);

  const Queue fifo = MakeFifo("jobs.fifo");
  SendTo(fifo, "g", "m");
  const Received expired = ReceiveOne(fifo);
  Pass(absl::Seconds(30));
  EXPECT_EQ(AwsCode(expired.ChangeVisibility(absl::Seconds(10))), "InvalidParameterValue");
  EXPECT_EQ(fifo.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(QueueRows, Q12_AnOlderHandleChangesTheVisibilityOfANewerReceive) {
  const Queue queue = Make("jobs");
  Send(queue, "m");
  const Received older = ReceiveOne(queue);
  Pass(absl::Seconds(30));
  const Received newer = ReceiveOne(queue);
  EXPECT_THAT(older.ChangeVisibility(absl::ZeroDuration()), testing::IsOk());
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 1}));

  // It deletes nothing all the same, and says so only in the books.
  EXPECT_EQ(ReceiveOne(queue).receive_count(), 3);
  EXPECT_THAT(older.Delete(), testing::IsOk());
  EXPECT_THAT(newer.Delete(), testing::IsOk());
  EXPECT_EQ(queue.Depth(), (QueueDepth{.in_flight = 1}));
  EXPECT_EQ(queue.Stats().stale_deletes, 2);
}

TEST_F(QueueRows, Q13_TwelveHoursInAllSoTwelveMoreAreAlwaysTooMany) {
  for (const Queue& queue : {Make("jobs"), MakeFifo("jobs.fifo")}) {
    SCOPED_TRACE(queue.name());
    Send(queue, {.body = "m", .message_group_id = "g"});
    const Received held = ReceiveOne(queue);
    Pass(kPollEvery);  // on AWS some time has always passed
    const absl::Status status = held.ChangeVisibility(absl::Seconds(43'200));
    EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
    EXPECT_EQ(Text(status),
              "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total "
              "VisibilityTimeout for the message is beyond the limit [43200 seconds]");
    // Counted from the receive, however often it is changed.
    EXPECT_THAT(held.ChangeVisibility(absl::Seconds(43'199)), testing::IsOk());
    Pass(absl::Hours(7));
    EXPECT_EQ(AwsCode(held.ChangeVisibility(absl::Hours(5))), "InvalidParameterValue");
    EXPECT_THAT(held.ChangeVisibility(absl::Hours(5) - absl::Seconds(1)), testing::IsOk());
    // The next receive has twelve of its own.
    ASSERT_THAT(held.ChangeVisibility(absl::ZeroDuration()), testing::IsOk());
    EXPECT_THAT(ReceiveOne(queue).ChangeVisibility(absl::Hours(11)), testing::IsOk());
  }
}

// --- tenants of a standard queue -------------------------------------------------------------

TEST_F(QueueRows, Q24_ATenantWithATenthAndThirtyInFlightIsNoisyAndOthersComeFirst) {
  const Queue queue = Make("jobs", {.visibility_timeout = absl::Hours(12)});
  // 400 messages of nobody in particular, in flight: each is a tenant of its own.
  SendMany(queue, 400, "single ");
  std::vector<Received> singles;
  while (singles.size() < 400) {
    for (Received& one : ReceiveAll(queue)) singles.push_back(std::move(one));
  }
  SendMany(queue, 50, "loud ", "loud");
  SendTo(queue, "quiet", "quiet 0");
  // 30 of 430 are thirty, but no tenth.
  for (int i = 0; i < 3; ++i) ASSERT_THAT(ReceiveAll(queue), SizeIs(10));
  ASSERT_EQ(queue.Depth(), (QueueDepth{.visible = 21, .in_flight = 430}));
  const Received still_loud = ReceiveOne(queue);
  EXPECT_EQ(still_loud.message_group_id(), "loud") << "it was sent first, and is not noisy";
  ASSERT_TRUE(still_loud.ChangeVisibility(absl::ZeroDuration()).ok());

  // 30 of 230 are more than a tenth.
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(singles[static_cast<size_t>(i)].Delete().ok());
  }
  EXPECT_EQ(ReceiveOne(queue).body(), "quiet 0");
  // With nobody else there, the noisy one goes on: it is not held back.
  EXPECT_EQ(ReceiveOne(queue).message_group_id(), "loud");
  // A message without a group is a quiet tenant, too.
  Send(queue, "single");
  EXPECT_EQ(ReceiveOne(queue).body(), "single");
}

TEST_F(QueueRows, Q24_FewerThanThirtyInFlightAreNotNoisyBeTheyAll) {
  const Queue queue = Make("jobs", {.visibility_timeout = absl::Hours(12)});
  SendMany(queue, 40, "loud ", "loud");
  SendTo(queue, "quiet", "quiet");
  for (const int64_t some : {10, 10, 9}) {
    ASSERT_THAT(Receive(queue, {.max_messages = some}), SizeIs(static_cast<size_t>(some)));
  }
  EXPECT_EQ(ReceiveOne(queue).message_group_id(), "loud");
  EXPECT_EQ(ReceiveOne(queue).body(), "quiet") << "now it has thirty";
}

TEST_F(QueueRows, Q24_ATenantThatTakesMoreThanATenthOfTheProcessingTimeIsNoisy) {
  const Queue queue = Make("jobs");
  const auto process = [&](absl::Duration time) {
    const Received got = ReceiveOne(queue);
    Pass(time);
    EXPECT_TRUE(got.Delete().ok());
    return std::string(got.message_group_id());
  };
  SendTo(queue, "slow", "1");
  EXPECT_EQ(process(absl::Seconds(20)), "slow");
  SendTo(queue, "slow", "2");
  PassAMoment();
  SendTo(queue, "fresh", "3");
  EXPECT_EQ(process(absl::ZeroDuration()), "fresh");
  EXPECT_EQ(process(absl::ZeroDuration()), "slow");

  // What happened before the window is forgotten.
  Pass(absl::Minutes(10));
  SendTo(queue, "slow", "4");
  PassAMoment();
  SendTo(queue, "other", "5");
  EXPECT_EQ(process(absl::ZeroDuration()), "slow");
}

// --- errors that have a mark of their own ----------------------------------------------------

TEST_F(QueueRows, Q28_AnErrorKnowsTheQueryProtocolsCodeAndTheShapeOfJson) {
  const absl::Status status = broker_.FindQueue("nobody").status();
  const AwsErrorRow* row = FindAwsError(status);
  ASSERT_NE(row, nullptr) << status;
  EXPECT_EQ(row->code, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(row->shape, "QueueDoesNotExist");
  EXPECT_EQ(row->http_status, 400);
  EXPECT_TRUE(row->sender_fault);
}

TEST_F(QueueRows, Q30_APurgeTooSoonIsRefusedWith403) {
  const Queue queue = Make("jobs");
  Send(queue, "m");
  ASSERT_THAT(queue.Purge(), testing::IsOk());
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  Pass(absl::Seconds(60) - kPollEvery);
  const absl::Status status = queue.Purge();
  const AwsErrorRow* row = FindAwsError(status);
  ASSERT_NE(row, nullptr) << status;
  EXPECT_EQ(row->code, "AWS.SimpleQueueService.PurgeQueueInProgress");
  EXPECT_EQ(row->http_status, 403);
  EXPECT_THAT(Text(status), StartsWith("Only one PurgeQueue operation on jobs is allowed every 60 "
                                       "seconds."));
  Pass(kPollEvery);
  EXPECT_THAT(queue.Purge(), testing::IsOk());
}

}  // namespace
}  // namespace banyan
