// SPDX-License-Identifier: Apache-2.0
//
// Filters: which messages reach the handler, and that the others are deleted. The record that a
// filter sees and the table of body formats are those of Lambda's event source mappings for SQS.
#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "banyan/error.h"
#include "banyan/topic.h"
#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kPaid = R"({"body": {"state": ["paid"]}})";
constexpr std::string_view kPaidBody = R"({"state": "paid"})";
constexpr std::string_view kOpenBody = R"({"state": "open"})";

class FilterTest : public ConsumerTest {
 protected:
  static std::vector<std::string> Filters(std::string_view filter) { return {std::string(filter)}; }

  // The bodies that reach the handler of a consumer with these filters.
  std::vector<std::string> Handled(const std::vector<std::string>& filters,
                                   const std::vector<SendRequest>& requests) {
    return HandledBy(broker_, filters, requests);
  }

  std::vector<std::string> HandledBy(Broker& broker, const std::vector<std::string>& filters,
                                     const std::vector<SendRequest>& requests) {
    Queue jobs = broker.CreateQueue("jobs").value();
    std::vector<std::string> handled;
    Consumer consumer = Consumer::Start(jobs, {.filters = filters}, [&](const Received& job) {
                          handled.emplace_back(job.body());
                          return absl::OkStatus();
                        }).value();
    for (const SendRequest& request : requests) EXPECT_THAT(jobs.Send(request), IsOk());
    runtime_.RunUntilIdle();
    EXPECT_EQ(jobs.Depth(), QueueDepth{}) << "neither handled nor deleted";
    EXPECT_EQ(consumer.Stats().handled, static_cast<int64_t>(handled.size()));
    EXPECT_EQ(consumer.Stats().filtered, static_cast<int64_t>(requests.size() - handled.size()));
    return handled;
  }

  bool Matches(std::string_view filter, SendRequest request) {
    return !Handled(Filters(filter), {std::move(request)}).empty();
  }
  bool BodyMatches(std::string_view filter, std::string_view body) {
    return Matches(filter, {.body = body});
  }
};

