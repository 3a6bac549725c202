// SPDX-License-Identifier: Apache-2.0
//
// StreamReplay: a part of a stream put on a bus or published to a topic: what goes, in which order, how
// fast, what becomes of what is refused, and how it ends.
#include "banyan/stream_replay.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/envelope.h"
#include "banyan/error.h"
#include "banyan/target.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StreamReplayTest : public ::testing::Test {
 protected:
  StreamReplayTest() {
    topic_.Subscribe(queue_, {.raw = true}).value();
    bus_.PutRule("all", {.pattern = R"({"source": [{"exists": true}]})", .targets = {queue_}})
        .value();
  }

  void Put(std::string_view data, std::string_view key = "k") {
    ASSERT_THAT(stream_.Put({.partition_key = key, .data = data}).status(), IsOk());
  }
  void PutNumbers(int count) {
    for (int i = 0; i < count; ++i) Put(std::to_string(i));
  }
  StreamReplay ToTopic(StreamReplayOptions options = {}, MessageOfRecord make = nullptr) {
    return StreamReplay::Start(stream_, topic_, std::move(options), std::move(make)).value();
  }
  absl::Status Refusal(StreamReplayOptions options) {
    return StreamReplay::Start(stream_, topic_, std::move(options)).status();
  }

  // Bodies, in the order of their arrival, deleted.
  std::vector<std::string> Arrived() {
    std::vector<std::string> bodies;
    for (;;) {
      const std::vector<Received> some = queue_.Receive({.max_messages = 10}).value();
      if (some.empty()) return bodies;
      for (const Received& message : some) {
        bodies.emplace_back(message.body());
        message.Delete().IgnoreError();
      }
    }
  }

  static void ExpectBalanced(const StreamReplayDescription& d) {
    EXPECT_EQ(d.range.records, d.replayed + d.filtered + d.failed + d.in_hand);
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Stream stream_ = broker_.CreateStream("clicks", {.shards = 2}).value();
  EventBus bus_ = broker_.CreateEventBus("shop").value();
  Topic topic_ = broker_.CreateTopic("news").value();
  Queue queue_ = broker_.CreateQueue("inbox").value();
};

TEST_F(StreamReplayTest, ATopicGetsTheDataOfEachRecordInOrder) {
  PutNumbers(5);
  const StreamReplay replay = ToTopic();
  EXPECT_EQ(replay.Describe().state, ReplayState::kStarting);
  Put("later");
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("0", "1", "2", "3", "4"));
  const StreamReplayDescription done = replay.Describe();
  EXPECT_EQ(done.state, ReplayState::kCompleted);
  EXPECT_EQ(done.replayed, 5);
  EXPECT_EQ(done.stream_arn, stream_.arn());
  EXPECT_EQ(done.destination_arn, topic_.arn());
  EXPECT_EQ(done.end_time, runtime_.Now());
  EXPECT_EQ(done.last_arrival_time, runtime_.Now());
  EXPECT_TRUE(done.range.is_complete());
  ExpectBalanced(done);
}

