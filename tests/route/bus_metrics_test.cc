// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 9: what buses and rules count, under CloudWatch's names.
#include <map>
#include <string>

#include "banyan/broker.h"
#include "banyan/metrics.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::HasSubstr;

class BusMetrics : public ::testing::Test {
 protected:
  void Put(const EventBus& bus, const std::string& source) {
    ASSERT_TRUE(bus.Put({.source = source, .detail_type = "t", .detail = "{}"}).ok());
  }
  static RuleMetrics Of(const EventBus& bus, const std::string& rule) {
    const EventBusMetrics all = bus.Metrics().value();
    for (const RuleMetrics& metrics : all.rules) {
      if (metrics.rule_name != rule) continue;
      EXPECT_EQ(metrics.invocations_created, metrics.invocations + metrics.invocations_pending);
      EXPECT_EQ(metrics.invocations,
                metrics.successful_invocation_attempts + metrics.failed_invocations);
      return metrics;
    }
    ADD_FAILURE() << "there is no rule " << rule;
    return {};
  }
  static std::map<std::string, double> ByName(const std::vector<Metric>& list) {
    std::map<std::string, double> values;
    for (const Metric& metric : list) values[std::string(metric.name)] = metric.value;
    return values;
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
};

TEST_F(BusMetrics, ARuleCountsEventsAndEachTargetAnInvocation) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  const Queue one = broker_.CreateQueue("one").value();
  const Queue two = broker_.CreateQueue("two").value();
  bus.PutRule("r", {.pattern = R"({"source":["s"]})", .targets = {one, two}}).value();
  bus.PutRule("other", {.pattern = R"({"source":["other"]})", .targets = {one}}).value();
  for (int i = 0; i < 3; ++i) Put(bus, "s");
  Put(bus, "nobody's");
  const RuleMetrics rule = Of(bus, "r");
  EXPECT_EQ(rule.event_bus_name, "b");
  EXPECT_EQ(rule.matched_events, 3);
  EXPECT_EQ(rule.triggered_rules, 3);
  EXPECT_EQ(rule.invocations_created, 6);
  EXPECT_EQ(rule.invocations, 6);
  EXPECT_EQ(rule.invocation_attempts, 6);
  EXPECT_EQ(rule.successful_invocation_attempts, 6);
  EXPECT_EQ(rule.retry_invocation_attempts, 0);
  EXPECT_EQ(rule.failed_invocations, 0);
  EXPECT_EQ(Of(bus, "other").matched_events, 0);
  const EventBusMetrics all = bus.Metrics().value();
  EXPECT_EQ(all.events_accepted, 4);
  EXPECT_EQ(all.events_unmatched, 1);
}

TEST_F(BusMetrics, RetriesDeadLettersAndTheirLossAreTold) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  const Queue dead = broker_.CreateQueue("dead").value();
  const Function failing =
      broker_
          .CreateFunction("failing", {},
                          [](const FunctionEvent&) { return absl::UnavailableError("no"); })
          .value();
  const RetryPolicy thrice = {.retries_max = 2, .backoff_first = absl::Seconds(1)};
  bus.PutRule("r", {.pattern = R"({"source":["s"]})",
                    .targets = {Target(failing).Retry(thrice).DeadLetter(dead)}})
      .value();
  Put(bus, "s");
  runtime_.RunUntilIdle();  // the first attempt
  EXPECT_EQ(Of(bus, "r").invocations_pending, 1);
  EXPECT_EQ(Of(bus, "r").invocations, 0);
  runtime_.Advance(absl::Minutes(5));
  RuleMetrics rule = Of(bus, "r");
  EXPECT_EQ(rule.invocation_attempts, 3);
  EXPECT_EQ(rule.retry_invocation_attempts, 2);
  EXPECT_EQ(rule.failed_invocations, 1);
  EXPECT_EQ(rule.invocations_sent_to_dlq, 1);
  EXPECT_EQ(rule.invocations_failed_to_be_sent_to_dlq, 0);

  ASSERT_TRUE(broker_.DeleteQueue("dead").ok());
  Put(bus, "s");
  runtime_.Advance(absl::Minutes(5));
  rule = Of(bus, "r");
  EXPECT_EQ(rule.failed_invocations, 2);
  EXPECT_EQ(rule.invocations_sent_to_dlq, 1);
  EXPECT_EQ(rule.invocations_failed_to_be_sent_to_dlq, 1);
}

