// SPDX-License-Identifier: Apache-2.0
#include "banyan/payload.h"

#include <cstring>
#include <new>

#include "base/memory.h"

namespace banyan::inline v0_1 {

namespace {

// One allocation: the head, then the bytes.
internal::PayloadBlock* NewBlock(size_t trailing_bytes) {
  void* place = internal::Allocate(sizeof(internal::PayloadBlock) + trailing_bytes);
  return ::new (place) internal::PayloadBlock{};
}

}  // namespace

Payload::Payload(std::string_view bytes) {
  if (bytes.empty()) return;
  block_ = NewBlock(bytes.size());
  char* copy = reinterpret_cast<char*>(block_ + 1);
  std::memcpy(copy, bytes.data(), bytes.size());
  block_->references.store(1, std::memory_order_relaxed);
  block_->data = copy;
  block_->size = bytes.size();
}

Payload Payload::Adopt(const void* data, size_t size, absl::AnyInvocable<void() &&> release) {
  Payload payload;
  payload.block_ = NewBlock(0);
  payload.block_->references.store(1, std::memory_order_relaxed);
  payload.block_->data = static_cast<const char*>(data);
  payload.block_->size = size;
  payload.block_->release = std::move(release);
  return payload;
}

void Payload::Free(internal::PayloadBlock* block) {
  if (block->release) std::move(block->release)();
  block->~PayloadBlock();
  internal::Free(block);
}

}  // namespace banyan::inline v0_1
