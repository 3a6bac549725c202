// SPDX-License-Identifier: Apache-2.0
#include "base/clock_map.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// A machine whose raw clock shows what the test says.
class ClockMapTest : public ::testing::Test {
 protected:
  ClockMap Make(double scale) { return ClockMap(raw_ns_, /*unix_ns=*/1'000 * kSecond, scale); }
  auto Raw() {
    return [this] { return raw_ns_; };
  }

  int64_t raw_ns_ = 77 * kSecond;
};

TEST_F(ClockMapTest, StartsAtUptimeZeroAndTheGivenWallTime) {
  const ClockMap clock = Make(1.0);
  const Instant now = clock.Read(Raw()).instant;
  EXPECT_EQ(now.uptime_ns, 0);
  EXPECT_EQ(now.unix_ns, 1'000 * kSecond);
}

TEST_F(ClockMapTest, BothFacesPassWithTheMachine) {
  const ClockMap clock = Make(1.0);
  raw_ns_ += 5;
  const Instant now = clock.Read(Raw()).instant;
  EXPECT_EQ(now.uptime_ns, 5);
  EXPECT_EQ(now.unix_ns, 1'000 * kSecond + 5);
}

TEST_F(ClockMapTest, AScaledClockPassesFaster) {
  const ClockMap clock = Make(60.0);
  raw_ns_ += kSecond;
  const Instant now = clock.Read(Raw()).instant;
  EXPECT_EQ(now.uptime_ns, 60 * kSecond);
  EXPECT_EQ(now.unix_ns, 1'060 * kSecond);
}

TEST_F(ClockMapTest, AFrozenClockMovesByAdvanceOnly) {
  ClockMap clock = Make(0.0);
  raw_ns_ += kSecond;
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, 0);
  clock.Advance(Raw(), 3 * kSecond);
  raw_ns_ += kSecond;
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, 3 * kSecond);
  EXPECT_EQ(clock.Read(Raw()).instant.unix_ns, 1'003 * kSecond);
}

TEST_F(ClockMapTest, AdvanceAddsToWhatPasses) {
  ClockMap clock = Make(1.0);
  raw_ns_ += kSecond;
  clock.Advance(Raw(), kSecond);
  raw_ns_ += kSecond;
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, 3 * kSecond);
}

TEST_F(ClockMapTest, AChangeOfScaleKeepsTheTimeThatHasPassed) {
  ClockMap clock = Make(1.0);
  raw_ns_ += kSecond;
  clock.SetScale(Raw(), 10.0);
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, kSecond);
  raw_ns_ += kSecond;
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, 11 * kSecond);
  clock.SetScale(Raw(), 0.0);
  raw_ns_ += kSecond;
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, 11 * kSecond);
}

TEST_F(ClockMapTest, AWallJumpMovesNoDeadline) {
  ClockMap clock = Make(1.0);
  clock.JumpWall(-500 * kSecond);
  raw_ns_ += kSecond;
  EXPECT_EQ(clock.Read(Raw()).instant.uptime_ns, kSecond);
  EXPECT_EQ(clock.Read(Raw()).instant.unix_ns, 501 * kSecond);
}

TEST_F(ClockMapTest, RawTimeOfIsWhereReadArrives) {
  for (const double scale : {0.25, 1.0, 3.0, 60.0, 1e6}) {
    ClockMap clock = Make(scale);
    clock.Advance(Raw(), 12'345);
    const int64_t deadline_ns = 987'654'321;
    const int64_t start_ns = raw_ns_;
    raw_ns_ = clock.RawTimeOf(deadline_ns);
    EXPECT_GE(clock.Read(Raw()).instant.uptime_ns, deadline_ns) << scale;
    raw_ns_ -= 2;  // one tick earlier it has not come, two to allow for rounding
    EXPECT_LT(clock.Read(Raw()).instant.uptime_ns, deadline_ns) << scale;
    raw_ns_ = start_ns;
  }
}

TEST_F(ClockMapTest, AFrozenClockReachesNoDeadline) {
  ClockMap clock = Make(0.0);
  EXPECT_EQ(clock.RawTimeOf(1), kNever);
}

TEST_F(ClockMapTest, TimeEndsInsteadOfOverflowing) {
  ClockMap clock = Make(1e6);
  clock.Advance(Raw(), kNever);
  clock.Advance(Raw(), kNever);
  raw_ns_ += 365 * 86'400 * kSecond;
  const Instant end = clock.Read(Raw()).instant;
  EXPECT_EQ(end.uptime_ns, kLatest);
  EXPECT_GT(end.unix_ns, end.uptime_ns);
  EXPECT_EQ(clock.RawTimeOf(kNever), kNever);
}

// C1 and C2 with threads: whatever a writer does, no reader sees uptime go back or a face of one
// change with the other face of another.
TEST(ClockMapStress, UptimeNeverGoesBackAndFacesAgree) {
#ifdef BANYAN_SANITIZER
  constexpr int kChanges = 2'000;
#else
  constexpr int kChanges = 50'000;
#endif
  std::atomic<int64_t> raw_ns = 0;
  const auto raw = [&raw_ns] { return raw_ns.fetch_add(1); };  // a clock that never stands still
  ClockMap clock(0, /*unix_ns=*/5'000, 1.0);
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      int64_t last_ns = 0;
      while (!done) {
        const Instant now = clock.Read(raw).instant;
        ASSERT_GE(now.uptime_ns, last_ns);
        ASSERT_EQ(now.unix_ns - now.uptime_ns, 5'000);
        last_ns = now.uptime_ns;
      }
    });
  }
  for (int i = 0; i < kChanges; ++i) {
    if (i % 2 == 0) clock.Advance(raw, 10);
    if (i % 2 == 1) clock.SetScale(raw, i % 4 == 1 ? 0.0 : 3.0);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace banyan::internal
