// SPDX-License-Identifier: Apache-2.0
#include "queue/json_members.h"

#include <algorithm>
#include <utility>

namespace banyan::inline v0_1::internal {

namespace {

std::optional<std::vector<JsonMember>> Read(std::string_view json, JsonToken start,
                                            JsonToken finish) {
  JsonReader reader(json, /*depth_max=*/100);
  if (reader.Next() != start) return std::nullopt;
  std::vector<JsonMember> members;
  while (reader.Next() != finish) {
    JsonMember member;
    if (reader.token() == JsonToken::kName) {
      member.name = reader.text();
      reader.Next();
    }
    member.kind = reader.token();
    member.text = reader.text();
    const size_t begin = reader.begin();
    if (!reader.SkipValue()) return std::nullopt;
    member.raw = json.substr(begin, reader.end() - begin);
    if (member.kind != JsonToken::kString) member.text = member.raw;
    members.push_back(std::move(member));
  }
  if (reader.Next() != JsonToken::kEnd || !reader.AtEndOfText()) return std::nullopt;
  return members;
}

}  // namespace

std::optional<std::vector<JsonMember>> ReadJsonObject(std::string_view json) {
  return Read(json, JsonToken::kStartObject, JsonToken::kEndObject);
}

std::optional<std::vector<JsonMember>> ReadJsonArray(std::string_view json) {
  return Read(json, JsonToken::kStartArray, JsonToken::kEndArray);
}

const JsonMember* FindMember(const std::vector<JsonMember>& members, std::string_view name) {
  const auto found = std::find_if(members.rbegin(), members.rend(),
                                  [name](const JsonMember& member) { return member.name == name; });
  return found == members.rend() ? nullptr : &*found;
}

}  // namespace banyan::inline v0_1::internal
