// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The tokens of a text, one letter each: {} [] n(ame) s(tring) number true false null, '.' for the
// end, '!' for an error.
std::string Tokens(std::string_view json, size_t depth_max = 1000) {
  constexpr std::string_view kLetters = "{}[]nsdtfz.!";
  std::string letters;
  JsonReader reader(json, depth_max);
  do {
    letters.push_back(kLetters[static_cast<size_t>(reader.Next())]);
  } while (reader.token() != JsonToken::kEnd && reader.token() != JsonToken::kError);
  return letters;
}

std::string ErrorOf(std::string_view json) {
  JsonReader reader(json);
  while (reader.Next() != JsonToken::kEnd) {
    if (reader.token() == JsonToken::kError) return reader.ErrorText();
  }
  return "";
}

std::string Decoded(std::string_view json) {
  JsonReader reader(json);
  EXPECT_EQ(reader.Next(), JsonToken::kString) << json << ": " << reader.ErrorText();
  return std::string(reader.text());
}

TEST(JsonReaderTest, ReadsEveryKindOfToken) {
  EXPECT_EQ(Tokens(R"( {"a" : [1, "x", true, false, null, {}], "b":[]} )"), "{n[dstfz{}]n[]}.");
  EXPECT_EQ(Tokens("7"), "d.");
  EXPECT_EQ(Tokens(""), ".");
  EXPECT_EQ(Tokens(" \n\t\r "), ".");
}

TEST(JsonReaderTest, StopsAtTheEndOfTheFirstValue) {
  JsonReader reader("{} trailing");
  reader.Next();
  reader.Next();
  EXPECT_EQ(reader.Next(), JsonToken::kEnd);
  EXPECT_FALSE(reader.AtEndOfText());
}

TEST(JsonReaderTest, NumbersKeepTheirText) {
  for (const char* number :
       {"0", "-0", "1.50", "1E+400", "-12.3e-4", "123456789012345678901234567890"}) {
    JsonReader reader(number);
    ASSERT_EQ(reader.Next(), JsonToken::kNumber) << number;
    EXPECT_EQ(reader.text(), number);
  }
}

TEST(JsonReaderTest, EscapesAreDecoded) {
  EXPECT_EQ(Decoded(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(Decoded(R"("\u0041\u00e9\u65E5")"), "Aé日");
  EXPECT_EQ(Decoded(R"("\ud83d\ude00")"), "😀");
  EXPECT_EQ(Decoded(R"("\u0000")"), std::string(1, '\0'));
}

// J4
TEST(JsonReaderTest, LoneSurrogatesSurviveARoundTrip) {
  for (const char* text :
       {R"("\ud800")", R"("\udc00x")", R"("\ud83dx\ude00")", R"("\ud83d\ud83d")"}) {
    EXPECT_EQ(JsonString(Decoded(text)), text);
  }
}

TEST(JsonReaderTest, WhatStrictJsonIsNot) {
  for (const char* bad : {"{'a':1}",
                          "{a:1}",
                          "[1,]",
                          "{\"a\":1,}",
                          "[,1]",
                          "[1 2]",
                          "{\"a\" 1}",
                          "{\"a\"}",
                          "[01]",
                          "[1.]",
                          "[.5]",
                          "[+1]",
                          "[-]",
                          "[1e]",
                          "[1e+]",
                          "[NaN]",
                          "[Infinity]",
                          "[tru]",
                          "[truex]",
                          "[nul",
                          "[TRUE]",
                          "[1]/**/]x[",
                          "{\"a\":1]",
                          "[}",
                          "\"a",
                          "\"\\x\"",
                          "\"\\u12g4\"",
                          "\"\\u12",
                          "\"\\",
                          "\"\n\"",
                          "\"\x01\"",
                          "[\"a\",",
                          "{\"a\":",
                          "{\"a\"",
                          "{",
                          "[",
                          "}",
                          "\xEF\xBB\xBF{}",
                          "\"\xFF\"",
                          "\"\xC0\x80\"",
                          "\"\xED\xA0\x80\"",
                          "\"\xF5\x80\x80\x80\"",
                          "\"\xE6\x97\"",
                          "/**/1",
                          "[1]]"}) {
    std::string out;
    EXPECT_FALSE(CompactJson(bad, &out)) << bad;
  }
}

TEST(JsonReaderTest, AnErrorIsFinal) {
  JsonReader reader("[oops, 1]");
  reader.Next();
  EXPECT_EQ(reader.Next(), JsonToken::kError);
  EXPECT_EQ(reader.Next(), JsonToken::kError);
}

TEST(JsonReaderTest, ErrorsNameTheCharacterAndTheBracket) {
  EXPECT_EQ(ErrorOf("[1 2]"),
            "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries");
  EXPECT_EQ(ErrorOf("{\"a\":é}").substr(0, 37), "Unexpected character ('é' (code 233)");
  EXPECT_EQ(ErrorOf("{\n \"a\": [1}"),
            "Unexpected close marker '}': expected ']' (for Array starting at line 2, column 7)");
  EXPECT_EQ(ErrorOf("{\"a\":[1"),
            "Unexpected end-of-input: expected close marker for Array (start marker at line 1, "
            "column 6)");
}

TEST(JsonReaderTest, DepthIsBounded) {
  EXPECT_EQ(Tokens("[[1]]", 2), "[[d]].");
  EXPECT_EQ(Tokens("[[[1]]]", 2), "[[!");
  EXPECT_EQ(Tokens(std::string(1000, '[') + std::string(1000, ']')).back(), '.');
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '[')), HasSubstr("Depth (1001)"));
}

