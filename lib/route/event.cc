// SPDX-License-Identifier: Apache-2.0
#include "route/event.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "message/errors.h"
#include "message/trace_rules.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kDepthMax = 1000;  // of the JSON that is put; as JsonReader has it
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

std::string QuotedTime(absl::Time time) {
  return absl::FormatTime("\"%Y-%m-%dT%H:%M:%SZ\"", time, absl::UTCTimeZone());
}

bool IsWritable(absl::Time time) {
  return time >= absl::FromUnixSeconds(0) && time < absl::FromUnixSeconds(253'402'300'800);  // 9999
}

absl::Status MissingArgument(std::string_view name) {
  return Error(AwsError::kBusInvalidArgument, "Parameter ", name, " is not valid. Reason: ", name,
               " is a required argument.");
}

// `field` may name an element; the parameter is what stands before its bracket. The value is not
// shown: it is no text.
absl::Status CheckUtf8(std::string_view parameter, std::string_view field, std::string_view text) {
  const std::optional<size_t> bad = FirstBadUtf8(text);
  if (!bad.has_value()) return absl::OkStatus();
  return Error(AwsError::kBusInvalidArgument, "Parameter ", parameter,
               " is not valid. Reason: ", field, " must be UTF-8; its byte ", *bad + 1, " is ",
               absl::StrFormat("0x%02X", static_cast<unsigned char>(text[*bad])), ".");
}

absl::Status MalformedDetail(std::string_view reason) {
  return Error(AwsError::kBusMalformedDetail, "Detail is malformed. Reason: ", reason, ".");
}

// Where the value of an object's member begins; members count from 0. `json` is an object and has
// that member.
size_t ValueOffset(std::string_view json, size_t member) {
  JsonReader reader(json, kDepthMax);
  reader.Next();
  while (true) {
    reader.Next();  // the name
    reader.Next();
    if (member-- == 0) return reader.begin();
    reader.SkipValue();
  }
}

absl::Status TooLong(std::string_view value, size_t index, std::string_view member, int64_t max) {
  return Error(AwsError::kBusValidation, "1 validation error detected: Value '", value,
               "' at 'entries.", index, ".member.", member,
               "' failed to satisfy constraint: Member must have length less than or equal to ",
               max);
}

// The outline of the compact detail, which is written to *compact. nullopt: it is no object, or has
// more than rules look at; CompactObject() has the last word.
std::optional<EventOutline> ReadDetail(std::string_view detail, Limits limits,
                                       std::string* compact) {
  // The envelope will be around it, with members of its own.
  limits.pattern.depth_max = std::min<int64_t>(kDepthMax, limits.pattern.depth_max) - 1;
  limits.pattern.event_names_max -= kMemberCount;
  absl::StatusOr<CheckedEvent> checked = CheckedEvent::Check(detail, limits);
  if (!checked.ok()) return std::nullopt;
  const size_t end = static_cast<size_t>(checked->json().end() - detail.begin());
  if (detail.find_first_not_of(" \n\r\t", end) != std::string_view::npos) return std::nullopt;
  compact->clear();
  compact->reserve(checked->json().size());
  AppendWithoutSpace(compact, checked->json());
  if (compact->size() != checked->json().size()) {
    // The offsets have moved. Who sends pretty events pays for two looks.
    checked = CheckedEvent::Check(*compact, limits);
    if (!checked.ok()) return std::nullopt;
  }
  return checked->outline();
}

// The outline of an event whose last member is the detail.
EventOutline AroundDetail(EventOutline detail, size_t detail_size, std::string_view event) {
  const auto before = static_cast<uint32_t>(event.size() - detail_size - 1);
  for (EventOutline::Jump& jump : detail.jumps) {
    jump.begin += before;
    jump.end += before;
    ++jump.next;
  }
  detail.jumps.insert(detail.jumps.begin(),
                      {.begin = 0,
                       .end = static_cast<uint32_t>(event.size()),
                       .next = static_cast<uint32_t>(detail.jumps.size()) + 1});
  // The envelope's own names are no paths of each other, so nothing more may repeat.
  detail.has_escapes =
      detail.has_escapes || event.substr(0, before).find('\\') != std::string_view::npos;
  return detail;
}

// False unless `json` is one JSON object and nothing else.
bool CompactObject(std::string_view json, std::string* out) {
  return CompactJson(json, out) && out->starts_with('{');
}

}  // namespace

