// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the calendar room share: times as people write them.
#ifndef BANYAN_TESTS_CALENDAR_CALENDAR_TESTING_H_
#define BANYAN_TESTS_CALENDAR_CALENDAR_TESTING_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/strings.h"
#include "calendar/cron.h"
#include "calendar/expression.h"
#include "gtest/gtest.h"

namespace banyan::internal {

// "2026-03-29T01:00:00Z"; an offset will do, too.
inline absl::Time At(std::string_view text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, &error)) << error;
  return time;
}

inline absl::TimeZone Zone(std::string_view name) {
  const std::optional<absl::TimeZone> zone = FindTimeZone(name);
  EXPECT_TRUE(zone.has_value()) << name << ": is the time zone database installed?";
  return zone.value_or(absl::UTCTimeZone());
}

inline Cron ParseCron(std::string_view fields) {
  std::string reason;
  std::optional<Cron> cron = Cron::Parse(fields, &reason);
  EXPECT_TRUE(cron.has_value()) << fields << ": " << reason;
  return cron.has_value() ? *cron : *Cron::Parse("0 0 1 1 ? 1970", &reason);
}

// The next `count` firings, as the zone's clocks show them with their offsets; "never" ends it.
inline std::vector<std::string> Firings(const Cron& cron, std::string_view after, int count,
                                        std::string_view zone_name = "UTC") {
  const absl::TimeZone zone = Zone(zone_name);
  std::vector<std::string> texts;
  absl::Time last = At(after);
  for (int i = 0; i < count; ++i) {
    const std::optional<absl::Time> next = cron.Next(last, zone);
    if (!next.has_value()) {
      texts.emplace_back("never");
      break;
    }
    EXPECT_GT(*next, last);
    last = *next;
    texts.push_back(absl::FormatTime("%a %Y-%m-%d %H:%M%Ez", last, zone));
  }
  return texts;
}

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_CALENDAR_CALENDAR_TESTING_H_
