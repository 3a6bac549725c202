// SPDX-License-Identifier: Apache-2.0
#include "base/fork_sentinel.h"

#include <new>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define BANYAN_HAS_FORK 1
#endif

namespace banyan::inline v0_1::internal {
namespace {

long ProcessId() {
#if defined(BANYAN_HAS_FORK)
  return static_cast<long>(getpid());
#else
  return 0;  // no fork, no child
#endif
}

#if defined(MADV_WIPEONFORK)
// Any length is rounded up to a page by the kernel, here as in munmap.
constexpr size_t kLength = sizeof(std::atomic<unsigned>);

void* NewWipedPage() {
  void* const page =
      mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (madvise(page, kLength, MADV_WIPEONFORK) == 0) return page;
  munmap(page, kLength);
  return nullptr;
}
#endif

}  // namespace

ForkSentinel::ForkSentinel() : process_id_(ProcessId()) {
#if defined(MADV_WIPEONFORK)
  if (void* const page = NewWipedPage(); page != nullptr) {
    page_ = new (page) std::atomic<unsigned>(kSameProcess);
  }
#endif
}

ForkSentinel::~ForkSentinel() {
#if defined(MADV_WIPEONFORK)
  if (page_ != nullptr) munmap(page_, kLength);
#endif
}

bool ForkSentinel::ProcessIdDiffers() const { return ProcessId() != process_id_; }

}  // namespace banyan::inline v0_1::internal
