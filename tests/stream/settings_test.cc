// SPDX-License-Identifier: Apache-2.0
//
// What can be set of a stream and is kept: tags, encryption, enhanced monitoring.
#include <string>
#include <vector>

#include "banyan/metrics.h"
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
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

class StreamSettingsTest : public StreamTest {
 protected:
  using StreamTest::StreamTest;

  static StreamTags Numbered(int from, int count) {
    StreamTags tags;
    for (int i = from; i < from + count; ++i) tags.emplace("tag-" + std::to_string(i), "");
    return tags;
  }
};

// --- Tags

TEST_F(StreamSettingsTest, TagsAreAddedReplacedAndTakenAway) {
  const Stream stream = MakeStream();
  EXPECT_THAT(stream.Tags().value(), IsEmpty());
  ASSERT_EQ(stream.SetTags({{"team", "web"}, {"stage", "test"}}), absl::OkStatus());
  ASSERT_EQ(stream.SetTags({{"team", "shop"}, {"cost", ""}}), absl::OkStatus());
  EXPECT_THAT(stream.Tags().value(),
              ElementsAre(Pair("cost", ""), Pair("stage", "test"), Pair("team", "shop")));
  const std::vector<std::string> gone = {"team", "never there"};
  ASSERT_EQ(stream.RemoveTags(gone), absl::OkStatus());
  EXPECT_THAT(stream.Tags().value(), ElementsAre(Pair("cost", ""), Pair("stage", "test")));
}

TEST_F(StreamSettingsTest, AStreamHasFiftyTags) {
  const Stream stream = MakeStream();
  ASSERT_EQ(stream.SetTags(Numbered(0, 50)), absl::OkStatus());
  const absl::Status refused = stream.SetTags({{"one more", ""}, {"tag-0", "changed"}});
  EXPECT_EQ(CodeOf(refused), "InvalidArgumentException");
  EXPECT_EQ(TextOf(refused),
            "Failed to add tags to stream clicks under account 000000000000 because a given stream "
            "cannot have more than 50 tags associated with it.");
  EXPECT_THAT(stream.Tags().value(), SizeIs(50));
  EXPECT_EQ(stream.Tags().value()["tag-0"], "") << "all or none";
  EXPECT_EQ(stream.SetTags({{"tag-0", "changed"}}), absl::OkStatus());
}

TEST_F(StreamSettingsTest, TagKeysHave1To128CharactersAndValuesUpTo256) {
  const Stream stream = MakeStream();
  const auto repeated = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "\u00FC";  // two bytes each
    return text;
  };
  EXPECT_EQ(stream.SetTags({{repeated(128), repeated(256)}}), absl::OkStatus());
  for (const StreamTags& bad : {StreamTags{{repeated(129), ""}}, StreamTags{{"", ""}},
                                StreamTags{{"k", repeated(257)}}, StreamTags()}) {
    EXPECT_EQ(CodeOf(stream.SetTags(bad)), "ValidationException");
  }
  EXPECT_EQ(CodeOf(stream.SetTags(Numbered(0, 201))), "ValidationException");
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{repeated(129)}, std::vector<std::string>{""},
        std::vector<std::string>(), std::vector<std::string>(51, "k")}) {
    EXPECT_EQ(CodeOf(stream.RemoveTags(bad)), "ValidationException");
  }
  EXPECT_THAT(stream.Tags().value(), SizeIs(1));
}

TEST_F(StreamSettingsTest, TagsAreOfLettersDigitsSpacesAndSomeSigns) {
  const Stream stream = MakeStream();
  EXPECT_EQ(stream.SetTags({{"\u00FC0 _.", "\u4E2D"}, {"/=+-@:", ""}}), absl::OkStatus());
  for (const char* bad :
       {"abc;def", "abc\tdef", "abc\ndef", "abc,def", "\xC3", "\xF0\x9F\x8C\xB3"}) {
    const absl::Status refused = stream.SetTags({{"k", bad}});
    EXPECT_EQ(CodeOf(refused), "InvalidArgumentException") << bad;
    EXPECT_EQ(TextOf(refused),
              "Some tags contain invalid characters. Valid characters: Unicode letters, digits, "
              "white space, _ . / = + - % @ :.");
    EXPECT_EQ(CodeOf(stream.RemoveTags(std::vector<std::string>{bad})), "InvalidArgumentException");
  }
  EXPECT_EQ(TextOf(stream.SetTags({{"50%", ""}})),
            "Failed to add tags to stream clicks under account 000000000000 because some tags "
            "contained illegal characters. The allowed characters are Unicode letters, "
            "white-spaces, '_',',','/','=','+','-','@',':'.");
  EXPECT_THAT(TextOf(stream.RemoveTags(std::vector<std::string>{"50%"})),
              HasSubstr("Failed to remove tags from stream clicks"));
  EXPECT_THAT(stream.Tags().value(), SizeIs(2));
}

