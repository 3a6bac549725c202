// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/core.h -- floor 3, the queue room: one queue, standard or FIFO.
//
//   senders            | receivers
//                      |
//   Send --> intake ---+--Drain--> delayed --delay ends--+
//        (intake.h)    |    |                            v
//                      |    +------------------------> visible --Receive--> in flight --Delete--> gone
//                      |                                 ^                     |
//                      |                                 +--visibility ends----+---last attempt used
//                      |                                                           up---> another queue
//   any state, older than the retention --> gone                                          (move.cc)
//
// Q1  A message is in the intake, or in exactly one of: what is visible (lists of a standard queue,
//     tenants' lists of a fair one, groups of a FIFO one), the deadlines (delayed or in flight), or
//     on its way to another queue (kLeaving).
// Q2  The books balance whenever mu_ is free and the intake is drained:
//     accepted + moved_in = deleted + purged + expired + dropped + moved_out + depth.
// Q3  What time does to a queue is done by whoever looks next: every operation reads the clock
//     once and first brings the queue up to that reading, event by event in the order of time. So
//     the answers are those of a queue that acts at each instant by itself.
// Q4  A Runtime timer stands for the next deadline only while somebody would notice: a redrive
//     policy is set (dead letters move by themselves), or someone waits. An idle queue has none;
//     one that was set may fire once more and find nothing.
// Q5  One message that may be received wakes one waiter. Who is woken and does not take it passes
//     the wake on. Blocked receivers and watchers (WaitAsync) take turns.
// Q6  No two queues' locks are ever held together, and under mu_ no user code runs, no message is
//     freed, and nothing is called but the intake's lock, the broker's gate and sleepers, the
//     Runtime's Post, PostAt, Cancel and Random, the Journal and the Storyteller.
//
// Why two locks and no lock-free list: with deadlines, counts and receipts to keep, lock-free costs
// more than it gives; with a lock for each side, a sender and a receiver on two threads do not
// meet. What that costs one thread that does both is one more lock for each receive.
//
// The code: core.cc (life, time, changes of state), settings.cc, send.cc, receive.cc,
// settle.cc, wait.cc, move.cc, redrive.cc, move_tasks.cc, explain.cc, metrics.cc, story.cc,
// check.cc.
//
// Threads   Any, all methods. Lifetime  Outlives its broker with any handle; Close() ended it.
#ifndef BANYAN_LIB_QUEUE_CORE_H_
#define BANYAN_LIB_QUEUE_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "banyan/queue.h"
#include "base/nanoseconds.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/journal.h"
#include "message/sink.h"
#include "queue/deadlines.h"
#include "queue/fair_tenants.h"
#include "queue/fifo_groups.h"
#include "queue/intake.h"
#include "queue/receipt.h"
#include "queue/receive_attempts.h"
#include "queue/received_state.h"
#include "queue/slots.h"
#include "queue/validate.h"

namespace banyan::inline v0_1::internal {

// Finds a queue of the same broker; null if there is none, or no broker any more. Called under no
// lock of a queue but settings_mu_.
using QueueResolver = std::function<std::shared_ptr<QueueCore>(const Arn&)>;

// The AWS sheet: after this many receives a message goes to the back of a standard queue, and is
// not the oldest any more.
inline constexpr uint32_t kReceivesBeforeBack = 3;

class QueueCore final : public Sink, public std::enable_shared_from_this<QueueCore> {
 public:
  // `name` and `options` have passed their validation. `resolve` finds dead-letter queues and the
  // queues to redrive to; without one only SetDeadLetter and live origins do.
  static std::shared_ptr<QueueCore> Create(std::shared_ptr<Environment> env, std::string name,
                                           const QueueOptions& options,
                                           QueueResolver resolve = nullptr);
  ~QueueCore() override;

