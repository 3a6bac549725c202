// SPDX-License-Identifier: Apache-2.0
//
// Bounded queues: what a Send does that finds no room (QueueOptions::when_full), in messages and in
// bytes, and who is never kept waiting. Under the simulated runtime; full_queue_threads_test.cc has
// the threads.
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "gmock/gmock.h"
#include "message/message.h"
#include "message/sink.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;

class FullQueueTest : public QueueTest {
 protected:
  // A bounded queue of one message, full; what happens next is the test's.
  Queue Full(WhenFull when_full, QueueOptions options = {}) {
    options.messages_max = 1;
    options.when_full = when_full;
    const Queue queue = broker_.Make("full", options);
    Send(queue, "first");
    return queue;
  }

  // How a Send ended: "OK" or AWS's code.
  static std::string Try(const Queue& queue, SendRequest request) {
    return AwsCode(queue.Send(std::move(request)).status());
  }
  static std::string Try(const Queue& queue, std::string_view body) {
    return Try(queue, SendRequest{.body = body});
  }

  static std::string OfSize(size_t bytes) { return std::string(bytes, 'x'); }

  // As topics and buses bring a message.
  static std::optional<absl::Status> Deliver(const Queue& queue, std::string_view body,
                                             bool accepted_before = false) {
    MessageParts parts;
    parts.body = body;
    const Delivery delivery{.message = MakeMessage(std::move(parts)),
                            .accepted_before = accepted_before};
    return queue.core()->Accept(delivery, []() -> Completion {
      ADD_FAILURE() << "a queue answers at once";
      return [](absl::Status) {};
    });
  }

  template <typename Change>
  static void SetOption(const Queue& queue, const Change& change) {
    QueueOptions options = *queue.Options();
    change(options);
    ASSERT_TRUE(queue.SetOptions(options).ok());
  }

  void After(absl::Duration d, Task task) {
    runtime_.PostAt(runtime_.Uptime() + d, std::move(task));
  }
  absl::Duration Elapsed() { return runtime_.Uptime(); }
};

// --- reject ---------------------------------------------------------------------------------

TEST_F(FullQueueTest, RejectRefusesBeyondTheLastMessage) {
  const Queue queue = broker_.Make("jobs", {.messages_max = 3});
  for (int i = 0; i < 3; ++i) Send(queue, std::to_string(i));
  const absl::Status refusal = queue.Send({.body = "3"}).status();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(AwsCode(refusal), "RequestThrottled");
  EXPECT_EQ(queue.Stats().rejected, 1);
  EXPECT_EQ(queue.Stats().accepted, 3);
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("0", "1", "2"));
}

TEST_F(FullQueueTest, WhatIsDelayedOrInFlightTakesRoom) {
  const Queue queue = broker_.Make("jobs", {.messages_max = 2});
  ASSERT_TRUE(queue.Send({.body = "delayed", .delay = absl::Minutes(1)}).ok());
  Send(queue, "held");
  const Received held = ReceiveOne(queue);
  EXPECT_EQ(Try(queue, "x"), "RequestThrottled");
  ASSERT_TRUE(held.Delete().ok());
  EXPECT_EQ(Try(queue, "x"), "OK");
}

TEST_F(FullQueueTest, BytesCountBodiesAndAttributesExactly) {
  const Queue queue = broker_.Make("jobs", {.bytes_max = 1'000});
  // Name, type and value: 3 + 6 + 11.
  ASSERT_EQ(Try(queue, {.body = OfSize(480), .attributes = {{"key", "eleven char"}}}), "OK");
  EXPECT_EQ(queue.Stats().bytes, 500);
  EXPECT_EQ(Try(queue, OfSize(501)), "RequestThrottled");
  EXPECT_EQ(Try(queue, OfSize(500)), "OK");
  EXPECT_EQ(Try(queue, "x"), "RequestThrottled");
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  EXPECT_EQ(queue.Stats().bytes, 500);
  EXPECT_EQ(Try(queue, OfSize(500)), "OK");
}

TEST_F(FullQueueTest, ABatchFillsWhatRoomThereIs) {
  const Queue queue = broker_.Make("jobs", {.bytes_max = 100});
  std::vector<SendRequest> batch;
  for (const size_t size : {60u, 50u, 30u, 20u, 10u}) batch.push_back({.body = OfSize(size)});
  const auto answers = queue.SendBatch(std::move(batch));
  ASSERT_TRUE(answers.ok()) << answers.status();
  std::vector<std::string> codes;
  for (const auto& answer : *answers) codes.push_back(AwsCode(answer.status()));
  EXPECT_THAT(codes, ElementsAre("OK", "RequestThrottled", "OK", "RequestThrottled", "OK"))
      << "one that is refused does not keep the others out";
  EXPECT_EQ(queue.Stats().bytes, 100);
}

TEST_F(FullQueueTest, ALoweredBoundKeepsWhatIsThereAndTakesNoMore) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 5; ++i) Send(queue, "m");
  SetOption(queue, [](QueueOptions& options) { options.messages_max = 3; });
  EXPECT_EQ(queue.Depth().total(), 5);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Try(queue, "x"), "RequestThrottled");
    ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  }
  EXPECT_EQ(Try(queue, "x"), "RequestThrottled") << "three are as many as it may have";
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  EXPECT_EQ(Try(queue, "x"), "OK");
}

