// SPDX-License-Identifier: Apache-2.0
//
// RuleSet: many patterns, one look at an event. It works alone, without a broker; a broker's topics
// and buses each have one inside.
//
//   RuleSet rules;
//   rules.Put("big", R"({"detail": {"total": [{"numeric": [">", 100]}]}})");
//   rules.Put("paid", R"({"detail": {"state": ["paid"]}})");
//   rules.Match(R"({"detail": {"state": "paid", "total": 120}})");     // {"big", "paid"}
//
// The answer is that of EventPattern::Matches() for each rule. An event meets only rules that one
// of its values points to, so for most rules and events time goes with the event and with what
// matches, hardly with the number of rules.
//
// The worst case: many rules that one value of the event points to, and that then do not match.
// Each of them may cost the values at its paths times the elements of its lists. What conditions on
// several fields of nested or repeated arrays may cost is bounded for each rule (see pattern.h)
// and, at four times that, for all rules of one event; a rule that is given up there does not
// match, and is counted.
//
// An event that is matched more than once is checked once:
//
//   const CheckedEvent event = CheckedEvent::Check(text).value();
//   first.Match(event);
//   second.Match(event);    // reads only what its rules ask for
//
// Threads   Any thread may call anything at any time. Those who match never wait: not for each
//           other, not for a Put() or Remove(), not for memory to be tidied up. An event meets the
//           rules of one moment: all of a rule or none of it. Writers wait for each other.
// Lifetime  The set outlives every call on it. A CheckedEvent is a view of its text.
// Memory    What a removed rule had comes back with a later Put(), Remove() or Stats() when nobody
//           who matches can still see it. A Put() that gets no memory ends the process.
// Units     Bytes.
// Source    docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
#ifndef BANYAN_RULE_SET_H_
#define BANYAN_RULE_SET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/limits.h"
#include "banyan/pattern.h"

namespace banyan::inline v0_1 {

namespace internal {
class EventChecker;
class RuleSetCore;

// What is known of a JSON object's text after one look at all of it. Offsets are bytes from the
// opening brace.
struct EventOutline {
  // An object or array that is worth jumping over: one of 128 bytes or more, or, in an event nested
  // so that it would need more jumps than one for 16 of its bytes, of some larger size. Readers may
  // rely on the first jump and on none of the others.
  struct Jump {
    uint32_t begin;  // of its opening bracket
    uint32_t end;    // behind its closing bracket
    uint32_t next;   // index of the first jump that does not lie inside it
  };
  std::vector<Jump> jumps;   // in the order of begin; the first is the event itself
  bool has_escapes = false;  // a backslash is somewhere
  bool may_repeat = false;   // two names of one object may be the same path: a reader that has
                             // what it looks for must read on. Never false when they are
};
}  // namespace internal

// A text that is known to be a JSON object, so that it can be matched without doubting it again.
// Movable and copyable.
class BANYAN_EXPORT CheckedEvent {
 public:
  // The object may be surrounded by white space; text behind it is not looked at. Reads every byte
  // of the object.
  //
  // Lifetime  `json` must outlive the result, which only points to it.
  // Errors    kInvalidArgument: not a JSON object, malformed, not UTF-8, or beyond
  //           limits.pattern.depth_max, event_bytes_max or event_names_max. Says where.
  static absl::StatusOr<CheckedEvent> Check(std::string_view json,
                                            const Limits& limits = Limits::Aws());

  // From the opening brace to the closing one.
  std::string_view json() const { return json_; }

  const internal::EventOutline& outline() const { return outline_; }  // for the library

 private:
  friend class internal::EventChecker;

  CheckedEvent() = default;

  std::string_view json_;
  internal::EventOutline outline_;
};

// One rule's answer to Explain().
struct RuleVerdict {
  std::string id;
  Explanation verdict;
};

struct RuleSetStats {
  int64_t rules = 0;
  // Of the set, replaced parts that somebody still reads included; not of what is kept for those
  // who match at the same time: each some KB, 4 bytes a rule and 16 for each path that rules name,
  // the latter eight times when many events were matched in one call.
  int64_t memory_bytes = 0;
  // Texts given to Match() that were looked at (the set had rules) and are no JSON object, or one
  // beyond the limits.
  int64_t refused_events = 0;
  int64_t refused_by_limits = 0;  // of these: beyond event_bytes_max, event_names_max or depth_max
  int64_t searches_given_up = 0;  // see pattern.h on events that repeat names
};

class BANYAN_EXPORT RuleSet {
 public:
  explicit RuleSet(PatternLanguage language = PatternLanguage::kEventBridge,
                   const Limits& limits = Limits::Aws());
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  // Adds the rule, or replaces the one of that id: an event meets the old rule or the new one,
  // never both and never none.
  //
  // Errors  kInvalidArgument: as EventPattern::Parse(); the set is unchanged.
  //         kResourceExhausted: the set holds limits.pattern.rules_max rules.
  absl::Status Put(std::string_view id, std::string_view pattern_json);

  // False if there is no such rule.
  bool Remove(std::string_view id);

  // Ids of the rules that match, oldest rule first (a replaced rule counts as new). A text that is
  // no JSON object matches nothing and is counted. With kSnsMessageAttributes only the overload for
  // attributes finds anything, with the other languages only those for JSON.
  std::vector<std::string> Match(std::string_view event_json) const;
  std::vector<std::string> Match(const CheckedEvent& event) const;
  std::vector<std::string> Match(const Attributes& attributes) const;

  // The same without copies: calls `visit` for each id, and answers how many there were. The id is
  // valid during the call. `visit` may call the set.
  size_t Match(std::string_view event_json,
               absl::FunctionRef<void(std::string_view id)> visit) const;
  size_t Match(const CheckedEvent& event, absl::FunctionRef<void(std::string_view id)> visit) const;
  size_t Match(const Attributes& attributes,
               absl::FunctionRef<void(std::string_view id)> visit) const;

  // The same for many events, one after the other: `visit` is told which, by its index. Answers how
  // many matches there were in all. Within an event the oldest rule comes first. While one event
  // waits for memory the next ones are looked at, so with many rules this is about twice as quick
  // as one call for each; eight events are enough for that. All meet the rules of one moment, and
  // what is removed meanwhile waits for the last of them: a million events are better matched in
  // chunks. `visit` may call the set. With kSnsMessageAttributes nothing is found.
  size_t Match(absl::Span<const CheckedEvent> events,
               absl::FunctionRef<void(size_t event, std::string_view id)> visit) const;

  // Why each rule matches or not, in the order of ids. For people: as slow as many interpreters.
  std::vector<RuleVerdict> Explain(std::string_view event_json) const;
  std::vector<RuleVerdict> Explain(const Attributes& attributes) const;

  PatternLanguage language() const;
  RuleSetStats Stats() const;

 private:
  const std::unique_ptr<internal::RuleSetCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_RULE_SET_H_
