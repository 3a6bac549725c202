// SPDX-License-Identifier: Apache-2.0
#include "route/scheduler_core.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "deliver/retry.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/event.h"
#include "route/event_bus_core.h"
#include "route/event_entry_sink.h"
#include "route/rule_target.h"
#include "route/schedule_invocation.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kScheduleDescriptionMax = 512;
constexpr int64_t kWindowMinutesMax = 1'440;
constexpr absl::Duration kStartBackMax = absl::Minutes(5);

template <typename... T>
absl::Status Invalid(const T&... parts) {
  return Error(AwsError::kScheduleValidation, parts...);
}

template <typename... T>
absl::Status Constraint(std::string_view field, std::string_view value, const T&... rule) {
  return Invalid("1 validation error detected: Value '", value, "' at '", field,
                 "' failed to satisfy constraint: Member must ", rule...);
}

absl::Status ValidateName(std::string_view name, const Limits& limits) {
  if (name.empty()) return Constraint("name", name, "have length greater than or equal to 1");
  if (static_cast<int64_t>(name.size()) > limits.schedule.name_max) {
    return Constraint("name", name, "have length less than or equal to ", limits.schedule.name_max);
  }
  if (!std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return Constraint("name", name, "satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$");
  }
  return absl::OkStatus();
}

absl::Status ValidateWindow(std::optional<absl::Duration> window) {
  if (!window.has_value()) return absl::OkStatus();
  absl::Duration rest;
  const int64_t minutes = absl::IDivDuration(*window, absl::Minutes(1), &rest);
  if (minutes >= 1 && minutes <= kWindowMinutesMax && rest == absl::ZeroDuration()) {
    return absl::OkStatus();
  }
  return Constraint("flexibleTimeWindow.maximumWindowInMinutes",
                    ToStd(absl::FormatDuration(*window)), "be whole minutes, 1 to ",
                    kWindowMinutesMax);
}

// What AWS asks of times that are new to a schedule. Those it has may have passed meanwhile.
absl::Status ValidateNewTimes(const ScheduleOptions& options, const Recurrence& recurrence,
                              absl::Time now) {
  if (std::holds_alternative<OneTime>(recurrence.expression)) {
    if (recurrence.Next(now).has_value()) return absl::OkStatus();
    return Invalid("Invalid Schedule Expression ", options.schedule_expression,
                   ". Reason: the time is not in the future.");
  }
  if (options.start_date.has_value() && *options.start_date < now - kStartBackMax) {
    return Invalid("The StartDate you specify cannot be earlier than 5 minutes ago.");
  }
  if (options.start_date.has_value() && options.end_date.has_value() &&
      *options.end_date <= *options.start_date) {
    return Invalid("The EndDate you specify must be later than the StartDate.");
  }
  return absl::OkStatus();
}

absl::Status NoSchedule(std::string_view name) {
  return Error(AwsError::kScheduleNotFound, "Schedule ", name, " does not exist.");
}

bool IsBus(const Target& target) {
  return std::holds_alternative<std::shared_ptr<EventBusCore>>(target.to());
}

// The courier of a schedule like `a` will do for `b`.
bool HaveSameCourier(const ScheduleOptions& a, const ScheduleOptions& b) {
  return SameTarget(a.target, b.target) && a.source == b.source && a.detail_type == b.detail_type;
}

// When a schedule fires follows from these.
bool HaveSameTimes(const ScheduleOptions& a, const ScheduleOptions& b) {
  return a.schedule_expression == b.schedule_expression &&
         a.schedule_expression_timezone == b.schedule_expression_timezone &&
         a.flexible_time_window == b.flexible_time_window && a.start_date == b.start_date &&
         a.end_date == b.end_date && a.state == b.state;
}

}  // namespace

// A schedule. All but what is const is guarded by the scheduler's mu_.
class SchedulerCore::Item final : public Timetable::Entry {
 public:
  Item(std::weak_ptr<SchedulerCore> its_scheduler, std::string its_name,
       ScheduleOptions its_options, absl::Time now)
      : scheduler(std::move(its_scheduler)),
        name(std::move(its_name)),
        options(std::move(its_options)),
        created(now),
        modified(now) {}

  const std::weak_ptr<SchedulerCore> scheduler;
  const std::string name;
  ScheduleOptions options;
  std::shared_ptr<Sink> target;
  std::shared_ptr<Courier> courier;  // null until it is needed (D3)
  absl::Time created;
  absl::Time modified;
  int64_t fired = 0;
  bool deleted = false;

 private:
  void Fire(const Timetable::Firing& firing) override {
    if (const std::shared_ptr<SchedulerCore> core = scheduler.lock()) core->Fired(*this, firing);
  }
};

