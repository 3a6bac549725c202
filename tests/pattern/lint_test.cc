// SPDX-License-Identifier: Apache-2.0
//
// Each kind of warning with its whole sentence, what must not be warned of, and patterns that want
// to keep the linter busy. That claims are true of events is lint_property_test.cc's business.

#include "banyan/lint.h"

#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = LintWarning::Kind;

constexpr LintEnvelope kBus = LintEnvelope::kEventBus;

LintOptions With(LintEnvelope envelope) {
  LintOptions options;
  options.envelope = envelope;
  return options;
}

LintOptions PortableTo(PatternService service) {
  LintOptions options;
  options.portable_to = service;
  return options;
}

// "1:7 redundant-value a: ..." per warning.
std::vector<std::string> Said(const std::vector<LintWarning>& warnings) {
  std::vector<std::string> said;
  for (const LintWarning& warning : warnings) {
    said.push_back(StrCat(warning.rule_id.empty() ? "" : StrCat(warning.rule_id, " "), warning.line,
                          ":", warning.column, " ", LintKindName(warning.kind), " ",
                          warning.sentence));
  }
  return said;
}
std::vector<std::string> Lint(std::string_view pattern, const LintOptions& options = {}) {
  return Said(LintPattern(pattern, options));
}

// ---- Not valid.

TEST(LintTest, AnInvalidPatternIsAWarningWithTheServicesReasonAndPlace) {
  EXPECT_THAT(
      Lint("{\"a\": 5}"),
      ElementsAre("1:8 invalid the pattern is not valid: \"a\" must be an object or an array"));
  EXPECT_THAT(Lint(""),
              ElementsAre("1:1 invalid the pattern is not valid: Filter is not an object"));
  EXPECT_THAT(Lint(R"({"a":[{"cidr":"10.0.0.0/33"}]})"),
              ElementsAre("0:0 invalid the pattern is not valid: IPv4 mask bits must be < 32"));
}

// ---- Never.

TEST(LintTest, ARangeWithoutComparableNumbersNeverMatches) {
  EXPECT_THAT(
      Lint(R"({"a":[{"numeric":[">",1,"<",1.0000000000000002]}]})"),
      ElementsAre("1:6 never-matches a: no number that can be compared lies between the "
                  "bounds of {\"numeric\":[\">\",1,\"<\",1.0000000000000002]}; no event can "
                  "match"));
  EXPECT_THAT(Lint(R"({"a":[{"numeric":[">",1.7976931348623157e308]}]})"),
              ElementsAre("1:6 never-matches a: no number that can be compared lies between the "
                          "bounds of {\"numeric\":[\">\",1.7976931348623157e308]}; no event can "
                          "match"));
  EXPECT_THAT(Lint(R"({"a":[{"numeric":[">",1,"<=",1.0000000000000002]}]})"), IsEmpty());
  EXPECT_THAT(
      Lint(R"({"a":["x",{"numeric":["<",-1.7976931348623157e308]}]})"),
      ElementsAre("1:11 dead-value a: no number that can be compared lies between the bounds "
                  "of {\"numeric\":[\"<\",-1.7976931348623157e308]}"));
}

