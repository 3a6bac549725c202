// SPDX-License-Identifier: Apache-2.0
//
// Shipping: sends an order off once it is paid and its goods are put aside. The two events come in
// any order, and more than once if they like.
#ifndef BANYAN_EXAMPLES_SHOP_SHIPPING_H_
#define BANYAN_EXAMPLES_SHOP_SHIPPING_H_

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mutex.h"
#include "books.h"
#include "inbox.h"
#include "ledger.h"
#include "order.h"

namespace shop {

class Shipping {
 public:
  Shipping(banyan::Broker& broker, banyan::EventBus bus, const Ledger& ledger, Books& books)
      : bus_(std::move(bus)), ledger_(ledger), books_(books) {
    const Inbox inbox = Inbox::Create(broker, "shipping");
    // A free order needs no payment: that it was placed is all there is to know.
    bus_.PutRule("shipping", {.pattern = R"({
                                "$or": [{"detail-type": ["PaymentTaken", "StockReserved"]},
                                        {"detail-type": ["OrderPlaced"],
                                         "detail": {"cents": [0]}}]})",
                              .targets = {inbox.queue}})
        .value();
    consumer_ =
        banyan::Consumer::Start(inbox.queue, ShopConsumer(),
                                [this](const banyan::Received& message) { return Handle(message); })
            .value();
  }

 private:
  struct Progress {
    bool paid = false;
    bool reserved = false;
    bool shipped = false;
  };

  absl::Status Handle(const banyan::Received& message) {
    const absl::StatusOr<OrderEvent> event = ParseEvent(message.body());
    if (!event.ok()) return event.status();
    if (IsNowComplete(*event)) {
      absl::Status told = ledger_.Note(event->order, Step::kShipped);
      if (told.ok()) told = Tell(bus_, "shop.shipping", "OrderShipped", event->order);
      if (!told.ok()) {
        Reopen(event->order);  // so that the next attempt ships
        return told;
      }
    }
    books_.Settled(Desk::kShipping, message.event_id());
    return absl::OkStatus();
  }

  // True once per order, for whichever event completes it.
  bool IsNowComplete(const OrderEvent& event) {
    banyan::MutexLock lock(&mu_);
    Progress& progress = orders_[event.order.number];
    if (event.type == "StockReserved") {
      progress.reserved = true;
    } else {
      progress.paid = true;
    }
    const bool is_complete = progress.paid && (progress.reserved || event.order.parcels == 0);
    return is_complete && !std::exchange(progress.shipped, is_complete);
  }

  void Reopen(const Order& order) {
    banyan::MutexLock lock(&mu_);
    orders_[order.number].shipped = false;
  }

  banyan::EventBus bus_;
  const Ledger& ledger_;
  Books& books_;
  banyan::Mutex mu_;
  std::unordered_map<int64_t, Progress> orders_ ABSL_GUARDED_BY(mu_);
  banyan::Consumer consumer_;  // declared last, so it stops and drains first
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_SHIPPING_H_
