// SPDX-License-Identifier: Apache-2.0
//
// Numbered rows of the queue sheet: FIFO queues, sections 1 and 4; and the six orders of message
// groups that were recorded against AWS.
#include <string>
#include <vector>

#include "rows_testing.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

// The sheet's own number. Far from the defaults of a test, and cheap all the same.
constexpr int kInFlightMax = 120'000;

SendRequest With(std::string_view group, std::string_view id, std::string_view body) {
  return {.body = body,
          .message_group_id = std::string(group),
          .message_deduplication_id = std::string(id)};
}

TEST_F(QueueRows, Q3_AFifoQueueWith120000InFlightIsEmptyWithoutAnError) {
  EXPECT_EQ(QueueOptions().in_flight_max, kInFlightMax);
  EXPECT_FALSE(
      broker_.CreateQueue("x.fifo", {.in_flight_max = kInFlightMax + 1, .fifo = true}).ok());

  const Queue queue = MakeFifo("jobs.fifo", {.visibility_timeout = absl::Hours(12)});
  SendMany(queue, kInFlightMax + 1, "");  // each in a group of its own
  Received held;
  for (int i = 0; i < kInFlightMax / 10; ++i) {
    const std::vector<Received> got = ReceiveAll(queue);
    ASSERT_THAT(got, SizeIs(10));
    held = got[4];
  }
  ASSERT_EQ(queue.Depth(), (QueueDepth{.visible = 1, .in_flight = kInFlightMax}));
  EXPECT_THAT(queue.Receive(), testing::IsOkAndHolds(IsEmpty())) << "no OverLimit";
  EXPECT_THAT(queue.Receive({.wait = absl::Seconds(20)}), testing::IsOkAndHolds(IsEmpty()));
  ASSERT_TRUE(held.Delete().ok());
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre(std::to_string(kInFlightMax)));
}

// Not as on AWS, on purpose: see the row.
TEST_F(QueueRows, Q4_AGroupBehindAGiantOneIsFound) {
  const Queue queue = MakeFifo("jobs.fifo", {.visibility_timeout = absl::Hours(12)});
  SendMany(queue, kInFlightMax + 20, "giant ", "giant");
  SendTo(queue, "small", "small");
  ASSERT_THAT(ReceiveAll(queue), SizeIs(10));
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("small"));
  EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
}

