// SPDX-License-Identifier: Apache-2.0
//
// Schedules that change while a turn of the timetable fires them: it has taken all that are due, and
// the log sink that hears of the first one's drop changes the second.
#include <functional>
#include <string>
#include <utility>

#include "banyan/log.h"
#include "schedule_testing.h"

namespace banyan::internal {
namespace {

using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::SizeIs;

class ScheduleTurnTest : public ::testing::Test {
 protected:
  struct Sink : LogSink {
    void Write(const LogRecord& record) override {
      if (record.text.find("dropped") != record.text.npos && once) std::exchange(once, nullptr)();
    }
    std::function<void()> once;
  };

  // The first one drops what it fires, and `meanwhile` is done. Both are due after a minute.
  void FireBoth(ScheduleOptions second, std::function<void()> meanwhile) {
    const Queue gone = broker_.CreateQueue("gone").value();
    ASSERT_THAT(broker_.CreateSchedule("first", {.schedule_expression = "at(2026-01-01T00:01:00)",
                                                 .target = gone,
                                                 .input = "x"}),
                IsOk());
    ASSERT_THAT(broker_.CreateSchedule("second", std::move(second)), IsOk());
    ASSERT_THAT(broker_.DeleteQueue("gone"), IsOk());
    sink_.once = std::move(meanwhile);
    runtime_.Advance(absl::Minutes(1));
    ASSERT_EQ(sink_.once, nullptr) << "nothing was done meanwhile";
  }

  testing::SimulatedRuntime runtime_;  // it is 2026-01-01T00:00:00Z
  Sink sink_;
  Broker broker_ = Broker::Create(runtime_, {.log = &sink_}).value();
  Queue queue_ = broker_.CreateQueue("jobs").value();
};

TEST_F(ScheduleTurnTest, WhatIsDisabledMeanwhileDoesNotFire) {
  ScheduleOptions options = {
      .schedule_expression = "rate(1 minute)", .target = queue_, .input = "x"};
  FireBoth(options, [&] {
    options.state = ScheduleState::kDisabled;
    EXPECT_THAT(broker_.UpdateSchedule("second", options), IsOk());
  });
  EXPECT_THAT(Drain(queue_), IsEmpty());
  EXPECT_EQ(broker_.GetSchedule("second")->fired, 0);
}

TEST_F(ScheduleTurnTest, WhatIsDeletedMeanwhileDoesNotFire) {
  FireBoth({.schedule_expression = "rate(1 minute)", .target = queue_, .input = "x"},
           [&] { EXPECT_THAT(broker_.DeleteSchedule("second"), IsOk()); });
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(Drain(queue_), IsEmpty());
}

TEST_F(ScheduleTurnTest, WhatGetsALaterTimeMeanwhileIsNotComplete) {
  ScheduleOptions options = {.schedule_expression = "at(2026-01-01T00:01:00)",
                             .action_after_completion = ActionAfterCompletion::kDelete,
                             .target = queue_,
                             .input = "x"};
  FireBoth(options, [&] {
    options.schedule_expression = "at(2026-01-01T00:05:00)";
    EXPECT_THAT(broker_.UpdateSchedule("second", options), IsOk());
  });
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  EXPECT_THAT(broker_.GetSchedule("second").status(), IsOk());
  runtime_.Advance(absl::Minutes(4));
  EXPECT_THAT(Drain(queue_), SizeIs(1));
  EXPECT_EQ(CodeOf(broker_.GetSchedule("second").status()), "ResourceNotFoundException");
}

}  // namespace
}  // namespace banyan::internal
