// SPDX-License-Identifier: Apache-2.0
//
// lib/route/sliding_vector.h -- floor 5: a vector that is cheap to take from in front.
//
//   items_: [ gone | gone | a | b | c ]       first_ = 2
//
// What is taken in front leaves a hole there. Holes are closed when they are more than half of it
// all, so that taking costs no more than one move on average; who inserts in front fills one.
//
// Not a std::deque: its elements lie in blocks that a search would have to find at every step. T has
// a default value that holds nothing.
#ifndef BANYAN_LIB_ROUTE_SLIDING_VECTOR_H_
#define BANYAN_LIB_ROUTE_SLIDING_VECTOR_H_

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace banyan::inline v0_1::internal {

template <typename T>
class SlidingVector {
 public:
  size_t size() const { return items_.size() - first_; }
  bool empty() const { return size() == 0; }
  size_t capacity() const { return items_.capacity(); }

  T& operator[](size_t i) { return items_[first_ + i]; }
  const T& operator[](size_t i) const { return items_[first_ + i]; }
  const T* begin() const { return items_.data() + first_; }
  const T* end() const { return items_.data() + items_.size(); }
  const T& front() const { return items_[first_]; }
  T& back() { return items_.back(); }
  const T& back() const { return items_.back(); }

  void PushBack(T item) { items_.push_back(std::move(item)); }

  void Insert(size_t at, T item) {
    if (at == 0 && first_ > 0) {
      items_[--first_] = std::move(item);
    } else {
      items_.insert(Place(at), std::move(item));
    }
  }

  T Take(size_t at) {
    T taken = std::move((*this)[at]);
    if (at > 0) {
      items_.erase(Place(at));
    } else {
      items_[first_++] = T();
      if (2 * first_ > items_.size()) {
        items_.erase(items_.begin(), Place(0));
        first_ = 0;
      }
    }
    if (items_.capacity() > kSpareMax * (items_.size() + 1)) items_.shrink_to_fit();
    return taken;
  }

  // Moves what stands from `at` on behind what `to` has.
  void MoveTailTo(size_t at, SlidingVector* to) {
    to->items_.insert(to->items_.end(), std::make_move_iterator(Place(at)),
                      std::make_move_iterator(items_.end()));
    items_.erase(Place(at), items_.end());
  }

 private:
  // Memory is given back when it is so many times what is needed.
  static constexpr size_t kSpareMax = 4;

  auto Place(size_t at) { return items_.begin() + static_cast<std::ptrdiff_t>(first_ + at); }

  std::vector<T> items_;
  size_t first_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_SLIDING_VECTOR_H_
