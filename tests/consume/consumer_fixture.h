// SPDX-License-Identifier: Apache-2.0
//
// What the tests of consumers share: a broker under simulated time, and a log that remembers.
#ifndef BANYAN_TESTS_CONSUME_CONSUMER_FIXTURE_H_
#define BANYAN_TESTS_CONSUME_CONSUMER_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mutex.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace banyan {

class RememberingLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    MutexLock lock(&mu_);
    if (record.severity == LogSeverity::kWarning) warnings_.emplace_back(record.text);
  }
  std::vector<std::string> warnings() {
    MutexLock lock(&mu_);
    return warnings_;
  }

 private:
  Mutex mu_;
  std::vector<std::string> warnings_ ABSL_GUARDED_BY(mu_);
};

class ConsumerTest : public ::testing::Test {
 protected:
  Queue MakeQueue(std::string_view name, QueueOptions options = {}) {
    return broker_.CreateQueue(name, std::move(options)).value();
  }

  static void Send(const Queue& queue, std::string_view body) {
    ASSERT_THAT(queue.Send({.body = body}), testing::IsOk());
  }

  // Into a FIFO queue: "a1" is the first message of group "a".
  static void SendToGroup(const Queue& queue, std::string_view body) {
    ASSERT_THAT(queue.Send({.body = body,
                            .message_group_id = std::string(body.substr(0, 1)),
                            .message_deduplication_id = std::string(body.substr(0, 64))}),
                testing::IsOk());
  }

  // What a handler does that takes so long.
  void Work(absl::Duration how_long) {
    Mutex mu;
    WaitList nobody;
    MutexLock lock(&mu);
    runtime_.Await(
        mu, nobody, [] { return false; }, runtime_.Uptime() + how_long);
  }

  RememberingLog log_;
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {.log = &log_}).value();
};

}  // namespace banyan

#endif  // BANYAN_TESTS_CONSUME_CONSUMER_FIXTURE_H_
