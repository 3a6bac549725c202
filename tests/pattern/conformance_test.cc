// SPDX-License-Identifier: Apache-2.0
//
// The recorded cases: our own probes of event-ruler 2.0.1 (tests/data/pattern_probes.jsonl,
// always), and what was recorded from event-ruler's own tests (three files that are not part of
// this project; see CMakeLists.txt for where they are looked for).
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
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
#include "pattern/match.h"

namespace banyan::inline v0_1::internal {
namespace {

// One member of an object in a case file: strings decoded, everything else as it is written.
using Case = std::map<std::string, std::string>;

Case ReadCase(std::string_view line) {
  Case fields;
  JsonReader reader(line);
  EXPECT_EQ(reader.Next(), JsonToken::kStartObject) << line;
  while (reader.Next() == JsonToken::kName) {
    const std::string name(reader.text());
    reader.Next();
    if (reader.token() == JsonToken::kString) {
      fields[name] = std::string(reader.text());
      continue;
    }
    const size_t begin = reader.begin();
    EXPECT_TRUE(reader.SkipValue()) << line;
    fields[name] = std::string(line.substr(begin, reader.end() - begin));
  }
  return fields;
}

// The elements of a JSON array: strings decoded, everything else as it is written.
std::vector<std::string> ReadList(std::string_view json) {
  std::vector<std::string> elements;
  JsonReader reader(json);
  EXPECT_EQ(reader.Next(), JsonToken::kStartArray) << json;
  while (reader.Next() != JsonToken::kEndArray && reader.token() != JsonToken::kError) {
    if (reader.token() == JsonToken::kString) {
      elements.emplace_back(reader.text());
      continue;
    }
    const size_t begin = reader.begin();
    EXPECT_TRUE(reader.SkipValue()) << json;
    elements.emplace_back(json.substr(begin, reader.end() - begin));
  }
  return elements;
}

std::vector<Case> ReadCases(const std::string& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) cases.push_back(ReadCase(line));
  return cases;
}

std::string ConformancePath(const std::string& file) {
  const char* chosen = std::getenv("BANYAN_CONFORMANCE_DIR");
  return std::string(chosen != nullptr ? chosen : BANYAN_CONFORMANCE_DIR) + "/" + file;
}

// event-ruler has no limits on size and complexity; EventBridge has.
Limits EngineLimits() {
  Limits limits = Limits::Aws();
  limits.pattern.bytes_max = 1 << 20;
  limits.pattern.wildcard_complexity_max = std::numeric_limits<int64_t>::max();
  return limits;
}

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
  const std::vector<Case> cases =
      ReadCases(std::string(BANYAN_SOURCE_DIR) + "/tests/data/pattern_probes.jsonl");
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
