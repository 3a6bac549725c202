// SPDX-License-Identifier: Apache-2.0
//
// What banyan/rule_set.h promises, one behaviour a test. That answers are the interpreter's is
// rule_set_agreement_test.cc's, that readers see one moment rule_set_concurrency_test.cc's.
#include "banyan/rule_set.h"

#include <string>
#include <string_view>
#include <vector>

#include "banyan/attributes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1 {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

#ifdef BANYAN_SANITIZER
constexpr size_t kSizeScale = 10;
#else
constexpr size_t kSizeScale = 1;
#endif

std::vector<std::string> MatchChecked(const RuleSet& rules, std::string_view json) {
  const absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(json);
  EXPECT_TRUE(event.ok()) << event.status();
  return event.ok() ? rules.Match(*event) : std::vector<std::string>();
}

// ---- Putting and removing.

TEST(RuleSetTest, FindsTheRulesThatMatch) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("big", R"({"detail":{"total":[{"numeric":[">",100]}]}})").ok());
  ASSERT_TRUE(rules.Put("paid", R"({"detail":{"state":["paid"]}})").ok());
  ASSERT_TRUE(rules.Put("lost", R"({"detail":{"state":["lost"]}})").ok());
  EXPECT_THAT(rules.Match(R"({"detail":{"state":"paid","total":120}})"),
              ElementsAre("big", "paid"));
  EXPECT_THAT(MatchChecked(rules, R"( {"detail":{"state":"paid","total":120}} )"),
              ElementsAre("big", "paid"));
  EXPECT_THAT(rules.Match(R"({"detail":{"state":"new","total":100}})"), IsEmpty());
  EXPECT_EQ(rules.Stats().rules, 3);
}

TEST(RuleSetTest, AnEmptySetMatchesNothingAndMinds) {
  RuleSet rules;
  EXPECT_THAT(rules.Match("{}"), IsEmpty());
  EXPECT_THAT(MatchChecked(rules, "{}"), IsEmpty());
  EXPECT_THAT(rules.Match(Attributes{{"a", "x"}}), IsEmpty());
  EXPECT_THAT(rules.Explain("{}"), IsEmpty());
  EXPECT_FALSE(rules.Remove("x"));
  EXPECT_EQ(rules.Stats().rules, 0);
  EXPECT_EQ(rules.language(), PatternLanguage::kEventBridge);
}

TEST(RuleSetTest, OldestFirstAndAReplacedRuleIsNew) {
  RuleSet rules;
  for (const char* id : {"c", "a", "b"}) ASSERT_TRUE(rules.Put(id, R"({"x":[1]})").ok());
  EXPECT_THAT(rules.Match(R"({"x":1})"), ElementsAre("c", "a", "b"));
  ASSERT_TRUE(rules.Put("c", R"({"x":[1,2]})").ok());
  EXPECT_THAT(rules.Match(R"({"x":1})"), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(rules.Put("a", R"({"x":[1]})").ok());  // even by itself
  EXPECT_THAT(rules.Match(R"({"x":1})"), ElementsAre("b", "c", "a"));
  EXPECT_TRUE(rules.Remove("c"));
  ASSERT_TRUE(rules.Put("c", R"({"x":[1]})").ok());
  EXPECT_THAT(MatchChecked(rules, R"({"x":1})"), ElementsAre("b", "a", "c"));
}

TEST(RuleSetTest, ARuleThatMatchesInManyWaysIsFoundOnce) {
  RuleSet rules;
  ASSERT_TRUE(rules
                  .Put("r", R"({"$or":[{"a":[1,{"numeric":[">",0]},{"exists":true}]},
                                        {"b":[{"prefix":"x"},{"suffix":"x"},"x"]},
                                        {"c":[{"exists":false}]}]})")
                  .ok());
  EXPECT_THAT(rules.Match(R"({"a":[1,1,2],"b":["x","x"],"a":1})"), ElementsAre("r"));
}

TEST(RuleSetTest, AReplacedRuleAnswersAsTheNewOneOnly) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("r", R"({"x":["old"]})").ok());
  ASSERT_TRUE(rules.Put("r", R"({"x":["new"]})").ok());
  EXPECT_THAT(rules.Match(R"({"x":"old"})"), IsEmpty());
  EXPECT_THAT(rules.Match(R"({"x":"new"})"), ElementsAre("r"));
  EXPECT_EQ(rules.Stats().rules, 1);
  EXPECT_TRUE(rules.Remove("r"));
  EXPECT_FALSE(rules.Remove("r"));
  EXPECT_THAT(rules.Match(R"({"x":"new"})"), IsEmpty());
}

TEST(RuleSetTest, RemovingARuleLeavesItsTwin) {
  RuleSet rules;
  const char* pattern = R"({"a":[{"prefix":"x"}],"b":[{"numeric":[">",1,"<",5]}]})";
  ASSERT_TRUE(rules.Put("one", pattern).ok());
  ASSERT_TRUE(rules.Put("two", pattern).ok());
  EXPECT_TRUE(rules.Remove("one"));
  EXPECT_THAT(rules.Match(R"({"a":"xy","b":3})"), ElementsAre("two"));
}

