// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/courier.h -- floor 4: brings messages to one destination, and sees that they arrive.
//
//   Deliver --Accept--> OK ----------------------------------> delivered    no lock, no allocation
//                  |
//                  | refused, or answers later
//                  v
//                pending: with the destination --OK----------> delivered
//                  |   ^           |
//     transient    |   |           | permanent, or a limit reached, or waiting_ full
//     refusal      v   | due       v
//                pending: in waiting_              dead-lettered; dropped (counted, logged)
//
// One courier per subscription or rule target, so that a target that fails or is slow delays
// neither the publisher nor anybody else's deliveries.
//
// C1  The books balance at every moment: matched is not counted, it is the sum of the others, and a
//     delivery moves from one to the next in one step under mu_ (or, on the path without lock,
//     enters the sum as delivered; or as dropped, if there is nothing to deliver).
// C2  A pending delivery is one Attempt. It is owned either by the Completion that the destination
//     (or dead-letter queue) holds, or by waiting_, or by the thread that carries it between them.
// C3  Under mu_ nothing is called but the Runtime's Read, Random, Post, PostAt and Cancel, and the
//     Journal and the Storyteller: no sink, no log.
// C4  At most one Runtime timer: for the earliest in waiting_.
// C5  After Close() nothing waits and no timer is set. What the destination still holds is booked
//     when it answers; what would have to wait stays pending (broker stopped) or is given up.
// C6  The journal hears of pending deliveries only, so that the path without lock stays one: of
//     each once that it is pending, and once what became of it, in the step that moves it in the
//     books. Replayed, the records give pending_. After Close(kStopped) no end is told: the runtime
//     may be gone, and who replays the records delivers those again.
//
// C7  In order (CourierPlan::in_order): a group with a pending delivery has a line_. What comes for
//     it waits there, and is offered when everything before it is delivered or given up. Deliver()
//     is not called twice at once then; retries and redeliveries come from elsewhere all the same.
//     One of these that is refused beside one of Deliver() makes a second head of the line.
// C8  A dead letter knows its way back: to the courier that then is its subscription's or target's,
//     and not to this one if it was replaced. Its age counts anew from there, its message stays.
//
// A destination that is gone for good answers kNotFound, a permanent refusal, so a courier need not
// be told; and a queue deleted and created again under its name is another destination, as on AWS.
//
// A dead letter was accepted once, and its queue takes it whatever its size and however full it is.
// Only if that queue is gone is the delivery dropped, as EventBridge does
// (InvocationsFailedToBeSentToDlq).
#ifndef BANYAN_LIB_DELIVER_COURIER_H_
#define BANYAN_LIB_DELIVER_COURIER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "banyan/forecast.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/target.h"
#include "deliver/retry.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/journal.h"
#include "message/message.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

// Why a delivery was given up.
struct GivenUp {
  absl::Status last_refusal = {};
  int64_t retries = 0;              // attempts after the first
  std::string_view exhausted = {};  // the limit that ended it; empty: a permanent fault
};
inline constexpr std::string_view kExhaustedAttempts = "MaximumRetryAttempts";
inline constexpr std::string_view kExhaustedAge = "MaximumEventAgeInSeconds";

class Courier;

// What a courier does; fixed for its life.
struct CourierPlan {
  std::shared_ptr<Sink> destination;
  RetryPolicy retry;
  // Takes the place of the back-off and of the number of retries in `retry`, as they are when an
  // attempt has failed. Null: those of `retry`. Called under no lock.
  std::function<RetryPhases()> phases = nullptr;
  std::string source_arn;  // the subscription or rule; functions are told, and the log
  bool in_order = false;   // messages of a group reach the destination as they come (C7)

  // Changes how the destination sees a delivery, once, before its first attempt. Null: as it was
  // published. An error: there is nothing to deliver; it is dropped. Called under no lock.
  std::function<absl::Status(Delivery&)> form = nullptr;

  // Null: what is given up is dropped. Until SetDeadLetter().
  std::shared_ptr<Sink> dead_letter;

  // What the dead-letter queue gets in place of a delivery. Topics and buses differ here.
  std::function<Delivery(const Delivery&, const GivenUp&)> dead_letter_form;

  // The last that Close() does, under no lock: for a destination that is this courier's alone, and
  // may hold Completions, which own the courier. Null: nothing.
  std::function<void(CloseKind)> close_destination = nullptr;

