// SPDX-License-Identifier: Apache-2.0
//
// EventBus: events are put here, rules look at their content and deliver them. EventBridge.
//
//   EventBus shop = broker.CreateEventBus("shop").value();
//   shop.PutRule("big-orders", {.pattern = R"({"detail": {"total": [{"numeric": [">", 100]}]}})",
//                               .targets = {inbox}}).value();
//   shop.Put({.source = "shop.orders", .detail_type = "OrderPlaced",
//             .detail = R"({"id": "o-1", "total": 120})"}).value();
//
// Each target gets the whole event as JSON in EventBridge's envelope: version, id, detail-type,
// source, account, time (whole seconds), region, resources, detail.
//
// Threads   Every method may be called from any thread at any time.
// Lifetime  A handle; may outlive the bus and its Broker (kNotFound, kUnavailable).
// Order     Targets are served at least once, independently of each other, in no promised order.
// Source    docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
#ifndef BANYAN_EVENT_BUS_H_
#define BANYAN_EVENT_BUS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/export.h"
#include "banyan/forecast.h"
#include "banyan/id.h"
#include "banyan/metrics.h"
#include "banyan/pattern.h"
#include "banyan/target.h"

namespace banyan::inline v0_1 {

namespace internal {
class EventBusCore;
class RuleCore;
}  // namespace internal

struct EventBusOptions {
  std::string description = {};  // kept as metadata

  friend bool operator==(const EventBusOptions&, const EventBusOptions&) = default;
};

struct EventEntry {
  std::string source = {};       // who says so: "shop.orders"
  std::string detail_type = {};  // what happened: "OrderPlaced"
  std::string detail = {};       // a JSON object
  std::vector<std::string> resources = {};
  std::optional<absl::Time> time = std::nullopt;  // default: now
  // Goes along to the targets, not into the event; at most 500 bytes of printable ASCII.
  std::string trace_header = {};
};

// An entry for one of several buses; see Broker::PutEvents.
struct BusEntry {
  std::string event_bus_name = {};  // a name or an ARN; empty: "default"
  EventEntry entry = {};
};

struct RuleOptions {
  std::string pattern = {};  // an event pattern, JSON; see pattern.h
  // rate(...) or cron(...) in UTC, on the default bus only; see scheduler.h. Each firing gives the
  // targets an event of its own, "Scheduled Event" of "aws.events", which no other rule sees. A rule
  // has a pattern, a schedule or both.
  std::string schedule_expression = {};
  std::vector<Target> targets = {};
  bool enabled = true;
  std::string description = {};
};

struct TargetStats {
  std::string target_id;
  std::string target_arn;
  DeliveryStats delivery;
};

struct RuleStats {
  int64_t matched = 0;  // events; not counting those of its schedule
  std::vector<TargetStats> targets;
};

// A rule of a bus. A handle.
class BANYAN_EXPORT Rule {
 public:
  Rule() = default;

  // Adds targets, or replaces those of the same id; one that is there already unchanged keeps its
  // books and its retries under way. All or none. The targets belong to the same broker.
  //
  // Errors  kInvalidArgument: a bad or doubled id, a bad retry policy, group id, path or input
  //         (target.h), a handle that names nothing.
  //         kResourceExhausted: more than five targets. kNotFound: the rule was deleted.
  absl::Status PutTargets(absl::Span<const Target> targets) const;
  absl::Status RemoveTargets(absl::Span<const std::string> ids) const;

  // What it was put with, and its targets, each with its id. AWS's DescribeRule and
  // ListTargetsByRule in one.
  absl::StatusOr<RuleOptions> Options() const;

  absl::Status Enable() const;
  absl::Status Disable() const;

  RuleStats Stats() const;
  const Arn& arn() const;
  std::string_view name() const;

  // For the library's own rooms.
  explicit Rule(std::shared_ptr<internal::RuleCore> core);

 private:
  std::shared_ptr<internal::RuleCore> core_;
};

struct TargetExplanation {
  std::string target_id;
  Forecast forecast;
};

// Why a rule would or would not match an event.
struct RuleExplanation {
  std::string rule_name;
  Explanation verdict;
  std::vector<TargetExplanation> targets;  // each of them asked, if it matches; else none
};

// For people: "matches 2 of 5 rules, reaches 3 of 4 targets", then a line for each.
BANYAN_EXPORT std::string ToString(absl::Span<const RuleExplanation> explanations);

struct EventBusStats {
  int64_t accepted = 0;    // events, also those that another bus forwarded
  int64_t unmatched = 0;   // of these, matched by no rule
  int64_t unreadable = 0;  // of these, beyond limits.pattern, so that no rule looked at them
  int64_t rules = 0;
  // Put again by replays (archive.h). Apart from all the above: they were accepted once.
  int64_t replayed = 0;
};

class BANYAN_EXPORT EventBus {
 public:
  EventBus() = default;

