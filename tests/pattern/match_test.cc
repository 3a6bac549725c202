// SPDX-License-Identifier: Apache-2.0
//
// What matches what: spec sections 1 to 7 and the edge cases of section 10, one behaviour a test.
#include "pattern/match.h"

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/attributes.h"
#include "banyan/limits.h"
#include "banyan/rule_set.h"
#include "gtest/gtest.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

// ---- Structure.

TEST(MatchTest, KeysAreAndedElementsAreOred) {
  const char* pattern = R"({"a":["x","y"],"b":[1]})";
  EXPECT_TRUE(Matches(pattern, R"({"a":"y","b":1,"c":"ignored"})"));
  EXPECT_FALSE(Matches(pattern, R"({"a":"y","b":2})"));
  EXPECT_FALSE(Matches(pattern, R"({"a":"y"})"));
}

TEST(MatchTest, DotsAndNestingAreTheSameOnBothSides) {
  for (const char* pattern : {R"({"a.b":[1]})", R"({"a":{"b":[1]}})"}) {
    EXPECT_TRUE(Matches(pattern, R"({"a":{"b":1}})"));
    EXPECT_TRUE(Matches(pattern, R"({"a.b":1})"));
    EXPECT_FALSE(Matches(pattern, R"({"b":1})"));
  }
}

TEST(MatchTest, TheLastLeafOfAPathWinsAndObjectsMerge) {
  EXPECT_FALSE(Matches(R"({"a":[1],"a":[2]})", R"({"a":1})"));
  EXPECT_TRUE(Matches(R"({"a":{"b":[1]},"a.b":[2]})", R"({"a":{"b":2}})"));
  EXPECT_FALSE(Matches(R"({"d":{"a":[1]},"d":{"b":[2]}})", R"({"d":{"a":1}})"));
  EXPECT_TRUE(Matches(R"({"d":{"a":[1]},"d":{"b":[2]}})", R"({"d":{"a":1,"b":2}})"));
}

TEST(MatchTest, APathAndAPathBelowItMayBothBeConditions) {
  const char* pattern = R"({"a":["x"],"a":{"b":[1]}})";
  EXPECT_TRUE(Matches(pattern, R"({"a":["x",{"b":1}]})"));
  EXPECT_FALSE(Matches(pattern, R"({"a":["x",{"b":2}]})"));
}

TEST(MatchTest, EscapesAreDecodedInKeysAndValues) {
  EXPECT_TRUE(Matches(R"({"\u0061":["\u0041b"]})", R"({"a":"Ab"})"));
  EXPECT_TRUE(Matches(R"({"a":["\ud83d\ude00"]})", "{\"a\":\"😀\"}"));
  EXPECT_TRUE(Matches(R"({"a":["\ud800"]})", R"({"a":"\ud800"})"));
  EXPECT_FALSE(Matches(R"({"a":["\ud800"]})", R"({"a":"\ud801"})"));
  EXPECT_FALSE(Matches("{\"a\":[\"é\"]}", "{\"a\":\"e\u0301\"}"));
}

TEST(MatchTest, TextBehindTheLastBraceIsIgnored) {
  EXPECT_TRUE(Matches(R"({"a":["x"]} zzz)", R"({"a":"x"} zzz)"));
}

TEST(MatchTest, AMalformedEventMatchesNothing) {
  for (const char* event :
       {"", "null", "[]", R"({"a":"x",})", R"({"b":{"c":[oops]}})", R"("{}")"}) {
    EXPECT_FALSE(Matches(R"({"zzz":[{"exists":false}]})", event)) << event;
  }
}

