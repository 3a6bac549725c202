// SPDX-License-Identifier: Apache-2.0
#include "pattern/wildcard.h"

#include <algorithm>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

Wildcard Parse(std::string_view text) {
  std::string error;
  const std::optional<Wildcard> wildcard = Wildcard::Parse(text, &error);
  EXPECT_TRUE(wildcard.has_value()) << text << ": " << error;
  return wildcard.value_or(Wildcard());
}

std::string ParseError(std::string_view text) {
  std::string error;
  EXPECT_FALSE(Wildcard::Parse(text, &error).has_value()) << text;
  return error;
}

size_t Complexity(const std::vector<std::string>& texts) {
  std::vector<Wildcard> wildcards;
  for (const std::string& text : texts) wildcards.push_back(Parse(text));
  std::vector<const Wildcard*> pointers;
  for (const Wildcard& wildcard : wildcards) pointers.push_back(&wildcard);
  return WildcardComplexity(pointers);
}

// A pattern as a list of characters and stars.
std::vector<int> Elements(std::string_view text) {
  std::vector<int> elements;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '*') {
      elements.push_back(-1);
    } else {
      elements.push_back(text[i] == '\\' ? text[++i] : text[i]);
    }
  }
  return elements;
}

// The definition, by trying everything.
bool SlowMatch(const int* pattern, const int* pattern_end, std::string_view value) {
  if (pattern == pattern_end) return value.empty();
  if (*pattern == -1) {
    return SlowMatch(pattern + 1, pattern_end, value) ||
           (!value.empty() && SlowMatch(pattern, pattern_end, value.substr(1)));
  }
  return !value.empty() && value.front() == *pattern &&
         SlowMatch(pattern + 1, pattern_end, value.substr(1));
}

// The measure by its definition: all sets of prefixes that some string matches, found by walking
// strings.
size_t SlowComplexity(std::string_view text) {
  std::vector<int> elements = {'"'};
  for (const int e : Elements(text)) elements.push_back(e);
  elements.push_back('"');
  using State = std::set<size_t>;  // lengths of the prefixes that match
  const auto close = [&elements](State state) {
    for (size_t i = 0; i < elements.size(); ++i) {
      if (state.contains(i) && elements[i] == -1) state.insert(i + 1);
    }
    return state;
  };
  const std::set<int> alphabet(elements.begin(), elements.end());
  std::set<State> seen = {close({0})};
  std::queue<State> open;
  open.push(*seen.begin());
  size_t most = 0;
  while (!open.empty()) {
    const State state = open.front();
    open.pop();
    most = std::max(most, state.size() - state.count(0));
    for (const int c : alphabet) {
      if (c == -1) continue;
      State next;
      for (const size_t i : state) {
        if (i < elements.size() && elements[i] == c) next.insert(i + 1);
        if (i > 0 && elements[i - 1] == -1) next.insert(i);  // the star takes this character, too
      }
      next = close(next);
      if (!next.empty() && seen.insert(next).second) open.push(next);
    }
  }
  return most;
}

std::string RandomPattern(std::mt19937_64& random, std::string_view alphabet, size_t length_max) {
  std::string pattern;
  const size_t length = random() % (length_max + 1);
  while (pattern.size() < length) {
    const char c = alphabet[random() % alphabet.size()];
    if (c == '*' && pattern.ends_with('*')) continue;
    pattern.push_back(c);
  }
  return pattern;
}

TEST(WildcardTest, StarIsAnyRunOfCharacters) {
  EXPECT_TRUE(Parse("*").Matches(""));
  EXPECT_TRUE(Parse("*").Matches("x"));
  EXPECT_TRUE(Parse("a*c").Matches("ac"));
  EXPECT_TRUE(Parse("a*c").Matches("a\nc"));
  EXPECT_TRUE(Parse("a*z").Matches("a日本z"));
  EXPECT_FALSE(Parse("a*c").Matches("abcd"));
  EXPECT_FALSE(Parse("ab*ba").Matches("aba"));  // the ends may not share characters
  EXPECT_TRUE(Parse("*ab*ab").Matches("xabxxabab"));
}