TEST(LintTest, TheEnvelopeProvesThatAConditionNeverHolds) {
  const struct {
    std::string_view pattern;
    std::string_view warning;
  } kCases[] = {
      {R"({"source":[5]})",
       "1:11 never-matches source is always a string that is not empty: 5 never holds; no event "
       "can "
       "match"},
      {R"({"source":[""]})",
       "1:11 never-matches source is always a string that is not empty: \"\" never holds; no event "
       "can match"},
      {R"({"account":["12x",null]})",
       "1:12 never-matches account is always a string of twelve digits: \"12x\" never holds, and "
       "the other alternative never holds either; no event can match"},
      {R"({"account":[1,2,3]})",
       "1:12 never-matches account is always a string of twelve digits: 1 never holds, and the 2 "
       "other alternatives never hold either; no event can match"},
      {R"({"source.x":[1,2]})",
       "1:13 never-matches source is a string, so nothing lies below it: source.x is never there; "
       "no event can match"},
      {R"({"account":[{"wildcard":"12*a*"}]})",
       "1:12 never-matches account is always a string of twelve digits: {\"wildcard\":\"12*a*\"} "
       "never holds; no event can match"},
      {R"({"account":[{"cidr":"10.0.0.0/8"}]})",
       "1:12 never-matches account is always a string of twelve digits: {\"cidr\":\"10.0.0.0/8\"} "
       "never holds; no event can match"},
      {R"({"time":[{"prefix":"2026/"}]})",
       "1:9 never-matches time is always a string like \"2026-01-31T23:59:59Z\": "
       "{\"prefix\":\"2026/\"} never holds; no event can match"},
      {R"({"region":["US-EAST-1"]})",
       "1:11 never-matches region is always a string of lower-case letters, digits and hyphens: "
       "\"US-EAST-1\" never holds; no event can match"},
      {R"({"version":[{"anything-but":"0"}]})",
       "1:12 never-matches version is always \"0\": {\"anything-but\":\"0\"} never holds; no event "
       "can match"},
      {R"({"id":[{"exists":false}]})",
       "1:7 never-matches id is in every event: {\"exists\":false} never holds; no event can "
       "match"},
      {R"({"id":[{"suffix":"xyz"}]})",
       "1:7 never-matches id is always a UUID, a string of 36 hexadecimal digits and hyphens: "
       "{\"suffix\":\"xyz\"} never holds; no event can match"},
      {R"({"source":{"x":[1]}})",
       "1:16 never-matches source is a string, so nothing lies below it: source.x is never there; "
       "no "
       "event can match"},
      {R"({"resources.arn":["x"]})",
       "1:18 never-matches resources is a list of strings, so nothing lies below it: resources.arn "
       "is never there; no event can match"},
      {R"({"detail":[{"exists":true}]})",
       "1:11 never-matches detail is an object, and only what lies in it is a field: detail is "
       "never "
       "there; no event can match"},
      {R"({"$or":[{"source":["x"]},{"source":[true]}]})",
       "1:36 dead-branch source is always a string that is not empty: true never holds; no event "
       "matches through this branch of \"$or\""},
      {R"({"region":["us-east-1",{"equals-ignore-case":"EU_WEST"}]})",
       "1:24 dead-value region is always a string of lower-case letters, digits and hyphens: "
       "{\"equals-ignore-case\":\"EU_WEST\"} never holds"},
  };
  for (const auto& [pattern, warning] : kCases) {
    EXPECT_THAT(Lint(pattern, With(kBus)), ElementsAre(warning)) << pattern;
    EXPECT_THAT(Lint(pattern), IsEmpty()) << "nothing is known without an envelope: " << pattern;
  }
}

TEST(LintTest, WhatTheEnvelopeCanCarryIsNotWarnedOf) {
  for (const std::string_view pattern : {
           R"({"account":["123456789012",{"prefix":"99"},{"suffix":"9"}]})",
           R"({"time":[{"wildcard":"*-01-01T*"},{"suffix":"Z"}],"region":[{"prefix":"us-"}]})",
           R"({"source":[{"prefix":"aws."}],"detail-type":[{"anything-but":"x"}]})",
           R"({"resources":[{"exists":false}]})",
           R"({"resources":[{"exists":true}],"replay-name":[{"exists":false}]})",
           R"({"id":["6a7e8feb-b491-4cf7-a9f1-bf3703467718"],"detail":{"x":[5,null]}})",
           R"({"region":[{"equals-ignore-case":"US-EAST-1"}],"replay-name":["10.0.0.x"]})",
       }) {
    std::vector<std::string> claims;
    for (const LintWarning& warning : LintPattern(pattern, With(kBus))) {
      // A suffix "Z" is what every time has; that is said, and true.
      if (warning.kind != Kind::kPassesEverything) claims.push_back(warning.sentence);
    }
    EXPECT_THAT(claims, IsEmpty()) << pattern;
  }
}

// ---- Everything.

