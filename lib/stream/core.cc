// SPDX-License-Identifier: Apache-2.0
#include "stream/core.h"

#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "message/message.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {
void AddTo(StatisticSet* all, const StatisticSet& some) {
  if (some.count == 0) return;
  all->min = all->count == 0 ? some.min : std::min(all->min, some.min);
  all->max = all->count == 0 ? some.max : std::max(all->max, some.max);
  all->sum += some.sum;
  all->count += some.count;
}

}  // namespace

std::shared_ptr<StreamCore> StreamCore::Create(std::shared_ptr<Environment> env, std::string name,
                                               StreamOptions options) {
  std::shared_ptr<StreamCore> core(new StreamCore(std::move(env), std::move(name), options));
  if (options.mode == StreamMode::kOnDemand) {
    MutexLock lock(&core->settings_mu_);
    core->BeginScaling(core->created_);
  }
  return core;
}

StreamCore::StreamCore(std::shared_ptr<Environment> env, std::string name, StreamOptions options)
    : env_(std::move(env)),
      name_(std::move(name)),
      arn_(env_->MakeArn("kinesis", StrCat("stream/", name_))),
      arn_text_(arn_.ToString()),
      options_(options),
      incarnation_(env_->NextIncarnation()),
      created_(env_->runtime.Read()),
      record_bytes_max_(options.record_bytes_max),
      retention_ns_(CeilNanoseconds(options.retention)),
      shards_(options.mode == StreamMode::kOnDemand ? options.on_demand.shards_min : options.shards,
              created_, env_->limits.stream,
              [this](int64_t index, int64_t second) { return MakeLog(index, second); }),
      busy_until_ns_(
          AddClamped(created_.uptime_ns, CeilNanoseconds(env_->limits.stream.transition_time))) {}

std::unique_ptr<ShardLog> StreamCore::MakeLog(int64_t index, int64_t created_second) {
  ShardLog::OnTrimmed on_trimmed = nullptr;
  if (env_->journal != nullptr) {
    on_trimmed = [this, index](uint64_t first, uint64_t end) {
      JournalTrimmed(static_cast<size_t>(index), first, end);
    };
  }
  const ShardIdentity identity = {.index = static_cast<uint32_t>(index),
                                  .created_second = created_second,
                                  .event_seed = env_->ids.Next().hi};
  return std::make_unique<ShardLog>(identity, options_.shard_bytes_max,
                                    retention_ns_.load(std::memory_order_relaxed),
                                    std::move(on_trimmed), options_.when_full);
}

StreamCore::~StreamCore() = default;

absl::Status StreamCore::NotFound() const {
  return Error(AwsError::kStreamResourceNotFound, "Stream ", name_, " under account ",
               env_->account, " not found.");
}

absl::Status StreamCore::CheckOpen() const {
  switch (state_.load(std::memory_order_acquire)) {
    case State::kOpen:
      return absl::OkStatus();
    case State::kDeleted:
      return NotFound();
    case State::kStopped:
      break;
  }
  return env_->Refusal();
}

// Arrival times have milliseconds, as on AWS: what a reader is told, AT_TIMESTAMP finds again.
Instant StreamCore::ReadClock() {
  Instant now = env_->runtime.Read();
  now.unix_ns -= now.unix_ns % kNsPerMs;
  return now;
}

void StreamCore::Trim(ShardLog& log, Instant now) {
  if (env_->journal == nullptr) {
    log.Trim(now.uptime_ns);
  } else {
    MutexLock lock(&journal_mu_);
    log.Trim(now.uptime_ns);
  }
}

// --- Books and end -------------------------------------------------------------------------------

StreamStats StreamCore::Stats() {
  StreamStats stats;
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass || !CheckOpen().ok()) return stats;
  const Instant now = env_->runtime.Read();
  for (size_t i = 0; i < shards_.size(); ++i) {
    ShardLog& log = shards_[i].log();
    Trim(log, now);
    const ShardLog::Books books = log.GetBooks();
    stats.accepted += static_cast<int64_t>(books.tip);
    stats.expired += static_cast<int64_t>(books.horizon) - books.trimmed_early;
    stats.trimmed_early += books.trimmed_early;
    stats.resting += static_cast<int64_t>(books.tip - books.horizon);
    stats.bytes_held += books.bytes_held;
    stats.bytes_pinned += books.bytes_pinned;
    stats.rejected += shards_[i].books().rejected.load(std::memory_order_relaxed);
  }
  return stats;
}

