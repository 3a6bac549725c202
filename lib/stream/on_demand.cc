// SPDX-License-Identifier: Apache-2.0
#include "stream/on_demand.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

int64_t OnDemandScaler::ShardsNeeded() const {
  const double peak = peaks_.empty() ? 0 : peaks_.front().load;
  const double needed = std::min(std::ceil(options_.headroom * peak), 1e9);
  return std::clamp(static_cast<int64_t>(needed), options_.shards_min, options_.shards_max);
}

OnDemandScaler::Plan OnDemandScaler::Look(const std::vector<Load>& loads, int64_t elapsed_ns,
                                          int64_t now_ns) {
  int64_t bytes = 0, records = 0;
  for (const Load& load : loads) {
    bytes += load.bytes;
    records += load.records;
  }
  const double seconds = static_cast<double>(std::max<int64_t>(elapsed_ns, 1)) * 1e-9;
  const double load =
      std::max(
          static_cast<double>(bytes) / static_cast<double>(options_.shard_bytes_per_second),
          static_cast<double>(records) / static_cast<double>(options_.shard_records_per_second)) /
      seconds;
  while (!peaks_.empty() && peaks_.back().load <= load) peaks_.pop_back();
  peaks_.push_back({now_ns, load});
  const int64_t memory_ns = CeilNanoseconds(options_.peak_memory);
  while (now_ns - peaks_.front().at_ns > memory_ns) peaks_.pop_front();

  Plan plan;
  const auto open = static_cast<int64_t>(loads.size());
  const int64_t needed = ShardsNeeded();
  if (needed > open) {
    std::vector<Load> hottest = loads;
    std::stable_sort(hottest.begin(), hottest.end(), [](const Load& a, const Load& b) {
      return std::pair(a.bytes, a.records) > std::pair(b.bytes, b.records);
    });
    for (const Load& hot : hottest) {
      if (open + static_cast<int64_t>(plan.split.size()) == needed) break;
      plan.split.push_back(hot.shard);
    }
    return plan;
  }
  // Neighbours, the coldest pairs first; a shard is in one of them at most.
  std::vector<size_t> pairs(loads.empty() ? 0 : loads.size() - 1);
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = i;
  std::stable_sort(pairs.begin(), pairs.end(), [&loads](size_t a, size_t b) {
    return loads[a].bytes + loads[a + 1].bytes < loads[b].bytes + loads[b + 1].bytes;
  });
  std::vector<bool> taken(loads.size());
  for (const size_t i : pairs) {
    if (open - static_cast<int64_t>(plan.merge.size()) <= needed) break;
    if (taken[i] || taken[i + 1]) continue;
    taken[i] = taken[i + 1] = true;
    plan.merge.emplace_back(loads[i].shard, loads[i + 1].shard);
  }
  return plan;
}

}  // namespace banyan::inline v0_1::internal
