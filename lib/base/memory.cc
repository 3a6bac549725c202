// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <cstdlib>

#include "base/check.h"

#if defined(BANYAN_MIMALLOC_LINKED)
#include <mimalloc.h>
#elif defined(BANYAN_MIMALLOC_DLOPEN)
#include <dlfcn.h>
#endif

namespace banyan::inline v0_1::internal {
namespace {

struct Allocator {
  void* (*allocate)(size_t);
  void (*free)(void*);
  std::string_view name;
};

Allocator ChooseAllocator() {
#if defined(BANYAN_MIMALLOC_LINKED)
  return {&mi_malloc, &mi_free, "mimalloc"};
#else
#if defined(BANYAN_MIMALLOC_DLOPEN)
  if (void* const library = dlopen(BANYAN_MIMALLOC_DLOPEN, RTLD_NOW | RTLD_LOCAL)) {
    void* const allocate = dlsym(library, "mi_malloc");
    void* const free = dlsym(library, "mi_free");
    if (allocate != nullptr && free != nullptr) {
      return {reinterpret_cast<void* (*)(size_t)>(allocate),
              reinterpret_cast<void (*)(void*)>(free), "mimalloc"};
    }
  }
#endif
  return {&std::malloc, &std::free, "malloc"};
#endif
}

const Allocator& TheAllocator() {
  static const Allocator allocator = ChooseAllocator();
  return allocator;
}

#if defined(BANYAN_MIMALLOC_DLOPEN)
// Chosen before main(), as a rule, when there is one thread. The library has thread-local variables
// in each thread's static block, and a thread that another creates just while the loader adds the
// library has been seen to go without: its first block was a read through a null pointer. (What
// global objects allocate earlier chooses earlier.)
[[maybe_unused]] const Allocator& chosen_at_start = TheAllocator();
#endif

}  // namespace

void* Allocate(size_t size) {
  void* const block = TheAllocator().allocate(size);
  BANYAN_CHECK(block != nullptr || size == 0, "out of memory for a payload");
  return block;
}

void Free(void* block) { TheAllocator().free(block); }

std::string_view AllocatorName() { return TheAllocator().name; }

}  // namespace banyan::inline v0_1::internal
