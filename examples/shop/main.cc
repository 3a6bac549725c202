// SPDX-License-Identifier: Apache-2.0
//
// shop: a day in an order-processing monolith whose modules talk through Banyan.
//
//   who            listens to                     on                     and says
//   customers                                                            clicks, into a stream
//   orders         customers                                             OrderPlaced
//   payment        OrderPlaced that costs         bus -> queue           PaymentTaken
//   inventory      OrderPlaced with goods         bus -> queue           StockReserved
//   shipping       both, and OrderPlaced for free bus -> queue           OrderShipped
//   receipts       PaymentTaken, as a text        bus -> transformer -> queue
//   notification   OrderShipped                   bus -> queue           a notice, on a topic
//   email, sms     notices of their channel       topic -> queue
//   push           notices of its channel         topic -> function
//   vip-desk       notices about much money       topic -> queue, read tomorrow
//   analytics      clicks and OrderPlaced         stream, bus -> stream, resharded meanwhile
//   ledger         each step of an order, in order  FIFO topic -> FIFO queue
//   auditor        PaymentTaken, all once more    schedule -> replay -> function
//
// Every queue has a dead-letter queue. Payment fails at times; what it cannot settle in four
// attempts is redriven once the cause is mended. In the end the books must balance.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../common/terminal.h"
#include "analytics.h"
#include "auditor.h"
#include "banyan/banyan.h"
#include "banyan/testing/simulated_runtime.h"
#include "books.h"
#include "customers.h"
#include "inventory.h"
#include "ledger.h"
#include "notification.h"
#include "options.h"
#include "order.h"
#include "orders.h"
#include "payment.h"
#include "receipts.h"
#include "report.h"
#include "shipping.h"
#include "stopwatch.h"

namespace shop {
namespace {

using examples::WithCommas;

// How long the modules may take to settle what is left, once no more orders come.
constexpr absl::Duration kPatience = absl::Minutes(2);

// Of the stream of clicks, in the morning.
constexpr int64_t kShards = 4;

// Between two looks at the modules.
constexpr absl::Duration kPace = absl::Milliseconds(2);

// Waits by the runtime's clock. In real time that is a sleep; a simulated runtime runs on the spot
// what the modules would have done meanwhile.
void Wait(banyan::Runtime& runtime, absl::Duration time) {
  banyan::Mutex mu;
  banyan::WaitList nobody_wakes_us;
  banyan::MutexLock lock(&mu);
  runtime.Await(
      mu, nobody_wakes_us, [] { return false; }, runtime.Uptime() + time);
}

class Shop {
 public:
  // `rate` is of orders per second; 0: as fast as the shop takes them.
  Shop(banyan::Runtime& runtime, const Options& options, int64_t rate)
      : runtime_(runtime),
        order_count_(options.orders),
        stopwatch_(runtime, options.orders),
        provider_(static_cast<uint64_t>(options.seed)),
        broker_(banyan::Broker::Create(runtime, {.tap = &books_}).value()),
        bus_(broker_.CreateEventBus("shop").value()),
        notices_(broker_.CreateTopic("customer-notices").value()),
        clicks_(broker_.CreateStream("clicks", {.shards = kShards}).value()),
        ledger_(broker_),
        payment_(broker_, bus_, provider_, ledger_, books_, stopwatch_),
        inventory_(broker_, bus_, books_),
        shipping_(broker_, bus_, ledger_, books_),
        receipts_(broker_, bus_, books_),
        notification_(broker_, bus_, notices_, books_, stopwatch_),
        analytics_(bus_, clicks_, books_),
        auditor_(broker_, bus_),
        orders_(bus_, ledger_),
        customers_(orders_, clicks_, stopwatch_, static_cast<uint64_t>(options.seed),
                   options.orders, rate) {}