  // Takes one event and answers its id.
  //
  // Errors  kInvalidArgument: source, detail type or detail missing, source, detail type or a
  //         resource not UTF-8 (InvalidArgument), detail not a JSON object, with reason and
  //         position (MalformedDetail), too large, a bad trace header (ValidationException).
  //         kPermissionDenied: a source that begins with "aws." (NotAuthorizedForSourceException),
  //         unless the limits allow it.
  absl::StatusOr<Id> Put(EventEntry entry) const;

  // Takes up to ten. One answer per entry, in order; a bad entry does not stop the others. The
  // call as a whole fails only for its shape: number of entries, sizes, trace headers.
  absl::StatusOr<std::vector<absl::StatusOr<Id>>> PutEvents(
      absl::Span<const EventEntry> entries) const;

  // Takes an event that is already in its envelope, as real ones from a file or a queue are. Its
  // source, detail-type and detail must be there; what else it says is kept, its time to the
  // second; id, time, account, region and resources are added where they are missing. Answers the
  // event's id, or a new one where that is no UUID. An envelope has no place for a trace header: it
  // is given beside it, as EventEntry's. Banyan's own verb; "aws." sources pass.
  //
  // Errors  kInvalidArgument: not a JSON object, with reason and position; or as Put.
  absl::StatusOr<Id> PutEnveloped(std::string_view event_json,
                                  std::string_view trace_header = {}) const;

  // Creates a rule, or replaces its pattern, schedule, state and description; targets given here are put
  // as Rule::PutTargets does, others stay.
  //
  // Errors  kInvalidArgument: a bad pattern, with reason and position
  //         (InvalidEventPatternException), a bad schedule, or one on another bus than the default
  //         one, a bad name or target. kResourceExhausted: too many
  //         rules, or targets.
  // Source  .../API_PutRule.html, .../API_PutTargets.html
  absl::StatusOr<Rule> PutRule(std::string_view name, RuleOptions options) const;

  // kInvalidArgument while the rule has targets (ValidationException); OK if there is none of
  // that name.
  absl::Status DeleteRule(std::string_view name) const;

  absl::StatusOr<Rule> FindRule(std::string_view name) const;
  absl::StatusOr<std::vector<Rule>> ListRules() const;  // by name

  // Of the rules that have this target, sorted. None is no error.
  absl::StatusOr<std::vector<std::string>> ListRuleNamesByTarget(const Arn& target) const;

  // The access policy, as JSON. Kept and returned, and without effect here: whoever has a handle
  // may put. PutPermission adds a statement that lets an account (twelve digits; "*": all) put
  // events, or replaces the one with that id; RemovePermission takes one out; SetPolicy replaces
  // all, with none if it is empty. Policy() is empty if there is none.
  //
  // Errors  kInvalidArgument: an id that is not 1 to 64 letters, digits, hyphens and underscores,
  //         a bad principal or action, no policy (ValidationException), one of more than 10,240
  //         bytes (PolicyLengthExceededException). kNotFound: no statement of that id.
  // Source  .../API_PutPermission.html, .../API_RemovePermission.html
  absl::Status PutPermission(std::string_view statement_id, std::string_view principal,
                             std::string_view action = "events:PutEvents") const;
  absl::Status RemovePermission(std::string_view statement_id) const;
  absl::Status SetPolicy(std::string_view policy) const;
  absl::StatusOr<std::string> Policy() const;

  // Says of each rule, by name, whether it would match the event in its envelope, and if not, the
  // first field that failed; if so, what each target would answer. Takes any JSON object, also one
  // that PutEnveloped would refuse. Delivers nothing, and counts nothing. Banyan's own verb.
  absl::StatusOr<std::vector<RuleExplanation>> Explain(std::string_view event_json) const;

  EventBusStats Stats() const;
  // The same and more under CloudWatch's names, rule by rule; see banyan/metrics.h.
  absl::StatusOr<EventBusMetrics> Metrics() const;
  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const EventBus&, const EventBus&) = default;

  // For the library's own rooms.
  explicit EventBus(std::shared_ptr<internal::EventBusCore> core);
  const std::shared_ptr<internal::EventBusCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::EventBusCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_EVENT_BUS_H_
