// SPDX-License-Identifier: Apache-2.0
#include "base/fork_sentinel.h"

#include "gtest/gtest.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/wait.h>
#include <unistd.h>

namespace banyan::internal {
namespace {

// Runs `in_child` in a forked child and returns its answer.
template <typename InChild>
int InForkedChild(const InChild& in_child) {
  const pid_t child = fork();
  if (child == 0) _exit(in_child());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(ForkSentinelTest, TellsTheChildFromTheParent) {
  const ForkSentinel sentinel;
  EXPECT_FALSE(sentinel.forked());
  EXPECT_EQ(InForkedChild([&sentinel] { return sentinel.forked() ? 1 : 0; }), 1);
  EXPECT_FALSE(sentinel.forked());
}

TEST(ForkSentinelTest, TheGrandchildIsTold) {
  const ForkSentinel sentinel;
  EXPECT_EQ(InForkedChild([&sentinel] {
              return InForkedChild([&sentinel] { return sentinel.forked() ? 1 : 0; });
            }),
            1);
}

TEST(ForkSentinelTest, OneMadeInTheChildIsAtHomeThere) {
  EXPECT_EQ(InForkedChild([] {
              const ForkSentinel sentinel;
              return sentinel.forked() ? 1 : 0;
            }),
            0);
}

}  // namespace
}  // namespace banyan::internal
#endif
