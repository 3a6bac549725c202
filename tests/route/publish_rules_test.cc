// SPDX-License-Identifier: Apache-2.0
//
// The error texts of spec/topics.md 2, 7 and 8.
#include "route/publish_rules.h"

#include <string>

#include "gtest/gtest.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

absl::Status Check(PublishRequest request) {
  return ValidatePublish(request, TopicKind{}, Limits::Aws());
}

absl::Status CheckAttribute(std::string_view name, AttributeValue value) {
  Attributes attributes;
  attributes.Set(name, std::move(value));
  return Check({.body = "m", .attributes = attributes});
}

TEST(PublishRulesTest, AnEmptyMessageIsRefused) {
  EXPECT_EQ(CodeOf(Check({})), "InvalidParameter");
  EXPECT_EQ(TextOf(Check({})), "Invalid parameter: Empty message");
}

TEST(PublishRulesTest, WhatIsNotUtf8IsRefusedAndSaysWhere) {
  EXPECT_EQ(TextOf(Check({.body = "caf\xE9"})),
            "Invalid parameter: Message Reason: must be UTF-8; its byte 4 is 0xE9");
  EXPECT_EQ(CodeOf(Check({.body = "caf\xE9"})), "InvalidParameter");
  EXPECT_EQ(TextOf(Check({.body = std::string(100, 'x') + "\xED\xA0\x80"})),
            "Invalid parameter: Message Reason: must be UTF-8; its byte 101 is 0xED");
  EXPECT_EQ(CodeOf(Check({.body = "m", .subject = "caf\xE9"})), "InvalidParameter");

  const absl::Status value = Check({.body = "m", .attributes = {{"A", "v\xFF"}}});
  EXPECT_EQ(CodeOf(value), "ParameterValueInvalid");
  EXPECT_EQ(TextOf(value), "The message attribute 'A' must be UTF-8; its byte 2 is 0xFF.");
  EXPECT_EQ(CodeOf(Check({.body = "m", .attributes = {{"A", {"String.\xFF", "v"}}}})),
            "ParameterValueInvalid");
}

TEST(PublishRulesTest, TextInAllScriptsControlsAndBinaryBytesPass) {
  EXPECT_TRUE(Check({.body = "caf\xC3\xA9 \xF0\x9F\x8C\xB3"}).ok());
  EXPECT_TRUE(Check({.body = Payload(std::string("a\0b\x01", 4))}).ok());
  EXPECT_TRUE(Check({.body = "m", .attributes = {{"A", {"Binary", "\xFF\xFE"}}}}).ok());
  EXPECT_TRUE(Check({.body = "m", .attributes = {{"A", {"String.x", "\xC3\xA9"}}}}).ok());
}

TEST(PublishRulesTest, SubjectsAreUnderAHundredCharactersWithoutControls) {
  std::string umlauts;
  for (int i = 0; i < 99; ++i) umlauts += "\xC3\xA4";
  EXPECT_TRUE(Check({.body = "m", .subject = umlauts}).ok());
  for (const std::string& bad : {umlauts + "a", std::string("a\nb"), std::string("\x7F"),
                                 std::string("\xFF"), std::string(1, '\0')}) {
    const absl::Status refused = Check({.body = "m", .subject = bad});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_TRUE(TextOf(refused).starts_with("Invalid parameter: Subject"));
  }
}

