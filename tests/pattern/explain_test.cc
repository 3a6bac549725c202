// SPDX-License-Identifier: Apache-2.0
//
// What Explain says, whole sentences, from the seat of somebody whose event went nowhere.
#include <string>
#include <string_view>
#include <vector>

#include "banyan/attributes.h"
#include "banyan/pattern.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

using ::testing::HasSubstr;

Explanation Explain(std::string_view pattern, std::string_view event) {
  const absl::StatusOr<EventPattern> parsed = EventPattern::Parse(pattern);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  if (!parsed.ok()) return {};
  const Explanation why = parsed->Explain(event);
  EXPECT_EQ(why.matched, parsed->Matches(event)) << pattern << "\n" << event;
  EXPECT_THAT(why.sentence, HasSubstr(why.near_miss));
  return why;
}

// What is said of the field "a" that holds `value`, when `wanted` is asked of it.
struct ValueCase {
  std::string_view wanted;
  std::string_view value;
  std::string sentence;
};

void CheckValues(const std::vector<ValueCase>& cases) {
  for (const ValueCase& c : cases) {
    const std::string pattern = "{\"a\":" + std::string(c.wanted) + "}";
    const std::string event = "{\"a\":" + std::string(c.value) + "}";
    EXPECT_EQ(Explain(pattern, event).sentence, c.sentence) << pattern << "\n" << event;
  }
}

struct EventCase {
  std::string_view pattern;
  std::string_view event;
  std::string_view sentence;
};

void CheckEvents(const std::vector<EventCase>& cases) {
  for (const EventCase& c : cases) {
    EXPECT_EQ(Explain(c.pattern, c.event).sentence, c.sentence) << c.pattern << "\n" << c.event;
  }
}

TEST(ExplainTest, NamesTheFieldTheWishTheValueAndTheNearestMiss) {
  const Explanation why = Explain(R"({"detail": {"state": [ "paid", {"prefix": "pre"} ]}})",
                                  R"({"detail":{"state":"Paid"}})");
  EXPECT_FALSE(why.matched);
  EXPECT_EQ(why.path, "detail.state");
  EXPECT_EQ(why.wanted, R"(["paid",{"prefix":"pre"}])");
  EXPECT_EQ(why.seen, R"("Paid")");
  EXPECT_EQ(why.near_miss, R"("Paid" comes nearest to "paid", but differs in case)");
  EXPECT_EQ(why.sentence,
            R"(detail.state is "Paid", the pattern wants "paid" or {"prefix":"pre"}: )"
            R"("Paid" comes nearest to "paid", but differs in case)");
}

TEST(ExplainTest, AMatchIsSaid) {
  const Explanation why = Explain(R"({"a":["x"]})", R"({"a":"x"})");
  EXPECT_TRUE(why.matched);
  EXPECT_EQ(why.sentence, "the event matches");
  EXPECT_EQ(why.near_miss, "");
}

TEST(ExplainTest, UnreadableEventsSayWhy) {
  const Explanation why = Explain(R"({"a":["x"]})", R"({"a":"x",})");
  EXPECT_FALSE(why.matched);
  EXPECT_THAT(why.sentence, HasSubstr("was expecting double-quote to start field name"));
  EXPECT_EQ(why.path, "");
}

TEST(ExplainTest, WhereNothingIsNearNothingIsSaid) {
  CheckValues({{R"(["x"])", R"("y")", R"(a is "y", the pattern wants "x")"},
               {"[1]", "2", "a is 2, the pattern wants 1"},
               {"[true]", "false", "a is false, the pattern wants true"}});
  CheckEvents({{R"({"a":["x"]})", R"({"b":1})", R"(a is absent, the pattern wants "x")"}});
}

// ---- Texts that look the same.

