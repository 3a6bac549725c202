// SPDX-License-Identifier: Apache-2.0
#include "stream/consumers.h"

#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/core.h"
#include "stream/page_token.h"
#include "stream/subscription.h"
#include "stream/tags.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

void ConsumerBooks::ReadInto(StreamConsumerMetrics* metrics) const {
  metrics->subscribe_to_shard_success = subscribed_.load(std::memory_order_relaxed);
  metrics->subscribe_to_shard_rate_exceeded = rate_exceeded_.load(std::memory_order_relaxed);
  metrics->subscribe_to_shard_event_success = events_.load(std::memory_order_relaxed);
  metrics->subscribe_to_shard_event_records = records_.load(std::memory_order_relaxed);
  metrics->subscribe_to_shard_event_bytes = bytes_.load(std::memory_order_relaxed);
  metrics->subscribe_to_shard_event_millis_behind_latest = millis_behind_latest_.Read();
}

StreamConsumers::StreamConsumers(StreamCore& stream) : stream_(stream) {}

StreamConsumers::~StreamConsumers() = default;

// --- Consumers -----------------------------------------------------------------------------------

absl::StatusOr<StreamConsumers::Consumer> StreamConsumers::Register(std::string_view name) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateStreamConsumerName(name, env.limits));
  BANYAN_ASSIGN_OR_RETURN(const StreamDescription stream, stream_.Describe());
  if (stream.status == StreamStatus::kCreating) {
    return Error(AwsError::kStreamResourceInUse, "Stream ", stream_.name(), " under account ",
                 env.account, " not ACTIVE, instead in state CREATING");
  }
  const Limits::Stream& limits = env.limits.stream;
  const Instant now = env.runtime.Read();
  MutexLock lock(&mu_);
  if (closed_) return stream_.NotFound();
  Sweep(now);
  if (entries_.find(name) != entries_.end()) {
    return Error(AwsError::kStreamResourceInUse, "Consumer ", name, " under stream ",
                 stream_.name(), " already exists for account ", env.account, ".");
  }
  if (static_cast<int64_t>(entries_.size()) >= limits.consumers_max) {
    return Error(AwsError::kStreamLimitExceeded, "Stream ", stream_.name(), " under account ",
                 env.account, " has ", entries_.size(), " registered consumers, the limit is ",
                 limits.consumers_max, ".");
  }
  const auto creating = std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return StatusAt(entry.second, now) == StreamConsumerStatus::kCreating;
  });
  if (creating >= limits.consumers_creating_max) {
    return Error(AwsError::kStreamLimitExceeded, "Stream ", stream_.name(), " under account ",
                 env.account, " has ", creating, " consumers in state CREATING, the limit is ",
                 limits.consumers_creating_max, ".");
  }
  auto consumer = std::make_shared<RegisteredConsumer>();
  consumer->name = std::string(name);
  consumer->arn = stream_.arn();
  consumer->arn.resource += StrCat("/consumer/", name, ":", absl::ToUnixSeconds(now.time()));
  consumer->arn_text = consumer->arn.ToString();
  consumer->created = now;
  entries_.emplace(consumer->name, Entry{.consumer = consumer});
  return consumer;
}

absl::StatusOr<StreamConsumers::Consumer> StreamConsumers::Find(std::string_view name_or_arn) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  MutexLock lock(&mu_);
  Sweep(env.runtime.Read());
  BANYAN_ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name_or_arn));
  return entry->consumer;
}

absl::StatusOr<StreamConsumerDescription> StreamConsumers::Describe(const Consumer& consumer) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  const Instant now = env.runtime.Read();
  MutexLock lock(&mu_);
  Sweep(now);
  BANYAN_ASSIGN_OR_RETURN(const Entry* entry, FindEntry(consumer));
  return DescriptionOf(*entry, now);
}

absl::StatusOr<std::vector<StreamConsumerDescription>> StreamConsumers::List() {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  const Instant now = env.runtime.Read();
  std::vector<StreamConsumerDescription> listed;
  MutexLock lock(&mu_);
  Sweep(now);
  for (const auto& [name, entry] : entries_) listed.push_back(DescriptionOf(entry, now));
  return listed;
}