TEST(PublishRulesTest, SizeCountsBytesOfBodyAndAttributes) {
  EXPECT_TRUE(Check({.body = std::string(262'144, 'x')}).ok());
  const absl::Status refused = Check({.body = std::string(262'145, 'x')});
  EXPECT_EQ(CodeOf(refused), "InvalidParameter");
  EXPECT_EQ(TextOf(refused),
            "Invalid parameter: Message too long: 262145 bytes; at most 262144 are allowed");
  // "k" + "String" + "v" is eight bytes.
  const Attributes eight = {{"k", "v"}};
  EXPECT_TRUE(Check({.body = std::string(262'136, 'x'), .attributes = eight}).ok());
  EXPECT_FALSE(Check({.body = std::string(262'137, 'x'), .attributes = eight}).ok());
  // Bytes, not characters.
  std::string wide;
  for (int i = 0; i < 131'073; ++i) wide += "\xC3\xA4";
  EXPECT_FALSE(Check({.body = wide}).ok());
}

TEST(PublishRulesTest, AttributeErrorsAreInSnsWords) {
  const struct {
    std::string name;
    AttributeValue value;
    std::string code;
    std::string text;
  } cases[] = {
      {"A",
       {"String", ""},
       "ParameterValueInvalid",
       "The message attribute 'A' must contain non-empty message attribute value for message "
       "attribute type 'String'."},
      {"A",
       {"Binary", ""},
       "ParameterValueInvalid",
       "The message attribute 'A' must contain non-empty message attribute value for message "
       "attribute type 'Binary'."},
      {"A",
       {"StringX", "v"},
       "ParameterValueInvalid",
       "The message attribute 'A' has an invalid message attribute type, the set of supported "
       "type prefixes is Binary, Number, and String."},
      {"A^", "v", "ParameterValueInvalid",
       "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can "
       "only include alphanumeric characters, hyphens, underscores, or dots."},
      {"\xC3\xA4", "v", "ParameterValueInvalid",
       "Invalid non-alphanumeric character '#xE4' was found in the message attribute name. Can "
       "only include alphanumeric characters, hyphens, underscores, or dots."},
      {".A", "v", "ParameterValueInvalid",
       "Invalid message attribute name starting with character '.' was found."},
      {"A.", "v", "ParameterValueInvalid",
       "Invalid message attribute name ending with character '.' was found."},
      {"A..B", "v", "ParameterValueInvalid",
       "Message attribute name can not have successive '.' character."},
      {std::string(256, 'a'), "v", "ParameterValueInvalid",
       "Length of message attribute name must be less than 256 bytes."},
      {"A",
       {"", "v"},
       "ValidationError",
       "1 validation error detected: Value null at 'messageAttributes.A.member.dataType' failed "
       "to satisfy constraint: Member must not be null"},
  };
  for (const auto& c : cases) {
    const absl::Status refused = CheckAttribute(c.name, c.value);
    EXPECT_EQ(CodeOf(refused), c.code) << c.name;
    EXPECT_EQ(TextOf(refused), c.text);
  }
}

TEST(PublishRulesTest, TraceHeadersAreAtMost500BytesOfPrintableAscii) {
  EXPECT_TRUE(Check({.body = "m", .trace_header = std::string(500, ' ')}).ok());
  for (const std::string& bad : {std::string(501, 'x'), std::string("a\nb"), std::string("\x7F"),
                                 std::string("\xC3\xA4"), std::string(1, '\0')}) {
    const absl::Status refused = Check({.body = "m", .trace_header = bad});
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_TRUE(TextOf(refused).starts_with("Invalid parameter: trace_header Reason: must "));
  }
}

TEST(PublishRulesTest, TypesMayHaveASuffix) {
  EXPECT_TRUE(CheckAttribute("A", {"String.currency", "v"}).ok());
  EXPECT_TRUE(CheckAttribute("A", {"Number.int", "1"}).ok());
  EXPECT_TRUE(CheckAttribute("A", {"Binary.png", "1"}).ok());
  EXPECT_TRUE(CheckAttribute("A", {"String.Array", "[]"}).ok());
  EXPECT_TRUE(CheckAttribute(std::string(255, 'a'), "v").ok());
  EXPECT_TRUE(CheckAttribute("a-B_9.c", "v").ok());
}

TEST(PublishRulesTest, TopicNames) {
  EXPECT_TRUE(ValidateTopicName("orders-1_B", false, Limits::Aws()).ok());
  EXPECT_TRUE(ValidateTopicName("orders.fifo", true, Limits::Aws()).ok());
  EXPECT_TRUE(ValidateTopicName(std::string(251, 'a') + ".fifo", true, Limits::Aws()).ok());
  for (const std::string& bad : {std::string("orders"), std::string(".fifo"),
                                 std::string("a.b.fifo"), std::string(252, 'a') + ".fifo"}) {
    EXPECT_FALSE(ValidateTopicName(bad, true, Limits::Aws()).ok()) << bad;
  }
  EXPECT_FALSE(ValidateTopicName("orders.fifo", false, Limits::Aws()).ok());
  EXPECT_FALSE(ValidateTopicOptions({.content_based_deduplication = true}).ok());
  EXPECT_TRUE(ValidateTopicName(std::string(256, 'a'), false, Limits::Aws()).ok());
  for (const std::string& bad :
       {std::string(), std::string(257, 'a'), std::string("a b"), std::string("a.fifo")}) {
    const absl::Status refused = ValidateTopicName(bad, false, Limits::Aws());
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_TRUE(TextOf(refused).starts_with("Invalid parameter: Topic Name"));
  }
}

TEST(PublishRulesTest, DisplayNamesAreAtMostAHundredCharacters) {
  EXPECT_TRUE(ValidateTopicOptions({.display_name = std::string(100, 'x')}).ok());
  EXPECT_FALSE(ValidateTopicOptions({.display_name = std::string(101, 'x')}).ok());
}

}  // namespace
}  // namespace banyan::internal
