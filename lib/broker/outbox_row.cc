// SPDX-License-Identifier: Apache-2.0
#include "broker/outbox_row.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kVersionMember = "banyan_outbox";
constexpr std::string_view kVersion = "1";
constexpr size_t kDepthMax = 100;

// Kinds in the order of OutboxLetter's variant; bits of them say whose a member is.
constexpr std::array<std::string_view, 3> kKinds = {"topic", "queue", "bus"};
constexpr unsigned kOfTopic = 1;
constexpr unsigned kOfQueue = 2;
constexpr unsigned kOfBus = 4;
constexpr unsigned kOfAll = 7;

enum class Form { kText, kNumber, kTrue, kAttributes, kTexts };

struct Member {
  std::string_view name;
  Form form;
  unsigned kinds;
};

constexpr std::array<Member, 17> kMembers = {{
    {kVersionMember, Form::kNumber, kOfAll},
    {"kind", Form::kText, kOfAll},
    {"id", Form::kText, kOfAll},
    {"arn", Form::kText, kOfAll},
    {"body", Form::kText, kOfTopic | kOfQueue},
    {"subject", Form::kText, kOfTopic},
    {"json_structure", Form::kTrue, kOfTopic},
    {"attributes", Form::kAttributes, kOfTopic | kOfQueue},
    {"group", Form::kText, kOfTopic | kOfQueue},
    {"deduplication", Form::kText, kOfTopic | kOfQueue},
    {"delay_ns", Form::kNumber, kOfQueue},
    {"trace", Form::kText, kOfAll},
    {"source", Form::kText, kOfBus},
    {"detail_type", Form::kText, kOfBus},
    {"detail", Form::kText, kOfBus},
    {"time", Form::kText, kOfBus},
    {"resources", Form::kTexts, kOfBus},
}};

const Member* FindMember(std::string_view name) {
  const auto found = std::find_if(kMembers.begin(), kMembers.end(),
                                  [name](const Member& member) { return member.name == name; });
  return found == kMembers.end() ? nullptr : &*found;
}

// --- Writing

void AppendText(std::string* out, std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = Utf8Length(rest);
    if (length == 0) {
      return StrAppend(out, "{\"base64\":\"", absl::Base64Escape(ToAbsl(text)), "\"}");
    }
    rest.remove_prefix(length);
  }
  AppendJsonString(out, text);
}

void AppendMember(std::string* out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  StrAppend(out, ",\"", name, "\":");
  AppendText(out, text);
}

void AppendAttributes(std::string* out, const Attributes& attributes) {
  if (attributes.empty()) return;
  out->append(",\"attributes\":{");
  for (const auto& [name, value] : attributes) {
    if (out->back() != '{') out->push_back(',');
    AppendJsonString(out, name);
    out->append(":{\"type\":");
    AppendText(out, value.type);
    out->append(",\"value\":");
    AppendText(out, value.value);
    out->push_back('}');
  }
  out->push_back('}');
}

struct MembersOf {
  std::string* out;

  void operator()(const PublishRequest& request) const {
    AppendMember(out, "body", request.body.view());
    AppendMember(out, "subject", request.subject);
    if (request.json_structure) out->append(",\"json_structure\":true");
    AppendAttributes(out, request.attributes);
    AppendMember(out, "group", request.message_group_id);
    AppendMember(out, "deduplication", request.message_deduplication_id);
    AppendMember(out, "trace", request.trace_header);
  }

  void operator()(const SendRequest& request) const {
    AppendMember(out, "body", request.body.view());
    AppendAttributes(out, request.attributes);
    AppendMember(out, "group", request.message_group_id);
    AppendMember(out, "deduplication", request.message_deduplication_id);
    if (request.delay.has_value()) {
      StrAppend(out, ",\"delay_ns\":", absl::ToInt64Nanoseconds(*request.delay));
    }
    AppendMember(out, "trace", request.trace_header);
  }

  void operator()(const EventEntry& entry) const {
    AppendMember(out, "source", entry.source);
    AppendMember(out, "detail_type", entry.detail_type);
    AppendMember(out, "detail", entry.detail);
    if (entry.time.has_value()) {
      AppendMember(out, "time",
                   absl::FormatTime(absl::RFC3339_full, *entry.time, absl::UTCTimeZone()));
    }
    if (!entry.resources.empty()) {
      out->append(",\"resources\":[");
      for (const std::string& resource : entry.resources) {
        if (out->back() != '[') out->push_back(',');
        AppendText(out, resource);
      }
      out->push_back(']');
    }
    AppendMember(out, "trace", entry.trace_header);
  }
};

