// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/test_broker.h"

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// What a failed EXPECT_THAT(broker, wanted) prints after "Actual: "; empty if it passes.
std::string Failure(const TestBroker& broker, const FateOfMessage& wanted) {
  ::testing::StringMatchResultListener listener;
  if (wanted.MatchAndExplain(broker, &listener)) return "";
  return ::testing::PrintToString(broker) + ", " + listener.str();
}

// A queue "jobs" whose messages are dead letters after one attempt.
class TestBrokerTest : public ::testing::Test {
 protected:
  std::string Send(const Queue& queue, std::string_view body) {
    return queue.Send({.body = body}).value().message_id.ToString();
  }

  // The ids that a story begins with, which no test can know beforehand.
  std::string IdsOf(std::string_view body) const {
    for (const MessageStory& story : broker_.History()) {
      if (story.body == body) {
        return "message " + story.message_id.ToString() + ", event " + story.event_id.ToString();
      }
    }
    return "no such message";
  }

  SimulatedRuntime runtime_;
  TestBroker broker_{runtime_};
  Queue dead_ = broker_->CreateQueue("jobs-dead").value();
  Queue jobs_ = broker_
                    ->CreateQueue("jobs", {.redrive = RedrivePolicy{.dead_letter = dead_.arn(),
                                                                    .max_receive_count = 1}})
                    .value();
};

TEST(TestBrokerExample, StandsInTheReadme) {
  SimulatedRuntime runtime;
  TestBroker broker(runtime);
  Queue jobs = broker->CreateQueue("jobs").value();
  jobs.Send({.body = "resize 17"}).value();
  EXPECT_THAT(broker, RestsIn(jobs, BodyIs("resize 17")));
  EXPECT_THAT(jobs.Receive().value().at(0).Delete(), IsOk());
  EXPECT_THAT(broker, Settled(jobs, BodyIs("resize 17")));
}

TEST_F(TestBrokerTest, EachFateIsToldFromTheOthers) {
  Send(jobs_, "settled");
  jobs_.Receive().value().at(0).Delete().IgnoreError();
  Send(jobs_, "poison");
  jobs_.Receive().value();
  runtime_.Advance(absl::Seconds(30));
  const Queue other = broker_->CreateQueue("other", {.retention = absl::Minutes(1)}).value();
  Send(other, "late");
  runtime_.Advance(absl::Minutes(1));
  Send(other, "rests");

  EXPECT_THAT(broker_, Settled(jobs_, BodyIs("settled")));
  EXPECT_THAT(broker_, WasMovedTo(dead_, BodyIs("poison")));
  EXPECT_THAT(broker_, RestsIn(dead_, BodyIs("poison")));
  EXPECT_THAT(broker_, ExpiredIn(other, BodyIs("late")));
  EXPECT_THAT(broker_, RestsIn(other, BodyIs("rests")));

  EXPECT_THAT(broker_, Not(RestsIn(jobs_)));
  EXPECT_THAT(broker_, Not(Settled(jobs_, BodyIs("poison"))));
  EXPECT_THAT(broker_, Not(Settled(other)));
  EXPECT_THAT(broker_, Not(WasMovedTo(jobs_)));
  EXPECT_THAT(broker_, Not(WasMovedTo(dead_, BodyIs("settled"))));
  EXPECT_THAT(broker_, Not(ExpiredIn(jobs_)));
  EXPECT_THAT(broker_, Not(RestsIn(other, BodyIs("late"))));
}

// ---- What failures say

TEST_F(TestBrokerTest, OfADeadLetterTheFailureTellsTheWholeStory) {
  Send(jobs_, "resize 17");
  runtime_.Advance(absl::Milliseconds(1500));
  jobs_.Receive().value();
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(Failure(broker_, Settled(jobs_, BodyIs("resize 17"))),
            "a broker that recorded 4 changes, whose message like that was not:\n"
            "    \"resize 17\", " +
                IdsOf("resize 17") +
                "\n"
                "      00:00:00.000 jobs: accepted\n"
                "      00:00:01.500 jobs: received, attempt 1, hidden until 00:00:31.500\n"
                "      00:00:31.500 jobs: moved to jobs-dead\n"
                "      00:00:31.500 jobs-dead: accepted\n"
                "      00:00:31.500 now: waits in jobs-dead");
  EXPECT_EQ(::testing::DescribeMatcher<const TestBroker&>(Settled(jobs_, BodyIs("resize 17"))),
            "a message that has a body that is equal to \"resize 17\" was settled in jobs");
}

