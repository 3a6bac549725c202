// SPDX-License-Identifier: Apache-2.0
//
// Long polls and watchers: section 3 of the sheet, and that nobody is woken for nothing. Under the
// simulated runtime; concurrency_test.cc has the threads.
#include <stop_token>
#include <string>

#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WaitTest : public QueueTest {
 protected:
  void After(absl::Duration d, Task task) {
    runtime_.PostAt(runtime_.Uptime() + d, std::move(task));
  }

  std::vector<std::string> Poll(absl::Duration wait = absl::Seconds(20)) {
    return Bodies(Receive(queue_, {.max_messages = 10, .wait = wait}));
  }

  absl::Duration Elapsed() { return runtime_.Uptime(); }

  Queue queue_ = broker_.Make("jobs");
};

TEST_F(WaitTest, EmptyAfterItsWholeTime) {
  EXPECT_THAT(Poll(), IsEmpty());
  EXPECT_EQ(Elapsed(), absl::Seconds(20));
}

TEST_F(WaitTest, ReturnsAtOnceWithWhatIsThereAndDoesNotWaitForMore) {
  Send(queue_, "1");
  EXPECT_THAT(Poll(), ElementsAre("1"));
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
}

TEST_F(WaitTest, ArrivalEndsThePoll) {
  After(absl::Seconds(3), [this] { Send(queue_, "m"); });
  EXPECT_THAT(Poll(), ElementsAre("m"));
  EXPECT_EQ(Elapsed(), absl::Seconds(3));
}

TEST_F(WaitTest, EndOfADelayEndsThePoll) {
  ASSERT_TRUE(queue_.Send({.body = "m", .delay = absl::Seconds(7)}).ok());
  EXPECT_THAT(Poll(), ElementsAre("m"));
  EXPECT_EQ(Elapsed(), absl::Seconds(7));
}

TEST_F(WaitTest, EndOfAVisibilityTimeoutEndsThePoll) {
  Send(queue_, "m");
  Receive(queue_, {.visibility_timeout = absl::Seconds(4)});
  EXPECT_THAT(Poll(), ElementsAre("m"));
  EXPECT_EQ(Elapsed(), absl::Seconds(4));
}

