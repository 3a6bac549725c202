// SPDX-License-Identifier: Apache-2.0
//
// lib/message/atomic_statistics.h -- floor 1: count, sum, least and greatest of values that many
// threads add without a lock.
//
// All relaxed: each number is right by itself, and nobody concludes one from another.
#ifndef BANYAN_LIB_MESSAGE_ATOMIC_STATISTICS_H_
#define BANYAN_LIB_MESSAGE_ATOMIC_STATISTICS_H_

#include <atomic>
#include <cstdint>
#include <limits>

#include "banyan/metrics.h"

namespace banyan::inline v0_1::internal {

class AtomicStatistics {
 public:
  void Add(int64_t value) {
    count_.fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
    // Mostly just a look.
    int64_t least = min_.load(std::memory_order_relaxed);
    while (value < least && !min_.compare_exchange_weak(least, value, std::memory_order_relaxed)) {
    }
    int64_t greatest = max_.load(std::memory_order_relaxed);
    while (value > greatest &&
           !max_.compare_exchange_weak(greatest, value, std::memory_order_relaxed)) {
    }
  }

  int64_t count() const { return count_.load(std::memory_order_relaxed); }

  // Not while others add.
  void Reset() {
    count_ = sum_ = 0;
    min_ = std::numeric_limits<int64_t>::max();
    max_ = std::numeric_limits<int64_t>::min();
  }

  StatisticSet Read() const {
    const int64_t count = count_.load(std::memory_order_relaxed);
    const int64_t max = max_.load(std::memory_order_relaxed);
    if (count == 0 || max == std::numeric_limits<int64_t>::min()) return {};
    return {.count = count,
            .sum = sum_.load(std::memory_order_relaxed),
            .min = min_.load(std::memory_order_relaxed),
            .max = max};
  }

 private:
  std::atomic<int64_t> count_{0};
  std::atomic<int64_t> sum_{0};
  std::atomic<int64_t> min_{std::numeric_limits<int64_t>::max()};
  std::atomic<int64_t> max_{std::numeric_limits<int64_t>::min()};
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_ATOMIC_STATISTICS_H_
