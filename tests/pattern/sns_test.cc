// SPDX-License-Identifier: Apache-2.0
//
// Filter policies: what differs from EventBridge. Attribute scope, body scope, their limits and
// texts.
#include <string>

#include "banyan/attributes.h"
#include "banyan/error.h"
#include "banyan/pattern.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr PatternLanguage kAttributes = PatternLanguage::kSnsMessageAttributes;
constexpr PatternLanguage kBody = PatternLanguage::kSnsMessageBody;

bool MatchesAttributes(std::string_view policy, const Attributes& attributes) {
  const EventPattern pattern = EventPattern::Parse(policy, kAttributes).value();
  EXPECT_EQ(pattern.Explain(attributes).matched, pattern.Matches(attributes));
  return pattern.Matches(attributes);
}

std::string PolicyText(std::string_view policy, PatternLanguage language) {
  const CompileResult result = CompilePattern(policy, language, Limits::Aws());
  const auto* error = std::get_if<PatternError>(&result);
  return error == nullptr ? "" : FilterPolicyText(*error, policy);
}

TEST(SnsTest, AttributesMatchByType) {
  const Attributes message = {{"store", "shop"},
                              {"price", AttributeValue::Number("12.50")},
                              {"tags", AttributeValue::StringArray(R"(["a",1,true,null])")},
                              {"raw", AttributeValue::Binary("x")}};
  EXPECT_TRUE(
      MatchesAttributes(R"({"store":["shop"],"price":[{"numeric":[">",12,"<=",12.5]}]})", message));
  EXPECT_FALSE(MatchesAttributes(R"({"price":["12.50"]})", message));
  EXPECT_TRUE(MatchesAttributes(R"({"tags":["a"]})", message));
  EXPECT_TRUE(MatchesAttributes(R"({"tags":[1]})", message));
  EXPECT_TRUE(MatchesAttributes(R"({"tags":[true]})", message));
  EXPECT_TRUE(MatchesAttributes(R"({"tags":[null]})", message));
  EXPECT_FALSE(MatchesAttributes(R"({"raw":[{"exists":true}]})", message));
  EXPECT_TRUE(MatchesAttributes(R"({"other":[{"exists":false}]})", message));
}

TEST(SnsTest, AMessageWithoutAttributesMatchesNothing) {
  EXPECT_FALSE(MatchesAttributes(R"({"a":[{"exists":false}]})", {}));
  EXPECT_FALSE(MatchesAttributes(R"({"a":[null]})", {}));
  EXPECT_TRUE(MatchesAttributes(R"({"a":[{"exists":false}]})", {{"b", "x"}}));
}

// Decision: as arrays everywhere, where AWS's pages disagree.
TEST(SnsTest, AnythingButPassesAStringArrayIfAnyElementPasses) {
  EXPECT_TRUE(MatchesAttributes(R"({"a":[{"anything-but":"x"}]})",
                                {{"a", AttributeValue::StringArray(R"(["x","y"])")}}));
  EXPECT_FALSE(MatchesAttributes(R"({"a":[{"anything-but":"x"}]})",
                                 {{"a", AttributeValue::StringArray(R"(["x"])")}}));
}

// Decision: the key counts, not what it holds.
TEST(SnsTest, ExistsAsksForTheKey) {
  EXPECT_TRUE(MatchesAttributes(R"({"a":[{"exists":true}]})", {{"a", ""}}));
  EXPECT_TRUE(Matches(R"({"a":[{"exists":true}]})", R"({"a":null})", kBody));
}

TEST(SnsTest, ABodyThatIsNoObjectMatchesNothing) {
  for (const char* body : {"hello", "[1]", "\"x\"", ""}) {
    EXPECT_FALSE(Matches(R"({"a":[{"exists":false}]})", body, kBody)) << body;
  }
  EXPECT_TRUE(
      Matches(R"({"d":{"a":[1]},"$or":[{"x":[1]},{"y":[2]}]})", R"({"d":[{"a":1}],"y":2})", kBody));
}

TEST(SnsTest, OperatorsOfEventBridgeOnlyAreRefused) {
  for (const PatternLanguage language : {kAttributes, kBody}) {
    EXPECT_EQ(Reason(R"({"a":[{"wildcard":"x*"}]})", language), "Unrecognized match type wildcard");
    EXPECT_EQ(Reason(R"({"a":[{"anything-but":{"suffix":"x"}}]})", language),
              "Unsupported anything-but pattern: suffix");
    EXPECT_EQ(Reason(R"({"a":[{"anything-but":{"wildcard":"x"}}]})", language),
              "Unsupported anything-but pattern: wildcard");
    EXPECT_EQ(Reason(R"({"a":[{"anything-but":{"prefix":["x"]}}]})", language),
              "prefix match pattern must be a string");
    EXPECT_EQ(
        Reason(R"({"a":[{"anything-but":{"prefix":"x"}},{"suffix":"y"},{"equals-ignore-case":"z"},
                             {"cidr":"10.0.0.0/8"},{"numeric":["=",1]}]})",
               language),
        "");
  }
}