TEST(LintTest, AlternativesThatTogetherPassEverything) {
  EXPECT_THAT(Lint(R"({"detail":{"state":[{"anything-but":"x"},{"anything-but":"y"}]}})"),
              ElementsAre("1:20 passes-everything detail.state: the alternatives "
                          "[{\"anything-but\":\"x\"},{\"anything-but\":\"y\"}] together pass every "
                          "value; they ask no more than [{\"exists\":true}]"));
  EXPECT_THAT(
      Lint(R"({"a":["x",{"anything-but":["x"]}]})"),
      ElementsAre("1:6 passes-everything a: the alternatives [\"x\",{\"anything-but\":[\"x\"]}] "
                  "together pass every value; they ask no more than [{\"exists\":true}]"));
  EXPECT_THAT(Lint(R"({"a":[{"anything-but":{"prefix":"x"}},{"anything-but":{"prefix":"y"}}]})"),
              ElementsAre(testing::HasSubstr("together pass every value")));
  EXPECT_THAT(Lint(R"({"a":[{"anything-but":5},{"numeric":[">=",5]}]})"),
              ElementsAre(testing::HasSubstr("together pass every value")));
  EXPECT_THAT(Lint(R"({"a":[{"exists":true},{"exists":false}]})"),
              ElementsAre("1:6 passes-everything a: [{\"exists\":true},{\"exists\":false}] holds "
                          "whether the field is there or not"));
  EXPECT_THAT(Lint(R"({"a":[{"anything-but":{"prefix":"x"}},{"anything-but":{"suffix":"y"}}]})"),
              IsEmpty())
      << "\"xy\" passes neither";
  EXPECT_THAT(Lint(R"({"a":[{"exists":true}],"b":[{"exists":false},{"anything-but":"x"}]})"),
              IsEmpty());
}

// That the field is never there is one fault, that the list asks nothing of it another.
TEST(LintTest, AlternativesOfAFieldThatIsNeverThere) {
  EXPECT_THAT(
      Lint(R"({"a":[{"anything-but":"x"},{"anything-but":"y"}]})", With(kBus)),
      ElementsAre("1:2 unknown-field EventBridge's envelope has no member \"a\"; what an event is "
                  "about lies below \"detail\"; no event can match",
                  "1:6 passes-everything a: the alternatives "
                  "[{\"anything-but\":\"x\"},{\"anything-but\":\"y\"}] together pass every "
                  "value; they ask no more than [{\"exists\":true}]"));
  EXPECT_THAT(Lint(R"({"detail":["x",{"anything-but":"x"}]})", With(kBus)),
              ElementsAre("1:11 never-matches detail is an object, and only what lies in it is a "
                          "field: detail is never there; no event can match",
                          testing::HasSubstr("together pass every value")));
  EXPECT_THAT(Lint(R"({"a":[{"exists":true},{"exists":false}]})", With(kBus)),
              ElementsAre(testing::EndsWith("it is always absent, so this asks nothing"),
                          "1:6 passes-everything a: [{\"exists\":true},{\"exists\":false}] holds "
                          "whether the field is there or not"));
}

TEST(LintTest, ConditionsThatTheEnvelopeFulfils) {
  EXPECT_THAT(
      Lint(R"({"source":[{"exists":true}]})", With(kBus)),
      ElementsAre("1:11 passes-everything source is in every event and is always a string that "
                  "is not empty: [{\"exists\":true}] holds for every event"));
  EXPECT_THAT(Lint(R"({"version":["0"]})", With(kBus)),
              ElementsAre("1:12 passes-everything version is in every event and is always \"0\": "
                          "[\"0\"] holds for every event"));
  EXPECT_THAT(
      Lint(R"({"detail":[{"exists":false}]})", With(kBus)),
      ElementsAre("1:11 passes-everything detail is an object, and only what lies in it is a "
                  "field: detail is never there, and [{\"exists\":false}] holds for every "
                  "event"));
}

// ---- Redundant.