TEST(MatchTest, AnEventBeyondTheLimitsMatchesNothingAsInARuleSet) {
  Limits bytes, names, depth;
  bytes.pattern.event_bytes_max = 12;
  names.pattern.event_names_max = 2;
  depth.pattern.depth_max = 2;
  struct Row {
    Limits limits;
    std::string_view fits, exceeds, why;
  };
  const Row rows[] = {
      {bytes, R"({"a":"x"})", R"({"a":"x","b":1})", "the event has 15 bytes; at most 12"},
      {names, R"({"a":"x","b":1})", R"({"a":"x","b":{"c":1}})", "the event has 3 names or more"},
      {depth, R"({"a":"x","b":{}})", R"({"a":"x","b":{"c":{}}})", "Depth (3)"},
  };
  for (const Row& row : rows) {
    const std::string_view text = R"({"a":["x"]})";
    const EventPattern pattern =
        EventPattern::Parse(text, PatternLanguage::kEventBridge, row.limits).value();
    RuleSet rules(PatternLanguage::kEventBridge, row.limits);
    ASSERT_TRUE(rules.Put("r", text).ok());
    EXPECT_TRUE(pattern.Matches(row.fits)) << row.fits;
    EXPECT_EQ(rules.Match(row.fits).size(), 1u) << row.fits;
    EXPECT_FALSE(pattern.Matches(row.exceeds)) << row.exceeds;
    EXPECT_EQ(rules.Match(row.exceeds).size(), 0u) << row.exceeds;
    const Explanation why = pattern.Explain(row.exceeds);
    EXPECT_FALSE(why.matched);
    EXPECT_NE(why.sentence.find(row.why), std::string::npos) << why.sentence;
    EXPECT_FALSE(rules.Explain(row.exceeds)[0].verdict.matched) << row.exceeds;

    const std::string envelope =
        R"({"id":"","account":"","source":"","time":"","region":"","detail-type":""})";
    const absl::Status status = TestEventPattern(text, envelope, row.limits).status();
    if (row.limits.pattern.depth_max == 2) {
      EXPECT_TRUE(status.ok()) << status;
      const std::string deep = envelope.substr(0, envelope.size() - 1) + R"(,"d":{"e":{}}})";
      EXPECT_EQ(TestEventPattern(text, deep, row.limits).status().message(),
                "Parameter Event is not valid.");
    } else {
      EXPECT_EQ(status.message(), "Parameter Event is not valid.");
    }
  }
}

// The same rule as RuleSet's.
TEST(MatchTest, ALanguageSeesOnlyItsOwnKindOfEvent) {
  const std::string_view text = R"({"a":["x"]})", json = R"({"a":"x"})";
  const Attributes attributes = {{"a", "x"}};
  for (const PatternLanguage language :
       {PatternLanguage::kEventBridge, PatternLanguage::kSnsMessageAttributes,
        PatternLanguage::kSnsMessageBody}) {
    const EventPattern pattern = EventPattern::Parse(text, language).value();
    RuleSet rules(language);
    ASSERT_TRUE(rules.Put("r", text).ok());
    const bool of_attributes = language == PatternLanguage::kSnsMessageAttributes;
    EXPECT_EQ(pattern.Matches(json), !of_attributes);
    EXPECT_EQ(pattern.Matches(attributes), of_attributes);
    EXPECT_EQ(rules.Match(json).size(), of_attributes ? 0u : 1u);
    EXPECT_EQ(rules.Match(attributes).size(), of_attributes ? 1u : 0u);
    const Explanation foreign = of_attributes ? pattern.Explain(json) : pattern.Explain(attributes);
    EXPECT_FALSE(foreign.matched);
    EXPECT_EQ(foreign.sentence, of_attributes
                                    ? "the pattern looks at message attributes, not at JSON"
                                    : "the pattern looks at JSON, not at message attributes");
    EXPECT_EQ(foreign.path, "");
  }
}

// ---- Which pattern sees which value (section 4).

