// SPDX-License-Identifier: Apache-2.0
//
// WindowAggregate: what windows hold, when they close, and what becomes of what comes too late, too
// much, or to a function that fails. Times are seconds since the test began, which is a whole day.
#include "banyan/window.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/nanoseconds.h"
#include "mapping_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WindowTest : public MappingTest {
 protected:
  // "k 0-60: 3", and " early".
  std::string Text(const WindowResult& result) const {
    return result.key + " " + std::to_string(SecondOf(result.start)) + "-" +
           std::to_string(SecondOf(result.end)) + ": " + std::to_string(result.count) +
           (result.early ? " early" : "");
  }
  int64_t SecondOf(absl::Time time) const { return absl::ToInt64Seconds(time - day_); }

  // Remembers each call; fails as often as failures_left_ says.
  WindowAggregate StartWindows(const Stream& stream, WindowAggregateOptions options) {
    return WindowAggregate::Start(stream, std::move(options), Handler()).value();
  }
  WindowHandler Handler() {
    return [this](const WindowResult& result) -> absl::Status {
      calls_.push_back(Text(result));
      values_.push_back(result.values);
      attempts_.push_back(result.attempt);
      if (failures_left_ > 0) {
        --failures_left_;
        return Broken();
      }
      return absl::OkStatus();
    };
  }
  absl::Status Refusal(WindowAggregateOptions options) {
    return WindowAggregate::Start(MakeStream(1, "refused-" + std::to_string(++streams_)),
                                  std::move(options), Handler())
        .status();
  }

  // The data is a number: the event's second, or its value.
  static double NumberOf(const Record& record) { return std::stod(std::string(record.data())); }
  absl::Time EventTime(const Record& record) const {
    return day_ + absl::Seconds(NumberOf(record));
  }
  WindowAggregateOptions ByEvent(Windows windows, absl::Duration lateness) {
    return {.windows = windows,
            .event_time = [this](const Record& record) { return EventTime(record); },
            .lateness = lateness};
  }
  // Each is handled before the next one is put.
  void PutEvents(const Stream& stream, const std::vector<std::string>& all,
                 std::string_view key = "k") {
    for (const std::string& data : all) {
      Put(stream, data, key);
      runtime_.RunUntilIdle();
    }
  }

  static void ExpectBalanced(const WindowStats& stats) {
    EXPECT_EQ(stats.mapping.handled, stats.records + stats.late + stats.unreadable);
    EXPECT_EQ(stats.opened, stats.handed_over + stats.merged + stats.open + stats.waiting);
  }

  const absl::Time day_ = runtime_.Now();
  std::vector<ValueSummary> values_;
  std::vector<int64_t> attempts_;
  int failures_left_ = 0;
  int streams_ = 0;
};

// --- Windows by arrival --------------------------------------------------------------------------

TEST_F(WindowTest, ATumblingWindowIsHandedOverOnceWhenItIsOver) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(stream, {.lateness = absl::Seconds(5)});
  Put(stream, "1");
  runtime_.Advance(absl::Seconds(30));
  Put(stream, "2");
  Put(stream, "3", "other");
  runtime_.Advance(absl::Seconds(34));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(windows.Stats().open, 2);
  runtime_.Advance(absl::Seconds(1));  // the end, and lateness
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 2", "other 0-60: 1"));
  Put(stream, "4");
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 60-120: 1"));
  ExpectBalanced(windows.Stats());
  EXPECT_EQ(windows.Stats().late, 0);
}

TEST_F(WindowTest, AnIdleAggregateHasNoTimerAndNoWindow) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(stream, {});
  Put(stream, "1");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(windows.Stats().open, 0);
  EXPECT_EQ(windows.Stats().behind_latest, absl::ZeroDuration());
}

TEST_F(WindowTest, ARecordAtAWindowsEndBelongsToTheNext) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(stream, {.lateness = absl::ZeroDuration()});
  Put(stream, "1");
  runtime_.Advance(absl::Seconds(60));
  Put(stream, "2");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 1", "k 60-120: 1"));
}

