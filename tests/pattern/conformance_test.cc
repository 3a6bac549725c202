// SPDX-License-Identifier: Apache-2.0
//
// The recorded cases: our own probes of event-ruler 2.0.1 (always), and what was recorded from
// event-ruler's own tests (three files that are not part of this project, see recorded_cases.h).
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
#include "base/json.h"
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
  const auto fields = EventFields::FromJson(event, pattern->event_depth_max());
  if (!fields.has_value()) return "bad-event";
  const bool matched = Match(*pattern, *fields);
  EXPECT_EQ(ExplainMatch(*pattern, *fields).matched, matched);
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
    agreeing += outcome == c.at("expect");
    EXPECT_EQ(outcome, c.at("expect")) << c.at("name") << "\n"
                                       << c.at("pattern_text").substr(0, 300);
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
    agreeing += outcome == c.at("expect");
    EXPECT_EQ(outcome, c.at("expect")) << c.at("name");
  }
  Report("correctness cases", agreeing, cases.size());
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
    for (const std::string& op_text : ReadList(c.at("ops"))) {
      const Case op = ReadCase(op_text);
      if (op.contains("add")) {
        auto pattern =
            Compiled(CompilePattern(op.at("add"), PatternLanguage::kEventBridge, EngineLimits()));
        ASSERT_NE(pattern, nullptr) << op.at("add");
        rules.emplace_back(op.at("name"), std::move(pattern));
      } else if (op.contains("remove")) {
        std::string wanted;
        ASSERT_TRUE(CompactJson(op.at("remove"), &wanted));
        std::erase_if(rules, [&](const auto& rule) {
          std::string text;
          return rule.first == op.at("name") && CompactJson(rule.second->text(), &text) &&
                 text == wanted;
        });
      } else {
        std::set<std::string> matched;
        const auto fields = EventFields::FromJson(op.at("event"), 1000);
        ASSERT_TRUE(fields.has_value()) << op.at("event");
        for (const auto& [name, pattern] : rules) {
          if (Match(*pattern, *fields)) matched.insert(name);
        }
        const std::vector<std::string> listed = ReadList(op.at("expect"));
        const std::set<std::string> expected(listed.begin(), listed.end());
        ++events;
        agreeing += matched == expected;
        EXPECT_EQ(matched, expected) << c.at("name") << "\n" << op.at("event");
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
