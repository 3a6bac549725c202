// SPDX-License-Identifier: Apache-2.0
//
// What a FIFO topic takes for a duplicate, row by row, by the numbers in tests/data/topic_rows.md:
// spec/topics.md 4, through the public API alone. T-11 to T-13 are in fifo_topic_test.cc.
#include <string>
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

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DedupRows : public ::testing::Test {
 protected:
  Topic MakeFifo(std::string_view name, TopicOptions options = {}) {
    options.fifo = true;
    const Topic topic = broker_.CreateTopic(name, options).value();
    topic.Subscribe(queue_, {.raw = true}).value();
    return topic;
  }
  static PublishResult Publish(const Topic& topic, std::string body, std::string group,
                               std::string id = "", Attributes attributes = {}) {
    const absl::StatusOr<PublishResult> sent =
        topic.Publish({.body = std::move(body),
                       .attributes = std::move(attributes),
                       .message_group_id = std::move(group),
                       .message_deduplication_id = std::move(id)});
    EXPECT_THAT(sent, testing::IsOk());
    return sent.value_or(PublishResult());
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  // A standard one, which has no window of its own.
  Queue queue_ = broker_.CreateQueue("q").value();
};

TEST_F(DedupRows, T41_TheWindowIsFiveMinutesFromTheFirstWhateverComesBetween) {
  const Topic topic = MakeFifo("t.fifo");
  Publish(topic, "first", "g", "id");
  for (int minute = 1; minute < 5; ++minute) {
    runtime_.Advance(absl::Minutes(1));
    Publish(topic, "again", "g", "id");
  }
  runtime_.Advance(absl::Minutes(1) - absl::Nanoseconds(1));
  Publish(topic, "again", "g", "id");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("first"));
  runtime_.Advance(absl::Nanoseconds(1));
  Publish(topic, "five minutes later", "g", "id");
  Publish(topic, "again", "g", "id");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("five minutes later"));
}

TEST_F(DedupRows, T42_InScopeTopicTheIdAloneCounts) {
  const Topic topic = MakeFifo("t.fifo");  // the default
  Publish(topic, "a", "one", "id");
  Publish(topic, "b", "another", "id");
  Publish(topic, "a", "one", "another-id");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("a", "a"));
  EXPECT_EQ(topic.Stats().duplicates, 1);
}

TEST_F(DedupRows, T43_InScopeMessageGroupAnIdIsUniqueInItsGroup) {
  const Topic topic =
      MakeFifo("t.fifo", {.fifo_throughput_scope = FifoThroughputScope::kMessageGroup});
  for (const char* group : {"a", "b", "a"}) Publish(topic, group, group, "id");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("a", "b"));
}

TEST_F(DedupRows, T44_ADuplicateSucceedsWithTheMessageIdAndIsNotDelivered) {
  const Topic topic = MakeFifo("t.fifo");
  const PublishResult first = Publish(topic, "first", "g", "id");
  Publish(topic, "between", "g", "2");
  const PublishResult again = Publish(topic, "again", "g", "id");
  EXPECT_NE(first.message_id, Id());
  EXPECT_EQ(again.message_id, first.message_id);
  EXPECT_EQ(again.sequence_number, first.sequence_number);
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("first", "between"));
}

TEST_F(DedupRows, T45_ByContentItIsTheMessageThatCountsAndNothingElse) {
  const Topic topic = MakeFifo("t.fifo", {.content_based_deduplication = true});
  Publish(topic, "text", "g");
  Publish(topic, "text", "g", "", {{"other", "attributes"}});
  ASSERT_THAT(
      topic.Publish({.body = "text", .subject = "another subject", .message_group_id = "g"}),
      testing::IsOk());
  Publish(topic, "text", "another-group");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("text"));
  Publish(topic, "Text", "g");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("Text"));
}

TEST_F(DedupRows, T46_AnIdThatIsGivenGoesBeforeTheContent) {
  const Topic topic = MakeFifo("t.fifo", {.content_based_deduplication = true});
  Publish(topic, "text", "g", "1");
  Publish(topic, "text", "g", "2");
  Publish(topic, "other text", "g", "1");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("text", "text"));
  Publish(topic, "text", "g");  // by its content it is the first
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("text"));
}

