// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 2 and 4: FIFO topics, what they remember, what they hand to queues, and that
// the order of a group survives queues that refuse for a while. The rows marked there bear their
// numbers.
#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "base/hash.h"
#include "gmock/gmock.h"
#include "queue/json_members.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class FifoTopicTest : public RouteTest {
 protected:
  Topic MakeFifo(TopicOptions options = {}) {
    options.fifo = true;
    return house_.MakeTopic("orders.fifo", options);
  }
  Queue MakeFifoQueue(const std::string& name, QueueOptions options = {}) {
    options.fifo = true;
    return house_.MakeQueue(name, options);
  }
  static PublishRequest Message(std::string body, std::string group, std::string id) {
    return {.body = std::move(body),
            .message_group_id = std::move(group),
            .message_deduplication_id = std::move(id)};
  }
  static std::string MemberOf(std::string_view json, std::string_view name) {
    const auto members = ReadJsonObject(json);
    const JsonMember* member = members.has_value() ? FindMember(*members, name) : nullptr;
    return member == nullptr ? "absent" : member->text;
  }
};

TEST_F(FifoTopicTest, T6_TheEnvelopeHasASequenceNumberAndNoSignature) {
  const Topic topic = MakeFifo();
  const Queue queue = MakeFifoQueue("q.fifo");
  topic.Subscribe(queue).value();
  const PublishResult sent = topic.Publish(Message("m", "g", "1")).value();
  EXPECT_EQ(std::to_string(sent.sequence_number), "10000000000000000001");
  const std::vector<Received> got = Drain(queue);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_THAT(std::string(got[0].body()),
              HasSubstr("\",\n  \"SequenceNumber\" : \"10000000000000000001\",\n  \"TopicArn\""));
  EXPECT_THAT(std::string(got[0].body()), Not(HasSubstr("Sign")));
  EXPECT_EQ(MemberOf(got[0].body(), "MessageId"), sent.message_id.ToString());
}

TEST_F(FifoTopicTest, T10_TakesFifoAndStandardQueuesAndNothingElse) {
  const Topic topic = MakeFifo();
  EXPECT_TRUE(topic.Subscribe(MakeFifoQueue("q.fifo")).ok());
  EXPECT_TRUE(topic.Subscribe(house_.MakeQueue("not-fifo-queue")).ok());
  const Function function =
      house_.MakeFunction("f", [](const FunctionEvent&) { return absl::OkStatus(); });
  const absl::Status refused = topic.Subscribe(function).status();
  EXPECT_EQ(CodeOf(refused), "InvalidParameter");
  EXPECT_THAT(TextOf(refused), HasSubstr("only queues can be subscribed to FIFO topics"));

  const absl::Status other = house_.MakeTopic("t").Subscribe(MakeFifoQueue("q2.fifo")).status();
  EXPECT_EQ(TextOf(other),
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
            "subscribed to standard SNS topics");
}

TEST_F(FifoTopicTest, T11_ADuplicateReachesNobodyNotEvenAStandardQueue) {
  const Topic topic = MakeFifo();
  const Queue fifo = MakeFifoQueue("q.fifo");
  const Queue standard = house_.MakeQueue("standard");
  topic.Subscribe(fifo, {.raw = true}).value();
  topic.Subscribe(standard, {.raw = true}).value();

  const PublishResult first = topic.Publish(Message("one", "g", "id")).value();
  runtime_.Advance(absl::Minutes(5) - absl::Nanoseconds(1));
  const PublishResult again = topic.Publish(Message("two", "another", "id")).value();
  EXPECT_EQ(again.message_id, first.message_id);
  EXPECT_EQ(again.sequence_number, first.sequence_number);
  EXPECT_THAT(DrainBodies(fifo), ElementsAre("one"));
  EXPECT_THAT(DrainBodies(standard), ElementsAre("one"));
  EXPECT_EQ(topic.Stats().published, 1);
  EXPECT_EQ(topic.Stats().duplicates, 1);

  // Five minutes after the first, whatever came since.
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_NE(topic.Publish(Message("three", "g", "id")).value().message_id, first.message_id);
  EXPECT_THAT(DrainBodies(standard), ElementsAre("three"));
}

