// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 5 and 8: subscribing, and what it refuses.
#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "banyan/topic.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class SubscriptionTest : public RouteTest {
 protected:
  Topic topic_ = house_.MakeTopic("orders");
  Queue queue_ = house_.MakeQueue("q");
};

TEST_F(SubscriptionTest, TheArnIsTheTopicsAndAnId) {
  const Subscription subscription = topic_.Subscribe(queue_).value();
  EXPECT_THAT(subscription.arn().ToString(), StartsWith(topic_.arn().ToString() + ":"));
  const std::string id = subscription.arn().ToString().substr(topic_.arn().ToString().size() + 1);
  EXPECT_TRUE(Id::Parse(id).has_value());
}

TEST_F(SubscriptionTest, TheSameOmittedOrFewerAttributesAnswerTheSameSubscription) {
  const SubscriptionOptions options = {.filter_policy = R"({"a":["x"]})", .raw = true};
  const Arn arn = topic_.Subscribe(queue_, options).value().arn();
  EXPECT_EQ(topic_.Subscribe(queue_, options).value().arn(), arn);
  EXPECT_EQ(topic_.Subscribe(queue_).value().arn(), arn);
  EXPECT_EQ(topic_.Subscribe(queue_, {.raw = true}).value().arn(), arn);
  EXPECT_THAT(topic_.ListSubscriptions().value(), SizeIs(1));
}

TEST_F(SubscriptionTest, DifferentAttributesAreRefused) {
  topic_.Subscribe(queue_).value();
  const Queue dead = house_.MakeQueue("dead");
  for (const absl::Status& refused :
       {topic_.Subscribe(queue_, {.raw = true}).status(),
        topic_.Subscribe(queue_, {.filter_policy = R"({"a":["x"]})"}).status(),
        topic_.Subscribe(Target(queue_).DeadLetter(dead)).status(),
        topic_.Subscribe(Target(queue_).Retry({})).status()}) {
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_EQ(TextOf(refused),
              "Invalid parameter: Attributes Reason: Subscription already exists with different "
              "attributes");
  }
  EXPECT_THAT(topic_.ListSubscriptions().value(), SizeIs(1));
}

TEST_F(SubscriptionTest, UnsubscribeIsIdempotentAndSubscribingAgainIsNew) {
  const Subscription first = topic_.Subscribe(queue_, {.raw = true}).value();
  EXPECT_THAT(first.Unsubscribe(), testing::IsOk());
  EXPECT_THAT(first.Unsubscribe(), testing::IsOk());
  topic_.Publish({.body = "nobody"}).value();
  const Subscription second = topic_.Subscribe(queue_, {.raw = true}).value();
  EXPECT_FALSE(first.arn() == second.arn());
  topic_.Publish({.body = "somebody"}).value();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("somebody"));
  EXPECT_EQ(first.Stats().delivery.matched, 0);
  EXPECT_EQ(first.SetFilterPolicy("{}", FilterPolicyScope::kMessageBody).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SubscriptionTest, RetriesUnderWayGoOnAfterUnsubscribeAndStayInTheSum) {
  const Queue small = house_.MakeQueue("small", {.messages_max = 1});
  const Subscription subscription = topic_.Subscribe(small, {.raw = true}).value();
  topic_.Publish({.body = "1"}).value();
  topic_.Publish({.body = "2"}).value();
  EXPECT_THAT(subscription.Unsubscribe(), testing::IsOk());
  EXPECT_EQ(topic_.core()->PendingDeliveries(), 1);
  EXPECT_THAT(DrainBodies(small), ElementsAre("1"));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(DrainBodies(small), ElementsAre("2"));
  EXPECT_EQ(topic_.core()->PendingDeliveries(), 0);
}