TEST_F(WindowTest, AHoppingWindowBeginsEverySoOften) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Seconds(130));
  const WindowAggregate windows =
      StartWindows(stream, {.windows = Windows::Hopping(absl::Seconds(60), absl::Seconds(20)),
                            .lateness = absl::ZeroDuration()});
  Put(stream, "1");
  runtime_.Advance(absl::Seconds(15));
  Put(stream, "2");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(TakeCalls(),
              ElementsAre("k 80-140: 1", "k 100-160: 2", "k 120-180: 2", "k 140-200: 1"));
}

// Whole multiples of the length, though the hop does not divide it.
TEST_F(WindowTest, AHopNeedNotDivideTheLength) {
  const Stream stream = MakeStream();
  const WindowAggregate windows =
      StartWindows(stream, {.windows = Windows::Hopping(absl::Seconds(50), absl::Seconds(20))});
  runtime_.Advance(absl::Seconds(105));
  Put(stream, "1");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 60-110: 1", "k 80-130: 1", "k 100-150: 1"));
}

TEST_F(WindowTest, ASessionLastsUntilItsKeyPauses) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(
      stream, {.windows = Windows::Session(absl::Seconds(10)), .lateness = absl::ZeroDuration()});
  for (int i = 0; i < 4; ++i) {
    Put(stream, "1");
    runtime_.Advance(absl::Seconds(9));
  }
  Put(stream, "1", "other");
  runtime_.Advance(absl::Seconds(1));  // ten after the last one
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-37: 4"));
  Put(stream, "1");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("other 36-46: 1", "k 37-47: 1"));
}

TEST_F(WindowTest, KeysAndValuesAreWhatTheFunctionsSay) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(
      stream, {.key = [](const Record& r) { return std::string(r.data().substr(0, 1)); },
               .value = [](const Record& r) -> std::optional<double> {
                 if (r.data().size() < 2) return std::nullopt;
                 return std::stod(std::string(r.data().substr(1)));
               }});
  PutAll(stream, {"a1", "b7", "a3", "a", "a-4"});
  runtime_.Advance(absl::Minutes(2));
  ASSERT_THAT(TakeCalls(), ElementsAre("a 0-60: 4", "b 0-60: 1"));
  EXPECT_EQ(values_[0].count(), 3);
  EXPECT_EQ(values_[0].sum(), 0);
  EXPECT_EQ(values_[0].min(), -4);
  EXPECT_EQ(values_[0].max(), 3);
  EXPECT_NEAR(values_[0].Percentile(50), 1, 0.011);
  EXPECT_EQ(values_[1].mean(), 7);
}

TEST_F(WindowTest, WhatTheFilterPassesOverIsInNoWindow) {
  const Stream stream = MakeStream();
  const WindowAggregate windows =
      StartWindows(stream, {.filters = {R"({"data": {"page": ["/cart"]}})"}});
  PutAll(stream, {R"({"page": "/"})", R"({"page": "/cart"})"});
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 1"));
}

TEST_F(WindowTest, StartsAtTheTipIfItIsTold) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  const WindowAggregate windows = StartWindows(stream, {.start_at = StartAt::Latest()});
  Put(stream, "2");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 1"));
}

// What rests in a stream is put into its windows though they are long over.
TEST_F(WindowTest, NothingThatAlreadyRestsIsLate) {
  const Stream stream = MakeStream(3);
  for (int i = 0; i < 300; ++i) {
    Put(stream, "1", Key(i % 20));
    runtime_.Advance(absl::Seconds(1));
  }
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, {.key = [](const Record&) { return std::string("all"); },
                            .lateness = absl::ZeroDuration(),
                            .batch_size = 7});
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("all 0-60: 60", "all 60-120: 60", "all 120-180: 60",
                                       "all 180-240: 60", "all 240-300: 60"));
  EXPECT_EQ(windows.Stats().late, 0);
}

// One shard's handler takes its time; the windows of all keys wait for what it has in hand.
TEST_F(WindowTest, AShardThatIsBehindHoldsWindowsOpen) {
  const Stream stream = MakeStream(2);
  const PutResult slow = Put(stream, "slow", "a");
  std::string other = "b";
  while (Put(stream, "quick", other).shard_id == slow.shard_id) other += 'b';
  const WindowAggregate windows = StartWindows(stream, {.key =
                                                            [this](const Record& record) {
                                                              if (record.data() == "slow")
                                                                Work(absl::Seconds(100));
                                                              return std::string(record.data());
                                                            },
                                                        .lateness = absl::ZeroDuration()});
  absl::Duration behind;
  size_t calls_meanwhile = 0;
  runtime_.PostAt(runtime_.Uptime() + absl::Seconds(90), [&] {
    behind = windows.Stats().behind_latest;
    calls_meanwhile = calls_.size();
  });
  runtime_.Advance(absl::Seconds(300));
  EXPECT_EQ(behind, absl::Seconds(90));
  EXPECT_EQ(calls_meanwhile, 0u);
  EXPECT_THAT(TakeCalls(), SizeIs(2));
  EXPECT_EQ(windows.Stats().late, 0);
}