TEST(LintTest, AlternativesThatOthersCover) {
  EXPECT_THAT(
      Lint(R"({"a":["abc",{"prefix":"a"},"abc",{"numeric":[">",0]},5]})"),
      ElementsAre(
          "1:7 redundant-value a: \"abc\" is covered by {\"prefix\":\"a\"} in the same list",
          "1:28 redundant-value a: \"abc\" is listed twice",
          "1:54 redundant-value a: 5 is covered by {\"numeric\":[\">\",0]} in the same list"));
  const struct {
    std::string_view list;
    std::string_view sentence;
  } kCases[] = {
      {R"([{"prefix":"abc"},{"prefix":"ab"}])",
       R"(a: {"prefix":"abc"} is covered by {"prefix":"ab"} in the same list)"},
      {R"([{"suffix":"ab"},{"suffix":"b"}])",
       R"(a: {"suffix":"ab"} is covered by {"suffix":"b"} in the same list)"},
      {R"([{"equals-ignore-case":"ABC"},"aBc"])",
       R"(a: "aBc" is covered by {"equals-ignore-case":"ABC"} in the same list)"},
      {R"([{"wildcard":"a*b*c"},{"wildcard":"a*c"}])",
       R"(a: {"wildcard":"a*b*c"} is covered by {"wildcard":"a*c"} in the same list)"},
      {R"([1,1.0])", R"(a: 1.0 says the same as 1)"},
      {R"([{"numeric":["=",1]},1e0])", R"(a: 1e0 says the same as {"numeric":["=",1]})"},
      {R"([{"numeric":[">",0,"<",5]},{"numeric":[">=",0]}])",
       R"(a: {"numeric":[">",0,"<",5]} is covered by {"numeric":[">=",0]} in the same list)"},
      {R"([{"cidr":"10.0.0.0/8"},{"cidr":"10.1.0.0/16"}])",
       R"(a: {"cidr":"10.1.0.0/16"} is covered by {"cidr":"10.0.0.0/8"} in the same list)"},
      {R"([{"anything-but":["x","y"]},5])",
       R"(a: 5 is covered by {"anything-but":["x","y"]} in the same list)"},
      {R"([{"exists":false},{"exists":false}])", R"(a: {"exists":false} is listed twice)"},
      {R"([{"prefix":""},"x"])", R"(a: "x" is covered by {"prefix":""} in the same list)"},
  };
  for (const auto& [list, sentence] : kCases) {
    const std::vector<LintWarning> warnings = LintPattern(StrCat("{\"a\":", list, "}"));
    ASSERT_EQ(warnings.size(), 1u) << list;
    EXPECT_EQ(warnings[0].kind, Kind::kRedundantValue) << list;
    EXPECT_EQ(warnings[0].sentence, sentence);
    EXPECT_EQ(warnings[0].path, "a");
  }
  // Neighbours that are not covered: other types, other cases, other sides.
  for (const std::string_view list :
       {R"(["x",5,true,null,{"prefix":"y"}])", R"([{"equals-ignore-case":"SS"},"\u00df"])",
        R"([{"prefix":"ab"},{"suffix":"ab"}])", R"([9007199254740993,{"numeric":[">",0]}])",
        R"([{"wildcard":"a*b"},"a"])"}) {
    EXPECT_THAT(Lint(StrCat("{\"a\":", list, "}")), IsEmpty()) << list;
  }
}

TEST(LintTest, BranchesThatOthersImply) {
  EXPECT_THAT(
      Lint(R"({"$or":[{"a":[1]},{"a":[1,2]},{"a":[2,1]}]})"),
      ElementsAre("1:9 redundant-branch branch 1 of \"$or\" adds nothing to branch 2: every "
                  "event that matches through it matches without it",
                  "1:31 redundant-branch branch 3 of \"$or\" asks the same as branch 2"));
  EXPECT_THAT(
      Lint(R"({"x":[1],"$or":[{"a":[1],"b":[2]},{"b":[{"numeric":[">",0]}]}]})"),
      ElementsAre(testing::StartsWith("1:17 redundant-branch branch 1 of \"$or\" adds nothing "
                                      "to branch 2")));
  EXPECT_THAT(Lint(R"({"a":[1],"$or":[{"a":[2],"b":[1]},{"b":[1]}]})"),
              ElementsAre(testing::HasSubstr("replaced-condition")))
      << "the second branch keeps a = 1, the first does not";
}

TEST(LintTest, AbsenceDependsOnTheElementsChosenBefore) {
  // Without the condition on d.a, d.b is looked for in all elements: not implied.
  EXPECT_THAT(LintRules({{.id = "A", .pattern = R"({"d":{"a":[1],"b":[{"exists":false}]}})"},
                         {.id = "B", .pattern = R"({"d":{"b":[{"exists":false}]}})"}}),
              IsEmpty());
  // Another first segment cannot lie in the same array.
  EXPECT_THAT(
      Said(LintRules({{.id = "A", .pattern = R"({"a":[1],"d":{"b":[{"exists":false}]}})"},
                      {.id = "B", .pattern = R"({"d":{"b":[{"exists":false}]}})"}})),
      ElementsAre("A 0:0 implied-rule every event that matches this rule matches rule \"B\" as "
                  "well"));
}

