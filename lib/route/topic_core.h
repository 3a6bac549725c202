// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_core.h -- floor 5: a topic and its subscriptions.
//
//   Publish --validate--> Message (one block) --tap--> index of filters --> each that passes:
//                                     |                ^      Courier --> queue or function
//                                     FIFO:            |
//                                     deduplicated, numbered, one at a time (publish_line.h)
//
// T1  A message is seen by the subscriptions of one moment, each with the filter of that moment. No
//     publisher waits for a change, and a change costs the same however many subscriptions there
//     are. Those with a filter that does not pass are not even looked at.
// T2  Fan-out copies no body and renders nothing: queues hold references to the one Message.
// T3  Attributes and body are looked at once each, for all filters, and the body only if there is a
//     filter on bodies.
// T4  No lock is held while a tap, a destination or a log is called, so a handler may publish here,
//     unsubscribe itself, or delete the topic.
// T5  A courier with deliveries under way is kept in retired_ when its subscription goes, so that
//     PendingDeliveries() still counts them and Close() still ends them.
// T6  In a FIFO topic couriers to FIFO queues deliver in order (courier.h, C7), which needs what
//     publish_line.h gives: no two fan-outs at once.
// T7  A FIFO topic's archive and its replays work in the line, too (topic_archive.h).
#ifndef BANYAN_LIB_ROUTE_TOPIC_CORE_H_
#define BANYAN_LIB_ROUTE_TOPIC_CORE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/topic.h"
#include "deliver/courier.h"
#include "deliver/delivery_policy.h"
#include "deliver/http_endpoint.h"
#include "message/atomic_statistics.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/sink.h"
#include "pattern/compiled_pattern.h"
#include "pattern/rule_index.h"
#include "route/confirmations.h"
#include "route/filter_books.h"
#include "route/notification.h"
#include "route/notification_endpoint.h"
#include "route/publication.h"
#include "route/publish_line.h"
#include "route/publish_rules.h"
#include "route/topic_archive.h"
#include "route/topic_attributes.h"

namespace banyan::inline v0_1::internal {

class TopicCore;

// What of a subscription publishers need. All but what is atomic never changes.
class SubscriptionCore {
 public:
  // How the message looks to who gets it. Without a group: a standard queue of a FIFO topic.
  enum class Form { kRaw, kEnveloped, kRawWithoutGroup, kEnvelopedWithoutGroup, kFunctionRecord };
  static constexpr size_t kForms = 5;

  struct Plan {
    std::weak_ptr<TopicCore> topic;
    uint64_t serial;
    Arn arn;
    Target target;
    bool raw;
    bool called_inline;
    Protocol protocol;
    Form form;                                         // if it is not raw
    Form raw_form;                                     // if it is
    std::shared_ptr<const Presentation> own_envelope;  // null: the topic's, or none
    std::shared_ptr<HttpSettings> http_settings;       // null, and the next: no HTTP
    std::shared_ptr<HttpEndpoint> http;
    std::shared_ptr<Courier> courier;
  };
  explicit SubscriptionCore(Plan plan);

  const Arn& arn() const { return arn_; }
  const std::string& arn_text() const { return arn_text_; }
  const Target& target() const { return target_; }
  bool raw() const { return raw_.load(std::memory_order_relaxed); }
  void SetRaw(bool raw) { raw_.store(raw, std::memory_order_relaxed); }
  bool called_inline() const { return called_inline_; }
  Protocol protocol() const { return protocol_; }
  // Whether raw or not: read once for each message.
  struct Look {
    Form form;
    const std::shared_ptr<const Presentation>* own_envelope;  // null: the form says it all
  };
  Look look() const {
    if (raw()) return {raw_form_, nullptr};
    return {form_, own_envelope_ == nullptr ? nullptr : &own_envelope_};
  }
  const std::shared_ptr<HttpSettings>& http_settings() const { return http_settings_; }
  Courier& courier() const { return *courier_; }
  const std::shared_ptr<Courier>& shared_courier() const { return courier_; }
  std::shared_ptr<TopicCore> topic() const { return topic_.lock(); }

  // Its number in the topic; later ones are higher.
  uint64_t serial() const { return serial_; }

  // It gets nothing until it is confirmed. True: it was not before.
  bool is_pending() const { return is_pending_.load(std::memory_order_acquire); }
  bool Confirm() { return is_pending_.exchange(false, std::memory_order_acq_rel); }

