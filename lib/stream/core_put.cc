// SPDX-License-Identifier: Apache-2.0
#include "stream/core.h"

#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "message/message.h"
#include "stream/placement.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

// The journal's name for a record: it says shard and position, so a replay can put it back.
Id RecordId(size_t shard, uint64_t position) { return {shard, position}; }

// What counts for AWS's limits.
int64_t BytesOf(const PutRequest& request) {
  return static_cast<int64_t>(request.partition_key.size() + request.data.size());
}

absl::uint128 KeyOf(const PutRequest& request, const std::optional<absl::uint128>& explicit_hash) {
  return explicit_hash.has_value() ? *explicit_hash : HashKeyCached(request.partition_key);
}

}  // namespace

absl::StatusOr<PutResult> StreamCore::Put(const PutRequest& request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const int64_t record_bytes_max = record_bytes_max_.load(std::memory_order_relaxed);
  BANYAN_ASSIGN_OR_RETURN(const auto hash,
                          ValidatePut(request, record_bytes_max, env_->limits, std::nullopt));
  if (request.sequence_number_for_ordering.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckOrdering(*request.sequence_number_for_ordering));
  }
  return ShowAndStore(request, KeyOf(request, hash), ReadClock());
}

absl::StatusOr<std::vector<absl::StatusOr<PutResult>>> StreamCore::PutRecords(
    absl::Span<const PutRequest> requests) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const Limits::Stream& limits = env_->limits.stream;
  if (requests.empty()) {
    return ConstraintError("[]", "records", "have length greater than or equal to 1");
  }
  if (static_cast<int64_t>(requests.size()) > limits.batch_records_max) {
    return ConstraintError(StrCat("[", requests.size(), " records]"), "records",
                           StrCat("have length less than or equal to ", limits.batch_records_max));
  }
  const int64_t record_bytes_max = record_bytes_max_.load(std::memory_order_relaxed);
  std::vector<absl::uint128> hashes(requests.size());
  std::vector<std::string_view> keys;  // without a hash of their own
  std::vector<size_t> places;
  int64_t bytes = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    BANYAN_ASSIGN_OR_RETURN(auto hash, ValidatePut(requests[i], record_bytes_max, env_->limits, i));
    if (hash.has_value()) {
      hashes[i] = *hash;
    } else {
      keys.push_back(requests[i].partition_key);
      places.push_back(i);
    }
    bytes += static_cast<int64_t>(requests[i].partition_key.size() + requests[i].data.size());
  }
  if (bytes > limits.batch_bytes_max) {
    return Error(AwsError::kStreamInvalidArgument, "Records size exceeds ",
                 limits.batch_bytes_max >> 20, " MB limit: the call has ", bytes, " bytes, ",
                 limits.batch_bytes_max, " are allowed.");
  }

  std::vector<absl::uint128> hashed(keys.size());
  HashKeys(keys, absl::MakeSpan(hashed));
  for (size_t i = 0; i < places.size(); ++i) hashes[places[i]] = hashed[i];

  const Instant now = ReadClock();
  std::vector<absl::StatusOr<PutResult>> results;
  results.reserve(requests.size());
  int64_t stored = 0, stored_bytes = 0, throttled = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const absl::StatusOr<PutResult>& result =
        results.emplace_back(ShowAndStore(requests[i], hashes[i], now));
    if (!result.ok()) {
      if (result.status().code() == absl::StatusCode::kResourceExhausted) ++throttled;
    } else if (result->sequence.number > 0) {  // 0: a tap has it
      ++stored;
      stored_bytes += BytesOf(requests[i]);
    }
  }
  puts_.batch_records.fetch_add(static_cast<int64_t>(requests.size()), std::memory_order_relaxed);
  puts_.batch_throttled.fetch_add(throttled, std::memory_order_relaxed);
  if (stored > 0) {
    puts_.batch_calls.fetch_add(1, std::memory_order_relaxed);
    puts_.batch_stored.fetch_add(stored, std::memory_order_relaxed);
    puts_.batch_bytes.fetch_add(stored_bytes, std::memory_order_relaxed);
  }
  return results;
}

absl::StatusOr<PutResult> StreamCore::Deliver(const PutRequest& request, const Id& event_id) {
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const int64_t record_bytes_max = record_bytes_max_.load(std::memory_order_relaxed);
  BANYAN_ASSIGN_OR_RETURN(const auto hash,
                          ValidatePut(request, record_bytes_max, env_->limits, std::nullopt));
  const Instant now = ReadClock();
  absl::StatusOr<PutResult> result = Store(request, KeyOf(request, hash), event_id, now);
  if (env_->story != nullptr && result.ok()) {
    env_->story->Tell(event_id, {.kind = StoryStep::Kind::kArrived,
                                 .at = now,
                                 .resource = arn_text_,
                                 .text = StrCat(result->shard_id.ToString(), ", record ",
                                                result->sequence.number)});
  }
  return result;
}

absl::Status StreamCore::Check(const PutRequest& request) const {
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  return ValidatePut(request, record_bytes_max_.load(std::memory_order_relaxed), env_->limits,
                     std::nullopt)
      .status();
}

