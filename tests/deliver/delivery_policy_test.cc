// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 5 and 6: DeliveryPolicy, its defaults and its bounds.
#include "deliver/delivery_policy.h"

#include "banyan/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::HasSubstr;

std::string RefusalOf(std::string_view json) {
  const absl::Status status = ParseDeliveryPolicy(json, "prefix: ").status();
  if (!status.ok()) {
    EXPECT_EQ(FindAwsError(status)->code, "InvalidParameter");
  }
  return std::string(status.message());
}

TEST(DeliveryPolicyTest, NothingSaidIsTheDefault) {
  const EffectiveDeliveryPolicy policy = Combine({}, {});
  EXPECT_EQ(policy.retry, RetryPhases());
  EXPECT_EQ(policy.retry.retries, 3);
  EXPECT_EQ(policy.retry.delay_min, absl::Seconds(20));
  EXPECT_EQ(policy.retry.delay_max, absl::Seconds(20));
  EXPECT_EQ(policy.content_type, "text/plain; charset=UTF-8");
}

TEST(DeliveryPolicyTest, EveryMemberIsRead) {
  const DeliveryPolicy policy = ParseDeliveryPolicy(R"({
        "healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 60, "numRetries": 50,
          "numMaxDelayRetries": 10, "numNoDelayRetries": 3, "numMinDelayRetries": 2,
          "backoffFunction": "exponential"},
        "throttlePolicy": {"maxReceivesPerSecond": 10},
        "requestPolicy": {"headerContentType": "application/json"}})",
                                                    "")
                                    .value();
  EXPECT_EQ(policy.retry, (RetryPhases{.retries = 50,
                                       .no_delay = 3,
                                       .min_delay = 2,
                                       .max_delay = 10,
                                       .delay_min = absl::Seconds(1),
                                       .delay_max = absl::Seconds(60),
                                       .backoff = BackoffFunction::kExponential}));
  EXPECT_EQ(policy.content_type, "application/json");
}

TEST(DeliveryPolicyTest, TheSubscriptionComesFirstUnlessTheTopicForbidsIt) {
  const DeliveryPolicy own =
      ParseDeliveryPolicy(R"({"healthyRetryPolicy": {"numRetries": 7}})", "").value();
  TopicDeliveryPolicy topic = ParseTopicDeliveryPolicy(
                                  R"({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5},
                       "defaultThrottlePolicy": {"maxReceivesPerSecond": 1},
                       "disableSubscriptionOverrides": false,
                       "defaultRequestPolicy": {"headerContentType": "text/csv"}}})",
                                  "")
                                  .value();
  EXPECT_EQ(Combine(topic, own).retry.retries, 7);
  EXPECT_EQ(Combine(topic, own).content_type, "text/csv") << "of what it says nothing";
  EXPECT_EQ(Combine(topic, {}).retry.retries, 5);
  topic.disables_overrides = true;
  EXPECT_EQ(Combine(topic, own).retry.retries, 5);
}

TEST(DeliveryPolicyTest, ARefusalNamesMemberValueAndRule) {
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"numRetries": 101}})"),
              HasSubstr("prefix: DeliveryPolicy: numRetries: Invalid value [101]. Must be a whole "
                        "number from 0 to 100"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"minDelayTarget": 0}})"),
              HasSubstr("minDelayTarget"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"maxDelayTarget": 3601}})"),
              HasSubstr("maxDelayTarget"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"minDelayTarget": 30, "maxDelayTarget": 20}})"),
              HasSubstr("Must not be above maxDelayTarget"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 3}})"),
              HasSubstr("at least the sum"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"backoffFunction": "cubic"}})"),
              HasSubstr("backoffFunction: Invalid value [cubic]"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"numRetries": 1.5}})"), HasSubstr("1.5"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"numRetires": 1}})"),
              HasSubstr("unknown member \"numRetires\" in healthyRetryPolicy"));
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": 3})"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(RefusalOf(R"({"throttlePolicy": {"maxReceivesPerSecond": 0}})"),
              HasSubstr("maxReceivesPerSecond"));
  EXPECT_THAT(RefusalOf(R"({"requestPolicy": {"headerContentType": "a/b\r\nX: y"}})"),
              HasSubstr("headerContentType"));
  EXPECT_THAT(RefusalOf("{"), HasSubstr("failed to parse JSON"));
  EXPECT_THAT(RefusalOf(R"({"http": {}})"), HasSubstr("unknown member \"http\""))
      << "that is the topic's shape";
}

TEST(DeliveryPolicyTest, AllWaitsTogetherAreAtMostAnHour) {
  EXPECT_EQ(RefusalOf(R"({"healthyRetryPolicy": {"numRetries": 100, "minDelayTarget": 36,
                          "maxDelayTarget": 36}})"),
            "");
  EXPECT_THAT(RefusalOf(R"({"healthyRetryPolicy": {"numRetries": 100, "minDelayTarget": 37,
                            "maxDelayTarget": 37}})"),
              HasSubstr("come to 3700 seconds; at most 3600 are allowed"));
}

TEST(DeliveryPolicyTest, WhoSaysOnlyTheLeastMeansThatAlsoAsTheMost) {
  const auto policy =
      ParseDeliveryPolicy(R"({"healthyRetryPolicy": {"minDelayTarget": 30}})", "").value();
  EXPECT_EQ(policy.retry->delay_max, absl::Seconds(30));
}

TEST(DeliveryPolicyTest, ATopicsPolicyIsNested) {
  EXPECT_THAT(
      std::string(ParseTopicDeliveryPolicy(R"({"healthyRetryPolicy": {}})", "").status().message()),
      HasSubstr("unknown member \"healthyRetryPolicy\""));
  EXPECT_THAT(std::string(ParseTopicDeliveryPolicy(
                              R"({"http": {"disableSubscriptionOverrides": "yes"}})", "")
                              .status()
                              .message()),
              HasSubstr("Must be true or false"));
}

}  // namespace
}  // namespace banyan::internal
