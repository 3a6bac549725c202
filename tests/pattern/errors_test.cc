// SPDX-License-Identifier: Apache-2.0
//
// Patterns that are refused: the service's reason, its position, its code. The recorded cases cover
// most reasons (conformance_test.cc); here is what they leave out, and everything around the
// reason.
#include <string>

#include "banyan/error.h"
#include "banyan/pattern.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(ErrorsTest, StatusHasTheServicesCodeTextAndPosition) {
  const absl::Status status = EventPattern::Parse(R"({"source": "my-value"})").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  ASSERT_NE(FindAwsError(status), nullptr);
  EXPECT_EQ(FindAwsError(status)->code, "InvalidEventPatternException");
  EXPECT_EQ(Text(status),
            "Event pattern is not valid. Reason: \"source\" must be an object or an array\n"
            " at [Source: (String)\"{\"source\": \"my-value\"}\"; line: 1, column: 13]");
}

// The service's reader stands behind the token, but opens a string without reading it, and looks at
// the first character of what follows a name.
TEST(ErrorsTest, PositionsAreWhereTheServicesReaderStands) {
  struct Row {
    const char* pattern;
    size_t line, column;
  };
  const Row rows[] = {
      {R"({"a":1})", 1, 7},
      {R"({"a":"x"})", 1, 7},
      {"{\n  \"a\":\n    null}", 3, 9},
      {R"({"a":[]})", 1, 8},
      {R"({"a":{}})", 1, 8},
      {R"({"a":[{"Prefix":"x"}]})", 1, 18},
      {R"({"a":[{"Prefix":12}]})", 1, 19},
      {R"({"a":[{"Prefix":[]}]})", 1, 18},
      {R"({"a":[{"prefix":1}]})", 1, 18},
      {R"({"a":["é",[]]})", 1, 12},
  };
  for (const Row& row : rows) {
    const CompileResult result =
        CompilePattern(row.pattern, PatternLanguage::kEventBridge, Limits::Aws());
    const auto* error = std::get_if<PatternError>(&result);
    ASSERT_NE(error, nullptr) << row.pattern;
    EXPECT_EQ(error->line, row.line) << row.pattern << " " << error->reason;
    EXPECT_EQ(error->column, row.column) << row.pattern << " " << error->reason;
  }
}

TEST(ErrorsTest, CidrAndComplexityHaveNoPosition) {
  EXPECT_EQ(Text(EventPattern::Parse(R"({"a":[{"cidr":"10.0.0.0"}]})").status()),
            "Event pattern is not valid. Reason: Malformed CIDR, one '/' required");
  EXPECT_THAT(Text(EventPattern::Parse(R"({"a":[{"wildcard":"*aaaaaaaaaaaaaaaaaaa*"}]})").status()),
              ::testing::EndsWith("after a wildcard character"));
}

TEST(ErrorsTest, TheFirstErrorInTheDocumentIsTheOneReported) {
  EXPECT_EQ(Reason(R"({"a":"x","b":[}})"), "\"a\" must be an object or an array");
  EXPECT_THAT(Reason(R"({"b":[},"a":"x"})"), StartsWith("Unexpected close marker '}'"));
}

TEST(ErrorsTest, ReasonsOfNumeric) {
  EXPECT_EQ(Reason(R"({"a":[{"numeric":5}]})"), "Value of numeric must be an array.");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[]}]})"), "Invalid member in numeric match: ]");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[5]}]})"), "Invalid member in numeric match: 5");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":["!=",5]}]})"), "Unrecognized numeric range operator: !=");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":["=","5"]}]})"), "Value of equals must be numeric");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":["<","5"]}]})"), "Value of < must be numeric");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":["=",5,6]}]})"), "Too many elements in numeric expression");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[">",5,6]}]})"), "Bad value in numeric range: 6");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[">",5,"<","6"]}]})"), "Value of < must be numeric");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[">",5,"=",6]}]})"), "Bad numeric range operator: =");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[">",5,"<",6,"<",7]}]})"),
            "Too many terms in numeric range expression");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[">=",5,"<=",5]}]})"), "Bottom must be less than top");
  EXPECT_EQ(Reason(R"({"a":[{"numeric":[">",9007199254740993]}]})"),
            "Cannot compare number : 9007199254740993");
}