  // A filter policy begins to stand, or none; and nothing more is for it.
  void BeginFilter(const TopicSeen& seen, std::optional<FilterPolicyScope> scope) {
    books_.Begin(seen, Accounted(courier_->Stats()), scope);
  }
  void End(const TopicSeen& seen) { books_.End(seen, Accounted(courier_->Stats())); }
  // A message that its replay will show, or will not; one that a replay has shown.
  void CountHeld() const { held_.fetch_add(1, std::memory_order_relaxed); }
  void CountReplayed() { replayed_.fetch_add(1, std::memory_order_relaxed); }
  FilteredOut Filtered(const TopicSeen& seen, const DeliveryStats& delivery) const {
    return books_.Read(seen, Accounted(delivery));
  }
  SubscriptionStats Stats() const;

 private:
  // Live messages that it got, or that were kept from it.
  int64_t Accounted(const DeliveryStats& delivery) const {
    return delivery.matched - delivery.redelivered - replayed_.load(std::memory_order_relaxed) +
           held_.load(std::memory_order_relaxed);
  }

  const std::weak_ptr<TopicCore> topic_;
  const uint64_t serial_;
  const Arn arn_;
  const std::string arn_text_;
  const Target target_;
  std::atomic<bool> raw_;
  const bool called_inline_;
  const Protocol protocol_;
  const Form form_;
  const Form raw_form_;
  const std::shared_ptr<const Presentation> own_envelope_;
  const std::shared_ptr<HttpSettings> http_settings_;
  const std::shared_ptr<HttpEndpoint> http_;
  const std::shared_ptr<Courier> courier_;
  std::atomic<bool> is_pending_;
  mutable std::atomic<int64_t> held_{0};
  std::atomic<int64_t> replayed_{0};
  FilterBooks books_;
};

class TopicCore : public Sink,
                  public TopicArchive::Audience,
                  public std::enable_shared_from_this<TopicCore> {
 public:
  // Null if there is no such queue.
  using FindQueue = std::function<std::shared_ptr<QueueCore>(const Arn& arn)>;

  // `find_queue`: for dead-letter queues that are named by ARN; null: there are none.
  static std::shared_ptr<TopicCore> Create(std::shared_ptr<Environment> env, std::string name,
                                           TopicOptions options, FindQueue find_queue = nullptr);

  // The verbs of banyan/topic.h. Each passes the broker's gate.
  absl::StatusOr<PublishResult> Publish(PublishRequest request);
  absl::StatusOr<std::vector<absl::StatusOr<PublishResult>>> PublishBatch(
      std::vector<PublishRequest> requests);
  absl::StatusOr<Subscription> Subscribe(Target target, SubscriptionOptions options);
  absl::Status Unsubscribe(const SubscriptionCore& subscription);
  absl::StatusOr<Subscription> ConfirmSubscription(std::string_view token);
  absl::Status SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                               FilterPolicyScope scope);
  absl::StatusOr<std::vector<Subscription>> ListSubscriptions() const;
  absl::StatusOr<std::vector<SubscriptionExplanation>> Explain(const PublishRequest& request) const;
  absl::StatusOr<TopicOptions> Options() const;
  TopicStats Stats() const;

  // Under SNS's names, permissions, tags, metrics: topic_verbs.cc.
  absl::StatusOr<SubscriptionPage> ListSubscriptionsPage(std::string_view next_token) const;
  absl::StatusOr<AttributeStrings> GetAttributes() const;
  absl::Status SetAttribute(std::string_view name, std::string_view value);
  absl::StatusOr<AttributeStrings> GetAttributes(const SubscriptionCore& subscription) const;
  absl::Status SetAttribute(const SubscriptionCore& subscription, std::string_view name,
                            std::string_view value);
  absl::Status SetRaw(const SubscriptionCore& subscription, bool raw);
  absl::Status SetRole(const SubscriptionCore& subscription, std::string_view role_arn);
  absl::Status SetDeadLetter(const SubscriptionCore& subscription,
                             const std::optional<Queue>& dead_letter);
  absl::Status AddPermission(std::string_view label, absl::Span<const std::string> accounts,
                             absl::Span<const std::string> actions);
  absl::Status RemovePermission(std::string_view label);
  absl::StatusOr<AttributeStrings> Tags() const;
  absl::Status SetTags(const AttributeStrings& tags);
  absl::Status RemoveTags(absl::Span<const std::string> keys);
  absl::StatusOr<TopicMetrics> Metrics() const;
  TopicSeen seen() const;

