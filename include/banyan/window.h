// SPDX-License-Identifier: Apache-2.0
//
// WindowAggregate: counts and sums up a stream's records by key and window of time, and tells of each
// window when it is over. A small library on StreamMapping (mapping.h), in memory.
//
//   WindowAggregate sales = WindowAggregate::Start(clicks, {
//       .windows = Windows::Tumbling(absl::Minutes(1)),
//       .value = [](const Record& sale) { return PriceOf(sale.data()); },
//   }, [&](const WindowResult& minute) {
//     Show(minute.key, minute.start, minute.count, minute.values.sum(),
//          minute.values.Percentile(99));
//     return absl::OkStatus();
//   }).value();
//
// A record is of one key (by default its partition key), has a time (by default its arrival) and
// perhaps a value. It counts in the windows that its time is in:
//
//   Tumbling(5min)         |  12:00  |  12:05  |  12:10  |     one window
//   Hopping(10min, 5min)   |  12:00 --- 12:10  |               length / every windows
//                                    |  12:05 --- 12:15  |
//   Session(30min)         a window of its key's own: until nothing came for 30 minutes
//
// Windows are closed in the order of their ends, each once, and nothing is added to a window that is
// closed. When does a window close? When the watermark has passed its end by `lateness`:
//
//   By arrival: the watermark is the arrival of the oldest record that is not handled yet in any
//   shard; with all handled, now. So nothing is late, but what a writer took longer than `lateness`
//   to store, or what came when the wall clock had been set back.
//
//   With an event_time: the highest event time handled, or in a shard that has more to handle, the
//   highest of that shard, if that is less; never later than now. A record whose windows were
//   closed before it came is late: counted, and in no window. With nothing to handle for
//   `idle_after`, the watermark is now.
//
// A split or merge changes nothing of this: parents are handled before children, and the windows of a
// key know nothing of shards.
//
// What survives what:
//   The result function fails, or throws: it is called again with the same result, after a back-off,
//     until it says OK. So it may see a result twice. Results come one at a time; later ones wait.
//   It is so slow or broken that `windows_max` results wait: the stream is not read on until there
//     is room. What its retention takes meanwhile is lost (mapping.dropped_event_count).
//   Stop(), the destructor, the stream, broker or process ends: windows that are open, and results
//     that wait, are gone; Flush() before. One that is started anew begins at its start_at.
//
// Threads   key, value and event_time are called on the Runtime, from several threads at once; the
//           result function by one at a time; under no lock. From inside all of them everything is
//           allowed, as in a mapping's handler; two that stop each other wait until `within` ends.
// Lifetime  Owns its loop: destroying it stops it, and waits for functions that run. It may outlive
//           its stream and Broker; it has then stopped by itself.
#ifndef BANYAN_WINDOW_H_
#define BANYAN_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/consumer.h"
#include "banyan/export.h"
#include "banyan/mapping.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

namespace internal {
class WindowCore;
}  // namespace internal

// Finite numbers, summed up in bounded memory.
//
// Percentiles come from a histogram whose buckets grow by a factor, so that each answer is within
// `relative_error` of the true one: a value v is answered as something from v * (1 - e) to
// v * (1 + e). That holds for values whose magnitude is more than a billionth of the largest one's
// (10^-18 of it, if all have one sign); smaller ones are answered as that bound at most. Sixteen bytes
// for each bucket that has something: a few hundred as a rule, at most 21 / relative_error (for one
// percent 2,080, 33 KiB).
//
// Threads  A value: one at a time.
class BANYAN_EXPORT ValueSummary {
 public:
  // 0.001 to 0.1; 0: no percentiles are kept. Anything else is taken as the nearest of these.
  explicit ValueSummary(double relative_error = 0.01);

  // False, and nothing else: the value is infinite, or no number.
  bool Add(double value);
  // Of the same relative_error; with another, percentiles are as wrong as both together.
  void Merge(const ValueSummary& other);

  int64_t count() const { return count_; }
  // What adding loses by rounding is made up for (Neumaier's sum). Beyond a double's range it is
  // infinite, or no number.
  double sum() const { return sum_ + carry_; }
  // Not a number if there are no values.
  double mean() const { return sum() / static_cast<double>(count_); }
  double min() const;
  double max() const;

  // The value that `percent` (0 to 100) of the others do not exceed: of n values in order the one at
  // floor(percent / 100 * (n - 1)), counted from 0. Exact at both ends. Not a number if there are no
  // values, or no percentiles are kept.
  double Percentile(double percent) const;

  size_t buckets() const { return buckets_.size(); }

 private:
  struct Bucket {
    int32_t index;  // 0: the value 0; else its sign is the values', and it grows as they do
    int64_t count;
  };

  int32_t IndexOf(double value) const;
  double ValueOf(int32_t index) const;
  void Count(int32_t index, int64_t count);
  void Collapse();
  void AddToSum(double value);

  double log_growth_ = 0;  // 0: no percentiles
  int64_t count_ = 0;
  double sum_ = 0;
  double carry_ = 0;  // what sum_ lost by rounding
  double min_ = 0;
  double max_ = 0;
  std::vector<Bucket> buckets_;  // by index
};

// How time is cut into windows. Tumbling and hopping ones begin at whole multiples of their length,
// or of `every`, since 1970. All up to 366 days.
class Windows {
 public:
  static Windows Tumbling(absl::Duration length) { return {Kind::kFixed, length, length}; }

