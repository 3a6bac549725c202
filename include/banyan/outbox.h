// SPDX-License-Identifier: Apache-2.0
//
// Outbox: events that are published if, and only if, a transaction of your own database commits.
//
//   Outbox outbox = Outbox::Create(broker, table).value();
//   ...                                                    // wire everything
//   outbox.Start();
//
//   SqliteTransaction tx(db);                              // yours: an OutboxTransaction
//   InsertOrder(tx, order);
//   outbox.PublishIn(tx, orders, {.body = text}).value();  // an error here: roll back
//   tx.Commit();
//   outbox.Committed();                                    // now, and not at the next poll
//
// PublishIn writes the request as a row into a table of yours, within your transaction. A relay
// reads what was committed, publishes it and deletes the row. Roll back, and there never was a row.
// Banyan knows no SQL: you say in two small classes how rows are written, read, deleted and parked
// (examples/common/sqlite_outbox.h has them for SQLite). Typed events: PublishIn(tx, orders,
// typed.MakeRequest(order).value()).
//
// What is promised:
//   At least once  A row is deleted after it was published. If the process dies in between, the
//           next one publishes up to `batch_size` rows again; by `id_attribute` a receiver can tell.
//           While the broker lives, its FIFO topics and queues tell by themselves.
//   In order  Rows for one topic, queue or bus are published by rising sequence. Of transactions
//           that overlap, the one that commits first may come first.
//   Resource by resource  A row that is refused for now (its queue is full) is tried again in each
//           round, and the later ones for the same resource wait behind it, for at most
//           `refused_max`; those for others do not. A row that is refused for good (its resource was
//           deleted, its text is no row) is parked: marked with the error, counted, told to the log
//           sink, and passed over from then on. Take the mark off, and it is published after all.
//   Nothing beyond the broker  What was published is where Publish, Put or Send would have left it:
//           in the broker's memory.
//
// One Outbox per table at a time: two would publish rows twice, and in any order.
//
// Threads   Every method from any thread, PublishIn and the like also inside handlers. The relay is
//           a task on the broker's Runtime: it calls the table from one thread at a time, under no
//           lock, and occupies a thread of the Runtime while your database works.
// Lifetime  The table outlives the Outbox, or its Stop(). The Outbox may outlive its Broker and
//           Runtime: calls then answer kUnavailable.
// Stopping  When the broker stops, the relay stops; what it has not published stays in the table.
// Bounds    The relay holds at most `batch_size` rows, and the sequences of a million. Each round reads
//           all rows that wait, also those of a resource that refuses: a queue that is full for long
//           has its price here, and with a million rows before it holds back all the others.
// Clock     The Runtime's.
#ifndef BANYAN_OUTBOX_H_
#define BANYAN_OUTBOX_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/broker.h"
#include "banyan/event_bus.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/queue.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1 {

namespace internal {
class OutboxRelay;
}  // namespace internal

// A transaction of your database that is under way, as far as an Outbox needs one.
class BANYAN_EXPORT OutboxTransaction {
 public:
  virtual ~OutboxTransaction() = default;

  // Adds a row to the outbox table, within this transaction. `row` is UTF-8 without NUL, a few
  // hundred bytes longer than the request's texts (FORMAT below). The table gives it a sequence that
  // is higher than those of all rows that were committed before, and that it never gives again, not
  // even when the row is deleted (SQLite: INTEGER PRIMARY KEY AUTOINCREMENT; PostgreSQL: a
  // GENERATED ALWAYS AS IDENTITY column).
  //
  //   CREATE TABLE banyan_outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  //                               row TEXT NOT NULL, error TEXT);
  //   INSERT INTO banyan_outbox (row) VALUES (?)
  //
  // Called on the thread that called PublishIn, with whose answer an error goes back. It may throw:
  // PublishIn then does, too.
  virtual absl::Status Insert(std::string_view row) = 0;
};

struct OutboxRow {
  int64_t sequence = 0;
  std::string text;
};

// The same table as the relay sees it, on a connection that is nobody else's. Not called before
// Start(). An error, or a throw, ends the round; the next one begins where that one was.
class BANYAN_EXPORT OutboxTable {
 public:
  virtual ~OutboxTable() = default;

  // Rows that are committed and not parked, by rising sequence, beginning with the first above
  // `after`; at most `max`. Fewer than `max`: there are no more.
  //
  //   SELECT sequence, row FROM banyan_outbox WHERE sequence > ? AND error IS NULL
  //   ORDER BY sequence LIMIT ?
  virtual absl::StatusOr<std::vector<OutboxRow>> Read(int64_t after, int64_t max) = 0;

  // The sequences of the rows that Read() would give, rising from the lowest; at most `max`. Asked at
  // the beginning of each round, which leaves to the next whatever is committed later: so rows of
  // one transaction are never parted by rows that Read() shows a moment later.
  //
  //   SELECT sequence FROM banyan_outbox WHERE error IS NULL ORDER BY sequence LIMIT ?
  virtual absl::StatusOr<std::vector<int64_t>> Sequences(int64_t max) = 0;

