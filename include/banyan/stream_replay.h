// SPDX-License-Identifier: Apache-2.0
//
// StreamReplay: puts a part of a stream on a bus, or publishes it to a topic: after a fix, or for a
// subscriber that came late. What replays of archives (archive.h) are for buses, for streams.
//
//   StreamReplay again = StreamReplay::Start(orders, shop, {
//       .range = {.from = nine, .to = noon, .partition_key = "customer-17"},
//       .records_per_second = 200}).value();
//   again.Describe().state;  // kRunning, and then kCompleted
//
// The records are those of a StreamRange (stream_range.h), found at Start(): what is put later is no
// part of it, so a replay ends also if what it tells makes somebody write to the stream. They go one
// after the other, in the range's order: that of each shard, and of each key, across resharding.
// To rules and subscribers a replayed event is like any other: nothing marks it, and archives take it.
// (A rule that writes into this very stream writes it again: disable that rule meanwhile.)
//
// What becomes of a record that is refused:
//   For want of room (kResourceExhausted, kUnavailable, kAborted; also from the function): it is tried again after a back-off,
//     up to attempts_max, and nothing behind it goes before.
//   For good, or at the last attempt, or if the function made no event of it, or threw: it counts as
//     failed, is logged, and the replay goes on with the next one. With stop_at_failure it ends
//     there, as kFailed.
//   The bus, topic or stream is gone: kFailed. The record is not counted.
//
// Books: range.records = replayed + filtered + failed + in_hand.
//
// Threads   filter and make are called on the Runtime, by one at a time, under no lock. From inside
//           them everything is allowed, as in a handler.
// Lifetime  Owns its run: destroying it cancels, and waits for functions that run. It may outlive its
//           stream and Broker; it has then ended by itself.
#ifndef BANYAN_STREAM_REPLAY_H_
#define BANYAN_STREAM_REPLAY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/archive.h"
#include "banyan/arn.h"
#include "banyan/consumer.h"
#include "banyan/event_bus.h"
#include "banyan/export.h"
#include "banyan/stream.h"
#include "banyan/stream_range.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1 {

namespace internal {
class StreamReplayCore;
}  // namespace internal

struct StreamReplayOptions {
  StreamRangeOptions range = {};

  // Only records for which it is true. Unset: all.
  absl::AnyInvocable<bool(const Record&) const> filter = nullptr;

  // At most so many, evenly. 0: as fast as the subscribers take them: while more than 1,000
  // deliveries of the bus or topic are pending, there is a pause of 100 ms before each slice of 100.
  // 0 to 1,000,000.
  double records_per_second = 0;

  // For a record that is refused for want of room. 1 to 10,000.
  int64_t attempts_max = 10;
  Retry backoff = {.first = absl::Milliseconds(100), .max = absl::Seconds(10)};

  bool stop_at_failure = false;

  // How long the destructor waits for functions that run.
  absl::Duration drain_within = absl::Seconds(30);
};

// What a record becomes. An error counts as a refusal of its kind, a throw as one for good.
using EventOfRecord = absl::AnyInvocable<absl::StatusOr<EventEntry>(const Record&) const>;
using MessageOfRecord = absl::AnyInvocable<absl::StatusOr<PublishRequest>(const Record&) const>;

struct StreamReplayDescription {
  ReplayState state = ReplayState::kStarting;
  std::string state_reason = {};  // of kFailed
  Arn stream_arn = {};
  Arn destination_arn = {};
  absl::Time start_time = absl::InfinitePast();
  std::optional<absl::Time> end_time = {};           // set when it has ended
  std::optional<absl::Time> last_arrival_time = {};  // of the last record that was replayed

  int64_t replayed = 0;
  int64_t filtered = 0;
  int64_t failed = 0;
  int64_t in_hand = 0;  // read, and not decided on
  int64_t retries = 0;
  std::string last_failure = {};  // which record, and why

  // How much is left to look at, and what was trimmed before its turn.
  StreamRangeProgress range = {};
};

class BANYAN_EXPORT StreamReplay {
 public:
  StreamReplay() = default;  // replays nothing
  StreamReplay(StreamReplay&&) noexcept;
  StreamReplay& operator=(StreamReplay&&) noexcept;
  ~StreamReplay();

  // Onto a bus. Without `make` the records are events in their envelope, as a rule writes them into a
  // stream, and keep their id and time (EventBus::PutEnveloped); the record's trace header goes
  // along.
  //
  // Errors  kInvalidArgument: an option out of range; or as StreamRange::Open(). kNotFound,
  //         kUnavailable: the stream or the destination is gone, the broker stops.
  static absl::StatusOr<StreamReplay> Start(const Stream& stream, const EventBus& bus,
                                            StreamReplayOptions options = {},
                                            EventOfRecord make = nullptr);

  // To a topic. Without `make` the record's data is the body; on a FIFO topic its partition key is the
  // group, and its sequence number the deduplication id.
  static absl::StatusOr<StreamReplay> Start(const Stream& stream, const Topic& topic,
                                            StreamReplayOptions options = {},
                                            MessageOfRecord make = nullptr);

  // Ends it before the next record; it is kCancelled when nothing of it runs any more.
  //
  // Errors  kFailedPrecondition (IllegalStatusException): it has ended, or is being cancelled.
  absl::Status Cancel();

  // Cancels, and waits for functions that run, at most for `within` (of the Runtime's time) or until
  // `stop` is requested. No error if it has ended.
  //
  // Errors  kDeadlineExceeded: a function still runs.
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});

  StreamReplayDescription Describe() const;

 private:
  explicit StreamReplay(std::shared_ptr<internal::StreamReplayCore> core);
  std::shared_ptr<internal::StreamReplayCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_STREAM_REPLAY_H_
