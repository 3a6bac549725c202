// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/stream_range.cc -- floor 3: a part of a stream as a run of positions in each of its
// shards.
//
//   shard 0   trimmed | . . [a a b] . .        closed: it was split into 2 and 3
//   shard 1           | . [b b b b b] .
//   shard 2           | [a a] .                Open() finds the brackets; the tips are of then
//   shard 3           | [b]
//
// G1  The brackets are found once. What is put later lies behind all of them, so a range ends.
// G2  Legs are in the order in which shards were made, so a parent is before its children, and no
//     shard has a younger one as its parent.
// G3  Of a leg, position only grows. What a read finds behind it was trimmed, and is `missed`, up to
//     the leg's end: so records + passed over + missed + left is what Open() found.
#include "banyan/stream_range.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/core.h"
#include "stream/shard_map.h"
#include "stream/validate.h"

namespace banyan::inline v0_1 {

using internal::StreamCore;

namespace {

absl::Status CheckTimes(const StreamRangeOptions& options, absl::Time now) {
  if (!(options.from < options.to)) {
    return internal::Error(AwsError::kStreamInvalidArgument, "Invalid range. Its end, ",
                           internal::ToStd(absl::FormatTime(options.to, absl::UTCTimeZone())),
                           ", must be after its beginning, ",
                           internal::ToStd(absl::FormatTime(options.from, absl::UTCTimeZone())),
                           ".");
  }
  if (options.from <= now) return absl::OkStatus();
  return internal::Error(
      AwsError::kStreamInvalidArgument,
      "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
      "timestampInMillis: ",
      absl::ToUnixMillis(options.from), ", currentTimestampInMillis: ", absl::ToUnixMillis(now));
}

// As arrivals are: what arrived at this very moment did not arrive before it.
absl::Time WholeMilliseconds(absl::Time time) {
  return absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), absl::Milliseconds(1));
}

bool HoldsHash(const ShardInfo& shard, absl::uint128 hash) {
  return internal::HashRange{*internal::ParseHashKey(shard.starting_hash_key),
                             *internal::ParseHashKey(shard.ending_hash_key)}
      .Contains(hash);
}

}  // namespace

absl::StatusOr<StreamRange> StreamRange::Open(const Stream& stream, StreamRangeOptions options) {
  if (stream.core() == nullptr) {
    return internal::Error(AwsError::kStreamResourceNotFound,
                           "The specified stream does not exist.");
  }
  StreamRange range;
  range.stream_ = stream;
  range.options_ = std::move(options);
  range.options_.from = WholeMilliseconds(range.options_.from);
  range.options_.to = WholeMilliseconds(range.options_.to);
  BANYAN_RETURN_IF_ERROR(range.FindLegs());
  return range;
}

absl::Status StreamRange::FindLegs() {
  StreamCore& core = *stream_.core();
  const internal::Gate::Pass pass = core.env()->gate.Enter();
  if (!pass) return core.env()->Refusal();  // the clock may be gone
  const Limits& limits = core.env()->limits;
  BANYAN_RETURN_IF_ERROR(CheckTimes(options_, core.env()->runtime.Now()));
  std::optional<absl::uint128> hash;
  if (options_.partition_key.has_value() || !options_.explicit_hash_key.empty()) {
    const std::string key = options_.partition_key.value_or("");
    BANYAN_ASSIGN_OR_RETURN(
        hash, internal::ValidatePut(
                  {.partition_key = key, .explicit_hash_key = options_.explicit_hash_key},
                  limits.stream.record_bytes_max, limits, std::nullopt));
    if (!hash.has_value()) hash = internal::HashKey(key);
  }
  BANYAN_ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, stream_.ListShards());
  std::set<ShardId> listed;
  for (const ShardInfo& shard : shards) listed.insert(shard.id);
  for (const ShardInfo& shard : shards) {  // G2
    if (hash.has_value() && !HoldsHash(shard, *hash)) continue;
    BANYAN_ASSIGN_OR_RETURN(const StreamCore::Span span,
                            core.FindSpan(shard.id, options_.from, options_.to));
    begins_trimmed_ = begins_trimmed_ || span.may_begin_earlier;
    for (const std::optional<ShardId>& parent : {shard.parent, shard.adjacent_parent}) {
      const bool is_gone = parent.has_value() && !listed.contains(*parent);
      begins_trimmed_ = begins_trimmed_ || (is_gone && span.reaches_past_retention);
    }
    if (span.begin < span.end) legs_.push_back({shard.id, span.begin, span.end});
  }
  return absl::OkStatus();
}

