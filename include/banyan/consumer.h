// SPDX-License-Identifier: Apache-2.0
//
// Consumer: runs a C++ callable over a queue: receives, calls, settles. What Lambda's event source
// mapping does, inside the process.
//
//   Consumer workers = Consumer::Start(jobs, {.batch_size = 10, .concurrency = 8},
//       [&](const Received& job) { return Render(job.body()); }).value();
//
//   Consumer ledger = Consumer::StartBatch(
//       entries, {.batch_size = 1'000, .batch_window = absl::Seconds(5)},
//       [&](absl::Span<const Received> batch) { return Insert(batch); }).value();
//
// OK from the handler deletes the message. An error, or a throw, leaves it for another attempt:
// when its visibility timeout ends, or sooner as `retry` says. Attempts count; the queue's redrive
// policy says how many there are, and a dead letter keeps what the handler said of each. A handler
// may also settle a message itself, or send it to the dead-letter queue with a reason
// (Received::MoveToDeadLetterQueue); its answer about that message does not matter then.
//
// A handler that runs longer than its message's visibility timeout may overlap with the next
// attempt, as on AWS. It can ask (Received::Overrun), the log sink is told, the stats count it.
// With `extend_visibility` that does not happen.
//
// Messages fetched ahead (batch_size above 1, one handler call each) wait their turn while their
// visibility timeout runs. One whose timeout ends before its turn is not handled here: it is back
// in the queue. Keep batch_size times the handler's time well below the timeout, or extend it. One
// that is put back unhandled, by Pause() or Stop() or behind a failed one of its group, has used up
// an attempt all the same, as on AWS.
//
// FIFO queues  One call at a time has messages of a group, so at most as many run as there are
//           groups with messages. A handler of single messages gets a group's one after the other;
//           when one fails, those fetched behind it are put back, unhandled, and come again after
//           it. A batch may have messages of several groups; whoever follows a failed one of its
//           group counts as failed, too, whether the handler named it or not, so that order is
//           kept. (Lambda wants the function to name them all.) With a redrive policy, mind that
//           each of these has used up an attempt; batch_size 1 fetches nobody in vain.
//
// With filters, a consumer handles what some filter matches and deletes the rest: no handler sees
// it, no dead-letter queue gets it, it fills no batch. Filters are event patterns (pattern.h) on
// the record that Lambda's functions get of a message:
//
//   {"messageId": "059f36b4-...",
//    "body": {"state": "paid", "total": 120},
//    "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000",
//                   "ApproximateFirstReceiveTimestamp": "1700000000001"},
//    "messageAttributes": {"tenant": {"stringValue": "acme", "dataType": "String"}},
//    "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:...", "awsRegion": "us-east-1"}
//
//   .filters = {R"({"body": {"total": [{"numeric": [">", 100]}]}})"}
//
// `attributes` are those of Received::SystemAttributes(), all strings. (Lambda's receiptHandle and
// MD5s are not there.) A Binary attribute has a binaryValue, in base64. The body
// stands as an object if it is one JSON object (within limits.pattern), else as a string. As with
// Lambda, a condition on fields of the body is never true of a string, and one on the body itself
// never true of an object; {"exists": false} is no exception. A record beyond limits.pattern
// matches nothing.
//
// Threads   Handlers run on the broker's Runtime, at most `concurrency` at once, under no lock.
//           From inside a handler everything is allowed: send, publish, delete the queue, pause or
//           stop this very consumer, destroy it; Stop() and the destructor then do not wait for
//           the handler that calls them.
// Lifetime  A Consumer owns its loop: destroying it stops and drains. It may outlive its queue and
//           Broker; it has then stopped by itself.
// Source    docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
//           docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
//           docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
#ifndef BANYAN_CONSUMER_H_
#define BANYAN_CONSUMER_H_

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
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/queue.h"

namespace banyan::inline v0_1 {

namespace internal {
class ConsumerCore;
}  // namespace internal

// How soon a failed message comes back: after `first`, then twice that, up to `max`.
struct Retry {
  absl::Duration first = absl::Seconds(1);  // 0s to max
  absl::Duration max = absl::Minutes(15);   // first to 12h

  friend bool operator==(const Retry&, const Retry&) = default;
};

struct ConsumerOptions {
  // Messages per call of a batch handler, at most; with a handler of single messages, per receive.
  // Lambda's default is 10. 1 to 10. A batch handler on a standard queue: to 10,000, then with a
  // window.
  int64_t batch_size = 1;

  // How long a batch may wait to fill, counted from its first message. It is handed over when it
  // has batch_size messages, or six MiB of bodies and attributes, or when this time is up. Zero: at
  // once, as one receive returned it. What waits is in flight, and kept hidden also beyond its
  // visibility timeout; at most one batch fills at a time, and no batch fills while `concurrency`
  // handlers run. 0s to 5min; zero in FIFO queues and with handlers of single messages.
  absl::Duration batch_window = absl::ZeroDuration();

