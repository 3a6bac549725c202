// SPDX-License-Identifier: Apache-2.0
//
// What Topic::Explain and EventBus::Explain foresee, compared with what then happens.
#include <string>
#include <vector>

#include "banyan/forecast.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Outcome = Forecast::Outcome;

std::vector<Outcome> Outcomes(const std::vector<SubscriptionExplanation>& explained) {
  std::vector<Outcome> outcomes;
  for (const SubscriptionExplanation& one : explained) outcomes.push_back(one.forecast.outcome);
  return outcomes;
}

// What the books say of one publish, in the words of a forecast.
Outcome WhatHappened(const SubscriptionStats& before, const SubscriptionStats& after) {
  if (after.filtered > before.filtered) return Outcome::kFiltered;
  if (after.delivery.delivered > before.delivery.delivered) return Outcome::kDelivered;
  if (after.delivery.dead_lettered > before.delivery.dead_lettered) return Outcome::kDeadLettered;
  if (after.delivery.dropped > before.delivery.dropped) return Outcome::kDropped;
  if (after.delivery.pending > before.delivery.pending) return Outcome::kRetried;
  return Outcome::kDuplicate;
}

Attributes Eleven() {
  Attributes attributes;
  for (int i = 0; i < 11; ++i) attributes.Set("a" + std::to_string(i), "v");
  return attributes;
}

class ExplainTest : public RouteTest {
 protected:
  // Explains, sees that nothing has changed, publishes, and compares.
  void ComesTrue(const Topic& topic, const PublishRequest& request) {
    const std::vector<Subscription> subscriptions = topic.ListSubscriptions().value();
    const auto explained = topic.Explain(request).value();
    ASSERT_EQ(explained.size(), subscriptions.size());
    std::vector<SubscriptionStats> before;
    for (const Subscription& one : subscriptions) before.push_back(one.Stats());
    ASSERT_THAT(topic.Publish(request), testing::IsOk());
    for (size_t i = 0; i < subscriptions.size(); ++i) {
      Outcome foreseen = explained[i].forecast.outcome;
      if (foreseen == Outcome::kWaits) foreseen = Outcome::kRetried;  // the books call both pending
      EXPECT_EQ(OutcomeName(foreseen),
                OutcomeName(WhatHappened(before[i], subscriptions[i].Stats())))
          << explained[i].forecast.target_arn << ": " << explained[i].forecast.sentence;
    }
  }
};