TEST(MatchTest, TypesNeverConvert) {
  struct Row {
    const char* value;  // in the event
    const char* kind;   // s n l: string, number, literal
  };
  const Row rows[] = {{"\"5\"", "s"}, {"5", "n"}, {"true", "l"}, {"false", "l"}, {"null", "l"}};
  for (const Row& row : rows) {
    const std::string event = std::string(R"({"a":)") + row.value + "}";
    SCOPED_TRACE(event);
    const bool is_string = *row.kind == 's', is_number = *row.kind == 'n';
    EXPECT_EQ(Matches(R"({"a":["5"]})", event), is_string);
    EXPECT_EQ(Matches(R"({"a":[{"prefix":""}]})", event), is_string);
    EXPECT_EQ(Matches(R"({"a":[{"suffix":""}]})", event), is_string);
    EXPECT_EQ(Matches(R"({"a":[{"wildcard":"*"}]})", event), is_string);
    EXPECT_EQ(Matches(R"({"a":[{"equals-ignore-case":"5"}]})", event), is_string);
    EXPECT_EQ(Matches(R"({"a":[5]})", event), is_number);
    EXPECT_EQ(Matches(R"({"a":[{"numeric":["<",6]}]})", event), is_number);
    EXPECT_EQ(Matches(R"({"a":[true]})", event), std::string(row.value) == "true");
    EXPECT_EQ(Matches(R"({"a":[false]})", event), std::string(row.value) == "false");
    EXPECT_EQ(Matches(R"({"a":[null]})", event), std::string(row.value) == "null");
    EXPECT_EQ(Matches(R"({"a":[{"anything-but":"5"}]})", event), !is_string);
    EXPECT_EQ(Matches(R"({"a":[{"anything-but":5}]})", event), !is_number);
    EXPECT_EQ(Matches(R"({"a":[{"anything-but":{"wildcard":"*"}}]})", event), !is_string);
    EXPECT_TRUE(Matches(R"({"a":[{"exists":true}]})", event));
    EXPECT_FALSE(Matches(R"({"a":[{"exists":false}]})", event));
  }
}

TEST(MatchTest, AnAbsentFieldSatisfiesNothingButExistsFalse) {
  for (const char* event : {"{}", R"({"a":[]})", R"({"a":{}})", R"({"a":[{}]})", R"({"a":{"b":1}})",
                            R"({"a":[{"b":1}]})", R"({"b":"x"})"}) {
    SCOPED_TRACE(event);
    EXPECT_TRUE(Matches(R"({"a":[{"exists":false}]})", event));
    EXPECT_TRUE(Matches(R"({"a":[{"exists":false},"x"]})", event));
    for (const char* pattern :
         {R"({"a":[null]})", R"({"a":[{"exists":true}]})", R"({"a":[{"anything-but":"x"}]})",
          R"({"a":[{"anything-but":5}]})", R"({"a":[{"prefix":""}]})", R"({"a":[""]})"}) {
      EXPECT_FALSE(Matches(pattern, event)) << pattern;
    }
  }
}

TEST(MatchTest, AnythingButPassesAnArrayIfAnyElementPasses) {
  EXPECT_TRUE(Matches(R"({"a":[{"anything-but":"x"}]})", R"({"a":["x","y"]})"));
  EXPECT_FALSE(Matches(R"({"a":[{"anything-but":"x"}]})", R"({"a":["x","x"]})"));
}

TEST(MatchTest, TwoAnythingButsAreAlternativesAndPassEverything) {
  EXPECT_TRUE(Matches(R"({"a":[{"anything-but":"x"},{"anything-but":"y"}]})", R"({"a":"x"})"));
}

TEST(MatchTest, AnythingButKnowsFiveForms) {
  EXPECT_FALSE(Matches(R"({"a":[{"anything-but":["x","y"]}]})", R"({"a":"y"})"));
  EXPECT_FALSE(Matches(R"({"a":[{"anything-but":[5,6]}]})", R"({"a":5.0})"));
  EXPECT_FALSE(Matches(R"({"a":[{"anything-but":{"prefix":["a","b"]}}]})", R"({"a":"bx"})"));
  EXPECT_FALSE(Matches(R"({"a":[{"anything-but":{"suffix":"x"}}]})", R"({"a":"bx"})"));
  EXPECT_FALSE(Matches(R"({"a":[{"anything-but":{"wildcard":["a*","*z"]}}]})", R"({"a":"xyz"})"));
  EXPECT_TRUE(Matches(R"({"a":[{"anything-but":{"wildcard":""}}]})", R"({"a":"x"})"));
}

