// SPDX-License-Identifier: Apache-2.0
//
// lib/route/bus_target.h -- floor 5: a bus as a destination of another bus's rules.
//
// It does not keep the bus: two buses may be each other's targets, and couriers outlive rules.
//
// An event is forwarded once, and never to the bus it is on, where it would meet the same rule
// again. Both are refusals for good: the event goes to the dead-letter queue of the target.
#ifndef BANYAN_LIB_ROUTE_BUS_TARGET_H_
#define BANYAN_LIB_ROUTE_BUS_TARGET_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

class EventBusCore;

class BusTarget final : public Sink {
 public:
  // `own_bus`: of the rule.
  BusTarget(const std::shared_ptr<EventBusCore>& bus, const EventBusCore* own_bus);

  // Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  Prospect Foresee(const Delivery& delivery) override;
  const std::string& arn_text() const override { return arn_text_; }

 private:
  // The bus, or why this delivery does not get there.
  absl::StatusOr<std::shared_ptr<EventBusCore>> Find(const Delivery& delivery) const;

  const std::weak_ptr<EventBusCore> bus_;
  const std::string name_;
  const std::string arn_text_;
  const bool is_own_bus_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_BUS_TARGET_H_
