// SPDX-License-Identifier: Apache-2.0
//
// What users of other tools found broken, by the numbers of the findings: order and duplicates in
// FIFO queues (8 to 19), visibility, long polls and loss (20 to 25). tests/data/queue_rows.md has
// the list; dead letters are in rows_dead_letter_test.cc, memory and wake-ups in
// rows_memory_test.cc.
#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "rows_testing.h"

namespace banyan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kTick = absl::Nanoseconds(1);

#ifdef BANYAN_SANITIZER
constexpr uint64_t kSeeds = 10;
constexpr int kManyMessages = 1'000;
#else
constexpr uint64_t kSeeds = 100;
constexpr int kManyMessages = 10'000;
#endif

// --- B: FIFO ---------------------------------------------------------------------------------

TEST_F(QueueRows, A8_WhatIsSentToAGroupInFlightIsNotDelivered) {
  const Queue queue = MakeFifo("q.fifo");
  SendTo(queue, "g", "m1");
  const Received m1 = ReceiveOne(queue);
  SendTo(queue, "g", "m2");
  SendTo(queue, "other", "n1");
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("n1"));
  ASSERT_TRUE(m1.Delete().ok());
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("m2"));
}

// One receiver at a time has a group, however many there are.
TEST(QueueThreadRows, A9_ReceiversAtOnceNeverShareAGroup) {
  constexpr size_t kGroups = 5;
  const std::unique_ptr<ThreadedRuntime> runtime =
      NewThreadedRuntime({.threads = 1, .clock = {.scale = 0}, .seed = 1});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue queue = broker.CreateQueue("q.fifo", {.fifo = true}).value();
  for (int i = 0; i < kManyMessages; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(queue
                    .Send({.body = id,
                           .message_group_id = std::to_string(static_cast<size_t>(i) % kGroups),
                           .message_deduplication_id = id})
                    .ok());
  }
  std::vector<std::atomic<bool>> held(kGroups);
  std::vector<std::atomic<int>> last(kGroups);
  for (std::atomic<int>& body : last) body.store(-1);
  std::atomic<int> settled{0};
  std::atomic<int> faults{0};
  const auto consume = [&] {
    while (settled.load() < kManyMessages && faults.load() == 0) {
      absl::StatusOr<std::vector<Received>> batch = queue.Receive({.max_messages = 4});
      if (!batch.ok()) return static_cast<void>(faults.fetch_add(1));
      // A group's messages stand together, and the group is free again with the last of them.
      size_t group = kGroups;
      for (const Received& one : *batch) {
        const int body = std::stoi(std::string(one.body()));
        const bool first_of_group = group != static_cast<size_t>(body) % kGroups;
        group = static_cast<size_t>(body) % kGroups;
        if (last[group].exchange(body) >= body) faults.fetch_add(1);
        if (first_of_group && held[group].exchange(true)) faults.fetch_add(1);
      }
      for (size_t i = 0; i < batch->size(); ++i) {
        const std::string_view its_group = (*batch)[i].message_group_id();
        if (i + 1 == batch->size() || (*batch)[i + 1].message_group_id() != its_group) {
          held[static_cast<size_t>(its_group[0] - '0')].store(false);
        }
        if (!(*batch)[i].Delete().ok()) faults.fetch_add(1);
        settled.fetch_add(1);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(consume);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults.load(), 0);
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  ExpectBooksBalance(queue);
}

// Whatever is received, extended, handed back and forgotten, in whatever order: a receive has from
// each group the first of those that are left.
TEST_F(QueueRows, A11_OrderHoldsHoweverMessagesComeBack) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const testing::SeedReporter reporter(seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](uint64_t n) { return static_cast<int>(random() % n); };
    const Queue queue = MakeFifo("q" + std::to_string(seed) + ".fifo");
    std::vector<std::vector<std::string>> left(3);  // of each group, in the order of sending
    std::vector<Received> held;
    for (int step = 0; step < 300; ++step) {
      switch (below(6)) {
        case 0:
        case 1: {
          const int group = below(3);
          const std::string body = std::to_string(group) + "-" + std::to_string(step);
          SendTo(queue, std::to_string(group), body);
          left[static_cast<size_t>(group)].push_back(body);
          break;
        }
        case 2: {
          std::vector<Received> got = Receive(queue, {.max_messages = 1 + below(10)});
          for (size_t group = 0; group < left.size(); ++group) {
            std::vector<std::string> bodies;
            for (const Received& one : got) {
              if (one.message_group_id() == std::to_string(group)) bodies.emplace_back(one.body());
            }
            ASSERT_LE(bodies.size(), left[group].size());
            ASSERT_TRUE(std::equal(bodies.begin(), bodies.end(), left[group].begin()))
                << "received " << ::testing::PrintToString(bodies)
                << " while these were left: " << ::testing::PrintToString(left[group]);
          }
          for (Received& one : got) held.push_back(std::move(one));
          break;
        }
        case 3:
          Pass(absl::Seconds(below(20)));
          break;
        default: {
          if (held.empty()) break;
          const size_t i = static_cast<size_t>(below(held.size()));
          if (below(2) == 0) {
            held[i].ChangeVisibility(absl::Seconds(below(60))).IgnoreError();  // may have expired
            break;
          }
          if (held[i].Delete().ok()) {
            std::erase(left[static_cast<size_t>(held[i].body()[0] - '0')], held[i].body());
          }
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
    }
    // Nothing is stuck: all that is left comes, in order.
    Pass(absl::Minutes(2));
    for (;;) {
      const std::vector<Received> got = ReceiveAll(queue);
      if (got.empty()) break;
      for (const Received& one : got) {
        auto& group = left[static_cast<size_t>(one.body()[0] - '0')];
        ASSERT_FALSE(group.empty());
        ASSERT_EQ(one.body(), group.front());
        group.erase(group.begin());
        ASSERT_TRUE(one.Delete().ok());
      }
    }
    for (const auto& group : left) ASSERT_THAT(group, IsEmpty());
  }
}

TEST_F(QueueRows, A13_ADuplicateIsNoneForFiveMinutesFromTheFirstSendThoughTheFirstIsDeleted) {
  const Queue queue = Make("q.fifo", {.fifo = true});
  const SendRequest request{.body = "m", .message_group_id = "g", .message_deduplication_id = "id"};
  const SendResult first = Send(queue, request);
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  Pass(absl::Minutes(3));
  EXPECT_EQ(Send(queue, request).message_id, first.message_id);
  Pass(absl::Minutes(2) - kTick);  // the second send began no window of its own
  EXPECT_EQ(Send(queue, request).message_id, first.message_id);
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  EXPECT_EQ(queue.Stats().duplicates, 2);
  Pass(kTick);
  EXPECT_NE(Send(queue, request).message_id, first.message_id);
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(QueueRows, A14_ADuplicateIsAnsweredWithTheFirstIdAndNumber) {
  const Queue queue = MakeFifo("q.fifo");
  const SendResult first = SendTo(queue, "g", "m");
  EXPECT_NE(first.sequence_number, 0u);
  // By content, attributes apart; by the same hash given as an id; in whatever group.
  const SendResult again =
      Send(queue, {.body = "m", .attributes = {{"other", "v"}}, .message_group_id = "g"});
  EXPECT_EQ(again.message_id, first.message_id);
  EXPECT_EQ(again.sequence_number, first.sequence_number);
  const std::string hash = "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a";
  const SendResult collides =
      Send(queue, {.body = "another", .message_group_id = "h", .message_deduplication_id = hash});
  EXPECT_EQ(collides.message_id, first.message_id) << "an id that is the body's SHA-256";
  // Also within one batch.
  const auto batch = queue.SendBatch({{.body = "n", .message_group_id = "g"},
                                      {.body = "n", .message_group_id = "g"},
                                      {.body = "m", .message_group_id = "g"}});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_TRUE((*batch)[0].ok() && (*batch)[1].ok() && (*batch)[2].ok());
  EXPECT_EQ((*batch)[0]->message_id, (*batch)[1]->message_id);
  EXPECT_EQ((*batch)[0]->sequence_number, (*batch)[1]->sequence_number);
  EXPECT_EQ((*batch)[2]->message_id, first.message_id);
  EXPECT_GT((*batch)[0]->sequence_number, first.sequence_number);

  const std::vector<Received> got = ReceiveAll(queue);
  ASSERT_THAT(Bodies(got), ElementsAre("m", "n"));
  EXPECT_EQ(got[0].id(), first.message_id);
  EXPECT_EQ(got[0].sequence_number(), first.sequence_number);
  EXPECT_EQ(got[0].deduplication_id(), hash);
  EXPECT_THAT(got[0].SystemAttributes()["SequenceNumber"], SizeIs(20));
}

TEST_F(QueueRows, A19_ASilentQueueSaysWhatBlocksIt) {
  const Queue queue = MakeFifo("q.fifo");
  const Id m1 = SendTo(queue, "g1", "m1").message_id;
  const Id m2 = SendTo(queue, "g1", "m2").message_id;
  ReceiveOne(queue);
  Pass(absl::Milliseconds(22'800));
  ASSERT_THAT(ReceiveBodies(queue), IsEmpty());
  const absl::StatusOr<std::string> why = queue.Explain();
  ASSERT_TRUE(why.ok()) << why.status();
  EXPECT_THAT(*why, AllOf(HasSubstr("g1"), HasSubstr(m1.ToString()), HasSubstr("7.2")));
  const absl::StatusOr<std::string> where = queue.Explain(m2);
  ASSERT_TRUE(where.ok()) << where.status();
  EXPECT_THAT(*where, HasSubstr("g1"));
}

// --- C: visibility, long polls, loss ---------------------------------------------------------

TEST_F(QueueRows, A20_ALongPollEndsAtTheMomentThereIsAMessage) {
  const Queue queue = Make("jobs");
  After(absl::Seconds(3), [&queue] { Send(queue, "sent"); });
  EXPECT_THAT(Bodies(Receive(queue, {.max_messages = 10, .wait = absl::Seconds(20)})),
              ElementsAre("sent"))
      << "and it does not wait for more";
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(3));
  EXPECT_THAT(Receive(queue, {.wait = absl::Seconds(20)}), IsEmpty());
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(23));
  EXPECT_THAT(Bodies(Receive(queue, {.wait = absl::Seconds(20)})), ElementsAre("sent"));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(33)) << "its timeout ended";
  Send(queue, {.body = "delayed", .delay = absl::Seconds(4)});
  EXPECT_THAT(Bodies(Receive(queue, {.wait = absl::Seconds(20)})), ElementsAre("delayed"));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(37));

  const Queue fifo = MakeFifo("q.fifo");
  SendTo(fifo, "g", "m1");
  SendTo(fifo, "g", "m2");
  const Received m1 = ReceiveOne(fifo);
  After(absl::Seconds(5), [&m1] { EXPECT_TRUE(m1.Delete().ok()); });
  EXPECT_THAT(Bodies(Receive(fifo, {.wait = absl::Seconds(20)})), ElementsAre("m2"));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(42)) << "its group was released";
}

