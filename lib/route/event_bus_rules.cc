// SPDX-License-Identifier: Apache-2.0
//
// lib/route/event_bus_rules.cc -- floor 5: the rules of a bus and their targets. What they get of
// events: event_bus_core.cc.
#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "deliver/retry.h"
#include "message/errors.h"
#include "pattern/syntax.h"
#include "queue/core.h"
#include "route/bus_dead_letter.h"
#include "route/bus_rules.h"
#include "route/event_bus_core.h"
#include "route/schedule_invocation.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kDefaultBus = "default";

}  // namespace

Arn EventBusCore::RuleArn(std::string_view rule) const {
  return env_->MakeArn(
      "events", name_ == kDefaultBus ? StrCat("rule/", rule) : StrCat("rule/", name_, "/", rule));
}

absl::StatusOr<Rule> EventBusCore::PutRule(std::string_view name, RuleOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateBusName(name, "name", env_->limits.bus.rule_name_max));
  BANYAN_RETURN_IF_ERROR(ValidateBusDescription(options.description));
  if (options.pattern.empty() && options.schedule_expression.empty()) {
    return Error(AwsError::kBusValidation,
                 "Parameter(s) EventPattern or ScheduleExpression must be specified.");
  }
  BANYAN_ASSIGN_OR_RETURN(RuleScheduleExpression schedule,
                          ParseRuleSchedule(options.schedule_expression, timetable_.get()));
  std::shared_ptr<const CompiledPattern> pattern;
  if (!options.pattern.empty()) {
    CompileResult compiled =
        CompilePattern(options.pattern, PatternLanguage::kEventBridge, env_->limits);
    if (const PatternError* error = std::get_if<PatternError>(&compiled)) {
      return EventBridgeStatus(*error, options.pattern);
    }
    pattern = std::get<std::shared_ptr<const CompiledPattern>>(std::move(compiled));
  }
  BANYAN_ASSIGN_OR_RETURN(std::vector<RuleTarget> targets, ResolveTargets(options.targets));

  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const auto there = rules_.find(name);
  const int64_t rules_max = std::min(env_->limits.bus.rules_max, env_->limits.pattern.rules_max);
  if (there == rules_.end() && static_cast<int64_t>(rules_.size()) >= rules_max) {
    return BusLimitExceeded("rules", static_cast<int64_t>(rules_.size()) + 1, rules_max);
  }
  BANYAN_RETURN_IF_ERROR(CheckTargetCount(
      there == rules_.end() ? std::vector<LiveTarget>() : there->second.targets, targets));

  RuleState& state =
      there != rules_.end() ? there->second : rules_.emplace(name, RuleState()).first->second;
  if (state.core == nullptr) {
    state.core = std::make_shared<RuleCore>(weak_from_this(), std::string(name), RuleArn(name));
  }
  state.pattern = std::move(pattern);
  state.enabled = options.enabled;
  state.description = std::move(options.description);
  AddTargets(state, std::move(targets));
  Activate(state);
  SetSchedule(state, std::move(schedule));
  return Rule(state.core);
}

void EventBusCore::SetSchedule(RuleState& state, RuleScheduleExpression expression) {
  if (state.schedule == nullptr) {
    if (expression.text.empty()) return;
    // The rule knows its bus, but does not keep it alive.
    state.schedule = std::make_unique<RuleSchedule>(
        timetable_, [rule = state.core](const Timetable::Firing& firing) {
          if (const auto bus = rule->bus()) bus->FireSchedule(*rule, firing);
        });
  }
  state.schedule->Set(std::move(expression), state.enabled, env_->runtime.Now());
}

// The event is the rule's own: no other rule sees it, nor does the tap, for nobody put it.
void EventBusCore::FireSchedule(const RuleCore& rule, const Timetable::Firing& firing) {
  std::vector<std::shared_ptr<Courier>> couriers;
  {
    MutexLock lock(&change_mu_);
    const RuleState* state = Find(rule);
    if (state == nullptr || !state->enabled) return;
    for (const LiveTarget& target : state->targets) couriers.push_back(target.courier);
    state->core->CountFired();
  }
  const Id id = env_->ids.Next();
  Delivery delivery = {
      .message = MakeMessage({.id = id,
                              .event_id = id,
                              .accepted = firing.now,
                              .body = Payload(ScheduledEvent(id, "aws.events", rule.arn_text(),
                                                             firing.scheduled, "{}", *env_))})};
  if (env_->story != nullptr) {
    env_->story->Tell(id, {.kind = StoryStep::Kind::kAccepted,
                           .at = firing.now,
                           .resource = rule.arn_text(),
                           .text = StrCat("fired for ", ScheduledTimeText(firing.scheduled))});
  }
  for (const std::shared_ptr<Courier>& courier : couriers) {
    if (env_->story != nullptr) {
      TellMatched(*delivery.message, firing.now, rule.arn_text(), rule, *courier);
    }
    courier->Deliver(delivery);
  }
}