  // Settings and replays: topic_settings.cc.
  absl::Status SetOptions(const TopicOptions& options);
  absl::Status SetDeliveryPolicy(const SubscriptionCore& subscription, std::string_view json);
  absl::Status SetReplayPolicy(const SubscriptionCore& subscription,
                               const std::optional<ReplayPolicy>& policy);
  absl::StatusOr<std::optional<SubscriptionReplay>> Replay(
      const SubscriptionCore& subscription) const;
  absl::StatusOr<std::optional<absl::Time>> BeginningArchiveTime() const;
  // The subscriptions with their filter policies, in the order they came; none of a topic that is
  // gone.
  struct Subscribed {
    std::shared_ptr<const SubscriptionCore> subscription;
    std::string filter_policy;  // empty: none
    FilterPolicyScope scope = FilterPolicyScope::kMessageAttributes;
    std::optional<Queue> dead_letter = std::nullopt;
  };
  std::vector<Subscribed> Describe() const;

  // What Publish would refuse, whoever has subscribed. For who publishes later.
  absl::Status Check(const PublishRequest& request) const;

  // The door for buses: the body becomes the message, event id and trace stay, no attributes.
  // Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  Prospect Foresee(const Delivery& delivery) override;
  const std::string& arn_text() const override { return arn_text_; }

  const Arn& arn() const { return arn_; }
  const std::string& name() const { return name_; }
  bool fifo() const { return fifo_; }
  TopicOptions options() const;
  const std::shared_ptr<Environment>& env() const { return env_; }

