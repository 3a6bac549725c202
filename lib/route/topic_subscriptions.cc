// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_subscriptions.cc -- floor 5: how subscriptions of a topic come, change and go.
// What they get: topic_core.cc.
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
#include "pattern/syntax.h"
#include "queue/core.h"
#include "route/rule_target.h"
#include "route/subscription_rules.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1::internal {

namespace {

// How the index knows a subscription. Points to its argument.
std::string_view SerialId(const uint64_t& serial) {
  return {reinterpret_cast<const char*>(&serial), sizeof(serial)};
}

using Form = SubscriptionCore::Form;

Form FormFor(const Target& target, bool raw, bool topic_is_fifo) {
  const bool without_group = topic_is_fifo && !IsFifoQueue(target);
  if (raw) return without_group ? Form::kRawWithoutGroup : Form::kRaw;
  return without_group ? Form::kEnvelopedWithoutGroup : Form::kEnveloped;
}

}  // namespace

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
  if (entry.subscription->is_pending()) return;
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
  std::optional<FilterPolicyScope> scope;
  if (entry.filter != nullptr) scope = entry.filter->scope;
  entry.subscription->BeginFilter(seen(), scope);
}

std::shared_ptr<SubscriptionCore> TopicCore::MakeSubscription(Target target,
                                                              const SubscriptionOptions& options) {
  // The subscription's ARN is the topic's and a UUID.
  Arn arn = arn_;
  arn.resource = StrCat(name_, ":", env_->ids.Next().ToString());

  const Protocol protocol = ProtocolOf(target);
  const bool to_function = protocol == Protocol::kFunction;
  // E-mail, text messages and push show the message's text; e-mail in JSON the envelope.
  const bool shows_text = protocol == Protocol::kEmail || protocol == Protocol::kSms ||
                          protocol == Protocol::kApplication;
  const bool raw = options.raw || to_function || shows_text;
  const Form raw_form = to_function ? Form::kFunctionRecord : FormFor(target, true, fifo_);
  std::shared_ptr<HttpSettings> http_settings;
  std::shared_ptr<HttpEndpoint> http;

  // A dead-letter queue gets what the endpoint would have received. But a function's gets the
  // envelope, as from SNS; and so does that of a raw subscription whose message has more attributes
  // than the readers of a queue expect, which is why it came here.
  const std::shared_ptr<const Presentation> envelope = EnvelopeFor(target, arn);
  CourierPlan plan;
  plan.source_arn = arn.ToString();
  if (target.retry().has_value()) {
    plan.retry = *target.retry();
  } else {
    plan.phases = AwsManagedPhases;
    plan.retry.age_max = absl::InfiniteDuration();
  }
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    if (IsHttp(protocol)) {
      http_settings = std::make_shared<HttpSettings>(Policy(options.delivery_policy));
    }
    PlanEndpoint(*endpoint, arn, http_settings, &plan, &http);
  } else if (options.call_inline) {
    plan.destination = std::make_shared<InlineFunction>(std::get<Function>(target.to()).core());
  } else {
    plan.destination = *ResolveEndpoint(target);
  }
  plan.in_order = IsFifoQueue(target);
  plan.find_later = [topic = weak_from_this(), serial = next_serial_]() {
    const std::shared_ptr<TopicCore> core = topic.lock();
    return core == nullptr ? nullptr : core->CourierOf(serial);
  };
  if (target.dead_letter().has_value()) plan.dead_letter = target.dead_letter()->core();
  plan.dead_letter_form = [to_function, envelope,
                           most = static_cast<size_t>(env_->limits.queue.attributes_max)](
                              const Delivery& delivery, const GivenUp&) {
    if (to_function || delivery.message->attributes.size() > most) {
      return Delivery{.message = delivery.message, .presentation = envelope};
    }
    return delivery;
  };
  return std::make_shared<SubscriptionCore>(
      SubscriptionCore::Plan{.topic = weak_from_this(),
                             .serial = next_serial_++,
                             .arn = std::move(arn),
                             .target = target,
                             .raw = raw,
                             .called_inline = options.call_inline,
                             .protocol = protocol,
                             .form = FormFor(target, false, fifo_),
                             .raw_form = raw_form,
                             .own_envelope = env_->endpoint_url.empty() ? nullptr : envelope,
                             .http_settings = std::move(http_settings),
                             .http = std::move(http),
                             .courier = Courier::Create(env_, std::move(plan))});
}

