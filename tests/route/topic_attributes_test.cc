// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 5 and 8: topics and subscriptions under SNS's names, permissions, tags, pages.
#include <map>
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/fake_http_transport.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shared_testing.h"

namespace banyan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

using Strings = std::map<std::string, std::string>;

#ifdef BANYAN_SANITIZER
constexpr int kRounds = 20;
#else
constexpr int kRounds = 200;
#endif

class TopicAttributes : public ::testing::Test {
 protected:
  static std::string LongPolicy() {
    return R"({"Statement":[{"Sid":")" + std::string(20'000, 'x') + R"("}]})";
  }

  testing::SimulatedRuntime runtime_;
  testing::FakeHttpTransport http_{runtime_};
  Broker broker_ = Broker::Create(runtime_, {.http_transport = &http_}).value();
};

TEST_F(TopicAttributes, ATopicShowsSnssDefaults) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Strings shown = topic.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("TopicArn", topic.arn().ToString())));
  EXPECT_THAT(shown, Contains(Pair("Owner", "000000000000")));
  EXPECT_THAT(shown, Contains(Pair("DisplayName", "")));
  EXPECT_THAT(shown, Contains(Pair("SubscriptionsConfirmed", "0")));
  EXPECT_THAT(shown, Contains(Pair("SubscriptionsPending", "0")));
  EXPECT_THAT(shown, Contains(Pair("SubscriptionsDeleted", "0")));
  EXPECT_THAT(shown,
              Contains(Pair("EffectiveDeliveryPolicy",
                            R"({"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,)"
                            R"("maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,)"
                            R"("numNoDelayRetries":0,"numMinDelayRetries":0,)"
                            R"("backoffFunction":"linear"},"disableSubscriptionOverrides":false,)"
                            R"("defaultRequestPolicy":{"headerContentType":)"
                            R"("text/plain; charset=UTF-8"}}})")));
  EXPECT_THAT(shown, Contains(Pair("Policy", HasSubstr("__default_statement_ID"))));
  for (const char* absent : {"DeliveryPolicy", "SignatureVersion", "KmsMasterKeyId",
                             "TracingConfig", "FifoTopic", "ContentBasedDeduplication"}) {
    EXPECT_THAT(shown, Not(Contains(Key(absent))));
  }
}

TEST_F(TopicAttributes, AFifoTopicShowsThatItIsOne) {
  const Topic topic = broker_
                          .CreateTopicFromAttributes(
                              "t.fifo", {{"FifoTopic", "true"},
                                         {"ContentBasedDeduplication", "true"},
                                         {"ArchivePolicy", R"({"MessageRetentionPeriod":"30"})"}})
                          .value();
  const Strings shown = topic.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("FifoTopic", "true")));
  EXPECT_THAT(shown, Contains(Pair("ContentBasedDeduplication", "true")));
  EXPECT_THAT(shown, Contains(Pair("FifoThroughputScope", "Topic")));
  EXPECT_THAT(shown, Contains(Pair("ArchivePolicy", R"({"MessageRetentionPeriod":"30"})")));
  EXPECT_THAT(shown, Not(Contains(Key("BeginningArchiveTime"))));
  EXPECT_EQ(topic.Options()->archive_retention, absl::Hours(24 * 30));
  topic.Publish({.body = "m", .message_group_id = "g"}).value();
  EXPECT_THAT(topic.GetAttributes().value(), Contains(Key("BeginningArchiveTime")));

  // FifoTopic "false" makes a standard topic, and is not reported.
  const Topic standard = broker_.CreateTopicFromAttributes("t", {{"FifoTopic", "false"}}).value();
  EXPECT_THAT(standard.GetAttributes().value(), Not(Contains(Key("FifoTopic"))));
}

