// SPDX-License-Identifier: Apache-2.0
//
// Memory for payload blocks: many sizes, made on one thread and freed on another.
//
// Decision  mimalloc, because that traffic is what it is built for, but for payloads only: a
//           library must not change the allocator of its host. Debian's libmimalloc.so exports
//           malloc and free themselves, so linking it would do just that; there the build asks for
//           it to be loaded at run time with its names kept local. Three ways, chosen by CMake:
//             BANYAN_MIMALLOC_LINKED        a mimalloc that exports mi_* only: called directly
//             BANYAN_MIMALLOC_DLOPEN="..."  loaded when the program starts, before it has threads;
//                                           malloc if it is not on the machine it runs on
//             neither                       malloc (and always under sanitizers, which would not
//                                           see a use after free in a mimalloc block)
// Invariant The choice is made once and never changes, so a block is freed by the allocator that
//           made it. The library is never unloaded.
// Threads   Any.
#ifndef BANYAN_LIB_BASE_MEMORY_H_
#define BANYAN_LIB_BASE_MEMORY_H_

#include <cstddef>
#include <string_view>

namespace banyan::inline v0_1::internal {

// Never null, aligned for any ordinary type. Aborts when the machine has no memory left.
void* Allocate(size_t size);
void Free(void* block);  // null does nothing

// "mimalloc" or "malloc".
std::string_view AllocatorName();

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_MEMORY_H_
