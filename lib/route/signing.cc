// SPDX-License-Identifier: Apache-2.0
#include "route/signing.h"

#include <utility>

#include "absl/time/time.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

Signing MakeSigning(const Environment& env, SignatureVersion version) {
  Signing signing = {.signer = env.notification_signer, .topic_version = std::move(version)};
  if (signing.signer != nullptr && !env.endpoint_url.empty()) {
    signing.certificate_url = StrCat(env.endpoint_url, "/", signing.signer->certificate_name());
  }
  return signing;
}

std::string StringToSign(const Message& message, std::string_view topic_arn) {
  std::string text =
      StrCat("Message\n", message.body.view(), "\nMessageId\n", message.id.ToString(), "\n");
  if (!message.subject().empty()) StrAppend(&text, "Subject\n", message.subject(), "\n");
  StrAppend(&text, "Timestamp\n", Timestamp(message), "\nTopicArn\n", topic_arn,
            "\nType\nNotification\n");
  return text;
}

std::string Timestamp(const Message& message) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", message.accepted.time(), absl::UTCTimeZone());
}

std::string SubscribeUrl(const Environment& env, std::string_view topic_arn,
                         std::string_view token) {
  const std::string base = env.endpoint_url.empty()
                               ? StrCat("https://sns.", env.region, ".amazonaws.com")
                               : env.endpoint_url;
  return StrCat(base, "/?Action=ConfirmSubscription&TopicArn=", topic_arn, "&Token=", token);
}

std::string UnsubscribeUrl(const Environment& env, std::string_view subscription_arn) {
  if (env.endpoint_url.empty()) return {};
  return StrCat(env.endpoint_url, "/?Action=Unsubscribe&SubscriptionArn=", subscription_arn);
}

}  // namespace banyan::inline v0_1::internal
