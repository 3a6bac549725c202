// SPDX-License-Identifier: Apache-2.0
//
// A queue's options under AWS's names, and a message's system attributes: sections 2, 5 and 8 of
// the sheet, messages to the letter.
#include "queue/attributes.h"

#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "queue/system_attributes.h"
#include "refusal.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::IsOkAndHolds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

const Limits kAws = Limits::Aws();
constexpr char kDeadArn[] = "arn:aws:sqs:us-east-1:000000000000:dead";

Arn Dead() { return Arn::Parse(kDeadArn).value(); }

absl::StatusOr<QueueOptions> Make(const AttributeMap& given) {
  return ApplyAttributes({}, given, AttributesFor::kNewQueue, kAws);
}
absl::StatusOr<QueueOptions> Change(const QueueOptions& base, const AttributeMap& given) {
  return ApplyAttributes(base, given, AttributesFor::kExistingQueue, kAws);
}

QueueFacts Facts() {
  return {.arn = "arn:aws:sqs:us-east-1:000000000000:jobs",
          .depth = {.visible = 3, .in_flight = 2, .delayed = 1},
          .created_unix_seconds = 1'700'000'000,
          .modified_unix_seconds = 1'700'000'100};
}

AttributeMap ShowAll(const QueueOptions& options) {
  return ShowAttributes(options, Facts(), {"All"}).value();
}

// --- Showing

TEST(ShowAttributesTest, AStandardQueueShowsJustTheseTwelve) {
  EXPECT_THAT(
      ShowAll({}),
      ElementsAre(Pair("ApproximateNumberOfMessages", "3"),
                  Pair("ApproximateNumberOfMessagesDelayed", "1"),
                  Pair("ApproximateNumberOfMessagesNotVisible", "2"),
                  Pair("CreatedTimestamp", "1700000000"), Pair("DelaySeconds", "0"),
                  Pair("LastModifiedTimestamp", "1700000100"),
                  Pair("MaximumMessageSize", "1048576"), Pair("MessageRetentionPeriod", "345600"),
                  Pair("QueueArn", "arn:aws:sqs:us-east-1:000000000000:jobs"),
                  Pair("ReceiveMessageWaitTimeSeconds", "0"), Pair("SqsManagedSseEnabled", "true"),
                  Pair("VisibilityTimeout", "30")));
}

TEST(ShowAttributesTest, AFifoQueueShowsFourMore) {
  AttributeMap shown = ShowAll({.fifo = true});
  EXPECT_EQ(shown.size(), 16u);
  EXPECT_THAT(shown, AllOf(Contains(Pair("FifoQueue", "true")),
                           Contains(Pair("ContentBasedDeduplication", "false")),
                           Contains(Pair("DeduplicationScope", "queue")),
                           Contains(Pair("FifoThroughputLimit", "perQueue"))));
  shown = ShowAll({.fifo = true,
                   .content_based_deduplication = true,
                   .deduplication_scope = DeduplicationScope::kMessageGroup,
                   .fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId});
  EXPECT_THAT(shown, AllOf(Contains(Pair("ContentBasedDeduplication", "true")),
                           Contains(Pair("DeduplicationScope", "messageGroup")),
                           Contains(Pair("FifoThroughputLimit", "perMessageGroupId"))));
}

TEST(ShowAttributesTest, PoliciesAndKeysAreThereWhenSet) {
  const AttributeMap shown = ShowAll({
      .redrive = RedrivePolicy{Dead(), 3},
      .redrive_allow = {RedriveAllowPolicy::Permission::kByQueue, {Dead()}},
      .policy = R"({"Version": "2012-10-17"})",
      .kms_master_key_id = "alias/mine",
      .kms_data_key_reuse_period = absl::Seconds(60),
      .sqs_managed_sse = false,
  });
  EXPECT_EQ(shown.size(), 17u);
  EXPECT_THAT(
      shown,
      AllOf(Contains(Pair("RedrivePolicy",
                          R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead",)"
                          R"("maxReceiveCount":3})")),
            Contains(Pair("RedriveAllowPolicy",
                          R"({"redrivePermission":"byQueue",)"
                          R"("sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:dead"]})")),
            Contains(Pair("Policy", R"({"Version": "2012-10-17"})")),
            Contains(Pair("KmsMasterKeyId", "alias/mine")),
            Contains(Pair("KmsDataKeyReusePeriodSeconds", "60")),
            Contains(Pair("SqsManagedSseEnabled", "false"))));
}

TEST(ShowAttributesTest, OnlyWhatIsNamedAndNothingForNoNames) {
  EXPECT_THAT(ShowAttributes({}, Facts(), {}), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(ShowAttributes({}, Facts(), {"QueueArn", "VisibilityTimeout", "QueueArn"}),
              IsOkAndHolds(ElementsAre(Key("QueueArn"), Key("VisibilityTimeout"))));
  EXPECT_THAT(ShowAttributes({}, Facts(),
                             {"Policy", "KmsMasterKeyId", "RedrivePolicy",
                              "KmsDataKeyReusePeriodSeconds", "FifoQueue"}),
              IsOkAndHolds(IsEmpty()))
      << "known, but not set or not this queue's";
}

TEST(ShowAttributesTest, AnUnknownNameIsAnError) {
  for (const std::string& bad : {std::string("Colour"), std::string("all"), std::string(),
                                 std::string("visibilitytimeout")}) {
    EXPECT_THAT(ShowAttributes({}, Facts(), {"All", bad}),
                IsRefusal("InvalidAttributeName", "Unknown Attribute " + bad + "."));
  }
}

TEST(ShowAttributesTest, PartsOfASecondAreRoundedUp) {
  const AttributeMap shown =
      ShowAll({.visibility_timeout = absl::Milliseconds(1), .delay = absl::Milliseconds(1'500)});
  EXPECT_THAT(shown,
              AllOf(Contains(Pair("VisibilityTimeout", "1")), Contains(Pair("DelaySeconds", "2"))));
}

// --- Setting

TEST(ApplyAttributesTest, EveryOneIsTakenAndShownAgain) {
  const AttributeMap given = {
      {"ContentBasedDeduplication", "true"},
      {"DeduplicationScope", "messageGroup"},
      {"DelaySeconds", "900"},
      {"FifoQueue", "true"},
      {"FifoThroughputLimit", "perMessageGroupId"},
      {"KmsDataKeyReusePeriodSeconds", "86400"},
      {"KmsMasterKeyId", "alias/mine"},
      {"MaximumMessageSize", "1024"},
      {"MessageRetentionPeriod", "60"},
      {"Policy", R"({"Statement":[]})"},
      {"ReceiveMessageWaitTimeSeconds", "20"},
      {"RedriveAllowPolicy", R"({"redrivePermission":"denyAll"})"},
      {"RedrivePolicy",
       R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":5})"},
      {"SqsManagedSseEnabled", "false"},
      {"VisibilityTimeout", "43200"},
  };
  const QueueOptions options = Make(given).value();
  EXPECT_EQ(options, (QueueOptions{
                         .visibility_timeout = absl::Hours(12),
                         .delay = absl::Minutes(15),
                         .receive_wait = absl::Seconds(20),
                         .retention = absl::Minutes(1),
                         .message_bytes_max = 1'024,
                         .fifo = true,
                         .content_based_deduplication = true,
                         .deduplication_scope = DeduplicationScope::kMessageGroup,
                         .fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId,
                         .redrive = RedrivePolicy{Dead(), 5},
                         .redrive_allow = {RedriveAllowPolicy::Permission::kDenyAll, {}},
                         .policy = R"({"Statement":[]})",
                         .kms_master_key_id = "alias/mine",
                         .kms_data_key_reuse_period = absl::Hours(24),
                         .sqs_managed_sse = false,
                     }));
  AttributeMap shown = ShowAll(options);
  for (const char* fact : {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed",
                           "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp",
                           "LastModifiedTimestamp", "QueueArn"}) {
    EXPECT_EQ(shown.erase(fact), 1u) << fact;
  }
  EXPECT_EQ(shown, given);
}

TEST(ApplyAttributesTest, WhatIsNotNamedStays) {
  const QueueOptions base = {.visibility_timeout = absl::Milliseconds(1'500),
                             .delay = absl::Seconds(3),
                             .messages_max = 7};
  QueueOptions expected = base;
  expected.delay = absl::Seconds(4);
  EXPECT_THAT(Change(base, {{"DelaySeconds", "4"}}), IsOkAndHolds(expected));
  EXPECT_THAT(Change(base, {}), IsOkAndHolds(base));
}

TEST(ApplyAttributesTest, UnknownAndReadOnlyNamesAreUnknown) {
  for (const std::string& bad :
       {std::string("Colour"), std::string("QueueArn"), std::string("CreatedTimestamp"),
        std::string("ApproximateNumberOfMessages"), std::string("All"), std::string("delayseconds"),
        std::string()}) {
    EXPECT_THAT(Make({{bad, "1"}}),
                IsRefusal("InvalidAttributeName", "Unknown Attribute " + bad + "."));
  }
}

TEST(ApplyAttributesTest, NumbersAreDigitsWithinTheirRange) {
  struct Range {
    const char* name;
    int64_t low;
    int64_t high;
  };
  for (const Range& range : {Range{"VisibilityTimeout", 0, 43'200}, Range{"DelaySeconds", 0, 900},
                             Range{"ReceiveMessageWaitTimeSeconds", 0, 20},
                             Range{"MessageRetentionPeriod", 60, 1'209'600},
                             Range{"MaximumMessageSize", 1'024, 1'048'576},
                             Range{"KmsDataKeyReusePeriodSeconds", 60, 86'400}}) {
    EXPECT_THAT(Make({{range.name, std::to_string(range.low)}}), IsOk()) << range.name;
    EXPECT_THAT(Make({{range.name, std::to_string(range.high)}}), IsOk()) << range.name;
    const std::string name = range.name;
    EXPECT_THAT(
        Make({{name, std::to_string(range.high + 1)}}),
        IsRefusal("InvalidAttributeValue", "Invalid value for the parameter " + name +
                                               ". Reason: " + std::to_string(range.high + 1) +
                                               " is outside " + std::to_string(range.low) + " to " +
                                               std::to_string(range.high) + "."));
    if (range.low > 0) {
      EXPECT_THAT(Make({{name, std::to_string(range.low - 1)}}),
                  IsRefusalLike("InvalidAttributeValue", HasSubstr("is outside")));
    }
    for (const std::string& bad :
         {std::string(), std::string(" "), std::string(" 60"), std::string("60 "),
          std::string("-1"), std::string("+60"), std::string("6e1"), std::string("60.0"),
          std::string("0x60"), std::string("sixty"), std::string("\xD9\xA6"),
          std::string("60\0", 3), std::string("9223372036854775808"),
          std::string("99999999999999999999999999999999")}) {
      EXPECT_THAT(Make({{name, bad}}),
                  IsRefusalLike("InvalidAttributeValue",
                                StartsWith("Invalid value for the parameter " + name +
                                           ". Reason: \"" + bad + "\" is ")));
    }
    EXPECT_THAT(Make({{name, "9223372036854775807"}}),
                IsRefusalLike("InvalidAttributeValue", HasSubstr("is outside")));
  }
}

TEST(ApplyAttributesTest, OneBadAttributeChangesNothing) {
  const QueueOptions base;
  EXPECT_FALSE(Change(base, {{"DelaySeconds", "5"}, {"VisibilityTimeout", "x"}}).ok());
  EXPECT_EQ(base, QueueOptions());
}

TEST(ApplyAttributesTest, BooleansAreLowerCase) {
  EXPECT_FALSE(Make({{"SqsManagedSseEnabled", "false"}})->sqs_managed_sse);
  for (const char* bad : {"True", "FALSE", "1", "", "yes", " true"}) {
    EXPECT_THAT(Make({{"SqsManagedSseEnabled", bad}}),
                IsRefusalLike("InvalidAttributeValue", HasSubstr("SqsManagedSseEnabled")))
        << bad;
  }
}

// --- Setting: what kind of queue

TEST(ApplyAttributesTest, FifoSettingsOfAStandardQueueAreRefusedWhateverTheirValue) {
  for (const auto& apply : {Make, +[](const AttributeMap& given) { return Change({}, given); }}) {
    EXPECT_THAT(apply({{"FifoQueue", "false"}}),
                IsRefusal("InvalidAttributeName", "Unknown Attribute FifoQueue."));
    EXPECT_THAT(apply({{"ContentBasedDeduplication", "false"}}),
                IsRefusal("InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."));
    EXPECT_THAT(
        apply({{"DeduplicationScope", "queue"}}),
        IsRefusal("InvalidAttributeName",
                  "You can specify the DeduplicationScope only when FifoQueue is set to true."));
    EXPECT_THAT(
        apply({{"FifoThroughputLimit", "perQueue"}}),
        IsRefusal("InvalidAttributeName",
                  "You can specify the FifoThroughputLimit only when FifoQueue is set to true."));
  }
}

TEST(ApplyAttributesTest, TheKindOfAQueueDoesNotChange) {
  EXPECT_THAT(Change({}, {{"FifoQueue", "true"}}),
              IsRefusal("InvalidAttributeName", "Unknown Attribute FifoQueue."));
  const QueueOptions fifo = {.fifo = true};
  EXPECT_THAT(Change(fifo, {{"FifoQueue", "true"}}), IsOkAndHolds(fifo));
  EXPECT_THAT(
      Change(fifo, {{"FifoQueue", "false"}}),
      IsRefusal("InvalidAttributeValue",
                "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is "
                "not supported."));
  EXPECT_THAT(Change(fifo, {{"FifoQueue", "maybe"}}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("FifoQueue")));
}

TEST(ApplyAttributesTest, HighThroughputWantsScopeMessageGroup) {
  const QueueOptions fifo = {.fifo = true};
  EXPECT_THAT(Change(fifo, {{"FifoThroughputLimit", "perMessageGroupId"}}),
              IsRefusalLike("InvalidAttributeValue",
                            HasSubstr("the DeduplicationScope must be messageGroup")));
  const absl::StatusOr<QueueOptions> high = Change(
      fifo, {{"FifoThroughputLimit", "perMessageGroupId"}, {"DeduplicationScope", "messageGroup"}});
  ASSERT_THAT(high, IsOk());
  EXPECT_FALSE(Change(*high, {{"DeduplicationScope", "queue"}}).ok());
  EXPECT_THAT(Change(fifo, {{"DeduplicationScope", "group"}}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("DeduplicationScope")));
  EXPECT_THAT(Change(fifo, {{"FifoThroughputLimit", "queue"}}),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("FifoThroughputLimit")));
}

// --- Setting: policies and keys

TEST(ApplyAttributesTest, TheEmptyStringUnsetsPoliciesAndTheKey) {
  const QueueOptions full = {
      .redrive = RedrivePolicy{Dead(), 3},
      .redrive_allow = {RedriveAllowPolicy::Permission::kDenyAll, {}},
      .policy = "{}",
      .kms_master_key_id = "alias/mine",
      .sqs_managed_sse = false,
  };
  EXPECT_THAT(Change(full, {{"Policy", ""},
                            {"RedrivePolicy", ""},
                            {"RedriveAllowPolicy", ""},
                            {"KmsMasterKeyId", ""}}),
              IsOkAndHolds(QueueOptions{.sqs_managed_sse = false}));
  EXPECT_THAT(Change({}, {{"KmsMasterKeyId", ""}}), IsOkAndHolds(QueueOptions()))
      << "nothing to unset";
}

TEST(ApplyAttributesTest, TheReusePeriodIsShownUnlessItIsTheDefault) {
  const QueueOptions options = Make({{"KmsDataKeyReusePeriodSeconds", "301"}}).value();
  EXPECT_THAT(ShowAll(options), Contains(Pair("KmsDataKeyReusePeriodSeconds", "301")));
  EXPECT_THAT(ShowAll(Change(options, {{"KmsDataKeyReusePeriodSeconds", "300"}}).value()),
              Not(Contains(Key("KmsDataKeyReusePeriodSeconds"))));
}

TEST(ApplyAttributesTest, BothKindsOfEncryptionAtOnceAreRefused) {
  EXPECT_THAT(Make({{"KmsMasterKeyId", "alias/mine"}, {"SqsManagedSseEnabled", "true"}}),
              IsRefusal("InvalidAttributeName",
                        "You can use one type of server-side encryption (SSE) at one time. You can "
                        "either enable KMS SSE or SQS SSE."));
}

TEST(ApplyAttributesTest, OneKindOfEncryptionTakesThePlaceOfTheOther) {
  const QueueOptions with_key = Make({{"KmsMasterKeyId", "alias/mine"}}).value();
  EXPECT_FALSE(with_key.sqs_managed_sse);
  const QueueOptions without = Change(with_key, {{"SqsManagedSseEnabled", "true"}}).value();
  EXPECT_TRUE(without.sqs_managed_sse);
  EXPECT_EQ(without.kms_master_key_id, "");
  EXPECT_EQ(Change(with_key, {{"SqsManagedSseEnabled", "false"}})->kms_master_key_id, "alias/mine");
}

std::string Redrive(const std::string& count) {
  return std::string(R"({"deadLetterTargetArn":")") + kDeadArn + R"(","maxReceiveCount":)" + count +
         "}";
}

TEST(ApplyAttributesTest, AReceiveCountMayBeANumberOrItsDigitsInAString) {
  for (const char* count : {"7", "\"7\"", " 7 "}) {
    EXPECT_EQ(Make({{"RedrivePolicy", Redrive(count)}})->redrive, (RedrivePolicy{Dead(), 7}));
  }
  for (const char* edge : {"1", "1000"}) {
    EXPECT_THAT(Make({{"RedrivePolicy", Redrive(edge)}}), IsOk());
  }
}

TEST(ApplyAttributesTest, ABadReceiveCountIsAnInvalidParameterValue) {
  for (const char* range : {"0", "1001", "-36", "\"0\""}) {
    const absl::Status status = Make({{"RedrivePolicy", Redrive(range)}}).status();
    EXPECT_THAT(status, IsRefusalLike("InvalidParameterValue",
                                      HasSubstr("valid values are from 1 to 1000 both inclusive.")))
        << range;
  }
  for (const char* bad : {"1.5", "1e2", "\"\"", "\"+3\"", "\"-\"", "\" 3\"", "\"three\"", "null",
                          "true", "[3]", "99999999999999999999"}) {
    EXPECT_THAT(Make({{"RedrivePolicy", Redrive(bad)}}),
                IsRefusalLike("InvalidParameterValue", HasSubstr("maxReceiveCount")))
        << bad;
  }
}

TEST(ApplyAttributesTest, ARedrivePolicyNeedsBothOfItsKeysAndNoOther) {
  EXPECT_THAT(Make({{"RedrivePolicy", R"({"maxReceiveCount":"1000"})"}}),
              IsRefusal("InvalidParameterValue",
                        R"(Value {"maxReceiveCount":"1000"} for parameter RedrivePolicy is )"
                        "invalid. Reason: Redrive policy does not contain mandatory attribute: "
                        "deadLetterTargetArn."));
  EXPECT_THAT(
      Make({{"RedrivePolicy", std::string(R"({"deadLetterTargetArn":")") + kDeadArn + R"("})"}}),
      IsRefusalLike("InvalidParameterValue",
                    HasSubstr("does not contain mandatory attribute: maxReceiveCount.")));
  EXPECT_THAT(
      Make({{"RedrivePolicy", std::string(R"({"deadLetterTargetArn":")") + kDeadArn +
                                  R"(","maxReceiveCount":1,"x":2})"}}),
      IsRefusalLike("InvalidParameterValue", HasSubstr("Only following attributes are supported")));
  for (const char* bad : {"x", "[]", "3", "\"{}\"", "{", "{} x", "null"}) {
    EXPECT_THAT(Make({{"RedrivePolicy", bad}}),
                IsRefusalLike("InvalidParameterValue", HasSubstr("is not a valid JSON map")))
        << bad;
  }
}

TEST(ApplyAttributesTest, ADeadLetterTargetIsTheArnOfAQueue) {
  for (const char* bad : {"\"\"", "\"dead\"", "7", "null", R"(["arn:aws:sqs:us-east-1:0:q"])",
                          R"("arn:aws:sns:us-east-1:000000000000:topic")"}) {
    EXPECT_THAT(Make({{"RedrivePolicy", std::string(R"({"maxReceiveCount":1,)") +
                                            R"("deadLetterTargetArn":)" + bad + "}"}}),
                IsRefusalLike("InvalidParameterValue", HasSubstr("RedrivePolicy")))
        << bad;
  }
}

TEST(ApplyAttributesTest, ARedriveAllowPolicyIsReadInItsThreeForms) {
  using Permission = RedriveAllowPolicy::Permission;
  const auto parse = [](const std::string& json) {
    return Make({{"RedriveAllowPolicy", json}})->redrive_allow;
  };
  EXPECT_EQ(parse(R"({"redrivePermission":"allowAll"})"), RedriveAllowPolicy());
  EXPECT_EQ(parse(R"({"redrivePermission":"denyAll"})").permission, Permission::kDenyAll);
  EXPECT_EQ(parse(std::string(R"({"sourceQueueArns":[")") + kDeadArn +
                  R"("],"redrivePermission":"byQueue"})"),
            (RedriveAllowPolicy{Permission::kByQueue, {Dead()}}));
}

TEST(ApplyAttributesTest, ABadRedriveAllowPolicyIsAnInvalidParameterValue) {
  for (const std::string& bad :
       {std::string("x"), std::string("[]"), std::string("{}"),
        std::string(R"({"redrivePermission":"ALL"})"), std::string(R"({"redrivePermission":1})"),
        std::string(R"({"redrivePermission":"byQueue"})"),
        std::string(R"({"redrivePermission":"byQueue","sourceQueueArns":[]})"),
        std::string(R"({"redrivePermission":"byQueue","sourceQueueArns":["x"]})"),
        std::string(R"({"redrivePermission":"byQueue","sourceQueueArns":"x"})"),
        std::string(R"({"redrivePermission":"allowAll","sourceQueueArns":[")") + kDeadArn + "\"]}",
        std::string(R"({"redrivePermission":"allowAll","x":1})")}) {
    EXPECT_THAT(Make({{"RedriveAllowPolicy", bad}}),
                IsRefusalLike("InvalidParameterValue", HasSubstr("RedriveAllowPolicy")))
        << bad;
  }
}

// --- Create or open

TEST(FirstDifferenceTest, OfAttributesOnlyThoseGivenCount) {
  const QueueOptions stored = {.visibility_timeout = absl::Seconds(60), .delay = absl::Seconds(5)};
  const auto difference = [&stored](const AttributeMap& given) {
    return FirstDifference(given, Make(given).value(), stored);
  };
  EXPECT_EQ(difference({}), "");
  EXPECT_EQ(difference({{"DelaySeconds", "5"}}), "");
  EXPECT_EQ(difference({{"DelaySeconds", "0"}}), "DelaySeconds")
      << "given is given, even if it is the default";
  EXPECT_EQ(difference({{"VisibilityTimeout", "61"}, {"DelaySeconds", "5"}}), "VisibilityTimeout");
  EXPECT_EQ(difference({{"Policy", ""}, {"RedrivePolicy", ""}}), "");
  EXPECT_EQ(difference({{"Policy", "{}"}}), "Policy");
  EXPECT_EQ(difference({{"FifoQueue", "true"}}), "FifoQueue");
}

TEST(FirstDifferenceTest, APolicyIsWhatItSaysAndNotHowItIsWritten) {
  const QueueOptions stored = {.redrive = RedrivePolicy{Dead(), 3}};
  const AttributeMap given = {{"RedrivePolicy", Redrive(" \"3\" ")}};
  EXPECT_EQ(FirstDifference(given, Make(given).value(), stored), "");
}

TEST(FirstDifferenceTest, OfOptionsThoseAwayFromTheirDefaultCount) {
  const QueueOptions stored = {.delay = absl::Seconds(5)};
  EXPECT_EQ(FirstDifference(QueueOptions(), stored), "");
  EXPECT_EQ(FirstDifference({.delay = absl::Seconds(6)}, stored), "DelaySeconds");
  const std::vector<std::pair<QueueOptions, std::string>> cases = {
      {{.visibility_timeout = absl::Seconds(1)}, "VisibilityTimeout"},
      {{.receive_wait = absl::Seconds(1)}, "ReceiveMessageWaitTimeSeconds"},
      {{.retention = absl::Hours(1)}, "MessageRetentionPeriod"},
      {{.message_bytes_max = 2'000}, "MaximumMessageSize"},
      {{.in_flight_max = 1}, "in_flight_max"},
      {{.fifo = true}, "FifoQueue"},
      {{.content_based_deduplication = true}, "ContentBasedDeduplication"},
      {{.deduplication_scope = DeduplicationScope::kMessageGroup}, "DeduplicationScope"},
      {{.fifo_throughput_limit = FifoThroughputLimit::kPerMessageGroupId}, "FifoThroughputLimit"},
      {{.redrive = RedrivePolicy{Dead(), 1}}, "RedrivePolicy"},
      {{.redrive_allow = {RedriveAllowPolicy::Permission::kDenyAll, {}}}, "RedriveAllowPolicy"},
      {{.fairness = {.in_flight_min = 1}}, "fairness"},
      {{.policy = "{}"}, "Policy"},
      {{.kms_master_key_id = "k"}, "KmsMasterKeyId"},
      {{.kms_data_key_reuse_period = absl::Minutes(1)}, "KmsDataKeyReusePeriodSeconds"},
      {{.sqs_managed_sse = false}, "SqsManagedSseEnabled"},
      {{.messages_max = 1}, "messages_max"},
      {{.bytes_max = 1}, "bytes_max"},
      {{.when_full = WhenFull::kBlock}, "when_full"},
      {{.block_max = absl::Seconds(1)}, "block_max"},
      {{.test_delivery = {.strict_order = true}}, "test_delivery"},
  };
  for (const auto& [options, name] : cases) {
    EXPECT_EQ(FirstDifference(options, QueueOptions()), name);
    EXPECT_EQ(FirstDifference(options, options), "") << name;
  }
}

TEST(FirstDifferenceTest, TheErrorNamesIt) {
  EXPECT_THAT(QueueExistsWithAnother("DelaySeconds"),
              IsRefusal("QueueAlreadyExists",
                        "A queue already exists with the same name and a different value for "
                        "attribute DelaySeconds"));
}

// --- Dead letters

class CheckRedriveAllowedTest : public ::testing::Test {
 protected:
  absl::Status Check(const QueueOptions& dead_letter) const {
    return CheckRedriveAllowed(options_, source_, dead_letter);
  }

  QueueOptions options_ = {.redrive = RedrivePolicy{Dead(), 3}};
  const Arn source_ = {"aws", "sqs", "us-east-1", "000000000000", "jobs"};
};

TEST_F(CheckRedriveAllowedTest, ADeadLetterQueueIsOfTheSameKind) {
  EXPECT_THAT(Check({}), IsOk());
  const std::string message =
      "Value " + Redrive("3") +
      " for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of "
      "queue as the source.";
  EXPECT_THAT(Check({.fifo = true}), IsRefusal("InvalidParameterValue", message));
  options_.fifo = true;
  EXPECT_THAT(Check({}), IsRefusal("InvalidParameterValue", message));
  EXPECT_THAT(Check({.fifo = true}), IsOk());
}

TEST_F(CheckRedriveAllowedTest, ADeadLetterQueueSaysWhoMayNameIt) {
  using Permission = RedriveAllowPolicy::Permission;
  EXPECT_THAT(Check({.redrive_allow = {Permission::kDenyAll, {}}}),
              IsRefusalLike("InvalidParameterValue", HasSubstr("denyAll")));
  Arn other = source_;
  other.resource = "other";
  EXPECT_THAT(Check({.redrive_allow = {Permission::kByQueue, {other}}}),
              IsRefusalLike("InvalidParameterValue", HasSubstr("byQueue")));
  EXPECT_THAT(Check({.redrive_allow = {Permission::kByQueue, {other, source_}}}), IsOk());
}

// --- System attributes

TEST(SystemAttributesTest, AMessageOfAStandardQueueHasJustThese) {
  EXPECT_THAT(MakeSystemAttributes({.sender_id = "123456789012",
                                    .sent_unix_ns = 1'700'000'000'123'999'999,
                                    .receive_count = 2,
                                    .first_received_unix_ns = 1'700'000'001'000'000'000}),
              ElementsAre(Pair("ApproximateFirstReceiveTimestamp", "1700000001000"),
                          Pair("ApproximateReceiveCount", "2"), Pair("SenderId", "123456789012"),
                          Pair("SentTimestamp", "1700000000123")));
}

TEST(SystemAttributesTest, WhatAppliesIsAdded) {
  const std::map<std::string, std::string> made =
      MakeSystemAttributes({.sender_id = "123456789012",
                            .receive_count = 1,
                            .sequence_number = 42,
                            .message_group_id = "g",
                            .message_deduplication_id = "d",
                            .trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793",
                            .dead_letter_source = "arn:aws:sqs:us-east-1:123456789012:jobs.fifo"});
  EXPECT_EQ(made.size(), 9u);
  EXPECT_THAT(
      made,
      AllOf(Contains(Pair("SequenceNumber", "00000000000000000042")),
            Contains(Pair("MessageGroupId", "g")), Contains(Pair("MessageDeduplicationId", "d")),
            Contains(Pair("AWSTraceHeader", "Root=1-5759e988-bd862e3fe1be46a994272793")),
            Contains(
                Pair("DeadLetterQueueSourceArn", "arn:aws:sqs:us-east-1:123456789012:jobs.fifo"))));
  EXPECT_EQ(SequenceNumberText(18'446'744'073'709'551'615u), "18446744073709551615");
}

TEST(SystemAttributesTest, WhatWasOnlyLookedAtHasNoFirstReceive) {
  const std::map<std::string, std::string> made = MakeSystemAttributes({.sender_id = "1"});
  EXPECT_THAT(made, Contains(Pair("ApproximateReceiveCount", "0")));
  EXPECT_THAT(made, Not(Contains(Key("ApproximateFirstReceiveTimestamp"))));
}

}  // namespace
}  // namespace banyan::internal
