// SPDX-License-Identifier: Apache-2.0
#include "banyan/stream_replay.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/exceptions.h"
#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/stream_replay_core.h"
#include "consume/back_off.h"
#include "consume/option_checks.h"
#include "message/errors.h"
#include "route/archive_store.h"
#include "route/event_bus_core.h"
#include "route/topic_core.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kSliceMax = 100;
constexpr double kSlicesPerSecond = 10;  // at a given rate; less even, and fewer tasks, with fewer
constexpr double kRateMax = 1'000'000;
constexpr int64_t kAttemptsMax = 10'000;
constexpr char kBrokerStopped[] = "The broker has stopped.";

constexpr OptionChecks kReplayOption{AwsError::kBusValidation};

absl::Status ValidateReplayOptions(const StreamReplayOptions& options) {
  const double rate = options.records_per_second;
  if (!(rate >= 0 && rate <= kRateMax)) {
    return kReplayOption.Invalid("RecordsPerSecond", rate, "Must be between 0 and 1,000,000.");
  }
  BANYAN_RETURN_IF_ERROR(
      kReplayOption.Between("AttemptsMax", options.attempts_max, 1, kAttemptsMax));
  BANYAN_RETURN_IF_ERROR(kReplayOption.Between("Backoff.Max", options.backoff.max,
                                               absl::ZeroDuration(), absl::Hours(12)));
  BANYAN_RETURN_IF_ERROR(kReplayOption.Between("Backoff.First", options.backoff.first,
                                               absl::ZeroDuration(), options.backoff.max));
  return kReplayOption.Between("DrainWithin", options.drain_within, absl::ZeroDuration(),
                               absl::InfiniteDuration());
}

bool MayPassLater(const absl::Status& refusal) {
  return refusal.code() == absl::StatusCode::kResourceExhausted ||
         refusal.code() == absl::StatusCode::kUnavailable ||
         refusal.code() == absl::StatusCode::kAborted;
}

}  // namespace

absl::StatusOr<std::shared_ptr<StreamReplayCore>> StreamReplayCore::Start(
    const Stream& stream, StreamReplayOptions options, ReplayDestination destination) {
  BANYAN_ASSIGN_OR_RETURN(StreamRange range, StreamRange::Open(stream, options.range));
  const std::shared_ptr<Environment>& env = stream.core()->env();
  const Gate::Pass pass = env->gate.Enter();
  if (!pass) return env->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateReplayOptions(options));
  auto core = std::make_shared<StreamReplayCore>(env, stream, std::move(range), std::move(options),
                                                 std::move(destination));
  MutexLock lock(&core->mu_);
  core->PostSlice(env->runtime.Read().uptime_ns);
  return core;
}

StreamReplayCore::StreamReplayCore(std::shared_ptr<Environment> env, const Stream& stream,
                                   StreamRange range, StreamReplayOptions options,
                                   ReplayDestination destination)
    : env_(std::move(env)),
      stream_arn_text_(stream.arn().ToString()),
      options_(std::move(options)),
      destination_(std::move(destination)),
      range_(std::move(range)) {
  MutexLock lock(&mu_);
  shown_.stream_arn = stream.arn();
  shown_.destination_arn = destination_.arn;
  shown_.start_time = env_->runtime.Now();
  shown_.range = range_.Progress();
}

void StreamReplayCore::PostSlice(int64_t at_ns) {
  env_->runtime.PostAt(FromNanoseconds(at_ns), [weak = weak_from_this()] {
    if (const std::shared_ptr<StreamReplayCore> self = weak.lock()) self->RunSlice();
  });
}

void StreamReplayCore::RunSlice() {
  const Gate::Pass pass = env_->tasks.Enter();
  const Gate::Guest guest(env_->gate);
  RunningCall call;
  {
    MutexLock lock(&mu_);
    if (has_ended()) return;
    if (!pass) return End(ReplayState::kFailed, kBrokerStopped);
    if (shown_.state == ReplayState::kStarting) shown_.state = ReplayState::kRunning;
    calls_.Begin(&call);  // from here on Stop() waits for us
  }
  const std::optional<int64_t> next_ns = Work();
  MutexLock lock(&mu_);
  calls_.End(&call);
  stoppers_.WakeAll();
  if (has_ended()) return;
  if (shown_.state == ReplayState::kCancelling) return End(ReplayState::kCancelled);
  if (env_->gate.Look() != Gate::Answer::kOpen) {  // Y4
    return End(ReplayState::kFailed, kBrokerStopped);
  }
  if (!next_ns.has_value()) return End(ReplayState::kCompleted);
  PostSlice(*next_ns);
}

bool StreamReplayCore::MayGoOn() const {
  MutexLock lock(&mu_);
  return shown_.state == ReplayState::kRunning && env_->gate.Look() == Gate::Answer::kOpen;
}