// ---- Rules beside each other.

TEST(LintTest, RulesImpliedByOthersToTheSameTarget) {
  const std::vector<LintRule> rules = {
      {.id = "big",
       .pattern = R"({"d":{"total":[{"numeric":[">",100]}]}})",
       .targets = {"q", "inbox"}},
      {.id = "all", .pattern = R"({"d":{"total":[{"exists":true}]}})", .targets = {"inbox"}},
      {.id = "same", .pattern = R"({"d.total":[{"exists":true}]})", .targets = {"inbox"}},
      {.id = "elsewhere", .pattern = R"({"d":{"total":[{"exists":true}]}})", .targets = {"other"}},
      {.id = "broken", .pattern = "{", .targets = {"inbox"}},
      {.id = "no targets", .pattern = R"({"d":{"total":[7]}})"},
  };
  const std::vector<LintWarning> warnings = LintRules(rules);
  EXPECT_THAT(
      Said(warnings),
      ElementsAre("big 0:0 implied-rule every event that matches this rule matches rule \"all\" "
                  "as well, and both deliver to inbox, which gets it twice",
                  "same 0:0 equal-rule this rule matches the same events as rule \"all\", and "
                  "both deliver to inbox, which gets it twice",
                  testing::StartsWith("broken 1:2 invalid ")));
  EXPECT_EQ(warnings[0].other_rule_id, "all");
}

TEST(LintTest, RulesOfOneIdAreSaidToBeSoAndNotCompared) {
  const std::string pattern = R"({"a":["x"]})";
  const std::vector<LintWarning> warnings = LintRules({{.id = "x", .pattern = pattern},
                                                       {.id = "y", .pattern = pattern},
                                                       {.id = "x", .pattern = pattern},
                                                       {.id = "z", .pattern = pattern}});
  EXPECT_THAT(
      Said(warnings),
      ElementsAre("x 0:0 repeated-id two rules are called \"x\", so they are not compared with "
                  "others",
                  "z 0:0 equal-rule this rule matches the same events as rule \"y\""));
  // Also if they are not valid, or disabled.
  EXPECT_THAT(
      Said(LintRules({{.id = "x", .pattern = pattern},
                      {.id = "x", .pattern = "{"},
                      {.id = "x", .pattern = pattern, .is_enabled = false}})),
      ElementsAre(
          "x 0:0 repeated-id 3 rules are called \"x\", so they are not compared with others",
          testing::StartsWith("x 1:2 invalid ")));
}

TEST(LintTest, ADisabledRuleIsLintedAlone) {
  EXPECT_THAT(
      Said(LintRules({{.id = "on", .pattern = R"({"a":["x"]})"},
                      {.id = "off", .pattern = R"({"a":["x","x"]})", .is_enabled = false}})),
      ElementsAre("off 1:11 redundant-value a: \"x\" is listed twice"));
}

TEST(LintTest, EachSubRuleNeedsOneThatItImplies) {
  const std::string either = R"({"$or":[{"a":[1]},{"b":[2]}]})";
  EXPECT_THAT(
      Said(LintRules({{.id = "A", .pattern = R"({"a":[1],"c":[3]})"},
                      {.id = "B", .pattern = either},
                      {.id = "C", .pattern = R"({"$or":[{"a":[1]},{"c":[2]}]})"}})),
      ElementsAre(testing::StartsWith("A 0:0 implied-rule every event that matches this rule "
                                      "matches rule \"B\"")));
}

TEST(LintTest, ConditionsThatAlwaysHoldDoNotHideAnImpliedRule) {
  EXPECT_THAT(Said(LintRules({{.id = "A", .pattern = R"({"detail":{"x":[1]}})"},
                              {.id = "B", .pattern = R"({"version":["0"],"detail":{"x":[1,2]}})"}},
                             With(kBus))),
              ElementsAre(testing::StartsWith("A 0:0 implied-rule"),
                          testing::StartsWith("B 1:12 passes-")));
}

// ---- Names.

