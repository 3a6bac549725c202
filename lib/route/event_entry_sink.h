// SPDX-License-Identifier: Apache-2.0
//
// lib/route/event_entry_sink.h -- floor 5: a bus as a schedule's target. Each message is put there
// as the detail of an event that says of itself what the schedule was told.
#ifndef BANYAN_LIB_ROUTE_EVENT_ENTRY_SINK_H_
#define BANYAN_LIB_ROUTE_EVENT_ENTRY_SINK_H_

#include <memory>
#include <optional>
#include <string>

#include "banyan/event_bus.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

class EventBusCore;

class EventEntrySink final : public Sink {
 public:
  // `entry` is the event but for its detail.
  EventEntrySink(const std::shared_ptr<EventBusCore>& bus, EventEntry entry);

  // Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  const std::string& arn_text() const override { return arn_text_; }

 private:
  // Weak: a bus has rules, whose targets may be kept by what a schedule waits for.
  const std::weak_ptr<EventBusCore> bus_;
  const std::string bus_name_;
  const std::string arn_text_;
  const EventEntry entry_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_EVENT_ENTRY_SINK_H_
