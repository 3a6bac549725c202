// SPDX-License-Identifier: Apache-2.0
#include "banyan/typed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace {

struct OrderPlaced {
  std::string customer;
  int total = 0;
};

// Said to somebody, never heard by us.
struct Greeting {};
// The other way round.
struct Answer {};
// The same, and without attributes.
struct OrderCancelled {};

struct Stranger {};

// A codec that is not what it should be.
struct Misspelt {};

}  // namespace

// {"customer": "acme", "total": 7}, as simple as it gets.
template <>
struct banyan::EventCodec<OrderPlaced> {
  static constexpr std::string_view kName = "OrderPlaced";
  static constexpr std::string_view kSource = "shop.orders";

  static absl::StatusOr<std::string> Encode(const OrderPlaced& order) {
    if (order.total < 0) return absl::OutOfRangeError("the total is negative");
    return R"({"customer":")" + order.customer + R"(","total":)" + std::to_string(order.total) +
           "}";
  }

  static absl::StatusOr<OrderPlaced> Decode(std::string_view json) {
    constexpr std::string_view kBegin = R"({"customer":")";
    constexpr std::string_view kMiddle = R"(","total":)";
    const size_t middle = json.find(kMiddle);
    if (!json.starts_with(kBegin) || middle == json.npos) {
      return absl::InvalidArgumentError("customer or total is missing");
    }
    OrderPlaced order;
    order.customer = json.substr(kBegin.size(), middle - kBegin.size());
    const std::string_view total = json.substr(middle + kMiddle.size());
    std::from_chars(total.data(), total.data() + total.size(), order.total);
    return order;
  }

  static banyan::Attributes MakeAttributes(const OrderPlaced& order) {
    return {{"customer", order.customer}, {"kind", "order"}};
  }
};

template <>
struct banyan::EventCodec<Greeting> {
  static constexpr const char* kName = "Greeting";
  static std::string Encode(const Greeting&) { return "hello"; }
};

template <>
struct banyan::EventCodec<Answer> {
  static constexpr std::string_view kName = "Answer";
  static absl::StatusOr<Answer> Decode(std::string_view) { return Answer(); }
};

template <>
struct banyan::EventCodec<OrderCancelled> {
  static constexpr std::string_view kName = "OrderCancelled";
  static constexpr std::string_view kSource = "shop.orders";
  static std::string Encode(const OrderCancelled&) { return "{}"; }
};

template <>
struct banyan::EventCodec<Misspelt> {
  static constexpr int kName = 7;
  static int Encode(const Misspelt&) { return 7; }
  static std::string Decode(std::string_view text) { return std::string(text); }
};

