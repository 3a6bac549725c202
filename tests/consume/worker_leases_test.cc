// SPDX-License-Identifier: Apache-2.0
//
// Several workers of one application: who gets which shard, hand-over, failure, stopping, outliving.
// Simulated time.
#include <optional>
#include <set>

#include "consume/lease_plan.h"
#include "consume/lease_table.h"
#include "storage/lease_store.h"
#include "stream/core.h"
#include "worker_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WorkerLeasesTest : public WorkerTest {
 protected:
  WorkerLeasesTest() { stream_ = broker_.CreateStream("many", {.shards = 6}).value(); }

  void PutEverywhere(std::string_view data) {
    for (int i = 0; i < 32; ++i) Put(data, std::to_string(i));
  }
};

// --- Balance

TEST_F(WorkerLeasesTest, TheFirstTakesAllAndOthersGetTheirShareOneByOne) {
  Worker first = Start("w1");
  runtime_.RunUntilIdle();
  EXPECT_EQ(Held(first), 6u);
  Worker second = Start("w2");
  EXPECT_EQ(Held(second), 0u) << "it has asked for one";
  runtime_.Advance(absl::Seconds(5));
  EXPECT_EQ(Held(second), 1u);
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(Held(first), 3u);
  EXPECT_EQ(Held(second), 3u);
  Worker third = Start("w3");
  runtime_.Advance(absl::Seconds(60));
  EXPECT_EQ(Held(first), 2u);
  EXPECT_EQ(Held(second), 2u);
  EXPECT_EQ(Held(third), 2u);
  const int64_t taken = first.Stats().leases_taken;
  runtime_.Advance(absl::Minutes(10));
  EXPECT_EQ(first.Stats().leases_taken, taken) << "balanced leases stay";
  EXPECT_EQ(first.Stats().handed_over, 4);
  EXPECT_EQ(first.Stats().leases_lost, 0);
}

TEST_F(WorkerLeasesTest, MoreCanBeStolenAtOneTime) {
  Worker first = Start("w1");
  WorkerOptions options = App();
  options.max_leases_to_steal_at_one_time = 3;
  Worker second = Start("w2", options);
  runtime_.Advance(absl::Seconds(5));
  EXPECT_EQ(Held(first), 3u);
  EXPECT_EQ(Held(second), 3u);
}

TEST_F(WorkerLeasesTest, NobodyHoldsMoreThanItMay) {
  WorkerOptions options = App();
  options.max_leases_for_worker = 2;
  Worker first = Start("w1", options);
  Worker second = Start("w2", options);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(Held(first), 2u);
  EXPECT_EQ(Held(second), 2u);
  Worker third = Start("w3", options);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(Held(third), 2u);
  EXPECT_EQ(Held(first) + Held(second), 4u);
}

TEST_F(WorkerLeasesTest, NoShardHasTwoOwnersAndNoneIsWithout) {
  std::vector<Worker> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(Start("w" + std::to_string(i)));
  runtime_.Advance(absl::Minutes(2));
  std::multiset<int64_t> held;
  for (const Worker& worker : workers) {
    EXPECT_GE(Held(worker), 1u);
    EXPECT_LE(Held(worker), 2u);
    for (const int64_t shard : ShardsOf(worker)) held.insert(shard);
  }
  EXPECT_THAT(held, ElementsAre(0, 1, 2, 3, 4, 5));
}

// --- Hand-over

TEST_F(WorkerLeasesTest, TheOldOwnerEndsItsBatchAndMayCheckpoint) {
  PutEverywhere("x");
  Script script;
  script.process = [](const ShardLease&, absl::Span<const SubRecord>, Checkpointer&) {
    return absl::OkStatus();  // checkpoints only when it has to
  };
  script.stopping = [](const ShardLease&, Checkpointer& checkpoint) {
    EXPECT_THAT(checkpoint.Here(), IsOk());
  };
  Worker first = Start("w1", App(), script);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, SizeIs(32));
  Worker second = Start("w2", App(), script);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(Held(second), 3u);
  EXPECT_THAT(data_, SizeIs(32)) << "nothing came twice";
  EXPECT_EQ(first.Stats().handed_over, 3);
}