absl::Status NotAnEvent(std::string_view reason) {
  return Error(AwsError::kBusInvalidArgument, "Parameter Event is not valid. Reason: ", reason,
               ".");
}

std::string ObjectFault(std::string_view json, size_t depth_max) {
  JsonReader reader(json, depth_max);
  const JsonToken first = reader.Next();
  if (first == JsonToken::kEnd) {
    return AtPosition("there is no JSON value in the text", json, reader.position());
  }
  if (first != JsonToken::kStartObject && first != JsonToken::kError) {
    return AtPosition("it is not a JSON object", json, reader.begin());
  }
  if (!reader.SkipValue()) return AtPosition(reader.ErrorText(), json, reader.error_offset());
  reader.AtEndOfText();  // skips white space
  return AtPosition("there is more text behind the JSON object", json, reader.position());
}

int64_t EntryBytes(const EventEntry& entry) {
  size_t bytes = entry.source.size() + entry.detail_type.size() + entry.detail.size();
  for (const std::string& resource : entry.resources) bytes += resource.size();
  return static_cast<int64_t>(bytes) + (entry.time.has_value() ? kTimeBytes : 0);
}

absl::Status ValidateEntriesBytes(int64_t bytes, const Limits& limits) {
  if (bytes <= limits.bus.entries_bytes_max) return absl::OkStatus();
  return Error(AwsError::kBusValidation,
               "Total size of the entries in the request is over the limit. It is ", bytes,
               " bytes; at most ", limits.bus.entries_bytes_max, " are allowed.");
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
  if (const std::string rule = BrokenTraceRule(entry.trace_header); !rule.empty()) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value at 'entries.", index,
                 ".member.traceHeader' failed to satisfy constraint: Member must ", rule);
  }
  return absl::OkStatus();
}

namespace {

// Answers their bytes.
absl::StatusOr<int64_t> ValidateEntries(size_t count,
                                        absl::FunctionRef<const EventEntry&(size_t)> entry,
                                        const Limits& limits) {
  const int64_t max = limits.bus.entries_max;
  if (count == 0 || static_cast<int64_t>(count) > max) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '[", count,
                 " entries]' at 'entries' failed to satisfy constraint: Member must have length ",
                 count == 0 ? "greater than or equal to 1" : StrCat("less than or equal to ", max));
  }
  int64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    BANYAN_RETURN_IF_ERROR(ValidateEntryShape(entry(i), i + 1, limits));
    bytes += EntryBytes(entry(i));
  }
  BANYAN_RETURN_IF_ERROR(ValidateEntriesBytes(bytes, limits));
  return bytes;
}

}  // namespace