TEST(ExplainTest, TextsThatLookTheSame) {
  CheckValues({
      {R"(["shipped"])", R"("Shipped")",
       R"(a is "Shipped", the pattern wants "shipped": differs in case)"},
      {R"(["straße"])", R"("STRASSE")",
       R"(a is "STRASSE", the pattern wants "straße": differs in case)"},
      {R"(["x"])", R"("x ")",
       R"(a is "x ", the pattern wants "x": differs in white space at the end)"},
      {R"(["x"])", R"(" x")",
       R"(a is " x", the pattern wants "x": differs in white space at the start)"},
      {R"(["x"])", R"(" x\n")",
       R"(a is " x\n", the pattern wants "x": differs in white space at the ends)"},
      {R"(["x"])", R"(" X")",
       R"(a is " X", the pattern wants "x": differs in case and white space at the start)"},
      {R"(["a b"])", R"("a\u00a0b")",
       "a is \"a\u00a0b\", the pattern wants \"a b\": differs in the kind of white space (U+00A0 "
       "in "
       "the value)"},
      // The pattern stands as it is written, escapes included.
      {R"(["x\u200by"])", R"("xy")",
       R"(a is "xy", the pattern wants "x\u200by": differs in an invisible character (U+200B in the )"
       R"(pattern))"},
      {R"(["café"])", R"("cafe\u0301")",
       "a is \"cafe\u0301\", the pattern wants \"caf\u00e9\": differs in Unicode composition (a "
       "letter and its accent as one character or as two)"},
      {R"(["각"])", R"("\u1100\u1161\u11a8")",
       "a is \"\u1100\u1161\u11a8\", the pattern wants \"\uac01\": differs in Unicode composition "
       "(a "
       "letter and its accent as one character or as two)"},
      {R"([{"prefix":"ord-"}])", R"("ORD-1")",
       R"(a is "ORD-1", the pattern wants {"prefix":"ord-"}: differs in case)"},
      {R"([{"suffix":".jpg"}])", R"("cat.JPG")",
       R"(a is "cat.JPG", the pattern wants {"suffix":".jpg"}: differs in case)"},
      {R"([{"wildcard":"*.jpg"}])", R"("cat.JPG")",
       R"(a is "cat.JPG", the pattern wants {"wildcard":"*.jpg"}: differs in case)"},
      {R"([{"equals-ignore-case":"x"}])", R"("X ")",
       R"(a is "X ", the pattern wants {"equals-ignore-case":"x"}: differs in white space at the )"
       R"(end)"},
      {R"(["10.0.0.1"])", R"("10.0.0.1 ")",
       R"(a is "10.0.0.1 ", the pattern wants "10.0.0.1": has white space or invisible characters )"
       R"(around the address)"},
  });
}

// ---- Types.

TEST(ExplainTest, TypesNeverConvert) {
  CheckValues({
      {"[5]", R"("5")", R"(a is "5", the pattern wants 5: is a string, not a number)"},
      {"[5]", R"("5.0")", R"(a is "5.0", the pattern wants 5: is a string, not a number)"},
      {R"(["5"])", "5", R"(a is 5, the pattern wants "5": is a number, not a string)"},
      {R"(["5"])", "5.0", R"(a is 5.0, the pattern wants "5": is a number, not a string)"},
      {"[true]", R"("true")",
       R"(a is "true", the pattern wants true: is a string, not the literal true)"},
      {"[false]", R"("False")",
       R"(a is "False", the pattern wants false: is a string, not the literal false)"},
      {R"(["true"])", "true",
       R"(a is true, the pattern wants "true": is the literal true, not a string)"},
      {R"([{"prefix":""}])", "7",
       R"(a is 7, the pattern wants {"prefix":""}: is a number, not a string)"},
      {R"([{"numeric":[">",10]}])", R"("12")",
       R"(a is "12", the pattern wants {"numeric":[">",10]}: is a string, not a number)"},
      {"[null]", R"("")", R"(a is "", the pattern wants null: is the empty string, not null)"},
      {"[null]", R"("null")", R"(a is "null", the pattern wants null: is a string, not null)"},
      {R"([""])", "null", R"(a is null, the pattern wants "": is null, not the empty string)"},
  });
  CheckEvents({
      {R"({"a":[null]})", "{}",
       R"(a is absent, the pattern wants null: null is a value, an absent field is asked for by )"
       R"({"exists":false})"},
      {R"({"a":[""]})", "{}",
       R"(a is absent, the pattern wants "": an absent field is not the empty string)"},
  });
}

TEST(ExplainTest, PresenceIsTold) {
  CheckValues({
      {R"([{"exists":false}])", R"("x")",
       R"(a is "x", the pattern wants {"exists":false}: the field is there, and must not be)"},
      {R"([{"exists":false}])", "null",
       R"(a is null, the pattern wants {"exists":false}: the field is there: null is a value, too)"},
      {R"([{"exists":false}])", R"("")",
       R"(a is "", the pattern wants {"exists":false}: the field is there: the empty string is a )"
       R"(value, too)"},
  });
  CheckEvents(
      {{R"({"a":[{"anything-but":"x"}]})", "{}",
        R"(a is absent, the pattern wants {"anything-but":"x"}: anything-but asks for some )"
        R"(other value, and there is none)"}});
}

// ---- Numbers.

