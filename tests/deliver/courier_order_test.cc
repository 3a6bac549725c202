// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 4: what a courier in order promises, whatever its destination does. Random
// destinations, on a clock moved by hand; a failure prints its seed.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "deliver/courier.h"
#include "deliver_testing.h"
#include "gmock/gmock.h"

namespace banyan::internal {
namespace {

// Takes, or refuses for now or for ever, as chance has it; knows what it took.
class FickleSink : public Sink {
 public:
  explicit FickleSink(std::mt19937_64& random) : random_(random) {}

  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn) override {
    const uint64_t chance = random_() % 100;
    if (chance < refuses_percent) return absl::UnavailableError("not now");
    if (chance < refuses_percent + 3) return absl::InvalidArgumentError("never");
    taken[delivery.message->group_id()].push_back(
        std::stoi(std::string(delivery.message->body.view())));
    return absl::OkStatus();
  }
  const std::string& arn_text() const override { return arn_; }

  uint64_t refuses_percent = 50;
  std::map<std::string, std::vector<int>> taken;

 private:
  std::mt19937_64& random_;
  const std::string arn_ = "arn:aws:sqs:us-east-1:000000000000:fickle.fifo";
};

class CourierOrderTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(CourierOrderTest, EachGroupArrivesInOrderAndNothingIsLost) {
  std::mt19937_64 random(GetParam());
  testing::SimulatedRuntime runtime;
  auto env = std::make_shared<Environment>(runtime, Limits::Aws(), /*id_seed=*/1);
  auto sink = std::make_shared<FickleSink>(random);
  auto dead = std::make_shared<FickleSink>(random);
  dead->refuses_percent = 0;
  const auto courier = Courier::Create(
      env, {.destination = sink,
            .retry = {.retries_max = 1 + static_cast<int64_t>(random() % 6),
                      .waiting_max = 1 + static_cast<int64_t>(random() % 40)},
            .source_arn = "arn:aws:sns:us-east-1:000000000000:t.fifo:s",
            .in_order = true,
            .dead_letter = dead,
            .dead_letter_form = [](const Delivery& delivery, const GivenUp&) { return delivery; }});
  int sent = 0;
  for (int step = 0; step < 300; ++step) {
    sink->refuses_percent = random() % 3 == 0 ? 95 : 30;
    if (random() % 2 == 0) runtime.Advance(absl::Milliseconds(random() % 3'000));
    const Id id = env->ids.Next();
    Delivery delivery = {
        .message = MakeMessage({.id = id,
                                .event_id = id,
                                .accepted = runtime.Read(),
                                .group_id = std::string(1, static_cast<char>('a' + random() % 3)),
                                .body = Payload(std::to_string(sent++))})};
    courier->Deliver(delivery);
    ExpectBalanced(courier->Stats());
  }
  const bool deletes = random() % 4 == 0;
  if (deletes) courier->Close(CloseKind::kDeleted);
  sink->refuses_percent = 0;
  runtime.Advance(absl::Hours(24));

  const DeliveryStats books = courier->Stats();
  EXPECT_EQ(books.matched, sent);
  EXPECT_EQ(books.pending, 0);
  size_t arrived = 0;
  for (const auto& [group, numbers] : sink->taken) {
    arrived += numbers.size();
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << group;
  }
  EXPECT_EQ(arrived, static_cast<size_t>(books.delivered));
  EXPECT_EQ(runtime.NextDue(), absl::InfiniteDuration()) << "no timer is left";
  courier->Close(CloseKind::kStopped);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CourierOrderTest, ::testing::Range<uint64_t>(0, 300));

// A queue that was full for long has a long line behind it: passed in a loop, not by recursion.
TEST(CourierLineTest, ALongLineTakesNoStack) {
  testing::SimulatedRuntime runtime;
  auto env = std::make_shared<Environment>(runtime, Limits::Aws(), /*id_seed=*/1);
  auto sink = std::make_shared<ScriptedSink>();
  sink->answers.push_back(absl::UnavailableError("full"));
  const auto courier =
      Courier::Create(env, {.destination = sink,
                            .retry = {},
                            .source_arn = "arn:aws:sns:us-east-1:000000000000:t.fifo:s",
                            .in_order = true,
                            .dead_letter = nullptr,
                            .dead_letter_form = nullptr});
  constexpr int kLong = 90'000;
  for (int i = 0; i < kLong; ++i) {
    Delivery delivery = {.message = MakeTestMessage(*env, std::to_string(i))};
    courier->Deliver(delivery);
  }
  EXPECT_EQ(courier->pending(), kLong);
  EXPECT_EQ(sink->seen.size(), 1u) << "nothing overtakes";
  runtime.Advance(absl::Minutes(1));
  EXPECT_EQ(courier->pending(), 0);
  EXPECT_EQ(courier->Stats().delivered, kLong);
  EXPECT_EQ(sink->seen.back().message->body.view(), std::to_string(kLong - 1));
}

}  // namespace
}  // namespace banyan::internal
