// SPDX-License-Identifier: Apache-2.0
//
// Payload: the bytes of a message. Immutable, reference-counted, never copied on the way: a
// publish to a thousand queues holds one block a thousand times.
//
//   Payload a = "text";                                  // copies the text, once
//   Payload b = Payload::Adopt(data, size, [data] { ReturnToPool(data); });  // copies nothing
//
// Threads   A Payload value is used by one thread at a time; copies of it by any number.
// Lifetime  view() is valid while any copy lives. An adopted buffer must stay unchanged until its
//           release function runs: once, on the thread that drops the last copy.
// Memory    Copied bytes rest in the library's own allocator (mimalloc where the build found it).
#ifndef BANYAN_PAYLOAD_H_
#define BANYAN_PAYLOAD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

namespace internal {
// The head of a payload block. Copied bytes follow it in the same allocation.
struct PayloadBlock {
  std::atomic<int64_t> references;
  const char* data;
  size_t size;
  absl::AnyInvocable<void() &&> release;  // set if the bytes were adopted
};
}  // namespace internal

class BANYAN_EXPORT Payload {
 public:
  Payload() = default;              // empty
  Payload(std::string_view bytes);  // NOLINT: implicit, so that .body = "text" reads well
  Payload(const char* text) : Payload(std::string_view(text)) {}           // NOLINT
  Payload(const std::string& bytes) : Payload(std::string_view(bytes)) {}  // NOLINT

  Payload(const Payload& other) : block_(other.block_) {
    // Relaxed: whoever copies already holds a reference, so the block cannot go meanwhile.
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Payload(Payload&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Payload& operator=(Payload other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Payload() {
    if (block_ == nullptr) return;
    // Release: our reads end before the block does. Acquire: the last one sees all reads ended. Who
    // holds the only reference shares it with nobody who could copy it meanwhile.
    if (block_->references.load(std::memory_order_acquire) == 1 ||
        block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      Free(block_);
    }
  }

  // Takes over a buffer without copying it. `release` runs when nobody needs the bytes any more.
  static Payload Adopt(const void* data, size_t size, absl::AnyInvocable<void() &&> release);

  std::string_view view() const {
    return block_ == nullptr ? std::string_view() : std::string_view(block_->data, block_->size);
  }
  size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  bool empty() const { return size() == 0; }

  // True if both hold the same block; for tests that show that nothing was copied.
  bool SharesBlockWith(const Payload& other) const { return block_ == other.block_; }

  friend bool operator==(const Payload& a, const Payload& b) { return a.view() == b.view(); }

 private:
  static void Free(internal::PayloadBlock* block);

  internal::PayloadBlock* block_ = nullptr;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_PAYLOAD_H_