// --- drop the oldest ------------------------------------------------------------------------

TEST_F(FullQueueTest, DropOldestMakesRoomAndSparesWhatIsInFlight) {
  const Queue queue = broker_.Make("jobs", {.messages_max = 3, .when_full = WhenFull::kDropOldest});
  for (int i = 0; i < 3; ++i) Send(queue, std::to_string(i));
  const Received held = ReceiveOne(queue);
  ASSERT_EQ(held.body(), "0");
  Send(queue, "3");
  Send(queue, "4");
  EXPECT_EQ(queue.Stats().dropped, 2);
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("3", "4"));
  EXPECT_TRUE(held.Delete().ok());
  EXPECT_EQ(queue.Stats().deleted, 1);
  queue.core()->CheckInvariants();
}

TEST_F(FullQueueTest, DropOldestTakesDelayedOnesToo) {
  const Queue queue = broker_.Make("jobs", {.messages_max = 2, .when_full = WhenFull::kDropOldest});
  ASSERT_TRUE(queue.Send({.body = "delayed", .delay = absl::Minutes(1)}).ok());
  Send(queue, "1");
  Send(queue, "2");
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 2}));
  queue.core()->CheckInvariants();
}

TEST_F(FullQueueTest, DropOldestDropsAsManyBytesAsItNeeds) {
  const Queue queue = broker_.Make("jobs", {.bytes_max = 100, .when_full = WhenFull::kDropOldest});
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Try(queue, OfSize(20)), "OK");
  ASSERT_EQ(Try(queue, OfSize(50)), "OK");
  EXPECT_EQ(queue.Stats().dropped, 3);
  EXPECT_EQ(queue.Stats().bytes, 90);
}

TEST_F(FullQueueTest, DropOldestWithAllInFlightRefuses) {
  const Queue queue = Full(WhenFull::kDropOldest);
  const Received held = ReceiveOne(queue);
  EXPECT_EQ(Try(queue, "x"), "RequestThrottled");
  EXPECT_EQ(queue.Stats().dropped, 0);
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(FullQueueTest, DropOldestDropsNothingForWhatCanNeverFit) {
  const Queue queue = broker_.Make("jobs", {.bytes_max = 100, .when_full = WhenFull::kDropOldest});
  ASSERT_EQ(Try(queue, OfSize(60)), "OK");
  EXPECT_EQ(Try(queue, OfSize(101)), "RequestThrottled");
  EXPECT_EQ(queue.Stats().dropped, 0);
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(FullQueueTest, DropOldestUnblocksAFifoGroupInOrder) {
  const Queue queue = broker_.Make("q.fifo", {.fifo = true,
                                              .content_based_deduplication = true,
                                              .messages_max = 3,
                                              .when_full = WhenFull::kDropOldest});
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(Try(queue, {.body = std::to_string(i), .message_group_id = "g"}), "OK");
  }
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("3", "4", "5"));
  EXPECT_EQ(Try(queue, {.body = "0", .message_group_id = "g"}), "OK");
  EXPECT_EQ(queue.Stats().duplicates, 1) << "dropped messages were accepted all the same";
  queue.core()->CheckInvariants();
}

// --- block ----------------------------------------------------------------------------------

TEST_F(FullQueueTest, BlockedSendWaitsItsTimeAndIsRefused) {
  const Queue queue = Full(WhenFull::kBlock, {.block_max = absl::Seconds(7)});
  EXPECT_EQ(Try(queue, "x"), "RequestThrottled");
  EXPECT_EQ(Elapsed(), absl::Seconds(7));
  EXPECT_EQ(queue.Stats().rejected, 1);
  EXPECT_EQ(queue.Depth().total(), 1);
}

