// SPDX-License-Identifier: Apache-2.0
//
// Rows of spec/topics.md that are commonly got wrong, by their numbers in tests/data/topic_rows.md,
// through the public API alone. Those about FIFO topics, batches and HTTP stand beside their kind.
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

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class TopicRows : public ::testing::Test {
 protected:
  Queue MakeQueue(std::string_view name, QueueOptions options = {}) {
    return broker_.CreateQueue(name, std::move(options)).value();
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Topic topic_ = broker_.CreateTopic("orders").value();
  Queue queue_ = MakeQueue("q");
  Queue dead_ = MakeQueue("dead");
};

TEST_F(TopicRows, T1_AMessageHas256KibibytesInBytesThoughQueuesTakeMore) {
  topic_.Subscribe(queue_, {.raw = true}).value();
  EXPECT_THAT(topic_.Publish({.body = std::string(262'144, 'x')}), testing::IsOk());
  const absl::Status refused = topic_.Publish({.body = std::string(262'145, 'x')}).status();
  EXPECT_EQ(CodeOf(refused), "InvalidParameter");
  EXPECT_THAT(TextOf(refused), StartsWith("Invalid parameter: Message too long"));
  // Name, type and value of an attribute count: 1 + 6 + 3 bytes; and an o-umlaut is two.
  const auto with_attribute = [&](size_t body) {
    return topic_.Publish({.body = std::string(body, 'x'), .attributes = {{"n", "\xC3\xB6o"}}});
  };
  EXPECT_THAT(with_attribute(262'134), testing::IsOk());
  EXPECT_EQ(CodeOf(with_attribute(262'135).status()), "InvalidParameter");
  EXPECT_THAT(queue_.Send({.body = std::string(262'145, 'x')}), testing::IsOk());

  // A batch has as much in all, and fails whole.
  const auto batch = [&](size_t each) {
    return topic_.PublishBatch(
        {{.body = std::string(each, 'x')}, {.body = std::string(131'072, 'x')}});
  };
  EXPECT_THAT(batch(131'072), testing::IsOk());
  EXPECT_EQ(CodeOf(batch(131'073).status()), "BatchRequestTooLong");
  EXPECT_THAT(Drain(queue_), SizeIs(5));
}

TEST_F(TopicRows, T2_MoreThanTenAttributesAreNoRawDeliveryAndNoErrorOfThePublish) {
  const Queue lonely = MakeQueue("lonely");
  const Subscription to_queue =
      topic_.Subscribe(Target(queue_).DeadLetter(dead_), {.raw = true}).value();
  const Subscription to_lonely = topic_.Subscribe(lonely, {.raw = true}).value();
  Attributes attributes;
  for (int i = 0; i < 10; ++i) attributes.Set("a" + std::to_string(i), "v");
  ASSERT_THAT(topic_.Publish({.body = "ten", .attributes = attributes}), testing::IsOk());
  attributes.Set("a10", "v");
  ASSERT_THAT(topic_.Publish({.body = "eleven", .attributes = attributes}), testing::IsOk());

  EXPECT_THAT(DrainBodies(queue_), ElementsAre("ten"));
  EXPECT_THAT(DrainBodies(lonely), ElementsAre("ten"));
  EXPECT_THAT(Drain(dead_), SizeIs(1));
  EXPECT_EQ(to_queue.Stats().delivery.dead_lettered, 1);
  EXPECT_EQ(to_queue.Stats().delivery.failed_attempts, 1) << "it is not tried again";
  EXPECT_EQ(to_lonely.Stats().delivery.dropped, 1);
}

TEST_F(TopicRows, T15_SubscribingAgainWithTheSameOrFewerAttributesIsTheSameSubscription) {
  const SubscriptionOptions all = {.filter_policy = R"({"a":["x"]})", .raw = true};
  const Target target = Target(queue_).DeadLetter(dead_);
  const Arn arn = topic_.Subscribe(target, all).value().arn();
  EXPECT_EQ(topic_.Subscribe(target, all).value().arn(), arn);
  EXPECT_EQ(topic_.Subscribe(queue_, {.raw = true}).value().arn(), arn);
  EXPECT_EQ(topic_.Subscribe(queue_).value().arn(), arn);
  for (const absl::Status& refused :
       {topic_.Subscribe(queue_, {.filter_policy = R"({"a":["y"]})"}).status(),
        topic_.Subscribe(Target(queue_).DeadLetter(MakeQueue("other"))).status()}) {
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_EQ(TextOf(refused),
              "Invalid parameter: Attributes Reason: Subscription already exists with different "
              "attributes");
  }
  EXPECT_THAT(topic_.ListSubscriptions().value(), SizeIs(1));
}

// A target is a handle here, so a queue that does not exist is one that does not exist any more.
TEST_F(TopicRows, T16_AQueueThatDoesNotExistCanBeSubscribed) {
  ASSERT_THAT(broker_.DeleteQueue("q"), testing::IsOk());
  const absl::StatusOr<Subscription> subscription =
      topic_.Subscribe(Target(queue_).DeadLetter(dead_), {.raw = true});
  ASSERT_THAT(subscription, testing::IsOk());
  ASSERT_THAT(topic_.Publish({.body = "m"}), testing::IsOk());
  EXPECT_THAT(DrainBodies(dead_), ElementsAre("m")) << "a permanent fault";
}

TEST_F(TopicRows, T17_ARecreatedQueueGetsNothingUntilItIsSubscribedAgain) {
  topic_.Subscribe(Target(queue_).DeadLetter(dead_), {.raw = true}).value();
  ASSERT_THAT(broker_.DeleteQueue("q"), testing::IsOk());
  runtime_.Advance(absl::Minutes(2));  // so long a name rests
  const Queue again = MakeQueue("q");
  topic_.Publish({.body = "for the one that was"}).value();
  EXPECT_THAT(DrainBodies(again), IsEmpty());
  EXPECT_THAT(DrainBodies(dead_), ElementsAre("for the one that was"));
  topic_.Subscribe(again, {.raw = true}).value();
  topic_.Publish({.body = "for the one that is"}).value();
  EXPECT_THAT(DrainBodies(again), ElementsAre("for the one that is"));
}

TEST_F(TopicRows, T18_EachSubscriptionHasARedrivePolicyOfItsOwn) {
  const Queue other = MakeQueue("other"), other_dead = MakeQueue("other-dead");
  const Queue without = MakeQueue("without");
  topic_.Subscribe(Target(queue_).DeadLetter(dead_), {.raw = true}).value();
  topic_.Subscribe(Target(other).DeadLetter(other_dead), {.raw = true}).value();
  const Subscription bare = topic_.Subscribe(without, {.raw = true}).value();
  for (const char* name : {"other", "without"}) {
    ASSERT_THAT(broker_.DeleteQueue(name), testing::IsOk());
  }
  topic_.Publish({.body = "m"}).value();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("m"));
  EXPECT_THAT(DrainBodies(dead_), IsEmpty());
  EXPECT_THAT(DrainBodies(other_dead), ElementsAre("m"));
  EXPECT_EQ(bare.Stats().delivery.dropped, 1);
}

TEST_F(TopicRows, T19_ADeadLetterIsJustWhatTheEndpointWouldHaveHad) {
  const Queue enveloped = MakeQueue("enveloped"), enveloped_dead = MakeQueue("enveloped-dead");
  const Queue witness = MakeQueue("witness");
  topic_.Subscribe(Target(queue_).DeadLetter(dead_), {.raw = true}).value();
  topic_.Subscribe(Target(enveloped).DeadLetter(enveloped_dead)).value();
  topic_.Subscribe(witness).value();
  for (const char* name : {"q", "enveloped"}) {
    ASSERT_THAT(broker_.DeleteQueue(name), testing::IsOk());
  }
  const Attributes attributes = {{"tenant", "acme"}};
  topic_.Publish({.body = "m", .attributes = attributes}).value();

  const std::vector<Received> raw = Drain(dead_);
  ASSERT_THAT(raw, SizeIs(1));
  EXPECT_EQ(raw[0].body(), "m");
  EXPECT_EQ(raw[0].attributes(), attributes);
  const std::vector<Received> envelope = Drain(enveloped_dead);
  ASSERT_THAT(envelope, SizeIs(1));
  EXPECT_THAT(DrainBodies(witness), ElementsAre(std::string(envelope[0].body())));
  EXPECT_TRUE(envelope[0].attributes().empty());
}

TEST_F(TopicRows, T20_ErrorsOfAPolicyCarryThePrefixOfTheirCall) {
  const absl::Status on_subscribe =
      topic_.Subscribe(queue_, {.filter_policy = R"({"a":"x"})"}).status();
  const Subscription subscription = topic_.Subscribe(queue_).value();
  const absl::Status on_change =
      subscription.SetFilterPolicy(R"({"a":"x"})", FilterPolicyScope::kMessageAttributes);
  constexpr std::string_view kOnSubscribe = "Invalid parameter: Attributes Reason: ";
  constexpr std::string_view kOnChange = "Invalid parameter: ";
  EXPECT_EQ(CodeOf(on_subscribe), "InvalidParameter");
  EXPECT_EQ(CodeOf(on_change), "InvalidParameter");
  ASSERT_THAT(TextOf(on_subscribe), StartsWith(std::string(kOnSubscribe) + "FilterPolicy: "));
  ASSERT_THAT(TextOf(on_change), StartsWith(std::string(kOnChange) + "FilterPolicy: "));
  EXPECT_EQ(TextOf(on_subscribe).substr(kOnSubscribe.size()),
            TextOf(on_change).substr(kOnChange.size()));
  const absl::Status no_queue = topic_.Subscribe(Target(queue_).DeadLetter(Queue())).status();
  EXPECT_EQ(TextOf(no_queue),
            "Invalid parameter: Attributes Reason: RedrivePolicy: deadLetterTargetArn is an "
            "invalid arn");
}

}  // namespace
}  // namespace banyan
