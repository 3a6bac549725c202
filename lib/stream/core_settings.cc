// SPDX-License-Identifier: Apache-2.0
//
// What can be set of a stream, and what it says of itself.
#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/core.h"
#include "stream/hours_text.h"
#include "stream/tags.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr uint32_t kAllMetrics = (uint32_t{1} << static_cast<int>(ShardLevelMetric::kAll)) - 1;

uint32_t BitsOf(ShardLevelMetric metric) {
  return metric == ShardLevelMetric::kAll ? kAllMetrics : uint32_t{1} << static_cast<int>(metric);
}

std::vector<ShardLevelMetric> ListOf(uint32_t bits) {
  std::vector<ShardLevelMetric> metrics;
  for (int i = 0; i < static_cast<int>(ShardLevelMetric::kAll); ++i) {
    const auto metric = static_cast<ShardLevelMetric>(i);
    if ((bits & BitsOf(metric)) != 0) metrics.push_back(metric);
  }
  return metrics;
}

}  // namespace

// --- State ---------------------------------------------------------------------------------------

StreamStatus StreamCore::StatusAt(const Instant& now) const {
  if (now.uptime_ns >= busy_until_ns_) return StreamStatus::kActive;
  const int64_t transition_ns = CeilNanoseconds(env_->limits.stream.transition_time);
  return busy_until_ns_ == AddClamped(created_.uptime_ns, transition_ns) ? StreamStatus::kCreating
                                                                         : StreamStatus::kUpdating;
}

absl::StatusOr<StreamDescription> StreamCore::Describe() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const Instant now = env_->runtime.Read();
  MutexLock lock(&settings_mu_);
  return StreamDescription{
      .status = StatusAt(now),
      .mode = scaling_.has_value() ? StreamMode::kOnDemand : StreamMode::kProvisioned,
      .open_shards = static_cast<int64_t>(shards_.Open().size()),
      .retention = absl::Nanoseconds(retention_ns_.load(std::memory_order_relaxed)),
      .record_bytes_max = record_bytes_max_.load(std::memory_order_relaxed),
      .created = created_.time(),
      .consumers = consumers_.Count(now),
      .encryption_key_id = encryption_key_id_,
      .enhanced_monitoring = ListOf(monitored_)};
}

absl::Status StreamCore::CheckActive(const Instant& now) const {
  BANYAN_RETURN_IF_ERROR(CheckOpen());  // Close() has the lock, too
  const StreamStatus status = StatusAt(now);
  if (status == StreamStatus::kActive) return absl::OkStatus();
  return Error(AwsError::kStreamResourceInUse, "Stream ", name_, " under account ", env_->account,
               " not ACTIVE, instead in state ",
               status == StreamStatus::kCreating ? "CREATING" : "UPDATING");
}

void StreamCore::BeginUpdate(const Instant& now) {
  // Later than its creation ends, so that StatusAt() tells the two apart: it has been active since.
  busy_until_ns_ = AddClamped(now.uptime_ns, CeilNanoseconds(env_->limits.stream.transition_time));
  // Nobody puts into closed shards any more, and perhaps nobody asks for them.
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].ending() != nullptr) Trim(shards_[i].log(), now);
  }
}

// --- Retention and sizes --------------------------------------------------------------------------

absl::Status StreamCore::SetRetention(absl::Duration retention, bool longer) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  BANYAN_RETURN_IF_ERROR(ValidateRetention(retention, env_->limits));
  const int64_t retention_ns = CeilNanoseconds(retention);
  const int64_t present_ns = retention_ns_.load(std::memory_order_relaxed);
  if (longer ? retention_ns < present_ns : retention_ns > present_ns) {
    return Error(AwsError::kStreamInvalidArgument, "Requested retention period (",
                 HoursText(retention), ") for stream ", name_, " can not be ",
                 longer ? "shorter" : "longer", " than existing retention period (",
                 HoursText(absl::Nanoseconds(present_ns)), "). Use ",
                 longer ? "DecreaseRetentionPeriod" : "IncreaseRetentionPeriod", " API.");
  }
  // What has ended by now shall not come back with a longer life.
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    if (HasExpired(shard, now)) shard.SetExpired();
    Trim(shard.log(), now);
    shard.log().SetRetention(retention_ns);
    Trim(shard.log(), now);
  }
  retention_ns_.store(retention_ns, std::memory_order_relaxed);
  BeginUpdate(now);
  return absl::OkStatus();
}

