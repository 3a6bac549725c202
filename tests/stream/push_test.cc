// SPDX-License-Identifier: Apache-2.0
//
// What is pushed to a consumer: records, empty events, continuations, children; and how a
// subscription begins and ends.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "banyan/stream_consumer.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Reason = SubscriptionEnd::Reason;

struct Seen {
  std::vector<std::string> data;
  std::optional<SequenceNumber> continuation;
  int64_t millis_behind_latest = 0;
  std::vector<ChildShard> children;
  absl::Duration at;
};

class PushTest : public StreamTest {
 protected:
  explicit PushTest(const Limits& limits = SmallLimits()) : StreamTest(limits) {}

  ShardEventHandler Keep() {
    return [this](const ShardEvent& event) {
      seen_.push_back({DataOf(event.batch), event.continuation, event.batch.millis_behind_latest(),
                       event.batch.child_shards(), runtime_.Uptime()});
      return absl::OkStatus();
    };
  }
  SubscriptionEndHandler KeepEnd() {
    return [this](const SubscriptionEnd& end) { ends_.push_back(end); };
  }

  ShardSubscription Subscribe(const StreamConsumer& consumer, const StartAt& start,
                              ShardId shard = kShard0) {
    absl::StatusOr<ShardSubscription> push =
        consumer.SubscribeToShard(shard, start, Keep(), KeepEnd());
    EXPECT_EQ(push.status(), absl::OkStatus());
    return push.ok() ? *std::move(push) : ShardSubscription();
  }

  // All that was pushed, as one list; what was seen is forgotten.
  std::vector<std::string> TakeData() {
    std::vector<std::string> data;
    for (const Seen& event : seen_) data.insert(data.end(), event.data.begin(), event.data.end());
    seen_.clear();
    return data;
  }

  // What a subscription that begins at `start` gets at once.
  std::vector<std::string> PushedFrom(const Stream& stream, const StartAt& start) {
    const StreamConsumer consumer = stream.RegisterConsumer("probe").value();
    const ShardSubscription push = Subscribe(consumer, start);
    runtime_.RunUntilIdle();
    EXPECT_EQ(stream.DeregisterConsumer("probe"), absl::OkStatus());
    return TakeData();
  }

  std::vector<Seen> seen_;
  std::vector<SubscriptionEnd> ends_;
};

// --- Records -------------------------------------------------------------------------------------

TEST_F(PushTest, ARecordIsPushedAsSoonAsItIsPut) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.RunUntilIdle();
  EXPECT_THAT(seen_, IsEmpty());
  Put(stream, "a");
  EXPECT_THAT(seen_, IsEmpty()) << "a handler ran inside the put";
  runtime_.RunUntilIdle();
  Put(stream, "b");
  const PutResult last = Put(stream, "c");
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_THAT(seen_[0].data, ElementsAre("a"));
  EXPECT_THAT(seen_[1].data, ElementsAre("b", "c"));
  EXPECT_EQ(seen_[1].continuation->number, last.sequence.number);
  EXPECT_EQ(seen_[1].millis_behind_latest, 0);
  EXPECT_EQ(push.continuation(), seen_[1].continuation);
  EXPECT_FALSE(push.end().has_value());
}

TEST_F(PushTest, EachConsumerGetsEverything) {
  const Stream stream = MakeStream();
  std::vector<ShardSubscription> pushes;
  std::vector<std::vector<std::string>> got(3);
  for (size_t i = 0; i < got.size(); ++i) {
    const StreamConsumer consumer = stream.RegisterConsumer("c" + std::to_string(i)).value();
    pushes.push_back(consumer
                         .SubscribeToShard(kShard0, StartAt::Latest(),
                                           [&got, i](const ShardEvent& event) {
                                             for (const Record& record : event.batch) {
                                               got[i].emplace_back(record.data());
                                             }
                                             return absl::OkStatus();
                                           })
                         .value());
  }
  for (const char* data : {"a", "b", "c"}) {
    Put(stream, data);
    runtime_.RunUntilIdle();
  }
  for (const auto& data : got) EXPECT_THAT(data, ElementsAre("a", "b", "c"));
}

