// SPDX-License-Identifier: Apache-2.0
#include "pattern/compiled_pattern.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/strings.h"
#include "pattern/wildcard.h"

namespace banyan::inline v0_1::internal {
namespace {

// Arithmetic on counts that a hostile pattern can drive anywhere.
int64_t SaturatedAdd(int64_t a, int64_t b) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return a > kMax - b ? kMax : a + b;
}
int64_t SaturatedMultiply(int64_t a, int64_t b) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return b != 0 && a > kMax / b ? kMax : a * b;
}

PatternError Unplaced(std::string reason) {
  return {.kind = PatternError::Kind::kUnplaced, .reason = std::move(reason)};
}

// ---- Expansion (C1 to C3).

int64_t CountSubRules(const ObjectSyntax& object) {
  int64_t count = 1;
  for (const MemberSyntax& member : object.members) {
    if (member.object != nullptr) count = SaturatedMultiply(count, CountSubRules(*member.object));
    if (member.alternatives.empty()) continue;
    int64_t branches = 0;
    for (const ObjectSyntax& branch : member.alternatives) {
      branches = SaturatedAdd(branches, CountSubRules(branch));
    }
    count = SaturatedMultiply(count, branches);
  }
  return count;
}

using Conditions = std::map<std::string, std::shared_ptr<const LeafSyntax>, Utf16Less>;

class Expansion {
 public:
  explicit Expansion(const Limits& limits)
      : keys_max_(static_cast<size_t>(limits.pattern.keys_max)) {}

  // False if a sub-rule has too many keys.
  bool Run(const ObjectSyntax& tree) { return Add(tree, "", &sub_rules_); }

  std::vector<Conditions>& sub_rules() { return sub_rules_; }

 private:
  // Adds the conditions of `object`, whose own path is `path`, to each of the sub-rules.
  //
  // Copies stay in bounds: a sub-rule is only copied for a branch, and every nested "$or" has
  // another branch that will add to the final count, which has been checked.
  bool Add(const ObjectSyntax& object, const std::string& path,
           std::vector<Conditions>* sub_rules) const {
    for (const MemberSyntax& member : object.members) {
      if (!member.alternatives.empty()) {
        std::vector<Conditions> expanded;
        for (const ObjectSyntax& branch : member.alternatives) {
          std::vector<Conditions> copies = *sub_rules;
          if (!Add(branch, path, &copies)) return false;
          std::move(copies.begin(), copies.end(), std::back_inserter(expanded));
        }
        *sub_rules = std::move(expanded);
        continue;
      }
      const std::string member_path = path.empty() ? member.name : StrCat(path, ".", member.name);
      if (member.object != nullptr) {
        if (!Add(*member.object, member_path, sub_rules)) return false;
        continue;
      }
      for (Conditions& conditions : *sub_rules) {
        conditions.insert_or_assign(member_path, member.leaf);
        if (conditions.size() > keys_max_) return false;
      }
    }
    return true;
  }

  const size_t keys_max_;
  std::vector<Conditions> sub_rules_ = {Conditions()};
};

// ---- Limits of each language.

bool IsNested(const ObjectSyntax& object) {
  return std::any_of(object.members.begin(), object.members.end(), [](const MemberSyntax& member) {
    return member.object != nullptr ||
           std::any_of(member.alternatives.begin(), member.alternatives.end(), IsNested);
  });
}

size_t CountTopLevelKeys(const ObjectSyntax& tree) {
  std::set<std::string_view> names;
  for (const MemberSyntax& member : tree.members) names.insert(member.name);
  return names.size();
}

int64_t CountSnsCombinations(const std::vector<Conditions>& sub_rules) {
  int64_t sum = 0;
  for (const Conditions& conditions : sub_rules) {
    int64_t product = 1;
    for (const auto& [path, leaf] : conditions) {
      product = SaturatedMultiply(product, static_cast<int64_t>(leaf->values.size() * leaf->depth));
    }
    sum = SaturatedAdd(sum, product);
  }
  return sum;
}

void CollectWildcards(const TextTest& test, std::vector<const Wildcard*>* wildcards) {
  if (const auto* found = std::get_if<WildcardTest>(&test)) wildcards->push_back(&found->wildcard);
}

bool IsTooComplex(const LeafSyntax& leaf, int64_t complexity_max) {
  std::vector<const Wildcard*> wildcards;
  for (const ValuePattern& value : leaf.values) {
    if (const auto* test = std::get_if<TextTest>(&value)) CollectWildcards(*test, &wildcards);
    if (const auto* listed = std::get_if<AnythingButText>(&value)) {
      for (const TextTest& test : listed->tests) CollectWildcards(test, &wildcards);
    }
  }
  return !wildcards.empty() && static_cast<int64_t>(WildcardComplexity(wildcards)) > complexity_max;
}

bool IsTooComplex(const ObjectSyntax& object, int64_t complexity_max) {
  return std::any_of(object.members.begin(), object.members.end(), [&](const MemberSyntax& member) {
    return (member.leaf != nullptr && IsTooComplex(*member.leaf, complexity_max)) ||
           (member.object != nullptr && IsTooComplex(*member.object, complexity_max)) ||
           std::any_of(
               member.alternatives.begin(), member.alternatives.end(),
               [&](const ObjectSyntax& branch) { return IsTooComplex(branch, complexity_max); });
  });
}

