// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 1, 3 and 8: rules and their targets.
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

constexpr char kA[] = R"({"source":["a"]})";
constexpr char kB[] = R"({"source":["b"]})";

class RuleTest : public RouteTest {
 protected:
  void Put(const std::string& source) {
    ASSERT_THAT(bus_.Put({.source = source, .detail_type = "d", .detail = "{}"}), testing::IsOk());
  }

  EventBus bus_ = house_.MakeBus("shop");
  Queue queue_ = house_.MakeQueue("q");
};

TEST_F(RuleTest, TheArnNamesTheBusUnlessItIsTheDefaultOne) {
  EXPECT_EQ(bus_.PutRule("r", {.pattern = kA}).value().arn().ToString(),
            "arn:aws:events:us-east-1:000000000000:rule/shop/r");
  EXPECT_EQ(house_.MakeBus("default").PutRule("r", {.pattern = kA}).value().arn().ToString(),
            "arn:aws:events:us-east-1:000000000000:rule/r");
}

TEST_F(RuleTest, AFifoTopicCannotBeATarget) {
  const Topic fifo = house_.MakeTopic("t.fifo", {.fifo = true});
  const absl::Status refused =
      bus_.PutRule("r", {.pattern = kA, .targets = {Target(fifo).Id("t")}}).status();
  EXPECT_EQ(CodeOf(refused), "ValidationException");
  EXPECT_THAT(TextOf(refused), HasSubstr("A FIFO topic cannot be a target"));
  EXPECT_FALSE(bus_.FindRule("r").ok());
}

TEST_F(RuleTest, PuttingAgainReplacesThePatternAndTargetsSurvive) {
  bus_.PutRule("r", {.pattern = kA, .targets = {queue_}, .enabled = false}).value();
  bus_.PutRule("r", {.pattern = kB}).value();  // enabled again, for what is left out is the default
  Put("a");
  Put("b");
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  EXPECT_THAT(bus_.ListRules().value(), SizeIs(1));
}

TEST_F(RuleTest, WiringMayBeRepeatedWithoutLosingBooksOrRetries) {
  const Queue small = house_.MakeQueue("small", {.messages_max = 1});
  const RuleOptions options = {.pattern = kA, .targets = {small}};
  const Rule rule = bus_.PutRule("r", options).value();
  Put("a");
  Put("a");
  bus_.PutRule("r", options).value();
  const DeliveryStats books = rule.Stats().targets.at(0).delivery;
  EXPECT_EQ(books.matched, 2);
  EXPECT_EQ(books.pending, 1);
}

TEST_F(RuleTest, AnotherTargetUnderTheSameIdReplacesIt) {
  const Queue other = house_.MakeQueue("other");
  const Rule rule = bus_.PutRule("r", {.pattern = kA, .targets = {Target(queue_).Id("t")}}).value();
  ASSERT_THAT(rule.PutTargets({{Target(other).Id("t")}}), testing::IsOk());
  Put("a");
  EXPECT_THAT(Drain(queue_), IsEmpty());
  EXPECT_THAT(Drain(other), SizeIs(1));
  EXPECT_THAT(rule.Stats().targets, SizeIs(1));
}

// An entry that just fits is too long for any queue once the bus has added its members, and the
// dead letter is longer still, by the reason.
TEST_F(RuleTest, ADeadLetterIsTakenWhateverItsSizeAndHoweverFullItsQueueIs) {
  const Queue dead = house_.MakeQueue("dead", {.messages_max = 1});
  const Rule rule =
      bus_.PutRule("r", {.pattern = kA, .targets = {Target(queue_).DeadLetter(dead)}}).value();
  const std::string detail = "{\"x\":\"" + std::string(1'048'500, 'x') + "\"}";
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(bus_.Put({.source = "a", .detail_type = "d", .detail = detail}), testing::IsOk());
  }
  EXPECT_THAT(Drain(queue_), IsEmpty());
  const DeliveryStats books = rule.Stats().targets.at(0).delivery;
  EXPECT_EQ(books.dead_lettered, 2);
  EXPECT_EQ(books.dropped, 0);
  EXPECT_EQ(books.pending, 0);
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr(detail));
  EXPECT_EQ(letters[0].attributes().Find("ERROR_CODE")->value, "SDK_CLIENT_ERROR");
}

TEST_F(RuleTest, DisabledRulesMatchNothing) {
  const Rule rule = bus_.PutRule("r", {.pattern = kA, .targets = {queue_}}).value();
  ASSERT_THAT(rule.Disable(), testing::IsOk());
  Put("a");
  ASSERT_THAT(rule.Enable(), testing::IsOk());
  Put("a");
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  EXPECT_EQ(rule.Stats().matched, 1);
  EXPECT_EQ(bus_.Stats().unmatched, 1);
}