TEST(RuleSetTest, AnInvalidPatternChangesNothing) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("a", R"({"x":[1]})").ok());
  ASSERT_TRUE(rules.Put("b", R"({"x":[1]})").ok());
  const int64_t memory = rules.Stats().memory_bytes;
  for (const char* pattern :
       {"", "{", "[]", R"({"x":1})", R"({"x":[]})", R"({"x":[{"prefux":"a"}]})",
        R"({"x":[1],"$or":[{"a":[1]},{"a":["b",{"cidr":"10.0.0.1/32"}]}]})"}) {
    for (const char* id : {"a", "new"}) {
      const absl::Status status = rules.Put(id, pattern);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << pattern;
      EXPECT_EQ(status, EventPattern::Parse(pattern).status()) << pattern;
    }
  }
  EXPECT_THAT(rules.Match(R"({"x":1})"), ElementsAre("a", "b"));
  EXPECT_EQ(rules.Stats().rules, 2);
  EXPECT_EQ(rules.Stats().memory_bytes, memory);
}

TEST(RuleSetTest, AFullSetRefusesNewRulesAndTakesReplacements) {
  Limits limits = Limits::Aws();
  limits.pattern.rules_max = 2;
  RuleSet rules(PatternLanguage::kEventBridge, limits);
  ASSERT_TRUE(rules.Put("a", R"({"x":[1]})").ok());
  ASSERT_TRUE(rules.Put("b", R"({"x":[1]})").ok());
  EXPECT_EQ(rules.Put("c", R"({"x":[1]})").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rules.Put("c", "no pattern").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(rules.Put("a", R"({"x":[1,2]})").ok());
  EXPECT_THAT(rules.Match(R"({"x":1})"), ElementsAre("b", "a"));
  EXPECT_TRUE(rules.Remove("b"));
  EXPECT_TRUE(rules.Put("c", R"({"x":[1]})").ok());
  EXPECT_THAT(rules.Match(R"({"x":1})"), ElementsAre("a", "c"));
}

TEST(RuleSetTest, LimitsOfThePatternAreTheSets) {
  Limits limits = Limits::Aws();
  limits.pattern.bytes_max = 10;
  limits.pattern.depth_max = 3;
  RuleSet rules(PatternLanguage::kEventBridge, limits);
  EXPECT_FALSE(rules.Put("long", R"({"abcdef":[1]})").ok());
  ASSERT_TRUE(rules.Put("r", R"({"x":[1]})").ok());
  EXPECT_THAT(rules.Match(R"({"x":[[1]]})"), ElementsAre("r"));
  EXPECT_THAT(rules.Match(R"({"x":[[[1]]]})"), IsEmpty());
  EXPECT_EQ(rules.Stats().refused_events, 1);
}

// ---- Ids: any bytes.

TEST(RuleSetTest, AnIdIsAnyBytes) {
  using std::string_literals::operator""s;
  RuleSet rules;
  const std::vector<std::string> ids = {
      "",      "\0"s,      "\0\0"s,     "a", "a\0b"s,
      "a\0c"s, "\xff\xfe", "\"id\"\n{", "é", std::string(100'000, 'i')};
  for (const std::string& id : ids) ASSERT_TRUE(rules.Put(id, R"({"x":[1]})").ok());
  EXPECT_EQ(rules.Match(R"({"x":1})"), ids);
  EXPECT_EQ(rules.Stats().rules, static_cast<int64_t>(ids.size()));
  for (const std::string& id : ids) EXPECT_TRUE(rules.Remove(id));
  EXPECT_EQ(rules.Stats().rules, 0);
}

TEST(RuleSetTest, IdsAndPatternsAreCopied) {
  RuleSet rules;
  std::string id = "the id", pattern = R"({"x":["a long value that is stored somewhere"]})";
  ASSERT_TRUE(rules.Put(id, pattern).ok());
  id.assign(id.size(), '?');
  pattern.assign(pattern.size(), '?');
  EXPECT_THAT(rules.Match(R"({"x":"a long value that is stored somewhere"})"),
              ElementsAre("the id"));
}

// ---- Visiting.

TEST(RuleSetTest, VisitsEachIdInOrderAndCountsThem) {
  RuleSet rules;
  for (const char* id : {"b", "a"}) ASSERT_TRUE(rules.Put(id, R"({"x":[1]})").ok());
  std::vector<std::string> seen;
  const auto visit = [&seen](std::string_view id) { seen.emplace_back(id); };
  EXPECT_EQ(rules.Match(R"({"x":1})", visit), 2u);
  EXPECT_EQ(rules.Match(CheckedEvent::Check(R"({"x":1})").value(), visit), 2u);
  EXPECT_EQ(rules.Match(R"({"x":2})", visit), 0u);
  EXPECT_EQ(rules.Match("no event", visit), 0u);
  EXPECT_THAT(seen, ElementsAre("b", "a", "b", "a"));
}

TEST(RuleSetTest, TheVisitorMayCallTheSet) {
  RuleSet rules;
  const int count = 20;
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(rules.Put("old" + std::to_string(i), R"({"x":[1]})").ok());
  }
  int visited = 0;
  const size_t found = rules.Match(R"({"x":1})", [&](std::string_view id) {
    const std::string before(id);
    // The event goes on meeting the rules of the moment its match began.
    EXPECT_EQ(before, "old" + std::to_string(visited));
    EXPECT_TRUE(rules.Remove("old" + std::to_string(visited)));
    EXPECT_TRUE(rules.Put("new" + std::to_string(visited), R"({"x":[1]})").ok());
    EXPECT_EQ(rules.Match(R"({"x":1})").size(), static_cast<size_t>(count));
    EXPECT_EQ(id, before) << "the id lives as long as the visit";
    rules.Stats();
    ++visited;
  });
  EXPECT_EQ(found, static_cast<size_t>(count));
  EXPECT_EQ(visited, count);
  const std::vector<std::string> now = rules.Match(R"({"x":1})");
  ASSERT_EQ(now.size(), static_cast<size_t>(count));
  EXPECT_EQ(now.front(), "new0");
}

// ---- Many events at once.

TEST(RuleSetTest, TellsWhichOfManyEventsMatches) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("even", R"({"n":[0,2,4,6,8,10,12,14,16,18]})").ok());
  ASSERT_TRUE(rules.Put("large", R"({"n":[{"numeric":[">",9]}]})").ok());
  // More than are looked at together; one of them a giant, whose memory is given back on the way.
  std::vector<std::string> texts;
  for (int n = 0; n < 21; ++n) texts.push_back("{\"n\":" + std::to_string(n) + "}");
  texts[5] = R"({"pad":")" + std::string(100'000, 'x') + R"(","n":[5,5,5]})";
  std::vector<CheckedEvent> events;
  for (const std::string& text : texts) events.push_back(CheckedEvent::Check(text).value());

  std::vector<std::string> seen;
  const auto visit = [&seen](size_t event, std::string_view id) {
    seen.push_back(std::to_string(event) + " " + std::string(id));
  };
  std::vector<std::string> expected;
  for (int n = 0; n < 21; ++n) {
    if (n % 2 == 0 && n < 19) expected.push_back(std::to_string(n) + " even");
    if (n > 9) expected.push_back(std::to_string(n) + " large");
  }
  EXPECT_EQ(rules.Match(events, visit), expected.size());
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(rules.Match(absl::Span<const CheckedEvent>(), visit), 0u);

  RuleSet policies(PatternLanguage::kSnsMessageAttributes);
  ASSERT_TRUE(policies.Put("p", R"({"n":[{"exists":false}]})").ok());
  EXPECT_EQ(policies.Match(events, visit), 0u);
}

