// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 1, 4 and 5: what a rule's targets get in place of the event, and FIFO queues.
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

constexpr char kAnyEvent[] = R"({"source":["shop"]})";

class RuleInputTest : public RouteTest {
 protected:
  void Put(std::string detail = R"({"id":"o-1","total":1.50})") {
    ASSERT_THAT(bus_.Put({.source = "shop", .detail_type = "Order", .detail = std::move(detail)}),
                testing::IsOk());
  }
  Rule PutRule(std::vector<Target> targets) {
    return bus_.PutRule("r", {.pattern = kAnyEvent, .targets = std::move(targets)}).value();
  }
  // What PutTargets answers.
  std::string Refusal(const Target& target) {
    const absl::Status status =
        bus_.PutRule("bad", {.pattern = kAnyEvent, .targets = {target}}).status();
    return status.ok() ? "OK" : CodeOf(status) + ": " + TextOf(status);
  }

  EventBus bus_ = house_.MakeBus("shop");
  Queue queue_ = house_.MakeQueue("q");
};

TEST_F(RuleInputTest, EveryKindOfTargetGetsTheTransformedTextAndOthersTheEvent) {
  const std::string input_template = R"({"order": <id>, "of": "<aws.events.rule-name>"})";
  const std::map<std::string, std::string> paths = {{"id", "$.detail.id"}};
  const auto transformed = [&](Target target) {
    return target.InputTransformer(paths, input_template);
  };
  const Topic topic = house_.MakeTopic("t");
  const Queue through_topic = house_.MakeQueue("through-topic");
  ASSERT_TRUE(topic.Subscribe(through_topic, {.raw = true}).ok());
  const Stream stream = house_.MakeStream("s");
  std::string called_with;
  const Function function = house_.MakeFunction("f", [&called_with](const FunctionEvent& event) {
    called_with = event.body;
    return absl::OkStatus();
  });
  const Queue plain = house_.MakeQueue("plain");
  PutRule({transformed(queue_), transformed(topic),
           transformed(stream).PartitionKeyPath("$.detail.total"), transformed(function), plain});
  Put();
  runtime_.RunUntilIdle();

  const std::string expected = R"({"order":"o-1","of":"r"})";
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(expected));
  EXPECT_THAT(DrainBodies(through_topic), ElementsAre(expected));
  EXPECT_EQ(called_with, expected);
  const RecordBatch records =
      stream.GetRecords(stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value())
          .value();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].data(), expected);
  EXPECT_EQ(records[0].partition_key(), "1.50") << "of the event, not of what took its place";
  EXPECT_THAT(DrainBodies(plain), ElementsAre(HasSubstr(R"("detail":{"id":"o-1","total":1.50}})")));
}

TEST_F(RuleInputTest, WhatMakesNoJsonIsDroppedAndNoDeadLetter) {
  const Queue dead = house_.MakeQueue("dead"), other = house_.MakeQueue("other");
  const Rule rule = PutRule({Target(queue_)
                                 .InputTransformer({{"list", "$.detail.list"}}, R"({"x":"<list>"})")
                                 .DeadLetter(dead),
                             other});
  Put(R"({"list":["ACTIVE"]})");
  Put(R"({"list":[1]})");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(R"({"x":"[1]"})"));
  EXPECT_THAT(Drain(dead), IsEmpty());
  EXPECT_THAT(Drain(other), SizeIs(2));
  const DeliveryStats books = rule.Stats().targets.at(0).delivery;
  EXPECT_EQ(books.matched, 2);
  EXPECT_EQ(books.delivered, 1);
  EXPECT_EQ(books.dropped, 1);
  EXPECT_EQ(books.failed_attempts, 0);
  EXPECT_THAT(house_.log.lines(),
              ElementsAre(HasSubstr("what its InputTemplate makes of the event is not JSON")));
}

TEST_F(RuleInputTest, TheDeadLetterIsTheOriginalEvent) {
  const Queue dead = house_.MakeQueue("dead"), tiny = house_.MakeQueue("tiny");
  PutRule({Target(tiny).Input(R"({"constant":true})").DeadLetter(dead)});
  tiny.core()->Close(CloseKind::kDeleted);
  Put();
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr(R"("detail":{"id":"o-1","total":1.50}})"));
  EXPECT_EQ(letters[0].attributes().Find("ERROR_CODE")->value, "NO_RESOURCE");
}

