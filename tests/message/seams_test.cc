// SPDX-License-Identifier: Apache-2.0
//
// The doors that later rooms come through must stand as they are: most of this test is that it
// compiles. The doors of the stores are in tests/storage.
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "banyan/log.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/tap.h"
#include "gtest/gtest.h"
#include "message/journal.h"
#include "message/sink.h"

namespace banyan::internal {
namespace {

// Each class overrides everything its interface has, with `override` to the letter, so that a
// changed signature stops the build. Sink's are NowSink and LaterSink, further down.
class SeamJournal final : public Journal {
 public:
  void Append(const ChangeRecord& record) override { last = record.change; }

  Change last = Change::kAccepted;
};

class SeamTap final : public Tap {
 public:
  TapVerdict Accepted(const AcceptedMessage& message) override {
    return message.sequence == 1 ? TapVerdict::kTakeOver : TapVerdict::kDeliver;
  }
};

class SeamLogSink final : public LogSink {
 public:
  void Write(const LogRecord& record) override { last = record.severity; }

  LogSeverity last = LogSeverity::kInfo;
};

class SeamRuntime final : public Runtime {
 public:
  Instant Read() override { return {}; }
  uint64_t Random() override { return 0; }
  void Post(Task) override {}
  TimerId PostAt(absl::Duration, Task) override { return TimerId::kNone; }
  bool Cancel(TimerId) override { return false; }
  bool Await([[maybe_unused]] Mutex& mu, WaitList&, absl::FunctionRef<bool()> ready, absl::Duration,
             std::stop_token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) override {
    return ready();
  }
};

static_assert(std::is_same_v<decltype(AcceptedMessage::event_id), Id>,
              "a tap can follow an event over its hops");
static_assert(std::is_same_v<decltype(MessageParts::event_id), Id>);
static_assert(std::is_same_v<decltype(std::declval<const Message&>().trace_id()), std::string>,
              "every message has a trace id");

// To make one is to prove that nothing was left pure.
TEST(SeamsTest, EveryInterfaceCanBeImplementedFromOutside) {
  SeamJournal journal;
  journal.Append({.change = Change::kMoved,
                  .resource = "arn:aws:sqs:::a",
                  .message_id = Id(),
                  .message = nullptr,
                  .at = Instant(),
                  .destination = "arn:aws:sqs:::b"});
  EXPECT_EQ(journal.last, Change::kMoved);

  SeamTap tap;
  AcceptedMessage message;
  message.sequence = 1;
  EXPECT_EQ(tap.Accepted(message), TapVerdict::kTakeOver);

  SeamLogSink log;
  log.Write({.severity = LogSeverity::kError, .resource = "", .text = "lost"});
  EXPECT_EQ(log.last, LogSeverity::kError);

  SeamRuntime runtime;
  EXPECT_EQ(runtime.Uptime(), absl::ZeroDuration());
}

Delivery SomeDelivery() {
  MessageParts parts;
  parts.body = "b";
  return {MakeMessage(std::move(parts)), nullptr};
}

class NowSink final : public Sink {
 public:
  std::optional<absl::Status> Accept(const Delivery&, LaterFn) override {
    return absl::ResourceExhaustedError("full");
  }
  const std::string& arn_text() const override { return arn_; }

 private:
  std::string arn_ = "arn:aws:sqs:::now";
};

class LaterSink final : public Sink {
 public:
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override {
    waiting.emplace_back(delivery, later());
    return std::nullopt;
  }
  const std::string& arn_text() const override { return arn_; }

  std::vector<std::pair<Delivery, Completion>> waiting;

 private:
  std::string arn_ = "arn:aws:sqs:::later";
};

TEST(SinkTest, ASinkThatAnswersNowNeverMakesACompletion) {
  NowSink sink;
  int made = 0;
  const auto answer = sink.Accept(SomeDelivery(), [&made]() -> Completion {
    ++made;
    return [](const absl::Status&) {};
  });
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(made, 0);
}

TEST(SinkTest, ASinkMayAnswerLater) {
  LaterSink sink;
  std::optional<absl::Status> outcome;
  const auto answer = sink.Accept(SomeDelivery(), [&outcome]() -> Completion {
    return [&outcome](absl::Status status) { outcome = std::move(status); };
  });
  EXPECT_FALSE(answer.has_value());
  EXPECT_FALSE(outcome.has_value());
  std::move(sink.waiting[0].second)(absl::OkStatus());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->ok());
}

TEST(SinkTest, OnlyWhatAnotherAttemptCannotMendIsPermanent) {
  EXPECT_TRUE(IsPermanent(absl::NotFoundError("deleted")));
  EXPECT_TRUE(IsPermanent(absl::InvalidArgumentError("too long")));
  EXPECT_TRUE(IsPermanent(absl::PermissionDeniedError("no")));
  EXPECT_FALSE(IsPermanent(absl::ResourceExhaustedError("full")));
  EXPECT_FALSE(IsPermanent(absl::UnavailableError("later")));
  EXPECT_FALSE(IsPermanent(absl::UnknownError("the handler threw")));
  EXPECT_FALSE(IsPermanent(absl::DeadlineExceededError("slow")));
}

}  // namespace
}  // namespace banyan::internal