TEST(RuleSetTest, ManyEventsMeetTheRulesOfOneMoment) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("old", R"({"x":[1]})").ok());
  const std::vector<CheckedEvent> events(30, CheckedEvent::Check(R"({"x":1})").value());
  int visited = 0;
  const size_t count = rules.Match(events, [&](size_t, std::string_view id) {
    EXPECT_EQ(id, "old");
    rules.Remove("old");
    EXPECT_TRUE(rules.Put("new" + std::to_string(visited++), R"({"x":[1]})").ok());
    rules.Stats();
  });
  EXPECT_EQ(count, 30u);
  EXPECT_EQ(rules.Match(R"({"x":1})").size(), 30u);
}

// ---- Languages.

TEST(RuleSetTest, AttributesAreForAttributePoliciesOnly) {
  RuleSet attributes(PatternLanguage::kSnsMessageAttributes);
  ASSERT_TRUE(attributes.Put("r", R"({"a":["x"]})").ok());
  EXPECT_THAT(attributes.Match(Attributes{{"a", "x"}}), ElementsAre("r"));
  EXPECT_THAT(attributes.Match(R"({"a":"x"})"), IsEmpty());
  EXPECT_THAT(MatchChecked(attributes, R"({"a":"x"})"), IsEmpty());
  for (const PatternLanguage language :
       {PatternLanguage::kEventBridge, PatternLanguage::kSnsMessageBody}) {
    RuleSet json(language);
    ASSERT_TRUE(json.Put("r", R"({"a":["x"]})").ok());
    EXPECT_THAT(json.Match(R"({"a":"x"})"), ElementsAre("r"));
    EXPECT_THAT(json.Match(Attributes{{"a", "x"}}), IsEmpty());
    EXPECT_EQ(json.language(), language);
  }
}

TEST(RuleSetTest, EachLanguageHasItsOperators) {
  RuleSet events, bodies(PatternLanguage::kSnsMessageBody);
  EXPECT_TRUE(events.Put("r", R"({"a":[{"wildcard":"x*"}]})").ok());
  EXPECT_FALSE(bodies.Put("r", R"({"a":[{"wildcard":"x*"}]})").ok());
}

TEST(RuleSetTest, AMessageWithoutAttributesMatchesNothing) {
  RuleSet rules(PatternLanguage::kSnsMessageAttributes);
  ASSERT_TRUE(rules.Put("absent", R"({"a":[{"exists":false}]})").ok());
  EXPECT_THAT(rules.Match(Attributes()), IsEmpty());
  EXPECT_THAT(rules.Match(Attributes{{"b", "x"}}), ElementsAre("absent"));
  EXPECT_THAT(rules.Match(Attributes{{"b", AttributeValue::Binary("x")}}), ElementsAre("absent"));
}

// ---- Events that are none.

