// SPDX-License-Identifier: Apache-2.0
//
// Receipts: a text for each payment. The module never sees an event: its rule writes the text.
#ifndef BANYAN_EXAMPLES_SHOP_RECEIPTS_H_
#define BANYAN_EXAMPLES_SHOP_RECEIPTS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mutex.h"
#include "books.h"
#include "inbox.h"

namespace shop {

class Receipts {
 public:
  Receipts(banyan::Broker& broker, const banyan::EventBus& bus, Books& books) : books_(books) {
    const Inbox inbox = Inbox::Create(broker, "receipts");
    // A template of text is delivered with its quotes, as on AWS.
    bus.PutRule("receipts",
                {.pattern = R"({"source": ["shop.payment"], "detail-type": ["PaymentTaken"]})",
                 .targets = {banyan::Target(inbox.queue)
                                 .InputTransformer({{"number", "$.detail.order"},
                                                    {"customer", "$.detail.customer"},
                                                    {"cents", "$.detail.cents"},
                                                    {"currency", "$.detail.currency"}},
                                                   R"("Order <number>: <customer> paid )"
                                                   R"(<cents> cents, in <currency>.")")}})
        .value();
    consumer_ =
        banyan::Consumer::Start(inbox.queue, ShopConsumer(),
                                [this](const banyan::Received& message) { return Print(message); })
            .value();
  }

  std::string latest() const {
    banyan::MutexLock lock(&mu_);
    return latest_;
  }

 private:
  static constexpr size_t kNumberAt = std::string_view("\"Order ").size();

  absl::Status Print(const banyan::Received& message) {
    std::string text(message.body());
    // "Order 17: ... : a path that finds nothing leaves nothing behind.
    if (text.find_first_of("0123456789") != kNumberAt) {
      return absl::InvalidArgumentError("not a receipt: " + text);
    }
    books_.Settled(Desk::kReceipts, message.event_id());
    banyan::MutexLock lock(&mu_);
    latest_ = std::move(text);
    return absl::OkStatus();
  }

  Books& books_;
  mutable banyan::Mutex mu_;
  std::string latest_ ABSL_GUARDED_BY(mu_);
  banyan::Consumer consumer_;  // declared last, so it stops and drains first
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_RECEIPTS_H_
