// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 3, bus to bus: one hop, and no loops.
#include <string>
#include <vector>

#include "banyan/event_bus.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kAny[] = R"({"source":[{"prefix":""}]})";

class BusTargetTest : public RouteTest {
 protected:
  Id Put(const EventBus& bus) {
    return bus
        .Put({.source = "shop",
              .detail_type = "d",
              .detail = "{}",
              .resources = {"r"},
              .time = absl::FromUnixSeconds(1'000'000'000),
              .trace_header = "Root=1-2-3"})
        .value();
  }
  static std::string CodeOfLetter(const Received& letter) {
    return letter.attributes().Find("ERROR_CODE")->value;
  }

  EventBus first_ = house_.MakeBus("first"), second_ = house_.MakeBus("second"),
           third_ = house_.MakeBus("third");
  Queue queue_ = house_.MakeQueue("q"), here_ = house_.MakeQueue("here"),
        dead_ = house_.MakeQueue("dead");
};

TEST_F(BusTargetTest, AForwardedEventIsTheSameEvent) {
  const Rule forward =
      first_.PutRule("forward", {.pattern = kAny, .targets = {second_, here_}}).value();
  second_.PutRule("keep", {.pattern = kAny, .targets = {queue_}}).value();
  const Id id = Put(first_);
  runtime_.Advance(absl::Seconds(1));
  const Received there = Drain(queue_).at(0), here = Drain(here_).at(0);
  EXPECT_EQ(there.body(), here.body());
  EXPECT_TRUE(there.payload().SharesBlockWith(here.payload()));
  EXPECT_THAT(std::string(there.body()), HasSubstr(id.ToString()));
  EXPECT_EQ(there.event_id(), id);
  EXPECT_EQ(there.trace_header(), "Root=1-2-3");
  EXPECT_EQ(first_.Stats().accepted, 1);
  EXPECT_EQ(second_.Stats().accepted, 1);
  EXPECT_EQ(forward.Stats().targets.at(0).target_id, "bus.second");
  EXPECT_EQ(forward.Stats().targets.at(0).target_arn,
            "arn:aws:events:us-east-1:000000000000:event-bus/second");
  EXPECT_EQ(forward.Stats().targets.at(0).delivery.delivered, 1);
}

TEST_F(BusTargetTest, TheOtherBusesRulesSeeTheirOwnNamesAndChooseByPattern) {
  first_.PutRule("forward", {.pattern = kAny, .targets = {second_}}).value();
  second_
      .PutRule("keep", {.pattern = kAny,
                        .targets = {Target(queue_).InputTransformer(
                            {}, "\"<aws.events.rule-arn> <aws.events.event.ingestion-time>\"")}})
      .value();
  second_.PutRule("not", {.pattern = R"({"source":["else"]})", .targets = {here_}}).value();
  Put(first_);
  EXPECT_THAT(DrainBodies(queue_),
              ElementsAre("\"arn:aws:events:us-east-1:000000000000:rule/second/keep "
                          "2026-01-01T00:00:00Z\""));
  EXPECT_THAT(Drain(here_), IsEmpty());
}

TEST_F(BusTargetTest, AThirdBusIsOneHopTooFar) {
  first_.PutRule("forward", {.pattern = kAny, .targets = {Target(second_).DeadLetter(dead_)}})
      .value();
  const Rule onward =
      second_.PutRule("onward", {.pattern = kAny, .targets = {Target(third_).DeadLetter(dead_)}})
          .value();
  third_.PutRule("keep", {.pattern = kAny, .targets = {queue_}}).value();
  Put(first_);
  EXPECT_THAT(Drain(queue_), IsEmpty());
  const std::vector<Received> letters = Drain(dead_);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(CodeOfLetter(letters[0]), "THIRD_ACCOUNT_HOP_DETECTED");
  EXPECT_EQ(letters[0].attributes().Find("RULE_ARN")->value, onward.arn().ToString());
  EXPECT_EQ(letters[0].attributes().Find("TARGET_ARN")->value, third_.arn().ToString());
  EXPECT_EQ(letters[0].attributes().Find("RETRY_ATTEMPTS")->value, "0");

  Put(second_);  // what is put there goes on
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  EXPECT_THAT(Drain(dead_), IsEmpty());
}

TEST_F(BusTargetTest, TwoBusesThatForwardToEachOtherEnd) {
  const Rule there =
      first_.PutRule("there", {.pattern = kAny, .targets = {second_, here_}}).value();
  const Rule back = second_.PutRule("back", {.pattern = kAny, .targets = {first_, queue_}}).value();
  Put(first_);
  EXPECT_THAT(Drain(here_), SizeIs(1));
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  EXPECT_EQ(back.Stats().targets.at(0).delivery.dropped, 1);
  EXPECT_EQ(there.Stats().targets.at(0).delivery.delivered, 1);
}

TEST_F(BusTargetTest, ABusIsNoTargetOfItsOwnEvents) {
  const Rule rule =
      first_
          .PutRule("loop", {.pattern = kAny, .targets = {Target(first_).DeadLetter(dead_), here_}})
          .value();
  Put(first_);
  EXPECT_THAT(Drain(here_), SizeIs(1)) << "once";
  EXPECT_EQ(rule.Stats().matched, 1);
  const std::vector<Received> letters = Drain(dead_);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(letters[0].attributes().Find("ERROR_MESSAGE")->value,
              HasSubstr("would meet the same rule again"));
  EXPECT_EQ(first_.Stats().accepted, 1);
}

TEST_F(BusTargetTest, ADeletedBusIsAPermanentFault) {
  first_.PutRule("forward", {.pattern = kAny, .targets = {Target(second_).DeadLetter(dead_)}})
      .value();
  second_.core()->Close(CloseKind::kDeleted);
  Put(first_);
  const std::vector<Received> letters = Drain(dead_);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(CodeOfLetter(letters[0]), "NO_RESOURCE");
}

TEST_F(BusTargetTest, BusesThatPointAtEachOtherAreFreed) {
  std::weak_ptr<EventBusCore> a, b;
  {
    const auto one = EventBusCore::Create(house_.env, "one", {});
    const auto two = EventBusCore::Create(house_.env, "two", {});
    EventBus(one).PutRule("r", {.pattern = kAny, .targets = {EventBus(two)}}).value();
    EventBus(two).PutRule("r", {.pattern = kAny, .targets = {EventBus(one)}}).value();
    Put(EventBus(one));
    a = one, b = two;
    one->Close(CloseKind::kDeleted);
    two->Close(CloseKind::kDeleted);
  }
  EXPECT_TRUE(a.expired());
  EXPECT_TRUE(b.expired());
}

TEST_F(BusTargetTest, ABusTakesEventsAsTheyAre) {
  for (const Target& target :
       {Target(second_).Input("{}"), Target(second_).InputPath("$.detail"),
        Target(second_).InputTransformer({}, "{}"), Target(second_).MessageGroupId("g"),
        Target(second_).PartitionKeyPath("$.id"), Target(EventBus())}) {
    EXPECT_EQ(CodeOf(first_.PutRule("r", {.pattern = kAny, .targets = {target}}).status()),
              "ValidationException");
  }
}

TEST_F(BusTargetTest, ABusOfAnotherBrokerIsRefused) {
  TestHouse other(runtime_);
  const absl::Status refused =
      first_.PutRule("r", {.pattern = kAny, .targets = {other.MakeBus("b")}}).status();
  EXPECT_THAT(TextOf(refused), HasSubstr("belongs to another broker"));
}

TEST_F(BusTargetTest, ATopicHasNoBusSubscribed) {
  const absl::Status refused = house_.MakeTopic("t").Subscribe(first_).status();
  EXPECT_EQ(TextOf(refused),
            "Invalid parameter: Amazon SNS does not support this protocol string: bus");
}

}  // namespace
}  // namespace banyan::internal
