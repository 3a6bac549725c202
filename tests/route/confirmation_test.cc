// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 3, 5 and 8: the handshake by which servers and e-mail addresses agree.
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/fake_http_transport.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route/confirmations.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::FakeHttpTransport;
using ::banyan::testing::IsOk;
using ::banyan::testing::SeenHttpRequest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The value of a member of a text laid out as SNS does it; no escapes.
std::string MemberOf(const std::string& json, const std::string& name) {
  const std::string before = "\"" + name + "\" : \"";
  const size_t begin = json.find(before);
  if (begin == json.npos) return "(none)";
  const size_t value = begin + before.size();
  return json.substr(value, json.find('"', value) - value);
}

class ConfirmationTest : public ::testing::Test {
 protected:
  std::vector<SeenHttpRequest> Posted() {
    runtime_.RunUntilIdle();
    return http_.TakeRequests();
  }
  std::string PostedToken() { return MemberOf(Posted().at(0).body(), "Token"); }

  testing::SimulatedRuntime runtime_;
  FakeHttpTransport http_{runtime_};
  Broker broker_ = Broker::Create(runtime_, {.http_transport = &http_}).value();
  Topic topic_ = broker_.CreateTopic("t").value();
};

TEST_F(ConfirmationTest, T36_TheServerIsAskedAndGetsNothingUntilItAgrees) {
  const Subscription subscription = topic_.Subscribe(Target::Url("http://a")).value();
  EXPECT_TRUE(subscription.pending_confirmation());
  EXPECT_EQ(topic_.Stats().pending_confirmation, 1);
  const std::vector<SeenHttpRequest> asked = Posted();
  ASSERT_THAT(asked, SizeIs(1));
  const std::string body = asked[0].body();
  const std::string token = MemberOf(body, "Token");
  const std::string arn = topic_.arn().ToString();
  EXPECT_EQ(body,
            "{\n  \"Type\" : \"SubscriptionConfirmation\",\n  \"MessageId\" : \"" +
                asked[0].header("x-amz-sns-message-id") + "\",\n  \"Token\" : \"" + token +
                "\",\n  \"TopicArn\" : \"" + arn +
                "\",\n  \"Message\" : \"You have chosen to subscribe to the topic " + arn +
                ".\\nTo confirm the subscription, visit the SubscribeURL included in this "
                "message.\",\n  \"SubscribeURL\" : "
                "\"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" +
                arn + "&Token=" + token +
                "\",\n  \"Timestamp\" : \"2026-01-01T00:00:00.000Z\",\n  "
                "\"SignatureVersion\" : \"1\",\n  \"Signature\" : \"\",\n  "
                "\"SigningCertURL\" : \"\"\n}");
  EXPECT_EQ(asked[0].header("x-amz-sns-message-type"), "SubscriptionConfirmation");
  EXPECT_EQ(asked[0].header("x-amz-sns-topic-arn"), arn);
  EXPECT_EQ(asked[0].header("x-amz-sns-subscription-arn"), "");

  ASSERT_THAT(topic_.Publish({.body = "too early"}), IsOk());
  EXPECT_THAT(Posted(), IsEmpty());
  EXPECT_EQ(topic_.ConfirmSubscription(token).value().arn(), subscription.arn());
  EXPECT_FALSE(subscription.pending_confirmation());
  EXPECT_EQ(topic_.Stats().pending_confirmation, 0);
  ASSERT_THAT(topic_.Publish({.body = "now"}), IsOk());
  EXPECT_THAT(Posted(), SizeIs(1));
  EXPECT_EQ(subscription.Stats().delivery.matched, 1) << "the books count messages only";
  EXPECT_EQ(subscription.Stats().filtered, 0) << "what came too early was not filtered";
}

TEST_F(ConfirmationTest, ConfirmingTwiceIsConfirmingOnce) {
  const Subscription subscription = topic_.Subscribe(Target::Url("http://a")).value();
  const std::string token = PostedToken();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(topic_.ConfirmSubscription(token).value().arn(), subscription.arn());
  }
  ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  EXPECT_THAT(Posted(), SizeIs(1));
}

TEST_F(ConfirmationTest, AFilterSetWhileItIsPendingHoldsOnceItIsConfirmed) {
  const Subscription subscription = topic_.Subscribe(Target::Url("http://a")).value();
  const std::string token = PostedToken();
  ASSERT_THAT(
      subscription.SetFilterPolicy(R"({"k": ["v"]})", FilterPolicyScope::kMessageAttributes),
      IsOk());
  ASSERT_THAT(topic_.Publish({.body = "x", .attributes = {{"k", "v"}}}), IsOk());
  EXPECT_THAT(Posted(), IsEmpty()) << "a changed filter confirms nothing";
  ASSERT_THAT(topic_.ConfirmSubscription(token), IsOk());
  ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  EXPECT_THAT(Posted(), IsEmpty());
  ASSERT_THAT(topic_.Publish({.body = "x", .attributes = {{"k", "v"}}}), IsOk());
  EXPECT_THAT(Posted(), SizeIs(1));
}

