// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/shard_meter.h -- floor 3, the stream room: whether more goes through one shard than
// a shard of Kinesis takes.
//
// A bucket holds what may go through now: it is filled at the limit's rate, up to one second's
// worth, and whoever finds anything in it may take all he needs, if that leaves a debt. So a
// record larger than a second's bytes goes through (and then nothing for as long as it owes), and a
// read of 10 MiB at 2 MiB a second keeps others waiting for five, as on AWS.
//
// Threads   Any. Buckets have a lock, that of their shard alone, and nobody takes it while limits are
//           off.
#ifndef BANYAN_LIB_STREAM_SHARD_METER_H_
#define BANYAN_LIB_STREAM_SHARD_METER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "banyan/limits.h"
#include "banyan/mutex.h"

namespace banyan::inline v0_1::internal {

class RateBucket {
 public:
  explicit RateBucket(int64_t per_second)
      : per_second_(static_cast<double>(per_second)), content_(per_second_) {}

  bool HasSome(int64_t now_ns) {
    content_ = std::min(per_second_,
                        content_ + per_second_ * 1e-9 * static_cast<double>(now_ns - filled_ns_));
    filled_ns_ = now_ns;
    // Less than half a unit is what rounding has left.
    return content_ >= 0.5;
  }
  void Take(int64_t amount) { content_ -= static_cast<double>(amount); }

 private:
  const double per_second_;
  double content_;
  int64_t filled_ns_ = 0;
};

class ShardMeter {
 public:
  explicit ShardMeter(const Limits::Stream& limits)
      : write_records_(limits.shard_write_records_per_second),
        write_bytes_(limits.shard_write_bytes_per_second),
        read_bytes_(limits.shard_read_bytes_per_second),
        read_calls_(limits.shard_reads_per_second),
        iterator_calls_(limits.shard_iterators_per_second) {}

  // False: it is beyond the limit. That is counted, and nothing is taken from the bucket; so where
  // limits are only reported, as many are counted as would be refused, and no debt outlasts a burst.
  bool MayWrite(int64_t bytes, int64_t now_ns) {
    MutexLock lock(&mu_);
    const bool has_records = write_records_.HasSome(now_ns);
    const bool may = write_bytes_.HasSome(now_ns) && has_records;
    if (may) {
      write_records_.Take(1);
      write_bytes_.Take(bytes);
    } else {
      writes_exceeded_.fetch_add(1, std::memory_order_relaxed);
    }
    return may;
  }
  bool MayRead(int64_t now_ns) {
    MutexLock lock(&mu_);
    const bool has_calls = read_calls_.HasSome(now_ns);
    const bool may = read_bytes_.HasSome(now_ns) && has_calls;
    if (may) {
      read_calls_.Take(1);
    } else {
      reads_exceeded_.fetch_add(1, std::memory_order_relaxed);
    }
    return may;
  }
  // Of a call that might.
  void HasRead(int64_t bytes) {
    MutexLock lock(&mu_);
    read_bytes_.Take(bytes);
  }
  bool MayGetIterator(int64_t now_ns) {
    MutexLock lock(&mu_);
    const bool may = iterator_calls_.HasSome(now_ns);
    if (may) {
      iterator_calls_.Take(1);
    } else {
      reads_exceeded_.fetch_add(1, std::memory_order_relaxed);
    }
    return may;
  }

  int64_t writes_exceeded() const { return writes_exceeded_.load(std::memory_order_relaxed); }
  int64_t reads_exceeded() const { return reads_exceeded_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> writes_exceeded_{0};
  std::atomic<int64_t> reads_exceeded_{0};
  Mutex mu_;
  RateBucket write_records_ ABSL_GUARDED_BY(mu_);
  RateBucket write_bytes_ ABSL_GUARDED_BY(mu_);
  RateBucket read_bytes_ ABSL_GUARDED_BY(mu_);
  RateBucket read_calls_ ABSL_GUARDED_BY(mu_);
  RateBucket iterator_calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_SHARD_METER_H_
