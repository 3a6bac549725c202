// SPDX-License-Identifier: Apache-2.0
//
// What an outbox does when its table fails, its process dies, a row or a resource is no good.
#include "banyan/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "outbox_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using OutboxFaultsTest = OutboxTest;

// --- Crashes

TEST_F(OutboxFaultsTest, WhatWasPublishedAndNotDeletedIsPublishedAgainByTheNextOutbox) {
  {
    Outbox outbox = MakeOutbox({.batch_size = 2, .id_attribute = "row"});
    CommitSends(outbox, jobs_, {"a", "b", "c"});
    database_.delete_faults = 1'000;
    outbox.Start();
    runtime_.RunUntilIdle();
    EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a", "b"));
    EXPECT_THAT(database_.rows(), SizeIs(3));
  }  // crash
  database_.delete_faults = 0;
  Outbox outbox = MakeOutbox();
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a", "b", "a", "b", "c"))
      << "at most one batch is repeated";
  EXPECT_THAT(database_.rows(), IsEmpty());
  const std::vector<Received> messages = jobs_.Peek(10).value();
  EXPECT_EQ(messages[0].attributes(), messages[2].attributes()) << "and can be told by its id";
  EXPECT_NE(messages[0].attributes(), messages[1].attributes());
}

TEST_F(OutboxFaultsTest, AFifoTargetKnowsWhatIsPublishedAgain) {
  const Queue fifo = broker_.CreateQueue("q.fifo", {.fifo = true}).value();
  const Queue behind = broker_.CreateQueue("behind.fifo", {.fifo = true}).value();
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  ASSERT_THAT(topic.Subscribe(behind, {.raw = true}), IsOk());
  {
    Outbox outbox = MakeOutbox();
    Transaction tx(database_);
    for (int i = 0; i < 3; ++i) {  // the same body thrice is three messages
      ASSERT_THAT(outbox.SendIn(tx, fifo, {.body = "same", .message_group_id = "g"}), IsOk());
      ASSERT_THAT(outbox.PublishIn(tx, topic, {.body = "same", .message_group_id = "g"}), IsOk());
    }
    tx.Commit();
    database_.delete_faults = 1'000;
    outbox.Start();
    runtime_.RunUntilIdle();
  }
  database_.delete_faults = 0;
  Outbox outbox = MakeOutbox();
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(database_.rows(), IsEmpty());
  EXPECT_EQ(fifo.Stats().accepted, 3);
  EXPECT_EQ(fifo.Stats().duplicates, 3);
  EXPECT_EQ(topic.Stats().published, 3);
  EXPECT_EQ(topic.Stats().duplicates, 3);
  EXPECT_EQ(behind.Depth().total(), 3);
}

TEST_F(OutboxFaultsTest, ADeduplicationIdOfTheCallersOrByContentStays) {
  const Queue fifo = broker_.CreateQueue("q.fifo", {.fifo = true}).value();
  const Queue content =
      broker_.CreateQueue("c.fifo", {.fifo = true, .content_based_deduplication = true}).value();
  Outbox outbox = MakeOutbox();
  outbox.Start();
  Transaction tx(database_);
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(
        outbox.SendIn(
            tx, fifo,
            {.body = "a", .message_group_id = "g", .message_deduplication_id = "the caller's"}),
        StatusIs(absl::StatusCode::kInvalidArgument));  // a space
    ASSERT_THAT(
        outbox.SendIn(
            tx, fifo,
            {.body = "a", .message_group_id = "g", .message_deduplication_id = "the-caller's"}),
        IsOk());
    ASSERT_THAT(outbox.SendIn(tx, content, {.body = "a", .message_group_id = "g"}), IsOk());
  }
  tx.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  EXPECT_EQ(fifo.Depth().total(), 1);
  EXPECT_EQ(content.Depth().total(), 1);
}

// O2.
TEST_F(OutboxFaultsTest, AFailedDeleteIsRepeatedAndNotThePublish) {
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, jobs_, {"a", "b"});
  database_.delete_faults = 3;
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(outbox.Stats().table_failures, 1);
  CommitSends(outbox, jobs_, {"c"});
  runtime_.Advance(10 * kPoll);
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a", "b", "c"));
  EXPECT_THAT(database_.rows(), IsEmpty());
  EXPECT_EQ(outbox.Stats().table_failures, 3);
}

TEST_F(OutboxFaultsTest, ATableThatCannotBeReadIsReadAgainAndTheLogToldOnce) {
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, jobs_, {"a"});
  database_.read_faults = 5;
  outbox.Start();
  runtime_.Advance(4 * kPoll);
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
  EXPECT_EQ(outbox.Stats().table_failures, 5);
  EXPECT_THAT(log_.others(), ElementsAre(HasSubstr("Read failed")));
  database_.read_faults = 1;
  runtime_.Advance(2 * kPoll);
  EXPECT_THAT(log_.others(), SizeIs(2)) << "a new failure is told anew";
}

