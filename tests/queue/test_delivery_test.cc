// SPDX-License-Identifier: Apache-2.0
//
// TestDelivery: a queue that is nastier, or kinder, than AWS ever is, for the tests of consumers.
// Whatever the chances, nothing is lost and a seed repeats its run.
#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class TestDeliveryTest : public QueueTest {
 protected:
  Queue Make(const TestDelivery& delivery, const std::string& name = "jobs") {
    return broker_.Make(name, {.test_delivery = delivery});
  }

  static void SendNumbers(const Queue& queue, int count) {
    for (int i = 0; i < count; ++i) Send(queue, std::to_string(i));
  }

  static void SetDelivery(const Queue& queue, const TestDelivery& delivery) {
    QueueOptions options = *queue.Options();
    options.test_delivery = delivery;
    ASSERT_TRUE(queue.SetOptions(options).ok());
  }

  static void HandBack(const Received& received) {
    ASSERT_TRUE(received.ChangeVisibility(absl::ZeroDuration()).ok());
  }

  // Takes them one at a time until none is visible; all stay in flight.
  static std::vector<std::string> TakeAll(const Queue& queue) {
    std::vector<std::string> bodies;
    for (;;) {
      const std::vector<Received> got = Receive(queue, {.visibility_timeout = absl::Hours(1)});
      if (got.empty()) return bodies;
      bodies.emplace_back(got[0].body());
    }
  }
};

// --- strict order ---------------------------------------------------------------------------

TEST_F(TestDeliveryTest, StrictOrderOffersTheFirstSentHoweverOftenItCameBack) {
  const Queue queue = Make({.strict_order = true});
  SendNumbers(queue, 3);
  for (int i = 0; i < 10; ++i) {
    const Received first = ReceiveOne(queue);
    ASSERT_EQ(first.body(), "0") << "a plain queue puts it to the back after three receives";
    HandBack(first);
  }
  EXPECT_THAT(TakeAll(queue), ElementsAre("0", "1", "2"));
}