absl::StatusOr<std::vector<RuleTarget>> EventBusCore::ResolveTargets(
    absl::Span<const Target> targets) const {
  std::vector<RuleTarget> resolved;
  for (size_t i = 0; i < targets.size(); ++i) {
    BANYAN_ASSIGN_OR_RETURN(RuleTarget target, ResolveRuleTarget(targets[i], i + 1, this, *env_));
    for (const RuleTarget& earlier : resolved) {
      if (earlier.id == target.id) {
        return Error(AwsError::kBusValidation, "Two targets of the request have the Id ", target.id,
                     "; name them with Target::Id().");
      }
    }
    resolved.push_back(std::move(target));
  }
  return resolved;
}

absl::Status EventBusCore::CheckTargetCount(const std::vector<LiveTarget>& there,
                                            const std::vector<RuleTarget>& more) const {
  size_t count = there.size();
  for (const RuleTarget& target : more) {
    count += std::none_of(there.begin(), there.end(),
                          [&target](const LiveTarget& t) { return t.what.id == target.id; });
  }
  const int64_t max = env_->limits.bus.targets_max;
  return static_cast<int64_t>(count) <= max
             ? absl::OkStatus()
             : BusLimitExceeded("targets", static_cast<int64_t>(count), max);
}

void EventBusCore::AddTargets(RuleState& state, std::vector<RuleTarget> targets) {
  for (RuleTarget& target : targets) {
    const auto there =
        std::find_if(state.targets.begin(), state.targets.end(),
                     [&target](const LiveTarget& t) { return t.what.id == target.id; });
    if (there == state.targets.end()) {
      std::shared_ptr<Courier> courier = MakeCourier(*state.core, target);
      state.targets.push_back({std::move(target), std::move(courier)});
    } else if (!SameTarget(there->what.target, target.target)) {  // B3
      Retire(state, std::move(there->courier));
      there->courier = MakeCourier(*state.core, target);
      there->what = std::move(target);
    }
  }
}

std::shared_ptr<Courier> EventBusCore::MakeCourier(const RuleCore& rule,
                                                   const RuleTarget& target) const {
  CourierPlan plan;
  plan.destination = target.sink;
  plan.retry = target.target.retry().value_or(DefaultBusRetry());
  plan.source_arn = rule.arn_text();
  plan.find_later = [bus = weak_from_this(), name = rule.name(), id = target.id]() {
    const std::shared_ptr<const EventBusCore> core = bus.lock();
    return core == nullptr ? nullptr : core->CourierOf(name, id);
  };
  plan.form = MakeTargetForm(target.input, target.target.message_group_id(),
                             {.arn = rule.arn_text(), .name = rule.name()});
  if (target.target.dead_letter().has_value()) {
    plan.dead_letter = target.target.dead_letter()->core();
    plan.dead_letter_form = [rule_arn = rule.arn_text(), target_arn = target.sink->arn_text()](
                                const Delivery& event, const GivenUp& why) {
      return MakeBusDeadLetter(event, why, rule_arn, target_arn);
    };
  }
  return Courier::Create(env_, std::move(plan));
}

std::shared_ptr<Courier> EventBusCore::CourierOf(std::string_view rule,
                                                 std::string_view target_id) const {
  MutexLock lock(&change_mu_);
  const auto there = rules_.find(rule);
  if (there == rules_.end()) return nullptr;
  for (const LiveTarget& target : there->second.targets) {
    if (target.what.id == target_id) return target.courier;
  }
  return nullptr;
}

void EventBusCore::Retire(const RuleState& state, std::shared_ptr<Courier> courier) {
  // See TopicCore::Retire. The rule's metrics keep what it did.
  const auto is_done = [this](const Retired& retired) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_) {
    if (retired.courier->pending() > 0 || retired.courier.use_count() > 1) return false;
    if (RuleState* rule = Find(*retired.rule)) rule->of_removed_targets += retired.courier->Stats();
    return true;
  };
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is_done), retired_.end());
  retired_.push_back({std::move(courier), state.core});
}

