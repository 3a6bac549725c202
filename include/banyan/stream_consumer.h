// SPDX-License-Identifier: Apache-2.0
//
// StreamConsumer: a reader of a stream that is pushed to. Kinesis's enhanced fan-out.
//
//   StreamConsumer audit = clicks.RegisterConsumer("audit").value();
//   ShardSubscription push =
//       audit.SubscribeToShard(ShardId{0}, StartAt::Latest(), [&](const ShardEvent& event) {
//         for (const Record& click : event.batch) Count(click.partition_key(), click.data());
//         if (event.continuation.has_value()) checkpoint = *event.continuation;
//         return absl::OkStatus();
//       }).value();
//
// A subscription lasts five minutes at most; go on with StartAt::AfterSequence(continuation), and
// nothing is lost or comes twice. Remember the continuation rather than the last record's number:
// it moves on where nothing is put, too. When the shard was split or merged, its last event has the
// children to go on with.
//
// An event is pushed as soon as there are records, and an empty one when nothing was for five
// seconds. The records of a stream are stored once, whoever subscribes; the log of the shard is the
// queue of each subscription, which reads on when its handler is done. So a slow handler costs the
// writer nothing and no memory beyond the batch in its hands; it gets more records at once, and
// those that retention ends before it comes to them it does not see.
//
// A handler that answers an error, or throws, ends its subscription: nothing is skipped behind its
// back. SubscriptionEnd::continuation is still that of the event before.
//
// Who would rather ask than be called reads by ShardIterator (stream.h): it costs the stream as
// little, and batch.next() of any event is where it begins.
//
// Threads   All methods from any thread. The handler runs on the broker's Runtime, one call at a
//           time for each subscription, under no lock. It may do anything: put, reshard, cancel,
//           deregister, delete the stream.
// Lifetime  A ShardSubscription owns its push: destroying it cancels. All may outlive the stream
//           and its Broker, then they have ended. A stopping broker ends subscriptions; handlers
//           that run are let finish.
// Units     Time is the Runtime's. The bounds are Limits::Stream's.
// Source    docs.aws.amazon.com/streams/latest/dev/building-enhanced-consumers-api.html
#ifndef BANYAN_STREAM_CONSUMER_H_
#define BANYAN_STREAM_CONSUMER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/export.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

namespace internal {
struct RegisteredConsumer;
class ShardSubscriptionCore;
}  // namespace internal

// What is pushed.
struct ShardEvent {
  // What is new, in place; perhaps nothing. A copy of the batch keeps its records beyond the call.
  // It also says how far behind the subscription is, and at a shard's end what the shard became.
  RecordBatch batch;

  // Subscribe with StartAt::AfterSequence() of it to go on behind this event. Each is above the one
  // before, as soon as a second has passed or a record has come. Unset only in the last event of a
  // closed shard.
  std::optional<SequenceNumber> continuation;
};
using ShardEventHandler = absl::AnyInvocable<absl::Status(const ShardEvent&)>;

// Why a subscription ended.
struct SubscriptionEnd {
  enum class Reason {
    kExpired,        // after five minutes: subscribe again
    kShardEnded,     // the shard is closed and read; the last event had its children
    kTakenOver,      // by a later subscription of the same consumer to the same shard
    kDeregistered,   // the consumer was
    kStreamDeleted,  //
    kBrokerStopped,  //
    kHandlerFailed,  // `status` says how
    kCancelled,      // by Cancel() or the destructor
  };
  Reason reason = Reason::kExpired;

  // OK with kExpired, kShardEnded and kCancelled. Else what a call would be refused with.
  absl::Status status;

  // Of the last event that was handled without an error; of the starting point, if none was.
  SequenceNumber continuation;
};
using SubscriptionEndHandler = absl::AnyInvocable<void(const SubscriptionEnd&)>;

// One push of one shard. Movable; empty by default.
class BANYAN_EXPORT ShardSubscription {
 public:
  ShardSubscription() = default;
  ShardSubscription(ShardSubscription&&) noexcept;
  ShardSubscription& operator=(ShardSubscription&&) noexcept;
  ~ShardSubscription();  // Cancel()