TEST_F(DedupRows, T47_WithoutAnIdTheTopicHasToGoByContent) {
  const Topic topic = MakeFifo("t.fifo");
  const absl::Status refused = topic.Publish({.body = "m", .message_group_id = "g"}).status();
  EXPECT_EQ(CodeOf(refused), "InvalidParameter");
  EXPECT_EQ(TextOf(refused),
            "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly");
  EXPECT_THAT(DrainBodies(queue_), IsEmpty());
  EXPECT_THAT(MakeFifo("u.fifo", {.content_based_deduplication = true})
                  .Publish({.body = "m", .message_group_id = "g"}),
              testing::IsOk());
}

TEST_F(DedupRows, T48_AStandardTopicRefusesADeduplicationId) {
  const Topic topic = broker_.CreateTopic("t").value();
  topic.Subscribe(queue_, {.raw = true}).value();
  const absl::Status refused =
      topic.Publish({.body = "m", .message_deduplication_id = "1"}).status();
  EXPECT_EQ(CodeOf(refused), "InvalidParameter");
  EXPECT_EQ(TextOf(refused),
            "Invalid parameter: MessageDeduplicationId Reason: The request includes "
            "MessageDeduplicationId parameter that is not valid for this topic type");
  EXPECT_THAT(DrainBodies(queue_), IsEmpty());
}

TEST_F(DedupRows, T49_ABatchIsDeduplicatedToo) {
  const Topic topic = MakeFifo("t.fifo");
  Publish(topic, "before", "g", "1");
  std::vector<PublishRequest> requests;
  for (const char* id : {"1", "2", "2", "3"}) {
    requests.push_back({.body = id, .message_group_id = "g", .message_deduplication_id = id});
  }
  const auto answers = topic.PublishBatch(std::move(requests)).value();
  ASSERT_THAT(answers, SizeIs(4));
  for (const auto& answer : answers) ASSERT_THAT(answer, testing::IsOk());
  EXPECT_EQ(answers[2]->message_id, answers[1]->message_id);
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("before", "2", "3"));
}

TEST_F(DedupRows, T50_EachTopicRemembersForItself) {
  const Topic one = MakeFifo("one.fifo"), two = MakeFifo("two.fifo");
  Publish(one, "of one", "g", "id");
  Publish(two, "of two", "g", "id");
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("of one", "of two"));
}

TEST_F(DedupRows, T51_TheSequenceNumberHasTwentyDigitsAndAQueueHasItsOwn) {
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Queue fifo = broker_.CreateQueue("q.fifo", {.fifo = true}).value();
  topic.Subscribe(fifo).value();
  fifo.Send({.body = "its own", .message_group_id = "g", .message_deduplication_id = "0"}).value();
  Drain(fifo);
  const PublishResult first = Publish(topic, "a", "g", "1");
  const PublishResult second = Publish(topic, "b", "g", "2");
  EXPECT_LT(first.sequence_number, second.sequence_number);
  const std::vector<Received> got = Drain(fifo);
  ASSERT_THAT(got, SizeIs(2));
  const std::string number = std::to_string(second.sequence_number);
  EXPECT_THAT(number, SizeIs(20));
  EXPECT_THAT(std::string(got[1].body()),
              ::testing::HasSubstr("\"SequenceNumber\" : \"" + number + "\""));
  EXPECT_THAT(std::to_string(got[1].sequence_number()), SizeIs(20));
  EXPECT_NE(got[1].sequence_number(), second.sequence_number);
}

TEST_F(DedupRows, T52_EveryQueueHasTheOrderOfTheGroup) {
  const Topic topic = MakeFifo("t.fifo");
  std::vector<Queue> queues = {queue_};
  for (const char* name : {"a.fifo", "b.fifo"}) {
    queues.push_back(broker_.CreateQueue(name, {.fifo = true}).value());
    topic.Subscribe(queues.back(), {.raw = true}).value();
  }
  std::vector<std::string> expected;
  for (int i = 0; i < 30; ++i) {
    expected.push_back(std::to_string(i));
    Publish(topic, expected.back(), "g", expected.back());
  }
  for (const Queue& queue : queues) EXPECT_EQ(DrainBodies(queue), expected) << queue.name();
}

}  // namespace
}  // namespace banyan