TEST_F(RuleInputTest, AWaitingRetryKeepsTheTextThatWasMadeFirst) {
  const Queue small = house_.MakeQueue("small", {.messages_max = 1});
  PutRule({Target(small).InputPath("$.detail.id")});
  Put();
  Put(R"({"id":"o-2"})");
  EXPECT_THAT(DrainBodies(small), ElementsAre("\"o-1\""));
  bus_.PutRule("r", {.pattern = kAnyEvent, .targets = {Target(small).Input("1")}}).value();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(DrainBodies(small), ElementsAre("\"o-2\""));
}

TEST_F(RuleInputTest, TheSizeThatCountsIsThatOfWhatIsDelivered) {
  const Queue small = house_.MakeQueue("small", {.message_bytes_max = 1'024});
  const Rule rule = PutRule({Target(small).InputPath("$.detail.id").Id("part"),
                             Target(small)
                                 .InputTransformer({},
                                                   "[<aws.events.event.json>,"
                                                   "<aws.events.event.json>,"
                                                   "<aws.events.event.json>,"
                                                   "<aws.events.event.json>,"
                                                   "<aws.events.event.json>]")
                                 .Id("five")});
  Put();
  EXPECT_EQ(rule.Stats().targets.at(0).delivery.delivered, 1);
  EXPECT_EQ(rule.Stats().targets.at(1).delivery.dropped, 1) << "too long, for good";
  Put(R"({"id":"o-2","padding":")" + std::string(2'000, 'x') + R"("})");
  EXPECT_THAT(DrainBodies(small), ElementsAre("\"o-1\"", "\"o-2\"")) << "a large event fits so";
}

TEST_F(RuleInputTest, ATargetPutAgainUnchangedKeepsItsCourierAndAnyChangeIsNoticed) {
  const Queue fifo =
      house_.MakeQueue("q.fifo", {.fifo = true, .content_based_deduplication = true});
  const std::vector<Target> variants = {
      Target(fifo).Id("t").MessageGroupId("g"),
      Target(fifo).Id("t").MessageGroupId("h"),
      Target(fifo).Id("t").MessageGroupId("h").Input("1"),
      Target(fifo).Id("t").MessageGroupId("h").Input("2"),
      Target(fifo).Id("t").MessageGroupId("h").InputPath("$.detail"),
      Target(fifo).Id("t").MessageGroupId("h").InputPath("$.detail.id"),
      Target(fifo).Id("t").MessageGroupId("h").InputTransformer({{"a", "$.detail"}}, "<a>"),
      Target(fifo).Id("t").MessageGroupId("h").InputTransformer({{"a", "$.detail.id"}}, "<a>"),
      Target(fifo).Id("t").MessageGroupId("h").InputTransformer({{"a", "$.detail.id"}}, "[<a>]"),
  };
  const auto matched = [](const Rule& rule) { return rule.Stats().targets.at(0).delivery.matched; };
  for (const Target& variant : variants) {
    const Rule rule = PutRule({variant});
    EXPECT_EQ(matched(rule), 0) << "a new courier";
    Put();
    PutRule({variant});
    EXPECT_EQ(matched(rule), 1) << "the same one";
  }
}

TEST_F(RuleInputTest, InputFaultsFailTheCallAndNothingChanges) {
  const Rule rule = PutRule({Target(queue_).Id("t")});
  const absl::Status refused = rule.PutTargets(
      {{Target(queue_).Id("t").Input("1"), Target(queue_).Id("u").Input("1").InputPath("$")}});
  EXPECT_EQ(CodeOf(refused), "ValidationException");
  EXPECT_EQ(TextOf(refused),
            "Only one of Input, InputPath, or InputTransformer must be provided for target u.");
  EXPECT_EQ(Refusal(Target(queue_).Id("u").InputTransformer({}, "\"<notdefinedkey>\"")),
            "ValidationException: InputTemplate for target u contains invalid placeholder "
            "notdefinedkey.");
  Put();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(HasSubstr("\"detail-type\"")));
}

// --- FIFO queues ----------------------------------------------------------------------------------

TEST_F(RuleInputTest, AFifoQueueGetsEventsInTheTargetsGroup) {
  const Queue fifo =
      house_.MakeQueue("q.fifo", {.fifo = true, .content_based_deduplication = true});
  PutRule({Target(fifo).MessageGroupId("orders").InputPath("$.detail")});
  for (int i = 0; i < 3; ++i) Put("{\"n\":" + std::to_string(i) + "}");
  Put(R"({"n":2})");  // a duplicate: no event has a deduplication id, so the content decides
  const std::vector<Received> got = Drain(fifo);
  ASSERT_THAT(got, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got[i].body(), "{\"n\":" + std::to_string(i) + "}");
    EXPECT_EQ(got[i].message_group_id(), "orders");
  }
}