TEST(SnsTest, AttributeScopeHasNoNesting) {
  const char* text = "Filter policy scope MessageAttributes does not support nested filter policy";
  EXPECT_EQ(PolicyText(R"({"a":{"b":["x"]}})", kAttributes), text);
  EXPECT_EQ(PolicyText(R"({"$or":[{"a":["x"]},{"b":{"c":["x"]}}]})", kAttributes), text);
  EXPECT_EQ(PolicyText(R"({"$or":[{"a":["x"]},{"b":["x"]}]})", kAttributes), "");
  EXPECT_EQ(PolicyText(R"({"a":{"b":["x"]}})", kBody), "");
}

TEST(SnsTest, FiveKeysAtMost) {
  const std::string five = R"("a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"])";
  for (const PatternLanguage language : {kAttributes, kBody}) {
    EXPECT_EQ(PolicyText("{" + five + "}", language), "");
    EXPECT_EQ(PolicyText("{" + five + R"(,"f":["x"]})", language),
              "FilterPolicy: Filter policy can not have more than 5 keys");
  }
  // Bodies: only top-level keys count.
  EXPECT_EQ(PolicyText(R"({"o":{)" + five + R"(,"f":["x"]}})", kBody), "");
}

std::string List(int count) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) list += (i > 0 ? ",\"v" : "\"v") + std::to_string(i) + "\"";
  return list + "]";
}

// Sum over the alternatives of the product over the lists of (length x depth).
TEST(SnsTest, AHundredAndFiftyCombinationsAtMost) {
  const std::string too_complex = "FilterPolicy: Filter policy is too complex";
  EXPECT_EQ(PolicyText(R"({"a":)" + List(150) + "}", kAttributes), "");
  EXPECT_EQ(PolicyText(R"({"a":)" + List(151) + "}", kAttributes), too_complex);
  EXPECT_EQ(PolicyText(R"({"a":)" + List(3) + R"(,"b":)" + List(5) + R"(,"c":)" + List(10) + "}",
                       kAttributes),
            "");
  EXPECT_EQ(PolicyText(R"({"a":)" + List(4) + R"(,"b":)" + List(4) + R"(,"c":)" + List(10) + "}",
                       kAttributes),
            too_complex);  // 160
  // 4 x 3 x 3 = 36 values, but at depths 1, 2 and 3: 4 x (3 x 2) x (3 x 3) = 216.
  EXPECT_EQ(PolicyText(R"({"a":)" + List(4) + R"(,"b":{"c":)" + List(3) + R"(,"d":{"e":)" +
                           List(3) + "}}}",
                       kBody),
            too_complex);
  EXPECT_EQ(PolicyText(R"({"a":)" + List(2) + R"(,"b":{"c":)" + List(3) + R"(,"d":{"e":)" +
                           List(3) + "}}}",
                       kBody),
            "");  // 108
  EXPECT_EQ(PolicyText(R"({"$or":[{"a":)" + List(75) + R"(},{"b":)" + List(75) + "}]}", kBody), "");
  EXPECT_EQ(PolicyText(R"({"$or":[{"a":)" + List(75) + R"(},{"b":)" + List(76) + "}]}", kBody),
            too_complex);
}

TEST(SnsTest, TextsOfErrors) {
  EXPECT_EQ(PolicyText(R"({"a":"x"})", kAttributes),
            "FilterPolicy: \"a\" must be an object or an array\n at [Source: "
            "(String)\"{\"a\":\"x\"}\"; line: 1, "
            "column: 7]");
  EXPECT_THAT(PolicyText(R"({"a":[x]})", kBody),
              ::testing::StartsWith("FilterPolicy: failed to parse JSON. Unrecognized token 'x'"));
  const absl::Status status = EventPattern::Parse("{}", kAttributes).status();
  ASSERT_NE(FindAwsError(status), nullptr);
  EXPECT_EQ(FindAwsError(status)->code, "InvalidParameter");
  EXPECT_THAT(
      std::string(status.message()),
      ::testing::StartsWith("Invalid parameter: FilterPolicy: Empty objects are not allowed"));
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