TEST_F(PushTest, BeginsWhereItIsTold) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(10));
  const absl::Time middle = runtime_.Now();
  const PutResult second = Put(stream, "b");
  Put(stream, "c");
  EXPECT_THAT(PushedFrom(stream, StartAt::TrimHorizon()), ElementsAre("a", "b", "c"));
  EXPECT_THAT(PushedFrom(stream, StartAt::Latest()), IsEmpty());
  EXPECT_THAT(PushedFrom(stream, StartAt::AtSequence(second.sequence)), ElementsAre("b", "c"));
  EXPECT_THAT(PushedFrom(stream, StartAt::AfterSequence(second.sequence)), ElementsAre("c"));
  EXPECT_THAT(PushedFrom(stream, StartAt::AtTimestamp(middle)), ElementsAre("b", "c"));
}

TEST_F(PushTest, LatestIsThatOfTheCall) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  Put(stream, "before");
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  Put(stream, "after");  // the subscription has not run yet
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeData(), ElementsAre("after"));
}

TEST_F(PushTest, WrongPlacesAreRefusedAsByIterators) {
  const Stream stream = MakeStream({.shards = 2});
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const auto code = [&](ShardId shard, const StartAt& start) {
    runtime_.Advance(absl::Seconds(1));  // refused calls count, too
    return CodeOf(consumer.SubscribeToShard(shard, start, Keep()).status());
  };
  SequenceNumber other = stream.ListShards().value()[1].starting_sequence;
  EXPECT_EQ(code(kShard0, StartAt::AfterSequence(other)), "InvalidArgumentException");
  other.shard_index = 0;
  other.number = 99;
  EXPECT_EQ(code(kShard0, StartAt::AfterSequence(other)), "InvalidArgumentException");
  EXPECT_EQ(code(kShard0, StartAt::AtTimestamp(runtime_.Now() + absl::Hours(1))),
            "InvalidArgumentException");
  EXPECT_EQ(code({7}, StartAt::Latest()), "ResourceNotFoundException");
  const auto bad_id = consumer.SubscribeToShard("shard-0", StartAt::Latest(), Keep());
  EXPECT_EQ(CodeOf(bad_id.status()), "ResourceNotFoundException");
  EXPECT_THAT(TextOf(bad_id.status()), HasSubstr("Could not find shard shard-0"));
  const auto nobody = consumer.SubscribeToShard(kShard0, StartAt::Latest(), nullptr);
  EXPECT_EQ(CodeOf(nobody.status()), "InvalidArgumentException");
  EXPECT_EQ(code(kShard0, StartAt::Latest()), "OK") << "what was refused took no seat";
  EXPECT_TRUE(consumer.SubscribeToShard("shardId-000000000001", StartAt::Latest(), Keep()).ok());
}

TEST_F(PushTest, WhatComesDuringACallComesInTheNext) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  int depth = 0;
  std::vector<std::string> got;
  const ShardSubscription push =
      consumer
          .SubscribeToShard(kShard0, StartAt::TrimHorizon(),
                            [&](const ShardEvent& event) {
                              EXPECT_EQ(++depth, 1);
                              for (const Record& record : event.batch) {
                                got.emplace_back(record.data());
                              }
                              if (got.size() < 4) {
                                Put(stream, "x" + std::to_string(got.size()));
                                EXPECT_EQ(got.size(), event.continuation->number);
                              }
                              --depth;
                              return absl::OkStatus();
                            })
          .value();
  Put(stream, "x0");
  runtime_.RunUntilIdle();
  EXPECT_THAT(got, ElementsAre("x0", "x1", "x2", "x3"));
}

TEST_F(PushTest, ABatchThatIsCopiedKeepsItsRecords) {
  const Stream stream = MakeSmallStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  RecordBatch kept;
  ShardSubscription push = consumer
                               .SubscribeToShard(kShard0, StartAt::TrimHorizon(),
                                                 [&](const ShardEvent& event) {
                                                   if (kept.empty()) kept = event.batch;
                                                   return absl::OkStatus();
                                                 })
                               .value();
  Put(stream, "kept");
  runtime_.RunUntilIdle();
  push.Cancel();
  for (int i = 0; i < 40; ++i) Put(stream, std::string(16 << 10, 'x'));  // goes round
  EXPECT_THAT(DataOf(kept), ElementsAre("kept"));
}

TEST_F(PushTest, ASlowSubscriberIsOvertakenByRetention) {
  const Stream stream = MakeSmallStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
  for (int i = 0; i < 40; ++i) Put(stream, std::string(16 << 10, 'x'));  // before it runs
  const PutResult last = Put(stream, "last");
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_LT(seen_[0].data.size(), 20u);
  EXPECT_EQ(seen_[0].data.back(), "last");
  EXPECT_EQ(seen_[0].continuation->number, last.sequence.number);
}