  // Handlers at once; Lambda's maximum concurrency, which begins at 2. 1 to 1,000.
  int64_t concurrency = 1;

  // A message that matches none of these is deleted; with no filter every message is handled. At
  // most 5, of 4,096 bytes each. Other consumers of the queue should have the same ones: whoever
  // receives a message judges it.
  std::vector<std::string> filters = {};

  // Unset: a failed message comes back when its visibility timeout ends, as with Lambda.
  std::optional<Retry> retry = std::nullopt;

  // Hides messages for this long instead of the queue's visibility timeout.
  std::optional<absl::Duration> visibility_timeout = std::nullopt;

  // Hides messages anew, for another timeout each time two thirds of it have passed, until they are
  // settled: those a handler has, and those that wait their turn. Up to 12 hours from the receive.
  // A handler that hangs then hides its messages for as long. Banyan's own.
  bool extend_visibility = false;

  // How long the destructor waits for handlers that run.
  absl::Duration drain_within = absl::Seconds(30);
};

// The messages of a batch that failed, by id; the others are deleted. An id that is not in the
// batch makes the whole batch fail: the handler has lost count of what it did.
struct BatchResult {
  std::vector<Id> failures;
};

// What a Lambda function answers, for handlers that speak JSON:
//
//   {"batchItemFailures": [{"itemIdentifier": "059f36b4-..."}]}
//
// Nothing at all, null, "", [], {}, and an empty or null list: no failures.
//
// Errors  kInvalidArgument, so that a handler that returns this makes the whole batch fail: any
//         other shape, no JSON, an item without an itemIdentifier, or with one that is no message
//         id.
// Source  docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
BANYAN_EXPORT absl::StatusOr<BatchResult> ParseBatchResponse(std::string_view json);

using MessageHandler = absl::AnyInvocable<absl::Status(const Received&) const>;

// An error fails the whole batch.
using BatchHandler =
    absl::AnyInvocable<absl::StatusOr<BatchResult>(absl::Span<const Received>) const>;

// The first five count how attempts ended here, each in one of them.
struct ConsumerStats {
  int64_t handled = 0;        // the handler said OK
  int64_t failed = 0;         // it did not, or had no chance before the visibility timeout ended
  int64_t filtered = 0;       // no filter wanted the message; it was deleted
  int64_t dead_lettered = 0;  // the handler sent it to the dead-letter queue
  int64_t put_back = 0;       // unhandled
  int64_t running = 0;        // messages in handlers now
  int64_t overran = 0;        // attempts that ended, or would have begun, after their timeout
  int64_t extended = 0;       // times that a message was hidden anew
  bool paused = false;
  bool stopped = false;
};

class BANYAN_EXPORT Consumer {
 public:
  Consumer() = default;  // consumes nothing
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();

  // Starts at once.
  //
  // Errors  kInvalidArgument: batch size, window, concurrency or a duration out of range, a batch
  //         size above 10 without a window ("Maximum batch window in seconds must be greater than
  //         0 if maximum batch size is greater than 10"), a window where there can be none, no
  //         handler, too many filters, or one that is too long or no event pattern ("Invalid
  //         filter pattern definition.", which one, where, and why).
  //         kNotFound, kUnavailable: the queue is gone, the broker stops.
  static absl::StatusOr<Consumer> Start(const Queue& queue, ConsumerOptions options,
                                        MessageHandler handler);
  static absl::StatusOr<Consumer> StartBatch(const Queue& queue, ConsumerOptions options,
                                             BatchHandler handler);

  // For a handler that answers absl::Status: OK for all of the batch, or an error for all of it.
  template <typename Handler>
  requires std::is_same_v<std::invoke_result_t<const Handler&, absl::Span<const Received>>,
                          absl::Status>
  static absl::StatusOr<Consumer> StartBatch(const Queue& queue, ConsumerOptions options,
                                             Handler handler) {
    return StartBatch(
        queue, std::move(options),
        BatchHandler([handler = std::move(handler)](
                         absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
          if (absl::Status answer = handler(batch); !answer.ok()) return answer;
          return BatchResult();
        }));
  }

  // Receives no more until Resume(); handlers that run go on, messages fetched ahead, and those of
  // a batch that fills, are put back at once. Both may be called any time.
  void Pause();
  void Resume();

  // Receives no more, waits for handlers that run, at most for `within` (of the Runtime's time) or
  // until `stop` is requested. Messages received and not yet handed to a handler are put back at
  // once. When it has answered OK, nothing more is filtered out. Two handlers that stop each
  // other's consumers wait for each other until `within` ends.
  //
  // Errors  kDeadlineExceeded: handlers still run, which are counted in Stats().running and settle
  //         when they end; or messages that no filter wants are just being deleted.
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});

  ConsumerStats Stats() const;

 private:
  explicit Consumer(std::shared_ptr<internal::ConsumerCore> core);
  std::shared_ptr<internal::ConsumerCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_CONSUMER_H_
