// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/move_tasks.cc -- floor 3, the queue room: a redrive in the background.
//
//   Start --> [run: a few messages] --> PostAt --> [run] --> ... --> completed, cancelled or failed
//
// Each run is a task of the Runtime that takes one step of a walk (redrive.cc) and posts the next:
// at once, or when the rate allows. At most one task of a queue runs; ended ones are kept to be
// looked at.
#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

namespace {

using State = MessageMoveTask::State;

constexpr size_t kTasksKept = 10;

// With a rate, a run takes what falls due in so long.
constexpr int64_t kRunsPerSecond = 10;

// Until the next look, while a Redrive() has dead letters on their way.
constexpr int64_t kHeldUpNs = 10'000'000;

// What AWS calls the reasons why a task failed.
constexpr std::string_view kNoSuchQueue = "AWS.SimpleQueueService.NonExistentQueue";
constexpr std::string_view kNoSource = "CouldNotDetermineMessageSource";

}  // namespace

struct QueueCore::MoveTask {
  std::string id;
  MessageMoveTask shown;  // all but the handle
  Walk walk;              // touched by runs only, one at a time
};

absl::StatusOr<std::string> QueueCore::StartMessageMoveTask(MessageMoveTaskOptions options) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateMoveTask(options));
  if (!options.any_source && !IsDeadLetterQueue()) return MoveSourceIsNoDeadLetterQueue();
  auto task = std::make_shared<MoveTask>();
  if (options.destination.has_value()) {
    const std::shared_ptr<QueueCore> destination =
        resolve_ == nullptr ? nullptr : resolve_(*options.destination);
    task->walk.destination = destination;
    if (destination == nullptr || destination->closed() || destination->fifo() != fifo_ ||
        destination.get() == this) {
      return NoMoveDestination();
    }
  }
  task->walk.ends_at_strangers = !options.any_source;
  task->walk.redelivers = options.any_source;
  task->id = env_->ids.Next().ToString();
  task->shown = {.task_handle = {},
                 .state = State::kRunning,
                 .source = arn_,
                 .destination = options.destination,
                 .max_per_second = options.max_per_second,
                 .moved = 0,
                 .to_move = 0,
                 .not_moved = 0,
                 .failure_reason = {},
                 .started = operation.now.time()};
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after);
    task->shown.to_move = books_.depth.total();
  }
  {
    MutexLock lock(&settings_mu_);
    if (!move_tasks_.empty() && (move_tasks_.front()->shown.state == State::kRunning ||
                                 move_tasks_.front()->shown.state == State::kCancelling)) {
      return MoveTaskRunsAlready();
    }
    move_tasks_.insert(move_tasks_.begin(), task);
    if (move_tasks_.size() > kTasksKept) move_tasks_.pop_back();
  }
  PostMoveTask(task, operation.now.uptime_ns);
  return MoveTaskHandle(*task);
}

std::string QueueCore::MoveTaskHandle(const MoveTask& task) const {
  const std::string text =
      StrCat(R"({"taskId":")", task.id, R"(","sourceArn":")", arn_text(), R"("})");
  std::string handle;
  absl::Base64Escape(ToAbsl(text), &handle);
  return handle;
}

void QueueCore::PostMoveTask(std::shared_ptr<MoveTask> task, int64_t at_ns) {
  env_->runtime.PostAt(FromNanoseconds(at_ns), [weak = weak_from_this(), task = std::move(task)] {
    if (const std::shared_ptr<QueueCore> core = weak.lock()) core->RunMoveTask(task);
  });
}

