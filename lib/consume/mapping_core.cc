// SPDX-License-Identifier: Apache-2.0
#include "consume/mapping_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/mapping_json.h"
#include "consume/mapping_options.h"
#include "message/errors.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kFilteredPayload = "data";

// After a read that the stream's limits refused. Lambda asks each shard once a second.
constexpr absl::Duration kMappingPause = absl::Seconds(1);

// What a consumer may read at once after a pause: as much as is pushed to one.
constexpr int64_t kReadBurstNs = 1'000'000'000;

absl::Status CheckFilters(const StreamMappingOptions& options, const Limits& limits) {
  return RecordFilter::Make(options.filters, kFilteredPayload, limits).status();
}

ShardFilter::Kind ListingFor(const StartAt& start) {
  switch (start.kind()) {
    case StartAt::Kind::kLatest:
      return ShardFilter::Kind::kAtLatest;
    case StartAt::Kind::kAtTimestamp:
      return ShardFilter::Kind::kFromTimestamp;
    default:
      return ShardFilter::Kind::kFromTrimHorizon;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<MappingCore>> MappingCore::Start(const Stream& stream,
                                                                Consumer consumer,
                                                                StreamMappingOptions options,
                                                                StreamBatchHandler handler) {
  if (stream.core() == nullptr) {
    return Error(AwsError::kStreamResourceNotFound, "The specified stream does not exist.");
  }
  const std::shared_ptr<Environment>& env = stream.core()->env();
  const Gate::Pass pass = env->gate.Enter();
  if (!pass) return env->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateMappingOptions(options));
  if (!handler) {
    return Error(AwsError::kFunctionInvalidParameterValue,
                 "Value for parameter Handler is invalid. Reason: Must be callable.");
  }
  BANYAN_RETURN_IF_ERROR(CheckFilters(options, env->limits));
  if (consumer != nullptr) {
    BANYAN_ASSIGN_OR_RETURN(const StreamConsumerDescription described,
                            stream.core()->consumers().Describe(consumer));
    if (described.status != StreamConsumerStatus::kActive) {
      return Error(AwsError::kStreamResourceInUse, "Consumer ", consumer->arn_text,
                   " is not ACTIVE.");
    }
  }
  auto core = std::make_shared<MappingCore>(env, stream, std::move(consumer), std::move(options),
                                            std::move(handler));
  BANYAN_RETURN_IF_ERROR(core->FindShards());
  env->readers.Add(core);
  return core;
}

MappingCore::MappingCore(std::shared_ptr<Environment> env, Stream stream, Consumer consumer,
                         StreamMappingOptions options, StreamBatchHandler handler)
    : env_(std::move(env)),
      stream_(std::move(stream)),
      consumer_(std::move(consumer)),
      stream_arn_(stream_.arn().ToString()),
      handler_(std::move(handler)),
      options_(std::make_shared<const StreamMappingOptions>(std::move(options))),
      function_arn_(env_->MakeArn("lambda", StrCat("function:", options_->name)).ToString()),
      enabled_(options_->enabled) {
  description_.last_modified = env_->runtime.Now();
}

// The shards to begin with: of those that can be read from start_at on, the ones whose parents are
// not among them. The others begin as children.
absl::Status MappingCore::FindShards() {
  const StartAt start = [this] {
    MutexLock lock(&mu_);
    return options_->start_at;
  }();
  ShardFilter filter;
  filter.kind = ListingFor(start);
  filter.time = start.time();
  BANYAN_ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, stream_.ListShards(filter));
  std::set<int64_t> listed;
  for (const ShardInfo& shard : shards) listed.insert(shard.id.index);
  std::set<int64_t> finished;
  std::map<ShardId, uint64_t> roots;
  for (const ShardInfo& shard : shards) {
    bool is_root = true;
    for (const std::optional<ShardId>& parent : {shard.parent, shard.adjacent_parent}) {
      if (!parent.has_value()) continue;
      if (listed.contains(parent->index)) {
        is_root = false;
      } else {
        finished.insert(parent->index);
      }
    }
    if (!is_root) continue;
    // No iterator: of those a shard gives out five in a second.
    const absl::StatusOr<uint64_t> position =
        stream_.core()->Locate(shard.id, start, env_->runtime.Read());
    if (position.ok()) {
      roots[shard.id] = *position;
    } else if (position.status().code() == absl::StatusCode::kNotFound) {
      roots[shard.id] = 0;  // it has just expired, and reads as empty
    } else {
      return position.status();
    }
  }
  MutexLock lock(&mu_);
  finished_ = std::move(finished);
  for (const auto& [shard, position] : roots) {
    lines_[shard.index] = MakeLine(shard, position);
  }
  ScheduleAll();
  return absl::OkStatus();
}