TEST_F(TopicAttributes, WhatIsSetIsShownAndTakesEffect) {
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  ASSERT_TRUE(topic.SetAttribute("DisplayName", "Orders").ok());
  ASSERT_TRUE(topic.SetAttribute("ContentBasedDeduplication", "true").ok());
  ASSERT_TRUE(topic.SetAttribute("ArchivePolicy", R"({"MessageRetentionPeriod":"1"})").ok());
  ASSERT_TRUE(topic.SetAttribute("TracingConfig", "Active").ok());
  ASSERT_TRUE(topic.SetAttribute("KmsMasterKeyId", "alias/key").ok());
  ASSERT_TRUE(topic.SetAttribute("SQSSuccessFeedbackSampleRate", "50").ok());
  const Strings shown = topic.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("DisplayName", "Orders")));
  EXPECT_THAT(shown, Contains(Pair("TracingConfig", "Active")));
  EXPECT_THAT(shown, Contains(Pair("KmsMasterKeyId", "alias/key")));
  EXPECT_THAT(shown, Contains(Pair("SQSSuccessFeedbackSampleRate", "50")));
  EXPECT_TRUE(topic.Publish({.body = "m", .message_group_id = "g"}).ok());  // no id needed now

  EXPECT_EQ(CodeOf(broker_.DeleteTopic("t.fifo")), "InvalidState");
  ASSERT_TRUE(topic.SetAttribute("ArchivePolicy", "{}").ok());
  EXPECT_TRUE(broker_.DeleteTopic("t.fifo").ok());
  EXPECT_EQ(CodeOf(topic.SetAttribute("DisplayName", "late")), "NotFound");
}

TEST_F(TopicAttributes, BadAttributesOfATopicAreRefusedAndChangeNothing) {
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Strings before = topic.GetAttributes().value();
  const auto refused = [&topic](std::string_view name, std::string_view value) {
    const absl::Status status = topic.SetAttribute(name, value);
    EXPECT_EQ(CodeOf(status), "InvalidParameter") << name;
    return TextOf(status);
  };
  EXPECT_EQ(refused("Colour", "red"), "Invalid parameter: AttributeName");
  EXPECT_EQ(refused("FifoTopic", "true"), "Invalid parameter: AttributeName");
  EXPECT_EQ(refused("TopicArn", "arn"), "Invalid parameter: AttributeName");
  EXPECT_THAT(refused("ContentBasedDeduplication", "yes"), HasSubstr("Must be true or false"));
  EXPECT_THAT(refused("FifoThroughputScope", "Queue"), HasSubstr("Topic or MessageGroup"));
  EXPECT_THAT(refused("SignatureVersion", "3"), HasSubstr("Must be 1 or 2"));
  EXPECT_THAT(refused("TracingConfig", "On"), HasSubstr("Active or PassThrough"));
  EXPECT_THAT(refused("ArchivePolicy", R"({"MessageRetentionPeriod":"366"})"), HasSubstr("365"));
  EXPECT_THAT(refused("ArchivePolicy", "30"), HasSubstr("JSON"));
  EXPECT_THAT(refused("Policy", "[]"), HasSubstr("Policy Error"));
  EXPECT_THAT(refused("HTTPSuccessFeedbackSampleRate", "101"), HasSubstr("0 to 100"));
  EXPECT_THAT(refused("DisplayName", std::string(101, 'x')), HasSubstr("DisplayName"));
  EXPECT_THAT(refused("DeliveryPolicy", "{"), HasSubstr("DeliveryPolicy"));
  EXPECT_EQ(topic.GetAttributes().value(), before);
}

TEST_F(TopicAttributes, CreatingATopicAgainNeedsTheSameAttributesAndTagsOrFewer) {
  const Strings attributes = {{"DisplayName", "Orders"}};
  const Strings tags = {{"team", "a"}};
  const Topic topic = broker_.CreateTopicFromAttributes("t", attributes, tags).value();
  EXPECT_EQ(broker_.CreateTopicFromAttributes("t", attributes, tags).value(), topic);
  EXPECT_EQ(broker_.CreateTopicFromAttributes("t", {}).value(), topic);
  EXPECT_EQ(TextOf(broker_.CreateTopicFromAttributes("t", {{"DisplayName", ""}}).status()),
            "Invalid parameter: Attributes Reason: Topic already exists with different attributes");
  EXPECT_EQ(
      TextOf(broker_.CreateTopicFromAttributes("t", {}, {{"team", "a"}, {"more", "b"}}).status()),
      "Invalid parameter: Tags Reason: Topic already exists with different tags");
  EXPECT_EQ(topic.Tags().value(), tags);
}

