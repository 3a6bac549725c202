// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 3 and 7: rules with a schedule.
#include <string>
#include <vector>

#include "banyan/event_bus.h"
#include "schedule_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RuleScheduleTest : public ScheduleTest {
 protected:
  Rule Put(std::string_view name, RuleOptions options) {
    absl::StatusOr<Rule> rule = bus_.PutRule(name, std::move(options));
    EXPECT_TRUE(rule.ok()) << rule.status();
    return rule.value();
  }

  EventBus bus_ = broker_.FindEventBus("default").value();
};

// Recorded on AWS: what is refused, and with which words.
TEST_F(RuleScheduleTest, B18_ARateIsANumberAndItsUnitSingularOnlyForOne) {
  for (const char* bad :
       {"rate(10 seconds)", "rate(10 years)", "rate(1 minutes)", "rate(1 hours)", "rate(1 days)",
        "rate(10 minute)", "rate(10 hour)", "rate(10 day)", "rate()", "rate(10)",
        "rate(10 minutess)", "rate(foo minutes)", "rate(0 minutes)", "rate(-10 minutes)",
        "rate(10 MINUTES)", "rate( 10 minutes )", " rate(10 minutes)"}) {
    const absl::Status refused = bus_.PutRule("r", {.schedule_expression = bad}).status();
    EXPECT_EQ(CodeOf(refused), "ValidationException") << bad;
    EXPECT_THAT(TextOf(refused), StartsWith("Parameter ScheduleExpression is not valid.")) << bad;
  }
  for (const char* good : {"rate(1 minute)", "rate(2 minutes)", "rate(1 hour)", "rate(12 hours)",
                           "rate(1 day)", "rate(7 days)"}) {
    EXPECT_THAT(bus_.PutRule("ok", {.schedule_expression = good}).status(), IsOk()) << good;
  }
}

TEST_F(RuleScheduleTest, B61_TheFirstFiringIsAPeriodAfterTheRuleWasMadeOrEnabled) {
  const Rule rule = Put("r", {.schedule_expression = "rate(2 minutes)", .targets = {queue_}});
  EXPECT_EQ(CountAfter(absl::Minutes(2) - absl::Nanoseconds(1)), 0u);
  EXPECT_EQ(CountAfter(absl::Nanoseconds(1)), 1u);
  runtime_.Advance(absl::Minutes(1));
  ASSERT_THAT(rule.Disable(), IsOk());
  ASSERT_THAT(rule.Enable(), IsOk());  // a period from here
  EXPECT_EQ(CountAfter(absl::Minutes(2) - absl::Nanoseconds(1)), 0u);
  EXPECT_EQ(CountAfter(absl::Nanoseconds(1)), 1u);
}

TEST_F(RuleScheduleTest, B54_ARulesBadExpressionIsAParameterThatIsNotValid) {
  for (const char* bad : {"cron(0 1 * * * *)", "cron(7 20 * * NOT *)", "cron(INVALID)",
                          "cron(0 dummy ? * MON-FRI *)", "cron(71 8 1 * ? *)"}) {
    const absl::Status refused = bus_.PutRule("r", {.schedule_expression = bad}).status();
    EXPECT_EQ(CodeOf(refused), "ValidationException") << bad;
    EXPECT_THAT(TextOf(refused), StartsWith("Parameter ScheduleExpression is not valid.")) << bad;
  }
  EXPECT_THAT(TextOf(bus_.PutRule("r", {.schedule_expression = "rate(1 minutes)"}).status()),
              StartsWith("Parameter ScheduleExpression is not valid."));
  EXPECT_THAT(bus_.ListRules().value(), IsEmpty());
}

// Berlin, say, is two hours before UTC in July, and one in January.
TEST_F(RuleScheduleTest, B41_ARulesCronIsInUtcAllTheYear) {
  Put("r", {.schedule_expression = "cron(30 9 1 1,7 ? *)",
            .targets = {Target(queue_).InputPath("$.time")}});
  runtime_.Advance(absl::Hours(24));
  EXPECT_THAT(Bodies(), ElementsAre("\"2026-01-01T09:30:00Z\""));
  runtime_.Advance(At("2026-07-02T00:00:00Z") - runtime_.Now());
  EXPECT_THAT(Bodies(), ElementsAre("\"2026-07-01T09:30:00Z\""));
}

TEST_F(RuleScheduleTest, B38_OnceIsNotForRules) {
  const absl::Status refused =
      bus_.PutRule("r", {.schedule_expression = "at(2030-01-01T00:00:00)"}).status();
  EXPECT_EQ(CodeOf(refused), "ValidationException");
  EXPECT_THAT(TextOf(refused), StartsWith("Parameter ScheduleExpression is not valid."));
}