TEST_F(TestDeliveryTest, StrictOrderIsThatOfSendingNotOfComingBack) {
  const Queue queue = Make({.strict_order = true});
  SendNumbers(queue, 4);
  const std::vector<Received> held = ReceiveAll(queue);
  ASSERT_THAT(Bodies(held), ElementsAre("0", "1", "2", "3"));
  for (const size_t i : {3u, 1u, 2u, 0u}) {
    HandBack(held[i]);
    runtime_.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(Bodies(ReceiveAll(queue)), ElementsAre("0", "1", "2", "3"));
}

TEST_F(TestDeliveryTest, StrictOrderCountsADelayedMessageBySending) {
  const Queue queue = Make({.strict_order = true});
  ASSERT_TRUE(queue.Send({.body = "delayed", .delay = absl::Seconds(5)}).ok());
  runtime_.Advance(absl::Seconds(1));
  Send(queue, "later");
  EXPECT_THAT(queue.Peek(10).value(), SizeIs(1));
  runtime_.Advance(absl::Seconds(4));
  EXPECT_THAT(TakeAll(queue), ElementsAre("delayed", "later"));
}

TEST_F(TestDeliveryTest, StrictOrderGoesBeforeFairness) {
  const Queue queue = Make({.strict_order = true});
  const auto send = [&](const std::string& tenant, const std::string& body) {
    ASSERT_TRUE(queue.Send({.body = body, .message_group_id = tenant}).ok());
  };
  for (int i = 0; i < 40; ++i) send("noisy", "in flight");
  ASSERT_THAT(TakeAll(queue), SizeIs(40));
  send("noisy", "1");
  send("quiet", "2");
  send("noisy", "3");
  EXPECT_THAT(TakeAll(queue), ElementsAre("1", "2", "3"));
}

TEST_F(TestDeliveryTest, StrictOrderIsSwitchedOnAndOffWhileMessagesRest) {
  const Queue queue = Make({});
  SendNumbers(queue, 20);
  std::vector<Received> held = ReceiveAll(queue);
  ASSERT_THAT(held, SizeIs(10));
  std::reverse(held.begin(), held.end());
  for (const Received& one : held) HandBack(one);
  SetDelivery(queue, {.strict_order = true});
  queue.core()->CheckInvariants();
  for (int i = 0; i < 5; ++i) {
    const Received one = ReceiveOne(queue);
    EXPECT_EQ(one.body(), std::to_string(i));
    ASSERT_TRUE(one.Delete().ok());
  }
  SetDelivery(queue, {});
  queue.core()->CheckInvariants();
  std::set<std::string> rest;
  for (const std::string& body : TakeAll(queue)) rest.insert(body);
  EXPECT_THAT(rest, SizeIs(15)) << "each of the others once";
  SetDelivery(queue, {.strict_order = true});
  runtime_.Advance(absl::Hours(1));
  queue.core()->CheckInvariants();
  std::vector<std::string> expected;
  for (int i = 5; i < 20; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(TakeAll(queue), expected);
}

TEST_F(TestDeliveryTest, StrictOrderIsSwitchedWhileTenantsRest) {
  const Queue queue = Make({});
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(queue
                    .Send({.body = std::to_string(i),
                           .message_group_id = i % 3 == 0 ? "" : std::to_string(i % 7)})
                    .ok());
  }
  std::vector<Received> held = ReceiveAll(queue);
  SetDelivery(queue, {.strict_order = true});
  for (const Received& one : held) HandBack(one);
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(TakeAll(queue), expected);
  queue.core()->CheckInvariants();
  SetDelivery(queue, {});
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(TakeAll(queue), ::testing::UnorderedElementsAreArray(expected));
  queue.core()->CheckInvariants();
}

// --- duplicates -----------------------------------------------------------------------------

TEST_F(TestDeliveryTest, DuplicatesLeaveTheReceivedMessageVisible) {
  const Queue queue = Make({.duplicates = 1});
  const Id id = Send(queue, "m");
  const Received first = ReceiveOne(queue);
  const Received second = ReceiveOne(queue);
  EXPECT_EQ(first.id(), id);
  EXPECT_EQ(second.id(), id);
  EXPECT_NE(first.receipt_handle(), second.receipt_handle());
  EXPECT_EQ(second.receive_count(), 2);
  EXPECT_EQ(queue.Depth().total(), 1) << "it is one message still";
  ASSERT_TRUE(second.Delete().ok());
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  EXPECT_TRUE(first.Delete().ok());
  EXPECT_EQ(queue.Stats().deleted, 1);
}

TEST_F(TestDeliveryTest, OneBatchDoesNotHaveTheSameMessageTwice) {
  const Queue queue = Make({.duplicates = 1});
  SendNumbers(queue, 3);
  EXPECT_THAT(Bodies(ReceiveAll(queue)), UnorderedElementsAre("0", "1", "2"));
}

TEST_F(TestDeliveryTest, DuplicatesComeAsOftenAsTheyShould) {
  const Queue queue = Make({.duplicates = 0.25});
  int twice = 0;
  constexpr int kTries = 4'000;
  for (int i = 0; i < kTries; ++i) {
    Send(queue, "m");
    ReceiveOne(queue);
    twice += static_cast<int>(queue.Depth().visible);
    ASSERT_EQ(queue.Depth().total(), 1);
    SetDelivery(queue, {});
    runtime_.Advance(absl::Seconds(30));
    ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
    SetDelivery(queue, {.duplicates = 0.25});
  }
  EXPECT_GT(twice, kTries / 5);
  EXPECT_LT(twice, kTries / 3);
}

// --- short receives -------------------------------------------------------------------------

TEST_F(TestDeliveryTest, ShortReceivesTakeFewerThanTheyCouldButOne) {
  const Queue queue = Make({.short_receives = 1});
  SendNumbers(queue, 500);
  std::set<size_t> sizes;
  int taken = 0;
  while (queue.Depth().visible > 10) {
    const size_t size = ReceiveAll(queue).size();
    ASSERT_GE(size, 1u);
    ASSERT_LE(size, 9u);
    sizes.insert(size);
    taken += static_cast<int>(size);
  }
  EXPECT_GE(sizes.size(), 3u) << "not always the same number";
  while (queue.Depth().visible > 0) taken += static_cast<int>(ReceiveAll(queue).size());
  EXPECT_EQ(taken, 500);
}

TEST_F(TestDeliveryTest, ShortReceivesTakeFewerThanThereAreNotThanWereAskedFor) {
  const Queue queue = Make({.short_receives = 1});
  SendNumbers(queue, 2);
  for (int i = 0; i < 50; ++i) {
    const std::vector<Received> got = ReceiveAll(queue);
    ASSERT_THAT(got, SizeIs(1)) << "it could have taken two";
    HandBack(got[0]);
  }
}

TEST_F(TestDeliveryTest, ShortReceivesNeverAnswerEmptyWhileSomethingIsVisible) {
  const Queue queue = Make({.short_receives = 1});
  for (int i = 0; i < 100; ++i) {
    Send(queue, "m");
    ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  }
  EXPECT_EQ(queue.Stats().empty_receives, 0);
}

// --- reorder --------------------------------------------------------------------------------

TEST_F(TestDeliveryTest, ReorderTakesOthersThanTheFirst) {
  const Queue queue = Make({.reorder = 1});
  SendNumbers(queue, 200);
  const std::vector<std::string> taken = TakeAll(queue);
  std::set<std::string> different(taken.begin(), taken.end());
  EXPECT_THAT(different, SizeIs(200));
  int out_of_place = 0;
  for (size_t i = 0; i < taken.size(); ++i) out_of_place += taken[i] != std::to_string(i) ? 1 : 0;
  EXPECT_GT(out_of_place, 100);
}

TEST_F(TestDeliveryTest, ReorderReachesAcrossTenants) {
  const Queue queue = Make({.reorder = 1});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue
                    .Send({.body = std::to_string(i),
                           .message_group_id = i % 2 == 0 ? "" : std::to_string(i % 5)})
                    .ok());
  }
  const std::vector<std::string> taken = TakeAll(queue);
  EXPECT_THAT(taken, SizeIs(100));
  EXPECT_THAT(std::set<std::string>(taken.begin(), taken.end()), SizeIs(100));
  queue.core()->CheckInvariants();
}

