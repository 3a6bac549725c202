// SPDX-License-Identifier: Apache-2.0
//
// StreamMapping: runs a C++ callable over the records of a stream, in order per partition key. What
// Lambda's event source mapping does for a Kinesis stream, inside the process; Consumer
// (consumer.h) is its counterpart for queues.
//
//   StreamMapping totals = StreamMapping::Start(clicks, {.batch_size = 500}, [&](
//       const StreamBatch& batch) {
//     for (const Record& click : batch.records) Count(click.partition_key(), click.data());
//     return absl::OkStatus();
//   }).value();
//
// A shard's records come in batches, in their order. OK, and the next batch has its turn; an error,
// or a throw, and the same batch comes again after a back-off. A batch that fails blocks its shard,
// and no other, until it succeeds, its retries are used up, or its records are too old. What is then
// given up goes to `on_failure`, as a note of where the records lie, and the shard goes on.
//
// The handler may say how far it came: StreamBatchResult::failures names records that failed. All
// before the lowest of them is done; it and everything behind it comes again, what the handler
// did not name as well, so that order is kept.
//
// With parallelization_factor P a shard has P lanes, chosen by the partition key's hash, and a batch
// of each at once. A key keeps to its lane, so its records keep their order.
//
// When a shard is split or merged, its children begin when it is done to its end, and a merged
// one when both parents are. Children begin with their first record, wherever the mapping began.
//
// Each record is handled at least once. Without parallelization a record that is behind the
// checkpoint does not come again. Checkpoints are the mapping's own and end with it: one that is
// started anew, under the same name as well, begins at its start_at. (Those of a Worker stay with the
// broker; see worker.h.) To pause, Disable(). Several mappings may have one name.
//
// What a mapping has in hand, one batch and one read per lane, is pinned in the stream's memory; see
// StreamOptions::shard_bytes_max. A mapping that has nothing to do does nothing, and holds nothing.
//
// The source is a stream, or one of its consumers: enhanced fan-out, whose throughput is its own.
//
// With filters, a record that matches none is passed over: no handler sees it, and the checkpoint
// goes by. Filters are event patterns (pattern.h) on this object:
//
//   {"kinesisSchemaVersion": "1.0", "partitionKey": "session-17",
//    "sequenceNumber": "4954...", "approximateArrivalTimestamp": 1767225600.123,
//    "data": {"page": "/cart"}}
//
// `data` stands as an object if it is one JSON object (within limits.pattern), else as a string. A
// condition on fields of the data is never true of a string, and one on the data itself never true
// of an object. Data is taken as it is: KPL aggregates are not taken apart, as with Lambda.
//
// With a tumbling window, records are handled in windows of their arrival, and a state goes from
// call to call: what the handler answers is what the next call of the window is given. When time
// has passed the window's end and all of it is handled, one more call, without records, has
// is_final. The end of a shard ends its window. (Lambda waits up to two minutes more for late
// records. A record that is late here, because a wall clock went back, counts for the window that is
// open.)
//
// Threads   Handlers run on the broker's Runtime, under no lock. One call at a time has records of a
//           shard, or of a lane. From inside a handler everything is allowed: put, reshard, delete
//           the stream, disable or stop this very mapping, destroy it; Stop() and the destructor
//           then do not wait for the handler that calls them.
// Lifetime  A StreamMapping owns its loop: destroying it stops and drains. It may outlive its stream
//           and Broker; it has then stopped by itself. A StreamBatch and its records live as long as
//           the call.
// Source    docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
//           docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
//           docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
#ifndef BANYAN_MAPPING_H_
#define BANYAN_MAPPING_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/consumer.h"
#include "banyan/export.h"
#include "banyan/metrics.h"
#include "banyan/queue.h"
#include "banyan/stream.h"
#include "banyan/stream_consumer.h"

namespace banyan::inline v0_1 {

namespace internal {
class MappingCore;
}  // namespace internal

// The tumbling window that a batch belongs to.
struct StreamWindow {
  absl::Time start;
  absl::Time end;
  std::string_view state;         // as the last call of this window answered it; empty at first
  bool is_final = false;          // the last call of this window; it has no records
  bool terminated_early = false;  // is_final, because the state was larger than 1 MB
};

// What a handler is called with.
struct BANYAN_EXPORT StreamBatch {
  ShardId shard_id;
  absl::Span<const Record> records;
  int64_t attempt = 1;  // 1 at first; one more after each failure, but not after a bisection
  std::optional<StreamWindow> window = {};
  std::string_view stream_arn = {};
  std::string_view function_arn = {};

  // The JSON that Lambda would hand to a function: {"Records": [...]}, and with a window its fields
  // beside that, where a state that is no JSON stands as a string. Rendered now.
  std::string LambdaEvent() const;
};

struct StreamBatchResult {
  // The records that failed. One that is not in the batch makes the whole batch fail: the handler
  // has lost count of what it did.
  std::vector<SequenceNumber> failures = {};

