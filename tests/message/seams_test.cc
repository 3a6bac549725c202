// SPDX-License-Identifier: Apache-2.0
//
// The doors that later rooms come through must stand as they are: most of this test is that it
// compiles.
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "banyan/tap.h"
#include "gtest/gtest.h"
#include "message/journal.h"
#include "message/sink.h"

namespace banyan::internal {
namespace {

static_assert(std::is_abstract_v<Sink> && std::has_virtual_destructor_v<Sink>);
static_assert(std::is_abstract_v<Journal> && std::has_virtual_destructor_v<Journal>);
static_assert(std::is_abstract_v<Tap> && std::has_virtual_destructor_v<Tap>);
static_assert(std::is_same_v<decltype(AcceptedMessage::event_id), Id>,
              "a tap can follow an event over its hops");
static_assert(std::is_same_v<decltype(MessageParts::event_id), Id>);
static_assert(std::is_same_v<decltype(std::declval<Message>().trace_id()), std::string>,
              "every message has a trace id");

// The five changes a journal must be able to tell apart.
static_assert(Change::kAccepted != Change::kReceived && Change::kSettled != Change::kMoved &&
              Change::kExpired != Change::kAccepted);

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
