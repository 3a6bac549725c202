// SPDX-License-Identifier: Apache-2.0
//
// Permissions and tags, as pure text: sections 1 and 8 of the sheet.
#include "queue/policy.h"

#include <map>
#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "queue/tags.h"
#include "refusal.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Strings = std::vector<std::string>;

constexpr char kArn[] = "arn:aws:sqs:us-east-1:000000000000:jobs";
const Strings kAccount = {"111111111111"};
const Strings kSend = {"SendMessage"};

absl::StatusOr<std::string> Add(std::string_view policy, std::string_view label,
                                const Strings& accounts = kAccount,
                                const Strings& actions = kSend) {
  return AddPermission(policy, kArn, label, accounts, actions);
}

TEST(AddPermissionTest, TheFirstMakesThePolicy) {
  EXPECT_THAT(
      Add("", "billing"),
      IsOkAndHolds(std::string(R"({"Version":"2008-10-17",)"
                               R"("Id":"arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy",)"
                               R"("Statement":[{"Sid":"billing","Effect":"Allow",)"
                               R"("Principal":{"AWS":"arn:aws:iam::111111111111:root"},)"
                               R"("Action":"SQS:SendMessage",)"
                               R"("Resource":"arn:aws:sqs:us-east-1:000000000000:jobs"}]})")));
}

TEST(AddPermissionTest, SeveralAccountsAndActionsAreLists) {
  const std::string policy =
      Add("", "l", {"111111111111", "222222222222"}, {"SendMessage", "*"}).value();
  EXPECT_THAT(policy, HasSubstr(R"("Principal":{"AWS":["arn:aws:iam::111111111111:root",)"
                                R"("arn:aws:iam::222222222222:root"]})"));
  EXPECT_THAT(policy, HasSubstr(R"("Action":["SQS:SendMessage","SQS:*"])"));
}

TEST(AddPermissionTest, WhatWasThereStaysAsItWasWritten) {
  const std::string there =
      R"({"Version": "2012-10-17", "Statement": {"Sid" : "old\u0041", "X":1e3}, "Id":"i"})";
  const std::string policy = Add(there, "new").value();
  EXPECT_THAT(policy, HasSubstr(R"({"Version":"2012-10-17","Id":"i","Statement":[)"
                                R"({"Sid" : "old\u0041", "X":1e3},{"Sid":"new",)"));
  EXPECT_THAT(Add(policy, "oldA"), IsRefusalLike("InvalidParameterValue", HasSubstr("exists")))
      << "a label is its characters, however they are written";
}

TEST(AddPermissionTest, ALabelIsTakenOnce) {
  const std::string policy = Add("", "crossaccount").value();
  EXPECT_THAT(Add(policy, "crossaccount"),
              IsRefusal("InvalidParameterValue",
                        "Value crossaccount for parameter Label is invalid. Reason: Already "
                        "exists."));
  EXPECT_THAT(Add(policy, "CrossAccount"), IsOk());
}

TEST(AddPermissionTest, ALabelIsOneToEightyLettersDigitsHyphensUnderscores) {
  EXPECT_THAT(Add("", std::string(80, 'l')), IsOk());
  EXPECT_THAT(Add("", "A-b_9"), IsOk());
  for (const std::string& bad : {std::string(), std::string(81, 'l'), std::string("a b"),
                                 std::string("a\"b"), std::string("\xC3\xA4")}) {
    EXPECT_THAT(Add("", bad), IsRefusalLike("InvalidParameterValue",
                                            HasSubstr("for parameter Label is invalid")));
  }
}

TEST(AddPermissionTest, AtMostSevenActions) {
  const Strings seven = {"SendMessage", "ReceiveMessage",     "DeleteMessage",
                         "GetQueueUrl", "GetQueueAttributes", "ChangeMessageVisibility",
                         "PurgeQueue"};
  EXPECT_THAT(Add("", "l", kAccount, seven), IsOk());
  Strings eight = seven;
  eight.push_back("ListDeadLetterSourceQueues");
  EXPECT_THAT(Add("", "l", kAccount, eight),
              IsRefusal("OverLimit", "8 Actions were found, maximum allowed is 7."));
}

TEST(AddPermissionTest, AtMostFiftyPrincipals) {
  EXPECT_THAT(Add("", "l", Strings(50, "111111111111")), IsOk());
  EXPECT_THAT(Add("", "l", Strings(51, "111111111111")),
              IsRefusalLike("OverLimit", HasSubstr("51 Principals")));
}

TEST(AddPermissionTest, AtMostTwentyStatements) {
  std::string policy;
  for (int i = 0; i < 20; ++i) policy = Add(policy, "label" + std::to_string(i)).value();
  EXPECT_THAT(Add(policy, "label20"),
              IsRefusal("OverLimit",
                        "21 statements were found in the submitted policy, max allowed is 20"));
}

