// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 1 and 4: Input, InputPath and InputTransformer. The table of recorded cases,
// what follows from it for cases that were not recorded, and templates made together with what they
// should give.
#include "deliver/target_input.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "banyan/error.h"
#include "banyan/testing/simulated_runtime.h"
#include "base/json.h"
#include "deliver_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Paths = std::map<std::string, std::string>;

const RuleNames kRule = {"arn:aws:events:us-east-1:000000000000:rule/shop/big", "big"};

constexpr char kInputEvent[] =
    R"({"version":"0","id":"17793124-0505-4600-8a4b-1234567890ab","detail-type":"core.update",)"
    R"("source":"core","account":"000000000000","time":"2020-02-03T04:05:06Z","region":"us-east-1",)"
    R"("resources":["r0","r1"],"detail":{"u":"X","quoted":"say \"hi\"\n\\ \u00e9","n":1.50e2,)"
    R"("yes":true,"no":false,"nil":null,"zero":0,"none":"","empty":[],"void":{},)"
    R"("list":["ACTIVE","INACTIVE"],"numbers":[1,2],)"
    R"("o":{"acc_id":"0a78","sf_id":"baz"},"deep":{"a":[{"k":"v \"w\""}]}}})";

const Paths& kPaths = *new Paths{{"u", "$.detail.u"},
                                 {"quoted", "$.detail.quoted"},
                                 {"n", "$.detail.n"},
                                 {"yes", "$.detail.yes"},
                                 {"no", "$.detail.no"},
                                 {"nil", "$.detail.nil"},
                                 {"zero", "$.detail.zero"},
                                 {"none", "$.detail.none"},
                                 {"empty", "$.detail.empty"},
                                 {"void", "$.detail.void"},
                                 {"list", "$.detail.list"},
                                 {"numbers", "$.detail.numbers"},
                                 {"o", "$.detail.o"},
                                 {"deep", "$.detail.deep"},
                                 {"a", "$.detail.notinmessage"},
                                 {"type", "$.detail-type"},
                                 {"first", "$.resources[0]"},
                                 {"third", "$.resources[2]"},
                                 {"under", "$.detail.u.too"},
                                 {"whole", "$"}};

Target Transformed(std::string input_template, Paths paths = kPaths) {
  return Target(Queue()).InputTransformer(std::move(paths), std::move(input_template));
}

absl::StatusOr<std::shared_ptr<const TargetInput>> Compile(const Target& target) {
  return TargetInput::Compile(target, "t", 1, Limits::Aws());
}

std::string Error(const Target& target) {
  const absl::Status status = Compile(target).status();
  if (status.ok()) return "OK";
  const AwsErrorRow* row = FindAwsError(status);
  return std::string(row == nullptr ? "?" : row->code) + ": " + std::string(status.message());
}

class TargetInputTest : public ::testing::Test {
 protected:
  // What is delivered, or "(nothing)".
  std::string Render(const Target& target, std::string_view event = kInputEvent) {
    const auto input = Compile(target);
    EXPECT_TRUE(input.ok()) << input.status();
    if (!input.ok()) return "(refused)";
    const Message message({.accepted = runtime_.Read(), .body = event});
    return (*input)->Render(message, kRule).value_or("(nothing)");
  }
  std::string Fill(std::string input_template) { return Render(Transformed(input_template)); }

  testing::SimulatedRuntime runtime_;  // it is 2026-01-01T00:00:00Z
};

// --- The recorded table ---------------------------------------------------------------------------

