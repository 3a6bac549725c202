// SPDX-License-Identifier: Apache-2.0
#include "pattern/fold_case.h"

#include <string>

#include "base/utf8.h"
#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

bool Equal(std::string_view pattern, std::string_view value) {
  return FoldedText(pattern).EqualTo(value);
}

std::string Utf8(char32_t c) {
  std::string text;
  AppendUtf8(&text, c);
  return text;
}

TEST(FoldCaseTest, LettersOfManyScripts) {
  EXPECT_TRUE(Equal("AbC", "aBc"));
  EXPECT_TRUE(Equal("ÄÖ", "äö"));
  EXPECT_TRUE(Equal("привет", "ПРИВЕТ"));
  EXPECT_TRUE(Equal("ΑΒΓ", "αβγ"));
  EXPECT_TRUE(Equal("a😀", "A😀"));
  EXPECT_TRUE(Equal("𐐀", "𐐨"));  // Deseret, outside of the basic plane
  EXPECT_TRUE(Equal("日本", "日本"));
  EXPECT_FALSE(Equal("a😀", "a??"));
}

TEST(FoldCaseTest, TheMappingIsNotSymmetric) {
  EXPECT_TRUE(Equal("ß", "ß"));
  EXPECT_TRUE(Equal("ß", "SS"));
  EXPECT_FALSE(Equal("ß", "ss"));
  EXPECT_FALSE(Equal("SS", "ß"));
  EXPECT_TRUE(Equal("\u212A", "k"));  // the Kelvin sign
  EXPECT_FALSE(Equal("k", "\u212A"));
  EXPECT_FALSE(Equal("Σ", "ς"));
  EXPECT_FALSE(Equal("i", "İ"));
  EXPECT_TRUE(Equal("İ", "i\u0307"));
}

TEST(FoldCaseTest, WholeTextOnly) {
  EXPECT_FALSE(Equal("ab", "abc"));
  EXPECT_FALSE(Equal("abc", "ab"));
  EXPECT_TRUE(Equal("", ""));
  EXPECT_FALSE(Equal("", "a"));
}

TEST(FoldCaseTest, PrefixAndSuffixMayChangeTheirLength) {
  EXPECT_TRUE(FoldedText("straß").PrefixOf("STRASSE"));
  EXPECT_TRUE(FoldedText("ße").SuffixOf("STRASSe"));
  EXPECT_FALSE(FoldedText("ße").SuffixOf("STRASse"));
  EXPECT_TRUE(FoldedText("").PrefixOf("x"));
  EXPECT_TRUE(FoldedText(".PNG").SuffixOf("x.pnG"));
  EXPECT_FALSE(FoldedText("abc").SuffixOf("bc"));
}

// What lets FoldedText go forward without a choice.
TEST(FoldCaseTest, NoCaseOfACharacterBeginsOrEndsWithItsOther) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    const BothCases cases = CasesOf(c);
    if (cases.lower == cases.upper) continue;
    ASSERT_FALSE(cases.lower.starts_with(cases.upper) || cases.upper.starts_with(cases.lower) ||
                 cases.lower.ends_with(cases.upper) || cases.upper.ends_with(cases.lower))
        << std::hex << static_cast<uint32_t>(c);
  }
}

// The table is runs of characters; a wrong run would show at its neighbours.
TEST(FoldCaseTest, TheTableAgreesWithWellKnownRuns) {
  size_t cased = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    const BothCases cases = CasesOf(c);
    cased += cases.lower != Utf8(c) || cases.upper != Utf8(c);
    if (c < 0x80) {
      const bool is_lower = c >= 'a' && c <= 'z', is_upper = c >= 'A' && c <= 'Z';
      EXPECT_EQ(cases.lower, Utf8(is_upper ? c + 32 : c));
      EXPECT_EQ(cases.upper, Utf8(is_lower ? c - 32 : c));
    }
    if (c >= 0x4E00 && c < 0xA000) {  // no case: Chinese characters
      EXPECT_EQ(cases.lower + cases.upper, Utf8(c) + Utf8(c));
    }
    if (c >= 0x0410 && c <= 0x042F) {  // capital Cyrillic
      EXPECT_EQ(cases.lower, Utf8(c + 32));
    }
  }
  EXPECT_GT(cased, 2800u);                         // Unicode 14 knows that many
  EXPECT_EQ(CasesOf(0x01C5).lower, Utf8(0x01C6));  // titlecase: neither of its cases is itself
  EXPECT_EQ(CasesOf(0x01C5).upper, Utf8(0x01C4));
}

TEST(FoldCaseTest, OperatorsSeeStringsOnly) {
  EXPECT_TRUE(Matches(R"({"a":[{"equals-ignore-case":""}]})", R"({"a":""})"));
  EXPECT_FALSE(Matches(R"({"a":[{"equals-ignore-case":"true"}]})", R"({"a":true})"));
  EXPECT_TRUE(Matches(R"({"a":[{"prefix":{"equals-ignore-case":"ab"}}]})", R"({"a":"ABc"})"));
  EXPECT_FALSE(
      Matches(R"({"a":[{"anything-but":{"equals-ignore-case":["x","y"]}}]})", R"({"a":"Y"})"));
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