TEST_F(RuleScheduleTest, B77_OtherBusesHaveNoSchedules) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  const absl::Status refused =
      shop.PutRule("r", {.schedule_expression = "rate(1 minute)"}).status();
  EXPECT_EQ(CodeOf(refused), "ValidationException");
  EXPECT_EQ(TextOf(refused), "ScheduleExpression is supported only on the default event bus.");
  EXPECT_THAT(shop.ListRules().value(), IsEmpty());
  EXPECT_EQ(TextOf(bus_.PutRule("r", {}).status()),
            "Parameter(s) EventPattern or ScheduleExpression must be specified.");
}

TEST_F(RuleScheduleTest, B58_TargetsGetAScheduledEvent) {
  Put("tick", {.schedule_expression = "cron(30 9 * * ? *)", .targets = {queue_}});
  runtime_.Advance(absl::Hours(24));
  EXPECT_THAT(Bodies(),
              ElementsAre(MatchesRegex(
                  R"(\{"version":"0","id":"[-0-9a-f]{36}","detail-type":"Scheduled Event",)"
                  R"("source":"aws.events","account":"000000000000",)"
                  R"("time":"2026-01-01T09:30:00Z","region":"us-east-1",)"
                  R"("resources":\["arn:aws:events:us-east-1:000000000000:rule/tick"\],)"
                  R"("detail":\{\}\})")));
}

TEST_F(RuleScheduleTest, EveryTargetOfTheMomentGetsIt) {
  const Queue other = broker_.CreateQueue("other").value();
  const Rule rule = Put("r", {.schedule_expression = "rate(1 minute)"});
  runtime_.Advance(absl::Minutes(1));  // none yet
  ASSERT_THAT(rule.PutTargets({{queue_, other}}), IsOk());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(), SizeIs(1));
  EXPECT_THAT(Drain(other), SizeIs(1));
  ASSERT_THAT(rule.RemoveTargets(std::vector<std::string>{"queue.other"}), IsOk());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(), SizeIs(1));
  EXPECT_THAT(Drain(other), IsEmpty());
}

TEST_F(RuleScheduleTest, B78_AnEventThatLooksLikeItDoesNotFireTheSchedule) {
  Put("r", {.schedule_expression = "rate(1 hour)", .targets = {queue_}});
  ASSERT_TRUE(
      bus_.PutEnveloped(R"({"source":"aws.events","detail-type":"Scheduled Event","detail":{},)"
                        R"("resources":["arn:aws:events:us-east-1:000000000000:rule/r"]})")
          .ok());
  EXPECT_THAT(Bodies(), IsEmpty());
  EXPECT_EQ(bus_.Stats().unmatched, 1);
}

TEST_F(RuleScheduleTest, NoOtherRuleSeesAScheduledEvent) {
  Put("all", {.pattern = R"({"source":["aws.events"]})", .targets = {queue_}});
  const Queue other = broker_.CreateQueue("other").value();
  Put("r", {.schedule_expression = "rate(1 minute)", .targets = {other}});
  EXPECT_EQ(CountAfter(absl::Minutes(3)), 0u);
  EXPECT_THAT(Drain(other), SizeIs(3));
}

TEST_F(RuleScheduleTest, B79_ARuleWithBothFiresOnEither) {
  Put("r", {.pattern = R"({"source":["a"]})",
            .schedule_expression = "rate(1 minute)",
            .targets = {queue_}});
  ASSERT_TRUE(bus_.Put({.source = "a", .detail_type = "d", .detail = "{}"}).ok());
  EXPECT_THAT(Bodies(), ElementsAre(HasSubstr(R"("source":"a")")));
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(), ElementsAre(HasSubstr(R"("source":"aws.events")")));
}

TEST_F(RuleScheduleTest, WiringMayBeRepeatedWithoutMovingARate) {
  const RuleOptions options = {.schedule_expression = "rate(10 minutes)", .targets = {queue_}};
  Put("r", options);
  runtime_.Advance(absl::Minutes(7));
  Put("r", options);
  EXPECT_EQ(CountAfter(absl::Minutes(3)), 1u);
  RuleOptions other = options;
  other.schedule_expression = "rate(4 minutes)";
  Put("r", other);
  EXPECT_EQ(CountAfter(absl::Minutes(3)), 0u);
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
}