TEST(LintTest, FieldsThatTheEnvelopeDoesNotHave) {
  EXPECT_THAT(
      Lint(R"({"soruce":["x"],"detailType":["x"],"state":["x"],"x":{"y":[{"exists":false}]}})",
           With(kBus)),
      ElementsAre(
          "1:2 unknown-field EventBridge's envelope has no member \"soruce\" (did you mean "
          "\"source\"?); no event can match",
          "1:17 unknown-field EventBridge's envelope has no member \"detailType\" (did you mean "
          "\"detail-type\"?); no event can match",
          "1:36 unknown-field EventBridge's envelope has no member \"state\"; what an event is "
          "about lies below \"detail\"; no event can match",
          "1:55 unknown-field EventBridge's envelope has no member \"x\"; what an event is "
          "about lies below \"detail\"; it is always absent, so this asks nothing"));
}

TEST(LintTest, NamesThatNoMessageAttributeHas) {
  LintOptions options = With(LintEnvelope::kSnsAttributes);
  options.language = PatternLanguage::kSnsMessageAttributes;
  EXPECT_THAT(
      Lint(R"({"a b":["x"],".x":[1],"a..b":[1],"ok_-.1":["x"]})", options),
      ElementsAre("1:2 unknown-field no message attribute can be called \"a b\": a name has "
                  "letters, digits, \"_\", \"-\" and \".\" only; no event can match",
                  "1:14 unknown-field no message attribute can be called \".x\": a name has no "
                  "dot at its ends; no event can match",
                  "1:23 unknown-field no message attribute can be called \"a..b\": a name has "
                  "no two dots in a row; no event can match"));
}

TEST(LintTest, OrThatFellBackToAName) {
  EXPECT_THAT(
      Lint(R"({"$or":[{"prefix":"x"}]})"),
      ElementsAre(
          "1:20 or-is-field \"$or\" is read as the name of a field, because it is no "
          "valid relation: prefix is Ruler reserved fieldName which cannot be used inside $or."));
}

TEST(LintTest, ConditionsThatLaterOnesReplace) {
  EXPECT_THAT(
      Lint("{\"a\":[1],\n \"a\":[2]}"),
      ElementsAre("1:2 replaced-condition a: of several conditions on one path the last counts; "
                  "[1] is replaced by [2] (line 2, column 2)"));
  EXPECT_THAT(Lint(R"({"a":{"b":[1]},"a.b":[2]})"),
              ElementsAre("1:7 replaced-condition a.b: of several conditions on one path the last "
                          "counts; [1] is replaced by [2] (line 1, column 16)"));
  EXPECT_THAT(
      Lint(R"({"a":[1],"$or":[{"a":[2]},{"b":[3]}]})"),
      ElementsAre("1:2 replaced-condition a: of several conditions on one path the last counts; "
                  "[1] is replaced in a branch of \"$or\" by [2] (line 1, column 18)"));
  EXPECT_THAT(Lint(R"({"d":{"a":[1]},"d":{"b":[2]}})"), IsEmpty()) << "objects merge";
  EXPECT_THAT(Lint(R"({"$or":[{"a":[1]},{"a":[2]}]})"), IsEmpty());
}

// ---- Other services.

TEST(LintTest, WhatPipesDoNotTake) {
  const std::string pattern =
      R"({"a":[{"wildcard":"x*y"}],"b":[{"anything-but":{"suffix":"x"}}],"c":[{"anything-but":["p","q"]}],"d":[{"exactly":"x"}]})";
  EXPECT_THAT(
      Lint(pattern, PortableTo(PatternService::kPipes)),
      ElementsAre("1:7 not-portable a: EventBridge Pipes does not take wildcard, as in "
                  "{\"wildcard\":\"x*y\"}",
                  "1:32 not-portable b: EventBridge Pipes does not take anything-but with "
                  "suffix, as in {\"anything-but\":{\"suffix\":\"x\"}}",
                  "1:103 not-portable d: EventBridge Pipes does not document exactly, as in "
                  "{\"exactly\":\"x\"}"));
  EXPECT_THAT(Lint(pattern), IsEmpty());
}

