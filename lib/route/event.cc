// SPDX-License-Identifier: Apache-2.0
#include "route/event.h"

#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kTraceHeaderMax = 500;
constexpr int64_t kTimeBytes = 14;  // what a given time counts for, whatever its text

// The members of the envelope in their order. The texts are JSON, quotes included; an empty one is
// left out.
enum Member : size_t {
  kVersion,
  kId,
  kDetailType,
  kSource,
  kAccount,
  kTime,
  kRegion,
  kReplayName,
  kResources,
  kDetail,
  kMemberCount
};
constexpr std::array<std::string_view, kMemberCount> kMemberNames = {
    "version", "id",     "detail-type", "source",    "account",
    "time",    "region", "replay-name", "resources", "detail"};

struct Envelope {
  std::array<std::string, kMemberCount> members;
  std::string others;  // "name":value pairs, each with a comma in front

  std::string Write() const {
    size_t bytes = 2 + others.size();
    for (size_t m = 0; m < kMemberCount; ++m)
      bytes += kMemberNames[m].size() + members[m].size() + 4;
    std::string json;
    json.reserve(bytes);
    for (size_t m = 0; m < kMemberCount; ++m) {
      if (members[m].empty()) continue;
      json.append(json.empty() ? "{\"" : ",\"").append(kMemberNames[m]).append("\":");
      json.append(members[m]);
    }
    return json.append(others).append("}");
  }
};

std::string TimeText(absl::Time time) {
  return absl::FormatTime("\"%Y-%m-%dT%H:%M:%SZ\"", time, absl::UTCTimeZone());
}

bool IsWritable(absl::Time time) {
  return time >= absl::FromUnixSeconds(0) && time < absl::FromUnixSeconds(253'402'300'800);  // 9999
}

int64_t Utf8Characters(std::string_view text) {
  int64_t count = 0;
  for (char c : text) count += IsUtf8Continuation(c) ? 0 : 1;
  return count;
}

absl::Status MissingArgument(std::string_view name) {
  return Error(AwsError::kBusInvalidArgument, "Parameter ", name, " is not valid. Reason: ", name,
               " is a required argument.");
}

absl::Status MalformedDetail() {
  return Error(AwsError::kBusMalformedDetail, "Detail is malformed.");
}

absl::Status TooLong(std::string_view value, size_t index, std::string_view member, int64_t max) {
  return Error(AwsError::kBusValidation, "1 validation error detected: Value '", value,
               "' at 'entries.", index, ".member.", member,
               "' failed to satisfy constraint: Member must have length less than or equal to ",
               max);
}

// False unless `json` is one JSON object and nothing else.
bool CompactObject(std::string_view json, std::string* out) {
  return CompactJson(json, out) && out->starts_with('{');
}

absl::Status NotAnEvent(std::string_view reason) {
  return Error(AwsError::kBusInvalidArgument, "Parameter Event is not valid. Reason: ", reason);
}

}  // namespace

int64_t EntryBytes(const EventEntry& entry) {
  size_t bytes = entry.source.size() + entry.detail_type.size() + entry.detail.size();
  for (const std::string& resource : entry.resources) bytes += resource.size();
  return static_cast<int64_t>(bytes) + (entry.time.has_value() ? kTimeBytes : 0);
}

absl::Status ValidateEntriesBytes(int64_t bytes, const Limits& limits) {
  if (bytes <= limits.bus.entries_bytes_max) return absl::OkStatus();
  return Error(AwsError::kBusValidation,
               "Total size of the entries in the request is over the limit.");
}

absl::Status ValidateEntryShape(const EventEntry& entry, size_t index, const Limits& limits) {
  if (Utf8Characters(entry.detail_type) > limits.bus.detail_type_max) {
    return TooLong(entry.detail_type, index, "detailType", limits.bus.detail_type_max);
  }
  for (const std::string& resource : entry.resources) {
    if (Utf8Characters(resource) > limits.bus.resource_max) {
      return TooLong(resource, index, "resources", limits.bus.resource_max);
    }
  }
  if (static_cast<int64_t>(entry.trace_header.size()) > kTraceHeaderMax) {
    return TooLong(entry.trace_header, index, "traceHeader", kTraceHeaderMax);
  }
  return absl::OkStatus();
}