TEST_F(WaitTest, VisibilityGivenBackEndsThePoll) {
  Send(queue_, "m");
  const Received held = ReceiveOne(queue_);
  After(absl::Seconds(2), [&] { EXPECT_TRUE(held.ChangeVisibility(absl::ZeroDuration()).ok()); });
  EXPECT_THAT(Poll(), ElementsAre("m"));
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

TEST_F(WaitTest, ShorterVisibilitySetDuringThePollIsNoticed) {
  Send(queue_, "m");
  const Received held = ReceiveOne(queue_);
  After(absl::Seconds(2), [&] { EXPECT_TRUE(held.ChangeVisibility(absl::Seconds(1)).ok()); });
  EXPECT_THAT(Poll(), ElementsAre("m"));
  EXPECT_EQ(Elapsed(), absl::Seconds(3));
}

TEST_F(WaitTest, RoomInFlightEndsThePoll) {
  queue_ = broker_.Make("narrow", {.in_flight_max = 1});
  Send(queue_, "1");
  Send(queue_, "2");
  const Received held = ReceiveOne(queue_);
  After(absl::Seconds(2), [&] { EXPECT_TRUE(held.Delete().ok()); });
  EXPECT_THAT(Poll(), ElementsAre("2"));
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

TEST_F(WaitTest, ExpiryOfAMessageInFlightMakesRoomAndEndsThePoll) {
  queue_ = broker_.Make("narrow", {.retention = absl::Minutes(1), .in_flight_max = 1});
  Send(queue_, "old");
  Receive(queue_, {.visibility_timeout = absl::Hours(1)});
  runtime_.Advance(absl::Seconds(50));
  Send(queue_, "young");
  EXPECT_THAT(Poll(), ElementsAre("young"));
  EXPECT_EQ(Elapsed(), absl::Minutes(1));
}

TEST_F(WaitTest, HigherInFlightLimitEndsThePoll) {
  queue_ = broker_.Make("narrow", {.in_flight_max = 1});
  Send(queue_, "1");
  Send(queue_, "2");
  ReceiveOne(queue_);
  After(absl::Seconds(2), [this] { EXPECT_TRUE(queue_.SetOptions({.in_flight_max = 2}).ok()); });
  EXPECT_THAT(Poll(), ElementsAre("2"));
}

// Marked in the sheet: zero in the request overrides the queue's wait.
TEST_F(WaitTest, WaitOfTheQueueHoldsUnlessTheRequestSaysOtherwise) {
  queue_ = broker_.Make("patient", {.receive_wait = absl::Seconds(5)});
  EXPECT_THAT(Receive(queue_, {.wait = absl::ZeroDuration()}), IsEmpty());
  EXPECT_EQ(Elapsed(), absl::ZeroDuration());
  EXPECT_THAT(Receive(queue_), IsEmpty());
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

TEST_F(WaitTest, DeletionEndsThePollWithNotFound) {
  After(absl::Seconds(1), [this] { broker_.Delete(queue_); });
  const absl::Status status = queue_.Receive({.wait = absl::Seconds(20)}).status();
  EXPECT_EQ(AwsCode(status), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
}

TEST_F(WaitTest, StopOfTheBrokerEndsThePollWithUnavailable) {
  After(absl::Seconds(1), [this] { queue_.core()->Close(CloseKind::kStopped); });
  EXPECT_EQ(queue_.Receive({.wait = absl::Seconds(20)}).status().code(),
            absl::StatusCode::kUnavailable);
}

// A poll belongs to one incarnation of its queue: it never takes from the next of the same name.
TEST_F(WaitTest, PollOfADeletedQueueTakesNothingFromItsSuccessor) {
  Queue successor;
  After(absl::Seconds(1), [&] {
    broker_.Delete(queue_);
    successor = broker_.Make("jobs");
    Send(successor, "for the new one");
  });
  EXPECT_EQ(queue_.Receive({.wait = absl::Seconds(20)}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReceiveOne(successor).receive_count(), 1);
}

TEST_F(WaitTest, StopTokenEndsThePollAndNothingIsTaken) {
  std::stop_source stop;
  After(absl::Seconds(1), [&] { stop.request_stop(); });
  absl::StatusOr<std::vector<Received>> got =
      queue_.Receive({.wait = absl::Seconds(20), .stop = stop.get_token()});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_THAT(*got, IsEmpty());
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
}

TEST_F(WaitTest, CancelledPollTakesNothingEvenIfAMessageArrivedAtTheSameInstant) {
  std::stop_source stop;
  After(absl::Seconds(1), [&] {
    Send(queue_, "m");
    stop.request_stop();
  });
  EXPECT_THAT(Receive(queue_, {.wait = absl::Seconds(20), .stop = stop.get_token()}), IsEmpty());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(queue_.Stats().received, 0);
}

TEST_F(WaitTest, DeadLettersFoundByAPollDoNotWaitForItsEnd) {
  Queue dead = broker_.Make("dead");
  queue_ = broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Send(queue_, "poison");
  Receive(queue_, {.visibility_timeout = absl::Seconds(5)});
  int64_t seen_at_six = -1;
  After(absl::Seconds(6), [&] { seen_at_six = dead.Depth().visible; });
  EXPECT_THAT(Poll(), IsEmpty());
  EXPECT_EQ(seen_at_six, 1);
}

// --- watchers -------------------------------------------------------------------------------

TEST_F(WaitTest, WatcherIsWokenOnceWhenAMessageArrives) {
  int woken = 0;
  queue_.core()->WaitAsync([&] { ++woken; });
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(woken, 0);
  Send(queue_, "1");
  EXPECT_EQ(woken, 0) << "never inside the call";
  Send(queue_, "2");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, 1);
}

TEST_F(WaitTest, WatcherOfAQueueWithAMessageIsWokenAtOnce) {
  Send(queue_, "1");
  int woken = 0;
  const uint64_t id = queue_.core()->WaitAsync([&] { ++woken; });
  EXPECT_FALSE(queue_.core()->CancelWait(id));
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, 1);
}

TEST_F(WaitTest, WatcherIsWokenByDelayAndVisibilityEnds) {
  std::vector<absl::Duration> woken;
  const auto watch = [&] { queue_.core()->WaitAsync([&] { woken.push_back(runtime_.Uptime()); }); };
  ASSERT_TRUE(queue_.Send({.body = "m", .delay = absl::Seconds(5)}).ok());
  watch();
  runtime_.Advance(absl::Seconds(10));
  ReceiveOne(queue_);
  watch();
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(woken, ElementsAre(absl::Seconds(5), absl::Seconds(40)));
}

TEST_F(WaitTest, OneArrivalWakesOneWatcherInTheOrderTheyCame) {
  std::string woken;
  queue_.core()->WaitAsync([&] { woken += 'a'; });
  queue_.core()->WaitAsync([&] { woken += 'b'; });
  queue_.core()->WaitAsync([&] { woken += 'c'; });
  Send(queue_, "1");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, "a");
  Send(queue_, "2");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, "ab");
}

TEST_F(WaitTest, WokenWatcherWhoTakesNothingPassesOn) {
  std::string woken;
  queue_.core()->WaitAsync([&] {
    woken += 'a';
    queue_.core()->PassOn();
  });
  queue_.core()->WaitAsync([&] { woken += 'b'; });
  Send(queue_, "1");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, "ab");
}