TEST_F(StreamSettingsTest, AConsumerHasTagsOfItsOwn) {
  const Stream stream = MakeStream();
  ASSERT_EQ(stream.SetTags({{"of", "stream"}}), absl::OkStatus());
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  EXPECT_THAT(consumer.Tags().value(), IsEmpty());
  ASSERT_EQ(consumer.SetTags({{"of", "consumer"}, {"more", ""}}), absl::OkStatus());
  EXPECT_THAT(stream.FindConsumer("audit").value().Tags().value(),
              ElementsAre(Pair("more", ""), Pair("of", "consumer")));
  EXPECT_THAT(stream.Tags().value(), ElementsAre(Pair("of", "stream")));
  ASSERT_EQ(consumer.RemoveTags(std::vector<std::string>{"more"}), absl::OkStatus());
  EXPECT_THAT(consumer.Tags().value(), ElementsAre(Pair("of", "consumer")));
  EXPECT_THAT(TextOf(consumer.SetTags(Numbered(0, 50))), HasSubstr("a given consumer cannot have"));

  ASSERT_EQ(stream.DeregisterConsumer("audit"), absl::OkStatus());
  EXPECT_EQ(CodeOf(consumer.Tags().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(consumer.SetTags({{"k", "v"}})), "ResourceNotFoundException");
  EXPECT_THAT(stream.RegisterConsumer("audit").value().Tags().value(), IsEmpty());
}

// --- Encryption

TEST_F(StreamSettingsTest, TheEncryptionKeyIsKeptAndShown) {
  const Stream stream = MakeStream();
  EXPECT_EQ(stream.Describe().value().encryption_key_id, "");
  ASSERT_EQ(stream.StartEncryption("alias/aws/kinesis"), absl::OkStatus());
  EXPECT_EQ(stream.Describe().value().encryption_key_id, "alias/aws/kinesis");
  ASSERT_EQ(stream.StartEncryption("alias/mine"), absl::OkStatus());
  EXPECT_EQ(stream.Describe().value().encryption_key_id, "alias/mine");
  Put(stream, "a");
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("a"));
  ASSERT_EQ(stream.StopEncryption(), absl::OkStatus());
  EXPECT_EQ(stream.Describe().value().encryption_key_id, "");
  EXPECT_EQ(stream.StopEncryption(), absl::OkStatus());
  EXPECT_EQ(CodeOf(stream.StartEncryption("")), "ValidationException");
  EXPECT_EQ(stream.StartEncryption(std::string(2'048, 'k')), absl::OkStatus());
  EXPECT_EQ(CodeOf(stream.StartEncryption(std::string(2'049, 'k'))), "ValidationException");
}

TEST_F(StreamSettingsTest, EncryptionIsStartedAndStoppedTwentyFiveTimesADay) {
  const Stream stream = MakeStream();
  for (int i = 0; i < 25; ++i) {
    ASSERT_EQ(stream.StartEncryption("key"), absl::OkStatus());
    ASSERT_EQ(stream.StopEncryption(), absl::OkStatus());
  }
  const absl::Status refused = stream.StartEncryption("key");
  EXPECT_EQ(CodeOf(refused), "LimitExceededException");
  EXPECT_THAT(TextOf(refused), HasSubstr("Rate of StartStreamEncryption exceeded"));
  runtime_.Advance(absl::Hours(24));
  EXPECT_EQ(stream.StartEncryption("key"), absl::OkStatus());
  EXPECT_EQ(stream.StopEncryption(), absl::OkStatus());
}

// --- Enhanced monitoring

TEST_F(StreamSettingsTest, EnhancedMonitoringShowsWhatWasEnabledOfEachShard) {
  using Metric = ShardLevelMetric;
  const Stream stream = MakeStream({.shards = 2});
  Put(stream, "12345", "a");  // 6 bytes, shard 0
  runtime_.Advance(absl::Seconds(3));
  Put(stream, "1", "a");
  EXPECT_THAT(stream.Metrics().value().shards, IsEmpty());
  EXPECT_THAT(stream.Describe().value().enhanced_monitoring, IsEmpty());

  EnhancedMonitoring change =
      stream.EnableEnhancedMonitoring(std::vector{Metric::kOutgoingRecords, Metric::kIncomingBytes})
          .value();
  EXPECT_THAT(change.current, IsEmpty());
  EXPECT_THAT(change.desired, ElementsAre(Metric::kIncomingBytes, Metric::kOutgoingRecords));
  Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 1);
  std::vector<ShardMetrics> shards = stream.Metrics().value().shards;
  ASSERT_THAT(shards, SizeIs(2));
  EXPECT_EQ(shards[0].shard_id, "shardId-000000000000");
  EXPECT_EQ(shards[0].incoming_bytes, 8);
  EXPECT_EQ(shards[0].outgoing_records, 1);
  EXPECT_EQ(shards[0].incoming_records, std::nullopt);
  EXPECT_EQ(shards[1].incoming_bytes, 0);
  EXPECT_THAT(ListMetrics(shards[0]), SizeIs(2));

  change = stream.EnableEnhancedMonitoring(std::vector{Metric::kAll}).value();
  EXPECT_THAT(change.current, SizeIs(2));
  EXPECT_THAT(change.desired, SizeIs(7));
  EXPECT_EQ(stream.Describe().value().enhanced_monitoring, change.desired);
  shards = stream.Metrics().value().shards;
  EXPECT_EQ(shards[0].incoming_records, 2);
  EXPECT_EQ(shards[0].outgoing_bytes, 6);
  EXPECT_EQ(shards[0].write_provisioned_throughput_exceeded, 0);
  EXPECT_EQ(shards[0].read_provisioned_throughput_exceeded, 0);
  EXPECT_EQ(shards[0].iterator_age_milliseconds,
            (StatisticSet{.count = 1, .sum = 3'000, .min = 3'000, .max = 3'000}));
  const std::string text = PrometheusText({.streams = {stream.Metrics().value()}});
  EXPECT_THAT(text, HasSubstr("banyan_kinesis_shard_incoming_bytes_total{stream=\"clicks\","
                              "shard=\"shardId-000000000000\"} 8\n"));

  change = stream.DisableEnhancedMonitoring(std::vector{Metric::kIncomingBytes}).value();
  EXPECT_THAT(change.desired, SizeIs(6));
  EXPECT_EQ(stream.Metrics().value().shards[0].incoming_bytes, std::nullopt);
  EXPECT_THAT(PrometheusText({.streams = {stream.Metrics().value()}}),
              Not(HasSubstr("banyan_kinesis_shard_incoming_bytes")));
  ASSERT_TRUE(stream.DisableEnhancedMonitoring(std::vector{Metric::kAll}).ok());
  EXPECT_THAT(stream.Metrics().value().shards, IsEmpty());

  EXPECT_EQ(CodeOf(stream.EnableEnhancedMonitoring({}).status()), "ValidationException");
  const std::vector<Metric> eight(8, Metric::kIncomingBytes);
  EXPECT_EQ(CodeOf(stream.EnableEnhancedMonitoring(eight).status()), "ValidationException");
}

TEST_F(StreamSettingsTest, MonitoringShowsClosedShardsUntilTheyExpire) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  ASSERT_TRUE(stream.EnableEnhancedMonitoring(std::vector{ShardLevelMetric::kAll}).ok());
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  EXPECT_THAT(stream.Metrics().value().shards, SizeIs(3));
  runtime_.Advance(absl::Hours(24));
  EXPECT_THAT(stream.Metrics().value().shards, SizeIs(2));
}

// --- All of them

class SlowSettingsTest : public StreamSettingsTest {
 protected:
  SlowSettingsTest() : StreamSettingsTest(SlowLimits()) {}
};

TEST_F(SlowSettingsTest, AStreamThatIsNotActiveIsNotChanged) {
  const Stream stream = MakeStream();
  const std::vector<ShardLevelMetric> all = {ShardLevelMetric::kAll};
  const auto expect_refused = [&](std::string_view state) {
    for (const absl::Status& refused :
         {stream.SetTags({{"k", "v"}}), stream.RemoveTags(std::vector<std::string>{"k"}),
          stream.StartEncryption("key"), stream.StopEncryption(),
          stream.EnableEnhancedMonitoring(all).status(),
          stream.DisableEnhancedMonitoring(all).status()}) {
      EXPECT_EQ(CodeOf(refused), "ResourceInUseException");
      EXPECT_THAT(TextOf(refused), HasSubstr("not ACTIVE, instead in state " + std::string(state)));
    }
  };
  expect_refused("CREATING");
  runtime_.Advance(absl::Seconds(10));
  ASSERT_EQ(stream.StartEncryption("key"), absl::OkStatus());
  expect_refused("UPDATING");
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(stream.SetTags({{"k", "v"}}), absl::OkStatus());
  EXPECT_EQ(stream.Describe().value().status, StreamStatus::kActive) << "tags change nothing";
  EXPECT_TRUE(stream.EnableEnhancedMonitoring(all).ok());
  EXPECT_EQ(stream.Describe().value().status, StreamStatus::kUpdating);
}

TEST_F(StreamSettingsTest, ADeletedStreamHasNoSettings) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  stream.core()->Close(internal::CloseKind::kDeleted);
  for (const Stream& gone : {stream, Stream()}) {
    EXPECT_EQ(CodeOf(gone.Tags().status()), "ResourceNotFoundException");
    EXPECT_EQ(CodeOf(gone.SetTags({{"k", "v"}})), "ResourceNotFoundException");
    EXPECT_EQ(CodeOf(gone.RemoveTags(std::vector<std::string>{"k"})), "ResourceNotFoundException");
    EXPECT_EQ(CodeOf(gone.StartEncryption("key")), "ResourceNotFoundException");
    EXPECT_EQ(CodeOf(gone.StopEncryption()), "ResourceNotFoundException");
    EXPECT_EQ(CodeOf(gone.EnableEnhancedMonitoring(std::vector{ShardLevelMetric::kAll}).status()),
              "ResourceNotFoundException");
  }
  EXPECT_EQ(CodeOf(consumer.Tags().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(StreamConsumer().SetTags({{"k", "v"}})), "ResourceNotFoundException");
}

}  // namespace
}  // namespace banyan::testing
