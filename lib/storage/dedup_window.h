// SPDX-License-Identifier: Apache-2.0
//
// lib/storage/dedup_window.h -- floor 2: has this been seen within the last five minutes?
//
// FIFO topics will use it (a second publish within the window answers the id of the first), and the
// bridge (an event that comes back through the inbound queue). FIFO queues have one of their own,
// queue/dedup_window.h, which lies under a lock on the way of every send: it must not stall.
//
// D1  The window of a key runs from its first Remember() and is not prolonged by duplicates.
// D2  A key is never forgotten early. A full window refuses new keys instead: forgetting would
//     deliver a message twice, and silently.
// D3  It knows nothing of messages: a message that was received and deleted is still a duplicate.
#ifndef BANYAN_LIB_STORAGE_DEDUP_WINDOW_H_
#define BANYAN_LIB_STORAGE_DEDUP_WINDOW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/id.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1::internal {

// What a duplicate is answered with.
struct FirstSeen {
  Id message_id;
  uint64_t sequence = 0;

  friend bool operator==(const FirstSeen&, const FirstSeen&) = default;
};

// Threads: every method from any thread. Durable implementations answer when it is on disk.
class DedupWindow {
 public:
  virtual ~DedupWindow() = default;

  // Nullopt: `key` is new, and known from `now` for `length`. Otherwise who was first; nothing
  // changed. The caller brings the time, both faces of it: memory counts by uptime, a store that
  // outlives its process by the wall clock.
  //
  // Errors  kInvalidArgument: a length that is not above zero.
  //         kResourceExhausted: full of keys whose windows still run.
  virtual absl::StatusOr<std::optional<FirstSeen>> Remember(std::string_view key,
                                                            const FirstSeen& first, Instant now,
                                                            absl::Duration length) = 0;

  // Every key is new again: PurgeQueue does this.
  virtual void Clear() = 0;

  // Keys held, some of which may have ended since the last call of Remember().
  virtual int64_t size() = 0;
};

// In memory. Holds at most `keys_max` keys; the cost of one is its text and some 150 bytes.
std::unique_ptr<DedupWindow> NewMemoryDedupWindow(int64_t keys_max = 10'000'000);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STORAGE_DEDUP_WINDOW_H_
