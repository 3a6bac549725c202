// SPDX-License-Identifier: Apache-2.0
//
// lib/storage/outbox.h -- floor 2: messages that have to reach somebody outside, in order.
//
//   partition "orders/3":   done | 17  18  19  20 |
//                           cursor ^              ^ Append
//
// The bridge will be its user: a mirrored publish appends here and returns, a sender reads from
// the cursor, sends, and advances the cursor when the other side has confirmed. A sender that dies
// in between reads the same entries again: at least once, in order per partition.
//
// O1  Positions of a partition are 1, 2, 3, ... in the order of Append, never reused.
// O2  Entries at and behind the cursor are held; those before it are forgotten. The cursor only
//     goes forward.
// O3  Partitions are independent: a destination that is down holds up no other, except that all
//     share the bound on messages and bytes.
#ifndef BANYAN_LIB_STORAGE_OUTBOX_H_
#define BANYAN_LIB_STORAGE_OUTBOX_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

struct OutboxEntry {
  int64_t position = 0;
  MessageRef message;
};

struct OutboxDepth {
  int64_t messages = 0;
  int64_t bytes = 0;  // of bodies and attributes

  friend bool operator==(const OutboxDepth&, const OutboxDepth&) = default;
};

// Threads: every method from any thread. Durable implementations answer when it is on disk.
class Outbox {
 public:
  virtual ~Outbox() = default;

  // Adds a message behind all others of `partition` and answers its position.
  //
  // Errors  kInvalidArgument: no message, or an empty partition name.
  //         kResourceExhausted: full, in messages or bytes; nothing was added. What to do then
  //         (refuse the publish, drop the mirror copy) is the caller's policy.
  virtual absl::StatusOr<int64_t> Append(std::string_view partition, MessageRef message) = 0;

  // Up to `max_messages` entries from the cursor on, in order. Reading forgets nothing.
  virtual absl::StatusOr<std::vector<OutboxEntry>> Read(std::string_view partition,
                                                        int64_t max_messages) = 0;

  // Everything up to and including `position` is done. No effect if the cursor is past it.
  //
  // Errors  kOutOfRange: nothing was appended at `position` yet.
  virtual absl::Status Advance(std::string_view partition, int64_t position) = 0;

  // Those that hold entries, by name.
  virtual absl::StatusOr<std::vector<std::string>> Partitions() = 0;

  virtual OutboxDepth Depth() = 0;
};

struct OutboxOptions {
  int64_t messages_max = 1'000'000;
  int64_t bytes_max = int64_t{1} << 30;
};

// In memory. A partition that was used once keeps its position counter (O1): a few words each.
std::unique_ptr<Outbox> NewMemoryOutbox(OutboxOptions options = {});

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STORAGE_OUTBOX_H_
