// SPDX-License-Identifier: Apache-2.0
//
// MD5 of bodies and attributes, and the choice of attributes: section 7 of the sheet. The vectors
// were made with Python's struct and hashlib from the sheet's description of the bytes.
#include "banyan/message_md5.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Md5(const Attributes& attributes) {
  return Md5OfAttributes(attributes).value_or("nothing");
}

TEST(Md5OfBodyTest, IsTheHexOfItsBytes) {
  EXPECT_EQ(Md5OfBody("hello"), "5d41402abc4b2a76b9719d911017c592");
  EXPECT_EQ(Md5OfBody("line\r\n\xC3\xA4"), "c218c304c683523ac23b5d9856f06019");
}

// Recorded against AWS.
TEST(Md5OfAttributesTest, TheSheetsKnownAnswer) {
  EXPECT_EQ(Md5({{"k", "x"}}), "a45daa70926828a2f0a1db3418e6feb4");
}

TEST(Md5OfAttributesTest, NumbersAreTextAndBinariesAreNot) {
  EXPECT_EQ(Md5({{"n", AttributeValue::Number("12.50")}}), "37f920709d58e1038b22d83d7fbe678d");
  const std::string bytes("\x00\x01\x02\xFF", 4);
  EXPECT_EQ(Md5({{"b", AttributeValue::Binary(bytes)}}), "7e480da8c0e874189215a7676537a024");
}

TEST(Md5OfAttributesTest, ATypesLabelIsDigestedAndDoesNotChangeItsTransport) {
  const std::string bytes("\x00\x01\x02\xFF", 4);
  EXPECT_EQ(Md5({{"b", AttributeValue("Binary.png", bytes)}}), "77b1d56eb9098b85ae2464bf1046230d");
  EXPECT_EQ(Md5({{"n", AttributeValue("Number.int", "7")}}), "f3c2a2801c523d26c8996134de718052");
  EXPECT_EQ(Md5({{"a", AttributeValue::StringArray("[\"x\",1]")}}),
            "96117094e6d1002d0b15770c12f39e87");
}

TEST(Md5OfAttributesTest, SeveralGoInTheOrderOfTheirNames) {
  const std::string expected = "7f47f67467447ddf0624d0930b754133";
  EXPECT_EQ(Md5({{"timestamp", AttributeValue::Number("1493147359900")},
                 {"a.b", "\xC3\xA4\xC3\x9F"},
                 {"Z", AttributeValue::Binary("z")}}),
            expected);
  EXPECT_EQ(Md5({{"Z", AttributeValue::Binary("z")},
                 {"timestamp", AttributeValue::Number("1493147359900")},
                 {"a.b", "\xC3\xA4\xC3\x9F"}}),
            expected);
}

TEST(Md5OfAttributesTest, LengthsHaveFourBytes) {
  EXPECT_EQ(Md5({{"k", std::string(70'000, 'x')}}), "e30f97188c5d3ed0fcba89fe0146df68");
}

// The answer that AWS is recorded to have given.
TEST(Md5OfSystemAttributesTest, IsThatOfTheTraceHeader) {
  EXPECT_EQ(Md5OfSystemAttributes("Root=1-5759e988-bd862e3fe1be46a994272793;"
                                  "Parent=53995c3f42cd8ad8;Sampled=1"),
            "5ae4d5d7636402d80f4eb6d213245a88");
  EXPECT_EQ(Md5OfSystemAttributes(""), std::nullopt);
}

TEST(Md5OfAttributesTest, NoAttributesNoDigest) { EXPECT_FALSE(Md5OfAttributes({}).has_value()); }

// --- Which attributes a receiver gets

// The attributes of the recorded test that the sheet names.
std::vector<std::string> Selected(const std::vector<std::string>& names) {
  const Attributes attributes = {{"Help.Me", "Me"}, {"Hello", "There"}, {"General", "Kenobi"}};
  std::vector<std::string> selected;
  for (const auto& [name, value] : SelectMessageAttributes(attributes, names)) {
    EXPECT_EQ(value, *attributes.Find(name));
    selected.push_back(name);
  }
  return selected;
}

TEST(SelectMessageAttributesTest, WithoutNamesThereAreNone) {
  EXPECT_THAT(Selected({}), IsEmpty());
}

TEST(SelectMessageAttributesTest, ThreeWordsMeanAll) {
  for (const char* all : {"All", ".*", "*"}) {
    EXPECT_THAT(Selected({all}), ElementsAre("General", "Hello", "Help.Me")) << all;
    EXPECT_THAT(Selected({"unknown", all}), ElementsAre("General", "Hello", "Help.Me")) << all;
  }
}

TEST(SelectMessageAttributesTest, AnExactNameIsExact) {
  EXPECT_THAT(Selected({"Foo", "Help"}), IsEmpty());
  EXPECT_THAT(Selected({"hello", "all"}), IsEmpty()) << "case counts";
  EXPECT_THAT(Selected({"Hello", "General"}), ElementsAre("General", "Hello"));
  EXPECT_THAT(Selected({"Foo", "Hello", "Hello"}), ElementsAre("Hello"));
}

TEST(SelectMessageAttributesTest, APrefixNeedNotEndAtADot) {
  EXPECT_THAT(Selected({"Hel.*"}), ElementsAre("Hello", "Help.Me"));
  EXPECT_THAT(Selected({"Help.*"}), ElementsAre("Help.Me"));
  EXPECT_THAT(Selected({"Hel*"}), IsEmpty()) << "not a pattern";
  EXPECT_THAT(Selected({"Foo.*", "Gen.*"}), ElementsAre("General"));
}

TEST(SelectMessageAttributesTest, NamesThatNoAttributeCanHaveSelectNothing) {
  EXPECT_THAT(Selected({"AWS.", "..foo", ""}), IsEmpty());
}

TEST(SelectMessageAttributesTest, TheDigestIsOfThoseThatAreReturned) {
  const Attributes attributes = {{"k", "x"}, {"other", "y"}};
  EXPECT_EQ(Md5(SelectMessageAttributes(attributes, {"k"})), "a45daa70926828a2f0a1db3418e6feb4");
  EXPECT_FALSE(Md5OfAttributes(SelectMessageAttributes(attributes, {})).has_value());
}

}  // namespace
}  // namespace banyan
