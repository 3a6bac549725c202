// SPDX-License-Identifier: Apache-2.0
//
// E-mail, text messages and push: kept for assertions, never sent.
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
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kDevice[] = "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/1234";

class CapturedTest : public ::testing::Test {
 protected:
  std::vector<CapturedNotification> TakeCaptured() {
    std::vector<CapturedNotification> taken = broker_.CapturedNotifications().notifications;
    broker_.ClearCapturedNotifications();
    return taken;
  }
  // E-mail pends until somebody clicks on the link.
  void Click(const CapturedNotification& letter) {
    const size_t token = letter.body.find("&Token=") + 7;
    EXPECT_THAT(topic_.ConfirmSubscription(letter.body.substr(token, 64)), IsOk());
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Topic topic_ = broker_.CreateTopic("t").value();
};

TEST_F(CapturedTest, TextMessagesAndPushAreConfirmedAtOnceAndShowTheText) {
  EXPECT_FALSE(topic_.Subscribe(Target::Sms("+15550100")).value().pending_confirmation());
  EXPECT_FALSE(topic_.Subscribe(Target::Application(kDevice)).value().pending_confirmation());
  runtime_.Advance(absl::Seconds(5));
  const PublishResult published = topic_.Publish({.body = "hi", .subject = "S"}).value();
  const std::vector<CapturedNotification> captured = TakeCaptured();
  ASSERT_THAT(captured, SizeIs(2));
  EXPECT_EQ(captured[0].protocol, "sms");
  EXPECT_EQ(captured[0].endpoint, "+15550100");
  EXPECT_EQ(captured[0].subject, "S");
  EXPECT_EQ(captured[0].body, "hi");
  EXPECT_EQ(captured[0].topic_arn, topic_.arn().ToString());
  EXPECT_EQ(captured[0].message_id, published.message_id);
  EXPECT_EQ(captured[0].time, runtime_.Now());
  EXPECT_EQ(captured[1].protocol, "application");
  EXPECT_EQ(captured[1].endpoint, kDevice);
  EXPECT_EQ(captured[1].body, "hi");
}

TEST_F(CapturedTest, EmailPendsAndItsConfirmationIsCaptured) {
  const Subscription plain = topic_.Subscribe(Target::Email("a@b.example")).value();
  const Subscription json = topic_.Subscribe(Target::EmailJson("a@b.example")).value();
  EXPECT_NE(plain.arn(), json.arn());
  EXPECT_TRUE(plain.pending_confirmation() && json.pending_confirmation());
  ASSERT_THAT(topic_.Publish({.body = "too early"}), IsOk());
  const std::vector<CapturedNotification> letters = TakeCaptured();
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_EQ(letters[0].protocol, "email");
  EXPECT_EQ(letters[0].subject, "AWS Notification - Subscription Confirmation");
  EXPECT_THAT(letters[0].body, HasSubstr("You have chosen to subscribe to the topic"));
  EXPECT_EQ(letters[1].protocol, "email-json");
  EXPECT_THAT(letters[1].body, HasSubstr("\"Type\" : \"SubscriptionConfirmation\""));
  for (const CapturedNotification& letter : letters) Click(letter);

  ASSERT_THAT(topic_.Publish({.body = "hi", .subject = "S"}), IsOk());
  const std::vector<CapturedNotification> captured = TakeCaptured();
  ASSERT_THAT(captured, SizeIs(2));
  EXPECT_EQ(captured[0].body, "hi");
  EXPECT_EQ(captured[0].subject, "S");
  EXPECT_THAT(captured[1].body, HasSubstr("\"Message\" : \"hi\""));
}

TEST_F(CapturedTest, AStructureHasATextForEachProtocol) {
  ASSERT_THAT(topic_.Subscribe(Target::Email("a@b.example")), IsOk());
  ASSERT_THAT(topic_.Subscribe(Target::EmailJson("a@b.example")), IsOk());
  for (const CapturedNotification& letter : TakeCaptured()) Click(letter);
  ASSERT_THAT(topic_.Subscribe(Target::Sms("+15550100")), IsOk());
  ASSERT_THAT(topic_.Subscribe(Target::Application(kDevice)), IsOk());
  ASSERT_THAT(topic_.Publish({.body = R"({"default": "d", "email": "E", "email-json": "J",
                                          "sms": "M", "application": "A", "GCM": "{}"})",
                              .json_structure = true}),
              IsOk());
  std::vector<std::string> got;
  for (const CapturedNotification& its : TakeCaptured()) {
    const bool is_json = its.protocol == "email-json";
    if (is_json) {
      EXPECT_THAT(its.body, HasSubstr("\"Message\" : \"J\""));
    }
    got.push_back(its.protocol + " " + (is_json ? "" : its.body));
  }
  EXPECT_THAT(got,
              ::testing::UnorderedElementsAre("email E", "email-json ", "sms M", "application A"));
}

