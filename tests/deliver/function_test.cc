// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "banyan/error.h"
#include "banyan/function.h"
#include "deliver/courier.h"
#include "deliver/function_core.h"
#include "deliver_testing.h"
#include "gmock/gmock.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class FunctionTest : public ::testing::Test {
 protected:
  FunctionTest() { env_->log = &log_; }

  std::shared_ptr<FunctionCore> Make(FunctionOptions options, FunctionHandler handler) {
    return FunctionCore::Create(env_, "audit", options, std::move(handler));
  }

  std::shared_ptr<Courier> CourierTo(std::shared_ptr<FunctionCore> function, RetryPolicy retry) {
    return Courier::Create(env_, {.destination = std::move(function),
                                  .retry = retry,
                                  .source_arn = "arn:aws:sns:us-east-1:000000000000:t:s",
                                  .dead_letter = nullptr,
                                  .dead_letter_form = nullptr});
  }

  void Deliver(Courier& courier, std::string_view body) {
    Delivery delivery = {.message = MakeTestMessage(*env_, body)};
    courier.Deliver(delivery);
  }

  testing::SimulatedRuntime runtime_;
  RecordingLog log_;
  std::shared_ptr<Environment> env_ =
      std::make_shared<Environment>(runtime_, Limits::Aws(), /*id_seed=*/1);
};

TEST_F(FunctionTest, RunsOnTheRuntimeAndInOrder) {
  std::vector<std::string> seen;
  const auto function = Make({}, [&seen](const FunctionEvent& event) {
    seen.emplace_back(event.body);
    return absl::OkStatus();
  });
  const auto courier = CourierTo(function, {});
  for (const char* body : {"a", "b", "c"}) Deliver(*courier, body);
  EXPECT_THAT(seen, SizeIs(0));  // never inside the publisher's call
  EXPECT_EQ(function->Stats().pending, 3);
  EXPECT_EQ(courier->Stats().pending, 3);
  runtime_.RunUntilIdle();
  EXPECT_THAT(seen, ElementsAre("a", "b", "c"));
  EXPECT_EQ(courier->Stats().delivered, 3);
  EXPECT_EQ(function->Stats().calls, 3);
}

TEST_F(FunctionTest, TheEventSaysWhatThereIsToSay) {
  Id seen_id;
  bool right = false;
  const auto function = Make({}, [&](const FunctionEvent& event) {
    right = event.subject == "hello" && event.trace_header == "Root=1-2-3" && event.attempt == 1 &&
            event.source_arn == "arn:aws:sns:us-east-1:000000000000:t:s" &&
            event.attributes->Find("k")->value == "v" &&
            event.accepted_time == absl::FromUnixSeconds(1'767'225'600);
    seen_id = event.event_id;
    return absl::OkStatus();
  });
  const auto courier = CourierTo(function, {});
  Delivery delivery = {.message = MakeMessage({.id = {1, 2},
                                               .event_id = {3, 4},
                                               .accepted = runtime_.Read(),
                                               .trace_header = "Root=1-2-3",
                                               .subject = "hello",
                                               .attributes = {{"k", "v"}},
                                               .body = "b"})};
  courier->Deliver(delivery);
  runtime_.RunUntilIdle();
  EXPECT_TRUE(right);
  EXPECT_EQ(seen_id, (Id{3, 4}));
}

TEST_F(FunctionTest, AnErrorIsAFailedAttemptWhateverItsCode) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kInternal, absl::StatusCode::kNotFound,
        absl::StatusCode::kInvalidArgument, absl::StatusCode::kPermissionDenied}) {
    std::vector<int64_t> attempts;
    const auto function = Make({}, [&](const FunctionEvent& event) {
      attempts.push_back(event.attempt);
      return event.attempt < 3 ? absl::Status(code, "no") : absl::OkStatus();
    });
    const auto courier = CourierTo(function, {});
    Deliver(*courier, "m");
    runtime_.Advance(absl::Minutes(1));
    EXPECT_THAT(attempts, ElementsAre(1, 2, 3)) << code;
    EXPECT_EQ(courier->Stats().delivered, 1);
    EXPECT_EQ(function->Stats().failures, 2);
  }
}