// --- Lines ---------------------------------------------------------------------------------------

MappingCore::LinePtr MappingCore::MakeLine(ShardId shard, uint64_t position) const {
  auto line = std::make_shared<Line>();
  line->shard = shard;
  line->position = position;
  Furnish(line.get());
  return line;
}

// Lanes and filter as the options say.
void MappingCore::Furnish(Line* line) const {
  line->lanes.resize(static_cast<size_t>(options_->parallelization_factor));
  absl::StatusOr<std::unique_ptr<RecordFilter>> filter =
      RecordFilter::Make(options_->filters, kFilteredPayload, env_->limits);
  BANYAN_CHECK(filter.ok(), "filters were checked before");
  line->filter = *std::move(filter);
}

bool MappingCore::MayCall() const { return !stopped_ && enabled_ && update_ == nullptr; }

void MappingCore::Schedule(const LinePtr& line) {
  if (line->scheduled) return;
  line->scheduled = true;
  env_->runtime.Post([weak = weak_from_this(), line] {
    if (const std::shared_ptr<MappingCore> self = weak.lock()) self->Pump(line);
  });
}

void MappingCore::ScheduleAll() {
  for (const auto& [index, line] : lines_) Schedule(line);
}

bool MappingCore::WantsRecords(const Line& line, const Instant& now) const {
  // At its tip it sleeps, but for a window that has ended since it looked: something may have come
  // before that, and the wake for it be on its way.
  const bool sleeps =
      line.at_tip &&
      std::none_of(line.lanes.begin(), line.lanes.end(), [&](const MappingLane& lane) {
        mu_.AssertHeld();
        const int64_t end_ns = lane.WindowEnd(*options_);
        return line.read_unix_ns < end_ns && end_ns <= now.unix_ns;
      });
  return !line.ended && !sleeps && !line.reading && line.read_not_before_ns <= now.uptime_ns &&
         std::all_of(line.lanes.begin(), line.lanes.end(), [this](const MappingLane& lane) {
           mu_.AssertHeld();
           return lane.HasRoom(*options_);
         });
}

// One read at most, then a look at every lane.
void MappingCore::Pump(const LinePtr& line) {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return EndWithBroker();
  if (BrokerStops()) StopByItself();
  bool reads;
  uint64_t position;
  uint64_t round;
  int64_t limit;
  std::shared_ptr<RecordFilter> filter;
  const Instant now = env_->runtime.Read();
  {
    MutexLock lock(&mu_);
    line->scheduled = false;
    begun_ = true;
    if (!MayCall()) return;
    reads = WantsRecords(*line, now);
    if (reads) {
      line->reading = true;
      line->at_tip = false;  // nobody closes a window meanwhile
    }
    position = line->position;
    round = line->round;
    limit = std::min(options_->batch_size, env_->limits.stream.get_records_max);
    filter = line->filter;
  }
  if (reads && !Read(line, position, limit, round, filter.get())) return;
  bool waits = false;
  {
    MutexLock lock(&mu_);
    if (!MayCall()) return;
    Dispatch(line);
    if (WantsRecords(*line, now)) Schedule(line);  // not a loop: other tasks have their turn
    waits = line->at_tip && !line->registered;
    line->registered = line->registered || waits;
  }
  if (waits) AwaitRecords(line);
}

