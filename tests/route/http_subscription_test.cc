// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 3, 5 and 6: topics that deliver to servers. The rows that are commonly got
// wrong bear their numbers.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/fake_http_transport.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::FakeHttpTransport;
using ::banyan::testing::IsOk;
using ::banyan::testing::SeenHttpRequest;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

// The text between `"Token" : "` and the next quote.
std::string TokenIn(const std::string& confirmation) {
  constexpr std::string_view kBefore = "\"Token\" : \"";
  const size_t begin = confirmation.find(kBefore) + kBefore.size();
  return confirmation.substr(begin, confirmation.find('"', begin) - begin);
}

class HttpSubscriptionTest : public ::testing::Test {
 protected:
  Subscription SubscribeConfirmed(const Topic& topic, Target target,
                                  SubscriptionOptions options = {}) {
    Subscription subscription = topic.Subscribe(std::move(target), std::move(options)).value();
    runtime_.RunUntilIdle();
    const std::string token = TokenIn(http_.TakeRequests().back().body());
    EXPECT_THAT(topic.ConfirmSubscription(token), IsOk());
    return subscription;
  }
  std::vector<SeenHttpRequest> Posted() {
    runtime_.RunUntilIdle();
    return http_.TakeRequests();
  }

  testing::SimulatedRuntime runtime_;
  FakeHttpTransport http_{runtime_};
  Broker broker_ = Broker::Create(runtime_, {.http_transport = &http_}).value();
  Topic topic_ = broker_.CreateTopic("t").value();
};

TEST_F(HttpSubscriptionTest, T35_AServerGetsTheEnvelopeAndSnsHeaders) {
  const Subscription subscription = SubscribeConfirmed(topic_, Target::Url("https://a.example/in"));
  const PublishResult published =
      topic_.Publish({.body = "hi", .subject = "S", .attributes = {{"k", "v"}}}).value();
  const std::vector<SeenHttpRequest> posted = Posted();
  ASSERT_THAT(posted, SizeIs(1));
  EXPECT_EQ(posted[0].request.method, "POST");
  EXPECT_EQ(posted[0].request.url, "https://a.example/in");
  EXPECT_EQ(posted[0].request.timeout, absl::Seconds(15));
  EXPECT_EQ(posted[0].header("x-amz-sns-message-type"), "Notification");
  EXPECT_EQ(posted[0].header("x-amz-sns-message-id"), published.message_id.ToString());
  EXPECT_EQ(posted[0].header("x-amz-sns-topic-arn"), topic_.arn().ToString());
  EXPECT_EQ(posted[0].header("x-amz-sns-subscription-arn"), subscription.arn().ToString());
  EXPECT_EQ(posted[0].header("x-amz-sns-rawdelivery"), "");
  EXPECT_EQ(posted[0].header("User-Agent"), "Amazon Simple Notification Service Agent");
  EXPECT_THAT(posted[0].body(), HasSubstr("\"Type\" : \"Notification\""));
  EXPECT_THAT(posted[0].body(), HasSubstr("\"Subject\" : \"S\""));
  EXPECT_THAT(posted[0].body(), HasSubstr("\"Message\" : \"hi\""));
  EXPECT_THAT(posted[0].body(), HasSubstr("\"k\" : {\"Type\":\"String\",\"Value\":\"v\"}"));
  EXPECT_EQ(subscription.Stats().delivery.delivered, 1);
}

TEST_F(HttpSubscriptionTest, T7_RawPostsTheBodyAloneAndNoAttributes) {
  SubscribeConfirmed(topic_, Target::Url("http://a.example"), {.raw = true});
  ASSERT_THAT(topic_.Publish({.body = "hi", .subject = "S", .attributes = {{"secret", "v"}}}),
              IsOk());
  const std::vector<SeenHttpRequest> posted = Posted();
  ASSERT_THAT(posted, SizeIs(1));
  EXPECT_EQ(posted[0].body(), "hi");
  EXPECT_EQ(posted[0].header("x-amz-sns-rawdelivery"), "true");
  for (const auto& [name, value] : posted[0].request.headers) {
    EXPECT_EQ((name + value).find("secret"), std::string::npos) << name;
  }
}

