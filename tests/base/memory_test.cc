// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#endif

namespace banyan::internal {
namespace {

TEST(MemoryTest, BlocksAreAlignedAndAllTheirs) {
  std::vector<char*> blocks;
  for (size_t size : {1u, 7u, 64u, 4096u, 262'144u, 1'048'576u}) {
    char* const block = static_cast<char*>(Allocate(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignof(std::max_align_t) % 8, 0u);
    std::memset(block, static_cast<int>(blocks.size()), size);
    blocks.push_back(block);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i][0], static_cast<char>(i));
    Free(blocks[i]);
  }
  Free(nullptr);
}

// As payloads do: made by the publisher, freed by the last consumer.
TEST(MemoryTest, ABlockMayBeFreedOnAnotherThread) {
  std::vector<void*> blocks;
  for (int i = 0; i < 1'000; ++i) blocks.push_back(Allocate(100));
  std::thread([&blocks] {
    for (void* block : blocks) Free(block);
  }).join();
}

TEST(MemoryTest, SaysWhichAllocatorItUses) {
#if defined(BANYAN_SANITIZER)
  EXPECT_EQ(AllocatorName(), "malloc");
#else
  EXPECT_TRUE(AllocatorName() == "mimalloc" || AllocatorName() == "malloc") << AllocatorName();
#endif
}

#if defined(__linux__) && !defined(BANYAN_SANITIZER)
// Where malloc and operator new of this process live.
std::string FileOf(void* function) {
  Dl_info info;
  return dladdr(function, &info) != 0 ? info.dli_fname : "";
}

bool IsLoaded(std::string_view library) {
  return dl_iterate_phdr(
             [](dl_phdr_info* info, size_t, void* name) {
               const std::string_view wanted = *static_cast<std::string_view*>(name);
               return std::string_view(info->dlpi_name).find(wanted) != std::string_view::npos ? 1
                                                                                               : 0;
             },
             &library) != 0;
}

// In a process that begins anew, and has not asked for a block when it looks.
TEST(MemoryDeathTest, TheAllocatorIsThereBeforeThereAreThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const bool loaded = IsLoaded("libmimalloc");
        std::_Exit(loaded == (AllocatorName() == "mimalloc") ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(MemoryTest, TheHostKeepsItsOwnAllocator) {
  Free(Allocate(1));  // now the allocator is chosen
  EXPECT_EQ(FileOf(dlsym(RTLD_DEFAULT, "malloc")).find("mimalloc"), std::string::npos);
  EXPECT_EQ(FileOf(dlsym(RTLD_DEFAULT, "free")).find("mimalloc"), std::string::npos);
  EXPECT_NE(FileOf(dlsym(RTLD_DEFAULT, "malloc")).find("libc"), std::string::npos);
  EXPECT_EQ(FileOf(dlsym(RTLD_DEFAULT, "_Znwm")).find("mimalloc"), std::string::npos);
  // Loaded, but its names are not for everyone.
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "mi_malloc"), nullptr);
}
#endif

}  // namespace
}  // namespace banyan::internal
