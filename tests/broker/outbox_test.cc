// SPDX-License-Identifier: Apache-2.0
//
// Transactions of the host's database and the events in them. Time is moved by hand.
#include "banyan/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "outbox_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::BodyIs;
using ::banyan::testing::HasAttribute;
using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// --- Transactions

TEST_F(OutboxTest, ACommitPublishesAndNothingIsPublishedBeforeIt) {
  ASSERT_THAT(orders_.Subscribe(jobs_, {.raw = true}), IsOk());
  Outbox outbox = MakeOutbox();
  outbox.Start();
  Transaction tx(database_);
  ASSERT_THAT(outbox.PublishIn(tx, orders_, {.body = "o-1"}), IsOk());
  outbox.Committed();  // not true yet, and does no harm
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());

  tx.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("o-1"));
  EXPECT_THAT(database_.rows(), IsEmpty());
  EXPECT_EQ(outbox.Stats().published, 1);

  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(PeekBodies(jobs_), SizeIs(1)) << "and it is published once";
}

TEST_F(OutboxTest, ARollbackPublishesNothing) {
  Outbox outbox = MakeOutbox();
  outbox.Start();
  {
    Transaction tx(database_);
    ASSERT_THAT(outbox.SendIn(tx, jobs_, {.body = "never"}), IsOk());
  }
  outbox.Committed();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());
  EXPECT_EQ(outbox.Stats().written, 1);
  EXPECT_EQ(outbox.Stats().published, 0);
}

TEST_F(OutboxTest, ACommitThatNobodyAnnouncedIsFoundByThePoll) {
  Outbox outbox = MakeOutbox({.poll_interval = kPoll});
  outbox.Start();
  runtime_.RunUntilIdle();
  Transaction tx(database_);
  ASSERT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}), IsOk());
  tx.Commit();
  runtime_.Advance(kPoll - absl::Nanoseconds(1));
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
}

TEST_F(OutboxTest, PollsGoOnAtTheirIntervalHoweverOftenSomebodyCommits) {
  Outbox outbox = MakeOutbox({.poll_interval = kPoll});
  outbox.Start();
  int reads = 0;
  database_.on_read = [&reads] { ++reads; };
  for (int i = 0; i < 10; ++i) {
    outbox.Committed();
    runtime_.RunUntilIdle();
    runtime_.Advance(kPoll / 4);
  }
  runtime_.Advance(kPoll);
  reads = 0;
  runtime_.Advance(10 * kPoll);
  EXPECT_EQ(reads, 10);
}

// It commits while a round is between two of its pages, with rows in both.
TEST_F(OutboxTest, RowsOfOneTransactionKeepTheirOrderWheneverItCommits) {
  for (const int when : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(when);
    const Queue jobs = broker_.CreateQueue("late-" + std::to_string(when)).value();
    Outbox outbox = MakeOutbox({.batch_size = 2});
    Transaction late(database_), other(database_);
    ASSERT_THAT(outbox.SendIn(late, jobs, {.body = "first"}), IsOk());
    for (int i = 0; i < 3; ++i) ASSERT_THAT(outbox.SendIn(other, others_, {.body = "x"}), IsOk());
    ASSERT_THAT(outbox.SendIn(late, jobs, {.body = "second"}), IsOk());
    for (int i = 0; i < 3; ++i) ASSERT_THAT(outbox.SendIn(other, others_, {.body = "x"}), IsOk());
    other.Commit();
    int reads = 0;
    database_.on_read = [&] {
      if (++reads == when) late.Commit();
    };
    outbox.Start();
    runtime_.RunUntilIdle();
    runtime_.Advance(kPoll);
    runtime_.Advance(kPoll);
    database_.on_read = nullptr;
    EXPECT_THAT(PeekBodies(jobs), ElementsAre("first", "second"));
  }
}