TEST_F(WaitTest, CancelledWatcherIsNotWoken) {
  int woken = 0;
  const uint64_t id = queue_.core()->WaitAsync([&] { ++woken; });
  EXPECT_TRUE(queue_.core()->CancelWait(id));
  EXPECT_FALSE(queue_.core()->CancelWait(id));
  Send(queue_, "1");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, 0);
}

TEST_F(WaitTest, CloseWakesEveryWatcher) {
  int woken = 0;
  for (int i = 0; i < 3; ++i) queue_.core()->WaitAsync([&] { ++woken; });
  broker_.Delete(queue_);
  queue_.core()->WaitAsync([&] { ++woken; });
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken, 4);
}

TEST_F(WaitTest, PollsAndWatchersTakeTurns) {
  int watcher_woken = 0;
  queue_.core()->WaitAsync([&] { ++watcher_woken; });
  int polled = 0;
  for (int i = 0; i < 2; ++i) {
    After(absl::Seconds(1), [this] { Send(queue_, "m"); });
    polled += static_cast<int>(Receive(queue_, {.wait = absl::Seconds(5)}).size());
  }
  EXPECT_EQ(watcher_woken, 1);
  EXPECT_GE(polled, 1);
}

// --- nothing while idle ---------------------------------------------------------------------

TEST_F(WaitTest, QueueWithoutPolicyOrWaiterSetsNoTimer) {
  Send(queue_, "m");
  ASSERT_TRUE(queue_.Send({.body = "later", .delay = absl::Minutes(1)}).ok());
  ReceiveOne(queue_);
  EXPECT_FALSE(queue_.core()->timer_pending());
  EXPECT_EQ(runtime_.Advance(absl::Hours(100)), 0) << "no task ran";
}

TEST_F(WaitTest, WaitingOnAnEmptyQueueSetsNoTimer) {
  queue_.core()->WaitAsync([] {});
  EXPECT_EQ(runtime_.Advance(absl::Hours(100)), 0);
}

TEST_F(WaitTest, DrainedQueueWithAPolicyFiresAtMostOnceMore) {
  Queue dead = broker_.Make("dead");
  queue_ = broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), 3}});
  for (int i = 0; i < 100; ++i) {
    Send(queue_, "m");
    ASSERT_TRUE(ReceiveOne(queue_).Delete().ok());
    runtime_.Advance(absl::Milliseconds(1));
  }
  EXPECT_LE(runtime_.Advance(absl::Hours(100)), 1);
  EXPECT_FALSE(queue_.core()->timer_pending());
}

TEST_F(WaitTest, IdleQueueHoldsNoSlots) {
  EXPECT_EQ(queue_.core()->slots_held(), 0u);
  RecordProperty("sizeof_QueueCore", static_cast<int>(sizeof(QueueCore)));
}

TEST_F(WaitTest, ThousandsOfMessagesReuseTheirPlaces) {
  for (int i = 0; i < 10'000; ++i) {
    Send(queue_, "m");
    ASSERT_TRUE(ReceiveOne(queue_).Delete().ok());
  }
  EXPECT_LE(queue_.core()->slots_held(), 32u);
}

}  // namespace
}  // namespace banyan::internal
