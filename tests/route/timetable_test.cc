// SPDX-License-Identifier: Apache-2.0
//
// The timetable alone: who is due when, and what it costs the others.
#include "route/timetable.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "banyan/testing/simulated_runtime.h"
#include "calendar/recurrence.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Bell final : public Timetable::Entry {
 public:
  explicit Bell(std::function<void(const Timetable::Firing&)> rung) : rung_(std::move(rung)) {}

 private:
  void Fire(const Timetable::Firing& firing) override { rung_(firing); }
  const std::function<void(const Timetable::Firing&)> rung_;
};

class TimetableTest : public ::testing::Test {
 protected:
  ~TimetableTest() override { timetable_->Close(); }

  std::shared_ptr<Bell> MakeBell(const std::string& name) {
    return std::make_shared<Bell>([this, name](const Timetable::Firing& firing) {
      rung_.push_back(name + absl::FormatTime(" %M:%S", firing.scheduled, absl::UTCTimeZone()) +
                      (firing.is_late ? " late" : "") + (firing.is_last ? " last" : ""));
    });
  }
  // Every so long, from so long after now.
  Recurrence Every(absl::Duration period, absl::Duration first) {
    return {.expression = Rate{period}, .rate_from = runtime_.Now() + first};
  }
  void Set(const std::shared_ptr<Bell>& bell, Recurrence recurrence) {
    timetable_->Set(bell, std::move(recurrence), absl::ZeroDuration(), runtime_.Now());
  }

  testing::SimulatedRuntime runtime_;
  std::shared_ptr<Environment> env_ =
      std::make_shared<Environment>(runtime_, Limits::Aws(), /*id_seed=*/7);
  std::shared_ptr<Timetable> timetable_ = std::make_shared<Timetable>(env_);
  std::vector<std::string> rung_;
};

TEST_F(TimetableTest, ThoseDueTogetherFireInTheOrderTheyCame) {
  for (const char* name : {"c", "a", "b"})
    Set(MakeBell(name), Every(absl::Hours(1), absl::Minutes(1)));
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(rung_, ElementsAre("c 01:00", "a 01:00", "b 01:00"));
}

TEST_F(TimetableTest, AnEntryIsKeptAliveWhileItHasSomethingToCome) {
  std::weak_ptr<Bell> once, repeated;
  {
    const std::shared_ptr<Bell> a = MakeBell("a"), b = MakeBell("b");
    Recurrence recurrence = Every(absl::Hours(1), absl::Minutes(1));
    Set(b, recurrence);
    recurrence.end = recurrence.rate_from;
    Set(a, recurrence);
    once = a, repeated = b;
  }
  EXPECT_FALSE(once.expired());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(rung_, ElementsAre("b 01:00", "a 01:00 last"));
  EXPECT_TRUE(once.expired());
  EXPECT_FALSE(repeated.expired());
  timetable_->Close();
  EXPECT_TRUE(repeated.expired());
}

