// SPDX-License-Identifier: Apache-2.0
//
// StreamRange: reads by time and by key, across resharding and trims; beside a naive twin that keeps
// every record in a list.
#include "banyan/stream_range.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "banyan/broker.h"
#include "banyan/testing/seed_reporter.h"
#include "banyan/testing/simulated_runtime.h"
#include "base/mix.h"
#include "fixture.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Reads to the end, `limit` records a look.
std::vector<std::string> ReadAll(StreamRange* range, int64_t limit = 10'000) {
  std::vector<std::string> data;
  while (!range->done()) {
    const absl::StatusOr<StreamRangeBatch> batch = range->Next(limit);
    EXPECT_EQ(batch.status(), absl::OkStatus());
    if (!batch.ok()) return data;
    EXPECT_LE(static_cast<int64_t>(batch->size()), limit);
    for (const Record& record : *batch) data.emplace_back(record.data());
  }
  return data;
}

class StreamRangeTest : public StreamTest {
 protected:
  static StreamRange Open(const Stream& stream, StreamRangeOptions options = {}) {
    absl::StatusOr<StreamRange> range = StreamRange::Open(stream, std::move(options));
    EXPECT_EQ(range.status(), absl::OkStatus());
    return range.ok() ? *std::move(range) : StreamRange();
  }
  static std::vector<std::string> Read(const Stream& stream, StreamRangeOptions options = {}) {
    StreamRange range = Open(stream, std::move(options));
    return ReadAll(&range);
  }
  static std::string Refusal(const Stream& stream, StreamRangeOptions options) {
    return CodeOf(StreamRange::Open(stream, std::move(options)).status());
  }
  // Puts one record a second.
  void PutSlowly(const Stream& stream, const std::vector<std::string>& all,
                 std::string_view key = "k") {
    for (const std::string& data : all) {
      Put(stream, data, key);
      runtime_.Advance(absl::Seconds(1));
    }
  }
};

TEST_F(StreamRangeTest, GivesWhatArrivedFromOneTimeToAnother) {
  const Stream stream = MakeStream();
  const absl::Time start = runtime_.Now();
  PutSlowly(stream, {"a", "b", "c", "d"});
  EXPECT_THAT(Read(stream, {.from = start + absl::Seconds(1), .to = start + absl::Seconds(3)}),
              ElementsAre("b", "c"));
  EXPECT_THAT(Read(stream, {.to = start + absl::Seconds(1)}), ElementsAre("a"));
  EXPECT_THAT(Read(stream, {.from = start + absl::Seconds(3)}), ElementsAre("d"));
  EXPECT_THAT(Read(stream), ElementsAre("a", "b", "c", "d"));
}

TEST_F(StreamRangeTest, TimesHaveWholeMillisecondsAsArrivalsHave) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Nanoseconds(700'000));
  const absl::Time now = runtime_.Now();
  Put(stream, "a");
  EXPECT_THAT(Read(stream, {.from = now}), ElementsAre("a"));
  runtime_.Advance(absl::Milliseconds(1));
  Put(stream, "b");
  EXPECT_THAT(Read(stream, {.from = now, .to = runtime_.Now()}), ElementsAre("a"));
  EXPECT_EQ(Refusal(stream, {.from = now, .to = now + absl::Nanoseconds(1)}),
            "InvalidArgumentException");
}

TEST_F(StreamRangeTest, WhatIsPutLaterIsNoPartOfIt) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  StreamRange range = Open(stream, {.to = runtime_.Now() + absl::Hours(1)});
  Put(stream, "b");
  EXPECT_THAT(ReadAll(&range), ElementsAre("a"));
  EXPECT_THAT(range.Next().value().records(), IsEmpty());  // at the end, and again
}

TEST_F(StreamRangeTest, AnEmptyStreamIsDoneAtOnce) {
  const Stream stream = MakeStream({.shards = 3});
  const StreamRange range = Open(stream);
  EXPECT_TRUE(range.done());
  EXPECT_TRUE(range.Progress().is_complete());
  EXPECT_THAT(range.Progress().shards, IsEmpty());
  EXPECT_TRUE(StreamRange().done());
}

TEST_F(StreamRangeTest, ALookIsBoundedAndAnEmptyOneIsNotTheEnd) {
  const Stream stream = MakeStream();
  for (int i = 0; i < 5; ++i) Put(stream, "x", "other");
  Put(stream, "mine", "me");
  StreamRange range = Open(stream, {.partition_key = "me"});
  EXPECT_THAT(range.Next(3).value().records(), IsEmpty());
  EXPECT_FALSE(range.done());
  EXPECT_EQ(range.Progress().passed_over, 3);
  EXPECT_EQ(range.Progress().left, 3);
  EXPECT_THAT(ReadAll(&range, 2), ElementsAre("mine"));
}

