// SPDX-License-Identifier: Apache-2.0
//
// Consumers of FIFO queues: groups side by side, each in its order, whatever fails. Simulated time.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FifoConsumer : public ConsumerTest {
 protected:
  // Fails the first `times` attempts at `body`.
  void LetFail(const std::string& body, int64_t times = 1) { failing_[body] = times; }

  // Notes every call, and fails what it was told to.
  MessageHandler Note() {
    return [this](const Received& entry) -> absl::Status {
      calls_.emplace_back(entry.body());
      auto at = failing_.find(entry.body());
      if (at != failing_.end() && at->second-- > 0) return absl::UnavailableError("not yet");
      return absl::OkStatus();
    };
  }
  void SendAll(std::initializer_list<const char*> bodies) {
    for (const char* body : bodies) SendToGroup(ledger_, body);
  }
  static std::vector<std::string> Bodies(absl::Span<const Received> batch) {
    std::vector<std::string> bodies;
    for (const Received& entry : batch) bodies.emplace_back(entry.body());
    return bodies;
  }

  Queue ledger_ = MakeQueue("ledger.fifo", {.visibility_timeout = absl::Seconds(30), .fifo = true});
  std::vector<std::string> calls_;
  std::map<std::string, int64_t, std::less<>> failing_;
};

// --- Handlers of single messages -----------------------------------------------------------------

