// SPDX-License-Identifier: Apache-2.0
//
// The second answerer: queues as the sheet describes them, in the simplest way there is. All
// messages of all queues stand in one vector, in the order in which they were accepted, and every
// question is answered by walking it from end to end. Written from the sheet and the public
// headers; it shares no code with lib/queue.
//
// M1  The model's time is brought forward event by event (BringUpTo), so that what happened on the
//     way happened in its order and at its own instant.
// M2  A message is never taken out of the vector; one that rests nowhere has queue kNowhere. So an
//     index names a message for ever. A redrive makes a new message of an old one.
// M3  A standard queue promises no order: Receivable() answers a set. In a FIFO queue it answers
//     the very list.
// M4  What only the real queue can know (ids; sequence numbers; which of two equals came first) the
//     driver tells the model once it has seen it. The model then holds the queue to it.
// M5  Where the sheet and the headers leave something open, the model says so (Codes of several
//     entries, the methods called ...IsOpen), and the driver does not go there or does not look.
#ifndef BANYAN_TESTS_QUEUE_QUEUE_MODEL_H_
#define BANYAN_TESTS_QUEUE_QUEUE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "banyan/queue.h"

namespace banyan::internal {

inline constexpr size_t kNowhere = SIZE_MAX;

// What a call may answer: AWS's codes, or "OK". Several where the sheet leaves it open.
using Codes = std::vector<std::string>;

struct ModelMessage {
  int64_t label = 0;  // the driver wrote it into the message; names it over moves and redrives
  size_t queue = kNowhere;
  int64_t arrived = 0;  // in that queue; rises over all arrivals everywhere
  std::string body;
  std::string group;
  int64_t bytes = 0;

  std::optional<Id> id;                         // unknown after a redrive, until seen
  std::optional<uint64_t> sequence;             // where it is now; unknown after a move, until seen
  std::optional<std::string> deduplication_id;  // FIFO; unknown after a redrive
  SendResult answered;                          // to the one who sent it

  absl::Duration sent;          // the stamp
  absl::Duration enqueued;      // retention counts from here
  absl::Duration hidden_until;  // see Model::HiddenUntil
  std::optional<absl::Duration> first_received;
  absl::Duration received;     // the latest time
  int64_t receive_count = 0;   // over all queues
  int64_t attempts = 0;        // in the queue where it is now
  size_t handle = kNowhere;    // the latest, in Model::handles
  int64_t changes = 0;         // of its visibility, by hand
  bool replayed = false;       // by a receive-request attempt id
  bool moved_by_hand = false;  // MoveToDeadLetterQueue
  bool sent_back = false;      // by a redrive

  std::optional<size_t> source;  // the queue it was moved from
  // Of MoveToDeadLetterQueue. Unset once a redrive policy has moved it on: whether the reason of an
  // earlier move goes with it is not said.
  std::optional<std::string> reason = "";
};

// What one receive gave out for one message.
struct ModelHandle {
  size_t message;
  size_t queue;
  absl::Duration received;
};

// A receive that was given a name.
struct ModelAttempt {
  size_t queue;
  std::string id;
  absl::Duration first;
  absl::Duration last;  // replay
  std::vector<size_t> handles;
  std::vector<int64_t> changes;  // of each message, at that time
};

// An accepted send, for as long as the window runs.
struct ModelDeduplication {
  size_t queue;
  std::string group;
  std::string id;
  absl::Duration accepted;
  size_t message;
};

struct ModelQueue {
  Arn arn;
  QueueOptions options;
  DeduplicationScope scope;  // at creation
  QueueStats books;          // without depth and bytes, see Model::Stats
  int64_t open_stale_deletes = 0;
  std::optional<absl::Duration> purged;
};

struct ModelSent {
  std::string code;
  size_t message = kNowhere;  // the one stored, or the one it is a duplicate of
  bool duplicate = false;
};

class Model {
 public:
  // --- time ---
  absl::Duration now() const { return now_; }
  void BringUpTo(absl::Duration now);
  // All that is going to happen by itself, later than now.
  std::vector<absl::Duration> Deadlines() const;