// A queue deleted and made again under its name is not the one that was subscribed.
TEST_F(SubscriptionTest, ARecreatedQueueGetsNothingUntilSubscribedAgain) {
  topic_.Subscribe(queue_, {.raw = true}).value();
  queue_.core()->Close(CloseKind::kDeleted);
  const Queue again = house_.MakeQueue("q");
  topic_.Publish({.body = "1"}).value();
  EXPECT_THAT(Drain(again), IsEmpty());
  topic_.Subscribe(again, {.raw = true}).value();
  topic_.Publish({.body = "2"}).value();
  EXPECT_THAT(DrainBodies(again), ElementsAre("2"));
}

TEST_F(SubscriptionTest, AnEmptyPolicyRemovesFiltering) {
  const Subscription subscription =
      topic_.Subscribe(queue_, {.filter_policy = R"({"a":["x"]})", .raw = true}).value();
  topic_.Publish({.body = "1"}).value();
  EXPECT_THAT(subscription.SetFilterPolicy("", FilterPolicyScope::kMessageAttributes),
              testing::IsOk());
  topic_.Publish({.body = "2"}).value();
  EXPECT_THAT(subscription.SetFilterPolicy(R"({"b":[1]})", FilterPolicyScope::kMessageBody),
              testing::IsOk());
  topic_.Publish({.body = "3"}).value();
  EXPECT_THAT(subscription.SetFilterPolicy(" { } ", FilterPolicyScope::kMessageBody),
              testing::IsOk());
  topic_.Publish({.body = "4"}).value();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("2", "4"));
}

// The prefix differs between Subscribe and SetSubscriptionAttributes.
TEST_F(SubscriptionTest, PolicyErrorsCarryThePrefixOfTheirCall) {
  const absl::Status on_subscribe =
      topic_.Subscribe(queue_, {.filter_policy = R"({"a":"x"})"}).status();
  EXPECT_EQ(CodeOf(on_subscribe), "InvalidParameter");
  EXPECT_THAT(TextOf(on_subscribe),
              StartsWith("Invalid parameter: Attributes Reason: FilterPolicy: "));
  const Subscription subscription = topic_.Subscribe(queue_).value();
  EXPECT_THAT(
      TextOf(subscription.SetFilterPolicy(R"({"a":"x"})", FilterPolicyScope::kMessageAttributes)),
      StartsWith("Invalid parameter: FilterPolicy: "));
}

TEST_F(SubscriptionTest, AttributePoliciesAreFlat) {
  EXPECT_THAT(
      TextOf(topic_.Subscribe(queue_, {.filter_policy = R"({"a":{"b":["x"]}})"}).status()),
      HasSubstr("Filter policy scope MessageAttributes does not support nested filter policy"));
}

TEST_F(SubscriptionTest, PoliciesHaveFiveKeysAtMost) {
  EXPECT_THAT(
      TextOf(topic_
                 .Subscribe(queue_, {.filter_policy = R"({"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],)"
                                                      R"("f":[1]})"})
                 .status()),
      HasSubstr("can not have more than 5 keys"));
}

TEST_F(SubscriptionTest, PoliciesPerTopicAreBounded) {
  Limits limits = Limits::Aws();
  limits.topic.filter_policies_max = 1;
  limits.topic.subscriptions_max = 3;
  TestHouse house(runtime_, limits);
  const Topic topic = house.MakeTopic("t");
  topic.Subscribe(house.MakeQueue("a"), {.filter_policy = R"({"a":[1]})"}).value();
  const absl::Status refused =
      topic.Subscribe(house.MakeQueue("b"), {.filter_policy = R"({"a":[1]})"}).status();
  EXPECT_EQ(CodeOf(refused), "FilterPolicyLimitExceeded");
  const Subscription b = topic.Subscribe(house.MakeQueue("b")).value();
  EXPECT_EQ(CodeOf(b.SetFilterPolicy(R"({"a":[1]})", FilterPolicyScope::kMessageBody)),
            "FilterPolicyLimitExceeded");
  topic.Subscribe(house.MakeQueue("c")).value();
  EXPECT_EQ(CodeOf(topic.Subscribe(house.MakeQueue("d")).status()), "SubscriptionLimitExceeded");
}

