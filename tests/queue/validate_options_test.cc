// SPDX-License-Identifier: Apache-2.0
//
// Names and options of queues, standard and FIFO: sections 1 and 8 of the sheet. The ranges of the
// older fields are in send_test.cc.
#include <limits>
#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "queue/validate.h"
#include "refusal.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::testing::HasSubstr;

const Limits kOptionLimits = Limits::Aws();

absl::Status Validate(const QueueOptions& options) {
  return ValidateQueueOptions(options, kOptionLimits);
}

std::string NameRule(const std::string& name) {
  return "Value " + name +
         " for parameter QueueName is invalid. Reason: Can only include alphanumeric characters, "
         "hyphens, or underscores. 1 to 80 in length";
}

TEST(ValidateQueueNameTest, TheSuffixCountsTowardsTheEighty) {
  EXPECT_THAT(ValidateQueueName("a.fifo", true, kOptionLimits), IsOk());
  EXPECT_THAT(ValidateQueueName(std::string(75, 'q') + ".fifo", true, kOptionLimits), IsOk());
  for (const std::string& bad :
       {std::string(76, 'q') + ".fifo", std::string(".fifo"), std::string("a.b.fifo"),
        std::string("a b.fifo"), std::string("a.fifo.fifo"), std::string("a.FIFO")}) {
    EXPECT_THAT(ValidateQueueName(bad, true, kOptionLimits),
                IsRefusal("InvalidParameterValue", NameRule(bad)));
  }
}

TEST(ValidateQueueNameTest, SuffixAndKindOfQueueGoTogether) {
  EXPECT_THAT(ValidateQueueName("jobs.fifo", false, kOptionLimits),
              IsRefusal("InvalidParameterValue", NameRule("jobs.fifo")));
  EXPECT_THAT(ValidateQueueName("jobs", true, kOptionLimits),
              IsRefusal("InvalidParameterValue", NameRule("jobs")));
  EXPECT_THAT(ValidateQueueName("fifo", false, kOptionLimits), IsOk());
}

TEST(ValidateQueueOptionsTest, FifoSettingsOfAStandardQueueAreUnknown) {
  EXPECT_THAT(Validate({.content_based_deduplication = true}),
              IsRefusal("InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."));
  EXPECT_THAT(
      Validate({.deduplication_scope = DeduplicationScope::kMessageGroup}),
      IsRefusal("InvalidAttributeName",
                "You can specify the DeduplicationScope only when FifoQueue is set to true."));
  EXPECT_THAT(
      Validate({.fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId}),
      IsRefusal("InvalidAttributeName",
                "You can specify the FifoThroughputLimit only when FifoQueue is set to true."));
}

TEST(ValidateQueueOptionsTest, HighThroughputWantsDeduplicationPerGroupButNotTheOtherWayRound) {
  EXPECT_THAT(
      Validate({.fifo = true, .fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId}),
      IsRefusal("InvalidAttributeValue",
                "Invalid value for the parameter FifoThroughputLimit. Reason: To set "
                "FifoThroughputLimit to perMessageGroupId, the DeduplicationScope must be "
                "messageGroup."));
  EXPECT_THAT(Validate({.fifo = true,
                        .deduplication_scope = DeduplicationScope::kMessageGroup,
                        .fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId}),
              IsOk());
  EXPECT_THAT(Validate({.fifo = true, .deduplication_scope = DeduplicationScope::kMessageGroup}),
              IsOk());
}

TEST(ValidateQueueOptionsTest, ThereIsOneKindOfEncryptionAtATime) {
  EXPECT_THAT(Validate({.kms_master_key_id = "alias/mine"}),
              IsRefusal("InvalidAttributeName",
                        "You can use one type of server-side encryption (SSE) at one time. You can "
                        "either enable KMS SSE or SQS SSE."));
  EXPECT_THAT(Validate({.kms_master_key_id = "alias/mine", .sqs_managed_sse = false}), IsOk());
  for (const absl::Duration bad : {absl::Seconds(59), absl::Hours(24) + absl::Seconds(1)}) {
    EXPECT_THAT(Validate({.kms_data_key_reuse_period = bad}),
                IsRefusalLike("InvalidAttributeValue", HasSubstr("KmsDataKeyReusePeriodSeconds")));
  }
}