TEST_F(TestBrokerTest, OfAMessageThatWasNeverSentTheFailureSaysWhatCameInstead) {
  EXPECT_EQ(Failure(broker_, Settled(jobs_, BodyIs("resize 17"))),
            "a broker that recorded 0 changes, which never had a message like that\n"
            "  jobs had no message");
  Send(jobs_, "resize 71");
  EXPECT_EQ(Failure(broker_, Settled(jobs_, BodyIs("resize 17"))),
            "a broker that recorded 1 change, which never had a message like that\n"
            "  jobs had 1 message, none of them like that:\n"
            "    \"resize 71\", " +
                IdsOf("resize 71") +
                "\n"
                "      00:00:00.000 jobs: accepted\n"
                "      00:00:00.000 now: waits in jobs");
}

TEST_F(TestBrokerTest, OfAMessageElsewhereTheFailureSaysWhere) {
  Send(dead_, "resize 17");
  EXPECT_THAT(Failure(broker_, Settled(jobs_, BodyIs("resize 17"))),
              AllOf(HasSubstr("00:00:00.000 now: waits in jobs-dead"),
                    HasSubstr("\n  jobs had no message")));
}

TEST_F(TestBrokerTest, OfAMessageInFlightTheFailureSaysUntilWhen) {
  Send(jobs_, "resize 17");
  const Received job = jobs_.Receive().value().at(0);
  runtime_.Advance(absl::Seconds(10));
  ASSERT_THAT(job.ChangeVisibility(absl::Minutes(1)), IsOk());
  EXPECT_THAT(Failure(broker_, Settled(jobs_)),
              HasSubstr("00:00:00.000 jobs: received, attempt 1, hidden until 00:00:30.000\n"
                        "      00:00:10.000 jobs: visibility changed, hidden until 00:01:10.000\n"
                        "      00:00:10.000 now: in flight in jobs"));
}

TEST_F(TestBrokerTest, OfAnExpiredMessageTheFailureSaysSo) {
  Send(dead_, "resize 17");
  runtime_.Advance(absl::Hours(4 * 24));
  EXPECT_THAT(Failure(broker_, RestsIn(dead_, BodyIs("resize 17"))),
              HasSubstr("      00:00:00.000 jobs-dead: accepted\n"
                        "      96:00:00.000 jobs-dead: expired"));
}

TEST_F(TestBrokerTest, ANegatedFailureTellsTheStoryToo) {
  Send(jobs_, "x");
  ::testing::StringMatchResultListener listener;
  EXPECT_FALSE(Not(RestsIn(jobs_)).operator FateOfMessage().MatchAndExplain(broker_, &listener));
  EXPECT_THAT(listener.str(), AllOf(StartsWith("whose message like that was:\n    \"x\", message "),
                                    HasSubstr("now: waits in jobs")));
}

TEST_F(TestBrokerTest, AFailureWithManyMessagesStaysShort) {
  for (int i = 0; i < 9; ++i) Send(jobs_, "x");
  const std::string failure = Failure(broker_, Settled(jobs_));
  EXPECT_THAT(failure, HasSubstr("whose 9 messages like that was not:"));
  EXPECT_THAT(failure, HasSubstr("\n    and 4 messages more"));
}

// ---- Stories

TEST_F(TestBrokerTest, OneEventInTwoQueuesIsTwoMessages) {
  const Topic topic = broker_->CreateTopic("orders").value();
  ASSERT_THAT(topic.Subscribe(jobs_), IsOk());
  ASSERT_THAT(topic.Subscribe(dead_), IsOk());
  ASSERT_THAT(topic.Publish({.body = "order 1"}), IsOk());
  const std::vector<MessageStory> history = broker_.History();
  ASSERT_THAT(history, SizeIs(2));
  EXPECT_EQ(history[0].event_id, history[1].event_id);
  EXPECT_NE(history[0].message_id, history[1].message_id);
  EXPECT_THAT(history, ::testing::Each(BodyIs("order 1")));
}

TEST_F(TestBrokerTest, ARedrivenMessageIsANewOneOfTheSameEvent) {
  Send(jobs_, "x");
  jobs_.Receive().value();
  runtime_.Advance(absl::Seconds(30));
  ASSERT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  const std::vector<MessageStory> history = broker_.History();
  ASSERT_THAT(history, SizeIs(2));
  EXPECT_EQ(history[0].event_id, history[1].event_id);
  EXPECT_EQ(history[0].lines.back(), "00:00:30.000 jobs-dead: moved to jobs");
  EXPECT_THAT(history[1].lines,
              ElementsAre("00:00:30.000 jobs: accepted", "00:00:30.000 now: waits in jobs"));
  EXPECT_THAT(broker_, AllOf(WasMovedTo(dead_), WasMovedTo(jobs_), RestsIn(jobs_)));
  EXPECT_THAT(broker_, Not(RestsIn(dead_)));
}

