// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/progress.h -- floor 7: one line on the terminal that says how far a long run is.
#ifndef BANYAN_LIB_TOOL_PROGRESS_H_
#define BANYAN_LIB_TOOL_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "tool/io.h"

namespace banyan::inline v0_1::tool {

struct ProgressCounts {
  uint64_t bytes = 0;
  std::optional<uint64_t> bytes_total;  // nothing: a pipe, nobody knows
  int64_t events = 0;
  int64_t matched = 0;
};

// The line is written over itself, ten times a second at most and never in the first half second,
// and it is gone when this object is. Not `enabled`: nothing is written, no clock is read.
class Progress {
 public:
  Progress(const Io& io, bool enabled);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(const ProgressCounts& counts);
  void Clear();

 private:
  const Io& io_;
  const bool enabled_;
  absl::Duration start_;
  absl::Duration next_;
  bool is_shown_ = false;
};

// 1234567 -> "1,234,567"
std::string WithCommas(uint64_t number);

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_PROGRESS_H_
