// SPDX-License-Identifier: Apache-2.0
#include "consume/shard_run.h"

#include <algorithm>
#include <utility>

#include "base/exceptions.h"
#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/back_off.h"
#include "message/errors.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

// After a read that the stream's limits refused. KCL waits as long between any two reads.
constexpr absl::Duration kWorkerPause = absl::Seconds(1);

ShardId IdOf(std::string_view key) { return ShardId::Parse(key).value_or(ShardId()); }

ShardLease Shown(const Lease& lease) {
  ShardLease shown = {.shard = IdOf(lease.key),
                      .starting_hash_key = lease.starting_hash_key,
                      .ending_hash_key = lease.ending_hash_key,
                      .checkpoint = SequenceNumber::Parse(lease.checkpoint),
                      .sub_sequence = lease.sub_sequence,
                      .owner_switches = lease.owner_switches};
  for (const std::string& parent : lease.parents) shown.parents.push_back(IdOf(parent));
  return shown;
}

StartAt PositionOf(const ShardLease& lease) {
  if (!lease.checkpoint.has_value()) return StartAt::TrimHorizon();
  return lease.sub_sequence.has_value() ? StartAt::AtSequence(*lease.checkpoint)
                                        : StartAt::AfterSequence(*lease.checkpoint);
}

// first, 2 * first, 4 * first, ... up to max; for attempts 1, 2, 3, ...
}  // namespace

std::string ShardRun::Place::ToString() const {
  return sub.has_value() ? StrCat(number, "/", *sub) : StrCat(number);
}

ShardRun::Place ShardRun::PlaceOf(const Lease& lease) {
  const std::optional<SequenceNumber> sequence = SequenceNumber::Parse(lease.checkpoint);
  if (!sequence.has_value()) return {};
  return {sequence->number, lease.sub_sequence};
}

ShardRun::ShardRun(std::shared_ptr<const Setup> setup, const Lease& lease, OnEnd on_end)
    : setup_(std::move(setup)),
      shard_(IdOf(lease.key)),
      key_(lease.key),
      lease_(Shown(lease)),
      range_(HashKeyRange::Of(lease_.starting_hash_key, lease_.ending_hash_key)
                 .value_or(HashKeyRange())),
      on_end_(std::move(on_end)),
      checkpointer_(*this),
      position_(PositionOf(lease_)),
      given_(PlaceOf(lease)),
      progress_({.shard = shard_}) {}

void ShardRun::Begin() { Post(); }

// --- Steps ---------------------------------------------------------------------------------------

Task ShardRun::StepTask(uint64_t round) {
  return [weak = weak_from_this(), round] {
    if (const std::shared_ptr<ShardRun> self = weak.lock()) self->Step(round);
  };
}

void ShardRun::Post() {
  MutexLock lock(&mu_);
  setup_->env->runtime.Post(StepTask(round_));
}

void ShardRun::StepAt(absl::Duration uptime, uint64_t round) {
  MutexLock lock(&mu_);
  if (round == round_) timer_ = setup_->env->runtime.PostAt(uptime, StepTask(round));
}

void ShardRun::CancelWake(uint64_t wake) {
  if (wake != 0) setup_->stream.core()->CancelWake(static_cast<size_t>(shard_.index), wake);
}

void ShardRun::Step(uint64_t round) {
  Environment& env = *setup_->env;
  const Gate::Pass pass = env.tasks.Enter();  // U6
  if (!pass) return;                          // the broker is gone; the worker will say so
  const Gate::Guest guest(env.gate);
  {
    MutexLock lock(&mu_);
    if (state_ != State::kResting || round != round_) return;  // U1
    state_ = State::kStepping;
    thread_ = ThisThread();
    ++round_;
    wake_ = 0;
    if (env.gate.Look() != Gate::Answer::kOpen) ending_ = Ending::kStreamGone;
  }
  Rest(IsAskedToEnd() ? Next::kEnd : Work());
}

bool ShardRun::IsAskedToEnd() const {
  MutexLock lock(&mu_);
  return ending_ != Ending::kNone;
}

// What a step leaves behind.
void ShardRun::Rest(Next next) {
  Environment& env = *setup_->env;
  // Read now: once this step is over, the next may begin on another thread.
  const std::optional<ShardIterator> iterator = iterator_;
  const absl::Duration back_off = BackOff(setup_->options.retry, attempts_);
  uint64_t round;
  {
    MutexLock lock(&mu_);
    if (next == Next::kEnd || ending_ != Ending::kNone) {
      next = Next::kEnd;
    } else {
      state_ = State::kResting;
      thread_ = nullptr;
    }
    round = round_;
  }
  switch (next) {
    case Next::kEnd:
      return Finish();
    case Next::kAgain:
      return env.runtime.Post(StepTask(round));  // not a loop: other tasks have their turn
    case Next::kPause:
      return StepAt(env.runtime.Uptime() + kWorkerPause, round);
    case Next::kRetry:
      return StepAt(env.runtime.Uptime() + back_off, round);
    case Next::kWait:
      break;
  }
  const uint64_t wake = setup_->stream.core()->WakeAt(*iterator, StepTask(round));
  {
    MutexLock lock(&mu_);
    if (round == round_) {
      wake_ = wake;
      return;
    }
  }
  CancelWake(wake);  // End() was quicker, or it has come already
}

