// SPDX-License-Identifier: Apache-2.0
//
// lib/route/published.h -- floor 5: a value that many read and few replace.
//
// Copy, change, publish: a writer copies the value, changes its copy for as long as it takes, and
// swaps one pointer; readers go on with the version they loaded. The mutex is held for the time of
// a pointer copy, never while a version is made. Not std::atomic<std::shared_ptr>: it takes a spin
// lock for the same few instructions, one that ThreadSanitizer cannot follow in libstdc++ 12.
#ifndef BANYAN_LIB_ROUTE_PUBLISHED_H_
#define BANYAN_LIB_ROUTE_PUBLISHED_H_

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"

namespace banyan::inline v0_1::internal {

template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  std::shared_ptr<const T> Load() const {
    MutexLock lock(&mu_);
    return value_;
  }

  void Store(std::shared_ptr<const T> next) {
    MutexLock lock(&mu_);
    value_.swap(next);
  }  // The lock goes first, then the old version: parameters outlive locals.

 private:
  mutable Mutex mu_;
  std::shared_ptr<const T> value_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_PUBLISHED_H_
