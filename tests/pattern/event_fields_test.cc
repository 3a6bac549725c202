// SPDX-License-Identifier: Apache-2.0
#include "pattern/event_fields.h"

#include <string>
#include <string_view>
#include <vector>

#include "banyan/limits.h"
#include "banyan/rule_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EventFields Flatten(std::string_view json) {
  std::string error;
  std::optional<EventFields> fields = EventFields::FromJson(json, EventLimits(), &error);
  EXPECT_TRUE(fields.has_value()) << error;
  return fields.has_value() ? *std::move(fields) : EventFields::FromAttributes({});
}

std::vector<std::string> ValuesAt(const EventFields& fields, std::string_view path) {
  std::vector<std::string> texts;
  for (const EventFields::Field& field : fields.Find(path)) texts.push_back(JsonText(field.value));
  return texts;
}

std::string ErrorOf(std::string_view json, const Limits& limits = Limits::Aws()) {
  std::string error;
  EXPECT_FALSE(EventFields::FromJson(json, EventLimits(limits), &error).has_value()) << json;
  return error;
}

TEST(EventFieldsTest, ScalarsKeepTheirTextAndType) {
  const EventFields fields = Flatten(R"({"s":"5","n":5.00,"t":true,"f":false,"z":null})");
  EXPECT_THAT(ValuesAt(fields, "s"), ElementsAre("\"5\""));
  EXPECT_THAT(ValuesAt(fields, "n"), ElementsAre("5.00"));
  EXPECT_THAT(ValuesAt(fields, "t"), ElementsAre("true"));
  EXPECT_THAT(ValuesAt(fields, "f"), ElementsAre("false"));
  EXPECT_THAT(ValuesAt(fields, "z"), ElementsAre("null"));
}

TEST(EventFieldsTest, ContainersAreNoFields) {
  const EventFields fields = Flatten(R"({"o":{"x":1},"a":[],"e":{},"l":[{}]})");
  for (const char* path : {"o", "a", "e", "l", "missing", "o.x.y"}) {
    EXPECT_THAT(ValuesAt(fields, path), IsEmpty()) << path;
  }
  EXPECT_THAT(ValuesAt(fields, "o.x"), ElementsAre("1"));
}

TEST(EventFieldsTest, DotsInKeysAreNesting) {
  const EventFields fields = Flatten(R"({"a.b":1,"a":{"b":2,"c.d":{"e":3}}})");
  EXPECT_THAT(ValuesAt(fields, "a.b"), ElementsAre("1", "2"));
  EXPECT_THAT(ValuesAt(fields, "a.c.d.e"), ElementsAre("3"));
}

TEST(EventFieldsTest, RepeatedNamesKeepAllValues) {
  const EventFields fields = Flatten(R"({"a":1,"a":{"b":2},"a":[3,"x"],"a":{"b":4}})");
  EXPECT_THAT(ValuesAt(fields, "a"), ElementsAre("1", "3", "\"x\""));
  EXPECT_THAT(ValuesAt(fields, "a.b"), ElementsAre("2", "4"));
}

// F3: numbers, parents and extents of elements.
TEST(EventFieldsTest, ElementsAreNumberedInDocumentOrder) {
  const EventFields fields = Flatten(R"({"d":[{"a":1},{"a":[2,3],"e":[{"m":4},[5]]},6],"x":7})");
  const auto element_of = [&fields](std::string_view path, size_t i) {
    return fields.Find(path)[i].element;
  };
  EXPECT_EQ(element_of("d.a", 0), 1u);
  EXPECT_EQ(element_of("d.a", 1), 2u);
  EXPECT_EQ(element_of("d.a", 2), 2u);
  EXPECT_EQ(element_of("d.e.m", 0), 3u);
  EXPECT_EQ(element_of("d.e", 0), 4u);
  EXPECT_EQ(element_of("d", 0), 0u);
  EXPECT_EQ(element_of("x", 0), 0u);
  EXPECT_EQ(fields.element(3).parent, 2u);
  EXPECT_EQ(fields.element(2).last, 4u);
  EXPECT_EQ(fields.element(1).last, 1u);
  EXPECT_EQ(fields.element(1).array, fields.element(2).array);
  EXPECT_NE(fields.element(2).array, fields.element(3).array);
}

