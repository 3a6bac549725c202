// SPDX-License-Identifier: Apache-2.0
#include "banyan/attributes.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Names(const Attributes& attributes) {
  std::vector<std::string> names;
  for (const auto& [name, value] : attributes) names.push_back(name);
  return names;
}

TEST(AttributesTest, AreSortedByName) {
  const Attributes a = {{"b", "2"}, {"a", "1"}, {"B", "3"}};
  EXPECT_THAT(Names(a), ElementsAre("B", "a", "b"));
}

TEST(AttributesTest, TheLastOfTwoEqualNamesStays) {
  Attributes a = {{"k", "first"}, {"k", "second"}};
  EXPECT_EQ(a.size(), 1u);
  EXPECT_EQ(a.Find("k")->value, "second");
  a.Set("k", AttributeValue::Number(7));
  EXPECT_EQ(a.size(), 1u);
  EXPECT_EQ(a.Find("k")->value, "7");
  EXPECT_EQ(a.Find("k")->type, "Number");
}

TEST(AttributesTest, FindAnswersNullForWhatIsNotThere) {
  const Attributes a = {{"k", "v"}};
  EXPECT_EQ(a.Find("K"), nullptr);
  EXPECT_EQ(a.Find(""), nullptr);
  EXPECT_EQ(Attributes().Find("k"), nullptr);
}

// What SQS and SNS count: name, type with its suffix, and value.
TEST(AttributesTest, BytesCountNamesTypesAndValues) {
  EXPECT_EQ(Attributes().bytes(), 0u);
  const Attributes a = {{"key", AttributeValue("Number.int", "12")}, {"s", "text"}};
  EXPECT_EQ(a.bytes(), 3u + 10u + 2u + 1u + 6u + 4u);
}

TEST(AttributesTest, ABinaryValueKeepsZeroBytes) {
  const std::string bytes("\0\x01\xff\0", 4);
  const Attributes a = {{"b", AttributeValue::Binary(bytes)}};
  EXPECT_EQ(a.Find("b")->value, bytes);
}

TEST(AttributeValueTest, TheBaseTypeIsWhatStandsBeforeTheSuffix) {
  EXPECT_EQ(AttributeValue("String", "x").base_type(), "String");
  EXPECT_EQ(AttributeValue("Number.float.32", "1").base_type(), "Number");
  EXPECT_EQ(AttributeValue("String.Array", "[]").base_type(), "String.Array");
  EXPECT_EQ(AttributeValue("String.Array.tags", "[]").base_type(), "String.Array");
  EXPECT_EQ(AttributeValue("String.Arrays", "x").base_type(), "String");
  EXPECT_EQ(AttributeValue("Stringy", "x").base_type(), "Stringy");
}

}  // namespace
}  // namespace banyan