  // With a tumbling window: what the next call is given. Unset: what this call was given. Above 1 MB
  // the window ends early. An attempt that failed as a whole leaves the state as it was.
  std::optional<std::string> state = {};

  // The whole batch failed without an error of the function: its answer was no batch response.
  bool is_malformed = false;
};

// What a Lambda function answers, for handlers that speak JSON:
//
//   {"state": {"count": 3}, "batchItemFailures": [{"itemIdentifier": "4954..."}]}
//
// Nothing at all, null, "", [], {}, and an empty or null list: no failures. Any other shape, no JSON,
// an item without an itemIdentifier, or with one that is no sequence number: is_malformed. So is an
// object that has neither member. The state is taken over as it is written.
BANYAN_EXPORT StreamBatchResult ParseStreamBatchResponse(std::string_view json);

// An error fails the whole batch.
using StreamBatchHandler =
    absl::AnyInvocable<absl::StatusOr<StreamBatchResult>(const StreamBatch&) const>;

// Where the notes on given up records go: a standard queue, or a topic that is not FIFO.
//
//   .on_failure = dead   // a Queue
//   .on_failure = alarms // a Topic
//
// A note says where the records lie and has none of them, as Lambda's:
//
//   {"requestContext": {"requestId": "c9b8fa9f-...", "functionArn": "arn:aws:lambda:...",
//                       "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2},
//    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST",
//                        "functionError": "Unhandled"},
//    "version": "1.0", "timestamp": "2026-01-01T00:00:02.000Z",
//    "KinesisBatchInfo": {"shardId": "shardId-000000000000", "startSequenceNumber": "4954...",
//                         "endSequenceNumber": "4954...", "approximateArrivalOfFirstRecord": "...",
//                         "approximateArrivalOfLastRecord": "...", "batchSize": 3,
//                         "streamArn": "arn:aws:kinesis:..."}}
//
// condition      RetryAttemptsExhausted or RecordAgeExceeded
// functionError  null: the handler named failures, or gave no batch response, but no error
// responseContext  missing if no handler has seen the records; approximateInvokeCount is then 1
class BANYAN_EXPORT FailureDestination {
 public:
  FailureDestination() = default;      // nowhere: what is given up is logged and counted
  FailureDestination(Queue queue)      // NOLINT: implicit, so that .on_failure = dead
      : arn_(queue.arn().ToString()),  // reads well
        deliver_(std::make_shared<const Deliver>([queue = std::move(queue)](std::string_view note) {
          return queue.Send({.body = note}).status();
        })) {}

  // A Topic; this header is below topic.h and does not know it.
  template <typename Topic>
  requires requires(const Topic& topic) {
    topic.Publish({.body = std::string_view()}).status();
    topic.arn().ToString();
  }
  FailureDestination(Topic topic)  // NOLINT
      : arn_(topic.arn().ToString()),
        deliver_(std::make_shared<const Deliver>([topic = std::move(topic)](std::string_view note) {
          return topic.Publish({.body = note}).status();
        })) {}

  bool is_set() const { return deliver_ != nullptr; }
  const std::string& arn() const { return arn_; }

  // For the library's own rooms.
  absl::Status Send(std::string_view note) const { return (*deliver_)(note); }

 private:
  using Deliver = absl::AnyInvocable<absl::Status(std::string_view) const>;
  std::string arn_;
  std::shared_ptr<const Deliver> deliver_;
};

struct StreamMappingOptions {
  // Stands for the function's name in ARNs. 1 to 64 letters, digits, hyphens and underscores.
  std::string name = "mapping";

  // Records per call, at most. A call also has no more than six MiB of keys and data, unless it is
  // one record. 1 to 10,000.
  int64_t batch_size = 100;

  // How long a batch may wait to fill, counted from when its first record was read. Zero: it has
  // what is there. 0s to 5min.
  absl::Duration batch_window = absl::ZeroDuration();

  // Batches of a shard at once, spread by partition key. 1 to 10.
  int64_t parallelization_factor = 1;

  // Where the shards of the moment of Start() begin: TrimHorizon, Latest or AtTimestamp.
  StartAt start_at = StartAt::TrimHorizon();

  // After the first attempt. 0 to 10,000; -1: no bound.
  int64_t retries_max = -1;

  // Looked at before each attempt: a record that arrived longer ago is given up, and the younger
  // ones of its batch go on. 60s to 7 days; infinite (Lambda's -1): until the stream's retention
  // ends, which bounds it in any case.
  absl::Duration record_age_max = absl::InfiniteDuration();

  // A batch that fails comes again in two halves, each on its own, and again in halves, until what
  // fails stands alone. If the handler has named failures, what is before the first of them is one
  // part, and done. A bisection uses up no retry.
  bool bisect_on_error = false;

