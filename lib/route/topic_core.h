// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_core.h -- floor 5: a topic and its subscriptions.
//
//   Publish --validate--> Message (one block) --tap--> for each subscription of one snapshot:
//                                                       filter --> Courier --> queue or function
//
// T1  A publisher works on one snapshot of the subscriptions from beginning to end. Subscribing,
//     unsubscribing and changing a filter make a new one; no publisher waits for that, and a
//     message is seen by the subscriptions of one moment.
// T2  Fan-out copies no body and renders nothing: queues hold references to the one Message.
// T3  Fields for filters are taken from the message at most once per scope, and only when the
//     first filter asks for them.
// T4  No lock is held while a tap, a destination or a log is called, so a handler may publish here,
//     unsubscribe itself, or delete the topic.
// T5  A courier with deliveries under way is kept in retired_ when its subscription goes, so that
//     PendingDeliveries() still counts them and Close() still ends them.
#ifndef BANYAN_LIB_ROUTE_TOPIC_CORE_H_
#define BANYAN_LIB_ROUTE_TOPIC_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/topic.h"
#include "deliver/courier.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/sink.h"
#include "pattern/compiled_pattern.h"
#include "route/notification.h"
#include "route/publish_rules.h"
#include "route/published.h"

namespace banyan::inline v0_1::internal {

class TopicCore;

// What of a subscription never changes.
class SubscriptionCore {
 public:
  SubscriptionCore(std::weak_ptr<TopicCore> topic, Arn arn, Target target, bool raw,
                   std::shared_ptr<Courier> courier);

  const Arn& arn() const { return arn_; }
  const std::string& arn_text() const { return arn_text_; }
  const Target& target() const { return target_; }
  bool raw() const { return raw_; }
  Courier& courier() const { return *courier_; }
  const std::shared_ptr<Courier>& shared_courier() const { return courier_; }
  std::shared_ptr<TopicCore> topic() const { return topic_.lock(); }

  void CountFiltered() { filtered_.fetch_add(1, std::memory_order_relaxed); }
  SubscriptionStats Stats() const;

 private:
  const std::weak_ptr<TopicCore> topic_;
  const Arn arn_;
  const std::string arn_text_;
  const Target target_;
  const bool raw_;
  const std::shared_ptr<Courier> courier_;
  std::atomic<int64_t> filtered_{0};
};

class TopicCore : public Sink, public std::enable_shared_from_this<TopicCore> {
 public:
  static std::shared_ptr<TopicCore> Create(std::shared_ptr<Environment> env, std::string name,
                                           TopicOptions options);

  // The verbs of banyan/topic.h. Each passes the broker's gate.
  absl::StatusOr<PublishResult> Publish(PublishRequest request);
  absl::StatusOr<Subscription> Subscribe(Target target, SubscriptionOptions options);
  absl::Status Unsubscribe(const SubscriptionCore& subscription);
  absl::Status SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                               FilterPolicyScope scope);
  absl::StatusOr<std::vector<Subscription>> ListSubscriptions() const;
  absl::StatusOr<std::vector<SubscriptionExplanation>> Explain(const PublishRequest& request) const;
  absl::StatusOr<TopicOptions> Options() const;
  TopicStats Stats() const;

  // The door for buses: the body becomes the message, event id and trace stay, no attributes.
  // Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  const std::string& arn_text() const override { return arn_text_; }

  const Arn& arn() const { return arn_; }
  const std::string& name() const { return name_; }
  const TopicOptions& options() const { return options_; }
  const std::shared_ptr<Environment>& env() const { return env_; }

  // Deliveries under way: with functions, or waiting for another attempt.
  int64_t PendingDeliveries() const;

  // Ends the topic: no publish gets in, nothing is tried again. Waits for nothing.
  void Close(CloseKind kind);

 private:
  struct Filter {
    std::string text;
    FilterPolicyScope scope;
    std::shared_ptr<const CompiledPattern> pattern;
  };
  struct Entry {
    std::shared_ptr<SubscriptionCore> subscription;
    std::shared_ptr<const Filter> filter;  // null: everything passes
  };
  using Snapshot = std::vector<Entry>;  // oldest subscription first
  class FilterInput;

  TopicCore(std::shared_ptr<Environment> env, std::string name, TopicOptions options);

  absl::Status Gone() const;
  void FanOut(const Snapshot& subscriptions, const MessageRef& message) const;
  // Null for an empty policy. `prefix` is what SNS puts before its errors in this call.
  absl::StatusOr<std::shared_ptr<const Filter>> MakeFilter(std::string_view json,
                                                           FilterPolicyScope scope,
                                                           std::string_view prefix) const;
  absl::Status CheckFilterCount(const Snapshot& entries) const;
  std::shared_ptr<SubscriptionCore> MakeSubscription(Target target, bool raw);
  void Retire(std::shared_ptr<Courier> courier) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const TopicOptions options_;
  const Arn arn_;
  const std::string arn_text_;
  const std::shared_ptr<const Notification> notification_;

  std::atomic<int64_t> published_{0};
  std::atomic<uint64_t> tap_sequence_{0};
  std::atomic<CloseKind> close_kind_{CloseKind::kStopped};  // set before subscriptions_ is null

  Published<Snapshot> subscriptions_;  // null: closed
  mutable Mutex change_mu_;            // held by those who make a new snapshot
  std::vector<std::shared_ptr<Courier>> retired_ ABSL_GUARDED_BY(change_mu_);  // T5
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_TOPIC_CORE_H_