TEST_F(StreamReplayTest, OnlyOfTheTimesTheKeyAndWhatTheFilterWants) {
  Put("early");
  runtime_.Advance(absl::Minutes(1));
  const absl::Time from = runtime_.Now();
  Put("a");
  Put("of another", "other");
  Put("skip");
  Put("b");
  runtime_.Advance(absl::Minutes(1));
  const absl::Time to = runtime_.Now();
  Put("late");
  const StreamReplay replay =
      ToTopic({.range = {.from = from, .to = to, .partition_key = "k"},
               .filter = [](const Record& record) { return record.data() != "skip"; }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("a", "b"));
  EXPECT_EQ(replay.Describe().filtered, 1);
  ExpectBalanced(replay.Describe());
}

TEST_F(StreamReplayTest, AKeyKeepsItsOrderThroughAReshard) {
  std::vector<std::string> expected;
  for (int i = 0; i < 30; ++i) {
    expected.push_back(std::to_string(i));
    Put(expected.back(), "me");
    Put("x", std::to_string(i));
    if (i % 10 == 5) {
      ASSERT_THAT(stream_.UpdateShardCount(i == 15 ? 2 : 4), IsOk());
    }
  }
  const StreamReplay replay = ToTopic({.range = {.partition_key = "me"}});
  runtime_.RunUntilIdle();
  EXPECT_EQ(Arrived(), expected);
}

TEST_F(StreamReplayTest, ABusGetsWhatARuleHadWrittenIntoTheStream) {
  bus_.PutRule("log", {.pattern = R"({"detail-type": ["Placed"]})",
                       .targets = {Target(stream_).PartitionKeyPath("$.id")}})
      .value();
  const Id id =
      bus_.Put({.source = "shop", .detail_type = "Placed", .detail = R"({"n":1})"}).value();
  runtime_.RunUntilIdle();
  const std::vector<std::string> first = Arrived();
  runtime_.Advance(absl::Hours(1));
  const StreamReplay replay = StreamReplay::Start(stream_, bus_).value();
  runtime_.RunUntilIdle();
  // The same event with its id and time. The rule wrote it into the stream again, and it ends.
  EXPECT_EQ(Arrived(), first);
  EXPECT_THAT(first, ElementsAre(HasSubstr(id.ToString())));
  EXPECT_EQ(replay.Describe().state, ReplayState::kCompleted);
  EXPECT_EQ(stream_.Stats().accepted, 2);
}

TEST_F(StreamReplayTest, AFunctionMakesEventsAndMessages) {
  PutNumbers(2);
  const StreamReplay to_bus =
      StreamReplay::Start(stream_, bus_, {}, [](const Record& record) {
        return EventEntry{.source = "clicks",
                          .detail_type = "Click",
                          .detail = R"({"n":)" + std::string(record.data()) + "}"};
      }).value();
  runtime_.RunUntilIdle();
  const std::vector<std::string> events = Arrived();
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(UnwrapEvent(events[1]).value().detail, R"({"n":1})");
  const StreamReplay to_topic = ToTopic({}, [](const Record& record) {
    return PublishRequest{.body = "no. " + std::string(record.data())};
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("no. 0", "no. 1"));
}

TEST_F(StreamReplayTest, AFifoTopicHasAGroupPerKeyAndKnowsRepeats) {
  const Topic fifo = broker_.CreateTopic("news.fifo", {.fifo = true}).value();
  const Queue queue = broker_.CreateQueue("inbox.fifo", {.fifo = true}).value();
  fifo.Subscribe(queue, {.raw = true}).value();
  Put("a", "x");
  Put("b", "y");
  for (int round = 0; round < 2; ++round) {  // at once again: the same deduplication ids
    const StreamReplay replay = StreamReplay::Start(stream_, fifo).value();
    runtime_.RunUntilIdle();
    EXPECT_EQ(replay.Describe().replayed, 2);
  }
  const std::vector<Received> all = queue.Receive({.max_messages = 10}).value();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT((std::vector<std::string>{std::string(all[0].message_group_id()),
                                        std::string(all[1].message_group_id())}),
              ::testing::UnorderedElementsAre("x", "y"));
}

TEST_F(StreamReplayTest, ARateIsKeptEvenly) {
  PutNumbers(100);
  const StreamReplay replay = ToTopic({.records_per_second = 20});
  int64_t before = 0;
  for (int second = 1; second <= 4; ++second) {
    runtime_.Advance(absl::Milliseconds(999));
    const int64_t replayed = replay.Describe().replayed;
    EXPECT_NEAR(static_cast<double>(replayed - before), 20, 2);
    before = replayed;
    runtime_.Advance(absl::Milliseconds(1));
  }
  EXPECT_EQ(replay.Describe().state, ReplayState::kRunning);
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(replay.Describe().state, ReplayState::kCompleted);
  EXPECT_EQ(replay.Describe().replayed, 100);
}

TEST_F(StreamReplayTest, ASlowRateIsKeptToo) {
  PutNumbers(3);
  const StreamReplay replay = ToTopic({.records_per_second = 0.1});
  runtime_.Advance(absl::Seconds(9));
  EXPECT_EQ(replay.Describe().replayed, 1);
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(replay.Describe().replayed, 2);
}

// Looks that find nothing of the key take no time, but what was found before them does.
TEST_F(StreamReplayTest, OfARareKeyTheRateIsKept) {
  const Stream one = broker_.CreateStream("rare", {.shards = 1}).value();
  for (int i = 0; i < 50 * 250; ++i) {
    const std::string_view key = i % 250 == 0 ? "me" : "other";
    ASSERT_THAT(one.Put({.partition_key = key, .data = "x"}).status(), IsOk());
  }
  const StreamReplay replay =
      StreamReplay::Start(one, topic_,
                          {.range = {.partition_key = "me"}, .records_per_second = 1'000})
          .value();
  runtime_.Advance(absl::Milliseconds(20));
  EXPECT_LE(replay.Describe().replayed, 21);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(replay.Describe().replayed, 50);
}

TEST_F(StreamReplayTest, TheBooksFitAtAnyMoment) {
  PutNumbers(250);
  StreamReplay replay;
  int looks = 0;
  replay = ToTopic({.filter = [&](const Record&) {
    ExpectBalanced(replay.Describe());
    ++looks;
    return true;
  }});
  runtime_.RunUntilIdle();
  EXPECT_EQ(looks, 250);
}

TEST_F(StreamReplayTest, WhatIsRefusedForGoodIsCountedAndPassedOver) {
  Put("a");
  Put("");  // no body for a topic
  Put("b");
  const StreamReplay replay = ToTopic();
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("a", "b"));
  const StreamReplayDescription done = replay.Describe();
  EXPECT_EQ(done.state, ReplayState::kCompleted);
  EXPECT_EQ(done.failed, 1);
  EXPECT_EQ(done.retries, 0);
  EXPECT_THAT(done.last_failure, HasSubstr("shardId-00000000000"));
  ExpectBalanced(done);
}

TEST_F(StreamReplayTest, OrItEndsThereIfItIsToldSo) {
  Put("a");
  Put("");
  Put("b");
  const StreamReplay replay = ToTopic({.stop_at_failure = true});
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("a"));
  const StreamReplayDescription done = replay.Describe();
  EXPECT_EQ(done.state, ReplayState::kFailed);
  EXPECT_EQ(done.state_reason, done.last_failure);
  EXPECT_EQ(done.failed, 1);
  EXPECT_EQ(done.in_hand, 1);
  ExpectBalanced(done);
}

TEST_F(StreamReplayTest, WhatIsRefusedForWantOfRoomIsTriedAgainBeforeWhatFollows) {
  PutNumbers(3);
  int refusals = 3;
  std::vector<absl::Duration> times;
  const StreamReplay replay =
      ToTopic({.backoff = {.first = absl::Seconds(1), .max = absl::Seconds(2)}},
              [&](const Record& record) -> absl::StatusOr<PublishRequest> {
                times.push_back(runtime_.Uptime());
                if (record.data() == "1" && refusals-- > 0)
                  return absl::ResourceExhaustedError("full");
                return PublishRequest{.body = record.data()};
              });
  const absl::Duration start = runtime_.Uptime();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Arrived(), ElementsAre("0", "1", "2"));
  EXPECT_EQ(replay.Describe().retries, 3);
  EXPECT_EQ(replay.Describe().failed, 0);
  EXPECT_THAT(times, ElementsAre(start, start, start + absl::Seconds(1), start + absl::Seconds(3),
                                 start + absl::Seconds(5), start + absl::Seconds(5)));
}

TEST_F(StreamReplayTest, ButNotForEver) {
  PutNumbers(2);
  const StreamReplay replay =
      ToTopic({.attempts_max = 4}, [&](const Record& record) -> absl::StatusOr<PublishRequest> {
        if (record.data() == "0") return absl::UnavailableError("down");
        return PublishRequest{.body = record.data()};
      });
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Arrived(), ElementsAre("1"));
  EXPECT_EQ(replay.Describe().retries, 3);
  EXPECT_EQ(replay.Describe().failed, 1);
  EXPECT_EQ(replay.Describe().state, ReplayState::kCompleted);
}

