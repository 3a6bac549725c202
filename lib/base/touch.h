// SPDX-License-Identifier: Apache-2.0
//
// For loops that would wait for memory again and again: bring what several rounds will need nearer
// before the first.
#ifndef BANYAN_LIB_BASE_TOUCH_H_
#define BANYAN_LIB_BASE_TOUCH_H_

namespace banyan::inline v0_1::internal {

// Reads it, and does nothing with it. The processor goes on meanwhile, so a few of these in a row
// wait together. Not a prefetch instruction: that may be dropped where the page's address has to be
// looked up, too, which is so for all that is far away. (Measured for ten deduplication ids in a
// window of a million: prefetching gains nothing, this a sixth of the whole cycle.)
//
// It is a read like any other: `place` must be there, and nobody else may write it meanwhile.
inline void Touch(const void* place) {
  static_cast<void>(*static_cast<const volatile char*>(place));
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_TOUCH_H_