TEST_F(TopicAttributes, PermissionsAreStatementsOfThePolicy) {
  const Topic topic = broker_.CreateTopic("t").value();
  const std::vector<std::string> account = {"123456789012"};
  const std::vector<std::string> publish = {"Publish"};
  ASSERT_TRUE(topic.AddPermission("partner", account, publish).ok());
  const std::string policy = topic.GetAttributes().value()["Policy"];
  EXPECT_THAT(policy, HasSubstr("__default_statement_ID"));
  EXPECT_THAT(policy, HasSubstr(R"({"Sid":"partner","Effect":"Allow","Principal":{"AWS":)"
                                R"("arn:aws:iam::123456789012:root"},"Action":"SNS:Publish",)"
                                R"("Resource":"arn:aws:sns:us-east-1:000000000000:t"})"));
  EXPECT_EQ(TextOf(topic.AddPermission("partner", account, publish)),
            "Invalid parameter: Statement already exists");
  EXPECT_EQ(TextOf(topic.AddPermission("other", account, std::vector<std::string>{"Fly"})),
            "Invalid parameter: Policy statement action out of service scope!");
  EXPECT_THAT(TextOf(topic.AddPermission("other", publish, publish)), HasSubstr("twelve digits"));
  ASSERT_TRUE(topic.RemovePermission("partner").ok());
  EXPECT_THAT(topic.GetAttributes().value()["Policy"], Not(HasSubstr("partner")));
  EXPECT_TRUE(topic.RemovePermission("partner").ok());
}

TEST_F(TopicAttributes, TagsAreKeptUpToFifty) {
  const Topic topic = broker_.CreateTopic("t").value();
  ASSERT_TRUE(topic.SetTags({{"a", "1"}, {"b", "2"}}).ok());
  ASSERT_TRUE(topic.SetTags({{"b", "3"}}).ok());
  ASSERT_TRUE(topic.RemoveTags(std::vector<std::string>{"a", "not there"}).ok());
  EXPECT_EQ(topic.Tags().value(), (Strings{{"b", "3"}}));
  Strings many;
  for (int i = 0; i < 50; ++i) many["k" + std::to_string(i)] = "v";
  EXPECT_EQ(CodeOf(topic.SetTags(many)), "TagLimitExceeded");
  EXPECT_THAT(topic.Tags().value(), SizeIs(1));
  EXPECT_EQ(CodeOf(topic.SetTags({{"", "v"}})), "InvalidParameter");
}

TEST_F(TopicAttributes, ASubscriptionShowsWhatItIs) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Queue dead = broker_.CreateQueue("dead").value();
  const Subscription subscription = topic.Subscribe(queue).value();
  EXPECT_EQ(subscription.GetAttributes().value(),
            (Strings{{"SubscriptionArn", subscription.arn().ToString()},
                     {"TopicArn", topic.arn().ToString()},
                     {"Owner", "000000000000"},
                     {"Protocol", "sqs"},
                     {"Endpoint", queue.arn().ToString()},
                     {"PendingConfirmation", "false"},
                     {"ConfirmationWasAuthenticated", "true"},
                     {"RawMessageDelivery", "false"},
                     {"SubscriptionPrincipal", "arn:aws:iam::000000000000:root"}}));
  const Subscription other =
      topic
          .Subscribe(Target(broker_.CreateQueue("r").value()).DeadLetter(dead),
                     {.filter_policy = R"({"a":["b"]})", .raw = true})
          .value();
  const Strings shown = other.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("FilterPolicy", R"({"a":["b"]})")));
  EXPECT_THAT(shown, Contains(Pair("FilterPolicyScope", "MessageAttributes")));
  EXPECT_THAT(shown, Contains(Pair("RawMessageDelivery", "true")));
  EXPECT_THAT(shown, Contains(Pair("RedrivePolicy",
                                   R"({"deadLetterTargetArn":")" + dead.arn().ToString() + "\"}")));
  const Strings counts = topic.GetAttributes().value();
  EXPECT_THAT(counts, Contains(Pair("SubscriptionsConfirmed", "2")));
  ASSERT_TRUE(other.Unsubscribe().ok());
  EXPECT_THAT(topic.GetAttributes().value(), Contains(Pair("SubscriptionsDeleted", "1")));
  EXPECT_EQ(CodeOf(other.GetAttributes().status()), "NotFound");
  EXPECT_EQ(CodeOf(other.SetAttribute("RawMessageDelivery", "true")), "NotFound");
}