  // A window of `length` begins `every` so often; at most 1,000 overlap.
  static Windows Hopping(absl::Duration length, absl::Duration every) {
    return {Kind::kFixed, length, every};
  }

  // From a key's first record to `gap` after its last one. A record that comes between two sessions,
  // and near enough to both, makes them one. A key that never pauses has a session that never ends.
  static Windows Session(absl::Duration gap) { return {Kind::kSession, gap, gap}; }

  enum class Kind { kFixed, kSession };
  Kind kind() const { return kind_; }
  absl::Duration length() const { return length_; }  // of sessions: the gap
  absl::Duration every() const { return every_; }

 private:
  Windows(Kind kind, absl::Duration length, absl::Duration every)
      : kind_(kind), length_(length), every_(every) {}

  Kind kind_;
  absl::Duration length_;
  absl::Duration every_;
};

// One window of one key, closed.
struct WindowResult {
  std::string key;
  absl::Time start;
  absl::Time end;  // not in it; of a session: its last record and the gap

  int64_t count = 0;    // records
  ValueSummary values;  // of those that had one

  // Closed before its time, by Flush() or for want of room. What came for it later has a result of its
  // own, with the same key and, unless it is a session, times.
  bool early = false;

  int64_t attempt = 1;  // one more after each failure
};

struct WindowAggregateOptions {
  // Stands for the mapping's name in ARNs; see StreamMappingOptions.
  std::string name = "windows";

  Windows windows = Windows::Tumbling(absl::Minutes(1));

  // What of a record counts. Unset: its partition key, no value, its arrival. A record is unreadable,
  // and in no window, if one of these throws, if its key is longer than 1,024 bytes, or its time not
  // within 146 years of 1970. A value that is not finite counts as none.
  absl::AnyInvocable<std::string(const Record&) const> key = nullptr;
  absl::AnyInvocable<std::optional<double>(const Record&) const> value = nullptr;
  absl::AnyInvocable<absl::Time(const Record&) const> event_time = nullptr;

  // How long after its end a window waits for what belongs to it. More: fewer late records, later
  // results. 0s to 366 days.
  absl::Duration lateness = absl::Seconds(1);

  // With an event_time: when nothing has come for so long, windows close by the clock. Infinite: only
  // later events close them.
  absl::Duration idle_after = absl::Minutes(1);

  // Windows open at once, of all keys; and as many results may wait for the function. A record that
  // would open one more closes, early, the one that would be the next to close. Each takes some 200
  // bytes, its key, and what ValueSummary says. 1 to 100 million, and no fewer than overlap.
  int64_t windows_max = 100'000;

  double percentile_error = 0.01;  // see ValueSummary

  // As in StreamMappingOptions.
  StartAt start_at = StartAt::TrimHorizon();
  std::vector<std::string> filters = {};
  int64_t batch_size = 1'000;

  // The wait before a result is handed over again.
  Retry backoff = {.first = absl::Seconds(1), .max = absl::Minutes(1)};

  // How long the destructor waits for functions that run.
  absl::Duration drain_within = absl::Seconds(30);
};

// An error, or a throw: the same result again.
using WindowHandler = absl::AnyInvocable<absl::Status(const WindowResult&) const>;

// The books, since Start():
//   handled by the mapping = records + late + unreadable
//   opened = handed_over + merged + open + waiting
struct WindowStats {
  int64_t records = 0;      // that counted in some window
  int64_t late = 0;         // that counted in none: all of theirs were closed
  int64_t partly_late = 0;  // of `records`; hopping: some of theirs were closed
  int64_t unreadable = 0;

  int64_t opened = 0;
  int64_t merged = 0;        // sessions that became part of another
  int64_t closed_early = 0;  // for want of room, or by Flush()
  int64_t handed_over = 0;   // the function said OK
  int64_t failed_calls = 0;

  int64_t open = 0;
  int64_t waiting = 0;  // closed, and not handed over yet

  absl::Time watermark = absl::InfinitePast();

  // How long the oldest record that is not handled has been waiting; zero if all are.
  absl::Duration behind_latest = {};

  MappingMetrics mapping;
};

class BANYAN_EXPORT WindowAggregate {
 public:
  WindowAggregate() = default;  // aggregates nothing
  WindowAggregate(WindowAggregate&&) noexcept;
  WindowAggregate& operator=(WindowAggregate&&) noexcept;
  ~WindowAggregate();

  // Starts at once.
  //
  // Errors  kInvalidArgument: an option out of range, no function for the results; or as
  //         StreamMapping::Start(). kNotFound, kUnavailable: the stream is gone, the broker stops.
  static absl::StatusOr<WindowAggregate> Start(const Stream& stream, WindowAggregateOptions options,
                                               WindowHandler handler);

  // Closes, early, what is open now. Results are handed over on the Runtime, not within the call.
  void Flush();

  // Ends it: calls no function any more, and waits for those that run, at most for `within` (of the
  // Runtime's time) or until `stop` is requested. What is open or waits is gone.
  //
  // Errors  kDeadlineExceeded: functions still run.
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});

  WindowStats Stats() const;

 private:
  explicit WindowAggregate(std::shared_ptr<internal::WindowCore> core);
  std::shared_ptr<internal::WindowCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_WINDOW_H_
