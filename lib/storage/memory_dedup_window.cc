// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "banyan/mutex.h"
#include "base/nanoseconds.h"
#include "base/strings.h"
#include "storage/dedup_window.h"

namespace banyan::inline v0_1::internal {

namespace {

// keys_ answers, ends_ says what to forget next. Lengths may differ from call to call (a test's
// profile), so ends_ is ordered by time and not by arrival.
class MemoryDedupWindow final : public DedupWindow {
 public:
  explicit MemoryDedupWindow(int64_t keys_max) : keys_max_(keys_max) {}

  absl::StatusOr<std::optional<FirstSeen>> Remember(std::string_view key, const FirstSeen& first,
                                                    Instant now, absl::Duration length) override {
    if (length <= absl::ZeroDuration()) {
      return absl::InvalidArgumentError("dedup window: its length must be above zero");
    }
    MutexLock lock(&mu_);
    Forget(now.uptime_ns);
    const auto known = keys_.find(ToAbsl(key));
    if (known != keys_.end()) return known->second;
    if (static_cast<int64_t>(keys_.size()) >= keys_max_) {
      return absl::ResourceExhaustedError(
          StrCat("dedup window: full, with ", keys_.size(), " keys whose windows still run"));
    }
    const auto added = keys_.emplace(std::string(key), first).first;
    ends_.emplace(AddClamped(now.uptime_ns, CeilNanoseconds(length)), &added->first);
    return std::nullopt;
  }

  void Clear() override {
    MutexLock lock(&mu_);
    ends_.clear();
    keys_.clear();
  }

  int64_t size() override {
    MutexLock lock(&mu_);
    return static_cast<int64_t>(keys_.size());
  }

 private:
  // A window is over at its end, not after it: first seen at 0s for 5min, new again at 5min.
  void Forget(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (!ends_.empty() && ends_.begin()->first <= now_ns) {
      keys_.erase(keys_.find(*ends_.begin()->second));
      ends_.erase(ends_.begin());
    }
  }

  const int64_t keys_max_;
  Mutex mu_;
  absl::node_hash_map<std::string, FirstSeen> keys_ ABSL_GUARDED_BY(mu_);  // nodes do not move
  std::multimap<int64_t, const std::string*> ends_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<DedupWindow> NewMemoryDedupWindow(int64_t keys_max) {
  return std::make_unique<MemoryDedupWindow>(keys_max);
}

}  // namespace banyan::inline v0_1::internal