TEST_F(RuleScheduleTest, WhatIsLeftOutIsTakenAway) {
  Put("r", {.schedule_expression = "rate(1 minute)", .targets = {queue_}});
  Put("r", {.pattern = R"({"source":["a"]})"});
  EXPECT_EQ(CountAfter(absl::Minutes(5)), 0u);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  Put("r", {.schedule_expression = "rate(1 minute)"});
  ASSERT_TRUE(bus_.Put({.source = "a", .detail_type = "d", .detail = "{}"}).ok());
  EXPECT_THAT(Bodies(), IsEmpty());
  EXPECT_EQ(CountAfter(absl::Minutes(5)), 5u);
}

TEST_F(RuleScheduleTest, DisablingStopsAndDeletingEnds) {
  const Rule rule = Put("r", {.schedule_expression = "rate(1 minute)", .targets = {queue_}});
  ASSERT_THAT(rule.Disable(), IsOk());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  ASSERT_THAT(rule.Enable(), IsOk());
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
  ASSERT_THAT(rule.RemoveTargets(std::vector<std::string>{"queue.jobs"}), IsOk());
  ASSERT_THAT(bus_.DeleteRule("r"), IsOk());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  Put("r", {.schedule_expression = "rate(1 minute)", .targets = {queue_}, .enabled = false});
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_THAT(rule.Disable().code(), absl::StatusCode::kNotFound);
}

TEST_F(RuleScheduleTest, AFailedFiringIsADeadLetterOfTheRule) {
  const Queue dead = broker_.CreateQueue("dead").value();
  const Queue gone = broker_.CreateQueue("gone").value();
  Put("r", {.schedule_expression = "rate(1 minute)", .targets = {Target(gone).DeadLetter(dead)}});
  ASSERT_THAT(broker_.DeleteQueue("gone"), IsOk());
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr("Scheduled Event"));
  EXPECT_EQ(letters[0].attributes().Find("RULE_ARN")->value,
            "arn:aws:events:us-east-1:000000000000:rule/r");
  EXPECT_EQ(letters[0].attributes().Find("SCHEDULE_ARN"), nullptr);
}

TEST_F(RuleScheduleTest, AMissedFiringComesOnce) {
  Put("r", {.schedule_expression = "rate(5 minutes)", .targets = {queue_}});
  runtime_.JumpWallClock(absl::Hours(24) + absl::Minutes(2));
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(), ElementsAre(HasSubstr(R"("time":"2026-01-01T00:05:00Z")")));
}

TEST_F(RuleScheduleTest, ExplainSaysThatASchedulesRuleHasNoPattern) {
  Put("r", {.schedule_expression = "rate(5 minutes)"});
  const std::vector<RuleExplanation> why =
      bus_.Explain(R"({"source":"a","detail-type":"d","detail":{}})").value();
  ASSERT_THAT(why, SizeIs(1));
  EXPECT_FALSE(why[0].verdict.matched);
  EXPECT_EQ(why[0].verdict.sentence, "The rule has a schedule and no pattern.");
}

TEST_F(RuleScheduleTest, ARuleSaysItsScheduleAndItsPatternIfItHasOne) {
  const Rule rule = Put("r", {.schedule_expression = "rate(5 minutes)", .targets = {queue_}});
  EXPECT_EQ(rule.Options().value().schedule_expression, "rate(5 minutes)");
  EXPECT_EQ(rule.Options().value().pattern, "");
  Put("r", {.pattern = R"({"source":["a"]})"});
  EXPECT_EQ(rule.Options().value().schedule_expression, "");
  EXPECT_EQ(rule.Options().value().pattern, R"({"source":["a"]})");
  EXPECT_THAT(rule.Options().value().targets, SizeIs(1));
}

TEST_F(RuleScheduleTest, ATargetsInputTakesThePlaceOfAScheduledEvent) {
  Put("r", {.schedule_expression = "rate(1 minute)",
            .targets = {Target(queue_).InputTransformer({{"at", "$.time"}}, R"({"at": <at>})")}});
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(), ElementsAre(R"({"at":"2026-01-01T00:01:00Z"})"));
}

TEST_F(RuleScheduleTest, StopAndResetEndThem) {
  Put("r", {.schedule_expression = "rate(1 minute)", .targets = {queue_}});
  broker_.Reset();
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  bus_ = broker_.FindEventBus("default").value();
  queue_ = broker_.CreateQueue("jobs").value();
  Put("r", {.schedule_expression = "rate(1 minute)", .targets = {queue_}});
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
  broker_.Stop(absl::ZeroDuration());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace banyan::internal