TEST(MatchTest, QuotesAreNotPartOfAValue) {
  EXPECT_FALSE(Matches(R"({"a":[{"prefix":"ab\""}]})", R"({"a":"ab"})"));
  EXPECT_TRUE(Matches(R"({"a":[{"prefix":"ab\""}]})", R"({"a":"ab\"c"})"));
  EXPECT_FALSE(Matches(R"({"a":[{"suffix":"\"ab"}]})", R"({"a":"ab"})"));
}

// ---- Arrays (section 6).

TEST(MatchTest, ConditionsOnOneArrayMustMeetInOneElement) {
  const char* pattern = R"({"d":{"a":[1],"b":[2]}})";
  EXPECT_FALSE(Matches(pattern, R"({"d":[{"a":1},{"b":2}]})"));
  EXPECT_TRUE(Matches(pattern, R"({"d":[{"a":1,"b":3},{"a":1,"b":2}]})"));
  EXPECT_FALSE(Matches(pattern, R"({"d":[[{"a":1}],[{"b":2}]]})"));
  EXPECT_TRUE(Matches(pattern, R"({"d":[[{"a":1,"b":2}]]})"));
}

TEST(MatchTest, SiblingArraysAreIndependent) {
  EXPECT_TRUE(Matches(R"({"x":{"a":[1]},"y":{"b":[2]}})",
                      R"({"x":[{"a":0},{"a":1}],"y":[{"b":2},{"b":0}]})"));
}

TEST(MatchTest, InnerArraysOfDifferentElementsContradict) {
  EXPECT_FALSE(Matches(R"({"d":{"e":{"m":[1]},"f":{"k":[2]}}})",
                       R"({"d":[{"e":[{"m":1}],"f":[{"k":9}]},{"e":[{"m":9}],"f":[{"k":2}]}]})"));
  EXPECT_TRUE(
      Matches(R"({"d":{"n":[1],"e":{"m":[2]}}})", R"({"d":[{"n":1,"e":[{"m":0},{"m":2}]}]})"));
}

TEST(MatchTest, ScalarsOfArraysNeverContradict) {
  EXPECT_TRUE(Matches(R"({"a":["x"],"b":["y"]})", R"({"a":["x","q"],"b":["z","y"]})"));
  EXPECT_TRUE(Matches(R"({"d":{"t":["p"],"n":["q"]}})", R"({"d":[{"t":["p","z"],"n":"q"}]})"));
  EXPECT_FALSE(Matches(R"({"d":{"t":["p"],"n":["q"]}})",
                       R"({"d":[{"t":["p"],"n":"0"},{"t":["z"],"n":"q"}]})"));
}

TEST(MatchTest, RepeatedArraysAreIndependent) {
  EXPECT_TRUE(Matches(R"({"d":{"a":[1],"b":[2]}})", R"({"d":[{"a":1},{"a":0}],"d":[{"b":2}]})"));
}

// M2: absence is looked for in the elements chosen by paths that sort before it.
TEST(MatchTest, AbsenceDependsOnTheOrderOfPaths) {
  EXPECT_TRUE(Matches(R"({"d":{"a":[{"exists":true}],"b":[{"exists":false}]}})",
                      R"({"d":[{"a":1},{"b":2}]})"));
  EXPECT_FALSE(Matches(R"({"d":{"b":[{"exists":true}],"a":[{"exists":false}]}})",
                       R"({"d":[{"b":1},{"a":2}]})"));
  EXPECT_FALSE(Matches(R"({"d":{"a":[{"exists":true}],"b":[{"exists":false}]}})",
                       R"({"d":[{"a":1,"b":2}]})"));
}

// The order is that of UTF-16: a character outside of the basic plane sorts before U+E000..U+FFFF.
TEST(MatchTest, PathsSortAsJavaStrings) {
  const Utf16Less less;
  EXPECT_TRUE(less("\U0001F600", "\uFF21"));
  EXPECT_FALSE(less("\uFF21", "\U0001F600"));
  EXPECT_TRUE(less("\uD7FF", "\U0001F600"));
  EXPECT_TRUE(less("a", "b"));
  EXPECT_TRUE(less("a", "a.b"));
  EXPECT_FALSE(less("a", "a"));
  EXPECT_TRUE(less("", "a"));
  EXPECT_TRUE(Matches("{\"d\":{\"\uFF21\":[{\"exists\":false}],\"\U0001F600\":[1]}}",
                      "{\"d\":[{\"\U0001F600\":1},{\"\uFF21\":2}]}"));
}

