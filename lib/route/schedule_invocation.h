// SPDX-License-Identifier: Apache-2.0
//
// lib/route/schedule_invocation.h -- floor 5: what a schedule's target gets when it fires.
//
//   Message (the input as it was given) + Invocation --InvocationSink--> the input with its words
//                                                                        replaced --> target
//
// The words are replaced when an attempt is made and not when the schedule fires, because one of
// them is the number of the attempt.
// Source  docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
//         docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
#ifndef BANYAN_LIB_ROUTE_SCHEDULE_INVOCATION_H_
#define BANYAN_LIB_ROUTE_SCHEDULE_INVOCATION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "banyan/id.h"
#include "deliver/courier.h"
#include "message/environment.h"
#include "message/message.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

// "2026-03-29T09:00:00Z", as events and attributes write times.
std::string ScheduledTimeText(absl::Time time);

// One firing. The message looks as it is; this goes along so that attempts and dead letters know
// what they are part of.
class Invocation final : public Presentation {
 public:
  // `group_id` is the target's, for a queue; may be empty.
  Invocation(absl::Time scheduled, std::string execution_id, std::string group_id)
      : scheduled_time_(ScheduledTimeText(scheduled)),
        execution_id_(std::move(execution_id)),
        group_id_(std::move(group_id)) {}

  Payload Body(const Message& message) const override { return message.body; }
  size_t Size(const Message& message) const override { return message.body.size(); }
  bool ShowsAttributes() const override { return true; }
  std::string_view GroupId(const Message&) const override { return group_id_; }

  const std::string& scheduled_time() const { return scheduled_time_; }
  const std::string& execution_id() const { return execution_id_; }

 private:
  const std::string scheduled_time_;
  const std::string execution_id_;
  const std::string group_id_;
};

// Of a delivery that a schedule made.
const Invocation& InvocationOf(const Delivery& delivery);

// A schedule's target, as its courier sees it.
class InvocationSink final : public Sink {
 public:
  explicit InvocationSink(std::shared_ptr<Sink> target) : target_(std::move(target)) {}

  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  const std::string& arn_text() const override { return target_->arn_text(); }

 private:
  const std::shared_ptr<Sink> target_;
};

// The event of a firing, in EventBridge's envelope. `detail` is JSON: a rule's is {}, that of a
// schedule without input the string "{}".
std::string ScheduledEvent(const Id& id, std::string_view source, std::string_view arn,
                           absl::Time scheduled, std::string_view detail, const Environment& env);

// What the dead-letter queue gets: the input of the last attempt, and why it is here.
Delivery MakeScheduleDeadLetter(const Delivery& delivery, const GivenUp& why,
                                std::string_view target_arn);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_SCHEDULE_INVOCATION_H_
