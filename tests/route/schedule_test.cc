// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 7: schedules, and when they fire.
#include "banyan/scheduler.h"

#include <optional>
#include <string>
#include <vector>

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

// --- When they fire

TEST_F(ScheduleTest, ARateFiresOnePeriodAfterItWasCreatedAndThenEveryPeriod) {
  Create("s", Telling("rate(5 minutes)"));
  EXPECT_EQ(CountAfter(absl::Minutes(5) - absl::Nanoseconds(1)), 0u);
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T00:05:00Z"));
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T00:10:00Z", "2026-01-01T00:15:00Z"));
}

TEST_F(ScheduleTest, ARateWithAStartDateFiresThereFirst) {
  ScheduleOptions options = Telling("rate(1 hour)");
  options.start_date = At("2026-01-01T09:30:00Z");
  Create("s", options);
  runtime_.Advance(absl::Hours(11));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T09:30:00Z", "2026-01-01T10:30:00Z"));
}

TEST_F(ScheduleTest, AStartDateThatIsNowIsNotOver) {
  ScheduleOptions options = Telling("rate(1 hour)");
  options.start_date = runtime_.Now();
  Create("s", options);
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"));
}

TEST_F(ScheduleTest, CronGoesByTheClocksOfItsZoneThroughDaylightSaving) {
  Create("s", Telling("cron(30 2 * 3 ? *)", "America/New_York"));
  runtime_.Advance(At("2026-03-07T00:00:00-05:00") - runtime_.Now());
  Bodies();
  runtime_.Advance(absl::Hours(72));
  // The 8th has no half past two; on the 9th it is an hour earlier in the world.
  EXPECT_THAT(Bodies(), ElementsAre("2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z"));
}

TEST_F(ScheduleTest, CronFiresOnceInAnHourThatTheClocksShowTwice) {
  Create("s", Telling("cron(30 1 1 11 ? 2026)", "America/New_York"));
  runtime_.Advance(At("2026-11-02T00:00:00-05:00") - runtime_.Now());
  EXPECT_THAT(Bodies(), ElementsAre("2026-11-01T05:30:00Z"));
  EXPECT_EQ(broker_.GetSchedule("s")->next_firing, std::nullopt);
}

TEST_F(ScheduleTest, CronFindsTheLeapDay) {
  Create("s", Telling("cron(0 0 29 2 ? *)"));
  EXPECT_EQ(broker_.GetSchedule("s")->next_firing, At("2028-02-29T00:00:00Z"));
}

TEST_F(ScheduleTest, B40_AtFiresOnce) {
  Create("s", Telling("at(2026-07-01T09:00:30)", "Europe/Paris"));
  runtime_.Advance(At("2026-07-01T07:00:30Z") - runtime_.Now() - absl::Nanoseconds(1));
  EXPECT_THAT(Bodies(), IsEmpty());
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Bodies(), ElementsAre("2026-07-01T07:00:30Z"));
  EXPECT_EQ(CountAfter(absl::Hours(24 * 366)), 0u);
  EXPECT_EQ(broker_.GetSchedule("s")->fired, 1);  // and it is still there
}

TEST_F(ScheduleTest, B50_FirstAndLastDatesAreKept) {
  ScheduleOptions options = Telling("cron(0 12 * * ? *)");
  options.start_date = At("2026-01-03T00:00:00Z");
  options.end_date = At("2026-01-04T12:00:00Z");
  Create("s", options);
  runtime_.Advance(absl::Hours(24 * 5));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-03T12:00:00Z", "2026-01-04T12:00:00Z"));
  EXPECT_EQ(CountAfter(absl::Hours(24 * 30)), 0u);
}

TEST_F(ScheduleTest, B51_AtHeedsNeitherStartNorEnd) {
  ScheduleOptions options = Telling("at(2026-01-02T00:00:00)");
  options.start_date = At("2020-01-01T00:00:00Z");
  options.end_date = At("2019-01-01T00:00:00Z");
  Create("s", options);
  EXPECT_EQ(CountAfter(absl::Hours(25)), 1u);
}