  // True if all went as it should.
  bool RunForADay() {
    const absl::Duration opened = runtime_.Uptime();
    while (!customers_.done()) {
      if (absl::Status placed = customers_.PlaceDue(runtime_.Uptime() - opened); !placed.ok()) {
        std::printf("The shop refuses customers: %s\n", std::string(placed.message()).c_str());
        return false;
      }
      if (!ReshardWhenDue()) return false;
      Look();
      if (customers_.paced()) Wait(runtime_, kPace);
    }
    bool settled = WaitUntilSettled();
    const absl::Duration open_time = stopwatch_.last_finish() - opened;
    progress_.Clear();
    std::printf("%s orders placed in %s, %s finished; %s payments failed and were tried again.\n",
                WithCommas(customers_.placed()).c_str(), Seconds(open_time).c_str(),
                WithCommas(stopwatch_.finished()).c_str(),
                WithCommas(payment_.failed_attempts()).c_str());

    int64_t deliveries = 0;
    for (const LibraryCounters& counter : ReadCounters()) deliveries += counter.settled;
    const std::string speed = Speed(open_time, deliveries);

    RedrivePayments();
    settled = WaitUntilSettled() && settled;
    settled = Audit() && settled;
    settled = EndAnalytics() && settled;
    progress_.Clear();
    if (!settled) std::printf("Not everything was settled in time.\n");
    return PrintDay(speed) && settled;
  }

  // Must come before the modules go: the push function calls one of them.
  void Close() {
    const banyan::StopReport report = broker_.Stop(absl::Seconds(5));
    std::printf("Closed: %s calls running, %s deliveries pending.\n",
                WithCommas(report.calls_running).c_str(),
                WithCommas(report.deliveries_pending).c_str());
  }

 private:
  static std::string Seconds(absl::Duration time) {
    return absl::FormatDuration(absl::Trunc(time, absl::Milliseconds(1)));
  }

  static std::string Milliseconds(absl::Duration time) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f ms", absl::ToDoubleMilliseconds(time));
    return text;
  }

  // At a given rate the figure says only what the customers did, not what the shop could do.
  std::string Speed(absl::Duration time, int64_t deliveries) const {
    const double seconds = std::max(absl::ToDoubleSeconds(time), 1e-3);
    const auto per_second = [seconds](int64_t count) {
      return WithCommas(static_cast<int64_t>(static_cast<double>(count) / seconds));
    };
    if (customers_.paced()) {
      return "Arrival rate: " + per_second(customers_.placed()) +
             " orders a second, as --rate sets it (--rate 0 shows the throughput).";
    }
    return "Throughput: " + per_second(stopwatch_.finished()) + " orders finished and " +
           per_second(deliveries) + " deliveries settled a second.";
  }

  // More customers come by noon, and go in the evening: the stream of clicks gets twice its shards,
  // and loses them again, in the middle of writing and reading.
  bool ReshardWhenDue() {
    const std::array<int64_t, 2> shards = {2 * kShards, kShards};
    const auto step = static_cast<int64_t>(reshards_);
    if (reshards_ == shards.size() || 3 * customers_.placed() < (step + 1) * order_count_) {
      return true;
    }
    const absl::Status resharded = analytics_.Reshard(shards[reshards_++]);
    if (!resharded.ok()) {
      std::printf("Resharding failed: %s\n", std::string(resharded.message()).c_str());
    }
    return resharded.ok();
  }

  // What is done now and then while the modules work.
  void Look() {
    const absl::Duration lag = analytics_.Lag();
    const absl::Duration now = runtime_.Uptime();
    if (progress_.Due(now)) {
      progress_.Show(now, "orders placed " + WithCommas(customers_.placed()) + ", finished " +
                              WithCommas(stopwatch_.finished()) + ", payments failed " +
                              WithCommas(payment_.failed_attempts()) + ", in payment-dead " +
                              WithCommas(QueueNamed("payment-dead").Depth().total()) +
                              "; clicks read " + WithCommas(analytics_.clicks()) + " of " +
                              WithCommas(analytics_.shards()) + " shards, lag " +
                              Milliseconds(lag));
    }
  }

  bool WaitUntilSettled() {
    const absl::Duration deadline = runtime_.Uptime() + kPatience;
    while (!IsQuiet()) {
      if (runtime_.Uptime() > deadline) return false;
      Look();
      Wait(runtime_, kPace);
    }
    return true;
  }

  // Down the stream of events: a module tells the next one before it settles, so a queue that is
  // empty stays empty if those before it were.
  bool IsQuiet() {
    for (const char* name : {"payment", "inventory", "shipping", "receipts", "notification",
                             "email", "sms", "ledger.fifo"}) {
      if (QueueNamed(name).Depth().total() > 0) return false;
    }
    return notification_.PushIsIdle() && analytics_.HasReadAll();
  }

  banyan::Queue QueueNamed(const std::string& name) const {
    return broker_.FindQueue(name).value();
  }

