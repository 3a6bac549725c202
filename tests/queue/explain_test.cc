// SPDX-License-Identifier: Apache-2.0
//
// Explain: why a queue is silent, in sentences. Time is moved by hand, so the texts are compared to
// the letter. The clock begins at 2026-01-01T00:00:00Z.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ExplainTest : public QueueTest {
 protected:
  static Id SendTo(const Queue& queue, std::string_view body, std::string_view group,
                   std::optional<absl::Duration> delay = std::nullopt) {
    SendRequest request = {.body = body, .delay = delay, .message_group_id = std::string(group)};
    if (queue.name().ends_with(".fifo")) request.message_deduplication_id = std::string(body);
    absl::StatusOr<SendResult> sent = queue.Send(std::move(request));
    EXPECT_TRUE(sent.ok()) << sent.status();
    return sent.ok() ? sent->message_id : Id();
  }

  static std::string Explain(const Queue& queue) {
    absl::StatusOr<std::string> text = queue.Explain();
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }

  static std::string Explain(const Queue& queue, Id id) {
    absl::StatusOr<std::string> text = queue.Explain(id);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }

  void Advance(double seconds) { runtime_.Advance(absl::Seconds(seconds)); }
};

// --- The whole queue -----------------------------------------------------------------------------

TEST_F(ExplainTest, SaysThatNothingEverCame) {
  const Queue queue = broker_.Make("jobs");
  EXPECT_EQ(Explain(queue),
            "nothing rests here\n"
            "since the queue was made: nothing came\n");
}

TEST_F(ExplainTest, SaysWhereEverythingWentThatCame) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make(
      "jobs", {.retention = absl::Minutes(2), .redrive = RedrivePolicy{dead.arn(), 1}});
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  ReceiveOne(queue);
  Advance(30);   // to the dead-letter queue
  Advance(100);  // the third expires
  EXPECT_EQ(Explain(queue),
            "nothing rests here\n"
            "since the queue was made: 3 accepted; 1 deleted, 1 expired, 1 moved to other "
            "queues\n");
  EXPECT_THAT(Explain(dead), HasSubstr("since the queue was made: 1 moved in; 1 here\n"));
}

TEST_F(ExplainTest, SaysWhatHidesMessagesAndUntilWhen) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  Receive(queue, {.max_messages = 1, .visibility_timeout = absl::Seconds(10)});
  Receive(queue, {.max_messages = 1, .visibility_timeout = absl::Minutes(2)});
  for (const int seconds : {10, 10, 20}) SendTo(queue, "later", "", absl::Seconds(seconds));
  Advance(2.8);
  EXPECT_EQ(Explain(queue),
            "visible: 1, in flight: 2, delayed: 3\n"
            "1 message can be received now\n"
            "2 in flight until 2026-01-01T00:00:10Z (7.2 s more), the last until "
            "2026-01-01T00:02:00Z (1 min 57.2 s more)\n"
            "3 delayed until 2026-01-01T00:00:10Z (7.2 s more), the last until "
            "2026-01-01T00:00:20Z (17.2 s more)\n"
            "since the queue was made: 6 accepted; 6 here\n");
}

// The issue's own words.
TEST_F(ExplainTest, SaysThreeDelayedUntil) {
  const Queue queue = broker_.Make("jobs", {.delay = absl::Seconds(30)});
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  EXPECT_THAT(Explain(queue),
              AllOf(HasSubstr("\nnothing can be received now\n"),
                    HasSubstr("\n3 delayed until 2026-01-01T00:00:30Z (30 s more)\n")));
}

TEST_F(ExplainTest, SaysThatTheDeadLetterQueueIsGone) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  EXPECT_THAT(Explain(queue), Not(HasSubstr("does not exist")));
  broker_.Delete(dead);
  EXPECT_THAT(Explain(queue), HasSubstr("\nthe dead-letter queue " + dead.arn().ToString() +
                                        " does not exist: messages come back after their last "
                                        "attempt, too\n"));
}

