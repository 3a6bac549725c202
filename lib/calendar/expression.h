// SPDX-License-Identifier: Apache-2.0
//
// lib/calendar/expression.h -- floor 1: what stands in a ScheduleExpression.
//
//   rate(5 minutes)             every so long; a unit is singular exactly if its number is 1
//   cron(0 18 ? * MON-FRI *)    see cron.h
//   at(2026-03-29T09:00:00)     once; Scheduler's only
//
// Words are in lower case, and there is no other space than shown.
#ifndef BANYAN_LIB_CALENDAR_EXPRESSION_H_
#define BANYAN_LIB_CALENDAR_EXPRESSION_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "calendar/cron.h"

namespace banyan::inline v0_1::internal {

struct Rate {
  absl::Duration period;
};

struct OneTime {
  absl::CivilSecond at;  // on the clocks of the schedule's zone
};

using ScheduleExpression = std::variant<Rate, Cron, OneTime>;

// nullopt, and why in `*reason`, if `text` is none.
std::optional<ScheduleExpression> ParseScheduleExpression(std::string_view text,
                                                          std::string* reason);

// The zone of an IANA name as "Europe/Paris" or "UTC"; nullopt if there is none of that name. What
// only this machine calls a zone ("localtime", a file's path) is none.
std::optional<absl::TimeZone> FindTimeZone(std::string_view name);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CALENDAR_EXPRESSION_H_
