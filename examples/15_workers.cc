// SPDX-License-Identifier: Apache-2.0
//
// Two workers of one application count the clicks of each session. The stream is split while they
// read, one of them dies, and the other goes on after the last checkpoint. Time is moved by hand
// here, so that nobody has to wait for the dead worker's leases to run out.
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "banyan/banyan.h"

namespace {

using namespace banyan;

using Counts = std::map<std::string, int>;

// One of them for each shard that a worker holds. Those of different shards run side by side: on a
// runtime with threads, guard what they share. Here main() is the only thread.
class ClickCounter : public RecordProcessor {
 public:
  explicit ClickCounter(Counts& counts) : counts_(counts) {}

  absl::Status Process(absl::Span<const SubRecord> clicks, Checkpointer& checkpoint) override {
    for (const SubRecord& click : clicks) ++counts_[std::string(click.partition_key())];
    return checkpoint.Here();  // done: these come again only if this fails
  }

 private:
  Counts& counts_;
};

// Runs what is due.
void Settle(ThreadedRuntime& runtime) {
  while (runtime.Poll() > 0) {
  }
}

void PutClicks(const Stream& clicks) {
  for (int click = 0; click < 100; ++click) {
    const std::string session = "session-" + std::to_string(click % 5);
    clicks.Put({.partition_key = session, .data = "/shoes"}).value();
  }
}

}  // namespace

int main() {
  std::unique_ptr<ThreadedRuntime> runtime =
      NewThreadedRuntime({.threads = 0, .clock = {.scale = 0}});
  Broker broker = Broker::Create(*runtime, {}).value();
  Stream clicks = broker.CreateStream("clicks", {.shards = 2}).value();

  Counts counts;
  const auto start_worker = [&] {
    return Worker::Start(clicks, {.application = "click-counter"},
                         [&](const ShardLease&) { return std::make_unique<ClickCounter>(counts); })
        .value();
  };
  Worker first = start_worker();
  Worker second = start_worker();

  PutClicks(clicks);
  Settle(*runtime);
  for (int i = 0; i < 5; ++i) {  // the second asks for its share
    runtime->AdvanceClock(absl::Seconds(10));
    Settle(*runtime);
  }
  std::printf("shards of the first: %zu, of the second: %zu\n", first.Stats().shards.size(),
              second.Stats().shards.size());

  clicks.UpdateShardCount(4).IgnoreError();
  PutClicks(clicks);
  Settle(*runtime);

  second.Abandon();  // as if its process had died: it hands nothing over
  PutClicks(clicks);
  for (int i = 0; i < 5; ++i) {  // longer than failover_time: its leases are taken over
    runtime->AdvanceClock(absl::Seconds(10));
    Settle(*runtime);
  }
  for (const auto& [session, count] : counts) std::printf("%s: %d\n", session.c_str(), count);

  const WorkerStats stats = first.Stats();
  std::printf("the first has %zu of 4 shards\n", stats.shards.size());
  for (const ShardProgress& shard : stats.shards) {
    if (shard.millis_behind_latest > 0) std::printf("behind: %s\n", shard.shard.ToString().c_str());
  }
}
