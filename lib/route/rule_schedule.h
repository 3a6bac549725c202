// SPDX-License-Identifier: Apache-2.0
//
// lib/route/rule_schedule.h -- floor 5: the schedule of a rule of the default bus.
//
// A rule has one of these from its first expression on. It stands in the timetable while the rule is
// enabled and has an expression.
//
// Threads   None of its own; EventBusCore::change_mu_ guards all but firing.
#ifndef BANYAN_LIB_ROUTE_RULE_SCHEDULE_H_
#define BANYAN_LIB_ROUTE_RULE_SCHEDULE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "calendar/expression.h"
#include "route/timetable.h"

namespace banyan::inline v0_1::internal {

// A rule's ScheduleExpression: rate or cron; nullopt where `text` is empty, for a rule without one.
struct RuleScheduleExpression {
  std::string text;
  std::optional<ScheduleExpression> expression;
};

// OK, or EventBridge's error. `timetable` is null for every bus but the default one.
absl::StatusOr<RuleScheduleExpression> ParseRuleSchedule(std::string_view text,
                                                         const Timetable* timetable);

class RuleSchedule {
 public:
  // Called under no lock, when the rule's targets are to get the event of a firing. Does nothing if
  // the rule is gone.
  using FireFn = std::function<void(const Timetable::Firing& firing)>;

  RuleSchedule(std::shared_ptr<Timetable> timetable, FireFn fire);
  ~RuleSchedule() { Stop(); }
  RuleSchedule(const RuleSchedule&) = delete;
  RuleSchedule& operator=(const RuleSchedule&) = delete;

  // The rule is now like this. What is as it was goes on as it did, so that wiring may be repeated:
  // a rate counts from when it was given, or the rule enabled.
  void Set(RuleScheduleExpression expression, bool enabled, absl::Time now);
  void SetEnabled(bool enabled, absl::Time now);

  // Fires no more.
  void Stop();

  const std::string& expression() const { return expression_.text; }

 private:
  class Item;
  void Start(absl::Time now);

  const std::shared_ptr<Timetable> timetable_;
  const std::shared_ptr<Item> item_;
  RuleScheduleExpression expression_;
  bool enabled_ = false;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_RULE_SCHEDULE_H_
