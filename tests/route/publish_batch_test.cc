// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 2 and 8: batches, and messages with a text for each protocol.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PublishBatchTest : public RouteTest {
 protected:
  PublishBatchTest() { topic_.Subscribe(queue_, {.raw = true}).value(); }

  // The refusal of the whole call; nobody got anything.
  std::string Refused(const Topic& topic, std::vector<PublishRequest> requests) {
    const absl::Status refused = topic.PublishBatch(std::move(requests)).status();
    EXPECT_FALSE(refused.ok());
    EXPECT_THAT(DrainBodies(queue_), IsEmpty());
    EXPECT_EQ(topic.Stats().published, 0);
    return CodeOf(refused) + ": " + TextOf(refused);
  }

  Topic topic_ = house_.MakeTopic("t");
  Queue queue_ = house_.MakeQueue("q");
};

TEST_F(PublishBatchTest, AnswersEachInOrder) {
  const auto answers = topic_.PublishBatch({{.body = "a"}, {.body = ""}, {.body = "c"}}).value();
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_TRUE(answers[0].ok());
  EXPECT_EQ(TextOf(answers[1].status()), "Invalid parameter: Empty message");
  EXPECT_TRUE(answers[2].ok());
  EXPECT_NE(answers[0]->message_id, answers[2]->message_id);
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("a", "c"));
}