TEST_F(FifoTopicTest, T12_AFifoQueueGetsTheGroupAndTheHashOfThePublishedBody) {
  const Topic topic = MakeFifo({.content_based_deduplication = true});
  const Queue queue = MakeFifoQueue("q.fifo");  // without content-based deduplication of its own
  topic.Subscribe(queue).value();               // so what it gets is an envelope
  queue.Send({.body = "mine", .message_group_id = "g", .message_deduplication_id = "0"}).value();
  Drain(queue);
  topic.Publish({.body = "text", .message_group_id = "g"}).value();
  topic.Publish(Message("text", "g", "explicit")).value();
  const std::vector<Received> got = Drain(queue);
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_EQ(got[0].message_group_id(), "g");
  EXPECT_EQ(got[0].deduplication_id(), Sha256Hex("text"));
  EXPECT_EQ(got[1].deduplication_id(), "explicit");
  EXPECT_NE(std::to_string(got[0].sequence_number()), MemberOf(got[0].body(), "SequenceNumber"))
      << "the queue numbers by itself";
}

TEST_F(FifoTopicTest, T13_AStandardQueueGetsNoGroupFromAFifoTopic) {
  const Topic topic = MakeFifo();
  const Queue raw = house_.MakeQueue("raw");
  const Queue enveloped = house_.MakeQueue("enveloped");
  topic.Subscribe(raw, {.raw = true}).value();
  topic.Subscribe(enveloped).value();
  topic.Publish(Message("m", "g", "1")).value();
  for (const Queue& queue : {raw, enveloped}) {
    const std::vector<Received> got = Drain(queue);
    ASSERT_THAT(got, SizeIs(1));
    EXPECT_EQ(got[0].message_group_id(), "");
    EXPECT_EQ(got[0].deduplication_id(), "");
    EXPECT_EQ(got[0].SystemAttributes().count("MessageGroupId"), 0u);
  }
}

TEST_F(FifoTopicTest, T3_AStandardTopicHandsItsGroupToStandardQueues) {
  const Topic topic = house_.MakeTopic("t");
  const Queue raw = house_.MakeQueue("raw");
  const Queue enveloped = house_.MakeQueue("enveloped");
  topic.Subscribe(raw, {.raw = true}).value();
  topic.Subscribe(enveloped).value();
  EXPECT_EQ(topic.Publish({.body = "m", .message_group_id = "tenant"}).value().sequence_number, 0u);
  for (const Queue& queue : {raw, enveloped}) {
    const std::vector<Received> got = Drain(queue);
    ASSERT_THAT(got, SizeIs(1));
    EXPECT_EQ(got[0].message_group_id(), "tenant");
  }
}