  // The verbs of banyan/queue.h. Each passes the broker's gate.
  absl::StatusOr<SendResult> Send(SendRequest request);
  absl::StatusOr<std::vector<absl::StatusOr<SendResult>>> SendBatch(
      std::vector<SendRequest> requests);
  absl::StatusOr<std::vector<Received>> Receive(const ReceiveOptions& options);
  absl::Status Delete(std::string_view receipt_handle);
  absl::Status ChangeVisibility(std::string_view receipt_handle, absl::Duration from_now);
  absl::StatusOr<std::vector<absl::Status>> DeleteBatch(absl::Span<const Received> received);
  absl::StatusOr<std::vector<absl::Status>> DeleteBatch(absl::Span<const std::string> handles);
  absl::StatusOr<std::vector<absl::Status>> ChangeVisibilityBatch(
      absl::Span<const VisibilityChange> changes);
  absl::StatusOr<std::vector<Received>> Peek(int64_t max_messages);
  absl::StatusOr<int64_t> Redrive(int64_t max_messages);
  absl::StatusOr<std::string> StartMessageMoveTask(MessageMoveTaskOptions options);
  absl::StatusOr<std::vector<MessageMoveTask>> ListMessageMoveTasks(int64_t max_results);
  absl::StatusOr<int64_t> CancelMessageMoveTask(std::string_view task_handle);
  absl::StatusOr<std::string> Explain();
  absl::StatusOr<std::string> Explain(Id message_id);
  absl::StatusOr<QueueMetrics> Metrics();
  absl::Status Purge();
  QueueStats Stats();
  absl::StatusOr<QueueOptions> Options();
  absl::Status SetOptions(const QueueOptions& options);
  absl::StatusOr<std::map<std::string, std::string>> GetAttributes(
      absl::Span<const std::string> names);
  absl::Status SetAttributes(const std::map<std::string, std::string>& attributes);
  absl::Status AddPermission(std::string_view label, absl::Span<const std::string> accounts,
                             absl::Span<const std::string> actions);
  absl::Status RemovePermission(std::string_view label);
  absl::StatusOr<std::map<std::string, std::string>> Tags();
  absl::Status SetTags(const std::map<std::string, std::string>& tags);
  absl::Status RemoveTags(absl::Span<const std::string> keys);
  void Trim();

  // What Send would refuse whatever rests here. For who sends later.
  absl::Status Check(const SendRequest& request);

  // The same for who holds a Received.
  absl::Status Delete(const ReceivedState& received);
  absl::Status ChangeVisibility(const Receipt& receipt, absl::Duration from_now);
  // `late`: the attempt's visibility timeout had ended.
  absl::Status MoveToDeadLetterQueue(const Receipt& receipt, std::string_view reason, bool* late);
  bool Overrun(const ReceivedState& received);

  // What a message of this FIFO queue is known by.
  std::string DeduplicationId(const ReceivedState& received) const;

  // For the history of a message that goes to a dead-letter queue: what its receiver said of this
  // attempt. No effect on an attempt that is over.
  void NoteFailure(const Received& received, std::string_view error);

  // The door for topics, buses and other queues' deliveries; see Sink. Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  Prospect Foresee(const Delivery& delivery) override;
  const std::string& arn_text() const override { return origin_->arn; }

  // Posts `wake` on the Runtime, once: when a receive may find something (at once if it may now),
  // or when the queue closes. Whoever is woken and does not receive calls PassOn(). Never 0.
  uint64_t WaitAsync(Task wake);
  // True: `wake` will not be posted. False: it was.
  bool CancelWait(uint64_t id);
  void PassOn();

  // Where dead letters go, while options().redrive is set. Found by ARN if never set or gone.
  void SetDeadLetter(const std::shared_ptr<QueueCore>& dead_letter);

  // The queue that a policy of this queue may name; an error if it does not exist or is `this`.
  absl::StatusOr<std::shared_ptr<QueueCore>> ResolveDeadLetter(const RedrivePolicy& policy) const;

  // Ends the queue: wakes everybody, frees every message, answers what was left. The second call
  // changes nothing. The Runtime must still be there.
  QueueDepth Close(CloseKind why);
  bool closed() const;

  // After env()->sleepers.SendHome(): ends every wait, blocking (kUnavailable) or not (woken). All
  // else goes on, so that handlers can settle what they have.
  void EndWaits();

  const std::shared_ptr<Environment>& env() const { return env_; }
  const Arn& arn() const { return arn_; }
  const std::string& name() const { return name_; }
  bool fifo() const { return fifo_; }

  // Walks everything and aborts unless Q1, Q2 and the invariants of the structures hold. For tests.
  void CheckInvariants();
  // Slots held, in use or not; for tests of what an idle queue costs.
  size_t slots_held() const;
  bool timer_pending() const;