absl::StatusOr<StreamMetrics> StreamCore::Metrics() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  StreamMetrics metrics;
  metrics.stream_name = name_;
  const auto read = [](const std::atomic<int64_t>& number) {
    return number.load(std::memory_order_relaxed);
  };
  // Before the totals, which may only be higher then.
  metrics.put_records_bytes = read(puts_.batch_bytes);
  metrics.put_records_successful_records = read(puts_.batch_stored);
  const Instant now = env_->runtime.Read();
  const uint32_t monitored = [this] {
    MutexLock lock(&settings_mu_);
    return monitored_;
  }();
  for (size_t i = 0; i < shards_.size(); ++i) {
    const Shard& shard = shards_[i];
    Trim(shard.log(), now);
    const ShardLog::Books books = shard.log().GetBooks();
    metrics.incoming_records += static_cast<int64_t>(books.tip);
    metrics.incoming_bytes += books.bytes_put;
    metrics.write_provisioned_throughput_exceeded +=
        shard.meter().writes_exceeded() + read(shard.books().rejected);
    metrics.read_provisioned_throughput_exceeded += shard.meter().reads_exceeded();
    metrics.records_resting += static_cast<int64_t>(books.tip - books.horizon);
    metrics.bytes_held += books.bytes_held;
    metrics.get_records_success += read(shard.books().gets);
    metrics.get_records_records += read(shard.books().records);
    metrics.get_records_bytes += read(shard.books().bytes);
    AddTo(&metrics.get_records_iterator_age_milliseconds, shard.books().age_ms.Read());
    if (shard.ending() == nullptr) ++metrics.open_shards;
    if (monitored != 0 && !HasExpired(shard, now)) {
      metrics.shards.push_back(MetricsOf(shard, monitored));
    }
  }
  metrics.consumers = consumers_.Metrics(now);
  metrics.put_record_success = metrics.incoming_records - metrics.put_records_successful_records;
  metrics.put_record_bytes = metrics.incoming_bytes - metrics.put_records_bytes;
  metrics.put_records_success = read(puts_.batch_calls);
  metrics.put_records_total_records = read(puts_.batch_records);
  metrics.put_records_throttled_records = read(puts_.batch_throttled);
  metrics.put_records_failed_records = std::max<int64_t>(
      0, metrics.put_records_total_records - metrics.put_records_successful_records -
             metrics.put_records_throttled_records);
  return metrics;
}

absl::StatusOr<StreamOptions> StreamCore::Options() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  return options_;
}

int64_t StreamCore::Close(CloseKind kind) {
  State open = State::kOpen;
  const State closed = kind == CloseKind::kDeleted ? State::kDeleted : State::kStopped;
  if (!state_.compare_exchange_strong(open, closed, std::memory_order_acq_rel)) return 0;
  int64_t resting = 0;
  {
    // A reshard that is under way would make new ones.
    MutexLock lock(&settings_mu_);
    // A stopped broker's runtime may be gone, and with it the timer.
    if (kind == CloseKind::kDeleted) EndScaling();
    for (size_t i = 0; i < shards_.size(); ++i) {
      ShardLog& log = shards_[i].log();
      const ShardLog::Books books = log.GetBooks();
      resting += static_cast<int64_t>(books.tip - books.horizon);
      log.Close();
    }
  }
  std::map<size_t, std::vector<Waker>> wakers;
  {
    MutexLock wakers_lock(&wakers_mu_);
    wakers.swap(wakers_);
  }
  // The runtime may be gone with the broker; after a deletion the others hear that it is over.
  if (kind == CloseKind::kDeleted) {
    for (auto& [shard, waiting] : wakers) {
      for (Waker& waker : waiting) env_->runtime.Post(std::move(waker.wake));
    }
  }
  consumers_.Close(kind);
  return resting;
}

int64_t StreamCore::bytes_held() const {
  int64_t bytes = 0;
  for (size_t i = 0; i < shards_.size(); ++i) bytes += shards_[i].log().GetBooks().bytes_held;
  return bytes;
}

int64_t StreamCore::WakesWaiting() {
  MutexLock lock(&wakers_mu_);
  size_t count = 0;
  for (const auto& [shard, waiting] : wakers_) count += waiting.size();
  return static_cast<int64_t>(count);
}

void StreamCore::CheckInvariants() const {
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i].log().CheckInvariants();
}

}  // namespace banyan::inline v0_1::internal