const std::shared_ptr<const Presentation>& TopicCore::PresentationFor(
    const SubscriptionCore& subscription) const {
  const SubscriptionCore::Look look = subscription.look();
  if (look.own_envelope != nullptr) return *look.own_envelope;
  return presentations_[static_cast<size_t>(look.form)];
}

// The topic's for all, unless each is to name its own way out.
std::shared_ptr<const Presentation> TopicCore::EnvelopeFor(const Target& target,
                                                           const Arn& subscription) const {
  const Form form = FormFor(target, /*raw=*/false, fifo_);
  if (env_->endpoint_url.empty()) return presentations_[static_cast<size_t>(form)];
  return std::make_shared<const Notification>(
      arn_text_, fifo_ ? Notification::Of::kFifoTopic : Notification::Of::kStandardTopic,
      form == Form::kEnvelopedWithoutGroup ? Notification::Group::kLeftOut
                                           : Notification::Group::kKept,
      MakeSigning(*env_, signature_version_), UnsubscribeUrl(*env_, subscription.ToString()));
}

absl::StatusOr<Subscription> TopicCore::Subscribe(Target target, SubscriptionOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ResolveEndpoint(target).status());
  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionTarget(target, fifo_, *env_));
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<const Filter> filter,
      MakeFilter(options.filter_policy, options.filter_policy_scope, kOnSubscribe));

  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionOptions(options, ProtocolOf(target)));
  if (options.replay_policy.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckReplay(*options.replay_policy));
  }
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<SubscriptionCore> subscription,
                          FindOrAdd(std::move(target), options, std::move(filter)));
  if (subscription->is_pending()) AskForConfirmation(*subscription);
  return Subscription(std::move(subscription));
}

absl::StatusOr<std::shared_ptr<SubscriptionCore>> TopicCore::FindOrAdd(
    Target target, const SubscriptionOptions& options, std::shared_ptr<const Filter> filter) {
  const EndpointKey key = KeyOf(target);
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  if (const auto known = by_endpoint_.find(key); known != by_endpoint_.end()) {
    const Entry& entry = subscriptions_.at(known->second);
    const SubscriptionCore& there = *entry.subscription;
    // What is left at its default counts as left out, and left out is never a difference.
    const bool same =
        (filter == nullptr || (entry.filter != nullptr && filter->text == entry.filter->text &&
                               filter->scope == entry.filter->scope)) &&
        (!options.raw || there.raw()) && (!options.call_inline || there.called_inline()) &&
        (options.delivery_policy.empty() || options.delivery_policy == entry.delivery_policy) &&
        (!target.retry().has_value() || target.retry() == there.target().retry()) &&
        (!target.dead_letter().has_value() || target.dead_letter() == entry.dead_letter) &&
        (!options.replay_policy.has_value() || IsReplayedBy(there, *options.replay_policy));
    if (same) return entry.subscription;
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
  std::shared_ptr<SubscriptionCore> made = MakeSubscription(std::move(target), options);
  if (options.replay_policy.has_value()) {
    // Before the line can meet the subscription: it gets nothing live until it has caught up. The
    // replay's first look at it waits for change_mu_.
    const absl::Status begun = archive_->Start(made->serial(), *options.replay_policy);
    if (!begun.ok()) {
      CountFilters(filter != nullptr, false).IgnoreError();  // fewer are never refused
      return begun;
    }
  }
  const Entry entry = {made, std::move(filter), options.delivery_policy,
                       made->target().dead_letter(), options.filter_policy_scope};
  subscriptions_.emplace(made->serial(), entry);
  by_endpoint_.emplace(key, made->serial());
  Activate(entry);
  return made;
}

TopicCore::EndpointKey TopicCore::KeyOf(const Target& target) {
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    return {nullptr, StrCat(endpoint->protocol, "|", endpoint->address)};
  }
  if (const Stream* stream = std::get_if<Stream>(&target.to())) {
    // By the stream itself: one deleted and created again under its name is another.
    return {nullptr, StrCat("stream|", reinterpret_cast<uintptr_t>(stream->core().get()))};
  }
  return {ResolveEndpoint(target)->get(), std::string()};
}

