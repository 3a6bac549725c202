// SPDX-License-Identifier: Apache-2.0
//
// What a replay puts, in which order, who sees it, and how it ends.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "archive_testing.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReplayTest : public ArchiveFixture {
 protected:
  // Events "0", "1", ... in that order of time, a second apart.
  void PutMany(int count) {
    for (int i = 0; i < count; ++i) Put(std::to_string(i), At(i));
  }
  static std::vector<std::string> Counted(int begin, int end) {
    std::vector<std::string> list;
    for (int i = begin; i < end; ++i) list.push_back(std::to_string(i));
    return list;
  }
  // Runs a replay to its end; its events, as `queue` got them.
  std::vector<std::string> Run(const std::string& name, ReplayOptions options, const Queue& queue) {
    if (options.archive.empty()) options.archive = "a";
    broker_.StartReplay(name, options).value();
    runtime_.RunUntilIdle();
    EXPECT_EQ(Replay(name).state, ReplayState::kCompleted);
    return DrainTypes(queue);
  }
  // Runs `task` after the replay's slice that is due now, and before the one after it.
  void AfterOneSlice(Task task) { runtime_.PostAt(runtime_.Uptime(), std::move(task)); }
};

TEST_F(ReplayTest, AnEventComesAgainWithTheReplaysName) {
  Make("a");
  const Queue queue = Listen("q");
  const Id id = Put("order", At(-100) + absl::Milliseconds(700), R"({"total": 7})");
  const std::vector<std::string> first = DrainBodies(queue);
  ASSERT_THAT(first, SizeIs(1));
  runtime_.Advance(absl::Hours(1));
  broker_.StartReplay("again", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue),
              ElementsAre(R"({"version":"0","id":")" + id.ToString() +
                          R"(","detail-type":"order","source":"s","account":"000000000000",)"
                          R"("time":"2025-12-31T23:58:20Z","region":"us-east-1",)"
                          R"("replay-name":"again","resources":[],"detail":{"total":7}})"));
}

TEST_F(ReplayTest, ItStartsRunsAndCompletes) {
  Make("a");
  const Queue queue = Listen("q");
  PutMany(250);
  DrainBodies(queue);
  runtime_.Advance(absl::Minutes(10));
  const ReplayDescription begun = broker_
                                      .StartReplay("r", {.archive = "a",
                                                         .start = At(0) + absl::Milliseconds(500),
                                                         .end = At(240),
                                                         .rules = {"q"},
                                                         .description = "why"})
                                      .value();
  EXPECT_EQ(begun.name, "r");
  EXPECT_EQ(begun.arn.ToString(), "arn:aws:events:us-east-1:000000000000:replay/r");
  EXPECT_EQ(begun.archive_arn, Look("a").arn);
  EXPECT_EQ(begun.destination_arn, bus_.arn());
  EXPECT_THAT(begun.rule_arns, ElementsAre(bus_.FindRule("q")->arn()));
  EXPECT_EQ(begun.description, "why");
  EXPECT_EQ(begun.event_start_time, At(0));
  EXPECT_EQ(begun.event_end_time, At(240));
  EXPECT_EQ(begun.state, ReplayState::kStarting);
  EXPECT_EQ(ReplayStateName(begun.state), "STARTING");
  EXPECT_EQ(begun.replay_start_time, At(600));
  EXPECT_FALSE(begun.replay_end_time.has_value());
  EXPECT_FALSE(begun.event_last_replayed_time.has_value());
  EXPECT_EQ(begun.events_replayed, 0);
  EXPECT_EQ(begun.events_total, 240);

  bool looked = false;
  AfterOneSlice([&] {
    const ReplayDescription running = Replay("r");
    EXPECT_EQ(running.state, ReplayState::kRunning);
    EXPECT_EQ(running.events_replayed, 100) << "a slice is so many";
    EXPECT_EQ(running.event_last_replayed_time, At(99));
    EXPECT_FALSE(running.replay_end_time.has_value());
    looked = true;
  });
  runtime_.RunUntilIdle();
  EXPECT_TRUE(looked);
  const ReplayDescription done = Replay("r");
  EXPECT_EQ(done.state, ReplayState::kCompleted);
  EXPECT_EQ(done.events_replayed, 240);
  EXPECT_EQ(done.event_last_replayed_time, At(239));
  EXPECT_EQ(done.replay_end_time, At(600));
  EXPECT_EQ(done.state_reason, "");
  EXPECT_EQ(DrainTypes(queue), Counted(0, 240));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ReplayTest, OneWithNothingToDoCompletes) {
  Make("a");
  Put("1", At(100));
  broker_.StartReplay("r", {.archive = "a", .end = At(100)}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kCompleted);
  EXPECT_EQ(Replay("r").events_total, 0);
  EXPECT_FALSE(Replay("r").event_last_replayed_time.has_value());
  EXPECT_TRUE(Replay("r").replay_end_time.has_value());
}

