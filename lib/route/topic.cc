// SPDX-License-Identifier: Apache-2.0
//
// The handles of banyan/topic.h: each verb is its core's.
#include "banyan/topic.h"

#include <utility>

#include "message/errors.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1 {

namespace {

absl::Status NoTopic() { return internal::Error(AwsError::kTopicNotFound, "Topic does not exist"); }

absl::Status NoSubscription() {
  return internal::Error(AwsError::kTopicNotFound, "Subscription does not exist");
}

}  // namespace

std::string_view SubscriptionReplayStatusName(SubscriptionReplayStatus status) {
  switch (status) {
    case SubscriptionReplayStatus::kPending:
      return "Pending";
    case SubscriptionReplayStatus::kInProgress:
      return "In progress";
    case SubscriptionReplayStatus::kCompleted:
      return "Completed";
    case SubscriptionReplayStatus::kFailed:
      return "Failed";
  }
  return {};
}

Topic::Topic(std::shared_ptr<internal::TopicCore> core) : core_(std::move(core)) {}

absl::StatusOr<PublishResult> Topic::Publish(PublishRequest request) const {
  if (core_ == nullptr) return NoTopic();
  return core_->Publish(std::move(request));
}

absl::StatusOr<std::vector<absl::StatusOr<PublishResult>>> Topic::PublishBatch(
    std::vector<PublishRequest> requests) const {
  if (core_ == nullptr) return NoTopic();
  return core_->PublishBatch(std::move(requests));
}

absl::StatusOr<Subscription> Topic::Subscribe(Target target, SubscriptionOptions options) const {
  if (core_ == nullptr) return NoTopic();
  return core_->Subscribe(std::move(target), std::move(options));
}

absl::StatusOr<Subscription> Topic::ConfirmSubscription(std::string_view token) const {
  if (core_ == nullptr) return NoTopic();
  return core_->ConfirmSubscription(token);
}

absl::StatusOr<std::vector<Subscription>> Topic::ListSubscriptions() const {
  if (core_ == nullptr) return NoTopic();
  return core_->ListSubscriptions();
}

absl::StatusOr<std::vector<SubscriptionExplanation>> Topic::Explain(
    const PublishRequest& request) const {
  if (core_ == nullptr) return NoTopic();
  return core_->Explain(request);
}

TopicStats Topic::Stats() const { return core_ == nullptr ? TopicStats{} : core_->Stats(); }

absl::StatusOr<TopicOptions> Topic::Options() const {
  if (core_ == nullptr) return NoTopic();
  return core_->Options();
}

absl::Status Topic::SetOptions(const TopicOptions& options) const {
  return core_ == nullptr ? NoTopic() : core_->SetOptions(options);
}

absl::StatusOr<SubscriptionPage> Topic::ListSubscriptionsPage(std::string_view next_token) const {
  if (core_ == nullptr) return NoTopic();
  return core_->ListSubscriptionsPage(next_token);
}

absl::StatusOr<std::map<std::string, std::string>> Topic::GetAttributes() const {
  if (core_ == nullptr) return NoTopic();
  return core_->GetAttributes();
}

absl::Status Topic::SetAttribute(std::string_view name, std::string_view value) const {
  return core_ == nullptr ? NoTopic() : core_->SetAttribute(name, value);
}

absl::Status Topic::AddPermission(std::string_view label, absl::Span<const std::string> accounts,
                                  absl::Span<const std::string> actions) const {
  return core_ == nullptr ? NoTopic() : core_->AddPermission(label, accounts, actions);
}

absl::Status Topic::RemovePermission(std::string_view label) const {
  return core_ == nullptr ? NoTopic() : core_->RemovePermission(label);
}

absl::StatusOr<std::map<std::string, std::string>> Topic::Tags() const {
  if (core_ == nullptr) return NoTopic();
  return core_->Tags();
}

absl::Status Topic::SetTags(const std::map<std::string, std::string>& tags) const {
  return core_ == nullptr ? NoTopic() : core_->SetTags(tags);
}

absl::Status Topic::RemoveTags(absl::Span<const std::string> keys) const {
  return core_ == nullptr ? NoTopic() : core_->RemoveTags(keys);
}

absl::StatusOr<TopicMetrics> Topic::Metrics() const {
  if (core_ == nullptr) return NoTopic();
  return core_->Metrics();
}

absl::StatusOr<std::optional<absl::Time>> Topic::BeginningArchiveTime() const {
  if (core_ == nullptr) return NoTopic();
  return core_->BeginningArchiveTime();
}

const Arn& Topic::arn() const {
  static const Arn none;
  return core_ == nullptr ? none : core_->arn();
}

std::string_view Topic::name() const {
  return core_ == nullptr ? std::string_view() : core_->name();
}

Subscription::Subscription(std::shared_ptr<internal::SubscriptionCore> core)
    : core_(std::move(core)) {}

absl::Status Subscription::Unsubscribe() const {
  if (core_ == nullptr) return NoSubscription();
  const std::shared_ptr<internal::TopicCore> topic = core_->topic();
  return topic == nullptr ? absl::OkStatus() : topic->Unsubscribe(*core_);
}

absl::Status Subscription::SetFilterPolicy(std::string_view json, FilterPolicyScope scope) const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  return topic == nullptr ? NoSubscription() : topic->SetFilterPolicy(*core_, json, scope);
}

absl::Status Subscription::SetDeliveryPolicy(std::string_view json) const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  return topic == nullptr ? NoSubscription() : topic->SetDeliveryPolicy(*core_, json);
}

absl::Status Subscription::SetReplayPolicy(const std::optional<ReplayPolicy>& policy) const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  return topic == nullptr ? NoSubscription() : topic->SetReplayPolicy(*core_, policy);
}

absl::Status Subscription::SetRaw(bool raw) const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  return topic == nullptr ? NoSubscription() : topic->SetRaw(*core_, raw);
}

absl::Status Subscription::SetDeadLetter(const std::optional<Queue>& dead_letter) const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  return topic == nullptr ? NoSubscription() : topic->SetDeadLetter(*core_, dead_letter);
}

absl::StatusOr<std::map<std::string, std::string>> Subscription::GetAttributes() const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  if (topic == nullptr) return NoSubscription();
  return topic->GetAttributes(*core_);
}

absl::Status Subscription::SetAttribute(std::string_view name, std::string_view value) const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  return topic == nullptr ? NoSubscription() : topic->SetAttribute(*core_, name, value);
}

absl::StatusOr<std::optional<SubscriptionReplay>> Subscription::Replay() const {
  const std::shared_ptr<internal::TopicCore> topic = core_ == nullptr ? nullptr : core_->topic();
  if (topic == nullptr) return NoSubscription();
  return topic->Replay(*core_);
}

bool Subscription::pending_confirmation() const { return core_ != nullptr && core_->is_pending(); }

SubscriptionStats Subscription::Stats() const {
  return core_ == nullptr ? SubscriptionStats{} : core_->Stats();
}

const Arn& Subscription::arn() const {
  static const Arn none;
  return core_ == nullptr ? none : core_->arn();
}

}  // namespace banyan::inline v0_1
