// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "banyan/pattern.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1 {
namespace {

using ::testing::HasSubstr;

Explanation Explain(std::string_view pattern, std::string_view event) {
  return EventPattern::Parse(pattern).value().Explain(event);
}

TEST(ExplainTest, NamesTheFieldTheWishAndTheValue) {
  const Explanation why = Explain(R"({"detail": {"state": [ "paid", {"prefix": "pre"} ]}})",
                                  R"({"detail":{"state":"Paid"}})");
  EXPECT_FALSE(why.matched);
  EXPECT_EQ(why.path, "detail.state");
  EXPECT_EQ(why.wanted, R"(["paid",{"prefix":"pre"}])");
  EXPECT_EQ(why.seen, R"("Paid")");
  EXPECT_EQ(why.sentence, R"(detail.state is "Paid", the pattern wants ["paid",{"prefix":"pre"}])");
}

TEST(ExplainTest, AbsentFieldsAndMatchesAreSaid) {
  EXPECT_EQ(Explain(R"({"a":["x"]})", R"({"b":1})").sentence,
            R"(a is absent, the pattern wants ["x"])");
  EXPECT_EQ(Explain(R"({"a":["x"]})", R"({"a":"x"})").sentence, "the event matches");
  EXPECT_EQ(Explain(R"({"a":[{"exists":false}]})", R"({"a":null})").sentence,
            R"(a is null, the pattern wants [{"exists":false}])");
}

TEST(ExplainTest, UnreadableEventsSayWhy) {
  const Explanation why = Explain(R"({"a":["x"]})", R"({"a":"x",})");
  EXPECT_FALSE(why.matched);
  EXPECT_THAT(why.sentence, HasSubstr("was expecting double-quote to start field name"));
  EXPECT_EQ(why.path, "");
}

// Of several alternatives the one with the fewest failing conditions.
TEST(ExplainTest, TheNearestAlternativeSpeaks) {
  const Explanation why =
      Explain(R"({"$or":[{"a":[1],"b":[1]},{"c":[1],"d":[1]}]})", R"({"c":1,"d":2})");
  EXPECT_EQ(why.path, "d");
}

TEST(ExplainTest, FieldsInDifferentElementsAreSaidToBe) {
  const Explanation why = Explain(R"({"d":{"a":[1],"b":[2]}})", R"({"d":[{"a":1},{"b":2}]})");
  EXPECT_EQ(why.path, "d.b");
  EXPECT_THAT(why.sentence, HasSubstr("in the same array element"));
}

TEST(ExplainTest, ManyAndLongValuesAreCut) {
  const Explanation many = Explain(R"({"a":[0]})", R"({"a":[1,2,3,4,5,6,7]})");
  EXPECT_EQ(many.seen, "1, 2, 3, 4, 5, and 2 more");
  std::string text;
  for (int i = 0; i < 1'000; ++i) text += "é";
  const Explanation cut = Explain(R"({"a":[0]})", "{\"a\":\"" + text + "\"}");
  EXPECT_LT(cut.seen.size(), 210u);
  EXPECT_TRUE(cut.seen.ends_with("é...")) << cut.seen;  // between characters, not inside one
}

}  // namespace
}  // namespace banyan::inline v0_1