// What options mean.
struct SchedulerCore::Checked {
  Recurrence recurrence;
  std::shared_ptr<Sink> target;
};

SchedulerCore::SchedulerCore(std::shared_ptr<Environment> env)
    : env_(std::move(env)), timetable_(std::make_shared<Timetable>(env_)) {}

std::shared_ptr<SchedulerCore> SchedulerCore::Create(std::shared_ptr<Environment> env) {
  return std::shared_ptr<SchedulerCore>(new SchedulerCore(std::move(env)));
}

absl::Status SchedulerCore::Gone() const {
  // After a reset the broker has another scheduler, which a call that came before did not meet.
  return close_kind_ == CloseKind::kStopped
             ? env_->Refusal()
             : Error(AwsError::kServiceUnavailable, "The broker was reset during the call.");
}

Arn SchedulerCore::MakeScheduleArn(std::string_view name) const {
  return env_->MakeArn("scheduler", StrCat("schedule/default/", name));
}

absl::StatusOr<SchedulerCore::Checked> SchedulerCore::Check(std::string_view name,
                                                            const ScheduleOptions& options,
                                                            absl::Time now) const {
  BANYAN_RETURN_IF_ERROR(ValidateName(name, env_->limits));
  if (static_cast<int64_t>(options.description.size()) > kScheduleDescriptionMax) {
    return Constraint("description", options.description, "have length less than or equal to ",
                      kScheduleDescriptionMax);
  }
  std::string reason;
  std::optional<ScheduleExpression> expression =
      ParseScheduleExpression(options.schedule_expression, &reason);
  if (!expression.has_value()) {
    return Invalid("Invalid Schedule Expression ", options.schedule_expression,
                   ". Reason: ", reason, ".");
  }
  const std::optional<absl::TimeZone> zone = FindTimeZone(options.schedule_expression_timezone);
  if (!zone.has_value()) {
    return Invalid("Invalid Schedule Expression Timezone ", options.schedule_expression_timezone,
                   ". Reason: the time zone database of this system has no zone of that name.");
  }
  BANYAN_RETURN_IF_ERROR(ValidateWindow(options.flexible_time_window));
  Recurrence recurrence = {.expression = *std::move(expression), .zone = *zone};
  recurrence.start = options.start_date.value_or(absl::InfinitePast());
  recurrence.end = options.end_date.value_or(absl::InfiniteFuture());
  if (const Rate* rate = std::get_if<Rate>(&recurrence.expression)) {
    recurrence.rate_from = options.start_date.value_or(now + rate->period);
  }

  absl::StatusOr<RuleTarget> target = ResolveRuleTarget(options.target, 1, nullptr, *env_,
                                                        env_->limits.schedule.message_group_id_max);
  if (!target.ok()) return Invalid(ToStd(target.status().message()));
  if (target->input != nullptr) {
    return Invalid("Parameter Target is not valid for target ", target->id,
                   ". Reason: what a schedule sends stands in ScheduleOptions::input.");
  }
  if (static_cast<int64_t>(options.input.size()) > env_->limits.schedule.input_bytes_max) {
    return Invalid(
        "1 validation error detected: Value at 'target.input' failed to satisfy "
        "constraint: Member must have length less than or equal to ",
        env_->limits.schedule.input_bytes_max, "; it has ", options.input.size(), ".");
  }
  if (const std::optional<size_t> bad = FirstBadUtf8(options.input); bad.has_value()) {
    return Invalid(
        "1 validation error detected: Value at 'target.input' failed to satisfy constraint: "
        "Member must be well-formed UTF-8; byte ",
        *bad, " is not.");
  }
  std::string compact;
  if (std::holds_alternative<Function>(options.target.to()) && !options.input.empty() &&
      !CompactJson(options.input, &compact)) {
    return Invalid("Invalid Target.Input. Reason: a function's input is JSON.");
  }
  const bool is_bus = IsBus(options.target);
  if (!is_bus && !(options.source.empty() && options.detail_type.empty())) {
    return Invalid(
        "Invalid Target.EventBridgeParameters. Reason: Source and DetailType are for "
        "buses only.");
  }
  if (is_bus) {
    EventEntry entry = {.source = options.source,
                        .detail_type = options.detail_type,
                        .detail = options.input.empty() ? "{}" : options.input};
    BANYAN_RETURN_IF_ERROR(ValidateEntryShape(entry, 1, env_->limits));
    // As it will be put, but for the words in its detail.
    const absl::StatusOr<Event> event = MakeEvent(entry, Id(), now, *env_);
    if (!event.ok()) return Invalid(ToStd(event.status().message()));
    entry.detail.clear();
    target->sink = std::make_shared<EventEntrySink>(
        std::get<std::shared_ptr<EventBusCore>>(options.target.to()), std::move(entry));
  }
  return Checked{std::move(recurrence), std::move(target->sink)};
}

