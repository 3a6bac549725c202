// SPDX-License-Identifier: Apache-2.0
//
// The release function of an adopted payload is a user's code: it runs under no lock, whoever lets go
// of the message last, and once. So it may call back into whatever had the message. (Under a lock
// these tests would not end.)
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;

constexpr std::string_view kBody = "a body";
constexpr std::string_view kStructure = R"({"default":"a body"})";

class ReleaseTest : public ::testing::Test {
 protected:
  // Its release changes and asks everything, and publishes again.
  Payload Adopted(std::string_view text) {
    return Payload::Adopt(text.data(), text.size(), [this] {
      ++released_;
      for (const Topic& topic : {topic_, fifo_}) {
        const auto subscription = topic.Subscribe(other_);
        if (!subscription.ok()) continue;  // the topic was deleted
        EXPECT_THAT(topic.ListSubscriptions(), IsOk());
        EXPECT_THAT(subscription->Unsubscribe(), IsOk());
        EXPECT_EQ(subscription->Stats().delivery.pending, 0);
      }
      topic_.Publish({.body = "released"}).IgnoreError();
      fifo_
          .Publish({.body = "released",
                    .message_group_id = "g",
                    .message_deduplication_id = "r" + std::to_string(released_)})
          .IgnoreError();
      for (const char* name : {"q", "dead"}) {
        const auto queue = broker_.FindQueue(name);
        if (queue.ok()) queue->Depth();
      }
    });
  }
  void Publish() { ASSERT_THAT(topic_.Publish({.body = Adopted(kBody)}), IsOk()); }
  PublishRequest ForFifo(std::string_view text, std::string id = "1") {
    return {.body = Adopted(text),
            .message_group_id = "g",
            .message_deduplication_id = std::move(id),
            .json_structure = text == kStructure};
  }
  Function MakeFunction(absl::Status answer) {
    return broker_.CreateFunction("f", {}, [answer](const FunctionEvent&) { return answer; })
        .value();
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Topic topic_ = broker_.CreateTopic("t").value();
  Topic fifo_ = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  Queue other_ = broker_.CreateQueue("other").value();
  Queue queue_ = broker_.CreateQueue("q", {.messages_max = 1}).value();
  Queue dead_ = broker_.CreateQueue("dead").value();
  int released_ = 0;
};

TEST_F(ReleaseTest, OfWhatNobodyWanted) {
  Publish();
  EXPECT_EQ(released_, 1);
  topic_.Subscribe(queue_, {.filter_policy = R"({"a":["x"]})"}).value();
  Publish();
  EXPECT_EQ(released_, 2);
}

TEST_F(ReleaseTest, OfWhatNobodyWantedOfAFifoTopic) {
  ASSERT_THAT(fifo_.Publish(ForFifo(kBody)), IsOk());
  EXPECT_EQ(released_, 1);
  ASSERT_THAT(fifo_.Publish(ForFifo(kBody)), IsOk());
  EXPECT_EQ(released_, 2) << "a duplicate";
}

TEST_F(ReleaseTest, OfAMessageStructureThatWasReadAndIsNeededNoMore) {
  fifo_.Subscribe(queue_).value();
  ASSERT_THAT(fifo_.Publish(ForFifo(kStructure)), IsOk());
  EXPECT_EQ(released_, 1);
  ASSERT_THAT(fifo_.PublishBatch({ForFifo(kStructure, "2"), ForFifo(kBody, "3")}), IsOk());
  EXPECT_EQ(released_, 2) << "the body waits for room";
  ASSERT_THAT(broker_.DeleteTopic("t.fifo"), IsOk());
  EXPECT_EQ(released_, 3);
}

TEST_F(ReleaseTest, OfWhatIsRefused) {
  EXPECT_FALSE(topic_.Publish({.body = Adopted(kBody), .subject = "\n"}).ok());
  EXPECT_FALSE(fifo_.Publish({.body = Adopted(kBody)}).ok());
  EXPECT_EQ(released_, 2);
}

TEST_F(ReleaseTest, OfWhatAFunctionHasTaken) {
  topic_.Subscribe(MakeFunction(absl::OkStatus())).value();
  Publish();
  EXPECT_EQ(released_, 0);
  runtime_.RunUntilIdle();
  EXPECT_EQ(released_, 1);
}

TEST_F(ReleaseTest, OfWhatAFunctionNeverGot) {
  topic_.Subscribe(MakeFunction(absl::OkStatus())).value();
  Publish();
  ASSERT_THAT(broker_.DeleteFunction("f"), IsOk());
  EXPECT_EQ(released_, 1) << "dropped";
}

TEST_F(ReleaseTest, OfWhatIsDroppedAfterItsRetries) {
  topic_.Subscribe(Target(MakeFunction(absl::InternalError("no"))).Retry({.retries_max = 2}))
      .value();
  Publish();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(released_, 1);
}

TEST_F(ReleaseTest, OfWhatWaitedWhenItsTopicWasDeleted) {
  queue_.Send({.body = "in the way"}).value();
  const Subscription subscription = topic_.Subscribe(queue_).value();
  Publish();
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  EXPECT_EQ(released_, 0);
  ASSERT_THAT(broker_.DeleteTopic("t"), IsOk());
  EXPECT_EQ(released_, 1);
}

TEST_F(ReleaseTest, OfWhatRestsInAQueueHoweverItGoes) {
  const std::vector<std::function<void()>> ways = {
      [this] { ASSERT_THAT(queue_.Receive().value().at(0).Delete(), IsOk()); },
      [this] { ASSERT_THAT(queue_.Purge(), IsOk()); },
      [this] {
        runtime_.Advance(absl::Hours(5 * 24));
        EXPECT_EQ(queue_.Depth().total(), 0);
        queue_.Trim();
      },
      [this] { ASSERT_THAT(broker_.DeleteQueue("q"), IsOk()); },
  };
  int expected = 0;
  for (const auto& way : ways) {
    const Subscription subscription = topic_.Subscribe(queue_).value();
    Publish();
    ASSERT_THAT(subscription.Unsubscribe(), IsOk());  // so that "released" does not rest there
    EXPECT_EQ(released_, expected);
    way();
    EXPECT_EQ(released_, ++expected);
  }
}

TEST_F(ReleaseTest, OfADeadLetterThatIsRedrivenOrGoesWithItsQueue) {
  queue_.Send({.body = "in the way"}).value();
  const Subscription subscription =
      topic_.Subscribe(Target(queue_).Retry({.retries_max = 0}).DeadLetter(dead_)).value();
  Publish();
  ASSERT_EQ(dead_.Depth().total(), 1);
  ASSERT_THAT(queue_.Receive().value().at(0).Delete(), IsOk());
  EXPECT_THAT(dead_.Redrive(), testing::IsOkAndHolds(1));
  EXPECT_EQ(released_, 0);
  Publish();  // into a full queue
  ASSERT_EQ(dead_.Depth().total(), 1);
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  ASSERT_THAT(queue_.Receive().value().at(0).Delete(), IsOk());
  EXPECT_EQ(released_, 1);
  EXPECT_THAT(dead_.Redrive(), testing::IsOkAndHolds(0)) << "it has nowhere to go";
  EXPECT_EQ(released_, 1);
  ASSERT_THAT(broker_.DeleteQueue("dead"), IsOk());
  EXPECT_EQ(released_, 2);
}

TEST_F(ReleaseTest, OfWhatABrokerStillHadWhenItStopped) {
  topic_.Subscribe(queue_).value();
  Publish();
  Publish();  // waits for room
  broker_.Stop(absl::ZeroDuration());
  broker_ = Broker::Create(runtime_, {}).value();
  EXPECT_LE(released_, 2);
}

}  // namespace
}  // namespace banyan