TEST_F(QueueRows, Q14_ADelayOfZeroIsTakenAndTheQueuesDelayHolds) {
  const Queue slow = MakeFifo("slow.fifo", {.delay = absl::Seconds(10)});
  Send(slow, {.body = "m", .delay = absl::ZeroDuration(), .message_group_id = "g"});
  EXPECT_EQ(slow.Depth(), (QueueDepth{.delayed = 1}));
  Pass(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_THAT(ReceiveBodies(slow), IsEmpty());
  Pass(absl::Nanoseconds(1));
  EXPECT_THAT(ReceiveBodies(slow), ElementsAre("m"));

  const Queue quick = MakeFifo("quick.fifo");
  Send(quick, {.body = "m", .delay = absl::ZeroDuration(), .message_group_id = "g"});
  EXPECT_THAT(ReceiveBodies(quick), ElementsAre("m"));
  EXPECT_EQ(
      AwsCode(
          quick.Send({.body = "n", .delay = absl::Seconds(1), .message_group_id = "g"}).status()),
      "InvalidParameterValue");
}

TEST_F(QueueRows, Q15_ScopeMessageGroupWorksWithoutTheThroughputSetting) {
  const Queue by_group =
      Make("groups.fifo", {.fifo = true, .deduplication_scope = DeduplicationScope::kMessageGroup});
  ASSERT_EQ(by_group.Options()->fifo_throughput_limit, FifoThroughputLimit::kPerQueue);
  Send(by_group, With("a", "id", "1"));
  Send(by_group, With("b", "id", "2"));
  Send(by_group, With("b", "id", "3"));
  EXPECT_THAT(ReceiveBodies(by_group), ElementsAre("1", "2"));

  const Queue by_queue = Make("queue.fifo", {.fifo = true});
  Send(by_queue, With("a", "id", "1"));
  Send(by_queue, With("b", "id", "2"));
  EXPECT_THAT(ReceiveBodies(by_queue), ElementsAre("1"));

  // The other way round the two belong together.
  EXPECT_FALSE(broker_
                   .CreateQueue("high.fifo",
                                {.fifo = true,
                                 .fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId})
                   .ok());
}

TEST_F(QueueRows, Q16_AChangedScopeIsReportedAndChangesNothing) {
  using Scope = DeduplicationScope;
  for (const Scope first : {Scope::kQueue, Scope::kMessageGroup}) {
    const bool was_queue = first == Scope::kQueue;
    SCOPED_TRACE(was_queue ? "queue to messageGroup" : "messageGroup to queue");
    const Queue queue =
        Make(was_queue ? "a.fifo" : "b.fifo", {.fifo = true, .deduplication_scope = first});
    const Scope second = was_queue ? Scope::kMessageGroup : Scope::kQueue;
    ASSERT_THAT(SetOption(queue, [&](QueueOptions& o) { o.deduplication_scope = second; }),
                testing::IsOk());
    EXPECT_EQ(queue.Options()->deduplication_scope, second);
    EXPECT_THAT(
        AllAttributes(queue),
        ::testing::Contains(Pair("DeduplicationScope", was_queue ? "messageGroup" : "queue")));
    for (const char* id : {"at once", "after the window"}) {
      const SendResult one = Send(queue, With("a", id[1] == 't' ? "1" : "2", "one"));
      const SendResult two = Send(queue, With("b", id[1] == 't' ? "1" : "2", "two"));
      EXPECT_EQ(one.message_id == two.message_id, was_queue) << id;
      Pass(absl::Minutes(6));
    }
    EXPECT_EQ(queue.Stats().accepted, was_queue ? 2 : 4);
  }
}

TEST_F(QueueRows, Q17_PurgeForgetsWhatIsDeduplicatedBy) {
  for (const bool by_content : {true, false}) {
    const Queue queue = Make(by_content ? "content.fifo" : "ids.fifo",
                             {.fifo = true, .content_based_deduplication = by_content});
    const SendRequest request = With("g", by_content ? "" : "id", "m");
    const SendResult first = Send(queue, request);
    EXPECT_EQ(Send(queue, request).message_id, first.message_id);
    ASSERT_THAT(queue.Purge(), testing::IsOk());
    EXPECT_NE(Send(queue, request).message_id, first.message_id);
    EXPECT_THAT(ReceiveBodies(queue), ElementsAre("m"));
  }
}

TEST_F(QueueRows, Q18_OnlyTheMessagesBeforeAnExtendedOneComeBack) {
  for (size_t extended = 0; extended < 3; ++extended) {
    SCOPED_TRACE(extended);
    const Queue queue = MakeFifo("q" + std::to_string(extended) + ".fifo");
    for (const char* body : {"m1", "m2", "m3"}) SendTo(queue, "g", body);
    const std::vector<Received> held = ReceiveAll(queue);
    ASSERT_THAT(Bodies(held), ElementsAre("m1", "m2", "m3"));
    ASSERT_TRUE(held[extended].ChangeVisibility(absl::Seconds(60)).ok());
    SendTo(queue, "g", "m4");
    Pass(absl::Seconds(30));
    const std::vector<std::string> all = {"m1", "m2", "m3"};
    EXPECT_EQ(
        ReceiveBodies(queue),
        std::vector<std::string>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(extended)));
    Pass(absl::Seconds(30));
    EXPECT_THAT(ReceiveBodies(queue), ElementsAre("m1", "m2", "m3", "m4"));
  }
}

// --- the prefix rule, as recorded ------------------------------------------------------------

TEST_F(QueueRows, PrefixRule_WhatIsSentToAGroupInFlightWaits) {
  const Queue queue = MakeFifo("q.fifo");
  SendTo(queue, "g", "m1");
  SendTo(queue, "g", "m2");
  const Received m1 = ReceiveOne(queue);
  EXPECT_EQ(m1.body(), "m1");
  SendTo(queue, "g", "m3");
  EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
  EXPECT_EQ(queue.Depth().in_flight, 1) << "those that wait behind it are not in flight";
  ASSERT_TRUE(m1.Delete().ok());
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("m2", "m3"));
}

TEST_F(QueueRows, PrefixRule_OneOfTwoDeletedIsNotEnough) {
  const Queue queue = MakeFifo("q.fifo");
  for (const char* body : {"m1", "m2", "m3", "m4"}) SendTo(queue, "g", body);
  const std::vector<Received> held = Receive(queue, {.max_messages = 2});
  ASSERT_THAT(Bodies(held), ElementsAre("m1", "m2"));
  ASSERT_TRUE(held[0].Delete().ok());
  EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
  ASSERT_TRUE(held[1].Delete().ok());
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("m3", "m4"));
}

TEST_F(QueueRows, PrefixRule_ADelayedMessageHoldsUpThoseBehindIt) {
  const Queue queue = MakeFifo("q.fifo", {.delay = absl::Seconds(10)});
  SendTo(queue, "g", "m1");
  Pass(absl::Seconds(5));
  SendTo(queue, "g", "m2");
  Pass(absl::Seconds(5));
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("m1"));
  Pass(absl::Seconds(5));
  EXPECT_THAT(ReceiveBodies(queue), IsEmpty()) << "m1 is in flight";
}

TEST_F(QueueRows, PrefixRule_ManyOfOneGroupThenTheNext) {
  const Queue queue = MakeFifo("q.fifo");
  SendTo(queue, "g1", "g1m1");
  SendTo(queue, "g2", "g2m1");
  SendTo(queue, "g1", "g1m2");
  SendTo(queue, "g1", "g1m3");
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("g1m1", "g1m2", "g1m3", "g2m1"));
}

