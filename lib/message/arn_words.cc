// SPDX-License-Identifier: Apache-2.0
#include "message/arn_words.h"

#include "absl/status/statusor.h"
#include "banyan/arn.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

struct ResourceWord {
  std::string_view service;
  std::string_view prefix;  // of the resource
  std::string_view word;
};
constexpr ResourceWord kWords[] = {
    {"sqs", "", "queue"},
    {"events", "event-bus/", "bus"},
    {"events", "rule/", "rule"},
    {"events", "archive/", "archive"},
    {"events", "replay/", "replay"},
    {"kinesis", "stream/", "stream"},
    {"lambda", "function:", "function"},
    {"scheduler", "schedule/default/", "schedule"},
};

}  // namespace

std::string ArnWords(std::string_view arn) {
  const absl::StatusOr<Arn> parsed = Arn::Parse(arn);
  if (!parsed.ok()) return std::string(arn);
  const std::string_view resource = parsed->resource;
  if (parsed->service == "sns") {
    // A subscription's is its topic's with an id behind it.
    return StrCat(resource.find(':') == std::string_view::npos ? "topic " : "subscription ",
                  resource);
  }
  for (const ResourceWord& row : kWords) {
    if (parsed->service != row.service || !resource.starts_with(row.prefix)) continue;
    return StrCat(row.word, " ", resource.substr(row.prefix.size()));
  }
  return std::string(arn);
}

}  // namespace banyan::inline v0_1::internal
