// SPDX-License-Identifier: Apache-2.0
#include "banyan/id.h"

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "message/environment.h"

namespace banyan {
namespace {

TEST(IdTest, IsWrittenAsAUuid) {
  const Id id = {0x5fea77560ea4451a, 0xa703a558b933e274};
  EXPECT_EQ(id.ToString(), "5fea7756-0ea4-451a-a703-a558b933e274");
  EXPECT_EQ(id.ToHex(), "5fea77560ea4451aa703a558b933e274");
  EXPECT_EQ(Id{}.ToString(), "00000000-0000-0000-0000-000000000000");
}

TEST(IdTest, ReadsBackWhatItWrites) {
  const Id id = {0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(Id::Parse(id.ToString()), id);
  EXPECT_EQ(Id::Parse("01234567-89AB-CDEF-fedc-ba9876543210"), id);
}

TEST(IdTest, NothingElseIsAnId) {
  for (const char* text :
       {"", "0123456789abcdeffedcba9876543210", "01234567-89ab-cdef-fedc-ba987654321",
        "01234567-89ab-cdef-fedc-ba98765432100", "01234567-89ab-cdef-fedc-ba987654321g",
        "0123456789ab-cdef-fedc-ba98-76543210", "{1234567-89ab-cdef-fedc-ba987654321}"}) {
    EXPECT_EQ(Id::Parse(text), std::nullopt) << text;
  }
}

TEST(IdSourceTest, IdsFollowFromTheSeedAndDiffer) {
  internal::IdSource a(7);
  internal::IdSource again(7);
  internal::IdSource other(9);  // near: brokers whose seeds are neighbours must not share ids
  std::set<Id> seen;
  for (int i = 0; i < 10'000; ++i) {
    const Id id = a.Next();
    EXPECT_EQ(id, again.Next());
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_TRUE(seen.insert(other.Next()).second);
  }
}

TEST(IdSourceTest, IdsAreVersion4Uuids) {
  internal::IdSource source(1);
  for (int i = 0; i < 100; ++i) {
    const std::string text = source.Next().ToString();
    EXPECT_EQ(text[14], '4') << text;
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace banyan
