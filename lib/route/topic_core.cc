// SPDX-License-Identifier: Apache-2.0
#include "route/topic_core.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "deliver/function_core.h"
#include "deliver/retry.h"
#include "message/errors.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "queue/core.h"
#include "route/rule_target.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kOnSubscribe = "Invalid parameter: Attributes Reason: ";
constexpr std::string_view kOnChange = "Invalid parameter: ";

// How the index knows a subscription. Points to its argument.
std::string_view SerialId(const uint64_t& serial) {
  return {reinterpret_cast<const char*>(&serial), sizeof(serial)};
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
  if (IsFifoQueue(target)) {
    return Error(
        AwsError::kTopicInvalidParameter,
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
        "subscribed to standard SNS topics");
  }
  if (target.dead_letter().has_value() && target.dead_letter()->core() != nullptr &&
      target.dead_letter()->core()->fifo()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: RedrivePolicy: the dead-letter queue of a subscription to a "
                 "standard topic is a standard queue");
  }
  if (target.dead_letter().has_value() && target.dead_letter()->core() == nullptr) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "RedrivePolicy: deadLetterTargetArn is an invalid arn");
  }
  if (!target.retry().has_value()) return absl::OkStatus();
  return ValidateRetryPolicy(*target.retry(), TopicRetryLimits(), AwsError::kTopicInvalidParameter);
}

}  // namespace

SubscriptionCore::SubscriptionCore(Plan plan)
    : topic_(std::move(plan.topic)),
      serial_(plan.serial),
      arn_(std::move(plan.arn)),
      arn_text_(arn_.ToString()),
      target_(std::move(plan.target)),
      raw_(plan.raw),
      courier_(std::move(plan.courier)),
      published_before_(plan.published_before) {}

SubscriptionStats SubscriptionCore::Stats() const {
  SubscriptionStats stats;
  // In this order, so that what was delivered was published.
  stats.delivery = courier_->Stats();
  int64_t published = published_until_.load(std::memory_order_relaxed);
  if (published < 0) {
    const std::shared_ptr<TopicCore> topic = topic_.lock();
    published = topic == nullptr ? published_before_ : topic->published();
  }
  stats.filtered = std::max<int64_t>(0, published - published_before_ - stats.delivery.matched);
  return stats;
}

TopicCore::TopicCore(std::shared_ptr<Environment> env, std::string name, TopicOptions options)
    : env_(std::move(env)),
      name_(std::move(name)),
      options_(std::move(options)),
      arn_(env_->MakeArn("sns", name_)),
      arn_text_(arn_.ToString()),
      notification_(std::make_shared<const Notification>(arn_text_)),
      active_(env_->limits) {}

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
  RuleIndex::Moment subscriptions(active_);
  if (subscriptions.closed()) return Gone();
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
                             .trace_header = message->trace_header(),
                             .accepted = message->accepted,
                             .body = message->body,
                             .attributes = &message->attributes,
                             .key = {}});
    if (verdict == TapVerdict::kTakeOver) return PublishResult{id};
  }
  FanOut(message, &subscriptions);
  return PublishResult{id};
}

std::optional<absl::Status> TopicCore::Accept(const Delivery& delivery, LaterFn) {
  RuleIndex::Moment subscriptions(active_);
  if (subscriptions.closed()) return Gone();
  Payload body = delivery.Body();
  BANYAN_RETURN_IF_ERROR(ValidateBodySize(static_cast<int64_t>(body.size()), env_->limits));
  // A block of its own, because the topic gives the message another id; the body is shared.
  const MessageRef message = MakeMessage({.id = env_->ids.Next(),
                                          .event_id = delivery.message->event_id,
                                          .accepted = env_->runtime.Read(),
                                          .trace_header = delivery.message->trace_header(),
                                          .body = std::move(body)});
  published_.fetch_add(1, std::memory_order_relaxed);
  FanOut(message, &subscriptions);
  return absl::OkStatus();
}

