// SPDX-License-Identifier: Apache-2.0
//
// Shard ids, sequence numbers and iterators as text. The decimal forms below were computed from
// the documented layout with arbitrary-precision integers, outside the library.
#include <algorithm>
#include <string>
#include <vector>

#include "banyan/stream.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

constexpr int64_t kNewYear2026 = 1'767'225'600;

struct SequenceCase {
  SequenceNumber sequence;
  std::string text;
};

std::vector<SequenceCase> SequenceCases() {
  return {
      {{.number = 0,
        .second = kNewYear2026,
        .shard_created_second = kNewYear2026,
        .shard_index = 0},
       "49670424472731169861061894383142885425265240724400504834"},
      {{.number = 1,
        .second = kNewYear2026 + 1,
        .shard_created_second = kNewYear2026,
        .shard_index = 0},
       "49670424472731169861061894383144094351084855422294687746"},
      {{.number = 5,
        .second = kNewYear2026 + 100,
        .shard_created_second = kNewYear2026,
        .shard_index = 3},
       "49670424472798072096657486252573537209181265826739650610"},
      // The low digit of shard 18 stands where shard 2's does.
      {{.number = 1,
        .second = kNewYear2026,
        .shard_created_second = kNewYear2026,
        .shard_index = 18},
       "49670424472775771351458955629427165787630152076587172130"},
      // What AWS gives as the end of a closed shard.
      {{.number = 0x7fffffffffffffff,
        .second = kNewYear2026,
        .shard_created_second = kNewYear2026,
        .shard_index = 2},
       "49670424472786921724058220940995515795127246998990749730"},
  };
}

TEST(SequenceNumberTest, IsWrittenInAwsDecimalForm) {
  for (const SequenceCase& c : SequenceCases()) {
    EXPECT_EQ(c.sequence.ToString(), c.text);
    EXPECT_EQ(c.text.size(), 56u);
  }
}

TEST(SequenceNumberTest, IsReadBackFromItsText) {
  for (const SequenceCase& c : SequenceCases())
    EXPECT_EQ(SequenceNumber::Parse(c.text), c.sequence);
}

TEST(SequenceNumberTest, RefusesNumbersThatAreNone) {
  const std::string good = SequenceCases()[1].text;
  std::string other_version = good;
  other_version.back() = '5';  // the last hexadecimal digit is no longer 2
  for (const std::string& bad :
       {std::string(), std::string("0"), std::string("1"), std::string("-1"), "0" + good,
        good + "0", good.substr(1), good + " ", "x" + good.substr(1), other_version,
        std::string(80, '9')}) {
    EXPECT_EQ(SequenceNumber::Parse(bad), std::nullopt) << bad;
  }
}

// All texts have 56 digits here, so comparing them as text is comparing the integers.
TEST(SequenceNumberTest, ComparesAsTheIntegersDo) {
  std::vector<SequenceNumber> all;
  for (uint32_t shard : {0u, 1u, 15u, 16u, 17u, 0x12345678u}) {
    for (uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{300}, uint64_t{1} << 62}) {
      for (int64_t later : {0, 1, 86'400}) {
        for (int64_t created : {kNewYear2026, kNewYear2026 + 7}) {
          all.push_back({.number = number,
                         .second = kNewYear2026 + later,
                         .shard_created_second = created,
                         .shard_index = shard});
        }
      }
    }
  }
  for (const SequenceNumber& a : all) {
    for (const SequenceNumber& b : all) {
      EXPECT_EQ(a < b, a.ToString() < b.ToString()) << a.ToString() << " " << b.ToString();
      EXPECT_EQ(a == b, a.ToString() == b.ToString());
    }
  }
}

TEST(ShardIdTest, HasTwelveDigits) {
  EXPECT_EQ(ShardId{0}.ToString(), "shardId-000000000000");
  EXPECT_EQ(ShardId{10'000}.ToString(), "shardId-000000010000");
  EXPECT_EQ(ShardId::Parse("shardId-000000000042"), ShardId{42});
}

TEST(ShardIdTest, RefusesOtherTexts) {
  for (const char* bad :
       {"", "0", "shardId-", "shardId-1", "shardId-00000000000x", "shardId--00000000001",
        "shardid-000000000001", "shardId-0000000000001", "shardId-99999999999999999999"}) {
    EXPECT_EQ(ShardId::Parse(bad), std::nullopt) << bad;
  }
}

class IteratorTextTest : public StreamTest {};

TEST_F(IteratorTextTest, GoesThereAndBack) {
  const Stream stream = MakeStream();
  Put(stream, "one");
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  const absl::StatusOr<ShardIterator> back = ShardIterator::Parse(iterator.ToString());
  ASSERT_EQ(back.status(), absl::OkStatus());
  EXPECT_EQ(*back, iterator);
  EXPECT_THAT(DataOf(Get(stream, *back)), ::testing::ElementsAre("one"));
}

// AWS tolerates an iterator that arrives as the JSON string it was sent as.
TEST_F(IteratorTextTest, MayStandInDoubleQuotes) {
  const ShardIterator iterator = IteratorAt(MakeStream(), StartAt::Latest());
  EXPECT_EQ(ShardIterator::Parse("\"" + iterator.ToString() + "\"").value_or(ShardIterator()),
            iterator);
}

TEST_F(IteratorTextTest, AnyChangedCharacterIsNoticed) {
  const std::string good = IteratorAt(MakeStream(), StartAt::Latest()).ToString();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == '0' ? '1' : '0';
    const absl::Status status = ShardIterator::Parse(bad).status();
    EXPECT_EQ(CodeOf(status), "InvalidArgumentException") << bad;
    EXPECT_EQ(TextOf(status), "Invalid ShardIterator.");
  }
  for (const std::string& bad :
       {std::string(), std::string("\""), good.substr(1), good + "0", "-" + good.substr(1)}) {
    EXPECT_EQ(CodeOf(ShardIterator::Parse(bad).status()), "InvalidArgumentException") << bad;
  }
}

}  // namespace
}  // namespace banyan::testing
