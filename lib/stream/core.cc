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

constexpr int64_t kNsPerMs = 1'000'000;

// As AWS writes the times of an expired iterator.
std::string DateText(int64_t unix_ns) {
  return absl::FormatTime("%a %b %d %H:%M:%S UTC %Y", absl::FromUnixNanos(unix_ns),
                          absl::UTCTimeZone());
}

// The journal's name for a record: it says shard and position, so a replay can put it back.
Id RecordId(size_t shard, uint64_t position) { return {shard, position}; }

}  // namespace

std::shared_ptr<StreamCore> StreamCore::Create(std::shared_ptr<Environment> env, std::string name,
                                               StreamOptions options) {
  return std::shared_ptr<StreamCore>(new StreamCore(std::move(env), std::move(name), options));
}

StreamCore::StreamCore(std::shared_ptr<Environment> env, std::string name, StreamOptions options)
    : env_(std::move(env)),
      name_(std::move(name)),
      arn_(env_->MakeArn("kinesis", StrCat("stream/", name_))),
      arn_text_(arn_.ToString()),
      options_(options),
      incarnation_(env_->NextIncarnation()),
      map_(options.shards) {
  const int64_t retention_ns = CeilNanoseconds(options_.retention);
  const int64_t second = env_->runtime.Read().unix_ns / 1'000'000'000;
  logs_.reserve(map_.size());
  for (size_t shard = 0; shard < map_.size(); ++shard) {
    ShardLog::OnTrimmed on_trimmed = nullptr;
    if (env_->journal != nullptr) {
      on_trimmed = [this, shard](uint64_t first, uint64_t end) {
        JournalTrimmed(shard, first, end);
      };
    }
    const ShardIdentity identity = {.index = static_cast<uint32_t>(shard),
                                    .created_second = std::max<int64_t>(second, 0),
                                    .event_seed = env_->ids.Next().hi};
    logs_.push_back(std::make_unique<ShardLog>(identity, options_.shard_bytes_max, retention_ns,
                                               std::move(on_trimmed)));
  }
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

// --- Putting -------------------------------------------------------------------------------------

absl::StatusOr<PutResult> StreamCore::Put(const PutRequest& request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  BANYAN_ASSIGN_OR_RETURN(const auto hash,
                          ValidatePut(request, options_, env_->limits, std::nullopt));
  return ShowAndStore(request, hash, ReadClock());
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
  std::vector<std::optional<absl::uint128>> hashes;
  hashes.reserve(requests.size());
  int64_t bytes = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    BANYAN_ASSIGN_OR_RETURN(auto hash, ValidatePut(requests[i], options_, env_->limits, i));
    hashes.push_back(hash);
    bytes += static_cast<int64_t>(requests[i].partition_key.size() + requests[i].data.size());
  }
  if (bytes > limits.batch_bytes_max) {
    return Error(AwsError::kStreamInvalidArgument, "Records size exceeds ",
                 limits.batch_bytes_max >> 20, " MB limit: the call has ", bytes, " bytes, ",
                 limits.batch_bytes_max, " are allowed.");
  }

  const Instant now = ReadClock();
  std::vector<absl::StatusOr<PutResult>> results;
  results.reserve(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    results.push_back(ShowAndStore(requests[i], hashes[i], now));
  }
  return results;
}

absl::StatusOr<PutResult> StreamCore::Deliver(const PutRequest& request, const Id& event_id) {
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  BANYAN_ASSIGN_OR_RETURN(const auto hash,
                          ValidatePut(request, options_, env_->limits, std::nullopt));
  const Instant now = ReadClock();
  absl::StatusOr<PutResult> result = Store(request, hash, event_id, now);
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
  return ValidatePut(request, options_, env_->limits, std::nullopt).status();
}

absl::StatusOr<PutResult> StreamCore::ShowAndStore(const PutRequest& request,
                                                   const std::optional<absl::uint128>& hash,
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
    const size_t shard = map_.Find(hash.has_value() ? *hash : HashKey(request.partition_key));
    return PutResult{.shard_id = {static_cast<int64_t>(shard)}, .sequence = {}};
  }
  return Store(request, hash, shown.event_id, now);
}

absl::StatusOr<PutResult> StreamCore::Store(const PutRequest& request,
                                            const std::optional<absl::uint128>& hash,
                                            std::optional<Id> event_id, Instant now) {
  const size_t shard = map_.Find(hash.has_value() ? *hash : HashKey(request.partition_key));
  ShardLog& log = *logs_[shard];
  const ShardLog::NewRecord record = {.partition_key = request.partition_key,
                                      .trace_header = request.trace_header,
                                      .data = request.data,
                                      .event_id = event_id};
  uint64_t position = 0;
  const ShardLog::AppendOutcome outcome = env_->journal == nullptr
                                              ? log.Append(record, now, &position)
                                              : AppendJournalled(log, record, now, &position);
  const ShardId shard_id = {static_cast<int64_t>(shard)};
  switch (outcome) {
    case ShardLog::AppendOutcome::kStored:
      return PutResult{.shard_id = shard_id,
                       .sequence = log.identity().Sequence(position, now.unix_ns)};
    case ShardLog::AppendOutcome::kFull:
      rejected_.fetch_add(1, std::memory_order_relaxed);
      return Error(AwsError::kStreamThroughputExceeded, "Rate exceeded for shard ",
                   shard_id.ToString(), " in stream ", name_, " under account ", env_->account,
                   ".");
    case ShardLog::AppendOutcome::kClosed:
      break;
  }
  const absl::Status closed = CheckOpen();  // the log closes after the state has changed
  return closed.ok() ? NotFound() : closed;
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

void StreamCore::Trim(ShardLog& log, Instant now) {
  if (env_->journal == nullptr) {
    log.Trim(now.uptime_ns);
  } else {
    MutexLock lock(&journal_mu_);
    log.Trim(now.uptime_ns);
  }
}

// --- Reading -------------------------------------------------------------------------------------

absl::StatusOr<std::vector<ShardInfo>> StreamCore::ListShards() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  std::vector<ShardInfo> shards;
  shards.reserve(logs_.size());
  for (size_t i = 0; i < logs_.size(); ++i) {
    shards.push_back({.id = {static_cast<int64_t>(i)},
                      .starting_hash_key = HashKeyText(map_.start(i)),
                      .ending_hash_key = HashKeyText(map_.end(i)),
                      .starting_sequence = logs_[i]->identity().StartingSequence()});
  }
  return shards;
}

