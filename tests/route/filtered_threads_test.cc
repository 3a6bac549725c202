// SPDX-License-Identifier: Apache-2.0
//
// What a subscription's filter policy stopped (SubscriptionStats::filtered), counted while many
// threads publish, subscribe, unsubscribe and change policies: exact for who stays with one policy,
// and off by no more than what is published while a change is made for the others, as topic.h says.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kFilteredMessages = 600;
#else
constexpr int kFilteredMessages = 6'000;
#endif
constexpr int kFilteredPublishers = 3;
constexpr int64_t kAllPublished = int64_t{kFilteredPublishers} * kFilteredMessages;

// Of each six messages: two have k = v, two k = w, two no attribute; of these two each one has a
// body with n = 1, the other one that is no JSON.
PublishRequest Numbered(int publisher, int i, bool fifo) {
  PublishRequest request = {.body = Payload(i % 2 == 0 ? R"({"n":1})" : "no JSON")};
  if (i % 6 < 4) request.attributes = {{"k", i % 6 < 2 ? "v" : "w"}};
  if (fifo) {
    request.message_group_id = std::to_string(publisher);
    request.message_deduplication_id = std::to_string(publisher) + "-" + std::to_string(i);
  }
  return request;
}

class FilteredThreadsTest : public ::testing::TestWithParam<bool> {
 protected:
  ~FilteredThreadsTest() override {
    house_.env->gate.Close();
    house_.env->tasks.Close();
  }

  bool fifo() const { return GetParam(); }
  Queue MakeQueue(const std::string& name) {
    return house_.MakeQueue(fifo() ? name + ".fifo" : name, {.fifo = fifo()});
  }

  std::vector<std::thread> Publishers() {
    std::vector<std::thread> publishers;
    for (int t = 0; t < kFilteredPublishers; ++t) {
      publishers.emplace_back([this, t] {
        for (int i = 0; i < kFilteredMessages; ++i) {
          ++started_;
          EXPECT_TRUE(topic_.Publish(Numbered(t, i, fifo())).ok());
          ++finished_;
        }
        ++publishers_done_;
      });
    }
    return publishers;
  }
  bool publishing() const { return publishers_done_ < kFilteredPublishers; }

  const std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 2});
  TestHouse house_{*runtime_};
  const Topic topic_ = house_.MakeTopic(GetParam() ? "t.fifo" : "t", {.fifo = GetParam()});
  std::atomic<int64_t> started_{0};
  std::atomic<int64_t> finished_{0};
  std::atomic<int> publishers_done_{0};
};

TEST_P(FilteredThreadsTest, WhoKeepsOnePolicyHasExactBooksWhileOthersComeGoAndChange) {
  const auto subscribe = [this](const std::string& name, SubscriptionOptions options) {
    options.raw = true;
    return topic_.Subscribe(MakeQueue(name), options).value();
  };
  const Subscription all = subscribe("all", {});
  const Subscription some = subscribe("some", {.filter_policy = R"({"k":["v"]})"});
  const Subscription none = subscribe("none", {.filter_policy = R"({"k":["never"]})"});
  const Subscription by_body = subscribe(
      "by_body",
      {.filter_policy = R"({"n":[1]})", .filter_policy_scope = FilterPolicyScope::kMessageBody});

  std::vector<std::thread> threads = Publishers();
  threads.emplace_back([&] {
    const Queue queue = MakeQueue("restless");
    while (publishing()) {
      const Subscription restless = topic_.Subscribe(queue, {.raw = true}).value();
      EXPECT_TRUE(
          restless.SetFilterPolicy(R"({"k":["w"]})", FilterPolicyScope::kMessageAttributes).ok());
      EXPECT_TRUE(restless.SetFilterPolicy(R"({"n":[2]})", FilterPolicyScope::kMessageBody).ok());
      EXPECT_TRUE(restless.Unsubscribe().ok());
    }
  });
  threads.emplace_back([&] {
    while (publishing()) {
      for (const Subscription& subscription : {all, some, none, by_body}) {
        const SubscriptionStats stats = subscription.Stats();
        EXPECT_GE(stats.filtered, 0);
        EXPECT_LE(stats.filtered + stats.delivery.matched, started_.load());
      }
    }
  });
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(all.Stats().filtered, 0);
  EXPECT_EQ(all.Stats().delivery.delivered, kAllPublished);
  EXPECT_EQ(some.Stats().filtered, kAllPublished / 6 * 4);
  EXPECT_EQ(some.Stats().delivery.delivered, kAllPublished / 6 * 2);
  EXPECT_EQ(none.Stats().filtered, kAllPublished);
  EXPECT_EQ(none.Stats().delivery.matched, 0);
  EXPECT_EQ(by_body.Stats().filtered, kAllPublished / 2);
  EXPECT_EQ(by_body.Stats().delivery.delivered, kAllPublished / 2);
}

