// SPDX-License-Identifier: Apache-2.0
//
// What the tests share that bear the numbers of tests/data/queue_rows.md: a broker on simulated
// time, seen through the public API only.
//
// Every test ends with the books of every queue: what came in went out again or rests there.
#ifndef BANYAN_TESTS_QUEUE_ROWS_TESTING_H_
#define BANYAN_TESTS_QUEUE_ROWS_TESTING_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/broker.h"
#include "banyan/error.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {

// The code AWS would answer: "InvalidParameterValue"; or "OK".
inline std::string AwsCode(const absl::Status& status) {
  if (status.ok()) return "OK";
  const AwsErrorRow* row = FindAwsError(status);
  return row == nullptr ? "no AWS error: " + status.ToString() : std::string(row->code);
}

inline std::string Text(const absl::Status& status) { return std::string(status.message()); }

inline std::vector<std::string> Bodies(const std::vector<Received>& received) {
  std::vector<std::string> bodies;
  for (const Received& one : received) bodies.emplace_back(one.body());
  return bodies;
}

// accepted + moved_in = deleted + expired + moved_out + purged + dropped + what rests
inline void ExpectBooksBalance(const Queue& queue) {
  const QueueStats s = queue.Stats();
  EXPECT_EQ(s.accepted + s.moved_in,
            s.deleted + s.expired + s.moved_out + s.purged + s.dropped + s.depth.total())
      << queue.name() << ": accepted " << s.accepted << ", moved in " << s.moved_in << ", deleted "
      << s.deleted << ", expired " << s.expired << ", moved out " << s.moved_out << ", purged "
      << s.purged << ", dropped " << s.dropped << ", resting " << s.depth.total();
}

class QueueRows : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const Queue& queue : broker_.ListQueues()) ExpectBooksBalance(queue);
  }

  Queue Make(std::string_view name, QueueOptions options = {}) {
    absl::StatusOr<Queue> queue = broker_.CreateQueue(name, std::move(options));
    EXPECT_TRUE(queue.ok()) << queue.status();
    return queue.ok() ? *queue : Queue();
  }

  // Deduplicates by content: tests that mind say otherwise, the others have different bodies.
  Queue MakeFifo(std::string_view name, QueueOptions options = {}) {
    options.fifo = true;
    options.content_based_deduplication = true;
    return Make(name, std::move(options));
  }

  static SendResult Send(const Queue& queue, SendRequest request) {
    absl::StatusOr<SendResult> sent = queue.Send(std::move(request));
    EXPECT_TRUE(sent.ok()) << sent.status();
    return sent.ok() ? *sent : SendResult();
  }
  static SendResult Send(const Queue& queue, std::string_view body) {
    return Send(queue, SendRequest{.body = body});
  }
  static SendResult SendTo(const Queue& queue, std::string_view group, std::string_view body) {
    return Send(queue, SendRequest{.body = body, .message_group_id = std::string(group)});
  }

  // Many short messages; their bodies are `prefix` and a number. In a FIFO queue, without `group`,
  // each is in a group of its own, named by that number.
  static void SendMany(const Queue& queue, int count, std::string_view prefix,
                       std::string_view group = {}) {
    const bool own_groups = group.empty() && queue.name().ends_with(".fifo");
    for (int i = 0; i < count;) {
      std::vector<SendRequest> batch;
      for (; batch.size() < 10 && i < count; ++i) {
        const std::string number = std::to_string(i);
        batch.push_back({.body = std::string(prefix) + number,
                         .message_group_id = own_groups ? number : std::string(group)});
      }
      const auto answers = queue.SendBatch(std::move(batch));
      ASSERT_TRUE(answers.ok()) << answers.status();
      for (const auto& answer : *answers) ASSERT_TRUE(answer.ok()) << answer.status();
    }
  }

  static std::vector<Received> Receive(const Queue& queue, ReceiveOptions options = {}) {
    absl::StatusOr<std::vector<Received>> received = queue.Receive(std::move(options));
    EXPECT_TRUE(received.ok()) << received.status();
    return received.ok() ? *std::move(received) : std::vector<Received>();
  }
  static std::vector<Received> ReceiveAll(const Queue& queue) {
    return Receive(queue, {.max_messages = 10});
  }
  static std::vector<std::string> ReceiveBodies(const Queue& queue, int64_t max_messages = 10) {
    return Bodies(Receive(queue, {.max_messages = max_messages}));
  }
  static Received ReceiveOne(const Queue& queue) {
    std::vector<Received> received = Receive(queue);
    EXPECT_EQ(received.size(), 1u);
    return received.empty() ? Received() : received[0];
  }

  static void DeleteAll(const Queue& queue, const std::vector<Received>& received) {
    const auto answers = queue.DeleteBatch(received);
    ASSERT_TRUE(answers.ok()) << answers.status();
    for (const absl::Status& answer : *answers) ASSERT_TRUE(answer.ok()) << answer;
  }

  static std::map<std::string, std::string> AllAttributes(const Queue& queue) {
    auto attributes = queue.GetAttributes(std::vector<std::string>{"All"});
    EXPECT_TRUE(attributes.ok()) << attributes.status();
    return attributes.ok() ? *attributes : std::map<std::string, std::string>();
  }

  // Sets one option and leaves the others.
  template <typename Change>
  static absl::Status SetOption(const Queue& queue, const Change& change) {
    QueueOptions options = queue.Options().value();
    change(options);
    return queue.SetOptions(options);
  }

  void Pass(absl::Duration d) { runtime_.Advance(d); }
  // What a caller's next step takes, so that no two stamps are the same.
  void PassAMoment() { Pass(absl::Milliseconds(1)); }

  void After(absl::Duration d, Task task) {
    runtime_.PostAt(runtime_.Uptime() + d, std::move(task));
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
};

}  // namespace banyan

#endif  // BANYAN_TESTS_QUEUE_ROWS_TESTING_H_