  int64_t published() const { return published_sizes_.count(); }

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
    std::shared_ptr<const Filter> filter = nullptr;  // null: everything passes
    std::string delivery_policy = {};                // of HTTP: as it was given
    std::optional<Queue> dead_letter = std::nullopt;
    FilterPolicyScope scope = FilterPolicyScope::kMessageAttributes;  // as it was given last
    std::string role_arn = {};                                        // of a stream: kept, shown
  };
  using Subscriptions = std::map<uint64_t, Entry>;  // by serial

  TopicCore(std::shared_ptr<Environment> env, std::string name, TopicOptions options,
            FindQueue find_queue);

  // TopicArchive's side; topic_settings.cc.
  bool InLine(absl::FunctionRef<void()> work) override;
  void Replay(uint64_t serial, const MessageRef& message) override;
  void GiveUp(uint64_t serial, const MessageRef& message) override;
  int64_t Pending(uint64_t serial) const override;
  PublishLine::Turn TakeTurn(absl::FunctionRef<void()> work);
  void ApplyArchiveBounds();
  absl::Status ChangeOptions(absl::FunctionRef<absl::Status(TopicOptions* options)> change);
  // nullopt: that part stays as it is.
  absl::Status ChangeFilter(const SubscriptionCore& subscription,
                            std::optional<std::string_view> json,
                            std::optional<FilterPolicyScope> scope);
  absl::Status CheckReplay(const ReplayPolicy& policy) const;
  bool IsReplayedBy(const SubscriptionCore& subscription, const ReplayPolicy& policy) const;
  // The subscription, if the message passes its filter.
  std::shared_ptr<SubscriptionCore> WhoWants(uint64_t serial, const Message& message) const;

  absl::Status Gone() const;
  TopicKind kind() const {
    return {fifo_, content_based_deduplication_.load(std::memory_order_relaxed)};
  }
  // The entry of a subscription that is there.
  absl::StatusOr<Entry*> Find(const SubscriptionCore& subscription)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  // Of a message that no tap took over.
  void CountShown(bool has_attributes);
  bool IsTakenOver(const PublishRequest& request, const Id& id, const Instant& now);
  Publication MakePublication(PublishRequest request, const Id& id, const Instant& now,
                              uint64_t sequence_number) const;
  // Into the line of a FIFO topic; who calls it then lets it be served.
  absl::StatusOr<PublishResult> Enter(PublishRequest request);
  void Serve(uint64_t sequence_number);
  void ServeOne(const Publication& publication);
  absl::Status CheckDelivered(const Payload& body) const;
  void FanOut(const Publication& publication, RuleIndex::Moment* subscriptions);
  // Of one body; `audience`: the protocols that get it.
  using Audience = std::array<bool, kProtocols.size()>;
  bool TakesLive(const SubscriptionCore& subscription, const Message& message,
                 Forecast* forecast) const;
  // Answers how many subscriptions want it.
  int64_t FanOut(const MessageRef& message, const Audience& audience,
                 RuleIndex::Moment* subscriptions);
  // For the event's story, if stories are kept.
  void Tell(StoryStep::Kind kind, const Message& message, const Instant& at,
            std::string_view through = {}, std::string_view destination = {}) const;
  // Null for an empty policy. `prefix` is what SNS puts before its errors in this call.
  absl::StatusOr<std::shared_ptr<const Filter>> MakeFilter(std::string_view json,
                                                           FilterPolicyScope scope,
                                                           std::string_view prefix) const;
  absl::StatusOr<std::shared_ptr<SubscriptionCore>> FindOrAdd(Target target,
                                                              const SubscriptionOptions& options,
                                                              std::shared_ptr<const Filter> filter);
  // Keeps the books of filter policies when a subscription gets or loses one.
  absl::Status CountFilters(bool had, bool has) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  std::shared_ptr<SubscriptionCore> MakeSubscription(Target target,
                                                     const SubscriptionOptions& options)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  std::shared_ptr<const Presentation> EnvelopeFor(const Target& target,
                                                  const Arn& subscription) const;
  // Fills in how `plan` reaches what is outside the broker.
  void PlanEndpoint(const NotificationEndpoint& endpoint, const Arn& subscription,
                    const std::shared_ptr<const HttpSettings>& settings, CourierPlan* plan,
                    std::shared_ptr<HttpEndpoint>* http) const;
  // What a subscription goes by whose own policy is this one, which was validated.
  EffectiveDeliveryPolicy Policy(std::string_view own) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  const std::shared_ptr<const Presentation>& PresentationFor(
      const SubscriptionCore& subscription) const;
  // topic_confirmations.cc. Under no lock, but the first.
  static Confirmations::Ended Ended(const Entry& entry);
  void AskForConfirmation(const SubscriptionCore& subscription);
  absl::StatusOr<Subscription> Restore(Confirmations::Ended ended, std::string_view token);
  void SendNotice(const SubscriptionCore& subscription, HandshakeNotice::Kind kind,
                  std::string token);
  // Null if the subscription is gone.
  std::shared_ptr<Courier> CourierOf(uint64_t serial) const;
  // Brings active_ in step with an entry: a pending one is not in it.
  void Activate(const Entry& entry);
  void Retire(std::shared_ptr<Courier> courier) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const bool fifo_;
  const Arn arn_;
  const std::string arn_text_;
  const SignatureVersion signature_version_;  // never null
  // By form; null for kRaw.
  const std::array<std::shared_ptr<const Presentation>, SubscriptionCore::kForms> presentations_;
  const std::unique_ptr<PublishLine> line_;  // null: a standard topic
  std::shared_ptr<TopicArchive> archive_;    // null: a standard topic; set by Create()

  std::atomic<bool> content_based_deduplication_;
  const FindQueue find_queue_;
  AtomicStatistics published_sizes_;            // one for each message
  std::atomic<int64_t> taken_over_{0};          // of these: by a tap
  std::atomic<int64_t> without_attributes_{0};  // of those that were shown
  std::atomic<int64_t> unreadable_{0};
  std::atomic<uint64_t> tap_sequence_{0};
  std::atomic<CloseKind> close_kind_{CloseKind::kStopped};  // set before active_ is closed

  RuleIndex active_;  // the subscriptions as publishers meet them; closed with the topic
  mutable Mutex change_mu_;
  TopicOptions options_ ABSL_GUARDED_BY(change_mu_);
  AttributeStrings tags_ ABSL_GUARDED_BY(change_mu_);
  // What subscriptions did that are gone, but for those in retired_.
  DeliveryStats of_removed_ ABSL_GUARDED_BY(change_mu_);
  FilteredOut filtered_by_removed_ ABSL_GUARDED_BY(change_mu_);
  int64_t removed_ ABSL_GUARDED_BY(change_mu_) = 0;
  Subscriptions subscriptions_ ABSL_GUARDED_BY(change_mu_);
  // What a subscription is known by: a queue or function, or protocol and address.
  using EndpointKey = std::pair<const Sink*, std::string>;
  static EndpointKey KeyOf(const Target& target);
  absl::flat_hash_map<EndpointKey, uint64_t> by_endpoint_ ABSL_GUARDED_BY(change_mu_);  // serials
  Confirmations confirmations_ ABSL_GUARDED_BY(change_mu_);
  int64_t filters_ ABSL_GUARDED_BY(change_mu_) = 0;  // among subscriptions_
  bool is_open_ ABSL_GUARDED_BY(change_mu_) = true;
  uint64_t next_serial_ ABSL_GUARDED_BY(change_mu_) = 0;
  std::vector<std::shared_ptr<Courier>> retired_ ABSL_GUARDED_BY(change_mu_);  // T5
  size_t sweep_at_ ABSL_GUARDED_BY(change_mu_) = 16;  // that many are looked through next
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_TOPIC_CORE_H_
