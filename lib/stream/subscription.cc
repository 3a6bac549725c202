// SPDX-License-Identifier: Apache-2.0
#include "stream/subscription.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/exceptions.h"
#include "base/strings.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {
constexpr int64_t kNsPerSecond = 1'000'000'000;
// What may be pushed at once after a pause; and how much of it must be there to go on, so that a
// subscription at its rate gets few large events and not many small ones.
constexpr int64_t kBurstNs = kNsPerSecond;
constexpr int64_t kLeastNs = kBurstNs / 4;

std::string TextOf(const absl::Status& error) {
  return error.ToString(absl::StatusToStringMode::kWithNoExtraData);
}
}  // namespace

ShardSubscriptionCore::ShardSubscriptionCore(std::shared_ptr<StreamCore> stream,
                                             std::shared_ptr<const RegisteredConsumer> consumer,
                                             const Start& start, ShardEventHandler handler,
                                             SubscriptionEndHandler on_end)
    : stream_(std::move(stream)),
      consumer_(std::move(consumer)),
      env_(stream_->env()),
      shard_(start.shard),
      expires_ns_(
          AddClamped(start.now.uptime_ns, CeilNanoseconds(env_->limits.stream.subscription_life))),
      bytes_per_second_(stream_->options().shard_limits == ShardLimits::kStrict
                            ? env_->limits.stream.push_bytes_per_second
                            : 0),
      handler_(std::move(handler)),
      position_(start.position),
      event_due_ns_(
          AddClamped(start.now.uptime_ns, CeilNanoseconds(env_->limits.stream.push_every))),
      on_end_(std::move(on_end)),
      continuation_(start.continuation) {}

// --- Pushing -------------------------------------------------------------------------------------

void ShardSubscriptionCore::PostPump() {
  env_->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<ShardSubscriptionCore> self = weak.lock()) self->Pump();
  });
}

void ShardSubscriptionCore::Pump() {
  const Gate::Pass pass = env_->tasks.Enter();  // U5
  if (!pass) return End(Reason::kBrokerStopped, env_->Refusal(), RuntimeIs::kUnknown);
  const Gate::Guest guest(env_->gate);
  {
    MutexLock lock(&mu_);
    if (ended_.has_value()) return;
    if (busy_) {
      again_ = true;
      return;
    }
    busy_ = true;
    thread_ = ThisThread();
  }
  Look();
  bool ended;
  bool again;
  {
    MutexLock lock(&mu_);
    busy_ = false;
    again = std::exchange(again_, false);
    ended = ended_.has_value();
    cancellers_.WakeAll();
  }
  if (ended) {
    Bury(RuntimeIs::kThere);
  } else if (again) {
    PostPump();
  }
}

