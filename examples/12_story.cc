// SPDX-License-Identifier: Apache-2.0
//
// Three questions about an event: whom would it reach (Explain), what became of it (Story), and does
// the wiring look right (AnalyzeRoutes)? With --dot, the wiring as a picture for Graphviz instead.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/banyan.h"

using namespace banyan;

void Print(std::string_view heading, const std::string& text) {
  std::printf("%s\n%s\n", std::string(heading).c_str(), text.c_str());
}

int main(int argc, char** argv) {
  int calls = 0;  // what a function refers to stands above the broker that calls it
  // No threads and a clock that stands still until it is moved: this program is the loop.
  std::unique_ptr<ThreadedRuntime> runtime =
      NewThreadedRuntime({.threads = 0, .clock = {.scale = 0}, .seed = 1});
  Broker broker = Broker::Create(*runtime, {.story = {.events_max = 1'000}}).value();

  Topic orders = broker.CreateTopic("orders").value();
  Queue dead = broker.CreateQueue("dead", {.retention = absl::Hours(14 * 24)}).value();
  Queue billing = broker.CreateQueue("billing", {.redrive = RedrivePolicy{dead.arn(), 3}}).value();
  Queue gold = broker.CreateQueue("gold").value();
  Queue trickle = broker.CreateQueue("trickle", {.messages_max = 1}).value();
  Function audit = broker
                       .CreateFunction("audit", {},
                                       [&calls](const FunctionEvent&) {
                                         return ++calls < 3 ? absl::UnavailableError("disk is full")
                                                            : absl::OkStatus();
                                       })
                       .value();
  orders.Subscribe(Target(billing).DeadLetter(dead), {.raw = true}).value();
  orders.Subscribe(gold, {.filter_policy = R"({"tier": ["gold"]})"}).value();
  orders.Subscribe(Target(trickle).Retry({.retries_max = 1}).DeadLetter(dead)).value();
  orders.Subscribe(Target(audit).DeadLetter(dead)).value();
  EventBus shop = broker.CreateEventBus("shop").value();
  shop.PutRule("placed", {.pattern = R"({"detail-type": ["OrderPlaced"]})",
                          .targets = {Target(orders).InputPath("$.detail").DeadLetter(dead)}})
      .value();

  if (argc > 1 && std::string_view(argv[1]) == "--dot") {
    std::printf("%s", TopologyDot(broker.Topology().value()).c_str());
    return 0;
  }

  trickle.Send({.body = "there first"}).value();
  const PublishRequest order = {.body = R"({"id": "o-1"})", .attributes = {{"tier", "silver"}}};
  Print("Whom would it reach?", ToString(orders.Explain(order).value()));

  const Id id =
      shop.Put({.source = "shop", .detail_type = "OrderPlaced", .detail = R"({"id": "o-1"})"})
          .value();
  for (int second = 0; second < 120; ++second) {
    while (runtime->Poll() > 0) {
    }
    runtime->AdvanceClock(absl::Seconds(1));
  }
  const std::vector<Received> jobs = billing.Receive().value();
  for (const Received& job : jobs) job.Delete().IgnoreError();
  Print("What became of it?", broker.Story(id).value().ToString());

  const Topology wiring = broker.Topology().value();
  Print("What looks wrong?", ToString(AnalyzeRoutes(wiring)));
}
