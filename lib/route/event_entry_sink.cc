// SPDX-License-Identifier: Apache-2.0
#include "route/event_entry_sink.h"

#include <utility>

#include "message/errors.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

EventEntrySink::EventEntrySink(const std::shared_ptr<EventBusCore>& bus, EventEntry entry)
    : bus_(bus), bus_name_(bus->name()), arn_text_(bus->arn_text()), entry_(std::move(entry)) {}

std::optional<absl::Status> EventEntrySink::Accept(const Delivery& delivery, LaterFn) {
  const std::shared_ptr<EventBusCore> bus = bus_.lock();
  if (bus == nullptr) {
    return Error(AwsError::kBusResourceNotFound, "Event bus ", bus_name_, " does not exist.");
  }
  EventEntry entry = entry_;
  entry.detail = std::string(delivery.Body().view());
  return bus->Accept(entry);
}

}  // namespace banyan::inline v0_1::internal