// --- Reading

template <typename... T>
absl::Status BadRow(const T&... reason) {
  return absl::DataLossError(StrCat("This is no outbox row: ", reason...));
}

// What the members of a row say, before anybody asks whether they go together.
struct Fields {
  std::map<std::string, std::string, std::less<>> texts;  // and numbers, as they are written
  Attributes attributes;
  std::vector<std::string> resources;
  std::vector<const Member*> seen;
  std::string unknown;  // the first member that is none

  std::string Take(std::string_view name) {
    const auto found = texts.find(name);
    return found == texts.end() ? std::string() : std::move(found->second);
  }
  bool Has(std::string_view name) const { return texts.contains(name); }
};

class RowReader {
 public:
  explicit RowReader(std::string_view row) : json_(row, kDepthMax) {}

  absl::StatusOr<Fields> Read() {
    Fields fields;
    if (json_.Next() != JsonToken::kStartObject) {
      if (json_.token() == JsonToken::kError) return Broken();
      return BadRow("it is no JSON object");
    }
    while (json_.Next() == JsonToken::kName) {
      const std::string name(json_.text());
      const Member* member = FindMember(name);
      json_.Next();
      if (member == nullptr) {
        // Not the last word: a row of a later version is better called that.
        if (fields.unknown.empty()) fields.unknown = name;
        if (!json_.SkipValue()) return Broken();
        continue;
      }
      if (std::find(fields.seen.begin(), fields.seen.end(), member) != fields.seen.end()) {
        return BadRow("it has two members ", name);
      }
      fields.seen.push_back(member);
      BANYAN_RETURN_IF_ERROR(ReadValue(*member, &fields));
    }
    if (json_.token() == JsonToken::kError) return Broken();
    if (!json_.AtEndOfText()) return BadRow("there is more text behind the JSON object");
    return fields;
  }

 private:
  absl::Status Broken() const { return BadRow(json_.ErrorText()); }

  absl::Status Wrong(std::string_view name, std::string_view what) const {
    if (json_.token() == JsonToken::kError) return Broken();
    return BadRow(name, " is not ", what, ", at byte ", json_.begin() + 1);
  }

  absl::Status ReadValue(const Member& member, Fields* fields) {
    switch (member.form) {
      case Form::kText:
        return ReadText(member.name, &fields->texts[std::string(member.name)]);
      case Form::kNumber:
        if (json_.token() != JsonToken::kNumber) return Wrong(member.name, "a number");
        fields->texts[std::string(member.name)] = json_.text();
        return absl::OkStatus();
      case Form::kTrue:
        if (json_.token() != JsonToken::kTrue) return Wrong(member.name, "true");
        fields->texts[std::string(member.name)] = json_.text();
        return absl::OkStatus();
      case Form::kAttributes:
        return ReadAttributes(&fields->attributes);
      case Form::kTexts:
        return ReadTexts(member.name, &fields->resources);
    }
    return absl::OkStatus();  // not reached
  }

  // A string, or {"base64":"..."}.
  absl::Status ReadText(std::string_view name, std::string* text) {
    if (json_.token() == JsonToken::kString) {
      *text = json_.text();
      return absl::OkStatus();
    }
    if (json_.token() != JsonToken::kStartObject || json_.Next() != JsonToken::kName ||
        json_.text() != "base64" || json_.Next() != JsonToken::kString) {
      return Wrong(name, "a text");
    }
    if (!absl::Base64Unescape(ToAbsl(json_.text()), text)) return Wrong(name, "in base64");
    if (json_.Next() != JsonToken::kEndObject) return Wrong(name, "a text");
    return absl::OkStatus();
  }

