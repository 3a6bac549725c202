// SPDX-License-Identifier: Apache-2.0
//
// Read a part of a stream again, by time and key; and put it on a bus again, after a fix.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

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
  Broker broker = Broker::Create(*runtime, {}).value();
  EventBus shop = broker.CreateEventBus("shop").value();
  Stream log = broker.CreateStream("log", {.shards = 2}).value();
  Queue billing = broker.CreateQueue("billing").value();

  // Every order rests in the log, too, by customer.
  shop.PutRule("log", {.pattern = R"({"detail-type": ["OrderPlaced"]})",
                       .targets = {Target(log).PartitionKeyPath("$.detail.customer")}})
      .value();
  const auto place = [&](const char* order) {
    shop.Put({.source = "shop.orders", .detail_type = "OrderPlaced", .detail = order}).value();
    Settle(*runtime);
    runtime->AdvanceClock(absl::Minutes(10));
  };
  place(R"({"id": "o-1", "customer": "acme"})");
  const absl::Time nine = runtime->Now();
  place(R"({"id": "o-2", "customer": "acme"})");
  log.UpdateShardCount(4).IgnoreError();
  place(R"({"id": "o-3", "customer": "zeta"})");
  place(R"({"id": "o-4", "customer": "acme"})");

  // What acme ordered since nine. Only the shards that had its key are read, parents first.
  StreamRange orders = StreamRange::Open(log, {.from = nine, .partition_key = "acme"}).value();
  while (!orders.done()) {
    const StreamRangeBatch batch = orders.Next().value();
    for (const Record& order : batch) {
      std::printf("read: %s\n", std::string(UnwrapEvent(order.data())->detail).c_str());
    }
  }
  std::printf("nothing was trimmed: %s\n", orders.Progress().is_complete() ? "yes" : "no");

  // Billing was not there yet. Now it gets what it missed, a hundred a second.
  shop.PutRule("billing", {.pattern = R"({"detail": {"customer": ["acme"]}})",
                           .targets = {Target(billing).InputPath("$.detail")}})
      .value();
  shop.FindRule("log").value().Disable().IgnoreError();  // or the log would have them twice
  StreamReplay again =
      StreamReplay::Start(log, shop, {.range = {.from = nine}, .records_per_second = 100}).value();
  while (again.Describe().state == ReplayState::kStarting ||
         again.Describe().state == ReplayState::kRunning) {
    Settle(*runtime);
    runtime->AdvanceClock(absl::Milliseconds(10));
  }
  std::printf("replayed: %d of %d\n", static_cast<int>(again.Describe().replayed),
              static_cast<int>(again.Describe().range.records));
  const std::vector<Received> letters = billing.Receive({.max_messages = 10}).value();
  for (const Received& letter : letters) {
    std::printf("billing: %s\n", std::string(letter.body()).c_str());
  }
}