TEST(ExplainTest, NumbersOutOfRangeSayByHowMuch) {
  CheckValues({
      {R"([{"numeric":[">=",100]}])", "99.5",
       R"(a is 99.5, the pattern wants {"numeric":[">=",100]}: is out of range by 0.5)"},
      {R"([{"numeric":["<",0.1]}])", "0.3",
       R"(a is 0.3, the pattern wants {"numeric":["<",0.1]}: is out of range by 0.2)"},
      {R"([{"numeric":[">",0,"<=",10]}])", "1200000",
       R"(a is 1200000, the pattern wants {"numeric":[">",0,"<=",10]}: is out of range by 1199990)"},
      {R"([{"numeric":[">",100]}])", "1e2",
       R"(a is 1e2, the pattern wants {"numeric":[">",100]}: is the bound itself, which is not in )"
       R"(the range)"},
      {R"([{"numeric":["<",-1e308]}])", "1.7e308",
       R"(a is 1.7e308, the pattern wants {"numeric":["<",-1e308]}: is out of range)"},
      {R"([{"numeric":[">",0]}])", "9007199254740993",
       R"(a is 9007199254740993, the pattern wants {"numeric":[">",0]}: has more or other digits )"
       R"(than a double keeps)"},
      // Neither too small nor too long: the double next to it is written 5e-324.
      {R"([{"numeric":[">",0]}])", "4.9e-324",
       R"(a is 4.9e-324, the pattern wants {"numeric":[">",0]}: has more or other digits than a )"
       R"(double keeps)"},
      {R"([{"numeric":[">=",0]}])", "1e-400",
       R"(a is 1e-400, the pattern wants {"numeric":[">=",0]}: is larger or smaller than can be )"
       R"(compared)"},
      {R"([{"numeric":[">",0]}])", "1e400",
       R"(a is 1e400, the pattern wants {"numeric":[">",0]}: is larger or smaller than can be )"
       R"(compared)"},
      {"[0.3]", "0.30000000000000004",
       "a is 0.30000000000000004, the pattern wants 0.3: differs by 5.55111512312578e-17"},
      {"[9007199254740993]", "9007199254740993.0",
       "a is 9007199254740993.0, the pattern wants 9007199254740993: has more or other digits than "
       "a double keeps, so it equals only what is written exactly like it"},
  });
}

// ---- Operators on texts.

TEST(ExplainTest, PartsOfTextsThatAgree) {
  CheckValues({
      {R"([{"prefix":"order-"}])", R"("orders/1")",
       R"(a is "orders/1", the pattern wants {"prefix":"order-"}: only the first 5 characters agree)"},
      {R"([{"prefix":"éa"}])", R"("éb")",
       R"(a is "éb", the pattern wants {"prefix":"éa"}: only the first character agrees)"},
      {R"([{"suffix":".jpg"}])", R"("cat.png")",
       R"(a is "cat.png", the pattern wants {"suffix":".jpg"}: only the last character agrees)"},
      {R"([{"prefix":{"equals-ignore-case":"Order-"}}])", R"("ORDERS")",
       R"(a is "ORDERS", the pattern wants {"prefix":{"equals-ignore-case":"Order-"}}: only the )"
       R"(first 5 characters agree)"},
      {R"(["order-*"])", R"("order-7")",
       R"(a is "order-7", the pattern wants "order-*": a * stands for itself outside of {"wildcard": )"
       R"(...})"},
      {R"(["paid"])", R"("paid-late")",
       R"(a is "paid-late", the pattern wants "paid": goes on behind it, and a bare string must be )"
       R"(the whole value)"},
  });
}

TEST(ExplainTest, WildcardsSayWhichPartIsMissing) {
  CheckValues({
      {R"([{"wildcard":"ab*cd*ef"}])", R"("xx")",
       R"(a is "xx", the pattern wants {"wildcard":"ab*cd*ef"}: does not begin with "ab")"},
      {R"([{"wildcard":"ab*cd*ef"}])", R"("ab--ef")",
       R"(a is "ab--ef", the pattern wants {"wildcard":"ab*cd*ef"}: does not contain "cd" behind )"
       R"("ab")"},
      {R"([{"wildcard":"*cd*ef"}])", R"("ab--ef")",
       R"(a is "ab--ef", the pattern wants {"wildcard":"*cd*ef"}: does not contain "cd")"},
      {R"([{"wildcard":"ab*cd*ef"}])", R"("ab-cd-")",
       R"(a is "ab-cd-", the pattern wants {"wildcard":"ab*cd*ef"}: does not end with "ef")"},
      {R"([{"wildcard":"aba*aba"}])", R"("aba")",
       R"(a is "aba", the pattern wants {"wildcard":"aba*aba"}: is too short for all the parts )"
       R"(between the stars)"},
  });
}