// A shard whose parent is being handled has records, too, that are older than now.
TEST_F(WindowTest, SoDoesAShardThatWaitsForItsParent) {
  const Stream stream = MakeStream();
  Put(stream, "slow");
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  Put(stream, "quick");
  bool was_slow = false;
  const WindowAggregate windows = StartWindows(stream, {.key =
                                                            [&](const Record&) {
                                                              if (!std::exchange(was_slow, true))
                                                                Work(absl::Seconds(100));
                                                              return std::string("k");
                                                            },
                                                        .lateness = absl::ZeroDuration()});
  // When the parent is done, and its child has not begun.
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 2"));
  EXPECT_EQ(windows.Stats().late, 0);
}

// What the stream has let go of and a function still has in hand holds windows open, too.
TEST_F(WindowTest, SoDoesARecordThatWasTrimmedWhileItIsHandled) {
  const Stream stream = MakeStream();
  PutAll(stream, {"quick", "slow"});
  const WindowAggregate windows = StartWindows(stream, {.key =
                                                            [this](const Record& record) {
                                                              if (record.data() == "slow")
                                                                Work(absl::Seconds(200));
                                                              return std::string("k");
                                                            },
                                                        .lateness = absl::ZeroDuration(),
                                                        .batch_size = 1});
  runtime_.PostAt(runtime_.Uptime() + absl::Seconds(90), [&] {
    const PutResult last = Put(stream, "last");
    EXPECT_THAT(stream.TrimBefore(last.sequence), IsOk());
  });
  runtime_.Advance(absl::Minutes(10));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 2", "k 60-120: 1"));
  EXPECT_EQ(windows.Stats().late, 0);
}

TEST_F(WindowTest, SoDoesAShardThatExpiresBeforeItIsDoneAndItsChildren) {
  const Stream stream = MakeStream();
  PutAll(stream, {"quick", "slow"});
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  const WindowAggregate windows = StartWindows(stream, {.key =
                                                            [this](const Record& record) {
                                                              if (record.data() == "slow")
                                                                Work(absl::Hours(25));
                                                              return std::string("k");
                                                            },
                                                        .lateness = absl::ZeroDuration(),
                                                        .batch_size = 1});
  runtime_.PostAt(runtime_.Uptime() + absl::Hours(12), [&] { Put(stream, "of a child"); });
  runtime_.Advance(absl::Hours(26));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 2", "k 43200-43260: 1"));
  EXPECT_EQ(windows.Stats().late, 0);
}

TEST_F(WindowTest, AKeysWindowIsOneThroughSplitsAndMerges) {
  const Stream stream = MakeStream(2);
  const WindowAggregate windows =
      StartWindows(stream, {.value = [](const Record& r) { return NumberOf(r); }});
  for (const int64_t shards : {4, 2, 1, 2}) {
    for (int i = 0; i < 30; ++i) Put(stream, "2", Key(i));
    ASSERT_THAT(stream.UpdateShardCount(shards), IsOk());
    for (int i = 0; i < 30; ++i) Put(stream, "3", Key(i));
    runtime_.Advance(absl::Seconds(5));
  }
  runtime_.Advance(absl::Minutes(2));
  ASSERT_THAT(calls_, SizeIs(30));
  for (const std::string& call : calls_) EXPECT_THAT(call, ::testing::EndsWith(" 0-60: 8"));
  for (const ValueSummary& values : values_) EXPECT_EQ(values.sum(), 20);
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, AWallClockThatWasSetBackMakesRecordsLate) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(stream, {});
  Put(stream, "1");
  runtime_.Advance(absl::Seconds(61));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 1"));
  runtime_.JumpWallClock(-absl::Seconds(30));
  Put(stream, "2");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(windows.Stats().late, 1);
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, OfAnEmptyStreamThereIsNothingToTell) {
  const Stream stream = MakeStream();
  WindowAggregate windows = StartWindows(stream, {});
  runtime_.Advance(absl::Hours(1));
  windows.Flush();
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(windows.Stats().watermark, absl::InfinitePast());
  ExpectBalanced(windows.Stats());
}