TEST_F(ExplainTest, TimesFollowTheWallClockAndSpansDoNot) {
  const Queue queue = broker_.Make("jobs", {.delay = absl::Seconds(30)});
  Send(queue, "x");
  runtime_.JumpWallClock(absl::Hours(24));
  EXPECT_THAT(Explain(queue), HasSubstr("1 delayed until 2026-01-02T00:00:30Z (30 s more)\n"));
}

TEST_F(ExplainTest, BringsTheQueueUpToNow) {
  const Queue queue = broker_.Make("jobs", {.delay = absl::Seconds(30)});
  Send(queue, "x");
  Advance(30);
  EXPECT_THAT(Explain(queue),
              AllOf(HasSubstr("visible: 1, in flight: 0, delayed: 0\n"), Not(HasSubstr("until"))));
}

TEST_F(ExplainTest, NamesTheInFlightLimit) {
  const Queue queue = broker_.Make("jobs", {.in_flight_max = 2});
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  Receive(queue, {.max_messages = 2});
  EXPECT_THAT(
      Explain(queue),
      HasSubstr("\nthe in flight limit is reached: 2 of 2; nothing is received until one is "
                "deleted or comes back\n"));
}

TEST_F(ExplainTest, TellsOfSendsThatWereRefused) {
  const Queue queue = broker_.Make("jobs", {.messages_max = 1});
  Send(queue, "x");
  EXPECT_FALSE(queue.Send({.body = "y"}).ok());
  EXPECT_THAT(Explain(queue), HasSubstr("\n1 send was refused: full\n"));
}

// X2: who asks changes nothing.
TEST_F(ExplainTest, ChangesNothing) {
  const Queue queue = broker_.Make("jobs");
  const Id id = Send(queue, "x");
  Explain(queue);
  Explain(queue, id);
  EXPECT_EQ(queue.Stats().received, 0);
  const Received received = ReceiveOne(queue);
  EXPECT_EQ(received.receive_count(), 1);
  Explain(queue);
  Explain(queue, id);
  EXPECT_TRUE(received.Delete().ok());
}

// --- Groups --------------------------------------------------------------------------------------

// The issue's own words: "group g1 is blocked: message m1 is in flight for 7.2 s more".
TEST_F(ExplainTest, NamesTheMessageThatBlocksAGroup) {
  const Queue queue =
      broker_.Make("jobs.fifo", {.visibility_timeout = absl::Seconds(10), .fifo = true});
  const Id m1 = SendTo(queue, "m1", "g1");
  for (int i = 0; i < 4; ++i) SendTo(queue, "later" + std::to_string(i), "g1");
  ReceiveOne(queue);
  Advance(2.8);
  EXPECT_EQ(Explain(queue),
            "visible: 4, in flight: 1, delayed: 0\n"
            "nothing can be received now\n"
            "1 in flight until 2026-01-01T00:00:10Z (7.2 s more)\n"
            "group g1 is blocked: message " +
                m1.ToString() +
                " is in flight for 7.2 s more (attempt 1), 4 messages wait behind it\n"
                "since the queue was made: 5 accepted; 5 here\n");
}

TEST_F(ExplainTest, CountsTheAttemptsOfTheMessageInTheWay) {
  const Queue dead = broker_.Make("dead.fifo", {.fifo = true});
  const Queue queue =
      broker_.Make("jobs.fifo", {.fifo = true, .redrive = RedrivePolicy{dead.arn(), 2}});
  SendTo(queue, "m1", "g1");
  ReceiveOne(queue);
  Advance(30);
  ReceiveOne(queue);
  EXPECT_THAT(Explain(queue), HasSubstr(" is in flight for 30 s more (attempt 2, the last)\n"));
}

TEST_F(ExplainTest, AGroupIsBlockedByADelayedMessage) {
  const Queue queue = broker_.Make("jobs.fifo", {.delay = absl::Seconds(30), .fifo = true});
  const Id head = SendTo(queue, "m1", "g2");
  EXPECT_THAT(Explain(queue), HasSubstr("\ngroup g2 is blocked: message " + head.ToString() +
                                        " is delayed for 30 s more\n"));
}

