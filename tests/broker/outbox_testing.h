// SPDX-License-Identifier: Apache-2.0
//
// A database of one table, for tests of the outbox: transactions that commit or do not, in any order,
// and faults on demand. It checks what the relay promises its table.
#ifndef BANYAN_TESTS_BROKER_OUTBOX_TESTING_H_
#define BANYAN_TESTS_BROKER_OUTBOX_TESTING_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/log.h"
#include "banyan/mutex.h"
#include "banyan/outbox.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "shared_testing.h"

namespace banyan {

class FakeDatabase : public OutboxTable {
 public:
  struct Row {
    std::string text;
    std::string error;  // set: parked
  };

  class Transaction : public OutboxTransaction {
   public:
    explicit Transaction(FakeDatabase& database) : database_(database) {}

    absl::Status Insert(std::string_view row) override {
      if (database_.TakeFault(&database_.insert_faults)) return absl::AbortedError("disk full");
      MutexLock lock(&database_.mu_);
      rows_.emplace_back(++database_.last_sequence_, row);
      return absl::OkStatus();
    }

    void Commit() {
      MutexLock lock(&database_.mu_);
      for (auto& [sequence, text] : rows_) database_.rows_[sequence] = {std::move(text), {}};
      rows_.clear();
    }

   private:
    FakeDatabase& database_;
    std::vector<std::pair<int64_t, std::string>> rows_;
  };

  // How many of the next calls fail.
  std::atomic<int> insert_faults{0};
  std::atomic<int> read_faults{0};
  std::atomic<int> sequences_faults{0};
  std::atomic<int> delete_faults{0};
  std::atomic<int> park_faults{0};
  std::function<void()> on_read;                // runs inside Read
  std::atomic<int64_t> left_out{0};             // what Sequences does not tell
  std::atomic<bool> must_not_be_called{false};  // by the relay

  absl::StatusOr<std::vector<OutboxRow>> Read(int64_t after, int64_t max) override {
    const Call call(this);
    if (on_read) on_read();
    if (TakeFault(&read_faults)) return absl::UnavailableError("no\nconnection");
    std::vector<OutboxRow> found;
    MutexLock lock(&mu_);
    for (auto at = rows_.upper_bound(after); at != rows_.end(); ++at) {
      if (static_cast<int64_t>(found.size()) == max) break;
      if (at->second.error.empty()) found.push_back({at->first, at->second.text});
    }
    return found;
  }

  absl::StatusOr<std::vector<int64_t>> Sequences(int64_t max) override {
    const Call call(this);
    if (TakeFault(&sequences_faults)) return absl::UnavailableError("no connection");
    std::vector<int64_t> found;
    MutexLock lock(&mu_);
    for (const auto& [sequence, row] : rows_) {
      if (static_cast<int64_t>(found.size()) == max) break;
      if (row.error.empty() && sequence != left_out) found.push_back(sequence);
    }
    return found;
  }

  absl::Status Delete(absl::Span<const int64_t> sequences) override {
    const Call call(this);
    EXPECT_FALSE(sequences.empty());
    if (TakeFault(&delete_faults)) return absl::UnavailableError("no connection");
    MutexLock lock(&mu_);
    for (const int64_t sequence : sequences) rows_.erase(sequence);
    return absl::OkStatus();
  }

  absl::Status Park(int64_t sequence, std::string_view error) override {
    const Call call(this);
    if (TakeFault(&park_faults)) return absl::UnavailableError("no connection");
    MutexLock lock(&mu_);
    rows_[sequence].error = error;
    return absl::OkStatus();
  }

  // What an operator does by hand.
  void Unpark() {
    MutexLock lock(&mu_);
    for (auto& [sequence, row] : rows_) row.error.clear();
  }
  int64_t Add(std::string_view text) {
    MutexLock lock(&mu_);
    rows_[++last_sequence_] = {std::string(text), {}};
    return last_sequence_;
  }

  std::map<int64_t, Row> rows() {
    MutexLock lock(&mu_);
    return rows_;
  }

 private:
  // The relay calls its table from one thread at a time (O1), and not at all once it has stopped.
  class Call {
   public:
    explicit Call(FakeDatabase* database) : database_(database) {
      EXPECT_EQ(database_->calls_.fetch_add(1), 0) << "two calls at once";
      EXPECT_FALSE(database_->must_not_be_called);
    }
    ~Call() { --database_->calls_; }

   private:
    FakeDatabase* const database_;
  };

  static bool TakeFault(std::atomic<int>* faults) {
    int left = *faults;
    while (left > 0 && !faults->compare_exchange_weak(left, left - 1)) {
    }
    return left > 0;
  }

  std::atomic<int> calls_{0};
  Mutex mu_;
  int64_t last_sequence_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int64_t, Row> rows_ ABSL_GUARDED_BY(mu_);
};

class ListeningLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    EXPECT_EQ(record.text.find('\n'), record.text.npos);
    MutexLock lock(&mu_);
    (record.severity == LogSeverity::kError ? errors_ : others_).emplace_back(record.text);
  }
  std::vector<std::string> errors() {
    MutexLock lock(&mu_);
    return errors_;
  }
  std::vector<std::string> others() {
    MutexLock lock(&mu_);
    return others_;
  }

 private:
  Mutex mu_;
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> others_ ABSL_GUARDED_BY(mu_);
};

inline constexpr absl::Duration kPoll = absl::Seconds(1);

class OutboxTest : public ::testing::Test {
 protected:
  using Transaction = FakeDatabase::Transaction;

  Outbox MakeOutbox(OutboxOptions options = {}) {
    return Outbox::Create(broker_, database_, std::move(options)).value();
  }

  // One transaction with a row for each body.
  void CommitSends(const Outbox& outbox, const Queue& queue,
                   const std::vector<std::string>& bodies) {
    Transaction tx(database_);
    for (const std::string& body : bodies) {
      ASSERT_THAT(outbox.SendIn(tx, queue, {.body = body}), testing::IsOk());
    }
    tx.Commit();
    outbox.Committed();
  }

  ListeningLog log_;
  FakeDatabase database_;
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {.log = &log_}).value();
  Queue jobs_ = broker_.CreateQueue("jobs").value();
  Queue others_ = broker_.CreateQueue("others").value();
  Topic orders_ = broker_.CreateTopic("orders").value();
};

}  // namespace banyan

#endif  // BANYAN_TESTS_BROKER_OUTBOX_TESTING_H_