TEST_F(TargetInputTest, TheRecordedTable) {
  const struct {
    const char* input_template;
    const char* delivered;
  } kRows[] = {
      {R"("text <u> ...")", R"("text X ...")"},
      {R"("{[/Check with special characters of <type> type")",
       R"("{[/Check with special characters of core.update type")"},
      {"\"Payload of <o>\"\n\"and <u>\"", "\"Payload of {acc_id:0a78,sf_id:baz}\"\n\"and X\""},
      {R"("detail <a>")", R"("detail ")"},
      {R"({"c": <a>})", R"({"c":""})"},
      {R"({"id": <u>})", R"({"id":"X"})"},
      {R"({"id": "<u>"})", R"({"id":"X"})"},
      {R"({"path": "users/<u>"})", R"({"path":"users/X"})"},
      {R"({"c":"<a>"})", R"({"c":""})"},
      {R"({"body": <o>, "l": <list>})",
       R"({"body":{"acc_id":"0a78","sf_id":"baz"},"l":["ACTIVE","INACTIVE"]})"},
      {R"({"mixed": [<u>, "hardcoded"]})", R"({"mixed":["X","hardcoded"]})"},
      {R"("is <o>")", R"("is {acc_id:0a78,sf_id:baz}")"},
      {R"("are <list>")", R"("are [ACTIVE,INACTIVE]")"},
      {R"("is it <yes>")", R"("is it true")"},
      {R"({"x":"<list>"})", "(nothing)"},
      {R"({"x":"users/<o>", "bod": <o>})", "(nothing)"},
      {R"(<list> single)", "(nothing)"},
      {R"({"twice": "users/<u>/second/<u>"})", R"({"twice":"users/X/second/X"})"},
      {R"("rule <aws.events.rule-arn> is <aws.events.rule-name>")",
       R"("rule arn:aws:events:us-east-1:000000000000:rule/shop/big is big")"},
      {R"("at <aws.events.event.ingestion-time>")", R"("at 2026-01-01T00:00:00Z")"},
      {R"({"t": <aws.events.event.ingestion-time>})", R"({"t":"2026-01-01T00:00:00Z"})"},
  };
  for (const auto& row : kRows) EXPECT_EQ(Fill(row.input_template), row.delivered);
}

TEST_F(TargetInputTest, TheWholeEventAndTheOneWithoutDetail) {
  EXPECT_EQ(Fill(R"({"e": <aws.events.event.json>})"), std::string("{\"e\":") + kInputEvent + "}");
  EXPECT_EQ(Fill(R"({"e": <aws.events.event>})"),
            R"({"e":{"version":"0","id":"17793124-0505-4600-8a4b-1234567890ab",)"
            R"("detailType":"core.update","source":"core","account":"000000000000",)"
            R"("time":"2020-02-03T04:05:06Z","region":"us-east-1","resources":["r0","r1"]}})");
  // Between quotes they are objects as any other.
  EXPECT_EQ(Fill(R"({"e": "<aws.events.event>"})"), "(nothing)");
  EXPECT_THAT(Fill(R"("<aws.events.event>")"), StartsWith("\"{version:0,id:17793124-"));
}

TEST_F(TargetInputTest, ThePredefinedVariablesNeedNoMap) {
  EXPECT_EQ(Render(Transformed("\"<aws.events.rule-name>\"", {})), "\"big\"");
}

// --- What follows from it -------------------------------------------------------------------------

// Only a path that finds nothing is an empty string.
TEST_F(TargetInputTest, FalsyValuesAreValues) {
  EXPECT_EQ(Fill("[<zero>,<no>,<nil>,<empty>,<void>,<none>,<a>]"), R"([0,false,null,[],{},"",""])");
  EXPECT_EQ(Fill(R"("<zero> <no> <nil> <empty> <void> <none>.<a>.")"),
            R"("0 false null [] {} ..")");
  EXPECT_EQ(Fill(R"({"x":"<zero> <no> <nil>"})"), R"({"x":"0 false null"})");
}

TEST_F(TargetInputTest, NumbersKeepTheirText) {
  EXPECT_EQ(Fill(R"([<n>,"<n>"])"), R"([1.50e2,"1.50e2"])");
  EXPECT_EQ(Fill(R"("<n>")"), R"("1.50e2")");
}

TEST_F(TargetInputTest, StringsStayEscaped) {
  EXPECT_EQ(Fill(R"("<quoted>")"), R"("say \"hi\"\n\\ \u00e9")");
  EXPECT_EQ(Fill(R"({"s":<quoted>,"t":"<quoted>!"})"),
            R"({"s":"say \"hi\"\n\\ \u00e9","t":"say \"hi\"\n\\ \u00e9!"})");
  EXPECT_EQ(Fill(R"("<deep>")"), R"("{a:[{k:v \"w\"}]}")");
}

TEST_F(TargetInputTest, AnEscapedQuoteInTheTemplateEndsNoString) {
  EXPECT_EQ(Fill(R"({"s": "<u> is \"<u>\""})"), R"({"s":"X is \"X\""})");
  EXPECT_EQ(Fill(R"("<u> is \"<o>\"")"), R"("X is \"{acc_id:0a78,sf_id:baz}\"")");
  EXPECT_EQ(Fill(R"({"s":"\\","t":<u>})"), R"({"s":"\\","t":"X"})");
}

// What decides is whether the result is JSON.
TEST_F(TargetInputTest, BetweenQuotesOfAJsonTemplateValuesWithoutQuotesPass) {
  EXPECT_EQ(Fill(R"({"x":"<numbers> <empty> <void> <yes>"})"), R"({"x":"[1,2] [] {} true"})");
}

TEST_F(TargetInputTest, AnyJsonIsATemplate) {
  EXPECT_EQ(Fill("<o>"), R"({"acc_id":"0a78","sf_id":"baz"})");
  EXPECT_EQ(Fill("<u>"), "\"X\"");
  EXPECT_EQ(Fill(" 17 "), "17");
  EXPECT_EQ(Fill("{ \"k\" :\n [ 1 , 2 ] }"), R"({"k":[1,2]})");
  EXPECT_EQ(Fill(R"({"<u>": 1})"), R"({"X":1})");
  EXPECT_EQ(Fill("[<first>,<third>,<under>]"), R"(["r0","",""])");
}

TEST_F(TargetInputTest, WhatIsNoJsonIsNotDelivered) {
  for (const char* bad :
       {"text <u>", "<u> <u>", "{<u>}", "\"open <u>", "{\"a\":1} {\"b\":2}", "\"a\" 1",
        "\"a\", \"b\"", "'<u>'", "[<u>", " ", "\"\x01\"", "\"\xFF\""}) {
    EXPECT_EQ(Fill(bad), "(nothing)") << bad;
  }
}

TEST_F(TargetInputTest, StringsKeepTheWhiteSpaceAroundThem) {
  EXPECT_EQ(Fill(" \"a\"\n\n\t\"<u>\"\"c\" "), " \"a\"\n\n\t\"X\"\"c\" ");
}

TEST_F(TargetInputTest, AngleBracketsAroundNoNameAreText) {
  EXPECT_EQ(Fill(R"("1 < 2 and 3 > 2, <>, <a b>, <<u>>, <u")"),
            R"("1 < 2 and 3 > 2, <>, <a b>, <X>, <u")");
}

TEST_F(TargetInputTest, AnEventThatHasAMemberTwiceGivesTheFirst) {
  EXPECT_EQ(Render(Transformed("[<x>,<y>]", {{"x", "$.a"}, {"y", "$.a.b"}}),
                   R"({"a":{"b":1},"a":{"b":2}})"),
            R"([{"b":1},1])");
}

// --- Input and InputPath --------------------------------------------------------------------------

TEST_F(TargetInputTest, AConstantIsDeliveredAsItWasGiven) {
  EXPECT_EQ(Render(Target(Queue()).Input(R"({ "a" : 1 })")), R"({ "a" : 1 })");
  EXPECT_EQ(Render(Target(Queue()).Input("\"<u>\"")), "\"<u>\"");
  EXPECT_EQ(*(*Compile(Target(Queue()).Input("17")))->constant(), "17");
}

TEST_F(TargetInputTest, APathGivesItsValueAsJson) {
  const auto at = [this](const char* path) { return Render(Target(Queue()).InputPath(path)); };
  EXPECT_EQ(at("$.detail.o"), R"({"acc_id":"0a78","sf_id":"baz"})");
  EXPECT_EQ(at("$.detail.o.sf_id"), "\"baz\"");
  EXPECT_EQ(at("$.detail['o'].sf_id"), "\"baz\"");
  EXPECT_EQ(at("$.resources[1]"), "\"r1\"");
  EXPECT_EQ(at("$.detail.n"), "1.50e2");
  EXPECT_EQ(at("$.detail.nil"), "null");
  EXPECT_EQ(at("$.detail.notinmessage"), "\"\"");
  EXPECT_EQ(at("$"), kInputEvent);
}

TEST_F(TargetInputTest, WithoutAnyTheEventStaysAsItIs) {
  EXPECT_EQ(Compile(Target(Queue())).value(), nullptr);
}

// --- What is refused ------------------------------------------------------------------------------

TEST_F(TargetInputTest, OnlyOneOfTheThree) {
  const std::string text =
      "ValidationException: Only one of Input, InputPath, or InputTransformer must be provided for "
      "target t.";
  EXPECT_EQ(Error(Transformed("\"x\"").InputPath("$.detail")), text);
  EXPECT_EQ(Error(Transformed("\"x\"").Input("1")), text);
  EXPECT_EQ(Error(Target(Queue()).Input("1").InputPath("$")), text);
}

TEST_F(TargetInputTest, APlaceholderHasToBeInTheMap) {
  EXPECT_EQ(Error(Transformed(R"("type <type>, not defined <notdefinedkey>")")),
            "ValidationException: InputTemplate for target t contains invalid placeholder "
            "notdefinedkey.");
  EXPECT_THAT(Error(Transformed("<aws.events.nothing>")),
              HasSubstr("invalid placeholder aws.events.nothing."));
  EXPECT_THAT(Error(Transformed("{<u>: <U>}")), HasSubstr("invalid placeholder U."));
}

TEST_F(TargetInputTest, LengthsAreBounded) {
  const std::string most(8'190, 'x');
  EXPECT_EQ(Error(Transformed("\"" + most + "\"")), "OK");
  EXPECT_THAT(Error(Transformed("\"" + most + "x\"")),
              HasSubstr("at 'targets.1.member.inputTransformer.inputTemplate' failed to satisfy "
                        "constraint: Member must have length less than or equal to 8192"));
  EXPECT_THAT(Error(Transformed("")), HasSubstr("greater than or equal to 1"));
  EXPECT_EQ(Error(Target(Queue()).Input("\"" + most + "\"")), "OK");
  EXPECT_THAT(Error(Target(Queue()).Input("\"" + most + "x\"")),
              HasSubstr("at 'targets.1.member.input' failed"));
  // Characters count, not bytes.
  std::string euros = "\"";
  for (int i = 0; i < 8'190; ++i) euros += "\xE2\x82\xAC";
  EXPECT_EQ(Error(Target(Queue()).Input(euros + "\"")), "OK");

  const std::string long_path = "$." + std::string(254, 'p');
  EXPECT_EQ(Error(Target(Queue()).InputPath(long_path)), "OK");
  EXPECT_THAT(Error(Target(Queue()).InputPath(long_path + "p")), HasSubstr("inputPath' failed"));
  EXPECT_EQ(Error(Transformed("\"\"", {{"k", long_path}})), "OK");
  EXPECT_THAT(Error(Transformed("\"\"", {{"k", long_path + "p"}})),
              HasSubstr("less than or equal to 256"));

  Paths paths;
  for (int i = 0; i < 100; ++i) paths["k" + std::to_string(i)] = "$.detail";
  EXPECT_EQ(Error(Transformed("\"\"", paths)), "OK");
  paths["one-more"] = "$.detail";
  EXPECT_THAT(Error(Transformed("\"\"", paths)), HasSubstr("has 101 paths; at most 100"));
}

TEST_F(TargetInputTest, KeysAreLettersDigitsHyphensAndUnderscores) {
  EXPECT_EQ(Error(Transformed("\"\"", {{std::string(256, 'k'), "$"}, {"a-B_9", "$"}})), "OK");
  for (const std::string& bad :
       {std::string(), std::string(257, 'k'), std::string("a.b"), std::string("a b")}) {
    EXPECT_THAT(Error(Transformed("\"\"", {{bad, "$"}})),
                HasSubstr("of InputPathsMap is not 1 to"));
  }
  EXPECT_THAT(Error(Transformed("\"\"", {{"AWSome", "$"}})), HasSubstr("which is reserved"));
  EXPECT_EQ(Error(Transformed("\"\"", {{"awsome", "$"}})), "OK");
}

TEST_F(TargetInputTest, PathsAreStraight) {
  for (const char* bad : {"detail", "$.", "$..x", "$.detail.*", "$.resources[*]", "$.a[1:2]"}) {
    EXPECT_THAT(Error(Target(Queue()).InputPath(bad)), HasSubstr("is not a path like")) << bad;
    EXPECT_THAT(Error(Transformed("\"\"", {{"k", bad}})), HasSubstr("is not a path like")) << bad;
  }
  EXPECT_THAT(Error(Transformed("\"\"", {{"k", "$.detail['x']"}})),
              HasSubstr("is not in dot notation"));
}

TEST_F(TargetInputTest, AConstantIsJson) {
  for (const char* bad : {"text", "{\"a\":}", "1 2", " "}) {
    EXPECT_THAT(Error(Target(Queue()).Input(bad)), HasSubstr("Input is not JSON: ")) << bad;
  }
}

// --- As a courier uses it -------------------------------------------------------------------------

class TargetFormTest : public TargetInputTest {
 protected:
  Delivery Formed(const Target& target, std::string group) {
    const auto form = MakeTargetForm(Compile(target).value(), std::move(group), kRule);
    Delivery delivery = {.message =
                             MakeMessage({.accepted = runtime_.Read(), .body = kInputEvent})};
    EXPECT_TRUE(form(delivery).ok());
    return delivery;
  }
};

TEST_F(TargetFormTest, NothingToDoIsNoForm) {
  EXPECT_EQ(MakeTargetForm(nullptr, "", kRule), nullptr);
}

TEST_F(TargetFormTest, AGroupAloneSharesTheBody) {
  const Delivery delivery = Formed(Target(Queue()), "g");
  EXPECT_EQ(delivery.GroupId(), "g");
  EXPECT_TRUE(delivery.Body().SharesBlockWith(delivery.message->body));
  EXPECT_EQ(delivery.PresentedBytes(), sizeof(kInputEvent) - 1);
}

TEST_F(TargetFormTest, ARenderedBodyIsMadeOnceAndKeepsTheGroup) {
  const Delivery delivery = Formed(Transformed("\"hello <u>\""), "g");
  EXPECT_EQ(delivery.Body().view(), "\"hello X\"");
  EXPECT_TRUE(delivery.Body().SharesBlockWith(delivery.Body()));
  EXPECT_EQ(delivery.PresentedBytes(), 9u);
  EXPECT_EQ(delivery.GroupId(), "g");
  EXPECT_EQ(delivery.message->body.view(), kInputEvent) << "for the dead-letter queue";
}

TEST_F(TargetFormTest, AConstantIsTheSameBlockForEveryEvent) {
  const auto form =
      MakeTargetForm(Compile(Target(Queue()).Input("[1]")).value(), std::string(), kRule);
  Delivery a = {.message = MakeMessage({.body = "{}"})},
           b = {.message = MakeMessage({.body = "1"})};
  ASSERT_TRUE(form(a).ok());
  ASSERT_TRUE(form(b).ok());
  EXPECT_TRUE(a.Body().SharesBlockWith(b.Body()));
}

// --- Templates made together with what they should give ------------------------------------------

// Writes an event, a template and the expected result side by side, piece by piece, so that the
// expectation comes from no parser at all.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 8; ++i) values_.push_back(MakeValue(2));
  }

  std::string Event() const {
    std::string event = "{\"detail\":{";
    for (size_t i = 0; i < values_.size(); ++i) {
      event += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + values_[i].json;
    }
    return event + "}}";
  }
  Paths AllPaths() const {
    Paths paths;
    // Two more than the event has.
    for (size_t i = 0; i < values_.size() + 2; ++i) {
      paths["k" + std::to_string(i)] = "$.detail.k" + std::to_string(i);
    }
    return paths;
  }

  // A template of strings.
  void WriteStrings() {
    for (int lines = Draw(3) + 1; lines > 0; --lines) {
      Both("\"");
      for (int pieces = Draw(4); pieces > 0; --pieces) {
        WriteText();
        const size_t i = Place();
        given_ += "<k" + std::to_string(i) + ">";
        expected_ += i < values_.size() ? values_[i].text : "";
      }
      Both("\"");
      if (lines > 1) Both("\n");
    }
  }

  // A template of JSON; false if the result is not.
  bool WriteJson(int depth = 2) {
    bool good = true;
    const int kind = Draw(depth == 0 ? 2 : 4);
    if (kind == 0) {  // a bare placeholder
      const size_t i = Place();
      given_ += "<k" + std::to_string(i) + ">";
      expected_ += i < values_.size() ? values_[i].json : "\"\"";
    } else if (kind == 1) {  // a string
      Both("\"");
      WriteText();
      for (int pieces = Draw(3); pieces > 0; --pieces) {
        const size_t i = Place();
        given_ += "<k" + std::to_string(i) + ">";
        if (i < values_.size()) {
          expected_ += values_[i].is_string ? values_[i].text : values_[i].json;
          good = good && !values_[i].has_quotes;
        }
        WriteText();
      }
      Both("\"");
    } else {
      Both(kind == 2 ? "[" : "{");
      const int members = Draw(4);
      for (int m = 0; m < members; ++m) {
        if (m > 0) Both(",");
        given_ += m % 2 == 0 ? " " : "\n";
        if (kind == 3) {
          Both("\"m" + std::to_string(m) + "\":");
          given_ += "  ";
        }
        good = WriteJson(depth - 1) && good;
      }
      Both(kind == 2 ? "]" : "}");
    }
    return good;
  }

  const std::string& given() const { return given_; }
  const std::string& expected() const { return expected_; }

 private:
  struct Value {
    std::string json;
    std::string text;  // in a template of strings
    bool is_string = false;
    bool has_quotes = false;  // and is an object or array
  };

  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  size_t Place() { return static_cast<size_t>(Draw(static_cast<int>(values_.size()) + 2)); }
  void Both(const std::string& text) {
    given_ += text;
    expected_ += text;
  }
  void WriteText() {
    static const char* const kTexts[] = {"", " ", "x", "a<b", "{[", "\\\"", "\\\\", "\\u00e9", ">"};
    Both(kTexts[Draw(9)]);
  }

  Value MakeValue(int depth) {
    static const char* const kScalars[] = {"0", "-1.50", "1e400", "true", "false", "null"};
    static const char* const kStrings[] = {"",     "plain", "sp ace",         "\\\"q\\\"",
                                           "\\\\", "a\\nb", "\\ud83d\\ude00", "[x],{y}:"};
    const int kind = Draw(depth == 0 ? 2 : 4);
    if (kind == 0) {
      const std::string scalar = kScalars[Draw(6)];
      return {scalar, scalar};
    }
    if (kind == 1) {
      const std::string text = kStrings[Draw(8)];
      return {"\"" + text + "\"", text, true};
    }
    Value made = {kind == 2 ? "[" : "{", kind == 2 ? "[" : "{"};
    const int members = Draw(3);
    for (int m = 0; m < members; ++m) {
      const Value member = MakeValue(depth - 1);
      const std::string comma = m > 0 ? "," : "";
      const std::string name = kind == 3 ? "n" + std::to_string(m) : "";
      made.json += comma + (kind == 3 ? "\"" + name + "\":" : "") + member.json;
      made.text += comma + (kind == 3 ? name + ":" : "") + member.text;
      made.has_quotes = made.has_quotes || kind == 3 || member.is_string || member.has_quotes;
    }
    made.json += kind == 2 ? "]" : "}";
    made.text += kind == 2 ? "]" : "}";
    return made;
  }

  std::mt19937_64 random_;
  std::vector<Value> values_;
  std::string given_, expected_;
};

TEST_F(TargetInputTest, TemplatesGiveWhatTheyWereWrittenToGive) {
  int delivered = 0, undelivered = 0;
  for (uint64_t seed = 1; seed <= 4'000; ++seed) {
    Writer writer(seed);
    const bool strings = seed % 2 == 0;
    bool good = true;
    if (strings) {
      writer.WriteStrings();
    } else {
      good = writer.WriteJson();
    }
    // A JSON template that is one string is a template of strings.
    if (!strings && writer.given().front() == '"') continue;
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + writer.given());
    const std::string got = Render(Transformed(writer.given(), writer.AllPaths()), writer.Event());
    if (good) {
      EXPECT_EQ(got, writer.expected());
      ++delivered;
    } else {
      // A string that ends early may, rarely, still leave JSON behind; what is delivered is JSON.
      std::string compact;
      if (got != "(nothing)") {
        EXPECT_TRUE(CompactJson(got, &compact));
      } else {
        ++undelivered;
      }
    }
  }
  EXPECT_GT(delivered, 2'000);
  EXPECT_GT(undelivered, 50);
}

}  // namespace
}  // namespace banyan::internal
