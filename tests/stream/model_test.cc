// SPDX-License-Identifier: Apache-2.0
//
// The stream against the simplest model of it, written from the specification: a vector of records
// per shard, and for each a time of arrival. Random operations, clock moves included; what the
// bound trims early the model takes over from the statistics, as nothing promises which.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stream/shard_map.h"

namespace banyan::testing {
namespace {

struct ModelRecord {
  std::string key;
  std::string data;
  absl::Duration arrived;  // uptime
  absl::Time shown;
};

struct ModelShard {
  std::vector<ModelRecord> records;  // for ever; the horizon says which are gone

  // Retention ends the oldest, in order.
  size_t Horizon(absl::Duration now, absl::Duration retention) const {
    size_t horizon = trimmed;
    while (horizon < records.size() && records[horizon].arrived + retention <= now) ++horizon;
    return horizon;
  }

  size_t trimmed = 0;  // at least so many are gone
};

struct ModelIterator {
  ShardIterator iterator;
  size_t shard;
  size_t position;
  absl::Duration issued;
};

class ModelTest : public StreamTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(ModelTest, AnswersAsTheModelDoes) {
  const SeedReporter seed(GetParam());
  std::mt19937_64 random(GetParam());
  const auto below = [&](uint64_t n) { return static_cast<size_t>(random() % n); };

  const int64_t shards = 1 + static_cast<int64_t>(below(4));
  const absl::Duration retention = absl::Minutes(1 + static_cast<int64_t>(below(20)));
  const bool tight = below(2) == 0;  // the bound matters, or only retention does
  const Stream stream = MakeStream({.shards = shards,
                                    .retention = retention,
                                    .record_bytes_max = 20'000,
                                    .shard_bytes_max = tight ? 256 << 10 : 64 << 20});
  const internal::ShardMap map(shards);
  std::vector<ModelShard> model(static_cast<size_t>(shards));
  std::vector<ModelIterator> iterators;
  int64_t accepted = 0;

  const auto put_expected = [&](const std::string& key, const std::string& data,
                                const PutResult& put) {
    ModelShard& shard = model[map.Find(internal::HashKey(key))];
    shard.records.push_back(
        {key, data, runtime_.Uptime(), absl::FromUnixMillis(absl::ToUnixMillis(runtime_.Now()))});
    ++accepted;
    EXPECT_EQ(put.sequence.number, shard.records.size());
    EXPECT_EQ(static_cast<size_t>(put.shard_id.index), map.Find(internal::HashKey(key)));
  };

  // What the bound took early shows in a fresh read at the horizon; it may only be more than
  // retention took, and only where the bound is tight.
  const auto learn_trimming = [&](size_t s) {
    const RecordBatch batch =
        Get(stream, IteratorAt(stream, StartAt::TrimHorizon(), {static_cast<int64_t>(s)}), 1);
    ModelShard& shard = model[s];
    const size_t by_retention = shard.Horizon(runtime_.Uptime(), retention);
    if (batch.empty()) {
      ASSERT_EQ(by_retention, shard.records.size());
      return;
    }
    const size_t first = batch[0].sequence().number - 1;
    ASSERT_GE(first, by_retention);
    if (!tight) {
      ASSERT_EQ(first, by_retention);
    }
    shard.trimmed = first;
  };