absl::StatusOr<PutResult> StreamCore::ShowAndStore(const PutRequest& request, absl::uint128 hash,
                                                   Instant now) {
  if (env_->tap == nullptr) return Store(request, hash, std::nullopt, now);

  static const Attributes& none = *new Attributes();  // never destroyed
  AcceptedMessage shown;
  shown.resource_arn = arn_text_;
  shown.sequence = tap_sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  shown.event_id = env_->ids.Next();
  shown.trace_header = request.trace_header;
  shown.accepted = now;
  shown.body = Payload(request.data);
  shown.attributes = &none;
  shown.key = request.partition_key;
  if (env_->tap->Accepted(shown) == TapVerdict::kTakeOver) {
    const Shard& shard = shards_.Find(hash);
    return PutResult{.shard_id = {shard.index()}, .sequence = {}};
  }
  return Store(request, hash, shown.event_id, now);
}

absl::StatusOr<PutResult> StreamCore::Store(const PutRequest& request, absl::uint128 hash,
                                            std::optional<Id> event_id, Instant now) {
  const ShardLog::NewRecord record = {.partition_key = request.partition_key,
                                      .trace_header = request.trace_header,
                                      .data = request.data,
                                      .event_id = event_id};
  for (;;) {
    const Shard& shard = shards_.Find(hash);
    ShardLog& log = shard.log();
    if (options_.shard_limits != ShardLimits::kOff &&
        !shard.meter().MayWrite(BytesOf(request), now.uptime_ns) &&
        options_.shard_limits == ShardLimits::kStrict) {
      return RateExceeded(shard);
    }
    uint64_t position = 0;
    const ShardLog::AppendOutcome outcome = env_->journal == nullptr
                                                ? log.Append(record, now, &position)
                                                : AppendJournalled(log, record, now, &position);
    switch (outcome) {
      case ShardLog::AppendOutcome::kStored:
        if (log.TakeWatch()) WakeReaders(static_cast<size_t>(shard.index()));
        return PutResult{.shard_id = {shard.index()},
                         .sequence = log.identity().Sequence(position, now.unix_ns)};
      case ShardLog::AppendOutcome::kFull:
        shard.books().rejected.fetch_add(1, std::memory_order_relaxed);
        return RateExceeded(shard);
      case ShardLog::AppendOutcome::kClosed:
        break;
    }
    // The state changes before logs close, and logs are sealed within a reshard.
    BANYAN_RETURN_IF_ERROR(CheckOpen());
    shards_.AwaitReshard();
  }
}

absl::Status StreamCore::RateExceeded(const Shard& shard) const {
  return Error(AwsError::kStreamThroughputExceeded, "Rate exceeded for shard ",
               ShardId{shard.index()}.ToString(), " in stream ", name_, " under account ",
               env_->account, ".");
}

absl::Status StreamCore::CheckOrdering(const SequenceNumber& sequence) const {
  if (sequence.shard_index < shards_.size()) {
    const ShardLog& log = shards_[sequence.shard_index].log();
    if (log.identity().created_second == sequence.shard_created_second &&
        sequence.number <= log.GetBooks().tip) {
      return absl::OkStatus();
    }
  }
  return Error(AwsError::kStreamInvalidArgument, "ExclusiveMinimumSequenceNumber ",
               sequence.ToString(), " used in PutRecord on stream ", name_, " under account ",
               env_->account, " is invalid.");
}

void StreamCore::WakeReaders(size_t shard) {
  std::vector<Waker> wakers;
  {
    MutexLock lock(&wakers_mu_);
    const auto found = wakers_.find(shard);
    if (found == wakers_.end()) return;
    wakers = std::move(found->second);
    wakers_.erase(found);
  }
  for (Waker& waker : wakers) env_->runtime.Post(std::move(waker.wake));
}

ShardLog::AppendOutcome StreamCore::AppendJournalled(ShardLog& log,
                                                     const ShardLog::NewRecord& record, Instant now,
                                                     uint64_t* position) {
  MutexLock lock(&journal_mu_);
  const ShardLog::AppendOutcome outcome = log.Append(record, now, position);
  if (outcome != ShardLog::AppendOutcome::kStored) return outcome;
  const Id id = RecordId(log.identity().index, *position);
  const MessageRef message =
      MakeMessage({.id = id,
                   .event_id = record.event_id.value_or(log.identity().EventId(*position)),
                   .accepted = now,
                   .trace_header = std::string(record.trace_header),
                   .subject = {},
                   .attributes = {{"PartitionKey", AttributeValue(record.partition_key)}},
                   .body = Payload(record.data)});
  env_->journal->Append({.change = Change::kAccepted,
                         .resource = arn_text_,
                         .message_id = id,
                         .message = message.get(),
                         .at = now,
                         .destination = {}});
  return outcome;
}

void StreamCore::JournalTrimmed(size_t shard, uint64_t first, uint64_t end) {
  const Instant now = env_->runtime.Read();
  for (uint64_t position = first; position < end; ++position) {
    env_->journal->Append({.change = Change::kExpired,
                           .resource = arn_text_,
                           .message_id = RecordId(shard, position),
                           .message = nullptr,
                           .at = now,
                           .destination = {}});
  }
}

}  // namespace banyan::inline v0_1::internal