  absl::Status ReadTexts(std::string_view name, std::vector<std::string>* texts) {
    if (json_.token() != JsonToken::kStartArray) return Wrong(name, "an array");
    while (json_.Next() != JsonToken::kEndArray) {
      BANYAN_RETURN_IF_ERROR(ReadText(name, &texts->emplace_back()));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAttributes(Attributes* attributes) {
    if (json_.token() != JsonToken::kStartObject) return Wrong("attributes", "an object");
    while (json_.Next() == JsonToken::kName) {
      const std::string name(json_.text());
      if (json_.Next() != JsonToken::kStartObject) return Wrong(name, "an object");
      std::optional<std::string> type;
      std::optional<std::string> value;
      while (json_.Next() == JsonToken::kName) {
        const std::string part(json_.text());
        std::optional<std::string>* text = part == "type" ? &type : &value;
        if ((part != "type" && part != "value") || text->has_value()) {
          return BadRow("the attribute ", name, " has one member ", part, " too many");
        }
        json_.Next();
        BANYAN_RETURN_IF_ERROR(ReadText(part, &text->emplace()));
      }
      if (json_.token() == JsonToken::kError) return Broken();
      if (!type.has_value() || !value.has_value()) {
        return BadRow("the attribute ", name, " lacks a type or a value");
      }
      if (attributes->Find(name) != nullptr) return BadRow("it has two attributes ", name);
      attributes->Set(name, AttributeValue(*type, *value));
    }
    return json_.token() == JsonToken::kError ? Broken() : absl::OkStatus();
  }

  JsonReader json_;
};

PublishRequest TakePublish(Fields* fields) {
  return {.body = fields->Take("body"),
          .subject = fields->Take("subject"),
          .attributes = std::move(fields->attributes),
          .trace_header = fields->Take("trace"),
          .message_group_id = fields->Take("group"),
          .message_deduplication_id = fields->Take("deduplication"),
          .json_structure = fields->Has("json_structure")};
}

absl::StatusOr<SendRequest> TakeSend(Fields* fields) {
  SendRequest request = {.body = fields->Take("body"),
                         .attributes = std::move(fields->attributes),
                         .trace_header = fields->Take("trace"),
                         .message_group_id = fields->Take("group"),
                         .message_deduplication_id = fields->Take("deduplication")};
  if (fields->Has("delay_ns")) {
    const std::string text = fields->Take("delay_ns");
    int64_t delay_ns = 0;
    if (!absl::SimpleAtoi(text, &delay_ns)) return BadRow("delay_ns is ", text);
    request.delay = absl::Nanoseconds(delay_ns);
  }
  return request;
}

absl::StatusOr<EventEntry> TakeEntry(Fields* fields) {
  EventEntry entry = {.source = fields->Take("source"),
                      .detail_type = fields->Take("detail_type"),
                      .detail = fields->Take("detail"),
                      .resources = std::move(fields->resources),
                      .trace_header = fields->Take("trace")};
  if (fields->Has("time")) {
    const std::string text = fields->Take("time");
    absl::Time time;
    std::string reason;
    if (!absl::ParseTime(absl::RFC3339_full, text, &time, &reason)) {
      return BadRow("time is ", JsonString(text), ": ", reason);
    }
    entry.time = time;
  }
  return entry;
}

}  // namespace

std::string WriteOutboxRow(const OutboxLetter& letter) {
  std::string row = StrCat("{\"", kVersionMember, "\":", kVersion);
  AppendMember(&row, "kind", kKinds[letter.request.index()]);
  AppendMember(&row, "id", letter.id.ToString());
  AppendMember(&row, "arn", letter.arn);
  std::visit(MembersOf{&row}, letter.request);
  row.push_back('}');
  return row;
}

absl::StatusOr<OutboxLetter> ReadOutboxRow(std::string_view row) {
  BANYAN_ASSIGN_OR_RETURN(Fields fields, RowReader(row).Read());
  if (!fields.Has(kVersionMember)) return BadRow("it has no member ", kVersionMember);
  if (const std::string version = fields.Take(kVersionMember); version != kVersion) {
    return BadRow("its version is ", version, ", and this library reads ", kVersion);
  }
  if (!fields.unknown.empty()) return BadRow("it has an unknown member ", fields.unknown);

  const std::string kind_text = fields.Take("kind");
  const auto kind =
      static_cast<size_t>(std::find(kKinds.begin(), kKinds.end(), kind_text) - kKinds.begin());
  if (kind == kKinds.size()) return BadRow("its kind is ", JsonString(kind_text));
  for (const Member* member : fields.seen) {
    if ((member->kinds & (1u << kind)) == 0) {
      return BadRow("its kind is ", kind_text, ", and it has a member ", member->name);
    }
  }
  const std::string id_text = fields.Take("id");
  const std::optional<Id> id = Id::Parse(id_text);
  if (!id.has_value()) return BadRow("its id is ", JsonString(id_text));

  OutboxLetter letter = {.id = *id, .arn = fields.Take("arn"), .request = {}};
  if (letter.arn.empty()) return BadRow("it has no member arn");
  if (kKinds[kind] == "topic") {
    letter.request = TakePublish(&fields);
  } else if (kKinds[kind] == "queue") {
    BANYAN_ASSIGN_OR_RETURN(letter.request, TakeSend(&fields));
  } else {
    BANYAN_ASSIGN_OR_RETURN(letter.request, TakeEntry(&fields));
  }
  return letter;
}

}  // namespace banyan::inline v0_1::internal
