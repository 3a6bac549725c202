// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 9: what topics count, under CloudWatch's names.
#include <map>
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "banyan/metrics.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::HasSubstr;

class TopicMetricsTest : public ::testing::Test {
 protected:
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
};

TEST_F(TopicMetricsTest, EachMessageIsDeliveredFilteredOrFailedForEachSubscription) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue gone = broker_.CreateQueue("gone").value();
  topic.Subscribe(broker_.CreateQueue("all").value()).value();
  topic
      .Subscribe(broker_.CreateQueue("by-attribute").value(),
                 {.filter_policy = R"({"colour":["red"]})"})
      .value();
  topic
      .Subscribe(
          broker_.CreateQueue("by-body").value(),
          {.filter_policy = R"({"n":[1]})", .filter_policy_scope = FilterPolicyScope::kMessageBody})
      .value();
  topic.Subscribe(gone).value();
  ASSERT_TRUE(broker_.DeleteQueue("gone").ok());

  topic.Publish({.body = R"({"n":1})", .attributes = {{"colour", "red"}}}).value();   // 3 of 4
  topic.Publish({.body = R"({"n":2})", .attributes = {{"colour", "blue"}}}).value();  // 1
  topic.Publish({.body = R"({"n":1})"}).value();                                      // 2
  topic.Publish({.body = "no json"}).value();                                         // 1
  const TopicMetrics metrics = topic.Metrics().value();
  EXPECT_EQ(metrics.topic_name, "t");
  EXPECT_EQ(metrics.number_of_messages_published, 4);
  EXPECT_EQ(metrics.number_of_notifications_delivered, 7);
  EXPECT_EQ(metrics.number_of_notifications_failed, 4);
  EXPECT_EQ(metrics.number_of_notifications_filtered_out, 5);
  EXPECT_EQ(metrics.number_of_notifications_filtered_out_message_attributes, 1);
  EXPECT_EQ(metrics.number_of_notifications_filtered_out_no_message_attributes, 2);
  EXPECT_EQ(metrics.number_of_notifications_filtered_out_message_body, 1);
  EXPECT_EQ(metrics.number_of_notifications_filtered_out_invalid_message_body, 1);
  EXPECT_EQ(metrics.publish_size.count, 4);
  EXPECT_EQ(metrics.publish_size.min, 7);
  EXPECT_EQ(metrics.publish_size.max, 7 + 6 + 6 + 4);  // body, name, type, value
  EXPECT_EQ(metrics.subscriptions, 4);
}

TEST_F(TopicMetricsTest, WhatAPolicyStoppedStaysCountedWhenItChangesOrGoes) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Subscription subscription =
      topic.Subscribe(broker_.CreateQueue("q").value(), {.filter_policy = R"({"a":["b"]})"})
          .value();
  const auto publish = [&] { topic.Publish({.body = "m", .attributes = {{"a", "c"}}}).value(); };
  const auto filtered = [&] {
    return topic.Metrics()->number_of_notifications_filtered_out_message_attributes;
  };
  publish();
  ASSERT_TRUE(subscription.SetFilterPolicy("", FilterPolicyScope::kMessageAttributes).ok());
  publish();
  EXPECT_EQ(filtered(), 1);
  ASSERT_TRUE(
      subscription.SetFilterPolicy(R"({"a":["b"]})", FilterPolicyScope::kMessageAttributes).ok());
  publish();
  EXPECT_EQ(filtered(), 2);
  EXPECT_EQ(subscription.Stats().filtered, 2);
  ASSERT_TRUE(subscription.Unsubscribe().ok());
  publish();
  EXPECT_EQ(filtered(), 2);
  EXPECT_EQ(topic.Metrics()->number_of_notifications_delivered, 1);
}

TEST_F(TopicMetricsTest, DeadLettersAndTheirLossAreTold) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue queue = broker_.CreateQueue("q").value();
  const Queue dead = broker_.CreateQueue("dead").value();
  topic.Subscribe(Target(queue).DeadLetter(dead)).value();
  ASSERT_TRUE(broker_.DeleteQueue("q").ok());
  topic.Publish({.body = "m"}).value();
  ASSERT_TRUE(broker_.DeleteQueue("dead").ok());
  topic.Publish({.body = "m"}).value();
  const TopicMetrics metrics = topic.Metrics().value();
  EXPECT_EQ(metrics.number_of_notifications_failed, 2);
  EXPECT_EQ(metrics.number_of_notifications_redriven_to_dlq, 1);
  EXPECT_EQ(metrics.number_of_notifications_failed_to_redrive_to_dlq, 1);
  EXPECT_EQ(metrics.failed_attempts, 2);
}

