// SPDX-License-Identifier: Apache-2.0
//
// Mutex: std::mutex under the names that clang's thread-safety analysis understands.
//
// Why not absl::Mutex: as distributions ship it, it costs about three times as much uncontended
// and ThreadSanitizer cannot see into it. Why not std::mutex: it carries no annotations in
// libstdc++, so `-Wthread-safety` would be blind. Waiting is the Runtime's business (runtime.h),
// therefore there is no condition variable here.
#ifndef BANYAN_MUTEX_H_
#define BANYAN_MUTEX_H_

#include <mutex>

#include "absl/base/thread_annotations.h"

namespace banyan::inline v0_1 {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mu_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mu_.unlock(); }
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return mu_.try_lock(); }

  // Tells the analysis that the caller holds this mutex where it cannot see it (a callback that
  // runs under its caller's lock). Checks nothing at run time.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}

 private:
  std::mutex mu_;
};

// Holds a Mutex for the life of a scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mu_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_MUTEX_H_
