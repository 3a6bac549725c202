// SPDX-License-Identifier: Apache-2.0
//
// BANYAN_CHECK: for our own broken invariants, always on. The caller's and the world's faults are
// absl::Status, never this.
#ifndef BANYAN_LIB_BASE_CHECK_H_
#define BANYAN_LIB_BASE_CHECK_H_

#include "absl/base/optimization.h"

namespace banyan::inline v0_1::internal {

// Writes the failed invariant to standard error and aborts. The one time the library prints: there
// is nobody left to report to.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);

}  // namespace banyan::inline v0_1::internal

// Aborts unless `condition` holds. `why` names the invariant in words.
#define BANYAN_CHECK(condition, why) \
  (ABSL_PREDICT_TRUE(condition)      \
       ? static_cast<void>(0)        \
       : ::banyan::internal::CheckFailed(__FILE__, __LINE__, #condition, why))

// The same where the check itself is too dear for production: a walk over a structure.
#ifdef NDEBUG
#define BANYAN_DCHECK(condition, why) static_cast<void>(0)
#else
#define BANYAN_DCHECK(condition, why) BANYAN_CHECK(condition, why)
#endif

#endif  // BANYAN_LIB_BASE_CHECK_H_
