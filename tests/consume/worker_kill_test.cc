// SPDX-License-Identifier: Apache-2.0
//
// A worker that dies at each step it ever takes. A step is an access to the lease table (it dies
// before it, or after it and before it hears of it) or a call of a processor (before it, or after
// it). One world is always the same: two shards that are split and merged again while two workers
// share them and records are put, plain ones and aggregated ones; in the end a third one comes. It
// is run once to count the steps of the first two, and then once for each of them, with that worker
// dead from there on.
//
// What must hold in each world:
//   order per key    the first time that a record is given, it is the next one of its key
//   nothing lost     in the end every record was given
//   nothing skipped  who takes a shard over is given what was not checkpointed, though a dead worker
//                    was given it
//   no needless twice  nothing comes again that was checkpointed with OK
//   parents first    a shard begins when those that it was made from were ended
#include <array>
#include <map>
#include <set>
#include <utility>

#include "banyan/aggregation.h"
#include "storage/lease_store.h"
#include "stream/core.h"
#include "worker_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using internal::Lease;
using internal::LeaseStore;

constexpr int64_t kNeverDies = -1;
constexpr int kKillKeys = 6;

// How long one worker lives.
class Life {
 public:
  explicit Life(int64_t dies_at) : dies_at_(dies_at) {}

  // One step; false if the worker is dead, or dies of it.
  bool Step() {
    if (dead_) return false;
    dead_ = steps_++ == dies_at_;
    if (dead_ && worker_ != nullptr) worker_->Abandon();
    return !dead_;
  }
  // A worker that dies while it starts is abandoned when it is there.
  void Is(Worker* worker) {
    worker_ = worker;
    if (dead_) worker_->Abandon();
  }
  bool dead() const { return dead_; }
  int64_t steps() const { return steps_; }

 private:
  const int64_t dies_at_;
  int64_t steps_ = 0;
  bool dead_ = false;
  Worker* worker_ = nullptr;
};

// The lease table, as seen by a worker that dies.
class MortalStore final : public LeaseStore {
 public:
  MortalStore(std::shared_ptr<LeaseStore> store, Life& life)
      : store_(std::move(store)), life_(life) {}

  absl::StatusOr<std::optional<Lease>> Get(std::string_view table, std::string_view key) override {
    return Do<std::optional<Lease>>([&] { return store_->Get(table, key); });
  }
  absl::StatusOr<std::optional<Lease>> Put(std::string_view table, Lease lease) override {
    return Do<std::optional<Lease>>([&] { return store_->Put(table, std::move(lease)); });
  }
  absl::StatusOr<bool> Remove(std::string_view table, std::string_view key,
                              int64_t version) override {
    return Do<bool>([&] { return store_->Remove(table, key, version); });
  }
  absl::StatusOr<std::vector<Lease>> List(std::string_view table) override {
    return Do<std::vector<Lease>>([&] { return store_->List(table); });
  }
  absl::Status RemoveTables(std::string_view) override { return Dead(); }

 private:
  static absl::Status Dead() { return absl::UnavailableError("the worker is dead"); }

  template <typename T, typename Access>
  absl::StatusOr<T> Do(Access access) {
    if (!life_.Step()) return Dead();
    absl::StatusOr<T> answer = access();
    if (!life_.Step()) return Dead();
    return answer;
  }

  const std::shared_ptr<LeaseStore> store_;
  Life& life_;
};

class KillWorld {
 public:
  // The steps at which two of the workers die.
  KillWorld(std::pair<int64_t, int64_t> die_at, uint64_t seed)
      : runtime_({.seed = seed, .shuffle = true}),
        lives_{Life(die_at.first), Life(die_at.second), Life(kNeverDies)} {
    leases_ = stream_.core()->env()->leases;
  }
  ~KillWorld() { stream_.core()->env()->leases = leases_; }

