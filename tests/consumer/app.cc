// SPDX-License-Identifier: Apache-2.0
//
// What a first user writes: a broker, a bus, a rule, a queue. Any answer but the right one is
// exit 1.

#include <cstdio>
#include <memory>
#include <vector>

#include "banyan/banyan.h"

int main() {
  const std::unique_ptr<banyan::Runtime> runtime = banyan::NewThreadedRuntime({.threads = 1});
  banyan::Broker broker = banyan::Broker::Create(*runtime, {}).value();
  const banyan::Queue inbox = broker.CreateQueue("inbox").value();
  if (!inbox.Send({.body = "hello"}).ok()) return 1;

  const std::vector<banyan::Received> received = inbox.Receive().value();
  if (received.size() != 1 || received[0].body() != "hello") return 1;
  if (!received[0].Delete().ok()) return 1;

  const banyan::EventPattern pattern =
      banyan::EventPattern::Parse(R"({"source": [{"prefix": "shop."}]})").value();
  if (!pattern.Matches(R"({"source": "shop.orders"})")) return 1;

  std::puts("a message went in and came out");
  return 0;
}