#if defined(__cpp_exceptions)
TEST_F(StreamReplayTest, AFunctionThatThrowsFailsItsRecord) {
  PutNumbers(4);
  const StreamReplay replay = ToTopic({.filter =
                                           [](const Record& record) {
                                             if (record.data() == "1") throw std::string("no");
                                             return true;
                                           }},
                                      [](const Record& record) -> absl::StatusOr<PublishRequest> {
                                        if (record.data() == "2") throw std::string("no");
                                        return PublishRequest{.body = record.data()};
                                      });
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("0", "3"));
  EXPECT_EQ(replay.Describe().failed, 2);
}
#endif

TEST_F(StreamReplayTest, CancelEndsItBetweenTwoRecords) {
  PutNumbers(100);
  StreamReplay replay = ToTopic({.records_per_second = 10});
  runtime_.Advance(absl::Seconds(3));
  EXPECT_THAT(replay.Cancel(), IsOk());
  EXPECT_EQ(replay.Describe().state, ReplayState::kCancelled);
  const int64_t replayed = replay.Describe().replayed;
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(replay.Describe().replayed, replayed);
  EXPECT_NEAR(static_cast<double>(replayed), 30, 2);
  EXPECT_THAT(replay.Cancel(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(replay.Stop(absl::Seconds(1)), IsOk());
  ExpectBalanced(replay.Describe());
}

TEST_F(StreamReplayTest, MayBeCancelledAndDestroyedFromInsideItsFunctions) {
  PutNumbers(10);
  auto replay = std::make_unique<StreamReplay>();
  *replay = ToTopic({}, [&](const Record& record) {
    if (record.data() == "3") {
      EXPECT_THAT(replay->Cancel(), IsOk());
      EXPECT_EQ(replay->Describe().state, ReplayState::kCancelling);
      replay.reset();
    }
    return PublishRequest{.body = record.data()};
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(Arrived(), ElementsAre("0", "1", "2", "3"));
}

TEST_F(StreamReplayTest, DestroyingItEndsIt) {
  PutNumbers(100);
  { const StreamReplay replay = ToTopic({.records_per_second = 10}); }
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Arrived(), IsEmpty());
}

TEST_F(StreamReplayTest, ADestinationThatGoesEndsItAndSoDoesTheStream) {
  PutNumbers(100);
  const StreamReplay to_topic = ToTopic({.records_per_second = 10});
  const StreamReplay to_bus =
      StreamReplay::Start(stream_, bus_, {.records_per_second = 10}, [](const Record&) {
        return EventEntry{.source = "s", .detail_type = "t", .detail = "{}"};
      }).value();
  runtime_.Advance(absl::Seconds(1));
  ASSERT_THAT(broker_.DeleteTopic("news"), IsOk());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(to_topic.Describe().state, ReplayState::kFailed);
  EXPECT_THAT(to_topic.Describe().state_reason, HasSubstr("exist"));
  EXPECT_EQ(to_topic.Describe().failed, 0);
  ASSERT_THAT(broker_.DeleteStream("clicks"), IsOk());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(to_bus.Describe().state, ReplayState::kFailed);
  EXPECT_THAT(StreamReplay::Start(stream_, bus_).status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(StreamReplay::Start(stream_, topic_).status(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(StreamReplayTest, WhatIsTrimmedBeforeItsTurnIsToldOf) {
  PutNumbers(100);
  const PutResult last = stream_.Put({.partition_key = "k", .data = "last"}).value();
  const StreamReplay replay = ToTopic({.records_per_second = 10});
  runtime_.Advance(absl::Seconds(1));
  ASSERT_THAT(stream_.TrimBefore(last.sequence), IsOk());
  runtime_.Advance(absl::Minutes(1));
  const StreamReplayDescription done = replay.Describe();
  EXPECT_EQ(done.state, ReplayState::kCompleted);
  EXPECT_EQ(done.replayed + done.range.missed, 101);
  EXPECT_GT(done.range.missed, 50);
}

TEST_F(StreamReplayTest, WithoutARateItWaitsForSlowSubscribers) {
  const Topic slow = broker_.CreateTopic("slow").value();
  const Function never =
      broker_
          .CreateFunction("never", {.concurrency = 1},
                          [](const FunctionEvent&) { return absl::UnavailableError("down"); })
          .value();
  slow.Subscribe(never).value();
  PutNumbers(3'000);
  const StreamReplay replay = StreamReplay::Start(stream_, slow).value();
  runtime_.RunUntilIdle();
  EXPECT_LT(replay.Describe().replayed, 1'500);
  EXPECT_EQ(replay.Describe().state, ReplayState::kRunning);
}

TEST_F(StreamReplayTest, BadOptionsAreRefused) {
  const auto is_refused = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Refusal({.records_per_second = -1}), is_refused);
  EXPECT_THAT(Refusal({.records_per_second = 1e9}), is_refused);
  EXPECT_THAT(Refusal({.attempts_max = 0}), is_refused);
  EXPECT_THAT(Refusal({.backoff = {.first = absl::Seconds(2), .max = absl::Seconds(1)}}),
              is_refused);
  EXPECT_THAT(Refusal({.range = {.from = runtime_.Now() + absl::Hours(1)}}), is_refused);
  EXPECT_THAT(StreamReplay::Start(Stream(), topic_).status(),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(StreamReplay::Start(stream_, Topic()).status(),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(StreamReplay::Start(stream_, EventBus()).status(),
              StatusIs(absl::StatusCode::kNotFound));
  StreamReplay none;
  EXPECT_THAT(none.Cancel(), IsOk());
  EXPECT_THAT(none.Stop(absl::Seconds(1)), IsOk());
}

TEST_F(StreamReplayTest, OutlivesItsBroker) {
  StreamReplay replay;
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    const Stream stream = broker.CreateStream("clicks", {}).value();
    const Topic topic = broker.CreateTopic("news").value();
    for (int i = 0; i < 10; ++i) {
      ASSERT_THAT(stream.Put({.partition_key = "k", .data = "x"}).status(), IsOk());
    }
    replay = StreamReplay::Start(stream, topic, {.records_per_second = 1}).value();
    runtime_.Advance(absl::Seconds(2));
  }
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(replay.Describe().state, ReplayState::kFailed);
  EXPECT_LT(replay.Describe().replayed, 5);
}

TEST(StreamReplayThreads, MayBeCancelledAskedAndStoppedWhileItRuns) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Stream stream = broker.CreateStream("clicks", {.shards = 2}).value();
  const Topic topic = broker.CreateTopic("news").value();
  for (int i = 0; i < 2'000; ++i) {
    const std::string key = std::to_string(i);
    ASSERT_THAT(stream.Put({.partition_key = key, .data = "x"}).status(), IsOk());
  }
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> stopped = false;
    std::atomic<int64_t> made = 0;
    std::atomic<int> after = 0;
    StreamReplay replay = StreamReplay::Start(stream, topic, {}, [&](const Record& record) {
                            if (stopped) ++after;
                            ++made;
                            return PublishRequest{.body = record.data()};
                          }).value();
    std::thread asker([&] {
      while (!stopped) {
        const StreamReplayDescription d = replay.Describe();
        EXPECT_LE(d.replayed, 2'000);
        std::this_thread::yield();
      }
    });
    while (made < round * 20 && replay.Describe().state != ReplayState::kCompleted) {
      std::this_thread::yield();
    }
    if (round % 2 == 0) replay.Cancel().IgnoreError();
    EXPECT_THAT(replay.Stop(absl::InfiniteDuration()), IsOk());
    stopped = true;
    asker.join();
    const StreamReplayDescription d = replay.Describe();
    EXPECT_TRUE(d.state == ReplayState::kCancelled || d.state == ReplayState::kCompleted);
    EXPECT_EQ(d.replayed, made);
    EXPECT_EQ(d.range.records, d.replayed + d.in_hand);
    EXPECT_EQ(after, 0);
  }
}

}  // namespace
}  // namespace banyan
