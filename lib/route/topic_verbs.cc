// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_verbs.cc -- floor 5: a topic and its subscriptions under SNS's names: attributes,
// permissions, tags, pages; and what they have done, in numbers.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/rule_target.h"
#include "route/subscription_rules.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kPage = 100;

std::string EndpointText(const Target& target) {
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    return endpoint->address;
  }
  return (*ResolveEndpoint(target))->arn_text();
}

absl::StatusOr<bool> ParseRaw(std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return Error(AwsError::kTopicInvalidParameter, kOnChange, "RawMessageDelivery: Invalid value [",
               value, "]. Must be true or false.");
}

}  // namespace

absl::StatusOr<TopicCore::Entry*> TopicCore::Find(const SubscriptionCore& subscription) {
  if (!is_open_) return Gone();
  const auto found = subscriptions_.find(subscription.serial());
  if (found == subscriptions_.end()) return NoSubscription();
  return &found->second;
}

// The token is the serial of the last subscription of the page before.
absl::StatusOr<SubscriptionPage> TopicCore::ListSubscriptionsPage(
    std::string_view next_token) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  uint64_t last = 0;
  if (!next_token.empty() && !absl::SimpleAtoi(ToAbsl(next_token), &last)) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: NextToken Reason: ", next_token, " is none of this topic's");
  }
  SubscriptionPage page;
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  auto entry = next_token.empty() ? subscriptions_.begin() : subscriptions_.upper_bound(last);
  for (; entry != subscriptions_.end(); ++entry) {
    if (page.subscriptions.size() == kPage) {
      page.next_token = StrCat(last);
      break;
    }
    last = entry->first;
    page.subscriptions.emplace_back(entry->second.subscription);
  }
  return page;
}

// --- The topic's attributes ----------------------------------------------------------------------

absl::StatusOr<AttributeStrings> TopicCore::GetAttributes() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  TopicFacts facts = {.arn = arn_text_, .owner = env_->account};
  if (archive_ != nullptr) facts.beginning_archive_time = archive_->Count().oldest;
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  facts.pending =
      std::count_if(subscriptions_.begin(), subscriptions_.end(),
                    [](const auto& entry) { return entry.second.subscription->is_pending(); });
  facts.confirmed = static_cast<int64_t>(subscriptions_.size()) - facts.pending;
  facts.deleted = removed_;
  return ShowTopicAttributes(options_, facts);
}

absl::Status TopicCore::SetAttribute(std::string_view name, std::string_view value) {
  return ChangeOptions(
      [&](TopicOptions* options) { return SetTopicAttribute(name, value, options); });
}

absl::Status TopicCore::AddPermission(std::string_view label,
                                      absl::Span<const std::string> accounts,
                                      absl::Span<const std::string> actions) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  BANYAN_ASSIGN_OR_RETURN(
      options_.policy,
      AddTopicPermission(options_.policy, arn_text_, env_->account, label, accounts, actions));
  return absl::OkStatus();
}

absl::Status TopicCore::RemovePermission(std::string_view label) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  BANYAN_ASSIGN_OR_RETURN(options_.policy,
                          RemoveTopicPermission(options_.policy, arn_text_, env_->account, label));
  return absl::OkStatus();
}

absl::StatusOr<AttributeStrings> TopicCore::Tags() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  return tags_;
}

absl::Status TopicCore::SetTags(const AttributeStrings& tags) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  AttributeStrings all = tags_;
  for (const auto& [key, value] : tags) all.insert_or_assign(key, value);
  BANYAN_RETURN_IF_ERROR(ValidateTopicTags(all));
  tags_ = std::move(all);
  return absl::OkStatus();
}

absl::Status TopicCore::RemoveTags(absl::Span<const std::string> keys) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  for (const std::string& key : keys) tags_.erase(key);
  return absl::OkStatus();
}

// --- A subscription's attributes -----------------------------------------------------------------

