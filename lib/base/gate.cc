// SPDX-License-Identifier: Apache-2.0
#include "base/gate.h"

#include <utility>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

bool Gate::AwaitDrained(Runtime& runtime, absl::Duration deadline, std::stop_token stop) {
  if (sentinel_.forked()) return true;
  BANYAN_CHECK(state_.load(std::memory_order_seq_cst) == State::kClosed,
               "an open gate does not drain");
  MutexLock lock(&mu_);
  return runtime.Await(
      mu_, watchers_, [this] { return Drained(); }, deadline, std::move(stop));
}

bool Gate::Drained() const {
  // Not one moment's sum, and it need not be: closed, a shard that is down to zero stays there,
  // but for callers that are counted, refused, and counted out again.
  for (const Shard& shard : inside_) {
    if (shard.count.load(std::memory_order_seq_cst) != 0) return false;
  }
  return true;
}

int64_t Gate::Inside() const {
  const int64_t parked = parked_.load(std::memory_order_seq_cst);
  return InsideOrParked() - parked;
}

int64_t Gate::InsideOrParked() const {
  int64_t sum = 0;
  for (const Shard& shard : inside_) sum += shard.count.load(std::memory_order_seq_cst);
  return sum;
}

uint64_t Gate::Departures() {
  MutexLock lock(&mu_);
  return departures_;
}

bool Gate::AwaitDeparture(Runtime& runtime, uint64_t seen, absl::Duration deadline,
                          std::stop_token stop) {
  MutexLock lock(&mu_);
  const auto departed = [this, seen] {
    mu_.AssertHeld();
    return departures_ > seen;
  };
  return runtime.Await(mu_, watchers_, departed, deadline, std::move(stop));
}

void Gate::WakeWatchers() {
  MutexLock lock(&mu_);
  ++departures_;
  watchers_.WakeAll();
}

}  // namespace banyan::inline v0_1::internal