absl::StatusOr<MappingCore::Fetched> MappingCore::Fetch(const Line& line, uint64_t position,
                                                        int64_t limit, const Instant& now) const {
  StreamCore& stream = *stream_.core();
  if (consumer_ == nullptr) {
    BANYAN_ASSIGN_OR_RETURN(RecordBatch batch,
                            stream.GetRecords(stream.IteratorAt(line.shard, position), limit));
    return Fetched{.batch = std::move(batch)};
  }
  BANYAN_ASSIGN_OR_RETURN(const StreamConsumerDescription described,
                          stream.consumers().Describe(consumer_));
  if (described.status == StreamConsumerStatus::kDeleting) {
    return Error(AwsError::kStreamResourceNotFound, "Consumer ", consumer_->arn_text,
                 " is being deleted.");
  }
  const Limits::Stream& limits = env_->limits.stream;
  const bool strict = stream.options().shard_limits == ShardLimits::kStrict;
  const int64_t rate = strict ? limits.push_bytes_per_second : 0;
  const int64_t bytes = rate <= 0 ? limits.get_bytes_max : std::min(limits.get_bytes_max, rate);
  BANYAN_ASSIGN_OR_RETURN(
      StreamCore::Reading reading,
      stream.ReadAt(static_cast<size_t>(line.shard.index), position, {limit, bytes}, now));
  Fetched fetched = {.batch = std::move(reading.batch)};
  if (rate > 0) {
    fetched.cost_ns = static_cast<int64_t>(static_cast<double>(reading.end.bytes) * 1e9 /
                                           static_cast<double>(rate));
  }
  return fetched;
}

bool MappingCore::Read(const LinePtr& line, uint64_t position, int64_t limit, uint64_t round,
                       RecordFilter* filter) {
  const Instant now = env_->runtime.Read();
  absl::StatusOr<Fetched> read = Fetch(*line, position, limit, now);
  if (!read.ok()) {
    const bool is_throttled = read.status().code() == absl::StatusCode::kResourceExhausted;
    std::string name;
    {
      MutexLock lock(&mu_);
      name = options_->name;
      line->reading = false;
      if (is_throttled) {
        line->read_not_before_ns = AddClamped(now.uptime_ns, CeilNanoseconds(kMappingPause));
      }
    }
    if (is_throttled) return true;
    if (read.status().code() == absl::StatusCode::kNotFound) {
      env_->Log(LogSeverity::kInfo, stream_arn_,
                StrCat("mapping ", name, " stopped: ", read.status().ToString()));
    }
    StopByItself();
    return false;
  }
  const auto batch = std::make_shared<const RecordBatch>(std::move(read->batch));
  std::vector<const Record*> wanted;
  wanted.reserve(batch->size());
  for (const Record& record : *batch) {
    if (filter == nullptr || MatchesRecord(filter, record)) wanted.push_back(&record);
  }
  MutexLock lock(&mu_);
  line->reading = false;
  if (read->cost_ns > 0) {
    line->paid_until_ns = AddClamped(std::max(line->paid_until_ns, now.uptime_ns), read->cost_ns);
    line->read_not_before_ns = line->paid_until_ns - kReadBurstNs;
  }
  if (line->round != round) return true;  // P3: it went back meanwhile
  const auto count = static_cast<int64_t>(batch->size());
  metrics_.polled_event_count += count;
  metrics_.filtered_out_event_count += count - static_cast<int64_t>(wanted.size());
  for (const Record* record : wanted) {
    line->lanes[LaneOf(*line, *record)].Add(*record, batch, now.uptime_ns);
  }
  line->read_unix_ns = now.unix_ns;
  if (batch->next().has_value()) {
    line->position = StreamCore::PlaceOf(*batch->next());
    line->at_tip = batch->millis_behind_latest() == 0;
  } else {
    if (count > 0) line->position = (*batch)[batch->size() - 1].sequence().number;
    line->ended = true;
    line->children = batch->child_shards();
  }
  return true;
}

size_t MappingCore::LaneOf(const Line& line, const Record& record) const {
  if (line.lanes.size() == 1) return 0;
  // Other bytes than those that say which shard it is.
  const Md5Digest digest = Md5(record.partition_key());
  return (digest[14] * size_t{256} + digest[15]) % line.lanes.size();
}