TEST_F(WorkerLeasesTest, WhoDoesNotHandOverInTimeLosesTheLease) {
  stream_ = broker_.CreateStream("two", {.shards = 2}).value();
  Put("a", "a");
  Put("b", "b");
  WorkerOptions options = App();
  options.handover_within = absl::Seconds(5);
  Worker second;
  runtime_.PostAt(absl::Seconds(1), [&] { second = Start("w2", options); });
  size_t held_at_the_end = 0;
  size_t held_before = 0;
  runtime_.PostAt(absl::Milliseconds(5'500), [&] { held_before = Held(second); });
  runtime_.PostAt(absl::Milliseconds(6'500), [&] { held_at_the_end = Held(second); });
  std::vector<absl::Status> late;
  Worker first = Start(
      "w1", options,
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        Work(absl::Minutes(1));  // both shards; their leases are renewed all the time
        late.push_back(checkpoint.Here());
        return absl::OkStatus();
      }});
  runtime_.RunUntilIdle();
  EXPECT_EQ(held_before, 0u) << "it was asked for, and may still be handed over";
  EXPECT_EQ(held_at_the_end, 1u);
  EXPECT_THAT(late, ::testing::UnorderedElementsAre(IsOk(), StatusIs(absl::StatusCode::kAborted)));
  EXPECT_THAT(data_, SizeIs(3)) << "what was taken came again";
  EXPECT_THAT(events_, ElementsAre(::testing::EndsWith("lost")));
  EXPECT_EQ(first.Stats().leases_lost, 1);
  EXPECT_EQ(first.Stats().handed_over, 0);
}

// --- Failure

TEST_F(WorkerLeasesTest, AnAbandonedWorkerIsReplacedWhenItsLeasesStoodStill) {
  Script keeps_nothing;
  keeps_nothing.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                             Checkpointer& checkpoint) {
    return checkpoint.At(records[0].sequence());
  };
  Put("a");
  Put("b");
  Worker first = Start("w1", App(), keeps_nothing);
  runtime_.RunUntilIdle();
  Worker second = Start("w2");
  first.Abandon();
  Put("c");
  EXPECT_TRUE(first.Stats().stopped);
  runtime_.Advance(absl::Milliseconds(9'999));
  EXPECT_EQ(Held(second), 0u);
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Held(second), 6u);
  EXPECT_THAT(data_, ElementsAre("a", "b", "b", "c")) << "after the checkpoint, again";
  EXPECT_THAT(events_, IsEmpty()) << "the dead are told nothing";
  EXPECT_EQ(leases_.back().owner_switches, 1);
}

TEST_F(WorkerLeasesTest, AProcessorThatHangsLosesItsShardAndMayNotCheckpoint) {
  Put("a");
  WorkerOptions options = App();
  options.call_timeout = absl::Seconds(5);
  std::optional<absl::Status> late;
  Worker first = Start(
      "w1", options,
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        Work(absl::Minutes(2));
        late = checkpoint.Here();
        return absl::OkStatus();
      }});
  Worker second = Start("w2", options);
  runtime_.RunUntilIdle();
  runtime_.Advance(absl::Seconds(10));
  ASSERT_TRUE(late.has_value());
  EXPECT_THAT(*late, StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(data_, ElementsAre("a", "a"));
  EXPECT_THAT(log_of_[1], ::testing::StartsWith("w2:"));
  EXPECT_THAT(events_, Contains(::testing::EndsWith("lost")));
  EXPECT_EQ(first.Stats().leases_lost, 1);
}

TEST_F(WorkerLeasesTest, ALongCallIsNoHang) {
  Put("a");
  std::optional<absl::Status> late;
  Worker first = Start(
      "w1", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        Work(absl::Minutes(4));
        late = checkpoint.Here();
        return absl::OkStatus();
      }});
  WorkerOptions options = App();
  options.max_leases_for_worker = 1;
  Worker second = Start("w2", options);
  runtime_.RunUntilIdle();
  runtime_.Advance(absl::Seconds(10));
  EXPECT_THAT(data_, ElementsAre("a"));
  EXPECT_THAT(*late, IsOk()) << "its lease was renewed all the time";
}