SubRule Finish(const Conditions& conditions) {
  SubRule sub_rule;
  for (const auto& [path, leaf] : conditions) {
    const bool accepts_absence = std::any_of(
        leaf->values.begin(), leaf->values.end(),
        [](const ValuePattern& value) { return std::holds_alternative<Absent>(value); });
    sub_rule.conditions.push_back({.path = path, .leaf = leaf, .accepts_absence = accepts_absence});
  }
  return sub_rule;
}

}  // namespace

CompiledPattern::CompiledPattern(std::string text, PatternLanguage language,
                                 const EventLimits& event_limits, std::vector<SubRule> sub_rules)
    : text_(std::move(text)),
      language_(language),
      event_limits_(event_limits),
      sub_rules_(std::move(sub_rules)) {}

CompileResult CompilePattern(std::string_view text, PatternLanguage language, const Limits& limits,
                             OrFallback or_fallback) {
  const bool is_sns = language != PatternLanguage::kEventBridge;
  const int64_t bytes_max = is_sns ? limits.pattern.sns_bytes_max : limits.pattern.bytes_max;
  if (static_cast<int64_t>(text.size()) > bytes_max) {
    return Unplaced(
        StrCat("The pattern has ", text.size(), " bytes, more than the maximum of ", bytes_max));
  }

  SyntaxResult parsed = ParsePattern(text, language, limits, OrKey::kRelation);
  if (parsed.error != nullptr) {
    if (!parsed.saw_or || or_fallback == OrFallback::kRefuse) return *parsed.error;
    SyntaxResult second = ParsePattern(text, language, limits, OrKey::kFieldName);
    if (second.error != nullptr) return *parsed.error;  // the first complaint is the one that helps
    parsed.tree = std::move(second.tree);
  }
  const ObjectSyntax& tree = parsed.tree;

  if (language == PatternLanguage::kSnsMessageAttributes && IsNested(tree)) {
    return PatternError{
        .kind = PatternError::Kind::kScope,
        .reason = "Filter policy scope MessageAttributes does not support nested filter policy"};
  }
  if (is_sns && static_cast<int64_t>(CountTopLevelKeys(tree)) > limits.pattern.sns_keys_max) {
    return Unplaced(
        StrCat("Filter policy can not have more than ", limits.pattern.sns_keys_max, " keys"));
  }
  if (CountSubRules(tree) > limits.pattern.alternatives_max) {
    return Unplaced(is_sns ? "Filter policy is too complex"
                           : StrCat("$or expands to more than the maximum of ",
                                    limits.pattern.alternatives_max, " rules"));
  }
  Expansion expansion(limits);
  if (!expansion.Run(tree)) {
    return Unplaced(StrCat("Size of rule exceeds max value of ", limits.pattern.keys_max));
  }
  if (is_sns && CountSnsCombinations(expansion.sub_rules()) > limits.pattern.sns_combinations_max) {
    return Unplaced("Filter policy is too complex");
  }
  // No pattern has more prefixes than characters: then measuring it can be saved.
  const int64_t complexity_max = limits.pattern.wildcard_complexity_max;
  if (!is_sns && complexity_max < static_cast<int64_t>(text.size()) &&
      IsTooComplex(tree, complexity_max)) {
    return Unplaced(
        "Rule is too complex - try using fewer wildcard characters or fewer repeating character "
        "sequences after a wildcard character");
  }

  std::vector<SubRule> sub_rules;
  for (const Conditions& conditions : expansion.sub_rules()) {
    sub_rules.push_back(Finish(conditions));
    for (const Condition& condition : sub_rules.back().conditions) {
      // A key of dots nests as deep as it is long, and no object needs to.
      const auto names = std::count(condition.path.begin(), condition.path.end(), '.') + 1;
      if (names > limits.pattern.depth_max) {
        return Unplaced(StrCat("A key nests ", names, " names, more than the maximum of ",
                               limits.pattern.depth_max));
      }
    }
  }
  return std::make_shared<const CompiledPattern>(std::string(text), language, EventLimits(limits),
                                                 std::move(sub_rules));
}

bool Utf16Less::operator()(std::string_view a, std::string_view b) const {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_a == a.end() || at_b == b.end()) return at_a == a.end() && at_b != b.end();
  // UTF-8 sorts by code point. UTF-16 differs in one place: what needs a surrogate pair (lead byte
  // F0 and up) sorts before U+E000..U+FFFF (lead bytes EE and EF).
  const unsigned x = static_cast<unsigned char>(*at_a);
  const unsigned y = static_cast<unsigned char>(*at_b);
  const bool x_is_pair = x >= 0xF0, y_is_pair = y >= 0xF0;
  if (x_is_pair != y_is_pair && x >= 0xEE && y >= 0xEE) return x_is_pair;
  return x < y;
}

}  // namespace banyan::inline v0_1::internal