  // For good, and durably, when it answers OK. One that is not there any more is no error.
  //
  //   DELETE FROM banyan_outbox WHERE sequence = ?         -- all of them in one transaction
  virtual absl::Status Delete(absl::Span<const int64_t> sequences) = 0;

  // Marks a row, so that Read() passes over it, and keeps the reason.
  //
  //   UPDATE banyan_outbox SET error = ? WHERE sequence = ?
  //
  // `UPDATE ... SET error = NULL` by hand has it published after all.
  virtual absl::Status Park(int64_t sequence, std::string_view error) = 0;
};

struct OutboxOptions {
  // How often the relay looks by itself, for commits that nobody announced. 1 ms to 1 day.
  absl::Duration poll_interval = absl::Seconds(1);

  // Rows that are read, published and deleted together. 1 to 10,000.
  int64_t batch_size = 100;

  // How long a row may be refused for a while (kResourceExhausted and the like) before it is parked.
  // Counted from its first refusal in this process. 0s: at the first. Infinite: never.
  absl::Duration refused_max = absl::Hours(1);

  // Messages of topics and queues carry their row's id in a String attribute of this name, by which
  // a receiver can tell that it had a message before. It counts like any attribute. Empty: none. (An
  // event on a bus has no attributes: put an id of your own into its detail.)
  std::string id_attribute = {};
};

struct OutboxStats {
  int64_t written = 0;         // rows that Insert took; committed or not
  int64_t published = 0;       // rows
  int64_t parked = 0;          // rows
  int64_t refusals = 0;        // attempts that were refused for a while
  int64_t waiting = 0;         // rows that the latest round left because their resource refuses
  int64_t table_failures = 0;  // errors of the table
  bool started = false;
  bool stopped = false;
};

class BANYAN_EXPORT Outbox {
 public:
  // Publishes nothing before Start().
  //
  // Errors  kInvalidArgument: an option out of range. kUnavailable: the broker was moved from.
  static absl::StatusOr<Outbox> Create(const Broker& broker, OutboxTable& table,
                                       OutboxOptions options = {});

  Outbox(Outbox&&) noexcept;
  Outbox& operator=(Outbox&&) noexcept;
  ~Outbox();  // Stop()

  // Begins to publish: first what an earlier process left behind. So call it when topics, buses and
  // queues, their subscriptions and rules are there: a row whose resource is not there is parked,
  // and what nobody has subscribed to yet is heard by nobody.
  void Start();

  // Each writes a row for what Publish, Put and Send would do, and answers the row's id, which is
  // the same whenever the row is published.
  //
  // The request is looked at now: what the verb would refuse is refused, and no row is written. Some
  // things are filled in now, so that they are the same whenever the row is published:
  //   FIFO topics and queues  without a deduplication id and without deduplication by content, a
  //                           request gets the row's id as its deduplication id
  //   Buses                   an event without a time gets the present one
  // SendRequest::stop goes for nothing: the relay never waits for room.
  //
  // Errors  as the verb, which may be another when the row is published: a queue can become full, a
  //         topic be deleted. What Insert answers. kInvalidArgument: a resource of another broker.
  //         kUnavailable: the broker is stopping.
  absl::StatusOr<Id> PublishIn(OutboxTransaction& tx, const Topic& topic,
                               PublishRequest request) const;
  absl::StatusOr<Id> PutIn(OutboxTransaction& tx, const EventBus& bus, EventEntry entry) const;
  absl::StatusOr<Id> SendIn(OutboxTransaction& tx, const Queue& queue, SendRequest request) const;

  // Tells the relay that there may be new rows. Costs next to nothing, whoever calls it how often:
  // there is one round at a time, and one more after it.
  void Committed() const;

  // Publishes no more. When it returns, the table is not used any more; called by somebody whom the
  // relay itself has called, when that one returns. Rows may still be written, for a later Outbox.
  void Stop();

  OutboxStats Stats() const;

 private:
  explicit Outbox(std::shared_ptr<internal::OutboxRelay> relay);
  std::shared_ptr<internal::OutboxRelay> relay_;
};

// FORMAT of a row: one JSON object, version 1.
//
//   {"banyan_outbox":1,"kind":"queue","id":"5fea7756-0ea4-451a-a703-a558b933e274",
//    "arn":"arn:aws:sqs:us-east-1:000000000000:jobs.fifo","body":"resize 17",
//    "attributes":{"tenant":{"type":"String","value":"acme"}},
//    "group":"g","deduplication":"d","trace":"Root=1-..."}
//
//   kind            "topic", "queue" or "bus"
//   body, attributes, group, deduplication, trace   of topics and queues
//   subject, json_structure (true)                  of topics
//   delay_ns        of queues: nanoseconds
//   source, detail_type, detail, time, trace, resources (texts in an array)   of buses; time as
//                   2026-01-31T23:59:59.5+00:00
//
// What is empty is left out. A text that is not UTF-8 is written as {"base64":"..."}. A row is read
// strictly: what has another version, an unknown or doubled member, or lacks one, is parked.

}  // namespace banyan::inline v0_1

#endif  // BANYAN_OUTBOX_H_
