// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/consumers.h -- floor 3, the stream room: the consumers of one stream, who of them is
// subscribed to which shard, and who waits for a record there.
//
//   entries_   "audit" --> seats: shard 0: subscription, shard 3: subscription
//              "fraud" --> seats: shard 0: subscription
//
//   waiting_   shard 0: asked, [audit's, fraud's] <-- one waker of the stream (WakeAt)
//
// C1  At most one live subscription of a consumer to a shard: a seat. It is given under mu_; who sat
//     there is ended after mu_ was let go. No subscription is called under mu_ or waiting_mu_.
// C2  A stream that is deleted, or stops, has `closed_` set under mu_ before its subscriptions are
//     looked for, and a subscription is seated under mu_; so none is missed.
// C3  While subscriptions wait at a shard, one waker is with the stream, or on its way (`asked`).
//     So the writer posts one task, however many wait; that task posts the others. And a shard where
//     nothing happens holds one waker, however many subscriptions come and go.
// C4  A waker that was asked for at a later position than a subscription's would let it sleep beside
//     its record. So who finds that another has asked looks once more after it is in the list.
//
// Threads   Any. Lifetime  A part of its StreamCore.
#ifndef BANYAN_LIB_STREAM_CONSUMERS_H_
#define BANYAN_LIB_STREAM_CONSUMERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/metrics.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream_consumer.h"
#include "message/atomic_statistics.h"
#include "message/close_kind.h"

namespace banyan::inline v0_1::internal {

class StreamCore;

// What a consumer and its subscriptions have done. Each number is right by itself.
class ConsumerBooks {
 public:
  void CountSubscribed() { subscribed_.fetch_add(1, std::memory_order_relaxed); }
  void CountRateExceeded() { rate_exceeded_.fetch_add(1, std::memory_order_relaxed); }
  void CountEvent(int64_t records, int64_t bytes, int64_t millis_behind_latest) {
    events_.fetch_add(1, std::memory_order_relaxed);
    records_.fetch_add(records, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    millis_behind_latest_.Add(millis_behind_latest);
  }
  void ReadInto(StreamConsumerMetrics* metrics) const;

 private:
  std::atomic<int64_t> subscribed_{0};
  std::atomic<int64_t> rate_exceeded_{0};
  std::atomic<int64_t> events_{0};
  std::atomic<int64_t> records_{0};
  std::atomic<int64_t> bytes_{0};
  AtomicStatistics millis_behind_latest_;
};

// What of a consumer never changes, and its books. A later one of the same name is another object.
struct RegisteredConsumer {
  std::string name;
  Arn arn;
  std::string arn_text;
  Instant created;
  mutable ConsumerBooks books;
};

class StreamConsumers {
 public:
  using Consumer = std::shared_ptr<const RegisteredConsumer>;

  explicit StreamConsumers(StreamCore& stream);
  StreamConsumers(const StreamConsumers&) = delete;
  StreamConsumers& operator=(const StreamConsumers&) = delete;
  ~StreamConsumers();

  // The verbs of banyan/stream_consumer.h. Each passes the broker's gate.
  absl::StatusOr<Consumer> Register(std::string_view name);
  absl::StatusOr<Consumer> Find(std::string_view name_or_arn);
  absl::StatusOr<StreamConsumerDescription> Describe(const Consumer& consumer);
  absl::StatusOr<std::vector<StreamConsumerDescription>> List();
  absl::StatusOr<StreamConsumerPage> ListPage(const ListConsumersOptions& options);
  absl::Status Deregister(std::string_view name_or_arn);
  absl::Status SetTags(const Consumer& consumer, const StreamTags& tags);
  absl::Status RemoveTags(const Consumer& consumer, absl::Span<const std::string> keys);
  absl::StatusOr<StreamTags> Tags(const Consumer& consumer);
  absl::StatusOr<std::shared_ptr<ShardSubscriptionCore>> Subscribe(const Consumer& consumer,
                                                                   ShardId shard,
                                                                   const StartAt& start,
                                                                   ShardEventHandler handler,
                                                                   SubscriptionEndHandler on_end);

  // Errors  kFailedPrecondition: there are consumers, and nobody insists. Else nobody registers or
  //         subscribes any more.
  absl::Status AllowDeletion(bool enforced);

  // In whatever state.
  int64_t Count(const Instant& now);
  std::vector<StreamConsumerMetrics> Metrics(const Instant& now);

  // With the stream: ends all subscriptions. kStopped: without touching the runtime.
  void Close(CloseKind kind);

  // Pumps a subscription, once, when a record may be at its position. Not `listed` yet: it is in no
  // list. The caller is inside one of the broker's gates.
  void WaitFor(size_t shard, uint64_t position,
               const std::shared_ptr<ShardSubscriptionCore>& subscription, bool listed);
  // It waits no longer.
  void Forget(size_t shard, const ShardSubscriptionCore* subscription);

 private:
  using Subscriptions = std::vector<std::shared_ptr<ShardSubscriptionCore>>;

  // A consumer's place at a shard; what is left of it when the subscription has ended says when the
  // next may begin.
  struct Seat {
    std::weak_ptr<ShardSubscriptionCore> subscription;
    std::optional<int64_t> called_ns = {};  // uptime of the last call that was not one too many
    std::optional<int64_t> taken_ns = {};   // of the last that succeeded
  };
  struct Entry {
    Consumer consumer;
    std::optional<int64_t> deleted_ns = {};  // it is DELETING
    std::map<int64_t, Seat> seats = {};      // by shard; as many as shards are made
    StreamTags tags = {};
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  struct Waiting {
    bool asked = false;  // C3
    std::vector<std::weak_ptr<ShardSubscriptionCore>> subscriptions;
  };

  void Sweep(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Entry*> FindEntry(std::string_view name_or_arn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Entry*> FindEntry(const Consumer& consumer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Entry*> FindActive(const Consumer& consumer, const Instant& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  StreamConsumerStatus StatusAt(const Entry& entry, const Instant& now) const;
  StreamConsumerDescription DescriptionOf(const Entry& entry, const Instant& now) const;
  absl::Status CheckSeat(const Entry& entry, ShardId shard, const Instant& now, Seat* seat) const;
  static void TakeSubscriptions(Entry* entry, Subscriptions* taken);
  absl::Status NoConsumer(std::string_view name_or_arn) const;
  void Wake(size_t shard);

  StreamCore& stream_;

  Mutex mu_;
  Entries entries_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;  // C2

  Mutex waiting_mu_;
  std::map<size_t, Waiting> waiting_ ABSL_GUARDED_BY(waiting_mu_);  // by shard
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_CONSUMERS_H_
