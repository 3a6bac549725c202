// SPDX-License-Identifier: Apache-2.0
#include "tool/rules_file.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/pattern.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

RulesFile Parse(std::string text) {
  absl::StatusOr<RulesFile> file = RulesFile::Parse("rules.json", std::move(text));
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *std::move(file) : RulesFile::OnePattern("failed", "");
}

std::string Error(std::string text) {
  const absl::StatusOr<RulesFile> file = RulesFile::Parse("rules.json", std::move(text));
  return file.ok() ? "no error" : std::string(file.status().message());
}

TEST(RulesFileTest, AnObjectIsOnePatternNamedAfterTheFile) {
  const absl::StatusOr<RulesFile> file =
      RulesFile::Parse("rules/paid.orders.json", R"( {"state": ["paid"]} )");
  ASSERT_TRUE(file.ok());
  ASSERT_THAT(file->rules(), SizeIs(1));
  EXPECT_EQ(file->rules()[0].name, "paid.orders");
  EXPECT_EQ(file->rules()[0].pattern, R"({"state": ["paid"]})");
  for (const char* path : {"-", "", "dir/"}) {
    EXPECT_EQ(RulesFile::Parse(path, "{}")->rules()[0].name, "pattern") << path;
  }
  EXPECT_EQ(RulesFile::Parse(".hidden", "{}")->rules()[0].name, ".hidden");
}

TEST(RulesFileTest, AListOfRules) {
  const RulesFile file = Parse(R"([
    {"name": "a", "description": "x", "pattern": {"s": [1]}, "target": {"queue": "q"}},
    {"name": "b", "pattern": "{\"s\": [2]}",
     "targets": [{"stream": "t", "partition_key": "$.k"}, "mail", {"Arn": "arn:x", "Id": "1"}]}])");
  ASSERT_THAT(file.rules(), SizeIs(2));
  EXPECT_EQ(file.rules()[0].name, "a");
  EXPECT_EQ(file.rules()[0].pattern, R"({"s": [1]})");
  EXPECT_THAT(file.rules()[0].targets, ElementsAre("queue q"));
  EXPECT_EQ(file.rules()[1].pattern, R"({"s": [2]})");
  EXPECT_THAT(file.rules()[1].targets, ElementsAre("stream t", "mail", "arn:x"));
  EXPECT_THAT(Parse("[]").rules(), IsEmpty());
}

TEST(RulesFileTest, WhatListRulesPrints) {
  const RulesFile file = Parse(R"json({"NextToken": "x", "Rules": [
    {"Arn": "arn:1", "Name": "on", "State": "ENABLED", "EventBusName": "default",
     "EventPattern": "{\"source\":[\"shop\"]}", "Targets": [{"Id": "1", "Arn": "arn:q"}]},
    {"Arn": "arn:2", "Name": "off", "State": "DISABLED", "EventPattern": "{\"source\":[\"a\"]}"},
    {"Arn": "arn:3", "Name": "nightly", "State": "ENABLED", "ScheduleExpression": "rate(1 day)"}]})json");
  ASSERT_THAT(file.rules(), SizeIs(2));
  EXPECT_EQ(file.rules()[0].pattern, R"({"source":["shop"]})");
  EXPECT_THAT(file.rules()[0].targets, ElementsAre("arn:q"));
  EXPECT_TRUE(file.rules()[0].is_enabled);
  EXPECT_FALSE(file.rules()[1].is_enabled);
  EXPECT_THAT(Parse(R"({"Rules": []})").rules(), IsEmpty());
}

TEST(RulesFileTest, WhatDescribeRulePrints) {
  const RulesFile file =
      Parse(R"({"Name": "a", "Arn": "arn:1", "EventPattern": "{\"s\":[1]}", "State": "ENABLED"})");
  ASSERT_THAT(file.rules(), SizeIs(1));
  EXPECT_EQ(file.rules()[0].name, "a");
}

// Patterns that ask for fields with the names that the other forms have.
TEST(RulesFileTest, APatternIsNotMistakenForAnotherForm) {
  for (const char* pattern :
       {R"({"Rules": ["x"]})", R"({"Rules": [{"prefix": "x"}]})", R"({"EventPattern": ["x"]})",
        R"({"EventPattern": {"Name": ["x"]}})", R"({"name": ["a"], "pattern": {"s": [1]}})"}) {
    const RulesFile file = Parse(pattern);
    ASSERT_THAT(file.rules(), SizeIs(1));
    EXPECT_EQ(file.rules()[0].pattern, pattern);
  }
}

