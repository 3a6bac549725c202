// SPDX-License-Identifier: Apache-2.0
//
// lib/route/event_bus_core.h -- floor 5: a bus, its rules and their targets.
//
//   Put --validate--> envelope (one Message) --tap--> index of enabled rules --> each that
//                                                     matches: its Couriers
//
// B1  rules_ is what is; active_ is what publishers work on: the enabled rules, each with its
//     couriers of the moment. An event meets the rules of one moment, and no publisher waits for a
//     change; a change costs what its rule costs, however many others there are.
// B2  The event is checked once and looked at once, whatever the number of rules. Targets share its
//     Message.
// B3  A target that a PutRule or PutTargets gives again unchanged keeps its courier, with its books
//     and its retries under way; so wiring may be repeated.
// B4  No lock is held while a tap, a destination or a log is called.
// B5  A courier whose target goes is kept in retired_ (as in TopicCore).
// B6  PutRule and PutTargets check everything before they change anything.
#ifndef BANYAN_LIB_ROUTE_EVENT_BUS_CORE_H_
#define BANYAN_LIB_ROUTE_EVENT_BUS_CORE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/event_bus.h"
#include "banyan/mutex.h"
#include "deliver/courier.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "pattern/compiled_pattern.h"
#include "pattern/rule_index.h"
#include "route/archive_store.h"
#include "route/event.h"
#include "route/rule_schedule.h"
#include "route/rule_target.h"

namespace banyan::inline v0_1::internal {

class ArchiveCore;
class EventBusCore;

// What a bus needs of a replay.
struct ReplayPlan {
  std::string name;
  std::vector<std::string> rules;  // sorted names of those that see it; empty: all do

  bool IsFor(std::string_view rule) const {
    return rules.empty() || std::binary_search(rules.begin(), rules.end(), rule);
  }
};

// 1 to 256 letters, digits and ./-_; a slash is for partner buses, which do not exist here.
absl::Status ValidateEventBusName(std::string_view name, const Limits& limits);
absl::Status ValidateEventBusOptions(const EventBusOptions& options);

// What of a rule never changes. A rule deleted and put again under its name is another RuleCore.
class RuleCore {
 public:
  RuleCore(std::weak_ptr<EventBusCore> bus, std::string name, Arn arn)
      : bus_(std::move(bus)),
        name_(std::move(name)),
        arn_(std::move(arn)),
        arn_text_(arn_.ToString()) {}

  std::shared_ptr<EventBusCore> bus() const { return bus_.lock(); }
  const std::string& name() const { return name_; }
  const Arn& arn() const { return arn_; }
  const std::string& arn_text() const { return arn_text_; }

  void CountMatched() { matched_.fetch_add(1, std::memory_order_relaxed); }
  void CountFired() { fired_.fetch_add(1, std::memory_order_relaxed); }
  int64_t matched() const { return matched_.load(std::memory_order_relaxed); }
  int64_t fired() const { return fired_.load(std::memory_order_relaxed); }  // by its schedule

 private:
  const std::weak_ptr<EventBusCore> bus_;
  const std::string name_;
  const Arn arn_;
  const std::string arn_text_;
  std::atomic<int64_t> matched_{0};
  std::atomic<int64_t> fired_{0};
};

class EventBusCore : public std::enable_shared_from_this<EventBusCore> {
 public:
  // `timetable` is for rules with a schedule. Null: this bus has none of them.
  static std::shared_ptr<EventBusCore> Create(std::shared_ptr<Environment> env, std::string name,
                                              EventBusOptions options,
                                              std::shared_ptr<Timetable> timetable = nullptr);

  // The verbs of banyan/event_bus.h. Each passes the broker's gate.
  absl::StatusOr<Id> Put(const EventEntry& entry);
  absl::StatusOr<std::vector<absl::StatusOr<Id>>> PutEvents(absl::Span<const EventEntry> entries);
  absl::StatusOr<Id> PutEnveloped(std::string_view event_json, std::string_view trace_header);
  absl::StatusOr<Rule> PutRule(std::string_view name, RuleOptions options);
  absl::Status DeleteRule(std::string_view name);
  absl::StatusOr<Rule> FindRule(std::string_view name) const;
  absl::StatusOr<std::vector<Rule>> ListRules() const;
  absl::StatusOr<std::vector<std::string>> ListRuleNamesByTarget(const Arn& target) const;
  absl::Status PutPermission(std::string_view statement_id, std::string_view principal,
                             std::string_view action);
  absl::Status RemovePermission(std::string_view statement_id);
  absl::Status SetPolicy(std::string_view policy);
  absl::StatusOr<std::string> Policy() const;
  absl::StatusOr<std::vector<RuleExplanation>> Explain(std::string_view event_json) const;
  EventBusStats Stats() const;
  absl::StatusOr<EventBusMetrics> Metrics() const;

  // As Put(), for a schedule. Passes no gate, as every delivery.
  absl::Status Accept(const EventEntry& entry);

  // An entry of a call that puts to several buses. Passes no gate. False: the bus is gone.
  bool Take(Event event, std::string trace_header, const Instant& now);

  // Takes an event from another bus as it is. Passes no gate, as every delivery.
  absl::Status Forward(const Delivery& delivery);

  // What Put would refuse, whatever the rules. For who puts later.
  absl::Status Check(const EventEntry& entry) const;

