// SPDX-License-Identifier: Apache-2.0
//
// Cron against the simplest answerer there is: a walk over every minute of the world's time that
// asks whether the clocks of the zone show one that is meant, and for the first time. The twin
// does not parse: whoever draws an expression knows what it means.
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "calendar/cron.h"
#include "calendar_testing.h"

namespace banyan::internal {
namespace {

bool IsLeap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }
int DaysInMonth(int64_t year, int month) {
  const int days[] = {31, IsLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1];
}

// 1 is Sunday. By counting days from one that is known: 1970-01-01 was a Thursday.
int WeekdayOf(int64_t year, int month, int day) {
  int64_t days = day - 1;
  for (int64_t y = 1970; y < year; ++y) days += IsLeap(y) ? 366 : 365;
  for (int m = 1; m < month; ++m) days += DaysInMonth(year, m);
  return static_cast<int>((days + 4) % 7) + 1;
}

// A day that a day field means.
using IsDay = std::function<bool(int64_t year, int month, int day)>;

struct Drawn {
  std::string text;
  std::set<int> minutes, hours, months;
  IsDay is_day;
};

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  int Between(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<uint64_t>(high - low + 1));
  }
  bool OneIn(int n) { return Between(1, n) == 1; }

  // A field of one to three items, and what it means.
  std::pair<std::string, std::set<int>> List(int low, int high) {
    std::string text;
    std::set<int> values;
    const int span = high - low + 1;
    for (int items = OneIn(3) ? Between(2, 3) : 1; items > 0; --items) {
      if (!text.empty()) text += ',';
      const int kind = Between(0, 3);
      int first = low, last = high, step = 1;
      if (kind == 0) {
        text += '*';
      } else {
        first = last = Between(low, high);
        text += std::to_string(first);
      }
      if (kind > 1) {
        last = Between(low, high);
        text += "-" + std::to_string(last);
      }
      if (OneIn(3)) {
        step = Between(1, high - low);
        text += "/" + std::to_string(step);
        if (kind == 1) last = high;  // "5/2" runs to the end, "5-5/2" does not
      }
      for (int i = 0; i <= (last - first + span) % span; i += step) {
        values.insert(low + (first - low + i) % span);
      }
    }
    return {text, values};
  }

  Drawn Expression() {
    Drawn drawn;
    const auto [minutes, minute_values] = List(0, 59);
    const auto [hours, hour_values] = List(0, 23);
    const auto [months, month_values] = OneIn(2) ? std::pair<std::string, std::set<int>>(
                                                       "*", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
                                                 : List(1, 12);
    std::string day_of_month = "?", day_of_week = "?";
    switch (Between(0, 12)) {
      case 0: {
        const auto [text, days] = List(1, 31);
        day_of_month = text;
        drawn.is_day = [days = days](int64_t, int, int day) { return days.contains(day); };
        break;
      }
      case 1:
        day_of_month = "L";
        drawn.is_day = [](int64_t y, int m, int day) { return day == DaysInMonth(y, m); };
        break;
      case 2:
        day_of_month = "LW";
        drawn.is_day = [](int64_t y, int m, int day) {
          return IsWorkday(y, m, day) && NoWorkdayWithin(y, m, day + 1, DaysInMonth(y, m));
        };
        break;
      case 3: {
        const int wanted = Between(1, 31);
        day_of_month = std::to_string(wanted) + "W";
        drawn.is_day = [wanted](int64_t y, int m, int day) {
          if (wanted > DaysInMonth(y, m) || !IsWorkday(y, m, day)) return false;
          // No workday is nearer; of two that are as near there is none, for a Saturday has Friday
          // at one side only.
          for (int other = 1; other <= DaysInMonth(y, m); ++other) {
            if (IsWorkday(y, m, other) && std::abs(other - wanted) < std::abs(day - wanted)) {
              return false;
            }
          }
          return true;
        };
        break;
      }
      case 4: {
        const auto [text, days] = List(1, 7);
        day_of_week = text;
        drawn.is_day = [days = days](int64_t y, int m, int day) {
          return days.contains(WeekdayOf(y, m, day));
        };
        break;
      }
      case 5: {
        const int wanted = Between(1, 7);
        day_of_week = std::to_string(wanted) + "L";
        drawn.is_day = [wanted](int64_t y, int m, int day) {
          return WeekdayOf(y, m, day) == wanted && day + 7 > DaysInMonth(y, m);
        };
        break;
      }
      case 6: {
        const int wanted = Between(1, 7), nth = Between(1, 5);
        day_of_week = std::to_string(wanted) + "#" + std::to_string(nth);
        drawn.is_day = [wanted, nth](int64_t y, int m, int day) {
          return WeekdayOf(y, m, day) == wanted && (day + 6) / 7 == nth;
        };
        break;
      }
      default:  // often, for most days no clocks change
        day_of_month = "*";
        drawn.is_day = [](int64_t, int, int) { return true; };
    }
    drawn.text =
        minutes + " " + hours + " " + day_of_month + " " + months + " " + day_of_week + " *";
    drawn.minutes = minute_values;
    drawn.hours = hour_values;
    drawn.months = month_values;
    return drawn;
  }

 private:
  static bool IsWorkday(int64_t year, int month, int day) {
    const int weekday = WeekdayOf(year, month, day);
    return weekday != 1 && weekday != 7;
  }
  static bool NoWorkdayWithin(int64_t year, int month, int first, int last) {
    for (int day = first; day <= last; ++day) {
      if (IsWorkday(year, month, day)) return false;
    }
    return true;
  }

  std::mt19937_64 random_;
};

