// SPDX-License-Identifier: Apache-2.0
//
// The verb only: what the linter finds is tested where the linter is.
#include <string>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tool/tool_testing.h"

namespace banyan::inline v0_1::tool {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class LintVerbTest : public ToolTest {};

TEST_F(LintVerbTest, AFileWithoutWarningsIsQuiet) {
  const Result result =
      Run({"lint", Write("rules.json", R"([{"name": "a", "pattern": {"source": ["shop"]}}])")});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(LintVerbTest, AWarningNamesFilePlaceAndRule) {
  const Result result = Run({"lint", Write("rules.json",
                                           "[{\"name\": \"a\",\n"
                                           "  \"pattern\": {\"source\": [\"x\", \"x\"]}}]")});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(StartsWith("rules.json:2:"), HasSubstr(": rule \"a\": "),
                                HasSubstr("source"), EndsWith("\n")));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(LintVerbTest, ARuleThatIsNotValidIsAWarningToo) {
  const Result result = Run({"lint", Write("rules.json",
                                           "[{\"name\": \"a\", \"pattern\":\n"
                                           "  {\"source\": \"x\"}}]")});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(
      result.out,
      "rules.json:2:15: rule \"a\": the pattern is not valid: \"source\" must be an object or "
      "an array\n");
}

TEST_F(LintVerbTest, RulesOfOneTargetAreCompared) {
  const std::string two = R"([
    {"name": "wide", "pattern": {"source": [{"prefix": "shop."}]}, "target": {"queue": "q"}},
    {"name": "narrow", "pattern": {"source": ["shop.orders"]}, "target": {"queue": "q"}}])";
  const Result result = Run({"lint", Write("rules.json", two)});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(StartsWith("rules.json:3:"), HasSubstr("rule \"narrow\": "),
                                HasSubstr("wide")));
}

TEST_F(LintVerbTest, ADisabledRuleIsLintedAlone) {
  const std::string two = R"({"Rules": [
    {"Name": "wide", "EventPattern": "{\"source\": [{\"prefix\": \"shop.\"}]}"},
    {"Name": "narrow", "State": "DISABLED", "EventPattern": "{\"source\": [\"shop.orders\"]}"}]})";
  const Result result = Run({"lint", Write("rules.json", two)});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, IsEmpty());
  const std::string wrong = R"({"Rules": [
    {"Name": "off", "State": "DISABLED", "EventPattern": "{\"source\": [5]}"}]})";
  EXPECT_EQ(Run({"lint", Write("rules.json", wrong)}).code, 1);
}

TEST_F(LintVerbTest, TheEnvelopeIsABussUnlessSaidOtherwise) {
  const std::string rules = Write("rules.json", R"({"sensor": ["hall"]})");
  EXPECT_EQ(Run({"lint", rules}).code, 1);
  EXPECT_EQ(Run({"lint", "--envelope", "bus", rules}).code, 1);
  EXPECT_EQ(Run({"lint", "--envelope", "none", rules}).code, 0);
  // A message's body and attributes are in no bus's envelope.
  EXPECT_EQ(Run({"lint", "--language", "sns-body", rules}).code, 0);
  EXPECT_EQ(Run({"lint", "--language", "sns-attributes", rules}).code, 0);
}

TEST_F(LintVerbTest, PortabilityIsAskedFor) {
  const std::string rules = Write("rules.json", R"({"source": [{"wildcard": "shop*"}]})");
  EXPECT_EQ(Run({"lint", "--portable-to", "bus", rules}).code, 0);
  EXPECT_EQ(Run({"lint", "--portable-to", "sns-body", rules}).code, 1);
}

TEST_F(LintVerbTest, JsonIsOneObjectALine) {
  const std::string rules =
      Write("rules.json", R"([{"name": "a", "pattern": {"s\u0022": ["x", "x"]}},
                                                    {"name": "b", "pattern": {}}])");
  const Result result = Run({"lint", "--json", "--envelope", "none", rules});
  EXPECT_EQ(result.code, 1);
  size_t lines = 0;
  for (size_t at = 0; at < result.out.size(); at = result.out.find('\n', at) + 1, ++lines) {
    const std::string line = result.out.substr(at, result.out.find('\n', at) - at);
    std::string compact, error;
    EXPECT_TRUE(internal::CompactJson(line, &compact, &error)) << line << "\n" << error;
    EXPECT_THAT(line, AllOf(StartsWith("{\"file\":\"rules.json\",\"line\":"),
                            HasSubstr("\"kind\":"), HasSubstr("\"sentence\":")));
  }
  EXPECT_GE(lines, 2u);
}

TEST_F(LintVerbTest, SeveralFilesAndOneThatCannotBeRead) {
  const std::string good = Write("good.json", R"({"source": ["shop"]})");
  const std::string bad = Write("bad.json", R"({"source": ["x", "x"]})");
  const Result result = Run({"lint", good, Path("missing.json"), bad});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, HasSubstr("bad.json:1:"));
  EXPECT_EQ(result.err, "banyan lint: missing.json: No such file or directory\n");
  EXPECT_EQ(Run({"lint", good, bad}).code, 1);
}

TEST_F(LintVerbTest, BadUsageIsTrouble) {
  const std::string rules = Write("rules.json", R"({"source": ["shop"]})");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"lint"},
           {"lint", "--envelop", "bus", rules},
           {"lint", "--envelope", "letter", rules},
           {"lint", "--envelope", "bus", "--language", "sns-body", rules},
           {"lint", "--portable-to", "sqs", rules},
           {"lint", "--language", "sql", rules},
       }) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, AllOf(StartsWith("banyan lint: "), EndsWith(" (banyan help lint)\n")));
  }
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
