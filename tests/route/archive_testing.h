// SPDX-License-Identifier: Apache-2.0
//
// What the tests of archives and replays share: a broker on simulated time, seen through the public
// API, with a bus "shop".
#ifndef BANYAN_TESTS_ROUTE_ARCHIVE_TESTING_H_
#define BANYAN_TESTS_ROUTE_ARCHIVE_TESTING_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/broker.h"
#include "banyan/error.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shared_testing.h"

namespace banyan {

inline constexpr absl::Duration kDay = absl::Hours(24);

// The text of a member of an event's envelope; empty if it has none of that name.
inline std::string MemberOf(std::string_view event, const std::string& name) {
  const std::string begin = "\"" + name + "\":\"";
  const size_t at = event.find(begin);
  if (at == std::string_view::npos) return "";
  const std::string_view value = event.substr(at + begin.size());
  return std::string(value.substr(0, value.find('"')));
}

inline std::vector<std::string> MembersOf(const std::vector<std::string>& events,
                                          const std::string& name) {
  std::vector<std::string> values;
  for (const std::string& event : events) values.push_back(MemberOf(event, name));
  return values;
}

// "ValidationException: text", as one would see it of an SDK.
inline std::string Refusal(const absl::Status& status) {
  if (status.ok()) return "OK";
  const AwsErrorRow* row = FindAwsError(status);
  return (row == nullptr ? "?" : std::string(row->code)) + ": " + std::string(status.message());
}

class ArchiveFixture : public ::testing::Test {
 protected:
  ArchiveFixture() : ArchiveFixture(Limits::Aws()) {}
  explicit ArchiveFixture(const Limits& limits)
      : broker_(Broker::Create(runtime_, {.limits = limits}).value()),
        bus_(broker_.CreateEventBus("shop").value()) {}

  // Its detail type says which one it is.
  Id Put(const std::string& what, std::optional<absl::Time> time = std::nullopt,
         const std::string& detail = "{}") {
    return bus_.Put({.source = "s", .detail_type = what, .detail = detail, .time = time}).value();
  }

  ArchiveDescription Make(std::string_view name, ArchiveOptions options = {}) {
    if (options.bus == "default") options.bus = "shop";
    return broker_.CreateArchive(name, std::move(options)).value();
  }
  ArchiveDescription Look(std::string_view name) { return broker_.DescribeArchive(name).value(); }
  ReplayDescription Replay(std::string_view name) { return broker_.DescribeReplay(name).value(); }

  // A queue with a rule of the same name in front of it, for every event.
  Queue Listen(const std::string& name, const std::string& pattern = R"({"source":["s"]})") {
    const Queue queue = broker_.CreateQueue(name).value();
    bus_.PutRule(name, {.pattern = pattern, .targets = {queue}}).value();
    return queue;
  }

  static std::vector<std::string> DrainTypes(const Queue& queue) {
    return MembersOf(DrainBodies(queue), "detail-type");
  }

  absl::Time At(int seconds) const { return start_ + absl::Seconds(seconds); }

  testing::SimulatedRuntime runtime_;
  const absl::Time start_ = runtime_.Now();
  Broker broker_;
  EventBus bus_;
};

}  // namespace banyan

#endif  // BANYAN_TESTS_ROUTE_ARCHIVE_TESTING_H_
