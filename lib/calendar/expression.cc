// SPDX-License-Identifier: Apache-2.0
#include "calendar/expression.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/time/civil_time.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// What stands between "NAME(" and ")"; nullopt if `text` is not of that form.
std::optional<std::string_view> InBrackets(std::string_view text, std::string_view name) {
  if (!text.starts_with(name) || !text.substr(name.size()).starts_with('(') ||
      !text.ends_with(')')) {
    return std::nullopt;
  }
  return text.substr(name.size() + 1, text.size() - name.size() - 2);
}

std::optional<Rate> ParseRate(std::string_view text, std::string* reason) {
  struct Unit {
    std::string_view name;
    absl::Duration length;
  };
  static const std::array<Unit, 3> kUnits = {
      {{"minute", absl::Minutes(1)}, {"hour", absl::Hours(1)}, {"day", absl::Hours(24)}}};
  constexpr size_t kDigitsMax = 9;

  const size_t space = text.find(' ');
  const std::string_view digits = text.substr(0, space);
  if (space == std::string_view::npos || digits.empty() || digits.size() > kDigitsMax ||
      !std::all_of(digits.begin(), digits.end(), IsDigit)) {
    *reason = "a rate is a whole number of at most 9 digits, a space and a unit";
    return std::nullopt;
  }
  int64_t number = 0;
  for (char digit : digits) number = number * 10 + (digit - '0');
  if (number == 0) {
    *reason = "a rate is at least 1";
    return std::nullopt;
  }
  std::string_view unit = text.substr(space + 1);
  if (number != 1) {
    if (!unit.ends_with('s')) {
      *reason = StrCat("units of a rate are minutes, hours and days, and ", number,
                       " are more than one; this is \"", unit, "\"");
      return std::nullopt;
    }
    unit.remove_suffix(1);
  }
  for (const Unit& known : kUnits) {
    if (unit == known.name) return Rate{number * known.length};
  }
  *reason = StrCat("units of a rate are minute, hour and day, with an s unless it is 1; this is \"",
                   text.substr(space + 1), "\"");
  return std::nullopt;
}

std::optional<OneTime> ParseOneTime(std::string_view text, std::string* reason) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  const bool has_form = text.size() == kForm.size() &&
                        std::equal(text.begin(), text.end(), kForm.begin(), [](char c, char form) {
                          return form == 'd' ? IsDigit(c) : c == form;
                        });
  if (!has_form) {
    *reason = "a time is written as at(2026-03-29T09:00:00)";
    return std::nullopt;
  }
  const auto number = [text](size_t begin, size_t length) {
    int value = 0;
    for (char digit : text.substr(begin, length)) value = value * 10 + (digit - '0');
    return value;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  // Abseil would make the 30th of February a day in March.
  const absl::CivilSecond at(year, month, day, hour, minute, second);
  if (at.year() != year || at.month() != month || at.day() != day || at.hour() != hour ||
      at.minute() != minute || at.second() != second) {
    *reason = StrCat("there is no ", text, " in the calendar");
    return std::nullopt;
  }
  if (year < Cron::kFirstYear || year > Cron::kLastYear) {
    *reason = StrCat("the year is not within ", Cron::kFirstYear, " to ", Cron::kLastYear);
    return std::nullopt;
  }
  return OneTime{at};
}

}  // namespace

std::optional<ScheduleExpression> ParseScheduleExpression(std::string_view text,
                                                          std::string* reason) {
  if (const std::optional<std::string_view> rate = InBrackets(text, "rate")) {
    return ParseRate(*rate, reason);
  }
  if (const std::optional<std::string_view> cron = InBrackets(text, "cron")) {
    return Cron::Parse(*cron, reason);
  }
  if (const std::optional<std::string_view> at = InBrackets(text, "at")) {
    return ParseOneTime(*at, reason);
  }
  *reason = "it is none of rate(...), cron(...) and at(...)";
  return std::nullopt;
}

std::optional<absl::TimeZone> FindTimeZone(std::string_view name) {
  constexpr size_t kNameMax = 50;
  if (name == "UTC") return absl::UTCTimeZone();
  // Names begin with a capital, which "localtime" and "posixrules" do not; no dot, so no way out of
  // the folder of zones; "Fixed/UTC+01:00:00" is Abseil's own and has colons.
  const auto is_name_character = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '/' || c == '_' || c == '-' || c == '+';
  };
  if (name.empty() || name.size() > kNameMax || name.front() < 'A' || name.front() > 'Z' ||
      !std::all_of(name.begin(), name.end(), is_name_character)) {
    return std::nullopt;
  }
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(ToAbsl(name), &zone)) return std::nullopt;
  return zone;
}

}  // namespace banyan::inline v0_1::internal
