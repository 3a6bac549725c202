// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 2 to 5: what putting an event does.
#include "banyan/event_bus.h"

#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kAnyOrder[] = R"({"source":["shop.orders"]})";

EventEntry Order(int total) {
  return {.source = "shop.orders",
          .detail_type = "OrderPlaced",
          .detail = "{\"id\": \"o-1\", \"total\": " + std::to_string(total) + "}"};
}

class EventBusTest : public RouteTest {
 protected:
  EventBus bus_ = house_.MakeBus("shop");
  Queue queue_ = house_.MakeQueue("q");
};

TEST_F(EventBusTest, AMatchingEventIsInTheQueueWhenPutReturns) {
  bus_.PutRule("big",
               {.pattern = R"({"detail":{"total":[{"numeric":[">",100]}]}})", .targets = {queue_}})
      .value();
  const Id id = bus_.Put(Order(120)).value();
  bus_.Put(Order(80)).value();
  const std::vector<Received> got = Drain(queue_);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].body(),
            R"({"version":"0","id":")" + id.ToString() +
                R"(","detail-type":"OrderPlaced","source":"shop.orders",)"
                R"("account":"000000000000","time":"2026-01-01T00:00:00Z","region":"us-east-1",)"
                R"("resources":[],"detail":{"id":"o-1","total":120}})");
  EXPECT_TRUE(got[0].attributes().empty());
  EXPECT_EQ(got[0].event_id(), id);
  EXPECT_EQ(bus_.Stats().accepted, 2);
  EXPECT_EQ(bus_.Stats().unmatched, 1);
}

TEST_F(EventBusTest, TwoRulesWithOneTargetDeliverTwice) {
  bus_.PutRule("a", {.pattern = kAnyOrder, .targets = {queue_}}).value();
  bus_.PutRule("b", {.pattern = kAnyOrder, .targets = {queue_}}).value();
  bus_.Put(Order(1)).value();
  EXPECT_THAT(Drain(queue_), SizeIs(2));
}

TEST_F(EventBusTest, TargetsShareOneBody) {
  const Queue other = house_.MakeQueue("other");
  bus_.PutRule("a", {.pattern = kAnyOrder, .targets = {queue_, other}}).value();
  bus_.Put(Order(1)).value();
  EXPECT_TRUE(Drain(queue_).at(0).payload().SharesBlockWith(Drain(other).at(0).payload()));
}

TEST_F(EventBusTest, EntriesAreJudgedOneByOne) {
  bus_.PutRule("a", {.pattern = kAnyOrder, .targets = {queue_}}).value();
  const std::vector<EventEntry> entries = {Order(1), {.source = "shop.orders"}, Order(2)};
  const auto answers = bus_.PutEvents(entries).value();
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_TRUE(answers[0].ok());
  EXPECT_EQ(CodeOf(answers[1].status()), "InvalidArgument");
  EXPECT_TRUE(answers[2].ok());
  EXPECT_THAT(Drain(queue_), SizeIs(2));
}

