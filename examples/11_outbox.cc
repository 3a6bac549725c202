// SPDX-License-Identifier: Apache-2.0
//
// An order and its event are one transaction of the shop's own database, here SQLite: a commit
// publishes, a rollback does not, and what a process could not publish any more its successor does.
// What the outbox needs to know of SQLite is in common/sqlite_outbox.h.
#include <cstdio>
#include <filesystem>
#include <latch>
#include <memory>
#include <string>

#include "banyan/banyan.h"
#include "common/sqlite_outbox.h"

namespace {

using namespace banyan;

// One life of the shop's process.
class Shop {
 public:
  explicit Shop(const std::string& path)
      : database_(sqlite::Connection::Open(path).value()),
        table_(sqlite::Connection::Open(path).value()) {
    for (const char* sql :
         {"CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)", sqlite::kOutboxSchema}) {
      if (const absl::Status made = database_.Run(sql); !made.ok()) {
        std::printf("%s\n", made.ToString().c_str());
      }
    }
  }

  // Everything that listens is there: what is left in the table may be published.
  void Open() { outbox_.Start(); }

  // The outbox dies first: whatever is committed from now on, this process does not publish.
  void LosePower() { outbox_.Stop(); }

  absl::Status PlaceOrder(const std::string& id) {
    absl::StatusOr<std::unique_ptr<sqlite::Transaction>> tx = sqlite::Transaction::Begin(database_);
    if (!tx.ok()) return tx.status();
    absl::StatusOr<Id> row = outbox_.PublishIn(**tx, orders_, {.body = id});
    if (!row.ok()) return row.status();
    // An order that is there already: the insert fails, and with it goes the event.
    absl::Status inserted =
        sqlite::Statement(database_, "INSERT INTO orders VALUES (?)").Bind(1, id).Run();
    if (!inserted.ok()) return inserted;
    if (absl::Status committed = (*tx)->Commit(); !committed.ok()) return committed;
    outbox_.Committed();
    return absl::OkStatus();
  }

  int64_t RowsLeft() {
    sqlite::Statement count(database_, "SELECT count(*) FROM banyan_outbox");
    return count.Step().ok() ? count.Integer(0) : -1;
  }

  Broker& broker() { return broker_; }
  const Topic& orders() const { return orders_; }

 private:
  sqlite::Connection database_;
  sqlite::OutboxTable table_;
  std::unique_ptr<Runtime> runtime_ = NewThreadedRuntime();
  Broker broker_ = Broker::Create(*runtime_, {}).value();
  Topic orders_ = broker_.CreateTopic("orders").value();
  Outbox outbox_ = Outbox::Create(broker_, table_).value();
};

class Billing {
 public:
  Billing(Broker& broker, const Topic& orders, std::latch& billed)
      : inbox_(broker.CreateQueue("billing").value()) {
    orders.Subscribe(inbox_, {.raw = true}).value();
    consumer_ = Consumer::Start(inbox_, {}, [&billed](const Received& order) {
                  std::printf("billing: %s\n", std::string(order.body()).c_str());
                  billed.count_down();
                  return absl::OkStatus();
                }).value();
  }

 private:
  Queue inbox_;
  Consumer consumer_;
};

void Place(Shop& shop, const std::string& id) {
  const absl::Status placed = shop.PlaceOrder(id);
  std::printf("%s: %s\n", id.c_str(), placed.ok() ? "committed" : "rolled back");
}

}  // namespace

int main() {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() /
      ("banyan-outbox-" + std::to_string(NewThreadedRuntime()->Random()) + ".db");
  {
    Shop shop(path.string());
    std::latch billed(1);
    Billing billing(shop.broker(), shop.orders(), billed);
    shop.Open();
    Place(shop, "o-1");
    billed.wait();
    Place(shop, "o-1");  // again: not a new order, and no event
    shop.LosePower();
    Place(shop, "o-2");
    std::printf("the process ends, and leaves rows in the outbox: %lld\n",
                static_cast<long long>(shop.RowsLeft()));
  }
  {
    Shop shop(path.string());
    std::latch billed(1);
    Billing billing(shop.broker(), shop.orders(), billed);
    shop.Open();
    billed.wait();
  }
  std::filesystem::remove(path);
}
