// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_confirmations.cc -- floor 5: how a topic reaches what is outside the
// broker, and the handshake before that.
//
//   Subscribe --> pending --SubscriptionConfirmation(token)--> server
//                    |  <------ConfirmSubscription(token)------'
//                    v
//                confirmed --Unsubscribe--> gone, UnsubscribeConfirmation(token) --> server
//                    ^                        |
//                    `--ConfirmSubscription(token), under another ARN
//
// A notice is delivered as a message is, with the subscription's retries, but through a courier of
// its own, so that the books of the subscription count messages only. Nobody waits for it, and one
// that is given up is logged.
#include <utility>
#include <variant>

#include "base/status_macros.h"
#include "message/errors.h"
#include "route/subscription_rules.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1::internal {

void TopicCore::PlanEndpoint(const NotificationEndpoint& endpoint, const Arn& subscription,
                             const std::shared_ptr<const HttpSettings>& settings, CourierPlan* plan,
                             std::shared_ptr<HttpEndpoint>* http) const {
  if (settings == nullptr) {
    plan->destination = std::make_shared<CaptureEndpoint>(env_, endpoint, arn_text_);
    return;
  }
  *http = MakeHttpEndpoint(env_, {.url = endpoint.address,
                                  .type = "Notification",
                                  .topic_arn = arn_text_,
                                  .subscription_arn = subscription.ToString(),
                                  .settings = settings});
  plan->destination = *http;
  plan->phases = [settings] { return settings->Get().retry; };
  plan->retry.age_max = kHttpRetryTimeMax;
  plan->close_destination = [http = *http](CloseKind kind) { http->Close(kind); };
}

absl::StatusOr<Subscription> TopicCore::ConfirmSubscription(std::string_view token) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (!IsToken(token)) return Error(AwsError::kTopicInvalidParameter, "Invalid token");
  std::optional<Confirmations::Ended> ended;
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return Gone();
    const int64_t now_ns = env_->runtime.Read().uptime_ns;
    if (const std::optional<uint64_t> serial = confirmations_.Find(token, now_ns)) {
      const Entry& entry = subscriptions_.at(*serial);
      if (entry.subscription->Confirm()) Activate(entry);
      return Subscription(entry.subscription);
    }
    ended = confirmations_.TakeEnded(token, now_ns);
  }
  if (!ended.has_value()) {
    return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Token");
  }
  return Restore(*std::move(ended), token);
}

Confirmations::Ended TopicCore::Ended(const Entry& entry) {
  const SubscriptionCore& subscription = *entry.subscription;
  Confirmations::Ended ended = {subscription.target(), {}};
  if (entry.dead_letter.has_value()) ended.target.DeadLetter(*entry.dead_letter);
  ended.options.raw = subscription.raw();
  ended.options.delivery_policy = entry.delivery_policy;
  if (entry.filter != nullptr) {
    ended.options.filter_policy = entry.filter->text;
    ended.options.filter_policy_scope = entry.filter->scope;
  }
  return ended;
}

absl::StatusOr<Subscription> TopicCore::Restore(Confirmations::Ended ended,
                                                std::string_view token) {
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<const Filter> filter,
      MakeFilter(ended.options.filter_policy, ended.options.filter_policy_scope, kOnSubscribe));
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<SubscriptionCore> made,
                          FindOrAdd(std::move(ended.target), ended.options, std::move(filter)));
  MutexLock lock(&change_mu_);
  const auto entry = subscriptions_.find(made->serial());
  if (entry != subscriptions_.end()) {
    confirmations_.SetToken(made->serial(), token, env_->runtime.Read().uptime_ns);
    if (made->Confirm()) Activate(entry->second);
  }
  return Subscription(std::move(made));
}

void TopicCore::AskForConfirmation(const SubscriptionCore& subscription) {
  std::string token;
  {
    MutexLock lock(&change_mu_);
    if (!subscriptions_.contains(subscription.serial())) return;  // unsubscribed meanwhile
    token = confirmations_.TokenFor(subscription.serial(), env_->runtime);
  }
  SendNotice(subscription, HandshakeNotice::Kind::kSubscription, std::move(token));
}

void TopicCore::SendNotice(const SubscriptionCore& subscription, HandshakeNotice::Kind kind,
                           std::string token) {
  const auto& endpoint = std::get<NotificationEndpoint>(subscription.target().to());
  const bool asks = kind == HandshakeNotice::Kind::kSubscription;
  const std::string url = SubscribeUrl(*env_, arn_text_, token);
  std::string text = HandshakeText(kind, asks ? arn_text_ : subscription.arn_text());
  std::shared_ptr<const Presentation> presentation;
  if (subscription.protocol() == Protocol::kEmail) {
    text += StrCat("\n", url);  // there is no SubscribeURL beside the text
  } else {
    presentation = std::make_shared<const HandshakeNotice>(kind, arn_text_, std::move(token), url,
                                                           MakeSigning(*env_, signature_version_));
  }
  const Id id = env_->ids.Next();
  Delivery notice = {
      .message = MakeMessage({.id = id,
                              .event_id = id,
                              .accepted = env_->runtime.Read(),
                              .subject = IsEmail(subscription.protocol())
                                             ? "AWS Notification - Subscription Confirmation"
                                             : "",
                              .body = Payload(text)}),
      .presentation = std::move(presentation)};

  CourierPlan plan;
  plan.source_arn = subscription.arn_text();
  if (IsHttp(subscription.protocol())) {
    const std::shared_ptr<HttpEndpoint> http =
        MakeHttpEndpoint(env_, {.url = endpoint.address,
                                .type = std::string(HandshakeNotice::Type(kind)),
                                .topic_arn = arn_text_,
                                .subscription_arn = asks ? std::string() : subscription.arn_text(),
                                .settings = subscription.http_settings()});
    plan.destination = http;
    plan.phases = [settings = subscription.http_settings()] { return settings->Get().retry; };
    plan.retry.age_max = kHttpRetryTimeMax;
    plan.close_destination = [http](CloseKind close) { http->Close(close); };
  } else {
    plan.destination = std::make_shared<CaptureEndpoint>(env_, endpoint, arn_text_);
  }
  const std::shared_ptr<Courier> courier = Courier::Create(env_, std::move(plan));
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return;
    Retire(courier);
  }
  courier->Deliver(notice);
}

}  // namespace banyan::inline v0_1::internal
