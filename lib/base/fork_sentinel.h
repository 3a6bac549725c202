// SPDX-License-Identifier: Apache-2.0
//
// ForkSentinel: is this process still the one that made me?
//
// After fork() the child has a copy of everything but the threads: a mutex that another thread
// held stays locked for ever, and nobody runs tasks. So the child must be told before it touches
// a lock. Where the kernel can (Linux 4.14), the sentinel owns one page that fork() hands to the
// child zeroed; asking is one load. Elsewhere asking compares process ids, a system call.
//
// Not pthread_atfork: handlers are global, cannot be taken back, and would run in the host's
// every fork whether it uses a broker by then or not.
//
// Threads: any.
#ifndef BANYAN_LIB_BASE_FORK_SENTINEL_H_
#define BANYAN_LIB_BASE_FORK_SENTINEL_H_

#include <atomic>

#include "absl/base/optimization.h"

namespace banyan::inline v0_1::internal {

class ForkSentinel {
 public:
  ForkSentinel();
  ~ForkSentinel();
  ForkSentinel(const ForkSentinel&) = delete;
  ForkSentinel& operator=(const ForkSentinel&) = delete;

  // True in a child (or grandchild) of the process that made this object.
  bool forked() const {
    if (ABSL_PREDICT_TRUE(page_ != nullptr)) {
      return page_->load(std::memory_order_relaxed) != kSameProcess;
    }
    return ProcessIdDiffers();
  }

 private:
  static constexpr unsigned kSameProcess = 1;  // anything but what a wiped page holds

  bool ProcessIdDiffers() const;

  std::atomic<unsigned>* page_ = nullptr;  // null where pages cannot be wiped on fork
  long process_id_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_FORK_SENTINEL_H_