TEST_F(ScheduleTest, WhatNeverFiresIsTakenAndHasNoTimer) {
  Create("feb30", Telling("cron(0 0 30 2 ? *)"));
  Create("past", Telling("cron(15 10 ? * 6L 2002-2005)"));
  Create("rare", Telling("rate(999999999 days)"));
  ScheduleOptions late = Telling("rate(1 day)");
  late.start_date = absl::InfiniteFuture();
  Create("late", late);
  late.schedule_expression = "cron(0 0 * * ? *)";
  Create("late-cron", late);
  EXPECT_EQ(broker_.GetSchedule("feb30")->next_firing, std::nullopt);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

// --- Windows

TEST_F(ScheduleTest, B49_AFlexibleWindowSpreadsFiringsWithinIt) {
  constexpr int kSchedules = 50;
  const absl::Duration window = absl::Minutes(15);
  for (int i = 0; i < kSchedules; ++i) {
    ScheduleOptions options = Telling("cron(0 12 1 1 ? 2026)");
    options.flexible_time_window = window;
    Create("s" + std::to_string(i), options);
  }
  EXPECT_EQ(CountAfter(absl::Hours(12) - absl::Nanoseconds(1)), 0u);
  const size_t in_first_half = CountAfter(window / 2);
  const size_t in_second_half = CountAfter(window / 2);
  EXPECT_EQ(in_first_half + in_second_half, static_cast<size_t>(kSchedules));
  EXPECT_GT(in_first_half, 10u);
  EXPECT_GT(in_second_half, 10u);
  EXPECT_EQ(CountAfter(absl::Hours(24)), 0u);
}

TEST_F(ScheduleTest, AFlexibleWindowMovesTheFiringAndNotItsTime) {
  ScheduleOptions options = Telling("rate(1 minute)");
  options.flexible_time_window = absl::Minutes(1'440);  // far longer than the period
  Create("s", options);
  runtime_.Advance(absl::Hours(48) + absl::Minutes(100));
  const std::vector<std::string> times = Bodies();
  // Each firing of the first day was within its window, and in order.
  ASSERT_GE(times.size(), 1'440u);
  for (size_t i = 0; i < 1'440; ++i) {
    const absl::Time scheduled =
        At("2026-01-01T00:00:00Z") + static_cast<int64_t>(i + 1) * absl::Minutes(1);
    ASSERT_EQ(times[i], absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", scheduled, absl::UTCTimeZone()));
  }
  EXPECT_THAT(log_.lines(), IsEmpty());  // none was missed
}

// --- State, updates, completion

TEST_F(ScheduleTest, ADisabledScheduleDoesNotFireAndAnEnabledOneBeginsAnew) {
  ScheduleOptions options = Telling("rate(10 minutes)");
  options.state = ScheduleState::kDisabled;
  Create("s", options);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(CountAfter(absl::Minutes(35)), 0u);
  options.state = ScheduleState::kEnabled;
  ASSERT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  EXPECT_EQ(CountAfter(absl::Minutes(9)), 0u);
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
  options.state = ScheduleState::kDisabled;
  ASSERT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  EXPECT_EQ(CountAfter(absl::Hours(24)), 0u);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ScheduleTest, AnUpdateOfSomethingElseLetsTimeGoOn) {
  ScheduleOptions options = Telling("rate(10 minutes)");
  Create("s", options);
  runtime_.Advance(absl::Minutes(7));
  options.input = "another";
  ASSERT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  runtime_.Advance(absl::Minutes(3));
  EXPECT_THAT(Bodies(), ElementsAre("another"));
  const Schedule schedule = broker_.GetSchedule("s").value();
  EXPECT_EQ(schedule.creation_date, At("2026-01-01T00:00:00Z"));
  EXPECT_EQ(schedule.last_modification_date, At("2026-01-01T00:07:00Z"));
}

TEST_F(ScheduleTest, AnUpdateOfItsTimesBeginsAnew) {
  Create("s", Telling("rate(10 minutes)"));
  runtime_.Advance(absl::Minutes(7));
  ASSERT_THAT(broker_.UpdateSchedule("s", Telling("rate(20 minutes)")), IsOk());
  EXPECT_EQ(broker_.GetSchedule("s")->next_firing, At("2026-01-01T00:27:00Z"));
  ASSERT_THAT(broker_.UpdateSchedule("s", Telling("cron(0 1 * * ? *)")), IsOk());
  EXPECT_EQ(broker_.GetSchedule("s")->next_firing, At("2026-01-01T01:00:00Z"));
}

TEST_F(ScheduleTest, AnUpdateTakesEveryOptionAndNothingOfARefusedOne) {
  ScheduleOptions options = Telling("rate(10 minutes)");
  options.description = "first";
  Create("s", options);
  ASSERT_THAT(broker_.UpdateSchedule("s", Telling("rate(10 minutes)")), IsOk());
  EXPECT_EQ(broker_.GetSchedule("s")->options.description, "");
  EXPECT_EQ(CodeOf(broker_.UpdateSchedule("s", Telling("rate(0 minutes)"))), "ValidationException");
  EXPECT_EQ(broker_.GetSchedule("s")->options.schedule_expression, "rate(10 minutes)");
  EXPECT_EQ(CodeOf(broker_.UpdateSchedule("t", Telling("rate(10 minutes)"))),
            "ResourceNotFoundException");
}

TEST_F(ScheduleTest, ACompletedScheduleCanBeUpdatedWhereItsTimeStays) {
  ScheduleOptions options = Telling("at(2026-01-01T01:00:00)");
  Create("s", options);
  runtime_.Advance(absl::Hours(2));
  options.description = "it was fine";
  EXPECT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  options.schedule_expression = "at(2026-01-01T01:30:00)";
  EXPECT_EQ(CodeOf(broker_.UpdateSchedule("s", options)), "ValidationException");
  options.schedule_expression = "at(2026-01-01T03:00:00)";
  EXPECT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  EXPECT_EQ(CountAfter(absl::Hours(1)), 2u);
}

TEST_F(ScheduleTest, AnotherTargetGetsWhatComesNext) {
  Create("s", Telling("rate(1 minute)"));
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
  const Queue other = broker_.CreateQueue("other").value();
  ScheduleOptions options = Telling("rate(1 minute)");
  options.target = other;
  ASSERT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  EXPECT_EQ(CountAfter(absl::Minutes(2)), 0u);
  EXPECT_THAT(Drain(other), SizeIs(2));
}

TEST_F(ScheduleTest, ADeletedScheduleFiresNoMore) {
  Create("s", Telling("rate(1 minute)"));
  Create("t", Telling("rate(1 hour)"));
  ASSERT_THAT(broker_.DeleteSchedule("s"), IsOk());
  EXPECT_EQ(CountAfter(absl::Minutes(59)), 0u);
  ASSERT_THAT(broker_.DeleteSchedule("t"), IsOk());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(CodeOf(broker_.DeleteSchedule("s")), "ResourceNotFoundException");
  EXPECT_EQ(TextOf(broker_.GetSchedule("s").status()), "Schedule s does not exist.");
}

TEST_F(ScheduleTest, B52_ActionAfterCompletionDeletesWhatHasFiredForTheLastTime) {
  ScheduleOptions once = Telling("at(2026-01-01T01:00:00)");
  once.action_after_completion = ActionAfterCompletion::kDelete;
  Create("once", once);
  ScheduleOptions twice = Telling("rate(1 hour)");
  twice.end_date = At("2026-01-01T02:30:00Z");
  twice.action_after_completion = ActionAfterCompletion::kDelete;
  Create("twice", twice);
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(broker_.GetSchedule("once").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(broker_.GetSchedule("twice").ok());
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(broker_.ListSchedules(), IsEmpty());
  EXPECT_EQ(CountAfter(absl::Hours(5)), 3u);
  Create("once", Telling("at(2026-01-02T00:00:00)"));  // the name is free
}

TEST_F(ScheduleTest, RetriesOutliveAScheduleThatDeletedItself) {
  const Queue full = broker_.CreateQueue("full", {.messages_max = 1}).value();
  ASSERT_TRUE(full.Send({.body = "first"}).ok());
  ScheduleOptions options = Telling("at(2026-01-01T00:01:00)");
  options.target = full;
  options.action_after_completion = ActionAfterCompletion::kDelete;
  Create("s", options);
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(broker_.ListSchedules(), IsEmpty());
  EXPECT_THAT(Drain(full), SizeIs(1));
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(Drain(full), SizeIs(1));
}

// --- A clock that is set

TEST_F(ScheduleTest, OfMissedFiringsOneComesLateWithItsOwnTime) {
  Create("s", Telling("rate(5 minutes)"));
  runtime_.JumpWallClock(absl::Hours(1) + absl::Minutes(2));  // to 01:02
  runtime_.Advance(absl::Minutes(1));  // the clock is looked at once a minute at least
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T00:05:00Z"));
  EXPECT_THAT(log_.lines(), ElementsAre(StartsWith("fired late: it was scheduled for "
                                                   "2026-01-01T00:05:00Z")));
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T01:05:00Z"));
}

TEST_F(ScheduleTest, B53_WhatIsInItsMinuteIsNotMissed) {
  Create("s", Telling("cron(* * * * ? *)"));
  runtime_.JumpWallClock(absl::Minutes(10) - absl::Seconds(30));  // to 00:09:30
  runtime_.Advance(absl::Minutes(1));                             // to 00:10:30
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T00:01:00Z", "2026-01-01T00:10:00Z"));
}

TEST_F(ScheduleTest, AClockSetBackRepeatsNothing) {
  Create("s", Telling("cron(0 * * * ? *)"));
  runtime_.Advance(absl::Hours(2));
  EXPECT_THAT(Bodies(), SizeIs(2));
  runtime_.JumpWallClock(-absl::Hours(3));  // to 23:00 of the day before
  EXPECT_EQ(CountAfter(absl::Hours(4) - absl::Nanoseconds(1)), 0u);
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T03:00:00Z"));
}

TEST_F(ScheduleTest, AMissedOneTimeScheduleStillFires) {
  Create("s", Telling("at(2026-01-01T00:30:00)"));
  runtime_.JumpWallClock(absl::Hours(24 * 40));
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
}

// --- What the target gets

TEST_F(ScheduleTest, B59_WordsInTheInputStandForWhatTheyName) {
  ScheduleOptions options = Telling("rate(1 minute)");
  options.input =
      R"({"arn":"<aws.scheduler.schedule-arn>","at":"<aws.scheduler.scheduled-time>",)"
      R"("try":"<aws.scheduler.attempt-number>","x":"<aws.scheduler.other><aws.scheduler."})";
  Create("s", options);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(
      Bodies(),
      ElementsAre(
          R"({"arn":"arn:aws:scheduler:us-east-1:000000000000:schedule/default/s",)"
          R"("at":"2026-01-01T00:01:00Z","try":"1","x":"<aws.scheduler.other><aws.scheduler."})"));
}

TEST_F(ScheduleTest, EachFiringHasAnExecutionIdOfItsOwn) {
  ScheduleOptions options = Telling("rate(1 minute)");
  options.input = "<aws.scheduler.execution-id>";
  Create("s", options);
  runtime_.Advance(absl::Minutes(2));
  const std::vector<std::string> ids = Bodies();
  ASSERT_THAT(ids, SizeIs(2));
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_THAT(ids, ::testing::Each(MatchesRegex("[0-9a-f]{16}")));
}

TEST_F(ScheduleTest, TheAttemptNumberCountsRetries) {
  std::vector<std::string> inputs;
  const Function flaky = broker_
                             .CreateFunction("flaky", {},
                                             [&inputs](const FunctionEvent& call) -> absl::Status {
                                               inputs.emplace_back(call.body);
                                               return inputs.size() < 3
                                                          ? absl::UnavailableError("not yet")
                                                          : absl::OkStatus();
                                             })
                             .value();
  ScheduleOptions options = Telling("at(2026-01-01T00:01:00)");
  options.target = flaky;
  options.input = R"(["<aws.scheduler.attempt-number>"])";
  Create("s", options);
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(inputs, ElementsAre(R"(["1"])", R"(["2"])", R"(["3"])"));
}

TEST_F(ScheduleTest, WithoutInputTheTargetGetsAnEvent) {
  ScheduleOptions options = Telling("rate(1 minute)");
  options.input = "";
  Create("s", options);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(
      Bodies(),
      ElementsAre(MatchesRegex(
          R"(\{"version":"0","id":"[-0-9a-f]{36}","detail-type":"Scheduled Event",)"
          R"("source":"aws.scheduler","account":"000000000000",)"
          R"("time":"2026-01-01T00:01:00Z","region":"us-east-1",)"
          R"("resources":\["arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"\],)"
          R"("detail":"\{\}"\})")));
}

TEST_F(ScheduleTest, TopicsAndStreamsAreTargetsToo) {
  const Topic topic = broker_.CreateTopic("t").value();
  ASSERT_TRUE(topic.Subscribe(queue_, {.raw = true}).ok());
  ScheduleOptions options = Telling("rate(1 minute)");
  options.target = topic;
  Create("to-topic", options);
  options.target = broker_.CreateStream("st").value();
  Create("to-stream", options);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(), ElementsAre("2026-01-01T00:01:00Z"));
  EXPECT_EQ(broker_.GetSchedule("to-stream")->delivery.delivered, 1);
}

TEST_F(ScheduleTest, AnEventBusGetsAnEventWithTheInputAsItsDetail) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  ASSERT_TRUE(shop.PutRule("r", {.pattern = R"({"source":["shop.clock"],"detail":{"n":[1]}})",
                                 .targets = {queue_}})
                  .ok());
  ScheduleOptions options = {.schedule_expression = "rate(1 minute)",
                             .target = shop,
                             .source = "shop.clock",
                             .detail_type = "Tick",
                             .input = R"({"n": 1, "at": "<aws.scheduler.scheduled-time>"})"};
  Create("s", options);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Bodies(),
              ElementsAre(MatchesRegex(
                  R"(\{"version":"0","id":"[-0-9a-f]{36}","detail-type":"Tick",)"
                  R"("source":"shop.clock","account":"000000000000",)"
                  R"("time":"2026-01-01T00:01:00Z","region":"us-east-1","resources":\[\],)"
                  R"("detail":\{"n":1,"at":"2026-01-01T00:01:00Z"\}\})")));
  options.input = "";
  ASSERT_THAT(broker_.UpdateSchedule("s", options), IsOk());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(shop.Stats().accepted, 2);
  EXPECT_EQ(shop.Stats().unmatched, 1);

  options.input = "[1]";
  EXPECT_THAT(TextOf(Refused(options)), HasSubstr("Detail is malformed"));
  options.input = "{}";
  options.source = "aws.clock";
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  options.source = "";
  EXPECT_THAT(TextOf(Refused(options)), HasSubstr("Source is a required argument"));
  options = Telling("rate(1 minute)");
  options.source = "shop.clock";
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
}

TEST_F(ScheduleTest, AFifoQueueGetsFiringsInItsGroup) {
  const Queue fifo =
      broker_.CreateQueue("q.fifo", {.fifo = true, .content_based_deduplication = true}).value();
  ScheduleOptions options = Telling("rate(1 minute)");
  options.target = fifo;
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");  // which group?
  options.target = Target(fifo).MessageGroupId(std::string(129, 'g'));
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  options.target = Target(fifo).MessageGroupId(std::string(128, 'g'));  // a rule's has 100
  Create("s", options);
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> received = Drain(fifo);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].message_group_id(), std::string(128, 'g'));
  EXPECT_EQ(received[0].body(), "2026-01-01T00:01:00Z");
}