void ShardRun::End(Ending why, bool at_once) {
  // The leases of a deleted stream were removed with it: no other worker has them.
  const bool is_removed = why == Ending::kLost &&
                          setup_->stream.Options().status().code() == absl::StatusCode::kNotFound;
  if (is_removed) why = Ending::kStreamGone;
  uint64_t round;
  TimerId timer;
  uint64_t wake;
  {
    MutexLock lock(&mu_);
    if (state_ == State::kEnded || ending_ > why || (ending_ == why && !at_once)) return;
    ending_ = why;
    if (state_ != State::kResting) return;  // the step that runs sees it
    round = ++round_;
    timer = std::exchange(timer_, TimerId::kNone);
    wake = std::exchange(wake_, 0);
  }
  if (timer != TimerId::kNone) setup_->env->runtime.Cancel(timer);
  CancelWake(wake);
  if (at_once) {
    Step(round);
  } else {
    Post();
  }
}

void ShardRun::Abandon() {
  uint64_t wake;
  {
    MutexLock lock(&mu_);
    ending_ = Ending::kAbandoned;
    if (state_ != State::kResting) return;
    state_ = State::kEnded;
    ++round_;
    wake = std::exchange(wake_, 0);
  }
  CancelWake(wake);
}

// The last of its steps.
void ShardRun::Finish() {
  Ending why;
  {
    MutexLock lock(&mu_);
    why = ending_;
  }
  const bool gives_up = why == Ending::kStop || why == Ending::kDone;
  absl::Status said;
  if (processor_ != nullptr && why == Ending::kStop) {
    said = CallProcessor([this] {
      processor_->Stopping(checkpointer_);
      return absl::OkStatus();
    });
  } else if (processor_ != nullptr && why == Ending::kLost) {
    said = CallProcessor([this] {
      processor_->LeaseLost();
      return absl::OkStatus();
    });
  }
  if (!said.ok()) Failed("threw at its end", said);
  if (gives_up) {
    setup_->table
        ->Change(key_, setup_->owner,
                 [](Lease& lease) {
                   if (!lease.wanted_by.empty()) ++lease.owner_switches;
                   lease.owner = std::exchange(lease.wanted_by, {});
                   return absl::OkStatus();
                 })
        .IgnoreError();  // it is another's: that is as well
  }
  processor_.reset();
  records_.clear();
  batch_ = {};
  bool is_heard;
  {
    MutexLock lock(&mu_);
    is_heard = ending_ != Ending::kAbandoned;
    state_ = State::kEnded;
    thread_ = nullptr;
  }
  if (is_heard) on_end_(*this, why);
}

// --- Work ----------------------------------------------------------------------------------------

ShardRun::Next ShardRun::Work() {
  if (processor_ == nullptr && !MakeProcessor()) return Next::kRetry;
  if (batch_.empty() && !children_.has_value()) {
    const Next next = Read();
    if (next != Next::kAgain) return next;
  }
  // Meanwhile the worker may have been stopped, by the factory, say.
  if (IsAskedToEnd()) return Next::kEnd;
  if (!batch_.empty()) {
    if (!Process()) return Next::kRetry;
    if (!children_.has_value()) return Next::kAgain;
    if (IsAskedToEnd()) return Next::kEnd;
  }
  return EndShard() ? Next::kEnd : Next::kRetry;
}

template <typename Call>
absl::Status ShardRun::CallProcessor(Call call) {
  {
    MutexLock lock(&mu_);
    call_began_ns_ = setup_->env->runtime.Read().uptime_ns;
  }
  absl::Status answer = CallHandler<absl::Status>(call);
  MutexLock lock(&mu_);
  call_began_ns_.reset();
  return answer;
}

bool ShardRun::MakeProcessor() {
  const absl::Status made = CallProcessor([this] {
    processor_ = setup_->factory(lease_);
    if (processor_ != nullptr) return absl::OkStatus();
    return absl::UnknownError("there is none");
  });
  if (made.ok()) return true;
  Failed("could not be made", made);
  return false;
}

absl::StatusOr<RecordBatch> ShardRun::ReadOn() {
  if (!iterator_.has_value()) {
    BANYAN_ASSIGN_OR_RETURN(iterator_, setup_->stream.GetShardIterator(shard_, position_));
  }
  return setup_->stream.GetRecords(*iterator_, setup_->options.max_records);
}

