// SPDX-License-Identifier: Apache-2.0
//
// lib/calendar/recurrence.h -- floor 1: an expression on somebody's clocks, between two dates.
#ifndef BANYAN_LIB_CALENDAR_RECURRENCE_H_
#define BANYAN_LIB_CALENDAR_RECURRENCE_H_

#include <optional>

#include "absl/time/time.h"
#include "calendar/expression.h"

namespace banyan::inline v0_1::internal {

struct Recurrence {
  ScheduleExpression expression;
  absl::TimeZone zone = absl::UTCTimeZone();

  // A rate's first firing: it counts from there.
  absl::Time rate_from = absl::UnixEpoch();

  // Nothing fires before `start` or after `end`; a one-time expression heeds neither.
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();

  // The first firing after that instant; nullopt if there is none up to the year 2199. A one-time
  // expression whose minute the clocks skip fires when they do: it has no other chance. One that
  // they show twice fires the first time.
  std::optional<absl::Time> Next(absl::Time after) const;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CALENDAR_RECURRENCE_H_