TEST_F(StreamRangeTest, RecordsLieWhereTheStreamHasThem) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  Put(stream, "b", "other");
  Put(stream, "c");
  const RecordBatch there = GetAt(stream, StartAt::TrimHorizon());
  StreamRange all = Open(stream);
  StreamRange some = Open(stream, {.partition_key = "k"});
  const StreamRangeBatch whole = all.Next().value();
  StreamRangeBatch chosen;
  {
    const StreamRangeBatch original = some.Next().value();
    chosen = original;
  }
  EXPECT_EQ(static_cast<const void*>(whole[1].data().data()), there[1].data().data());
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(static_cast<const void*>(chosen[1].data().data()), there[2].data().data());
  EXPECT_EQ(chosen[1].sequence(), there[2].sequence());
}

TEST_F(StreamRangeTest, AKeyIsReadInOrderThroughSplitsAndMerges) {
  const Stream stream = MakeStream({.shards = 2});
  std::vector<std::string> expected;
  const auto put = [&](const std::string& data) {
    Put(stream, data, "me");
    for (int i = 0; i < 20; ++i) Put(stream, "x", "other-" + std::to_string(i));
    expected.push_back(data);
  };
  put("1");
  ASSERT_EQ(stream.UpdateShardCount(4), absl::OkStatus());
  put("2");
  ASSERT_EQ(stream.UpdateShardCount(2), absl::OkStatus());
  put("3");
  StreamRange range = Open(stream, {.partition_key = "me"});
  // Only shards in which the key can be: one of the two at first, one of the four, one of the two.
  const StreamRangeProgress before = range.Progress();
  EXPECT_EQ(before.shards.size(), 3u);
  EXPECT_TRUE(std::is_sorted(before.shards.begin(), before.shards.end(),
                             [](const auto& a, const auto& b) { return a.id < b.id; }));
  EXPECT_EQ(ReadAll(&range, 7), expected);
  EXPECT_EQ(range.Progress().records, 3);
  EXPECT_LT(range.Progress().records + range.Progress().passed_over, 63);  // not all of the stream
}

TEST_F(StreamRangeTest, AnExplicitHashKeyTellsWhereAKeyWasPut) {
  const Stream stream = MakeStream({.shards = 2});
  const std::string high = stream.ListShards().value()[1].starting_hash_key;
  for (const std::string& hash : {std::string("0"), high}) {
    ASSERT_EQ(stream.Put({.partition_key = "k", .data = hash, .explicit_hash_key = hash}).status(),
              absl::OkStatus());
  }
  EXPECT_THAT(Read(stream, {.partition_key = "k", .explicit_hash_key = "0"}), ElementsAre("0"));
  EXPECT_THAT(Read(stream, {.partition_key = "k", .explicit_hash_key = high}), ElementsAre(high));
}

TEST_F(StreamRangeTest, SaysWhereItStandsSoThatAnIteratorGoesOn) {
  const Stream stream = MakeStream();
  for (const char* data : {"a", "b", "c", "d"}) Put(stream, data);
  StreamRange range = Open(stream);
  ASSERT_EQ(range.Next(2).value().size(), 2u);
  const StreamRangeProgress progress = range.Progress();
  ASSERT_EQ(progress.shards.size(), 1u);
  EXPECT_EQ(progress.shards[0].left, 2);
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AfterSequence(progress.shards[0].after))),
              ElementsAre("c", "d"));
}

TEST_F(StreamRangeTest, WhatIsTrimmedBeforeItsTurnIsCounted) {
  const Stream stream = MakeStream();
  std::vector<PutResult> puts;
  for (const char* data : {"a", "b", "c", "d", "e"}) puts.push_back(Put(stream, data));
  StreamRange range = Open(stream);
  ASSERT_EQ(range.Next(1).value().size(), 1u);
  ASSERT_EQ(stream.TrimBefore(puts[3].sequence), absl::OkStatus());
  EXPECT_THAT(ReadAll(&range, 10), ElementsAre("d", "e"));
  EXPECT_EQ(range.Progress().missed, 2);
  EXPECT_FALSE(range.Progress().is_complete());
  EXPECT_FALSE(range.Progress().begins_trimmed);
}

