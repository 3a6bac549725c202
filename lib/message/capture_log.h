// SPDX-License-Identifier: Apache-2.0
//
// lib/message/capture_log.h -- floor 1: what a broker would have sent to people. When it is full the
// oldest goes, and is counted.
//
// Threads   Every method from any thread.
#ifndef BANYAN_LIB_MESSAGE_CAPTURE_LOG_H_
#define BANYAN_LIB_MESSAGE_CAPTURE_LOG_H_

#include <cstdint>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "banyan/captured_notification.h"
#include "banyan/mutex.h"

namespace banyan::inline v0_1::internal {

class CaptureLog {
 public:
  explicit CaptureLog(int64_t max) : max_(max) {}

  void Add(CapturedNotification notification) {
    CapturedNotification oldest;  // destroyed after the lock is released
    MutexLock lock(&mu_);
    kept_.push_back(std::move(notification));
    if (static_cast<int64_t>(kept_.size()) <= max_) return;
    oldest = std::move(kept_.front());
    kept_.pop_front();
    ++dropped_;
  }

  CapturedNotificationList List() const {
    MutexLock lock(&mu_);
    return {.notifications = {kept_.begin(), kept_.end()}, .dropped = dropped_};
  }

  void Clear() {
    std::deque<CapturedNotification> old;
    MutexLock lock(&mu_);
    old.swap(kept_);
    dropped_ = 0;
  }

 private:
  const int64_t max_;
  mutable Mutex mu_;
  std::deque<CapturedNotification> kept_ ABSL_GUARDED_BY(mu_);
  int64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_CAPTURE_LOG_H_
