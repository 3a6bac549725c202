// SPDX-License-Identifier: Apache-2.0
//
// lib/route/publication.h -- floor 5: one publish as a topic fans it out.
//
// Usually one Message for everybody. With a message structure each protocol may have a body of its
// own; then there is a Message for each body, equal but for that.
#ifndef BANYAN_LIB_ROUTE_PUBLICATION_H_
#define BANYAN_LIB_ROUTE_PUBLICATION_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "message/message.h"

namespace banyan::inline v0_1::internal {

enum class Protocol {
  kQueue,
  kFunction,
  kStream,
  kHttp,
  kHttps,
  kEmail,
  kEmailJson,
  kSms,
  kApplication
};
inline constexpr std::array kProtocols = {
    Protocol::kQueue,     Protocol::kFunction, Protocol::kStream,
    Protocol::kHttp,      Protocol::kHttps,    Protocol::kEmail,
    Protocol::kEmailJson, Protocol::kSms,      Protocol::kApplication};

// As SNS calls it in subscriptions and in message structures.
constexpr std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kQueue:
      return "sqs";
    case Protocol::kFunction:
      return "lambda";
    case Protocol::kStream:
      return "firehose";
    case Protocol::kHttp:
      return "http";
    case Protocol::kHttps:
      return "https";
    case Protocol::kEmail:
      return "email";
    case Protocol::kEmailJson:
      return "email-json";
    case Protocol::kSms:
      return "sms";
    case Protocol::kApplication:
      return "application";
  }
  return {};
}

constexpr bool IsHttp(Protocol protocol) {
  return protocol == Protocol::kHttp || protocol == Protocol::kHttps;
}
constexpr bool IsEmail(Protocol protocol) {
  return protocol == Protocol::kEmail || protocol == Protocol::kEmailJson;
}
// Whose owner has to agree before a subscription gets anything.
constexpr bool NeedsConfirmation(Protocol protocol) {
  return IsHttp(protocol) || IsEmail(protocol);
}

struct Publication {
  MessageRef message;  // for protocols without one of their own
  std::array<MessageRef, kProtocols.size()> of_protocol = {};

  const MessageRef& For(Protocol protocol) const {
    const MessageRef& own = of_protocol[static_cast<size_t>(protocol)];
    return own ? own : message;
  }
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_PUBLICATION_H_