TEST(ExplainTest, AQuestionMarkIsNoJoker) {
  const std::string clause = ": a ? stands for itself, not for any character";
  const auto is_told = [&clause](std::string_view wildcard, std::string_view value) {
    const Explanation why = Explain("{\"a\":[{\"wildcard\":\"" + std::string(wildcard) + "\"}]}",
                                    "{\"a\":\"" + std::string(value) + "\"}");
    return why.sentence.ends_with(clause);
  };
  EXPECT_TRUE(is_told("?", "x"));
  EXPECT_TRUE(is_told("?", "é"));  // one character of two bytes
  EXPECT_TRUE(is_told("a?c*", "abc-1"));
  EXPECT_TRUE(is_told("*-?", "order-7"));
  EXPECT_TRUE(is_told("a*?b*c", "axxbc"));
  EXPECT_FALSE(is_told("?", "xy"));
  EXPECT_FALSE(is_told("?", ""));
  EXPECT_FALSE(is_told("a?*?c", "abc"));  // two characters are asked for
  EXPECT_FALSE(is_told("a*?d*c", "axxbc"));
  EXPECT_FALSE(is_told("*b", "a"));
}

TEST(ExplainTest, IgnoringCaseIsNotSymmetric) {
  const std::string clause =
      ": agrees but for case, and only the pattern's characters are tried in upper and lower case: "
      "the comparison is not symmetric";
  CheckValues({
      {R"([{"equals-ignore-case":"SS"}])", R"("ß")",
       R"(a is "ß", the pattern wants {"equals-ignore-case":"SS"})" + clause},
      {R"([{"equals-ignore-case":"k"}])", "\"\u212a\"",
       "a is \"\u212a\", the pattern wants {\"equals-ignore-case\":\"k\"}" + clause},
      {R"([{"prefix":{"equals-ignore-case":"SS"}}])", R"("ßx")",
       R"(a is "ßx", the pattern wants {"prefix":{"equals-ignore-case":"SS"}})" + clause},
      {R"([{"suffix":{"equals-ignore-case":"SS"}}])", R"("xß")",
       R"(a is "xß", the pattern wants {"suffix":{"equals-ignore-case":"SS"}})" + clause},
      {R"([{"equals-ignore-case":"x"}])", R"("y")",
       R"(a is "y", the pattern wants {"equals-ignore-case":"x"})"},
  });
}

TEST(ExplainTest, ExactlyComparesTheCharactersOfAnAddress) {
  CheckValues({
      {R"([{"exactly":"10.0.0.1"}])", R"("010.0.0.1")",
       R"(a is "010.0.0.1", the pattern wants {"exactly":"10.0.0.1"}: is the same address, but )"
       R"(`exactly` compares characters)"},
      {R"([{"exactly":"10.0.0.1"}])", R"("10.0.0.2")",
       R"(a is "10.0.0.2", the pattern wants {"exactly":"10.0.0.1"})"},
  });
}

TEST(ExplainTest, AnythingButNamesTheValueThatItExcludes) {
  CheckValues({
      {R"([{"anything-but":["y","x"]}])", R"("y")",
       R"(a is "y", the pattern wants {"anything-but":["y","x"]}: "y" is one of the values, which )"
       R"(anything-but excludes)"},
      {R"([{"anything-but":["x","y"]}])", R"("y")",
       R"(a is "y", the pattern wants {"anything-but":["x","y"]}: "y" is one of the values, which )"
       R"(anything-but excludes)"},
      {R"([{"anything-but":[1,2]}])", "2.0",
       R"(a is 2.0, the pattern wants {"anything-but":[1,2]}: 2.0 is one of the values, which )"
       R"(anything-but excludes)"},
      {R"([{"anything-but":{"prefix":["x","te"]}}])", R"("test")",
       R"(a is "test", the pattern wants {"anything-but":{"prefix":["x","te"]}}: "test" begins with )"
       R"("te", which anything-but excludes)"},
      {R"([{"anything-but":{"suffix":"st"}}])", R"("test")",
       R"(a is "test", the pattern wants {"anything-but":{"suffix":"st"}}: "test" ends with "st", )"
       R"(which anything-but excludes)"},
      {R"([{"anything-but":{"equals-ignore-case":"test"}}])", R"("TEST")",
       R"(a is "TEST", the pattern wants {"anything-but":{"equals-ignore-case":"test"}}: "TEST" is, )"
       R"(ignoring case, "test", which anything-but excludes)"},
      {R"([{"anything-but":{"wildcard":"t*t"}}])", R"("test")",
       R"(a is "test", the pattern wants {"anything-but":{"wildcard":"t*t"}}: "test" matches "t*t", )"
       R"(which anything-but excludes)"},
  });
}

