// SPDX-License-Identifier: Apache-2.0
//
// Analytics: reads the stream of clicks, into which a rule also writes every order, and counts how
// many clicks it takes to sell something. The customer is the partition key, so that the clicks and
// the orders of one customer are in one shard, in order. Beside that it keeps an eye on the pages, by
// windows of a tenth of a second.
#ifndef BANYAN_EXAMPLES_SHOP_ANALYTICS_H_
#define BANYAN_EXAMPLES_SHOP_ANALYTICS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "banyan/event_bus.h"
#include "banyan/mapping.h"
#include "banyan/mutex.h"
#include "banyan/stream.h"
#include "banyan/window.h"
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
    reader_ = banyan::StreamMapping::Start(clicks_, {.name = "clicks-per-order"},
                                           [this](const banyan::StreamBatch& batch) {
                                             for (const banyan::Record& r : batch.records) Count(r);
                                             return absl::OkStatus();
                                           })
                  .value();
    pages_ = banyan::WindowAggregate::Start(
                 clicks_,
                 {.windows = banyan::Windows::Tumbling(absl::Milliseconds(100)),
                  .key = [](const banyan::Record& click) { return PageOf(click.data()); },
                  .filters = {R"({"data": {"page": [{"exists": true}]}})"}},
                 [this](const banyan::WindowResult& page) {
                   Compare(page);
                   return absl::OkStatus();
                 })
                 .value();
  }

  // Splits or merges the stream's shards while it is written and read. Nobody has to wait.
  absl::Status Reshard(int64_t shards) { return clicks_.UpdateShardCount(shards); }

  // How long the oldest click that is not counted has been in the stream.
  absl::Duration Lag() {
    const absl::Duration lag = reader_.Metrics().behind_latest;
    longest_lag_ = std::max(longest_lag_, lag);
    return lag;
  }
  absl::Duration longest_lag() const { return longest_lag_; }

  bool HasReadAll() const { return reader_.Metrics().handled == clicks_.Stats().accepted; }

  // Of the day's last windows, whose time is not over: they are told of now. Then waits to be asked
  // whether it is done.
  void EndTheDay() { pages_.Flush(); }
  bool HasToldAll() const {
    const banyan::WindowStats stats = pages_.Stats();
    return stats.mapping.handled == click_count_ && stats.open + stats.waiting == 0;
  }

  struct Peak {
    std::string page;
    int64_t clicks = 0;
  };
  Peak busiest() const {
    banyan::MutexLock lock(&mu_);
    return busiest_;
  }

  int64_t clicks() const { return click_count_; }
  int64_t orders() const { return order_count_; }
  int64_t clicks_in_windows() const {
    banyan::MutexLock lock(&mu_);
    return clicks_in_windows_;
  }
  int64_t shards() const { return static_cast<int64_t>(clicks_.ListShards().value().size()); }

 private:
  static constexpr std::string_view kClick = R"({"page":")";

  // A click is what the storefront writes; all else came through the rule, in an envelope. Called for
  // several shards at once.
  void Count(const banyan::Record& record) {
    if (record.data().starts_with(kClick)) {
      ++click_count_;
      books_.Settled(Desk::kClicks, record.event_id());
    } else {
      ++order_count_;
      books_.Settled(Desk::kOrderLog, record.event_id());
    }
  }

  static std::string PageOf(std::string_view click) {
    click.remove_prefix(std::min(click.size(), kClick.size()));
    return std::string(click.substr(0, click.find('"')));
  }

  void Compare(const banyan::WindowResult& page) {
    banyan::MutexLock lock(&mu_);
    clicks_in_windows_ += page.count;
    if (page.count > busiest_.clicks) busiest_ = {page.key, page.count};
  }

  banyan::Stream clicks_;
  Books& books_;
  absl::Duration longest_lag_;  // of the thread that looks
  std::atomic<int64_t> click_count_ = 0;
  std::atomic<int64_t> order_count_ = 0;
  mutable banyan::Mutex mu_;
  Peak busiest_ ABSL_GUARDED_BY(mu_);
  int64_t clicks_in_windows_ ABSL_GUARDED_BY(mu_) = 0;
  // They call the above, so they are the first to go.
  banyan::StreamMapping reader_;
  banyan::WindowAggregate pages_;
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_ANALYTICS_H_
