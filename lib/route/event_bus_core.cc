// SPDX-License-Identifier: Apache-2.0
#include "route/event_bus_core.h"

#include <optional>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "message/trace_rules.h"
#include "pattern/event_checker.h"
#include "route/archive_core.h"
#include "route/bus_policy.h"
#include "route/bus_rules.h"

namespace banyan::inline v0_1::internal {

namespace {

// In the index they stand beside the rules.
Limits WithRoomForArchives(Limits limits) {
  limits.pattern.rules_max = AddClamped(limits.pattern.rules_max, limits.broker.archives_max);
  return limits;
}

}  // namespace

absl::Status ValidateEventBusName(std::string_view name, const Limits& limits) {
  return ValidateBusName(name, "name", limits.bus.name_max);
}

absl::Status ValidateEventBusOptions(const EventBusOptions& options) {
  return ValidateBusDescription(options.description);
}

EventBusCore::EventBusCore(std::shared_ptr<Environment> env, std::string name,
                           EventBusOptions options, std::shared_ptr<Timetable> timetable)
    : env_(std::move(env)),
      name_(std::move(name)),
      options_(std::move(options)),
      arn_(env_->MakeArn("events", StrCat("event-bus/", name_))),
      arn_text_(arn_.ToString()),
      timetable_(std::move(timetable)),
      active_(WithRoomForArchives(env_->limits)) {}

std::shared_ptr<EventBusCore> EventBusCore::Create(std::shared_ptr<Environment> env,
                                                   std::string name, EventBusOptions options,
                                                   std::shared_ptr<Timetable> timetable) {
  return std::shared_ptr<EventBusCore>(
      new EventBusCore(std::move(env), std::move(name), std::move(options), std::move(timetable)));
}

absl::Status EventBusCore::Gone() const {
  if (close_kind_.load(std::memory_order_acquire) == CloseKind::kStopped) return env_->Refusal();
  return Error(AwsError::kBusResourceNotFound, "Event bus ", name_, " does not exist.");
}

absl::Status EventBusCore::NoRule(std::string_view name) const {
  return Error(AwsError::kBusResourceNotFound, "Rule ", name, " does not exist on EventBus ", name_,
               ".");
}

// --- Events

absl::StatusOr<Id> EventBusCore::Put(const EventEntry& entry) {
  BANYAN_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<Id>> answers, PutEvents({&entry, 1}));
  return std::move(answers.front());
}

absl::Status EventBusCore::Check(const EventEntry& entry) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (RuleIndex::Moment(active_).closed()) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidateEntryShape(entry, 1, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateEntriesBytes(EntryBytes(entry), env_->limits));
  return MakeEvent(entry, Id(), env_->runtime.Now(), *env_).status();
}

absl::StatusOr<std::vector<absl::StatusOr<Id>>> EventBusCore::PutEvents(
    absl::Span<const EventEntry> entries) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  RuleIndex::Moment rules(active_);
  if (rules.closed()) return Gone();

  BANYAN_RETURN_IF_ERROR(AdmitEntries(
      entries.size(), [entries](size_t i) -> const EventEntry& { return entries[i]; }, *env_));
  const Instant now = env_->runtime.Read();
  std::vector<absl::StatusOr<Id>> answers;
  answers.reserve(entries.size());
  for (const EventEntry& entry : entries) {
    absl::StatusOr<Event> event = MakeEvent(entry, env_->ids.Next(), now.time(), *env_);
    if (!event.ok()) {
      env_->put_events.failed_entries.fetch_add(1, std::memory_order_relaxed);
      answers.push_back(event.status());
      continue;
    }
    answers.push_back(event->id);
    Route(*std::move(event), entry.trace_header, now, &rules);
  }
  return answers;
}

absl::StatusOr<Id> EventBusCore::PutEnveloped(std::string_view event_json,
                                              std::string_view trace_header) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  RuleIndex::Moment rules(active_);
  if (rules.closed()) return Gone();
  if (const std::string rule = BrokenTraceRule(trace_header); !rule.empty()) {
    return Error(AwsError::kBusValidation,
                 "1 validation error detected: Value at 'traceHeader' "
                 "failed to satisfy constraint: Member must ",
                 rule);
  }
  const Instant now = env_->runtime.Read();
  BANYAN_ASSIGN_OR_RETURN(Event event, ReadEvent(event_json, env_->ids.Next(), now.time(), *env_));
  const Id id = event.id;
  Route(std::move(event), std::string(trace_header), now, &rules);
  return id;
}