TEST_F(QueueRows, PrefixRule_AnEmptiedGroupTakesMessagesAgain) {
  const Queue queue = MakeFifo("q.fifo");
  for (const char* body : {"m1", "m2", "m3"}) {
    SendTo(queue, "g", body);
    const Received got = ReceiveOne(queue);
    EXPECT_EQ(got.body(), body);
    ASSERT_TRUE(got.Delete().ok());
    EXPECT_THAT(ReceiveBodies(queue), IsEmpty());
  }
}

// --- the order of groups: six recordings -----------------------------------------------------

class RecordedGroupOrder : public QueueRows {
 protected:
  // Bodies like "g1-m2"; the group is what stands before the hyphen.
  void SendInOrder(const std::vector<std::string>& bodies) {
    for (const std::string& body : bodies) {
      SendTo(queue_, body.substr(0, body.find('-')), body);
      PassAMoment();
    }
  }
  std::vector<Received> Take(int64_t max_messages, std::optional<absl::Duration> visibility = {}) {
    std::vector<Received> got =
        Receive(queue_, {.max_messages = max_messages, .visibility_timeout = visibility});
    PassAMoment();
    return got;
  }

  Queue queue_ = MakeFifo("recorded.fifo");
};

TEST_F(RecordedGroupOrder, VisibilityTimeoutIsSharedInAGroup) {
  ASSERT_TRUE(
      SetOption(queue_, [](QueueOptions& o) { o.visibility_timeout = absl::Seconds(1); }).ok());
  SendInOrder({"g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1", "g3-m1"});
  EXPECT_THAT(Bodies(Take(2)), ElementsAre("g1-m1", "g1-m2"));
  EXPECT_THAT(Bodies(Take(1)), ElementsAre("g2-m1"));
  Pass(absl::Seconds(2));
  EXPECT_THAT(Bodies(Take(10, absl::ZeroDuration())),
              ElementsAre("g3-m1", "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1"));
}

TEST_F(RecordedGroupOrder, ZeroVisibilityTimeoutPutsGroupsToTheBack) {
  SendInOrder({"g1-m1", "g2-m1", "g2-m2", "g3-m1", "g1-m2"});
  EXPECT_THAT(Bodies(Take(3, absl::ZeroDuration())), ElementsAre("g1-m1", "g1-m2", "g2-m1"));
  EXPECT_THAT(Bodies(Take(10, absl::ZeroDuration())),
              ElementsAre("g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"));
}

TEST_F(RecordedGroupOrder, ATerminatedTimeoutBringsBackExactlyThatMessage) {
  SendInOrder({"g1-m1", "g1-m2", "g2-m1"});
  const std::vector<Received> held = Take(2);
  ASSERT_THAT(Bodies(held), ElementsAre("g1-m1", "g1-m2"));
  ASSERT_TRUE(held[0].ChangeVisibility(absl::ZeroDuration()).ok());
  PassAMoment();
  EXPECT_THAT(Bodies(Take(3)), ElementsAre("g2-m1", "g1-m1"));
}

TEST_F(RecordedGroupOrder, AShortenedTimeoutBringsBackExactlyThatMessage) {
  SendInOrder({"g1-m1", "g1-m2", "g2-m1"});
  const std::vector<Received> held = Take(2);
  ASSERT_THAT(Bodies(held), ElementsAre("g1-m1", "g1-m2"));
  ASSERT_TRUE(held[0].ChangeVisibility(absl::Seconds(1)).ok());
  Pass(absl::Seconds(2));
  EXPECT_THAT(Bodies(Take(3)), ElementsAre("g2-m1", "g1-m1"));
}

TEST_F(RecordedGroupOrder, AfterADeleteTheGroupIsAsOldAsItsNextMessage) {
  SendInOrder({"g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m2", "g1-m3", "g1-m4", "g3-m1"});
  const std::vector<Received> held = Take(2);
  ASSERT_THAT(Bodies(held), ElementsAre("g1-m1", "g1-m2"));
  for (const Received& one : held) ASSERT_TRUE(one.Delete().ok());
  PassAMoment();
  EXPECT_THAT(Bodies(Take(10)), ElementsAre("g2-m1", "g2-m2", "g1-m3", "g1-m4", "g3-m1"));
}

TEST_F(RecordedGroupOrder, APartlyDeletedGroupStaysBlocked) {
  SendInOrder({"g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m2", "g1-m3", "g1-m4", "g3-m1"});
  const std::vector<Received> held = Take(2);
  ASSERT_THAT(Bodies(held), ElementsAre("g1-m1", "g1-m2"));
  ASSERT_TRUE(held[0].Delete().ok());
  PassAMoment();
  EXPECT_THAT(Bodies(Take(10)), ElementsAre("g2-m1", "g2-m2", "g3-m1"));
}

}  // namespace
}  // namespace banyan