TEST_F(RuleTest, ARuleWithTargetsCannotBeDeletedAndAnAbsentOneIsNoError) {
  const Rule rule = bus_.PutRule("r", {.pattern = kA, .targets = {queue_}}).value();
  const absl::Status refused = bus_.DeleteRule("r");
  EXPECT_EQ(CodeOf(refused), "ValidationException");
  EXPECT_EQ(TextOf(refused), "Rule can't be deleted since it has targets.");
  ASSERT_THAT(rule.RemoveTargets(std::vector<std::string>{"queue.q", "unknown"}), testing::IsOk());
  EXPECT_THAT(bus_.DeleteRule("r"), testing::IsOk());
  EXPECT_THAT(bus_.DeleteRule("r"), testing::IsOk());

  const absl::Status gone = bus_.FindRule("r").status();
  EXPECT_EQ(CodeOf(gone), "ResourceNotFoundException");
  EXPECT_EQ(TextOf(gone), "Rule r does not exist on EventBus shop.");
  // The old handle does not name the rule that is put again.
  bus_.PutRule("r", {.pattern = kA}).value();
  EXPECT_EQ(CodeOf(rule.PutTargets({{queue_}})), "ResourceNotFoundException");
}

TEST_F(RuleTest, TheSixthTargetIsRefusedAndNothingChanges) {
  std::vector<Target> five;
  for (int i = 0; i < 5; ++i) five.push_back(Target(queue_).Id("t" + std::to_string(i)));
  const Rule rule = bus_.PutRule("r", {.pattern = kA, .targets = five}).value();
  const absl::Status refused =
      bus_.PutRule("r", {.pattern = kB, .targets = {Target(queue_).Id("sixth")}}).status();
  EXPECT_EQ(CodeOf(refused), "LimitExceededException");
  EXPECT_EQ(TextOf(refused),
            "The requested resource exceeds the maximum number allowed. There would be 6 targets; "
            "at most 5 are allowed.");
  EXPECT_THAT(rule.PutTargets(five), testing::IsOk());  // those are there already
  Put("a");
  EXPECT_THAT(Drain(queue_), SizeIs(5));  // still the old pattern
}

TEST_F(RuleTest, RulesPerBusAreBounded) {
  Limits limits = Limits::Aws();
  limits.bus.rules_max = 2;
  TestHouse house(runtime_, limits);
  const EventBus bus = house.MakeBus("b");
  bus.PutRule("1", {.pattern = kA}).value();
  bus.PutRule("2", {.pattern = kA}).value();
  EXPECT_EQ(CodeOf(bus.PutRule("3", {.pattern = kA}).status()), "LimitExceededException");
  EXPECT_TRUE(bus.PutRule("2", {.pattern = kB}).ok());
}

TEST_F(RuleTest, BadNamesIdsAndPatternsAreRefused) {
  EXPECT_EQ(CodeOf(bus_.PutRule("", {.pattern = kA}).status()), "ValidationException");
  EXPECT_EQ(CodeOf(bus_.PutRule("a b", {.pattern = kA}).status()), "ValidationException");
  EXPECT_EQ(CodeOf(bus_.PutRule(std::string(65, 'r'), {.pattern = kA}).status()),
            "ValidationException");
  EXPECT_EQ(CodeOf(bus_.PutRule("r", {}).status()), "ValidationException");
  EXPECT_EQ(CodeOf(bus_.PutRule("r", {.pattern = R"({"a":1})"}).status()),
            "InvalidEventPatternException");
  const absl::Status bad_id =
      bus_.PutRule("r", {.pattern = kA, .targets = {Target(queue_).Id("a b")}}).status();
  EXPECT_EQ(CodeOf(bad_id), "ValidationException");
  EXPECT_EQ(TextOf(bad_id),
            "1 validation error detected: Value 'a b' at 'targets.1.member.id' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+");
  EXPECT_EQ(CodeOf(bus_.PutRule("r", {.pattern = kA, .targets = {Queue()}}).status()),
            "ValidationException");
  EXPECT_EQ(CodeOf(bus_.PutRule("r", {.pattern = kA, .targets = {queue_, queue_}}).status()),
            "ValidationException");
  EXPECT_EQ(
      CodeOf(bus_.PutRule("r", {.pattern = kA, .targets = {Target(queue_).PartitionKeyPath("$.a")}})
                 .status()),
      "ValidationException");
  const absl::Status bad_path =
      bus_.PutRule("r", {.pattern = kA,
                         .targets = {Target(house_.MakeStream("s")).PartitionKeyPath("detail.id")}})
          .status();
  EXPECT_EQ(CodeOf(bad_path), "ValidationException");
  EXPECT_EQ(
      TextOf(bad_path),
      "Parameter Target is not valid for target stream.s. Reason: \"detail.id\" is not a path "
      "like $.detail.order.id.");
  EXPECT_EQ(CodeOf(bus_.PutRule("r", {.pattern = kA,
                                      .targets = {Target(queue_).Retry({.retries_max = 186})}})
                       .status()),
            "ValidationException");
  EXPECT_THAT(bus_.ListRules().value(), IsEmpty());
}