TEST_F(StreamRangeTest, ATrimPastItsEndGivesNothingOfWhatLiesBehind) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  Put(stream, "b");
  StreamRange range = Open(stream);
  const PutResult later = Put(stream, "c");
  ASSERT_EQ(stream.TrimBefore(later.sequence), absl::OkStatus());
  EXPECT_THAT(ReadAll(&range), IsEmpty());
  EXPECT_EQ(range.Progress().missed, 2);
}

TEST_F(StreamRangeTest, SaysIfItsBeginningMayHaveBeenTrimmed) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  runtime_.Advance(absl::Hours(1));
  const PutResult b = Put(stream, "b");
  runtime_.Advance(absl::Hours(1));
  Put(stream, "c");
  ASSERT_EQ(stream.TrimBefore(b.sequence), absl::OkStatus());
  EXPECT_TRUE(Open(stream).Progress().begins_trimmed);
  // It begins behind a record that is still there, so nothing of it can have gone.
  EXPECT_FALSE(Open(stream, {.from = runtime_.Now() - absl::Minutes(1)}).Progress().begins_trimmed);
}

TEST_F(StreamRangeTest, RetentionTakesNothingOfARangeThatIsYounger) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  Put(stream, "old");
  runtime_.Advance(absl::Hours(25));
  Put(stream, "new");
  const StreamRange young = Open(stream, {.from = runtime_.Now() - absl::Hours(23)});
  EXPECT_TRUE(young.Progress().is_complete());
  EXPECT_TRUE(Open(stream).Progress().begins_trimmed);
}

TEST_F(StreamRangeTest, AShardThatExpiresMeanwhileIsMissed) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  Put(stream, "a");
  Put(stream, "b");
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  StreamRange range = Open(stream);
  runtime_.Advance(absl::Hours(25));
  EXPECT_THAT(ReadAll(&range), IsEmpty());
  EXPECT_EQ(range.Progress().missed, 2);
  // Opened now, it cannot know how much that was.
  EXPECT_TRUE(Open(stream).Progress().begins_trimmed);
  EXPECT_EQ(Open(stream).Progress().missed, 0);
}

TEST_F(StreamRangeTest, AWallClockThatWasSetBackIsReadAsAtTimestampReadsIt) {
  const Stream stream = MakeStream();
  const absl::Time start = runtime_.Now();
  PutSlowly(stream, {"0", "1", "2"});
  runtime_.JumpWallClock(-absl::Seconds(2));
  PutSlowly(stream, {"1 again", "2 again", "3"});
  // Begins with "1". "0", had it come again, would be passed over.
  EXPECT_THAT(Read(stream, {.from = start + absl::Seconds(1), .to = start + absl::Seconds(2)}),
              ElementsAre("1"));
  StreamRange range = Open(stream, {.from = start + absl::Seconds(2)});
  EXPECT_THAT(ReadAll(&range), ElementsAre("2", "2 again", "3"));
  EXPECT_EQ(range.Progress().passed_over, 1);
}

TEST_F(StreamRangeTest, BadRangesAreRefused) {
  const Stream stream = MakeStream();
  const absl::Time now = runtime_.Now();
  EXPECT_EQ(Refusal(stream, {.from = now, .to = now}), "InvalidArgumentException");
  EXPECT_EQ(Refusal(stream, {.from = now, .to = now - absl::Seconds(1)}),
            "InvalidArgumentException");
  EXPECT_EQ(Refusal(stream, {.from = now + absl::Seconds(1)}), "InvalidArgumentException");
  EXPECT_EQ(Refusal(stream, {.partition_key = ""}), "ValidationException");
  EXPECT_EQ(Refusal(stream, {.partition_key = std::string(257, 'k')}), "ValidationException");
  EXPECT_EQ(Refusal(stream, {.partition_key = "\xff"}), "ValidationException");
  EXPECT_EQ(Refusal(stream, {.explicit_hash_key = "7"}), "ValidationException");  // of what key?
  EXPECT_NE(Refusal(stream, {.partition_key = "k", .explicit_hash_key = "-1"}), "OK");
  EXPECT_EQ(Refusal(Stream(), {}), "ResourceNotFoundException");
}

