// SPDX-License-Identifier: Apache-2.0
//
// Put and PutRecords: what is taken, what is refused, and in which words.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PutTest : public StreamTest {
 protected:
  static absl::Status Refusal(const Stream& stream, const PutRequest& request) {
    return stream.Put(request).status();
  }
};

TEST_F(PutTest, RecordCarriesWhatWasPut) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Milliseconds(1'500));
  const std::string bytes("\0\xff binary", 9);
  const PutResult put = stream
                            .Put({.partition_key = "user-1",
                                  .data = bytes,
                                  .trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793"})
                            .value();
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].partition_key(), "user-1");
  EXPECT_EQ(batch[0].data(), bytes);
  EXPECT_EQ(batch[0].sequence(), put.sequence);
  EXPECT_EQ(batch[0].shard_id(), put.shard_id);
  EXPECT_EQ(batch[0].arrival_time(), runtime_.Now());
  EXPECT_EQ(batch[0].trace_header(), "Root=1-5759e988-bd862e3fe1be46a994272793");
  EXPECT_EQ(batch[0].trace_id(), "1-5759e988-bd862e3fe1be46a994272793");
}

TEST_F(PutTest, ArrivalHasMilliseconds) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Nanoseconds(1'234'567'890));
  Put(stream, "x");
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
  EXPECT_EQ(batch[0].arrival_time(), runtime_.Now() - absl::Nanoseconds(567'890));
}

TEST_F(PutTest, EveryRecordHasItsOwnEventId) {
  const Stream stream = MakeStream({.shards = 2});
  for (int i = 0; i < 100; ++i) Put(stream, "x", "key-" + std::to_string(i));
  std::vector<Id> ids;
  for (ShardId shard : {kShard0, kShard1}) {
    for (const Record& r : GetAt(stream, StartAt::TrimHorizon(), shard))
      ids.push_back(r.event_id());
  }
  ASSERT_EQ(ids.size(), 100u);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST_F(PutTest, SequenceNumbersAreDensePerShardAndGrow) {
  const Stream stream = MakeStream({.shards = 2});
  std::optional<SequenceNumber> last[2];
  for (int i = 0; i < 1'000; ++i) {
    const PutResult put = Put(stream, "x", "key-" + std::to_string(i));
    std::optional<SequenceNumber>& before = last[put.shard_id.index];
    EXPECT_EQ(put.sequence.number, before.has_value() ? before->number + 1 : 1);
    if (before.has_value()) {
      EXPECT_LT(*before, put.sequence);
    }
    before = put.sequence;
  }
}

TEST_F(PutTest, DataMayBeEmpty) {
  const Stream stream = MakeStream();
  Put(stream, "");
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre(""));
}

TEST_F(PutTest, PartitionKeyHas1To256Characters) {
  const Stream stream = MakeStream();
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = ""})), "ValidationException");
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = std::string(256, 'k')})), "OK");
  const absl::Status longer = Refusal(stream, {.partition_key = std::string(257, 'k')});
  EXPECT_EQ(CodeOf(longer), "ValidationException");
  EXPECT_THAT(TextOf(longer), HasSubstr("'partitionKey'"));
  EXPECT_THAT(TextOf(longer), HasSubstr("less than or equal to 256"));

  // Characters, not bytes: 256 of two bytes each.
  std::string cyrillic;
  for (int i = 0; i < 256; ++i) cyrillic += "\xD1\x8E";
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = cyrillic})), "OK");
  cyrillic += "\xD1\x8E";
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = cyrillic})), "ValidationException");
}

TEST_F(PutTest, PartitionKeyIsUtf8) {
  const Stream stream = MakeStream();
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = "\xff"})), "ValidationException");
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = "ab\xD1"})), "ValidationException");
}

TEST_F(PutTest, KeyAndDataTogetherAreLimited) {
  const Stream stream = MakeStream({.record_bytes_max = 1'000});
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = "12345", .data = std::string(995, 'x')})),
            "OK");
  const absl::Status status =
      Refusal(stream, {.partition_key = "12345", .data = std::string(996, 'x')});
  EXPECT_EQ(CodeOf(status), "ValidationException");
  EXPECT_THAT(TextOf(status), HasSubstr("1000"));
  EXPECT_THAT(TextOf(status), HasSubstr("1001"));
}