absl::StatusOr<AttributeStrings> TopicCore::GetAttributes(
    const SubscriptionCore& subscription) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const auto found = subscriptions_.find(subscription.serial());
  if (found == subscriptions_.end()) return NoSubscription();
  const Entry& entry = found->second;
  const bool is_pending = subscription.is_pending();
  // SNS shows raw delivery as it was asked for: functions know none.
  const bool shows_raw = subscription.raw() && subscription.protocol() != Protocol::kFunction;
  AttributeStrings shown = {
      {"SubscriptionArn", subscription.arn_text()},
      {"TopicArn", arn_text_},
      {"Owner", env_->account},
      {"Protocol", std::string(ProtocolName(subscription.protocol()))},
      {"Endpoint", EndpointText(subscription.target())},
      {"PendingConfirmation", is_pending ? "true" : "false"},
      {"ConfirmationWasAuthenticated",
       NeedsConfirmation(subscription.protocol()) ? "false" : "true"},
      {"RawMessageDelivery", shows_raw ? "true" : "false"},
      {"SubscriptionPrincipal", StrCat("arn:aws:iam::", env_->account, ":root")}};
  if (entry.filter != nullptr) {
    shown.emplace("FilterPolicy", entry.filter->text);
    shown.emplace("FilterPolicyScope", entry.filter->scope == FilterPolicyScope::kMessageBody
                                           ? "MessageBody"
                                           : "MessageAttributes");
  }
  if (entry.dead_letter.has_value()) {
    shown.emplace("RedrivePolicy", StrCat("{\"deadLetterTargetArn\":\"",
                                          entry.dead_letter->arn().ToString(), "\"}"));
  }
  if (!entry.role_arn.empty()) shown.emplace("SubscriptionRoleArn", entry.role_arn);
  if (!entry.delivery_policy.empty()) shown.emplace("DeliveryPolicy", entry.delivery_policy);
  if (IsHttp(subscription.protocol())) {
    shown.emplace("EffectiveDeliveryPolicy",
                  EffectiveSubscriptionPolicyText(Policy(entry.delivery_policy)));
  }
  if (archive_ != nullptr) {
    if (const auto replay = archive_->Describe(subscription.serial())) {
      shown.emplace("ReplayPolicy", ReplayPolicyText(replay->policy));
      shown.emplace("ReplayStatus", std::string(SubscriptionReplayStatusName(replay->status)));
    }
  }
  return shown;
}

absl::Status TopicCore::SetAttribute(const SubscriptionCore& subscription, std::string_view name,
                                     std::string_view value) {
  if (name == "FilterPolicy") return ChangeFilter(subscription, value, std::nullopt);
  if (name == "FilterPolicyScope") {
    if (value != "MessageBody" && value != "MessageAttributes") {
      return Error(AwsError::kTopicInvalidParameter, kOnChange,
                   "FilterPolicyScope: Invalid value [", value,
                   "]. Please use either MessageBody or MessageAttributes");
    }
    return ChangeFilter(subscription, std::nullopt,
                        value == "MessageBody" ? FilterPolicyScope::kMessageBody
                                               : FilterPolicyScope::kMessageAttributes);
  }
  if (name == "RawMessageDelivery") {
    BANYAN_ASSIGN_OR_RETURN(const bool raw, ParseRaw(value));
    return SetRaw(subscription, raw);
  }
  if (name == "DeliveryPolicy") return SetDeliveryPolicy(subscription, value);
  if (name == "SubscriptionRoleArn") return SetRole(subscription, value);
  if (name == "ReplayPolicy") {
    BANYAN_ASSIGN_OR_RETURN(const std::optional<ReplayPolicy> policy, ParseReplayPolicy(value));
    return SetReplayPolicy(subscription, policy);
  }
  if (name == "RedrivePolicy") {
    BANYAN_ASSIGN_OR_RETURN(const std::optional<Arn> arn,
                            ParseSubscriptionRedrive(value, kOnChange));
    if (!arn.has_value()) return SetDeadLetter(subscription, std::nullopt);
    const std::shared_ptr<QueueCore> queue = find_queue_ ? find_queue_(*arn) : nullptr;
    if (queue == nullptr) {
      return Error(AwsError::kTopicInvalidParameter, kOnChange,
                   "RedrivePolicy: deadLetterTargetArn names no queue of this broker");
    }
    return SetDeadLetter(subscription, Queue(queue));
  }
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: AttributeName");
}

absl::Status TopicCore::SetRaw(const SubscriptionCore& subscription, bool raw) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  BANYAN_ASSIGN_OR_RETURN(Entry* const entry, Find(subscription));
  const Protocol protocol = subscription.protocol();
  if (protocol == Protocol::kQueue || protocol == Protocol::kStream || IsHttp(protocol)) {
    entry->subscription->SetRaw(raw);
    return absl::OkStatus();
  }
  if (!raw) return absl::OkStatus();  // as they are
  return Error(AwsError::kTopicInvalidParameter, kOnChange,
               "RawMessageDelivery: Delivery protocol [", ProtocolName(protocol),
               "] does not support raw message delivery.");
}