std::optional<int64_t> StreamReplayCore::Work() {
  const int64_t began_ns = env_->runtime.Read().uptime_ns;
  int64_t decided = 0;
  absl::Duration wait;
  for (; decided < SliceSize() && MayGoOn(); ++next_in_batch_) {
    if (next_in_batch_ == batch_.size()) {
      if (range_.done()) return std::nullopt;
      absl::StatusOr<StreamRangeBatch> batch = range_.Next(SliceSize());
      next_in_batch_ = 0;
      batch_ = batch.ok() ? *std::move(batch) : StreamRangeBatch();
      if (!batch.ok() && !MayPassLater(batch.status())) {
        MutexLock lock(&mu_);
        End(ReplayState::kFailed, std::string(ToStd(batch.status().message())));
        return std::nullopt;
      }
      MutexLock lock(&mu_);
      shown_.in_hand = static_cast<int64_t>(batch_.size());
      shown_.range = range_.Progress();  // with in_hand, so that the books fit at any moment
      if (!batch.ok()) {
        wait = options_.backoff.max;
        break;
      }
      if (batch_.empty()) break;  // another slice, for other tasks have their turn
    }
    const Verdict verdict = Handle(batch_[next_in_batch_]);
    if (verdict == Verdict::kGone) return std::nullopt;
    if (verdict == Verdict::kAgain) {
      wait = BackOff(options_.backoff, attempts_);
      MutexLock lock(&mu_);
      ++shown_.retries;
      break;
    }
    ++decided;
    attempts_ = 0;
  }
  // However the slice came to its end, what it decided has its time.
  const double rate = options_.records_per_second;
  if (rate == 0 && destination_.pending_deliveries() > kReplayPendingMany) {
    wait = std::max(wait, FromNanoseconds(kReplayPauseNs));
  }
  const int64_t next_ns = AddClamped(env_->runtime.Read().uptime_ns, CeilNanoseconds(wait));
  if (rate == 0) return next_ns;
  const absl::Duration its_time = absl::Seconds(static_cast<double>(decided) / rate);
  return std::max(next_ns, AddClamped(began_ns, CeilNanoseconds(its_time)));
}

// Small at a low rate, so that it is even.
int64_t StreamReplayCore::SliceSize() const {
  if (options_.records_per_second == 0) return kSliceMax;
  return std::clamp<int64_t>(static_cast<int64_t>(options_.records_per_second / kSlicesPerSecond),
                             1, kSliceMax);
}

StreamReplayCore::Verdict StreamReplayCore::Handle(const Record& record) {
  bool is_wanted = true;
  absl::Status sent = absl::OkStatus();
  if (options_.filter) {
    const auto wanted = CallHandler<absl::StatusOr<bool>>(options_.filter, record);
    is_wanted = wanted.value_or(false);
    sent = wanted.status();
  }
  if (is_wanted) sent = CallHandler<absl::Status>(destination_.send, record);
  if (!sent.ok() && destination_.is_gone()) {
    MutexLock lock(&mu_);
    End(ReplayState::kFailed, std::string(ToStd(sent.message())));
    return Verdict::kGone;
  }
  if (!sent.ok() && MayPassLater(sent) && ++attempts_ < options_.attempts_max) {
    return Verdict::kAgain;
  }
  std::string failure;
  if (!sent.ok()) {
    failure = StrCat(record.shard_id().ToString(), ", ", record.sequence().ToString(), ": ",
                     ToStd(sent.message()));
    env_->Log(LogSeverity::kWarning, stream_arn_text_, StrCat("a replay passes over ", failure));
  }
  MutexLock lock(&mu_);
  --shown_.in_hand;
  if (!sent.ok()) {
    ++shown_.failed;
    shown_.last_failure = std::move(failure);
    if (options_.stop_at_failure) {
      End(ReplayState::kFailed, shown_.last_failure);
      return Verdict::kGone;
    }
  } else if (!is_wanted) {
    ++shown_.filtered;
  } else {
    ++shown_.replayed;
    shown_.last_arrival_time = record.arrival_time();
  }
  return Verdict::kDecided;
}

void StreamReplayCore::End(ReplayState state, std::string reason) {
  if (has_ended()) return;
  shown_.state = state;
  shown_.state_reason = std::move(reason);
  shown_.end_time = env_->runtime.Now();
}

absl::Status StreamReplayCore::Cancel() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&mu_);
  if (has_ended() || shown_.state == ReplayState::kCancelling) {
    return Error(AwsError::kBusIllegalStatus,
                 "The replay of a stream is not in a valid state for this operation.");
  }
  shown_.state = ReplayState::kCancelling;
  if (calls_.empty()) End(ReplayState::kCancelled);
  return absl::OkStatus();
}