absl::Status EventBusCore::Accept(const EventEntry& entry) {
  RuleIndex::Moment rules(active_);
  if (rules.closed()) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidateEntryShape(entry, 1, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateEntriesBytes(EntryBytes(entry), env_->limits));
  const Instant now = env_->runtime.Read();
  BANYAN_ASSIGN_OR_RETURN(Event event, MakeEvent(entry, env_->ids.Next(), now.time(), *env_));
  Route(std::move(event), entry.trace_header, now, &rules);
  return absl::OkStatus();
}

bool EventBusCore::Take(Event event, std::string trace_header, const Instant& now) {
  RuleIndex::Moment rules(active_);
  if (rules.closed()) return false;
  Route(std::move(event), std::move(trace_header), now, &rules);
  return true;
}

void EventBusCore::Route(Event event, std::string trace_header, const Instant& now,
                         RuleIndex::Moment* rules) {
  accepted_.fetch_add(1, std::memory_order_relaxed);
  Delivery delivery = {.message = MakeMessage({.id = event.id,
                                               .event_id = event.id,
                                               .accepted = now,
                                               .trace_header = std::move(trace_header),
                                               .body = Payload(event.json)}),
                       .now = now};
  const Message& message = *delivery.message;
  if (env_->tap != nullptr) {
    const TapVerdict verdict =
        env_->tap->Accepted({.resource_arn = arn_text_,
                             .sequence = tap_sequence_.fetch_add(1, std::memory_order_relaxed) + 1,
                             .event_id = message.event_id,
                             .trace_header = message.trace_header(),
                             .accepted = message.accepted,
                             .body = message.body,
                             .attributes = &message.attributes,
                             .key = {}});
    if (verdict == TapVerdict::kTakeOver) return;
  }
  Tell(StoryStep::Kind::kAccepted, message, now);

  std::optional<CheckedEvent> checked;
  if (event.outline.has_value()) {
    checked = EventChecker::Assume(message.body.view(), *std::move(event.outline));
  }
  Match(std::move(delivery), checked.has_value() ? &*checked : nullptr, rules);
}

absl::Status EventBusCore::Forward(const Delivery& delivery) {
  RuleIndex::Moment rules(active_);
  if (rules.closed()) return Gone();
  accepted_.fetch_add(1, std::memory_order_relaxed);
  if (env_->story != nullptr) {
    Tell(StoryStep::Kind::kArrived, *delivery.message, env_->runtime.Read());
  }
  Match({.message = delivery.message, .from_bus = true}, nullptr, &rules);
  return absl::OkStatus();
}

void EventBusCore::Match(Delivery delivery, const CheckedEvent* checked, RuleIndex::Moment* rules,
                         const ReplayPlan* replay) {
  const std::string_view json = delivery.message->body.view();
  // An event beyond what patterns look at matches nothing.
  RuleIndex::Refusal refused = RuleIndex::Refusal::kNone;
  size_t matched = 0;
  rules->Match(
      {.event = checked, .json = &json},
      [&](const PackedRule& found) {
        const auto& rule = *static_cast<const ActiveRule*>(found.payload());
        if (rule.archive != nullptr) {
          if (replay == nullptr) rule.archive->Keep(delivery.message);
          return;
        }
        if (replay != nullptr && !replay->IsFor(rule.core->name())) return;
        ++matched;
        rule.core->CountMatched();
        for (const std::shared_ptr<Courier>& courier : rule.couriers) {
          if (env_->story != nullptr) {
            TellMatched(*delivery.message, TimeOf(delivery), arn_text_, *rule.core, *courier);
          }
          courier->Deliver(delivery);
        }
      },
      &refused);
  if (env_->story != nullptr && matched == 0) {
    Tell(StoryStep::Kind::kUnmatched, *delivery.message, TimeOf(delivery));
  }
  if (replay != nullptr) return;
  if (refused != RuleIndex::Refusal::kNone) unreadable_.fetch_add(1, std::memory_order_relaxed);
  if (matched == 0) unmatched_.fetch_add(1, std::memory_order_relaxed);
}

// A forwarded event was accepted elsewhere.
Instant EventBusCore::TimeOf(const Delivery& delivery) const {
  return delivery.now.has_value() ? *delivery.now : env_->runtime.Read();
}

void EventBusCore::Tell(StoryStep::Kind kind, const Message& event, const Instant& at,
                        std::string_view text) const {
  if (env_->story == nullptr) return;
  env_->story->Tell(event.event_id, {.kind = kind, .at = at, .resource = arn_text_, .text = text});
}