  // When it returns no call of the handler, or of `on_end`, runs or begins. Called by a handler, of
  // this broker whichever, it does not wait for one that runs: two that cancel each other would do
  // so for ever.
  void Cancel();

  // Set once it has ended: no call begins any more, though the last may still run.
  std::optional<SubscriptionEnd> end() const;

  // As SubscriptionEnd's, so far.
  SequenceNumber continuation() const;

 private:
  friend class StreamConsumer;
  explicit ShardSubscription(std::shared_ptr<internal::ShardSubscriptionCore> core);

  std::shared_ptr<internal::ShardSubscriptionCore> core_;
};

// CREATING and DELETING last for Limits::Stream::transition_time.
enum class StreamConsumerStatus { kCreating, kActive, kDeleting };

struct StreamConsumerDescription {
  std::string name;
  Arn arn;
  StreamConsumerStatus status = StreamConsumerStatus::kActive;
  absl::Time created;
  Arn stream_arn;

  friend bool operator==(const StreamConsumerDescription&,
                         const StreamConsumerDescription&) = default;
};

struct StreamConsumerPage {
  std::vector<StreamConsumerDescription> consumers = {};  // by name
  std::string next_token = {};                            // empty: there is no more
};

// A handle; copies share one consumer. It does not deregister what it names.
class BANYAN_EXPORT StreamConsumer {
 public:
  StreamConsumer() = default;  // names no consumer; calls answer kNotFound

  // Pushes what is in a shard from `start` on to `handler`. `on_end`, if there is one, is told once
  // that it is over, on the Runtime, after the last event. It hears nothing if the subscription was
  // cancelled, or destroyed before it was told, or if the broker stopped.
  //
  // A call within five seconds of one that succeeded, for the same shard, is refused. Later it
  // takes over: the older subscription ends, though a call of its handler may still run.
  //
  // Errors  kNotFound: no such shard, consumer or stream. kInvalidArgument: as GetShardIterator; no
  //         handler. kFailedPrecondition (ResourceInUseException): see above; the consumer is not
  //         ACTIVE. kResourceExhausted (LimitExceededException): the second call in a second, also
  //         of calls that were refused.
  // Source  .../API_SubscribeToShard.html
  absl::StatusOr<ShardSubscription> SubscribeToShard(ShardId shard, const StartAt& start,
                                                     ShardEventHandler handler,
                                                     SubscriptionEndHandler on_end = nullptr) const;
  absl::StatusOr<ShardSubscription> SubscribeToShard(std::string_view shard_id,
                                                     const StartAt& start,
                                                     ShardEventHandler handler,
                                                     SubscriptionEndHandler on_end = nullptr) const;

  // Errors  kNotFound: it was deregistered. One that is registered anew under its name is another.
  absl::StatusOr<StreamConsumerDescription> Describe() const;

  // As of Stream, for the consumer's own. Errors also: kNotFound, as Describe();
  // kFailedPrecondition: the consumer is not ACTIVE.
  // Source  .../API_TagResource.html, .../API_UntagResource.html, .../API_ListTagsForResource.html
  absl::Status SetTags(const StreamTags& tags) const;
  absl::Status RemoveTags(absl::Span<const std::string> keys) const;
  absl::StatusOr<StreamTags> Tags() const;

  // "arn:aws:kinesis:REGION:ACCOUNT:stream/clicks/consumer/audit:1767225600", the second in which
  // it was registered at the end.
  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const StreamConsumer&, const StreamConsumer&) = default;

  // For the library's own rooms.
  const std::shared_ptr<internal::StreamCore>& stream() const { return stream_; }
  const std::shared_ptr<const internal::RegisteredConsumer>& registered() const {
    return consumer_;
  }

 private:
  friend class Stream;
  StreamConsumer(std::shared_ptr<internal::StreamCore> stream,
                 std::shared_ptr<const internal::RegisteredConsumer> consumer);

  std::shared_ptr<internal::StreamCore> stream_;
  std::shared_ptr<const internal::RegisteredConsumer> consumer_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_STREAM_CONSUMER_H_