TEST_F(FifoTopicTest, WrongIdsAreRefusedInTheServicesWords) {
  const Topic fifo = MakeFifo();
  const Topic standard = house_.MakeTopic("t");
  const auto text = [](const Topic& topic, PublishRequest request) {
    const absl::Status refused = topic.Publish(std::move(request)).status();
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    return TextOf(refused);
  };
  EXPECT_EQ(text(fifo, {.body = "m", .message_deduplication_id = "1"}),
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
  EXPECT_EQ(text(fifo, {.body = "m", .message_group_id = "g"}),
            "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly");
  EXPECT_EQ(text(standard, {.body = "m", .message_deduplication_id = "1"}),
            "Invalid parameter: MessageDeduplicationId Reason: The request includes "
            "MessageDeduplicationId parameter that is not valid for this topic type");
  for (const std::string& bad :
       {std::string("a b"), std::string(129, 'x'), std::string("\xC3\xA4")}) {
    EXPECT_THAT(text(fifo, Message("m", bad, "1")), HasSubstr("MessageGroupId Reason"));
    EXPECT_THAT(text(fifo, Message("m", "g", bad)), HasSubstr("MessageDeduplicationId Reason"));
    EXPECT_THAT(text(standard, {.body = "m", .message_group_id = bad}),
                HasSubstr("MessageGroupId Reason"));
  }
  EXPECT_TRUE(fifo.Publish(Message("m", std::string(128, '!'), std::string(128, '~'))).ok());
}

TEST_F(FifoTopicTest, TheDeadLetterQueueIsOfTheKindOfTheSubscribedQueue) {
  const Topic topic = MakeFifo();
  const Queue fifo = MakeFifoQueue("q.fifo"), fifo_dead = MakeFifoQueue("dead.fifo");
  const Queue standard = house_.MakeQueue("standard"), dead = house_.MakeQueue("dead");
  EXPECT_EQ(TextOf(topic.Subscribe(Target(fifo).DeadLetter(dead)).status()),
            "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO "
            "Subscription to a FIFO Topic.");
  EXPECT_FALSE(topic.Subscribe(Target(standard).DeadLetter(fifo_dead)).ok());
  EXPECT_TRUE(topic.Subscribe(Target(fifo).DeadLetter(fifo_dead)).ok());
  EXPECT_TRUE(topic.Subscribe(Target(standard).DeadLetter(dead)).ok());
}

// A full queue is a transient fault. What follows in the group waits for what was refused.
TEST_F(FifoTopicTest, AGroupKeepsItsOrderThroughRetries) {
  const Topic topic = MakeFifo();
  const Queue queue = MakeFifoQueue("q.fifo", {.messages_max = 1});
  const Subscription subscription = topic.Subscribe(queue, {.raw = true}).value();
  for (int i = 0; i < 20; ++i) {
    topic.Publish(Message(std::to_string(i), i % 2 == 0 ? "even" : "odd", std::to_string(i)))
        .value();
  }
  std::map<std::string, std::vector<int>> got;
  for (int i = 0; i < 20; ++i) {
    for (int step = 0; queue.Depth().visible == 0 && step < 100; ++step) {
      runtime_.Advance(absl::Seconds(20));
    }
    for (const Received& one : Drain(queue)) {
      got[std::string(one.message_group_id())].push_back(std::stoi(std::string(one.body())));
    }
  }
  EXPECT_THAT(got["even"], ElementsAre(0, 2, 4, 6, 8, 10, 12, 14, 16, 18));
  EXPECT_THAT(got["odd"], ElementsAre(1, 3, 5, 7, 9, 11, 13, 15, 17, 19));
  const DeliveryStats books = subscription.Stats().delivery;
  EXPECT_EQ(books.matched, 20);
  EXPECT_EQ(books.delivered, 20);
  EXPECT_EQ(books.pending, 0);
}

// T17: a queue made again under its name is another one. What came for it goes to the dead-letter
// queue with its group and id, in order.
TEST_F(FifoTopicTest, T53_DeadLettersKeepGroupIdAndOrder) {
  const Topic topic = MakeFifo();
  const Queue queue = MakeFifoQueue("q.fifo");
  const Queue dead = MakeFifoQueue("dead.fifo");
  topic.Subscribe(Target(queue).DeadLetter(dead)).value();
  queue.core()->Close(CloseKind::kDeleted);
  for (const char* id : {"1", "2", "3"}) topic.Publish(Message(id, "g", id)).value();
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(letters[i].message_group_id(), "g");
    EXPECT_EQ(letters[i].deduplication_id(), std::to_string(i + 1));
    EXPECT_EQ(MemberOf(letters[i].body(), "Message"), std::to_string(i + 1));
    EXPECT_THAT(letters[i].attributes(), IsEmpty());
  }
}

TEST_F(FifoTopicTest, ADeletedTopicGivesUpWhatWaitsInLineInOrder) {
  const Topic topic = MakeFifo();
  const Queue queue = MakeFifoQueue("q.fifo", {.messages_max = 1});
  const Queue dead = MakeFifoQueue("dead.fifo");
  const Subscription subscription =
      topic.Subscribe(Target(queue).DeadLetter(dead), {.raw = true}).value();
  for (int i = 0; i < 5; ++i)
    topic.Publish(Message(std::to_string(i), "g", std::to_string(i))).value();
  EXPECT_EQ(topic.core()->PendingDeliveries(), 4);
  topic.core()->Close(CloseKind::kDeleted);
  EXPECT_THAT(DrainBodies(dead), ElementsAre("1", "2", "3", "4"));
  EXPECT_EQ(subscription.Stats().delivery.pending, 0);
  EXPECT_EQ(subscription.Stats().delivery.dead_lettered, 4);
}

