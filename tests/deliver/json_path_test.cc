// SPDX-License-Identifier: Apache-2.0
#include "deliver/json_path.h"

#include <string>
#include <vector>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Find(std::string_view path, std::string_view json) {
  const std::optional<JsonPath> parsed = JsonPath::Parse(path);
  if (!parsed.has_value()) return "(not a path)";
  return parsed->FindScalar(json).value_or("(nothing)");
}

constexpr char kEvent[] =
    R"({"id":"e","resources":["r0","r1"],"detail":{"n":1.50,"b":true,"z":null,"a.b":"dot",)"
    R"("o":{"s":"\u0041\n"},"list":[{"k":1},{"k":"two"}]}})";

TEST(JsonPathTest, FindsScalarsAsText) {
  EXPECT_EQ(Find("$.id", kEvent), "e");
  EXPECT_EQ(Find("$.detail.n", kEvent), "1.50");
  EXPECT_EQ(Find("$.detail.b", kEvent), "true");
  EXPECT_EQ(Find("$.detail.o.s", kEvent), "A\n");
  EXPECT_EQ(Find("$.resources[1]", kEvent), "r1");
  EXPECT_EQ(Find("$.detail.list[1].k", kEvent), "two");
  EXPECT_EQ(Find("$.detail['a.b']", kEvent), "dot");
  EXPECT_EQ(Find("$", "\"whole\""), "whole");
}

TEST(JsonPathTest, NothingIsAnAnswer) {
  EXPECT_EQ(Find("$.detail.z", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.detail.o", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.detail.list", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.detail.missing.deeper", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.resources[2]", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.resources.name", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.id[0]", kEvent), "(nothing)");
  EXPECT_EQ(Find("$.id", "{\"id\":"), "(nothing)");
  EXPECT_EQ(Find("$.id", ""), "(nothing)");
}

TEST(JsonPathTest, FindsAnyValueAsItStandsInTheText) {
  const auto find = [](std::string_view path, std::string_view json) {
    return std::string(JsonPath::Parse(path)->Find(json));
  };
  EXPECT_EQ(find("$.resources", kEvent), R"(["r0","r1"])");
  EXPECT_EQ(find("$.detail.o.s", kEvent), R"("\u0041\n")");
  EXPECT_EQ(find("$.detail.z", kEvent), "null");
  EXPECT_EQ(find("$.detail.list[0]", kEvent), R"({"k":1})");
  EXPECT_EQ(find("$", " [ 1 ] x"), "[ 1 ]");
  for (const char* other : {"", " ", "[", "[]", "{\"a\":1}", "1"}) {
    EXPECT_EQ(find("$[0]", other), "") << other;
  }
}

std::vector<std::string_view> FindAll(const std::vector<std::string>& texts,
                                      std::string_view json) {
  std::vector<JsonPath> paths;
  for (const std::string& text : texts) paths.push_back(JsonPath::Parse(text).value());
  return JsonPathSet(paths).Find(json);
}

TEST(JsonPathSetTest, FindsManyInOneWalk) {
  EXPECT_THAT(
      FindAll({"$.detail.list[1].k", "$.id", "$.detail.list", "$.resources[1]", "$.id",
               "$.detail.list[7]", "$.id.x", "$.resources.x", "$.detail.n[0]", "$.detail.n"},
              kEvent),
      ElementsAre("\"two\"", "\"e\"", R"([{"k":1},{"k":"two"}])", "\"r1\"", "\"e\"", "", "", "", "",
                  "1.50"));
  EXPECT_THAT(FindAll({"$", "$.a"}, R"({"a":1})"), ElementsAre(R"({"a":1})", "1"));
  EXPECT_THAT(FindAll({}, kEvent), IsEmpty());
}

TEST(JsonPathSetTest, AgreesWithEachPathAlone) {
  const std::vector<std::string> texts = {"$",        "$.a",     "$.a.b",    "$.a[0]",
                                          "$.a[1].b", "$[0]",    "$[0][0]",  "$.b",
                                          "$.b.b",    "$.a.b.a", "$['a b']", "$.a[0][1]"};
  const std::vector<std::string> events = {R"({"a":{"b":{"a":1}},"b":2})",
                                           R"({"a":[[0,1],{"b":[]}],"a b":""})",
                                           R"([[1,2],{"a":1}])",
                                           R"({"a":{"b":1},"a":{"b":2,"a":3},"b":{"b":null}})",
                                           R"("text")",
                                           "17",
                                           "",
                                           "{",
                                           "[1,",
                                           R"({"a":{"b":)"};
  for (const std::string& event : events) {
    const std::vector<std::string_view> found = FindAll(texts, event);
    for (size_t i = 0; i < texts.size(); ++i) {
      std::string whole;
      if (!CompactJson(event, &whole)) continue;  // of broken JSON each finds what it can
      EXPECT_EQ(found[i], JsonPath::Parse(texts[i])->Find(event)) << texts[i] << " in " << event;
    }
  }
}

TEST(JsonPathTest, RefusesWhatIsNoPath) {
  for (const char* bad : {"", "detail", "$detail", "$.", "$..a", "$.a.", "$[", "$[x]", "$[-1]",
                          "$['", "$['']", "$.a]", "$[1]b", " $.a", "$.*", "$[*]", "$.a*"}) {
    EXPECT_EQ(Find(bad, kEvent), "(not a path)") << bad;
  }
}

}  // namespace
}  // namespace banyan::internal
