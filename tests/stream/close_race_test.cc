// SPDX-License-Identifier: Apache-2.0
//
// What a read answers if its stream ends while it runs. The clock is read in the middle of a call,
// so a clock that ends the stream at that moment does so each time, without threads and luck.
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

using internal::CloseKind;

class InterruptingRuntime : public Runtime {
 public:
  explicit InterruptingRuntime(Runtime& real) : real_(real) {}

  // At the next look at the clock, once.
  void InterruptWith(std::function<void()> interruption) {
    interruption_ = std::move(interruption);
  }

  Instant Read() override {
    if (interruption_ != nullptr) std::exchange(interruption_, nullptr)();
    return real_.Read();
  }
  uint64_t Random() override { return real_.Random(); }
  void Post(Task task) override { real_.Post(std::move(task)); }
  TimerId PostAt(absl::Duration uptime, Task task) override {
    return real_.PostAt(uptime, std::move(task));
  }
  bool Cancel(TimerId timer) override { return real_.Cancel(timer); }
  bool Await(Mutex& mu, WaitList& waiters, absl::FunctionRef<bool()> ready, absl::Duration deadline,
             std::stop_token stop) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return real_.Await(mu, waiters, ready, deadline, std::move(stop));
  }

 private:
  Runtime& real_;
  std::function<void()> interruption_;
};

class CloseRaceTest : public StreamTest {
 protected:
  CloseRaceTest() {
    env_ = std::make_shared<internal::Environment>(interrupting_, SmallLimits(), 7);
  }

  InterruptingRuntime interrupting_{runtime_};
};

TEST_F(CloseRaceTest, AReadDuringADeletionDoesNotPassOverRecords) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  interrupting_.InterruptWith([&] { stream.core()->Close(CloseKind::kDeleted); });
  EXPECT_EQ(CodeOf(stream.GetRecords(iterator).status()), "ResourceNotFoundException");
}

TEST_F(CloseRaceTest, AReadDuringADeletionDoesNotFindTheEndOfAClosedShard) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  interrupting_.InterruptWith([&] { stream.core()->Close(CloseKind::kDeleted); });
  EXPECT_EQ(CodeOf(stream.GetRecords(iterator).status()), "ResourceNotFoundException");
}

TEST_F(CloseRaceTest, AReadDuringAStopIsRefused) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  interrupting_.InterruptWith([&] { stream.core()->Close(CloseKind::kStopped); });
  EXPECT_EQ(stream.GetRecords(iterator).status().code(), absl::StatusCode::kUnavailable);
}

// A put is stored before the end, or refused; what was acknowledged could be read.
TEST_F(CloseRaceTest, APutDuringADeletionIsRefused) {
  const Stream stream = MakeStream();
  interrupting_.InterruptWith([&] { stream.core()->Close(CloseKind::kDeleted); });
  EXPECT_EQ(CodeOf(stream.Put({.partition_key = "k", .data = "a"}).status()),
            "ResourceNotFoundException");
}

}  // namespace
}  // namespace banyan::testing
