// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 2, 3 and 6: what a publish does.
#include "banyan/topic.h"

#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class TopicTest : public RouteTest {
 protected:
  Topic topic_ = house_.MakeTopic("orders");
};

TEST_F(TopicTest, ReachesEverySubscriptionBeforePublishReturns) {
  const Queue a = house_.MakeQueue("a"), b = house_.MakeQueue("b");
  topic_.Subscribe(a, {.raw = true}).value();
  topic_.Subscribe(b, {.raw = true}).value();
  ASSERT_THAT(topic_.Publish({.body = "hello"}), testing::IsOk());
  EXPECT_THAT(DrainBodies(a), ElementsAre("hello"));
  EXPECT_THAT(DrainBodies(b), ElementsAre("hello"));
  EXPECT_EQ(topic_.Stats().published, 1);
  EXPECT_EQ(topic_.Stats().subscriptions, 2);
}

TEST_F(TopicTest, AStreamGetsARecordForEachMessageWithoutAttributes) {
  const Stream raw = house_.MakeStream("raw"), enveloped = house_.MakeStream("enveloped");
  const Subscription subscription = topic_.Subscribe(raw, {.raw = true}).value();
  topic_.Subscribe(enveloped).value();
  EXPECT_EQ(topic_.Subscribe(raw, {.raw = true}).value().arn(), subscription.arn());
  const PublishResult sent =
      topic_.Publish({.body = "hello", .attributes = {{"colour", "red"}}}).value();
  // Key and data of each record.
  const auto records = [](const Stream& stream) {
    const RecordBatch batch =
        stream.GetRecords(stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value())
            .value();
    std::vector<std::pair<std::string, std::string>> all;
    for (const Record& record : batch) all.emplace_back(record.partition_key(), record.data());
    return all;
  };
  EXPECT_THAT(records(raw), ElementsAre(Pair(sent.message_id.ToString(), "hello")));
  EXPECT_THAT(records(enveloped), ElementsAre(Pair(_, HasSubstr("\"Message\" : \"hello\""))));
  EXPECT_EQ(subscription.GetAttributes().value()["Protocol"], "firehose");
  topic_.Publish({.body = R"({"default":"d","firehose":"for streams"})", .json_structure = true})
      .value();
  EXPECT_THAT(records(raw), ElementsAre(_, Pair(_, "for streams")));
}

// Every subscription sees the topic's id, each queue adds its own.
TEST_F(TopicTest, QueuesGiveIdsOfTheirOwnAndKeepTheEventId) {
  const Queue a = house_.MakeQueue("a"), b = house_.MakeQueue("b");
  topic_.Subscribe(a, {.raw = true}).value();
  topic_.Subscribe(b, {.raw = true}).value();
  const Id id = topic_.Publish({.body = "m", .trace_header = "Root=1-a-b"}).value().message_id;
  const Received from_a = Drain(a).at(0), from_b = Drain(b).at(0);
  EXPECT_NE(from_a.id(), from_b.id());
  EXPECT_NE(from_a.id(), id);
  EXPECT_EQ(from_a.event_id(), id);
  EXPECT_EQ(from_b.event_id(), id);
  EXPECT_EQ(from_b.trace_header(), "Root=1-a-b");
}

TEST_F(TopicTest, FanOutCopiesNoBody) {
  std::vector<Queue> queues;
  for (int i = 0; i < 1'000; ++i) {
    queues.push_back(house_.MakeQueue("q" + std::to_string(i)));
    topic_.Subscribe(queues.back(), {.raw = true}).value();
  }
  const Payload body(std::string(64 << 10, 'x'));
  topic_.Publish({.body = body}).value();
  for (const Queue& queue : queues) {
    const std::vector<Received> got = Drain(queue);
    ASSERT_THAT(got, SizeIs(1));
    ASSERT_TRUE(got[0].payload().SharesBlockWith(body));
  }
}

