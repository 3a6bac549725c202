// SPDX-License-Identifier: Apache-2.0
//
// A stream: clicks rest in it, in order per session, and any number of readers go over them.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "banyan/banyan.h"

int main() {
  using namespace banyan;

  std::unique_ptr<Runtime> runtime = NewThreadedRuntime();
  Broker broker = Broker::Create(*runtime, {}).value();
  Stream clicks = broker.CreateStream("clicks", {.shards = 2}).value();

  // Equal partition keys go to one shard, and so keep their order.
  for (const char* page : {"/", "/shoes", "/cart", "/checkout"}) {
    for (const char* session : {"session-1", "session-2", "session-3"}) {
      clicks.Put({.partition_key = session, .data = page}).value();
    }
  }

  // Reading takes nothing away: another reader, or this one again, sees the same records.
  const std::vector<ShardInfo> shards = clicks.ListShards().value();
  for (const ShardInfo& shard : shards) {
    std::printf("%s\n", shard.id.ToString().c_str());
    ShardIterator from = clicks.GetShardIterator(shard.id, StartAt::TrimHorizon()).value();
    while (true) {
      RecordBatch batch = clicks.GetRecords(from, 5).value();  // at most five at a time
      for (const Record& click : batch) {
        // A record is a view, valid while its batch lives: copy what must live longer.
        std::printf("  %s %s\n", std::string(click.partition_key()).c_str(),
                    std::string(click.data()).c_str());
      }
      if (batch.millis_behind_latest() == 0 && batch.empty()) break;  // caught up
      from = batch.next().value();  // an open shard always has a next place to read from
    }
  }
}
