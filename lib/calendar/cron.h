// SPDX-License-Identifier: Apache-2.0
//
// lib/calendar/cron.h -- floor 1: a cron expression of six fields, and when it fires next.
//
//   minutes  hours  day-of-month     month         day-of-week             year
//   0-59     0-23   1-31 L LW 15W ?  1-12 JAN-DEC  1-7 SUN-SAT 6L SAT#3 ?  1970-2199
//
// Every field but the two of days takes lists, ranges and steps: "1,15", "8-17", "*/5", "0/15",
// "8-17/2". A range may go over the end of its field ("20-2" are the hours 20 to 23 and 0 to 2),
// except in years. Exactly one of the day fields is "?".
//
//   L       the last day of the month; as a day of the week, Saturday
//   LW      the last Monday to Friday of the month
//   15W     the Monday to Friday nearest to the 15th, within the month; months without that day
//           have none
//   6L      the last Friday of the month
//   SAT#3   the third Saturday of the month; months without have none
//
// These stand alone in their field. Names may be written in any case.
//
// Daylight saving, as EventBridge Scheduler has it: a minute that the clocks skip does not fire,
// and one that they show twice fires the first time only. So firings are in the order of the
// calendar, and no two are at one time.
//
// Why a room of its own on floor 1: this is arithmetic on the calendar, with no clock, no lock and
// no message in it, and tests and fuzzers want it alone. The arithmetic itself is Abseil's.
// Source  docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
//         docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
#ifndef BANYAN_LIB_CALENDAR_CRON_H_
#define BANYAN_LIB_CALENDAR_CRON_H_

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace banyan::inline v0_1::internal {

class Cron {
 public:
  static constexpr int kFirstYear = 1970;
  static constexpr int kLastYear = 2199;

  // The six fields, one space between two. nullopt, and why in `*reason`, if they are none.
  static std::optional<Cron> Parse(std::string_view fields, std::string* reason);

  // The first firing after that instant, on the clocks of the zone; nullopt if there is none. Looks
  // at months, not minutes, where nothing fires: an expression that never does costs microseconds.
  std::optional<absl::Time> Next(absl::Time after, const absl::TimeZone& zone) const;

 private:
  // The days of a month that a day field means.
  enum class DayRule : uint8_t {
    kDaysOfMonth,     // days_, bits 1 to 31
    kLastDay,         // L
    kLastWorkday,     // LW
    kNearestWorkday,  // 15W: day_
    kDaysOfWeek,      // days_, bits 0 to 6 from Sunday
    kLastOfWeekday,   // 6L: day_
    kNthOfWeekday,    // SAT#3: day_, nth_
  };

  Cron() = default;
  bool ParseDaysOfMonth(std::string_view field, std::string* reason);
  bool ParseDaysOfWeek(std::string_view field, std::string* reason);

  bool HasYear(absl::civil_year_t year) const {
    return years_.test(static_cast<size_t>(year - kFirstYear));
  }
  // Bits 1 to 31.
  uint32_t DaysOf(absl::CivilMonth month) const;

  std::bitset<kLastYear - kFirstYear + 1> years_;
  uint64_t minutes_ = 0;
  uint32_t hours_ = 0;
  uint32_t days_ = 0;
  uint16_t months_ = 0;  // bits 1 to 12
  DayRule day_rule_ = DayRule::kDaysOfMonth;
  uint8_t day_ = 0;
  uint8_t nth_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CALENDAR_CRON_H_
