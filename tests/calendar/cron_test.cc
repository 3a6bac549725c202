// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 7 and the pages that calendar/cron.h names.
#include "calendar/cron.h"

#include <string>
#include <vector>

#include "calendar_testing.h"
#include "gmock/gmock.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Of(std::string_view fields, std::string_view after, int count,
                            std::string_view zone = "UTC") {
  return Firings(ParseCron(fields), after, count, zone);
}

std::string Refusal(std::string_view fields) {
  std::string reason;
  return Cron::Parse(fields, &reason).has_value() ? "accepted" : reason;
}

// Recorded on AWS as accepted.
TEST(CronTest, B74_TakesWhatTheServiceTakes) {
  for (const char* fields : {"0 2 ? * SAT *",
                             "0 12 * * ? *",
                             "5,35 14 * * ? *",
                             "15 10 ? * 6L 2002-2005",
                             "0 2 ? * SAT#3 *",
                             "* * ? * SAT#3 *",
                             "0/5 5 ? JAN 1-5 2022",
                             "0 10 * * ? *",
                             "15 12 * * ? *",
                             "0 18 ? * MON-FRI *",
                             "0 8 1 * ? *",
                             "0/15 * * * ? *",
                             "0/10 * ? * MON-FRI *",
                             "0/5 8-17 ? * MON-FRI *",
                             "0/30 20-23 ? * MON-FRI *",
                             "0/30 0-2 ? * MON-FRI *",
                             "0-15/1 8-8 ? * 2,3,4,5,6,7 *",
                             "30-30 13-13 ? * 2,4,6 *",
                             "1-31/30 1-1 ? * 1,7 *",
                             "0/30 20-2 ? * MON-FRI *",
                             "0 0 LW * ? *",
                             "0 0 15W * ? *",
                             "0 0 L * ? *",
                             "0 0 ? * L *",
                             "0 9 ? * 2#1 *",
                             "* * * * ? 1970-2199"}) {
    EXPECT_EQ(Refusal(fields), "accepted") << fields;
  }
}

// The first five are recorded on AWS.
TEST(CronTest, B75_RefusesWhatTheServiceRefuses) {
  for (const char* fields : {"0 1 * * * *",
                             "7 20 * * NOT *",
                             "INVALID",
                             "0 dummy ? * MON-FRI *",
                             "71 8 1 * ? *",
                             "",
                             " ",
                             "0 1 ? * ? *",
                             "0 1 * * ?",
                             "0 1 * * ? * *",
                             "0  1 * * ? *",
                             " 0 1 * * ? *",
                             "0 24 * * ? *",
                             "0 0 0 * ? *",
                             "0 0 32 * ? *",
                             "0 0 1 13 ? *",
                             "0 0 1 0 ? *",
                             "0 0 ? * 8 *",
                             "0 0 ? * 0 *",
                             "0 0 1 * ? 1969",
                             "0 0 1 * ? 2200",
                             "0 0 1 * ? 2030-2020",
                             "0/0 0 1 * ? *",
                             "0/60 0 1 * ? *",
                             "0/ 0 1 * ? *",
                             "/5 0 1 * ? *",
                             "1,,2 0 1 * ? *",
                             ",1 0 1 * ? *",
                             "1, 0 1 * ? *",
                             "1- 0 1 * ? *",
                             "-1 0 1 * ? *",
                             "+1 0 1 * ? *",
                             "1.5 0 1 * ? *",
                             "99999999999 0 1 * ? *",
                             "? 0 1 * ? *",
                             "0 0 0W * ? *",
                             "0 0 32W * ? *",
                             "0 0 W * ? *",
                             "0 0 1,LW * ? *",
                             "0 0 1,15W * ? *",
                             "0 0 L-3 * ? *",
                             "0 0 ? * SAT#6 *",
                             "0 0 ? * SAT#0 *",
                             "0 0 ? * SAT# *",
                             "0 0 ? * 3#1,6#3 *",
                             "0 0 ? * 6L,2L *",
                             "0 0 ? * 8L *",
                             "0 0 ? * JAN *",
                             "0 0 1 MON ? *",
                             "L 0 1 * ? *",
                             "0 0 1W#2 * ? *"}) {
    EXPECT_NE(Refusal(fields), "accepted") << fields;
  }
}