TEST_F(SubscriptionTest, PoliciesOfAllTopicsAreBounded) {
  Limits limits = Limits::Aws();
  limits.topic.all_filter_policies_max = 2;
  TestHouse house(runtime_, limits);
  const Topic one = house.MakeTopic("one");
  const Topic two = house.MakeTopic("two");
  const std::string policy = R"({"a":[1]})";
  const Subscription a = one.Subscribe(house.MakeQueue("a"), {.filter_policy = policy}).value();
  two.Subscribe(house.MakeQueue("b"), {.filter_policy = policy}).value();
  const Queue c = house.MakeQueue("c");
  EXPECT_EQ(CodeOf(two.Subscribe(c, {.filter_policy = policy}).status()),
            "FilterPolicyLimitExceeded");
  // One that is changed is no more than before; one that goes makes room, and so does a topic.
  EXPECT_TRUE(a.SetFilterPolicy(R"({"b":[1]})", FilterPolicyScope::kMessageBody).ok());
  EXPECT_TRUE(a.SetFilterPolicy("", FilterPolicyScope::kMessageBody).ok());
  EXPECT_TRUE(two.Subscribe(c, {.filter_policy = policy}).ok());
  EXPECT_FALSE(a.SetFilterPolicy(policy, FilterPolicyScope::kMessageBody).ok());
  two.core()->Close(CloseKind::kDeleted);
  EXPECT_TRUE(a.SetFilterPolicy(policy, FilterPolicyScope::kMessageBody).ok());
  EXPECT_TRUE(one.Subscribe(c, {.filter_policy = policy}).ok());
}