// --- Schedules

absl::StatusOr<Arn> SchedulerCore::CreateSchedule(std::string_view name,
                                                  const ScheduleOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const absl::Time now = env_->runtime.Now();
  BANYAN_ASSIGN_OR_RETURN(Checked checked, Check(name, options, now));
  BANYAN_RETURN_IF_ERROR(ValidateNewTimes(options, checked.recurrence, now));
  auto item = std::make_shared<Item>(weak_from_this(), std::string(name), options, now);
  {
    MutexLock lock(&mu_);
    if (!is_open_) return Gone();
    if (schedules_.find(name) != schedules_.end()) {
      return Error(AwsError::kScheduleConflict, "Schedule ", name, " already exists.");
    }
    const int64_t max = env_->limits.broker.schedules_max;
    if (static_cast<int64_t>(schedules_.size()) >= max) {
      return Error(AwsError::kScheduleQuotaExceeded, "There are ", schedules_.size(),
                   " schedules, and the limit is ", max, "; ", name, " would be one more.");
    }
    schedules_.emplace(std::string(name), item);
    Enter(item, std::move(checked), now);
  }
  return MakeScheduleArn(name);
}

absl::Status SchedulerCore::UpdateSchedule(std::string_view name, const ScheduleOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const absl::Time now = env_->runtime.Now();
  BANYAN_ASSIGN_OR_RETURN(Checked checked, Check(name, options, now));
  MutexLock lock(&mu_);
  if (!is_open_) return Gone();
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) return NoSchedule(name);
  Item& item = *found->second;
  const bool has_same_times = HaveSameTimes(item.options, options);
  if (!has_same_times) {
    BANYAN_RETURN_IF_ERROR(ValidateNewTimes(options, checked.recurrence, now));
  }
  if (item.courier != nullptr && !HaveSameCourier(item.options, options)) {
    Retire(std::move(item.courier));
  }
  item.options = options;
  item.modified = now;
  if (has_same_times) {
    item.target = std::move(checked.target);
  } else {
    Enter(found->second, std::move(checked), now);
  }
  return absl::OkStatus();
}

void SchedulerCore::Enter(const std::shared_ptr<Item>& item, Checked checked, absl::Time now) {
  item->target = std::move(checked.target);
  if (item->options.state == ScheduleState::kDisabled) {
    timetable_->Remove(*item);
    return;
  }
  // A start that is now is not over.
  const absl::Time after = checked.recurrence.start == now ? now - absl::Nanoseconds(1) : now;
  timetable_->Set(item, std::move(checked.recurrence),
                  item->options.flexible_time_window.value_or(absl::ZeroDuration()), after);
}

absl::Status SchedulerCore::DeleteSchedule(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&mu_);
  if (!is_open_) return Gone();
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) return NoSchedule(name);
  Item& item = *found->second;
  item.deleted = true;
  timetable_->Remove(item);
  if (item.courier != nullptr) Retire(std::move(item.courier));
  schedules_.erase(found);
  return absl::OkStatus();
}

Schedule SchedulerCore::Describe(const Item& item) const {
  return {.name = item.name,
          .arn = MakeScheduleArn(item.name),
          .options = item.options,
          .creation_date = item.created,
          .last_modification_date = item.modified,
          .next_firing = timetable_->NextFiring(item),
          .fired = item.fired,
          .delivery = item.courier == nullptr ? DeliveryStats() : item.courier->Stats()};
}

absl::StatusOr<Schedule> SchedulerCore::GetSchedule(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&mu_);
  if (!is_open_) return Gone();
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) return NoSchedule(name);
  return Describe(*found->second);
}

std::vector<Schedule> SchedulerCore::ListSchedules(std::string_view prefix) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  std::vector<Schedule> list;
  MutexLock lock(&mu_);
  for (auto at = schedules_.lower_bound(prefix); at != schedules_.end(); ++at) {
    if (!std::string_view(at->first).starts_with(prefix)) break;
    list.push_back(Describe(*at->second));
  }
  return list;
}

// --- Firings