TEST(ExplainTest, AddressesOutsideOfTheBlockAndWhatIsNoAddress) {
  const std::string wants = R"(, the pattern wants {"cidr":"10.0.0.0/8"}: )";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"11.0.0.1", "is an address outside of the block"},
      {"a00::1", "is an IPv6 address, and the block is IPv4"},
      {"10.0.0.1:80", "is no IP address: it has a port"},
      {"10.0.0.0/24", "is no IP address: it is a block"},
      {"10.0.0.256", "is no IP address: it must have four groups from 0 to 255"},
      {"[::1]", "is no IP address: it has brackets"},
      {"fe80::1%eth0", "is no IP address: it has a zone"},
      {"::ffff:10.0.0.1", "is no IP address: its last groups must be in hex, not with dots"},
      {" 10.0.0.1", "has white space or invisible characters around the address"},
      {"localhost", "is no IP address"},
  };
  for (const auto& [address, clause] : cases) {
    EXPECT_EQ(Explain(R"({"a":[{"cidr":"10.0.0.0/8"}]})", "{\"a\":\"" + address + "\"}").sentence,
              "a is \"" + address + "\"" + wants + clause);
  }
}

// ---- Several values, several alternatives.

TEST(ExplainTest, OfManyPairsTheMostInstructiveIsNamed) {
  CheckValues({
      {R"(["paid"])", R"(["new","Paid"])",
       R"(a is "new", "Paid", the pattern wants "paid": "Paid" comes nearest to "paid", but differs )"
       R"(in case)"},
      {R"([{"numeric":["<",10]},{"numeric":[">",20]}])", "19",
       R"(a is 19, the pattern wants {"numeric":["<",10]} or {"numeric":[">",20]}: 19 comes nearest )"
       R"(to {"numeric":[">",20]}, but is out of range by 1)"},
      {R"([{"prefix":"order"},5])", R"(["ordinary","5"])",
       R"(a is "ordinary", "5", the pattern wants {"prefix":"order"} or 5: "5" comes nearest to 5, )"
       R"(but is a string, not a number)"},
      {R"(["a","b","c","d","e","f","g"])", R"("x")",
       R"(a is "x", the pattern wants "a", "b", "c", "d", "e" or one of 2 more)"},
  });
}

