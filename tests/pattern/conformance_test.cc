// SPDX-License-Identifier: Apache-2.0
//
// The recorded cases: our own probes of event-ruler 2.0.1 (always), and what was recorded from
// event-ruler's own tests (three files that are not part of this project, see recorded_cases.h).
// The interpreter and a rule set are each held against what was recorded, not against each other.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "base/json.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "pattern/match.h"
#include "recorded_cases.h"

namespace banyan::inline v0_1::internal {
namespace {

std::shared_ptr<const CompiledPattern> Compiled(const CompileResult& result) {
  const auto* pattern = std::get_if<std::shared_ptr<const CompiledPattern>>(&result);
  return pattern == nullptr ? nullptr : *pattern;
}

std::string Outcome(std::string_view pattern_text, std::string_view event) {
  const CompileResult result =
      CompilePattern(pattern_text, PatternLanguage::kEventBridge, EngineLimits());
  const auto pattern = Compiled(result);
  if (pattern == nullptr) return "invalid";
  const auto fields = EventFields::FromJson(event, pattern->event_limits());
  if (!fields.has_value()) return "bad-event";
  const bool matched = Match(*pattern, *fields);
  EXPECT_EQ(ExplainMatch(*pattern, *fields).matched, matched);
  return matched ? "match" : "nomatch";
}

// The same of a rule set with this one rule.
std::string OutcomeInSet(std::string_view pattern_text, std::string_view event) {
  RuleSet set(PatternLanguage::kEventBridge, EngineLimits());
  if (!set.Put("rule", pattern_text).ok()) return "invalid";
  const bool matched = !set.Match(event).empty();
  if (set.Stats().refused_events > 0) return "bad-event";
  return matched ? "match" : "nomatch";
}

void Report(std::string_view what, size_t agreeing, size_t all) {
  std::cout << "             " << agreeing << " of " << all << " " << what << " agree\n";
}

TEST(ConformanceTest, OurProbes) {
  const std::vector<Case> cases = ReadCases(ProbesPath());
  ASSERT_EQ(cases.size(), 280u);
  size_t agreeing = 0;
  for (const Case& c : cases) {
    const std::string outcome = Outcome(c.at("pattern_text"), c.at("event_text"));
    const std::string in_set = OutcomeInSet(c.at("pattern_text"), c.at("event_text"));
    agreeing += outcome == c.at("expect") && in_set == c.at("expect");
    EXPECT_EQ(outcome, c.at("expect")) << c.at("name") << "\n"
                                       << c.at("pattern_text").substr(0, 300);
    EXPECT_EQ(in_set, c.at("expect")) << "RuleSet, " << c.at("name");
    // Where the engine's compiler gave a reason, ours is the same to the letter.
    if (!c.contains("ruler_check") || outcome != "invalid" || c.at("ruler_check") == "null")
      continue;
    const CompileResult result = CompilePattern(c.at("pattern_text"), PatternLanguage::kEventBridge,
                                                EngineLimits(), OrFallback::kRefuse);
    EXPECT_EQ(std::get<PatternError>(result).reason, c.at("ruler_check")) << c.at("name");
  }
  Report("probes", agreeing, cases.size());
}

TEST(ConformanceTest, CorrectnessCases) {
  const std::string path = ConformancePath("ruler-cases-expected.jsonl");
  if (!std::ifstream(path)) GTEST_SKIP() << "event-ruler's cases are not here: " << path;
  const std::vector<Case> cases = ReadCases(path);
  ASSERT_EQ(cases.size(), 51u);
  size_t agreeing = 0;
  for (const Case& c : cases) {
    const std::string outcome = Outcome(c.at("pattern"), c.at("event"));
    const std::string in_set = OutcomeInSet(c.at("pattern"), c.at("event"));
    agreeing += outcome == c.at("expect") && in_set == c.at("expect");
    EXPECT_EQ(outcome, c.at("expect")) << c.at("name");
    EXPECT_EQ(in_set, c.at("expect")) << "RuleSet, " << c.at("name");
  }
  Report("correctness cases", agreeing, cases.size());
}

// A rule set has one rule per id: of a name that carries several rules, each is the name and its
// pattern.
std::string SetId(std::string_view name, std::string_view compact_pattern) {
  return StrCat(name, "\n", compact_pattern);
}

// Rules come and go between the events; a name may carry several rules and matches if one of them
// does.
TEST(ConformanceTest, RecordedSequences) {
  const std::string path = ConformancePath("ruler-recorded-cases.jsonl");
  if (!std::ifstream(path))
    GTEST_SKIP() << "event-ruler's recorded sequences are not here: " << path;
  const std::vector<Case> cases = ReadCases(path);
  ASSERT_EQ(cases.size(), 111u);
  size_t events = 0, agreeing = 0;
  for (const Case& c : cases) {
    std::vector<std::pair<std::string, std::shared_ptr<const CompiledPattern>>> rules;
    RuleSet set(PatternLanguage::kEventBridge, EngineLimits());
    for (const std::string& op_text : ReadList(c.at("ops"))) {
      const Case op = ReadCase(op_text);
      if (op.contains("add")) {
        std::string compact;
        ASSERT_TRUE(CompactJson(op.at("add"), &compact));
        ASSERT_TRUE(set.Put(SetId(op.at("name"), compact), op.at("add")).ok()) << op.at("add");
        auto pattern =
            Compiled(CompilePattern(op.at("add"), PatternLanguage::kEventBridge, EngineLimits()));
        ASSERT_NE(pattern, nullptr) << op.at("add");
        rules.emplace_back(op.at("name"), std::move(pattern));
      } else if (op.contains("remove")) {
        std::string wanted;
        ASSERT_TRUE(CompactJson(op.at("remove"), &wanted));
        set.Remove(SetId(op.at("name"), wanted));
        std::erase_if(rules, [&](const auto& rule) {
          std::string text;
          return rule.first == op.at("name") && CompactJson(rule.second->text(), &text) &&
                 text == wanted;
        });
      } else {
        std::set<std::string> matched;
        const auto fields = EventFields::FromJson(op.at("event"), EventLimits());
        ASSERT_TRUE(fields.has_value()) << op.at("event");
        for (const auto& [name, pattern] : rules) {
          if (Match(*pattern, *fields)) matched.insert(name);
        }
        std::set<std::string> in_set;
        for (const std::string& id : set.Match(op.at("event"))) {
          in_set.insert(id.substr(0, id.find('\n')));
        }
        const std::vector<std::string> listed = ReadList(op.at("expect"));
        const std::set<std::string> expected(listed.begin(), listed.end());
        ++events;
        agreeing += matched == expected && in_set == expected;
        EXPECT_EQ(matched, expected) << c.at("name") << "\n" << op.at("event");
        EXPECT_EQ(in_set, expected) << "RuleSet, " << c.at("name") << "\n" << op.at("event");
      }
    }
  }
  EXPECT_EQ(events, 242u);
  Report("recorded events", agreeing, events);
}

TEST(ConformanceTest, RecordedRuleChecks) {
  const std::string path = ConformancePath("ruler-recorded-checks.jsonl");
  if (!std::ifstream(path)) GTEST_SKIP() << "event-ruler's recorded checks are not here: " << path;
  const std::vector<Case> cases = ReadCases(path);
  ASSERT_EQ(cases.size(), 411u);
  size_t agreeing = 0;
  for (const Case& c : cases) {
    const CompileResult result = CompilePattern(c.at("pattern_text"), PatternLanguage::kEventBridge,
                                                EngineLimits(), OrFallback::kRefuse);
    const auto* error = std::get_if<PatternError>(&result);
    const std::string verdict = error == nullptr ? "valid" : error->reason;
    const std::string expected = c.at("expect") == "valid" ? "valid" : c.at("error_message");
    agreeing += verdict == expected;
    EXPECT_EQ(verdict, expected) << c.at("pattern_text");
  }
  Report("rule checks", agreeing, cases.size());
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
