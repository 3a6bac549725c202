// SPDX-License-Identifier: Apache-2.0
#include "consume/consumer_core.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/exceptions.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kConcurrencyMax = 1'000;

absl::Status CheckCount(std::string_view field, int64_t value, int64_t max) {
  if (value >= 1 && value <= max) return absl::OkStatus();
  return Error(AwsError::kFunctionInvalidParameterValue, "Value ", value, " for parameter ", field,
               " is invalid. Reason: Must be between 1 and ", max, ".");
}

absl::Status CheckDuration(std::string_view field, absl::Duration value, absl::Duration max) {
  if (value >= absl::ZeroDuration() && value <= max) return absl::OkStatus();
  return Error(AwsError::kFunctionInvalidParameterValue, "Value ", SecondsText(value),
               " for parameter ", field, " is invalid. Reason: Must be between 0 and ",
               SecondsText(max), ".");
}

// first, 2 * first, 4 * first, ... up to max; for receive counts 1, 2, 3, ...
absl::Duration BackOff(const Retry& retry, int64_t receive_count) {
  const auto doublings = std::clamp<int64_t>(receive_count - 1, 0, 62);
  return std::min(retry.first * (int64_t{1} << doublings), retry.max);
}

// The messages of `unit` that the answer names as failed, or an error if the whole unit failed.
// An id that the handler was not given says that it has lost count, so nothing it says can be
// trusted: as with Lambda's ReportBatchItemFailures, all of the batch is tried again.
absl::StatusOr<absl::flat_hash_set<Id>> FailedIds(absl::Span<const Received> unit,
                                                  const absl::StatusOr<BatchResult>& answer) {
  BANYAN_RETURN_IF_ERROR(answer.status());
  absl::flat_hash_set<Id> failed(answer->failures.begin(), answer->failures.end());
  size_t found = 0;
  for (const Received& message : unit) found += failed.contains(message.id()) ? 1 : 0;
  if (found < failed.size()) {
    return absl::UnknownError("the handler named a message that was not in its batch as failed");
  }
  return failed;
}

}  // namespace

absl::Status ValidateConsumerOptions(const ConsumerOptions& options, const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(CheckCount("BatchSize", options.batch_size, limits.queue.receive_max));
  BANYAN_RETURN_IF_ERROR(CheckCount("Concurrency", options.concurrency, kConcurrencyMax));
  if (options.visibility_timeout.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckDuration("VisibilityTimeout", *options.visibility_timeout,
                                         limits.queue.visibility_max));
  }
  if (options.retry.has_value()) {
    BANYAN_RETURN_IF_ERROR(
        CheckDuration("Retry.Max", options.retry->max, limits.queue.visibility_max));
    BANYAN_RETURN_IF_ERROR(CheckDuration("Retry.First", options.retry->first, options.retry->max));
  }
  return CheckDuration("DrainWithin", options.drain_within, absl::InfiniteDuration());
}

absl::StatusOr<std::shared_ptr<ConsumerCore>> ConsumerCore::Start(const Queue& queue,
                                                                  const ConsumerOptions& options,
                                                                  int64_t unit_max,
                                                                  BatchHandler handler) {
  if (queue.core() == nullptr) {
    return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
  }
  const std::shared_ptr<Environment>& env = queue.core()->env();
  const Gate::Pass pass = env->gate.Enter();
  if (!pass) return env->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateConsumerOptions(options, env->limits));
  if (!handler) {
    return Error(AwsError::kFunctionInvalidParameterValue,
                 "Value for parameter Handler is invalid. Reason: Must be callable.");
  }
  BANYAN_ASSIGN_OR_RETURN(std::unique_ptr<MessageFilter> filter,
                          MessageFilter::Make(options.filters, queue.arn(), env->limits));
  BANYAN_RETURN_IF_ERROR(queue.Options().status());  // is the queue there?
  auto core = std::make_shared<ConsumerCore>(env, queue, options, std::move(filter), unit_max,
                                             std::move(handler));
  core->Resume();
  return core;
}

ConsumerCore::ConsumerCore(std::shared_ptr<Environment> env, Queue queue,
                           const ConsumerOptions& options, std::unique_ptr<MessageFilter> filter,
                           int64_t unit_max, BatchHandler handler)
    : env_(std::move(env)),
      queue_(std::move(queue)),
      options_(options),
      filter_(std::move(filter)),
      unit_max_(static_cast<size_t>(unit_max)),
      handler_(std::move(handler)) {}

// --- Receiving -----------------------------------------------------------------------------------

bool ConsumerCore::WantsMessages() const {
  return !stats_.stopped && !stats_.paused && !waiting_ && runners_ < options_.concurrency;
}