TEST_F(ConfirmationTest, BadTokensAreRefusedInSnsWords) {
  ASSERT_THAT(topic_.Subscribe(Target::Url("http://a")), IsOk());
  const std::string token = PostedToken();
  for (const std::string& bad :
       {std::string(), std::string("abc"), token + "0", std::string(64, 'G')}) {
    const absl::Status status = topic_.ConfirmSubscription(bad).status();
    EXPECT_EQ(CodeOf(status), "InvalidParameter");
    EXPECT_EQ(TextOf(status), "Invalid token");
  }
  EXPECT_EQ(TextOf(topic_.ConfirmSubscription(std::string(64, '0')).status()),
            "Invalid parameter: Token");
  Topic other = broker_.CreateTopic("other").value();
  EXPECT_EQ(TextOf(other.ConfirmSubscription(token).status()), "Invalid parameter: Token");
  EXPECT_EQ(CodeOf(Topic().ConfirmSubscription(token).status()), "NotFound");
}

TEST_F(ConfirmationTest, ATokenIsValidForTwoDaysAndSubscribingAgainSendsANewOne) {
  const Subscription subscription = topic_.Subscribe(Target::Url("http://a")).value();
  const std::string first = PostedToken();
  ASSERT_THAT(topic_.Subscribe(Target::Url("http://a")), IsOk());
  EXPECT_EQ(PostedToken(), first) << "the letter again";

  runtime_.Advance(absl::Hours(48));
  EXPECT_EQ(TextOf(topic_.ConfirmSubscription(first).status()), "Invalid parameter: Token");
  EXPECT_TRUE(subscription.pending_confirmation());
  EXPECT_EQ(topic_.Subscribe(Target::Url("http://a")).value().arn(), subscription.arn());
  const std::string second = PostedToken();
  EXPECT_NE(second, first);
  runtime_.Advance(absl::Hours(48) - absl::Nanoseconds(1));
  EXPECT_THAT(topic_.ConfirmSubscription(second), IsOk());
  ASSERT_THAT(topic_.Subscribe(Target::Url("http://a")), IsOk());
  EXPECT_THAT(Posted(), IsEmpty()) << "it has agreed";
}

TEST_F(ConfirmationTest, AServerThatDoesNotAnswerIsAskedAgain) {
  http_.Answer({.status = 500}, 2);
  ASSERT_THAT(topic_.Subscribe(Target::Url("http://a")), IsOk());
  runtime_.Advance(absl::Minutes(5));
  const std::vector<SeenHttpRequest> asked = http_.TakeRequests();
  ASSERT_THAT(asked, SizeIs(3));
  EXPECT_EQ(asked[0].body(), asked[2].body());
}

TEST_F(ConfirmationTest, AConfirmedServerIsToldThatItWasUnsubscribed) {
  const Subscription subscription = topic_.Subscribe(Target::Url("http://a")).value();
  const std::string token = PostedToken();
  ASSERT_THAT(topic_.ConfirmSubscription(token), IsOk());
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  const std::vector<SeenHttpRequest> told = Posted();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].header("x-amz-sns-message-type"), "UnsubscribeConfirmation");
  EXPECT_EQ(MemberOf(told[0].body(), "Type"), "UnsubscribeConfirmation");
  EXPECT_THAT(told[0].body(), HasSubstr("You have chosen to deactivate subscription " +
                                        subscription.arn().ToString()));
  EXPECT_EQ(MemberOf(told[0].body(), "Token").size(), 64u);
  EXPECT_EQ(TextOf(topic_.ConfirmSubscription(token).status()), "Invalid parameter: Token");
}

TEST_F(ConfirmationTest, ItsTokenRestoresTheSubscriptionAsItWas) {
  const Subscription first =
      topic_.Subscribe(Target::Url("http://a"), {.filter_policy = R"({"k": ["v"]})", .raw = true})
          .value();
  ASSERT_THAT(topic_.ConfirmSubscription(PostedToken()), IsOk());
  ASSERT_THAT(first.Unsubscribe(), IsOk());
  const std::string token = PostedToken();
  ASSERT_THAT(topic_.Publish({.body = "missed", .attributes = {{"k", "v"}}}), IsOk());
  const Subscription second = topic_.ConfirmSubscription(token).value();
  EXPECT_NE(second.arn(), first.arn());
  EXPECT_FALSE(second.pending_confirmation());
  EXPECT_EQ(topic_.ConfirmSubscription(token).value().arn(), second.arn()) << "twice is once";
  ASSERT_THAT(topic_.Publish({.body = "filtered"}), IsOk());
  ASSERT_THAT(topic_.Publish({.body = "raw", .attributes = {{"k", "v"}}}), IsOk());
  const std::vector<SeenHttpRequest> posted = Posted();
  ASSERT_THAT(posted, SizeIs(1)) << "and nobody was asked again";
  EXPECT_EQ(posted[0].body(), "raw");

  ASSERT_THAT(second.Unsubscribe(), IsOk());
  const std::string late = PostedToken();
  runtime_.Advance(absl::Hours(48));
  EXPECT_EQ(TextOf(topic_.ConfirmSubscription(late).status()), "Invalid parameter: Token");
}

