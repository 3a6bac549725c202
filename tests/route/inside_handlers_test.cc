// SPDX-License-Identifier: Apache-2.0
//
// What a handler may do while it runs: everything.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class InsideHandlersTest : public RouteTest {
 protected:
  Topic topic_ = house_.MakeTopic("t");
  Queue queue_ = house_.MakeQueue("q");
};

TEST_F(InsideHandlersTest, PublishToItsOwnTopic) {
  const Function countdown = house_.MakeFunction("countdown", [this](const FunctionEvent& event) {
    const int left = std::stoi(std::string(event.body));
    return left == 0 ? absl::OkStatus()
                     : topic_.Publish({.body = std::to_string(left - 1)}).status();
  });
  topic_.Subscribe(countdown).value();
  topic_.Subscribe(queue_, {.raw = true}).value();
  topic_.Publish({.body = "3"}).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("3", "2", "1", "0"));
}

TEST_F(InsideHandlersTest, UnsubscribeItself) {
  int calls = 0;
  std::optional<Subscription> own;
  const Function once = house_.MakeFunction("once", [&](const FunctionEvent&) {
    ++calls;
    return own->Unsubscribe();
  });
  own = topic_.Subscribe(once).value();
  topic_.Publish({.body = "1"}).value();
  runtime_.RunUntilIdle();
  topic_.Publish({.body = "2"}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 1);
}

TEST_F(InsideHandlersTest, DeleteItsTopicAndStillBeBooked) {
  const Function last = house_.MakeFunction("last", [this](const FunctionEvent&) {
    topic_.core()->Close(CloseKind::kDeleted);
    return absl::OkStatus();
  });
  const Subscription subscription = topic_.Subscribe(last).value();
  topic_.Publish({.body = "1"}).value();
  topic_.Publish({.body = "2"}).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(subscription.Stats().delivery.delivered, 2);  // the function is still there
  EXPECT_EQ(topic_.Publish({.body = "3"}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(InsideHandlersTest, DeleteItsQueueInTheMiddleOfAFanOut) {
  // The tap runs inside Publish; the first target goes away before it is its turn.
  class Deleter : public Tap {
   public:
    TapVerdict Accepted(const AcceptedMessage&) override {
      victim.core()->Close(CloseKind::kDeleted);
      return TapVerdict::kDeliver;
    }
    Queue victim;
  } tap;
  tap.victim = queue_;
  house_.env->tap = &tap;
  const Queue other = house_.MakeQueue("other");
  const Subscription gone = topic_.Subscribe(queue_, {.raw = true}).value();
  topic_.Subscribe(other, {.raw = true}).value();
  topic_.Publish({.body = "m"}).value();
  EXPECT_THAT(Drain(other), SizeIs(1));
  EXPECT_EQ(gone.Stats().delivery.dropped, 1);
  EXPECT_THAT(house_.log.lines(), SizeIs(1));
  house_.env->tap = nullptr;
}

TEST_F(InsideHandlersTest, StopEverything) {
  const EventBus bus = house_.MakeBus("b");
  std::shared_ptr<FunctionCore> self;
  const Function stopper = house_.MakeFunction("stopper", [&](const FunctionEvent&) {
    house_.env->gate.Close();
    bus.core()->Close(CloseKind::kStopped);
    topic_.core()->Close(CloseKind::kStopped);
    self->Close(CloseKind::kStopped);
    return absl::InternalError("and fails on top of it");
  });
  self = stopper.core();
  bus.PutRule("r", {.pattern = R"({"source":["s"]})", .targets = {stopper}}).value();
  const std::shared_ptr<EventBusCore> core = bus.core();
  for (int i = 0; i < 3; ++i) {
    bus.Put({.source = "s", .detail_type = "d", .detail = "{}"}).value();
  }
  EXPECT_EQ(core->PendingDeliveries(), 3);
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(core->PendingDeliveries(), 3);  // none was delivered, none is lost from the books
  self.reset();
}

TEST_F(InsideHandlersTest, SubscribeAnotherWhichSeesOnlyWhatComesLater) {
  const Function subscriber = house_.MakeFunction("subscriber", [this](const FunctionEvent&) {
    return topic_.Subscribe(queue_, {.raw = true}).status();
  });
  topic_.Subscribe(subscriber).value();
  topic_.Publish({.body = "1"}).value();
  runtime_.RunUntilIdle();
  topic_.Publish({.body = "2"}).value();
  EXPECT_THAT(DrainBodies(queue_), ElementsAre("2"));
}

}  // namespace
}  // namespace banyan::internal
