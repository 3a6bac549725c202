// SPDX-License-Identifier: Apache-2.0
//
// FIFO queues against their model; see queue_model.h and model_run.h. The model says which messages
// each receive returns, and in what order.
#include "gtest/gtest.h"
#include "model_run.h"

namespace banyan::internal {
namespace {

DeduplicationScope DrawScope(ModelRun& run) {
  return run.DrawOf({DeduplicationScope::kQueue, DeduplicationScope::kMessageGroup});
}

TEST(FifoModelTest, QueuesThatLeadToEachOtherAnswerAsTheModelDoes) {
  RunSeeds(2'000, [](ModelRun& run) {
    const size_t grave = run.AddQueue("grave.fifo", {.retention = absl::Minutes(20), .fifo = true});
    const size_t dead =
        run.AddQueue("dead.fifo", {.visibility_timeout = absl::Seconds(20),
                                   .retention = run.DrawOf({absl::Minutes(2), absl::Minutes(20)}),
                                   .fifo = true,
                                   .deduplication_scope = DrawScope(run),
                                   .redrive = run.DeadLettersTo(grave, 5),
                                   .messages_max = run.DrawOf({5, 1'000})});
    run.AddQueue("a.fifo", {.visibility_timeout = absl::Seconds(10),
                            .retention = run.DrawOf({absl::Minutes(2), absl::Minutes(20)}),
                            .in_flight_max = 6,
                            .fifo = true,
                            .content_based_deduplication = run.Draw(2) == 0,
                            .redrive = run.DeadLettersTo(dead, 3)});
    run.AddQueue("b.fifo", {.visibility_timeout = absl::Seconds(10),
                            .delay = absl::Seconds(run.DrawOf({0, 5})),
                            .fifo = true,
                            .deduplication_scope = DrawScope(run),
                            .redrive = run.DeadLettersTo(dead, 1)});
    run.Steps(200);
  });
}

TEST(FifoModelTest, OneQueueAnswersAsTheModelDoes) {
  RunSeeds(2'500, [](ModelRun& run) {
    run.AddQueue("alone.fifo",
                 {.visibility_timeout = absl::Seconds(run.DrawOf({0, 5, 30, 400})),
                  .delay = absl::Seconds(run.DrawOf({0, 0, 4})),
                  .receive_wait = absl::Seconds(run.DrawOf({0, 0, 3})),
                  .retention = run.DrawOf({absl::Minutes(1), absl::Minutes(20), absl::Hours(96)}),
                  .in_flight_max = run.DrawOf({3, 120'000}),
                  .fifo = true,
                  .content_based_deduplication = run.Draw(2) == 0,
                  .deduplication_scope = DrawScope(run)});
    run.Steps(150);
  });
}

TEST(FifoModelTest, AFullQueueAnswersAsTheModelDoes) {
  RunSeeds(1'500, [](ModelRun& run) {
    run.AddQueue("rejects.fifo", {.retention = absl::Minutes(10),
                                  .fifo = true,
                                  .content_based_deduplication = run.Draw(2) == 0,
                                  .messages_max = run.DrawOf({1, 4, 20}),
                                  .bytes_max = run.DrawOf({60, 100'000})});
    run.AddQueue("drops.fifo", {.retention = absl::Minutes(10),
                                .fifo = true,
                                .content_based_deduplication = run.Draw(2) == 0,
                                .messages_max = run.DrawOf({1, 4, 20}),
                                .when_full = WhenFull::kDropOldest});
    run.Steps(150);
  });
}

}  // namespace
}  // namespace banyan::internal
