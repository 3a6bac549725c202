// SPDX-License-Identifier: Apache-2.0
#include "route/archived_event.h"

#include <algorithm>

#include "absl/time/civil_time.h"
#include "base/check.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kTimeMember = "\"time\":\"";
constexpr std::string_view kRegionMember = "\",\"region\":\"";
constexpr std::string_view kReplayNameMember = ",\"replay-name\":";

// "2026-01-31T23:59:59Z", as event.cc writes it.
constexpr size_t kTimeSize = 20;

int64_t UnixSeconds(std::string_view time) {
  const auto number = [time](size_t at, size_t digits) {
    int64_t value = 0;
    for (size_t i = at; i < at + digits; ++i) value = value * 10 + (time[i] - '0');
    return value;
  };
  const absl::CivilSecond second(number(0, 4), number(5, 2), number(8, 2), number(11, 2),
                                 number(14, 2), number(17, 2));
  return second - absl::CivilSecond(1970, 1, 1);
}

// What every event's text has that SizeBytes does not count; 14 of the time it does.
constexpr std::string_view kAlike =
    R"({"version":"0","id":"00000000-0000-0000-0000-000000000000","detail-type":"","source":"",)"
    R"("account":"","time":"000000","region":"","resources":[],"detail":})";

}  // namespace

EventHead ReadEventHead(std::string_view json) {
  // A quote within a string is escaped, so the first hit is the member: all before it are strings.
  const size_t time = json.find(kTimeMember);
  BANYAN_CHECK(
      time != std::string_view::npos && time + kTimeMember.size() + kTimeSize < json.size(),
      "an event has a time");
  const size_t time_value = time + kTimeMember.size();
  size_t at = time_value + kTimeSize;
  BANYAN_CHECK(json.substr(at).starts_with(kRegionMember), "region follows time");
  at += kRegionMember.size();
  while (json[at] != '"') at += json[at] == '\\' ? 2 : 1;
  ++at;
  return {.unix_seconds = UnixSeconds(json.substr(time_value, kTimeSize)),
          .has_replay_name = json.substr(at).starts_with(kReplayNameMember),
          .replay_name_place = at};
}

int64_t ArchivedSize(std::string_view event_json, std::string_view region) {
  const auto alike = static_cast<int64_t>(kAlike.size() + region.size());
  return std::max<int64_t>(static_cast<int64_t>(event_json.size()) - alike, 0);
}

MessageRef MakeReplayed(const Message& archived, std::string_view name, const Instant& now) {
  const std::string_view json = archived.body.view();
  const size_t place = ReadEventHead(json).replay_name_place;
  const std::string text =
      StrCat(json.substr(0, place), kReplayNameMember, "\"", name, "\"", json.substr(place));
  return MakeMessage({.id = archived.id,
                      .event_id = archived.event_id,
                      .accepted = now,
                      .trace_header = archived.trace_header(),
                      .body = Payload(text)});
}

}  // namespace banyan::inline v0_1::internal
