// SPDX-License-Identifier: Apache-2.0
#include "tool/progress.h"

#include <algorithm>
#include <string>

#include "base/strings.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::StrAppend;
using internal::StrCat;

constexpr absl::Duration kFirstAfter = absl::Milliseconds(500);
constexpr absl::Duration kEvery = absl::Milliseconds(100);

std::string Megabytes(uint64_t bytes) {
  const uint64_t tenths = bytes / 100'000;
  return StrCat(WithCommas(tenths / 10), ".", tenths % 10, " MB");
}

}  // namespace

std::string WithCommas(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, ",");
  return digits;
}

Progress::Progress(const Io& io, bool enabled) : io_(io), enabled_(enabled) {
  if (!enabled_) return;
  start_ = io_.clock->Uptime();
  next_ = start_ + kFirstAfter;
}

Progress::~Progress() { Clear(); }

void Progress::Show(const ProgressCounts& counts) {
  if (!enabled_) return;
  const absl::Duration now = io_.clock->Uptime();
  if (now < next_) return;
  next_ = now + kEvery;
  is_shown_ = true;

  std::string text = Megabytes(counts.bytes);
  if (counts.bytes_total.has_value() && *counts.bytes_total > 0) {
    // A file that grows while it is read has more than it had.
    const uint64_t percent = std::min<uint64_t>(100, counts.bytes * 100 / *counts.bytes_total);
    StrAppend(&text, " of ", Megabytes(*counts.bytes_total), " (", percent, "%)");
  }
  const double rate = static_cast<double>(counts.events) / absl::ToDoubleSeconds(now - start_);
  StrAppend(&text, ", ", WithCommas(static_cast<uint64_t>(rate)), " events/s, ",
            WithCommas(static_cast<uint64_t>(counts.matched)), " matched");
  // Back to the line's start, and what was there before is erased.
  Output(io_.err).Write(StrCat("\r\033[K", text));
}

void Progress::Clear() {
  if (is_shown_) Output(io_.err).Write("\r\033[K");
  is_shown_ = false;
}

}  // namespace banyan::inline v0_1::tool
