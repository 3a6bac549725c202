// SPDX-License-Identifier: Apache-2.0
//
// The outbox over a real database: the adapter that the example shows, on a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/outbox.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "common/sqlite_outbox.h"
#include "shared_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OutboxSqliteTest : public ::testing::Test {
 protected:
  OutboxSqliteTest() {
    std::filesystem::remove(path_);
    sqlite::Connection made = Open();
    EXPECT_THAT(made.Run(sqlite::kOutboxSchema), IsOk());
    EXPECT_THAT(made.Run("CREATE TABLE orders (id TEXT PRIMARY KEY)"), IsOk());
  }
  ~OutboxSqliteTest() override { std::filesystem::remove(path_); }

  // Who finds the database locked tries again at once: SQLite would sleep.
  sqlite::Connection Open() const {
    sqlite::Connection connection = sqlite::Connection::Open(path_).value();
    sqlite3_busy_handler(
        connection.handle(),
        [](void*, int) {
          std::this_thread::yield();
          return 1;
        },
        nullptr);
    return connection;
  }

  int64_t Count(const char* sql) const {
    sqlite::Connection connection = Open();
    sqlite::Statement count(connection, sql);
    EXPECT_THAT(count.Step(), IsOk());
    return count.Integer(0);
  }

  // The order and its event, or neither.
  static absl::Status PlaceOrder(sqlite::Connection& connection, const Outbox& outbox,
                                 const Queue& queue, const std::string& id, bool commits = true) {
    auto tx = sqlite::Transaction::Begin(connection);
    if (!tx.ok()) return tx.status();
    if (absl::StatusOr<Id> row = outbox.SendIn(**tx, queue, {.body = id}); !row.ok()) {
      return row.status();
    }
    absl::Status inserted =
        sqlite::Statement(connection, "INSERT INTO orders VALUES (?)").Bind(1, id).Run();
    if (!inserted.ok() || !commits) return inserted;
    absl::Status committed = (*tx)->Commit();
    if (committed.ok()) outbox.Committed();
    return committed;
  }

  const std::string path_ = ::testing::TempDir() + "banyan-" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name() + "-" +
                            std::to_string(NewThreadedRuntime({.threads = 0})->Random()) + ".db";
};

TEST_F(OutboxSqliteTest, ACommitPublishesAndARollbackDoesNot) {
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  sqlite::OutboxTable table(Open());
  Outbox outbox = Outbox::Create(broker, table).value();
  outbox.Start();
  sqlite::Connection connection = Open();
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-1"), IsOk());
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-2", /*commits=*/false), IsOk());
  EXPECT_FALSE(PlaceOrder(connection, outbox, queue, "o-1").ok()) << "there already";
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-\u00e4\"'3"), IsOk());
  runtime.Advance(absl::Minutes(1));
  EXPECT_THAT(PeekBodies(queue), ElementsAre("o-1", "o-\u00e4\"'3"));
  EXPECT_EQ(Count("SELECT count(*) FROM orders"), 2);
  EXPECT_EQ(Count("SELECT count(*) FROM banyan_outbox"), 0);
}

