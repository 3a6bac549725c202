// SPDX-License-Identifier: Apache-2.0
//
// Payment: takes the money for orders that cost something. The one module here that fails at times:
// its provider times out now and then (another attempt helps), it does not know one currency (until
// it is updated), and nobody can charge a card number that cannot be read.
#ifndef BANYAN_EXAMPLES_SHOP_PAYMENT_H_
#define BANYAN_EXAMPLES_SHOP_PAYMENT_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mutex.h"
#include "books.h"
#include "inbox.h"
#include "ledger.h"
#include "order.h"
#include "stopwatch.h"

namespace shop {

// The company that moves the money; outside of the shop, and not always there.
class PaymentProvider {
 public:
  explicit PaymentProvider(uint64_t seed) : seed_(seed) {}

  // The update that brings the missing currency.
  void Update() { knows_isk_ = true; }

  // Charging an order twice takes the money once. A handler needs that of whoever it calls, since
  // its message may come twice.
  absl::Status Charge(const Order& order, int64_t attempt) {
    if (order.card.find('?') != std::string::npos) {
      return absl::InvalidArgumentError("card number cannot be read");
    }
    if (order.currency == "ISK" && !knows_isk_) {
      return absl::UnimplementedError("currency ISK is not known");
    }
    if (Draw(seed_, "time-out", order.number, attempt) % 40 == 0) {
      return absl::UnavailableError("provider timed out");
    }
    banyan::MutexLock lock(&mu_);
    if (charged_.insert(order.number).second) cents_ += order.cents;
    return absl::OkStatus();
  }

  int64_t cents() const {
    banyan::MutexLock lock(&mu_);
    return cents_;
  }

 private:
  const uint64_t seed_;
  std::atomic<bool> knows_isk_ = false;
  mutable banyan::Mutex mu_;
  std::unordered_set<int64_t> charged_ ABSL_GUARDED_BY(mu_);
  int64_t cents_ ABSL_GUARDED_BY(mu_) = 0;
};

class Payment {
 public:
  Payment(banyan::Broker& broker, banyan::EventBus bus, PaymentProvider& provider,
          const Ledger& ledger, Books& books, Stopwatch& stopwatch)
      : bus_(std::move(bus)),
        provider_(provider),
        ledger_(ledger),
        books_(books),
        stopwatch_(stopwatch) {
    const Inbox inbox = Inbox::Create(broker, "payment");
    bus_.PutRule("payment", {.pattern = R"({"source": ["shop.orders"],
                                            "detail-type": ["OrderPlaced"],
                                            "detail": {"cents": [{"numeric": [">", 0]}]}})",
                             .targets = {inbox.queue}})
        .value();
    consumer_ =
        banyan::Consumer::Start(inbox.queue, ShopConsumer(),
                                [this](const banyan::Received& message) { return Handle(message); })
            .value();
  }

  int64_t failed_attempts() const { return consumer_.Stats().failed; }

 private:
  // OK settles the message. Any error leaves it in the queue for another attempt, and after the
  // last one it moves to the dead-letter queue. Nothing else has to be done about failures.
  absl::Status Handle(const banyan::Received& message) const {
    const absl::StatusOr<OrderEvent> event = ParseEvent(message.body());
    if (!event.ok()) return event.status();
    const Order& order = event->order;
    if (absl::Status charged = provider_.Charge(order, message.receive_count()); !charged.ok()) {
      stopwatch_.Trouble(order.number);
      return charged;
    }
    // First tell, then settle: should the bus refuse, the next attempt tells again. The other way
    // round a fault in between would lose the order.
    if (absl::Status noted = ledger_.Note(order, Step::kPaid); !noted.ok()) return noted;
    if (absl::Status told = Tell(bus_, "shop.payment", "PaymentTaken", order); !told.ok()) {
      return told;
    }
    books_.Settled(Desk::kPayment, message.event_id());
    return absl::OkStatus();
  }

  banyan::EventBus bus_;
  PaymentProvider& provider_;
  const Ledger& ledger_;
  Books& books_;
  Stopwatch& stopwatch_;
  banyan::Consumer consumer_;  // declared last, so it stops and drains first
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_PAYMENT_H_
