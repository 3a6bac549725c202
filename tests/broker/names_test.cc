// SPDX-License-Identifier: Apache-2.0
//
// Creating, opening, finding, listing and deleting by name; bounds; many brokers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>

#include "banyan/broker.h"
#include "banyan/error.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

absl::Status Ok(const FunctionEvent&) { return absl::OkStatus(); }

template <typename Handle>
std::vector<std::string> NamesOf(const std::vector<Handle>& handles) {
  std::vector<std::string> names;
  for (const Handle& handle : handles) names.emplace_back(handle.name());
  return names;
}

std::string AwsCode(const absl::Status& status) {
  const AwsErrorRow* row = FindAwsError(status);
  return row == nullptr ? "(none)" : std::string(row->code);
}

class BrokerTest : public ::testing::Test {
 protected:
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
};

// --- Brokers

TEST(CreateBrokerTest, AnAccountIsTwelveDigits) {
  testing::SimulatedRuntime runtime;
  for (const char* account : {"", "12345678901", "1234567890123", "12345678901x"}) {
    EXPECT_THAT(Broker::Create(runtime, {.account = account}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Account")))
        << account;
  }
  EXPECT_THAT(Broker::Create(runtime, {.account = "123456789012"}), IsOk());
}

TEST(CreateBrokerTest, ARegionIsLowerCaseLettersDigitsAndHyphens) {
  testing::SimulatedRuntime runtime;
  for (const char* region : {"", "EU-west-1", "eu west", "eu:west"}) {
    EXPECT_THAT(Broker::Create(runtime, {.region = region}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Region")))
        << region;
  }
}

TEST(CreateBrokerTest, AccountAndRegionAreInEveryArn) {
  testing::SimulatedRuntime runtime;
  Broker broker =
      Broker::Create(runtime, {.account = "123456789012", .region = "eu-west-1"}).value();
  EXPECT_EQ(broker.CreateQueue("q")->arn().ToString(), "arn:aws:sqs:eu-west-1:123456789012:q");
  EXPECT_EQ(broker.CreateTopic("t")->arn().ToString(), "arn:aws:sns:eu-west-1:123456789012:t");
  EXPECT_EQ(broker.CreateEventBus("b")->arn().ToString(),
            "arn:aws:events:eu-west-1:123456789012:event-bus/b");
  EXPECT_EQ(broker.CreateStream("s")->arn().ToString(),
            "arn:aws:kinesis:eu-west-1:123456789012:stream/s");
  EXPECT_EQ(broker.CreateFunction("f", {}, Ok)->arn().ToString(),
            "arn:aws:lambda:eu-west-1:123456789012:function:f");
  EXPECT_EQ(broker.account(), "123456789012");
  EXPECT_EQ(broker.region(), "eu-west-1");
}

TEST(CreateBrokerTest, BrokersKnowNothingOfEachOther) {
  testing::SimulatedRuntime runtime;
  Broker a = Broker::Create(runtime, {}).value();
  Broker b = Broker::Create(runtime, {}).value();
  Queue in_a = a.CreateQueue("jobs").value();
  EXPECT_THAT(b.FindQueue("jobs"), StatusIs(absl::StatusCode::kNotFound));
  Queue in_b = b.CreateQueue("jobs").value();
  ASSERT_THAT(in_a.Send({.body = "x"}), IsOk());
  EXPECT_EQ(in_b.Depth().total(), 0);
  EXPECT_NE(in_a, in_b);
  // Not even as a dead-letter queue, though the ARN is the same text.
  Queue dead = a.CreateQueue("dead").value();
  EXPECT_THAT(b.CreateQueue("other", {.redrive = RedrivePolicy{dead.arn(), 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CreateBrokerTest, TenThousandComeAndGo) {
  testing::SimulatedRuntime runtime;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_THAT(Broker::Create(runtime, {}), IsOk());
  }
  EXPECT_EQ(runtime.NextDue(), absl::InfiniteDuration()) << "they left timers behind";
}

TEST(CreateBrokerTest, AThousandLiveSideBySide) {
  testing::SimulatedRuntime runtime;
  std::deque<Broker> brokers;
  for (int i = 0; i < 1'000; ++i) brokers.push_back(Broker::Create(runtime, {}).value());
  EXPECT_THAT(brokers.front().CreateQueue("q"), IsOk());
  EXPECT_THAT(brokers.back().CreateQueue("q"), IsOk());
}

TEST(CreateBrokerTest, AMovedBrokerIsTheSameBroker) {
  testing::SimulatedRuntime runtime;
  Broker a = Broker::Create(runtime, {}).value();
  Queue jobs = a.CreateQueue("jobs").value();
  Broker b = std::move(a);
  EXPECT_EQ(b.FindQueue("jobs").value(), jobs);
  b = Broker::Create(runtime, {}).value();  // ends the first
  EXPECT_THAT(jobs.Send({.body = "x"}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(b.FindQueue("jobs"), StatusIs(absl::StatusCode::kNotFound));
}

// --- Create or open

TEST_F(BrokerTest, TheSameNameAndOptionsOpenWhatIsThere) {
  Queue first = broker_.CreateQueue("jobs", {.delay = absl::Seconds(3)}).value();
  EXPECT_EQ(broker_.CreateQueue("jobs", {.delay = absl::Seconds(3)}).value(), first);
  EXPECT_EQ(broker_.CreateTopic("t").value(), broker_.CreateTopic("t").value());
  EXPECT_EQ(broker_.CreateEventBus("b").value(), broker_.CreateEventBus("b").value());
  EXPECT_EQ(broker_.CreateStream("s").value(), broker_.CreateStream("s").value());
}

TEST_F(BrokerTest, ANameAloneAlwaysOpensAQueue) {
  Queue first = broker_.CreateQueue("jobs", {.delay = absl::Seconds(3)}).value();
  EXPECT_EQ(broker_.CreateQueue("jobs").value(), first);
  // Of what is given, all must be equal; what is not given is not asked about.
  ASSERT_THAT(first.SetOptions({.visibility_timeout = absl::Seconds(5), .delay = absl::Seconds(3)}),
              IsOk());
  EXPECT_EQ(broker_.CreateQueue("jobs", {.delay = absl::Seconds(3)}).value(), first);
}

TEST_F(BrokerTest, AQueueWithOtherAttributesIsRefusedAndTheFirstIsNamed) {
  ASSERT_THAT(broker_.CreateQueue("jobs", {.delay = absl::Seconds(3)}), IsOk());
  const absl::Status refused =
      broker_.CreateQueue("jobs", {.delay = absl::Seconds(4), .retention = absl::Hours(1)})
          .status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(refused.message(),
            "A queue already exists with the same name and a different value for attribute "
            "DelaySeconds");
  EXPECT_EQ(AwsCode(refused), "QueueAlreadyExists");
}

TEST_F(BrokerTest, OtherKindsWithOtherOptionsAreRefusedInTheirServicesWords) {
  ASSERT_THAT(broker_.CreateTopic("t", {.display_name = "one"}), IsOk());
  EXPECT_EQ(AwsCode(broker_.CreateTopic("t", {.display_name = "two"}).status()),
            "InvalidParameter");
  EXPECT_THAT(broker_.CreateTopic("t"), IsOk()) << "fewer attributes are no difference";

  ASSERT_THAT(broker_.CreateEventBus("b", {.description = "one"}), IsOk());
  const absl::Status bus = broker_.CreateEventBus("b", {.description = "two"}).status();
  EXPECT_THAT(bus, StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(bus.message(), "Event bus b already exists.");

  ASSERT_THAT(broker_.CreateStream("s", {.shards = 2}), IsOk());
  EXPECT_EQ(AwsCode(broker_.CreateStream("s", {.shards = 3}).status()), "ResourceInUseException");

  ASSERT_THAT(broker_.CreateFunction("f", {}, Ok), IsOk());
  EXPECT_EQ(AwsCode(broker_.CreateFunction("f", {}, Ok).status()), "ResourceConflictException");
}

TEST_F(BrokerTest, BadNamesAndOptionsChangeNothing) {
  EXPECT_THAT(broker_.CreateQueue(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateQueue("a b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateQueue(std::string(81, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateQueue("q", {.delay = absl::Minutes(16)}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateTopic("a b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateEventBus("a b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateStream("a b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateStream("s", {.shards = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateFunction("a b", {}, Ok), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateFunction("f", {.concurrency = 0}, Ok),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.CreateFunction("f", {}, FunctionHandler()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.ListQueues(), IsEmpty());
  EXPECT_THAT(broker_.ListTopics(), IsEmpty());
  EXPECT_THAT(broker_.ListStreams(), IsEmpty());
  EXPECT_THAT(broker_.ListFunctions(), IsEmpty());
  EXPECT_THAT(NamesOf(broker_.ListEventBuses()), ElementsAre("default"));
}

TEST_F(BrokerTest, ADeadLetterQueueMustExistAndBeAnother) {
  const Arn self = {"aws", "sqs", "us-east-1", "000000000000", "jobs"};
  EXPECT_THAT(broker_.CreateQueue("jobs", {.redrive = RedrivePolicy{self, 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  Arn unknown = self;
  unknown.resource = "unknown";
  EXPECT_THAT(broker_.CreateQueue("jobs", {.redrive = RedrivePolicy{unknown, 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.FindQueue("jobs"), StatusIs(absl::StatusCode::kNotFound));

  Queue dead = broker_.CreateQueue("dead").value();
  Arn elsewhere = dead.arn();
  elsewhere.region = "eu-west-1";
  EXPECT_THAT(broker_.CreateQueue("jobs", {.redrive = RedrivePolicy{elsewhere, 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  Queue jobs = broker_.CreateQueue("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}}).value();
  // The same rules when it is set later.
  EXPECT_THAT(jobs.SetOptions({.redrive = RedrivePolicy{unknown, 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(jobs.Options()->redrive->dead_letter, dead.arn());
}

// --- Find and list

TEST_F(BrokerTest, FindAnswersNotFoundInTheWordsOfTheService) {
  EXPECT_EQ(broker_.FindQueue("x").status().message(), "The specified queue does not exist.");
  EXPECT_EQ(broker_.FindTopic("x").status().message(), "Topic does not exist");
  EXPECT_EQ(broker_.FindEventBus("x").status().message(), "Event bus x does not exist.");
  EXPECT_EQ(broker_.FindStream("x").status().message(),
            "Stream x under account 000000000000 not found.");
  EXPECT_EQ(AwsCode(broker_.FindFunction("x").status()), "ResourceNotFoundException");
  for (const absl::Status& status :
       {broker_.FindQueue("x").status(), broker_.FindTopic("x").status(),
        broker_.FindEventBus("x").status(), broker_.FindStream("x").status(),
        broker_.FindFunction("x").status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST_F(BrokerTest, ListsAreSortedByNameAndTakeAPrefix) {
  for (const char* name : {"orders-b", "alpha", "orders-a", "orders", "zeta"}) {
    ASSERT_THAT(broker_.CreateQueue(name), IsOk());
    ASSERT_THAT(broker_.CreateTopic(name), IsOk());
    ASSERT_THAT(broker_.CreateFunction(name, {}, Ok), IsOk());
  }
  EXPECT_THAT(NamesOf(broker_.ListQueues()),
              ElementsAre("alpha", "orders", "orders-a", "orders-b", "zeta"));
  EXPECT_THAT(NamesOf(broker_.ListQueues("orders")), ElementsAre("orders", "orders-a", "orders-b"));
  EXPECT_THAT(NamesOf(broker_.ListTopics("orders-")), ElementsAre("orders-a", "orders-b"));
  EXPECT_THAT(NamesOf(broker_.ListFunctions("z")), ElementsAre("zeta"));
  EXPECT_THAT(broker_.ListStreams(), IsEmpty());
}

TEST_F(BrokerTest, TheDefaultBusIsAlwaysThere) {
  EventBus bus = broker_.FindEventBus("default").value();
  EXPECT_EQ(bus.name(), "default");
  EXPECT_EQ(broker_.CreateEventBus("default").value(), bus);
  const absl::Status refused = broker_.DeleteEventBus("default");
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(refused.message(), "Cannot delete event bus default.");
}

// --- Events for several buses

TEST_F(BrokerTest, OnePutReachesSeveralBusesByNameOrArnAndTheDefaultOne) {
  const Queue queue = broker_.CreateQueue("q").value();
  std::vector<BusEntry> entries;
  for (const std::string name : {"default", "shop", "audit"}) {
    const EventBus bus = broker_.CreateEventBus(name).value();
    bus.PutRule("r", {.pattern = R"({"source":["s"]})",
                      .targets = {Target(queue).Input("\"" + name + "\"")}})
        .value();
    entries.push_back({.event_bus_name = name == "default" ? "" : name,
                       .entry = {.source = "s", .detail_type = "d", .detail = "{}"}});
  }
  entries[2].event_bus_name = broker_.FindEventBus("audit").value().arn().ToString();
  EXPECT_THAT(broker_.PutEvents(entries).value(), SizeIs(3));
  std::vector<std::string> bodies;
  const std::vector<Received> got = queue.Receive({.max_messages = 10}).value();
  for (const Received& one : got) bodies.emplace_back(one.body());
  EXPECT_THAT(bodies, ElementsAre("\"default\"", "\"shop\"", "\"audit\""));

  // An ARN of another region or account is no bus of this broker.
  entries.resize(1);
  entries[0].event_bus_name = "arn:aws:events:eu-west-1:000000000000:event-bus/default";
  EXPECT_THAT(broker_.PutEvents(entries).value(), SizeIs(1));
  EXPECT_EQ(queue.Stats().accepted, 3);
}

TEST_F(BrokerTest, APutForSeveralBusesFailsAsAWholeForItsShape) {
  const BusEntry entry = {.event_bus_name = "default",
                          .entry = {.source = "s", .detail_type = "d", .detail = "{}"}};
  EXPECT_THAT(broker_.PutEvents({}).status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(broker_.PutEvents(std::vector<BusEntry>(11, entry)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  BusEntry half = entry;
  half.entry.detail = "{\"x\":\"" + std::string(600'000, 'x') + "\"}";
  EXPECT_THAT(broker_.PutEvents({{half, half}}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument))
      << "the entries count together, whatever their buses";
  EXPECT_EQ(broker_.FindEventBus("default").value().Stats().accepted, 0);
}

// --- Delete

TEST_F(BrokerTest, HandlesToWhatWasDeletedAnswerNotFound) {
  Queue queue = broker_.CreateQueue("q").value();
  ASSERT_THAT(queue.Send({.body = "x"}), IsOk());
  Received held = queue.Receive().value().at(0);
  Topic topic = broker_.CreateTopic("t").value();
  EventBus bus = broker_.CreateEventBus("b").value();
  Stream stream = broker_.CreateStream("s").value();
  ASSERT_THAT(broker_.DeleteQueue("q"), IsOk());
  ASSERT_THAT(broker_.DeleteTopic("t"), IsOk());
  ASSERT_THAT(broker_.DeleteEventBus("b"), IsOk());
  ASSERT_THAT(broker_.DeleteStream("s"), IsOk());

  EXPECT_THAT(queue.Send({.body = "x"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(queue.Receive(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(held.Delete(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(held.body(), "x") << "what was received can still be read";
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  EXPECT_EQ(queue.name(), "q");
  EXPECT_THAT(topic.Publish({.body = "x"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(bus.Put({.source = "s", .detail_type = "t", .detail = "{}"}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(stream.Put({.partition_key = "k", .data = "x"}),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(BrokerTest, DeletingWhatIsNotThere) {
  EXPECT_THAT(broker_.DeleteQueue("x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(broker_.DeleteTopic("x"), IsOk()) << "idempotent on AWS";
  EXPECT_THAT(broker_.DeleteEventBus("x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(broker_.DeleteStream("x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(broker_.DeleteFunction("x"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(BrokerTest, ABusWithRulesStays) {
  EventBus bus = broker_.CreateEventBus("b").value();
  ASSERT_THAT(bus.PutRule("r", {.pattern = R"({"source": ["x"]})"}), IsOk());
  EXPECT_THAT(broker_.DeleteEventBus("b"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(broker_.FindEventBus("b").value(), bus);
  ASSERT_THAT(bus.DeleteRule("r"), IsOk());
  EXPECT_THAT(broker_.DeleteEventBus("b"), IsOk());
}

TEST_F(BrokerTest, ADeletedQueuesNameRestsSixtySeconds) {
  ASSERT_THAT(broker_.CreateQueue("jobs"), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  runtime_.Advance(absl::Seconds(59));
  const absl::Status refused = broker_.CreateQueue("jobs").status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(refused.message(),
            "You must wait 60 seconds after deleting a queue before you can create another with "
            "the same name.");
  EXPECT_EQ(AwsCode(refused), "AWS.SimpleQueueService.QueueDeletedRecently");
  EXPECT_THAT(broker_.CreateQueue("other"), IsOk());
  // Topics have no such rule.
  ASSERT_THAT(broker_.CreateTopic("t"), IsOk());
  ASSERT_THAT(broker_.DeleteTopic("t"), IsOk());
  EXPECT_THAT(broker_.CreateTopic("t"), IsOk());

  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(broker_.CreateQueue("jobs"), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  EXPECT_THAT(broker_.CreateQueue("jobs"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(BrokerTest, AJumpOfTheWallClockDoesNotFreeTheName) {
  ASSERT_THAT(broker_.CreateQueue("jobs"), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  runtime_.JumpWallClock(absl::Hours(1));
  EXPECT_THAT(broker_.CreateQueue("jobs"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(RelaxedBrokerTest, NamesAreFreeAtOnceAndTheNewQueueIsAnother) {
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {.limits = Limits::Relaxed()}).value();
  Queue old = broker.CreateQueue("jobs").value();
  ASSERT_THAT(old.Send({.body = "x"}), IsOk());
  ASSERT_THAT(broker.DeleteQueue("jobs"), IsOk());
  Queue now = broker.CreateQueue("jobs").value();
  EXPECT_NE(old, now);
  EXPECT_EQ(now.Depth().total(), 0);
  EXPECT_THAT(old.Send({.body = "x"}), StatusIs(absl::StatusCode::kNotFound));
}

TEST(BoundedBrokerTest, EveryKindHasABound) {
  Limits limits = Limits::Relaxed();
  limits.broker = {
      .queues_max = 2, .topics_max = 2, .buses_max = 2, .streams_max = 2, .functions_max = 2};
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {.limits = limits}).value();
  for (const char* name : {"a", "b"}) {
    ASSERT_THAT(broker.CreateQueue(name), IsOk());
    ASSERT_THAT(broker.CreateTopic(name), IsOk());
    ASSERT_THAT(broker.CreateStream(name), IsOk());
    ASSERT_THAT(broker.CreateFunction(name, {}, Ok), IsOk());
  }
  ASSERT_THAT(broker.CreateEventBus("a"), IsOk()) << "beside the default bus";
  for (const absl::Status& status :
       {broker.CreateQueue("c").status(), broker.CreateTopic("c").status(),
        broker.CreateEventBus("c").status(), broker.CreateStream("c").status(),
        broker.CreateFunction("c", {}, Ok).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit is 2")));
  }
  EXPECT_THAT(broker.CreateQueue("a"), IsOk()) << "opening needs no room";
  ASSERT_THAT(broker.DeleteQueue("a"), IsOk());
  EXPECT_THAT(broker.CreateQueue("c"), IsOk());
}

// --- Reset

TEST_F(BrokerTest, ResetLeavesAnEmptyBrokerWhoseNamesAreFree) {
  Queue old = broker_.CreateQueue("jobs").value();
  ASSERT_THAT(old.Send({.body = "x"}), IsOk());
  ASSERT_THAT(broker_.CreateTopic("t"), IsOk());
  EventBus old_default = broker_.FindEventBus("default").value();
  ASSERT_THAT(broker_.CreateQueue("deleted"), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("deleted"), IsOk());

  const StopReport report = broker_.Reset();
  EXPECT_EQ(report.messages_resting, 1);
  EXPECT_THAT(broker_.ListQueues(), IsEmpty());
  EXPECT_THAT(broker_.ListTopics(), IsEmpty());
  EXPECT_THAT(NamesOf(broker_.ListEventBuses()), ElementsAre("default"));
  EXPECT_THAT(old.Send({.body = "x"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(old_default.Put({.source = "s", .detail_type = "t", .detail = "{}"}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(broker_.CreateQueue("jobs"), IsOk());
  EXPECT_THAT(broker_.CreateQueue("deleted"), IsOk());
}

// Ids begin again after a reset; what names one attempt, or one place in a stream, must not.
TEST_F(BrokerTest, WhatWasKeptFromBeforeAResetDoesNotFit) {
  const auto receive_one = [this] {
    Queue jobs = broker_.CreateQueue("jobs").value();
    EXPECT_THAT(jobs.Send({.body = "x"}), IsOk());
    return jobs.Receive().value().at(0);
  };
  const auto first_iterator = [this] {
    Stream clicks = broker_.CreateStream("clicks").value();
    return clicks.GetShardIterator(clicks.ListShards().value().at(0).id, StartAt::TrimHorizon())
        .value();
  };
  broker_.Reset();
  const Received before = receive_one();
  const ShardIterator iterator_before = first_iterator();
  broker_.Reset();
  const Received after = receive_one();
  first_iterator();
  ASSERT_EQ(after.id(), before.id());
  EXPECT_THAT(broker_.FindQueue("jobs")->Delete(before.receipt_handle()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(broker_.FindQueue("jobs")->Depth().in_flight, 1);
  EXPECT_FALSE(broker_.FindStream("clicks")->GetRecords(iterator_before, 1).ok());
}

TEST_F(BrokerTest, ATargetOfAnotherBrokerIsRefused) {
  Broker other = Broker::Create(runtime_, {}).value();
  Queue foreign = other.CreateQueue("jobs").value();
  Queue at_home = broker_.CreateQueue("jobs").value();
  Topic topic = broker_.CreateTopic("t").value();
  EventBus bus = broker_.FindEventBus("default").value();
  for (const Target& target :
       {Target(foreign), Target(other.CreateStream("s").value()),
        Target(other.CreateTopic("t").value()), Target(at_home).DeadLetter(foreign)}) {
    EXPECT_THAT(bus.PutRule("r", {.pattern = R"({"source": ["s"]})", .targets = {target}}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another broker")));
  }
  EXPECT_THAT(bus.ListRules().value(), IsEmpty());
  for (const Target& target : {Target(foreign), Target(at_home).DeadLetter(foreign)}) {
    EXPECT_THAT(topic.Subscribe(target),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another broker")));
  }
}

TEST_F(BrokerTest, AfterResetTheSameStepsGiveTheSameIds) {
  const auto steps = [this] {
    Queue jobs = broker_.CreateQueue("jobs").value();
    std::set<Id> ids;
    for (int i = 0; i < 3; ++i) ids.insert(jobs.Send({.body = "x"}).value().message_id);
    return ids;
  };
  broker_.Reset();
  const std::set<Id> first = steps();
  broker_.Reset();
  EXPECT_EQ(steps(), first);
}

}  // namespace
}  // namespace banyan