TEST_F(TopicAttributes, AServerIsPendingAndHasADeliveryPolicy) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Subscription subscription = topic.Subscribe(Target::Url("https://example.com/")).value();
  Strings shown = subscription.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("Protocol", "https")));
  EXPECT_THAT(shown, Contains(Pair("Endpoint", "https://example.com/")));
  EXPECT_THAT(shown, Contains(Pair("PendingConfirmation", "true")));
  EXPECT_THAT(shown, Not(Contains(Key("DeliveryPolicy"))));
  EXPECT_THAT(shown, Contains(Pair("EffectiveDeliveryPolicy", HasSubstr("\"numRetries\":3"))));
  EXPECT_THAT(topic.GetAttributes().value(), Contains(Pair("SubscriptionsPending", "1")));
  const std::string policy = R"({"healthyRetryPolicy":{"numRetries":5}})";
  ASSERT_TRUE(subscription.SetAttribute("DeliveryPolicy", policy).ok());
  shown = subscription.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("DeliveryPolicy", policy)));
  EXPECT_THAT(shown, Contains(Pair("EffectiveDeliveryPolicy", HasSubstr("\"numRetries\":5"))));
}

TEST_F(TopicAttributes, RawDeliveryChangesForWhatIsPublishedFromThenOn) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Subscription subscription = topic.Subscribe(queue).value();
  topic.Publish({.body = "first"}).value();
  ASSERT_TRUE(subscription.SetAttribute("RawMessageDelivery", "true").ok());
  topic.Publish({.body = "second"}).value();
  ASSERT_TRUE(subscription.SetRaw(false).ok());
  topic.Publish({.body = "third"}).value();
  const std::vector<std::string> bodies = DrainBodies(queue);
  ASSERT_THAT(bodies, SizeIs(3));
  EXPECT_THAT(bodies[0], HasSubstr("\"Message\" : \"first\""));
  EXPECT_EQ(bodies[1], "second");
  EXPECT_THAT(bodies[2], HasSubstr("\"Message\" : \"third\""));

  EXPECT_EQ(TextOf(subscription.SetAttribute("RawMessageDelivery", "maybe")),
            "Invalid parameter: RawMessageDelivery: Invalid value [maybe]. Must be true or false.");
  const Function function =
      broker_.CreateFunction("f", {}, [](const FunctionEvent&) { return absl::OkStatus(); })
          .value();
  EXPECT_THAT(TextOf(topic.Subscribe(function).value().SetRaw(true)),
              HasSubstr("does not support raw message delivery"));
}

TEST_F(TopicAttributes, ARedrivePolicyCanComeAndGo) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Queue dead = broker_.CreateQueue("dead").value();
  const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
  ASSERT_TRUE(broker_.DeleteQueue("q").ok());
  topic.Publish({.body = "dropped"}).value();
  const std::string policy = R"({"deadLetterTargetArn":")" + dead.arn().ToString() + "\"}";
  ASSERT_TRUE(subscription.SetAttribute("RedrivePolicy", policy).ok());
  EXPECT_THAT(subscription.GetAttributes().value(), Contains(Pair("RedrivePolicy", policy)));
  topic.Publish({.body = "kept"}).value();
  ASSERT_TRUE(subscription.SetAttribute("RedrivePolicy", "").ok());
  topic.Publish({.body = "dropped too"}).value();
  EXPECT_THAT(DrainBodies(dead), ElementsAre("kept"));
  EXPECT_EQ(subscription.Stats().delivery.dropped, 2);

  EXPECT_EQ(TextOf(subscription.SetAttribute("RedrivePolicy", "no json")),
            "Invalid parameter: RedrivePolicy: failed to parse JSON.");
  EXPECT_EQ(TextOf(subscription.SetAttribute("RedrivePolicy", R"({"deadLetterTargetArn":"q"})")),
            "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn");
  EXPECT_THAT(
      TextOf(subscription.SetAttribute(
          "RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:no"})")),
      HasSubstr("names no queue"));
  const Queue fifo = broker_.CreateQueue("dead.fifo", {.fifo = true}).value();
  EXPECT_THAT(TextOf(subscription.SetDeadLetter(fifo)), HasSubstr("RedrivePolicy"));
}

