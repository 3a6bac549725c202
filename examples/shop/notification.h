// SPDX-License-Identifier: Apache-2.0
//
// Notification: tells customers that their order is on its way. It publishes one notice, and the
// topic's filter policies find the channel: two queues, a function, and a queue that nobody reads
// before tomorrow morning.
#ifndef BANYAN_EXAMPLES_SHOP_NOTIFICATION_H_
#define BANYAN_EXAMPLES_SHOP_NOTIFICATION_H_

#include <map>
#include <string_view>
#include <utility>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/function.h"
#include "banyan/topic.h"
#include "books.h"
#include "inbox.h"
#include "order.h"
#include "stopwatch.h"

namespace shop {

class Notification {
 public:
  Notification(banyan::Broker& broker, const banyan::EventBus& bus, banyan::Topic notices,
               Books& books, Stopwatch& stopwatch)
      : notices_(std::move(notices)), books_(books), stopwatch_(stopwatch) {
    const Inbox inbox = Inbox::Create(broker, "notification");
    bus.PutRule("notification", {.pattern = R"({"source": ["shop.shipping"],
                                                "detail-type": ["OrderShipped"]})",
                                 .targets = {inbox.queue}})
        .value();

    // Filters on attributes: what the publisher says about a notice. Raw: the queues get the notice
    // itself, not SNS's envelope around it.
    const Inbox email = Inbox::Create(broker, "email");
    const Inbox sms = Inbox::Create(broker, "sms");
    subscriptions_[Desk::kEmail] =
        notices_.Subscribe(email.queue, {.filter_policy = R"({"channel": ["email"]})", .raw = true})
            .value();
    subscriptions_[Desk::kSms] =
        notices_.Subscribe(sms.queue, {.filter_policy = R"({"channel": ["sms"]})", .raw = true})
            .value();

    // A function is called on the runtime's threads; no queue, no consumer. What it refers to must
    // outlive Broker::Stop().
    push_ = broker
                .CreateFunction("push", {.concurrency = 4},
                                [this](const banyan::FunctionEvent& notice) {
                                  return Deliver(Desk::kPush, notice.body, notice.event_id);
                                })
                .value();
    subscriptions_[Desk::kPush] =
        notices_.Subscribe(push_, {.filter_policy = R"({"channel": ["push"]})"}).value();

    // A filter on the body: what the notice itself says.
    const Inbox vip_desk = Inbox::Create(broker, "vip-desk");
    subscriptions_[Desk::kVipDesk] =
        notices_
            .Subscribe(vip_desk.queue,
                       {.filter_policy = R"({"cents": [{"numeric": [">=", 50000]}]})",
                        .filter_policy_scope = banyan::FilterPolicyScope::kMessageBody,
                        .raw = true})
            .value();

    email_consumer_ = StartMailer(email.queue, Desk::kEmail);
    sms_consumer_ = StartMailer(sms.queue, Desk::kSms);
    consumer_ =
        banyan::Consumer::Start(inbox.queue, ShopConsumer(),
                                [this](const banyan::Received& message) { return Handle(message); })
            .value();
  }

  bool PushIsIdle() const {
    const banyan::FunctionStats stats = push_.Stats();
    return stats.running == 0 && stats.pending == 0;
  }

  const std::map<Desk, banyan::Subscription>& subscriptions() const { return subscriptions_; }

 private:
  absl::Status Handle(const banyan::Received& message) const {
    const absl::StatusOr<OrderEvent> event = ParseEvent(message.body());
    if (!event.ok()) return event.status();
    const absl::StatusOr<banyan::PublishResult> published = notices_.Publish(
        {.body = ToJson(event->order), .attributes = {{"channel", event->order.channel}}});
    if (!published.ok()) return published.status();
    books_.Settled(Desk::kNotification, message.event_id());
    return absl::OkStatus();
  }

  banyan::Consumer StartMailer(const banyan::Queue& queue, Desk desk) {
    return banyan::Consumer::Start(queue, ShopConsumer(),
                                   [this, desk](const banyan::Received& notice) {
                                     return Deliver(desk, notice.body(), notice.event_id());
                                   })
        .value();
  }

  // The customer knows: the order's journey ends here.
  absl::Status Deliver(Desk desk, std::string_view notice, banyan::Id event) const {
    const absl::StatusOr<Order> order = ParseOrder(notice);
    if (!order.ok()) return order.status();
    stopwatch_.Finish(order->number);
    books_.Settled(desk, event);
    return absl::OkStatus();
  }

  banyan::Topic notices_;
  Books& books_;
  Stopwatch& stopwatch_;
  std::map<Desk, banyan::Subscription> subscriptions_;
  banyan::Function push_;
  banyan::Consumer email_consumer_;
  banyan::Consumer sms_consumer_;
  banyan::Consumer consumer_;  // declared last, so it stops and drains first
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_NOTIFICATION_H_