TEST_F(RuleInputTest, AFifoQueueThatDoesNotDeduplicateByContentRefusesForGood) {
  const Queue fifo = house_.MakeQueue("q.fifo", {.fifo = true});
  const Queue dead = house_.MakeQueue("dead");
  const Rule rule = PutRule({Target(fifo).MessageGroupId("g").DeadLetter(dead)});
  Put();
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].attributes().Find("RETRY_ATTEMPTS")->value, "0");
  EXPECT_THAT(letters[0].attributes().Find("ERROR_MESSAGE")->value,
              HasSubstr("ContentBasedDeduplication enabled"));
  // Who corrects the queue need not touch the rule.
  QueueOptions options = fifo.Options().value();
  options.content_based_deduplication = true;
  ASSERT_TRUE(fifo.SetOptions(options).ok());
  Put();
  EXPECT_THAT(Drain(fifo), SizeIs(1));
}

TEST_F(RuleInputTest, InAStandardQueueTheGroupIsTheTenant) {
  PutRule({Target(queue_).Id("a").MessageGroupId("a"), Target(queue_).Id("none")});
  Put();
  std::vector<std::string> groups;
  for (const Received& one : Drain(queue_)) groups.emplace_back(one.message_group_id());
  EXPECT_THAT(groups, ElementsAre("a", ""));
}

TEST_F(RuleInputTest, GroupIdsAreValidated) {
  const Queue fifo = house_.MakeQueue("q.fifo", {.fifo = true});
  EXPECT_THAT(Refusal(fifo), HasSubstr("A FIFO queue needs a MessageGroupId."));
  EXPECT_EQ(Refusal(Target(fifo).MessageGroupId(std::string(100, 'g'))), "OK");
  EXPECT_THAT(Refusal(Target(fifo).MessageGroupId(std::string(101, 'g'))),
              HasSubstr("at 'targets.1.member.sqsParameters.messageGroupId' failed to satisfy "
                        "constraint: Member must have length less than or equal to 100"));
  for (const char* bad : {"a b", "\xC3\xA9", "a\n"}) {
    EXPECT_THAT(Refusal(Target(fifo).MessageGroupId(bad)), HasSubstr("has other characters"));
  }
  EXPECT_THAT(Refusal(Target(house_.MakeTopic("t")).MessageGroupId("g")),
              HasSubstr("MessageGroupId is for queues only."));
  EXPECT_THAT(Refusal(Target(queue_).DeadLetter(fifo)),
              HasSubstr("The dead-letter queue of a rule is a standard queue."));
  EXPECT_THAT(
      Refusal(Target(house_.MakeStream("s")).PartitionKeyPath("$." + std::string(255, 'p'))),
      HasSubstr("longer than 256"));
}

TEST_F(RuleInputTest, SubscriptionsHaveNoneOfThis) {
  const Topic topic = house_.MakeTopic("t");
  for (const Target& target :
       {Target(queue_).Input("1"), Target(queue_).InputPath("$"),
        Target(queue_).InputTransformer({}, "\"x\""), Target(queue_).MessageGroupId("g")}) {
    EXPECT_EQ(CodeOf(topic.Subscribe(target).status()), "InvalidParameter");
  }
  EXPECT_THAT(TextOf(topic.Subscribe(Target(queue_).InputPath("$")).status()),
              HasSubstr("InputPath is for the targets of rules only"));
}

}  // namespace
}  // namespace banyan::internal