TEST_F(ScheduleTest, WhatATargetMakesOfEventsIsNotForSchedules) {
  for (const Target& target : {Target(queue_).Input("{}"), Target(queue_).InputPath("$.detail"),
                               Target(queue_).InputTransformer({}, "\"x\"")}) {
    ScheduleOptions options = Telling("rate(1 minute)");
    options.target = target;
    EXPECT_THAT(TextOf(Refused(options)), HasSubstr("ScheduleOptions::input"));
  }
}

// --- Failure

TEST_F(ScheduleTest, B57_ADeadLetterSaysWhatItWasAndWhy) {
  const Queue dead = broker_.CreateQueue("dead").value();
  const Queue gone = broker_.CreateQueue("gone").value();
  ScheduleOptions options = Telling("rate(1 minute)");
  options.target = Target(gone).DeadLetter(dead);
  Create("s", options);
  ASSERT_THAT(broker_.DeleteQueue("gone"), IsOk());
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].body(), "2026-01-01T00:01:00Z");
  const Attributes& attributes = letters[0].attributes();
  EXPECT_EQ(attributes.Find("ERROR_CODE")->value, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_THAT(attributes.Find("ERROR_MESSAGE")->value, HasSubstr("does not exist"));
  EXPECT_THAT(attributes.Find("EXECUTION_ID")->value, SizeIs(16));
  EXPECT_EQ(attributes.Find("RETRY_ATTEMPTS")->value, "0");
  EXPECT_EQ(attributes.Find("SCHEDULE_ARN")->value,
            "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s");
  EXPECT_EQ(attributes.Find("SCHEDULED_TIME")->value, "2026-01-01T00:01:00Z");
  EXPECT_EQ(attributes.Find("TARGET_ARN")->value, "arn:aws:sqs:us-east-1:000000000000:gone");
  EXPECT_EQ(attributes.Find("IS_PAYLOAD_TRUNCATED")->value, "false");
  EXPECT_EQ(attributes.Find("EXHAUSTED_RETRY_CONDITION"), nullptr);  // it was not tried again
  EXPECT_EQ(attributes.Find("RULE_ARN"), nullptr);
  EXPECT_EQ(broker_.GetSchedule("s")->delivery.dead_lettered, 1);
}

