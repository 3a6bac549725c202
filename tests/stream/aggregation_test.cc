// SPDX-License-Identifier: Apache-2.0
//
// KPL's aggregated records: bytes written by hand from the published format, and what becomes of
// them in a stream.
#include "banyan/aggregation.h"

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "banyan/testing/seed_reporter.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "naive_aggregate.h"
#include "stream/shard_map.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Answer = Aggregator::Answer;

// Fields as they stand on the wire. A number below 128 is a varint of one byte.
std::string Varint(int number, int value) {
  return {static_cast<char>(number * 8), static_cast<char>(value)};
}
std::string Bytes(int number, std::string_view bytes) {
  return std::string{static_cast<char>(number * 8 + 2), static_cast<char>(bytes.size())} +
         std::string(bytes);
}
std::string Key(std::string_view key) { return Bytes(1, key); }
std::string HashKeyOf(std::string_view key) { return Bytes(2, key); }
std::string RecordOf(int key, std::string_view data) {
  return Bytes(3, Varint(1, key) + Bytes(3, data));
}

NaiveRecord Copy(const SubRecord& record) {
  NaiveRecord copy{std::string(record.partition_key()),
                   std::string(record.explicit_hash_key()),
                   std::string(record.data()),
                   {}};
  for (const SubRecordTag& tag : record.tags()) copy.tags.emplace_back(tag.key, tag.value);
  return copy;
}

// "a=1 b=2 ..."
std::string Show(const std::vector<SubRecord>& records) {
  std::string text;
  for (const SubRecord& record : records) {
    text += (text.empty() ? "" : " ") + std::string(record.partition_key()) + "=" +
            std::string(record.data());
  }
  return text;
}

class AggregationTest : public StreamTest {
 protected:
  // What a reader gets of a record that was put with this data, and the key "outer".
  std::vector<SubRecord> Read(std::string_view data, const HashKeyRange& range = {}) {
    const uint64_t number = Put(stream_, data, "outer").sequence.number;
    batch_ = GetAt(stream_, StartAt::TrimHorizon());
    return Deaggregate(batch_[static_cast<size_t>(number) - 1], range);
  }
  std::vector<SubRecord> ReadMessage(const std::string& message) {
    return Read(NaiveFrame(message));
  }
  bool IsPlain(std::string_view data) {
    const std::vector<SubRecord> records = Read(data);
    return records.size() == 1 && !records[0].is_aggregated() && records[0].data() == data &&
           records[0].partition_key() == "outer" && records[0].sub_sequence() == 0;
  }

  static HashKeyRange RangeOf(int64_t shards, size_t shard) {
    const internal::ShardMap map(shards);
    return HashKeyRange::Of(internal::HashKeyText(map.start(shard)),
                            internal::HashKeyText(map.end(shard)))
        .value();
  }

  Stream stream_ = MakeStream();
  RecordBatch batch_;
};

// --- The wire ------------------------------------------------------------------------------------

// The bytes are spelled out: frame and digest were computed outside the library.
TEST_F(AggregationTest, ReadsBytesWrittenByHand) {
  const std::string bytes = absl::HexStringToBytes(
      "f3899ac2"                            // magic
      "0a0161"                              // key table: "a"
      "0a026262"                            // key table: "bb"
      "120137"                              // hash key table: "7"
      "1a0908001a0568656c6c6f"              // record: key 0, data "hello"
      "1a07080110001a0178"                  // record: key 1, hash key 0, data "x"
      "c31ef8b68c0911a4159852afdf527bf6");  // MD5
  const std::vector<SubRecord> records = Read(bytes);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(Copy(records[0]), (NaiveRecord{"a", "", "hello", {}}));
  EXPECT_EQ(Copy(records[1]), (NaiveRecord{"bb", "7", "x", {}}));
  EXPECT_TRUE(records[0].is_aggregated());
}