TEST_F(EventBusTest, TheCallFailsForItsShapeOnlyAndThenWhole) {
  bus_.PutRule("a", {.pattern = kAnyOrder, .targets = {queue_}}).value();
  const std::vector<EventEntry> eleven(11, Order(1));
  EXPECT_EQ(CodeOf(bus_.PutEvents(eleven).status()), "ValidationException");
  EXPECT_THAT(TextOf(bus_.PutEvents(eleven).status()),
              HasSubstr("at 'entries' failed to satisfy constraint: Member must have length less "
                        "than or equal to 10"));
  EXPECT_EQ(CodeOf(bus_.PutEvents({}).status()), "ValidationException");

  EventEntry half = Order(1);
  half.detail = "{\"x\":\"" + std::string(600'000, 'x') + "\"}";
  EXPECT_TRUE(bus_.Put(half).ok());
  const absl::Status too_big = bus_.PutEvents({{half, half}}).status();
  EXPECT_EQ(CodeOf(too_big), "ValidationException");
  EXPECT_THAT(TextOf(too_big),
              HasSubstr("Total size of the entries in the request is over the limit. It is 1200"));
  EXPECT_THAT(TextOf(too_big), HasSubstr(" bytes; at most 1048576 are allowed."));

  EventEntry long_type = Order(1);
  long_type.detail_type = std::string(129, 't');
  EXPECT_EQ(CodeOf(bus_.PutEvents({{Order(1), long_type}}).status()), "ValidationException");
  EXPECT_THAT(Drain(queue_), SizeIs(1));  // the one Put that was well
}

TEST_F(EventBusTest, TheLimitOfAYearAgoIsASetting) {
  Limits limits = Limits::Aws();
  limits.bus.entries_bytes_max = 262'144;
  limits.bus.aws_sources_reserved = false;
  TestHouse house(runtime_, limits);
  const EventBus bus = house.MakeBus("strict");
  EventEntry entry = {.source = "s", .detail_type = "d"};
  entry.detail = "{\"x\":\"" + std::string(262'144 - 2 - 8, 'x') + "\"}";
  EXPECT_EQ(EntryBytes(entry), 262'144);
  EXPECT_TRUE(bus.Put(entry).ok());
  entry.detail_type = "dd";
  EXPECT_EQ(CodeOf(bus.Put(entry).status()), "ValidationException");
  EXPECT_TRUE(bus.Put({.source = "aws.s3", .detail_type = "d", .detail = "{}"}).ok());
}

TEST_F(EventBusTest, AnEnvelopedEventIsRoutedAsItIs) {
  bus_.PutRule("s3", {.pattern = R"({"source":["aws.s3"],"account":["123456789012"]})",
                      .targets = {queue_}})
      .value();
  const Id id =
      bus_.PutEnveloped(
              R"({"id":"17793124-0505-4600-8a4b-1234567890ab","source":"aws.s3","detail-type":"d",)"
              R"("account":"123456789012","detail":{}})")
          .value();
  EXPECT_EQ(id.ToString(), "17793124-0505-4600-8a4b-1234567890ab");
  EXPECT_EQ(Drain(queue_).at(0).event_id(), id);
  EXPECT_EQ(CodeOf(bus_.PutEnveloped("{").status()), "InvalidArgument");
}

TEST_F(EventBusTest, ATopicTargetKeepsEventIdAndTraceAndSharesTheBody) {
  const Topic topic = house_.MakeTopic("t");
  topic.Subscribe(queue_, {.raw = true}).value();
  const Queue direct = house_.MakeQueue("direct");
  bus_.PutRule("r", {.pattern = kAnyOrder, .targets = {topic, direct}}).value();
  EventEntry order = Order(1);
  order.trace_header = "Root=1-2-3";
  const Id id = bus_.Put(order).value();
  const Received through_topic = Drain(queue_).at(0), direct_one = Drain(direct).at(0);
  EXPECT_EQ(through_topic.event_id(), id);
  EXPECT_EQ(through_topic.trace_header(), "Root=1-2-3");
  EXPECT_TRUE(through_topic.payload().SharesBlockWith(direct_one.payload()));
  EXPECT_TRUE(through_topic.attributes().empty());
  EXPECT_EQ(topic.Stats().published, 1);
}

TEST_F(EventBusTest, ATopicThatIsTooSmallForTheEventIsAPermanentFault) {
  const Topic topic = house_.MakeTopic("t");
  const Queue dead = house_.MakeQueue("dead");
  bus_.PutRule("r", {.pattern = kAnyOrder, .targets = {Target(topic).DeadLetter(dead)}}).value();
  EventEntry big = Order(1);
  big.detail = "{\"x\":\"" + std::string(300'000, 'x') + "\"}";
  EXPECT_TRUE(bus_.Put(big).ok());
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].attributes().Find("ERROR_CODE")->value, "SDK_CLIENT_ERROR");
  EXPECT_EQ(letters[0].attributes().Find("RETRY_ATTEMPTS")->value, "0");
}

TEST_F(EventBusTest, AStreamTargetHasTheEventUnderItsKey) {
  const Stream stream = house_.MakeStream("s");
  bus_.PutRule("r",
               {.pattern = kAnyOrder, .targets = {Target(stream).PartitionKeyPath("$.detail.id")}})
      .value();
  const Id id = bus_.Put(Order(1)).value();
  const RecordBatch batch =
      stream.GetRecords(stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value())
          .value();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].partition_key(), "o-1");
  EXPECT_EQ(batch[0].event_id(), id);
  EXPECT_THAT(std::string(batch[0].data()), HasSubstr("\"detail\":{\"id\":\"o-1\""));
}

// NO_RESOURCE at once; the body is the event, and the publisher hears nothing.
TEST_F(EventBusTest, ADeletedTargetDeadLettersWithoutARetry) {
  const Queue dead = house_.MakeQueue("dead");
  const Rule rule =
      bus_.PutRule("r", {.pattern = kAnyOrder, .targets = {Target(queue_).DeadLetter(dead)}})
          .value();
  queue_.core()->Close(CloseKind::kDeleted);
  ASSERT_THAT(bus_.Put(Order(1)), testing::IsOk());
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  const Attributes& why = letters[0].attributes();
  EXPECT_EQ(why.Find("RULE_ARN")->value, "arn:aws:events:us-east-1:000000000000:rule/shop/r");
  EXPECT_EQ(why.Find("TARGET_ARN")->value, "arn:aws:sqs:us-east-1:000000000000:q");
  EXPECT_EQ(why.Find("ERROR_CODE")->value, "NO_RESOURCE");
  EXPECT_EQ(why.Find("RETRY_ATTEMPTS")->value, "0");
  EXPECT_EQ(why.Find("EXHAUSTED_RETRY_CONDITION"), nullptr);
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr("\"total\":1"));
  EXPECT_EQ(rule.Stats().targets.at(0).delivery.dead_lettered, 1);
}

