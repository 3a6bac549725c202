// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/mapping_run.cc -- floor 5: one call of a mapping's handler, from what is too old for it
// to what becomes of its answer.
//
//   the handler's answer                       records that are done     the others
//
//   OK                                         all
//   failures, all of them in the batch         before the lowest one     again
//   failures, one of them not in the batch     none                      again
//   no batch response (is_malformed)           none                      again
//   an error, a throw                          none                      again; "Unhandled"
//
// What "again" means, whole or in halves, when, and how often, is MappingLane::Settle()'s.
#include <algorithm>
#include <string>
#include <utility>

#include "base/exceptions.h"
#include "base/strings.h"
#include "consume/mapping_core.h"
#include "consume/mapping_json.h"

namespace banyan::inline v0_1::internal {

namespace {

// `fault`: why all of the batch failed, unless the answer says which records did.
MappingVerdict VerdictOn(absl::Span<const Record> records, absl::StatusOr<StreamBatchResult> answer,
                         std::string* fault) {
  if (!answer.ok()) {
    *fault = answer.status().ToString(absl::StatusToStringMode::kWithNoExtraData);
    return {.function_error = true};
  }
  if (answer->is_malformed) {
    *fault = "its answer is no batch response";
    return {};
  }
  size_t done = records.size();
  for (const SequenceNumber& failure : answer->failures) {
    const auto found = std::lower_bound(
        records.begin(), records.end(), failure.number,
        [](const Record& record, uint64_t number) { return record.sequence().number < number; });
    if (found == records.end() || found->sequence() != failure) {
      *fault = StrCat("it names ", failure.ToString(), " as failed, which is not in the batch");
      return {};
    }
    done = std::min(done, static_cast<size_t>(found - records.begin()));
  }
  return {.done = done, .failed = !answer->failures.empty(), .state = std::move(answer->state)};
}

}  // namespace

void MappingCore::RunLane(const LinePtr& line, size_t number) {
  const Gate::Pass pass = env_->tasks.Enter();  // P7
  if (!pass) return EndWithBroker();
  const Gate::Guest guest(env_->gate);
  if (BrokerStops()) StopByItself();
  const absl::StatusOr<StreamDescription> stream = stream_.Describe();
  if (!stream.ok()) StopByItself();  // it was deleted, though what is in hand can still be read
  const absl::Duration retention = stream.ok() ? stream->retention : absl::InfiniteDuration();
  Invocation invocation;
  MappingLane* lane;
  bool has_begun;
  {
    MutexLock lock(&mu_);
    lane = &line->lanes[number];
    has_begun = Begin(line.get(), lane, retention, &invocation);
  }
  if (has_begun) {
    if (!invocation.expired.is_nothing()) {
      GiveUp(*line, invocation.expired, kRecordAgeExceeded, invocation.options);
    }
    if (invocation.has_call) Call(line.get(), lane, invocation);
  }
  End(line, lane, &invocation);
}

// False: no call may begin any more.
bool MappingCore::Begin(Line* line, MappingLane* lane, absl::Duration retention,
                        Invocation* invocation) {
  calls_.Begin(&invocation->call);  // from here on Stop() waits for us
  if (!MayCall()) return false;
  invocation->options = options_;
  const Instant now = env_->runtime.Read();
  const absl::Duration age_max = std::min(options_->record_age_max, retention);
  invocation->expired = lane->TakeExpired(*options_, now.unix_ns - CeilNanoseconds(age_max));
  const MappingUnit& unit = lane->front();
  invocation->has_call = !unit.is_nothing();
  if (!invocation->has_call) {
    lane->DropFront();
    return true;
  }
  StreamBatch& batch = invocation->batch;
  batch.shard_id = line->shard;
  batch.records = unit.records;
  batch.attempt = unit.failures + 1;
  batch.stream_arn = stream_arn_;
  batch.function_arn = function_arn_;
  if (const LaneWindow* const window = lane->OpenWindow(*options_)) {
    invocation->state = window->state;
    batch.window = {.start = absl::FromUnixNanos(window->start_ns),
                    .end = absl::FromUnixNanos(window->start_ns) + options_->tumbling_window,
                    .state = invocation->state,
                    .is_final = unit.is_final,
                    .terminated_early = unit.is_final && window->terminated_early};
  }
  metrics_.invoked_event_count += static_cast<int64_t>(unit.records.size());
  if (!unit.records.empty()) {
    metrics_.iterator_age =
        std::max(now.time() - unit.records.back().arrival_time(), absl::ZeroDuration());
  }
  return true;
}

void MappingCore::Call(Line* line, MappingLane* lane, const Invocation& invocation) {
  const absl::Span<const Record> records = invocation.batch.records;
  absl::StatusOr<StreamBatchResult> answer =
      CallHandler<absl::StatusOr<StreamBatchResult>>(handler_, invocation.batch);
  std::string fault;
  const MappingVerdict verdict = VerdictOn(records, std::move(answer), &fault);
  if (!fault.empty()) {
    env_->Log(LogSeverity::kWarning, stream_arn_,
              StrCat(line->shard.ToString(), ": the handler of mapping ", invocation.options->name,
                     " failed at attempt ", invocation.batch.attempt, " with ", records.size(),
                     " records", records.empty() ? "" : " from ",
                     records.empty() ? "" : records.front().sequence().ToString(), ": ", fault));
  }
  const auto not_done = static_cast<int64_t>(records.size() - verdict.done);
  std::optional<MappingUnit> given_up;
  {
    MutexLock lock(&mu_);
    metrics_.handled += static_cast<int64_t>(verdict.done);
    if (verdict.failed) metrics_.failed_invoke_event_count += not_done;
    description_.last_processing_result = verdict.failed ? "PROBLEM: Function call failed" : "OK";
    if (!fault.empty()) description_.last_error = std::move(fault);
    given_up = lane->Settle(verdict, *invocation.options, env_->runtime.Read().uptime_ns);
  }
  if (given_up.has_value()) {
    GiveUp(*line, *given_up, kRetryAttemptsExhausted, invocation.options);
  }
}

void MappingCore::GiveUp(const Line& line, const MappingUnit& unit, std::string_view condition,
                         const Options& options) {
  const std::string shard = line.shard.ToString();
  if (unit.records.empty()) {
    env_->Log(LogSeverity::kWarning, stream_arn_,
              StrCat(shard, ": mapping ", options->name,
                     " failed to the end at the last call of a tumbling window (", condition,
                     "); its state is lost"));
    return;
  }
  const auto count = static_cast<int64_t>(unit.records.size());
  absl::Status sent = absl::OkStatus();
  if (options->on_failure.is_set()) {
    std::string function_arn;
    {
      MutexLock lock(&mu_);
      function_arn = function_arn_;
    }
    sent = options->on_failure.Send(
        FailureNoteText({.request_id = env_->ids.Next(),
                         .function_arn = function_arn,
                         .stream_arn = stream_arn_,
                         .condition = condition,
                         .invoke_count = unit.invoked ? std::max<int64_t>(1, unit.failures) : 0,
                         .function_error = unit.function_error,
                         .now = env_->runtime.Now(),
                         .shard = line.shard,
                         .records = unit.records}));
  }
  const bool is_delivered = options->on_failure.is_set() && sent.ok();
  if (!is_delivered) {
    env_->Log(LogSeverity::kWarning, stream_arn_,
              StrCat(shard, ": mapping ", options->name, " has dropped ", count, " records from ",
                     unit.records.front().sequence().ToString(), " on (", condition, ")",
                     sent.ok() ? "" : "; the destination said: ", ToStd(sent.message())));
  }
  MutexLock lock(&mu_);
  (is_delivered ? metrics_.on_failure_destination_delivered_event_count
                : metrics_.dropped_event_count) += count;
}

void MappingCore::End(const LinePtr& line, MappingLane* lane, Invocation* invocation) {
  Options old;  // dies after the lock
  MutexLock lock(&mu_);
  lane->running = false;
  --line->running;
  calls_.End(&invocation->call);
  old = ApplyChanges();
  if (MayCall()) Schedule(line);
  stoppers_.WakeAll();
}

}  // namespace banyan::inline v0_1::internal
