// SPDX-License-Identifier: Apache-2.0
//
// Random faults everywhere, and at every step the books of every subscription and target balance:
// what was published while it was there = filtered + delivered + dead-lettered + dropped + pending.
// At the end every message is found where the books say it is.
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

constexpr uint64_t kBookSeeds = 60;

void ExpectBalanced(const DeliveryStats& s) {
  EXPECT_EQ(s.matched, s.delivered + s.dead_lettered + s.dropped + s.pending);
  EXPECT_GE(s.pending, 0);
}

std::multiset<std::string> Bodies(const Queue& queue) {
  const std::vector<std::string> bodies = PeekBodies(queue);
  return {bodies.begin(), bodies.end()};
}

TEST(BooksTest, TopicBooksBalanceUnderRandomFaults) {
  for (uint64_t seed = 1; seed <= kBookSeeds; ++seed) {
    testing::SimulatedRuntime runtime({.seed = seed, .shuffle = true});
    testing::SeedReporter reporter(runtime);
    std::mt19937_64 random(seed);
    TestHouse house(runtime);
    const Topic topic = house.MakeTopic("t");

    // One subscription of each kind, each with a dead-letter queue of its own.
    struct Watched {
      Subscription subscription;
      Queue dead;
      std::multiset<std::string> had;  // what reached the destination
    };
    std::map<std::string, Watched> all;
    const Queue steady = house.MakeQueue("steady");
    const Queue small = house.MakeQueue("small", {.messages_max = 3});
    const Queue doomed = house.MakeQueue("doomed");
    const RetryPolicy retry = {.retries_max = static_cast<int64_t>(random() % 4),
                               .backoff_max = absl::Seconds(5),
                               .waiting_max = 5};
    const Function flaky = house.MakeFunction("flaky",
                                              [&](const FunctionEvent& event) {
                                                if (random() % 3 == 0)
                                                  return absl::InternalError("today not");
                                                all["flaky"].had.emplace(event.body);
                                                return absl::OkStatus();
                                              },
                                              {.concurrency = 2, .pending_max = 4});
    const auto subscribe = [&](const std::string& name, Target target, const char* filter) {
      Watched& watched = all[name];
      watched.dead = house.MakeQueue(name + "-dead");
      watched.subscription = topic
                                 .Subscribe(target.Retry(retry).DeadLetter(watched.dead),
                                            {.filter_policy = filter, .raw = true})
                                 .value();
    };
    subscribe("steady", steady, R"({"even":["yes"]})");
    subscribe("small", small, "");
    subscribe("doomed", doomed, "");
    subscribe("flaky", flaky, "");

    int64_t published = 0;
    std::multiset<std::string> bodies, even_bodies;
    for (int step = 0; step < 80; ++step) {
      if (random() % 3 != 0) {
        const std::string body = std::to_string(published);
        const bool even = published % 2 == 0;
        ASSERT_TRUE(
            topic.Publish({.body = body, .attributes = {{"even", even ? "yes" : "no"}}}).ok());
        bodies.insert(body);
        if (even) even_bodies.insert(body);
        ++published;
      } else {
        runtime.Advance(absl::Milliseconds(random() % 3'000));
      }
      if (random() % 10 == 0) {
        const std::vector<Received> some = small.Receive({.max_messages = 2}).value();
        for (const Received& r : some) {
          all["small"].had.emplace(r.body());
          ASSERT_TRUE(r.Delete().ok());
        }
      }
      if (step == 40) doomed.core()->Close(CloseKind::kDeleted);
      if (step == 39) all["doomed"].had = Bodies(doomed);
      int64_t pending = 0;
      for (const auto& [name, watched] : all) {
        const SubscriptionStats stats = watched.subscription.Stats();
        ExpectBalanced(stats.delivery);
        EXPECT_EQ(stats.filtered + stats.delivery.matched, published) << name;
        pending += stats.delivery.pending;
      }
      EXPECT_EQ(topic.core()->PendingDeliveries(), pending);
    }
    runtime.Advance(absl::Minutes(10));

    all["steady"].had = Bodies(steady);
    for (const std::string& body : Bodies(small)) all["small"].had.insert(body);
    for (auto& [name, watched] : all) {
      const DeliveryStats stats = watched.subscription.Stats().delivery;
      EXPECT_EQ(stats.pending, 0) << name;
      EXPECT_EQ(stats.dropped, 0) << name;
      if (name == "doomed") continue;  // what it had went with it
      // Nothing is lost and nothing is in two places.
      std::multiset<std::string> found = watched.had;
      EXPECT_EQ(static_cast<int64_t>(found.size()), stats.delivered) << name;
      const std::vector<Received> letters = watched.dead.Peek(10'000).value();
      for (const Received& letter : letters) {
        // A function's letter is the envelope; its Message is the body.
        std::string body(letter.body());
        if (const size_t at = body.find("\"Message\" : \""); at != body.npos) {
          body = body.substr(at + 13, body.find('"', at + 13) - at - 13);
        }
        found.insert(body);
      }
      EXPECT_EQ(found, name == "steady" ? even_bodies : bodies) << name;
    }
  }
}

TEST(BooksTest, BusBooksBalanceUnderRandomFaults) {
  for (uint64_t seed = 1; seed <= kBookSeeds; ++seed) {
    testing::SimulatedRuntime runtime({.seed = seed, .shuffle = true});
    testing::SeedReporter reporter(runtime);
    std::mt19937_64 random(seed);
    TestHouse house(runtime);
    const EventBus bus = house.MakeBus("b");
    const Queue small = house.MakeQueue("small", {.messages_max = 2});
    const Queue dead = house.MakeQueue("dead");
    const Function flaky = house.MakeFunction("flaky", [&random](const FunctionEvent&) {
      return random() % 2 == 0 ? absl::OkStatus() : absl::InternalError("no");
    });
    const RetryPolicy retry = {.retries_max = 2, .backoff_max = absl::Seconds(2)};
    // An array within quotes, which odd events have, makes no JSON.
    const Queue even = house.MakeQueue("even");
    const Target even_only = Target(even).DeadLetter(dead).InputTransformer(
        {{"n", "$.detail.n"}, {"odd", "$.detail.odd"}}, R"({"n": <n>, "odd": "<odd>"})");
    const Rule rule = bus.PutRule("r", {.pattern = R"({"detail":{"n":[{"numeric":["<",50]}]}})",
                                        .targets = {Target(small).Retry(retry).DeadLetter(dead),
                                                    Target(flaky).Retry(retry), even_only}})
                          .value();
    int64_t matching = 0, odd = 0, put = 0;
    for (int step = 0; step < 60; ++step) {
      const uint64_t n = random() % 100;
      const std::string detail =
          "{\"n\":" + std::to_string(n) + (n % 2 == 0 ? "}" : R"(,"odd":["yes"]})");
      ASSERT_TRUE(bus.Put({.source = "s", .detail_type = "d", .detail = detail}).ok());
      ++put;
      matching += n < 50;
      odd += n < 50 && n % 2 != 0;
      runtime.Advance(absl::Milliseconds(random() % 500));
      const RuleStats stats = rule.Stats();
      EXPECT_EQ(stats.matched, matching);
      for (const TargetStats& target : stats.targets) {
        ExpectBalanced(target.delivery);
        EXPECT_EQ(target.delivery.matched, matching);
      }
    }
    EXPECT_EQ(bus.Stats().accepted, put);
    EXPECT_EQ(bus.Stats().unmatched, put - matching);
    runtime.Advance(absl::Minutes(5));
    const RuleStats stats = rule.Stats();
    EXPECT_EQ(stats.targets[0].delivery.pending + stats.targets[1].delivery.pending, 0);
    EXPECT_EQ(dead.Depth().total(), stats.targets[0].delivery.dead_lettered);
    EXPECT_EQ(small.Depth().total(), stats.targets[0].delivery.delivered);
    EXPECT_EQ(even.Depth().total(), matching - odd);
    EXPECT_EQ(stats.targets[2].delivery.dropped, odd);
    // The function has no dead-letter queue: each drop is in the log, as are the odd events.
    EXPECT_EQ(static_cast<int64_t>(house.log.lines().size()),
              stats.targets[1].delivery.dropped + odd);
  }
}

}  // namespace
}  // namespace banyan::internal