#if defined(__cpp_exceptions)
TEST_F(FunctionTest, AThrowIsAFailedAttempt) {
  const auto function = Make({}, [](const FunctionEvent& event) -> absl::Status {
    if (event.attempt == 1) throw std::runtime_error("boom");
    if (event.attempt == 2) throw 42;
    return absl::OkStatus();
  });
  const auto courier = CourierTo(function, {});
  Deliver(*courier, "m");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(courier->Stats().delivered, 1);
  EXPECT_EQ(courier->Stats().failed_attempts, 2);
}

TEST_F(FunctionTest, WhatWasThrownIsInTheLogWhenTheMessageIsDropped) {
  const auto function =
      Make({}, [](const FunctionEvent&) -> absl::Status { throw std::runtime_error("boom"); });
  const auto courier = CourierTo(function, {.retries_max = 0});
  Deliver(*courier, "m");
  runtime_.RunUntilIdle();
  ASSERT_THAT(log_.lines(), SizeIs(1));
  EXPECT_THAT(log_.lines()[0], HasSubstr("boom"));
}
#endif

TEST_F(FunctionTest, BeyondItsBoundItRefusesAndTheCourierTriesAgain) {
  int calls = 0;
  const auto function = Make({.pending_max = 2}, [&calls](const FunctionEvent&) {
    ++calls;
    return absl::OkStatus();
  });
  const auto courier = CourierTo(function, {});
  for (int i = 0; i < 5; ++i) Deliver(*courier, "m");
  EXPECT_EQ(function->Stats().pending, 2);
  EXPECT_EQ(function->Stats().throttled, 3);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(courier->Stats().delivered, 5);
}

TEST_F(FunctionTest, DeletedItRefusesForGood) {
  int calls = 0;
  const auto function = Make({}, [&calls](const FunctionEvent&) {
    ++calls;
    return absl::OkStatus();
  });
  const auto courier = CourierTo(function, {});
  Deliver(*courier, "waits");
  function->Close(CloseKind::kDeleted);
  Deliver(*courier, "late");
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(courier->Stats().dropped, 2);
  EXPECT_EQ(courier->Stats().failed_attempts, 2);  // permanent: no retries
  EXPECT_EQ(Function(function).Stats().calls, 0);
}