TEST_F(FilterTest, S21_AMessageThatMatchesReachesTheHandlerAndTheOthersAreDeleted) {
  Queue jobs = MakeQueue("jobs");
  std::vector<std::string> handled;
  Consumer consumer = Consumer::Start(jobs, {.filters = Filters(kPaid)}, [&](const Received& job) {
                        handled.emplace_back(job.body());
                        return absl::OkStatus();
                      }).value();
  Send(jobs, kOpenBody);
  Send(jobs, kPaidBody);
  Send(jobs, kOpenBody);
  runtime_.RunUntilIdle();
  EXPECT_THAT(handled, ElementsAre(kPaidBody));
  const ConsumerStats stats = consumer.Stats();
  EXPECT_EQ(stats.handled, 1);
  EXPECT_EQ(stats.filtered, 2);
  EXPECT_EQ(stats.failed, 0);
  EXPECT_EQ(stats.running, 0);
  EXPECT_EQ(stats.overran, 0);
  EXPECT_EQ(jobs.Stats().deleted, 3);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

TEST_F(FilterTest, WithoutFiltersEveryMessageIsWanted) {
  EXPECT_THAT(Handled({}, {{.body = kPaidBody}, {.body = "text"}}), ElementsAre(kPaidBody, "text"));
}

TEST_F(FilterTest, OneFilterOfSeveralIsEnough) {
  EXPECT_THAT(Handled({R"({"body": {"state": ["paid"]}})",
                       R"({"body": {"total": [{"numeric": [">", 100]}]}})",
                       R"({"body": {"state": [{"prefix": "pa"}]}})"},
                      {{.body = R"({"state": "paid"})"},
                       {.body = R"({"state": "open", "total": 100.5})"},
                       {.body = R"({"state": "open", "total": 100})"},
                       {.body = R"({"state": "past", "total": 1})"}}),
              ElementsAre(R"({"state": "paid"})", R"({"state": "open", "total": 100.5})",
                          R"({"state": "past", "total": 1})"));
}

TEST_F(FilterTest, FieldsAreMetAtAnyDepthAndInArrays) {
  EXPECT_TRUE(BodyMatches(R"({"body": {"order": {"items": {"sku": ["tea"]}}}})",
                          R"({"order": {"items": [{"sku": "cup"}, {"sku": "tea"}]}})"));
  EXPECT_FALSE(BodyMatches(R"({"body": {"order": {"items": {"sku": ["tea"]}}}})",
                           R"({"items": [{"sku": "tea"}]})"));
}

TEST_F(FilterTest, AnAbsentFieldCanBeAskedFor) {
  constexpr std::string_view filter = R"({"body": {"error": [{"exists": false}]}})";
  EXPECT_TRUE(BodyMatches(filter, R"({"state": "paid"})"));
  EXPECT_TRUE(BodyMatches(filter, "{}"));
  EXPECT_FALSE(BodyMatches(filter, R"({"error": null})"));
}

// --- Text and JSON bodies ------------------------------------------------------------------------

TEST_F(FilterTest, TheTableOfBodyFormats) {
  constexpr std::string_view metadata = R"({"eventSource": ["aws:sqs"]})";
  constexpr std::string_view text = R"({"body": ["hello"]})";
  constexpr std::string_view json = R"({"body": {"say": ["hello"]}})";
  // A text body: compared with a string, dropped by a pattern on fields, else not looked at.
  EXPECT_TRUE(BodyMatches(text, "hello"));
  EXPECT_FALSE(BodyMatches(text, "hello!"));
  EXPECT_FALSE(BodyMatches(json, "hello"));
  EXPECT_TRUE(BodyMatches(metadata, "hello"));
  // A JSON body, the other way round.
  EXPECT_FALSE(BodyMatches(text, R"({"say": "hello"})"));
  EXPECT_TRUE(BodyMatches(json, R"({"say": "hello"})"));
  EXPECT_FALSE(BodyMatches(json, R"({"say": "bye"})"));
  EXPECT_TRUE(BodyMatches(metadata, R"({"say": "hello"})"));
}

TEST_F(FilterTest, APatternOnFieldsDropsTextEvenIfItAsksForAbsence) {
  EXPECT_FALSE(BodyMatches(R"({"body": {"error": [{"exists": false}]}})", "hello"));
  EXPECT_FALSE(BodyMatches(
      R"({"body": {"error": [{"exists": false}]}, "messageId": [{"exists": true}]})", "hello"));
}

TEST_F(FilterTest, APatternOnTheBodyItselfDropsJsonEvenIfItAsksForAbsence) {
  EXPECT_FALSE(BodyMatches(R"({"body": [{"exists": false}]})", R"({"a": 1})"));
  EXPECT_FALSE(BodyMatches(R"({"body": [{"exists": false}]})", "{}"));
  EXPECT_FALSE(BodyMatches(R"({"body": [{"anything-but": "x"}]})", R"({"a": 1})"));
  EXPECT_FALSE(BodyMatches(R"({"body": [{"prefix": "{"}]})", R"({"a": 1})"));
  EXPECT_FALSE(BodyMatches(R"({"body": [{"exists": false}]})", "hello")) << "it is there";
}

TEST_F(FilterTest, OneFilterCanNameBothKindsOfBody) {
  constexpr std::string_view both =
      R"({"$or": [{"body": [{"prefix": "paid"}]}, {"body": {"state": ["paid"]}}]})";
  EXPECT_TRUE(BodyMatches(both, "paid 17"));
  EXPECT_TRUE(BodyMatches(both, kPaidBody));
  EXPECT_FALSE(BodyMatches(both, "open 17"));
  EXPECT_FALSE(BodyMatches(both, kOpenBody));
}

TEST_F(FilterTest, AFilterThatWantsTextAndFieldsAtOnceMatchesNothing) {
  constexpr std::string_view never = R"({"body": ["paid"], "body.state": ["paid"]})";
  EXPECT_FALSE(BodyMatches(never, "paid"));
  EXPECT_FALSE(BodyMatches(never, kPaidBody));
}

TEST_F(FilterTest, OnlyOneWholeObjectIsJson) {
  constexpr std::string_view any_text = R"({"body": [{"exists": true}]})";
  for (const char* body : {"[1, 2]", "5", "\"x\"", "null", "true", "{", "{\"a\": 1} {}",
                           "{\"a\": 1},", "{'a': 1}", "{\"a\": 01}", " "}) {
    EXPECT_TRUE(BodyMatches(any_text, body)) << body;
    EXPECT_FALSE(BodyMatches(R"({"body": {"a": [1, {"exists": false}]}})", body)) << body;
  }
  for (const char* body : {"{\"a\": 1}", " {\"a\": 1}", "\n\t{\"a\":\r\n1} \n"}) {
    EXPECT_FALSE(BodyMatches(any_text, body)) << body;
    EXPECT_TRUE(BodyMatches(R"({"body": {"a": [1]}})", body)) << body;
  }
}

TEST_F(FilterTest, ABodyCannotWriteOtherMembersOfTheRecord) {
  constexpr std::string_view sly = R"({"a": 1}, "eventSource": "me", "x": {})";
  EXPECT_FALSE(BodyMatches(R"({"eventSource": ["me"], "body": {"a": [1]}})", sly));
  EXPECT_FALSE(BodyMatches(R"({"eventSource": ["me"], "body": [{"exists": true}]})", sly));
  EXPECT_FALSE(BodyMatches(R"({"eventSource": ["me"], "body": [{"exists": true}]})",
                           R"(x", "eventSource": "me)"));
}

TEST_F(FilterTest, TextIsComparedAsItWasSent) {
  EXPECT_TRUE(BodyMatches(R"({"body": ["say \"hé\"\n\\"]})", "say \"hé\"\n\\"));
  EXPECT_TRUE(BodyMatches(R"({"body": [{"equals-ignore-case": "STOP"}]})", "stop"));
  EXPECT_FALSE(BodyMatches(R"({"body": [5]})", "5")) << "types never convert";
  EXPECT_TRUE(BodyMatches(R"({"body": ["5"]})", "5"));
}

