// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <string_view>

#include "../common/terminal.h"
#include "absl/status/status.h"

namespace replay {

const char kUsage[] =
    R"(replay RULES.json [EVENTS.ndjson...]   routes events by rules, and counts

Reads one JSON object per line from the files, or from standard input. Objects with a source, a
detail-type and a detail are events; others are wrapped into one.

  --detail-type TYPE   type of events that came without an envelope (default: line)
  --generate N         N made-up events instead of files; some lines are bad on purpose
  --show K             unmatched events and refused lines shown in full (default: 5)
  --help

Exit code 0: all lines were read. 1: the books do not balance. 2: a file or rule was refused.
)";

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help") {
      options.help = true;
      return options;
    }
    if (!flag.starts_with("--")) {
      paths.emplace_back(flag);
      continue;
    }
    if (flag != "--detail-type" && flag != "--generate" && flag != "--show") {
      return absl::InvalidArgumentError("unknown option " + std::string(flag));
    }
    if (i + 1 == argc) return absl::InvalidArgumentError(std::string(flag) + " wants a value");
    const std::string_view value = argv[++i];
    if (flag == "--detail-type") {
      options.detail_type = value;
      continue;
    }
    const std::optional<int64_t> count = examples::ParseCount(value);
    if (!count.has_value()) {
      return absl::InvalidArgumentError(std::string(flag) + " wants a number, not " +
                                        std::string(value));
    }
    if (flag == "--generate") options.generate = *count;
    if (flag == "--show") options.show_max = *count;
  }
  if (paths.empty()) return absl::InvalidArgumentError("a rules file is missing");
  options.rules_path = paths.front();
  options.event_paths.assign(paths.begin() + 1, paths.end());
  if (options.generate.has_value() && !options.event_paths.empty()) {
    return absl::InvalidArgumentError("either --generate or files of events, not both");
  }
  if (options.event_paths.empty()) options.event_paths.emplace_back("-");
  return options;
}

}  // namespace replay
