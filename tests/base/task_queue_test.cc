// SPDX-License-Identifier: Apache-2.0
#include "base/task_queue.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

class TaskQueueTest : public ::testing::Test {
 protected:
  Task Append(char c) {
    return [this, c] { trace_ += c; };
  }

  // Runs what is due at `now_ns` and returns what ran.
  std::string RunDue(int64_t now_ns) {
    trace_.clear();
    queue_.CollectDue(now_ns);
    for (Task task; queue_.Take(&task);) task();
    return trace_;
  }

  TaskQueue queue_;
  std::string trace_;
};

TEST_F(TaskQueueTest, TasksLeaveInPostingOrder) {
  for (const char c : {'a', 'b', 'c'}) queue_.Post(Append(c));
  EXPECT_EQ(RunDue(0), "abc");
  EXPECT_EQ(RunDue(0), "");
}

TEST_F(TaskQueueTest, TimersLeaveByDeadlineThenByPostingOrder) {
  queue_.PostAt(20, Append('c'));
  queue_.PostAt(10, Append('a'));
  queue_.PostAt(20, Append('d'));
  queue_.PostAt(10, Append('b'));
  queue_.PostAt(21, Append('e'));
  EXPECT_EQ(queue_.next_due_ns(), 10);
  EXPECT_EQ(RunDue(9), "");
  EXPECT_EQ(RunDue(20), "abcd");
  EXPECT_EQ(queue_.next_due_ns(), 21);
}

TEST_F(TaskQueueTest, ACancelledTimerNeverRuns) {
  const TimerId a = queue_.PostAt(10, Append('a'));
  queue_.PostAt(10, Append('b'));
  Task cancelled;
  EXPECT_TRUE(queue_.Cancel(a, &cancelled));
  EXPECT_FALSE(queue_.Cancel(a, &cancelled));
  EXPECT_EQ(RunDue(10), "b");
}

// I1: until the moment it is handed out.
TEST_F(TaskQueueTest, ATimerThatIsDueAlreadyCanStillBeCancelled) {
  const TimerId a = queue_.PostAt(10, Append('a'));
  queue_.Post(Append('b'));
  queue_.CollectDue(10);
  Task cancelled;
  EXPECT_TRUE(queue_.Cancel(a, &cancelled));
  EXPECT_EQ(RunDue(10), "b");
}

TEST_F(TaskQueueTest, ATimerThatRanCannotBeCancelled) {
  const TimerId a = queue_.PostAt(10, Append('a'));
  EXPECT_EQ(RunDue(10), "a");
  Task cancelled;
  EXPECT_FALSE(queue_.Cancel(a, &cancelled));
  EXPECT_FALSE(queue_.Cancel(TimerId::kNone, &cancelled));
}

// I4: who cancels decides where the task dies.
TEST_F(TaskQueueTest, CancelHandsTheTaskOutAlive) {
  auto owned = std::make_shared<int>(1);
  const TimerId a = queue_.PostAt(10, [owned] {});
  Task cancelled;
  ASSERT_TRUE(queue_.Cancel(a, &cancelled));
  EXPECT_EQ(owned.use_count(), 2);
  cancelled = nullptr;
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(TaskQueueTest, TakeAnyReachesEveryTaskOnce) {
  for (const char c : {'a', 'b', 'c', 'd'}) queue_.Post(Append(c));
  Task task;
  for (const uint64_t draw : {6u, 1u, 1u, 9u}) {
    ASSERT_TRUE(queue_.TakeAny(draw, &task));
    task();
  }
  EXPECT_FALSE(queue_.TakeAny(0, &task));
  EXPECT_EQ(trace_.size(), 4u);
  for (const char c : {'a', 'b', 'c', 'd'}) EXPECT_NE(trace_.find(c), std::string::npos);
  EXPECT_NE(trace_, "abcd");
}

TEST_F(TaskQueueTest, TakeUndoneEmptiesTheQueueOfTimersToo) {
  queue_.Post(Append('a'));
  queue_.PostAt(10, Append('b'));
  queue_.PostAt(kNever, Append('c'));
  Task task;
  int taken = 0;
  while (queue_.TakeUndone(&task)) ++taken;
  EXPECT_EQ(taken, 3);
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(TaskQueueTest, ATimerForNeverIsNeverDue) {
  queue_.PostAt(kNever, Append('a'));
  EXPECT_EQ(RunDue(kLatest), "");
}

}  // namespace
}  // namespace banyan::internal