absl::Status AdmitEntries(size_t count, absl::FunctionRef<const EventEntry&(size_t)> entry,
                          Environment& env) {
  const absl::StatusOr<int64_t> bytes = ValidateEntries(count, entry, env.limits);
  if (!bytes.ok()) {
    env.put_events.failed_calls.fetch_add(1, std::memory_order_relaxed);
    return bytes.status();
  }
  env.put_events.request_size.Add(*bytes);
  env.put_events.entries.fetch_add(static_cast<int64_t>(count), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::StatusOr<Event> MakeEvent(const EventEntry& entry, Id id, absl::Time now,
                                const Environment& env) {
  if (entry.source.empty()) return MissingArgument("Source");
  if (entry.detail_type.empty()) return MissingArgument("DetailType");
  if (entry.detail.empty()) return MissingArgument("Detail");
  BANYAN_RETURN_IF_ERROR(CheckUtf8("Source", "Source", entry.source));
  BANYAN_RETURN_IF_ERROR(CheckUtf8("DetailType", "DetailType", entry.detail_type));
  for (size_t i = 0; i < entry.resources.size(); ++i) {
    BANYAN_RETURN_IF_ERROR(
        CheckUtf8("Resources", StrCat("Resources[", i, "]"), entry.resources[i]));
  }
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
  std::optional<EventOutline> outline = ReadDetail(entry.detail, env.limits, &members[kDetail]);
  if (!outline.has_value() && !CompactObject(entry.detail, &members[kDetail])) {
    return MalformedDetail(ObjectFault(entry.detail, kDepthMax));
  }
  members[kVersion] = "\"0\"";
  members[kId] = StrCat("\"", id.ToString(), "\"");
  AppendJsonString(&members[kDetailType], entry.detail_type);
  AppendJsonString(&members[kSource], entry.source);
  members[kAccount] = StrCat("\"", env.account, "\"");
  members[kTime] = QuotedTime(time);
  members[kRegion] = StrCat("\"", env.region, "\"");
  members[kResources] = "[";
  for (const std::string& resource : entry.resources) {
    if (members[kResources].size() > 1) members[kResources].push_back(',');
    AppendJsonString(&members[kResources], resource);
  }
  members[kResources].push_back(']');
  Event event = {id, envelope.Write()};
  const bool fits = static_cast<int64_t>(event.json.size()) <= env.limits.pattern.event_bytes_max;
  if (outline.has_value() && fits) {
    event.outline = AroundDetail(*std::move(outline), members[kDetail].size(), event.json);
  }
  return event;
}

absl::StatusOr<Event> ReadEvent(std::string_view event_json, Id new_id, absl::Time now,
                                const Environment& env) {
  std::string compact;
  if (!CompactObject(event_json, &compact)) return NotAnEvent(ObjectFault(event_json, kDepthMax));
  BANYAN_RETURN_IF_ERROR(ValidateEntriesBytes(static_cast<int64_t>(compact.size()), env.limits));

  Envelope envelope;
  auto& members = envelope.members;
  std::string source;
  absl::Time time = now;
  Id id = new_id;
  JsonReader reader(compact, kDepthMax);
  reader.Next();
  for (size_t member = 0; reader.Next() == JsonToken::kName; ++member) {
    // Positions are those of the text as it came.
    const auto here = [&](std::string_view reason) {
      return AtPosition(reason, event_json, ValueOffset(event_json, member));
    };
    size_t m = 0;
    while (m < kMemberCount && kMemberNames[m] != reader.text()) ++m;
    const std::string name(reader.raw());
    const JsonToken token = reader.Next();
    const size_t begin = reader.begin();
    if (m == kDetail && token != JsonToken::kStartObject) {
      return MalformedDetail(here("it is not a JSON object"));
    }
    if (m == kResources && token != JsonToken::kStartArray) {
      return NotAnEvent(here("resources is not an array"));
    }
    if (m < kResources && token != JsonToken::kString) {
      return NotAnEvent(here(StrCat(kMemberNames[m], " is not a string")));
    }
    if (m == kSource) source = reader.text();
    if (m == kTime && !reader.text().empty()) {
      std::string reason;
      if (!absl::ParseTime(absl::RFC3339_full, ToAbsl(reader.text()), &time, &reason) ||
          !IsWritable(time)) {
        return NotAnEvent(
            here(StrCat("time \"", reader.text(), "\" is not a time as 2026-01-31T23:59:59Z")));
      }
    }
    if (m == kId) id = Id::Parse(reader.text()).value_or(new_id);
    reader.SkipValue();  // cannot fail: what CompactObject() wrote is JSON
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
  members[kTime] = QuotedTime(time);
  if (members[kVersion].empty()) members[kVersion] = "\"0\"";
  if (members[kId].size() <= 2) members[kId] = StrCat("\"", id.ToString(), "\"");
  if (members[kAccount].empty()) members[kAccount] = StrCat("\"", env.account, "\"");
  if (members[kRegion].empty()) members[kRegion] = StrCat("\"", env.region, "\"");
  if (members[kResources].empty()) members[kResources] = "[]";
  return Event{id, envelope.Write()};
}

}  // namespace banyan::inline v0_1::internal
