// SPDX-License-Identifier: Apache-2.0
//
// Consumer: runs a C++ callable over a queue: receives, calls, settles. What Lambda's event source
// mapping does, inside the process.
//
//   Consumer workers = Consumer::Start(jobs, {.batch_size = 10, .concurrency = 8},
//       [&](const Received& job) { return Render(job.body()); }).value();
//
// OK from the handler deletes the message. An error, or a throw, leaves it for another attempt:
// when its visibility timeout ends, or sooner as `retry` says. Attempts count; the queue's redrive
// policy says how many there are.
//
// A handler that runs longer than its message's visibility timeout may overlap with the next
// attempt, as on AWS. It can ask (Received::Overrun), the log sink is told, the stats count it.
//
// Messages fetched ahead (batch_size above 1, one handler call each) wait their turn while their
// visibility timeout runs. One whose timeout ends before its turn is not handled here: it is back
// in the queue. Keep batch_size times the handler's time well below the timeout. One that is put
// back unhandled, by Pause() or Stop(), has used up an attempt all the same, as on AWS.
//
// Threads   Handlers run on the broker's Runtime, at most `concurrency` at once, under no lock.
//           From inside a handler everything is allowed: send, publish, delete the queue, pause or
//           stop this very consumer, destroy it; Stop() and the destructor then do not wait for
//           the handler that calls them.
// Lifetime  A Consumer owns its loop: destroying it stops and drains. It may outlive its queue and
//           Broker; it has then stopped by itself.
// Source    docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
#ifndef BANYAN_CONSUMER_H_
#define BANYAN_CONSUMER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
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
  // Messages per receive, and per call of a batch handler, at most; it does not wait for a batch
  // to fill. 1 to 10.
  int64_t batch_size = 1;

  // Handlers at once. 1 to 1,000.
  int64_t concurrency = 1;

  // Unset: a failed message comes back when its visibility timeout ends, as with Lambda.
  std::optional<Retry> retry = std::nullopt;

  // Hides messages for this long instead of the queue's visibility timeout.
  std::optional<absl::Duration> visibility_timeout = std::nullopt;

  // How long the destructor waits for handlers that run.
  absl::Duration drain_within = absl::Seconds(30);
};

// The messages of a batch that failed, by id; the others are deleted. An id that is not in the
// batch makes the whole batch fail: the handler has lost count of what it did.
struct BatchResult {
  std::vector<Id> failures;
};

using MessageHandler = absl::AnyInvocable<absl::Status(const Received&) const>;

// An error fails the whole batch.
using BatchHandler =
    absl::AnyInvocable<absl::StatusOr<BatchResult>(absl::Span<const Received>) const>;

struct ConsumerStats {
  int64_t handled = 0;  // messages whose handler said OK
  int64_t failed = 0;   // attempts that did not
  int64_t running = 0;  // messages in handlers now
  int64_t overran = 0;  // attempts that ended, or would have begun, after their visibility timeout
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
  // Errors  kInvalidArgument: batch size, concurrency or a duration out of range, no handler.
  //         kNotFound, kUnavailable: the queue is gone, the broker stops.
  static absl::StatusOr<Consumer> Start(const Queue& queue, ConsumerOptions options,
                                        MessageHandler handler);
  static absl::StatusOr<Consumer> StartBatch(const Queue& queue, ConsumerOptions options,
                                             BatchHandler handler);

  // Receives no more until Resume(); handlers that run go on, messages fetched ahead are put back
  // at once. Both may be called any time.
  void Pause();
  void Resume();

  // Receives no more, waits for handlers that run, at most for `within` (of the Runtime's time) or
  // until `stop` is requested. Messages received and not yet handed to a handler are put back at
  // once. Two handlers that stop each other's consumers wait for each other until `within` ends.
  //
  // Errors  kDeadlineExceeded: handlers still run; they are counted in Stats().running and settle
  //         when they end.
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});

  ConsumerStats Stats() const;

 private:
  explicit Consumer(std::shared_ptr<internal::ConsumerCore> core);
  std::shared_ptr<internal::ConsumerCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_CONSUMER_H_
