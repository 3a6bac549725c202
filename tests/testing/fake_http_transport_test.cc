// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/fake_http_transport.h"

#include <optional>

#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

class FakeHttpTransportTest : public ::testing::Test {
 protected:
  // What the next answer will be.
  std::shared_ptr<std::optional<absl::StatusOr<HttpResponse>>> Send(HttpRequest request) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<HttpResponse>>>();
    http_.Send(std::move(request),
               [answer](absl::StatusOr<HttpResponse> its) { *answer = std::move(its); });
    return answer;
  }

  SimulatedRuntime runtime_;
  FakeHttpTransport http_{runtime_};
};

TEST_F(FakeHttpTransportTest, AnswersInOrderThenTheStandingOne) {
  http_.Answer({.status = 500}, 2);
  http_.Answer({.failure = absl::UnavailableError("no route")});
  std::vector<int> statuses;
  for (int i = 0; i < 5; ++i) {
    const auto answer = Send({.url = "http://a/" + std::to_string(i)});
    EXPECT_FALSE(answer->has_value()) << "never inside the call";
    runtime_.RunUntilIdle();
    statuses.push_back((*answer)->ok() ? (**answer)->status : -1);
  }
  EXPECT_EQ(statuses, (std::vector<int>{500, 500, -1, 200, 200}));
  EXPECT_EQ(http_.requests().at(4).request.url, "http://a/4");
}

TEST_F(FakeHttpTransportTest, DelaysRunOnTheSimulatedClockAndTimeOut) {
  http_.AnswerAlways({.after = absl::Seconds(9)});
  const auto in_time = Send({.timeout = absl::Seconds(10)});
  const auto late = Send({.timeout = absl::Seconds(8)});
  runtime_.Advance(absl::Seconds(8));
  ASSERT_TRUE(late->has_value());
  EXPECT_EQ((*late)->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(in_time->has_value());
  EXPECT_EQ(http_.in_flight(), 1);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_TRUE(in_time->has_value() && (*in_time)->ok());
}

TEST_F(FakeHttpTransportTest, ARequestIsSeenWithItsHeadersAndTime) {
  runtime_.Advance(absl::Seconds(3));
  Send({.url = "http://a", .headers = {{"Content-Type", "text/plain"}}, .body = "hi"});
  const std::vector<SeenHttpRequest> seen = http_.TakeRequests();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].body(), "hi");
  EXPECT_EQ(seen[0].header("content-type"), "text/plain");
  EXPECT_EQ(seen[0].header("x-none"), "");
  EXPECT_EQ(seen[0].uptime, absl::Seconds(3));
  EXPECT_TRUE(http_.requests().empty());
}

}  // namespace
}  // namespace banyan::testing