// The prefix rule of the sheet: what stands before the hidden message can be received.
TEST_F(ExplainTest, AGroupMayBeOpenUpToAMessage) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  SendTo(queue, "m1", "g");
  const Id second = SendTo(queue, "m2", "g");
  SendTo(queue, "m3", "g");
  const std::vector<Received> taken = ReceiveAll(queue);
  ASSERT_EQ(taken.size(), 3u);
  ASSERT_TRUE(taken[1].ChangeVisibility(absl::Seconds(90)).ok());
  Advance(30);
  const std::string text = Explain(queue);
  EXPECT_THAT(text, HasSubstr("visible: 2, in flight: 1, delayed: 0\n"
                              "1 message can be received now\n"));
  EXPECT_THAT(text, HasSubstr("\ngroup g is blocked after 1 message: message " + second.ToString() +
                              " is in flight for 1 min more (attempt 1), 1 message waits behind "
                              "it\n"));
}

TEST_F(ExplainTest, AGroupThatIsOpenIsNotTold) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  SendTo(queue, "m1", "open");
  EXPECT_THAT(Explain(queue),
              AllOf(HasSubstr("\n1 message can be received now\n"), Not(HasSubstr("group"))));
}

TEST_F(ExplainTest, TellsTenGroupsAndHowManyMoreTheLongestBlockedFirst) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  for (int i = 0; i < 12; ++i) {
    SendTo(queue, "m" + std::to_string(i), "g" + std::to_string(i));
    ReceiveOne(queue);
    Advance(1);
  }
  const std::string text = Explain(queue);
  size_t at = 0;
  for (int i = 0; i < 10; ++i) {
    const size_t next = text.find("\ngroup g" + std::to_string(i) + " is blocked: ", at);
    ASSERT_NE(next, std::string::npos) << i << "\n" << text;
    at = next;
  }
  EXPECT_THAT(text, AllOf(HasSubstr("\nand so 2 more groups\n"), Not(HasSubstr("group g10 ")),
                          Not(HasSubstr("group g11 "))));
}

// An expiring message does not block until its visibility timeout ends.
TEST_F(ExplainTest, AMessageThatExpiresFirstIsInTheWayNoLonger) {
  const Queue queue = broker_.Make(
      "jobs.fifo",
      {.visibility_timeout = absl::Hours(1), .retention = absl::Minutes(1), .fifo = true});
  SendTo(queue, "m1", "g");
  ReceiveOne(queue);
  Advance(20);
  EXPECT_THAT(Explain(queue),
              HasSubstr(" is in flight for 40 s more, when it expires (attempt 1)\n"));
}

TEST_F(ExplainTest, TellsOfDuplicates) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  SendTo(queue, "same", "g");
  SendTo(queue, "same", "g");
  EXPECT_THAT(Explain(queue),
              HasSubstr("\n1 send had the deduplication id of an earlier one: answered like that, "
                        "not stored\n"));
}

// --- Tenants -------------------------------------------------------------------------------------

TEST_F(ExplainTest, NamesNoisyTenants) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 45; ++i) SendTo(queue, "x", "loud");
  for (int i = 0; i < 4; ++i) ReceiveAll(queue);
  EXPECT_THAT(Explain(queue), Not(HasSubstr("noisy")));  // it is, but in nobody's way
  Send(queue, "x");
  SendTo(queue, "x", "quiet");
  EXPECT_THAT(Explain(queue),
              HasSubstr("\n5 messages of noisy tenants wait behind 2 of quiet ones: "
                        "loud (5, and 40 in flight)\n"));
}

TEST_F(ExplainTest, QuietTenantsAreNotTold) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 35; ++i) SendTo(queue, "x", "quiet");
  for (int i = 0; i < 2; ++i) ReceiveAll(queue);
  EXPECT_THAT(Explain(queue), Not(HasSubstr("noisy")));
}

