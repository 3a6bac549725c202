// SPDX-License-Identifier: Apache-2.0
//
// Lint: warnings about patterns that are valid and do not mean what their author meant.
//
//   LintPattern(R"({"source": [5]})", {.envelope = LintEnvelope::kEventBus})[0].sentence;
//     source is always a string that is not empty: 5 never holds; no event can match
//
//   LintRules({{.id = "all", .pattern = ..., .targets = {"inbox"}}, ...})
//     also compares rules: which is implied by which, and delivers to the same target
//
// What a warning says is true of every event: that a rule never matches, that a condition passes
// everything, that one rule implies another is proved, and the linter is silent where it knows no
// proof. Only kLooksWrong is a guess.
//
// Threads   Pure functions.
// Units     Lines and columns count from 1, columns in characters; offsets are bytes from 0.
// Errors    None: a pattern that is not valid is a warning (kInvalid) that gives the service's
//           text.
// Source    docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
//           docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
#ifndef BANYAN_LINT_H_
#define BANYAN_LINT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "banyan/export.h"
#include "banyan/limits.h"
#include "banyan/pattern.h"

namespace banyan::inline v0_1 {

// What is known about the events that the patterns will meet.
enum class LintEnvelope {
  kNone,  // nothing: any JSON object, or any attributes

  // What EventBridge and EventBus::Put write: version, id, detail-type, source, account, time,
  // region, replay-name, resources and detail, and nothing beside them. An event that comes through
  // EventBus::PutEnveloped may have more; for a bus of those take kNone.
  kEventBus,

  // Message attributes as SNS takes them: flat, names of letters, digits, "_", "-" and ".".
  kSnsAttributes,
};

// Who else should accept the pattern.
enum class PatternService { kEventBus, kPipes, kSnsMessageAttributes, kSnsMessageBody };

struct LintOptions {
  PatternLanguage language = PatternLanguage::kEventBridge;
  LintEnvelope envelope = LintEnvelope::kNone;
  std::optional<PatternService> portable_to = std::nullopt;
  Limits limits = Limits::Aws();
  // Per pattern. One more (kCutShort) says how many were left out. Not counted, and said with 0,
  // too, are kInvalid and what is said of rules beside each other.
  size_t warnings_max = 100;
};

struct LintRule {
  std::string id;  // rules of equal ids are said to be so (kRepeatedId), and not compared
  std::string pattern;
  // What the rule delivers to: ARNs or any other names. Two rules are compared if they share one,
  // or if neither has any.
  std::vector<std::string> targets = {};
  bool is_enabled = true;  // false: it delivers nothing, so it is not compared with others
};

struct LintWarning {
  enum class Kind {
    kInvalid,            // "the pattern is not valid: " and the service's text
    kNeverMatches,       // no event can match
    kDeadBranch,         // no event can match through one branch of "$or"
    kDeadValue,          // one alternative of a list never holds; others may
    kPassesEverything,   // a condition holds whatever value the field has, or whatever event comes
    kRedundantValue,     // an alternative is covered by another of its list
    kRedundantBranch,    // what matches through a branch of "$or" matches through others, too
    kImpliedRule,        // every event that matches this rule matches other_rule_id, too
    kEqualRule,          // ... and the reverse
    kRepeatedId,         // several rules have this id; said once, of the first
    kUnknownField,       // the envelope carries no such field
    kOrIsField,          // "$or" is no valid relation and was read as the name of a field
    kReplacedCondition,  // a later condition on the same path silently replaced this one
    kNotPortable,        // LintOptions::portable_to would refuse it
    kLooksWrong,         // means something else than it looks like; a guess
    kCutShort,           // there was more to say, or to compare, than the bounds allow
  };
  Kind kind = Kind::kInvalid;
  std::string rule_id = {};        // "" from LintPattern(), and if it is about no single rule
  std::string path = {};           // the field: "detail.state"; "" if it is about no single one
  std::string other_rule_id = {};  // of kImpliedRule and kEqualRule
  std::string sentence = {};       // for a person; names the field and the value
  size_t line = 0;                 // where in the pattern; 0 if at no one place
  size_t column = 0;
  size_t offset = 0;
};

// "never-matches", "implied-rule": stable names for machines.
BANYAN_EXPORT std::string_view LintKindName(LintWarning::Kind kind);

// Warnings in the order of their places. Time is that of sorting what the pattern says, plus a
// bounded number of comparisons.
BANYAN_EXPORT std::vector<LintWarning> LintPattern(std::string_view pattern,
                                                   const LintOptions& options = {});

// Each rule as LintPattern() does, then the enabled rules beside each other. Warnings in the order
// of rules. Only rules that ask for common fields, and common values of those they ask exactly, are
// compared, so a thousand usual rules take a fraction of a second. The work of comparing is bounded
// at a hundred million small steps, a few seconds (a last kCutShort, of no one rule).
BANYAN_EXPORT std::vector<LintWarning> LintRules(absl::Span<const LintRule> rules,
                                                 const LintOptions& options = {});

}  // namespace banyan::inline v0_1

#endif  // BANYAN_LINT_H_
