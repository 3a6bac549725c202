// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"
#include "storage/lease_store.h"

namespace banyan::inline v0_1::internal {

namespace {

class MemoryLeaseStore final : public LeaseStore {
 public:
  explicit MemoryLeaseStore(int64_t leases_max) : leases_max_(leases_max) {}

  absl::StatusOr<std::optional<Lease>> Get(std::string_view table, std::string_view key) override {
    MutexLock lock(&mu_);
    const auto found = leases_.find(Place(table, key));
    if (found == leases_.end()) return std::nullopt;
    return found->second;
  }

  absl::StatusOr<std::optional<Lease>> Put(std::string_view table, Lease lease) override {
    if (table.empty()) return absl::InvalidArgumentError("lease store: the table has no name");
    if (lease.key.empty()) return absl::InvalidArgumentError("lease store: the lease has no key");
    MutexLock lock(&mu_);
    const auto found = leases_.find(Place(table, lease.key));
    const int64_t stored_version = found == leases_.end() ? 0 : found->second.version;
    if (stored_version != lease.version) return std::nullopt;
    lease.version = ++last_version_;  // one counter for all keys, so none repeats (L2)
    if (found != leases_.end()) return found->second = std::move(lease);
    if (static_cast<int64_t>(leases_.size()) >= leases_max_) {
      return absl::ResourceExhaustedError("lease store: as many leases as it was made for");
    }
    return leases_.emplace(Place(table, lease.key), std::move(lease)).first->second;
  }

  absl::StatusOr<bool> Remove(std::string_view table, std::string_view key,
                              int64_t version) override {
    MutexLock lock(&mu_);
    const auto found = leases_.find(Place(table, key));
    if (found == leases_.end() || found->second.version != version) return false;
    leases_.erase(found);
    return true;
  }

  absl::StatusOr<std::vector<Lease>> List(std::string_view table) override {
    MutexLock lock(&mu_);
    std::vector<Lease> leases;
    for (auto at = leases_.lower_bound(Place(table, ""));
         at != leases_.end() && at->first.first == table; ++at) {
      leases.push_back(at->second);
    }
    return leases;
  }

  absl::Status RemoveTables(std::string_view prefix) override {
    MutexLock lock(&mu_);
    const auto first = leases_.lower_bound(Place(prefix, ""));
    auto last = first;
    while (last != leases_.end() && last->first.first.starts_with(prefix)) ++last;
    leases_.erase(first, last);
    return absl::OkStatus();
  }

 private:
  using TableAndKey = std::pair<std::string, std::string>;
  static TableAndKey Place(std::string_view table, std::string_view key) {
    return {std::string(table), std::string(key)};
  }

  const int64_t leases_max_;
  Mutex mu_;
  std::map<TableAndKey, Lease> leases_ ABSL_GUARDED_BY(mu_);
  int64_t last_version_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

std::unique_ptr<LeaseStore> NewMemoryLeaseStore(int64_t leases_max) {
  return std::make_unique<MemoryLeaseStore>(leases_max);
}

}  // namespace banyan::inline v0_1::internal
