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
      if (name.empty() || name.find_first_of("]*") != name.npos) return std::nullopt;
      path.steps_.emplace_back(std::string(name));
      text.remove_prefix(1 + name.size());
    } else if (text.starts_with("['")) {
      const size_t end = text.find("']", 2);
      if (end == text.npos || end == 2) return std::nullopt;
      path.steps_.emplace_back(std::string(text.substr(2, end - 2)));
      path.has_bracketed_name_ = true;
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

std::string_view JsonPath::Find(std::string_view json) const {
  JsonReader reader(json);
  reader.Next();
  for (const Step& step : steps_) {
    const std::string* name = std::get_if<std::string>(&step);
    const bool found = name != nullptr ? EnterMember(reader, *name)
                                       : EnterElement(reader, std::get<uint64_t>(step));
    if (!found) return {};
  }
  const size_t begin = reader.begin();
  if (reader.token() == JsonToken::kEnd || !reader.SkipValue()) return {};
  return json.substr(begin, reader.end() - begin);
}

std::optional<std::string> JsonPath::FindScalar(std::string_view json) const {
  JsonReader value(Find(json));
  switch (value.Next()) {
    case JsonToken::kString:
    case JsonToken::kNumber:
    case JsonToken::kTrue:
    case JsonToken::kFalse:
      return std::string(value.text());
    default:
      return std::nullopt;
  }
}

JsonPathSet::JsonPathSet(absl::Span<const JsonPath> paths) : path_count_(paths.size()), nodes_(1) {
  for (size_t i = 0; i < paths.size(); ++i) {
    size_t node = 0;
    for (const JsonPath::Step& step : paths[i].steps()) node = ChildOf(node, step);
    nodes_[node].paths.push_back(i);
  }
}

size_t JsonPathSet::ChildOf(size_t node, const JsonPath::Step& step) {
  const std::string* name = std::get_if<std::string>(&step);
  size_t& child = name != nullptr ? nodes_[node].members[*name]
                                  : nodes_[node].elements[std::get<uint64_t>(step)];
  if (child == 0) {  // the root is nobody's child
    child = nodes_.size();
    const size_t made = child;
    nodes_.emplace_back();
    return made;
  }
  return child;
}

struct JsonPathSet::Walk {
  const std::vector<Node>& nodes;
  std::string_view json;
  JsonReader reader{json};
  std::vector<std::string_view> found;
  std::vector<bool> seen = std::vector<bool>(nodes.size());

  // Reads the value that starts with the current token. False on an error.
  bool Value(size_t at) {
    const Node& node = nodes[at];
    seen[at] = true;
    const size_t begin = reader.begin();
    bool good = true;
    if (reader.token() == JsonToken::kStartObject && !node.members.empty()) {
      good = Members(node);
    } else if (reader.token() == JsonToken::kStartArray && !node.elements.empty()) {
      good = Elements(node);
    } else {
      good = reader.token() != JsonToken::kEnd && reader.SkipValue();
    }
    if (!good) return false;
    for (const size_t path : node.paths) found[path] = json.substr(begin, reader.end() - begin);
    return true;
  }

  bool Members(const Node& node) {
    while (reader.Next() == JsonToken::kName) {
      const auto child = node.members.find(reader.text());
      const bool wanted = child != node.members.end() && !seen[child->second];
      reader.Next();
      if (wanted ? !Value(child->second) : !reader.SkipValue()) return false;
    }
    return reader.token() == JsonToken::kEndObject;
  }

  bool Elements(const Node& node) {
    for (uint64_t index = 0; reader.Next() != JsonToken::kEndArray; ++index) {
      if (reader.token() == JsonToken::kError) return false;
      const auto child = node.elements.find(index);
      const bool wanted = child != node.elements.end();
      if (wanted ? !Value(child->second) : !reader.SkipValue()) return false;
    }
    return true;
  }
};

std::vector<std::string_view> JsonPathSet::Find(std::string_view json) const {
  Walk walk{.nodes = nodes_, .json = json, .found = std::vector<std::string_view>(path_count_)};
  walk.reader.Next();
  walk.Value(0);
  return std::move(walk.found);
}

}  // namespace banyan::inline v0_1::internal
