// SPDX-License-Identifier: Apache-2.0
//
// Hello: events go into a bus, a rule looks at their content, a queue keeps those it wants, and a
// consumer settles them.
#include <cstdio>
#include <latch>
#include <memory>

#include "banyan/banyan.h"

int main() {
  using namespace banyan;

  // Wired once, top down; what is declared later stops first.
  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  EventBus shop = broker.CreateEventBus("shop").value();
  Queue inbox = broker.CreateQueue("billing").value();
  shop.PutRule("billing-orders", {.pattern = R"({"source": ["shop.orders"],
                                                 "detail": {"total": [{"numeric": [">", 0]}]}})",
                                  .targets = {inbox}})
      .value();

  std::latch billed(2);
  Consumer billing =
      Consumer::Start(inbox, {}, [&billed](const Received& event) {
        std::printf("billing: %.*s\n", static_cast<int>(event.body().size()), event.body().data());
        billed.count_down();
        return absl::OkStatus();  // settles the message; an error would bring it back later
      }).value();

  for (const char* order : {R"({"id": "o-1", "total": 120})",
                            R"({"id": "o-2", "total": 0})",  // free: the rule does not want it
                            R"({"id": "o-3", "total": 7.5})"}) {
    absl::StatusOr<Id> event =
        shop.Put({.source = "shop.orders", .detail_type = "OrderPlaced", .detail = order});
    if (!event.ok()) std::printf("refused: %s\n", event.status().ToString().c_str());
  }
  billed.wait();
}
