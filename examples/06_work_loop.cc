// SPDX-License-Identifier: Apache-2.0
//
// The receive loop by hand, on threads of your own. Consumer does the same for you; this is for
// those whose threads are already there.
#include <cstdio>
#include <latch>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/banyan.h"

using namespace banyan;

// The work itself. One job fails at first.
absl::Status Render(std::string_view name, int64_t attempt) {
  if (name == "dog.webp" && attempt == 1) return absl::UnavailableError("the disk is busy");
  std::printf("rendered %s at attempt %d\n", std::string(name).c_str(), static_cast<int>(attempt));
  return absl::OkStatus();
}

// Any number of threads may run this on one queue. Requesting a stop ends the wait at once; a job
// that was received before is finished.
void WorkLoop(const Queue& jobs, std::latch& rendered, std::stop_token stop) {
  while (!stop.stop_requested()) {
    const absl::StatusOr<std::vector<Received>> batch =
        jobs.Receive({.max_messages = 10, .wait = absl::Seconds(20), .stop = stop});
    if (!batch.ok()) return;  // kNotFound: deleted. kUnavailable: the broker is stopping.
    for (const Received& job : *batch) {
      const bool done = Render(job.body(), job.receive_count()).ok();
      // Settled, or back in 50 ms for another attempt. Without either it would come back when its
      // visibility timeout ends.
      const absl::Status told = done ? job.Delete() : job.ChangeVisibility(absl::Milliseconds(50));
      if (!told.ok()) std::printf("%s\n", told.ToString().c_str());
      if (done) rendered.count_down();
    }
  }
}

int main() {
  // A thread of its own for the runtime, which brings back what was hidden.
  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 1});
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue jobs = broker.CreateQueue("thumbnails").value();
  for (const char* name : {"cat.png", "dog.webp", "fox.png"}) jobs.Send({.body = name}).value();

  std::latch rendered(3);
  std::stop_source stop;
  std::vector<std::jthread> threads;  // join when they go
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] { WorkLoop(jobs, rendered, stop.get_token()); });
  }
  rendered.wait();
  stop.request_stop();
  threads.clear();
  std::printf("left in the queue: %d\n", static_cast<int>(jobs.Depth().total()));
}
