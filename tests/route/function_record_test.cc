// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 3, "Lambda": the event that a function would get from SNS.
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class FunctionRecordTest : public ::testing::Test {
 protected:
  Function MakeFunction(Broker& broker) {
    return broker
        .CreateFunction("f", {},
                        [this](const FunctionEvent& event) {
                          bodies_.emplace_back(event.body);
                          events_.push_back(event.LambdaEvent());
                          return absl::OkStatus();
                        })
        .value();
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  std::vector<std::string> bodies_, events_;
};

TEST_F(FunctionRecordTest, T8_OneRecordInLambdasShapeWithNullSubjectAndVersionOne) {
  Topic topic = broker_.CreateTopic("t", {.signature_version = 2}).value();
  const Subscription subscription = topic.Subscribe(MakeFunction(broker_)).value();
  const PublishResult published = topic.Publish({.body = "say \"hi\""}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(bodies_, ElementsAre("say \"hi\"")) << "the body is the message, as ever";
  EXPECT_THAT(
      events_,
      ElementsAre("{\"Records\":[{\"EventSource\":\"aws:sns\",\"EventVersion\":\"1.0\","
                  "\"EventSubscriptionArn\":\"" +
                  subscription.arn().ToString() +
                  "\",\"Sns\":{\"Type\":\"Notification\",\"MessageId\":\"" +
                  published.message_id.ToString() + "\",\"TopicArn\":\"" + topic.arn().ToString() +
                  "\",\"Subject\":null,\"Message\":\"say \\\"hi\\\"\","
                  "\"Timestamp\":\"2026-01-01T00:00:00.000Z\",\"SignatureVersion\":\"1\","
                  "\"Signature\":\"\",\"SigningCertUrl\":\"\",\"UnsubscribeUrl\":\"\","
                  "\"MessageAttributes\":{}}}]}"));
}

TEST_F(FunctionRecordTest, T34_SubjectAttributesAndUrlsStandThereWhereTheyAreGiven) {
  Broker broker =
      Broker::Create(runtime_, {.endpoint_url = "http://localhost:1",
                                .notification_signer = NotificationSigner::Generate().value()})
          .value();
  Topic topic = broker.CreateTopic("t").value();
  const Subscription subscription =
      topic.Subscribe(MakeFunction(broker), {.call_inline = true}).value();
  ASSERT_THAT(topic.Publish({.body = "x",
                             .subject = "S",
                             .attributes = {{"b", AttributeValue::Binary("\x02\x03\x04")},
                                            {"n", AttributeValue::Number("1.50")}}}),
              IsOk());
  ASSERT_THAT(events_, SizeIs(1));
  EXPECT_THAT(events_[0], HasSubstr("\"Subject\":\"S\""));
  EXPECT_THAT(events_[0],
              HasSubstr("\"MessageAttributes\":{\"b\":{\"Type\":\"Binary\",\"Value\":\"AgME\"},"
                        "\"n\":{\"Type\":\"Number\",\"Value\":\"1.50\"}}"));
  EXPECT_THAT(events_[0],
              HasSubstr("\"SigningCertUrl\":\"http://localhost:1/SimpleNotificationService-"));
  EXPECT_THAT(events_[0], HasSubstr("\"UnsubscribeUrl\":\"http://localhost:1/?Action=Unsubscribe&"
                                    "SubscriptionArn=" +
                                    subscription.arn().ToString() + "\""));
  EXPECT_THAT(events_[0], Not(HasSubstr("\"Signature\":\"\"")));
  EXPECT_THAT(events_[0], Not(HasSubstr("URL"))) << "Lambda's casing is another one";
}

TEST_F(FunctionRecordTest, OfABusItIsTheEventItself) {
  EventBus bus = broker_.FindEventBus("default").value();
  ASSERT_THAT(bus.PutRule("r", {.pattern = R"({"source": ["a"]})",
                                .targets = {Target(MakeFunction(broker_))}}),
              IsOk());
  ASSERT_THAT(bus.Put({.source = "a", .detail_type = "t", .detail = R"({"x": 1})"}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_THAT(events_, SizeIs(1));
  EXPECT_EQ(events_[0], bodies_[0]);
  EXPECT_THAT(events_[0], HasSubstr("\"detail-type\""));
}

TEST_F(FunctionRecordTest, TheDeadLetterOfAFunctionIsStillTheEnvelope) {
  Topic topic = broker_.CreateTopic("t").value();
  Queue dead = broker_.CreateQueue("dead").value();
  Function fails =
      broker_.CreateFunction("g", {}, [](const FunctionEvent&) { return absl::UnknownError("no"); })
          .value();
  ASSERT_THAT(topic.Subscribe(Target(fails).Retry({.retries_max = 0}).DeadLetter(dead)), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(std::string(dead.Receive().value().at(0).body()),
              HasSubstr("\"Type\" : \"Notification\""));
}

}  // namespace
}  // namespace banyan::internal