TEST_F(TimetableTest, WhatIsSetAgainReplacesWhatWas) {
  const std::shared_ptr<Bell> bell = MakeBell("a");
  Set(bell, Every(absl::Minutes(1), absl::Minutes(1)));
  Set(bell, Every(absl::Minutes(10), absl::Minutes(2)));
  EXPECT_EQ(timetable_->NextFiring(*bell), runtime_.Now() + absl::Minutes(2));
  runtime_.Advance(absl::Minutes(11));
  EXPECT_THAT(rung_, ElementsAre("a 02:00"));
  Recurrence over = Every(absl::Minutes(1), absl::Minutes(1));
  over.end = runtime_.Now();
  Set(bell, over);  // has nothing to come
  EXPECT_EQ(timetable_->NextFiring(*bell), std::nullopt);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(TimetableTest, MoreThanATurnTakesAreServedInSeveral) {
  constexpr int kBells = 2'500;
  int rung = 0;
  for (int i = 0; i < kBells; ++i) {
    Set(std::make_shared<Bell>([&rung](const Timetable::Firing&) { ++rung; }),
        Every(absl::Hours(1), absl::Minutes(1)));
  }
  EXPECT_EQ(runtime_.Advance(absl::Minutes(1)), 3);  // tasks
  EXPECT_EQ(rung, kBells);
}

TEST_F(TimetableTest, ATickRunsOneTaskForTheOneThatIsDue) {
  for (int i = 0; i < 1'000; ++i) Set(MakeBell("far"), Every(absl::Hours(1), absl::Hours(10)));
  Set(MakeBell("near"), Every(absl::Hours(20), absl::Seconds(30)));
  EXPECT_EQ(runtime_.Advance(absl::Seconds(59)), 1);
  EXPECT_THAT(rung_, ElementsAre("near 00:30"));
}

TEST_F(TimetableTest, ABellMayTakeItselfOutOrSetItselfAnew) {
  std::shared_ptr<Bell> bell;
  int rung = 0;
  bell = std::make_shared<Bell>([&](const Timetable::Firing&) {
    if (++rung == 1) {
      Set(bell, Every(absl::Minutes(10), absl::Minutes(10)));
    } else {
      timetable_->Remove(*bell);
    }
  });
  Set(bell, Every(absl::Minutes(1), absl::Minutes(1)));
  runtime_.Advance(absl::Minutes(10));
  EXPECT_EQ(rung, 1);
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(rung, 2);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(TimetableTest, NothingIsTakenAfterTheEnd) {
  const std::shared_ptr<Bell> bell = MakeBell("a");
  timetable_->Close();
  Set(bell, Every(absl::Minutes(1), absl::Minutes(1)));
  timetable_->Remove(*bell);
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(rung_, IsEmpty());
}

TEST_F(TimetableTest, AClosedGateBeginsNoFiring) {
  Set(MakeBell("a"), Every(absl::Minutes(1), absl::Minutes(1)));
  env_->gate.Close();
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(rung_, IsEmpty());
}

// Random entries come, change and go, and the clock is set back and forth. Whatever happens: a
// firing is one of the recurrence, not before its time, and no time fires twice; a minute after the
// clock was set nothing is overdue; and while the clock goes as it should, nothing is left out.
TEST_F(TimetableTest, FiresWhatIsDueHoweverTheClockGoes) {
  struct Seen {
    std::shared_ptr<Bell> bell;
    Recurrence recurrence;
    absl::Time last;  // what it fired for last, or when it was set
    bool is_in = false;
    bool clock_was_set = false;  // since then
  };
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const testing::SeedReporter reporter(seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](int64_t n) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
    };
    std::vector<Seen> all(20);
    for (Seen& seen : all) {
      seen.bell = std::make_shared<Bell>([&seen](const Timetable::Firing& firing) {
        EXPECT_TRUE(seen.is_in);
        EXPECT_GE(firing.now.time(), firing.scheduled);
        EXPECT_GT(firing.scheduled, seen.last);
        EXPECT_EQ(seen.recurrence.Next(firing.scheduled - absl::Nanoseconds(1)), firing.scheduled);
        if (!seen.clock_was_set) {
          EXPECT_EQ(firing.scheduled, firing.now.time());
          EXPECT_EQ(seen.recurrence.Next(seen.last), firing.scheduled);
        }
        seen.last = firing.scheduled;
      });
    }
    for (int step = 0; step < 100; ++step) {
      Seen& seen = all[static_cast<size_t>(below(20))];
      switch (below(4)) {
        case 0:
          seen.recurrence =
              Every(absl::Minutes(1 + below(30)), absl::Milliseconds(1 + below(3'600'000)));
          seen.last = runtime_.Now();
          seen.is_in = true;
          seen.clock_was_set = false;
          Set(seen.bell, seen.recurrence);
          break;
        case 1:
          seen.is_in = false;
          timetable_->Remove(*seen.bell);
          break;
        default:
          break;
      }
      if (seed % 2 == 0 && below(10) == 0) {
        runtime_.JumpWallClock(absl::Seconds(below(14'400) - 7'200));
        for (Seen& one : all) one.clock_was_set = true;
      }
      runtime_.Advance(absl::Minutes(1) + absl::Milliseconds(below(300'000)));
      for (const Seen& one : all) {
        const std::optional<absl::Time> next = timetable_->NextFiring(*one.bell);
        ASSERT_EQ(next.has_value(), one.is_in);
        ASSERT_GT(next.value_or(absl::InfiniteFuture()), runtime_.Now());
      }
    }
    for (Seen& seen : all) timetable_->Remove(*seen.bell);
    EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  }
}

}  // namespace
}  // namespace banyan::internal