TEST_F(QueueRows, A21_APollOfADeletedQueueTakesNothingFromItsSuccessor) {
  Limits limits = Limits::Aws();
  limits.queue.recreate_after = absl::ZeroDuration();
  Broker broker = Broker::Create(runtime_, {.limits = limits}).value();
  const Queue old = broker.CreateQueue("jobs").value();
  Queue successor;
  After(absl::Seconds(1), [&] {
    ASSERT_TRUE(broker.DeleteQueue("jobs").ok());
    successor = broker.CreateQueue("jobs").value();
    Send(successor, "for others");
  });
  const absl::Status status = old.Receive({.wait = absl::Seconds(20)}).status();
  EXPECT_EQ(AwsCode(status), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(1));
  EXPECT_EQ(successor.Depth(), (QueueDepth{.visible = 1}));
  const Received got = ReceiveOne(successor);
  EXPECT_EQ(got.receive_count(), 1) << "nobody had it unseen";

  // Nor is a handle of the one a handle of the other.
  ASSERT_TRUE(broker.DeleteQueue("jobs").ok());
  successor = broker.CreateQueue("jobs").value();
  Send(successor, "m");
  const Received other = ReceiveOne(successor);
  EXPECT_FALSE(successor.Delete(got.receipt_handle()).ok());
  EXPECT_EQ(successor.Depth(), (QueueDepth{.in_flight = 1}));
  EXPECT_TRUE(other.Delete().ok());
}

