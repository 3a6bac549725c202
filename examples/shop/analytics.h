// SPDX-License-Identifier: Apache-2.0
//
// Analytics: reads the stream of clicks, into which a rule also writes every order, and counts how
// many clicks it takes to sell something. The customer is the partition key, so that the clicks and
// the orders of one customer are in one shard, in order.
#ifndef BANYAN_EXAMPLES_SHOP_ANALYTICS_H_
#define BANYAN_EXAMPLES_SHOP_ANALYTICS_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/event_bus.h"
#include "banyan/stream.h"
#include "books.h"

namespace shop {

class Analytics {
 public:
  Analytics(const banyan::EventBus& bus, banyan::Stream clicks, Books& books)
      : clicks_(std::move(clicks)), books_(books) {
    bus.PutRule("order-log",
                {.pattern = R"({"source": [{"prefix": "shop."}], "detail-type": ["OrderPlaced"]})",
                 .targets = {banyan::Target(clicks_).PartitionKeyPath("$.detail.customer")}})
        .value();
    const std::vector<banyan::ShardInfo> shards = clicks_.ListShards().value();
    for (const banyan::ShardInfo& shard : shards) {
      readers_.push_back(
          clicks_.GetShardIterator(shard.id, banyan::StartAt::TrimHorizon()).value());
    }
  }

  // Reads what is new. False if a read failed; it can be tried again.
  bool CatchUp() {
    for (banyan::ShardIterator& reader : readers_) {
      while (true) {
        const absl::StatusOr<banyan::RecordBatch> batch = clicks_.GetRecords(reader, 1'000);
        if (!batch.ok()) return false;
        for (const banyan::Record& record : *batch) Count(record);
        reader = *batch->next();  // an open shard always has a next place
        if (batch->empty()) break;
      }
    }
    return true;
  }

  int64_t clicks() const { return click_count_; }
  int64_t orders() const { return order_count_; }

 private:
  void Count(const banyan::Record& record) {
    // A click is what the storefront writes; all else came through the rule, in an envelope.
    if (record.data().starts_with(R"({"page":)")) {
      ++click_count_;
      books_.Settled(Desk::kClicks, record.event_id());
    } else {
      ++order_count_;
      books_.Settled(Desk::kOrderLog, record.event_id());
    }
  }

  banyan::Stream clicks_;
  Books& books_;
  std::vector<banyan::ShardIterator> readers_;  // one per shard
  int64_t click_count_ = 0;
  int64_t order_count_ = 0;
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_ANALYTICS_H_