TEST_P(FilteredThreadsTest, APolicyThatChangesIsOffByNoMoreThanWhatIsPublishedMeanwhile) {
  const Subscription subscription = topic_.Subscribe(MakeQueue("q"), {.raw = true}).value();
  std::vector<std::thread> threads = Publishers();
  int64_t meanwhile = 0;  // published while a change was made, all changes together
  threads.emplace_back([&] {
    const auto set = [&](std::string_view policy, FilterPolicyScope scope) {
      const int64_t before = finished_;
      EXPECT_TRUE(subscription.SetFilterPolicy(policy, scope).ok());
      meanwhile += started_ - before;
      // So that the bound below does not grow beyond what there is to count.
      const int64_t now = finished_;
      while (publishing() && finished_ < now + 200) std::this_thread::yield();
    };
    while (publishing()) {
      set(R"({"k":["v"]})", FilterPolicyScope::kMessageAttributes);
      set("", FilterPolicyScope::kMessageAttributes);
      set(R"({"k":["never"]})", FilterPolicyScope::kMessageAttributes);
      set(R"({"n":[1]})", FilterPolicyScope::kMessageBody);
    }
  });
  for (std::thread& thread : threads) thread.join();
  const SubscriptionStats stats = subscription.Stats();
  EXPECT_EQ(stats.delivery.delivered, stats.delivery.matched);
  EXPECT_GE(stats.filtered, 0);
  EXPECT_LE(std::llabs(stats.filtered - (kAllPublished - stats.delivery.matched)), meanwhile);
  const TopicMetrics metrics = topic_.Metrics().value();
  EXPECT_EQ(metrics.number_of_notifications_filtered_out, stats.filtered) << "nobody else is here";
}

TEST_P(FilteredThreadsTest, WhoComesAndGoesCountsWhatWasPublishedMeanwhile) {
  struct Stay {
    Subscription subscription;
    int64_t at_least, at_most;  // published while it was there
    int64_t coming, going;      // of these: while it was made, and ended
  };
  std::vector<Stay> stays;
  std::vector<std::thread> threads = Publishers();
  threads.emplace_back([&] {
    const Queue queue = MakeQueue("restless");
    do {  // once even on a machine so busy that all is published before
      const int64_t finished_before = finished_;
      const Subscription subscription =
          topic_.Subscribe(queue, {.filter_policy = R"({"k":["v"]})", .raw = true}).value();
      const int64_t started_before = started_;
      while (publishing() && finished_ < started_before + 300) std::this_thread::yield();
      const int64_t finished_then = finished_;
      EXPECT_TRUE(subscription.Unsubscribe().ok());
      const int64_t started_then = started_;
      stays.push_back({subscription, finished_then - started_before, started_then - finished_before,
                       started_before - finished_before, started_then - finished_then});
    } while (publishing());
  });
  for (std::thread& thread : threads) thread.join();
  int64_t filtered = 0;
  for (const Stay& stay : stays) {
    const SubscriptionStats stats = stay.subscription.Stats();
    EXPECT_GE(stats.filtered, 0);
    const int64_t counted = stats.filtered + stats.delivery.matched;
    EXPECT_GE(counted, stay.at_least - stay.coming - stay.going);
    EXPECT_LE(counted, stay.at_most + stay.coming + stay.going);
    filtered += stats.filtered;
  }
  EXPECT_EQ(topic_.Metrics()->number_of_notifications_filtered_out, filtered)
      << "what those stopped that are gone";
}

INSTANTIATE_TEST_SUITE_P(Kinds, FilteredThreadsTest, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Fifo" : "Standard"; });

}  // namespace
}  // namespace banyan::internal
