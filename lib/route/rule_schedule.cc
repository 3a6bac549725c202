// SPDX-License-Identifier: Apache-2.0
#include "route/rule_schedule.h"

#include <utility>
#include <variant>

#include "message/errors.h"

namespace banyan::inline v0_1::internal {

absl::StatusOr<RuleScheduleExpression> ParseRuleSchedule(std::string_view text,
                                                         const Timetable* timetable) {
  if (text.empty()) return RuleScheduleExpression();
  if (timetable == nullptr) {
    return Error(AwsError::kBusValidation,
                 "ScheduleExpression is supported only on the default event bus.");
  }
  std::string reason;
  std::optional<ScheduleExpression> expression = ParseScheduleExpression(text, &reason);
  if (expression.has_value() && std::holds_alternative<OneTime>(*expression)) {
    expression.reset();
    reason = "at(...) is for schedules, a rule has rate(...) or cron(...)";
  }
  if (!expression.has_value()) {
    return Error(AwsError::kBusValidation,
                 "Parameter ScheduleExpression is not valid. Reason: ", reason, ".");
  }
  return RuleScheduleExpression{std::string(text), std::move(expression)};
}

class RuleSchedule::Item final : public Timetable::Entry {
 public:
  explicit Item(FireFn fire) : fire_(std::move(fire)) {}

 private:
  void Fire(const Timetable::Firing& firing) override { fire_(firing); }

  const FireFn fire_;
};

RuleSchedule::RuleSchedule(std::shared_ptr<Timetable> timetable, FireFn fire)
    : timetable_(std::move(timetable)), item_(std::make_shared<Item>(std::move(fire))) {}

void RuleSchedule::Set(RuleScheduleExpression expression, bool enabled, absl::Time now) {
  if (expression.text != expression_.text) {
    Stop();
    enabled_ = false;
    expression_ = std::move(expression);
  }
  SetEnabled(enabled, now);
}

void RuleSchedule::SetEnabled(bool enabled, absl::Time now) {
  if (enabled == enabled_) return;
  enabled_ = enabled;
  if (enabled) {
    Start(now);
  } else {
    Stop();
  }
}

void RuleSchedule::Start(absl::Time now) {
  if (!expression_.expression.has_value()) return;
  Recurrence recurrence = {.expression = *expression_.expression};
  if (const Rate* rate = std::get_if<Rate>(&recurrence.expression)) {
    recurrence.rate_from = now + rate->period;
  }
  timetable_->Set(item_, std::move(recurrence), absl::ZeroDuration(), now);
}

void RuleSchedule::Stop() { timetable_->Remove(*item_); }

}  // namespace banyan::inline v0_1::internal
