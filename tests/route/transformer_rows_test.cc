// SPDX-License-Identifier: Apache-2.0
//
// The table of recorded InputTransformer cases (spec/buses.md 4), row by row, by the numbers in
// tests/data/bus_rows.md, through the public API alone; B-9 is an InputPath, which is near to it.
// What follows from the table for cases that were not recorded is in deliver/target_input_test.cc.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shared_testing.h"

namespace banyan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kEveryEvent[] = R"({"source":["shop"]})";

class TransformerRows : public ::testing::Test {
 protected:
  absl::StatusOr<Rule> PutRule(Target target) {
    return bus_.PutRule(
        "r", {.pattern = kEveryEvent, .targets = {std::move(target.Id("t").DeadLetter(dead_))}});
  }
  Rule Transform(std::map<std::string, std::string> paths, std::string input_template) {
    return PutRule(Target(queue_).InputTransformer(std::move(paths), std::move(input_template)))
        .value();
  }
  Id Put(std::string detail = "{}") {
    return bus_.Put({.source = "shop", .detail_type = "Order", .detail = std::move(detail)})
        .value();
  }
  // What is delivered of an event with this detail.
  std::string Transformed(std::map<std::string, std::string> paths, std::string input_template,
                          std::string detail) {
    Transform(std::move(paths), std::move(input_template));
    Put(std::move(detail));
    EXPECT_THAT(DrainBodies(dead_), IsEmpty());
    const std::vector<std::string> bodies = DrainBodies(queue_);
    return bodies.size() == 1 ? bodies[0] : "(" + std::to_string(bodies.size()) + " messages)";
  }
  // Of the one target.
  static DeliveryStats Books(const Rule& rule) { return rule.Stats().targets.at(0).delivery; }

  testing::SimulatedRuntime runtime_;  // it is 2026-01-01T00:00:00Z
  Broker broker_ = Broker::Create(runtime_, {}).value();
  EventBus bus_ = broker_.CreateEventBus("shop").value();
  Queue queue_ = broker_.CreateQueue("q").value();
  Queue dead_ = broker_.CreateQueue("dead").value();
};

TEST_F(TransformerRows, B9_AStringAtAnInputPathIsDeliveredInQuotes) {
  ASSERT_THAT(PutRule(Target(queue_).InputPath("$.detail.payload.sf_id")), testing::IsOk());
  Put(R"({"payload":{"acc_id":"0a787ecb-4015","sf_id":"baz"}})");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("\"baz\""));
}

TEST_F(TransformerRows, B10_AnAbsentPathBareInJsonIsAnEmptyString) {
  Transform({{"a", "$.detail.notinmessage"}}, R"({"c": <a>})");
  Put();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(R"({"c":""})"));
}

TEST_F(TransformerRows, B11_AnObjectInAStringTemplateLosesItsQuotes) {
  Transform({{"o", "$.detail"}}, R"("Payload of <o>")");
  Put(R"({"acc_id":"0a78","sf_id":"baz"})");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(R"("Payload of {acc_id:0a78,sf_id:baz}")"));
}

TEST_F(TransformerRows, B12_AnArrayInAStringTemplateLosesItsQuotes) {
  Transform({{"list", "$.detail.list"}}, R"("all of <list>")");
  Put(R"({"list":["ACTIVE","INACTIVE"]})");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre(R"("all of [ACTIVE,INACTIVE]")"));
}

TEST_F(TransformerRows, B13_AnArrayOrObjectInsideQuotesOfAJsonTemplateIsSilentlyNotDelivered) {
  for (const char* path : {"$.detail.list", "$.detail.o"}) {
    const Rule rule = Transform({{"x", path}}, R"({"x":"<x>"})");
    Put(R"({"list":["ACTIVE"],"o":{"a":1}})");
    EXPECT_THAT(DrainBodies(queue_), IsEmpty());
    EXPECT_THAT(DrainBodies(dead_), IsEmpty());
    EXPECT_EQ(Books(rule).dropped, 1);
    EXPECT_EQ(Books(rule).pending, 0);
  }
}

TEST_F(TransformerRows, B14_ATemplateThatIsNeitherJsonNorAStringIsTakenAndSilentlyNotDelivered) {
  const Rule rule = Transform({{"list", "$.detail.list"}}, "<list> single");
  Put(R"({"list":["ACTIVE"]})");
  EXPECT_THAT(DrainBodies(queue_), IsEmpty());
  EXPECT_THAT(DrainBodies(dead_), IsEmpty());
  EXPECT_EQ(Books(rule).dropped, 1);
}

TEST_F(TransformerRows, B15_TheEventVariableHasNoDetailAndSaysDetailType) {
  Transform({}, R"({"originalEvent": <aws.events.event>})");
  const Id id = Put(R"({"secret":1})");
  EXPECT_THAT(DrainBodies(queue_),
              ElementsAre(R"({"originalEvent":{"version":"0","id":")" + id.ToString() +
                          R"(","detailType":"Order","source":"shop","account":"000000000000",)"
                          R"("time":"2026-01-01T00:00:00Z","region":"us-east-1",)"
                          R"("resources":[]}})"));
  Transform({}, R"({"e": <aws.events.event.json>})");
  Put(R"({"secret":1})");
  EXPECT_THAT(DrainBodies(queue_),
              ElementsAre(AllOf(HasSubstr(R"("detail-type":"Order")"), Not(HasSubstr("detailType")),
                                EndsWith(R"("detail":{"secret":1}}})"))));
}

TEST_F(TransformerRows, B19_AStringTemplateIsDeliveredWithItsQuotes) {
  EXPECT_EQ(
      Transformed({{"user", "$.detail.user"}}, R"("text <user> and more")", R"({"user":"Ada"})"),
      R"("text Ada and more")");
}

