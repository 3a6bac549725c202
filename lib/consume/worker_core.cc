// SPDX-License-Identifier: Apache-2.0
#include "consume/worker_core.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "banyan/metrics.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/worker_options.h"
#include "message/errors.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

absl::StatusOr<std::shared_ptr<WorkerCore>> WorkerCore::Start(const Stream& stream,
                                                              WorkerOptions options,
                                                              RecordProcessorFactory factory) {
  if (stream.core() == nullptr) {
    return Error(AwsError::kStreamResourceNotFound, "The specified stream does not exist.");
  }
  const std::shared_ptr<Environment>& env = stream.core()->env();
  const Gate::Pass pass = env->gate.Enter();
  if (!pass) return env->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateWorkerOptions(options, env->limits));
  if (!factory) {
    return Error(AwsError::kStreamInvalidArgument,
                 "Value for parameter Factory is invalid. Reason: Must be callable.");
  }
  auto table = std::make_shared<LeaseTable>(env->leases, stream, options.application);
  auto setup = std::make_shared<ShardRun::Setup>(
      ShardRun::Setup{.env = env,
                      .stream = stream,
                      .table = std::move(table),
                      .options = std::move(options),
                      .factory = std::move(factory),
                      .owner = StrCat(absl::Hex(env->NextIncarnation(), absl::kZeroPad16))});
  auto core = std::make_shared<WorkerCore>(std::move(setup));
  if (absl::Status begun = core->Round(); !begun.ok()) {
    core->Stop(absl::ZeroDuration()).IgnoreError();
    return begun;
  }
  env->readers.Add(core);
  return core;
}

WorkerCore::Runs WorkerCore::RunsNow() const {
  MutexLock lock(&mu_);
  return runs_;
}

// --- Ending --------------------------------------------------------------------------------------

void WorkerCore::RunEnded(ShardRun& run, ShardRun::Ending why) {
  std::shared_ptr<ShardRun> ended;  // dies after the lock
  bool look_again = false;
  {
    MutexLock lock(&mu_);
    const ShardProgress progress = run.Progress(0);
    stats_.records += progress.records;
    stats_.failures += progress.failures;
    stats_.leases_lost += why == ShardRun::Ending::kLost ? 1 : 0;
    stats_.shards_ended += why == ShardRun::Ending::kDone ? 1 : 0;
    stats_.handed_over += why == ShardRun::Ending::kStop && !stats_.stopped ? 1 : 0;
    const auto found = runs_.find(run.key());
    if (found != runs_.end() && found->second.get() == &run) {
      ended = std::move(found->second);
      runs_.erase(found);
    }
    stoppers_.WakeAll();
    look_again = why == ShardRun::Ending::kDone && !stats_.stopped;
  }
  if (why == ShardRun::Ending::kStreamGone) StopByItself();
  if (look_again) PostRound();  // for its children
}

// The stream is gone, or the broker: nobody is told, nothing is handed over.
void WorkerCore::StopByItself() {
  Runs dropped;  // die after the lock
  TimerId timer;
  {
    MutexLock lock(&mu_);
    stats_.stopped = true;
    dropped = std::exchange(runs_, {});
    timer = std::exchange(timer_, TimerId::kNone);
    for (const auto& [key, run] : dropped) {
      const ShardProgress progress = run->Progress(0);
      stats_.records += progress.records;
      stats_.failures += progress.failures;
    }
    stoppers_.WakeAll();
  }
  for (const auto& [key, run] : dropped) run->Abandon();
  const Gate::Pass pass = setup_->env->tasks.Enter();
  if (pass && timer != TimerId::kNone) setup_->env->runtime.Cancel(timer);
}

void WorkerCore::Abandon() {
  if (setup_->env->gate.Look() == Gate::Answer::kForked) return;
  {
    MutexLock lock(&mu_);
    abandoned_ = true;
  }
  StopByItself();
}

