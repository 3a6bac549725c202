// SPDX-License-Identifier: Apache-2.0
//
// What the tests of workers share: a broker under simulated time, a processor that notes what it is
// told and does what the test says.
#ifndef BANYAN_TESTS_CONSUME_WORKER_FIXTURE_H_
#define BANYAN_TESTS_CONSUME_WORKER_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "banyan/worker.h"
#include "consumer_fixture.h"

namespace banyan {

// "0" is the shard that was made first.
inline std::string Short(ShardId shard) { return std::to_string(shard.index); }

// What a processor does.
struct Script {
  std::function<absl::Status(const ShardLease&, absl::Span<const SubRecord>, Checkpointer&)>
      process = [](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        return checkpoint.Here();
      };
  std::function<absl::Status(const ShardLease&, Checkpointer&)> shard_ended =
      [](const ShardLease&, Checkpointer& checkpoint) { return checkpoint.Here(); };
  std::function<void(const ShardLease&, Checkpointer&)> stopping = [](const ShardLease&,
                                                                      Checkpointer&) {};
};

class WorkerTest : public ::testing::Test {
 protected:
  class Processor : public RecordProcessor {
   public:
    Processor(WorkerTest& test, std::string name, const Script& script, const ShardLease& lease)
        : test_(test), name_(std::move(name)), script_(script), lease_(lease) {
      test_.leases_.push_back(lease);
    }
    absl::Status Process(absl::Span<const SubRecord> records, Checkpointer& checkpoint) override {
      for (const SubRecord& r : records) {
        test_.data_.emplace_back(r.data());
        test_.log_of_.push_back(name_ + ":" + Short(lease_.shard) + ":" + std::string(r.data()));
      }
      return script_.process(lease_, records, checkpoint);
    }
    absl::Status ShardEnded(Checkpointer& checkpoint) override {
      Note("ended");
      return script_.shard_ended(lease_, checkpoint);
    }
    void Stopping(Checkpointer& checkpoint) override {
      Note("stopping");
      script_.stopping(lease_, checkpoint);
    }
    void LeaseLost() override { Note("lost"); }

   private:
    void Note(std::string_view what) {
      test_.events_.push_back(name_ + ":" + Short(lease_.shard) + ":" + std::string(what));
    }
    WorkerTest& test_;
    const std::string name_;
    const Script script_;
    const ShardLease lease_;
  };

  static WorkerOptions App() { return {.application = "app"}; }

  Worker Start(const std::string& name, WorkerOptions options = App(), Script script = {}) {
    return Worker::Start(stream_, std::move(options),
                         [this, name, script = std::move(script)](const ShardLease& lease) {
                           return std::make_unique<Processor>(*this, name, script, lease);
                         })
        .value();
  }

  // Keys "0" to "9" fall on many shards.
  PutResult Put(std::string_view data, std::string_view key = "k") {
    return stream_.Put({.partition_key = key, .data = data}).value();
  }

  static size_t Held(const Worker& worker) { return worker.Stats().shards.size(); }
  static std::vector<int64_t> ShardsOf(const Worker& worker) {
    std::vector<int64_t> shards;
    for (const ShardProgress& shard : worker.Stats().shards) shards.push_back(shard.shard.index);
    return shards;
  }

  // What a processor does that takes so long.
  void Work(absl::Duration how_long) {
    Mutex mu;
    WaitList nobody;
    MutexLock lock(&mu);
    runtime_.Await(
        mu, nobody, [] { return false; }, runtime_.Uptime() + how_long);
  }

  std::vector<std::string> data_;    // of all records processed
  std::vector<std::string> log_of_;  // worker:shard:data
  std::vector<std::string> events_;  // worker:shard:what
  std::vector<ShardLease> leases_;   // as the processors got them
  RememberingLog log_;
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {.log = &log_}).value();
  Stream stream_ = broker_.CreateStream("clicks", {.shards = 1}).value();
};

}  // namespace banyan

#endif  // BANYAN_TESTS_CONSUME_WORKER_FIXTURE_H_
