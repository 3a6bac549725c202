// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/handling.cc -- floor 5: what becomes of a unit.
//
//   the handler's answer about a message          what is done
//
//   OK                                            Delete
//   an error                                      left until its visibility timeout ends, or for as
//                                                 long as `retry` says
//   any, after a failed one of its FIFO group     as after an error
//   none yet, behind a failed one of its group    put back
//   any, but the handler has settled it itself    nothing more
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/exceptions.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/back_off.h"
#include "consume/consumer_core.h"
#include "queue/core.h"
#include "queue/received_state.h"

namespace banyan::inline v0_1::internal {

namespace {

using GroupSet = absl::flat_hash_set<std::string_view>;

// first, 2 * first, 4 * first, ... up to max; for receive counts 1, 2, 3, ...
// The messages of a batch that the answer names as failed, or an error if the whole batch failed.
// An id that the handler was not given says that it has lost count, so nothing it says can be
// trusted: as with Lambda's ReportBatchItemFailures, all of the batch is tried again.
absl::StatusOr<absl::flat_hash_set<Id>> FailedIds(absl::Span<const Received> batch,
                                                  const absl::StatusOr<BatchResult>& answer) {
  BANYAN_RETURN_IF_ERROR(answer.status());
  absl::flat_hash_set<Id> failed(answer->failures.begin(), answer->failures.end());
  absl::flat_hash_set<Id> unknown = failed;  // a message may be in the batch twice
  for (const Received& message : batch) unknown.erase(message.id());
  if (!unknown.empty()) {
    return absl::UnknownError("the handler named a message that was not in its batch as failed");
  }
  return failed;
}

std::string TextOf(const absl::Status& error) {
  return error.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

}  // namespace

int64_t ConsumerCore::ClaimRunners() {
  const int64_t count =
      std::min(static_cast<int64_t>(units_.size()), options_.concurrency - runners_);
  runners_ += count;
  return count;
}

void ConsumerCore::PostRunners(int64_t count) {
  for (; count > 0; --count) {
    env_->runtime.Post([weak = weak_from_this()] {
      if (const std::shared_ptr<ConsumerCore> self = weak.lock()) self->RunNext();
    });
  }
}

void ConsumerCore::RunNext() {
  const Gate::Pass pass = env_->tasks.Enter();  // K5
  if (!pass) return EndWithBroker();
  const Gate::Guest guest(env_->gate);
  if (BrokerStops()) StopByItself();
  Call call;
  bool has_call = false;
  {
    MutexLock lock(&mu_);
    has_call = !units_.empty();  // else a Stop() or Pause() has taken them away
    if (has_call) BeginCall(&call);
  }
  const bool go_on = has_call && Handle(&call);
  bool more = false;
  {
    MutexLock lock(&mu_);
    if (has_call) {
      stats_.running -= call.messages;
      if (go_on && !call.behind.messages.empty()) units_.push_front(std::move(call.behind));
      EndCall(&call);
    }
    more = !units_.empty();
    if (!more) --runners_;
  }
  if (more) {
    PostRunners(1);  // not a loop: other tasks of the runtime have their turn
  } else {
    Fetch();
  }
}

// Takes the next unit. Of a FIFO queue's, as much as one call may have; the rest stands behind.
void ConsumerCore::BeginCall(Call* call) {
  call->unit = std::move(units_.front());
  units_.pop_front();
  Messages& messages = call->unit.messages;
  if (fifo_) {
    size_t count = 1;
    if (kind_ == HandlerKind::kBatch) {
      int64_t bytes = SizeOf(messages[0]);
      while (count < messages.size() && bytes + SizeOf(messages[count]) <= kBatchBytesMax) {
        bytes += SizeOf(messages[count++]);
      }
    }
    const auto rest = messages.begin() + static_cast<ptrdiff_t>(count);
    call->behind.messages.assign(std::make_move_iterator(rest),
                                 std::make_move_iterator(messages.end()));
    call->behind.received_ns = call->unit.received_ns;
    call->behind.hide_again_ns = call->unit.hide_again_ns;
    messages.erase(rest, messages.end());
  }
  call->messages = static_cast<int64_t>(messages.size());
  stats_.running += call->messages;
  calls_.Begin(call);  // from here on Stop() waits for us
}

// False: what is behind must not have its turn. It has been put back.
bool ConsumerCore::Handle(Call* call) {
  bool go_on = DropOverrun(call);
  if (!call->unit.messages.empty()) {
    const absl::StatusOr<BatchResult> answer = CallHandler<absl::StatusOr<BatchResult>>(
        handler_, absl::MakeConstSpan(call->unit.messages));
    go_on = Settle(call, answer) && go_on;
  }
  return go_on;
}

// A message that waited here for its turn until its visibility timeout had ended is back in its
// queue: whoever receives it there handles it. So those of its group that follow must not be
// handled here either. False: there is one.
bool ConsumerCore::DropOverrun(Call* call) {
  // Until the deadline that its receive set a message cannot be overrun, only hidden longer.
  const int64_t now_ns = env_->runtime.Read().uptime_ns;
  const auto is_early = [now_ns](const Received& message) {
    return now_ns < ReceivedState::Of(message)->deadline_ns;
  };
  if (std::all_of(call->unit.messages.begin(), call->unit.messages.end(), is_early)) return true;

  Messages kept;
  Messages lost;
  Messages put_back;
  GroupSet cut;
  for (const Received& message : call->unit.messages) {
    if (message.Overrun()) {
      lost.push_back(message);
      if (fifo_) cut.insert(message.message_group_id());
    } else {
      (cut.contains(message.message_group_id()) ? put_back : kept).push_back(message);
    }
  }
  if (lost.empty()) return true;
  for (const Received& message : lost) {
    queue_.core()->NoteFailure(message, "its visibility timeout ended before a handler was free");
    env_->Log(LogSeverity::kWarning, queue_.core()->arn_text(),
              StrCat("message ", message.id().ToString(), ": attempt ", message.receive_count(),
                     " was lost, its visibility timeout ended before a handler was free; a smaller"
                     " batch_size, more concurrency or a longer timeout mends that"));
  }
  {
    MutexLock lock(&mu_);
    call->unit.messages = std::move(kept);
    const auto left = static_cast<int64_t>(call->unit.messages.size());
    stats_.running -= std::exchange(call->messages, left) - left;
    stats_.overran += static_cast<int64_t>(lost.size());
    stats_.failed += static_cast<int64_t>(lost.size());
    if (!cut.empty()) {
      std::move(call->behind.messages.begin(), call->behind.messages.end(),
                std::back_inserter(put_back));
      call->behind.messages.clear();
    }
  }
  PutBack(put_back);
  return cut.empty();
}

// False: a message failed that others of its group must not overtake.
bool ConsumerCore::Settle(Call* call, const absl::StatusOr<BatchResult>& answer) {
  const Messages& messages = call->unit.messages;
  Messages handled;
  std::vector<std::pair<const Received*, absl::Status>> failures;
  int64_t dead_lettered = 0;
  GroupSet cut;
  const absl::StatusOr<absl::flat_hash_set<Id>> failed = FailedIds(messages, answer);
  for (const Received& message : messages) {
    const ReceivedState& state = *ReceivedState::Of(message);
    if (state.dead_lettered.load(std::memory_order_acquire)) {
      ++dead_lettered;
      continue;
    }
    absl::Status error = failed.status();
    if (error.ok() && failed->contains(message.id())) {
      error = absl::UnknownError("the handler named it as failed");
    } else if (error.ok() && cut.contains(message.message_group_id())) {
      error = absl::AbortedError("an earlier message of its group failed");
    }
    if (error.ok()) {
      handled.push_back(message);
      continue;
    }
    const bool is_gone = state.settled.load(std::memory_order_acquire);
    if (fifo_ && !is_gone) cut.insert(message.message_group_id());
    failures.emplace_back(&message, std::move(error));
  }

  Messages behind;
  {
    MutexLock lock(&mu_);
    call->settling = true;
    if (!cut.empty()) behind = std::exchange(call->behind.messages, {});
    AwaitHiding();  // K8
  }
  PutBack(behind);  // K7: first
  int64_t overran = 0;
  for (const auto& [message, error] : failures) overran += Fail(*message, error) ? 1 : 0;
  DeleteAll(handled);
  for (const Received& message : handled) {
    if (!message.Overrun()) continue;
    ++overran;
    LogOverrun(message);
  }
  MutexLock lock(&mu_);
  stats_.handled += static_cast<int64_t>(handled.size());
  stats_.failed += static_cast<int64_t>(failures.size());
  stats_.dead_lettered += dead_lettered;
  stats_.overran += overran;
  return cut.empty();
}

// True: the message has overrun, so that it may be another's by now.
bool ConsumerCore::Fail(const Received& message, const absl::Status& error) {
  const bool overran = message.Overrun();
  if (overran) LogOverrun(message);
  queue_.core()->NoteFailure(message, TextOf(error));
  // What this answers does not matter: a message that is gone, or a queue that is gone, is settled;
  // and one that could not be hidden comes back.
  if (options_.retry.has_value() && !overran) {
    message.ChangeVisibility(BackOff(*options_.retry, message.receive_count())).IgnoreError();
  }
  return overran;
}

void ConsumerCore::LogOverrun(const Received& message) {
  env_->Log(LogSeverity::kWarning, queue_.core()->arn_text(),
            StrCat("message ", message.id().ToString(), ": attempt ", message.receive_count(),
                   " took longer than its visibility timeout and may overlap with the next"));
}

// Nor does it matter here what the queue answers.
int64_t ConsumerCore::DeleteAll(absl::Span<const Received> messages) {
  const auto at_once = static_cast<size_t>(env_->limits.queue.batch_entries_max);
  int64_t deleted = 0;
  for (; !messages.empty(); messages.remove_prefix(std::min(at_once, messages.size()))) {
    const absl::StatusOr<std::vector<absl::Status>> answers =
        queue_.DeleteBatch(messages.subspan(0, at_once));
    if (!answers.ok()) continue;
    deleted += std::count(answers->begin(), answers->end(), absl::OkStatus());
  }
  return deleted;
}

// At once visible again. They are in nobody's hand any more.
void ConsumerCore::PutBack(const Messages& messages) {
  if (messages.empty()) return;
  {
    MutexLock lock(&mu_);
    AwaitHiding();  // K8
    stats_.put_back += static_cast<int64_t>(messages.size());
  }
  for (const Received& message : messages) {
    if (message.Overrun()) continue;
    // An attempt is used up all the same: if it was the last, the dead letter's story says why.
    queue_.core()->NoteFailure(message, "put back, no handler saw it");
    message.ChangeVisibility(absl::ZeroDuration()).IgnoreError();
  }
}

void ConsumerCore::EndCall(Call* call) {
  calls_.End(call);
  stoppers_.WakeAll();
}

}  // namespace banyan::inline v0_1::internal
