// SPDX-License-Identifier: Apache-2.0
//
// Workers against a model of what at least once means, in random worlds: puts, splits and merges
// while workers start, stop, die (between calls and inside them), and processors fail. One seed
// makes one world, and a failure prints it.
//
// What must hold at every record that a processor is given:
//   nothing left out  it is the next of its key, or one that was seen before
//   order per key     which is the same, over all splits and merges
//   no needless twice it is not behind a checkpoint that was answered with OK, but for a batch that
//                     its processor answered with an error
//   parents first     its shard's parents have been checkpointed at their ends
// And in the end: everything was seen, only open shards are held, each by one.
#include <map>
#include <random>
#include <set>

#include "banyan/testing/seed_reporter.h"
#include "worker_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;

constexpr int kModelKeys = 6;
constexpr int kSteps = 120;

class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed), runtime_({.seed = seed, .shuffle = true}), calm_(false) {}

  void Run() {
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) Step();
    CalmDown();
  }

  int64_t repeated() const { return repeated_; }
  int64_t seen() const { return seen_; }
  int64_t ended() const { return static_cast<int64_t>(ended_.size()); }

 private:
  struct Seen {
    std::string key;
    int64_t n;
  };

  class Processor : public RecordProcessor {
   public:
    Processor(World& world, size_t worker, const ShardLease& lease)
        : world_(world), worker_(worker), shard_(lease.shard.index) {
      for (const ShardId parent : lease.parents) {
        EXPECT_TRUE(world_.ended_.contains(parent.index))
            << "shard " << shard_ << " began before " << parent.index << " had ended";
      }
      EXPECT_FALSE(world_.ended_.contains(shard_));
    }

    absl::Status Process(absl::Span<const SubRecord> records, Checkpointer& checkpoint) override {
      for (const SubRecord& record : records) world_.See(shard_, record, failed_);
      if (world_.Chance(8)) world_.Kill(worker_);
      const size_t upto = world_.Below(records.size() + 2);
      if (upto < records.size()) {
        Try(checkpoint.At(records[upto].sequence()), records[upto].sequence().number);
      } else if (upto == records.size()) {
        Try(checkpoint.Here(), records.back().sequence().number);
      }
      failed_ = world_.Chance(6);
      if (!failed_) done_ = records.back().sequence().number;
      return failed_ ? absl::UnavailableError("down") : absl::OkStatus();
    }

    absl::Status ShardEnded(Checkpointer& checkpoint) override {
      end_called_ = true;
      if (world_.Chance(6)) world_.Kill(worker_);
      if (world_.Chance(4)) return absl::OkStatus();  // forgets it
      return End(checkpoint);
    }

    void Stopping(Checkpointer& checkpoint) override {
      if (!world_.Chance(2)) return;
      if (end_called_) {
        End(checkpoint).IgnoreError();
      } else if (done_ > 0) {
        Try(checkpoint.Here(), done_);
      }
    }

   private:
    absl::Status End(Checkpointer& checkpoint) {
      const absl::Status answer = checkpoint.Here();
      if (answer.ok()) {
        world_.ended_.insert(shard_);
        world_.Cover(shard_, UINT64_MAX);
      }
      return answer;
    }

    void Try(const absl::Status& answer, uint64_t number) {
      if (answer.ok()) world_.Cover(shard_, number);
    }

    World& world_;
    const size_t worker_;
    const int64_t shard_;
    uint64_t done_ = 0;        // the last that it has answered with OK
    bool end_called_ = false;  // from then on "here" is the end of the shard
    bool failed_ = false;      // the last call: its batch comes again, whatever it checkpointed
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t one_in) { return !calm_ && Below(one_in) == 0; }

  void See(int64_t shard, const SubRecord& record, bool is_retry) {
    const std::string key(record.partition_key());
    const int64_t n = std::stoll(std::string(record.data()));
    int64_t& last = last_[key];
    EXPECT_LE(n, last + 1) << "key " << key << ": left out, or out of order";
    EXPECT_TRUE(is_retry || n > covered_[key]) << "key " << key << ": again, behind a checkpoint";
    repeated_ += n <= last ? 1 : 0;
    ++seen_;
    last = std::max(last, n);
    given_[shard][record.sequence().number] = {key, n};
  }

  void Cover(int64_t shard, uint64_t number) {
    for (const auto& [place, seen] : given_[shard]) {
      if (place > number) break;
      covered_[seen.key] = std::max(covered_[seen.key], seen.n);
    }
  }

  void Kill(size_t worker) {
    if (workers_.contains(worker)) workers_.at(worker).Abandon();
  }

  void StartWorker() {
    WorkerOptions options = {.application = "app"};
    options.max_records = static_cast<int64_t>(1 + Below(5));
    if (Chance(3)) options.max_leases_for_worker = static_cast<int64_t>(1 + Below(3));
    options.max_leases_to_steal_at_one_time = static_cast<int64_t>(1 + Below(2));
    const size_t number = next_worker_++;
    absl::StatusOr<Worker> worker =
        Worker::Start(stream_, options, [this, number](const ShardLease& lease) {
          return std::make_unique<Processor>(*this, number, lease);
        });
    ASSERT_THAT(worker, IsOk());
    workers_.emplace(number, *std::move(worker));
  }

  std::vector<ShardInfo> Open() const {
    return stream_.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
  }

  void Reshard() {
    const std::vector<ShardInfo> open = Open();
    const ShardInfo& one = open[Below(open.size())];
    if (open.size() < 6 && Below(2) == 0) {
      ASSERT_THAT(stream_.SplitShard(one.id), IsOk());
      return;
    }
    for (const ShardInfo& other : open) {  // refused unless they touch
      if (stream_.MergeShards(one.id, other.id).ok()) return;
    }
  }

  void Step() {
    switch (Below(10)) {
      case 0:
        if (workers_.size() < 4) StartWorker();
        break;
      case 1:
        if (!workers_.empty() && Below(2) == 0) {
          const auto chosen = Any();
          EXPECT_THAT(chosen->second.Stop(absl::Minutes(1)), IsOk());
          if (Below(2) == 0) workers_.erase(chosen);
        }
        break;
      case 2:
        if (!workers_.empty()) {
          const auto chosen = Any();
          chosen->second.Abandon();
          workers_.erase(chosen);
        }
        break;
      case 3:
        Reshard();
        break;
      case 4:
        runtime_.Advance(absl::Milliseconds(Below(15'000)));
        break;
      case 5:
        runtime_.Advance(absl::Milliseconds(Below(500)));
        break;
      default:
        for (uint64_t puts = 1 + Below(4); puts > 0; --puts) {
          const std::string key = std::to_string(Below(kModelKeys));
          ASSERT_THAT(stream_.Put({.partition_key = key, .data = std::to_string(++put_[key])}),
                      IsOk());
        }
        if (Below(2) == 0) runtime_.RunUntilIdle();
    }
  }

  std::map<size_t, Worker>::iterator Any() {
    return std::next(workers_.begin(), static_cast<ptrdiff_t>(Below(workers_.size())));
  }

  void CalmDown() {
    calm_ = true;
    std::erase_if(workers_, [](const auto& entry) { return entry.second.Stats().stopped; });
    StartWorker();  // has no bound on its leases, whatever the others have
    runtime_.Advance(absl::Minutes(10));
    for (const auto& [key, count] : put_) EXPECT_EQ(last_[key], count) << "key " << key;
    std::multiset<int64_t> held;
    for (const auto& [number, worker] : workers_) {
      for (const ShardProgress& shard : worker.Stats().shards) {
        held.insert(shard.shard.index);
        EXPECT_EQ(shard.millis_behind_latest, 0);
      }
    }
    std::multiset<int64_t> open;
    for (const ShardInfo& shard : Open()) open.insert(shard.id.index);
    EXPECT_EQ(held, open);
  }

  std::mt19937_64 random_;
  testing::SimulatedRuntime runtime_;
  bool calm_;
  std::map<std::string, int64_t> put_;                 // by key, how many
  std::map<std::string, int64_t> last_;                // that was seen
  std::map<std::string, int64_t> covered_;             // by checkpoints
  std::map<int64_t, std::map<uint64_t, Seen>> given_;  // by shard and number
  std::set<int64_t> ended_;
  int64_t seen_ = 0;
  int64_t repeated_ = 0;
  size_t next_worker_ = 0;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Stream stream_ = broker_.CreateStream("s", {.shards = 2}).value();
  std::map<size_t, Worker> workers_;  // by number
};

TEST(WorkerModel, OrderIsKeptAndNothingIsLostOverReshardsAndDeaths) {
  int64_t seen = 0;
  int64_t repeated = 0;
  int64_t ended = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    const testing::SeedReporter reporter(seed);
    World world(seed);
    world.Run();
    if (::testing::Test::HasFailure()) return;
    seen += world.seen();
    repeated += world.repeated();
    ended += world.ended();
  }
  // The worlds must be wild enough to show something.
  EXPECT_GT(seen, 20'000);
  EXPECT_GT(repeated, 1'000);
  EXPECT_GT(ended, 1'000);
}

}  // namespace
}  // namespace banyan