// --- FIFO -----------------------------------------------------------------------------------

TEST_F(TestDeliveryTest, FifoKnowsNoDuplicatesAndNoReordering) {
  const Queue queue = broker_.Make("q.fifo", {.fifo = true,
                                              .content_based_deduplication = true,
                                              .test_delivery = {.duplicates = 1, .reorder = 1}});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(queue.Send({.body = std::to_string(i), .message_group_id = "g"}).ok());
  }
  for (int i = 0; i < 50;) {
    const std::vector<Received> got = Receive(queue, {.max_messages = 7});
    ASSERT_FALSE(got.empty());
    EXPECT_THAT(Receive(queue), IsEmpty()) << "the group is held";
    for (const Received& one : got) {
      ASSERT_EQ(one.body(), std::to_string(i++));
      ASSERT_EQ(one.receive_count(), 1);
      ASSERT_TRUE(one.Delete().ok());
    }
  }
  EXPECT_EQ(queue.Depth(), QueueDepth{});
}

TEST_F(TestDeliveryTest, FifoReceivesFewerInTheSameOrder) {
  const Queue queue = broker_.Make(
      "q.fifo",
      {.fifo = true, .content_based_deduplication = true, .test_delivery = {.short_receives = 1}});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue.Send({.body = std::to_string(i), .message_group_id = "g"}).ok());
  }
  bool some_short = false;
  for (int i = 0; i < 100;) {
    const std::vector<Received> got = ReceiveAll(queue);
    ASSERT_FALSE(got.empty());
    some_short |= got.size() < 10 && i < 90;
    EXPECT_THAT(ReceiveAll(queue), IsEmpty()) << "the rest of the group waits";
    for (const Received& one : got) {
      ASSERT_EQ(one.body(), std::to_string(i++));
      ASSERT_TRUE(one.Delete().ok());
    }
  }
  EXPECT_TRUE(some_short);
}

// --- all of it ------------------------------------------------------------------------------

// One consumer's life with such a queue, as text.
class NastyRun {
 public:
  // What the consumer does follows from one seed, what the queue does to it from another.
  NastyRun(uint64_t consumer_seed, uint64_t queue_seed, const TestDelivery& delivery)
      : random_(consumer_seed), runtime_({.seed = queue_seed}), broker_(runtime_) {
    dead_ = broker_.Make("dead");
    queue_ = broker_.Make("jobs", {.visibility_timeout = absl::Seconds(10),
                                   .redrive = RedrivePolicy{dead_.arn(), 4},
                                   .test_delivery = delivery});
  }