absl::StatusOr<StreamRangeBatch> StreamRange::Next(int64_t limit) {
  StreamRangeBatch batch;
  if (done()) return batch;
  Leg& leg = legs_[current_];
  StreamCore& core = *stream_.core();
  const internal::Gate::Pass pass = core.env()->gate.Enter();
  if (!pass) return core.env()->Refusal();  // the clock may be gone
  const auto left = static_cast<int64_t>(leg.end - leg.position);
  const bool is_in_range = limit <= core.env()->limits.stream.get_records_max;
  BANYAN_ASSIGN_OR_RETURN(batch.read_,
                          core.GetRecords(core.IteratorAt(leg.shard, leg.position),
                                          is_in_range ? std::min(limit, left) : limit));
  const RecordBatch& read = batch.read_;
  // Where there is nothing more to come, and nothing there, the rest was trimmed.
  uint64_t first = read.next().has_value() ? StreamCore::PlaceOf(*read.next()) : leg.end;
  uint64_t next = first;
  if (!read.empty()) {
    first = read[0].sequence().number - 1;
    next = read[read.size() - 1].sequence().number;
  }
  first = std::clamp(first, leg.position, leg.end);
  const uint64_t missed = first - leg.position;  // G3
  Choose(leg, &batch);
  leg.missed += static_cast<int64_t>(missed);
  leg.position = std::clamp(next, leg.position, leg.end);
  records_ += static_cast<int64_t>(batch.size());
  passed_over_ += static_cast<int64_t>(leg.position - first) - static_cast<int64_t>(batch.size());
  if (leg.position == leg.end) ++current_;
  return batch;
}

// After a trim a read may give what lies behind the leg's end.
bool StreamRange::Wants(const Record& record, const Leg& leg) const {
  if (record.sequence().number > leg.end) return false;
  if (options_.partition_key.has_value() && record.partition_key() != *options_.partition_key) {
    return false;
  }
  const absl::Time arrival = record.arrival_time();
  return arrival >= options_.from && arrival < options_.to;
}

void StreamRange::Choose(const Leg& leg, StreamRangeBatch* batch) const {
  const absl::Span<const Record> read = batch->read_.records();
  const auto is_wanted = [this, &leg](const Record& record) { return Wants(record, leg); };
  const auto first_other = std::find_if_not(read.begin(), read.end(), is_wanted);
  if (first_other == read.end()) {
    batch->records_ = read;
    return;
  }
  auto chosen = std::make_shared<std::vector<Record>>(read.begin(), first_other);
  std::copy_if(first_other, read.end(), std::back_inserter(*chosen), is_wanted);
  batch->records_ = *chosen;
  batch->chosen_ = std::move(chosen);
}

StreamRangeProgress StreamRange::Progress() const {
  StreamRangeProgress progress;
  progress.records = records_;
  progress.passed_over = passed_over_;
  progress.begins_trimmed = begins_trimmed_;
  for (const Leg& leg : legs_) {
    progress.shards.push_back({.id = leg.shard,
                               .after = stream_.core()->SequenceBefore(leg.shard, leg.position),
                               .left = static_cast<int64_t>(leg.end - leg.position),
                               .missed = leg.missed});
    progress.left += progress.shards.back().left;
    progress.missed += leg.missed;
  }
  return progress;
}

// --- What of a shard lies in a range of time -----------------------------------------------------

absl::StatusOr<internal::StreamCore::Span> internal::StreamCore::FindSpan(ShardId shard,
                                                                          absl::Time from,
                                                                          absl::Time to) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const Instant now = env_->runtime.Read();
  const absl::Duration retention = absl::Nanoseconds(retention_ns_.load(std::memory_order_relaxed));
  Span span = {.reaches_past_retention = from < now.time() - retention};
  const absl::StatusOr<Shard*> found = FindShard(shard, now);
  if (!found.ok()) {  // it has expired since it was listed
    span.may_begin_earlier = span.reaches_past_retention;
    return span;
  }
  const ShardLog& log = (*found)->log();
  Trim((*found)->log(), now);
  const ShardLog::Books books = log.GetBooks();
  span.begin = log.FindTime(books.horizon, absl::ToUnixNanos(from));
  span.end = to > now.time() ? books.tip : log.FindTime(span.begin, absl::ToUnixNanos(to));
  span.end = std::min(span.end, books.tip);
  span.begin = std::min(span.begin, span.end);
  // What was trimmed lay before the horizon. Retention takes nothing that is younger than itself.
  const bool only_old_went = books.trimmed_early == 0 && !span.reaches_past_retention;
  span.may_begin_earlier = books.horizon > 0 && span.begin <= books.horizon && !only_old_went;
  return span;
}

}  // namespace banyan::inline v0_1