namespace banyan {
namespace {

static_assert(EncodableEvent<OrderPlaced> && DecodableEvent<OrderPlaced>);
static_assert(BusEvent<OrderPlaced> && AttributedEvent<OrderPlaced>);
static_assert(EncodableEvent<Greeting> && !DecodableEvent<Greeting>);
static_assert(!BusEvent<Greeting> && !AttributedEvent<Greeting>);
static_assert(DecodableEvent<Answer> && !EncodableEvent<Answer>);
static_assert(!NamedEvent<Stranger> && !EncodableEvent<Stranger> && !DecodableEvent<Stranger>);
static_assert(!NamedEvent<Misspelt> && !EncodableEvent<Misspelt> && !DecodableEvent<Misspelt>);

using ::banyan::testing::BodyIs;
using ::banyan::testing::HasAttribute;
using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kEverything = R"({"account": [{"exists": true}]})";

class TypedTest : public ::testing::Test {
 protected:
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Queue dead_ = broker_.CreateQueue("dead").value();
  Queue inbox_ = broker_
                     .CreateQueue("inbox", {.visibility_timeout = absl::Seconds(30),
                                            .redrive = RedrivePolicy{.dead_letter = dead_.arn(),
                                                                     .max_receive_count = 2}})
                     .value();
};

TEST_F(TypedTest, ATopicPublishesTheCodecsTextAndAttributes) {
  const Topic orders = broker_.CreateTopic("orders").value();
  ASSERT_THAT(orders.Subscribe(inbox_, {.filter_policy = R"({"customer": ["acme"]})", .raw = true}),
              IsOk());
  const Typed<Topic, OrderPlaced> placed(orders);
  ASSERT_THAT(placed.Publish({.customer = "acme", .total = 7}), IsOk());
  ASSERT_THAT(placed.Publish({.customer = "other", .total = 8}), IsOk());
  const std::vector<Received> batch = inbox_.Receive({.max_messages = 10}).value();
  EXPECT_THAT(batch, ElementsAre(AllOf(BodyIs(R"({"customer":"acme","total":7})"),
                                       HasAttribute("customer", "acme"))));
}

TEST_F(TypedTest, WhatTheCallerGivesGoesAlongAndHisAttributesCount) {
  const Typed<Topic, OrderPlaced> placed(broker_.CreateTopic("orders").value());
  const PublishRequest request =
      placed
          .MakeRequest({.customer = "acme", .total = 7},
                       {.body = "not this",
                        .subject = "an order",
                        .attributes = {{"kind", "test"}, {"priority", "high"}},
                        .trace_header = "t"})
          .value();
  EXPECT_EQ(request.body.view(), R"({"customer":"acme","total":7})");
  EXPECT_EQ(request.subject, "an order");
  EXPECT_EQ(request.trace_header, "t");
  EXPECT_EQ(request.attributes,
            (Attributes{{"customer", "acme"}, {"kind", "test"}, {"priority", "high"}}));
}

TEST_F(TypedTest, ABusEventHasTheCodecsNameAndSource) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  ASSERT_THAT(shop.PutRule("orders", {.pattern = R"({"source": ["shop.orders"],
                                                     "detail-type": ["OrderPlaced"],
                                                     "detail": {"total": [7]}})",
                                      .targets = {inbox_}}),
              IsOk());
  const Typed<EventBus, OrderPlaced> placed(shop);
  ASSERT_THAT(placed.Put({.customer = "acme", .total = 7}), IsOk());
  ASSERT_THAT(placed.Put({.customer = "acme", .total = 8}), IsOk());
  const std::vector<ReceivedEvent<OrderPlaced>> events =
      Typed<Queue, OrderPlaced>(inbox_, Wrapping::kEvent).Receive({.max_messages = 10}).value();
  ASSERT_EQ(events.size(), 1u);
  ASSERT_THAT(events[0].event, IsOk());
  EXPECT_EQ(events[0].event->customer, "acme");
  EXPECT_EQ(events[0].event->total, 7);
}

TEST_F(TypedTest, ASourceOfTheCallersStays) {
  const Typed<EventBus, OrderPlaced> placed(broker_.CreateEventBus("shop").value());
  EXPECT_EQ(placed.MakeEntry({}).value().source, "shop.orders");
  EXPECT_EQ(placed.MakeEntry({}, {.source = "shop.import"}).value().source, "shop.import");
}

TEST_F(TypedTest, WhatDoesNotEncodeReachesNobodyAndIsNamed) {
  const Topic orders = broker_.CreateTopic("orders").value();
  const EventBus shop = broker_.CreateEventBus("shop").value();
  const OrderPlaced bad = {.customer = "acme", .total = -1};
  const auto refused =
      StatusIs(absl::StatusCode::kOutOfRange, "OrderPlaced does not encode: the total is negative");
  EXPECT_THAT((Typed<Topic, OrderPlaced>(orders).Publish(bad)), refused);
  EXPECT_THAT((Typed<EventBus, OrderPlaced>(shop).Put(bad)), refused);
  EXPECT_THAT((Typed<Queue, OrderPlaced>(inbox_).Send(bad)), refused);
  EXPECT_EQ(orders.Stats().published, 0);
  EXPECT_EQ(shop.Stats().accepted, 0);
  EXPECT_EQ(inbox_.Depth(), QueueDepth{});
}

