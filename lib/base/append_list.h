// SPDX-License-Identifier: Apache-2.0
//
// AppendList: objects that are added one after the other, never move and are never taken out, so
// that any thread looks one up by its number without a lock.
//
//   chunk 0: 16 objects   chunk 1: 32   chunk 2: 64   ...      a number's bits tell its chunk
//
// The owner adds an object before he raises the size; whoever has read a size that covers a number
// (acquire) sees the object.
//
// Bound     2^31 objects; the owner has a smaller one.
// Threads   Add: one at a time, by a lock of the owner. size, operator[]: any.
#ifndef BANYAN_LIB_BASE_APPEND_LIST_H_
#define BANYAN_LIB_BASE_APPEND_LIST_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

template <typename T>
class AppendList {
 public:
  AppendList() = default;
  AppendList(const AppendList&) = delete;
  AppendList& operator=(const AppendList&) = delete;
  ~AppendList() {
    for (const std::atomic<Cell*>& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
  }

  size_t size() const { return size_.load(std::memory_order_acquire); }

  // `number` is below a size() that this thread has seen.
  T& operator[](size_t number) const {
    const Place place = PlaceOf(number);
    return *chunks_[place.chunk].load(std::memory_order_acquire)[place.cell];
  }

  T& Add(std::unique_ptr<T> object) {
    const size_t number = size_.load(std::memory_order_relaxed);
    const Place place = PlaceOf(number);
    BANYAN_CHECK(place.chunk < kChunks, "an append list has less than 2^31 objects");
    if (place.cell == 0) {
      chunks_[place.chunk].store(new Cell[kFirst << place.chunk], std::memory_order_release);
    }
    Cell& cell = chunks_[place.chunk].load(std::memory_order_relaxed)[place.cell];
    cell = std::move(object);
    size_.store(number + 1, std::memory_order_release);
    return *cell;
  }

 private:
  using Cell = std::unique_ptr<T>;
  static constexpr size_t kFirst = 16;
  static constexpr size_t kChunks = 27;

  struct Place {
    size_t chunk;
    size_t cell;
  };
  // Chunk c begins at number kFirst * (2^c - 1).
  static Place PlaceOf(size_t number) {
    const size_t chunk = static_cast<size_t>(std::bit_width(number / kFirst + 1)) - 1;
    return {chunk, number - kFirst * ((size_t{1} << chunk) - 1)};
  }

  std::array<std::atomic<Cell*>, kChunks> chunks_ = {};
  std::atomic<size_t> size_{0};
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_APPEND_LIST_H_
