// SPDX-License-Identifier: Apache-2.0
#include "stream/core.h"

#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

// As AWS writes the times of an expired iterator.
std::string DateText(int64_t unix_ns) {
  return absl::FormatTime("%a %b %d %H:%M:%S UTC %Y", absl::FromUnixNanos(unix_ns),
                          absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<ShardId> StreamCore::IdOf(std::string_view shard_id) const {
  const std::optional<ShardId> shard = ShardId::Parse(shard_id);
  if (shard.has_value()) return *shard;
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  return Error(AwsError::kStreamResourceNotFound, "Could not find shard ", shard_id, " in stream ",
               name_, " under account ", env_->account, ".");
}

absl::StatusOr<ShardIterator> StreamCore::GetShardIterator(std::string_view shard_id,
                                                           const StartAt& start) {
  BANYAN_ASSIGN_OR_RETURN(const ShardId shard, IdOf(shard_id));
  return GetShardIterator(shard, start);
}

absl::StatusOr<ShardIterator> StreamCore::GetShardIterator(ShardId shard, const StartAt& start) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const Instant now = env_->runtime.Read();
  BANYAN_ASSIGN_OR_RETURN(const Shard* found, FindShard(shard, now));
  if (options_.shard_limits != ShardLimits::kOff && !found->meter().MayGetIterator(now.uptime_ns) &&
      options_.shard_limits == ShardLimits::kStrict) {
    return RateExceeded(*found);
  }
  BANYAN_ASSIGN_OR_RETURN(const uint64_t position, Locate(shard, start, now));
  return IssueIterator(static_cast<uint64_t>(shard.index), position, now);
}

absl::StatusOr<uint64_t> StreamCore::Locate(ShardId shard, const StartAt& start,
                                            const Instant& now) {
  BANYAN_ASSIGN_OR_RETURN(const Shard* found, FindShard(shard, now));
  Trim(found->log(), now);
  return PositionOf(found->log(), start, now);
}

absl::StatusOr<uint64_t> StreamCore::PositionOf(ShardLog& log, const StartAt& start, Instant now) {
  switch (start.kind()) {
    case StartAt::Kind::kTrimHorizon:
      return 0;  // slides to the horizon at each read
    case StartAt::Kind::kLatest:
      return log.GetBooks().tip;
    case StartAt::Kind::kAtSequence:
    case StartAt::Kind::kAfterSequence:
      return PositionOfSequence(log, start);
    case StartAt::Kind::kAtTimestamp:
      break;
  }
  if (start.time() > now.time()) {
    const int64_t now_ms = absl::ToUnixMillis(now.time());
    return Error(AwsError::kStreamInvalidArgument,
                 "The timestampInMillis parameter cannot be greater than the "
                 "currentTimestampInMillis. timestampInMillis: ",
                 absl::ToUnixMillis(start.time()), ", currentTimestampInMillis: ", now_ms);
  }
  return log.FindTime(log.GetBooks().horizon, absl::ToUnixNanos(start.time()));
}

absl::StatusOr<uint64_t> StreamCore::PositionOfSequence(const ShardLog& log,
                                                        const StartAt& start) const {
  const SequenceNumber& sequence = start.sequence();
  const ShardIdentity& identity = log.identity();
  const std::string here = ShardId{identity.index}.ToString();
  const auto is_of = [&sequence](const ShardIdentity& shard) {
    return sequence.shard_index == shard.index &&
           sequence.shard_created_second == shard.created_second;
  };
  // Shards of another stream may have the same index, so both must fit one of this.
  if (!is_of(identity) && sequence.shard_index < shards_.size() &&
      is_of(shards_[sequence.shard_index].log().identity())) {
    return Error(AwsError::kStreamInvalidArgument, "Invalid StartingSequenceNumber. It encodes ",
                 ShardId{sequence.shard_index}.ToString(),
                 ", while it was used in a call to a shard with ", here);
  }
  const ShardLog::Books books = log.GetBooks();
  const bool is_ending = books.sealed && sequence.number == kEndingNumber;
  if (is_of(identity) && is_ending) return books.tip;
  if (!is_of(identity) || sequence.number > books.tip) {
    return Error(AwsError::kStreamInvalidArgument, "StartingSequenceNumber ", sequence.ToString(),
                 " used in GetShardIterator on shard ", here, " in stream ", name_,
                 " under account ", env_->account,
                 " is invalid because it did not come from this stream.");
  }
  // Number n is position n - 1, so just after it is position n. The shard's starting number, 0,
  // has no record: at it and after it are the same place.
  if (start.kind() == StartAt::Kind::kAfterSequence || sequence.number == 0) {
    return sequence.number;
  }
  return sequence.number - 1;
}

ShardIterator StreamCore::IssueIterator(uint64_t shard, uint64_t position, Instant now) {
  ShardIterator iterator;
  iterator.stream_ = incarnation_;
  iterator.shard_ = shard;
  iterator.position_ = position;
  iterator.serial_ = iterator_serial_.fetch_add(1, std::memory_order_relaxed) + 1;
  iterator.issued_uptime_ns_ = now.uptime_ns;
  iterator.issued_unix_ns_ = now.unix_ns;
  return iterator;
}

ShardIterator StreamCore::IteratorAt(ShardId shard, uint64_t position) {
  return IssueIterator(static_cast<uint64_t>(shard.index), position, env_->runtime.Read());
}

uint64_t StreamCore::RecordsFrom(ShardId shard, uint64_t position) const {
  const ShardLog::Books books = shards_[static_cast<size_t>(shard.index)].log().GetBooks();
  return books.tip - std::min(books.tip, std::max(books.horizon, position));
}

absl::StatusOr<RecordBatch> StreamCore::GetRecords(const ShardIterator& iterator, int64_t limit) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  const Limits::Stream& limits = env_->limits.stream;
  if (limit < 1) {
    return ConstraintError(StrCat(limit), "limit", "have value greater than or equal to 1");
  }
  if (limit > limits.get_records_max) {
    return ConstraintError(StrCat(limit), "limit",
                           StrCat("have value less than or equal to ", limits.get_records_max));
  }
  if (iterator.stream_ != incarnation_ || iterator.shard_ >= shards_.size()) {  // S2
    return Error(AwsError::kStreamInvalidArgument,
                 "Invalid ShardIterator. It was not issued by the stream ", name_,
                 " under account ", env_->account, " as it is now.");
  }
  const Instant now = env_->runtime.Read();
  // Subtracted so that no forged text makes it overflow.
  if (iterator.issued_uptime_ns_ < now.uptime_ns - CeilNanoseconds(limits.iterator_life)) {
    return Error(
        AwsError::kStreamExpiredIterator, "Iterator expired. The iterator was created at time ",
        DateText(iterator.issued_unix_ns_), " while right now it is ", DateText(now.unix_ns),
        " which is further in the future than the tolerated delay of ",
        absl::ToInt64Milliseconds(limits.iterator_life), " milliseconds.");
  }
  const Shard& shard = shards_[iterator.shard_];
  const bool within_limits =
      options_.shard_limits != ShardLimits::kOff && shard.meter().MayRead(now.uptime_ns);
  if (options_.shard_limits == ShardLimits::kStrict && !within_limits) return RateExceeded(shard);
  BANYAN_ASSIGN_OR_RETURN(Reading reading, ReadAt(iterator.shard_, iterator.position_,
                                                  {limit, limits.get_bytes_max}, now));
  const ShardLog::ReadEnd& end = reading.end;
  if (within_limits) shard.meter().HasRead(end.bytes);
  Shard::Books& books = shard.books();
  books.gets.fetch_add(1, std::memory_order_relaxed);
  books.records.fetch_add(static_cast<int64_t>(reading.batch.size()), std::memory_order_relaxed);
  books.bytes.fetch_add(end.bytes, std::memory_order_relaxed);
  if (!reading.batch.empty()) {
    const int64_t age_ns =
        end.unread_uptime_ns.has_value() ? now.uptime_ns - end.last_uptime_ns : 0;
    books.age_ms.Add(std::max<int64_t>(0, age_ns / kNsPerMs));
  }
  return std::move(reading.batch);
}