void ShardSubscriptionCore::Look() {
  // Asked of the gate itself: calls on the thread of a handler are let in to the end.
  if (env_->gate.Look() != Gate::Answer::kOpen) {
    return End(Reason::kBrokerStopped, env_->Refusal());
  }
  const Instant now = env_->runtime.Read();
  if (now.uptime_ns >= expires_ns_) return End(Reason::kExpired, absl::OkStatus());

  const ShardLog::ReadLimits limits = Allowance(now.uptime_ns);
  absl::StatusOr<StreamCore::Reading> read = stream_->ReadAt(shard_, position_, limits, now);
  if (!read.ok()) {
    const bool is_deleted = read.status().code() == absl::StatusCode::kNotFound;
    return End(is_deleted ? Reason::kStreamDeleted : Reason::kBrokerStopped, read.status());
  }
  StreamCore::Reading& reading = *read;
  const RecordBatch& batch = reading.batch;
  const bool at_end = !batch.next().has_value();
  const bool more = batch.millis_behind_latest() > 0;
  if (batch.empty() && !at_end && now.uptime_ns < event_due_ns_) {
    return Rest(reading.end.position, more, now.uptime_ns);
  }

  SequenceNumber continuation = stream_->ContinuationAt(shard_, reading.end.position, now);
  {
    // It never goes back, though the wall clock may.
    MutexLock lock(&mu_);
    continuation.second = std::max(continuation.second, continuation_.second);
  }
  if (!batch.empty()) {
    continuation.second = std::max(continuation.second, batch[batch.size() - 1].sequence().second);
  }
  const auto records = static_cast<int64_t>(batch.size());
  const int64_t millis_behind_latest = batch.millis_behind_latest();
  ShardEvent event = {.batch = std::move(reading.batch), .continuation = {}};
  if (!at_end) event.continuation = continuation;
  absl::Status handled = CallHandler<absl::Status>(handler_, std::as_const(event));
  if (!handled.ok()) {
    env_->Log(LogSeverity::kWarning, stream_->arn_text(),
              StrCat("a subscription to ", ShardId{static_cast<int64_t>(shard_)}.ToString(),
                     " ended, because its handler failed: ", TextOf(handled)));
    return End(Reason::kHandlerFailed, std::move(handled));
  }
  position_ = reading.end.position;  // U2
  consumer_->books.CountEvent(records, reading.end.bytes, millis_behind_latest);
  {
    MutexLock lock(&mu_);
    continuation_ = continuation;
  }
  if (at_end) return End(Reason::kShardEnded, absl::OkStatus());
  Spend(reading.end.bytes, now.uptime_ns);
  const int64_t done_ns = env_->runtime.Read().uptime_ns;
  event_due_ns_ = AddClamped(done_ns, CeilNanoseconds(env_->limits.stream.push_every));
  Rest(position_, more, done_ns);
}

// Until there is something to push at `position`. `unread`: there is already, if the pace allows.
void ShardSubscriptionCore::Rest(uint64_t position, bool unread, int64_t now_ns) {
  const bool allowed = Allowance(now_ns).records_max > 0;
  int64_t until_ns = std::min(event_due_ns_, expires_ns_);
  if (!allowed) until_ns = std::min(until_ns, paid_until_ns_ - kBurstNs + kLeastNs);
  bool listed;
  {
    MutexLock lock(&mu_);
    if (ended_.has_value()) return;
    SetTimer(until_ns);
    if (unread || !allowed) {
      again_ = again_ || (unread && allowed);  // not a loop: other tasks have their turn
      return;
    }
    listed = std::exchange(listed_, true);
  }
  stream_->consumers().WaitFor(shard_, position, shared_from_this(), listed);
}

void ShardSubscriptionCore::Unlist() {
  MutexLock lock(&mu_);
  listed_ = false;
}

// What is there may be pushed now: nothing, or at least a fair part of a burst.
ShardLog::ReadLimits ShardSubscriptionCore::Allowance(int64_t now_ns) const {
  const Limits::Stream& limits = env_->limits.stream;
  if (bytes_per_second_ <= 0) return {limits.get_records_max, limits.get_bytes_max};
  const int64_t free_ns = kBurstNs - std::max<int64_t>(paid_until_ns_ - now_ns, 0);
  if (free_ns < kLeastNs) return {0, 0};
  const double bytes =
      static_cast<double>(bytes_per_second_) * static_cast<double>(free_ns) / kNsPerSecond;
  return {limits.get_records_max,
          std::min(limits.get_bytes_max, static_cast<int64_t>(std::min(bytes, 1e18)))};
}

void ShardSubscriptionCore::Spend(int64_t bytes, int64_t now_ns) {
  if (bytes_per_second_ <= 0) return;
  const double cost_ns =
      static_cast<double>(bytes) * kNsPerSecond / static_cast<double>(bytes_per_second_);
  paid_until_ns_ =
      AddClamped(std::max(paid_until_ns_, now_ns), static_cast<int64_t>(std::min(cost_ns, 1e18)));
}

// --- Time ----------------------------------------------------------------------------------------

// One timer, which may come too early: an event that is put off need not move it.
void ShardSubscriptionCore::SetTimer(int64_t at_ns) {
  if (timer_at_ns_ <= at_ns) return;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_at_ns_ = at_ns;
  timer_ = env_->runtime.PostAt(FromNanoseconds(at_ns), [weak = weak_from_this(), at_ns] {
    if (const std::shared_ptr<ShardSubscriptionCore> self = weak.lock()) self->OnTimer(at_ns);
  });
}

