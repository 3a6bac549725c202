// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/stream_target.h -- floor 4: a stream as a destination of messages.
//
// The record's data is the body as presented; its partition key is what the path finds in the
// message itself, also where an input takes its place, else the event's id, so that events without
// the field spread over the shards.
#ifndef BANYAN_LIB_DELIVER_STREAM_TARGET_H_
#define BANYAN_LIB_DELIVER_STREAM_TARGET_H_

#include <memory>
#include <optional>
#include <string>

#include "deliver/json_path.h"
#include "message/sink.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

class StreamTarget final : public Sink {
 public:
  StreamTarget(std::shared_ptr<StreamCore> stream, std::optional<JsonPath> key_path);

  // Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  Prospect Foresee(const Delivery& delivery) override;
  const std::string& arn_text() const override { return stream_->arn_text(); }

 private:
  std::string KeyOf(const Message& message) const;

  const std::shared_ptr<StreamCore> stream_;
  const std::optional<JsonPath> key_path_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_STREAM_TARGET_H_