TEST_F(PublishBatchTest, ItsShapeRefusesItAsAWhole) {
  EXPECT_THAT(Refused(topic_, {}), HasSubstr("EmptyBatchRequest: "));
  EXPECT_EQ(Refused(topic_, std::vector<PublishRequest>(11, {.body = "m"})),
            "TooManyEntriesInBatchRequest: The batch request contains more entries than "
            "permissible.");
  const std::string half(131'072, 'x');
  EXPECT_EQ(Refused(topic_, {{.body = half}, {.body = half + "x"}}),
            "BatchRequestTooLong: The length of all the messages put together is more than the "
            "limit.");
  EXPECT_EQ(Refused(topic_, {{.body = "m"}, {.body = "m", .attributes = {{"a..b", "x"}}}}),
            "ParameterValueInvalid: Message attribute name can not have successive '.' character.");
}

TEST_F(PublishBatchTest, TwoHalvesOfTheLimitFit) {
  const std::string half(131'072, 'x');
  EXPECT_TRUE(topic_.PublishBatch({{.body = half}, {.body = half}}).ok());
}

TEST_F(PublishBatchTest, T5_MissingFifoIdsAndAMissingDefaultRefuseItAsAWhole) {
  const Topic fifo = house_.MakeTopic("t.fifo", {.fifo = true});
  const Queue fifo_queue = house_.MakeQueue("q.fifo", {.fifo = true});
  fifo.Subscribe(fifo_queue).value();
  const PublishRequest good = {
      .body = "m", .message_group_id = "g", .message_deduplication_id = "1"};
  EXPECT_THAT(Refused(fifo, {good, {.body = "m", .message_deduplication_id = "2"}}),
              HasSubstr("MessageGroupId parameter is required"));
  EXPECT_THAT(Refused(fifo, {good, {.body = "m", .message_group_id = "g"}}),
              HasSubstr("MessageDeduplicationId provided explicitly"));
  EXPECT_THAT(Refused(topic_, {{.body = "m"}, {.body = R"({"sqs":"x"})", .json_structure = true}}),
              HasSubstr("No default entry in JSON message body"));
  EXPECT_EQ(fifo_queue.Depth().total(), 0);
}

TEST_F(PublishBatchTest, AFifoBatchKeepsItsOrderAndKnowsDuplicatesWithinIt) {
  const Topic fifo = house_.MakeTopic("t.fifo", {.fifo = true});
  const Queue queue = house_.MakeQueue("q.fifo", {.fifo = true});
  fifo.Subscribe(queue, {.raw = true}).value();
  std::vector<PublishRequest> requests;
  for (const char* id : {"1", "2", "1", "3"}) {
    requests.push_back({.body = id, .message_group_id = "g", .message_deduplication_id = id});
  }
  const auto answers = fifo.PublishBatch(std::move(requests)).value();
  ASSERT_THAT(answers, SizeIs(4));
  EXPECT_EQ(answers[2]->message_id, answers[0]->message_id);
  EXPECT_EQ(answers[2]->sequence_number, answers[0]->sequence_number);
  EXPECT_LT(answers[1]->sequence_number, answers[3]->sequence_number);
  EXPECT_THAT(DrainBodies(queue), ElementsAre("1", "2", "3"));
}

// --- A text for each protocol ----------------------------------------------------------------

class MessageStructureTest : public RouteTest {
 protected:
  absl::Status Publish(std::string body) {
    return topic_.Publish({.body = std::move(body), .json_structure = true}).status();
  }

  Topic topic_ = house_.MakeTopic("t");
};

// "Values have a minimum length of 0 (the empty string, "", is allowed)", says SNS's model.
TEST_F(MessageStructureTest, AnEmptyTextIsATextLikeOthers) {
  const Queue queue = house_.MakeQueue("q");
  topic_.Subscribe(queue).value();
  std::vector<std::string> called;
  topic_
      .Subscribe(house_.MakeFunction("f",
                                     [&called](const FunctionEvent& event) {
                                       called.emplace_back(event.body);
                                       return absl::OkStatus();
                                     }))
      .value();
  EXPECT_TRUE(Publish(R"({"default":""})").ok());
  EXPECT_TRUE(Publish(R"({"default":"x","sqs":""})").ok());
  EXPECT_TRUE(Publish(R"({"default":"","lambda":"y"})").ok());
  runtime_.RunUntilIdle();
  EXPECT_THAT(called, ElementsAre("", "x", "y"));
  const std::vector<std::string> bodies = DrainBodies(queue);
  ASSERT_THAT(bodies, SizeIs(3));
  for (const std::string& body : bodies) {
    EXPECT_NE(body.find("\"Message\" : \"\""), body.npos) << body;
  }
}

// SQS takes no empty body, so that raw delivery of one is a fault for good.
TEST_F(MessageStructureTest, AnEmptyTextGoesToTheDeadLetterQueueOfARawQueue) {
  const Queue queue = house_.MakeQueue("q"), dead = house_.MakeQueue("dead");
  const Subscription subscription =
      topic_.Subscribe(Target(queue).DeadLetter(dead), {.raw = true}).value();
  EXPECT_TRUE(Publish(R"({"default":"x","sqs":""})").ok());
  EXPECT_EQ(subscription.Stats().delivery.dead_lettered, 1);
  EXPECT_EQ(subscription.Stats().delivery.failed_attempts, 1);
  EXPECT_EQ(queue.Depth().visible, 0);
  EXPECT_THAT(DrainBodies(dead), ElementsAre(""));
}

TEST_F(MessageStructureTest, HalfASurrogatePairIsNoText) {
  EXPECT_EQ(CodeOf(Publish(R"({"default":"\ud83c"})")), "InvalidParameter");
  EXPECT_EQ(CodeOf(Publish(R"({"default":"x","sqs":"\udf33"})")), "InvalidParameter");
  EXPECT_TRUE(Publish(R"({"default":"\ud83c\udf33"})").ok());
}

TEST_F(MessageStructureTest, EachProtocolGetsItsText) {
  const Queue queue = house_.MakeQueue("q");
  std::vector<std::string> called;
  const Function function = house_.MakeFunction("f", [&called](const FunctionEvent& event) {
    called.emplace_back(event.body);
    return absl::OkStatus();
  });
  topic_.Subscribe(queue, {.raw = true}).value();
  topic_.Subscribe(function).value();
  ASSERT_TRUE(Publish(R"({"default":"for all","sqs":"for \"queues\"","http":"nobody"})").ok());
  ASSERT_TRUE(Publish(R"({"default":"for all","lambda":"for functions","sqs":5})").ok());
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("for \"queues\"", "for all"));
  EXPECT_THAT(called, ElementsAre("for all", "for functions"));
  EXPECT_EQ(topic_.Stats().published, 2);
}

TEST_F(MessageStructureTest, TheEnvelopeHoldsTheText) {
  const Queue queue = house_.MakeQueue("q");
  topic_.Subscribe(queue).value();
  ASSERT_TRUE(Publish(R"({"default":"d","sqs":"s"})").ok());
  EXPECT_THAT(DrainBodies(queue), ElementsAre(HasSubstr("\"Message\" : \"s\"")));
}

TEST_F(MessageStructureTest, FiltersOnBodiesSeeWhatIsDelivered) {
  const Queue queue = house_.MakeQueue("q");
  topic_
      .Subscribe(queue, {.filter_policy = R"({"kind":["paid"]})",
                         .filter_policy_scope = FilterPolicyScope::kMessageBody,
                         .raw = true})
      .value();
  ASSERT_TRUE(Publish(R"({"default":"{\"kind\":\"paid\"}","sqs":"{\"kind\":\"sent\"}"})").ok());
  EXPECT_THAT(DrainBodies(queue), IsEmpty());
  ASSERT_TRUE(Publish(R"({"default":"none","sqs":"{\"kind\":\"paid\"}"})").ok());
  EXPECT_THAT(DrainBodies(queue), ElementsAre(R"({"kind":"paid"})"));
}

TEST_F(MessageStructureTest, T4_AKeyThatIsThereTwiceIsTaken) {
  const Queue queue = house_.MakeQueue("q");
  topic_.Subscribe(queue, {.raw = true}).value();
  ASSERT_TRUE(Publish(R"({"default":"d","sqs":"first","sqs":"second"})").ok());
  EXPECT_THAT(DrainBodies(queue), ElementsAre("second"));
}

TEST_F(MessageStructureTest, WhatIsNoStructureIsRefused) {
  for (const char* bad : {"text", "[]", "{", R"("default")"}) {
    EXPECT_EQ(TextOf(Publish(bad)),
              "Invalid parameter: Message Structure - JSON message body failed to parse")
        << bad;
  }
  for (const char* bad : {"{}", R"({"sqs":"x"})", R"({"default":5})", R"({"default":null})"}) {
    EXPECT_EQ(TextOf(Publish(bad)),
              "Invalid parameter: Message Structure - No default entry in JSON message body")
        << bad;
  }
  EXPECT_EQ(topic_.Stats().published, 0);
}

TEST_F(PublishBatchTest, AMissingDataTypeSaysInWhichEntry) {
  Attributes untyped;
  untyped.Set("A", AttributeValue("", "v"));
  const absl::Status refused =
      topic_.PublishBatch({{.body = "a"}, {.body = "b", .attributes = untyped}}).status();
  EXPECT_EQ(TextOf(refused),
            "1 validation error detected: Value null at "
            "'publishBatchRequestEntries.2.member.messageAttributes.A.member.dataType' failed to "
            "satisfy constraint: Member must not be null");
}

}  // namespace
}  // namespace banyan::internal
