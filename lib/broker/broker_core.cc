// SPDX-License-Identifier: Apache-2.0
#include "broker/broker_core.h"

#include <algorithm>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/registry.h"
#include "consume/lease_table.h"
#include "deliver/function_core.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/event.h"
#include "route/event_bus_core.h"
#include "route/scheduler_core.h"
#include "route/topic_core.h"
#include "storage/lease_store.h"
#include "stream/core.h"
#include "stream/page_token.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kDefaultBus = "default";

absl::Status ValidateBrokerOptions(const BrokerOptions& options) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (options.account.size() != 12 ||
      !std::all_of(options.account.begin(), options.account.end(), is_digit)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", options.account,
                 " for parameter Account is invalid. Reason: Must be twelve digits.");
  }
  const auto is_region_char = [is_digit](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
  };
  if (options.region.empty() ||
      !std::all_of(options.region.begin(), options.region.end(), is_region_char)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", options.region,
                 " for parameter Region is invalid. Reason: Must be lower-case letters, digits and"
                 " hyphens, at least one.");
  }
  const std::string& url = options.endpoint_url;
  constexpr size_t kUrlMax = 1'000;
  const bool is_url = (url.starts_with("http://") || url.starts_with("https://")) &&
                      url.size() <= kUrlMax && std::all_of(url.begin(), url.end(), [](char c) {
                        return c > ' ' && c < '\x7F' && c != '?' && c != '#';
                      });
  if (!url.empty() && !is_url) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", url,
                 " for parameter EndpointUrl is invalid. Reason: Must begin with http:// or"
                 " https:// and have no query, at most ",
                 kUrlMax, " characters.");
  }
  const StoryOptions& story = options.story;
  if (story.events_max < 0 || story.bytes_max < 1 || story.steps_max < 1) {
    return Error(AwsError::kQueueInvalidParameterValue,
                 "Value for parameter Story is invalid. Reason: events_max must be at least 0,"
                 " bytes_max and steps_max at least 1.");
  }
  return absl::OkStatus();
}

// What CreateX asks of what is there already. As on AWS, only attributes that were given count; a
// field that has its default was not given.
template <typename Options, typename Field>
bool Differs(const Options& asked, const Options& stored, Field Options::*field) {
  return asked.*field != stored.*field && asked.*field != Options().*field;
}

bool HasDifference(const StreamOptions& asked, const StreamOptions& stored) {
  return Differs(asked, stored, &StreamOptions::shards) ||
         Differs(asked, stored, &StreamOptions::retention) ||
         Differs(asked, stored, &StreamOptions::record_bytes_max) ||
         Differs(asked, stored, &StreamOptions::shard_bytes_max) ||
         Differs(asked, stored, &StreamOptions::when_full) ||
         Differs(asked, stored, &StreamOptions::shard_limits) ||
         Differs(asked, stored, &StreamOptions::mode) ||
         Differs(asked, stored, &StreamOptions::on_demand);
}

absl::Status NoBus(std::string_view name) {
  return Error(AwsError::kBusResourceNotFound, "Event bus ", name, " does not exist.");
}
absl::Status NoStream(std::string_view name, std::string_view account) {
  return Error(AwsError::kStreamResourceNotFound, "Stream ", name, " under account ", account,
               " not found.");
}
absl::Status NoFunction(std::string_view name) {
  return Error(AwsError::kFunctionResourceNotFound, "Function not found: ", name);
}

// What is there under the name, as a handle, if it is what was asked for.
absl::StatusOr<EventBus> Open(std::shared_ptr<EventBusCore> core, const EventBusOptions& asked) {
  if (Differs(asked, core->options(), &EventBusOptions::description)) {
    return Error(AwsError::kBusResourceAlreadyExists, "Event bus ", core->name(),
                 " already exists.");
  }
  return EventBus(std::move(core));
}

absl::StatusOr<Stream> Open(std::shared_ptr<StreamCore> core, const StreamOptions& asked) {
  BANYAN_ASSIGN_OR_RETURN(const StreamOptions stored, core->Options());
  if (HasDifference(asked, stored)) {
    return Error(AwsError::kStreamResourceInUse, "Stream ", core->name(), " under account ",
                 core->arn().account, " already exists.");
  }
  return Stream(std::move(core));
}

}  // namespace

// --- Making --------------------------------------------------------------------------------------

