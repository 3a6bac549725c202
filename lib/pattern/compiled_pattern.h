// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/compiled_pattern.h -- floor 2: what a pattern means.
//
//   {"a": ["x"], "$or": [{"b": [1]}, {"c": {"d": [2]}}]}
//     sub-rule   a = ["x"] and b = [1]
//     sub-rule   a = ["x"] and c.d = [2]
//
// A pattern is a disjunction of sub-rules, a sub-rule a conjunction of conditions, one per path.
//
// C1  The path is the keys joined by dots, so {"a.b": [1]} and {"a": {"b": [1]}} are one condition.
// C2  A later condition on a path replaces an earlier one of the same sub-rule: a duplicate key, a
//     branch of "$or" after its surroundings, a key after the "$or" all its branches.
// C3  "$or" multiplies the sub-rules by its branches. How many that gives is counted before one is
//     built, and refused beyond Limits::pattern.alternatives_max.
// C4  Conditions are sorted by path, in the order of UTF-16 code units: {"exists": false} beside
//     arrays depends on this order (match.h), and event-ruler's answers come from Java strings.
#ifndef BANYAN_LIB_PATTERN_COMPILED_PATTERN_H_
#define BANYAN_LIB_PATTERN_COMPILED_PATTERN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "banyan/limits.h"
#include "banyan/pattern.h"
#include "pattern/event_limits.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1::internal {

struct Condition {
  std::string path;
  std::shared_ptr<const LeafSyntax> leaf;  // shared by the sub-rules of one "$or"
  bool accepts_absence = false;            // {"exists": false} is among the alternatives
};

struct SubRule {
  std::vector<Condition> conditions;  // C4
};

class CompiledPattern {
 public:
  CompiledPattern(std::string text, PatternLanguage language, const EventLimits& event_limits,
                  std::vector<SubRule> sub_rules);

  const std::string& text() const { return text_; }
  PatternLanguage language() const { return language_; }
  // Of an event that is matched against this pattern alone.
  const EventLimits& event_limits() const { return event_limits_; }
  const std::vector<SubRule>& sub_rules() const { return sub_rules_; }

 private:
  std::string text_;
  PatternLanguage language_;
  EventLimits event_limits_;
  std::vector<SubRule> sub_rules_;
};

// A pattern, or why there is none.
using CompileResult = std::variant<std::shared_ptr<const CompiledPattern>, PatternError>;

// What to do with a pattern whose "$or" is no relation. Only tests that compare with the engine's
// own compiler want kRefuse.
enum class OrFallback { kFieldName, kRefuse };

CompileResult CompilePattern(std::string_view text, PatternLanguage language, const Limits& limits,
                             OrFallback or_fallback = OrFallback::kFieldName);

// Java's order of strings, for UTF-8: by UTF-16 code units.
struct Utf16Less {
  bool operator()(std::string_view a, std::string_view b) const;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_COMPILED_PATTERN_H_