TEST(AddPermissionTest, AtMost8192BytesTogether) {
  std::string policy;
  for (int i = 0; i < 4; ++i) {
    policy = Add(policy, "l" + std::to_string(i), Strings(50, "111111111111")).value();
  }
  EXPECT_THAT(Add(policy, "l4", Strings(50, "111111111111")),
              IsRefusalLike("InvalidAttributeValue", HasSubstr("8192")));
}

TEST(AddPermissionTest, SomethingMustBeAllowedToSomebody) {
  EXPECT_THAT(Add("", "l", kAccount, {}),
              IsRefusal("MissingParameter", "The request must contain the parameter Actions."));
  EXPECT_THAT(
      Add("", "l", {}),
      IsRefusal("InvalidParameterValue",
                "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify."));
  for (const char* bad : {"", "11111111111", "1111111111111", "11111111111x"}) {
    EXPECT_THAT(Add("", "l", {bad}),
                IsRefusalLike("InvalidParameterValue", HasSubstr("PrincipalId")));
  }
}

TEST(AddPermissionTest, WhatOnlyTheOwnerMayDoCannotBeShared) {
  for (const char* bad :
       {"RemovePermission", "DeleteQueue", "sendmessage", "", "SQS:SendMessage"}) {
    EXPECT_THAT(Add("", "l", kAccount, {bad}),
                IsRefusal("InvalidParameterValue",
                          "Value SQS:" + std::string(bad) +
                              " for parameter ActionName is invalid. Reason: Only the queue owner "
                              "is allowed to invoke this action."));
  }
}

TEST(AddPermissionTest, APolicyThatCannotBeReadIsNotChanged) {
  for (const char* bad : {"x", "[]", "{", R"({"Statement":[1]})"}) {
    EXPECT_THAT(Add(bad, "l"), IsRefusalLike("InvalidAttributeValue", HasSubstr("Policy")));
  }
}

TEST(RemovePermissionTest, TakesOutTheStatementOfThatLabel) {
  const std::string one = Add("", "one").value();
  const std::string two = Add(one, "two").value();
  EXPECT_THAT(RemovePermission(two, "two"), IsOkAndHolds(one));
  EXPECT_THAT(RemovePermission(two, "one"), IsOkAndHolds(Add("", "two").value()));
}

TEST(RemovePermissionTest, WithTheLastStatementThePolicyGoes) {
  EXPECT_THAT(RemovePermission(Add("", "one").value(), "one"), IsOkAndHolds(std::string()));
}

TEST(RemovePermissionTest, AnUnknownLabelIsAnError) {
  const std::string policy = Add("", "one").value();
  for (const std::string& there : {std::string(), policy, std::string(R"({"Id":"x"})")}) {
    EXPECT_THAT(RemovePermission(there, "two"),
                IsRefusal("InvalidParameterValue",
                          "Value two for parameter Label is invalid. Reason: can't find label."));
  }
}

// --- Tags

TEST(TagsTest, NewOnesJoinAndTakeThePlaceOfThoseOfTheSameKey) {
  EXPECT_THAT(WithTags("jobs", {{"a", "1"}, {"b", "1"}}, {{"b", "2"}, {"c", ""}}),
              IsOkAndHolds(ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", ""))));
}

TEST(TagsTest, KeysAndValuesAreMeasuredInCharacters) {
  std::string characters;
  for (int i = 0; i < 128; ++i) characters += "\xC3\xA4";
  EXPECT_THAT(WithTags("jobs", {}, {{characters, characters + characters}}), IsOk());
  for (const Tags& bad : {Tags{{"", "v"}}, Tags{{std::string(129, 'k'), "v"}}}) {
    EXPECT_THAT(WithTags("jobs", {}, bad),
                IsRefusal("InvalidParameterValue",
                          "Tag keys must be between 1 and 128 characters in length."));
  }
  EXPECT_THAT(WithTags("jobs", {}, {{"k", std::string(257, 'v')}}),
              IsRefusal("InvalidParameterValue",
                        "Tag values must be between 0 and 256 characters in length."));
}

TEST(TagsTest, AtMostFiftyTogether) {
  Tags fifty;
  for (int i = 0; i < 50; ++i) fifty["k" + std::to_string(i)] = "v";
  EXPECT_THAT(WithTags("jobs", {}, fifty), IsOk());
  EXPECT_THAT(WithTags("jobs", fifty, {{"k7", "other"}}), IsOk()) << "none more";
  EXPECT_THAT(WithTags("jobs", fifty, {{"one more", "v"}}),
              IsRefusal("InvalidParameterValue", "Too many tags added for queue jobs."));
}

TEST(TagsTest, RemovingWhatIsNotThereIsFine) {
  EXPECT_THAT(WithoutTags({{"a", "1"}, {"b", "2"}}, {"b", "c"}),
              IsOkAndHolds(ElementsAre(Pair("a", "1"))));
  EXPECT_THAT(WithoutTags({}, {"a"}), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(WithoutTags({}, {""}),
              IsRefusal("InvalidParameterValue",
                        "Tag keys must be between 1 and 128 characters in length."));
}

}  // namespace
}  // namespace banyan::internal