TEST_F(FifoTopicTest, ALineHasABoundAndWhatIsBeyondIsADeadLetterAtOnce) {
  const Topic topic = MakeFifo();
  const Queue queue = MakeFifoQueue("q.fifo", {.messages_max = 1});
  const Queue dead = MakeFifoQueue("dead.fifo");
  const Subscription subscription =
      topic.Subscribe(Target(queue).DeadLetter(dead).Retry({.waiting_max = 3}), {.raw = true})
          .value();
  for (int i = 0; i < 6; ++i)
    topic.Publish(Message(std::to_string(i), "g", std::to_string(i))).value();
  EXPECT_EQ(subscription.Stats().delivery.pending, 3);
  EXPECT_THAT(DrainBodies(dead), ElementsAre("4", "5"));
  std::vector<std::string> got;
  for (int step = 0; got.size() < 4 && step < 100; ++step) {
    for (const std::string& body : DrainBodies(queue)) got.push_back(body);
    runtime_.Advance(absl::Minutes(1));
  }
  EXPECT_THAT(got, ElementsAre("0", "1", "2", "3"));
}

// A log sink runs inside the fan-out, and may publish.
TEST_F(FifoTopicTest, APublishFromInsideAFanOutComesNext) {
  const Topic topic = MakeFifo();
  const Queue queue = MakeFifoQueue("q.fifo");
  const Queue gone = MakeFifoQueue("gone.fifo");
  topic.Subscribe(gone).value();  // without a dead-letter queue: dropped, and logged
  topic.Subscribe(queue, {.raw = true}).value();
  gone.core()->Close(CloseKind::kDeleted);
  struct Echo : LogSink {
    void Write(const LogRecord&) override {
      if (echoed < 3) topic.Publish(Message("echo", "g", std::to_string(++echoed))).value();
    }
    Topic topic;
    int echoed = 0;
  } echo;
  echo.topic = topic;
  house_.env->log = &echo;
  topic.Publish(Message("first", "g", "id")).value();
  house_.env->log = nullptr;
  EXPECT_THAT(DrainBodies(queue), ElementsAre("first", "echo", "echo", "echo"));
}

// Two queues see the messages of each group in one order, however many threads publish; and who
// published finds his message in both when Publish returns.
TEST(FifoTopicThreadsTest, AllQueuesSeeOneOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 300;
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 1, .seed = 1});
  TestHouse house(*runtime);
  const Topic topic = house.MakeTopic("t.fifo", {.fifo = true});
  std::vector<Queue> queues;
  for (const char* name : {"a.fifo", "b.fifo"}) {
    queues.push_back(house.MakeQueue(name, {.fifo = true}));
    topic.Subscribe(queues.back(), {.raw = true}).value();
  }
  std::atomic<int> missing{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string name = std::to_string(t) + "." + std::to_string(i);
        const PublishResult sent = topic
                                       .Publish({.body = name,
                                                 .message_group_id = "g" + std::to_string(i % 3),
                                                 .message_deduplication_id = name})
                                       .value();
        // Numbers begin behind 10^19, and nothing leaves the queues.
        const int64_t at_least =
            static_cast<int64_t>(sent.sequence_number - 10'000'000'000'000'000'000u);
        for (const Queue& queue : queues) {
          if (queue.Depth().total() < at_least) missing.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missing.load(), 0);

  std::vector<std::map<std::string, std::vector<std::string>>> seen;
  for (const Queue& queue : queues) {
    auto& groups = seen.emplace_back();
    for (;;) {
      const std::vector<Received> batch = queue.Receive({.max_messages = 10}).value();
      if (batch.empty()) break;
      for (const Received& one : batch) {
        groups[std::string(one.message_group_id())].emplace_back(one.body());
      }
      queue.DeleteBatch(batch).value();
    }
  }
  EXPECT_EQ(seen[0], seen[1]);
  size_t all = 0;
  for (const auto& [group, bodies] : seen[0]) {
    all += bodies.size();
    // Each thread's messages of a group are in the order in which it published them.
    std::map<std::string, int> last;
    for (const std::string& body : bodies) {
      const size_t dot = body.find('.');
      const int number = std::stoi(body.substr(dot + 1));
      const auto [before, is_first] = last.try_emplace(body.substr(0, dot), -1);
      EXPECT_LT(before->second, number) << group;
      before->second = number;
    }
  }
  EXPECT_EQ(all, size_t{kThreads} * kEach);
}

}  // namespace
}  // namespace banyan::internal