// --- One message ---------------------------------------------------------------------------------

TEST_F(ExplainTest, TellsWhereAVisibleMessageIs) {
  const Queue queue = broker_.Make("jobs", {.retention = absl::Hours(24)});
  const Id id = Send(queue, "x");
  Advance(90);
  EXPECT_EQ(Explain(queue, id),
            "message " + id.ToString() +
                " is visible since 2026-01-01T00:00:00Z (1 min 30 s ago)\n"
                "nobody has received it here\n"
                "sent at 2026-01-01T00:00:00Z; its retention ends at 2026-01-02T00:00:00Z (23 h "
                "58 min 30 s more)\n");
}

TEST_F(ExplainTest, TellsWhereADelayedMessageIs) {
  const Queue queue = broker_.Make("jobs");
  const Id id = SendTo(queue, "x", "", absl::Milliseconds(1'500));
  EXPECT_THAT(Explain(queue, id),
              HasSubstr(" is delayed until 2026-01-01T00:00:01.5Z (1.5 s more)\n"));
}

TEST_F(ExplainTest, TellsUntilWhenAMessageIsInFlightAndByWhichAttempt) {
  const Queue queue = broker_.Make("jobs");
  const Id id = Send(queue, "x");
  ReceiveOne(queue);
  Advance(30);
  ReceiveOne(queue);
  Advance(22.8);
  EXPECT_THAT(Explain(queue, id),
              AllOf(HasSubstr(" is in flight until 2026-01-01T00:01:00Z (7.2 s more), attempt 2\n"),
                    HasSubstr("received 2 times here, the latest at 2026-01-01T00:00:30Z (22.8 s "
                              "ago)\n")));
}

TEST_F(ExplainTest, TellsWhatBecameOfEarlierAttempts) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 5}});
  const Id id = Send(queue, "x");
  queue.core()->NoteFailure(ReceiveOne(queue), "disk full");
  Advance(30);
  ReceiveOne(queue);
  Advance(30);
  EXPECT_THAT(Explain(queue, id),
              HasSubstr("attempts that failed: after receives at 2026-01-01T00:00:00Z, "
                        "2026-01-01T00:00:30Z with errors \"disk full\", none\n"));
}

TEST_F(ExplainTest, NamesWhatAMessageWaitsBehind) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  const Id first = SendTo(queue, "m1", "g1");
  const Id second = SendTo(queue, "m2", "g1");
  ReceiveOne(queue);
  EXPECT_THAT(Explain(queue, second), HasSubstr("\nits group g1 is blocked: message " +
                                                first.ToString() + " is in flight for 30 s more"));
  EXPECT_THAT(Explain(queue, first), Not(HasSubstr("is blocked")));
}

// The issue's own words: "in the dead-letter queue after receives at ... with errors ...".
TEST_F(ExplainTest, FindsADeadLetterFromItsSource) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}});
  const Id id = Send(queue, "x");
  for (const std::string_view error : {"refused", "", "timed \"out\"\n"}) {
    queue.core()->NoteFailure(ReceiveOne(queue), error);
    Advance(30);
  }
  Advance(5);
  const std::string text =
      "message " + id.ToString() +
      " is in the dead-letter queue after receives at 2026-01-01T00:00:00Z, 2026-01-01T00:00:30Z, "
      "2026-01-01T00:01:00Z with errors \"refused\", none, \"timed \\\"out\\\"\\n\"\n"
      "it was moved at 2026-01-01T00:01:30Z (5 s ago) from jobs to dead\n"
      "it is visible since 2026-01-01T00:01:30Z (5 s ago)\n"
      "nobody has received it here\n"
      "received 3 times in all queues it went through\n"
      "sent at 2026-01-01T00:00:00Z; its retention ends at 2026-01-05T00:00:00Z (3 d 23 h 58 min "
      "25 s more)\n";
  EXPECT_EQ(Explain(queue, id), text);
  EXPECT_EQ(Explain(dead, id), text);
}