// --- Empty events and continuations --------------------------------------------------------------

TEST_F(PushTest, S13_AnEventComesEveryFiveSecondsAndItsContinuationAdvancesWithoutData) {
  const Stream stream = MakeStream();
  Put(stream, "before");
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.Advance(absl::Milliseconds(4'999));
  EXPECT_THAT(seen_, IsEmpty());
  runtime_.Advance(absl::Milliseconds(1));
  ASSERT_THAT(seen_, SizeIs(1));
  runtime_.Advance(absl::Seconds(25));
  ASSERT_THAT(seen_, SizeIs(6));
  for (size_t i = 0; i < seen_.size(); ++i) {
    EXPECT_THAT(seen_[i].data, IsEmpty());
    EXPECT_EQ(seen_[i].millis_behind_latest, 0);
    EXPECT_EQ(seen_[i].at, absl::Seconds(5 * (i + 1)));
    if (i > 0) {
      EXPECT_GT(*seen_[i].continuation, *seen_[i - 1].continuation);
    }
  }
  // A checkpoint: it can be written down, and it is good where the last record is long gone.
  const std::string checkpoint = seen_.back().continuation->ToString();
  push.Cancel();
  seen_.clear();
  const PutResult put = Put(stream, "after");
  ASSERT_EQ(stream.TrimBefore(put.sequence), absl::OkStatus());
  const ShardSubscription renewed =
      Subscribe(consumer, StartAt::AfterSequence(*SequenceNumber::Parse(checkpoint)));
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeData(), ElementsAre("after"));
}

TEST_F(PushTest, RecordsPutOffTheEmptyEvent) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.Advance(absl::Seconds(4));
  Put(stream, "a");
  runtime_.Advance(absl::Milliseconds(4'999));
  ASSERT_THAT(seen_, SizeIs(1));
  runtime_.Advance(absl::Milliseconds(1));
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_THAT(seen_[1].data, IsEmpty());
  EXPECT_EQ(seen_[1].at, absl::Seconds(9));
}

TEST_F(PushTest, ContinuationsDoNotGoBackWithTheWallClock) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.Advance(absl::Seconds(5));
  runtime_.JumpWallClock(-absl::Hours(1));
  runtime_.Advance(absl::Seconds(5));
  Put(stream, "a");
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(3));
  EXPECT_GE(*seen_[1].continuation, *seen_[0].continuation);
  EXPECT_GT(*seen_[2].continuation, *seen_[1].continuation);
}

TEST_F(PushTest, NothingIsLostOrRepeatedAcrossRenewals) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  std::vector<std::string> wanted;
  std::vector<std::string> got;
  std::optional<SequenceNumber> continuation;
  for (int round = 0; round < 20; ++round) {
    const ShardSubscription push =
        Subscribe(consumer, continuation.has_value() ? StartAt::AfterSequence(*continuation)
                                                     : StartAt::TrimHorizon());
    for (int i = 0; i < round % 4; ++i) {
      wanted.push_back(std::to_string(wanted.size()));
      Put(stream, wanted.back());
      if (i == 1) runtime_.RunUntilIdle();
    }
    runtime_.Advance(absl::Milliseconds(5'000 + 700 * (round % 3)));
    continuation = seen_.back().continuation;
    EXPECT_EQ(push.continuation(), *continuation);
    wanted.push_back(std::to_string(wanted.size()));
    Put(stream, wanted.back());  // not seen before it is cancelled
    for (const std::string& data : TakeData()) got.push_back(data);
  }
  got.push_back(wanted.back());
  EXPECT_EQ(got, wanted);
}

// --- The pace ------------------------------------------------------------------------------------

TEST_F(PushTest, IsAtMostTwoMebibytesASecondForEachConsumerAndShardWhereLimitsAreStrict) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kStrict});
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const std::string data((64 << 10) - 1, 'x');
  for (int i = 1; i <= 160; ++i) {  // 10 MiB
    Put(stream, data);
    if (i % 16 == 0) runtime_.Advance(absl::Seconds(1));  // what the shard takes
  }
  const ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
  runtime_.RunUntilIdle();
  int64_t bytes = 0;
  const auto count = [&] {
    for (const Seen& event : seen_) bytes += static_cast<int64_t>(event.data.size()) * (64 << 10);
    seen_.clear();
  };
  count();
  EXPECT_EQ(bytes, 2 << 20) << "a second's worth at once";
  for (int second = 1; second <= 4; ++second) {
    runtime_.Advance(absl::Seconds(1));
    EXPECT_GT(seen_.empty() ? -1 : seen_.front().millis_behind_latest, second == 4 ? -1 : 0);
    count();
    EXPECT_EQ(bytes, (2 + 2 * second) << 20);
  }
  EXPECT_EQ(push.continuation().number, 160u);
}

