// SPDX-License-Identifier: Apache-2.0
#include "banyan/envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::IsOkAndHolds;
using ::banyan::testing::StatusIs;
using ::testing::HasSubstr;

class EnvelopeTest : public ::testing::Test {
 protected:
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Queue inbox_ = broker_.CreateQueue("inbox").value();

  std::string ReceivedBody() {
    const std::vector<Received> batch = inbox_.Receive().value();
    return batch.empty() ? "" : std::string(batch[0].body());
  }
};

TEST_F(EnvelopeTest, OfANotificationIsWhatWasPublished) {
  const Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(inbox_), IsOk());
  const std::string published = "{\"a\": \"\\\"\u00e9\\n\"}\n\ttail";
  ASSERT_THAT(topic.Publish({.body = published}), IsOk());
  const std::string body = ReceivedBody();
  ASSERT_NE(body, published);
  EXPECT_THAT(UnwrapNotification(body), IsOkAndHolds(published));
}

TEST_F(EnvelopeTest, OfAnEventIsItsDetailTypeAndSource) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  ASSERT_THAT(
      bus.PutRule("all", {.pattern = R"({"account": [{"exists": true}]})", .targets = {inbox_}}),
      IsOk());
  ASSERT_THAT(bus.Put({.source = "shop.\"orders\"",
                       .detail_type = "Order Placed",
                       .detail = R"({"id": "o-1", "in": {"detail": {}}})"}),
              IsOk());
  const std::string body = ReceivedBody();
  const absl::StatusOr<UnwrappedEvent> event = UnwrapEvent(body);
  ASSERT_THAT(event, IsOk());
  EXPECT_EQ(event->source, "shop.\"orders\"");
  EXPECT_EQ(event->detail_type, "Order Placed");
  EXPECT_EQ(event->detail, R"({"id":"o-1","in":{"detail":{}}})");
}

TEST(EnvelopeErrors, AnEventWithoutAMemberIsRefusedByTheMembersName) {
  EXPECT_THAT(UnwrapEvent(R"({"detail-type": "a", "detail": {}})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("source")));
  EXPECT_THAT(UnwrapEvent(R"({"source": "a", "detail": {}})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("detail-type")));
  EXPECT_THAT(UnwrapEvent(R"({"source": "a", "detail-type": "b", "detail": "{}"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no object named detail")));
  EXPECT_THAT(UnwrapEvent(R"({"source": 1, "detail-type": "b", "detail": {}})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("source")));
}

TEST(EnvelopeErrors, WhatIsNoObjectIsRefusedWithThePlace) {
  for (const char* bad : {"", "null", "[]", "{", "{\"detail\": {", "{\"detail\": {}} x", "\xff"}) {
    EXPECT_THAT(UnwrapEvent(bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 1")))
        << bad;
    EXPECT_THAT(UnwrapNotification(bad),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 1")))
        << bad;
  }
  EXPECT_THAT(UnwrapNotification(R"({"Type": "Notification"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Message")));
  EXPECT_THAT(UnwrapNotification(R"({"Message": {"a": 1}})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Message")));
}

}  // namespace
}  // namespace banyan
