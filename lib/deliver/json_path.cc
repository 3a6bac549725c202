// SPDX-License-Identifier: Apache-2.0
#include "deliver/json_path.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

// Leaves the reader at the value of the member. False if the current token opens no such object.
bool EnterMember(JsonReader& reader, std::string_view name) {
  if (reader.token() != JsonToken::kStartObject) return false;
  while (reader.Next() == JsonToken::kName) {
    const bool found = reader.text() == name;
    reader.Next();
    if (found) return true;
    if (!reader.SkipValue()) return false;
  }
  return false;
}

bool EnterElement(JsonReader& reader, uint64_t index) {
  if (reader.token() != JsonToken::kStartArray) return false;
  for (;; --index) {
    const JsonToken token = reader.Next();
    if (token == JsonToken::kEndArray || token == JsonToken::kError) return false;
    if (index == 0) return true;
    if (!reader.SkipValue()) return false;
  }
}

}  // namespace

std::optional<JsonPath> JsonPath::Parse(std::string_view text) {
  if (!text.starts_with('$')) return std::nullopt;
  text.remove_prefix(1);
  JsonPath path;
  while (!text.empty()) {
    if (text.starts_with('.')) {
      const size_t end = text.find_first_of(".[", 1);
      const std::string_view name = text.substr(1, end == text.npos ? end : end - 1);
      if (name.empty() || name.find(']') != name.npos) return std::nullopt;
      path.steps_.emplace_back(std::string(name));
      text.remove_prefix(1 + name.size());
    } else if (text.starts_with("['")) {
      const size_t end = text.find("']", 2);
      if (end == text.npos || end == 2) return std::nullopt;
      path.steps_.emplace_back(std::string(text.substr(2, end - 2)));
      text.remove_prefix(end + 2);
    } else if (text.starts_with('[')) {
      const size_t end = text.find(']');
      uint64_t index = 0;
      if (end == text.npos || !absl::SimpleAtoi(ToAbsl(text.substr(1, end - 1)), &index)) {
        return std::nullopt;
      }
      path.steps_.emplace_back(index);
      text.remove_prefix(end + 1);
    } else {
      return std::nullopt;
    }
  }
  return path;
}

std::optional<std::string> JsonPath::FindScalar(std::string_view json) const {
  JsonReader reader(json);
  reader.Next();
  for (const Step& step : steps_) {
    const std::string* name = std::get_if<std::string>(&step);
    const bool found = name != nullptr ? EnterMember(reader, *name)
                                       : EnterElement(reader, std::get<uint64_t>(step));
    if (!found) return std::nullopt;
  }
  switch (reader.token()) {
    case JsonToken::kString:
    case JsonToken::kNumber:
    case JsonToken::kTrue:
    case JsonToken::kFalse:
      return std::string(reader.text());
    default:
      return std::nullopt;
  }
}

}  // namespace banyan::inline v0_1::internal