TEST_F(PushTest, HasNoPaceWhereLimitsAreOffOrReported) {
  for (const ShardLimits shard_limits : {ShardLimits::kOff, ShardLimits::kReport}) {
    const Stream stream = MakeStream({.shard_limits = shard_limits});
    const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
    for (int i = 0; i < 100; ++i) Put(stream, std::string(100 << 10, 'x'));
    const ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
    runtime_.RunUntilIdle();
    EXPECT_EQ(push.continuation().number, 100u);
  }
}

TEST_F(PushTest, RelaxedLimitsHaveNoPaceAndLetASecondCallTakeOverAtOnce) {
  env_ = std::make_shared<internal::Environment>(runtime_, Limits::Relaxed(), 7);
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kReport});
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  for (int i = 0; i < 100; ++i) Put(stream, std::string(100 << 10, 'x'));
  const ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
  const ShardSubscription at_once = Subscribe(consumer, StartAt::TrimHorizon());  // takes over
  runtime_.RunUntilIdle();
  EXPECT_EQ(at_once.continuation().number, 100u);
  EXPECT_EQ(push.end()->reason, Reason::kTakenOver);
}

TEST_F(PushTest, AnEventComesEveryFiveSecondsThoughTheRateIsOverdrawn) {
  const Stream stream =
      MakeStream({.record_bytes_max = 10 << 20, .shard_limits = ShardLimits::kStrict});
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  for (const char letter : {'x', 'y', 'z'}) {
    Put(stream, std::string((10 << 20) - 1, letter));
    runtime_.Advance(absl::Seconds(10));  // what the shard takes of them
  }
  const ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
  runtime_.Advance(absl::Seconds(20));
  EXPECT_EQ(push.continuation().number, 3u);
  for (size_t i = 1; i < seen_.size(); ++i) {
    EXPECT_LE(seen_[i].at - seen_[i - 1].at, absl::Seconds(5));
  }
}

// --- Metrics -------------------------------------------------------------------------------------

TEST_F(PushTest, MetricsCountCallsAndEventsOfEachConsumer) {
  const Stream stream = MakeStream();
  const StreamConsumer audit = stream.RegisterConsumer("audit").value();
  ASSERT_TRUE(stream.RegisterConsumer("idle").ok());
  EXPECT_EQ(stream.Describe().value().consumers, 2);
  Put(stream, "1234");  // 5 bytes with its key
  Put(stream, "12");
  runtime_.Advance(absl::Seconds(2));
  const ShardSubscription push = Subscribe(audit, StartAt::TrimHorizon());
  runtime_.RunUntilIdle();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(audit.SubscribeToShard(kShard0, StartAt::Latest(), Keep()).ok());
  }
  runtime_.Advance(absl::Seconds(5));  // an empty event
  const std::vector<StreamConsumerMetrics> consumers = stream.Metrics().value().consumers;
  ASSERT_THAT(consumers, SizeIs(2));
  EXPECT_EQ(consumers[0].consumer_name, "audit");
  EXPECT_EQ(consumers[0].subscribe_to_shard_success, 1);
  EXPECT_EQ(consumers[0].subscribe_to_shard_rate_exceeded, 2);
  EXPECT_EQ(consumers[0].subscribe_to_shard_event_success, 2);
  EXPECT_EQ(consumers[0].subscribe_to_shard_event_records, 2);
  EXPECT_EQ(consumers[0].subscribe_to_shard_event_bytes, 8);
  EXPECT_EQ(consumers[0].subscribe_to_shard_event_millis_behind_latest.count, 2);
  EXPECT_EQ(consumers[1].consumer_name, "idle");
  EXPECT_EQ(consumers[1].subscribe_to_shard_success, 0);
  EXPECT_THAT(PrometheusText({.streams = {stream.Metrics().value()}}),
              HasSubstr("banyan_kinesis_subscribe_to_shard_event_records_total{stream=\"clicks\","
                        "consumer=\"audit\"} 2\n"));
}

