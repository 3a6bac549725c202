// SPDX-License-Identifier: Apache-2.0
//
// A topic: each subscription says what it wants, by the attributes of a message or by its body.
// Explain says why somebody did not get one.
#include <cstdio>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "banyan/banyan.h"

using namespace banyan;

// Says which subscriptions would get `order`, and of the others what stopped it. Delivers nothing.
void PrintWhoWants(const Topic& orders, const PublishRequest& order) {
  const std::vector<SubscriptionExplanation> explained = orders.Explain(order).value();
  for (const SubscriptionExplanation& subscription : explained) {
    const Explanation& verdict = subscription.verdict;
    std::printf("%s: %s\n", verdict.matched ? "wanted" : "filtered", verdict.sentence.c_str());
  }
}

int main() {
  std::latch audited(1);  // what a function refers to stands above the broker that calls it
  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 1});
  Broker broker = Broker::Create(*runtime, {}).value();
  Topic orders = broker.CreateTopic("orders").value();

  // By attribute. Raw: the queue gets the body as it was published, without SNS's envelope.
  Queue acme = broker.CreateQueue("acme").value();
  orders.Subscribe(acme, {.filter_policy = R"({"tenant": ["acme"]})", .raw = true}).value();

  // By a field of the body, which is then a JSON object. The function runs on the runtime's thread.
  Function audit = broker
                       .CreateFunction("audit", {},
                                       [&audited](const FunctionEvent& order) {
                                         const std::string body(order.body);
                                         std::printf("audit: %s\n", body.c_str());
                                         audited.count_down();
                                         return absl::OkStatus();  // an error: tried again
                                       })
                       .value();
  orders
      .Subscribe(audit, {.filter_policy = R"({"total": [{"numeric": [">=", 1000]}]})",
                         .filter_policy_scope = FilterPolicyScope::kMessageBody})
      .value();

  const PublishRequest small = {.body = R"({"id": "o-1", "total": 7.5})",
                                .attributes = {{"tenant", "acme"}}};
  const PublishRequest large = {.body = R"({"id": "o-2", "total": 2500})",
                                .attributes = {{"tenant", "globex"}}};
  orders.Publish(small).value();
  orders.Publish(large).value();
  audited.wait();

  const std::vector<Received> received = acme.Receive({.max_messages = 10}).value();
  for (const Received& order : received) {
    std::printf("acme: %s\n", std::string(order.body()).c_str());
    order.Delete().IgnoreError();  // left undone, the order would come again
  }
  PrintWhoWants(orders, small);
}
