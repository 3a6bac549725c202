// SPDX-License-Identifier: Apache-2.0
//
// What stories cost: nothing while they are off. Counted in allocations, for they are the same on
// every machine.
#include <cstdint>
#include <cstdlib>
#include <new>

#include "banyan/broker.h"
#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"

namespace {
thread_local int64_t allocations = 0;
}  // namespace

// For the whole test program. The array forms, and those that do not throw, end here.
void* operator new(size_t size) {
  ++allocations;
  void* const block = std::malloc(size);
  if (block == nullptr) std::abort();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace banyan {
namespace {

// Of a hundred messages from a topic through two queues to their end, once everything is warm.
int64_t AllocationsOfAHundred(const StoryOptions& story) {
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {.story = story}).value();
  const Topic topic = broker.CreateTopic("t").value();
  const Queue queues[] = {broker.CreateQueue("a").value(), broker.CreateQueue("b").value()};
  for (const Queue& queue : queues) topic.Subscribe(queue, {.raw = true}).value();
  const auto run = [&] {
    const int64_t before = allocations;
    for (int i = 0; i < 100; ++i) {
      topic.Publish({.body = "m"}).value();
      for (const Queue& queue : queues) {
        const std::vector<Received> received = queue.Receive().value();
        EXPECT_TRUE(received.at(0).Delete().ok());
      }
    }
    return allocations - before;
  };
  run();
  return run();
}

// Per message: accepted, matched twice, and in each queue arrived, received and settled: nine steps.
TEST(StoryCostTest, OffTheyAllocateNothing) {
  const int64_t off = AllocationsOfAHundred({});
  const int64_t on = AllocationsOfAHundred({.events_max = 1'000});
  EXPECT_GE(on - off, 900) << "a step is an allocation at least";
  // The vector that each of the two receives answers. Messages are not made by operator new.
  EXPECT_EQ(off, 200);
}

}  // namespace
}  // namespace banyan