// ---- $or (section 7).

TEST(MatchTest, OrIsAlternativesBesideItsSiblings) {
  const char* pattern = R"({"s":["x"],"$or":[{"a":[1]},{"b":[2],"$or":[{"c":[3]},{"d":[4]}]}]})";
  EXPECT_TRUE(Matches(pattern, R"({"s":"x","a":1})"));
  EXPECT_TRUE(Matches(pattern, R"({"s":"x","b":2,"d":4})"));
  EXPECT_FALSE(Matches(pattern, R"({"s":"x","b":2})"));
  EXPECT_FALSE(Matches(pattern, R"({"a":1})"));
}

TEST(MatchTest, TwoOrsMultiply) {
  const char* pattern = R"({"$or":[{"a":[1]},{"b":[2]}],"$or":[{"c":[3]},{"d":[4]}]})";
  EXPECT_TRUE(Matches(pattern, R"({"b":2,"c":3})"));
  EXPECT_FALSE(Matches(pattern, R"({"a":1,"b":2})"));
}

TEST(MatchTest, BranchesOverrideWhatIsBeforeAndAreOverriddenByWhatIsBehind) {
  EXPECT_TRUE(Matches(R"({"a":[1],"$or":[{"a":[2]},{"b":[3]}]})", R"({"a":2})"));
  EXPECT_FALSE(Matches(R"({"a":[1],"$or":[{"a":[2]},{"b":[3]}]})", R"({"a":1})"));
  EXPECT_FALSE(Matches(R"({"$or":[{"a":[2]},{"b":[3]}],"a":[1]})", R"({"a":2})"));
  EXPECT_TRUE(Matches(R"({"$or":[{"a":[2]},{"b":[3]}],"a":[1]})", R"({"a":1})"));
}

TEST(MatchTest, EachBranchIsCheckedForArraysByItself) {
  EXPECT_FALSE(
      Matches(R"({"d":{"a":[1],"$or":[{"b":[2]},{"c":[3]}]}})", R"({"d":[{"a":1},{"b":2}]})"));
}

TEST(MatchTest, AnOrThatIsNoRelationIsAField) {
  EXPECT_TRUE(Matches(R"({"$or":[{"prefix":"x"}]})", R"({"$or":"xyz"})"));
  EXPECT_TRUE(Matches(R"({"$or":["x","y"]})", R"({"$or":"x"})"));
  EXPECT_TRUE(Matches(R"({"$or":{"a":[1]}})", R"({"$or":{"a":1}})"));
}

// ---- Size: nothing here may take more than a blink.

// Sanitizers slow each step by an order of magnitude; the shapes show at smaller sizes, too.
#ifdef BANYAN_SANITIZER
constexpr size_t kScale = 10;
#else
constexpr size_t kScale = 1;
#endif

std::string ArrayOf(size_t count, const std::string& element, const std::string& last) {
  std::string array = "[";
  for (size_t i = 0; i + 1 < count; ++i) array += element + ",";
  return array + last + "]";
}

TEST(MatchTest, AHundredThousandElements) {
  constexpr size_t kCount = 100'000 / kScale;
  const char* pattern = R"({"d":{"a":[1],"b":[2]}})";
  EXPECT_FALSE(
      Matches(pattern, R"({"d":)" + ArrayOf(kCount, R"({"a":1},{"b":2})", R"({"a":1})") + "}"));
  EXPECT_TRUE(Matches(
      pattern, R"({"d":)" + ArrayOf(kCount, R"({"a":1},{"b":2})", R"({"a":1,"b":2})") + "}"));
}

