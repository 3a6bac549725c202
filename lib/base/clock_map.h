// SPDX-License-Identifier: Apache-2.0
//
// lib/base/clock_map.h -- floor 0: from the machine's monotonic clock ("raw") to a runtime's two
// clock faces, which may be scaled, frozen, advanced and jumped.
//
//   uptime = base_uptime + (raw - base_raw) * scale        wall = uptime + wall_minus_uptime
//
// C1  Uptime never goes back, whatever is done to the clock: every change starts a new straight
//     line at the point the old one has reached.
// C2  A reader sees all four parameters of one change or of another, never a mixture, and its raw
//     reading lies within the life of the parameters it is combined with. It takes no lock: it
//     reads again if `version_` shows that a writer came by (a sequence lock).
//
// The orders that make C2 hold: a writer makes the version odd by a read-modify-write, which no
// later store or clock read overtakes, then stores the parameters with release order, so that
// whoever sees one of them also sees the odd version; a reader loads them with acquire order, so
// its second look at the version comes after. There is no fence, because ThreadSanitizer cannot
// follow fences.
//
// This file reads no clock: raw readings come from the caller, so that tests can make them up.
//
// Threads: Read() and UptimeAt() from any thread; one writer at a time (the owner's mutex).
#ifndef BANYAN_LIB_BASE_CLOCK_MAP_H_
#define BANYAN_LIB_BASE_CLOCK_MAP_H_

#include <atomic>
#include <cmath>
#include <cstdint>

#include "banyan/runtime.h"
#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

class ClockMap {
 public:
  struct Reading {
    Instant instant;
    int64_t raw_ns;
  };

  // At `raw_ns` uptime is 0 and the wall clock shows `unix_ns`.
  ClockMap(int64_t raw_ns, int64_t unix_ns, double scale)
      : base_raw_ns_(raw_ns), scale_(scale), wall_minus_uptime_ns_(unix_ns) {}

  template <typename RawClock>
  Reading Read(const RawClock& raw_clock) const {
    for (;;) {
      const uint64_t version = version_.load(std::memory_order_acquire);
      const Line line = {.base_raw_ns = base_raw_ns_.load(std::memory_order_acquire),
                         .base_uptime_ns = base_uptime_ns_.load(std::memory_order_acquire),
                         .scale = scale_.load(std::memory_order_acquire)};
      const int64_t wall_minus_uptime_ns = wall_minus_uptime_ns_.load(std::memory_order_acquire);
      const int64_t raw_ns = raw_clock();
      if (version % 2 != 0 || version_.load(std::memory_order_relaxed) != version) continue;
      const int64_t uptime_ns = line.UptimeAt(raw_ns);
      return {{.uptime_ns = uptime_ns, .unix_ns = AddClamped(uptime_ns, wall_minus_uptime_ns)},
              raw_ns};
    }
  }

  // The raw time at which uptime will reach `uptime_ns`, if the clock is left alone; kNever if it
  // never will. For the writer's mutex only, as are all below.
  int64_t RawTimeOf(int64_t uptime_ns) const {
    const Line line = CurrentLine();
    const int64_t ahead_ns = uptime_ns - line.base_uptime_ns;
    if (ahead_ns <= 0) return line.base_raw_ns;
    if (uptime_ns >= kLatest || line.scale <= 0) return kNever;
    if (line.scale == 1.0) return AddClamped(line.base_raw_ns, ahead_ns);
    const double raw_ahead = std::ceil(static_cast<double>(ahead_ns) / line.scale);
    if (raw_ahead >= static_cast<double>(kLatest)) return kNever;
    return AddClamped(line.base_raw_ns, static_cast<int64_t>(raw_ahead));
  }

  template <typename RawClock>
  void Advance(const RawClock& raw_clock, int64_t by_ns) {
    const Change change(version_);
    const int64_t raw_ns = raw_clock();
    const int64_t uptime_ns = CurrentLine().UptimeAt(raw_ns);
    StartLine(raw_ns, std::min(AddClamped(uptime_ns, by_ns), kLatest));
  }

  template <typename RawClock>
  void SetScale(const RawClock& raw_clock, double scale) {
    const Change change(version_);
    const int64_t raw_ns = raw_clock();
    StartLine(raw_ns, CurrentLine().UptimeAt(raw_ns));
    scale_.store(scale, std::memory_order_release);
  }

  void JumpWall(int64_t by_ns) {
    const Change change(version_);
    const int64_t now = wall_minus_uptime_ns_.load(std::memory_order_relaxed);
    wall_minus_uptime_ns_.store(AddClamped(now, by_ns), std::memory_order_release);
  }

  double scale() const { return scale_.load(std::memory_order_relaxed); }

 private:
  struct Line {
    int64_t base_raw_ns;
    int64_t base_uptime_ns;
    double scale;

    int64_t UptimeAt(int64_t raw_ns) const {
      const int64_t passed_ns = std::max<int64_t>(raw_ns - base_raw_ns, 0);
      if (scale == 1.0) return std::min(AddClamped(base_uptime_ns, passed_ns), kLatest);
      const double scaled = static_cast<double>(passed_ns) * scale;
      if (scaled >= static_cast<double>(kLatest - base_uptime_ns)) return kLatest;
      return base_uptime_ns + static_cast<int64_t>(scaled);
    }
  };

  // Keeps the version odd for the life of a scope.
  class Change {
   public:
    explicit Change(std::atomic<uint64_t>& version) : version_(version) {
      version_.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Change() { version_.fetch_add(1, std::memory_order_release); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    std::atomic<uint64_t>& version_;
  };

  Line CurrentLine() const {
    return {.base_raw_ns = base_raw_ns_.load(std::memory_order_relaxed),
            .base_uptime_ns = base_uptime_ns_.load(std::memory_order_relaxed),
            .scale = scale_.load(std::memory_order_relaxed)};
  }

  void StartLine(int64_t raw_ns, int64_t uptime_ns) {
    base_raw_ns_.store(raw_ns, std::memory_order_release);
    base_uptime_ns_.store(uptime_ns, std::memory_order_release);
  }

  std::atomic<uint64_t> version_{0};  // odd while a change is under way
  std::atomic<int64_t> base_raw_ns_;
  std::atomic<int64_t> base_uptime_ns_{0};
  std::atomic<double> scale_;
  std::atomic<int64_t> wall_minus_uptime_ns_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_CLOCK_MAP_H_
