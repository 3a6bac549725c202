// SPDX-License-Identifier: Apache-2.0
//
// Dead letters: a job that fails every attempt ends in the dead-letter queue, is looked at there,
// and is sent back once its cause is mended.
#include <atomic>
#include <cstdio>
#include <latch>
#include <memory>
#include <vector>

#include "banyan/banyan.h"

int main() {
  using namespace banyan;

  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue dead = broker.CreateQueue("thumbnails-dead").value();
  Queue jobs = broker
                   .CreateQueue("thumbnails", {.redrive = RedrivePolicy{.dead_letter = dead.arn(),
                                                                        .max_receive_count = 3}})
                   .value();

  std::atomic<bool> can_read_webp = false;
  std::latch rendered(2);
  // A failed job comes back after 10 ms, then 20 ms. Without `retry` it would come back when its
  // visibility timeout ends.
  Consumer workers = Consumer::Start(jobs, {.retry = Retry{.first = absl::Milliseconds(10)}},
                                     [&](const Received& job) -> absl::Status {
                                       if (job.body().ends_with(".webp") && !can_read_webp) {
                                         return absl::UnimplementedError("no reader for webp");
                                       }
                                       rendered.count_down();
                                       return absl::OkStatus();
                                     })
                         .value();

  jobs.Send({.body = "cat.png"}).value();
  jobs.Send({.body = "dog.webp"}).value();

  // Waits for dead letters. A visibility timeout of zero leaves them visible; still, this look
  // counts as a receive. (Peek() does not count, and does not wait.)
  const std::vector<Received> letters = dead.Receive({.max_messages = 10,
                                                      .visibility_timeout = absl::ZeroDuration(),
                                                      .wait = absl::Seconds(20)})
                                            .value();
  for (const Received& letter : letters) {
    std::printf("dead: %.*s after %d attempts\n", static_cast<int>(letter.body().size()),
                letter.body().data(), static_cast<int>(letter.receive_count()) - 1);
  }

  can_read_webp = true;
  std::printf("sent back: %d\n", static_cast<int>(dead.Redrive().value()));
  rendered.wait();
  std::printf("rendered both\n");
}