TEST(WildcardTest, OnlyStarAndBackslashAreSpecial) {
  EXPECT_FALSE(Parse("a?c").Matches("abc"));
  EXPECT_TRUE(Parse("a?c").Matches("a?c"));
  EXPECT_TRUE(Parse(R"(a\*c)").Matches("a*c"));
  EXPECT_FALSE(Parse(R"(a\*c)").Matches("abc"));
  EXPECT_TRUE(Parse(R"(a\\*)").Matches(R"(a\zz)"));
  EXPECT_TRUE(Parse(R"(*\*)").Matches("x*"));
  EXPECT_TRUE(Parse("").Matches(""));
  EXPECT_FALSE(Parse("").Matches("x"));
}

TEST(WildcardTest, ErrorsCountBytesFromTheOpeningQuote) {
  EXPECT_EQ(ParseError("abc**def"), "Consecutive wildcard characters at pos 4");
  EXPECT_EQ(ParseError("é**"), "Consecutive wildcard characters at pos 3");
  EXPECT_EQ(ParseError(R"(a\x)"), "Invalid escape character at pos 2");
  EXPECT_EQ(ParseError("a\\"), "Invalid escape character at pos 2");
}

TEST(WildcardTest, AgreesWithTryingEverything) {
  std::mt19937_64 random = SeededRandom();
  size_t matched = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string pattern = RandomPattern(random, "ab**", 7);
    std::string value;
    for (size_t length = random() % 9; length > 0; --length) value.push_back("ab"[random() % 2]);
    const std::vector<int> elements = Elements(pattern);
    const bool expected = SlowMatch(elements.data(), elements.data() + elements.size(), value);
    matched += expected;
    ASSERT_EQ(Parse(pattern).Matches(value), expected) << pattern << " on " << value;
  }
  EXPECT_GT(matched, 1'000u);  // the test would be blind otherwise
}

TEST(WildcardTest, ManyStarsDoNotBacktrack) {
  std::string pattern;
  for (int i = 0; i < 1'000; ++i) pattern += "*a";
  EXPECT_FALSE(Parse(pattern + "b").Matches(std::string(100'000, 'a')));
}

TEST(WildcardTest, KnownComplexities) {
  EXPECT_EQ(Complexity({"abc"}), 1u);
  EXPECT_EQ(Complexity({"a*"}), 2u);
  EXPECT_EQ(Complexity({"*"}), 2u);
  EXPECT_EQ(Complexity({"*ab*ab*ab"}), 6u);
  EXPECT_EQ(Complexity({"a*", "b*"}), 2u);  // no string begins with both
  EXPECT_EQ(Complexity({"*a", "*b"}), 2u);  // the star is one prefix of both
}

TEST(WildcardTest, ComplexityAgreesWithItsDefinition) {
  std::mt19937_64 random = SeededRandom();
  for (int i = 0; i < 2'000; ++i) {
    const std::string pattern = RandomPattern(random, "aab**", 10);
    ASSERT_EQ(Complexity({pattern}), SlowComplexity(pattern)) << pattern;
  }
}

TEST(WildcardTest, EventBridgeRefusesElevenAndTakesTen) {
  std::string refused;
  for (std::string pattern = "*a"; refused.empty(); pattern += 'a') {
    const std::string text = R"({"a":[{"wildcard":")" + pattern + R"("}]})";
    const size_t complexity = Complexity({pattern});
    EXPECT_EQ(Reason(text).empty(), complexity <= 10) << pattern;
    if (complexity > 10) refused = pattern;
  }
  EXPECT_EQ(
      Reason(R"({"a":[{"anything-but":{"wildcard":")" + refused + R"("}}]})"),
      "Rule is too complex - try using fewer wildcard characters or fewer repeating character "
      "sequences after a wildcard character");
}

TEST(WildcardTest, MeasuringAHugePatternIsQuick) {
  std::string pattern;
  for (int i = 0; i < 600; ++i) pattern += "*ababab";
  EXPECT_GT(Complexity({pattern.substr(0, 4'000)}), 500u);
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