absl::StatusOr<std::shared_ptr<BrokerCore>> BrokerCore::Create(Runtime& runtime,
                                                               BrokerOptions options,
                                                               Journal* journal) {
  BANYAN_RETURN_IF_ERROR(ValidateBrokerOptions(options));
  auto env = std::make_shared<Environment>(runtime, options.limits, runtime.Random());
  env->leases = NewMemoryLeaseStore();
  env->account = std::move(options.account);
  env->region = std::move(options.region);
  env->log = options.log;
  env->tap = options.tap;
  env->journal = journal;
  env->http_transport = options.http_transport;
  env->endpoint_url = std::move(options.endpoint_url);
  while (env->endpoint_url.ends_with('/')) env->endpoint_url.pop_back();
  env->notification_signer = std::move(options.notification_signer);
  if (options.story.events_max > 0) env->story = std::make_unique<Storyteller>(options.story);
  auto core = std::make_shared<BrokerCore>(std::move(env));
  MutexLock lock(&core->mu_);
  core->AddBuiltIns(&core->registry_);
  return core;
}

absl::StatusOr<Broker> BrokerCore::CreateBroker(Runtime& runtime, BrokerOptions options,
                                                Journal* journal) {
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<BrokerCore> core,
                          Create(runtime, std::move(options), journal));
  return Broker(std::move(core));
}

void BrokerCore::AddBuiltIns(Registry* registry) const {
  registry->scheduler = SchedulerCore::Create(env_);
  registry->buses.emplace(kDefaultBus,
                          EventBusCore::Create(env_, std::string(kDefaultBus), EventBusOptions(),
                                               registry->scheduler->timetable()));
}

// --- Buses ---------------------------------------------------------------------------------------

absl::StatusOr<EventBus> BrokerCore::CreateEventBus(std::string_view name,
                                                    const EventBusOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateEventBusName(name, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateEventBusOptions(options));
  if (std::shared_ptr<EventBusCore> there = Find(&Registry::buses, name)) {
    return Open(std::move(there), options);
  }
  const std::shared_ptr<EventBusCore> made = EventBusCore::Create(env_, std::string(name), options);
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<EventBusCore> entered,
                          Enter(&Registry::buses, name, made, env_->limits.broker.buses_max,
                                AwsError::kBusLimitExceeded));
  return Open(std::move(entered), options);
}

absl::StatusOr<EventBus> BrokerCore::FindEventBus(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<EventBusCore> core = Find(&Registry::buses, name);
  if (core == nullptr) return NoBus(name);
  return EventBus(std::move(core));
}

std::shared_ptr<EventBusCore> BrokerCore::FindBusByNameOrArn(std::string_view text) const {
  if (!text.starts_with("arn:")) return Find(&Registry::buses, text.empty() ? kDefaultBus : text);
  std::shared_ptr<EventBusCore> bus = Find(&Registry::buses, text.substr(text.rfind('/') + 1));
  return bus != nullptr && bus->arn_text() == text ? bus : nullptr;
}

absl::StatusOr<std::vector<absl::StatusOr<Id>>> BrokerCore::PutEvents(
    absl::Span<const BusEntry> entries) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(AdmitEntries(
      entries.size(), [entries](size_t i) -> const EventEntry& { return entries[i].entry; },
      *env_));
  const Instant now = env_->runtime.Read();
  std::vector<absl::StatusOr<Id>> answers;
  answers.reserve(entries.size());
  for (const auto& [bus_name, entry] : entries) {
    absl::StatusOr<Event> event = MakeEvent(entry, env_->ids.Next(), now.time(), *env_);
    if (!event.ok()) {
      env_->put_events.failed_entries.fetch_add(1, std::memory_order_relaxed);
      answers.push_back(event.status());
      continue;
    }
    const Id id = event->id;
    answers.push_back(id);
    const std::shared_ptr<EventBusCore> bus = FindBusByNameOrArn(bus_name);
    if (bus == nullptr || !bus->Take(*std::move(event), entry.trace_header, now)) {
      env_->Log(
          LogSeverity::kError, {},
          StrCat("dropped event ", id.ToString(), ": event bus ", bus_name, " does not exist"));
    }
  }
  return answers;
}

std::vector<EventBus> BrokerCore::ListEventBuses(std::string_view prefix) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  return AsHandles<EventBus>(List(&Registry::buses, prefix));
}