TEST_F(ScheduleTest, ADeadLetterOfRetriesNamesTheLimitThatEndedThem) {
  const Queue dead = broker_.CreateQueue("dead").value();
  const Function broken =
      broker_.CreateFunction("broken", {}, [](const auto&) { return absl::InternalError("no"); })
          .value();
  ScheduleOptions options = Telling("at(2026-01-01T00:01:00)");
  options.target = Target(broken).Retry({.retries_max = 2}).DeadLetter(dead);
  options.input = R"("<aws.scheduler.attempt-number>")";
  Create("s", options);
  runtime_.Advance(absl::Hours(1));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].body(), R"("3")");  // as the last attempt was
  EXPECT_EQ(letters[0].attributes().Find("RETRY_ATTEMPTS")->value, "2");
  EXPECT_EQ(letters[0].attributes().Find("EXHAUSTED_RETRY_CONDITION")->value,
            "MaximumRetryAttempts");
}

TEST_F(ScheduleTest, RetriesEndAfterTheAgeLimit) {
  const Queue dead = broker_.CreateQueue("dead").value();
  const Queue full = broker_.CreateQueue("full", {.messages_max = 1}).value();
  ASSERT_TRUE(full.Send({.body = "first"}).ok());
  ScheduleOptions options = Telling("at(2026-01-01T00:01:00)");
  options.target = Target(full).Retry({.age_max = absl::Minutes(2)}).DeadLetter(dead);
  Create("s", options);
  runtime_.Advance(absl::Minutes(4));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].attributes().Find("EXHAUSTED_RETRY_CONDITION")->value,
            "MaximumEventAgeInSeconds");
}