// --- The other members of the record -------------------------------------------------------------

TEST_F(FilterTest, AttributesAreStrings) {
  EXPECT_TRUE(Matches(R"({"attributes": {"ApproximateReceiveCount": ["1"]}})", {.body = "x"}));
  EXPECT_FALSE(Matches(R"({"attributes": {"ApproximateReceiveCount": [1]}})", {.body = "x"}));
  const std::string now = std::to_string(absl::ToUnixMillis(runtime_.Read().time()));
  for (const char* name : {"SentTimestamp", "ApproximateFirstReceiveTimestamp"}) {
    EXPECT_TRUE(Matches(std::string(R"({"attributes": {")") + name + R"(": [")" + now + R"("]}})",
                        {.body = "x"}))
        << name;
  }
}

TEST_F(FilterTest, AttributesThatAMessageLacksAreAbsent) {
  EXPECT_TRUE(Matches(R"({"attributes": {"AWSTraceHeader": [{"exists": false}],
                          "DeadLetterQueueSourceArn": [{"exists": false}],
                          "SenderId": ["000000000000"]}})",
                      {.body = "x"}));
  EXPECT_TRUE(Matches(R"({"attributes": {"AWSTraceHeader": [{"prefix": "Root=1-"}]}})",
                      {.body = "x", .trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793"}));
}

TEST_F(FilterTest, TheReceiveCountIsThatOfThisReceive) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
  int attempts = 0;
  Consumer consumer =
      Consumer::Start(
          jobs, {.filters = Filters(R"({"attributes": {"ApproximateReceiveCount": ["1", "2"]}})")},
          [&](const Received&) {
            ++attempts;
            return absl::UnavailableError("no");
          })
          .value();
  Send(jobs, "x");
  runtime_.Advance(absl::Seconds(59));
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 1}));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(consumer.Stats().failed, 2);
  EXPECT_EQ(consumer.Stats().filtered, 1);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