TEST_F(PutTest, TraceHeadersAreAtMost500BytesOfPrintableAscii) {
  const Stream stream = MakeStream();
  const std::string longest(500, '~');
  EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = "k", .trace_header = longest})), "OK");
  for (const std::string& bad : {longest + "~", std::string("a\nb"), std::string("\xC3\xA4")}) {
    const absl::Status status = Refusal(stream, {.partition_key = "k", .trace_header = bad});
    EXPECT_EQ(CodeOf(status), "ValidationException");
    EXPECT_THAT(TextOf(status), HasSubstr("'traceHeader' failed to satisfy constraint"));
  }
}

TEST_F(PutTest, ExplicitHashKeyIsBelowTwoToThe128) {
  const Stream stream = MakeStream();
  const absl::Status over = Refusal(
      stream,
      {.partition_key = "k", .explicit_hash_key = "340282366920938463463374607431768211456"});
  EXPECT_EQ(CodeOf(over), "InvalidArgumentException");
  EXPECT_EQ(TextOf(over),
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            "Specified value was 340282366920938463463374607431768211456");
  const std::string forty_digits = "1" + std::string(39, '0');
  for (const std::string_view bad : {"-1", "x", "01", "1 ", forty_digits.c_str()}) {
    EXPECT_EQ(CodeOf(Refusal(stream, {.partition_key = "k", .explicit_hash_key = bad})),
              "ValidationException")
        << bad;
  }
}

TEST_F(PutTest, ARefusedRecordLeavesNoTrace) {
  const Stream stream = MakeStream({.record_bytes_max = 100});
  EXPECT_FALSE(stream.Put({.partition_key = ""}).ok());
  EXPECT_FALSE(stream.Put({.partition_key = "k", .data = std::string(100, 'x')}).ok());
  EXPECT_FALSE(stream.Put({.partition_key = "k", .trace_header = std::string(8'193, 't')}).ok());
  EXPECT_EQ(stream.Stats(), StreamStats());
  EXPECT_EQ(Put(stream, "x").sequence.number, 1u);
}

TEST_F(PutTest, BatchAnswersInTheOrderOfItsRecords) {
  const Stream stream = MakeStream({.shards = 2});
  const std::vector<PutRequest> requests = {{.partition_key = "a", .data = "1"},
                                            {.partition_key = "user-1", .data = "2"},
                                            {.partition_key = "a", .data = "3"}};
  const auto results = stream.PutRecords(requests).value();
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0]->shard_id, kShard0);
  EXPECT_EQ(results[1]->shard_id, kShard1);
  EXPECT_EQ(results[2]->shard_id, kShard0);
  EXPECT_LT(results[0]->sequence, results[2]->sequence);
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon(), kShard0)), ElementsAre("1", "3"));
}

TEST_F(PutTest, BatchHas1To500Records) {
  const Stream stream = MakeStream();
  EXPECT_EQ(CodeOf(stream.PutRecords({}).status()), "ValidationException");
  std::vector<PutRequest> requests(500, PutRequest{.partition_key = "k", .data = "x"});
  EXPECT_EQ(stream.PutRecords(requests).status(), absl::OkStatus());
  requests.push_back(requests.back());
  const absl::Status status = stream.PutRecords(requests).status();
  EXPECT_EQ(CodeOf(status), "ValidationException");
  EXPECT_THAT(TextOf(status), HasSubstr("less than or equal to 500"));
  EXPECT_EQ(stream.Stats().accepted, 500);
}

