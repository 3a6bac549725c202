// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 7: what a ScheduleExpression may be, and time zones.
#include "calendar/expression.h"

#include <string>

#include "calendar_testing.h"
#include "gmock/gmock.h"

namespace banyan::internal {
namespace {

using ::testing::HasSubstr;

std::string ExpressionRefusal(std::string_view text) {
  std::string reason;
  return ParseScheduleExpression(text, &reason).has_value() ? "accepted" : reason;
}

absl::Duration PeriodOf(std::string_view text) {
  std::string reason;
  const std::optional<ScheduleExpression> expression = ParseScheduleExpression(text, &reason);
  EXPECT_TRUE(expression.has_value()) << text << ": " << reason;
  if (!expression.has_value() || !std::holds_alternative<Rate>(*expression)) {
    return absl::ZeroDuration();
  }
  return std::get<Rate>(*expression).period;
}

TEST(ExpressionTest, B60_ARateIsInMinutesHoursOrDays) {
  EXPECT_EQ(PeriodOf("rate(1 minute)"), absl::Minutes(1));
  EXPECT_EQ(PeriodOf("rate(5 minutes)"), absl::Minutes(5));
  EXPECT_EQ(PeriodOf("rate(1 hour)"), absl::Hours(1));
  EXPECT_EQ(PeriodOf("rate(12 hours)"), absl::Hours(12));
  EXPECT_EQ(PeriodOf("rate(1 day)"), absl::Hours(24));
  EXPECT_EQ(PeriodOf("rate(999999999 days)"), 999'999'999 * absl::Hours(24));
}

// The first seventeen are recorded on AWS.
TEST(ExpressionTest, RatesThatTheServiceRefuses) {
  for (const char* text : {"rate(10 seconds)",
                           "rate(10 years)",
                           "rate(1 minutes)",
                           "rate(1 hours)",
                           "rate(1 days)",
                           "rate(10 minute)",
                           "rate(10 hour)",
                           "rate(10 day)",
                           "rate()",
                           "rate(10)",
                           "rate(10 minutess)",
                           "rate(foo minutes)",
                           "rate(0 minutes)",
                           "rate(-10 minutes)",
                           "rate(10 MINUTES)",
                           "rate( 10 minutes )",
                           " rate(10 minutes)",
                           "rate(10 minutes) ",
                           "rate(10  minutes)",
                           "rate(10minutes)",
                           "Rate(10 minutes)",
                           "rate (10 minutes)",
                           "rate(10 minutes",
                           "rate(1.5 hours)",
                           "rate(+5 minutes)",
                           "rate(1000000000 days)",
                           "rate(1 week)",
                           "rate(1 s)",
                           "rate(2 s)",
                           "rate(1 )",
                           "",
                           "5 minutes",
                           "rate"}) {
    EXPECT_NE(ExpressionRefusal(text), "accepted") << text;
  }
  EXPECT_THAT(ExpressionRefusal("rate(10 minute)"), HasSubstr("10 are more than one"));
}

TEST(ExpressionTest, B39_ATimeIsWrittenInOneWay) {
  std::string reason;
  const auto expression = ParseScheduleExpression("at(2028-02-29T23:59:58)", &reason);
  ASSERT_TRUE(expression.has_value()) << reason;
  EXPECT_EQ(std::get<OneTime>(*expression).at, absl::CivilSecond(2028, 2, 29, 23, 59, 58));
  for (const char* text :
       {"at(2026-02-29T00:00:00)", "at(2026-13-01T00:00:00)", "at(2026-00-01T00:00:00)",
        "at(2026-01-01T24:00:00)", "at(2026-01-01T00:60:00)", "at(2026-01-01T00:00:60)",
        "at(2026-01-01 00:00:00)", "at(2026-01-01T00:00)", "at(2026-01-01T00:00:00Z)",
        "at(2026-1-1T00:00:00)", "at(1969-12-31T23:59:59)", "at(2200-01-01T00:00:00)",
        "at(-026-01-01T00:00:00)", "at()", "AT(2026-01-01T00:00:00)", "at(31-12-2026T00:00:00)"}) {
    EXPECT_NE(ExpressionRefusal(text), "accepted") << text;
  }
  EXPECT_EQ(ExpressionRefusal("at(2026-02-29T00:00:00)"),
            "there is no 2026-02-29T00:00:00 in the calendar");
}

TEST(ExpressionTest, CronStandsInItsBrackets) {
  EXPECT_EQ(ExpressionRefusal("cron(0 12 * * ? *)"), "accepted");
  EXPECT_NE(ExpressionRefusal("cron(0 12 * * ? *"), "accepted");
  EXPECT_NE(ExpressionRefusal("cron 0 12 * * ? *"), "accepted");
  EXPECT_NE(ExpressionRefusal("CRON(0 12 * * ? *)"), "accepted");
  EXPECT_EQ(ExpressionRefusal("cron(71 8 1 * ? *)"), "minutes has 71, which is not within 0 to 59");
}

TEST(ExpressionTest, B42_ZonesHaveIanaNames) {
  for (const char* name : {"UTC", "Europe/Paris", "America/Argentina/Ushuaia", "Etc/GMT+5"}) {
    EXPECT_TRUE(FindTimeZone(name).has_value()) << name;
  }
  for (const char* name : {"", "Mars/Olympus", "localtime", "/etc/localtime", "../etc/localtime",
                           "Europe/../../localtime", "Fixed/UTC+01:00:00", "utc", "file:UTC",
                           "Europe/Paris\n", "Europe"}) {
    EXPECT_FALSE(FindTimeZone(name).has_value()) << name;
  }
  EXPECT_FALSE(FindTimeZone(std::string(51, 'A')).has_value());
}

}  // namespace
}  // namespace banyan::internal