TEST_F(FilterTest, ADeadLetterKnowsWhereItCameFrom) {
  Queue dead = MakeQueue("dead");
  Queue jobs = MakeQueue(
      "jobs", {.visibility_timeout = absl::Seconds(1), .redrive = RedrivePolicy{dead.arn(), 1}});
  int handled = 0;
  Consumer consumer =
      Consumer::Start(dead,
                      {.filters = Filters(R"({"attributes": {"DeadLetterQueueSourceArn": [")" +
                                          jobs.arn().ToString() + R"("]}})")},
                      [&](const Received&) {
                        ++handled;
                        return absl::OkStatus();
                      })
          .value();
  Send(jobs, "poison");
  Send(dead, "sent here by hand");
  ASSERT_THAT(jobs.Receive(), IsOk());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(consumer.Stats().filtered, 1);
}

TEST_F(FilterTest, MessageAttributesHaveValueAndType) {
  const Attributes attributes = {
      {"tenant", "acme"},
      {"price", AttributeValue::Number("12.50")},
      {"kind", AttributeValue("String.color", "red")},
      {"key", AttributeValue::Binary(std::string_view("\x00\xff\x10", 3))}};
  const auto matches = [&](std::string_view members) {
    return Matches(R"({"messageAttributes": )" + std::string(members) + "}",
                   {.body = "x", .attributes = attributes});
  };
  EXPECT_TRUE(matches(R"({"tenant": {"stringValue": ["acme"], "dataType": ["String"]}})"));
  EXPECT_FALSE(matches(R"({"tenant": {"stringValue": ["emca"]}})"));
  EXPECT_FALSE(matches(R"({"tenant": ["acme"]})")) << "that is how SNS says it, not Lambda";
  EXPECT_TRUE(matches(R"({"price": {"stringValue": ["12.50"], "dataType": ["Number"]}})"));
  EXPECT_FALSE(matches(R"({"price": {"stringValue": [12.5]}})")) << "it is a string";
  EXPECT_TRUE(matches(R"({"kind": {"dataType": ["String.color"]}})"));
  EXPECT_TRUE(matches(R"({"key": {"binaryValue": ["AP8Q"], "dataType": ["Binary"],
                                  "stringValue": [{"exists": false}]}})"));
  EXPECT_TRUE(matches(R"({"other": {"stringValue": [{"exists": false}]}})"));
}

TEST_F(FilterTest, NamesOfMessageAttributesMayHaveDots) {
  EXPECT_TRUE(Matches(R"({"messageAttributes": {"shop.tenant": {"stringValue": ["acme"]}}})",
                      {.body = "x", .attributes = {{"shop.tenant", "acme"}}}));
}

TEST_F(FilterTest, TheSourceIsNamed) {
  EXPECT_TRUE(Matches(R"({"eventSource": ["aws:sqs"], "awsRegion": ["us-east-1"],
                          "eventSourceARN": ["arn:aws:sqs:us-east-1:000000000000:jobs"]})",
                      {.body = "x"}));
  EXPECT_FALSE(Matches(R"({"awsRegion": ["eu-west-1"]})", {.body = "x"}));
  EXPECT_FALSE(Matches(R"({"region": ["us-east-1"]})", {.body = "x"})) << "no such member";
}

TEST_F(FilterTest, TheMessageIdIsTheQueues) {
  Queue jobs = MakeQueue("jobs");
  const std::string id = jobs.Send({.body = "this one"}).value().message_id.ToString();
  Send(jobs, "not this one");
  std::vector<std::string> handled;
  Consumer consumer =
      Consumer::Start(jobs, {.filters = Filters(R"({"messageId": [")" + id + R"("]})")},
                      [&](const Received& job) {
                        handled.emplace_back(job.body());
                        return absl::OkStatus();
                      })
          .value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(handled, ElementsAre("this one"));
}

TEST_F(FilterTest, BodyAttributesAndMessageAttributesTogether) {
  constexpr std::string_view filter = R"({"body": {"state": ["paid"]},
      "attributes": {"ApproximateReceiveCount": ["1"]},
      "messageAttributes": {"tenant": {"stringValue": ["acme"]}}})";
  EXPECT_TRUE(Matches(filter, {.body = kPaidBody, .attributes = {{"tenant", "acme"}}}));
  EXPECT_FALSE(Matches(filter, {.body = kPaidBody, .attributes = {{"tenant", "other"}}}));
  EXPECT_FALSE(Matches(filter, {.body = kOpenBody, .attributes = {{"tenant", "acme"}}}));
  EXPECT_FALSE(Matches(filter, {.body = kPaidBody}));
}

