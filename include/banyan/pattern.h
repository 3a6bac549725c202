// SPDX-License-Identifier: Apache-2.0
//
// Event patterns and filter policies: which events does somebody want?
//
//   EventPattern paid = EventPattern::Parse(R"({
//       "source": ["shop.orders"],
//       "detail": {"state": ["paid"], "total": [{"numeric": [">", 100]}]}})").value();
//   paid.Matches(event);                    // true or false
//   paid.Explain(event).sentence;
//   // detail.state is "Paid", the pattern wants "paid": differs in case
//
// Keys of one object must all be satisfied, elements of one array are alternatives, "$or" holds
// alternatives of objects. Operators: prefix, suffix, equals-ignore-case, wildcard, anything-but,
// numeric, exists, cidr (exactly, too, which AWS's engine knows and its pages do not). Types never
// convert: "5" is not 5, null is not absent. Nested objects and dots in keys are the same thing.
//
// Answers are those of AWS's own open-source engine where AWS leaves room. Decided, where AWS's
// pages disagree or are silent:
//   - Conditions on fields of one array of objects must hold in one element. {"exists": false}
//     beside them means "absent in the elements chosen by the conditions whose path sorts before
//     it".
//   - A value list (String.Array) passes anything-but if any of its elements passes.
//   - {"exists": true} asks for the key; null and "" are present. An empty list or object is
//     absent.
//   - A filter policy may have five keys; for message bodies only top-level keys count.
//   - EventBridge refuses wildcards as too complex between 8 and 11 of its own measure; here at 11.
//   - "$or" that is no valid relation is tried as the name of a field, as AWS does.
//   - "$or" may expand to limits.pattern.alternatives_max rules; beyond that the pattern is refused
//     with InvalidEventPatternException.
//   - Numbers of EventBridge's patterns and events may be any that binary64 holds.
//   - A filter policy may not ask for equals-ignore-case inside of prefix or suffix.
//   - An event that repeats a name keeps all its values. If it repeats arrays of objects so often
//     that the choice among their elements takes more than two million steps, the answer is "no
//     match": the question is as hard as set cover, and nobody may stop a broker with an event.
//
// Threads   EventPattern is an immutable value: any number of threads, no lock.
// Lifetime  Copies share the compiled pattern; it lives as long as the last one.
// Source    docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
//           docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
#ifndef BANYAN_PATTERN_H_
#define BANYAN_PATTERN_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/limits.h"

namespace banyan::inline v0_1 {

namespace internal {
class CompiledPattern;
}

// The same language with different operators and limits.
enum class PatternLanguage {
  kEventBridge,
  kSnsMessageAttributes,  // filter policy over a message's attributes; no nesting
  kSnsMessageBody,        // filter policy over a body that is a JSON object
};

// Why an event did or did not match. All but the first and the last are empty if it matched, or if
// the event was not looked into: it is no JSON object within the limits, or not what the pattern's
// language looks at.
struct Explanation {
  bool matched = false;
  std::string path = {};    // the field of the first condition that failed: "detail.state"
  std::string wanted = {};  // that condition as the pattern writes it: ["paid"]
  std::string seen = {};    // the field's values in the event, as JSON; empty if it is absent
  // What was nearly right: "differs in case", "`detail.State` exists, ..."; empty if nothing was.
  std::string near_miss = {};
  std::string sentence = {};  // all of this for a person
};

class BANYAN_EXPORT EventPattern {
 public:
  // Errors  kInvalidArgument with AWS's code and text: what is wrong, and where.
  static absl::StatusOr<EventPattern> Parse(
      std::string_view json, PatternLanguage language = PatternLanguage::kEventBridge,
      const Limits& limits = Limits::Aws());

  // With kSnsMessageAttributes only the overload for attributes matches anything, with the other
  // languages only the one for JSON. RuleSet has the same rule.

  // An event that is not a JSON object matches nothing, not even {"exists": false}. Nor does one
  // beyond depth_max, event_bytes_max or event_names_max of the limits.pattern given to Parse().
  bool Matches(std::string_view event_json) const;

  // The event is a message's attributes: String is a string, Number a number, String.Array its
  // elements; Binary is ignored. A message without attributes matches nothing.
  bool Matches(const Attributes& attributes) const;

  // Explain(e).matched == Matches(e), always. For people and tests: it allocates and is not quick.
  Explanation Explain(std::string_view event_json) const;
  Explanation Explain(const Attributes& attributes) const;

  std::string_view text() const;  // as given to Parse()
  PatternLanguage language() const;

 private:
  explicit EventPattern(std::shared_ptr<const internal::CompiledPattern> compiled)
      : compiled_(std::move(compiled)) {}

  std::shared_ptr<const internal::CompiledPattern> compiled_;  // never null
};

// Does the event match the pattern? As EventBridge's TestEventPattern: the event must be a whole
// one, with id, account, source, time, region and detail-type.
//
// Errors  kInvalidArgument: the pattern is not valid (InvalidEventPatternException), or the event
//         is not, or is beyond the limits (ValidationException, "Parameter Event is not valid.").
// Source  docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
BANYAN_EXPORT absl::StatusOr<bool> TestEventPattern(std::string_view pattern_json,
                                                    std::string_view event_json,
                                                    const Limits& limits = Limits::Aws());

}  // namespace banyan::inline v0_1

#endif  // BANYAN_PATTERN_H_
