// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/matchers.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/attributes.h"
#include "banyan/queue.h"
#include "gmock/gmock.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// What a failure with this matcher and value says about the value.
template <typename MatcherT, typename Value>
std::string Explain(const MatcherT& matcher, const Value& value) {
  ::testing::StringMatchResultListener listener;
  ::testing::SafeMatcherCast<const Value&>(matcher).MatchAndExplain(value, &listener);
  return listener.str();
}

template <typename Value, typename MatcherT>
std::string Describe(const MatcherT& matcher) {
  return ::testing::DescribeMatcher<const Value&>(matcher);
}

const absl::StatusOr<int> kSeven = 7;
const absl::StatusOr<int> kMissing = absl::NotFoundError("no such queue: jobs");

// ---- Status

TEST(StatusMatchersTest, IsOkTakesStatusAndStatusOr) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(kSeven, IsOk());
  EXPECT_THAT(absl::InternalError("x"), Not(IsOk()));
  EXPECT_THAT(kMissing, Not(IsOk()));
}

TEST(StatusMatchersTest, IsOkSaysWhatTheStatusIs) {
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(kMissing, IsOk()), "Actual: NOT_FOUND: no such queue: jobs");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(kMissing.status(), IsOk()),
                          "Actual: NOT_FOUND: no such queue: jobs");
  EXPECT_EQ(Describe<absl::Status>(IsOk()), "is OK");
}

TEST(StatusMatchersTest, IsOkAndHoldsLooksAtTheValue) {
  EXPECT_THAT(kSeven, IsOkAndHolds(7));
  EXPECT_THAT(kSeven, IsOkAndHolds(Gt(6)));
  EXPECT_THAT(kSeven, Not(IsOkAndHolds(8)));
  EXPECT_THAT(kMissing, Not(IsOkAndHolds(7)));
  EXPECT_THAT(absl::StatusOr<std::vector<int>>(std::vector<int>{1, 2}),
              IsOkAndHolds(ElementsAre(1, 2)));
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(kSeven, IsOkAndHolds(8)), "Actual: OK: 7");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(kMissing, IsOkAndHolds(8)), "Actual: NOT_FOUND: no such");
  EXPECT_THAT(Explain(IsOkAndHolds(ElementsAre(1, 3)), absl::StatusOr<std::vector<int>>({1, 2})),
              HasSubstr("element #1 doesn't match"));
}

TEST(StatusMatchersTest, StatusIsComparesCodeAndMessage) {
  using absl::StatusCode;
  EXPECT_THAT(kMissing, StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(kMissing.status(), StatusIs(StatusCode::kNotFound, HasSubstr("jobs")));
  EXPECT_THAT(kMissing, StatusIs(StatusCode::kNotFound, "no such queue: jobs"));
  EXPECT_THAT(kMissing, Not(StatusIs(StatusCode::kInternal)));
  EXPECT_THAT(kMissing, Not(StatusIs(StatusCode::kNotFound, HasSubstr("topic"))));
  EXPECT_THAT(kSeven, Not(StatusIs(StatusCode::kNotFound)));
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(kMissing, StatusIs(absl::StatusCode::kInternal)),
                          "Actual: NOT_FOUND: no such queue: jobs");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(kSeven, StatusIs(absl::StatusCode::kInternal)),
                          "Actual: OK: 7");
}

// ---- Messages

struct FakeMessage {
  std::string text;
  Attributes values = {};

  std::string_view body() const { return text; }
  const Attributes& attributes() const { return values; }
};

TEST(MessageMatchersTest, BodyIsTakesATextOrAMatcher) {
  const FakeMessage message{"resize"};
  EXPECT_THAT(message, BodyIs("resize"));
  EXPECT_THAT(message, BodyIs(std::string("resize")));
  EXPECT_THAT(message, BodyIs(StartsWith("re")));
  EXPECT_THAT(message, Not(BodyIs("resized")));
  EXPECT_THAT(std::vector<FakeMessage>{message}, ElementsAre(BodyIs("resize")));
  EXPECT_THAT(Explain(BodyIs("crop"), message), HasSubstr("whose body is \"resize\""));
}