void QueueCore::RunMoveTask(const std::shared_ptr<MoveTask>& task) {
  const Gate::Pass pass = env_->tasks.Enter();  // as the timer that moves dead letters
  if (!pass) return;
  const auto end = [&](State state, std::string_view reason) {
    EndMoveTask(task.get(), state, reason);
  };
  std::optional<int64_t> rate;
  bool goes_on = true;
  bool has_destination = false;
  {
    MutexLock lock(&settings_mu_);
    goes_on = task->shown.state == State::kRunning;
    rate = task->shown.max_per_second;
    has_destination = task->shown.destination.has_value();
  }
  if (!goes_on) return end(State::kCancelled, {});
  Walk& walk = task->walk;
  const std::shared_ptr<QueueCore> destination = walk.destination.lock();  // kept for this run
  if (has_destination && (destination == nullptr || destination->closed())) {
    return end(State::kFailed, kNoSuchQueue);
  }
  Operation operation(this, Operation::kAlreadyInside);
  const int64_t before = walk.moved;
  walk.held_up = false;
  const int64_t at_once =
      rate.has_value() ? std::max<int64_t>(*rate / kRunsPerSecond, 1) : INT64_MAX;
  do {
    if (!Step(&walk, at_once - (walk.moved - before), &operation).ok()) {
      return end(State::kFailed, kNoSuchQueue);  // this queue was deleted
    }
  } while (rate.has_value() && walk.moved - before < at_once && !walk.Ended());
  if (walk.met_stranger) return end(State::kFailed, kNoSource);
  if (walk.origin_is_gone) return end(State::kFailed, kNoSuchQueue);
  if (walk.at_end) return end(State::kCompleted, {});
  {
    MutexLock lock(&settings_mu_);
    task->shown.moved = walk.moved;
    task->shown.not_moved = walk.stayed_behind;
  }
  const int64_t moved = walk.moved - before;
  const int64_t pause_ns = rate.has_value() ? moved * 1'000'000'000 / *rate : 0;
  PostMoveTask(
      task, AddClamped(operation.now.uptime_ns, std::max(pause_ns, walk.held_up ? kHeldUpNs : 0)));
}

// Its walk is not needed any more, and may be large.
void QueueCore::EndMoveTask(MoveTask* task, State state, std::string_view reason) {
  const Walk walk = std::exchange(task->walk, {});  // dies after the lock
  MutexLock lock(&settings_mu_);
  task->shown.moved = walk.moved;
  task->shown.not_moved = walk.stayed_behind;
  task->shown.state = state;
  task->shown.failure_reason = reason;
}

absl::StatusOr<std::vector<MessageMoveTask>> QueueCore::ListMessageMoveTasks(int64_t max_results) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateListMoveTasks(max_results));
  if (closed()) return Options().status();
  std::vector<MessageMoveTask> shown;
  MutexLock lock(&settings_mu_);
  for (const std::shared_ptr<MoveTask>& task : move_tasks_) {
    if (static_cast<int64_t>(shown.size()) == max_results) break;
    shown.push_back(task->shown);
    if (task->shown.state == State::kRunning) shown.back().task_handle = MoveTaskHandle(*task);
  }
  return shown;
}

absl::StatusOr<int64_t> QueueCore::CancelMessageMoveTask(std::string_view task_handle) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (closed()) return Options().status();
  std::string text;
  if (!absl::Base64Unescape(ToAbsl(task_handle), &text) ||
      text.find(R"("taskId":)") == std::string::npos ||
      text.find(R"("sourceArn":)") == std::string::npos) {
    return BadMoveTaskHandle();
  }
  MutexLock lock(&settings_mu_);
  for (const std::shared_ptr<MoveTask>& task : move_tasks_) {
    if (task->shown.state != State::kRunning || MoveTaskHandle(*task) != task_handle) continue;
    task->shown.state = State::kCancelling;
    return task->shown.moved;
  }
  return NoMoveTask();
}

// Whether some queue's redrive policy names this one.
bool QueueCore::IsDeadLetterQueue() {
  absl::flat_hash_map<const QueueCore*, std::weak_ptr<QueueCore>> sources;
  {
    MutexLock lock(&mu_);
    sources = sources_;
  }
  return std::any_of(sources.begin(), sources.end(), [this](const auto& entry) {
    const std::weak_ptr<QueueCore>& weak = entry.second;
    const std::shared_ptr<QueueCore> source = weak.lock();
    if (source == nullptr) return false;
    const absl::StatusOr<QueueOptions> options = source->Options();
    return options.ok() && options->redrive.has_value() && options->redrive->dead_letter == arn_;
  });
}

void QueueCore::AddSource(const std::shared_ptr<QueueCore>& source) {
  MutexLock lock(&mu_);
  sources_[source.get()] = source;
  if (sources_.size() < sweep_sources_at_) return;
  absl::erase_if(sources_, [](const auto& entry) { return entry.second.expired(); });
  sweep_sources_at_ = 2 * sources_.size() + 16;
}

}  // namespace banyan::inline v0_1::internal
