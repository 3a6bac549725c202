// SPDX-License-Identifier: Apache-2.0
//
// CapturedNotification: an e-mail, text message or push notification that was not sent.
//
//   topic.Subscribe(Target::Sms("+15550100")).value();
//   topic.Publish({.body = "your code is 4711"}).value();
//   broker.CapturedNotifications().notifications.back().body;  // "your code is 4711"
//
// A broker sends nothing to people. What a topic has for e-mail addresses, telephones and devices
// is kept for assertions: the last limits.broker.captured_notifications_max of them. For one more,
// the oldest goes and is counted.
#ifndef BANYAN_CAPTURED_NOTIFICATION_H_
#define BANYAN_CAPTURED_NOTIFICATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "banyan/id.h"

namespace banyan::inline v0_1 {

struct CapturedNotification {
  std::string protocol;  // "email", "email-json", "sms" or "application"
  std::string endpoint;  // the address, number or endpoint ARN
  std::string subject;   // as published; may be empty
  // email, sms, application: the message's text. email-json: SNS's envelope. Of a confirmation, the
  // text with its link, or the envelope.
  std::string body;
  std::string topic_arn;
  Id message_id;
  absl::Time time;  // when it was published
};

struct CapturedNotificationList {
  std::vector<CapturedNotification> notifications;  // oldest first
  int64_t dropped = 0;  // the oldest, which had to go since the last clear
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_CAPTURED_NOTIFICATION_H_
