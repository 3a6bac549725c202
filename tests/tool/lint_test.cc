// SPDX-License-Identifier: Apache-2.0
//
// The verb only: what the linter finds is tested where the linter is.
#include <string>
#include <string_view>
#include <vector>

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
  const std::string rules = Write("rules.json", R"([
{"name": "say \"a\"", "pattern": {"s\"": ["x", "x"]}, "target": {"queue": "q"}},
{"name": "b", "pattern": {"s\"": ["x"]}, "target": {"queue": "q"}},
{"name": "c", "pattern": {}}])");
  const Result result = Run({"lint", "--json", "--envelope", "none", rules});
  EXPECT_EQ(result.code, 1);
  // "path" and "other_rule" are there only where there is one.
  EXPECT_EQ(
      result.out,
      R"({"file":"rules.json","line":2,"column":48,"rule":"say \"a\"","kind":"redundant-value",)"
      R"("path":"s\"","sentence":"s\": \"x\" is listed twice"})"
      "\n"
      R"({"file":"rules.json","line":3,"column":26,"rule":"b","kind":"equal-rule",)"
      R"("other_rule":"say \"a\"","sentence":"this rule matches the same events as rule )"
      R"(\"say \"a\"\", and both deliver to queue q, which gets it twice"})"
      "\n"
      R"({"file":"rules.json","line":4,"column":28,"rule":"c","kind":"invalid",)"
      R"("sentence":"the pattern is not valid: Empty objects are not allowed"})"
      "\n");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(LintVerbTest, JsonHasTheSameExitCodes) {
  const std::string good = Write("good.json", R"({"source": ["shop"]})");
  const std::string bad = Write("bad.json", R"({"source": ["x", "x"]})");
  const Result quiet = Run({"lint", "--json", good});
  EXPECT_EQ(quiet.code, 0);
  EXPECT_THAT(quiet.out, IsEmpty());
  const Result trouble = Run({"lint", "--json", Path("missing.json"), bad});
  EXPECT_EQ(trouble.code, 2);
  EXPECT_THAT(trouble.out, AllOf(StartsWith(R"({"file":"bad.json",)"), EndsWith("}\n")));
  EXPECT_EQ(trouble.err, "banyan lint: missing.json: No such file or directory\n");
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

// ---- What is said where the linter stopped before the end.

// "#,#,#" of count things, each '#' the next number from 0.
std::string Numbered(std::string_view thing, int count) {
  std::string list;
  for (int i = 0; i < count; ++i) {
    list += i == 0 ? "" : ",";
    for (const char c : thing) list += c == '#' ? std::to_string(i) : std::string(1, c);
  }
  return list;
}

std::string_view LastLine(std::string_view text) {
  if (!text.empty()) text.remove_suffix(1);
  return text.substr(text.rfind('\n') + 1);
}

class LintCutShortTest : public ToolTest {
 protected:
  // The last line about these rules, once for people and once for programs.
  void ExpectLastLines(const std::string& rules, const std::string& line, const std::string& json) {
    const std::string path = Write("rules.json", rules);
    const Result text = Run({"lint", "--envelope", "none", path});
    EXPECT_EQ(text.code, 1);
    EXPECT_EQ(LastLine(text.out), line);
    const Result machine = Run({"lint", "--envelope", "none", "--json", path});
    EXPECT_EQ(machine.code, 1);
    EXPECT_EQ(LastLine(machine.out), json);
  }
};

TEST_F(LintCutShortTest, WarningsBeyondAHundredOfOneRuleAreCounted) {
  ExpectLastLines(R"([{"name": "a", "pattern": {"s": [)" + Numbered("\"x\"", 103) + "]}}]",
                  "rules.json:1:27: rule \"a\": there are 2 more warnings",
                  R"({"file":"rules.json","line":1,"column":27,"rule":"a","kind":"cut-short",)"
                  R"("sentence":"there are 2 more warnings"})");
}

TEST_F(LintCutShortTest, APatternTooLargeToCompareItsPartsIsNamed) {
  // A thousand alternatives: all pairs of them are more than the bound allows.
  std::string pattern;
  for (const std::string_view field : {"a", "b", "c"}) {
    const std::string wildcard = std::string(field) + "#" + std::string(20, 'y');
    pattern += pattern.empty() ? "{" : ",";
    pattern +=
        R"("$or":[)" +
        Numbered("{\"" + std::string(field) + R"(":[{"wildcard":"*)" + wildcard + "*\"}]}", 10) +
        "]";
  }
  pattern += "}";
  const std::string sentence =
      "the pattern is too large to compare all of its parts; some that say nothing new may not be "
      "named";
  ExpectLastLines(R"([{"name": "a", "pattern": )" + pattern + "}]",
                  "rules.json:1:27: rule \"a\": " + sentence,
                  R"({"file":"rules.json","line":1,"column":27,"rule":"a","kind":"cut-short",)"
                  R"("sentence":")" +
                      sentence + "\"}");
}

TEST_F(LintCutShortTest, TooManyRulesToCompareAreNoOneRulesFault) {
  const std::string rule =
      R"({"name": "r#", "pattern": {"a": [{"wildcard": "*x#)" + std::string(100, 'y') + R"(*"}]}})";
  const std::string sentence =
      "there are too many rules that ask the same fields to compare them all; some that are "
      "implied by others may not be named";
  ExpectLastLines("[" + Numbered(rule, 150) + "]", "rules.json: " + sentence,
                  R"({"file":"rules.json","kind":"cut-short","sentence":")" + sentence + "\"}");
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
