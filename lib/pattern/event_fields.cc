// SPDX-License-Identifier: Apache-2.0
#include "pattern/event_fields.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {
namespace {

ValueKind KindOf(JsonToken scalar) {
  switch (scalar) {
    case JsonToken::kNumber:
      return ValueKind::kNumber;
    case JsonToken::kTrue:
      return ValueKind::kTrue;
    case JsonToken::kFalse:
      return ValueKind::kFalse;
    case JsonToken::kNull:
      return ValueKind::kNull;
    default:
      return ValueKind::kString;
  }
}

}  // namespace

std::optional<EventFields> EventFields::FromJson(std::string_view json, const EventLimits& limits,
                                                 std::string* error) {
  const auto refuse = [error](auto words) {
    if (error != nullptr) *error = words();
    return std::nullopt;
  };
  if (static_cast<int64_t>(json.size()) > limits.bytes_max) {
    return refuse([&] {
      return StrCat("the event has ", json.size(), " bytes; at most ", limits.bytes_max,
                    " are allowed (limits.pattern.event_bytes_max)");
    });
  }
  JsonReader reader(json, limits.depth_max);
  EventFields fields;
  int64_t names_left = limits.names_max;
  const JsonToken first = reader.Next();
  if (first == JsonToken::kStartObject && fields.AddValue(reader, 0, &names_left)) return fields;
  if (reader.token() == JsonToken::kError) {
    return refuse([&] { return AtPosition(reader.ErrorText(), json, reader.error_offset()); });
  }
  if (first == JsonToken::kEnd) {
    return refuse(
        [&] { return AtPosition("there is no JSON value in the text", json, reader.position()); });
  }
  if (first != JsonToken::kStartObject) {
    return refuse([&] { return AtPosition("it is not a JSON object", json, reader.begin()); });
  }
  return refuse([&] {
    return AtPosition(StrCat("the event has ", limits.names_max + 1, " names or more; at most ",
                             limits.names_max, " are allowed (limits.pattern.event_names_max)"),
                      json, reader.begin());
  });
}

EventFields EventFields::FromAttributes(const Attributes& attributes) {
  EventFields fields;
  fields.matches_nothing_ = attributes.empty();
  for (const auto& [name, value] : attributes) {
    const std::string_view type = value.base_type();
    const uint32_t node = fields.Descend(0, name);
    if (type == "String" || type == "Number") {
      const ValueKind kind = type == "String" ? ValueKind::kString : ValueKind::kNumber;
      fields.nodes_[node].fields.push_back({.value = {kind, value.value}, .element = 0});
    } else if (type == "String.Array") {
      // Checked first: an array that breaks off in the middle must leave no fields.
      std::string compact;
      if (!CompactJson(value.value, &compact) || !compact.starts_with('[')) {
        fields.nodes_[node].beside |= kUnreadableArray;
        continue;
      }
      JsonReader reader(compact);
      reader.Next();
      int64_t names_left = std::numeric_limits<int64_t>::max();  // a message bounds its attributes
      fields.AddValue(reader, node, &names_left);
    } else {
      fields.nodes_[node].beside |= kIgnoredAttribute;
    }
  }
  return fields;
}

uint32_t EventFields::Descend(uint32_t node, std::string_view key) {
  while (true) {
    const size_t dot = std::min(key.find('.'), key.size());
    const std::string_view segment = key.substr(0, dot);
    auto child = nodes_[node].children.find(segment);
    if (child != nodes_[node].children.end()) {
      node = child->second;
    } else {
      const uint32_t added = static_cast<uint32_t>(nodes_.size());
      nodes_[node].children.emplace(segment, added);
      nodes_.emplace_back();
      node = added;
    }
    if (dot == key.size()) return node;
    key.remove_prefix(dot + 1);
  }
}

uint32_t EventFields::OpenArray(uint32_t node) {
  array_nodes_.push_back(node);
  return elements_.array_count++;
}

bool EventFields::AddValue(JsonReader& reader, uint32_t node, int64_t* names_left) {
  // One entry per open bracket; no recursion, so that depth costs memory and not stack.
  struct Open {
    bool is_array;
    bool is_element;   // an object or array directly inside an array
    uint32_t node;     // the path of the values inside; in an object, of the object itself
    uint32_t element;  // what the values inside belong to
    uint32_t array;    // the number of an array
  };
  std::vector<Open> open;
  while (true) {
    const uint32_t element = open.empty() ? 0 : open.back().element;
    switch (reader.token()) {
      case JsonToken::kError:
      case JsonToken::kEnd:
        return false;
      case JsonToken::kName:
        if (--*names_left < 0) return false;
        node = Descend(open.back().node, reader.text());
        break;
      case JsonToken::kStartObject:
      case JsonToken::kStartArray: {
        const bool is_array = reader.token() == JsonToken::kStartArray;
        nodes_[node].beside |= is_array ? kArray : kObject;
        const bool is_element = !open.empty() && open.back().is_array;
        open.push_back(
            {.is_array = is_array,
             .is_element = is_element,
             .node = node,
             .element = is_element ? elements_.Open(element, open.back().array) : element,
             .array = is_array ? OpenArray(node) : 0});
        break;
      }
      case JsonToken::kEndObject:
      case JsonToken::kEndArray: {
        const Open closed = open.back();
        if (closed.is_element) elements_.Close(closed.element);
        open.pop_back();
        node = closed.node;
        break;
      }
      default:
        nodes_[node].fields.push_back(
            {.value = {KindOf(reader.token()), std::string(reader.text())}, .element = element});
        break;
    }
    if (open.empty()) return true;
    reader.Next();
  }
}

absl::Span<const EventFields::Field> EventFields::Find(std::string_view path) const {
  uint32_t node = 0;
  while (true) {
    const size_t dot = std::min(path.find('.'), path.size());
    const auto child = nodes_[node].children.find(path.substr(0, dot));
    if (child == nodes_[node].children.end()) return {};
    node = child->second;
    if (dot == path.size()) return nodes_[node].fields;
    path.remove_prefix(dot + 1);
  }
}

}  // namespace banyan::inline v0_1::internal