TEST_F(HttpSubscriptionTest, T9_TheContentTypeIsPlainTextUnlessAPolicySaysOtherwise) {
  SubscribeConfirmed(topic_, Target::Url("http://plain"));
  SubscribeConfirmed(
      topic_, Target::Url("http://own"),
      {.delivery_policy = R"({"requestPolicy": {"headerContentType": "application/json"}})"});
  Topic csv = broker_
                  .CreateTopic("csv", {.delivery_policy = R"({"http": {"defaultRequestPolicy":
                                        {"headerContentType": "text/csv"}}})"})
                  .value();
  SubscribeConfirmed(csv, Target::Url("http://topic"));
  ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  ASSERT_THAT(csv.Publish({.body = "x"}), IsOk());
  std::vector<std::string> types;
  for (const SeenHttpRequest& seen : Posted()) {
    types.push_back(seen.request.url + " " + seen.header("Content-Type"));
  }
  EXPECT_THAT(types, ElementsAre("http://plain text/plain; charset=UTF-8",
                                 "http://own application/json", "http://topic text/csv"));
}

TEST_F(HttpSubscriptionTest, AFilterAndAStructureWorkAsForQueues) {
  SubscribeConfirmed(topic_, Target::Url("https://a"),
                     {.filter_policy = R"({"k": ["yes"]})", .raw = true});
  SubscribeConfirmed(topic_, Target::Url("http://a"), {.raw = true});
  ASSERT_THAT(topic_.Publish({.body = R"({"default": "d", "http": "h", "https": "s"})",
                              .attributes = {{"k", "no"}},
                              .json_structure = true}),
              IsOk());
  ASSERT_THAT(topic_.Publish({.body = R"({"default": "d", "https": "s"})",
                              .attributes = {{"k", "yes"}},
                              .json_structure = true}),
              IsOk());
  std::vector<std::string> got;
  for (const SeenHttpRequest& seen : Posted()) got.push_back(seen.request.url + " " + seen.body());
  EXPECT_THAT(got, ::testing::UnorderedElementsAre("http://a h", "https://a s", "http://a d"));
}

TEST_F(HttpSubscriptionTest, ThreeRetriesTwentySecondsApartThenTheDeadLetterQueue) {
  Queue dead = broker_.CreateQueue("dead").value();
  const Subscription subscription =
      SubscribeConfirmed(topic_, Target::Url("http://a").DeadLetter(dead));
  http_.AnswerAlways({.status = 503});
  ASSERT_THAT(topic_.Publish({.body = "hi"}), IsOk());
  runtime_.Advance(absl::Hours(2));
  std::vector<absl::Duration> waits;
  const std::vector<SeenHttpRequest> posted = http_.TakeRequests();
  for (size_t i = 1; i < posted.size(); ++i) {
    waits.push_back(posted[i].uptime - posted[i - 1].uptime);
    EXPECT_EQ(posted[i].body(), posted[0].body());
  }
  EXPECT_THAT(waits, ElementsAre(absl::Seconds(20), absl::Seconds(20), absl::Seconds(20)));
  EXPECT_EQ(subscription.Stats().delivery.dead_lettered, 1);
  const std::vector<Received> letters = dead.Receive().value();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].body(), posted[0].body()) << "exactly what the server would have received";
}

TEST_F(HttpSubscriptionTest, ADeliveryPolicySaysWhenToTryAgain) {
  SubscribeConfirmed(topic_, Target::Url("http://a"),
                     {.delivery_policy = R"({"healthyRetryPolicy": {"numRetries": 6,
        "numNoDelayRetries": 1, "numMinDelayRetries": 1, "numMaxDelayRetries": 1,
        "minDelayTarget": 10, "maxDelayTarget": 50}})"});
  http_.AnswerAlways({.status = 500});
  ASSERT_THAT(topic_.Publish({.body = "hi"}), IsOk());
  runtime_.Advance(absl::Hours(2));
  const std::vector<SeenHttpRequest> posted = http_.requests();
  ASSERT_THAT(posted, SizeIs(7));
  std::vector<double> waits;
  for (size_t i = 1; i < posted.size(); ++i) {
    waits.push_back(absl::ToDoubleSeconds(posted[i].uptime - posted[i - 1].uptime));
  }
  // Exact, but in the back-off phase, which has jitter: from the least to what the function gives.
  EXPECT_THAT(waits, ElementsAre(0, 10, 10, AllOf(Ge(10), Le(30)), AllOf(Ge(10), Le(50)), 50));
}

TEST_F(HttpSubscriptionTest, WhatTheServerRejectsIsNotTriedAgainButTooManyRequestsIs) {
  const Subscription subscription = SubscribeConfirmed(topic_, Target::Url("http://a"));
  http_.Answer({.status = 404});
  ASSERT_THAT(topic_.Publish({.body = "rejected"}), IsOk());
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(http_.TakeRequests(), SizeIs(1));
  EXPECT_EQ(subscription.Stats().delivery.dropped, 1);

  http_.Answer({.status = 429});
  http_.Answer({.failure = absl::UnavailableError("reset by peer")});
  http_.Answer({.after = absl::Seconds(16)});
  ASSERT_THAT(topic_.Publish({.body = "patience"}), IsOk());
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(http_.TakeRequests(), SizeIs(4));
  EXPECT_EQ(subscription.Stats().delivery.delivered, 1);
}