  void RedrivePayments() {
    const banyan::Queue dead = QueueNamed("payment-dead");
    std::printf("payment-dead holds %s orders, among them\n",
                WithCommas(dead.Depth().visible).c_str());
    const std::vector<banyan::Received> letters = dead.Peek(3).value();
    for (const banyan::Received& letter : letters) {
      const absl::StatusOr<OrderEvent> event = ParseEvent(letter.body());
      if (!event.ok()) continue;
      std::printf("  order %s, %s, card %s, after %s attempts\n",
                  WithCommas(event->order.number).c_str(), event->order.currency.c_str(),
                  event->order.card.c_str(), WithCommas(letter.receive_count()).c_str());
    }
    provider_.Update();
    std::printf("The provider is updated; ");
    const absl::StatusOr<int64_t> moved = dead.Redrive();
    if (moved.ok()) {
      std::printf("%s orders are tried again.\n\n", WithCommas(*moved).c_str());
    } else {
      std::printf("redrive failed: %s\n\n", moved.status().ToString().c_str());
    }
  }

  // The auditor comes at a scheduled time. True if he finds what the provider took, and the ledger in
  // order.
  bool Audit() {
    const absl::Time closed = runtime_.Now();
    if (!auditor_.Schedule(closed).ok()) return false;
    const absl::Duration deadline = runtime_.Uptime() + kPatience;
    while (!auditor_.is_done()) {
      if (runtime_.Uptime() > deadline) return false;
      Wait(runtime_, kPace);
    }
    const banyan::ReplayDescription replay = broker_.DescribeReplay("audit").value();
    const bool agrees = auditor_.cents() == provider_.cents();
    std::printf("The last receipt: %s\n", receipts_.latest().c_str());
    std::printf(
        "The auditor came %s after closing and had %s payments replayed; their sum, %s cents, %s\n"
        "what the provider took. The ledger has %s steps of orders, %s of them out of order.\n\n",
        Seconds(replay.replay_start_time - closed).c_str(), WithCommas(auditor_.payments()).c_str(),
        WithCommas(auditor_.cents()).c_str(), agrees ? "is" : "IS NOT",
        WithCommas(ledger_.entries()).c_str(), WithCommas(ledger_.out_of_order()).c_str());
    return agrees && ledger_.out_of_order() == 0;
  }

  // True if the windows have the clicks that were counted one by one.
  bool EndAnalytics() {
    analytics_.EndTheDay();
    const absl::Duration deadline = runtime_.Uptime() + kPatience;
    while (!analytics_.HasToldAll()) {
      if (runtime_.Uptime() > deadline) return false;
      Wait(runtime_, kPace);
    }
    const bool agrees = analytics_.clicks_in_windows() == analytics_.clicks();
    const Analytics::Peak busiest = analytics_.busiest();
    std::printf(
        "The clicks were read from %s shards, as they were split and merged, and the reader was\n"
        "%s behind at most, %s now. In its busiest tenth of a second %s had %s clicks.%s\n\n",
        WithCommas(analytics_.shards()).c_str(), Milliseconds(analytics_.longest_lag()).c_str(),
        Milliseconds(analytics_.Lag()).c_str(), busiest.page.c_str(),
        WithCommas(busiest.clicks).c_str(), agrees ? "" : " THE WINDOWS DO NOT ADD UP.");
    return agrees;
  }

  // What the library counted. Read before the last look, which takes the queues apart.
  DeskCounters ReadCounters() const {
    DeskCounters counters;
    for (size_t i = 0; i < kDesks; ++i) {
      LibraryCounters& counter = counters[i];
      const Desk desk = static_cast<Desk>(i);
      if (desk == Desk::kClicks) {
        // Written by the storefront itself, beside what the rule wrote.
        counter.matched = counter.delivered = clicks_.Stats().accepted - analytics_.orders();
      } else if (const auto found = notification_.subscriptions().find(desk);
                 found != notification_.subscriptions().end()) {
        const banyan::DeliveryStats delivery = found->second.Stats().delivery;
        counter.matched = delivery.matched;
        counter.delivered = delivery.delivered;
      } else {
        const banyan::RuleStats rule = bus_.FindRule(kDeskNames[i]).value().Stats();
        counter.matched = rule.matched;
        counter.delivered = rule.targets.at(0).delivery.delivered;
      }

      const absl::StatusOr<banyan::Queue> queue = broker_.FindQueue(kDeskNames[i]);
      if (!queue.ok()) {  // a function, or the stream
        counter.settled = counter.attempts = counter.delivered;
        continue;
      }
      const banyan::QueueStats stats = queue->Stats();
      counter.settled = stats.deleted;
      counter.resting = stats.depth.total();
      counter.attempts = stats.received;
      counter.dead = QueueNamed(kDeskNames[i] + std::string("-dead")).Depth().total();
    }
    return counters;
  }

