// SPDX-License-Identifier: Apache-2.0
//
// A redrive in small steps, as one that is throttled does it, must not pay in each step for all
// that still wait. Counted in bytes allocated, for they are the same on every machine.
#include <cstdlib>
#include <new>
#include <string>

#include "queue_testing.h"

namespace {
thread_local size_t allocated_bytes = 0;
}  // namespace

// For the whole test program. The array forms, and those that do not throw, end here.
void* operator new(size_t size) {
  allocated_bytes += size;
  void* const block = std::malloc(size);
  if (block == nullptr) std::abort();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace banyan::internal {
namespace {

class RedriveCostTest : public QueueTest {
 protected:
  // Of one Redrive(1) while as many dead letters wait.
  size_t BytesOfOneRedrive(int waiting) {
    const Queue dead = broker_.Make("dead");
    const Queue source =
        broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), /*max_receive_count=*/1}});
    for (int i = 0; i < waiting; ++i) Send(source, "m");
    for (int i = 0; i < waiting; i += 10) EXPECT_EQ(ReceiveAll(source).size(), 10u);
    runtime_.Advance(absl::Seconds(30));
    EXPECT_EQ(dead.Depth().visible, waiting);
    EXPECT_EQ(*dead.Redrive(1), 1);  // what is allocated only once
    const size_t before = allocated_bytes;
    EXPECT_EQ(*dead.Redrive(1), 1);
    return allocated_bytes - before;
  }
};

TEST_F(RedriveCostTest, OneOfManyCostsNoMoreThanOneOfFew) {
  EXPECT_LE(BytesOfOneRedrive(5'000), 2 * BytesOfOneRedrive(10));
}

}  // namespace
}  // namespace banyan::internal