void ShardSubscriptionCore::OnTimer(int64_t at_ns) {
  {
    MutexLock lock(&mu_);
    if (timer_at_ns_ == at_ns) {
      timer_at_ns_ = kNever;
      timer_ = TimerId::kNone;
    }
  }
  Pump();
}

// --- Ending --------------------------------------------------------------------------------------

void ShardSubscriptionCore::End(Reason reason, absl::Status status, RuntimeIs runtime) {
  {
    MutexLock lock(&mu_);
    if (ended_.has_value()) return;
    ended_ = {.reason = reason, .status = std::move(status), .continuation = {}};
    if (busy_) return;
  }
  Bury(runtime);
}

void ShardSubscriptionCore::Bury(RuntimeIs runtime) {
  stream_->consumers().Forget(shard_, this);
  if (runtime == RuntimeIs::kUnknown) return;
  TimerId timer;
  bool tell;
  {
    MutexLock lock(&mu_);
    timer = std::exchange(timer_, TimerId::kNone);
    tell = on_end_ != nullptr && ended_->reason != Reason::kBrokerStopped;
  }
  if (timer != TimerId::kNone) env_->runtime.Cancel(timer);
  if (!tell) return;
  env_->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<ShardSubscriptionCore> self = weak.lock()) self->TellEnd();
  });
}

void ShardSubscriptionCore::TellEnd() {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;
  const Gate::Guest guest(env_->gate);
  SubscriptionEndHandler on_end;
  SubscriptionEnd ended;
  {
    MutexLock lock(&mu_);
    if (on_end_ == nullptr) return;  // it was cancelled
    on_end = std::exchange(on_end_, nullptr);
    ended = *ended_;
    ended.continuation = continuation_;
    busy_ = true;
    thread_ = ThisThread();
  }
  const absl::Status told = CallHandler<absl::Status>([&] {
    on_end(ended);
    return absl::OkStatus();
  });
  if (!told.ok()) env_->Log(LogSeverity::kWarning, stream_->arn_text(), TextOf(told));
  MutexLock lock(&mu_);
  busy_ = false;
  cancellers_.WakeAll();
}

void ShardSubscriptionCore::Cancel() {
  std::optional<Gate::Pass> beside;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (pass.answer() == Gate::Answer::kForked) return;
    SubscriptionEndHandler untold;  // dies after the lock
    {
      MutexLock lock(&mu_);
      untold = std::exchange(on_end_, nullptr);
    }
    End(Reason::kCancelled, absl::OkStatus(), pass ? RuntimeIs::kThere : RuntimeIs::kUnknown);
    if (env_->gate.ThisThreadIsGuest()) return;
    MutexLock lock(&mu_);
    if (!busy_ || thread_ == ThisThread()) return;
    // What runs needs mu_ to leave the broker's gates, so neither it nor its runtime can go before
    // this pass counts as well.
    beside.emplace(env_->tasks.EnterBeside());
  }
  // Who stops the broker from that handler must not wait for us.
  const Gate::Guest guest(env_->gate);
  const Gate::Parked parked(env_->gate, env_->tasks);
  MutexLock lock(&mu_);
  const auto done = [this] {
    mu_.AssertHeld();
    return !busy_;
  };
  env_->runtime.Await(mu_, cancellers_, done, absl::InfiniteDuration());
}

std::optional<SubscriptionEnd> ShardSubscriptionCore::end() const {
  if (env_->gate.Look() == Gate::Answer::kForked) {
    return SubscriptionEnd{
        .reason = Reason::kBrokerStopped, .status = env_->Refusal(), .continuation = {}};
  }
  MutexLock lock(&mu_);
  std::optional<SubscriptionEnd> ended = ended_;
  if (ended.has_value()) ended->continuation = continuation_;
  return ended;
}

SequenceNumber ShardSubscriptionCore::continuation() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  MutexLock lock(&mu_);
  return continuation_;
}

}  // namespace banyan::inline v0_1::internal
