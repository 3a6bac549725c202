// SPDX-License-Identifier: Apache-2.0
//
// Which thread is this? An answer that costs an instruction or two and names no thread library.
#ifndef BANYAN_LIB_BASE_THIS_THREAD_H_
#define BANYAN_LIB_BASE_THIS_THREAD_H_

#include <cstddef>
#include <cstdint>

#include "base/mix.h"

namespace banyan::inline v0_1::internal {

// Different for any two threads that live at the same time. A later thread may get the value of
// one that has ended, so whoever keeps it must know that its thread is still there.
using ThreadToken = const void*;

inline ThreadToken ThisThread() {
  static thread_local const char here = 0;
  return &here;
}

// Spreads threads over `shards` (a power of two) counters or lists. Always the same for a thread,
// but different from run to run: nothing a user can see may depend on it.
inline size_t ThreadShard(size_t shards) {
  return static_cast<size_t>(Mix64(reinterpret_cast<uintptr_t>(ThisThread()))) & (shards - 1);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_THIS_THREAD_H_
