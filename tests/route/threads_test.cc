// SPDX-License-Identifier: Apache-2.0
//
// Many threads at once: publishers beside those who subscribe, unsubscribe, change filters and
// rules, and in the end delete it all.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kMessagesPerThread = 500;
#else
constexpr int kMessagesPerThread = 5'000;
#endif

class RouteThreadsTest : public ::testing::Test {
 protected:
  ~RouteThreadsTest() override {
    house_.env->gate.Close();
    house_.env->tasks.Close();
  }

  const std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 2});
  TestHouse house_{*runtime_};
};

TEST_F(RouteThreadsTest, WhoStaysSubscribedMissesNothingWhileOthersComeAndGo) {
  const Topic topic = house_.MakeTopic("t");
  const Queue steady = house_.MakeQueue("steady"), restless = house_.MakeQueue("restless");
  const Subscription subscription = topic.Subscribe(steady, {.raw = true}).value();
  std::atomic<int64_t> called{0};
  topic
      .Subscribe(house_.MakeFunction("f",
                                     [&called](const FunctionEvent&) {
                                       ++called;
                                       return absl::OkStatus();
                                     }))
      .value();

  std::atomic<bool> done{false};
  std::thread changer([&] {
    while (!done.load()) {
      const Subscription s = topic.Subscribe(restless, {.raw = true}).value();
      EXPECT_TRUE(s.SetFilterPolicy(R"({"k":["v"]})", FilterPolicyScope::kMessageAttributes).ok());
      EXPECT_TRUE(s.Unsubscribe().ok());
    }
  });
  std::vector<std::thread> publishers;
  for (int t = 0; t < 2; ++t) {
    publishers.emplace_back([&] {
      for (int i = 0; i < kMessagesPerThread; ++i) {
        EXPECT_TRUE(topic.Publish({.body = "m", .attributes = {{"k", "v"}}}).ok());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  done.store(true);
  changer.join();
  EXPECT_EQ(steady.Depth().total(), 2 * kMessagesPerThread);
  EXPECT_EQ(subscription.Stats().delivery.delivered, 2 * kMessagesPerThread);
  while (topic.core()->PendingDeliveries() > 0) std::this_thread::yield();
  EXPECT_EQ(called.load(), 2 * kMessagesPerThread);
}

TEST_F(RouteThreadsTest, ARuleChangedUnderLoadSeesEachEventOnce) {
  const EventBus bus = house_.MakeBus("b");
  const Queue steady = house_.MakeQueue("steady"), other = house_.MakeQueue("other");
  const RuleOptions options = {.pattern = R"({"source":["s"]})", .targets = {steady}};
  const Rule rule = bus.PutRule("r", options).value();
  std::atomic<bool> done{false};
  std::thread changer([&] {
    while (!done.load()) {
      EXPECT_TRUE(bus.PutRule("r", options).ok());
      EXPECT_TRUE(rule.PutTargets({{other}}).ok());
      EXPECT_TRUE(rule.RemoveTargets({{"queue.other"}}).ok());
      rule.Stats();
    }
  });
  std::vector<std::thread> publishers;
  for (int t = 0; t < 2; ++t) {
    publishers.emplace_back([&] {
      for (int i = 0; i < kMessagesPerThread / 5; ++i) {
        EXPECT_TRUE(bus.Put({.source = "s", .detail_type = "d", .detail = "{}"}).ok());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  done.store(true);
  changer.join();
  EXPECT_EQ(steady.Depth().total(), 2 * (kMessagesPerThread / 5));
  EXPECT_EQ(bus.Stats().unmatched, 0);
}

TEST_F(RouteThreadsTest, AnInputChangedUnderLoadGivesTheOneTextOrTheOther) {
  const EventBus bus = house_.MakeBus("b");
  const Queue queue = house_.MakeQueue("q");
  const Target by_path = Target(queue).Id("t").InputPath("$.detail.n");
  const Target by_template = Target(queue).Id("t").MessageGroupId("g").InputTransformer(
      {{"n", "$.detail.n"}}, R"({"n": <n>})");
  const Rule rule =
      bus.PutRule("r", {.pattern = R"({"source":["s"]})", .targets = {by_path}}).value();
  std::atomic<bool> done{false};
  std::thread changer([&] {
    while (!done.load()) {
      EXPECT_TRUE(rule.PutTargets({{by_template}}).ok());
      EXPECT_TRUE(rule.PutTargets({{by_path}}).ok());
    }
  });
  std::vector<std::thread> publishers;
  for (int t = 0; t < 2; ++t) {
    publishers.emplace_back([&] {
      for (int i = 0; i < kMessagesPerThread / 5; ++i) {
        EXPECT_TRUE(bus.Put({.source = "s", .detail_type = "d", .detail = R"({"n":17})"}).ok());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  done.store(true);
  changer.join();
  int64_t received = 0;
  for (;;) {
    const std::vector<Received> batch = queue.Receive({.max_messages = 10}).value();
    if (batch.empty()) break;
    for (const Received& one : batch) {
      ++received;
      EXPECT_EQ(one.body(), one.message_group_id() == "g" ? R"({"n":17})" : "17");
      EXPECT_TRUE(one.Delete().ok());
    }
  }
  EXPECT_EQ(received, 2 * (kMessagesPerThread / 5));
}

TEST_F(RouteThreadsTest, BusesThatPointAtEachOtherForwardUnderLoadUntilOneIsDeleted) {
  for (int round = 0; round < 10; ++round) {
    const EventBus a = house_.MakeBus("a"), b = house_.MakeBus("b");
    const Queue at_a = house_.MakeQueue("at-a"), at_b = house_.MakeQueue("at-b");
    const RuleOptions to_b = {.pattern = R"({"source":["s"]})", .targets = {b, at_a}};
    const Rule rule = a.PutRule("r", to_b).value();
    b.PutRule("r", {.pattern = R"({"source":["s"]})", .targets = {a, at_b}}).value();
    std::atomic<int64_t> put{0};
    std::vector<std::thread> publishers;
    for (int t = 0; t < 2; ++t) {
      publishers.emplace_back([&] {
        for (int i = 0; i < kMessagesPerThread / 20; ++i) {
          EXPECT_TRUE(a.Put({.source = "s", .detail_type = "d", .detail = "{}"}).ok());
          ++put;
        }
      });
    }
    while (put.load() < 20) std::this_thread::yield();
    b.core()->Close(CloseKind::kDeleted);
    for (std::thread& publisher : publishers) publisher.join();
    EXPECT_EQ(at_a.Depth().total(), put.load());
    const DeliveryStats books = rule.Stats().targets.at(0).delivery;
    EXPECT_EQ(books.matched, put.load());
    EXPECT_EQ(books.delivered, at_b.Depth().total());
    EXPECT_EQ(books.dropped, put.load() - books.delivered);
  }
}

TEST_F(RouteThreadsTest, DeletingUnderLoadAnswersNotFoundAndLosesNothingAccepted) {
  for (int round = 0; round < 20; ++round) {
    const Topic topic = house_.MakeTopic("t");
    const Queue queue = house_.MakeQueue("q");
    topic.Subscribe(queue, {.raw = true}).value();
    std::atomic<int64_t> accepted{0};
    std::vector<std::thread> publishers;
    for (int t = 0; t < 2; ++t) {
      publishers.emplace_back([&] {
        for (int i = 0; i < 1'000'000; ++i) {
          const absl::Status status = topic.Publish({.body = "m"}).status();
          if (!status.ok()) {
            EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
            return;
          }
          ++accepted;
        }
      });
    }
    while (accepted.load() < 20) std::this_thread::yield();
    topic.core()->Close(CloseKind::kDeleted);
    for (std::thread& publisher : publishers) publisher.join();
    EXPECT_EQ(queue.Depth().total(), accepted.load());
  }
}

}  // namespace
}  // namespace banyan::internal
