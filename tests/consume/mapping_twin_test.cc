// SPDX-License-Identifier: Apache-2.0
//
// A stream mapping beside a naive twin of its rules, under random handlers, resharding, disabling and
// filters. The twin knows what was put into which shard. It lets the mapping choose how many records
// a fresh batch has, which depends on time, and then knows each call until that batch is over.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <optional>

#include "banyan/testing/seed_reporter.h"
#include "base/mix.h"
#include "mapping_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::UnorderedElementsAreArray;

class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t Below(uint64_t bound) {
    state_ += internal::kMixStep;
    return internal::Mix64(state_) % bound;
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

struct Rules {
  size_t batch_size = 1;
  int64_t retries_max = 0;
  bool bisect = false;
};

// What the rules say of one shard.
struct ShardTwin {
  struct Unit {
    std::vector<SequenceNumber> records;
    int64_t failures = 0;
  };
  std::deque<SequenceNumber> waiting;  // wanted by the filter, in order, in no unit
  std::deque<Unit> units;

  bool done() const { return waiting.empty() && units.empty(); }

  void BeginCall(const std::vector<SequenceNumber>& records, const Rules& rules) {
    if (units.empty()) {
      ASSERT_GE(records.size(), 1u);
      ASSERT_LE(records.size(), std::min(rules.batch_size, waiting.size()));
      units.push_back(
          {{waiting.begin(), waiting.begin() + static_cast<ptrdiff_t>(records.size())}});
      waiting.erase(waiting.begin(), waiting.begin() + static_cast<ptrdiff_t>(records.size()));
    }
    ASSERT_EQ(records, units.front().records);
  }

  // `done`: so many records from the front. Returns what is given up.
  std::optional<Unit> EndCall(size_t done, const Rules& rules) {
    Unit unit = units.front();
    units.pop_front();
    const size_t all = unit.records.size();
    if (done == all) return std::nullopt;
    unit.records.erase(unit.records.begin(), unit.records.begin() + static_cast<ptrdiff_t>(done));
    if (rules.bisect && done > 0) {
      units.push_front(unit);
    } else if (rules.bisect && all > 1) {
      const auto middle = unit.records.begin() + static_cast<ptrdiff_t>(all / 2);
      units.push_front({{middle, unit.records.end()}, unit.failures});
      units.push_front({{unit.records.begin(), middle}, unit.failures});
    } else if (++unit.failures > rules.retries_max) {
      return unit;
    } else {
      units.push_front(unit);
    }
    return std::nullopt;
  }

  void Rewind() {
    for (; !units.empty(); units.pop_back()) {
      const std::vector<SequenceNumber>& records = units.back().records;
      waiting.insert(waiting.begin(), records.begin(), records.end());
    }
  }
};

std::string NoteOf(const ShardTwin::Unit& unit, bool function_error) {
  return unit.records.front().ToString() + "/" + std::to_string(unit.records.size()) + "/" +
         std::to_string(unit.failures) + (function_error ? "/error" : "/answer");
}

std::string MemberOf(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":";
  const size_t begin = json.find(key) + key.size();
  std::string value(json.substr(begin, json.find_first_of(",}", begin) - begin));
  value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
  return value;
}

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : dice_(seed), runtime_({.seed = seed, .shuffle = true}) {}

  void Run() {
    rules_ = {.batch_size = 1 + dice_.Below(6),
              .retries_max = static_cast<int64_t>(dice_.Below(4)),
              .bisect = dice_.OneIn(2)};
    StreamMappingOptions options = {
        .batch_size = static_cast<int64_t>(rules_.batch_size),
        .retries_max = rules_.retries_max,
        .bisect_on_error = rules_.bisect,
        .backoff = {.first = absl::Milliseconds(10), .max = absl::Milliseconds(80)},
        .on_failure = dead_};
    if (dice_.OneIn(3)) options.batch_window = absl::Milliseconds(50);
    if (dice_.OneIn(2)) {
      filters_ = true;
      options.filters = {R"({"data": [{"anything-but": "skip"}]})"};
    }
    PutSome();
    StreamMapping mapping =
        StreamMapping::Start(stream_, options, [this](const StreamBatch& batch) {
          return Handle(batch);
        }).value();
    for (int step = 0; step < 40 && !::testing::Test::HasFatalFailure(); ++step) {
      const uint64_t choice = dice_.Below(10);
      if (choice < 5) {
        PutSome();
      } else if (choice < 7) {
        Reshard();
      } else if (choice == 7) {
        mapping.Disable();
        for (auto& [shard, twin] : twins_) twin.Rewind();
        runtime_.Advance(absl::Milliseconds(dice_.Below(100)));
        mapping.Enable();
      }
      runtime_.Advance(absl::Milliseconds(dice_.Below(200)));
    }
    calm_ = true;
    runtime_.Advance(absl::Minutes(5));
    for (const auto& [shard, twin] : twins_) EXPECT_TRUE(twin.done()) << "shard " << shard;
    EXPECT_THAT(TakeNotes(), UnorderedElementsAreArray(notes_));
    const MappingMetrics metrics = mapping.Metrics();
    EXPECT_EQ(metrics.handled, handled_);
    EXPECT_EQ(metrics.in_hand, 0);
    EXPECT_EQ(metrics.offset_lag, 0);
    EXPECT_EQ(metrics.handled + metrics.on_failure_destination_delivered_event_count, wanted_);
    EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
    calls_of_all_seeds += calls_;
  }

