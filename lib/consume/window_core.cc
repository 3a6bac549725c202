// SPDX-License-Identifier: Apache-2.0
#include "consume/window_core.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/exceptions.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/back_off.h"
#include "consume/option_checks.h"
#include "message/errors.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr absl::Duration kLengthMax = absl::Hours(366 * 24);
constexpr int64_t kOverlapMax = 1'000;
constexpr int64_t kWindowsMax = 100'000'000;
constexpr size_t kKeyBytesMax = 1'024;
constexpr int64_t kArrivalNs = 1'000'000;  // arrivals are whole milliseconds
constexpr int64_t kNoTime = std::numeric_limits<int64_t>::min();

// C5: the first wait, which doubles up to the last.
constexpr int64_t kPatienceFirstNs = 5'000'000;
constexpr int64_t kPatienceLastNs = 1'000'000'000;

// How a batch comes again that found no room: the results before it must be handed over first.
constexpr Retry kWhenFull = {.first = absl::Milliseconds(100), .max = absl::Seconds(1)};

constexpr OptionChecks kWindowOption{AwsError::kFunctionInvalidParameterValue};

int64_t OverlapOf(const Windows& windows) {
  const auto length_ns = CeilNanoseconds(windows.length());
  const auto every_ns = CeilNanoseconds(windows.every());
  return (length_ns + every_ns - 1) / every_ns;
}

absl::Status ValidateWindowOptions(const WindowAggregateOptions& options) {
  const Windows& windows = options.windows;
  const absl::Duration smallest = absl::Nanoseconds(1);
  BANYAN_RETURN_IF_ERROR(
      kWindowOption.Between("Windows.Length", windows.length(), smallest, kLengthMax));
  BANYAN_RETURN_IF_ERROR(
      kWindowOption.Between("Windows.Every", windows.every(), smallest, windows.length()));
  const int64_t overlap = OverlapOf(windows);
  if (overlap > kOverlapMax) {
    return kWindowOption.Invalid("Windows.Every", SecondsText(windows.every()), "More than ",
                                 kOverlapMax, " windows would overlap.");
  }
  BANYAN_RETURN_IF_ERROR(
      kWindowOption.Between("Lateness", options.lateness, absl::ZeroDuration(), kLengthMax));
  BANYAN_RETURN_IF_ERROR(
      kWindowOption.Between("IdleAfter", options.idle_after, smallest, absl::InfiniteDuration()));
  BANYAN_RETURN_IF_ERROR(
      kWindowOption.Between("WindowsMax", options.windows_max, overlap, kWindowsMax));
  const double error = options.percentile_error;
  if (error != 0 && !(error >= 0.001 && error <= 0.1)) {
    return kWindowOption.Invalid("PercentileError", error, "Must be 0, or between 0.001 and 0.1.");
  }
  BANYAN_RETURN_IF_ERROR(kWindowOption.Between("Backoff.Max", options.backoff.max,
                                               absl::ZeroDuration(), absl::Hours(12)));
  BANYAN_RETURN_IF_ERROR(kWindowOption.Between("Backoff.First", options.backoff.first,
                                               absl::ZeroDuration(), options.backoff.max));
  return kWindowOption.Between("DrainWithin", options.drain_within, absl::ZeroDuration(),
                               absl::InfiniteDuration());
}

WindowTable::Rules RulesOf(const WindowAggregateOptions& options) {
  return {.kind = options.windows.kind(),
          .length_ns = CeilNanoseconds(options.windows.length()),
          .every_ns = CeilNanoseconds(options.windows.every()),
          .lateness_ns = CeilNanoseconds(options.lateness),
          .windows_max = static_cast<size_t>(options.windows_max),
          .percentile_error = options.percentile_error};
}

}  // namespace