TEST(LintTest, WhatSnsRefuses) {
  EXPECT_THAT(
      Lint(R"({"a":[{"wildcard":"x*y"}]})", PortableTo(PatternService::kSnsMessageBody)),
      ElementsAre("1:20 not-portable SNS (message body) refuses this pattern: Unrecognized match "
                  "type wildcard"));
  EXPECT_THAT(
      Lint(R"({"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]})",
           PortableTo(PatternService::kSnsMessageBody)),
      ElementsAre("0:0 not-portable SNS (message body) refuses this pattern: Filter policy can "
                  "not have more than 5 keys"));
  EXPECT_THAT(Lint(R"({"a":{"b":[1]}})", PortableTo(PatternService::kSnsMessageAttributes)),
              ElementsAre(testing::HasSubstr("does not support nested filter policy")));
  EXPECT_THAT(Lint(R"({"a":{"b":[1]}})", PortableTo(PatternService::kSnsMessageBody)), IsEmpty());
}

// ---- Looks.

TEST(LintTest, WhatLooksLikeSomethingElse) {
  const struct {
    std::string_view element;
    std::string_view sentence;
  } kCases[] = {
      {R"("5")", R"(a: "5" is a string, which the number 5 does not match)"},
      {R"("true")", R"(a: "true" is a string, which the literal true does not match)"},
      {R"("exists")",
       R"(a: "exists" is a plain string, no operator; an operator is an object: {"exists": ...})"},
      {R"("prefix:x")",
       R"(a: "prefix:x" is a plain string, no operator; an operator is an object: {"prefix": ...})"},
      {R"("10.0.0.1")",
       R"(a: "10.0.0.1" is compared as an address: other spellings of it match, too)"},
      {R"("arn:aws:s3:::*")",
       R"(a: the * in "arn:aws:s3:::*" stands for itself; where it should stand for any text, write {"wildcard": "arn:aws:s3:::*"})"},
      {R"("^abc$")",
       R"(a: "^abc$" looks like a regular expression, and is a plain string: patterns have none)"},
      {R"(" x")", R"(a: " x" has a space at an end, which counts)"},
      {R"({"prefix":"x*"})",
       R"(a: the * in {"prefix":"x*"} stands for itself: prefix knows no wildcards)"},
      {R"({"wildcard":"a?b*"})",
       R"(a: the ? in {"wildcard":"a?b*"} stands for itself: only * is a wildcard)"},
      {R"({"wildcard":"abc"})",
       R"(a: {"wildcard":"abc"} has no *, so it matches that one string only)"},
  };
  for (const auto& [element, sentence] : kCases) {
    EXPECT_THAT(Lint(StrCat("{\"a\":[", element, "]}")),
                ElementsAre(StrCat("1:7 looks-wrong ", sentence)));
  }
  EXPECT_THAT(
      Lint(R"({"d":{"prefix":["x"]}})"),
      ElementsAre("1:7 looks-wrong this asks for a field d.prefix; as an operator on d it goes "
                  "into the array: [{\"prefix\": \"x\"}]"));
  EXPECT_THAT(Lint(R"({"prefix":["x"]})"), IsEmpty());
  EXPECT_THAT(Lint(R"({"a":[{"wildcard":"shop.*"}]})"), IsEmpty()) << "a dotted name";
  for (const std::string_view text : {".*", "^shop.*", "[a-z].*", ".*shop.*", "shop.*x"}) {
    EXPECT_THAT(Lint(StrCat(R"({"a":[{"wildcard":")", text, "\"}]}")),
                ElementsAre(testing::HasSubstr("looks like a regular expression")))
        << text;
  }
  EXPECT_THAT(Lint(R"({"account":["123456789012"]})", With(kBus)), IsEmpty());
}

// ---- Bounds.

// `count` elements; each '#' of `element` becomes the element's number.
std::string ManyValues(std::string_view element, int count) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) {
    if (i > 0) list += ",";
    for (const char c : element) {
      if (c == '#') {
        list += std::to_string(i);
      } else {
        list += c;
      }
    }
  }
  return list + "]";
}

LintOptions Wide() {
  LintOptions options;
  options.limits = Limits::Relaxed();
  options.limits.pattern.wildcard_complexity_max = 1'000'000;
  return options;
}

