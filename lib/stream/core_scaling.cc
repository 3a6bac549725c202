// SPDX-License-Identifier: Apache-2.0
//
// Streams on demand: a timer, a look at what came in, and splits and merges.
#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "message/errors.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

bool TakeOneOfDay(int64_t most, const Instant& now, std::deque<int64_t>* times_ns) {
  constexpr int64_t kDayNs = int64_t{86'400} * 1'000'000'000;
  while (!times_ns->empty() && now.uptime_ns - times_ns->front() >= kDayNs) times_ns->pop_front();
  if (static_cast<int64_t>(times_ns->size()) >= most) return false;
  times_ns->push_back(now.uptime_ns);
  return true;
}

absl::Status StreamCore::TooOften(std::string_view call, int64_t most) const {
  return Error(AwsError::kStreamLimitExceeded, "Rate of ", call, " exceeded for stream ", name_,
               " under account ", env_->account, ": at most ", most, " in 24 hours.");
}

absl::Status StreamCore::CheckProvisioned() const {
  if (!scaling_.has_value()) return absl::OkStatus();
  return Error(AwsError::kStreamValidation, "Stream ", name_, " under account ", env_->account,
               " is in ON_DEMAND mode: its load decides on its shards.");
}

absl::Status StreamCore::UpdateStreamMode(StreamMode mode) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  if ((mode == StreamMode::kOnDemand) == scaling_.has_value()) return absl::OkStatus();
  if (!TakeOneOfDay(env_->limits.stream.mode_switches_per_day, now, &switches_ns_)) {
    return TooOften("UpdateStreamMode", env_->limits.stream.mode_switches_per_day);
  }
  if (mode == StreamMode::kOnDemand) {
    BeginScaling(now);
  } else {
    EndScaling();
  }
  BeginUpdate(now);
  return absl::OkStatus();
}

void StreamCore::BeginScaling(const Instant& now) {
  scaling_.emplace(Scaling{.scaler = OnDemandScaler(options_.on_demand),
                           .looked_ns = now.uptime_ns,
                           .before = {},
                           .timer = TimerId::kNone});
  TakeLoads();  // what came in earlier is no load
  SetScalingTimer(now);
}

void StreamCore::EndScaling() {
  if (!scaling_.has_value()) return;
  env_->runtime.Cancel(scaling_->timer);
  scaling_.reset();
  ++scaling_generation_;
}

void StreamCore::SetScalingTimer(const Instant& now) {
  scaling_->timer =
      env_->runtime.PostAt(now.uptime() + options_.on_demand.check_interval,
                           [weak = weak_from_this(), generation = scaling_generation_] {
                             if (const std::shared_ptr<StreamCore> self = weak.lock())
                               self->Scale(generation);
                           });
}

std::vector<OnDemandScaler::Load> StreamCore::TakeLoads() {
  std::vector<OnDemandScaler::Load> loads;
  std::map<int64_t, std::pair<int64_t, int64_t>> now;
  for (const Shard* shard : shards_.Open()) {
    const ShardLog::Books books = shard->log().GetBooks();
    const std::pair<int64_t, int64_t> total = {books.bytes_put, static_cast<int64_t>(books.tip)};
    const auto found = scaling_->before.find(shard->index());
    const auto before =
        found == scaling_->before.end() ? std::pair<int64_t, int64_t>() : found->second;
    loads.push_back({.shard = shard->index(),
                     .bytes = total.first - before.first,
                     .records = total.second - before.second});
    now[shard->index()] = total;
  }
  scaling_->before = std::move(now);
  return loads;
}

void StreamCore::Scale(uint64_t generation) {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;  // the broker is gone
  {
    MutexLock lock(&settings_mu_);
    if (generation != scaling_generation_ || !scaling_.has_value() || !CheckOpen().ok()) return;
    const Instant now = env_->runtime.Read();
    const std::vector<OnDemandScaler::Load> loads = TakeLoads();
    const int64_t elapsed_ns = now.uptime_ns - std::exchange(scaling_->looked_ns, now.uptime_ns);
    const OnDemandScaler::Plan plan = scaling_->scaler.Look(loads, elapsed_ns, now.uptime_ns);
    auto open = static_cast<int64_t>(loads.size());
    if (StatusAt(now) == StreamStatus::kActive) {
      for (const int64_t index : plan.split) {
        if (!CheckRoomForShards(++open, /*made=*/2).ok()) break;
        Shard& shard = shards_[static_cast<size_t>(index)];
        shards_.Split(shard, shard.range().Middle() + 1, now);
      }
      for (const auto& [low, high] : plan.merge) {
        if (!CheckRoomForShards(open, /*made=*/1).ok()) break;
        shards_.Merge(shards_[static_cast<size_t>(low)], shards_[static_cast<size_t>(high)], now);
      }
      if (!plan.split.empty() || !plan.merge.empty()) BeginUpdate(now);
    }
    SetScalingTimer(now);
  }
  WakeReadersOfClosedShards();
}

}  // namespace banyan::inline v0_1::internal
