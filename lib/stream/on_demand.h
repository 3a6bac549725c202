// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/on_demand.h -- floor 3, the stream room: how many shards an on-demand stream needs.
//
//   load per shard, each minute --> peak of the last 30 days --> twice that / a shard's rate
//                                                                    --> which to split or merge
//
// The hottest shards are split and the coldest neighbours merged, as few as do. In one step the
// number at most doubles or halves.
//
// Threads   One at a time, by a lock of the caller.
#ifndef BANYAN_LIB_STREAM_ON_DEMAND_H_
#define BANYAN_LIB_STREAM_ON_DEMAND_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "banyan/stream.h"

namespace banyan::inline v0_1::internal {

class OnDemandScaler {
 public:
  explicit OnDemandScaler(const OnDemandOptions& options) : options_(options) {}

  // What went into a shard since the last look; the shards of a look are in the order of their
  // ranges.
  struct Load {
    int64_t shard;
    int64_t bytes;
    int64_t records;
  };
  // Indexes of shards. One of the two is empty.
  struct Plan {
    std::vector<int64_t> split;
    std::vector<std::pair<int64_t, int64_t>> merge;
  };
  Plan Look(const std::vector<Load>& loads, int64_t elapsed_ns, int64_t now_ns);

  // What the peak asks for, within the options' bounds.
  int64_t ShardsNeeded() const;

 private:
  // Shards' worth of load in one interval.
  struct Peak {
    int64_t at_ns;
    double load;
  };

  const OnDemandOptions options_;
  // Falling loads: each is the highest since the one before it. So a look adds one and mostly takes
  // others away; at most peak_memory / check_interval stay, of a load that fell at every look.
  std::deque<Peak> peaks_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_ON_DEMAND_H_