TEST_F(TypedTest, AnErrorOfTheVerbIsTheVerbs) {
  const Typed<Topic, OrderPlaced> placed((Topic()));
  EXPECT_THAT(placed.Publish({}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(TypedTest, AQueueSendsWithGroupAndId) {
  const Queue fifo = broker_.CreateQueue("q.fifo", {.fifo = true}).value();
  const Typed<Queue, OrderPlaced> placed(fifo);
  EXPECT_THAT(placed.Send({}), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(placed.Send({.customer = "acme"},
                          {.message_group_id = "acme", .message_deduplication_id = "1"}),
              IsOk());
  const std::vector<Received> batch = fifo.Receive().value();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].message_group_id(), "acme");
}

TEST_F(TypedTest, ReceiveGivesAlsoWhatDoesNotDecodeSoThatItCanBeSettled) {
  ASSERT_THAT(inbox_.Send({.body = "garbage"}), IsOk());
  const Typed<Queue, OrderPlaced> placed(inbox_);
  ASSERT_THAT(placed.Send({.customer = "acme", .total = 7}), IsOk());
  const auto events = placed.Receive({.max_messages = 10}).value();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_THAT(events[0].event,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "OrderPlaced does not decode: customer or total is missing"));
  EXPECT_THAT(events[0].message.Delete(), IsOk());
  EXPECT_THAT(events[1].event, IsOk());
}

TEST_F(TypedTest, AConsumersHandlerGetsTheEvent) {
  std::vector<int> totals;
  std::vector<std::string> customers;
  const Typed<Queue, OrderPlaced> placed(inbox_);
  Consumer consumer =
      Consumer::Start(inbox_, {}, Decoded<OrderPlaced>([&totals](const OrderPlaced& order) {
                        totals.push_back(order.total);
                        return absl::OkStatus();
                      }))
          .value();
  ASSERT_THAT(placed.Send({.customer = "acme", .total = 7}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_THAT(consumer.Stop(absl::ZeroDuration()), IsOk());
  consumer =
      Consumer::Start(inbox_, {},
                      Decoded<OrderPlaced>([&](const OrderPlaced& order, const Received& message) {
                        totals.push_back(order.total);
                        customers.push_back(message.attributes().Find("customer")->value);
                        return absl::OkStatus();
                      }))
          .value();
  ASSERT_THAT(placed.Send({.customer = "acme", .total = 8}), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(totals, ElementsAre(7, 8));
  EXPECT_THAT(customers, ElementsAre("acme"));
  EXPECT_EQ(inbox_.Depth(), QueueDepth{});
}

TEST_F(TypedTest, ABodyThatDoesNotDecodeNeverReachesTheHandlerAndTheDeadLetterQueueTellsWhy) {
  int called = 0;
  const Consumer consumer =
      Consumer::Start(inbox_, {}, Decoded<OrderPlaced>([&called](const OrderPlaced&) {
                        ++called;
                        return absl::OkStatus();
                      }))
          .value();
  const Id id = inbox_.Send({.body = "garbage"}).value().message_id;
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(called, 0);
  EXPECT_EQ(consumer.Stats().failed, 2);
  EXPECT_THAT(dead_.Peek(10).value(), ElementsAre(BodyIs("garbage")));
  EXPECT_THAT(dead_.Explain(id).value(),
              HasSubstr("OrderPlaced does not decode: customer or total is missing"));
}

TEST_F(TypedTest, AnErrorOfTheHandlerIsTheHandlers) {
  const Consumer consumer =
      Consumer::Start(inbox_, {}, Decoded<OrderPlaced>([](const OrderPlaced&) {
                        return absl::UnavailableError("maintenance");
                      }))
          .value();
  const SendResult sent = Typed<Queue, OrderPlaced>(inbox_).Send({.customer = "acme"}).value();
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(dead_.Explain(sent.message_id).value(), HasSubstr("maintenance"));
}

TEST_F(TypedTest, AConsumerUnwrapsANotification) {
  const Topic orders = broker_.CreateTopic("orders").value();
  ASSERT_THAT(orders.Subscribe(inbox_), IsOk());
  std::vector<std::string> customers;
  const Consumer consumer =
      Consumer::Start(inbox_, {},
                      Decoded<OrderPlaced>(Wrapping::kNotification,
                                           [&customers](const OrderPlaced& order) {
                                             customers.push_back(order.customer);
                                             return absl::OkStatus();
                                           }))
          .value();
  ASSERT_THAT((Typed<Topic, OrderPlaced>(orders).Publish({.customer = "\u00e4cme"})), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(customers, ElementsAre("\u00e4cme"));
}

TEST_F(TypedTest, AnEventCutDownToItsDetailHasNoWrapping) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  ASSERT_THAT(shop.PutRule("all", {.pattern = std::string(kEverything),
                                   .targets = {Target(inbox_).InputPath("$.detail")}}),
              IsOk());
  ASSERT_THAT((Typed<EventBus, OrderPlaced>(shop).Put({.customer = "acme"})), IsOk());
  const auto events = Typed<Queue, OrderPlaced>(inbox_).Receive().value();
  ASSERT_EQ(events.size(), 1u);
  ASSERT_THAT(events[0].event, IsOk());
  EXPECT_EQ(events[0].event->customer, "acme");
}

TEST_F(TypedTest, AnEventOfAnotherTypeIsNotDecoded) {
  const EventBus shop = broker_.CreateEventBus("shop").value();
  ASSERT_THAT(shop.PutRule("all", {.pattern = std::string(kEverything), .targets = {inbox_}}),
              IsOk());
  ASSERT_THAT((Typed<EventBus, OrderCancelled>(shop).Put({})), IsOk());
  const auto events = Typed<Queue, OrderPlaced>(inbox_, Wrapping::kEvent).Receive().value();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_THAT(events[0].event,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "OrderPlaced does not decode: the event's detail type is OrderCancelled"));
}

TEST_F(TypedTest, ABodyInTheWrongWrappingIsRefusedWithTheReason) {
  for (const Wrapping wrapping : {Wrapping::kNotification, Wrapping::kEvent}) {
    EXPECT_THAT(DecodeEvent<OrderPlaced>(R"({"customer":"acme","total":7})", wrapping),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("OrderPlaced does not decode: "), HasSubstr("there is"))));
  }
}

TEST_F(TypedTest, AFunctionsHandlerGetsTheEventOfATopicAndOfABus) {
  const Topic orders = broker_.CreateTopic("orders").value();
  const EventBus shop = broker_.CreateEventBus("shop").value();
  std::vector<std::string> heard;
  const Function of_topic =
      broker_
          .CreateFunction("of-topic", {}, Decoded<OrderPlaced>([&heard](const OrderPlaced& order) {
                            heard.push_back("topic: " + order.customer);
                            return absl::OkStatus();
                          }))
          .value();
  const Function of_bus =
      broker_
          .CreateFunction(
              "of-bus", {},
              Decoded<OrderPlaced>(Wrapping::kEvent,
                                   [&heard](const OrderPlaced& order, const FunctionEvent& e) {
                                     heard.push_back("bus: " + order.customer + " " +
                                                     std::to_string(e.attempt));
                                     return absl::OkStatus();
                                   }))
          .value();
  ASSERT_THAT(orders.Subscribe(of_topic), IsOk());
  ASSERT_THAT(shop.PutRule("all", {.pattern = std::string(kEverything), .targets = {of_bus}}),
              IsOk());
  ASSERT_THAT((Typed<Topic, OrderPlaced>(orders).Publish({.customer = "acme"})), IsOk());
  ASSERT_THAT((Typed<EventBus, OrderPlaced>(shop).Put({.customer = "acme"})), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_THAT(heard, ::testing::UnorderedElementsAre("topic: acme", "bus: acme 1"));
}

TEST_F(TypedTest, WhoOnlyPublishesNeedsNoDecodeAndWhoOnlyReceivesNoEncode) {
  ASSERT_THAT((Typed<Queue, Greeting>(inbox_).Send({})), IsOk());
  EXPECT_THAT((Typed<Queue, Answer>(inbox_).Receive().value()), ::testing::SizeIs(1));
}

}  // namespace
}  // namespace banyan
