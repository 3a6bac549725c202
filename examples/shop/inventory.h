// SPDX-License-Identifier: Apache-2.0
//
// Inventory: puts goods aside for orders that have any.
#ifndef BANYAN_EXAMPLES_SHOP_INVENTORY_H_
#define BANYAN_EXAMPLES_SHOP_INVENTORY_H_

#include <cstdint>
#include <unordered_set>
#include <utility>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mutex.h"
#include "books.h"
#include "inbox.h"
#include "order.h"

namespace shop {

class Inventory {
 public:
  Inventory(banyan::Broker& broker, banyan::EventBus bus, Books& books)
      : bus_(std::move(bus)), books_(books) {
    const Inbox inbox = Inbox::Create(broker, "inventory");
    bus_.PutRule("inventory", {.pattern = R"({"detail-type": ["OrderPlaced"],
                                              "detail": {"parcels": [{"numeric": [">", 0]}]}})",
                               .targets = {inbox.queue}})
        .value();
    consumer_ =
        banyan::Consumer::Start(inbox.queue, ShopConsumer(),
                                [this](const banyan::Received& message) { return Handle(message); })
            .value();
  }

 private:
  absl::Status Handle(const banyan::Received& message) {
    const absl::StatusOr<OrderEvent> event = ParseEvent(message.body());
    if (!event.ok()) return event.status();
    Reserve(event->order);
    if (absl::Status told = Tell(bus_, "shop.inventory", "StockReserved", event->order);
        !told.ok()) {
      return told;
    }
    books_.Settled(Desk::kInventory, message.event_id());
    return absl::OkStatus();
  }

  // Reserving twice for one order reserves once.
  void Reserve(const Order& order) {
    banyan::MutexLock lock(&mu_);
    if (reserved_for_.insert(order.number).second) parcels_ += order.parcels;
  }

  banyan::EventBus bus_;
  Books& books_;
  banyan::Mutex mu_;
  std::unordered_set<int64_t> reserved_for_ ABSL_GUARDED_BY(mu_);
  int64_t parcels_ ABSL_GUARDED_BY(mu_) = 0;
  banyan::Consumer consumer_;  // declared last, so it stops and drains first
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_INVENTORY_H_
