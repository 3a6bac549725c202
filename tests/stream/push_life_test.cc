// SPDX-License-Identifier: Apache-2.0
//
// Consumers and subscriptions of a real broker: what keeps a stream from being deleted, and every
// order in which they end.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "banyan/stream_consumer.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Reason = SubscriptionEnd::Reason;

class PushLifeTest : public ::testing::Test {
 protected:
  ShardEventHandler Keep() {
    return [this](const ShardEvent& event) {
      for (const std::string& data : DataOf(event.batch)) got_.push_back(data);
      return absl::OkStatus();
    };
  }
  static void Put(const Stream& stream, std::string_view data) {
    ASSERT_TRUE(stream.Put({.partition_key = "k", .data = data}).ok());
  }

  SimulatedRuntime runtime_;
  std::optional<Broker> broker_ = Broker::Create(runtime_, {}).value();
  std::vector<std::string> got_;
};

TEST_F(PushLifeTest, AStreamWithConsumersIsNotDeletedUnlessThatIsEnforced) {
  const Stream stream = broker_->CreateStream("clicks").value();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push =
      consumer.SubscribeToShard(ShardId{0}, StartAt::Latest(), Keep()).value();
  const absl::Status refused = broker_->DeleteStream("clicks");
  EXPECT_EQ(CodeOf(refused), "ResourceInUseException");
  EXPECT_THAT(TextOf(refused), HasSubstr("1 registered consumers"));
  EXPECT_TRUE(broker_->FindStream("clicks").ok());
  Put(stream, "still here");
  runtime_.RunUntilIdle();
  EXPECT_THAT(got_, ElementsAre("still here"));
  EXPECT_TRUE(stream.RegisterConsumer("another").ok());

  ASSERT_EQ(broker_->DeleteStream("clicks", {.enforce_consumer_deletion = true}), absl::OkStatus());
  EXPECT_EQ(push.end()->reason, Reason::kStreamDeleted);
  EXPECT_EQ(CodeOf(consumer.Describe().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(broker_->DeleteStream("clicks")), "ResourceNotFoundException");
}

TEST_F(PushLifeTest, AStreamWhoseConsumersAreGoneIsDeleted) {
  const Stream stream = broker_->CreateStream("clicks").value();
  ASSERT_TRUE(stream.RegisterConsumer("audit").ok());
  ASSERT_EQ(stream.DeregisterConsumer("audit"), absl::OkStatus());
  EXPECT_EQ(broker_->DeleteStream("clicks"), absl::OkStatus());
}

TEST_F(PushLifeTest, AStreamMadeAnewHasNoConsumers) {
  ASSERT_TRUE(broker_->CreateStream("clicks").value().RegisterConsumer("audit").ok());
  ASSERT_EQ(broker_->DeleteStream("clicks", {.enforce_consumer_deletion = true}), absl::OkStatus());
  EXPECT_TRUE(broker_->CreateStream("clicks").value().ListConsumers().value().empty());
}

TEST_F(PushLifeTest, ABrokerThatStopsEndsSubscriptions) {
  const Stream stream = broker_->CreateStream("clicks").value();
  int ends = 0;
  const ShardSubscription push = stream.RegisterConsumer("audit")
                                     .value()
                                     .SubscribeToShard(ShardId{0}, StartAt::Latest(), Keep(),
                                                       [&](const SubscriptionEnd&) { ++ends; })
                                     .value();
  Put(stream, "in the log");
  EXPECT_EQ(broker_->Stop(absl::Seconds(1)).records_resting, 1);
  runtime_.Advance(absl::Minutes(6));
  ASSERT_TRUE(push.end().has_value());
  EXPECT_EQ(push.end()->reason, Reason::kBrokerStopped);
  EXPECT_EQ(push.end()->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ends, 0);
}

TEST_F(PushLifeTest, AHandlerMayStopTheBrokerAndPutToItsEnd) {
  const Stream stream = broker_->CreateStream("clicks").value();
  int calls = 0;
  const ShardSubscription push =
      stream.RegisterConsumer("audit")
          .value()
          .SubscribeToShard(ShardId{0}, StartAt::TrimHorizon(),
                            [&](const ShardEvent&) {
                              ++calls;
                              EXPECT_EQ(broker_->Stop(absl::Seconds(1)).calls_running, 1);
                              return absl::OkStatus();
                            })
          .value();
  Put(stream, "a");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(push.end()->reason, Reason::kBrokerStopped);
}

TEST_F(PushLifeTest, HandlesMayOutliveTheBroker) {
  Stream stream = broker_->CreateStream("clicks").value();
  StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  ShardSubscription push = consumer.SubscribeToShard(ShardId{0}, StartAt::Latest(), Keep()).value();
  runtime_.RunUntilIdle();
  Put(stream, "a");  // its wake-up never runs under the broker
  broker_.reset();
  runtime_.Advance(absl::Minutes(6));
  EXPECT_TRUE(got_.empty());
  EXPECT_EQ(push.end()->reason, Reason::kBrokerStopped);
  EXPECT_EQ(consumer.Describe().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream.RegisterConsumer("late").status().code(), absl::StatusCode::kUnavailable);
  stream = Stream();
  consumer = StreamConsumer();
  EXPECT_EQ(push.end()->reason, Reason::kBrokerStopped);
}

TEST(PushEndsTest, SubscriptionsMayOutliveTheRuntime) {
  ShardSubscription push;
  {
    SimulatedRuntime runtime;
    Broker broker = Broker::Create(runtime, {}).value();
    const Stream stream = broker.CreateStream("clicks").value();
    push = stream.RegisterConsumer("audit")
               .value()
               .SubscribeToShard(ShardId{0}, StartAt::Latest(),
                                 [](const ShardEvent&) { return absl::OkStatus(); })
               .value();
    ASSERT_TRUE(stream.Put({.partition_key = "k"}).ok());
  }
  EXPECT_EQ(push.end()->reason, Reason::kBrokerStopped);
  push.Cancel();
}

TEST_F(PushLifeTest, AResetEndsSubscriptionsAndConsumers) {
  const Stream stream = broker_->CreateStream("clicks").value();
  const ShardSubscription push = stream.RegisterConsumer("audit")
                                     .value()
                                     .SubscribeToShard(ShardId{0}, StartAt::Latest(), Keep())
                                     .value();
  broker_->Reset();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(push.end()->reason, Reason::kStreamDeleted);
  EXPECT_TRUE(broker_->CreateStream("clicks").value().ListConsumers().value().empty());
}

TEST_F(PushLifeTest, AHandlerMayDeleteItsStream) {
  const Stream stream = broker_->CreateStream("clicks").value();
  const ShardSubscription push =
      stream.RegisterConsumer("audit")
          .value()
          .SubscribeToShard(
              ShardId{0}, StartAt::TrimHorizon(),
              [&](const ShardEvent& event) {
                EXPECT_EQ(broker_->DeleteStream("clicks", {.enforce_consumer_deletion = true}),
                          absl::OkStatus());
                got_ = DataOf(event.batch);
                return absl::OkStatus();
              })
          .value();
  Put(stream, "a");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(got_, ElementsAre("a"));
  EXPECT_EQ(push.end()->reason, Reason::kStreamDeleted);
}

}  // namespace
}  // namespace banyan::testing
