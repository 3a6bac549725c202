// SPDX-License-Identifier: Apache-2.0
//
// What the tests of schedules share: a broker on simulated time, seen through the public API. The
// clock begins on Thursday, 2026-01-01 00:00:00 UTC.
#ifndef BANYAN_TESTS_ROUTE_SCHEDULE_TESTING_H_
#define BANYAN_TESTS_ROUTE_SCHEDULE_TESTING_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "banyan/broker.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "route_testing.h"

namespace banyan::internal {

inline absl::Time At(std::string_view text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, &error)) << error;
  return time;
}

class ScheduleTest : public ::testing::Test {
 protected:
  // One that sends the time it was scheduled for.
  ScheduleOptions Telling(std::string expression, std::string zone = "UTC") const {
    return {.schedule_expression = std::move(expression),
            .schedule_expression_timezone = std::move(zone),
            .target = queue_,
            .input = "<aws.scheduler.scheduled-time>"};
  }
  void Create(std::string_view name, const ScheduleOptions& options) {
    const absl::StatusOr<Arn> created = broker_.CreateSchedule(name, options);
    ASSERT_TRUE(created.ok()) << created.status();
  }
  absl::Status Refused(const ScheduleOptions& options) {
    return broker_.CreateSchedule("refused", options).status();
  }

  // What arrived since the last look, in the order of arrival.
  std::vector<std::string> Bodies() { return DrainBodies(queue_); }
  // So many arrived after so long?
  size_t CountAfter(absl::Duration time) {
    runtime_.Advance(time);
    return Drain(queue_).size();
  }

  testing::SimulatedRuntime runtime_;
  RouteLog log_;
  Broker broker_ = Broker::Create(runtime_, {.log = &log_}).value();
  Queue queue_ = broker_.CreateQueue("jobs").value();
};

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_ROUTE_SCHEDULE_TESTING_H_
