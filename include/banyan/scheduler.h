// SPDX-License-Identifier: Apache-2.0
//
// Schedules: something is sent to a target every so long, by a cron expression, or once.
// EventBridge Scheduler.
//
//   broker.CreateSchedule("close-of-day", {.schedule_expression = "cron(0 18 ? * MON-FRI *)",
//                                          .schedule_expression_timezone = "Europe/Paris",
//                                          .target = jobs,
//                                          .input = R"({"job": "close"})"}).value();
//
// Rules of the default bus can have a schedule, too (RuleOptions::schedule_expression); what is
// said here of time holds for them.
//
//   rate(5 minutes)             minute(s), hour(s), day(s); a day is 24 hours
//   cron(0 18 ? * MON-FRI *)    minutes, hours, day of month, month, day of week, year; UTC for
//                               rules. Wildcards , - * ? / L W #
//   at(2026-03-29T09:00:00)     once; not for rules
//
// Time      All of it is the wall clock of the broker's Runtime. While something is scheduled the
//           clock is looked at once a minute at least, so that a clock that is set, or a machine
//           that slept, is noticed within a minute; while nothing is, there is no timer.
// Rates     The first firing is at start_date, else one period after the schedule was created or
//           enabled.
// Daylight  As on AWS: what the clocks skip does not fire, and what they show twice fires the first
//           time only. An at() whose time they skip fires at that moment.
// Missed    A firing is missed when its minute (or its flexible window) is over and the scheduler
//           did not get to it: the wall clock was set forward, or the process did not run. Of all
//           that were missed the first fires at once, late, with the time it was scheduled for;
//           the others do not fire; the schedule goes on with the next whose minute is not over. A
//           warning is logged. When the clock is set back nothing fires a second time: a schedule
//           waits until the clock has come to its next firing again.
// Order     Of one schedule, firings are handed over in their order. Delivery is a Target's: at
//           least once, with its retry policy and dead-letter queue.
// Source    docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
#ifndef BANYAN_SCHEDULER_H_
#define BANYAN_SCHEDULER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "banyan/arn.h"
#include "banyan/target.h"

namespace banyan::inline v0_1 {

enum class ScheduleState { kEnabled, kDisabled };

// What becomes of a schedule that has fired for the last time.
enum class ActionAfterCompletion { kNone, kDelete };

struct ScheduleOptions {
  std::string schedule_expression = {};

  // An IANA name. All but UTC need the system's time zone database (Debian: tzdata).
  std::string schedule_expression_timezone = "UTC";

  // Each firing comes at a random moment within so long after its time, for all of them not to come
  // at once. Whole minutes, 1 to 1,440. Default: on time.
  std::optional<absl::Duration> flexible_time_window = std::nullopt;

  // Firings are scheduled for no time before the one and after the other. An at() heeds neither. A
  // start lies no more than 5 minutes back.
  std::optional<absl::Time> start_date = std::nullopt;
  std::optional<absl::Time> end_date = std::nullopt;

  ScheduleState state = ScheduleState::kEnabled;
  ActionAfterCompletion action_after_completion = ActionAfterCompletion::kNone;

  // To where: a queue (a FIFO one with a message group of at most 128 characters), topic, stream,
  // function or bus. What it is to get stands in `input` and not in the target's own Input,
  // InputPath or InputTransformer, which are for events. With it goes the retry policy and the
  // dead-letter queue, which gets what the target did not take, and why, in String attributes:
  // ERROR_CODE, ERROR_MESSAGE, EXECUTION_ID, RETRY_ATTEMPTS, SCHEDULE_ARN, SCHEDULED_TIME,
  // TARGET_ARN, IS_PAYLOAD_TRUNCATED ("false": it never is), and EXHAUSTED_RETRY_CONDITION if a
  // limit of the policy ended it.
  Target target;

  // For a bus, and needed there: what the event says of itself. The input is its detail, a JSON
  // object; empty stands for {}.
  std::string source = {};
  std::string detail_type = {};

  // What the target gets, at most 262,144 bytes (a limit of the profile). For a function it is
  // JSON. In it these words stand for what they name:
  //   <aws.scheduler.schedule-arn>  <aws.scheduler.scheduled-time>  "2026-03-29T09:00:00Z"
  //   <aws.scheduler.execution-id>  16 hexadecimal digits, others for each firing
  //   <aws.scheduler.attempt-number>  "1", and one more with each retry
  // Empty: but for a bus, an event in EventBridge's envelope with the detail type "Scheduled Event"
  // and the source "aws.scheduler".
  std::string input = {};

  std::string description = {};  // at most 512 bytes
};

// A schedule as it stands.
struct Schedule {
  std::string name;
  Arn arn;  // schedule/default/NAME
  ScheduleOptions options;
  absl::Time creation_date;
  absl::Time last_modification_date;

  // The time the next firing is scheduled for. None if there is none: it is disabled, or completed.
  std::optional<absl::Time> next_firing;
  int64_t fired = 0;  // since it was created
  DeliveryStats delivery;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_SCHEDULER_H_