TEST_F(AggregationTest, WritesTheBytesThatKplWrites) {
  Aggregator pack;
  EXPECT_EQ(pack.Add({.partition_key = "a", .data = "hello"}).value(), Answer::kAdded);
  EXPECT_EQ(pack.Add({.partition_key = "bb", .data = "x", .explicit_hash_key = "7"}).value(),
            Answer::kAdded);
  const PutRequest request = pack.Request();
  EXPECT_EQ(absl::BytesToHexString({request.data.data(), request.data.size()}),
            "f3899ac20a01610a0262621201371a0908001a0568656c6c6f1a07080110001a0178c31ef8b68c0911a415"
            "9852afdf527bf6");
  EXPECT_EQ(request.partition_key, "a");
  EXPECT_EQ(request.explicit_hash_key, "");
  EXPECT_EQ(pack.bytes(), static_cast<int64_t>(request.data.size()));
}

TEST_F(AggregationTest, TablesMayStandBehindTheRecordsAndBetweenThem) {
  EXPECT_EQ(Show(ReadMessage(RecordOf(1, "x") + Key("a") + RecordOf(0, "y") + Key("b"))),
            "b=x a=y");
}

TEST_F(AggregationTest, FieldsOfARecordMayComeInAnyOrderAndTheLastCounts) {
  EXPECT_EQ(
      Show(ReadMessage(Key("a") + Key("b") +
                       Bytes(3, Bytes(3, "old") + Varint(1, 0) + Bytes(3, "new") + Varint(1, 1)))),
      "b=new");
}

TEST_F(AggregationTest, UnknownFieldsAreSkipped) {
  const std::string eight =
      "\x41"
      "12345678";  // field 8: eight bytes
  const std::string four =
      "\x4d"
      "1234";                                                // field 9: four bytes
  const std::string group = "\x53" + Varint(1, 5) + "\x54";  // field 10: a group
  const std::string unknown = Varint(6, 1) + Bytes(7, "?") + eight + four + group;
  EXPECT_EQ(Show(ReadMessage(unknown + Key("a") + unknown +
                             Bytes(3, unknown + Varint(1, 0) + unknown + Bytes(3, "x") + unknown))),
            "a=x");
  // A known number with another type is not the field.
  EXPECT_EQ(Show(ReadMessage(Varint(1, 3) + Key("a") + Varint(3, 3) +
                             Bytes(3, Bytes(1, "?") + Varint(1, 0) + Bytes(3, "x")))),
            "a=x");
}

TEST_F(AggregationTest, KeysAndDataMayBeEmptyOrAnyBytes) {
  const std::string zeros("\0\xff\n", 3);
  const std::vector<SubRecord> records =
      ReadMessage(Key("") + Key(zeros) + RecordOf(0, "") + RecordOf(1, zeros));
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(Copy(records[0]), (NaiveRecord{"", "", "", {}}));
  EXPECT_EQ(Copy(records[1]), (NaiveRecord{zeros, "", zeros, {}}));
}

TEST_F(AggregationTest, TagsAreShown) {
  const std::string tag = Bytes(4, Bytes(1, "colour") + Bytes(2, "red"));
  const std::string bare = Bytes(4, Bytes(1, "sold"));
  const std::vector<SubRecord> records =
      ReadMessage(Key("a") + Bytes(3, Varint(1, 0) + tag + Bytes(3, "x") + bare));
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_THAT(records[0].tags(),
              ElementsAre(SubRecordTag{"colour", "red"}, SubRecordTag{"sold", ""}));
}

TEST_F(AggregationTest, NumbersMayBeWrittenLongerThanNeeded) {
  EXPECT_EQ(
      Show(ReadMessage(Key("a") + Bytes(3, std::string("\x08\x80\x80\x00", 4) + Bytes(3, "x")))),
      "a=x");
}

TEST_F(AggregationTest, NothingInsideYieldsNothing) {
  EXPECT_THAT(ReadMessage(Key("a")), IsEmpty());
}

// --- Plain records -------------------------------------------------------------------------------

TEST_F(AggregationTest, S14_WithoutMagicMd5OrMoreThan20BytesARecordIsPlain) {
  const std::string good = NaiveFrame(Key("a") + RecordOf(0, "x"));
  ASSERT_EQ(Show(Read(good)), "a=x");

  EXPECT_TRUE(IsPlain(""));
  EXPECT_TRUE(IsPlain("hello"));
  EXPECT_TRUE(IsPlain("\xF3\x89\x9A\xC2"));
  EXPECT_TRUE(IsPlain(NaiveFrame("")));  // 20 bytes, though magic and MD5 are right
  EXPECT_TRUE(IsPlain(good + "!"));
  EXPECT_TRUE(IsPlain(good.substr(1)));
  EXPECT_TRUE(IsPlain(good.substr(0, good.size() - 1)));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_TRUE(IsPlain(damaged)) << i;
  }
}

