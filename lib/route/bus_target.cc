// SPDX-License-Identifier: Apache-2.0
#include "route/bus_target.h"

#include "message/errors.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

BusTarget::BusTarget(const std::shared_ptr<EventBusCore>& bus, const EventBusCore* own_bus)
    : bus_(bus),
      name_(bus->name()),
      arn_text_(bus->arn_text()),
      is_own_bus_(bus.get() == own_bus) {}

std::optional<absl::Status> BusTarget::Accept(const Delivery& delivery, LaterFn) {
  if (is_own_bus_) {
    return Error(AwsError::kBusValidation, "Event bus ", name_,
                 " has the event already, and would meet the same rule again.");
  }
  if (delivery.from_bus) {
    return Error(AwsError::kBusThirdAccountHop,
                 "The event came from another event bus and is not forwarded to a third, ", name_,
                 ".");
  }
  const std::shared_ptr<EventBusCore> bus = bus_.lock();
  if (bus == nullptr) {
    return Error(AwsError::kBusResourceNotFound, "Event bus ", name_, " does not exist.");
  }
  return bus->Forward(delivery);
}

}  // namespace banyan::inline v0_1::internal
