// SPDX-License-Identifier: Apache-2.0
//
// Stopwatch: how long each order took, from the customer's click to the notice that it is on its
// way.
//
// Threads   Every method may be called from any thread; Latencies() when nothing else is.
#ifndef BANYAN_EXAMPLES_SHOP_STOPWATCH_H_
#define BANYAN_EXAMPLES_SHOP_STOPWATCH_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "banyan/runtime.h"

namespace shop {

class Stopwatch {
 public:
  Stopwatch(banyan::Runtime& runtime, int64_t orders)
      : runtime_(runtime), laps_(static_cast<size_t>(orders)) {}

  void Start(int64_t order) { At(order).started_ns = runtime_.Read().uptime_ns; }

  // The payment of this order failed at least once.
  void Trouble(int64_t order) { At(order).trouble = true; }

  void Finish(int64_t order) {
    const int64_t now_ns = runtime_.Read().uptime_ns;
    int64_t unfinished = kUnfinished;
    // A notice that comes twice does not finish its order a second time.
    if (!At(order).finished_ns.compare_exchange_strong(unfinished, now_ns)) return;
    finished_.fetch_add(1);
    int64_t last_ns = last_ns_.load();
    while (now_ns > last_ns && !last_ns_.compare_exchange_weak(last_ns, now_ns)) {
    }
  }

  int64_t finished() const { return finished_.load(); }
  absl::Duration last_finish() const { return absl::Nanoseconds(last_ns_.load()); }

  // Of finished orders, with or without trouble; shortest first.
  std::vector<absl::Duration> Latencies(bool trouble) const {
    std::vector<absl::Duration> latencies;
    for (const Lap& lap : laps_) {
      const int64_t finished_ns = lap.finished_ns.load();
      if (finished_ns == kUnfinished || lap.trouble.load() != trouble) continue;
      latencies.push_back(absl::Nanoseconds(finished_ns - lap.started_ns.load()));
    }
    std::sort(latencies.begin(), latencies.end());
    return latencies;
  }

 private:
  static constexpr int64_t kUnfinished = -1;
  struct Lap {
    std::atomic<int64_t> started_ns = 0;
    std::atomic<int64_t> finished_ns = kUnfinished;
    std::atomic<bool> trouble = false;
  };

  Lap& At(int64_t order) { return laps_.at(static_cast<size_t>(order)); }

  banyan::Runtime& runtime_;
  std::vector<Lap> laps_;
  std::atomic<int64_t> finished_ = 0;
  std::atomic<int64_t> last_ns_ = 0;
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_STOPWATCH_H_
