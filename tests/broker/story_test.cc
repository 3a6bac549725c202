// SPDX-License-Identifier: Apache-2.0
//
// One event's story by its id: that each hop tells, that the text reads well, that it is bounded.
#include "banyan/story.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "broker/broker_core.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::Not;
using testing::SimulatedRuntime;
using ::testing::SizeIs;
using testing::StatusIs;
using StepKind = StoryStep::Kind;

class StoryTest : public ::testing::Test {
 protected:
  std::vector<StoryStep> StepsAt(const Id& event, const Arn& resource) const {
    std::vector<StoryStep> steps;
    const EventStory story = broker_.Story(event).value();
    for (const StoryStep& step : story.steps) {
      if (step.resource == resource.ToString()) steps.push_back(step);
    }
    return steps;
  }
  std::vector<StepKind> KindsAt(const Id& event, const Arn& resource) const {
    std::vector<StepKind> kinds;
    for (const StoryStep& step : StepsAt(event, resource)) kinds.push_back(step.kind);
    return kinds;
  }
  Received One(const Queue& queue) {
    std::vector<Received> received = queue.Receive().value();
    EXPECT_THAT(received, SizeIs(1));
    return received.at(0);
  }

  SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {.story = {.events_max = 100}}).value();
};

TEST_F(StoryTest, ATopicsFanOutWithAFunctionThatFailsUntilItIsADeadLetter) {
  const Topic orders = broker_.CreateTopic("orders").value();
  const Queue billing = broker_.CreateQueue("billing").value();
  const Queue dead = broker_.CreateQueue("dead").value();
  const Function audit =
      broker_
          .CreateFunction("audit", {},
                          [](const FunctionEvent&) { return absl::DataLossError("disk\nfull"); })
          .value();
  const Subscription to_billing = orders.Subscribe(billing, {.raw = true}).value();
  orders.Subscribe(broker_.CreateQueue("gold").value(), {.filter_policy = R"({"tier": ["gold"]})"})
      .value();
  const Subscription to_audit =
      orders.Subscribe(Target(audit).Retry({.retries_max = 1}).DeadLetter(dead)).value();

  const Id id = orders.Publish({.body = "m"}).value().message_id;
  runtime_.Advance(absl::Seconds(10));
  const Received received = One(billing);
  ASSERT_THAT(received.Delete(), IsOk());

  EXPECT_THAT(KindsAt(id, orders.arn()),
              ElementsAre(StepKind::kAccepted, StepKind::kMatched, StepKind::kMatched));
  EXPECT_THAT(KindsAt(id, billing.arn()),
              ElementsAre(StepKind::kArrived, StepKind::kReceived, StepKind::kSettled));
  EXPECT_THAT(KindsAt(id, audit.arn()),
              ElementsAre(StepKind::kFailed, StepKind::kFailed, StepKind::kDeadLettered));
  EXPECT_THAT(KindsAt(id, dead.arn()), ElementsAre(StepKind::kArrived));

  const std::vector<StoryStep> at_billing = StepsAt(id, billing.arn());
  EXPECT_EQ(at_billing[0].message_id, received.id());
  EXPECT_EQ(at_billing[0].time, absl::FromUnixSeconds(1'767'225'600));
  EXPECT_EQ(at_billing[1].time, absl::FromUnixSeconds(1'767'225'610));
  EXPECT_EQ(at_billing[1].attempt, 1);
  const std::vector<StoryStep> at_audit = StepsAt(id, audit.arn());
  EXPECT_EQ(at_audit[0].attempt, 1);
  EXPECT_EQ(at_audit[1].attempt, 2);
  EXPECT_EQ(at_audit[0].through, to_audit.arn().ToString());
  EXPECT_THAT(at_audit[0].text, HasSubstr("disk\nfull"));
  EXPECT_EQ(at_audit[2].destination, dead.arn().ToString());

  // The retry's moment is chance; all else is told.
  std::string text = broker_.Story(id).value().ToString();
  const absl::Duration retried = at_audit[1].uptime - at_audit[0].uptime;
  EXPECT_GT(retried, absl::ZeroDuration());
  const std::string when = absl::StrFormat("+%.3f s", absl::ToDoubleSeconds(retried));
  EXPECT_EQ(text, "event " + id.ToString() +
                      ", since 2026-01-01T00:00:00Z\n"
                      "+0.000 s  topic orders: accepted\n"
                      "+0.000 s  topic orders: matched subscription " +
                      to_billing.arn().resource +
                      ", goes to queue billing\n"
                      "  +0.000 s  queue billing: arrived as message " +
                      received.id().ToString() +
                      "\n"
                      "  +10.000 s  queue billing: received, attempt 1\n"
                      "  +10.000 s  queue billing: settled\n"
                      "+0.000 s  topic orders: matched subscription " +
                      to_audit.arn().resource +
                      ", goes to function audit\n"
                      "  +0.000 s  function audit: attempt 1 failed: DATA_LOSS: disk\\nfull\n"
                      "  " +
                      when +
                      "  function audit: attempt 2 failed: DATA_LOSS: disk\\nfull\n"
                      "  " +
                      when +
                      "  function audit: goes to dead-letter queue dead after 2 attempts\n"
                      "    " +
                      when + "  queue dead: arrived as message " +
                      StepsAt(id, dead.arn()).at(0).message_id.ToString() + "\n");
}

TEST_F(StoryTest, ABusARuleATopicAQueueAndAConsumer) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  const EventBus audit = broker_.CreateEventBus("audit").value();
  const Topic news = broker_.CreateTopic("news").value();
  const Queue inbox =
      broker_.CreateQueue("inbox", {.visibility_timeout = absl::Seconds(5)}).value();
  const Stream clicks = broker_.CreateStream("clicks").value();
  const Rule rule = shop.PutRule("all", {.pattern = R"({"source": ["shop"]})",
                                         .targets = {Target(news), Target(clicks), Target(audit)}})
                        .value();
  news.Subscribe(inbox, {.raw = true}).value();
  int calls = 0;
  Consumer worker = Consumer::Start(inbox, {}, [&calls](const Received&) {
                      return ++calls == 1 ? absl::UnavailableError("not yet") : absl::OkStatus();
                    }).value();
  const Id id = shop.Put({.source = "shop", .detail_type = "d", .detail = "{}"}).value();
  runtime_.Advance(absl::Seconds(20));
  ASSERT_THAT(worker.Stop(absl::Seconds(1)), IsOk());

  EXPECT_THAT(KindsAt(id, shop.arn()), ElementsAre(StepKind::kAccepted, StepKind::kMatched,
                                                   StepKind::kMatched, StepKind::kMatched));
  EXPECT_EQ(StepsAt(id, shop.arn())[1].through, rule.arn().ToString());
  EXPECT_THAT(KindsAt(id, news.arn()), ElementsAre(StepKind::kArrived, StepKind::kMatched));
  EXPECT_THAT(KindsAt(id, clicks.arn()), ElementsAre(StepKind::kArrived));
  EXPECT_EQ(StepsAt(id, clicks.arn())[0].text, "shardId-000000000000, record 1");
  EXPECT_THAT(KindsAt(id, audit.arn()), ElementsAre(StepKind::kArrived, StepKind::kUnmatched));
  EXPECT_THAT(KindsAt(id, inbox.arn()),
              ElementsAre(StepKind::kArrived, StepKind::kReceived, StepKind::kFailed,
                          StepKind::kReturned, StepKind::kReceived, StepKind::kSettled));
  EXPECT_THAT(StepsAt(id, inbox.arn())[2].text, HasSubstr("not yet"));
  EXPECT_EQ(StepsAt(id, inbox.arn())[3].uptime, absl::Seconds(5));
  EXPECT_THAT(broker_.Story(id).value().ToString(),
              HasSubstr("+0.000 s  bus shop: matched rule shop/all, goes to topic news\n"
                        "  +0.000 s  topic news: arrived as message "));
}

TEST_F(StoryTest, AQueuesDeadLettersAreToldOverTheRedrive) {
  const Queue dead = broker_.CreateQueue("dead").value();
  const Queue jobs = broker_
                         .CreateQueue("jobs", {.visibility_timeout = absl::Seconds(1),
                                               .redrive = RedrivePolicy{dead.arn(), 2}})
                         .value();
  const Id id = jobs.Send({.body = "m"}).value().message_id;
  One(jobs);
  runtime_.Advance(absl::Seconds(1));
  One(jobs);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(dead.Redrive().value(), 1);
  const Received again = One(jobs);
  ASSERT_THAT(again.MoveToDeadLetterQueue("never"), IsOk());
  EXPECT_THAT(KindsAt(id, jobs.arn()),
              ElementsAre(StepKind::kAccepted, StepKind::kReceived, StepKind::kReturned,
                          StepKind::kReceived, StepKind::kDeadLettered, StepKind::kArrived,
                          StepKind::kReceived, StepKind::kDeadLettered));
  EXPECT_EQ(StepsAt(id, jobs.arn())[4].attempt, 2);
  EXPECT_EQ(StepsAt(id, jobs.arn())[7].text, "never");
  EXPECT_THAT(KindsAt(id, dead.arn()),
              ElementsAre(StepKind::kArrived, StepKind::kMoved, StepKind::kArrived));
  // The redriven message has another id. Either finds the story.
  EXPECT_NE(again.id(), id);
  EXPECT_EQ(broker_.Story(again.id()).value().event_id, id);
  const std::string text = broker_.Story(id).value().ToString();
  EXPECT_THAT(text, HasSubstr("goes to dead-letter queue dead after 2 attempts\n  +2.000 s  queue "
                              "dead: arrived\n  +2.000 s  queue dead: redriven to queue jobs\n"));
}

TEST_F(StoryTest, ADeadLettersWayBackIsToldAndThatItHasNone) {
  const EventBus bus = broker_.CreateEventBus("b").value();
  const Queue dead = broker_.CreateQueue("dead").value();
  bool fails = true;
  const Function function =
      broker_
          .CreateFunction("f", {},
                          [&fails](const FunctionEvent&) {
                            return fails ? absl::UnavailableError("not yet") : absl::OkStatus();
                          })
          .value();
  const Rule rule =
      bus.PutRule(
             "r",
             {.pattern = R"({"source": ["s"]})",
              .targets = {Target(function).Id("t").Retry({.retries_max = 0}).DeadLetter(dead)}})
          .value();
  const EventEntry entry = {.source = "s", .detail_type = "t", .detail = "{}"};
  const Id back = bus.Put(entry).value();
  runtime_.RunUntilIdle();
  fails = false;
  EXPECT_EQ(dead.Redrive().value(), 1);
  runtime_.RunUntilIdle();
  EXPECT_THAT(KindsAt(back, dead.arn()), ElementsAre(StepKind::kArrived, StepKind::kMoved));

  fails = true;
  const Id stays = bus.Put(entry).value();
  runtime_.RunUntilIdle();
  ASSERT_TRUE(rule.RemoveTargets(std::vector<std::string>{"t"}).ok());
  EXPECT_EQ(dead.Redrive().value(), 0);
  EXPECT_THAT(KindsAt(stays, dead.arn()),
              ElementsAre(StepKind::kArrived, StepKind::kMoved, StepKind::kArrived));
  EXPECT_EQ(StepsAt(stays, dead.arn()).back().text, "it could not go back");
}

TEST_F(StoryTest, TheEndsOfAMessage) {
  const Queue brief = broker_.CreateQueue("brief", {.retention = absl::Minutes(1)}).value();
  const Queue full =
      broker_.CreateQueue("full", {.messages_max = 1, .when_full = WhenFull::kDropOldest}).value();
  const Queue lost = broker_.CreateQueue("lost").value();
  const Queue purged = broker_.CreateQueue("purged").value();
  const Id expired = brief.Send({.body = "m"}).value().message_id;
  const Id displaced = full.Send({.body = "m"}).value().message_id;
  full.Send({.body = "n"}).value();
  const Id with_queue = lost.Send({.body = "m"}).value().message_id;
  ASSERT_THAT(broker_.DeleteQueue("lost"), IsOk());
  const Id purged_id = purged.Send({.body = "m"}).value().message_id;
  ASSERT_THAT(purged.Purge(), IsOk());
  runtime_.Advance(absl::Minutes(3));

  // Nobody has looked at the queue since.
  EXPECT_THAT(KindsAt(expired, brief.arn()), ElementsAre(StepKind::kAccepted, StepKind::kExpired));
  EXPECT_EQ(StepsAt(expired, brief.arn())[1].uptime, absl::Minutes(1));
  EXPECT_THAT(KindsAt(displaced, full.arn()), ElementsAre(StepKind::kAccepted, StepKind::kDropped));
  EXPECT_THAT(KindsAt(with_queue, lost.arn()),
              ElementsAre(StepKind::kAccepted, StepKind::kDropped));
  EXPECT_THAT(KindsAt(purged_id, purged.arn()),
              ElementsAre(StepKind::kAccepted, StepKind::kSettled));
}

TEST_F(StoryTest, WhatIsGivenUpWithoutADeadLetterQueueIsDropped) {
  const Topic topic = broker_.CreateTopic("t").value();
  const Queue gone = broker_.CreateQueue("gone").value();
  topic.Subscribe(gone).value();
  ASSERT_THAT(broker_.DeleteQueue("gone"), IsOk());
  const Id id = topic.Publish({.body = "m"}).value().message_id;
  EXPECT_THAT(KindsAt(id, gone.arn()), ElementsAre(StepKind::kFailed, StepKind::kDropped));
  EXPECT_THAT(broker_.Story(id).value().ToString(),
              HasSubstr("dropped after 1 attempt: NOT_FOUND: The specified queue does not exist."));
}

TEST_F(StoryTest, AnInlineFunctionIsToldOnce) {
  const Topic topic = broker_.CreateTopic("t").value();
  int failures = 1;
  const Function function =
      broker_
          .CreateFunction("f", {},
                          [&failures](const FunctionEvent&) {
                            return failures-- > 0 ? absl::UnknownError("x") : absl::OkStatus();
                          })
          .value();
  topic.Subscribe(function, {.call_inline = true}).value();
  const Id first = topic.Publish({.body = "m"}).value().message_id;
  runtime_.Advance(absl::Minutes(1));
  const Id second = topic.Publish({.body = "m"}).value().message_id;
  EXPECT_THAT(KindsAt(first, function.arn()), ElementsAre(StepKind::kFailed, StepKind::kDelivered));
  EXPECT_EQ(StepsAt(first, function.arn())[1].attempt, 2);
  EXPECT_THAT(KindsAt(second, function.arn()), ElementsAre(StepKind::kDelivered));
}

TEST_F(StoryTest, RepeatsOfAFifoMessageBelongToTheFirst) {
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const PublishRequest request = {
      .body = "m", .message_group_id = "g", .message_deduplication_id = "d"};
  const Id id = topic.Publish(request).value().message_id;
  EXPECT_EQ(topic.Publish(request).value().message_id, id);
  EXPECT_THAT(KindsAt(id, topic.arn()),
              ElementsAre(StepKind::kAccepted, StepKind::kUnmatched, StepKind::kDuplicate));
}

TEST_F(StoryTest, ArchivesReplaysAndSchedulesTell) {
  const EventBus bus = broker_.FindEventBus("default").value();
  const Queue inbox = broker_.CreateQueue("inbox").value();
  const Rule rule =
      bus.PutRule("all", {.pattern = R"({"source": ["shop"]})", .targets = {inbox}}).value();
  const Arn archive = broker_.CreateArchive("keep", {}).value().arn;
  const Id id = bus.Put({.source = "shop", .detail_type = "d", .detail = "{}"}).value();
  runtime_.Advance(absl::Seconds(2));
  broker_
      .StartReplay(
          "again",
          {.archive = "keep", .start = runtime_.Now() - absl::Hours(1), .end = runtime_.Now()})
      .value();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(
      KindsAt(id, bus.arn()),
      ::testing::UnorderedElementsAre(StepKind::kAccepted, StepKind::kArchived, StepKind::kMatched,
                                      StepKind::kReplayed, StepKind::kMatched));
  EXPECT_THAT(KindsAt(id, inbox.arn()), ElementsAre(StepKind::kArrived, StepKind::kArrived));
  EXPECT_THAT(broker_.Story(id).value().ToString(), HasSubstr("bus default: kept in archive keep"));

  const Queue tick = broker_.CreateQueue("tick").value();
  const Arn schedule =
      broker_.CreateSchedule("often", {.schedule_expression = "rate(1 minute)", .target = tick})
          .value();
  const Rule often =
      bus.PutRule("often", {.schedule_expression = "rate(1 minute)", .targets = {tick}}).value();
  runtime_.Advance(absl::Minutes(1));
  std::vector<std::string> roots;
  const std::vector<Received> ticks = tick.Receive({.max_messages = 10}).value();
  for (const Received& received : ticks) {
    const EventStory story = broker_.Story(received.event_id()).value();
    roots.push_back(story.steps.at(0).resource);
    EXPECT_EQ(story.steps.at(0).kind, StepKind::kAccepted);
    EXPECT_THAT(story.steps.at(0).text, HasSubstr("fired for 2026-01-01T00:0"));
    EXPECT_THAT(story.steps.back().resource, tick.arn().ToString());
  }
  EXPECT_THAT(roots, Contains(schedule.ToString()));
  EXPECT_THAT(roots, Contains(often.arn().ToString()));
}

TEST_F(StoryTest, AFifoTopicsArchiveAndReplayTell) {
  const Topic topic =
      broker_.CreateTopic("t.fifo", {.fifo = true, .archive_retention = absl::Hours(24)}).value();
  const Id id =
      topic.Publish({.body = "m", .message_group_id = "g", .message_deduplication_id = "d"})
          .value()
          .message_id;
  const Queue inbox = broker_.CreateQueue("inbox").value();
  const Subscription late =
      topic
          .Subscribe(inbox, {.replay_policy = ReplayPolicy{.starting_point = absl::InfinitePast()}})
          .value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(KindsAt(id, topic.arn()), ElementsAre(StepKind::kAccepted, StepKind::kArchived,
                                                    StepKind::kUnmatched, StepKind::kReplayed));
  EXPECT_EQ(StepsAt(id, topic.arn())[3].through, late.arn().ToString());
  EXPECT_THAT(KindsAt(id, inbox.arn()), ElementsAre(StepKind::kArrived));
  EXPECT_THAT(broker_.Story(id).value().ToString(),
              HasSubstr(", goes to queue inbox\n  +0.000 s  queue inbox: arrived as message "));
}

TEST_F(StoryTest, TheOldestIsForgottenAndComesBackNotEvenInPart) {
  Broker small = Broker::Create(runtime_, {.story = {.events_max = 3}}).value();
  const Queue queue = small.CreateQueue("q").value();
  std::vector<Id> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(queue.Send({.body = "m"}).value().message_id);
  EXPECT_EQ(small.StoriesKept().events, 3);
  EXPECT_EQ(small.StoriesKept().forgotten, 2);
  queue.Receive({.max_messages = 10}).value();
  EXPECT_THAT(small.Story(ids[0]), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(small.Story(ids[1]), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(small.Story(ids[2]).value().steps, SizeIs(2));
  EXPECT_EQ(small.StoriesKept().forgotten, 2);
}

TEST_F(StoryTest, BytesAreBoundedToo) {
  Broker small =
      Broker::Create(runtime_, {.story = {.events_max = 1'000, .bytes_max = 4'000}}).value();
  const Queue queue = small.CreateQueue("q").value();
  for (int i = 0; i < 100; ++i) queue.Send({.body = "m"}).value();
  EXPECT_LE(small.StoriesKept().bytes, 4'000);
  EXPECT_GT(small.StoriesKept().events, 1);
  EXPECT_EQ(small.StoriesKept().events + small.StoriesKept().forgotten, 100);
}

TEST_F(StoryTest, ALongStoryLosesItsMiddle) {
  Broker small = Broker::Create(runtime_, {.story = {.events_max = 3, .steps_max = 10}}).value();
  const Queue queue = small.CreateQueue("q").value();
  const Id id = queue.Send({.body = "m"}).value().message_id;
  for (int i = 0; i < 50; ++i) queue.Receive({.visibility_timeout = absl::ZeroDuration()}).value();
  const EventStory story = small.Story(id).value();
  EXPECT_THAT(story.steps, SizeIs(10));
  EXPECT_EQ(story.steps_left_out, 91);
  EXPECT_EQ(story.steps.front().kind, StepKind::kAccepted);
  EXPECT_EQ(story.steps.back().attempt, 50);
  EXPECT_THAT(story.ToString(), HasSubstr("(91 steps in the middle left out)\n"));
}

TEST_F(StoryTest, OffByDefault) {
  Broker broker = Broker::Create(runtime_, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  const Id id = queue.Send({.body = "m"}).value().message_id;
  EXPECT_THAT(broker.Story(id),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("BrokerOptions::story")));
  EXPECT_EQ(broker.StoriesKept().events, 0);
  EXPECT_EQ(internal::BrokerCore::Of(broker).env()->story, nullptr);
}

TEST_F(StoryTest, BoundsOutOfRangeAreRefused) {
  for (const StoryOptions& bad : {StoryOptions{.events_max = -1}, StoryOptions{.bytes_max = 0},
                                  StoryOptions{.steps_max = 0}}) {
    EXPECT_THAT(Broker::Create(runtime_, {.story = bad}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Story")));
  }
}

TEST_F(StoryTest, AStoryOutlivesTheBrokersStopAndNotItsReset) {
  const Queue queue = broker_.CreateQueue("q").value();
  const Id id = queue.Send({.body = "m"}).value().message_id;
  broker_.Reset();
  EXPECT_THAT(broker_.Story(id), StatusIs(absl::StatusCode::kNotFound));
  const Id again = broker_.CreateQueue("q").value().Send({.body = "m"}).value().message_id;
  EXPECT_EQ(again, id);  // ids begin again
  broker_.Stop(absl::ZeroDuration());
  EXPECT_THAT(broker_.Story(again).value().steps, SizeIs(1));
}

TEST_F(StoryTest, UnknownIdsAreNotFound) {
  EXPECT_THAT(broker_.Story(Id{1, 2}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(broker_.Story(Id{}), StatusIs(absl::StatusCode::kNotFound));
}

// Several publish, receive and ask at once; every story that is kept is whole.
TEST(StoryThreadsTest, StoriesAreWholeUnderThreads) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 1});
  Broker broker =
      Broker::Create(*runtime, {.story = {.events_max = 8'192, .bytes_max = 64 << 20}}).value();
  const Topic topic = broker.CreateTopic("t").value();
  const Queue a = broker.CreateQueue("a").value(), b = broker.CreateQueue("b").value();
  topic.Subscribe(a, {.raw = true}).value();
  topic.Subscribe(b, {.raw = true}).value();
  constexpr int kThreads = 3, kEach = 300;
  std::vector<std::vector<Id>> ids(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ids[static_cast<size_t>(t)].push_back(topic.Publish({.body = "m"}).value().message_id);
        const std::vector<Received> batch = a.Receive({.max_messages = 10}).value();
        for (const Received& received : batch) {
          EXPECT_THAT(received.Delete(), IsOk());
          EXPECT_THAT(broker.Story(received.event_id()), IsOk());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Id>& one : ids) {
    for (const Id& id : one) {
      const EventStory story = broker.Story(id).value();
      const auto count = [&story](StepKind kind) {
        return std::count_if(story.steps.begin(), story.steps.end(),
                             [kind](const StoryStep& step) { return step.kind == kind; });
      };
      EXPECT_EQ(count(StepKind::kAccepted), 1);
      EXPECT_EQ(count(StepKind::kMatched), 2);
      EXPECT_EQ(count(StepKind::kArrived), 2);
      EXPECT_EQ(count(StepKind::kReceived), count(StepKind::kSettled));
    }
  }
  EXPECT_EQ(broker.StoriesKept().events, kThreads * kEach);
}

}  // namespace
}  // namespace banyan
