// SPDX-License-Identifier: Apache-2.0
//
// What an archive takes, what it counts, and what leaves it.
#include "banyan/archive.h"

#include <memory>
#include <string>
#include <vector>

#include "archive_testing.h"
#include "banyan/tap.h"
#include "message/errors.h"
#include "route/archive_core.h"
#include "route/event_bus_core.h"
#include "route_testing.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using ArchiveTest = ArchiveFixture;

TEST_F(ArchiveTest, ItTakesWhatTheBusAcceptsFromNowOn) {
  Put("before");
  const ArchiveDescription made = Make("a", {.description = "all of it"});
  EXPECT_EQ(made.name, "a");
  EXPECT_EQ(made.arn.ToString(), "arn:aws:events:us-east-1:000000000000:archive/a");
  EXPECT_EQ(made.bus_arn, bus_.arn());
  EXPECT_EQ(made.state, ArchiveState::kEnabled);
  EXPECT_EQ(ArchiveStateName(made.state), "ENABLED");
  EXPECT_EQ(made.creation_time, runtime_.Now());
  EXPECT_EQ(made.event_count, 0);
  EXPECT_EQ(made.size_bytes, 0);
  Put("after");
  broker_.FindEventBus("default")
      ->Put({.source = "s", .detail_type = "elsewhere", .detail = "{}"})
      .value();
  EXPECT_EQ(bus_.Put({.source = "s", .detail_type = "refused", .detail = "[]"}).ok(), false);
  EXPECT_EQ(Look("a").event_count, 1);
  EXPECT_EQ(Look("a").description, "all of it");
}

TEST_F(ArchiveTest, ItsPatternChooses) {
  Make("a", {.event_pattern = R"({"detail":{"total":[{"numeric":[">",100]}]}})"});
  Put("small", {}, R"({"total":7})");
  Put("big", {}, R"({"total":700})");
  EXPECT_EQ(Look("a").event_count, 1);
  // What it has stays; what comes is judged by the pattern of its moment.
  broker_.UpdateArchive("a", {.event_pattern = R"({"detail":{"total":[7]}})"}).value();
  EXPECT_EQ(Look("a").event_pattern, R"({"detail":{"total":[7]}})");
  EXPECT_EQ(Look("a").event_count, 1);
  Put("small", {}, R"({"total":7})");
  Put("big", {}, R"({"total":700})");
  EXPECT_EQ(Look("a").event_count, 2);
  broker_.UpdateArchive("a", {.event_pattern = ""}).value();
  Put("any", {}, R"({"any":1})");
  EXPECT_EQ(Look("a").event_count, 3);
}