void TopicCore::FanOut(const MessageRef& message, RuleIndex::Moment* subscriptions) {
  Delivery raw = {.message = message};
  Delivery enveloped = {.message = message, .presentation = notification_};
  const std::string_view body = message->body.view();
  RuleIndex::Refusal refused = RuleIndex::Refusal::kNone;
  subscriptions->Match(
      {.json = &body, .attributes = &message->attributes},
      [&raw, &enveloped](const PackedRule& found) {
        const auto& subscription = *static_cast<const SubscriptionCore*>(found.payload());
        subscription.courier().Deliver(subscription.raw() ? raw : enveloped);
      },
      &refused);
  if (refused != RuleIndex::Refusal::kNone) unreadable_.fetch_add(1, std::memory_order_relaxed);
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

absl::Status TopicCore::CountFilters(bool had, bool has) {
  if (had == has) return absl::OkStatus();
  const Limits::Topic& limits = env_->limits.topic;
  std::atomic<int64_t>& all = env_->filter_policies;
  if (had) {
    --filters_;
    all.fetch_sub(1, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  if (filters_ >= limits.filter_policies_max) {
    return Error(AwsError::kTopicFilterPolicyLimitExceeded,
                 "Filter policy limit exceeded: at most ", limits.filter_policies_max,
                 " per topic");
  }
  // Counted first, so that two topics cannot both take the last.
  if (all.fetch_add(1, std::memory_order_relaxed) >= limits.all_filter_policies_max) {
    all.fetch_sub(1, std::memory_order_relaxed);
    return Error(AwsError::kTopicFilterPolicyLimitExceeded,
                 "Filter policy limit exceeded: at most ", limits.all_filter_policies_max,
                 " in all topics");
  }
  ++filters_;
  return absl::OkStatus();
}

void TopicCore::Activate(const Entry& entry) {
  const uint64_t serial = entry.subscription->serial();
  RuleInput input = RuleInput::kNothing;
  if (entry.filter != nullptr) {
    input = entry.filter->scope == FilterPolicyScope::kMessageBody ? RuleInput::kJson
                                                                   : RuleInput::kAttributes;
  }
  const bool has_room =
      active_.Put({.input = input,
                   .pattern = entry.filter == nullptr ? nullptr : entry.filter->pattern,
                   .id = SerialId(serial),
                   .payload = entry.subscription});
  BANYAN_CHECK(has_room, "Subscribe() keeps the number below what the index takes");
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
  return std::make_shared<SubscriptionCore>(
      SubscriptionCore::Plan{.topic = weak_from_this(),
                             .serial = next_serial_++,
                             .arn = std::move(arn),
                             .target = std::move(target),
                             .raw = raw || to_function,
                             .courier = Courier::Create(env_, std::move(plan)),
                             .published_before = published()});
}

absl::StatusOr<Subscription> TopicCore::Subscribe(Target target, SubscriptionOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(const std::shared_ptr<Sink> endpoint, ResolveEndpoint(target));
  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionTarget(target, *env_));
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<const Filter> filter,
      MakeFilter(options.filter_policy, options.filter_policy_scope, kOnSubscribe));

  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  if (const auto known = by_endpoint_.find(endpoint.get()); known != by_endpoint_.end()) {
    const Entry& entry = subscriptions_.at(known->second);
    const SubscriptionCore& there = *entry.subscription;
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
  const int64_t most =
      std::min(env_->limits.topic.subscriptions_max, env_->limits.pattern.rules_max);
  if (static_cast<int64_t>(subscriptions_.size()) >= most) {
    return Error(AwsError::kTopicSubscriptionLimitExceeded, "Subscription limit exceeded: at most ",
                 most, " per topic");
  }
  BANYAN_RETURN_IF_ERROR(CountFilters(false, filter != nullptr));
  std::shared_ptr<SubscriptionCore> made = MakeSubscription(std::move(target), options.raw);
  const Entry entry = {made, std::move(filter)};
  subscriptions_.emplace(made->serial(), entry);
  by_endpoint_.emplace(endpoint.get(), made->serial());
  Activate(entry);
  return Subscription(std::move(made));
}

absl::Status TopicCore::Unsubscribe(const SubscriptionCore& subscription) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  const auto entry = subscriptions_.find(subscription.serial());
  if (entry == subscriptions_.end()) return absl::OkStatus();  // gone already, or with its topic
  active_.Remove(SerialId(subscription.serial()));
  entry->second.subscription->EndAt(published());
  CountFilters(entry->second.filter != nullptr, false).IgnoreError();  // fewer are never refused
  Retire(entry->second.subscription->shared_courier());
  by_endpoint_.erase(ResolveEndpoint(subscription.target())->get());
  subscriptions_.erase(entry);
  return absl::OkStatus();
}

void TopicCore::Retire(std::shared_ptr<Courier> courier) {
  // A publisher of an earlier moment may give it more, so it is kept even if it is idle now. At
  // later changes those are let go that are idle and that nobody else can reach.
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                [](const auto& retired) {
                                  return retired->pending() == 0 && retired.use_count() == 1;
                                }),
                 retired_.end());
  retired_.push_back(std::move(courier));
}