TEST_F(RuleTest, BusNamesAreLettersDigitsAndDotDashUnderscore) {
  EXPECT_TRUE(ValidateEventBusName("shop.v-1_A", Limits::Aws()).ok());
  for (const std::string& bad : {std::string(), std::string("a/b"), std::string(257, 'b')}) {
    EXPECT_EQ(CodeOf(ValidateEventBusName(bad, Limits::Aws())), "ValidationException");
  }
  EXPECT_TRUE(ValidateEventBusOptions({.description = std::string(512, 'd')}).ok());
  EXPECT_FALSE(ValidateEventBusOptions({.description = std::string(513, 'd')}).ok());
}

TEST_F(RuleTest, TargetsAreCalledAfterTheirKindAndName) {
  const Queue long_name = house_.MakeQueue(std::string(80, 'q'));
  const Rule rule =
      bus_.PutRule("r", {.pattern = kA, .targets = {queue_, house_.MakeTopic("t"), long_name}})
          .value();
  const RuleStats stats = rule.Stats();
  ASSERT_THAT(stats.targets, SizeIs(3));
  EXPECT_EQ(stats.targets[0].target_id, "queue.q");
  EXPECT_EQ(stats.targets[0].target_arn, queue_.arn().ToString());
  EXPECT_EQ(stats.targets[1].target_id, "topic.t");
  EXPECT_EQ(stats.targets[2].target_id.size(), 64u);
}

TEST_F(RuleTest, ARuleSaysWhatItWasPutWithAndCanBePutFromThat) {
  const Queue dead = house_.MakeQueue("dead");
  const Rule rule =
      bus_.PutRule("r", {.pattern = kA,
                         .targets = {Target(queue_).DeadLetter(dead).InputPath("$.detail"),
                                     Target(house_.MakeTopic("t")).Id("topic")},
                         .enabled = false,
                         .description = "about a"})
          .value();
  Put("a");
  const RuleOptions options = rule.Options().value();
  EXPECT_EQ(options.pattern, kA);
  EXPECT_FALSE(options.enabled);
  EXPECT_EQ(options.description, "about a");
  ASSERT_THAT(options.targets, SizeIs(2));
  EXPECT_EQ(options.targets[0].id(), "queue.q") << "also the ids that nobody gave";
  EXPECT_EQ(options.targets[0].dead_letter(), dead);
  EXPECT_EQ(options.targets[0].input_path(), "$.detail");
  EXPECT_EQ(options.targets[1].id(), "topic");

  ASSERT_THAT(rule.Enable(), testing::IsOk());
  EXPECT_TRUE(rule.Options().value().enabled);
  Put("a");
  bus_.PutRule("r", rule.Options().value()).value();
  EXPECT_EQ(rule.Stats().targets.at(0).delivery.matched, 1) << "unchanged, so the same books";
  ASSERT_THAT(rule.RemoveTargets(std::vector<std::string>{"queue.q", "topic"}), testing::IsOk());
  ASSERT_THAT(bus_.DeleteRule("r"), testing::IsOk());
  EXPECT_EQ(CodeOf(rule.Options().status()), "ResourceNotFoundException");
}

TEST_F(RuleTest, TheRulesOfATargetAreFoundByItsArn) {
  const Stream stream = house_.MakeStream("s");
  const EventBus other = house_.MakeBus("other");
  bus_.PutRule("b", {.pattern = kA, .targets = {queue_, stream}}).value();
  bus_.PutRule("a", {.pattern = kA, .targets = {queue_, Target(queue_).Id("again")}}).value();
  bus_.PutRule("c", {.pattern = kA, .targets = {other}}).value();
  const auto names = [this](const Arn& target) {
    return bus_.ListRuleNamesByTarget(target).value();
  };
  EXPECT_THAT(names(queue_.arn()), ElementsAre("a", "b"));
  EXPECT_THAT(names(stream.arn()), ElementsAre("b"));
  EXPECT_THAT(names(other.arn()), ElementsAre("c"));
  EXPECT_THAT(names(bus_.arn()), IsEmpty());
}

TEST_F(RuleTest, RulesAreListedByName) {
  for (const char* name : {"b", "a", "c"}) bus_.PutRule(name, {.pattern = kA}).value();
  std::vector<std::string> names;
  const std::vector<Rule> rules = bus_.ListRules().value();
  for (const Rule& rule : rules) names.emplace_back(rule.name());
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace banyan::internal
