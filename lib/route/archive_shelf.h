// SPDX-License-Identifier: Apache-2.0
//
// lib/route/archive_shelf.h -- floor 5: the messages an archive keeps, until their time or the room
// is over. Buses and FIFO topics have such archives.
//
//   Add --> ArchiveStore --Read, a slice at a time--> a replay
//              |
//              v  retention, room
//             gone
//
// H1  Retention and room take who came first. What is over is not shown: who looks lets it go
//     before; who adds a message lets go of a few, so that no publisher pays for many.
// H2  A message is let go under no lock: its last reference may run a user's release function.
// H3  The journal hears of each message that is added, and of each that leaves an open shelf, under
//     mu_.
//
// Threads: every method from any thread.
#ifndef BANYAN_LIB_ROUTE_ARCHIVE_SHELF_H_
#define BANYAN_LIB_ROUTE_ARCHIVE_SHELF_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "message/environment.h"
#include "message/journal.h"
#include "message/message.h"
#include "route/archive_store.h"

namespace banyan::inline v0_1::internal {

class ArchiveShelf {
 public:
  // How long a message is kept, from its acceptance; zero: for ever. And the bytes of all messages,
  // at most.
  struct Bounds {
    absl::Duration retention;
    int64_t bytes_max;
  };
  // What a message counts for in a figure that its owner wants summed up.
  using Weigh = int64_t (*)(const Message& message, const Environment& env);

  ArchiveShelf(std::shared_ptr<Environment> env, std::string arn, const Bounds& bounds,
               Weigh weigh = nullptr);

  // At the moment of its acceptance. `displaced`: gets those that had to go for it, if it is given;
  // the message itself if it alone is too large. False: it was not added.
  bool Add(int64_t time, const MessageRef& message,
           std::vector<ArchiveStore::Entry>* displaced = nullptr);

  void SetBounds(const Bounds& bounds);

  // Nothing: it is closed. Else whether there is no more in the range.
  std::optional<bool> Read(ArchiveStore::Position* from, const ArchiveStore::Range& range,
                           const ArchiveStore::Slice& slice, std::vector<ArchiveStore::Entry>* out);

  // What a replay that begins now has before it.
  struct Window {
    int64_t count = 0;
    uint64_t arrival_end = 0;
  };
  Window Look(int64_t begin, int64_t end);
  uint64_t next_arrival() const;

  struct Figures {
    int64_t count = 0;
    int64_t bytes = 0;
    int64_t weight = 0;
    int64_t expired = 0;
    int64_t displaced = 0;
    std::optional<absl::Time> oldest = std::nullopt;  // acceptance of who came first
  };
  Figures Count();

  // What it holds is let go, nothing more comes.
  void Close();

 private:
  using Dead = std::vector<ArchiveStore::Entry>;

  // Lets go of what is over, in steps.
  void Trim();
  bool IsOver(const Message& oldest, const Instant& now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Counts it as expired or displaced.
  void TakeOldest(const Instant& now, Dead* dead) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Report(Change change, const Message& message, const Instant& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t WeightOf(const Message& message) const {
    return weigh_ == nullptr ? 0 : weigh_(message, *env_);
  }

  const std::shared_ptr<Environment> env_;
  const std::string arn_;
  const Weigh weigh_;

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t retention_ns_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_max_ ABSL_GUARDED_BY(mu_);
  ArchiveStore store_ ABSL_GUARDED_BY(mu_);
  int64_t weight_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t expired_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t displaced_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_ARCHIVE_SHELF_H_