// SNS needs it to write to a delivery stream. Here nobody asks for permission.
absl::Status TopicCore::SetRole(const SubscriptionCore& subscription, std::string_view role_arn) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  BANYAN_ASSIGN_OR_RETURN(Entry* const entry, Find(subscription));
  if (subscription.protocol() != Protocol::kStream) {
    return Error(AwsError::kTopicInvalidParameter, kOnChange,
                 "SubscriptionRoleArn: is for delivery streams only, not for protocol [",
                 ProtocolName(subscription.protocol()), "]");
  }
  const absl::StatusOr<Arn> arn = Arn::Parse(role_arn);
  if (!arn.ok() || arn->service != "iam") {
    return Error(AwsError::kTopicInvalidParameter, kOnChange,
                 "SubscriptionRoleArn: Invalid value [", role_arn, "]. Must be the ARN of a role");
  }
  entry->role_arn = role_arn;
  return absl::OkStatus();
}

absl::Status TopicCore::SetDeadLetter(const SubscriptionCore& subscription,
                                      const std::optional<Queue>& dead_letter) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<Sink> sink;
  if (dead_letter.has_value()) {
    Target changed = subscription.target();
    changed.DeadLetter(*dead_letter);
    BANYAN_RETURN_IF_ERROR(ValidateSubscriptionTarget(changed, fifo_, *env_));
    sink = dead_letter->core();
  }
  MutexLock lock(&change_mu_);
  BANYAN_ASSIGN_OR_RETURN(Entry* const entry, Find(subscription));
  entry->dead_letter = dead_letter;
  entry->subscription->courier().SetDeadLetter(std::move(sink));
  return absl::OkStatus();
}

// --- In numbers ----------------------------------------------------------------------------------

TopicSeen TopicCore::seen() const {
  // In this order, so that what had no attributes was published.
  TopicSeen seen;
  seen.without_attributes = without_attributes_.load(std::memory_order_relaxed);
  seen.unreadable = unreadable_.load(std::memory_order_relaxed);
  seen.published = published() - taken_over_.load(std::memory_order_relaxed);
  return seen;
}

absl::StatusOr<TopicMetrics> TopicCore::Metrics() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  TopicMetrics metrics;
  metrics.topic_name = name_;
  metrics.fifo = fifo_;
  metrics.publish_size = published_sizes_.Read();
  if (archive_ != nullptr) {
    const ArchiveShelf::Figures archive = archive_->Count();
    metrics.approximate_number_of_messages_archived = archive.count;
    metrics.approximate_number_of_bytes_archived = archive.bytes;
  }
  if (line_ != nullptr) metrics.duplicates = line_->duplicates();

  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  DeliveryStats books = of_removed_;
  FilteredOut filtered = filtered_by_removed_;
  for (const auto& courier : retired_) books += courier->Stats();
  for (const auto& [serial, entry] : subscriptions_) {
    const DeliveryStats its = entry.subscription->courier().Stats();
    books += its;
    filtered += entry.subscription->Filtered(seen(), its);
  }
  metrics.number_of_messages_published = published();
  metrics.number_of_notifications_delivered = books.delivered;
  metrics.number_of_notifications_failed = books.dead_lettered + books.dropped;
  metrics.number_of_notifications_filtered_out = filtered.total();
  metrics.number_of_notifications_filtered_out_message_attributes = filtered.by_attributes;
  metrics.number_of_notifications_filtered_out_message_body = filtered.by_body;
  metrics.number_of_notifications_filtered_out_no_message_attributes = filtered.no_attributes;
  metrics.number_of_notifications_filtered_out_invalid_message_body = filtered.invalid_body;
  metrics.number_of_notifications_redriven_to_dlq = books.dead_lettered;
  metrics.number_of_notifications_failed_to_redrive_to_dlq = books.dead_letters_refused;
  metrics.failed_attempts = books.failed_attempts;
  metrics.subscriptions = static_cast<int64_t>(subscriptions_.size());
  metrics.deliveries_pending = books.pending;
  return metrics;
}

void TopicCore::CountShown(bool has_attributes) {
  if (!has_attributes) without_attributes_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace banyan::inline v0_1::internal