TEST_F(TopicAttributes, ARoleIsForStreamsAndKept) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Subscription to_stream = topic.Subscribe(broker_.CreateStream("s").value()).value();
  EXPECT_THAT(to_stream.GetAttributes().value(), Not(Contains(Key("SubscriptionRoleArn"))));
  const std::string role = "arn:aws:iam::000000000000:role/firehose";
  EXPECT_TRUE(to_stream.SetAttribute("SubscriptionRoleArn", role).ok());
  EXPECT_THAT(to_stream.GetAttributes().value(), Contains(Pair("SubscriptionRoleArn", role)));
  for (const std::string bad : {"", "firehose", "arn:aws:sqs:us-east-1:000000000000:q"}) {
    const absl::Status refused = to_stream.SetAttribute("SubscriptionRoleArn", bad);
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_THAT(TextOf(refused), HasSubstr("SubscriptionRoleArn: Invalid value [" + bad + "]"));
  }
  EXPECT_THAT(to_stream.GetAttributes().value(), Contains(Pair("SubscriptionRoleArn", role)));

  const Subscription to_queue = topic.Subscribe(broker_.CreateQueue("q").value()).value();
  const absl::Status refused = to_queue.SetAttribute("SubscriptionRoleArn", role);
  EXPECT_EQ(CodeOf(refused), "InvalidParameter");
  EXPECT_THAT(TextOf(refused), HasSubstr("not for protocol [sqs]"));
}

TEST_F(TopicAttributes, AFilterPolicyAndItsScopeChangeByName) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
  ASSERT_TRUE(subscription.SetAttribute("FilterPolicyScope", "MessageBody").ok());
  // Reported only while there is a policy.
  EXPECT_THAT(subscription.GetAttributes().value(), Not(Contains(Key("FilterPolicyScope"))));
  ASSERT_TRUE(subscription.SetAttribute("FilterPolicy", R"({"a":{"b":["c"]}})").ok());
  EXPECT_THAT(subscription.GetAttributes().value(),
              Contains(Pair("FilterPolicyScope", "MessageBody")));
  topic.Publish({.body = R"({"a":{"b":"c"}})"}).value();
  topic.Publish({.body = R"({"a":{"b":"d"}})"}).value();
  EXPECT_THAT(DrainBodies(queue), ElementsAre(R"({"a":{"b":"c"}})"));
  // A nested policy is none for attributes: nothing changes.
  EXPECT_FALSE(subscription.SetAttribute("FilterPolicyScope", "MessageAttributes").ok());
  EXPECT_EQ(TextOf(subscription.SetAttribute("FilterPolicyScope", "Subject")),
            "Invalid parameter: FilterPolicyScope: Invalid value [Subject]. Please use either "
            "MessageBody or MessageAttributes");
  ASSERT_TRUE(subscription.SetAttribute("FilterPolicy", "").ok());
  topic.Publish({.body = "anything"}).value();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("anything"));
  EXPECT_EQ(TextOf(subscription.SetAttribute("Colour", "red")), "Invalid parameter: AttributeName");
}

TEST_F(TopicAttributes, AReplayPolicyIsJson) {
  const Topic topic = broker_
                          .CreateTopic("t.fifo", {.fifo = true,
                                                  .content_based_deduplication = true,
                                                  .archive_retention = absl::Hours(24)})
                          .value();
  topic.Publish({.body = "old", .message_group_id = "g"}).value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
  const std::string policy =
      R"({"PointType":"Timestamp","StartingPoint":"2026-01-01T00:00:00.000Z"})";
  ASSERT_TRUE(subscription.SetAttribute("ReplayPolicy", policy).ok());
  EXPECT_THAT(subscription.GetAttributes().value(), Contains(Pair("ReplayStatus", "Pending")));
  runtime_.RunUntilIdle();
  const Strings shown = subscription.GetAttributes().value();
  EXPECT_THAT(shown, Contains(Pair("ReplayPolicy", policy)));
  EXPECT_THAT(shown, Contains(Pair("ReplayStatus", "Completed")));
  EXPECT_THAT(DrainBodies(queue), ElementsAre("old"));
  ASSERT_TRUE(subscription.SetAttribute("ReplayPolicy", "{}").ok());
  EXPECT_THAT(subscription.GetAttributes().value(), Not(Contains(Key("ReplayPolicy"))));
  for (const char* bad :
       {"x", R"({"PointType":"Timestamp"})",
        R"({"PointType":"Id","StartingPoint":"2026-01-01T00:00:00Z"})",
        R"({"PointType":"Timestamp","StartingPoint":"yesterday"})",
        R"({"PointType":"Timestamp","StartingPoint":"2026-01-01T00:00:00Z","Speed":"2"})"}) {
    EXPECT_EQ(CodeOf(subscription.SetAttribute("ReplayPolicy", bad)), "InvalidParameter") << bad;
  }
}

