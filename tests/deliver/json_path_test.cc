// SPDX-License-Identifier: Apache-2.0
#include "deliver/json_path.h"

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

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

TEST(JsonPathTest, RefusesWhatIsNoPath) {
  for (const char* bad : {"", "detail", "$detail", "$.", "$..a", "$.a.", "$[", "$[x]", "$[-1]",
                          "$['", "$['']", "$.a]", "$[1]b", " $.a"}) {
    EXPECT_EQ(Find(bad, kEvent), "(not a path)") << bad;
  }
}

}  // namespace
}  // namespace banyan::internal