TEST(ErrorsTest, AnythingButOfAnEmptyListOfPrefixesIsRefused) {
  EXPECT_NE(Reason(R"({"a":[{"anything-but":{"prefix":[]}}]})"), "");
}

TEST(ErrorsTest, ReservedWordsAreRefusedInsideOrOnly) {
  EXPECT_EQ(Reason(R"({"prefix":["x"],"regex":{"=":["x"]}})"), "");
  for (const char* word :
       {"prefix", "exactly", "=", ">=", "regex", "date-after", "ip-address-in-range"}) {
    EXPECT_EQ(Reason(std::string(R"({"$or":[{"a":[1]},{"b":{")") + word + R"(":[1]}}]})"),
              std::string(word) + " is Ruler reserved fieldName which cannot be used inside $or.");
  }
}

TEST(ErrorsTest, SizesAreRefusedBeforeTheyCost) {
  Limits limits = Limits::Aws();
  EXPECT_THAT(Reason("{\"a\":[\"" + std::string(5'000, 'x') + "\"]}"),
              HasSubstr("more than the maximum of 4096"));

  std::string keys = "{";
  limits.pattern.bytes_max = 1 << 20;
  for (int i = 0; i < 256; ++i) keys += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":[1]";
  EXPECT_EQ(Reason(keys + "}", PatternLanguage::kEventBridge, limits), "");
  EXPECT_EQ(Reason(keys + ",\"more\":[1]}", PatternLanguage::kEventBridge, limits),
            "Size of rule exceeds max value of 256");
}

TEST(ErrorsTest, OrIsCountedBeforeItIsExpanded) {
  std::string ors;  // 2^60 alternatives
  for (int i = 0; i < 60; ++i)
    ors += std::string(i > 0 ? "," : "") + R"("$or":[{"a":[1]},{"b":[2]}])";
  EXPECT_EQ(Reason("{" + ors + "}"), "$or expands to more than the maximum of 1000 rules");
  std::string nested = R"({"a":[1]})";  // 101 alternatives, a hundred levels deep
  for (int i = 0; i < 100; ++i) nested = R"({"$or":[{"a":[1]},)" + nested + "]}";
  EXPECT_EQ(Reason(nested), "");
}

TEST(ErrorsTest, TestEventPatternWantsAWholeEvent) {
  const std::string event =
      R"({"id":"1","account":"1","source":"s","time":"t","region":"r","detail-type":"d","detail":{"a":1}})";
  EXPECT_EQ(TestEventPattern(R"({"detail":{"a":[1]}})", event).value(), true);
  EXPECT_EQ(TestEventPattern(R"({"detail":{"a":[2]}})", event).value(), false);
  for (const char* name : {"id", "account", "source", "time", "region", "detail-type"}) {
    std::string without = event;
    without.insert(without.find(std::string("\"") + name + "\"") + 1, "not-");
    const absl::Status status = TestEventPattern(R"({"detail":{"a":[1]}})", without).status();
    ASSERT_NE(FindAwsError(status), nullptr) << without;
    EXPECT_EQ(FindAwsError(status)->code, "ValidationException");
    EXPECT_EQ(Text(status), "Parameter Event is not valid.");
  }
  for (const char* bad : {"", "[]", "\"text\"", "{", R"({"id":"1",})"}) {
    EXPECT_EQ(Text(TestEventPattern(R"({"a":[1]})", bad).status()), "Parameter Event is not valid.")
        << bad;
  }
  EXPECT_THAT(Text(TestEventPattern("{}", event).status()),
              HasSubstr("Empty objects are not allowed"));
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
