// SPDX-License-Identifier: Apache-2.0
//
// Stream mappings: states, disabling, updating, stopping, outliving; also from inside a handler.
// Simulated time.
#include <memory>
#include <optional>

#include "mapping_testing.h"
#include "stream/core.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(MappingTest, StatesAndResultsAreTheApis) {
  Stream stream = MakeStream();
  bool fails = false;
  StreamMapping mapping = Start(stream, {}, [&](const StreamBatch&) {
    return fails ? absl::StatusOr<StreamBatchResult>(Broken()) : StreamBatchResult();
  });
  EXPECT_EQ(ToString(mapping.Describe().state), "Creating");
  EXPECT_EQ(mapping.Describe().state_transition_reason, "User action");
  EXPECT_EQ(mapping.Describe().last_processing_result, "No records processed");
  runtime_.RunUntilIdle();
  EXPECT_EQ(ToString(mapping.Describe().state), "Enabled");
  EXPECT_EQ(mapping.Describe().last_processing_result, "No records processed");
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Describe().last_processing_result, "OK");
  fails = true;
  Put(stream, "b");
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Describe().last_processing_result, "PROBLEM: Function call failed");
  mapping.Disable();
  EXPECT_EQ(ToString(mapping.Describe().state), "Disabled");
  mapping.Enable();
  EXPECT_EQ(ToString(mapping.Describe().state), "Enabled");
  ASSERT_THAT(mapping.Stop(absl::ZeroDuration()), IsOk());
  EXPECT_EQ(ToString(mapping.Describe().state), "Deleting");
}