void ConsumerCore::Fetch() {
  const Gate::Pass pass = env_->tasks.Enter();  // K5: a receive, and what is logged of it
  if (!pass) return EndWithBroker();
  {
    MutexLock lock(&mu_);
    fetch_again_ = true;
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
  {
    MutexLock lock(&mu_);
    if (!fetch_again_ || !WantsMessages()) {
      fetching_ = false;
      return false;
    }
  }
  absl::StatusOr<std::vector<Received>> received =
      queue_.Receive({.max_messages = options_.batch_size,
                      .visibility_timeout = options_.visibility_timeout,
                      .wait = absl::ZeroDuration()});
  if (!received.ok()) {
    QueueRefused(received.status());
  } else if (received->empty()) {
    WaitForMessages();
  } else {
    Unit unwanted = TakeUnwanted(&*received);
    const bool none_wanted = received->empty();
    TakeIn(*std::move(received), std::move(unwanted));
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
ConsumerCore::Unit ConsumerCore::TakeUnwanted(Unit* messages) {
  Unit unwanted;
  if (filter_ == nullptr) return unwanted;
  Unit wanted;
  for (Received& message : *messages) {
    (filter_->Matches(message) ? wanted : unwanted).push_back(std::move(message));
  }
  *messages = std::move(wanted);
  return unwanted;
}

void ConsumerCore::TakeIn(Unit messages, Unit unwanted) {
  int64_t new_runners = 0;
  Leftovers too_late;
  Call deletion = {.thread = ThisThread(), .messages = static_cast<int64_t>(unwanted.size())};
  {
    MutexLock lock(&mu_);
    std::deque<Unit> units;
    for (size_t i = 0; i < messages.size(); i += unit_max_) {
      const size_t end = std::min(messages.size(), i + unit_max_);
      units.emplace_back(std::make_move_iterator(messages.begin() + static_cast<ptrdiff_t>(i)),
                         std::make_move_iterator(messages.begin() + static_cast<ptrdiff_t>(end)));
    }
    if (stats_.stopped || stats_.paused) {
      too_late.units = std::move(units);
      too_late.units.push_back(std::exchange(unwanted, {}));
    } else {
      if (!unwanted.empty()) calls_.push_back(&deletion);  // from here on Stop() waits for us
      for (Unit& unit : units) units_.push_back(std::move(unit));
      new_runners = std::min(static_cast<int64_t>(units_.size()), options_.concurrency - runners_);
      runners_ += new_runners;
    }
  }
  Undo(too_late);
  for (int64_t i = 0; i < new_runners; ++i) PostRunner();
  if (unwanted.empty()) return;
  int64_t deleted = 0;
  for (const Received& message : unwanted) deleted += message.Delete().ok() ? 1 : 0;
  MutexLock lock(&mu_);
  stats_.filtered += deleted;  // the others are still in their queue, or gone with it
  EndCall(&deletion);
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

// --- Handling ------------------------------------------------------------------------------------

void ConsumerCore::PostRunner() {
  env_->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<ConsumerCore> self = weak.lock()) self->RunNext();
  });
}

void ConsumerCore::RunNext() {
  const Gate::Pass pass = env_->tasks.Enter();  // K5
  if (!pass) return EndWithBroker();
  const Gate::Guest guest(env_->gate);
  if (BrokerStops()) StopByItself();
  Unit unit;
  Call call = {.thread = ThisThread()};
  bool more = false;
  {
    MutexLock lock(&mu_);
    if (!units_.empty()) {  // else a Stop() or Pause() has taken them away
      unit = std::move(units_.front());
      units_.pop_front();
      call.messages = static_cast<int64_t>(unit.size());
      stats_.running += call.messages;
      calls_.push_back(&call);  // from here on Stop() waits for us
    }
  }
  if (!unit.empty()) Handle(DropOverrun(std::move(unit)));
  {
    MutexLock lock(&mu_);
    if (call.messages > 0) {
      stats_.running -= call.messages;
      EndCall(&call);
    }
    more = !units_.empty();
    if (!more) --runners_;
  }
  if (more) {
    PostRunner();  // not a loop: other tasks of the runtime have their turn
  } else {
    Fetch();
  }
}

// A message that waited here for its turn until its visibility timeout had ended is back in its
// queue: whoever receives it there handles it.
ConsumerCore::Unit ConsumerCore::DropOverrun(Unit unit) {
  Unit kept;
  for (Received& message : unit) {
    if (!message.Overrun()) {
      kept.push_back(std::move(message));
      continue;
    }
    env_->Log(LogSeverity::kWarning, queue_.core()->arn_text(),
              StrCat("message ", message.id().ToString(), ": attempt ", message.receive_count(),
                     " was lost, its visibility timeout ended before a handler was free; a smaller"
                     " batch_size, more concurrency or a longer timeout mends that"));
    MutexLock lock(&mu_);
    ++stats_.overran;
    ++stats_.failed;
  }
  return kept;
}

void ConsumerCore::Handle(const Unit& unit) {
  if (unit.empty()) return;
  const absl::StatusOr<BatchResult> answer =
      CallHandler<absl::StatusOr<BatchResult>>(handler_, absl::MakeConstSpan(unit));
  const absl::StatusOr<absl::flat_hash_set<Id>> failed = FailedIds(unit, answer);
  for (const Received& message : unit) {
    Settle(message, failed.ok() && !failed->contains(message.id()));
  }
}

void ConsumerCore::Settle(const Received& message, bool handled) {
  const bool overran = message.Overrun();
  if (overran) {
    env_->Log(LogSeverity::kWarning, queue_.core()->arn_text(),
              StrCat("message ", message.id().ToString(), ": attempt ", message.receive_count(),
                     " took longer than its visibility timeout and may overlap with the next"));
  }
  // What these two answer does not matter: a message that is gone, or a queue that is gone, is
  // settled; and one that could not be settled comes back.
  if (handled) {
    message.Delete().IgnoreError();
  } else if (options_.retry.has_value() && !overran) {  // if it did, it may be another's by now
    message.ChangeVisibility(BackOff(*options_.retry, message.receive_count())).IgnoreError();
  }
  MutexLock lock(&mu_);
  ++(handled ? stats_.handled : stats_.failed);
  if (overran) ++stats_.overran;
}

// --- Pausing and stopping ------------------------------------------------------------------------

void ConsumerCore::EndCall(Call* call) {
  calls_.erase(std::find(calls_.begin(), calls_.end(), call));
  stoppers_.WakeAll();
}

ConsumerCore::Leftovers ConsumerCore::EndReceiving() {
  Leftovers leftovers;
  leftovers.units = std::exchange(units_, {});
  leftovers.wait = std::exchange(wait_, std::nullopt);
  waiting_ = false;
  return leftovers;
}

void ConsumerCore::Undo(const Leftovers& leftovers) {
  if (leftovers.wait.has_value()) queue_.core()->CancelWait(*leftovers.wait);
  for (const Unit& unit : leftovers.units) {
    for (const Received& message : unit) {
      if (!message.Overrun()) message.ChangeVisibility(absl::ZeroDuration()).IgnoreError();
    }
  }
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
      if (!NobodyToWaitFor(here)) beside.emplace(env_->tasks.EnterBeside());
    }
    if (pass) Undo(leftovers);  // else the queue is closed, and the runtime may be gone
  }
  if (!beside.has_value()) return absl::OkStatus();

  // Who stops the broker from one of those handlers must not wait for us.
  const Gate::Guest guest(env_->gate);
  const Gate::Parked parked(env_->gate, env_->tasks);
  const absl::Duration deadline = env_->runtime.Uptime() + std::max(within, absl::ZeroDuration());
  MutexLock lock(&mu_);
  for (Call* call : calls_) {
    if (call->thread == here) ++call->stopping;
  }
  stoppers_.WakeAll();  // whoever waits for a handler of this thread need not any more
  const auto done = [this, here] {
    mu_.AssertHeld();
    return NobodyToWaitFor(here);
  };
  int64_t still_running = 0;
  if (!env_->runtime.Await(mu_, stoppers_, done, deadline, std::move(stop))) {
    for (const Call* call : calls_) {
      if (call->thread != here) still_running += call->messages;
    }
  }
  for (Call* call : calls_) {
    if (call->thread == here) --call->stopping;
  }
  if (still_running == 0) return absl::OkStatus();
  return absl::DeadlineExceededError(
      ToAbsl(StrCat(still_running, " messages are still in hand; they settle at the end")));
}

bool ConsumerCore::NobodyToWaitFor(ThreadToken here) const {
  const auto is_here = [here](const Call* call) { return call->thread == here; };
  const bool from_a_handler = std::any_of(calls_.begin(), calls_.end(), is_here);
  if (!from_a_handler) return calls_.empty();
  return std::all_of(calls_.begin(), calls_.end(),
                     [is_here](const Call* call) { return is_here(call) || call->stopping > 0; });
}

ConsumerStats ConsumerCore::Stats() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  MutexLock lock(&mu_);
  return stats_;
}

}  // namespace banyan::inline v0_1::internal