TEST_F(FullQueueTest, BlockMaxOfZeroRefusesAtOnce) {
  const Queue queue = Full(WhenFull::kBlock, {.block_max = absl::ZeroDuration()});
  EXPECT_EQ(Try(queue, "x"), "RequestThrottled");
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(FullQueueTest, SendIntoRoomDoesNotBlock) {
  const Queue queue = broker_.Make("jobs", {.messages_max = 2, .when_full = WhenFull::kBlock});
  Send(queue, "1");
  Send(queue, "2");
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(FullQueueTest, DeleteEndsTheWait) {
  const Queue queue = Full(WhenFull::kBlock);
  const Received held = ReceiveOne(queue);
  After(absl::Seconds(3), [&] { EXPECT_TRUE(held.Delete().ok()); });
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(3));
}

// A wait for room is before everything that is counted from the acceptance of a message.
TEST_F(FullQueueTest, WhatWaitedForRoomIsNewWhenItIsTaken) {
  const Queue queue = broker_.Make("q.fifo", {.delay = absl::Seconds(10),
                                              .retention = absl::Minutes(6),
                                              .fifo = true,
                                              .content_based_deduplication = true,
                                              .messages_max = 1,
                                              .when_full = WhenFull::kBlock,
                                              .block_max = absl::Hours(1)});
  ASSERT_EQ(Try(queue, {.body = "first", .message_group_id = "g"}), "OK");
  ASSERT_EQ(Try(queue, {.body = "second", .message_group_id = "g"}), "OK");
  ASSERT_EQ(Elapsed(), absl::Minutes(6)) << "it waited until the first expired";
  const absl::Time taken = runtime_.Now();
  ASSERT_EQ(queue.Depth(), (QueueDepth{.delayed = 1}));
  runtime_.Advance(absl::Seconds(10));
  ASSERT_EQ(queue.Depth(), (QueueDepth{.visible = 1})) << "a delay from then on";
  EXPECT_EQ(queue.Peek(1)->at(0).sent_time(), taken);
  EXPECT_EQ(Try(queue, {.body = "second", .message_group_id = "g"}), "OK");
  EXPECT_EQ(queue.Stats().duplicates, 1) << "five minutes of deduplication from then on";
  runtime_.Advance(absl::Minutes(6) - absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_EQ(queue.Depth().total(), 1) << "and a whole retention";
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(queue.Depth().total(), 0);
}

TEST_F(FullQueueTest, RoomOfADeleteGoesToTheSenderWhoFitsInBytes) {
  const Queue queue = broker_.Make(
      "jobs", {.bytes_max = 100, .when_full = WhenFull::kBlock, .block_max = absl::Seconds(20)});
  ASSERT_EQ(Try(queue, OfSize(40)), "OK");
  ASSERT_EQ(Try(queue, OfSize(60)), "OK");
  const std::vector<Received> held = ReceiveAll(queue);
  After(absl::Seconds(1), [&] { EXPECT_TRUE(held[0].Delete().ok()); });  // 40: not enough
  After(absl::Seconds(2), [&] { EXPECT_TRUE(held[1].Delete().ok()); });
  EXPECT_EQ(Try(queue, OfSize(50)), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

TEST_F(FullQueueTest, ExpiryEndsTheWait) {
  const Queue queue = Full(WhenFull::kBlock, {.retention = absl::Minutes(1)});
  runtime_.Advance(absl::Seconds(50));
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Minutes(1)) << "nobody looks at the queue but the sender";
}

TEST_F(FullQueueTest, ExpiryInFlightEndsTheWait) {
  const Queue queue = Full(WhenFull::kBlock, {.retention = absl::Minutes(1)});
  ASSERT_EQ(Receive(queue, {.visibility_timeout = absl::Hours(1)}).size(), 1u);
  runtime_.Advance(absl::Seconds(50));
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Minutes(1));
}

TEST_F(FullQueueTest, LoweredRetentionEndsTheWait) {
  const Queue queue = Full(WhenFull::kBlock, {.block_max = absl::Hours(2)});
  After(absl::Minutes(10), [&] {
    SetOption(queue, [](QueueOptions& options) { options.retention = absl::Minutes(20); });
  });
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Minutes(20));
}

TEST_F(FullQueueTest, PurgeEndsTheWait) {
  const Queue queue = Full(WhenFull::kBlock);
  After(absl::Seconds(4), [&] { EXPECT_TRUE(queue.Purge().ok()); });
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(4));
  EXPECT_EQ(queue.Depth().total(), 1);
}