absl::Status StreamReplayCore::Stop(absl::Duration within, std::stop_token stop) {
  Cancel().IgnoreError();
  const ThreadToken here = ThisThread();
  std::optional<Gate::Pass> beside;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (pass.answer() == Gate::Answer::kForked) return env_->Refusal();
    MutexLock lock(&mu_);
    // As in MappingCore::Stop(): who runs needs mu_ to leave, so the runtime stays until then.
    if (!calls_.NobodyToWaitFor(here)) beside.emplace(env_->tasks.EnterBeside());
  }
  if (!beside.has_value()) return absl::OkStatus();

  // Who stops the broker from inside a slice must not wait for us.
  const Gate::Guest guest(env_->gate);
  const Gate::Parked parked(env_->gate, env_->tasks);
  const absl::Duration deadline = env_->runtime.Uptime() + std::max(within, absl::ZeroDuration());
  MutexLock lock(&mu_);
  calls_.EnterStop(here);
  stoppers_.WakeAll();
  const auto done = [this, here] {
    mu_.AssertHeld();
    return calls_.NobodyToWaitFor(here);
  };
  const bool is_done = env_->runtime.Await(mu_, stoppers_, done, deadline, std::move(stop));
  calls_.LeaveStop(here);
  if (is_done) return absl::OkStatus();
  return absl::DeadlineExceededError("a function of the replay still runs");
}

StreamReplayDescription StreamReplayCore::Describe() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  MutexLock lock(&mu_);
  return shown_;
}

absl::Duration StreamReplayCore::drain_within() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return absl::ZeroDuration();
  return options_.drain_within;
}

}  // namespace banyan::inline v0_1::internal

namespace banyan::inline v0_1 {

using internal::StreamReplayCore;

StreamReplay::StreamReplay(std::shared_ptr<StreamReplayCore> core) : core_(std::move(core)) {}

StreamReplay::StreamReplay(StreamReplay&&) noexcept = default;

StreamReplay& StreamReplay::operator=(StreamReplay&& other) noexcept {
  // The swap leaves the old run to a local, which ends it when this one has the new.
  StreamReplay old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

StreamReplay::~StreamReplay() {
  if (core_ != nullptr) core_->Stop(core_->drain_within()).IgnoreError();
}

absl::StatusOr<StreamReplay> StreamReplay::Start(const Stream& stream, const EventBus& bus,
                                                 StreamReplayOptions options, EventOfRecord make) {
  if (bus.core() == nullptr) {
    return internal::Error(AwsError::kBusResourceNotFound, "Event bus does not exist.");
  }
  BANYAN_RETURN_IF_ERROR(bus.core()->CheckOpen());
  internal::ReplayDestination destination = {
      .arn = bus.arn(),
      .send = [bus, make = std::move(make)](const Record& record) -> absl::Status {
        if (!make) return bus.PutEnveloped(record.data(), record.trace_header()).status();
        absl::StatusOr<EventEntry> entry = make(record);
        return entry.ok() ? bus.Put(*std::move(entry)).status() : entry.status();
      },
      .pending_deliveries = [bus] { return bus.core()->PendingDeliveries(); },
      .is_gone = [bus] { return !bus.core()->CheckOpen().ok(); }};
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<StreamReplayCore> core,
      StreamReplayCore::Start(stream, std::move(options), std::move(destination)));
  return StreamReplay(std::move(core));
}

absl::StatusOr<StreamReplay> StreamReplay::Start(const Stream& stream, const Topic& topic,
                                                 StreamReplayOptions options,
                                                 MessageOfRecord make) {
  if (topic.core() == nullptr) {
    return internal::Error(AwsError::kTopicNotFound, "Topic does not exist");
  }
  BANYAN_RETURN_IF_ERROR(topic.GetAttributes().status());
  if (!make) {
    const bool is_fifo = topic.name().ends_with(".fifo");
    make = [is_fifo](const Record& record) {
      PublishRequest request = {.body = record.data(),
                                .trace_header = std::string(record.trace_header())};
      if (is_fifo) {
        request.message_group_id = record.partition_key();
        request.message_deduplication_id = record.sequence().ToString();
      }
      return request;
    };
  }
  internal::ReplayDestination destination = {
      .arn = topic.arn(),
      .send = [topic, make = std::move(make)](const Record& record) -> absl::Status {
        absl::StatusOr<PublishRequest> request = make(record);
        return request.ok() ? topic.Publish(*std::move(request)).status() : request.status();
      },
      .pending_deliveries = [topic] { return topic.core()->PendingDeliveries(); },
      .is_gone = [topic] { return !topic.GetAttributes().ok(); }};
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<StreamReplayCore> core,
      StreamReplayCore::Start(stream, std::move(options), std::move(destination)));
  return StreamReplay(std::move(core));
}

absl::Status StreamReplay::Cancel() {
  return core_ == nullptr ? absl::OkStatus() : core_->Cancel();
}

absl::Status StreamReplay::Stop(absl::Duration within, std::stop_token stop) {
  return core_ == nullptr ? absl::OkStatus() : core_->Stop(within, std::move(stop));
}

StreamReplayDescription StreamReplay::Describe() const {
  return core_ == nullptr ? StreamReplayDescription() : core_->Describe();
}

}  // namespace banyan::inline v0_1
