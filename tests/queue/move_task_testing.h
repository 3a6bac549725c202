// SPDX-License-Identifier: Apache-2.0
//
// What the tests of move tasks share: a broker under simulated time, a dead-letter queue and a
// source, and the books of every queue at the end.
#ifndef BANYAN_TESTS_QUEUE_MOVE_TASK_TESTING_H_
#define BANYAN_TESTS_QUEUE_MOVE_TASK_TESTING_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/queue.h"
#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"
#include "queue/core.h"

namespace banyan::internal {

class MoveTaskTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const Queue& queue : broker_.ListQueues()) {
      queue.core()->CheckInvariants();
      const QueueStats s = queue.Stats();
      EXPECT_EQ(s.accepted + s.moved_in,
                s.deleted + s.expired + s.moved_out + s.purged + s.dropped + s.depth.total())
          << queue.name();
    }
  }

  Queue Make(const std::string& name, QueueOptions options = {}) {
    absl::StatusOr<Queue> queue = broker_.CreateQueue(name, options);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return queue.value_or(Queue());
  }
  Queue MakeSource(const std::string& name, const Queue& dead) {
    return Make(name, {.fifo = name.ends_with(".fifo"),
                       .content_based_deduplication = name.ends_with(".fifo"),
                       .redrive = RedrivePolicy{dead.arn(), 1}});
  }

  static void Send(const Queue& queue, const std::string& body, const std::string& group = {}) {
    absl::StatusOr<SendResult> sent = queue.Send({.body = body, .message_group_id = group});
    ASSERT_TRUE(sent.ok()) << sent.status();
  }

  // Sends `count` numbers through `source` into its dead-letter queue, a millisecond apart.
  void MakeDeadLetters(const Queue& source, int count, const std::string& prefix = "") {
    for (int i = 0; i < count; ++i) {
      Send(source, prefix + std::to_string(i), source.name().ends_with(".fifo") ? "g" : "");
      for (const Received& one : source.Receive().value_or(std::vector<Received>())) {
        ASSERT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok());
      }
      runtime_.Advance(absl::Milliseconds(1));
    }
  }

  static std::string Start(const Queue& queue, MessageMoveTaskOptions options = {}) {
    absl::StatusOr<std::string> handle = queue.StartMessageMoveTask(std::move(options));
    EXPECT_TRUE(handle.ok()) << handle.status();
    return handle.value_or("");
  }

  static MessageMoveTask Latest(const Queue& queue) {
    const auto tasks = queue.ListMessageMoveTasks();
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    return tasks.ok() && !tasks->empty() ? tasks->front() : MessageMoveTask();
  }

  // Time in which a task without a rate has done its work.
  void LetItRun() { runtime_.Advance(absl::Seconds(1)); }

  static std::vector<Received> ReceiveAll(const Queue& queue) {
    return queue.Receive({.max_messages = 10}).value_or(std::vector<Received>());
  }
  static std::vector<std::string> BodiesOf(const std::vector<Received>& received) {
    std::vector<std::string> bodies;
    for (const Received& one : received) bodies.emplace_back(one.body());
    return bodies;
  }

  // Everything that is visible, in the order of receiving; it stays in flight.
  static std::vector<std::string> Drain(const Queue& queue) {
    std::vector<std::string> bodies;
    for (;;) {
      const auto got = queue.Receive({.max_messages = 10, .visibility_timeout = absl::Hours(1)});
      if (!got.ok() || got->empty()) return bodies;
      for (const Received& one : *got) {
        bodies.emplace_back(one.body());
        if (queue.core()->fifo()) {
          EXPECT_TRUE(one.Delete().ok());
        }
      }
    }
  }

  static std::vector<std::string> Numbers(int count, const std::string& prefix = "") {
    std::vector<std::string> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(prefix + std::to_string(i));
    return numbers;
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Queue dead_ = Make("dead");
  Queue source_ = MakeSource("source", dead_);
};

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_QUEUE_MOVE_TASK_TESTING_H_