TEST_F(OutboxSqliteTest, WhatACrashLeftBehindIsPublishedAfterTheRestartAndIdsAreNotUsedAgain) {
  sqlite::Connection connection = Open();
  {
    testing::SimulatedRuntime runtime({.seed = 1});
    Broker broker = Broker::Create(runtime, {}).value();
    const Queue queue = broker.CreateQueue("q").value();
    sqlite::OutboxTable table(Open());
    Outbox outbox = Outbox::Create(broker, table).value();
    outbox.Start();
    ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-1"), IsOk());
    runtime.RunUntilIdle();
    ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-2"), IsOk());
  }  // before the relay had its turn
  EXPECT_EQ(Count("SELECT sequence FROM banyan_outbox"), 2);
  testing::SimulatedRuntime runtime({.seed = 2});
  Broker broker = Broker::Create(runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  sqlite::OutboxTable table(Open());
  Outbox outbox = Outbox::Create(broker, table).value();
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-3"), IsOk());
  outbox.Start();
  runtime.RunUntilIdle();
  EXPECT_THAT(PeekBodies(queue), ElementsAre("o-2", "o-3"));
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-4"), IsOk());
  EXPECT_EQ(Count("SELECT sequence FROM banyan_outbox"), 4);
}

TEST_F(OutboxSqliteTest, AParkedRowStaysWithItsErrorAndOthersGoOn) {
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  const Queue gone = broker.CreateQueue("gone").value();
  sqlite::OutboxTable table(Open());
  Outbox outbox = Outbox::Create(broker, table).value();
  sqlite::Connection connection = Open();
  ASSERT_THAT(PlaceOrder(connection, outbox, gone, "o-1"), IsOk());
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-2"), IsOk());
  ASSERT_THAT(broker.DeleteQueue("gone"), IsOk());
  outbox.Start();
  runtime.Advance(absl::Minutes(1));
  EXPECT_THAT(PeekBodies(queue), ElementsAre("o-2"));
  EXPECT_EQ(outbox.Stats().parked, 1);
  sqlite::Statement parked(connection, "SELECT error FROM banyan_outbox WHERE error IS NOT NULL");
  ASSERT_TRUE(parked.Step().value());
  EXPECT_THAT(parked.Text(0), HasSubstr("does not exist"));
}

TEST_F(OutboxSqliteTest, ATableThatIsNotThereIsSaidAndReadWhenItIs) {
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  sqlite::OutboxTable table(Open());
  Outbox outbox = Outbox::Create(broker, table).value();
  sqlite::Connection connection = Open();
  ASSERT_THAT(connection.Run("ALTER TABLE banyan_outbox RENAME TO away"), IsOk());
  outbox.Start();
  runtime.Advance(absl::Seconds(3));
  EXPECT_EQ(outbox.Stats().table_failures, 4);
  EXPECT_THAT(PlaceOrder(connection, outbox, queue, "o-1").ToString(), HasSubstr("banyan_outbox"));
  ASSERT_THAT(connection.Run("ALTER TABLE away RENAME TO banyan_outbox"), IsOk());
  ASSERT_THAT(PlaceOrder(connection, outbox, queue, "o-1"), IsOk());
  runtime.RunUntilIdle();
  EXPECT_THAT(PeekBodies(queue), ElementsAre("o-1"));
}

TEST_F(OutboxSqliteTest, ConcurrentTransactionsArriveOnceAndInOrder) {
#if defined(BANYAN_SANITIZER)
  constexpr int kTransactions = 10;
#else
  constexpr int kTransactions = 50;
#endif
  constexpr int kWriters = 4;
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  sqlite::OutboxTable table(Open());
  Outbox outbox = Outbox::Create(broker, table, {.batch_size = 7}).value();
  outbox.Start();
  std::atomic<int64_t> committed{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      sqlite::Connection connection = Open();
      for (int i = 0; i < kTransactions; ++i) {
        const bool commits = i % 5 != 0;
        const std::string id = std::to_string(writer) + ' ' + std::to_string(i);
        ASSERT_THAT(PlaceOrder(connection, outbox, queue, id, commits), IsOk());
        committed += commits ? 1 : 0;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  while (outbox.Stats().published < committed) std::this_thread::yield();
  outbox.Stop();

  EXPECT_EQ(Count("SELECT count(*) FROM orders"), committed);
  EXPECT_EQ(Count("SELECT count(*) FROM banyan_outbox"), 0);
  const std::vector<std::string> bodies = PeekBodies(queue);
  EXPECT_EQ(static_cast<int64_t>(bodies.size()), committed);
  std::map<char, int> latest;
  for (const std::string& body : bodies) {
    const int number = std::stoi(body.substr(2));
    EXPECT_NE(number % 5, 0) << "was rolled back";
    EXPECT_LT(latest[body[0]], number) << "of writer " << body[0];
    latest[body[0]] = number;
  }
}

}  // namespace
}  // namespace banyan
