// SPDX-License-Identifier: Apache-2.0
//
// What JsonBodyIs compares: two texts as JSON values, and in words where they part.
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/testing/matchers.h"
#include "base/json.h"

namespace banyan::inline v0_1::testing::internal {
namespace {

using v0_1::internal::JsonReader;
using v0_1::internal::JsonString;
using v0_1::internal::JsonToken;

struct Json {
  JsonToken kind = JsonToken::kNull;  // kStartObject and kStartArray stand for the whole
  std::string text;                   // of a string, decoded; of a number, as written
  std::map<std::string, Json> members;
  std::vector<Json> elements;
};

// Reads the value that starts with the reader's token. False: not JSON.
bool Read(JsonReader& reader, Json* value) {
  value->kind = reader.token();
  switch (reader.token()) {
    case JsonToken::kStartObject:
      while (reader.Next() == JsonToken::kName) {
        const std::string name(reader.text());
        Json member;
        reader.Next();
        if (!Read(reader, &member)) return false;
        value->members[name] = std::move(member);
      }
      return reader.token() == JsonToken::kEndObject;
    case JsonToken::kStartArray:
      while (reader.Next() != JsonToken::kEndArray) {
        if (!Read(reader, &value->elements.emplace_back())) return false;
      }
      return true;
    case JsonToken::kString:
    case JsonToken::kNumber:
    case JsonToken::kTrue:
    case JsonToken::kFalse:
    case JsonToken::kNull:
      value->text = std::string(reader.text());
      return true;
    default:
      return false;
  }
}

// Empty, or why `text` is not JSON.
std::string Parse(std::string_view text, Json* value) {
  JsonReader reader(text);
  reader.Next();
  if (Read(reader, value) && reader.Next() == JsonToken::kEnd && reader.AtEndOfText()) return "";
  return reader.token() == JsonToken::kError ? reader.ErrorText() : "it is not one JSON value";
}

// Equal as double, unless they are too long to be told apart so: then as written.
bool SameNumber(const std::string& a, const std::string& b) {
  constexpr size_t kExactDigits = 15;
  if (a == b) return true;
  if (a.size() > kExactDigits || b.size() > kExactDigits) return false;
  return std::strtod(a.c_str(), nullptr) == std::strtod(b.c_str(), nullptr);
}

std::string Show(const Json& value) {
  if (value.kind == JsonToken::kStartObject) return "an object";
  if (value.kind == JsonToken::kStartArray) {
    return "an array of " + std::to_string(value.elements.size());
  }
  return value.kind == JsonToken::kString ? JsonString(value.text) : value.text;
}

std::string Difference(const Json& is, const Json& wanted, const std::string& path) {
  const bool scalar = is.kind != JsonToken::kStartObject && is.kind != JsonToken::kStartArray;
  const bool same = is.kind == wanted.kind && is.elements.size() == wanted.elements.size() &&
                    (is.kind == JsonToken::kNumber ? SameNumber(is.text, wanted.text)
                                                   : !scalar || is.text == wanted.text);
  if (!same) return path + " is " + Show(is) + ", not " + Show(wanted);
  for (size_t i = 0; i < is.elements.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    std::string difference = Difference(is.elements[i], wanted.elements[i], at);
    if (!difference.empty()) return difference;
  }
  for (const auto& [name, value] : wanted.members) {
    const auto found = is.members.find(name);
    if (found == is.members.end()) return path + "." + name + " is missing";
    std::string difference = Difference(found->second, value, path + "." + name);
    if (!difference.empty()) return difference;
  }
  for (const auto& [name, value] : is.members) {
    if (!wanted.members.contains(name)) return path + "." + name + " is not wanted";
  }
  return "";
}

}  // namespace

std::string JsonDifference(std::string_view is, std::string_view wanted) {
  Json is_value, wanted_value;
  if (const std::string error = Parse(wanted, &wanted_value); !error.empty()) {
    return "the JSON that the test asks for is none: " + error;
  }
  if (const std::string error = Parse(is, &is_value); !error.empty()) {
    return "the body is not JSON: " + error;
  }
  return Difference(is_value, wanted_value, "$");
}

}  // namespace banyan::inline v0_1::testing::internal