TEST_F(AggregationTest, WhatCannotBeReadBehindTheRightMd5IsPlain) {
  const std::string a = Key("a");
  const std::map<std::string, std::string> broken = {
      {"index out of the table", a + RecordOf(1, "x")},
      {"no table", RecordOf(0, "x")},
      {"hash key index out of its table", a + Bytes(3, Varint(1, 0) + Varint(2, 0) + Bytes(3, ""))},
      {"hash key is no number",
       a + HashKeyOf("x") + Bytes(3, Varint(1, 0) + Varint(2, 0) + Bytes(3, ""))},
      {"hash key is empty",
       a + HashKeyOf("") + Bytes(3, Varint(1, 0) + Varint(2, 0) + Bytes(3, ""))},
      {"hash key is 2^128", a + HashKeyOf("340282366920938463463374607431768211456") +
                                Bytes(3, Varint(1, 0) + Varint(2, 0) + Bytes(3, ""))},
      {"a record without its key", a + Bytes(3, Bytes(3, "x"))},
      {"a record without data", a + Bytes(3, Varint(1, 0))},
      {"an empty record", a + Bytes(3, "")},
      {"a tag without its key", a + Bytes(3, Varint(1, 0) + Bytes(3, "x") + Bytes(4, ""))},
      {"size beyond the end", a + RecordOf(0, "x") + "\x0a\x05zz"},
      {"size beyond the record's end", a + Bytes(3, Varint(1, 0) + "\x1a\x05zz") + "zzzzzz"},
      {"no end of a number", a + RecordOf(0, "x") + "\x30\xff"},
      {"a number of eleven bytes",
       a + RecordOf(0, "x") + "\x30" + std::string(10, '\xff') + "\x01"},
      {"field number 0", a + RecordOf(0, "x") + std::string("\x00\x00", 2)},
      {"field type 6", a + RecordOf(0, "x") + "\x36"},
      {"field type 7", a + RecordOf(0, "x") + "\x37"},
      {"a field number that is too large", a + RecordOf(0, "x") + "\xf8\xff\xff\xff\x1f\x01"},
      {"a group without end", a + RecordOf(0, "x") + "\x53"},
      {"an end without group", a + RecordOf(0, "x") + "\x54"},
      {"another group's end", a + RecordOf(0, "x") + "\x53\x5c"},
      {"groups too deep",
       a + RecordOf(0, "x") + std::string(101, '\x53') + std::string(101, '\x54')},
      {"eight bytes missing", a + RecordOf(0, "x") +
                                  "\x41"
                                  "1234567"},
  };
  for (const auto& [what, message] : broken) EXPECT_TRUE(IsPlain(NaiveFrame(message))) << what;
  // Not what is only unusual.
  EXPECT_EQ(
      Show(ReadMessage(a + RecordOf(0, "x") + std::string(100, '\x53') + std::string(100, '\x54'))),
      "a=x");
  EXPECT_EQ(Show(ReadMessage(a + HashKeyOf("x") + RecordOf(0, "y"))), "a=y");  // nobody asks for it
}

TEST_F(AggregationTest, SubRecordsAreNamedByTheRecordsNumberAndTheirOwn) {
  Put(stream_, "plain");
  Put(stream_, NaiveFrame(Key("a") + RecordOf(0, "x") + RecordOf(0, "y") + RecordOf(0, "z")));
  Put(stream_, "plain, too");
  const RecordBatch batch = GetAt(stream_, StartAt::TrimHorizon());
  std::vector<std::pair<uint64_t, int64_t>> names;
  for (const SubRecord& record : Deaggregate(batch)) {
    names.emplace_back(record.sequence().number, record.sub_sequence());
  }
  using Name = std::pair<uint64_t, int64_t>;
  EXPECT_THAT(names, ElementsAre(Name{1, 0}, Name{2, 0}, Name{2, 1}, Name{2, 2}, Name{3, 0}));
}