TEST(ExplainTest, WhereNoneIsAStringNoneComesNearest) {
  CheckValues({
      {R"([{"prefix":"n"},"x"])", "[1,null,true]",
       R"(a is 1, null, true, the pattern wants {"prefix":"n"} or "x": none of the values is a )"
       R"(string)"},
      {R"([{"prefix":"n"}])", R"([null,"m"])",
       R"(a is null, "m", the pattern wants {"prefix":"n"}: null comes nearest to {"prefix":"n"}, )"
       R"(but is null, not a string)"},
      {R"(["5",6])", "[5,7]",
       R"(a is 5, 7, the pattern wants "5" or 6: 5 comes nearest to "5", but is a number, not a )"
       R"(string)"},
  });
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

// ---- Paths.

TEST(ExplainTest, SimilarPathsAreNamed) {
  const auto state = [](std::string_view event, std::string_view clause) {
    EXPECT_EQ(Explain(R"({"detail":{"state":["x"]}})", event).sentence,
              R"(detail.state is absent, the pattern wants "x")" + std::string(clause))
        << event;
  };
  state(R"({"detail":{"State":"x"}})", ": `detail.State` exists, which differs in case");
  state(R"({"Detail":{"State":"x"}})", ": `Detail.State` exists, which differs in case");
  state(R"({"detail":{"state ":"x"}})",
        ": `detail.state ` exists, which differs in white space at the end");
  state(R"({"state":"x"})", ": `state` exists at the top level");
  state(R"({"detail":{"order":{"state":"x"}}})",
        ": `detail.order.state` exists, one level further down");
  state(R"({"event":{"detail":{"state":"x"}}})",
        ": `event.detail.state` exists, one level further down");
  state(R"({"detail":{"sate":"x"}})", ": did you mean `detail.sate`?");
  state(R"({"detail":{"tsate":"x"}})", ": did you mean `detail.tsate`?");
  state(R"({"details":{"state":"x"}})", ": did you mean `details.state`?");
  state(R"({"detail":"x"})", R"(: `detail` is "x", not an object)");
  state(R"({"detail":{"rate":"x"}})", "");           // two edits are too many for so short a name
  state(R"({"other":{"deep":{"state":"x"}}})", "");  // too far away
  state(R"({"detail":{"sate":{"x":1}}})", "");       // near, and no field
  CheckEvents({
      {R"({"a":{"b":{"c":[1]}}})", R"({"a":{"c":1}})",
       "a.b.c is absent, the pattern wants 1: `a.c` exists, one level further up"},
      {R"({"customer":["x"]})", R"({"costumer":"x"})",
       R"(customer is absent, the pattern wants "x": did you mean `costumer`?)"},
      {R"({"items":{"0":{"sku":["x"]}}})", R"({"items":[{"sku":"x"}]})",
       R"(items.0.sku is absent, the pattern wants "x": elements of an array have no number in a )"
       R"(path, write `items.sku`)"},
      {R"({"items[0]":{"sku":["x"]}})", R"({"items":[{"sku":"x"}]})",
       R"(items[0].sku is absent, the pattern wants "x": elements of an array have no number in a )"
       R"(path, write `items.sku`)"},
  });
}

// A sentence with an empty subject reads as if a word were missing.
TEST(ExplainTest, EmptyNamesAreQuotedAndNotGuessedAbout) {
  CheckEvents({
      {R"({"":{"":[1]}})", R"({".":1})", R"("" counts as absent, the pattern wants 1)"},
      {R"({"":[1]})", R"({"":2})", R"("" is 2, the pattern wants 1)"},
      {R"({"a":{"":[1]}})", R"({"a":1})", R"("a." is absent, the pattern wants 1)"},
      {R"({"b":{"a":[1]}})", R"({"":{"a":1}})", "b.a is absent, the pattern wants 1"},
  });
}

TEST(ExplainTest, JsonTextInAStringIsTold) {
  CheckEvents({
      {R"({"detail":{"state":["x"]}})", R"({"detail":"{\"state\":\"x\"}"})",
       R"(detail.state is absent, the pattern wants "x": `detail` is a string that holds JSON text, )"
       R"(not an object)"},
      {R"({"state":["x"]})", R"({"Type":"Notification","Message":"{\"state\":\"x\"}"})",
       R"(state is absent, the pattern wants "x": `Message` is a string that holds JSON text, with )"
       R"(`state` inside)"},
      {R"({"state":["x"]})", R"({"Message":"{state: x}"})",
       R"(state is absent, the pattern wants "x")"},
  });
}

TEST(ExplainTest, OnlyScalarsAreFields) {
  const std::string counts = R"(items counts as absent, the pattern wants {"exists":true}: )";
  const auto items = [&counts](std::string_view value, std::string_view clause) {
    EXPECT_EQ(Explain(R"({"items":[{"exists":true}]})", "{\"items\":" + std::string(value) + "}")
                  .sentence,
              counts + std::string(clause));
  };
  items("[]", "it is an empty array, and only the scalars inside of one are fields");
  items("{}", "it is an empty object, and only the scalars inside of one are fields");
  items("[{}]", "it is an array of empty objects, and only scalars are fields");
  items(R"({"id":1,"sku":2})",
        "it is an object, and only scalars are fields; inside of it: `items.id`, `items.sku`");
  items(R"([{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}])",
        "it is an array of objects, and only scalars are fields; inside of it: `items.a`, "
        "`items.b`, `items.c`, `items.d` and 2 more");
}

// ---- Arrays.

TEST(ExplainTest, FieldsInDifferentElementsAreSaidToBe) {
  const Explanation why = Explain(R"({"items":{"sku":["x"],"count":[{"numeric":[">",1]}]}})",
                                  R"({"items":[{"sku":"x","count":1},{"sku":"y","count":2}]})");
  EXPECT_EQ(why.near_miss, "the two fields are in different elements of `items`");
  EXPECT_EQ(
      why.sentence,
      R"(items.count is 2 and items.sku is "x", but the two fields are in different elements )"
      R"(of `items`)");
  EXPECT_EQ(why.path, "items.sku");
  CheckEvents({
      {R"({"d":{"e":{"m":[1]},"f":{"k":[2]}}})",
       R"({"d":[{"e":[{"m":1}],"f":[{"k":9}]},{"e":[{"m":9}],"f":[{"k":2}]}]})",
       "d.e.m is 1 and d.f.k is 2, but the two fields are in different elements of `d`"},
      {R"({"d":{"e":{"a":[1],"b":[2]}}})", R"({"d":[{"e":[{"a":1},{"b":2}]}]})",
       "d.e.a is 1 and d.e.b is 2, but the two fields are in different elements of `d.e`"},
      {R"({"d":{"a":[1],"b":[{"exists":false}]}})", R"({"d":[{"a":1,"b":2}]})",
       "d.a is 1 and d.b is 2, but `d.b` must be absent beside `d.a`, and is there"},
  });
}