TEST_F(FilterTest, ATopicsEnvelopeIsABodyOfJson) {
  Topic orders = broker_.CreateTopic("orders").value();
  Queue jobs = MakeQueue("jobs");
  ASSERT_THAT(orders.Subscribe(jobs), IsOk());
  int handled = 0;
  Consumer consumer =
      Consumer::Start(jobs, {.filters = Filters(R"({"body": {"Type": ["Notification"],
                                                             "Message": ["paid"]}})")},
                      [&](const Received&) {
                        ++handled;
                        return absl::OkStatus();
                      })
          .value();
  ASSERT_THAT(orders.Publish({.body = "paid"}), IsOk());
  ASSERT_THAT(orders.Publish({.body = "open"}), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(consumer.Stats().filtered, 1);
}

// --- What cannot be matched ----------------------------------------------------------------------

TEST_F(FilterTest, ARecordThatIsTooLargeToBeMatchedIsDeleted) {
  Limits limits;
  limits.pattern.event_bytes_max = 1'000;
  Broker broker = Broker::Create(runtime_, {.limits = limits}).value();
  const std::string large = R"({"state": "paid", "pad": ")" + std::string(1'000, 'x') + R"("})";
  EXPECT_THAT(HandledBy(broker, {std::string(kPaid), R"({"body": [{"exists": true}]})"},
                        {{.body = large}, {.body = kPaidBody}}),
              ElementsAre(kPaidBody));
}