absl::StatusOr<std::shared_ptr<WindowCore>> WindowCore::Start(const Stream& stream,
                                                              WindowAggregateOptions options,
                                                              WindowHandler handler) {
  if (stream.core() == nullptr) {
    return Error(AwsError::kStreamResourceNotFound, "The specified stream does not exist.");
  }
  const std::shared_ptr<Environment>& env = stream.core()->env();
  const Gate::Pass pass = env->gate.Enter();
  if (!pass) return env->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateWindowOptions(options));
  if (!handler) return kWindowOption.Invalid("Handler", "of no function", "Must be callable.");
  StreamMappingOptions source = {.name = options.name,
                                 .batch_size = options.batch_size,
                                 .start_at = options.start_at,
                                 .backoff = kWhenFull,
                                 .filters = options.filters,
                                 .drain_within = options.drain_within};
  auto core = std::make_shared<WindowCore>(stream, std::move(options), std::move(handler));
  // The core owns the mapping, so the mapping must not own the core.
  absl::StatusOr<StreamMapping> mapping = StreamMapping::Start(
      stream, std::move(source),
      StreamBatchHandler([weak = core->weak_from_this()](
                             const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
        const std::shared_ptr<WindowCore> self = weak.lock();
        if (self == nullptr) return absl::UnavailableError("the aggregate is gone");
        return self->Take(batch);
      }));
  if (!mapping.ok()) return mapping.status();
  auto shared = std::make_shared<StreamMapping>(*std::move(mapping));
  MutexLock lock(&core->mu_);
  core->mapping_ = std::move(shared);
  core->PostLook();  // what was taken meanwhile found no mapping to ask
  return core;
}

WindowCore::WindowCore(const Stream& stream, WindowAggregateOptions options, WindowHandler handler)
    : env_(stream.core()->env()),
      stream_(stream),
      options_(std::move(options)),
      handler_(std::move(handler)),
      table_(RulesOf(options_)),
      watermark_ns_(kNoTime),
      newest_ns_(kNoTime),
      last_taken_ns_(env_->runtime.Read().uptime_ns) {}

// --- Records -------------------------------------------------------------------------------------

absl::StatusOr<StreamBatchResult> WindowCore::Take(const StreamBatch& batch) {
  std::vector<std::optional<WindowSample>> samples;
  samples.reserve(batch.records.size());
  for (const Record& record : batch.records) samples.push_back(Read(record));

  StreamBatchResult result;
  MutexLock lock(&mu_);
  if (stopped_) return absl::UnavailableError("the aggregate has stopped");
  int64_t newest_ns = kNoTime;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!samples[i].has_value()) {
      ++stats_.unreadable;
      continue;
    }
    const WindowTable::Outcome outcome = table_.Add(*samples[i], watermark_ns_);
    if (outcome == WindowTable::Outcome::kNoRoom) {  // C1
      result.failures.push_back(batch.records[i].sequence());
      break;
    }
    const bool is_late = outcome == WindowTable::Outcome::kLate;
    ++(is_late ? stats_.late : stats_.records);
    if (outcome == WindowTable::Outcome::kPartlyLate) ++stats_.partly_late;
    newest_ns = std::max(newest_ns, samples[i]->time_ns);
  }
  if (uses_event_time()) {
    newest_ns_ = std::max(newest_ns_, newest_ns);
    int64_t& here = newest_of_shard_.try_emplace(batch.shard_id.index, kNoTime).first->second;
    here = std::max(here, newest_ns);
  }
  last_taken_ns_ = env_->runtime.Read().uptime_ns;
  patience_ns_ = 0;
  if (table_.has_waiting() && !delivering_) PostDeliver(last_taken_ns_);  // for want of room
  PostLook();
  return result;
}

std::optional<WindowSample> WindowCore::Read(const Record& record) const {
  const absl::StatusOr<WindowSample> sample =
      CallHandler<absl::StatusOr<WindowSample>>([&]() -> absl::StatusOr<WindowSample> {
        const absl::Time time =
            uses_event_time() ? options_.event_time(record) : record.arrival_time();
        return WindowSample{
            .key = options_.key ? options_.key(record) : std::string(record.partition_key()),
            .time_ns = absl::ToUnixNanos(time),
            .value = options_.value ? options_.value(record) : std::nullopt};
      });
  if (!sample.ok() || sample->key.size() > kKeyBytesMax) return std::nullopt;
  if (sample->time_ns < -kLatest || sample->time_ns > kLatest) return std::nullopt;
  return *sample;
}

// --- The watermark -------------------------------------------------------------------------------