// ---- $or.

// Of several alternatives the one with the fewest failing conditions.
TEST(ExplainTest, TheNearestAlternativeSpeaks) {
  CheckEvents({
      {R"({"$or":[{"a":[1],"b":[1]},{"c":[1],"d":["X"]}]})", R"({"c":1,"d":"x"})",
       R"(d is "x", the pattern wants "X": differs in case (1 other alternative of $or fails, too))"},
      {R"({"$or":[{"a":[1]},{"b":[1]},{"c":[1]}]})", R"({"a":2})",
       "a is 2, the pattern wants 1 (2 other alternatives of $or fail, too)"},
  });
}

// ---- Attributes.

TEST(ExplainTest, AttributesThatPoliciesDoNotSee) {
  const auto explain = [](std::string_view policy, const Attributes& attributes) {
    const EventPattern pattern =
        EventPattern::Parse(policy, PatternLanguage::kSnsMessageAttributes).value();
    const Explanation why = pattern.Explain(attributes);
    EXPECT_EQ(why.matched, pattern.Matches(attributes));
    return why.sentence;
  };
  EXPECT_EQ(
      explain(R"({"logo":[{"exists":true}]})", {{"logo", AttributeValue::Binary("\x89PNG")}}),
      R"(logo counts as absent, the pattern wants {"exists":true}: the attribute is ignored: )"
      R"(filter policies see the types String, Number and String.Array)");
  EXPECT_EQ(
      explain(R"({"tags":["a"]})", {{"tags", AttributeValue::StringArray("a,b")}}),
      R"(tags counts as absent, the pattern wants "a": the attribute is ignored: its type is )"
      R"(String.Array and its text is no JSON array)");
  EXPECT_EQ(explain(R"({"price":[{"numeric":[">",1]}]})", {{"price", "7"}}),
            R"(price is "7", the pattern wants {"numeric":[">",1]}: is a string, not a number)");
  EXPECT_EQ(explain(R"({"Tenant":["a"]})", {{"tenant", "a"}}),
            R"(Tenant is absent, the pattern wants "a": `tenant` exists, which differs in case)");
  EXPECT_EQ(explain(R"({"a":["x"]})", {}),
            "the message has no attributes, and such a message matches no filter policy");
  // Bytes that are no UTF-8 come out as such.
  EXPECT_EQ(explain(R"({"a":["x"]})", {{"a", "\xff\xc3"}}),
            "a is \"\uFFFD\uFFFD\", the pattern wants \"x\"");
}

// ---- Hostile input: a sentence of a bounded length, in no time.