// Two transactions, the second begun when the first had committed; the first commits behind the page
// that was read, the second before the next page is.
TEST_F(OutboxTest, ALateCommitIsNotOvertakenByTheNextTransaction) {
  const Queue full = broker_.CreateQueue("full", {.messages_max = 1}).value();
  for (const bool a_row_is_held_back : {false, true}) {
    SCOPED_TRACE(a_row_is_held_back);
    const Queue jobs = broker_.CreateQueue(a_row_is_held_back ? "held" : "free").value();
    Outbox outbox = MakeOutbox({.batch_size = 2});
    if (a_row_is_held_back) CommitSends(outbox, full, {"x", "y"});
    Transaction first(database_);
    ASSERT_THAT(outbox.SendIn(first, jobs, {.body = "first"}), IsOk());
    CommitSends(outbox, jobs, {"a", "b", "c"});
    int reads = 0;
    database_.on_read = [&] {
      if (++reads != (a_row_is_held_back ? 3 : 2)) return;
      first.Commit();
      Transaction second(database_);
      ASSERT_THAT(outbox.SendIn(second, jobs, {.body = "second"}), IsOk());
      second.Commit();
    };
    outbox.Start();
    runtime_.RunUntilIdle();
    database_.on_read = nullptr;
    EXPECT_THAT(PeekBodies(jobs), ElementsAre("a", "b", "c", "first", "second"));
  }
}

TEST_F(OutboxTest, NothingIsPublishedBeforeStartAndThenWhatWasLeftBehind) {
  Outbox outbox = MakeOutbox();
  CommitSends(outbox, jobs_, {"a", "b"});
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(PeekBodies(jobs_), IsEmpty());
  EXPECT_FALSE(outbox.Stats().started);
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a", "b"));
}

// --- What a row carries

TEST_F(OutboxTest, AMessageOfATopicArrivesAsItWasGiven) {
  ASSERT_THAT(
      orders_.Subscribe(jobs_, {.filter_policy = R"({"n": [{"numeric": ["=", 7]}]})", .raw = true}),
      IsOk());
  Outbox outbox = MakeOutbox();
  outbox.Start();
  Transaction tx(database_);
  const std::string bytes("\x00\xff\"}", 4);
  ASSERT_THAT(outbox.PublishIn(tx, orders_,
                               {.body = "\"\u00e4\n",
                                .subject = "s",
                                .attributes = {{"n", AttributeValue::Number(7)},
                                               {"b", AttributeValue::Binary(bytes)}},
                                .trace_header = "Root=1"}),
              IsOk());
  tx.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  const std::vector<Received> batch = jobs_.Receive().value();
  ASSERT_THAT(batch, ElementsAre(BodyIs("\"\u00e4\n")));
  EXPECT_EQ(batch[0].attributes(),
            (Attributes{{"n", AttributeValue::Number(7)}, {"b", AttributeValue::Binary(bytes)}}));
  EXPECT_EQ(batch[0].trace_header(), "Root=1");
}

