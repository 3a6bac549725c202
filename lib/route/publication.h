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

enum class Protocol { kQueue, kFunction };
inline constexpr std::array kProtocols = {Protocol::kQueue, Protocol::kFunction};

// As SNS calls it in subscriptions and in message structures.
constexpr std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kQueue:
      return "sqs";
    case Protocol::kFunction:
      return "lambda";
  }
  return {};
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
