// SPDX-License-Identifier: Apache-2.0
//
// What the modules of the shop tell each other: events about orders. Each event carries the whole
// order, so that no module has to ask another for more.
#ifndef BANYAN_EXAMPLES_SHOP_ORDER_H_
#define BANYAN_EXAMPLES_SHOP_ORDER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/event_bus.h"

namespace shop {

struct Order {
  int64_t number = 0;
  int64_t cents = 0;    // 0: a free sample
  int64_t parcels = 0;  // 0: nothing to carry, a gift card
  std::string customer;
  std::string currency;
  std::string card;
  std::string channel;  // how the customer wants to be told: "email", "sms", "push"
};

// The same seed and number give the same order, always.
Order MakeOrder(uint64_t seed, int64_t number);

std::string ToJson(const Order& order);
absl::StatusOr<Order> ParseOrder(std::string_view json);

struct OrderEvent {
  std::string type;  // "OrderPlaced", "PaymentTaken", "StockReserved", "OrderShipped"
  Order order;
};

// Reads an event as a rule's target receives it: in EventBridge's envelope.
absl::StatusOr<OrderEvent> ParseEvent(std::string_view envelope);

// Puts an event about an order on the bus.
absl::Status Tell(const banyan::EventBus& bus, std::string_view source, std::string_view type,
                  const Order& order);

// A number that looks random and depends on nothing but its arguments: the shop's only chance, so
// that a run can be repeated.
uint64_t Draw(uint64_t seed, std::string_view what, int64_t order, int64_t attempt = 0);

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_ORDER_H_