TEST_F(TestBrokerTest, RecordsOfAStreamHaveStories) {
  const Stream clicks = broker_->CreateStream("clicks").value();
  ASSERT_THAT(clicks.Put({.partition_key = "u1", .data = "click"}), IsOk());
  const std::vector<MessageStory> history = broker_.History();
  ASSERT_THAT(history, ElementsAre(AllOf(BodyIs("click"), HasAttribute("PartitionKey", "u1"))));
  EXPECT_THAT(history[0].lines, ElementsAre("00:00:00.000 stream/clicks: accepted"));
}

TEST_F(TestBrokerTest, AfterAResetTheSameIdsAreOtherMessages) {
  const std::string before = Send(jobs_, "before");
  broker_->Reset();
  const Queue jobs = broker_->CreateQueue("jobs").value();
  ASSERT_EQ(Send(jobs, "after"), before);
  EXPECT_THAT(broker_.History(), ElementsAre(BodyIs("before"), BodyIs("after")));
  jobs.Receive().value().at(0).Delete().IgnoreError();
  EXPECT_THAT(broker_, Settled(jobs, BodyIs("after")));
  EXPECT_THAT(broker_, Not(Settled(jobs, BodyIs("before"))));
}

// ---- Bounds

TEST(TestBrokerBoundsTest, DropsTheOldestChangesAndSaysHowMany) {
  SimulatedRuntime runtime;
  TestBroker broker(runtime, {}, {.changes_max = 3});
  const Queue jobs = broker->CreateQueue("jobs").value();
  jobs.Send({.body = "first"}).value();
  jobs.Send({.body = "second"}).value();
  const std::vector<Received> both = jobs.Receive({.max_messages = 2}).value();
  ASSERT_THAT(both, SizeIs(2));
  EXPECT_EQ(broker.changes_dropped(), 1);
  EXPECT_THAT(both[1].Delete(), IsOk());
  EXPECT_EQ(broker.changes_recorded(), 5);
  EXPECT_EQ(broker.changes_dropped(), 2);
  const std::vector<MessageStory> history = broker.History();
  ASSERT_THAT(history, ElementsAre(BodyIs("first"), BodyIs("second")));
  EXPECT_TRUE(history[0].cut_short);
  EXPECT_THAT(history[0].lines, SizeIs(2));  // received, and now
  EXPECT_THAT(Failure(broker, Settled(jobs, BodyIs("first"))),
              AllOf(HasSubstr("(earlier changes are no longer known)"),
                    HasSubstr("the oldest 2 changes were dropped, see RecordingOptions")));
}

TEST(TestBrokerBoundsTest, BytesAreBoundedToo) {
  SimulatedRuntime runtime;
  TestBroker broker(runtime, {}, {.bytes_max = 10});
  const Queue jobs = broker->CreateQueue("jobs").value();
  jobs.Send({.body = "12345678"}).value();
  jobs.Send({.body = "abcdefgh"}).value();
  EXPECT_THAT(broker.History(), ElementsAre(BodyIs("abcdefgh")));
  jobs.Send({.body = "longer than ten bytes"}).value();
  EXPECT_THAT(broker.History(), IsEmpty());
  // Its end is told without its beginning: there is nothing to tell.
  ASSERT_THAT(jobs.Purge(), IsOk());
  EXPECT_THAT(broker.History(), IsEmpty());
  EXPECT_EQ(broker.changes_dropped(), broker.changes_recorded());
}

// ---- Bad use

TEST_F(TestBrokerTest, AQueueThatIsNoneFailsTheAssertionEvenNegated) {
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(broker_, Not(Settled(Queue()))), "Queue(), which is none");
}

TEST_F(TestBrokerTest, AnotherBrokersQueueIsNamedAsThat) {
  TestBroker other(runtime_);
  const Queue theirs = other->CreateQueue("theirs").value();
  EXPECT_THAT(Failure(broker_, Settled(theirs)),
              HasSubstr("The queue asked about is deleted, or another broker's."));
}

TEST(TestBrokerDeathTest, BadBrokerOptionsAbortWithTheReason) {
  SimulatedRuntime runtime;
  EXPECT_DEATH(TestBroker(runtime, {.account = "12"}), "TestBroker: INVALID_ARGUMENT.*Account");
}

// ---- Concurrency

TEST_F(TestBrokerTest, SendersMayRaceAnAssertion) {
  constexpr int kEach = 200;
  std::vector<std::thread> senders;
  for (int i = 0; i < 2; ++i) {
    senders.emplace_back([this] {
      for (int n = 0; n < kEach; ++n) Send(jobs_, "x");
    });
  }
  for (int n = 0; n < 20; ++n) EXPECT_THAT(broker_, Not(Settled(jobs_)));
  for (std::thread& sender : senders) sender.join();
  EXPECT_THAT(broker_.History(), SizeIs(2 * kEach));
}

}  // namespace
}  // namespace banyan::testing