TEST(JsonReaderTest, SkipValueGoesToItsEnd) {
  JsonReader reader(R"({"a":{"x":[1,{"y":2}]},"b":3})");
  reader.Next();
  reader.Next();
  reader.Next();
  ASSERT_TRUE(reader.SkipValue());
  EXPECT_EQ(reader.Next(), JsonToken::kName);
  EXPECT_EQ(reader.text(), "b");
}

TEST(JsonTest, PositionsCountCharacters) {
  const TextPosition position = PositionAt("é\n日本x", 8);
  EXPECT_EQ(position.line, 2u);
  EXPECT_EQ(position.column, 3u);
}

TEST(JsonTest, WritingEscapesWhatItMust) {
  EXPECT_EQ(JsonString("a\"\\\n\r\t\x01/é😀"), R"("a\"\\\n\r\t\u0001/é😀")");
  EXPECT_EQ(JsonString("bad\xFF\xC3"), "\"bad\uFFFD\uFFFD\"");
}

TEST(JsonTest, WithoutSpaceIsCompact) {
  for (const std::string json :
       {"{}", " [ 1 , -2.50E+3 ,\t\"a b\\\" c \\\\\" ,\r\n{ \" \" : null } ] ", "\"  \"", " true",
        "[\"\\u0020\", { } ]"}) {
    std::string compact;
    ASSERT_TRUE(CompactJson(json, &compact)) << json;
    std::string ours = "kept";
    AppendWithoutSpace(&ours, json);
    EXPECT_EQ(ours, "kept" + compact);
  }
}

TEST(JsonTest, CompactKeepsTheTextOfNumbersAndStrings) {
  std::string out = "old";
  EXPECT_TRUE(CompactJson(" { \"a\" : [ 1.50 , \"\\u0041 b\" ] ,\n \"c\":{ } } ", &out));
  EXPECT_EQ(out, R"({"a":[1.50,"\u0041 b"],"c":{}})");
  std::string error;
  EXPECT_FALSE(CompactJson("{} {}", &out, &error));
  EXPECT_EQ(error, "There is more text behind the JSON value");
  EXPECT_FALSE(CompactJson("", &out, &error));
  EXPECT_EQ(error, "There is no JSON value in the text");
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