TEST_F(OutboxTest, AMessageOfAQueueKeepsItsDelay) {
  Outbox outbox = MakeOutbox();
  outbox.Start();
  Transaction tx(database_);
  ASSERT_THAT(outbox.SendIn(tx, jobs_, {.body = "later", .delay = absl::Seconds(5)}), IsOk());
  tx.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  EXPECT_EQ(jobs_.Depth(), (QueueDepth{.delayed = 1}));
  runtime_.Advance(absl::Seconds(5));
  EXPECT_EQ(jobs_.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(OutboxTest, AnEventHasTheTimeOfItsTransaction) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  ASSERT_THAT(shop.PutRule("all", {.pattern = R"({"source": ["s"]})", .targets = {jobs_}}), IsOk());
  Outbox outbox = MakeOutbox();
  Transaction tx(database_);
  ASSERT_THAT(
      outbox.PutIn(
          tx, shop,
          {.source = "s", .detail_type = "t", .detail = R"({"a": 1})", .resources = {"r1", "r2"}}),
      IsOk());
  tx.Commit();
  const std::string then =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", runtime_.Now(), absl::UTCTimeZone());
  runtime_.Advance(absl::Hours(5));
  outbox.Start();
  runtime_.RunUntilIdle();
  const std::vector<std::string> bodies = PeekBodies(jobs_);
  ASSERT_THAT(bodies, SizeIs(1));
  EXPECT_THAT(bodies[0], AllOf(HasSubstr("\"time\":\"" + then + "\""), HasSubstr(R"({"a":1})"),
                               HasSubstr(R"(["r1","r2"])")));
}

TEST_F(OutboxTest, AnIdAttributeNamesTheRowWhereverItArrives) {
  ASSERT_THAT(orders_.Subscribe(others_, {.raw = true}), IsOk());
  Outbox outbox = MakeOutbox({.id_attribute = "outbox-id"});
  outbox.Start();
  Transaction tx(database_);
  const Id sent = outbox.SendIn(tx, jobs_, {.body = "a"}).value();
  const Id published = outbox.PublishIn(tx, orders_, {.body = "b"}).value();
  tx.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  EXPECT_NE(sent, published);
  EXPECT_THAT(jobs_.Peek(1).value(), ElementsAre(HasAttribute("outbox-id", sent.ToString())));
  EXPECT_THAT(others_.Peek(1).value(),
              ElementsAre(HasAttribute("outbox-id", published.ToString())));
}

// --- What is refused at once

TEST_F(OutboxTest, WhatTheVerbWouldRefuseIsRefusedAndNoRowIsWritten) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  const Queue fifo = broker_.CreateQueue("q.fifo", {.fifo = true}).value();
  Outbox outbox = MakeOutbox();
  Transaction tx(database_);
  const auto same = [](const absl::Status& a, const absl::Status& b) {
    EXPECT_THAT(a, StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_EQ(a, b);
  };
  const PublishRequest empty;
  same(outbox.PublishIn(tx, orders_, empty).status(), orders_.Publish(empty).status());
  const PublishRequest too_long = {.body = std::string(262'145, 'x')};
  same(outbox.PublishIn(tx, orders_, too_long).status(), orders_.Publish(too_long).status());
  const EventEntry no_object = {.source = "s", .detail_type = "t", .detail = "[1]"};
  same(outbox.PutIn(tx, shop, no_object).status(), shop.Put(no_object).status());
  const EventEntry bad_trace = {
      .source = "s", .detail_type = "t", .detail = "{}", .trace_header = "\n"};
  same(outbox.PutIn(tx, shop, bad_trace).status(), shop.Put(bad_trace).status());
  const SendRequest no_group = {.body = "a"};
  same(outbox.SendIn(tx, fifo, no_group).status(), fifo.Send(no_group).status());
  const SendRequest long_delay = {.body = "a", .delay = absl::Hours(1)};
  same(outbox.SendIn(tx, jobs_, long_delay).status(), jobs_.Send(long_delay).status());
  const SendRequest control = {.body = std::string("\x01")};
  same(outbox.SendIn(tx, jobs_, control).status(), jobs_.Send(control).status());
  tx.Commit();
  EXPECT_THAT(database_.rows(), IsEmpty());
  EXPECT_EQ(outbox.Stats().written, 0);
}

TEST_F(OutboxTest, AResourceThatIsGoneIsRefused) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  Outbox outbox = MakeOutbox();
  Transaction tx(database_);
  ASSERT_THAT(broker_.DeleteTopic("orders"), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  ASSERT_THAT(broker_.DeleteEventBus("shop"), IsOk());
  const auto gone = StatusIs(absl::StatusCode::kNotFound);
  const EventEntry entry = {.source = "s", .detail_type = "t", .detail = "{}"};
  EXPECT_THAT(outbox.PublishIn(tx, orders_, {.body = "a"}), gone);
  EXPECT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}), gone);
  EXPECT_THAT(outbox.PutIn(tx, shop, entry), gone);
  // A handle from before, though there is a new one of that name.
  ASSERT_THAT(broker_.CreateTopic("orders"), IsOk());
  EXPECT_THAT(outbox.PublishIn(tx, orders_, {.body = "a"}), gone);
  EXPECT_THAT(outbox.PublishIn(tx, Topic(), {.body = "a"}), gone);
  EXPECT_THAT(outbox.SendIn(tx, Queue(), {.body = "a"}), gone);
  EXPECT_THAT(outbox.PutIn(tx, EventBus(), entry), gone);
}