  void Run() {
    PutAll();
    PutAll();
    Start(0);
    runtime_.Advance(absl::Seconds(1));
    PutAll();
    ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());  // 2, 3
    PutAll();
    Start(1);
    runtime_.Advance(absl::Seconds(4));
    PutAll();
    ASSERT_THAT(stream_.MergeShards(ShardId{3}, ShardId{1}), IsOk());  // 4
    PutAll();
    runtime_.Advance(absl::Milliseconds(10));
    PutAll();
    runtime_.Advance(absl::Seconds(15));
    ASSERT_THAT(stream_.SplitShard(ShardId{2}), IsOk());  // 5, 6
    PutAll();
    runtime_.Advance(absl::Seconds(10));
    workers_[1].Stop(absl::Minutes(1)).IgnoreError();
    PutAll();
    runtime_.Advance(absl::Seconds(1));
    StartSurvivor();
    runtime_.Advance(absl::Minutes(2));
    for (const auto& [key, count] : put_) EXPECT_EQ(last_[key], count) << "key " << key;
    EXPECT_THAT(ended_, ::testing::ElementsAre(0, 1, 2, 3));
  }

  int64_t steps(size_t worker) const { return lives_[worker].steps(); }
  int64_t repeated() const { return repeated_; }

 private:
  using Numbers = std::map<std::string, int64_t>;  // by key
  using Name = std::pair<std::string, int64_t>;    // a record's key, and which one of that it is
  using Place = std::pair<uint64_t, int64_t>;      // sequence number, sub-sequence number
  static constexpr Place kEnd = {UINT64_MAX, 0};

  static Place PlaceOf(const SubRecord& record) {
    return {record.sequence().number, record.sub_sequence()};
  }
  static Name NameOf(const SubRecord& record) {
    return {std::string(record.partition_key()), std::stoll(std::string(record.data()))};
  }

  class Processor : public RecordProcessor {
   public:
    Processor(KillWorld& world, Life& life, const ShardLease& lease)
        : world_(world), life_(life), shard_(lease.shard.index) {
      if (lease.checkpoint.has_value()) {
        begin_ = {lease.checkpoint->number, lease.sub_sequence.value_or(INT64_MAX)};
      }
      for (const ShardId parent : lease.parents) {
        EXPECT_TRUE(world_.ended_.contains(parent.index)) << "shard " << shard_;
      }
    }

    absl::Status Process(absl::Span<const SubRecord> records, Checkpointer& checkpoint) override {
      EXPECT_FALSE(life_.dead());
      if (!life_.Step()) return absl::UnavailableError("dead");
      for (const SubRecord& record : records) {
        world_.See(shard_, record, keys_.insert(std::string(record.partition_key())).second);
        seen_.insert(PlaceOf(record));
      }
      if (!life_.Step()) return absl::UnavailableError("dead");
      // Now and then nothing, some of it, or all.
      const size_t choice = calls_++ % 3;
      if (choice == 0) return absl::OkStatus();
      const size_t last = choice == 1 ? (records.size() - 1) / 2 : records.size() - 1;
      world_.Cover(shard_, PlaceOf(records[last]), &world_.maybe_covered_);
      const absl::Status done = checkpoint.At(records[last]);
      if (done.ok()) world_.Cover(shard_, PlaceOf(records[last]), &world_.covered_);
      return done;
    }

    absl::Status ShardEnded(Checkpointer& checkpoint) override {
      if (!life_.Step()) return absl::UnavailableError("dead");
      // Others may hear of the end before we do: it counts from here on.
      world_.ended_.insert(shard_);
      for (const auto& [place, name] : world_.given_[shard_]) {
        EXPECT_TRUE(place <= begin_ || seen_.contains(place))
            << "key " << name.first << ": skipped";
      }
      world_.Cover(shard_, kEnd, &world_.maybe_covered_);
      absl::Status ended = checkpoint.Here();
      if (!life_.Step()) return absl::UnavailableError("dead");
      return ended;
    }

    void Stopping(Checkpointer& checkpoint) override {
      world_.Cover(shard_, kEnd, &world_.maybe_covered_);
      if (life_.Step()) checkpoint.Here().IgnoreError();
    }

   private:
    KillWorld& world_;
    Life& life_;
    const int64_t shard_;
    size_t calls_ = 0;
    Place begin_ = {};  // the checkpoint it began with
    std::set<Place> seen_;
    std::set<std::string> keys_;  // that it was given records of
  };

  void Start(size_t number) {
    Life& life = lives_[number];
    StartWorker(std::make_shared<MortalStore>(leases_, life), life, &workers_[number]);
  }

  void StartSurvivor() {
    Life& life = lives_[2];
    StartWorker(leases_, life, &workers_[2]);
    ASSERT_FALSE(workers_[2].Stats().stopped);
  }

  void StartWorker(std::shared_ptr<LeaseStore> store, Life& life, Worker* worker) {
    stream_.core()->env()->leases = std::move(store);
    WorkerOptions options = {.application = "app"};
    options.max_records = 2;
    options.max_leases_to_steal_at_one_time = 2;
    absl::StatusOr<Worker> started =
        Worker::Start(stream_, options, [this, &life](const ShardLease& lease) {
          return std::make_unique<Processor>(*this, life, lease);
        });
    if (started.ok()) {
      *worker = *std::move(started);
      life.Is(worker);
    } else {
      EXPECT_TRUE(life.dead()) << started.status();
    }
  }

  // Of each key one plain record and two in one.
  void PutAll() {
    for (int i = 0; i < kKillKeys; ++i) {
      const std::string key = std::to_string(i);
      int64_t& n = put_[key];
      ASSERT_THAT(stream_.Put({.partition_key = key, .data = std::to_string(++n)}), IsOk());
      Aggregator two;
      for (int sub = 0; sub < 2; ++sub) {
        ASSERT_THAT(two.Add({.partition_key = key, .data = std::to_string(++n)}), IsOk());
      }
      ASSERT_THAT(stream_.Put(two.Request()), IsOk());
    }
  }

  void See(int64_t shard, const SubRecord& record, bool is_first_of_processor) {
    const auto [key, n] = NameOf(record);
    if (is_first_of_processor) {
      EXPECT_LE(n, maybe_covered_[key] + 1) << "key " << key << ": skipped";
    }
    given_[shard][PlaceOf(record)] = {key, n};
    int64_t& last = last_[key];
    EXPECT_LE(n, last + 1) << "key " << key << ": left out, or out of order";
    EXPECT_GT(n, covered_[key]) << "key " << key << ": again, behind a checkpoint";
    repeated_ += n <= last ? 1 : 0;
    last = std::max(last, n);
  }

  // A checkpoint covers all that was given of the shard before it, whoever was.
  void Cover(int64_t shard, const Place& upto, Numbers* covered) const {
    const auto found = given_.find(shard);
    if (found == given_.end()) return;
    for (const auto& [place, name] : found->second) {
      if (upto < place) break;
      int64_t& n = (*covered)[name.first];
      n = std::max(n, name.second);
    }
  }

  testing::SimulatedRuntime runtime_;
  std::array<Life, 3> lives_;
  Numbers put_;            // how many
  Numbers last_;           // that was given
  Numbers covered_;        // by checkpoints that were answered with OK
  Numbers maybe_covered_;  // by those that were tried: they may count though nobody heard of it
  std::map<int64_t, std::map<Place, Name>> given_;  // by shard
  std::set<int64_t> ended_;
  int64_t repeated_ = 0;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Stream stream_ = broker_.CreateStream("s", {.shards = 2}).value();
  std::shared_ptr<LeaseStore> leases_;
  std::array<Worker, 3> workers_;
};