// The ten events of the one recording there is: SizeBytes came to 1,590.
TEST_F(ArchiveTest, SizeBytesAreThoseOfTheRecording) {
  Make("with", {.event_pattern = R"({"source":["core.update-account-command"],
                                     "detail-type":["core.update-account-command"],
                                     "detail":{"command":["update-account"]}})"});
  Make("without");
  for (int i = 0; i < 10; ++i) {
    bus_.Put({.source = "core.update-account-command",
              .detail_type = "core.update-account-command",
              .detail = R"({"command": "update-account", )"
                        R"("payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"}})"})
        .value();
  }
  for (const char* name : {"with", "without"}) {
    EXPECT_EQ(Look(name).event_count, 10);
    EXPECT_EQ(Look(name).size_bytes, 1'590);
  }
  // Resources as they are written: "r1","r2".
  Make("one");
  bus_.Put({.source = "s", .detail_type = "d", .detail = "{}", .resources = {"r1", "r2"}}).value();
  EXPECT_EQ(Look("one").size_bytes, 1 + 1 + 2 + 12 + 14 + 9);
}

TEST_F(ArchiveTest, RetentionBeginsWhenAnEventIsPut) {
  Make("a", {.retention = kDay});
  Make("ever");
  Put("long ago", runtime_.Now() - 300 * kDay);
  runtime_.Advance(absl::Hours(12));
  Put("to come", runtime_.Now() + 300 * kDay);
  EXPECT_EQ(Look("a").event_count, 2);
  runtime_.Advance(absl::Hours(12));
  EXPECT_EQ(Look("a").event_count, 1);
  EXPECT_EQ(Look("a").expired, 1);
  runtime_.JumpWallClock(1'000 * kDay);  // an operator's clock ends nothing
  EXPECT_EQ(Look("a").event_count, 1);
  runtime_.Advance(absl::Hours(12));
  const ArchiveDescription empty = Look("a");
  EXPECT_EQ(empty.event_count, 0);
  EXPECT_EQ(empty.size_bytes, 0);
  EXPECT_EQ(empty.held_bytes, 0);
  EXPECT_EQ(empty.expired, 2);
  EXPECT_EQ(Look("ever").event_count, 2);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration()) << "it needs no timer";
}

TEST_F(ArchiveTest, AShorterRetentionHoldsForWhatIsThere) {
  Make("a");
  Put("1");
  runtime_.Advance(2 * kDay);
  Put("2");
  EXPECT_EQ(broker_.UpdateArchive("a", {.retention = kDay})->event_count, 1);
  EXPECT_EQ(Look("a").retention, kDay);
  broker_.UpdateArchive("a", {.retention = absl::ZeroDuration()}).value();
  runtime_.Advance(1'000 * kDay);
  EXPECT_EQ(Look("a").event_count, 1);
}

TEST_F(ArchiveTest, WhenItIsFullThoseThatCameFirstMakeRoom) {
  Make("probe");
  Put("1");
  const int64_t one = Look("probe").held_bytes;
  Make("a", {.bytes_max = 3 * one});
  Put("1", At(100));
  Put("2", At(50));
  Put("3", At(10));
  EXPECT_EQ(Look("a").event_count, 3);
  EXPECT_EQ(Look("a").held_bytes, 3 * one);
  EXPECT_EQ(Look("a").displaced, 0);
  Put("4", At(1));
  EXPECT_EQ(Look("a").event_count, 3);
  EXPECT_EQ(Look("a").displaced, 1);
  // A larger one takes the place of several.
  Put("5", At(60), R"({"x":"12345678901234567890"})");
  EXPECT_EQ(Look("a").displaced, 3);
  EXPECT_EQ(Look("a").event_count, 2);
  EXPECT_LE(Look("a").held_bytes, 3 * one);
  // One that has no room even alone takes nobody's.
  Put("6", {}, "{\"x\":\"" + std::string(static_cast<size_t>(3 * one), 'x') + "\"}");
  EXPECT_EQ(Look("a").displaced, 4);
  EXPECT_EQ(Look("a").event_count, 2);

  const Queue queue = Listen("q");
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainTypes(queue), ElementsAre("4", "5"));

  EXPECT_EQ(broker_.UpdateArchive("a", {.bytes_max = 1})->event_count, 0);
  EXPECT_EQ(Look("a").displaced, 6);
  EXPECT_EQ(Look("a").size_bytes, 0);
}

TEST_F(ArchiveTest, AnEventThatCallsItselfReplayedIsNotTaken) {
  Make("a");
  const std::string text = R"({"source":"s","detail-type":"t","detail":{},"replay-name":"old"})";
  const Queue queue = Listen("q", R"({"replay-name":["old"]})");
  bus_.PutEnveloped(text).value();
  EXPECT_EQ(Look("a").event_count, 0);
  EXPECT_EQ(DrainBodies(queue).size(), 1u) << "rules see it";
  // The words elsewhere do no harm.
  bus_.PutEnveloped(R"({"source":"replay-name","detail-type":"\"time\":\"x","region":"a\"b\\",)"
                    R"("detail":{"replay-name":"old","time":"2000-01-01T00:00:00Z"}})")
      .value();
  EXPECT_EQ(Look("a").event_count, 1);
  const Queue again = Listen("again", R"({"replay-name":["r"],"source":["replay-name"]})");
  broker_.StartReplay("r", {.archive = "a", .start = start_}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(again),
              ElementsAre(HasSubstr(R"("region":"a\"b\\","replay-name":"r","resources":[],)")));
}

TEST_F(ArchiveTest, ArchivesAreNoRules) {
  Make("a");
  Put("1");
  EXPECT_EQ(bus_.Stats().unmatched, 1);
  EXPECT_EQ(bus_.Stats().rules, 0);
  EXPECT_THAT(bus_.ListRules().value(), IsEmpty());
  EXPECT_THAT(bus_.Explain(R"({"source":"s"})").value(), IsEmpty());
}

TEST_F(ArchiveTest, OneWithoutPatternTakesWhatNoPatternCanRead) {
  Limits limits = Limits::Aws();
  limits.pattern.event_bytes_max = 250;
  Broker broker = Broker::Create(runtime_, {.limits = limits}).value();
  const EventBus bus = broker.FindEventBus("default").value();
  broker.CreateArchive("all", {}).value();
  broker.CreateArchive("some", {.event_pattern = R"({"source":["s"]})"}).value();
  bus.Put(
         {.source = "s", .detail_type = "t", .detail = "{\"x\":\"" + std::string(250, 'x') + "\"}"})
      .value();
  EXPECT_EQ(bus.Stats().unreadable, 1);
  EXPECT_EQ(broker.DescribeArchive("all")->event_count, 1);
  EXPECT_EQ(broker.DescribeArchive("some")->event_count, 0);
}

TEST_F(ArchiveTest, ADeletedOneIsGoneAndItsNameIsFree) {
  Make("a");
  Put("1");
  ASSERT_TRUE(broker_.DeleteArchive("a").ok());
  EXPECT_TRUE(absl::IsNotFound(broker_.DescribeArchive("a").status()));
  Put("2");
  EXPECT_EQ(Make("a").event_count, 0);
  Put("3");
  EXPECT_EQ(Look("a").event_count, 1);
}

TEST_F(ArchiveTest, ABusThatIsDeletedLeavesWhatItsArchiveHas) {
  Make("a");
  Put("1");
  ASSERT_TRUE(broker_.DeleteEventBus("shop").ok());
  const ArchiveDescription left = Look("a");
  EXPECT_EQ(left.state, ArchiveState::kDisabled);
  EXPECT_EQ(ArchiveStateName(left.state), "DISABLED");
  EXPECT_EQ(left.state_reason, "Event bus shop does not exist.");
  EXPECT_EQ(left.event_count, 1);
  EXPECT_EQ(Refusal(broker_.StartReplay("r", {.archive = "a"}).status()),
            "ResourceNotFoundException: Event bus shop does not exist.");
  EXPECT_EQ(broker_.UpdateArchive("a", {.event_pattern = R"({"source":["x"]})"})->event_pattern,
            R"({"source":["x"]})");
  // A bus made anew under the name does not fill it, but may have its events.
  bus_ = broker_.CreateEventBus("shop").value();
  Put("2");
  EXPECT_EQ(Look("a").event_count, 1);
  const Queue queue = Listen("q");
  broker_.StartReplay("r", {.archive = "a"}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainTypes(queue), ElementsAre("1"));
  EXPECT_TRUE(broker_.DeleteArchive("a").ok());
}

TEST_F(ArchiveTest, ListsAreByNameAndInPages) {
  for (const char* name : {"b2", "a", "b1", "b3"}) Make(name);
  broker_.CreateArchive("c", {}).value();  // of the default bus
  const auto names = [&](ListArchivesOptions options) {
    std::vector<std::string> list;
    for (;;) {
      const ArchivePage page = broker_.ListArchives(options).value();
      for (const ArchiveDescription& archive : page.archives) list.push_back(archive.name);
      if (page.next_token.empty()) return list;
      list.push_back("|");
      options.next_token = page.next_token;
    }
  };
  EXPECT_THAT(names({}), ElementsAre("a", "b1", "b2", "b3", "c"));
  EXPECT_THAT(names({.limit = 2}), ElementsAre("a", "b1", "|", "b2", "b3", "|", "c"));
  EXPECT_THAT(names({.name_prefix = "b", .limit = 3}), ElementsAre("b1", "b2", "b3"));
  EXPECT_THAT(names({.bus = "shop", .limit = 2}), ElementsAre("a", "b1", "|", "b2", "b3"));
  ASSERT_TRUE(broker_.DeleteEventBus("shop").ok());
  EXPECT_THAT(names({.state = ArchiveState::kEnabled}), ElementsAre("c"));
  EXPECT_THAT(names({.state = ArchiveState::kDisabled, .limit = 3}),
              ElementsAre("a", "b1", "b2", "|", "b3"));
  EXPECT_THAT(names({.name_prefix = "x"}), IsEmpty());
}

class TakesOver : public Tap {
 public:
  TapVerdict Accepted(const AcceptedMessage&) override { return TapVerdict::kTakeOver; }
};

TEST_F(ArchiveTest, WhatATapTakesOverIsNotTaken) {
  TakesOver tap;
  Broker broker = Broker::Create(runtime_, {.tap = &tap}).value();
  broker.CreateArchive("a", {}).value();
  broker.FindEventBus("default")->Put({.source = "s", .detail_type = "t", .detail = "{}"}).value();
  EXPECT_EQ(broker.DescribeArchive("a")->event_count, 0);
}

}  // namespace

namespace internal {
namespace {

class ArchiveCoreTest : public RouteTest {};

TEST_F(ArchiveCoreTest, AnArchiveAndATargetHaveTheSameBlock) {
  const EventBus bus = house_.MakeBus("b");
  const Queue queue = house_.MakeQueue("q");
  bus.PutRule("r", {.pattern = R"({"source":["s"]})", .targets = {queue}}).value();
  const auto archive = ArchiveCore::Create(house_.env, "a", {.bus = "b"}, bus.core());
  ASSERT_TRUE(archive->Open(nullptr).ok());
  bus.Put({.source = "s", .detail_type = "t", .detail = "{}"}).value();
  ArchiveStore::Position from;
  std::vector<ArchiveStore::Entry> entries;
  EXPECT_EQ(archive->shelf().Read(&from, {}, {}, &entries), true);  // there is no more
  ASSERT_EQ(entries.size(), 1u);
  const std::vector<Received> received = queue.Receive().value();
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(entries[0].message->body.view().data(), received[0].body().data());
  EXPECT_EQ(entries[0].key.time, absl::ToUnixSeconds(runtime_.Now()));
  archive->Close();
  EXPECT_EQ(archive->shelf().Read(&from, {}, {}, &entries), std::nullopt);
}

TEST_F(ArchiveCoreTest, AnArchiveFillsTheIndexOfNoRule) {
  Limits limits = Limits::Aws();
  limits.pattern.rules_max = 1;
  limits.broker.archives_max = 2;
  TestHouse house(runtime_, limits);
  const EventBus bus = house.MakeBus("b");
  std::vector<std::shared_ptr<ArchiveCore>> archives;
  for (const char* name : {"a", "b"}) {
    archives.push_back(ArchiveCore::Create(house.env, name, {.bus = "b"}, bus.core()));
    ASSERT_TRUE(archives.back()->Open(nullptr).ok());
  }
  EXPECT_TRUE(bus.PutRule("r", {.pattern = R"({"source":["s"]})"}).ok());
  EXPECT_FALSE(bus.PutRule("s", {.pattern = R"({"source":["s"]})"}).ok());
}

class CountingJournal : public Journal {
 public:
  void Append(const ChangeRecord& record) override {
    if (record.resource.find(":archive/") == std::string_view::npos) return;
    if (record.change == Change::kAccepted) ++accepted;
    if (record.change == Change::kExpired) ++expired;
  }
  int accepted = 0, expired = 0;
};

TEST_F(ArchiveCoreTest, TheJournalHearsWhatComesAndWhatLeaves) {
  CountingJournal journal;
  house_.env->journal = &journal;
  const EventBus bus = house_.MakeBus("b");
  const auto archive =
      ArchiveCore::Create(house_.env, "a", {.bus = "b", .retention = absl::Seconds(1)}, bus.core());
  ASSERT_TRUE(archive->Open(nullptr).ok());
  for (int i = 0; i < 5; ++i) {
    bus.Put({.source = "s", .detail_type = "t", .detail = "{}"}).value();
  }
  EXPECT_EQ(journal.accepted, 5);
  runtime_.Advance(absl::Seconds(1));
  bus.Put({.source = "s", .detail_type = "t", .detail = "{}"}).value();
  EXPECT_EQ(journal.expired, 2) << "who brings one lets go of two";
  EXPECT_EQ(archive->Describe().event_count, 1);
  EXPECT_EQ(journal.expired, 5);
  house_.env->journal = nullptr;
}

}  // namespace
}  // namespace internal
}  // namespace banyan