TEST_F(QueueRows, A22_ACancelledPollTakesNothing) {
  for (const Queue& queue : {Make("jobs"), MakeFifo("q.fifo")}) {
    SCOPED_TRACE(queue.name());
    const absl::Duration start = runtime_.Uptime();
    std::stop_source stop;
    // In one instant, so that the poll has both reasons to end.
    After(absl::Seconds(1), [&] {
      stop.request_stop();
      Send(queue, {.body = "m", .message_group_id = "g"});
    });
    EXPECT_THAT(Receive(queue, {.wait = absl::Seconds(20), .stop = stop.get_token()}), IsEmpty());
    EXPECT_EQ(runtime_.Uptime() - start, absl::Seconds(1));
    EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 1}));
    EXPECT_EQ(ReceiveOne(queue).receive_count(), 1);
  }
}

TEST_F(QueueRows, A23_AHandleLivesAsLongAsItsVisibilityAndItsExtensions) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const Queue queue = fifo ? MakeFifo("q.fifo") : Make("jobs");
    const auto send_and_take = [&](std::string_view body) {
      Send(queue, {.body = body, .message_group_id = "g"});
      return ReceiveOne(queue);
    };
    const Received extended = send_and_take("extended");
    Pass(absl::Seconds(29));
    ASSERT_TRUE(extended.ChangeVisibility(absl::Seconds(60)).ok());
    Pass(absl::Seconds(59));
    EXPECT_FALSE(extended.Overrun());
    EXPECT_THAT(extended.Delete(), testing::IsOk()) << "the handle follows the extension";
    EXPECT_THAT(extended.Delete(), testing::IsOk()) << "any number of times";
    EXPECT_EQ(queue.Depth(), QueueDepth{});

    const Received late = send_and_take("late");
    Pass(absl::Seconds(30));
    EXPECT_TRUE(late.Overrun());
    EXPECT_EQ(AwsCode(late.Delete()), fifo ? "InvalidParameterValue" : "OK");
    EXPECT_EQ(queue.Depth().visible, fifo ? 1 : 0);
    if (!fifo) Send(queue, "again");

    // An older handle, after another receive.
    const Received older = ReceiveOne(queue);
    Pass(absl::Seconds(30));
    const Received newer = ReceiveOne(queue);
    EXPECT_EQ(AwsCode(older.Delete()), fifo ? "InvalidParameterValue" : "OK");
    EXPECT_EQ(queue.Depth(), (QueueDepth{.in_flight = 1}));
    EXPECT_THAT(newer.Delete(), testing::IsOk());
    EXPECT_EQ(queue.Depth(), QueueDepth{});
  }
}