TEST(RuleSetTest, RefusedEventsAreCounted) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("absent", R"({"none":[{"exists":false}]})").ok());
  int64_t refused = 0;
  for (const char* event :
       {"", "null", "[]", "{", R"({"a":1,})", R"({"a":[oops]})", "\"{}\"", R"({"a":01})",
        "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}", "{\"a\":\"\n\"}", R"({"a":"\x"})", R"({"a" 1})"}) {
    EXPECT_THAT(rules.Match(event), IsEmpty()) << event;
    EXPECT_EQ(rules.Stats().refused_events, ++refused) << event;
    EXPECT_FALSE(CheckedEvent::Check(event).ok()) << event;
  }
  EXPECT_THAT(rules.Match("{}"), ElementsAre("absent"));
  EXPECT_THAT(rules.Match(R"({"a":1} whatever)"), ElementsAre("absent"));
  EXPECT_EQ(rules.Stats().refused_events, refused);
}

// A text is refused for any mistake in it, however early the answer is known.
TEST(RuleSetTest, AMistakeBehindTheLastWantedFieldCounts) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("r", R"({"a":[1]})").ok());
  const std::string skipped =
      R"("skipped":{"text":")" + std::string(300, 'x') + R"(","list":[1,2,{)";
  EXPECT_THAT(rules.Match(R"({"a":1,)" + skipped + "}]}}"), ElementsAre("r"));
  EXPECT_THAT(rules.Match(R"({"a":1,)" + skipped + "]}}"), IsEmpty());
  EXPECT_THAT(rules.Match(R"({"a":1,)" + skipped + "}],}}"), IsEmpty());
  EXPECT_THAT(rules.Match(R"({"a":1,)" + skipped + "}]}"), IsEmpty());
}