void SchedulerCore::Fired(Item& item, const Timetable::Firing& firing) {
  std::shared_ptr<Courier> courier;
  std::string body, group_id;
  {
    MutexLock lock(&mu_);
    if (!is_open_ || item.deleted || item.options.state == ScheduleState::kDisabled) return;  // D1
    ++item.fired;
    if (item.courier == nullptr) item.courier = MakeCourier(item);
    courier = item.courier;
    body = item.options.input;
    group_id = item.options.target.message_group_id();
    if (body.empty() && IsBus(item.options.target)) body = "{}";
    // Asked again, for an update may have come between.
    if (firing.is_last && item.options.action_after_completion == ActionAfterCompletion::kDelete &&
        !timetable_->NextFiring(item).has_value()) {
      item.deleted = true;
      Retire(std::move(item.courier));
      schedules_.erase(schedules_.find(item.name));  // the caller holds the item
    }
  }
  const Id id = env_->ids.Next();
  const std::string& arn = courier->plan().source_arn;
  if (body.empty()) {
    body = ScheduledEvent(id, "aws.scheduler", arn, firing.scheduled, R"("{}")", *env_);
  }
  Delivery delivery = {
      .message =
          MakeMessage({.id = id, .event_id = id, .accepted = firing.now, .body = Payload(body)}),
      .presentation = std::make_shared<Invocation>(
          firing.scheduled, absl::StrFormat("%016x", id.hi), std::move(group_id))};
  if (env_->story != nullptr) {
    env_->story->Tell(id, {.kind = StoryStep::Kind::kAccepted,
                           .at = firing.now,
                           .resource = arn,
                           .text = StrCat("fired for ", ScheduledTimeText(firing.scheduled))});
    env_->story->Tell(id, {.kind = StoryStep::Kind::kMatched,
                           .at = firing.now,
                           .resource = arn,
                           .destination = courier->plan().destination->arn_text()});
  }
  courier->Deliver(delivery);
  if (firing.is_late) {
    env_->Log(LogSeverity::kWarning, arn,
              StrCat("fired late: it was scheduled for ", ScheduledTimeText(firing.scheduled),
                     "; what it missed since does not fire"));
  }
}

std::shared_ptr<Courier> SchedulerCore::MakeCourier(const Item& item) const {
  const Target& target = item.options.target;
  CourierPlan plan;
  plan.destination = std::make_shared<InvocationSink>(item.target);
  plan.retry = target.retry().value_or(DefaultBusRetry());  // Scheduler's are the same
  plan.source_arn = MakeScheduleArn(item.name).ToString();
  plan.find_later = [scheduler = item.scheduler, name = item.name]() {
    const std::shared_ptr<SchedulerCore> core = scheduler.lock();
    return core == nullptr ? nullptr : core->CourierOf(name);
  };
  if (target.dead_letter().has_value()) {
    plan.dead_letter = target.dead_letter()->core();
    plan.dead_letter_form = [target_arn = item.target->arn_text()](const Delivery& delivery,
                                                                   const GivenUp& why) {
      return MakeScheduleDeadLetter(delivery, why, target_arn);
    };
  }
  return Courier::Create(env_, std::move(plan));
}

std::shared_ptr<Courier> SchedulerCore::CourierOf(const std::string& name) {
  MutexLock lock(&mu_);
  const auto there = schedules_.find(name);
  if (there == schedules_.end()) return nullptr;
  Item& item = *there->second;
  if (item.courier == nullptr) item.courier = MakeCourier(item);
  return item.courier;
}

void SchedulerCore::Retire(std::shared_ptr<Courier> courier) {
  // See TopicCore::Retire.
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                [](const auto& retired) {
                                  return retired->pending() == 0 && retired.use_count() == 1;
                                }),
                 retired_.end());
  retired_.push_back(std::move(courier));
}

// --- The end

int64_t SchedulerCore::PendingDeliveries() const {
  int64_t pending = 0;
  MutexLock lock(&mu_);
  for (const auto& [name, item] : schedules_) {
    if (item->courier != nullptr) pending += item->courier->pending();
  }
  for (const std::shared_ptr<Courier>& courier : retired_) pending += courier->pending();
  return pending;
}

void SchedulerCore::Close(CloseKind kind) {
  timetable_->Close();
  Schedules schedules;  // they die after the lock
  std::vector<std::shared_ptr<Courier>> couriers;
  {
    MutexLock lock(&mu_);
    if (!is_open_) return;
    is_open_ = false;
    close_kind_ = kind;
    schedules.swap(schedules_);
    for (auto& [name, item] : schedules) {
      if (item->courier != nullptr) retired_.push_back(std::move(item->courier));
    }
    couriers = retired_;
  }
  for (const std::shared_ptr<Courier>& courier : couriers) courier->Close(kind);
}

}  // namespace banyan::inline v0_1::internal