TEST(MatchTest, SiblingArraysDoNotMultiply) {
  constexpr size_t kCount = 30'000 / kScale;
  const std::string hits = ArrayOf(kCount, R"({"a":1,"b":0})", R"({"a":1})");
  const std::string event = R"({"x":)" + hits + R"(,"y":)" + hits + R"(,"z":)" + hits + "}";
  EXPECT_FALSE(Matches(
      R"({"x":{"a":[1]},"y":{"a":[1]},"z":{"a":[1],"b":[{"exists":false},7],"c":[1]}})", event));
  EXPECT_TRUE(
      Matches(R"({"x":{"a":[1]},"y":{"a":[1]},"z":{"a":[1],"b":[{"exists":false},7]}})", event));
}

// Each array has one element per literal of a clause: choosing among them is satisfiability. The
// search gives up, says so, and does not take the process with it.
TEST(MatchTest, RepeatedArraysThatMultiplyAreGivenUp) {
  std::mt19937_64 random(1);  // a fixed instance
  std::string event = "{", pattern = R"({"d":{)";
  constexpr int kArrays = 40, kConditions = 200;
  std::vector<std::string> yes(kArrays), no(kArrays);
  for (int c = 0; c < kConditions; ++c) {
    const std::string name = "\"k" + std::to_string(1000 + c) + "\"";
    pattern += (c > 0 ? "," : "") + name + ":[1]";
    for (int literal = 0; literal < 3; ++literal) {
      (random() % 2 == 0 ? yes : no)[random() % kArrays] += name + ":1,";
    }
  }
  pattern += "}}";
  for (int i = 0; i < kArrays; ++i) {
    event += (i > 0 ? R"(,"d":[{)" : R"("d":[{)") + yes[static_cast<size_t>(i)] + R"("z":0},{)" +
             no[static_cast<size_t>(i)] + R"("z":0}])";
  }
  event += "}";
  const Explanation why = EventPattern::Parse(pattern).value().Explain(event);
  EXPECT_FALSE(why.matched);
  EXPECT_NE(why.sentence.find("given up"), std::string::npos) << why.sentence;
}

TEST(MatchTest, DeepNestingWorksUpToTheLimit) {
  const auto nested = [](size_t depth, const std::string& leaf) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) text += R"({"a":)";
    return text + leaf + std::string(depth, '}');
  };
  EXPECT_TRUE(Matches(nested(400, R"(["x"])"), nested(400, R"("x")")));
  Limits limits = Limits::Aws();
  limits.pattern.bytes_max = 1 << 20;
  // The leaf's bracket is a level, too.
  EXPECT_EQ(Reason(nested(999, R"(["x"])"), PatternLanguage::kEventBridge, limits), "");
  EXPECT_EQ(Reason(nested(1000, R"(["x"])"), PatternLanguage::kEventBridge, limits),
            "Depth (1001) exceeds the maximum allowed nesting depth (1000)");
  EXPECT_FALSE(Matches(R"({"b":[{"exists":false}]})", nested(1001, "1")));
}

