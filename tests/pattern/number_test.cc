// SPDX-License-Identifier: Apache-2.0
#include "pattern/number.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

TEST(NumberTest, SpellingsOfOneValueAreEqual) {
  for (const char* spelling : {"300", "300.0", "3e2", "3.00E+2", "3000e-1", "0.3e3"}) {
    EXPECT_EQ(ComparableNumber(spelling), 300.0) << spelling;
  }
  for (const char* zero : {"0", "-0", "0.0", "-0.000", "0e5", "0E-999999999999999999999"}) {
    EXPECT_EQ(ComparableNumber(zero), 0.0) << zero;
  }
}

TEST(NumberTest, WhatADoubleCannotHoldIsNotComparable) {
  for (const char* text :
       {"9007199254740993", "0.12345678901234567", "0.123456789012345678", "1e400", "-1e400",
        "1E-325", "1e99999999999999999999", "12345678901234567890",
        // Powers of two, which a double holds, but their shortest form is another number.
        "36028797018963968", "1152921504606846976", "18446744073709551616",
        "36028797018963968.0"}) {
    EXPECT_EQ(ComparableNumber(text), std::nullopt) << text;
  }
}

TEST(NumberTest, TheWholeRangeOfDoublesIsComparable) {
  EXPECT_EQ(ComparableNumber("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(ComparableNumber("5e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(ComparableNumber("-9007199254740992"), -9007199254740992.0);
  EXPECT_EQ(ComparableNumber("0.30000000000000004"), 0.1 + 0.2);
}

// Close to zero there are fewer digits than fifteen: the nearest double is not the number.
TEST(NumberTest, DigitsThatADenormalLosesAreNoticed) {
  EXPECT_EQ(ComparableNumber("1.2345e-322"), std::nullopt);
}

TEST(NumberTest, OnlyJsonsGrammarIsANumber) {
  for (const char* text :
       {"", "+5", ".5", "5.", "0x10", "1e", "NaN", "inf", " 5", "5 ", "01", "-", "1,5"}) {
    EXPECT_EQ(ComparableNumber(text), std::nullopt) << text;
    EXPECT_FALSE(IsJsonNumber(text)) << text;
  }
}

TEST(NumberTest, ALongNumberCostsNoMoreThanReadingIt) {
  const std::string ones(1'000'000, '1');
  EXPECT_EQ(ComparableNumber(ones), std::nullopt);
  EXPECT_EQ(ComparableNumber("1." + std::string(1'000'000, '0')), 1.0);
}

// Property: the shortest form of every double is comparable, and one more significant digit at its
// end makes it incomparable (17 digits or fewer may still be another double's shortest form).
TEST(NumberTest, ShortestFormsAreComparableAndOverlongOnesAreNot) {
  std::mt19937_64 random = SeededRandom();
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    char shortest[64];
    for (int digits = 1; digits <= 17;
         ++digits) {  // printf and strtod: another way than the code's
      std::snprintf(shortest, sizeof(shortest), "%.*e", digits - 1, value);
      if (std::strtod(shortest, nullptr) == value) break;
    }
    EXPECT_EQ(ComparableNumber(shortest), value) << shortest;

    std::string overlong = shortest;
    const size_t mark = overlong.find('e');
    if (overlong.find('.') == std::string::npos) overlong.insert(mark, ".0");
    overlong.insert(overlong.find('e'), "00000000000000000001");
    EXPECT_EQ(ComparableNumber(overlong), std::nullopt) << overlong;
  }
}

TEST(NumberTest, RangesHoldTheirIncludedEndsOnly) {
  EXPECT_TRUE(Matches(R"({"a":[{"numeric":[">=",5]}]})", R"({"a":5.0})"));
  EXPECT_FALSE(Matches(R"({"a":[{"numeric":[">",5]}]})", R"({"a":5.0})"));
  EXPECT_TRUE(Matches(R"({"a":[{"numeric":[">",1,"<=",3]}]})", R"({"a":3})"));
  EXPECT_FALSE(Matches(R"({"a":[{"numeric":[">",1,"<",3]}]})", R"({"a":3})"));
  EXPECT_FALSE(Matches(R"({"a":[{"numeric":[">",1,"<",3]}]})", R"({"a":1})"));
  EXPECT_TRUE(Matches(R"({"a":[{"numeric":["<",0]}]})", R"({"a":-1e-300})"));
  EXPECT_TRUE(Matches(R"({"a":[{"numeric":["=",1e2]}]})", R"({"a":100})"));
}

TEST(NumberTest, AnIncomparableNumberIsInNoRangeAndEqualsOnlyItsText) {
  const char* event = R"({"a":9007199254740993})";
  EXPECT_FALSE(Matches(R"({"a":[{"numeric":[">",0]}]})", event));
  EXPECT_FALSE(Matches(R"({"a":[{"numeric":["<",1e300]}]})", event));
  EXPECT_TRUE(Matches(R"({"a":[9007199254740993]})", event));
  EXPECT_FALSE(Matches(R"({"a":[9007199254740992]})", event));
  EXPECT_FALSE(Matches(R"({"a":[9007199254740993]})", R"({"a":9007199254740993.0})"));
  EXPECT_TRUE(Matches(R"({"a":[{"anything-but":9007199254740992}]})", event));
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
