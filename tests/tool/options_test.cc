// SPDX-License-Identifier: Apache-2.0
#include "tool/options.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tool/tool_testing.h"

namespace banyan::inline v0_1::tool {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Parsed {
  bool count = false;
  bool invert = false;
  std::vector<std::string> only;
  std::vector<std::string> rest;
  std::string error;
};

Parsed Parse(const std::vector<std::string>& words) {
  Parsed parsed;
  const auto rest = ParseOptions(words, {{.name = "count", .letter = 'c', .flag = &parsed.count},
                                         {.name = "invert", .letter = 'v', .flag = &parsed.invert},
                                         {.name = "only", .letter = 'o', .values = &parsed.only}});
  if (rest.ok()) {
    parsed.rest = *rest;
  } else {
    parsed.error = std::string(rest.status().message());
  }
  return parsed;
}

TEST(OptionsTest, ReadsOptionsAmongWords) {
  const Parsed parsed = Parse({"a", "--count", "b", "-", "--only", "x", "--only=y=z"});
  EXPECT_TRUE(parsed.count);
  EXPECT_FALSE(parsed.invert);
  EXPECT_THAT(parsed.only, ElementsAre("x", "y=z"));
  EXPECT_THAT(parsed.rest, ElementsAre("a", "b", "-"));
}

TEST(OptionsTest, LettersMayStandTogether) {
  const Parsed parsed = Parse({"-cvox", "-o", "y"});
  EXPECT_TRUE(parsed.count);
  EXPECT_TRUE(parsed.invert);
  EXPECT_THAT(parsed.only, ElementsAre("x", "y"));
}

TEST(OptionsTest, TwoDashesEndTheOptions) {
  const Parsed parsed = Parse({"--", "--count", "-v"});
  EXPECT_FALSE(parsed.count);
  EXPECT_THAT(parsed.rest, ElementsAre("--count", "-v"));
}

TEST(OptionsTest, AValueMayLookLikeAnOption) {
  EXPECT_THAT(Parse({"--only", "--count"}).only, ElementsAre("--count"));
  EXPECT_THAT(Parse({"--only="}).only, ElementsAre(""));
}

TEST(OptionsTest, SaysWhatIsWrong) {
  EXPECT_EQ(Parse({"--only"}).error, "--only wants a value");
  EXPECT_EQ(Parse({"-o"}).error, "-o wants a value");
  EXPECT_EQ(Parse({"--count=3"}).error, "--count takes no value");
  EXPECT_EQ(Parse({"--cuont"}).error, "unknown option --cuont; did you mean --count?");
  EXPECT_EQ(Parse({"--Invert=1"}).error, "unknown option --Invert; did you mean --invert?");
  EXPECT_EQ(Parse({"-cuont"}).error, "unknown option --cuont; did you mean --count?");
  EXPECT_EQ(Parse({"-x"}).error, "unknown option -x");
  EXPECT_EQ(Parse({"--completely-else"}).error, "unknown option --completely-else");
}

TEST(OptionsTest, NearestIsWithinHalfTheWordOrTwoCharacters) {
  EXPECT_EQ(Nearest("mtach", {"lint", "match"}), "match");
  EXPECT_EQ(Nearest("pay", {"big", "paid"}), "paid");
  EXPECT_EQ(Nearest("zzzzz", {"lint", "match"}), "");
  EXPECT_EQ(Nearest("", {"lint"}), "");
  EXPECT_EQ(Nearest(std::string(1'000'000, 'x'), {std::string_view("x")}), "");
}

class UsageTest : public ToolTest {};

TEST_F(UsageTest, HelpGoesToStandardOutput) {
  for (const char* word : {"help", "--help", "-h"}) {
    const Result result = Run({word});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, AllOf(HasSubstr("\n  match "), HasSubstr("\n  lint ")));
    EXPECT_THAT(result.err, IsEmpty());
  }
}

TEST_F(UsageTest, HelpOfAVerbNamesItsOptions) {
  const Result match = Run({"help", "match"});
  EXPECT_EQ(match.code, 0);
  for (const char* option : {"-e, --pattern", "--only", "-v, --invert", "--with-rules",
                             "-c, --count", "--explain", "-q, --quiet", "--strict", "--language"}) {
    EXPECT_THAT(match.out, HasSubstr(option));
  }
  const Result lint = Run({"lint", "--help"});
  EXPECT_EQ(lint.code, 0);
  for (const char* option : {"--envelope", "--portable-to", "--language", "--json"}) {
    EXPECT_THAT(lint.out, HasSubstr(option));
  }
  EXPECT_EQ(Run({"match", "--count", "-h"}).out, match.out);
}

TEST_F(UsageTest, NoLineOfHelpIsTooLongForATerminal) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"help"}, {"help", "match"}, {"help", "lint"}}) {
    const std::string text = Run(words).out;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      EXPECT_LE(text.find('\n', at) - at, 100u) << text.substr(at, 120);
    }
  }
}

TEST_F(UsageTest, Version) {
  const Result result = Run({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, ::testing::MatchesRegex("banyan [0-9]+[.][0-9]+[.][0-9]+\n"));
}

TEST_F(UsageTest, WithoutAVerbUsageIsAnError) {
  const Result result = Run({});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("banyan VERB"));
}

TEST_F(UsageTest, AnUnknownVerbIsMetWithTheNearest) {
  EXPECT_EQ(Run({"mach"}).err,
            "banyan: no verb mach; did you mean match? (banyan help lists them)\n");
  EXPECT_EQ(Run({"help", "lin"}).code, 2);
  EXPECT_EQ(Run({"dance"}).err, "banyan: no verb dance (banyan help lists them)\n");
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
