// SPDX-License-Identifier: Apache-2.0
//
// What several threads did to one queue, and whether a queue could have answered so.
//
// A step has a start and an end on one counter that all threads share, and the runtime's time
// before and after. Of two steps of which one ended before the other started the order is known; of
// others it is not, and the checker believes whatever order explains the answers. So it never
// complains of a correct queue, and of a faulty one when no order would excuse it.
//
// H1  Nothing comes that was not sent; each attempt of a message is counted once, 1, 2, 3, ...
// H2  Every attempt has a receipt of its own.
// H3  Between two attempts the first one's visibility ended, or was given back.
// H4  After a delete with the latest receipt nothing comes any more.
// H5  Nothing is lost: once the queue is drained, every message was deleted by its last receiver.
// H6  FIFO: within a group numbers rise in the order of sending; what comes has nothing undeleted
//     before it that did not come right before it in the same receive.
// H7  FIFO: sends of one deduplication id have one answer, the same message id and number.
// H8  The queue's books say the same.
#ifndef BANYAN_TESTS_QUEUE_HISTORY_H_
#define BANYAN_TESTS_QUEUE_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "banyan/id.h"
#include "banyan/queue.h"

namespace banyan {

struct Span {
  int64_t start = 0;  // on the shared counter
  int64_t end = 0;
  absl::Duration uptime_before = {};
  absl::Duration uptime_after = {};

  bool Before(const Span& other) const { return end < other.start; }
};

// One accepted send; entries of a batch have one span and an order.
struct SentStep {
  Span span = {};
  int64_t entry = 0;
  std::string body = {};
  std::string group = {};             // FIFO
  std::string deduplication_id = {};  // FIFO
  Id id = {};
  uint64_t sequence_number = 0;
};

// One message of the answer of one receive.
struct ReceivedStep {
  Span span = {};
  int64_t entry = 0;
  absl::Duration visibility = {};
  std::string body = {};
  Id id = {};
  std::string receipt = {};
  int64_t receive_count = 0;
};

// One ChangeVisibility or Delete that was answered OK.
struct SettledStep {
  Span span = {};
  std::string receipt = {};
  absl::Duration visibility = {};  // of a change
};

struct History {
  bool fifo = false;
  std::vector<SentStep> sent = {};
  std::vector<ReceivedStep> received = {};
  std::vector<SettledStep> changed = {};
  std::vector<SettledStep> deleted = {};
  QueueStats books = {};  // after the queue was drained
};

// Empty if a queue could have answered so; else the first faults, a sentence each: "H4: ...".
std::vector<std::string> FindFaults(const History& history);

}  // namespace banyan

#endif  // BANYAN_TESTS_QUEUE_HISTORY_H_
