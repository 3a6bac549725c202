// SPDX-License-Identifier: Apache-2.0
#include "consume/lease_plan.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace banyan::inline v0_1::internal {

LeasePlan PlanLeases(const std::vector<LeaseClaim>& claims, std::string_view me, int64_t leases_max,
                     int64_t asked_for_max, uint64_t random) {
  std::map<std::string_view, std::vector<const LeaseClaim*>> held = {{me, {}}};
  std::vector<const LeaseClaim*> free;
  int64_t asked_for = 0;
  for (const LeaseClaim& claim : claims) {
    if (claim.holder.empty()) {
      free.push_back(&claim);
    } else {
      held[claim.holder].push_back(&claim);
      asked_for += claim.is_reserved && claim.holder == me ? 1 : 0;
    }
  }
  const auto mine = static_cast<int64_t>(held[me].size());
  const auto workers = static_cast<int64_t>(held.size());
  const int64_t share = (static_cast<int64_t>(claims.size()) + workers - 1) / workers;
  const int64_t missing = std::min(share, leases_max) - mine;

  LeasePlan plan;
  for (const LeaseClaim* claim : free) {
    const int64_t room = claim->is_overdue ? leases_max - mine : missing;
    if (static_cast<int64_t>(plan.take.size()) < room) plan.take.push_back(claim->key);
  }
  if (!free.empty() || missing <= 0) return plan;

  const auto most = std::max_element(held.begin(), held.end(), [](const auto& a, const auto& b) {
    return a.second.size() < b.second.size();
  });
  // With a difference of one nothing would be gained, and the lease would wander for ever.
  const int64_t difference = static_cast<int64_t>(most->second.size()) - mine;
  int64_t wanted = std::min({missing, asked_for_max - asked_for, difference / 2});
  std::vector<const LeaseClaim*>& theirs = most->second;
  std::erase_if(theirs, [](const LeaseClaim* claim) { return claim->is_reserved; });
  for (; wanted > 0 && !theirs.empty(); --wanted) {
    const auto chosen = theirs.begin() + static_cast<ptrdiff_t>(random % theirs.size());
    plan.ask_for.push_back((*chosen)->key);
    theirs.erase(chosen);
  }
  return plan;
}

}  // namespace banyan::inline v0_1::internal