// A long policy makes each change take its time, so that the others wait in the middle of theirs.
TEST_F(TopicAttributes, WhoChangeDifferentAttributesAtOnceAllHaveTheirWay) {
  const Topic topic = broker_.CreateTopic("t").value();
  ASSERT_TRUE(topic.SetAttribute("Policy", LongPolicy()).ok());
  const std::vector<std::string> names = {
      "DisplayName", "KmsMasterKeyId", "SQSSuccessFeedbackRoleArn", "LambdaSuccessFeedbackRoleArn"};
  for (int round = 0; round < 3 * kRounds; ++round) {
    const std::string value = std::to_string(round);
    AtOnce(4, [&](int thread) {
      EXPECT_TRUE(topic.SetAttribute(names[static_cast<size_t>(thread)], value).ok());
    });
    const Strings shown = topic.GetAttributes().value();
    for (const std::string& name : names) ASSERT_THAT(shown, Contains(Pair(name, value)));
  }
}

TEST_F(TopicAttributes, WhoChangePermissionsAtOnceAllHaveTheirWay) {
  const Topic topic = broker_.CreateTopic("t").value();
  ASSERT_TRUE(topic.SetAttribute("Policy", LongPolicy()).ok());
  const std::vector<std::string> accounts = {"123456789012"}, actions = {"Publish"};
  const auto label = [](int thread) { return "label" + std::to_string(thread); };
  for (int round = 0; round < kRounds; ++round) {
    AtOnce(4, [&](int thread) {
      EXPECT_TRUE(topic.AddPermission(label(thread), accounts, actions).ok());
    });
    std::string policy = topic.GetAttributes().value()["Policy"];
    for (int thread = 0; thread < 4; ++thread) ASSERT_THAT(policy, HasSubstr(label(thread)));
    AtOnce(4, [&](int thread) { EXPECT_TRUE(topic.RemovePermission(label(thread)).ok()); });
    policy = topic.GetAttributes().value()["Policy"];
    ASSERT_THAT(policy, Not(HasSubstr("label")));
  }
}

TEST_F(TopicAttributes, ListsComeAHundredAtATime) {
  for (int i = 0; i < 205; ++i) broker_.CreateTopic("t" + std::to_string(1'000 + i)).value();
  std::vector<std::string> names;
  std::string token;
  std::vector<size_t> sizes;
  do {
    const TopicPage page = broker_.ListTopicsPage(token).value();
    sizes.push_back(page.topics.size());
    for (const Topic& topic : page.topics) names.emplace_back(topic.name());
    token = page.next_token;
  } while (!token.empty());
  EXPECT_THAT(sizes, ElementsAre(100, 100, 5));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));

  const Topic topic = broker_.FindTopic("t1000").value();
  for (int i = 0; i < 101; ++i) {
    topic.Subscribe(broker_.CreateQueue("q" + std::to_string(i)).value()).value();
  }
  const SubscriptionPage first = topic.ListSubscriptionsPage().value();
  EXPECT_THAT(first.subscriptions, SizeIs(100));
  const SubscriptionPage last = topic.ListSubscriptionsPage(first.next_token).value();
  EXPECT_THAT(last.subscriptions, SizeIs(1));
  EXPECT_THAT(last.next_token, IsEmpty());
  EXPECT_EQ(CodeOf(topic.ListSubscriptionsPage("x").status()), "InvalidParameter");
}

}  // namespace
}  // namespace banyan