absl::StatusOr<Event> MakeEvent(const EventEntry& entry, Id id, absl::Time now,
                                const Environment& env) {
  if (entry.source.empty()) return MissingArgument("Source");
  if (entry.detail_type.empty()) return MissingArgument("DetailType");
  if (entry.detail.empty()) return MissingArgument("Detail");
  if (env.limits.bus.aws_sources_reserved && entry.source.starts_with("aws.")) {
    return Error(AwsError::kBusNotAuthorizedForSource, "Not authorized for the source.");
  }
  const absl::Time time = entry.time.value_or(now);
  if (!IsWritable(time)) {
    return Error(AwsError::kBusInvalidArgument,
                 "Parameter Time is not valid. Reason: ", absl::FormatTime(time),
                 " is not within the years 1970 to 9999.");
  }

  Envelope envelope;
  auto& members = envelope.members;
  if (!CompactObject(entry.detail, &members[kDetail])) return MalformedDetail();
  members[kVersion] = "\"0\"";
  members[kId] = StrCat("\"", id.ToString(), "\"");
  AppendJsonString(&members[kDetailType], entry.detail_type);
  AppendJsonString(&members[kSource], entry.source);
  members[kAccount] = StrCat("\"", env.account, "\"");
  members[kTime] = TimeText(time);
  members[kRegion] = StrCat("\"", env.region, "\"");
  members[kResources] = "[";
  for (const std::string& resource : entry.resources) {
    if (members[kResources].size() > 1) members[kResources].push_back(',');
    AppendJsonString(&members[kResources], resource);
  }
  members[kResources].push_back(']');
  return Event{id, envelope.Write()};
}

absl::StatusOr<Event> ReadEvent(std::string_view event_json, Id new_id, absl::Time now,
                                const Environment& env) {
  std::string compact, error;
  if (!CompactJson(event_json, &compact, &error)) return NotAnEvent(error);
  if (!compact.starts_with('{')) return NotAnEvent("it is not a JSON object");
  BANYAN_RETURN_IF_ERROR(ValidateEntriesBytes(static_cast<int64_t>(compact.size()), env.limits));

  Envelope envelope;
  auto& members = envelope.members;
  std::string source, time_text;
  Id id = new_id;
  JsonReader reader(compact);
  reader.Next();
  while (reader.Next() == JsonToken::kName) {
    size_t m = 0;
    while (m < kMemberCount && kMemberNames[m] != reader.text()) ++m;
    const std::string name(reader.raw());
    const JsonToken token = reader.Next();
    const size_t begin = reader.begin();
    if (m == kDetail && token != JsonToken::kStartObject) return MalformedDetail();
    if (m == kResources && token != JsonToken::kStartArray) {
      return NotAnEvent("resources is not an array");
    }
    if (m < kResources && token != JsonToken::kString) {
      return NotAnEvent(StrCat(kMemberNames[m], " is not a string"));
    }
    if (m == kSource) source = reader.text();
    if (m == kTime) time_text = reader.text();
    if (m == kId) id = Id::Parse(reader.text()).value_or(new_id);
    if (!reader.SkipValue()) return NotAnEvent(reader.ErrorText());
    const std::string_view value = std::string_view(compact).substr(begin, reader.end() - begin);
    if (m < kMemberCount) {
      members[m] = value;
    } else {
      StrAppend(&envelope.others, ",", name, ":", value);
    }
  }

  if (source.empty()) return MissingArgument("Source");
  if (members[kDetailType].size() <= 2) return MissingArgument("DetailType");
  if (members[kDetail].empty()) return MissingArgument("Detail");
  absl::Time time = now;
  if (!time_text.empty()) {
    std::string reason;
    if (!absl::ParseTime(absl::RFC3339_full, ToAbsl(time_text), &time, &reason) ||
        !IsWritable(time)) {
      return NotAnEvent(StrCat("time \"", time_text, "\" is not a time as 2026-01-31T23:59:59Z"));
    }
  }
  members[kTime] = TimeText(time);
  if (members[kVersion].empty()) members[kVersion] = "\"0\"";
  if (members[kId].size() <= 2) members[kId] = StrCat("\"", id.ToString(), "\"");
  if (members[kAccount].empty()) members[kAccount] = StrCat("\"", env.account, "\"");
  if (members[kRegion].empty()) members[kRegion] = StrCat("\"", env.region, "\"");
  if (members[kResources].empty()) members[kResources] = "[]";
  return Event{id, envelope.Write()};
}

}  // namespace banyan::inline v0_1::internal
