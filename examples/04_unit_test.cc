// SPDX-License-Identifier: Apache-2.0
//
// The unit test of an event flow: the module under test is the one that is shipped, on a runtime
// whose time the test moves by hand. Nothing sleeps, and no thread is started.
#include <string>
#include <utility>
#include <vector>

#include "banyan/banyan.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using banyan::Broker;
using banyan::Consumer;
using banyan::EventBus;
using banyan::Queue;
using banyan::QueueDepth;
using banyan::Received;
using banyan::testing::IsOk;
using banyan::testing::SimulatedRuntime;

// What billing writes to. In production a database; here, something that can be told to fail.
class Ledger {
 public:
  void FailNext(absl::Status status) { next_ = std::move(status); }

  absl::Status Charge(std::string_view order) {
    absl::Status result = std::exchange(next_, absl::OkStatus());
    if (result.ok()) charged_.emplace_back(order);
    return result;
  }

  const std::vector<std::string>& charged() const { return charged_; }

 private:
  absl::Status next_;
  std::vector<std::string> charged_;
};

// The module under test. It says what it listens to and does not know who else is in the building.
class Billing {
 public:
  Billing(Broker& broker, const EventBus& shop, Ledger& ledger)
      : inbox_(broker.CreateQueue("billing", {.visibility_timeout = absl::Seconds(30)}).value()) {
    shop.PutRule("billing-orders", {.pattern = R"({
          "source": ["shop.orders"], "detail-type": ["OrderPlaced"],
          "detail": {"total": [{"numeric": [">", 0]}]}})",
                                    .targets = {inbox_}})
        .value();
    consumer_ = Consumer::Start(inbox_, {}, [&ledger](const Received& event) {
                  return ledger.Charge(event.body());
                }).value();
  }

  QueueDepth Depth() const { return inbox_.Depth(); }

 private:
  Queue inbox_;
  Consumer consumer_;  // declared last, so it stops first
};

class BillingTest : public ::testing::Test {
 protected:
  absl::Status Place(std::string detail) {
    return shop_
        .Put({.source = "shop.orders", .detail_type = "OrderPlaced", .detail = std::move(detail)})
        .status();
  }

  SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  EventBus shop_ = broker_.CreateEventBus("shop").value();
  Ledger ledger_;
  Billing billing_{broker_, shop_, ledger_};
};

TEST_F(BillingTest, ChargesAnOrderOnce) {
  ASSERT_THAT(Place(R"({"id": "o-1", "total": 120})"), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(ledger_.charged(), ::testing::ElementsAre(::testing::HasSubstr(R"("id":"o-1")")));
  EXPECT_EQ(billing_.Depth(), QueueDepth{});
}

TEST_F(BillingTest, ChargesOnTheSecondAttemptWhenTheLedgerWasDown) {
  ledger_.FailNext(absl::UnavailableError("maintenance"));
  ASSERT_THAT(Place(R"({"id": "o-1", "total": 120})"), IsOk());

  runtime_.RunUntilIdle();
  EXPECT_THAT(ledger_.charged(), ::testing::IsEmpty());
  EXPECT_EQ(billing_.Depth(), (QueueDepth{.in_flight = 1}));

  runtime_.Advance(absl::Seconds(30));  // the visibility timeout ends
  EXPECT_THAT(ledger_.charged(), ::testing::SizeIs(1));
  EXPECT_EQ(billing_.Depth(), QueueDepth{});
}

TEST_F(BillingTest, FreeOrdersNeverReachBilling) {
  ASSERT_THAT(Place(R"({"id": "o-2", "total": 0})"), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(ledger_.charged(), ::testing::IsEmpty());
  EXPECT_EQ(billing_.Depth(), QueueDepth{});
}

}  // namespace