  static inline int64_t calls_of_all_seeds = 0;

 private:
  absl::StatusOr<StreamBatchResult> Handle(const StreamBatch& batch) {
    ++calls_;
    CheckParentsAreDone(batch.shard_id);
    ShardTwin& twin = twins_[batch.shard_id.index];
    std::vector<SequenceNumber> records;
    for (const Record& record : batch.records) records.push_back(record.sequence());
    twin.BeginCall(records, rules_);
    if (::testing::Test::HasFatalFailure()) return StreamBatchResult();
    const uint64_t outcome = calm_ ? 0 : dice_.Below(8);
    if (outcome == 1) Work(absl::Milliseconds(1 + dice_.Below(300)));
    size_t done = records.size();
    StreamBatchResult result;
    if (outcome == 2 || outcome == 3) {
      done = 0;
    } else if (outcome == 4) {
      done = 0;
      result.is_malformed = true;
    } else if (outcome == 5) {
      done = 0;
      result.failures = {records.back(), SequenceNumber{.number = 99'999}};
    } else if (outcome == 6) {
      done = dice_.Below(records.size());
      result.failures.push_back(records[done + dice_.Below(records.size() - done)]);
      result.failures.push_back(records[done]);
    }
    handled_ += static_cast<int64_t>(done);
    const bool is_error = outcome == 2 || outcome == 3;
    if (const std::optional<ShardTwin::Unit> given_up = twin.EndCall(done, rules_)) {
      notes_.push_back(NoteOf(*given_up, is_error));
    }
    if (is_error) {
#if defined(__cpp_exceptions)
      if (outcome == 3) throw std::string("thrown");
#endif
      return absl::InternalError("broken");
    }
    return result;
  }

  void CheckParentsAreDone(ShardId shard) {
    const std::vector<ShardInfo> shards = stream_.ListShards().value();
    for (const ShardInfo& info : shards) {
      if (info.id != shard) continue;
      for (const std::optional<ShardId>& parent : {info.parent, info.adjacent_parent}) {
        if (!parent.has_value()) continue;
        EXPECT_TRUE(twins_[parent->index].done())
            << shard.index << " before its parent " << parent->index;
      }
    }
  }

  void PutSome() {
    for (uint64_t i = dice_.Below(12); i > 0; --i) {
      const bool is_skipped = filters_ && dice_.OneIn(4);
      const std::string key = "key-" + std::to_string(dice_.Below(30));
      const PutResult put =
          stream_.Put({.partition_key = key, .data = is_skipped ? "skip" : "x"}).value();
      if (is_skipped) continue;
      ++wanted_;
      twins_[put.shard_id.index].waiting.push_back(put.sequence);
    }
  }

  void Reshard() {
    const std::vector<ShardInfo> open =
        stream_.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
    const ShardInfo& one = open[dice_.Below(open.size())];
    if (open.size() < 6 && dice_.OneIn(2)) {
      EXPECT_THAT(stream_.SplitShard(one.id), IsOk());
      return;
    }
    const ShardInfo& other = open[dice_.Below(open.size())];
    stream_.MergeShards(one.id, other.id).IgnoreError();  // most are no neighbours
  }

  std::vector<std::string> TakeNotes() {
    std::vector<std::string> notes;
    for (;;) {
      const std::vector<Received> some = dead_.Receive({.max_messages = 10}).value();
      if (some.empty()) return notes;
      for (const Received& message : some) {
        const std::string_view note = message.body();
        notes.push_back(MemberOf(note, "startSequenceNumber") + "/" + MemberOf(note, "batchSize") +
                        "/" + MemberOf(note, "approximateInvokeCount") +
                        (MemberOf(note, "functionError") == "null" ? "/answer" : "/error"));
      }
    }
  }

  void Work(absl::Duration how_long) {
    Mutex mu;
    WaitList nobody;
    MutexLock lock(&mu);
    runtime_.Await(
        mu, nobody, [] { return false; }, runtime_.Uptime() + how_long);
  }

  Dice dice_;
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Stream stream_ = broker_.CreateStream("clicks", {.shards = 2}).value();
  Queue dead_ = broker_.CreateQueue("dead").value();
  Rules rules_;
  bool filters_ = false;
  bool calm_ = false;
  std::map<int64_t, ShardTwin> twins_;
  std::vector<std::string> notes_;
  int64_t handled_ = 0;
  int64_t wanted_ = 0;
  int64_t calls_ = 0;
};

TEST(MappingTwinTest, EveryCallIsTheOneThatTheRulesSay) {
  constexpr uint64_t kSeeds = 600;
  for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    const testing::SeedReporter reporter(seed);
    Simulation(seed).Run();
  }
  EXPECT_GT(Simulation::calls_of_all_seeds, static_cast<int64_t>(kSeeds) * 20);
  RecordProperty("seeds", static_cast<int>(kSeeds));
  std::printf("seeds 1 to %d, %lld calls\n", static_cast<int>(kSeeds),
              static_cast<long long>(Simulation::calls_of_all_seeds));
}

}  // namespace
}  // namespace banyan