// --- Events with a time of their own -------------------------------------------------------------

TEST_F(WindowTest, EventsCloseWindowsOnceTheyAreLateEnough) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Tumbling(absl::Seconds(10)), absl::Seconds(5)));
  PutEvents(stream, {"3", "12", "8", "14.9"});
  EXPECT_THAT(TakeCalls(), IsEmpty());
  PutEvents(stream, {"15"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-10: 2"));
  PutEvents(stream, {"9.9", "10"});  // the first one is late
  EXPECT_EQ(windows.Stats().late, 1);
  EXPECT_EQ(windows.Stats().records, 6);
  EXPECT_EQ(windows.Stats().watermark, day_ + absl::Seconds(15));
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, WithAHopARecordMayBeLateForSomeOfItsWindowsOnly) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Hopping(absl::Seconds(20), absl::Seconds(10)), {}));
  PutEvents(stream, {"25", "15", "5", "30", "45"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 10-30: 2", "k 20-40: 2"));
  EXPECT_EQ(windows.Stats().late, 1);         // 5: its windows are -10-10 and 0-20
  EXPECT_EQ(windows.Stats().partly_late, 1);  // 15: 0-20 was over
  EXPECT_EQ(windows.Stats().records, 4);
}

TEST_F(WindowTest, ARecordBetweenTwoSessionsMakesThemOne) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Session(absl::Seconds(10)), absl::Minutes(1)));
  PutEvents(stream, {"20", "35", "28", "5", "50"});
  EXPECT_EQ(windows.Stats().merged, 1);
  EXPECT_EQ(windows.Stats().open, 3);
  PutEvents(stream, {"500"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 5-15: 1", "k 20-45: 3", "k 50-60: 1"));
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, AtTheGapItselfASessionIsOver) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Session(absl::Seconds(10)), absl::Minutes(1)));
  PutEvents(stream, {"20", "10", "29.5", "500"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 10-20: 1", "k 20-39: 2"));
}

TEST_F(WindowTest, AnEarlierRecordMovesASessionsStart) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Session(absl::Seconds(10)), absl::Minutes(1)));
  PutEvents(stream, {"20", "15", "8", "21", "500"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 8-31: 4"));
}

// Its window is the session, and that is open; by itself it would be late.
TEST_F(WindowTest, ARecordInsideAnOpenSessionIsNotLate) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Session(absl::Seconds(10)), {}));
  PutEvents(stream, {"20", "28", "36", "22", "15", "4"});
  EXPECT_EQ(windows.Stats().late, 1);  // 4
  PutEvents(stream, {"500"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 15-46: 5"));
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, OldEventsAreNotLateBecauseTheyAreOld) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(24 * 300));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Tumbling(absl::Seconds(10)), {}));
  PutEvents(stream, {"1", "2", "11", "12", "21"});
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-10: 2", "k 10-20: 2"));
  EXPECT_EQ(windows.Stats().late, 0);
}

TEST_F(WindowTest, TimesBefore1970HaveWindowsToo) {
  const Stream stream = MakeStream();
  WindowAggregateOptions options = ByEvent(Windows::Tumbling(absl::Seconds(10)), {});
  options.event_time = [](const Record& record) {
    return absl::UnixEpoch() + absl::Seconds(NumberOf(record));
  };
  std::vector<absl::Time> starts;
  const WindowAggregate windows =
      WindowAggregate::Start(stream, std::move(options), [&](const WindowResult& result) {
        starts.push_back(result.start);
        return absl::OkStatus();
      }).value();
  PutEvents(stream, {"-11", "-10", "-0.5", "0", "100"});
  EXPECT_THAT(starts, ElementsAre(absl::UnixEpoch() - absl::Seconds(20),
                                  absl::UnixEpoch() - absl::Seconds(10), absl::UnixEpoch()));
}