TEST_F(FifoConsumer, AGroupsMessagesAreHandledInOrderOneAfterTheOther) {
  std::map<std::string, std::vector<std::string>> by_group;
  std::set<std::string> busy;
  Consumer consumer =
      Consumer::Start(ledger_, {.batch_size = 10, .concurrency = 8}, [&](const Received& entry) {
        const std::string group(entry.message_group_id());
        EXPECT_TRUE(busy.insert(group).second) << "two handlers of " << group << " at once";
        Work(absl::Milliseconds(10));
        busy.erase(group);
        by_group[group].emplace_back(entry.body());
        return absl::OkStatus();
      }).value();
  SendAll({"a1", "b1", "a2", "c1", "a3", "b2", "a4", "c2", "b3", "a5"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(by_group["a"], ElementsAre("a1", "a2", "a3", "a4", "a5"));
  EXPECT_THAT(by_group["b"], ElementsAre("b1", "b2", "b3"));
  EXPECT_THAT(by_group["c"], ElementsAre("c1", "c2"));
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

// As many calls at once as there are groups with messages, within the concurrency.
TEST_F(FifoConsumer, GroupsAreHandledSideBySide) {
  for (const int64_t concurrency : {1, 2, 8}) {
    std::set<std::string> busy;
    size_t most = 0;
    Consumer consumer = Consumer::Start(ledger_, {.batch_size = 10, .concurrency = concurrency},
                                        [&](const Received& entry) {
                                          const std::string group(entry.message_group_id());
                                          busy.insert(group);
                                          most = std::max(most, busy.size());
                                          Work(absl::Seconds(1));
                                          busy.erase(group);
                                          return absl::OkStatus();
                                        })
                            .value();
    const std::string salt = std::to_string(concurrency);
    for (const char* body : {"a1", "a2", "b1", "b2", "c1", "c2"}) {
      SendToGroup(ledger_, body + ("." + salt));
    }
    runtime_.RunUntilIdle();
    EXPECT_EQ(most, static_cast<size_t>(std::min<int64_t>(concurrency, 3)));
    EXPECT_EQ(ledger_.Depth(), QueueDepth{});
  }
}

TEST_F(FifoConsumer, WhatIsBehindAFailedMessageIsNotHandledAndComesAgainAfterIt) {
  LetFail("a2");
  Consumer consumer =
      Consumer::Start(ledger_, {.batch_size = 10, .retry = Retry{.first = absl::Seconds(5)}},
                      Note())
          .value();
  SendAll({"a1", "a2", "a3", "a4", "b1", "b2"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a1", "a2", "b1", "b2"));
  // Back in the queue, but blocked by the one that waits for its second attempt.
  EXPECT_EQ(ledger_.Depth(), (QueueDepth{.visible = 2, .in_flight = 1}));
  EXPECT_THAT(ledger_.Receive().value(), IsEmpty());
  EXPECT_EQ(consumer.Stats().failed, 1);
  EXPECT_EQ(consumer.Stats().put_back, 2);

  calls_.clear();
  runtime_.Advance(absl::Seconds(4));
  EXPECT_THAT(calls_, IsEmpty());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(calls_, ElementsAre("a2", "a3", "a4"));
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
  EXPECT_EQ(consumer.Stats().handled, 6);
}

TEST_F(FifoConsumer, WithoutARetryTheGroupWaitsForTheVisibilityTimeout) {
  LetFail("a1");
  Consumer consumer = Consumer::Start(ledger_, {.batch_size = 10}, Note()).value();
  SendAll({"a1", "a2", "a3"});
  runtime_.Advance(absl::Seconds(29));
  EXPECT_THAT(calls_, ElementsAre("a1"));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(calls_, ElementsAre("a1", "a1", "a2", "a3"));
}

TEST_F(FifoConsumer, ARetryAtOnceKeepsTheOrder) {
  LetFail("a1", 2);
  LetFail("a3", 3);
  Consumer consumer =
      Consumer::Start(
          ledger_,
          {.batch_size = 10, .concurrency = 4, .retry = Retry{.first = absl::ZeroDuration()}},
          Note())
          .value();
  SendAll({"a1", "a2", "a3", "a4"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a1", "a1", "a1", "a2", "a3", "a3", "a3", "a3", "a4"));
}

TEST_F(FifoConsumer, BackOffGrowsWithTheAttemptsOfTheFailedMessage) {
  LetFail("a1", 3);
  std::vector<absl::Duration> at;
  const absl::Duration begin = runtime_.Uptime();
  const MessageHandler note = Note();
  Consumer consumer =
      Consumer::Start(ledger_, {.batch_size = 10, .retry = Retry{}}, [&](const Received& entry) {
        at.push_back(runtime_.Uptime() - begin);
        return note(entry);
      }).value();
  SendAll({"a1", "a2"});
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(calls_, ElementsAre("a1", "a1", "a1", "a1", "a2"));
  EXPECT_THAT(at, ElementsAre(absl::ZeroDuration(), absl::Seconds(1), absl::Seconds(3),
                              absl::Seconds(7), absl::Seconds(7)));
}

TEST_F(FifoConsumer, AMessageThatItsHandlerGivesUpLetsTheGroupGoOn) {
  Queue dead = MakeQueue("dead.fifo", {.fifo = true});
  QueueOptions options = ledger_.Options().value();
  options.redrive = RedrivePolicy{dead.arn(), 5};
  ASSERT_THAT(ledger_.SetOptions(options), IsOk());
  Consumer consumer = Consumer::Start(ledger_, {.batch_size = 10}, [&](const Received& entry) {
                        calls_.emplace_back(entry.body());
                        if (entry.body() != "a2") return absl::OkStatus();
                        EXPECT_THAT(entry.MoveToDeadLetterQueue("no such account"), IsOk());
                        return absl::UnknownError("gave it up");
                      }).value();
  SendAll({"a1", "a2", "a3"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a1", "a2", "a3"));
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
  EXPECT_EQ(dead.Depth(), (QueueDepth{.visible = 1}));
  EXPECT_EQ(consumer.Stats().put_back, 0);
}

TEST_F(FifoConsumer, AMessageThatItsHandlerDeletedLetsTheGroupGoOnWhateverItAnswers) {
  Consumer consumer = Consumer::Start(ledger_, {.batch_size = 10}, [&](const Received& entry) {
                        calls_.emplace_back(entry.body());
                        if (entry.body() != "a1") return absl::OkStatus();
                        EXPECT_THAT(entry.Delete(), IsOk());
                        return absl::UnknownError("after all");
                      }).value();
  SendAll({"a1", "a2"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a1", "a2"));
  EXPECT_EQ(consumer.Stats().put_back, 0);
}

TEST_F(FifoConsumer, AfterTheLastAttemptOfAPoisonMessageTheGroupGoesOn) {
  Queue dead = MakeQueue("dead.fifo", {.fifo = true});
  QueueOptions options = ledger_.Options().value();
  options.redrive = RedrivePolicy{dead.arn(), 3};
  ASSERT_THAT(ledger_.SetOptions(options), IsOk());
  LetFail("a1", 100);
  Consumer consumer = Consumer::Start(ledger_, {}, Note()).value();
  SendAll({"a1", "a2", "b1"});
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(calls_, ElementsAre("a1", "b1", "a1", "a1", "a2"));
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
  EXPECT_EQ(dead.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(FifoConsumer, WhatIsBehindAMessageThatOverranBeforeItsTurnIsNotHandledEither) {
  Consumer consumer = Consumer::Start(ledger_, {.batch_size = 10}, [&](const Received& entry) {
                        calls_.emplace_back(entry.body());
                        EXPECT_FALSE(entry.Overrun());
                        Work(absl::Seconds(16));
                        return absl::OkStatus();
                      }).value();
  SendAll({"a1", "a2", "a3", "a4"});
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
  // The second ended after its timeout and came again; the others waited for it.
  EXPECT_EQ(calls_.front(), "a1");
  calls_.erase(std::unique(calls_.begin(), calls_.end()), calls_.end());
  EXPECT_THAT(calls_, ElementsAre("a1", "a2", "a3", "a4"));
  EXPECT_GT(consumer.Stats().overran, 0);
}

TEST_F(FifoConsumer, PausedInTheMiddleOfAGroupItPutsTheRestBackAtOnce) {
  std::optional<Consumer> consumer;
  QueueDepth after_pause;
  consumer = Consumer::Start(ledger_, {.batch_size = 10}, [&](const Received& entry) {
               calls_.emplace_back(entry.body());
               if (entry.body() == "a2") {
                 consumer->Pause();
                 after_pause = ledger_.Depth();
               }
               return absl::OkStatus();
             }).value();
  SendAll({"a1", "a2", "a3", "a4"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a1", "a2"));
  EXPECT_EQ(after_pause, (QueueDepth{.visible = 2, .in_flight = 1}));
  consumer->Resume();
  runtime_.RunUntilIdle();
  EXPECT_THAT(calls_, ElementsAre("a1", "a2", "a3", "a4"));
}

TEST_F(FifoConsumer, FiltersTakeUnwantedMessagesOutOfTheMiddleOfAGroup) {
  LetFail("a1");
  Consumer consumer = Consumer::Start(ledger_,
                                      {.batch_size = 10,
                                       .filters = {R"({"body": [{"anything-but": ["a2", "b1"]}]})"},
                                       .retry = Retry{}},
                                      Note())
                          .value();
  SendAll({"a1", "a2", "a3", "b1", "b2"});
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(calls_, ElementsAre("a1", "b2", "a1", "a3"));
  EXPECT_EQ(consumer.Stats().filtered, 2);
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

// --- Batch handlers ------------------------------------------------------------------------------

TEST_F(FifoConsumer, ABatchKeepsTheOrderOfItsGroups) {
  std::vector<std::vector<std::string>> batches;
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 10},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             batches.push_back(Bodies(batch));
                             return BatchResult();
                           })
          .value();
  SendAll({"a1", "b1", "a2", "b2", "a3"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(batches, ElementsAre(ElementsAre("a1", "a2", "a3", "b1", "b2")));
}

TEST_F(FifoConsumer, OneCallAtATimeHasMessagesOfAGroup) {
  std::set<std::string> busy;
  size_t calls = 0;
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 2, .concurrency = 8},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             ++calls;
                             std::set<std::string> groups;
                             for (const Received& entry : batch) {
                               groups.emplace(entry.message_group_id());
                             }
                             for (const std::string& group : groups) {
                               EXPECT_TRUE(busy.insert(group).second) << group;
                             }
                             Work(absl::Seconds(1));
                             for (const std::string& group : groups) busy.erase(group);
                             return BatchResult();
                           })
          .value();
  SendAll({"a1", "a2", "a3", "b1", "b2", "b3", "c1"});
  runtime_.RunUntilIdle();
  EXPECT_GE(calls, 4u);
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

TEST_F(FifoConsumer, S20_WhoFollowsAFailedOneOfItsGroupInTheBatchCountsAsFailed) {
  std::vector<std::vector<std::string>> batches;
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 10},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             batches.push_back(Bodies(batch));
                             if (batches.size() > 1) return BatchResult();
                             return BatchResult{.failures = {batch[1].id()}};  // a2, and no other
                           })
          .value();
  SendAll({"a1", "a2", "a3", "b1", "b2"});
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().handled, 3);
  EXPECT_EQ(consumer.Stats().failed, 2);
  EXPECT_EQ(ledger_.Depth(), (QueueDepth{.in_flight = 2}));
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(batches,
              ElementsAre(ElementsAre("a1", "a2", "a3", "b1", "b2"), ElementsAre("a2", "a3")));
}

TEST_F(FifoConsumer, AFailedBatchComesAgainInOrder) {
  std::vector<std::vector<std::string>> batches;
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 10, .retry = Retry{}},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             batches.push_back(Bodies(batch));
                             if (batches.size() > 1) return BatchResult();
                             return absl::UnavailableError("ledger is down");
                           })
          .value();
  SendAll({"a1", "a2", "a3"});
  runtime_.RunUntilIdle();
  EXPECT_EQ(ledger_.Depth(), (QueueDepth{.in_flight = 3}));
  SendAll({"a4"});
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(batches,
              ElementsAre(ElementsAre("a1", "a2", "a3"), ElementsAre("a1", "a2", "a3", "a4")));
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

class LargeFifoBatch : public FifoConsumer {
 protected:
  // Eight messages of one group and a mebibyte each: more than one call may have.
  void SendEight() {
    for (int i = 0; i < 8; ++i) {
      SendToGroup(ledger_, "a" + std::to_string(i) + std::string((1 << 20) - 2, 'x'));
    }
  }
};

TEST_F(LargeFifoBatch, WhatIsTooLargeForOneCallWaitsBehindIt) {
  SendEight();
  bool busy = false;
  std::vector<std::string> order;
  std::vector<size_t> sizes;
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 10, .concurrency = 4},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             EXPECT_FALSE(std::exchange(busy, true)) << "two calls of one group";
                             Work(absl::Seconds(1));
                             busy = false;
                             sizes.push_back(batch.size());
                             for (const Received& entry : batch) {
                               order.emplace_back(entry.body().substr(0, 2));
                             }
                             return BatchResult();
                           })
          .value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes, ElementsAre(6, 2));
  EXPECT_THAT(order, ElementsAre("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"));
}

TEST_F(LargeFifoBatch, AndIsPutBackIfThatFails) {
  SendEight();
  std::vector<std::string> firsts;
  Consumer consumer =
      Consumer::StartBatch(ledger_, {.batch_size = 10, .concurrency = 4},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             firsts.emplace_back(batch[0].body().substr(0, 2));
                             if (firsts.size() > 1) return BatchResult();
                             return BatchResult{.failures = {batch[5].id()}};
                           })
          .value();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(firsts, ElementsAre("a0", "a5"));
  EXPECT_EQ(consumer.Stats().put_back, 2);
  EXPECT_EQ(ledger_.Depth(), QueueDepth{});
}

}  // namespace
}  // namespace banyan
