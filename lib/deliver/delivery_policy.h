// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/delivery_policy.h -- floor 4: SNS's DeliveryPolicy, which says how HTTP endpoints are
// served. There are two shapes of it:
//
//   a subscription's  {"healthyRetryPolicy": {"numRetries": 5, ...},
//                      "requestPolicy": {"headerContentType": "application/json"}}
//   a topic's         {"http": {"defaultHealthyRetryPolicy": {...}, "defaultRequestPolicy": {...},
//                               "disableSubscriptionOverrides": true}}
//
// A member that is left out has its default; one that SNS does not know is an error, so that a
// misspelt one is not silently without effect. "throttlePolicy" is checked and has no effect: a
// subscription is bounded by requests under way, not by their rate.
// Source  docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
#ifndef BANYAN_LIB_DELIVER_DELIVERY_POLICY_H_
#define BANYAN_LIB_DELIVER_DELIVERY_POLICY_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "deliver/retry.h"

namespace banyan::inline v0_1::internal {

// No HTTP message is retried longer than this; a policy whose waits come to more is refused.
inline constexpr absl::Duration kHttpRetryTimeMax = absl::Seconds(3'600);

// What one of the two says; unset where it says nothing.
struct DeliveryPolicy {
  std::optional<RetryPhases> retry = std::nullopt;
  std::optional<std::string> content_type = std::nullopt;
};

struct TopicDeliveryPolicy {
  DeliveryPolicy defaults = {};
  bool disables_overrides = false;
};

// An empty text is a policy that says nothing. `prefix` is what SNS puts before its errors in this
// call.
absl::StatusOr<DeliveryPolicy> ParseDeliveryPolicy(std::string_view json, std::string_view prefix);
absl::StatusOr<TopicDeliveryPolicy> ParseTopicDeliveryPolicy(std::string_view json,
                                                             std::string_view prefix);

// What a subscription goes by: its own policy, unless the topic forbids that, then the topic's,
// then the defaults.
struct EffectiveDeliveryPolicy {
  RetryPhases retry = {};
  std::string content_type;  // as the header has it
};
EffectiveDeliveryPolicy Combine(const TopicDeliveryPolicy& topic, const DeliveryPolicy& own);

// What one subscription goes by now: policies change while messages are under way.
//
// Threads   Every method from any thread; its lock is the last anyone takes.
class HttpSettings {
 public:
  explicit HttpSettings(EffectiveDeliveryPolicy policy) : policy_(std::move(policy)) {}

  EffectiveDeliveryPolicy Get() const {
    MutexLock lock(&mu_);
    return policy_;
  }
  void Set(EffectiveDeliveryPolicy policy) {
    MutexLock lock(&mu_);
    policy_ = std::move(policy);
  }

 private:
  mutable Mutex mu_;
  EffectiveDeliveryPolicy policy_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_DELIVERY_POLICY_H_