// No limit of its retries has ended it.
TEST_F(EventBusTest, WhatWaitsWhenItsBusIsDeletedSaysHowOftenItWasRetried) {
  const EventBus bus = house_.MakeBus("going");
  const Queue full = house_.MakeQueue("full", {.messages_max = 1});
  const Queue letters_of = house_.MakeQueue("letters");
  full.Send({.body = "in the way"}).value();
  const Rule rule = bus.PutRule("r", {.pattern = R"({"source":["s"]})",
                                      .targets = {Target(full).DeadLetter(letters_of)}})
                        .value();
  bus.Put({.source = "s", .detail_type = "d", .detail = "{}"}).value();
  runtime_.Advance(absl::Minutes(10));
  const int64_t retries = rule.Stats().targets.at(0).delivery.retries;
  ASSERT_GT(retries, 0);
  bus.core()->Close(CloseKind::kDeleted);
  const std::vector<Received> letters = Drain(letters_of);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(AttributeOf(letters[0], "RETRY_ATTEMPTS"), std::to_string(retries));
  EXPECT_EQ(AttributeOf(letters[0], "EXHAUSTED_RETRY_CONDITION"), "(none)");
}

TEST_F(EventBusTest, AFailingFunctionExhaustsItsRetriesAndDelaysNobody) {
  const Queue dead = house_.MakeQueue("dead");
  int calls = 0;
  const Function broken = house_.MakeFunction("broken", [&calls](const FunctionEvent&) {
    ++calls;
    return absl::InternalError("ledger is down");
  });
  bus_.PutRule("r",
               {.pattern = kAnyOrder,
                .targets = {Target(broken).Retry({.retries_max = 4}).DeadLetter(dead), queue_}})
      .value();
  bus_.Put(Order(1)).value();
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(calls, 5);
  const Attributes why = Drain(dead).at(0).attributes();
  EXPECT_EQ(why.Find("ERROR_CODE")->value, "ERROR_FROM_TARGET");
  EXPECT_EQ(why.Find("ERROR_MESSAGE")->value, "ledger is down");
  EXPECT_EQ(why.Find("RETRY_ATTEMPTS")->value, "4");
  EXPECT_EQ(why.Find("EXHAUSTED_RETRY_CONDITION")->value, "MaximumRetryAttempts");
}

TEST_F(EventBusTest, ExplainNamesTheFirstFailingFieldOfEachRule) {
  bus_.PutRule("a", {.pattern = kAnyOrder, .targets = {}}).value();
  bus_.PutRule("b", {.pattern = R"({"detail":{"total":[1]}})", .targets = {}}).value();
  bus_.PutRule("c", {.pattern = kAnyOrder, .targets = {}, .enabled = false}).value();
  const auto why = bus_.Explain(R"({"source":"shop.orders","detail":{"total":2}})").value();
  ASSERT_THAT(why, SizeIs(3));
  EXPECT_EQ(why[0].rule_name, "a");
  EXPECT_TRUE(why[0].verdict.matched);
  EXPECT_FALSE(why[1].verdict.matched);
  EXPECT_EQ(why[1].verdict.path, "detail.total");
  EXPECT_FALSE(why[2].verdict.matched);
  EXPECT_EQ(CodeOf(bus_.Explain("[").status()), "InvalidArgument");
}

TEST_F(EventBusTest, HandlesOutliveTheBus) {
  const Rule rule = bus_.PutRule("r", {.pattern = kAnyOrder}).value();
  bus_.core()->Close(CloseKind::kDeleted);
  EXPECT_EQ(CodeOf(bus_.Put(Order(1)).status()), "ResourceNotFoundException");
  EXPECT_EQ(TextOf(bus_.Put(Order(1)).status()), "Event bus shop does not exist.");
  EXPECT_EQ(bus_.PutRule("r", {.pattern = kAnyOrder}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rule.Disable().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(bus_.Stats().accepted, 0);

  const EventBus stopped = house_.MakeBus("stopped");
  stopped.core()->Close(CloseKind::kStopped);
  EXPECT_EQ(stopped.Put(Order(1)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(EventBus().Put(Order(1)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Rule().Enable().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace banyan::internal
