// SPDX-License-Identifier: Apache-2.0
#include "deliver/stream_target.h"

#include <utility>

namespace banyan::inline v0_1::internal {

StreamTarget::StreamTarget(std::shared_ptr<StreamCore> stream, std::optional<JsonPath> key_path)
    : stream_(std::move(stream)), key_path_(std::move(key_path)) {}

std::optional<absl::Status> StreamTarget::Accept(const Delivery& delivery, LaterFn) {
  const Message& message = *delivery.message;
  const Payload body = delivery.Body();
  std::optional<std::string> key;
  if (key_path_.has_value()) key = key_path_->FindScalar(message.body.view());
  if (!key.has_value() || key->empty()) key = message.event_id.ToString();
  return stream_
      ->Deliver(
          {.partition_key = *key, .data = body.view(), .trace_header = message.trace_header()},
          message.event_id)
      .status();
}

}  // namespace banyan::inline v0_1::internal