void MappingCore::Dispatch(const LinePtr& line) {
  const Instant now = env_->runtime.Read();
  for (size_t i = 0; i < line->lanes.size(); ++i) {
    MappingLane& lane = line->lanes[i];
    lane.FormUnit(*options_, now, line->at_tip, line->ended);
    if (!lane.IsReady(now)) continue;
    lane.running = true;
    ++line->running;
    env_->runtime.Post([weak = weak_from_this(), line, i] {
      if (const std::shared_ptr<MappingCore> self = weak.lock()) self->RunLane(line, i);
    });
  }
  const bool is_done =
      line->ended && std::all_of(line->lanes.begin(), line->lanes.end(), [](const auto& lane) {
        return lane.idle() && !lane.has_window();
      });
  if (is_done) {
    Finish(line);
  } else {
    SetTimer(line, now);
  }
}

// For the next look. A timer that is too early is left alone: it looks again when it fires.
void MappingCore::SetTimer(const LinePtr& line, const Instant& now) {
  int64_t next_ns = kNever;
  for (const MappingLane& lane : line->lanes) {
    next_ns = std::min(next_ns, lane.NextLook(*options_, now, line->at_tip));
  }
  if (line->read_not_before_ns > now.uptime_ns && !line->ended) {
    next_ns = std::min(next_ns, line->read_not_before_ns);
  }
  if (next_ns >= line->timer_at_ns) return;
  if (line->timer != TimerId::kNone) env_->runtime.Cancel(line->timer);
  line->timer_at_ns = next_ns;
  line->timer = env_->runtime.PostAt(
      FromNanoseconds(next_ns),
      [weak = weak_from_this(), weak_line = std::weak_ptr<Line>(line), at_ns = next_ns] {
        const std::shared_ptr<MappingCore> self = weak.lock();
        const LinePtr its = weak_line.lock();
        if (self == nullptr || its == nullptr) return;
        {
          MutexLock lock(&self->mu_);
          if (its->timer_at_ns == at_ns) {
            its->timer = TimerId::kNone;
            its->timer_at_ns = kNever;
          }
        }
        self->Pump(its);
      });
}

// The stream looks again before it lets us sleep, so what was put since the read is not missed.
void MappingCore::AwaitRecords(const LinePtr& line) {
  uint64_t position;
  {
    MutexLock lock(&mu_);
    position = line->position;
  }
  // A strong reference would close a circle: what a line holds keeps the stream.
  const uint64_t wake =
      stream_.core()->WakeAt(static_cast<size_t>(line->shard.index), position,
                             [weak = weak_from_this(), weak_line = std::weak_ptr<Line>(line)] {
                               const std::shared_ptr<MappingCore> self = weak.lock();
                               const LinePtr its = weak_line.lock();
                               if (self == nullptr || its == nullptr) return;
                               {
                                 MutexLock lock(&self->mu_);
                                 its->registered = false;
                                 its->at_tip = false;
                               }
                               self->Pump(its);
                             });
  bool has_stopped;
  {
    MutexLock lock(&mu_);
    line->wake = std::max(line->wake, wake);  // it may have come, and another be registered
    has_stopped = stopped_;
  }
  if (has_stopped) stream_.core()->CancelWake(static_cast<size_t>(line->shard.index), wake);
}

void MappingCore::CancelWakes() {
  std::vector<std::pair<size_t, uint64_t>> wakes;
  {
    MutexLock lock(&mu_);
    for (const auto& [index, line] : lines_) {
      wakes.emplace_back(static_cast<size_t>(index), line->wake);
    }
  }
  for (const auto& [shard, wake] : wakes) stream_.core()->CancelWake(shard, wake);
}

// P5.
void MappingCore::Finish(const LinePtr& line) {
  const auto found = lines_.find(line->shard.index);
  if (found == lines_.end() || found->second != line) return;
  lines_.erase(found);
  if (line->timer != TimerId::kNone) env_->runtime.Cancel(line->timer);
  finished_.insert(line->shard.index);
  for (const ChildShard& child : line->children) {
    const bool may_begin =
        std::all_of(child.parents.begin(), child.parents.end(), [this](const ShardId& parent) {
          mu_.AssertHeld();
          return finished_.contains(parent.index);
        });
    if (!may_begin) continue;
    const LinePtr next = MakeLine(child.id, 0);
    lines_[child.id.index] = next;
    Schedule(next);
  }
}

