// SPDX-License-Identifier: Apache-2.0
//
// Outboxes, brokers and runtimes end in any order.
#include "banyan/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "banyan/broker.h"
#include "banyan/tap.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "outbox_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::SizeIs;

using OutboxLifeTest = OutboxTest;

TEST_F(OutboxLifeTest, WhatABrokerThatStopsLeavesIsPublishedByTheNext) {
  Outbox outbox = MakeOutbox();
  outbox.Start();
  runtime_.RunUntilIdle();
  Transaction tx(database_);
  ASSERT_THAT(outbox.SendIn(tx, jobs_, {.body = "a"}), IsOk());
  broker_.Stop(absl::ZeroDuration());
  EXPECT_THAT(outbox.SendIn(tx, jobs_, {.body = "b"}), StatusIs(absl::StatusCode::kUnavailable));
  tx.Commit();
  outbox.Committed();
  runtime_.Advance(10 * kPoll);
  EXPECT_THAT(database_.rows(), SizeIs(1));
  EXPECT_TRUE(outbox.Stats().stopped);
  EXPECT_EQ(outbox.Stats().parked, 0);

  broker_ = Broker::Create(runtime_, {}).value();
  const Queue jobs = broker_.CreateQueue("jobs").value();
  Outbox next = MakeOutbox();
  next.Start();
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs), ElementsAre("a"));
}

TEST_F(OutboxLifeTest, AnOutboxMayOutliveItsBrokerAndItsRuntime) {
  auto runtime = std::make_unique<testing::SimulatedRuntime>();
  std::optional<Broker> broker = Broker::Create(*runtime, {}).value();
  const Queue queue = broker->CreateQueue("q").value();
  Outbox outbox = Outbox::Create(*broker, database_).value();
  outbox.Start();
  runtime->Advance(absl::Seconds(10));
  broker.reset();
  runtime.reset();
  Transaction tx(database_);
  EXPECT_THAT(outbox.SendIn(tx, queue, {.body = "a"}), StatusIs(absl::StatusCode::kUnavailable));
  outbox.Committed();
  outbox.Start();
  outbox.Stop();
}

TEST_F(OutboxLifeTest, AStoppedOutboxPublishesNothingAndStillWrites) {
  Outbox outbox = MakeOutbox();
  outbox.Start();
  outbox.Committed();  // a page is posted
  outbox.Stop();
  database_.must_not_be_called = true;
  CommitSends(outbox, jobs_, {"a"});
  runtime_.Advance(10 * kPoll);
  EXPECT_THAT(database_.rows(), SizeIs(1));
}

TEST_F(OutboxLifeTest, AnOutboxCanBeMovedAndAssigned) {
  Outbox first = MakeOutbox();
  first.Start();
  Outbox second = std::move(first);
  CommitSends(second, jobs_, {"a"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(PeekBodies(jobs_), ElementsAre("a"));
  Transaction tx(database_);
  EXPECT_THAT(first.SendIn(tx, jobs_, {.body = "b"}),  // NOLINT: moved from, on purpose
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(first.Stats().stopped);
  FakeDatabase other;
  second = Outbox::Create(broker_, other).value();
  database_.must_not_be_called = true;
  runtime_.Advance(10 * kPoll);
}

// What the relay calls may end it: here a tap, in the middle of a page (O6).
TEST_F(OutboxLifeTest, AnOutboxMayBeDestroyedFromInsideItsOwnPublish) {
  class Ender : public Tap {
   public:
    TapVerdict Accepted(const AcceptedMessage&) override {
      outbox.reset();
      database->must_not_be_called = true;
      return TapVerdict::kDeliver;
    }
    std::optional<Outbox> outbox;
    FakeDatabase* database = nullptr;
  };
  Ender ender;
  Broker broker = Broker::Create(runtime_, {.tap = &ender}).value();
  const Queue queue = broker.CreateQueue("q").value();
  ender.database = &database_;
  ender.outbox = Outbox::Create(broker, database_).value();
  CommitSends(*ender.outbox, queue, {"a", "b"});
  ender.outbox->Start();
  runtime_.Advance(10 * kPoll);
  EXPECT_THAT(PeekBodies(queue), ElementsAre("a"));
  EXPECT_THAT(database_.rows(), SizeIs(2)) << "at least once: the next outbox publishes both";
}

}  // namespace
}  // namespace banyan