// --- Rows that cannot be published

TEST_F(OutboxFaultsTest, ARowWhoseTopicWasDeletedIsParkedWithTheErrorAndOthersGoOn) {
  Outbox outbox = MakeOutbox();
  {
    Transaction tx(database_);
    ASSERT_THAT(outbox.PublishIn(tx, orders_, {.body = "lost"}), IsOk());
    ASSERT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}), IsOk());
    tx.Commit();
  }
  ASSERT_THAT(broker_.DeleteTopic("orders"), IsOk());
  outbox.Start();
  runtime_.Advance(10 * kPoll);
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
  EXPECT_EQ(outbox.Stats().parked, 1);
  EXPECT_THAT(log_.errors(), ElementsAre(AllOf(HasSubstr("row 1 of the outbox was parked"),
                                               HasSubstr("Topic does not exist"))));
  ASSERT_THAT(database_.rows(), SizeIs(1));
  EXPECT_THAT(database_.rows()[1].error, HasSubstr("Topic does not exist"));

  // There is a topic again, and the operator takes the mark off.
  const Topic again = broker_.CreateTopic("orders").value();
  ASSERT_THAT(again.Subscribe(others_, {.raw = true}), IsOk());
  database_.Unpark();
  outbox.Committed();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(others_), ElementsAre("lost"));
  EXPECT_THAT(database_.rows(), IsEmpty());
}

TEST_F(OutboxFaultsTest, ARowThatIsNoRowIsParkedAndOthersGoOn) {
  Outbox outbox = MakeOutbox();
  database_.Add("");
  database_.Add("{\"banyan_outbox\":1,\n");
  database_.Add(std::string("\xff\x00\n", 3));
  database_.Add(R"({"banyan_outbox":2,"kind":"queue","new":{}})");
  CommitSends(outbox, jobs_, {"a"});
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
  EXPECT_EQ(outbox.Stats().parked, 4);
  EXPECT_THAT(database_.rows()[4].error, HasSubstr("its version is 2"));
}

TEST_F(OutboxFaultsTest, ARowOfAnotherAccountIsParked) {
  Outbox outbox = MakeOutbox();
  for (const char* arn : {"arn:aws:sqs:us-east-1:999999999999:jobs", "jobs",
                          "arn:aws:sqs:us-east-1:000000000000:nobody"}) {
    database_.Add(
        R"({"banyan_outbox":1,"kind":"queue","id":"5fea7756-0ea4-451a-a703-a558b933e274",)"
        R"("body":"a","arn":")" +
        std::string(arn) + "\"}");
  }
  // A bus's name where its prefix is missing is another's.
  database_.Add(R"({"banyan_outbox":1,"kind":"bus","id":"5fea7756-0ea4-451a-a703-a558b933e274",)"
                R"("source":"s","detail_type":"t","detail":"{}",)"
                R"("arn":"arn:aws:events:us-east-1:000000000000:default"})");
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(outbox.Stats().parked, 4);
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());
}

TEST_F(OutboxFaultsTest, AParkThatFailsHoldsUpNobody) {
  Outbox outbox = MakeOutbox();
  database_.Add("garbage");
  CommitSends(outbox, jobs_, {"a"});
  database_.park_faults = 2;
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
  EXPECT_EQ(outbox.Stats().parked, 0);
  runtime_.Advance(2 * kPoll);
  EXPECT_EQ(outbox.Stats().parked, 1);
  EXPECT_THAT(PeekBodies(jobs_), SizeIs(1));
}

TEST_F(OutboxFaultsTest, ATableWhoseRowsDoNotRiseIsNotReadForEver) {
  class Liar : public FakeDatabase {
   public:
    absl::StatusOr<std::vector<OutboxRow>> Read(int64_t, int64_t max) override {
      return FakeDatabase::Read(0, max);  // forgets `after`
    }
    absl::Status Delete(absl::Span<const int64_t>) override { return absl::OkStatus(); }
  };
  Liar liar;
  Outbox outbox = Outbox::Create(broker_, liar, {.batch_size = 1}).value();
  FakeDatabase::Transaction tx(liar);
  ASSERT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}), IsOk());
  tx.Commit();
  outbox.Start();
  runtime_.RunUntilIdle();  // ends
  EXPECT_THAT(PeekBodies(jobs_), SizeIs(1));
  EXPECT_EQ(outbox.Stats().table_failures, 1);
}

