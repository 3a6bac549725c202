// SPDX-License-Identifier: Apache-2.0
#include "calendar/cron.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "absl/types/span.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::array<std::string_view, 12> kMonthNames = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kDayNames = {"SUN", "MON", "TUE", "WED",
                                                       "THU", "FRI", "SAT"};

constexpr int kSpanMax = Cron::kLastYear - Cron::kFirstYear + 1;
using Values = std::bitset<kSpanMax>;  // from the field's lowest

// What a field may hold.
struct Field {
  std::string_view name;
  int low;
  int high;
  absl::Span<const std::string_view> names;  // of low, low + 1, ...
  bool goes_round;                           // may a range go over the end?

  int span() const { return high - low + 1; }
};
constexpr Field kMinutesField = {"minutes", 0, 59, {}, true};
constexpr Field kHoursField = {"hours", 0, 23, {}, true};
constexpr Field kDaysOfMonthField = {"day-of-month", 1, 31, {}, true};
constexpr Field kMonthsField = {"month", 1, 12, kMonthNames, true};
constexpr Field kDaysOfWeekField = {"day-of-week", 1, 7, kDayNames, true};
constexpr Field kYearsField = {"year", Cron::kFirstYear, Cron::kLastYear, {}, false};

bool EqualsIgnoringCase(std::string_view a, std::string_view upper) {
  return a.size() == upper.size() &&
         std::equal(a.begin(), a.end(), upper.begin(), [](char x, char y) {
           return (x >= 'a' && x <= 'z' ? static_cast<char>(x - 'a' + 'A') : x) == y;
         });
}

