// SPDX-License-Identifier: Apache-2.0
#include "consume/mapping_lane.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/nanoseconds.h"
#include "consume/back_off.h"

namespace banyan::inline v0_1::internal {

namespace {

// Lambda's bounds on what one call gets, and on a window's state.
constexpr int64_t kBatchBytesMax = int64_t{6} << 20;
constexpr size_t kStateBytesMax = size_t{1} << 20;

int64_t SizeOf(const Record& record) {
  return static_cast<int64_t>(record.partition_key().size() + record.data().size());
}

// first, 2 * first, 4 * first, ... up to max.
int64_t TumblingNs(const StreamMappingOptions& options) {
  return CeilNanoseconds(options.tumbling_window);
}

// The time of an uptime that is not reached yet, if the wall clock is not set anew until then.
int64_t UptimeOf(int64_t unix_ns, const Instant& now) {
  return AddClamped(now.uptime_ns, unix_ns - now.unix_ns);
}

}  // namespace

void MappingLane::Add(const Record& record, const RecordPin& pin, int64_t now_uptime_ns) {
  pending_.push_back({record, pin, now_uptime_ns});
  pending_bytes_ += SizeOf(record);
}

bool MappingLane::HasRoom(const StreamMappingOptions& options) const {
  return static_cast<int64_t>(pending_.size()) < options.batch_size &&
         pending_bytes_ < kBatchBytesMax;
}

int64_t MappingLane::WindowOf(const Record& record, const StreamMappingOptions& options) const {
  const int64_t length_ns = TumblingNs(options);
  if (length_ns == 0) return 0;
  const int64_t unix_ns = absl::ToUnixNanos(record.arrival_time());
  const int64_t start_ns = unix_ns - unix_ns % length_ns;
  return window_.has_value() ? std::max(start_ns, window_->start_ns)
                             : start_ns;  // late: this one's
}

int64_t MappingLane::WindowEnd(const StreamMappingOptions& options) const {
  return window_.has_value() ? window_->start_ns + TumblingNs(options) : kNever;
}

bool MappingLane::IsWindowOver(const StreamMappingOptions& options, const Instant& now, bool at_tip,
                               bool ended) const {
  if (window_->terminated_early) return true;
  if (!pending_.empty()) return WindowOf(pending_.front().record, options) > window_->start_ns;
  return ended || (at_tip && now.unix_ns >= WindowEnd(options));
}

void MappingLane::FormUnit(const StreamMappingOptions& options, const Instant& now, bool at_tip,
                           bool ended) {
  if (running || !units_.empty()) return;
  if (window_.has_value() && IsWindowOver(options, now, at_tip, ended)) {
    units_.emplace_back().is_final = true;  // L3
    return;
  }
  if (pending_.empty()) return;
  const int64_t window = WindowOf(pending_.front().record, options);
  const auto size_max = static_cast<size_t>(options.batch_size);
  size_t count = 0;
  int64_t bytes = 0;
  bool is_closed = ended;
  for (; count < pending_.size(); ++count) {
    const Record& record = pending_[count].record;
    const bool fits = count < size_max && (count == 0 || bytes + SizeOf(record) <= kBatchBytesMax);
    is_closed = is_closed || !fits || WindowOf(record, options) > window;
    if (!fits || WindowOf(record, options) > window) break;
    bytes += SizeOf(record);
  }
  const int64_t length_ns = TumblingNs(options);
  is_closed = is_closed || count == size_max || bytes >= kBatchBytesMax ||
              now.uptime_ns >=
                  AddClamped(pending_.front().read_ns, CeilNanoseconds(options.batch_window)) ||
              (length_ns > 0 && now.unix_ns >= window + length_ns);
  if (!is_closed) return;
  MappingUnit& unit = units_.emplace_back();
  unit.records.reserve(count);
  for (; count > 0; --count) {
    Pending& first = pending_.front();
    unit.records.push_back(first.record);
    if (unit.pins.empty() || unit.pins.back() != first.pin) unit.pins.push_back(first.pin);
    pending_bytes_ -= SizeOf(first.record);
    pending_.pop_front();
  }
}

int64_t MappingLane::NextLook(const StreamMappingOptions& options, const Instant& now,
                              bool at_tip) const {
  if (running) return kNever;
  if (!units_.empty()) return not_before_ns_;
  int64_t next_ns = kNever;
  if (!pending_.empty()) {
    next_ns = AddClamped(pending_.front().read_ns, CeilNanoseconds(options.batch_window));
  }
  const int64_t length_ns = TumblingNs(options);
  if (length_ns > 0 && !pending_.empty()) {
    const int64_t end_ns = WindowOf(pending_.front().record, options) + length_ns;
    next_ns = std::min(next_ns, UptimeOf(end_ns, now));
  } else if (window_.has_value() && at_tip) {
    next_ns = UptimeOf(WindowEnd(options), now);
  }
  return next_ns;
}

MappingUnit MappingLane::TakeExpired(const StreamMappingOptions& options, int64_t unix_ns) {
  MappingUnit& unit = units_.front();
  if (unit.is_final) {
    if (!unit.invoked || WindowEnd(options) >= unix_ns) return {};
    window_.reset();
    return std::exchange(unit, {});
  }
  const auto is_young = [unix_ns](const Record& record) {
    return absl::ToUnixNanos(record.arrival_time()) >= unix_ns;
  };
  const auto first_young =
      std::stable_partition(unit.records.begin(), unit.records.end(),
                            [&is_young](const Record& record) { return !is_young(record); });
  MappingUnit expired;
  if (first_young == unit.records.begin()) return expired;
  expired.records.assign(unit.records.begin(), first_young);
  expired.pins = unit.pins;
  expired.failures = unit.failures;
  expired.invoked = unit.invoked;
  expired.function_error = unit.function_error;
  unit.records.erase(unit.records.begin(), first_young);
  return expired;
}

const LaneWindow* MappingLane::OpenWindow(const StreamMappingOptions& options) {
  if (TumblingNs(options) == 0) return nullptr;
  if (!window_.has_value()) {
    const int64_t start_ns = WindowOf(front().records.front(), options);
    window_.emplace().start_ns = start_ns;
  }
  return &*window_;
}

std::optional<MappingUnit> MappingLane::Settle(const MappingVerdict& verdict,
                                               const StreamMappingOptions& options,
                                               int64_t now_uptime_ns) {
  MappingUnit& unit = units_.front();
  unit.invoked = true;
  if (window_.has_value() && verdict.state.has_value()) window_->state = *verdict.state;
  const bool progress = verdict.done > 0;
  unit.records.erase(unit.records.begin(),
                     unit.records.begin() + static_cast<ptrdiff_t>(verdict.done));
  failures_in_row_ = verdict.failed ? (progress ? 1 : failures_in_row_ + 1) : 0;

  std::optional<MappingUnit> given_up;
  bool is_over = !verdict.failed;
  if (verdict.failed) {
    unit.function_error = verdict.function_error;
    // What the handler has done of it is cut off already: that was the bisection.
    const bool is_bisected = options.bisect_on_error && (progress || unit.records.size() > 1);
    if (!is_bisected) {
      ++unit.failures;
      is_over = options.retries_max >= 0 && unit.failures > options.retries_max;
    } else if (!progress) {
      Bisect();
    }
  }
  if (is_over) {
    const bool was_final = units_.front().is_final;
    if (verdict.failed) given_up = std::move(units_.front());
    units_.pop_front();
    if (was_final) window_.reset();
    failures_in_row_ = 0;
    not_before_ns_ = 0;
  } else {
    not_before_ns_ =
        AddClamped(now_uptime_ns, CeilNanoseconds(BackOff(options.backoff, failures_in_row_)));
  }
  if (window_.has_value() && window_->state.size() > kStateBytesMax && !window_->terminated_early) {
    window_->terminated_early = true;
    units_.emplace_front().is_final = true;
  }
  return given_up;
}

void MappingLane::Bisect() {
  MappingUnit& unit = units_.front();
  const auto middle = unit.records.begin() + static_cast<ptrdiff_t>(unit.records.size() / 2);
  MappingUnit first = unit;
  first.records.assign(unit.records.begin(), middle);
  unit.records.erase(unit.records.begin(), middle);
  units_.push_front(std::move(first));
}

void MappingLane::Clear() {
  pending_.clear();
  pending_bytes_ = 0;
  units_.clear();
  not_before_ns_ = 0;
  failures_in_row_ = 0;
}

int64_t MappingLane::held() const {
  size_t count = pending_.size();
  for (const MappingUnit& unit : units_) count += unit.records.size();
  return static_cast<int64_t>(count);
}

const Record* MappingLane::Lowest() const {
  for (const MappingUnit& unit : units_) {
    if (!unit.records.empty()) return &unit.records.front();
  }
  return pending_.empty() ? nullptr : &pending_.front().record;
}

}  // namespace banyan::inline v0_1::internal
