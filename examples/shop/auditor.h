// SPDX-License-Identifier: Apache-2.0
//
// The auditor: comes when the day is over, at a scheduled time, and has the day's payments replayed.
//
// The bus keeps every payment in an archive. The auditor's rule sees replayed events only, and the
// replay is for that rule only, so that nobody else works through the day a second time.
#ifndef BANYAN_EXAMPLES_SHOP_AUDITOR_H_
#define BANYAN_EXAMPLES_SHOP_AUDITOR_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "banyan/broker.h"
#include "banyan/function.h"
#include "order.h"

namespace shop {

class Auditor {
 public:
  Auditor(banyan::Broker& broker, const banyan::EventBus& bus) : broker_(broker) {
    broker_
        .CreateArchive("payments", {.bus = std::string(bus.name()),
                                    .event_pattern = R"({"detail-type": ["PaymentTaken"]})",
                                    .retention = absl::Hours(7 * 24)})
        .value();
    const banyan::Function add_up =
        broker_
            .CreateFunction("auditor", {},
                            [this](const banyan::FunctionEvent& event) { return AddUp(event); })
            .value();
    bus.PutRule("auditor",
                {.pattern = R"({"replay-name": [{"exists": true}]})", .targets = {add_up}})
        .value();
    visit_ = broker_
                 .CreateFunction("audit-visit", {},
                                 [this](const banyan::FunctionEvent&) { return Visit(); })
                 .value();
  }

  // At the second after next.
  absl::Status Schedule(absl::Time now) {
    const std::string at =
        absl::FormatTime("at(%Y-%m-%dT%H:%M:%S)", now + absl::Seconds(2), absl::UTCTimeZone());
    return broker_.CreateSchedule("audit", {.schedule_expression = at, .target = visit_}).status();
  }

  // True when every payment of the archive was seen.
  bool is_done() const {
    const absl::StatusOr<banyan::ReplayDescription> replay = broker_.DescribeReplay("audit");
    return replay.ok() && replay->state == banyan::ReplayState::kCompleted &&
           payments_.load() == replay->events_replayed;
  }
  int64_t payments() const { return payments_.load(); }
  int64_t cents() const { return cents_.load(); }

 private:
  // Called again after an error; a visit that was begun is not begun twice.
  absl::Status Visit() const {
    const absl::Status started =
        broker_.StartReplay("audit", {.archive = "payments", .rules = {"auditor"}}).status();
    return absl::IsAlreadyExists(started) ? absl::OkStatus() : started;
  }

  absl::Status AddUp(const banyan::FunctionEvent& event) {
    const absl::StatusOr<OrderEvent> payment = ParseEvent(event.body);
    if (!payment.ok()) return payment.status();
    cents_ += payment->order.cents;
    ++payments_;
    return absl::OkStatus();
  }

  banyan::Broker& broker_;
  banyan::Function visit_;
  std::atomic<int64_t> payments_ = 0;
  std::atomic<int64_t> cents_ = 0;
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_AUDITOR_H_