absl::Status BrokerCore::DeleteEventBus(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (name == kDefaultBus) {
    return Error(AwsError::kBusValidation, "Cannot delete event bus ", name, ".");
  }
  const std::shared_ptr<EventBusCore> found = Find(&Registry::buses, name);
  if (found == nullptr) return NoBus(name);
  if (found->Stats().rules > 0) {
    return Error(AwsError::kBusValidation, "Event bus ", name,
                 " can't be deleted since it has rules.");
  }
  const std::shared_ptr<EventBusCore> core = TakeOut(&Registry::buses, name);
  if (core == nullptr) return NoBus(name);
  core->Close(CloseKind::kDeleted);
  return absl::OkStatus();
}

// --- Streams -------------------------------------------------------------------------------------

absl::StatusOr<Stream> BrokerCore::CreateStream(std::string_view name,
                                                const StreamOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateStreamName(name, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateStreamOptions(options, env_->limits));
  MutexLock lock(&create_stream_mu_);
  if (std::shared_ptr<StreamCore> there = Find(&Registry::streams, name)) {
    return Open(std::move(there), options);
  }
  BANYAN_RETURN_IF_ERROR(CheckMayCreateStream());
  const std::shared_ptr<StreamCore> made = StreamCore::Create(env_, std::string(name), options);
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<StreamCore> entered,
                          Enter(&Registry::streams, name, made, env_->limits.broker.streams_max,
                                AwsError::kStreamLimitExceeded));
  return Open(std::move(entered), options);
}

absl::Status BrokerCore::CheckMayCreateStream() const {
  const Limits::Stream& limits = env_->limits.stream;
  if (limits.transition_time <= absl::ZeroDuration()) return absl::OkStatus();  // none is CREATING
  int64_t creating = 0;
  for (const std::shared_ptr<StreamCore>& stream : List(&Registry::streams, {})) {
    const absl::StatusOr<StreamDescription> its = stream->Describe();
    if (its.ok() && its->status == StreamStatus::kCreating) ++creating;
  }
  if (creating < limits.creating_max) return absl::OkStatus();
  return Error(AwsError::kStreamLimitExceeded, "Account ", env_->account, " has ", creating,
               " streams in state CREATING, the limit is ", limits.creating_max, ".");
}

absl::StatusOr<Stream> BrokerCore::FindStream(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<StreamCore> core = Find(&Registry::streams, name);
  if (core == nullptr) return NoStream(name, env_->account);
  return Stream(std::move(core));
}

std::vector<Stream> BrokerCore::ListStreams(std::string_view prefix) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  return AsHandles<Stream>(List(&Registry::streams, prefix));
}

absl::StatusOr<StreamPage> BrokerCore::ListStreamsPage(const ListStreamsOptions& options) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckPageSize("limit", options.max_results));
  BANYAN_RETURN_IF_ERROR(CheckTokenIsAlone(options.next_token, !options.exclusive_start.empty(),
                                           "ExclusiveStartStreamName"));
  const Instant now = env_->runtime.Read();
  const PageOf list = {PageOf::Kind::kStreams, /*incarnation=*/0};
  std::string after = options.exclusive_start;
  if (!options.next_token.empty()) {
    BANYAN_ASSIGN_OR_RETURN(after, ReadPageToken(list, options.next_token, now, env_->limits));
  }
  if (!after.empty()) BANYAN_RETURN_IF_ERROR(ValidateStreamName(after, env_->limits));
  const int64_t most = std::min(options.max_results, env_->limits.stream.page_max);
  StreamPage page;
  MutexLock lock(&mu_);
  for (auto at = registry_.streams.upper_bound(after); at != registry_.streams.end(); ++at) {
    if (static_cast<int64_t>(page.streams.size()) == most) {
      page.next_token = WritePageToken(list, page.streams.back().name(), now);
      break;
    }
    page.streams.emplace_back(at->second);
  }
  return page;
}

absl::Status BrokerCore::DeleteStream(std::string_view name, const DeleteStreamOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<StreamCore> core;
  {
    // Whoever asks whether it may go takes it out, so that it is the same stream.
    MutexLock lock(&mu_);
    const auto found = registry_.streams.find(name);
    if (found == registry_.streams.end()) return NoStream(name, env_->account);
    BANYAN_RETURN_IF_ERROR(
        found->second->consumers().AllowDeletion(options.enforce_consumer_deletion));
    core = std::move(found->second);
    registry_.streams.erase(found);
  }
  core->Close(CloseKind::kDeleted);
  LeaseTable::RemoveAll(*env_->leases, *core);
  return absl::OkStatus();
}

// --- Functions -----------------------------------------------------------------------------------