TEST_F(FullQueueTest, MoveToTheDeadLetterQueueEndsTheWait) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = Full(WhenFull::kBlock, {.visibility_timeout = absl::Seconds(9),
                                              .redrive = RedrivePolicy{dead.arn(), 1}});
  ReceiveOne(queue);
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(9));
}

TEST_F(FullQueueTest, RedriveEndsTheWait) {
  const Queue dead = Full(WhenFull::kReject);
  SetOption(dead, [](QueueOptions& options) { options.when_full = WhenFull::kBlock; });
  ASSERT_TRUE(ReceiveOne(dead).Delete().ok());
  const Queue source = broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Send(source, "poison");
  ASSERT_TRUE(ReceiveOne(source).ChangeVisibility(absl::ZeroDuration()).ok());
  ASSERT_EQ(dead.Depth().total(), 1);
  After(absl::Seconds(6), [&] { EXPECT_EQ(*dead.Redrive(), 1); });
  EXPECT_EQ(Try(dead, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(6));
}

TEST_F(FullQueueTest, HigherBoundEndsTheWait) {
  const Queue queue = Full(WhenFull::kBlock);
  After(absl::Seconds(5),
        [&] { SetOption(queue, [](QueueOptions& options) { options.messages_max = 2; }); });
  EXPECT_EQ(Try(queue, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

TEST_F(FullQueueTest, StopTokenEndsTheWaitAsARefusal) {
  const Queue queue = Full(WhenFull::kBlock);
  std::stop_source stop;
  After(absl::Seconds(2), [&] { stop.request_stop(); });
  EXPECT_EQ(Try(queue, {.body = "x", .stop = stop.get_token()}), "RequestThrottled");
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
  EXPECT_EQ(Try(queue, {.body = "x", .stop = stop.get_token()}), "RequestThrottled");
  EXPECT_EQ(Elapsed(), absl::Seconds(2)) << "it was requested before";
  EXPECT_EQ(queue.Depth().total(), 1);
}

TEST_F(FullQueueTest, DeletionOfTheQueueEndsTheWaitWithNotFound) {
  const Queue queue = Full(WhenFull::kBlock);
  Queue successor;
  After(absl::Seconds(1), [&] {
    broker_.Delete(queue);
    successor = broker_.Make("full");
  });
  EXPECT_EQ(Try(queue, "x"), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
  EXPECT_EQ(successor.Depth(), QueueDepth{}) << "it is not sent to the next of that name";
}

TEST_F(FullQueueTest, StopOfTheBrokerEndsTheWaitWithUnavailable) {
  Broker broker = Broker::Create(runtime_, {}).value();
  const Queue queue =
      broker.CreateQueue("jobs", {.messages_max = 1, .when_full = WhenFull::kBlock}).value();
  Send(queue, "first");
  StopReport report;
  After(absl::Seconds(1), [&] { report = broker.Stop(absl::Seconds(10)); });
  EXPECT_EQ(queue.Send({.body = "x"}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
  EXPECT_EQ(report.messages_resting, 1);
}

TEST_F(FullQueueTest, WhatCanNeverFitNeverWaits) {
  const Queue queue = broker_.Make("jobs", {.bytes_max = 100, .when_full = WhenFull::kBlock});
  EXPECT_EQ(Try(queue, OfSize(101)), "RequestThrottled");
  Send(queue, "m");
  EXPECT_EQ(Try(queue, OfSize(101)), "RequestThrottled");
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(FullQueueTest, BadRequestsAreRefusedWithoutAWait) {
  const Queue queue = Full(WhenFull::kBlock);
  EXPECT_EQ(Try(queue, ""), "MissingParameter");
  EXPECT_EQ(Try(queue, {.body = "x", .delay = absl::Hours(1)}), "InvalidParameterValue");
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(FullQueueTest, DuplicateNeedsNoRoom) {
  const Queue queue = broker_.Make("q.fifo", {.fifo = true,
                                              .content_based_deduplication = true,
                                              .messages_max = 1,
                                              .when_full = WhenFull::kBlock});
  const auto first = queue.Send({.body = "m", .message_group_id = "g"});
  const auto second = queue.Send({.body = "m", .message_group_id = "g"});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->message_id, first->message_id);
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

// What waited and was refused was not accepted, so it is no one's duplicate later.
TEST_F(FullQueueTest, RefusedSendLeavesNoDeduplicationIdBehind) {
  const Queue queue = broker_.Make("q.fifo", {.fifo = true,
                                              .content_based_deduplication = true,
                                              .messages_max = 1,
                                              .when_full = WhenFull::kBlock});
  ASSERT_EQ(Try(queue, {.body = "1", .message_group_id = "g"}), "OK");
  ASSERT_EQ(Try(queue, {.body = "2", .message_group_id = "g"}), "RequestThrottled");
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  ASSERT_EQ(Try(queue, {.body = "2", .message_group_id = "g"}), "OK");
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("2"));
}

TEST_F(FullQueueTest, BatchWaitsForRoomAndKeepsItsOrder) {
  const Queue queue = Full(WhenFull::kBlock);
  std::vector<std::string> consumed;
  for (int i = 1; i <= 4; ++i) {
    After(absl::Seconds(i), [&] {
      const Received one = ReceiveOne(queue);
      consumed.emplace_back(one.body());
      EXPECT_TRUE(one.Delete().ok());
    });
  }
  const auto answers = queue.SendBatch({{.body = "a"}, {.body = "b"}, {.body = "c"}});
  ASSERT_TRUE(answers.ok()) << answers.status();
  for (const auto& answer : *answers) EXPECT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(Elapsed(), absl::Seconds(3));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(consumed, ElementsAre("first", "a", "b", "c"));
}

TEST_F(FullQueueTest, ABatchWaitsNoLongerThanOneSend) {
  const Queue queue = Full(WhenFull::kBlock, {.block_max = absl::Seconds(5)});
  const auto answers = queue.SendBatch({{.body = "a"}, {.body = "b"}, {.body = "c"}});
  ASSERT_TRUE(answers.ok()) << answers.status();
  for (const auto& answer : *answers) EXPECT_EQ(AwsCode(answer.status()), "RequestThrottled");
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

// --- those who never wait -------------------------------------------------------------------

TEST_F(FullQueueTest, DeliveryToAFullQueueIsATransientFaultWhateverItsPolicy) {
  for (const WhenFull when_full : {WhenFull::kReject, WhenFull::kBlock, WhenFull::kDropOldest}) {
    const Queue queue = Full(when_full);
    const std::optional<absl::Status> answer = Deliver(queue, "from a topic");
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->code(), absl::StatusCode::kResourceExhausted);
    EXPECT_FALSE(IsPermanent(*answer));
    EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("first")) << "nothing was dropped for it";
  }
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(FullQueueTest, DeliveryLargerThanTheQueueIsRefusedAtOnce) {
  const Queue queue = broker_.Make("jobs", {.bytes_max = 100, .when_full = WhenFull::kBlock});
  EXPECT_FALSE(Deliver(queue, OfSize(101))->ok());
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
  EXPECT_EQ(queue.Depth(), QueueDepth{});
}

TEST_F(FullQueueTest, DeadLetterOfATopicIsTakenBeyondTheBounds) {
  const Queue queue = Full(WhenFull::kBlock, {.bytes_max = 10});
  EXPECT_TRUE(Deliver(queue, OfSize(500), /*accepted_before=*/true)->ok());
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 2}));
}

TEST_F(FullQueueTest, PublishToAFullQueueReturnsAtOnceAndArrivesWhenThereIsRoom) {
  Broker broker = Broker::Create(runtime_, {}).value();
  const Queue queue =
      broker.CreateQueue("jobs", {.messages_max = 1, .when_full = WhenFull::kBlock}).value();
  const Topic topic = broker.CreateTopic("news").value();
  ASSERT_TRUE(topic.Subscribe(queue, {.raw = true}).ok());
  Send(queue, "first");
  ASSERT_TRUE(topic.Publish({.body = "second"}).ok());
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
  runtime_.RunUntilIdle();
  EXPECT_EQ(queue.Depth().total(), 1);
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("second"));
}

// Beyond the bound by dead letters, the queue has no room for a Send until it is below.
TEST_F(FullQueueTest, DeadLettersPassBeyondTheBoundsAndSendersWaitForThemToGo) {
  const Queue dead = Full(WhenFull::kBlock);
  const Queue source = broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), 1}});
  for (int i = 0; i < 3; ++i) Send(source, "poison");
  for (const Received& one : ReceiveAll(source)) {
    ASSERT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok());
  }
  ASSERT_EQ(dead.Depth().total(), 4);
  for (int i = 1; i <= 4; ++i) {
    After(absl::Seconds(i), [&] { EXPECT_TRUE(ReceiveOne(dead).Delete().ok()); });
  }
  EXPECT_EQ(Try(dead, "x"), "OK");
  EXPECT_EQ(Elapsed(), absl::Seconds(4));
  EXPECT_THAT(Bodies(ReceiveAll(dead)), ElementsAre("x"));
  dead.core()->CheckInvariants();
}

}  // namespace
}  // namespace banyan::internal