TEST_F(MappingTest, DisabledItCallsNobodyAndGoesOnFromItsCheckpoint) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b"});
  bool fails = true;
  StreamMapping mapping = Start(stream, {.batch_size = 2}, [&](const StreamBatch&) {
    return fails ? absl::StatusOr<StreamBatchResult>(Broken()) : StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  mapping.Disable();
  EXPECT_EQ(mapping.Metrics().in_hand, 0);  // and nothing is pinned
  EXPECT_EQ(stream.Stats().bytes_pinned, 0);
  ExpectBalanced(mapping.Metrics());
  TakeCalls();
  fails = false;
  Put(stream, "c");
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  mapping.Enable();
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a b", "c"));
  ExpectBalanced(mapping.Metrics());
}

TEST_F(MappingTest, MadeDisabledItWaitsToBeEnabledAndMissesNothing) {
  Stream stream = MakeStream();
  StreamMapping mapping = Start(stream, {.start_at = StartAt::Latest(), .enabled = false});
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_EQ(ToString(mapping.Describe().state), "Disabled");
  EXPECT_THAT(calls_, IsEmpty());
  mapping.Enable();
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a"));
}

TEST_F(MappingTest, DisablingAndEnablingManyTimesLosesNothingAndPlansNothing) {
  Stream stream = MakeStream(2);
  StreamMapping mapping = Start(stream, {});
  for (int i = 0; i < 100; ++i) {
    mapping.Disable();
    if (i % 3 == 0) runtime_.RunUntilIdle();
    if (i % 2 == 0) Put(stream, "x" + std::to_string(i), Key(i));
    mapping.Enable();
    if (i % 5 == 0) runtime_.RunUntilIdle();
  }
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Metrics().handled, 50);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(MappingTest, UpdatedItHasTheNewOptionsFromItsCheckpointOn) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b", "c", "d"});
  bool fails = true;
  StreamMapping mapping = Start(stream, {.batch_size = 4}, [&](const StreamBatch& batch) {
    return fails ? absl::StatusOr<StreamBatchResult>(Failed(batch, "b")) : StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  TakeCalls();
  fails = false;
  EXPECT_THAT(mapping.Update({.batch_size = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("BatchSize")));
  ASSERT_THAT(
      mapping.Update({.batch_size = 1, .filters = {R"({"data": [{"anything-but": "c"}]})"}}),
      IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("b", "d"));
  ExpectBalanced(mapping.Metrics());
}

TEST_F(MappingTest, AnUpdateFromInsideAHandlerComesWhenItHasEnded) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b", "c"});
  std::optional<StreamMapping> mapping;
  std::vector<std::string> states;
  mapping = Start(stream, {.batch_size = 1}, [&](const StreamBatch& batch) {
    if (Has(batch, "a")) {
      EXPECT_THAT(mapping->Update({.batch_size = 10}), IsOk());
      states.emplace_back(ToString(mapping->Describe().state));
    }
    return StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(states, ElementsAre("Updating"));
  EXPECT_THAT(calls_, ElementsAre("a", "b c"));
}

TEST_F(MappingTest, AHandlerMayStopAndDestroyItsOwnMapping) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b"});
  std::optional<StreamMapping> mapping;
  mapping = Start(stream, {.batch_size = 1}, [&](const StreamBatch&) {
    EXPECT_THAT(mapping->Stop(absl::InfiniteDuration()), IsOk());
    mapping.reset();
    return StreamBatchResult();
  });
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(calls_, ElementsAre("a"));
}

TEST_F(MappingTest, AHandlerMayPutAndReshard) {
  Stream stream = MakeStream();
  Put(stream, "a");
  StreamMapping mapping = Start(stream, {}, [&](const StreamBatch& batch) {
    if (Has(batch, "a")) {
      EXPECT_THAT(stream.SplitShard(batch.shard_id), IsOk());
      Put(stream, "child");
    }
    return StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a", "child"));
}

TEST_F(MappingTest, AStreamThatIsDeletedStopsIt) {
  Stream stream = MakeStream();
  PutAll(stream, {"bad", "b"});
  StreamMapping idle = Start(stream, {});
  StreamMapping failing =
      Start(stream, {.batch_size = 1}, [](const StreamBatch&) { return Broken(); });
  runtime_.Advance(absl::Seconds(10));
  ASSERT_THAT(broker_.DeleteStream("clicks"), IsOk());
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(ToString(idle.Describe().state), "Deleting");
  EXPECT_EQ(ToString(failing.Describe().state), "Deleting");
  TakeCalls();
  // Another stream of its name is another stream.
  Put(MakeStream(), "c");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(MappingTest, ItMayOutliveItsBroker) {
  std::optional<StreamMapping> mapping;
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    Stream stream = broker.CreateStream("clicks").value();
    Put(stream, "a");
    mapping = Start(stream, {}, [](const StreamBatch&) { return Broken(); });
    runtime_.Advance(absl::Seconds(3));
  }
  TakeCalls();
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(calls_, IsEmpty());
  mapping->Disable();
  mapping->Enable();
  EXPECT_THAT(mapping->Update({}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(mapping->Stop(absl::ZeroDuration()), IsOk());
  EXPECT_EQ(ToString(mapping->Describe().state), "Deleting");
}

TEST_F(MappingTest, AMovedMappingGoesOnAndAnEmptyOneDoesNothing) {
  StreamMapping none;
  none.Disable();
  none.Enable();
  EXPECT_THAT(none.Stop(absl::ZeroDuration()), IsOk());
  EXPECT_EQ(none.Metrics().handled, 0);
  Stream stream = MakeStream();
  none = Start(stream, {});
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a"));
  none = Start(stream, {});  // the first is stopped
  Put(stream, "b");
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a b"));
}

TEST_F(MappingTest, AnEndedMappingLeavesNothingWithItsStream) {
  Stream stream = MakeStream(4);
  const auto kept = std::make_shared<int>(0);
  const auto handler = [kept](const StreamBatch&) { return absl::OkStatus(); };
  std::optional<StreamMapping> mapping = StreamMapping::Start(stream, {}, handler).value();
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_EQ(stream.core()->WakesWaiting(), 4);
  mapping->Disable();
  mapping->Enable();
  runtime_.RunUntilIdle();
  EXPECT_EQ(stream.core()->WakesWaiting(), 4);
  EXPECT_THAT(mapping->Stop(absl::Seconds(1)), IsOk());
  EXPECT_EQ(stream.core()->WakesWaiting(), 0);
  mapping.reset();
  EXPECT_EQ(kept.use_count(), 2) << "the handler's, here and not there";
}

// --- A consumer as the source --------------------------------------------------------------------

TEST_F(MappingTest, WhatHasStoppedTakesNoOtherOptions) {
  Stream stream = MakeStream();
  StreamMapping mapping = Start(stream, {});
  ASSERT_THAT(mapping.Stop(absl::Seconds(1)), IsOk());
  EXPECT_EQ(mapping.Update({.batch_size = 7}).code(), absl::StatusCode::kNotFound);
  mapping.Enable();
  EXPECT_EQ(mapping.Describe().state, MappingState::kDeleting);
}

class MappingOfConsumer : public MappingTest {
 protected:
  StreamMapping StartOn(const StreamConsumer& consumer, StreamMappingOptions options = {}) {
    return StreamMapping::Start(consumer, std::move(options), Remembering(nullptr)).value();
  }
};

TEST_F(MappingOfConsumer, NeitherFeelsTheStreamsReadLimitsNorCountsAgainstThem) {
  Stream stream = broker_.CreateStream("strict", {.shard_limits = ShardLimits::kStrict}).value();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  runtime_.Advance(absl::Minutes(1));
  Put(stream, "a");
  const ShardIterator begin = stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
  while (stream.GetRecords(begin).ok()) {
  }
  const int64_t exceeded = stream.Metrics().value().read_provisioned_throughput_exceeded;
  StreamMapping mapping = StartOn(consumer);
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a"));
  for (int i = 0; i < 20; ++i) {
    Put(stream, "b");
    runtime_.RunUntilIdle();
  }
  EXPECT_EQ(mapping.Metrics().handled, 21) << "more than five reads in this second";
  EXPECT_EQ(stream.Metrics().value().read_provisioned_throughput_exceeded, exceeded);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(stream.GetRecords(begin), IsOk()) << "the others have their five";
}

TEST_F(MappingOfConsumer, HasWhatIsPushedToAConsumerOfAStrictShardInASecond) {
  Stream stream = broker_.CreateStream("strict", {.shard_limits = ShardLimits::kStrict}).value();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  for (int i = 0; i < 10; ++i) {
    runtime_.Advance(absl::Minutes(1));  // what a shard takes in a second is less than two of them
    Put(stream, std::string(1'000'000, 'x'));
  }
  StreamMapping mapping = StartOn(consumer);
  runtime_.RunUntilIdle();
  EXPECT_THAT(mapping.Metrics().handled, ::testing::AllOf(::testing::Ge(2), ::testing::Le(4)));
  runtime_.Advance(absl::Seconds(2));
  EXPECT_THAT(mapping.Metrics().handled, ::testing::AllOf(::testing::Ge(6), ::testing::Lt(10)));
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(mapping.Metrics().handled, 10);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(MappingOfConsumer, HasNoPaceWhereNothingIsLimited) {
  Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  runtime_.Advance(absl::Minutes(1));
  for (int i = 0; i < 10; ++i) Put(stream, std::string(1'000'000, 'x'));
  StreamMapping mapping = StartOn(consumer);
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Metrics().handled, 10);
}

TEST_F(MappingOfConsumer, GoesThroughASplitAndStopsWhenItsConsumerIsGone) {
  Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  runtime_.Advance(absl::Minutes(1));
  StreamMapping mapping = StartOn(consumer);
  Put(stream, "parent");
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  Put(stream, "child");
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("parent", "child"));
  ASSERT_THAT(stream.DeregisterConsumer("audit"), IsOk());
  Put(stream, "late");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(TakeCalls(), ::testing::IsEmpty());
  EXPECT_EQ(mapping.Describe().state, MappingState::kDeleting);
  EXPECT_THAT(StreamMapping::Start(consumer, {}, Remembering(nullptr)).status(),
              testing::StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(StreamMapping::Start(StreamConsumer(), {}, Remembering(nullptr)).status(),
              testing::StatusIs(absl::StatusCode::kNotFound));
}

// --- In the broker's metrics ---------------------------------------------------------------------

TEST_F(MappingTest, TheBrokerCountsMappingsOfOneNameAndStreamTogether) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b", "c"});
  StreamMapping one = Start(stream, {.name = "totals"});
  StreamMapping two = Start(stream, {.name = "totals", .filters = {R"({"data": ["a"]})"}});
  StreamMapping other = Start(MakeStream(1, "orders"), {.name = "totals"});
  runtime_.RunUntilIdle();
  const BrokerMetrics metrics = broker_.Metrics();
  ASSERT_EQ(metrics.mappings.size(), 2u);
  const MappingMetrics& clicks = metrics.mappings[0];
  EXPECT_EQ(clicks.stream_name, "clicks");
  EXPECT_EQ(clicks.function_name, "totals");
  EXPECT_EQ(clicks.polled_event_count, 6);
  EXPECT_EQ(clicks.filtered_out_event_count, 2);
  EXPECT_EQ(clicks.handled, 4);
  EXPECT_EQ(metrics.mappings[1].stream_name, "orders");
  const std::string text = PrometheusText(metrics);
  EXPECT_THAT(text, ::testing::HasSubstr("banyan_lambda_polled_event_count_total{stream=\"clicks\","
                                         "function=\"totals\"} 6\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("banyan_lambda_iterator_age_seconds{stream=\"orders\","
                                         "function=\"totals\"} 0\n"));
  one = StreamMapping();
  two = StreamMapping();
  EXPECT_EQ(broker_.Metrics().mappings.size(), 1u) << "who was destroyed is not counted";
}

}  // namespace
}  // namespace banyan