TEST(ValidateQueueOptionsTest, SharesChancesAndTimesHaveTheirRanges) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double edge : {0.0, 1.0}) {
    EXPECT_THAT(Validate({.fairness = {.in_flight_share = edge, .processing_share = edge}}),
                IsOk());
    EXPECT_THAT(
        Validate({.test_delivery = {.duplicates = edge, .short_receives = edge, .reorder = edge}}),
        IsOk());
  }
  for (const double bad : {-0.001, 1.001, nan}) {
    for (const QueueOptions& options : {
             QueueOptions{.fairness = {.in_flight_share = bad}},
             QueueOptions{.fairness = {.processing_share = bad}},
             QueueOptions{.test_delivery = {.duplicates = bad}},
             QueueOptions{.test_delivery = {.short_receives = bad}},
             QueueOptions{.test_delivery = {.reorder = bad}},
         }) {
      EXPECT_THAT(Validate(options),
                  IsRefusalLike("InvalidAttributeValue", HasSubstr("is outside 0 to 1")));
    }
  }
  EXPECT_THAT(Validate({.fairness = {.window = absl::Seconds(1)}}), IsOk());
  EXPECT_THAT(Validate({.fairness = {.window = absl::Hours(1)}}), IsOk());
  EXPECT_THAT(Validate({.fairness = {.window = absl::Milliseconds(999)}}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("fairness.window")));
  EXPECT_THAT(Validate({.fairness = {.window = absl::Seconds(3'601)}}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("fairness.window")));
  EXPECT_THAT(Validate({.fairness = {.in_flight_min = -1}}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("fairness.in_flight_min")));
  EXPECT_THAT(Validate({.block_max = absl::ZeroDuration()}), IsOk());
  EXPECT_THAT(Validate({.block_max = absl::InfiniteDuration()}), IsOk());
  EXPECT_THAT(Validate({.block_max = absl::Nanoseconds(-1)}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("block_max")));
}

Arn Sqs(const std::string& name) { return {"aws", "sqs", "us-east-1", "000000000000", name}; }

TEST(ValidateQueueOptionsTest, ARedriveAllowPolicyByQueueNamesOneToTenQueues) {
  using Permission = RedriveAllowPolicy::Permission;
  const auto allow = [](Permission permission, std::vector<Arn> sources) {
    return Validate({.redrive_allow = {permission, std::move(sources)}});
  };
  EXPECT_THAT(allow(Permission::kDenyAll, {}), IsOk());
  EXPECT_THAT(allow(Permission::kByQueue, {Sqs("a")}), IsOk());
  EXPECT_THAT(allow(Permission::kByQueue, std::vector<Arn>(10, Sqs("a"))), IsOk());
  Arn topic = Sqs("a");
  topic.service = "sns";
  for (const absl::Status& status :
       {allow(Permission::kByQueue, {}),
        allow(Permission::kByQueue, std::vector<Arn>(11, Sqs("a"))),
        allow(Permission::kByQueue, {Sqs("a"), topic}), allow(Permission::kAllowAll, {Sqs("a")}),
        allow(Permission::kDenyAll, {Sqs("a")})}) {
    EXPECT_THAT(status, IsRefusalLike("InvalidParameterValue",
                                      HasSubstr("for parameter RedriveAllowPolicy is invalid")));
  }
}

TEST(ValidateQueueOptionsTest, ABadRedrivePolicyIsShownAsJson) {
  EXPECT_THAT(Validate({.redrive = RedrivePolicy{Sqs("dead"), 1'001}}),
              IsRefusal("InvalidParameterValue",
                        "Value "
                        R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead",)"
                        R"("maxReceiveCount":1001})"
                        " for parameter RedrivePolicy is invalid. Reason: Invalid value for "
                        "maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive."));
}

TEST(ValidateQueueOptionsTest, APolicyIsJsonOfAtMost8192Bytes) {
  const auto padded = [](size_t bytes) {
    const std::string frame = R"({"Id":""})";
    return R"({"Id":")" + std::string(bytes - frame.size(), 'x') + R"("})";
  };
  ASSERT_EQ(padded(8'192).size(), 8'192u);
  EXPECT_THAT(Validate({.policy = padded(8'192)}), IsOk());
  for (const std::string& bad :
       {padded(8'193), std::string("{"), std::string("[]"), std::string("x"), std::string("{} {}"),
        std::string(R"({"Statement":"x"})"), std::string(R"({"Statement":["x"]})")}) {
    EXPECT_THAT(Validate({.policy = bad}),
                IsRefusalLike("InvalidAttributeValue",
                              HasSubstr("Invalid value for the parameter Policy.")));
  }
}

}  // namespace
}  // namespace banyan::internal
