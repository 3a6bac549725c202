// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/json_members.h -- floor 3, the queue room: one level of a JSON object or array, for
// policies, which are small, rarely read and kept as the text they came in.
//
//   {"a": 1, "b": ["x"]}   ->   a = number 1, b = array ["x"], to be read by another call
#ifndef BANYAN_LIB_QUEUE_JSON_MEMBERS_H_
#define BANYAN_LIB_QUEUE_JSON_MEMBERS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace banyan::inline v0_1::internal {

struct JsonMember {
  std::string name;      // empty in an array
  JsonToken kind;        // the value's first token
  std::string text;      // of a string its characters; of everything else what `raw` says
  std::string_view raw;  // the value as written; part of the text that was read
};

// Nothing if `json` is not exactly one object, or one array.
std::optional<std::vector<JsonMember>> ReadJsonObject(std::string_view json);
std::optional<std::vector<JsonMember>> ReadJsonArray(std::string_view json);

// Null if there is none; of two the last, as AWS's reader has it.
const JsonMember* FindMember(const std::vector<JsonMember>& members, std::string_view name);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_JSON_MEMBERS_H_
