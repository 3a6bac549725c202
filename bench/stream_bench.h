// SPDX-License-Identifier: Apache-2.0
//
// What the benchmarks of streams share: a stream on its own, keys, and a reader.
#ifndef BANYAN_BENCH_STREAM_BENCH_H_
#define BANYAN_BENCH_STREAM_BENCH_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "benchmark/benchmark.h"
#include "message/environment.h"
#include "stream/core.h"

namespace banyan {

inline constexpr int64_t kRingBytes = 4 << 20;    // fits the caches of most machines
inline constexpr int64_t kColdBytes = 128 << 20;  // does not

// Keys that differ in each call, so many that none is remembered when its turn comes again. Made
// before the clock runs.
class NewKeys {
 public:
  static constexpr size_t kKeys = 1 << 16;

  NewKeys() : text_(kKeys * kKeyBytes, '0') {
    for (size_t key = 0; key < kKeys; ++key) {
      char* const at = &text_[key * kKeyBytes];
      std::memcpy(at, "session-", 8);
      for (size_t i = kKeyBytes - 1, n = key; n > 0; --i, n /= 10) {
        at[i] = static_cast<char>('0' + n % 10);
      }
    }
  }
  // Round and round.
  std::string_view operator[](size_t key) const {
    return {&text_[key % kKeys * kKeyBytes], kKeyBytes};
  }

 private:
  static constexpr size_t kKeyBytes = 16;
  std::string text_;
};

// A reader that looks at all of a record.
inline uint64_t SumOf(std::string_view data) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 8 <= data.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, data.data() + i, 8);
    sum += word;
  }
  return sum;
}

inline void PerRecord(benchmark::State& state, int64_t records) {
  state.SetItemsProcessed(records);
  state.counters["per_record"] = benchmark::Counter(
      static_cast<double>(records), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

struct Bench {
  explicit Bench(StreamOptions options) {
    Limits limits = Limits::Relaxed();
    env = std::make_shared<internal::Environment>(*runtime, limits, 7);
    stream = Stream(internal::StreamCore::Create(env, "bench", options));
  }
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  std::shared_ptr<internal::Environment> env;
  Stream stream;
};

// All shards together go round in kRingBytes.
inline StreamOptions RingOptions(int64_t shards) {
  return {.shards = shards, .record_bytes_max = 16 << 10, .shard_bytes_max = kRingBytes / shards};
}

}  // namespace banyan

#endif  // BANYAN_BENCH_STREAM_BENCH_H_