TEST_F(HttpSubscriptionTest, NoMessageIsTriedForMoreThanAnHour) {
  const Subscription subscription = SubscribeConfirmed(
      topic_, Target::Url("http://a"),
      {.delivery_policy = R"({"healthyRetryPolicy": {"numRetries": 100, "minDelayTarget": 36,
                              "maxDelayTarget": 36}})"});
  http_.AnswerAlways({.after = absl::Seconds(20)});  // each attempt takes its 15 s, too
  const absl::Duration begin = runtime_.Uptime();
  ASSERT_THAT(topic_.Publish({.body = "hi"}), IsOk());
  runtime_.Advance(absl::Hours(5));
  EXPECT_LE(http_.requests().back().uptime - begin, absl::Seconds(3'600));
  EXPECT_LT(http_.requests().size(), 101u);
  EXPECT_EQ(subscription.Stats().delivery.dropped, 1);
}

TEST_F(HttpSubscriptionTest, AHangingServerDelaysNeitherThePublisherNorOthers) {
  Queue quick = broker_.CreateQueue("quick").value();
  ASSERT_THAT(topic_.Subscribe(quick), IsOk());
  const Subscription slow = SubscribeConfirmed(topic_, Target::Url("http://slow"));
  http_.AnswerAlways({.after = absl::Hours(1)});
  const absl::Duration begin = runtime_.Uptime();
  for (int i = 0; i < 300; ++i) ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  EXPECT_EQ(runtime_.Uptime(), begin);
  EXPECT_EQ(quick.Depth().visible, 300);
  runtime_.RunUntilIdle();
  EXPECT_EQ(http_.in_flight(), 100);
  EXPECT_EQ(slow.Stats().delivery.pending, 300);
}

TEST_F(HttpSubscriptionTest, BadTargetsAndOptionsAreRefused) {
  const auto refusal = [&](const Topic& topic, Target target, SubscriptionOptions options = {}) {
    const absl::Status status = topic.Subscribe(std::move(target), std::move(options)).status();
    EXPECT_EQ(CodeOf(status), "InvalidParameter");
    return TextOf(status);
  };
  for (const char* url :
       {"", "a.example", "ftp://a", "http://", "http:///path", "https://a b", "http://a\r\nx"}) {
    EXPECT_THAT(refusal(topic_, Target::Url(url)), HasSubstr("Endpoint must match")) << url;
  }
  EXPECT_THAT(refusal(topic_, Target::Url("http://a"), {.delivery_policy = "{"}),
              HasSubstr("Invalid parameter: Attributes Reason: DeliveryPolicy: failed to parse"));
  EXPECT_THAT(refusal(topic_, Target::Url("http://a").Retry({})), HasSubstr("DeliveryPolicy"));
  EXPECT_THAT(refusal(topic_, Target::Url("http://a"), {.call_inline = true}),
              HasSubstr("call_inline"));
  EXPECT_THAT(refusal(topic_, broker_.CreateQueue("q").value(), {.delivery_policy = "{}"}),
              HasSubstr("Delivery protocol [sqs] does not support a DeliveryPolicy"));
  Topic fifo = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  EXPECT_THAT(refusal(fifo, Target::Url("http://a")), HasSubstr("FIFO topics"));

  Broker deaf = Broker::Create(runtime_, {}).value();
  EXPECT_THAT(refusal(deaf.CreateTopic("t").value(), Target::Url("http://a")),
              HasSubstr("no HTTP transport"));
  EXPECT_THAT(Posted(), IsEmpty()) << "nobody was asked to confirm";
}

TEST_F(HttpSubscriptionTest, ARuleCannotDeliverToAServer) {
  EventBus bus = broker_.FindEventBus("default").value();
  const absl::Status status = bus.PutRule("r", {.pattern = R"({"source": ["a"]})",
                                                .targets = {Target::Url("http://a").Id("a")}})
                                  .status();
  EXPECT_EQ(CodeOf(status), "ValidationException");
  EXPECT_THAT(TextOf(status), HasSubstr("A rule cannot deliver to protocol http"));
}

TEST_F(HttpSubscriptionTest, TopicsWithBadPoliciesAreNotMade) {
  EXPECT_THAT(TextOf(broker_.CreateTopic("p", {.delivery_policy = R"({"htpp": {}})"}).status()),
              HasSubstr("unknown member \"htpp\""));
  EXPECT_THAT(TextOf(broker_.CreateTopic("p", {.signature_version = 3}).status()),
              HasSubstr("SignatureVersion: Invalid value [3]"));
}

TEST_F(HttpSubscriptionTest, SubscribingAgainComparesThePolicy) {
  const std::string policy = R"({"healthyRetryPolicy": {"numRetries": 1}})";
  const Subscription first =
      SubscribeConfirmed(topic_, Target::Url("http://a"), {.delivery_policy = policy});
  EXPECT_EQ(topic_.Subscribe(Target::Url("http://a")).value().arn(), first.arn());
  EXPECT_EQ(topic_.Subscribe(Target::Url("http://a"), {.delivery_policy = policy}).value().arn(),
            first.arn());
  EXPECT_THAT(TextOf(topic_.Subscribe(Target::Url("http://a"), {.delivery_policy = "{}"}).status()),
              HasSubstr("different attributes"));
  EXPECT_NE(topic_.Subscribe(Target::Url("https://a")).value().arn(), first.arn())
      << "another protocol is another endpoint";
}

TEST_F(HttpSubscriptionTest, PoliciesThatChangeHoldForTheNextFailure) {
  const Subscription subscription = SubscribeConfirmed(topic_, Target::Url("http://a"));
  http_.AnswerAlways({.status = 500});
  const auto attempts = [&] {
    EXPECT_THAT(topic_.Publish({.body = "x"}), IsOk());
    runtime_.Advance(absl::Hours(2));
    return http_.TakeRequests();
  };
  TopicOptions options = topic_.Options().value();
  options.delivery_policy = R"({"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}})";
  ASSERT_THAT(topic_.SetOptions(options), IsOk());
  EXPECT_THAT(attempts(), SizeIs(2));
  ASSERT_THAT(subscription.SetDeliveryPolicy(R"({"healthyRetryPolicy": {"numRetries": 5},
                  "requestPolicy": {"headerContentType": "text/csv"}})"),
              IsOk());
  const std::vector<SeenHttpRequest> own = attempts();
  ASSERT_THAT(own, SizeIs(6));
  EXPECT_EQ(own[0].header("Content-Type"), "text/csv");
  options.delivery_policy = R"({"http": {"disableSubscriptionOverrides": true}})";
  ASSERT_THAT(topic_.SetOptions(options), IsOk());
  EXPECT_THAT(attempts(), SizeIs(4));

  EXPECT_THAT(TextOf(subscription.SetDeliveryPolicy("{")),
              HasSubstr("Invalid parameter: DeliveryPolicy: failed to parse"));
  options.delivery_policy = "{";
  EXPECT_THAT(TextOf(topic_.SetOptions(options)), HasSubstr("DeliveryPolicy"));
  const Subscription to_queue = topic_.Subscribe(broker_.CreateQueue("q").value()).value();
  EXPECT_THAT(TextOf(to_queue.SetDeliveryPolicy("{}")), HasSubstr("Delivery protocol [sqs]"));
}