// sent = visible + in flight + delayed + deleted + expired + moved, whatever happens.
TEST_F(QueueRows, A24_TheBooksBalanceAfterEveryStep) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const testing::SeedReporter reporter(seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](uint64_t n) { return static_cast<int>(random() % n); };
    const bool fifo = seed % 2 == 0;
    const auto make = [&](std::string_view name, QueueOptions options) {
      const std::string full = std::string(name) + std::to_string(seed);
      return fifo ? MakeFifo(full + ".fifo", options) : Make(full, options);
    };
    const Queue dead = make("dead", {.retention = absl::Minutes(4)});
    const Queue queue = make("jobs", {.retention = absl::Minutes(2),
                                      .redrive = RedrivePolicy{dead.arn(), 2},
                                      .messages_max = 25});
    std::vector<Received> held;
    int64_t accepted = 0;
    int64_t rejected = 0;
    for (int step = 0; step < 300; ++step) {
      switch (below(8)) {
        case 0:
        case 1: {
          const absl::StatusOr<SendResult> sent =
              queue.Send({.body = std::to_string(step),
                          .delay = fifo ? absl::ZeroDuration() : absl::Seconds(below(20)),
                          .message_group_id = std::to_string(below(3))});
          if (sent.ok()) {
            ++accepted;
          } else {
            ASSERT_EQ(AwsCode(sent.status()), "RequestThrottled");
            ++rejected;
          }
          break;
        }
        case 2:
        case 3: {
          const Queue& from = below(4) == 0 ? dead : queue;
          for (Received& one : Receive(from, {.max_messages = 1 + below(10)})) {
            held.push_back(std::move(one));
          }
          break;
        }
        case 4:
          Pass(absl::Seconds(below(30)));
          break;
        case 5:
          if (below(4) == 0) {
            ASSERT_TRUE(dead.Redrive(1 + below(5)).ok());
          }
          break;
        default: {
          if (held.empty()) break;
          const size_t i = static_cast<size_t>(below(held.size()));
          if (below(3) == 0) {
            held[i].ChangeVisibility(absl::Seconds(below(60))).IgnoreError();
          } else {
            held[i].Delete().IgnoreError();
          }
        }
      }
      for (const Queue& one : {queue, dead}) {
        ExpectBooksBalance(one);
        const QueueDepth depth = one.Depth();
        ASSERT_TRUE(depth.visible >= 0 && depth.in_flight >= 0 && depth.delayed >= 0);
      }
      ASSERT_EQ(queue.Stats().accepted, accepted);
      ASSERT_EQ(queue.Stats().rejected, rejected);
      ASSERT_EQ(queue.Stats().moved_out, dead.Stats().moved_in);
      ASSERT_EQ(dead.Stats().moved_out, queue.Stats().moved_in);
      if (HasFailure()) return;
    }
    Pass(absl::Minutes(10));
    EXPECT_EQ(queue.Depth(), QueueDepth{}) << "retention ends all that is left";
    EXPECT_EQ(queue.Stats().bytes, 0);
  }
}

}  // namespace
}  // namespace banyan
