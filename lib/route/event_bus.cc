// SPDX-License-Identifier: Apache-2.0
//
// The handles of banyan/event_bus.h: each verb is its core's.
#include "banyan/event_bus.h"

#include <utility>

#include "message/errors.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1 {

namespace {

absl::Status NoBus() {
  return internal::Error(AwsError::kBusResourceNotFound, "The handle names no event bus.");
}

absl::Status NoRule() {
  return internal::Error(AwsError::kBusResourceNotFound, "The rule or its event bus is gone.");
}

}  // namespace

EventBus::EventBus(std::shared_ptr<internal::EventBusCore> core) : core_(std::move(core)) {}

absl::StatusOr<Id> EventBus::Put(EventEntry entry) const {
  if (core_ == nullptr) return NoBus();
  return core_->Put(entry);
}

absl::StatusOr<std::vector<absl::StatusOr<Id>>> EventBus::PutEvents(
    absl::Span<const EventEntry> entries) const {
  if (core_ == nullptr) return NoBus();
  return core_->PutEvents(entries);
}

absl::StatusOr<Id> EventBus::PutEnveloped(std::string_view event_json,
                                          std::string_view trace_header) const {
  if (core_ == nullptr) return NoBus();
  return core_->PutEnveloped(event_json, trace_header);
}

absl::StatusOr<Rule> EventBus::PutRule(std::string_view name, RuleOptions options) const {
  if (core_ == nullptr) return NoBus();
  return core_->PutRule(name, std::move(options));
}

absl::Status EventBus::DeleteRule(std::string_view name) const {
  return core_ == nullptr ? NoBus() : core_->DeleteRule(name);
}

absl::StatusOr<Rule> EventBus::FindRule(std::string_view name) const {
  if (core_ == nullptr) return NoBus();
  return core_->FindRule(name);
}

absl::StatusOr<std::vector<Rule>> EventBus::ListRules() const {
  if (core_ == nullptr) return NoBus();
  return core_->ListRules();
}

absl::StatusOr<std::vector<std::string>> EventBus::ListRuleNamesByTarget(const Arn& target) const {
  if (core_ == nullptr) return NoBus();
  return core_->ListRuleNamesByTarget(target);
}

absl::StatusOr<std::vector<RuleExplanation>> EventBus::Explain(std::string_view event_json) const {
  if (core_ == nullptr) return NoBus();
  return core_->Explain(event_json);
}

absl::Status EventBus::PutPermission(std::string_view statement_id, std::string_view principal,
                                     std::string_view action) const {
  return core_ == nullptr ? NoBus() : core_->PutPermission(statement_id, principal, action);
}

absl::Status EventBus::RemovePermission(std::string_view statement_id) const {
  return core_ == nullptr ? NoBus() : core_->RemovePermission(statement_id);
}

absl::Status EventBus::SetPolicy(std::string_view policy) const {
  return core_ == nullptr ? NoBus() : core_->SetPolicy(policy);
}

absl::StatusOr<std::string> EventBus::Policy() const {
  if (core_ == nullptr) return NoBus();
  return core_->Policy();
}

absl::StatusOr<EventBusMetrics> EventBus::Metrics() const {
  if (core_ == nullptr) return NoBus();
  return core_->Metrics();
}

EventBusStats EventBus::Stats() const {
  return core_ == nullptr ? EventBusStats{} : core_->Stats();
}

const Arn& EventBus::arn() const {
  static const Arn none;
  return core_ == nullptr ? none : core_->arn();
}

std::string_view EventBus::name() const {
  return core_ == nullptr ? std::string_view() : core_->name();
}

Rule::Rule(std::shared_ptr<internal::RuleCore> core) : core_(std::move(core)) {}

absl::Status Rule::PutTargets(absl::Span<const Target> targets) const {
  const std::shared_ptr<internal::EventBusCore> bus = core_ == nullptr ? nullptr : core_->bus();
  return bus == nullptr ? NoRule() : bus->PutTargets(*core_, targets);
}

absl::Status Rule::RemoveTargets(absl::Span<const std::string> ids) const {
  const std::shared_ptr<internal::EventBusCore> bus = core_ == nullptr ? nullptr : core_->bus();
  return bus == nullptr ? NoRule() : bus->RemoveTargets(*core_, ids);
}

absl::StatusOr<RuleOptions> Rule::Options() const {
  const std::shared_ptr<internal::EventBusCore> bus = core_ == nullptr ? nullptr : core_->bus();
  if (bus == nullptr) return NoRule();
  return bus->Options(*core_);
}

absl::Status Rule::Enable() const {
  const std::shared_ptr<internal::EventBusCore> bus = core_ == nullptr ? nullptr : core_->bus();
  return bus == nullptr ? NoRule() : bus->SetEnabled(*core_, true);
}

absl::Status Rule::Disable() const {
  const std::shared_ptr<internal::EventBusCore> bus = core_ == nullptr ? nullptr : core_->bus();
  return bus == nullptr ? NoRule() : bus->SetEnabled(*core_, false);
}

RuleStats Rule::Stats() const {
  const std::shared_ptr<internal::EventBusCore> bus = core_ == nullptr ? nullptr : core_->bus();
  return bus == nullptr ? RuleStats{} : bus->Stats(*core_);
}

const Arn& Rule::arn() const {
  static const Arn none;
  return core_ == nullptr ? none : core_->arn();
}

std::string_view Rule::name() const {
  return core_ == nullptr ? std::string_view() : core_->name();
}

}  // namespace banyan::inline v0_1
