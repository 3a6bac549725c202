// SPDX-License-Identifier: Apache-2.0
#include "route/topic_core.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "deliver/function_core.h"
#include "deliver/retry.h"
#include "message/errors.h"
#include "pattern/event_fields.h"
#include "pattern/match.h"
#include "queue/core.h"
#include "route/rule_target.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kOnSubscribe = "Invalid parameter: Attributes Reason: ";
constexpr std::string_view kOnChange = "Invalid parameter: ";

// The filter was never asked: everything passes.
Explanation PassesUnfiltered() {
  return {.matched = true, .sentence = "The subscription has no filter policy."};
}

// What the subscription delivers to, or why there is no such subscription.
absl::StatusOr<std::shared_ptr<Sink>> ResolveEndpoint(const Target& target) {
  std::shared_ptr<Sink> endpoint;
  if (const Queue* queue = std::get_if<Queue>(&target.to())) {
    endpoint = queue->core();
  } else if (const Function* function = std::get_if<Function>(&target.to())) {
    endpoint = function->core();
  } else {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Amazon SNS does not support this protocol string: ",
                 std::holds_alternative<Stream>(target.to()) ? "stream" : "topic");
  }
  if (endpoint == nullptr) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Endpoint Reason: the handle names no queue or function");
  }
  return endpoint;
}

absl::Status ValidateSubscriptionTarget(const Target& target, const Environment& env) {
  if (!IsAtHome(target, env)) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Endpoint Reason: the endpoint, or its dead-letter queue, "
                 "belongs to another broker");
  }
  if (!target.partition_key_path().empty()) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "PartitionKeyPath is for streams only");
  }
  if (target.dead_letter().has_value() && target.dead_letter()->core() == nullptr) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "RedrivePolicy: deadLetterTargetArn is an invalid arn");
  }
  if (!target.retry().has_value()) return absl::OkStatus();
  return ValidateRetryPolicy(*target.retry(), TopicRetryLimits(), AwsError::kTopicInvalidParameter);
}

}  // namespace

SubscriptionCore::SubscriptionCore(std::weak_ptr<TopicCore> topic, Arn arn, Target target, bool raw,
                                   std::shared_ptr<Courier> courier)
    : topic_(std::move(topic)),
      arn_(std::move(arn)),
      arn_text_(arn_.ToString()),
      target_(std::move(target)),
      raw_(raw),
      courier_(std::move(courier)) {}

SubscriptionStats SubscriptionCore::Stats() const {
  return {.filtered = filtered_.load(std::memory_order_relaxed), .delivery = courier_->Stats()};
}

// The message as filters see it (T3).
class TopicCore::FilterInput {
 public:
  FilterInput(const Attributes& attributes, std::string_view body, const Limits& limits)
      : attributes_(attributes), body_(body), limits_(limits) {}

  // Null: the message is nothing this scope can look at (a body that is not a JSON object).
  const EventFields* Fields(FilterPolicyScope scope) {
    if (scope == FilterPolicyScope::kMessageAttributes) {
      if (!by_attributes_.has_value()) by_attributes_ = EventFields::FromAttributes(attributes_);
      return &*by_attributes_;
    }
    if (!body_read_) {
      body_read_ = true;
      by_body_ = EventFields::FromJson(body_, static_cast<size_t>(limits_.pattern.depth_max),
                                       &body_error_);
    }
    return by_body_.has_value() ? &*by_body_ : nullptr;
  }

  bool Passes(const Filter* filter) {
    if (filter == nullptr) return true;
    const EventFields* fields = Fields(filter->scope);
    return fields != nullptr && Match(*filter->pattern, *fields);
  }

  Explanation Explain(const Filter* filter) {
    if (filter == nullptr) return PassesUnfiltered();
    const EventFields* fields = Fields(filter->scope);
    if (fields != nullptr) return ExplainMatch(*filter->pattern, *fields);
    return {.sentence = StrCat("The body is not a JSON object: ", body_error_)};
  }

 private:
  const Attributes& attributes_;
  const std::string_view body_;
  const Limits& limits_;
  std::optional<EventFields> by_attributes_;
  std::optional<EventFields> by_body_;
  bool body_read_ = false;
  std::string body_error_;
};