  // --- queues ---
  size_t AddQueue(const Arn& arn, const QueueOptions& options);
  void SetOptions(size_t queue, const QueueOptions& options);
  std::string Purge(size_t queue);
  QueueStats Stats(size_t queue) const;

  // --- messages in ---
  ModelSent Send(size_t queue, const SendRequest& request, int64_t label);
  // "OK", or what the whole batch is refused with.
  std::string BatchFault(size_t queue, const std::vector<SendRequest>& requests) const;

  // --- messages out ---
  // Standard: all that are visible, in no order. FIFO: what receives are to give, in that order.
  std::vector<size_t> Receivable(size_t queue) const;
  // How many more may be in flight.
  int64_t Room(size_t queue) const;
  // When the first message can be received, `deadline` included.
  std::optional<absl::Duration> WhenReceivable(size_t queue, absl::Duration deadline) const;
  // Counts an attempt and hides the message; answers the handle. Call BringUpTo(now()) after the
  // last one of a receive.
  size_t Receive(size_t message, absl::Duration visibility);

  void NameReceive(size_t queue, const std::string& id, std::vector<size_t> given);
  // The named receive that a second one with this name repeats; null if it is a receive like any.
  ModelAttempt* FindReplay(size_t queue, const std::string& id);
  // Whether five minutes count from the first receive or from its latest replay is not said.
  bool ReplayIsOpen(size_t queue, const std::string& id) const;
  void Replay(ModelAttempt& attempt, absl::Duration visibility);

  // --- settling ---
  Codes Delete(size_t handle);
  // What a Delete does to a message that its receiver has sent to the dead-letter queue is not
  // said.
  bool DeleteIsOpen(size_t handle) const;
  Codes ChangeVisibility(size_t handle, absl::Duration from_now);
  // From which receive the twelve hours count for an older or replayed handle is not said.
  bool ChangeIsOpen(size_t handle, absl::Duration from_now) const;
  bool MoveToDeadLetterQueue(size_t handle, const std::string& reason);
  // Whether an attempt is over that can still be settled, but whose timeout has ended, is not said.
  bool MoveIsOpen(size_t handle) const;

  // What a redrive of this queue may send back, in order of arrival.
  std::vector<size_t> Redrivable(size_t queue) const;
  // Makes a new message of it in the queue where it came from.
  void SendBack(size_t message);
  // Whether a delay holds for what was sent back is not said. So there is none then, nor does it
  // change in a FIFO queue before all of it was received.
  bool DelayIsOpen(size_t queue) const;

  // --- looking ---
  absl::Duration HiddenUntil(const ModelMessage& m) const;
  bool IsVisible(const ModelMessage& m) const { return HiddenUntil(m) <= now_; }
  bool IsInFlight(const ModelMessage& m) const { return m.attempts > 0 && !IsVisible(m); }
  bool IsFifo(size_t queue) const { return queues[queue].options.fifo; }
  std::string Describe() const;  // one line for each message, for people
  // The message that bears this label now; null if none rests anywhere.
  ModelMessage* Find(int64_t label);

  std::vector<ModelQueue> queues;
  std::vector<ModelMessage> messages;
  std::vector<ModelHandle> handles;

 private:
  absl::Duration Expires(const ModelMessage& m) const;
  absl::Duration Moves(const ModelMessage& m) const;  // infinite: never
  size_t DeadLetterQueueOf(size_t queue) const;       // or kNowhere
  void Move(ModelMessage& m);
  bool MakeRoom(size_t queue, int64_t bytes);
  bool AttemptHolds(const ModelAttempt& attempt) const;

  absl::Duration now_;
  int64_t arrivals_ = 0;
  std::vector<ModelDeduplication> deduplications_;
  std::vector<ModelAttempt> attempts_;
};

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_QUEUE_QUEUE_MODEL_H_