// --- What is refused

TEST_F(ScheduleTest, B55_BadExpressionsAreRefusedWithTheServicesWords) {
  for (const char* bad :
       {"rate(1 minutes)", "cron(0 1 * * * *)", "at(2026-02-30T00:00:00)", "", "daily"}) {
    const absl::Status refused = Refused(Telling(bad));
    EXPECT_EQ(CodeOf(refused), "ValidationException") << bad;
    EXPECT_THAT(TextOf(refused),
                StartsWith("Invalid Schedule Expression " + std::string(bad) + "."));
  }
}

TEST_F(ScheduleTest, ATimeThatIsOverIsRefused) {
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(TextOf(Refused(Telling("at(2026-01-01T01:00:00)"))),
            "Invalid Schedule Expression at(2026-01-01T01:00:00). Reason: the time is not in the "
            "future.");
  Create("s", Telling("at(2026-01-01T01:00:01)"));
}

TEST_F(ScheduleTest, B48_AFlexibleWindowIsOffOrOneTo1440Minutes) {
  for (const absl::Duration bad :
       {absl::ZeroDuration(), absl::Seconds(30), absl::Seconds(90), absl::Minutes(1'441),
        -absl::Minutes(1), absl::InfiniteDuration()}) {
    ScheduleOptions options = Telling("rate(1 hour)");
    options.flexible_time_window = bad;
    EXPECT_EQ(CodeOf(Refused(options)), "ValidationException") << bad;
  }
  for (const int good : {1, 1'440}) {
    ScheduleOptions options = Telling("rate(1 hour)");
    options.flexible_time_window = absl::Minutes(good);
    Create("in-" + std::to_string(good), options);
  }
  Create("off", Telling("rate(1 hour)"));
}

// Ranges and defaults are those of rules.
TEST_F(ScheduleTest, B56_RetriesAreUpTo185WithinADayWhichIsTheDefault) {
  for (const RetryPolicy& bad :
       {RetryPolicy{.retries_max = -1}, RetryPolicy{.retries_max = 186},
        RetryPolicy{.age_max = absl::Seconds(59)}, RetryPolicy{.age_max = absl::Seconds(86'401)}}) {
    ScheduleOptions options = Telling("rate(1 hour)");
    options.target.Retry(bad);
    EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  }
  const Queue dead = broker_.CreateQueue("dead").value();
  const Queue full = broker_.CreateQueue("full", {.messages_max = 1}).value();
  ASSERT_TRUE(full.Send({.body = "in the way"}).ok());
  ScheduleOptions options = Telling("at(2026-01-01T01:00:00)");
  options.target = Target(full).DeadLetter(dead);
  Create("s", options);
  runtime_.Advance(absl::Hours(26));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  const std::string retries = AttributeOf(letters[0], "RETRY_ATTEMPTS");
  const std::string ended_by = AttributeOf(letters[0], "EXHAUSTED_RETRY_CONDITION");
  EXPECT_TRUE(ended_by == "MaximumRetryAttempts" ? retries == "185"
                                                 : ended_by == "MaximumEventAgeInSeconds")
      << ended_by << " after " << retries;
}

TEST_F(ScheduleTest, BadZonesAndDatesAreRefused) {
  EXPECT_THAT(TextOf(Refused(Telling("rate(1 hour)", "Mars/Olympus"))), HasSubstr("Mars/Olympus"));
  ScheduleOptions early = Telling("rate(1 hour)");
  early.start_date = runtime_.Now() - absl::Minutes(6);
  EXPECT_EQ(TextOf(Refused(early)),
            "The StartDate you specify cannot be earlier than 5 minutes ago.");
  early.start_date = runtime_.Now() - absl::Minutes(5);
  early.end_date = early.start_date;
  EXPECT_EQ(TextOf(Refused(early)), "The EndDate you specify must be later than the StartDate.");
}

TEST_F(ScheduleTest, BadNamesTargetsAndInputsAreRefused) {
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a/b"), std::string(65, 's')}) {
    EXPECT_EQ(CodeOf(broker_.CreateSchedule(bad, Telling("rate(1 hour)")).status()),
              "ValidationException");
  }
  ScheduleOptions options = Telling("rate(1 hour)");
  options.target = Queue();
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  options.target = Target(queue_).Retry({.retries_max = 186});
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  Broker other = Broker::Create(runtime_, {}).value();
  options.target = other.CreateQueue("elsewhere").value();
  EXPECT_THAT(TextOf(Refused(options)), HasSubstr("another broker"));

  options = Telling("rate(1 hour)");
  options.input = std::string(262'145, 'x');
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  options.input.pop_back();
  EXPECT_THAT(Refused(options), IsOk());
  options.input = "caf\xE9";
  EXPECT_THAT(TextOf(Refused(options)), HasSubstr("well-formed UTF-8; byte 3 is not"));
  options = Telling("rate(1 hour)");
  options.description = std::string(513, 'd');
  EXPECT_EQ(CodeOf(Refused(options)), "ValidationException");
  options = Telling("rate(1 hour)");  // its input is no JSON
  options.target =
      broker_.CreateFunction("f", {}, [](const auto&) { return absl::OkStatus(); }).value();
  EXPECT_THAT(TextOf(Refused(options)), HasSubstr("JSON"));
}

TEST_F(ScheduleTest, ANameIsTakenOnce) {
  Create("s", Telling("rate(1 hour)"));
  const absl::Status refused = broker_.CreateSchedule("s", Telling("rate(1 hour)")).status();
  EXPECT_EQ(CodeOf(refused), "ConflictException");
  EXPECT_EQ(TextOf(refused), "Schedule s already exists.");
}

TEST_F(ScheduleTest, SchedulesAreBounded) {
  Limits limits = Limits::Aws();
  limits.broker.schedules_max = 2;
  Broker small = Broker::Create(runtime_, {.limits = limits}).value();
  ScheduleOptions options = Telling("rate(1 hour)");
  options.target = small.CreateQueue("q").value();
  ASSERT_TRUE(small.CreateSchedule("1", options).ok());
  ASSERT_TRUE(small.CreateSchedule("2", options).ok());
  const absl::Status refused = small.CreateSchedule("3", options).status();
  EXPECT_EQ(CodeOf(refused), "ServiceQuotaExceededException");
  EXPECT_EQ(TextOf(refused), "There are 2 schedules, and the limit is 2; 3 would be one more.");
  ASSERT_THAT(small.DeleteSchedule("1"), IsOk());
  EXPECT_TRUE(small.CreateSchedule("3", options).ok());
}

// --- Looking, and the end

TEST_F(ScheduleTest, AScheduleShowsWhatItIs) {
  ScheduleOptions options = Telling("cron(0 9 ? * MON *)", "Europe/Paris");
  options.description = "weekly";
  options.flexible_time_window = absl::Minutes(15);
  Create("weekly", options);
  const Schedule schedule = broker_.GetSchedule("weekly").value();
  EXPECT_EQ(schedule.name, "weekly");
  EXPECT_EQ(schedule.arn.ToString(),
            "arn:aws:scheduler:us-east-1:000000000000:schedule/default/weekly");
  EXPECT_EQ(schedule.options.schedule_expression, "cron(0 9 ? * MON *)");
  EXPECT_EQ(schedule.options.schedule_expression_timezone, "Europe/Paris");
  EXPECT_EQ(schedule.options.flexible_time_window, absl::Minutes(15));
  EXPECT_EQ(schedule.options.description, "weekly");
  EXPECT_EQ(schedule.next_firing, At("2026-01-05T08:00:00Z"));
  EXPECT_EQ(schedule.fired, 0);
  EXPECT_EQ(schedule.delivery.matched, 0);
}

TEST_F(ScheduleTest, SchedulesAreListedByNameAndPrefix) {
  for (const char* name : {"b1", "a", "b2", "c"}) Create(name, Telling("rate(1 hour)"));
  std::vector<std::string> names;
  for (const Schedule& schedule : broker_.ListSchedules()) names.push_back(schedule.name);
  EXPECT_THAT(names, ElementsAre("a", "b1", "b2", "c"));
  EXPECT_THAT(broker_.ListSchedules("b"), SizeIs(2));
}

TEST_F(ScheduleTest, AnIdleSchedulerHasNoTimer) {
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  Create("s", Telling("at(2026-01-01T00:00:10)"));
  EXPECT_EQ(runtime_.NextDue(), absl::Seconds(10));
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ScheduleTest, StopEndsSchedules) {
  Create("s", Telling("rate(1 minute)"));
  const StopReport report = broker_.Stop(absl::ZeroDuration());
  EXPECT_EQ(report.deliveries_pending, 0);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(CodeOf(Refused(Telling("rate(1 hour)"))), "ServiceUnavailable");
  EXPECT_EQ(CodeOf(broker_.GetSchedule("s").status()), "ServiceUnavailable");
  EXPECT_THAT(broker_.ListSchedules(), IsEmpty());
}

TEST_F(ScheduleTest, StopCountsWhatASchedulesTargetDidNotTake) {
  const Queue full = broker_.CreateQueue("full", {.messages_max = 1}).value();
  ASSERT_TRUE(full.Send({.body = "first"}).ok());
  ScheduleOptions options = Telling("rate(1 minute)");
  options.target = full;
  Create("s", options);
  Create("t", options);
  runtime_.Advance(absl::Minutes(1));
  ASSERT_THAT(broker_.DeleteSchedule("t"), IsOk());
  // While it drains nothing new fires.
  EXPECT_EQ(broker_.Stop(absl::Minutes(10)).deliveries_pending, 2);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ScheduleTest, ResetEndsSchedulesAndTheNextOnesLive) {
  Create("s", Telling("rate(1 minute)"));
  broker_.Reset();
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_THAT(broker_.ListSchedules(), IsEmpty());
  queue_ = broker_.CreateQueue("jobs").value();
  Create("s", Telling("rate(1 minute)"));
  EXPECT_EQ(CountAfter(absl::Minutes(1)), 1u);
}

TEST_F(ScheduleTest, DestructionLeavesNoTimer) {
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    ScheduleOptions options = Telling("rate(1 minute)");
    options.target = broker.CreateQueue("q").value();
    ASSERT_TRUE(broker.CreateSchedule("s", options).ok());
  }
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  runtime_.Advance(absl::Hours(1));
}

}  // namespace
}  // namespace banyan::internal
