// SPDX-License-Identifier: Apache-2.0
//
// A FIFO queue: order within a group, a repeated send that is stored once, and an answer to "why does
// nothing come?"
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "banyan/banyan.h"

int main() {
  using namespace banyan;

  std::unique_ptr<Runtime> runtime = NewThreadedRuntime();
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue bookings = broker.CreateQueue("bookings.fifo", {.fifo = true}).value();

  // Several sends in one call. What belongs together has one group; the group keeps its order.
  const auto booking = [](const char* account, const char* id, const char* text) {
    return SendRequest{.body = text, .message_group_id = account, .message_deduplication_id = id};
  };
  const auto sent =
      bookings
          .SendBatch({booking("alice", "b-1", "alice +100"), booking("alice", "b-2", "alice -30"),
                      booking("bob", "b-3", "bob +5")})
          .value();

  // The sender lost the answer and asks again: the same answer, and nothing is stored twice.
  const SendResult again = bookings.Send(booking("alice", "b-1", "alice +100")).value();
  std::printf("stored once: %s\n", again.message_id == sent[0]->message_id ? "yes" : "no");

  // Alice's second booking waits until the first is settled; Bob's does not.
  const std::vector<Received> first = bookings.Receive().value();
  std::printf("in hand: %s\n", std::string(first[0].body()).c_str());
  const std::vector<Received> others = bookings.Receive({.max_messages = 10}).value();
  for (const Received& other : others) {
    std::printf("beside it: %s\n", std::string(other.body()).c_str());
    other.Delete().IgnoreError();
  }
  std::printf("%s", bookings.Explain().value().c_str());

  first[0].Delete().IgnoreError();
  const std::vector<Received> next = bookings.Receive().value();
  std::printf("then: %s\n", std::string(next[0].body()).c_str());
  return next[0].Delete().ok() && bookings.Depth() == QueueDepth() ? 0 : 1;
}