TEST_F(StreamRangeTest, BadLimitsAreRefusedAndLeaveItWhereItIs) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  StreamRange range = Open(stream);
  EXPECT_EQ(CodeOf(range.Next(0).status()), "ValidationException");
  EXPECT_EQ(CodeOf(range.Next(10'001).status()), "ValidationException");
  EXPECT_THAT(ReadAll(&range), ElementsAre("a"));
}

TEST_F(StreamRangeTest, AThrottledLookCanBeTriedAgain) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kStrict});
  for (int i = 0; i < 8; ++i) Put(stream, std::to_string(i));
  StreamRange range = Open(stream);
  std::vector<std::string> data;
  int refused = 0;
  while (!range.done()) {
    const absl::StatusOr<StreamRangeBatch> batch = range.Next(1);
    if (!batch.ok()) {
      EXPECT_EQ(CodeOf(batch.status()), "ProvisionedThroughputExceededException");
      ++refused;
      runtime_.Advance(absl::Seconds(1));
      continue;
    }
    for (const Record& record : *batch) data.emplace_back(record.data());
  }
  EXPECT_GT(refused, 0);
  EXPECT_THAT(data, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
}

TEST_F(StreamRangeTest, ADeletedStreamEndsItAndBatchesStay) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  Put(stream, "b");
  StreamRange range = Open(stream);
  const StreamRangeBatch batch = range.Next(1).value();
  stream.core()->Close(internal::CloseKind::kDeleted);
  EXPECT_EQ(CodeOf(range.Next().status()), "ResourceNotFoundException");
  EXPECT_EQ(batch[0].data(), "a");
  EXPECT_EQ(Refusal(stream, {}), "ResourceNotFoundException");
}

// Nor does it ask the time of a clock that has gone.
TEST(StreamRangeLife, OutlivesItsBrokerAndTheRuntime) {
  auto runtime = std::make_unique<SimulatedRuntime>();
  Stream stream;
  StreamRange range;
  {
    Broker broker = Broker::Create(*runtime, {}).value();
    stream = broker.CreateStream("clicks", {}).value();
    ASSERT_EQ(stream.Put({.partition_key = "k", .data = "x"}).status(), absl::OkStatus());
    range = StreamRange::Open(stream).value();
  }
  runtime.reset();
  EXPECT_EQ(range.Next().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(range.Progress().left, 1);
  EXPECT_EQ(StreamRange::Open(stream).status().code(), absl::StatusCode::kUnavailable);
}

// --- Beside a naive twin -------------------------------------------------------------------------

TEST_F(StreamRangeTest, AgreesWithANaiveTwin) {
  constexpr uint64_t kSeeds = 300;
  int64_t records_of_all_seeds = 0;
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    const SeedReporter reporter(seed);
    uint64_t state = seed;
    const auto below = [&state](uint64_t bound) {
      state += internal::kMixStep;
      return internal::Mix64(state) % bound;
    };
    struct Row {
      std::string key;
      absl::Time arrival;
      PutResult put;
    };
    std::vector<Row> rows;
    std::map<int64_t, uint64_t> horizons;  // by shard: the first number that is there
    const Stream stream = MakeStream({.shards = 2}, "clicks-" + std::to_string(seed));
    const absl::Time start = runtime_.Now();
    const auto trim = [&] {
      if (rows.empty()) return;
      const PutResult& put = rows[below(rows.size())].put;
      ASSERT_EQ(stream.TrimBefore(put.sequence), absl::OkStatus());
      uint64_t& horizon = horizons[put.shard_id.index];
      horizon = std::max(horizon, put.sequence.number);
    };
    const auto is_there = [&](const Row& row) {
      const auto found = horizons.find(row.put.shard_id.index);
      return found == horizons.end() || row.put.sequence.number >= found->second;
    };
    for (int step = 0; step < 60; ++step) {
      const uint64_t choice = below(12);
      if (choice < 9) {
        for (uint64_t i = below(8); i > 0; --i) {
          const std::string key = "key-" + std::to_string(below(6));
          const absl::Time now = runtime_.Now();
          rows.push_back({key, now, Put(stream, std::to_string(rows.size()), key)});
        }
        runtime_.Advance(absl::Milliseconds(below(3) * 100));
      } else if (choice == 9) {
        const std::vector<ShardInfo> open =
            stream.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
        const ShardInfo& one = open[below(open.size())];
        if (open.size() < 5 && below(2) == 0) {
          ASSERT_EQ(stream.SplitShard(one.id), absl::OkStatus());
        } else {
          stream.MergeShards(one.id, open[below(open.size())].id).IgnoreError();
        }
      } else if (choice == 10 && below(4) == 0) {
        trim();
      } else {
        const int64_t from = static_cast<int64_t>(below(40)) * 100;
        const int64_t to = from + 1 + static_cast<int64_t>(below(40)) * 100;
        StreamRangeOptions options = {.from = start + absl::Milliseconds(from),
                                      .to = start + absl::Milliseconds(to)};
        if (below(2) == 0) options.partition_key = "key-" + std::to_string(below(6));
        if (options.from > runtime_.Now()) continue;
        const auto is_in = [&](const Row& row) {
          return row.arrival >= options.from && row.arrival < options.to &&
                 (!options.partition_key.has_value() || row.key == *options.partition_key);
        };
        StreamRange range = Open(stream, options);
        const StreamRangeProgress opened = range.Progress();
        // Trimmed before, and perhaps in the middle of it; then it must say so.
        const bool lost_before = std::any_of(
            rows.begin(), rows.end(), [&](const Row& row) { return is_in(row) && !is_there(row); });
        if (lost_before) {
          EXPECT_TRUE(opened.begins_trimmed);
        }
        std::vector<Row> there;
        std::copy_if(rows.begin(), rows.end(), std::back_inserter(there),
                     [&](const Row& row) { return is_in(row) && is_there(row); });
        const bool trims_meanwhile = below(4) == 0;
        if (trims_meanwhile) trim();
        std::stable_sort(there.begin(), there.end(), [](const Row& a, const Row& b) {
          return a.put.shard_id < b.put.shard_id;
        });
        std::vector<SequenceNumber> expected;
        for (const Row& row : there) {
          if (is_there(row)) expected.push_back(row.put.sequence);
        }
        std::vector<SequenceNumber> seen;
        std::map<std::string, int64_t> last;
        while (!range.done()) {
          const StreamRangeBatch batch = range.Next(1 + static_cast<int64_t>(below(9))).value();
          for (const Record& record : batch) {
            seen.push_back(record.sequence());
            const int64_t number = std::stoll(std::string(record.data()));
            const auto [entry, is_first] =
                last.try_emplace(std::string(record.partition_key()), -1);
            EXPECT_GT(number, entry->second) << "a key's records in their order";
            entry->second = number;
          }
        }
        EXPECT_EQ(seen, expected);
        const StreamRangeProgress done = range.Progress();
        EXPECT_EQ(done.left, 0);
        EXPECT_EQ(done.records + done.passed_over + done.missed, opened.left);
        if (there.size() > expected.size()) {
          EXPECT_GT(done.missed, 0);
        }
        if (!trims_meanwhile) {
          EXPECT_EQ(done.missed, 0);
        }
        records_of_all_seeds += static_cast<int64_t>(seen.size());
      }
    }
  }
  EXPECT_GT(records_of_all_seeds, static_cast<int64_t>(kSeeds) * 50);
  std::printf("seeds 1 to %d, %lld records\n", static_cast<int>(kSeeds),
              static_cast<long long>(records_of_all_seeds));
}

