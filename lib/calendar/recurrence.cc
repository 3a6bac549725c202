// SPDX-License-Identifier: Apache-2.0
#include "calendar/recurrence.h"

#include <algorithm>
#include <cstdint>

namespace banyan::inline v0_1::internal {

namespace {

// As cron has it, in UTC.
const absl::Time& EndOfTime() {
  static const absl::Time end =
      absl::FromCivil(absl::CivilSecond(Cron::kLastYear + 1), absl::UTCTimeZone());
  return end;
}

std::optional<absl::Time> NextOfRate(absl::Duration period, absl::Time from, absl::Time after) {
  if (std::max(after, from) >= EndOfTime()) return std::nullopt;
  if (after < from) return from;
  absl::Duration rest;
  const int64_t periods = absl::IDivDuration(after - from, period, &rest);
  const absl::Time next = from + (periods + 1) * period;
  if (next >= EndOfTime()) return std::nullopt;
  return next;
}

}  // namespace

std::optional<absl::Time> Recurrence::Next(absl::Time after) const {
  if (const auto* once = std::get_if<OneTime>(&expression)) {
    const absl::Time at = absl::FromCivil(once->at, zone);
    return at > after ? std::optional(at) : std::nullopt;
  }
  const absl::Time from = std::max(after, start - absl::Nanoseconds(1));
  const std::optional<absl::Time> next =
      std::holds_alternative<Rate>(expression)
          ? NextOfRate(std::get<Rate>(expression).period, rate_from, from)
          : std::get<Cron>(expression).Next(from, zone);
  return next.has_value() && *next <= end ? next : std::nullopt;
}

}  // namespace banyan::inline v0_1::internal