// kAgain: there are records, or the shard's end was read.
ShardRun::Next ShardRun::Read() {
  absl::StatusOr<RecordBatch> batch = ReadOn();
  if (batch.status().code() == absl::StatusCode::kOutOfRange) {  // the iterator was too old
    iterator_.reset();
    batch = ReadOn();
  }
  if (!batch.ok()) return ReadRefused(batch.status());
  iterator_ = batch->next();
  if (!iterator_.has_value()) children_ = batch->child_shards();
  if (batch->empty()) {
    MutexLock lock(&mu_);
    behind_since_ns_.reset();
    return children_.has_value() ? Next::kAgain : Next::kWait;
  }
  batch_ = *std::move(batch);
  TakeOut(&records_);
  const SequenceNumber last = batch_[batch_.size() - 1].sequence();
  const Instant now = setup_->env->runtime.Read();
  const int64_t waited_ns = now.unix_ns - absl::ToUnixNanos(batch_[0].arrival_time());
  MutexLock lock(&mu_);
  given_ = {last.number, std::nullopt};
  given_sequence_ = last;
  behind_since_ns_ = now.uptime_ns - std::max<int64_t>(waited_ns, 0);
  return Next::kAgain;
}

// What the processor gets of the batch. A sub-record that the checkpoint names, and those before it,
// were done by whoever had the shard before.
void ShardRun::TakeOut(std::vector<SubRecord>* records) const {
  records->clear();
  if (!setup_->options.deaggregate) {
    for (const Record& record : batch_) records->emplace_back(record);
    return;
  }
  *records = Deaggregate(batch_, range_);
  if (!lease_.sub_sequence.has_value()) return;
  const auto first =
      std::find_if(records->begin(), records->end(), [this](const SubRecord& record) {
        return record.sequence().number > lease_.checkpoint->number ||
               record.sub_sequence() > *lease_.sub_sequence;
      });
  records->erase(records->begin(), first);
}

ShardRun::Next ShardRun::ReadRefused(const absl::Status& refusal) {
  // Beyond the stream's limits. No fault of the processor's, and the iterator stays good.
  if (refusal.code() == absl::StatusCode::kResourceExhausted) return Next::kPause;
  iterator_.reset();
  const bool is_gone =
      refusal.code() == absl::StatusCode::kUnavailable || !setup_->stream.Options().ok();
  if (is_gone) {
    MutexLock lock(&mu_);
    ending_ = std::max(ending_, Ending::kStreamGone);
    return Next::kEnd;
  }
  if (refusal.code() == absl::StatusCode::kNotFound) {
    // Retention has ended the shard before it was read; its children get their leases when the
    // worker looks for missing ones.
    children_.emplace();
    return Next::kAgain;
  }
  Failed("has nothing to read", refusal);
  return Next::kRetry;
}

bool ShardRun::Process() {
  // None if all of it belongs to other shards, or was done before.
  if (!records_.empty()) {
    SequenceNumber before;
    {
      MutexLock lock(&mu_);
      before = std::exchange(here_, given_sequence_);
    }
    const absl::Status answer =
        CallProcessor([this] { return processor_->Process(records_, checkpointer_); });
    if (!answer.ok()) {
      {
        MutexLock lock(&mu_);
        here_ = before;
      }
      Failed("failed", answer);
      return false;
    }
  }
  attempts_ = 0;
  position_ = StartAt::AfterSequence(batch_[batch_.size() - 1].sequence());
  const int64_t now_ns = setup_->env->runtime.Read().uptime_ns;
  const size_t count = records_.size();
  records_.clear();
  const RecordBatch done = std::exchange(batch_, {});  // dies after the lock
  MutexLock lock(&mu_);
  here_ = given_sequence_;
  progress_.records += static_cast<int64_t>(count);
  behind_since_ns_.reset();
  if (done.millis_behind_latest() > 0) {
    behind_since_ns_ = now_ns - done.millis_behind_latest() * kNsPerMs;
  }
  return true;
}

bool ShardRun::EndShard() {
  {
    MutexLock lock(&mu_);
    may_end_shard_ = true;
  }
  absl::Status answer = CallProcessor([this] { return processor_->ShardEnded(checkpointer_); });
  {
    MutexLock lock(&mu_);
    if (is_done_) {
      ending_ = std::max(ending_, Ending::kDone);
      return true;
    }
  }
  if (answer.ok()) answer = absl::UnknownError("the end of the shard was not checkpointed");
  Failed("did not end", answer);
  return false;
}

