// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 7: rates, one-time expressions, start and end dates.
#include "calendar/recurrence.h"

#include <optional>
#include <string>

#include "calendar_testing.h"

namespace banyan::internal {
namespace {

Recurrence Of(std::string_view text, std::string_view zone = "UTC") {
  std::string reason;
  const std::optional<ScheduleExpression> expression = ParseScheduleExpression(text, &reason);
  EXPECT_TRUE(expression.has_value()) << text << ": " << reason;
  return {.expression = expression.value_or(Rate{absl::Minutes(1)}), .zone = Zone(zone)};
}

TEST(RecurrenceTest, ARateCountsFromItsFirstFiring) {
  Recurrence five = Of("rate(5 minutes)");
  five.rate_from = At("2026-01-01T00:02:30Z");
  EXPECT_EQ(five.Next(At("2025-06-01T00:00:00Z")), At("2026-01-01T00:02:30Z"));
  EXPECT_EQ(five.Next(At("2026-01-01T00:02:30Z")), At("2026-01-01T00:07:30Z"));
  EXPECT_EQ(five.Next(At("2026-01-01T00:07:29Z")), At("2026-01-01T00:07:30Z"));
  EXPECT_EQ(five.Next(At("2036-01-01T00:00:00Z")), At("2036-01-01T00:02:30Z"));
}

TEST(RecurrenceTest, B47_ADayOfARateHasTwentyFourHoursWhateverTheClocksDo) {
  Recurrence daily = Of("rate(1 day)", "America/New_York");
  daily.rate_from = At("2026-03-07T12:00:00-05:00");
  EXPECT_EQ(daily.Next(At("2026-03-07T12:00:00-05:00")), At("2026-03-08T13:00:00-04:00"));
}

TEST(RecurrenceTest, ARateEndsWithTheCalendar) {
  Recurrence rare = Of("rate(999999999 days)");
  rare.rate_from = At("2026-01-01T00:00:00Z");
  EXPECT_EQ(rare.Next(At("2026-01-01T00:00:00Z")), std::nullopt);
  rare.rate_from += 999'999'999 * absl::Hours(24);
  EXPECT_EQ(rare.Next(At("2026-01-01T00:00:00Z")), std::nullopt);
  rare.rate_from = rare.start = absl::InfiniteFuture();
  EXPECT_EQ(rare.Next(At("2026-01-01T00:00:00Z")), std::nullopt);
  EXPECT_EQ(Of("rate(1 minute)").Next(At("2199-12-31T23:58:30Z")), At("2199-12-31T23:59:00Z"));
  EXPECT_EQ(Of("rate(1 minute)").Next(At("2199-12-31T23:59:00Z")), std::nullopt);
  EXPECT_EQ(Of("rate(1 minute)").Next(absl::InfiniteFuture()), std::nullopt);
}

TEST(RecurrenceTest, StartAndEndAreIncluded) {
  Recurrence noon = Of("cron(0 12 * * ? *)");
  noon.start = At("2026-01-03T12:00:00Z");
  noon.end = At("2026-01-05T12:00:00Z");
  EXPECT_EQ(noon.Next(At("2026-01-01T00:00:00Z")), At("2026-01-03T12:00:00Z"));
  EXPECT_EQ(noon.Next(At("2026-01-04T12:00:00Z")), At("2026-01-05T12:00:00Z"));
  EXPECT_EQ(noon.Next(At("2026-01-05T12:00:00Z")), std::nullopt);
}

TEST(RecurrenceTest, OnceIsOnceOnTheClocksOfTheZone) {
  const Recurrence once = Of("at(2026-07-01T09:00:00)", "Europe/Paris");
  EXPECT_EQ(once.Next(At("2026-01-01T00:00:00Z")), At("2026-07-01T07:00:00Z"));
  EXPECT_EQ(once.Next(At("2026-07-01T07:00:00Z")), std::nullopt);
}

TEST(RecurrenceTest, OnceHeedsNeitherStartNorEnd) {
  Recurrence once = Of("at(2026-07-01T09:00:00)");
  once.start = At("2027-01-01T00:00:00Z");
  once.end = At("2025-01-01T00:00:00Z");
  EXPECT_EQ(once.Next(At("2026-01-01T00:00:00Z")), At("2026-07-01T09:00:00Z"));
}

TEST(RecurrenceTest, B45_OnceFiresThoughTheClocksSkipItsMinute) {
  EXPECT_EQ(Of("at(2026-03-08T02:30:00)", "America/New_York").Next(At("2026-01-01T00:00:00Z")),
            At("2026-03-08T03:00:00-04:00"));
}

TEST(RecurrenceTest, B46_OnceFiresTheFirstTimeThatTheClocksShowIt) {
  const Recurrence once = Of("at(2026-11-01T01:30:00)", "America/New_York");
  EXPECT_EQ(once.Next(At("2026-01-01T00:00:00Z")), At("2026-11-01T01:30:00-04:00"));
  EXPECT_EQ(once.Next(At("2026-11-01T01:30:00-04:00")), std::nullopt);
}

}  // namespace
}  // namespace banyan::internal
