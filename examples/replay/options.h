// SPDX-License-Identifier: Apache-2.0
//
// What replay is told on its command line.
#ifndef BANYAN_EXAMPLES_REPLAY_OPTIONS_H_
#define BANYAN_EXAMPLES_REPLAY_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace replay {

struct Options {
  std::string rules_path;
  std::vector<std::string> event_paths;  // "-" is standard input
  std::string detail_type = "line";      // of events that came without an envelope
  std::optional<int64_t> generate;       // this many made-up events instead of files
  int64_t show_max = 5;                  // unmatched events, and refused lines, shown in full
  bool help = false;
};

absl::StatusOr<Options> ParseOptions(int argc, char** argv);

extern const char kUsage[];

}  // namespace replay

#endif  // BANYAN_EXAMPLES_REPLAY_OPTIONS_H_