TEST_F(HttpSubscriptionTest, AStoppingBrokerWaitsForAnswersAndCountsWhatIsLeft) {
  SubscribeConfirmed(topic_, Target::Url("http://a"));
  http_.AnswerAlways({.after = absl::Seconds(5)});
  ASSERT_THAT(topic_.Publish({.body = "1"}), IsOk());
  runtime_.RunUntilIdle();
  http_.AnswerAlways({.after = absl::Seconds(12)});
  ASSERT_THAT(topic_.Publish({.body = "2"}), IsOk());
  runtime_.RunUntilIdle();
  const StopReport report = broker_.Stop(absl::Seconds(10));
  EXPECT_EQ(report.deliveries_pending, 1);
  runtime_.Advance(absl::Minutes(1));  // the late answer finds nobody, and does no harm
}

TEST_F(HttpSubscriptionTest, AnAnswerAfterTheBrokerIsGoneTouchesNothing) {
  {
    Broker broker = Broker::Create(runtime_, {.http_transport = &http_}).value();
    Topic topic = broker.CreateTopic("t").value();
    http_.AnswerAlways({.after = absl::Seconds(1)});
    ASSERT_THAT(topic.Subscribe(Target::Url("http://a")), IsOk());
    runtime_.RunUntilIdle();
  }
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(http_.in_flight(), 0);
}

TEST_F(HttpSubscriptionTest, ADeletedTopicDeadLettersWhatItsServersDidNotTake) {
  Queue dead = broker_.CreateQueue("dead").value();
  SubscribeConfirmed(topic_, Target::Url("http://a").DeadLetter(dead));
  http_.AnswerAlways({.after = absl::Seconds(5)});
  for (int i = 0; i < 150; ++i) ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_THAT(broker_.DeleteTopic("t"), IsOk());
  EXPECT_EQ(dead.Depth().visible, 50) << "those that waited; a hundred are under way";
}

}  // namespace
}  // namespace banyan::internal
