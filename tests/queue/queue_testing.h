// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the queue room share: queues that find each other by ARN, without a broker.
#ifndef BANYAN_TESTS_QUEUE_QUEUE_TESTING_H_
#define BANYAN_TESTS_QUEUE_QUEUE_TESTING_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/error.h"
#include "banyan/mutex.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"
#include "message/environment.h"
#include "queue/core.h"

namespace banyan::internal {

// Stands for the broker: makes queues and finds them by ARN.
class TestBroker {
 public:
  explicit TestBroker(Runtime& runtime, Limits limits = Limits::Aws())
      : env(std::make_shared<Environment>(runtime, limits, /*id_seed=*/7)) {}

  ~TestBroker() {
    for (auto& [arn, core] : queues()) {
      core->CheckInvariants();
      core->Close(CloseKind::kStopped);
    }
    MutexLock lock(&names_->mu);
    names_->queues.clear();  // queues hold the names, and the names the queues
  }

  // A queue by this name; in place of one that was there before.
  Queue Make(const std::string& name, const QueueOptions& options = {}) {
    std::shared_ptr<QueueCore> core =
        QueueCore::Create(env, name, options, [names = names_](const Arn& arn) {
          MutexLock lock(&names->mu);
          auto at = names->queues.find(arn.ToString());
          return at == names->queues.end() ? nullptr : at->second;
        });
    MutexLock lock(&names_->mu);
    names_->queues[core->arn_text()] = core;
    return Queue(core);
  }

  void Delete(const Queue& queue) {
    {
      MutexLock lock(&names_->mu);
      names_->queues.erase(queue.arn().ToString());
    }
    queue.core()->Close(CloseKind::kDeleted);
  }

  const std::shared_ptr<Environment> env;

 private:
  struct Names {
    Mutex mu;
    std::map<std::string, std::shared_ptr<QueueCore>> queues ABSL_GUARDED_BY(mu);
  };

  std::map<std::string, std::shared_ptr<QueueCore>> queues() {
    MutexLock lock(&names_->mu);
    return names_->queues;
  }

  const std::shared_ptr<Names> names_ = std::make_shared<Names>();
};

class QueueTest : public ::testing::Test {
 protected:
  // Sends and answers the message's id; the test fails if it is refused.
  static Id Send(const Queue& queue, std::string_view body) {
    absl::StatusOr<SendResult> sent = queue.Send({.body = body});
    EXPECT_TRUE(sent.ok()) << sent.status();
    return sent.ok() ? sent->message_id : Id();
  }

  static std::vector<Received> Receive(const Queue& queue, ReceiveOptions options = {}) {
    absl::StatusOr<std::vector<Received>> received = queue.Receive(std::move(options));
    EXPECT_TRUE(received.ok()) << received.status();
    return received.ok() ? *std::move(received) : std::vector<Received>();
  }

  static std::vector<Received> ReceiveAll(const Queue& queue) {
    return Receive(queue, {.max_messages = 10});
  }

  // The one message there is to receive.
  static Received ReceiveOne(const Queue& queue) {
    std::vector<Received> received = Receive(queue);
    EXPECT_EQ(received.size(), 1u);
    return received.empty() ? Received() : received[0];
  }

  static std::vector<std::string> Bodies(const std::vector<Received>& received) {
    std::vector<std::string> bodies;
    for (const Received& one : received) bodies.emplace_back(one.body());
    return bodies;
  }

  testing::SimulatedRuntime runtime_;
  TestBroker broker_{runtime_};
};

// "InvalidParameterValue: the text", or "OK"; so that a failed comparison shows all of it.
inline std::string AwsCode(const absl::Status& status) {
  if (status.ok()) return "OK";
  const AwsErrorRow* row = FindAwsError(status);
  return row == nullptr ? "no AWS error: " + status.ToString() : std::string(row->code);
}

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_QUEUE_QUEUE_TESTING_H_