TEST(MessageMatchersTest, RequestsHaveABodyAndAttributesToo) {
  const SendRequest request = {.body = "resize", .attributes = {{"size", "large"}}};
  EXPECT_THAT(request, AllOf(BodyIs("resize"), HasAttribute("size")));
}

TEST(MessageMatchersTest, HasAttributeLooksAtNameValueAndType) {
  const FakeMessage message{"x", {{"size", "large"}, {"n", AttributeValue::Number("5")}}};
  EXPECT_THAT(message, HasAttribute("size"));
  EXPECT_THAT(message, HasAttribute("size", "large"));
  EXPECT_THAT(message, HasAttribute("size", StartsWith("l")));
  EXPECT_THAT(message, HasAttribute("n", AttributeValue::Number("5")));
  EXPECT_THAT(message, Not(HasAttribute("color")));
  EXPECT_THAT(message, Not(HasAttribute("size", "small")));
  EXPECT_THAT(message, Not(HasAttribute("n", AttributeValue("5"))));  // a String, not a Number
  EXPECT_THAT(Explain(HasAttribute("color"), message),
              HasSubstr("{n: Number \"5\", size: String \"large\"}"));
}

TEST(MessageMatchersTest, JsonBodyIsComparesValuesNotTexts) {
  const FakeMessage message{R"({"id": 7, "tags": ["a", "A"], "price": 1.50})"};
  EXPECT_THAT(message, JsonBodyIs(R"({"price":1.5,"tags":["a","\u0041"],"id":7.0})"));
  EXPECT_THAT(message, Not(JsonBodyIs(R"({"id": 7})")));
  EXPECT_THAT(FakeMessage{"10000000000000000001"}, Not(JsonBodyIs("10000000000000000002")));
  EXPECT_THAT(FakeMessage{R"({"a":1,"a":2})"}, JsonBodyIs(R"({"a":2})"));
}

TEST(MessageMatchersTest, JsonBodyIsSaysWhereTheValuesPart) {
  const FakeMessage message{R"({"detail":{"items":[{"n":1},{"n":2}]}})"};
  EXPECT_THAT(Explain(JsonBodyIs(R"({"detail":{"items":[{"n":1},{"n":3}]}})"), message),
              HasSubstr("$.detail.items[1].n is 2, not 3"));
  EXPECT_THAT(Explain(JsonBodyIs(R"({"detail":{"items":[]}})"), message),
              HasSubstr("$.detail.items is an array of 2, not an array of 0"));
  EXPECT_THAT(Explain(JsonBodyIs(R"({"detail":{}})"), message),
              HasSubstr("$.detail.items is not wanted"));
  EXPECT_THAT(Explain(JsonBodyIs(R"({"detail":{"total":1}})"), message),
              HasSubstr("$.detail.total is missing"));
  EXPECT_THAT(Explain(JsonBodyIs(R"({"detail":"x"})"), message),
              HasSubstr("$.detail is an object, not \"x\""));
}

TEST(MessageMatchersTest, JsonBodyIsTellsABadBodyFromABadTest) {
  EXPECT_THAT(Explain(JsonBodyIs("{}"), FakeMessage{"{"}), HasSubstr("the body is not JSON"));
  EXPECT_THAT(Explain(JsonBodyIs("{"), FakeMessage{"{}"}), HasSubstr("the test asks for is none"));
  EXPECT_THAT(FakeMessage{"{} {}"}, Not(JsonBodyIs("{}")));
  EXPECT_THAT(FakeMessage{""}, Not(JsonBodyIs("{}")));
}

// ---- Printers

TEST(PrintersTest, ValuesAreWrittenInWords) {
  EXPECT_EQ(::testing::PrintToString(QueueDepth{.visible = 1, .in_flight = 2}),
            "1 visible, 2 in flight, 0 delayed");
  EXPECT_EQ(::testing::PrintToString(AttributeValue::Number("5")), "Number \"5\"");
  EXPECT_EQ(::testing::PrintToString(Payload("a\nb")), "\"a\\nb\"");
  EXPECT_EQ(::testing::PrintToString(kMissing), "NOT_FOUND: no such queue: jobs");
  EXPECT_EQ(::testing::PrintToString(absl::StatusOr<std::vector<Payload>>({Payload("a")})),
            "OK: { \"a\" }");
}

}  // namespace
}  // namespace banyan::testing
