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
constexpr int kMessages = 500;
#else
constexpr int kMessages = 5'000;
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
      for (int i = 0; i < kMessages; ++i) {
        EXPECT_TRUE(topic.Publish({.body = "m", .attributes = {{"k", "v"}}}).ok());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  done.store(true);
  changer.join();
  EXPECT_EQ(steady.Depth().total(), 2 * kMessages);
  EXPECT_EQ(subscription.Stats().delivery.delivered, 2 * kMessages);
  while (topic.core()->PendingDeliveries() > 0) std::this_thread::yield();
  EXPECT_EQ(called.load(), 2 * kMessages);
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
      for (int i = 0; i < kMessages / 5; ++i) {
        EXPECT_TRUE(bus.Put({.source = "s", .detail_type = "d", .detail = "{}"}).ok());
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  done.store(true);
  changer.join();
  EXPECT_EQ(steady.Depth().total(), 2 * (kMessages / 5));
  EXPECT_EQ(bus.Stats().unmatched, 0);
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