  // Finds the courier of this subscription or target at a later time: it, one that has replaced it,
  // or null if that is gone. Holds none of them. Called under no lock. Null: dead letters have no
  // way back.
  std::function<std::shared_ptr<Courier>()> find_later = nullptr;
};

// Threads   Every method from any thread.
class Courier : public std::enable_shared_from_this<Courier> {
 public:
  static std::shared_ptr<Courier> Create(std::shared_ptr<Environment> env, CourierPlan plan);

  // Offers the message to the destination, as a first attempt, and returns: it never waits, not for
  // a slow destination either, unless that is a function which is called inline. Writes its own
  // source into `delivery`, which is one stack object that a publisher shows to many couriers, so
  // that fan-out counts references only where they are kept.
  void Deliver(Delivery& delivery);

  // Takes the message and gives it up at once, without an attempt.
  void GiveUpUnsent(const Delivery& delivery, absl::Status why);
  // What Deliver() would do with it; foresee.cc.
  Forecast Foresee(Delivery delivery) const;

  // As Deliver(), for what was given up before. False: it is refused for good, and left no trace.
  bool Redeliver(Delivery delivery);

  // For what is given up from now on. Not without a dead_letter_form.
  void SetDeadLetter(std::shared_ptr<Sink> dead_letter);

  DeliveryStats Stats() const;
  int64_t pending() const;

  // Nothing is tried again (C5). Deliver() after it is a caller's mistake that does no harm.
  void Close(CloseKind kind);

  const CourierPlan& plan() const { return plan_; }

 private:
  struct Attempt;
  class Return;
  struct Line {  // C7
    std::deque<std::unique_ptr<Attempt>> behind;
    int heads = 0;            // pending deliveries, which those behind wait for
    bool is_passing = false;  // somebody offers one after the other
  };
  using Waiting = std::multimap<int64_t, std::unique_ptr<Attempt>>;  // by uptime when due
  using Lines = absl::flat_hash_map<std::string, Line>;              // by group

  Courier(std::shared_ptr<Environment> env, CourierPlan plan);

  void DeliverFormed(Delivery formed);
  void Offer(const Delivery& delivery);
  std::unique_ptr<Attempt> NewAttempt(const Delivery& delivery, int64_t since_ns);
  static Completion CompletionOf(std::unique_ptr<Attempt> attempt);
  bool WaitsInLine(const Delivery& delivery, int64_t since_ns);
  void HeadGone(const Attempt& gone);
  void TryAgain(std::unique_ptr<Attempt> attempt);
  void Answered(std::unique_ptr<Attempt> attempt, absl::Status answer);
  void GiveUp(std::unique_ptr<Attempt> attempt, GivenUp why);
  void GiveUpAll(Waiting waiting, Lines lines);
  void DeadLetterAnswered(std::unique_ptr<Attempt> attempt, const Sink& dead_letter,
                          const absl::Status& answer);
  std::shared_ptr<Sink> dead_letter() const;
  void Drop(const Attempt& attempt, std::string_view why);
  void LogDrop(const Delivery& delivery, std::string_view why) const;

  // The last step of a pending delivery: from pending_ into `book`, and into the journal.
  void Settle(const Delivery& delivery, int64_t& book, Change how, std::string_view destination,
              std::string_view why = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Report(const Delivery& delivery, Change change, std::string_view destination)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // For the event's story, if stories are kept. Reads the clock, so not after Close(kStopped).
  void Tell(StoryStep::Kind kind, const Delivery& delivery, std::string_view text,
            std::string_view destination = {}) const;

  void WaitUntil(int64_t due_ns, std::unique_ptr<Attempt> attempt)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TimerFired();

  const std::shared_ptr<Environment> env_;
  const CourierPlan plan_;

  std::atomic<int64_t> delivered_at_once_{0};  // answered OK within Deliver()

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  CloseKind close_kind_ ABSL_GUARDED_BY(mu_) = CloseKind::kStopped;
  int64_t delivered_later_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t dead_lettered_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t pending_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t redelivered_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t failed_attempts_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t retries_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t dead_letters_refused_ ABSL_GUARDED_BY(mu_) = 0;
  std::shared_ptr<Sink> dead_letter_ ABSL_GUARDED_BY(mu_);
  Waiting waiting_ ABSL_GUARDED_BY(mu_);
  Lines lines_ ABSL_GUARDED_BY(mu_);
  int64_t in_line_ ABSL_GUARDED_BY(mu_) = 0;  // behind a head
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_due_ns_ ABSL_GUARDED_BY(mu_) = 0;  // if timer_ is set
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_COURIER_H_