absl::Status StreamCore::UpdateMaxRecordSize(int64_t record_bytes_max) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  BANYAN_RETURN_IF_ERROR(ValidateRecordBytesMax(record_bytes_max, env_->limits));
  if (options_.shard_bytes_max < ShardLog::LeastBytesMax(record_bytes_max)) {
    return Error(AwsError::kStreamInvalidArgument, "record_bytes_max ", record_bytes_max,
                 " needs a shard_bytes_max of ", ShardLog::LeastBytesMax(record_bytes_max),
                 "; stream ", name_, " was made with ", options_.shard_bytes_max, ".");
  }
  record_bytes_max_.store(record_bytes_max, std::memory_order_relaxed);
  BeginUpdate(now);
  return absl::OkStatus();
}

// --- Kept and shown --------------------------------------------------------------------------------

absl::Status StreamCore::SetTags(const StreamTags& tags) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  BANYAN_RETURN_IF_ERROR(CheckActive(env_->runtime.Read()));
  return AddStreamTags({"stream", name_, env_->account}, tags, env_->limits, &tags_);
}

absl::Status StreamCore::RemoveTags(absl::Span<const std::string> keys) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  BANYAN_RETURN_IF_ERROR(CheckActive(env_->runtime.Read()));
  return RemoveStreamTags({"stream", name_, env_->account}, keys, &tags_);
}

absl::StatusOr<StreamTags> StreamCore::Tags() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  MutexLock lock(&settings_mu_);
  return tags_;
}

absl::Status StreamCore::StartEncryption(std::string_view key_id) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateKeyId(key_id));
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  if (!TakeOneOfDay(env_->limits.stream.encryption_changes_per_day, now, &encryption_starts_ns_)) {
    return TooOften("StartStreamEncryption", env_->limits.stream.encryption_changes_per_day);
  }
  encryption_key_id_ = std::string(key_id);
  BeginUpdate(now);
  return absl::OkStatus();
}

absl::Status StreamCore::StopEncryption() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  if (encryption_key_id_.empty()) return absl::OkStatus();
  if (!TakeOneOfDay(env_->limits.stream.encryption_changes_per_day, now, &encryption_stops_ns_)) {
    return TooOften("StopStreamEncryption", env_->limits.stream.encryption_changes_per_day);
  }
  encryption_key_id_.clear();
  BeginUpdate(now);
  return absl::OkStatus();
}

absl::StatusOr<EnhancedMonitoring> StreamCore::Monitor(absl::Span<const ShardLevelMetric> metrics,
                                                       bool on) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  constexpr size_t kMetricsMax = 7;
  if (metrics.empty() || metrics.size() > kMetricsMax) {
    return ConstraintError(StrCat("[", metrics.size(), " members]"), "shardLevelMetrics",
                           metrics.empty()
                               ? "have length greater than or equal to 1"
                               : StrCat("have length less than or equal to ", kMetricsMax));
  }
  uint32_t named = 0;
  for (const ShardLevelMetric metric : metrics) named |= BitsOf(metric);
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  const uint32_t before = std::exchange(monitored_, on ? monitored_ | named : monitored_ & ~named);
  BeginUpdate(now);
  return EnhancedMonitoring{.current = ListOf(before), .desired = ListOf(monitored_)};
}

// `wanted`: a bit for each ShardLevelMetric.
ShardMetrics StreamCore::MetricsOf(const Shard& shard, uint32_t wanted) const {
  const auto is_wanted = [wanted](ShardLevelMetric metric) {
    return (wanted & BitsOf(metric)) != 0;
  };
  const Shard::Books& books = shard.books();
  ShardMetrics metrics;
  metrics.stream_name = name_;
  metrics.shard_id = ShardId{shard.index()}.ToString();
  if (is_wanted(ShardLevelMetric::kIncomingBytes)) {
    metrics.incoming_bytes = shard.log().GetBooks().bytes_put;
  }
  if (is_wanted(ShardLevelMetric::kIncomingRecords)) {
    metrics.incoming_records = static_cast<int64_t>(shard.log().GetBooks().tip);
  }
  if (is_wanted(ShardLevelMetric::kOutgoingBytes)) {
    metrics.outgoing_bytes = books.bytes.load(std::memory_order_relaxed);
  }
  if (is_wanted(ShardLevelMetric::kOutgoingRecords)) {
    metrics.outgoing_records = books.records.load(std::memory_order_relaxed);
  }
  if (is_wanted(ShardLevelMetric::kWriteProvisionedThroughputExceeded)) {
    metrics.write_provisioned_throughput_exceeded =
        shard.meter().writes_exceeded() + books.rejected.load(std::memory_order_relaxed);
  }
  if (is_wanted(ShardLevelMetric::kReadProvisionedThroughputExceeded)) {
    metrics.read_provisioned_throughput_exceeded = shard.meter().reads_exceeded();
  }
  if (is_wanted(ShardLevelMetric::kIteratorAgeMilliseconds)) {
    metrics.iterator_age_milliseconds = books.age_ms.Read();
  }
  return metrics;
}

}  // namespace banyan::inline v0_1::internal