// Position n is just after number n. The time makes it advance where nothing is put.
SequenceNumber StreamCore::ContinuationAt(size_t shard, uint64_t position,
                                          const Instant& now) const {
  SequenceNumber continuation = shards_[shard].log().identity().StartingSequence();
  continuation.number = position;
  continuation.second = absl::ToUnixSeconds(now.time());
  return continuation;
}

absl::StatusOr<StreamCore::Reading> StreamCore::ReadAt(size_t index, uint64_t position,
                                                       const ShardLog::ReadLimits& limits,
                                                       const Instant& now) {
  auto state = std::make_shared<BatchState>();
  const Shard& shard = shards_[index];
  const ShardLog::ReadEnd end = shard.log().Read(position, limits, now.uptime_ns, state.get());
  // A stream that closes lets go of its records, oldest first: what was read meanwhile may lack some
  // in front, or look like a shard's end.
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  Reading reading = {.batch = {}, .end = end};
  RecordBatch& batch = reading.batch;
  if (end.ended && shard.ending() != nullptr) {
    batch.child_shards_ = ChildrenOf(shard);
  } else {
    batch.next_ = IssueIterator(index, end.position, now);
  }
  if (end.unread_uptime_ns.has_value()) {
    // Never 0 while something is unread: readers take 0 for "caught up".
    batch.millis_behind_latest_ =
        std::max<int64_t>(1, (now.uptime_ns - *end.unread_uptime_ns) / kNsPerMs);
  }
  if (!state->records.empty()) {
    state->core = shared_from_this();
    batch.records_ = state->records;
    batch.state_ = std::move(state);
  }
  return reading;
}

uint64_t StreamCore::WakeAt(size_t shard, uint64_t position, Task wake) {
  uint64_t number;
  {
    MutexLock lock(&wakers_mu_);
    number = ++wakers_made_;
    wakers_[shard].push_back({number, std::move(wake)});
  }
  if (!shards_[shard].log().Watch(position) || !CheckOpen().ok()) WakeReaders(shard);
  return number;
}

uint64_t StreamCore::WakeAt(const ShardIterator& iterator, Task wake) {
  return WakeAt(iterator.shard_, iterator.position_, std::move(wake));
}

void StreamCore::CancelWake(size_t shard, uint64_t number) {
  Task cancelled;  // dies after the lock
  MutexLock lock(&wakers_mu_);
  const auto found = wakers_.find(shard);
  if (found == wakers_.end()) return;
  std::vector<Waker>& wakers = found->second;
  const auto waker = std::find_if(wakers.begin(), wakers.end(),
                                  [number](const Waker& w) { return w.number == number; });
  if (waker == wakers.end()) return;
  cancelled = std::move(waker->wake);
  wakers.erase(waker);
  if (wakers.empty()) wakers_.erase(found);
}

SequenceNumber StreamCore::SequenceBefore(ShardId shard, uint64_t position) const {
  SequenceNumber before =
      shards_[static_cast<size_t>(shard.index)].log().identity().StartingSequence();
  before.number = position;  // number n is position n - 1
  return before;
}

}  // namespace banyan::inline v0_1::internal
