// SPDX-License-Identifier: Apache-2.0
//
// What a user's test looks like: time moves by hand.

#include "absl/time/time.h"
#include "banyan/banyan.h"
#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"

namespace {

TEST(App, MessageComesBackAfterItsVisibilityTimeout) {
  banyan::testing::SimulatedRuntime runtime;
  banyan::Broker broker = banyan::Broker::Create(runtime, {}).value();
  const banyan::Queue inbox =
      broker.CreateQueue("inbox", {.visibility_timeout = absl::Seconds(30)}).value();
  ASSERT_TRUE(inbox.Send({.body = "hello"}).ok());
  ASSERT_EQ(inbox.Receive().value().size(), 1u);
  EXPECT_EQ(inbox.Receive().value().size(), 0u);

  runtime.Advance(absl::Seconds(31));
  EXPECT_EQ(inbox.Receive().value().size(), 1u);
}

}  // namespace
