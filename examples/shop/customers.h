// SPDX-License-Identifier: Apache-2.0
//
// Customers: look at a few pages, then order; so many orders a second, or one after the other as
// fast as the shop takes them.
#ifndef BANYAN_EXAMPLES_SHOP_CUSTOMERS_H_
#define BANYAN_EXAMPLES_SHOP_CUSTOMERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "banyan/stream.h"
#include "order.h"
#include "orders.h"
#include "stopwatch.h"

namespace shop {

class Customers {
 public:
  Customers(const Orders& orders, banyan::Stream clicks, Stopwatch& stopwatch, uint64_t seed,
            int64_t order_count, int64_t orders_per_second)
      : orders_(orders),
        clicks_(std::move(clicks)),
        stopwatch_(stopwatch),
        seed_(seed),
        order_count_(order_count),
        orders_per_second_(orders_per_second) {}

  // Places the orders that are due `since_opening`, or a thousand where nothing paces them. An error
  // is the shop's refusal; the order it concerns is then placed by the next call.
  absl::Status PlaceDue(absl::Duration since_opening) {
    const double due =
        paced() ? absl::ToDoubleSeconds(since_opening) * static_cast<double>(orders_per_second_)
                : static_cast<double>(placed_ + 1'000);
    while (placed_ < order_count_ && static_cast<double>(placed_) < due) {
      const Order order = MakeOrder(seed_, placed_);
      if (absl::Status looked = LookAround(order); !looked.ok()) return looked;
      stopwatch_.Start(order.number);
      if (absl::Status placed = orders_.Place(order); !placed.ok()) return placed;
      ++placed_;
    }
    return absl::OkStatus();
  }

  int64_t placed() const { return placed_; }
  int64_t clicks() const { return click_count_; }
  bool paced() const { return orders_per_second_ > 0; }
  bool done() const { return placed_ == order_count_; }

 private:
  absl::Status LookAround(const Order& order) {
    static constexpr std::array<const char*, 4> kPages = {
        R"({"page":"/"})", R"({"page":"/lamps"})", R"({"page":"/mugs"})", R"({"page":"/cart"})"};
    const uint64_t pages = 1 + Draw(seed_, "clicks", order.number) % kPages.size();
    for (size_t i = 0; i < pages; ++i) {
      const absl::StatusOr<banyan::PutResult> put =
          clicks_.Put({.partition_key = order.customer, .data = kPages[i]});
      if (!put.ok()) return put.status();
      ++click_count_;
    }
    return absl::OkStatus();
  }

  const Orders& orders_;
  banyan::Stream clicks_;
  Stopwatch& stopwatch_;
  const uint64_t seed_;
  const int64_t order_count_;
  const int64_t orders_per_second_;  // 0: as fast as it goes
  int64_t placed_ = 0;
  int64_t click_count_ = 0;
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_CUSTOMERS_H_
