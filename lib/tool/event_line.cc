// SPDX-License-Identifier: Apache-2.0
#include "tool/event_line.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::JsonReader;
using internal::JsonToken;

constexpr std::string_view kSpace = " \t\r\n";

// {"Type": "String", "Value": "acme"}, as SNS writes it. The reader stands at the opening brace.
bool ReadAttribute(JsonReader* reader, AttributeValue* value) {
  bool has_type = false;
  bool has_value = false;
  while (reader->Next() == JsonToken::kName) {
    const bool is_type = reader->text() == "Type";
    const bool is_value = reader->text() == "Value";
    reader->Next();
    if (is_type || is_value) {
      if (reader->token() != JsonToken::kString) return false;
      (is_type ? value->type : value->value) = reader->text();
      has_type = has_type || is_type;
      has_value = has_value || is_value;
    }
    if (!reader->SkipValue()) return false;
  }
  return reader->token() == JsonToken::kEndObject && has_type && has_value;
}

// The text is known to be an object. A Binary value stays in its base64: no filter policy asks for
// it.
std::variant<Attributes, Refusal> ReadAttributes(std::string_view json) {
  Attributes attributes;
  JsonReader reader(json);
  reader.Next();
  while (reader.Next() == JsonToken::kName) {
    const bool is_attributes = reader.text() == "MessageAttributes";
    reader.Next();
    if (!is_attributes) {
      reader.SkipValue();
      continue;
    }
    if (reader.token() != JsonToken::kStartObject) {
      return Refusal{BadLine::kNoAttributes, "MessageAttributes must be an object"};
    }
    while (reader.Next() == JsonToken::kName) {
      const std::string name(reader.text());
      AttributeValue value;
      if (reader.Next() != JsonToken::kStartObject || !ReadAttribute(&reader, &value)) {
        return Refusal{BadLine::kNoAttributes,
                       internal::StrCat("attribute ", internal::JsonString(name),
                                        " must be an object with Type and Value, both strings")};
      }
      attributes.Set(name, std::move(value));
    }
  }
  if (reader.token() != JsonToken::kEndObject) {
    return Refusal{BadLine::kMalformed, reader.ErrorText()};
  }
  return attributes;
}

// The library's reason without what the tool says already, and with columns of the line: an event
// that is one line has no other.
std::string AboutTheLine(std::string_view message) {
  constexpr std::string_view kPreface = "Parameter Event is not valid. Reason: ";
  if (message.starts_with(kPreface)) message.remove_prefix(kPreface.size());
  return absl::StrReplaceAll(internal::ToAbsl(message), {{"line 1, column ", "column "}});
}

}  // namespace

std::string_view BadLineName(BadLine kind) {
  switch (kind) {
    case BadLine::kTooLong:
      return "longer than an event may be";
    case BadLine::kNotAnObject:
      return "not a JSON object";
    case BadLine::kMalformed:
      return "a JSON object that cannot be read";
    case BadLine::kTwoValues:
      return "a JSON object and more behind it";
    case BadLine::kNoAttributes:
      return "not a message with attributes";
  }
  return "";
}

EventLine ReadEventLine(const Line& line, PatternLanguage language, const Limits& limits) {
  std::string_view text = line.text;
  if (line.number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // Windows
  if (line.too_long) return Refusal{BadLine::kTooLong, ""};
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return BlankLine{};
  if (text[begin] != '{') return Refusal{BadLine::kNotAnObject, ""};
  text = text.substr(0, text.find_last_not_of(kSpace) + 1);

  absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(text, limits);
  if (!event.ok()) {
    return Refusal{BadLine::kMalformed, AboutTheLine(internal::ToStd(event.status().message()))};
  }
  if (event->json().size() != text.size() - begin) return Refusal{BadLine::kTwoValues, ""};
  if (language != PatternLanguage::kSnsMessageAttributes) return *std::move(event);

  std::variant<Attributes, Refusal> attributes = ReadAttributes(text);
  if (auto* refusal = std::get_if<Refusal>(&attributes)) return std::move(*refusal);
  return std::get<Attributes>(std::move(attributes));
}

}  // namespace banyan::inline v0_1::tool
