// SPDX-License-Identifier: Apache-2.0
//
// lib/route/signing.h -- floor 5: how a topic signs what it tells its subscribers, and the URLs that
// stand beside a signature.
//
// Where the broker has no signer, the signature is empty, and so is a URL under which nothing would
// answer: empty rather than invented, so that who verifies learns that there is nothing to verify.
#ifndef BANYAN_LIB_ROUTE_SIGNING_H_
#define BANYAN_LIB_ROUTE_SIGNING_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "banyan/notification_signer.h"
#include "message/environment.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

// Of a topic, which may change it: what is rendered from then on has the new one.
using SignatureVersion = std::shared_ptr<std::atomic<int>>;

struct Signing {
  std::shared_ptr<const NotificationSigner> signer = nullptr;
  SignatureVersion topic_version = nullptr;  // null: 1
  std::string certificate_url = {};

  int version() const {
    return topic_version == nullptr ? 1 : topic_version->load(std::memory_order_relaxed);
  }
  std::string Sign(std::string_view text, int version) const {
    return signer == nullptr ? std::string() : signer->Sign(text, version);
  }
  // Of each signature.
  size_t size() const { return signer == nullptr ? 0 : signer->signature_size(); }
};
Signing MakeSigning(const Environment& env, SignatureVersion version);

// What is signed of a notification.
std::string StringToSign(const Message& message, std::string_view topic_arn);

// When the message was published, as SNS writes it: "2012-05-01T23:54:06.655Z".
std::string Timestamp(const Message& message);

// Where a subscription is confirmed: at the broker's own endpoint or, without one, at SNS's, where
// nobody knows the token; a test reads it out of the URL.
std::string SubscribeUrl(const Environment& env, std::string_view topic_arn,
                         std::string_view token);
// Empty without an endpoint.
std::string UnsubscribeUrl(const Environment& env, std::string_view subscription_arn);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_SIGNING_H_