TEST_F(OutboxTest, AResourceOfAnotherBrokerIsRefused) {
  Broker other = Broker::Create(runtime_, {}).value();
  const Topic foreign = other.CreateTopic("orders").value();
  const Queue foreign_queue = other.CreateQueue("jobs").value();
  const EventBus foreign_bus = other.FindEventBus("default").value();
  Outbox outbox = MakeOutbox();
  Transaction tx(database_);
  const auto refused =
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another broker than the outbox"));
  EXPECT_THAT(outbox.PublishIn(tx, foreign, {.body = "a"}), refused);
  EXPECT_THAT(outbox.SendIn(tx, foreign_queue, {.body = "a"}), refused);
  EXPECT_THAT(outbox.PutIn(tx, foreign_bus, {.source = "s", .detail_type = "t", .detail = "{}"}),
              refused);
}

TEST_F(OutboxTest, AnErrorOfInsertGoesBackToTheCaller) {
  Outbox outbox = MakeOutbox();
  Transaction tx(database_);
  database_.insert_faults = 1;
  EXPECT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}),
              StatusIs(absl::StatusCode::kAborted, "disk full"));
  EXPECT_EQ(outbox.Stats().written, 0);
  EXPECT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}), IsOk());
}

TEST_F(OutboxTest, OptionsOutOfRangeAreRefused) {
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("parameter"));
  for (const OutboxOptions& options :
       {OutboxOptions{.poll_interval = absl::ZeroDuration()},
        OutboxOptions{.poll_interval = absl::Hours(25)}, OutboxOptions{.batch_size = 0},
        OutboxOptions{.batch_size = 10'001}, OutboxOptions{.refused_max = -absl::Seconds(1)}}) {
    EXPECT_THAT(Outbox::Create(broker_, database_, options).status(), refused);
  }
  const Broker taken = std::move(broker_);
  EXPECT_THAT(Outbox::Create(broker_, database_).status(),  // NOLINT: moved from, on purpose
              StatusIs(absl::StatusCode::kUnavailable));
}

// --- Order

TEST_F(OutboxTest, RowsOfAResourceKeepTheirOrderOverManyPages) {
  Outbox outbox = MakeOutbox({.batch_size = 2});
  std::vector<std::string> bodies;
  for (int i = 0; i < 7; ++i) bodies.push_back(std::to_string(i));
  CommitSends(outbox, jobs_, {bodies[0], bodies[1], bodies[2]});
  CommitSends(outbox, others_, {"between"});
  CommitSends(outbox, jobs_, {bodies[3], bodies[4], bodies[5], bodies[6]});
  outbox.Start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(PeekBodies(jobs_), bodies);
  EXPECT_THAT(PeekBodies(others_), ElementsAre("between"));
  EXPECT_THAT(database_.rows(), IsEmpty());
}

// A relay that went on from the highest sequence it has seen would lose the first one.
TEST_F(OutboxTest, ATransactionThatBeganEarlierAndCommitsLaterIsNotMissed) {
  Outbox outbox = MakeOutbox();
  outbox.Start();
  Transaction early(database_);
  Transaction late(database_);
  ASSERT_THAT(outbox.SendIn(early, jobs_, {.body = "began first"}), IsOk());
  ASSERT_THAT(outbox.SendIn(late, jobs_, {.body = "committed first"}), IsOk());
  late.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  early.Commit();
  outbox.Committed();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("committed first", "began first"));
}

}  // namespace
}  // namespace banyan