TopicCore::TopicCore(std::shared_ptr<Environment> env, std::string name, TopicOptions options)
    : env_(std::move(env)),
      name_(std::move(name)),
      options_(std::move(options)),
      arn_(env_->MakeArn("sns", name_)),
      arn_text_(arn_.ToString()),
      notification_(std::make_shared<const Notification>(arn_text_)),
      subscriptions_(std::make_shared<const Snapshot>()) {}

std::shared_ptr<TopicCore> TopicCore::Create(std::shared_ptr<Environment> env, std::string name,
                                             TopicOptions options) {
  return std::shared_ptr<TopicCore>(
      new TopicCore(std::move(env), std::move(name), std::move(options)));
}

absl::Status TopicCore::Gone() const {
  if (close_kind_.load(std::memory_order_acquire) == CloseKind::kStopped) return env_->Refusal();
  return Error(AwsError::kTopicNotFound, "Topic does not exist");
}

absl::StatusOr<PublishResult> TopicCore::Publish(PublishRequest request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::shared_ptr<const Snapshot> subscriptions = subscriptions_.Load();
  if (subscriptions == nullptr) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, env_->limits));

  const Id id = env_->ids.Next();
  const MessageRef message = MakeMessage({.id = id,
                                          .event_id = id,
                                          .accepted = env_->runtime.Read(),
                                          .trace_header = std::move(request.trace_header),
                                          .subject = std::move(request.subject),
                                          .attributes = std::move(request.attributes),
                                          .body = std::move(request.body)});
  published_.fetch_add(1, std::memory_order_relaxed);
  if (env_->tap != nullptr) {
    const TapVerdict verdict =
        env_->tap->Accepted({.resource_arn = arn_text_,
                             .sequence = tap_sequence_.fetch_add(1, std::memory_order_relaxed) + 1,
                             .event_id = message->event_id,
                             .trace_header = message->trace_header,
                             .accepted = message->accepted,
                             .body = message->body,
                             .attributes = &message->attributes,
                             .key = {}});
    if (verdict == TapVerdict::kTakeOver) return PublishResult{id};
  }
  FanOut(*subscriptions, message);
  return PublishResult{id};
}

std::optional<absl::Status> TopicCore::Accept(const Delivery& delivery, LaterFn) {
  const std::shared_ptr<const Snapshot> subscriptions = subscriptions_.Load();
  if (subscriptions == nullptr) return Gone();
  Payload body = delivery.Body();
  BANYAN_RETURN_IF_ERROR(ValidateBodySize(static_cast<int64_t>(body.size()), env_->limits));
  // A block of its own, because the topic gives the message another id; the body is shared.
  const MessageRef message = MakeMessage({.id = env_->ids.Next(),
                                          .event_id = delivery.message->event_id,
                                          .accepted = env_->runtime.Read(),
                                          .trace_header = delivery.message->trace_header,
                                          .body = std::move(body)});
  published_.fetch_add(1, std::memory_order_relaxed);
  FanOut(*subscriptions, message);
  return absl::OkStatus();
}

void TopicCore::FanOut(const Snapshot& subscriptions, const MessageRef& message) const {
  FilterInput input(message->attributes, message->body.view(), env_->limits);
  Delivery raw = {.message = message};
  Delivery enveloped = {.message = message, .presentation = notification_};
  for (const Entry& entry : subscriptions) {
    SubscriptionCore& subscription = *entry.subscription;
    if (input.Passes(entry.filter.get())) {
      subscription.courier().Deliver(subscription.raw() ? raw : enveloped);
    } else {
      subscription.CountFiltered();
    }
  }
}

absl::StatusOr<std::shared_ptr<const TopicCore::Filter>> TopicCore::MakeFilter(
    std::string_view json, FilterPolicyScope scope, std::string_view prefix) const {
  std::shared_ptr<const Filter> none;
  std::string compact;
  if (json.empty() || (CompactJson(json, &compact) && compact == "{}")) return none;
  CompileResult compiled = CompilePattern(json,
                                          scope == FilterPolicyScope::kMessageBody
                                              ? PatternLanguage::kSnsMessageBody
                                              : PatternLanguage::kSnsMessageAttributes,
                                          env_->limits);
  if (const PatternError* error = std::get_if<PatternError>(&compiled)) {
    return Error(AwsError::kTopicInvalidParameter, prefix, FilterPolicyText(*error, json));
  }
  return std::make_shared<const Filter>(
      Filter{std::string(json), scope,
             std::get<std::shared_ptr<const CompiledPattern>>(std::move(compiled))});
}