// --- Threads -------------------------------------------------------------------------------------

TEST(StreamRangeThreads, AKeyIsWholeAndInOrderWhileOthersPutAndReshard) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime();
  Limits limits = SmallLimits();
  limits.stream.updates_per_day = 1'000;
  const auto env = std::make_shared<internal::Environment>(*runtime, limits, 7);
  const Stream stream(internal::StreamCore::Create(env, "clicks", {.shards = 2}));
  std::atomic<int64_t> acknowledged = 0;  // of the key "me"
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) {
      const std::string data = std::to_string(acknowledged);
      ASSERT_EQ(stream.Put({.partition_key = "me", .data = data}).status(), absl::OkStatus());
      ++acknowledged;
      ASSERT_EQ(stream.Put({.partition_key = data, .data = "x"}).status(), absl::OkStatus());
    }
  });
  std::thread resharder([&] {
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(stream.UpdateShardCount(i % 2 == 0 ? 4 : 2), absl::OkStatus());
    }
    stop = true;
  });
  int64_t ranges = 0;
  for (bool last = false; !last;) {
    last = stop;
    const int64_t at_least = acknowledged;
    StreamRange range = StreamRange::Open(stream, {.partition_key = "me"}).value();
    int64_t next = 0;
    while (!range.done()) {
      const StreamRangeBatch batch = range.Next(100).value();
      for (const Record& record : batch) {
        ASSERT_EQ(record.data(), std::to_string(next));
        ++next;
      }
    }
    ASSERT_GE(next, at_least);
    ASSERT_TRUE(range.Progress().is_complete());
    ++ranges;
  }
  writer.join();
  resharder.join();
  EXPECT_GT(ranges, 0);
}

}  // namespace
}  // namespace banyan::testing