TEST_F(FilterTest, ABodyNestedDeeperThanPatternsLookIsNoJson) {
  constexpr std::string_view filter = R"({"body": {"a": [{"exists": true}, {"exists": false}]}})";
  const auto nested = [](size_t depth) {  // objects, one in the other
    std::string body;
    for (size_t i = 0; i < depth; ++i) body += R"({"b":)";
    return body + "1" + std::string(depth, '}');
  };
  EXPECT_TRUE(BodyMatches(filter, nested(999)));  // and the record around it: 1,000
  EXPECT_FALSE(BodyMatches(filter, nested(1'000)));
  EXPECT_FALSE(BodyMatches(filter, nested(50'000)));
  EXPECT_TRUE(BodyMatches(R"({"body": [{"prefix": "{"}]})", nested(1'000))) << "a string";
}

TEST_F(FilterTest, ABodyThatNoFilterAsksForMayBeAnything) {
  Limits limits;
  limits.pattern.event_bytes_max = 1'000;
  Broker broker = Broker::Create(runtime_, {.limits = limits}).value();
  const std::string large(100'000, '{');
  EXPECT_THAT(HandledBy(broker, {R"({"eventSource": ["aws:sqs"]})"}, {{.body = large}}),
              ElementsAre(large));
}

// --- Bad filters ---------------------------------------------------------------------------------

struct BadFilter {
  const char* filter;
  const char* reason;
};

class BadFilters : public ConsumerTest, public ::testing::WithParamInterface<BadFilter> {};

TEST_P(BadFilters, AreRefusedInLambdasWordsWithNumberAndReasonAndNothingStarts) {
  Queue jobs = MakeQueue("jobs");
  Send(jobs, "x");
  int calls = 0;
  const absl::Status refused =
      Consumer::Start(jobs, {.filters = {std::string(kPaid), GetParam().filter}},
                      [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      })
          .status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(refused.message()),
              AllOf(StartsWith("Invalid filter pattern definition. Filter 2: "),
                    HasSubstr(GetParam().reason)));
  ASSERT_NE(FindAwsError(refused), nullptr);
  EXPECT_EQ(FindAwsError(refused)->error, AwsError::kFunctionInvalidParameterValue);
  EXPECT_EQ(FindAwsError(refused)->code, "InvalidParameterValueException");
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1}));
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadFilters,
    ::testing::Values(
        BadFilter{"", "Filter is not an object"}, BadFilter{"{}", "Empty objects"},
        BadFilter{"[]", "Filter is not an object"}, BadFilter{"paid", "Unrecognized token"},
        BadFilter{R"({"body": {"state": ["paid"]})", "line: 1"},
        BadFilter{R"({"body": "paid"})", "must be an object or an array"},
        BadFilter{R"({"body": {"state": []}})", "Empty arrays"},
        BadFilter{R"({"body": {"state": [{"is": "paid"}]}})", "Unrecognized match type is"},
        BadFilter{R"({"body": {"total": [{"numeric": [">", "x"]}]}})", "must be numeric"}));

TEST_F(FilterTest, FiveFiltersAreTheMost) {
  Queue jobs = MakeQueue("jobs");
  const auto handler = [](const Received&) { return absl::OkStatus(); };
  const std::string filter(kPaid);
  EXPECT_THAT(Consumer::Start(jobs, {.filters = std::vector<std::string>(5, filter)}, handler),
              IsOk());
  const absl::Status refused =
      Consumer::Start(jobs, {.filters = std::vector<std::string>(6, filter)}, handler).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                AllOf(HasSubstr("Filters"), HasSubstr("6"), HasSubstr("most 5"))));
  EXPECT_EQ(FindAwsError(refused)->code, "InvalidParameterValueException");
}

TEST_F(FilterTest, AFilterHas4096BytesAtMost) {
  Queue jobs = MakeQueue("jobs");
  const auto handler = [](const Received&) { return absl::OkStatus(); };
  const auto filter_of = [](size_t bytes) {
    const std::string begin = R"({"body": [")";
    const std::string end = R"("]})";
    return std::vector<std::string>{begin + std::string(bytes - begin.size() - end.size(), 'x') +
                                    end};
  };
  EXPECT_THAT(Consumer::Start(jobs, {.filters = filter_of(4'096)}, handler), IsOk());
  EXPECT_THAT(Consumer::Start(jobs, {.filters = filter_of(4'097)}, handler),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("Invalid filter pattern definition. Filter 1: "),
                             HasSubstr("4097"), HasSubstr("4096"))));
}

TEST_F(FilterTest, TheLimitsAreTheBrokers) {
  Limits limits;
  limits.consumer.filters_max = 1;
  limits.consumer.filter_bytes_max = 40;
  limits.pattern.rules_max = 1;   // of a RuleSet: says nothing about filters
  limits.pattern.bytes_max = 10;  // of a rule: nor does this
  Broker broker = Broker::Create(runtime_, {.limits = limits}).value();
  Queue jobs = broker.CreateQueue("jobs").value();
  const auto start = [&](std::vector<std::string> filters) {
    return Consumer::Start(jobs, {.filters = std::move(filters)},
                           [](const Received&) { return absl::OkStatus(); })
        .status();
  };
  EXPECT_THAT(start({std::string(kPaid)}), IsOk());
  EXPECT_THAT(start({R"({"$or":[{"body":["x"]},{"body.a":[1]}]})"}), IsOk());
  EXPECT_THAT(start({std::string(kPaid), std::string(kPaid)}), Not(IsOk()));
  EXPECT_THAT(start({R"({"body": [")" + std::string(40, 'x') + R"("]})"}), Not(IsOk()));
}

// --- Batches, life -------------------------------------------------------------------------------

TEST_F(FilterTest, ABatchHandlerIsNeverCalledWithAnEmptyBatch) {
  Queue jobs = MakeQueue("jobs");
  int calls = 0;
  Consumer consumer = Consumer::StartBatch(jobs, {.batch_size = 10, .filters = Filters(kPaid)},
                                           [&](absl::Span<const Received>) {
                                             ++calls;
                                             return BatchResult();
                                           })
                          .value();
  for (int round = 0; round < 3; ++round) {  // a full receive, and parts of one
    for (int i = 0; i < 12; ++i) Send(jobs, kOpenBody);
    runtime_.Advance(absl::Minutes(5));
  }
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(consumer.Stats().filtered, 36);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  Send(jobs, kPaidBody);
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 1) << "it still listens";
}

TEST_F(FilterTest, ABatchHoldsTheWantedOfOneReceive) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
  for (int i = 0; i < 10; ++i) Send(jobs, i % 3 == 0 ? kPaidBody : kOpenBody);
  std::vector<size_t> sizes;
  Consumer consumer = Consumer::StartBatch(jobs, {.batch_size = 10, .filters = Filters(kPaid)},
                                           [&](absl::Span<const Received> batch) {
                                             sizes.push_back(batch.size());
                                             for (const Received& job : batch)
                                               EXPECT_EQ(job.body(), kPaidBody);
                                             return BatchResult{.failures = {batch.front().id()}};
                                           })
                          .value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes, ElementsAre(4));
  EXPECT_EQ(consumer.Stats().handled, 3);
  EXPECT_EQ(consumer.Stats().failed, 1);
  EXPECT_EQ(consumer.Stats().filtered, 6);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 1})) << "the failed one";
}

TEST_F(FilterTest, ABatchThatFailsBringsNoFilteredMessageBack) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
  Send(jobs, kPaidBody);
  Send(jobs, kOpenBody);
  Consumer consumer =
      Consumer::StartBatch(jobs, {.batch_size = 10, .filters = Filters(kPaid)},
                           [](absl::Span<const Received>) -> absl::StatusOr<BatchResult> {
                             return absl::UnavailableError("ledger is down");
                           })
          .value();
  runtime_.Advance(absl::Seconds(61));
  EXPECT_EQ(consumer.Stats().failed, 3);
  EXPECT_EQ(consumer.Stats().filtered, 1);
}

