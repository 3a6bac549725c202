// SPDX-License-Identifier: Apache-2.0
//
// Inbox: the queue a module of the shop reads from, and the dead-letter queue behind it.
#ifndef BANYAN_EXAMPLES_SHOP_INBOX_H_
#define BANYAN_EXAMPLES_SHOP_INBOX_H_

#include <string>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/queue.h"

namespace shop {

struct Inbox {
  banyan::Queue queue;
  banyan::Queue dead;

  // Creates NAME and NAME-dead. After four attempts a message is taken for poison.
  static Inbox Create(banyan::Broker& broker, const std::string& name) {
    Inbox inbox;
    // A dead letter should outlive its cause: two weeks, the longest there is.
    inbox.dead = broker.CreateQueue(name + "-dead", {.retention = absl::Hours(14 * 24)}).value();
    inbox.queue =
        broker
            .CreateQueue(name, {.visibility_timeout = absl::Seconds(10),
                                .redrive = banyan::RedrivePolicy{.dead_letter = inbox.dead.arn(),
                                                                 .max_receive_count = 4}})
            .value();
    return inbox;
  }
};

// How the shop's consumers run: four handlers at once, and a failed message comes back after 20,
// 40, 80 ms. (Seconds or minutes would be usual; here somebody is watching.)
inline banyan::ConsumerOptions ShopConsumer() {
  return {.batch_size = 10,
          .concurrency = 4,
          .retry = banyan::Retry{.first = absl::Milliseconds(20), .max = absl::Seconds(1)}};
}

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_INBOX_H_
