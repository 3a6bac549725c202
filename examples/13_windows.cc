// SPDX-License-Identifier: Apache-2.0
//
// Sales of a stream, by shop and minute: counted, summed up, and told when the minute is over; while
// the stream is resharded. Time is moved by hand here, so that nobody has to wait for the minutes.
#include <cstdio>
#include <memory>
#include <string>

#include "banyan/banyan.h"

namespace {

using namespace banyan;

// Runs what is due.
void Settle(ThreadedRuntime& runtime) {
  while (runtime.Poll() > 0) {
  }
}

}  // namespace

int main() {
  std::unique_ptr<ThreadedRuntime> runtime =
      NewThreadedRuntime({.threads = 0, .clock = {.scale = 0}});
  runtime->JumpWallClock(absl::UnixEpoch() - runtime->Now());  // minute 0
  Broker broker = Broker::Create(*runtime, {}).value();
  Stream sales = broker.CreateStream("sales", {.shards = 2}).value();

  WindowAggregate by_minute =
      WindowAggregate::Start(
          sales,
          {.windows = Windows::Tumbling(absl::Minutes(1)),
           .value = [](const Record& sale) { return std::stod(std::string(sale.data())); }},
          [](const WindowResult& minute) {
            std::printf(
                "%s minute %d: %d sales of %.2f, half of them up to %.0f\n", minute.key.c_str(),
                static_cast<int>(absl::ToUnixSeconds(minute.start) / 60),
                static_cast<int>(minute.count), minute.values.sum(), minute.values.Percentile(50));
            return absl::OkStatus();
          })
          .value();

  for (int second = 0; second < 120; second += 10) {
    for (const char* shop : {"lyon", "oslo"}) {
      const std::string price = std::to_string(second % 60 + (shop[0] == 'o' ? 1 : 5));
      sales.Put({.partition_key = shop, .data = price}).value();
    }
    if (second == 30) sales.UpdateShardCount(4).IgnoreError();  // no window is split by it
    Settle(*runtime);
    runtime->AdvanceClock(absl::Seconds(10));
  }
  runtime->AdvanceClock(absl::Seconds(1));  // lateness: a second, unless it is told otherwise
  Settle(*runtime);

  const WindowStats stats = by_minute.Stats();
  std::printf("late: %d, open: %d\n", static_cast<int>(stats.late), static_cast<int>(stats.open));
}
