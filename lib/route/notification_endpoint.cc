// SPDX-License-Identifier: Apache-2.0
#include "route/notification_endpoint.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "banyan/arn.h"
#include "base/check.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kAddressMax = 2'048;

bool IsPlainText(std::string_view text) {
  return !text.empty() && text.size() <= kAddressMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != '\x7F'; });
}

std::optional<Protocol> FindProtocol(std::string_view name) {
  for (const Protocol protocol : kProtocols) {
    if (ProtocolName(protocol) == name) return protocol;
  }
  return std::nullopt;
}

bool IsUrl(std::string_view url, std::string_view protocol) {
  if (!IsPlainText(url) || !url.starts_with(protocol)) return false;
  url.remove_prefix(protocol.size());
  constexpr std::string_view kSeparator = "://";
  return url.starts_with(kSeparator) && url.size() > kSeparator.size() &&
         url[kSeparator.size()] != '/';
}

bool IsEmailAddress(std::string_view address) {
  const size_t at = address.find('@');
  return IsPlainText(address) && at != address.npos && at > 0 && at + 1 < address.size() &&
         address.find('@', at + 1) == address.npos;
}

// E.164: a plus and up to fifteen digits; hyphens, dots and brackets for the eye are let pass.
bool IsTelephoneNumber(std::string_view number) {
  constexpr std::string_view kForTheEye = "-.()";
  if (number.starts_with('+')) number.remove_prefix(1);
  int64_t digits = 0;
  for (const char c : number) {
    if (c >= '0' && c <= '9') {
      ++digits;
    } else if (kForTheEye.find(c) == kForTheEye.npos) {
      return false;
    }
  }
  return digits >= 3 && digits <= 15;
}

bool IsDeviceArn(std::string_view text) {
  const absl::StatusOr<Arn> arn = Arn::Parse(text);
  return arn.ok() && arn->service == "sns" && arn->resource.starts_with("endpoint/");
}

}  // namespace

absl::Status ValidateNotificationEndpoint(const NotificationEndpoint& endpoint,
                                          const Environment& env) {
  const std::string& address = endpoint.address;
  const std::optional<Protocol> protocol = FindProtocol(endpoint.protocol);
  switch (protocol.value_or(Protocol::kQueue)) {
    case Protocol::kHttp:
    case Protocol::kHttps:
      if (!IsUrl(address, endpoint.protocol)) break;
      if (env.http_transport != nullptr) return absl::OkStatus();
      return Error(AwsError::kTopicInvalidParameter,
                   "Invalid parameter: Endpoint Reason: the broker was given no HTTP transport "
                   "(BrokerOptions::http_transport)");
    case Protocol::kEmail:
    case Protocol::kEmailJson:
      if (IsEmailAddress(address)) return absl::OkStatus();
      return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Email address Reason: \"",
                   address, "\" is none");
    case Protocol::kSms:
      if (IsTelephoneNumber(address)) return absl::OkStatus();
      return Error(AwsError::kTopicInvalidParameter,
                   "Invalid parameter: Endpoint Reason: Invalid SMS endpoint: ", address);
    case Protocol::kApplication:
      if (IsDeviceArn(address)) return absl::OkStatus();
      return Error(AwsError::kTopicInvalidParameter,
                   "Invalid parameter: ApplicationEndpoint arn invalid: ", address);
    case Protocol::kQueue:
    case Protocol::kFunction:
    case Protocol::kStream:
      break;
  }
  return Error(AwsError::kTopicInvalidParameter,
               "Invalid parameter: Endpoint must match the specified protocol Reason: \"", address,
               "\" is no URL of http:// or https://");
}

Protocol ProtocolOf(const Target& target) {
  if (std::holds_alternative<Queue>(target.to())) return Protocol::kQueue;
  if (std::holds_alternative<Function>(target.to())) return Protocol::kFunction;
  if (std::holds_alternative<Stream>(target.to())) return Protocol::kStream;
  const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to());
  const std::optional<Protocol> protocol =
      endpoint == nullptr ? std::nullopt : FindProtocol(endpoint->protocol);
  BANYAN_CHECK(protocol.has_value(), "the target of a subscription was validated");
  return *protocol;
}

std::shared_ptr<HttpEndpoint> MakeHttpEndpoint(std::shared_ptr<Environment> env, SnsPost post) {
  const std::string name = post.url;
  return HttpEndpoint::Create(
      std::move(env),
      {.name = name, .make_request = [post = std::move(post)](const Delivery& delivery) {
         HttpRequest request = {.method = "POST", .url = post.url};
         request.headers = {{"x-amz-sns-message-type", post.type},
                            {"x-amz-sns-message-id", delivery.message->id.ToString()},
                            {"x-amz-sns-topic-arn", post.topic_arn}};
         if (!post.subscription_arn.empty()) {
           request.headers.emplace_back("x-amz-sns-subscription-arn", post.subscription_arn);
         }
         if (delivery.presentation == nullptr)
           request.headers.emplace_back("x-amz-sns-rawdelivery", "true");
         request.headers.emplace_back("Content-Type", post.settings->Get().content_type);
         request.headers.emplace_back("User-Agent", "Amazon Simple Notification Service Agent");
         request.body = delivery.Body();
         request.timeout = absl::Seconds(15);  // as SNS waits
         return request;
       }});
}

std::optional<absl::Status> CaptureEndpoint::Accept(const Delivery& delivery, LaterFn) {
  const Message& message = *delivery.message;
  env_->captured.Add({.protocol = endpoint_.protocol,
                      .endpoint = endpoint_.address,
                      .subject = message.subject(),
                      .body = std::string(delivery.Body().view()),
                      .topic_arn = topic_arn_,
                      .message_id = message.id,
                      .time = message.accepted.time()});
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