uint64_t MappingCore::PlaceOf(const Line& line) const {
  uint64_t place = line.position;
  for (const MappingLane& lane : line.lanes) {
    const Record* const lowest = lane.Lowest();
    if (lowest != nullptr) place = std::min(place, lowest->sequence().number - 1);
  }
  return place;
}

// --- Changes -------------------------------------------------------------------------------------

void MappingCore::Rewind(Line* line) {
  const uint64_t place = PlaceOf(*line);
  for (MappingLane& lane : line->lanes) {
    metrics_.polled_event_count -= lane.held();
    lane.Clear();
  }
  ++line->round;
  if (line->timer != TimerId::kNone) env_->runtime.Cancel(line->timer);
  line->timer = TimerId::kNone;
  line->timer_at_ns = kNever;
  if (place == line->position) return;  // nothing was held, and a wake may be registered for it
  line->position = place;
  line->at_tip = false;
  line->ended = false;
}

MappingCore::Options MappingCore::ApplyChanges() {
  if (MayCall()) return nullptr;
  bool none_runs = true;
  for (const auto& [index, line] : lines_) {
    if (line->running == 0) Rewind(line.get());
    none_runs = none_runs && line->running == 0;
  }
  if (update_ == nullptr || !none_runs) return nullptr;
  const Options old = std::exchange(options_, std::exchange(update_, nullptr));
  function_arn_ = env_->MakeArn("lambda", StrCat("function:", options_->name)).ToString();
  for (const auto& [index, line] : lines_) {
    Furnish(line.get());
    if (options_->tumbling_window == old->tumbling_window) continue;
    for (MappingLane& lane : line->lanes) lane.CloseWindow();
  }
  if (MayCall()) ScheduleAll();
  return old;
}

void MappingCore::Disable() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;  // it has stopped
  Options old;        // dies after the lock
  MutexLock lock(&mu_);
  enabled_ = false;
  description_.last_modified = env_->runtime.Now();
  old = ApplyChanges();
}

void MappingCore::Enable() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;
  MutexLock lock(&mu_);
  enabled_ = true;
  description_.last_modified = env_->runtime.Now();
  if (MayCall()) ScheduleAll();
}

absl::Status MappingCore::Update(StreamMappingOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateMappingOptions(options));
  BANYAN_RETURN_IF_ERROR(CheckFilters(options, env_->limits));
  Options newer = std::make_shared<const StreamMappingOptions>(std::move(options));
  Options old;
  MutexLock lock(&mu_);
  if (stopped_) {
    return Error(AwsError::kFunctionResourceNotFound, "The mapping ", options_->name,
                 " is being deleted.");
  }
  std::swap(update_, newer);
  description_.last_modified = env_->runtime.Now();
  old = ApplyChanges();
  return absl::OkStatus();
}

void MappingCore::StopByItself() {
  {
    Options old;  // dies after the lock
    MutexLock lock(&mu_);
    stopped_ = true;
    old = ApplyChanges();
  }
  CancelWakes();
}

// The broker is gone, and its runtime may be: only our own state is touched, no timer is cancelled.
void MappingCore::EndWithBroker() {
  CancelWakes();
  std::map<int64_t, LinePtr> dropped;  // die after the lock
  MutexLock lock(&mu_);
  stopped_ = true;
  dropped = std::exchange(lines_, {});
  for (const auto& [index, line] : dropped) {
    for (const MappingLane& lane : line->lanes) metrics_.polled_event_count -= lane.held();
  }
}

absl::Status MappingCore::Stop(absl::Duration within, std::stop_token stop) {
  const ThreadToken here = ThisThread();
  std::optional<Gate::Pass> beside;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (pass.answer() == Gate::Answer::kForked) return env_->Refusal();
    if (pass) StopByItself();
    MutexLock lock(&mu_);
    stopped_ = true;
    // The broker may stop meanwhile, or have stopped. The handlers we wait for need mu_ to leave its
    // gates, so neither it nor its runtime can go before this pass counts as well.
    if (!calls_.NobodyToWaitFor(here)) beside.emplace(env_->tasks.EnterBeside());
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
  const bool is_done = env_->runtime.Await(mu_, stoppers_, done, deadline, std::move(stop));
  calls_.LeaveStop(here);
  if (is_done) return absl::OkStatus();
  return absl::DeadlineExceededError(
      ToAbsl(StrCat(calls_.size() - calls_.CallsOf(here),
                    " handlers still run; their answers count at the end")));
}