absl::StatusOr<ShardIterator> StreamCore::GetShardIterator(std::string_view shard_id,
                                                           const StartAt& start) {
  const std::optional<ShardId> shard = ShardId::Parse(shard_id);
  if (shard.has_value()) return GetShardIterator(*shard, start);
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  return Error(AwsError::kStreamResourceNotFound, "Could not find shard ", shard_id, " in stream ",
               name_, " under account ", env_->account, ".");
}

absl::StatusOr<ShardIterator> StreamCore::GetShardIterator(ShardId shard, const StartAt& start) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  if (shard.index < 0 || static_cast<size_t>(shard.index) >= logs_.size()) {
    return Error(AwsError::kStreamResourceNotFound, "Shard ", shard.ToString(), " in stream ",
                 name_, " under account ", env_->account, " does not exist");
  }
  const Instant now = env_->runtime.Read();
  ShardLog& log = *logs_[static_cast<size_t>(shard.index)];
  Trim(log, now);
  BANYAN_ASSIGN_OR_RETURN(const uint64_t position, PositionOf(log, start, now));
  return IssueIterator(static_cast<uint64_t>(shard.index), position, now);
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
  // What a wrong number came from is told by its creation time first: shards of another stream may
  // have the same index.
  if (sequence.shard_created_second == identity.created_second &&
      sequence.shard_index != identity.index) {
    return Error(AwsError::kStreamInvalidArgument, "Invalid StartingSequenceNumber. It encodes ",
                 ShardId{sequence.shard_index}.ToString(),
                 ", while it was used in a call to a shard with ", here);
  }
  if (sequence.shard_created_second != identity.created_second ||
      sequence.number > log.GetBooks().tip) {
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
  if (iterator.stream_ != incarnation_ || iterator.shard_ >= logs_.size()) {  // S2
    return Error(AwsError::kStreamInvalidArgument,
                 "Invalid ShardIterator. It was not issued by the stream ", name_,
                 " under account ", env_->account, " as it is now.");
  }
  const Instant now = env_->runtime.Read();
  if (now.uptime_ns - iterator.issued_uptime_ns_ > CeilNanoseconds(limits.iterator_life)) {
    return Error(
        AwsError::kStreamExpiredIterator, "Iterator expired. The iterator was created at time ",
        DateText(iterator.issued_unix_ns_), " while right now it is ", DateText(now.unix_ns),
        " which is further in the future than the tolerated delay of ",
        absl::ToInt64Milliseconds(limits.iterator_life), " milliseconds.");
  }

  auto state = std::make_shared<BatchState>();
  const ShardLog::ReadEnd end = logs_[iterator.shard_]->Read(
      iterator.position_, {limit, limits.get_bytes_max}, now.uptime_ns, state.get());
  RecordBatch batch;
  batch.next_ = IssueIterator(iterator.shard_, end.position, now);
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
  return batch;
}

// --- Books and end -------------------------------------------------------------------------------

StreamStats StreamCore::Stats() {
  StreamStats stats;
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass || !CheckOpen().ok()) return stats;
  const Instant now = env_->runtime.Read();
  for (const std::unique_ptr<ShardLog>& log : logs_) {
    Trim(*log, now);
    const ShardLog::Books books = log->GetBooks();
    stats.accepted += static_cast<int64_t>(books.tip);
    stats.expired += static_cast<int64_t>(books.horizon) - books.trimmed_early;
    stats.trimmed_early += books.trimmed_early;
    stats.resting += static_cast<int64_t>(books.tip - books.horizon);
    stats.bytes_held += books.bytes_held;
    stats.bytes_pinned += books.bytes_pinned;
  }
  stats.rejected = rejected_.load(std::memory_order_relaxed);
  return stats;
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
  for (const std::unique_ptr<ShardLog>& log : logs_) {
    const ShardLog::Books books = log->GetBooks();
    resting += static_cast<int64_t>(books.tip - books.horizon);
    log->Close();
  }
  return resting;
}

int64_t StreamCore::bytes_held() const {
  int64_t bytes = 0;
  for (const std::unique_ptr<ShardLog>& log : logs_) bytes += log->GetBooks().bytes_held;
  return bytes;
}

void StreamCore::CheckInvariants() const {
  for (const std::unique_ptr<ShardLog>& log : logs_) log->CheckInvariants();
}

}  // namespace banyan::inline v0_1::internal