absl::StatusOr<StreamConsumerPage> StreamConsumers::ListPage(const ListConsumersOptions& options) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  BANYAN_RETURN_IF_ERROR(CheckPageSize("maxResults", options.max_results));
  const Instant now = env.runtime.Read();
  const PageOf list = {PageOf::Kind::kConsumers, stream_.incarnation()};
  std::string after;  // no name
  if (!options.next_token.empty()) {
    BANYAN_ASSIGN_OR_RETURN(after, ReadPageToken(list, options.next_token, now, env.limits));
  }
  const int64_t most = std::min(options.max_results, env.limits.stream.page_max);
  StreamConsumerPage page;
  MutexLock lock(&mu_);
  Sweep(now);
  for (auto at = entries_.upper_bound(after); at != entries_.end(); ++at) {
    if (static_cast<int64_t>(page.consumers.size()) == most) {
      page.next_token = WritePageToken(list, page.consumers.back().name, now);
      break;
    }
    page.consumers.push_back(DescriptionOf(at->second, now));
  }
  return page;
}

absl::Status StreamConsumers::Deregister(std::string_view name_or_arn) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  const Instant now = env.runtime.Read();
  Subscriptions ended;
  {
    MutexLock lock(&mu_);
    Sweep(now);
    BANYAN_ASSIGN_OR_RETURN(Entry * entry, FindEntry(name_or_arn));
    if (entry->deleted_ns.has_value()) return absl::OkStatus();
    entry->deleted_ns = now.uptime_ns;
    TakeSubscriptions(entry, &ended);
    Sweep(now);
  }
  for (const auto& subscription : ended) {
    subscription->End(SubscriptionEnd::Reason::kDeregistered, NoConsumer(name_or_arn));
  }
  return absl::OkStatus();
}

absl::Status StreamConsumers::SetTags(const Consumer& consumer, const StreamTags& tags) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  const Instant now = env.runtime.Read();
  MutexLock lock(&mu_);
  Sweep(now);
  BANYAN_ASSIGN_OR_RETURN(Entry * entry, FindActive(consumer, now));
  return AddStreamTags({"consumer", consumer->name, env.account}, tags, env.limits, &entry->tags);
}

absl::Status StreamConsumers::RemoveTags(const Consumer& consumer,
                                         absl::Span<const std::string> keys) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  const Instant now = env.runtime.Read();
  MutexLock lock(&mu_);
  Sweep(now);
  BANYAN_ASSIGN_OR_RETURN(Entry * entry, FindActive(consumer, now));
  return RemoveStreamTags({"consumer", consumer->name, env.account}, keys, &entry->tags);
}

absl::StatusOr<StreamTags> StreamConsumers::Tags(const Consumer& consumer) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  MutexLock lock(&mu_);
  Sweep(env.runtime.Read());
  BANYAN_ASSIGN_OR_RETURN(const Entry* entry, FindEntry(consumer));
  return entry->tags;
}

int64_t StreamConsumers::Count(const Instant& now) {
  MutexLock lock(&mu_);
  Sweep(now);
  return static_cast<int64_t>(entries_.size());
}

std::vector<StreamConsumerMetrics> StreamConsumers::Metrics(const Instant& now) {
  std::vector<StreamConsumerMetrics> all;
  MutexLock lock(&mu_);
  Sweep(now);
  for (const auto& [name, entry] : entries_) {
    StreamConsumerMetrics& metrics = all.emplace_back();
    metrics.stream_name = stream_.name();
    metrics.consumer_name = name;
    entry.consumer->books.ReadInto(&metrics);
  }
  return all;
}

// Erases those that have been DELETING for long enough.
void StreamConsumers::Sweep(const Instant& now) {
  const int64_t transition_ns = CeilNanoseconds(stream_.env()->limits.stream.transition_time);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const std::optional<int64_t>& deleted_ns = at->second.deleted_ns;
    if (deleted_ns.has_value() && now.uptime_ns - *deleted_ns >= transition_ns) {
      at = entries_.erase(at);
    } else {
      ++at;
    }
  }
}

absl::StatusOr<StreamConsumers::Entry*> StreamConsumers::FindEntry(std::string_view name_or_arn) {
  // No name has a ':', and every ARN has.
  if (name_or_arn.find(':') == name_or_arn.npos) {
    const auto found = entries_.find(name_or_arn);
    if (found != entries_.end()) return &found->second;
  } else {
    for (auto& [name, entry] : entries_) {
      if (entry.consumer->arn_text == name_or_arn) return &entry;
    }
  }
  return NoConsumer(name_or_arn);
}

absl::StatusOr<StreamConsumers::Entry*> StreamConsumers::FindEntry(const Consumer& consumer) {
  const auto found = entries_.find(consumer->name);
  if (found == entries_.end() || found->second.consumer != consumer) {
    return NoConsumer(consumer->arn_text);
  }
  return &found->second;
}

