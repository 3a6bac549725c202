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
  explicit Notification(std::string topic_arn) : topic_arn_(std::move(topic_arn)) {}

  Payload Body(const Message& message) const override { return Payload(Render(message)); }
  size_t Size(const Message& message) const override;
  size_t SizeAtMost(const Message& message) const override;
  bool ShowsAttributes() const override { return false; }  // they are inside

  std::string Render(const Message& message) const;

 private:
  std::string Render(const Message& message, std::string_view body) const;

  const std::string topic_arn_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_NOTIFICATION_H_