constexpr int kMinutesWalked = 45 * 24 * 60;

// The first firing after `after`, which is a whole minute; nullopt if it is too far to walk.
std::optional<absl::Time> Walk(const Drawn& drawn, absl::Time after, const absl::TimeZone& zone) {
  absl::CivilDay today(1, 1, 1);
  bool is_day = false;
  for (int i = 1; i <= kMinutesWalked; ++i) {
    const absl::Time now = after + i * absl::Minutes(1);
    const absl::CivilSecond shown = zone.At(now).cs;
    if (!drawn.minutes.contains(shown.minute()) || !drawn.hours.contains(shown.hour()) ||
        !drawn.months.contains(shown.month())) {
      continue;
    }
    if (absl::CivilDay(shown) != today) {
      today = absl::CivilDay(shown);
      is_day = drawn.is_day(shown.year(), shown.month(), shown.day());
    }
    if (!is_day) continue;
    // Was it shown before? No zone turns its clocks back by more than a day.
    bool shown_before = false;
    for (int back = 15; back <= 24 * 60 && !shown_before; back += 15) {
      shown_before = zone.At(now - back * absl::Minutes(1)).cs == shown;
    }
    if (!shown_before) return now;
  }
  return std::nullopt;
}

TEST(CronTwinTest, FiresWhenAWalkOverEveryMinuteSays) {
  const char* const kZones[] = {"UTC",          "America/New_York", "Europe/Berlin",
                                "Asia/Kolkata", "Pacific/Apia",     "Australia/Lord_Howe",
                                "Asia/Tehran",  "America/St_Johns", "Africa/Casablanca"};
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    const testing::SeedReporter reporter(seed);
    Dice dice(seed);
    const Drawn drawn = dice.Expression();
    const Cron cron = ParseCron(drawn.text);
    const char* const name = kZones[dice.Between(0, 8)];
    const absl::TimeZone zone = Zone(name);
    // Near a change of the clocks more often than not.
    absl::Time after = absl::FromUnixSeconds(60 * int64_t{dice.Between(1'000'000, 70'000'000)});
    absl::TimeZone::CivilTransition change;
    if (!dice.OneIn(3) && zone.NextTransition(after, &change)) {
      after = absl::FromCivil(change.from, zone) - absl::Minutes(dice.Between(0, 300));
    }
    for (int i = 0; i < 3; ++i) {
      const std::optional<absl::Time> expected = Walk(drawn, after, zone);
      const std::optional<absl::Time> next = cron.Next(after, zone);
      if (!expected.has_value()) {
        EXPECT_TRUE(!next.has_value() || *next > after + kMinutesWalked * absl::Minutes(1))
            << drawn.text << " in " << name << " after " << after << " says " << *next;
        break;
      }
      ASSERT_TRUE(next.has_value())
          << drawn.text << " in " << name << " after " << after << " should say " << *expected;
      ASSERT_EQ(*next, *expected) << drawn.text << " in " << name << " after " << after;
      after = *next;
    }
  }
}

}  // namespace
}  // namespace banyan::internal