absl::StatusOr<Function> BrokerCore::CreateFunction(std::string_view name,
                                                    const FunctionOptions& options,
                                                    FunctionHandler handler) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateFunctionName(name));
  BANYAN_RETURN_IF_ERROR(ValidateFunctionOptions(options));
  if (!handler) {
    return Error(AwsError::kFunctionInvalidParameterValue,
                 "Value for parameter Handler is invalid. Reason: Must be callable.");
  }
  const std::shared_ptr<FunctionCore> made =
      FunctionCore::Create(env_, std::string(name), options, std::move(handler));
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<FunctionCore> entered,
                          Enter(&Registry::functions, name, made, env_->limits.broker.functions_max,
                                AwsError::kFunctionTooManyRequests));
  if (entered != made) {
    return Error(AwsError::kFunctionResourceConflict, "Function already exist: ", name);
  }
  return Function(std::move(entered));
}

absl::StatusOr<Function> BrokerCore::FindFunction(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<FunctionCore> core = Find(&Registry::functions, name);
  if (core == nullptr) return NoFunction(name);
  return Function(std::move(core));
}

std::vector<Function> BrokerCore::ListFunctions(std::string_view prefix) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  return AsHandles<Function>(List(&Registry::functions, prefix));
}

absl::Status BrokerCore::DeleteFunction(std::string_view name, std::stop_token stop) {
  std::optional<Sleepers::Bed> bed;
  std::shared_ptr<FunctionCore> core;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (!pass) return env_->Refusal();
    core = TakeOut(&Registry::functions, name);
    if (core == nullptr) return NoFunction(name);
    core->Close(CloseKind::kDeleted);
    // What the handler refers to may go when we return. On top of a handler there is no waiting:
    // two that delete each other's function would do so for ever.
    if (env_->gate.ThisThreadIsGuest()) return absl::OkStatus();
    bed.emplace(env_->sleepers);
  }
  // Without the pass: a handler of the function may be stopping the broker.
  if (core->AwaitIdle(absl::InfiniteDuration(), std::move(stop))) return absl::OkStatus();
  return absl::CancelledError("the function is deleted; its handlers still run");
}

// --- Schedules -----------------------------------------------------------------------------------

std::shared_ptr<SchedulerCore> BrokerCore::Scheduler() const {
  // A forked child must not touch the lock.
  if (env_->gate.Look() == Gate::Answer::kForked) return nullptr;
  MutexLock lock(&mu_);
  return registry_.scheduler;
}

absl::StatusOr<Arn> BrokerCore::CreateSchedule(std::string_view name,
                                               const ScheduleOptions& options) {
  const std::shared_ptr<SchedulerCore> scheduler = Scheduler();
  if (scheduler == nullptr) return env_->Refusal();
  return scheduler->CreateSchedule(name, options);
}

absl::Status BrokerCore::UpdateSchedule(std::string_view name, const ScheduleOptions& options) {
  const std::shared_ptr<SchedulerCore> scheduler = Scheduler();
  if (scheduler == nullptr) return env_->Refusal();
  return scheduler->UpdateSchedule(name, options);
}

absl::Status BrokerCore::DeleteSchedule(std::string_view name) {
  const std::shared_ptr<SchedulerCore> scheduler = Scheduler();
  if (scheduler == nullptr) return env_->Refusal();
  return scheduler->DeleteSchedule(name);
}

absl::StatusOr<Schedule> BrokerCore::GetSchedule(std::string_view name) const {
  const std::shared_ptr<SchedulerCore> scheduler = Scheduler();
  if (scheduler == nullptr) return env_->Refusal();
  return scheduler->GetSchedule(name);
}

std::vector<Schedule> BrokerCore::ListSchedules(std::string_view prefix) const {
  const std::shared_ptr<SchedulerCore> scheduler = Scheduler();
  if (scheduler == nullptr) return {};
  return scheduler->ListSchedules(prefix);
}

// --- The end -------------------------------------------------------------------------------------