WindowCore::Reach WindowCore::FindReach(StreamMapping& mapping, const Instant& now) const {
  const bool by_arrival = !uses_event_time();
  std::map<int64_t, int64_t> newest_of_shard;
  const int64_t now_ns = now.unix_ns - now.unix_ns % kArrivalNs;
  Reach reach = {.watermark_ns = now_ns};
  int64_t last_taken_ns;
  {
    MutexLock lock(&mu_);
    newest_of_shard = newest_of_shard_;
    last_taken_ns = last_taken_ns_;
    if (!by_arrival) reach.watermark_ns = std::min(newest_ns_, now_ns);
  }
  StreamCore& core = *stream_.core();
  const absl::StatusOr<std::vector<ShardInfo>> shards = stream_.ListShards();
  if (!shards.ok()) {
    return {.watermark_ns = kNoTime, .is_gone = true};
  }
  std::set<ShardId>& unfinished = reach.unfinished;
  bool trimmed_is_in_hand = false;  // of which nobody can say when it arrived
  int64_t next = 0;
  for (const ShardInfo& shard : *shards) {   // C2
    for (; next < shard.id.index; ++next) {  // expired, and so not listed; perhaps not done
      trimmed_is_in_hand = trimmed_is_in_hand || mapping.Checkpoint(ShardId{next}).has_value();
    }
    ++next;
    const std::optional<uint64_t> place = mapping.Checkpoint(shard.id);
    const auto is_unfinished = [&unfinished](const std::optional<ShardId>& parent) {
      return parent.has_value() && unfinished.contains(*parent);
    };
    const bool waits = is_unfinished(shard.parent) || is_unfinished(shard.adjacent_parent);
    if (!place.has_value() && !waits) continue;  // it is done
    unfinished.insert(shard.id);
    const absl::StatusOr<StreamCore::Reading> unread =
        core.ReadAt(static_cast<size_t>(shard.id.index), place.value_or(1) - 1, {1, 1}, now);
    if (!unread.ok()) {
      return {.watermark_ns = kNoTime, .is_gone = true};
    }
    const uint64_t first =
        unread->batch.empty() ? unread->end.position : unread->batch[0].sequence().number - 1;
    trimmed_is_in_hand = trimmed_is_in_hand || (place.has_value() && first >= *place);
    if (unread->batch.empty()) continue;
    const int64_t arrival_ns = absl::ToUnixNanos(unread->batch[0].arrival_time());
    reach.oldest_ns = std::min(reach.oldest_ns.value_or(arrival_ns), arrival_ns);
    const auto found = newest_of_shard.find(shard.id.index);
    const int64_t newest_ns = found == newest_of_shard.end() ? kNoTime : found->second;
    reach.watermark_ns = std::min(reach.watermark_ns, by_arrival ? arrival_ns : newest_ns);
  }
  const bool is_idle =
      !reach.oldest_ns.has_value() &&
      now.uptime_ns >= AddClamped(last_taken_ns, CeilNanoseconds(options_.idle_after));
  if (is_idle) reach.watermark_ns = now_ns;
  if (trimmed_is_in_hand) reach.watermark_ns = kNoTime;
  return reach;
}

void WindowCore::PostLook() {
  if (look_posted_ || stopped_) return;
  look_posted_ = true;
  env_->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<WindowCore> self = weak.lock()) self->Look();
  });
}

void WindowCore::Look() {
  const Gate::Pass pass = env_->tasks.Enter();
  Mapping mapping;
  Instant now;
  {
    MutexLock lock(&mu_);
    look_posted_ = false;
    if (!pass || env_->gate.Look() != Gate::Answer::kOpen) stopped_ = true;
    if (stopped_ || mapping_ == nullptr) return;
    now = env_->runtime.Read();
    const std::optional<int64_t> due_ns = table_.NextDue();
    // By arrival, most looks end here, before anybody is asked. Events tell what is late as well.
    const bool may_close = due_ns.has_value() && *due_ns <= now.unix_ns;
    if (may_close || uses_event_time()) mapping = mapping_;
  }
  Reach reach = {.watermark_ns = kNoTime};
  if (mapping != nullptr) reach = FindReach(*mapping, now);
  MutexLock lock(&mu_);
  stopped_ = stopped_ || reach.is_gone;
  if (stopped_) return;
  // One that began since comes back with its next batch, and holds the watermark until then.
  std::erase_if(newest_of_shard_, [&reach](const auto& shard) {
    return !reach.unfinished.contains(ShardId{shard.first});
  });
  watermark_ns_ = std::max(watermark_ns_, reach.watermark_ns);
  table_.CloseDue(watermark_ns_);
  if (flushing_) flushing_ = !table_.CloseAll();
  if (table_.has_waiting() && !delivering_) PostDeliver(now.uptime_ns);
  SetTimer(NextLook(now));
}

