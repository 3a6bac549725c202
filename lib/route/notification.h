// SPDX-License-Identifier: Apache-2.0
//
// lib/route/notification.h -- floor 5: SNS's envelope, what a queue reads of a subscription that is
// not raw.
//
// Rendered each time it is read, never when it is sent: most fan-out copies are read once, and a
// fan-out to a thousand queues would otherwise hold a thousand texts. Whether a large message still
// fits is counted once per publish.
//
// The keys and their order are SNS's, and so is the layout with its spaces and line breaks. Nothing
// signs notifications yet, and there is no server to name: Signature, SigningCertURL and
// UnsubscribeURL are empty rather than invented, so that whoever verifies learns that there is
// nothing to verify.
#ifndef BANYAN_LIB_ROUTE_NOTIFICATION_H_
#define BANYAN_LIB_ROUTE_NOTIFICATION_H_

#include <string>
#include <string_view>
#include <utility>

#include "message/message.h"

namespace banyan::inline v0_1::internal {

class Notification final : public Presentation {
 public:
  // A FIFO topic's has a sequence number, and no place for a signature. Queues that are no FIFO
  // queues get its group, or not.
  enum class Of { kStandardTopic, kFifoTopic };
  enum class Group { kKept, kLeftOut };
  explicit Notification(std::string topic_arn, Of of = Of::kStandardTopic,
                        Group group = Group::kKept)
      : topic_arn_(std::move(topic_arn)), of_(of), group_(group) {}

  Payload Body(const Message& message) const override { return Payload(Render(message)); }
  size_t Size(const Message& message) const override;
  size_t SizeAtMost(const Message& message) const override;
  bool ShowsAttributes() const override { return false; }  // they are inside
  std::string_view GroupId(const Message& message) const override {
    return group_ == Group::kLeftOut ? std::string_view() : message.group_id();
  }

  std::string Render(const Message& message) const;

 private:
  std::string Render(const Message& message, std::string_view body) const;

  const std::string topic_arn_;
  const Of of_;
  const Group group_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_NOTIFICATION_H_
