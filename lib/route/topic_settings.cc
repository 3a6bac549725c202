// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_settings.cc -- floor 5: what of a topic can change, and replays of its archive.
#include <utility>

#include "base/status_macros.h"
#include "message/errors.h"
#include "pattern/event_fields.h"
#include "pattern/match.h"
#include "route/subscription_rules.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1::internal {

namespace {

// The message as a replay shows it: older than it was, for retries count from now.
MessageRef MakeReplayed(const Message& archived, const Instant& now, int64_t attributes_max) {
  Attributes attributes = archived.attributes;
  if (static_cast<int64_t>(attributes.size()) < attributes_max) attributes.Set("Replayed", "true");
  Instant accepted = now;
  accepted.unix_ns = archived.accepted.unix_ns;
  return MakeMessage({.id = archived.id,
                      .event_id = archived.event_id,
                      .accepted = accepted,
                      .trace_header = archived.trace_header(),
                      .subject = archived.subject(),
                      .group_id = archived.group_id(),
                      .deduplication_id = archived.deduplication_id(),
                      .sequence_number = archived.sequence_number(),
                      .attributes = std::move(attributes),
                      .body = archived.body});
}

}  // namespace

TopicOptions TopicCore::options() const {
  MutexLock lock(&change_mu_);
  return options_;
}

absl::Status TopicCore::SetOptions(const TopicOptions& options) {
  return ChangeOptions([&options](TopicOptions* changed) {
    *changed = options;
    return absl::OkStatus();
  });
}

// In one step, so that two who change different things both have their way.
absl::Status TopicCore::ChangeOptions(
    absl::FunctionRef<absl::Status(TopicOptions* options)> change) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return Gone();
    TopicOptions options = options_;
    BANYAN_RETURN_IF_ERROR(change(&options));
    if (options.fifo != fifo_) {
      return Error(
          AwsError::kTopicInvalidParameter,
          "Invalid parameter: AttributeName Reason: whether a topic is FIFO cannot change");
    }
    BANYAN_RETURN_IF_ERROR(ValidateTopicOptions(options));
    if (options_.fifo_throughput_scope == FifoThroughputScope::kMessageGroup &&
        options.fifo_throughput_scope == FifoThroughputScope::kTopic) {
      return Error(AwsError::kTopicInvalidParameter,
                   "Invalid parameter: FifoThroughputScope Reason: cannot go back to Topic");
    }
    options_ = std::move(options);
    signature_version_->store(options_.signature_version, std::memory_order_relaxed);
    for (const auto& [serial, entry] : subscriptions_) {
      if (const auto& settings = entry.subscription->http_settings(); settings != nullptr) {
        settings->Set(Policy(entry.delivery_policy));
      }
    }
    content_based_deduplication_.store(options_.content_based_deduplication,
                                       std::memory_order_relaxed);
    if (line_ != nullptr) line_->SetScope(options_.fifo_throughput_scope);
  }
  if (archive_ == nullptr) return absl::OkStatus();
  ApplyArchiveBounds();
  return absl::OkStatus();
}

// Of two that change them at once, the later one in line has the last word, and both say the same.
void TopicCore::ApplyArchiveBounds() {
  const auto apply = [this] {
    const TopicOptions latest = options();
    archive_->SetBounds({latest.archive_retention, latest.archive_bytes_max});
  };
  switch (TakeTurn(apply)) {
    case PublishLine::Turn::kDone:
      return;
    case PublishLine::Turn::kWithin:
      return apply();
    case PublishLine::Turn::kBusy:
      env_->runtime.Post([self = shared_from_this()] {
        const Gate::Pass pass = self->env_->tasks.Enter();
        if (pass) self->ApplyArchiveBounds();
      });
  }
}

EffectiveDeliveryPolicy TopicCore::Policy(std::string_view own) const {
  return Combine(*ParseTopicDeliveryPolicy(options_.delivery_policy, ""),
                 *ParseDeliveryPolicy(own, ""));
}

absl::Status TopicCore::SetDeliveryPolicy(const SubscriptionCore& subscription,
                                          std::string_view json) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateDeliveryPolicy(json, subscription.protocol(), kOnChange));
  MutexLock lock(&change_mu_);
  BANYAN_ASSIGN_OR_RETURN(Entry* const entry, Find(subscription));
  entry->delivery_policy = std::string(json);
  if (const auto& settings = subscription.http_settings(); settings != nullptr) {
    settings->Set(Policy(json));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<absl::Time>> TopicCore::BeginningArchiveTime() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (RuleIndex::Moment(active_).closed()) return Gone();
  if (archive_ == nullptr) return std::nullopt;
  return archive_->Count().oldest;
}