absl::Status WorkerCore::Stop(absl::Duration within, std::stop_token stop) {
  const ThreadToken here = ThisThread();
  Environment& env = *setup_->env;
  if (env.gate.Look() == Gate::Answer::kForked) return env.Refusal();
  // The broker may stop meanwhile: neither it nor its runtime can go before this pass counts.
  const Gate::Pass pass = env.tasks.Enter();
  if (!pass || env.gate.Look() != Gate::Answer::kOpen) {
    StopByItself();
    return absl::OkStatus();
  }
  const Gate::Guest guest(env.gate);
  {
    MutexLock lock(&mu_);
    if (abandoned_) return absl::OkStatus();
    stats_.stopped = true;
    stopping_.push_back(here);
    stoppers_.WakeAll();  // whoever waits for a processor of this thread need not any more
  }
  // No new runs: in a round that runs, BeginRun() looks at `stopped` under the lock.
  for (const auto& [key, run] : RunsNow()) run->End(ShardRun::Ending::kStop, /*at_once=*/true);
  GiveUpClaims();

  const Gate::Parked parked(env.gate, env.tasks);
  const absl::Duration deadline = env.runtime.Uptime() + std::max(within, absl::ZeroDuration());
  MutexLock lock(&mu_);
  const auto done = [this, here] {
    mu_.AssertHeld();
    return NobodyToWaitFor(here);
  };
  const bool over = env.runtime.Await(mu_, stoppers_, done, deadline, std::move(stop));
  const size_t still_running = runs_.size();
  stopping_.erase(std::find(stopping_.begin(), stopping_.end(), here));
  if (over) return absl::OkStatus();
  return absl::DeadlineExceededError(
      ToAbsl(StrCat(still_running, " shards are still in hand; they are given up at the end")));
}

bool WorkerCore::NobodyToWaitFor(ThreadToken here) const {
  const auto called_by = [](ThreadToken thread) {
    return [thread](const auto& entry) { return entry.second->is_called_by(thread); };
  };
  const bool from_a_processor = std::any_of(runs_.begin(), runs_.end(), called_by(here));
  if (!from_a_processor) return runs_.empty();
  // Processors that stop the worker, too, must not wait for each other.
  for (const auto& [key, run] : runs_) {
    const auto calls_it = [&run = *run](ThreadToken thread) { return run.is_called_by(thread); };
    if (std::none_of(stopping_.begin(), stopping_.end(), calls_it)) return false;
  }
  return true;
}

// What we asked for, and what was handed over to us and not begun.
void WorkerCore::GiveUpClaims() {
  const absl::StatusOr<LeaseTable::Content> content = setup_->table->Read();
  if (!content.ok()) return;  // then these leases go when nobody renews them
  const Runs runs = RunsNow();
  for (const auto& [key, lease] : content->leases) {
    const bool is_ours = lease.owner == setup_->owner && !runs.contains(key);
    if (!is_ours && lease.wanted_by != setup_->owner) continue;
    Lease given_up = lease;
    if (is_ours) given_up.owner = std::exchange(given_up.wanted_by, {});
    if (lease.wanted_by == setup_->owner) given_up.wanted_by.clear();
    setup_->table->Put(given_up).IgnoreError();
  }
}

WorkerStats WorkerCore::Stats() const {
  if (setup_->env->gate.Look() == Gate::Answer::kForked) return {};
  const Gate::Pass pass = setup_->env->tasks.Enter();
  const int64_t now_ns = pass ? setup_->env->runtime.Read().uptime_ns : 0;
  MutexLock lock(&mu_);
  WorkerStats stats = stats_;
  stats.stopped = stats.stopped || !pass;
  for (const auto& [key, run] : runs_) {
    stats.shards.push_back(run->Progress(now_ns));
    stats.records += stats.shards.back().records;
    stats.failures += stats.shards.back().failures;
  }
  return stats;
}

std::optional<SourceReader::Wiring> WorkerCore::GetWiring() const {
  {
    MutexLock lock(&mu_);
    if (stats_.stopped) return std::nullopt;
  }
  return Wiring{.kind = Kind::kWorker,
                .name = setup_->options.application,
                .source = setup_->stream.core()->arn_text()};
}

void WorkerCore::AddTo(BrokerMetrics* metrics) const {
  const std::string& application = setup_->options.application;
  const std::string& stream = setup_->stream.core()->name();
  std::vector<WorkerMetrics>& all = metrics->workers;
  auto found = std::find_if(all.begin(), all.end(), [&](const WorkerMetrics& of) {
    return of.application == application && of.stream_name == stream;
  });
  if (found == all.end()) {
    all.push_back({.application = application, .stream_name = stream});
    found = all.end() - 1;
  }
  const WorkerStats stats = Stats();
  found->records_processed += stats.records;
  found->lost_leases += stats.leases_lost;
  found->failures += stats.failures;
  found->leases_taken += stats.leases_taken;
  found->leases_handed_over += stats.handed_over;
  found->shards_ended += stats.shards_ended;
  found->num_workers += stats.stopped ? 0 : 1;
  found->current_leases += static_cast<int64_t>(stats.shards.size());
  for (const ShardProgress& shard : stats.shards) {
    found->millis_behind_latest = std::max(found->millis_behind_latest, shard.millis_behind_latest);
  }
}

}  // namespace banyan::inline v0_1::internal