  void Run() {
    for (int i = 0; i < 300; ++i) {
      Step();
      Check();
      if (::testing::Test::HasFailure()) return;
    }
    for (int i = 0; i < 10'000 && queue_.Depth().total() > 0; ++i) {
      Receive(/*delete_one_in=*/1);
      runtime_.Advance(absl::Seconds(1));
    }
    Check();
    EXPECT_EQ(queue_.Depth(), QueueDepth{});
    const std::vector<Received> dead = dead_.Peek(10'000).value();
    for (const Received& one : dead) ended_.insert(std::string(one.body()));
    EXPECT_EQ(static_cast<int>(ended_.size()), sent_) << "deleted or dead, and not lost";
  }

  const std::string& text() const { return text_; }

 private:
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }

  void Step() {
    switch (Draw(6)) {
      case 0:
      case 1: {
        SendRequest request{.body = std::to_string(sent_++)};
        if (Draw(2) == 0) request.message_group_id = std::to_string(Draw(3));
        ASSERT_TRUE(queue_.Send(std::move(request)).ok());
        return;
      }
      case 2:
      case 3:
      case 4:
        return Receive(/*delete_one_in=*/2);
      default:
        runtime_.Advance(absl::Seconds(Draw(6)));
    }
  }

  void Receive(int delete_one_in) {
    const int64_t visible = queue_.Depth().visible;
    const absl::StatusOr<std::vector<Received>> got =
        queue_.Receive({.max_messages = 1 + Draw(10)});
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->empty(), visible == 0);
    for (const Received& one : *got) {
      text_ += std::string(one.body()) + "x" + std::to_string(one.receive_count()) + " ";
      ASSERT_FALSE(deleted_.contains(std::string(one.body()))) << "it was deleted";
      if (Draw(delete_one_in) != 0) continue;
      const int64_t deleted_before = Deleted();
      ASSERT_TRUE(one.Delete().ok());
      if (Deleted() == deleted_before) continue;  // somebody received it since
      deleted_.insert(std::string(one.body()));
      ended_.insert(std::string(one.body()));
    }
    text_ += "| ";
  }

  // In both: a late Delete reaches a dead letter that nobody has received yet.
  int64_t Deleted() { return queue_.Stats().deleted + dead_.Stats().deleted; }

  void Check() {
    queue_.core()->CheckInvariants();
    const QueueStats s = queue_.Stats();
    ASSERT_EQ(s.accepted, sent_);
    ASSERT_EQ(s.accepted + s.moved_in, s.deleted + s.moved_out + s.depth.total());
    ASSERT_EQ(s.moved_out, dead_.Stats().moved_in);
  }

  std::mt19937_64 random_;
  testing::SimulatedRuntime runtime_;
  TestBroker broker_;
  Queue dead_;
  Queue queue_;
  int sent_ = 0;
  std::set<std::string> deleted_;
  std::set<std::string> ended_;
  std::string text_;
};

TEST(TestDeliveryRunTest, NothingIsLostWhateverTheChances) {
#ifdef BANYAN_SANITIZER
  constexpr uint64_t kSeeds = 10;
#else
  constexpr uint64_t kSeeds = 100;
#endif
  const std::vector<TestDelivery> deliveries = {
      {.duplicates = 1},
      {.short_receives = 1},
      {.reorder = 1},
      {.duplicates = 0.3, .short_receives = 0.3, .reorder = 0.3},
      {.duplicates = 1, .short_receives = 1, .reorder = 1},
      {.strict_order = true, .duplicates = 0.5, .short_receives = 0.5, .reorder = 0.5}};
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (size_t i = 0; i < deliveries.size(); ++i) {
      testing::SeedReporter reporter(seed);
      SCOPED_TRACE("delivery " + std::to_string(i));
      NastyRun(seed, seed, deliveries[i]).Run();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(TestDeliveryRunTest, ASeedRepeatsItsRunAndAnotherIsAnother) {
  const TestDelivery nasty{.duplicates = 0.3, .short_receives = 0.3, .reorder = 0.3};
  const auto text_of = [&](uint64_t queue_seed) {
    NastyRun run(/*consumer_seed=*/7, queue_seed, nasty);
    run.Run();
    return run.text();
  };
  const std::string text = text_of(42);
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text_of(42), text);
  EXPECT_NE(text_of(43), text);
}

}  // namespace
}  // namespace banyan::internal