// --- Replays -------------------------------------------------------------------------------------

absl::Status TopicCore::CheckReplay(const ReplayPolicy& policy) const {
  if (archive_ == nullptr || !archive_->is_on()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: ReplayPolicy: the topic has no ArchivePolicy");
  }
  return ValidateReplayPolicy(policy, env_->runtime.Read().time());
}

bool TopicCore::IsReplayedBy(const SubscriptionCore& subscription,
                             const ReplayPolicy& policy) const {
  const std::optional<SubscriptionReplay> there = archive_->Describe(subscription.serial());
  return there.has_value() && there->policy == policy;
}

absl::Status TopicCore::SetReplayPolicy(const SubscriptionCore& subscription,
                                        const std::optional<ReplayPolicy>& policy) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (policy.has_value()) BANYAN_RETURN_IF_ERROR(CheckReplay(*policy));
  if (archive_ == nullptr) return absl::OkStatus();
  absl::Status status;
  const auto change = [&] {
    MutexLock lock(&change_mu_);
    if (!is_open_) {
      status = Gone();
    } else if (subscriptions_.find(subscription.serial()) == subscriptions_.end()) {
      status = NoSubscription();
    } else if (policy.has_value()) {
      status = archive_->Start(subscription.serial(), *policy);
    } else {
      archive_->Remove(subscription.serial());
    }
  };
  switch (TakeTurn(change)) {
    case PublishLine::Turn::kDone:
      break;
    case PublishLine::Turn::kWithin:
      change();
      break;
    case PublishLine::Turn::kBusy:
      return Error(
          AwsError::kTopicThrottled,
          "Rate exceeded: the topic is publishing on another thread, for which a delivery of "
          "another FIFO topic must not wait");
  }
  return status;
}

absl::StatusOr<std::optional<SubscriptionReplay>> TopicCore::Replay(
    const SubscriptionCore& subscription) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  if (subscriptions_.find(subscription.serial()) == subscriptions_.end()) return NoSubscription();
  if (archive_ == nullptr) return std::nullopt;
  return archive_->Describe(subscription.serial());
}

PublishLine::Turn TopicCore::TakeTurn(absl::FunctionRef<void()> work) {
  return line_->Alone(work, [this](const Publication& publication) { ServeOne(publication); });
}

bool TopicCore::InLine(absl::FunctionRef<void()> work) {
  return TakeTurn(work) == PublishLine::Turn::kDone;
}

int64_t TopicCore::Pending(uint64_t serial) const {
  MutexLock lock(&change_mu_);
  const auto entry = subscriptions_.find(serial);
  return entry == subscriptions_.end() ? 0 : entry->second.subscription->courier().pending();
}

std::shared_ptr<SubscriptionCore> TopicCore::WhoWants(uint64_t serial,
                                                      const Message& message) const {
  Entry entry;
  {
    MutexLock lock(&change_mu_);
    const auto found = subscriptions_.find(serial);
    if (found == subscriptions_.end()) return nullptr;
    entry = found->second;
  }
  if (entry.filter == nullptr) return entry.subscription;
  std::optional<EventFields> fields;
  if (entry.filter->scope == FilterPolicyScope::kMessageAttributes) {
    fields = EventFields::FromAttributes(message.attributes);
  } else {
    fields = EventFields::FromJson(message.body.view(), EventLimits(env_->limits));
  }
  return fields.has_value() && Match(*entry.filter->pattern, *fields) ? entry.subscription
                                                                      : nullptr;
}

void TopicCore::Replay(uint64_t serial, const MessageRef& message) {
  const std::shared_ptr<SubscriptionCore> subscription = WhoWants(serial, *message);
  if (subscription == nullptr) return;
  subscription->CountReplayed();
  Delivery delivery = {.message = MakeReplayed(*message, env_->runtime.Read(),
                                               env_->limits.topic.raw_attributes_max),
                       .presentation = PresentationFor(*subscription)};
  if (env_->story != nullptr) {
    Tell(StoryStep::Kind::kReplayed, *message, env_->runtime.Read(), subscription->arn_text(),
         subscription->courier().plan().destination->arn_text());
  }
  subscription->courier().Deliver(delivery);
}

void TopicCore::GiveUp(uint64_t serial, const MessageRef& message) {
  const std::shared_ptr<SubscriptionCore> subscription = WhoWants(serial, *message);
  if (subscription == nullptr) return;
  subscription->CountReplayed();
  subscription->courier().GiveUpUnsent(
      {.message = message, .presentation = PresentationFor(*subscription)},
      absl::ResourceExhaustedError("it left the archive before its replay had reached it"));
}

}  // namespace banyan::inline v0_1::internal