StopReport BrokerCore::Stop(absl::Duration drain_within, std::stop_token stop) {
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  const Gate::Parked parked(env_->gate, env_->tasks);  // if a handler calls, nobody waits for it
  {
    MutexLock lock(&mu_);
    if (stopping_) {
      if (report_.has_value()) return *report_;
      const auto reported = [this] {
        mu_.AssertHeld();
        return report_.has_value();
      };
      env_->runtime.Await(mu_, report_waiters_, reported, absl::InfiniteDuration());
      return *report_;
    }
    stopping_ = true;
  }
  const absl::Duration deadline =
      env_->runtime.Uptime() + std::max(drain_within, absl::ZeroDuration());

  // Nothing new. Whoever waits for messages is sent home; consumers stop when they are.
  env_->gate.Close();
  env_->tasks.Watch();
  SendSleepersHome();

  // Calls and handlers end, pending deliveries are tried.
  AwaitQuiet(deadline, stop);

  // Time is up, or all is done. What begins from here on is turned away.
  env_->tasks.Close();
  const int64_t calls_running = env_->gate.InsideOrParked() + env_->tasks.InsideOrParked();
  Registry registry;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    std::swap(registry, registry_);
  }
  StopReport report = CloseAll(std::move(registry), /*deleted=*/false);
  report.calls_running = calls_running;

  MutexLock lock(&mu_);
  report_ = report;
  report_waiters_.WakeAll();
  return report;
}

void BrokerCore::SendSleepersHome() {
  env_->sleepers.SendHome();
  for (const std::shared_ptr<QueueCore>& queue : List(&Registry::queues, "")) queue->EndWaits();
}

void BrokerCore::AwaitQuiet(absl::Duration deadline, const std::stop_token& stop) {
  for (;;) {
    const uint64_t seen = env_->gate.Departures();
    if (env_->gate.Inside() <= 0) break;
    if (!env_->gate.AwaitDeparture(env_->runtime, seen, deadline, stop)) break;
  }
  for (;;) {
    const uint64_t seen = env_->tasks.Departures();
    if (env_->tasks.Inside() <= 0 && PendingDeliveries() <= env_->tasks.ParkedDeliveries()) break;
    if (!env_->tasks.AwaitDeparture(env_->runtime, seen, deadline, stop)) break;
  }
}

int64_t BrokerCore::PendingDeliveries() const {
  int64_t pending = 0;
  if (const auto scheduler = Scheduler()) pending += scheduler->PendingDeliveries();
  for (const auto& topic : List(&Registry::topics, "")) pending += topic->PendingDeliveries();
  for (const auto& bus : List(&Registry::buses, "")) pending += bus->PendingDeliveries();
  return pending;
}

// From the sources down to where messages rest, so that nothing is delivered into what is closed.
StopReport BrokerCore::CloseAll(Registry registry, bool deleted) {
  const CloseKind kind = deleted ? CloseKind::kDeleted : CloseKind::kStopped;
  archives_.Close(kind);
  StopReport report;
  if (registry.scheduler != nullptr) {
    report.deliveries_pending += registry.scheduler->PendingDeliveries();
    registry.scheduler->Close(kind);
  }
  for (const auto& [name, bus] : registry.buses) {
    report.deliveries_pending += bus->PendingDeliveries();
    bus->Close(kind);
  }
  for (const auto& [name, topic] : registry.topics) {
    report.deliveries_pending += topic->PendingDeliveries();
    topic->Close(kind);
  }
  for (const auto& [name, function] : registry.functions) function->Close(kind);
  for (const auto& [name, queue] : registry.queues) {
    report.messages_resting += queue->Close(kind).total();
  }
  for (const auto& [name, stream] : registry.streams) {
    report.records_resting += stream->Close(kind);
  }
  return report;
}

StopReport BrokerCore::Reset() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  Registry fresh;
  AddBuiltIns(&fresh);
  {
    MutexLock lock(&mu_);
    if (closed_) return {};
    std::swap(fresh, registry_);
    resting_names_.clear();
    rests_until_.clear();
  }
  StopReport report = CloseAll(std::move(fresh), /*deleted=*/true);
  report.calls_running = env_->tasks.InsideOrParked();
  env_->ids.Restart();
  env_->put_events.Reset();
  env_->captured.Clear();
  if (env_->story != nullptr) env_->story->Clear();
  return report;
}

void BrokerCore::Shutdown() {
  BANYAN_CHECK(!env_->gate.ThisThreadIsGuest(),
               "a Broker must not be destroyed by one of its own handlers; call Stop() there");
  env_->gate.Close();
  env_->tasks.Close();
  SendSleepersHome();
  // Handlers first: their calls are let in through the closed gate.
  env_->tasks.AwaitDrained(env_->runtime);
  env_->gate.AwaitDrained(env_->runtime);
  env_->sleepers.AwaitNone(env_->runtime);
  Stop(absl::ZeroDuration(), {});
}

}  // namespace banyan::inline v0_1::internal