TEST_F(ExplainTest, GivesTheReasonOfAReceiverWhoWantedItMoved) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}});
  const Id id = Send(queue, "x");
  ASSERT_TRUE(ReceiveOne(queue).MoveToDeadLetterQueue("bad schema").ok());
  EXPECT_THAT(Explain(queue, id),
              AllOf(HasSubstr("is in the dead-letter queue after receives at 2026-01-01T00:00:00Z "
                              "with errors \"bad schema\"\n"),
                    HasSubstr("from jobs to dead, as its receiver asked: \"bad schema\"\n")));
}

TEST_F(ExplainTest, FollowsDeadLettersThroughQueuesThatNameEachOther) {
  const Queue a = broker_.Make("a");
  const Queue b = broker_.Make("b", {.redrive = RedrivePolicy{a.arn(), 1}});
  ASSERT_TRUE(a.SetOptions({.redrive = RedrivePolicy{b.arn(), 1}}).ok());
  const Id id = Send(a, "x");
  ReceiveOne(a);
  Advance(30);
  EXPECT_THAT(Explain(a, id), HasSubstr(" from a to b\n"));
  ReceiveOne(b);
  Advance(30);
  EXPECT_THAT(Explain(b, id), HasSubstr(" from b to a\n"));
  EXPECT_THAT(Explain(a, id), HasSubstr(" from b to a\n"));
  EXPECT_THAT(Explain(a, Id{1, 2}), HasSubstr("no message "));  // and comes to an end
}

TEST_F(ExplainTest, AnUnknownIdIsAnAnswerToo) {
  const Queue queue = broker_.Make("jobs");
  const Id id = Send(queue, "x");
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  EXPECT_EQ(Explain(queue, id),
            "no message " + id.ToString() +
                " rests here, nor where dead letters of this queue went; it was deleted, has "
                "expired, got another id by a redrive, or was never here\n");
}

TEST_F(ExplainTest, ADeadLetterQueueThatIsGoneIsNoFault) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  const Id id = Send(queue, "x");
  ReceiveOne(queue);
  Advance(30);
  broker_.Delete(dead);
  EXPECT_THAT(Explain(queue, id), HasSubstr("no message "));
}

TEST_F(ExplainTest, AQueueThatIsGoneExplainsNothing) {
  const Queue queue = broker_.Make("jobs");
  broker_.Delete(queue);
  EXPECT_EQ(AwsCode(queue.Explain().status()), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(AwsCode(queue.Explain(Id{1, 1}).status()), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(AwsCode(Queue().Explain().status()), "AWS.SimpleQueueService.NonExistentQueue");
}

// Two queues whose dead letters go to each other, all asked at once: no lock is held for long, nor
// two together. ThreadSanitizer looks on.
TEST_F(ExplainTest, MayBeAskedWhileMessagesMove) {
  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 2});
  {
    TestBroker broker(*runtime);
    const Queue a = broker.Make("a");
    const Queue b = broker.Make("b", {.redrive = RedrivePolicy{a.arn(), 1}});
    ASSERT_TRUE(a.SetOptions({.redrive = RedrivePolicy{b.arn(), 1}}).ok());
    constexpr int kRounds = 300;
    std::vector<std::thread> threads;
    for (const Queue& queue : {a, b}) {
      threads.emplace_back([queue = queue] {
        for (int i = 0; i < kRounds; ++i) {
          Send(queue, "x");
          for (const Received& one : ReceiveAll(queue)) {
            EXPECT_TRUE(one.MoveToDeadLetterQueue("over there").ok());
          }
        }
      });
      threads.emplace_back([queue = queue] {
        for (int i = 0; i < kRounds; ++i) {
          EXPECT_TRUE(queue.Explain().ok());
          EXPECT_TRUE(queue.Explain(Id{1, 1}).ok());
          EXPECT_TRUE(queue.Metrics().ok());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(a.Depth().total() + b.Depth().total(), 2 * kRounds);
  }
}

}  // namespace
}  // namespace banyan::internal
