// SPDX-License-Identifier: Apache-2.0
//
// Standard queues against their model; see queue_model.h and model_run.h.
#include "gtest/gtest.h"
#include "model_run.h"

namespace banyan::internal {
namespace {

// Two sources with one dead-letter queue, which has one of its own: counts, retention and late
// deletes over all of them.
TEST(QueueModelTest, QueuesThatLeadToEachOtherAnswerAsTheModelDoes) {
  RunSeeds(2'000, [](ModelRun& run) {
    const size_t grave = run.AddQueue("grave", {.retention = absl::Minutes(20)});
    const size_t dead = run.AddQueue(
        "dead", {.visibility_timeout = absl::Seconds(20),
                 .retention = run.DrawOf({absl::Minutes(5), absl::Minutes(20), absl::Hours(96)}),
                 .redrive = run.DeadLettersTo(grave, 5),
                 .messages_max = run.DrawOf({5, 1'000})});
    run.AddQueue("a", {.visibility_timeout = absl::Seconds(10),
                       .retention = run.DrawOf({absl::Minutes(2), absl::Minutes(20)}),
                       .in_flight_max = 6,
                       .redrive = run.DeadLettersTo(dead, 3)});
    run.AddQueue("b", {.visibility_timeout = absl::Seconds(10),
                       .delay = absl::Seconds(run.DrawOf({0, 5})),
                       .redrive = run.DeadLettersTo(dead, 1)});
    run.Steps(200);
  });
}

TEST(QueueModelTest, OneQueueAnswersAsTheModelDoes) {
  RunSeeds(2'000, [](ModelRun& run) {
    run.AddQueue("alone",
                 {.visibility_timeout = absl::Seconds(run.DrawOf({0, 1, 30})),
                  .delay = absl::Seconds(run.DrawOf({0, 0, 4})),
                  .receive_wait = absl::Seconds(run.DrawOf({0, 0, 3})),
                  .retention = run.DrawOf({absl::Minutes(1), absl::Minutes(20), absl::Hours(96)}),
                  .in_flight_max = run.DrawOf({3, 120'000})});
    run.Steps(150);
  });
}

TEST(QueueModelTest, AFullQueueAnswersAsTheModelDoes) {
  RunSeeds(1'500, [](ModelRun& run) {
    run.AddQueue("rejects", {.retention = absl::Minutes(10),
                             .messages_max = run.DrawOf({1, 4, 20}),
                             .bytes_max = run.DrawOf({60, 100'000})});
    run.AddQueue("drops", {.retention = absl::Minutes(10),
                           .messages_max = run.DrawOf({1, 4, 20}),
                           .when_full = WhenFull::kDropOldest});
    run.Steps(150);
  });
}

}  // namespace
}  // namespace banyan::internal