  const int kSteps = 1'500;
  for (int step = 0; step < kSteps && !HasFatalFailure(); ++step) {
    switch (below(10)) {
      case 0:
      case 1:
      case 2: {
        const std::string key = "key-" + std::to_string(below(50));
        const std::string data =
            std::to_string(step) + std::string(below(below(10) == 0 ? 19'000 : 2'000), 'd');
        put_expected(key, data, Put(stream, data, key));
        break;
      }
      case 3: {
        std::vector<std::string> keys;
        std::vector<std::string> data;
        for (size_t i = 0, n = 1 + below(30); i < n; ++i) {
          keys.push_back("key-" + std::to_string(below(50)));
          data.push_back(std::to_string(step) + "/" + std::to_string(i));
        }
        std::vector<PutRequest> requests;
        for (size_t i = 0; i < keys.size(); ++i) {
          requests.push_back({.partition_key = keys[i], .data = data[i]});
        }
        const auto results = stream.PutRecords(requests).value();
        for (size_t i = 0; i < keys.size(); ++i) put_expected(keys[i], data[i], results[i].value());
        break;
      }
      case 4:
        runtime_.Advance(
            absl::Milliseconds(static_cast<int64_t>(below(below(5) == 0 ? 60'000 : 2'000))));
        break;
      case 5: {
        const size_t s = below(static_cast<uint64_t>(shards));
        learn_trimming(s);
        ModelShard& shard = model[s];
        const size_t horizon = shard.Horizon(runtime_.Uptime(), retention);
        StartAt start = StartAt::TrimHorizon();
        size_t position = 0;
        switch (below(4)) {
          case 0:
            break;
          case 1:
            start = StartAt::Latest();
            position = shard.records.size();
            break;
          case 2: {
            if (shard.records.empty()) break;
            position = below(shard.records.size());
            SequenceNumber sequence = stream.ListShards().value()[s].starting_sequence;
            sequence.number = position + 1;
            const bool after = below(2) == 0;
            start = after ? StartAt::AfterSequence(sequence) : StartAt::AtSequence(sequence);
            if (after) ++position;
            break;
          }
          case 3: {
            const absl::Time time =
                runtime_.Now() - absl::Milliseconds(static_cast<int64_t>(below(600'000)));
            start = StartAt::AtTimestamp(time);
            position = horizon;
            while (position < shard.records.size() && shard.records[position].shown < time) {
              ++position;
            }
            break;
          }
        }
        iterators.push_back(
            {IteratorAt(stream, start, {static_cast<int64_t>(s)}), s, position, runtime_.Uptime()});
        break;
      }
      default: {
        if (iterators.empty()) break;
        const size_t which = below(iterators.size());
        ModelIterator& it = iterators[which];
        if (runtime_.Uptime() - it.issued > absl::Minutes(5)) {
          EXPECT_EQ(CodeOf(stream.GetRecords(it.iterator).status()), "ExpiredIteratorException");
          iterators.erase(iterators.begin() + static_cast<std::ptrdiff_t>(which));
          break;
        }
        learn_trimming(it.shard);
        if (HasFatalFailure()) break;
        const ModelShard& shard = model[it.shard];
        const size_t from = std::max(it.position, shard.Horizon(runtime_.Uptime(), retention));
        const size_t limit = 1 + below(40);
        const size_t to = std::min(shard.records.size(), from + limit);
        const RecordBatch batch = Get(stream, it.iterator, static_cast<int64_t>(limit));
        ASSERT_EQ(batch.size(), to - from);
        for (size_t i = from; i < to; ++i) {
          ASSERT_EQ(batch[i - from].sequence().number, i + 1);
          ASSERT_EQ(batch[i - from].data(), shard.records[i].data);
          ASSERT_EQ(batch[i - from].partition_key(), shard.records[i].key);
          ASSERT_EQ(batch[i - from].arrival_time(), shard.records[i].shown);
        }
        const bool unread = to < shard.records.size();
        ASSERT_EQ(batch.millis_behind_latest(),
                  unread ? std::max<int64_t>(1, absl::ToInt64Milliseconds(
                                                    runtime_.Uptime() - shard.records[to].arrived))
                         : 0);
        it = {batch.next().value(), it.shard, to, runtime_.Uptime()};
        break;
      }
    }
    if (step % 100 == 0) stream.core()->CheckInvariants();
  }

  const StreamStats stats = stream.Stats();
  EXPECT_EQ(stats.accepted, accepted);
  EXPECT_EQ(stats.accepted, stats.expired + stats.trimmed_early + stats.resting);
  EXPECT_EQ(stats.rejected, 0);
  if (!tight) {
    EXPECT_EQ(stats.trimmed_early, 0);
  }
  stream.core()->CheckInvariants();
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Range<uint64_t>(1, 41));

}  // namespace
}  // namespace banyan::testing