TEST_F(ReplayTest, ItsWindowHasItsStartAndNotItsEnd) {
  Make("a");
  const Queue queue = Listen("q");
  PutMany(10);
  DrainBodies(queue);
  EXPECT_EQ(Run("r1", {.start = At(3), .end = At(6)}, queue), Counted(3, 6));
  EXPECT_EQ(Run("r2", {.end = At(2)}, queue), Counted(0, 2));
  EXPECT_EQ(Run("r3", {.start = At(8)}, queue), Counted(8, 10));
  EXPECT_EQ(Replay("r3").event_end_time, absl::InfiniteFuture());
  // An event of this second has its beginning as its time; the window's fraction is dropped, too.
  Put("now", At(50) + absl::Milliseconds(900));
  DrainBodies(queue);
  EXPECT_THAT(Run("r4", {.start = At(50) + absl::Milliseconds(100)}, queue), ElementsAre("now"));
}

TEST_F(ReplayTest, TheOrderIsThatOfTheEventsTimes) {
  Make("a");
  const Queue queue = Listen("q");
  Put("now 1");
  Put("last year", At(0) - 365 * kDay);
  Put("tomorrow", At(0) + kDay);
  Put("now 2");
  Put("last year, too", At(0) - 365 * kDay);
  Put("1970", absl::FromUnixSeconds(0));
  Put("9999", absl::FromUnixSeconds(253'402'300'799));
  Put("leap day", absl::FromUnixSeconds(1'709'251'199));
  DrainBodies(queue);
  EXPECT_THAT(Run("r", {}, queue), ElementsAre("1970", "leap day", "last year", "last year, too",
                                               "now 1", "now 2", "tomorrow", "9999"));
  EXPECT_EQ(Replay("r").event_last_replayed_time, absl::FromUnixSeconds(253'402'300'799));
  EXPECT_THAT(
      Run("leap", {.start = absl::FromUnixSeconds(1'709'251'199), .end = At(-1'000)}, queue),
      ElementsAre("leap day", "last year", "last year, too"));
}

TEST_F(ReplayTest, OnlyTheRulesItNamesSeeIt) {
  Make("a");
  const Queue one = Listen("one"), two = Listen("two"), three = Listen("three");
  Put("1");
  for (const Queue& queue : {one, two, three}) DrainBodies(queue);
  broker_.StartReplay("r", {.archive = "a", .rules = {"three", "one"}}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(one), SizeIs(1));
  EXPECT_THAT(DrainBodies(two), IsEmpty());
  EXPECT_THAT(DrainBodies(three), SizeIs(1));
  EXPECT_EQ(bus_.FindRule("one")->Stats().matched, 2);
  EXPECT_EQ(bus_.FindRule("two")->Stats().matched, 1);
}

TEST_F(ReplayTest, RulesJudgeItAsAnyEvent) {
  Make("a");
  const Queue live = Listen("live", R"({"source":["s"],"replay-name":[{"exists":false}]})");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  const Queue off = Listen("off");
  Put("1");
  EXPECT_THAT(DrainBodies(live), SizeIs(1));
  EXPECT_THAT(DrainBodies(again), IsEmpty());
  DrainBodies(off);
  ASSERT_TRUE(bus_.FindRule("off")->Disable().ok());
  // A rule that came since sees it, too.
  const Queue later = Listen("later");
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(live), IsEmpty());
  EXPECT_THAT(DrainBodies(again), SizeIs(1));
  EXPECT_THAT(DrainBodies(off), IsEmpty());
  EXPECT_THAT(DrainBodies(later), SizeIs(1));
}

TEST_F(ReplayTest, NoArchiveTakesItAndItsBooksAreApart) {
  Make("a");
  Make("b");
  PutMany(3);
  const EventBusStats before = bus_.Stats();
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(Look("a").event_count, 3);
  EXPECT_EQ(Look("b").event_count, 3);
  const EventBusStats after = bus_.Stats();
  EXPECT_EQ(after.replayed, 3);
  EXPECT_EQ(after.accepted, before.accepted);
  EXPECT_EQ(after.unmatched, before.unmatched);
}

TEST_F(ReplayTest, TwoAtOnceDisturbNeitherEachOtherNorTheArchive) {
  Make("a");
  const Queue one = Listen("one", R"({"replay-name":["r1"]})");
  const Queue two = Listen("two", R"({"replay-name":["r2"]})");
  PutMany(350);
  broker_.StartReplay("r1", {.archive = "a"}).value();
  broker_.StartReplay("r2", {.archive = "a", .start = At(50)}).value();
  AfterOneSlice([&] {
    EXPECT_EQ(Replay("r1").state, ReplayState::kRunning);
    EXPECT_EQ(Replay("r2").state, ReplayState::kRunning);
  });
  runtime_.RunUntilIdle();
  EXPECT_EQ(DrainTypes(one), Counted(0, 350));
  EXPECT_EQ(DrainTypes(two), Counted(50, 350));
}

TEST_F(ReplayTest, WhatComesMeanwhileIsNotReplayed) {
  Make("a");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  PutMany(250);
  broker_.StartReplay("r", {.archive = "a"}).value();
  AfterOneSlice([&] {
    Put("behind", At(10));
    Put("ahead", At(200));
    Put("after", At(1'000));
  });
  runtime_.RunUntilIdle();
  EXPECT_EQ(DrainTypes(again), Counted(0, 250));
  EXPECT_EQ(Replay("r").events_replayed, 250);
  EXPECT_EQ(Replay("r").events_total, 250);
  EXPECT_EQ(Look("a").event_count, 253);
}

TEST_F(ReplayTest, ReceiversThatPutNewEventsDoNotKeepItGoing) {
  Make("a");
  int calls = 0;
  const Function echo = broker_
                            .CreateFunction("echo", {},
                                            [&](const FunctionEvent&) {
                                              ++calls;
                                              Put("echo", At(10'000));
                                              return absl::OkStatus();
                                            })
                            .value();
  bus_.PutRule("echo", {.pattern = R"({"replay-name":[{"exists":true}]})", .targets = {echo}})
      .value();
  PutMany(150);
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 150);
  EXPECT_EQ(Replay("r").state, ReplayState::kCompleted);
  EXPECT_EQ(Look("a").event_count, 300);
}

TEST_F(ReplayTest, WhatLeavesBeforeItsTurnIsNotReplayed) {
  Make("a");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  PutMany(250);
  const int64_t all = Look("a").held_bytes;
  broker_.StartReplay("r", {.archive = "a"}).value();
  AfterOneSlice([&] { broker_.UpdateArchive("a", {.bytes_max = all / 5}).value(); });
  runtime_.RunUntilIdle();
  std::vector<std::string> had = DrainTypes(again);
  EXPECT_EQ(Replay("r").state, ReplayState::kCompleted);
  EXPECT_EQ(Replay("r").events_replayed, static_cast<int64_t>(had.size()));
  EXPECT_EQ(Replay("r").events_total, 250);
  EXPECT_GE(had.size(), 145u);
  EXPECT_LE(had.size(), 155u);
  EXPECT_EQ(std::vector<std::string>(had.begin(), had.begin() + 100), Counted(0, 100));
  EXPECT_EQ(had.back(), "249");
}

TEST_F(ReplayTest, ItCanBeCancelledBeforeItRuns) {
  Make("a");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  PutMany(3);
  broker_.StartReplay("r", {.archive = "a"}).value();
  EXPECT_EQ(broker_.CancelReplay("r")->state, ReplayState::kCancelling);
  EXPECT_FALSE(Replay("r").replay_end_time.has_value());
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kCancelled);
  EXPECT_TRUE(Replay("r").replay_end_time.has_value());
  EXPECT_THAT(DrainBodies(again), IsEmpty());
}

TEST_F(ReplayTest, ItCanBeCancelledInTheMiddle) {
  Make("a");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  PutMany(350);
  broker_.StartReplay("r", {.archive = "a"}).value();
  AfterOneSlice([&] { EXPECT_TRUE(broker_.CancelReplay("r").ok()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kCancelled);
  EXPECT_EQ(Replay("r").events_replayed, 100);
  EXPECT_EQ(DrainTypes(again), Counted(0, 100));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

// A log sink is called inside the slice, which is the last one here.
TEST(ReplayWithinASlice, ACancelDuringTheLastSliceIsACancel) {
  struct Cancelling : LogSink {
    void Write(const LogRecord&) override {
      if (broker != nullptr) broker->CancelReplay("r").status().IgnoreError();
    }
    Broker* broker = nullptr;
  } log;
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {.log = &log}).value();
  const EventBus bus = broker.FindEventBus("default").value();
  bus.PutRule("lost", {.pattern = R"({"replay-name":["r"]})",
                       .targets = {broker.CreateQueue("gone").value()}})
      .value();
  ASSERT_TRUE(broker.DeleteQueue("gone").ok());
  broker.CreateArchive("a", {.bus = "default"}).value();
  bus.Put({.source = "s", .detail_type = "d", .detail = "{}"}).value();
  runtime.Advance(absl::Minutes(1));
  log.broker = &broker;
  broker.StartReplay("r", {.archive = "a"}).value();
  runtime.RunUntilIdle();
  log.broker = nullptr;
  EXPECT_EQ(broker.DescribeReplay("r")->state, ReplayState::kCancelled);
  EXPECT_EQ(broker.DescribeReplay("r")->events_replayed, 1);
}

TEST_F(ReplayTest, ItFailsWhenItsArchiveGoes) {
  Make("a");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  PutMany(350);
  broker_.StartReplay("r", {.archive = "a"}).value();
  AfterOneSlice([&] { EXPECT_TRUE(broker_.DeleteArchive("a").ok()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kFailed);
  EXPECT_EQ(Replay("r").state_reason, "Archive a does not exist.");
  EXPECT_TRUE(Replay("r").replay_end_time.has_value());
  EXPECT_EQ(Replay("r").events_replayed, 100);
  EXPECT_THAT(DrainBodies(again), SizeIs(100));
}

TEST_F(ReplayTest, ItFailsWhenItsBusGoes) {
  Make("a");
  PutMany(350);
  broker_.StartReplay("r", {.archive = "a"}).value();
  AfterOneSlice([&] { EXPECT_TRUE(broker_.DeleteEventBus("shop").ok()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kFailed);
  EXPECT_EQ(Replay("r").state_reason, "Event bus shop does not exist.");
  EXPECT_EQ(Replay("r").events_replayed, 100);
  EXPECT_EQ(Look("a").event_count, 350);
}

TEST_F(ReplayTest, ItsNameIsFreeNinetyDaysAfterItsEnd) {
  Make("a");
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.Advance(90 * kDay - absl::Nanoseconds(1));
  EXPECT_TRUE(broker_.DescribeReplay("r").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(broker_.StartReplay("r", {.archive = "a"}).status()));
  EXPECT_THAT(broker_.ListReplays()->replays, SizeIs(1));
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_TRUE(absl::IsNotFound(broker_.DescribeReplay("r").status()));
  EXPECT_THAT(broker_.ListReplays()->replays, IsEmpty());
  EXPECT_TRUE(broker_.StartReplay("r", {.archive = "a"}).ok());
}

TEST_F(ReplayTest, ListsAreByNameAndInPages) {
  Make("a");
  Make("b");
  for (const char* name : {"x2", "x1", "y"}) broker_.StartReplay(name, {.archive = "a"}).value();
  broker_.StartReplay("z", {.archive = "b"}).value();
  const auto names = [&](ListReplaysOptions options) {
    std::vector<std::string> list;
    for (;;) {
      const ReplayPage page = broker_.ListReplays(options).value();
      for (const ReplayDescription& replay : page.replays) list.push_back(replay.name);
      if (page.next_token.empty()) return list;
      list.push_back("|");
      options.next_token = page.next_token;
    }
  };
  EXPECT_THAT(names({.limit = 3}), ElementsAre("x1", "x2", "y", "|", "z"));
  EXPECT_THAT(names({.name_prefix = "x", .limit = 1}), ElementsAre("x1", "|", "x2"));
  EXPECT_THAT(names({.archive = "b"}), ElementsAre("z"));
  EXPECT_THAT(names({.archive = "none"}), IsEmpty());
  broker_.CancelReplay("y").value();
  EXPECT_THAT(names({.state = ReplayState::kStarting}), ElementsAre("x1", "x2", "z"));
  EXPECT_THAT(names({.state = ReplayState::kCancelling}), ElementsAre("y"));
  runtime_.RunUntilIdle();
  EXPECT_THAT(names({.state = ReplayState::kCompleted}), ElementsAre("x1", "x2", "z"));
}

TEST_F(ReplayTest, AFailedDeliveryIsTriedAgainAndRestsWithItsReplaysName) {
  Make("a");
  const Queue dead = broker_.CreateQueue("dead").value();
  int attempts = 0;
  std::vector<absl::Time> accepted;
  const Function broken = broker_
                              .CreateFunction("broken", {},
                                              [&](const FunctionEvent& event) {
                                                ++attempts;
                                                accepted.push_back(event.accepted_time);
                                                return absl::InternalError("no");
                                              })
                              .value();
  bus_.PutRule("broken", {.pattern = R"({"replay-name":["r"]})",
                          .targets = {Target(broken).Retry({.retries_max = 2}).DeadLetter(dead)}})
      .value();
  Put("1");
  runtime_.Advance(30 * kDay);  // older than any retry may be
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.Advance(absl::Minutes(10));
  EXPECT_EQ(attempts, 3) << "its age counts from the replay";
  EXPECT_EQ(accepted.front(), At(0) + 30 * kDay);
  EXPECT_THAT(MembersOf(DrainBodies(dead), "replay-name"), ElementsAre("r"));
}

TEST_F(ReplayTest, ItGoesSlowlyWhileATargetIsBehind) {
  Make("a");
  int64_t called = 0;
  const Function slow = broker_
                            .CreateFunction("slow", {},
                                            [&](const FunctionEvent&) {
                                              ++called;
                                              return absl::UnavailableError("busy");
                                            })
                            .value();
  const Queue quick = Listen("quick", R"({"replay-name":["r"]})");
  PutMany(2'500);
  bus_.PutRule("slow", {.pattern = R"({"replay-name":["r"]})",
                        .targets = {Target(slow).Retry(
                            {.backoff_first = absl::Hours(1), .backoff_max = absl::Hours(1)})}})
      .value();
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kRunning);
  EXPECT_EQ(Replay("r").events_replayed, 1'100);
  runtime_.Advance(absl::Milliseconds(500));
  EXPECT_EQ(Replay("r").events_replayed, 1'600);
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(Replay("r").state, ReplayState::kCompleted) << "it does not stand still for one target";
  EXPECT_EQ(DrainTypes(quick), Counted(0, 2'500));
}

TEST_F(ReplayTest, AStoppingBrokerReplaysNoFurther) {
  Make("a");
  const Queue again = Listen("again", R"({"replay-name":["r"]})");
  PutMany(350);
  broker_.StartReplay("r", {.archive = "a"}).value();
  int64_t resting = -1;
  AfterOneSlice([&] { resting = broker_.Stop(absl::Seconds(10)).messages_resting; });
  runtime_.RunUntilIdle();
  EXPECT_EQ(resting, 100);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration()) << "no timer is left";
  EXPECT_TRUE(absl::IsUnavailable(broker_.DescribeReplay("r").status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.DescribeArchive("a").status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.CreateArchive("b", {}).status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.UpdateArchive("a", {.description = "x"}).status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.DeleteArchive("a")));
  EXPECT_TRUE(absl::IsUnavailable(broker_.ListArchives().status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.StartReplay("s", {.archive = "a"}).status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.CancelReplay("r").status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.ListReplays().status()));
}

TEST_F(ReplayTest, AResetEndsItAndFreesAllNames) {
  Make("a");
  PutMany(350);
  broker_.StartReplay("r", {.archive = "a"}).value();
  AfterOneSlice([&] { broker_.Reset(); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_TRUE(absl::IsNotFound(broker_.DescribeReplay("r").status()));
  bus_ = broker_.CreateEventBus("shop").value();
  EXPECT_EQ(Make("a").event_count, 0);
  const Queue queue = Listen("q");
  Put("1");
  DrainBodies(queue);
  EXPECT_THAT(Run("r", {}, queue), ElementsAre("1"));
}

TEST_F(ReplayTest, ABrokerThatIsDestroyedLeavesNoTask) {
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    const EventBus bus = broker.FindEventBus("default").value();
    broker.CreateArchive("a", {}).value();
    bus.Put({.source = "s", .detail_type = "t", .detail = "{}"}).value();
    broker.StartReplay("r", {.archive = "a"}).value();
    EXPECT_EQ(runtime_.NextDue(), runtime_.Uptime());
  }
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ReplayTest, AMovedFromBrokerKnowsNoArchives) {
  Broker other = std::move(broker_);
  EXPECT_TRUE(absl::IsUnavailable(broker_.DescribeArchive("a").status()));
  EXPECT_TRUE(absl::IsUnavailable(broker_.StartReplay("r", {}).status()));
  broker_ = std::move(other);
}

}  // namespace
}  // namespace banyan
