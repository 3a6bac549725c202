// SPDX-License-Identifier: Apache-2.0
#include "consume/consumer_core.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"

namespace banyan::inline v0_1::internal {

absl::StatusOr<std::shared_ptr<ConsumerCore>> ConsumerCore::Start(const Queue& queue,
                                                                  const ConsumerOptions& options,
                                                                  HandlerKind kind,
                                                                  BatchHandler handler) {
  if (queue.core() == nullptr) {
    return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
  }
  const std::shared_ptr<Environment>& env = queue.core()->env();
  const Gate::Pass pass = env->gate.Enter();
  if (!pass) return env->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateConsumerOptions(options, kind, queue.core()->fifo(), env->limits));
  if (!handler) {
    return Error(AwsError::kFunctionInvalidParameterValue,
                 "Value for parameter Handler is invalid. Reason: Must be callable.");
  }
  BANYAN_ASSIGN_OR_RETURN(std::unique_ptr<MessageFilter> filter,
                          MessageFilter::Make(options.filters, queue.arn(), env->limits));
  BANYAN_RETURN_IF_ERROR(queue.Options().status());  // is the queue there?
  auto core = std::make_shared<ConsumerCore>(env, queue, options, std::move(filter), kind,
                                             std::move(handler));
  env->readers.Add(core);
  core->Resume();
  return core;
}

ConsumerCore::ConsumerCore(std::shared_ptr<Environment> env, Queue queue,
                           const ConsumerOptions& options, std::unique_ptr<MessageFilter> filter,
                           HandlerKind kind, BatchHandler handler)
    : env_(std::move(env)),
      queue_(std::move(queue)),
      options_(options),
      filter_(std::move(filter)),
      kind_(kind),
      handler_(std::move(handler)),
      fifo_(queue_.core()->fifo()),
      keeps_time_(options.extend_visibility || options.batch_window > absl::ZeroDuration()) {}

// --- Receiving -----------------------------------------------------------------------------------

bool ConsumerCore::WantsMessages() const {
  return !stats_.stopped && !stats_.paused && !waiting_ && runners_ < options_.concurrency;
}

void ConsumerCore::Fetch() {
  const Gate::Pass pass = env_->tasks.Enter();  // K5: a receive, and what is logged of it
  if (!pass) return EndWithBroker();
  {
    MutexLock lock(&mu_);
    if (fetching_) return;  // K2
    fetching_ = true;
  }
  while (FetchOnce()) {
  }
}

void ConsumerCore::PostFetch() {
  env_->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<ConsumerCore> self = weak.lock()) self->Fetch();
  });
}

// A stopping broker lets handlers finish but starts no new ones. Asked of the gate itself: calls
// on the thread of a handler are let in to the end.
bool ConsumerCore::BrokerStops() const { return env_->gate.Look() != Gate::Answer::kOpen; }

// One receive. False: nothing more to do until somebody calls Fetch() again.
bool ConsumerCore::FetchOnce() {
  if (BrokerStops()) StopByItself();
  int64_t wanted = options_.batch_size;
  {
    MutexLock lock(&mu_);
    if (!WantsMessages()) {
      fetching_ = false;
      return false;
    }
    if (filling_.has_value()) wanted -= static_cast<int64_t>(filling_->messages.size());
  }
  const int64_t now_ns = env_->runtime.Read().uptime_ns;
  absl::StatusOr<Messages> received =
      queue_.Receive({.max_messages = std::min(wanted, env_->limits.queue.receive_max),
                      .visibility_timeout = options_.visibility_timeout,
                      .wait = absl::ZeroDuration()});
  if (!received.ok()) {
    QueueRefused(received.status());
  } else if (received->empty()) {
    WaitForMessages();
  } else {
    Messages unwanted = TakeUnwanted(&*received);
    const bool none_wanted = received->empty();
    TakeIn(*std::move(received), std::move(unwanted), now_ns);
    if (none_wanted) {  // there may be a million: other tasks of the runtime have their turn
      {
        MutexLock lock(&mu_);
        fetching_ = false;
      }
      PostFetch();
      return false;
    }
  }
  return true;
}

// Takes out of *messages what no filter matches.
ConsumerCore::Messages ConsumerCore::TakeUnwanted(Messages* messages) {
  Messages unwanted;
  if (filter_ == nullptr) return unwanted;
  Messages wanted;
  for (Received& message : *messages) {
    (filter_->Matches(message) ? wanted : unwanted).push_back(std::move(message));
  }
  *messages = std::move(wanted);
  return unwanted;
}