TEST_F(FilterTest, AFilteredMessageIsNoDeadLetter) {
  Queue dead = MakeQueue("dead");
  Queue jobs = MakeQueue("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Consumer consumer = Consumer::Start(jobs, {.filters = Filters(kPaid)}, [](const Received&) {
                        return absl::OkStatus();
                      }).value();
  Send(jobs, kOpenBody);
  runtime_.Advance(absl::Minutes(10));
  EXPECT_EQ(jobs.Stats().deleted, 1);
  EXPECT_EQ(dead.Stats().moved_in, 0);
}

TEST_F(FilterTest, OtherTasksHaveTheirTurnWhileAQueueFullOfUnwantedMessagesIsEmptied) {
  Queue jobs = MakeQueue("jobs");
  for (int i = 0; i < 1'000; ++i) Send(jobs, kOpenBody);
  Consumer consumer =
      Consumer::Start(jobs, {.batch_size = 10, .filters = Filters(kPaid)}, [](const Received&) {
        return absl::OkStatus();
      }).value();
  std::optional<absl::Status> stopped;
  runtime_.Post([&] { runtime_.Post([&] { stopped = consumer.Stop(absl::ZeroDuration()); }); });
  runtime_.RunUntilIdle();
  ASSERT_TRUE(stopped.has_value());
  EXPECT_THAT(*stopped, IsOk());
  const int64_t filtered = consumer.Stats().filtered;
  EXPECT_GT(filtered, 0);
  EXPECT_LT(filtered, 1'000);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1'000 - filtered}));
}

TEST_F(FilterTest, PausedOrStoppedItFiltersNothingOut) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Consumer::Start(jobs, {.filters = Filters(kPaid)}, [](const Received&) {
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  consumer.Pause();
  Send(jobs, kOpenBody);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1}));
  consumer.Resume();
  runtime_.RunUntilIdle();
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  EXPECT_THAT(consumer.Stop(absl::ZeroDuration()), IsOk());
  Send(jobs, kOpenBody);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(consumer.Stats().filtered, 1);
}

TEST_F(FilterTest, AnIdleConsumerWithFiltersCostsNoTask) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Consumer::Start(jobs, {.filters = Filters(kPaid)}, [](const Received&) {
                        return absl::OkStatus();
                      }).value();
  Send(jobs, kOpenBody);
  runtime_.RunUntilIdle();
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(runtime_.Advance(absl::Hours(24)), 0);
}

