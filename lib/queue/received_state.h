// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/received_state.h -- floor 3, the queue room: what is behind the Received of a user.
//
//   [block: queue, count | state 0 | state 1 | ... ]     one block for all that a receive took
//         ^                  ^ ^
//         +--- each state    | +--- Received            each counts its own state
//                            +----- Received (a copy)
//
// B1  A state lets go of its message when its last Received goes; the block goes when its last
//     state has. So who keeps one message of ten keeps that one's body only.
//
// Why not a shared_ptr each: ten allocations and ten counted references to the queue, where one
// of each is enough.
#ifndef BANYAN_LIB_QUEUE_RECEIVED_STATE_H_
#define BANYAN_LIB_QUEUE_RECEIVED_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "banyan/received.h"
#include "base/memory.h"
#include "queue/receipt.h"
#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

class ReceivedBlock;

// Fixed when the receive returns, but for the atomics.
struct ReceivedState {
  ReceivedBlock* block = nullptr;  // null: the state of a default Received
  mutable std::atomic<int64_t> references{1};

  Receipt receipt;  // attempt 0: a peek, settles nothing
  Contents contents;
  std::optional<Payload> presented =
      std::nullopt;  // the body as the receiver sees it, if it is not the message's
  Id id;
  uint64_t sequence_number = 0;
  int64_t receive_count = 0;
  int64_t sent_unix_ns = 0;
  int64_t first_received_unix_ns = 0;
  int64_t deadline_ns = 0;  // uptime, as set by the receive

  // Set when this attempt settled its message, and whether that was too late.
  mutable std::atomic<bool> settled = false;
  mutable std::atomic<bool> settled_late = false;
  // Set when this attempt's receiver sent the message to the dead-letter queue.
  mutable std::atomic<bool> dead_lettered = false;

  const Payload& body() const {
    return presented.has_value() ? *presented : contents.message->body;
  }

  static Received Wrap(const ReceivedState* state) { return Received(state); }
  static const ReceivedState* Of(const Received& received) { return received.state_; }
};

class ReceivedBlock {
 public:
  // Room for `capacity` states.
  static ReceivedBlock* New(size_t capacity) {
    void* place = Allocate(kHead + capacity * sizeof(ReceivedState));
    return ::new (place) ReceivedBlock;
  }

  size_t size() const { return size_; }
  // The place for the next state, to be filled by placement; and that it was.
  ReceivedState* next() { return states() + size_; }
  void Grow() { ++size_; }

  // The answer of a receive. Once; from then on the block belongs to what it gave out.
  std::vector<Received> Give(std::shared_ptr<QueueCore> queue) {
    queue_ = std::move(queue);
    left_.store(static_cast<int64_t>(size_), std::memory_order_relaxed);
    std::vector<Received> given;
    given.reserve(size_);
    for (size_t i = 0; i < size_; ++i) given.push_back(ReceivedState::Wrap(states() + i));
    return given;
  }

  // Without having given out anything.
  void Discard() {
    for (size_t i = 0; i < size_; ++i) states()[i].~ReceivedState();
    this->~ReceivedBlock();
    Free(static_cast<void*>(this));
  }

  const std::shared_ptr<QueueCore>& queue() const { return queue_; }
  ReceivedState* states() {
    return reinterpret_cast<ReceivedState*>(reinterpret_cast<char*>(this) + kHead);
  }

  // The last Received of `state` has gone (B1).
  static void Drop(const ReceivedState* state) {
    ReceivedBlock* block = state->block;
    state->~ReceivedState();
    // As with a message: the only one left shares the block with nobody.
    if (block->left_.load(std::memory_order_acquire) == 1 ||
        block->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      block->~ReceivedBlock();
      Free(static_cast<void*>(block));
    }
  }

 private:
  ReceivedBlock() = default;
  ~ReceivedBlock() = default;

  static constexpr size_t kHead = 64;

  std::shared_ptr<QueueCore> queue_;
  std::atomic<int64_t> left_{0};
  size_t size_ = 0;
};
static_assert(alignof(ReceivedState) <= 16);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_RECEIVED_STATE_H_