void ConsumerCore::TakeIn(Messages messages, Messages unwanted, int64_t received_ns) {
  int64_t new_runners = 0;
  Messages too_late;
  Call deletion;
  deletion.messages = static_cast<int64_t>(unwanted.size());
  {
    MutexLock lock(&mu_);
    if (stats_.stopped || stats_.paused) {
      too_late = std::move(messages);
      std::move(unwanted.begin(), unwanted.end(), std::back_inserter(too_late));
      unwanted.clear();
    } else {
      if (!unwanted.empty()) calls_.Begin(&deletion);  // from here on Stop() waits for us
      Arrange(std::move(messages), received_ns);
      new_runners = ClaimRunners();
      SetTimer();
    }
  }
  PutBack(too_late);
  PostRunners(new_runners);
  if (unwanted.empty()) return;
  const int64_t deleted = DeleteAll(unwanted);
  MutexLock lock(&mu_);
  stats_.filtered += deleted;  // the others are still in their queue, or gone with it
  EndCall(&deletion);
}

// Makes units of what one receive took.
void ConsumerCore::Arrange(Messages messages, int64_t received_ns) {
  for (Received& message : messages) {
    if (filling_.has_value() && !Joins(*filling_, message)) EndFilling();
    if (!filling_.has_value()) {
      const int64_t window_ns = CeilNanoseconds(options_.batch_window);
      Unit unit;
      unit.received_ns = received_ns;
      unit.closes_at_ns = AddClamped(received_ns, window_ns);
      filling_ = std::move(unit);
    }
    filling_->bytes += SizeOf(message);
    filling_->hide_again_ns =
        std::min(filling_->hide_again_ns, FirstHideAgain(message, received_ns));
    filling_->messages.push_back(std::move(message));
  }
  const bool is_full = filling_.has_value() &&
                       static_cast<int64_t>(filling_->messages.size()) >= options_.batch_size;
  if (is_full || options_.batch_window == absl::ZeroDuration()) EndFilling();
}

bool ConsumerCore::Joins(const Unit& unit, const Received& message) const {
  // A receive takes all it can get of one group before the next, so a group's lie together (K7).
  const bool is_same_group =
      fifo_ && unit.messages.back().message_group_id() == message.message_group_id();
  if (kind_ == HandlerKind::kMessage) return is_same_group;
  // Two calls must not share a group: what is too large for one call waits behind it.
  return fifo_ || unit.bytes + SizeOf(message) <= kBatchBytesMax;
}

void ConsumerCore::EndFilling() {
  if (!filling_.has_value()) return;
  if (!options_.extend_visibility) filling_->hide_again_ns = kNever;
  units_.push_back(*std::move(filling_));
  filling_.reset();
}

void ConsumerCore::WaitForMessages() {
  uint64_t round;
  {
    MutexLock lock(&mu_);
    if (!WantsMessages()) return;
    waiting_ = true;
    round = ++wait_round_;
  }
  // The queue asks again before it lets us sleep, so what arrived since Receive() is not missed.
  const std::shared_ptr<QueueCore>& queue = queue_.core();
  const uint64_t wait = queue->WaitAsync([weak = weak_from_this(), queue, round] {
    const std::shared_ptr<ConsumerCore> self = weak.lock();
    if (self == nullptr || !self->Woken(round)) queue->PassOn();  // K3
  });
  bool given_up;
  {
    MutexLock lock(&mu_);
    const bool still_waiting = waiting_ && wait_round_ == round;
    if (still_waiting) wait_ = wait;
    given_up = !still_waiting;
  }
  if (given_up) queue->CancelWait(wait);  // no effect if it has woken us
}

// False: the wake-up is of no use here.
bool ConsumerCore::Woken(uint64_t round) {
  {
    MutexLock lock(&mu_);
    if (!waiting_ || wait_round_ != round) return false;
    waiting_ = false;
    wait_.reset();
  }
  Fetch();
  return true;
}

void ConsumerCore::QueueRefused(const absl::Status& refusal) {
  if (refusal.code() != absl::StatusCode::kResourceExhausted) {
    if (refusal.code() == absl::StatusCode::kNotFound) {
      env_->Log(LogSeverity::kInfo, queue_.core()->arn_text(),
                "its consumer stopped, because the queue was deleted");
    }
    StopByItself();
    return;
  }
  WaitForMessages();  // OverLimit: the queue wakes us when there is room in flight
}