TEST_F(WindowTest, AnEventFromTheFutureMakesNoOtherLate) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Seconds(15));
  const WindowAggregate windows =
      StartWindows(stream, ByEvent(Windows::Tumbling(absl::Seconds(10)), {}));
  PutEvents(stream, {"100000", "12", "13"});
  EXPECT_EQ(windows.Stats().late, 0);
  EXPECT_EQ(windows.Stats().watermark, day_ + absl::Seconds(15));
  PutEvents(stream, {"9"});  // but of this one the clock says so
  EXPECT_EQ(windows.Stats().late, 1);
}

TEST_F(WindowTest, TheClockClosesWhatNoEventDoes) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  WindowAggregateOptions options = ByEvent(Windows::Tumbling(absl::Seconds(10)), {});
  options.idle_after = absl::Seconds(30);
  const WindowAggregate windows = StartWindows(stream, std::move(options));
  PutEvents(stream, {"5"});
  runtime_.Advance(absl::Seconds(29));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-10: 1"));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(WindowTest, OrOnlyEventsDoIfItIsToldSo) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  WindowAggregateOptions options = ByEvent(Windows::Tumbling(absl::Seconds(10)), {});
  options.idle_after = absl::InfiniteDuration();
  const WindowAggregate windows = StartWindows(stream, std::move(options));
  PutEvents(stream, {"5"});
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  runtime_.Advance(absl::Hours(24));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(windows.Stats().open, 1);
}

// --- What cannot be read, and huge numbers -------------------------------------------------------

TEST_F(WindowTest, AnUnreadableRecordIsPassedOverAndCounted) {
  const Stream stream = MakeStream();
  WindowAggregateOptions options;
  options.key = [](const Record& record) {
    return record.data() == "long" ? std::string(1'025, 'k') : std::string(1'024, 'k');
  };
  options.event_time = [this](const Record& record) {
    return record.data() == "never" ? absl::InfiniteFuture() : day_;
  };
#if defined(__cpp_exceptions)
  options.value = [](const Record& record) -> std::optional<double> {
    if (record.data() == "throws") throw std::string("unreadable");
    return 1;
  };
  PutAll(stream, {"throws"});
#else
  PutAll(stream, {"never"});
#endif
  PutAll(stream, {"long", "never", "good"});
  const WindowAggregate windows = StartWindows(stream, std::move(options));
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(windows.Stats().unreadable, 3);
  EXPECT_THAT(calls_, SizeIs(1));
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, HugeValuesAreSummedAndInfiniteOnesAreNone) {
  const Stream stream = MakeStream();
  const WindowAggregate windows =
      StartWindows(stream, {.value = [](const Record& r) { return NumberOf(r); }});
  PutAll(stream, {"1e308", "-1e308", "9007199254740993", "inf", "nan", "-inf", "1e-300"});
  runtime_.Advance(absl::Minutes(2));
  ASSERT_THAT(TakeCalls(), ElementsAre("k 0-60: 7"));
  EXPECT_EQ(values_[0].count(), 4);
  EXPECT_DOUBLE_EQ(values_[0].sum(), 9007199254740993.0);
  EXPECT_EQ(values_[0].max(), 1e308);
}

TEST_F(WindowTest, TimesAtTheEdgeOfWhatIsReadableDoNotOverflow) {
  const Stream stream = MakeStream();
  WindowAggregateOptions options =
      ByEvent(Windows::Hopping(absl::Hours(366 * 24), absl::Hours(24)), absl::Hours(366 * 24));
  options.event_time = [](const Record& record) {
    return absl::FromUnixNanos(std::stoll(std::string(record.data())));
  };
  const WindowAggregate windows = StartWindows(stream, std::move(options));
  for (const int64_t edge : {-internal::kLatest, internal::kLatest}) {
    PutEvents(stream, {std::to_string(edge)});
  }
  EXPECT_EQ(windows.Stats().records, 2);
  PutEvents(stream, {std::to_string(internal::kLatest + 1),
                     std::to_string(std::numeric_limits<int64_t>::min())});
  EXPECT_EQ(windows.Stats().unreadable, 2);
}

// --- Bounds --------------------------------------------------------------------------------------