 private:
  // A message between two queues: what the next one needs to know. See move.cc.
  struct Departure {
    SlotIndex slot = kNoSlot;  // in the queue it leaves, kLeaving
    uint64_t number = 0;
    uint32_t attempt = 0;                   // the last one there
    std::shared_ptr<QueueCore> redrive_to;  // null: to the dead-letter queue
    Contents contents;                      // as the next queue will hold them
    Id id;
    int64_t enqueued_ns = 0;
    int64_t sent_unix_ns = 0;
    int64_t first_received_unix_ns = 0;
    uint32_t receive_count = 0;
  };

  // What an operation leaves to be done once mu_ is free.
  struct Aftermath {
    bool departed = false;  // somebody has; see HandOver()
    absl::InlinedVector<Contents, 10> dropped;
  };

  // The frame of every operation. Declared before the lock is taken, so it ends after the lock is
  // released and then does what the lock must not see.
  class Operation;

  // What was taken for one receive; made under the lock, given out after.
  struct BlockDeleter {
    void operator()(ReceivedBlock* block) const;
  };
  using BlockPtr = std::unique_ptr<ReceivedBlock, BlockDeleter>;

  QueueCore(std::shared_ptr<Environment> env, std::string name, const QueueOptions& options,
            QueueResolver resolve);

  absl::Status ClosedStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status IntakeClosedStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(intake_.mu);
  absl::Status OverLimitStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status FullStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status NoMoreIdsStatus() const;
  absl::Status StaleReceipt(const Receipt& receipt) const;
  absl::Status ExpiredReceipt(const Receipt& receipt) const;
  absl::StatusOr<Receipt> ParseReceipt(std::string_view text) const;