TEST(LintTest, AHundredWarningsAreShownAndTheRestCounted) {
  const std::vector<LintWarning> warnings =
      LintPattern(StrCat("{\"a\":", ManyValues("\"x\"", 1'000), "}"), Wide());
  ASSERT_EQ(warnings.size(), 101u);
  EXPECT_EQ(warnings.back().kind, Kind::kCutShort);
  EXPECT_EQ(warnings.back().sentence, "there are 899 more warnings");
}

TEST(LintTest, NoWarningsAreAskedFor) {
  LintOptions options;
  options.warnings_max = 0;
  EXPECT_THAT(Lint(R"({"a":["x","x"]})", options),
              ElementsAre("0:0 cut-short there is one more warning"));
  EXPECT_THAT(Lint("{", options), ElementsAre(testing::StartsWith("1:2 invalid ")));
}

// These would take minutes if pairs were tried.
TEST(LintTest, TenThousandValuesAreNoTrouble) {
  for (const std::string_view element :
       {R"("v#")", R"({"prefix":"v#"})", R"({"suffix":"#v"})", R"({"equals-ignore-case":"v#"})",
        R"({"prefix":{"equals-ignore-case":"v#x"}})", R"({"wildcard":"v#*x"})", "#",
        R"({"numeric":[">",#]})", R"({"anything-but":"v#"})", R"({"anything-but":{"prefix":"v#"}})",
        R"("10.0.0.1","v#",{"cidr":"10.0.0.0/8"},{"anything-but":#})"}) {
    EXPECT_FALSE(LintPattern(StrCat("{\"a\":", ManyValues(element, 10'000), "}"), Wide()).size() >
                 101)
        << element;
  }
}

TEST(LintTest, ThousandsOfRulesAreNoTrouble) {
  std::vector<LintRule> rules;
  for (int i = 0; i < 3'000; ++i) {
    rules.push_back({.id = StrCat("r", i),
                     .pattern = StrCat(R"({"source":["shop"],"detail":{"customer":["c)", i,
                                       R"("],"total":[{"numeric":[">",)", i, "]}]}}"),
                     .targets = {"inbox", "audit"}});
  }
  rules.push_back(
      {.id = "all", .pattern = R"({"source":[{"prefix":"sh"}]})", .targets = {"audit"}});
  const std::vector<LintWarning> warnings = LintRules(rules);
  EXPECT_EQ(warnings.size(), 3'000u);
  EXPECT_EQ(warnings.front().other_rule_id, "all");
}

TEST(LintTest, RulesThatAllAskOneFieldAreComparedWithinABound) {
  std::vector<LintRule> rules;
  for (int i = 0; i < 1'000; ++i) {
    rules.push_back({.id = StrCat("r", i),
                     .pattern = StrCat(R"({"a":[{"wildcard":"*x)", i, R"(*y*"}]})"),
                     .targets = {}});
  }
  EXPECT_THAT(LintRules(rules).size(), testing::Lt(1'001u));
}

TEST(LintTest, HostilePatternsAreReadLikeOthers) {
  std::string deep;
  for (int i = 0; i < 900; ++i) deep += "{\"a\":";
  deep += "[1]" + std::string(900, '}');
  EXPECT_THAT(Lint(deep, Wide()), IsEmpty());

  std::string dotted = "{\"a" + std::string(900, '.') + "\":[\"x\"]}";
  EXPECT_THAT(Lint(dotted), IsEmpty());

  // A thousand sub-rules, each implied by another.
  std::string product = "{\"x\":[1]";
  for (int i = 0; i < 3; ++i) {
    StrAppend(&product, ",\"$or\":[");
    for (int b = 0; b < 10; ++b)
      StrAppend(&product, b > 0 ? "," : "", "{\"k", i, "\":[", b, ",77]}");
    StrAppend(&product, "]");
  }
  EXPECT_THAT(Lint(product + "}", Wide()), IsEmpty());

  std::string repeated = "{\"a\":[0]";
  for (int i = 0; i < 5'000; ++i) StrAppend(&repeated, ",\"a\":[", i, "]");
  EXPECT_EQ(LintPattern(repeated + "}", Wide()).size(), 101u);

  EXPECT_THAT(Lint("{\"\\ud800\":[\"\\ud800\",{\"equals-ignore-case\":\"\\ud800\"}]}"),
              ElementsAre(testing::HasSubstr("redundant-value")));
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