TEST(RulesFileTest, ErrorsNameThePlace) {
  EXPECT_EQ(Error(""), "rules.json:1:1: the file is empty");
  EXPECT_EQ(Error(" \n"), "rules.json:1:1: the file is empty");
  EXPECT_EQ(Error("\n 3"),
            "rules.json:2:2: neither a pattern nor a list of rules; banyan help match shows the "
            "forms");
  EXPECT_EQ(Error("[1]"), "rules.json:1:2: a rule must be an object");
  EXPECT_EQ(Error("[{\"name\": \"a\"}]"), "rules.json:1:2: rule \"a\" has no pattern");
  EXPECT_EQ(Error("[\n  {\"pattern\": {}}]"), "rules.json:2:3: rule 1 has no name");
  EXPECT_EQ(Error("[{\"name\": 5}]"), "rules.json:1:11: name must be a string");
  EXPECT_EQ(Error("[{\"name\": \"\"}]"),
            "rules.json:1:11: a name must have characters, none of them a control one");
  EXPECT_EQ(Error("[{\"name\": \"a\\u001b\"}]"),
            "rules.json:1:11: a name must have characters, none of them a control one");
  EXPECT_EQ(Error("[{\"name\": \"a\", \"name\": \"b\"}]"), "rules.json:1:16: rule 1 has two names");
  EXPECT_EQ(Error("[{\"name\": \"a\", \"patern\": {}}]"),
            "rules.json:1:16: a rule has no member \"patern\"; did you mean pattern?");
  EXPECT_EQ(Error("[{\"name\": \"a\", \"pattern\": {}, \"target\": {\"topic\": \"t\"}}]"),
            "rules.json:1:41: a target is a name, or an object with \"Arn\", \"queue\" or "
            "\"stream\"");
  EXPECT_EQ(Error("[{\"name\": \"a\", \"pattern\": {}},\n {\"name\": \"a\", \"pattern\": {}}]"),
            "rules.json:2:11: a second rule \"a\"; the first is in line 1");
  EXPECT_EQ(Error("{\"s\": [1]} {}"),
            "rules.json:1:12: something follows where the rules should end");
}

TEST(RulesFileTest, JsonThatIsNotWholeIsAnErrorWithItsPlace) {
  for (const char* text :
       {"[", "[{", "[{\"name\"", "[{\"name\": \"a\"", "{\"Rules\": [{\"Name\": \"a\"", "{\"s\": [1",
        "[{\"name\": \"a\", \"targets\": [", "[{\"pattern\": {\"a\"",
        "{\"Name\": 1, \"EventPattern\": \"x\"", "[\x80]", "nul"}) {
    EXPECT_THAT(Error(text), ::testing::StartsWith("rules.json:1:")) << text;
  }
  EXPECT_THAT(Error("{\n \"s\": [1}"), HasSubstr("rules.json:2:"));
}

TEST(RulesFileTest, APlaceInAPatternIsAPlaceInTheFile) {
  const std::string text = "[{\"name\": \"a\", \"pattern\":\n   {\"s\":\n  [1]}}]";
  const RulesFile file = Parse(text);
  const FileRule& rule = file.rules()[0];
  EXPECT_EQ(file.Where(rule, 0), "rules.json:2:4");
  EXPECT_EQ(file.Where(rule, 1), "rules.json:2:5");
  EXPECT_EQ(file.Where(rule, rule.pattern.find('[')), "rules.json:3:3");
}

// In a string of JSON each character may have been written in several ways.
TEST(RulesFileTest, APlaceInAPatternThatIsAStringSeesBehindTheEscapes) {
  const std::string text =
      "[{\"name\": \"a\", \"pattern\": \"{\\\"\\u0061\\u00e9\\ud83d\\ude00\xC3\xA9\\\":\\n[1]}\"}]";
  const RulesFile file = Parse(text);
  const FileRule& rule = file.rules()[0];
  ASSERT_EQ(rule.pattern, "{\"a\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9\":\n[1]}");
  const size_t in_text = text.find("[1]");
  // The file is one line; its one character of two bytes stands before the place.
  EXPECT_EQ(file.Where(rule, rule.pattern.find('[')),
            "rules.json:1:" + std::to_string(in_text + 1 - 1));
  EXPECT_EQ(file.Where(rule, 0), "rules.json:1:28");
}

TEST(RulesFileTest, AWrongPatternIsToldInOneLineWithThePlaceInTheFile) {
  const RulesFile file = Parse(
      "[{\"name\": \"a\", \"pattern\": {\n  \"s\": [{\"prefx\": 1}]}},\n"
      " {\"name\": \"b\", \"pattern\": \"{\\n\\\"s\\\": [1\"}]");
  const auto told = [&file](size_t index) {
    const FileRule& rule = file.rules()[index];
    return file.Message(rule, std::string(EventPattern::Parse(rule.pattern).status().message()));
  };
  EXPECT_EQ(told(0),
            "rules.json:2:20: rule \"a\": Event pattern is not valid. Reason: Unrecognized match "
            "type prefx");
  EXPECT_EQ(told(1),
            "rules.json:3:40: rule \"b\": Event pattern is not valid. Reason: Unexpected "
            "end-of-input: expected close marker for Array (start marker at rules.json:3:38)");
}

TEST(RulesFileTest, AnErrorWithoutAPlaceIsPutAtThePattern) {
  const RulesFile file = Parse("\n{\"s\": [1]}");
  EXPECT_EQ(file.Message(file.rules()[0], "too long"), "rules.json:2:1: rule \"rules\": too long");
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
