// SPDX-License-Identifier: Apache-2.0
//
// lib/route/notification.h -- floor 5: SNS's envelope, what a queue or a server reads of a
// subscription that is not raw; and the two messages of the handshake, which look like it.
//
// Rendered each time it is read, never when it is sent: most fan-out copies are read once, and a
// fan-out to a thousand queues would otherwise hold a thousand texts. Whether a large message still
// fits is counted once per publish. That a signature has one size whatever is signed keeps this
// true: nothing is signed to be counted.
//
// The keys and their order are SNS's, and so is the layout with its spaces and line breaks.
#ifndef BANYAN_LIB_ROUTE_NOTIFICATION_H_
#define BANYAN_LIB_ROUTE_NOTIFICATION_H_

#include <string>
#include <string_view>
#include <utility>

#include "message/message.h"
#include "route/signing.h"

namespace banyan::inline v0_1::internal {

class Notification final : public Presentation {
 public:
  // A FIFO topic's has a sequence number, and no place for a signature. Queues that are no FIFO
  // queues get its group, or not.
  enum class Of { kStandardTopic, kFifoTopic };
  enum class Group { kKept, kLeftOut };
  explicit Notification(std::string topic_arn, Of of = Of::kStandardTopic,
                        Group group = Group::kKept, Signing signing = {},
                        std::string unsubscribe_url = {})
      : topic_arn_(std::move(topic_arn)),
        of_(of),
        group_(group),
        signing_(std::move(signing)),
        unsubscribe_url_(std::move(unsubscribe_url)) {}

  Payload Body(const Message& message) const override { return Payload(Render(message)); }
  size_t Size(const Message& message) const override;
  size_t SizeAtMost(const Message& message) const override;
  bool ShowsAttributes() const override { return false; }  // they are inside
  std::string_view GroupId(const Message& message) const override {
    return group_ == Group::kLeftOut ? std::string_view() : message.group_id();
  }

  std::string Render(const Message& message) const;

 private:
  std::string Render(const Message& message, std::string_view body, int version,
                     std::string_view signature) const;

  const std::string topic_arn_;
  const Of of_;
  const Group group_;
  const Signing signing_;
  const std::string unsubscribe_url_;
};

// A step of the handshake. Its text is the body of the message it is rendered around, see
// HandshakeText().
class HandshakeNotice final : public Presentation {
 public:
  enum class Kind { kSubscription, kUnsubscribe };
  HandshakeNotice(Kind kind, std::string topic_arn, std::string token, std::string subscribe_url,
                  Signing signing)
      : kind_(kind),
        topic_arn_(std::move(topic_arn)),
        token_(std::move(token)),
        subscribe_url_(std::move(subscribe_url)),
        signing_(std::move(signing)) {}

  static std::string_view Type(Kind kind) {
    return kind == Kind::kSubscription ? "SubscriptionConfirmation" : "UnsubscribeConfirmation";
  }

  Payload Body(const Message& message) const override;
  bool ShowsAttributes() const override { return false; }

 private:
  const Kind kind_;
  const std::string topic_arn_;
  const std::string token_;
  const std::string subscribe_url_;
  const Signing signing_;
};

// `arn`: the topic's, or that of the subscription that has ended.
std::string HandshakeText(HandshakeNotice::Kind kind, std::string_view arn);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_NOTIFICATION_H_
