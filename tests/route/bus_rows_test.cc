// SPDX-License-Identifier: Apache-2.0
//
// Rows of spec/buses.md that are commonly got wrong, by their numbers in tests/data/bus_rows.md, through
// the public API alone.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shared_testing.h"

namespace banyan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kAny[] = R"({"source":["shop"]})";

class BusRows : public ::testing::Test {
 protected:
  Queue MakeQueue(std::string_view name, QueueOptions options = {}) {
    return broker_.CreateQueue(name, std::move(options)).value();
  }
  Rule PutRule(const Target& target) {
    return bus_.PutRule("r", {.pattern = kAny, .targets = {target}}).value();
  }
  Id Put(std::string detail = "{}") {
    return bus_.Put({.source = "shop", .detail_type = "Order", .detail = std::move(detail)})
        .value();
  }
  // Of the one target.
  static DeliveryStats Books(const Rule& rule) { return rule.Stats().targets.at(0).delivery; }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  EventBus bus_ = broker_.CreateEventBus("shop").value();
  Queue queue_ = MakeQueue("q");
  Queue dead_ = MakeQueue("dead");
};

TEST_F(BusRows, B1_APutTakesOneMebibyteAndTheOlderLimitIsASetting) {
  const auto entry_of = [](int64_t bytes) {
    EventEntry entry = {.source = "shop", .detail_type = "Order"};
    entry.detail = "{\"x\":\"" + std::string(static_cast<size_t>(bytes) - 9 - 8, 'x') + "\"}";
    return entry;
  };
  EXPECT_THAT(bus_.Put(entry_of(1'048'576)), testing::IsOk());
  EXPECT_EQ(CodeOf(bus_.Put(entry_of(1'048'577)).status()), "ValidationException");
  Limits strict = Limits::Aws();
  strict.bus.entries_bytes_max = 262'144;
  Broker old = Broker::Create(runtime_, {.limits = strict}).value();
  const EventBus bus = old.FindEventBus("default").value();
  EXPECT_THAT(bus.Put(entry_of(262'144)), testing::IsOk());
  EXPECT_EQ(CodeOf(bus.Put(entry_of(262'145)).status()), "ValidationException");
}

TEST_F(BusRows, B2_ATargetsGroupIdHasAtMostAHundredCharacters) {
  const Queue fifo = MakeQueue("q.fifo", {.fifo = true, .content_based_deduplication = true});
  const auto put = [&](std::string group) {
    return bus_
        .PutRule("r", {.pattern = kAny,
                       .targets = {Target(fifo).Id("t").MessageGroupId(std::move(group))}})
        .status();
  };
  EXPECT_EQ(CodeOf(put(std::string(101, 'g'))), "ValidationException");
  EXPECT_THAT(put(std::string(100, 'g')), testing::IsOk());
  Put();
  const std::vector<Received> got = Drain(fifo);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].message_group_id(), std::string(100, 'g'));
  EXPECT_THAT(fifo.Send({.body = "b", .message_group_id = std::string(128, 'g')}), testing::IsOk())
      << "the queue itself takes more";
}

TEST_F(BusRows, B3_ADetailThatIsNoObjectIsMalformed) {
  for (const char* detail : {"[]", "\"text\"", "\"{\\\"a\\\":1}\"", "17", "null", "{", "{}{}"}) {
    const absl::Status refused =
        bus_.Put({.source = "shop", .detail_type = "Order", .detail = detail}).status();
    EXPECT_EQ(CodeOf(refused), "MalformedDetail") << detail;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("Detail is malformed.")) << detail;
  }
}

TEST_F(BusRows, B4_AnEventForAnUnknownBusGetsAnIdAndIsDropped) {
  PutRule(queue_);
  const EventEntry order = {.source = "shop", .detail_type = "Order", .detail = "{}"};
  const auto answers = broker_
                           .PutEvents({{{.event_bus_name = "nowhere", .entry = order},
                                        {.event_bus_name = "shop", .entry = order},
                                        {.event_bus_name = "nowhere", .entry = {}}}})
                           .value();
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_THAT(answers[0], testing::IsOk());
  EXPECT_THAT(answers[1], testing::IsOk());
  EXPECT_EQ(CodeOf(answers[2].status()), "InvalidArgument") << "entries are judged all the same";
  const std::vector<std::string> bodies = DrainBodies(queue_);
  ASSERT_THAT(bodies, SizeIs(1));
  EXPECT_THAT(bodies[0], HasSubstr(answers[1]->ToString()));
}

TEST_F(BusRows, B5_TheTimeIsCutToWholeSeconds) {
  PutRule(Target(queue_).InputPath("$.time"));
  bus_.Put({.source = "shop",
            .detail_type = "Order",
            .detail = "{}",
            .time = absl::FromUnixSeconds(1'000'000'000) + absl::Milliseconds(999)})
      .value();
  runtime_.Advance(absl::Milliseconds(1'999));
  Put();
  EXPECT_THAT(DrainBodies(queue_),
              ElementsAre(R"("2001-09-09T01:46:40Z")", R"("2026-01-01T00:00:01Z")"));
}

TEST_F(BusRows, B6_AForwardedEventKeepsItsIdAndAllElse) {
  const EventBus other = broker_.CreateEventBus("other").value();
  PutRule(other);
  other.PutRule("keep", {.pattern = kAny, .targets = {queue_}}).value();
  const Queue here = MakeQueue("here");
  bus_.PutRule("here", {.pattern = kAny, .targets = {here}}).value();
  const Id id = bus_.Put({.source = "shop",
                          .detail_type = "Order",
                          .detail = R"({"n":1.50})",
                          .resources = {"a", "b"},
                          .time = absl::FromUnixSeconds(1'000'000'000)})
                    .value();
  runtime_.Advance(absl::Seconds(5));
  const std::string expected =
      R"({"version":"0","id":")" + id.ToString() +
      R"(","detail-type":"Order","source":"shop","account":"000000000000",)"
      R"("time":"2001-09-09T01:46:40Z","region":"us-east-1","resources":["a","b"],)"
      R"("detail":{"n":1.50}})";
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(expected));
  EXPECT_THAT(DrainBodies(here), ElementsAre(expected));
}

TEST_F(BusRows, B7_AnEventIsForwardedOnceOnly) {
  const EventBus second = broker_.CreateEventBus("second").value();
  const EventBus third = broker_.CreateEventBus("third").value();
  PutRule(second);
  second.PutRule("on", {.pattern = kAny, .targets = {Target(third).DeadLetter(dead_), queue_}})
      .value();
  const Queue far = MakeQueue("far");
  third.PutRule("keep", {.pattern = kAny, .targets = {far}}).value();
  const Id id = Put();
  EXPECT_THAT(Drain(queue_), SizeIs(1)) << "one hop";
  EXPECT_THAT(Drain(far), IsEmpty());
  const std::vector<Received> letters = Drain(dead_);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(AttributeOf(letters[0], "ERROR_CODE"), "THIRD_ACCOUNT_HOP_DETECTED");
  EXPECT_EQ(AttributeOf(letters[0], "RETRY_ATTEMPTS"), "0");
  EXPECT_EQ(AttributeOf(letters[0], "EXHAUSTED_RETRY_CONDITION"), "(none)");
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr(id.ToString()));
}

// On AWS an event that a Lambda function has taken is delivered: that it fails then is Lambda's
// business, which calls it twice more. Here a function is a callable and nobody stands between: its
// failure is a failed attempt, and the target's retry policy and dead-letter queue are for it.
TEST_F(BusRows, B8_AFunctionThatFailsIsTriedAgainByItsTargetsOwnPolicy) {
  int calls = 0;
  const Function function = broker_
                                .CreateFunction("f", {},
                                                [&calls](const FunctionEvent& event) {
                                                  EXPECT_EQ(event.attempt, ++calls);
                                                  return absl::InternalError("no");
                                                })
                                .value();
  const Rule rule = PutRule(Target(function).Retry({.retries_max = 4}).DeadLetter(dead_));
  Put();
  EXPECT_EQ(calls, 0) << "the publisher does not wait";
  runtime_.Advance(absl::Minutes(10));
  EXPECT_EQ(calls, 5) << "and not three";
  EXPECT_EQ(Books(rule).delivered, 0);
  const std::vector<Received> letters = Drain(dead_);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(AttributeOf(letters[0], "ERROR_CODE"), "ERROR_FROM_TARGET");
  EXPECT_EQ(AttributeOf(letters[0], "EXHAUSTED_RETRY_CONDITION"), "MaximumRetryAttempts");
  EXPECT_EQ(AttributeOf(letters[0], "RETRY_ATTEMPTS"), "4");
  ASSERT_THAT(broker_.DeleteFunction("f"), testing::IsOk());  // it counts in `calls`
}

TEST_F(BusRows, B16_APermanentFaultGoesToTheDeadLetterQueueWithoutARetry) {
  const Rule rule = PutRule(Target(queue_).InputPath("$.detail").DeadLetter(dead_));
  ASSERT_THAT(broker_.DeleteQueue("q"), testing::IsOk());
  Put(R"({"n":1})");
  const std::vector<Received> letters = Drain(dead_);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(AttributeOf(letters[0], "ERROR_CODE"), "NO_RESOURCE");
  EXPECT_EQ(AttributeOf(letters[0], "RETRY_ATTEMPTS"), "0");
  EXPECT_EQ(AttributeOf(letters[0], "EXHAUSTED_RETRY_CONDITION"), "(none)");
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr("\"detail-type\"")) << "the original event";
  EXPECT_EQ(Books(rule).failed_attempts, 1);
}

TEST_F(BusRows, B35_TheIdIsTheEventIdOfTheAnswer) {
  PutRule(Target(queue_).InputPath("$.id"));
  const Id id = Put();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("\"" + id.ToString() + "\""));
}

TEST_F(BusRows, B36_TheDetailIsDeliveredWithoutItsWhiteSpace) {
  PutRule(queue_);
  Put(" {\n  \"command\" : [ \"a b\" , 1 ],\t\"none\" : { }\r\n} ");
  const std::vector<std::string> bodies = DrainBodies(queue_);
  ASSERT_THAT(bodies, SizeIs(1));
  EXPECT_THAT(bodies[0], EndsWith(R"(,"detail":{"command":["a b",1],"none":{}}})"));
}

TEST_F(BusRows, B37_TheTraceHeaderGoesToTheTargetAndIsNotInTheEvent) {
  constexpr char kTrace[] = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
  PutRule(queue_);
  bus_.Put({.source = "shop", .detail_type = "Order", .detail = "{}", .trace_header = kTrace})
      .value();
  const std::vector<Received> got = Drain(queue_);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].SystemAttributes()["AWSTraceHeader"], kTrace);
  EXPECT_THAT(std::string(got[0].body()), Not(HasSubstr("Root=")));
}

}  // namespace
}  // namespace banyan