// --- What is told --------------------------------------------------------------------------------

absl::Duration MappingCore::drain_within() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return absl::ZeroDuration();
  MutexLock lock(&mu_);
  return options_->drain_within;
}

MappingDescription MappingCore::Describe() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  MutexLock lock(&mu_);
  MappingDescription description = description_;
  if (stopped_) {
    description.state = MappingState::kDeleting;
  } else if (update_ != nullptr) {
    description.state = MappingState::kUpdating;
  } else if (!enabled_) {
    description.state = calls_.empty() ? MappingState::kDisabled : MappingState::kDisabling;
  } else {
    description.state = begun_ ? MappingState::kEnabled : MappingState::kCreating;
  }
  return description;
}

MappingMetrics MappingCore::Metrics() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  std::vector<std::pair<ShardId, uint64_t>> places;
  MappingMetrics metrics;
  {
    MutexLock lock(&mu_);
    metrics = metrics_;
    metrics.function_name = options_->name;
    metrics.running = calls_.size();
    for (const auto& [index, line] : lines_) {
      for (const MappingLane& lane : line->lanes) metrics.in_hand += lane.held();
      places.emplace_back(line->shard, PlaceOf(*line));
    }
  }
  metrics.stream_name = stream_.core()->name();
  const Instant now = env_->runtime.Read();
  for (const auto& [shard, place] : places) {
    metrics.offset_lag += static_cast<int64_t>(stream_.core()->RecordsFrom(shard, place));
    const absl::StatusOr<StreamCore::Reading> oldest =
        stream_.core()->ReadAt(static_cast<size_t>(shard.index), place, {1, 1}, now);
    if (!oldest.ok() || oldest->batch.empty()) continue;
    metrics.behind_latest =
        std::max(metrics.behind_latest, now.time() - oldest->batch[0].arrival_time());
  }
  return metrics;
}

std::optional<SourceReader::Wiring> MappingCore::GetWiring() const {
  MutexLock lock(&mu_);
  if (stopped_) return std::nullopt;
  return Wiring{.kind = Kind::kMapping,
                .name = options_->name,
                .source = stream_arn_,
                .failures = options_->on_failure.arn(),
                .enabled = enabled_};
}

void MappingCore::AddTo(BrokerMetrics* metrics) const {
  const MappingMetrics its = Metrics();
  std::vector<MappingMetrics>& all = metrics->mappings;
  const auto found = std::find_if(all.begin(), all.end(), [&](const MappingMetrics& of) {
    return of.function_name == its.function_name && of.stream_name == its.stream_name;
  });
  if (found == all.end()) {
    all.push_back(its);
    return;
  }
  found->polled_event_count += its.polled_event_count;
  found->filtered_out_event_count += its.filtered_out_event_count;
  found->invoked_event_count += its.invoked_event_count;
  found->failed_invoke_event_count += its.failed_invoke_event_count;
  found->dropped_event_count += its.dropped_event_count;
  found->on_failure_destination_delivered_event_count +=
      its.on_failure_destination_delivered_event_count;
  found->handled += its.handled;
  found->iterator_age = std::max(found->iterator_age, its.iterator_age);
  found->offset_lag += its.offset_lag;
  found->in_hand += its.in_hand;
  found->running += its.running;
}

std::optional<uint64_t> MappingCore::Checkpoint(ShardId shard) const {
  if (env_->gate.Look() == Gate::Answer::kForked) return std::nullopt;
  MutexLock lock(&mu_);
  const auto found = lines_.find(shard.index);
  if (found == lines_.end()) return std::nullopt;
  return PlaceOf(*found->second) + 1;
}

}  // namespace banyan::inline v0_1::internal