TEST_F(TopicTest, AFailedValidationReachesNobody) {
  const Queue queue = house_.MakeQueue("q");
  topic_.Subscribe(queue).value();
  EXPECT_EQ(CodeOf(topic_.Publish({.body = ""}).status()), "InvalidParameter");
  EXPECT_EQ(CodeOf(topic_.Publish({.body = "m", .attributes = {{"a..b", "v"}}}).status()),
            "ParameterValueInvalid");
  EXPECT_EQ(queue.Depth().total(), 0);
  EXPECT_EQ(topic_.Stats().published, 0);
}

TEST_F(TopicTest, FiltersByAttributes) {
  const Queue acme = house_.MakeQueue("acme"), all = house_.MakeQueue("all");
  const Subscription filtered =
      topic_
          .Subscribe(acme, {.filter_policy = R"({"tenant":["acme"],"n":[{"numeric":[">",1]}]})",
                            .raw = true})
          .value();
  topic_.Subscribe(all, {.raw = true}).value();
  topic_
      .Publish(
          {.body = "1", .attributes = {{"tenant", "acme"}, {"n", AttributeValue::Number("2")}}})
      .value();
  topic_
      .Publish(
          {.body = "2", .attributes = {{"tenant", "other"}, {"n", AttributeValue::Number("2")}}})
      .value();
  topic_.Publish({.body = "3"}).value();  // no attributes at all
  EXPECT_THAT(DrainBodies(acme), ElementsAre("1"));
  EXPECT_THAT(Drain(all), SizeIs(3));
  EXPECT_EQ(filtered.Stats().filtered, 2);
  EXPECT_EQ(filtered.Stats().delivery.delivered, 1);
}

TEST_F(TopicTest, StringArraysMatchByElementAndBinaryNever) {
  const Queue array = house_.MakeQueue("array"), binary = house_.MakeQueue("binary");
  topic_.Subscribe(array, {.filter_policy = R"({"a":["x"]})", .raw = true}).value();
  topic_.Subscribe(binary, {.filter_policy = R"({"b":["x"]})", .raw = true}).value();
  topic_
      .Publish({.body = "m",
                .attributes = {{"a", AttributeValue::StringArray(R"(["y","x"])")},
                               {"b", AttributeValue::Binary("x")}}})
      .value();
  EXPECT_THAT(Drain(array), SizeIs(1));
  EXPECT_THAT(Drain(binary), IsEmpty());
}

TEST_F(TopicTest, FiltersByBodyAndABodyThatIsNoJsonPassesNone) {
  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription =
      topic_
          .Subscribe(queue, {.filter_policy = R"({"order":{"state":["paid"]}})",
                             .filter_policy_scope = FilterPolicyScope::kMessageBody,
                             .raw = true})
          .value();
  topic_.Publish({.body = R"({"order":{"state":"paid"}})"}).value();
  topic_.Publish({.body = R"({"order":{"state":"open"}})"}).value();
  topic_.Publish({.body = "paid"}).value();
  EXPECT_THAT(DrainBodies(queue), ElementsAre(R"({"order":{"state":"paid"}})"));
  EXPECT_EQ(subscription.Stats().filtered, 2);
}

TEST_F(TopicTest, ExplainNamesTheFieldThatStoppedIt) {
  topic_.Subscribe(house_.MakeQueue("a")).value();
  topic_.Subscribe(house_.MakeQueue("b"), {.filter_policy = R"({"tenant":["acme"]})"}).value();
  topic_
      .Subscribe(house_.MakeQueue("c"), {.filter_policy = R"({"x":[1]})",
                                         .filter_policy_scope = FilterPolicyScope::kMessageBody})
      .value();
  const auto why = topic_.Explain({.body = "no json", .attributes = {{"tenant", "other"}}}).value();
  ASSERT_THAT(why, SizeIs(3));
  EXPECT_TRUE(why[0].verdict.matched);
  EXPECT_FALSE(why[1].verdict.matched);
  EXPECT_EQ(why[1].verdict.path, "tenant");
  EXPECT_FALSE(why[2].verdict.matched);
  EXPECT_THAT(why[2].verdict.sentence, HasSubstr("not a JSON object"));
  EXPECT_EQ(topic_.Stats().published, 0);
}

