// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/window_table.h -- floor 5: the windows of a WindowAggregate: which of them a record
// belongs to, which are over, and which are given up for want of room. No lock, no clock, no call to
// anybody: the rules alone.
//
//   Add --> open_ --CloseDue, CloseAll, or want of room--> waiting_ --front, PopFront--> (a function)
//
// W1  open_ has at most one window per key and start. Sessions of a key do not overlap, nor touch
//     within the gap: one that would was merged.
// W2  by_end_ has the same windows as open_, the one that closes next in front. A window leaves it
//     before its end or its key changes.
// W3  open_ has at most windows_max windows. waiting_ grows only while it has fewer than windows_max.
// W4  A record opens no window whose end, and lateness, the watermark has passed, and counts in none
//     of a fixed length. CloseDue() takes those, unless there is no room in waiting_. So no window is
//     closed twice, but early.
//
// Ordered maps, not hash tables: what is closed together comes in an order that a seed repeats, and
// a session finds its neighbours.
//
// Threads   None of its own; WindowCore's mutex guards it.
#ifndef BANYAN_LIB_CONSUME_WINDOW_TABLE_H_
#define BANYAN_LIB_CONSUME_WINDOW_TABLE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "banyan/window.h"

namespace banyan::inline v0_1::internal {

// What one record is to a window. Unix nanoseconds.
struct WindowSample {
  std::string key;
  int64_t time_ns = 0;
  std::optional<double> value = {};
};

class WindowTable {
 public:
  struct Rules {
    Windows::Kind kind = Windows::Kind::kFixed;
    int64_t length_ns = 1;  // as the others at most 366 days; times of records are within kLatest
    int64_t every_ns = 1;
    int64_t lateness_ns = 0;
    size_t windows_max = 1;
    double percentile_error = 0;
  };
  enum class Outcome {
    kAdded,
    kPartlyLate,  // added to some of its windows; the others are closed
    kLate,        // all are
    kNoRoom,      // not added: to be tried again when there is room in waiting_
  };

  explicit WindowTable(const Rules& rules) : rules_(rules) {}

  Outcome Add(const WindowSample& sample, int64_t watermark_ns);

  // Closes what the watermark has passed. False: there was no room for all of it.
  bool CloseDue(int64_t watermark_ns);
  // Closes all that is open, early. False: as above.
  bool CloseAll();

  // The watermark at which the next window closes; nothing if none is open.
  std::optional<int64_t> NextDue() const;

  bool has_waiting() const { return !waiting_.empty(); }
  // Stays where it is until PopFront(), whatever is called meanwhile.
  WindowResult& front() { return waiting_.front(); }
  void PopFront() { waiting_.pop_front(); }

  int64_t open() const { return static_cast<int64_t>(open_.size()); }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t opened() const { return opened_; }
  int64_t merged() const { return merged_; }
  int64_t closed_early() const { return closed_early_; }

 private:
  struct Place {
    std::string key;
    int64_t start_ns;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Window {
    int64_t end_ns;
    int64_t count;
    ValueSummary values;
  };
  using Open = std::map<Place, Window>;
  struct ClosesBefore {
    bool operator()(const Open::iterator& a, const Open::iterator& b) const {
      if (a->second.end_ns != b->second.end_ns) return a->second.end_ns < b->second.end_ns;
      return a->first < b->first;
    }
  };

  Outcome AddToFixed(const WindowSample& sample, int64_t watermark_ns);
  Outcome AddToSession(const WindowSample& sample, int64_t watermark_ns);
  bool IsOver(int64_t end_ns, int64_t watermark_ns) const {
    return end_ns + rules_.lateness_ns <= watermark_ns;
  }
  // False: there is no room, and none can be made.
  bool MakeRoom();
  Open::iterator OpenWindow(Place place, int64_t end_ns);
  static void Count(const WindowSample& sample, Window* window);
  bool has_room_to_wait() const { return waiting_.size() < rules_.windows_max; }
  void CloseFront(bool early);

  const Rules rules_;
  Open open_;
  std::set<Open::iterator, ClosesBefore> by_end_;
  std::deque<WindowResult> waiting_;
  int64_t opened_ = 0;
  int64_t merged_ = 0;
  int64_t closed_early_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_WINDOW_TABLE_H_
