// SPDX-License-Identifier: Apache-2.0
//
// Orders: takes orders in, and tells the shop. It only publishes; who listens is not its business.
#ifndef BANYAN_EXAMPLES_SHOP_ORDERS_H_
#define BANYAN_EXAMPLES_SHOP_ORDERS_H_

#include <utility>

#include "banyan/event_bus.h"
#include "ledger.h"
#include "order.h"

namespace shop {

class Orders {
 public:
  Orders(banyan::EventBus bus, const Ledger& ledger) : bus_(std::move(bus)), ledger_(ledger) {}

  // An error means that nobody heard of the order: the customer may try again.
  absl::Status Place(const Order& order) const {
    if (absl::Status noted = ledger_.Note(order, Step::kPlaced); !noted.ok()) return noted;
    return Tell(bus_, "shop.orders", "OrderPlaced", order);
  }

 private:
  banyan::EventBus bus_;
  const Ledger& ledger_;
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_ORDERS_H_