TEST(EventFieldsTest, OnlyAWholeObjectIsAnEvent) {
  EXPECT_EQ(ErrorOf(" [1]"), "it is not a JSON object at line 1, column 2");
  EXPECT_EQ(ErrorOf("\n"), "there is no JSON value in the text at line 2, column 1");
  EXPECT_EQ(ErrorOf("\"{}\""), "it is not a JSON object at line 1, column 1");
  EXPECT_THAT(ErrorOf(R"({"a":"x","b":[1,)"),
              ::testing::HasSubstr("(start marker at line 1, column 14)"));
  EXPECT_THAT(ErrorOf(R"({"b":{"c":[1,2,oops]},"a":"x"})"), ::testing::HasSubstr("'oops'"));
  EXPECT_THAT(ErrorOf("\xEF\xBB\xBF{}"), ::testing::HasSubstr("Unexpected character"));
  EXPECT_THAT(ErrorOf("{\"a\":\"\xFF\"}"), ::testing::HasSubstr("UTF-8"));
  EXPECT_TRUE(EventFields::FromJson(R"({"a":1} and more)", EventLimits()).has_value());
}

// Each limit lets its number pass and refuses one more.
TEST(EventFieldsTest, LimitsAreThoseOfEventsThatRuleSetsSee) {
  const auto takes = [](std::string_view json, const Limits& limits) {
    const bool checked = CheckedEvent::Check(json, limits).ok();
    EXPECT_EQ(EventFields::FromJson(json, EventLimits(limits)).has_value(), checked) << json;
    return checked;
  };
  Limits bytes, names, depth;
  bytes.pattern.event_bytes_max = 7;
  EXPECT_TRUE(takes(R"({"a":1})", bytes));
  EXPECT_FALSE(takes(R"({"a":1} )", bytes));
  EXPECT_EQ(ErrorOf(R"({"a":10})", bytes),
            "the event has 8 bytes; at most 7 are allowed (limits.pattern.event_bytes_max)");
  EXPECT_EQ(ErrorOf("no json at all", bytes),
            "the event has 14 bytes; at most 7 are allowed (limits.pattern.event_bytes_max)");

  names.pattern.event_names_max = 2;
  EXPECT_TRUE(takes(R"({"a":{"b.c.d":[1,2,3]}})", names));
  EXPECT_FALSE(takes(R"({"a":{"b":1},"a":2})", names));
  EXPECT_EQ(ErrorOf(R"({"a":{"b":1},"c":2, oops)", names),
            "the event has 3 names or more; at most 2 are allowed "
            "(limits.pattern.event_names_max) at line 1, column 14");

  depth.pattern.depth_max = 2;
  EXPECT_TRUE(takes(R"({"a":{"b":1}})", depth));
  EXPECT_FALSE(takes(R"({"a":{"b":[]}})", depth));
  EXPECT_THAT(ErrorOf(R"({"a":{"b":[]}})", depth), ::testing::HasSubstr("Depth (3)"));
}

// A list of joined paths would need 250 MB for this event.
TEST(EventFieldsTest, DeepEventsWithLongNamesStayLinear) {
  const std::string name(500, 'n');
  std::string event = "{";
  for (int i = 0; i < 999; ++i) event += "\"leaf\":1,\"" + name + "\":{";
  event += "\"leaf\":1" + std::string(1000, '}');
  const EventFields fields = Flatten(event);
  std::string path = name;
  for (int i = 1; i < 999; ++i) path += "." + name;
  EXPECT_THAT(ValuesAt(fields, path + ".leaf"), ElementsAre("1"));
}

TEST(EventFieldsTest, AttributesByType) {
  const EventFields fields = EventFields::FromAttributes({
      {"s", "text"},
      {"n", AttributeValue::Number("12.50")},
      {"i", AttributeValue("Number.int", "7")},
      {"l", AttributeValue::StringArray(R"(["a", 1, true, null])")},
      {"b", AttributeValue::Binary("raw")},
      {"broken", AttributeValue::StringArray(R"(["a", )")},
      {"scalar", AttributeValue::StringArray(R"("a")")},
  });
  EXPECT_THAT(ValuesAt(fields, "s"), ElementsAre("\"text\""));
  EXPECT_THAT(ValuesAt(fields, "n"), ElementsAre("12.50"));
  EXPECT_THAT(ValuesAt(fields, "i"), ElementsAre("7"));
  EXPECT_THAT(ValuesAt(fields, "l"), ElementsAre("\"a\"", "1", "true", "null"));
  EXPECT_THAT(ValuesAt(fields, "b"), IsEmpty());
  EXPECT_THAT(ValuesAt(fields, "broken"), IsEmpty());
  EXPECT_THAT(ValuesAt(fields, "scalar"), IsEmpty());
  EXPECT_FALSE(fields.matches_nothing());
  EXPECT_TRUE(EventFields::FromAttributes({}).matches_nothing());
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