TEST_F(SubscriptionTest, TopicsBusesAndEmptyHandlesCannotBeSubscribed) {
  EXPECT_EQ(CodeOf(topic_.Subscribe(Stream()).status()), "InvalidParameter");
  EXPECT_EQ(TextOf(topic_.Subscribe(house_.MakeTopic("t")).status()),
            "Invalid parameter: Amazon SNS does not support this protocol string: topic");
  EXPECT_EQ(CodeOf(topic_.Subscribe(Queue()).status()), "InvalidParameter");
  EXPECT_EQ(CodeOf(topic_.Subscribe(Function()).status()), "InvalidParameter");
  EXPECT_EQ(CodeOf(topic_.Subscribe(Target(queue_).DeadLetter(Queue())).status()),
            "InvalidParameter");
  EXPECT_EQ(CodeOf(topic_.Subscribe(Target(queue_).PartitionKeyPath("$.a")).status()),
            "InvalidParameter");
  EXPECT_EQ(CodeOf(topic_.Subscribe(Target(queue_).Retry({.retries_max = 100'016})).status()),
            "InvalidParameter");
  EXPECT_THAT(topic_.ListSubscriptions().value(), IsEmpty());
}

TEST_F(SubscriptionTest, AHandleThatNamesNothingAnswersNotFound) {
  const Subscription none;
  EXPECT_EQ(none.Unsubscribe().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(none.SetFilterPolicy("{}", FilterPolicyScope::kMessageBody).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(none.Stats().filtered, 0);
}

// SNS's own words; and what nobody could deliver to must not be taken for a dead-letter queue.
TEST_F(SubscriptionTest, AFifoQueueIsRefusedHereAndAsDeadLetterQueue) {
  const Topic topic = house_.MakeTopic("orders");
  const Queue fifo = house_.MakeQueue("orders.fifo", {.fifo = true});
  const Queue plain = house_.MakeQueue("plain");
  const absl::Status refused = topic.Subscribe(fifo, {}).status();
  ASSERT_NE(FindAwsError(refused), nullptr);
  EXPECT_EQ(FindAwsError(refused)->code, "InvalidParameter");
  EXPECT_EQ(std::string(refused.message()),
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
            "subscribed to standard SNS topics");
  EXPECT_EQ(topic.Subscribe(Target(plain).DeadLetter(fifo), {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const EventBus bus = house_.MakeBus("shop");
  for (const Target& target : {Target(fifo), Target(plain).DeadLetter(fifo)}) {
    EXPECT_EQ(
        bus.PutRule("r", {.pattern = R"({"source": ["s"]})", .targets = {target}}).status().code(),
        absl::StatusCode::kInvalidArgument);
  }
}

// --- Called inline -----------------------------------------------------------------------------

class InlineTest : public RouteTest {
 protected:
  Topic topic_ = house_.MakeTopic("t");
};

TEST_F(InlineTest, PublishCallsTheFunctionBeforeItReturns) {
  std::vector<std::string> called;
  const Function function = house_.MakeFunction("f", [&called](const FunctionEvent& event) {
    called.emplace_back(event.body);
    return absl::OkStatus();
  });
  const Subscription subscription = topic_.Subscribe(function, {.call_inline = true}).value();
  topic_.Publish({.body = "now"}).value();
  EXPECT_THAT(called, ElementsAre("now"));  // no task ran
  EXPECT_EQ(function.Stats().calls, 1);
  EXPECT_EQ(subscription.Stats().delivery.delivered, 1);
}

TEST_F(InlineTest, AFailedCallIsTriedAgainOnTheRuntime) {
  int calls = 0;
  std::vector<int64_t> attempts;
  const Function function = house_.MakeFunction("f", [&](const FunctionEvent& event) {
    attempts.push_back(event.attempt);
    return ++calls < 3 ? absl::UnknownError("not yet") : absl::OkStatus();
  });
  const Subscription subscription = topic_.Subscribe(function, {.call_inline = true}).value();
  EXPECT_TRUE(topic_.Publish({.body = "m"}).ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(subscription.Stats().delivery.pending, 1);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(attempts, ElementsAre(1, 2, 3));
  EXPECT_EQ(subscription.Stats().delivery.delivered, 1);
  EXPECT_EQ(function.Stats().failures, 2);
}

TEST_F(InlineTest, AHandlerMayPublishUnsubscribeAndDeleteItsFunction) {
  Topic other = house_.MakeTopic("other");
  const Queue queue = house_.MakeQueue("q");
  other.Subscribe(queue, {.raw = true}).value();
  Subscription subscription;
  Function function;
  function = house_.MakeFunction("f", [&](const FunctionEvent& event) {
    other.Publish({.body = std::string(event.body)}).value();
    subscription.Unsubscribe().IgnoreError();
    function.core()->Close(CloseKind::kDeleted);
    return absl::OkStatus();
  });
  subscription = topic_.Subscribe(function, {.call_inline = true}).value();
  topic_.Publish({.body = "once"}).value();
  topic_.Publish({.body = "twice"}).value();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("once"));
  EXPECT_TRUE(function.core()->AwaitIdle(absl::ZeroDuration()));
}

TEST_F(InlineTest, IsForFunctionsAndIsADifference) {
  const Function function =
      house_.MakeFunction("f", [](const FunctionEvent&) { return absl::OkStatus(); });
  EXPECT_THAT(TextOf(topic_.Subscribe(house_.MakeQueue("q"), {.call_inline = true}).status()),
              HasSubstr("call_inline is for functions"));
  const Subscription inline_one = topic_.Subscribe(function, {.call_inline = true}).value();
  EXPECT_EQ(topic_.Subscribe(function).value().arn(), inline_one.arn()) << "left out";
  const Topic again = house_.MakeTopic("again");
  again.Subscribe(function).value();
  EXPECT_THAT(TextOf(again.Subscribe(function, {.call_inline = true}).status()),
              HasSubstr("already exists with different attributes"));
}

}  // namespace
}  // namespace banyan::internal