TEST_F(TransformerRows, B20_LinesOfStringsAreDeliveredAsLinesEachInItsQuotes) {
  EXPECT_EQ(Transformed({{"user", "$.detail.user"}, {"what", "$.detail-type"}},
                        "\"<user> has done\"\n\"what is called <what>\"", R"({"user":"Ada"})"),
            "\"Ada has done\"\n\"what is called Order\"");
}

TEST_F(TransformerRows, B21_AnAbsentPathIsNoTextInAString) {
  EXPECT_EQ(Transformed({{"a", "$.detail.notinmessage"}}, R"("before <a> after")", "{}"),
            R"("before  after")");
}

TEST_F(TransformerRows, B22_AStringBareInJsonIsQuoted) {
  EXPECT_EQ(Transformed({{"u", "$.detail.user"}}, R"({"id": <u>})", R"({"user":"Ada"})"),
            R"({"id":"Ada"})");
}

TEST_F(TransformerRows, B23_AStringInQuotesOfJsonIsNotQuotedTwice) {
  EXPECT_EQ(Transformed({{"u", "$.detail.user"}}, R"({"id": "<u>", "path": "users/<u>"})",
                        R"({"user":"Ada"})"),
            R"({"id":"Ada","path":"users/Ada"})");
}

TEST_F(TransformerRows, B24_AnObjectOrArrayBareInJsonIsJson) {
  EXPECT_EQ(
      Transformed({{"o", "$.detail.o"}, {"list", "$.detail.list"}}, R"({"o": <o>, "list": <list>})",
                  R"({"o":{"a":"x","b":[1]},"list":["ACTIVE","INACTIVE"]})"),
      R"({"o":{"a":"x","b":[1]},"list":["ACTIVE","INACTIVE"]})");
}

TEST_F(TransformerRows, B25_ABooleanInAStringIsItsName) {
  EXPECT_EQ(Transformed({{"yes", "$.detail.yes"}}, R"("it is <yes>")", R"({"yes":true})"),
            R"("it is true")");
}

TEST_F(TransformerRows, B26_APlaceholderMayBeThereTwice) {
  EXPECT_EQ(Transformed({{"u", "$.detail.user"}}, R"({"path": "users/<u>/and/<u>"})",
                        R"({"user":"Ada"})"),
            R"({"path":"users/Ada/and/Ada"})");
}

TEST_F(TransformerRows, B27_APlaceholderThatIsNotInTheMapFailsTheCall) {
  const absl::Status refused =
      PutRule(Target(queue_).InputTransformer({{"known", "$.detail"}}, R"("<known> <unknown>")"))
          .status();
  EXPECT_EQ(CodeOf(refused), "ValidationException");
  EXPECT_EQ(TextOf(refused), "InputTemplate for target t contains invalid placeholder unknown.");
  Put();
  EXPECT_THAT(DrainBodies(queue_), IsEmpty());
}

TEST_F(TransformerRows, B28_NamesOfTheRuleAndTheTimeOfArrivalNeedNoMap) {
  runtime_.Advance(absl::Seconds(5));
  EXPECT_EQ(Transformed({},
                        R"({"arn": <aws.events.rule-arn>, "name": "<aws.events.rule-name>",)"
                        R"( "at": <aws.events.event.ingestion-time>})",
                        "{}"),
            R"({"arn":"arn:aws:events:us-east-1:000000000000:rule/shop/r","name":"r",)"
            R"("at":"2026-01-01T00:00:05Z"})");
}

TEST_F(TransformerRows, B29_TheWholeEventIsTheEventAsItIs) {
  const Queue witness = broker_.CreateQueue("witness").value();
  bus_.PutRule("as-it-is", {.pattern = kEveryEvent, .targets = {witness}}).value();
  Transform({}, R"({"e": <aws.events.event.json>})");
  Put(R"({"secret":1,"list":["x"]})");
  const std::vector<std::string> events = DrainBodies(witness);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_THAT(events[0], HasSubstr(R"("detail-type":"Order")"));
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("{\"e\":" + events[0] + "}"));
}

TEST_F(TransformerRows, B30_NoKeyOfTheMapBeginsWithAws) {
  const auto with_key = [this](const std::string& key) {
    return CodeOf(PutRule(Target(queue_).InputTransformer({{key, "$.detail"}}, "\"x\"")).status());
  };
  EXPECT_EQ(with_key("AWS"), "ValidationException");
  EXPECT_EQ(with_key("AWSname"), "ValidationException");
  EXPECT_EQ(with_key("myAWS"), "OK");
}

TEST_F(TransformerRows, B31_BracketsAreForAnInputPathOnly) {
  EXPECT_EQ(CodeOf(PutRule(Target(queue_).InputTransformer({{"u", "$.detail['user']"}}, "\"<u>\""))
                       .status()),
            "ValidationException");
  ASSERT_THAT(PutRule(Target(queue_).InputPath("$.detail['user']")), testing::IsOk());
  Put(R"({"user":"Ada"})");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("\"Ada\""));
}

TEST_F(TransformerRows, B32_OnlyOneOfInputInputPathAndInputTransformer) {
  const std::map<std::string, std::string> none;
  for (const Target& target : {Target(queue_).Input("1").InputPath("$"),
                               Target(queue_).Input("1").InputTransformer(none, "\"x\""),
                               Target(queue_).InputPath("$").InputTransformer(none, "\"x\"")}) {
    const absl::Status refused = PutRule(target).status();
    EXPECT_EQ(CodeOf(refused), "ValidationException");
    EXPECT_EQ(TextOf(refused),
              "Only one of Input, InputPath, or InputTransformer must be provided for target t.");
  }
}

}  // namespace
}  // namespace banyan
