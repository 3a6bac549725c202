// SPDX-License-Identifier: Apache-2.0
//
// What the larger examples need to talk to a person: a progress line and readable numbers.
#ifndef BANYAN_EXAMPLES_COMMON_TERMINAL_H_
#define BANYAN_EXAMPLES_COMMON_TERMINAL_H_

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace examples {

// 1234567 -> "1,234,567"
inline std::string WithCommas(int64_t number) {
  std::string digits = std::to_string(number < 0 ? -number : number);
  for (size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, ",");
  return number < 0 ? "-" + digits : digits;
}

// Reads the whole text as a number that is not negative.
inline std::optional<int64_t> ParseCount(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  int64_t number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

// One line on standard error that is overwritten. Where standard error is no terminal, a log file
// say, it becomes a line every two seconds.
class Progress {
 public:
  bool Due(absl::Duration now) const { return now >= next_; }

  void Show(absl::Duration now, const std::string& text) {
    next_ = now + (is_terminal_ ? absl::Milliseconds(100) : absl::Seconds(2));
    std::fprintf(stderr, is_terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
    std::fflush(stderr);
  }

  void Clear() {
    if (is_terminal_) std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) != 0;
  absl::Duration next_ = is_terminal_ ? absl::ZeroDuration() : absl::Seconds(2);
};

}  // namespace examples

#endif  // BANYAN_EXAMPLES_COMMON_TERMINAL_H_