TEST_F(CapturedTest, WhenItIsFullTheOldestGoesAndIsCounted) {
  Limits limits = Limits::Aws();
  limits.broker.captured_notifications_max = 2;
  Broker broker = Broker::Create(runtime_, {.limits = limits}).value();
  Topic topic = broker.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(Target::Sms("+15550100")), IsOk());
  for (const char* body : {"1", "2", "3"}) ASSERT_THAT(topic.Publish({.body = body}), IsOk());
  const CapturedNotificationList list = broker.CapturedNotifications();
  EXPECT_EQ(list.dropped, 1);
  ASSERT_THAT(list.notifications, SizeIs(2));
  EXPECT_EQ(list.notifications[0].body, "2");
  broker.ClearCapturedNotifications();
  EXPECT_EQ(broker.CapturedNotifications().dropped, 0);
  EXPECT_THAT(broker.CapturedNotifications().notifications, IsEmpty());
}

TEST_F(CapturedTest, AddressesThatAreNoneAreRefused) {
  const auto refusal = [&](Target target, SubscriptionOptions options = {}) {
    const absl::Status status = topic_.Subscribe(std::move(target), std::move(options)).status();
    EXPECT_EQ(CodeOf(status), "InvalidParameter");
    return TextOf(status);
  };
  for (const char* bad : {"", "a", "@b", "a@", "a b@c", "a@b@c"}) {
    EXPECT_THAT(refusal(Target::Email(bad)), HasSubstr("Invalid parameter: Email address")) << bad;
  }
  for (const char* bad : {"", "+", "12", "call me", "+1234567890123456"}) {
    EXPECT_THAT(refusal(Target::Sms(bad)), HasSubstr("Invalid SMS endpoint")) << bad;
  }
  for (const char* bad : {"", "phone", "arn:aws:sqs:us-east-1:000000000000:endpoint/x"}) {
    EXPECT_THAT(refusal(Target::Application(bad)), HasSubstr("ApplicationEndpoint arn invalid"))
        << bad;
  }
  EXPECT_THAT(refusal(Target::Sms("+15550100"), {.raw = true}),
              HasSubstr("Delivery protocol [sms] does not support raw message delivery."));
  EXPECT_THAT(TakeCaptured(), IsEmpty());
}

TEST_F(CapturedTest, AFifoTopicRefusesAllOfThem) {
  Topic fifo = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  for (const Target& target : {Target::Email("a@b.example"), Target::EmailJson("a@b.example"),
                               Target::Sms("+15550100"), Target::Application(kDevice)}) {
    EXPECT_EQ(CodeOf(fifo.Subscribe(target).status()), "InvalidParameter");
  }
}

TEST_F(CapturedTest, AResetForgetsThem) {
  ASSERT_THAT(topic_.Subscribe(Target::Sms("+15550100")), IsOk());
  ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  broker_.Reset();
  EXPECT_THAT(broker_.CapturedNotifications().notifications, IsEmpty());
}

TEST_F(CapturedTest, TheyCanBeReadWhenTheBrokerHasStopped) {
  ASSERT_THAT(topic_.Subscribe(Target::Sms("+15550100")), IsOk());
  ASSERT_THAT(topic_.Publish({.body = "x"}), IsOk());
  broker_.Stop(absl::ZeroDuration());
  EXPECT_THAT(broker_.CapturedNotifications().notifications, SizeIs(1));
}

}  // namespace
}  // namespace banyan::internal