// --- Pausing and stopping ------------------------------------------------------------------------

ConsumerCore::Leftovers ConsumerCore::EndReceiving() {
  Leftovers leftovers;
  const auto leave = [&leftovers](Unit* unit) {
    std::move(unit->messages.begin(), unit->messages.end(), std::back_inserter(leftovers.messages));
    *unit = {};
  };
  for (Call* call : calls_) leave(&call->behind);
  for (Unit& unit : units_) leave(&unit);
  if (filling_.has_value()) leave(&*filling_);
  units_.clear();
  filling_.reset();
  leftovers.wait = std::exchange(wait_, std::nullopt);
  waiting_ = false;
  if (calls_.empty()) {  // else what they have may have to be hidden anew
    leftovers.timer = std::exchange(timer_, TimerId::kNone);
    timer_at_ns_ = kNever;
  }
  return leftovers;
}

void ConsumerCore::Undo(const Leftovers& leftovers) {
  if (leftovers.wait.has_value()) queue_.core()->CancelWait(*leftovers.wait);
  if (leftovers.timer != TimerId::kNone) env_->runtime.Cancel(leftovers.timer);
  PutBack(leftovers.messages);
}

void ConsumerCore::StopByItself() {
  Leftovers leftovers;
  {
    MutexLock lock(&mu_);
    stats_.stopped = true;
    leftovers = EndReceiving();
  }
  Undo(leftovers);
}

// The broker is gone, and its runtime may be: only our own state is touched, nothing is put back.
void ConsumerCore::EndWithBroker() {
  Leftovers dropped;  // dies after the lock
  MutexLock lock(&mu_);
  stats_.stopped = true;
  dropped = EndReceiving();
}

void ConsumerCore::Pause() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;  // it has stopped
  Leftovers leftovers;
  {
    MutexLock lock(&mu_);
    stats_.paused = true;
    leftovers = EndReceiving();
  }
  Undo(leftovers);
}

void ConsumerCore::Resume() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;
  {
    MutexLock lock(&mu_);
    stats_.paused = false;
  }
  PostFetch();
}

absl::Status ConsumerCore::Stop(absl::Duration within, std::stop_token stop) {
  const ThreadToken here = ThisThread();
  std::optional<Gate::Pass> beside;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (pass.answer() == Gate::Answer::kForked) return env_->Refusal();
    Leftovers leftovers;
    {
      MutexLock lock(&mu_);
      stats_.stopped = true;
      leftovers = EndReceiving();
      // The broker may stop meanwhile, or have stopped. The handlers we wait for need mu_ to leave
      // its gates, so neither it nor its runtime can go before this pass counts as well.
      if (!calls_.NobodyToWaitFor(here)) beside.emplace(env_->tasks.EnterBeside());
    }
    if (pass) Undo(leftovers);  // else the queue is closed, and the runtime may be gone
  }
  if (!beside.has_value()) return absl::OkStatus();

  // Who stops the broker from one of those handlers must not wait for us.
  const Gate::Guest guest(env_->gate);
  const Gate::Parked parked(env_->gate, env_->tasks);
  const absl::Duration deadline = env_->runtime.Uptime() + std::max(within, absl::ZeroDuration());
  MutexLock lock(&mu_);
  calls_.EnterStop(here);
  stoppers_.WakeAll();  // whoever waits for a handler of this thread need not any more
  const auto done = [this, here] {
    mu_.AssertHeld();
    return calls_.NobodyToWaitFor(here);
  };
  int64_t still_running = 0;
  if (!env_->runtime.Await(mu_, stoppers_, done, deadline, std::move(stop))) {
    for (const Call* call : calls_) {
      if (call->thread != here) still_running += call->messages;
    }
  }
  calls_.LeaveStop(here);
  if (still_running == 0) return absl::OkStatus();
  return absl::DeadlineExceededError(
      ToAbsl(StrCat(still_running, " messages are still in hand; they settle at the end")));
}

ConsumerStats ConsumerCore::Stats() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  MutexLock lock(&mu_);
  return stats_;
}

std::optional<SourceReader::Wiring> ConsumerCore::GetWiring() const {
  MutexLock lock(&mu_);
  if (stats_.stopped) return std::nullopt;
  return Wiring{.kind = Kind::kConsumer,
                .name = queue_.core()->name(),
                .source = queue_.core()->arn_text(),
                .enabled = !stats_.paused};
}

}  // namespace banyan::inline v0_1::internal