int64_t WindowCore::NextLook(const Instant& now) {
  const std::optional<int64_t> due_ns = table_.NextDue();
  if (!due_ns.has_value()) return kNever;
  int64_t at_ns = AddClamped(now.uptime_ns, *due_ns - now.unix_ns);
  if (uses_event_time()) {
    at_ns = std::max(at_ns, AddClamped(last_taken_ns_, CeilNanoseconds(options_.idle_after)));
  }
  if (at_ns > now.uptime_ns) {
    patience_ns_ = 0;
    return at_ns >= kLatest ? kNever : at_ns;
  }
  // Some shard is behind, or there is no room; the latter Deliver() tells us of.
  patience_ns_ = std::clamp(2 * patience_ns_, kPatienceFirstNs, kPatienceLastNs);
  return now.uptime_ns + patience_ns_;
}

// A timer that is too early is left alone: it looks again when it fires.
void WindowCore::SetTimer(int64_t at_ns) {
  if (at_ns >= timer_at_ns_) return;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_at_ns_ = at_ns;
  timer_ = env_->runtime.PostAt(FromNanoseconds(at_ns), [weak = weak_from_this(), at_ns] {
    const std::shared_ptr<WindowCore> self = weak.lock();
    if (self == nullptr) return;
    {
      MutexLock lock(&self->mu_);
      if (self->timer_at_ns_ == at_ns) {
        self->timer_ = TimerId::kNone;
        self->timer_at_ns_ = kNever;
      }
    }
    self->Look();
  });
}

// --- Results -------------------------------------------------------------------------------------

void WindowCore::PostDeliver(int64_t at_ns) {
  delivering_ = true;
  env_->runtime.PostAt(FromNanoseconds(at_ns), [weak = weak_from_this()] {
    if (const std::shared_ptr<WindowCore> self = weak.lock()) self->Deliver();
  });
}

// One result, so that other tasks have their turn.
void WindowCore::Deliver() {
  const Gate::Pass pass = env_->tasks.Enter();
  const Gate::Guest guest(env_->gate);
  RunningCall call;
  WindowResult* result;
  {
    MutexLock lock(&mu_);
    if (!pass || env_->gate.Look() != Gate::Answer::kOpen) stopped_ = true;
    if (stopped_ || !table_.has_waiting()) {
      delivering_ = false;
      return;
    }
    calls_.Begin(&call);  // from here on Stop() waits for us
    result = &table_.front();
  }
  const absl::Status answer = CallHandler<absl::Status>(handler_, *result);
  if (!answer.ok()) {
    env_->Log(
        LogSeverity::kWarning, stream_.name(),
        StrCat("the result of a window was refused, and comes again: ", ToStd(answer.message())));
  }
  std::optional<WindowResult> old;  // dies after the lock
  MutexLock lock(&mu_);
  calls_.End(&call);
  stoppers_.WakeAll();
  const int64_t now_ns = env_->runtime.Read().uptime_ns;
  int64_t next_ns = now_ns;
  if (answer.ok()) {
    old = std::move(*result);
    table_.PopFront();
    ++stats_.handed_over;
    failures_in_row_ = 0;
    PostLook();  // there is room now
  } else {
    ++result->attempt;
    ++stats_.failed_calls;
    next_ns = AddClamped(now_ns, CeilNanoseconds(BackOff(options_.backoff, ++failures_in_row_)));
  }
  delivering_ = false;
  if (!stopped_ && table_.has_waiting()) PostDeliver(next_ns);
}

void WindowCore::Flush() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;
  MutexLock lock(&mu_);
  if (stopped_) return;
  flushing_ = !table_.CloseAll();
  if (table_.has_waiting() && !delivering_) PostDeliver(env_->runtime.Read().uptime_ns);
}