std::string Repeated(size_t count, std::string_view text) {
  std::string out;
  out.reserve(count * text.size());
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(RuleSetTest, BombsAreRefused) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("absent", R"({"none":[{"exists":false}]})").ok());
  ASSERT_TRUE(rules.Put("deep", R"({"a":{"a":{"a":[{"exists":true}]}}})").ok());
  const size_t deep = 1'000'000;
  std::string names = "{";
  for (size_t i = 0; i <= 1'000'000; ++i) names += R"("":1,)";
  const std::vector<std::string> bombs = {
      R"({"a":)" + std::string(deep, '['),                                 // depth, never closed
      R"({"a":)" + std::string(deep, '[') + std::string(deep, ']') + "}",  // depth, closed
      Repeated(deep, R"({"a":)"),                                          // depth of objects
      R"({"a":")" + std::string(size_t{16} << 20, 'x') + R"("})",          // size
      names + R"("a":1})",                                                 // names
  };
  int64_t refused = 0;
  for (const std::string& bomb : bombs) {
    EXPECT_THAT(rules.Match(bomb), IsEmpty()) << bomb.substr(0, 20);
    EXPECT_EQ(rules.Stats().refused_events, ++refused) << bomb.substr(0, 20);
    EXPECT_EQ(CheckedEvent::Check(bomb).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(RuleSetTest, BoundsOfEventsAreExact) {
  Limits limits = Limits::Aws();
  limits.pattern.event_bytes_max = 20;
  limits.pattern.event_names_max = 3;
  limits.pattern.depth_max = 4;
  RuleSet rules(PatternLanguage::kEventBridge, limits);
  ASSERT_TRUE(rules.Put("r", R"({"z":[{"exists":false}]})").ok());
  const auto accepts = [&](std::string_view event) {
    const bool found = !rules.Match(event).empty();
    EXPECT_EQ(CheckedEvent::Check(event, limits).ok(), found) << event;
    return found;
  };
  EXPECT_TRUE(accepts(R"({"a":"345678901234"})"));
  EXPECT_FALSE(accepts(R"({"a":"3456789012345"})"));
  EXPECT_TRUE(accepts(R"({"a":1,"b":{"c":1}})"));
  EXPECT_FALSE(accepts(R"({"a":{"b":{}},"c":{"":1}})"));
  EXPECT_TRUE(accepts(R"({"a":[[[1]]]})"));
  EXPECT_FALSE(accepts(R"({"a":[[[[1]]]]})"));
}

// ---- Size.

TEST(RuleSetTest, AHundredThousandElements) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("both", R"({"d":{"a":[1],"b":[2]}})").ok());
  ASSERT_TRUE(rules.Put("lone", R"({"d":{"a":[1],"b":[{"exists":false}]}})").ok());
  const std::string many =
      R"({"d":[)" + Repeated(100'000 / kSizeScale, R"({"a":1,"b":3},{"b":2},)");
  for (const auto& [last, expected] :
       {std::pair<const char*, std::vector<std::string>>{R"({"a":0}]})", {}},
        {R"({"a":1}]})", {"lone"}},
        {R"({"b":2,"a":1}]})", {"both"}},
        {R"({"a":1},{"a":1,"b":2}]})", {"both", "lone"}}}) {
    EXPECT_EQ(rules.Match(many + last), expected) << last;
    EXPECT_EQ(MatchChecked(rules, many + last), expected) << last;
  }
}

// More sub-rules than any event may have to choose from by itself.
TEST(RuleSetTest, AThousandAlternativesAreOneRule) {
  RuleSet rules;
  std::string pattern = "{";
  for (const char* key : {"a", "b", "c"}) {
    pattern += pattern.size() > 1 ? R"(,"$or":[)" : R"("$or":[)";
    for (int i = 0; i < 10; ++i) {
      pattern += (i > 0 ? ",{\"" : "{\"") + std::string(key) + "\":[" + std::to_string(i) + "]}";
    }
    pattern += "]";
  }
  ASSERT_TRUE(rules.Put("r", pattern + "}").ok());
  for (int i = 0; i < 1'000; i += 37) {
    const std::string event = R"({"a":)" + std::to_string(i % 10) + R"(,"b":)" +
                              std::to_string(i / 10 % 10) + R"(,"c":)" + std::to_string(i / 100) +
                              "}";
    EXPECT_THAT(rules.Match(event), ElementsAre("r"));
  }
  EXPECT_THAT(rules.Match(R"({"a":1,"b":10,"c":1})"), IsEmpty());
  EXPECT_TRUE(rules.Remove("r"));
  EXPECT_THAT(rules.Match(R"({"a":1,"b":1,"c":1})"), IsEmpty());
}

// What a rule's branches are numbered by inside of the set comes back from rules that are gone, in
// any order; a reader who meets only one of the branches must cope. (It once wrote behind its own
// memory: a sanitizer sees that, the answers did not show it.)
TEST(RuleSetTest, BranchesMayTakeThePlacesOfRemovedRules) {
  constexpr int kBranches = 60;
  std::string pattern = R"({"$or":[)";
  for (int i = 0; i < kBranches; ++i) {
    pattern += (i > 0 ? R"(,{"a":[)" : R"({"a":[)") + std::to_string(i) + "]}";
  }
  pattern += "]}";
  for (const bool upwards : {true, false}) {
    for (int branch = 0; branch < kBranches; branch += 7) {
      RuleSet rules;
      ASSERT_TRUE(rules.Put("stays", R"({"b":[1]})").ok());
      for (int i = 0; i < kBranches; ++i) {
        ASSERT_TRUE(rules.Put(std::to_string(i), R"({"b":[1]})").ok());
      }
      for (int i = 0; i < kBranches; ++i) {
        ASSERT_TRUE(rules.Remove(std::to_string(upwards ? i : kBranches - 1 - i)));
      }
      ASSERT_TRUE(rules.Put("or", pattern).ok());
      EXPECT_THAT(rules.Match(R"({"a":)" + std::to_string(branch) + "}"), ElementsAre("or"));
    }
  }
}

TEST(RuleSetTest, ManyRulesOfEachKindAreToldApart) {
  RuleSet rules;
  const size_t count = 2'000 / kSizeScale;
  const auto number = [](size_t i) { return std::to_string(100'000 + i); };
  for (size_t i = 0; i < count; ++i) {
    const std::string n = number(i);
    ASSERT_TRUE(rules.Put("exact" + n, R"({"a":[")" + n + R"("]})").ok());
    ASSERT_TRUE(rules.Put("prefix" + n, R"({"a":[{"prefix":")" + n + R"(+"}]})").ok());
    ASSERT_TRUE(rules.Put("suffix" + n, R"({"a":[{"suffix":"-)" + n + R"("}]})").ok());
    ASSERT_TRUE(rules.Put("case" + n, R"({"a":[{"equals-ignore-case":"X)" + n + R"("}]})").ok());
    ASSERT_TRUE(rules.Put("wild" + n, R"({"a":[{"wildcard":"*<)" + n + R"(>*"}]})").ok());
    ASSERT_TRUE(rules.Put("number" + n, R"({"a":[)" + n + "]}").ok());
    ASSERT_TRUE(rules
                    .Put("range" + n,
                         R"({"b":[{"numeric":[">",)" + n + R"(,"<=",)" + number(i + 1) + "]}]}")
                    .ok());
    ASSERT_TRUE(rules.Put("path" + n, R"({"p)" + n + R"(":[{"exists":true}]})").ok());
  }
  const std::string n = number(count / 2);
  EXPECT_THAT(rules.Match(R"({"a":")" + n + R"("})"), ElementsAre("exact" + n));
  EXPECT_THAT(rules.Match(R"({"a":")" + n + R"(+-)" + n + R"("})"),
              ElementsAre("prefix" + n, "suffix" + n));
  EXPECT_THAT(rules.Match(R"({"a":"x)" + n + R"("})"), ElementsAre("case" + n));
  EXPECT_THAT(rules.Match(R"({"a":"?<)" + n + R"(>?"})"), ElementsAre("wild" + n));
  EXPECT_THAT(rules.Match(R"({"a":)" + n + R"(.0})"), ElementsAre("number" + n));
  EXPECT_THAT(rules.Match(R"({"b":)" + number(count / 2 + 1) + "}"), ElementsAre("range" + n));
  EXPECT_THAT(rules.Match(R"({"b":)" + n + ".5}"), ElementsAre("range" + n));
  EXPECT_THAT(rules.Match(R"({"p)" + n + R"(":null})"), ElementsAre("path" + n));
}

// ---- Explain.

TEST(RuleSetTest, ExplainsEachRuleInTheOrderOfIds) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("b", R"({"x":[1]})").ok());
  ASSERT_TRUE(rules.Put("a", R"({"y":[1]})").ok());
  ASSERT_TRUE(rules.Put("B", R"({"x":[2]})").ok());
  const std::vector<RuleVerdict> verdicts = rules.Explain(R"({"x":1})");
  ASSERT_EQ(verdicts.size(), 3u);
  EXPECT_EQ(verdicts[0].id, "B");
  EXPECT_EQ(verdicts[1].id, "a");
  EXPECT_EQ(verdicts[2].id, "b");
  EXPECT_FALSE(verdicts[0].verdict.matched);
  EXPECT_EQ(verdicts[0].verdict.path, "x");
  EXPECT_FALSE(verdicts[1].verdict.matched);
  EXPECT_TRUE(verdicts[2].verdict.matched);
  for (const RuleVerdict& rule : rules.Explain("no event")) {
    EXPECT_FALSE(rule.verdict.matched);
    EXPECT_FALSE(rule.verdict.sentence.empty());
  }
}

TEST(RuleSetTest, ExplainsAttributes) {
  RuleSet rules(PatternLanguage::kSnsMessageAttributes);
  ASSERT_TRUE(rules.Put("r", R"({"a":["x"]})").ok());
  ASSERT_EQ(rules.Explain(Attributes{{"a", "x"}}).size(), 1u);
  EXPECT_TRUE(rules.Explain(Attributes{{"a", "x"}})[0].verdict.matched);
  EXPECT_FALSE(rules.Explain(Attributes{{"a", "y"}})[0].verdict.matched);
}

// ---- Memory.

TEST(RuleSetTest, MemoryComesBack) {
  RuleSet rules;
  const auto cycle = [&rules] {
    for (size_t i = 0; i < 5'000 / kSizeScale; ++i) {
      const std::string n = std::to_string(i);
      const std::string pattern = R"({"a":["v)" + n + R"("],"p)" + n +
                                  R"(":[{"exists":true}],"b":[{"numeric":[">",)" + n +
                                  R"(]}],"c":[{"prefix":"p)" + n + R"("}]})";
      ASSERT_TRUE(rules.Put(n, pattern).ok());
      ASSERT_TRUE(rules.Put(n, pattern).ok());
    }
    for (size_t i = 0; i < 5'000 / kSizeScale; ++i) ASSERT_TRUE(rules.Remove(std::to_string(i)));
  };
  const int64_t empty = rules.Stats().memory_bytes;
  cycle();
  const int64_t once = rules.Stats().memory_bytes;
  for (int i = 0; i < 4; ++i) cycle();
  // Tables may stay large; what hangs in them may not, and nothing may grow without end.
  EXPECT_LE(rules.Stats().memory_bytes, once + once / 10);
  EXPECT_LE(rules.Stats().memory_bytes, empty + 200'000);
}

// Conditions with many values are looked up, not tried one by one; the answer is the same.
TEST(RuleSetTest, LongListsAnswerAsShortOnes) {
  std::string texts, numbers, both, excluded, excluded_numbers;
  for (int i = 0; i < 300; i += 3) {
    const std::string n = std::to_string(i);
    texts += (i > 0 ? ",\"t" : "\"t") + n + "\"";
    numbers += (i > 0 ? "," : "") + n + ".5";
    both += (i > 0 ? ",\"t" : "\"t") + n + "\"," + n + ",{\"prefix\":\"p" + n + "-\"}";
    excluded += (i > 0 ? ",\"t" : "\"t") + n + "\"";
    excluded_numbers += (i > 0 ? "," : "") + n;
  }
  const std::string patterns[] = {
      R"({"a":[)" + texts + "]}",
      R"({"a":[)" + numbers + "]}",
      R"({"a":[)" + both + R"(,null,{"numeric":["<",-10]}]})",
      R"({"a":[{"anything-but":[)" + excluded + "]}]}",
      R"({"a":[{"anything-but":[)" + excluded_numbers + "]}]}",
      R"({"key":["k"],"a":[)" + both + R"(,{"exists":false}]})",
  };
  RuleSet rules;
  std::vector<EventPattern> interpreted;
  for (size_t i = 0; i < std::size(patterns); ++i) {
    ASSERT_TRUE(rules.Put(std::to_string(i), patterns[i]).ok());
    interpreted.push_back(EventPattern::Parse(patterns[i]).value());
  }
  std::vector<std::string> values = {"null",
                                     "true",
                                     "-10",
                                     "-11",
                                     "\"\"",
                                     "[]",
                                     "0.50",
                                     "3.5e0",
                                     "[1,4.5]",
                                     "-0",
                                     "9007199254740993"};
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    for (const std::string& value :
         {n, n + ".5", n + ".50", "\"t" + n + "\"", "\"p" + n + "-x\""}) {
      values.push_back(value);
    }
  }
  for (const std::string& value : values) {
    for (const std::string rest : {"", R"(,"key":"k")"}) {
      const std::string event = "{\"a\":" + value + rest + "}";
      std::vector<std::string> expected;
      for (size_t i = 0; i < interpreted.size(); ++i) {
        if (interpreted[i].Matches(event)) expected.push_back(std::to_string(i));
      }
      EXPECT_EQ(rules.Match(event), expected) << event;
    }
  }
}

// "$or" times long lists would be filed thousands of times; it is filed less precisely instead.
TEST(RuleSetTest, AProductOfAlternativesAndListsStaysSmall) {
  std::string list;
  for (int i = 0; i < 400; ++i) list += (i > 0 ? "," : "") + std::to_string(i);
  std::string alternatives;
  for (int i = 0; i < 60; ++i) {
    alternatives +=
        (i > 0 ? "," : "") + (R"({"b":[{"anything-but":"x)" + std::to_string(i)) + "\"}]}";
  }
  const std::string pattern = R"({"a":[)" + list + R"(],"$or":[)" + alternatives + "]}";
  RuleSet rules;
  ASSERT_TRUE(rules.Put("r", pattern).ok());
  EXPECT_LT(rules.Stats().memory_bytes, 2'000'000);
  EXPECT_THAT(rules.Match(R"({"a":[7.5,399],"b":"x3"})"), ElementsAre("r"));
  EXPECT_THAT(rules.Match(R"({"a":[7.5,400],"b":"x3"})"), IsEmpty());
  EXPECT_THAT(rules.Match(R"({"a":7})"), IsEmpty());
  EXPECT_TRUE(rules.Remove("r"));
}

// Many numbers at a path of many ranges: each range is found once.
TEST(RuleSetTest, ManyNumbersMeetManyRanges) {
  RuleSet rules;
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_TRUE(rules.Put("above" + n, R"({"a":[{"numeric":[">",)" + n + "]}]}").ok());
    ASSERT_TRUE(
        rules.Put("in" + n, R"({"a":[{"numeric":[">=",)" + n + R"(,"<",)" + n + ".5]}]}").ok());
  }
  const std::vector<std::string> found = rules.Match(R"({"a":[150.25,-3,3.5,3.49,150.25,150]})");
  EXPECT_EQ(found.size(), 151u + 2u);
  EXPECT_THAT(found, Contains("above150"));
  EXPECT_THAT(found, Not(Contains("above151")));
  EXPECT_THAT(found, Contains("in3"));
  EXPECT_THAT(found, Contains("in150"));
}

// A few numbers and ranges at a path are compared one by one, many are looked up: the same answer
// while rules come and go across the border, whichever goes first.
TEST(RuleSetTest, FewNumbersBecomeManyAndFewAgain) {
  const std::vector<std::string> conditions = {
      "3",
      "-0",
      R"({"numeric":["=",7.5]})",
      R"({"numeric":["<",-2]})",
      R"({"numeric":[">=",7.5]})",
      R"({"numeric":[">",0,"<=",3]})",
      R"({"numeric":[">",3,"<",1e300]})",
      R"(3,{"numeric":["<",-1e300]})",
      R"({"numeric":[">=",-0.5,"<",0.5]})",
      "1e2",
      "100,-7",
      R"({"numeric":["=",100]},"text")",
  };
  const std::vector<std::string> numbers = {"3",  "3.0",    "0",      "-0.0", "7.5", "75e-1", "-7",
                                            "-2", "-2.001", "-2e300", "100",  "1E2", "0.5",   "99"};
  RuleSet rules;
  std::vector<std::string> there;  // index into conditions, oldest first
  const auto pattern_of = [&](const std::string& id) {
    return R"({"a":{"n":[)" + conditions[std::stoul(id)] + "]}}";
  };
  const auto compare = [&] {
    for (const std::string& n : numbers) {
      for (const std::string& event :
           {R"({"a":{"n":)" + n + "}}",
            R"({"a":[{"n":1},{"n":)" + n + R"(},{"n":[4,)" + n + "]}]}"}) {
        std::vector<std::string> expected;
        for (const std::string& id : there) {
          if (EventPattern::Parse(pattern_of(id))->Matches(event)) expected.push_back(id);
        }
        ASSERT_EQ(rules.Match(event), expected) << event << " with " << there.size() << " rules";
      }
    }
  };
  for (const bool oldest_goes_first : {true, false}) {
    for (size_t i = 0; i < conditions.size(); ++i) {
      there.push_back(std::to_string(i));
      ASSERT_TRUE(rules.Put(there.back(), pattern_of(there.back())).ok());
      compare();
    }
    while (!there.empty()) {
      const auto gone = oldest_goes_first ? there.begin() : there.end() - 1;
      ASSERT_TRUE(rules.Remove(*gone));
      there.erase(gone);
      rules.Stats();  // takes out what is removed
      compare();
      // And one comes back at once, across the border in the other direction.
      if (there.size() != 8) continue;
      ASSERT_TRUE(rules.Put("0", pattern_of("0")).ok());
      std::erase(there, "0");
      there.push_back("0");
      compare();
    }
  }
}

// An element that needs a frame only for something unwanted, at each depth: the frames move now and
// then, and nobody may look at where they were.
TEST(RuleSetTest, ElementsAtEachDepth) {
  Limits limits = Limits::Aws();
  limits.pattern.depth_max = 10'000;
  RuleSet rules(PatternLanguage::kEventBridge, limits);
  ASSERT_TRUE(rules.Put("r", R"({"a":{"b":["x"],"c":{"d":[1]}}})").ok());
  ASSERT_TRUE(rules.Put("b", R"({"a":{"b":["x"]}})").ok());
  std::vector<size_t> depths = {4'094, 4'095, 4'096};
  for (size_t depth = 1; depth <= 140; ++depth) depths.push_back(depth);
  for (const size_t depth : depths) {
    const std::string open(depth, '['), close(depth, ']');
    for (const char* first :
         {R"({"b":{"q":1}})", R"({"b":[[{}]]})", R"({"c":{"q":[1]},"b":"y"})"}) {
      const std::string before = R"({"a":)" + open + first + R"(,{"z":1},)";
      const std::string after = close + "}";
      const auto match = [&](const std::string& last) {
        const std::string text = before + last + after;
        return rules.Match(CheckedEvent::Check(text, limits).value());
      };
      ASSERT_THAT(match(R"({"b":"x"})"), ElementsAre("b")) << depth << first;
      ASSERT_THAT(match(R"({"c":{"d":1},"b":"x"})"), ElementsAre("r", "b")) << depth << first;
      ASSERT_THAT(match(R"({"c":[{"d":1}]},{"b":"x"})"), ElementsAre("b")) << depth << first;
    }
  }
}

// Bytes of a rule, for each kind that is packed. (Wildcards, addresses and the like keep more.)
TEST(RuleSetTest, SimpleRulesAreSmall) {
  for (const char* condition :
       {R"("value-of-")", R"({"prefix":"value-of-"})", R"({"suffix":"value-of-"})",
        R"({"equals-ignore-case":"value-of-"})", R"({"prefix":{"equals-ignore-case":"value-of-"}})",
        R"({"anything-but":"value-of-"})", R"({"anything-but":{"prefix":"value-of-"}})"}) {
    RuleSet rules;
    constexpr int kRules = 1'000;
    size_t text_bytes = 0;
    for (int i = 0; i < kRules; ++i) {
      std::string pattern = R"({"detail":{"state":[)" + std::string(condition) + "]}}";
      pattern.insert(pattern.find("value-of-") + 9, std::to_string(i));
      text_bytes += pattern.size();
      ASSERT_TRUE(rules.Put(std::to_string(i), pattern).ok());
    }
    EXPECT_LE(rules.Stats().memory_bytes, static_cast<int64_t>(text_bytes) + 190 * kRules)
        << condition;
  }
}

// A rule whose question about repeated arrays is too hard is given up, aloud, and alone.
TEST(RuleSetTest, AHardQuestionDoesNotTakeTheAnswerFromOtherRules) {
  // Pigeons: twelve conditions on eleven two-valued arrays that all repeat one name.
  std::string pattern = "{\"d\":{", event = "{";
  for (int c = 0; c < 12; ++c) {
    pattern += (c > 0 ? ",\"k" : "\"k") + std::to_string(c) + "\":[1]";
  }
  pattern += "}}";
  for (int a = 0; a < 11; ++a) {
    event += std::string(a > 0 ? "," : "") + "\"d\":[";
    for (int c = 0; c < 12; ++c) event += (c > 0 ? ",{\"k" : "{\"k") + std::to_string(c) + "\":1}";
    event += "]";
  }
  event += ",\"e\":[{\"x\":1,\"y\":1}]}";
  RuleSet rules;
  ASSERT_TRUE(rules.Put("hard", pattern).ok());
  ASSERT_TRUE(rules.Put("easy", R"({"e":{"x":[1],"y":[1]}})").ok());
  EXPECT_THAT(rules.Match(event), ElementsAre("easy"));
  EXPECT_EQ(rules.Stats().searches_given_up, 1);
}

TEST(RuleSetTest, RefusalsByLimitsAreCountedApart) {
  Limits limits = Limits::Aws();
  limits.pattern.event_bytes_max = 100;
  limits.pattern.event_names_max = 3;
  limits.pattern.depth_max = 5;
  RuleSet rules(PatternLanguage::kEventBridge, limits);
  ASSERT_TRUE(rules.Put("r", R"({"a":[1]})").ok());
  EXPECT_THAT(rules.Match(R"({"a":1})"), ElementsAre("r"));
  EXPECT_THAT(rules.Match("{\"a\":1,\"b\":\"" + std::string(100, 'x') + "\"}"), IsEmpty());
  EXPECT_THAT(rules.Match(R"({"a":1,"b":1,"c":1,"d":1})"), IsEmpty());
  EXPECT_THAT(rules.Match(R"({"a":1,"b":[[[[[1]]]]]})"), IsEmpty());
  EXPECT_EQ(rules.Stats().refused_events, 3);
  EXPECT_EQ(rules.Stats().refused_by_limits, 3);
  EXPECT_THAT(rules.Match("no"), IsEmpty());
  EXPECT_EQ(rules.Stats().refused_events, 4);
  EXPECT_EQ(rules.Stats().refused_by_limits, 3);
}

TEST(RuleSetTest, KeysThatNestDeeperThanAnyEventAreRefused) {
  RuleSet rules;
  EXPECT_TRUE(rules.Put("r", "{\"" + std::string(999, '.') + "\":[1]}").ok());
  EXPECT_EQ(rules.Put("s", "{\"" + std::string(1'000, '.') + "\":[1]}").message(),
            "Event pattern is not valid. Reason: A key nests 1001 names, more than the maximum of "
            "1000");
  EXPECT_EQ(rules.Stats().rules, 1);
}

}  // namespace
}  // namespace banyan::inline v0_1
