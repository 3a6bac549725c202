// SPDX-License-Identifier: Apache-2.0
//
// lib/route/notification_endpoint.h -- floor 5: what a topic delivers to outside the broker: servers,
// and people, who get nothing.
#ifndef BANYAN_LIB_ROUTE_NOTIFICATION_ENDPOINT_H_
#define BANYAN_LIB_ROUTE_NOTIFICATION_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/target.h"
#include "deliver/delivery_policy.h"
#include "deliver/http_endpoint.h"
#include "message/environment.h"
#include "message/sink.h"
#include "route/publication.h"

namespace banyan::inline v0_1::internal {

// OK, or SNS's error: an address that is none of its protocol, or HTTP without a transport.
absl::Status ValidateNotificationEndpoint(const NotificationEndpoint& endpoint,
                                          const Environment& env);

// Of a target that passed ValidateNotificationEndpoint(), or is a queue or function.
Protocol ProtocolOf(const Target& target);

// What SNS says of a message in the headers of its POST.
struct SnsPost {
  std::string url;
  std::string type;  // "Notification", "SubscriptionConfirmation", ...
  std::string topic_arn;
  std::string subscription_arn;  // empty: it is not said
  std::shared_ptr<const HttpSettings> settings;
};
std::shared_ptr<HttpEndpoint> MakeHttpEndpoint(std::shared_ptr<Environment> env, SnsPost post);

// Puts what it is given into the broker's captured notifications. Answers at once, and never
// refuses: there is nobody who could.
class CaptureEndpoint final : public Sink {
 public:
  CaptureEndpoint(std::shared_ptr<Environment> env, NotificationEndpoint endpoint,
                  std::string topic_arn)
      : env_(std::move(env)), endpoint_(std::move(endpoint)), topic_arn_(std::move(topic_arn)) {}

  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  const std::string& arn_text() const override { return endpoint_.address; }

 private:
  const std::shared_ptr<Environment> env_;
  const NotificationEndpoint endpoint_;
  const std::string topic_arn_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_NOTIFICATION_ENDPOINT_H_
