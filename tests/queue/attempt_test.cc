// SPDX-License-Identifier: Apache-2.0
//
// Receives that have a name: ReceiveRequestAttemptId, section 4 of the sheet. For a receiver that
// lost the answer and asks again.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "queue_testing.h"
#include "refusal.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AttemptTest : public QueueTest {
 protected:
  static QueueOptions Fifo() { return {.fifo = true, .content_based_deduplication = true}; }

  static void SendTo(const Queue& queue, const std::string& group, const std::string& body) {
    absl::StatusOr<SendResult> sent = queue.Send({.body = body, .message_group_id = group});
    ASSERT_TRUE(sent.ok()) << sent.status();
  }
  void SendTo(const std::string& group, const std::string& body) { SendTo(queue_, group, body); }

  std::vector<Received> Attempt(const std::string& id, ReceiveOptions options = {}) {
    options.max_messages = 10;
    options.receive_request_attempt_id = id;
    return Receive(queue_, options);
  }

  static std::vector<std::string> Handles(const std::vector<Received>& received) {
    std::vector<std::string> handles;
    for (const Received& one : received) handles.push_back(one.receipt_handle());
    return handles;
  }

  Queue queue_ = broker_.Make("ledger.fifo", Fifo());
};

TEST_F(AttemptTest, TheSameIdGetsTheSameMessagesAndHandles) {
  SendTo("a", "a1");
  SendTo("a", "a2");
  SendTo("b", "b1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_THAT(Bodies(first), ElementsAre("a1", "a2", "b1"));
  runtime_.Advance(absl::Seconds(5));
  const std::vector<Received> again = Attempt("try");
  EXPECT_EQ(Bodies(again), Bodies(first));
  EXPECT_EQ(Handles(again), Handles(first));
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 3}));
}

TEST_F(AttemptTest, ReplayResetsTheVisibilityTimeout) {
  SendTo("a", "a1");
  ASSERT_EQ(Attempt("try").size(), 1u);
  runtime_.Advance(absl::Seconds(20));
  ASSERT_EQ(Attempt("try").size(), 1u);
  runtime_.Advance(absl::Seconds(30) - absl::Nanoseconds(1));
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty()) << "hidden for thirty seconds from the replay";
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Bodies(ReceiveAll(queue_)), ElementsAre("a1"));
}

TEST_F(AttemptTest, HandlesOfAReplayLiveAsLongAsItsTimeout) {
  SendTo("a", "a1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 1u);
  runtime_.Advance(absl::Seconds(20));
  ASSERT_EQ(Attempt("try").size(), 1u);
  runtime_.Advance(absl::Seconds(20));
  EXPECT_TRUE(queue_.Delete(first[0].receipt_handle()).ok()) << "one handle, one timeout";
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
}

TEST_F(AttemptTest, ReplayAnswersALongPollAtOnce) {
  SendTo("a", "a1");
  ASSERT_EQ(Attempt("try").size(), 1u);
  EXPECT_THAT(Bodies(Attempt("try", {.wait = absl::Seconds(20)})), ElementsAre("a1"));
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
}

TEST_F(AttemptTest, AnIdIsKnownForFiveMinutes) {
  SendTo("a", "a1");
  ASSERT_EQ(Attempt("try", {.visibility_timeout = absl::Hours(1)}).size(), 1u);
  runtime_.Advance(absl::Minutes(5) - absl::Nanoseconds(1));
  EXPECT_THAT(Bodies(Attempt("try", {.visibility_timeout = absl::Hours(1)})), ElementsAre("a1"));
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Attempt("try"), IsEmpty()) << "a receive like any other, and a1 is in flight";
}

TEST_F(AttemptTest, AfterFiveMinutesTheIdNamesWhatItGetsThen) {
  SendTo("a", "a1");
  ASSERT_EQ(Attempt("try", {.visibility_timeout = absl::Hours(1)}).size(), 1u);
  runtime_.Advance(absl::Minutes(5));
  SendTo("b", "b1");
  const std::vector<Received> second = Attempt("try", {.visibility_timeout = absl::Hours(1)});
  EXPECT_THAT(Bodies(second), ElementsAre("b1"));
  EXPECT_EQ(Handles(Attempt("try")), Handles(second));
}

TEST_F(AttemptTest, AnotherIdAndNoIdDoNotGetThem) {
  SendTo("a", "a1");
  ASSERT_EQ(Attempt("try").size(), 1u);
  EXPECT_THAT(Attempt("other"), IsEmpty());
  EXPECT_THAT(Attempt("TRY"), IsEmpty());
  EXPECT_THAT(ReceiveAll(queue_), IsEmpty());
}