TEST(MatchTest, DeepArraysOfManyElementsStayLinear) {
  std::string event = R"({"d":)" + std::string(900, '[');
  event += ArrayOf(50'000 / kScale, R"({"a":1})", R"({"b":2})").substr(1);
  event.pop_back();
  event += std::string(900, ']') + "}";
  EXPECT_FALSE(Matches(R"({"d":{"a":[1],"b":[2]}})", event));
}

// ---- Against the definition: choose a field per condition in every way.

// Small objects and arrays over few names and values, so that hits and contradictions are frequent.
std::string RandomValue(std::mt19937_64& random, int depth) {
  const uint64_t kind = random() % (depth > 0 ? 6 : 2);
  if (kind < 2) return std::to_string(random() % 2);
  std::string text = kind < 4 ? "{" : "[";
  for (uint64_t i = 0, count = random() % 4; i < count; ++i) {
    if (i > 0) text += ",";
    if (kind < 4) text += std::string("\"") + "abc"[random() % 3] + "\":";
    text += RandomValue(random, depth - 1);
  }
  return text + (kind < 4 ? "}" : "]");
}

// M1 and M2 by trying every choice, with the element chains walked in full.
bool SlowMatch(const SubRule& sub_rule, const EventFields& fields, size_t i,
               std::vector<uint32_t>* chosen) {
  if (i == sub_rule.conditions.size()) return true;
  const auto contradicts = [&fields](uint32_t a, uint32_t b) {
    for (uint32_t x = a; x != 0; x = fields.element(x).parent) {
      for (uint32_t y = b; y != 0; y = fields.element(y).parent) {
        if (x != y && fields.element(x).array == fields.element(y).array) return true;
      }
    }
    return false;
  };
  const Condition& condition = sub_rule.conditions[i];
  bool absent = true;
  for (const EventFields::Field& field : fields.Find(condition.path)) {
    bool consistent = true;
    for (const uint32_t other : *chosen)
      consistent = consistent && !contradicts(field.element, other);
    if (!consistent) continue;
    absent = false;
    for (const ValuePattern& value : condition.leaf->values) {
      if (!Matches(value, field.value)) continue;
      chosen->push_back(field.element);
      const bool found = SlowMatch(sub_rule, fields, i + 1, chosen);
      chosen->pop_back();
      if (found) return true;
      break;
    }
  }
  return condition.accepts_absence && absent && SlowMatch(sub_rule, fields, i + 1, chosen);
}

TEST(MatchTest, AgreesWithTryingEveryChoice) {
  std::mt19937_64 random = SeededRandom();
  const char* paths[] = {"a",   "b",     "c",     "a.a",   "a.b",  "b.a",
                         "b.b", "a.a.b", "a.b.a", "a.b.c", "b.a.a"};
  const char* leaves[] = {"[1]",
                          "[0]",
                          "[0,1]",
                          R"([{"exists":true}])",
                          R"([{"exists":false}])",
                          R"([{"exists":false},1])"};
  size_t matched = 0;
  for (int round = 0; round < 20'000 / static_cast<int>(kScale); ++round) {
    std::string pattern_text = "{";
    for (uint64_t i = 0, count = 1 + random() % 4; i < count; ++i) {
      if (i > 0) pattern_text += ",";
      pattern_text += std::string("\"") + paths[random() % std::size(paths)] +
                      "\":" + leaves[random() % std::size(leaves)];
    }
    pattern_text += "}";
    std::string event = "{";
    for (uint64_t i = 0, count = 1 + random() % 3; i < count; ++i) {
      if (i > 0) event += ",";
      event += std::string("\"") + "ab"[random() % 2] + "\":" + RandomValue(random, 4);
    }
    event += "}";
    const auto fields = EventFields::FromJson(event, EventLimits());
    ASSERT_TRUE(fields.has_value()) << event;
    const auto pattern = std::get<std::shared_ptr<const CompiledPattern>>(
        CompilePattern(pattern_text, PatternLanguage::kEventBridge, Limits::Aws()));
    std::vector<uint32_t> chosen;
    const bool expected = SlowMatch(pattern->sub_rules()[0], *fields, 0, &chosen);
    matched += expected;
    ASSERT_EQ(Match(*pattern, *fields), expected) << pattern_text << "\n" << event;
    ASSERT_EQ(ExplainMatch(*pattern, *fields).matched, expected) << pattern_text << "\n" << event;
  }
  EXPECT_GT(matched, 1'000u / kScale);
  EXPECT_LT(matched, 19'000u / kScale);
}

// ---- Threads.

TEST(MatchTest, OnePatternServesManyThreads) {
  const EventPattern pattern =
      EventPattern::Parse(R"({"d":{"a":[{"prefix":"x"}],"b":[{"wildcard":"*y*"}]}})").value();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([copy = pattern, &wrong] {
      for (int i = 0; i < 2'000; ++i) {
        if (!copy.Matches(R"({"d":[{"a":"q","b":"y"},{"a":"xx","b":"zyz"}]})")) ++wrong;
        if (copy.Matches(R"({"d":[{"a":"xx"},{"b":"zyz"}]})")) ++wrong;
        if (copy.Explain(R"({"d":{"a":"xx"}})").path != "d.b") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