absl::Status TopicCore::Unsubscribe(const SubscriptionCore& subscription) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const bool is_told = IsHttp(subscription.protocol()) && !subscription.is_pending();
  std::string token;  // to undo it
  {
    MutexLock lock(&change_mu_);
    const auto entry = subscriptions_.find(subscription.serial());
    if (entry == subscriptions_.end()) return absl::OkStatus();  // gone already, or with its topic
    active_.Remove(SerialId(subscription.serial()));
    entry->second.subscription->End(seen());
    filtered_by_removed_ += subscription.Filtered(seen(), subscription.courier().Stats());
    ++removed_;
    CountFilters(entry->second.filter != nullptr, false).IgnoreError();  // fewer: never refused
    Retire(entry->second.subscription->shared_courier());
    by_endpoint_.erase(KeyOf(subscription.target()));
    confirmations_.Forget(subscription.serial());
    if (is_told) {
      token = confirmations_.TokenToRestore(Ended(entry->second), env_->runtime);
    }
    subscriptions_.erase(entry);
    if (archive_ != nullptr) archive_->Forget(subscription.serial());
  }
  if (is_told) SendNotice(subscription, HandshakeNotice::Kind::kUnsubscribe, std::move(token));
  return absl::OkStatus();
}

std::shared_ptr<Courier> TopicCore::CourierOf(uint64_t serial) const {
  MutexLock lock(&change_mu_);
  const auto entry = subscriptions_.find(serial);
  return entry == subscriptions_.end() ? nullptr : entry->second.subscription->shared_courier();
}

void TopicCore::Retire(std::shared_ptr<Courier> courier) {
  // A publisher of an earlier moment may give it more, so it is kept even if it is idle now. At
  // later changes those are let go that are idle and that nobody else can reach; when they have
  // doubled, so that a change costs the same however many are kept.
  if (retired_.size() >= sweep_at_) {
    const auto is_done = [this](const auto& retired) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_) {
      if (retired->pending() > 0 || retired.use_count() > 1) return false;
      of_removed_ += retired->Stats();
      return true;
    };
    retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is_done), retired_.end());
    sweep_at_ = std::max<size_t>(16, 2 * retired_.size());
  }
  retired_.push_back(std::move(courier));
}

absl::Status TopicCore::SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                                        FilterPolicyScope scope) {
  return ChangeFilter(subscription, json, scope);
}

absl::Status TopicCore::ChangeFilter(const SubscriptionCore& subscription,
                                     std::optional<std::string_view> json,
                                     std::optional<FilterPolicyScope> scope) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  BANYAN_ASSIGN_OR_RETURN(Entry* const entry, Find(subscription));
  const FilterPolicyScope its_scope = scope.value_or(entry->scope);
  std::string_view there;
  if (entry->filter != nullptr) there = entry->filter->text;
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const Filter> filter,
                          MakeFilter(json.value_or(there), its_scope, kOnChange));
  BANYAN_RETURN_IF_ERROR(CountFilters(entry->filter != nullptr, filter != nullptr));
  entry->filter = std::move(filter);
  entry->scope = its_scope;
  Activate(*entry);
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

}  // namespace banyan::inline v0_1::internal
