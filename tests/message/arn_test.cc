// SPDX-License-Identifier: Apache-2.0
#include "banyan/arn.h"

#include <string>

#include "banyan/error.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

TEST(ArnTest, ReadsBackWhatItWrites) {
  for (const char* text :
       {"arn:aws:sqs:us-east-1:000000000000:orders",
        "arn:aws-cn:events:cn-north-1:123456789012:rule/shop/big-orders", "arn:aws:s3:::bucket/key",
        "arn:aws:sns:eu-west-1:123456789012:orders:5be6e0ac-0000"}) {
    ASSERT_TRUE(Arn::Parse(text).ok()) << text;
    EXPECT_EQ(Arn::Parse(text)->ToString(), text);
  }
}

TEST(ArnTest, TheResourceKeepsItsColons) {
  const Arn arn = Arn::Parse("arn:aws:sns:eu-west-1:123456789012:orders:sub").value();
  EXPECT_EQ(arn.service, "sns");
  EXPECT_EQ(arn.region, "eu-west-1");
  EXPECT_EQ(arn.account, "123456789012");
  EXPECT_EQ(arn.resource, "orders:sub");
}

TEST(ArnTest, RefusalsNameTheTextAndTheRule) {
  struct Case {
    const char* text;
    const char* rule;
  };
  for (const Case& c :
       {Case{"orders", "at least 6 elements, not 1"}, Case{"", "at least 6 elements, not 1"},
        Case{"arn:aws:sqs:us-east-1:000000000000", "at least 6 elements, not 5"},
        Case{"urn:aws:sqs:us-east-1:000000000000:q", "begin with 'arn:'"},
        Case{"arn::sqs:us-east-1:000000000000:q", "partition"},
        Case{"arn:aws::us-east-1:000000000000:q", "service"},
        Case{"arn:aws:sqs:us-east-1:000000000000:", "resource"}}) {
    const absl::Status status = Arn::Parse(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_NE(std::string(status.message()).find(c.rule), std::string::npos) << status;
    ASSERT_NE(FindAwsError(status), nullptr);
    EXPECT_EQ(FindAwsError(status)->code, "InvalidParameter");
  }
}

}  // namespace
}  // namespace banyan