TEST_F(WindowTest, AFullTableClosesTheNextWindowEarlyAndLosesNothing) {
  const Stream stream = MakeStream();
  const WindowAggregate windows = StartWindows(stream, {.windows_max = 2});
  for (const char* key : {"a", "b", "a", "c", "b", "a"}) Put(stream, "1", key);
  runtime_.Advance(absl::Minutes(2));
  // c closes a, then a closes b.
  EXPECT_THAT(TakeCalls(),
              ElementsAre("a 0-60: 2 early", "b 0-60: 2 early", "a 0-60: 1", "c 0-60: 1"));
  EXPECT_EQ(windows.Stats().closed_early, 2);
  ExpectBalanced(windows.Stats());
}

TEST_F(WindowTest, AFunctionThatFailsGetsTheSameResultAgain) {
  const Stream stream = MakeStream();
  failures_left_ = 3;
  const WindowAggregate windows = StartWindows(
      stream, {.lateness = {}, .backoff = {.first = absl::Seconds(1), .max = absl::Seconds(2)}});
  Put(stream, "1", "a");
  Put(stream, "1", "b");
  runtime_.Advance(absl::Seconds(60));
  EXPECT_THAT(TakeCalls(), ElementsAre("a 0-60: 1"));
  EXPECT_EQ(windows.Stats().waiting, 2);
  runtime_.Advance(absl::Seconds(1 + 2));
  EXPECT_THAT(TakeCalls(), ElementsAre("a 0-60: 1", "a 0-60: 1"));
  runtime_.Advance(absl::Seconds(2));
  EXPECT_THAT(TakeCalls(), ElementsAre("a 0-60: 1", "b 0-60: 1"));
  EXPECT_THAT(attempts_, ElementsAre(1, 2, 3, 4, 1));
  EXPECT_EQ(windows.Stats().failed_calls, 3);
  EXPECT_THAT(log_.warnings(), SizeIs(3));
  ExpectBalanced(windows.Stats());
}

#if defined(__cpp_exceptions)
TEST_F(WindowTest, AThrowIsAFailure) {
  const Stream stream = MakeStream();
  int calls = 0;
  const WindowAggregate windows =
      WindowAggregate::Start(stream, {}, [&calls](const WindowResult&) -> absl::Status {
        if (++calls == 1) throw std::string("no");
        return absl::OkStatus();
      }).value();
  Put(stream, "1");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(calls, 2);
}
#endif

// Back-pressure: the stream is read as far as there is room, and then on, without a gap or a repeat.
TEST_F(WindowTest, WhileResultsCannotBeHandedOverTheStreamIsNotReadOn) {
  const Stream stream = MakeStream();
  failures_left_ = 1'000'000;
  const WindowAggregate windows = StartWindows(
      stream, {.windows_max = 3, .backoff = {.first = absl::Seconds(1), .max = absl::Seconds(1)}});
  for (int i = 0; i < 20; ++i) Put(stream, "1", Key(i));
  runtime_.Advance(absl::Seconds(30));
  WindowStats stats = windows.Stats();
  EXPECT_EQ(stats.open, 3);
  EXPECT_EQ(stats.waiting, 3);
  EXPECT_EQ(stats.mapping.handled, 6);
  EXPECT_GE(stats.behind_latest, absl::Seconds(30));
  ExpectBalanced(stats);
  failures_left_ = 0;
  runtime_.Advance(absl::Minutes(3));
  stats = windows.Stats();
  EXPECT_EQ(stats.handed_over, 20);
  EXPECT_EQ(stats.records, 20);
  EXPECT_EQ(stats.mapping.dropped_event_count, 0);
  ExpectBalanced(stats);
}

// --- Life ----------------------------------------------------------------------------------------

TEST_F(WindowTest, FlushHandsOverWhatIsOpenAndTheWindowMayOpenAgain) {
  const Stream stream = MakeStream();
  WindowAggregate windows = StartWindows(stream, {});
  Put(stream, "1");
  runtime_.RunUntilIdle();
  windows.Flush();
  EXPECT_THAT(TakeCalls(), IsEmpty());  // not within the call
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 1 early"));
  Put(stream, "1");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(TakeCalls(), ElementsAre("k 0-60: 1"));
}