// --- Stopping and outliving

TEST_F(WorkerLeasesTest, StopGivesTheLeasesUpAtOnce) {
  Worker first = Start("w1");
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk()) << "a second time";
  EXPECT_THAT(events_, SizeIs(6));
  EXPECT_TRUE(first.Stats().stopped);
  Worker second = Start("w2");
  EXPECT_EQ(Held(second), 6u);
  EXPECT_EQ(Held(first), 0u);
}

// That Stop() waits for the call is in worker_threads_test.cc: here all is one thread, which would
// wait for itself.
TEST_F(WorkerLeasesTest, StopLetsTheRunningCallEndAndItsCheckpointCount) {
  Put("a");
  std::optional<Worker> worker;
  runtime_.PostAt(absl::Seconds(1), [&] { worker->Stop(absl::Seconds(10)).IgnoreError(); });
  size_t held_meanwhile = 0;
  runtime_.PostAt(absl::Seconds(2), [&] {
    held_meanwhile = Held(*worker);
    Put("b");  // behind the last call
  });
  std::vector<absl::Status> checkpoints;
  worker = Start(
      "w1", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        Work(absl::Seconds(3));
        checkpoints.push_back(checkpoint.Here());
        return absl::OkStatus();
      }});
  runtime_.RunUntilIdle();
  EXPECT_EQ(held_meanwhile, 1u) << "the others were given up, the one that runs was not";
  EXPECT_THAT(checkpoints, ElementsAre(IsOk()));
  EXPECT_THAT(data_, ElementsAre("a"));
  EXPECT_THAT(events_, SizeIs(6)) << "each was told that it stops";
  EXPECT_EQ(Held(*worker), 0u);
  Worker second = Start("w2");
  EXPECT_EQ(Held(second), 6u) << "at once";
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b"));
}

// It may be stopped from its own factory, which is no call of a processor.
TEST_F(WorkerLeasesTest, NoCallBeginsAfterStop) {
  for (int i = 0; i < 32; ++i) Put("x", std::to_string(i));
  std::optional<Worker> worker;
  worker = Worker::Start(stream_, App(), [&](const ShardLease& lease) {
             worker->Stop(absl::Seconds(1)).IgnoreError();
             return std::make_unique<Processor>(*this, "w", Script(), lease);
           }).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, IsEmpty());
  EXPECT_THAT(events_, ElementsAre(::testing::EndsWith("stopping")));
  EXPECT_EQ(Held(*worker), 0u);
}

TEST_F(WorkerLeasesTest, AnEndedWorkerLeavesNothingWithItsStream) {
  const auto kept = std::make_shared<int>(0);
  const auto start = [&] {
    return Worker::Start(stream_, App(),
                         [this, kept](const ShardLease& lease) {
                           return std::make_unique<Processor>(*this, "w", Script(), lease);
                         })
        .value();
  };
  Worker stopped = start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(stream_.core()->WakesWaiting(), 6);
  ASSERT_THAT(stopped.Stop(absl::Seconds(1)), IsOk());
  EXPECT_EQ(stream_.core()->WakesWaiting(), 0);
  Worker dead = start();
  runtime_.RunUntilIdle();
  EXPECT_EQ(stream_.core()->WakesWaiting(), 6);
  dead.Abandon();
  EXPECT_EQ(stream_.core()->WakesWaiting(), 0);
  stopped = Worker();
  dead = Worker();
  EXPECT_EQ(kept.use_count(), 1);
}