  // The wait before an attempt after failures in a row. Lambda does not say its own; it grows to
  // about a minute.
  Retry backoff = {.first = absl::Seconds(1), .max = absl::Minutes(1)};

  FailureDestination on_failure = {};

  // Records that match none of these are passed over; with no filter every record is handled. At
  // most 5, of 4,096 bytes each.
  std::vector<std::string> filters = {};

  // 0s: none. To 15min, in whole seconds; with parallelization_factor 1 only.
  absl::Duration tumbling_window = absl::ZeroDuration();

  // False: made disabled.
  bool enabled = true;

  // How long the destructor waits for handlers that run.
  absl::Duration drain_within = absl::Seconds(30);
};

enum class MappingState { kCreating, kEnabled, kDisabling, kDisabled, kUpdating, kDeleting };

// As the API writes it: "Enabled".
BANYAN_EXPORT std::string_view ToString(MappingState state);

struct MappingDescription {
  MappingState state = MappingState::kDeleting;
  std::string state_transition_reason = "User action";

  // "No records processed"; then of the last attempt: "OK", or "PROBLEM: Function call failed".
  std::string last_processing_result = "No records processed";

  // Why the last attempt failed that failed as a whole, as the handler said it; it is logged, too.
  // (That of Lambda is in the function's own log.)
  std::string last_error = {};

  absl::Time last_modified;
};

class BANYAN_EXPORT StreamMapping {
 public:
  StreamMapping() = default;  // maps nothing
  StreamMapping(StreamMapping&&) noexcept;
  StreamMapping& operator=(StreamMapping&&) noexcept;
  ~StreamMapping();

  // Starts at once.
  //
  // Errors  kInvalidArgument: an option out of range or a start_at of another kind, no handler, a
  //         tumbling window with parallelization, a FIFO destination, too many filters, or one that
  //         is too long or no event pattern ("Invalid filter pattern definition."). A start_at in
  //         the future.
  //         kNotFound, kUnavailable: the stream is gone, the broker stops.
  // Source  .../API_CreateEventSourceMapping.html
  static absl::StatusOr<StreamMapping> Start(const Stream& stream, StreamMappingOptions options,
                                             StreamBatchHandler handler);

  // With a consumer as its source (enhanced fan-out) it has the consumer's throughput for itself:
  // its reads are not bounded by the stream's limits, nor count against them, and where those are
  // strict a shard gives it Limits::Stream::push_bytes_per_second. When the consumer has been
  // deregistered, it stops at its next read. It takes no subscription: others may still subscribe
  // as this consumer.
  //
  // Errors  as above; kNotFound, kFailedPrecondition: the consumer is gone, or not ACTIVE.
  static absl::StatusOr<StreamMapping> Start(const StreamConsumer& consumer,
                                             StreamMappingOptions options,
                                             StreamBatchHandler handler);

  // For a handler that answers absl::Status: OK for all of the batch, or an error for all of it.
  template <typename Source, typename Handler>
  requires std::is_same_v<std::invoke_result_t<const Handler&, const StreamBatch&>, absl::Status>
  static absl::StatusOr<StreamMapping> Start(const Source& source, StreamMappingOptions options,
                                             Handler handler) {
    return Start(
        source, std::move(options),
        StreamBatchHandler([handler = std::move(handler)](
                               const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
          if (absl::Status answer = handler(batch); !answer.ok()) return answer;
          return StreamBatchResult();
        }));
  }

  // Calls no handler until Enable(); handlers that run go on. It then goes on from its checkpoints;
  // attempts begin to count anew, and with parallelization records beyond a checkpoint may come
  // again. Both may be called any time.
  void Disable();
  void Enable();

  // Takes other options, when the handlers that run have ended; start_at and enabled are not looked
  // at. What is said of checkpoints above holds here, too. A window of another length begins anew.
  //
  // Errors  as Start(); kNotFound: it was stopped, or has stopped by itself.
  // Source  .../API_UpdateEventSourceMapping.html
  absl::Status Update(StreamMappingOptions options);

  // Ends it for good (DeleteEventSourceMapping): calls no handler any more, and waits for those that
  // run, at most for `within` (of the Runtime's time) or until `stop` is requested. Two handlers that
  // stop each other's mappings wait for each other until `within` ends. Its state is kDeleting from
  // then on, as when it has stopped by itself, and Enable() has no effect.
  //
  // Errors  kDeadlineExceeded: handlers still run. Their answers count when they end.
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});

  MappingDescription Describe() const;
  MappingMetrics Metrics() const;

  // Where a shard would go on: the lowest sequence number that is not done, as a number inside the
  // shard (SequenceNumber::number). Unset: the shard is not being read: its parents are not done,
  // or it is.
  std::optional<uint64_t> Checkpoint(ShardId shard) const;

 private:
  explicit StreamMapping(std::shared_ptr<internal::MappingCore> core);
  std::shared_ptr<internal::MappingCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_MAPPING_H_
