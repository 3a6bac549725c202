// SPDX-License-Identifier: Apache-2.0
//
// What the linter claims is held against the interpreter. A claim is about all events; random ones
// from a world so small that values meet are tried until one contradicts it, or none does.
//
// The tests count claims, too: a linter that is silent would otherwise pass.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "banyan/lint.h"
#include "base/json.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"
#include "pattern/lint_values.h"
#include "pattern/match.h"
#include "pattern_testing.h"
#include "random_patterns.h"
#include "small_world.h"

namespace banyan::inline v0_1::internal {
namespace {

using Kind = LintWarning::Kind;

size_t Rounds(size_t usual) {
#ifdef BANYAN_SANITIZER
  usual /= 6;
#endif
  const char* factor = std::getenv("BANYAN_TEST_ROUNDS");
  return factor == nullptr ? usual : usual * std::strtoull(factor, nullptr, 10);
}

std::shared_ptr<const CompiledPattern> Compile(const std::string& text) {
  const CompileResult result =
      CompilePattern(text, PatternLanguage::kEventBridge, Limits::Relaxed());
  const auto* compiled = std::get_if<std::shared_ptr<const CompiledPattern>>(&result);
  return compiled == nullptr ? nullptr : *compiled;
}

// The JSON value that begins at the offset.
std::string ValueAt(std::string_view text, size_t offset) {
  JsonReader reader(text.substr(offset));
  reader.Next();
  EXPECT_TRUE(reader.SkipValue());
  return std::string(text.substr(offset, reader.end()));
}

std::string OnePath(const std::string& path, std::string_view leaf) {
  return StrCat("{", JsonString(path), ":", leaf, "}");
}

// The leaf array without the alternatives that begin at the offsets; "" if nothing would be left.
std::string Without(std::string_view text, size_t array, const std::vector<size_t>& offsets) {
  JsonReader reader(text.substr(array));
  reader.Next();
  std::string rest;
  while (reader.Next() != JsonToken::kEndArray) {
    const size_t begin = array + reader.begin();
    EXPECT_TRUE(reader.SkipValue());
    if (std::find(offsets.begin(), offsets.end(), begin) != offsets.end()) continue;
    StrAppend(&rest, rest.empty() ? "" : ",", text.substr(begin, array + reader.end() - begin));
  }
  return rest.empty() ? "" : StrCat("[", rest, "]");
}

// Where the leaf array begins whose alternative begins at the offset: the innermost open one there.
size_t LeafAround(std::string_view text, size_t offset) {
  JsonReader reader(text);
  std::vector<size_t> open;
  std::vector<bool> is_array;
  for (JsonToken token = reader.Next(); token != JsonToken::kEnd; token = reader.Next()) {
    if (token == JsonToken::kError || reader.begin() >= offset) break;
    if (token == JsonToken::kStartArray || token == JsonToken::kStartObject) {
      open.push_back(reader.begin());
      is_array.push_back(token == JsonToken::kStartArray);
    } else if (token == JsonToken::kEndArray || token == JsonToken::kEndObject) {
      open.pop_back();
      is_array.pop_back();
    }
  }
  return open[static_cast<size_t>(std::find(is_array.rbegin(), is_array.rend(), true).base() -
                                  is_array.begin() - 1)];
}

// ---- Value sets.

TEST(LintValuesProperty, InclusionIsNeverContradictedByAValue) {
  std::mt19937_64 random = SeededRandom();
  SmallWorld world(random);
  std::vector<Value> values = {
      {ValueKind::kTrue, "true"}, {ValueKind::kFalse, "false"}, {ValueKind::kNull, "null"}};
  for (const std::string_view text : kStrings)
    values.push_back({ValueKind::kString, std::string(text)});
  for (const char* text : {"zzz", "abz", "zab", "AB", "sS", "aabb", "10.9.9.9"}) {
    values.push_back({ValueKind::kString, std::string(text)});
  }
  for (const std::string_view text : kNumbers)
    values.push_back({ValueKind::kNumber, std::string(text)});
  for (const char* text : {"77", "-77", "1e401", "0.5"}) {
    values.push_back({ValueKind::kNumber, std::string(text)});
  }

  int pairs = 0, proved = 0, unproved = 0, full = 0;
  for (size_t round = 0; round < Rounds(60'000); ++round) {
    const auto a = Compile(OnePath("p", world.Leaf()));
    const auto b = Compile(OnePath("p", world.Leaf()));
    if (a == nullptr || b == nullptr) continue;
    ++pairs;
    const Condition& inner = a->sub_rules()[0].conditions[0];
    const Condition& outer = b->sub_rules()[0].conditions[0];
    LintBudget budget(1'000'000);
    const LintValues inner_set = LintValues::Of(inner.leaf->values, &budget);
    const LintValues outer_set = LintValues::Of(outer.leaf->values, &budget);
    const bool claim = outer_set.HasAllOf(inner_set, &budget);
    const bool claims_all = outer_set.HasAllPresent();
    const auto passes = [](const Condition& condition, const Value& value) {
      return std::any_of(condition.leaf->values.begin(), condition.leaf->values.end(),
                         [&value](const ValuePattern& pattern) { return Matches(pattern, value); });
    };
    bool holds = outer.accepts_absence || !inner.accepts_absence;
    for (const Value& value : values) {
      if (passes(inner, value) && !passes(outer, value)) {
        holds = false;
        ASSERT_FALSE(claim) << inner.leaf->text << " in " << outer.leaf->text << ": "
                            << JsonText(value);
      }
      if (!passes(outer, value)) {
        ASSERT_FALSE(claims_all) << outer.leaf->text << ": " << JsonText(value);
      }
    }
    ASSERT_TRUE(holds || !claim) << inner.leaf->text << " in " << outer.leaf->text;
    proved += claim ? 1 : 0;
    unproved += holds && !claim ? 1 : 0;
    full += claims_all ? 1 : 0;
  }
  // `unproved` holds what is true of these values only, too.
  std::cout << "             " << pairs << " pairs, proved " << proved << ", unproved " << unproved
            << ", everything " << full << "\n";
  EXPECT_GT(proved, pairs / 50);
  EXPECT_GT(proved, unproved);
  EXPECT_GT(full, pairs / 100);
}

// ---- Patterns.

struct Claims {
  int never = 0, everything = 0, values = 0, branches = 0, implied = 0, equal = 0;
};

void Print(const Claims& claims) {
  std::cout << "             never " << claims.never << ", everything " << claims.everything
            << ", values " << claims.values << ", branches " << claims.branches << ", implied "
            << claims.implied << ", equal " << claims.equal << "\n";
}

// Replaces branches of "$or" that are said to do nothing by ones that no event matches.
std::string WithoutBranches(const std::string& text, const std::vector<LintWarning>& warnings) {
  std::string rest;
  size_t at = 0;
  for (const LintWarning& warning : warnings) {
    if (warning.kind != Kind::kRedundantBranch || warning.offset < at) continue;
    StrAppend(&rest, text.substr(at, warning.offset - at), "{\"never there\":[\"never\"]}");
    at = warning.offset + ValueAt(text, warning.offset).size();
  }
  return rest + text.substr(at);
}

void CheckClaims(const std::string& text, const std::vector<LintWarning>& warnings,
                 const std::vector<std::string>& events, Claims* claims) {
  const auto pattern = Compile(text);
  const auto short_pattern = Compile(WithoutBranches(text, warnings));
  ASSERT_NE(short_pattern, nullptr) << WithoutBranches(text, warnings);
  struct LeafClaim {
    std::shared_ptr<const CompiledPattern> with, without;
  };
  std::vector<LeafClaim> leaf_claims;
  std::vector<
      std::pair<std::shared_ptr<const CompiledPattern>, std::shared_ptr<const CompiledPattern>>>
      passes;
  std::map<std::pair<std::string, size_t>, std::vector<size_t>> idle;  // by leaf
  std::vector<std::shared_ptr<const CompiledPattern>> dead;
  bool never = false;
  for (const LintWarning& warning : warnings) {
    switch (warning.kind) {
      case Kind::kNeverMatches:
        never = true;
        [[fallthrough]];
      case Kind::kDeadBranch:
        ++claims->never;
        dead.push_back(Compile(OnePath(warning.path, ValueAt(text, warning.offset))));
        break;
      case Kind::kUnknownField:
        never = never || warning.sentence.ends_with("no event can match");
        break;
      case Kind::kPassesEverything: {
        ++claims->everything;
        const auto leaf = Compile(OnePath(warning.path, ValueAt(text, warning.offset)));
        const bool also_absent = warning.sentence.find("together pass") == std::string::npos;
        passes.emplace_back(
            leaf, also_absent ? nullptr : Compile(OnePath(warning.path, "[{\"exists\":true}]")));
        break;
      }
      case Kind::kRedundantValue:
      case Kind::kDeadValue:
        ++claims->values;
        idle[{warning.path, LeafAround(text, warning.offset)}].push_back(warning.offset);
        break;
      case Kind::kRedundantBranch:
        ++claims->branches;
        break;
      default:
        break;
    }
  }
  for (const auto& [leaf, offsets] : idle) {
    const auto& [path, array] = leaf;
    const std::string rest = Without(text, array, offsets);
    ASSERT_NE(rest, "") << text;
    leaf_claims.push_back(
        {Compile(OnePath(path, ValueAt(text, array))), Compile(OnePath(path, rest))});
  }
  for (const std::string& event : events) {
    const std::optional<EventFields> fields = EventFields::FromJson(event, EventLimits());
    if (!fields.has_value()) continue;
    const bool matches = Match(*pattern, *fields);
    ASSERT_FALSE(never && matches) << text << "\n" << event;
    ASSERT_EQ(Match(*short_pattern, *fields), matches) << text << "\n" << event;
    for (const auto& leaf : dead) {
      ASSERT_FALSE(Match(*leaf, *fields)) << leaf->text() << "\n" << event;
    }
    for (const auto& [leaf, present] : passes) {
      if (present != nullptr && !Match(*present, *fields)) continue;
      ASSERT_TRUE(Match(*leaf, *fields)) << leaf->text() << "\n" << event;
    }
    for (const auto& [with, without] : leaf_claims) {
      ASSERT_EQ(Match(*with, *fields), Match(*without, *fields)) << with->text() << "\n"
                                                                 << without->text() << "\n"
                                                                 << event;
    }
  }
}

void CheckImplied(const std::vector<LintRule>& rules, const std::vector<LintWarning>& warnings,
                  const std::vector<std::string>& events, Claims* claims) {
  for (const LintWarning& warning : warnings) {
    const bool is_equal = warning.kind == Kind::kEqualRule;
    if (!is_equal && warning.kind != Kind::kImpliedRule) continue;
    ++(is_equal ? claims->equal : claims->implied);
    const std::string& inner = rules[std::strtoull(warning.rule_id.c_str(), nullptr, 10)].pattern;
    const std::string& outer =
        rules[std::strtoull(warning.other_rule_id.c_str(), nullptr, 10)].pattern;
    const auto a = Compile(inner), b = Compile(outer);
    for (const std::string& event : events) {
      const std::optional<EventFields> fields = EventFields::FromJson(event, EventLimits());
      if (!fields.has_value()) continue;
      const bool in_a = Match(*a, *fields), in_b = Match(*b, *fields);
      ASSERT_TRUE(!in_a || in_b) << inner << "\n" << outer << "\n" << event;
      ASSERT_TRUE(!is_equal || in_a == in_b) << inner << "\n" << outer << "\n" << event;
    }
  }
}

// Lints the rules beside each other and each alone, and holds what is said against the events.
void CheckAll(const std::vector<LintRule>& rules, const std::vector<std::string>& events,
              const LintOptions& options, Claims* claims) {
  CheckImplied(rules, LintRules(rules, options), events, claims);
  for (const LintRule& rule : rules) {
    CheckClaims(rule.pattern, LintPattern(rule.pattern, options), events, claims);
  }
}

// Thirty valid rules of the world; the ids are their numbers.
std::vector<LintRule> RulesOf(SmallWorld& world) {
  std::vector<LintRule> rules;
  while (rules.size() < 30) {
    std::string text = world.Below(3) == 0 ? StrCat("{", world.Member(), "}") : world.Pattern();
    if (Compile(text) == nullptr) continue;
    rules.push_back({.id = std::to_string(rules.size()), .pattern = std::move(text)});
  }
  return rules;
}

LintOptions WideOptions() {
  LintOptions options;
  options.limits = Limits::Relaxed();
  options.warnings_max = 100'000;
  return options;
}

TEST(LintProperty, ClaimsHoldInASmallWorld) {
  std::mt19937_64 random = SeededRandom();
  SmallWorld world(random);
  Claims claims;
  for (size_t round = 0; round < Rounds(100); ++round) {
    const std::vector<LintRule> rules = RulesOf(world);
    std::vector<std::string> events;
    for (int i = 0; i < 120; ++i) events.push_back(world.Event());
    CheckAll(rules, events, WideOptions(), &claims);
    if (HasFatalFailure()) return;
  }
  Print(claims);
  EXPECT_GT(claims.never, 10);
  EXPECT_GT(claims.everything, 30);
  EXPECT_GT(claims.values, 30);
  EXPECT_GT(claims.branches, 10);
  EXPECT_GT(claims.implied, 30);
}

TEST(LintProperty, ClaimsHoldInTheMatchersWorld) {
  std::mt19937_64 random = SeededRandom();
  Claims claims;
  for (size_t round = 0; round < Rounds(25); ++round) {
    RandomPatterns world(PatternLanguage::kEventBridge, random);
    std::vector<LintRule> rules;
    std::vector<std::shared_ptr<const CompiledPattern>> compiled;
    for (int i = 0; i < 60; ++i) {
      std::string text = world.Pattern();
      std::shared_ptr<const CompiledPattern> pattern = Compile(text);
      if (pattern == nullptr) continue;
      rules.push_back({.id = std::to_string(rules.size()), .pattern = std::move(text)});
      compiled.push_back(std::move(pattern));
    }
    std::vector<std::string> events;
    for (const auto& near : compiled) {
      const CompiledPattern* one = near.get();
      for (int i = 0; i < 4; ++i) events.push_back(world.Event({&one, 1}));
    }
    CheckAll(rules, events, WideOptions(), &claims);
    if (HasFatalFailure()) return;
  }
  Print(claims);
  EXPECT_GT(claims.everything + claims.values + claims.branches + claims.implied, 20);
}

// An event as EventBridge writes it, with few values.
std::string BusEvent(SmallWorld& world) {
  const auto one_of = [&world](std::vector<std::string> list) {
    return JsonString(world.OneOf(list));
  };
  return StrCat(
      R"({"version":"0","id":)",
      one_of({"6a7e8feb-b491-4cf7-a9f1-bf3703467718", "00000000-0000-4000-8000-00000000000A"}),
      R"(,"detail-type":)", one_of({"0", "us-east-1", "OrderPlaced"}), R"(,"source":)",
      one_of({"aws.ec2", "shop", "10.0.0.1"}), R"(,"account":)",
      one_of({"123456789012", "000000000000"}), R"(,"time":)",
      one_of({"2026-01-31T23:59:59Z", "1970-01-01T00:00:00Z"}), R"(,"region":)",
      one_of({"us-east-1", "eu-west-3"}),
      world.Below(2) == 0 ? "" : StrCat(R"(,"replay-name":)", one_of({"aws.ec2", "0", "10.0.0.1"})),
      R"(,"resources":)",
      world.OneOf(std::vector<std::string>{"[]", R"(["shop"])", R"(["shop",""])"}), R"(,"detail":)",
      world.OneOf(std::vector<std::string>{"{}", R"({"x":"shop"})", R"({"x":[{"y":1},0]})"}), "}");
}

TEST(LintProperty, ClaimsAboutTheEnvelopeHold) {
  std::mt19937_64 random = SeededRandom();
  SmallWorld world(
      random,
      {"",
       "0",
       "1",
       "us-east-1",
       "US-EAST-1",
       "us-",
       "123456789012",
       "12",
       "2026-01-31T23:59:59Z",
       "2026-",
       "Z",
       "T",
       "aws.",
       "shop",
       "10.0.0.1",
       "-",
       ".",
       "OrderPlaced",
       "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
       "a",
       "A",
       "aws.ec2"},
      {"version", "id", "detail-type", "source", "account", "time", "region", "replay-name",
       "resources", "detail", "detail.x", "source.x", "resources.y", "foo", "detail.x.y"});
  LintOptions options = WideOptions();
  options.envelope = LintEnvelope::kEventBus;
  Claims claims;
  for (size_t round = 0; round < Rounds(100); ++round) {
    const std::vector<LintRule> rules = RulesOf(world);
    std::vector<std::string> events;
    for (int i = 0; i < 60; ++i) events.push_back(BusEvent(world));
    CheckAll(rules, events, options, &claims);
    if (HasFatalFailure()) return;
  }
  Print(claims);
  EXPECT_GT(claims.never, 100);
  EXPECT_GT(claims.everything, 30);
  EXPECT_GT(claims.values, 30);
  EXPECT_GT(claims.implied, 10);
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