TEST_F(FilterTest, ABrokerThatStopsKeepsWhatWasNotYetJudged) {
  Broker broker = Broker::Create(runtime_, {}).value();
  Queue jobs = broker.CreateQueue("jobs").value();
  for (int i = 0; i < 100; ++i) Send(jobs, kOpenBody);
  Consumer consumer =
      Consumer::Start(jobs, {.batch_size = 10, .filters = Filters(kPaid)}, [](const Received&) {
        return absl::OkStatus();
      }).value();
  StopReport report;
  runtime_.Post([&] { report = broker.Stop(absl::ZeroDuration()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().filtered, 10);
  EXPECT_EQ(report.messages_resting, 90);
  EXPECT_TRUE(consumer.Stats().stopped);
}

TEST_F(FilterTest, TheQueueMayGoWhileItsMessagesAreFiltered) {
  Queue jobs = MakeQueue("jobs");
  for (int i = 0; i < 100; ++i) Send(jobs, kOpenBody);
  Consumer consumer =
      Consumer::Start(jobs, {.batch_size = 10, .filters = Filters(kPaid)}, [](const Received&) {
        return absl::OkStatus();
      }).value();
  runtime_.Post([&] { EXPECT_THAT(broker_.DeleteQueue("jobs"), IsOk()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().filtered, 10);
  EXPECT_TRUE(consumer.Stats().stopped);
}

// --- Threads -------------------------------------------------------------------------------------

#if defined(BANYAN_SANITIZER)
constexpr int kMessages = 2'000;
#else
constexpr int kMessages = 20'000;
#endif

class FilterThreadsTest : public ::testing::Test {
 protected:
  static std::string Numbered(int i) { return R"({"n": )" + std::to_string(i) + "}"; }

  // Until a consumer has settled this many messages of the queue.
  void WaitForDeleted(const Queue& queue, int64_t count) {
    while (queue.Stats().deleted < count) runtime_->Poll(absl::Milliseconds(1));
  }

  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 3});
  Broker broker_ = Broker::Create(*runtime_, {}).value();
};

TEST_F(FilterThreadsTest, TwoConsumersOfTwoWorkersHandleWhatIsWantedOnceAndDeleteTheRest) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  const std::vector<std::string> filters = {R"({"body": {"n": [{"numeric": ["<", 100]}]}})",
                                            R"({"body": {"n": [{"numeric": [">=", 1000]}]}})"};
  Mutex mu;
  std::multiset<std::string> seen;
  const auto handler = [&](const Received& job) {
    MutexLock lock(&mu);
    seen.emplace(job.body());
    return absl::OkStatus();
  };
  const ConsumerOptions options = {.batch_size = 10, .concurrency = 2, .filters = filters};
  Consumer first = Consumer::Start(jobs, options, handler).value();
  Consumer second = Consumer::Start(jobs, options, handler).value();
  std::vector<std::thread> senders;
  for (int t = 0; t < 2; ++t) {
    senders.emplace_back([&, t] {
      for (int i = t; i < kMessages; i += 2) {
        ASSERT_THAT(jobs.Send({.body = Numbered(i)}), IsOk());
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  WaitForDeleted(jobs, kMessages);
  EXPECT_THAT(first.Stop(absl::Minutes(1)), IsOk());
  EXPECT_THAT(second.Stop(absl::Minutes(1)), IsOk());

  std::multiset<std::string> wanted;
  for (int i = 0; i < kMessages; ++i) {
    if (i < 100 || i >= 1'000) wanted.insert(Numbered(i));
  }
  EXPECT_EQ(seen, wanted);
  EXPECT_EQ(first.Stats().filtered + second.Stats().filtered, 900);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

TEST_F(FilterThreadsTest, WhenStopHasAnsweredNothingMoreIsDeleted) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_THAT(jobs.Send({.body = Numbered(i)}), IsOk());
  }
  int64_t deleted = 0;
  for (int round = 1; deleted < kMessages; ++round) {
    Consumer consumer =
        Consumer::Start(jobs,
                        {.batch_size = 10,
                         .concurrency = 2,
                         .filters = {R"({"body": {"n": [{"numeric": ["<", 100]}]}})"}},
                        [](const Received&) { return absl::OkStatus(); })
            .value();
    WaitForDeleted(jobs, std::min<int64_t>(kMessages, deleted + 50));
    ASSERT_THAT(consumer.Stop(absl::Minutes(1)), IsOk());
    const ConsumerStats stats = consumer.Stats();
    ASSERT_EQ(jobs.Stats().deleted, deleted + stats.handled + stats.filtered) << "round " << round;
    deleted += stats.handled + stats.filtered;
  }
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

}  // namespace
}  // namespace banyan
