// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/intake.h -- floor 3, the queue room: the side of a queue that senders see.
//
//   Send --> [entries] --Drain--> slots, lists, books (core.h)
//            Intake::mu           QueueCore::mu_
//
// I1  A sender needs this lock alone: it decides about duplicates and room, numbers the message and
//     leaves it in `entries`. So senders and receivers do not wait for each other.
// I2  Entries are in order of number and of time. Whoever takes them out (Drain, under both locks)
//     brings them in before the queue answers anything they could change.
// I3  While somebody waits for messages, or a journal or storyteller wants to know, `deliver_now`
//     is set: a sender then brings its message in itself. It is set under this lock by one who drains the
//     entries after that, so a message is either found by the waiter or brought by its sender.
// I4  What a sender sees as resting here, admitted - left, is never less than what does.
//
// Lock order: QueueCore::mu_, then this one.
#ifndef BANYAN_LIB_QUEUE_INTAKE_H_
#define BANYAN_LIB_QUEUE_INTAKE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "banyan/id.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "message/close_kind.h"
#include "message/message.h"
#include "queue/dedup_window.h"
#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

// SequenceNumbers begin here, so that each has twenty digits.
inline constexpr uint64_t kFirstSequence = 10'000'000'000'000'000'000u;

// A message that was accepted and not brought in yet.
struct IntakeEntry {
  MessageRef message;
  std::shared_ptr<const Presentation> presentation;
  Id id;
  int64_t delay_ns = 0;
  bool usual_delay = true;  // it was the queue's; see Deadlines
  uint64_t number = 0;
  Instant at;
};

// Messages, and bytes of bodies and attributes.
struct Amount {
  int64_t messages = 0;
  int64_t bytes = 0;
};

struct Intake {
  // Entries at which a sender brings them in, so that no receiver finds a million.
  static constexpr size_t kEntriesMax = 256;

  Mutex mu;
  std::vector<IntakeEntry> entries ABSL_GUARDED_BY(mu);
  std::optional<CloseKind> closed ABSL_GUARDED_BY(mu);
  bool deliver_now ABSL_GUARDED_BY(mu) = false;  // I3
  int64_t latest_ns ABSL_GUARDED_BY(mu) = 0;     // uptime of the latest entry
  uint64_t last_number ABSL_GUARDED_BY(mu) = 0;

  // Room. What was admitted ever, here or by a move; and what had left when last looked at.
  Amount admitted ABSL_GUARDED_BY(mu);
  Amount left_seen ABSL_GUARDED_BY(mu);
  Amount bound ABSL_GUARDED_BY(mu);

  // The queue's options that a send needs.
  int64_t delay_ns ABSL_GUARDED_BY(mu) = 0;
  FifoDedupWindow dedup ABSL_GUARDED_BY(mu);
  int64_t duplicates ABSL_GUARDED_BY(mu) = 0;

  // How many entries there are, for a look from outside: who must not miss one takes the lock.
  std::atomic<size_t> waiting{0};

  // Written under QueueCore::mu_, read here. Apart, so that a receiver that settles does not take
  // the line from a sender with every message.
  alignas(64) std::atomic<int64_t> left_messages{0};
  std::atomic<int64_t> left_bytes{0};

  bool HasRoom(const Amount& more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (Fits(more)) return true;
    left_seen = {left_messages.load(std::memory_order_acquire),
                 left_bytes.load(std::memory_order_acquire)};
    return Fits(more);
  }

 private:
  bool Fits(const Amount& more) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return admitted.messages - left_seen.messages + more.messages <= bound.messages &&
           admitted.bytes - left_seen.bytes + more.bytes <= bound.bytes;
  }
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_INTAKE_H_