TEST_F(ConfirmationTest, OneThatNeverAgreedIsNotTold) {
  const Subscription subscription = topic_.Subscribe(Target::Url("http://a")).value();
  Posted();
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  EXPECT_THAT(Posted(), IsEmpty());
}

TEST_F(ConfirmationTest, UrlsPointToTheBrokersEndpoint) {
  Broker broker =
      Broker::Create(runtime_, {.http_transport = &http_, .endpoint_url = "http://localhost:4566/"})
          .value();
  Topic topic = broker.CreateTopic("t").value();
  Queue queue = broker.CreateQueue("q").value();
  const Subscription to_queue = topic.Subscribe(queue).value();
  const Subscription to_server = topic.Subscribe(Target::Url("http://a")).value();
  const std::string asked = Posted().at(0).body();
  EXPECT_THAT(MemberOf(asked, "SubscribeURL"),
              HasSubstr("http://localhost:4566/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:"));
  ASSERT_THAT(topic.ConfirmSubscription(MemberOf(asked, "Token")), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  const std::string unsubscribe = "http://localhost:4566/?Action=Unsubscribe&SubscriptionArn=";
  EXPECT_EQ(MemberOf(Posted().at(0).body(), "UnsubscribeURL"),
            unsubscribe + to_server.arn().ToString());
  EXPECT_EQ(MemberOf(std::string(queue.Receive().value().at(0).body()), "UnsubscribeURL"),
            unsubscribe + to_queue.arn().ToString());
}

TEST_F(ConfirmationTest, AnEndpointUrlThatIsNoneIsRefused) {
  for (const char* bad : {"localhost:4566", "http://a b", "http://a/?x", "ftp://a"}) {
    EXPECT_EQ(Broker::Create(runtime_, {.endpoint_url = bad}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
  }
}

TEST_F(ConfirmationTest, TheDeletedTopicKnowsNoToken) {
  ASSERT_THAT(topic_.Subscribe(Target::Url("http://a")), IsOk());
  const std::string token = PostedToken();
  ASSERT_THAT(broker_.DeleteTopic("t"), IsOk());
  EXPECT_EQ(CodeOf(topic_.ConfirmSubscription(token).status()), "NotFound");
}

TEST_F(ConfirmationTest, ExplainSaysWhyAPendingOneGetsNothing) {
  ASSERT_THAT(topic_.Subscribe(Target::Url("http://a")), IsOk());
  const auto explained = topic_.Explain({.body = "x"}).value();
  ASSERT_THAT(explained, SizeIs(1));
  EXPECT_FALSE(explained[0].verdict.matched);
  EXPECT_THAT(explained[0].verdict.sentence, HasSubstr("waits to be confirmed"));
}

// Many threads subscribe, confirm, publish and unsubscribe the same server: what each call answers
// fits, and in the end the books balance.
TEST_F(ConfirmationTest, ThreadsThatConfirmAndUnsubscribeAtOnceDoNoHarm) {
  const auto runtime = NewThreadedRuntime({.threads = 2});
  FakeHttpTransport http(*runtime);
  Broker broker = Broker::Create(*runtime, {.http_transport = &http}).value();
  Topic topic = broker.CreateTopic("t").value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const Subscription subscription = topic.Subscribe(Target::Url("http://a")).value();
        for (const SeenHttpRequest& seen : http.requests()) {
          if (seen.header("x-amz-sns-message-type") != "SubscriptionConfirmation") continue;
          const absl::Status status =
              topic.ConfirmSubscription(MemberOf(seen.body(), "Token")).status();
          EXPECT_TRUE(status.ok() || TextOf(status) == "Invalid parameter: Token") << status;
        }
        EXPECT_TRUE(topic.Publish({.body = "x"}).ok());
        EXPECT_TRUE(subscription.Unsubscribe().ok());
        if (i % 50 == 0) http.TakeRequests();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(broker.Stop(absl::Minutes(1)).drained());
}

}  // namespace
}  // namespace banyan::internal