absl::Status WindowCore::Stop(absl::Duration within, std::stop_token stop) {
  const ThreadToken here = ThisThread();
  std::optional<Gate::Pass> beside;
  Mapping mapping;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (pass.answer() == Gate::Answer::kForked) return env_->Refusal();
    MutexLock lock(&mu_);
    stopped_ = true;
    mapping = mapping_;
    // As in MappingCore::Stop(): who runs needs mu_ to leave, so the runtime stays until then.
    if (!calls_.NobodyToWaitFor(here)) beside.emplace(env_->tasks.EnterBeside());
  }
  const absl::Duration deadline =
      beside.has_value() ? env_->runtime.Uptime() + std::max(within, absl::ZeroDuration())
                         : absl::InfiniteDuration();
  const absl::Status stopped = mapping == nullptr ? absl::OkStatus() : mapping->Stop(within, stop);
  if (!beside.has_value()) return stopped;

  // Who stops the broker from one of those calls must not wait for us.
  const Gate::Guest guest(env_->gate);
  const Gate::Parked parked(env_->gate, env_->tasks);
  MutexLock lock(&mu_);
  calls_.EnterStop(here);
  stoppers_.WakeAll();
  const auto done = [this, here] {
    mu_.AssertHeld();
    return calls_.NobodyToWaitFor(here);
  };
  const bool is_done = env_->runtime.Await(mu_, stoppers_, done, deadline, std::move(stop));
  calls_.LeaveStop(here);
  if (is_done) return stopped;
  return absl::DeadlineExceededError("the function for results still runs");
}

// --- What is told --------------------------------------------------------------------------------

absl::Duration WindowCore::drain_within() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return absl::ZeroDuration();
  return options_.drain_within;
}

WindowStats WindowCore::Stats() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  Mapping mapping;
  WindowStats stats;
  {
    MutexLock lock(&mu_);
    mapping = mapping_;
    stats = stats_;
    stats.opened = table_.opened();
    stats.merged = table_.merged();
    stats.closed_early = table_.closed_early();
    stats.open = table_.open();
    stats.waiting = table_.waiting();
    if (watermark_ns_ != kNoTime) stats.watermark = absl::FromUnixNanos(watermark_ns_);
  }
  stats.mapping = mapping->Metrics();
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return stats;  // nobody reads any more, and the clock may be gone
  const Instant now = env_->runtime.Read();
  if (const auto oldest_ns = FindReach(*mapping, now).oldest_ns; oldest_ns.has_value()) {
    stats.behind_latest =
        std::max(now.time() - absl::FromUnixNanos(*oldest_ns), absl::ZeroDuration());
  }
  return stats;
}

}  // namespace banyan::inline v0_1::internal

namespace banyan::inline v0_1 {

WindowAggregate::WindowAggregate(std::shared_ptr<internal::WindowCore> core)
    : core_(std::move(core)) {}

WindowAggregate::WindowAggregate(WindowAggregate&&) noexcept = default;

WindowAggregate& WindowAggregate::operator=(WindowAggregate&& other) noexcept {
  // The swap leaves the old loop to a local, which stops it when this one has the new.
  WindowAggregate old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

WindowAggregate::~WindowAggregate() {
  if (core_ != nullptr) core_->Stop(core_->drain_within()).IgnoreError();
}

absl::StatusOr<WindowAggregate> WindowAggregate::Start(const Stream& stream,
                                                       WindowAggregateOptions options,
                                                       WindowHandler handler) {
  absl::StatusOr<std::shared_ptr<internal::WindowCore>> core =
      internal::WindowCore::Start(stream, std::move(options), std::move(handler));
  if (!core.ok()) return core.status();
  return WindowAggregate(*std::move(core));
}

void WindowAggregate::Flush() {
  if (core_ != nullptr) core_->Flush();
}

absl::Status WindowAggregate::Stop(absl::Duration within, std::stop_token stop) {
  return core_ == nullptr ? absl::OkStatus() : core_->Stop(within, std::move(stop));
}

WindowStats WindowAggregate::Stats() const {
  return core_ == nullptr ? WindowStats() : core_->Stats();
}

}  // namespace banyan::inline v0_1