absl::StatusOr<StreamConsumers::Entry*> StreamConsumers::FindActive(const Consumer& consumer,
                                                                    const Instant& now) {
  BANYAN_ASSIGN_OR_RETURN(Entry * entry, FindEntry(consumer));
  const StreamConsumerStatus status = StatusAt(*entry, now);
  if (status == StreamConsumerStatus::kActive) return entry;
  return Error(AwsError::kStreamResourceInUse, "Consumer ", consumer->arn_text,
               " not ACTIVE, instead in state ",
               status == StreamConsumerStatus::kCreating ? "CREATING" : "DELETING");
}

absl::Status StreamConsumers::NoConsumer(std::string_view name_or_arn) const {
  return Error(AwsError::kStreamResourceNotFound, "Consumer ", name_or_arn, ", account ",
               stream_.env()->account, " not found.");
}

StreamConsumerStatus StreamConsumers::StatusAt(const Entry& entry, const Instant& now) const {
  if (entry.deleted_ns.has_value()) return StreamConsumerStatus::kDeleting;
  const int64_t transition_ns = CeilNanoseconds(stream_.env()->limits.stream.transition_time);
  return now.uptime_ns - entry.consumer->created.uptime_ns < transition_ns
             ? StreamConsumerStatus::kCreating
             : StreamConsumerStatus::kActive;
}

StreamConsumerDescription StreamConsumers::DescriptionOf(const Entry& entry,
                                                         const Instant& now) const {
  return {.name = entry.consumer->name,
          .arn = entry.consumer->arn,
          .status = StatusAt(entry, now),
          .created = entry.consumer->created.time(),
          .stream_arn = stream_.arn()};
}

// --- Their subscriptions -------------------------------------------------------------------------

absl::StatusOr<std::shared_ptr<ShardSubscriptionCore>> StreamConsumers::Subscribe(
    const Consumer& consumer, ShardId shard, const StartAt& start, ShardEventHandler handler,
    SubscriptionEndHandler on_end) {
  Environment& env = *stream_.env();
  const Gate::Pass pass = env.gate.Enter();
  if (!pass) return env.Refusal();
  BANYAN_RETURN_IF_ERROR(stream_.CheckOpen());
  if (!handler) {
    return Error(AwsError::kStreamInvalidArgument, "A subscription needs a handler to push to.");
  }
  const Instant now = env.runtime.Read();
  const absl::StatusOr<uint64_t> position = stream_.Locate(shard, start, now);
  std::shared_ptr<ShardSubscriptionCore> made;
  std::shared_ptr<ShardSubscriptionCore> before;
  {
    MutexLock lock(&mu_);
    if (closed_) return stream_.NotFound();
    Sweep(now);
    BANYAN_ASSIGN_OR_RETURN(Entry * entry, FindActive(consumer, now));
    BANYAN_RETURN_IF_ERROR(stream_.CheckShard(shard, now));
    Seat& seat = entry->seats[shard.index];
    BANYAN_RETURN_IF_ERROR(CheckSeat(*entry, shard, now, &seat));
    BANYAN_RETURN_IF_ERROR(position.status());
    const auto index = static_cast<size_t>(shard.index);
    made = std::make_shared<ShardSubscriptionCore>(
        stream_.shared_from_this(), consumer,
        ShardSubscriptionCore::Start{.shard = index,
                                     .position = *position,
                                     .continuation = stream_.ContinuationAt(index, *position, now),
                                     .now = now},
        std::move(handler), std::move(on_end));
    before = seat.subscription.lock();
    seat.subscription = made;
    seat.taken_ns = now.uptime_ns;
    consumer->books.CountSubscribed();
  }
  if (before != nullptr) {
    before->End(SubscriptionEnd::Reason::kTakenOver,
                Error(AwsError::kStreamResourceInUse,
                      "Another subscription has taken over for this consumer: ", consumer->arn_text,
                      ":", shard.ToString()));
  }
  made->PostPump();
  return made;
}

