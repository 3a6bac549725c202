// SPDX-License-Identifier: Apache-2.0
#include "route/bus_target.h"

#include "base/status_macros.h"
#include "message/errors.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

BusTarget::BusTarget(const std::shared_ptr<EventBusCore>& bus, const EventBusCore* own_bus)
    : bus_(bus),
      name_(bus->name()),
      arn_text_(bus->arn_text()),
      is_own_bus_(bus.get() == own_bus) {}

absl::StatusOr<std::shared_ptr<EventBusCore>> BusTarget::Find(const Delivery& delivery) const {
  if (is_own_bus_) {
    return Error(AwsError::kBusValidation, "Event bus ", name_,
                 " has the event already, and would meet the same rule again.");
  }
  if (delivery.from_bus) {
    return Error(AwsError::kBusThirdAccountHop,
                 "The event came from another event bus and is not forwarded to a third, ", name_,
                 ".");
  }
  std::shared_ptr<EventBusCore> bus = bus_.lock();
  if (bus == nullptr) {
    return Error(AwsError::kBusResourceNotFound, "Event bus ", name_, " does not exist.");
  }
  return bus;
}

std::optional<absl::Status> BusTarget::Accept(const Delivery& delivery, LaterFn) {
  BANYAN_ASSIGN_OR_RETURN(const std::shared_ptr<EventBusCore> bus, Find(delivery));
  return bus->Forward(delivery);
}

Prospect BusTarget::Foresee(const Delivery& delivery) {
  const absl::StatusOr<std::shared_ptr<EventBusCore>> bus = Find(delivery);
  return {bus.ok() ? (*bus)->CheckOpen() : bus.status()};
}

}  // namespace banyan::inline v0_1::internal