// A queue cannot carry more than ten attributes: the message goes to the dead-letter queue at once
// and the publisher hears nothing of it.
TEST_F(TopicTest, TooManyRawAttributesAreAPermanentFault) {
  const Queue queue = house_.MakeQueue("q"), dead = house_.MakeQueue("dead");
  const Queue enveloped = house_.MakeQueue("enveloped");
  const Subscription raw = topic_.Subscribe(Target(queue).DeadLetter(dead), {.raw = true}).value();
  topic_.Subscribe(enveloped).value();
  Attributes eleven;
  for (int i = 0; i < 11; ++i) eleven.Set("a" + std::to_string(i), "v");
  ASSERT_THAT(topic_.Publish({.body = "m", .attributes = eleven}), testing::IsOk());
  EXPECT_THAT(Drain(queue), IsEmpty());
  EXPECT_THAT(Drain(enveloped), SizeIs(1));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr("\"a10\" : {"));
  EXPECT_EQ(raw.Stats().delivery.dead_lettered, 1);
  EXPECT_EQ(raw.Stats().delivery.failed_attempts, 1);
}

TEST_F(TopicTest, TheDeadLetterIsWhatTheQueueWouldHaveHad) {
  const Queue raw = house_.MakeQueue("raw"), enveloped = house_.MakeQueue("enveloped");
  const Queue raw_dead = house_.MakeQueue("raw-dead");
  const Queue enveloped_dead = house_.MakeQueue("enveloped-dead");
  topic_.Subscribe(Target(raw).DeadLetter(raw_dead), {.raw = true}).value();
  topic_.Subscribe(Target(enveloped).DeadLetter(enveloped_dead)).value();
  raw.core()->Close(CloseKind::kDeleted);
  enveloped.core()->Close(CloseKind::kDeleted);
  ASSERT_THAT(topic_.Publish({.body = "m", .attributes = {{"k", "v"}}}), testing::IsOk());

  const std::vector<Received> letter = Drain(raw_dead);
  ASSERT_THAT(letter, SizeIs(1));
  EXPECT_EQ(letter[0].body(), "m");
  EXPECT_EQ(letter[0].attributes(), (Attributes{{"k", "v"}}));  // and no error attributes
  const std::vector<Received> envelope = Drain(enveloped_dead);
  ASSERT_THAT(envelope, SizeIs(1));
  EXPECT_THAT(std::string(envelope[0].body()), HasSubstr("\"Type\" : \"Notification\""));
  EXPECT_TRUE(envelope[0].attributes().empty());
}

TEST_F(TopicTest, AFunctionsDeadLetterIsTheEnvelopeWhateverTheRawFlag) {
  const Queue dead = house_.MakeQueue("dead");
  const Function broken =
      house_.MakeFunction("broken", [](const FunctionEvent&) { return absl::InternalError("no"); });
  topic_.Subscribe(Target(broken).Retry({.retries_max = 1}).DeadLetter(dead), {.raw = true})
      .value();
  topic_.Publish({.body = "m"}).value();
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(std::string(letters[0].body()), HasSubstr("\"Message\" : \"m\""));
}