absl::Status TopicCore::SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                                        FilterPolicyScope scope) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const Filter> filter, MakeFilter(json, scope, kOnChange));
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const auto entry = subscriptions_.find(subscription.serial());
  if (entry == subscriptions_.end()) {
    return Error(AwsError::kTopicNotFound, "Subscription does not exist");
  }
  BANYAN_RETURN_IF_ERROR(CountFilters(entry->second.filter != nullptr, filter != nullptr));
  entry->second.filter = std::move(filter);
  Activate(entry->second);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Subscription>> TopicCore::ListSubscriptions() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  std::vector<Subscription> list;
  for (const auto& [serial, entry] : subscriptions_) list.emplace_back(entry.subscription);
  return list;
}

absl::StatusOr<std::vector<SubscriptionExplanation>> TopicCore::Explain(
    const PublishRequest& request) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, env_->limits));
  const EventFields by_attributes = EventFields::FromAttributes(request.attributes);
  std::string body_error;
  const std::optional<EventFields> by_body =
      EventFields::FromJson(request.body.view(), EventLimits(env_->limits), &body_error);

  std::vector<SubscriptionExplanation> list;
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  for (const auto& [serial, entry] : subscriptions_) {
    SubscriptionExplanation& explained = list.emplace_back();
    explained.subscription_arn = entry.subscription->arn_text();
    if (entry.filter == nullptr) {
      explained.verdict = {.matched = true, .sentence = "The subscription has no filter policy."};
    } else if (entry.filter->scope == FilterPolicyScope::kMessageAttributes) {
      explained.verdict = ExplainMatch(*entry.filter->pattern, by_attributes);
    } else if (by_body.has_value()) {
      explained.verdict = ExplainMatch(*entry.filter->pattern, *by_body);
    } else {
      explained.verdict.sentence =
          StrCat("The body is not a JSON object that filter policies can read: ", body_error);
    }
  }
  return list;
}

absl::StatusOr<TopicOptions> TopicCore::Options() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  return options_;
}

TopicStats TopicCore::Stats() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  MutexLock lock(&change_mu_);
  if (!is_open_) return {};
  return {.published = published(),
          .subscriptions = static_cast<int64_t>(subscriptions_.size()),
          .unreadable = unreadable_.load(std::memory_order_relaxed)};
}

int64_t TopicCore::PendingDeliveries() const {
  int64_t pending = 0;
  MutexLock lock(&change_mu_);
  for (const auto& [serial, entry] : subscriptions_) {
    pending += entry.subscription->courier().pending();
  }
  for (const std::shared_ptr<Courier>& courier : retired_) pending += courier->pending();
  return pending;
}

void TopicCore::Close(CloseKind kind) {
  std::vector<std::shared_ptr<Courier>> couriers;
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return;
    close_kind_.store(kind, std::memory_order_release);
    is_open_ = false;
    active_.Close();
    for (const auto& [serial, entry] : subscriptions_) {
      entry.subscription->EndAt(published());
      retired_.push_back(entry.subscription->shared_courier());
    }
    couriers = retired_;
    subscriptions_.clear();
    by_endpoint_.clear();
    env_->filter_policies.fetch_sub(filters_, std::memory_order_relaxed);
    filters_ = 0;
  }
  for (const std::shared_ptr<Courier>& courier : couriers) courier->Close(kind);
}

}  // namespace banyan::inline v0_1::internal