TEST_F(WorkerLeasesTest, TheBrokerCountsTheWorkersOfAnApplicationTogether) {
  PutEverywhere("x");
  Worker first = Start("w1");
  runtime_.RunUntilIdle();
  Worker second = Start("w2");
  Worker other = Start("w3", {.application = "other"});
  runtime_.Advance(absl::Minutes(1));
  ASSERT_THAT(second.Stop(absl::Seconds(1)), IsOk());
  const BrokerMetrics metrics = broker_.Metrics();
  ASSERT_THAT(metrics.workers, SizeIs(2));
  const WorkerMetrics& app = metrics.workers[0];
  EXPECT_EQ(app.application, "app");
  EXPECT_EQ(app.stream_name, "many");
  EXPECT_EQ(app.records_processed, 32);
  EXPECT_EQ(app.num_workers, 1);
  EXPECT_EQ(app.current_leases, 3) << "the other three are nobody's for the moment";
  EXPECT_EQ(app.leases_taken, 9);
  EXPECT_EQ(app.leases_handed_over, 3);
  EXPECT_EQ(metrics.workers[1].application, "other");
  const std::string text = PrometheusText(metrics);
  EXPECT_THAT(text, ::testing::HasSubstr("banyan_kcl_records_processed_total{stream=\"many\","
                                         "application=\"app\"} 32\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("banyan_kcl_millis_behind_latest{stream=\"many\","
                                         "application=\"other\"} 0\n"));
}

TEST_F(WorkerLeasesTest, TheLeasesOfADeletedStreamGoWithIt) {
  const std::shared_ptr<internal::LeaseStore> store = stream_.core()->env()->leases;
  const Stream other = broker_.CreateStream("other").value();
  internal::LeaseTable ours(store, stream_, "app");
  internal::LeaseTable theirs(store, other, "app");
  Worker over_there = Worker::Start(other, App(), [&](const ShardLease& lease) {
                        return std::make_unique<Processor>(*this, "o", Script(), lease);
                      }).value();
  Worker stopped = Start("w1");
  runtime_.RunUntilIdle();
  ASSERT_THAT(stopped.Stop(absl::Seconds(1)), IsOk());
  EXPECT_THAT(ours.Read().value().leases, SizeIs(6));
  ASSERT_THAT(broker_.DeleteStream("many"), IsOk());
  EXPECT_THAT(ours.Read().value().leases, IsEmpty());
  EXPECT_FALSE(ours.Read().value().started);
  EXPECT_THAT(theirs.Read().value().leases, SizeIs(1));
}

TEST_F(WorkerLeasesTest, StopFromInsideAProcessorDoesNotWaitForIt) {
  Put("a");
  std::optional<Worker> worker;
  absl::Status stopped = absl::UnknownError("not called");
  absl::Duration took = absl::InfiniteDuration();
  worker = Start(
      "w", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        const absl::Duration begin = runtime_.Uptime();
        stopped = worker->Stop(absl::Hours(1));
        took = runtime_.Uptime() - begin;
        return checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(stopped, IsOk());
  EXPECT_EQ(took, absl::ZeroDuration());
  EXPECT_EQ(Held(*worker), 0u);
  Worker second = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a")) << "its checkpoint counted";
}

TEST_F(WorkerLeasesTest, AProcessorMayDestroyItsWorker) {
  Put("a");
  std::optional<Worker> worker;
  worker = Start(
      "w", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        worker.reset();
        return checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  EXPECT_FALSE(worker.has_value());
  EXPECT_THAT(events_, Contains(::testing::EndsWith("stopping")));
  Worker second = Start("w2");
  EXPECT_EQ(Held(second), 6u) << "all leases were given up";
}

TEST_F(WorkerLeasesTest, AProcessorMayDeleteItsStream) {
  Put("a");
  Worker worker = Start(
      "w", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        EXPECT_THAT(broker_.DeleteStream("many"), IsOk());
        return checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  EXPECT_TRUE(worker.Stats().stopped);
  EXPECT_EQ(Held(worker), 0u);
  EXPECT_EQ(worker.Stats().leases_lost, 0);
  EXPECT_THAT(events_, IsEmpty()) << "no other worker has the lease";
}

TEST_F(WorkerLeasesTest, AWorkerOutlivesItsBrokerAndRuntime) {
  Worker worker;
  {
    testing::SimulatedRuntime runtime;
    Broker broker = Broker::Create(runtime, {}).value();
    Stream stream = broker.CreateStream("s").value();
    worker = Worker::Start(stream, App(), [&](const ShardLease& lease) {
               return std::make_unique<Processor>(*this, "w", Script(), lease);
             }).value();
    ASSERT_THAT(stream.Put({.partition_key = "k", .data = "a"}), IsOk());
    runtime.RunUntilIdle();
  }
  EXPECT_THAT(data_, ElementsAre("a"));
  EXPECT_TRUE(worker.Stats().stopped);
  EXPECT_THAT(worker.Stop(absl::Seconds(1)), IsOk());
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(WorkerLeasesTest, AStoppingBrokerEndsItsWorkers) {
  Worker worker = Start("w");
  runtime_.RunUntilIdle();
  broker_.Stop(absl::Seconds(1));
  runtime_.Advance(absl::Seconds(10));
  EXPECT_TRUE(worker.Stats().stopped);
  EXPECT_THAT(Worker::Start(stream_, App(), [](const ShardLease&) { return nullptr; }).status(),
              StatusIs(absl::StatusCode::kUnavailable));
}

// --- The plan alone

std::vector<internal::LeaseClaim> Claims(std::initializer_list<const char*> holders) {
  std::vector<internal::LeaseClaim> claims;
  for (const char* holder : holders) {
    claims.push_back({.key = std::to_string(claims.size()), .holder = holder});
  }
  return claims;
}

TEST(LeasePlan, NobodysLeasesAreTakenUpToAnEqualShare) {
  EXPECT_THAT(internal::PlanLeases(Claims({"", "", ""}), "me", 100, 1, 0).take,
              ElementsAre("0", "1", "2"));
  EXPECT_THAT(internal::PlanLeases(Claims({"a", "", "", "a"}), "me", 100, 1, 0).take,
              ElementsAre("1", "2"));
  EXPECT_THAT(internal::PlanLeases(Claims({"", "", ""}), "me", 2, 1, 0).take,
              ElementsAre("0", "1"));
}

TEST(LeasePlan, NothingIsAskedForWhileSomethingIsNobodys) {
  EXPECT_THAT(internal::PlanLeases(Claims({"a", "a", "a", "a", ""}), "me", 100, 1, 0).ask_for,
              IsEmpty());
}

TEST(LeasePlan, WhoHasTwoMoreIsAskedForOne) {
  EXPECT_THAT(internal::PlanLeases(Claims({"a", "a"}), "me", 100, 1, 0).ask_for, SizeIs(1));
  EXPECT_THAT(internal::PlanLeases(Claims({"a"}), "me", 100, 1, 0).ask_for, IsEmpty());
  EXPECT_THAT(internal::PlanLeases(Claims({"a", "a", "me"}), "me", 100, 1, 0).ask_for, IsEmpty());
}

TEST(LeasePlan, WhatIsOnItsWayCountsAsHeldAndIsNotAskedForAgain) {
  std::vector<internal::LeaseClaim> claims = Claims({"a", "a", "a", "me"});
  claims[3].is_reserved = true;
  EXPECT_THAT(internal::PlanLeases(claims, "me", 100, 1, 0).ask_for, IsEmpty());
  EXPECT_THAT(internal::PlanLeases(claims, "me", 100, 2, 0).ask_for, SizeIs(1));
}

TEST(LeasePlan, WhatNobodyTakesForLongIsTakenBeyondTheShare) {
  std::vector<internal::LeaseClaim> claims = Claims({"a", "", "me", "me"});
  EXPECT_THAT(internal::PlanLeases(claims, "me", 100, 1, 0).take, IsEmpty()) << "it is for a";
  claims[1].is_overdue = true;
  EXPECT_THAT(internal::PlanLeases(claims, "me", 100, 1, 0).take, ElementsAre("1"));
  EXPECT_THAT(internal::PlanLeases(claims, "me", 2, 1, 0).take, IsEmpty());
}

TEST_F(WorkerLeasesTest, WhatOthersMayNotHoldIsTakenBeyondTheShare) {
  WorkerOptions small = App();
  small.max_leases_for_worker = 1;
  Worker first = Start("w1", small);
  Worker second = Start("w2", small);
  Worker third = Start("w3");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(Held(first), 1u);
  EXPECT_EQ(Held(second), 1u);
  EXPECT_EQ(Held(third), 4u);
}

}  // namespace
}  // namespace banyan