  // The verbs of a Rule.
  absl::Status PutTargets(const RuleCore& rule, absl::Span<const Target> targets);
  absl::Status RemoveTargets(const RuleCore& rule, absl::Span<const std::string> ids);
  absl::Status SetEnabled(const RuleCore& rule, bool enabled);
  absl::StatusOr<RuleOptions> Options(const RuleCore& rule) const;
  RuleStats Stats(const RuleCore& rule) const;

  // Archives and replays; event_bus_archive.cc. An archive is shown what matches its pattern (null:
  // every event), until it is removed; again: with another pattern. Fails if the bus is closed.
  absl::Status PutArchive(std::shared_ptr<ArchiveCore> archive,
                          std::shared_ptr<const CompiledPattern> pattern);
  void RemoveArchive(const ArchiveCore& archive);
  // Shows archived events to rules, in order, and to no archive. False: the bus is closed, and saw
  // none of them.
  bool PutAgain(absl::Span<const ArchiveStore::Entry> events, const ReplayPlan& replay);
  bool closed() const;
  absl::Status CheckOpen() const;

  const Arn& arn() const { return arn_; }
  const std::string& arn_text() const { return arn_text_; }
  const std::string& name() const { return name_; }
  const EventBusOptions& options() const { return options_; }
  const std::shared_ptr<Environment>& env() const { return env_; }
  Arn RuleArn(std::string_view rule) const;

  // Deliveries under way: with functions, or waiting for another attempt.
  int64_t PendingDeliveries() const;

  // Ends the bus: no event gets in, nothing is tried again. Waits for nothing.
  void Close(CloseKind kind);

 private:
  struct LiveTarget {
    RuleTarget what;
    std::shared_ptr<Courier> courier;
  };
  struct RuleState {
    std::shared_ptr<RuleCore> core;
    std::shared_ptr<const CompiledPattern> pattern;  // null: it has a schedule only
    std::unique_ptr<RuleSchedule> schedule;          // null: it never had one
    bool enabled = true;
    std::string description;
    std::vector<LiveTarget> targets;
    DeliveryStats of_removed_targets = {};  // those that are no longer in retired_
  };
  // A courier whose target was removed, or replaced.
  struct Retired {
    std::shared_ptr<Courier> courier;
    std::shared_ptr<const RuleCore> rule;
  };
  // What the index keeps of an enabled rule; or of an archive, and then nothing else is set.
  struct ActiveRule {
    std::shared_ptr<RuleCore> core;
    std::vector<std::shared_ptr<Courier>> couriers;
    std::shared_ptr<ArchiveCore> archive;
  };
  using Rules = std::map<std::string, RuleState, std::less<>>;

  EventBusCore(std::shared_ptr<Environment> env, std::string name, EventBusOptions options,
               std::shared_ptr<Timetable> timetable);

  absl::Status Gone() const;
  absl::Status NoRule(std::string_view name) const;
  void Route(Event event, std::string trace_header, const Instant& now, RuleIndex::Moment* rules);
  // Shows the delivery to the rules and archives that it matches; one of a replay to those rules
  // only that the replay is for. `checked`: the message's body; null: not yet.
  void Match(Delivery delivery, const CheckedEvent* checked, RuleIndex::Moment* rules,
             const ReplayPlan* replay = nullptr);

  Instant TimeOf(const Delivery& delivery) const;
  // For the event's story, if stories are kept.
  void Tell(StoryStep::Kind kind, const Message& event, const Instant& at,
            std::string_view text = {}) const;
  void TellMatched(const Message& event, const Instant& at, std::string_view by,
                   const RuleCore& rule, const Courier& courier) const;

  void SetSchedule(RuleState& state, RuleScheduleExpression expression)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  void FireSchedule(const RuleCore& rule, const Timetable::Firing& firing);

  absl::StatusOr<std::vector<RuleTarget>> ResolveTargets(absl::Span<const Target> targets) const;
  absl::Status CheckTargetCount(const std::vector<LiveTarget>& there,
                                const std::vector<RuleTarget>& more) const;
  void AddTargets(RuleState& state, std::vector<RuleTarget> targets)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  std::shared_ptr<Courier> MakeCourier(const RuleCore& rule, const RuleTarget& target) const;
  // By names, as dead letters have them: a rule put again under its name counts. Null if it or the
  // target is gone.
  std::shared_ptr<Courier> CourierOf(std::string_view rule, std::string_view target_id) const;
  void Retire(const RuleState& state, std::shared_ptr<Courier> courier)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  // Brings active_ in step with a rule.
  void Activate(const RuleState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  // Null if the rule was deleted.
  const RuleState* Find(const RuleCore& rule) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  RuleState* Find(const RuleCore& rule) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const EventBusOptions options_;
  const Arn arn_;
  const std::string arn_text_;
  const std::shared_ptr<Timetable> timetable_;

  std::atomic<int64_t> accepted_{0};
  std::atomic<int64_t> unmatched_{0};
  std::atomic<int64_t> unreadable_{0};
  std::atomic<int64_t> replayed_{0};
  std::atomic<uint64_t> tap_sequence_{0};
  std::atomic<CloseKind> close_kind_{CloseKind::kStopped};  // set before active_ is closed

  RuleIndex active_;  // closed with the bus
  mutable Mutex change_mu_;
  bool is_open_ ABSL_GUARDED_BY(change_mu_) = true;
  Rules rules_ ABSL_GUARDED_BY(change_mu_);
  std::string policy_ ABSL_GUARDED_BY(change_mu_);  // empty: none
  std::vector<Retired> retired_ ABSL_GUARDED_BY(change_mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_EVENT_BUS_CORE_H_