TEST_F(TopicMetricsTest, AReplayIsNotTakenForAFilter) {
  const Topic topic = broker_
                          .CreateTopic("t.fifo", {.fifo = true,
                                                  .content_based_deduplication = true,
                                                  .archive_retention = absl::Hours(24)})
                          .value();
  topic.Publish({.body = "old", .attributes = {{"a", "b"}}, .message_group_id = "g"}).value();
  const Subscription subscription =
      topic
          .Subscribe(broker_.CreateQueue("q").value(),
                     {.filter_policy = R"({"a":["b"]})",
                      .raw = true,
                      .replay_policy = ReplayPolicy{.starting_point = absl::InfinitePast()}})
          .value();
  topic.Publish({.body = "held", .attributes = {{"a", "b"}}, .message_group_id = "g"}).value();
  EXPECT_EQ(subscription.Stats().filtered, 0);
  runtime_.RunUntilIdle();
  topic.Publish({.body = "live", .attributes = {{"a", "b"}}, .message_group_id = "g"}).value();
  topic.Publish({.body = "not", .attributes = {{"a", "c"}}, .message_group_id = "g"}).value();
  EXPECT_EQ(subscription.Stats().filtered, 1);
  EXPECT_EQ(subscription.Stats().delivery.delivered, 3);
  const TopicMetrics metrics = topic.Metrics().value();
  EXPECT_EQ(metrics.approximate_number_of_messages_archived, 4);
  EXPECT_EQ(metrics.approximate_number_of_bytes_archived, 14 + 4 * (1 + 6 + 1));
}

TEST_F(TopicMetricsTest, WhatATapTookOverWasStoppedByNoFilter) {
  class Takes : public Tap {
   public:
    TapVerdict Accepted(const AcceptedMessage&) override { return TapVerdict::kTakeOver; }
  };
  Takes tap;
  Broker broker = Broker::Create(runtime_, {.tap = &tap}).value();
  const Topic topic = broker.CreateTopic("t").value();
  const Subscription subscription =
      topic.Subscribe(broker.CreateQueue("q").value(), {.filter_policy = R"({"a":["b"]})"}).value();
  topic.Publish({.body = "m", .attributes = {{"a", "b"}}}).value();
  EXPECT_EQ(topic.Metrics()->number_of_messages_published, 1);
  EXPECT_EQ(topic.Metrics()->number_of_notifications_filtered_out, 0);
  EXPECT_EQ(subscription.Stats().filtered, 0);
}

TEST_F(TopicMetricsTest, AMessageStructureIsOneMessage) {
  const Topic topic = broker_.CreateTopic("t").value();
  topic
      .Subscribe(
          broker_.CreateQueue("q").value(),
          {.filter_policy = R"({"n":[1]})", .filter_policy_scope = FilterPolicyScope::kMessageBody})
      .value();
  topic
      .Publish(
          {.body = R"({"default":"d","lambda":"l","sqs":"{\"n\":2}"})", .json_structure = true})
      .value();
  const TopicMetrics metrics = topic.Metrics().value();
  EXPECT_EQ(metrics.number_of_notifications_filtered_out_message_body, 1);
  EXPECT_EQ(metrics.number_of_notifications_filtered_out_invalid_message_body, 0);
  EXPECT_EQ(topic.Stats().unreadable, 0);
}

TEST_F(TopicMetricsTest, NamesAreCloudWatchs) {
  const Topic topic = broker_.CreateTopic("t").value();
  topic.Subscribe(broker_.CreateQueue("q").value()).value();
  topic.Publish({.body = "m"}).value();
  std::map<std::string, double> values;
  for (const Metric& metric : ListMetrics(topic.Metrics().value())) {
    values[std::string(metric.name)] = metric.value;
  }
  EXPECT_EQ(values.at("NumberOfMessagesPublished"), 1);
  EXPECT_EQ(values.at("NumberOfNotificationsDelivered"), 1);
  for (const char* name :
       {"PublishSize", "NumberOfNotificationsFailed", "NumberOfNotificationsFilteredOut",
        "NumberOfNotificationsFilteredOut-MessageAttributes",
        "NumberOfNotificationsFilteredOut-MessageBody",
        "NumberOfNotificationsFilteredOut-NoMessageAttributes",
        "NumberOfNotificationsFilteredOut-InvalidMessageBody", "NumberOfNotificationsRedrivenToDlq",
        "NumberOfNotificationsFailedToRedriveToDlq"}) {
    EXPECT_TRUE(values.count(name)) << name;
  }
  EXPECT_FALSE(values.count("ApproximateNumberOfMessagesArchived"));  // FIFO topics only
  const std::string text = PrometheusText(broker_.Metrics());
  EXPECT_THAT(text,
              HasSubstr("\nbanyan_sns_number_of_notifications_delivered_total{topic=\"t\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nbanyan_sns_number_of_notifications_filtered_out_message_body_"
                              "total{topic=\"t\"} 0\n"));
  ASSERT_TRUE(broker_.DeleteTopic("t").ok());
  EXPECT_FALSE(topic.Metrics().ok());
}

}  // namespace
}  // namespace banyan