absl::Status TopicCore::CheckFilterCount(const Snapshot& entries) const {
  const auto filters = std::count_if(entries.begin(), entries.end(),
                                     [](const Entry& entry) { return entry.filter != nullptr; });
  if (filters <= env_->limits.topic.filter_policies_max) return absl::OkStatus();
  return Error(AwsError::kTopicFilterPolicyLimitExceeded, "Filter policy limit exceeded: at most ",
               env_->limits.topic.filter_policies_max, " per topic");
}

std::shared_ptr<SubscriptionCore> TopicCore::MakeSubscription(Target target, bool raw) {
  // The subscription's ARN is the topic's and a UUID.
  Arn arn = arn_;
  arn.resource = StrCat(name_, ":", env_->ids.Next().ToString());

  // A dead-letter queue gets what the endpoint would have received. But a function's gets the
  // envelope, as from SNS; and so does that of a raw subscription whose message has more attributes
  // than the readers of a queue expect, which is why it came here.
  const bool to_function = std::holds_alternative<Function>(target.to());
  CourierPlan plan;
  plan.destination = *ResolveEndpoint(target);
  plan.retry = target.retry().value_or(DefaultTopicRetry());
  plan.source_arn = arn.ToString();
  if (target.dead_letter().has_value()) {
    plan.dead_letter = target.dead_letter()->core();
    plan.dead_letter_form = [to_function, envelope = notification_,
                             most = static_cast<size_t>(env_->limits.queue.attributes_max)](
                                const Delivery& delivery, const GivenUp&) {
      if (to_function || delivery.message->attributes.size() > most) {
        return Delivery{.message = delivery.message, .presentation = envelope};
      }
      return delivery;
    };
  }
  return std::make_shared<SubscriptionCore>(weak_from_this(), std::move(arn), std::move(target),
                                            raw || to_function,
                                            Courier::Create(env_, std::move(plan)));
}

absl::StatusOr<Subscription> TopicCore::Subscribe(Target target, SubscriptionOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ResolveEndpoint(target).status());
  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionTarget(target, *env_));
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<const Filter> filter,
      MakeFilter(options.filter_policy, options.filter_policy_scope, kOnSubscribe));

  MutexLock lock(&change_mu_);
  const std::shared_ptr<const Snapshot> current = subscriptions_.Load();
  if (current == nullptr) return Gone();
  for (const Entry& entry : *current) {
    const SubscriptionCore& there = *entry.subscription;
    if (there.target().to() != target.to()) continue;
    // What is left at its default counts as left out, and left out is never a difference.
    const bool same =
        (filter == nullptr || (entry.filter != nullptr && filter->text == entry.filter->text &&
                               filter->scope == entry.filter->scope)) &&
        (!options.raw || there.raw()) &&
        (!target.retry().has_value() || target.retry() == there.target().retry()) &&
        (!target.dead_letter().has_value() || target.dead_letter() == there.target().dead_letter());
    if (same) return Subscription(entry.subscription);
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "Subscription already exists with different attributes");
  }
  if (static_cast<int64_t>(current->size()) >= env_->limits.topic.subscriptions_max) {
    return Error(AwsError::kTopicSubscriptionLimitExceeded, "Subscription limit exceeded: at most ",
                 env_->limits.topic.subscriptions_max, " per topic");
  }
  auto next = std::make_shared<Snapshot>(*current);
  next->push_back({MakeSubscription(std::move(target), options.raw), std::move(filter)});
  BANYAN_RETURN_IF_ERROR(CheckFilterCount(*next));
  std::shared_ptr<SubscriptionCore> made = next->back().subscription;
  subscriptions_.Store(std::move(next));
  return Subscription(std::move(made));
}