void ShardRun::Failed(std::string_view what, const absl::Status& error) {
  ++attempts_;
  {
    MutexLock lock(&mu_);
    ++progress_.failures;
  }
  setup_->env->Log(LogSeverity::kWarning, setup_->stream.core()->arn_text(),
                   StrCat(key_, ": the processor of ", setup_->options.application, " ", what, ": ",
                          error.ToString(absl::StatusToStringMode::kWithNoExtraData)));
}

// --- Checkpoints ---------------------------------------------------------------------------------

// `may_be_behind`: if the last checkpoint is further than this, that is as well.
absl::Status ShardRun::Checkpoint(const SequenceNumber& sequence,
                                  std::optional<int64_t> sub_sequence, bool may_be_behind) {
  const Gate::Pass pass = setup_->env->gate.Enter();
  if (!pass) return setup_->env->Refusal();
  if (sub_sequence.has_value() && *sub_sequence < 0) {
    return Error(AwsError::kStreamInvalidArgument, "Sub-sequence number must be >= 0, but it is ",
                 *sub_sequence);
  }
  Place given;
  SequenceNumber given_sequence;
  {
    MutexLock lock(&mu_);
    given = given_;
    given_sequence = given_sequence_;
    if (ending_ > Ending::kStop) {
      return absl::AbortedError("Can't update checkpoint - instance doesn't hold the lease");
    }
  }
  const Place place = {sequence.number, sub_sequence};
  const SequenceNumber& of_shard = given_sequence.number > 0 || !lease_.checkpoint.has_value()
                                       ? given_sequence
                                       : *lease_.checkpoint;
  const bool is_of_shard = sequence.shard_index == of_shard.shard_index &&
                           sequence.shard_created_second == of_shard.shard_created_second;
  const absl::Status changed = setup_->table->Change(key_, setup_->owner, [&](Lease& lease) {
    const Place last = PlaceOf(lease);
    if (may_be_behind && !IsAtEnd(lease) && place < last) return absl::OkStatus();
    if (IsAtEnd(lease) || !is_of_shard || place < last || given < place) {  // U3
      return Error(AwsError::kStreamInvalidArgument,
                   "Could not checkpoint at extended sequence number ", place.ToString(),
                   " as it did not fall into acceptable range between the last checkpoint ",
                   IsAtEnd(lease) ? std::string(kShardEnd) : last.ToString(),
                   " and the greatest extended sequence number passed to this record processor ",
                   given.ToString());
    }
    if (last < place) lease.owner_switches = 0;
    lease.checkpoint = sequence.ToString();
    lease.sub_sequence = sub_sequence;
    return absl::OkStatus();
  });
  if (changed.code() == absl::StatusCode::kAborted) End(Ending::kLost);
  return changed;
}

absl::Status ShardRun::CheckpointHere() {
  bool whole_shard;
  SequenceNumber here;
  {
    MutexLock lock(&mu_);
    whole_shard = may_end_shard_;
    here = here_;
    if (ending_ > Ending::kStop) {
      return absl::AbortedError("Can't update checkpoint - instance doesn't hold the lease");
    }
  }
  if (!whole_shard) {
    if (here.number == 0) return absl::OkStatus();
    return Checkpoint(here, std::nullopt, /*may_be_behind=*/true);
  }
  const Gate::Pass pass = setup_->env->gate.Enter();
  if (!pass) return setup_->env->Refusal();
  BANYAN_RETURN_IF_ERROR(setup_->table->AddChildren(*children_));  // U4
  const absl::Status changed = setup_->table->Change(key_, setup_->owner, [this](Lease& lease) {
    lease.checkpoint = kShardEnd;
    lease.sub_sequence.reset();
    lease.owner_switches = 0;
    lease.children.clear();
    for (const ChildShard& child : *children_) lease.children.push_back(child.id.ToString());
    return absl::OkStatus();
  });
  if (changed.code() == absl::StatusCode::kAborted) End(Ending::kLost);
  if (!changed.ok()) return changed;
  MutexLock lock(&mu_);
  is_done_ = true;
  return absl::OkStatus();
}

// --- What others see -----------------------------------------------------------------------------

bool ShardRun::is_called_by(ThreadToken thread) const {
  MutexLock lock(&mu_);
  return thread_ == thread;
}

bool ShardRun::hangs(int64_t now_ns) const {
  MutexLock lock(&mu_);
  return call_began_ns_.has_value() &&
         now_ns - *call_began_ns_ > CeilNanoseconds(setup_->options.call_timeout);
}

ShardProgress ShardRun::Progress(int64_t now_ns) const {
  MutexLock lock(&mu_);
  ShardProgress progress = progress_;
  if (behind_since_ns_.has_value()) {
    progress.millis_behind_latest = std::max<int64_t>(1, (now_ns - *behind_since_ns_) / kNsPerMs);
  }
  return progress;
}

}  // namespace banyan::inline v0_1::internal