TEST(CronTest, ARefusalNamesFieldAndValue) {
  EXPECT_EQ(Refusal("71 8 1 * ? *"), "minutes has 71, which is not within 0 to 59");
  EXPECT_EQ(Refusal("0 dummy ? * MON-FRI *"), "hours has \"dummy\", which is no value of it");
  EXPECT_EQ(Refusal("0 1 ? * MON 2030-2020"),
            "year has the range 2030-2020, which ends before it begins");
}

// 2026-01-01 is a Thursday.
TEST(CronTest, B62_TheSixFieldsAreMinutesHoursDayMonthWeekdayYear) {
  EXPECT_THAT(Of("1 2 3 4 ? 2027", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Sat 2027-04-03 02:01+00:00", "never"));
  EXPECT_THAT(Of("1 2 ? 4 3 2027", "2026-01-01T00:00:00Z", 5),
              ElementsAre("Tue 2027-04-06 02:01+00:00", "Tue 2027-04-13 02:01+00:00",
                          "Tue 2027-04-20 02:01+00:00", "Tue 2027-04-27 02:01+00:00", "never"));
  EXPECT_THAT(Refusal("0 1 * * ?"), HasSubstr("there are 5 fields"));
  EXPECT_THAT(Refusal("0 0 1 * * ? *"), HasSubstr("there are 7 fields"));
}

TEST(CronTest, B63_ExactlyOneOfDayOfMonthAndDayOfWeekIsAQuestionMark) {
  for (const char* fields : {"0 1 * * * *", "0 1 1 * MON *", "0 1 ? * ? *"}) {
    EXPECT_EQ(Refusal(fields), "exactly one of day-of-month and day-of-week is ?") << fields;
  }
  EXPECT_EQ(Refusal("0 1 1 * ? *"), "accepted");
  EXPECT_EQ(Refusal("0 1 ? * MON *"), "accepted");
  for (const char* fields : {"? 1 1 * ? *", "0 ? 1 * ? *", "0 1 1 ? ? *", "0 1 1 * ? ?"}) {
    EXPECT_NE(Refusal(fields), "accepted") << fields;
  }
}

TEST(CronTest, B64_ACommaSeparatesValues) {
  EXPECT_THAT(Of("5,35 14 * * ? *", "2026-01-01T14:05:00Z", 2),
              ElementsAre("Thu 2026-01-01 14:35+00:00", "Fri 2026-01-02 14:05+00:00"));
  EXPECT_THAT(Of("0 0 ? * MON,WED *", "2026-01-01T00:00:00Z", 3),
              ElementsAre("Mon 2026-01-05 00:00+00:00", "Wed 2026-01-07 00:00+00:00",
                          "Mon 2026-01-12 00:00+00:00"));
}

TEST(CronTest, B65_AHyphenMakesARangeWithBothItsEnds) {
  EXPECT_THAT(Of("58-59 9 1 * ? *", "2026-01-01T00:00:00Z", 3),
              ElementsAre("Thu 2026-01-01 09:58+00:00", "Thu 2026-01-01 09:59+00:00",
                          "Sun 2026-02-01 09:58+00:00"));
  EXPECT_THAT(Of("0 18 ? * MON-FRI *", "2026-01-01T18:00:00Z", 2),
              ElementsAre("Fri 2026-01-02 18:00+00:00", "Mon 2026-01-05 18:00+00:00"));
}

TEST(CronTest, B66_AnAsteriskIsEveryValue) {
  EXPECT_THAT(Of("* * * * ? *", "2026-01-01T23:58:30Z", 3),
              ElementsAre("Thu 2026-01-01 23:59+00:00", "Fri 2026-01-02 00:00+00:00",
                          "Fri 2026-01-02 00:01+00:00"));
  EXPECT_THAT(Of("0 0 ? * * *", "2026-12-30T12:00:00Z", 2),
              ElementsAre("Thu 2026-12-31 00:00+00:00", "Fri 2027-01-01 00:00+00:00"));
}

TEST(CronTest, B67_ASlashCountsStepsFromItsBeginning) {
  EXPECT_THAT(Of("0/25 9-10 * * ? *", "2026-01-01T00:00:00Z", 7),
              ElementsAre("Thu 2026-01-01 09:00+00:00", "Thu 2026-01-01 09:25+00:00",
                          "Thu 2026-01-01 09:50+00:00", "Thu 2026-01-01 10:00+00:00",
                          "Thu 2026-01-01 10:25+00:00", "Thu 2026-01-01 10:50+00:00",
                          "Fri 2026-01-02 09:00+00:00"));
  EXPECT_THAT(Of("0 0-23/9 1 * ? *", "2026-01-01T00:00:00Z", 3),
              ElementsAre("Thu 2026-01-01 09:00+00:00", "Thu 2026-01-01 18:00+00:00",
                          "Sun 2026-02-01 00:00+00:00"));
  EXPECT_THAT(Of("7/30 0 1 1 ? *", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Thu 2026-01-01 00:07+00:00", "Thu 2026-01-01 00:37+00:00"));
}

TEST(CronTest, B71_DaysOneToSevenAreSundayToSaturdayAndDaysAndMonthsHaveNames) {
  const char* const kDays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
  const char* const kShown[] = {"Sun 2026-01-04", "Mon 2026-01-05", "Tue 2026-01-06",
                                "Wed 2026-01-07", "Thu 2026-01-08", "Fri 2026-01-09",
                                "Sat 2026-01-10"};
  for (int day = 0; day < 7; ++day) {
    const std::string expected = std::string(kShown[day]) + " 00:00+00:00";
    for (const std::string& field : {std::to_string(day + 1), std::string(kDays[day])}) {
      EXPECT_THAT(Of("0 0 ? * " + field + " *", "2026-01-03T12:00:00Z", 1), ElementsAre(expected))
          << field;
    }
  }
  const char* const kMonths[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                 "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
  for (int month = 0; month < 12; ++month) {
    EXPECT_EQ(Of(std::string("0 0 1 ") + kMonths[month] + " ? *", "2026-01-01T00:00:00Z", 1),
              Of("0 0 1 " + std::to_string(month + 1) + " ? *", "2026-01-01T00:00:00Z", 1));
  }
}

TEST(CronTest, B72_YearsAre1970To2199) {
  EXPECT_EQ(Refusal("0 0 1 1 ? 1970"), "accepted");
  EXPECT_EQ(Refusal("0 0 1 1 ? 2199"), "accepted");
  EXPECT_NE(Refusal("0 0 1 1 ? 1969"), "accepted");
  EXPECT_NE(Refusal("0 0 1 1 ? 2200"), "accepted");
  EXPECT_THAT(Of("0 0 1 1 ? *", "1960-01-01T00:00:00Z", 1),
              ElementsAre("Thu 1970-01-01 00:00+00:00"));
  EXPECT_THAT(Of("59 23 31 12 ? *", "2198-12-31T23:59:00Z", 2),
              ElementsAre("Tue 2199-12-31 23:59+00:00", "never"));
}

TEST(CronTest, B73_YearsThatAreOverAreTakenAndNeverFire) {
  EXPECT_THAT(Of("15 10 ? * 6L 2002-2005", "2026-01-01T00:00:00Z", 1), ElementsAre("never"));
  EXPECT_THAT(Of("15 10 ? * 6L 2002-2005", "2005-12-01T00:00:00Z", 2),
              ElementsAre("Fri 2005-12-30 10:15+00:00", "never"));
}

TEST(CronTest, ARangeMayGoOverTheEndOfItsField) {
  // Each day by itself: the small hours of Monday follow a Sunday evening that is not meant.
  EXPECT_THAT(Of("0 23-1 ? * MON *", "2026-01-01T00:00:00Z", 4),
              ElementsAre("Mon 2026-01-05 00:00+00:00", "Mon 2026-01-05 01:00+00:00",
                          "Mon 2026-01-05 23:00+00:00", "Mon 2026-01-12 00:00+00:00"));
  EXPECT_THAT(Of("0 0 1 DEC-FEB ? *", "2026-01-01T00:00:00Z", 3),
              ElementsAre("Sun 2026-02-01 00:00+00:00", "Tue 2026-12-01 00:00+00:00",
                          "Fri 2027-01-01 00:00+00:00"));
  EXPECT_THAT(Of("0 0 ? * SAT-SUN *", "2026-01-01T00:00:00Z", 3),
              ElementsAre("Sat 2026-01-03 00:00+00:00", "Sun 2026-01-04 00:00+00:00",
                          "Sat 2026-01-10 00:00+00:00"));
}

TEST(CronTest, NamesMayBeInAnyCase) {
  EXPECT_EQ(Of("0 0 ? jan sat *", "2026-01-01T00:00:00Z", 3),
            Of("0 0 ? JAN SAT *", "2026-01-01T00:00:00Z", 3));
  EXPECT_EQ(Of("0 0 ? Jan friL *", "2026-01-01T00:00:00Z", 3),
            Of("0 0 ? 1 6L *", "2026-01-01T00:00:00Z", 3));
}

TEST(CronTest, B68_LIsTheLastDay) {
  EXPECT_THAT(Of("0 0 L * ? *", "2027-12-31T00:00:00Z", 3),
              ElementsAre("Mon 2028-01-31 00:00+00:00", "Tue 2028-02-29 00:00+00:00",
                          "Fri 2028-03-31 00:00+00:00"));
  EXPECT_THAT(Of("0 0 ? * L *", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Sat 2026-01-03 00:00+00:00", "Sat 2026-01-10 00:00+00:00"));
  EXPECT_THAT(Of("15 10 ? * 6L *", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Fri 2026-01-30 10:15+00:00", "Fri 2026-02-27 10:15+00:00"));
}

TEST(CronTest, B70_HashCountsWeekdaysOfTheMonth) {
  EXPECT_THAT(Of("0 2 ? * SAT#3 *", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Sat 2026-01-17 02:00+00:00", "Sat 2026-02-21 02:00+00:00"));
  EXPECT_THAT(Of("0 2 ? * 5#1 *", "2026-01-01T00:00:00Z", 1),
              ElementsAre("Thu 2026-01-01 02:00+00:00"));
  // Few months have a fifth one.
  EXPECT_THAT(Of("0 2 ? * SAT#5 *", "2026-02-01T00:00:00Z", 2),
              ElementsAre("Sat 2026-05-30 02:00+00:00", "Sat 2026-08-29 02:00+00:00"));
}

TEST(CronTest, B69_WIsTheNearestWeekdayOfTheSameMonth) {
  // 2026-08-15 is a Saturday, 2026-11-15 a Sunday, 2026-09-15 a Tuesday.
  EXPECT_THAT(Of("0 0 15W 8,9,11 ? 2026", "2026-01-01T00:00:00Z", 4),
              ElementsAre("Fri 2026-08-14 00:00+00:00", "Tue 2026-09-15 00:00+00:00",
                          "Mon 2026-11-16 00:00+00:00", "never"));
  // 2026-08-01 is a Saturday: not in July. 2026-05-31 is a Sunday: not in June.
  EXPECT_THAT(Of("0 0 1W 8 ? 2026", "2026-01-01T00:00:00Z", 1),
              ElementsAre("Mon 2026-08-03 00:00+00:00"));
  EXPECT_THAT(Of("0 0 31W 4-6 ? 2026", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Fri 2026-05-29 00:00+00:00", "never"));
  EXPECT_THAT(Of("0 0 LW 5,6 ? 2026", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Fri 2026-05-29 00:00+00:00", "Tue 2026-06-30 00:00+00:00"));
}

TEST(CronTest, B76_LeapDaysComeWhenTheyCome) {
  EXPECT_THAT(Of("0 0 29 2 ? *", "2026-01-01T00:00:00Z", 2),
              ElementsAre("Tue 2028-02-29 00:00+00:00", "Sun 2032-02-29 00:00+00:00"));
  // 2100 has none.
  EXPECT_THAT(Of("0 0 29 2 ? *", "2096-02-29T00:00:00Z", 1),
              ElementsAre("Fri 2104-02-29 00:00+00:00"));
  EXPECT_THAT(Of("0 0 31 * ? *", "2026-01-31T00:00:00Z", 2),
              ElementsAre("Tue 2026-03-31 00:00+00:00", "Sun 2026-05-31 00:00+00:00"));
}

TEST(CronTest, YearsEnd) {
  EXPECT_THAT(Of("0 0 1 1 ? 1970", "1969-12-31T23:59:59Z", 2),
              ElementsAre("Thu 1970-01-01 00:00+00:00", "never"));
  EXPECT_THAT(Of("* * * * ? *", "1800-01-01T00:00:00Z", 1),
              ElementsAre("Thu 1970-01-01 00:00+00:00"));
  EXPECT_FALSE(ParseCron("* * * * ? *").Next(absl::InfiniteFuture(), absl::UTCTimeZone()));
  EXPECT_TRUE(ParseCron("* * * * ? *").Next(absl::InfinitePast(), absl::UTCTimeZone()));
}

// Would hang if it looked at minutes.
TEST(CronTest, WhatNeverFiresIsFoundOutSoon) {
  for (const char* fields : {"* * 30 2 ? *", "* * 31 2,4,6,9,11 ? *", "* * 31W FEB ? *"}) {
    const Cron cron = ParseCron(fields);
    for (int i = 0; i < 200; ++i) {
      EXPECT_FALSE(cron.Next(At("1970-01-01T00:00:00Z"), absl::UTCTimeZone()).has_value());
    }
  }
}

TEST(CronTest, NextIsLaterThanTheInstantEvenByANanosecond) {
  const Cron noon = ParseCron("0 12 * * ? *");
  const absl::Time today = At("2026-01-01T12:00:00Z");
  EXPECT_EQ(noon.Next(today - absl::Nanoseconds(1), absl::UTCTimeZone()), today);
  EXPECT_EQ(noon.Next(today, absl::UTCTimeZone()), today + absl::Hours(24));
  EXPECT_EQ(noon.Next(today + absl::Nanoseconds(1), absl::UTCTimeZone()), today + absl::Hours(24));
}

// New York goes from 01:59 EST to 03:00 EDT on 2026-03-08, and from 01:59 EDT to 01:00 EST on
// 2026-11-01.
TEST(CronTest, B43_WhatTheClocksSkipDoesNotFire) {
  EXPECT_THAT(Of("30 2 * * ? *", "2026-03-07T00:00:00-05:00", 3, "America/New_York"),
              ElementsAre("Sat 2026-03-07 02:30-05:00", "Mon 2026-03-09 02:30-04:00",
                          "Tue 2026-03-10 02:30-04:00"));
  EXPECT_THAT(Of("0/30 * 8 3 ? *", "2026-03-08T01:00:00-05:00", 3, "America/New_York"),
              ElementsAre("Sun 2026-03-08 01:30-05:00", "Sun 2026-03-08 03:00-04:00",
                          "Sun 2026-03-08 03:30-04:00"));
}

TEST(CronTest, B44_WhatTheClocksShowTwiceFiresOnce) {
  EXPECT_THAT(Of("30 1 * * ? *", "2026-10-31T12:00:00-04:00", 2, "America/New_York"),
              ElementsAre("Sun 2026-11-01 01:30-04:00", "Mon 2026-11-02 01:30-05:00"));
  EXPECT_THAT(Of("0/30 * 1 11 ? *", "2026-11-01T00:45:00-04:00", 3, "America/New_York"),
              ElementsAre("Sun 2026-11-01 01:00-04:00", "Sun 2026-11-01 01:30-04:00",
                          "Sun 2026-11-01 02:00-05:00"));
  // Asked within the second showing, at 01:10 EST.
  EXPECT_THAT(Of("30 1 * * ? *", "2026-11-01T01:10:00-05:00", 1, "America/New_York"),
              ElementsAre("Mon 2026-11-02 01:30-05:00"));
}

TEST(CronTest, ZonesOfUnusualHabits) {
  // Half an hour of daylight saving.
  EXPECT_THAT(Of("15 2 4 10 ? 2026", "2026-01-01T00:00:00Z", 1, "Australia/Lord_Howe"),
              ElementsAre("never"));
  EXPECT_THAT(Of("45 2 4 10 ? 2026", "2026-01-01T00:00:00Z", 1, "Australia/Lord_Howe"),
              ElementsAre("Sun 2026-10-04 02:45+11:00"));
  // Samoa had no 30th of December in 2011.
  EXPECT_THAT(Of("0 12 * * ? *", "2011-12-29T00:00:00-10:00", 2, "Pacific/Apia"),
              ElementsAre("Thu 2011-12-29 12:00-10:00", "Sat 2011-12-31 12:00+14:00"));
  EXPECT_THAT(Of("0 9 ? * MON *", "2026-01-01T00:00:00Z", 1, "Asia/Kathmandu"),
              ElementsAre("Mon 2026-01-05 09:00+05:45"));
}

}  // namespace
}  // namespace banyan::internal
