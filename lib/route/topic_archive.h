// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_archive.h -- floor 5: the archive of a FIFO topic, and its replays to
// subscriptions.
//
//   line of the topic --Keep--> ArchiveShelf --a slice at a time, in the line--> the subscription
//          |
//          `--Admits? --> each subscription that has no replay, or one that has caught up
//
// V1  Messages are kept, admitted and replayed in the topic's line (publish_line.h), where one thing
//     is done at a time. So a replay that finds nothing more has caught up at that very moment: what
//     comes next is the subscription's own, nothing is delivered twice and nothing falls between.
// V2  While a replay has not caught up, its subscription gets nothing live: the archive has it, and
//     the order of groups stays whole.
// V3  What the archive lets go of for want of room before a replay has shown it is given up: dead
//     letter, or dropped and counted. Nothing that was published is lost in silence.
// V4  A message's key in the shelf is its time, but never less than that of the one before: the
//     order is the topic's, wherever the wall clock jumps. The window of a replay is by true times.
// V5  Each slice is a task of the Runtime; at most one of a replay is posted or runs.
//
// Threads: every method from any thread; those that say so, in the line only.
#ifndef BANYAN_LIB_ROUTE_TOPIC_ARCHIVE_H_
#define BANYAN_LIB_ROUTE_TOPIC_ARCHIVE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/topic.h"
#include "message/environment.h"
#include "message/message.h"
#include "route/archive_shelf.h"

namespace banyan::inline v0_1::internal {

class TopicArchive : public std::enable_shared_from_this<TopicArchive> {
 public:
  // What a replay asks of its topic. `serial` is the subscription's.
  class Audience {
   public:
    virtual ~Audience() = default;
    // Runs `work` in the line. False: this thread is in it already; later, then.
    virtual bool InLine(absl::FunctionRef<void()> work) = 0;
    // Shows the message to the subscription, if it passes its filter: delivered, or given up
    // because the archive has no room for it.
    virtual void Replay(uint64_t serial, const MessageRef& message) = 0;
    virtual void GiveUp(uint64_t serial, const MessageRef& message) = 0;
    // Deliveries of the subscription.
    virtual int64_t Pending(uint64_t serial) const = 0;
  };

  static std::shared_ptr<TopicArchive> Create(std::shared_ptr<Environment> env, std::string arn,
                                              std::weak_ptr<Audience> audience);

  // Zero retention: there is no archive, and what there was is gone. Replays under way fail: what
  // was published since they began is shown at once. In the line.
  void SetBounds(const ArchiveShelf::Bounds& bounds);
  bool is_on() const { return on_.load(std::memory_order_relaxed); }
  // All zero without an archive.
  ArchiveShelf::Figures Count() const;

  // In the line: a message that is being published.
  void Keep(const MessageRef& message);
  // False: every subscription gets everything.
  bool has_replays() const { return gates_.load(std::memory_order_relaxed) > 0; }
  bool Admits(uint64_t serial, const Message& message) const;

  // Begins a replay, in place of one that the subscription has. In the line, or before the line
  // can meet the subscription. Error: too many replays.
  absl::Status Start(uint64_t serial, const ReplayPolicy& policy);
  // Ends it: what was published since it began and was not shown yet comes first, then the
  // subscription is live. In the line.
  void Remove(uint64_t serial);
  // The subscription is gone.
  void Forget(uint64_t serial);

  std::optional<SubscriptionReplay> Describe(uint64_t serial) const;
  // Published since a replay began, and still to be shown by it.
  int64_t Behind() const;

  void Close();

 private:
  struct Replay {
    ReplayPolicy policy;
    bool began = false;
    bool failed = false;  // the archive was turned off
    bool caught_up = false;
    bool removed = false;         // ends when it has caught up
    ArchiveStore::Position next;  // to be shown
    ArchiveStore::Position live;  // the first that was published after it began
    // What the replay before it still owed, from here up to `live`: shown, whatever the window.
    std::optional<ArchiveStore::Position> owed = std::nullopt;
    int64_t replayed = 0;
    uint64_t run = 0;  // a task of an earlier replay does nothing
    TimerId timer = TimerId::kNone;
  };

  TopicArchive(std::shared_ptr<Environment> env, std::string arn, std::weak_ptr<Audience> audience)
      : env_(std::move(env)), arn_(std::move(arn)), audience_(std::move(audience)) {}

  void RunSlice(uint64_t serial, uint64_t run);
  // In the line. True: there is more to show.
  bool ShowSlice(uint64_t serial, uint64_t run, Audience& audience);
  void Post(uint64_t serial, Replay& replay, int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static bool IsGate(const Replay& replay) {
    return !replay.failed && (!replay.caught_up || replay.policy.ending_point.has_value());
  }
  // What it must show that lies outside of its window: from where. Nothing: it owes nothing.
  std::optional<ArchiveStore::Position> Owed(const Replay& replay) const;
  static bool Shows(const Replay& replay, const ArchiveStore::Entry& entry);
  Replay* Find(uint64_t serial, uint64_t run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Erase(std::map<uint64_t, Replay>::iterator replay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<ArchiveShelf> Shelf() const;

  const std::shared_ptr<Environment> env_;
  const std::string arn_;
  const std::weak_ptr<Audience> audience_;
  std::atomic<bool> on_{false};
  std::atomic<int64_t> gates_{0};  // replays that may keep something from their subscription

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<ArchiveShelf> shelf_ ABSL_GUARDED_BY(mu_);  // null: no archive
  int64_t latest_ ABSL_GUARDED_BY(mu_) = INT64_MIN;           // V4
  uint64_t next_run_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Replay> replays_ ABSL_GUARDED_BY(mu_);  // by the subscription's serial
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_TOPIC_ARCHIVE_H_
