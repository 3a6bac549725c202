// SPDX-License-Identifier: Apache-2.0
//
// Handoff: a bounded lock-free queue of owned objects, any number of threads at both ends. The one
// place for Boost.Lockfree.
//
// What it adds to boost::lockfree::queue, which holds only trivially destructible elements: the
// objects are owned. A push moves the owner in, a pop moves it out, and what is still inside when
// the Handoff dies is destroyed with it.
//
// Why a push is seen whole: the pusher's writes to the object come before the compare-and-swap
// that links its node, which is a release; the popper's load of that link is an acquire. So a
// popper sees everything the pusher had written into the object. (Boost 1.81 uses the default,
// sequentially consistent order there, which is more than that.)
//
// ThreadSanitizer reports races inside Boost: a slow popper may read a node that another thread is
// already giving back. It reads rubbish, its compare-and-swap fails by the node's counter, and the
// rubbish is thrown away; but the language calls it a race. tests/base/handoff_test.cc silences
// that one report and no other.
//
// Bound     `capacity` objects, at most 65,534: the nodes are named by 16 bits, so that a name and
//           a counter against reuse fit one compare-and-swap, and one node is always a dummy. At
//           the bound a push is refused and the object stays with its caller; so it may be just
//           below the bound, while a popper has not yet given its node back. All memory is taken
//           by the constructor.
// Order     First in, first out for each pusher as each popper sees it.
// Threads   TryPush and TryPop from any; construction and destruction alone.
//
// When not  A mutex and a deque are as fast from one thread and faster under contention (the
//           benchmarks show it); this is for a producer that must never wait for a descheduled
//           consumer.
#ifndef BANYAN_LIB_BASE_HANDOFF_H_
#define BANYAN_LIB_BASE_HANDOFF_H_

#include <boost/lockfree/policies.hpp>
#include <boost/lockfree/queue.hpp>
#include <cstddef>
#include <memory>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

template <typename T>
class Handoff {
 public:
  static constexpr size_t kCapacityMax = 65'534;

  explicit Handoff(size_t capacity) : queue_(Checked(capacity)) {}
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;

  ~Handoff() {
    queue_.consume_all([](T* left) { delete left; });
  }

  // False: full, and `object` is still the caller's.
  bool TryPush(std::unique_ptr<T>& object) {
    BANYAN_CHECK(object != nullptr, "null says 'empty' at the other end");
    if (!queue_.bounded_push(object.get())) return false;
    static_cast<void>(object.release());
    return true;
  }

  // Null: empty.
  std::unique_ptr<T> TryPop() {
    T* object = nullptr;
    return std::unique_ptr<T>(queue_.pop(object) ? object : nullptr);
  }

 private:
  // Boost throws on a capacity it cannot name; we build without exceptions, too.
  static size_t Checked(size_t capacity) {
    BANYAN_CHECK(capacity >= 1 && capacity <= kCapacityMax, "a Handoff holds 1..65534 objects");
    return capacity;
  }

  boost::lockfree::queue<T*, boost::lockfree::fixed_sized<true>> queue_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_HANDOFF_H_