TEST_F(ExplainTest, SaysOfEachSubscriptionWhatAPublishWouldDo) {
  const Topic topic = house_.MakeTopic("orders");
  const Queue good = house_.MakeQueue("good");
  const Queue full = house_.MakeQueue("full", {.messages_max = 1});
  const Queue gone = house_.MakeQueue("gone");
  const Queue small = house_.MakeQueue("small", {.message_bytes_max = 1'024});
  const Queue dead = house_.MakeQueue("dead");
  full.Send({.body = "there first"}).value();
  gone.core()->Close(CloseKind::kDeleted);
  topic.Subscribe(good, {.raw = true}).value();
  topic.Subscribe(house_.MakeQueue("gold"), {.filter_policy = R"({"tier": ["gold"]})"}).value();
  topic.Subscribe(full, {.raw = true}).value();
  topic.Subscribe(Target(gone).DeadLetter(dead), {.raw = true}).value();
  topic.Subscribe(small, {.raw = true}).value();
  const Queue raw = house_.MakeQueue("raw");
  topic.Subscribe(raw, {.raw = true}).value();

  const PublishRequest request = {.body = std::string(2'000, 'x'),
                                  .attributes = {{"tier", "silver"}}};
  const auto explained = topic.Explain(request).value();
  EXPECT_THAT(Outcomes(explained),
              ElementsAre(Outcome::kDelivered, Outcome::kFiltered, Outcome::kRetried,
                          Outcome::kDeadLettered, Outcome::kDropped, Outcome::kDelivered));
  EXPECT_THAT(explained[1].forecast.sentence, HasSubstr("tier"));
  EXPECT_THAT(explained[2].forecast.sentence, HasSubstr("is full: it holds 1 of 1 messages"));
  EXPECT_EQ(explained[3].forecast.refusal.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(explained[3].forecast.sentence, HasSubstr("Its dead-letter queue is queue dead."));
  EXPECT_THAT(explained[4].forecast.sentence, HasSubstr("shorter than 1024 bytes"));
  EXPECT_THAT(explained[4].forecast.sentence, HasSubstr("There is no dead-letter queue."));
  EXPECT_EQ(explained[5].forecast.target_arn, raw.arn().ToString());
  ComesTrue(topic, request);

  const auto many = topic.Explain({.body = "m", .attributes = Eleven()}).value();
  EXPECT_EQ(many[5].forecast.outcome, Outcome::kDropped);
  EXPECT_THAT(many[5].forecast.sentence, HasSubstr("Number of message attributes [11]"));
  ComesTrue(topic, {.body = "m", .attributes = Eleven()});
}

TEST_F(ExplainTest, PrintsAsAListOfReasons) {
  const Topic topic = house_.MakeTopic("orders");
  topic.Subscribe(house_.MakeQueue("a")).value();
  topic.Subscribe(house_.MakeQueue("b"), {.filter_policy = R"({"tier": ["gold"]})"}).value();
  const Queue gone = house_.MakeQueue("c");
  topic.Subscribe(gone).value();
  gone.core()->Close(CloseKind::kDeleted);
  const auto explained = topic.Explain({.body = "m", .attributes = {{"tier", "silver"}}}).value();
  EXPECT_EQ(ToString(explained),
            "reaches 1 of 3 subscriptions\n"
            "  delivered      queue a\n"
            "  filtered       queue b: " +
                explained[1].verdict.sentence +
                "\n"
                "  dropped        queue c: The specified queue does not exist. There is no "
                "dead-letter queue.\n");
  EXPECT_EQ(ToString(std::vector<SubscriptionExplanation>()), "reaches 0 of 0 subscriptions\n");
}

TEST_F(ExplainTest, ChangesNothing) {
  const Topic topic = house_.MakeTopic("orders");
  const Queue queue = house_.MakeQueue("q");
  const Queue full = house_.MakeQueue("full", {.messages_max = 1});
  full.Send({.body = "there first"}).value();
  int calls = 0;
  const Function function = house_.MakeFunction("f", [&calls](const FunctionEvent&) {
    ++calls;
    return absl::OkStatus();
  });
  const Subscription to_queue = topic.Subscribe(queue).value();
  const Subscription to_full = topic.Subscribe(full).value();
  const Subscription to_inline = topic.Subscribe(function, {.call_inline = true}).value();
  for (int i = 0; i < 3; ++i) topic.Explain({.body = "m"}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(topic.Stats().published, 0);
  for (const Subscription& one : {to_queue, to_full, to_inline}) {
    EXPECT_EQ(one.Stats().filtered, 0);
    EXPECT_EQ(one.Stats().delivery.matched, 0);
    EXPECT_EQ(one.Stats().delivery.failed_attempts, 0);
  }
  EXPECT_EQ(queue.Stats().accepted, 0);
  EXPECT_EQ(queue.Stats().depth.total(), 0);
  EXPECT_EQ(full.Stats().rejected, 0);
  EXPECT_EQ(function.Stats().throttled, 0);
  EXPECT_TRUE(house_.log.lines().empty());
}

TEST_F(ExplainTest, WhatAFifoTopicKnowsReachesNobodyAndIsNotCounted) {
  const Topic topic = house_.MakeTopic("t.fifo", {.fifo = true});
  const Queue fifo = house_.MakeQueue("q.fifo", {.fifo = true});
  const Queue standard = house_.MakeQueue("q");
  topic.Subscribe(fifo).value();
  topic.Subscribe(standard).value();
  const PublishRequest request = {
      .body = "m", .message_group_id = "g", .message_deduplication_id = "d"};
  EXPECT_THAT(Outcomes(topic.Explain(request).value()),
              ElementsAre(Outcome::kDelivered, Outcome::kDelivered));
  topic.Publish(request).value();
  const auto again = topic.Explain(request).value();
  EXPECT_THAT(Outcomes(again), ElementsAre(Outcome::kDuplicate, Outcome::kDuplicate));
  EXPECT_THAT(again[0].forecast.sentence, HasSubstr("within the last five minutes"));
  EXPECT_EQ(topic.Stats().duplicates, 0);
  runtime_.Advance(absl::Minutes(5) + absl::Seconds(1));
  EXPECT_THAT(Outcomes(topic.Explain(request).value()),
              ElementsAre(Outcome::kDelivered, Outcome::kDelivered));
}

TEST_F(ExplainTest, AFifoQueueMayKnowWhatItsTopicDoesNot) {
  const Topic topic = house_.MakeTopic("t.fifo", {.fifo = true});
  const Queue fifo = house_.MakeQueue("q.fifo", {.fifo = true});
  topic.Subscribe(fifo, {.raw = true}).value();
  fifo.Send({.body = "m", .message_group_id = "g", .message_deduplication_id = "d"}).value();
  const auto explained =
      topic.Explain({.body = "n", .message_group_id = "g", .message_deduplication_id = "d"})
          .value();
  EXPECT_THAT(Outcomes(explained), ElementsAre(Outcome::kDuplicate));
  EXPECT_EQ(fifo.Stats().duplicates, 0);
}

TEST_F(ExplainTest, WhatWaitsBehindItsGroupIsSaid) {
  const Topic topic = house_.MakeTopic("t.fifo", {.fifo = true});
  const Queue fifo = house_.MakeQueue("q.fifo", {.fifo = true, .messages_max = 1});
  topic.Subscribe(fifo, {.raw = true}).value();
  const auto request = [](const std::string& id) {
    return PublishRequest{.body = id, .message_group_id = "g", .message_deduplication_id = id};
  };
  ComesTrue(topic, request("1"));
  ComesTrue(topic, request("2"));  // refused for now
  const auto explained = topic.Explain(request("3")).value();
  EXPECT_EQ(explained[0].forecast.outcome, Outcome::kWaits);
  EXPECT_THAT(explained[0].forecast.sentence, HasSubstr("group g"));
  ComesTrue(topic, request("3"));
}

TEST_F(ExplainTest, ASubscriptionThatReplaysWaitsForItsTurn) {
  const Topic topic =
      house_.MakeTopic("t.fifo", {.fifo = true, .archive_retention = absl::Hours(24)});
  const Queue fifo = house_.MakeQueue("q.fifo", {.fifo = true});
  const auto request = [](const std::string& id) {
    return PublishRequest{.body = id, .message_group_id = "g", .message_deduplication_id = id};
  };
  topic.Publish(request("1")).value();
  topic.Subscribe(fifo, {.replay_policy = ReplayPolicy{.starting_point = absl::InfinitePast()}})
      .value();
  const auto explained = topic.Explain(request("2")).value();
  EXPECT_THAT(Outcomes(explained), ElementsAre(Outcome::kWaits));
  EXPECT_THAT(explained[0].forecast.sentence, HasSubstr("replay"));
  runtime_.RunUntilIdle();
  EXPECT_THAT(Outcomes(topic.Explain(request("2")).value()), ElementsAre(Outcome::kDelivered));
}

TEST_F(ExplainTest, AFunctionWithTooManyWaitingThrottles) {
  const Topic topic = house_.MakeTopic("orders");
  const Function function = house_.MakeFunction(
      "f", [](const FunctionEvent&) { return absl::OkStatus(); }, {.pending_max = 1});
  topic.Subscribe(function).value();
  EXPECT_THAT(Outcomes(topic.Explain({.body = "m"}).value()), ElementsAre(Outcome::kDelivered));
  topic.Publish({.body = "m"}).value();  // waits for the runtime
  const auto explained = topic.Explain({.body = "m"}).value();
  EXPECT_EQ(explained[0].forecast.outcome, Outcome::kRetried);
  EXPECT_EQ(CodeOf(explained[0].forecast.refusal), "TooManyRequestsException");
  function.core()->Close(CloseKind::kDeleted);
  EXPECT_THAT(Outcomes(topic.Explain({.body = "m"}).value()), ElementsAre(Outcome::kDropped));
}

// The filter sees the text that its subscription would get.
TEST_F(ExplainTest, AJsonStructureIsExplainedByProtocol) {
  const Topic topic = house_.MakeTopic("orders");
  topic
      .Subscribe(house_.MakeQueue("q"), {.filter_policy = R"({"for": ["queues"]})",
                                         .filter_policy_scope = FilterPolicyScope::kMessageBody})
      .value();
  const PublishRequest request = {
      .body = R"({"default": "{\"for\": \"all\"}", "sqs": "{\"for\": \"queues\"}"})",
      .json_structure = true};
  EXPECT_THAT(Outcomes(topic.Explain(request).value()), ElementsAre(Outcome::kDelivered));
  ComesTrue(topic, request);
  const PublishRequest other = {.body = R"({"default": "{\"for\": \"all\"}"})",
                                .json_structure = true};
  EXPECT_THAT(Outcomes(topic.Explain(other).value()), ElementsAre(Outcome::kFiltered));
}

TEST_F(ExplainTest, ABadRequestIsRefusedAsByPublish) {
  const Topic topic = house_.MakeTopic("orders");
  EXPECT_EQ(topic.Explain({.body = ""}).status(), topic.Publish({.body = ""}).status());
}

// --- Buses

TEST_F(ExplainTest, AnEventsTargetsAreAskedOneByOne) {
  const EventBus bus = house_.MakeBus("shop"), other = house_.MakeBus("other");
  const Queue inbox = house_.MakeQueue("inbox"), dead = house_.MakeQueue("dead");
  const Queue fifo = house_.MakeQueue("orders.fifo", {.fifo = true});
  const Topic topic = house_.MakeTopic("news");
  const Stream stream = house_.MakeStream("clicks");
  const Rule rule =
      bus.PutRule("all",
                  {.pattern = R"({"source": ["shop"]})",
                   .targets = {Target(inbox), Target(fifo).MessageGroupId("g").DeadLetter(dead),
                               Target(topic), Target(stream), Target(other)}})
          .value();
  const Rule own =
      bus.PutRule("own", {.pattern = R"({"source": ["shop"]})",
                          .targets = {Target(bus), Target(inbox).Id("odd").InputTransformer(
                                                       {{"d", "$.detail"}}, "<d> d>")}})
          .value();
  bus.PutRule("not", {.pattern = R"({"source": ["else"]})", .targets = {inbox}}).value();

  const std::string event = R"({"source": "shop", "detail-type": "d", "detail": {"n": 1}})";
  const auto explained = bus.Explain(event).value();
  ASSERT_THAT(explained, SizeIs(3));
  EXPECT_EQ(explained[0].rule_name, "all");
  std::vector<Outcome> outcomes;
  for (const TargetExplanation& target : explained[0].targets) {
    outcomes.push_back(target.forecast.outcome);
  }
  EXPECT_THAT(outcomes, ElementsAre(Outcome::kDelivered, Outcome::kDeadLettered,
                                    Outcome::kDelivered, Outcome::kDelivered, Outcome::kDelivered));
  EXPECT_THAT(explained[0].targets[1].forecast.sentence, HasSubstr("ContentBasedDeduplication"));
  EXPECT_THAT(explained[1].targets, SizeIs(0));  // "not" does not match
  EXPECT_EQ(explained[2].targets[0].forecast.outcome, Outcome::kDropped);
  EXPECT_THAT(explained[2].targets[0].forecast.sentence, HasSubstr("same rule again"));
  EXPECT_EQ(explained[2].targets[1].forecast.outcome, Outcome::kDropped);
  EXPECT_THAT(ToString(explained), HasSubstr("matches 2 of 3 rules, reaches 4 of 7 targets\nall"));

  EXPECT_EQ(bus.Stats().accepted, 0);
  EXPECT_EQ(rule.Stats().matched, 0);
  EXPECT_EQ(inbox.Stats().accepted + dead.Stats().accepted, 0);
  EXPECT_EQ(other.Stats().accepted, 0);
  EXPECT_EQ(topic.Stats().published, 0);

  bus.PutEnveloped(event).value();
  for (const RuleStats& stats : {rule.Stats(), own.Stats()}) {
    const auto& foreseen = stats.targets.size() == 5 ? explained[0] : explained[2];
    for (size_t i = 0; i < stats.targets.size(); ++i) {
      SubscriptionStats after;
      after.delivery = stats.targets[i].delivery;
      EXPECT_EQ(OutcomeName(foreseen.targets[i].forecast.outcome),
                OutcomeName(WhatHappened({}, after)))
          << foreseen.targets[i].target_id;
    }
  }
}

TEST_F(ExplainTest, ATargetThatIsGoneIsSaid) {
  const EventBus bus = house_.MakeBus("shop"), other = house_.MakeBus("other");
  const Topic topic = house_.MakeTopic("news");
  const Stream stream = house_.MakeStream("clicks");
  bus.PutRule("all", {.pattern = R"({"source": ["shop"]})",
                      .targets = {Target(topic), Target(stream), Target(other)}})
      .value();
  topic.core()->Close(CloseKind::kDeleted);
  stream.core()->Close(CloseKind::kDeleted);
  other.core()->Close(CloseKind::kDeleted);
  const auto explained = bus.Explain(R"({"source": "shop"})").value();
  for (const TargetExplanation& target : explained.at(0).targets) {
    EXPECT_EQ(target.forecast.outcome, Outcome::kDropped) << target.target_id;
    EXPECT_EQ(target.forecast.refusal.code(), absl::StatusCode::kNotFound) << target.target_id;
  }
}

}  // namespace
}  // namespace banyan::internal