// Escaped it is twice as long, and only the queue that is to keep it takes it.
TEST_F(TopicTest, AnEnvelopeTooLargeForItsQueueRestsInTheDeadLetterQueue) {
  const Queue queue = house_.MakeQueue("q", {.message_bytes_max = 300'000});
  const Queue dead = house_.MakeQueue("dead", {.message_bytes_max = 300'000});
  const Subscription subscription = topic_.Subscribe(Target(queue).DeadLetter(dead)).value();
  ASSERT_THAT(topic_.Publish({.body = std::string(200'000, '"')}), testing::IsOk());
  EXPECT_THAT(Drain(queue), IsEmpty());
  EXPECT_EQ(subscription.Stats().delivery.dead_lettered, 1);
  EXPECT_EQ(subscription.Stats().delivery.dropped, 0);
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_GT(letters[0].body().size(), 400'000u);
}

TEST_F(TopicTest, AFunctionGetsTheMessageItself) {
  std::string body, subject, attribute;
  const Function f = house_.MakeFunction("f", [&](const FunctionEvent& event) {
    body = event.body, subject = event.subject;
    attribute = event.attributes->Find("k")->value;
    return absl::OkStatus();
  });
  topic_.Subscribe(f).value();
  topic_.Publish({.body = "m", .subject = "s", .attributes = {{"k", "v"}}}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(body + subject + attribute, "msv");
}

// One that is full or fails holds up nobody; it has the message once it can.
TEST_F(TopicTest, AFullQueueGetsTheMessageLaterAndTheOthersAtOnce) {
  const Queue small = house_.MakeQueue("small", {.messages_max = 1});
  const Queue big = house_.MakeQueue("big");
  const Subscription subscription = topic_.Subscribe(small, {.raw = true}).value();
  topic_.Subscribe(big, {.raw = true}).value();
  topic_.Publish({.body = "1"}).value();
  topic_.Publish({.body = "2"}).value();
  EXPECT_THAT(DrainBodies(big), ElementsAre("1", "2"));
  EXPECT_EQ(subscription.Stats().delivery.pending, 1);
  EXPECT_THAT(DrainBodies(small), ElementsAre("1"));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(DrainBodies(small), ElementsAre("2"));
  EXPECT_EQ(subscription.Stats().delivery.pending, 0);
  EXPECT_EQ(subscription.Stats().delivery.delivered, 2);
}

class CountingTap : public Tap {
 public:
  TapVerdict Accepted(const AcceptedMessage& message) override {
    sequences.push_back(message.sequence);
    bodies.emplace_back(message.body.view());
    arn = message.resource_arn;
    return verdict;
  }
  TapVerdict verdict = TapVerdict::kDeliver;
  std::vector<uint64_t> sequences;
  std::vector<std::string> bodies;
  std::string arn;
};

TEST_F(TopicTest, TheTapSeesWhatIsAcceptedBeforeFanOutAndMayTakeItOver) {
  CountingTap tap;
  house_.env->tap = &tap;
  const Queue queue = house_.MakeQueue("q");
  topic_.Subscribe(queue, {.raw = true}).value();
  topic_.Publish({.body = "1"}).value();
  EXPECT_FALSE(topic_.Publish({.body = ""}).ok());
  tap.verdict = TapVerdict::kTakeOver;
  ASSERT_THAT(topic_.Publish({.body = "2"}), testing::IsOk());
  EXPECT_THAT(tap.bodies, ElementsAre("1", "2"));
  EXPECT_THAT(tap.sequences, ElementsAre(1, 2));
  EXPECT_EQ(tap.arn, topic_.arn().ToString());
  EXPECT_THAT(DrainBodies(queue), ElementsAre("1"));
  house_.env->tap = nullptr;
}

TEST_F(TopicTest, HandlesOutliveTheTopic) {
  const Queue queue = house_.MakeQueue("q");
  const Subscription subscription = topic_.Subscribe(queue).value();
  topic_.core()->Close(CloseKind::kDeleted);
  EXPECT_EQ(CodeOf(topic_.Publish({.body = "m"}).status()), "NotFound");
  EXPECT_EQ(TextOf(topic_.Publish({.body = "m"}).status()), "Topic does not exist");
  EXPECT_EQ(topic_.Subscribe(queue).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(topic_.Options().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(subscription.Unsubscribe(), testing::IsOk());
  EXPECT_EQ(topic_.Stats().subscriptions, 0);
  EXPECT_EQ(topic_.name(), "orders");

  const Topic stopped = house_.MakeTopic("stopped");
  stopped.core()->Close(CloseKind::kStopped);
  EXPECT_EQ(stopped.Publish({.body = "m"}).status().code(), absl::StatusCode::kUnavailable);
  const Topic none;
  EXPECT_EQ(none.Publish({.body = "m"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(none.name(), "");
}

TEST_F(TopicTest, BehindAClosedGateNothingGetsIn) {
  house_.env->gate.Close();
  EXPECT_EQ(topic_.Publish({.body = "m"}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(topic_.ListSubscriptions().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace banyan::internal
