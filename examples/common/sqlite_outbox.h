// SPDX-License-Identifier: Apache-2.0
//
// What an outbox has to know of SQLite: how a row is written in a transaction, and how the relay reads,
// deletes and parks rows. For another database, the SQL in here is what changes.
//
// One connection per thread that writes, and one of its own for the table: a transaction belongs to
// its connection.
#ifndef BANYAN_EXAMPLES_COMMON_SQLITE_OUTBOX_H_
#define BANYAN_EXAMPLES_COMMON_SQLITE_OUTBOX_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/outbox.h"

namespace sqlite {

// AUTOINCREMENT: a sequence is never given twice, not even when its row is gone.
inline constexpr char kOutboxSchema[] =
    "CREATE TABLE IF NOT EXISTS banyan_outbox ("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL, error TEXT)";

class Connection {
 public:
  static absl::StatusOr<Connection> Open(const std::string& path) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open(path.c_str(), &handle);
    Connection connection(handle);
    if (code != SQLITE_OK) return connection.Error();
    sqlite3_busy_timeout(handle, 5'000);  // ms that a writer waits for another one
    return connection;
  }

  absl::Status Run(const char* sql) {
    return sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus()
                                                                               : Error();
  }

  absl::Status Error() const { return absl::UnavailableError(sqlite3_errmsg(handle())); }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  explicit Connection(sqlite3* handle) : handle_(handle) {}

  std::unique_ptr<sqlite3, Closer> handle_;
};

class Statement {
 public:
  Statement(Connection& connection, const char* sql) : connection_(connection) {
    sqlite3_prepare_v2(connection.handle(), sql, -1, &statement_,
                       nullptr);  // fails: so do the rest
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(int at, int64_t value) {
    sqlite3_bind_int64(statement_, at, value);
    return *this;
  }
  Statement& Bind(int at, std::string_view text) {
    sqlite3_bind_text64(statement_, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
  }

  // True: there is a row.
  absl::StatusOr<bool> Step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return connection_.Error();
  }
  absl::Status Run() { return Step().status(); }
  void Reset() { sqlite3_reset(statement_); }

  int64_t Integer(int column) { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) {
    const unsigned char* text = sqlite3_column_text(statement_, column);
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
    return text == nullptr ? "" : std::string(reinterpret_cast<const char*>(text), size);
  }

 private:
  Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

// Rolls back, unless it was committed.
class Transaction : public banyan::OutboxTransaction {
 public:
  static absl::StatusOr<std::unique_ptr<Transaction>> Begin(Connection& connection) {
    absl::Status begun = connection.Run("BEGIN IMMEDIATE");
    if (!begun.ok()) return begun;
    return std::unique_ptr<Transaction>(new Transaction(connection));
  }
  ~Transaction() override {
    if (open_) connection_.Run("ROLLBACK").IgnoreError();
  }

  absl::Status Insert(std::string_view row) override {
    return Statement(connection_, "INSERT INTO banyan_outbox (row) VALUES (?)").Bind(1, row).Run();
  }

  absl::Status Commit() {
    absl::Status committed = connection_.Run("COMMIT");
    if (committed.ok()) open_ = false;
    return committed;
  }

  Connection& connection() { return connection_; }

 private:
  explicit Transaction(Connection& connection) : connection_(connection) {}

  Connection& connection_;
  bool open_ = true;
};

class OutboxTable : public banyan::OutboxTable {
 public:
  explicit OutboxTable(Connection connection) : connection_(std::move(connection)) {}

  absl::StatusOr<std::vector<banyan::OutboxRow>> Read(int64_t after, int64_t max) override {
    Statement select(connection_,
                     "SELECT sequence, row FROM banyan_outbox WHERE sequence > ? AND error IS NULL "
                     "ORDER BY sequence LIMIT ?");
    select.Bind(1, after).Bind(2, max);
    std::vector<banyan::OutboxRow> rows;
    for (;;) {
      const absl::StatusOr<bool> there = select.Step();
      if (!there.ok()) return there.status();
      if (!*there) return rows;
      rows.push_back({select.Integer(0), select.Text(1)});
    }
  }

  absl::StatusOr<std::vector<int64_t>> Sequences(int64_t max) override {
    Statement select(connection_,
                     "SELECT sequence FROM banyan_outbox WHERE error IS NULL ORDER BY sequence "
                     "LIMIT ?");
    select.Bind(1, max);
    std::vector<int64_t> sequences;
    for (;;) {
      const absl::StatusOr<bool> there = select.Step();
      if (!there.ok()) return there.status();
      if (!*there) return sequences;
      sequences.push_back(select.Integer(0));
    }
  }

  absl::Status Delete(absl::Span<const int64_t> sequences) override {
    absl::StatusOr<std::unique_ptr<Transaction>> tx = Transaction::Begin(connection_);
    if (!tx.ok()) return tx.status();
    Statement remove(connection_, "DELETE FROM banyan_outbox WHERE sequence = ?");
    for (const int64_t sequence : sequences) {
      absl::Status removed = remove.Bind(1, sequence).Run();
      remove.Reset();
      if (!removed.ok()) return removed;
    }
    return (*tx)->Commit();
  }

  absl::Status Park(int64_t sequence, std::string_view error) override {
    return Statement(connection_, "UPDATE banyan_outbox SET error = ? WHERE sequence = ?")
        .Bind(1, error)
        .Bind(2, sequence)
        .Run();
  }

 private:
  Connection connection_;
};

}  // namespace sqlite

#endif  // BANYAN_EXAMPLES_COMMON_SQLITE_OUTBOX_H_
