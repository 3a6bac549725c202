// SPDX-License-Identifier: Apache-2.0
#include "deliver/stream_target.h"

#include <utility>

namespace banyan::inline v0_1::internal {

StreamTarget::StreamTarget(std::shared_ptr<StreamCore> stream, std::optional<JsonPath> key_path)
    : stream_(std::move(stream)), key_path_(std::move(key_path)) {}

std::string StreamTarget::KeyOf(const Message& message) const {
  std::optional<std::string> key;
  if (key_path_.has_value()) key = key_path_->FindScalar(message.body.view());
  if (!key.has_value() || key->empty()) key = message.event_id.ToString();
  return *std::move(key);
}

std::optional<absl::Status> StreamTarget::Accept(const Delivery& delivery, LaterFn) {
  const Message& message = *delivery.message;
  const Payload body = delivery.Body();
  const std::string key = KeyOf(message);
  return stream_
      ->Deliver({.partition_key = key, .data = body.view(), .trace_header = message.trace_header()},
                message.event_id)
      .status();
}

// Whether there is room is not foreseen: a stream makes it, unless readers hold on to all of it.
Prospect StreamTarget::Foresee(const Delivery& delivery) {
  const Payload body = delivery.Body();
  const std::string key = KeyOf(*delivery.message);
  return {stream_->Check({.partition_key = key, .data = body.view()})};
}

}  // namespace banyan::inline v0_1::internal