  // Options; settings.cc.
  void TakeSettings(const QueueOptions& options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ChangeOptions(const QueueOptions& options, Operation* operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  absl::Status Edit(absl::FunctionRef<absl::StatusOr<QueueOptions>(const QueueOptions&)> edit);
  void Redelay(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Q3. Also keeps `now` from going back between two threads that read the clock out of order.
  // What lies in the intake is brought in first, always or, with kIfTimeTurns, only where a message
  // turned visible meanwhile and has to find its place among them.
  enum class Drains { kAlways, kIfTimeTurns };
  void BringUpTo(Instant* now, Aftermath* after, Drains drains = Drains::kAlways)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PassTime(int64_t until_ns, const Instant& now, Aftermath* after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Expire(const Instant& now, Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Brings in what the intake holds, and admits `more` for whom it answers the first of as many
  // numbers.
  uint64_t Drain(Instant* now, Aftermath* after, const Amount& more = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BringInAll(Instant* now, Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  SlotIndex BringIn(IntakeEntry* entry, const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Changes of state. Those that begin with "Leave" take a message out of one of the structures.
  SlotIndex AddSlot(MessageRef message, std::shared_ptr<const Presentation>* presentation, Id id,
                    uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeVisible(SlotIndex index, int64_t since_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Line(SlotIndex index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unline(SlotIndex index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Hide(SlotIndex index, SlotState state, int64_t deadline_ns, bool is_usual)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Rehide(SlotIndex index, int64_t deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveState(SlotIndex index, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveBooks(SlotIndex index, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ChangeLeft(const Amount& by) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Contents FreeSlot(SlotIndex index, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drop(SlotIndex index, Change why, const Instant& now, Aftermath* after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `given_up`: the reason, if a receiver wants it moved to the dead-letter queue.
  void Depart(SlotIndex index, std::shared_ptr<QueueCore> redrive_to,
              std::optional<std::string_view> given_up, const Instant& now, Aftermath* after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddFailure(Slot* slot, std::string_view error, const Instant& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndAttempt(SlotIndex index, int64_t visible_since_ns, const Instant& now, Aftermath* after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Sending; send.cc.
  struct Incoming {
    MessageRef message;
    std::shared_ptr<const Presentation> presentation = nullptr;
    Id id;
    std::optional<int64_t> delay_ns = std::nullopt;  // nullopt: the queue's
    DedupKey dedup_key;                              // FIFO
    bool is_direct = false;                          // a Send, which may wait or displace others
    std::stop_token stop = {};
    size_t answer_to = 0;  // of a batch
  };
  absl::Status CheckSend(const SendRequest& request) const;
  absl::Status MakeSent(SendRequest* request, const Instant& now, Id id, Incoming* incoming,
                        std::optional<SendResult>* answer);
  DedupKey KeyOf(const SendRequest& request) const;
  DedupKey KeyOf(std::string_view group, std::string_view deduplication_id,
                 const Payload& body) const;
  absl::StatusOr<DedupKey> KeyOf(const Delivery& delivery) const;
  std::optional<SendResult> FindDuplicate(const DedupKey& key, const Instant& now);
  absl::Status ValidateDelivery(const Delivery& delivery) const;
  // `wait_end_ns`: of the call, for all that it sends; unset until somebody has to wait.
  absl::StatusOr<SendResult> AdmitOrMakeRoom(Incoming* incoming, Operation* operation,
                                             std::optional<int64_t>* wait_end_ns);
  absl::StatusOr<bool> Admit(Incoming* incoming, Operation* operation, SendResult* result);
  bool AdmitLocked(Incoming* incoming, const Instant& now, SendResult* result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(intake_.mu);
  bool MustBringIn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(intake_.mu);
  void BringInNow(Operation* operation);
  absl::StatusOr<SendResult> SendIntoFull(Incoming* incoming, Operation* operation,
                                          std::optional<int64_t>* wait_end_ns);
  bool HasRoom(const Amount& more) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool RemembersMore(const DedupKey& key, const Instant& now);
  bool DropOldest(Operation* operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Receiving; receive.cc.
  bool EnoughAtHand(int64_t max_messages) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  BlockPtr Take(int64_t max_messages, int64_t visibility_ns, bool is_usual, const Instant& now,
                Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeOne(SlotIndex index, int64_t deadline_ns, bool is_usual, const Instant& now,
               ReceivedBlock* taken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t ShortenForTest(int64_t available) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Chance(double probability);
  SlotIndex NextInLine(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  BlockPtr Replay(const std::string& attempt_id, int64_t visibility_ns, const Instant& now,
                  Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepAttempt(const std::string& attempt_id, ReceivedBlock* taken, const Instant& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CopyOut(SlotIndex index, uint32_t attempt, int64_t deadline_ns, ReceivedBlock* to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Received> MakeReceived(BlockPtr taken);

  // Settling; settle.cc.
  struct Settled {
    bool settled = false;
    bool late = false;
    bool gone = false;  // not here: perhaps a dead letter that nobody has received since
  };
  // One entry of a batch.
  struct ToSettle {
    absl::Status refusal;
    Receipt receipt;
    const ReceivedState* received = nullptr;  // null: by its handle
  };
  // `received`: who settles, if it was not by a handle.
  absl::Status Settle(const Receipt& receipt, const ReceivedState* received, Settled* settled);
  absl::StatusOr<std::vector<absl::Status>> SettleAll(absl::Span<ToSettle> entries);
  absl::Status SettleOne(const Receipt& receipt, const ReceivedState* received,
                         Operation* operation, Settled* settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Mark(const ReceivedState& received, const Settled& settled);
  absl::Status ChangeOne(const Receipt& receipt, absl::Duration from_now, Operation* operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DeleteElsewhere(absl::Span<const Receipt> receipts,
                       const std::vector<std::weak_ptr<QueueCore>>& places, const Instant& now);

  bool Exhausted(const Slot& slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoomInFlight() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Takeable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t ExpiresAt(const Slot& slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next end of a message's life.
  int64_t NextExpiry() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Waiting; wait.cc.
  bool SomebodyWaits() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellIntake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeEverybody() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer(int64_t at_ns);

  // Moves; move.cc.
  void HandOver(const Instant& now);
  void PostHandOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandOverOwn(const Instant& now, std::vector<std::shared_ptr<QueueCore>>* queues);
  std::shared_ptr<QueueCore> DeadLetterQueue();
  bool TakeMoved(absl::Span<Departure> departures, Instant now, Aftermath* after);
  absl::Status TakeDeadLetter(const Delivery& letter, Operation* operation);
  // `by`: null if what has taken them is no queue.
  void Departed(absl::Span<Departure> departures, bool taken, const std::shared_ptr<QueueCore>& by,
                const Instant& now);
  void DeleteMoved(uint64_t origin_incarnation, uint64_t number, uint32_t attempt, Instant now);
  void ForgetOrigin(Slot* slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Redrives; redrive.cc.
  struct Walk {
    // Weak, as all queues here: a task that is kept to be looked at must not keep them.
    std::weak_ptr<QueueCore> destination;  // never set: each to where it came from
    // A message without a place to go back to ends the walk; else it stays.
    bool ends_at_strangers = false;
    bool redelivers = false;  // what has a way back goes it

    bool at_end = false;
    bool held_up = false;         // another walk redelivers just now
    bool met_stranger = false;    // it came from no queue
    bool origin_is_gone = false;  // or from one that is not there any more
    int64_t moved = 0;
    int64_t stayed_behind = 0;  // visible ones without a place to go to
    bool Ended() const { return at_end || met_stranger || origin_is_gone || held_up; }

    // Where each origin's messages go; null if it is gone, and then they stay. Found under no lock.
    absl::flat_hash_map<std::shared_ptr<const Origin>, std::weak_ptr<QueueCore>> destinations;
    absl::flat_hash_set<std::string> blocked;  // FIFO groups of which an earlier message stays
    std::optional<uint64_t> last_number;       // what came later is not for this walk
    std::pair<int64_t, uint64_t> next_age = {INT64_MIN, 0};
    SlotIndex stayed = kNoSlot;  // the last one that was seen and stays
    uint64_t stayed_number = 0;

    void Pass(const Slot& slot, SlotIndex index, bool goes);
    void PassForGood(int64_t enqueued_ns, uint64_t number);
  };
  absl::Status Step(Walk* walk, int64_t messages_max, Operation* operation);
  Departure LeaveForGood(SlotIndex index, const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Redeliver(absl::Span<Departure> letters, Walk* walk, const Instant& now);
  SlotIndex NextOf(Walk* walk) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  SlotIndex AfterStayed(Walk* walk) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<QueueCore> RedriveDestination(const Origin& origin) const;

  // In the background; move_tasks.cc.
  struct MoveTask;
  std::string MoveTaskHandle(const MoveTask& task) const;
  void PostMoveTask(std::shared_ptr<MoveTask> task, int64_t at_ns);
  void RunMoveTask(const std::shared_ptr<MoveTask>& task);
  bool IsDeadLetterQueue();
  void AddSource(const std::shared_ptr<QueueCore>& source);
  void EndMoveTask(MoveTask* task, MessageMoveTask::State state, std::string_view reason);

  // Explanations; explain.cc.
  class Explainer;
  absl::StatusOr<std::string> ExplainBy(absl::FunctionRef<std::string(Explainer&)> tell);

  // Metrics; metrics.cc.
  int64_t OldestArrival(absl::FunctionRef<bool(const Slot&)> counts) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MeasureTenants(const Instant& now, QueueMetrics* metrics) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Report(Change change, const Slot& slot, const Instant& now, int64_t deadline_ns = 0,
              std::string_view destination = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a message here, if stories are kept; story.cc.
  void Tell(StoryStep::Kind kind, const Slot& slot, const Instant& at, std::string_view text = {},
            std::string_view destination = {}) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellArrival(const Slot& slot, const Instant& now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellEnd(Change why, const Slot& slot, const Instant& now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellOfAll(std::string_view text) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const Arn arn_;
  const std::shared_ptr<Origin> origin_;  // how this queue is known to those it sends messages to
  const QueueResolver resolve_;
  const uint64_t incarnation_;
  const int64_t created_unix_ns_;
  const bool fifo_;
  const bool dedup_per_group_;  // the scope at creation: a later change has no effect, as on AWS
  const SipKey dedup_secret_;
  // Copies of options, for checks before any lock.
  std::atomic<bool> content_based_deduplication_;
  std::atomic<int64_t> message_bytes_max_;
  std::atomic<uint64_t> tap_sequence_{0};

  Mutex settings_mu_;  // taken before mu_
  std::map<std::string, std::string> tags_ ABSL_GUARDED_BY(settings_mu_);
  std::vector<std::shared_ptr<MoveTask>> move_tasks_ ABSL_GUARDED_BY(settings_mu_);  // latest first

  Intake intake_;

  alignas(64) mutable Mutex mu_;
  std::optional<CloseKind> closing_ ABSL_GUARDED_BY(mu_);
  QueueOptions options_ ABSL_GUARDED_BY(mu_);
  int64_t retention_ns_ ABSL_GUARDED_BY(mu_) = 0;   // of options_, asked for by every operation
  int64_t visibility_ns_ ABSL_GUARDED_BY(mu_) = 0;  // likewise
  QueueStats books_ ABSL_GUARDED_BY(mu_);
  int64_t latest_ns_ ABSL_GUARDED_BY(mu_) = 0;     // the latest reading of the clock seen here
  int64_t delete_calls_ ABSL_GUARDED_BY(mu_) = 0;  // answered OK, also those that found nothing
  StatisticSet sent_sizes_ ABSL_GUARDED_BY(mu_);
  int64_t modified_unix_ns_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<int64_t> purged_ns_ ABSL_GUARDED_BY(mu_);  // uptime of the last Purge

  SlotArena slots_ ABSL_GUARDED_BY(mu_);
  Deadlines deadlines_ ABSL_GUARDED_BY(mu_);
  std::vector<IntakeEntry> spare_entries_ ABSL_GUARDED_BY(mu_);  // the intake's next vector

  // What is visible. Standard: plain_; strict_ in its place if the test delivery asks for it;
  // messages with a group id in tenants_. FIFO: groups_, whatever their state.
  VisibleLists plain_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<std::map<uint64_t, SlotIndex>> strict_ ABSL_GUARDED_BY(mu_);  // by number
  std::unique_ptr<FairTenants> tenants_ ABSL_GUARDED_BY(mu_);
  const std::unique_ptr<FifoGroups> groups_ ABSL_PT_GUARDED_BY(mu_);  // null: standard
  uint64_t lined_ ABSL_GUARDED_BY(mu_) = 0;  // messages that became visible, ever

  // For retention: what keeps its age from here on, in order as it came; and what was moved in and
  // keeps the age it had elsewhere (standard queues), by that age, then by number. Redrive, too,
  // goes from the oldest.
  ArrivedSlots arrived_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<int64_t, uint64_t>, SlotIndex> moved_by_age_ ABSL_GUARDED_BY(mu_);
  // Messages moved in and not received yet, by (incarnation, number) in their queue of origin.
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, SlotIndex> moved_in_ ABSL_GUARDED_BY(mu_);
  ReceiveAttempts attempts_ ABSL_GUARDED_BY(mu_);
  // DropOldest: of what came before this one everything was in flight, and is still.
  SlotIndex drop_from_ ABSL_GUARDED_BY(mu_) = kNoSlot;
  uint64_t drop_from_number_ ABSL_GUARDED_BY(mu_) = 0;

  std::weak_ptr<QueueCore> dead_letter_ ABSL_GUARDED_BY(mu_);
  // What is on its way from here, in the order it left, and whether somebody is handing it over:
  // one at a time, so that groups keep their order.
  std::vector<Departure> outgoing_ ABSL_GUARDED_BY(mu_);
  bool handing_over_ ABSL_GUARDED_BY(mu_) = false;
  bool redelivering_ ABSL_GUARDED_BY(mu_) = false;  // likewise of dead letters on their way back
  // Every queue that dead letters went to, for late Deletes. Usually one.
  std::vector<std::weak_ptr<QueueCore>> moved_to_ ABSL_GUARDED_BY(mu_);

  // Queues that have named this one as theirs for dead letters; see IsDeadLetterQueue().
  absl::flat_hash_map<const QueueCore*, std::weak_ptr<QueueCore>> sources_ ABSL_GUARDED_BY(mu_);
  size_t sweep_sources_at_ ABSL_GUARDED_BY(mu_) = 16;

  WaitList sleepers_ ABSL_GUARDED_BY(mu_);
  int64_t sleeping_ ABSL_GUARDED_BY(mu_) = 0;
  WaitList senders_ ABSL_GUARDED_BY(mu_);  // waiting for room
  int64_t senders_waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Task> watchers_ ABSL_GUARDED_BY(mu_);  // ids rise, so the first waited longest
  uint64_t last_watcher_ ABSL_GUARDED_BY(mu_) = 0;
  bool watchers_turn_ ABSL_GUARDED_BY(mu_) = false;
  bool intake_told_ ABSL_GUARDED_BY(mu_) = false;  // I3: deliver_now, as last set
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_at_ns_ ABSL_GUARDED_BY(mu_) = kNever;
};

// An idle queue costs this, its name and its ARN: about 3 KB in all (a test asserts it); ten
// thousand of them are ordinary.
static_assert(sizeof(QueueCore) <= 2560);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_CORE_H_