  // Goes through what is left, message by message.
  void LookThroughQueues() {
    for (size_t i = 0; i < kDesks; ++i) {
      const absl::StatusOr<banyan::Queue> queue = broker_.FindQueue(kDeskNames[i]);
      if (!queue.ok()) continue;
      const Desk desk = static_cast<Desk>(i);
      TakeApart(*queue, [&](banyan::Id id) { books_.FoundResting(desk, id); });
      TakeApart(QueueNamed(kDeskNames[i] + std::string("-dead")),
                [&](banyan::Id id) { books_.FoundDead(desk, id); });
    }
  }

  // The process ends here, and what rests in it too: so nothing is lost by deleting what was seen,
  // which is how to see the rest.
  template <typename Visit>
  static void TakeApart(const banyan::Queue& queue, const Visit& visit) {
    while (true) {
      const absl::StatusOr<std::vector<banyan::Received>> batch =
          queue.Receive({.max_messages = 10});
      if (!batch.ok() || batch->empty()) return;
      for (const banyan::Received& message : *batch) {
        visit(message.event_id());
        message.Delete().IgnoreError();
      }
    }
  }

  bool PrintDay(const std::string& speed) {
    const DeskCounters counters = ReadCounters();
    LookThroughQueues();
    const DeskAccounts accounts = books_.Close();

    PrintTable(accounts, counters);
    std::printf("\n");
    PrintLatencies(stopwatch_);

    std::printf(
        "\n%s\n%.1f clicks per order.\n", speed.c_str(),
        static_cast<double>(analytics_.clicks()) / static_cast<double>(analytics_.orders()));

    const std::vector<std::string> faults =
        FindFaults(accounts, counters, customers_.placed(), stopwatch_.finished());
    if (faults.empty()) {
      std::printf(
          "The books balance: for each message and subscription, published = filtered + settled\n"
          "+ in the dead-letter queue + resting; and the library's counters say the same.\n");
      return true;
    }
    std::printf("THE BOOKS DO NOT BALANCE:\n");
    for (const std::string& fault : faults) std::printf("  %s\n", fault.c_str());
    return false;
  }

  // In the order in which they are made; the modules stop first, and each refers only to what
  // stands above it.
  banyan::Runtime& runtime_;
  const int64_t order_count_;
  size_t reshards_ = 0;  // done
  examples::Progress progress_;
  Books books_;
  Stopwatch stopwatch_;
  PaymentProvider provider_;
  banyan::Broker broker_;
  banyan::EventBus bus_;
  banyan::Topic notices_;
  banyan::Stream clicks_;
  Ledger ledger_;
  Payment payment_;
  Inventory inventory_;
  Shipping shipping_;
  Receipts receipts_;
  Notification notification_;
  Analytics analytics_;
  Auditor auditor_;
  Orders orders_;
  Customers customers_;
};

// One day of a new shop. True if all went as it should.
bool RunShop(const Options& options, int64_t rate) {
  // The only line that knows whether time is real.
  std::unique_ptr<banyan::Runtime> runtime;
  if (options.simulated) {
    runtime = std::make_unique<banyan::testing::SimulatedRuntime>(
        banyan::testing::SimulationOptions{.seed = static_cast<uint64_t>(options.seed)});
  } else {
    runtime = banyan::NewThreadedRuntime({.threads = static_cast<int>(options.threads)});
  }
  Shop shop(*runtime, options, rate);
  const bool is_well = shop.RunForADay();
  shop.Close();
  return is_well;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<Options> options = ParseOptions(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "shop: %s\n\n%s", std::string(options.status().message()).c_str(), kUsage);
    return 2;
  }
  if (options->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }

  if (options->rate.has_value()) return RunShop(*options, *options->rate) ? 0 : 1;
  bool is_well = RunShop(*options, 5'000);
  if (!options->simulated) {  // a simulated clock stands still however much is done
    std::printf("\nAnd a day on which customers come as fast as the shop takes their orders.\n");
    is_well = RunShop(*options, 0) && is_well;
  }
  return is_well ? 0 : 1;
}

}  // namespace
}  // namespace shop

int main(int argc, char** argv) { return shop::Main(argc, argv); }