TEST(ExplainTest, HugeTextsAreCutAndNotComparedForever) {
  const std::string megabyte(1 << 20, 'a');
  const std::string event = "{\"a\":\"" + megabyte + "\",\"" + megabyte + "\":1}";
  for (const char* wanted :
       {R"("A")", R"({"prefix":"aaaab"})", R"({"suffix":"baaa"})", R"({"wildcard":"*aab*aab*"})",
        R"({"equals-ignore-case":"b"})", R"({"prefix":{"equals-ignore-case":"AB"}})",
        R"({"cidr":"10.0.0.0/8"})", R"({"numeric":[">",1]})", "1", "true", "null",
        R"({"exists":false})", R"({"anything-but":{"prefix":"a"}})"}) {
    const Explanation why = Explain("{\"a\":[" + std::string(wanted) + "]}", event);
    EXPECT_FALSE(why.matched) << wanted;
    EXPECT_LT(why.sentence.size(), 1'000u) << wanted;
  }
  EXPECT_LT(Explain(R"({"aaaaaa":[1]})", event).sentence.size(), 1'000u);
  EXPECT_LT(Explain(R"({"x":{"y":[1]}})", "{\"x\":\"{" + megabyte + "\"}").sentence.size(), 1'000u);
  const std::string digits(1 << 20, '7');
  EXPECT_LT(Explain(R"({"a":[{"numeric":[">",1]}]})", "{\"a\":" + digits + "}").sentence.size(),
            1'000u);
}

TEST(ExplainTest, ManyValuesAndManyNamesStayCheap) {
  std::string values = "[\"v\"", alternatives = "[\"V0\"", names = "{\"n\":0";
  for (int i = 1; i < 100'000; ++i) {
    values += ",\"v" + std::to_string(i) + "\"";
    names += ",\"state" + std::to_string(i) + "\":{\"state\":" + std::to_string(i) + "}";
  }
  for (int i = 1; i < 400; ++i) alternatives += ",\"x" + std::to_string(i) + "\"";
  EXPECT_FALSE(Explain("{\"a\":" + alternatives + "]}", "{\"a\":" + values + "]}").matched);
  EXPECT_FALSE(Explain(R"({"state":{"x":[1]}})", names + "}").matched);
  EXPECT_FALSE(Explain(R"({"a":{"b":{"c":{"d":{"e":["x"]}}}}})", names + "}").matched);
}

TEST(ExplainTest, DeepEventsAndDeepPatterns) {
  const auto nested = [](int depth, std::string_view leaf, std::string_view siblings) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "{" + std::string(siblings) + "\"a\":";
    return text + std::string(leaf) + std::string(static_cast<size_t>(depth), '}');
  };
  const std::string event = nested(990, "{\"b\":1}", R"("b":[{"b":1},2],)");
  for (const int depth : {1, 400, 600}) {
    const Explanation why = Explain(nested(depth, R"({"c":["x"]})", ""), event);
    EXPECT_FALSE(why.matched);
    EXPECT_LT(why.sentence.size(), 2'000u);
  }
  EXPECT_THAT(Explain(nested(400, R"(["x"])", ""), event).sentence, HasSubstr("counts as absent"));
}

TEST(ExplainTest, ControlCharactersInNamesAreEscaped) {
  EXPECT_EQ(
      Explain(R"({"a\n\u0000":["x"]})", R"({"A\n\u0000":"x"})").sentence,
      R"(a\n\u0000 is absent, the pattern wants "x": `A\n\u0000` exists, which differs in case)");
}

// Pieces that make every kind of near miss likely.
TEST(ExplainTest, AgreesWithMatchesOnAnything) {
  std::mt19937_64 random = SeededRandom();
  const std::vector<std::string> keys = {"a",   "A", "state", "State", "sate",
                                         "a.b", "0", "x[0]",  "x"};
  const std::vector<std::string> wishes = {R"("x")",
                                           R"("X")",
                                           "5",
                                           "true",
                                           "null",
                                           R"({"prefix":"x"})",
                                           R"({"suffix":"X "})",
                                           R"({"wildcard":"x*y"})",
                                           R"({"exists":false})",
                                           R"({"anything-but":["x","5"]})",
                                           R"({"numeric":[">",4,"<=",5]})",
                                           R"({"cidr":"10.0.0.0/8"})",
                                           R"({"equals-ignore-case":"é"})"};
  const std::vector<std::string> values = {R"("x")",
                                           R"("X ")",
                                           R"("5")",
                                           "5",
                                           "5.5",
                                           "1e999",
                                           "true",
                                           "null",
                                           R"("10.0.0.1")",
                                           R"("\ud800")",
                                           R"("\u200b")",
                                           "[]",
                                           "{}",
                                           R"([{"a":1},{"state":"x"}])",
                                           R"("{\"a\":\"x\"}")",
                                           R"({"a":"x","state":{"a":5}})",
                                           R"(["x","X",[{"a":null}]])",
                                           R"("É")"};
  const auto pick = [&random](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string pattern = "{", event = "{";
    for (uint64_t i = 0, count = 1 + random() % 3; i < count; ++i) {
      const std::string leaf =
          "[" + pick(wishes) + (random() % 2 == 0 ? "," + pick(wishes) : "") + "]";
      pattern += (i > 0 ? ",\"" : "\"") + pick(keys) + "\":";
      pattern += random() % 2 == 0 ? leaf : "{\"" + pick(keys) + "\":" + leaf + "}";
    }
    for (uint64_t i = 0, count = random() % 4; i < count; ++i) {
      event += (i > 0 ? ",\"" : "\"") + pick(keys) + "\":" + pick(values);
    }
    const Explanation why = Explain(pattern + "}", event + "}");
    ASSERT_FALSE(why.sentence.empty()) << pattern << "\n" << event;
  }
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
