// SPDX-License-Identifier: Apache-2.0
#include "stream/shards.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

namespace {

int64_t SecondOf(const Instant& at) { return std::max<int64_t>(at.unix_ns, 0) / 1'000'000'000; }

}  // namespace

Shards::Shards(int64_t count, Instant now, const Limits::Stream& limits, MakeLog make_log)
    : limits_(limits), make_log_(std::move(make_log)) {
  const ShardMap map(count);
  Routing routing;
  routing.reserve(map.size());
  MutexLock lock(&mu_);
  for (size_t i = 0; i < map.size(); ++i) {
    routing.push_back({map.start(i), &Make({.range = map.range(i), .made = now})});
  }
  Publish(std::move(routing));
}

void Shards::AwaitReshard() const { MutexLock lock(&mu_); }

std::vector<Shard*> Shards::Open() const {
  MutexLock lock(&mu_);
  std::vector<Shard*> open;
  open.reserve(routing_.size());
  for (const Route& route : routing_) open.push_back(route.shard);
  return open;
}

Shard& Shards::Make(Shard::Origin origin) {
  origin.index = static_cast<int64_t>(all_.size());
  // Numbers of a child are above its parents', also when all were made within one second.
  int64_t second = SecondOf(origin.made);
  for (const std::optional<int64_t>& parent : {origin.parent, origin.adjacent_parent}) {
    if (!parent.has_value()) continue;
    const Shard& from = all_[static_cast<size_t>(*parent)];
    second = std::max(second, from.log().identity().created_second + 1);
  }
  return all_.Add(std::make_unique<Shard>(origin, make_log_(origin.index, second), limits_));
}

std::vector<Route> Shards::Replace(const std::vector<Shard*>& parents,
                                   const std::vector<HashRange>& ranges, Instant now) {
  Shard::Ending ending = {.at = now, .children = {}};
  std::vector<Route> routes;
  for (const HashRange& range : ranges) {
    Shard::Origin origin = {.range = range, .parent = parents[0]->index(), .made = now};
    if (parents.size() > 1) origin.adjacent_parent = parents[1]->index();
    Shard& child = Make(origin);
    ending.children.push_back(child.index());
    routes.push_back({range.start, &child});
  }
  for (Shard* parent : parents) {  // R2
    parent->ending_storage_ = std::make_unique<const Shard::Ending>(ending);
    parent->ending_.store(parent->ending_storage_.get(), std::memory_order_release);
    parent->log().Seal();
  }
  return routes;
}

Shards::Routing::const_iterator Shards::RouteOf(const Shard& shard) const {
  return std::find_if(routing_.begin(), routing_.end(),
                      [&shard](const Route& route) { return route.shard == &shard; });
}

void Shards::Publish(Routing routing) {
  routing_ = std::move(routing);
  table_.Set(routing_);
}

bool Shards::Split(Shard& shard, absl::uint128 second_start, Instant now) {
  MutexLock lock(&mu_);
  const auto route = RouteOf(shard);
  const HashRange& range = shard.range();
  if (route == routing_.cend() || second_start <= range.start || second_start > range.end) {
    return false;
  }
  Routing next(routing_.cbegin(), route);
  for (const Route& made :
       Replace({&shard}, {{range.start, second_start - 1}, {second_start, range.end}}, now)) {
    next.push_back(made);
  }
  next.insert(next.end(), route + 1, routing_.cend());
  Publish(std::move(next));
  return true;
}

bool Shards::Merge(Shard& shard, Shard& adjacent, Instant now) {
  MutexLock lock(&mu_);
  const bool in_order = shard.range().start < adjacent.range().start;
  const Shard& low = in_order ? shard : adjacent;
  const Shard& high = in_order ? adjacent : shard;
  const auto route = RouteOf(low);
  if (route == routing_.cend() || route + 1 == routing_.cend() || (route + 1)->shard != &high) {
    return false;
  }
  Routing next(routing_.cbegin(), route);
  next.push_back(
      Replace({&shard, &adjacent}, {{low.range().start, high.range().end}}, now).front());
  next.insert(next.end(), route + 2, routing_.cend());
  Publish(std::move(next));
  return true;
}

int64_t Shards::Rescale(int64_t count, Instant now) {
  MutexLock lock(&mu_);
  const ShardMap target(count);
  Routing pieces;
  for (const Route& route : routing_) {
    // Cut at each bound that lies inside. A bound beside the range's own, where rounding has left
    // it, is met already.
    Route rest = route;
    for (size_t i = target.Find(route.start) + 1; i < target.size(); ++i) {
      const HashRange range = rest.shard->range();
      const absl::uint128 bound = target.start(i);
      if (bound >= range.end) break;
      if (bound <= range.start + 1) continue;
      const std::vector<Route> halves =
          Replace({rest.shard}, {{range.start, bound - 1}, {bound, range.end}}, now);
      pieces.push_back(halves[0]);
      rest = halves[1];
    }
    pieces.push_back(rest);
  }

  Routing next;
  size_t last_target = target.size();  // of the last route: none yet
  for (const Route& piece : pieces) {
    const size_t of = target.Find(piece.shard->range().Middle());
    if (of != last_target) {
      next.push_back(piece);
      last_target = of;
      continue;
    }
    Shard& low = *next.back().shard;
    const HashRange both = {low.range().start, piece.shard->range().end};
    next.back() = Replace({&low, piece.shard}, {both}, now).front();
  }
  const auto open = static_cast<int64_t>(next.size());
  Publish(std::move(next));
  return open;
}

}  // namespace banyan::inline v0_1::internal