TEST_F(WindowTest, AFlushThatFindsNoRoomGoesOnWhenThereIsSome) {
  const Stream stream = MakeStream();
  WindowAggregate windows = StartWindows(stream, {.windows_max = 3});
  for (int i = 0; i < 6; ++i) Put(stream, "1", Key(i));
  failures_left_ = 1;
  runtime_.RunUntilIdle();
  windows.Flush();
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(windows.Stats().handed_over, 6);
}

TEST_F(WindowTest, AfterStopNoFunctionIsCalled) {
  const Stream stream = MakeStream();
  WindowAggregate windows = StartWindows(stream, {});
  Put(stream, "1");
  runtime_.RunUntilIdle();
  EXPECT_THAT(windows.Stop(absl::Seconds(1)), IsOk());
  Put(stream, "2");
  windows.Flush();
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_THAT(windows.Stop(absl::Seconds(1)), IsOk());
}

TEST_F(WindowTest, MayBeStoppedAndDestroyedFromInsideItsFunctions) {
  const Stream stream = MakeStream();
  auto by_result = std::make_unique<WindowAggregate>();
  int calls = 0;
  *by_result = WindowAggregate::Start(stream, {}, [&](const WindowResult&) {
                 ++calls;
                 by_result.reset();
                 return absl::OkStatus();
               }).value();
  auto by_key = std::make_unique<WindowAggregate>();
  *by_key = WindowAggregate::Start(stream,
                                   {.key =
                                        [&](const Record&) {
                                          by_key.reset();
                                          return std::string("k");
                                        }},
                                   [&](const WindowResult&) {
                                     ADD_FAILURE() << "it was destroyed";
                                     return absl::OkStatus();
                                   })
                .value();
  Put(stream, "1", "a");
  Put(stream, "1", "b");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(by_key, nullptr);
}

TEST_F(WindowTest, OutlivesItsStreamAndItsBroker) {
  WindowAggregate windows;
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    const Stream stream = broker.CreateStream("clicks", {}).value();
    windows = StartWindows(stream, {});
    Put(stream, "1");
    runtime_.RunUntilIdle();
    ASSERT_THAT(broker.DeleteStream("clicks"), IsOk());
    runtime_.Advance(absl::Minutes(2));
  }
  runtime_.Advance(absl::Minutes(2));
  windows.Flush();
  EXPECT_THAT(windows.Stop(absl::Seconds(1)), IsOk());
  EXPECT_EQ(windows.Stats().records, 1);
}

TEST_F(WindowTest, ADefaultOneDoesNothing) {
  WindowAggregate windows;
  windows.Flush();
  EXPECT_THAT(windows.Stop(absl::Seconds(1)), IsOk());
  EXPECT_EQ(windows.Stats().records, 0);
}

TEST_F(WindowTest, OptionsOutOfRangeAreRefused) {
  const auto is_refused = StatusIs(absl::StatusCode::kInvalidArgument);
  const absl::Duration minute = absl::Minutes(1);
  EXPECT_THAT(Refusal({.windows = Windows::Tumbling({})}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Tumbling(-minute)}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Tumbling(absl::InfiniteDuration())}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Session(absl::Hours(366 * 24 + 1))}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Hopping(minute, {})}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Hopping(minute, 2 * minute)}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Hopping(1001 * minute, minute)}), is_refused);
  EXPECT_THAT(Refusal({.windows = Windows::Hopping(4 * minute, minute), .windows_max = 3}),
              is_refused);
  EXPECT_THAT(Refusal({.lateness = -minute}), is_refused);
  EXPECT_THAT(Refusal({.idle_after = {}}), is_refused);
  EXPECT_THAT(Refusal({.windows_max = 0}), is_refused);
  EXPECT_THAT(Refusal({.windows_max = 100'000'001}), is_refused);
  EXPECT_THAT(Refusal({.percentile_error = 0.2}), is_refused);
  EXPECT_THAT(Refusal({.percentile_error = std::nan("")}), is_refused);
  EXPECT_THAT(Refusal({.filters = {"no pattern"}}), is_refused);
  EXPECT_THAT(Refusal({.batch_size = 0}), is_refused);
  EXPECT_THAT(Refusal({.backoff = {.first = 2 * minute, .max = minute}}), is_refused);
  EXPECT_THAT(WindowAggregate::Start(MakeStream(), {}, nullptr).status(), is_refused);
  EXPECT_THAT(WindowAggregate::Start(Stream(), {}, Handler()).status(),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace banyan