TEST_F(OutboxFaultsTest, ATableThatDoesNotTellARowDoesNotKeepTheRelayBusy) {
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, jobs_, {"a"});
  database_.left_out = 1;
  outbox.Start();
  runtime_.RunUntilIdle();  // ends
  EXPECT_EQ(outbox.Stats().table_failures, 1);
  EXPECT_THAT(log_.others(), ElementsAre(HasSubstr("row 1 is there, and was not told")));
  database_.left_out = 0;
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
}

TEST_F(OutboxFaultsTest, ATableThatCannotTellItsSequencesIsAskedAgain) {
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, jobs_, {"a"});
  database_.sequences_faults = 1;
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());
  EXPECT_EQ(outbox.Stats().table_failures, 1);
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
}

#if defined(__cpp_exceptions)
TEST_F(OutboxFaultsTest, ATableThatThrowsHasFailed) {
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, jobs_, {"a"});
  int reads = 0;
  database_.on_read = [&reads] {
    if (++reads == 1) throw std::runtime_error("connection\nlost");
  };
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(log_.others(), ElementsAre(HasSubstr("connection lost")));
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
}
#endif

// --- Resources that refuse for a while

class OutboxFullQueueTest : public OutboxTest {
 protected:
  Queue small_ = broker_.CreateQueue("small", {.messages_max = 2}).value();
};

TEST_F(OutboxFullQueueTest, ItsRowsWaitInOrderAndOthersPass) {
  Outbox outbox = MakeOutbox({.batch_size = 2});
  CommitSends(outbox, small_, {"1", "2", "3", "4"});
  CommitSends(outbox, jobs_, {"a"});
  CommitSends(outbox, small_, {"5"});
  CommitSends(outbox, jobs_, {"b"});
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(small_), ElementsAre("1", "2"));
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a", "b"));
  EXPECT_EQ(outbox.Stats().waiting, 3);
  EXPECT_THAT(log_.others(), ElementsAre(HasSubstr("refuses them for now")));

  const std::vector<Received> batch = small_.Receive({.max_messages = 1}).value();
  ASSERT_THAT(batch[0].Delete(), IsOk());
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(small_), ElementsAre("2", "3"));
  ASSERT_THAT(small_.Purge(), IsOk());
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(small_), ElementsAre("4", "5"));
  EXPECT_EQ(outbox.Stats().waiting, 0);
  EXPECT_EQ(outbox.Stats().parked, 0);
  EXPECT_THAT(database_.rows(), IsEmpty());
}

TEST_F(OutboxFullQueueTest, ARowThatIsRefusedForTooLongIsParkedAndTheNextHasItsOwnTime) {
  Outbox outbox = MakeOutbox({.refused_max = absl::Minutes(1)});
  CommitSends(outbox, small_, {"1", "2", "3", "4"});
  outbox.Start();
  runtime_.Advance(absl::Seconds(59));
  EXPECT_EQ(outbox.Stats().parked, 0);
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(outbox.Stats().parked, 1);
  EXPECT_THAT(database_.rows()[3].error, HasSubstr("full"));
  ASSERT_THAT(small_.Purge(), IsOk());
  runtime_.Advance(kPoll);
  EXPECT_THAT(PeekBodies(small_), ElementsAre("4"));
  EXPECT_EQ(outbox.Stats().parked, 1);
}

TEST_F(OutboxFullQueueTest, WithNoPatienceARowIsParkedAtOnce) {
  Outbox outbox = MakeOutbox({.refused_max = absl::ZeroDuration()});
  CommitSends(outbox, small_, {"1", "2", "3", "4"});
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(outbox.Stats().parked, 2);
}

TEST_F(OutboxFullQueueTest, WithEndlessPatienceARowWaits) {
  Outbox outbox =
      MakeOutbox({.poll_interval = absl::Hours(1), .refused_max = absl::InfiniteDuration()});
  CommitSends(outbox, small_, {"1", "2", "3"});
  outbox.Start();
  runtime_.Advance(absl::Hours(24));
  EXPECT_EQ(outbox.Stats().parked, 0);
  EXPECT_EQ(outbox.Stats().waiting, 1);
}

TEST_F(OutboxFullQueueTest, TheRelayDoesNotWaitForRoomWhereASenderWould) {
  const Queue blocking = broker_
                             .CreateQueue("blocking", {.messages_max = 1,
                                                       .when_full = WhenFull::kBlock,
                                                       .block_max = absl::Minutes(5)})
                             .value();
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, blocking, {"1", "2"});
  CommitSends(outbox, jobs_, {"a"});
  const absl::Duration before = runtime_.Uptime();
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(runtime_.Uptime(), before);
  EXPECT_THAT(PeekBodies(blocking), ElementsAre("1"));
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
}

}  // namespace
}  // namespace banyan