std::optional<int> ParseInt(std::string_view text) {
  int value = 0;
  const char* const end = text.data() + text.size();
  // A sign is no digit: from_chars would take it.
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

// One value of a field, by number or name.
std::optional<int> ParseValue(std::string_view text, const Field& field, std::string* reason) {
  for (size_t i = 0; i < field.names.size(); ++i) {
    if (EqualsIgnoringCase(text, field.names[i])) return field.low + static_cast<int>(i);
  }
  const std::optional<int> value = ParseInt(text);
  if (!value.has_value()) {
    *reason = StrCat(field.name, " has \"", text, "\", which is no value of it");
    return std::nullopt;
  }
  if (*value < field.low || *value > field.high) {
    *reason = StrCat(field.name, " has ", *value, ", which is not within ", field.low, " to ",
                     field.high);
    return std::nullopt;
  }
  return value;
}

// "*", "5", "8-17", "FRI-MON", each with or without "/2"; "5/2" goes to the field's end.
bool ParseItem(std::string_view item, const Field& field, Values* values, std::string* reason) {
  int step = 1;
  const size_t slash = item.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<int> given = ParseInt(item.substr(slash + 1));
    if (!given.has_value() || *given < 1 || *given >= field.span()) {
      *reason = StrCat(field.name, " has the step \"", item.substr(slash + 1),
                       "\", which is not within 1 to ", field.span() - 1);
      return false;
    }
    step = *given;
  }
  const std::string_view range = item.substr(0, slash);
  const size_t dash = range.find('-');
  int first = field.low;
  int last = field.high;
  if (range != "*") {
    const std::optional<int> from = ParseValue(range.substr(0, dash), field, reason);
    if (!from.has_value()) return false;
    first = *from;
    if (dash != std::string_view::npos) {
      const std::optional<int> to = ParseValue(range.substr(dash + 1), field, reason);
      if (!to.has_value()) return false;
      last = *to;
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  if (last < first) {
    if (!field.goes_round) {
      *reason = StrCat(field.name, " has the range ", range, ", which ends before it begins");
      return false;
    }
    last += field.span();
  }
  for (int value = first; value <= last; value += step) {
    values->set(static_cast<size_t>((value - field.low) % field.span()));
  }
  return true;
}

bool ParseList(std::string_view list, const Field& field, Values* values, std::string* reason) {
  for (;;) {
    const size_t comma = list.find(',');
    if (!ParseItem(list.substr(0, comma), field, values, reason)) return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

// The values as bits, the field's lowest at bit `at`.
uint64_t Bits(const Values& values, const Field& field, int at) {
  uint64_t bits = 0;
  for (int i = 0; i < field.span(); ++i) {
    if (values.test(static_cast<size_t>(i))) bits |= uint64_t{1} << (i + at);
  }
  return bits;
}

bool HasBit(uint64_t bits, int bit) { return (bits >> bit & 1) != 0; }

// 0 is Sunday.
int WeekdayOf(absl::CivilDay day) {
  return (static_cast<int>(absl::GetWeekday(day)) - static_cast<int>(absl::Weekday::sunday) + 7) %
         7;
}

bool IsWorkday(absl::CivilDay day) {
  const int weekday = WeekdayOf(day);
  return weekday != 0 && weekday != 6;
}

absl::CivilDay LastDayOf(absl::CivilMonth month) { return absl::CivilDay(month + 1) - 1; }

}  // namespace

std::optional<Cron> Cron::Parse(std::string_view fields, std::string* reason) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = fields;;) {
    const size_t space = rest.find(' ');
    parts.push_back(rest.substr(0, space));
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
  }
  if (parts.size() != 6) {
    *reason = StrCat("there are ", parts.size(),
                     " fields; minutes, hours, day-of-month, month, day-of-week and year are six, "
                     "with one space between two");
    return std::nullopt;
  }
  if ((parts[2] == "?") == (parts[4] == "?")) {
    *reason = "exactly one of day-of-month and day-of-week is ?";
    return std::nullopt;
  }
  Cron cron;
  Values minutes, hours, months, years;
  if (!ParseList(parts[0], kMinutesField, &minutes, reason) ||
      !ParseList(parts[1], kHoursField, &hours, reason) ||
      !(parts[2] == "?" ? cron.ParseDaysOfWeek(parts[4], reason)
                        : cron.ParseDaysOfMonth(parts[2], reason)) ||
      !ParseList(parts[3], kMonthsField, &months, reason) ||
      !ParseList(parts[5], kYearsField, &years, reason)) {
    return std::nullopt;
  }
  cron.minutes_ = Bits(minutes, kMinutesField, 0);
  cron.hours_ = static_cast<uint32_t>(Bits(hours, kHoursField, 0));
  cron.months_ = static_cast<uint16_t>(Bits(months, kMonthsField, 1));
  cron.years_ = years;
  return cron;
}

bool Cron::ParseDaysOfMonth(std::string_view field, std::string* reason) {
  if (field == "L" || field == "l") {
    day_rule_ = DayRule::kLastDay;
    return true;
  }
  if (EqualsIgnoringCase(field, "LW")) {
    day_rule_ = DayRule::kLastWorkday;
    return true;
  }
  if (field.ends_with('W') || field.ends_with('w')) {
    const std::optional<int> day =
        ParseValue(field.substr(0, field.size() - 1), kDaysOfMonthField, reason);
    if (!day.has_value()) return false;
    day_rule_ = DayRule::kNearestWorkday;
    day_ = static_cast<uint8_t>(*day);
    return true;
  }
  Values days;
  if (!ParseList(field, kDaysOfMonthField, &days, reason)) return false;
  day_rule_ = DayRule::kDaysOfMonth;
  days_ = static_cast<uint32_t>(Bits(days, kDaysOfMonthField, 1));
  return true;
}

bool Cron::ParseDaysOfWeek(std::string_view field, std::string* reason) {
  const size_t hash = field.find('#');
  if (hash != std::string_view::npos) {
    const std::optional<int> day = ParseValue(field.substr(0, hash), kDaysOfWeekField, reason);
    if (!day.has_value()) return false;
    const std::optional<int> nth = ParseInt(field.substr(hash + 1));
    if (!nth.has_value() || *nth < 1 || *nth > 5) {
      *reason = StrCat("day-of-week has \"", field, "\"; behind # stands 1 to 5");
      return false;
    }
    day_rule_ = DayRule::kNthOfWeekday;
    day_ = static_cast<uint8_t>(*day - 1);
    nth_ = static_cast<uint8_t>(*nth);
    return true;
  }
  if (field.size() > 1 && (field.ends_with('L') || field.ends_with('l'))) {
    const std::optional<int> day =
        ParseValue(field.substr(0, field.size() - 1), kDaysOfWeekField, reason);
    if (!day.has_value()) return false;
    day_rule_ = DayRule::kLastOfWeekday;
    day_ = static_cast<uint8_t>(*day - 1);
    return true;
  }
  Values days;
  if (field == "L" || field == "l") field = "SAT";  // the last day of the week
  if (!ParseList(field, kDaysOfWeekField, &days, reason)) return false;
  day_rule_ = DayRule::kDaysOfWeek;
  days_ = static_cast<uint32_t>(Bits(days, kDaysOfWeekField, 0));
  return true;
}

uint32_t Cron::DaysOf(absl::CivilMonth month) const {
  const absl::CivilDay first(month);
  const absl::CivilDay last = LastDayOf(month);
  const auto only = [](absl::CivilDay day) { return uint32_t{1} << day.day(); };
  switch (day_rule_) {
    case DayRule::kDaysOfMonth:
      return days_ & ((uint32_t{2} << last.day()) - 1);
    case DayRule::kLastDay:
      return only(last);
    case DayRule::kLastWorkday: {
      absl::CivilDay day = last;
      while (!IsWorkday(day)) --day;
      return only(day);
    }
    case DayRule::kNearestWorkday: {
      if (day_ > last.day()) return 0;
      const absl::CivilDay day = first + (day_ - 1);
      if (IsWorkday(day)) return only(day);
      // Saturday looks back and Sunday forward, unless that is another month.
      if (WeekdayOf(day) == 6) return only(day == first ? day + 2 : day - 1);
      return only(day == last ? day - 2 : day + 1);
    }
    case DayRule::kDaysOfWeek: {
      uint32_t days = 0;
      for (absl::CivilDay day = first; day <= last; ++day) {
        if (HasBit(days_, WeekdayOf(day))) days |= only(day);
      }
      return days;
    }
    case DayRule::kLastOfWeekday:
      return only(last - (WeekdayOf(last) - day_ + 7) % 7);
    case DayRule::kNthOfWeekday: {
      const absl::CivilDay day = first + (day_ - WeekdayOf(first) + 7) % 7 + 7 * (nth_ - 1);
      return day <= last ? only(day) : 0;
    }
  }
  return 0;
}

std::optional<absl::Time> Cron::Next(absl::Time after, const absl::TimeZone& zone) const {
  // A day before the first year: no zone is further from UTC.
  const absl::CivilMinute first(zone.At(std::max(after, absl::FromUnixSeconds(-86'400))).cs);
  absl::CivilMinute minute = std::max(first, absl::CivilMinute(kFirstYear));
  absl::CivilMonth month(1, 1);
  uint32_t days = 0;  // of `month`
  // Each turn either skips what cannot fire, as much at once as it can, or tries a minute that
  // can. Those tried in vain are the minutes of a gap, or were shown before `after` already.
  while (minute.year() <= kLastYear) {
    if (!HasYear(minute.year())) {
      minute = absl::CivilMinute(absl::CivilYear(minute) + 1);
      continue;
    }
    if (!HasBit(months_, minute.month())) {
      minute = absl::CivilMinute(absl::CivilMonth(minute) + 1);
      continue;
    }
    if (month != absl::CivilMonth(minute)) {
      month = absl::CivilMonth(minute);
      days = DaysOf(month);
    }
    if (days >> minute.day() == 0) {
      minute = absl::CivilMinute(month + 1);
      continue;
    }
    if (!HasBit(days, minute.day())) {
      minute = absl::CivilMinute(absl::CivilDay(minute) + 1);
      continue;
    }
    if (!HasBit(hours_, minute.hour())) {
      minute = absl::CivilMinute(absl::CivilHour(minute) + 1);
      continue;
    }
    if (HasBit(minutes_, minute.minute())) {
      const absl::TimeZone::TimeInfo at = zone.At(absl::CivilSecond(minute));
      // Of a minute that is shown twice, `pre` is the first.
      if (at.kind != absl::TimeZone::TimeInfo::SKIPPED && at.pre > after) return at.pre;
    }
    ++minute;
  }
  return std::nullopt;
}

}  // namespace banyan::inline v0_1::internal