TEST_F(PushTest, MetricsDoNotCountAnEventWhoseHandlerFailed) {
  const Stream stream = MakeStream();
  const StreamConsumer audit = stream.RegisterConsumer("audit").value();
  Put(stream, "x");
  const ShardSubscription push =
      audit
          .SubscribeToShard(kShard0, StartAt::TrimHorizon(),
                            [](const ShardEvent&) { return absl::InternalError("no"); })
          .value();
  runtime_.RunUntilIdle();
  const std::vector<StreamConsumerMetrics> consumers = stream.Metrics().value().consumers;
  ASSERT_THAT(consumers, SizeIs(1));
  EXPECT_EQ(consumers[0].subscribe_to_shard_success, 1);
  EXPECT_EQ(consumers[0].subscribe_to_shard_event_success, 0);
}

// --- Take-over and expiry ------------------------------------------------------------------------

TEST_F(PushTest, ASecondCallWithinFiveSecondsIsRefused) {
  const Stream stream = MakeStream({.shards = 2});
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  const ShardSubscription other_shard = Subscribe(consumer, StartAt::Latest(), kShard1);
  const ShardSubscription other_consumer =
      Subscribe(stream.RegisterConsumer("fraud").value(), StartAt::Latest());
  runtime_.Advance(absl::Milliseconds(4'999));
  const absl::Status refused =
      consumer.SubscribeToShard(kShard0, StartAt::Latest(), Keep()).status();
  EXPECT_EQ(CodeOf(refused), "ResourceInUseException");
  EXPECT_THAT(TextOf(refused), HasSubstr("Another active subscription exists for this consumer"));
  EXPECT_FALSE(push.end().has_value());
}

TEST_F(PushTest, FromFiveSecondsOnASecondCallTakesOver) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.Advance(absl::Seconds(5));
  seen_.clear();
  std::vector<std::string> got;
  const ShardSubscription later =
      consumer
          .SubscribeToShard(kShard0, StartAt::AfterSequence(push.continuation()),
                            [&](const ShardEvent& event) {
                              for (const std::string& data : DataOf(event.batch)) {
                                got.push_back(data);
                              }
                              return absl::OkStatus();
                            })
          .value();
  ASSERT_TRUE(push.end().has_value());
  EXPECT_EQ(push.end()->reason, Reason::kTakenOver);
  EXPECT_EQ(CodeOf(push.end()->status), "ResourceInUseException");
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_THAT(got, ElementsAre("a"));
  EXPECT_THAT(seen_, IsEmpty()) << "the old one was pushed to";
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].reason, Reason::kTakenOver);
  EXPECT_FALSE(later.end().has_value());
}

TEST_F(PushTest, ACallASecondIsAllowedForEachConsumerAndShard) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  const auto code = [&] {
    return CodeOf(consumer.SubscribeToShard(kShard0, StartAt::Latest(), Keep()).status());
  };
  runtime_.Advance(absl::Milliseconds(4'500));
  EXPECT_EQ(code(), "ResourceInUseException");
  runtime_.Advance(absl::Milliseconds(999));
  EXPECT_EQ(code(), "LimitExceededException");
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(code(), "OK") << "those refused for the rate do not count";
}

TEST_F(PushTest, EndsAfterFiveMinutes) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.Advance(absl::Milliseconds(299'999));
  EXPECT_FALSE(push.end().has_value());
  seen_.clear();
  Put(stream, "in time");
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeData(), ElementsAre("in time"));
  runtime_.Advance(absl::Milliseconds(1));
  Put(stream, "late");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(seen_, IsEmpty());
  ASSERT_TRUE(push.end().has_value());
  EXPECT_EQ(push.end()->reason, Reason::kExpired);
  EXPECT_EQ(push.end()->status, absl::OkStatus());
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].continuation, push.continuation());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration()) << "a timer was left behind";

  const ShardSubscription renewed =
      Subscribe(consumer, StartAt::AfterSequence(ends_[0].continuation));
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeData(), ElementsAre("late"));
}