// A view: the bytes are the stream's own.
TEST_F(AggregationTest, NothingIsCopied) {
  const std::vector<SubRecord> records = ReadMessage(Key("key") + RecordOf(0, "data"));
  const std::string_view whole = records[0].record().data();
  for (const std::string_view view : {records[0].partition_key(), records[0].data()}) {
    EXPECT_GE(view.data(), whole.data());
    EXPECT_LE(view.data() + view.size(), whole.data() + whole.size());
  }
}

TEST_F(AggregationTest, ThreadsTakeOneBatchApartSideBySide) {
  for (int i = 0; i < 20; ++i) {
    Put(stream_, NaiveFrame(Key("a") + Key("user-1") + RecordOf(0, "x") + RecordOf(1, "y")));
  }
  const RecordBatch batch = GetAt(stream_, StartAt::TrimHorizon());
  std::vector<std::thread> threads;
  for (size_t shard = 0; shard < 2; ++shard) {
    threads.emplace_back([&batch, shard] {
      for (int round = 0; round < 100; ++round) {
        const std::vector<SubRecord> records = Deaggregate(batch, RangeOf(2, shard));
        ASSERT_THAT(records, SizeIs(20));
        ASSERT_EQ(records.back().data(), shard == 0 ? "x" : "y");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- After a reshard -----------------------------------------------------------------------------

TEST_F(AggregationTest, S15_SubRecordsOutsideTheShardThatIsReadAreDropped) {
  // By their MD5 "a" and "user-2" are in the lower half, "user-1" and "partitionKey" in the upper.
  const std::string bytes = NaiveFrame(Key("a") + Key("user-1") + Key("user-2") + HashKeyOf("0") +
                                       HashKeyOf("340282366920938463463374607431768211455") +
                                       RecordOf(0, "1") + RecordOf(1, "2") + RecordOf(2, "3") +
                                       Bytes(3, Varint(1, 0) + Varint(2, 1) + Bytes(3, "4")) +
                                       Bytes(3, Varint(1, 1) + Varint(2, 0) + Bytes(3, "5")));
  const HashKeyRange lower = RangeOf(2, 0);
  const HashKeyRange upper = RangeOf(2, 1);
  EXPECT_EQ(Show(Read(bytes)), "a=1 user-1=2 user-2=3 a=4 user-1=5");
  EXPECT_EQ(Show(Read(bytes, lower)), "a=1 user-2=3 user-1=5");
  EXPECT_EQ(Show(Read(bytes, upper)), "user-1=2 a=4");

  // They keep the numbers they had, or a checkpoint would name another one after a reshard.
  std::vector<int64_t> numbers;
  for (const SubRecord& record : Read(bytes, upper)) numbers.push_back(record.sub_sequence());
  EXPECT_THAT(numbers, ElementsAre(1, 3));
}

TEST_F(AggregationTest, BothEndsOfTheShardBelongToIt) {
  for (size_t shard = 0; shard < 3; ++shard) {
    const internal::ShardMap map(3);
    const std::string first = internal::HashKeyText(map.start(shard));
    const std::string last = internal::HashKeyText(map.end(shard));
    const std::string bytes = NaiveFrame(Key("k") + HashKeyOf(first) + HashKeyOf(last) +
                                         Bytes(3, Varint(1, 0) + Varint(2, 0) + Bytes(3, "first")) +
                                         Bytes(3, Varint(1, 0) + Varint(2, 1) + Bytes(3, "last")));
    EXPECT_EQ(Show(Read(bytes, RangeOf(3, shard))), "k=first k=last");
    EXPECT_EQ(Show(Read(bytes, RangeOf(3, (shard + 1) % 3))), "");
  }
}

// Kinesis placed it: its key decided, and is not asked again.
TEST_F(AggregationTest, APlainRecordIsNeverDropped) {
  EXPECT_EQ(Show(Read("x", RangeOf(2, 0))), "outer=x");
  EXPECT_EQ(Show(Read("x", RangeOf(2, 1))), "outer=x");
}

TEST_F(AggregationTest, HashKeysWithZerosInFrontAreNumbers) {
  const std::string bytes = NaiveFrame(Key("k") + HashKeyOf("007") +
                                       Bytes(3, Varint(1, 0) + Varint(2, 0) + Bytes(3, "x")));
  EXPECT_EQ(Show(Read(bytes, RangeOf(2, 0))), "k=x");
  EXPECT_EQ(Show(Read(bytes, RangeOf(2, 1))), "");
}

TEST_F(AggregationTest, ARangeHasTwoNumbersInOrder) {
  const HashKeyRange five = HashKeyRange::Of("5", "5").value();
  EXPECT_TRUE(five.Contains("k", "5"));
  EXPECT_FALSE(five.Contains("k", "4"));
  EXPECT_FALSE(five.Contains("k", "6"));
  EXPECT_FALSE(five.Contains("k", "five"));
  EXPECT_TRUE(HashKeyRange().Contains("k", "340282366920938463463374607431768211455"));
  EXPECT_FALSE(HashKeyRange().Contains("k", "340282366920938463463374607431768211456"));
  EXPECT_TRUE(RangeOf(2, 0).Contains("a"));
  EXPECT_FALSE(RangeOf(2, 1).Contains("a"));

  for (const auto& [first, last] : std::vector<std::pair<std::string, std::string>>{
           {"6", "5"}, {"", ""}, {"0", "x"}, {"0", "340282366920938463463374607431768211456"}}) {
    const absl::Status status = HashKeyRange::Of(first, last).status();
    EXPECT_EQ(CodeOf(status), "InvalidArgumentException") << first;
    EXPECT_THAT(TextOf(status), HasSubstr(first + " and " + last));
  }
}

// --- Packing -------------------------------------------------------------------------------------

class AggregatorTest : public AggregationTest {
 protected:
  // What comes out of a stream that the request is put into.
  std::vector<SubRecord> PutAndRead(const PutRequest& request) {
    const PutResult put = stream_.Put(request).value();
    batch_ = GetAt(stream_, StartAt::TrimHorizon());
    return Deaggregate(batch_[static_cast<size_t>(put.sequence.number) - 1]);
  }
};

TEST_F(AggregatorTest, WhatIsPackedComesOutAgain) {
  Aggregator pack;
  const std::vector<SubRecordTag> tags = {{"colour", "red"}, {"sold", ""}};
  ASSERT_EQ(pack.Add({.partition_key = "a", .data = "1"}).value(), Answer::kAdded);
  ASSERT_EQ(pack.Add({.partition_key = "b", .data = "", .explicit_hash_key = "9"}).value(),
            Answer::kAdded);
  ASSERT_EQ(pack.Add({.partition_key = "a", .data = "3", .tags = tags}).value(), Answer::kAdded);
  EXPECT_EQ(pack.records(), 3);

  const std::vector<SubRecord> records = PutAndRead(pack.Request());
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(Copy(records[0]), (NaiveRecord{"a", "", "1", {}}));
  EXPECT_EQ(Copy(records[1]), (NaiveRecord{"b", "9", "", {}}));
  EXPECT_EQ(Copy(records[2]), (NaiveRecord{"a", "", "3", {{"colour", "red"}, {"sold", ""}}}));
  EXPECT_EQ(records[0].record().partition_key(), "a");
}

TEST_F(AggregatorTest, TheFirstSubRecordsKeysPlaceTheWhole) {
  Aggregator pack;
  pack.Add({.partition_key = "a", .data = "1", .explicit_hash_key = "77"}).value();
  pack.Add({.partition_key = "b", .data = "2", .explicit_hash_key = "78"}).value();
  EXPECT_EQ(pack.Request().partition_key, "a");
  EXPECT_EQ(pack.Request().explicit_hash_key, "77");
  pack.Clear();
  pack.Add({.partition_key = "c", .data = "1"}).value();
  pack.Add({.partition_key = "b", .data = "2", .explicit_hash_key = "78"}).value();
  EXPECT_EQ(pack.Request().partition_key, "c");
  EXPECT_EQ(pack.Request().explicit_hash_key, "");
}

TEST_F(AggregatorTest, OneRecordAloneGoesAsItIs) {
  Aggregator pack;
  pack.Add({.partition_key = "a", .data = "alone", .explicit_hash_key = "5"}).value();
  EXPECT_EQ(pack.Request().data, "alone");
  EXPECT_EQ(pack.Request().explicit_hash_key, "5");
  EXPECT_EQ(pack.bytes(), 5);
  EXPECT_FALSE(PutAndRead(pack.Request())[0].is_aggregated());
}

// Or a reader would take apart what its producer meant as data, or miss the tags.
TEST_F(AggregatorTest, OneRecordAloneIsWrappedWhereItMustBe) {
  const std::string nested = NaiveFrame(Key("inner") + RecordOf(0, "x"));
  Aggregator pack;
  pack.Add({.partition_key = "a", .data = nested}).value();
  EXPECT_EQ(pack.bytes(), static_cast<int64_t>(pack.Request().data.size()));
  const std::vector<SubRecord> records = PutAndRead(pack.Request());
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(Copy(records[0]), (NaiveRecord{"a", "", nested, {}}));

  pack.Clear();
  const std::vector<SubRecordTag> tags = {{"k", "v"}};
  pack.Add({.partition_key = "a", .data = "x", .tags = tags}).value();
  EXPECT_EQ(Copy(PutAndRead(pack.Request())[0]), (NaiveRecord{"a", "", "x", {{"k", "v"}}}));
}

TEST_F(AggregatorTest, SaysWhenItIsFullOfRecords) {
  Aggregator pack({.records_max = 2});
  EXPECT_EQ(pack.Add({.partition_key = "a", .data = "1"}).value(), Answer::kAdded);
  EXPECT_EQ(pack.Add({.partition_key = "b", .data = "2"}).value(), Answer::kAdded);
  EXPECT_EQ(pack.Add({.partition_key = "c", .data = "3"}).value(), Answer::kFull);
  EXPECT_EQ(Show(PutAndRead(pack.Request())), "a=1 b=2");
  pack.Clear();
  EXPECT_TRUE(pack.empty());
  EXPECT_EQ(pack.bytes(), 0);
  EXPECT_EQ(pack.Add({.partition_key = "c", .data = "3"}).value(), Answer::kAdded);
  EXPECT_EQ(Show(PutAndRead(pack.Request())), "c=3");
}

// The bound is of the bytes that are put, to the byte.
TEST_F(AggregatorTest, SaysWhenItIsFullOfBytes) {
  const auto pack_two = [](int64_t bytes_max) {
    Aggregator pack({.bytes_max = bytes_max});
    pack.Add({.partition_key = "a", .data = "1"}).value();
    return pack.Add({.partition_key = "b", .data = std::string(300, '2')}).value();
  };
  // Magic and MD5 20; keys 3 + 3; records 2 + (2 + 3) and 3 + (2 + 303).
  constexpr int64_t kBytes = 20 + 6 + 7 + 308;
  EXPECT_EQ(pack_two(kBytes), Answer::kAdded);
  EXPECT_EQ(pack_two(kBytes - 1), Answer::kFull);
}

TEST_F(AggregatorTest, TheFirstRecordIsNeverTooLarge) {
  Aggregator pack({.bytes_max = 10});
  const std::string large(1'000, 'x');
  EXPECT_EQ(pack.Add({.partition_key = "a", .data = large}).value(), Answer::kAdded);
  EXPECT_EQ(pack.Add({.partition_key = "a", .data = ""}).value(), Answer::kFull);
  EXPECT_EQ(pack.Request().data, large);
}

TEST_F(AggregatorTest, TakesWhatBelongsToItsShardOnly) {
  Aggregator pack({}, RangeOf(2, 0));
  EXPECT_EQ(pack.Add({.partition_key = "a"}).value(), Answer::kAdded);
  EXPECT_EQ(pack.Add({.partition_key = "user-1"}).value(), Answer::kOtherShard);
  EXPECT_EQ(pack.Add({.partition_key = "user-1", .explicit_hash_key = "0"}).value(),
            Answer::kAdded);
  EXPECT_EQ(pack.Add({.partition_key = "a",
                      .explicit_hash_key = "340282366920938463463374607431768211455"})
                .value(),
            Answer::kOtherShard);
  EXPECT_EQ(pack.records(), 2);
}

TEST_F(AggregatorTest, RefusesWhatPutRefuses) {
  Aggregator pack;
  const auto code = [&pack](const Aggregator::Entry& entry) {
    return CodeOf(pack.Add(entry).status());
  };
  EXPECT_EQ(code({.partition_key = ""}), "ValidationException");
  EXPECT_EQ(code({.partition_key = std::string(257, 'k')}), "ValidationException");
  EXPECT_EQ(code({.partition_key = "\xff"}), "ValidationException");
  EXPECT_EQ(code({.partition_key = "k", .explicit_hash_key = "x"}), "ValidationException");
  EXPECT_EQ(
      code({.partition_key = "k", .explicit_hash_key = "340282366920938463463374607431768211456"}),
      "InvalidArgumentException");
  EXPECT_TRUE(pack.empty());
  // Nothing in it is nothing to put.
  EXPECT_EQ(CodeOf(stream_.Put(pack.Request()).status()), "ValidationException");
}

// The shard was split while the record was on its way: one half gets it, and drops the other's.
TEST_F(AggregatorTest, TellsWhatAReshardMadeItLose) {
  const std::vector<SubRecordTag> tags = {{"k", "v"}};
  Aggregator pack;
  pack.Add({.partition_key = "a", .data = "1"}).value();
  pack.Add({.partition_key = "user-1", .data = "2", .tags = tags}).value();
  pack.Add({.partition_key = "user-2", .data = "3"}).value();
  pack.Add({.partition_key = "a",
            .data = "4",
            .explicit_hash_key = "340282366920938463463374607431768211455"})
      .value();
  const HashKeyRange lower = RangeOf(2, 0);
  const std::string put(pack.Request().data);
  EXPECT_EQ(Show(Read(put, lower)), "a=1 user-2=3");

  std::string lost;
  for (const Aggregator::Entry& entry : pack.Outside(lower)) lost += entry.data;
  EXPECT_EQ(lost, "24");
  EXPECT_THAT(pack.Outside(HashKeyRange()), IsEmpty());
  pack.Clear();
  EXPECT_THAT(pack.Outside(lower), IsEmpty());
}

// It went where its own key says.
TEST_F(AggregatorTest, AReshardLosesNoRecordThatIsAlone) {
  Aggregator pack;
  pack.Add({.partition_key = "user-1", .data = "1"}).value();
  EXPECT_THAT(pack.Outside(RangeOf(2, 0)), IsEmpty());
}

TEST_F(AggregatorTest, WhatWasLostCanBeAddedAgain) {
  const std::vector<SubRecordTag> tags = {{"k", "v"}};
  Aggregator pack;
  pack.Add({.partition_key = "a", .data = "1"}).value();
  pack.Add({.partition_key = "user-1", .data = "2", .tags = tags}).value();
  pack.Add({.partition_key = "partitionKey", .data = "3"}).value();
  const std::vector<Aggregator::Entry> lost = pack.Outside(RangeOf(2, 0));
  pack.Clear();
  for (const Aggregator::Entry& entry : lost) {
    EXPECT_EQ(pack.Add(entry).value(), Answer::kAdded);
  }
  const std::vector<SubRecord> records = PutAndRead(pack.Request());
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(Copy(records[0]), (NaiveRecord{"user-1", "", "2", {{"k", "v"}}}));
  EXPECT_EQ(Copy(records[1]), (NaiveRecord{"partitionKey", "", "3", {}}));
}

// All of it in a stream: the split comes between packing and putting.
TEST_F(AggregatorTest, S15_AfterASplitEachReaderGetsTheKeysOfItsShardOnceAndInOrder) {
  Aggregator pack({}, HashKeyRange::Of(stream_.ListShards().value()[0]).value());
  for (const char* data : {"1", "2", "3"}) {
    for (const char* key : {"a", "user-1"}) pack.Add({.partition_key = key, .data = data}).value();
  }
  ASSERT_EQ(stream_.SplitShard(kShard0), absl::OkStatus());
  const std::vector<ShardInfo> shards = stream_.ListShards().value();
  const auto read = [&](size_t shard) {
    const RecordBatch batch = GetAt(stream_, StartAt::TrimHorizon(), shards[shard].id);
    return Show(Deaggregate(batch, HashKeyRange::Of(shards[shard]).value()));
  };

  const PutResult put = stream_.Put(pack.Request()).value();
  ASSERT_EQ(put.shard_id, shards[1].id);  // where "a" belongs
  EXPECT_EQ(read(1), "a=1 a=2 a=3");

  Aggregator again({}, HashKeyRange::Of(shards[2]).value());
  for (const Aggregator::Entry& lost : pack.Outside(HashKeyRange::Of(shards[1]).value())) {
    ASSERT_EQ(again.Add(lost).value(), Answer::kAdded);
  }
  ASSERT_EQ(stream_.Put(again.Request()).value().shard_id, shards[2].id);
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(read(1), "a=1 a=2 a=3");
  EXPECT_EQ(read(2), "user-1=1 user-1=2 user-1=3");
}

// --- Twins ---------------------------------------------------------------------------------------

class AggregationTwins : public AggregatorTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(AggregationTwins, RandomRecordsComeOutOfBothDecodersAsTheyWentIn) {
  const SeedReporter seed(GetParam());
  std::mt19937_64 random(GetParam());
  const auto text = [&random](size_t max) {
    std::string made(random() % (max + 1), ' ');
    for (char& c : made) c = static_cast<char>(' ' + random() % 90);
    return made;
  };
  for (int round = 0; round < 50; ++round) {
    Aggregator pack({.bytes_max = 1 + static_cast<int64_t>(random() % 5'000)});
    std::vector<NaiveRecord> added;
    for (;;) {
      NaiveRecord record{"k" + text(random() % 3 == 0 ? 200 : 1), "", text(300), {}};
      if (random() % 3 == 0) record.explicit_hash_key = std::to_string(random() % 5);
      std::vector<SubRecordTag> tags;
      while (random() % 4 == 0) record.tags.emplace_back(text(5), text(5));
      for (const auto& [key, value] : record.tags) tags.push_back({key, value});
      const Answer answer = pack.Add({.partition_key = record.partition_key,
                                      .data = record.data,
                                      .explicit_hash_key = record.explicit_hash_key,
                                      .tags = tags})
                                .value();
      if (answer == Answer::kFull) break;
      added.push_back(std::move(record));
    }
    const PutRequest request = pack.Request();
    ASSERT_EQ(pack.bytes(), static_cast<int64_t>(request.data.size()));
    const std::vector<SubRecord> records = PutAndRead(request);
    ASSERT_EQ(records.size(), added.size());
    if (!records[0].is_aggregated()) continue;
    std::vector<NaiveRecord> got;
    for (const SubRecord& record : records) got.push_back(Copy(record));
    ASSERT_EQ(got, added);
    ASSERT_EQ(NaiveDecode(std::string(request.data)), added);
  }
}

// Both decoders give the same of a message that is damaged, behind a right MD5.
TEST_P(AggregationTwins, DamagedMessagesReadAlike) {
  const SeedReporter seed(GetParam());
  std::mt19937_64 random(GetParam());
  const std::string whole = Key("a") + Key("bb") + HashKeyOf("7") +
                            Bytes(3, Varint(1, 0) + Bytes(3, "x")) +
                            Bytes(3, Varint(1, 1) + Varint(2, 0) + Bytes(3, "yy") +
                                         Bytes(4, Bytes(1, "k") + Bytes(2, "v"))) +
                            "\x53\x0a\x01z\x54";
  int aggregated = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::string message = whole;
    for (uint64_t changes = 1 + random() % 3; changes > 0 && !message.empty(); --changes) {
      const size_t at = random() % message.size();
      switch (random() % 4) {
        case 0:
          message[at] = static_cast<char>(random());
          break;
        case 1:
          message[at] = static_cast<char>(message[at] ^ (1 << random() % 8));
          break;
        case 2:
          message.erase(at, 1 + random() % 3);
          break;
        default:
          message.insert(at, message.substr(random() % message.size(), 1 + random() % 8));
      }
    }
    const std::string data = NaiveFrame(message);
    const auto expected = NaiveDecode(data);
    const std::vector<SubRecord> records = Read(data);
    if (!expected.has_value()) {
      ASSERT_TRUE(records.size() == 1 && !records[0].is_aggregated())
          << absl::BytesToHexString(message);
      continue;
    }
    std::vector<NaiveRecord> got;
    for (const SubRecord& record : records) got.push_back(Copy(record));
    ASSERT_EQ(got, *expected) << absl::BytesToHexString(message);
    ++aggregated;
  }
  EXPECT_GT(aggregated, 50);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AggregationTwins, ::testing::Range(uint64_t{1}, uint64_t{6}));

}  // namespace
}  // namespace banyan::testing