TEST_F(PutTest, S2_ABatchHasTenMebibytesAtMost) {
  const Stream stream = MakeStream();
  const std::string mebibyte((1 << 20) - 1, 'x');  // one byte for the key
  std::vector<PutRequest> requests(10, PutRequest{.partition_key = "k", .data = mebibyte});
  EXPECT_EQ(stream.PutRecords(requests).status(), absl::OkStatus());
  requests.push_back({.partition_key = "k"});
  const absl::Status status = stream.PutRecords(requests).status();
  EXPECT_EQ(CodeOf(status), "InvalidArgumentException");
  EXPECT_THAT(TextOf(status), HasSubstr("Records size exceeds 10 MB limit"));
  EXPECT_EQ(stream.Stats().accepted, 10);
}

// A validation fault in one record fails the whole call, and the text says which record.
TEST_F(PutTest, OneInvalidRecordFailsTheWholeBatch) {
  const Stream stream = MakeStream();
  const absl::Status status =
      stream.PutRecords(std::vector<PutRequest>{{.partition_key = "k"}, {.partition_key = ""}})
          .status();
  EXPECT_EQ(CodeOf(status), "ValidationException");
  EXPECT_THAT(TextOf(status), HasSubstr("records.2.member.partitionKey"));
  EXPECT_EQ(stream.Stats(), StreamStats());
}

// A full shard refuses its own records; those of other shards are taken.
TEST_F(PutTest, FullShardFailsItsRecordsOnly) {
  const Stream stream =
      MakeStream({.shards = 2, .record_bytes_max = 32 << 10, .shard_bytes_max = 256 << 10});
  const std::string large(10 << 10, 'x');
  std::vector<RecordBatch> pins;
  const ShardIterator from = IteratorAt(stream, StartAt::TrimHorizon());
  while (stream.Put({.partition_key = "a", .data = large}).ok()) pins.push_back(Get(stream, from));

  const auto results =
      stream
          .PutRecords(std::vector<PutRequest>{{.partition_key = "a", .data = large},
                                              {.partition_key = "user-1", .data = large},
                                              {.partition_key = "a", .data = large}})
          .value();
  EXPECT_EQ(CodeOf(results[0].status()), "ProvisionedThroughputExceededException");
  EXPECT_EQ(TextOf(results[0].status()),
            "Rate exceeded for shard shardId-000000000000 in stream clicks under account "
            "000000000000.");
  EXPECT_EQ(results[1].status(), absl::OkStatus());
  EXPECT_EQ(CodeOf(results[2].status()), "ProvisionedThroughputExceededException");
  EXPECT_EQ(stream.Stats().rejected, 3);
}

// --- Names, options ------------------------------------------------------------------------------

TEST(StreamNameTest, Has1To128PlainCharacters) {
  const Limits limits = Limits::Aws();
  const auto code = [&](const std::string& name) {
    return CodeOf(internal::ValidateStreamName(name, limits));
  };
  EXPECT_EQ(code("Clicks_2.eu-west"), "OK");
  EXPECT_EQ(code(std::string(128, 'n')), "OK");
  for (const std::string& bad :
       {std::string(), std::string(129, 'n'), std::string("a b"), std::string("a/b"),
        std::string("\xC3\xA9"), std::string("a\0b", 3)}) {
    EXPECT_EQ(code(bad), "ValidationException") << bad;
  }
}

TEST(StreamOptionsTest, DefaultsAreGoodOnAws) {
  EXPECT_EQ(internal::ValidateStreamOptions({}, Limits::Aws()), absl::OkStatus());
}