TEST_F(PushTest, MayBeRenewedByWhoHearsOfItsEnd) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  std::unique_ptr<ShardSubscription> push;
  int renewals = 0;
  std::function<void(const StartAt&)> subscribe = [&](const StartAt& start) {
    push = std::make_unique<ShardSubscription>(
        consumer
            .SubscribeToShard(kShard0, start, Keep(),
                              [&](const SubscriptionEnd& end) {
                                ++renewals;
                                subscribe(StartAt::AfterSequence(end.continuation));
                              })
            .value());
  };
  subscribe(StartAt::TrimHorizon());
  std::vector<std::string> wanted;
  for (int i = 0; i < 60; ++i) {
    wanted.push_back(std::to_string(i));
    Put(stream, wanted.back());
    runtime_.Advance(absl::Seconds(17));
  }
  EXPECT_EQ(TakeData(), wanted);
  EXPECT_EQ(renewals, 3);
}

// --- The end of a shard --------------------------------------------------------------------------

TEST_F(PushTest, TheLastEventOfASplitShardHasItsChildren) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.RunUntilIdle();
  Put(stream, "a");
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_THAT(seen_[0].data, ElementsAre("a"));
  EXPECT_FALSE(seen_[0].continuation.has_value());
  ASSERT_THAT(seen_[0].children, SizeIs(2));
  EXPECT_EQ(seen_[0].children[0].id, ShardId{1});
  EXPECT_THAT(seen_[0].children[0].parents, ElementsAre(kShard0));
  EXPECT_EQ(push.end()->reason, Reason::kShardEnded);
  EXPECT_EQ(push.end()->status, absl::OkStatus());
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(PushTest, AWaitingSubscriptionHearsOfAMergeAtOnce) {
  const Stream stream = MakeStream({.shards = 2});
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription first = Subscribe(consumer, StartAt::Latest(), kShard0);
  const ShardSubscription second = Subscribe(consumer, StartAt::Latest(), kShard1);
  runtime_.RunUntilIdle();
  ASSERT_EQ(stream.MergeShards(kShard0, kShard1), absl::OkStatus());
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(2));
  for (const Seen& event : seen_) {
    EXPECT_THAT(event.data, IsEmpty());
    ASSERT_THAT(event.children, SizeIs(1));
    EXPECT_THAT(event.children[0].parents, ElementsAre(kShard0, kShard1));
  }
}

TEST_F(PushTest, AClosedShardCanBeSubscribedTo) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription all = Subscribe(consumer, StartAt::TrimHorizon());
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_THAT(seen_[0].data, ElementsAre("a"));
  EXPECT_THAT(seen_[0].children, SizeIs(2));
  runtime_.Advance(absl::Seconds(5));
  seen_.clear();
  const ShardSubscription latest = Subscribe(consumer, StartAt::Latest());
  runtime_.RunUntilIdle();
  ASSERT_THAT(seen_, SizeIs(1));
  EXPECT_THAT(seen_[0].data, IsEmpty());
  EXPECT_THAT(seen_[0].children, SizeIs(2));
  EXPECT_EQ(latest.end()->reason, Reason::kShardEnded);
}

// --- Handlers that fail, cancel and delete -------------------------------------------------------

TEST_F(PushTest, AHandlerThatFailsEndsItsSubscriptionAndSkipsNothing) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  int calls = 0;
  const ShardSubscription push =
      consumer
          .SubscribeToShard(
              kShard0, StartAt::TrimHorizon(),
              [&](const ShardEvent&) {
                return ++calls == 2 ? absl::InternalError("no disk") : absl::OkStatus();
              },
              KeepEnd())
          .value();
  for (const char* data : {"a", "b", "c"}) {
    Put(stream, data);
    runtime_.RunUntilIdle();
  }
  EXPECT_EQ(calls, 2);
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].reason, Reason::kHandlerFailed);
  EXPECT_EQ(ends_[0].status, absl::InternalError("no disk"));
  EXPECT_EQ(ends_[0].continuation.number, 1u);
  runtime_.Advance(absl::Seconds(5));
  const ShardSubscription again = Subscribe(consumer, StartAt::AfterSequence(push.continuation()));
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeData(), ElementsAre("b", "c"));
}

#if defined(__cpp_exceptions)
TEST_F(PushTest, AHandlerThatThrowsHasFailed) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription push =
      consumer
          .SubscribeToShard(
              kShard0, StartAt::TrimHorizon(),
              [](const ShardEvent&) -> absl::Status { throw std::runtime_error("no disk"); },
              [&](const SubscriptionEnd& end) {
                ends_.push_back(end);
                throw std::runtime_error("nor here");
              })
          .value();
  Put(stream, "a");
  runtime_.RunUntilIdle();
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].reason, Reason::kHandlerFailed);
  EXPECT_THAT(TextOf(ends_[0].status), HasSubstr("no disk"));
  EXPECT_EQ(push.continuation().number, 0u);
}
#endif

