// SPDX-License-Identifier: Apache-2.0
//
// The ledger: what became of each order, step by step, in the order it happened.
//
// A FIFO topic keeps the steps of one order (its message group) in order all the way into the
// ledger's queue, whoever publishes them, and answers a step that it knows already like the first
// time: so a module that is tried again may say the same again.
#ifndef BANYAN_EXAMPLES_SHOP_LEDGER_H_
#define BANYAN_EXAMPLES_SHOP_LEDGER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mutex.h"
#include "order.h"

namespace shop {

enum class Step { kNone, kPlaced, kPaid, kShipped };

class Ledger {
 public:
  explicit Ledger(banyan::Broker& broker)
      : topic_(broker.CreateTopic("ledger.fifo", {.fifo = true}).value()) {
    const banyan::Queue queue = broker.CreateQueue("ledger.fifo", {.fifo = true}).value();
    topic_.Subscribe(queue, {.raw = true}).value();
    consumer_ =
        banyan::Consumer::Start(queue, {.batch_size = 10, .concurrency = 2},
                                [this](const banyan::Received& message) { return Enter(message); })
            .value();
  }

  absl::Status Note(const Order& order, Step step) const {
    static constexpr std::string_view kNames[] = {"", "placed", "paid", "shipped"};
    const std::string number = std::to_string(order.number);
    const std::string_view name = kNames[static_cast<size_t>(step)];
    return topic_
        .Publish({.body = name,
                  .message_group_id = number,
                  .message_deduplication_id = number + "-" + std::string(name)})
        .status();
  }

  int64_t entries() const {
    banyan::MutexLock lock(&mu_);
    return entries_;
  }
  // Steps that came behind a later one of the same order, or a second time.
  int64_t out_of_order() const {
    banyan::MutexLock lock(&mu_);
    return out_of_order_;
  }
  // Orders whose last step is another than being shipped.
  int64_t unfinished() const {
    banyan::MutexLock lock(&mu_);
    int64_t count = 0;
    for (const auto& [number, last] : last_) count += last != Step::kShipped;
    return count;
  }

 private:
  absl::Status Enter(const banyan::Received& message) {
    const std::string_view name = message.body();
    const Step step = name == "placed" ? Step::kPlaced
                      : name == "paid" ? Step::kPaid
                                       : Step::kShipped;
    banyan::MutexLock lock(&mu_);
    Step& last = last_[std::string(message.message_group_id())];
    ++entries_;
    if (step <= last) ++out_of_order_;
    last = step;
    return absl::OkStatus();
  }

  banyan::Topic topic_;
  mutable banyan::Mutex mu_;
  std::unordered_map<std::string, Step> last_ ABSL_GUARDED_BY(mu_);  // by order
  int64_t entries_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t out_of_order_ ABSL_GUARDED_BY(mu_) = 0;
  banyan::Consumer consumer_;  // declared last, so it stops and drains first
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_LEDGER_H_