// Every call counts against the rate but those that are refused for it: else who asks too often
// would never get in.
absl::Status StreamConsumers::CheckSeat(const Entry& entry, ShardId shard, const Instant& now,
                                        Seat* seat) const {
  Environment& env = *stream_.env();
  const Limits::Stream& limits = env.limits.stream;
  if (seat->taken_ns.has_value() &&
      now.uptime_ns - *seat->taken_ns < CeilNanoseconds(limits.take_over_after)) {
    seat->called_ns = now.uptime_ns;
    entry.consumer->books.CountRateExceeded();
    return Error(AwsError::kStreamResourceInUse,
                 "Another active subscription exists for this consumer: ", entry.consumer->arn_text,
                 ":", shard.ToString());
  }
  if (seat->called_ns.has_value() &&
      now.uptime_ns - *seat->called_ns < CeilNanoseconds(limits.subscribe_every)) {
    entry.consumer->books.CountRateExceeded();
    return Error(AwsError::kStreamLimitExceeded, "Rate of SubscribeToShard exceeded for shard ",
                 shard.ToString(), " in stream ", stream_.name(), " under account ", env.account,
                 " and consumer ", entry.consumer->name, ": one call in ",
                 SecondsText(limits.subscribe_every), " s.");
  }
  seat->called_ns = now.uptime_ns;
  return absl::OkStatus();
}

void StreamConsumers::TakeSubscriptions(Entry* entry, Subscriptions* taken) {
  for (auto& [shard, seat] : entry->seats) {
    if (auto subscription = seat.subscription.lock()) taken->push_back(std::move(subscription));
  }
}

absl::Status StreamConsumers::AllowDeletion(bool enforced) {
  const Instant now = stream_.env()->runtime.Read();
  MutexLock lock(&mu_);
  Sweep(now);
  if (!entries_.empty() && !enforced) {
    return Error(AwsError::kStreamResourceInUse, "Stream ", stream_.name(), " under account ",
                 stream_.env()->account, " has ", entries_.size(),
                 " registered consumers. Deregister them, or delete it with "
                 "EnforceConsumerDeletion.");
  }
  closed_ = true;
  return absl::OkStatus();
}

void StreamConsumers::Close(CloseKind kind) {
  Subscriptions ended;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    for (auto& [name, entry] : entries_) TakeSubscriptions(&entry, &ended);
  }
  for (const auto& subscription : ended) {
    if (kind == CloseKind::kDeleted) {
      subscription->End(SubscriptionEnd::Reason::kStreamDeleted, stream_.NotFound());
    } else {
      subscription->End(SubscriptionEnd::Reason::kBrokerStopped, stream_.env()->Refusal(),
                        ShardSubscriptionCore::RuntimeIs::kUnknown);
    }
  }
}

// --- Who waits at a shard ------------------------------------------------------------------------

void StreamConsumers::WaitFor(size_t shard, uint64_t position,
                              const std::shared_ptr<ShardSubscriptionCore>& subscription,
                              bool listed) {
  bool asked;
  {
    MutexLock lock(&waiting_mu_);
    Waiting& waiting = waiting_[shard];
    if (!listed) waiting.subscriptions.push_back(subscription);
    asked = std::exchange(waiting.asked, true);
  }
  if (!asked) {
    stream_.WakeAt(shard, position, [weak = stream_.weak_from_this(), shard] {
      if (const std::shared_ptr<StreamCore> stream = weak.lock()) stream->consumers().Wake(shard);
    });
  } else if (stream_.HasAt(shard, position)) {  // C4
    subscription->PostPump();
  }
}

void StreamConsumers::Wake(size_t shard) {
  std::vector<std::weak_ptr<ShardSubscriptionCore>> woken;
  {
    MutexLock lock(&waiting_mu_);
    Waiting& waiting = waiting_[shard];
    waiting.asked = false;
    woken.swap(waiting.subscriptions);
  }
  // One is pumped here, which saves a task where only one waits; the others side by side with it.
  std::shared_ptr<ShardSubscriptionCore> last;
  for (const auto& weak : woken) {
    std::shared_ptr<ShardSubscriptionCore> subscription = weak.lock();
    if (subscription == nullptr) continue;
    subscription->Unlist();
    if (last != nullptr) last->PostPump();
    last = std::move(subscription);
  }
  if (last != nullptr) last->Pump();
}

void StreamConsumers::Forget(size_t shard, const ShardSubscriptionCore* subscription) {
  // To look at one may be to hold it last: then it dies after the lock.
  Subscriptions looked_at;
  MutexLock lock(&waiting_mu_);
  const auto found = waiting_.find(shard);
  if (found == waiting_.end()) return;
  auto& waiting = found->second.subscriptions;
  const auto is_over = [&](const std::weak_ptr<ShardSubscriptionCore>& weak) {
    looked_at.push_back(weak.lock());
    return looked_at.back() == nullptr || looked_at.back().get() == subscription;
  };
  waiting.erase(std::remove_if(waiting.begin(), waiting.end(), is_over), waiting.end());
}

}  // namespace banyan::inline v0_1::internal