absl::Status TopicCore::Unsubscribe(const SubscriptionCore& subscription) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  const std::shared_ptr<const Snapshot> current = subscriptions_.Load();
  if (current == nullptr) return absl::OkStatus();  // gone with its topic
  auto next = std::make_shared<Snapshot>();
  next->reserve(current->size());
  for (const Entry& entry : *current) {
    if (entry.subscription.get() != &subscription) {
      next->push_back(entry);
    } else {
      Retire(entry.subscription->shared_courier());
    }
  }
  subscriptions_.Store(std::move(next));
  return absl::OkStatus();
}

void TopicCore::Retire(std::shared_ptr<Courier> courier) {
  // A publisher that still works on the old snapshot may give it more, so it is kept even if it is
  // idle now; those that were idle at the next change are let go then.
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                [](const auto& retired) { return retired->pending() == 0; }),
                 retired_.end());
  retired_.push_back(std::move(courier));
}

absl::Status TopicCore::SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                                        FilterPolicyScope scope) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const Filter> filter, MakeFilter(json, scope, kOnChange));
  MutexLock lock(&change_mu_);
  const std::shared_ptr<const Snapshot> current = subscriptions_.Load();
  if (current == nullptr) return Gone();
  auto next = std::make_shared<Snapshot>(*current);
  const auto entry = std::find_if(next->begin(), next->end(), [&subscription](const Entry& e) {
    return e.subscription.get() == &subscription;
  });
  if (entry == next->end()) {
    return Error(AwsError::kTopicNotFound, "Subscription does not exist");
  }
  entry->filter = std::move(filter);
  BANYAN_RETURN_IF_ERROR(CheckFilterCount(*next));
  subscriptions_.Store(std::move(next));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Subscription>> TopicCore::ListSubscriptions() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::shared_ptr<const Snapshot> subscriptions = subscriptions_.Load();
  if (subscriptions == nullptr) return Gone();
  std::vector<Subscription> list;
  for (const Entry& entry : *subscriptions) list.emplace_back(entry.subscription);
  return list;
}

absl::StatusOr<std::vector<SubscriptionExplanation>> TopicCore::Explain(
    const PublishRequest& request) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::shared_ptr<const Snapshot> subscriptions = subscriptions_.Load();
  if (subscriptions == nullptr) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, env_->limits));
  FilterInput input(request.attributes, request.body.view(), env_->limits);
  std::vector<SubscriptionExplanation> list;
  for (const Entry& entry : *subscriptions) {
    list.push_back({entry.subscription->arn_text(), input.Explain(entry.filter.get())});
  }
  return list;
}

absl::StatusOr<TopicOptions> TopicCore::Options() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (subscriptions_.Load() == nullptr) return Gone();
  return options_;
}

TopicStats TopicCore::Stats() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  const std::shared_ptr<const Snapshot> subscriptions = subscriptions_.Load();
  if (subscriptions == nullptr) return {};
  return {.published = published_.load(std::memory_order_relaxed),
          .subscriptions = static_cast<int64_t>(subscriptions->size())};
}

int64_t TopicCore::PendingDeliveries() const {
  int64_t pending = 0;
  MutexLock lock(&change_mu_);
  if (const std::shared_ptr<const Snapshot> current = subscriptions_.Load(); current != nullptr) {
    for (const Entry& entry : *current) pending += entry.subscription->courier().pending();
  }
  for (const std::shared_ptr<Courier>& courier : retired_) pending += courier->pending();
  return pending;
}

void TopicCore::Close(CloseKind kind) {
  std::vector<std::shared_ptr<Courier>> couriers;
  {
    MutexLock lock(&change_mu_);
    const std::shared_ptr<const Snapshot> last = subscriptions_.Load();
    if (last == nullptr) return;
    for (const Entry& entry : *last) retired_.push_back(entry.subscription->shared_courier());
    couriers = retired_;
    close_kind_.store(kind, std::memory_order_release);
    subscriptions_.Store(nullptr);
  }
  for (const std::shared_ptr<Courier>& courier : couriers) courier->Close(kind);
}

}  // namespace banyan::inline v0_1::internal
