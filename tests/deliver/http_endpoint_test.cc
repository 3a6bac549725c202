// SPDX-License-Identifier: Apache-2.0
//
// A server as a destination: which answers are final, how many requests are under way, and what a
// broker that stops leaves behind.
#include "deliver/http_endpoint.h"

#include <memory>
#include <string>
#include <vector>

#include "banyan/testing/fake_http_transport.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/environment.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HttpEndpointTest : public ::testing::Test {
 protected:
  HttpEndpointTest() { env_->http_transport = &http_; }

  std::shared_ptr<HttpEndpoint> Make(int64_t in_flight_max, int64_t waiting_max) {
    return HttpEndpoint::Create(env_, {.name = "http://a",
                                       .make_request =
                                           [](const Delivery& delivery) {
                                             return HttpRequest{.url = "http://a",
                                                                .body = delivery.Body()};
                                           },
                                       .in_flight_max = in_flight_max,
                                       .waiting_max = waiting_max});
  }

  // What it answers at once; later answers go to `answers_`.
  std::optional<absl::Status> Give(HttpEndpoint& endpoint, std::string body = "x") {
    return endpoint.Accept({.message = MakeMessage({.body = Payload(body)})}, [this]() {
      return Completion([this](absl::Status status) { answers_.push_back(status); });
    });
  }

  absl::Status AnswerTo(testing::FakeHttpAnswer answer) {
    http_.Answer(std::move(answer));
    const auto endpoint = Make(1, 1);
    EXPECT_FALSE(Give(*endpoint).has_value());
    runtime_.Advance(absl::Minutes(1));
    EXPECT_EQ(answers_.size(), 1u);
    const absl::Status status = answers_.at(0);
    answers_.clear();
    return status;
  }

  testing::SimulatedRuntime runtime_;
  testing::FakeHttpTransport http_{runtime_};
  const std::shared_ptr<Environment> env_ =
      std::make_shared<Environment>(runtime_, Limits::Aws(), /*id_seed=*/7);
  std::vector<absl::Status> answers_;
};

TEST_F(HttpEndpointTest, TheSuccessesAreTwoHundredAndSomething) {
  for (const int status : {200, 201, 204, 299}) EXPECT_TRUE(AnswerTo({.status = status}).ok());
}

TEST_F(HttpEndpointTest, FourHundredsButTooManyRequestsAreFinal) {
  for (const int status : {400, 401, 403, 404, 408, 410, 499}) {
    const absl::Status answer = AnswerTo({.status = status});
    EXPECT_TRUE(!answer.ok() && IsPermanent(answer)) << status;
    EXPECT_THAT(std::string(answer.message()), HasSubstr(std::to_string(status)));
  }
}

TEST_F(HttpEndpointTest, EverythingElseIsTriedAgain) {
  for (const int status : {100, 301, 302, 307, 429, 500, 502, 503, 599}) {
    const absl::Status answer = AnswerTo({.status = status});
    EXPECT_TRUE(!answer.ok() && !IsPermanent(answer)) << status;
  }
  const absl::Status late = AnswerTo({.after = absl::Seconds(15)});
  EXPECT_TRUE(!late.ok() && !IsPermanent(late));
  for (const absl::StatusCode code :
       {absl::StatusCode::kUnavailable, absl::StatusCode::kInvalidArgument,
        absl::StatusCode::kNotFound}) {
    const absl::Status none = AnswerTo({.failure = absl::Status(code, "no answer")});
    EXPECT_TRUE(!none.ok() && !IsPermanent(none)) << "whatever the transport calls it";
  }
}

TEST_F(HttpEndpointTest, RequestsUnderWayAndWaitingAreBoundedAndRefusalsCounted) {
  http_.AnswerAlways({.after = absl::Seconds(1)});
  const auto endpoint = Make(2, 3);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(Give(*endpoint).has_value());
  runtime_.RunUntilIdle();
  EXPECT_EQ(http_.in_flight(), 2);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Give(*endpoint).has_value());
  const std::optional<absl::Status> refused = Give(*endpoint);
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(!refused->ok() && !IsPermanent(*refused));
  EXPECT_EQ(endpoint->throttled(), 1);
  runtime_.RunUntilIdle();
  EXPECT_EQ(http_.in_flight(), 2) << "no more than that";

  runtime_.Advance(absl::Seconds(3));
  EXPECT_EQ(answers_.size(), 5u) << "each that was taken is answered once";
  EXPECT_FALSE(Give(*endpoint).has_value()) << "there is room again";
}

TEST_F(HttpEndpointTest, RequestsGoOutInTheOrderTheyCame) {
  http_.AnswerAlways({.after = absl::Seconds(1)});
  const auto endpoint = Make(1, 10);
  for (const char* body : {"a", "b", "c"}) Give(*endpoint, body);
  runtime_.Advance(absl::Seconds(5));
  std::vector<std::string> bodies;
  for (const auto& seen : http_.requests()) bodies.push_back(seen.body());
  EXPECT_THAT(bodies, ElementsAre("a", "b", "c"));
}

TEST_F(HttpEndpointTest, ClosedByADeletionItRefusesWhatWaits) {
  http_.AnswerAlways({.after = absl::Seconds(1)});
  const auto endpoint = Make(1, 10);
  Give(*endpoint);
  runtime_.RunUntilIdle();
  Give(*endpoint);
  endpoint->Close(CloseKind::kDeleted);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(IsPermanent(answers_[0]));
  runtime_.Advance(absl::Seconds(2));
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_TRUE(answers_[1].ok()) << "what was under way is answered";
  const std::optional<absl::Status> refused = Give(*endpoint);
  EXPECT_TRUE(refused.has_value() && !refused->ok());
}

TEST_F(HttpEndpointTest, AnAnswerAfterTheBrokerStoppedReachesNobody) {
  http_.AnswerAlways({.after = absl::Seconds(1)});
  auto endpoint = Make(1, 10);
  Give(*endpoint);
  runtime_.RunUntilIdle();
  Give(*endpoint);
  env_->gate.Close();
  env_->tasks.Close();
  endpoint->Close(CloseKind::kStopped);
  const std::weak_ptr<HttpEndpoint> watch = endpoint;
  endpoint.reset();
  runtime_.Advance(absl::Seconds(2));
  EXPECT_TRUE(answers_.empty());
  EXPECT_TRUE(watch.expired()) << "nothing holds it any more";
}

}  // namespace
}  // namespace banyan::internal
