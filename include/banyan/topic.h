// SPDX-License-Identifier: Apache-2.0
//
// Topic: what is published here reaches every subscription whose filter lets it pass. SNS's
// standard topic.
//
//   Topic orders = broker.CreateTopic("orders").value();
//   orders.Subscribe(billing, {.filter_policy = R"({"tenant": ["acme"]})", .raw = true}).value();
//   orders.Publish({.body = text, .attributes = {{"tenant", "acme"}}}).value();
//
// When Publish returns, the matching queues have the message. Success says nothing of functions
// and of targets that refused; their retries run on the Runtime.
//
// Threads   Every method may be called from any thread at any time.
// Lifetime  A handle; may outlive the topic and its Broker (kNotFound, kUnavailable).
// Order     Publishes of one thread reach one queue in their order, unless one had to be retried.
// Source    docs.aws.amazon.com/sns/latest/api/API_Publish.html
#ifndef BANYAN_TOPIC_H_
#define BANYAN_TOPIC_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/arn.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/pattern.h"
#include "banyan/payload.h"
#include "banyan/target.h"

namespace banyan::inline v0_1 {

namespace internal {
class SubscriptionCore;
}  // namespace internal

struct TopicOptions {
  std::string display_name = {};  // kept as metadata; up to 100 characters

  friend bool operator==(const TopicOptions&, const TopicOptions&) = default;
};

struct PublishRequest {
  Payload body = {};
  std::string subject = {};  // optional; under 100 characters, no control characters
  Attributes attributes = {};
  // X-Ray's trace header, or a W3C traceparent; at most 500 bytes of printable ASCII.
  std::string trace_header = {};
};

struct PublishResult {
  Id message_id;  // every subscription sees this one; each queue adds an id of its own
};

enum class FilterPolicyScope { kMessageAttributes, kMessageBody };

struct SubscriptionOptions {
  // JSON; empty: everything passes.
  std::string filter_policy = {};
  FilterPolicyScope filter_policy_scope = FilterPolicyScope::kMessageAttributes;

  // True: a queue gets the body and attributes as published; a message with more attributes than
  // a queue can carry (10) is a permanent fault. False: it gets SNS's envelope, a JSON text around
  // them, rendered when it is read; its Signature, SigningCertURL and UnsubscribeURL are empty
  // while nothing signs notifications. Functions always get the message itself.
  bool raw = false;

  friend bool operator==(const SubscriptionOptions&, const SubscriptionOptions&) = default;
};

struct SubscriptionStats {
  int64_t filtered = 0;  // published while subscribed, and stopped by the filter policy
  DeliveryStats delivery;
};

// One target of one topic, with its filter. A handle.
class BANYAN_EXPORT Subscription {
 public:
  Subscription() = default;

  // Nothing published from now on is delivered through it; retries under way go on. OK also if
  // it was gone.
  absl::Status Unsubscribe() const;
  absl::Status SetFilterPolicy(std::string_view json, FilterPolicyScope scope) const;

  SubscriptionStats Stats() const;
  const Arn& arn() const;

  // For the library's own rooms.
  explicit Subscription(std::shared_ptr<internal::SubscriptionCore> core);

 private:
  std::shared_ptr<internal::SubscriptionCore> core_;
};

struct TopicStats {
  int64_t published = 0;
  int64_t subscriptions = 0;
  // Messages whose body a filter policy on bodies could not look at: no JSON object, or one beyond
  // limits.pattern. They matched none of those policies.
  int64_t unreadable = 0;
};

// Why a subscription would or would not get a message.
struct SubscriptionExplanation {
  std::string subscription_arn;
  Explanation verdict;
};

class BANYAN_EXPORT Topic {
 public:
  Topic() = default;

  // Errors  kInvalidArgument: empty body, bad subject, body and attributes over the limit
  //         (InvalidParameter); a bad attribute (ParameterValueInvalid). Nobody gets anything.
  absl::StatusOr<PublishResult> Publish(PublishRequest request) const;

  // Idempotent on the target: the same options answer the same subscription, and what is left at
  // its default counts as left out; anything else is kInvalidArgument ("Subscription already
  // exists with different attributes"). The target belongs to the same broker.
  //
  // Target::DeadLetter() is the subscription's redrive policy: a message given up rests there just
  // as the queue would have received it, without error attributes; a function's as the envelope.
  //
  // Errors  kInvalidArgument: a bad filter policy, with position and reason; a target that is
  //         neither queue nor function. kResourceExhausted: too many filter policies, or
  //         subscriptions.
  // Source  docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
  absl::StatusOr<Subscription> Subscribe(Target target, SubscriptionOptions options = {}) const;

  absl::StatusOr<std::vector<Subscription>> ListSubscriptions() const;

  // Says of each subscription whether `request` would pass its filter, and if not, the first
  // field that stopped it. Delivers nothing. Banyan's own verb.
  absl::StatusOr<std::vector<SubscriptionExplanation>> Explain(const PublishRequest& request) const;

  TopicStats Stats() const;
  absl::StatusOr<TopicOptions> Options() const;
  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const Topic&, const Topic&) = default;

  // For the library's own rooms.
  explicit Topic(std::shared_ptr<internal::TopicCore> core);
  const std::shared_ptr<internal::TopicCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::TopicCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TOPIC_H_
