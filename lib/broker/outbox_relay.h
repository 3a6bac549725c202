// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/outbox_relay.h -- floor 6: what is behind banyan::Outbox. From rows in the host's
// database to its topics, buses and queues, found by their names; therefore on this floor. (The
// Outbox of lib/storage is another thing: a store of ours, for the bridge.)
//
//   PublishIn --check--> row --> Insert            caller's thread, caller's transaction
//
//   Committed, timer --> Wake --> [page] --> [page] --> ... --> end of round, timer
//                                   |
//     Sequences, then Read --> each row: parse, find, publish --> Delete those that were published
//                                   |              |
//                                   |              +-- for now not: the rest of its resource waits
//                                   +-- never: Park
//
// A page is a task on the Runtime, so that a long backlog lets other tasks have their turn.
//
// O1  One page at a time (busy_): the table is called by one thread at a time, and never under mu_.
// O2  A row is deleted only after it was published. If Delete fails, the row is in `published_`
//     until a Delete succeeds, and nothing else is read before that: in one life of a relay no row
//     is published twice, and what must be remembered is one page.
// O3  Rows of a resource go in the order of their sequences: when one is refused for now, those
//     behind it are passed over until the next round. A row that is parked is out of the way.
// O4  A round publishes the rows that were there when it began (round_rows_), from the lowest on; what
//     is committed meanwhile, below the pages read so far or above them, waits for the next. So a
//     round shows the table of one moment: rows of a transaction are in it all or none, and if one
//     that began later is in it, so is every one that had committed before.
// O5  A page holds a pass of the broker's `tasks`, so the Runtime is there; and ends when `gate` is
//     not open, so a stopping broker waits for one request at most.
// O6  When Stop() has returned, the table is not called any more: it waits for the page that runs.
//     On the thread of that very page (a subscriber, a tap, the table itself) it does not wait, and
//     the page lets go of everything when it is back here (abandoned_).
//
// Threads: every method from any thread.
#ifndef BANYAN_LIB_BROKER_OUTBOX_RELAY_H_
#define BANYAN_LIB_BROKER_OUTBOX_RELAY_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/outbox.h"
#include "banyan/runtime.h"
#include "base/this_thread.h"
#include "broker/broker_core.h"
#include "broker/outbox_row.h"

namespace banyan::inline v0_1::internal {

class OutboxRelay : public std::enable_shared_from_this<OutboxRelay> {
 public:
  static absl::StatusOr<std::shared_ptr<OutboxRelay>> Create(const Broker& broker,
                                                             OutboxTable& table,
                                                             OutboxOptions options);

  OutboxRelay(std::shared_ptr<BrokerCore> broker, OutboxTable& table, OutboxOptions options);

  absl::StatusOr<Id> PublishIn(OutboxTransaction& tx, const Topic& topic, PublishRequest request);
  absl::StatusOr<Id> PutIn(OutboxTransaction& tx, const EventBus& bus, EventEntry entry);
  absl::StatusOr<Id> SendIn(OutboxTransaction& tx, const Queue& queue, SendRequest request);

  void Start();
  void Wake();
  void Stop();
  OutboxStats Stats() const;
  bool forked() const { return env_->gate.Look() == Gate::Answer::kForked; }

 private:
  // Of one round; 8 bytes each.
  static constexpr int64_t kRoundRowsMax = 1'000'000;

  // Below every sequence.
  static constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();

  // The row of a resource that was refused for now, and since when.
  struct Refusal {
    int64_t sequence = 0;
    int64_t since_ns = 0;
  };

  // Writing.
  Id NextId();
  void Stamp(const Id& id, Attributes* attributes) const;
  absl::StatusOr<Id> Write(OutboxTransaction& tx, const OutboxLetter& letter);

  // When pages run.
  void PostPage();
  void OnTimer(uint64_t round);
  void RunPage();
  bool MayGoOn() const;
  bool IsAbandoned() const;

  // For the page that runs (O1). The bools say whether the round goes on.
  bool Page();
  std::optional<bool> IsOfRound(const OutboxRow& row);
  bool Relay(const OutboxRow& row);
  bool IsRefusedTooLong(const OutboxRow& row, const std::string& arn);
  bool DeletePublished();
  void Park(const OutboxRow& row, std::string_view arn, const absl::Status& error);
  absl::Status Publish(OutboxLetter letter) const;
  bool TableFailed(std::string_view verb, const absl::Status& error);
  void EndRound();

  const std::shared_ptr<BrokerCore> broker_;
  const std::shared_ptr<Environment> env_;
  OutboxTable& table_;
  const OutboxOptions options_;
  const std::stop_token never_wait_;  // for room in a queue

  // Touched by the page that runs and nobody else (O1).
  std::optional<std::vector<int64_t>> round_rows_;  // O4; none before the round's first page
  int64_t untold_ = kFirst;                  // a row that Read showed and Sequences had not told
  int64_t after_ = kFirst;                   // the highest sequence read in this round
  int64_t passed_over_ = 0;                  // rows, in this round
  std::set<std::string> held_back_;          // ARNs of the resources that refused in this round
  std::map<std::string, Refusal> refusals_;  // by ARN
  std::vector<int64_t> published_;           // O2
  bool page_failed_ = false;                 // the table did, in this page
  bool table_failure_told_ = false;          // to the log, since it last worked

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);
  bool busy_ ABSL_GUARDED_BY(mu_) = false;                  // a page runs or is posted
  bool again_ ABSL_GUARDED_BY(mu_) = false;                 // one more round after this one
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;             // O6
  ThreadToken page_thread_ ABSL_GUARDED_BY(mu_) = nullptr;  // while a page runs
  uint64_t round_ ABSL_GUARDED_BY(mu_) = 0;  // a timer is for the round after this one only
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  OutboxStats stats_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BROKER_OUTBOX_RELAY_H_
