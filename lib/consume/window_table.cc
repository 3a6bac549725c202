// SPDX-License-Identifier: Apache-2.0
#include "consume/window_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace banyan::inline v0_1::internal {

namespace {

// Down to a whole multiple of `step`, before 1970, too.
int64_t FloorTo(int64_t time_ns, int64_t step) {
  const int64_t rest = time_ns % step;
  return time_ns - (rest < 0 ? rest + step : rest);
}

}  // namespace

WindowTable::Outcome WindowTable::Add(const WindowSample& sample, int64_t watermark_ns) {
  return rules_.kind == Windows::Kind::kFixed ? AddToFixed(sample, watermark_ns)
                                              : AddToSession(sample, watermark_ns);
}

WindowTable::Outcome WindowTable::AddToFixed(const WindowSample& sample, int64_t watermark_ns) {
  const int64_t last_start = FloorTo(sample.time_ns, rules_.every_ns);
  const auto is_in = [&](int64_t start_ns) { return start_ns + rules_.length_ns > sample.time_ns; };
  // The windows from the last one back: of those that are over, all before are over, too.
  int64_t first_start = last_start;
  while (is_in(first_start) && !IsOver(first_start + rules_.length_ns, watermark_ns)) {
    first_start -= rules_.every_ns;
  }
  const bool some_are_over = is_in(first_start);
  first_start += rules_.every_ns;
  if (first_start > last_start) return Outcome::kLate;

  // All or none: a record that is counted in some of its windows could not be tried again.
  Place place = {sample.key, 0};
  const auto missing = [&] {
    size_t count = 0;
    for (place.start_ns = first_start; place.start_ns <= last_start;
         place.start_ns += rules_.every_ns) {
      if (!open_.contains(place)) ++count;
    }
    return count;
  };
  // What is given up may be one of these, and is then opened anew.
  for (size_t wanted = missing(); wanted > 0 && open_.size() + wanted > rules_.windows_max;
       wanted = missing()) {
    if (!MakeRoom()) return Outcome::kNoRoom;
  }
  for (place.start_ns = first_start; place.start_ns <= last_start;
       place.start_ns += rules_.every_ns) {
    auto found = open_.find(place);
    if (found == open_.end()) found = OpenWindow(place, place.start_ns + rules_.length_ns);
    Count(sample, &found->second);
  }
  return some_are_over ? Outcome::kPartlyLate : Outcome::kAdded;
}

// A record by itself is a session from its time to the gap's end. What that overlaps becomes one with
// it (W1); so it is late only if that by itself is over, and nothing open takes it in.
WindowTable::Outcome WindowTable::AddToSession(const WindowSample& sample, int64_t watermark_ns) {
  int64_t start_ns = sample.time_ns;
  int64_t end_ns = sample.time_ns + rules_.length_ns;
  const auto behind = open_.lower_bound({sample.key, end_ns});
  auto first = behind;
  while (first != open_.begin()) {
    const auto before = std::prev(first);
    if (before->first.key != sample.key || before->second.end_ns <= start_ns) break;
    first = before;
  }
  if (first == behind) {
    if (IsOver(end_ns, watermark_ns)) return Outcome::kLate;
    if (open_.size() >= rules_.windows_max && !MakeRoom()) return Outcome::kNoRoom;
    Count(sample, &OpenWindow({sample.key, start_ns}, end_ns)->second);
    return Outcome::kAdded;
  }
  // The first one takes in the others and the record.
  by_end_.erase(first);  // W2
  for (auto other = std::next(first); other != behind; other = open_.erase(other)) {
    by_end_.erase(other);
    end_ns = std::max(end_ns, other->second.end_ns);
    first->second.count += other->second.count;
    first->second.values.Merge(other->second.values);
    ++merged_;
  }
  first->second.end_ns = std::max(end_ns, first->second.end_ns);
  Count(sample, &first->second);
  if (start_ns < first->first.start_ns) {
    auto node = open_.extract(first);
    node.key().start_ns = start_ns;
    first = open_.insert(std::move(node)).position;
  }
  by_end_.insert(first);
  return Outcome::kAdded;
}

bool WindowTable::MakeRoom() {
  if (by_end_.empty() || !has_room_to_wait()) return false;
  CloseFront(/*early=*/true);
  return true;
}

WindowTable::Open::iterator WindowTable::OpenWindow(Place place, int64_t end_ns) {
  const auto opened =
      open_.insert({std::move(place), {end_ns, 0, ValueSummary(rules_.percentile_error)}}).first;
  by_end_.insert(opened);
  ++opened_;
  return opened;
}

void WindowTable::Count(const WindowSample& sample, Window* window) {
  ++window->count;
  if (sample.value.has_value()) window->values.Add(*sample.value);
}

void WindowTable::CloseFront(bool early) {
  const Open::iterator front = *by_end_.begin();
  by_end_.erase(by_end_.begin());
  Window& window = front->second;
  waiting_.push_back({.key = front->first.key,
                      .start = absl::FromUnixNanos(front->first.start_ns),
                      .end = absl::FromUnixNanos(window.end_ns),
                      .count = window.count,
                      .values = std::move(window.values),
                      .early = early});
  open_.erase(front);
  if (early) ++closed_early_;
}

bool WindowTable::CloseDue(int64_t watermark_ns) {
  while (!by_end_.empty() && IsOver((*by_end_.begin())->second.end_ns, watermark_ns)) {
    if (!has_room_to_wait()) return false;
    CloseFront(/*early=*/false);
  }
  return true;
}

bool WindowTable::CloseAll() {
  while (!by_end_.empty()) {
    if (!has_room_to_wait()) return false;
    CloseFront(/*early=*/true);
  }
  return true;
}

std::optional<int64_t> WindowTable::NextDue() const {
  if (by_end_.empty()) return std::nullopt;
  return (*by_end_.begin())->second.end_ns + rules_.lateness_ns;
}

}  // namespace banyan::inline v0_1::internal