TEST(WorkerKill, KilledAtWhicheverStepNothingIsLostAndTheOrderOfEachKeyIsKept) {
  constexpr uint64_t kSeed = 7;
  KillWorld whole({kNeverDies, kNeverDies}, kSeed);
  whole.Run();
  ASSERT_FALSE(::testing::Test::HasFailure());
  int64_t repeated = 0;
  for (const size_t victim : {size_t{0}, size_t{1}}) {
    ASSERT_GT(whole.steps(victim), 100) << "too little happens to show anything";
    for (int64_t step = 0; step < whole.steps(victim); ++step) {
      SCOPED_TRACE(::testing::Message() << "worker " << victim << ", step " << step);
      KillWorld world(victim == 0 ? std::pair(step, kNeverDies) : std::pair(kNeverDies, step),
                      kSeed);
      world.Run();
      if (::testing::Test::HasFailure()) return;
      repeated += world.repeated();
    }
  }
  EXPECT_GT(repeated, 100) << "nobody died with records in hand";
}

// Whoever takes over dies as well, in the middle of it.
TEST(WorkerKill, KilledOneAfterTheOtherTheThirdGoesOn) {
  constexpr uint64_t kSeed = 11;
  KillWorld whole({kNeverDies, kNeverDies}, kSeed);
  whole.Run();
  for (int64_t first = 0; first < whole.steps(0); first += 17) {
    for (int64_t second = 0; second < whole.steps(1); second += 13) {
      SCOPED_TRACE(::testing::Message() << "steps " << first << " and " << second);
      KillWorld world({first, second}, kSeed);
      world.Run();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace banyan
