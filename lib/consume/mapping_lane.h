// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/mapping_lane.h -- floor 5: one lane of a shard that a mapping reads: which records the
// next call gets, and what becomes of them when it has answered. No lock, no clock, no call to
// anybody: the rules alone.
//
//   Add --> pending_ --FormUnit--> units_ --front--> (a handler) --Settle--> done
//                     full, or         ^                            |        given up
//                     window over      +-- again, whole or in parts +
//
// L1  Records of a lane lie in their order: units_ from the front, then pending_. So the first one is
//     the lowest that is not done.
// L2  units_ has more than one only by bisection. FormUnit() adds one only if there is none.
// L3  With a tumbling window a unit has records of one window only, and no unit of a later window is
//     formed before the final one of the window that is open.
// L4  While a handler has the front unit, it is its alone: only TakeExpired() and Settle() touch it,
//     and the handler's runner calls those.
//
// Threads   None of its own; the mapping's mutex guards it.
#ifndef BANYAN_LIB_CONSUME_MAPPING_LANE_H_
#define BANYAN_LIB_CONSUME_MAPPING_LANE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "banyan/mapping.h"
#include "banyan/runtime.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1::internal {

// Keeps records where they lie.
using RecordPin = std::shared_ptr<const RecordBatch>;

// What one call gets.
struct MappingUnit {
  std::vector<Record> records;
  std::vector<RecordPin> pins;
  int64_t failures = 0;         // attempts that failed, but those that were followed by a bisection
  bool invoked = false;         // some handler has seen the records
  bool function_error = false;  // how the last attempt failed
  bool is_final = false;        // of a tumbling window: no records

  bool is_nothing() const { return records.empty() && !is_final; }
};

// What a handler's answer says of its unit.
struct MappingVerdict {
  size_t done = 0;     // the first so many records are
  bool failed = true;  // the rest, or a unit without records, is not
  bool function_error = false;
  std::optional<std::string> state = {};
};

// The tumbling window of a lane that is open.
struct LaneWindow {
  int64_t start_ns = 0;  // Unix time
  std::string state = {};
  bool terminated_early = false;
};

class MappingLane {
 public:
  void Add(const Record& record, const RecordPin& pin, int64_t now_uptime_ns);

  // Room for more? A lane holds less than a batch and one read.
  bool HasRoom(const StreamMappingOptions& options) const;

  // Makes the next unit, if there is none and it is time. `at_tip`: nothing more is to be read now;
  // `ended`: ever.
  void FormUnit(const StreamMappingOptions& options, const Instant& now, bool at_tip, bool ended);

  // Is there a unit whose back-off is over?
  bool IsReady(const Instant& now) const {
    return !running && !units_.empty() && not_before_ns_ <= now.uptime_ns;
  }
  // When that, or FormUnit(), may answer otherwise though nothing is added. Uptime; kNever.
  int64_t NextLook(const StreamMappingOptions& options, const Instant& now, bool at_tip) const;

  const MappingUnit& front() const { return units_.front(); }

  // Takes out of the front unit what arrived before `unix_ns`. A final one is taken out whole if its
  // window ended before that and it has failed: nothing else would ever end it.
  MappingUnit TakeExpired(const StreamMappingOptions& options, int64_t unix_ns);
  // Removes the front unit, which has become empty without a call.
  void DropFront() {
    units_.pop_front();
    failures_in_row_ = 0;
  }

  // The window of the front unit, which is to be called; opens it if need be. Null: no windows.
  const LaneWindow* OpenWindow(const StreamMappingOptions& options);

  // Does with the front unit what the verdict asks for. Returns what is given up; the final call of
  // a window has no records then, either.
  std::optional<MappingUnit> Settle(const MappingVerdict& verdict,
                                    const StreamMappingOptions& options, int64_t now_uptime_ns);

  // Forgets all records; the window stays open.
  void Clear();
  void CloseWindow() { window_.reset(); }

  bool idle() const { return !running && units_.empty() && pending_.empty(); }
  bool has_window() const { return window_.has_value(); }
  // Unix time; kNever: none is open.
  int64_t WindowEnd(const StreamMappingOptions& options) const;
  int64_t held() const;
  // L1; nothing if it holds none.
  const Record* Lowest() const;

  bool running = false;  // a handler has the front unit, or is about to

 private:
  struct Pending {
    Record record;
    RecordPin pin;
    int64_t read_ns;  // uptime
  };

  int64_t WindowOf(const Record& record, const StreamMappingOptions& options) const;
  bool IsWindowOver(const StreamMappingOptions& options, const Instant& now, bool at_tip,
                    bool ended) const;
  void Bisect();

  std::deque<Pending> pending_;
  int64_t pending_bytes_ = 0;
  std::deque<MappingUnit> units_;
  int64_t not_before_ns_ = 0;  // uptime; no call of the front unit before
  int64_t failures_in_row_ = 0;
  std::optional<LaneWindow> window_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_MAPPING_LANE_H_
