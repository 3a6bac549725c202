// SPDX-License-Identifier: Apache-2.0
//
// lib/route/scheduler_core.h -- floor 5: a broker's schedules.
//
//   CreateSchedule --validate--> schedules_ --> Timetable --when due--> Fired --> Courier --> target
//
// One per broker, made with it; while it holds no schedule it costs its few words. It has the
// timetable, which the default bus shares for its scheduled rules.
//
// D1  What callers changed and what fires meet under mu_: a schedule that was deleted, disabled or
//     given another target before its firing got there is treated as what it is now.
// D2  An enabled schedule stands in the timetable, as long as something is to come; a disabled one
//     does not. Both change under mu_.
// D3  A courier is made with the first firing: of a million schedules most wait.
// D4  A courier whose schedule goes, or gets another target, is kept in retired_ while it has
//     deliveries under way (as in TopicCore).
// D5  No lock is held while a destination or a log is called.
#ifndef BANYAN_LIB_ROUTE_SCHEDULER_CORE_H_
#define BANYAN_LIB_ROUTE_SCHEDULER_CORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/scheduler.h"
#include "deliver/courier.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "route/timetable.h"

namespace banyan::inline v0_1::internal {

class SchedulerCore : public std::enable_shared_from_this<SchedulerCore> {
 public:
  static std::shared_ptr<SchedulerCore> Create(std::shared_ptr<Environment> env);

  // The verbs of banyan/broker.h. Each passes the broker's gate.
  absl::StatusOr<Arn> CreateSchedule(std::string_view name, const ScheduleOptions& options);
  absl::Status UpdateSchedule(std::string_view name, const ScheduleOptions& options);
  absl::Status DeleteSchedule(std::string_view name);
  absl::StatusOr<Schedule> GetSchedule(std::string_view name) const;
  std::vector<Schedule> ListSchedules(std::string_view prefix) const;

  const std::shared_ptr<Timetable>& timetable() const { return timetable_; }

  int64_t PendingDeliveries() const;

  // Nothing fires any more, nor do rules of the same timetable; nothing is tried again. Waits for
  // nothing.
  void Close(CloseKind kind);

 private:
  class Item;
  struct Checked;
  using Schedules = std::map<std::string, std::shared_ptr<Item>, std::less<>>;

  explicit SchedulerCore(std::shared_ptr<Environment> env);

  absl::Status Gone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Arn MakeScheduleArn(std::string_view name) const;
  absl::StatusOr<Checked> Check(std::string_view name, const ScheduleOptions& options,
                                absl::Time now) const;
  void Enter(const std::shared_ptr<Item>& item, Checked checked, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fired(Item& item, const Timetable::Firing& firing);
  std::shared_ptr<Courier> MakeCourier(const Item& item) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Null if there is no such schedule.
  std::shared_ptr<Courier> CourierOf(const std::string& name);
  void Retire(std::shared_ptr<Courier> courier) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Schedule Describe(const Item& item) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Environment> env_;
  const std::shared_ptr<Timetable> timetable_;

  mutable Mutex mu_;
  bool is_open_ ABSL_GUARDED_BY(mu_) = true;
  CloseKind close_kind_ ABSL_GUARDED_BY(mu_) = CloseKind::kStopped;
  Schedules schedules_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Courier>> retired_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_SCHEDULER_CORE_H_