TEST_F(PushTest, ACancelledOneIsPushedNothing) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
  runtime_.RunUntilIdle();
  Put(stream, "a");
  push.Cancel();  // its wake-up is under way
  runtime_.Advance(absl::Minutes(6));
  EXPECT_THAT(seen_, IsEmpty());
  EXPECT_EQ(push.end()->reason, Reason::kCancelled);
  EXPECT_THAT(ends_, IsEmpty());
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(PushTest, MayBeCancelledAndDestroyedByItsHandler) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  int calls = 0;
  auto push = std::make_unique<ShardSubscription>();
  *push = consumer
              .SubscribeToShard(kShard0, StartAt::TrimHorizon(),
                                [&](const ShardEvent& event) {
                                  ++calls;
                                  push.reset();
                                  EXPECT_THAT(DataOf(event.batch), ElementsAre("a"));
                                  return absl::OkStatus();
                                })
              .value();
  Put(stream, "a");
  runtime_.RunUntilIdle();
  Put(stream, "b");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(push, nullptr);
}

TEST_F(PushTest, MayBeMovedWhileItIsPushedTo) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  ShardSubscription push = Subscribe(consumer, StartAt::TrimHorizon());
  ShardSubscription moved = std::move(push);
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeData(), ElementsAre("a"));
  moved = ShardSubscription();  // cancels
  Put(stream, "b");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(PushTest, DeregisteringInMidPushLetsTheCallEndAndNoOtherBegin) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  int calls = 0;
  const ShardSubscription push =
      consumer
          .SubscribeToShard(
              kShard0, StartAt::TrimHorizon(),
              [&](const ShardEvent& event) {
                ++calls;
                EXPECT_EQ(stream.DeregisterConsumer("audit"), absl::OkStatus());
                Put(stream, "b");
                EXPECT_THAT(DataOf(event.batch), ElementsAre("a"));
                return absl::OkStatus();
              },
              KeepEnd())
          .value();
  Put(stream, "a");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(calls, 1);
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].reason, Reason::kDeregistered);
  EXPECT_EQ(ends_[0].continuation.number, 1u) << "the call that ran to its end counts";
}

TEST_F(PushTest, DeletingTheStreamInMidPushLeavesTheRecordsOfTheCall) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  const ShardSubscription waiting =
      Subscribe(stream.RegisterConsumer("fraud").value(), StartAt::Latest());
  const ShardSubscription push = consumer
                                     .SubscribeToShard(
                                         kShard0, StartAt::TrimHorizon(),
                                         [&](const ShardEvent& event) {
                                           stream.core()->Close(internal::CloseKind::kDeleted);
                                           EXPECT_THAT(DataOf(event.batch), ElementsAre("a"));
                                           return absl::OkStatus();
                                         },
                                         KeepEnd())
                                     .value();
  Put(stream, "a");
  runtime_.Advance(absl::Minutes(1));
  ASSERT_THAT(ends_, SizeIs(2));
  for (const SubscriptionEnd& end : ends_) {
    EXPECT_EQ(end.reason, Reason::kStreamDeleted);
    EXPECT_EQ(CodeOf(end.status), "ResourceNotFoundException");
  }
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(PushTest, AnIdleShardKeepsNothingOfSubscriptionsThatCameAndWent) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  auto handled = std::make_shared<int>(0);
  for (int i = 0; i < 100; ++i) {
    const ShardSubscription push = consumer
                                       .SubscribeToShard(kShard0, StartAt::Latest(),
                                                         [handled](const ShardEvent&) {
                                                           ++*handled;
                                                           return absl::OkStatus();
                                                         })
                                       .value();
    runtime_.Advance(absl::Seconds(5));
  }
  EXPECT_EQ(handled.use_count(), 1) << "a handler is still held";
  const ShardSubscription push = Subscribe(consumer, StartAt::Latest());
  runtime_.RunUntilIdle();
  Put(stream, "a");
  EXPECT_LE(runtime_.RunUntilIdle(), 3) << "each of the hundred left a task";
  EXPECT_THAT(TakeData(), ElementsAre("a"));
}

}  // namespace
}  // namespace banyan::testing