TEST_F(FunctionTest, CloseLetsGoOfTheHandler) {
  auto token = std::make_shared<int>(1);
  const auto function = Make({}, [token](const FunctionEvent&) { return absl::OkStatus(); });
  EXPECT_EQ(token.use_count(), 2);
  function->Close(CloseKind::kStopped);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(FunctionTest, AHandlerMayDeleteItsOwnFunction) {
  std::shared_ptr<FunctionCore> function;
  bool idle = false;
  function = Make({}, [&](const FunctionEvent&) {
    function->Close(CloseKind::kDeleted);
    idle = function->AwaitIdle(absl::InfiniteDuration());  // does not wait for itself
    return absl::OkStatus();
  });
  const auto courier = CourierTo(function, {});
  Deliver(*courier, "m");
  runtime_.RunUntilIdle();
  EXPECT_TRUE(idle);
  EXPECT_EQ(courier->Stats().delivered, 1);
}

TEST_F(FunctionTest, NamesAndOptionsOutOfRangeAreRefused) {
  EXPECT_TRUE(ValidateFunctionName("a-B_9").ok());
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a.b"), std::string(65, 'a')}) {
    const absl::Status refused = ValidateFunctionName(bad);
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(FindAwsError(refused)->code, "InvalidParameterValueException");
  }
  EXPECT_TRUE(ValidateFunctionOptions({}).ok());
  for (const FunctionOptions& bad :
       {FunctionOptions{.concurrency = 0}, FunctionOptions{.concurrency = 1'001},
        FunctionOptions{.pending_max = 0}, FunctionOptions{.pending_max = 10'000'001}}) {
    EXPECT_FALSE(ValidateFunctionOptions(bad).ok());
  }
}

// Real threads: never more calls at once than allowed, each delivery called once, and AwaitIdle
// comes back only when nobody is inside.
TEST(FunctionThreadsTest, ConcurrencyIsABoundAndEachIsCalledOnce) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 4});
  const auto env = std::make_shared<Environment>(*runtime, Limits::Aws(), 1);
  std::atomic<int> inside{0}, most{0}, calls{0};
  const auto function =
      FunctionCore::Create(env, "f", {.concurrency = 2}, [&](const FunctionEvent&) {
        const int now = ++inside;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        ++calls;
        --inside;
        return absl::OkStatus();
      });
  const auto courier = Courier::Create(env, {.destination = function,
                                             .retry = {},
                                             .source_arn = "s",
                                             .dead_letter = nullptr,
                                             .dead_letter_form = nullptr});
  std::vector<std::thread> publishers;
  for (int t = 0; t < 3; ++t) {
    publishers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        Delivery delivery = {.message = MakeTestMessage(*env, "m")};
        courier->Deliver(delivery);
        ExpectBalanced(courier->Stats());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  while (courier->Stats().pending > 0) std::this_thread::yield();
  EXPECT_EQ(calls.load(), 1'500);
  EXPECT_LE(most.load(), 2);
  EXPECT_EQ(courier->Stats().delivered, 1'500);
  function->Close(CloseKind::kStopped);
  EXPECT_TRUE(function->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_EQ(inside.load(), 0);
}

// --- Called inline, by whoever delivers (F4)

TEST_F(FunctionTest, CalledInlineItCountsLikeAnyOther) {
  absl::Status answer;
  std::shared_ptr<FunctionCore> function;
  function = Make({}, [&](const FunctionEvent& event) {
    EXPECT_EQ(event.body, "m");
    EXPECT_EQ(function->Stats().running, 1);
    return answer;
  });
  const Delivery delivery = {.message = MakeTestMessage(*env_, "m")};
  EXPECT_TRUE(function->CallInline(delivery).ok());
  answer = absl::InternalError("no");
  EXPECT_FALSE(function->CallInline(delivery).ok());
  const FunctionStats stats = function->Stats();
  EXPECT_EQ(stats.calls, 2);
  EXPECT_EQ(stats.failures, 1);
  EXPECT_EQ(stats.running, 0);
}

TEST_F(FunctionTest, AHandlerCalledInlineThatDeletesItsFunctionStaysUntilItHasEnded) {
  auto token = std::make_shared<int>(1);
  std::shared_ptr<FunctionCore> function;
  int nested = 0;
  const Delivery delivery = {.message = MakeTestMessage(*env_, "m")};
  function = Make({}, [&, token](const FunctionEvent&) {
    if (++nested == 1) {
      EXPECT_TRUE(function->CallInline(delivery).ok());
      EXPECT_EQ(token.use_count(), 2);  // the test's and this one's
      EXPECT_EQ(function->CallInline(delivery).code(), absl::StatusCode::kNotFound);
      return absl::OkStatus();
    }
    function->Close(CloseKind::kDeleted);
    EXPECT_TRUE(function->AwaitIdle(absl::InfiniteDuration()));  // does not wait for itself
    EXPECT_EQ(token.use_count(), 2);
    return absl::OkStatus();
  });
  EXPECT_TRUE(function->CallInline(delivery).ok());
  EXPECT_EQ(nested, 2);
  EXPECT_EQ(token.use_count(), 1);
}

// When AwaitIdle has come back, nobody is inside and the handler is gone; what was answered OK was
// called, and nothing else was.
TEST(FunctionThreadsTest, AFunctionThatIsClosedWhileOthersCallItInline) {
#if defined(BANYAN_SANITIZER)
  constexpr int kRounds = 20;
#else
  constexpr int kRounds = 200;
#endif
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  const auto env = std::make_shared<Environment>(*runtime, Limits::Aws(), 1);
  const Delivery delivery = {.message = MakeTestMessage(*env, "m")};
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> inside{0}, calls{0}, taken{0};
    auto token = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = token;
    const auto function =
        FunctionCore::Create(env, "f", {}, [&, token = std::move(token)](const FunctionEvent&) {
          ++inside;
          EXPECT_EQ(*token, 1);
          ++calls;
          --inside;
          return absl::OkStatus();
        });
    std::vector<std::thread> callers;
    for (int t = 0; t < 3; ++t) {
      callers.emplace_back([&] {
        while (function->CallInline(delivery).ok()) ++taken;
      });
    }
    while (calls < 20) std::this_thread::yield();
    function->Close(CloseKind::kDeleted);
    EXPECT_TRUE(function->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_TRUE(watched.expired());
    EXPECT_EQ(inside, 0);
    const int called = calls;
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(calls, called);
    EXPECT_EQ(taken, called);
  }
}

}  // namespace
}  // namespace banyan::internal