void EventBusCore::Activate(const RuleState& state) {
  if (!state.enabled || state.pattern == nullptr) {
    active_.Remove(state.core->name());
    return;
  }
  auto rule = std::make_shared<ActiveRule>();
  rule->core = state.core;
  for (const LiveTarget& target : state.targets) rule->couriers.push_back(target.courier);
  const bool has_room = active_.Put({.input = RuleInput::kJson,
                                     .pattern = state.pattern,
                                     .id = state.core->name(),
                                     .payload = std::move(rule)});
  BANYAN_CHECK(has_room, "PutRule() keeps the number of rules below what the index takes");
}

absl::Status EventBusCore::DeleteRule(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const auto rule = rules_.find(name);
  if (rule == rules_.end()) return absl::OkStatus();
  if (!rule->second.targets.empty()) {
    return Error(AwsError::kBusValidation, "Rule can't be deleted since it has targets.");
  }
  active_.Remove(name);
  rules_.erase(rule);
  return absl::OkStatus();
}

absl::StatusOr<Rule> EventBusCore::FindRule(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const auto rule = rules_.find(name);
  if (rule == rules_.end()) return NoRule(name);
  return Rule(rule->second.core);
}

absl::StatusOr<std::vector<Rule>> EventBusCore::ListRules() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  std::vector<Rule> list;
  for (const auto& [name, state] : rules_) list.emplace_back(state.core);
  return list;
}

absl::StatusOr<std::vector<std::string>> EventBusCore::ListRuleNamesByTarget(
    const Arn& target) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::string arn = target.ToString();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  std::vector<std::string> names;
  for (const auto& [name, state] : rules_) {
    if (std::any_of(state.targets.begin(), state.targets.end(),
                    [&arn](const LiveTarget& t) { return t.what.sink->arn_text() == arn; })) {
      names.push_back(name);
    }
  }
  return names;
}

const EventBusCore::RuleState* EventBusCore::Find(const RuleCore& rule) const {
  const auto found = rules_.find(rule.name());
  return found == rules_.end() || found->second.core.get() != &rule ? nullptr : &found->second;
}

EventBusCore::RuleState* EventBusCore::Find(const RuleCore& rule) {
  const auto found = rules_.find(rule.name());
  return found == rules_.end() || found->second.core.get() != &rule ? nullptr : &found->second;
}

absl::StatusOr<RuleOptions> EventBusCore::Options(const RuleCore& rule) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const RuleState* state = Find(rule);
  if (state == nullptr) return NoRule(rule.name());
  RuleOptions options = {.enabled = state->enabled, .description = state->description};
  if (state->pattern != nullptr) options.pattern = state->pattern->text();
  if (state->schedule != nullptr) options.schedule_expression = state->schedule->expression();
  for (const LiveTarget& target : state->targets) {
    options.targets.push_back(Target(target.what.target).Id(target.what.id));
  }
  return options;
}

absl::Status EventBusCore::PutTargets(const RuleCore& rule, absl::Span<const Target> targets) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(std::vector<RuleTarget> resolved, ResolveTargets(targets));
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  RuleState* state = Find(rule);
  if (state == nullptr) return NoRule(rule.name());
  BANYAN_RETURN_IF_ERROR(CheckTargetCount(state->targets, resolved));
  AddTargets(*state, std::move(resolved));
  Activate(*state);
  return absl::OkStatus();
}

absl::Status EventBusCore::RemoveTargets(const RuleCore& rule, absl::Span<const std::string> ids) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  RuleState* state = Find(rule);
  if (state == nullptr) return NoRule(rule.name());
  std::vector<LiveTarget> left;
  for (LiveTarget& target : state->targets) {
    if (std::find(ids.begin(), ids.end(), target.what.id) == ids.end()) {
      left.push_back(std::move(target));
    } else {
      Retire(*state, std::move(target.courier));
    }
  }
  state->targets = std::move(left);
  Activate(*state);
  return absl::OkStatus();
}

absl::Status EventBusCore::SetEnabled(const RuleCore& rule, bool enabled) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  RuleState* state = Find(rule);
  if (state == nullptr) return NoRule(rule.name());
  state->enabled = enabled;
  Activate(*state);
  if (state->schedule != nullptr) state->schedule->SetEnabled(enabled, env_->runtime.Now());
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
