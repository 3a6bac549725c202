// SPDX-License-Identifier: Apache-2.0
//
// The public face: handles and views over the cores.
#include "banyan/stream.h"

#include <utility>

#include "base/status_macros.h"
#include "message/errors.h"
#include "message/message.h"
#include "stream/core.h"
#include "stream/shard_log.h"

namespace banyan::inline v0_1 {

namespace {

absl::Status NamesNoStream() {
  return internal::Error(AwsError::kStreamResourceNotFound, "This handle names no stream.");
}

}  // namespace

Id Record::event_id() const {
  if (header().event_id_bytes() == 0) return shard_->EventId(position_);
  Id id;
  std::memcpy(&id, body(), sizeof(id));
  return id;
}

std::string Record::trace_id() const { return internal::TraceId(trace_header(), event_id()); }

ShardId Record::shard_id() const { return {shard_->index}; }

SequenceNumber Record::sequence() const { return shard_->Sequence(position_, header().unix_ns); }

absl::Time Record::arrival_time() const { return absl::FromUnixNanos(header().unix_ns); }

OwnedRecord Record::Copy() const {
  return {.partition_key = std::string(partition_key()),
          .data = std::string(data()),
          .trace_header = std::string(trace_header()),
          .event_id = event_id(),
          .shard_id = shard_id(),
          .sequence = sequence(),
          .arrival_time = arrival_time()};
}

Stream::Stream(std::shared_ptr<internal::StreamCore> core) : core_(std::move(core)) {}

absl::StatusOr<PutResult> Stream::Put(const PutRequest& request) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Put(request);
}

absl::StatusOr<std::vector<absl::StatusOr<PutResult>>> Stream::PutRecords(
    absl::Span<const PutRequest> requests) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->PutRecords(requests);
}

absl::StatusOr<ShardPage> Stream::ListShardsPage(const ListShardsOptions& options) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->ListShardsPage(options);
}

absl::StatusOr<std::vector<ShardInfo>> Stream::ListShards(const ShardFilter& filter) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->ListShards(filter);
}

absl::Status Stream::SplitShard(ShardId shard, std::string_view new_starting_hash_key) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->SplitShard(shard, new_starting_hash_key);
}

absl::Status Stream::SplitShard(std::string_view shard_id,
                                std::string_view new_starting_hash_key) const {
  if (core_ == nullptr) return NamesNoStream();
  BANYAN_ASSIGN_OR_RETURN(const ShardId shard, core_->IdOf(shard_id));
  return core_->SplitShard(shard, new_starting_hash_key);
}

absl::Status Stream::MergeShards(ShardId shard, ShardId adjacent_shard) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->MergeShards(shard, adjacent_shard);
}

absl::Status Stream::MergeShards(std::string_view shard_id,
                                 std::string_view adjacent_shard_id) const {
  if (core_ == nullptr) return NamesNoStream();
  BANYAN_ASSIGN_OR_RETURN(const ShardId shard, core_->IdOf(shard_id));
  BANYAN_ASSIGN_OR_RETURN(const ShardId adjacent, core_->IdOf(adjacent_shard_id));
  return core_->MergeShards(shard, adjacent);
}

absl::Status Stream::UpdateShardCount(int64_t target_shard_count) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->UpdateShardCount(target_shard_count);
}

absl::Status Stream::UpdateStreamMode(StreamMode mode) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->UpdateStreamMode(mode);
}

absl::StatusOr<StreamMetrics> Stream::Metrics() const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Metrics();
}

absl::Status Stream::IncreaseRetention(absl::Duration retention) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->SetRetention(retention, /*longer=*/true);
}

absl::Status Stream::DecreaseRetention(absl::Duration retention) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->SetRetention(retention, /*longer=*/false);
}

absl::Status Stream::UpdateMaxRecordSize(int64_t record_bytes_max) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->UpdateMaxRecordSize(record_bytes_max);
}

absl::Status Stream::TrimBefore(const SequenceNumber& sequence) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->TrimBefore(sequence);
}

absl::Status Stream::SetTags(const StreamTags& tags) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->SetTags(tags);
}

absl::Status Stream::RemoveTags(absl::Span<const std::string> keys) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->RemoveTags(keys);
}

absl::StatusOr<StreamTags> Stream::Tags() const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Tags();
}

absl::Status Stream::StartEncryption(std::string_view key_id) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->StartEncryption(key_id);
}

absl::Status Stream::StopEncryption() const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->StopEncryption();
}

absl::StatusOr<EnhancedMonitoring> Stream::EnableEnhancedMonitoring(
    absl::Span<const ShardLevelMetric> metrics) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Monitor(metrics, /*on=*/true);
}

absl::StatusOr<EnhancedMonitoring> Stream::DisableEnhancedMonitoring(
    absl::Span<const ShardLevelMetric> metrics) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Monitor(metrics, /*on=*/false);
}

absl::StatusOr<StreamDescription> Stream::Describe() const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Describe();
}

absl::StatusOr<ShardIterator> Stream::GetShardIterator(ShardId shard, const StartAt& start) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->GetShardIterator(shard, start);
}

absl::StatusOr<ShardIterator> Stream::GetShardIterator(std::string_view shard_id,
                                                       const StartAt& start) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->GetShardIterator(shard_id, start);
}

absl::StatusOr<RecordBatch> Stream::GetRecords(const ShardIterator& iterator, int64_t limit) const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->GetRecords(iterator, limit);
}

StreamStats Stream::Stats() const { return core_ == nullptr ? StreamStats() : core_->Stats(); }

absl::StatusOr<StreamOptions> Stream::Options() const {
  if (core_ == nullptr) return NamesNoStream();
  return core_->Options();
}

const Arn& Stream::arn() const {
  static const Arn& none = *new Arn();  // never destroyed
  return core_ == nullptr ? none : core_->arn();
}

std::string_view Stream::name() const {
  return core_ == nullptr ? std::string_view() : core_->name();
}

}  // namespace banyan::inline v0_1