TEST_F(BusMetrics, CountersOnlyGrowWhenTargetsGo) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Rule rule =
      bus.PutRule("r", {.pattern = R"({"source":["s"]})", .targets = {Target(queue).Id("t")}})
          .value();
  for (int round = 1; round <= 4; ++round) {
    Put(bus, "s");
    ASSERT_TRUE(rule.RemoveTargets(std::vector<std::string>{"t"}).ok());
    EXPECT_EQ(Of(bus, "r").successful_invocation_attempts, round);
    ASSERT_TRUE(rule.PutTargets(std::vector<Target>{Target(queue).Id("t")}).ok());
  }
}

TEST_F(BusMetrics, AScheduleTriggersItsRuleWithoutAMatch) {
  const EventBus bus = broker_.FindEventBus("default").value();
  const Queue queue = broker_.CreateQueue("q").value();
  bus.PutRule("tick", {.schedule_expression = "rate(1 minute)", .targets = {queue}}).value();
  runtime_.Advance(absl::Minutes(3));
  const RuleMetrics rule = Of(bus, "tick");
  EXPECT_EQ(rule.matched_events, 0);
  EXPECT_EQ(rule.triggered_rules, 3);
  EXPECT_EQ(rule.invocations, 3);
}

TEST_F(BusMetrics, CallsAndEntriesAreCountedForAllBusesTogether) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  const EventEntry good = {.source = "s", .detail_type = "t", .detail = "{}"};
  const EventEntry bad = {.source = "s", .detail_type = "t", .detail = "[]"};
  ASSERT_TRUE(bus.PutEvents(std::vector<EventEntry>{good, bad}).ok());  // 2 * (1 + 1 + 2) bytes
  ASSERT_TRUE(
      broker_.PutEvents(std::vector<BusEntry>{{"", good}, {"nowhere", good}, {"b", bad}}).ok());
  ASSERT_FALSE(bus.PutEvents(std::vector<EventEntry>(11, good)).ok());
  const PutEventsMetrics puts = broker_.Metrics().put_events;
  EXPECT_EQ(puts.approximate_call_count, 3);
  EXPECT_EQ(puts.approximate_success_count, 2);
  EXPECT_EQ(puts.approximate_failed_count, 1);
  EXPECT_EQ(puts.entries_count, 5);
  EXPECT_EQ(puts.failed_entries_count, 2);
  EXPECT_EQ(puts.request_size, (StatisticSet{.count = 2, .sum = 20, .min = 8, .max = 12}));
}

TEST_F(BusMetrics, NamesAreCloudWatchsAndPrometheusHasALabelForBusAndRule) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  bus.PutRule("r",
              {.pattern = R"({"source":["s"]})", .targets = {broker_.CreateQueue("q").value()}})
      .value();
  Put(bus, "s");
  const auto rule = ByName(ListMetrics(Of(bus, "r")));
  for (const char* name : {"MatchedEvents", "TriggeredRules", "Invocations", "InvocationAttempts",
                           "InvocationsCreated", "SuccessfulInvocationAttempts"}) {
    EXPECT_EQ(rule.at(name), 1) << name;
  }
  for (const char* name : {"RetryInvocationAttempts", "FailedInvocations", "InvocationsSentToDlq",
                           "InvocationsFailedToBeSentToDlq"}) {
    EXPECT_EQ(rule.at(name), 0) << name;
  }
  const auto puts = ByName(ListMetrics(broker_.Metrics().put_events));
  for (const char* name : {"PutEventsApproximateCallCount", "PutEventsApproximateSuccessCount",
                           "PutEventsApproximateFailedCount", "PutEventsEntriesCount",
                           "PutEventsFailedEntriesCount", "PutEventsRequestSize"}) {
    EXPECT_TRUE(puts.count(name)) << name;
  }
  const std::string text = PrometheusText(broker_.Metrics());
  EXPECT_THAT(text,
              HasSubstr("\nbanyan_events_matched_events_total{event_bus=\"b\",rule=\"r\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nbanyan_bus_events_accepted_total{event_bus=\"b\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nbanyan_events_put_events_request_size_bytes_count 1\n"));
  EXPECT_THAT(text, HasSubstr("\nbanyan_events_put_events_request_size_bytes{quantile=\"1\"} 4\n"));
}

TEST_F(BusMetrics, ABusThatIsGoneHasNone) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  ASSERT_TRUE(broker_.DeleteEventBus("b").ok());
  EXPECT_FALSE(bus.Metrics().ok());
  EXPECT_FALSE(EventBus().Metrics().ok());
}

}  // namespace
}  // namespace banyan