void EventBusCore::TellMatched(const Message& event, const Instant& at, std::string_view by,
                               const RuleCore& rule, const Courier& courier) const {
  env_->story->Tell(event.event_id, {.kind = StoryStep::Kind::kMatched,
                                     .at = at,
                                     .resource = by,
                                     .destination = courier.plan().destination->arn_text(),
                                     .through = by == rule.arn_text() ? "" : rule.arn_text()});
}

// --- Permissions

absl::Status EventBusCore::PutPermission(std::string_view statement_id, std::string_view principal,
                                         std::string_view action) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  BANYAN_ASSIGN_OR_RETURN(policy_,
                          AddBusPermission(policy_, arn_text_, statement_id, principal, action));
  return absl::OkStatus();
}

absl::Status EventBusCore::RemovePermission(std::string_view statement_id) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  BANYAN_ASSIGN_OR_RETURN(policy_, RemoveBusPermission(policy_, statement_id));
  return absl::OkStatus();
}

absl::Status EventBusCore::SetPolicy(std::string_view policy) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateBusPolicy(policy));
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  policy_ = policy;
  return absl::OkStatus();
}

absl::StatusOr<std::string> EventBusCore::Policy() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  return policy_;
}

// --- What became of it all

EventBusStats EventBusCore::Stats() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  EventBusStats stats;
  // In this order, so that what is unmatched was accepted.
  stats.unmatched = unmatched_.load(std::memory_order_relaxed);
  stats.unreadable = unreadable_.load(std::memory_order_relaxed);
  stats.accepted = accepted_.load(std::memory_order_relaxed);
  stats.replayed = replayed_.load(std::memory_order_relaxed);
  MutexLock lock(&change_mu_);
  if (!is_open_) return {};
  stats.rules = static_cast<int64_t>(rules_.size());
  return stats;
}

RuleStats EventBusCore::Stats(const RuleCore& rule) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  RuleStats stats;
  stats.matched = rule.matched();
  MutexLock lock(&change_mu_);
  const RuleState* state = Find(rule);
  if (state == nullptr) return stats;
  for (const LiveTarget& target : state->targets) {
    stats.targets.push_back(
        {target.what.id, target.what.sink->arn_text(), target.courier->Stats()});
  }
  return stats;
}

absl::StatusOr<EventBusMetrics> EventBusCore::Metrics() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  EventBusMetrics metrics = {.event_bus_name = name_,
                             .events_accepted = accepted_.load(std::memory_order_relaxed),
                             .events_unmatched = unmatched_.load(std::memory_order_relaxed),
                             .events_unreadable = unreadable_.load(std::memory_order_relaxed),
                             .events_replayed = replayed_.load(std::memory_order_relaxed)};
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  for (const auto& [name, state] : rules_) {
    DeliveryStats books = state.of_removed_targets;
    for (const LiveTarget& target : state.targets) books += target.courier->Stats();
    for (const Retired& retired : retired_) {
      if (retired.rule == state.core) books += retired.courier->Stats();
    }
    RuleMetrics& rule = metrics.rules.emplace_back();
    rule.event_bus_name = name_;
    rule.rule_name = name;
    rule.matched_events = state.core->matched();
    rule.triggered_rules = rule.matched_events + state.core->fired();
    rule.invocations_created = books.matched;
    rule.invocations = books.matched - books.pending;
    rule.invocation_attempts = books.delivered + books.failed_attempts;
    rule.successful_invocation_attempts = books.delivered;
    rule.retry_invocation_attempts = books.retries;
    rule.failed_invocations = books.dead_lettered + books.dropped;
    rule.invocations_sent_to_dlq = books.dead_lettered;
    rule.invocations_failed_to_be_sent_to_dlq = books.dead_letters_refused;
    rule.invocations_pending = books.pending;
  }
  return metrics;
}

int64_t EventBusCore::PendingDeliveries() const {
  int64_t pending = 0;
  MutexLock lock(&change_mu_);
  for (const auto& [name, state] : rules_) {
    for (const LiveTarget& target : state.targets) pending += target.courier->pending();
  }
  for (const Retired& retired : retired_) pending += retired.courier->pending();
  return pending;
}

void EventBusCore::Close(CloseKind kind) {
  std::vector<std::shared_ptr<Courier>> couriers;
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return;
    for (auto& [name, state] : rules_) {
      for (LiveTarget& target : state.targets) {
        retired_.push_back({std::move(target.courier), state.core});
      }
    }
    for (const Retired& retired : retired_) couriers.push_back(retired.courier);
    close_kind_.store(kind, std::memory_order_release);
    is_open_ = false;
    active_.Close();
    rules_.clear();
  }
  for (const std::shared_ptr<Courier>& courier : couriers) courier->Close(kind);
}

}  // namespace banyan::inline v0_1::internal