TEST_F(AttemptTest, UnknownIdIsAReceiveLikeAnyOther) {
  SendTo("a", "a1");
  EXPECT_THAT(Bodies(Attempt("never-used")), ElementsAre("a1"));
}

TEST_F(AttemptTest, AnIdThatGotNothingIsNotBoundToNothing) {
  EXPECT_THAT(Attempt("try"), IsEmpty());
  SendTo("a", "a1");
  EXPECT_THAT(Bodies(Attempt("try")), ElementsAre("a1"));
}

TEST_F(AttemptTest, DeletingOneOfTheSetEndsTheReplay) {
  SendTo("a", "a1");
  SendTo("b", "b1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 2u);
  ASSERT_TRUE(first[0].Delete().ok());
  EXPECT_THAT(Attempt("try"), IsEmpty()) << "b1 is in flight";
  SendTo("c", "c1");
  EXPECT_THAT(Bodies(Attempt("try")), ElementsAre("c1"));
}

TEST_F(AttemptTest, ChangingTheVisibilityOfOneEndsTheReplay) {
  SendTo("a", "a1");
  SendTo("b", "b1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 2u);
  ASSERT_TRUE(first[0].ChangeVisibility(absl::Minutes(1)).ok());
  EXPECT_THAT(Attempt("try"), IsEmpty());
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(Bodies(Attempt("try")), ElementsAre("b1")) << "its timeout was not reset";
}

TEST_F(AttemptTest, WhatWasHandedBackIsReceivedAnew) {
  SendTo("a", "a1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 1u);
  ASSERT_TRUE(first[0].ChangeVisibility(absl::ZeroDuration()).ok());
  const std::vector<Received> second = Attempt("try");
  ASSERT_THAT(Bodies(second), ElementsAre("a1"));
  EXPECT_NE(Handles(second), Handles(first));
  EXPECT_EQ(second[0].receive_count(), 2);
}

TEST_F(AttemptTest, AnElapsedTimeoutEndsTheReplay) {
  SendTo("a", "a1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 1u);
  runtime_.Advance(absl::Seconds(30));
  const std::vector<Received> second = Attempt("try");
  ASSERT_THAT(Bodies(second), ElementsAre("a1"));
  EXPECT_NE(Handles(second), Handles(first));
  EXPECT_EQ(second[0].receive_count(), 2);
  EXPECT_THAT(queue_.Delete(first[0].receipt_handle()),
              IsRefusalLike("InvalidParameterValue", HasSubstr("The receipt handle has expired")));
}

TEST_F(AttemptTest, OneElapsedTimeoutOfASetIsEnough) {
  SendTo("a", "a1");
  SendTo("b", "b1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 2u);
  runtime_.Advance(absl::Seconds(30));
  ASSERT_THAT(Bodies(Receive(queue_)), ElementsAre("a1")) << "somebody else has it now";
  EXPECT_THAT(Bodies(Attempt("try")), ElementsAre("b1"));
}

TEST_F(AttemptTest, RetentionAndPurgeEndTheReplay) {
  queue_ = broker_.Make(
      "short.fifo",
      {.retention = absl::Minutes(1), .fifo = true, .content_based_deduplication = true});
  SendTo("a", "a1");
  ASSERT_EQ(Attempt("try", {.visibility_timeout = absl::Hours(1)}).size(), 1u);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(Attempt("try"), IsEmpty()) << "expired";
  SendTo("a", "a2");
  ASSERT_EQ(Attempt("try").size(), 1u);
  ASSERT_TRUE(queue_.Purge().ok());
  EXPECT_THAT(Attempt("try"), IsEmpty()) << "purged";
}

TEST_F(AttemptTest, AMoveToTheDeadLetterQueueEndsTheReplay) {
  const Queue dead = broker_.Make("dead.fifo", Fifo());
  queue_ = broker_.Make(
      "poison.fifo",
      {.fifo = true, .content_based_deduplication = true, .redrive = RedrivePolicy{dead.arn(), 5}});
  SendTo("a", "a1");
  SendTo("b", "b1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 2u);
  ASSERT_TRUE(first[1].MoveToDeadLetterQueue("bad").ok());
  EXPECT_THAT(Attempt("try"), IsEmpty());
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.in_flight = 1}));
}

// What arrives meanwhile belongs to the next receive, in the group that is held and in others.
TEST_F(AttemptTest, ReplayHasNothingOfWhatArrivedMeanwhile) {
  SendTo("a", "a1");
  const std::vector<Received> first = Attempt("try");
  ASSERT_EQ(first.size(), 1u);
  SendTo("a", "a2");
  SendTo("b", "b1");
  EXPECT_EQ(Handles(Attempt("try")), Handles(first));
  EXPECT_THAT(Bodies(Attempt("other")), ElementsAre("b1")) << "a2 waits for a1";
  EXPECT_EQ(Handles(Attempt("try")), Handles(first));
}

TEST_F(AttemptTest, ManyIdsAreKeptApart) {
  std::vector<std::vector<std::string>> handles;
  for (int i = 0; i < 500; ++i) {
    const std::string name = std::to_string(i);
    SendTo("g" + name, "body " + name);
    handles.push_back(Handles(Attempt("try" + name)));
    ASSERT_EQ(handles.back().size(), 1u);
  }
  for (int i = 499; i >= 0; --i) {
    ASSERT_EQ(Handles(Attempt("try" + std::to_string(i))), handles[static_cast<size_t>(i)]);
  }
}

TEST_F(AttemptTest, TheSameIdInTwoQueuesIsTwo) {
  const Queue other = broker_.Make("other.fifo", Fifo());
  SendTo("a", "here");
  SendTo(other, "a", "there");
  EXPECT_THAT(Bodies(Attempt("try")), ElementsAre("here"));
  EXPECT_THAT(Bodies(Receive(other, {.receive_request_attempt_id = "try"})), ElementsAre("there"));
}

TEST_F(AttemptTest, BooksBalanceOverReplays) {
  SendTo("a", "a1");
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Attempt("try").size(), 1u);
  queue_.core()->CheckInvariants();
  ASSERT_TRUE(Attempt("try")[0].Delete().ok());
  const QueueStats books = queue_.Stats();
  EXPECT_EQ(books.accepted, 1);
  EXPECT_EQ(books.deleted, 1);
  EXPECT_EQ(books.depth, QueueDepth{});
}

TEST_F(AttemptTest, StandardQueueRefusesIt) {
  const Queue standard = broker_.Make("jobs");
  Send(standard, "m");
  EXPECT_THAT(standard.Receive({.receive_request_attempt_id = "try"}),
              IsRefusalLike("InvalidParameterValue", HasSubstr("ReceiveRequestAttemptId")));
  EXPECT_EQ(standard.Depth(), (QueueDepth{.visible = 1})) << "and takes nothing";
}

TEST_F(AttemptTest, IdHasUpTo128LettersDigitsAndMarks) {
  SendTo("a", "a1");
  const auto receive = [this](const std::string& id) {
    return queue_.Receive({.receive_request_attempt_id = id});
  };
  for (const std::string& bad : {std::string("two words"), std::string(129, 'x'),
                                 std::string("tab\t"), std::string("\xC3\xA9")}) {
    EXPECT_EQ(AwsCode(receive(bad).status()), "InvalidParameterValue") << bad;
  }
  EXPECT_EQ(queue_.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(receive(std::string(127, 'x') + "!")->size(), 1u);
}

// Two receivers who both believe that they are this attempt have the same messages, once.
TEST(AttemptThreadTest, ReceiversAtOnceWithOneIdShareOneSet) {
  const std::unique_ptr<ThreadedRuntime> runtime =
      NewThreadedRuntime({.threads = 1, .clock = {.scale = 0}, .seed = 1});
  TestBroker broker(*runtime);
  const Queue queue = broker.Make("q.fifo", {.fifo = true, .content_based_deduplication = true});
  for (int round = 0; round < 200; ++round) {
    const std::string name = std::to_string(round);
    for (const char* group : {"a", "b", "c"}) {
      ASSERT_TRUE(queue.Send({.body = group + name, .message_group_id = group}).ok());
    }
    std::vector<std::vector<std::string>> handles(3);
    std::vector<std::thread> threads;
    for (std::vector<std::string>& mine : handles) {
      threads.emplace_back([&queue, &mine, &name] {
        const auto got = queue.Receive({.max_messages = 10, .receive_request_attempt_id = name});
        ASSERT_TRUE(got.ok()) << got.status();
        for (const Received& one : *got) mine.push_back(one.receipt_handle());
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(handles[0].size(), 3u);
    ASSERT_EQ(handles[1], handles[0]);
    ASSERT_EQ(handles[2], handles[0]);
    for (const std::string& handle : handles[0]) ASSERT_TRUE(queue.Delete(handle).ok());
  }
}

}  // namespace
}  // namespace banyan::internal