TEST(StreamOptionsTest, FieldsOutOfRangeAreNamed) {
  const auto check = [](const StreamOptions& options, const std::string& code,
                        const std::string& text) {
    const absl::Status status = internal::ValidateStreamOptions(options, Limits::Aws());
    EXPECT_EQ(CodeOf(status), code);
    EXPECT_THAT(TextOf(status), HasSubstr(text));
  };
  check({.shards = 0}, "ValidationException", "'shardCount'");
  check({.shards = 10'001}, "LimitExceededException",
        "This request would exceed the shard limit for the account");
  check({.retention = absl::Hours(23)}, "InvalidArgumentException",
        "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is "
        "too short.");
  check({.retention = absl::Hours(8'761)}, "InvalidArgumentException",
        "Maximum allowed retention period is 8760 hours.");
  check({.retention = absl::InfiniteDuration()}, "InvalidArgumentException", "too long");
  check({.record_bytes_max = (1 << 20) - 1}, "ValidationException", "'record_bytes_max'");
  check({.record_bytes_max = (10 << 20) + 1}, "ValidationException", "'record_bytes_max'");
  check({.shard_bytes_max = (8 << 20) - 1}, "ValidationException", "'shard_bytes_max'");
}

// --- Tap, journal, deliveries --------------------------------------------------------------------

class RecordingTap : public Tap {
 public:
  TapVerdict Accepted(const AcceptedMessage& message) override {
    EXPECT_NE(message.attributes, nullptr);
    seen.push_back(std::to_string(message.sequence) + " " + std::string(message.key) + " " +
                   std::string(message.body.view()));
    event_id = message.event_id;
    arn = std::string(message.resource_arn);
    return verdict;
  }
  std::vector<std::string> seen;
  Id event_id;
  std::string arn;
  TapVerdict verdict = TapVerdict::kDeliver;
};

TEST_F(PutTest, TapSeesWhatIsPutAndWhatIsRefusedIsNotShown) {
  RecordingTap tap;
  env_->tap = &tap;
  const Stream stream = MakeStream();
  Put(stream, "one", "a");
  EXPECT_FALSE(stream.Put({.partition_key = "", .data = "bad"}).ok());
  ASSERT_TRUE(
      stream.PutRecords(std::vector<PutRequest>{{.partition_key = "b", .data = "two"}}).ok());
  EXPECT_THAT(tap.seen, ElementsAre("1 a one", "2 b two"));
  EXPECT_EQ(tap.arn, "arn:aws:kinesis:us-east-1:000000000000:stream/clicks");
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
  EXPECT_EQ(batch[1].event_id(), tap.event_id);
}

TEST_F(PutTest, WhatTheTapTakesOverIsNotStored) {
  RecordingTap tap;
  tap.verdict = TapVerdict::kTakeOver;
  env_->tap = &tap;
  const Stream stream = MakeStream();
  EXPECT_EQ(Put(stream, "one").sequence, SequenceNumber());
  EXPECT_EQ(stream.Stats().accepted, 0);
}

TEST_F(PutTest, DeliveryKeepsItsEventIdAndIsNotShownToTheTapAgain) {
  RecordingTap tap;
  env_->tap = &tap;
  const Stream stream = MakeStream();
  const Id event = {1, 2};
  ASSERT_TRUE(stream.core()
                  ->Deliver({.partition_key = "k", .data = "x", .trace_header = "Root=r"}, event)
                  .ok());
  EXPECT_TRUE(tap.seen.empty());
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].event_id(), event);
  EXPECT_EQ(batch[0].trace_id(), "r");
  EXPECT_EQ(batch[0].partition_key(), "k");
  EXPECT_EQ(batch[0].data(), "x");
}

class RecordingJournal : public internal::Journal {
 public:
  void Append(const internal::ChangeRecord& record) override {
    const bool accepted = record.change == internal::Change::kAccepted;
    EXPECT_TRUE(accepted || record.change == internal::Change::kExpired);
    EXPECT_EQ(accepted, record.message != nullptr);
    std::string line = accepted ? "+" : "-";
    line += std::to_string(record.message_id.hi) + ":" + std::to_string(record.message_id.lo);
    if (accepted) line += " " + std::string(record.message->body.view());
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

TEST_F(PutTest, JournalIsToldOfEveryRecordAndItsEnd) {
  RecordingJournal journal;
  env_->journal = &journal;
  const Stream stream = MakeStream({.shards = 2, .retention = absl::Hours(24)});
  Put(stream, "one", "a");
  Put(stream, "two", "user-1");
  runtime_.Advance(absl::Hours(1));
  Put(stream, "three", "a");
  runtime_.Advance(absl::Hours(23));
  EXPECT_EQ(stream.Stats().resting, 1);
  EXPECT_THAT(journal.lines, ElementsAre("+0:0 one", "+1:0 two", "+0:1 three", "-0:0", "-1:0"));
}

}  // namespace
}  // namespace banyan::testing
