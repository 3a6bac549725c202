// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the deliver room share: destinations that answer as told, and a log to read.
#ifndef BANYAN_TESTS_DELIVER_DELIVER_TESTING_H_
#define BANYAN_TESTS_DELIVER_DELIVER_TESTING_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "banyan/log.h"
#include "banyan/mutex.h"
#include "banyan/target.h"
#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"
#include "message/environment.h"
#include "message/message.h"
#include "message/sink.h"

namespace banyan::internal {

class RecordingLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    MutexLock lock(&mu_);
    lines_.emplace_back(record.text);
  }
  std::vector<std::string> lines() const {
    MutexLock lock(&mu_);
    return lines_;
  }

 private:
  mutable Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

// Answers each Accept with the next of `answers` (OK when they run out); nullopt stands for later,
// and the completion is kept in `later`.
class ScriptedSink : public Sink {
 public:
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn make_later) override {
    seen.push_back(delivery);
    if (on_accept) on_accept();
    std::optional<absl::Status> answer = absl::OkStatus();
    if (!answers.empty()) {
      answer = answers.front();
      answers.pop_front();
    } else if (otherwise.has_value()) {
      answer = *otherwise;
    }
    if (!answer.has_value()) later.push_back(make_later());
    return answer;
  }
  const std::string& arn_text() const override { return arn; }

  std::string arn = "arn:aws:sqs:us-east-1:000000000000:scripted";
  std::deque<std::optional<absl::Status>> answers;
  std::optional<absl::Status> otherwise;  // when `answers` ran out
  std::function<void()> on_accept;
  std::vector<Completion> later;
  std::vector<Delivery> seen;
};

inline MessageRef MakeTestMessage(Environment& env, std::string_view body) {
  const Id id = env.ids.Next();
  return MakeMessage({.id = id, .event_id = id, .accepted = env.runtime.Read(), .body = body});
}

// The equation that target.h promises.
inline void ExpectBalanced(const DeliveryStats& s) {
  EXPECT_EQ(s.matched, s.delivered + s.dead_lettered + s.dropped + s.pending);
  EXPECT_GE(s.pending, 0);
}

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_DELIVER_DELIVER_TESTING_H_
